local messages = require("postern.protocol.message")


describe("a header that has to be there once", function()
    local function single(values)
        return messages.single({ headers = { ["x-a"] = values } }, "x-a")
    end

    it("is its value", function()
        assert.equal("/a?b c", single({ "/a?b c" }))
    end)

    it("is refused when it is missing, doubled or malformed", function()
        for expected, values in pairs({
            ["is missing"] = {}, ["more than once"] = { "a", "a" }, ["is empty"] = { "" },
            ["too long"] = { ("x"):rep(8193) }, ["control characters"] = { "a\tb" },
        }) do
            local value, err = single(values)
            assert.is_nil(value)
            assert.is_truthy(err:find(expected, 1, true), err)
        end
        assert.is_nil((single(nil)))
    end)
end)


describe("the lines of a header", function()
    it("are read from a table, or asked for", function()
        assert.same({ "a", 2 }, { messages.header({ headers = { x = { "a", "b" } } }, "x") })
        assert.same({ nil, 0 }, { messages.header({ headers = {} }, "x") })
        local asked = { header = function(_, name) return name .. "!", 1 end }
        assert.same({ "x!", 1 }, { messages.header(asked, "x") })
        assert.equal("x!", messages.single(asked, "x"))
        asked.header = function() return "a", 2 end
        assert.is_nil((messages.single(asked, "x")))
    end)
end)


describe("the last address of a list", function()
    it("is the last one", function()
        for text, expected in pairs({
            ["192.0.2.1"] = "192.0.2.1", ["a, b ,  c "] = "c", ["a,b"] = "b", ["a,\tb"] = "b",
        }) do
            assert.equal(expected, messages.last_of(text))
        end
    end)

    it("is nothing when it is empty, or is two", function()
        for _, text in ipairs({ "", " ", "a,", "a, ", ",", "a, b c" }) do
            assert.is_nil(messages.last_of(text))
        end
    end)

    it("is found in linear time", function()
        local began = os.clock()
        for _, text in ipairs({ ("a"):rep(8192) .. " b", (" "):rep(8192) .. "\tb c",
                                ("a,"):rep(4096) .. "x y" }) do
            for _ = 1, 50 do
                messages.last_of(text)
            end
        end
        assert.is_true(os.clock() - began < 1)
    end)
end)


describe("a body", function()
    it("is JSON when one Content-Type says so", function()
        local function is_json(values)
            return messages.is_json({ headers = { ["content-type"] = values } })
        end
        for _, text in ipairs({ "application/json", "Application/JSON", "application/json;x=y",
                                " application/json ; charset=utf-8" }) do
            assert.is_true(is_json({ text }), text)
        end
        for _, text in ipairs({ "", "text/json", "application/jsonx", "application/json x",
                                "x application/json" }) do
            assert.is_false(is_json({ text }), text)
        end
        assert.is_false(is_json(nil))
        assert.is_false(is_json({ "application/json", "application/json" }))
    end)
end)


describe("a query", function()
    it("is decoded to pairs in order", function()
        assert.same({ { "a", "1" }, { "b c", "d&e" }, { "f", "" }, { "a", "%zz" }, { "g", "h+i" } },
                    messages.pairs_of("a=1&b%20c=d%26e&f&a=%zz&g=h+i"))
        assert.is_nil(messages.pairs_of(nil))
        assert.is_nil(messages.pairs_of(""))
    end)

    it("has parameters, each once", function()
        assert.equal("x y z", messages.parameter("a=1&%62=x+y%20z", "b"))
        assert.equal("", messages.parameter("b", "b"))
        assert.is_nil((messages.parameter("a=1", "b")))
        assert.is_nil((messages.parameter(nil, "b")))
        local value, err = messages.parameter("b=1&%62=2", "b")
        assert.is_nil(value)
        assert.is_truthy(err:find("more than once", 1, true))
    end)
end)


describe("a target", function()
    it("is split at its first question mark", function()
        assert.same({ "/a", "b?c" }, { messages.split("/a?b?c") })
        assert.same({ "/a", "" }, { messages.split("/a?") })
        assert.same({ "/a" }, { messages.split("/a") })
        for _, target in ipairs({ "", "a", "http://x/a", "*", "?a" }) do
            assert.is_nil((messages.split(target)))
        end
    end)
end)
