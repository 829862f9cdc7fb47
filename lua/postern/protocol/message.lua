--- Messages: what a protocol reads of an HTTP request.
--
-- A message is `{method, target, path, query, headers, body, peer, tls, id, endpoint}`: `target` as
-- it was sent, `query` what follows its `?` (nil without one), `headers` names in lower case to
-- lists of values, `endpoint` the path that it was led by, where there is one. A host may have a
-- method `header(name)` besides, which answers the first value and how many lines there are without
-- making a table of all, and `single(name, most)`, which answers what `single` below does, or nil.
-- Everything here answers nil and why rather than guess.
--
-- *Dependencies*: none
--
-- @module postern.protocol.message

local _M = {}


-- More than any target or host a proxy passes on; longer ones are somebody's try.
local LONGEST = 8192

local SPACE, TAB = (" "):byte(), ("\t"):byte()


--- The lines of a header.
-- @tparam table message
-- @tparam string name in lower case
-- @treturn string|nil the value of the first
-- @treturn number how many there are
function _M.header(message, name)
    if message.header then
        local value, count = message:header(name) -- no tail call: compiled code takes only so many
        return value, count
    end
    local values = message.headers[name]
    if not values then
        return nil, 0
    end
    return values[1], #values
end

local header = _M.header


--- The value of a header that has to be there exactly once, with something in it.
-- @tparam table message
-- @tparam string name in lower case
-- @treturn string|nil
-- @treturn string why not
function _M.single(message, name)
    local found = message.single and message:single(name, LONGEST)
    if found then
        return found
    end
    local value, count = header(message, name)
    if not value then
        return nil, ("the header `%s` is missing"):format(name)
    elseif count > 1 then
        return nil, ("the header `%s` is there more than once"):format(name)
    elseif value == "" or #value > LONGEST or value:find("%c") then
        return nil, ("the header `%s` is empty, too long or has control characters"):format(name)
    end
    return value
end


--- The last address of a list such as that of X-Forwarded-For: who the proxy itself was called by.
-- What stands further left is the word of those before it.
-- @tparam string text
-- @treturn string|nil nil when the last one is empty; whether it is an address is for others to say
function _M.last_of(text)
    local from, comma = 1, text:find(",", 1, true)
    while comma do
        from, comma = comma + 1, text:find(",", comma + 1, true)
    end
    -- Step by step: one pattern for both ends takes the square of the spaces.
    local first, last = text:find("[^ \t]", from), #text
    while first and (text:byte(last) == SPACE or text:byte(last) == TAB) do
        last = last - 1
    end
    local address = first and text:sub(first, last)
    if not address or address:find("[ \t]") then
        return nil
    end
    return address
end


--- Whether the body is declared to be JSON: one Content-Type, with or without parameters.
-- @tparam table message
-- @treturn boolean
function _M.is_json(message)
    local value, count = header(message, "content-type")
    if not value or count > 1 then
        return false
    end
    return value == "application/json"
        or value:lower():match("^%s*application/json%s*;") ~= nil
        or value:lower():match("^%s*application/json%s*$") ~= nil
end


local function from_hex(digits)
    return string.char(tonumber(digits, 16))
end


--- Decodes `%41`; a `%` without two digits stays.
-- @tparam string text
-- @treturn string
function _M.decode(text)
    return (text:gsub("%%(%x%x)", from_hex))
end


--- The query as pairs of decoded names and values, in order. A `+` stays one: whoever means a space
-- writes `%20`.
-- @tparam string|nil query
-- @treturn {{string,string},...}|nil nil without a query
function _M.pairs_of(query)
    if not query or query == "" then
        return nil
    end
    local list = {}
    for piece in query:gmatch("[^&]+") do
        local name, value = piece:match("^([^=]*)=?(.*)$")
        list[#list + 1] = { _M.decode(name), _M.decode(value) }
    end
    return list
end


--- The value of one parameter of the query.
-- @tparam string|nil query
-- @tparam string name
-- @treturn string|nil decoded, `+` as a space, as forms write it; nil when it is not there
-- @treturn string|nil why not, when it is there more than once
function _M.parameter(query, name)
    local found
    for piece in (query or ""):gmatch("[^&]+") do
        local key, value = piece:match("^([^=]*)=?(.*)$")
        if _M.decode(key) == name then
            if found then
                return nil, ("the parameter `%s` is there more than once"):format(name)
            end
            found = _M.decode((value:gsub("+", " ")))
        end
    end
    return found
end


--- The parts of a target that begins with `/`.
-- @tparam string target
-- @treturn string|nil the path as sent; nil when the target is something else
-- @treturn string|nil the query; nil without `?`
function _M.split(target)
    if target:byte(1) ~= 0x2F then
        return nil
    end
    local mark = target:find("?", 1, true)
    if not mark then
        return target
    end
    return target:sub(1, mark - 1), target:sub(mark + 1)
end


return _M
