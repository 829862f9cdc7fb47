-- API Gateway: every row of spec/cases/flows/api_gateway.json with real policies, and what no table
-- says. docs/gateway.md shows the same tables.
local json = require("dkjson")
local rules = require("postern.rules")
local flow = require("postern.flow")
local plain = require("postern.host.plain")
local flows = require("spec.support.flows")


local PATH = "spec/cases/flows/api_gateway.json"
local ALLOW, DENY, SILENT = "Allowed", "ExplicitlyDenied", "ImplicitlyDenied"


-- ---- The tables ------------------------------------------------------------


-- `other account, identity Allow` as members of a case.
local function read_caller(case)
    for phrase in ((case.caller or "") .. ", "):gmatch("(.-), ") do
        local name, word = phrase:match("^(%l+) ([%w-]+)$")
        if phrase == "other account" then
            case.same_account = false
        elseif phrase:find("^%u+$") then
            case.auth = phrase
        elseif name and name ~= "same" then
            case[name] = word
        end
    end
    return case
end


local function check_row(case)
    local decision, info = flows.decide(case)
    assert.equal(case.expect, decision.decision, tostring(decision:explain()))
    if case.reason then
        assert.equal(case.reason, decision.reason)
    end
    assert.equal(case.status, decision.status)
    if case.calls then
        assert.equal(case.calls, info.called)
    elseif case.authorizer == "not-called" then
        assert.equal(0, info.called)
    end
    assert.equal(decision.decision == ALLOW, decision.allowed)
end


-- How a flow comes to an outcome, whatever the endpoint says, for every kind of authorization.
local OUTCOMES = {
    [ALLOW] = {
        { auth = "NONE", resource = "Allow" },
        { auth = "NONE", resource = "none" },
        { auth = "IAM", identity = "Allow" },
        { auth = "IAM", same_account = false, identity = "Allow", resource = "Allow" },
        { auth = "LAMBDA", authorizer = "Allow" },
        { auth = "COGNITO", token = "valid", resource = "Allow" },
    },
    [SILENT] = {
        { auth = "NONE", resource = "silent" },
        { auth = "IAM", identity = "silent", resource = "silent" },
        { auth = "IAM", same_account = false, identity = "Allow", resource = "silent" },
        { auth = "LAMBDA", authorizer = "silent", resource = "silent" },
        { auth = "COGNITO", token = "valid", resource = "silent" },
        { auth = "NONE", endpoint_type = "PRIVATE", resource = "none" },
        { auth = "IAM", signature = "missing", identity = "Allow", endpoint_type = "PRIVATE",
          resource = "none" },
    },
    [DENY] = {
        { auth = "NONE", resource = "Deny" },
        { auth = "IAM", identity = "Allow", resource = "Deny" },
        { auth = "IAM", identity = "Deny", resource = "Allow" },
        { auth = "IAM", same_account = false, identity = "Deny" },
        { auth = "LAMBDA", authorizer = "not-called", resource = "Deny" },
        { auth = "COGNITO", token = "valid", resource = "Deny" },
    },
}


-- Who a policy that names Alice takes the caller for.
local function seen_as(state)
    return state == ALLOW and "signer" or state == "NotApplicable" and "not asked" or "anonymous"
end


local AUTHORIZATIONS = {
    ["none"] = { "missing" }, ["Bearer"] = { "missing" },
    ["valid signature"] = { "valid", flows.ALICE },
    ["invalid signature"] = { "invalid", "*" }, ["expired signature"] = { "expired", "*" },
}

local TABLES = {}

TABLES["endpoint composition"] = function(case)
    for _, way in ipairs(OUTCOMES[case.flow]) do
        local merged = flows.case_of({}, {}, way)
        merged.expect, merged.status, merged.endpoint = case.expect, case.status, case.endpoint
        check_row(merged)
    end
end

TABLES["who is seen"] = function(case)
    local named = flows.policy_text("Allow", ('{"AWS":"%s"}'):format(flows.ALICE))
    local signature, principal = unpack(AUTHORIZATIONS[case.Authorization])
    local decision = flows.decide({
        auth = case.auth, signature = signature, principal = principal or "*",
        endpoint_type = "PRIVATE", through_endpoint = "yes", token = "valid", authorizer = "Allow",
        endpoint = "Allow", endpoint_text = named, resource = "Allow", resource_text = named,
    })
    if case["endpoint sees"] == "refused" then
        assert.equal("authentication", decision.reason)
        assert.equal(403, decision.status)
        assert.equal("NotApplicable", decision.gates.endpoint)
        assert.equal("NotApplicable", decision.gates.resource)
        assert.equal("refused", case["resource sees"])
    else
        assert.equal(case["endpoint sees"], seen_as(decision.gates.endpoint))
        assert.equal(case["resource sees"], seen_as(decision.gates.resource))
    end
end

TABLES["order of the gates"] = function(case)
    case.endpoint_type = "PRIVATE"
    check_row(read_caller(case))
end

TABLES["no resource policy"] = function(case)
    check_row(read_caller(case))
end

TABLES["table A"] = function(case)
    case[case.auth == "IAM" and "identity" or "authorizer"] = case["identity or authorizer"]
    check_row(case)
end


for _, tab in ipairs(flows.tables(PATH)) do
    describe("the API Gateway flow: " .. tab.name, function()
        for _, row in ipairs(tab.rows) do
            it("| " .. table.concat(row, " | ") .. " |", function()
                for _, given in ipairs(flows.givens(tab)) do
                    local case = flows.case_of(tab.columns, row, given)
                    local check = TABLES[tab.name] or check_row
                    check(case)
                end
            end)
        end
    end)
end


-- ---- The shared rows -------------------------------------------------------


describe("the shared flow rows", function()
    local rows = flows.shared_rows("evaluation.md", "### 3.8")
    if not rows then
        pending("are not there: set POSTERN_SHARED, or put them at ../shared")
        return
    end
    for _, line in ipairs(rows) do
        it(line, function()
            local case = json.decode(line, nil, "none")
            local decision, info = flows.decide(case)
            assert.equal(case.expect, decision.decision)
            if case.status then
                assert.equal(case.status, decision.status)
            end
            if case.authorizer == "not-called" then
                assert.equal(0, info.called)
            end
        end)
    end

    it("are all there", function()
        assert.is_true(#rows >= 20)
    end)
end)


-- ---- What no table says ----------------------------------------------------


describe("the API Gateway flow", function()
    local pack

    setup(function()
        pack = assert(rules.load("flows", "api_gateway", plain.read))
    end)

    local function conditioned(key, operator, value)
        return ('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",'
            .. '"Action":"*","Resource":"*","Condition":{"%s":{"%s":"%s"}}}]}')
            :format(operator, key, value)
    end

    -- The gates that see a key, when each of them asks for it.
    local function seen_key(key, value, case)
        case.endpoint, case.endpoint_text = "Allow", conditioned(key, "StringLike", "*")
        case.resource, case.resource_text = "Allow", conditioned(key, "StringLike", "*")
        case.context = { [key] = value }
        local gates = flows.decide(case).gates
        return gates.endpoint == ALLOW, gates.resource == ALLOW
    end

    it("shows principal keys to the endpoint alone, unless the method asks for IAM", function()
        local function seen(key, auth, principal)
            return { seen_key(key, "x", {
                auth = auth, principal = principal, token = "valid", authorizer = "Allow",
            }) }
        end
        for _, key in ipairs({ "aws:PrincipalArn", "AWS:principalaccount", "aws:PrincipalTag/team",
                               "aws:username", "aws:userid", "aws:TokenIssueTime",
                               "aws:MultiFactorAuthPresent", "aws:SourceIdentity" }) do
            for _, auth in ipairs({ "NONE", "LAMBDA", "COGNITO" }) do
                assert.same({ true, false }, seen(key, auth, flows.ALICE))
                assert.same({ false, false }, seen(key, auth, "*"))
            end
            assert.same({ true, true }, seen(key, "IAM", flows.ALICE))
        end
    end)

    it("shows the keys of the resource's owner to the endpoint alone", function()
        for _, key in ipairs({ "aws:ResourceAccount", "aws:resourceorgid",
                               "AWS:ResourceOrgPaths" }) do
            for _, auth in ipairs({ "NONE", "IAM" }) do
                assert.same({ true, false }, { seen_key(key, "123456789012", {
                    auth = auth, principal = flows.ALICE,
                }) })
            end
        end
    end)

    it("shows every other key to all", function()
        for _, key in ipairs({ "aws:SourceIp", "aws:SourceVpce", "aws:SourceArn",
                               "aws:Referer" }) do
            assert.same({ true, true }, { seen_key(key, "x", { auth = "NONE" }) })
        end
    end)

    it("does not let the authorizer's policy see principal keys", function()
        local combined = assert(flow.new(pack, {}, {}, { authorizer = function()
            return (conditioned("aws:username", "Null", "true"):gsub('"Principal":"%*",', ""))
        end }))
        local request = {
            principal = flows.ALICE, action = "execute-api:Invoke", resource = flows.METHOD,
            context = { ["aws:username"] = "alice" },
            gateway = { auth = "LAMBDA", endpoint_type = "REGIONAL" },
        }
        assert.equal("allow", combined:decide(request).reason)
    end)

    it("does not let what is attached to a signer decide about other methods", function()
        for _, auth in ipairs({ "NONE", "COGNITO", "LAMBDA" }) do
            local decision = flows.decide({
                auth = auth, principal = flows.ALICE, token = "valid", authorizer = "silent",
                resource = "Allow", identity = "Deny", boundary = "Deny", session = "Deny",
                scp = "Deny",
            })
            assert.is_true(decision.allowed)
            assert.equal("NotApplicable", decision.gates.scp)
        end
    end)

    it("leaves IAM callers to boundaries, session policies and SCPs", function()
        local function reason(case)
            case.auth, case.identity = "IAM", "Allow"
            return flows.decide(case).reason
        end
        assert.equal("no_allow_boundary", reason({ boundary = "silent" }))
        assert.equal("no_allow_session", reason({ session = "silent" }))
        assert.equal("no_allow_scp", reason({ scp = "silent" }))
        assert.equal("explicit_deny", reason({ scp = "Deny" }))
        assert.equal("allow", reason({ scp = "Allow", boundary = "Allow" }))
    end)

    it("is not bound by RCPs unless it is configured so", function()
        local rcp = flows.compile("rcp", flows.policy_text("Deny", '"*"'))
        local request = { action = "execute-api:Invoke", resource = flows.METHOD,
                          gateway = { auth = "NONE", endpoint_type = "REGIONAL" } }
        assert.is_true(assert(flow.new(pack, { rcp = { rcp } })):decide(request).allowed)
        assert.equal("explicit_deny", assert(flow.new(pack, { rcp = { rcp } },
            { rcp_services = { "execute-api" } })):decide(request).reason)
    end)

    it("asks the endpoint about the method and about the domain name", function()
        local function decide(resources)
            return flows.decide({
                auth = "NONE", endpoint_type = "PRIVATE", domain = "Allow", resource = "Allow",
                endpoint = "Allow", endpoint_text = ('{"Statement":[{"Effect":"Allow",'
                    .. '"Principal":"*","Action":"*","Resource":["%s"]}]}')
                    :format(table.concat(resources, '","')),
            })
        end
        assert.is_true(decide({ flows.METHOD, flows.DOMAIN }).allowed)
        assert.equal("no_allow_endpoint", decide({ flows.METHOD }).reason)
        assert.equal("no_allow_endpoint", decide({ flows.DOMAIN }).reason)
    end)

    it("asks the domain name's policy about the domain name", function()
        local function reason(resource)
            return flows.decide({
                auth = "NONE", endpoint_type = "PRIVATE", through_endpoint = "yes",
                resource = "Allow", domain = "Allow", domain_text = flows.policy_text("Allow",
                    '"*"', resource),
            }).reason
        end
        assert.equal("allow", reason(flows.DOMAIN))
        assert.equal("allow", reason("execute-api:/*"))
        assert.equal("no_allow_domain", reason(flows.METHOD))
    end)

    it("does not call the authorizer when the domain name is closed", function()
        for _, case in ipairs({ { domain = "silent" }, { domain = "none" },
                                { domain = "Allow", associated = "no" } }) do
            case.auth, case.endpoint_type, case.authorizer = "LAMBDA", "PRIVATE", "Allow"
            case.endpoint, case.resource = "Allow", "Allow"
            local decision, info = flows.decide(case)
            assert.equal("no_allow_domain", decision.reason)
            assert.equal(0, info.called)
        end
    end)

    it("tells the API and the endpoint, not the domain name, which name was called", function()
        local key = "execute-api:viaDomainArn"
        local function decide(gate, context)
            return flows.decide({
                auth = "NONE", endpoint_type = "PRIVATE", endpoint = "Allow", resource = "Allow",
                domain = "Allow", context = context,
                [gate .. "_text"] = conditioned(key, "ArnEquals", flows.DOMAIN),
            }).reason
        end
        assert.equal("allow", decide("resource"))
        assert.equal("allow", decide("endpoint"))
        assert.equal("no_allow_domain", decide("domain"))
        -- A host that already says so is believed, in any letter case.
        assert.equal("allow", decide("resource", { ["EXECUTE-API:viadomainarn"] = flows.DOMAIN }))
        assert.equal("no_allow_resource",
                     decide("resource", { ["EXECUTE-API:viadomainarn"] = "arn:aws:x:y:1:z" }))
    end)

    it("does not ask the resource side about callers that are not authenticated", function()
        local rcp = flows.compile("rcp", flows.policy_text("Deny", '"*"'))
        local domain = flows.compile("domain", flows.policy_text("Deny", '"*"'))
        local resource = flows.compile("resource", flows.policy_text("Deny", '"*"'))
        local combined = assert(flow.new(pack, { rcp = { rcp }, domain = domain,
            resource = resource }, { rcp_services = { "execute-api" } }))
        local function decide(gateway)
            gateway.endpoint_type, gateway.through_endpoint = "PRIVATE", true
            gateway.domain, gateway.domain_associated = flows.DOMAIN, true
            return combined:decide({ action = "execute-api:Invoke", resource = flows.METHOD,
                                     gateway = gateway })
        end
        assert.equal("explicit_deny", decide({ auth = "COGNITO", token = "valid" }).reason)
        assert.equal(401, decide({ auth = "COGNITO", token = "invalid" }).status)
        assert.equal("authentication", decide({ auth = "COGNITO" }).reason)
        assert.equal("authentication", decide({ auth = "IAM" }).reason)
    end)

    it("does not listen to an authorizer when the signature is forged", function()
        local combined = assert(flow.new(pack, {
            endpoint = flows.compile("endpoint", flows.policy_text("Allow", '"*"')) }))
        local decision = combined:decide({
            action = "execute-api:Invoke", resource = flows.METHOD,
            gateway = { auth = "LAMBDA", endpoint_type = "REGIONAL", signature = "invalid",
                        authorizer = flows.policy_text("Deny") },
        })
        assert.equal("authentication", decision.reason)
        assert.equal(SILENT, decision.decision)
    end)

    it("composes a known answer of the authorizer with the endpoint as any other", function()
        local function decision(endpoint, authorizer)
            return assert(flow.new(pack, { endpoint = flows.compile("endpoint",
                flows.policy_text(endpoint, '"*"')) })):decide({
                    action = "execute-api:Invoke", resource = flows.METHOD,
                    gateway = { auth = "LAMBDA", endpoint_type = "REGIONAL",
                                authorizer = flows.policy_text(authorizer) },
                }).decision
        end
        assert.equal(DENY, decision("silent", "Deny"))
        assert.equal(SILENT, decision("silent", "Allow"))
        assert.equal(DENY, decision("Deny", "Allow"))
        assert.equal(DENY, decision("Allow", "Deny"))
        assert.equal(ALLOW, decision("Allow", "Allow"))
    end)

    it("has an authorizer's policy kept for as long as API Gateway does", function()
        local function ttl(seconds)
            local caller = pack.caller({
                action = "execute-api:Invoke", resource = flows.METHOD,
                gateway = { auth = "LAMBDA", endpoint_type = "EDGE", authorizer_ttl = seconds },
            }, {}, {})
            local verdict = pack.decide({}, caller, {})
            assert.equal("authorizer", verdict.need)
            assert.equal("identity", verdict.gate)
            return verdict.ttl
        end
        assert.equal(300, ttl(nil))
        assert.equal(60, ttl(60))
        assert.equal(0, ttl(0))
        assert.equal(3600, ttl(3600))
    end)

    it("forgets a signer's boundary, too, where the method asks for no signature", function()
        local text = '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"},'
            .. '{"Effect":"Deny","NotPrincipal":"*","Action":"*","Resource":"*"}]}'
        assert.is_true(flows.decide({ auth = "NONE", principal = flows.ALICE, boundary = "Allow",
                                      resource = "Allow", resource_text = text }).allowed)
    end)

    it("does not look at a forged signature where nobody asks for one", function()
        assert.is_true(flows.decide({ auth = "NONE", signature = "invalid" }).allowed)
    end)

    it("names the statement that decided, also the authorizer's", function()
        local decision = flows.decide({ auth = "LAMBDA", authorizer = "Allow" })
        assert.equal("identity", decision.deciding.policy_type)
        assert.equal("authorizer policy", decision.deciding.file)
        assert.matches("authorizer policy:1:", tostring(decision:explain()), 1, true)
        decision = flows.decide({ auth = "NONE", resource = "Deny", domain = "Allow" })
        assert.equal("resource", decision.deciding.policy_type)
    end)

    it("says why where no statement does", function()
        local function summary(case)
            return flows.decide(case):summary()
        end
        assert.matches("open to everybody", summary({ auth = "NONE" }))
        assert.matches("private API answers nobody",
                       summary({ auth = "NONE", endpoint_type = "PRIVATE" }))
        assert.matches("token is missing", summary({ auth = "COGNITO" }))
        assert.matches("not signed", summary({ auth = "IAM", signature = "missing" }))
        assert.matches("policy of the domain name", summary({
            auth = "NONE", endpoint_type = "PRIVATE", resource = "Allow", endpoint = "Allow",
            domain = "silent" }))
        assert.matches("the function failed",
                       summary({ auth = "LAMBDA", authorizer = "error" }), 1, true)
    end)

    it("gives every reason with its status", function()
        local private = { auth = "NONE", endpoint_type = "PRIVATE", resource = "Allow" }
        for _, row in ipairs({
            { "allow", 200, { auth = "NONE", resource = "Allow" } },
            { "explicit_deny", 403, { auth = "NONE", resource = "Deny" } },
            { "no_allow_resource", 403, { auth = "NONE", resource = "silent" } },
            { "no_allow_identity", 403, { auth = "IAM", identity = "silent" } },
            { "no_allow_endpoint", 403, private },
            { "no_allow_domain", 403, { auth = "NONE", domain = "silent" } },
            { "no_allow_scp", 403, { auth = "IAM", identity = "Allow", scp = "silent" } },
            { "no_allow_boundary", 403, { auth = "IAM", identity = "Allow",
                                          boundary = "silent" } },
            { "no_allow_session", 403, { auth = "IAM", identity = "Allow",
                                         session = "silent" } },
            { "private_api_without_policy", 403, { auth = "NONE", endpoint_type = "PRIVATE" } },
            { "authentication", 403, { auth = "IAM", signature = "expired" } },
            { "authentication", 401, { auth = "COGNITO", token = "invalid" } },
            { "error", 500, { auth = "LAMBDA", authorizer = "error" } },
        }) do
            local decision = flows.decide(row[3])
            assert.equal(row[1], decision.reason)
            assert.equal(row[2], decision.status)
            assert.equal(row[2] == 200, decision.allowed)
        end
    end)

    it("names the refusal of a caller that is not authenticated, and nothing else", function()
        for _, row in ipairs({
            { "MISSING_AUTHENTICATION_TOKEN", { auth = "IAM", signature = "missing" } },
            { "INVALID_SIGNATURE", { auth = "IAM", signature = "invalid" } },
            { "EXPIRED_TOKEN", { auth = "IAM", signature = "expired" } },
            { "INVALID_SIGNATURE", { auth = "NONE", signature = "invalid", endpoint = "Allow" } },
            { "EXPIRED_TOKEN", { auth = "COGNITO", token = "valid", signature = "expired",
                                 endpoint = "Allow" } },
            { "UNAUTHORIZED", { auth = "COGNITO", token = "invalid", signature = "missing" } },
            { "UNAUTHORIZED", { auth = "LAMBDA", authorizer = "unauthorized" } },
            { nil, { auth = "IAM", signature = "missing", endpoint = "silent" } },
            { nil, { auth = "IAM", signature = "invalid", endpoint_type = "PRIVATE" } },
            { nil, { auth = "IAM", identity = "silent" } },
            { nil, { auth = "NONE", signature = "invalid" } },
            { nil, { auth = "LAMBDA", authorizer = "error" } },
        }) do
            local decision = flows.decide(row[2])
            assert.equal(row[1], decision.code)
            assert.equal(row[1] ~= nil, decision.reason == "authentication")
        end
    end)

    it("shows in an explanation what each gate saw", function()
        local text = tostring(flows.decide({
            auth = "NONE", principal = flows.ALICE, resource = "Allow",
            resource_text = flows.policy_text("Allow", ('{"AWS":"%s"}'):format(flows.ALICE)),
        }):explain())
        assert.matches(("principal: Principal `%s`; it has `*`"):format(flows.ALICE), text, 1, true)
    end)

    describe("denies with reason error", function()
        local function check_error(message, gateway, action)
            local decision = assert(flow.new(pack, {})):decide({
                action = action or "execute-api:Invoke", resource = flows.METHOD,
                gateway = gateway,
            })
            assert.is_false(decision.allowed)
            assert.equal("error", decision.reason)
            assert.equal(500, decision.status)
            assert.matches(message, decision.error, 1, true)
        end

        it("when the gateway is not described, or wrongly", function()
            check_error("say `auth` and `endpoint_type`", nil)
            check_error("say `auth` and `endpoint_type`", { auth = "NONE" })
            check_error("say `auth` and `endpoint_type`", { endpoint_type = "EDGE" })
            check_error("`auth` cannot be `none`", { auth = "none", endpoint_type = "EDGE" })
            check_error("`endpoint_type` cannot be `PUBLIC`",
                        { auth = "NONE", endpoint_type = "PUBLIC" })
            check_error("no such member: `tokn`",
                        { auth = "COGNITO", endpoint_type = "EDGE", tokn = "valid" })
            check_error("`token` cannot be `true`",
                        { auth = "COGNITO", endpoint_type = "EDGE", token = true })
            check_error("`through_endpoint` is a string: give a boolean",
                        { auth = "NONE", endpoint_type = "PRIVATE", through_endpoint = "yes" })
            check_error("`authorizer_ttl` is 0 to 3600 seconds",
                        { auth = "LAMBDA", endpoint_type = "EDGE", authorizer_ttl = 3601 })
            check_error("`authorizer_ttl` is 0 to 3600 seconds",
                        { auth = "LAMBDA", endpoint_type = "EDGE", authorizer_ttl = -1 })
            check_error("the endpoint has a policy, but it is not among the gates",
                        { auth = "NONE", endpoint_type = "PRIVATE", endpoint_attached = true })
        end)

        it("when a domain name's policy is attached, but no domain name was called", function()
            local gates = { domain = flows.compile("domain", flows.policy_text("Allow", '"*"')) }
            local decision = assert(flow.new(pack, gates)):decide({
                action = "execute-api:Invoke", resource = flows.METHOD,
                gateway = { auth = "NONE", endpoint_type = "REGIONAL" },
            })
            assert.matches("say which in `domain`", decision.error, 1, true)
        end)

        it("for actions of other services", function()
            check_error("decides no actions of `s3`", { auth = "NONE", endpoint_type = "EDGE" },
                        "s3:GetObject")
        end)
    end)

    -- The whole flow once more, as plainly as it can be said; a word for each gate.
    local function plain_outcome(case)
        local private = case.endpoint_type == "PRIVATE"
        if case.endpoint == "Deny" or case.resource == "Deny" or case.identity == "Deny" then
            return DENY
        elseif private and (case.resource == "none" or case.endpoint == "none")
            or case.endpoint == "silent" then
            return SILENT
        elseif case.authorizer == "Deny" then
            return DENY
        elseif case.auth == "IAM" and case.same_account == false then
            return case.identity == "Allow" and case.resource == "Allow" and ALLOW or SILENT
        elseif case.auth == "IAM" then
            return (case.identity == "Allow" or case.resource == "Allow") and ALLOW or SILENT
        elseif case.auth == "LAMBDA" then
            return case.authorizer ~= "none"
                and (case.authorizer == "Allow" or case.resource == "Allow") and ALLOW or SILENT
        end
        return (case.resource == "none" or case.resource == "Allow") and ALLOW or SILENT
    end

    local WORDS = { "none", "Allow", "silent", "Deny" }

    local function each_combination(auth, visit)
        for _, endpoint_type in ipairs({ "REGIONAL", "EDGE", "PRIVATE" }) do
            for _, endpoint in ipairs(WORDS) do
                for _, resource in ipairs(WORDS) do
                    for _, own in ipairs(WORDS) do
                        visit({
                            auth = auth, endpoint_type = endpoint_type, endpoint = endpoint,
                            resource = resource, token = auth == "COGNITO" and "valid" or nil,
                            identity = auth == "IAM" and own or nil,
                            authorizer = auth == "LAMBDA" and own or nil,
                        })
                    end
                end
            end
        end
    end

    for _, auth in ipairs({ "NONE", "IAM", "LAMBDA", "COGNITO" }) do
        it("answers as its plain twin does for every combination: " .. auth, function()
            local count = 0
            each_combination(auth, function(case)
                for _, same_account in ipairs(auth == "IAM" and { true, false } or { true }) do
                    case.same_account = same_account
                    count = count + 1
                    assert.equal(plain_outcome(case), flows.decide(case).decision,
                                 json.encode(case))
                end
            end)
            assert.equal(auth == "IAM" and 384 or 192, count)
        end)
    end
end)
