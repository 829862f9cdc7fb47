local fake_host = require("spec.support.fake_host")
local guards = require("postern.guard")


describe("a guard", function()
    local host

    before_each(function()
        host = fake_host.new()
    end)

    local function new(options)
        return guards.new(options, host)
    end

    -- What a call answers once all is over.
    local function call(guard, fn, ...)
        local result
        local arguments = { n = select("#", ...), ... }
        host.tasks:spawn(function()
            local results = { guard:call(fn, unpack(arguments, 1, arguments.n)) }
            result = results
        end)
        return result or function()
            return result
        end
    end

    local function fail()
        return nil, "no answer"
    end

    it("hands over results", function()
        local guard = new({})
        assert.same({ 1, nil, 3 }, call(guard, function(...) return ... end, 1, nil, 3))
        assert.same({}, call(guard, function() end))
        assert.same({}, call(guard, function() return nil end))
        assert.same({ false, "x" }, call(guard, function() return false, "x" end))
        assert.equal(4, guard.counts.ok)
        assert.equal("closed", guard:state())
    end)

    it("tells of failures in one way", function()
        local guard = new({ failures = 100 })
        assert.same({ nil, "no answer", "failed" }, call(guard, fail))
        assert.same({ nil, "oops", "failed" }, call(guard, error, "oops", 0))
        assert.equal(2, guard.counts.failed)
        assert.same({}, host.logged)
    end)

    it("limits the time of a call", function()
        local guard = new({ timeout = 2 })
        local answer = call(guard, host.sleep, 3)
        host.pass(1.9)
        assert.is_nil(answer())
        host.pass(0.1)
        assert.same({ nil, "timed out after 2 seconds", "timeout" }, answer())
        assert.is_nil(next(host.timers))
        assert.equal(0, guard.places.used)
    end)

    it("limits how many run, waiting included in the time", function()
        local guard = new({ concurrency = 1, queue = 1, timeout = 2, failures = 100 })
        local first = call(guard, host.sleep, 1.5)
        local second = call(guard, host.sleep, 1)
        assert.same({ nil, "busy: no more than 1 at once", "busy" },
            call(guard, host.sleep, 1))
        host.pass(1.5)
        assert.same({ true }, first())
        assert.is_nil(second())
        host.pass(0.5)
        assert.same({ nil, "timed out after 2 seconds", "timeout" }, second())
        first = call(guard, host.sleep, 9)
        second = call(guard, host.sleep, 1)
        host.pass(2)
        assert.equal("timeout", first()[3])
        assert.is_truthy(second()[3] == "busy" or second()[3] == "timeout")
        host.pass(9)
        assert.equal(0, guard.places.used)
    end)

    it("opens after failures in a row, and lets one probe through after the pause", function()
        local guard = new({ failures = 3, pause = 10, timeout = 1 })
        local calls = 0
        local function count_and_fail()
            calls = calls + 1
            return fail()
        end
        call(guard, fail)
        call(guard, fail)
        call(guard, function() return "good" end) -- ends the row
        for _ = 1, 5 do
            call(guard, count_and_fail)
        end
        assert.equal(3, calls)
        assert.equal("open", guard:state())
        assert.same({ nil, "not called: 3 failures in a row, the next try follows", "open" },
            call(guard, count_and_fail))
        host.pass(9.9)
        assert.equal("open", call(guard, count_and_fail)[3])
        host.pass(0.1)
        local probe = call(guard, host.sleep, 0.5)
        assert.equal("probing", guard:state())
        assert.equal("open", call(guard, count_and_fail)[3])
        host.pass(0.5)
        assert.same({ true }, probe())
        assert.equal("closed", guard:state())
        assert.equal(3, calls)
        assert.equal("failed", call(guard, count_and_fail)[3])
        assert.equal("closed", guard:state())
    end)

    it("stays open when the probe fails", function()
        local guard = new({ failures = 1, pause = 10, timeout = 1 })
        call(guard, fail)
        host.pass(10)
        local probe = call(guard, host.sleep, 5)
        host.pass(1)
        assert.equal("timeout", probe()[3])
        assert.equal("open", guard:state())
        host.pass(9.9)
        assert.equal("open", call(guard, fail)[3])
        host.pass(0.1)
        assert.equal("failed", call(guard, fail)[3])
    end)

    it("lets another probe through when one was cancelled", function()
        local guard = new({ failures = 1, pause = 10, timeout = 1 })
        call(guard, fail)
        host.pass(10)
        local probe = host.tasks:spawn(function() guard:call(host.sleep, 0.5) end)
        probe:cancel()
        assert.equal(0, guard.places.used)
        assert.same({ "good" }, call(guard, function() return "good" end))
        assert.equal("closed", guard:state())
    end)

    it("is not closed by a call from before it opened", function()
        local guard = new({ failures = 1, pause = 10, timeout = 5 })
        local early = call(guard, host.sleep, 1)
        call(guard, fail)
        host.pass(1)
        assert.same({ true }, early())
        assert.equal("open", guard:state())
    end)

    it("gives places back of calls that are cancelled", function()
        local guard = new({ concurrency = 1, timeout = 5 })
        local one = host.tasks:spawn(function() guard:call(host.sleep, 4) end)
        local two = host.tasks:spawn(function() guard:call(host.sleep, 4) end)
        two:cancel()
        one:cancel()
        assert.equal(0, guard.places.used)
        assert.equal(0, guard.places.waiting)
        assert.is_nil(next(host.timers))
    end)

    it("is not made of nonsense", function()
        for _, row in ipairs({
            { { tries = 1 }, "unknown option `tries`" },
            { { concurrency = 0 }, "`concurrency`: give a number of at least 1" },
            { { timeout = "1" }, "`timeout`: give a number of at least 0" },
            { { failures = 0 / 0 }, "`failures`: give a number" },
        }) do
            assert.error_matches(function() new(row[1]) end, row[2])
        end
    end)
end)
