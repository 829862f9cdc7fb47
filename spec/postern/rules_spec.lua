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
            .. "`name`, and may have `cache`, `files`, `keys`, `lazy`, `limits`, `plan`, "
            .. "`prefixes`, `start`, `stop`, `types`", err)
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

    it("that run have limits, files and what they cache", function()
        for members, message in pairs({
            ["limits = { second = 1 }"] = "`limits`: unknown limit `second`: there are",
            ["limits = { seconds = 0 }"] = "`limits`: `seconds`: give a number above 0",
            ["limits = { memory = 'x' }"] = "`limits`: `memory`: give a number above 0",
            ["limits = { pause = 0 / 0 }"] = "`limits`: `pause`: give a number above 0",
            ["limits = { open = 'allow' }"] =
                "`limits`: `open` is `allow`: give `deny` or `absent`",
            ["limits = 1"] = "`limits` is a number: make it a table",
            ["cache = { ['aws:SourceIp'] = true }"] = "`cache`: `aws:SourceIp`: give `{ seconds =,",
            ["cache = { ['aws:SourceIp'] = { seconds = 1 } }"] = "`cache`: `aws:SourceIp`: give",
            ["cache = { ['aws:SourceIp'] = { seconds = 0 / 0, by = tostring } }"] =
                "`cache`: `aws:SourceIp`: give",
            ["cache = { ['aws:SourceIp'] = { seconds = -1, by = tostring } }"] =
                "`cache`: `aws:SourceIp`: give",
            ["cache = { ['aws:SourceVpc'] = { connection = true } }"] =
                "`cache`: `aws:SourceVpc` is no key of the pack",
        }) do
            local pack, err = rules.read(source("keys", MUST.keys, { members }), "x.lua")
            assert.is_nil(pack)
            assert.matches("x.lua: " .. message, err, 1, true)
        end
        local pack, err = rules.read(source("hooks", MUST.hooks, { "priority = 0 / 0" }), "x.lua")
        assert.is_nil(pack)
        assert.matches("`priority` is no number", err, 1, true)
        for _, kind in ipairs({ "flows", "services", "identities", "tables" }) do
            pack, err = rules.read(source(kind, MUST[kind], { "limits = {}" }), "x.lua")
            assert.is_nil(pack)
            assert.matches("unknown member `limits`", err, 1, true)
        end
    end)

    it("of hooks and keys have one of what they are for", function()
        for kind, members in pairs({ hooks = "`before` or `after` or `log`",
                                     keys = "`keys` or `prefixes`" }) do
            local pack, err = rules.read(source(kind, { "limits = {}" }), "x.lua")
            assert.is_nil(pack)
            assert.matches("x.lua: lacks " .. members .. ": a " .. kind .. " pack has", err, 1,
                           true)
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


describe("what runs of a private pack", function()
    local machine = require("spec.support.machine")

    local function private(text, limits)
        local pack, err = rules.load_file("mine.lua", function() return text end, nil, limits)
        machine.assert_untouched()
        return pack, err
    end

    local function keys_pack(members)
        return ([[local thing = { n = 0 }
            return { kind = "keys", name = "mine", api = 1,
                check = function() return true end, %s }]]):format(members)
    end

    local LOOP = keys_pack('keys = { ["acme:a"] = function() while true do end end }')

    it("stays within its budget: what it says, or the estate in its place", function()
        for members, row in pairs({
            [""] = { nil, "0.05 s" }, ["limits = { seconds = 0.01 },"] = { nil, "0.01 s" },
            ["limits = { seconds = 60 },"] = { { seconds = 0.02 }, "0.02 s" },
        }) do
            local pack = assert(private(LOOP:gsub("keys =", members .. " keys =", 1), row[1]))
            local ok, err = pcall(pack.keys["acme:a"], {}, {}, {})
            machine.assert_untouched()
            assert.is_false(ok)
            assert.matches("the budget of " .. row[2], err, 1, true)
        end
        local pack = assert(private((keys_pack([[keys = { ["acme:a"] = function()
            local s = "x" while true do s = s .. s end end }]])), { memory = 1, seconds = 9 }))
        local ok, err = pcall(pack.keys["acme:a"], {}, {}, {})
        assert.is_false(ok)
        assert.matches("1 MiB of memory", err, 1, true)
    end)

    it("is every function of it", function()
        local pack = assert(private(keys_pack([[
            start = function() while true do end end, stop = function() while true do end end,
            prefixes = { ["acme:"] = function() while true do end end },
            keys = { ["acme:a"] = function() end },
            limits = { seconds = 0.005 },
            cache = { ["acme:a"] = { seconds = 1, by = function() while true do end end } }]])))
        for name, fn in pairs({ start = pack.start, stop = pack.stop,
                                prefix = pack.prefixes["acme:"],
                                by = pack.cache["acme:a"].by }) do
            local ok, err = pcall(fn, {}, {}, {}, {})
            assert.is_false(ok, name)
            assert.matches("0.005 s of processor time", err, 1, true)
        end
        machine.assert_untouched()
    end)

    it("cannot be changed by what its file keeps", function()
        -- Functions put into the pack's own table later would run without a budget, and would get
        -- the context itself.
        local pack = assert(private([[
            local pack = { kind = "keys", name = "mine", api = 1, keys = {}, prefixes = {},
                           cache = { a = { seconds = 1, by = function() return "x" end } },
                           types = { a = "string" }, limits = { timeout = 1 } }
            local function evil(context) context.principal.arn = "admin" return "evil" end
            function pack.keys.a() return "good" end
            function pack.check() return true end
            function pack.start()
                pack.keys.a, pack.keys.b, pack.prefixes.b = evil, evil, evil
                pack.check, pack.stop, pack.cache.a.by = evil, evil, evil
                pack.types.a, pack.limits.timeout, pack.name = "ip", 99, "network"
            end
            return pack]]))
        assert.is_nil((pack.start({}, {})))
        local context = { principal = { arn = "me" } }
        assert.equal("good", pack.keys.a(context, {}, {}))
        assert.is_true(pack.check({}))
        assert.equal("x", pack.cache.a.by(context))
        assert.same({ nil, nil }, { pack.keys.b, pack.prefixes.b, pack.stop })
        assert.same({ "string", 1, "mine" }, { pack.types.a, pack.limits.timeout, pack.name })
        assert.equal("me", context.principal.arn)
    end)

    it("is told of the call by a view that it cannot write", function()
        local pack = assert(private(keys_pack([[keys = {
            write = function(context) context.now = 0 end,
            copy = function(context) context.http.method = "GET" return context.http.method end,
            call = function(context) return context.fn == nil end,
        }]])))
        local context = { now = 5, http = { method = "PUT" }, fn = print }
        local ok, err = pcall(pack.keys.write, context)
        assert.is_false(ok)
        assert.matches("the context is read-only: `now` cannot be set", err, 1, true)
        assert.equal("GET", pack.keys.copy(context))
        assert.is_true(pack.keys.call(context))
        assert.same({ now = 5, http = { method = "PUT" }, fn = print }, context)
    end)

    it("cannot change the library that checks it", function()
        for _, trick in ipairs({ "string.sub = function() return '' end",
                                 "string.find = function() end",
                                 "string.format = function() while true do end end" }) do
            local pack = assert(private("local text = ('a'):rep(400) " .. trick .. "\n"
                .. keys_pack('keys = { a = function() return text:find(".-.-.-.-b") end, '
                    .. 'b = function() while true do end end }')))
            local ok, err = pcall(pack.keys.a, {})
            assert.is_false(ok)
            assert.matches("could take too long", err, 1, true)
            ok, err = pcall(pack.keys.b, {})
            assert.is_false(ok)
            assert.matches("of processor time is used up", err, 1, true)
            machine.assert_untouched()
        end
    end)

    it("raises texts, and not endless ones", function()
        local pack = assert(private(keys_pack([[keys = {
            table = function() error({ "x" }) end, none = function() error() end,
            context = function(context) error(context) end,
            long = function() error(("x"):rep(100000), 0) end,
        }]])))
        for name, message in pairs({ table = "an error that is a table",
                                     none = "an error that is a nil",
                                     context = "an error that is a table",
                                     long = ("x"):rep(1000) .. "..." }) do
            local ok, err = pcall(pack.keys[name], {})
            assert.is_false(ok)
            assert.equal(message, err)
        end
    end)

    it("is stopped while it loads, too", function()
        for text, message in pairs({
            ["while true do end"] = "the budget of 0.05 s of processor time is used up",
            ["local s = 'x' while true do s = s .. s end"] = "MiB of memory is used up",
            ["x = 1"] = "`x` would be a global: write `local x`",
            ["error({})"] = "an error that is a table",
        }) do
            local pack, err = private(text)
            assert.is_nil(pack)
            assert.matches("^mine.lua: fails while loading: ", err)
            assert.matches(message, err, 1, true)
        end
    end)

    it("may hold no data without an end", function()
        local text = keys_pack("types = thing, keys = { a = function() end }")
            :gsub("n = 0 }", "} thing.thing = thing", 1)
        local pack, err = private(text)
        assert.is_nil(pack)
        assert.equal("mine.lua: nested too deep", err)
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

    it("do not promise of their own caller what the base promises of its", function()
        local base = (BASE:gsub("gates =", "keeps_caller = true, gates ="))
        local plainly = 'return { kind = "flows", name = "plainly", api = 1, based_on = "base" }'
        local own = plainly:gsub(" }$", ", caller = function() end }")
        local files = shipped({ base = base })
        assert.is_true(assert(rules.read(plainly, "x.lua", "flows", files)).keeps_caller)
        assert.is_nil(assert(rules.read(own, "x.lua", "flows", files)).keeps_caller)
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

    it("run what they have of it as that does, and the rest within their budget", function()
        local base = [[return { kind = "flows", name = "base", api = 1, gates = {},
            check = function() return #("x"):rep(2 ^ 21) end,
            caller = function() return #("x"):rep(2 ^ 21) end, decide = function() end }]]
        local mine = [[local pack = { kind = "flows", name = "mine", api = 1, based_on = "base" }
            function pack.caller() return pack.base.caller() + #("x"):rep(5) end
            function pack.decide() return ("x"):rep(2 ^ 21) end
            function pack.sees() while true do pack.base.caller() end end
            return pack]]
        local pack = assert(rules.load_file("mine.lua", function(path)
            return path == "mine.lua" and mine or shipped({ base = base })(path)
        end))
        assert.equal(2 ^ 21, pack.check())
        assert.equal(2 ^ 21 + 5, pack.caller())
        local ok, err = pcall(pack.decide)
        assert.is_false(ok)
        assert.matches("a text of more than 1048576 bytes", err, 1, true)
        ok, err = pcall(pack.sees)
        assert.is_false(ok)
        assert.matches("of processor time is used up", err, 1, true)
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
