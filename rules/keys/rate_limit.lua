-- How often a caller comes: named token buckets.
--
-- Key: `rate:Exceeded/NAME`, true when the caller has used up the bucket NAME. A bucket holds
-- `burst` tokens and gains `rate` of them a second; a decision that asks for the key takes one.
-- The pack is lazy: a decision that is settled without the key takes none.
--
-- Options: `buckets`, a table from name to `{ by = {...}, rate =, burst =, callers = }`. `by` is
-- what makes a caller: `client_ip` (else the peer; of IPv6 the first 64 bits, which one customer
-- has), `principal`, `account`, `api`, `stage`, or `header NAME`; an empty list makes one bucket
-- for all. Who lacks one of these shares a bucket with all others that lack it. `callers` is how
-- many callers are remembered, 10000 when not said.
--
-- Memory is bounded, and what does not fit is forgotten: a caller that was seen least recently
-- starts with a full bucket again. So a flood of callers lets too much through, never too little.
-- Do not count by what the client can make up, and give `callers` room. Each worker counts for
-- itself: with four of them a caller gets up to four times the rate. The counts survive a reload
-- that leaves the pack's options as they are.

local OPTIONS = { by = "table", rate = "number", burst = "number", callers = "number" }
local CALLERS = 10000
local MOST_CALLERS = 1000000 -- some hundred megabytes

-- A longer name of a caller is kept as its hash.
local LONGEST = 64

local TELL_EVERY = 60 -- seconds


-- ---- Who a caller is -------------------------------------------------------


-- The first 64 bits of an IPv6 address in one spelling; other addresses as they are.
local function network_of(address)
    local quad = address:match("^::[fF][fF][fF][fF]:(%d+%.%d+%.%d+%.%d+)$")
    if quad or not address:find(":", 1, true) then
        return quad or address
    end
    local head, tail = address:match("^(.-)::(.*)$")
    local groups, after = {}, {}
    for group in (head or address):gmatch("%x+") do
        groups[#groups + 1] = group
    end
    for group in (tail or ""):gsub("%d+%.%d+%.%d+%.%d+$", "0:0"):gmatch("%x+") do
        after[#after + 1] = group
    end
    for _ = 1, 8 - #groups - #after do
        groups[#groups + 1] = "0"
    end
    for _, group in ipairs(after) do
        groups[#groups + 1] = group
    end
    for i = 1, 4 do
        groups[i] = ("%x"):format(tonumber(groups[i] or "0", 16))
    end
    return table.concat(groups, ":", 1, 4)
end


local PARTS = {
    client_ip = function(context)
        local address = context.client_ip or context.peer
        return address and network_of(address)
    end,
    principal = function(context) return context.principal and context.principal.arn end,
    account = function(context) return context.principal and context.principal.account end,
    api = function(context) return context.api and context.api.id end,
    stage = function(context) return context.stage end,
}


local function header_part(name)
    return function(context)
        local headers = context.http and context.http.headers
        local values = headers and headers[name]
        return values and table.concat(values, ",")
    end
end


local function part_named(text)
    local header = tostring(text):lower():match("^header ([!-~]+)$")
    return header and header_part(header) or PARTS[text]
end


-- Each part with its length, since a header may hold any text.
local function caller_of(bucket, context, tools)
    local names = {}
    for i, part in ipairs(bucket.parts) do
        local text = part(context)
        names[i] = text and #text .. ":" .. text or "-"
    end
    local name = table.concat(names, " ")
    return #name <= LONGEST and name or tools.sha256(name)
end


-- ---- A bucket --------------------------------------------------------------
--
-- Its callers are a ring, most recently seen first, around the bucket itself: `bucket.after` is the
-- first and `bucket.before` the last. A caller that is forgotten gives its table to the new one, so
-- that a busy bucket makes no garbage.


local function link_first(bucket, entry)
    entry.before, entry.after = bucket, bucket.after
    bucket.after.before, bucket.after = entry, entry
end


local function unlink(entry)
    entry.before.after, entry.after.before = entry.after, entry.before
end


local function refill(bucket, entry, now)
    -- A clock that was set back must not take tokens, nor give them twice.
    if now > entry.at then
        entry.tokens = math.min(bucket.burst, entry.tokens + (now - entry.at) * bucket.rate)
    end
    entry.at = now
end


-- The caller's entry, first in the ring.
local function entry_of(bucket, caller, now)
    local entry = bucket.entries[caller]
    if entry then
        unlink(entry)
        refill(bucket, entry, now)
    elseif bucket.count < bucket.callers then
        entry, bucket.count = { tokens = bucket.burst, at = now }, bucket.count + 1
    else
        entry = bucket.before
        unlink(entry)
        bucket.entries[entry.caller] = nil
        refill(bucket, entry, now)
        if entry.tokens < bucket.burst then
            bucket.forgotten = bucket.forgotten + 1
        end
        entry.tokens = bucket.burst
    end
    entry.caller = caller
    bucket.entries[caller] = entry
    link_first(bucket, entry)
    return entry
end


-- Forgetting a caller whose bucket was full loses nothing; only the others are told of.
local function tell(bucket, now, tools)
    if bucket.forgotten > bucket.told
        and (now - bucket.told_at >= TELL_EVERY or now < bucket.told_at) then
        tools.log(("rate_limit: the bucket `%s` forgot %d callers that had not their full burst "
            .. "back: raise its `callers`, or count `by` less")
            :format(bucket.name, bucket.forgotten - bucket.told))
        bucket.told, bucket.told_at = bucket.forgotten, now
    end
end


local function exceeded(context, name, _, tools)
    local bucket = tools.state.buckets[name]
    if not bucket then
        -- A policy with a misspelt name must not pass for one that is never exceeded.
        return nil, ("there is no bucket `%s`"):format(name)
    end
    local now = tools.now()
    local entry = entry_of(bucket, caller_of(bucket, context, tools), now)
    tell(bucket, now, tools)
    if entry.tokens < 1 then
        return true
    end
    entry.tokens = entry.tokens - 1
    return false
end


-- ---- The configuration -----------------------------------------------------


local BOUNDS = { rate = "above 0", burst = "of 1 or more",
                  callers = "between 1 and 1000000" }

local function check_numbers(place, spec)
    for option, wanted in pairs(BOUNDS) do
        local value = spec[option] or option == "callers" and CALLERS
        if not value or not (value > 0 and value < math.huge) or option == "burst" and value < 1
            or option == "callers" and (value % 1 ~= 0 or value > MOST_CALLERS) then
            return nil, ("%s: `%s`: give a number %s"):format(place, option, wanted)
        end
    end
    return true
end


local function check_bucket(name, spec)
    local place = ("the bucket `%s`"):format(name)
    if type(spec) ~= "table" then
        return nil, ("%s is a %s: give a table"):format(place, type(spec))
    end
    for option, value in pairs(spec) do
        if not OPTIONS[option] then
            return nil, ("%s: unknown option `%s`: there are `burst`, `by`, `callers`, `rate`")
                :format(place, tostring(option))
        elseif type(value) ~= OPTIONS[option] then
            return nil, ("%s: `%s` is a %s: make it a %s"):format(place, option, type(value),
                                                                  OPTIONS[option])
        end
    end
    if not spec.by then
        return nil, ("%s: lacks `by`"):format(place)
    end
    for _, text in ipairs(spec.by) do
        if not part_named(text) then
            return nil, ("%s: `by`: unknown `%s`: there are `account`, `api`, `client_ip`, "
                .. "`principal`, `stage`, `header NAME`"):format(place, tostring(text))
        end
    end
    return check_numbers(place, spec)
end


local function check(config)
    for name in pairs(config) do
        if name ~= "buckets" then
            return nil, ("unknown option `%s`: there is `buckets`"):format(tostring(name))
        end
    end
    if type(config.buckets) ~= "table" or not next(config.buckets) then
        return nil, "`buckets`: give a table from names to buckets"
    end
    for name, spec in pairs(config.buckets) do
        -- The names of keys compare without case.
        if type(name) ~= "string" or not name:find("^[%l%d_.-]+$") then
            return nil, ("the bucket `%s`: name it in lower-case letters, digits and `_.-`")
                :format(tostring(name))
        end
        local ok, err = check_bucket(name, spec)
        if not ok then
            return nil, err
        end
    end
    return true
end


local function start(config, tools)
    if tools.previous then
        return tools.previous
    end
    local state = { buckets = {} }
    for name, spec in pairs(config.buckets) do
        local bucket = {
            name = name, rate = spec.rate, burst = spec.burst, callers = spec.callers or CALLERS,
            parts = {}, entries = {}, count = 0, forgotten = 0, told = 0, told_at = -math.huge,
        }
        bucket.before, bucket.after = bucket, bucket
        for i, text in ipairs(spec.by) do
            bucket.parts[i] = part_named(text)
        end
        state.buckets[name] = bucket
    end
    return state
end


return {
    kind = "keys",
    name = "rate_limit",
    api = 1,
    lazy = true,
    check = check,
    start = start,
    types = { ["rate:Exceeded/"] = "bool" },
    keys = {},
    prefixes = { ["rate:Exceeded/"] = exceeded },
}
