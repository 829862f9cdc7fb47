--- The decision server: an estate, endpoints, listening sockets and connections, put together.
--
-- A process of it lives like this: the estate is opened (`new` of `postern.reload`), the settings
-- are read from it and checked, the server is made, it binds, begins to listen, and serves until
-- it is told to stop; then it lets what has begun come to its end, for a limited time.
--
-- Administration is done by one of the processes: the first worker. The others find what it has
-- written by themselves, as any change of the estate's files.
--
-- *Dependencies*: dkjson, postern.ffi, postern.audit, postern.config, postern.crypto,
-- postern.connections, postern.endpoints, postern.response, postern.settings, postern.sockets,
-- postern.store, postern.telemetry, postern.tls, postern.host.uv_disk, postern.host.uv_listener,
-- postern.protocol.admin
--
-- @module postern.server
local json = require("dkjson")
local core = require("postern.ffi")
local audits = require("postern.audit")
local config = require("postern.config")
local crypto = require("postern.crypto")
local connections = require("postern.connections")
local endpoints = require("postern.endpoints")
local response = require("postern.response")
local settings = require("postern.settings")
local sockets = require("postern.sockets")
local stores = require("postern.store")
local telemetry = require("postern.telemetry")
local tls = require("postern.tls")
local disks = require("postern.host.uv_disk")
local listeners = require("postern.host.uv_listener")
local admins = require("postern.protocol.admin")


local _M = {}
local Server = {}
Server.__index = Server


-- Where administration is; no other listener has it.
local ADMIN = "/admin/v1"

-- The worker that administers: there is always one of that number.
local FIRST = 1

-- What protocols have to say of their refusals: so many lines a second at most.
local MOST_NOTES = 10

local STATUS_ORDER = { "state", "version", "pid", "worker", "seconds", "revision", "estate",
    "loads", "failures", "problems", "connections", "open", "accepted", "turned_away", "requests",
    "refused", "timed_out", "handshakes_failed", "log_dropped" }


-- ---- Settings ----------------------------------------------------------------------------------


--- Checks what the word `serve` of an estate and the command line say.
-- @tparam table given see `postern.settings`
-- @tparam[opt] table more protocols, name to module, besides those of `postern.protocols`
-- @tparam[opt] string file which says it: paths begin in its folder
-- @treturn table|nil
-- @treturn string what is wrong
function _M.check(given, more, file)
    return settings.check(given, {
        protocols = endpoints.known(more), parse = listeners.parse, file = file,
    })
end


-- ---- Answering ---------------------------------------------------------------------------------


local function find_protocol(message)
    local protocol, prefix = message.routes:find(message.path)
    message.endpoint = prefix
    return protocol
end


-- Tells the operator what peers can bring about as often as they like: they must not fill the log.
local function note(self, line)
    local front = self.front
    if self.noted_in ~= front.second then
        self.noted_in, self.noted = front.second, 0
    end
    self.noted = self.noted + 1
    if self.noted <= MOST_NOTES then
        self.host:log(line)
    elseif self.noted == MOST_NOTES + 1 then
        self.host:log("and more of the kind in this second")
    end
end


local function note_refusal(self, message, why)
    note(self, ("%s %s from %s: %s"):format(message.method, message.path, message.peer, why))
end


local function handler(self)
    return function(message)
        local protocol = find_protocol(message)
        if not protocol then
            return 404, response.JSON, response.problem(404)
        end
        local status, headers, body, why = protocol:handle(message,
            self.telemetry:ask_for(message), self.telemetry.at_once)
        if why then
            note_refusal(self, message, why)
        end
        return status, headers, body
    end
end


-- Where decisions are logged, none is made at once: there is no handler.
local function handler_at_once(self)
    return not self.audit and function(message)
        local protocol = find_protocol(message)
        if not protocol or not protocol.handle_at_once then
            return nil
        end
        local status, headers, body, why = protocol:handle_at_once(message, self.telemetry.at_once)
        if why then
            note_refusal(self, message, why)
        end
        return status, headers, body
    end or nil
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
        handshakes_failed = front.counts.handshakes,
        log_dropped = self.audit and self.audit.dropped,
    }, { keyorder = STATUS_ORDER }) .. "\n"
end


-- ---- Making ------------------------------------------------------------------------------------


-- What the endpoints of its own are handed; see `postern.protocol.operator`.
local function services_of(self, gather)
    local operators = self.settings.operators
    return {
        state = function() return self.state end,
        revision = function() return self.reload.estate.revision end,
        is_operator = function(message)
            return operators ~= nil and operators:admits(message)
        end,
        wants_token = function(message)
            return operators ~= nil and operators:wants_token(message)
        end,
        status = function() return status(self) end,
        metrics = function(accepted)
            return self.telemetry:render(accepted, gather and gather())
        end,
    }
end


local function make_front(self)
    local host = self.host
    return connections.new({
        handle = handler(self), fault = on_fault, new_id = id_maker(),
        handle_at_once = handler_at_once(self),
        watch_stream = function(...) return host.loop:readiness(...) end,
        now = host.now, monotonic = host.monotonic,
        perform = function(fn, argument) return host:perform(fn, argument) end,
        close_stream = function(stream) host.loop:close_handle(stream) end,
        later = function(fn) host.loop:turn(fn) end,
        log = function(line) host:log(line) end, note = function(line) note(self, line) end,
        limits = self.settings.limits,
    })
end


local function open_log(self)
    local options = { host = self.host }
    for name, value in pairs(self.settings.audit) do
        options[name] = value
    end
    local ok, log, why = pcall(audits.new, options)
    if not ok or not log then
        return nil, ("audit: %s"):format(tostring(ok and why or log))
    end
    return log
end


local OPTIONS = { host = true, reload = true, settings = true, protocols = true, worker = true,
    pid = true, gather = true }

--- Makes a server.
-- @tparam table options `host` (of libuv), `reload` (an estate, opened), `settings` (what `check`
-- answered); optionally `protocols` (name to module, besides those of `postern.protocols`; its
-- `new(options, services)` makes what answers: `handle(message, ask)`, and may have
-- `failed(message)`, the answer for when that raised or took too long), `worker` (its number),
-- `pid`, and `gather` (a function that answers what the other processes have counted; it may wait)
-- @treturn Server|nil
-- @treturn string what is wrong with an endpoint or the decision log
function _M.new(options)
    for name in pairs(options) do
        if not OPTIONS[name] then
            error(("unknown option `%s`%s"):format(tostring(name),
                                                   config.suggestion(tostring(name), OPTIONS)), 2)
        end
    end
    local host, reload = options.host, options.reload
    local self = setmetatable({
        host = host, reload = reload, settings = options.settings, worker = options.worker or FIRST,
        pid = options.pid, protocols = endpoints.known(options.protocols),
        state = "starting", began = host.monotonic(), listeners = {},
    }, Server)
    self.services = services_of(self, options.gather)
    local why
    self.routes, why = endpoints.routes(endpoints.common(self.settings.endpoints), self.protocols,
        self.services)
    if not self.routes then
        return nil, why
    end
    if self.settings.audit then
        self.audit, why = open_log(self)
        if not self.audit then
            return nil, why
        end
    end
    self.front = make_front(self)
    self.telemetry = telemetry.new({ front = self.front, reload = reload, now = host.now,
        monotonic = sockets.seconds, worker = self.worker, audit = self.audit })
    self.stopping, self.stopped = host:ticket(), host:ticket()
    return self
end


-- ---- Listening ---------------------------------------------------------------------------------


-- Whoever may administer may also see how the server is.
local function admin_routes(self)
    local given = self.settings.admin
    local store, err = stores.open({
        reload = self.reload, host = self.host, files = disks.new(self.host), keep = given.keep,
        -- Who finds it busy is to be told so, before the time for an answer is over.
        wait = self.settings.limits.answer_seconds / 2,
    })
    if not store then
        return nil, err.message
    end
    local ok, admin = pcall(admins.new, { store = store, host = self.host,
        operators = given.operators, prefix = ADMIN })
    if not ok then
        return nil, tostring(admin)
    end
    local services = setmetatable({
        is_operator = function(message) return admin:identify(message) ~= nil end,
        wants_token = function(message)
            return given.operators.tokens ~= nil and message:header("authorization") == nil
        end,
    }, { __index = self.services })
    return endpoints.routes(endpoints.own(), self.protocols, services, { [ADMIN] = admin })
end


local function routes_of(self, wanted)
    if wanted == self.settings.admin then
        local own, why = admin_routes(self)
        return own, why and "admin: " .. why
    elseif not wanted.endpoints then
        return self.routes
    end
    return endpoints.routes(wanted.endpoints, self.protocols, self.services)
end


local function bind_one(self, wanted, fd)
    local own, err = routes_of(self, wanted)
    if not own then
        return nil, err
    end
    local context
    if wanted.tls then
        context, err = tls.server(wanted.tls)
        if not context then
            return nil, ("`%s`: %s"):format(wanted.address, err)
        end
    end
    local listener
    listener, err = listeners.bind(self.host, fd and "fd:" .. fd or wanted.address,
        { mode = wanted.mode, backlog = wanted.backlog, shared = fd ~= nil })
    if not listener then
        return nil, err
    end
    listener.routes, listener.wanted, listener.context = own, wanted, context
    return listener
end


--- What is listened on.
-- @tparam table all settings, checked
-- @treturn {table,...} listeners of them, that of administration last
function _M.listened(all)
    local list = {}
    for i, wanted in ipairs(all.listen) do
        list[i] = wanted
    end
    list[#list + 1] = all.admin
    return list
end


--- Binds the addresses of the settings. To be called in a task; it waits for the store where there
-- is administration.
-- @tparam[opt] table fds address to a list of the descriptors of sockets that are bound to it
-- already, in the order of the settings
-- @treturn boolean|nil true
-- @treturn string why not
function Server:bind(fds)
    local available, missing = tls.available()
    for _, wanted in ipairs(_M.listened(self.settings)) do
        local fd = fds and table.remove(fds[wanted.address] or {}, 1)
        if fds and not fd then
            return nil, ("`%s`: it was not listened on when the server was started: start it anew")
                :format(wanted.address)
        elseif wanted.tls and not available then
            return nil, ("`%s`: %s"):format(wanted.address, missing)
        elseif wanted ~= self.settings.admin or self.worker == FIRST then
            local listener, err = bind_one(self, wanted, fd)
            if not listener then
                return nil, err
            end
            self.listeners[#self.listeners + 1] = listener
        end
    end
    return true
end


--- Begins to serve.
-- @treturn boolean|nil true
-- @treturn string why not
function Server:listen()
    for _, listener in ipairs(self.listeners) do
        local ok, err = listener:listen(function(stream, peer_of, credentials_of)
            self.front:accept(stream, {
                peer_of = peer_of, credentials_of = credentials_of, routes = listener.routes,
            }, listener.context)
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


-- Certificates and keys that stand in the files now. Connections that are open keep theirs.
local function renew_certificates(self)
    local all = true
    for _, listener in ipairs(self.listeners) do
        if listener.context then
            local context, why = tls.server(listener.wanted.tls)
            if context then
                listener.context = context
            else
                all = false
                self.host:log(("`%s`: its certificate stays as it was: %s")
                    :format(listener.wanted.address, why))
            end
        end
    end
    return all
end


--- Reads the estate anew, and the files of TLS, in a task.
-- @treturn boolean|nil false when something stays as it was, since what stands in the files is not
-- good; else as `reload` of `postern.reload`
function Server:reload_now()
    local renewed = renew_certificates(self)
    local reloaded = self.reload:reload()
    return renewed and reloaded
end


local function stop_listening(self)
    if self.stop_delay then
        self.stop_delay()
        self.stop_delay = nil
    end
    for _, listener in ipairs(self.listeners) do
        listener:close()
    end
    self.stopping:post()
    self.front:drain(function() self.stopped:post() end)
end


--- Stops: it says that it is not ready, for as long as the settings want; then no connection is
-- accepted any more, and what has begun may end. Called again, all ends at once.
function Server:stop()
    local delay = self.settings.drain_delay
    if self.state == "draining" then
        if self.stop_delay then
            stop_listening(self)
        end
        return self.front:close()
    end
    self.state = "draining"
    if delay > 0 then
        self.stop_delay = self.host.loop:timer(delay, function()
            self.stop_delay = nil
            stop_listening(self)
        end)
    else
        stop_listening(self)
    end
end


-- ---- Its life ----------------------------------------------------------------------------------


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
    if self.stop_delay then
        self.stop_delay()
    end
    if self.audit then
        self.audit:close()
    end
    self.reload:close()
end


return _M
