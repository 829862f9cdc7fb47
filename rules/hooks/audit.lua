-- One JSON line for each decision.
--
-- The members, in this order, each only where it is known: `time`, `revision`, `decision`,
-- `reason`, `status`, `policy_type`, `policy` (file:line), `sid`, `hook`, `api`, `stage`,
-- `method`, `path`, `action`, `resource`, `client_ip`, `principal`, `error`. Headers, queries,
-- tokens and the values of other keys are never written.
--
-- Options: `path`, the file, or `-` for standard error; `mask`, a list of members of which only a
-- hash is written, the same for the same value; `mask_key`, a secret for it, without which anybody
-- who guesses a value can see that it is there; `queue` and `max_bytes` of the writer.
--
-- Writing never holds up a decision. A line that the queue has no room for is dropped; that is
-- counted, and told once a minute. No line has more than 4096 bytes: what no longer fits is left
-- out and `truncated` says so.

local OPTIONS = { path = "string", mask = "table", mask_key = "string", queue = "number",
                  max_bytes = "number" }

local LONGEST_LINE = 4096  -- what Linux writes to a pipe in one piece
local LONGEST_VALUE = 1024 -- of a member, before escapes
local TRUNCATED = ',"truncated":true'
local HASH_DIGITS = 16     -- 64 bits: nobody has so many callers that two would share one

local TELL_EVERY = 60 -- seconds


-- ---- The members ---------------------------------------------------------------


local DAY = 24 * 60 * 60

-- Year, month and day of a day since 1970, counted from 1 March of year 0: the leap day is then the
-- last of its year.
local function civil(days)
    days = days + 719468
    local era = math.floor(days / 146097)
    local day = days - era * 146097
    local year = math.floor((day - math.floor(day / 1460) + math.floor(day / 36524)
        - math.floor(day / 146096)) / 365)
    day = day - (365 * year + math.floor(year / 4) - math.floor(year / 100))
    local month = math.floor((5 * day + 2) / 153)
    local day_of_month = day - math.floor((153 * month + 2) / 5) + 1
    month = month < 10 and month + 3 or month - 9
    return era * 400 + year + (month <= 2 and 1 or 0), month, day_of_month
end


local function time_text(at)
    local milliseconds = math.floor(at * 1000 + 0.5)
    local seconds = math.floor(milliseconds / 1000)
    local year, month, day = civil(math.floor(seconds / DAY))
    return ("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ"):format(year, month, day,
        math.floor(seconds / 3600) % 24, math.floor(seconds / 60) % 60, seconds % 60,
        milliseconds % 1000)
end


-- What the context says, else what the request said: a decision may have failed before there was a
-- context.
local function of_request(name, from_context)
    return function(context)
        local value = from_context and from_context(context)
        if value == nil and context.request then
            value = context.request[name]
        end
        return value
    end
end


local function of_decision(name)
    return function(_, decision)
        return decision[name]
    end
end


local function of_statement(name)
    return function(_, decision)
        return decision.deciding and decision.deciding[name]
    end
end


local MEMBERS = {
    { "time", function(context, _, tools) return time_text(context.now or tools.now()) end },
    { "revision", of_decision("revision") },
    { "decision", of_decision("decision") },
    { "reason", of_decision("reason") },
    { "status", of_decision("status") },
    { "policy_type", of_statement("policy_type") },
    { "policy", function(_, decision)
        local statement = decision.deciding
        return statement and ("%s:%s"):format(tostring(statement.file), tostring(statement.line))
    end },
    { "sid", of_statement("sid") },
    { "hook", of_decision("hook") },
    { "api", of_request("api", function(context) return context.api and context.api.id end) },
    { "stage", of_request("stage", function(context) return context.stage end) },
    { "method", of_request("method", function(context)
        return context.http and context.http.method
    end) },
    { "path", of_request("path", function(context) return context.http and context.http.path end) },
    { "action", of_request("action") },
    { "resource", of_request("resource") },
    { "client_ip", function(context)
        local request = context.request or {}
        return context.client_ip or context.peer or request.client_ip or request.peer
    end },
    { "principal", of_request("principal", function(context)
        local principal = context.principal
        return principal and (principal.arn or principal.kind)
    end) },
    { "error", of_decision("error") },
}

local NAMES = {}
for _, member in ipairs(MEMBERS) do
    NAMES[member[1]] = true
end


-- ---- Values as JSON ------------------------------------------------------------


local FORMS = { "^[\194-\223][\128-\191]()", "^\224[\160-\191][\128-\191]()",
                  "^[\225-\236\238\239][\128-\191][\128-\191]()",
                  "^\237[\128-\159][\128-\191]()",
                  "^\240[\144-\191][\128-\191][\128-\191]()",
                  "^[\241-\243][\128-\191][\128-\191][\128-\191]()",
                  "^\244[\128-\143][\128-\191][\128-\191]()" }

-- The length of the UTF-8 character that begins at `at`, or nil.
local function character_at(text, at)
    for _, form in ipairs(FORMS) do
        local last = text:match(form, at)
        if last then
            return last - at
        end
    end
    return nil
end


-- Bytes that are no UTF-8 make a line that readers refuse: a question mark stands for each.
local function clean(text)
    return (text:gsub("[\128-\255]+", function(run)
        local parts, at = {}, 1
        while at <= #run do
            local length = character_at(run, at)
            parts[#parts + 1] = length and run:sub(at, at + length - 1) or "?"
            at = at + (length or 1)
        end
        return table.concat(parts)
    end))
end


local function masked(text, config, tools)
    local hash = config.mask_key and tools.hmac_sha256(config.mask_key, text) or tools.sha256(text)
    return "sha256:" .. tools.hex(hash):sub(1, HASH_DIGITS)
end


local function value_text(value, is_masked, config, tools)
    if type(value) == "number" and not is_masked then
        return tools.json_encode(value)
    end
    value = tostring(value)
    if is_masked then
        value = masked(value, config, tools)
    elseif #value > LONGEST_VALUE then
        value = value:sub(1, LONGEST_VALUE) .. "..."
    end
    -- Most values need no escape, and a line has more than a dozen.
    if not value:find('[%c"\\\128-\255]') then
        return '"' .. value .. '"'
    end
    return tools.json_encode(clean(value))
end


local function line_of(context, decision, config, tools)
    local parts, size, whole = {}, 2 + #TRUNCATED, true
    for _, member in ipairs(MEMBERS) do
        local name = member[1]
        local value = member[2](context, decision, tools)
        local text = value ~= nil and value_text(value, tools.state.masked[name], config, tools)
        if text then
            text = ('"%s":%s'):format(name, text)
            if size + #text + 1 <= LONGEST_LINE then
                parts[#parts + 1], size = text, size + #text + 1
            else
                whole = false
            end
        end
    end
    return "{" .. table.concat(parts, ",") .. (whole and "" or TRUNCATED) .. "}"
end


-- ---- The hook ------------------------------------------------------------------


local function log(context, decision, config, tools)
    local state = tools.state
    if not state.writer:write(line_of(context, decision, config, tools)) then
        state.dropped = state.dropped + 1
    end
    local now = tools.now()
    if state.dropped > state.told
        and (now - state.told_at >= TELL_EVERY or now < state.told_at) then
        tools.log(("audit: %s: %d lines dropped: the disk is slower than the decisions")
            :format(config.path, state.dropped - state.told))
        state.told, state.told_at = state.dropped, now
    end
end


local function check(config)
    for name, value in pairs(config) do
        if not OPTIONS[name] then
            return nil, ("unknown option `%s`: there are `mask`, `mask_key`, `max_bytes`, `path`, "
                .. "`queue`"):format(tostring(name))
        elseif type(value) ~= OPTIONS[name] then
            return nil, ("`%s` is a %s: make it a %s"):format(name, type(value), OPTIONS[name])
        elseif type(value) == "number" and not (value >= 1 and value < math.huge) then
            return nil, ("`%s`: give 1 or more"):format(name)
        elseif value == "" then
            return nil, ("`%s` is empty: give a text"):format(name)
        end
    end
    if not config.path then
        return nil, "lacks `path`"
    end
    for _, name in ipairs(config.mask or {}) do
        if not NAMES[name] then
            return nil, ("`mask`: a line has no member `%s`"):format(tostring(name))
        end
    end
    if config.mask_key and not config.mask then
        return nil, "`mask_key` without `mask`: name what to mask"
    end
    return true
end


local function start(config, tools)
    local writer, err = tools.writer(config.path, { queue = config.queue,
                                                    max_bytes = config.max_bytes })
    if not writer then
        return nil, err
    end
    local is_masked = {}
    for _, name in ipairs(config.mask or {}) do
        is_masked[name] = true
    end
    return { writer = writer, masked = is_masked, dropped = 0, told = 0, told_at = -math.huge }
end


local function stop(state)
    state.writer:close()
end


return {
    kind = "hooks",
    name = "audit",
    api = 1,
    priority = 900, -- behind the packs that other packs' findings depend on
    files = { "path" },
    check = check,
    start = start,
    stop = stop,
    log = log,
}
