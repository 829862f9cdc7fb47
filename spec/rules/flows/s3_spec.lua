-- S3: every row of its table in spec/cases/flows/endpoints.json with real policies.
local rules = require("postern.rules")
local flow = require("postern.flow")
local plain = require("postern.host.plain")
local flows = require("spec.support.flows")


for _, tab in ipairs(flows.tables("spec/cases/flows/endpoints.json")) do
    if tab.name == "S3" then
        describe("the s3 flow: " .. tab.name, function()
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


describe("the s3 flow", function()
    local pack

    setup(function()
        pack = assert(rules.load("flows", "s3", plain.read))
    end)

    local function decide(request, gates)
        request.principal = request.principal or flows.BOB
        return assert(flow.new(pack, gates)):decide(request)
    end

    it("knows the owner from the ARN, the request or the context", function()
        local gates = { identity = flows.compile("identity", flows.policy_text("Allow")) }
        local object = "arn:aws:s3:::pictures/cat"
        local point = "arn:aws:s3:us-east-1:123456789012:accesspoint/p/object/cat"
        local function reason(resource, more)
            return decide({ action = "s3:GetObject", resource = resource,
                            resourceAccount = more and more.account,
                            context = more and more.context }, gates).reason
        end
        assert.equal("allow", reason(object))
        assert.equal("no_allow_resource", reason(object, { account = "123456789012" }))
        assert.equal("no_allow_resource",
                     reason(object, { context = { ["aws:ResourceAccount"] = "123456789012" } }))
        assert.equal("no_allow_resource", reason(point))
        assert.equal("allow", reason(point, { account = "210987654321" }))
    end)

    it("decides actions of S3 only", function()
        for action, known in pairs({
            ["s3:GetObject"] = true, ["S3:ListBucket"] = true, ["s3express:CreateSession"] = true,
            ["s3-object-lambda:GetObject"] = true, ["sqs:SendMessage"] = false, ["s3"] = true,
            ["s3tables:GetTable"] = false, ["*"] = false,
        }) do
            local decision = decide({ action = action, resource = "arn:aws:s3:::pictures" }, {})
            assert.equal(known and "no_allow_identity" or "error", decision.reason, action)
            assert.is_false(decision.allowed)
        end
    end)

    it("attaches policies to buckets and access points", function()
        for resource, holder in pairs({
            ["arn:aws:s3:::pictures/cat"] = "arn:aws:s3:::pictures",
            ["arn:aws:s3:::pictures/a/b:c*"] = "arn:aws:s3:::pictures",
            ["arn:aws:s3:::pictures/"] = "arn:aws:s3:::pictures",
            ["arn:aws-cn:s3:::pictures"] = "arn:aws-cn:s3:::pictures",
            ["arn:aws:s3:us-east-1:123456789012:accesspoint/p/object/cat"] =
                "arn:aws:s3:us-east-1:123456789012:accesspoint/p",
            ["arn:aws:s3:us-east-1:123456789012:job/1"] = "arn:aws:s3:us-east-1:123456789012:job/1",
            ["arn:aws:s3:::"] = "arn:aws:s3:::", ["*"] = "*", [""] = "",
        }) do
            local found, limit = pack.resource_policy(resource)
            assert.same({ holder, 20480 }, { found, limit }, resource)
        end
    end)

    it("is bound by RCPs", function()
        local gates = { identity = flows.compile("identity", flows.policy_text("Allow")),
                        rcp = { flows.compile("rcp", flows.policy_text("Deny", '"*"')) } }
        assert.equal("explicit_deny", decide({ action = "s3:GetObject",
                                               resource = "arn:aws:s3:::pictures/cat" },
                                             gates).reason)
    end)
end)
