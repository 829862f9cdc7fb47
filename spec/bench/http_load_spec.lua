-- The load client counts right, with servers that answer, answer wrongly, close and stall.
local uv = require("luv")
local commands = require("spec.support.commands")
local load = require("spec.bench.load")
local loop = require("spec.support.loop")

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


describe("the load client", function()
    local folder, server, before

    -- A server whose behaviour is `answer(n, write, close, client)` for the n-th request, on the
    -- loop on which the client's end is waited for.
    local function serve(answer, path)
        local listener = path and uv.new_pipe(false) or uv.new_tcp()
        local self = { count = 0, connections = 0, clients = {}, paths = {}, most = 0 }
        assert(path and listener:bind(path) or listener:bind("127.0.0.1", 0))
        self.tcp = not path and "127.0.0.1:" .. listener:getsockname().port or nil
        self.unix, self.listener = path, listener
        listener:listen(128, function()
            local client = path and uv.new_pipe(false) or uv.new_tcp()
            listener:accept(client)
            self.connections = self.connections + 1
            self.clients[client] = true
            local text = ""
            local function close()
                if self.clients[client] then
                    self.clients[client] = nil
                    client:close()
                end
            end
            client:read_start(function(err, bytes)
                if err or not bytes then
                    return close()
                end
                text = text .. bytes
                local asked, out = 0, {}
                for request in text:gmatch("(.-\r\n\r\n)") do
                    text, asked = text:sub(#request + 1), asked + 1
                    self.count = self.count + 1
                    self.paths[self.count] = request:match("^%u+ (%S+)")
                    if self.clients[client] then
                        answer(self.count, function(more)
                            out[#out + 1] = more
                        end, function()
                            if #out > 0 then
                                client:try_write(table.concat(out))
                            end
                            close()
                        end, client)
                    end
                end
                self.most = math.max(self.most, asked)
                if self.clients[client] and #out > 0 then
                    client:write(table.concat(out))
                end
            end)
        end)
        server = self
        return self
    end

    local function run(requests, options)
        options.requests = load.write(folder .. "/requests", requests)
        options.tcp = options.tcp or server and server.tcp
        options.unix = server and server.unix
        return load.run(commands.build(), options)
    end

    before_each(function()
        before = loop.open_handles()
        folder = assert(uv.fs_mkdtemp("/tmp/postern-spec-XXXXXX"))
        server = nil
    end)

    after_each(function()
        if server then
            for client in pairs(server.clients) do
                client:close()
            end
            server.listener:close()
            uv.run("nowait")
        end
        os.execute("rm -r " .. folder)
        assert.equal(before, loop.open_handles())
    end)

    it("counts answers, by request and status", function()
        serve(function(n, write)
            write(server.paths[n] == "/a" and OK
                or "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        end)
        local result, status = run({ { path = "/a", status = "200", contains = "ell" },
                                     { path = "/b", status = "200,403" } },
                                   { count = 100, connections = 1 })
        assert.equal(0, status)
        assert.same({ 100, 0, 0, 0, 1 }, { result.answered, result.wrong, result.failed,
                                           result.sent_again, result.connects })
        assert.same({ { ["200"] = 50 }, { ["403"] = 50 } }, result.answers)
        assert.equal(100, server.count)
        assert.equal("", result.problem)
    end)

    it("sends requests in turn, and starts each connection at another", function()
        serve(function(_, write) write(OK) end)
        local requests = { { path = "/1", status = "200" }, { path = "/2", status = "200" },
                           { path = "/3", status = "200" } }
        run(requests, { count = 7, connections = 1 })
        assert.equal("/1/2/3/1/2/3/1", table.concat(server.paths))
        server.count = 0
        local result = run(requests, { count = 3, connections = 3 })
        assert.equal(3, result.connects)
        local first = { unpack(server.paths, 1, 3) }
        table.sort(first)
        assert.equal(3, server.count)
        assert.equal("/1/2/3", table.concat(first))
    end)

    it("calls a status wrong that was not expected", function()
        serve(function(n, write)
            write(n % 5 == 0 and "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n" or OK)
        end)
        local result, status = run({ { status = "200,204" } }, { count = 100, connections = 4 })
        assert.equal(1, status)
        assert.same({ 100, 20, 0 }, { result.answered, result.wrong, result.failed })
        assert.same({ { ["200"] = 80, ["500"] = 20 } }, result.answers)
        assert.equal("status 500 for request 1", result.problem)
    end)

    it("calls a body wrong that lacks what it has to contain", function()
        serve(function(n, write)
            write(n % 4 == 0 and OK:gsub("hello", "holla") or OK)
        end)
        local result, status = run({ { status = "200", contains = "hello" } },
                                   { count = 20, connections = 1 })
        assert.equal(1, status)
        assert.same({ 20, 5, 0 }, { result.answered, result.wrong, result.failed })
    end)

    it("reads bodies in chunks, without a length, of HEAD, and passes 1xx by", function()
        local forms = {
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                .. "2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n" .. OK,
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" .. OK,
            "HTTP/1.1 200 OK\r\n\r\nhello",
        }
        serve(function(n, write, close)
            write(forms[n])
            if n == #forms then
                close()
            end
        end)
        local result = run({ { status = "200", contains = "hello" } },
                           { count = #forms, connections = 1 })
        assert.same({ #forms, 0, 0 }, { result.answered, result.wrong, result.failed })
        server.listener:close()
        serve(function(_, write) write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n") end)
        result = run({ { method = "HEAD", status = "200" } }, { count = 3, connections = 1 })
        assert.same({ 3, 0, 0 }, { result.answered, result.wrong, result.failed })
    end)

    it("fails a request whose connection closes before the answer", function()
        serve(function(n, write, close)
            if n % 10 == 0 then
                return close()
            end
            write(OK)
        end)
        local result, status = run({ { status = "200" } }, { count = 100, connections = 1 })
        assert.equal(1, status)
        assert.same({ 90, 0, 10 }, { result.answered, result.wrong, result.failed })
        assert.equal(100, server.count)
        assert.equal("closed before the answer", result.problem)
    end)

    it("fails half an answer", function()
        serve(function(_, write, close)
            write(OK:sub(1, -2))
            close()
        end)
        local result = run({ { status = "200" } }, { count = 3, connections = 1 })
        assert.same({ 0, 0, 3 }, { result.answered, result.wrong, result.failed })
    end)

    it("fails what is not answered in time, and all behind it", function()
        serve(function(n, write)
            if n ~= 3 then
                write(OK)
            end
        end)
        local result = run({ { status = "200" } }, { count = 10, connections = 1, timeout = 0.1 })
        assert.same({ 9, 0, 1, "no answer in time" },
            { result.answered, result.wrong, result.failed, result.problem })
        server.listener:close()
        serve(function() end)
        result = run({ { status = "200" } },
                     { count = 8, connections = 2, pipeline = 4, timeout = 0.1 })
        assert.same({ 0, 8 }, { result.answered, result.failed })
    end)

    it("fails malformed answers, and those nobody asked for", function()
        serve(function(_, write) write("SSH-2.0-OpenSSH_9.2\r\n\r\n") end)
        local result = run({ { status = "200" } }, { count = 2, connections = 1 })
        assert.same({ 0, 2 }, { result.answered, result.failed })
        assert.truthy(result.problem:find("a malformed answer: HPE_INVALID_CONSTANT", 1, true))
        server.listener:close()
        serve(function(_, write) write(OK .. OK) end)
        result = run({ { status = "200" } }, { count = 1, connections = 1 })
        assert.same({ 1, 1 }, { result.answered, result.failed })
        assert.truthy(result.problem:find("nobody asked for it", 1, true))
    end)

    it("sends again what was behind the last answer of a connection", function()
        serve(function(n, write, close)
            if n % 10 ~= 3 then
                return write(OK)
            end
            write((OK:gsub("\r\n", "\r\nConnection: close\r\n", 1)))
            close()
        end)
        local result, status = run({ { status = "200" } },
                                   { count = 40, connections = 1, pipeline = 8 })
        assert.equal(0, status)
        assert.same({ 40, 0, 0 }, { result.answered, result.wrong, result.failed })
        assert.is_true(result.sent_again > 0)
        assert.equal(server.connections, result.connects)
        assert.is_true(server.connections > 2)
    end)

    it("keeps as many on the way as it is told", function()
        serve(function(_, write) write(OK) end)
        local result = run({ { status = "200" } }, { count = 64, connections = 1, pipeline = 16 })
        assert.equal(64, result.answered)
        assert.equal(16, server.most)
    end)

    it("fails when nobody listens, and ends", function()
        serve(function() end)
        server.listener:close()
        local tcp = server.tcp
        server = nil
        local result, status = run({ { status = "200" } },
                                   { count = 3, connections = 1, tcp = tcp })
        assert.equal(1, status)
        assert.same({ 0, 3, 0 }, { result.answered, result.failed, result.connects })
        assert.equal("Connection refused", result.problem)
    end)

    it("asks over a Unix socket, for so many seconds", function()
        serve(function(_, write) write(OK) end, folder .. "/socket")
        local result, status = run({ { status = "200" } }, { seconds = 0.1, connections = 2 })
        assert.equal(0, status)
        assert.equal(server.count, result.answered)
        assert.is_true(result.seconds >= 0.1)
    end)

    -- A server that stops for half a second, once. One connection that waits for it sees one slow
    -- answer; at a rate, everything that was due meanwhile was late.
    local function stop_once(n, write, _, client)
        if n ~= 10 then
            return write(OK)
        end
        local timer = uv.new_timer()
        timer:start(500, 0, function()
            timer:close()
            client:write(OK)
        end)
    end

    it("counts a latency from when the request was due", function()
        serve(stop_once)
        local result, status = run({ { status = "200" } },
                                   { count = 500, rate = 500, connections = 1 })
        assert.equal(0, status)
        assert.equal(500, result.answered)
        -- 250 of 500 were due while it stopped; a fifth waited more than 300 ms.
        assert.is_true(result.latency_us.p99 > 400000)
        assert.is_true(result.latency_us.max > 490000)
    end)

    it("counts it from the sending where there is no rate", function()
        serve(stop_once)
        local result = run({ { status = "200" } }, { count = 2000, connections = 1 })
        assert.is_true(result.latency_us.max > 490000)
        assert.is_true(result.latency_us.p99 < result.latency_us.max / 2)
        assert.is_true(result.latency_us.median <= result.latency_us.p99)
    end)

    it("fails what was due and never sent", function()
        serve(function(n, write)
            if n <= 5 then
                write(OK)
            end
        end)
        local result = run({ { status = "200" } },
                           { count = 20, rate = 1000, connections = 1, timeout = 0.2 })
        assert.equal(5, result.answered)
        assert.equal(15, result.failed)
    end)

    it("says what is wrong with its own input", function()
        local function sh(args)
            return commands.sh(commands.build() .. "/http_load " .. args)
        end
        local path = folder .. "/bad"
        local function with(text, expected)
            local file = assert(io.open(path, "wb"))
            file:write(text)
            file:close()
            local output, status = sh("--tcp 127.0.0.1:1 --count 1 --requests " .. path)
            assert.equal("http_load: " .. expected .. "\n", output)
            assert.equal(2, status)
        end
        with("", path .. ": no request")
        with("GET / HTTP/1.1", "not a line `request STATUS BYTES CONTAINS`: GET / HTTP/1.1")
        with("request 200 100 0\nGET", "a request is not as long as its line says")
        with("request 200 3 0\nGETx", "a request is not as long as its line says")
        with("request 20 3 0\nGET\n", "`20` is no status")
        assert.equal(2, select(2, sh("--count 1")))
        assert.equal(2, select(2, sh("--speed 1")))
        assert.equal(2, select(2, sh("--count")))
        assert.equal(2, select(2, sh("--count x --tcp 127.0.0.1:1 --requests " .. path)))
    end)
end)
