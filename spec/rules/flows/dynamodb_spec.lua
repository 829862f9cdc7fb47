-- DynamoDB: every row of its table in spec/cases/flows/endpoints.json with real policies.
local rules = require("postern.rules")
local flow = require("postern.flow")
local plain = require("postern.host.plain")
local flows = require("spec.support.flows")


for _, tab in ipairs(flows.tables("spec/cases/flows/endpoints.json")) do
    if tab.name == "DynamoDB" then
        describe("the dynamodb flow: " .. tab.name, function()
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


describe("the dynamodb flow", function()
    it("says why it lets no anonymous caller in", function()
        local decision = flows.decide_service({
            flow = "dynamodb", action = "dynamodb:GetItem", caller = "anonymous",
            resource_arn = "arn:aws:dynamodb:us-east-1:123456789012:table/pets", resource = "Allow",
        })
        assert.equal("ImplicitlyDenied: the request is not signed (authentication)",
                     decision:summary())
        assert.is_nil(decision.deciding)
        assert.same({ 403, "MISSING_AUTHENTICATION_TOKEN" }, { decision.status, decision.code })
    end)

    it("attaches policies to tables, for their indexes too, and to streams", function()
        local pack = assert(rules.load("flows", "dynamodb", plain.read))
        local tab = "arn:aws:dynamodb:us-east-1:123456789012:table/pets"
        for resource, holder in pairs({
            [tab] = tab, [tab .. "/index/by-name"] = tab,
            [tab .. "/stream/2026-01-01T00:00:00.000"] = tab .. "/stream/2026-01-01T00:00:00.000",
            [tab .. "2"] = tab .. "2", ["*"] = "*",
        }) do
            local found, limit = pack.resource_policy(resource)
            assert.same({ holder, 20480 }, { found, limit }, resource)
        end
    end)

    it("decides actions of DynamoDB only", function()
        local pack = assert(rules.load("flows", "dynamodb", plain.read))
        local decision = assert(flow.new(pack, {})):decide({
            principal = flows.ALICE, action = "s3:GetObject", resource = "arn:aws:s3:::pictures",
        })
        assert.equal("the flow `dynamodb` decides no actions of `s3`", decision.error)
        assert.equal(500, decision.status)
    end)
end)
