--- Sockets inside nginx: its cosockets, with the methods of the other hosts' sockets.
--
-- *Dependencies*: postern.task, postern.host.options
--
-- @module postern.host.resty_socket
local tasks = require("postern.task")
local settings = require("postern.host.options")


local _M = {}
local Socket = {}
Socket.__index = Socket


-- A pool of this name is never asked for again: what it holds is new, and is not kept.
local FRESH = "postern fresh "
local renewals = 0


-- A cosocket's error as the other hosts tell it.
local function failure(err, seconds)
    if err == "timeout" then
        return nil, tasks.timed_out(seconds), "timeout"
    elseif err and err:find("no resolver defined", 1, true) then
        return nil, "nginx has no resolver: name one by the directive `resolver`"
    end
    return nil, err
end


local function set_timeout(socket, seconds)
    -- 0 would stand for the directive's value.
    socket:settimeout(math.max(1, math.ceil(seconds * 1000)))
end


local function address_of(host)
    if host:lower() == "localhost" then
        return "127.0.0.1"
    end
    return host:find(":", 1, true) and "[" .. host .. "]" or host
end


local function pool_of(options)
    if options.pool and not options.fresh then
        return options.pool
    end
    renewals = renewals + 1
    return FRESH .. renewals
end


--- Connects. Raises where nginx allows no cosockets.
-- @tparam table options checked ones: `host` and `port`, or `path`; `timeout`, `pool`, `fresh`
-- @treturn Socket|nil
-- @treturn string why not
function _M.connect(options)
    local socket = ngx.socket.tcp()
    local timeout = options.timeout or settings.SOCKET_TIMEOUT
    local pool = { pool = pool_of(options), pool_size = settings.MOST_IDLE }
    set_timeout(socket, timeout)
    local ok, err
    if options.path then
        ok, err = socket:connect("unix:" .. options.path, pool)
    else
        ok, err = socket:connect(address_of(options.host), options.port, pool)
    end
    if not ok then
        return failure(err, timeout)
    end
    return setmetatable({
        socket = socket, timeout = timeout, closed = false, pooled = pool.pool == options.pool,
    }, Socket)
end


--- Sends bytes; see `postern.host.uv_socket`.
function Socket:send(text, seconds)
    if self.closed then
        return nil, "closed"
    end
    set_timeout(self.socket, seconds or self.timeout)
    local sent, err = self.socket:send(text)
    if not sent then
        return failure(err, seconds or self.timeout)
    end
    return true
end


--- Receives what has arrived, and waits when nothing has; see `postern.host.uv_socket`.
function Socket:receive(max_bytes, seconds)
    if self.closed then
        return nil, "closed"
    end
    set_timeout(self.socket, seconds or self.timeout)
    local text, err = self.socket:receiveany(max_bytes or settings.CHUNK)
    if not text then
        return failure(err, seconds or self.timeout)
    end
    return text
end


--- Whether it was used before, for another call.
-- @treturn boolean
function Socket:reused()
    return (self.socket:getreusedtimes() or 0) > 0
end


--- Gives the socket back for the next connection to the same pool.
function Socket:keep()
    if not self.pooled then
        return self:close()
    elseif not self.closed then
        self.closed = true
        self.socket:setkeepalive(settings.IDLE * 1000, settings.MOST_IDLE)
    end
end


--- Closes the socket.
function Socket:close()
    if not self.closed then
        self.closed = true
        self.socket:close()
    end
end


return _M
