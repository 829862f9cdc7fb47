--- The case generator: reproducible, sound, varied, and able to shrink.

local generate = require "spec.support.generate"
local json = require "spec.support.json"
local reference = require "spec.support.reference"

local CASES = 5000
local SEED = 20120417

local NAMES_PRINCIPAL = { resource = true, endpoint = true, rcp = true }


-- A plain checksum, exact in doubles.
local function checksum(text)
    local sum = 0
    for i = 1, #text do
        sum = (sum * 31 + text:byte(i)) % 4294967291
    end
    return sum
end


-- Calls visit(document) for every document of an attached member.
local function each_document(attached, visit)
    if not json.is_array(attached) then
        return visit(attached)
    end
    for _, item in ipairs(attached) do
        each_document(item, visit)
    end
end


local function check_condition(block)
    for operator, keys in pairs(block) do
        local base = operator:lower():gsub("^.*:", "")
        assert.is_not.equal("nullifexists", base)
        local seen = {}
        for key, values in pairs(keys) do
            assert.is_nil(seen[key:lower()])
            seen[key:lower()] = true
            assert.is_true(json.is_array(values) or type(values) ~= "table")
        end
    end
end


local function check_statement(statement, gate)
    assert.is_true(statement.Effect == "Allow" or statement.Effect == "Deny")
    assert.is_true((statement.Action == nil) ~= (statement.NotAction == nil))
    assert.is_true((statement.Resource == nil) ~= (statement.NotResource == nil))
    local named = (statement.Principal and 1 or 0) + (statement.NotPrincipal and 1 or 0)
    assert.equal(NAMES_PRINCIPAL[gate] and 1 or 0, named)
    if type(statement.Principal) == "string" then
        assert.equal("*", statement.Principal)
    end
    check_condition(statement.Condition or {})
end


local function check_sound(case)
    for gate, attached in pairs(case.policies) do
        each_document(attached, function(document)
            assert.is_true(document.Version == nil or document.Version == "2012-10-17"
                or document.Version == "2008-10-17")
            local list = document.Statement
            for _, statement in ipairs(json.is_array(list) and list or { list }) do
                check_statement(statement, gate)
            end
        end)
    end
end


describe("generated cases", function()
    it("are the same for the same seed and index", function()
        for index = 0, 199 do
            assert.equal(json.encode((generate.case(SEED, index))),
                json.encode((generate.case(SEED, index))))
        end
        assert.is_not.equal(json.encode((generate.case(1, 0)).policies),
            json.encode((generate.case(2, 0)).policies))
    end)

    it("are the same on every machine", function()
        local texts = {}
        for index = 0, 99 do
            texts[#texts + 1] = json.encode((generate.case(7, index)))
        end
        -- Changes with every change of the generator, and with nothing else.
        assert.equal(2847271401, checksum(table.concat(texts, "\n")))
    end)

    it("are structurally sound", function()
        for index = 0, CASES - 1 do
            check_sound((generate.case(SEED, index)))
        end
    end)

    it("have every outcome in good measure and every feature", function()
        local outcomes, features = {}, {}
        for index = 0, CASES - 1 do
            local case, exercised = generate.case(SEED, index)
            local decision = reference.evaluate(case).decision
            outcomes[decision] = (outcomes[decision] or 0) + 1
            for feature in pairs(exercised) do
                features[feature] = true
            end
        end
        for _, outcome in ipairs { "Allowed", "ExplicitlyDenied", "ImplicitlyDenied" } do
            assert.is_true(outcomes[outcome] >= CASES / 10, outcome)
        end
        for _, feature in ipairs(generate.FEATURES) do
            assert.is_true(features[feature], feature)
            features[feature] = nil
        end
        assert.is_nil(next(features), "a feature that FEATURES does not name")
    end)

    it("survive as JSON text", function()
        local dkjson = require("dkjson")
        for index = 0, 499 do
            local case = generate.case(SEED, index)
            local text = json.encode(case)
            local read = assert(dkjson.decode(text))
            assert.equal(text, json.encode(read))
            assert.same(reference.evaluate(case), reference.evaluate(read))
        end
    end)
end)


describe("shrinking", function()
    local function is_denied(case)
        return reference.evaluate(case).decision == "ExplicitlyDenied"
    end

    it("keeps what fails and nothing more", function()
        local shrunk, before, after = 0, 0, 0
        for index = 0, 99 do
            local case = generate.case(SEED, index)
            if is_denied(case) then
                local text = json.encode(case)
                local small = generate.shrink(case, is_denied)
                assert.equal(text, json.encode(case))
                assert.is_true(is_denied(small))
                check_sound(small)
                assert.equal(json.encode(small), json.encode(generate.shrink(small, is_denied)))
                shrunk, before, after = shrunk + 1, before + #text, after + #json.encode(small)
            end
        end
        assert.is_true(shrunk > 10)
        assert.is_true(after < before / 2)
    end)

    it("reaches the smallest case", function()
        local A = json.array
        local deny = { Effect = "Deny", Sid = "A", Action = A { "s3:*", "*" }, Resource = "*",
                       Condition = { StringLike = { ["app:key"] = A { "a", "b" } } } }
        local allow = { Effect = "Allow", Action = "*", Resource = "*" }
        local case = {
            id = "x",
            request = { action = "s3:Get", resource = "arn:aws:s3:::b", resourceAccount = "1",
                        principal = "arn:aws:iam::111122223333:user/alice",
                        context = { ["app:key"] = "b", ["app:other"] = A { "1" } } },
            policies = {
                identity = A { { Statement = A { allow } }, { Statement = A { allow, deny } } },
                scp = A { { Statement = A { allow } } },
            },
        }
        local small = generate.shrink(case, function(smaller)
            local keys = smaller.request.context["app:key"]
            return keys and is_denied(smaller)
                and json.encode(smaller):find('StringLike":{"', 1, true)
        end)
        assert.equal('{"id":"x","policies":{"identity":[{"Statement":[{"Action":["s3:*"],'
            .. '"Condition":{"StringLike":{"app:key":["b"]}},"Effect":"Deny","Resource":"*"}]}]},'
            .. '"request":{"action":"s3:Get","context":{"app:key":"b"},'
            .. '"principal":"arn:aws:iam::111122223333:user/alice","resource":"arn:aws:s3:::b"}}',
            json.encode(small))
    end)
end)
