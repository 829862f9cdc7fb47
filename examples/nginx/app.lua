-- shop:AppVersion: the version in the header `X-App: shop/3.1` of the company's own programs.

local function version(context)
    local sent = context.http.headers["x-app"]
    return sent and sent[1]:match("^shop/(%d+%.?%d*)$") -- nil: the key is absent
end


return {
    kind = "keys", name = "shop.app", api = 1,
    check = function(config) return next(config) == nil or nil, "there are no options" end,
    types = { ["shop:AppVersion"] = "numeric" },
    keys = { ["shop:AppVersion"] = version },
}
