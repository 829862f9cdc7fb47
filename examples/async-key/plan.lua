-- shop:Plan: what a customer pays for, as the billing service says. Option: `url`.

local function plan(context, config, tools)
    local customer = context.claims and context.claims.sub
    if type(customer) ~= "string" or not customer:find("^[%w-]+$") then
        return nil -- no customer: the key is absent
    end
    local answer, err = tools.http({ url = config.url .. customer })
    if not answer then
        return nil, err -- nobody knows: the decision is a deny
    elseif answer.status ~= 200 then
        return nil, ("the billing service answers %d"):format(answer.status)
    end
    return (tools.json_decode(answer.body) or {}).plan
end


return {
    kind = "keys",
    name = "shop.plan",
    api = 1,
    lazy = true,
    check = function(config)
        return type(config.url) == "string" or nil, "`url`: give that of the billing service"
    end,
    limits = { timeout = 1, concurrency = 64 },
    types = { ["shop:Plan"] = "string" },
    keys = { ["shop:Plan"] = plan },
}
