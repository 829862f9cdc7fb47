local requests = require("postern.request")
local sets = require("postern.set")
local rules = require("postern.rules")
local flow = require("postern.flow")
local plain = require("postern.host.plain")


local METHOD = "arn:aws:execute-api:us-east-1:123456789012:abc123/dev/GET/pets"
local ALICE = "arn:aws:iam::123456789012:user/alice"
local BOB = "arn:aws:iam::210987654321:user/bob"

local function policy(type, ...)
    local text = ('{"Version":"2012-10-17","Statement":[%s]}'):format(table.concat({ ... }, ","))
    return assert(sets.compile({ { name = type .. ".json", text = text } },
                               { type = type, strictness = "structural" }))
end

local function allow(principal, more)
    return ('{"Effect":"Allow"%s,"Action":"*","Resource":"*"%s}')
        :format(principal and ',"Principal":' .. principal or "", more or "")
end

local function deny(principal)
    return (allow(principal):gsub("Allow", "Deny"))
end


describe("a flow", function()
    local pack

    setup(function()
        pack = assert(rules.load("flows", flow.DEFAULT, plain.read))
    end)

    local function decide(gates, changes, config)
        local request = { principal = ALICE, action = "execute-api:Invoke", resource = METHOD }
        for name, value in pairs(changes or {}) do
            request[name] = value
        end
        return assert(flow.new(pack, gates, config)):decide(request)
    end

    it("asks every gate and combines what they say", function()
        local decision = decide({ identity = policy("identity", allow()),
                                  resource = policy("resource", deny('"*"')) })
        assert.is_false(decision.allowed)
        assert.equal("ExplicitlyDenied", decision.decision)
        assert.equal("explicit_deny", decision.reason)
        assert.equal("resource", decision.deciding.policy_type)
        assert.equal("Allowed", decision.gates.identity)
        assert.equal("NotAttached", decision.gates.endpoint)
        assert.is_true(decision.same_account)
    end)

    it("names the deciding statement by policy, index and place", function()
        local decision = decide({ scp = {
            policy("scp", allow()), policy("scp", allow(), deny()),
        }, identity = policy("identity", allow()) })
        assert.same({
            policy_type = "scp", policy_index = 1, statement_index = 1, effect = "Deny",
            file = "scp.json", line = 1, column = decision.deciding.column,
        }, decision.deciding)
    end)

    it("does not ask gates that do not bind the caller", function()
        local decision = decide({ scp = { policy("scp", deny()) },
                                  resource = policy("resource", allow('"*"')) },
                                { principal = "*" })
        assert.is_true(decision.allowed)
        assert.equal("NotApplicable", decision.gates.scp)
        assert.equal(1, #decision:explain().statements)
    end)

    it("takes an absent list of levels for not attached, an empty level for a closed one",
       function()
        local identity = policy("identity", allow())
        assert.is_true(decide({ identity = identity, scp = {} }).allowed)
        local empty = assert(sets.compile({}, { type = "scp" }))
        assert.equal("no_allow_scp", decide({ identity = identity, scp = { empty } }).reason)
    end)

    it("reads the owner's account from the request", function()
        local gates = { resource = policy("resource", allow('"*"')) }
        assert.is_true(decide(gates).allowed)
        local decision = decide(gates, { resourceAccount = "210987654321" })
        assert.equal("no_allow_identity", decision.reason)
        assert.is_false(decision.same_account)
    end)

    it("tells the resource policy, and only that, of a boundary", function()
        local spares_alice = ('{"Effect":"Deny","NotPrincipal":{"AWS":"%s"},"Action":"*",'
            .. '"Resource":"*"}'):format(ALICE)
        local gates = { resource = policy("resource", allow('"*"'), spares_alice) }
        assert.is_true(decide(gates).allowed)
        gates.boundary = policy("boundary", allow())
        assert.equal("resource", decide(gates).deciding.policy_type)
        gates = { endpoint = policy("endpoint", allow('"*"'), spares_alice),
                  boundary = gates.boundary, identity = policy("identity", allow()) }
        assert.is_true(decide(gates).allowed)
    end)

    it("can be asked again and again", function()
        local combined = assert(flow.new(pack, { resource = policy("resource",
            allow(('{"AWS":"%s"}'):format(ALICE))) }))
        local request = { action = "a:b", resource = METHOD, principal = ALICE }
        for _ = 1, 3 do
            assert.is_true(combined:decide(request).allowed)
            request.principal = BOB
            assert.is_false(combined:decide(request).allowed)
            request.principal = ALICE
        end
    end)

    describe("denies with reason error", function()
        local function check_error(decision, message)
            assert.is_false(decision.allowed)
            assert.equal("ImplicitlyDenied", decision.decision)
            assert.equal("error", decision.reason)
            assert.matches(message, decision.error, 1, true)
            assert.is_nil(decision.deciding)
            assert.matches(message, tostring(decision:explain()), 1, true)
        end

        it("when the request cannot be taken", function()
            local gates = { resource = policy("resource", allow('"*"', ',"Condition":'
                .. '{"StringLike":{"k":"*"}}')) }
            check_error(decide(gates, { context = { k = "\255" } }), "`k`")
            check_error(decide(gates, { action = false }), "action: give a string")
            check_error(decide(gates, { resource = "" }), "resource: give a text")
            check_error(decide(gates, { principal = 7 }), "")
        end)

        it("also when another gate denies: an error is never a mere part of the answer", function()
            local gates = { resource = policy("resource", allow('"*"', ',"Condition":'
                .. '{"StringLike":{"k":"*"}}')), scp = { policy("scp", deny()) } }
            check_error(decide(gates, { context = { k = "\255" } }), "`k`")
        end)

        it("when the pack fails", function()
            local broken = {}
            for name, member in pairs(pack) do
                broken[name] = member
            end
            broken.decide = function() error("boom") end
            check_error(assert(flow.new(broken, { resource = policy("resource", allow('"*"')) }))
                :decide({ action = "a:b", resource = METHOD }), "boom")
        end)

        it("when a set cannot decide without a value", function()
            local gates = { resource = policy("resource", allow('"*"', ',"Condition":'
                .. '{"StringLike":{"k":"*"}}')) }
            local decision = assert(flow.new(pack, gates)):decide({
                action = "a:b", resource = METHOD, context = { K = requests.UNRESOLVED },
            })
            check_error(decision, "the value of `k` is needed")
            assert.equal("k", decision.needs)
        end)
    end)

    describe("whose pack shows gates different views", function()
        local function viewing(members)
            local viewer = {}
            for name, member in pairs(pack) do
                viewer[name] = member
            end
            for name, member in pairs(members) do
                viewer[name] = member
            end
            return viewer
        end

        local function decide_with(members, gates, changes)
            local request = { principal = ALICE, action = "execute-api:Invoke", resource = METHOD }
            for name, value in pairs(changes or {}) do
                request[name] = value
            end
            return assert(flow.new(viewing(members), gates)):decide(request)
        end

        it("fills each gate's request from its own", function()
            local seen = {}
            local gates = { resource = policy("resource", allow(('{"AWS":"%s"}'):format(BOB))),
                            endpoint = policy("endpoint", allow(('{"AWS":"%s"}'):format(ALICE))) }
            local decision = decide_with({ principal_for = function(gate, request, caller)
                seen[gate] = { request.principal, caller.kind }
                return gate == "endpoint" and ALICE or BOB
            end }, gates)
            assert.is_true(decision.allowed)
            assert.same({ endpoint = { ALICE, "user" }, resource = { ALICE, "user" } }, seen)
        end)

        it("hides keys from a gate, and says so when it explains", function()
            local when = ',"Condition":{"StringEquals":{"a":"1"},"Null":{"b":"true"}}'
            local gates = { resource = policy("resource", allow('"*"', when)),
                            endpoint = policy("endpoint", allow('"*"', when)) }
            local members = { sees = function(gate, key, caller)
                assert(caller.kind == "user")
                return not (key == "b" and gate == "endpoint")
            end }
            local decision = decide_with(members, gates, { context = { A = "1", B = "2" } })
            assert.equal("Allowed", decision.gates.endpoint)
            assert.equal("ImplicitlyDenied", decision.gates.resource)
            for i, shown in ipairs({ {}, { "2" } }) do
                local statement = decision:explain().statements[i]
                assert.equal(i == 1, statement.matched)
                for _, condition in ipairs(statement.condition) do
                    assert.same(condition.key == "a" and { "1" } or shown,
                                { unpack(condition.request_values) })
                end
            end
        end)

        it("adds keys where the request has none that the gate sees", function()
            local gates = { resource = policy("resource", allow('"*"', ',"Condition":'
                .. '{"StringEquals":{"k":"added"}}')) }
            local members = { adds = function() return { k = "added" } end }
            assert.is_true(decide_with(members, gates).allowed)
            assert.is_false(decide_with(members, gates, { context = { K = "own" } }).allowed)
            members.sees = function() return false end
            assert.is_true(decide_with(members, gates, { context = { K = "own" } }).allowed)
        end)

        it("asks one flow with the resource policies of many APIs", function()
            local combined = assert(flow.new(pack, { resource = policy("resource", allow('"*"')) }))
            local request = { action = "a:b", resource = METHOD, context = { k = "1" } }
            local other = policy("resource", deny('"*"'))
            local decision = combined:decide(request, other)
            assert.equal("ExplicitlyDenied", decision.decision)
            assert.is_true(combined:decide(request).allowed)
            assert.equal("Deny", decision.deciding.effect)
            assert.equal("Deny", decision:explain().statements[1].effect)
        end)

        it("explains each gate by what it saw", function()
            local decision = decide_with({
                principal_for = function(gate) return gate == "resource" and "*" or ALICE end,
                adds = function(gate) return { k = gate } end,
            }, {
                resource = policy("resource", allow(('{"AWS":"%s"}'):format(ALICE))),
                endpoint = policy("endpoint", allow('"*"', ',"Condition":{"StringEquals":'
                    .. '{"k":"endpoint"}}')),
            })
            assert.equal("no_allow_resource", decision.reason)
            assert.equal("Allowed", decision.gates.endpoint)
            assert.equal("ImplicitlyDenied", decision.gates.resource)
            local statements = decision:explain().statements
            assert.same({ "endpoint" }, { statements[1].condition[1].request_values[1] })
            assert.equal("principal", statements[2].failed_at)
        end)

        it("lets all resources pass, or none", function()
            local function endpoint(resource)
                return policy("endpoint", (allow('"*"'):gsub('"Resource":"%*"',
                    '"Resource":"' .. resource .. '"')))
            end
            local members = { resources_for = function(gate, request)
                return gate == "endpoint" and { request.resource, METHOD .. "/more" } or nil
            end }
            local identity = policy("identity", allow())
            assert.is_true(decide_with(members, { identity = identity,
                endpoint = endpoint(METHOD .. "*") }).allowed)
            assert.equal("no_allow_endpoint", decide_with(members, { identity = identity,
                endpoint = endpoint(METHOD) }).reason)
            assert.equal("no_allow_endpoint", decide_with(members, { identity = identity,
                endpoint = endpoint(METHOD .. "/more") }).reason)
        end)

        it("decides actions of its services only", function()
            local gates = { identity = policy("identity", allow()) }
            assert.is_true(decide_with({ services = { "sqs", "execute-api" } }, gates).allowed)
            assert.equal("the flow `iam` decides no actions of `execute-api`",
                         decide_with({ services = { "sqs" } }, gates).error)
            assert.is_true(decide_with({ services = { "sqs" } }, gates,
                                       { action = "SQS:SendMessage" }).allowed)
        end)
    end)

    describe("that waits for an authorizer", function()
        local PETS, TOYS = METHOD, METHOD:gsub("pets$", "toys")
        local waiting, time

        -- The smallest pack that stops half way: what the authorizer says is all that counts.
        setup(function()
            waiting = {}
            for name, member in pairs(pack) do
                waiting[name] = member
            end
            waiting.caller = function(asked)
                return { skips = { identity = true }, authorizer_gate = "identity",
                         ttl = asked.ttl or 300 }
            end
            waiting.decide = function(results, caller)
                local answer = results.identity
                if not answer then
                    return { need = "authorizer", gate = "identity", ttl = caller.ttl }
                elseif answer.failure then
                    return { decision = "ImplicitlyDenied", reason = "authentication",
                             status = answer.failure.status, because = answer.failure.error }
                end
                return { decision = answer[1].outcome, reason = "allow", gate = "identity",
                         level = 1 }
            end
        end)

        before_each(function()
            time = 1000
        end)

        local function text_for(resource)
            return ('{"Statement":[{"Effect":"Allow","Action":"*","Resource":"%s"}]}')
                :format(resource)
        end

        local function request(resource, gateway)
            return { action = "execute-api:Invoke", resource = resource, token = "t",
                     gateway = gateway }
        end

        local function new(answer, more)
            local calls = {}
            local options = { now = function() return time end }
            options.authorizer = function(asked)
                calls[#calls + 1] = asked
                return answer(asked)
            end
            for name, value in pairs(more or {}) do
                options[name] = value
            end
            return assert(flow.new(waiting, {}, {}, options)), calls
        end

        it("asks it with the request and evaluates its policy for the resource", function()
            local combined, calls = new(function() return text_for(PETS) end)
            local asked = request(PETS)
            local decision = combined:decide(asked)
            assert.is_true(decision.allowed)
            assert.equal("authorizer policy", decision.deciding.file)
            assert.equal(asked, calls[1])
            assert.is_false(combined:decide(request(TOYS)).allowed)
            assert.equal(2, #calls)
        end)

        it("keeps its policy, not the decision, for the time the pack says", function()
            local combined, calls = new(function() return text_for(PETS) end,
                { authorizer_key = function(asked) return asked.token end })
            assert.is_true(combined:decide(request(PETS)).allowed)
            assert.is_false(combined:decide(request(TOYS)).allowed)
            assert.is_true(combined:decide(request(PETS)).allowed)
            assert.equal(1, #calls)
            local other = request(PETS)
            other.token = "u"
            combined:decide(other)
            assert.equal(2, #calls)
            time = 1300
            combined:decide(request(PETS))
            assert.equal(3, #calls)
            local short = request(PETS)
            short.token, short.ttl = "v", 60
            combined:decide(short)
            time = 1360
            combined:decide(short)
            assert.equal(5, #calls)
            short.token, short.ttl = "w", 0
            combined:decide(short)
            combined:decide(short)
            assert.equal(7, #calls)
        end)

        it("keeps no failure", function()
            local answers = { { nil, "down" }, { text_for(PETS) } }
            local combined, calls = new(function()
                return unpack(table.remove(answers, 1), 1, 2)
            end, { authorizer_key = function(asked) return asked.token end })
            assert.equal(500, combined:decide(request(PETS)).status)
            assert.is_true(combined:decide(request(PETS)).allowed)
            assert.equal(2, #calls)
        end)

        it("does not call it without an identity source", function()
            local combined, calls = new(function() return text_for(PETS) end,
                { authorizer_key = function() return nil end })
            local decision = combined:decide(request(PETS))
            assert.equal(401, decision.status)
            assert.matches("identity source", decision.because)
            assert.equal(0, #calls)
        end)

        it("tells refusals from failures", function()
            local function status(...)
                local answer = { n = select("#", ...), ... }
                return new(function() return unpack(answer, 1, answer.n) end)
                    :decide(request(PETS)).status
            end
            assert.equal(401, status(nil, "Unauthorized", 401))
            assert.equal(500, status(nil, "broken", 500))
            assert.equal(500, status(nil, "timeout"))
            assert.equal(500, status(nil, "odd", 403))
            assert.equal(500, status(nil))
            assert.equal(500, status("{"))
            assert.equal(500, status(7))
            assert.equal(500, status({}))
            assert.equal(500, new(function() error("boom") end):decide(request(PETS)).status)
            assert.equal(500, assert(flow.new(waiting, {})):decide(request(PETS)).status)
        end)

        it("takes an answer that the request brings along", function()
            local combined, calls = new(function() error("called") end)
            local function decide_given(given)
                return combined:decide(request(PETS, { authorizer = given }))
            end
            assert.is_true(decide_given(text_for(PETS)).allowed)
            assert.is_false(decide_given(text_for(TOYS)).allowed)
            assert.equal(401, decide_given({ error = "no", status = 401 }).status)
            assert.equal(500, decide_given({ error = "no" }).status)
            assert.equal(500, decide_given({}).status)
            assert.equal(500, decide_given(false).status)
            assert.equal(0, #calls)
        end)

        it("may be in two calls at once", function()
            local combined = new(function(asked)
                coroutine.yield()
                return text_for(asked.allowed)
            end)
            local decisions = {}
            local function start(resource, allowed)
                local asked = request(resource)
                asked.allowed = allowed
                return coroutine.wrap(function()
                    local decision = combined:decide(asked)
                    decisions[#decisions + 1] = decision.allowed
                end)
            end
            local first, second = start(PETS, PETS), start(TOYS, PETS)
            first()
            second()
            first()
            second()
            assert.same({ true, false }, decisions)
        end)

        local CONDITION = '{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*",'
            .. '"Condition":{"StringEquals":{"k":"v"}}}]}'

        it("asks for the keys that only its policy mentions", function()
            local function decide_filled(fill_keys, context)
                local combined = new(function() return CONDITION end, { fill_keys = fill_keys })
                local asked = request(PETS)
                asked.context = context
                local decision = combined:decide(asked)
                assert.equal(context, asked.context)
                return decision
            end
            assert.is_true(decide_filled(function(set, asked)
                assert.same({ "k" }, set:keys())
                assert.equal(PETS, asked.resource)
                return { k = "v" }
            end).allowed)
            assert.is_false(decide_filled(function() return {} end).allowed)
            -- What the request says itself counts, in any letter case.
            local kept = decide_filled(function() return { k = "v" } end, { K = "w" })
            assert.equal("ImplicitlyDenied", kept.decision)
            assert.equal("allow", kept.reason) -- what this pack says of whatever it decides
            assert.is_nil(kept.error)
            local failed = decide_filled(function() return nil, "k: no such luck" end)
            assert.equal("error", failed.reason)
            assert.equal("k: no such luck", failed.error)
        end)

        it("names unresolved keys", function()
            local combined = new(function() return CONDITION end)
            local asked = request(PETS)
            asked.context = { k = requests.UNRESOLVED }
            local decision = combined:decide(asked)
            assert.equal("error", decision.reason)
            assert.equal("k", decision.needs)
        end)

        it("is not waited for twice", function()
            local endless = {}
            for name, member in pairs(waiting) do
                endless[name] = member
            end
            endless.decide = function()
                return { need = "authorizer", gate = "identity", ttl = 300 }
            end
            local combined = assert(flow.new(endless, {}, {}, {
                authorizer = function() return text_for(PETS) end }))
            assert.matches("needs `authorizer`, which nobody gives",
                           combined:decide(request(PETS)).error, 1, true)
        end)
    end)

    it("refuses options it does not have", function()
        assert.error_matches(function() flow.new(pack, {}, {}, { authoriser = print }) end,
                             "unknown option `authoriser`")
        assert.error_matches(function() flow.new(pack, {}, {}, { authorizer = "f" }) end,
                             "`authorizer` is a string: give a function")
        assert.error_matches(function() flow.new(pack, {}, {}, { authorizer_key = print }) end,
                             "give it a clock")
    end)

    it("refuses a bad configuration, and gates it does not have", function()
        assert.same({ nil, "unknown option `x`: the iam flow has `rcp_services`" },
                    { flow.new(pack, {}, { x = 1 }) })
        local _, err = pcall(function() flow.new(pack, { vpc = policy("scp", deny()) }) end)
        assert.matches("flow_spec%.lua:%d+: the flow `iam` has no gate `vpc`", err)
    end)
end)
