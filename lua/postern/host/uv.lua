--- The host on libuv: everything that waits is a task, on one loop.
--
-- An object of this module is a host of its own: its tasks, handles, connections and limits are its
-- alone, and `close` leaves none of them. Operations are called within a task (`spawn`) and wait
-- there; outside of one they raise. What may happen answers nil and an error in words.
--
-- *Dependencies*: luv, postern.client, postern.guard, postern.semaphore, postern.task,
-- postern.work, postern.host.options, postern.host.uv_file, postern.host.uv_loop,
-- postern.host.uv_socket
--
-- @module postern.host.uv
local uv = require("luv")
local client = require("postern.client")
local guard = require("postern.guard")
local semaphore = require("postern.semaphore")
local tasks = require("postern.task")
local works = require("postern.work")
local files = require("postern.host.uv_file")
local loops = require("postern.host.uv_loop")
local settings = require("postern.host.options")
local sockets = require("postern.host.uv_socket")

local words = loops.words


local _M = {}
local Host = {}
Host.__index = Host


-- Lookups at once: a resolver that hangs must not take all four threads of libuv's pool, where
-- files are read and lines are written, too. And how many may wait for these.
local MOST_LOOKUPS, LOOKUP_QUEUE = 2, 1024


local function pack(...)
    return { n = select("#", ...), ... }
end


--- Makes a host.
-- @tparam[opt] table options `log` (a function of one line; standard error), `concurrency` and
-- `queue` (HTTP calls at once to one origin, 64, and how many may wait, 1024)
-- @treturn Host
function _M.new(options)
    options = options or {}
    settings.check(options, settings.HOST)
    local log = options.log or function(message) io.stderr:write(message, "\n") end
    local loop = loops.new(log)
    local self = setmetatable({
        loop = loop, sockets = sockets.new(loop), writers = {}, watches = {},
    }, Host)
    -- What the modules that know no host are handed.
    self.parts = {
        monotonic = function() return self:monotonic() end,
        connect = function(wanted) return self:connect(wanted) end,
        ticket = function() return self:ticket() end,
        ensure = function(cleanup, fn, ...) return loop.tasks:ensure(cleanup, fn, ...) end,
        timeout = function(seconds, fn, ...) return loop.tasks:timeout(seconds, fn, ...) end,
    }
    self.lookups = semaphore.new({ limit = MOST_LOOKUPS, queue = LOOKUP_QUEUE }, self.parts)
    self.client = client.new({ concurrency = options.concurrency, queue = options.queue },
        self.parts)
    return self
end


-- ---- Time and the log --------------------------------------------------------------------------

--- Seconds since the epoch, with a fraction.
-- @treturn number
function Host.now()
    local seconds, microseconds = uv.gettimeofday()
    return seconds + microseconds / 1e6
end


--- Seconds since some fixed time, which nobody sets back.
-- @treturn number
function Host.monotonic()
    return tonumber(uv.hrtime()) / 1e9
end


--- Writes one line for the operator.
-- @tparam string message
function Host:log(message)
    self.loop.log(message)
end


-- ---- Tasks -------------------------------------------------------------------------------------

--- Starts a task: `fn(...)` as a coroutine that may wait.
-- @tparam function fn one that raises is told to the log, unless somebody waits for it
-- @param ...
-- @treturn Task with `wait()` (what `fn` returned; or nil and an error) and `cancel(reason)`
function Host:spawn(fn, ...)
    return self.loop.tasks:spawn(fn, ...)
end


--- Calls `fn(argument)` at once, in a task that is used again; see `perform` of `postern.task`.
-- @tparam function fn
-- @param argument
-- @treturn Task|nil the task when it waits, until the function has returned
function Host:perform(fn, argument)
    return self.loop.tasks:perform(fn, argument)
end


--- Whether the caller runs in a task of this host.
-- @treturn boolean
function Host:inside()
    return self.loop.tasks:inside()
end


--- Waits.
-- @tparam number seconds 0: until the loop has come round, so that others get their turn
-- @treturn boolean true
function Host:sleep(seconds)
    tasks.check_seconds(seconds, "seconds")
    return self.loop:await(nil, function(wake)
        local function over() wake(true) end
        return seconds == 0 and self.loop:turn(over) or self.loop:timer(seconds, over)
    end)
end


--- Runs a function for a limited time, as a task of its own that is cancelled when it is over.
-- @tparam number seconds
-- @tparam function fn
-- @param ...
-- @return what `fn` returns; or nil, `timed out after 0.5 seconds` and `timeout`
function Host:timeout(seconds, fn, ...)
    return self.loop.tasks:timeout(seconds, fn, ...)
end


--- Calls `fn(...)` and then, when it returns, raises or is cancelled, `cleanup()`.
-- @tparam function cleanup it must not wait
-- @tparam function fn
-- @param ...
-- @return what `fn` returns
function Host:ensure(cleanup, fn, ...)
    return self.loop.tasks:ensure(cleanup, fn, ...)
end


--- Makes a guard round calls: a concurrency limit, a time limit and a breaker.
-- @tparam table options see `postern.guard`
-- @treturn Guard with `call(fn, ...)`
function Host:gate(options)
    return guard.new(options, self.parts)
end


--- Makes a ticket: one task waits for it, anybody posts it, before or after.
-- @treturn table `wait(seconds)` (true when it was posted in time) and `post()`
function Host:ticket()
    local posted, wake = false, nil
    return {
        wait = function(_, seconds)
            return posted or self.loop:await(seconds, function(done)
                wake = done
                return function() wake = nil end
            end) or false
        end,
        post = function()
            posted = true
            if wake then
                wake(true)
            end
        end,
    }
end


-- ---- Network -----------------------------------------------------------------------------------

--- Looks up the addresses of a name, as the system does. An address is its own.
-- @tparam string name
-- @treturn {string,...}|nil addresses, IPv4 and IPv6, in the system's order
-- @treturn string why not
function Host:resolve(name)
    if not settings.is_name(name) then
        return nil, "not the name of a host"
    elseif settings.is_address(name) then
        return { name }
    elseif not self.lookups:acquire() then
        return nil, ("`%s`: too many names are being looked up"):format(name)
    end
    -- The place is given back when the system has answered, also when nobody waits any more: the
    -- thread is as busy.
    local found, err = self.loop:request(function(done)
        return uv.getaddrinfo(name, nil, { socktype = "stream" }, function(...)
            self.lookups:release()
            done(...)
        end)
    end)
    if not found then
        return nil, ("`%s`: %s"):format(name, err)
    end
    local addresses, seen = {}, {}
    for _, entry in ipairs(found) do
        if not seen[entry.addr] then
            seen[entry.addr] = true
            addresses[#addresses + 1] = entry.addr
        end
    end
    return addresses
end


-- Every address in turn, until one answers or the time is over.
local function connect_name(self, options, timeout)
    local deadline = self.monotonic() + timeout
    local addresses, err, kind = self:timeout(timeout, self.resolve, self, options.host)
    if not addresses then
        return nil, err, kind
    end
    local socket
    for _, address in ipairs(addresses) do
        local left = math.max(0, deadline - self.monotonic())
        socket, err, kind = self.sockets:connect_address(address, options.port, left, options.pool)
        if socket or kind == "timeout" then
            break
        end
    end
    if kind == "timeout" and not socket then
        return nil, tasks.timed_out(timeout), kind
    end
    return socket, err
end


--- Connects.
-- @tparam table options `host` (a name or an address) and `port`, or `path` (of a Unix socket);
-- `timeout` (seconds for connecting and for each send and receive, 60); `pool` (a name: `keep` of
-- the socket gives it back to that pool) and `fresh` (whether none is taken from there)
-- @treturn Socket|nil `send(text, seconds)`, `receive(max_bytes, seconds)`, `close()`, `keep()`,
-- `reused()`; it is closed when the task that opened it is cancelled
-- @treturn string why not
function Host:connect(options)
    settings.check_connect(options)
    local timeout = options.timeout or settings.SOCKET_TIMEOUT
    local socket, err, kind
    if options.pool and not options.fresh then
        socket = self.sockets:kept(options.pool)
    end
    if not socket and options.path then
        socket, err, kind = self.sockets:connect_path(options.path, timeout, options.pool)
    elseif not socket then
        socket, err, kind = connect_name(self, options, timeout)
    end
    if not socket then
        return nil, err, kind
    end
    socket.timeout = timeout
    return socket
end


--- Calls a URL; see `postern.client`.
-- @tparam table request
-- @treturn table|nil `status`, `headers` (lower-case name to a list of values), `body`
-- @treturn string why there is none
function Host:http(request)
    return self.client:call(request)
end


-- ---- Work --------------------------------------------------------------------------------------

--- Runs Lua text in a worker thread, in a Lua state that shares nothing.
-- @tparam string source the body of a function; `...` is what it is called with
-- @param ... at most 8 strings, numbers, booleans and nils
-- @return what it returns, at most 8 of these; or nil and an error when it raises
function Host:work(source, ...)
    works.check(source, ...)
    local arguments, count = { ... }, select("#", ...)
    return works.unwrap(self.loop:await(nil, function(wake)
        local work = uv.new_work(works.run, self.loop:callback(function(...)
            loops.finish()
            self.loop.busy = self.loop.busy - 1
            wake(...)
        end))
        loops.begin()
        self.loop.busy = self.loop.busy + 1
        work:queue(source, unpack(arguments, 1, count))
    end))
end


-- ---- Files -------------------------------------------------------------------------------------

--- Reads a whole file, by the thread pool.
-- @tparam string path
-- @treturn string|nil its bytes
-- @treturn string why not, without the path
function Host:read(path)
    return files.read(self.loop, path)
end


local function forget_in(list, object)
    local close = object.close
    object.close = function(...)
        list[object] = nil
        return close(...)
    end
    list[object] = true
    return object
end


--- Opens a line writer that never blocks: lines wait in a bounded queue for the thread pool. It is
-- opened anew on SIGUSR1, after the file was moved away.
-- @tparam string path `-` for standard error
-- @tparam[opt] table options `queue` (lines that may wait, 1024), `max_bytes` (of them, 64 MiB)
-- @treturn Writer|nil `write(line)` (false when the line is dropped), `dropped` (how many were),
-- `reopen()`, `close()`
-- @treturn string why not
function Host:writer(path, options)
    local writer, err = files.writer(self.loop, path, settings.fill(options, settings.WRITER))
    if not writer then
        return nil, err
    end
    if not self.reopening then
        self.reopening = self:on_signal("sigusr1", function()
            for each in pairs(self.writers) do
                each:reopen()
            end
        end)
    end
    return forget_in(self.writers, writer)
end


--- Watches files and folders.
-- @tparam {string,...} paths of a folder, the files in it are watched, not those further below
-- @tparam function on_change called in a task with the list of the paths that have changed
-- @tparam[opt] table options `debounce` (seconds from a change to the call, 0.1), `poll` (seconds
-- between two looks at what a file system does not tell, 2)
-- @treturn table `follow(paths)` (watch these from now on, and lose no change of those it has
-- watched before), `note()` (take what has changed until now as known), `forget()` (nothing is),
-- `close()`
function Host:watch(paths, on_change, options)
    return forget_in(self.watches, files.watch(self.loop, paths, on_change,
        settings.fill(options, settings.WATCH)))
end


-- ---- Running -----------------------------------------------------------------------------------

--- Calls a function, as a task, at each signal of a name.
-- @tparam string name `sighup`
-- @tparam function fn
-- @treturn table|nil `close()`
-- @treturn string why not
function Host:on_signal(name, fn)
    local handle = self.loop:adopt(uv.new_signal())
    local ok, err = handle:start(name, self.loop:callback(function()
        self:spawn(fn)
    end))
    if not ok then
        self.loop:close_handle(handle)
        return nil, ("signal `%s`: %s"):format(name, words(err))
    end
    handle:unref() -- listening is no reason to run on
    return { close = function() self.loop:close_handle(handle) end }
end


--- Runs the loop until every task has ended and nothing is watched, or `stop`.
-- @treturn boolean false when tasks are left that nothing will ever wake
function Host:run()
    self.stopped = false
    local loop = self.loop
    return loop:run_until(function()
        return self.stopped or (loop.tasks.live == 0 and loop.busy == 0)
    end)
end


--- Makes `run` return.
function Host:stop()
    self.stopped = true
    -- A loop that waits for an event has to be told.
    self.loop:timer(0, function() end)
end


--- Runs a function as a task, and the loop until it has ended. Not to be called within a task.
-- @tparam function fn
-- @param ...
-- @return what it returns; it raises what it raises
function Host:block(fn, ...)
    if self:inside() then
        error("a task cannot block: call the function itself", 2)
    end
    local outcome
    local task = self:spawn(function(...)
        outcome = pack(pcall(fn, ...))
    end, ...)
    self.loop:run_until(function() return task.finished end)
    if not outcome then
        task:cancel()
        return nil, "it waits for what nothing will bring"
    elseif not outcome[1] then
        error(outcome[2], 0)
    end
    return unpack(outcome, 2, outcome.n)
end


--- Ends everything: tasks are cancelled, watches, connections and signals closed, lines written.
-- Within a task what is closed is gone when the loop has run on.
function Host:close()
    self.loop.tasks:cancel_all("the host is closed")
    for watch in pairs(self.watches) do
        watch:close()
    end
    for writer in pairs(self.writers) do
        writer:close()
    end
    self.sockets:close()
    if not self:inside() then
        self.loop:run_until(function() return self.loop.busy == 0 end)
    end
    self.loop:close()
end


return _M
