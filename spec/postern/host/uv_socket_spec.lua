local uv = require("luv")
local hosts = require("postern.host.uv")
local loop = require("spec.support.loop")


describe("sockets of the libuv host", function()
    local host, before, listener, accepted

    before_each(function()
        before = loop.open_handles()
        host = hosts.new()
        accepted = {}
    end)

    after_each(function()
        host:close()
        for _, handle in ipairs(accepted) do
            if not handle:is_closing() then
                handle:close()
            end
        end
        if listener then
            listener:close()
            listener = nil
        end
        uv.run("nowait") -- a handle that is closing at the end crashes luv
        assert.equal(before, loop.open_handles())
    end)

    local function block(method, ...)
        return host:block(host[method], host, ...)
    end

    local function listen(on_client)
        listener = uv.new_tcp()
        listener:bind("127.0.0.1", 0)
        listener:listen(16, function()
            local client = uv.new_tcp()
            listener:accept(client)
            accepted[#accepted + 1] = client
            on_client(client)
        end)
        return listener:getsockname().port
    end

    it("send and receive", function()
        local port = listen(function(client)
            client:read_start(function(_, bytes)
                if bytes then
                    client:write(bytes:upper())
                else
                    client:close()
                end
            end)
        end)
        assert.equal("HELLO", host:block(function()
            local socket = assert(host:connect({ host = "localhost", port = port }))
            assert.is_true(socket:send("hello"))
            local text = ""
            while #text < 5 do
                local piece = assert(socket:receive(2))
                assert.is_true(#piece <= 2)
                text = text .. piece
            end
            socket:close()
            socket:close()
            assert.same({ nil, "closed" }, { socket:send("x") })
            assert.same({ nil, "closed" }, { socket:receive() })
            return text
        end))
    end)

    it("tell of the end", function()
        local port = listen(function(client)
            client:write("bye", function() client:close() end)
        end)
        host:block(function()
            local socket = assert(host:connect({ host = "127.0.0.1", port = port }))
            assert.equal("bye", socket:receive())
            assert.same({ nil, "closed" }, { socket:receive() })
            socket:close()
        end)
    end)

    it("have a time limit", function()
        local port = listen(function() end)
        host:block(function()
            local socket = assert(host:connect({ host = "127.0.0.1", port = port,
                timeout = 0.5 }))
            assert.same({ nil, "timed out after 0.5 seconds", "timeout" },
                { socket:receive() })
            assert.same({ nil, "timed out after 0.02 seconds", "timeout" },
                { socket:receive(1, 0.02) })
            socket:close()
        end)
    end)

    it("say closed to the task that waits", function()
        local port = listen(function() end)
        assert.same({ nil, "closed" }, { host:block(function()
            local socket = assert(host:connect({ host = "127.0.0.1", port = port }))
            local task = host:spawn(function() return socket:receive() end)
            host:sleep(0)
            socket:close()
            return task:wait()
        end) })
    end)

    it("of a cancelled task are closed, also what a limited call opened", function()
        local port = listen(function() end)
        local socket
        local task = host:spawn(function()
            socket = host:timeout(60, host.connect, host, { host = "127.0.0.1", port = port })
            host:sleep(60)
        end)
        host.loop:run_until(function() return socket ~= nil end)
        assert.is_false(socket.closed)
        task:cancel()
        assert.is_true(socket.closed)
    end)

    describe("that are kept", function()
        local function connect(port, options)
            options = options or { pool = "a" }
            options.host, options.port = "127.0.0.1", port
            return assert(host:connect(options))
        end

        it("are used again by their pool, the last one first", function()
            local port = listen(function() end)
            host:block(function()
                local first, second = connect(port), connect(port)
                assert.is_false(first:reused())
                first:keep()
                second:keep()
                assert.equal(2, host.sockets.count)
                assert.is_false(first.handle:has_ref()) -- it is no reason to run on
                assert.not_equal(second, connect(port, { pool = "b" }))
                assert.not_equal(second, connect(port, { pool = "a", fresh = true }))
                assert.not_equal(second, connect(port, {}))
                assert.equal(second, connect(port))
                assert.is_true(second:reused())
                assert.is_true(second.handle:has_ref())
                assert.equal(first, connect(port))
                assert.equal(0, host.sockets.count)
                assert.is_nil(next(host.sockets.idle))
            end)
        end)

        it("are closed when the other end closes, or speaks unasked", function()
            for _, speak in ipairs({
                function(client) client:close() end,
                function(client) client:write("HTTP/1.1 200 OK\r\n\r\n") end,
            }) do
                local port = listen(function() end)
                host:block(function()
                    local socket = connect(port)
                    while #accepted == 0 do
                        host:sleep(0.001)
                    end
                    socket:keep()
                    speak(accepted[1])
                    while not socket.closed do
                        host:sleep(0.001)
                    end
                end)
                assert.equal(0, host.sockets.count)
                listener:close()
                if not accepted[1]:is_closing() then
                    accepted[1]:close()
                end
                accepted = {}
            end
            listener = nil
        end)

        it("are not, with bytes nobody has read, without a pool, or when there are many", function()
            local port = listen(function(client) client:write("xy") end)
            host:block(function()
                local socket = connect(port)
                assert.equal("x", socket:receive(1))
                socket:keep()
                assert.is_true(socket.closed)
                socket = connect(port, {})
                socket:keep()
                assert.is_true(socket.closed)
                local many = {}
                for i = 1, 40 do
                    many[i] = connect(port)
                end
                for _, each in ipairs(many) do
                    each:keep()
                end
                assert.equal(32, host.sockets.count)
            end)
        end)

        it("are nobody's: a task that is cancelled later leaves them", function()
            local port = listen(function() end)
            local kept
            local task = host:spawn(function()
                kept = connect(port)
                kept:keep()
                host:sleep(60)
            end)
            host.loop:run_until(function() return kept and kept.kept end)
            task:cancel()
            assert.is_false(kept.closed)
        end)
    end)

    it("that cannot be say why", function()
        local port = listen(function() end)
        listener:close()
        listener = nil
        uv.run("nowait")
        assert.same({ nil, "connection refused" },
            { block("connect", { host = "127.0.0.1", port = port }) })
        assert.same({ nil, "no such file or directory" },
            { block("connect", { path = "/no/such.sock" }) })
        local socket, err = block("connect", { host = "no-such-host.invalid", port = 1 })
        assert.is_nil(socket)
        assert.matches("no-such-host.invalid", err, 1, true)
    end)
end)
