--- What of anything may be written to a log: plain data, of a bounded size, as UTF-8.
--
-- *Dependencies*: none
--
-- @module postern.audit.plain

local _M = {}


-- A text beyond is cut, a table beyond is left out. Requests nest a few levels (claims are JSON).
local LONGEST_TEXT, MOST_DEEP = 1024, 8

-- Values of one event: a hundred headers, and as many keys, claims and query members.
local MOST_VALUES = 1000

local CUT = "..."

-- The forms of a character of UTF-8, without overlong ones and surrogates (RFC 3629).
local FORMS = {
    "^[\194-\223][\128-\191]()", "^\224[\160-\191][\128-\191]()",
    "^[\225-\236\238\239][\128-\191][\128-\191]()", "^\237[\128-\159][\128-\191]()",
    "^\240[\144-\191][\128-\191][\128-\191]()",
    "^[\241-\243][\128-\191][\128-\191][\128-\191]()",
    "^\244[\128-\143][\128-\191][\128-\191]()",
}


local function past_character(text, at)
    for i = 1, #FORMS do
        local past = text:match(FORMS[i], at)
        if past then
            return past
        end
    end
    return nil
end


--- A text as UTF-8, not too long: bytes that are none become question marks.
-- @tparam string text
-- @treturn string
function _M.text(text)
    local cut = #text > LONGEST_TEXT
    if cut then
        text = text:sub(1, LONGEST_TEXT)
    end
    if text:find("[\128-\255]") then
        text = text:gsub("[\128-\255]+", function(run)
            local parts, at = {}, 1
            while at <= #run do
                local past = past_character(run, at)
                parts[#parts + 1] = past and run:sub(at, past - 1) or "?"
                at = past or at + 1
            end
            return table.concat(parts)
        end)
    end
    return cut and text .. CUT or text
end


local function number(value)
    if value ~= value or value == math.huge or value == -math.huge then
        return tostring(value) -- JSON has none of these
    end
    return value
end


local copy


-- What has a first element is a list; the holes of one end it.
local function copy_table(value, left, depth)
    local copied = {}
    if value[1] ~= nil then
        for i = 1, #value do
            copied[#copied + 1] = copy(value[i], left, depth + 1)
        end
        return #copied > 0 and copied or nil
    end
    for name, member in pairs(value) do
        if type(name) == "string" or type(name) == "number" then
            copied[_M.text(tostring(name))] = copy(member, left, depth + 1)
        end
    end
    return next(copied) ~= nil and copied or nil
end


function copy(value, left, depth)
    local kind = type(value)
    left.values = left.values - 1
    if left.values < 0 then
        return nil
    elseif kind == "string" then
        return _M.text(value)
    elseif kind == "number" then
        return number(value)
    elseif kind == "boolean" then
        return value
    elseif kind == "table" and depth < MOST_DEEP then
        return copy_table(value, left, depth)
    end
    return nil
end


--- Counts the values of one event.
-- @treturn table what `copy` takes
function _M.budget()
    return { values = MOST_VALUES }
end


--- Copies plain data. What is no data, empty, too deep or beyond the budget is left out.
-- @param value
-- @tparam table budget of the event
-- @return the copy; nil when nothing is left
function _M.copy(value, budget)
    return copy(value, budget, 1)
end


return _M
