local jit = require("jit")
local core = require("postern.ffi")
local document = require("postern.document")
local json = require("postern.json")


describe("json.writer", function()
    local out

    before_each(function()
        out = json.writer()
    end)

    it("writes every kind of value", function()
        out:object():key("a"):array():string("x"):number(1):number(0.5):boolean(true)
            :boolean(false):null():raw("[1, 2]"):close():key("b"):object():close():close()
        assert.equal('{"a":["x",1,0.5,true,false,null,[1, 2]],"b":{}}', out:text())
    end)

    it("is used again after reset", function()
        assert.equal("1", out:number(1):text())
        assert.equal('"\\"/\239\191\189"', out:reset():string('"/\255'):text())
        assert.equal("2", out:reset():number(2):text())
    end)

    it("has a text of any bytes and lengths", function()
        local text = ("a\0b"):rep(5000)
        assert.equal('"' .. ("a\\u0000b"):rep(5000) .. '"', out:string(text):text())
    end)

    it("raises where a call cannot be, and until reset", function()
        local function raises(message, call)
            local ok, why = pcall(call)
            assert.is_false(ok)
            assert.is_truthy(why:find(message, 1, true), why)
            assert.is_truthy(why:find("json_spec.lua:%d+: "), why)
        end
        for _, name in ipairs({ "object", "array", "null" }) do
            raises("a value without a key", function() out:reset():object()[name](out) end)
        end
        raises("a value without a key", function() out:reset():object():string("x") end)
        raises("a value without a key", function() out:reset():object():number(1) end)
        raises("a value without a key", function() out:reset():object():boolean(true) end)
        raises("a value without a key", function() out:reset():object():raw("1") end)
        raises("a key outside an object", function() out:reset():array():key("x") end)
        raises("a key after a key", function() out:reset():object():key("x"):key("x") end)
        raises("a key without a value", function() out:reset():object():key("x"):close() end)
        raises("a close without an open", function() out:reset():close() end)
        raises("a second value", function() out:reset():null():null() end)
        raises("a second value", function() out:null() end)
        raises("a second value", function() out:text() end)
        raises("still open", function() out:reset():array():text() end)
        raises("nothing is written", function() out:reset():text() end)
    end)

    it("raises for arguments of another type", function()
        for _, row in ipairs({
            { "key", 1, "give a string, not a number" },
            { "string", nil, "give a string, not a nil" },
            { "number", "1", "give a number, not a string" },
            { "boolean", nil, "give a boolean, not a nil" },
            { "raw", {}, "give a string, not a table" },
        }) do
            local ok, why = pcall(function() out:reset():object()[row[1]](out, row[2]) end)
            assert.is_false(ok)
            assert.is_truthy(why:find(row[3], 1, true), why)
            assert.is_truthy(why:find("json_spec.lua:%d+: "), why)
        end
    end)

    it("refuses what JSON does not have, in the text", function()
        for _, number in ipairs({ 0 / 0, math.huge, -math.huge }) do
            out:reset():array():number(number):string("x"):close()
            assert.same({ nil, "a number that JSON cannot write" }, { out:text() })
        end
        out:reset()
        for _ = 1, 65 do
            out:array()
        end
        assert.same({ nil, "nested too deep" }, { out:text() })
    end)

    it("leaves no garbage but the text, and compiles", function()
        local aborts = {}
        local function on_trace(what, trace, _, _, code)
            if what == "abort" then
                aborts[#aborts + 1] = ("trace %d: %s"):format(trace, tostring(code))
            end
        end
        local function decide(rounds)
            local length = 0
            for i = 1, rounds do
                out:reset()
                out:object():key("decision"):boolean(i % 2 == 0):key("context"):object()
                out:key("id"):string("6f1f"):key("revision"):number(17):close():close()
                length = length + #out:text()
            end
            return length
        end
        decide(1000)
        collectgarbage()
        collectgarbage("stop")
        local before = collectgarbage("count")
        jit.attach(on_trace, "trace")
        decide(100000)
        jit.attach(on_trace)
        local grown = collectgarbage("count") - before
        collectgarbage("restart")
        assert.same({}, aborts)
        assert.is_true(grown < 64, ("%d KiB for 100000 texts"):format(grown))
    end)
end)


describe("json.encode", function()
    it("writes tables, members sorted by name", function()
        assert.equal('{"a":[1,{"x":null}],"b":"t","c":{},"d":[],"e":true}', json.encode({
            b = "t", a = { 1, { x = json.null } }, c = {}, d = json.list({}), e = true }))
        assert.equal("3", json.encode(3))
        assert.equal("null", json.encode(json.null))
    end)

    it("writes what was read as it was", function()
        local text = '{"a":[],"b":{},"c":[{"d":null}],"e":-1.5}'
        assert.equal(text, json.encode(json.read(text)))
    end)

    it("raises for what JSON does not have", function()
        local inside = {}
        inside.inside = inside
        for _, row in ipairs({
            { print, "a function is not written" }, { { a = print }, "a function is not written" },
            { { 1, nil, 3 }, "a list with gaps" }, { { 1, x = 2 }, "a list with a member `x`" },
            { { [2] = 1 }, "a member that is no string: 2" },
            { json.list({ x = 1 }), "a list with a member `x`" },
            { inside, "nested too deep, or in itself" },
        }) do
            local ok, why = pcall(function() return (json.encode(row[1])) end)
            assert.is_false(ok)
            assert.is_truthy(why:find(row[2], 1, true), why)
            assert.is_truthy(why:find("json_spec.lua:%d+: "), why)
        end
        assert.has_error(function() return (json.encode(nil)) end)
    end)

    it("refuses numbers that JSON does not have", function()
        assert.same({ nil, "a number that JSON cannot write" }, { json.encode({ 0 / 0 }) })
    end)
end)


describe("json.read", function()
    it("gives tables, with lists marked and null", function()
        local value = assert(json.read('{"a":[1,2.5,"x",true,false,null],"b":[],"c":{}}'))
        assert.same({ 1, 2.5, "x", true, false, json.null }, value.a)
        assert.is_true(json.is_list(value.a))
        assert.is_true(json.is_list(value.b))
        assert.is_false(json.is_list(value.c))
        assert.equal(document.null, json.null)
        assert.equal(json.null, json.read("null"))
        assert.is_false(json.read("false"))
    end)

    it("refuses what is no I-JSON, with its place", function()
        for _, row in ipairs({
            { '{"a":1,\n"a":2}', "^json:2:1: " }, { '["\\ud800"]', "^json:1:%d+: " },
            { '["\255"]', "^json:1:%d+: " }, { "[1] x", "^json:1:5: " }, { "", "^json:1:1: " },
            { "[1,\n 1e999]", "^json:2:2: a number too large" },
            { "[-1e999]", "^json:1:2: a number too large" },
            { '{"id":9007199254740992}', "^json:1:7: an integer too large to be exact" },
            { "-9007199254740993", "^json:1:1: an integer too large to be exact" },
        }) do
            local value, why = json.read(row[1])
            assert.is_nil(value)
            assert.is_truthy(tostring(why):find(row[2]), tostring(why))
        end
        assert.equal(9007199254740991, json.read("9007199254740991"))
        assert.equal(1e300, json.read("1e300"))
    end)

    it("keeps to the limits", function()
        local function refused(message, text, limits)
            local value, why = json.read(text, limits)
            assert.is_nil(value)
            assert.equal(message, tostring(why))
            assert.equal("limit", why.status)
        end
        assert.same({ 1, 2 }, json.read("[1,2]", { bytes = 5, depth = 1, values = 3 }))
        refused("json: a text of 6 bytes: at most 5 are taken", "[1,2] ", { bytes = 5 })
        refused("json: 4 values and names: at most 3 are taken", "[1,2,3]", { values = 3 })
        refused("json:1:14: nested deeper than 2", '[[],{"a":1},[[]]]', { depth = 2 })
        refused("json: a text of 1048579 bytes: at most 1048576 are taken",
            '"' .. ("a"):rep(1048577) .. '"')
        assert.same("table", type(json.read(("["):rep(64) .. ("]"):rep(64))))
        assert.is_nil(json.read(("["):rep(65) .. ("]"):rep(65)))
    end)

    it("raises for limits it does not know", function()
        assert.has_error(function() return json.read("1", { size = 1 }) end,
            "unknown limit `size`: there are `bytes`, `depth` and `values`")
        assert.has_error(function() return json.read("1", { depth = 0 }) end,
            "limit `depth`: give a number of at least 1")
        assert.has_error(function() return json.read("1", { bytes = 0 / 0 }) end,
            "limit `bytes`: give a number of at least 1")
        assert.has_error(function() return json.read(nil) end,
            "json.read: give a string, not a nil")
    end)
end)


describe("json without the HTTP library", function()
    it("reads, and raises for a writer", function()
        local http = core.http
        core.http = function() error("cannot load libpostern_http", 0) end
        package.loaded["postern.json"] = nil
        local bare = require("postern.json")
        core.http = http
        package.loaded["postern.json"] = json
        assert.same({ 1 }, bare.read("[1]"))
        local ok, why = pcall(bare.writer)
        assert.is_false(ok)
        assert.is_truthy(why:find("cannot load libpostern_http", 1, true))
    end)
end)
