--- The truth table of spec/cases/truth_table.lua, row by row, against the core and the reference.

local postern = require "postern"
local json = require "spec.support.json"
local reference = require "spec.support.reference"
local rows = require "spec.cases.truth_table"

local NONE = rows.NONE
local RESOURCE = "arn:aws:s3:::bucket/key"


local function present(value)
    return value ~= NONE and value or nil
end


local function core_allows(policy, source)
    local set = assert(postern.compile(json.encode(policy), {
        type = "identity", strictness = "structural",
    }))
    local request = assert(postern.request.new(set))
    assert(request:fill(source))
    local outcome, _, _, _, status = request:evaluate()
    assert.equal(0, status)
    return outcome == postern.request.ALLOWED
end


-- Checks one Allow statement with both evaluators.
local function check(expected, statement, context, resource, version)
    statement.Effect, statement.Action = "Allow", "s3:GetObject"
    local policy = { Version = version or "2012-10-17", Statement = statement }
    local source = { principal = "arn:aws:iam::111122223333:user/alice", action = "s3:GetObject",
                     resource = resource or RESOURCE, context = context }
    assert.equal(expected, core_allows(policy, source), "core")
    assert.equal(expected, reference.policy_result(policy, "identity", source) == "Allowed",
        "reference")
end


local function check_condition(expected, operator, values, context, version)
    check(expected, { Resource = "*", Condition = { [operator] = { ["app:key"] = values } } },
        context, nil, version)
end


local function text_of(value)
    return value == NONE and "no key" or json.encode(value)
end


-- The letters of a row, one for each column.
local function letters(row, columns)
    local list = {}
    for letter in row[3]:gmatch("%S+") do
        list[#list + 1] = assert(letter == "T" or letter == "F") and letter == "T"
    end
    assert(#list == #columns, row[1] .. ": wrong number of columns")
    return list
end


-- One spec for each letter of a row whose columns are policy values.
local function check_columns(row, columns)
    for i, expected in ipairs(letters(row, columns)) do
        it(("%s %s against %s is %s: %s"):format(row[1], json.encode(columns[i]), text_of(row[2]),
            tostring(expected), row[4]), function()
            check_condition(expected, row[1], columns[i], { ["app:key"] = present(row[2]) })
        end)
    end
end


describe("truth table: values, set operators, IfExists, negation", function()
    for _, row in ipairs(rows.grid) do
        check_columns(row, rows.grid_columns)
    end
end)


describe("truth table: Null", function()
    for _, row in ipairs(rows.null) do
        check_columns(row, rows.null_columns)
    end
end)


describe("truth table: a missing key", function()
    for _, row in ipairs(rows.missing) do
        for i, expected in ipairs(letters(row, rows.missing_columns)) do
            local operator = rows.missing_columns[i]:format(row[1])
            for _, value in ipairs { NONE, json.array {} } do
                it(("%s against %s is %s: %s"):format(operator, text_of(value), tostring(expected),
                    row[4]), function()
                    check_condition(expected, operator, row[2], { ["app:key"] = present(value) })
                end)
            end
        end
    end
end)


describe("truth table: values that cannot be read", function()
    for _, row in ipairs(rows.unreadable) do
        local operator, values, value, expected, why = unpack(row)
        it(("%s %s against %s is %s: %s"):format(operator, json.encode(values), text_of(value),
            tostring(expected), why), function()
            local context = { ["app:key"] = value }
            for key, other in pairs(rows.unreadable_context) do
                context[key] = other
            end
            check_condition(expected, operator, values, context)
        end)
    end
end)


describe("truth table: variables", function()
    for _, row in ipairs(rows.variables) do
        local operator, values, variable, value, in_2012, in_2008, why = unpack(row)
        for version, expected in pairs { ["2012-10-17"] = in_2012, ["2008-10-17"] = in_2008 } do
            it(("%s %s with %s against %s is %s in %s: %s"):format(operator, json.encode(values),
                text_of(variable), text_of(value), tostring(expected), version, why), function()
                check_condition(expected, operator, values,
                    { ["app:key"] = present(value), ["app:var"] = present(variable) }, version)
            end)
        end
    end

    for _, row in ipairs(rows.elements) do
        local element, values, variable, resource, expected, why = unpack(row)
        it(("%s %s with %s against %s is %s: %s"):format(element, json.encode(values),
            text_of(variable), resource, tostring(expected), why), function()
            check(expected, { [element] = values }, { ["app:var"] = present(variable) }, resource)
        end)
    end
end)


describe("truth table", function()
    local OPERATORS = { "StringEquals", "StringNotEquals" }
    local FORMS = rows.missing_columns

    it("has every form of the operator against every state of the key, once", function()
        local seen = {}
        for _, row in ipairs(rows.grid) do
            local place = row[1] .. " " .. text_of(row[2])
            assert.is_nil(seen[place], place)
            seen[place] = true
        end
        local states = {}
        for _, row in ipairs(rows.grid) do
            states[text_of(row[2])] = true
        end
        for state in pairs(states) do
            for _, operator in ipairs(OPERATORS) do
                for _, form in ipairs(FORMS) do
                    assert.truthy(seen[form:format(operator) .. " " .. state],
                        form:format(operator) .. " " .. state)
                end
            end
        end
    end)
end)
