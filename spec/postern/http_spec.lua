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

    it("gives a request piece by piece", function()
        local reader = http.reader("request")
        assert.is_nil(reader:request())
        assert.same({ nil, 0 }, { reader:header("host") })
        assert.same({}, reader:headers())
        assert.equal("", reader:body())
        reader:feed("POST /a?b HTTP/1.1\r\nHost: c\r\nX-Y: 1\r\nX-Z: \r\nx-y: 2\r\n"
            .. "Connection: close\r\nContent-Length: 2\r\n\r\n")
        assert.equal("POST", (reader:request()))
        assert.equal("", reader:body())
        reader:feed("hi")
        assert.same({ "POST", "/a?b", 1, false }, { reader:request() })
        assert.equal("hi", reader:body())
        assert.same({ "c", 1 }, { reader:header("host") })
        assert.same({ "1", 2 }, { reader:header("x-y") })
        assert.same({ "", 1 }, { reader:header("x-z") })
        assert.same({ nil, 0 }, { reader:header("x") })
        assert.same({ host = { "c" }, ["x-y"] = { "1", "2" }, ["x-z"] = { "" },
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
