-- Every rule of the combination, without the core: outcomes in, verdict out.
local rules = require("postern.rules")
local plain = require("postern.host.plain")


local ALLOW, DENY, SILENT = "Allowed", "ExplicitlyDenied", "ImplicitlyDenied"

local ALICE = "arn:aws:iam::123456789012:user/alice"
local BOB = "arn:aws:iam::210987654321:user/bob"
local SESSION = "arn:aws:sts::123456789012:assumed-role/Deployer/run"
local FEDERATED = "arn:aws:sts::123456789012:federated-user/alice"
local ROOT = "arn:aws:iam::123456789012:root"
local OTHER_ROOT = "arn:aws:iam::210987654321:root"
local SERVICE = "sns.amazonaws.com"
local ANYONE = "*"


describe("the iam flow", function()
    local pack

    setup(function()
        pack = assert(rules.load("flows", "iam", plain.read))
    end)

    -- A gate is written as an outcome, as "direct" and its like for a matching resource policy, or
    -- as a list of outcomes, one a level.
    local function results_of(written)
        local matches = { direct = true, wild = true, role = true, account = true }
        local results = {}
        for level, one in ipairs(type(written) == "table" and written or { written }) do
            results[level] = matches[one] and { outcome = ALLOW, match = one } or { outcome = one }
        end
        return results
    end

    local function decide(principal, written, request, config)
        request = request or {}
        request.principal = principal
        request.action = request.action or "sqs:SendMessage"
        request.resource = request.resource or "arn:aws:sqs:us-east-1:123456789012:orders"
        local gates, attached = {}, {}
        for name, gate in pairs(written) do
            gates[name], attached[name] = results_of(gate), true
        end
        local caller = pack.caller(request, attached, config)
        for name in pairs(caller.skips) do
            gates[name] = gates[name] and {}
        end
        return pack.decide(gates, caller, config), caller
    end

    -- Principal, gates, decision, reason, the gate whose statement decided.
    local CASES = {
        -- Nothing attached.
        { ALICE, {}, SILENT, "no_allow_identity" },
        { ANYONE, {}, SILENT, "no_allow_resource" },
        { SERVICE, {}, SILENT, "no_allow_resource" },
        { BOB, {}, SILENT, "no_allow_resource" },

        -- Same account: either side grants (table A, by row).
        { ALICE, { identity = ALLOW, resource = "wild" }, ALLOW, "allow", "identity" },
        { ALICE, { identity = ALLOW, resource = SILENT }, ALLOW, "allow", "identity" },
        { ALICE, { identity = ALLOW, resource = DENY }, DENY, "explicit_deny", "resource" },
        { ALICE, { identity = SILENT, resource = "wild" }, ALLOW, "allow", "resource" },
        { ALICE, { identity = SILENT, resource = SILENT }, SILENT, "no_allow_resource" },
        { ALICE, { identity = SILENT, resource = DENY }, DENY, "explicit_deny", "resource" },
        { ALICE, { identity = DENY, resource = "wild" }, DENY, "explicit_deny", "identity" },
        { ALICE, { identity = DENY, resource = SILENT }, DENY, "explicit_deny", "identity" },
        { ALICE, { identity = DENY, resource = DENY }, DENY, "explicit_deny", "resource" },

        -- Across accounts: both must (table B, by row).
        { BOB, { identity = ALLOW, resource = "direct" }, ALLOW, "allow", "identity" },
        { BOB, { identity = ALLOW, resource = SILENT }, SILENT, "no_allow_resource" },
        { BOB, { identity = ALLOW, resource = DENY }, DENY, "explicit_deny", "resource" },
        { BOB, { identity = SILENT, resource = "direct" }, SILENT, "no_allow_identity" },
        { BOB, { identity = SILENT, resource = SILENT }, SILENT, "no_allow_resource" },
        { BOB, { identity = SILENT, resource = DENY }, DENY, "explicit_deny", "resource" },
        { BOB, { identity = DENY, resource = "direct" }, DENY, "explicit_deny", "identity" },
        { BOB, { identity = DENY, resource = SILENT }, DENY, "explicit_deny", "identity" },
        { BOB, { identity = DENY, resource = DENY }, DENY, "explicit_deny", "resource" },
        -- The account counts as the resource side there; wild does not replace the identity side.
        { BOB, { identity = ALLOW, resource = "account" }, ALLOW, "allow", "identity" },
        { BOB, { identity = ALLOW, resource = "role" }, ALLOW, "allow", "identity" },
        { BOB, { resource = "wild" }, SILENT, "no_allow_identity" },
        { BOB, { identity = ALLOW, resource = "wild", boundary = SILENT }, SILENT,
          "no_allow_boundary" },
        { BOB, { identity = ALLOW, resource = "wild", session = SILENT }, SILENT,
          "no_allow_session" },

        -- The account alone only delegates within its own account.
        { ALICE, { resource = "account" }, SILENT, "no_allow_identity" },
        { ALICE, { identity = ALLOW, resource = "account" }, ALLOW, "allow", "identity" },

        -- The boundary and the session policy intersect with the identity side and grant nothing.
        { ALICE, { boundary = ALLOW }, SILENT, "no_allow_identity" },
        { ALICE, { session = ALLOW }, SILENT, "no_allow_identity" },
        { ALICE, { identity = ALLOW, boundary = ALLOW }, ALLOW, "allow", "identity" },
        { ALICE, { identity = ALLOW, boundary = SILENT }, SILENT, "no_allow_boundary" },
        { SESSION, { identity = ALLOW }, ALLOW, "allow", "identity" },
        { SESSION, { identity = ALLOW, session = ALLOW }, ALLOW, "allow", "identity" },
        { SESSION, { identity = ALLOW, session = SILENT }, SILENT, "no_allow_session" },
        { ALICE, { identity = ALLOW, boundary = DENY }, DENY, "explicit_deny", "boundary" },
        { SESSION, { identity = ALLOW, session = DENY }, DENY, "explicit_deny", "session" },

        -- A grant to the caller itself or to everybody is not cut by their silence ...
        { ALICE, { resource = "direct", boundary = SILENT }, ALLOW, "allow", "resource" },
        { SESSION, { resource = "direct", boundary = SILENT, session = SILENT }, ALLOW, "allow",
          "resource" },
        { SESSION, { resource = "wild", boundary = SILENT, session = SILENT }, ALLOW, "allow",
          "resource" },
        -- ... one to the role behind the session is ...
        { SESSION, { resource = "role" }, ALLOW, "allow", "resource" },
        { SESSION, { resource = "role", boundary = ALLOW, session = ALLOW }, ALLOW, "allow",
          "resource" },
        { SESSION, { resource = "role", boundary = SILENT }, SILENT, "no_allow_boundary" },
        { SESSION, { resource = "role", session = SILENT }, SILENT, "no_allow_session" },
        -- ... and a deny there always counts.
        { ALICE, { resource = "direct", boundary = DENY }, DENY, "explicit_deny", "boundary" },
        { SESSION, { resource = "wild", session = DENY }, DENY, "explicit_deny", "session" },

        -- A federated-user session has only what its session policy passes on.
        { FEDERATED, { identity = ALLOW }, SILENT, "no_allow_session" },
        { FEDERATED, { identity = ALLOW, session = ALLOW }, ALLOW, "allow", "identity" },
        { FEDERATED, { identity = ALLOW, session = SILENT }, SILENT, "no_allow_session" },
        { FEDERATED, { resource = "direct" }, ALLOW, "allow", "resource" },
        -- The user behind it is limited like a role.
        { FEDERATED, { resource = "role" }, SILENT, "no_allow_session" },
        { FEDERATED, { resource = "role", session = ALLOW }, ALLOW, "allow", "resource" },

        -- The root user: everything in its own account, but SCPs, RCPs and denies count.
        { ROOT, {}, ALLOW, "allow" },
        { ROOT, { resource = SILENT }, ALLOW, "allow" },
        { ROOT, { resource = DENY }, DENY, "explicit_deny", "resource" },
        { ROOT, { endpoint = SILENT }, SILENT, "no_allow_endpoint" },
        { ROOT, { scp = SILENT }, SILENT, "no_allow_scp" },
        { ROOT, { scp = DENY }, DENY, "explicit_deny", "scp" },
        { ROOT, { rcp = DENY }, DENY, "explicit_deny", "rcp" },
        -- Root of another account: its side allows, the resource policy still has to.
        { OTHER_ROOT, {}, SILENT, "no_allow_resource" },
        { OTHER_ROOT, { resource = "account" }, ALLOW, "allow", "resource" },

        -- Every SCP level must allow; none grants.
        { ALICE, { scp = { ALLOW } }, SILENT, "no_allow_identity" },
        { ALICE, { scp = { ALLOW, ALLOW }, identity = ALLOW }, ALLOW, "allow", "identity" },
        { ALICE, { scp = { ALLOW, SILENT }, identity = ALLOW }, SILENT, "no_allow_scp" },
        { ALICE, { scp = { SILENT, ALLOW }, identity = ALLOW }, SILENT, "no_allow_scp" },
        { ALICE, { scp = { SILENT, DENY }, identity = ALLOW }, DENY, "explicit_deny", "scp" },
        { ALICE, { scp = SILENT, resource = "direct" }, SILENT, "no_allow_scp" },
        -- They bind principals of accounts only.
        { ANYONE, { scp = DENY, resource = "wild" }, ALLOW, "allow", "resource" },
        { SERVICE, { scp = DENY, resource = "direct" }, ALLOW, "allow", "resource" },
        -- So does the identity side.
        { ANYONE, { identity = DENY, boundary = DENY, session = DENY, resource = "wild" }, ALLOW,
          "allow", "resource" },
        { ANYONE, { identity = ALLOW }, SILENT, "no_allow_resource" },
        { SERVICE, { identity = ALLOW, resource = SILENT }, SILENT, "no_allow_resource" },

        -- RCPs only deny, and deny everybody.
        { ALICE, { rcp = ALLOW }, SILENT, "no_allow_identity" },
        { ALICE, { rcp = SILENT, identity = ALLOW }, ALLOW, "allow", "identity" },
        { ALICE, { rcp = { SILENT, DENY }, identity = ALLOW }, DENY, "explicit_deny", "rcp" },
        { ANYONE, { rcp = DENY, resource = "wild" }, DENY, "explicit_deny", "rcp" },
        { SERVICE, { rcp = DENY, resource = "direct" }, DENY, "explicit_deny", "rcp" },
        { BOB, { rcp = DENY, identity = ALLOW, resource = "direct" }, DENY, "explicit_deny",
          "rcp" },

        -- The endpoint must allow and never grants.
        { ANYONE, { endpoint = ALLOW }, SILENT, "no_allow_resource" },
        { ANYONE, { endpoint = ALLOW, resource = "wild" }, ALLOW, "allow", "resource" },
        { ANYONE, { endpoint = SILENT, resource = "wild" }, SILENT, "no_allow_endpoint" },
        { ANYONE, { endpoint = SILENT, resource = DENY }, DENY, "explicit_deny", "resource" },
        { ANYONE, { endpoint = DENY, resource = SILENT }, DENY, "explicit_deny", "endpoint" },
        { ALICE, { endpoint = SILENT, identity = ALLOW }, SILENT, "no_allow_endpoint" },

        -- The first deny in the order scp, rcp, endpoint, resource, identity, boundary, session.
        { SESSION, { scp = DENY, rcp = DENY, endpoint = DENY, resource = DENY, identity = DENY,
                     boundary = DENY, session = DENY }, DENY, "explicit_deny", "scp" },
        { SESSION, { rcp = DENY, endpoint = DENY, resource = DENY, session = DENY }, DENY,
          "explicit_deny", "rcp" },
        { SESSION, { boundary = DENY, identity = DENY }, DENY, "explicit_deny", "identity" },
        -- The first gate without an allow.
        { ALICE, { scp = SILENT, endpoint = SILENT, identity = SILENT }, SILENT, "no_allow_scp" },
        { ALICE, { endpoint = SILENT, identity = SILENT }, SILENT, "no_allow_endpoint" },
        { ALICE, { identity = SILENT, boundary = SILENT, session = SILENT }, SILENT,
          "no_allow_identity" },
        { ALICE, { identity = ALLOW, boundary = SILENT, session = SILENT }, SILENT,
          "no_allow_boundary" },
    }

    for i, case in ipairs(CASES) do
        local principal, written, decision, reason, gate = unpack(case, 1, 5)
        it(("decides row %d: %s: %s"):format(i, principal, reason), function()
            local verdict = decide(principal, written)
            assert.equal(decision, verdict.decision)
            assert.equal(reason, verdict.reason)
            assert.equal(gate, verdict.gate)
        end)
    end

    it("takes no answer of a gate for no allow", function()
        local request = { principal = ALICE, action = "sqs:SendMessage",
                          resource = "arn:aws:sqs:us-east-1:123456789012:orders" }
        local verdict = pack.decide({ identity = {} }, pack.caller(request, { identity = true }))
        assert.equal(SILENT, verdict.decision)
        assert.equal(SILENT, verdict.gates.identity)
    end)

    it("answers one of three outcomes for every combination, and never lets a deny through",
       function()
        local outcomes = { false, ALLOW, DENY, SILENT }
        local principals = { ALICE, BOB, SESSION, FEDERATED, ROOT, SERVICE, ANYONE }
        local count = 0
        for n = 0, 4 ^ 7 - 1 do
            local written, rest = {}, n
            for _, name in ipairs(pack.gates) do
                written[name] = outcomes[rest % 4 + 1] or nil
                rest = math.floor(rest / 4)
            end
            if written.resource == ALLOW then
                written.resource = ({ "direct", "wild", "role", "account" })[n % 4 + 1]
            end
            local verdict, caller = decide(principals[n % #principals + 1], written)
            local denied = false
            for name, outcome in pairs(written) do
                denied = denied or (outcome == DENY and not caller.skips[name])
            end
            assert.equal(denied, verdict.decision == DENY)
            assert.is_string(verdict.reason)
            count = count + 1
        end
        assert.equal(16384, count)
    end)

    it("names the level that denied", function()
        assert.equal(3, (decide(ALICE, { scp = { ALLOW, SILENT, DENY } })).level)
    end)

    it("tells what every gate said", function()
        local verdict = decide(ANYONE, { scp = DENY, rcp = SILENT, resource = "wild" })
        assert.same({
            scp = "NotApplicable", rcp = ALLOW, endpoint = "NotAttached", resource = ALLOW,
            identity = "NotAttached", boundary = "NotAttached", session = "NotAttached",
        }, verdict.gates)
        assert.equal("wild", verdict.match_kind)
    end)

    it("does not apply RCPs to a service they do not act on", function()
        local call = { action = "execute-api:Invoke",
                       resource = "arn:aws:execute-api:us-east-1:123456789012:abc/dev/GET/pets" }
        local verdict = decide(ANYONE, { rcp = DENY, resource = "wild" }, call)
        assert.equal(ALLOW, verdict.decision)
        assert.equal("NotApplicable", verdict.gates.rcp)
        verdict = decide(ANYONE, { rcp = DENY, resource = "wild" }, call,
                         { rcp_services = { "execute-api" } })
        assert.equal(DENY, verdict.decision)
    end)

    it("reads the action's prefix in any letter case for RCPs", function()
        local verdict = decide(ANYONE, { rcp = DENY, resource = "wild" }, { action = "SQS:Send" })
        assert.equal(DENY, verdict.decision)
    end)

    describe("knows the caller", function()
        local CALLERS = {
            { ANYONE, "anonymous", nil }, { SERVICE, "service", nil },
            { ALICE, "user", "123456789012" }, { ROOT, "root", "123456789012" },
            { SESSION, "session", "123456789012" }, { FEDERATED, "federated", "123456789012" },
            { "arn:aws:iam::123456789012:user/team/alice", "user", "123456789012" },
            { "arn:aws-cn:iam::123456789012:root", "root", "123456789012" },
            { "arn:aws:iam::123456789012:role/Deployer", "role", "123456789012" },
            -- Providers and canonical ids have no account here.
            { "arn:aws:iam::123456789012:saml-provider/corp", "service", nil },
            { ("0123456789abcdef"):rep(4), "service", nil },
            { "arn:aws:iam::123456789012:rootless", "service", nil },
        }
        for _, row in ipairs(CALLERS) do
            it(row[1], function()
                local caller = pack.caller({ principal = row[1], action = "a:b", resource = "*" },
                                           {}, {})
                assert.equal(row[2], caller.kind)
                assert.equal(row[3], caller.account)
            end)
        end
    end)

    describe("knows the owner", function()
        local function owner(request)
            request.principal, request.action = ALICE, "s3:GetObject"
            return pack.caller(request, {}, {}).owner
        end

        it("from the request first", function()
            assert.equal("1", owner({ resource = "arn:aws:sqs:r:2:q", resourceAccount = "1" }))
        end)
        it("then from the ARN", function()
            assert.equal("2", owner({ resource = "arn:aws:sqs:r:2:q",
                                      context = { ["aws:ResourceAccount"] = "3" } }))
        end)
        it("then from the context, in any letter case", function()
            assert.equal("3", owner({ resource = "arn:aws:s3:::b/k",
                                      context = { ["AWS:resourceaccount"] = "3" } }))
        end)
        it("then it is the caller's own", function()
            assert.equal("123456789012", owner({ resource = "arn:aws:s3:::b/k" }))
        end)
        it("and a list in the context is not an account", function()
            assert.equal("123456789012", owner({ resource = "arn:aws:s3:::b/k",
                                                 context = { ["aws:ResourceAccount"] = { "3" } } }))
        end)
    end)

    it("says that a caller is bounded only when it has an account and a boundary", function()
        local _, alice = decide(ALICE, { boundary = ALLOW })
        local _, nobody = decide(ANYONE, { boundary = ALLOW })
        local _, free = decide(ALICE, {})
        assert.is_true(alice.bounded)
        assert.is_false(nobody.bounded)
        assert.is_false(free.bounded)
    end)

    it("checks its configuration", function()
        assert.is_true(pack.check({}))
        assert.is_true(pack.check({ rcp_services = { "sns" } }))
        assert.matches("unknown option `rcp`", select(2, pack.check({ rcp = {} })), 1, true)
        assert.matches("give a list", select(2, pack.check({ rcp_services = "sns" })), 1, true)
        assert.matches("lower case", select(2, pack.check({ rcp_services = { "SNS" } })), 1, true)
    end)
end)
