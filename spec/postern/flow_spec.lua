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
            local combined = assert(flow.new(pack, gates))
            local request = combined.entries.resource[1].request
            local fill = request.fill
            request.fill = function(self, source)
                fill(self, source)
                self:unresolved(self.set:find_key("k"))
                return true
            end
            check_error(combined:decide({ action = "a:b", resource = METHOD }),
                        "the value of `k` is needed")
        end)
    end)

    it("refuses a bad configuration, and gates it does not have", function()
        assert.same({ nil, "unknown option `x`: the iam flow has `rcp_services`" },
                    { flow.new(pack, {}, { x = 1 }) })
        local _, err = pcall(function() flow.new(pack, { vpc = policy("scp", deny()) }) end)
        assert.matches("flow_spec%.lua:%d+: the flow `iam` has no gate `vpc`", err)
    end)
end)
