--- Listening sockets of the libuv host: TCP, of the file system, or inherited.
--
-- An address is written `192.0.2.1:8080`, `[2001:db8::1]:8080`, `*:8080` (every address, IPv6 and
-- IPv4), `localhost:8080` (127.0.0.1), `unix:/run/postern.sock`, or `fd:3` (a socket somebody else
-- has bound).
--
-- *Dependencies*: luv, postern.sockets, postern.host.uv_loop
--
-- @module postern.host.uv_listener
local uv = require("luv")
local loops = require("postern.host.uv_loop")
local sockets = require("postern.sockets")

local words = loops.words


local _M = {}
local Listener = {}
Listener.__index = Listener


-- Connections the system keeps until they are accepted; it has a limit of its own, too.
local BACKLOG = 1024

-- `sun_path` on Linux holds 108 bytes with its NUL.
local MOST_PATH = 107

local OPTIONS = { mode = true, backlog = true, shared = true }


-- ---- Addresses ---------------------------------------------------------------------------------


local function parse_port(text)
    local port = tonumber(text:match("^%d+$"))
    if not port or port > 65535 then
        return nil, "a port is a number from 0 to 65535"
    end
    return port
end


local function parse_tcp(text)
    local host, port = text:match("^%[([%x:.]+)%]:(.*)$")
    if not host then
        host, port = text:match("^([^:]*):(.*)$")
    end
    local why
    if not host then
        return nil, "give ADDRESS:PORT, [IPV6]:PORT, *:PORT, unix:/PATH or fd:NUMBER"
    elseif host == "*" then
        host = "::"
    elseif host == "localhost" then
        host = "127.0.0.1"
    elseif not host:find("^[%x:.]+$") or not host:find("[:.]") then
        return nil, ("`%s` is no address: give one, or `*` for all"):format(host)
    end
    port, why = parse_port(port)
    if not port then
        return nil, why
    end
    return { kind = "tcp", host = host, port = port }
end


--- Takes an address apart.
-- @tparam string text
-- @treturn table|nil `kind` (`tcp` with `host` and `port`, `unix` with `path`, `fd` with `fd`)
-- @treturn string what is wrong with it
function _M.parse(text)
    local path = text:match("^unix:(.*)$")
    if path then
        if not path:find("^/.") or path:find("%z") then
            return nil, "give the path of a socket, as in unix:/run/postern.sock"
        elseif #path > MOST_PATH then
            return nil, ("a path of a socket has at most %d bytes"):format(MOST_PATH)
        end
        return { kind = "unix", path = path }
    end
    local fd = text:match("^fd:(.*)$")
    if fd then
        if not fd:find("^%d%d?%d?$") or tonumber(fd) < 3 then
            return nil, "give the number of an inherited socket, as in fd:3"
        end
        return { kind = "fd", fd = tonumber(fd) }
    end
    return parse_tcp(text)
end


-- ---- Binding -----------------------------------------------------------------------------------


local function new_handle(self, kind)
    return self.loop:adopt(kind == "unix" and uv.new_pipe(false) or uv.new_tcp())
end


-- Nobody answers at a socket whose server has died. One that is alive is not ours to remove, and
-- what is no socket even less.
local function remove_stale(host, path)
    local stat = uv.fs_lstat(path)
    if not stat or stat.type ~= "socket" then
        return nil, "there is something that is no socket: move it away"
    end
    local socket, err = host:connect({ path = path, timeout = 1 })
    if socket then
        socket:close()
        return nil, "somebody listens there already"
    elseif err ~= words("ECONNREFUSED") then
        return nil, ("there is a socket, and asking it failed: %s"):format(err)
    end
    uv.fs_unlink(path)
    return true
end


local function bind_unix(self, host, path)
    local ok, err, name = self.handle:bind(path)
    if not ok and name == "EADDRINUSE" then
        local removed, why = remove_stale(host, path)
        if not removed then
            return nil, why
        end
        ok, err, name = self.handle:bind(path)
    end
    if not ok then
        -- libuv says the same of both.
        local folder = path:match("^(.*)/") .. "/"
        return nil, words(name == "EACCES" and not uv.fs_stat(folder) and "ENOENT" or err)
    end
    -- Nobody can connect yet: it does not listen.
    ok, err = uv.fs_chmod(path, self.mode)
    return ok, err and words(err)
end


local function open_fd(self, fd)
    local socket, why = sockets.describe(fd)
    if not socket then
        return nil, why
    elseif not socket.stream or socket.family == "other" then
        return nil, "it is no socket that connections could come from"
    end
    self.kind = socket.family == "unix" and "unix" or "tcp"
    self.handle = new_handle(self, self.kind)
    local ok, err = self.handle:open(fd)
    return ok, err and words(err)
end


local function bind(self, host, place)
    if place.kind == "fd" then
        return open_fd(self, place.fd)
    end
    self.kind = place.kind
    self.handle = new_handle(self, place.kind)
    if place.kind == "unix" then
        self.path = place.path
        return bind_unix(self, host, place.path)
    end
    local ok, err = self.handle:bind(place.host, place.port)
    if not ok then
        return nil, words(err)
    end
    -- libuv keeps some errors of binding for listening, which a parent never does.
    local name = self.handle:getsockname()
    if not name or (place.port ~= 0 and name.port ~= place.port) then
        return nil, words("EADDRINUSE")
    end
    return true
end


--- Binds an address; it does not listen yet. To be called within a task.
-- @tparam Host host of libuv
-- @tparam string address
-- @tparam[opt] table options `mode` (of a socket of the file system, 432: 0660), `backlog`
-- (connections that wait to be accepted, 1024), `shared` (whether other processes accept from it as
-- well, and should get their share)
-- @treturn Listener|nil `kind` (`tcp` or `unix`), `handle`, `address` (as it was given)
-- @treturn string why not
function _M.bind(host, address, options)
    options = options or {}
    for name in pairs(options) do
        if not OPTIONS[name] then
            error(("unknown option `%s`"):format(tostring(name)), 2)
        end
    end
    local place, why = _M.parse(address)
    if not place then
        return nil, ("`%s`: %s"):format(address, why)
    end
    local self = setmetatable({
        loop = host.loop, address = address, backlog = options.backlog or BACKLOG,
        mode = options.mode or 432, shared = options.shared,
    }, Listener)
    local ok
    ok, why = bind(self, host, place)
    if not ok then
        self:close()
        return nil, ("`%s`: %s"):format(address, why)
    end
    return self
end


-- ---- Accepting ---------------------------------------------------------------------------------


--- An address as messages tell it: an IPv4 address is one, however it came.
-- @tparam string ip
-- @treturn string
function _M.plain_address(ip)
    return ip:match("^::ffff:(%d+%.%d+%.%d+%.%d+)$") or ip
end


local function peer_of_tcp(stream)
    return function()
        local name = stream:getpeername()
        -- One that has gone away meanwhile has no address any more, and no right either.
        return name and _M.plain_address(name.ip) or "unknown:"
    end
end


local function peer_of_unix()
    return "unix:"
end


local function credentials_of_unix(stream)
    return function()
        local fd = stream:fileno()
        return fd and sockets.peer(fd) or nil
    end
end


local function accept(self, take)
    local stream = new_handle(self, self.kind)
    local ok, err = self.handle:accept(stream)
    if not ok then
        self.loop:close_handle(stream)
        self.loop.log(("%s: not accepted: %s"):format(self.address, words(err)))
    elseif self.kind == "unix" then
        take(stream, peer_of_unix, credentials_of_unix(stream))
    else
        stream:nodelay(true)
        take(stream, peer_of_tcp(stream))
    end
end


--- Begins to listen.
-- @tparam function take called with each connection: its stream; a function that answers who is at
-- the other end: an address, `unix:`, or `unknown:`; and, at a Unix socket, one that answers which
-- process that is, as `peer` of `postern.sockets`
-- @treturn boolean|nil true
-- @treturn string why not
function Listener:listen(take)
    local ok, err = self.handle:listen(self.backlog, self.loop:callback(function(failed)
        if failed then
            self.loop.log(("%s: not accepted: %s"):format(self.address, words(failed)))
        else
            accept(self, take)
        end
    end))
    if not ok then
        return nil, ("`%s`: %s"):format(self.address, words(err))
    end
    -- libuv sleeps after each connection, for others to take the next; nobody else is there to.
    if self.kind == "tcp" and not self.shared then
        self.handle:simultaneous_accepts(true)
    end
    return true
end


--- Where it listens, as an address to connect to.
-- @treturn string `127.0.0.1:8080` or `unix:/path`
function Listener:name()
    if self.kind == "unix" then
        return "unix:" .. (self.path or self.handle:getsockname() or "")
    end
    local name = self.handle:getsockname()
    if not name then
        return self.address
    end
    return (name.family == "inet6" and "[%s]:%d" or "%s:%d"):format(name.ip, name.port)
end


--- Stops listening. A socket of the file system that this process has made is removed.
function Listener:close()
    if self.handle then
        self.loop:close_handle(self.handle)
    end
end


--- The sockets that systemd has bound for this process (sd_listen_fds(3)).
-- @tparam table environment `LISTEN_PID` and `LISTEN_FDS`
-- @tparam number pid this process
-- @treturn {string,...} addresses such as `fd:3`; empty when there are none for us
function _M.inherited(environment, pid)
    local addresses = {}
    if tonumber(environment.LISTEN_PID) == pid then
        for i = 1, tonumber(environment.LISTEN_FDS) or 0 do
            addresses[i] = "fd:" .. (2 + i)
        end
    end
    return addresses
end


return _M
