-- Other services: every row of their table in spec/cases/flows/endpoints.json, with real policies.
local rules = require("postern.rules")
local plain = require("postern.host.plain")
local flows = require("spec.support.flows")


for _, tab in ipairs(flows.tables("spec/cases/flows/endpoints.json")) do
    if tab.name == "other services" then
        describe("the generic flow: " .. tab.name, function()
            for _, row in ipairs(tab.rows) do
                it("| " .. table.concat(row, " | ") .. " |", function()
                    local case = flows.case_of(tab.columns, row, tab.given)
                    local decision = flows.decide_service(case)
                    assert.equal(case.expect, decision.decision, tostring(decision:explain()))
                    assert.equal(case.reason, decision.reason)
                end)
            end
        end)
    end
end


describe("the generic flow", function()
    local pack, iam

    setup(function()
        pack = assert(rules.load("flows", "generic", plain.read))
        iam = assert(rules.load("flows", "iam", plain.read))
    end)

    local OUTCOMES = { "Allowed", "ImplicitlyDenied", "ExplicitlyDenied" }
    local MATCHES = { "direct", "wild", "role", "account" }

    -- Its own words aside, it is the iam flow.
    it("decides as the iam flow does where no resource policy has to speak", function()
        local count = 0
        for _, principal in ipairs({ flows.ALICE, flows.BOB, "*", "sns.amazonaws.com" }) do
            for _, identity in ipairs(OUTCOMES) do
                for _, resource in ipairs(OUTCOMES) do
                    for _, match in ipairs(MATCHES) do
                        local request = { principal = principal, action = "sqs:SendMessage",
                                          resource = "arn:aws:sqs:us-east-1:123456789012:q" }
                        local gates = { identity = { { outcome = identity } },
                                        resource = { { outcome = resource, match = match } } }
                        local function verdict(of)
                            return of.decide(gates, of.caller(request, {}, {}), {})
                        end
                        assert.same(verdict(iam), verdict(pack))
                        count = count + 1
                    end
                end
            end
        end
        assert.equal(144, count)
    end)

    it("can be told of more services whose resource policy has to speak", function()
        local case = { flow = "generic", action = "Acme:Use", caller = "user alice",
                       resource_arn = "arn:aws:acme:us-east-1:123456789012:x", identity = "Allow" }
        local config = { resource_must_allow = { "acme" } }
        assert.is_true(flows.decide_service(case).allowed)
        assert.equal("no_allow_resource", flows.decide_service(case, config).reason)
        case.resource = "account"
        assert.is_true(flows.decide_service(case, config).allowed)
    end)

    it("attaches policies to the resource itself", function()
        for resource, limit in pairs({
            ["arn:aws:kms:us-east-1:123456789012:key/1"] = 32768,
            ["arn:aws:sqs:us-east-1:123456789012:q"] = 8192,
            ["arn:aws:sns:us-east-1:123456789012:t"] = false, ["*"] = false,
        }) do
            assert.same({ resource, limit or nil }, { pack.resource_policy(resource) })
        end
    end)

    it("takes what the iam flow takes, and refuses the rest", function()
        assert.is_true(pack.check({ rcp_services = { "sqs" }, resource_must_allow = { "acme" } }))
        assert.is_true(pack.check({}))
        for _, config in ipairs({ { resource_must_allow = "kms" }, { resource_must_allow = { 1 } },
                                  { resource_must_allow = { "KMS" } }, { rcp_services = "s3" },
                                  { colour = 1 } }) do
            local ok, err = pack.check(config)
            assert.is_nil(ok)
            assert.is_string(err)
        end
    end)
end)
