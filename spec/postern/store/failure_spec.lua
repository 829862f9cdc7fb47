local failures = require("postern.store.failure")


describe("failures", function()
    it("have a code and a message", function()
        local result, err = failures.fail("Code", "no `%s`", "x")
        assert.is_nil(result)
        assert.equal("Code: no `x`", tostring(err))
        -- Without values a message is no format.
        result, err = failures.fail("Code", "100 %")
        assert.is_nil(result)
        assert.equal("100 %", err.message)
    end)

    it("say which file is damaged", function()
        local result, err = failures.damaged("cut short", "/f/a")
        assert.is_nil(result)
        assert.equal("StoreDamaged: /f/a: cut short", tostring(err))
    end)
end)
