local fixtures = require("spec.support.stores")
local views = require("postern.store.view")


describe("looking into a store", function()
    local fixture

    before_each(function()
        fixture = fixtures.new()
    end)

    after_each(function()
        fixture:close()
    end)

    it("shows what stands in the estate's file where nothing is held", function()
        fixture:within(function()
            local store = assert(fixture:open())
            assert.equal("file", views.get(store, "api", "a1").active.source)
            assert.equal("none", views.get(store, "api", "p1").active.source)
            assert.equal("file", views.get(store, "endpoint", "vpce-1").active.source)
            assert.equal("default", views.get(store, "endpoint", "vpce-2").active.source)
            assert.equal(fixtures.policy("FromFile"), views.text(store, "api", "a1"))
            assert.matches('"Principal": "*"', views.text(store, "endpoint", "vpce-2"), 1, true)
            for _, id in ipairs({ "a1", "p1" }) do
                local text, err = views.text(store, "api", id, { staged = true })
                assert.is_nil(text)
                assert.equal("NoPolicy", err.code)
            end
            local text, err = views.text(store, "api", "a1", { revision = 1 })
            assert.is_nil(text)
            assert.equal("NoSuchRevision", err.code)
        end)
    end)

    it("shows every revision of the history", function()
        fixture:within(function()
            local store = assert(fixture:open())
            assert(store:put("endpoint", "vpce-1", fixtures.endpoint_policy("E1")))
            assert(store:reset("endpoint", "vpce-1", { if_match = 1 }))
            assert(store:put("endpoint", "vpce-1", fixtures.endpoint_policy("E3"),
                             { if_match = 2 }))
            assert.equal(fixtures.endpoint_policy("E1"),
                         views.text(store, "endpoint", "vpce-1", { revision = 1 }))
            assert.matches('"Principal": "*"',
                           views.text(store, "endpoint", "vpce-1", { revision = 2 }), 1, true)
            local text, revision = views.text(store, "endpoint", "vpce-1")
            assert.same({ fixtures.endpoint_policy("E3"), 3 }, { text, revision })
        end)
    end)

    it("refuses ids that no store takes", function()
        fixture:write("estate.lua", fixtures.ESTATE
            .. 'api "x.y" { endpoint_type = "REGIONAL", authorization = "NONE", stages = "s" }')
        fixture:within(function()
            local store = assert(fixture:open())
            local _, err = views.get(store, "api", "x.y")
            assert.equal("InvalidId", err.code)
            assert.equal(3, #views.list(store, "api"))
        end)
    end)
end)
