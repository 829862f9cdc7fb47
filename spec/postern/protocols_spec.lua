local protocols = require("postern.protocols")


describe("the protocols", function()
    it("are there by name, and refuse options they do not know", function()
        local names = {}
        for name, protocol in pairs(protocols) do
            names[#names + 1] = name
            assert.error_matches(function() protocol.new({ no_such_option = 1 }) end,
                "no_such_option")
        end
        table.sort(names)
        assert.same({ "authzen", "ext_authz", "forward", "native", "opa" }, names)
    end)
end)
