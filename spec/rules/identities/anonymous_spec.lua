local plain = require("postern.host.plain")
local rules = require("postern.rules")


describe("the anonymous identity", function()
    local pack = assert(rules.load("identities", "anonymous", plain.read))

    it("is everybody's, without an ARN", function()
        assert.same({ kind = "anonymous" }, pack.identify({ http = { headers = {} } }, {}, {}))
    end)

    it("is a new table for each request", function()
        assert.are_not.equal(pack.identify({}, {}, {}), pack.identify({}, {}, {}))
    end)

    it("has no options", function()
        assert.is_true(pack.check({}))
        local ok, err = pack.check({ color = "blue" })
        assert.is_nil(ok)
        assert.equal("unknown option `color`: the anonymous identity has none", err)
    end)
end)
