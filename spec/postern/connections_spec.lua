local serving = require("spec.support.serving")
local connections = require("postern.connections")


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
