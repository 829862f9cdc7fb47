-- The caller that a client certificate stands for.
--
-- The host ends TLS and verifies the certificate; it hands over `context.client_certificate`:
--     { verified = true, subject = "CN=...,O=...", sans = { "DNS:...", ... } }
-- with names spelled as its TLS library spells them. A name has to be exactly the configured one:
-- no patterns, no order of parts.
--
-- Options: `subjects` and `sans`, tables from name to principal, at least one of the two.
--
-- Source: API Gateway Developer Guide, "How to turn on mutual TLS authentication for your REST
-- APIs": the certificate admits a client and names it; that it stands for an IAM principal is ours.

local OPTIONS = { subjects = true, sans = true }


local function check(config, tools)
    for name, principals in pairs(config) do
        if not OPTIONS[name] then
            return nil, ("unknown option `%s`: the mtls identity has `subjects` and `sans`")
                :format(tostring(name))
        elseif type(principals) ~= "table" then
            return nil, ("`%s`: give a table from name to principal"):format(name)
        end
        for spelled, principal in pairs(principals) do
            local known, err = tools.principal(principal)
            if type(spelled) ~= "string" then
                return nil, ("`%s`: give a table from name to principal"):format(name)
            elseif not known then
                return nil, ("`%s`: `%s`: %s"):format(name, spelled, err)
            end
        end
    end
    if not next(config.subjects or {}) and not next(config.sans or {}) then
        return nil, "lacks a principal: give `subjects` or `sans`"
    end
    return true
end


-- Every principal that one of the certificate's names stands for.
local function find_principals(certificate, config, tools)
    local found = {}
    if config.subjects and certificate.subject then
        found[1] = config.subjects[certificate.subject]
    end
    for _, name in ipairs(certificate.sans or {}) do
        found[#found + 1] = config.sans and config.sans[name]
    end
    for i, principal in ipairs(found) do
        found[i] = tools.principal(principal)
    end
    return found
end


local function identify(context, config, tools)
    local certificate = context.client_certificate
    if not certificate then
        return nil
    elseif certificate.verified ~= true then
        return nil, "the client certificate is not verified", "ACCESS_DENIED"
    end
    local found = find_principals(certificate, config, tools)
    for i = 2, #found do
        if found[i].arn ~= found[1].arn then
            return nil, ("the client certificate stands for two principals, `%s` and `%s`")
                :format(found[1].arn, found[i].arn), "ACCESS_DENIED"
        end
    end
    if not found[1] then
        -- Not anonymous instead: a policy may deny what this caller would be.
        return nil, ("no principal for the client certificate of `%s`")
            :format(tostring(certificate.subject)), "ACCESS_DENIED"
    end
    return found[1]
end


return {
    kind = "identities",
    name = "mtls",
    api = 1,
    check = check,
    identify = identify,
}
