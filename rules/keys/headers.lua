-- What the client says of itself: aws:Referer and aws:UserAgent.
--
-- Source: IAM User Guide, "AWS global condition context keys"; both are whatever the client chose
-- to send and prove nothing. The first value counts, unchanged; an empty one is a value, a missing
-- one is absent. No other key is ever made from a plain header.


local function first_of(name)
    return function(context)
        local http = context.http
        local values = http and http.headers and http.headers[name]
        if values and values[1] ~= nil then
            return values[1]
        elseif http and http.headers_truncated then
            -- A host that stops counting headers may have dropped this one (OpenResty: after 100).
            return nil, "not all headers of the request are known"
        end
        return nil
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
    name = "headers",
    api = 1,
    check = check,
    types = { ["aws:Referer"] = "string", ["aws:UserAgent"] = "string" },
    keys = { ["aws:Referer"] = first_of("referer"), ["aws:UserAgent"] = first_of("user-agent") },
}
