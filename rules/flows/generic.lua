-- How the policies of a call to any other service combine: as the iam flow says, with the few
-- services set apart whose resource policy has to speak.
--
-- Source: IAM User Guide, "Policy evaluation logic"; KMS Developer Guide, "Key policies in AWS KMS"
-- (no principal, the root user included, has access to a key that its key policy does not give);
-- IAM User Guide, "IAM roles", trust policies (a role can be assumed by whom its trust policy names
-- only). Name further services in `config.resource_must_allow`.

-- Action prefixes, or single actions, in lower case.
local RESOURCE_MUST_ALLOW = {
    "kms",
    "sts:assumerole", "sts:assumerolewithsaml", "sts:assumerolewithwebidentity",
}

-- The most bytes of a resource policy, by the service in its resource's ARN, where the service says
-- (KMS Developer Guide, "Key policy format"; Amazon SQS Developer Guide, "Amazon SQS policy
-- quotas").
local LIMITS = { kms = 32768, sqs = 8192 }

local pack


local function names_action(list, action)
    action = action:lower()
    for _, name in ipairs(list) do
        if action == name or action:sub(1, #name + 1) == name .. ":" then
            return true
        end
    end
    return false
end


local function check(config)
    local rest = {}
    for name, value in pairs(config or {}) do
        rest[name] = value
    end
    local services = rest.resource_must_allow or {}
    rest.resource_must_allow = nil
    if type(services) ~= "table" then
        return nil, "`resource_must_allow`: give a list of action prefixes"
    end
    for _, service in ipairs(services) do
        if type(service) ~= "string" or service ~= service:lower() then
            return nil, "`resource_must_allow`: give action prefixes in lower case"
        end
    end
    return pack.base.check(rest)
end


local function caller_of(request, attached, config)
    local caller = pack.base.caller(request, attached, config)
    if names_action(RESOURCE_MUST_ALLOW, request.action)
        or names_action(config and config.resource_must_allow or {}, request.action) then
        caller.demands = { "resource" }
    end
    return caller
end


-- Every resource stands for itself.
local function resource_policy(resource)
    return resource, LIMITS[resource:match("^arn:[^:]*:([^:]*):")]
end


pack = {
    kind = "flows",
    name = "generic",
    api = 1,
    based_on = "iam",
    check = check,
    caller = caller_of,
    resource_policy = resource_policy,
}

return pack
