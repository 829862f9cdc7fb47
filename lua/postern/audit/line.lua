--- Events of the decision log as lines of JSON.
--
-- *Dependencies*: none
--
-- @module postern.audit.line
local cjson = require("cjson.safe").new()

cjson.encode_invalid_numbers(false)
cjson.encode_max_depth(32)


local _M = {}


-- What is left out of an event that is too long, in this order.
local DISPENSABLE = { "context", "claims", "query", "headers", "authorizer", "client_certificate",
                      "client" }


local function of(part, name)
    return function(event)
        return event[part] and event[part][name]
    end
end


local function list(name)
    return function(event)
        return #event[name] > 0 and event[name] or nil
    end
end


local function top(name)
    return function(event)
        return event[name]
    end
end


--- The members of a line of the form `json`, in their order: `{name, function(event)}` each.
_M.FLAT = {
    { "time", top("timestamp") }, { "decision_id", top("decision_id") },
    { "request_id", top("request_id") }, { "trace_id", top("trace_id") },
    { "span_id", top("span_id") }, { "revision", of("result", "revision") },
    { "decision", of("result", "decision") }, { "reason", of("result", "reason") },
    { "status", of("result", "status") }, { "enforced", of("result", "enforced") },
    { "policy_type", of("result", "policy_type") }, { "policy", of("result", "policy") },
    { "sid", of("result", "sid") }, { "hook", of("result", "hook") },
    { "api", of("input", "api") }, { "stage", of("input", "stage") },
    { "method", of("input", "method") },
    { "path", function(event) return event.input.path or event.input.raw_path end },
    { "host", of("input", "host") }, { "action", of("input", "action") },
    { "resource", of("input", "resource") }, { "principal", of("input", "principal") },
    { "client_ip", function(event) return event.input.client_ip or event.input.peer end },
    { "vpce", of("input", "vpce") }, { "because", of("result", "because") },
    { "error", of("result", "error") }, { "duration_ns", of("metrics", "timer_decision_ns") },
    { "labels", top("labels") }, { "erased", list("erased") }, { "masked", list("masked") },
}


-- Most values are texts that need no escape, and a line has two dozen of them. lua-cjson writes
-- `\/`; as it does so before every slash, what looks like one in its text is one.
local function encode(value)
    local kind = type(value)
    if kind == "string" and not value:find('[%c"\\]') then
        return '"' .. value .. '"'
    elseif kind == "boolean" then
        return value and "true" or "false"
    end
    return (assert(cjson.encode(value)):gsub("\\/", "/"))
end


-- Labels are those of the log: its table to its text.
local encoded_labels = setmetatable({}, { __mode = "k" })

local function labels_text(labels)
    local text = encoded_labels[labels]
    if not text then
        text = encode(labels)
        encoded_labels[labels] = text
    end
    return text
end


for _, member in ipairs(_M.FLAT) do
    member[3] = ('"%s":'):format(member[1])
end


local function flat_line(event)
    local parts = {}
    for _, member in ipairs(_M.FLAT) do
        local value = member[2](event)
        if value ~= nil then
            parts[#parts + 1] = member[3] .. (value == event.labels and labels_text(value)
                or encode(value))
        end
    end
    return "{" .. table.concat(parts, ",") .. "}"
end


-- Empty lists and objects look alike in Lua: what is empty is left out.
local function opa_line(event)
    local shown = {}
    for name, value in pairs(event) do
        shown[name] = not (type(value) == "table" and next(value) == nil) and value or nil
    end
    shown.request_id = nil
    return encode(shown)
end


--- Writes an event, without what there is no room for.
-- @tparam table event it is changed when it is too long; `erased` tells how
-- @tparam string form `json` or `opa`
-- @tparam number longest bytes
-- @treturn string; raises when even the least is too long
function _M.of(event, form, longest)
    local write = form == "opa" and opa_line or flat_line
    local line = write(event)
    for _, name in ipairs(DISPENSABLE) do
        if #line <= longest then
            return line
        elseif event.input[name] ~= nil then
            event.input[name] = nil
            event.erased[#event.erased + 1] = "/input/" .. name
            line = write(event)
        end
    end
    if #line > longest then
        event.input, event.erased, event.masked = {}, { "/input" }, {}
        line = write(event)
    end
    return #line <= longest and line or error("an event that is too long", 0)
end


return _M
