local fake_host = require("spec.support.fake_host")
local task = require("postern.task")


describe("tasks", function()
    local host, tasks

    before_each(function()
        host = fake_host.new()
        tasks = host.tasks
    end)

    it("run until they wait, and go on when they are woken", function()
        local log = {}
        local one = tasks:spawn(function(...)
            log[#log + 1] = "a" .. table.concat({ ... })
            log[#log + 1] = tostring(host.sleep(1))
            return "done", nil
        end, 1, 2)
        assert.same({ "a12" }, log)
        assert.equal(1, tasks.live)
        assert.is_false(one.finished)
        host.pass(1)
        assert.same({ "a12", "true" }, log)
        assert.equal(0, tasks.live)
        assert.equal(2, select("#", one:wait()))
        assert.equal("done", (one:wait()))
    end)

    it("started by a task run when that one waits", function()
        local log = {}
        tasks:spawn(function()
            tasks:spawn(function() log[#log + 1] = "inner" end)
            log[#log + 1] = "outer"
            host.sleep(1)
            log[#log + 1] = "later"
        end)
        assert.same({ "outer", "inner" }, log)
        host.pass(1)
        assert.same({ "outer", "inner", "later" }, log)
    end)

    it("are used again where a function is performed", function()
        local log, seen = {}, {}
        local function note(text)
            seen[coroutine.running()] = true
            log[#log + 1] = text
        end
        for i = 1, 3 do
            assert.is_nil(tasks:perform(note, "now" .. i))
        end
        local function wait(seconds)
            note("begins")
            host.sleep(seconds)
            note("ends")
        end
        local waiting = tasks:perform(wait, 1)
        assert.is_false(waiting.finished)
        assert.equal(1, tasks.live)
        assert.is_nil(tasks:perform(note, "meanwhile"))
        host.pass(1)
        assert.equal(0, tasks.live)
        assert.is_nil(tasks:perform(note, "after"))
        assert.same({ "now1", "now2", "now3", "begins", "meanwhile", "ends", "after" }, log)
        local count = 0
        for _ in pairs(seen) do
            count = count + 1
        end
        assert.equal(2, count) -- one that waited, one beside it
    end)

    it("performed within a task run at once, and what they spawn does not run inside them",
        function()
            local log = {}
            tasks:spawn(function()
                tasks:perform(function(name)
                    tasks:spawn(function() log[#log + 1] = "spawned" end)
                    log[#log + 1] = name
                end, "performed")
                log[#log + 1] = "outer"
                host.sleep(1)
                log[#log + 1] = "still a task"
            end)
            assert.same({ "performed", "outer", "spawned" }, log)
            host.pass(1)
            assert.equal("still a task", log[4])
            tasks:perform(function()
                tasks:spawn(function() log[#log + 1] = "second" end)
                log[#log + 1] = "first"
            end)
            assert.same({ "first", "second" }, { log[5], log[6] })
        end)

    it("performed are cancelled where they wait, and raise to the log", function()
        local closed
        local waiting = tasks:perform(function()
            tasks:own({ close = function() closed = true end })
            host.sleep(1)
            error("never")
        end)
        assert.is_true(waiting:cancel())
        assert.is_true(closed)
        assert.equal(0, tasks.live)
        assert.is_nil(tasks:perform(function() error("oh") end))
        assert.is_nil(tasks:perform(function() coroutine.yield() end))
        assert.matches("a task raised: .*oh", host.logged[1])
        assert.matches("it yielded outside of an operation", host.logged[2])
        -- What one left open is no business of the next.
        local left = false
        tasks:perform(function() tasks:own({ close = function() left = true end }) end)
        tasks:perform(function() host.sleep(1) end):cancel()
        assert.is_false(left)
    end)

    it("know whether one runs", function()
        assert.is_false(tasks:inside())
        local seen
        tasks:spawn(function() seen = tasks:inside() end)
        assert.is_true(seen)
        assert.is_false(tasks:inside())
        assert.error_matches(function() tasks:suspend(print) end, "no task that could wait")
        assert.error_matches(function() tasks:ensure(print, print) end, "no task that could wait")
    end)

    it("need not wait for what is there at once", function()
        local got
        tasks:spawn(function()
            got = { tasks:suspend(function(wake)
                wake(1, nil, 3)
                wake("again")
            end) }
        end)
        assert.same({ 1, nil, 3 }, got)
    end)

    it("are woken once", function()
        local wake_up, times = nil, 0
        tasks:spawn(function()
            tasks:suspend(function(wake) wake_up = wake end)
            times = times + 1
            host.sleep(1)
            times = times + 100
        end)
        wake_up()
        wake_up()
        assert.equal(1, times)
    end)

    it("wake each other in a chain of any length", function()
        local wakes = {}
        for i = 1, 5000 do
            tasks:spawn(function()
                tasks:suspend(function(wake) wakes[i] = wake end)
                if wakes[i + 1] then
                    wakes[i + 1]()
                end
            end)
        end
        wakes[1]()
        assert.equal(0, tasks.live)
    end)

    it("may wait in a coroutine of their own that passes yields on", function()
        local got
        tasks:spawn(function()
            local inner = coroutine.create(function()
                return "inner", host.sleep(1)
            end)
            local result = { coroutine.resume(inner) }
            while coroutine.status(inner) ~= "dead" do
                result = { coroutine.resume(inner, coroutine.yield(unpack(result, 2))) }
            end
            got = result
        end)
        host.pass(1)
        assert.same({ true, "inner", true }, got)
    end)

    it("that yield to nobody end", function()
        local lost = tasks:spawn(function() coroutine.yield() end)
        assert.is_true(lost.finished)
        assert.matches("it yielded outside of an operation", host.logged[1])
    end)

    it("that raise are told unless somebody waits", function()
        local bad = tasks:spawn(function() error("oops", 0) end)
        assert.matches("a task raised: oops\nstack traceback", host.logged[1])
        assert.same({ nil, "oops" }, { bad:wait() })
        local got
        tasks:spawn(function()
            local slow = tasks:spawn(function()
                host.sleep(1)
                error("again", 0)
            end)
            got = { slow:wait() }
        end)
        host.pass(1)
        assert.same({ nil, "again" }, got)
        assert.equal(1, #host.logged)
    end)

    it("survive a log that raises", function()
        local raising = task.new({ timer = print, log = error })
        raising:spawn(function() error("oops") end)
        local ran = false
        raising:spawn(function() ran = true end)
        assert.is_true(ran)
    end)

    describe("that are cancelled", function()
        it("abandon what they wait for and are never resumed", function()
            local wake_up, abandoned, went_on = nil, 0, false
            local one = tasks:spawn(function()
                pcall(function()
                    tasks:suspend(function(wake)
                        wake_up = wake
                        return function() abandoned = abandoned + 1 end
                    end)
                end)
                went_on = true
            end)
            assert.is_true(one:cancel("why"))
            assert.is_false(one:cancel())
            wake_up("late")
            assert.equal(1, abandoned)
            assert.is_false(went_on)
            assert.same({ nil, "why" }, { one:wait() })
            assert.equal(0, tasks.live)
        end)

        it("after they were woken are not resumed either", function()
            local wake_up, went_on = nil, false
            local sleeper = tasks:spawn(function()
                tasks:suspend(function(wake) wake_up = wake end)
                went_on = true
            end)
            tasks:spawn(function()
                wake_up()
                sleeper:cancel()
            end)
            assert.is_false(went_on)
        end)

        it("by themselves end when they next wait", function()
            local log = {}
            local me
            tasks:spawn(function()
                me = tasks:spawn(function()
                    host.sleep(1)
                    me:cancel()
                    log[#log + 1] = "still here"
                    host.sleep(1)
                    log[#log + 1] = "never"
                end)
            end)
            host.pass(5)
            assert.same({ "still here" }, log)
            assert.is_nil(next(host.timers))
            assert.equal(0, tasks.live)
        end)

        it("run their cleanups, the last first, and close what they own", function()
            local log = {}
            local function note(name) return function() log[#log + 1] = name end end
            local one = tasks:spawn(function()
                tasks:own({ close = note("socket") })
                local given = { close = note("given away") }
                tasks:own(given)
                tasks:disown(given)
                tasks:ensure(note("outer"), function()
                    tasks:ensure(note("over"), function() end)
                    tasks:ensure(note("inner"), host.sleep, 1)
                end)
            end)
            assert.same({ "over" }, log)
            one:cancel()
            assert.same({ "over", "inner", "outer", "socket" }, log)
        end)

        it("tell those that wait", function()
            local got
            local one = tasks:spawn(host.sleep, 1)
            tasks:spawn(function() got = { one:wait() } end)
            one:cancel()
            assert.same({ nil, "cancelled" }, got)
        end)

        it("no longer wait for others", function()
            local one = tasks:spawn(host.sleep, 1)
            local waiter = tasks:spawn(function() one:wait() end)
            waiter:cancel()
            assert.equal(0, #one.waiters)
        end)

        it("can be all of them", function()
            for _ = 1, 10 do
                tasks:spawn(host.sleep, 1)
            end
            tasks:cancel_all()
            assert.equal(0, tasks.live)
            assert.is_nil(next(host.timers))
        end)
    end)

    describe("ensure", function()
        local function run(fn)
            local result
            tasks:spawn(function() result = { pcall(fn) } end)
            host.pass(10)
            return unpack(result)
        end

        it("cleans up after a return and after an error", function()
            local count = 0
            local function cleanup() count = count + 1 end
            assert.same({ true, 1, 2 }, { run(function()
                return tasks:ensure(cleanup, function(...) return ... end, 1, 2)
            end) })
            assert.same({ false, "oops" }, { run(function()
                return tasks:ensure(cleanup, error, "oops", 0)
            end) })
            assert.equal(2, count)
        end)

        it("tells of a cleanup that raises, and goes on", function()
            assert.same({ true, 1 }, { run(function()
                return tasks:ensure(function() error("dirty", 0) end, function() return 1 end)
            end) })
            assert.same({ "a cleanup raised: dirty" }, host.logged)
        end)
    end)

    describe("time limits", function()
        local function limited(...)
            local arguments, result = { ... }, nil
            tasks:spawn(function() result = { tasks:timeout(unpack(arguments)) } end)
            host.pass(100)
            assert.is_nil(next(host.timers))
            assert.equal(0, tasks.live)
            return result
        end

        it("let through what is in time", function()
            assert.same({ 1, 2 }, limited(1, function(...) return ... end, 1, 2))
            assert.same({ true }, limited(1, host.sleep, 0.5))
            assert.same({ nil, "no" }, limited(1, function() return nil, "no" end))
            assert.same({ nil, "oops" }, limited(1, error, "oops", 0))
            assert.same({}, host.logged)
        end)

        it("cancel what is not", function()
            local cleaned = false
            assert.same({ nil, "timed out after 1 second", "timeout" },
                limited(1, function()
                    tasks:ensure(function() cleaned = true end, host.sleep, 2)
                end))
            assert.is_true(cleaned)
        end)

        it("hold inside each other", function()
            assert.same({ nil, "timed out after 1 second", "timeout" },
                limited(1, function() return tasks:timeout(2, host.sleep, 3) end))
            assert.same({ nil, "timed out after 1 second", "timeout" },
                limited(2, function() return tasks:timeout(1, host.sleep, 3) end))
        end)

        it("end with the task that set them", function()
            local one = tasks:spawn(function() tasks:timeout(5, host.sleep, 9) end)
            one:cancel()
            assert.equal(0, tasks.live)
            assert.is_nil(next(host.timers))
        end)

        it("hand on what was opened", function()
            local closed = 0
            local one = tasks:spawn(function()
                tasks:timeout(1, function()
                    tasks:own({ close = function() closed = closed + 1 end })
                end)
                host.sleep(1)
            end)
            assert.equal(0, closed)
            one:cancel()
            assert.equal(1, closed)
        end)

        it("are numbers", function()
            for _, bad in ipairs({ -1, 0 / 0, 1 / 0, "1" }) do
                local ok, err = unpack(limited(1, tasks.timeout, tasks, bad, print))
                assert.is_nil(ok)
                assert.matches("`seconds`: give a number of seconds", err)
            end
        end)
    end)

    it("refuse options they do not know", function()
        assert.error_matches(function() task.new({ clock = 1 }) end, "unknown option `clock`")
    end)
end)
