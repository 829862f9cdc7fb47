--- HTTP/1.1: reading messages, writing requests, taking URLs apart.
--
-- Reading is done in C, by llhttp and checks of our own (`http/include/postern_http.h` has the
-- rules); here is what a host needs around it. Nothing here opens a connection.
--
-- *Dependencies*: postern.ffi
--
-- @module postern.http
local ffi = require("ffi")
local core = require("postern.ffi")


local _M = {}
local Reader = {}
Reader.__index = Reader


-- `sun_path` on Linux holds 108 bytes with its NUL.
local MOST_SOCKET_PATH = 107


-- ---- Reading -----------------------------------------------------------------------------------

local READER_OPTIONS = { max_head = true, max_headers = true, max_body = true }

local err = ffi.new("postern_error")
local consumed = ffi.new("size_t[1]")

local function free(handle)
    core.http().postern_http_free(handle)
end


--- Whether messages can be read: the library may be missing where llhttp was.
-- @treturn boolean|nil
-- @treturn string why not
function _M.available()
    local ok, why = pcall(core.http)
    if not ok then
        return nil, why
    end
    return true
end


--- Makes a reader of one kind of message. Raises when the HTTP library is not there.
-- @tparam string kind `request` or `response`
-- @tparam[opt] table options `max_head` (bytes of start line and headers, 65536), `max_headers`
-- (128), `max_body` (bytes, 1 MiB)
-- @treturn Reader
function _M.reader(kind, options)
    local lib = core.http()
    if kind ~= "request" and kind ~= "response" then
        error("`kind`: give `request` or `response`", 2)
    end
    local wanted = ffi.new("postern_http_options")
    wanted.kind = kind == "request" and lib.POSTERN_HTTP_REQUEST or lib.POSTERN_HTTP_RESPONSE
    for name, value in pairs(options or {}) do
        if not READER_OPTIONS[name] then
            error(("unknown option `%s`"):format(tostring(name)), 2)
        elseif type(value) ~= "number" or not (value >= 1 and value < 2 ^ 31) then
            error(("`%s`: give a number of at least 1"):format(name), 2)
        end
        wanted[name] = value
    end
    local handle = core.own(lib.postern_http_new(wanted, err), free)
    if not handle then
        error(ffi.string(err.message), 2)
    end
    return setmetatable({ handle = handle }, Reader)
end


local function state_of(state)
    local lib = core.http()
    if state == lib.POSTERN_HTTP_REFUSED then
        return nil, ffi.string(err.message)
    end
    return state == lib.POSTERN_HTTP_COMPLETE
end


--- Takes bytes as they arrive.
-- @tparam string bytes
-- @tparam[opt=1] number from where in them to begin
-- @treturn boolean|nil true: the message is complete; false: it goes on; nil: it is refused
-- @treturn number|string where the bytes begin that were not taken; or why it is refused
function Reader:feed(bytes, from)
    from = from or 1
    local text = ffi.cast("const char *", bytes) + (from - 1)
    local state, why = state_of(core.http().postern_http_feed(
        self.handle, text, #bytes - from + 1, consumed, err))
    if state == nil then
        return nil, why
    end
    return state, from + tonumber(consumed[0])
end


--- Tells that no bytes follow.
-- @treturn boolean|nil true when that ends the message, nil when it ends early
-- @treturn string why it is refused
function Reader:finish()
    return state_of(core.http().postern_http_finish(self.handle, err))
end


--- Makes the reader ready for the next message.
-- @tparam[opt] boolean no_body whether the next response answers HEAD and so has no body
function Reader:reset(no_body)
    core.http().postern_http_reset(self.handle, no_body and 1 or 0)
end


--- The status code with which a server refuses what was refused here.
-- @treturn number 0 as long as nothing is
function Reader:answer()
    return core.http().postern_http_answer(self.handle)
end


local function read_headers(message)
    local headers = {}
    for i = 0, message.header_count - 1 do
        local header = message.headers[i]
        local name = core.text(header.name)
        local values = headers[name]
        if not values then
            values = {}
            headers[name] = values
        end
        values[#values + 1] = core.text(header.value)
    end
    return headers
end


-- ---- A piece at a time ------------------------------------------------------------------------


--- The parts of a request that a server needs of each, without a table. To be called when the head
-- is complete; this and what follows hold until the reader is fed or reset.
-- @treturn string|nil method; nil when the head is not complete
-- @treturn string target
-- @treturn number minor version: 0 for HTTP/1.0, 1 for HTTP/1.1
-- @treturn boolean whether the connection may be used again; known when the message is complete
function Reader:request()
    local message = core.http().postern_http_read(self.handle)
    if message == nil then
        return nil
    end
    return ffi.string(message.method.text, message.method.length),
        ffi.string(message.target.text, message.target.length),
        message.minor, message.keep_alive ~= 0
end


--- One header by its name, without a table.
-- @tparam string name in lower case
-- @treturn string|nil the value of its first line; nil when there is none
-- @treturn number how many lines have that name: who believes a header asks for exactly one
function Reader:header(name)
    local message = core.http().postern_http_read(self.handle)
    if message == nil then
        return nil, 0
    end
    local value, count = nil, 0
    for i = 0, message.header_count - 1 do
        local header = message.headers[i]
        -- Most names differ in length, and then none becomes a string.
        if header.name.length == #name
            and ffi.string(header.name.text, header.name.length) == name then
            count = count + 1
            value = value or core.text(header.value) or ""
        end
    end
    return value, count
end


--- All headers, as a table.
-- @treturn table lower-case name to a list of values
function Reader:headers()
    local message = core.http().postern_http_read(self.handle)
    return message == nil and {} or read_headers(message)
end


--- The body.
-- @treturn string empty until the message is complete
function Reader:body()
    local message = core.http().postern_http_read(self.handle)
    return message ~= nil and core.text(message.body) or ""
end


--- What was read: nil until the head is complete, without the body until the message is.
-- @treturn table|nil `version` (1.0 or 1.1), `headers` (lower-case name to a list of values),
-- `body`, `keep_alive`; of a request `method` and `target`, of a response `status` and `reason`
function Reader:message()
    local message = core.http().postern_http_read(self.handle)
    if message == nil then
        return nil
    end
    local result = {
        version = message.minor == 0 and 1.0 or 1.1,
        headers = read_headers(message),
        body = core.text(message.body) or "",
        keep_alive = message.keep_alive ~= 0,
    }
    if message.status == 0 then
        result.method, result.target = core.text(message.method), core.text(message.target)
    else
        result.status, result.reason = message.status, core.text(message.reason) or ""
    end
    return result
end


-- ---- Writing -----------------------------------------------------------------------------------

-- RFC 9110, section 5.6.2.
local TOKEN = "^[%w!#$%%&'*+%-.^_`|~]+$"

-- The framing is ours to say: a caller's word could contradict it.
local OURS = { ["content-length"] = true, ["transfer-encoding"] = true, connection = true,
    upgrade = true, te = true, trailer = true, expect = true }


local function quote(text)
    text = tostring(text):gsub("[%c\127]", "?")
    return ("`%s`"):format(#text > 80 and text:sub(1, 80) .. "..." or text)
end


local function add_header(lines, name, value)
    if type(value) == "number" then
        value = ("%.14g"):format(value)
    end
    if type(value) ~= "string" then
        return nil, ("header %s: its value is a %s: give a string"):format(quote(name), type(value))
    end
    -- A tab is white space in a value, the other control characters are nothing at all.
    if value:find("[%z\1-\8\10-\31\127]") then
        return nil, ("header %s: a control character in its value"):format(quote(name))
    end
    lines[#lines + 1] = ("%s: %s"):format(name, value)
    return true
end


local function sorted_names(headers)
    local names = {}
    for name in pairs(headers) do
        if type(name) ~= "string" or not name:find(TOKEN) then
            return nil, ("%s is no name of a header"):format(quote(name))
        elseif OURS[name:lower()] then
            return nil, ("header %s is written by the client itself: leave it out")
                :format(quote(name))
        end
        names[#names + 1] = name
    end
    table.sort(names)
    return names
end


local function add_headers(lines, headers)
    local names, why = sorted_names(headers)
    if not names then
        return nil, why
    end
    for _, name in ipairs(names) do
        local values = headers[name]
        for _, value in ipairs(type(values) == "table" and values or { values }) do
            local ok
            ok, why = add_header(lines, name, value)
            if not ok then
                return nil, why
            end
        end
    end
    return true
end


local function has_host(headers)
    for name in pairs(headers) do
        if type(name) == "string" and name:lower() == "host" then
            return true
        end
    end
    return false
end


-- Methods whose requests say their length even when it is 0, as servers expect (RFC 9110, 8.6).
local WITH_BODY = { POST = true, PUT = true, PATCH = true }

--- Writes a request of HTTP/1.1.
-- @tparam table request `method` (GET), `target` (a path with its query), `host` (for the header
-- Host, unless `headers` has one), `headers` (name to a value or a list of values), `body`
-- @treturn string|nil the bytes to send
-- @treturn string why it is refused: a line end, a NUL or another control character in a part of it
function _M.request(request)
    local method, target = request.method or "GET", request.target
    if type(method) ~= "string" or not method:find(TOKEN) then
        return nil, ("%s is no method"):format(quote(method))
    elseif type(target) ~= "string" or not target:find("^[!-~]+$") then
        return nil, ("%s is no target: encode spaces and what is not ASCII as %%XX")
            :format(quote(target))
    elseif request.body ~= nil and type(request.body) ~= "string" then
        return nil, "the body is no string"
    end
    local headers, body = request.headers or {}, request.body or ""
    local lines = { ("%s %s HTTP/1.1"):format(method, target) }
    local ok, why = true, nil
    if not has_host(headers) then
        ok, why = add_header(lines, "Host", request.host)
    end
    if ok then
        ok, why = add_headers(lines, headers)
    end
    if not ok then
        return nil, why
    end
    if body ~= "" or WITH_BODY[method] then
        lines[#lines + 1] = "Content-Length: " .. #body
    end
    return table.concat(lines, "\r\n") .. "\r\n\r\n" .. body
end


-- ---- URLs --------------------------------------------------------------------------------------

local function parse_unix(rest)
    local path, target = rest:match("^(/.-):(/.*)$")
    path = path or rest
    if not path:find("^/.") then
        return nil, "give the path of a socket, as in http+unix:///run/agent.sock:/path"
    elseif #path > MOST_SOCKET_PATH then
        return nil, ("a path of a socket has at most %d bytes"):format(MOST_SOCKET_PATH)
    end
    return { path = path, target = target or "/", host = "localhost",
        origin = "http+unix://" .. path }
end


local function parse_authority(authority)
    local host, port = authority:match("^%[([%x:.]+)%](.*)$")
    if not host then
        host, port = authority:match("^([%w%-._]+)(.*)$")
    end
    if not host then
        return nil, "give a host, as in http://localhost:8080/path"
    elseif port ~= "" then
        port = tonumber(port:match("^:(%d+)$"))
        if not port or port < 1 or port > 65535 then
            return nil, "a port is a number from 1 to 65535"
        end
    end
    return host:lower(), port ~= "" and port or 80
end


local function parse_tcp(rest)
    local authority, target = rest:match("^([^/?]*)(.*)$")
    local host, port = parse_authority(authority)
    if not host then
        return nil, port
    end
    if target:sub(1, 1) ~= "/" then
        target = "/" .. target
    end
    local written = host:find(":", 1, true) and "[" .. host .. "]" or host
    return { name = host, port = port, target = target,
        host = port == 80 and written or ("%s:%d"):format(written, port),
        origin = ("http://%s:%d"):format(written, port) }
end


local function parse(url)
    if #url > 8192 or url:find("[^!-~]") then
        return nil, "encode spaces and what is not ASCII as %XX"
    elseif url:find("#", 1, true) then
        return nil, "a fragment is not sent: leave it out"
    end
    local scheme, rest = url:match("^(%a[%w+.-]*)://(.*)$")
    scheme = scheme and scheme:lower()
    if scheme == "http" then
        return parse_tcp(rest)
    elseif scheme == "http+unix" then
        return parse_unix(rest)
    elseif scheme == "https" then
        return nil, "TLS is not spoken: put a proxy in between that does"
    end
    return nil, "give one that begins with http:// or http+unix://"
end


--- Takes a URL apart: `http://host:port/path?query` or `http+unix:///path/of.sock:/path?query`.
-- @tparam string url
-- @treturn table|nil `origin` (what connections are shared by), `host` (for the header Host),
-- `target`; `name` and `port`, or `path` (of the socket)
-- @treturn string what is wrong with it; the query is left out, it may hold secrets
function _M.parse_url(url)
    if type(url) ~= "string" then
        return nil, "the URL is no string"
    end
    local parts, why = parse(url)
    if not parts then
        return nil, ("URL %s: %s"):format(quote((url:gsub("[?#].*$", ""))), why)
    end
    return parts
end


return _M
