--- The header traceparent: which trace a request is part of (W3C Trace Context, section 3.2).
--
-- *Dependencies*: none
--
-- @module postern.traceparent

local _M = {}


-- version, trace id, parent id, flags; of a later version more may follow.
local FORM = "^(%x%x)%-(%x+)%-(%x+)%-(%x%x)()"
local TRACE_DIGITS, SPAN_DIGITS = 32, 16
local LENGTH = 55 -- of version 00

-- Longer ones are no header of anybody's.
local MOST_BYTES = 512


--- Reads the header.
-- @tparam string|{string}|nil value that of its only line; two lines are no traceparent
-- @treturn string|nil the trace's id, 32 hexadecimal digits; nil when there is none that is valid
-- @treturn string the id of the caller's span, 16 hexadecimal digits
-- @treturn string flags, two hexadecimal digits
function _M.read(value)
    if type(value) == "table" then
        value = #value == 1 and value[1] or nil
    end
    if type(value) ~= "string" or #value > MOST_BYTES or value:find("%u") then
        return nil
    end
    local version, trace, span, flags, past = value:match(FORM)
    if not version or version == "ff" or #trace ~= TRACE_DIGITS or #span ~= SPAN_DIGITS
        or not trace:find("[^0]") or not span:find("[^0]") then
        return nil
    elseif #value > LENGTH and (version == "00" or value:sub(past, past) ~= "-") then
        return nil
    end
    return trace, span, flags
end


return _M
