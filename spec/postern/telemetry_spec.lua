local json = require("dkjson")
local telemetry = require("postern.telemetry")


describe("what a server counts", function()
    local front, reload, time, decision, counts

    before_each(function()
        time = 100
        decision = { allowed = true, decision = "Allowed", reason = "allow", gate = "resource" }
        front = { answers = {}, open = 2, accepted = 5,
            counts = { turned_away = 1, timed_out = { head = 3 } } }
        reload = { estate = { revision = "r1" }, authorize = function(_, request)
            time = time + request.takes
            return decision
        end }
        counts = telemetry.new({ front = front, reload = reload, worker = 1,
            now = function() return time end, monotonic = function() return time end })
    end)

    local function value(name, text)
        text = text or counts:render()
        local at = text:find("\n" .. name .. " ", 1, true)
        return at and text:match("^%S+", at + #name + 2)
    end

    it("are decisions, and how long they took", function()
        assert.equal(decision, counts.ask({ takes = 0.002 }))
        decision = { decision = "ImplicitlyDenied", reason = "error", status = 500 }
        counts.ask({ takes = 2 })
        assert.equal("1", value('postern_decisions_total{policy_kind="resource",'
            .. 'result="Allowed",reason="allow"}'))
        assert.equal("1", value('postern_eval_errors_total{kind="fault"}'))
        assert.equal("1", value('postern_decision_duration_seconds_bucket{le="0.0025"}'))
        assert.equal("2", value("postern_decision_duration_seconds_count"))
        assert.equal("2.002", value("postern_decision_duration_seconds_sum"))
    end)

    it("are connections and answers", function()
        front.answers = { [200] = 7, [404] = 2, [599] = 1, [550] = 1 }
        assert.equal("7", value('postern_http_responses_total{status="200"}'))
        front.answers[200] = 9
        assert.equal("9", value('postern_http_responses_total{status="200"}'))
        assert.equal("2", value('postern_http_responses_total{status="other"}'))
        assert.equal("2", value("postern_http_connections"))
        assert.equal("5", value('postern_http_connections_total{outcome="accepted"}'))
        assert.equal("1", value('postern_http_connections_total{outcome="turned_away"}'))
        assert.equal("3", value('postern_http_timeouts_total{state="head"}'))
    end)

    it("are reloads", function()
        assert.equal("1", value('postern_policy_revision_info{source="estate",revision="r1"}'))
        assert.equal("100", value("postern_policy_last_success_timestamp_seconds"))
        time = 200
        reload.on_outcome("failure")
        assert.equal("100", value("postern_policy_last_success_timestamp_seconds"))
        reload.on_outcome("unchanged")
        reload.on_outcome("success")
        reload.estate = { revision = "r2" }
        assert.equal("200", value("postern_policy_last_success_timestamp_seconds"))
        for _, outcome in ipairs({ "failure", "unchanged", "success" }) do
            assert.equal("1", value(('postern_policy_reload_total{outcome="%s"}'):format(outcome)))
        end
        assert.equal("1", value('postern_policy_revision_info{source="estate",revision="r2"}'))
        assert.is_nil(value('postern_policy_revision_info{source="estate",revision="r1"}'))
    end)

    it("add up over processes, those that have ended too", function()
        front.answers = { [200] = 1 }
        local first = counts:snapshot()
        assert.not_matches("\n", first)
        front.answers = { [200] = 20 }
        local second = counts:snapshot()
        local ended = telemetry.fold(nil, first)
        ended = telemetry.fold(ended, second)
        local other = json.decode(first)
        other.worker = "2"
        front.answers = { [200] = 320 }
        local text = counts:render(nil, "[" .. ended .. "," .. json.encode(other) .. "]")
        assert.equal("342", value('postern_http_responses_total{status="200"}', text))
        assert.equal("2", value('postern_http_connections{worker="1"}', text))
        assert.equal("2", value('postern_http_connections{worker="2"}', text))
        assert.equal("1", value('postern_policy_revision_info{source="estate",revision="r1"}',
            text))
    end)

    it("are decisions made at once, where they can be", function()
        local at_once
        reload.authorize_at_once = function(_, request)
            time = time + request.takes
            return unpack(at_once, 1, 2)
        end
        at_once = { decision }
        assert.equal(decision, (counts.at_once({ takes = 0.002 })))
        at_once = { nil, true }
        assert.same({ nil, true }, { counts.at_once({ takes = 1 }) })
        assert.equal("1", value('postern_decisions_total{policy_kind="resource",'
            .. 'result="Allowed",reason="allow"}'))
        assert.equal("0", value('postern_decision_duration_seconds_bucket{le="0.001"}'))
        assert.equal("1", value('postern_decision_duration_seconds_bucket{le="0.0025"}'))
        assert.equal("1", value("postern_decision_duration_seconds_count"))
    end)
end)
