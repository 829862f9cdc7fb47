local tls = require("postern.tls")
local authorities = require("spec.support.authority")


describe("tls", function()
    local ca, server_context, client_context

    setup(function()
        ca = authorities.new()
        ca:issue("server", "DNS:localhost,IP:127.0.0.1")
        ca:issue("client", "URI:spiffe://example.com/a,DNS:a.example.com")
        server_context = assert(tls.server({
            certificate = ca:path("server.pem"), key = ca:path("server.key") }))
        client_context = assert(tls.client({ authorities = ca:path("ca.pem") }))
    end)

    teardown(function()
        ca:close()
    end)

    -- Carries what each end has to say until neither has anything. The first failure, if any.
    local function converse(server, client)
        local failure
        for _ = 1, 10 do
            for from, to in pairs({ [server] = client, [client] = server }) do
                local bytes = from:take()
                if bytes ~= "" then
                    local state, why = to:feed(bytes)
                    failure = failure or (not state and why or nil)
                end
            end
        end
        return failure
    end

    local function ends(options)
        local server = assert(tls.server({
            certificate = ca:path("server.pem"), key = ca:path("server.key"),
            authorities = options.peer and ca:path("ca.pem"), peer = options.peer,
            min_version = options.min_version }))
        local client = assert(tls.client({ authorities = ca:path("ca.pem"),
            certificate = options.certificate and ca:path(options.certificate .. ".pem"),
            key = options.certificate and ca:path(options.certificate .. ".key") }))
        return assert(server:accept()), assert(client:connect(options.name or "localhost"))
    end

    it("is to be had", function()
        assert.is_true(tls.available())
    end)

    it("carries text between two ends", function()
        local server, client = assert(server_context:accept()), client_context:connect("localhost")
        assert.equal("handshake", server:state())
        assert.is_nil(server:version())
        assert.is_nil(converse(server, client))
        assert.equal("open", server:state())
        assert.equal("TLSv1.3", client:version())
        assert.equal(5, client:write("pi\0g"))
        assert.equal("", server:read())
        assert.is_nil(converse(server, client))
        assert.equal("pi\0g", server:read())
        assert.equal("", server:read())
        assert.equal(5, server:write("-pong", 2) - 1)
        client:close()
        assert.is_nil(converse(server, client))
        assert.equal("pong", client:read())
        assert.equal("closed", server:state())
        assert.is_nil(server:peer())
        assert.equal("CN=server,O=Example", client:peer().subject)
    end)

    it("carries more than it holds", function()
        local server, client = assert(server_context:accept()), client_context:connect("localhost")
        converse(server, client)
        local text = ("0123456789abcdef"):rep(65536)
        local from, got, waiting = 1, {}, ""
        for _ = 1, 200 do
            if from <= #text then
                from = assert(client:write(text, from))
            end
            waiting = waiting .. client:take()
            local state, next_at = server:feed(waiting)
            assert.equal("open", state)
            waiting = waiting:sub(next_at)
            got[#got + 1] = server:read()
            assert.is_true(#got[#got] <= 65536 + 17000)
        end
        assert.is_true(table.concat(got) == text)
    end)

    it("tells who the peer is", function()
        local server, client = ends({ peer = "required", certificate = "client" })
        assert.is_nil(server:peer())
        assert.is_nil(converse(server, client))
        local peer = assert(server:peer())
        assert.is_true(peer.verified)
        assert.equal("CN=client,O=Example", peer.subject)
        assert.equal("CN=ca,O=Example", peer.issuer)
        assert.equal("12", peer.serial)
        assert.same({ "URI:spiffe://example.com/a", "DNS:a.example.com" }, peer.sans)
        assert.matches("^%x+$", peer.fingerprint)
        assert.equal(64, #peer.fingerprint)
        assert.matches("^%-%-%-%-%-BEGIN CERTIFICATE", peer.pem)
        assert.is_true(math.abs(peer.not_after - os.time() - 86400) < 600)
        assert.is_true(peer.not_before <= os.time())
    end)

    it("is refused without a certificate that is good", function()
        local server, client = ends({ peer = "required" })
        assert.equal("TLS: peer did not return a certificate", converse(server, client))
        assert.is_nil(server:state())
        assert.is_nil(server:peer())
        local again, why = server:feed("x")
        assert.is_nil(again)
        assert.equal("TLS: peer did not return a certificate", why)
        assert.same({ nil, why }, { server:write("x") })
        server, client = ends({ peer = "optional" })
        assert.is_nil(converse(server, client))
        assert.is_nil(server:peer())
        server, client = ends({ name = "example.org" })
        assert.equal("the peer's certificate: hostname mismatch", converse(server, client))
    end)

    it("follows new keys in new connections", function()
        local old = assert(server_context:accept())
        local new = assert(tls.server({
            certificate = ca:path("client.pem"), key = ca:path("client.key") })):accept()
        collectgarbage()
        local to_old = client_context:connect("localhost")
        assert.is_nil(converse(old, to_old))
        assert.equal("CN=server,O=Example", to_old:peer().subject)
        local to_new = client_context:connect("a.example.com")
        assert.is_nil(converse(new, to_new))
        assert.equal("CN=client,O=Example", to_new:peer().subject)
    end)

    it("speaks TLS 1.3 alone when told to", function()
        local server, client = ends({ min_version = "1.3" })
        assert.is_nil(converse(server, client))
        assert.equal("TLSv1.3", server:version())
    end)

    it("raises at the caller for wrong use", function()
        local function raises(message, call)
            local ok, why = pcall(call)
            assert.is_false(ok)
            assert.matches("tls_spec.lua:%d+: ", why)
            assert.is_truthy(why:find(message, 1, true), why)
        end
        local client = client_context:connect("localhost")
        raises("before the handshake", function() client:write("x") end)
        raises("give the name", function() client_context:connect() end)
        raises("a client says whom", function() client_context:accept() end)
        raises("a client says whom", function() server_context:connect("a") end)
        raises("unknown option `cert`", function() tls.server({ cert = "a" }) end)
        raises("`key`: give the path", function() tls.server({ key = "" }) end)
        raises("`key`: give the path", function() tls.server({ key = "a\0b" }) end)
        raises("`peer`: give one of `none`, `optional`, `required`",
            function() tls.server({ peer = true }) end)
        raises("`min_version`: give one of `1.2`, `1.3`",
            function() tls.server({ min_version = "1.1" }) end)
        raises("`max_buffered`: give a number", function() tls.server({ max_buffered = 0 / 0 }) end)
        raises("a server has a certificate", function() tls.server({}) end)
        raises("are given together", function() tls.client({ key = "a" }) end)
        raises("a client always verifies", function() tls.client({ peer = "none" }) end)
    end)

    it("names the file that is wrong", function()
        local none, why = tls.server({ certificate = ca:path("server.pem"),
            key = ca:path("client.key") })
        assert.is_nil(none)
        assert.matches("client.key`: .*key values mismatch", why)
        none, why = tls.client({ authorities = "/nowhere.pem" })
        assert.is_nil(none)
        assert.equal("`/nowhere.pem`: no authorities that can be used: No such file or directory",
            why)
    end)

    it("says so where the library is missing", function()
        local core = require("postern.ffi")
        local open = core.tls
        core.tls = function() error("cannot load libpostern_tls", 0) end
        package.loaded["postern.tls"] = nil
        local bare = require("postern.tls")
        core.tls = open
        package.loaded["postern.tls"] = tls
        assert.same({ nil, "cannot load libpostern_tls" }, { bare.available() })
        for _, role in ipairs({ "server", "client" }) do
            local ok, why = pcall(bare[role], {})
            assert.is_false(ok)
            assert.matches("cannot load libpostern_tls", why, 1, true)
        end
    end)
end)
