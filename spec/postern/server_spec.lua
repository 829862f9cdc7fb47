local crypto = require("postern.crypto")
local http = require("postern.http")
local hosts = require("postern.host.uv")
local reloads = require("postern.reload")
local servers = require("postern.server")
local commands = require("spec.support.commands")
local loop = require("spec.support.loop")
local json = require("dkjson")


local POLICY = [[{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
"Action":"execute-api:Invoke","Resource":"execute-api:/dev/GET/*"}]}]]

local ESTATE = [[
account "111122223333"
region "eu-central-1"
api "a1b2c3d4e5" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
                   policy = "policy.json" }
]]


-- Decides the path that follows its prefix; what it is told otherwise comes from its options.
local GATE = {}

function GATE.new(options)
    if options.bad then
        error("`bad`: give another", 0)
    end
    return {
        handle = function(_, message, ask)
            if message.path == "/gate/raise" then
                error("oh")
            end
            if message.path == "/gate/refuse" then
                return 403, nil, "no", "too late"
            end
            local decision = ask({ api = "a1b2c3d4e5", stage = "dev", method = message.method,
                path = message.path:sub(#message.endpoint + 1), peer = message.peer })
            return decision.allowed and 200 or 403, nil, decision.reason .. " " .. message.endpoint
        end,
        failed = options.failed and function() return options.failed, nil, "no" end or nil,
    }
end


describe("a server", function()
    local host, before, logged, server

    before_each(function()
        before, logged = loop.open_handles(), {}
        host = hosts.new({ log = function(line) logged[#logged + 1] = line end })
    end)

    after_each(function()
        if server then
            server:close()
            server = nil
        end
        host:close()
        assert.equal(before, loop.open_handles())
    end)

    local function start(folder, given)
        given.listen = given.listen or "127.0.0.1:0"
        given.operators = given.operators or "127.0.0.1"
        local reload = assert(reloads.new(folder .. "/estate.lua",
            { host = host, debounce = 0.01 }))
        local settings = assert(servers.check(given, { gate = GATE }, folder .. "/estate.lua"))
        local why
        server, why = servers.new({ host = host, reload = reload, settings = settings,
            protocols = { gate = GATE }, pid = 7, worker = 3 })
        if not server then
            reload:close()
            return nil, why
        end
        assert(server:bind())
        assert(server:listen())
        return server
    end

    -- One request on a connection of its own.
    local function call(target, more)
        local url = target:find("^http") and target or "http://" .. server:addresses()[1] .. target
        local request = { url = url, method = "GET" }
        for name, value in pairs(more or {}) do
            request[name] = value
        end
        return assert(host:http(request))
    end

    local function with_server(given, fn)
        commands.with_files({ ["estate.lua"] = ESTATE, ["policy.json"] = POLICY }, function(folder)
            host:block(function()
                assert(start(folder, given))
                fn(folder)
            end)
        end)
    end

    it("answers at its endpoints, and nowhere else", function()
        with_server({ endpoints = { ["/gate"] = "gate" } }, function()
            assert.equal("ok\n", call("/healthz").body)
            local got = call("/gate/pets")
            assert.equal(200, got.status)
            assert.matches(" /gate$", got.body)
            assert.equal(403, call("/gate/pets", { method = "POST" }).status)
            for _, path in ipairs({ "/", "/gat", "/gates", "/v1/decided", "//gate/pets",
                                    "/%67ate/pets" }) do
                got = call(path)
                assert.equal(404, got.status, path)
                assert.equal('{"message":"Not Found"}\n', got.body)
            end
        end)
    end)

    it("decides at /v1/decide, where nobody says otherwise", function()
        local question = '{"api":"a1b2c3d4e5","stage":"dev","method":"%s","path":"/pets"}'
        local function post(target, body)
            return call(target, { method = "POST", body = body,
                headers = { ["Content-Type"] = "application/json" } })
        end
        with_server({}, function()
            local got = post("/v1/decide", question:format("GET"))
            assert.equal(200, got.status)
            assert.is_true(json.decode(got.body).allowed)
            got = post("/v1/decide", question:format("POST"))
            assert.is_false(json.decode(got.body).allowed)
            got = post("/v1/decide/batch", "[" .. question:format("GET") .. ","
                .. question:format("PUT") .. "]")
            local batch = json.decode(got.body)
            assert.is_true(batch[1].allowed)
            assert.is_false(batch[2].allowed)
            assert.equal(400, post("/v1/decide", "{").status)
            assert.matches("postern_decision_duration_seconds_count 4\n", call("/metrics").body)
        end)
        server:close()
        with_server({ endpoints = { ["/v1/decide"] = false, ["/d"] = "native" } }, function()
            assert.equal(404, post("/v1/decide", question:format("GET")).status)
            assert.is_true(json.decode(post("/d", question:format("GET")).body).allowed)
        end)
    end)

    it("tells its operator why a protocol refused, and not without end", function()
        with_server({ endpoints = { ["/gate"] = "gate" } }, function()
            server.front.sweep = function() end -- the second stands still
            for _ = 1, 15 do
                assert.equal(403, call("/gate/refuse").status)
            end
            assert.equal(11, #logged)
            assert.equal("GET /gate/refuse from 127.0.0.1: too late", logged[10])
            assert.equal("and more of the kind in this second", logged[11])
        end)
    end)

    it("tells how it is", function()
        with_server({}, function()
            local revision = server.reload.estate.revision
            assert.equal("ready " .. revision .. "\n", call("/readyz").body)
            call("/nowhere")
            local status = json.decode(call("/status").body)
            assert.equal(revision, status.revision)
            assert.equal("ready", status.state)
            assert.equal(7, status.pid)
            assert.equal(3, status.worker)
            assert.equal(1, status.loads)
            assert.equal(3, status.requests)
            assert.equal(1, status.connections.accepted)
        end)
    end)

    it("tells operators alone", function()
        with_server({ operators = { "192.0.2.1" } }, function()
            assert.equal(403, call("/status").status)
            assert.equal(403, call("/metrics").status)
            assert.equal("ready\n", call("/readyz").body)
        end)
        server:close()
        with_server({ operators = {} }, function()
            assert.equal(403, call("/status").status)
            assert.equal("ok\n", call("/healthz").body)
        end)
        server:close()
        with_server({ operators = "bearer:" .. crypto.hex(crypto.sha256("token")) }, function()
            local got = call("/metrics")
            assert.equal(401, got.status)
            assert.same({ "Bearer" }, got.headers["www-authenticate"])
            for token, status in pairs({ token = 200, other = 403 }) do
                assert.equal(status, call("/metrics", { headers = {
                    Authorization = "Bearer " .. token } }).status)
            end
        end)
    end)

    it("can be without an endpoint of its own, or have it elsewhere", function()
        with_server({ endpoints = { ["/status"] = false, ["/alive"] = "health" } }, function()
            assert.equal(404, call("/status").status)
            assert.equal("ok\n", call("/alive").body)
        end)
    end)

    it("answers at each listener what is configured there", function()
        with_server({ listen = { "127.0.0.1:0",
            { address = "127.0.0.1:0", endpoints = { ["/gate"] = "gate" } } } }, function()
            local names = server:addresses()
            assert.equal(200, call("http://" .. names[1] .. "/healthz").status)
            assert.equal(404, call("http://" .. names[1] .. "/gate/pets").status)
            assert.equal(404, call("http://" .. names[2] .. "/healthz").status)
            assert.equal(200, call("http://" .. names[2] .. "/gate/pets").status)
        end)
    end)

    it("says as a protocol does that something went wrong, and never 200", function()
        with_server({ endpoints = { ["/gate"] = { protocol = "gate", failed = 403 } } }, function()
            local got = call("/gate/raise")
            assert.equal(403, got.status)
            assert.equal("no", got.body)
            assert.matches("GET /gate/raise: a handler raised: .*oh", logged[1])
        end)
        server:close()
        with_server({ endpoints = { ["/gate"] = "gate" } }, function()
            local got = call("/gate/raise")
            assert.equal(500, got.status)
            assert.equal('{"message":"Internal Server Error"}\n', got.body)
        end)
    end)

    it("decides with what is in use, and goes on with it when its files are broken", function()
        with_server({ endpoints = { ["/gate"] = "gate" } }, function(folder)
            assert.equal(200, call("/gate/pets").status)
            local file = assert(io.open(folder .. "/policy.json", "w"))
            file:write((POLICY:gsub('"Allow"', '"Deny"')))
            file:close()
            assert.is_true(server:reload_now())
            assert.equal(403, call("/gate/pets").status)
            file = assert(io.open(folder .. "/policy.json", "w"))
            file:write("{")
            file:close()
            assert.is_false(server:reload_now())
            assert.equal(403, call("/gate/pets").status)
            local status = json.decode(call("/status").body)
            assert.equal(2, status.loads)
            assert.equal(1, status.failures)
            assert.matches("policy.json:1:2", status.problems, 1, true)
        end)
    end)

    it("stops when it is told: what has begun is answered, nothing new is taken", function()
        with_server({ drain = 5 }, function()
            local address = server:addresses()[1]
            local port = tonumber(address:match(":(%d+)$"))
            local half = assert(host:connect({ host = "127.0.0.1", port = port }))
            half:send("GET /readyz HTTP/1.1\r\n")
            host:sleep(0.02)
            local ended
            host:spawn(function() ended = server:wait() end)
            server:stop()
            host:sleep(0.02)
            assert.is_nil(ended)
            assert.is_nil((host:connect({ host = "127.0.0.1", port = port, timeout = 1 })))
            half:send("Host: a\r\n\r\n")
            local reader = http.reader("response")
            assert.is_true((reader:feed(assert(half:receive()))))
            assert.equal(503, reader:message().status)
            assert.equal("draining\n", reader:message().body)
            assert.same({ "close" }, reader:message().headers.connection)
            host:sleep(0.02)
            assert.is_true(ended)
        end)
    end)

    it("says that it is not ready before it stops to listen", function()
        with_server({ drain_delay = 0.2 }, function()
            assert.equal(200, call("/readyz").status)
            local ended
            host:spawn(function() ended = server:wait() end)
            server:stop()
            host:sleep(0.02)
            local got = call("/readyz")
            assert.equal(503, got.status)
            assert.equal("draining\n", got.body)
            assert.equal(200, call("/healthz").status)
            assert.is_nil(ended)
            host:sleep(0.3)
            assert.is_nil((host:http({ url = "http://" .. server:addresses()[1] .. "/healthz",
                method = "GET" })))
            assert.is_true(ended)
        end)
        server:close()
        with_server({ drain_delay = 60, drain = 60 }, function()
            local ended
            host:spawn(function() ended = server:wait() end)
            server:stop()
            server:stop()
            host:sleep(0.02)
            assert.is_true(ended)
        end)
    end)

    it("stops in the end, though somebody never comes to one", function()
        with_server({ drain = 0.05 }, function()
            local port = tonumber(server:addresses()[1]:match(":(%d+)$"))
            local half = assert(host:connect({ host = "127.0.0.1", port = port }))
            half:send("GET /readyz HTTP/1.1\r\n")
            host:sleep(0.02)
            server:stop()
            assert.is_false(server:wait())
            assert.is_nil((half:receive(nil, 1)))
            assert.equal(0, server.front.open)
        end)
        server:close()
        with_server({ drain = 60 }, function()
            local port = tonumber(server:addresses()[1]:match(":(%d+)$"))
            local half = assert(host:connect({ host = "127.0.0.1", port = port }))
            half:send("GET /readyz HTTP/1.1\r\n")
            host:sleep(0.02)
            server:stop()
            server:stop()
            assert.is_true(server:wait())
        end)
    end)

    it("is none where something of it is wrong", function()
        commands.with_files({ ["estate.lua"] = ESTATE, ["policy.json"] = POLICY }, function(folder)
            host:block(function()
                local made, why = start(folder, { endpoints = {
                    ["/gate"] = { protocol = "gate", bad = true } } })
                assert.is_nil(made)
                assert.equal("endpoint `/gate`: `bad`: give another", why)
                made, why = start(folder, { endpoints = {
                    ["/h"] = { protocol = "health", x = 1 } } })
                assert.is_nil(made)
                assert.matches("endpoint `/h`: .*unknown option `x`", why)
                assert(start(folder, {}))
                server.settings.listen = { { address = "192.0.2.1:1" } }
                assert.matches("address not available", select(2, server:bind()))
                assert.matches("it was not listened on when the server was started",
                    select(2, server:bind({ ["192.0.2.2:1"] = { 3 } })))
            end)
        end)
        assert.error_matches(function() servers.new({ reloda = 1 }) end,
            "unknown option `reloda`: did you mean `reload`?")
    end)
end)
