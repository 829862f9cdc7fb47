--- Sockets, as the system knows them: what a server needs and an event loop does not offer.
--
-- Descriptors are numbers and stay with whoever has them. `http/include/postern_http.h` has the
-- rules. Reading a clock, and sorting what it says, is here as well.
--
-- *Dependencies*: postern.ffi
--
-- @module postern.sockets
local ffi = require("ffi")
local core = require("postern.ffi")


local _M = {}

local err = ffi.new("postern_error")


-- Wrong use, here and nowhere else: the functions below are called when a server starts or a
-- connection begins.
local function library()
    local available, lib = pcall(core.http)
    if not available then
        error(lib, 3)
    end
    return lib
end


local function check_descriptor(fd)
    if type(fd) ~= "number" or fd < 0 or fd > 2 ^ 31 - 1 or fd % 1 ~= 0 then
        error(("%s is no descriptor"):format(tostring(fd)), 3)
    end
end


local function result_of(status)
    if status ~= 0 then
        return nil, ffi.string(err.message)
    end
    return true
end


--- Tells the service manager how this process is, as sd_notify(3) has it. Waits for a second at
-- most.
-- @tparam string path what the variable NOTIFY_SOCKET says
-- @tparam string message such as `READY=1`, lines of `NAME=value`
-- @treturn boolean|nil
-- @treturn string why nobody was told
function _M.notify(path, message)
    return result_of(library().postern_http_notify(path, #path, message, #message, err))
end


--- Describes a socket that was handed over.
-- @tparam number fd
-- @treturn table|nil `family` (`inet`, `inet6`, `unix` or `other`), `stream` and `listening`
-- (booleans), `address` (of a Unix socket its path, `@` and an abstract name, or nothing), `port`
-- @treturn string why it is none
function _M.describe(fd)
    check_descriptor(fd)
    local lib, socket = library(), ffi.new("postern_http_socket")
    local ok, why = result_of(lib.postern_http_socket_of(fd, socket, err))
    if not ok then
        return nil, why
    end
    local families = { [lib.POSTERN_HTTP_INET] = "inet", [lib.POSTERN_HTTP_INET6] = "inet6",
        [lib.POSTERN_HTTP_UNIX] = "unix" }
    return {
        family = families[socket.family] or "other",
        stream = socket.stream ~= 0,
        listening = socket.listening ~= 0,
        address = ffi.string(socket.address, socket.address_length),
        port = socket.port,
    }
end


--- Who is at the other end of a Unix socket, as of when it was connected.
-- @tparam number fd
-- @treturn table|nil `pid` (0 where that process is not to be seen), `uid`, `gid`
-- @treturn string why nobody knows
function _M.peer(fd)
    check_descriptor(fd)
    local peer = ffi.new("postern_http_credentials")
    local ok, why = result_of(library().postern_http_peer(fd, peer, err))
    if not ok then
        return nil, why
    end
    return { pid = peer.pid, uid = peer.uid, gid = peer.gid }
end


--- Lets other sockets that do the same bind to the same port; to be called before binding.
-- @tparam number fd
-- @treturn boolean|nil
-- @treturn string why not
function _M.reuse_port(fd)
    check_descriptor(fd)
    return result_of(library().postern_http_reuse_port(fd, err))
end


--- Keeps a descriptor from programs that are run.
-- @tparam number fd
-- @treturn boolean|nil
-- @treturn string why not
function _M.close_on_exec(fd)
    check_descriptor(fd)
    return result_of(library().postern_http_close_on_exec(fd, err))
end


-- Loaded here and not when first used: a call through a value that can change does not compile.
local available, loaded = pcall(core.http)

--- The time since some moment that stays. Reading it compiles, which a call of libuv does not.
-- Raises when the HTTP library is not there.
-- @treturn number seconds
function _M.seconds()
    if not available then
        error(loaded, 2)
    end
    return (loaded.postern_http_seconds())
end


-- ---- Watching ----------------------------------------------------------------------------------

local Watch = {}
Watch.__index = Watch

-- Numbers of what is watched go on from 1 when they have been there.
local LAST = 2 ^ 32 - 1

-- As many are asked for at a time; what remains is told the next time.
local MOST_READY = 64
local ready = ffi.new("uint32_t[?]", MOST_READY)


-- Tells one of those that can be read, which may be told again.
local function tell_next(self)
    local watched = self.told[ready[self.at]] -- none, when another's has removed it
    self.telling = watched
    if not (watched and watched.fn(watched.owner)) then
        self.at = self.at + 1
    end
end


-- Compiled code is to take up what one descriptor has to say at a time, from its beginning to its
-- end, and no more: what is compiled from somewhere within, or goes on with the next one, is
-- compiled again for each way that leads there. It ends where it would return to a `pcall`, or into
-- a loop, but it can return to what has asked for a member.
local compiled = setmetatable({}, { __index = function(_, self)
    tell_next(self)
    return nil
end })


-- The members are asked for their own sake.
local function tell_all(self)
    local nothing
    while self.at < self.count_ready do
        nothing = compiled[self]
    end
    return nothing
end


-- As often as it takes to be compiled, and a number of none.
local OFTEN, NOBODY = 200, 0

-- Has the way compiled from its beginning, with nobody to tell. What comes later is a branch of it.
local function warm_up(self)
    ready[0], self.count_ready = NOBODY, 1
    for _ = 1, OFTEN do
        self.at = 0
        tell_all(self)
    end
end


local function take_ready(self)
    self.at = 0
    self.count_ready = loaded.postern_http_watch_ready(self.fd, ready, MOST_READY)
end


--- Makes a set of descriptors that are watched. A loop watches `fd` of it, and calls `tell` when
-- that can be read.
-- @treturn Watch|nil with `fd` and `count`
-- @treturn string why not
function _M.watch()
    if not available then
        return nil, loaded
    end
    local fd = loaded.postern_http_watch_new(err)
    if fd < 0 then
        return nil, ffi.string(err.message)
    end
    local self = setmetatable({
        fd = fd, last = 0, count = 0, told = {}, at = 0, count_ready = 0, telling = nil,
    }, Watch)
    warm_up(self)
    return self
end


--- Watches a descriptor.
-- @tparam number fd
-- @tparam function fn called when it can be read, has ended or is broken; when it answers true, it
-- is called again before others are
-- @param[opt] owner handed to both functions
-- @tparam[opt] function raised called with `owner` and why, when `fn` has raised; without it, that
-- is raised by `tell`
-- @treturn number|nil for `remove`
-- @treturn string why not
function Watch:add(fd, fn, owner, raised)
    local number = self.last + 1
    while self.told[number] do -- of one that has been there all the while
        number = number < LAST and number + 1 or 1
    end
    if loaded.postern_http_watch_add(self.fd, fd, number, err) ~= 0 then
        return nil, ffi.string(err.message)
    end
    self.last = number < LAST and number or 0
    self.told[number] = { fn = fn, owner = owner, raised = raised }
    self.count = self.count + 1
    return number
end


--- Ends watching a descriptor, before that is closed.
-- @tparam number fd
-- @tparam number number what `add` answered
function Watch:remove(fd, number)
    loaded.postern_http_watch_remove(self.fd, fd)
    self.told[number], self.count = nil, self.count - 1
end


--- Calls the function of each descriptor that can be read at the moment. None may call this.
function Watch:tell()
    take_ready(self)
    while self.at < self.count_ready do
        local ok, why = pcall(tell_all, self)
        if not ok then
            local telling = self.telling
            if not telling.raised then
                error(why, 0)
            end
            self.at = self.at + 1
            telling.raised(telling.owner, why)
        end
    end
end

jit.off(Watch.tell)
jit.off(tell_all)
jit.off(warm_up)


--- Closes the set; nothing is watched any more.
function Watch:close()
    loaded.postern_http_watch_close(self.fd)
end


-- ---- Clocks ------------------------------------------------------------------------------------

--- Numbers in ascending order, for `place`.
-- @tparam {number,...} numbers
-- @treturn Bounds
function _M.bounds(numbers)
    return { count = #numbers, numbers = ffi.new("double[?]", #numbers, numbers) }
end


--- Where among bounds a number is. In C, since a loop would end the compiled way.
-- @tparam Bounds bounds
-- @tparam number value
-- @treturn number 1 where no bound is below it, and one more for each that is
function _M.place(bounds, value)
    return (loaded.postern_http_place(bounds.numbers, bounds.count, value)) + 1
end


return _M
