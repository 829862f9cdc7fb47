local messages = require("spec.support.messages")
local verdicts = require("postern.protocol.verdict")


local ALLOWED = { allowed = true, decision = "Allowed", reason = "allow", status = 200 }

local function denied(reason, status, headers)
    return { allowed = false, decision = "ImplicitlyDenied", reason = reason, status = status,
             headers = headers }
end


-- An answer as messages.answer gives it.
local function told(decision, options, id)
    local verdict = verdicts.new(options)
    return messages.answer({ handle = function(_, message)
        return verdict:of(decision, message)
    end }, messages.message("GET", "/", { id = id }))
end


describe("a verdict", function()
    it("lets through with 200 and no body", function()
        for _, options in ipairs({ {}, { bare = true } }) do
            local answer = told(ALLOWED, options, "id-1")
            assert.same({ 200, nil, "allow" }, { answer.status, answer.body,
                answer.headers["x-postern-decision"] })
            -- nginx has ids of its own, and gets the same headers each time.
            assert.equal(not options.bare and "id-1" or nil,
                         answer.headers["x-postern-decision-id"])
        end
        assert.is_nil(told(ALLOWED).headers["x-postern-decision-id"])
    end)

    it("hands on the headers of the decision", function()
        local decision = { allowed = true, decision = "Allowed", reason = "allow", status = 200,
                           headers = { ["x-plan"] = "gold" } }
        assert.equal("gold", told(decision).headers["x-plan"])
        assert.equal("gold", told(decision, { bare = true }).headers["x-plan"])
        decision.headers = { ["x-plan"] = "gold\r\nx-more: 1" }
        local answer = told(decision)
        assert.same({ 403, "deny" }, { answer.status, answer.headers["x-postern-decision"] })
        assert.is_truthy(answer.why)
    end)

    it("denies with 403, or a status that is the client's to mend", function()
        for _, row in ipairs({
            { denied("no_allow_resource", 403), 403, 403 },
            { denied("authentication", 401), 401, 401 },
            { denied("hook", 429), 429, 403 }, { denied("error", 400), 400, 403 },
            { denied("error", 404), 404, 403 }, { denied("error", 414), 414, 403 },
            { denied("error", 500), 403, 403 }, { denied("hook", 503), 403, 403 },
            { denied("hook", 302), 403, 403 }, { denied("hook", 200), 403, 403 },
            { denied("hook", 204), 403, 403 }, { denied("hook", nil), 403, 403 },
            { nil, 403, 403 },
        }) do
            for i, options in ipairs({ {}, { bare = true } }) do
                local answer = told(row[1], options)
                assert.equal(row[i + 1], answer.status)
                assert.equal("deny", answer.headers["x-postern-decision"])
            end
        end
    end)

    it("has a body for the client, but not for nginx", function()
        local answer = told(denied("no_allow_resource", 403), {}, "id-1")
        assert.same({ message = "Forbidden", request_id = "id-1" }, answer.json)
        assert.equal("application/json", answer.headers["content-type"])
        answer = told(denied("authentication", 401), { bare = true })
        assert.is_nil(answer.body)
        assert.is_truthy(answer.headers["www-authenticate"])
    end)

    it("denies what contradicts itself", function()
        for _, decision in ipairs({
            { allowed = true, decision = "ImplicitlyDenied", reason = "allow", status = 200 },
            { allowed = true, decision = "Allowed", reason = "error", status = 200 },
            { allowed = "true", decision = "Allowed", reason = "allow", status = 200 },
            { allowed = 1 }, {}, "allowed", true,
        }) do
            assert.equal(403, told(decision).status)
            assert.equal(403, told(decision, { bare = true }).status)
        end
    end)

    it("tells no id that is none", function()
        for _, id in ipairs({ "a\r\nb", "", ("x"):rep(129), "é" }) do
            assert.is_nil(told(ALLOWED, {}, id).headers["x-postern-decision-id"])
        end
    end)

    it("denies when reading or asking raises", function()
        local verdict = verdicts.new()
        local message = messages.message("GET", "/")
        local function request() return {} end
        local status, _, _, why = verdict:give(function() error("read") end, nil, message,
                                               function() return ALLOWED end)
        assert.equal(403, status)
        assert.is_truthy(why:find("read", 1, true))
        status, _, _, why = verdict:give(request, nil, message, function() error("ask") end)
        assert.equal(403, status)
        assert.is_truthy(why:find("ask", 1, true))
        status, _, _, why = verdict:give(function() return nil, "no" end, nil, message,
                                         function() return ALLOWED end)
        assert.same({ 403, "no" }, { status, why })
        assert.equal(200, (verdict:give(request, nil, message, function() return ALLOWED end)))
    end)
end)
