local rules = require("postern.rules")
local plain = require("postern.host.plain")


local GOOD = [[return { kind = "flows", name = "x", api = 1, check = function() return true end,
    gates = {}, caller = function() end, decide = function() end }]]

local function refused(text)
    local pack, err = rules.read(text, "x.lua", "flows")
    assert.is_nil(pack)
    return err
end


describe("rule packs", function()
    it("are found where they are shipped", function()
        local pack = assert(rules.load("flows", "iam", plain.read))
        assert.equal("iam", pack.name)
    end)

    it("are looked for beside the modules first, then in the checkout", function()
        local asked = {}
        local pack, err = rules.load("flows", "nosuch", function(path)
            asked[#asked + 1] = path
            return nil, "no such file"
        end)
        assert.is_nil(pack)
        assert.equal(2, #asked)
        assert.matches("postern/rules/flows/nosuch%.lua$", asked[1])
        assert.matches("postern/%.%./%.%./rules/flows/nosuch%.lua$", asked[2])
        for _, path in ipairs(asked) do
            assert.matches(path .. ": no such file", err, 1, true)
        end
    end)

    it("have names, not paths", function()
        assert.equal("`../iam` is not the name of a pack",
                     select(2, rules.load("flows", "../iam", plain.read)))
    end)

    it("are plain tables with every member of their kind and no other", function()
        assert.truthy(rules.read(GOOD, "x.lua", "flows"))
        for _, name in ipairs({ "kind", "name", "api", "check", "gates", "caller", "decide" }) do
            local without = GOOD:gsub("([{,]%s*)" .. name .. " = ", "%1x_" .. name .. " = ")
            assert.matches("x.lua: lacks `" .. name .. "`: a flows pack has `api`,",
                           refused(without), 1, true)
        end
        assert.matches("unknown member `color`", refused((GOOD:gsub("gates", "color = 1, gates"))))
        assert.matches("`gates` is a number: make it a table",
                       refused((GOOD:gsub("gates = {}", "gates = 1"))))
        assert.matches("its kind is `keys`, wanted is `flows`",
                       refused((GOOD:gsub('"flows"', '"keys"'))))
        assert.matches("its api is 2, this release has 1",
                       refused((GOOD:gsub("api = 1", "api = 2"))))
        assert.matches("a pack returns a plain table", refused("return 7"))
        assert.matches("attempt to call global 'setmetatable'",
                       refused("return setmetatable({}, {})"))
    end)

    it("that do not parse or fail while loading say where", function()
        assert.matches("x.lua:2:", refused("\nreturn ="))
        assert.matches("x.lua: fails while loading: x.lua:1: boom", refused("error('boom')"))
    end)

    it("are source text only", function()
        assert.is_string(refused(string.dump(function() return {} end)))
    end)

    it("see pure functions only", function()
        for _, name in ipairs({ "io", "os", "require", "debug", "ffi", "load", "loadstring",
                                "dofile", "getfenv", "setfenv", "getmetatable", "_G", "package",
                                "collectgarbage", "print", "string.dump" }) do
            assert.matches("found", refused(("error(%s == nil and 'found' or 'open')")
                :format(name)))
        end
    end)

    it("cannot change what others see", function()
        refused("string.find = 1; table.insert = 2; pairs = 3")
        assert.is_function(string.find)
        assert.is_function(table.insert)
        assert.truthy(rules.read(GOOD:gsub("return {", "local p = pairs({}) return {", 1),
                                 "x.lua", "flows"))
    end)

    it("of no known kind are a mistake of the caller", function()
        assert.error_matches(function() rules.read(GOOD, "x", "flow") end, "no such kind of pack")
    end)
end)
