-- Whose API is called: aws:ResourceAccount, aws:ResourceOrgID and aws:ResourceOrgPaths.
--
-- Source: IAM User Guide, "AWS global condition context keys": the account that owns the resource,
-- and its organization. The API Gateway Developer Guide, "AWS condition keys that can be used in
-- API Gateway resource policies", does not list them, so a resource policy of an API does not see
-- them; endpoint and identity policies do. The flow keeps them from the former.


local function owner(name)
    return function(context)
        local api = context.api
        if not api then
            return nil
        end
        local value = api[name]
        -- A list without an entry says no more than no list.
        if type(value) == "table" and #value == 0 then
            return nil
        end
        return value
    end
end


local function check(config)
    local name = next(config or {})
    if name ~= nil then
        return nil, ("unknown option `%s`: there are none"):format(tostring(name))
    end
    return true
end


return {
    kind = "keys",
    name = "resource",
    api = 1,
    check = check,
    types = {
        ["aws:ResourceAccount"] = "string",
        ["aws:ResourceOrgID"] = "string",
        ["aws:ResourceOrgPaths"] = "string[]",
    },
    plan = {
        ["aws:ResourceAccount"] = "constant",
        ["aws:ResourceOrgID"] = "constant",
        ["aws:ResourceOrgPaths"] = "constant",
    },
    keys = {
        ["aws:ResourceAccount"] = owner("account"),
        ["aws:ResourceOrgID"] = owner("org_id"),
        ["aws:ResourceOrgPaths"] = owner("org_paths"),
    },
}
