--- Who the caller is: the identity packs of the configuration, asked in order.
--
-- The first pack that finds its kind of credentials answers. One that finds them and cannot accept
-- them refuses the request, and no later pack is asked: a caller with a bad signature must not
-- come in as somebody else, nor as nobody.
--
-- *Dependencies*: postern.crypto, postern.budget
--
-- @module postern.identities
local crypto = require("postern.crypto")
local budgets = require("postern.budget")


local _M = {}
local Identities = {}
Identities.__index = Identities


-- The HTTP status of each way to be refused, under the names of API Gateway's gateway responses
-- (API Gateway Developer Guide, "Gateway response types for API Gateway") and, for a malformed
-- Authorization header, of the exception (IAM User Guide, "Troubleshoot Signature Version 4").
local STATUS = {
    MISSING_AUTHENTICATION_TOKEN = 403,
    INVALID_SIGNATURE = 403,
    IncompleteSignature = 403,
    EXPIRED_TOKEN = 403,
    ACCESS_DENIED = 403,
    UNAUTHORIZED = 401,
    IDENTITY_FAILURE = 500, -- ours: a pack broke, which says nothing about the caller
}

-- What a pack may answer, as in the principals of a context.
local KINDS = {
    anonymous = true, root = true, user = true, session = true, federated = true, service = true,
}

-- IAM User Guide, "IAM and AWS STS quotas": the characters of names.
local NAME = "[%w+=,.@_-]+"

local SHAPES = {
    { kind = "root", service = "iam", resource = "^root$" },
    { kind = "user", service = "iam", resource = "^user/([!-~]+/)(" .. NAME .. ")$" },
    { kind = "user", service = "iam", resource = "^user(/)(" .. NAME .. ")$" },
    { kind = "session", service = "sts",
      resource = "^assumed%-role/(" .. NAME .. ")/(" .. NAME .. ")$" },
    { kind = "federated", service = "sts", resource = "^federated%-user/(" .. NAME .. ")$" },
}


local function find_shape(service, resource)
    for _, shape in ipairs(SHAPES) do
        local first, second = resource:match(shape.resource)
        if first and shape.service == service then
            return shape.kind, first, second
        end
    end
    return nil
end


-- What an ARN says about a caller.
local function parse_arn(arn)
    local partition, service, account, resource =
        arn:match("^arn:([%l%d-]+):([%l]+)::(%d+):(.+)$")
    local kind, first, second
    if partition and #account == 12 then
        kind, first, second = find_shape(service, resource)
    end
    if not kind then
        return nil, ("`%s` is not the ARN of a caller: give a user, a role session, a federated "
            .. "user or the root user"):format(arn)
    end
    local principal = { kind = kind, account = account }
    if kind == "user" then
        principal.name = second
    elseif kind == "session" then
        -- The ARN of a session does not hold the path of its role: name `role_arn` if there is one.
        principal.role_arn = ("arn:%s:iam::%s:role/%s"):format(partition, account, first)
    end
    return principal
end


-- Whether a role ARN, with or without a path, is the one that a session's ARN names.
local function is_role_of(role_arn, short_arn)
    local account, role = short_arn:match("^(.-:role)/(.+)$")
    return role_arn:sub(1, #account + 1) == account .. "/"
        and role_arn:match("([^/]+)$") == role
end


-- A table that is there twice is copied once, so that no table is too much.
local function copy(value, copies)
    if type(value) ~= "table" then
        return value
    elseif copies[value] then
        return copies[value]
    end
    local to = {}
    copies[value] = to
    for name, member in pairs(value) do
        to[name] = copy(member, copies)
    end
    return to
end


--- Makes the principal of a context from an ARN, or completes one from its `arn`.
-- @tparam string|table value an ARN; or a table with `arn` and what else is known of the caller.
-- The table is copied: nobody changes the configuration through a principal.
-- @treturn table|nil kind, arn, account and, where the ARN tells, name or role_arn
-- @treturn string why not
function _M.principal(value)
    local principal = {}
    if type(value) == "table" then
        principal = copy(value, {})
    else
        principal.arn = value
    end
    if type(principal.arn) ~= "string" then
        return nil, "a principal is an ARN or a table with `arn`"
    end
    local known, err = parse_arn(principal.arn)
    if not known then
        return nil, err
    end
    local role_arn = principal.role_arn
    if known.role_arn and type(role_arn) == "string" and is_role_of(role_arn, known.role_arn) then
        known.role_arn = role_arn
    end
    for name, said in pairs(known) do
        if principal[name] ~= nil and principal[name] ~= said then
            return nil, ("`%s`: its ARN says `%s` is `%s`, not `%s`")
                :format(principal.arn, name, said, tostring(principal[name]))
        end
        principal[name] = said
    end
    return principal
end


--- What packs are handed, since they can require nothing.
-- @tparam function now seconds since the epoch
-- @treturn table
function _M.tools(now)
    return {
        sha256 = crypto.sha256,
        hmac_sha256 = crypto.hmac_sha256,
        equal = crypto.equal,
        hex = crypto.hex,
        base64_decode = crypto.base64_decode,
        principal = _M.principal,
        now = now,
    }
end


-- A table for each pack, since what one puts there would be what the next believes. Private packs
-- pay for what they ask.
local function tools_of_pack(tools)
    local own = {}
    for name, fn in pairs(tools) do
        own[name] = function(...)
            return budgets.charged(fn, ...)
        end
    end
    return own
end


--- Checks the configuration of some identity packs.
-- @tparam table entries in order: `{ pack = pack, config = table or nil }`; a pack's `check` gets
-- its configuration and the tools
-- @tparam table tools see `tools`
-- @treturn Identities|nil
-- @treturn string why not
function _M.new(entries, tools)
    local checked = {}
    for i, entry in ipairs(entries) do
        local config, own = entry.config or {}, tools_of_pack(tools)
        local called, ok, err = pcall(entry.pack.check, config, own)
        if not called or not ok then
            return nil, ("identity `%s`: %s")
                :format(entry.pack.name, tostring(called and err or ok))
        end
        checked[i] = { pack = entry.pack, config = config, tools = own }
    end
    return setmetatable({ entries = checked }, Identities)
end


local function failure(code, message, pack)
    return { code = code, status = STATUS[code], message = message, pack = pack and pack.name }
end


-- What one pack answers: a principal, nothing, or nil and a failure.
local function ask(entry, context)
    local pack = entry.pack
    local called, principal, err, code = pcall(pack.identify, context, entry.config, entry.tools)
    if not called then
        return nil, failure("IDENTITY_FAILURE", tostring(principal), pack)
    elseif principal == nil and err == nil then
        return nil
    elseif principal == nil and STATUS[code] then
        return nil, failure(code, tostring(err), pack)
    elseif principal == nil then
        return nil, failure("IDENTITY_FAILURE",
            ("%s (with the unknown code `%s`)"):format(tostring(err), tostring(code)), pack)
    elseif type(principal) ~= "table" or not KINDS[principal.kind] then
        return nil, failure("IDENTITY_FAILURE", "the pack answers something that is no principal",
            pack)
    end
    return principal
end


--- Finds out who the caller is. Total: a pack that raises refuses.
-- @tparam table context
-- @treturn table|nil the principal
-- @treturn table the refusal: `code` (one of API Gateway's names), `status`, `message` for the
-- operator (never for the client), `pack`; no `pack` when no credentials were found at all
function Identities:identify(context)
    for _, entry in ipairs(self.entries) do
        local principal, refusal = ask(entry, context)
        if principal or refusal then
            return principal, refusal
        end
    end
    return nil, failure("MISSING_AUTHENTICATION_TOKEN",
        "the request carries no credentials that this gateway knows")
end


return _M
