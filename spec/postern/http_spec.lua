local jit = require("jit")
local http = require("postern.http")


describe("a reader", function()
    local function read(kind, bytes, options)
        local reader = http.reader(kind, options)
        local state, rest = reader:feed(bytes)
        return state, rest, reader
    end

    it("is to be had", function()
        assert.is_true(http.available())
    end)

    it("gives a request", function()
        local state, rest, reader = read("request",
            "POST /a?b HTTP/1.1\r\nHost: c\r\nX-Y: 1\r\nx-y: 2\r\nContent-Length: 2\r\n\r\nhiGET")
        assert.is_true(state)
        assert.equal("GET", ("POST /a?b HTTP/1.1\r\nHost: c\r\nX-Y: 1\r\nx-y: 2\r\n"
            .. "Content-Length: 2\r\n\r\nhiGET"):sub(rest))
        assert.same({
            method = "POST", target = "/a?b", version = 1.1, keep_alive = true, body = "hi",
            headers = { host = { "c" }, ["x-y"] = { "1", "2" }, ["content-length"] = { "2" } },
        }, reader:message())
        assert.equal(0, reader:answer())
    end)

    it("gives a response, one byte at a time", function()
        local bytes = "HTTP/1.0 200 OK\r\nA:\r\n\r\nbody\0more"
        local reader = http.reader("response")
        for i = 1, #bytes do
            assert.is_false((reader:feed(bytes:sub(i, i))))
        end
        assert.is_true(reader:finish())
        assert.same({ status = 200, reason = "OK", version = 1.0, keep_alive = false,
            body = "body\0more", headers = { a = { "" } } }, reader:message())
    end)

    it("reads one message after another from the same bytes", function()
        local bytes = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
        local reader, from, targets = http.reader("request"), 1, {}
        while from <= #bytes do
            local state
            state, from = reader:feed(bytes, from)
            assert.is_true(state)
            targets[#targets + 1] = reader:message().target
            reader:reset()
        end
        assert.same({ "/1", "/2" }, targets)
    end)

    it("knows the head before the body", function()
        local reader = http.reader("request")
        assert.is_false((reader:feed("PUT / HTTP/1.1\r\nHost: a\r\n")))
        assert.is_nil(reader:message())
        assert.is_false((reader:feed("Content-Length: 2\r\n\r\nx")))
        assert.equal("PUT", reader:message().method)
        assert.equal("", reader:message().body)
    end)

    it("gives at once what a server looks at in every request", function()
        local reader = http.reader("request")
        assert.is_nil(reader:request())
        assert.error_matches(function() reader:headers() end, "is not whole yet")
        reader:feed("POST /a?b HTTP/1.1\r\nHost: c\r\nX-Y: 1\r\nx-y: 2\r\n"
            .. "Connection: close\r\nContent-Length: 2\r\n\r\n")
        assert.equal("POST", (reader:request()))
        reader:feed("hi")
        assert.same({ "POST", "/a", 1, false }, { reader:request() })
        assert.same({ host = { "c" }, ["x-y"] = { "1", "2" },
            connection = { "close" }, ["content-length"] = { "2" } }, reader:headers())
    end)

    it("takes no body after HEAD", function()
        local reader = http.reader("response")
        reader:reset(true)
        assert.is_true((reader:feed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")))
    end)

    it("says why it refuses, and how a server would", function()
        local state, why, reader = read("request", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        assert.is_nil(state)
        assert.equal("`Host` is given twice", why)
        assert.equal(400, reader:answer())
        assert.same({ nil, "`Host` is given twice" }, { reader:finish() })
        reader:reset()
        assert.is_true((reader:feed("GET / HTTP/1.0\r\n\r\n")))
        assert.same({ nil, "the message ends early" }, { http.reader("response"):finish() })
    end)

    it("has limits", function()
        local _, why, reader = read("response", "HTTP/1.1 200 OK\r\n\r\n12345", { max_body = 4 })
        assert.equal("the body is too large", why)
        assert.equal(413, reader:answer())
        _, why = read("response", "HTTP/1.1 200 OK\r\na:\r\nb:\r\n\r\n", { max_headers = 1 })
        assert.equal("too many headers", why)
        _, why = read("response", "HTTP/1.1 200 OK\r\na:\r\nb:\r\n\r\n", { max_head = 20 })
        assert.equal("the head is too large", why)
    end)

    it("is not made of nonsense", function()
        assert.error_matches(function() http.reader("both") end, "`kind`: give `request`")
        assert.error_matches(function() http.reader("request", { max = 1 }) end, "unknown option")
        for _, value in ipairs({ 0, -1, 0 / 0, 1 / 0, "1" }) do
            assert.error_matches(function() http.reader("request", { max_body = value }) end,
                "`max_body`: give a number")
        end
    end)
end)


describe("a reader, part by part", function()
    local reader

    before_each(function()
        reader = http.reader("request")
    end)

    it("gives what a server needs", function()
        assert.is_true((reader:feed("PUT /a%20b?c=%26&d HTTP/1.1\r\nHost: e:1\r\nX: 1\r\nEmpty:\r\n"
            .. "x: 2\r\nContent-Length: 2\r\n\r\n\0!")))
        assert.equal("PUT", reader:method())
        assert.equal("/a%20b?c=%26&d", reader:target())
        assert.equal("/a%20b", reader:path())
        assert.equal("c=%26&d", reader:query())
        assert.equal("e:1", reader:authority())
        assert.equal("\0!", reader:body())
        assert.is_true(reader:keep_alive())
        assert.is_false(reader:is_old())
        assert.same({ "e:1", 1 }, { reader:header("host") })
        assert.same({ "1", 2 }, { reader:header("x") })
        assert.same({ "", 1 }, { reader:header("empty") })
        local value, count = reader:header("none")
        assert.is_nil(value)
        assert.equal(0, count)
        assert.equal(0, reader:flags())
    end)

    it("tells what is not there", function()
        assert.is_true((reader:feed("GET /? HTTP/1.0\r\n\r\n")))
        assert.equal("", reader:query())
        assert.is_nil(reader:authority())
        assert.equal("", reader:body())
        assert.is_true(reader:is_old())
        assert.is_false(reader:keep_alive())
        reader:reset()
        assert.is_true((reader:feed("HEAD http://A/ HTTP/1.1\r\nHost: a\r\n\r\n")))
        assert.is_nil(reader:query())
        assert.equal("/", reader:path())
        assert.equal("A", reader:authority())
        assert.equal(http.NO_BODY, reader:flags())
    end)

    it("raises at the caller before the head is whole", function()
        reader:feed("GET / HTTP/1.1\r\n")
        for _, part in ipairs({ "method", "target", "path", "query", "authority", "body", "is_old",
            "keep_alive" }) do
            local ok, why = pcall(function() return (reader[part](reader)) end)
            assert.is_false(ok)
            assert.matches("http_spec.lua:%d+: the head of the message is not whole", why)
        end
        assert.is_nil((reader:header("host")))
        assert.equal(http.CLOSE, reader:flags())
    end)

    it("refuses targets that two servers could read differently", function()
        for _, target in ipairs({ "http://b/", "/#", "*", "a:80", "http://x@a/" }) do
            reader:reset()
            assert.is_nil((reader:feed("GET " .. target .. " HTTP/1.1\r\nHost: a\r\n\r\n")))
            assert.equal(400, reader:answer())
        end
    end)
end)


describe("a response", function()
    local writer

    before_each(function()
        writer = http.writer()
    end)

    it("is written", function()
        writer:answer(204, nil, nil, 0)
        assert.equal(27, writer:size())
        assert.equal("HTTP/1.1 204 No Content\r\n\r\n", writer:take())
        assert.equal("", writer:take())
        writer:time(784111777.9)
        writer:put("HTTP/1.1 100 Continue\r\n\r\n")
        writer:answer(403, "Content-Type: text/plain\r\n", "\0no", http.CLOSE)
        assert.equal("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 Forbidden\r\n"
            .. "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\n"
            .. "Content-Length: 3\r\nConnection: close\r\n\r\n\0no", writer:take())
    end)

    it("is read again as it was written", function()
        writer:answer(200, http.lines({ { "X-Tag", "a b" }, { "X-Tag", 2 } }), "body", http.KEEP)
        local reader = http.reader("response")
        assert.is_true((reader:feed(writer:take())))
        assert.same({ status = 200, reason = "OK", version = 1.1, keep_alive = true, body = "body",
            headers = { ["x-tag"] = { "a b", "2" }, ["content-length"] = { "4" },
                connection = { "keep-alive" } } }, reader:message())
    end)

    it("answers what was read as it asks", function()
        local reader = http.reader("request")
        reader:feed("HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        writer:answer(200, "", "body", reader:flags())
        assert.equal("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: keep-alive\r\n\r\n",
            writer:take())
    end)

    it("raises at the caller for what is none", function()
        for _, row in ipairs({ { 99 }, { 600 }, { 100 }, { 204, "", "x" }, { 200, "A: b" } }) do
            local ok, why = pcall(function() writer:answer(row[1], row[2], row[3], 0) end)
            assert.is_false(ok)
            assert.matches("http_spec.lua:%d+: no answer: a status outside", why)
        end
        assert.equal("", writer:take())
    end)

    it("has the lines of a list, in its order", function()
        assert.equal("B: 1\r\na: x\ty\r\nB: 2\r\n",
            http.lines({ { "B", 1 }, { "a", "x\ty" }, { "B", "2" } }))
        assert.equal("", http.lines({}))
    end)

    it("has no lines that are none, or more than one", function()
        for _, bad in ipairs({ "\r", "\n", "\0", "\r\nX: y", "\127" }) do
            assert.is_nil((http.lines({ { "A", "b" .. bad } })))
            assert.is_nil((http.lines({ { "A" .. bad, "b" } })))
        end
        for _, row in ipairs({
            { { "a b", "c" }, "`a b` is no name of a header" },
            { { 1, "c" }, "`1` is no name of a header" },
            { { "A" }, "header `A`: its value is a nil: give a string" },
            { { "content-LENGTH", "1" }, "is written by the server itself" },
            { { "Connection", "close" }, "is written by the server itself" },
            { { "Transfer-Encoding", "chunked" }, "is written by the server itself" },
            { { "Date", "now" }, "is written by the server itself" },
        }) do
            local lines, why = http.lines({ { "Good", "1" }, row[1] })
            assert.is_nil(lines)
            assert.matches(row[2], why, 1, true)
        end
    end)
end)


describe("a request and its answer", function()
    it("leave no garbage but their texts, and compile", function()
        local reader, writer = http.reader("request"), http.writer()
        local bytes = "POST /v1/decide?x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            .. "Content-Length: 2\r\n\r\n{}"
        local lines = http.lines({ { "Content-Type", "application/json" } })
        local aborts = {}
        local function on_trace(what, _, _, _, code)
            aborts[#aborts + 1] = what == "abort" and tostring(code) or nil
        end
        local function serve(rounds)
            local length = 0
            for _ = 1, rounds do
                reader:feed(bytes)
                if reader:path() == "/v1/decide" and reader:method() == "POST" then
                    local kind, count = reader:header("content-type")
                    length = length + #kind * count + #reader:body()
                end
                writer:answer(200, lines, "{}", reader:flags())
                reader:reset()
                length = length + #writer:take()
            end
            return length
        end
        serve(1000)
        collectgarbage()
        collectgarbage("stop")
        local before = collectgarbage("count")
        jit.attach(on_trace, "trace")
        local length = serve(20000)
        jit.attach(on_trace)
        local grown = collectgarbage("count") - before
        collectgarbage("restart")
        assert.equal(20000 * (16 + 2 + 72), length)
        assert.same({}, aborts)
        assert.is_true(grown < 64, ("%d KiB for 20000 requests"):format(grown))
    end)
end)


describe("a request", function()
    it("is written", function()
        assert.equal("GET /a?b HTTP/1.1\r\nHost: c:1\r\n\r\n",
            http.request({ target = "/a?b", host = "c:1" }))
        assert.equal("POST / HTTP/1.1\r\nHost: d\r\nA: 1\r\nA: 2\r\nB: \tx\228\r\n"
            .. "Content-Length: 2\r\n\r\n\r\n",
            http.request({ method = "POST", target = "/", host = "d", body = "\r\n",
                headers = { B = "\tx\228", A = { 1, "2" } } }))
        assert.equal("PUT / HTTP/1.1\r\nhost: e\r\nContent-Length: 0\r\n\r\n",
            http.request({ method = "PUT", target = "/", host = "d", headers = { host = "e" } }))
    end)

    it("is read again as it was written", function()
        local reader = http.reader("request")
        assert.is_true((reader:feed((http.request({ method = "DELETE", target = "/x", host = "y",
            headers = { ["X-Tag"] = "a b" }, body = "\0" })))))
        assert.same({ method = "DELETE", target = "/x", version = 1.1, keep_alive = true,
            body = "\0", headers = { host = { "y" }, ["x-tag"] = { "a b" },
                ["content-length"] = { "1" } } }, reader:message())
    end)

    it("never carries a line or a NUL smuggled into a part", function()
        for _, bad in ipairs({ "\r", "\n", "\0", "\r\nX: y", "\127", "\1" }) do
            for _, request in ipairs({
                { method = "G" .. bad, target = "/", host = "a" },
                { target = "/" .. bad, host = "a" },
                { target = "/", host = "a" .. bad },
                { target = "/", host = "a", headers = { ["X" .. bad] = "y" } },
                { target = "/", host = "a", headers = { X = "y" .. bad } },
                { target = "/", host = "a", headers = { X = { "y", bad .. "z" } } },
            }) do
                local text, why = http.request(request)
                assert.is_nil(text)
                assert.not_matches("%c", why)
            end
        end
    end)

    it("is refused when a part is none", function()
        for _, row in ipairs({
            { { target = "/ x", host = "a" }, "`/ x` is no target" },
            { { target = "/\228", host = "a" }, "is no target" },
            { { host = "a" }, "`nil` is no target" },
            { { method = "", target = "/", host = "a" }, "`` is no method" },
            { { method = "GET /", target = "/", host = "a" }, "is no method" },
            { { target = "/" }, "header `Host`: its value is a nil" },
            { { target = "/", host = "a", body = 1 }, "the body is no string" },
            { { target = "/", host = "a", headers = { X = true } }, "its value is a boolean" },
            { { target = "/", host = "a", headers = { [1] = "x" } }, "`1` is no name of a header" },
            { { target = "/", host = "a", headers = { ["a b"] = "x" } }, "is no name of a header" },
            { { target = "/", host = "a", headers = { ["Content-length"] = "1" } },
                "header `Content-length` is written by the client itself" },
            { { target = "/", host = "a", headers = { ["transfer-encoding"] = "chunked" } },
                "written by the client itself" },
        }) do
            local text, why = http.request(row[1])
            assert.is_nil(text)
            assert.matches(row[2], why, 1, true)
        end
    end)
end)


describe("a URL", function()
    it("is taken apart", function()
        assert.same({ name = "localhost", port = 8080, host = "localhost:8080", target = "/a?b=c",
            origin = "http://localhost:8080" }, http.parse_url("http://LocalHost:8080/a?b=c"))
        assert.same({ name = "a.b", port = 80, host = "a.b", target = "/",
            origin = "http://a.b:80" }, http.parse_url("HTTP://a.b"))
        assert.same({ name = "a", port = 80, host = "a", target = "/?x",
            origin = "http://a:80" }, http.parse_url("http://a?x"))
        assert.same({ name = "::1", port = 8080, host = "[::1]:8080", target = "/",
            origin = "http://[::1]:8080" }, http.parse_url("http://[::1]:8080/"))
        assert.same({ path = "/run/a.sock", host = "localhost", target = "/x?y",
            origin = "http+unix:///run/a.sock" }, http.parse_url("http+unix:///run/a.sock:/x?y"))
        assert.same({ path = "/run/a:b.sock", host = "localhost", target = "/",
            origin = "http+unix:///run/a:b.sock" }, http.parse_url("http+unix:///run/a:b.sock"))
    end)

    it("is refused with a reason", function()
        for _, row in ipairs({
            { "https://a/?token=1", "URL `https://a/`: TLS is not spoken" },
            { "ftp://a/", "begins with http:// or http+unix://" },
            { "/path", "begins with http:// or http+unix://" },
            { "http://", "give a host" },
            { "http:///x", "give a host" },
            { "http://user@a/", "a port is a number" },
            { "http://a b/", "encode spaces" },
            { "http://a/\r\nX: y", "encode spaces" },
            { "http://a/\228", "encode spaces" },
            { "http://a/x#y", "a fragment is not sent" },
            { "http://a:0/", "a port is a number" },
            { "http://a:65536/", "a port is a number" },
            { "http://a:1x/", "a port is a number" },
            { "http://[::1/", "give a host" },
            { "http+unix://run/a.sock:/", "give the path of a socket" },
            { "http+unix:///" .. ("x"):rep(107) .. ":/", "at most 107 bytes" },
            { "http://a/" .. ("x"):rep(9000), "encode spaces" },
        }) do
            local parts, why = http.parse_url(row[1])
            assert.is_nil(parts)
            assert.matches(row[2], why, 1, true)
            assert.not_matches("token", why)
        end
        assert.same({ nil, "the URL is no string" }, { http.parse_url(nil) })
    end)
end)


describe("what is received without strings", function()
    local ffi = require("ffi")
    local uv = require("luv")
    local fds, other

    before_each(function()
        fds = assert(uv.socketpair(nil, nil, { nonblock = true }, { nonblock = true }))
        other = uv.new_pipe(false)
        other:open(fds[2])
    end)

    after_each(function()
        uv.fs_close(fds[1])
        if not other:is_closing() then
            other:close()
        end
        uv.run()
    end)

    it("is a message, and what follows it", function()
        local reader = http.reader("request")
        assert.same({ false, http.LATER, 0 }, { reader:receive(fds[1]) })
        other:try_write("GET /1 HTTP/1.1\r\nHost: a\r\n")
        assert.same({ false, 26, 0 }, { reader:receive(fds[1]) })
        other:try_write("\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET ")
        local complete, came, left = reader:receive(fds[1])
        assert.same({ true, 34, 32 }, { complete, came, left })
        assert.equal("GET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET ", http.left(came, left))
        reader:reset()
        complete, left = reader:feed_left(came, left)
        assert.same({ true, 4 }, { complete, left })
        assert.equal("/2", reader:path())
        reader:reset()
        assert.same({ false, 0 }, { reader:feed_left(came, left) })
    end)

    it("is refused as otherwise", function()
        local reader = http.reader("request")
        other:try_write("GET /1 HTTP/1.1\n")
        local complete, why, left = reader:receive(fds[1])
        assert.same({ nil, "a line end other than CR LF", 0 }, { complete, why, left })
        reader = http.reader("request")
        other:try_write("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /1 HTTP/1.1\n")
        local _, came, rest = reader:receive(fds[1])
        reader:reset()
        assert.same({ nil, 0 }, { reader:feed_left(came, rest) })
    end)

    it("may be the end", function()
        other:try_write("rest")
        assert.equal("rest", http.receive(fds[1]))
        assert.is_false(http.receive(fds[1]))
        other:close()
        uv.run()
        assert.equal("", http.receive(fds[1]))
        assert.same({ false, 0, 0 }, { http.reader("request"):receive(fds[1]) })
        assert.is_nil(http.receive(-1))
        assert.same({ false, http.BROKEN, 0 }, { http.reader("request"):receive(-1) })
    end)

    it("is sent as well, as much as is taken", function()
        local writer = http.writer()
        writer:put("abc")
        assert.equal(0, writer:send(fds[1]))
        assert.equal(0, writer:size())
        local large = ("x"):rep(8 * 1024 * 1024)
        writer:put(large)
        local left = writer:send(fds[1])
        assert.is_true(left > 0 and left < #large)
        assert.equal(#large, writer:size()) -- what was sent is the caller's to know
        assert.is_nil(writer:send(-1))
    end)

    it("has parts without strings", function()
        local reader = http.reader("request")
        reader:feed("POST /a? HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
        local bytes, length = reader:span()
        assert.equal("x", ffi.string(bytes, length))
        assert.is_true(reader:has_query())
        assert.equal("a", reader:single("host", 1))
        assert.is_nil(reader:single("x", 1))
    end)
end)
