-- The core against the reference. `make differential` runs as many cases as one likes.
local differential = require("spec.support.differential")
local generate = require("spec.support.generate")

local SEED, COUNT = 20261120, 20000


describe("the core and the reference", function()
    it("agree on generated cases", function()
        local told = {}
        local result = differential.run({
            seed = SEED,
            count = COUNT,
            print = function(line)
                told[#told + 1] = line
            end,
        })
        assert.equal(0, result.differences, table.concat(told, "\n"))
        for _, outcome in ipairs({ "Allowed", "ExplicitlyDenied", "ImplicitlyDenied" }) do
            assert.is_true(result.outcomes[outcome] > COUNT / 10, outcome)
        end
        for _, feature in ipairs(generate.FEATURES) do
            assert.truthy(result.features[feature], "never met: " .. feature)
        end
    end)

    it("are compared in every way that there is", function()
        local ways, asked, ask = differential.ways(), {}, differential.ask_core
        differential.ask_core = function(case)
            asked[#asked + 1] = os.getenv("POSTERN_INDEX") .. " " .. os.getenv("POSTERN_SIMD")
            return ask(case)
        end
        local before = os.getenv("POSTERN_SIMD")
        differential.difference((generate.case(1, 1)))
        differential.ask_core = ask
        local expected = {}
        for i, way in ipairs(ways) do
            expected[i] = way.POSTERN_INDEX .. " " .. way.POSTERN_SIMD
        end
        assert.same(expected, asked)
        assert.is_true(#ways >= 2)
        assert.equal(before, os.getenv("POSTERN_SIMD"))
    end)

    it("would tell a difference, shrunk", function()
        -- A core that is wrong about one thing: it takes every Deny for an Allow.
        local ask, told = differential.ask_core, {}
        differential.ask_core = function(case)
            local decision = ask(case)
            if decision.decision == "ExplicitlyDenied" then
                decision.decision = "Allowed"
            end
            return decision
        end
        local result = differential.run({
            seed = 1,
            count = 20,
            most = 1,
            print = function(line)
                told[#told + 1] = line
            end,
        })
        differential.ask_core = ask
        assert.is_true(result.differences > 0)
        assert.truthy(told[1]:find("index, %w+: decision: core Allowed"))
        assert.truthy(told[2]:find("shrunk", 1, true))
    end)
end)
