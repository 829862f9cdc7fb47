local tools = require("postern.tools")
local budgets = require("postern.budget")
local environments = require("postern.environment")
local identities = require("postern.identities")
local fakes = require("postern.testing.fakes")
local plain = require("postern.host.plain")
local machine = require("spec.support.machine")


local function host_of(faked, members)
    local host = {
        read = plain.read, now = faked.now, log = function(line)
            faked.lines[#faked.lines + 1] = line
        end,
        open = function() return nil, "none" end, principal = identities.principal,
        operations = faked.host,
    }
    for name, value in pairs(members or {}) do
        host[name] = value
    end
    return host
end

local function new(members, faked)
    return tools.new(host_of(faked or fakes.new({}), members))
end

-- Runs a text with `tools` within a budget.
local function within(text, all, limits)
    local env, methods = environments.new(true)
    local answers = { budgets.new(limits, methods):call(machine.body(text, env), all) }
    machine.assert_untouched()
    return unpack(answers, 1, 9)
end


describe("the tools of packs", function()
    it("are what the contract names", function()
        local all = new()
        local NAMES = { "now", "log", "sha256", "hmac_sha256", "equal", "hex", "base64_decode",
                        "principal", "json_decode", "json_encode", "cidr", "glob", "local_time",
                        "mmdb", "writer", "open", "sleep", "http", "resolve", "connect", "work" }
        for _, name in ipairs(NAMES) do
            assert.is_function(all[name])
        end
        local count = 0
        for _ in pairs(all) do
            count = count + 1
        end
        assert.equal(#NAMES, count)
    end)

    it("do their work", function()
        local faked = fakes.new({ now = 7, dns = { ["a.test"] = { "192.0.2.1" } } })
        local all = new(nil, faked)
        assert.equal(7, all.now())
        assert.equal("ba7816bf", all.hex(all.sha256("abc")):sub(1, 8))
        assert.equal(32, #all.hmac_sha256("k", "t"))
        assert.is_true(all.equal("a", "a"))
        assert.equal("abc", all.base64_decode("YWJj"))
        assert.equal("user", all.principal("arn:aws:iam::111122223333:user/a").kind)
        assert.equal(2024, all.local_time("Europe/Berlin", fakes.START).year)
        assert.equal(1, assert(all.cidr({ "10.0.0.0/8" })):match("10.1.1.1"))
        assert.equal(2, assert(all.glob({ "x", "a*" })):match("abc"))
        assert.same({ "192.0.2.1" }, all.resolve("a.test"))
        all.sleep(3)
        assert.equal(10, all.now())
        assert.equal(3, all.work("return ... + 1", 2))
    end)

    it("answer what cannot be made with nil and why", function()
        local all = new()
        for name, argument in pairs({
            cidr = { "10.0.0.0/99" }, mmdb = "/dev/null", local_time = "Nowhere/Land",
            base64_decode = "?", json_decode = "{", principal = "nobody", open = "x.lua",
        }) do
            local value, err = all[name](argument)
            assert.is_nil(value, name)
            assert.not_nil(err, name)
        end
    end)

    it("say that a host has none", function()
        local all = tools.new({ read = plain.read, now = os.time, log = print })
        for _, name in ipairs({ "sleep", "http", "resolve", "connect", "writer" }) do
            assert.same({ nil, ("this host has no `%s`"):format(name) }, { all[name]("x") })
        end
        assert.same({ nil, "this host has no `work`" }, { all.work("return 1") })
    end)

    it("read and write JSON strictly, and no more of it than is sensible", function()
        local all = new()
        assert.same({ a = { 1, "x" } }, all.json_decode('{"a":[1,"x"]}'))
        assert.equal('{"a":[1,"x"]}', all.json_encode({ a = { 1, "x" } }))
        for _, text in ipairs({ "NaN", '{"a":Infinity}', "{", ("["):rep(40) .. ("]"):rep(40) }) do
            assert.is_nil((all.json_decode(text)))
        end
        local twice, circle = {}, {}
        for _ = 1, 30 do
            twice = { twice, twice }
        end
        circle[1] = circle
        local many = {}
        for i = 1, 70000 do
            many[i] = i
        end
        for _, value in ipairs({ 0 / 0, { math.huge }, twice, circle, many, { ("x"):rep(2 ^ 21) },
                                 { print }, { [("x"):rep(2 ^ 21)] = 1 } }) do
            local text, err = all.json_encode(value)
            assert.is_nil(text)
            assert.is_string(err)
        end
        assert.is_string((all.json_encode({ ("x"):rep(2 ^ 19) })))
    end)

    it("write lines for the operator that stay lines", function()
        local faked = fakes.new({})
        local all = new(nil, faked)
        all.log("one\ntwo\27[0m")
        all.log(("x"):rep(10000))
        all.log(nil)
        assert.equal("one?two?[0m", faked.lines[1])
        assert.equal(4099, #faked.lines[2])
        assert.equal("nil", faked.lines[3])
    end)

    it("take no bytecode", function()
        local all = new()
        for _, source in ipairs({ string.dump(function() return 1 end), 5, false }) do
            assert.same({ nil, "give the text of a function" }, { all.work(source) })
        end
    end)

    it("name callers by text only", function()
        local value, err = new().principal({ arn = "arn:aws:iam::111122223333:user/a" })
        assert.is_nil(value)
        assert.equal("the principal is a table: give an ARN", err)
    end)

    it("show objects by their methods and nothing else", function()
        local faked = fakes.new({})
        local all = new(nil, faked)
        local SHOWN = {
            [all.cidr({ "10.0.0.0/8" })] = { "match" }, [all.glob({ "*" })] = { "match" },
            [all.writer("x")] = { "close", "write" },
        }
        for object, names in pairs(SHOWN) do
            local found = {}
            for name in pairs(object) do
                found[#found + 1] = name
            end
            table.sort(found)
            assert.same(names, found)
            assert.is_nil(getmetatable(object))
        end
    end)

    it("remember the writers that packs open", function()
        local faked = fakes.new({})
        local all, writers = new(nil, faked)
        assert.is_true(all.writer("x"):write("line"))
        assert.same({ "line" }, faked.lines)
        assert.equal(1, #writers)
        assert.is_true(writers[1]:reopen())
    end)

    it("open other estates and show what they decide", function()
        local asked
        local decided = setmetatable({ allowed = true, decision = "Allowed", reason = "x",
            trace = { secret = 1 }, gates = { identity = "Allowed" } }, { __index = {
            explain = function() return "secrets" end } })
        local all = new({ open = function(path)
            return { authorize = function(_, request)
                asked = { path, request.api }
                return decided
            end, close = function() error("not yours") end }
        end })
        local other = assert(all.open("x.lua"))
        assert.is_nil(other.close)
        local decision = other:authorize({ api = "a" })
        assert.same({ "x.lua", "a" }, asked)
        assert.same({ allowed = true, decision = "Allowed", reason = "x", headers = {},
                      obligations = {}, gates = { identity = "Allowed" } }, decision)
        assert.is_nil(getmetatable(decision))
    end)
end)


describe("tools within a budget", function()
    it("work outside of it", function()
        local seen = {}
        local all = new({ now = function()
            machine.assert_untouched()
            seen[#seen + 1] = "now"
            return 5
        end })
        local ok, now = within("return ({ ... })[1].now()", all)
        assert.same({ true, 5 }, { ok, now })
        assert.same({ "now" }, seen)
        local digits
        ok, digits = within("local tools = ... return #tools.hex(('x'):rep(100000))", all,
                            { seconds = 5 })
        assert.same({ true, 200000 }, { ok, digits })
    end)

    it("cost what they compute", function()
        local all = new()
        for _, text in ipairs({
            "while true do tools.sha256(big) end", "while true do tools.hex(big) end",
            "while true do tools.now() end", "while true do tools.glob{ 'a*' } end",
            "local m = tools.cidr{ '10.0.0.0/8' } while true do m:match('10.0.0.1') end",
            "while true do tools.json_encode({ 1, 2, 3 }) end",
            "while true do tools.log('x') end",
        }) do
            local ok, err = within("local tools = ... local big = ('x'):rep(2 ^ 16) " .. text,
                                   all, { seconds = 0.02, memory = 1000 })
            assert.is_false(ok)
            assert.matches("0.02 s of processor time is used up", err, 1, true)
        end
    end)

    it("survive every kind of argument", function()
        local faked = fakes.new({})
        local all = new(nil, faked)
        local null = all.json_decode("null")
        local values = { false, true, 0, -1, 0 / 0, 2 ^ 53, "", "\0", ("x"):rep(70000), {}, { 1 },
                         { {} }, { "a", nil, "b" }, { [3] = "x" }, print, null, { null },
                         { kind = 5 }, { kind = {} } }
        for _, name in ipairs({ "sha256", "hmac_sha256", "equal", "hex", "base64_decode", "mmdb",
                                "principal", "json_decode", "json_encode", "cidr", "glob",
                                "local_time", "now", "open" }) do
            for _, value in ipairs(values) do
                for _, second in ipairs(values) do
                    local ok, object = pcall(all[name], value, second)
                    if ok and type(object) == "table" and object.match then
                        pcall(object.match, object, second)
                    end
                end
                pcall(all[name], nil, value)
            end
        end
        machine.assert_untouched()
        assert.equal(3, #all.sha256("x"):sub(1, 3))
    end)
end)


describe("the tools of one pack", function()
    it("are a table of its own", function()
        local shared = new()
        local one = tools.of_pack(shared, { limits = { timeout = 1 } }, true)
        local other = tools.of_pack(shared, { limits = {} }, true)
        one.now = function() return "never" end
        assert.is_number(other.now())
        assert.is_number(shared.now())
        assert.same({ timeout = 1 }, one.limits)
    end)

    it("do not wait unless the pack is lazy", function()
        local shared = new()
        local one = tools.of_pack(shared, {}, false)
        for _, name in ipairs({ "sleep", "http", "resolve", "connect", "work" }) do
            assert.same({ nil, ("`%s` waits, which only a lazy keys pack may do"):format(name) },
                        { one[name](1) })
        end
        assert.equal(shared.now, one.now)
        assert.equal(shared.http, tools.of_pack(shared, {}, true).http)
    end)
end)
