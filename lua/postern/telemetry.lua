--- What a server counts: decisions as they are made; connections, answers and reloads when somebody
-- wants to know.
--
-- *Dependencies*: dkjson, postern.metrics, postern.response, postern.sockets
--
-- @module postern.telemetry
local json = require("dkjson")
local metrics = require("postern.metrics")
local response = require("postern.response")
local sockets = require("postern.sockets")


local _M = {}
local Telemetry = {}
Telemetry.__index = Telemetry


local OTHER = "other"

-- The states that have a limit in time; see `postern.connection`.
local STATES = { "handshake", "head", "body", "idle", "waiting", "writing", "lingering" }

local OUTCOMES = { "accepted", "turned_away" }

local function statuses()
    local list = { OTHER }
    for status in pairs(response.REASONS) do
        list[#list + 1] = tostring(status)
    end
    table.sort(list)
    return list
end

--- The families of a server, besides those every host has.
_M.FAMILIES = {
    { name = "postern_http_responses_total", type = "counter",
      help = "Answers of the server, by their status.", labels = { { "status", statuses() } } },
    { name = "postern_http_connections", type = "gauge", help = "Connections that are open." },
    { name = "postern_http_connections_total", type = "counter",
      help = "Connections, by whether there was room for them.",
      labels = { { "outcome", OUTCOMES } } },
    { name = "postern_http_timeouts_total", type = "counter",
      help = "Connections that were too slow, by what they were about.",
      labels = { { "state", STATES } } },
    { name = "postern_tls_handshake_failures_total", type = "counter",
      help = "Handshakes of TLS that have failed." },
}


--- Makes one.
-- @tparam table options `front` (see `postern.connections`), `reload` (see `postern.reload`; its
-- `on_outcome` becomes ours), `now` and `monotonic` (clocks, in seconds), `worker` (a number),
-- optionally `audit`, a `postern.audit`
-- @treturn Telemetry `ask(request)` decides with `reload`, and counts the decision; `at_once` does
-- so where nothing has to be waited for, see `decide_plain` of `postern.estate`, and answers nil
-- where something may have to. With a decision log there is no `at_once`: what is passed to it is
-- less than the log is to have
function _M.new(options)
    local store = metrics.new(metrics.memory(), { families = _M.FAMILIES })
    local reload, monotonic = options.reload, options.monotonic
    local bounds = sockets.bounds(store.durations.bounds)
    store:begin_times(store.durations)
    local self = setmetatable({
        metrics = store, front = options.front, reload = reload, worker = options.worker,
        monotonic = monotonic, audit = options.audit, extra = {},
    }, Telemetry)
    function self.ask(request)
        local began = monotonic()
        local decision = reload:authorize(request)
        store:decision(decision, monotonic() - began)
        return decision
    end
    local function at_once(call)
        local began = monotonic()
        local decision, never = reload:decide_plain(call)
        if decision then
            local seconds = monotonic() - began
            store:decision(decision, seconds, 1, sockets.place(bounds, seconds))
        end
        return decision, never
    end
    self.at_once = not options.audit and at_once or nil
    local function note_success()
        store:set("postern_policy_last_success_timestamp_seconds", nil, options.now())
    end
    note_success()
    function reload.on_outcome(outcome)
        store:count("postern_policy_reload_total", { outcome = outcome })
        if outcome ~= "failure" then
            note_success()
        end
    end
    return self
end


-- The event is written at once, so that one table of what is beside the request does for all.
local function log(self, message, decision, request, seconds)
    local extra, traceparent, count = self.extra, message:header("traceparent")
    extra.request_id, extra.requested_by = message.id, message.peer
    extra.traceparent = count == 1 and traceparent or nil
    self.audit:write(decision, request, seconds, extra)
end


-- As `ask`; a decision that fails is an event, too.
local function ask_logged(self, message, request)
    local began = self.monotonic()
    local ok, decision = pcall(self.reload.authorize, self.reload, request)
    local seconds = self.monotonic() - began
    log(self, message, ok and decision or nil, request, seconds)
    if not ok then
        error(decision, 0)
    end
    self.metrics:decision(decision, seconds)
    return decision
end


--- What decides the requests of a message: as `ask`, and the decision log gets an event of each.
-- @tparam Message message it keeps the function: one does for a connection
-- @treturn function
function Telemetry:ask_for(message)
    if not self.audit then
        return self.ask
    end
    local ask = message.ask
    if not ask then
        ask = function(request) return ask_logged(self, message, request) end
        message.ask = ask
    end
    return ask
end


-- The hot path keeps plain numbers; here they become series.
local function update(self)
    local store, front = self.metrics, self.front
    local by_status = {}
    for status, count in pairs(front.answers) do
        local name = response.REASONS[status] and tostring(status) or OTHER
        by_status[name] = (by_status[name] or 0) + count
    end
    for name, count in pairs(by_status) do
        store:total("postern_http_responses_total", { status = name }, count)
    end
    store:set("postern_http_connections", nil, front.open)
    store:total("postern_http_connections_total", { outcome = "accepted" }, front.accepted)
    store:total("postern_http_connections_total", { outcome = "turned_away" },
        front.counts.turned_away)
    store:total("postern_tls_handshake_failures_total", nil, front.counts.handshakes)
    if self.audit then
        store:total("postern_decision_log_dropped_total", nil, self.audit.dropped)
    end
    for state, count in pairs(front.counts.timed_out) do
        store:total("postern_http_timeouts_total", { state = state }, count)
    end
    store:set("postern_policy_revision_info", { source = "estate" }, self.reload.estate.revision)
end


local function snapshot(self)
    update(self)
    local own = self.metrics:snapshot()
    own.worker = tostring(self.worker)
    return own
end


--- What was counted so far, for another process.
-- @treturn string JSON, one line
function Telemetry:snapshot()
    return json.encode(snapshot(self))
end


--- All series as text.
-- @tparam[opt] string accepted the header Accept of who asks
-- @tparam[opt] string others a list of snapshots in JSON, of the other processes of this server
-- @treturn string text
-- @treturn string its content type
function Telemetry:render(accepted, others)
    if not others then
        update(self)
        return self.metrics:render(accepted)
    end
    local all = json.decode(others)
    all[#all + 1] = snapshot(self)
    local merged = metrics.merge(all)
    return metrics.new(metrics.memory(merged.values), { families = _M.FAMILIES }):render(accepted)
end


--- Makes one snapshot of those of processes that have ended; counters never go back.
-- @tparam string|nil ended of those before, nil when there were none
-- @tparam string another JSON, of the one that has ended now
-- @treturn string JSON, one line
function _M.fold(ended, another)
    local last = json.decode(another)
    last.ended = true
    return json.encode(metrics.merge(ended and { json.decode(ended), last } or { last }))
end


return _M
