-- How the policies of an AWS request combine: the default flow.
--
-- Source: IAM User Guide, "Policy evaluation logic" and its pages on cross-account requests,
-- permissions boundaries, session policies; AWS Organizations User Guide, service and resource
-- control policies. What each policy says by itself is decided before; this file only combines.
--
-- The words of this file: a *gate* is one kind of policy; the results of a gate are a list, one for
-- each organisation level of an SCP or RCP and one only for every other gate. A gate that is absent
-- from `gates` is not attached. `caller.skips` names the gates that do not bind this caller.
--
-- A flow based on this one may widen it with data in `caller`: `order` replaces ORDER, and
-- `demands` lists gates that must allow, attached or not.

local ALLOWED, EXPLICIT, IMPLICIT = "Allowed", "ExplicitlyDenied", "ImplicitlyDenied"
local NOT_ATTACHED, NOT_APPLICABLE = "NotAttached", "NotApplicable"

-- The order in which the deciding statement of a deny is looked for.
local ORDER = { "scp", "rcp", "endpoint", "resource", "identity", "boundary", "session" }

-- Gates that never grant but must let the request pass where they are attached.
local FILTERS = { "scp", "endpoint" }

-- The services RCPs act on, by action prefix (AWS Organizations User Guide, "Resource control
-- policies"). The list grows: name newer ones in `config.rcp_services`. A service that is missing
-- here is not bound by RCPs at all.
local RCP_SERVICES = {}
for _, service in ipairs({
    "aoss", "cloudfront", "codebuild", "cognito-identity", "cognito-idp", "dynamodb", "ecr",
    "events", "firehose", "kms", "logs", "s3", "secretsmanager", "sqs", "sts", "wafv2", "xray",
}) do
    RCP_SERVICES[service] = true
end

-- Callers with an account, by the shape of their ARN. Anything else that is not anonymous is a
-- service or an identity without an account, and only resource-side policies speak of those.
local KINDS = {
    { "root", "^arn:[^:]*:iam::(%d+):root$" },
    { "user", "^arn:[^:]*:iam::(%d+):user/." },
    { "role", "^arn:[^:]*:iam::(%d+):role/." },
    { "session", "^arn:[^:]*:sts::(%d+):assumed%-role/." },
    { "federated", "^arn:[^:]*:sts::(%d+):federated%-user/." },
}


local function identify(principal)
    if principal == "*" then
        return "anonymous", nil
    end
    for _, kind in ipairs(KINDS) do
        local account = principal:match(kind[2])
        if account then
            return kind[1], account
        end
    end
    return "service", nil
end


local function context_value(request, wanted)
    for name, value in pairs(request.context or {}) do
        if type(name) == "string" and name:lower() == wanted then
            return type(value) ~= "table" and value or nil
        end
    end
    return nil
end


-- S3 ARNs and some others hold no account, hence the detours.
local function owner_of(request, caller_account)
    local account = request.resourceAccount
        or request.resource:match("^arn:[^:]*:[^:]*:[^:]*:([^:]+):")
        or context_value(request, "aws:resourceaccount")
        or caller_account
    return account and tostring(account)
end


local function contains(list, wanted)
    for i = 1, #list do
        if list[i] == wanted then
            return true
        end
    end
    return false
end


local function has_rcp(action, config)
    local colon = action:find(":", 1, true)
    local service = colon and action:sub(1, colon - 1):lower() or ""
    return RCP_SERVICES[service] == true
        or config ~= nil and config.rcp_services ~= nil and contains(config.rcp_services, service)
end


local function check(config)
    for name, value in pairs(config or {}) do
        if name ~= "rcp_services" then
            return nil, ("unknown option `%s`: the iam flow has `rcp_services`")
                :format(tostring(name))
        elseif type(value) ~= "table" then
            return nil, "`rcp_services`: give a list of action prefixes"
        end
        for _, service in ipairs(value) do
            if type(service) ~= "string" or service ~= service:lower() then
                return nil, "`rcp_services`: give action prefixes in lower case"
            end
        end
    end
    return true
end


-- Who asks, and which gates bind that caller. SCPs bind the principals of member accounts, not
-- anonymous callers and services; those have no identity side either.
local function caller_of(request, attached, config)
    local kind, account = identify(request.principal or "*")
    local owner = owner_of(request, account)
    local unbound = not account or nil
    return {
        kind = kind,
        account = account,
        owner = owner,
        same_account = account ~= nil and account == owner,
        skips = {
            scp = unbound, identity = unbound, boundary = unbound, session = unbound,
            rcp = not has_rcp(request.action, config) or nil,
            -- For flows based on this one; a table that has the room need not grow.
            endpoint = nil, resource = nil, domain = nil,
        },
        bounded = account ~= nil and attached.boundary == true,
        order = nil, demands = nil, authorizer_gate = nil,
    }
end


local function fold(name, results)
    -- A gate that binds the caller and was asked nothing has allowed nothing.
    local state = #results > 0 and ALLOWED or IMPLICIT
    for _, result in ipairs(results) do
        if result.outcome == EXPLICIT then
            return EXPLICIT
        elseif result.outcome ~= ALLOWED then
            state = IMPLICIT
        end
    end
    -- RCPFullAWSAccess is always attached and cannot be removed: an RCP can only deny.
    return name == "rcp" and ALLOWED or state
end


local function states_of(gates, caller)
    local states = { scp = nil, rcp = nil, endpoint = nil, domain = nil, resource = nil,
                     identity = nil, boundary = nil, session = nil }
    for _, name in ipairs(caller.order or ORDER) do
        if not gates[name] then
            states[name] = NOT_ATTACHED
        elseif caller.skips[name] then
            states[name] = NOT_APPLICABLE
        else
            states[name] = fold(name, gates[name])
        end
    end
    return states
end


-- The first result of a gate with that outcome.
local function level_of(gates, name, outcome)
    for level, result in ipairs(gates[name]) do
        if result.outcome == outcome then
            return level
        end
    end
    return nil
end


local function find_deny(gates, states, caller)
    for _, name in ipairs(caller.order or ORDER) do
        if states[name] == EXPLICIT then
            return name, level_of(gates, name, EXPLICIT)
        end
    end
    return nil
end


local function find_closed(states, caller)
    for _, name in ipairs(FILTERS) do
        if states[name] == IMPLICIT then
            return name
        end
    end
    for _, name in ipairs(caller.demands or {}) do
        if states[name] ~= ALLOWED then
            return name
        end
    end
    return nil
end


local function passes(state)
    return state ~= IMPLICIT
end


-- A federated-user session gets from the identity side only what its session policy passes on, so
-- without one it gets nothing.
local function session_passes(states, caller)
    if states.session == NOT_ATTACHED then
        return caller.kind ~= "federated"
    end
    return passes(states.session)
end


-- The gate of the identity side that keeps the request out, or nil. The root user needs no identity
-- policy.
local function identity_block(states, caller)
    if states.identity ~= ALLOWED and caller.kind ~= "root" then
        return "identity"
    elseif not passes(states.boundary) then
        return "boundary"
    elseif not session_passes(states, caller) then
        return "session"
    end
    return nil
end


-- Within one account either side grants. How far a grant of the resource policy reaches depends on
-- whom it names: the caller itself or everybody, past boundary and session; the role behind a
-- session, as far as those two let it; the account alone only delegates to the identity side.
local function same_account(states, caller, match)
    local block = identity_block(states, caller)
    if not block then
        return states.identity == ALLOWED and "identity" or "root"
    elseif match == "direct" or match == "wild" then
        return "resource"
    elseif match == "role" then
        if passes(states.boundary) and session_passes(states, caller) then
            return "resource"
        end
        return nil, passes(states.boundary) and "session" or "boundary"
    elseif block == "identity" and states.resource == IMPLICIT then
        return nil, "resource"
    end
    return nil, block
end


-- Across accounts both sides must grant.
local function cross_account(states, caller, match)
    if not match then
        return nil, "resource"
    end
    local block = identity_block(states, caller)
    if block then
        return nil, block
    end
    return states.identity == ALLOWED and "identity" or "resource"
end


-- The gate that grants, or nil and the first gate without an allow.
local function find_grant(states, caller, match)
    if not caller.account then
        if match then
            return "resource"
        end
        return nil, "resource"
    elseif caller.same_account then
        return same_account(states, caller, match)
    end
    return cross_account(states, caller, match)
end


local function decide(gates, caller)
    local states = states_of(gates, caller)
    local match = states.resource == ALLOWED and gates.resource[1].match or nil
    local verdict = {
        decision = IMPLICIT,
        gates = states,
        match_kind = match,
        reason = nil, gate = nil, level = nil, because = nil, status = nil,
        -- It becomes the decision: with the room for that it need not grow.
        allowed = nil, same_account = nil, trace = nil, revision = nil,
    }

    local denying, level = find_deny(gates, states, caller)
    if denying then
        verdict.decision, verdict.reason = EXPLICIT, "explicit_deny"
        verdict.gate, verdict.level = denying, level
        return verdict
    end
    local closed = find_closed(states, caller)
    if closed then
        verdict.reason = "no_allow_" .. closed
        return verdict
    end
    local granting, missing = find_grant(states, caller, match)
    if granting then
        verdict.decision, verdict.reason = ALLOWED, "allow"
        if granting == "root" then
            -- Its power stands in no statement.
            verdict.because = "the root user has full access in its own account"
        else
            verdict.gate, verdict.level = granting, 1
        end
        return verdict
    end
    verdict.reason = "no_allow_" .. missing
    return verdict
end


return {
    kind = "flows",
    name = "iam",
    api = 1,
    check = check,
    gates = ORDER,
    caller = caller_of,
    decide = decide,
}
