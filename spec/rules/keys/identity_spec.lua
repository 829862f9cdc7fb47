local rules = require("postern.rules")
local plain = require("postern.host.plain")


local ACCOUNT = "123456789012"

local CALLERS = {
    root = { kind = "root", arn = "arn:aws:iam::123456789012:root", account = ACCOUNT },
    user = { kind = "user", arn = "arn:aws:iam::123456789012:user/team/alice", account = ACCOUNT,
             name = "alice", userid = "AIDAEXAMPLE" },
    federated = { kind = "federated", arn = "arn:aws:sts::123456789012:federated-user/bob",
                  account = ACCOUNT, name = "bob" },
    session = { kind = "session", arn = "arn:aws:sts::123456789012:assumed-role/Deployer/run",
                role_arn = "arn:aws:iam::123456789012:role/ci/Deployer", account = ACCOUNT,
                name = "Deployer", userid = "AROAEXAMPLE:run" },
    ec2 = { kind = "session", arn = "arn:aws:sts::123456789012:assumed-role/Web/i-0abc",
            role_arn = "arn:aws:iam::123456789012:role/Web", account = ACCOUNT,
            userid = "AROAEXAMPLE:i-0abc" },
    anonymous = { kind = "anonymous" },
    service = { kind = "service", arn = "events.amazonaws.com",
                source_arn = "arn:aws:events:us-east-1:123456789012:rule/nightly" },
}

local function caller(name, changes)
    local made = {}
    for member, value in pairs(CALLERS[name]) do
        made[member] = value
    end
    for member, value in pairs(changes or {}) do
        made[member] = value
    end
    return made
end

-- A caller of whom everything is known, so that whatever may be absent is absent by rule.
local FULL = caller("session", {
    org_id = "o-1", org_paths = { "o-1/r-1/", "o-1/r-1/ou-1/" }, tags = { Team = "blue" },
    mfa = { present = true, age = 60 }, token_issue_time = 1700000000,
})

local ALL = {
    ["aws:PrincipalArn"] = "arn:aws:iam::123456789012:role/ci/Deployer",
    ["aws:PrincipalAccount"] = ACCOUNT,
    ["aws:PrincipalOrgID"] = "o-1",
    ["aws:PrincipalOrgPaths"] = { "o-1/r-1/", "o-1/r-1/ou-1/" },
    ["aws:PrincipalType"] = "AssumedRole",
    ["aws:userid"] = "AROAEXAMPLE:run",
    ["aws:TokenIssueTime"] = 1700000000,
    ["aws:MultiFactorAuthPresent"] = true,
    ["aws:MultiFactorAuthAge"] = 60,
    ["aws:PrincipalTag/team"] = "blue",
}


describe("the keys of identity", function()
    local pack

    setup(function()
        pack = assert(rules.load("keys", "identity", plain.read))
    end)

    -- All keys of a context; a key that fails is `{ error }`.
    local function keys_of(context, config)
        local found = {}
        for name, provide in pairs(pack.keys) do
            local value, err = provide(context, config or {})
            if value == nil and err then
                value = { err }
            end
            found[name] = value
        end
        local tag, err = pack.prefixes["aws:PrincipalTag/"](context, "team", config or {})
        found["aws:PrincipalTag/team"] = tag or (err and { err }) or nil
        return found
    end

    local function context(principal, authorization, changes)
        local made = { principal = principal, api = { authorization = authorization or "IAM" } }
        for name, value in pairs(changes or {}) do
            made[name] = value
        end
        return made
    end

    local function key(name, principal, ...)
        return pack.keys[name](context(principal), ...)
    end

    it("are those that are listed, with their types", function()
        local names = {}
        for name in pairs(ALL) do
            names[name:gsub("/.*", "/")] = true
        end
        names["aws:username"], names["aws:SourceArn"] = true, true
        for name in pairs(pack.types) do
            assert.is_true(names[name])
            assert.truthy(pack.keys[name] or pack.prefixes[name])
            names[name] = nil
        end
        assert.same({}, names)
    end)


    describe("are there", function()
        local PRIVATE = { endpoint = { id = "vpce-1" } }

        -- Authorization, through an endpoint, whether the keys are there. The answer serves all
        -- gates: the policy of the endpoint sees the signer whenever the signature is valid.
        local ROWS = {
            { "IAM", false, true }, { "IAM", true, true },
            { "NONE", false, false }, { "LAMBDA", false, false }, { "COGNITO", false, false },
            { "NONE", true, true }, { "LAMBDA", true, true }, { "COGNITO", true, true },
        }
        for _, row in ipairs(ROWS) do
            local name = ("for %s%s: %s"):format(row[1], row[2] and " through an endpoint" or "",
                tostring(row[3]))
            it(name, function()
                local given = context(FULL, row[1], row[2] and PRIVATE or {})
                assert.same(row[3] and ALL or {}, keys_of(given))
            end)
        end

        it("never without a valid signature", function()
            for _, authorization in ipairs({ "NONE", "IAM", "LAMBDA", "COGNITO" }) do
                for _, principal in ipairs({ false, CALLERS.anonymous }) do
                    assert.same({}, keys_of(context(principal or nil, authorization, PRIVATE)))
                end
            end
        end)

        it("for every endpoint type", function()
            for _, endpoint_type in ipairs({ "REGIONAL", "EDGE", "PRIVATE" }) do
                local given = context(FULL)
                given.api.endpoint_type = endpoint_type
                assert.same(ALL, keys_of(given))
            end
        end)

        it("never because of a header", function()
            local headers = {}
            for _, name in ipairs({ "x-amz-principal", "x-remote-user", "x-forwarded-user",
                                    "x-consumer-username", "x-amzn-oidc-identity",
                                    "x-postern-principal", "authorization" }) do
                headers[name] = { "arn:aws:iam::123456789012:root" }
            end
            assert.same({}, keys_of(context(nil, "IAM", { http = { headers = headers } })))
        end)

        it("for other services whenever the call is signed", function()
            assert.same(ALL, keys_of({ principal = FULL }))
        end)
    end)


    describe("by kind of caller", function()
        -- PrincipalType, userid, username.
        for name, row in pairs({
            root = { "Account", ACCOUNT, nil },
            user = { "User", "AIDAEXAMPLE", "alice" },
            federated = { "FederatedUser", "123456789012:bob", nil },
            session = { "AssumedRole", "AROAEXAMPLE:run", nil },
            ec2 = { "AssumedRole", "AROAEXAMPLE:i-0abc", nil },
            anonymous = { nil, nil, nil },
            service = { nil, nil, nil },
        }) do
            it(name, function()
                assert.equal(row[1], (key("aws:PrincipalType", CALLERS[name])))
                assert.equal(row[2], (key("aws:userid", CALLERS[name])))
                assert.equal(row[3], (key("aws:username", CALLERS[name])))
            end)
        end

        it("anonymous, for services that describe such callers", function()
            assert.same({ ["aws:PrincipalType"] = "Anonymous", ["aws:userid"] = "anonymous",
                          ["aws:PrincipalAccount"] = "anonymous" },
                        keys_of({ principal = CALLERS.anonymous }))
        end)

        it("user names without their path, from the ARN if need be", function()
            for arn, expected in pairs({
                ["arn:aws:iam::123456789012:user/alice"] = "alice",
                ["arn:aws:iam::123456789012:user/team/blue/alice"] = "alice",
            }) do
                assert.equal(expected, (key("aws:username", { kind = "user", arn = arn })))
            end
        end)
    end)


    describe("of the principal", function()
        it("show the role of a session and everybody else's own ARN", function()
            for name, expected in pairs({
                root = "arn:aws:iam::123456789012:root",
                user = "arn:aws:iam::123456789012:user/team/alice",
                federated = "arn:aws:sts::123456789012:federated-user/bob",
                session = "arn:aws:iam::123456789012:role/ci/Deployer",
                ec2 = "arn:aws:iam::123456789012:role/Web",
            }) do
                assert.equal(expected, (key("aws:PrincipalArn", CALLERS[name])))
            end
            assert.is_nil((key("aws:PrincipalArn", CALLERS.anonymous)))
            assert.is_nil((key("aws:PrincipalArn", CALLERS.service)))
        end)

        it("rebuild the role when only the session is known", function()
            assert.equal("arn:aws-cn:iam::123456789012:role/Deployer", (key("aws:PrincipalArn", {
                kind = "session",
                arn = "arn:aws-cn:sts::123456789012:assumed-role/Deployer/run" })))
            local value, err = key("aws:PrincipalArn", { kind = "session", arn = "x" })
            assert.is_nil(value)
            assert.equal("the role of the session is not known", err)
        end)

        it("name the account; anonymous callers only when configured", function()
            for _, name in ipairs({ "root", "user", "federated", "session" }) do
                assert.equal(ACCOUNT, (key("aws:PrincipalAccount", CALLERS[name], {})))
            end
            local provide = pack.keys["aws:PrincipalAccount"]
            local config = { anonymous_account = true }
            for _, authorization in ipairs({ "NONE", "IAM", "LAMBDA", "COGNITO" }) do
                assert.is_nil((provide(context(nil, authorization), {})))
                assert.equal("anonymous", (provide(context(nil, authorization), config)))
                assert.equal("anonymous",
                             (provide(context(CALLERS.anonymous, authorization), config)))
            end
            assert.equal(ACCOUNT, (provide(context(CALLERS.user), config)))
            -- To a policy that may not see the signer, the caller is anonymous.
            assert.equal("anonymous", (provide(context(CALLERS.user, "NONE"), config)))
            assert.is_nil((provide(context(CALLERS.service), config)))
        end)

        it("name the organization of a member only", function()
            assert.is_nil((key("aws:PrincipalOrgID", CALLERS.user)))
            assert.is_nil((key("aws:PrincipalOrgPaths", CALLERS.user)))
            assert.is_nil((key("aws:PrincipalOrgPaths", caller("user", { org_paths = {} }))))
            local member = caller("user", { org_id = "o-1", org_paths = { "o-1/r-1/" } })
            assert.equal("o-1", (key("aws:PrincipalOrgID", member)))
            assert.same({ "o-1/r-1/" }, (key("aws:PrincipalOrgPaths", member)))
        end)

        it("hold one key for each tag, in any letter case", function()
            local function tag(tags, wanted)
                return pack.prefixes["aws:PrincipalTag/"](
                    context(caller("user", { tags = tags })), wanted)
            end
            assert.equal("blue", (tag({ Team = "blue" }, "team")))
            assert.equal("blue", (tag({ TEAM = "blue", other = "x" }, "team")))
            assert.equal("", (tag({ team = "" }, "team")))
            assert.same({}, { tag({ Team = "blue" }, "teams") })
            assert.same({}, { tag(nil, "team") })
            local value, err = tag({ Team = "blue", team = "red" }, "team")
            assert.is_nil(value)
            assert.matches("twice in different letter case", err, 1, true)
        end)
    end)


    describe("of the session", function()
        it("are absent for long-term credentials", function()
            for _, name in ipairs({ "root", "user", "anonymous", "service" }) do
                local principal = caller(name, { mfa = { present = true, age = 5 },
                                                 token_issue_time = 1 })
                assert.is_nil((key("aws:TokenIssueTime", principal)))
                assert.is_nil((key("aws:MultiFactorAuthPresent", principal)))
                assert.is_nil((key("aws:MultiFactorAuthAge", principal)))
            end
        end)

        for _, name in ipairs({ "session", "federated" }) do
            it("tell of the second factor: " .. name, function()
                for _, row in ipairs({
                    -- What is known, present, age.
                    { nil, false, nil },
                    { {}, false, nil },
                    { { present = false, age = 5 }, false, nil },
                    { { present = "true", age = 5 }, false, nil },
                    { { present = true }, true, nil },
                    { { present = true, age = 0 }, true, 0 },
                    { { present = true, age = 3600 }, true, 3600 },
                }) do
                    local principal = caller(name, { mfa = row[1] })
                    assert.equal(row[2], (key("aws:MultiFactorAuthPresent", principal)))
                    assert.equal(row[3], (key("aws:MultiFactorAuthAge", principal)))
                end
            end)

            it("tell when the token was issued: " .. name, function()
                assert.is_nil((key("aws:TokenIssueTime", caller(name))))
                assert.equal(1700000000,
                             (key("aws:TokenIssueTime",
                                  caller(name, { token_issue_time = 1700000000.5 }))))
                assert.equal("2023-11-14T22:13:20Z",
                             (key("aws:TokenIssueTime",
                                  caller(name, { token_issue_time = "2023-11-14T22:13:20Z" }))))
            end)
        end
    end)


    it("name the source only when a service calls", function()
        local SOURCE = CALLERS.service.source_arn
        for _, authorization in ipairs({ "NONE", "IAM", "LAMBDA", "COGNITO" }) do
            assert.equal(SOURCE, (pack.keys["aws:SourceArn"](
                context(CALLERS.service, authorization))))
            assert.is_nil((pack.keys["aws:SourceArn"](
                context(caller("user", { source_arn = SOURCE }), authorization))))
            assert.is_nil((pack.keys["aws:SourceArn"](context(nil, authorization))))
        end
    end)

    it("have one option", function()
        assert.is_true(pack.check({}))
        assert.is_true(pack.check({ anonymous_account = true }))
        assert.matches("unknown option `x`", select(2, pack.check({ x = 1 })), 1, true)
        assert.matches("give true or false", select(2, pack.check({ anonymous_account = "yes" })),
                       1, true)
    end)
end)
