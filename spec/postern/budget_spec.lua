local budgets = require("postern.budget")
local environments = require("postern.environment")
local machine = require("spec.support.machine")


-- A budget and the body of a function that runs in it, as of a private pack.
local function made(text, limits, names)
    local env, methods = environments.new(true)
    for name, value in pairs(names or {}) do
        rawset(env, name, value)
    end
    return budgets.new(limits, methods), machine.body(text, env)
end


local function run(text, limits, names, ...)
    local budget, fn = made(text, limits, names)
    local answers = { budget:call(fn, ...) }
    machine.assert_untouched()
    return unpack(answers, 1, 9)
end


local function assert_stopped(what, text, limits, names)
    local ok, err = run(text, limits, names)
    assert.is_false(ok)
    assert.matches(what .. " is used up", err, 1, true)
    return err
end

local TIME, MEMORY = "s of processor time", "MiB of memory"


describe("a budget", function()
    it("lets through what stays within", function()
        assert.same({ true, 3, nil, "x" }, { run("local a, b = ... return a + b, nil, 'x'", nil,
                                                 nil, 1, 2) })
        assert.is_true(run("local t = {} for i = 1, 1000 do t[i] = i end"))
    end)

    it("hands on what is raised", function()
        local ok, err = run("error('boom')")
        assert.is_false(ok)
        assert.equal("pack.lua:1: boom", err)
        local thrown = {}
        ok, err = run("error(thrown)", nil, { thrown = thrown })
        assert.is_false(ok)
        assert.equal(thrown, err)
        assert.same({ false }, { run("error()") })
    end)

    it("stops an endless loop, and says where", function()
        assert.equal("pack.lua:2: the budget of 0.01 s of processor time is used up",
            assert_stopped(TIME, "local n = 0\nwhile true do n = n + 1 end", { seconds = 0.01 }))
        assert_stopped(TIME, "local function f() return f() end f()", { seconds = 0.01 })
    end)

    it("stops a string that doubles and a table that grows", function()
        assert.equal("pack.lua:2: the budget of 1 MiB of memory is used up",
            assert_stopped(MEMORY, "local s = 'x'\nwhile true do s = s .. s end",
                           { memory = 1, seconds = 5 }))
        assert_stopped(MEMORY, "local t = {} for i = 1, 1e9 do t[i] = i end",
                       { memory = 1, seconds = 5 })
        assert_stopped(MEMORY, "local t = {} for i = 1, 1e9 do t[i] = {} end",
                       { memory = 1, seconds = 5 })
    end)

    it("says the place in what was called, not in what that called of ours", function()
        local err = assert_stopped(TIME, "local s = ('a'):rep(400)\n"
            .. "while true do s:find('.-.-b') end", { seconds = 0.001 })
        assert.matches("^pack.lua:2: ", err)
    end)

    it("is each call's own", function()
        local budget, fn = made("local n = 0 while n < 3e4 do n = n + 1 end return n",
                                { seconds = 0.5 })
        for _ = 1, 20 do
            assert.same({ true, 3e4 }, { budget:call(fn) })
        end
    end)

    it("runs methods of strings from the library it is given", function()
        local ok, err = run("return ('x'):rep(2 ^ 22)")
        assert.is_false(ok)
        assert.matches("more than 1048576 bytes", err, 1, true)
        assert.equal(2 ^ 22, #("x"):rep(2 ^ 22))
    end)

    it("stops what is over it when it ends, whatever the number of instructions", function()
        -- Somewhere in here the hook fires behind the last instruction of the function.
        for count = 0, 24 do
            local text = "local s = ('x'):rep(2 ^ 20) local a = 0 " .. ("a = a + 1 "):rep(count)
            for _, last in ipairs({ "return s .. s .. s .. s", "error(s .. s .. s .. s)" }) do
                local ok, value = run(text .. last, { memory = 3, seconds = 5 })
                if ok then
                    assert.equal(2 ^ 22, #value)
                elseif #value < 1000 then
                    assert.matches("MiB of memory is used up", value, 1, true)
                end
            end
        end
        machine.assert_untouched()
    end)
end)


describe("code of ours that a budget calls", function()
    local function outside(...)
        return budgets.outside(...)
    end

    local function charged(...)
        return budgets.charged(...)
    end

    it("runs without a hook and with the real strings", function()
        for _, call in ipairs({ outside, charged }) do
            local seen
            local ok, a, b = run("return call(ours, 1, 2)", nil, { call = call,
                ours = function(x, y)
                    machine.assert_untouched()
                    seen = #("x"):rep(2 ^ 21)
                    return y, x
                end })
            assert.same({ true, 2, 1, 2 ^ 21 }, { ok, a, b, seen })
        end
    end)

    it("comes back into the budget, also after an error", function()
        for _, call in ipairs({ outside, charged }) do
            local ok, err = run("return call(ours)", nil, {
                call = call, ours = function() error("ours", 0) end })
            assert.same({ false, "ours" }, { ok, err })
            assert_stopped(TIME, "call(ours) while true do end", { seconds = 0.01 },
                           { call = call, ours = function() end })
            assert_stopped(MEMORY, "call(ours) local s = 'x' while true do s = s .. s end",
                           { seconds = 5, memory = 1 }, { call = call, ours = function() end })
        end
        assert.equal(5, budgets.outside(function() return 5 end))
        assert.equal(5, budgets.charged(function() return 5 end))
        machine.assert_untouched()
    end)

    local function burn(seconds)
        local till = os.clock() + seconds
        while os.clock() < till do end
    end

    it("is not counted outside, and counted when charged", function()
        assert.is_true(run("call(burn, 0.05) call(burn, 0.05) return true", { seconds = 0.02 },
                           { call = outside, burn = burn }))
        assert_stopped(TIME, "call(burn, 0.05)", { seconds = 0.02 },
                       { call = charged, burn = burn })
        local kept = {}
        local function take(megabytes)
            kept[#kept + 1] = ("x"):rep(megabytes * 2 ^ 20 + #kept)
        end
        assert.is_true(run("call(take, 4) return true", { memory = 2, seconds = 5 },
                           { call = outside, take = take }))
        assert_stopped(MEMORY, "call(take, 4)", { memory = 2, seconds = 5 },
                       { call = charged, take = take })
    end)

    it("gives nobody a new budget, however often it is called", function()
        local none = function() end
        for _, call in ipairs({ outside, charged }) do
            assert_stopped(TIME, "while true do call(none) end", { seconds = 0.01, memory = 64 },
                           { call = call, none = none })
            assert_stopped(MEMORY, "local t = {} while true do t[#t + 1] = {} call(none) end",
                           { seconds = 30, memory = 1 }, { call = call, none = none })
        end
    end)

    it("may have a budget within", function()
        local inner, endless = made("while true do end", { seconds = 0.01 })
        local function ours()
            return inner:call(endless)
        end
        local ok, inner_ok, err = run("local ok, err = call(ours) return ok, err", nil,
                                      { call = outside, ours = ours })
        assert.is_true(ok)
        assert.is_false(inner_ok)
        assert.matches("0.01 s of processor time", err, 1, true)
        -- The outer one goes on where it was, also when the inner one is called from within it.
        assert_stopped("the budget of 0.02 " .. TIME, "call(ours) while true do end",
                       { seconds = 0.02 }, { call = function(fn) return fn() end, ours = ours })
    end)

    it("may wait while others run without a budget", function()
        local budget, fn = made([[
            local before = ("x"):rep(3)
            call(wait)
            local after = ("x"):rep(3)
            call(wait)
            return before .. after .. #own:rep(2)
        ]], nil, { call = outside, wait = coroutine.yield, own = "ab" })
        local task = coroutine.create(function() return budget:call(fn) end)
        assert.is_true(coroutine.resume(task))
        machine.assert_untouched()
        assert.equal(2 ^ 22, #("x"):rep(2 ^ 22))
        -- Another one that runs and ends meanwhile, and one that is stopped.
        local other, endless = made("while true do end", { seconds = 0.01 })
        assert.is_false((other:call(endless)))
        local third, waiting = made("call(wait) while true do end", { seconds = 0.01 },
                                    { call = outside, wait = coroutine.yield })
        local another = coroutine.create(function() return third:call(waiting) end)
        assert.is_true(coroutine.resume(another))
        assert.is_true(coroutine.resume(task))
        machine.assert_untouched()
        local _, ok, err = coroutine.resume(another)
        assert.is_false(ok)
        assert.matches("0.01 s", err, 1, true)
        assert.same({ true, true, "xxxxxx4" }, { coroutine.resume(task) })
        machine.assert_untouched()
    end)

    it("may wait for ever: nobody else is in its budget", function()
        local budget, fn = made("call(wait)", { seconds = 0.001 },
                                { call = outside, wait = coroutine.yield })
        local task = coroutine.create(function() return budget:call(fn) end)
        assert.is_true(coroutine.resume(task))
        task = nil -- luacheck: ignore
        collectgarbage()
        machine.assert_untouched()
        burn(0.01)
        assert.is_true(run("return true"))
    end)
end)
