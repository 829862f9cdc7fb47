--- What an answer consists of, and the few that a server gives by itself.
--
-- *Dependencies*: postern.http
--
-- @module postern.response
local http = require("postern.http")


local _M = {}
local Lines = {}
Lines.__index = Lines


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

-- Statuses that have no body (RFC 9110, section 6.4.1).
local NO_BODY = { [204] = true, [304] = true }


-- ---- Checking ----------------------------------------------------------------------------------


--- Makes a store of header lines that are written once.
-- @treturn Lines
function _M.lines()
    -- Kept as long as somebody has the headers.
    return setmetatable({ known = setmetatable({}, { __mode = "k" }) }, Lines)
end


--- The lines of headers, as `lines` of `postern.http` writes them.
-- @tparam[opt] {{string,string|number},...} headers those with a member `constant = true` are not
-- changed by anybody any more, and their lines are kept
-- @treturn string|nil
-- @treturn string why they are refused
function Lines:of(headers)
    if not headers or headers[1] == nil then
        return ""
    elseif not headers.constant then
        return http.lines(headers)
    end
    local text, why = self.known[headers], nil
    if not text then
        text, why = http.lines(headers)
        self.known[headers] = text
    end
    return text, why
end


--- Whether a status is one that an answer may have.
-- @param status
-- @treturn boolean
function _M.is_status(status)
    return type(status) == "number" and status >= 200 and status <= 599 and status % 1 == 0
end


--- Whether an answer of a status has a body.
-- @tparam number status
-- @treturn boolean
function _M.has_body(status)
    return not NO_BODY[status]
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
