-- How the policies of an API Gateway call combine.
--
-- Source: API Gateway Developer Guide, "How API Gateway resource policies affect authorization
-- workflow" with its tables A and B, "Use VPC endpoint policies for private APIs", "Private REST
-- APIs in API Gateway", "Custom domain names for private APIs", "Use API Gateway Lambda
-- authorizers". What the guide leaves open is marked (ours). docs/gateway.md has it all in tables.
--
-- Beyond principal, action, resource and context a request has `gateway`, see MEMBERS. The order:
-- whatever denies explicitly; the endpoint and the domain name; authentication; and last the gates
-- that grant, which are those of the iam flow.
--
-- For the iam flow a call is one of three kinds: an IAM caller with all its gates (IAM), everybody
-- facing the resource policy alone (NONE, COGNITO), or somebody of the API's own account whose
-- identity policy comes from the authorizer (LAMBDA). That makes tables A and B its own.

local ALLOWED, EXPLICIT, IMPLICIT = "Allowed", "ExplicitlyDenied", "ImplicitlyDenied"
local OK, UNAUTHORIZED, FORBIDDEN, FAILED = 200, 401, 403, 500
local ANYONE = "*"

local ORDER = { "scp", "rcp", "endpoint", "domain", "resource", "identity", "boundary", "session" }

-- None of them grants, and without an allow of each that is there nobody asks any further.
local FILTERS = { "scp", "endpoint", "domain" }

local RESOURCE_SIDE = { "rcp", "domain", "resource" }
local IDENTITY_SIDE = { "scp", "identity", "boundary", "session" }

-- Seconds an authorizer's policy may be cached ("Create an authorizer", API Gateway API Reference,
-- `authorizerResultTtlInSeconds`).
local TTL, MAX_TTL = 300, 3600

-- What `request.gateway` says; anything else is a mistake.
local MEMBERS = {
    auth = { NONE = true, IAM = true, LAMBDA = true, COGNITO = true },
    endpoint_type = { REGIONAL = true, EDGE = true, PRIVATE = true },
    -- Of the Authorization header; absent: valid when the request names a principal, else missing.
    signature = { valid = true, missing = true, invalid = true, expired = true },
    token = { valid = true, invalid = true }, -- COGNITO; absent is invalid
    through_endpoint = "boolean",  -- the call came through an endpoint for execute-api
    endpoint_attached = "boolean", -- that endpoint has a policy, so there is an endpoint gate
    domain = "string",             -- the ARN of the private custom domain name that was called
    domain_associated = "boolean", -- the endpoint has an access association with it
    cognito_requires_allow = "boolean", -- absent is true
    authorizer_ttl = "number",
    authorizer = true, -- the flow's: what the authorizer answered, if that is known beforehand
}

-- Condition keys that tell of an IAM caller (IAM User Guide, "AWS global condition context keys":
-- properties of the principal and of a role session), and the prefix that most of them share.
local PRINCIPAL_PREFIX = "aws:principal"
local PRINCIPAL_KEYS = {
    ["aws:arn"] = true, ["aws:userid"] = true, ["aws:username"] = true,
    ["aws:assumedroot"] = true, ["aws:federatedprovider"] = true, ["aws:tokenissuetime"] = true,
    ["aws:signinsessionarn"] = true, ["aws:multifactorauthage"] = true,
    ["aws:multifactorauthpresent"] = true, ["aws:chatbotsourcearn"] = true,
    ["aws:ec2instancesourcevpc"] = true, ["aws:ec2instancesourceprivateipv4"] = true,
    ["aws:sourceidentity"] = true,
    ["ec2:roledelivery"] = true, ["ec2:sourceinstancearn"] = true, ["glue:roleassumedby"] = true,
    ["glue:credentialissuingservice"] = true, ["codebuild:buildarn"] = true,
    ["codebuild:projectarn"] = true, ["lambda:sourcefunctionarn"] = true,
    ["ssm:sourceinstancearn"] = true, ["identitystore:userid"] = true,
}

-- Renewing a cache that demands authorization needs an allow; that an API is open to everybody, or
-- to every valid token, is none (ours).
local INVALIDATE = "execute-api:invalidatecache"

-- Seen by the API and the endpoint when the call came through a private custom domain name.
local VIA_DOMAIN = "execute-api:viadomainarn"

local BECAUSE = {
    public = "the API has no resource policy and is open to everybody",
    token = "the token is valid and no policy denies",
    no_policy = "a private API answers nobody before it has a resource policy",
    not_through = "a private API is reached through an endpoint for execute-api only",
    not_associated = "the endpoint has no access association with the domain name",
    signature = { missing = "the request is not signed", invalid = "the signature is not valid",
                  expired = "the signature or its session has expired" },
    no_token = "the token is missing or not valid",
    unauthorized = "the authorizer refuses the caller",
}

-- The names of the answers for callers that are not authenticated (API Gateway Developer Guide,
-- "Gateway response types for API Gateway").
local CODES = {
    missing = "MISSING_AUTHENTICATION_TOKEN", invalid = "INVALID_SIGNATURE",
    expired = "EXPIRED_TOKEN", unauthorized = "UNAUTHORIZED",
}

local pack


-- ---- The caller ------------------------------------------------------------


local function check_member(name, value)
    local known = MEMBERS[name]
    if known == nil then
        error(("gateway: no such member: `%s`"):format(tostring(name)), 0)
    elseif type(known) == "table" and not known[value] then
        error(("gateway: `%s` cannot be `%s`"):format(name, tostring(value)), 0)
    elseif type(known) == "string" and type(value) ~= known then
        error(("gateway: `%s` is a %s: give a %s"):format(name, type(value), known), 0)
    end
end


local function check_gateway(gateway, attached)
    if type(gateway) ~= "table" then
        error("gateway: say `auth` and `endpoint_type`", 0)
    end
    for name, value in pairs(gateway) do
        check_member(name, value)
    end
    if not gateway.auth or not gateway.endpoint_type then
        error("gateway: say `auth` and `endpoint_type`", 0)
    elseif gateway.endpoint_attached and not attached.endpoint then
        error("gateway: the endpoint has a policy, but it is not among the gates", 0)
    elseif attached.domain and not gateway.domain then
        error("gateway: there is a policy of a domain name: say which in `domain`", 0)
    end
    local ttl = gateway.authorizer_ttl
    if ttl and not (ttl >= 0 and ttl <= MAX_TTL) then
        error(("gateway: `authorizer_ttl` is 0 to %d seconds"):format(MAX_TTL), 0)
    end
end


local function skip(caller, gates)
    for _, name in ipairs(gates) do
        caller.skips[name] = true
    end
end


-- Everybody else than an IAM caller: to the resource policy it is nobody in particular, and what
-- is attached to the signer, if there is one, does not matter.
local function forget_signer(caller)
    caller.kind, caller.account, caller.same_account = "anonymous", nil, false
    caller.bounded = false
    skip(caller, IDENTITY_SIDE)
end


-- Why this caller is not authenticated, and status and code that tell it; nil when all is well.
local function find_impostor(caller, gateway)
    if gateway.auth == "IAM" and caller.signature ~= "valid" then
        return BECAUSE.signature[caller.signature], FORBIDDEN, CODES[caller.signature]
    elseif gateway.auth == "COGNITO" and gateway.token ~= "valid" then
        return BECAUSE.no_token, UNAUTHORIZED, CODES.unauthorized
    end
    return nil
end


local function caller_of(request, attached, config)
    local gateway = request.gateway
    check_gateway(gateway, attached)
    local caller = pack.base.caller(request, attached, config)
    caller.order = ORDER
    caller.gateway, caller.has_policy = gateway, attached.resource == true
    caller.through = gateway.through_endpoint == true or attached.endpoint == true
    caller.signature = gateway.signature
        or ((request.principal or ANYONE) ~= ANYONE and "valid" or "missing")
    caller.wants_allow = request.action:lower() == INVALIDATE or nil
    if gateway.domain then
        caller.demands = { "domain" }
        caller.domain_keys = { [VIA_DOMAIN] = gateway.domain }
    end

    if gateway.auth ~= "IAM" then
        forget_signer(caller)
    end
    if gateway.auth == "LAMBDA" then
        caller.kind, caller.account, caller.same_account = "authorizer", caller.owner or "-", true
        caller.authorizer_gate = "identity"
    end
    caller.because, caller.status, caller.code = find_impostor(caller, gateway)
    if caller.because then
        -- The resource policy is not consulted for a caller that is not authenticated.
        skip(caller, RESOURCE_SIDE)
        skip(caller, IDENTITY_SIDE)
    end
    -- An endpoint looks at every signature, whatever the method asks for.
    local forged = caller.signature == "invalid" or caller.signature == "expired"
    if forged and caller.through then
        caller.because, caller.status = BECAUSE.signature[caller.signature], FORBIDDEN
        caller.code = CODES[caller.signature]
        caller.refused, caller.authorizer_gate = true, nil
        skip(caller, ORDER)
    end
    return caller
end


-- ---- What each gate sees ---------------------------------------------------


-- The endpoint sees the signer, even of a method that asks for no signature; the policies of the
-- API and of the domain name see it for methods that do.
local function sees_signer(gate, caller)
    return caller.signature == "valid" and (gate == "endpoint" or caller.gateway.auth == "IAM")
end


local function principal_for(gate, request, caller)
    return sees_signer(gate, caller) and request.principal or ANYONE
end


local function tells_of_principal(key)
    return PRINCIPAL_KEYS[key] or key:sub(1, #PRINCIPAL_PREFIX) == PRINCIPAL_PREFIX
end


-- Keys that policies of endpoints have, and those of the API and of the domain name do not (API
-- Gateway Developer Guide, "AWS condition keys that can be used in API Gateway resource policies").
local ENDPOINT_KEYS = {
    ["aws:resourceaccount"] = true, ["aws:resourceorgid"] = true, ["aws:resourceorgpaths"] = true,
}


local function sees(gate, key, caller)
    if ENDPOINT_KEYS[key] and (gate == "resource" or gate == "domain") then
        return false
    end
    return sees_signer(gate, caller) or not tells_of_principal(key)
end


local function adds(gate, _, caller)
    return gate ~= "domain" and caller.domain_keys or nil
end


-- The policy of a domain name speaks of the domain name, and an endpoint policy that lists
-- resources has to cover the domain name as well as the method.
local function resources_for(gate, request, caller)
    local domain = caller.gateway.domain
    if domain and gate == "domain" then
        return { domain }
    elseif domain and gate == "endpoint" then
        return { request.resource, domain }
    end
    return nil
end


-- ---- The verdict -----------------------------------------------------------


local function close(verdict, reason, status, because, code)
    verdict.decision, verdict.reason, verdict.status = IMPLICIT, reason, status
    verdict.because, verdict.code = because, code
    verdict.gate, verdict.level = nil, nil
    return verdict
end


local function open(verdict, because)
    verdict.decision, verdict.reason, verdict.status = ALLOWED, "allow", OK
    verdict.because = because
    return verdict
end


-- What keeps the call out before anybody asks who is calling, or nil.
local function close_at_the_door(verdict, caller)
    local gateway = caller.gateway
    local private = gateway.endpoint_type == "PRIVATE"
    if caller.refused then
        return close(verdict, "authentication", caller.status, caller.because, caller.code)
    elseif private and not caller.has_policy then
        return close(verdict, "private_api_without_policy", FORBIDDEN, BECAUSE.no_policy)
    elseif private and not caller.through then
        return close(verdict, "no_allow_endpoint", FORBIDDEN, BECAUSE.not_through)
    elseif gateway.domain and not gateway.domain_associated then
        return close(verdict, "no_allow_domain", FORBIDDEN, BECAUSE.not_associated)
    end
    for _, name in ipairs(FILTERS) do
        -- A domain without a policy is closed, too; one that was skipped has said nothing.
        if verdict.reason == "no_allow_" .. name and not caller.skips[name] then
            return verdict
        end
    end
    return nil
end


-- Whether the resource policy's silence is no obstacle, and why.
local function is_open(caller)
    local auth = caller.gateway.auth
    if caller.wants_allow then
        return nil
    elseif auth == "NONE" and not caller.has_policy then
        return BECAUSE.public
    elseif auth == "COGNITO"
        and (not caller.has_policy or caller.gateway.cognito_requires_allow == false) then
        return BECAUSE.token
    end
    return nil
end


-- The authorizer's turn: nil when it has spoken, else what the flow shall do or what went wrong.
local function wait_for_authorizer(verdict, identity, caller)
    if not identity or (not identity.failure and #identity == 0) then
        local ttl = caller.gateway.authorizer_ttl or TTL
        return { need = "authorizer", gate = caller.authorizer_gate, ttl = ttl }
    elseif not identity.failure then
        return nil
    elseif identity.failure.status == UNAUTHORIZED then
        return close(verdict, "authentication", UNAUTHORIZED, BECAUSE.unauthorized,
                     CODES.unauthorized)
    end
    verdict.error = identity.failure.error
    return close(verdict, "error", FAILED)
end


local function decide(results, caller, config)
    local verdict = pack.base.decide(results, caller, config)
    verdict.status = verdict.decision == ALLOWED and OK or FORBIDDEN
    if verdict.decision == EXPLICIT then
        return verdict
    end
    local closed = close_at_the_door(verdict, caller)
    if closed then
        return closed
    elseif caller.because then
        return close(verdict, "authentication", caller.status, caller.because, caller.code)
    elseif caller.gateway.auth == "LAMBDA" then
        return wait_for_authorizer(verdict, results.identity, caller) or verdict
    end
    local because = is_open(caller)
    if because and verdict.decision == IMPLICIT and verdict.reason == "no_allow_resource" then
        return open(verdict, because)
    end
    return verdict
end


pack = {
    kind = "flows",
    name = "api_gateway",
    api = 1,
    based_on = "iam",
    services = { "execute-api" },
    gates = ORDER,
    caller = caller_of,
    -- It depends on nothing but principal, service, owner and `gateway`.
    keeps_caller = true,
    -- Nor do the views and the verdict, but for outcomes and matches of the gates.
    keeps_verdict = true,
    principal_for = principal_for,
    sees = sees,
    adds = adds,
    resources_for = resources_for,
    decide = decide,
}

return pack
