local metrics = require("postern.metrics")
local tallies = require("postern.resty.tally")

local ALLOWED = { allowed = true, decision = "Allowed", reason = "allow", gate = "resource" }
local DENIED = { allowed = false, decision = "ExplicitlyDenied", reason = "explicit_deny",
                 gate = "resource" }
local FAILED = { allowed = false, decision = "ImplicitlyDenied", reason = "error", status = 500 }


describe("a worker's tally", function()
    local counters, board, tally

    before_each(function()
        counters = metrics.new(metrics.memory())
        board = { counts = {}, incr = function(self, name, by)
            self.counts[name] = (self.counts[name] or 0) + by
        end }
        tally = tallies.new(counters, board)
    end)

    -- A decision by a plan: it says what it has in common with others.
    local function planned(fields)
        return setmetatable({}, { __index = setmetatable({ kind = fields }, { __index = fields }) })
    end

    local function shown(line)
        assert.matches(line, (counters:render()), 1, true)
    end


    it("brings what was decided to the counters, once", function()
        for _ = 1, 3 do
            tally:add(planned(ALLOWED), 2e-6)
        end
        tally:add(planned(DENIED), 2e-6)
        tally:add(DENIED, 2e-3)
        tally:add(FAILED, 0)
        for _ = 1, 2 do
            tally:flush()
            assert.same({ allowed = 3, denied = 2, errors = 1 }, board.counts)
            shown('{policy_kind="resource",result="Allowed",reason="allow"} 3')
            shown('result="ExplicitlyDenied",reason="explicit_deny"} 2')
            shown('postern_eval_errors_total{kind="fault"} 1')
            shown('postern_decision_duration_seconds_bucket{le="2.5e-06"} 5')
            shown("postern_decision_duration_seconds_count 6")
        end
    end)

    it("counts those that differ under one name apart", function()
        tally:add(planned(ALLOWED), 0)
        tally:add(planned({ allowed = true, decision = "Allowed", reason = "allow",
                            gate = "identity" }), 0)
        tally:flush()
        shown('{policy_kind="identity",result="Allowed",reason="allow"} 1')
        assert.equal(2, board.counts.allowed)
    end)

    it("does not keep the times of all requests", function()
        for _ = 1, 5000 do
            tally:add(planned(ALLOWED), 1e-3)
        end
        assert.is_true(#tally.times <= 1024)
        tally:flush()
        shown("postern_decision_duration_seconds_count 5000")
        shown("postern_decision_duration_seconds_sum 5")
    end)
end)
