--- What may be done to policies without changing a decision, or changing it in one direction only.
--
-- Every invariant is tried on generated cases through the whole flow, and once more with a core
-- that is wrong in the way the invariant should notice, to show that it can fail.

local sets = require "postern.set"
local flow = require "postern.flow"
local rules = require "postern.rules"
local differential = require "spec.support.differential"
local generate = require "spec.support.generate"
local json = require "spec.support.json"
local random_numbers = require "spec.support.random"

local A = json.array

local SEED, COUNT = 20261121, 3000
local LISTED = { scp = true, rcp = true, identity = true }

local pack = assert(rules.load("flows", "iam", require("postern.host.plain").read))


-- ---- The core --------------------------------------------------------------

-- The documents of a gate as levels; every gate but scp and rcp has one.
local function levels_of(gate, attached)
    if not LISTED[gate] then
        return { { attached } }
    elseif gate == "identity" then
        return #attached > 0 and { attached } or {}
    end
    local levels = {}
    for i, level in ipairs(attached) do
        levels[i] = json.is_array(level) and level or { level }
    end
    return levels
end


local function compile(documents, gate, api_arn, encode)
    local policies = {}
    for i, document in ipairs(documents) do
        policies[i] = { name = gate .. i, text = encode(document) }
    end
    return assert(sets.compile(policies, {
        type = gate, strictness = "structural", api_arn = api_arn,
    }))
end


local function ask(case, encode)
    local gates = {}
    for gate, attached in pairs(case.policies) do
        local api_arn = gate == "resource" and differential.api_arn_of(case.request.resource) or nil
        local compiled = {}
        for i, documents in ipairs(levels_of(gate, attached)) do
            compiled[i] = compile(documents, gate, api_arn, encode or json.encode)
        end
        gates[gate] = (gate == "scp" or gate == "rcp") and compiled or compiled[1]
    end
    local decision = assert(flow.new(pack, gates)):decide(case.request)
    assert(decision.reason ~= "error", decision.error)
    return decision
end


-- ---- Chance and tables -----------------------------------------------------

-- Lehmer's generator: enough for shuffling, and the same everywhere.
local function copy(value)
    if type(value) ~= "table" then
        return value
    end
    local result = setmetatable({}, getmetatable(value))
    for key, item in pairs(value) do
        result[key] = copy(item)
    end
    return result
end


local function shuffle(random, list)
    for i = #list, 2, -1 do
        local j = random(i)
        list[i], list[j] = list[j], list[i]
    end
end


local function sorted_names(object)
    local names = {}
    for name in pairs(object) do
        names[#names + 1] = name
    end
    table.sort(names)
    return names
end


-- Every document of a case as { gate, document }, always in the same order.
local function documents_of(case)
    local found = {}
    for _, gate in ipairs(sorted_names(case.policies)) do
        for _, documents in ipairs(levels_of(gate, case.policies[gate])) do
            for _, document in ipairs(documents) do
                found[#found + 1] = { gate = gate, document = document }
            end
        end
    end
    return found
end


local function unwrapped(document)
    if not json.is_array(document.Statement) then
        document.Statement = A { document.Statement }
    end
    return document.Statement
end


-- ---- Changes ---------------------------------------------------------------
--
-- A change takes a copy of a case and returns the changed one, or nil when it has nothing to do.

-- Every list of a policy is an "or" or an "and", so its order never matters.
local function shuffle_lists(random, value)
    if type(value) ~= "table" then
        return
    elseif json.is_array(value) then
        shuffle(random, value)
        for _, item in ipairs(value) do
            shuffle_lists(random, item)
        end
    else
        for _, name in ipairs(sorted_names(value)) do
            shuffle_lists(random, value[name])
        end
    end
end


local function shuffle_all(case, random)
    shuffle_lists(random, case.policies)
    return case
end


-- A statement for a gate, from another generated case, with the effect that is wanted; nil when
-- that case has none. Half of them are made broad: those match far more often.
local function foreign_statement(random, gate, effect)
    local other = generate.case(SEED + 1, random(100000))
    for _, found in ipairs(documents_of(other)) do
        if found.gate == gate and #unwrapped(found.document) > 0 then
            local statement = found.document.Statement[random(#found.document.Statement)]
            statement.Effect = effect
            if random(2) == 1 then
                statement.Action, statement.NotAction = "*", nil
                statement.Resource, statement.NotResource = "*", nil
                statement.Condition = random(2) == 1 and statement.Condition or nil
            end
            return statement
        end
    end
end


local function add_statement(effect)
    return function(case, random)
        local found = documents_of(case)
        local target = #found > 0 and found[random(#found)]
        local statement = target and foreign_statement(random, target.gate, effect)
        if not statement then
            return nil
        end
        local list = unwrapped(target.document)
        table.insert(list, random(#list + 1), statement)
        return case
    end
end


-- Deals the statements of a document to two.
local function halves(random, document)
    local first, second = A {}, A {}
    for _, statement in ipairs(unwrapped(document)) do
        table.insert(random(2) == 1 and first or second, statement)
    end
    return { Version = document.Version, Statement = first },
        { Version = document.Version, Statement = second }
end


-- Splits every identity policy, and every policy of an SCP level, whose policies allow together.
local function split_policies(case, random)
    local identity, scp = case.policies.identity, case.policies.scp
    if not identity and not scp then
        return nil
    end
    local function split_list(documents)
        local result = A {}
        for _, document in ipairs(documents) do
            result[#result + 1], result[#result + 2] = halves(random, document)
        end
        return result
    end
    case.policies.identity = identity and split_list(identity)
    for i, level in ipairs(scp and levels_of("scp", scp) or {}) do
        scp[i] = split_list(level)
    end
    return case
end


local function each_resource(document, visit)
    for _, statement in ipairs(unwrapped(document)) do
        for _, name in ipairs { "Resource", "NotResource" } do
            local value = statement[name]
            if type(value) == "string" then
                statement[name] = visit(value)
            end
            for i = 1, json.is_array(value) and #value or 0 do
                value[i] = visit(value[i])
            end
        end
    end
end


-- The short form of an API's own resources becomes the full ARN, and the other way round.
local function swap_short_forms(case)
    local arn, changed = differential.api_arn_of(case.request.resource), false
    if not arn or not case.policies.resource then
        return nil
    end
    each_resource(case.policies.resource, function(text)
        local rest = text:match("^execute%-api:(/.*)$")
        if rest then
            changed = true
            return arn .. rest
        elseif text:sub(1, #arn + 1) == arn .. "/" then
            changed = true
            return "execute-api:" .. text:sub(#arn + 1)
        end
        return text
    end)
    return changed and case or nil
end


-- ---- JSON in another shape -------------------------------------------------

local SPACES = { "", "", "", " ", "\n", "\t", "\r\n  " }


-- A text with some of its characters as escapes; `/` has one of its own.
local function escaped(random, text)
    return '"' .. text:gsub("[%z\1-\127\194-\244][\128-\191]*", function(char)
        local first, second = char:byte(1, 2)
        if random(4) > 1 or #char > 2 then
            return json.encode(char):sub(2, -2)
        elseif char == "/" then
            return "\\/"
        end
        return ("\\u%04x"):format(second and (first - 192) * 64 + second - 128 or first)
    end) .. '"'
end


local encode_loosely


-- A number that has other spellings as JSON; its value, and so its text, stays.
local function number_text(random, number)
    local text = json.number_text(number)
    return text:match("^%-?%d+$") and text .. ({ "", ".0", "e0", ".0E+0" })[random(4)] or text
end


local function object_text(random, object, space)
    local names, members = sorted_names(object), {}
    shuffle(random, names)
    for i, name in ipairs(names) do
        members[i] = space() .. escaped(random, name) .. space() .. ":" .. space()
            .. encode_loosely(random, object[name])
    end
    return "{" .. table.concat(members, space() .. ",") .. space() .. "}"
end


local function list_text(random, list, space)
    local items = {}
    for i, item in ipairs(list) do
        items[i] = space() .. encode_loosely(random, item)
    end
    return "[" .. table.concat(items, space() .. ",") .. space() .. "]"
end


function encode_loosely(random, value)
    local function space()
        return SPACES[random(#SPACES)]
    end
    if json.is_array(value) then
        return list_text(random, value, space)
    elseif type(value) == "table" then
        return object_text(random, value, space)
    elseif type(value) == "string" then
        return escaped(random, value)
    end
    return type(value) == "number" and number_text(random, value) or tostring(value)
end


-- A single value may be written without the brackets, and a list of one with them.
local function rebracketed(random, value)
    if random(2) == 1 then
        return value
    elseif not json.is_array(value) then
        return A { value }
    end
    return #value == 1 and value[1] or value
end


local function rebracket_statement(random, statement)
    for _, name in ipairs { "Action", "NotAction", "Resource", "NotResource" } do
        statement[name] = statement[name] ~= nil and rebracketed(random, statement[name]) or nil
    end
    local holders = { statement.Principal, statement.NotPrincipal }
    for _, operator in ipairs(sorted_names(statement.Condition or {})) do
        holders[#holders + 1] = statement.Condition[operator]
    end
    for i = 1, #holders do
        local holder = holders[i]
        for _, name in ipairs(type(holder) == "table" and sorted_names(holder) or {}) do
            holder[name] = rebracketed(random, holder[name])
        end
    end
end


local function rebracket(case, random)
    for _, found in ipairs(documents_of(case)) do
        for _, statement in ipairs(unwrapped(found.document)) do
            rebracket_statement(random, statement)
        end
        found.document.Statement = rebracketed(random, found.document.Statement)
    end
    return case
end


-- ---- What must hold --------------------------------------------------------

local function same(before, after)
    if before.decision ~= after.decision then
        return false, before.decision .. " became " .. after.decision
    elseif before.match_kind ~= after.match_kind then
        return false, ("match kind %s became %s"):format(tostring(before.match_kind),
            tostring(after.match_kind))
    end
    for gate, outcome in pairs(before.gates) do
        if after.gates[gate] ~= outcome then
            return false, ("%s %s became %s"):format(gate, outcome, tostring(after.gates[gate]))
        end
    end
    return true
end


local function no_new_allow(before, after)
    return before.allowed or not after.allowed, "a deny became Allowed"
end


local function no_new_deny(before, after)
    return after.allowed or not before.allowed, "Allowed became a deny"
end


-- ---- Wrong cores -----------------------------------------------------------

-- Changes a copy of the case before the true core is asked.
local function wrong_about(distort)
    return function(case, encode)
        local wrong = copy(case)
        for _, found in ipairs(documents_of(wrong)) do
            distort(unwrapped(found.document), found.document, found.gate)
        end
        return ask(wrong, encode)
    end
end


local only_the_first_statement = wrong_about(function(statements)
    for i = #statements, 2, -1 do
        statements[i] = nil
    end
end)


local takes_deny_for_allow = wrong_about(function(statements)
    for _, statement in ipairs(statements) do
        statement.Effect = "Allow"
    end
end)


local takes_allow_for_deny = wrong_about(function(statements)
    for _, statement in ipairs(statements) do
        statement.Effect = "Deny"
    end
end)


local only_the_first_policy = function(case, encode)
    local wrong = copy(case)
    for i = #(wrong.policies.identity or {}), 2, -1 do
        wrong.policies.identity[i] = nil
    end
    return ask(wrong, encode)
end


local takes_the_short_form_for_text = wrong_about(function(_, document)
    each_resource(document, function(text)
        return (text:gsub("^execute%-api:/", "execute-api:text/"))
    end)
end)


-- Reads some escaped digits, none of which is in a Version, as zeros.
local function misreads_escapes(case, encode)
    return ask(case, encode and function(document)
        return (encode(document):gsub("\\u003[3-6]", "0"))
    end)
end


local drops_lists_of_one = wrong_about(function(statements)
    for _, statement in ipairs(statements) do
        if json.is_array(statement.Action) and #statement.Action == 1 then
            statement.Action = A {}
        end
    end
end)


-- ---- Specs -----------------------------------------------------------------

local INVARIANTS = {
    { name = "shuffled statements, policies and lists decide the same",
      change = shuffle_all, holds = same, wrong = only_the_first_statement },
    { name = "an added Deny never turns a deny into Allowed", turns = true,
      change = add_statement("Deny"), holds = no_new_allow, wrong = takes_deny_for_allow },
    { name = "an added Allow never turns Allowed into a deny", turns = true,
      change = add_statement("Allow"), holds = no_new_deny, wrong = takes_allow_for_deny,
      -- That core allows nobody but a root user, so an Allow is better asked of the true one.
      before = ask },
    { name = "a policy split in two decides the same",
      change = split_policies, holds = same, wrong = only_the_first_policy },
    { name = "JSON with other white space, order, escapes and numbers decides the same",
      encode = true, holds = same, wrong = misreads_escapes,
      change = function(case) return case end },
    { name = "a single value and a list of one decide the same",
      change = rebracket, holds = same, wrong = drops_lists_of_one },
    { name = "the short form of a resource and its full ARN decide the same",
      change = swap_short_forms, holds = same, wrong = takes_the_short_form_for_text },
}


-- Tries an invariant on one case. Returns nil when it does not apply, else whether it holds, why
-- not, and whether the decision was another one.
local function try(invariant, index, asked, asked_before)
    local random = random_numbers.new(SEED + index * 7919)
    local case = generate.case(SEED, index)
    local changed = invariant.change(copy(case), random)
    if not changed then
        return nil
    end
    local before = asked_before(case)
    local after = asked(changed, invariant.encode and function(document)
        return encode_loosely(random, document)
    end)
    local holds, why = invariant.holds(before, after)
    return holds, ("case %d: %s\n%s\n%s"):format(index, why or "", json.encode(case),
        json.encode(changed)), before.decision ~= after.decision
end


describe("invariants:", function()
    for _, invariant in ipairs(INVARIANTS) do
        it(invariant.name, function()
            local tried, turned = 0, 0
            for index = 1, COUNT do
                local holds, why, other = try(invariant, index, ask, ask)
                assert.is_true(holds ~= false, why)
                tried = tried + (holds and 1 or 0)
                turned = turned + (other and 1 or 0)
            end
            assert.is_true(tried > COUNT / 20, "tried only " .. tried)
            -- What may change a decision in one direction does so in that direction.
            assert.equal(invariant.turns or false, turned > 0)
        end)

        it(invariant.name .. ": a wrong core is found out", function()
            local found = 0
            for index = 1, 300 do
                local holds = try(invariant, index, invariant.wrong,
                    invariant.before or invariant.wrong)
                found = found + (holds == false and 1 or 0)
            end
            assert.is_true(found > 0)
        end)
    end
end)
