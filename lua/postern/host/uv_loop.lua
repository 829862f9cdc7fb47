--- What the parts of the libuv host share: tasks, timers, handles and the words for errors.
--
-- libuv's loop is the Lua state's; an object of this kind knows which handles on it are its own, so
-- that closing it leaves none behind.
--
-- *Dependencies*: luv, postern.sockets, postern.task
--
-- @module postern.host.uv_loop
local uv = require("luv")
local sockets = require("postern.sockets")
local tasks = require("postern.task")


local _M = {}
local Loop = {}
Loop.__index = Loop


-- ---- Words -------------------------------------------------------------------------------------

-- libuv names errors in callbacks (`ECONNREFUSED`) and tells the words only by number.
local words_of

local function load_words()
    words_of = {}
    for number = 1, 133 do -- the errors of Linux
        local name, words = (uv.translate_sys_error(number) or ""):match("^([%u%d_]+): (.+)$")
        if name then
            words_of[name] = words
        end
    end
    for number = -3016, -3000 do -- those of getaddrinfo
        local name, words = (uv.translate_sys_error(number) or ""):match("^([%u%d_]+): (.+)$")
        if name then
            words_of[name] = words
        end
    end
    words_of.EOF = "closed"
    words_of.EISDIR = "is a directory" -- as the C library says it
end


--- An error of libuv in words.
-- @tparam string err `ECONNREFUSED`, or that with words behind it
-- @treturn string `connection refused`
function _M.words(err)
    if not words_of then
        load_words()
    end
    local name = tostring(err):match("^[%u%d_]+")
    return name and words_of[name] or tostring(err)
end


-- ---- The end of the program --------------------------------------------------------------------

-- luv crashes when the Lua state is closed while a handle is closing or a thread works. So what is
-- unfinished then is finished first, by the finalizer of an object that is newer than all of it:
-- finalizers run newest first.
local unfinished = 0
local template = newproxy(true)
local newest

getmetatable(template).__gc = function(object)
    if rawequal(object, newest) then
        while unfinished > 0 and uv.run("once") do end
    end
end


--- Notes that something has begun which has to end before the program does.
function _M.begin()
    unfinished = unfinished + 1
    newest = newproxy(template)
end


--- Notes that it has ended.
function _M.finish()
    unfinished = unfinished - 1
end


-- ---- The loop ----------------------------------------------------------------------------------

--- Makes one.
-- @tparam function log takes one line
-- @treturn Loop with `tasks` and `log`
function _M.new(log)
    local self = setmetatable({
        handles = {}, -- every open one to true
        busy = 0,     -- what has to be waited for besides tasks
        log = function(message) pcall(log, message) end,
    }, Loop)
    self.tasks = tasks.new({
        log = log,
        timer = function(seconds, fn) return self:timer(seconds, fn) end,
    })
    return self
end


--- Wraps a callback: one that raises is told, and the loop goes on.
-- @tparam function fn
-- @treturn function
function Loop:callback(fn)
    return function(...)
        local ok, err = pcall(fn, ...)
        if not ok then
            self.log("a callback raised: " .. tostring(err))
        end
    end
end


--- Takes a new handle into care.
-- @param handle of luv
-- @return the same
function Loop:adopt(handle)
    self.handles[handle] = true
    return handle
end


--- Closes a handle, once.
-- @param handle
function Loop:close_handle(handle)
    if self.handles[handle] and not handle:is_closing() then
        _M.begin()
        handle:close(function()
            _M.finish()
            self.handles[handle] = nil
        end)
    end
end


--- Calls a function after a time.
-- @tparam number seconds
-- @tparam function fn
-- @tparam[opt] boolean weak whether the loop need not run on for it
-- @treturn function stops it; may be called when it is over
function Loop:timer(seconds, fn, weak)
    local timer = self:adopt(uv.new_timer())
    -- The loop's clock stands still while Lua runs; a limit counts from now.
    uv.update_time()
    timer:start(math.ceil(seconds * 1000), 0, self:callback(function()
        self:close_handle(timer)
        fn()
    end))
    if weak then
        timer:unref()
    end
    return function()
        self:close_handle(timer)
    end
end


--- Calls a function again and again, every so many seconds; the loop need not run on for it.
-- @tparam number seconds
-- @tparam function fn
-- @treturn function stops it
function Loop:every(seconds, fn)
    local timer = self:adopt(uv.new_timer())
    local milliseconds = math.max(1, math.ceil(seconds * 1000))
    timer:start(milliseconds, milliseconds, self:callback(fn))
    timer:unref()
    return function()
        self:close_handle(timer)
    end
end


--- Calls a function when the loop has come round once. A timer of no time would not do: one that is
-- started by another's callback is due at once, and the loop never gets to its sockets.
-- @tparam function fn
-- @treturn function stops it; may be called when it is over
function Loop:turn(fn)
    local idle = self:adopt(uv.new_idle())
    idle:start(self:callback(function()
        self:close_handle(idle)
        fn()
    end))
    return function()
        self:close_handle(idle)
    end
end


local Readiness = {}
Readiness.__index = Readiness


-- Many descriptors are one handle: libuv would print a line for every peer that resets.
local function watch_of(self)
    local why
    if self.watch then
        return self.watch
    end
    self.watch, why = sockets.watch()
    if not self.watch then
        return nil, why
    end
    local watch = self.watch
    self.watch_poll = self:adopt(uv.new_poll(watch.fd))
    self.tell_watch = self:callback(function() watch:tell() end)
    return watch
end


--- Begins to watch.
-- @treturn boolean|nil true; nil where the system watches no more
-- @treturn string why not
function Readiness:start()
    local loop = self.loop
    local watch = loop.watch
    if not self.number then
        local number, why = watch:add(self.fd, self.fn, self.owner, self.raised)
        if not number then
            return nil, why
        end
        self.number = number
        if watch.count == 1 then
            loop.watch_poll:start("r", loop.tell_watch)
        end
    end
    return true
end


--- Ends watching, until `start`. To be called before the stream is closed.
function Readiness:stop()
    local loop = self.loop
    if self.number and loop.watch then
        loop.watch:remove(self.fd, self.number)
        self.number = nil
        if loop.watch.count == 0 and not loop.watch_poll:is_closing() then
            loop.watch_poll:stop()
        end
    end
end


--- Watches whether a stream can be read, for whoever reads its descriptor himself. The stream
-- itself must not read meanwhile.
-- @param stream connected
-- @tparam function fn called when there is something to read, when the peer says nothing more, and
-- when the connection is broken
-- @param[opt] owner handed to both functions
-- @tparam[opt] function raised called with `owner` and why, when `fn` has raised; without it, that
-- is told, and who else can be read at the moment has to wait
-- @treturn table|nil `fd`, `start()` and `stop()`; nil for what is no stream of libuv, or when
-- nothing can be watched
function Loop:readiness(stream, fn, owner, raised)
    local fd = type(stream) == "userdata" and stream:fileno()
    if not fd or not watch_of(self) then
        return nil
    end
    return setmetatable({
        loop = self, fd = fd, fn = fn, owner = owner, raised = raised, number = nil,
    }, Readiness)
end


--- Waits for an operation, in a task; see `Tasks:await`.
function Loop:await(seconds, begin)
    return self.tasks:await(seconds, begin)
end


--- Waits for a request of libuv (`fs_open` and its like) that answers `err, result`.
-- @tparam function start called with the callback
-- @tparam[opt] function undo called with a result that nobody waits for any more
-- @return the result, true when there is none; or nil and an error in words
function Loop:request(start, undo)
    return self:await(nil, function(wake)
        local abandoned = false
        local request, err = start(self:callback(function(failed, result)
            if abandoned then
                if undo and result then
                    undo(result)
                end
            elseif failed then
                wake(nil, _M.words(failed))
            else
                wake(result == nil and true or result)
            end
        end))
        if not request then
            wake(nil, _M.words(err))
        end
        return function()
            abandoned = true
            if request then
                uv.cancel(request)
            end
        end
    end)
end


--- Runs the loop until a function says it is enough, or nothing is left that could happen.
-- @tparam function enough
-- @treturn boolean whether it was enough
function Loop.run_until(_, enough)
    while not enough() do
        if not uv.run("once") and not enough() then
            return false
        end
    end
    return true
end


--- Closes every handle, and runs the loop until they are closed unless a task is running.
function Loop:close()
    for handle in pairs(self.handles) do
        self:close_handle(handle)
    end
    if self.watch then
        self.watch:close()
        self.watch = nil
    end
    if not self.tasks:inside() then
        self:run_until(function() return next(self.handles) == nil end)
    end
end


return _M
