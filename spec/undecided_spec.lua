--- Three-valued evaluation: an answer that does without some keys is the answer whatever they are.
--
-- A set of a generated case is asked with some of its keys hidden. What it answers is held against
-- every way of filling them from a small domain, and against the reference.

local postern = require "postern"
local differential = require "spec.support.differential"
local generate = require "spec.support.generate"
local json = require "spec.support.json"
local random_numbers = require "spec.support.random"
local reference = require "spec.support.reference"

local A = json.array

local HIDDEN = reference.UNRESOLVED
local SEED, COUNT = 20261122, 6000
local MOST_COMPLETIONS = 300 -- 6 values each: all of them for up to three keys, a sample beyond
local MOST_HIDDEN = 6

local OUTCOMES, MATCHES = postern.request.outcomes, postern.request.matches


-- ---- Sets and rows ---------------------------------------------------------

-- Every document of a case as { gate, document }, always in the same order.
local function documents_of(case)
    local found, gates = {}, {}
    for gate in pairs(case.policies) do
        gates[#gates + 1] = gate
    end
    table.sort(gates)
    local function visit(gate, attached)
        if not json.is_array(attached) then
            found[#found + 1] = { gate = gate, document = attached }
            return
        end
        for _, item in ipairs(attached) do
            visit(gate, item)
        end
    end
    for _, gate in ipairs(gates) do
        visit(gate, case.policies[gate])
    end
    return found
end


-- A set, its request, and the row of its keys: index to a text, a list of texts, or nil.
local function new_scene(found, source)
    local set = assert(postern.compile(json.encode(found.document), {
        type = found.gate, strictness = "structural",
        api_arn = found.gate == "resource" and differential.api_arn_of(source.resource) or nil,
    }))
    local scene = { set = set, request = assert(postern.request.new(set)), row = {},
                    gate = found.gate, document = found.document, source = source,
                    keys = set:keys() }
    for name, value in pairs(source.context) do
        local key = set:find_key(name)
        if key and type(value) == "table" then
            scene.row[key] = A {}
            for i, item in ipairs(value) do
                scene.row[key][i] = postern.request.value_text(item)
            end
        elseif key then
            scene.row[key] = postern.request.value_text(value)
        end
    end
    return scene
end


local function fill(scene, row)
    local request, source = scene.request, scene.source
    request:reset()
    request:principal(source.principal)
    request:action(source.action)
    request:resource(source.resource)
    for key = 0, #scene.keys - 1 do
        local value = row[key]
        if value == HIDDEN then
            request:unresolved(key)
        elseif type(value) == "table" then
            request:list(key)
            for _, item in ipairs(value) do
                request:append(key, item)
            end
        elseif value ~= nil then
            request:put(key, value)
        end
    end
end


-- To the flow it makes no difference whether the caller or everybody is named, so the core may
-- leave open which of the two it is; see `worth` in evaluate.c.
local function worth(match)
    return match == "wild" and "direct" or match
end


-- The answer as one text, and the name of the key it needs.
local function ask_core(scene, row)
    fill(scene, row)
    local outcome, match, _, key, status = scene.request:evaluate()
    assert.equal(0, status)
    local name = OUTCOMES[outcome]
    return name == "Allowed" and name .. " " .. worth(MATCHES[match]) or name,
        name == "Undecided" and key or nil
end


local function overlaid(row, more)
    local result = {}
    for key, value in pairs(row) do
        result[key] = value
    end
    for key, value in pairs(more) do
        result[key] = value
    end
    return result
end


-- ---- Domains ---------------------------------------------------------------

local ABSENT = {} -- stands for nil, which a list cannot hold


-- The first value the policy compares a key with, or nil.
local function policy_value_for(scene, key)
    for statement = 0, scene.set:statement_count() - 1 do
        for i = 0, scene.set:statement(statement).condition_count - 1 do
            local condition = scene.set:condition(statement, i)
            if condition.key_index == key and condition.values[1] then
                return condition.values[1]
            end
        end
    end
end


-- What a hidden key is taken to be: absent, what it is, two other values, a list, an empty list.
local function domain_of(scene, key)
    local real = scene.row[key]
    local near = policy_value_for(scene, key) or "pets"
    return { ABSENT, real == nil and ABSENT or real, near, "other", A { near, "other" }, A {} }
end


local function present(value)
    return value ~= ABSENT and value or nil
end


-- Calls visit(row) for every completion, or for a sample when there are too many.
local function each_completion(scene, hidden, random, visit)
    local domains, total = {}, 1
    for i, key in ipairs(hidden) do
        domains[i] = domain_of(scene, key)
        total = total * #domains[i]
    end
    for number = 0, math.min(total, MOST_COMPLETIONS) - 1 do
        local row, rest = overlaid(scene.row, {}), number
        for i, key in ipairs(hidden) do
            local size = #domains[i]
            local at = total > MOST_COMPLETIONS and random(size) or rest % size + 1
            row[key], rest = present(domains[i][at]), math.floor(rest / size)
        end
        visit(row)
    end
end


local function choose_hidden(scene, random)
    local hidden, mask = {}, {}
    for key = 0, #scene.keys - 1 do
        if #hidden < MOST_HIDDEN and random(2) == 1 then
            hidden[#hidden + 1] = key
            mask[key] = HIDDEN
        end
    end
    return hidden, overlaid(scene.row, mask)
end


-- ---- The properties --------------------------------------------------------

local function fail(scene, index, hidden, why)
    local names = {}
    for i, key in ipairs(hidden) do
        names[i] = scene.keys[key + 1]
    end
    error(("case %d, %s, hidden %s: %s\n%s\n%s"):format(index, scene.gate,
        table.concat(names, " "), why, json.encode(scene.document), json.encode(scene.source)), 0)
end


-- Whether the answers of all completions are the same, and which differs from `wanted`.
local function compare_completions(scene, hidden, random, ask, wanted)
    local first, differs, wrong
    each_completion(scene, hidden, random, function(row)
        local answer = ask(scene, row)
        first = first or answer
        differs = differs or answer ~= first
        wrong = wrong or (answer ~= wanted and answer) or nil
    end)
    return differs or false, wrong
end


-- Resolves the keys that are asked for, one at a time. Returns the last answer and the steps.
local function resolve(scene, row, ask)
    local steps = 0
    row = overlaid(row, {})
    local answer, key = ask(scene, row)
    while key do
        if row[key] ~= HIDDEN then
            return ("asks for %s, which is not hidden"):format(scene.keys[key + 1]), steps
        end
        row[key] = scene.row[key]
        steps = steps + 1
        answer, key = ask(scene, row)
    end
    return answer, steps
end


-- Tries both properties on one set with some keys hidden. Returns nil, or what is wrong.
local function problem(scene, hidden, row, random, ask, count)
    local answer = ask(scene, row)
    if answer ~= "Undecided" then
        local _, wrong = compare_completions(scene, hidden, random, ask, answer)
        count.decided = count.decided + 1
        return wrong and ("answers %s, but %s for some values"):format(answer, wrong)
    end
    count.undecided = count.undecided + 1
    local differs = compare_completions(scene, hidden, random, ask)
    count.matters = count.matters + (differs and 1 or 0)
    local last, steps = resolve(scene, row, ask)
    local full = ask(scene, scene.row)
    if last ~= full then
        return ("resolved as asked it is %s, at once %s"):format(last, full)
    end
    return steps > #hidden and "takes more steps than there are keys" or nil
end


-- Visits every set that has keys to hide.
local function each_scene(first, last, visit)
    for index = first, last do
        local case = generate.case(SEED, index)
        local random = random_numbers.new(SEED + index * 7919)
        for _, found in ipairs(documents_of(case)) do
            local scene = new_scene(found, case.request)
            local hidden, row = choose_hidden(scene, random)
            if #hidden > 0 then
                visit(scene, hidden, row, random, index)
            end
        end
    end
end


-- ---- The reference ---------------------------------------------------------

local function ask_reference(scene, row)
    local context = {}
    for key, name in ipairs(scene.keys) do
        context[name] = row[key - 1]
    end
    local source = scene.source
    return reference.evaluate_policy(scene.document, scene.gate, {
        principal = source.principal, action = source.action, resource = source.resource,
        context = context,
    })
end


-- A statement that the reference cannot tell, of some effect.
local function has_unknown(result, effect)
    for _, verdict in ipairs(result.statements) do
        if verdict.effect == effect and verdict.result ~= 0 and verdict.result ~= 1 then
            return true
        end
    end
    return false
end


-- How the two may differ, and no further. The core decides *less* where an Allow matches and one
-- that may match is stronger: the flow wants the strongest, so what is granted is still open, while
-- the reference answers only whether something allows. The core decides *more* where a condition on
-- a hidden key cannot hold, or holds in any case (Null with both answers, no readable value), and
-- where a Deny matches by a weaker Principal than it perhaps could.
local function compare(scene, row)
    local core, key = ask_core(scene, row)
    local theirs = ask_reference(scene, row)
    if core == "Undecided" and theirs.outcome == "Undecided" then
        return "both undecided", theirs.keys[scene.keys[key + 1]]
    elseif core == "Undecided" then
        return "core undecided", theirs.outcome == "Allowed" and has_unknown(theirs, "Allow")
    elseif theirs.outcome == "Undecided" then
        return "reference undecided", has_unknown(theirs, "Allow") or has_unknown(theirs, "Deny")
    end
    local wanted = theirs.outcome == "Allowed" and "Allowed " .. worth(theirs.match_kind)
        or theirs.outcome
    return "both decided", core == wanted
end


describe("a set with hidden keys", function()
    it("answers what it would answer whatever they are, or asks for what it needs", function()
        local count = { decided = 0, undecided = 0, matters = 0 }
        each_scene(1, COUNT, function(scene, hidden, row, random, index)
            local why = problem(scene, hidden, row, random, ask_core, count)
            if why then
                fail(scene, index, hidden, why)
            end
        end)
        assert.is_true(count.decided > COUNT / 10, "decided " .. count.decided)
        assert.is_true(count.undecided > COUNT / 10, "undecided " .. count.undecided)
        -- Kleene's logic cannot see that `x or not x` holds, and the domain is small; but as a rule
        -- what is undecided does depend on what is hidden.
        assert.is_true(count.matters > count.undecided * 0.8,
            ("%d of %d matter"):format(count.matters, count.undecided))
    end)

    it("agrees with the reference where both decide, and differs only as explained", function()
        local seen = {}
        each_scene(1, COUNT, function(scene, hidden, row, _, index)
            local relation, right = compare(scene, row)
            seen[relation] = (seen[relation] or 0) + 1
            if not right then
                fail(scene, index, hidden, relation .. ", but not as explained")
            end
        end)
        for _, relation in ipairs { "both decided", "both undecided", "reference undecided" } do
            assert.is_true((seen[relation] or 0) > 10, relation .. " " .. (seen[relation] or 0))
        end
    end)

    it("asks for the stronger Allow, where the reference is content with one", function()
        local scene = new_scene({ gate = "resource", document = {
            Version = "2012-10-17",
            Statement = A {
                { Effect = "Allow", Principal = { AWS = "111122223333" }, Action = "*",
                  Resource = "*" },
                { Effect = "Allow", Principal = "*", Action = "*", Resource = "*",
                  Condition = { Bool = { ["app:open"] = "true" } } },
            },
        } }, { principal = "arn:aws:iam::111122223333:user/alice", action = "s3:GetObject",
               resource = "arn:aws:s3:::b", context = { ["app:open"] = "true" } })
        local hidden = { [0] = HIDDEN }
        assert.equal("Undecided", (ask_core(scene, hidden)))
        assert.equal("Allowed", ask_reference(scene, hidden).outcome)
        assert.equal("core undecided", (compare(scene, hidden)))
        assert.equal("Allowed direct", (ask_core(scene, scene.row)))
        assert.equal("Allowed account", (ask_core(scene, {})))
    end)
end)


describe("a wrong core is found out:", function()
    local WRONG = {
        ["one that takes hidden for absent"] = function(scene, row)
            local known = {}
            for key, value in pairs(row) do
                known[key] = value ~= HIDDEN and value or nil
            end
            return ask_core(scene, known)
        end,
        ["one that takes undecided for a deny"] = function(scene, row)
            local answer = ask_core(scene, row)
            return answer == "Undecided" and "ImplicitlyDenied" or answer
        end,
        ["one that asks for the next key"] = function(scene, row)
            local answer, key = ask_core(scene, row)
            return answer, key and (key + 1) % #scene.keys
        end,
    }

    for name, ask in pairs(WRONG) do
        it(name, function()
            local found, count = 0, { decided = 0, undecided = 0, matters = 0 }
            each_scene(1, 200, function(scene, hidden, row, random)
                found = found + (problem(scene, hidden, row, random, ask, count) and 1 or 0)
            end)
            assert.is_true(found > 0)
        end)
    end
end)
