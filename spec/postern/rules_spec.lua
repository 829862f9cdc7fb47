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
        for _, name in ipairs({ "kind", "name", "api" }) do
            local without = GOOD:gsub("([{,]%s*)" .. name .. " = ", "%1x_" .. name .. " = ")
            assert.equal("x.lua: lacks `" .. name .. "`: a pack has `api`, `check`, `kind`, `name`",
                         refused(without))
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
        assert.error_matches(function() rules.load("flow", "iam", plain.read) end,
                             "no such kind of pack")
        assert.error_matches(function() rules.load_file("x", plain.read, "flow") end,
                             "no such kind of pack")
    end)
end)


describe("kinds of packs", function()
    -- Of each kind: the members after the common ones, in source text.
    local MUST = {
        keys = { 'keys = { ["aws:SourceIp"] = function() end }' },
        hooks = { "before = function() end" },
        services = { "resolve = function() end" },
        identities = { "identify = function() end" },
        flows = { "gates = {}", "caller = function() end", "decide = function() end" },
        tables = { "data = {}" },
    }
    local MAY = {
        keys = { 'prefixes = { ["aws:PrincipalTag/"] = function() end }', "types = {}",
                 "lazy = true", "start = function() end", "stop = function() end",
                 "limits = { timeout = 1, open = 'absent' }", 'files = { "x" }',
                 'cache = { ["aws:SourceIp"] = { connection = true } }' },
        hooks = { "after = function() end", "log = function() end", "priority = 1",
                  "start = function() end", "stop = function() end", "limits = {}", "files = {}" },
        services = { "data = {}" },
        identities = {},
        flows = { "principal_for = function() end", "sees = function() end" },
        tables = {},
    }

    local function source(kind, members, more)
        return ('return { kind = "%s", name = "x", api = 1, check = function() end, %s, %s }')
            :format(kind, table.concat(members, ", "), table.concat(more or {}, ", "))
    end

    it("have the members that the contract names", function()
        for kind, members in pairs(MUST) do
            local pack = assert(rules.read(source(kind, members), "x.lua", kind))
            assert.equal(kind, pack.kind)
            assert(rules.read(source(kind, members, MAY[kind]), "x.lua", kind))
        end
    end)

    it("miss each of them by name", function()
        for kind, members in pairs(MUST) do
            for i, member in ipairs(members) do
                local others = { "check = nil or function() end" }
                for j, other in ipairs(members) do
                    others[#others + 1] = j ~= i and other or nil
                end
                local pack, err = rules.read(source(kind, others), "my/x.lua")
                assert.is_nil(pack)
                assert.matches(("my/x.lua: lacks `%s`"):format(member:match("^%w+")), err, 1, true)
                assert.matches((": a %s pack has `api`,"):format(kind), err, 1, true)
            end
        end
    end)

    it("know no member of another kind", function()
        local pack, err = rules.read(source("keys", MUST.keys, MUST.identities), "x.lua")
        assert.is_nil(pack)
        assert.equal("x.lua: unknown member `identify`: a keys pack has `api`, `check`, `kind`, "
            .. "`name`, and may have `cache`, `files`, `keys`, `lazy`, `limits`, `prefixes`, "
            .. "`start`, `stop`, `types`", err)
    end)

    it("of keys answer through functions", function()
        for members, message in pairs({
            ['keys = { ["aws:SourceIp"] = 1 }'] =
                "x.lua: `keys`: `aws:SourceIp` is a number: give names and functions",
            ["keys = { function() end }"] =
                "x.lua: `keys`: `1` is a function: give names and functions",
            ['keys = {}, prefixes = { ["a/"] = "b" }'] =
                "x.lua: `prefixes`: `a/` is a string: give names and functions",
        }) do
            local pack, err = rules.read(source("keys", { members }), "x.lua", "keys")
            assert.is_nil(pack)
            assert.equal(message, err)
        end
    end)

    it("are told by the pack where nobody asks for one", function()
        assert.equal("tables", rules.read(source("tables", MUST.tables), "x.lua").kind)
        local pack, err = rules.read(source("colors", MUST.tables), "x.lua")
        assert.is_nil(pack)
        assert.equal("x.lua: unknown kind `colors`: there are `flows`, `hooks`, `identities`, "
            .. "`keys`, `services`, `tables`", err)
    end)
end)


describe("private packs", function()
    local FILES = {
        ["acme/mine.lua"] = GOOD,
        ["acme/color.lua"] = (GOOD:gsub("gates", "color = 1, gates")),
    }

    local function read(path)
        return FILES[path], "no such file: check the path"
    end

    it("are loaded from their path", function()
        assert.equal("x", assert(rules.load_file("acme/mine.lua", read)).name)
        assert.equal("x", assert(rules.load_file("acme/mine.lua", read, "flows")).name)
    end)

    it("say which file is wrong", function()
        assert.matches("^acme/color.lua: unknown member `color`",
                       select(2, rules.load_file("acme/color.lua", read)))
        assert.equal("acme/none.lua: no such file: check the path",
                     select(2, rules.load_file("acme/none.lua", read)))
        assert.equal("acme/mine.lua: its kind is `flows`, wanted is `keys`",
                     select(2, rules.load_file("acme/mine.lua", read, "keys")))
    end)
end)


describe("packs based on others", function()
    -- A reader for whom these packs are shipped.
    local function shipped(texts)
        return function(path)
            local text = texts[path:match("([%w_]+)%.lua$")]
            return text, text and nil or "no such file"
        end
    end

    local BASE = [[return { kind = "flows", name = "base", api = 1,
        check = function() return "base check" end, gates = { "base" },
        caller = function() return "base caller" end,
        decide = function() return "base decide" end }]]
    local MIDDLE = [[return { kind = "flows", name = "middle", api = 1, based_on = "base",
        caller = function() return "middle caller" end,
        sees = function() return "middle context" end }]]
    local TOP = [[local pack = { kind = "flows", name = "top", api = 1, based_on = "middle" }
        function pack.decide() return "top, then " .. pack.base.decide() end
        return pack]]
    local read = shipped({ base = BASE, middle = MIDDLE, top = TOP })

    it("have what they do not define from there, however far", function()
        local pack = assert(rules.load("flows", "top", read))
        assert.equal("top", pack.name)
        assert.equal("middle caller", pack.caller())
        assert.equal("middle context", pack.sees())
        assert.equal("base check", pack.check())
        assert.same({ "base" }, pack.gates)
    end)

    it("can go on to the member that they replace", function()
        local pack = assert(rules.load("flows", "top", read))
        assert.equal("top, then base decide", pack.decide())
        assert.equal("middle", pack.base.name)
        assert.equal("base", pack.base.base.name)
        assert.is_nil(pack.base.base.base)
    end)

    it("may be private and named like their base", function()
        local mine = 'return { kind = "flows", name = "iam", api = 1, based_on = "iam" }'
        local pack = assert(rules.read(mine, "mine.lua", "flows", plain.read))
        assert.equal(pack.base.decide, pack.decide)
    end)

    it("say what is wrong with the base", function()
        local function why(text, texts)
            local pack, err = rules.read(text, "x.lua", "flows", texts and shipped(texts))
            assert.is_nil(pack)
            return err
        end
        assert.equal("x.lua: is based on `middle`: that needs a reader", why(TOP))
        assert.matches("^x.lua: is based on `middle`: no flows pack `middle`. Tried:",
                       why(TOP, {}))
        assert.matches("^x.lua: is based on `base`: no flows pack `base`. Tried:",
                       why(TOP, { middle = MIDDLE }))
        assert.matches("^x.lua: is based on `base`: .*base.lua: unknown member `basis`",
                       why(MIDDLE, { base = (BASE:gsub("gates", "basis")) }))
        assert.matches("^x.lua: is based on `../base`: `../base` is not the name of a pack",
                       why((MIDDLE:gsub('"base"', '"../base"')), {}))
        assert.equal("x.lua: is based on `middle`, which is based on itself",
                     why(TOP, { middle = (MIDDLE:gsub('"base"', '"middle"')) }))
        assert.matches("^x.lua: lacks `gates`",
                       why(MIDDLE, { base = (BASE:gsub('gates = { "base" },', "")) }))
        assert.matches("^x.lua: unknown member `base`",
                       why((MIDDLE:gsub("caller =", "base = {}, caller =")), { base = BASE }))
    end)
end)
