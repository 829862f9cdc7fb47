-- How the policies of a DynamoDB call combine, through a gateway endpoint or not: as the iam flow
-- says, for signed requests.
--
-- Source: Amazon DynamoDB Developer Guide, "Using resource-based policies for DynamoDB", "Blocking
-- public access with resource-based policies" (a policy that admits everybody cannot be attached)
-- and "DynamoDB low-level API" (every request is signed); AWS PrivateLink Guide, "Gateway endpoints
-- for Amazon DynamoDB". So an anonymous caller is not authenticated, whatever the policy of the
-- table says (ours). The policy of a gateway endpoint is compiled as one of the type
-- `gateway_endpoint`.

local EXPLICIT, IMPLICIT = "ExplicitlyDenied", "ImplicitlyDenied"

-- Bytes, white space included ("DynamoDB resource-based policy considerations": 20 KB).
local LIMIT = 20 * 1024

local pack


-- The policy of a table speaks of its indexes as well; a stream has a policy of its own (Amazon
-- DynamoDB API Reference, "PutResourcePolicy").
local function resource_policy(resource)
    return resource:match("^(arn:[^:]*:dynamodb:[^:]*:[^:]*:table/[^/]+)/index/") or resource, LIMIT
end


local function decide(results, caller, config)
    local verdict = pack.base.decide(results, caller, config)
    if caller.kind == "anonymous" and verdict.decision ~= EXPLICIT then
        verdict.decision, verdict.reason = IMPLICIT, "authentication"
        verdict.because = "the request is not signed"
        verdict.code = "MISSING_AUTHENTICATION_TOKEN"
        verdict.gate, verdict.level = nil, nil
    end
    return verdict
end


pack = {
    kind = "flows",
    name = "dynamodb",
    api = 1,
    based_on = "iam",
    services = { "dynamodb" },
    resource_policy = resource_policy,
    decide = decide,
}

return pack
