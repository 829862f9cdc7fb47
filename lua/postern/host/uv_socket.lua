--- Sockets of the libuv host: connecting, sending, receiving, and keeping them for the next call.
--
-- *Dependencies*: luv, postern.host.options, postern.host.uv_loop
--
-- @module postern.host.uv_socket
local uv = require("luv")
local loops = require("postern.host.uv_loop")
local settings = require("postern.host.options")

local words = loops.words


local _M = {}
local Sockets = {}
Sockets.__index = Sockets
local Socket = {}
Socket.__index = Socket


-- Kept connections of all origins together.
local MOST_IDLE_OF_ALL = 256


--- Makes the sockets of a loop.
-- @tparam Loop loop
-- @treturn Sockets
function _M.new(loop)
    return setmetatable({ loop = loop, idle = {}, count = 0 }, Sockets)
end


-- ---- Keeping -----------------------------------------------------------------------------------

local function forget(self, socket)
    if not socket.kept then
        return
    end
    socket.kept = false
    socket.stop_idling()
    self.count = self.count - 1
    local list = self.idle[socket.pool]
    for i, other in ipairs(list) do
        if other == socket then
            table.remove(list, i)
            break
        end
    end
    if #list == 0 then
        self.idle[socket.pool] = nil
    end
end


-- The one used last: it is the least likely to have been closed.
local function take_kept(self, pool)
    local list = self.idle[pool]
    local socket = list and list[#list]
    if not socket then
        return nil
    end
    forget(self, socket)
    socket.handle:read_stop()
    socket.handle:ref()
    socket.uses = socket.uses + 1
    self.loop.tasks:own(socket)
    return socket
end


--- Gives the socket back for the next connection to the same pool. It is closed when it has no
-- pool, enough are kept, or nobody comes.
function Socket:keep()
    local sockets = self.sockets
    local list = self.pool and (sockets.idle[self.pool] or {})
    if not list or self.closed or #list >= settings.MOST_IDLE
        or sockets.count >= MOST_IDLE_OF_ALL or #self.buffer > 0 then
        return self:close()
    end
    sockets.loop.tasks:disown(self)
    sockets.idle[self.pool] = list
    list[#list + 1] = self
    sockets.count = sockets.count + 1
    self.kept = true
    -- Whatever arrives now, an end or bytes nobody asked for, ends its use.
    self.stop_idling = sockets.loop:timer(settings.IDLE, function() self:close() end, true)
    self.handle:read_start(sockets.loop:callback(function() self:close() end))
    self.handle:unref()
end


--- Closes the kept connections.
function Sockets:close()
    for _, list in pairs(self.idle) do
        while list[1] do
            list[1]:close()
        end
    end
end


-- ---- Connecting --------------------------------------------------------------------------------

local function new_socket(self, handle, pool)
    local socket = setmetatable({
        sockets = self, handle = handle, pool = pool, uses = 0, buffer = "", closed = false,
        waiting = {}, -- what wakes each task that waits for it
    }, Socket)
    self.loop.tasks:own(socket)
    return socket
end


-- `start` is handed the callback, and answers nil and an error when it cannot even begin.
local function connect_handle(self, handle, seconds, start)
    local loop = self.loop
    local connected, err, kind = loop:await(seconds, function(wake)
        local begun, failed = start(loop:callback(function(why)
            if why then
                wake(nil, words(why))
            else
                wake(true)
            end
        end))
        if not begun then
            wake(nil, words(failed))
        end
        return function() loop:close_handle(handle) end
    end)
    if not connected then
        loop:close_handle(handle)
    end
    return connected, err, kind
end


--- Connects to a socket of the file system.
-- @tparam string path
-- @tparam number seconds
-- @tparam[opt] string pool
-- @treturn Socket|nil
-- @treturn string why not
function Sockets:connect_path(path, seconds, pool)
    local pipe = self.loop:adopt(uv.new_pipe(false))
    local ok, err, kind = connect_handle(self, pipe, seconds, function(done)
        return pipe:connect(path, done)
    end)
    if not ok then
        return nil, err, kind
    end
    return new_socket(self, pipe, pool)
end


--- Connects to an address.
-- @tparam string address
-- @tparam number port
-- @tparam number seconds
-- @tparam[opt] string pool
-- @treturn Socket|nil
-- @treturn string why not
function Sockets:connect_address(address, port, seconds, pool)
    local tcp = self.loop:adopt(uv.new_tcp())
    local ok, err, kind = connect_handle(self, tcp, seconds, function(done)
        return tcp:connect(address, port, done)
    end)
    if not ok then
        return nil, err, kind
    end
    tcp:nodelay(true)
    return new_socket(self, tcp, pool)
end


--- A kept connection of a pool.
-- @tparam string pool
-- @treturn Socket|nil
function Sockets:kept(pool)
    return take_kept(self, pool)
end


-- ---- Using -------------------------------------------------------------------------------------

-- Waits for an operation on the socket, or for its end.
local function wait(self, seconds, begin, abandon)
    return self.sockets.loop:await(seconds, function(wake)
        local function done(...)
            self.waiting[done] = nil
            wake(...)
        end
        self.waiting[done] = true
        local begun, failed = begin(done)
        if not begun then
            done(nil, words(failed))
        end
        return function()
            self.waiting[done] = nil
            abandon()
        end
    end)
end


--- Sends bytes.
-- @tparam string text
-- @tparam[opt] number seconds how long it may take; nil: as the socket's `timeout`
-- @treturn boolean|nil true when all is handed to the system
-- @treturn string why not: `closed`, an error in words, or one and `timeout`
function Socket:send(text, seconds)
    if self.closed then
        return nil, "closed"
    end
    return wait(self, seconds or self.timeout, function(done)
        return self.handle:write(text, self.sockets.loop:callback(function(why)
            if why then
                done(nil, words(why))
            else
                done(true)
            end
        end))
    end, function()
        -- Half sent bytes cannot be taken back: the connection is of no use any more.
        self:close()
    end)
end


local function read_once(self, seconds)
    return wait(self, seconds, function(done)
        return self.handle:read_start(self.sockets.loop:callback(function(why, chunk)
            self.handle:read_stop()
            if chunk then
                done(chunk)
            else
                done(nil, why and words(why) or "closed")
            end
        end))
    end, function()
        if not self.closed then
            self.handle:read_stop()
        end
    end)
end


--- Receives what has arrived, and waits when nothing has.
-- @tparam[opt=65536] number max_bytes
-- @tparam[opt] number seconds how long it may take; nil: as the socket's `timeout`
-- @treturn string|nil at least one byte
-- @treturn string `closed` at the end, an error in words, or one and `timeout`
function Socket:receive(max_bytes, seconds)
    max_bytes = max_bytes or settings.CHUNK
    local text = self.buffer
    if text == "" then
        if self.closed then
            return nil, "closed"
        end
        local err, kind
        text, err, kind = read_once(self, seconds or self.timeout)
        if not text then
            return nil, err, kind
        end
    end
    self.buffer = text:sub(max_bytes + 1)
    return text:sub(1, max_bytes)
end


--- Whether it was used before, for another call.
-- @treturn boolean
function Socket:reused()
    return self.uses > 0
end


--- Closes the socket. Who waits for it is answered `closed`.
function Socket:close()
    if self.closed then
        return
    end
    self.closed = true
    forget(self.sockets, self)
    self.sockets.loop.tasks:disown(self)
    self.sockets.loop:close_handle(self.handle)
    local waiting = self.waiting
    self.waiting = {}
    for done in pairs(waiting) do
        done(nil, "closed")
    end
end


return _M
