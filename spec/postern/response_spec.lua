local response = require("postern.response")


describe("the head of an answer", function()
    it("is a status and headers", function()
        assert.equal("HTTP/1.1 200 OK\r\n", response.head(200))
        assert.equal("HTTP/1.1 403 Forbidden\r\nX-A: b\r\nX-N: 7\r\nX-A: \tc\228\r\n",
            response.head(403, { { "X-A", "b" }, { "X-N", 7 }, { "X-A", "\tc\228" } }))
        assert.equal("HTTP/1.1 599 Status\r\n", response.head(599, {}))
    end)

    it("is never two, nor says how the message is framed", function()
        for _, headers in ipairs({
            { { "X", "a\r\nY: b" } }, { { "X", "a\n" } }, { { "X", "\0" } }, { { "X\r\nY", "b" } },
            { { "X:", "b" } }, { { "", "b" } }, { { "X Y", "b" } }, { { "X", {} } }, { { "X" } },
            { { 1, "b" } }, { { "Content-Length", "1" } }, { { "transfer-encoding", "chunked" } },
            { { "CONNECTION", "close" } }, { { "Upgrade", "h2c" } }, { { "Date", "now" } },
        }) do
            local text, why = response.head(200, headers)
            assert.is_nil(text)
            assert.not_matches("%c", why)
            headers.constant = true
            assert.is_nil((response.heads():head(200, headers)))
        end
        for _, status in ipairs({ 199, 100, 600, 200.5, 0 / 0, "200", 0 }) do
            assert.is_nil((response.head(status)))
        end
        assert.is_nil((response.head(nil)))
    end)

    it("is written once where its headers do not change", function()
        local heads = response.heads()
        local constant = { constant = true, { "X", "a" } }
        local changing = { { "X", "a" } }
        for _, headers in ipairs({ constant, changing }) do
            assert.equal("HTTP/1.1 200 OK\r\nX: a\r\n", heads:head(200, headers))
            headers[1][2] = "b"
        end
        assert.equal("HTTP/1.1 200 OK\r\nX: a\r\n", heads:head(200, constant))
        assert.equal("HTTP/1.1 403 Forbidden\r\nX: b\r\n", heads:head(403, constant))
        assert.equal("HTTP/1.1 200 OK\r\nX: b\r\n", heads:head(200, changing))
        assert.equal("HTTP/1.1 200 OK\r\n", heads:head(200))
        assert.equal("HTTP/1.1 404 Not Found\r\n", heads:head(404, {}))
        assert.equal("HTTP/1.1 200 OK\r\n", heads:head(200, { constant = true }))
    end)

    it("is kept no longer than its headers", function()
        local heads = response.heads()
        heads:head(200, { constant = true, { "X", "a" } })
        collectgarbage()
        assert.is_nil(next(heads.known))
    end)
end)


describe("answers of our own", function()
    it("say what their status says", function()
        assert.equal('{"message":"Content Too Large"}\n', response.problem(413))
        assert.equal('{"message":"Error"}\n', response.problem(599))
    end)

    it("tell the time as HTTP writes it", function()
        assert.equal("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", response.date(784111777.9))
    end)
end)
