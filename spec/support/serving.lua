--- Connections served in the process and loop of a spec, and clients that write raw bytes.

local http = require("postern.http")
local connections = require("postern.connections")
local hosts = require("postern.host.uv")
local listeners = require("postern.host.uv_listener")

local _M = {}
local Serving = {}
Serving.__index = Serving
local Client = {}
Client.__index = Client


-- No answer of a spec takes as long; what does hangs.
local LONG = 5


--- Serves a handler at a free port.
-- @tparam function handle of a message, may wait
-- @tparam[opt] table limits of `postern.connections`
-- @tparam[opt] string address
-- @tparam[opt] table ways `watched`, whether descriptors are watched and read as the server does;
-- `at_once`, a function that answers at once; `context` of `postern.tls`, to speak TLS
-- @treturn Serving `host`, `front`, `logged`, `port`, and `watched`: how many streams were
function _M.start(handle, limits, address, ways)
    ways = ways or {}
    local self = setmetatable({ logged = {}, ids = 0, watched = 0 }, Serving)
    local host = hosts.new({ log = function(line) self.logged[#self.logged + 1] = line end })
    self.host = host
    self.front = connections.new({
        handle = handle, limits = limits,
        fault = function() return 500, nil, "fault\n" end,
        new_id = function()
            self.ids = self.ids + 1
            return "own-" .. self.ids
        end,
        now = host.now, monotonic = host.monotonic,
        perform = function(fn, argument) return host:perform(fn, argument) end,
        close_stream = function(stream) host.loop:close_handle(stream) end,
        later = function(fn) host.loop:turn(fn) end,
        log = function(line) host:log(line) end, note = function(line) host:log(line) end,
        handle_at_once = ways.at_once,
        watch_stream = ways.watched and function(...)
            self.watched = self.watched + 1
            return host.loop:readiness(...)
        end,
    })
    host:block(function()
        self.listener = assert(listeners.bind(host, address or "127.0.0.1:0"))
        assert(self.listener:listen(function(stream, peer_of, credentials_of)
            self.front:accept(stream, { peer_of = peer_of, credentials_of = credentials_of },
                ways.context)
        end))
    end)
    self.port = tonumber(self.listener:name():match(":(%d+)$"))
    host.loop:every(self.front.tick, function() self.front:sweep() end)
    return self
end


--- Runs a function as a task, with a connected client.
-- @tparam function fn called with the client
-- @return what it returns
function Serving:client(fn)
    return self.host:block(function()
        return fn(self:connect())
    end)
end


--- Connects a client, in a task.
-- @treturn Client
function Serving:connect()
    local socket = assert(self.host:connect({ host = "127.0.0.1", port = self.port }))
    return setmetatable({ socket = socket, reader = http.reader("response"), rest = "" }, Client)
end


--- Sends bytes and answers all that comes until the server closes; nil when it does not.
-- @tparam string bytes
-- @treturn string|nil
function Serving:talk(bytes)
    return self:client(function(client)
        client:send(bytes)
        return client:all()
    end)
end


function Serving:close()
    self.front:close()
    self.host:close()
end


function Client:send(bytes)
    return self.socket:send(bytes)
end


--- Tells the server that no more is sent.
function Client:finish()
    self.socket.handle:shutdown()
end


--- Closes as a client does that has crashed.
function Client:reset()
    self.socket.handle:close_reset()
end


--- All bytes until the end; nil when it does not come.
function Client:all(seconds)
    local text = self.rest
    while true do
        local piece, _, kind = self.socket:receive(nil, seconds or LONG)
        if kind == "timeout" then
            return nil, text
        elseif not piece then
            return text
        end
        text = text .. piece
    end
end


--- One response; nil when none comes. Interim ones are passed over.
-- @tparam[opt] boolean no_body whether it answers HEAD
function Client:response(no_body)
    local reader = self.reader
    reader:reset(no_body)
    while true do
        if self.rest ~= "" then
            local state, from = reader:feed(self.rest)
            if state == nil then
                return nil, from
            end
            self.rest = self.rest:sub(from)
            if state then
                return reader:message()
            end
        end
        local piece, why = self.socket:receive(nil, LONG)
        if not piece then
            return nil, why
        end
        self.rest = self.rest .. piece
    end
end


--- Whether the server has closed, and sent nothing more.
function Client:ended(seconds)
    local piece, why = self.socket:receive(nil, seconds or LONG)
    return piece == nil and why == "closed"
end


return _M
