local document = require("postern.document")
local context = require("postern.context")


local function read(text, options)
    local doc = assert(document.new(text))
    return context.read(doc, doc:root(), options)
end


describe("a request as people write it", function()
    it("is read with everything it has", function()
        assert.same({
            principal = "p", action = "a:b", resource = "r", resourceAccount = "1",
            context = { k = "v", n = "1.50", b = "true", l = { "x", "2" }, e = {} },
        }, read('{"principal":"p","action":"a:b","resource":"r","resourceAccount":"1",'
            .. '"context":{"k":"v","n":1.50,"b":true,"l":["x",2],"e":[]}}'))
    end)

    it("is anonymous and without context when it does not say", function()
        assert.same({ principal = "*", action = "a:b", resource = "r", context = {} },
                    read('{"action":"a:b","resource":"r"}'))
    end)

    it("is refused with a place and what to do", function()
        for text, expected in pairs({
            ["[]"] = { 1, 1, "the request is a list: give an object" },
            ['{"action":"a"}'] = { 1, 1, "`resource` is missing: add it" },
            ['{"action":7,"resource":"r"}'] = { 1, 11, "`action` is a number: give a string" },
            ['{"action":"a","resource":"r",\n"principal":null}'] =
                { 2, 13, "`principal` is null: give a string" },
            ['{"action":"a","resource":"r",\n"context":[]}'] =
                { 2, 11, "`context` is a list: give an object of condition keys" },
            ['{"action":"a","resource":"r","context":{"k":{}}}'] =
                { 1, 45, "`k` is an object: give a string, a number, a boolean or a list of "
                    .. "these" },
            ['{"action":"a","resource":"r","context":{"k":["v",null]}}'] =
                { 1, 50, "a value of `k` is null: give a string, a number or a boolean" },
            ['{"action":"a","resource":"r","context":{"k":[["v"]]}}'] =
                { 1, 46, "a value of `k` is a list: give a string, a number or a boolean" },
            ['{"action":"a","resource":"r","context":{"k":"v","K":"w"}}'] =
                { 1, 49, "the key `K` is also given as `k`: give it once" },
            ['{"action":"a","resource":"r","contxt":{}}'] = { 1, 30, "unknown member `contxt`: a "
                .. "request has `principal`, `action`, `resource`, `resourceAccount`, `context`" },
        }) do
            local none, err = read(text)
            assert.is_nil(none)
            assert.same(expected, { err.line, err.column, err.message })
            assert.equal("request", err.status)
        end
    end)

    it("may have unknown members where that is asked for", function()
        assert.truthy(read('{"action":"a","resource":"r","more":1}', { lenient = true }))
    end)
end)
