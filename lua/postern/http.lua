--- HTTP/1.1: reading messages, writing requests and responses, taking URLs apart.
--
-- Reading is done in C, by llhttp and checks of our own (`http/include/postern_http.h` has the
-- rules); here is what a host needs around it. Nothing here opens a connection.
--
-- *Dependencies*: postern.ffi
--
-- @module postern.http
local ffi = require("ffi")
local core = require("postern.ffi")

-- Loaded here and not when first used: a call through a value that can change does not compile.
local available, lib = pcall(core.http)


local _M = {}
local Reader = {}
Reader.__index = Reader
local Writer = {}
Writer.__index = Writer


-- `sun_path` on Linux holds 108 bytes with its NUL.
local MOST_SOCKET_PATH = 107


-- ---- Reading -----------------------------------------------------------------------------------

local READER_OPTIONS = { max_head = true, max_headers = true, max_body = true }

local err = ffi.new("postern_error")
local consumed = ffi.new("size_t[1]")
local span = ffi.new("postern_span")

-- What came last on any connection; it is looked at in one go.
local ROOM = 65536
local arrived = ffi.new("char[?]", ROOM)

--- Instead of a number of bytes: none at the moment; the connection is broken.
_M.LATER, _M.BROKEN = -1, -2

local function free(handle)
    lib.postern_http_free(handle)
end


--- Whether messages can be read: the library may be missing where llhttp was.
-- @treturn boolean|nil
-- @treturn string why not
function _M.available()
    if not available then
        return nil, lib
    end
    return true
end


--- Makes a reader of one kind of message. Raises when the HTTP library is not there.
-- @tparam string kind `request` or `response`
-- @tparam[opt] table options `max_head` (bytes of start line and headers, 65536), `max_headers`
-- (128), `max_body` (bytes, 1 MiB)
-- @treturn Reader
function _M.reader(kind, options)
    if not available then
        error(lib, 2)
    end
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
    local state, why = state_of(lib.postern_http_feed(
        self.handle, text, #bytes - from + 1, consumed, err))
    if state == nil then
        return nil, why
    end
    return state, from + tonumber(consumed[0])
end


--- Takes what has come on a connection that does not block, at once and without strings.
-- @tparam number fd
-- @treturn boolean|nil as `feed`
-- @treturn number|string|nil how many bytes came; of those refused, why
-- @treturn number how many of them were not taken: they are got with `left`, before anything else
-- is received, by whomever
function Reader:receive(fd)
    local came = lib.postern_http_receive(fd, arrived, ROOM)
    if came <= 0 then
        return false, came, 0
    end
    local state = lib.postern_http_feed(self.handle, arrived, came, consumed, err)
    if state == lib.POSTERN_HTTP_REFUSED then
        return nil, ffi.string(err.message), 0
    end
    return state == lib.POSTERN_HTTP_COMPLETE, came, came - tonumber(consumed[0])
end


--- Takes the last bytes of what was received.
-- @tparam number came how many bytes came
-- @tparam number count how many of them were not taken
-- @treturn boolean|nil as `feed`
-- @treturn number how many of them were not taken now; 0 when they are refused
function Reader:feed_left(came, count)
    local state = lib.postern_http_feed(self.handle, arrived + (came - count), count, consumed, err)
    if state == lib.POSTERN_HTTP_REFUSED then
        return nil, 0
    end
    return state == lib.POSTERN_HTTP_COMPLETE, count - tonumber(consumed[0])
end


--- Takes what has come on a connection that does not block.
-- @tparam number fd
-- @treturn string|boolean|nil empty when the peer says nothing more; false when nothing has come;
-- nil when the connection is broken
function _M.receive(fd)
    local came = lib.postern_http_receive(fd, arrived, ROOM)
    if came >= 0 then
        return ffi.string(arrived, came)
    end
    if came == lib.POSTERN_HTTP_LATER then
        return false
    end
    return nil
end


--- The last bytes of what was received.
-- @tparam number came how many bytes came
-- @tparam number count how many of them are wanted
-- @treturn string
function _M.left(came, count)
    return ffi.string(arrived + (came - count), count)
end


--- Tells that no bytes follow.
-- @treturn boolean|nil true when that ends the message, nil when it ends early
-- @treturn string why it is refused
function Reader:finish()
    return state_of(lib.postern_http_finish(self.handle, err))
end


--- Makes the reader ready for the next message.
-- @tparam[opt] boolean no_body whether the next response answers HEAD and so has no body
function Reader:reset(no_body)
    lib.postern_http_reset(self.handle, no_body and 1 or 0)
end


--- The status code with which a server refuses what was refused here.
-- @treturn number 0 as long as nothing is
function Reader:answer()
    return lib.postern_http_answer(self.handle)
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


--- What was read: nil until the head is complete, without the body until the message is.
-- @treturn table|nil `version` (1.0 or 1.1), `headers` (lower-case name to a list of values),
-- `body`, `keep_alive`; of a request `method` and `target`, of a response `status` and `reason`
function Reader:message()
    local message = lib.postern_http_read(self.handle)
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


-- ---- Reading without tables --------------------------------------------------------------------

-- Wrong use, as what was not read yet has no parts.
local function message_of(self)
    local message = lib.postern_http_read(self.handle)
    if message == nil then
        error("the head of the message is not whole yet", 3)
    end
    return message
end


--- The method of the request. This and what follows raise before the head is whole.
-- @treturn string
function Reader:method()
    local method = message_of(self).method
    return ffi.string(method.text, method.length)
end


--- The target of the request, as it was sent.
-- @treturn string
function Reader:target()
    local target = message_of(self).target
    return ffi.string(target.text, target.length)
end


--- The path of the target, as it was sent: nothing is decoded.
-- @treturn string it begins with `/`, or is `*` when OPTIONS asks for the server
function Reader:path()
    local path = message_of(self).path
    return ffi.string(path.text, path.length)
end


--- The query of the target, without `?`, as it was sent.
-- @treturn string|nil nil when there is no `?`
function Reader:query()
    return core.text(message_of(self).query)
end


--- The host the request is for, with its port if one was sent: of the target, else of `Host`.
-- @treturn string|nil nil when neither has one, as HTTP/1.0 allows
function Reader:authority()
    return core.text(message_of(self).authority)
end


--- A header.
-- @tparam string name in lower case
-- @treturn string|nil the value on the first line of that name; nil when there is none
-- @treturn number how many lines have it: of more than one, `message` has the values
function Reader:header(name)
    local count = lib.postern_http_find(self.handle, name, #name, span)
    if count == 0 then
        return nil, 0
    end
    local value = ffi.string(span.text, span.length)
    return value, count
end


--- A header that is there exactly once, with something in it and no control character.
-- @tparam string name in lower case
-- @tparam number most bytes
-- @treturn string|nil
function Reader:single(name, most)
    if lib.postern_http_find_single(self.handle, name, #name, most, span) == 0 then
        return nil
    end
    return (ffi.string(span.text, span.length))
end


--- The body, empty until the message is complete.
-- @treturn string
function Reader:body()
    return core.text(message_of(self).body) or ""
end


--- The body, without a string.
-- @treturn cdata its bytes, NULL where there are none; good until the reader is fed or reset
-- @treturn number how many
function Reader:span()
    local body = message_of(self).body
    return body.text, tonumber(body.length)
end


--- Whether the target has a query, an empty one too.
-- @treturn boolean
function Reader:has_query()
    return message_of(self).query.text ~= nil
end


--- Whether the message is of HTTP/1.0.
-- @treturn boolean
function Reader:is_old()
    return message_of(self).minor == 0
end


--- Whether the connection may be used again after this message.
-- @treturn boolean
function Reader:keep_alive()
    return message_of(self).keep_alive ~= 0
end


--- What a server looks at in every request, in one call.
-- @treturn string|nil method; nil before the head is whole
-- @treturn string path, as `path` answers it
-- @treturn number minor version: 0 for HTTP/1.0, 1 for HTTP/1.1
-- @treturn boolean whether the connection may be used again; known when the message is complete
function Reader:request()
    local message = lib.postern_http_read(self.handle)
    if message == nil then
        return nil
    end
    return ffi.string(message.method.text, message.method.length),
        ffi.string(message.path.text, message.path.length),
        message.minor, message.keep_alive ~= 0
end


--- All headers, as a table.
-- @treturn table lower-case name to a list of values
function Reader:headers()
    return read_headers(message_of(self))
end


--- The flags with which a writer answers the request, see `writer`. They may be asked for at any
-- time: what was refused is answered with `CLOSE`.
-- @treturn number
function Reader:flags()
    return lib.postern_http_flags(self.handle)
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


-- ---- Responses ---------------------------------------------------------------------------------

--- Flags of an answer, to be added to each other; each at most once.
-- `CLOSE`: say that the connection ends. `KEEP`: say that it does not, which HTTP/1.0 has to be
-- told. `NO_BODY`: the body is only counted, as for HEAD.
_M.CLOSE, _M.KEEP, _M.NO_BODY = 1, 2, 4

-- What a server says by itself.
local OURS_OF_SERVER = { ["content-length"] = true, ["transfer-encoding"] = true,
    connection = true, date = true, upgrade = true, trailer = true }


--- Writes header lines of a response, once for as many answers as have them.
-- @tparam {{string,string|number},...} headers name and value each, in order
-- @treturn string|nil each line with its CR LF
-- @treturn string why it is refused: a line end or another control character, no name, a header
-- that the server writes itself
function _M.lines(headers)
    local lines = {}
    for _, header in ipairs(headers) do
        local name = header[1]
        if type(name) ~= "string" or not name:find(TOKEN) then
            return nil, ("%s is no name of a header"):format(quote(name))
        elseif OURS_OF_SERVER[name:lower()] then
            return nil, ("header %s is written by the server itself: leave it out")
                :format(quote(name))
        end
        local ok, why = add_header(lines, name, header[2])
        if not ok then
            return nil, why
        end
    end
    lines[#lines + 1] = ""
    return table.concat(lines, "\r\n")
end


local function free_writer(handle)
    lib.postern_http_writer_free(handle)
end


--- Makes a writer of responses: answers, one after the other, to be sent together. Raises when the
-- HTTP library is not there.
-- @treturn Writer
function _M.writer()
    if not available then
        error(lib, 2)
    end
    local handle = core.own(lib.postern_http_writer_new(nil, err), free_writer)
    if not handle then
        error(ffi.string(err.message), 2)
    end
    return setmetatable({ handle = handle }, Writer)
end


--- Tells the time for `Date`; until then answers have none.
-- @tparam number now in seconds since 1970
function Writer:time(now)
    lib.postern_http_writer_time(self.handle, now)
end


local function check_added(status)
    if status == lib.POSTERN_MISUSE then
        error("no answer: a status outside 200 to 599, lines without their end, or a body where "
            .. "the status has none", 3)
    elseif status ~= 0 then
        error("out of memory", 3)
    end
end


--- Adds an answer. Content-Length, Date and Connection are added to it.
-- @tparam number status 200 to 599
-- @tparam string|nil lines further header lines as `lines` makes them
-- @tparam string|nil body
-- @tparam number flags those of the request, `Reader:flags`, or `CLOSE`, `KEEP`, `NO_BODY`
function Writer:answer(status, lines, body, flags)
    lines, body = lines or "", body or ""
    local added = lib.postern_http_writer_answer(self.handle, status, lines, #lines, body, #body,
        flags)
    if added ~= 0 then
        check_added(added)
    end
end


--- Adds bytes as they are, such as `HTTP/1.1 100 Continue` and an empty line.
-- @tparam string bytes
function Writer:put(bytes)
    local added = lib.postern_http_writer_put(self.handle, bytes, #bytes)
    if added ~= 0 then
        check_added(added)
    end
end


--- How many bytes were added and not taken.
-- @treturn number
function Writer:size()
    lib.postern_http_writer_bytes(self.handle, span)
    return tonumber(span.length)
end


--- Sends what was added, as much as a connection takes at once. If that was all, the writer is
-- empty then; else it has to be taken, and the end of it sent.
-- @tparam number fd
-- @treturn number|nil how many bytes were not sent, the last ones; nil: the connection is broken
function Writer:send(fd)
    lib.postern_http_writer_bytes(self.handle, span)
    local length = tonumber(span.length)
    local sent = lib.postern_http_send(fd, span.text, length)
    if sent == length then
        lib.postern_http_writer_reset(self.handle)
        return 0
    elseif sent == lib.POSTERN_HTTP_BROKEN then
        return nil
    end
    return sent < 0 and length or length - sent
end


--- Takes what was added: the writer is empty then.
-- @treturn string the bytes to send
function Writer:take()
    lib.postern_http_writer_bytes(self.handle, span)
    local bytes = ffi.string(span.text, span.length)
    lib.postern_http_writer_reset(self.handle)
    return bytes
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
