-- rollout:Percentile: the place of a caller between 0 and 99, the same at every call.
--
-- Option: `salt`, a text; another one deals the places anew.

local function check(config)
    if type(config.salt) ~= "string" or config.salt == "" then
        return nil, "`salt`: give a text, such as the name of what is rolled out"
    end
    return true
end


local function percentile(context, config, tools)
    local caller = context.claims and context.claims.sub
    if type(caller) ~= "string" then
        return nil -- no token says who calls: the key is absent
    end
    local hash = tools.hex(tools.sha256(config.salt .. "\0" .. caller))
    return tonumber(hash:sub(1, 8), 16) % 100
end


return {
    kind = "keys",
    name = "rollout",
    api = 1,
    check = check,
    types = { ["rollout:Percentile"] = "numeric" },
    keys = { ["rollout:Percentile"] = percentile },
}
