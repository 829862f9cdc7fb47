local cjson = require("cjson")
local packs = require("spec.support.packs")


describe("the keys of claims", function()
    local ask = packs.start(packs.load("keys/jwt_claims"), {})

    local function claim(name, claims)
        return ask("jwt:Claim/" .. name, { claims = claims })
    end

    it("are texts, numbers and booleans", function()
        local claims = { sub = "alice", level = 3, share = 0.5, admin = false, mail = true,
                         nick = "" }
        for name, value in pairs(claims) do
            assert.equal(value, (claim(name, claims)))
        end
    end)

    it("are lists of these", function()
        assert.same({ "a", "b" }, (claim("groups", { groups = { "a", "b" } })))
        assert.same({ 1, true, "x" }, (claim("mixed", { mixed = { 1, true, "x" } })))
        local given = { "a" }
        assert.not_equal(given, (claim("groups", { groups = given })))
    end)

    it("go into objects by a slash", function()
        local claims = { realm_access = { roles = { "reader" }, deeper = { still = "x" } } }
        assert.same({ "reader" }, (claim("realm_access/roles", claims)))
        assert.equal("x", (claim("realm_access/deeper/still", claims)))
        assert.same({}, { claim("realm_access/deeper/gone", claims) })
        assert.same({}, { claim("realm_access/roles/reader", claims) })
        assert.same({}, { claim("realm_access/", claims) })
        assert.same({}, { claim("sub/x", { sub = "alice" }) })
        assert.same({}, { claim("realm_access/roles", { realm = { ["access/roles"] = "x" } }) })
    end)

    it("have names with slashes, too", function()
        local claims = { ["https://example.com/tenant"] = "t1",
                         ["https://example.com/app"] = { plan = "gold" } }
        assert.equal("t1", (claim("https://example.com/tenant", claims)))
        assert.equal("gold", (claim("https://example.com/app/plan", claims)))
    end)

    it("fail where two claims, or two ways, answer to one name", function()
        for _, row in ipairs({
            { "role", { role = "user", Role = "admin" } },
            { "a/b", { a = { b = 1 }, A = { B = 2 } } },
            { "a/b", { a = { b = 1 }, ["a/b"] = 2 } },
            { "a/b", { ["a/b"] = 2, ["A/b"] = {} } },
        }) do
            local value, err = claim(row[1], row[2])
            assert.is_nil(value)
            assert.equal(("the token has more than one claim `%s`"):format(row[1]), err)
        end
        -- What is asked for is not in doubt.
        assert.equal("x", (claim("sub", { sub = "x", a = 1, A = 2 })))
    end)

    it("have names in any letter case", function()
        assert.equal("x", (claim("tenantid", { tenantId = "x" })))
        assert.equal("x", (claim("TenantId", { tenantId = "x" })))
    end)

    it("are absent when there is no value", function()
        for _, claims in ipairs({ {}, { other = 1 }, { a = cjson.null }, { a = {} },
                                  { a = { b = 1 } }, { a = { b = {} } } }) do
            assert.same({}, { claim("a", claims) })
        end
        assert.same({}, { ask("jwt:Claim/a", {}) })
        assert.same({}, { ask("jwt:Claim/a", { claims = "a" }) })
    end)

    it("come from nowhere else", function()
        assert.same({}, { ask("jwt:Claim/sub", {
            request = { claims = { sub = "x" } }, principal = { claims = { sub = "x" } },
            http = { headers = { authorization = { "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0." },
                                 ["x-jwt-sub"] = { "x" } } } }) })
    end)

    it("fail for lists of something else", function()
        for _, list in ipairs({ { "a", {} }, { { b = 1 } }, { "a", cjson.null },
                                { "a", b = "c" } }) do
            local value, err = claim("a", { a = list })
            assert.is_nil(value)
            assert.matches("the claim `a` is a list that holds something else", err, 1, true)
        end
    end)

    it("have no options", function()
        packs.assert_refused(packs.load("keys/jwt_claims"), { { { x = 1 }, "unknown option `x`" } })
    end)
end)
