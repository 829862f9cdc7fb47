--- Envoy's external authorization, as an HTTP service.
--
-- Envoy asks with the method, the path and the headers of the call itself; its `path_prefix` stands
-- before the path. It sends few headers unless `allowed_headers` names more, so whatever tells of
-- the client has to be said in configuration: `address` and `scheme` name the header that does, or
-- say that it is known otherwise. There is no default: a condition on `aws:SourceIp` that finds no
-- address, or on `aws:SecureTransport` that finds a guess, may let somebody in.
--
-- *Dependencies*: postern.protocol.mapping, postern.protocol.message, postern.protocol.options,
-- postern.protocol.origin, postern.protocol.peers, postern.protocol.verdict
--
-- @module postern.protocol.ext_authz
local mappings = require("postern.protocol.mapping")
local messages = require("postern.protocol.message")
local options = require("postern.protocol.options")
local origins = require("postern.protocol.origin")
local peers = require("postern.protocol.peers")
local verdicts = require("postern.protocol.verdict")

local single = messages.single


local _M = {}
local ExtAuthz = {}
ExtAuthz.__index = ExtAuthz


local FORWARDED_FOR = "x-forwarded-for" -- Envoy has appended who called it

local ADDRESSES = { [FORWARDED_FOR] = true, ["x-envoy-external-address"] = true, unknown = true }
local SCHEMES = { ["x-forwarded-proto"] = true, http = true, https = true }

-- Envoy's own headers, which are not the client's. Content-Length is that of the question.
local OWN = {
    ["x-envoy-auth-partial-body"] = true, ["x-envoy-external-address"] = true,
    ["x-envoy-internal"] = true, ["x-envoy-expected-rq-timeout-ms"] = true,
    ["content-length"] = true,
}

--- The options, see `postern.protocol.options`.
_M.OPTIONS = {
    path_prefix = { type = "text" }, peers = { type = "texts", required = true },
    address = { type = "text", required = true, one_of = ADDRESSES },
    scheme = { type = "text", required = true, one_of = SCHEMES }, vpce = { type = "text" },
}
for name, rule in pairs(mappings.OPTIONS) do
    _M.OPTIONS[name] = rule
end


-- ---- What was called -------------------------------------------------------


local call = {} -- filled and spent in one go, without waiting in between


-- The target behind the prefix. Envoy puts the prefix there as it is, so it is compared as it is.
-- That a path follows is for `origin` to see.
local function target_of(self, message)
    local prefix, target = self.prefix or message.endpoint or "", message.target
    prefix = prefix == "/" and "" or prefix
    if target:sub(1, #prefix) ~= prefix then
        return nil, ("the target does not begin with `%s`"):format(prefix)
    end
    return prefix == "" and target or target:sub(#prefix + 1)
end


local function address_of(self, message)
    if self.address == "unknown" then
        return nil
    end
    local text, err = single(message, self.address)
    if text and self.address == FORWARDED_FOR then
        text = messages.last_of(text)
        err = "the header `x-forwarded-for` ends without an address"
    end
    return text, not text and err or nil
end


local function scheme_of(self, message)
    if self.scheme ~= "x-forwarded-proto" then
        return self.scheme
    end
    local scheme, err = single(message, self.scheme)
    return scheme, err
end


local function read_by(make, self, message)
    if not self.peers:admits(message) then
        return nil, ("`%s` is none of the peers that may ask"):format(tostring(message.peer))
    end
    local err
    call.method = message.method
    call.target, err = target_of(self, message)
    if err then
        return nil, err
    end
    call.host, err = single(message, "host")
    if not call.host then
        return nil, err
    end
    call.address, err = address_of(self, message)
    if err then
        return nil, err
    end
    call.scheme, err = scheme_of(self, message)
    if not call.scheme then
        return nil, err
    end
    local request
    request, err = make(message, call, self)
    return request, err
end


local function read(self, message)
    return read_by(origins.request, self, message)
end


-- ---- Public ----------------------------------------------------------------


local function read_options(given)
    local err
    local self = {
        prefix = given.path_prefix, address = given.address, scheme = given.scheme,
        vpce = given.vpce, own = OWN,
    }
    if self.prefix and (self.prefix:sub(1, 1) ~= "/" or self.prefix:sub(-1) == "/") then
        return nil, "`path_prefix`: give a path that begins with `/` and does not end in one"
    end
    self.peers, err = peers.new(given.peers)
    if not self.peers then
        return nil, "`peers`: " .. err
    end
    self.mapping, err = mappings.new(given)
    if not self.mapping then
        return nil, err
    end
    return self
end


local fault, open = options.reader("ext_authz", _M.OPTIONS, read_options)

--- Says what is wrong with options.
-- @tparam table|nil given
-- @treturn string|nil nil when nothing is
_M.fault = fault


--- Makes the protocol; raises when an option is wrong.
-- @tparam table given `path_prefix`, as Envoy's (when absent the endpoint of a message); `peers`,
-- who may ask, see `postern.protocol.peers`; `address`: `x-forwarded-for`,
-- `x-envoy-external-address` or `unknown`; `scheme`: `x-forwarded-proto`, `http` or `https`; `api`
-- and `stage`, `apis`, or `domains`, see `postern.protocol.mapping`; and `vpce`, where Envoy stands
-- for a VPC endpoint
-- @treturn ExtAuthz
function _M.new(given)
    local self = open(given)
    self.verdict = verdicts.new()
    return setmetatable(self, ExtAuthz)
end


--- The answer for when a host has failed, or took too long: a denial.
-- @tparam table message
-- @treturn number status
-- @treturn {table,...} headers
-- @treturn string|nil body
function ExtAuthz:failed(message)
    return self.verdict:of(nil, message)
end


--- Answers a message: 200 without a body lets the call through, and nothing else does.
-- @tparam table message see `postern.protocol.message`
-- @tparam function ask decides a request
-- @treturn number status
-- @treturn {table,...} headers
-- @treturn string|nil body
-- @treturn string|nil why it is refused, for the operator, where no decision says so
function ExtAuthz:handle(message, ask)
    return self.verdict:give(read, self, message, ask)
end


--- Answers a message at once, without waiting, where that can be done.
-- @tparam table message
-- @tparam function at_once decides a plain request without waiting, or answers nil; see
-- `decide_plain` of `postern.estate`
-- @treturn number|nil status; nil: ask `handle`, nothing was done
-- @treturn {table,...} headers
-- @treturn string|nil body
-- @treturn string|nil for the operator, as of `handle`
function ExtAuthz:handle_at_once(message, at_once)
    local request = read_by(origins.passing, self, message)
    local decision = request and at_once(request)
    if not decision then
        return nil
    end
    local status, headers, body, why = self.verdict:of(decision, message)
    return status, headers, body, why
end


return _M
