-- Who calls: the condition keys of the principal and of its session.
--
-- Source: IAM User Guide, "AWS global condition context keys" and "IAM and AWS STS condition
-- context keys", and "IAM policy elements: Variables and tags" for the table of aws:userid,
-- aws:username and aws:PrincipalType; API Gateway Developer Guide, "AWS condition keys that can be
-- used in API Gateway resource policies" for when they are there: only when the method uses IAM
-- authorization, and then only for a valid signature. The policy of a VPC endpoint sees the signer
-- of a call whatever the authorization of the method ("Use VPC endpoint policies for private APIs
-- in API Gateway").
--
-- The answer serves all gates, so the signer of a call through an endpoint is there whatever the
-- method asks for, and the flow keeps it from the other gates. `context.principal` is what an
-- identity pack answered; it stands there only when it was verified.

local TYPES = {
    root = "Account", user = "User", federated = "FederatedUser", session = "AssumedRole",
}


-- ---- When the caller is known ----------------------------------------------


local function is_visible(context)
    return not context.api or context.api.authorization == "IAM" or context.endpoint ~= nil
end


-- The caller that policies may see, or nil. Service principals have none of the keys below, and
-- neither have anonymous callers.
local function signer(context)
    local principal = context.principal
    if principal and TYPES[principal.kind] and is_visible(context) then
        return principal
    end
    return nil
end


-- Sessions have temporary credentials; users and the root user have long-term ones.
local function session_of(context)
    local principal = signer(context)
    if principal and (principal.kind == "session" or principal.kind == "federated") then
        return principal
    end
    return nil
end


-- Anonymous callers of services that describe them. API Gateway supplies principal keys to IAM
-- authorization only.
local function is_described_anonymous(context)
    return not context.api and context.principal ~= nil and context.principal.kind == "anonymous"
end


local function member(name)
    return function(context)
        local principal = signer(context)
        local value = principal and principal[name]
        -- A list without an entry says no more than no list.
        if type(value) == "table" and #value == 0 then
            return nil
        end
        return value or nil
    end
end


-- ---- Names and accounts ----------------------------------------------------


-- Policies see the role of a session, not the session. A session's ARN lacks the path of its role,
-- so whoever uses paths says `role_arn`.
local function principal_arn(context)
    local principal = signer(context)
    if not principal or principal.kind ~= "session" then
        return principal and principal.arn
    elseif principal.role_arn then
        return principal.role_arn
    end
    local partition, account, role = tostring(principal.arn)
        :match("^arn:([^:]*):sts::(%d+):assumed%-role/([^/]+)/")
    if not role then
        return nil, "the role of the session is not known"
    end
    return ("arn:%s:iam::%s:role/%s"):format(partition, account, role)
end


-- The current guide gives anonymous callers the text `anonymous`; the list of API Gateway has the
-- key for IAM authorization only. Hence an option.
local function principal_account(context, config)
    local principal = signer(context)
    if principal then
        return principal.account
    end
    -- To a policy that may not see the signer, the caller is anonymous.
    local is_service = context.principal ~= nil and context.principal.kind == "service"
    if is_described_anonymous(context) or (config.anonymous_account and not is_service) then
        return "anonymous"
    end
    return nil
end


local function principal_type(context)
    local principal = signer(context)
    if principal then
        return TYPES[principal.kind]
    end
    return is_described_anonymous(context) and "Anonymous" or nil
end


local function user_id(context)
    local principal = signer(context)
    if not principal then
        return is_described_anonymous(context) and "anonymous" or nil
    elseif principal.kind == "root" then
        return principal.account
    elseif principal.kind == "federated" and not principal.userid and principal.name then
        return ("%s:%s"):format(principal.account, principal.name)
    end
    return principal.userid
end


-- The friendly name: without the path.
local function user_name(context)
    local principal = signer(context)
    if not principal or principal.kind ~= "user" then
        return nil
    end
    return principal.name or tostring(principal.arn):match(":user/.*/([^/]+)$")
        or tostring(principal.arn):match(":user/([^/]+)$")
end


-- Tag keys compare without case, and the name asked for comes in lower case.
local function principal_tag(context, wanted)
    local principal = signer(context)
    local found
    for name, value in pairs(principal and principal.tags or {}) do
        if tostring(name):lower() == wanted then
            if found ~= nil then
                return nil, "the principal has the tag twice in different letter case"
            end
            found = value
        end
    end
    return found
end


-- ---- Sessions --------------------------------------------------------------


-- An ISO 8601 text, or seconds since 1970, which the date operators take as well.
local function token_issue_time(context)
    local session = session_of(context)
    local at = session and session.token_issue_time
    return type(at) == "number" and math.floor(at) or at
end


-- Temporary credentials always say whether a second factor was there; long-term ones never do.
local function mfa_present(context)
    local session = session_of(context)
    if not session then
        return nil
    end
    return (session.mfa and session.mfa.present) == true
end


local function mfa_age(context)
    local session = session_of(context)
    if not session or not session.mfa or session.mfa.present ~= true then
        return nil
    end
    return session.mfa.age
end


-- Only a service that calls for one of its resources names that resource.
local function source_arn(context)
    local principal = context.principal
    if not principal or principal.kind ~= "service" then
        return nil
    end
    return principal.source_arn
end


local function check(config)
    for name, value in pairs(config or {}) do
        if name ~= "anonymous_account" then
            return nil, ("unknown option `%s`: there is `anonymous_account`"):format(tostring(name))
        elseif type(value) ~= "boolean" then
            return nil, "`anonymous_account`: give true or false"
        end
    end
    return true
end


return {
    kind = "keys",
    name = "identity",
    api = 1,
    check = check,
    types = {
        ["aws:PrincipalArn"] = "arn",
        ["aws:PrincipalAccount"] = "string",
        ["aws:PrincipalOrgID"] = "string",
        ["aws:PrincipalOrgPaths"] = "string[]",
        ["aws:PrincipalType"] = "string",
        ["aws:userid"] = "string",
        ["aws:username"] = "string",
        ["aws:TokenIssueTime"] = "date",
        ["aws:MultiFactorAuthPresent"] = "bool",
        ["aws:MultiFactorAuthAge"] = "numeric",
        ["aws:SourceArn"] = "arn",
        ["aws:PrincipalTag/"] = "string",
    },
    plan = {
        ["aws:PrincipalArn"] = "constant",
        ["aws:PrincipalAccount"] = "constant",
        ["aws:PrincipalOrgID"] = "constant",
        ["aws:PrincipalOrgPaths"] = "constant",
        ["aws:PrincipalType"] = "constant",
        ["aws:userid"] = "constant",
        ["aws:username"] = "constant",
        ["aws:TokenIssueTime"] = "constant",
        ["aws:MultiFactorAuthPresent"] = "constant",
        ["aws:MultiFactorAuthAge"] = "constant",
        ["aws:SourceArn"] = "constant",
        ["aws:PrincipalTag/"] = "constant",
    },
    keys = {
        ["aws:PrincipalArn"] = principal_arn,
        ["aws:PrincipalAccount"] = principal_account,
        ["aws:PrincipalOrgID"] = member("org_id"),
        ["aws:PrincipalOrgPaths"] = member("org_paths"),
        ["aws:PrincipalType"] = principal_type,
        ["aws:userid"] = user_id,
        ["aws:username"] = user_name,
        ["aws:TokenIssueTime"] = token_issue_time,
        ["aws:MultiFactorAuthPresent"] = mfa_present,
        ["aws:MultiFactorAuthAge"] = mfa_age,
        ["aws:SourceArn"] = source_arn,
    },
    prefixes = { ["aws:PrincipalTag/"] = principal_tag },
}
