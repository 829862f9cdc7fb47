local uv = require("luv")
local connections = require("postern.connections")
local tls = require("postern.tls")
local tls_stream = require("postern.tls_stream")
local authorities = require("spec.support.authority")
local serving = require("spec.support.serving")


local function get(path)
    return ("GET %s HTTP/1.1\r\nHost: a\r\n\r\n"):format(path)
end


describe("the connections of a process", function()
    local server

    local function start(limits)
        server = serving.start(function(message)
            if message.path == "/wait" then
                server.host:sleep(0.05)
            end
            return 200, nil, message.path
        end, limits)
        return server
    end

    after_each(function()
        server:close()
    end)

    it("are so many; one more is told so, and there is room again later", function()
        start({ connections = 2 }):client(function(first)
            local second, third = server:connect(), server:connect()
            assert.matches("^HTTP/1.1 503 Service Unavailable\r\n.*\r\nConnection: close\r\n"
                .. '\r\n{"message":"Service Unavailable"}\n$', third:all())
            assert.equal(2, server.front.open)
            for _, client in ipairs({ first, second }) do
                client:send(get("/x"))
                assert.equal("/x", client:response().body)
            end
            first.socket:close()
            server.host:sleep(0.01)
            local fourth = server:connect()
            fourth:send(get("/y"))
            assert.equal("/y", fourth:response().body)
            assert.equal(1, server.front.counts.turned_away)
            assert.equal(3, server.front.accepted)
        end)
    end)

    it("end when they do nothing, and else with their next answer, when all is to end", function()
        local empty = 0
        start():client(function(idle)
            local new, waiting, half = server:connect(), server:connect(), server:connect()
            idle:send(get("/1"))
            idle:response()
            waiting:send(get("/wait") .. get("/never"))
            half:send("GET /half HTTP/1.1\r\n")
            server.host:sleep(0.02)
            server.front:drain(function() empty = empty + 1 end)
            assert.is_true(idle:ended())
            assert.is_true(new:ended())
            assert.equal(2, server.front.open)
            local got = waiting:response()
            assert.equal("/wait", got.body)
            assert.same({ "close" }, got.headers.connection)
            assert.is_true(waiting:ended())
            waiting.socket:close()
            assert.equal(0, empty)
            half:send("Host: a\r\n\r\n")
            got = half:response()
            assert.equal("/half", got.body)
            assert.same({ "close" }, got.headers.connection)
            assert.is_true(half:ended())
            assert.equal(1, empty)
            assert.matches("^HTTP/1.1 503 ", server:connect():all())
        end)
    end)

    it("are none at once where there are none", function()
        local empty = 0
        start().front:drain(function() empty = empty + 1 end)
        assert.equal(1, empty)
    end)

    it("are looked at as often as their shortest limit asks for", function()
        start({ head_seconds = 0.2 })
        assert.equal(0.05, server.front.tick)
        assert.equal(1, connections.new({ now = os.time, monotonic = os.time, handle = print })
            .tick)
        assert.equal(0.01, connections.new({ now = os.time, monotonic = os.time,
            limits = { idle_seconds = 0.001 } }).tick)
    end)

    it("carry the date of the second", function()
        local now = 784111777
        local front = connections.new({ now = function() return now end, monotonic = os.time })
        assert.equal(784111777, front.second)
        now = now + 1.5
        front:sweep()
        assert.equal(784111778, front.second)
        start().front.now = function() return 784111777.5 end
        server.front:sweep()
        server:client(function(client)
            client:send(get("/"))
            assert.same({ "Sun, 06 Nov 1994 08:49:37 GMT" }, client:response().headers.date)
        end)
    end)
end)


describe("connections of TLS", function()
    local ca, server, context, client_context, messages

    setup(function()
        ca = authorities.new()
        ca:issue("server", "DNS:localhost")
        ca:issue("client", "DNS:client.example.com")
        context = assert(tls.server({ certificate = ca:path("server.pem"),
            key = ca:path("server.key"), authorities = ca:path("ca.pem"), peer = "optional" }))
        client_context = {
            nobody = assert(tls.client({ authorities = ca:path("ca.pem") })),
            client = assert(tls.client({ authorities = ca:path("ca.pem"),
                certificate = ca:path("client.pem"), key = ca:path("client.key") })),
        }
    end)

    teardown(function()
        ca:close()
    end)

    before_each(function()
        messages = {}
    end)

    after_each(function()
        server:close()
    end)

    local function start(limits)
        server = serving.start(function(message)
            messages[#messages + 1] = message.tls
            if message.path == "/wait" then
                server.host:sleep(0.05)
            end
            return 200, nil, message.path
        end, limits, nil, { watched = true, context = context })
    end

    -- A client's stream, and a table where `text` is what it was sent, `over` how it ended.
    local function dial(name, text)
        local got = { text = "" }
        local handle = server.host.loop:adopt(uv.new_tcp())
        handle:connect("127.0.0.1", server.port, function()
            got.stream = tls_stream.new(handle, client_context[name]:connect("localhost"),
                function(fn) server.host.loop:turn(fn) end,
                function(one) server.host.loop:close_handle(one) end)
            got.stream:handshake(function(failed)
                assert(not failed, failed)
                got.stream:read_start(function(err, bytes)
                    got.text, got.over = got.text .. (bytes or ""), err or not bytes
                end)
                got.stream:write(text)
            end)
        end)
        return got
    end

    local function wait_for(fn)
        for _ = 1, 500 do
            if fn() then
                return true
            end
            server.host:sleep(0.01)
        end
        return false
    end

    it("tell who has made them", function()
        start()
        server.host:block(function()
            local nobody = dial("nobody", get("/a"))
            assert.is_true(wait_for(function() return nobody.text:find("/a$") end))
            local client = dial("client", get("/b"))
            assert.is_true(wait_for(function() return client.text:find("/b$") end))
            assert.same({ verified = false, version = "TLSv1.3" }, messages[1])
            assert.is_true(messages[2].verified)
            assert.equal("CN=client,O=Example", messages[2].subject)
            assert.equal("TLSv1.3", messages[2].version)
            nobody.stream:close()
            client.stream:close()
            assert.is_true(wait_for(function() return server.front.open == 0 end))
        end)
        -- Nobody else may read what is on the wire.
        assert.equal(0, server.watched)
    end)

    it("count before their handshake; one too many is closed without a plain word", function()
        start({ connections = 1, head_seconds = 0.3 })
        server.host:block(function()
            local silent = server:connect()
            server.host:sleep(0.02)
            assert.equal(1, server.front.open)
            assert.equal("", server:connect():all())
            assert.equal("", silent:all())
            assert.equal(1, server.front.counts.timed_out.handshake)
            assert.is_nil(server.front.answers[503])
            local failing = server:connect()
            failing:send(get("/"))
            assert.not_matches("HTTP", failing:all())
            assert.equal(1, server.front.counts.handshakes)
            assert.equal("TLS with 127.0.0.1: TLS: http request", server.logged[1])
        end)
    end)

    it("end as others do when all is to end", function()
        start()
        server.host:block(function()
            local silent = server:connect()
            local idle, waiting = dial("nobody", get("/a")), dial("nobody", get("/wait"))
            assert.is_true(wait_for(function() return #messages == 2 end))
            local empty
            server.front:drain(function() empty = true end)
            assert.equal("", silent:all())
            assert.is_true(wait_for(function() return idle.over and waiting.over end))
            assert.is_true(idle.over)
            assert.matches("Connection: close\r\n\r\n/wait$", waiting.text)
            idle.stream:close()
            waiting.stream:close()
            assert.is_true(wait_for(function() return empty end))
        end)
    end)
end)
