local sets = require("postern.set")
local requests = require("postern.request")


local API = "arn:aws:execute-api:us-east-1:123456789012:abc123"
local METHOD = API .. "/dev/GET/pets"
local ALICE = "arn:aws:iam::123456789012:user/alice"

local function policy(condition, more)
    return ([[{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
        "Action":"execute-api:Invoke","Resource":"%s/*","Condition":%s}%s]}]])
        :format(API, condition or "{}", more or "")
end

local function request_for(text)
    return assert(requests.new(assert(sets.compile(text, { strictness = "structural" }))))
end

local function outcome_of(request, source)
    local ok, err = request:fill(source)
    return requests.outcomes[(request:evaluate())], ok, err
end


describe("a request", function()
    it("is decided cell by cell", function()
        local request = request_for(policy('{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}'))
        local ip = request.set:find_key("aws:SourceIp")
        request:reset()
        assert.equal(0, request:principal("*"))
        assert.equal(0, request:action("execute-api:Invoke"))
        assert.equal(0, request:resource(METHOD))
        assert.equal(0, request:put(ip, "10.1.2.3"))
        local outcome, match, statement, key, status = request:evaluate()
        assert.equal(requests.ALLOWED, outcome)
        assert.equal("wild", requests.matches[match])
        assert.same({ 0, -1, 0 }, { statement, key, status })

        request:put(ip, "11.1.2.3")
        assert.not_equal(requests.ALLOWED, (request:evaluate()))

        request:unresolved(ip)
        assert.same({ requests.UNDECIDED, 0, -1, ip, 0 }, { request:evaluate() })
    end)

    it("takes lists", function()
        local request = request_for(policy('{"ForAllValues:StringEquals":{"aws:TagKeys":'
            .. '["a","b"]}}'))
        local key = request.set:find_key("aws:tagkeys")
        request:reset()
        request:principal("*")
        request:action("execute-api:Invoke")
        request:resource(METHOD)
        assert.equal(0, request:list(key))
        assert.equal(0, request:append(key, "a"))
        assert.equal(requests.ALLOWED, (request:evaluate()))
        assert.equal(0, request:append(key, "c"))
        assert.not_equal(requests.ALLOWED, (request:evaluate()))
    end)

    it("is denied when action or resource is missing", function()
        local request = request_for(policy())
        request:reset()
        request:principal("*")
        local outcome, _, _, _, status = request:evaluate()
        assert.not_equal(requests.ALLOWED, outcome)
        assert.not_equal(0, status)
    end)

    describe("filled from a table", function()
        local KEYS = '{"StringEquals":{"app:text":"x"},"NumericEquals":{"app:number":1.5},'
            .. '"Bool":{"app:flag":true},"ForAnyValue:StringEquals":{"app:list":"b"}}'

        local function source(changes)
            local context = { ["app:text"] = "x", ["APP:number"] = 1.5, ["app:flag"] = true,
                              ["app:list"] = { "a", "b" }, ["app:unknown"] = "?" }
            for name, value in pairs(changes or {}) do
                context[name] = value
            end
            return { action = "execute-api:Invoke", resource = METHOD, context = context }
        end

        it("takes strings, numbers, booleans and lists", function()
            assert.equal("Allowed", (outcome_of(request_for(policy(KEYS)), source())))
        end)

        it("treats an empty list as absent", function()
            local request = request_for(policy('{"Null":{"app:list":true}}'))
            assert.equal("Allowed", (outcome_of(request, source({ ["app:list"] = {} }))))
        end)

        it("starts anew each time", function()
            local request = request_for(policy(KEYS))
            outcome_of(request, source())
            local bare = { action = "execute-api:Invoke", resource = METHOD }
            assert.equal("ImplicitlyDenied", (outcome_of(request, bare)))
            assert.equal("Allowed", (outcome_of(request, source())))
        end)

        it("refuses values it cannot take, and is then denied until the next reset", function()
            local request = request_for(policy("{}", "," .. [[{"Effect":"Deny","Principal":"*",
                "Action":"*","Resource":"*","Condition":]] .. KEYS .. "}"))
            for message, bad in pairs({
                ["give a string"] = { ["app:text"] = function() end },
                ["app:number"] = { ["APP:number"] = 0 / 0 },
                ["app:list"] = { ["app:list"] = { "a", {} } },
                ["`app:list`"] = { ["app:list"] = { "a", nil, "c" } },
                ["`app:text`: give"] = { ["app:text"] = { x = "y" } },
                ["not valid UTF-8"] = { ["app:text"] = "\255" },
                ["value 2 cannot be taken: not valid UTF-8"] = { ["app:list"] = { "a", "\255" } },
                ["too long"] = { ["app:text"] = ("x"):rep(20 * 1024 * 1024) },
                ["twice in different letter case"] = { ["APP:TEXT"] = "y" },
                ["a key is a string, not a number"] = { [7] = "y" },
            }) do
                local outcome, ok, err = outcome_of(request, source(bad))
                assert.is_nil(ok)
                assert.matches(message:lower(), err:lower(), 1, true)
                assert.equal("ImplicitlyDenied", outcome)
            end
            local plain = { action = "execute-api:Invoke", resource = METHOD }
            assert.equal("Allowed", (outcome_of(request, plain)))
        end)

        it("wants an action and a resource", function()
            local request = request_for(policy())
            for name, element in pairs({ action = "", resource = 7, principal = {} }) do
                local given = { action = "execute-api:Invoke", resource = METHOD }
                given[name] = element
                local outcome, ok, err = outcome_of(request, given)
                assert.is_nil(ok)
                assert.equal(name .. ": give a text that is not empty", err)
                assert.equal("ImplicitlyDenied", outcome)
            end
        end)
    end)

    it("writes numbers as short as they read back", function()
        for number, text in pairs({ [1] = "1", [0.1] = "0.1", [1e15] = "1e+15", [-2.5] = "-2.5",
                                    [1 / 3] = "0.3333333333333333", [2 ^ 53] = "9007199254740992",
                                  }) do
            assert.equal(text, requests.value_text(number))
        end
        assert.is_nil(requests.value_text(math.huge))
    end)

    it("explains statements, conditions and values", function()
        local request = request_for(policy('{"StringLike":{"app:name":"${app:who}/*"}}'))
        request:fill({ action = "execute-api:Invoke", resource = "arn:aws:s3:::b",
                       context = { ["app:name"] = "bob/1", ["app:who"] = "bob" } })
        local verdict = request:explain_statement(0)
        assert.is_false(verdict.result)
        assert.equal("resource", verdict.failed_at)
        assert.same({ resource = true }, verdict.failed)
        assert.is_true(request:explain_condition(0, 0).result)
        assert.equal("bob/*", request:explain_value(0, 0, 0))
        request:fill({ action = "execute-api:Invoke", resource = METHOD })
        assert.is_nil(request:explain_value(0, 0, 0))
        assert.same({ condition = true }, request:explain_statement(0).failed)
        assert.is_nil(request:explain_statement(1))
        assert.is_nil(request:explain_condition(0, 1))
        assert.is_nil(request:explain_value(0, 0, 1))
    end)

    it("passes on that the caller has a boundary", function()
        local request = request_for(([[{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"},
            {"Effect":"Deny","NotPrincipal":{"AWS":"%s"},"Action":"*","Resource":"*"}]}]])
            :format(ALICE))
        local source = { principal = ALICE, action = "execute-api:Invoke", resource = METHOD }
        request:fill(source)
        assert.equal("Allowed", requests.outcomes[(request:evaluate())])
        request:fill(source, true)
        assert.equal("ExplicitlyDenied", requests.outcomes[(request:evaluate())])
    end)

    it("tells which value of an element or a condition meets the request", function()
        local request = request_for('{"Version":"2012-10-17","Statement":{"Effect":"Deny",'
            .. '"Principal":{"AWS":["444455556666","' .. ALICE .. '"]},'
            .. '"NotAction":["s3:*","execute-api:*"],"Resource":["' .. API .. '/*","*"],'
            .. '"Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","192.0.2.0/24"]}}}}')
        assert(request:fill({ principal = ALICE, action = "execute-api:Invoke", resource = METHOD,
                              context = { ["aws:SourceIp"] = requests.UNRESOLVED } }))
        assert.equal("unknown", request:explain_match(0, "condition", 1, 0))
        assert(request:fill({ principal = ALICE, action = "execute-api:Invoke", resource = METHOD,
                              context = { ["aws:SourceIp"] = "192.0.2.7" } }))
        local meets = { principal = { false, true }, action = { false, true },
                        resource = { true, true }, condition = { false, true } }
        for element, expected in pairs(meets) do
            assert.same(expected, { request:explain_match(0, element, 0, 0),
                                    request:explain_match(0, element, 1, 0) }, element)
            assert.is_nil(request:explain_match(0, element, 2, 0))
            assert.is_nil(request:explain_match(1, element, 0, 0))
        end
        assert.is_nil(request:explain_match(0, "condition", 0, 1))
        assert.has_error(function() request:explain_match(0, "effect", 0) end,
                         "no such element: effect")
    end)

    it("takes keys that nobody has looked up yet", function()
        local request = request_for(policy())
        local source = { action = "execute-api:Invoke", resource = METHOD,
                         context = { ["aws:SourceIp"] = requests.UNRESOLVED } }
        local set = assert(require("postern.set").compile('{"Version":"2012-10-17","Statement":{'
            .. '"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{'
            .. '"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}}'))
        assert.equal("Allowed", (outcome_of(request, source)))
        request = assert(requests.new(set))
        assert(request:fill(source))
        local outcome, _, _, key = request:evaluate()
        assert.equal(requests.UNDECIDED, outcome)
        assert.equal("aws:sourceip", set:key_name(key))
        source.context["aws:SourceIp"] = "10.1.1.1"
        assert(request:fill(source))
        assert.equal(requests.ALLOWED, (request:evaluate()))
        assert.has_error(function() requests.UNRESOLVED.x = 1 end)
    end)

    it("is shared by those who ask a set in one go", function()
        local set = assert(require("postern.set").compile(policy()))
        local request = assert(requests.shared(set))
        assert.equal(request, requests.shared(set))
        assert.not_equal(request, requests.new(set))
        assert.equal("Allowed", (outcome_of(request, { action = "execute-api:Invoke",
                                                       resource = METHOD })))
    end)

    it("keeps its set alive", function()
        local request = request_for(policy())
        collectgarbage()
        collectgarbage()
        assert.equal("Allowed", (outcome_of(request, { action = "execute-api:Invoke",
                                                       resource = METHOD })))
    end)
end)
