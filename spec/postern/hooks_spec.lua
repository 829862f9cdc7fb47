local hooks = require("postern.hooks")


-- A runner as `postern.runner` makes it, as far as hooks see it.
local function runner(name, members)
    local pack = { kind = "hooks", name = name, api = 1 }
    for member, value in pairs(members) do
        pack[member] = value
    end
    return { pack = pack, config = { of = name }, tools = { tools_of = name } }
end

local function new(...)
    return assert(hooks.new({ ... }, function() error("nothing to tell") end))
end

local function decision(members)
    local made = { allowed = true, decision = "Allowed", reason = "x", status = 200,
                   gates = { resource = "Allowed" } }
    for name, value in pairs(members or {}) do
        made[name] = value
    end
    return made
end

local function answering(answer)
    return function() return answer end
end


describe("hooks", function()
    it("are none where no pack has any", function()
        assert.is_nil(hooks.new({}, print))
    end)

    it("run by priority, then by name", function()
        local order = {}
        local function noting(name, priority)
            local function note() order[#order + 1] = name end
            return runner(name, { priority = priority, before = note, after = note, log = note })
        end
        local all = new(noting("d", 200), noting("c"), noting("b", 100), noting("a", 300),
                        noting("z", -1))
        local EXPECTED = { "z", "b", "c", "d", "a" }
        for _, phase in ipairs({ "before", "after", "log" }) do
            order = {}
            assert.is_nil(all[phase](all, {}, decision()))
            assert.same(EXPECTED, order)
        end
    end)

    -- The JIT, once it had compiled the loop that sorts hooks by phase, left out every other one.
    it("are all there, however often they are made", function()
        for turn = 1, 300 do
            local order = {}
            local function noting(name)
                return runner(name, { after = function() order[#order + 1] = name end })
            end
            new(noting("a"), noting("b"), noting("c")):after({}, decision())
            assert.equal("a b c", table.concat(order, " "), turn)
        end
    end)

    it("get the context, a view of the decision, their configuration and their tools", function()
        local context, decided, got = {}, decision(), {}
        local all = new(runner("x", {
            before = function(...) got.before = { ... } end,
            after = function(...) got.after = { ... } end,
            log = function(...) got.log = { ... } end,
        }))
        all:before(context)
        all:after(context, decided)
        all:log(context, decided)
        assert.equal(context, got.before[1])
        assert.same({ { of = "x" }, { tools_of = "x" } }, { unpack(got.before, 2) })
        for _, phase in ipairs({ "after", "log" }) do
            assert.equal(context, got[phase][1])
            assert.is_true(got[phase][2].allowed)
            assert.not_equal(decided, got[phase][2])
            assert.not_equal(decided.gates, got[phase][2].gates)
            assert.same({ of = "x" }, got[phase][3])
        end
    end)

    it("deny before, the first of them alone", function()
        local all = new(
            runner("a", { before = answering(nil) }),
            runner("b", { before = answering({ deny = "too many", status = 429,
                                               headers = { ["Retry-After"] = "1" } }) }),
            runner("c", { before = function() error("never asked") end }))
        assert.same({ reason = "hook", error = "too many", status = 429, hook = "hooks/b",
                      headers = { ["Retry-After"] = "1" } }, all:before({}))
        assert.equal(403, new(runner("x", { before = answering({ deny = "" }) })):before({}).status)
    end)

    it("deny after what was allowed, with what others added", function()
        local decided = decision()
        local all = new(
            runner("a", { after = answering({ headers = { A = "1", B = "1" },
                                              obligations = { log = "all" } }) }),
            runner("b", { after = answering({ deny = "no", status = 451,
                                              headers = { B = "2" } }) }),
            runner("c", { after = function() error("never asked") end }))
        assert.same({ reason = "hook", error = "no", status = 451, hook = "hooks/b",
                      headers = { A = "1", B = "2" }, obligations = { log = "all" } },
                    all:after({}, decided))
        assert.is_true(decided.allowed)
    end)

    it("leave a deny what it is, and may add to it", function()
        local decided = decision({ allowed = false, decision = "ExplicitlyDenied" })
        local asked = false
        local all = new(
            runner("a", { after = answering({ deny = "mine", headers = { A = "1" } }) }),
            runner("b", { after = function() asked = true end }))
        assert.is_nil(all:after({}, decided))
        assert.is_true(asked)
        assert.same({ A = "1" }, decided.headers)
        assert.equal("ExplicitlyDenied", decided.decision)
    end)

    it("see what those before them added", function()
        local seen
        new(runner("a", { after = answering({ obligations = { mask = "email" } }) }),
            runner("b", { after = function(_, view) seen = view.obligations end }))
            :after({}, decision())
        assert.same({ mask = "email" }, seen)
    end)

    it("that fail deny", function()
        for message, answer in pairs({
            ["boom"] = function() error("boom", 0) end,
            ["an error that is a table"] = function() error({}) end,
            ["that is a table"] = function() error(setmetatable({}, { __tostring = error })) end,
            ["no database"] = function() return nil, "no database" end,
            ["answered something that is no plain table"] = answering(true),
            ["something that is no plain table"] = answering("deny"),
            ["that is no plain table"] = answering(setmetatable({}, {})),
            ["is no plain table"] = answering(setmetatable({}, { __metatable = false })),
            ["answered the unknown member `allowed`"] = answering({ allowed = true }),
            ["answered the unknown member `1`"] = answering({ "deny" }),
            ["answered a `deny` that is a boolean: make it a string"] = answering({ deny = true }),
            ["answered a `status` that is a string"] = answering({ deny = "x", status = "403" }),
            ["answered a `status` that denies nothing"] = answering({ deny = "x", status = 200 }),
            ["a `status` that denies nothing"] = answering({ deny = "x", status = 0 / 0 }),
            ["`status` that denies nothing"] = answering({ deny = "x", status = 403.5 }),
            ["`headers` that are not names with texts"] = answering({ deny = "x",
                headers = { A = 1 } }),
            ["that are not names with texts of 8192 bytes"] = answering({ deny = "x",
                headers = { A = ("x"):rep(8193) } }),
            ["`deny` of more than 8192 bytes"] = answering({ deny = ("x"):rep(8193) }),
        }) do
            for _, phase in ipairs({ "before", "after" }) do
                for _, allowed in ipairs({ true, false }) do
                    local all = new(runner("x", { [phase] = answer }))
                    local deny = all[phase](all, {}, decision({ allowed = allowed }))
                    assert.equal("error", deny.reason)
                    assert.equal("hooks/x", deny.hook)
                    assert.matches("the hook `hooks/x` failed: ", deny.error, 1, true)
                    assert.matches(message, deny.error, 1, true)
                end
            end
        end
    end)

    it("cannot break the lines of an answer, nor say where it ends", function()
        for _, headers in ipairs({
            { ["A\r\nSet-Cookie"] = "x" }, { A = "x\r\nSet-Cookie: y" }, { A = "x\ny" },
            { A = "\0" }, { A = "\27[0m" }, { A = "\127" }, { [""] = "x" }, { ["A B"] = "x" },
            { ["A:"] = "x" }, { ["Content-Length"] = "0" }, { ["transfer-encoding"] = "chunked" },
            { CONNECTION = "close" },
        }) do
            for _, phase in ipairs({ "before", "after" }) do
                local all = new(runner("x", { [phase] = answering({ deny = "x",
                                                                    headers = headers }) }))
                assert.matches("answered `headers` that are none",
                               all[phase](all, {}, decision()).error, 1, true)
            end
        end
        local all = new(runner("x", { after = answering({ headers = { ["X-A"] = "a\tb é" } }) }))
        assert.is_nil(all:after({}, decision()))
    end)

    it("say what they mean: no status without a deny, nothing else before", function()
        for phase, answers in pairs({ before = { {}, { status = 429 }, { headers = {} } },
                                      after = { { status = 429 } } }) do
            for _, answer in ipairs(answers) do
                local all = new(runner("x", { [phase] = answering(answer) }))
                local deny = all[phase](all, {}, decision())
                assert.equal("error", deny.reason)
                assert.matches("answered without a `deny`: say why", deny.error, 1, true)
            end
        end
        assert.is_nil(new(runner("x", { after = answering({}) })):after({}, decision()))
        local deny = new(runner("x", { before = answering({ deny = "x", obligations = {} }) }))
            :before({})
        assert.matches("unknown member `obligations`", deny.error, 1, true)
    end)

    it("of the log tell when they fail, more and more seldom", function()
        local told, ran = {}, 0
        local all = assert(hooks.new({
            runner("a", { log = function() error("boom", 0) end }),
            runner("b", { log = function()
                ran = ran + 1
                return { deny = "too late" }
            end }),
        }, function(message) told[#told + 1] = message end))
        for _ = 1, 9 do
            assert.is_nil(all:log({}, decision()))
        end
        assert.equal(9, ran)
        assert.equal(9, all.failures)
        assert.same({ "1", "2", "4", "8" }, (function()
            local counts = {}
            for i, message in ipairs(told) do
                counts[i] = message:match("^the hook `hooks/a` failed: boom %((%d+) failures")
            end
            return counts
        end)())
    end)
end)
