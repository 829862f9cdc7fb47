local json = require("dkjson")
local telemetry = require("postern.telemetry")


describe("what a server counts", function()
    local front, reload, time, decision, counts

    before_each(function()
        time = 100
        decision = { allowed = true, decision = "Allowed", reason = "allow", gate = "resource" }
        front = { answers = {}, open = 2, accepted = 5,
            counts = { turned_away = 1, timed_out = { head = 3, handshake = 2 }, handshakes = 4 } }
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

    it("are events of the decision log, one for each decision, and those it dropped", function()
        local events = {}
        local audit = { dropped = 3, write = function(_, ...)
            local of = { ... }
            local extra = {}
            for name, what in pairs(of[4]) do
                extra[name] = what
            end
            events[#events + 1] = { of[1], of[2], of[3], extra }
        end }
        local function message(given)
            given.header = function(self)
                return self.traceparent, self.traceparent and (self.twice and 2 or 1) or 0
            end
            return given
        end
        assert.equal("0", value("postern_decision_log_dropped_total") or "0")
        counts = telemetry.new({ front = front, reload = reload, worker = 1, audit = audit,
            now = function() return time end, monotonic = function() return time end })
        local first = message({ id = "1", peer = "192.0.2.1", traceparent = "t" })
        local ask = counts:ask_for(first)
        assert.equal(ask, counts:ask_for(first))
        assert.equal(decision, ask({ takes = 0.5 }))
        -- Less would be known of what is decided at once: with a log nothing is.
        assert.is_nil(counts.at_once)
        first.id, first.traceparent = "2", nil
        ask({ takes = 2 })
        counts:ask_for(message({ id = "3", peer = "unix:", traceparent = "t", twice = true }))(
            { takes = 0 })
        assert.equal("3", value("postern_decision_duration_seconds_count"))
        assert.equal("3", value("postern_decision_log_dropped_total"))
        reload.authorize = function() error("gone", 0) end
        assert.error_matches(function() ask({ takes = 1 }) end, "^gone$")
        assert.same({
            { decision, { takes = 0.5 }, 0.5,
                { request_id = "1", requested_by = "192.0.2.1", traceparent = "t" } },
            { decision, { takes = 2 }, 2, { request_id = "2", requested_by = "192.0.2.1" } },
            { decision, { takes = 0 }, 0, { request_id = "3", requested_by = "unix:" } },
            { nil, { takes = 1 }, 0, { request_id = "2", requested_by = "192.0.2.1" } },
        }, events)
        assert.equal("3", value("postern_decision_duration_seconds_count"))
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
        assert.equal("2", value('postern_http_timeouts_total{state="handshake"}'))
        assert.equal("4", value("postern_tls_handshake_failures_total"))
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
        reload.decide_plain = function(_, request)
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
