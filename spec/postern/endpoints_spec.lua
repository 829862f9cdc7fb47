local endpoints = require("postern.endpoints")


local ECHO = { new = function(options, services)
    if options.bad then
        error("`bad`: give another", 0)
    end
    return { options = options, services = services }
end }


describe("endpoints", function()
    it("speak protocols that come with the server, and others", function()
        local known = endpoints.known({ echo = ECHO })
        for _, name in ipairs({ "native", "authzen", "forward", "ext_authz", "opa", "health",
            "ready", "status", "metrics", "echo" }) do
            assert.is_function(known[name].new, name)
        end
        assert.is_nil(endpoints.known().echo)
        assert.is_nil(known.admin)
    end)

    it("are the server's own, the one that decides, and those of the settings", function()
        local own = endpoints.own()
        assert.equal("health", own["/healthz"].protocol)
        assert.is_nil(own["/v1/decide"])
        local common = endpoints.common({ ["/status"] = false,
            ["/x"] = { protocol = "echo", options = {} } })
        assert.equal("native", common["/v1/decide"].protocol)
        assert.equal("echo", common["/x"].protocol)
        assert.is_false(common["/status"])
        assert.is_false(endpoints.common({ ["/v1/decide"] = false })["/v1/decide"])
    end)

    it("are made with their options and what the server hands them", function()
        local known, services = endpoints.known({ echo = ECHO }), {}
        local made = assert(endpoints.routes({ ["/x"] = { protocol = "echo", options = { 7 } },
            ["/y"] = false }, known, services, { ["/z"] = "made" }))
        local found, prefix = made:find("/x/1")
        assert.same({ 7 }, found.options)
        assert.equal(services, found.services)
        assert.equal("/x", prefix)
        assert.is_nil(made:find("/y"))
        assert.equal("made", (made:find("/z")))
        local none, why = endpoints.routes({ ["/x"] = { protocol = "echo",
            options = { bad = true } } }, known, services)
        assert.is_nil(none)
        assert.equal("endpoint `/x`: `bad`: give another", why)
    end)
end)
