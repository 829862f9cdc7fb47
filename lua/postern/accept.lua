--- Which of the forms we offer a client prefers, by its header Accept (RFC 9110, section 12.5.1).
--
-- The most specific range that a form matches gives its quality, and the highest quality wins; of
-- equals the form that is offered first. A header that is missing, malformed, too long or refuses
-- everything gets the first form: an answer that nobody asked for is better than none.
--
-- *Dependencies*: none
--
-- @module postern.accept

local _M = {}


-- Browsers send some 150 bytes, Prometheus some 300; whoever sends more gets the first form.
local MOST_BYTES = 1024

-- A quoted string in a parameter, without escapes: nobody needs them in one of these.
local QUOTED = '^"[^"\\%c]*"()'

local TOKEN = "[%w!#$%%&'*+.^_`|~-]+"
local RANGE = "^(" .. TOKEN .. ")/(" .. TOKEN .. ")()"
local PARAMETER = "^[ \t]*;[ \t]*(" .. TOKEN .. ")=()"
local VALUE = "^" .. TOKEN .. "()"


local function quality_of(text)
    if text:find("^0%.?%d?%d?%d?$") or text:find("^1%.?0?0?0?$") then
        return tonumber(text)
    end
    return nil
end


-- The parameters behind a range: in lower case, with their values as written but for the quotes.
local function read_parameters(text, at, range)
    while true do
        local name, from = text:match(PARAMETER, at)
        if not name then
            return at
        end
        local past = text:match(VALUE, from) or text:match(QUOTED, from)
        if not past then
            return nil
        end
        name = name:lower()
        local value = text:sub(from, past - 1):gsub('^"(.*)"$', "%1")
        if name == "q" then
            range.q = quality_of(value)
            if not range.q then
                return nil
            end
        else
            range.parameters[name], range.count = value:lower(), range.count + 1
        end
        at = past
    end
end


-- The ranges of a header; nil when it is malformed. Empty elements are none.
local function parse(text)
    local ranges, at = {}, 1
    while at <= #text do
        at = text:match("^[ \t,]*()", at)
        if at > #text then
            break
        end
        local kind, subtype, past = text:match(RANGE, at)
        if not kind or (kind == "*" and subtype ~= "*") then
            return nil
        end
        local range = { kind = kind:lower(), subtype = subtype:lower(), q = 1, parameters = {},
                        count = 0 }
        at = read_parameters(text, past, range)
        at = at and text:match("^[ \t]*()", at)
        if not at or (at <= #text and text:sub(at, at) ~= ",") then
            return nil
        end
        ranges[#ranges + 1] = range
    end
    return ranges
end


-- How closely a range describes a form; nil when it does not.
local function match(range, offer)
    for name, value in pairs(range.parameters) do
        local own = offer.parameters and offer.parameters[name]
        if own ~= true and own ~= value and not (type(own) == "table" and own[value]) then
            return nil
        end
    end
    local kind, subtype = offer.type:match("^(.-)/(.*)$")
    if range.kind == kind and range.subtype == subtype then
        return 2 + range.count
    elseif range.subtype == "*" and range.kind == kind then
        return 1
    end
    return range.kind == "*" and 0 or nil
end


local function quality(ranges, offer)
    local found, closest = 0, -1
    for _, range in ipairs(ranges) do
        local close = match(range, offer)
        if close and (close > closest or (close == closest and range.q > found)) then
            found, closest = range.q, close
        end
    end
    return found
end


--- Chooses a form.
-- @tparam string|{string,...}|nil header the value of Accept, or the values of its lines
-- @tparam {table,...} offers `type`, in lower case, and the `parameters` that a range may name for
-- it: each name in lower case with the value, a set of values (as keys), or `true` for any
-- @treturn number the place of the form in `offers`
-- @usage accept.choose("text/plain", { { type = "application/json" }, { type = "text/plain" } })
function _M.choose(header, offers)
    if type(header) == "table" then
        header = table.concat(header, ",")
    end
    if not header or header == "*/*" or #header > MOST_BYTES then
        return 1
    end
    local ranges = parse(header)
    local chosen, highest = 1, 0
    for i, offer in ipairs(ranges and offers or {}) do
        local q = quality(ranges, offer)
        if q > highest then
            chosen, highest = i, q
        end
    end
    return chosen
end


return _M
