local mutation = require("postern.testing.mutation")
local coverage = require("postern.coverage")
local testing = require("postern.testing")
local commands = require("spec.support.commands")


local POLICY = '{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Principal":"*",'
    .. '"Action":["execute-api:*","execute-api:Invoke"],"Resource":"execute-api:/dev/*"}]}'


local function nothing() end


-- What becomes of the mutants of one policy under some checks `{request, passes}`.
local function run(text, checks, files, progress)
    local report
    commands.with_files({ ["api.json"] = text }, function(folder)
        local policy = testing.policy(folder .. "/api.json", { api = "a" })
        local collected = coverage.new()
        collected:add(policy:sets()[1])
        local list = {}
        for i, check in ipairs(checks) do
            list[i] = { subject = policy, request = check[1], passes = check[2] }
        end
        report = mutation.run(collected:policies(), list, files or {}, progress or nothing)
    end)
    return report
end


local function whats(report)
    local all = {}
    for i, item in ipairs(report.survivors) do
        all[i] = ("%d:%d %s"):format(item.line, item.column, item.what)
    end
    return all
end


local function allowed(decision)
    return decision.allowed
end

local function denied(decision)
    return not decision.allowed
end


describe("mutation", function()
    it("lists what no check notices, and counts the rest", function()
        local report = run(POLICY, { { { path = "/dev/x" }, allowed } })
        assert.same({ "1:92 widened Action `execute-api:*` to `*`",
                      "1:141 widened Resource `execute-api:/dev/*` to `*`" }, {
            report.survivors[1] and whats(report)[1], whats(report)[#report.survivors] })
        assert.equal(report.mutants, report.noticed + report.refused + report.equal
            + #report.survivors)
        assert.equal(2, report.noticed)
        assert.equal(1, report.equal)
        local more = run(POLICY, { { { path = "/dev/x" }, allowed },
                                   { { path = "/prod/x" }, denied } })
        assert.equal(#report.survivors - 1, #more.survivors)
    end)

    it("survives where nobody asks", function()
        local report = run(POLICY, {})
        assert.equal(0, report.noticed)
        assert.equal(report.mutants - report.equal, #report.survivors)
    end)

    it("does not blame tests for what is no policy any more", function()
        local report = run('{"Version":"2012-10-17","Statement":{"Effect":"Deny","NotPrincipal":'
            .. '{"AWS":"123456789012"},"Action":"*","Resource":"*"}}',
            { { { path = "/dev/x" }, denied } })
        assert.equal(1, report.refused) -- NotPrincipal with Allow may not be attached
    end)

    it("takes a check that raises for one that fails", function()
        local report = run(POLICY, { { { path = "/dev/x" }, function(decision)
            return decision.deciding.sid == "A"
        end } })
        assert.equal(1, report.noticed)
    end)

    it("decides cases again, those that carry the policy", function()
        local seen = {}
        local function runner(swap)
            return { decide = function(_, text)
                seen[#seen + 1] = text
                local changed = swap({ name = text, text = POLICY })
                return changed and changed:find('"Deny"', 1, true)
                    and { error = { code = "attach" } }
                    or { decision = { decision = changed and "x" or "Allowed" } }
            end }
        end
        commands.with_files({ ["api.json"] = POLICY }, function(folder)
            local path = folder .. "/api.json"
            local collected = coverage.new()
            local set = testing.policy(path):sets()[1]
            collected:add(set)
            local report = mutation.run(collected:policies(), {}, { { runner = runner, cases = {
                { text = "other", line = 1, expect = "Allowed", keys = {} },
                { text = path, line = 2, expect = "Allowed", keys = mutation.keys_of({ set }) },
            } } }, nothing)
            assert.equal(1, report.refused)
            assert.equal(report.mutants - report.refused - report.equal, report.noticed)
            assert.equal(path, seen[1])
        end)
    end)

    it("tells how far it is", function()
        local last
        local report = run(POLICY, {}, {}, function(done, all) last = { done, all } end)
        assert.same({ report.mutants, report.mutants }, last)
    end)
end)
