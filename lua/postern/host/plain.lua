--- The host of the command line and of tests: clock, log and files of plain Lua, and, for what
-- needs a loop, one of its own that runs as long as somebody waits.
--
-- The functions of the module need nothing but Lua. `new` makes a host with the operations of
-- `postern.host.uv`: each of them blocks until it is done, unless it is called within a task of the
-- same host (`spawn`, `timeout`, a guard's call), where it waits as it would there. libuv is loaded
-- when the first of them needs it.
--
-- *Dependencies*: postern.work, postern.host.options, postern.host.uv (when it is needed)
--
-- @module postern.host.plain
local settings = require("postern.host.options")
local works = require("postern.work")


local _M = {}
local Host = {}
Host.__index = Host
local Writer = {}
Writer.__index = Writer


--- The largest file that is read. The core takes no larger document; the limit keeps a wrong path
-- (a disk image, `/dev/zero`) from filling the memory first.
_M.MAX_BYTES = 16 * 1024 * 1024

local CHUNK = 64 * 1024


--- Seconds since the epoch.
-- @treturn number
function _M.now()
    return os.time()
end


--- Writes one line for the operator.
-- @tparam string message
function _M.log(message)
    io.stderr:write(message, "\n")
end


-- Opening a folder succeeds on Linux; only reading it tells, so every opener reads at once.
local function open(path)
    if path == "-" then
        return io.stdin
    end
    local file, err = io.open(path, "rb")
    if file then
        return file
    end
    -- io.open says "path: reason"; the caller names the path itself.
    return nil, err:sub(#path + 3):lower() .. ": check the path"
end


local function close(file)
    if file ~= io.stdin then
        file:close()
    end
end


local function too_large(what)
    return ("%s is larger than %d MiB: give a smaller one")
        :format(what, _M.MAX_BYTES / (1024 * 1024))
end


local function read_chunk(file)
    local chunk, err = file:read(CHUNK)
    if not chunk and err then
        return nil, err:lower() .. ": give a file"
    end
    return chunk
end


--- Reads a whole file, or standard input for `-`.
-- @tparam string path
-- @treturn string|nil its bytes
-- @treturn string why not, without the path: missing, a directory, too large
function _M.read(path)
    local file, err = open(path)
    if not file then
        return nil, err
    end
    local parts, size = {}, 0
    local chunk
    chunk, err = read_chunk(file)
    while chunk and size <= _M.MAX_BYTES do
        parts[#parts + 1] = chunk
        size = size + #chunk
        chunk, err = read_chunk(file)
    end
    close(file)
    if err then
        return nil, err
    end
    if size > _M.MAX_BYTES then
        return nil, too_large("the file")
    end
    -- Texts that are alike in most bytes are dear to make strings of: none is made twice.
    return #parts == 1 and parts[1] or table.concat(parts)
end


-- The text up to the next line end, taken from the pieces read so far.
local function take_line(pending, head)
    pending[#pending + 1] = head
    local line = table.concat(pending)
    return (line:gsub("\r$", ""))
end


-- Runs as a coroutine: yields every line, or nil and an error.
local function produce_lines(file)
    local pending, size = {}, 0
    local chunk, err = read_chunk(file)
    while chunk do
        local from = 1
        local line_end = chunk:find("\n", from, true)
        while line_end do
            coroutine.yield(take_line(pending, chunk:sub(from, line_end - 1)))
            pending, size, from = {}, 0, line_end + 1
            line_end = chunk:find("\n", from, true)
        end
        pending[#pending + 1] = chunk:sub(from)
        size = size + #chunk - from + 1
        if size > _M.MAX_BYTES then
            chunk, err = nil, too_large("a line")
        else
            chunk, err = read_chunk(file)
        end
    end
    close(file)
    if err then
        return nil, err
    end
    if size > 0 then
        coroutine.yield(take_line(pending, ""))
    end
end


--- Opens a file for reading line by line, or standard input for `-`.
-- @tparam string path
-- @treturn function|nil an iterator: a line without its end; nil at the end; nil and an error
-- @treturn string why the file cannot be opened
function _M.lines(path)
    local file, err = open(path)
    if not file then
        return nil, err
    end
    return coroutine.wrap(function()
        -- Once finished the iterator goes on answering nil instead of raising.
        local _, failure = produce_lines(file)
        coroutine.yield(nil, failure)
        while true do
            coroutine.yield(nil)
        end
    end)
end


-- ---- A host with operations --------------------------------------------------------------------

--- Makes a host.
-- @tparam[opt] table options as of `postern.host.uv`
-- @treturn Host
function _M.new(options)
    options = options or {}
    settings.check(options, settings.HOST)
    return setmetatable({
        options = { log = options.log or _M.log, concurrency = options.concurrency,
            queue = options.queue },
    }, Host)
end


local function load_uv()
    local ok, uv = pcall(require, "postern.host.uv")
    if not ok then
        error("what waits needs libuv: install lua-luv: " .. tostring(uv), 0)
    end
    return uv
end


-- The host that does it, made when it is first needed.
local function inner_of(self)
    if not self.inner then
        self.inner = load_uv().new(self.options)
    end
    return self.inner
end


-- Calls a method of something of the inner host: within a task as it is, else it blocks.
local function forward(self, object, method, ...)
    local inner = inner_of(self)
    if inner:inside() then
        return object[method](object, ...)
    end
    return inner:block(object[method], object, ...)
end


-- The same object for callers outside of tasks: the methods named block, the others are its own.
local CALL, WAIT = { "call" }, { "wait" }

local function blocking(self, object, methods)
    local proxy = {}
    for _, method in ipairs(methods) do
        proxy[method] = function(_, ...)
            return forward(self, object, method, ...)
        end
    end
    return setmetatable(proxy, {
        __index = function(_, name)
            local value = object[name]
            if type(value) ~= "function" then
                return value
            end
            return function(_, ...)
                return value(object, ...)
            end
        end,
    })
end


local function wrap(self, methods, object, ...)
    if object then
        return blocking(self, object, methods)
    end
    return nil, ...
end


--- Seconds since the epoch; with a fraction where libuv is there.
-- @treturn number
function Host:now()
    local ok, inner = pcall(inner_of, self)
    return ok and inner:now() or os.time()
end


--- Seconds since some fixed time, which nobody sets back.
-- @treturn number
function Host:monotonic()
    return inner_of(self):monotonic()
end


--- Writes one line for the operator.
-- @tparam string message
function Host:log(message)
    self.options.log(message)
end


--- Reads a whole file; as the module's `read`.
function Host.read(_, path)
    return _M.read(path)
end


--- Waits.
-- @tparam number seconds
-- @treturn boolean true
function Host:sleep(seconds)
    return forward(self, inner_of(self), "sleep", seconds)
end


--- Looks up the addresses of a name.
-- @tparam string name
-- @treturn {string,...}|nil
-- @treturn string why not
function Host:resolve(name)
    return forward(self, inner_of(self), "resolve", name)
end


--- Connects; the socket's methods block, too.
-- @tparam table options as of `postern.host.uv`
-- @treturn Socket|nil
-- @treturn string why not
function Host:connect(options)
    return wrap(self, { "send", "receive" }, forward(self, inner_of(self), "connect", options))
end


--- Calls a URL; see `postern.client`.
-- @tparam table request
-- @treturn table|nil `status`, `headers`, `body`
-- @treturn string why there is none
function Host:http(request)
    return forward(self, inner_of(self), "http", request)
end


--- Runs Lua text, in place.
-- @tparam string source the body of a function
-- @param ... at most 8 strings, numbers, booleans and nils
-- @return what it returns, at most 8 of these; or nil and an error when it raises
function Host.work(_, source, ...)
    works.check(source, ...)
    return works.unwrap(works.run(source, ...))
end


--- Runs a function for a limited time; see `postern.host.uv`.
function Host:timeout(seconds, fn, ...)
    return forward(self, inner_of(self), "timeout", seconds, fn, ...)
end


--- Calls `fn(...)` and then, in any case, `cleanup()`.
function Host:ensure(cleanup, fn, ...)
    return forward(self, inner_of(self), "ensure", cleanup, fn, ...)
end


--- Makes a guard round calls; see `postern.guard`.
function Host:gate(options)
    return blocking(self, inner_of(self):gate(options), CALL)
end


--- Makes a ticket; see `postern.host.uv`.
function Host:ticket()
    return blocking(self, inner_of(self):ticket(), WAIT)
end


--- Starts a task. It runs on whenever something of this host blocks.
function Host:spawn(fn, ...)
    return blocking(self, inner_of(self):spawn(fn, ...), WAIT)
end


--- Whether the caller runs in a task of this host.
function Host:inside()
    return self.inner ~= nil and self.inner:inside()
end


--- Runs a function as a task, and the loop until it has ended.
function Host:block(fn, ...)
    return inner_of(self):block(fn, ...)
end


--- Watches files and folders, while the loop runs: see `run`.
function Host:watch(paths, on_change, options)
    return inner_of(self):watch(paths, on_change, options)
end


--- Calls a function at a signal, while the loop runs.
function Host:on_signal(name, fn)
    return inner_of(self):on_signal(name, fn)
end


--- Runs the loop until every task has ended and nothing is watched, or `stop`.
function Host:run()
    return inner_of(self):run()
end


--- Makes `run` return.
function Host:stop()
    return inner_of(self):stop()
end


--- Ends everything.
function Host:close()
    if self.inner then
        self.inner:close()
    end
end


-- ---- Writing lines -----------------------------------------------------------------------------

--- Opens a line writer that writes at once: nothing waits, so nothing is dropped but what cannot be
-- written.
-- @tparam string path `-` for standard error
-- @tparam[opt] table options as of `postern.host.uv`; they limit nothing here
-- @treturn Writer|nil
-- @treturn string why not
function Host:writer(path, options)
    settings.fill(options, settings.WRITER)
    local writer = setmetatable({ path = path, dropped = 0, log = self.options.log }, Writer)
    local ok, err = writer:reopen()
    if not ok then
        return nil, err
    end
    return writer
end


--- Writes one line.
-- @tparam string line without its end
-- @treturn boolean false when it cannot be written; it is counted in `dropped`
function Writer:write(line)
    local ok, err
    if self.file then
        ok, err = self.file:write(line, "\n")
        if ok then
            ok, err = self.file:flush()
        end
    end
    if not ok then
        self.dropped = self.dropped + 1
        if err and not self.failing then
            self.log(("%s: %s: lines are dropped"):format(self.path, err:lower()))
        end
        self.failing = err ~= nil
        return false
    end
    self.failing = false
    return true
end

-- Where compiled code finds that a flush has failed, the interpreter does it again, and the second
-- one succeeds: what could not be written is gone by then.
jit.off(Writer.write)


--- Opens the path anew, after somebody has moved the file away.
-- @treturn boolean|nil
-- @treturn string why not; lines go on to the old file
function Writer:reopen()
    if self.path == "-" then
        self.file = io.stderr
        return true
    end
    local file, err = io.open(self.path, "ab")
    if not file then
        return nil, ("%s: %s"):format(self.path, err:sub(#self.path + 3):lower())
    end
    self:close()
    self.file = file
    return true
end


--- Closes the file; lines are dropped from then on.
function Writer:close()
    if self.file and self.file ~= io.stderr then
        self.file:close()
    end
    self.file = nil
end


return _M
