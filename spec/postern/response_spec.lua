local response = require("postern.response")


describe("the lines of headers", function()
    it("are written once where they do not change", function()
        local lines = response.lines()
        local constant = { constant = true, { "X", "a" } }
        local changing = { { "X", "a" }, { "Y", 1 } }
        assert.equal("X: a\r\n", lines:of(constant))
        assert.equal("X: a\r\nY: 1\r\n", lines:of(changing))
        constant[1][2], changing[1][2] = "b", "b"
        assert.equal("X: a\r\n", lines:of(constant))
        assert.equal("X: b\r\nY: 1\r\n", lines:of(changing))
        assert.equal("", lines:of(nil))
        assert.equal("", lines:of({}))
        assert.equal("", lines:of({ constant = true }))
    end)

    it("are refused where they are none, again and again", function()
        local lines = response.lines()
        local headers = { constant = true, { "X", "a\r\nY: b" } }
        for _ = 1, 2 do
            local text, why = lines:of(headers)
            assert.is_nil(text)
            assert.matches("header `X`", why)
        end
        assert.is_nil((lines:of({ { "Content-Length", "3" } })))
    end)

    it("are kept no longer than their headers", function()
        local lines = response.lines()
        lines:of({ constant = true, { "X", "a" } })
        collectgarbage()
        assert.is_nil(next(lines.known))
    end)
end)


describe("a status", function()
    it("is a whole number from 200 to 599", function()
        for _, status in ipairs({ 200, 404, 599 }) do
            assert.is_true(response.is_status(status))
        end
        for _, status in ipairs({ 199, 100, 600, 200.5, 0 / 0, "200", 0, true }) do
            assert.is_false(response.is_status(status))
        end
        assert.is_false(response.is_status(nil))
    end)

    it("goes without a body where HTTP says so", function()
        assert.is_false(response.has_body(204))
        assert.is_false(response.has_body(304))
        assert.is_true(response.has_body(200))
    end)
end)


describe("answers of our own", function()
    it("say what their status says", function()
        assert.equal('{"message":"Content Too Large"}\n', response.problem(413))
        assert.equal('{"message":"Error"}\n', response.problem(599))
    end)
end)
