local document = require("postern.document")


describe("document", function()
    local doc

    before_each(function()
        doc = assert(document.new('{ "a": [1, {"b": []}, "x\\u00e9\\n"],\n  "é": null,'
            .. ' "t": true, "f": false, "e": {} }'))
    end)

    it("gives the members of an object in order", function()
        local names = {}
        for name, value in doc:members(doc:root()) do
            names[#names + 1] = name .. "=" .. doc:kind(value)
        end
        assert.same({ "a=array", "é=null", "t=boolean", "f=boolean", "e=object" }, names)
    end)

    it("gives the items of an array in order", function()
        local kinds = {}
        for i, item in doc:items(doc:get(doc:root(), "a")) do
            kinds[i] = doc:kind(item)
        end
        assert.same({ "number", "object", "string" }, kinds)
    end)

    it("tells what stands behind a node and all in it", function()
        local names = {}
        local name, stop = 1, doc:after(doc:root())
        while name < stop do
            names[#names + 1] = doc:text(name) .. "=" .. doc:kind(name + 1)
            name = doc:after(name + 1)
        end
        assert.same({ "a=array", "é=null", "t=boolean", "f=boolean", "e=object" }, names)
        assert.equal(doc:length(doc:root()), #names)
        local empty = doc:get(doc:root(), "e")
        assert.equal(empty + 1, doc:after(empty))
        assert.has_error(function() doc:after(stop) end)
    end)

    it("has no children where there are none", function()
        assert.is_nil(doc:items(doc:root())())
        assert.is_nil(doc:members(doc:get(doc:root(), "a"))())
        assert.is_nil(doc:members(doc:get(doc:root(), "e"))())
        assert.is_nil(doc:get(doc:root(), "none"))
    end)

    it("gives texts unescaped and sources as written", function()
        local last
        for _, item in doc:items(doc:get(doc:root(), "a")) do
            last = item
        end
        assert.equal("xé\n", doc:text(last))
        assert.equal('"x\\u00e9\\n"', doc:raw(last))
        assert.is_nil(doc:text(doc:root()))
        assert.equal(5, doc:length(doc:root()))
    end)

    it("places nodes by line and column, counted in code points", function()
        assert.same({ 1, 1 }, { doc:place(doc:root()) })
        assert.same({ 2, 8 }, { doc:place(doc:get(doc:root(), "é")) })
        assert.same({ 2, 11 }, { doc:last_place(doc:get(doc:root(), "é")) })
    end)

    it("tells the bytes of nodes", function()
        local first, last = doc:span(doc:get(doc:root(), "é"))
        assert.equal("null", doc.source:sub(first, last))
    end)

    it("turns into Lua values, telling [] from {}", function()
        local value = doc:value(doc:root())
        assert.same({ 1, { b = {} }, "xé\n" }, value.a)
        assert.equal("array", getmetatable(value.a).__jsontype)
        assert.equal("array", getmetatable(value.a[2].b).__jsontype)
        assert.is_nil(getmetatable(value.e))
        assert.equal(document.null, value["é"])
        assert.is_true(value.t)
        assert.is_false(value.f)
        assert.equal("x", assert(document.new('"x"')):value(0))
    end)

    it("closes several levels at once", function()
        local value = assert(document.new('[[[1]],[[2],[]],3]'))
        assert.same({ { { 1 } }, { { 2 }, {} }, 3 }, value:value(0))
    end)

    it("finds what stands too deep", function()
        local nested = assert(document.new('[[],{"a":1},[2,{}]]'))
        assert.is_nil(nested:deeper_than(3))
        assert.equal("{}", nested:raw(nested:deeper_than(2)))
        assert.equal("[]", nested:raw(nested:deeper_than(1)))
        assert.equal(0, nested:deeper_than(0))
    end)

    it("describes kinds in words", function()
        assert.equal("an object", doc:describe(doc:root()))
        assert.equal("a list", doc:describe(doc:get(doc:root(), "a")))
    end)

    it("may be read into one that is shared", function()
        local one = assert(document.shared('{"a":1}'))
        assert.equal("a", one:text(1))
        local two = assert(document.shared('["x",[]]'))
        assert.equal(one, two)
        assert.same({ "x", {} }, two:value(0))
        local none, err = document.shared('{"a":', "body")
        assert.is_nil(none)
        assert.equal("body:1:6:", tostring(err):sub(1, 9))
        -- What was read before is gone, and says so.
        assert.has_error(function() two:kind(0) end)
        assert.equal("null", assert(document.shared("null")):kind(0))
    end)

    it("finds members by name only", function()
        local names = assert(document.new('{"ab":1,"ba":2,"abc":3,"":4}'))
        for name, value in pairs({ ab = "1", ba = "2", abc = "3", [""] = "4" }) do
            assert.equal(value, names:raw(names:get(0, name)))
        end
        assert.is_nil(names:get(0, "bb"))
        assert.is_nil(names:get(1, "ab"))
    end)

    it("refuses what is not strict JSON, with a place", function()
        for text, place in pairs({
            ['{"a":1,"a":2}'] = "1:8", ["[1,\n 2,]"] = "2:4", ["{"] = "1:2", [""] = "1:1",
            ['["\\ud800"]'] = "1:3", ["[1] x"] = "1:5", ["\255"] = "1:1",
        }) do
            local none, err = document.new(text, "f.json")
            assert.is_nil(none)
            assert.equal("syntax", err.status, text)
            assert.equal(("f.json:%s: %s"):format(place, err.message), tostring(err))
        end
    end)

    it("raises for a node that is none", function()
        assert.has_error(function() doc:kind(10000) end, "no such node: 10000")
        assert.has_error(function() doc:kind(-1) end, "no such node: -1")
    end)

    it("is freed with its last user", function()
        for _ = 1, 1000 do
            assert(document.new("[1,2,3]"))
        end
        collectgarbage()
        collectgarbage()
        assert.equal("array", assert(document.new("[]")):kind(0))
    end)
end)
