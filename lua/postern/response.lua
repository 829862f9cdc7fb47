--- How an answer looks in HTTP/1.1: status line, headers, date, and the few answers a server gives
-- by itself.
--
-- What does not change is written once: headers that say they are `constant`, the date of a second.
-- RFC 9110 and RFC 9112.
--
-- *Dependencies*: none
--
-- @module postern.response

local _M = {}
local Heads = {}
Heads.__index = Heads


--- The words of the status codes (RFC 9110, section 15).
_M.REASONS = {
    [100] = "Continue", [200] = "OK", [201] = "Created", [202] = "Accepted", [204] = "No Content",
    [301] = "Moved Permanently", [302] = "Found", [303] = "See Other", [304] = "Not Modified",
    [307] = "Temporary Redirect", [308] = "Permanent Redirect", [400] = "Bad Request",
    [401] = "Unauthorized", [403] = "Forbidden", [404] = "Not Found",
    [405] = "Method Not Allowed", [406] = "Not Acceptable", [408] = "Request Timeout",
    [409] = "Conflict", [411] = "Length Required", [412] = "Precondition Failed",
    [413] = "Content Too Large", [414] = "URI Too Long", [415] = "Unsupported Media Type",
    [417] = "Expectation Failed", [422] = "Unprocessable Content",
    [428] = "Precondition Required", [429] = "Too Many Requests",
    [431] = "Request Header Fields Too Large", [500] = "Internal Server Error",
    [501] = "Not Implemented", [502] = "Bad Gateway", [503] = "Service Unavailable",
    [504] = "Gateway Timeout", [505] = "HTTP Version Not Supported",
}

-- RFC 9110, section 5.6.2.
local TOKEN = "^[%w!#$%%&'*+%-.^_`|~]+$"

-- The framing is the connection's to say: another word could contradict it.
local FRAMING = { ["content-length"] = true, ["transfer-encoding"] = true, connection = true,
    ["keep-alive"] = true, upgrade = true, trailer = true, te = true, date = true }


-- ---- The head ----------------------------------------------------------------------------------


local function header_line(name, value)
    if type(name) ~= "string" or not name:find(TOKEN) then
        return nil, "a name of a header that is none"
    elseif FRAMING[name:lower()] then
        return nil, ("header `%s`: the connection writes it"):format(name)
    elseif type(value) == "number" then
        value = ("%.14g"):format(value)
    elseif type(value) ~= "string" or value:find("[%z\1-\8\10-\31\127]") then
        return nil, ("header `%s`: a value that is no line of text"):format(name)
    end
    return name .. ": " .. value .. "\r\n"
end


--- Writes the status line and the headers. The framing and the date are not among them.
-- @tparam number status 200 to 599
-- @tparam[opt] {{string,string},...} headers names and values
-- @treturn string|nil lines with their ends, without the empty line
-- @treturn string why not: what would not be one header, or breaks the framing
function _M.head(status, headers)
    if type(status) ~= "number" or not (status >= 200 and status <= 599) or status % 1 ~= 0 then
        return nil, "a status that is none"
    end
    local lines = { ("HTTP/1.1 %d %s\r\n"):format(status, _M.REASONS[status] or "Status") }
    for i, header in ipairs(headers or {}) do
        local line, why = header_line(header[1], header[2])
        if not line then
            return nil, why
        end
        lines[i + 1] = line
    end
    return table.concat(lines)
end


--- Makes a store of heads that are written once.
-- @treturn Heads
function _M.heads()
    return setmetatable({
        bare = {}, -- status to the head without headers
        -- headers to (status to head); kept as long as somebody has the headers
        known = setmetatable({}, { __mode = "k" }),
    }, Heads)
end


local NONE = {}

--- The head of an answer, as `head` writes it.
-- @tparam number status
-- @tparam[opt] table headers those with a member `constant = true` are not changed any more by
-- anybody, and their lines are kept
-- @treturn string|nil
-- @treturn string why not
function Heads:head(status, headers)
    headers = headers or NONE
    local known
    if headers[1] == nil then
        known = self.bare
    elseif headers.constant then
        known = self.known[headers]
        if not known then
            known = {}
            self.known[headers] = known
        end
    else
        return _M.head(status, headers)
    end
    local text = known[status]
    if not text then
        local why
        text, why = _M.head(status, headers)
        if not text then
            return nil, why
        end
        known[status] = text
    end
    return text
end


--- The header that tells the time (RFC 9110, section 6.6.1).
-- @tparam number seconds since the epoch
-- @treturn string one line with its end
function _M.date(seconds)
    return os.date("!Date: %a, %d %b %Y %H:%M:%S GMT\r\n", math.floor(seconds))
end


-- ---- Answers of our own ------------------------------------------------------------------------


--- The headers of every answer in JSON that nobody may keep.
_M.JSON = { constant = true, { "Content-Type", "application/json" },
    { "Cache-Control", "no-store" } }

--- Those in plain text.
_M.TEXT = { constant = true, { "Content-Type", "text/plain; charset=utf-8" },
    { "Cache-Control", "no-store" } }


--- The body that goes with a status the server gives by itself. It says what the status says.
-- @tparam number status
-- @treturn string JSON
function _M.problem(status)
    return ('{"message":"%s"}\n'):format(_M.REASONS[status] or "Error")
end


return _M
