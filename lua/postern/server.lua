--- The decision server: an estate, endpoints, listening sockets and connections, put together.
--
-- A process of it lives like this: the estate is opened (`new` of `postern.reload`), the settings
-- are read from it and checked, the server is made, it binds, begins to listen, and serves until
-- it is told to stop; then it lets what has begun come to its end, for a limited time.
--
-- *Dependencies*: dkjson, postern.ffi, postern.config, postern.crypto, postern.connections,
-- postern.protocols, postern.response, postern.routes, postern.settings, postern.sockets,
-- postern.telemetry, postern.host.uv_listener, postern.protocol.operator
--
-- @module postern.server
local json = require("dkjson")
local core = require("postern.ffi")
local config = require("postern.config")
local crypto = require("postern.crypto")
local connections = require("postern.connections")
local protocols = require("postern.protocols")
local response = require("postern.response")
local routes = require("postern.routes")
local settings = require("postern.settings")
local sockets = require("postern.sockets")
local telemetry = require("postern.telemetry")
local listeners = require("postern.host.uv_listener")
local operator = require("postern.protocol.operator")


local _M = {}
local Server = {}
Server.__index = Server


-- What the server tells of itself, where everybody looks for it.
local OWN_ENDPOINTS = {
    ["/healthz"] = "health", ["/readyz"] = "ready", ["/status"] = "status",
    ["/metrics"] = "metrics",
}

-- Where it decides unless the settings say otherwise.
local DECIDE, NATIVE = "/v1/decide", "native"

-- What protocols have to say of their refusals: so many lines a second at most.
local MOST_NOTES = 10

local STATUS_ORDER = { "state", "version", "pid", "worker", "seconds", "revision", "estate",
    "loads", "failures", "problems", "connections", "open", "accepted", "turned_away", "requests",
    "refused", "timed_out" }


-- ---- Protocols ---------------------------------------------------------------------------------


-- Those that come with the server, and those whoever puts it together has.
local function known_protocols(more)
    local known = {}
    for _, list in ipairs({ protocols, more or {} }) do
        for name, protocol in pairs(list) do
            known[name] = protocol
        end
    end
    for _, name in pairs(OWN_ENDPOINTS) do
        known[name] = { new = function(options, server)
            return operator.new(name, options, server)
        end }
    end
    return known
end


--- Checks what the word `serve` of an estate and the command line say.
-- @tparam table given see `postern.settings`
-- @tparam[opt] table more protocols, name to module, besides those of `postern.protocols`
-- @treturn table|nil
-- @treturn string what is wrong
function _M.check(given, more)
    return settings.check(given, known_protocols(more), listeners.parse)
end


local function make_endpoints(self, wanted)
    local endpoints = {}
    for prefix, endpoint in pairs(wanted) do
        if endpoint then
            local ok, made = pcall(self.protocols[endpoint.protocol].new, endpoint.options,
                                   self.services)
            if not ok then
                return nil, ("endpoint `%s`: %s"):format(prefix, tostring(made))
            end
            endpoints[prefix] = made
        end
    end
    return endpoints
end


-- What all listeners answer that have no endpoints of their own.
local function common_endpoints(self)
    local wanted = { [DECIDE] = { protocol = NATIVE, options = {} } }
    for prefix, name in pairs(OWN_ENDPOINTS) do
        wanted[prefix] = { protocol = name, options = {} }
    end
    for prefix, endpoint in pairs(self.settings.endpoints) do
        wanted[prefix] = endpoint
    end
    return wanted
end


-- ---- Answering ---------------------------------------------------------------------------------


local function find_protocol(message)
    local protocol, prefix = message.routes:find(message.path)
    message.endpoint = prefix
    return protocol
end


-- Tells the operator why a protocol refused what no decision was asked about. Whoever asks a lot
-- must not fill the log.
local function note(self, message, why)
    local front = self.front
    if self.noted_in ~= front.second then
        self.noted_in, self.noted = front.second, 0
    end
    self.noted = self.noted + 1
    if self.noted <= MOST_NOTES then
        self.host:log(("%s %s from %s: %s"):format(message.method, message.path, message.peer, why))
    elseif self.noted == MOST_NOTES + 1 then
        self.host:log("and more of the kind in this second")
    end
end


local function handler(self)
    return function(message)
        local protocol = find_protocol(message)
        if not protocol then
            return 404, response.JSON, response.problem(404)
        end
        local status, headers, body, why = protocol:handle(message, self.telemetry.ask,
                                                           self.telemetry.at_once)
        if why then
            note(self, message, why)
        end
        return status, headers, body
    end
end


local function handler_at_once(self)
    return function(message)
        local protocol = find_protocol(message)
        if not protocol or not protocol.handle_at_once then
            return nil
        end
        local status, headers, body, why = protocol:handle_at_once(message, self.telemetry.at_once)
        if why then
            note(self, message, why)
        end
        return status, headers, body
    end
end


-- A protocol says itself what its callers take for a denial; where it does not, 500 it is.
local function on_fault(message)
    local protocol = message.path and find_protocol(message)
    if protocol and protocol.failed then
        local ok, status, headers, body = pcall(protocol.failed, protocol, message)
        if ok then
            return status, headers, body
        end
    end
    return 500, response.JSON, response.problem(500)
end


-- Ids of requests: nobody can guess another's, and making one costs nothing.
local function id_maker()
    local prefix, count = crypto.hex(crypto.random(8)), 0
    return function()
        count = count + 1
        return ("%s-%x"):format(prefix, count)
    end
end


-- ---- What it tells -----------------------------------------------------------------------------


local function named(counts)
    local record = setmetatable({}, { __jsontype = "object" })
    for name, count in pairs(counts) do
        record[tostring(name)] = count
    end
    return record
end


local function status(self)
    local front, reload = self.front, self.reload
    return json.encode({
        state = self.state, version = core.version, pid = self.pid, worker = self.worker,
        seconds = math.floor(self.host.monotonic() - self.began),
        revision = reload.estate.revision, estate = reload.path, loads = reload.loads,
        failures = reload.failures,
        problems = reload.problems and tostring(reload.problems) or json.null,
        connections = { open = front.open, accepted = front.accepted,
            turned_away = front.counts.turned_away },
        requests = front.requests,
        refused = named(front.counts.refused), timed_out = named(front.counts.timed_out),
    }, { keyorder = STATUS_ORDER }) .. "\n"
end


-- ---- Its life ----------------------------------------------------------------------------------


local OPTIONS = { host = true, reload = true, settings = true, protocols = true, worker = true,
    pid = true, gather = true }

--- Makes a server.
-- @tparam table options `host` (of libuv), `reload` (an estate, opened), `settings` (what `check`
-- answered); optionally `protocols` (name to module, besides those of `postern.protocols`; its
-- `new(options, services)` makes what answers: `handle(message, ask)`, and may have
-- `failed(message)`, the answer for when that raised or took too long), `worker` (its number),
-- `pid`, and `gather` (a function that answers what the other processes have counted; it may wait)
-- @treturn Server|nil
-- @treturn string what is wrong with an endpoint
function _M.new(options)
    for name in pairs(options) do
        if not OPTIONS[name] then
            error(("unknown option `%s`%s"):format(tostring(name),
                                                   config.suggestion(tostring(name), OPTIONS)), 2)
        end
    end
    local host, reload = options.host, options.reload
    local self = setmetatable({
        host = host, reload = reload, settings = options.settings, worker = options.worker or 1,
        pid = options.pid, protocols = known_protocols(options.protocols),
        state = "starting", began = host.monotonic(), listeners = {},
    }, Server)
    self.services = {
        state = function() return self.state end,
        revision = function() return reload.estate.revision end,
        is_operator = self.settings.is_operator,
        status = function() return status(self) end,
        metrics = function(accepted)
            return self.telemetry:render(accepted, options.gather and options.gather())
        end,
    }
    local endpoints, why = make_endpoints(self, common_endpoints(self))
    if not endpoints then
        return nil, why
    end
    self.routes = routes.new(endpoints)
    self.front = connections.new({
        handle = handler(self), fault = on_fault, new_id = id_maker(),
        handle_at_once = handler_at_once(self),
        watch_stream = function(stream, fn) return host.loop:readiness(stream, fn) end,
        now = host.now, monotonic = host.monotonic,
        perform = function(fn, argument) return host:perform(fn, argument) end,
        close_stream = function(stream) host.loop:close_handle(stream) end,
        log = function(line) host:log(line) end, limits = self.settings.limits,
    })
    self.telemetry = telemetry.new({ front = self.front, reload = reload, now = host.now,
        monotonic = sockets.seconds, worker = self.worker })
    self.stopping, self.stopped = host:ticket(), host:ticket()
    return self
end


local function bind_one(self, wanted, fd)
    local own = self.routes
    if wanted.endpoints then
        local endpoints, why = make_endpoints(self, wanted.endpoints)
        if not endpoints then
            return nil, why
        end
        own = routes.new(endpoints)
    end
    local listener, err = listeners.bind(self.host, fd and "fd:" .. fd or wanted.address,
        { mode = wanted.mode, backlog = wanted.backlog, shared = fd ~= nil })
    if not listener then
        return nil, err
    end
    listener.routes = own
    return listener
end


--- Binds the addresses of the settings. To be called in a task.
-- @tparam[opt] table fds address to the descriptor of a socket that is bound to it already
-- @treturn boolean|nil true
-- @treturn string why not
function Server:bind(fds)
    for _, wanted in ipairs(self.settings.listen) do
        local fd = fds and fds[wanted.address]
        if fds and not fd then
            return nil, ("`%s`: it was not listened on when the server was started: start it anew")
                :format(wanted.address)
        end
        local listener, err = bind_one(self, wanted, fd)
        if not listener then
            return nil, err
        end
        self.listeners[#self.listeners + 1] = listener
    end
    return true
end


--- Begins to serve.
-- @treturn boolean|nil true
-- @treturn string why not
function Server:listen()
    for _, listener in ipairs(self.listeners) do
        local ok, err = listener:listen(function(stream, peer_of)
            self.front:accept(stream, peer_of, listener.routes)
        end)
        if not ok then
            return nil, err
        end
    end
    self.stop_sweeping = self.host.loop:every(self.front.tick, function() self.front:sweep() end)
    self.state = "ready"
    return true
end


--- Where it listens.
-- @treturn {string,...} addresses to connect to
function Server:addresses()
    local names = {}
    for i, listener in ipairs(self.listeners) do
        names[i] = listener:name()
    end
    return names
end


--- Reads the estate anew, in a task.
-- @treturn boolean|nil as `reload` of `postern.reload`
function Server:reload_now()
    return self.reload:reload()
end


--- Stops: no connection is accepted any more, what has begun may end. Called again, all ends at
-- once.
function Server:stop()
    if self.state == "draining" then
        return self.front:close()
    end
    self.state = "draining"
    for _, listener in ipairs(self.listeners) do
        listener:close()
    end
    self.stopping:post()
    self.front:drain(function() self.stopped:post() end)
end


--- Waits, in a task, until the server has stopped and what had begun has ended, or its time has.
-- @treturn boolean whether nothing had to be cut short
function Server:wait()
    self.stopping:wait()
    local clean = self.stopped:wait(self.settings.drain)
    if not clean then
        self.front:close()
    end
    if self.stop_sweeping then
        self.stop_sweeping()
    end
    return clean
end


--- Closes what is left: listening sockets, connections, the estate.
function Server:close()
    for _, listener in ipairs(self.listeners) do
        listener:close()
    end
    self.front:close()
    if self.stop_sweeping then
        self.stop_sweeping()
    end
    self.reload:close()
end


return _M
