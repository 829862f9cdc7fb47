-- Whom the principals of an endpoint policy let through, for interface and gateway endpoints.
local json = require("dkjson")
local flows = require("spec.support.flows")


describe("principals of endpoint policies", function()
    for _, tab in ipairs(flows.tables("spec/cases/flows/endpoints.json")) do
        if tab.name == "principals of endpoint policies" then
            for _, row in ipairs(tab.rows) do
                it("| " .. table.concat(row, " | ") .. " |", function()
                    local case = flows.case_of(tab.columns, row)
                    for _, endpoint_type in ipairs({ "Interface", "Gateway" }) do
                        assert.equal(case[endpoint_type], flows.endpoint_outcome(endpoint_type,
                            case.principal, case.caller), endpoint_type)
                    end
                end)
            end
        end
    end
end)


describe("the shared endpoint rows", function()
    local rows = flows.shared_rows("endpoints.md", "## 2.")
    if not rows then
        pending("are not there: set POSTERN_SHARED, or put them at ../shared")
        return
    end
    for _, line in ipairs(rows) do
        it(line, function()
            local case = json.decode(line)
            local outcome = flows.endpoint_outcome(case.endpoint_type,
                                                   json.encode(case.principal), case.caller)
            assert.equal(case.endpoint_allow and "Allowed" or "ImplicitlyDenied", outcome)
        end)
    end

    it("are all there", function()
        assert.is_true(#rows >= 8)
    end)
end)
