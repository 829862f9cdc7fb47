--- A request as protocols see it: what is asked for is read when it is asked for.
--
-- One object serves a connection from its first request to its last: what it says holds until the
-- request is answered, and who wants to keep something copies it.
--
-- *Dependencies*: none (a reader is handed in)
--
-- @module postern.message

local _M = {}
local Message = {}


-- A client's own id is taken over when it is a short text that can stand in any log and header.
local MOST_ID = 128

local LAZY = {}

function LAZY.query(self)
    return self.reader:query()
end

-- In the form in which origin servers are asked, also where the target named a host (RFC 9112,
-- section 3.2.1).
function LAZY.target(self)
    local query = self.reader:query()
    return query and self.path .. "?" .. query or self.path
end

function LAZY.headers(self)
    return self.reader:headers()
end

function LAZY.body(self)
    return self.reader:body()
end

function LAZY.peer(self)
    return self.peer_of()
end

function LAZY.credentials(self)
    return self.credentials_of and self.credentials_of() or nil
end

function LAZY.id(self)
    local id, count = self.reader:header("x-request-id")
    if count == 1 and #id >= 1 and #id <= MOST_ID and not id:find("[^%w%-._~:/+=@]") then
        return id
    end
    return self.new_id()
end

Message.__index = function(self, name)
    local read = LAZY[name]
    if read then
        local value = read(self)
        rawset(self, name, value)
        return value
    end
    return Message[name]
end


--- Makes one for a connection.
-- @tparam table parts `reader` (of requests); `peer_of` (a function that answers who is at the
-- other end: `192.0.2.1`, or `unix:`); `new_id` (one that answers an id for a request that brings
-- none); optionally `credentials_of` (one that answers which process is at the other end of a Unix
-- socket), `routes`, and `tls`: what is known of the peer's certificate
-- @treturn Message `method`; `path`, `query` (nil without `?`) and `target` (both), as they were
-- sent, undecoded; `minor`; `headers` (lower-case name to a list of values), `body`, `peer`,
-- `tls` (nil without TLS; `version`, `verified` and what the certificate says), `credentials`
-- (`pid`, `uid`, `gid`), `id`; and `endpoint`, the prefix that led to who answers. Who is asked at
-- once and cannot answer may leave word in `never_at_once` for when he is asked again; it stays
-- until the next one is asked at once
function _M.new(parts)
    return setmetatable({
        reader = parts.reader, new_id = parts.new_id, peer_of = parts.peer_of,
        credentials_of = parts.credentials_of, routes = parts.routes, tls = parts.tls,
        -- All there will be, so that no message has its members elsewhere than another: compiled
        -- code knows where they are.
        method = nil, path = nil, minor = nil, target = nil, query = nil, headers = nil,
        body = nil, id = nil, peer = nil, credentials = nil, endpoint = nil, never_at_once = nil,
    }, Message)
end


--- One header, without a table of all.
-- @tparam string name in lower case
-- @treturn string|nil the value of its first line
-- @treturn number how many lines have that name
function Message:header(name)
    -- No tail calls here and below: compiled code takes only so many.
    local value, count = self.reader:header(name)
    return value, count
end


--- One header that is there exactly once, with something in it and no control character.
-- @tparam string name in lower case
-- @tparam number most bytes
-- @treturn string|nil
function Message:single(name, most)
    return (self.reader:single(name, most))
end


--- The body where it stands, without a string.
-- @treturn cdata good until the request is answered
-- @treturn number how many bytes
function Message:span()
    local bytes, length = self.reader:span()
    return bytes, length
end


--- Whether the target has a query, an empty one too.
-- @treturn boolean
function Message:has_query()
    return (self.reader:has_query())
end


--- Takes up the request that the reader has completed, in place of the one before.
-- @treturn boolean whether its connection may be used again
function Message:take()
    self.target, self.query, self.headers, self.body, self.id = nil, nil, nil, nil, nil
    self.endpoint = nil
    local keep_alive
    self.method, self.path, self.minor, keep_alive = self.reader:request()
    return keep_alive
end


return _M
