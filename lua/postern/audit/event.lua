--- One event of the decision log: what was asked and what was decided, as plain data.
--
-- It has the members of an event of OPA's decision log, as far as they are about the decision:
-- `decision_id`, `trace_id`, `span_id`, `bundles`, `input`, `result`, `requested_by`, `metrics`,
-- `erased` and `masked`; and `request_id`. Credentials are not copied in the first place.
--
-- *Dependencies*: postern.traceparent, postern.audit.plain, postern.audit.mask
--
-- @module postern.audit.event
local traceparent = require("postern.traceparent")
local plain = require("postern.audit.plain")
local masks = require("postern.audit.mask")


local _M = {}


local NANOSECONDS = 1e9

--- The members of a request that every event shows,
_M.MEMBERS = { "api", "stage", "method", "path", "host", "scheme", "peer", "client_ip", "vpce",
               "route", "resourceAccount", "now" }

--- those that the decision may know better,
_M.ASKED = { "principal", "action", "resource" }

--- those that only a detailed one shows,
_M.DETAILS = { "body_sha256", "client_certificate", "authorizer", "context", "client" }

--- and those that need a closer look: `connection` is the host's, `token` is always erased.
_M.SPECIAL = { "raw_path", "headers", "query", "claims", "token", "connection" }

local RESULT = { "decision", "reason", "status", "because", "error", "code", "hook", "reachability",
                 "cache_invalidation", "match_kind", "same_account", "revision" }


-- ---- The input -------------------------------------------------------------


-- Headers and query may be functions that answer them, see docs/estate.md.
local function members_of(request, name)
    local value = request[name]
    if type(value) == "function" then
        local ok, answer = pcall(value)
        value = ok and answer or nil
    end
    return type(value) == "table" and value or nil
end


-- One value stands for itself.
local function value_of(values, budget)
    if type(values) == "table" and #values == 1 then
        values = values[1]
    end
    return plain.copy(values, budget)
end


local function named_members(event, name, members, budget)
    local shown = {}
    for key, values in pairs(members or {}) do
        key = plain.text(tostring(key))
        local lower = key:lower()
        if masks.is_sensitive(lower) then
            event.erased[#event.erased + 1] = ("/input/%s/%s")
                :format(name, masks.segment(name == "headers" and lower or key))
        else
            shown[name == "headers" and lower or key] = value_of(values, budget)
        end
    end
    event.input[name] = next(shown) ~= nil and shown or nil
end


local function add_path(event, request)
    local raw = request.raw_path
    if type(raw) ~= "string" then
        return
    end
    -- The query stands behind it as the client wrote it: nobody could mask that.
    local path = raw:match("^[^?]*")
    if #path < #raw then
        event.masked[#event.masked + 1] = "/input/raw_path"
    end
    event.input.raw_path = plain.text(path)
end


local function add_details(event, request, headers, shown, budget)
    for _, name in ipairs(_M.DETAILS) do
        event.input[name] = plain.copy(request[name], budget)
    end
    named_members(event, "query", members_of(request, "query"), budget)
    if shown.headers then
        named_members(event, "headers", headers, budget)
    end
    if shown.claims then
        event.input.claims = plain.copy(request.claims, budget)
    elseif request.claims ~= nil then
        event.erased[#event.erased + 1] = "/input/claims"
    end
    if request.token ~= nil then
        event.erased[#event.erased + 1] = "/input/token"
    end
end


-- What is asked, as the decision found it to be, or else as the request says.
local function add_input(event, request, headers, asked, shown)
    local input, budget = event.input, plain.budget()
    for _, name in ipairs(_M.MEMBERS) do
        input[name] = plain.copy(request[name], budget)
    end
    for _, name in ipairs(_M.ASKED) do
        local found = asked and asked[name]
        if found == nil then
            found = request[name]
        end
        input[name] = plain.copy(found, budget)
    end
    add_path(event, request)
    if shown.details then
        add_details(event, request, headers, shown, budget)
    end
end


-- ---- The result ------------------------------------------------------------


local NO_DECISION = { allowed = false, decision = "ImplicitlyDenied", reason = "error",
                      error = "there is no decision" }

local function result_of(decision, extra)
    local result, budget = { allowed = decision.allowed == true }, plain.budget()
    for _, name in ipairs(RESULT) do
        result[name] = plain.copy(decision[name], budget)
    end
    local statement = decision.deciding
    if statement then
        result.policy_type, result.effect = statement.policy_type, statement.effect
        result.sid = plain.copy(statement.sid, budget)
        result.policy = plain.text(("%s:%s"):format(tostring(statement.file),
                                                    tostring(statement.line)))
    end
    if extra.enforced == false then
        result.enforced = false
    end
    return result
end


-- ---- The event -------------------------------------------------------------


local NOTHING = {}

-- Asked for once: they may be a function. A flat event needs them for the trace alone, and for that
-- they are not worth asking a function.
local function headers_of(request, shown)
    if shown.details and shown.headers then
        return members_of(request, "headers")
    end
    return type(request.headers) == "table" and request.headers or nil
end


local function trace_of(headers, extra)
    if extra.traceparent ~= nil or not headers then
        return traceparent.read(extra.traceparent)
    end
    return traceparent.read(headers.traceparent or headers.Traceparent)
end


--- Makes an event, without its id and time.
-- @tparam Decision|nil decision nil is a failure of the host's
-- @tparam table request
-- @tparam number|nil seconds a time that cannot be, of a clock that was set, is left out
-- @tparam table extra see `event` of `postern.audit`
-- @tparam table shown whether it has `details`, and of these `headers` and `claims`
-- @treturn table
function _M.new(decision, request, seconds, extra, shown)
    decision = type(decision) == "table" and decision or NO_DECISION
    request = type(request) == "table" and request or NOTHING
    local event = { input = {}, erased = {}, masked = {} }
    local headers = headers_of(request, shown)
    add_input(event, request, headers, decision.trace and decision.trace.request, shown)
    event.result = result_of(decision, extra)
    event.trace_id, event.span_id = trace_of(headers, extra)
    event.requested_by = plain.copy(extra.requested_by or request.peer, plain.budget())
    event.request_id = extra.request_id and plain.text(extra.request_id)
    if seconds and seconds >= 0 and seconds < math.huge then
        event.metrics = { timer_decision_ns = math.floor(seconds * NANOSECONDS + 0.5) }
    end
    if event.result.revision ~= nil then
        event.bundles = { estate = { revision = tostring(event.result.revision) } }
    end
    return event
end


return _M
