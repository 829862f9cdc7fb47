local clients = require("postern.client")
local hosts = require("postern.host.uv")
local fake_host = require("spec.support.fake_host")
local http_server = require("spec.support.http_server")
local loop = require("spec.support.loop")


describe("the HTTP client", function()
    local host, server, logged, before

    before_each(function()
        before = loop.open_handles()
        logged = {}
        host = hosts.new({ log = function(line) logged[#logged + 1] = line end })
        server = http_server.start()
    end)

    after_each(function()
        host:close() -- the connections it keeps, before the server's
        server:stop()
        assert.equal(before, loop.open_handles())
    end)

    local function block(method, ...)
        return host:block(host[method], host, ...)
    end

    local function get(path, options)
        local request = { url = server.url .. path }
        for name, value in pairs(options or {}) do
            request[name] = value
        end
        return block("http", request)
    end

    local function error_of(path, options)
        local response, err = get(path, options)
        assert.is_nil(response)
        local start = server.url .. path:gsub("%?.*$", "") .. ": "
        assert.equal(start, err:sub(1, #start))
        return err:sub(#start + 1)
    end

    it("calls", function()
        local body = "GET /echo?a=b [host,x-y] "
        assert.same({ status = 200, headers = { ["content-length"] = { tostring(#body) } },
            body = body }, get("/echo?a=b", { headers = { ["X-Y"] = "1" } }))
        assert.equal("POST /echo [content-length,host] body",
            get("/echo", { method = "POST", body = "body" }).body)
        assert.same({ "1", "2" }, get("/status/404").headers["x-twice"])
        assert.equal(404, get("/status/404").status)
        assert.equal("", get("/head", { method = "HEAD" }).body)
    end)

    it("reads a body of any form", function()
        assert.equal("abcde", get("/chunked").body)
        assert.equal("byte by byte", get("/bytes").body)
        assert.equal("until the end", get("/until-end").body)
        assert.equal("slow", get("/slow").body)
    end)

    it("uses a connection again", function()
        for _ = 1, 5 do
            assert(get("/echo"))
            assert(get("/chunked"))
        end
        assert.equal(1, server.connections)
        assert.equal(10, server.requests)
    end)

    it("opens a new one when the kept one was closed", function()
        assert.equal("last", get("/last").body)
        assert.equal("last", get("/last").body)
        block("sleep", 0.02)
        assert.equal("last", get("/last").body)
        assert.equal(3, server.connections)
    end)

    it("says what goes wrong, without the query", function()
        assert.equal("timed out after 0.05 seconds",
            error_of("/never?secret", { timeout = 0.05 }))
        assert.equal("closed without an answer", error_of("/close"))
        assert.equal("bad response: the message ends early", error_of("/early"))
        assert.equal("bad response: a status line that is none", error_of("/garbage"))
        assert.equal("bad response: the body is too large", error_of("/huge"))
        assert.equal("bad response: the body is too large",
            error_of("/echo", { max_bytes = 3 }))
        assert.equal(2 * 1024 * 1024, #get("/huge", { max_bytes = 2 * 1024 * 1024 }).body)
        assert.equal("header `X`: a control character in its value",
            error_of("/echo", { headers = { X = "a\r\nb" } }))
        local response, err = block("http", { url = "https://a/?b" })
        assert.is_nil(response)
        assert.matches("URL `https://a/`: TLS is not spoken", err, 1, true)
    end)

    it("sends again only what may be sent twice", function()
        assert(get("/echo"))
        local count = server.requests
        assert.equal("closed without an answer", error_of("/close"))
        assert.equal(count + 2, server.requests)
        assert(get("/echo"))
        count = server.requests
        assert.equal("closed without an answer", error_of("/close", { method = "POST" }))
        assert.equal(count + 1, server.requests)
    end)

    it("answers a thousand calls at once, over a limited number of connections", function()
        local good = 0
        for i = 1, 1000 do
            host:spawn(function()
                local response = assert(host:http({ url = server.url .. "/echo?" .. i,
                    timeout = 60 }))
                assert(response.body == "GET /echo?" .. i .. " [host] ")
                good = good + 1
            end)
        end
        assert.is_true(host:run())
        assert.same({}, logged)
        assert.equal(1000, good)
        assert.is_true(server.most <= 64)
    end)

    it("refuses more than may wait", function()
        local own = hosts.new({ concurrency = 1, queue = 1 })
        local answers = {}
        for i = 1, 3 do
            own:spawn(function()
                local response, err = own:http({ url = server.url .. "/slow", timeout = 60 })
                answers[i] = response and response.body or err
            end)
        end
        assert.is_true(own:run())
        own:close()
        assert.same({ "slow", "slow",
            server.url .. "/slow: too many calls wait for their turn" }, answers)
    end)

    it("leaves nothing of a cancelled call", function()
        for _, path in ipairs({ "/never", "/slow", "/bytes", "/echo" }) do
            local handles = loop.open_handles()
            local task = host:spawn(function()
                host:http({ url = server.url .. path })
            end)
            local requests = server.requests
            host.loop:run_until(function() return server.requests > requests end)
            task:cancel()
            assert.is_nil(next(host.client.places))
            -- The server's end goes when it hears of ours.
            host.loop:run_until(function() return server.open == 0 end)
            block("sleep", 0.06)
            assert.equal(handles, loop.open_handles())
        end
    end)

    it("speaks over a Unix socket", function()
        local path = os.tmpname()
        os.remove(path)
        local unix = http_server.start(path)
        local response = block("http", { url = unix.url .. "/echo?a" })
        host:close()
        unix:stop()
        assert.equal("GET /echo?a [host] ", response.body)
    end)
end)


describe("the HTTP client, on sockets of a script", function()
    local OK = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"

    -- Calls once; each connection is { what it receives in turn, reused = …, send_error = … }.
    local function call(script, request)
        local host = fake_host.new()
        local log = {}
        function host.connect(options)
            local socket = table.remove(script, 1)
            log[#log + 1] = options.fresh and "fresh" or "connect"
            if type(socket) == "string" then
                return nil, socket
            end
            return {
                send = function() return socket.send_error == nil, socket.send_error end,
                receive = function()
                    local bytes = table.remove(socket, 1)
                    return bytes, not bytes and "closed" or nil
                end,
                reused = function() return socket.reused or false end,
                keep = function() log[#log + 1] = "keep" end,
                close = function() log[#log + 1] = "close" end,
            }
        end
        local answer
        request = request or {}
        request.url = "http://a/"
        host.tasks:spawn(function()
            local response, err = clients.new({}, host):call(request)
            answer = response and response.body or err
        end)
        return answer, table.concat(log, " ")
    end

    it("keeps a connection only when its end is known and nothing is left on it", function()
        for _, row in ipairs({
            { { OK }, "connect keep" },
            { { OK:sub(1, 20), OK:sub(21) }, "connect keep" },
            { { OK .. "more" }, "connect close" },
            { { "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na" },
                "connect close" },
            { { "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na" }, "connect close" },
            { { "HTTP/1.1 200 OK\r\n\r\n", "a" }, "connect close" },
        }) do
            local answer, log = call({ row[1] })
            assert.equal("a", answer)
            assert.equal(row[2], log)
        end
    end)

    it("tries once more, on a new connection, when a kept one was closed", function()
        for _, failed in ipairs({ false, "broken pipe" }) do
            local answer, log = call({ { reused = true, send_error = failed or nil }, { OK } })
            assert.equal("a", answer)
            assert.equal("connect close fresh keep", log)
        end
        local answer, log = call({ { reused = true }, {} })
        assert.equal("http://a/: closed without an answer", answer)
        assert.equal("connect close fresh close", log)
        answer, log = call({ { reused = true }, "connection refused" })
        assert.equal("http://a/: connection refused", answer)
        assert.equal("connect close fresh", log)
    end)

    it("does not when it was answered in part, or may not", function()
        local answer, log = call({ { "HTTP/1.1 200", reused = true }, { OK } })
        assert.equal("http://a/: bad response: the message ends early", answer)
        assert.equal("connect close", log)
        answer, log = call({ { reused = true }, { OK } }, { method = "POST" })
        assert.equal("http://a/: closed without an answer", answer)
        assert.equal("connect close", log)
        answer, log = call({ {}, { OK } })
        assert.equal("http://a/: closed without an answer", answer)
        assert.equal("connect close", log)
    end)

    it("refuses options it does not know", function()
        assert.error_matches(function() clients.new({ pool = 1 }, {}) end, "unknown option `pool`")
    end)
end)
