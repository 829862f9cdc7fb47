-- What a second estate would have decided: try out policies on real requests before they count.
--
-- Behind each decision the same request is put to the second estate. Where the two differ in
-- whether the request is allowed, a line tells both decisions with their reasons and statements.
-- Nothing the second estate does changes the decision: it is only asked when that has been made,
-- and when it cannot be opened, or fails, that is told and counted, no more.
--
-- Options: `estate`, the file; `every`, 2 for every second request and so on, 1 when not said;
-- `reports`, how many lines a minute at most, 10 when not said; what is left out is counted and
-- told with the next.
--
-- The second estate has its own packs: its rate limits count for themselves, its audit log is its
-- own. It must not name this pack again.

local OPTIONS = { estate = "string", every = "number", reports = "number" }
local REPORTS = 10
local PERIOD = 60 -- seconds

local LONGEST = 512 -- bytes of one decision in a report


-- ---- Reports -------------------------------------------------------------------


-- Whether there is room for one more line in this minute.
local function may_report(state, now, limit)
    if now - state.since >= PERIOD or now < state.since then
        state.since, state.reported = now, 0
    end
    if state.reported >= limit then
        state.left_out = state.left_out + 1
        return false
    end
    state.reported = state.reported + 1
    return true
end


local function report(tools, config, message)
    local state = tools.state
    if may_report(state, tools.now(), config.reports or REPORTS) then
        local behind = state.left_out > 0 and (" (%d more since the last line)")
            :format(state.left_out) or ""
        state.left_out = 0
        tools.log("shadow: " .. message .. behind)
    end
end


-- A text that a client may have a hand in stays on its line.
local function on_line(text)
    return (tostring(text):sub(1, LONGEST):gsub("%c", "?"))
end


local function described(decision)
    local statement = decision.deciding
    local parts = { decision.decision, "(" .. tostring(decision.reason) .. ")" }
    if statement then
        parts[#parts + 1] = ("by %s:%s"):format(tostring(statement.file), tostring(statement.line))
        parts[#parts + 1] = statement.sid and ("`%s`"):format(statement.sid)
    elseif decision.error then
        parts[#parts + 1] = "because " .. tostring(decision.error)
    end
    return on_line(table.concat(parts, " "))
end


local function described_request(context)
    local http = context.http or {}
    local request = context.request or {}
    local what = { context.api and context.api.id or request.api or request.action or "?",
                   http.method or request.method or request.resource,
                   http.path or request.path }
    for i = 1, 3 do
        what[i] = what[i] or ""
    end
    return on_line((table.concat(what, " "):gsub(" +$", "")))
end


-- ---- The hook ------------------------------------------------------------------


-- What the difference is called in the counts.
local function difference(enforced, other)
    if other.reason == "error" and enforced.reason ~= "error" then
        return "failed"
    elseif enforced.allowed ~= other.allowed then
        return other.allowed and "would_allow" or "would_deny"
    elseif enforced.reason ~= other.reason then
        return "other_reason"
    end
    return "same"
end


local function log(context, decision, config, tools)
    local state = tools.state
    state.seen = state.seen + 1
    if not state.estate or context.request == nil or state.seen % (config.every or 1) ~= 0 then
        return
    end
    local other = state.estate:authorize(context.request)
    local kind = difference(decision, other)
    state.counts[kind] = state.counts[kind] + 1
    if kind == "same" or kind == "other_reason" then
        return
    end
    report(tools, config, ("%s: %s: enforced %s; %s would be %s")
        :format(kind, described_request(context), described(decision), config.estate,
                described(other)))
end


local function check(config)
    for name, value in pairs(config) do
        if not OPTIONS[name] then
            return nil, ("unknown option `%s`: there are `estate`, `every`, `reports`")
                :format(tostring(name))
        elseif type(value) ~= OPTIONS[name] then
            return nil, ("`%s` is a %s: make it a %s"):format(name, type(value), OPTIONS[name])
        elseif type(value) == "number" and (value < 1 or value % 1 ~= 0) then
            return nil, ("`%s`: give a whole number, 1 or more"):format(name)
        end
    end
    if not config.estate or config.estate == "" then
        return nil, "lacks `estate`"
    end
    return true
end


-- An estate that is being written may not open. That must not keep the other from opening.
local function start(config, tools)
    local estate, err = tools.open(config.estate)
    if not estate then
        tools.log(("shadow: %s: cannot be opened, so nothing is compared: %s")
            :format(config.estate, tostring(err)))
    end
    return {
        estate = estate, seen = 0, since = -math.huge, reported = 0, left_out = 0,
        counts = { same = 0, other_reason = 0, would_allow = 0, would_deny = 0, failed = 0 },
    }
end


return {
    kind = "hooks",
    name = "shadow",
    api = 1,
    priority = 950, -- last: it has the least to do with the decision
    files = { "estate" },
    check = check,
    start = start,
    log = log,
}
