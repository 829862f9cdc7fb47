-- Everybody is anonymous: the last identity of a gateway that admits callers without credentials.
--
-- Source: IAM User Guide, "AWS JSON policy elements: Principal", on anonymous users.

local function check(config)
    local name = next(config)
    if name ~= nil then
        return nil, ("unknown option `%s`: the anonymous identity has none"):format(tostring(name))
    end
    return true
end


-- No ARN: an anonymous caller has no aws:PrincipalArn.
local function identify()
    return { kind = "anonymous" }
end


return {
    kind = "identities",
    name = "anonymous",
    api = 1,
    check = check,
    identify = identify,
}
