local decisions = require("postern.decision")
local postern = require("postern")


local METHOD = "arn:aws:execute-api:us-east-1:123456789012:abc123/dev/GET/pets"

local POLICY = [[
{
  "Version": "2012-10-17",
  "Statement": [
    { "Sid": "Writers", "Effect": "Allow", "Principal": { "AWS": "123456789012" },
      "Action": "execute-api:Manage*", "Resource": "execute-api:/dev/*" },
    { "Sid": "Office",
      "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
      "Resource": "execute-api:/dev/GET/*",
      "Condition": {
        "IpAddress": { "aws:SourceIp": ["10.0.0.0/8", "192.0.2.0/24"] },
        "StringLike": { "app:path": "${app:home, 'none'}/*" } } },
    { "Sid": "Closed", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*",
      "Condition": { "Bool": { "app:closed": "true" } } }
  ]
}]]

local function decide(context, changes)
    local set = assert(postern.compile({ { name = "api.json", text = POLICY } }))
    local request = { action = "execute-api:Invoke", resource = METHOD, context = context }
    for name, value in pairs(changes or {}) do
        request[name] = value
    end
    return assert(postern.flow({ resource = set })):decide(request)
end

local OFFICE = { ["aws:SourceIp"] = "10.1.1.1", ["App:Path"] = "/home/x", ["app:home"] = "/home" }


describe("a decision", function()
    it("says what was decided", function()
        local decision = decide(OFFICE)
        assert.is_true(decision.allowed)
        assert.equal("Allowed: the resource policy allows it (allow)", decision:summary())
        assert.equal("api.json:6:5 `Office` Allow", decision:by())
        assert.equal("wild", decision.match_kind)
    end)

    it("says that nothing allowed", function()
        local decision = decide({})
        assert.equal("ImplicitlyDenied: no statement of the resource policy allows it "
            .. "(no_allow_resource)", decision:summary())
        assert.is_nil(decision:by())
        assert.equal("ImplicitlyDenied: there is no resource policy to allow it "
            .. "(no_allow_resource)",
            assert(postern.flow({})):decide({ action = "a:b", resource = METHOD }):summary())
    end)

    it("keeps the code of a failure", function()
        local failed = decisions.failed({}, { reason = "authentication", error = "no signature",
                                              status = 403, code = "INVALID_SIGNATURE" })
        assert.same({ "no signature", "INVALID_SIGNATURE" }, { failed.because, failed.code })
        assert.is_nil(decisions.failed({}, { error = "boom" }).code)
    end)

    it("says that the root user needs no statement", function()
        local decision = decide({}, { principal = "arn:aws:iam::123456789012:root" })
        assert.equal("Allowed: the root user has full access in its own account (allow)",
                     decision:summary())
    end)

    it("asks nothing more until it is asked to explain, and then once", function()
        local decision = decide(OFFICE)
        local asked, entries = 0, decision.trace.entries
        decision.trace.entries = function(...)
            asked = asked + 1
            return entries(...)
        end
        decision:summary()
        assert.equal(0, asked)
        assert.equal(decision:explain(), decision:explain())
        tostring(decision:explain())
        assert.equal(1, asked)
    end)

    it("explains every statement and condition", function()
        local explanation = decide(OFFICE):explain()
        assert.equal("Allowed", explanation.decision)
        assert.equal(3, #explanation.statements)
        local writers, office, closed = unpack(explanation.statements)

        assert.is_false(writers.matched)
        assert.same({ action = true, principal = true }, writers.failed)
        assert.equal("action", writers.failed_at)

        assert.is_true(office.matched)
        assert.is_nil(office.failed_at)
        local ip, path = office.condition[1], office.condition[2]
        if ip.operator ~= "IpAddress" then
            ip, path = path, ip
        end
        assert.same({
            operator = "IpAddress", key = "aws:sourceip", key_present = true,
            request_values = { "10.1.1.1" }, policy_values = { "10.0.0.0/8", "192.0.2.0/24" },
            resolved_values = { "10.0.0.0/8", "192.0.2.0/24" }, result = true,
            line = 10, column = ip.column,
        }, ip)
        assert.same({ "${app:home, 'none'}/*" }, path.policy_values)
        assert.same({ "/home/*" }, path.resolved_values)
        assert.same({ "/home/x" }, path.request_values)

        assert.is_false(closed.matched)
        assert.is_false(closed.condition[1].key_present)
        assert.same({}, closed.condition[1].request_values)
    end)

    it("explains itself even when others were decided since", function()
        local set = assert(postern.compile({ { name = "api.json", text = POLICY } }))
        local combined = assert(postern.flow({ resource = set }))
        local first = combined:decide({ action = "execute-api:Invoke", resource = METHOD,
                                        context = OFFICE })
        combined:decide({ action = "s3:GetObject", resource = "arn:aws:s3:::b" })
        assert.is_true(first:explain().statements[2].matched)
    end)

    it("leaves the request as it was", function()
        local list = { "10.1.1.1" }
        local decision = decide({ ["aws:SourceIp"] = list })
        decision:explain()
        assert.is_nil(getmetatable(list))
    end)

    it("finds the Allow that came nearest", function()
        local nearest = decide({ ["app:path"] = "none/x" }):explain().nearest
        assert.equal("Office", nearest.statement.sid)
        assert.equal(1, #nearest.misses)
        assert.equal("aws:sourceip", nearest.misses[1].condition.key)
        assert.is_nil(decide(OFFICE):explain().nearest)
    end)

    it("writes all that for people", function()
        local text = tostring(decide({ ["app:path"] = "none/x" }):explain())
        for _, expected in ipairs({
            "^ImplicitlyDenied: no statement of the resource policy allows it",
            "\n  principal  %*\n  action     execute%-api:Invoke\n",
            "\n  context    app:path = `none/x`\n",
            "\ngates\n  resource   ImplicitlyDenied\n",
            "\nnearest miss\n  api%.json:6:5 `Office` Allow\n"
                .. "       6 |     { \"Sid\": \"Office\",\n",
            "\n    aws:sourceip: IpAddress `10%.0%.0%.0/8`, `192%.0%.2%.0/24`; it has nothing\n",
            "\n  api%.json:4:5 `Writers` Allow: does not match: action\n"
                .. "      api%.json:5 Action fails: `execute%-api:Manage%*`\n"
                .. "      api%.json:4 Principal fails: `123456789012`\n",
            "api%.json:11:%d+ StringLike app:path: holds\n        request   `none/x`\n"
                .. "        policy    `${app:home, 'none'}/%*`\n        resolved  `none/%*`\n",
        }) do
            assert.matches(expected, text)
        end
        text = tostring(decide({ ["app:closed"] = true }):explain())
        assert.matches("^ExplicitlyDenied: the resource policy denies it %(explicit_deny%)\n", text)
        assert.matches('\ndecided by\n  api.json:12:5 `Closed` Deny\n      12 |     { "Sid": '
            .. '"Closed"', text)
    end)

    it("cuts what is long, between characters", function()
        local long = ('{"Version":"2012-10-17","Statement":[%s{"Sid":"Last","Effect":"Deny",'
            .. '"Principal":"*","Action":"*","Resource":"%s"}]}')
            :format((" "):rep(300), ("é"):rep(200))
        local set = assert(postern.compile({ { name = "x", text = long } },
                                           { strictness = "structural" }))
        local decision = assert(postern.flow({ resource = set }))
            :decide({ action = "a:b", resource = ("é"):rep(200) })
        local quoted = tostring(decision:explain()):match("\n( +1 |[^\n]+)")
        assert.matches('| {"Sid":"Last"', quoted, 1, true)
        assert.is_true(#quoted < 120)
        assert.matches("\195\169%.%.%.$", quoted)
    end)

    it("has three outcomes and no other", function()
        assert.equal("Allowed", decisions.outcomes.ALLOWED)
        assert.has_error(function() return decisions.outcomes.ALOWED end)
        assert.has_error(function() decisions.outcomes.DENIED = "x" end)
    end)
end)


describe("a seal", function()
    it("is what decisions share that were made of little", function()
        local seal = decisions.seal({ decision = "Allowed", reason = "allow" }, true, "r",
                                    { trace = function() end, decider = function() end })
        local one, other = decisions.sealed({ seal, "a" }), decisions.sealed({ seal, "b" })
        assert.equal(seal, decisions.seal_of(one))
        assert.equal(decisions.seal_of(one), decisions.seal_of(other))
        assert.is_nil(decisions.seal_of(decide(OFFICE)))
        assert.is_nil(decisions.seal_of(decisions.failed({}, { error = "x" })))
    end)
end)
