--- Peers: who may ask, or may say what somebody else asked.
--
-- A list of texts, any of which admits:
--
--     192.0.2.0/24, 2001:db8::1   the address of the socket's peer
--     unix:                       whoever can open our Unix socket
--     tls:                        a client certificate that was verified
--     tls:NAME                    one with that subject, or that name among its SANs, exactly
--     bearer:DIGEST               `Authorization: Bearer` with a token whose SHA-256 is DIGEST
--
-- *Dependencies*: postern.cidr, postern.crypto, postern.protocol.message
--
-- @module postern.protocol.peers
local cidrs = require("postern.cidr")
local crypto = require("postern.crypto")
local messages = require("postern.protocol.message")


local _M = {}
local Peers = {}
Peers.__index = Peers


-- A token longer than this is not hashed.
local LONGEST_TOKEN = 4096


local function add_certificate(self, name)
    if name == "" then
        self.any_certificate = true
    else
        self.names[name] = true
    end
    self.certificates = true
end


local function add(self, text)
    local kind, rest = text:match("^(%l+):(.*)$")
    if kind == "unix" and rest == "" then
        self.unix = true
    elseif kind == "tls" then
        add_certificate(self, rest)
    elseif kind == "bearer" then
        if not rest:find("^%x+$") or #rest ~= 64 then
            return ("`%s`: give the SHA-256 of the token, 64 hexadecimal digits"):format(text)
        end
        self.tokens[#self.tokens + 1] = rest:lower()
    elseif text:find("/0+$") then
        return ("`%s` is everybody: name the peers"):format(text)
    else
        self.ranges[#self.ranges + 1] = text
    end
end


--- Reads a list of peers.
-- @tparam {string,...} list
-- @treturn Peers|nil
-- @treturn string what is wrong with it
function _M.new(list)
    if type(list) ~= "table" or #list == 0 then
        return nil, "give a list of addresses, `unix:`, `tls:` or `bearer:`"
    end
    local self = setmetatable({
        unix = false, certificates = false, any_certificate = false, names = {}, tokens = {},
        ranges = {}, addresses = nil, last_peer = nil, last_is_among = false,
    }, Peers)
    for _, text in ipairs(list) do
        local fault = type(text) ~= "string" and "give a list of texts" or add(self, text)
        if fault then
            return nil, fault
        end
    end
    if #self.ranges > 0 then
        local err
        self.addresses, err = cidrs.new(self.ranges)
        if not self.addresses then
            return nil, ("%s; there are also `unix:`, `tls:` and `bearer:`"):format(err.message)
        end
    end
    return self
end


local function has_certificate(self, tls)
    if type(tls) ~= "table" or tls.verified ~= true then
        return false
    elseif self.any_certificate or self.names[tls.subject or ""] then
        return true
    end
    for _, name in ipairs(tls.sans or {}) do
        if self.names[name] then
            return true
        end
    end
    return false
end


local function has_token(self, message)
    local value, count = messages.header(message, "authorization")
    if count ~= 1 or #value > LONGEST_TOKEN then
        return false
    end
    local token = value:match("^[Bb][Ee][Aa][Rr][Ee][Rr] +([^ ]+) *$")
    local digest = token and crypto.hex(crypto.sha256(token))
    local found = false
    for _, known in ipairs(self.tokens) do
        found = digest ~= nil and crypto.equal(digest, known) or found
    end
    return found
end


-- Most messages come from whom the one before came from.
local function is_among(self, peer)
    if peer ~= self.last_peer then
        self.last_peer, self.last_is_among = peer, self.addresses:match(peer) and true or false
    end
    return self.last_is_among
end


--- Whether a message comes from one of them.
-- @tparam table message `peer`, `tls` (`{verified, subject, sans}` of the client's certificate) and
-- `headers` of it
-- @treturn boolean
function Peers:admits(message)
    local peer = message.peer
    if type(peer) == "string" then
        if peer:sub(1, 5) == "unix:" then
            if self.unix then
                return true
            end
        elseif self.addresses and is_among(self, peer) then
            return true
        end
    end
    return self.certificates and has_certificate(self, message.tls)
        or #self.tokens > 0 and has_token(self, message)
end


--- Whether a token would help a message that is not admitted: there are tokens, and it sent none.
-- @tparam table message
-- @treturn boolean
function Peers:wants_token(message)
    return #self.tokens > 0 and messages.header(message, "authorization") == nil
end


return _M
