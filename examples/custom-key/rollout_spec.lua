local testing = require("postern.testing")

describe("the rollout", function()
    local gateway = testing.estate("estate.lua")

    local function call(stage, caller)
        return { api = "orders7a1b", stage = stage, path = "/orders",
                 claims = caller and { sub = caller } }
    end

    testing.cases(gateway, {
        { "leaves v1 to everybody", call("v1"), "allow", "EverybodyCallsV1" },
        { "keeps callers without a token out of v2", call("v2"), "deny" },
        { "keeps a caller where it is", call("v2", "c-25"), "allow", "OneInTenCallsV2" },
    })

    it("lets about one caller in ten into v2", function()
        local allowed = 0
        for i = 1, 1000 do
            allowed = allowed + (gateway:decide(call("v2", "caller " .. i)).allowed and 1 or 0)
        end
        assert.is_true(allowed > 60 and allowed < 140, allowed .. " of 1000")
    end)
end)
