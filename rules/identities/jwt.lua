-- The caller that a JSON web token stands for.
--
-- The host verifies the token (signature, issuer's keys) and hands over its claims as a table,
-- `context.claims`; this pack only says which principal they are. A claim that takes part in a name
-- must be made of characters that a name may have, so that no claim can spell another ARN.
--
-- Options: `issuer`, what the claim `iss` has to be; `audience`, optional, what `aud` has to be or
-- to hold; `principal`, an ARN in which `{claim}` stands for a claim's value; `tags`, optional, a
-- table from tag to claim.
--
-- Source: IAM User Guide, "IAM identifiers" (ARNs), "IAM and AWS STS quotas" (characters of names),
-- "Pass session tags in AWS STS" (tags from claims; characters and length of a tag's value);
-- RFC 7519, section 4.1 (claims).

local OPTIONS = { issuer = "string", audience = "string", principal = "string", tags = "table" }

local MAX_TAG_VALUE = 256


local function check(config, tools)
    for name, value in pairs(config) do
        if not OPTIONS[name] then
            return nil, ("unknown option `%s`: the jwt identity has `issuer`, `audience`, "
                .. "`principal`, `tags`"):format(tostring(name))
        elseif type(value) ~= OPTIONS[name] then
            return nil, ("`%s` is a %s: make it a %s"):format(name, type(value), OPTIONS[name])
        end
    end
    if not config.issuer or not config.principal then
        return nil, ("lacks `%s`"):format(config.issuer and "principal" or "issuer")
    end
    for tag, claim in pairs(config.tags or {}) do
        if type(tag) ~= "string" or type(claim) ~= "string" then
            return nil, "`tags`: give a table from tag to claim"
        end
    end
    local principal, err = tools.principal((config.principal:gsub("{[^{}]+}", "claim")))
    if not principal then
        return nil, ("`principal`: %s"):format(err)
    end
    return true
end


local function has_audience(aud, wanted)
    if type(aud) ~= "table" then
        return aud == wanted
    end
    for _, value in ipairs(aud) do
        if value == wanted then
            return true
        end
    end
    return false
end


-- The host has looked at all of this if it verifies as it should; the times and the issuer are
-- cheap enough to look at twice.
local function find_fault(claims, config, now)
    if claims.iss ~= config.issuer then
        return ("the token is of the issuer `%s`"):format(tostring(claims.iss)), "UNAUTHORIZED"
    elseif config.audience and not has_audience(claims.aud, config.audience) then
        return "the token is for another audience", "UNAUTHORIZED"
    elseif claims.exp ~= nil and not (type(claims.exp) == "number" and now < claims.exp) then
        return "the token has expired", "EXPIRED_TOKEN"
    elseif claims.nbf ~= nil and not (type(claims.nbf) == "number" and now >= claims.nbf) then
        return "the token is not valid yet", "UNAUTHORIZED"
    end
    return nil
end


-- The ARN, or nil and the claim that cannot take part in it.
local function fill_principal(template, claims)
    local bad
    local arn = template:gsub("{([^{}]+)}", function(name)
        local value = claims[name]
        if type(value) == "string" and value:match("^[%w+=,.@_-]+$") then
            return value
        end
        bad = name
        return ""
    end)
    if bad then
        return nil, bad
    end
    return arn
end


-- The text of a claim as the value of a tag: printable, no list, nothing cut off.
local function tag_value(claim)
    if type(claim) == "number" and claim % 1 == 0 and math.abs(claim) < 2 ^ 53 then
        return ("%d"):format(claim)
    elseif type(claim) == "boolean" then
        return tostring(claim)
    elseif type(claim) == "string" and #claim <= MAX_TAG_VALUE and not claim:find("%c") then
        return claim
    end
    return nil
end


-- A claim that is absent gives no tag; one that cannot be a tag is an error, since a policy that
-- denies by this tag would otherwise not see it.
local function add_tags(principal, claims, config)
    if not config.tags then
        return true
    end
    principal.tags = {}
    for tag, name in pairs(config.tags) do
        if claims[name] ~= nil then
            principal.tags[tag] = tag_value(claims[name])
            if not principal.tags[tag] then
                return nil, name
            end
        end
    end
    return true
end


local function identify(context, config, tools)
    local claims = context.claims
    if not claims then
        return nil
    end
    local fault, code = find_fault(claims, config, context.now or tools.now())
    if fault then
        return nil, fault, code
    end
    local arn, bad = fill_principal(config.principal, claims)
    if not arn then
        return nil, ("the claim `%s` cannot be part of a principal"):format(bad), "UNAUTHORIZED"
    end
    local principal, err = tools.principal(arn)
    if not principal then
        return nil, err, "UNAUTHORIZED"
    end
    local ok
    ok, bad = add_tags(principal, claims, config)
    if not ok then
        return nil, ("the claim `%s` cannot be a tag"):format(bad), "UNAUTHORIZED"
    end
    return principal
end


return {
    kind = "identities",
    name = "jwt",
    api = 1,
    check = check,
    identify = identify,
}
