-- Cases as data: each with its request, its policies, the decision, and the statement that decided.
local document = require("postern.document")
local cases = require("postern.cases")
local rules = require("postern.rules")
local plain = require("postern.host.plain")
local files = require("spec.support.files")


local function runner_for(name)
    return cases.new({
        name = name, read = plain.read,
        pack = assert(rules.load("flows", "iam", plain.read)),
    })
end


-- What a case file of this folder says beyond the format of `postern eval --cases`.
local function check_reason(doc, node, decision)
    local value = doc:value(node)
    assert.equal(value.expect, decision.decision)
    assert.equal(value.reason, decision.reason)
    if value.by == document.null then
        assert.is_nil(decision.deciding)
        return
    end
    for name, expected in pairs(value.by) do
        assert.equal(expected, decision.deciding[name], name)
    end
end


for _, path in ipairs(files.list("spec/cases", "^spec/cases/[^/]+%.json$")) do
    describe("the cases of " .. path, function()
        local text = files.read(path)
        local doc = assert(document.new(text, path))
        local runner = runner_for(path)

        for _, node in doc:items(doc:root()) do
            it(doc:text(doc:get(node, "id")), function()
                local line = doc:place(node)
                local case = runner:decide(doc:raw(node), line)
                assert.is_nil(case.error and case.error.message)
                check_reason(doc, node, case.decision)
                -- The place that is told is a place in this very file.
                if case.decision.deciding then
                    local number, told = 0, nil
                    for content in text:gmatch("([^\n]*)\n") do
                        number = number + 1
                        told = number == case.decision.deciding.line and content or told
                    end
                    assert.matches('"Effect": "' .. case.decision.deciding.effect .. '"', told, 1,
                                   true)
                end
            end)
        end
    end)
end


-- A larger collection that is not part of the project, where there is one.
local shared = os.getenv("POSTERN_SHARED") or "../shared"
local corpus = shared .. "/spec/cases.jsonl"

describe("the shared cases", function()
    it("are decided as expected", function()
        local lines = plain.lines(corpus)
        if not lines then
            pending("no file " .. corpus .. ": set POSTERN_SHARED")
            return
        end
        local runner, number, wrong = runner_for(corpus), 0, {}
        local text = lines()
        while text do
            number = number + 1
            local case = runner:decide(text, number)
            if not cases.as_expected(case) then
                wrong[#wrong + 1] = ("%s: expected %s, got %s"):format(case.id,
                    tostring(case.expect),
                    case.error and case.error.message or case.decision:summary())
            end
            text = lines()
        end
        assert.is_true(number > 0)
        assert.equal("", table.concat(wrong, "\n"))
    end)
end)
