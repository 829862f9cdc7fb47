-- How a call comes: aws:SecureTransport and execute-api:viaDomainArn.
--
-- Source: IAM User Guide, "AWS global condition context keys" (aws:SecureTransport); API Gateway
-- Developer Guide, "Custom domain names for private APIs in API Gateway" (execute-api:viaDomainArn:
-- there when a private API is called through a custom domain name). `context.domain` is the domain
-- that the services pack found, as `{name, arn}`.

-- The schemes of the client's own connection. A proxy's word on it (X-Forwarded-Proto) is not
-- taken.
local IS_SECURE = { https = true, wss = true, http = false, ws = false }


local function secure_transport(context)
    local scheme = context.http and context.http.scheme
    if scheme == nil then
        return nil
    end
    local secure = IS_SECURE[tostring(scheme):lower()]
    if secure == nil then
        return nil, ("nobody knows whether the scheme `%s` is secure"):format(tostring(scheme))
    end
    return secure
end


local function via_domain_arn(context)
    if not context.domain or not context.api or context.api.endpoint_type ~= "PRIVATE" then
        return nil
    end
    return context.domain.arn
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
    name = "transport",
    api = 1,
    check = check,
    types = { ["aws:SecureTransport"] = "bool", ["execute-api:viaDomainArn"] = "arn" },
    plan = { ["aws:SecureTransport"] = "secure", ["execute-api:viaDomainArn"] = "constant" },
    keys = {
        ["aws:SecureTransport"] = secure_transport,
        ["execute-api:viaDomainArn"] = via_domain_arn,
    },
}
