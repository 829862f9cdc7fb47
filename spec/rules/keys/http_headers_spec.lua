local packs = require("spec.support.packs")


describe("the keys of HTTP", function()
    local pack = packs.load("keys/http_headers")
    local ask = packs.start(pack, { headers = { "X-Tenant", "accept" },
                                    set_by_gateway = { "x-principal" } })

    local function header(name, headers, truncated)
        return ask("http:Header/" .. name,
                   { http = { headers = headers, headers_truncated = truncated } })
    end

    it("are all values of a header, unchanged", function()
        assert.same({ "a" }, (header("x-tenant", { ["x-tenant"] = { "a" } })))
        assert.same({ "a", "b, c", "" },
                    (header("X-Tenant", { ["x-tenant"] = { "a", "b, c", "" } })))
        assert.same({ "*/*" }, (header("accept", { accept = { "*/*" } })))
        local given = { "a" }
        assert.not_equal(given, (header("x-tenant", { ["x-tenant"] = given })))
    end)

    it("are absent when the header is", function()
        assert.same({}, { header("x-tenant", {}) })
        assert.same({}, { header("x-tenant", { ["x-tenant"] = {} }) })
        assert.same({}, { ask("http:Header/x-tenant", {}) })
        assert.same({}, { ask("http:Header/x-tenant", { http = {} }) })
    end)

    it("fail for headers that are not named", function()
        for _, name in ipairs({ "x-tenants", "cookie", "authorization", "x-principal" }) do
            local value, err = header(name, { [name] = { "x" } })
            assert.is_nil(value)
            assert.equal(("the header `%s` is not in `headers`: name it in the estate")
                             :format(name), err)
        end
    end)

    it("fail when the host dropped headers: there may be one more value", function()
        for _, headers in ipairs({ {}, { ["x-tenant"] = { "a" } } }) do
            local value, err = header("x-tenant", headers, true)
            assert.is_nil(value)
            assert.equal("not all headers of the request are known", err)
        end
    end)

    it("fail when the client has the next hop remove the header", function()
        for _, connection in ipairs({ { "x-tenant" }, { "close, X-Tenant" },
                                      { "close", "x-tenant" }, { "a,\tx-tenant ,b" } }) do
            local value, err = header("x-tenant", { ["x-tenant"] = { "a" },
                                                    connection = connection })
            assert.is_nil(value)
            assert.matches("the header Connection names `x-tenant`", err, 1, true)
        end
        assert.same({ "a" }, (header("x-tenant", { ["x-tenant"] = { "a" },
                                                   connection = { "keep-alive, x-tenants" } })))
    end)

    it("are method, host and path", function()
        local context = { http = { method = "GET", host = "Api.Example.com:8443", path = "/a b" } }
        assert.equal("GET", (ask("http:Method", context)))
        assert.equal("/a b", (ask("http:Path", context)))
        for given, expected in pairs({
            ["Api.Example.com:8443"] = "api.example.com", ["api.example.com."] = "api.example.com",
            ["api.example.com.:80"] = "api.example.com", ["[2001:DB8::1]:80"] = "[2001:db8::1]",
        }) do
            assert.equal(expected, (ask("http:Host", { http = { host = given } })))
        end
        for _, key in ipairs({ "http:Method", "http:Host", "http:Path" }) do
            assert.is_nil((ask(key, {})))
            assert.is_nil((ask(key, { http = {} })))
        end
    end)

    it("have a type for each", function()
        for _, kind in ipairs({ "keys", "prefixes" }) do
            for key in pairs(pack[kind]) do
                assert.is_string(pack.types[key])
            end
        end
    end)

    it("refuse names that nobody can rely on", function()
        for _, name in ipairs({ "Connection", "keep-alive", "Transfer-Encoding", "te", "upgrade",
                                "x-forwarded-for", "Forwarded", "x-real-ip", "host",
                                "content-length" }) do
            packs.assert_refused(pack, { { { headers = { name } }, "leave it out" } })
        end
        packs.assert_refused(pack, {
            { { header = {} }, "unknown option `header`" },
            { { headers = "x" }, "`headers` is a string" },
            { { headers = { "x y" } }, "`x y` is not the name of a header" },
            { { headers = { "" } }, "is not the name of a header" },
            { { headers = { 7 } }, "`7` is not the name of a header" },
            { { headers = { "a" }, set_by_gateway = { "b c" } }, "`set_by_gateway`: `b c`" },
            { { headers = { "a", "X-B" }, set_by_gateway = { "x-b" } },
              "`x-b` is also in `set_by_gateway`" },
        })
        assert.is_true(pack.check({}))
    end)
end)
