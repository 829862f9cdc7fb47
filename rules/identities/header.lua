-- The caller that a trusted proxy names in a header.
--
-- The header holds the ARN of a user, of a role session, of a federated user or of the root user.
-- It is believed only from a socket peer among the estate's trusted proxies; from anybody else it
-- is as good as absent, for anybody can write a header.
--
-- Options: `header`, its name; `principals`, optional: a table from ARN to principal, and then no
-- other ARN is accepted.
--
-- Source: IAM User Guide, "IAM identifiers", for the shapes of ARNs (`tools.principal` knows them).

local OPTIONS = { header = "string", principals = "table" }


local function check(config, tools)
    for name, value in pairs(config) do
        if not OPTIONS[name] then
            return nil, ("unknown option `%s`: the header identity has `header` and `principals`")
                :format(tostring(name))
        elseif type(value) ~= OPTIONS[name] then
            return nil, ("`%s` is a %s: make it a %s"):format(name, type(value), OPTIONS[name])
        end
    end
    if not config.header or not config.header:match("^[%l%d-]+$") then
        return nil, "`header`: give the header's name, in lower case"
    end
    for arn, principal in pairs(config.principals or {}) do
        local known, err = tools.principal(principal)
        if not known then
            return nil, ("`principals`: %s"):format(err)
        elseif known.arn ~= arn then
            return nil, ("`principals`: `%s` stands for another ARN, `%s`")
                :format(tostring(arn), known.arn)
        end
    end
    return true
end


local function comes_from_proxy(context)
    local proxies = context.estate and context.estate.trusted_proxies
    return proxies ~= nil and context.peer ~= nil and proxies:match(context.peer) ~= nil
end


local function identify(context, config, tools)
    local values = context.http.headers[config.header]
    if not values or #values == 0 or not comes_from_proxy(context) then
        return nil
    elseif #values > 1 then
        -- One of them may be the client's own, which the proxy failed to remove.
        return nil, ("the header `%s` is there %d times"):format(config.header, #values),
            "ACCESS_DENIED"
    end
    -- In two steps: one pattern for both ends takes the square of the spaces.
    local arn = values[1]:gsub("^[ \t]+", ""):match("^.*[^ \t]") or ""
    if arn:find(",", 1, true) then
        -- A name may have one, but so has a header that somebody joined from two.
        return nil, ("the header `%s` has a comma"):format(config.header), "ACCESS_DENIED"
    end
    local value = arn
    if config.principals then
        value = config.principals[arn]
        if not value then
            return nil, ("the header `%s` names `%s`, which is not among `principals`")
                :format(config.header, arn), "ACCESS_DENIED"
        end
    end
    local principal, err = tools.principal(value)
    if not principal then
        return nil, ("the header `%s`: %s"):format(config.header, err), "ACCESS_DENIED"
    end
    return principal
end


return {
    kind = "identities",
    name = "header",
    api = 1,
    check = check,
    identify = identify,
}
