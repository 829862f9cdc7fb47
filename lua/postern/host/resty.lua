--- The host inside nginx, on its Lua module: cosockets, timers, light threads.
--
-- The interface is that of `postern.host.uv`. What differs is nginx's doing: operations that wait
-- work where its Lua API lets code yield (rewrite, access, content, timers), and answer nil and an
-- error elsewhere; there is no access to its resolver but by connecting; nginx runs the loop and
-- has the signals; and work is done in place.
--
-- *Dependencies*: postern.ffi (for a clock nobody sets), ngx.semaphore, postern.client,
-- postern.guard, postern.task, postern.work, postern.host.options, postern.host.plain,
-- postern.host.resty_file, postern.host.resty_socket
--
-- @module postern.host.resty
local ffi = require("ffi")
local client = require("postern.client")
local guard = require("postern.guard")
local files = require("postern.host.resty_file")
local plain = require("postern.host.plain")
local settings = require("postern.host.options")
local sockets = require("postern.host.resty_socket")
local tasks = require("postern.task")
local works = require("postern.work")

local semaphore = require("ngx.semaphore")
require("postern.ffi")

local C = ffi.C


local _M = {}
local Host = {}
Host.__index = Host
local Task = {}
Task.__index = Task


-- The clock since the machine was started, and where it says the time.
local MONOTONIC = 1
local moment = ffi.new("postern_timespec[1]")


-- A wait without a limit is made of waits of this many seconds: nginx has no endless ones, and a
-- worker that ends must not be held up by who waits for nothing.
local WAIT = 1


-- nginx's Lua module gives others their turn for a sleep of 0 only where nginx itself was patched
-- for it, and Debian's was not: it complains of each.
local BREATH = 0.001


local function pack(...)
    return { n = select("#", ...), ... }
end


-- nginx's own level for this would be below what it writes by default: a line that a pack wants the
-- operator to read must not get lost.
local function log_line(message)
    ngx.log(ngx.ERR, message)
end


--- Makes a host, of one worker.
-- @tparam[opt] table options `log` (a function of one line; nginx's error log), `concurrency` and
-- `queue` (HTTP calls at once to one origin, 64, and how many may wait, 1024)
-- @treturn Host
function _M.new(options)
    options = options or {}
    settings.check(options, settings.HOST)
    local log = options.log or log_line
    local self = setmetatable({
        write_log = function(message) pcall(log, message) end,
        cleanups = setmetatable({}, { __mode = "k" }), -- thread to what it has to clean up
        races = setmetatable({}, { __mode = "k" }),    -- thread to the one it runs and waits for
        tasks = {},
        open = {}, -- writers and watches
    }, Host)
    self.parts = {
        monotonic = function() return self:monotonic() end,
        connect = function(wanted) return self:connect(wanted) end,
        ticket = function() return self:ticket() end,
        ensure = function(cleanup, fn, ...) return self:ensure(cleanup, fn, ...) end,
        timeout = function(seconds, fn, ...) return self:timeout(seconds, fn, ...) end,
    }
    self.client = client.new({ concurrency = options.concurrency, queue = options.queue },
        self.parts)
    return self
end


-- ---- Time and the log --------------------------------------------------------------------------

--- Seconds since the epoch, with a fraction.
-- @treturn number
function Host.now()
    ngx.update_time()
    return ngx.now()
end


--- Seconds since some fixed time, which nobody sets back.
-- @treturn number
function Host.monotonic()
    C.postern_clock_gettime(MONOTONIC, moment)
    return tonumber(moment[0].seconds) + tonumber(moment[0].nanoseconds) * 1e-9
end


--- Writes one line for the operator.
-- @tparam string message
function Host:log(message)
    self.write_log(message)
end


-- ---- Waiting -----------------------------------------------------------------------------------

-- What nginx raises where its API is disabled.
local function in_words(err)
    return tostring(err):gsub("^.-API disabled in the context of ([%w_]+)%*?.*$",
        "nginx cannot wait in %1: do it in a request or a timer")
end


--- Waits.
-- @tparam number seconds
-- @treturn boolean|nil true
-- @treturn string why it cannot here
function Host.sleep(_, seconds)
    tasks.check_seconds(seconds, "seconds")
    local ok, err = pcall(ngx.sleep, seconds > 0 and seconds or BREATH)
    if not ok then
        return nil, in_words(err)
    end
    return true
end


--- Makes a ticket; see `postern.host.uv`.
-- @treturn table `wait(seconds)` and `post()`
function Host.ticket()
    local posts = semaphore.new(0)
    return {
        wait = function(_, seconds)
            while not seconds and not ngx.worker.exiting() do
                if posts:wait(WAIT) then
                    return true
                end
            end
            return (posts:wait(seconds or 0)) or false
        end,
        post = function() posts:post(1) end,
    }
end


local function settle(self, cleanup, list, ok, ...)
    list[#list] = nil
    local clean, why = pcall(cleanup)
    if not clean then
        self.write_log("a cleanup raised: " .. tostring(why))
    end
    if not ok then
        error((...), 0)
    end
    return ...
end


--- Calls `fn(...)` and then, when it returns, raises or is cancelled, `cleanup()`.
-- @tparam function cleanup it must not wait
-- @tparam function fn
-- @param ...
-- @return what `fn` returns
function Host:ensure(cleanup, fn, ...)
    local thread = coroutine.running() or self
    local list = self.cleanups[thread]
    if not list then
        list = {}
        self.cleanups[thread] = list
    end
    list[#list + 1] = cleanup
    return settle(self, cleanup, list, pcall(fn, ...))
end


-- Ends a light thread of the caller's, and does what it can no longer do. nginx lets only its
-- parent kill a thread: one that is itself in a race is made to end that first.
local function kill(self, thread)
    local race = self.races[thread]
    if race then
        race.cancelled = true
        race.alarm.post()
        race.over:wait()
    end
    ngx.thread.kill(thread)
    local list = self.cleanups[thread] or {}
    for i = #list, 1, -1 do
        local ok, err = pcall(list[i])
        if not ok then
            self.write_log("a cleanup raised: " .. tostring(err))
        end
        list[i] = nil
    end
end


-- Runs a function until it has ended, an alarm is posted, or the time is over; then it is killed.
local function run_race(self, fn, alarm, seconds)
    local thread = coroutine.running() or self
    local race = { alarm = alarm, over = self.ticket(), cancelled = false }
    local outer = self.races[thread]
    self.races[thread] = race
    local runner = ngx.thread.spawn(fn)
    local watcher = ngx.thread.spawn(function() alarm:wait(seconds) end)
    ngx.thread.wait(runner, watcher)
    kill(self, runner)
    kill(self, watcher)
    self.races[thread] = outer
    if race.cancelled then
        race.over.post()
        self.ticket():wait() -- for the end, which comes now
    end
end


--- Runs a function for a limited time, as a light thread that is killed when it is over.
-- @tparam number seconds
-- @tparam function fn
-- @param ...
-- @return what `fn` returns; or nil, `timed out after 0.5 seconds` and `timeout`
function Host:timeout(seconds, fn, ...)
    tasks.check_seconds(seconds, "seconds")
    local outcome
    local arguments = pack(...)
    local ok, err = pcall(run_race, self, function()
        outcome = pack(pcall(fn, unpack(arguments, 1, arguments.n)))
    end, self.ticket(), seconds)
    if not ok then
        return nil, in_words(err)
    elseif not outcome then
        return nil, tasks.timed_out(seconds), "timeout"
    elseif not outcome[1] then
        return nil, tostring(outcome[2])
    end
    return unpack(outcome, 2, outcome.n)
end


--- Makes a guard round calls; see `postern.guard`.
-- @tparam table options
-- @treturn Guard
function Host:gate(options)
    return guard.new(options, self.parts)
end


-- ---- Tasks -------------------------------------------------------------------------------------

local function finish(self, task, results)
    if task.finished then
        return false
    end
    task.finished, task.results = true, results
    self.tasks[task] = nil
    for _, ticket in ipairs(task.waiters) do
        ticket.post()
    end
    return #task.waiters > 0
end


local function run_task(self, task, fn, arguments)
    run_race(self, function()
        local results = pack(pcall(fn, unpack(arguments, 1, arguments.n)))
        if results[1] then
            finish(self, task, { n = results.n - 1, unpack(results, 2, results.n) })
        elseif not finish(self, task, pack(nil, tostring(results[2]))) then
            self.write_log("a task raised: " .. tostring(results[2]))
        end
    end, task.stop)
end


--- Starts a task, in a timer: it is nobody's request, and begins when nginx comes round. nginx runs
-- as many at once as its directive `lua_max_running_timers` says, 256.
-- @tparam function fn
-- @param ...
-- @treturn Task with `wait()` (what `fn` returned; or nil and an error) and `cancel(reason)`
function Host:spawn(fn, ...)
    local arguments = pack(...)
    local task = setmetatable({ host = self, finished = false, waiters = {}, stop = self:ticket() },
        Task)
    self.tasks[task] = true
    local ok, err = ngx.timer.at(0, function(premature)
        if premature then
            finish(self, task, pack(nil, "the worker ends"))
        elseif not task.finished then
            run_task(self, task, fn, arguments)
        end
    end)
    if not ok then
        finish(self, task, pack(nil, "no timer: " .. tostring(err)))
    end
    return task
end


--- Waits until the task has ended.
-- @return what its function returned; nil and an error in words when it raised or was cancelled
function Task:wait()
    if not self.finished then
        local ticket = self.host:ticket()
        self.waiters[#self.waiters + 1] = ticket
        ticket:wait()
    end
    if not self.finished then
        return nil, "the worker ends"
    end
    return unpack(self.results, 1, self.results.n)
end


--- Ends the task where it waits.
-- @tparam[opt="cancelled"] string reason
-- @treturn boolean false when it had ended already
function Task:cancel(reason)
    if self.finished then
        return false
    end
    finish(self.host, self, pack(nil, reason or "cancelled"))
    self.stop.post()
    return true
end


--- Whether the caller may wait: nginx runs all its Lua in something that may, or says so.
-- @treturn boolean
function Host.inside()
    return true
end


--- Calls a function: every caller is a task already.
-- @tparam function fn
-- @param ...
-- @return what it returns
function Host.block(_, fn, ...)
    return fn(...)
end


-- ---- Network -----------------------------------------------------------------------------------

--- The addresses of a name: of an address itself and of `localhost`. nginx looks others up only to
-- connect to them.
-- @tparam string name
-- @treturn {string,...}|nil
-- @treturn string why not
function Host.resolve(_, name)
    if not settings.is_name(name) then
        return nil, "not the name of a host"
    elseif settings.is_address(name) then
        return { name }
    elseif name:lower() == "localhost" then
        return { "127.0.0.1" }
    end
    return nil, ("`%s`: nginx does not tell addresses: connect to the name itself"):format(name)
end


--- Connects; see `postern.host.uv`.
-- @tparam table options `host` and `port`, or `path`; `timeout`, `pool`, `fresh`
-- @treturn Socket|nil
-- @treturn string why not
function Host.connect(_, options)
    settings.check_connect(options)
    local ok, socket, err, kind = pcall(sockets.connect, options)
    if not ok then
        return nil, in_words(socket)
    end
    return socket, err, kind
end


--- Calls a URL; see `postern.client`.
-- @tparam table request
-- @treturn table|nil `status`, `headers`, `body`
-- @treturn string why there is none
function Host:http(request)
    return self.client:call(request)
end


--- Runs Lua text, in place: the worker does nothing else meanwhile.
-- @tparam string source the body of a function
-- @param ... at most 8 strings, numbers, booleans and nils
-- @return what it returns, at most 8 of these; or nil and an error when it raises
function Host.work(_, source, ...)
    works.check(source, ...)
    return works.unwrap(works.run(source, ...))
end


-- ---- Files -------------------------------------------------------------------------------------

--- Reads a whole file, at once: nginx has no other way, and configuration is small.
-- @tparam string path
-- @treturn string|nil its bytes
-- @treturn string why not, without the path
function Host.read(_, path)
    return plain.read(path)
end


--- Opens a line writer: lines wait for a timer, which appends them together. The file is opened
-- each time, so one that was moved away needs no signal.
-- @tparam string path `-` for standard error
-- @tparam[opt] table options `queue` (lines that may wait, 1024), `max_bytes` (of them, 64 MiB)
-- @treturn Writer|nil `write(line)`, `dropped`, `reopen()`, `close()`
-- @treturn string why not
function Host:writer(path, options)
    return files.writer(path, settings.fill(options, settings.WRITER), self.write_log, self.open)
end


--- Watches files and folders, by looking at them now and then.
-- @tparam {string,...} paths of a folder, the files in it are watched, not those further below
-- @tparam function on_change called in a timer with the list of the paths that have changed
-- @tparam[opt] table options `poll` (seconds between two looks, 2); `debounce` is of no use here
-- @treturn table|nil `follow(paths)` (watch these from now on, and lose no change of those it has
-- watched before), `note()` (take what has changed until now as known), `forget()` (nothing is),
-- `close()`
-- @treturn string why not
function Host:watch(paths, on_change, options)
    local limits = settings.fill(options, settings.WATCH)
    local ok, watching, err = pcall(files.watch, paths, on_change, limits.poll, self.write_log,
        self.open)
    if not ok then
        return nil, in_words(watching)
    end
    return watching, err
end


-- ---- Running -----------------------------------------------------------------------------------

--- Never: nginx has the signals.
-- @treturn nil
-- @treturn string
function Host.on_signal()
    return nil, "nginx handles signals itself"
end


--- Never: nginx runs the loop.
-- @treturn nil
-- @treturn string
function Host.run()
    return nil, "nginx runs its own loop"
end


--- As `run`.
function Host.stop()
    return nil, "nginx runs its own loop"
end


--- Ends everything: tasks are cancelled, watches end, lines are written.
function Host:close()
    for task in pairs(self.tasks) do
        task:cancel("the host is closed")
    end
    for object in pairs(self.open) do
        object:close()
    end
end


return _M
