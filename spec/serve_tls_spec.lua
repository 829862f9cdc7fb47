-- `postern serve` with TLS: curl and openssl as clients, and those who speak it badly.
local uv = require("luv")
local tls = require("postern.tls")
local tls_stream = require("postern.tls_stream")
local authorities = require("spec.support.authority")
local commands = require("spec.support.commands")
local loop = require("spec.support.loop")
local served = require("spec.support.served")
local json = require("dkjson")


local POLICY = [[{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
"Action":"execute-api:Invoke","Resource":"execute-api:/dev/GET/*"}]}]]

local MTLS_POLICY = [[{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
"Principal":{"AWS":"arn:aws:iam::111122223333:user/client"},
"Action":"execute-api:Invoke","Resource":"execute-api:/dev/GET/*"}]}]]

local ESTATE = [[
account "111122223333"
region "eu-central-1"
api "a1b2c3d4e5" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
                   policy = "policy.json" }
api "mtls" { endpoint_type = "REGIONAL", authorization = "IAM", stages = { "dev" },
             policy = "mtls.json" }
identity "mtls" { sans = { ["URI:spiffe://example.com/a"] =
                          "arn:aws:iam::111122223333:user/client" } }
serve {
    listen = {
        { address = "127.0.0.1:0", certificate = "tls/server.pem", key = "tls/server.key",
          client_ca = "tls/ca.pem", client_certificate = "%s"%s },
    },
    operators = "%s", limits = { head_seconds = %s, idle_seconds = 5 }, workers = %d,
    endpoints = {
        ["/self"] = { protocol = "native", client_certificate = "peer" },
        ["/listed"] = { protocol = "native", peers = { "tls:DNS:proxy.example.com" } },
    },
}
]]

local QUESTION = [['{"api":"%s","stage":"dev","method":"GET","path":"/pets"}']]


describe("TLS of postern serve", function()
    local ca, stranger, before, server, url, port, folder

    setup(function()
        ca, stranger = authorities.new(), authorities.new()
        for _, authority in ipairs({ ca, stranger }) do
            authority:issue("server", "DNS:localhost,IP:127.0.0.1")
            authority:issue("client", "URI:spiffe://example.com/a")
            authority:issue("proxy", "DNS:proxy.example.com")
        end
    end)

    teardown(function()
        ca:close()
        stranger:close()
    end)

    before_each(function()
        before = loop.open_handles()
    end)

    after_each(function()
        if server then
            server:close()
            server = nil
        end
        assert.equal(before, loop.open_handles())
    end)

    local function install(authority)
        os.execute(("cp %s %s %s %s/tls/"):format(authority:path("ca.pem"),
            authority:path("server.pem"), authority:path("server.key"), folder))
    end

    local function with_server(given, fn)
        if server then
            server:close()
        end
        local estate = ESTATE:format(given.demand or "optional", given.more or "",
            given.operators or "192.0.2.1", given.head_seconds or 5, given.workers or 1)
        commands.with_files({ ["estate.lua"] = estate, ["policy.json"] = POLICY,
            ["mtls.json"] = MTLS_POLICY, ["tls/x"] = "" }, function(where)
            folder = where
            install(ca)
            -- Paths of the settings begin where the estate is.
            server = served.start("exec postern serve " .. folder .. "/estate.lua", {})
            local address = server:ready()
            port = tonumber(address:match("%d+$"))
            url = "https://" .. address
            fn()
        end)
    end

    local function curl(rest, more)
        return server:curl(("--cacert %s %s %s%s"):format(ca:path("ca.pem"), more or "", url, rest))
    end

    local function client_of(authority, name)
        name = name or "client"
        return ("--cert %s --key %s"):format(authority:path(name .. ".pem"),
            authority:path(name .. ".key"))
    end

    -- What `openssl s_client` prints, with something to say.
    local function s_client(more, input)
        local line = ("printf '%s' | LD_PRELOAD= openssl s_client -connect 127.0.0.1:%d -CAfile %s "
            .. "-verify_return_error -quiet -no_ign_eof %s 2>&1"):format(input, port,
            ca:path("ca.pem"), more)
        return server:shell(line)
    end

    local function raw(bytes, fn)
        local host = server.host
        return host:block(function()
            local socket = assert(host:connect({ host = "127.0.0.1", port = port }))
            if bytes then
                socket:send(bytes)
            end
            local said = fn(socket, host)
            socket:close()
            return said
        end)
    end

    local function count(name)
        return json.decode(curl("/status", client_of(ca)))[name]
    end

    -- A client of our own, which can end in more ways than curl. The answer tells what it has read
    -- when `how` has had its stream and handle and the connection is over.
    local function dial(how)
        local got, over = "", nil
        local context = assert(tls.client({ authorities = ca:path("ca.pem") }))
        local handle = server.host.loop:adopt(uv.new_tcp())
        handle:connect("127.0.0.1", port, function(err)
            assert(not err, err)
            local stream = tls_stream.new(handle, context:connect("localhost"),
                function(fn) server.host.loop:turn(fn) end)
            stream:handshake(function(failed)
                assert(not failed, failed)
                stream:read_start(function(failure, bytes)
                    got, over = got .. (bytes or ""), failure or not bytes
                end)
                how(stream, handle)
            end)
        end)
        return function()
            server:until_true(function() return over end)
            server.host.loop:close_handle(handle)
            return got
        end
    end

    it("is 1.2 and 1.3, and nothing older", function()
        with_server({}, function()
            assert.equal("ok\n", curl("/healthz"))
            assert.equal("ok\n", curl("/healthz", "--tlsv1.2 --tls-max 1.2"))
            assert.equal("ok\n", curl("/healthz", "--tlsv1.3"))
            assert.equal("", curl("/healthz", "--tls-max 1.1 --tlsv1.1"))
            local get = "GET /healthz HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n"
            for _, version in ipairs({ "-tls1_2", "-tls1_3" }) do
                assert.matches("HTTP/1.1 200 OK\r\n.*ok\n", (s_client(version
                    .. " -ign_eof", get)))
            end
            assert.matches("HTTP/1.1", curl("/healthz", "-i --http2"), 1, true)
        end)
        with_server({ more = ', min_version = "1.3"' }, function()
            assert.equal("ok\n", curl("/healthz", "--tlsv1.3"))
            assert.equal("", curl("/healthz", "--tls-max 1.2"))
        end)
    end)

    it("carries many requests, large ones, and answers in their order", function()
        with_server({}, function()
            local ask = "-d " .. QUESTION:format("a1b2c3d4e5")
                .. " -H 'Content-Type: application/json' "
            assert.is_true(json.decode(curl("/v1/decide", ask)).allowed)
            local batch = "[" .. ('{"api":"a1b2c3d4e5","stage":"dev","method":"GET","path":"/x"},')
                :rep(999) .. '{"api":"a1b2c3d4e5","stage":"dev","method":"PUT","path":"/x"}]'
            local file = assert(io.open(folder .. "/batch", "w"))
            file:write(batch)
            file:close()
            local got = json.decode(curl("/v1/decide/batch",
                "-H 'Content-Type: application/json' --data-binary @" .. folder .. "/batch"))
            assert.equal(1000, #got)
            assert.is_true(got[999].allowed)
            assert.is_false(got[1000].allowed)
            assert.equal(("ok\n"):rep(20), curl("/healthz?[1-20]"))
        end)
    end)

    it("asks clients for a certificate: of the right authority, where one is required", function()
        with_server({ demand = "required" }, function()
            assert.equal("", curl("/healthz"))
            assert.equal("", curl("/healthz", client_of(stranger)))
            assert.equal("ok\n", curl("/healthz", client_of(ca)))
            assert.matches("TLS with 127.0.0.1: ", server.said, 1, true)
        end)
        with_server({}, function()
            assert.equal("ok\n", curl("/healthz"))
            assert.equal("", curl("/healthz", client_of(stranger)))
            assert.equal("ok\n", curl("/healthz", client_of(ca)))
        end)
    end)

    it("tells operators by their certificate", function()
        with_server({ operators = "tls:CN=client,O=Example" }, function()
            assert.matches('"message":"Forbidden"', curl("/status"), 1, true)
            assert.matches('"state":"ready"', curl("/status", client_of(ca)), 1, true)
        end)
        with_server({ operators = "tls:CN=nobody" }, function()
            assert.matches('"message":"Forbidden"', curl("/status", client_of(ca)), 1, true)
        end)
    end)

    it("tells peers by their certificate", function()
        with_server({}, function()
            local ask = "-o /dev/null -w '%{http_code}' -H 'Content-Type: application/json' -d "
                .. QUESTION:format("a1b2c3d4e5") .. " "
            assert.equal("200", curl("/listed", ask .. client_of(ca, "proxy")))
            assert.equal("403", curl("/listed", ask .. client_of(ca)))
            assert.equal("403", curl("/listed", ask))
            assert.equal("000", curl("/listed", ask .. client_of(stranger, "proxy")))
        end)
    end)

    it("hands the certificate of who asks for himself to identities, and no other", function()
        with_server({}, function()
            local ask = "-d " .. QUESTION:format("mtls") .. " -H 'Content-Type: application/json' "
            local function allowed(path, more)
                return json.decode(curl(path, ask .. (more or ""))).allowed
            end
            assert.is_true(allowed("/self", client_of(ca)))
            assert.is_false(allowed("/self"))
            -- There a certificate is the word of who asks, and nothing was said.
            assert.is_false(allowed("/v1/decide", client_of(ca)))
            local forged = QUESTION:format("mtls"):gsub("}'$", ',"client_certificate":'
                .. '{"verified":true,"sans":["URI:spiffe://example.com/a"]}}\'')
            local got = json.decode(curl("/self", "-H 'Content-Type: application/json' -d "
                .. forged .. " " .. client_of(ca)))
            assert.matches("`client_certificate` is that of the connection", got.message, 1, true)
        end)
    end)

    it("does not wait for a handshake longer than for a head", function()
        with_server({ operators = "tls:", head_seconds = 0.6 }, function()
            for _, bytes in ipairs({ false, "\22\3\1\2\0\1\0\1\252\3\3" }) do
                raw(bytes or nil, function(socket, host)
                    local began = host:monotonic()
                    local piece, why = socket:receive(nil, 5)
                    assert.is_nil(piece)
                    assert.equal("closed", why)
                    local waited = host:monotonic() - began
                    assert.is_true(waited > 0.3 and waited < 2, waited)
                end)
            end
            assert.equal(2, count("timed_out").handshake)
        end)
    end)

    it("does not answer what is no TLS", function()
        with_server({ operators = "tls:" }, function()
            for _, bytes in ipairs({ "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
                ("\0"):rep(300), ("\255"):rep(70000) }) do
                local said = raw(bytes, function(socket)
                    local text = ""
                    repeat
                        local piece = socket:receive(nil, 3)
                        text = text .. (piece or "")
                    until not piece
                    return text
                end)
                assert.not_matches("HTTP", said)
            end
            assert.is_true(count("handshakes_failed") >= 2)
            assert.equal("ok\n", curl("/healthz"))
            assert.matches("postern_tls_handshake_failures_total %d",
                (curl("/metrics", client_of(ca))))
        end)
    end)

    it("answers who says that he has said all, and ends with who is cut off", function()
        with_server({ operators = "tls:" }, function()
            -- Without -ign_eof s_client sends close_notify at the end of its input, and reads on.
            assert.matches("HTTP/1.1 200 OK", (s_client("-ign_eof",
                "GET /healthz HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n")), 1, true)
            local get = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
            assert.matches("^HTTP/1.1 200 OK.*ok\n$", dial(function(stream)
                stream:write(get)
                stream:shutdown()
            end)())
            assert.equal("", dial(function(stream, handle)
                stream:write(get:sub(1, -3))
                handle:shutdown()
            end)())
            assert.is_truthy(server:until_true(function()
                return count("connections").open == 1
            end))
        end)
    end)

    it("takes new files when it is told, for new connections", function()
        for _, workers in ipairs({ 1, 2 }) do
            with_server({ workers = workers }, function()
                assert.equal("ok\n", curl("/healthz"))
                local function anew(path)
                    return server:curl(("--cacert %s %s%s"):format(stranger:path("ca.pem"), url,
                        path))
                end
                local open
                local finish = dial(function(stream) open = stream end)
                server:until_true(function() return open end)
                install(stranger)
                uv.kill(server.pid, "sighup")
                assert.is_truthy(server:until_true(function()
                    return curl("/healthz") == "" and curl("/healthz") == ""
                end))
                -- A connection from before goes on.
                open:write("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                assert.matches("^HTTP/1.1 200 OK.*ok\n$", finish())
                assert.equal("ok\n", anew("/healthz"))
                os.execute("echo none > " .. folder .. "/tls/server.key")
                uv.kill(server.pid, "sighup")
                assert.is_truthy(server:until_true(function()
                    return server.said:find("its certificate stays as it was: ", 1, true)
                end))
                assert.equal("ok\n", anew("/healthz"))
            end)
        end
    end)

    it("does not begin with files that are none", function()
        commands.with_files({ ["estate.lua"] = ESTATE:format("optional", "", "192.0.2.1", 5, 1),
            ["policy.json"] = POLICY, ["mtls.json"] = MTLS_POLICY }, function(where)
            server = served.start("exec postern serve " .. where .. "/estate.lua", {})
            assert.is_truthy(server:until_true(function() return server.status end))
            assert.equal(2, server.status)
            assert.matches("tls/server.pem", server.said, 1, true)
        end)
    end)
end)
