--- Tasks: coroutines that wait for events, whoever brings these.
--
-- A task runs until it waits. Waiting means `suspend`: it starts an operation and gives the
-- coroutine away; the operation's `wake` brings it back, once, in the order of waking. A task that
-- is cancelled is never resumed again: its operation is abandoned, its cleanups run, what it owns
-- is closed. So code in a task needs no care for being cancelled, except that it gives back what it
-- has taken by `ensure`.
--
-- Which task runs is told by who resumed it, not by `coroutine.running()`: a task may run parts of
-- itself in coroutines of its own, as long as these pass yields on.
--
-- *Dependencies*: none (clock and log are handed in)
--
-- @module postern.task

local _M = {}
local Tasks = {}
Tasks.__index = Tasks
local Task = {}
Task.__index = Task


local OPTIONS = { timer = true, log = true }


--- Makes a set of tasks.
-- @tparam table options `timer` (a function of seconds and a function to call after them; it
-- answers a function that stops it) and `log` (a function of one line)
-- @treturn Tasks
function _M.new(options)
    for name in pairs(options) do
        if not OPTIONS[name] then
            error(("unknown option `%s`"):format(tostring(name)), 2)
        end
    end
    return setmetatable({
        timer = options.timer,
        -- A log that raises must not break what logs.
        log = function(message) pcall(options.log, message) end,
        all = {},    -- task to true, until it has ended
        live = 0,    -- how many
        ready = {},  -- what is to be resumed, from `first` to `last`
        first = 1,
        last = 0,
        current = nil,
    }, Tasks)
end


local function pack(...)
    return { n = select("#", ...), ... }
end


--- The words for a limit that was reached.
-- @tparam number seconds
-- @treturn string
function _M.timed_out(seconds)
    return ("timed out after %.14g second%s"):format(seconds, seconds == 1 and "" or "s")
end


--- Whether a value is a time.
-- @param seconds
-- @treturn boolean
function _M.is_seconds(seconds)
    return type(seconds) == "number" and seconds >= 0 and seconds < 1e9
end


--- Raises, for the caller of the caller, unless a time is one.
-- @param seconds
-- @tparam string what its name
function _M.check_seconds(seconds, what)
    if not _M.is_seconds(seconds) then
        error(("`%s`: give a number of seconds"):format(what), 3)
    end
end


-- ---- Ending ------------------------------------------------------------------------------------

-- Something of the user's that must not break the loop.
local function protected(self, what, fn, ...)
    local ok, err = pcall(fn, ...)
    if not ok then
        self.log(("%s raised: %s"):format(what, tostring(err)))
    end
end


-- What the coroutine of a task that is used again yields between two uses.
local DONE = {}

-- Nobody waits for such a task, and what it opened and left open is nobody's.
local function put_back(self, task)
    task.finished = true
    self.all[task] = nil
    self.live = self.live - 1
    if next(task.owned) then
        task.owned = {}
    end
    task.spare, self.spare = self.spare, task
end


local function finish(self, task, results)
    task.finished = true
    task.results = results
    self.all[task] = nil
    self.live = self.live - 1
    local waiters = task.waiters
    task.waiters = {}
    for _, wake in ipairs(waiters) do
        wake(unpack(results, 1, results.n))
    end
    return #waiters > 0
end


local function fail(self, task, err)
    task.raised = err
    if not finish(self, task, pack(nil, tostring(err))) then
        self.log(("a task raised: %s"):format(debug.traceback(task.co, tostring(err))))
    end
end


-- ---- Running -----------------------------------------------------------------------------------

local function step(self, task, arguments)
    if task.finished then
        return -- cancelled after it was woken
    end
    self.current = task
    local results = pack(coroutine.resume(task.co, unpack(arguments, 1, arguments.n)))
    self.current = nil
    if task.finished then
        return -- it cancelled itself
    elseif results[2] == DONE then
        put_back(self, task)
    elseif coroutine.status(task.co) == "dead" then
        if results[1] then
            finish(self, task, { n = results.n - 1, unpack(results, 2, results.n) })
        else
            fail(self, task, results[2])
        end
    elseif not task.abandon then
        fail(self, task, "it yielded outside of an operation of its host")
    end
end


-- Resumes what is ready, in order. Waking never resumes from within a task: a chain of tasks that
-- wake each other must not nest.
local function drain(self)
    self.draining = true
    while self.first <= self.last do
        local entry = self.ready[self.first]
        self.ready[self.first] = nil
        self.first = self.first + 1
        step(self, entry.task, entry.arguments)
    end
    self.first, self.last = 1, 0
    self.draining = false
end


local function resume_later(self, task, arguments)
    self.last = self.last + 1
    self.ready[self.last] = { task = task, arguments = arguments }
    if not self.draining then
        drain(self)
    end
end


local function new_task(self, parent, fn)
    return setmetatable({
        tasks = self, parent = parent, co = coroutine.create(fn), finished = false,
        cleanups = {}, waiters = {}, owned = {},
    }, Task)
end


local function spawn(self, parent, fn, ...)
    local task = new_task(self, parent, fn)
    self.all[task] = true
    self.live = self.live + 1
    resume_later(self, task, pack(...))
    return task
end


--- Starts a task. It begins to run at once when no other runs, else when that one waits.
-- @tparam function fn
-- @param ... what it is called with
-- @treturn Task
function Tasks:spawn(fn, ...)
    return spawn(self, nil, fn, ...)
end


local function perform_for_ever(fn, argument)
    while true do
        fn(argument)
        fn, argument = coroutine.yield(DONE)
    end
end


--- Calls a function at once, in a task whose coroutine is used again: for what is called often,
-- returns nothing and seldom waits. It may be called within a task as well.
-- @tparam function fn one that raises is told to the log
-- @param argument what it is called with
-- @treturn Task|nil the task when it waits; good for `cancel` until the function has returned
function Tasks:perform(fn, argument)
    local task, outer, draining = self.spare, self.current, self.draining
    if task then
        self.spare, task.spare, task.finished = task.spare, nil, false
    else
        task = new_task(self, nil, perform_for_ever)
        task.uses = 0
    end
    local use = task.uses + 1
    task.uses = use
    self.all[task] = true
    self.live = self.live + 1
    -- What it spawns and wakes has its turn when it waits or has returned.
    self.current, self.draining = task, true
    local ok, said = coroutine.resume(task.co, fn, argument)
    self.current, self.draining = outer, draining
    if said == DONE then
        put_back(self, task)
    elseif not ok and not task.finished then
        fail(self, task, said)
    elseif not task.finished and not task.abandon then
        fail(self, task, "it yielded outside of an operation of its host")
    end
    if not draining and self.first <= self.last then
        drain(self)
    end
    return not task.finished and task.uses == use and task or nil
end


--- Whether the caller runs in a task.
-- @treturn boolean
function Tasks:inside()
    return self.current ~= nil
end


local function running(self, level)
    if not self.current then
        error("there is no task that could wait: call it within spawn", level + 1)
    end
    return self.current
end


--- Waits for an operation.
-- @tparam function begin starts it. It is handed `wake`, to be called with the results, once, at
-- once or later, and answers a function that abandons the operation, or nil
-- @return what `wake` was called with
function Tasks:suspend(begin)
    local task = running(self, 2)
    local done, parked, results = false, false, nil
    local abandon = begin(function(...)
        if done then
            return -- late: the task has gone on, or is no more
        end
        done = true
        if parked then
            task.abandon = nil
            resume_later(self, task, pack(...))
        else
            results = pack(...)
        end
    end)
    -- A task that has cancelled itself ends here.
    if done and not task.finished then
        return unpack(results, 1, results.n)
    end
    parked = true
    task.abandon = function()
        done = true
        if abandon then
            abandon()
        end
    end
    if task.finished then
        task.abandon()
    end
    return coroutine.yield()
end


--- The same with a limit.
-- @tparam number|nil seconds nil: none
-- @tparam function begin as for `suspend`
-- @return what `wake` was called with; or nil, an error in words and `timeout`
function Tasks:await(seconds, begin)
    if not seconds then
        return self:suspend(begin)
    end
    return self:suspend(function(wake)
        local abandon, stop
        local over = false
        local function wake_once(...)
            over = true
            if stop then
                stop()
            end
            wake(...)
        end
        abandon = begin(wake_once)
        if not over then
            stop = self.timer(seconds, function()
                if abandon then
                    abandon()
                end
                wake_once(nil, _M.timed_out(seconds), "timeout")
            end)
        end
        return function()
            if stop then
                stop()
            end
            if abandon then
                abandon()
            end
        end
    end)
end


local function settle(self, task, cleanup, ok, ...)
    task.cleanups[#task.cleanups] = nil
    protected(self, "a cleanup", cleanup)
    if not ok then
        error((...), 0)
    end
    return ...
end


--- Calls a function, and then another one in any case: when it returns, raises or is cancelled.
-- @tparam function cleanup called without arguments; it must not wait
-- @tparam function fn
-- @param ... what `fn` is called with
-- @return what `fn` returns
function Tasks:ensure(cleanup, fn, ...)
    local task = running(self, 2)
    task.cleanups[#task.cleanups + 1] = cleanup
    return settle(self, task, cleanup, pcall(fn, ...))
end


--- Runs a function for a limited time. What it opened is the caller's afterwards.
-- @tparam number seconds
-- @tparam function fn it runs as a task of its own, which is cancelled when the time is over
-- @param ... what `fn` is called with
-- @return what `fn` returns; or nil and an error in words when it raises; or nil, an error in words
-- and `timeout`
function Tasks:timeout(seconds, fn, ...)
    _M.check_seconds(seconds, "seconds")
    local arguments = pack(...)
    local parent = running(self, 2)
    return self:await(seconds, function(wake)
        local child = spawn(self, parent, fn, unpack(arguments, 1, arguments.n))
        child.waiters[1] = function(...)
            for object in pairs(child.owned) do
                parent.owned[object] = true
                object.owner = parent
            end
            wake(...)
        end
        return function()
            child.waiters = {}
            child:cancel()
        end
    end)
end


-- ---- Owning ------------------------------------------------------------------------------------

--- Notes that the running task has opened something, which is closed if the task is cancelled.
-- @tparam table object with a method `close`
function Tasks:own(object)
    object.owner = running(self, 2)
    object.owner.owned[object] = true
end


--- Notes that nobody in particular has it any more.
-- @tparam table object
function Tasks.disown(_, object)
    if object.owner then
        object.owner.owned[object] = nil
        object.owner = nil
    end
end


-- ---- A task ------------------------------------------------------------------------------------

--- Waits until the task has ended.
-- @return what its function returned; nil and an error in words when it raised or was cancelled
function Task:wait()
    if self.finished then
        return unpack(self.results, 1, self.results.n)
    end
    return self.tasks:suspend(function(wake)
        self.waiters[#self.waiters + 1] = wake
        return function()
            for i, waiter in ipairs(self.waiters) do
                if waiter == wake then
                    table.remove(self.waiters, i)
                    break
                end
            end
        end
    end)
end


--- Ends the task where it waits. It is not resumed again.
-- @tparam[opt="cancelled"] string reason what those that wait for it are answered
-- @treturn boolean false when it had ended already
function Task:cancel(reason)
    if self.finished then
        return false
    end
    local tasks = self.tasks
    local abandon = self.abandon
    self.abandon = nil
    finish(tasks, self, pack(nil, reason or "cancelled"))
    if abandon then
        protected(tasks, "abandoning an operation", abandon)
    end
    for i = #self.cleanups, 1, -1 do
        protected(tasks, "a cleanup", self.cleanups[i])
    end
    self.cleanups = {}
    for object in pairs(self.owned) do
        object.owner = nil
        protected(tasks, "closing", object.close, object)
    end
    self.owned = {}
    return true
end


--- Cancels every task.
-- @tparam[opt] string reason
function Tasks:cancel_all(reason)
    local all = {}
    for task in pairs(self.all) do
        all[#all + 1] = task
    end
    for _, task in ipairs(all) do
        task:cancel(reason)
    end
end


return _M
