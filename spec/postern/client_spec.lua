local hosts = require("postern.host.uv")
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
