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
    local from = self.target:find("?", 1, true)
    return from and self.target:sub(from + 1) or nil
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
-- none); optionally `routes`, and `tls`: what is known of the peer's certificate
-- @treturn Message `method`; `target` as it was sent, `path` and `query` (nil without `?`) of it,
-- all three undecoded; `minor`; `headers` (lower-case name to a list of values), `body`, `peer`,
-- `tls`, `id`; and `endpoint`, the prefix that led to who answers
function _M.new(parts)
    return setmetatable(parts, Message)
end


--- One header, without a table of all.
-- @tparam string name in lower case
-- @treturn string|nil the value of its first line
-- @treturn number how many lines have that name
function Message:header(name)
    return self.reader:header(name)
end


-- The form in which proxies are asked (RFC 9112, section 3.2.2). Who it names must be who `Host`
-- names: two answers to one question are none.
local function origin_form(self, target)
    local authority, rest = target:match("^[hH][tT][tT][pP][sS]?://([^/?]+)(.*)$")
    local host, count = self.reader:header("host")
    if not authority or count ~= 1 or authority:lower() ~= host:lower() then
        return nil
    end
    return rest:sub(1, 1) == "/" and rest or "/" .. rest
end


--- Takes up the request that the reader has completed, in place of the one before.
-- @treturn boolean whether its connection may be used again; nil when its target is none
function Message:take()
    self.query, self.headers, self.body, self.id, self.endpoint = nil, nil, nil, nil, nil
    local method, target, minor, keep_alive = self.reader:request()
    if target:byte(1) ~= 47 and target ~= "*" then
        target = origin_form(self, target)
    end
    self.method, self.minor, self.target = method, minor, target
    -- A fragment is never sent (RFC 9112, section 3.2): somebody else would cut the path there.
    if not target or target:find("#", 1, true) then
        return nil
    end
    local mark = target:find("?", 1, true)
    self.path = mark and target:sub(1, mark - 1) or target
    return keep_alive
end


return _M
