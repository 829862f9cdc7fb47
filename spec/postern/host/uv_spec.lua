local uv = require("luv")
local hosts = require("postern.host.uv")
local loop = require("spec.support.loop")


describe("the libuv host", function()
    local host, logged, before

    before_each(function()
        before = loop.open_handles()
        logged = {}
        host = hosts.new({ log = function(line) logged[#logged + 1] = line end })
    end)

    after_each(function()
        host:close()
        assert.equal(before, loop.open_handles())
        assert.is_nil(next(host.loop.handles))
    end)

    local function block(method, ...)
        return host:block(host[method], host, ...)
    end

    describe("task", function()
        it("is waited for, with all its results", function()
            assert.same({ n = 4, 1, nil, 3, nil }, (function(...)
                return { n = select("#", ...), ... }
            end)(host:block(function()
                local task = host:spawn(function(...)
                    host:sleep(0.001)
                    return ...
                end, 1, nil, 3, nil)
                return task:wait()
            end)))
        end)

        it("that raises is told, and the loop goes on", function()
            host:spawn(function()
                host:sleep(0)
                error("oops")
            end)
            local rest = host:spawn(function()
                host:sleep(0.005)
                return "still here"
            end)
            assert.is_true(host:run())
            assert.equal("still here", rest:wait())
            assert.equal(1, #logged)
            assert.matches("a task raised: .*oops", logged[1])
        end)

        it("hands its error to the one that waits", function()
            local ok, err = host:block(function()
                return host:spawn(function()
                    host:sleep(0)
                    error("oops", 0)
                end):wait()
            end)
            assert.same({ nil, "oops" }, { ok, err })
            assert.same({}, logged)
        end)

        it("may yield across pcall", function()
            assert.equal("1", host:block(function()
                local _, err = pcall(function()
                    host:sleep(0.001)
                    error(1, 0)
                end)
                return tostring(err)
            end))
        end)

        it("raises through block", function()
            assert.error_matches(function()
                host:block(function() error("oops") end)
            end, "oops")
            assert.same({}, logged)
        end)

        it("that nothing will ever wake is not waited for", function()
            assert.same({ nil, "it waits for what nothing will bring" },
                { host:block(function() host:ticket():wait() end) })
            host:spawn(function() host:ticket():wait() end)
            assert.is_false(host:run())
        end)

        it("ends where it waits when it is cancelled", function()
            local went_on = false
            local task = host:spawn(function()
                host:sleep(60)
                went_on = true
            end)
            assert.is_true(task:cancel("enough"))
            assert.is_false(task:cancel())
            assert.is_true(host:run())
            assert.same({ nil, "enough" }, { task:wait() })
            assert.is_false(went_on)
        end)
    end)

    it("sleeps a thousand times at once", function()
        local awake = 0
        for i = 1, 1000 do
            host:spawn(function()
                host:sleep((i % 10) / 1000)
                awake = awake + 1
            end)
        end
        assert.is_true(host:run())
        assert.equal(1000, awake)
    end)

    it("knows two times", function()
        assert.is_true(math.abs(host:now() - os.time()) < 5)
        local start = host:monotonic()
        block("sleep", 0.02)
        assert.is_true(host:monotonic() - start >= 0.019)
    end)

    it("limits time", function()
        assert.same({ nil, "timed out after 0.01 seconds", "timeout" },
            { block("timeout", 0.01, host.sleep, host, 60) })
        assert.same({ nil, "timed out after 1 second", "timeout" },
            { block("timeout", 1, host.sleep, host, 60) })
        assert.same({ "a", "b" }, { block("timeout", 60, function(...) return ... end, "a", "b") })
        assert.same({ nil, "oops" }, { block("timeout", 60, function() error("oops", 0) end) })
    end)

    it("raises at misuse", function()
        assert.error_matches(function() host:sleep(1) end, "no task that could wait")
        for _, call in ipairs({
            { "unknown option `x`", hosts.new, { x = 1 } },
            { "give a number of seconds", block, "sleep", -1 },
            { "give a number of seconds", block, "sleep", "1" },
            { "give a number of seconds", block, "timeout", 0 / 0, print },
            { "unknown option `hosts`", block, "connect", { hosts = "a" } },
            { "`host`: give a name", block, "connect", {} },
            { "`port`: give a number", block, "connect", { host = "a", port = 0 } },
            { "`path`: give the path", block, "connect", { path = "a\0b" } },
            { "unknown option `uri`", block, "http", { uri = "http://a/" } },
            { "`timeout`: give a number", block, "http", { url = "http://a/", timeout = 0 } },
            { "`source`: give Lua text", block, "work", print },
            { "value 1 is a table", block, "work", "return 1", {} },
            { "at most 8 values", block, "work", "return 1", 1, 2, 3, 4, 5, 6, 7, 8, 9 },
            { "unknown option `lines`", host.writer, host, "/tmp/x", { lines = 1 } },
            { "`poll`: give a number", host.watch, host, { "/tmp" }, print, { poll = -1 } },
            { "unknown option `tries`", host.gate, host, { tries = 1 } },
            { "a task cannot block", block, "block", print },
        }) do
            assert.error_matches(function() call[2](unpack(call, 3)) end, call[1])
        end
    end)

    describe("looking up", function()
        it("gives every address once", function()
            local addresses = assert(block("resolve", "localhost"))
            assert.is_true(addresses[1] == "127.0.0.1" or addresses[1] == "::1")
            assert.same({ "192.0.2.1" }, block("resolve", "192.0.2.1"))
            assert.same({ "2001:db8::1" }, block("resolve", "2001:db8::1"))
        end)

        it("is done a few at a time, and cancelled without losing a place", function()
            local found = 0
            local tasks = {}
            for i = 1, 40 do
                tasks[i] = host:spawn(function()
                    assert(host:resolve("localhost"))
                    found = found + 1
                end)
            end
            assert.equal(2, host.lookups.used)
            for i = 1, 20 do
                tasks[i]:cancel()
            end
            host:run()
            assert.equal(20, found)
            host.loop:run_until(function() return host.lookups.used == 0 end)
            assert.equal(0, host.lookups.used)
        end)

        it("says when there is none", function()
            local addresses, err = block("resolve", "no-such-host.invalid")
            assert.is_nil(addresses)
            assert.matches("`no-such-host.invalid`: ", err, 1, true)
            assert.same({ nil, "not the name of a host" }, { block("resolve", "a b") })
            assert.same({ nil, "not the name of a host" }, { block("resolve", "") })
        end)
    end)

    describe("work", function()
        it("runs in a thread of its own", function()
            assert.same({ 3, "ab", true }, { block("work", [[
                local a, b, c, d = ...
                return a + b, c .. "b", d
            ]], 1, 2, "a", true) })
            assert.same({}, { block("work", "return") })
            assert.same({ "nil", nil, 1 }, { block("work", "return type(...), nil, 1", nil) })
        end)

        it("that raises answers why", function()
            assert.same({ nil, "work:1: oops" }, { block("work", "error('oops')") })
            local _, err = block("work", "return =")
            assert.matches("work:1: unexpected symbol", err)
            _, err = block("work", "return {}")
            assert.matches("it answers a table", err)
            _, err = block("work", "return 1, 2, 3, 4, 5, 6, 7, 8, 9")
            assert.matches("more than 8 values", err)
        end)

        it("is not lost to the collector", function()
            local done = 0
            for i = 1, 50 do
                host:spawn(function()
                    assert(host:work("return ...", i) == i)
                    done = done + 1
                end)
                collectgarbage()
            end
            host:run()
            assert.equal(50, done)
        end)

        it("is done beside the loop", function()
            local ticks = 0
            local ticker = host:spawn(function()
                while true do
                    host:sleep(0.001)
                    ticks = ticks + 1
                end
            end)
            assert.equal(1, block("work", "local t = os.clock() + 0.1 "
                .. "while os.clock() < t do end return 1"))
            ticker:cancel()
            assert.is_true(ticks > 0)
        end)
    end)

    it("hears signals", function()
        local heard = 0
        local listening = assert(host:on_signal("sigusr2", function()
            heard = heard + 1
            host:stop()
        end))
        host:spawn(function()
            uv.kill(uv.os_getpid(), "sigusr2")
            host:sleep(60)
        end)
        host:run()
        listening.close()
        assert.equal(1, heard)
        assert.same({ nil, "signal `sigkill`: invalid argument" },
            { host:on_signal("sigkill", print) })
    end)

    it("guards calls", function()
        local guard = host:gate({ timeout = 0.01, failures = 2, pause = 60 })
        host:block(function()
            assert.same({ 1, 2 }, { guard:call(function(...) return ... end, 1, 2) })
            assert.same({ nil, "timed out after 0.01 seconds", "timeout" },
                { guard:call(host.sleep, host, 60) })
            assert.same({ nil, "no", "failed" }, { guard:call(function() return nil, "no" end) })
            local _, _, kind = guard:call(function() return 1 end)
            assert.equal("open", kind)
        end)
    end)

    it("closes whatever is going on", function()
        host:spawn(function() host:sleep(60) end)
        host:spawn(function() host:resolve("localhost") end)
        host:spawn(function() host:work("return 1") end)
        host:watch({ "/tmp" }, print)
        host:on_signal("sigusr2", print)
        host:close()
        assert.equal(before, loop.open_handles())
        assert.equal(0, host.loop.tasks.live)
    end)
end)
