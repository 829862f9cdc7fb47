--- A host without a loop: tasks, and a clock that a test sets forward.

local tasks = require("postern.task")

local _M = {}


--- Makes one.
-- @treturn table `tasks`, `logged` (lines), `pass(seconds)`, and what modules are handed:
-- `monotonic`, `timeout`, `ensure`, `ticket`
function _M.new()
    local self = { time = 0, timers = {}, logged = {} }

    function self.timer(seconds, fn)
        local timer = { at = self.time + seconds, fn = fn }
        self.timers[timer] = true
        return function() self.timers[timer] = nil end
    end

    self.tasks = tasks.new({
        timer = self.timer,
        log = function(line) self.logged[#self.logged + 1] = line end,
    })

    -- The next timer that is due until then, one at a time: each may start others.
    local function next_due(limit)
        local due
        for timer in pairs(self.timers) do
            if timer.at <= limit and (not due or timer.at < due.at) then
                due = timer
            end
        end
        return due
    end

    function self.pass(seconds)
        local limit = self.time + seconds
        local timer = next_due(limit)
        while timer do
            self.timers[timer] = nil
            self.time = timer.at
            timer.fn()
            timer = next_due(limit)
        end
        self.time = limit
    end

    function self.monotonic()
        return self.time
    end

    function self.timeout(seconds, fn, ...)
        return self.tasks:timeout(seconds, fn, ...)
    end

    function self.ensure(cleanup, fn, ...)
        return self.tasks:ensure(cleanup, fn, ...)
    end

    function self.sleep(seconds)
        return self.tasks:suspend(function(wake)
            return self.timer(seconds, function() wake(true) end)
        end)
    end

    function self.ticket()
        local posted, wake = false, nil
        return {
            wait = function(_, seconds)
                return posted or self.tasks:await(seconds, function(done) wake = done end)
            end,
            post = function()
                posted = true
                if wake then
                    wake(true)
                end
            end,
        }
    end

    return self
end


return _M
