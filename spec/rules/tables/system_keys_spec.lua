local plain = require("postern.host.plain")
local rules = require("postern.rules")


describe("the table of system keys", function()
    local pack = assert(rules.load("tables", "system_keys", plain.read))

    it("is a table pack that any configuration suits", function()
        assert.equal("system_keys", pack.name)
        assert.is_true(pack.check({}))
    end)

    it("names keys of AWS, each once, in the guide's spelling", function()
        local seen = {}
        for _, key in ipairs(pack.data) do
            assert.matches("^aws:%u%a+$", key)
            assert.is_nil(seen[key:lower()])
            seen[key:lower()] = true
        end
        assert.equal(10, #pack.data)
    end)

    it("has the two that the guide gives as examples", function()
        local all = " " .. table.concat(pack.data, " ") .. " "
        assert.is_truthy(all:find(" aws:PrincipalAccount ", 1, true))
        assert.is_truthy(all:find(" aws:SourceVpc ", 1, true))
    end)
end)
