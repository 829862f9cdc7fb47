--- Forwarded authorization: nginx's auth_request, and what Traefik, Caddy and APISIX call
-- forward-auth.
--
-- The proxy asks about a call it has got, and says in headers what it was. Which headers is said by
-- a profile, in configuration: a server that looked which ones are there would let the client
-- choose who is believed. A header of the profile that is missing, there twice or malformed denies.
--
--     nginx          X-Original-Method, X-Original-URI, X-Original-Host, X-Original-Scheme,
--                    X-Real-IP
--     ingress-nginx  X-Original-Method, X-Original-URL (with scheme and host), X-Real-IP
--     forwarded      X-Forwarded-Method, X-Forwarded-Uri, X-Forwarded-Host, X-Forwarded-Proto,
--                    X-Forwarded-For
--
-- Of X-Forwarded-For the last address counts: the one that called the proxy that asks.
--
-- The host of `ingress-nginx` is what the client wrote into Host, which need not be the host nginx
-- routed by: so it chooses no API.
--
-- *Dependencies*: postern.protocol.mapping, postern.protocol.message, postern.protocol.options,
-- postern.protocol.origin, postern.protocol.peers, postern.protocol.verdict
--
-- @module postern.protocol.forward
local mappings = require("postern.protocol.mapping")
local messages = require("postern.protocol.message")
local options = require("postern.protocol.options")
local origins = require("postern.protocol.origin")
local peers = require("postern.protocol.peers")
local verdicts = require("postern.protocol.verdict")

local single = messages.single


local _M = {}
local Forward = {}
Forward.__index = Forward


local PROFILES = {
    nginx = {
        method = "x-original-method", target = "x-original-uri", host = "x-original-host",
        scheme = "x-original-scheme", address = "x-real-ip", bare = true, host_is_routed = true,
    },
    ["ingress-nginx"] = {
        method = "x-original-method", url = "x-original-url", address = "x-real-ip", bare = true,
        host_is_routed = false,
    },
    forwarded = {
        method = "x-forwarded-method", target = "x-forwarded-uri", host = "x-forwarded-host",
        scheme = "x-forwarded-proto", list = "x-forwarded-for", bare = false, host_is_routed = true,
    },
}

-- What proxies add for their own sake; X-Forwarded-For is the client's too, for `aws:XfwdIp`.
for _, profile in pairs(PROFILES) do
    profile.own = {}
    for _, part in ipairs({ "method", "target", "url", "host", "scheme", "address" }) do
        if profile[part] then
            profile.own[profile[part]] = true
        end
    end
end

--- The options, see `postern.protocol.options`.
_M.OPTIONS = {
    profile = { type = "text", required = true, one_of = PROFILES },
    peers = { type = "texts", required = true }, vpce = { type = "text" },
}
for name, rule in pairs(mappings.OPTIONS) do
    _M.OPTIONS[name] = rule
end


-- ---- What was called -------------------------------------------------------


local call = {} -- filled and spent in one go, without waiting in between


-- `https://host/path?query` in its three parts. nginx writes it, with the Host header as it came.
local function split_url(url)
    local scheme, host, target = url:match("^(%l+)://([^/?#\\]+)(/.*)$")
    return scheme, host, target
end


local function read_url(profile, message)
    local url, err = single(message, profile.url)
    if not url then
        return nil, err
    end
    call.scheme, call.host, call.target = split_url(url)
    if not call.scheme then
        return nil, ("the header `%s` is no URL with a path"):format(profile.url)
    end
    return true
end


local function read_parts(profile, message)
    local err
    call.target, err = single(message, profile.target)
    if not call.target then
        return nil, err
    end
    call.host, err = single(message, profile.host)
    if not call.host then
        return nil, err
    end
    call.scheme, err = single(message, profile.scheme)
    return call.scheme, err
end


local function read_address(profile, message)
    local text, err = single(message, profile.address or profile.list)
    if text and profile.list then
        text = messages.last_of(text)
        err = ("the header `%s` ends without an address"):format(profile.list)
    end
    return text, err
end


local function read_by(make, self, message)
    local profile = self.profile
    if not self.peers:admits(message) then
        return nil, ("`%s` is none of the peers that may say what was called")
            :format(tostring(message.peer))
    end
    local ok, err
    call.method, err = single(message, profile.method)
    if err then
        return nil, err
    end
    ok, err = (profile.url and read_url or read_parts)(profile, message)
    if not ok then
        return nil, err
    end
    call.address, err = read_address(profile, message)
    if not call.address then
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
    local profile = PROFILES[given.profile]
    local self = { profile = profile, own = profile.own, vpce = given.vpce }
    local err
    self.peers, err = peers.new(given.peers)
    if not self.peers then
        return nil, "`peers`: " .. err
    end
    self.mapping, err = mappings.new(given, profile.host_is_routed)
    if not self.mapping then
        return nil, err
    end
    return self
end


local fault, open = options.reader("forward", _M.OPTIONS, read_options)

--- Says what is wrong with options.
-- @tparam table|nil given
-- @treturn string|nil nil when nothing is
_M.fault = fault


--- Makes the protocol; raises when an option is wrong.
-- @tparam table given `profile`, one of the above; `peers`, who may set its headers, see
-- `postern.protocol.peers`; `api` and `stage`, `apis`, or `domains`, see
-- `postern.protocol.mapping`; and `vpce`, where the proxy stands for a VPC endpoint: the address is
-- then the client's private one
-- @treturn Forward
function _M.new(given)
    local self = open(given)
    self.verdict = verdicts.new({ bare = self.profile.bare })
    return setmetatable(self, Forward)
end


--- The answer for when a host has failed, or took too long: a denial.
-- @tparam table message
-- @treturn number status
-- @treturn {table,...} headers
-- @treturn string|nil body
function Forward:failed(message)
    return self.verdict:of(nil, message)
end


--- Answers a message: 200 without a body lets the call through, and nothing else does.
-- @tparam table message see `postern.protocol.message`
-- @tparam function ask decides a request
-- @treturn number status
-- @treturn {table,...} headers
-- @treturn string|nil body
-- @treturn string|nil why it is refused, for the operator, where no decision says so
function Forward:handle(message, ask)
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
function Forward:handle_at_once(message, at_once)
    local request = read_by(origins.passing, self, message)
    local decision = request and at_once(request)
    if not decision then
        return nil
    end
    local status, headers, body, why = self.verdict:of(decision, message)
    return status, headers, body, why
end


return _M
