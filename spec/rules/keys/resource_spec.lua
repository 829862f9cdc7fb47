local rules = require("postern.rules")
local plain = require("postern.host.plain")


describe("the keys of the resource", function()
    local pack

    setup(function()
        pack = assert(rules.load("keys", "resource", plain.read))
    end)

    local MEMBERS = { ["aws:ResourceAccount"] = "account", ["aws:ResourceOrgID"] = "org_id",
                      ["aws:ResourceOrgPaths"] = "org_paths" }
    local API = { account = "123456789012", org_id = "o-1", org_paths = { "o-1/r-1/ou-1/" } }

    it("tell whose API is called", function()
        for key, member in pairs(MEMBERS) do
            assert.same(API[member], (pack.keys[key]({ api = API })))
        end
    end)

    it("are absent when they are not known", function()
        for key in pairs(MEMBERS) do
            assert.is_nil((pack.keys[key]({})))
            assert.is_nil((pack.keys[key]({ api = {} })))
        end
        assert.is_nil((pack.keys["aws:ResourceOrgPaths"]({ api = { org_paths = {} } })))
    end)

    it("are these and no other, and have no options", function()
        for name in pairs(pack.keys) do
            assert.is_string(MEMBERS[name])
            assert.is_string(pack.types[name])
        end
        assert.is_true(pack.check({}))
        assert.matches("unknown option `x`", select(2, pack.check({ x = 1 })), 1, true)
    end)
end)
