local testing = require("postern.testing")

describe("the stage v1", function()
    local gateway = testing.estate("estate.lua", { now = 1782864000 })
    local CALL = { api = "orders7a1b", stage = "v1", path = "/orders" }

    it("is announced to end the second before", function()
        gateway:advance(-1)
        assert.allows(gateway, CALL)
        assert.truthy(gateway:decide(CALL).headers.sunset)
        gateway:advance(1)
    end)

    it("is gone then, and v2 is not", function()
        assert.denies(gateway, CALL)
        assert.equal(410, gateway:decide(CALL).status)
        assert.allows(gateway, { api = "orders7a1b", stage = "v2", path = "/orders" })
    end)
end)
