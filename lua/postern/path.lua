--- Paths and hosts: from what a client sent to the one text that decides.
--
-- A path is decoded once and never tidied up. Whatever two programs could read differently is
-- refused, because the program behind the gateway may be the other one: an encoded slash, a dot
-- segment, an empty segment and so on. Each of these can be let in by name for an API whose backend
-- is known to read it the same way. What stays refused for good is a target that is malformed, and
-- a host that routed something else than what the client sent.
--
-- All work here is linear in the length of the text.
--
-- *Dependencies*: postern.ffi
--
-- @module postern.path

local lib = require("postern.ffi").lib


local _M = {}
local Path = {}
Path.__index = Path


--- What is refused unless it is let in by that name, with what the operator is told.
_M.AMBIGUITIES = {
    encoded_slash = "the path holds an encoded slash (%2F)",
    backslash = "the path holds a backslash, plain or encoded (%5C)",
    dot_segment = "the path holds a segment `.` or `..`",
    encoded_dot_segment = "the path holds a segment `.` or `..` that is encoded (%2E)",
    double_slash = "the path holds an empty segment (`//`)",
    semicolon = "the path holds `;`, plain or encoded (%3B)",
    fragment = "the target holds `#`, or the path holds it encoded (%23)",
    nul = "the path holds a zero byte (%00)",
    control = "the path holds a control character",
    invalid_utf8 = "the path is not valid UTF-8",
    double_encoding = "the path is still encoded after decoding it once (%25)",
}

-- In which order they are looked for; what is found first is the reason given.
local ORDER = {
    "fragment", "nul", "control", "encoded_slash", "backslash", "semicolon",
    "encoded_dot_segment", "dot_segment", "double_slash", "double_encoding", "invalid_utf8",
}

-- Refused whatever is let in.
local REASONS = {
    missing = "neither the target as sent nor the routed path is known",
    bad_target = "the target is neither a path nor a URL with a path",
    bad_encoding = "the path holds `%` without two hexadecimal digits",
    userinfo = "the target or the host holds a user name (`@`)",
    route_mismatch = "the host routed another path than the one that was sent",
    bad_host = "the host is not a name or an address, with or without a port",
    duplicate_host = "there is more than one host",
    host_mismatch = "the host of the target and the header Host differ",
}

for code, reason in pairs(_M.AMBIGUITIES) do
    REASONS[code] = reason
end

local function refuse(code)
    return nil, REASONS[code], code
end


-- ---- UTF-8 -----------------------------------------------------------------


-- What the second byte may be, where it is not 0x80 to 0xBF: no overlong form, no surrogate,
-- nothing past U+10FFFF.
local SECOND = {
    [0xE0] = { 0xA0, 0xBF }, [0xED] = { 0x80, 0x9F },
    [0xF0] = { 0x90, 0xBF }, [0xF4] = { 0x80, 0x8F },
}
local CONTINUATION = { 0x80, 0xBF }


local function sequence_length(lead)
    if lead < 0x80 then
        return 1
    elseif lead >= 0xC2 and lead <= 0xDF then
        return 2
    elseif lead >= 0xE0 and lead <= 0xEF then
        return 3
    elseif lead >= 0xF0 and lead <= 0xF4 then
        return 4
    end
    return nil
end


-- The length of the well-formed sequence at `at`, or nil.
local function sequence_at(text, at)
    local lead = text:byte(at)
    local length = sequence_length(lead)
    for i = 1, (length or 1) - 1 do
        local byte = text:byte(at + i)
        local range = i == 1 and SECOND[lead] or CONTINUATION
        if not byte or byte < range[1] or byte > range[2] then
            return nil
        end
    end
    return length
end


local function is_utf8(text)
    local at = text:find("[\128-\255]")
    while at and at <= #text do
        local length = sequence_at(text, at)
        if not length then
            return false
        end
        at = at + length
    end
    return true
end


-- The core takes valid UTF-8 only, so bytes that are not stay encoded.
local function encode_invalid(text)
    local out, at = {}, 1
    while at <= #text do
        local length = sequence_at(text, at)
        out[#out + 1] = length and text:sub(at, at + length - 1)
            or ("%%%02X"):format(text:byte(at))
        at = at + (length or 1)
    end
    return table.concat(out)
end


-- ---- Targets ---------------------------------------------------------------


local function from_hex(digits)
    return string.char(tonumber(digits, 16))
end


local function decode(text)
    return (text:gsub("%%(%x%x)", from_hex))
end


-- Parts of a target: the path with the query cut off, and the authority of a URL.
local function split_target(target)
    local authority
    if target:sub(1, 1) ~= "/" then
        local rest
        authority, rest = target:match("^[Hh][Tt][Tt][Pp][Ss]?://([^/?#]+)(.*)$")
        -- A URL without a path would be `/` to some and nothing to others.
        if not authority or rest:sub(1, 1) ~= "/" then
            return nil
        end
        target = rest
    end
    return target:match("^[^?]*"), authority
end


-- The segments of a path as the most liberal reader splits it: `\` is a slash, an encoded separator
-- is one too, and what follows a `;` does not count. So letting one of these in never lets in a dot
-- segment that hides behind it.
local function has_segment(path, is_found)
    if not path:find("[.%%]") then
        return false
    end
    path = path:gsub("%%2[Ff]", "/"):gsub("%%5[Cc]", "/"):gsub("\\", "/"):gsub("%%3[Bb]", ";")
    for segment in path:gmatch("[^/]+") do
        if is_found(segment:match("^[^;]*")) then
            return true
        end
    end
    return false
end


local function is_dot_segment(segment)
    return segment == "." or segment == ".."
end


local function is_encoded_dot_segment(segment)
    return #segment <= 6 and segment:find("%", 1, true) ~= nil and is_dot_segment(decode(segment))
end


-- Whether an ambiguity is there: `raw` is the path as sent (nil when only the routed one is known),
-- `path` the decoded one, `target` all that was sent.
local FIND = {
    fragment = function(_, path, target)
        return (target or path):find("#", 1, true) or path:find("#", 1, true)
    end,
    nul = function(_, path) return path:find("\0", 1, true) end,
    control = function(_, path) return path:find("[\1-\31\127]") end,
    encoded_slash = function(raw) return raw and raw:find("%%2[Ff]") end,
    backslash = function(_, path) return path:find("\\", 1, true) end,
    semicolon = function(_, path) return path:find(";", 1, true) end,
    encoded_dot_segment = function(raw) return raw and has_segment(raw, is_encoded_dot_segment) end,
    dot_segment = function(raw, path) return has_segment(raw or path, is_dot_segment) end,
    double_slash = function(_, path) return path:find("//", 1, true) end,
    double_encoding = function(_, path) return path:find("%%%x%x") end,
    invalid_utf8 = function(_, path) return not is_utf8(path) end,
}


-- ---- What a host may have made of it ---------------------------------------


-- Removes `.` and `..` segments as RFC 3986, section 5.2.4, does. Empty segments count.
local function remove_dots(path)
    local kept = {}
    local last
    for segment in path:gmatch("/([^/]*)") do
        last = segment
        if segment == ".." then
            kept[#kept] = nil
        elseif segment ~= "." then
            kept[#kept + 1] = segment
        end
    end
    if is_dot_segment(last) then
        kept[#kept + 1] = ""
    end
    return "/" .. table.concat(kept, "/")
end


--- Whether a target is plain, and the routed path, if it is handed in, is its path decoded.
-- @tparam string target
-- @tparam[opt] string routed
-- @treturn boolean false where one has to look closer; it may be all right
function _M.plainly(target, routed)
    return lib.postern_path_plain(target, #target, routed, routed and #routed or 0) >= 0
end


-- Whether the routed path is the decoded one, or what the ambiguities that were let in explain.
local function explains(self, raw, path, routed)
    if routed == path then
        return true
    end
    local allow = self.allow
    if allow.fragment then
        path = decode(raw:match("^[^#]*"))
    end
    if allow.double_slash then
        path = path:gsub("/+", "/")
    end
    if allow.dot_segment or allow.encoded_dot_segment then
        path = remove_dots(path)
    end
    return routed == path
end


-- ---- The public part -------------------------------------------------------


--- Makes the rules of one API.
-- @tparam[opt] table options `allow`, a list of names of `AMBIGUITIES` to let in
-- @treturn Path|nil
-- @treturn string what is wrong with the options
function _M.new(options)
    local allow = {}
    for name in pairs(options or {}) do
        if name ~= "allow" then
            return nil, ("unknown option `%s`: a path has `allow`"):format(tostring(name))
        end
    end
    for place, name in pairs(options and options.allow or {}) do
        if type(place) ~= "number" then
            return nil, "`allow`: give a list of names"
        elseif not _M.AMBIGUITIES[name] then
            return nil, ("unknown ambiguity `%s`: there are `%s`")
                :format(tostring(name), table.concat(ORDER, "`, `"))
        end
        allow[name] = true
    end
    return setmetatable({ allow = allow }, Path)
end


-- Most paths hold nothing that could be read in two ways, and need none of the rest.
local function is_plain(target)
    return target:find("^/[%w/_-]*$") ~= nil and not target:find("//", 1, true)
end


local function check_target(target)
    local raw, authority = split_target(target)
    if not raw then
        return refuse("bad_target")
    elseif authority and authority:find("@", 1, true) then
        return refuse("userinfo")
    elseif raw:gsub("%%%x%x", ""):find("%", 1, true) then
        return refuse("bad_encoding")
    end
    return raw
end


--- The path that decides.
-- @tparam string|nil target the request target as sent, with its query
-- @tparam string|nil routed the path as the host decoded and routed it; where both are known they
-- must agree
-- @treturn string|nil the path: decoded once, beginning with `/`, without the query
-- @treturn string why it is refused
-- @treturn string the code of that reason: a name of `AMBIGUITIES`, or one of `missing`,
-- `bad_target`, `bad_encoding`, `userinfo`, `route_mismatch`
function Path:resolve(target, routed)
    if target == nil and routed == nil then
        return refuse("missing")
    elseif (target == nil or routed == nil or routed == target) and is_plain(target or routed) then
        return target or routed
    end
    local raw, path = nil, routed
    if target ~= nil then
        local reason, code
        raw, reason, code = check_target(target)
        if not raw then
            return nil, reason, code
        end
        path = decode(raw)
    elseif routed:sub(1, 1) ~= "/" then
        return refuse("bad_target")
    end
    for _, name in ipairs(ORDER) do
        if not self.allow[name] and FIND[name](raw, path, target) then
            return refuse(name)
        end
    end
    if routed ~= nil and not explains(self, raw, path, routed) then
        return refuse("route_mismatch")
    end
    path = routed or path
    return is_utf8(path) and path or encode_invalid(path)
end


-- A host without its port and its last dot. The name is in lower case, which is how names compare.
local function canonical_host(text)
    if text:find("@", 1, true) then
        return refuse("userinfo")
    end
    local host, port = text:match("^(%[[%x:.]+%])(.*)$")
    if not host then
        host, port = text:match("^([%w_.-]+)(.*)$")
        host = host and host:gsub("%.$", "")
    end
    -- Five digits are enough for any port; an empty port (`host:`) is allowed by RFC 3986.
    if not host or host == "" or text:find("..", 1, true) or host:sub(1, 1) == "."
        or not (port == "" or port:find("^:%d?%d?%d?%d?%d?$")) then
        return refuse("bad_host")
    end
    return host:lower()
end


--- The host that decides: lower case, without port and without a last dot.
-- @tparam string|{string,...}|nil header the values of the header Host
-- @tparam[opt] string target the request target; the host of a URL must be that of the header
-- @treturn string|nil
-- @treturn string why it is refused
-- @treturn string the code of that reason: `missing`, `bad_host`, `duplicate_host`, `userinfo`,
-- `host_mismatch`, `bad_target`
function _M.host(header, target)
    if type(header) == "table" then
        if #header > 1 then
            return refuse("duplicate_host")
        end
        header = header[1]
    end
    local authority
    if target and target:sub(1, 1) ~= "/" then
        local raw
        raw, authority = split_target(target)
        if not raw then
            return refuse("bad_target")
        end
    end
    if not header and not authority then
        return nil, "the host is missing", "missing"
    end
    local host, reason, code = canonical_host(authority or header)
    if not host or not authority or not header then
        return host, reason, code
    end
    local named
    named, reason, code = canonical_host(header)
    if not named then
        return nil, reason, code
    elseif named ~= host then
        return refuse("host_mismatch")
    end
    return host
end


return _M
