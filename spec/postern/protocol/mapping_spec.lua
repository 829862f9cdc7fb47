local mappings = require("postern.protocol.mapping")


local function apply(given, request)
    local mapping = assert(mappings.new(given))
    local ok, err = mapping:apply(request)
    if not ok then
        return nil, err
    end
    return request.api, request.stage
end


describe("a mapping", function()
    it("leads to one API", function()
        assert.same({ "a", "dev" }, { apply({ api = "a", stage = "dev" }, { raw_path = "/x" }) })
        assert.same({ "a" }, { apply({ api = "a" }, { raw_path = "/x" }) })
    end)

    it("leaves it to the estate's domain names", function()
        local request = { raw_path = "/x", host = "api.example.com" }
        assert.is_true(assert(mappings.new({ domains = true })):apply(request))
        assert.is_nil(request.api)
    end)

    local APIS = { apis = {
        { host = "Pets.Example.com", api = "pets", stage = "dev" },
        { host = "api.example.com", prefix = "/v1", api = "one" },
        { host = "api.example.com", prefix = "/v1/pets", api = "two" },
        { prefix = "/open", api = "open" },
    } }

    it("leads by host, then by the longest prefix", function()
        for _, row in ipairs({
            { "pets.example.com", "/any", "pets" },
            { "PETS.example.com:8443", "/a%2Fb", "pets" }, -- the API's rules have the say
            { "api.example.com", "/v1", "one" },
            { "api.example.com", "/v1/x?y=/v1/pets", "one" },
            { "api.example.com", "/v1/pets", "two" },
            { "api.example.com", "/v1/pets/7", "two" },
            { "api.example.com", "/v1/petsx", "one" },
            { "api.example.com", "/v%31/p%65ts/7", "two" }, -- decoded first
            { "other.example.com", "/open/x", "open" },
            { nil, "/open", "open" },
        }) do
            assert.equal(row[3], (apply(APIS, { host = row[1], raw_path = row[2] })), row[2])
        end
    end)

    it("leads nowhere otherwise", function()
        for _, row in ipairs({
            { "api.example.com", "/v2" }, { "api.example.com", "/v1x" },
            { "api.example.com", "/open" }, -- entries for the host are all that count
            { "other.example.com", "/opens" }, { "other.example.com", "/" },
            { "api.example.com", "/open/../v1" }, { "api.example.com", "/v1//pets" },
            { "api.example.com", "/v1/%2e%2e/x" }, { "api.example.com", "/v1%2Fpets" },
            { "api.example.com", "/v1/%zz" }, { "a b", "/open" }, { "x@pets.example.com", "/a" },
        }) do
            local api, err = apply(APIS, { host = row[1], raw_path = row[2] })
            assert.is_nil(api, row[2])
            assert.equal("string", type(err))
        end
        local hosts = { apis = { { host = "pets.example.com", api = "pets" } } }
        assert.is_nil((apply(hosts, { host = "x.example.com", raw_path = "/" })))
        assert.is_nil((apply(hosts, { raw_path = "/" })))
    end)

    it("takes a path that is decoded already", function()
        assert.equal("two", (apply(APIS, { host = "api.example.com", path = "/v1/pets/7" })))
        assert.is_nil((apply(APIS, { host = "api.example.com", path = "/v1/../x" })))
    end)

    it("is refused when it is unclear", function()
        for expected, given in pairs({
            ["give one of `api`, `apis`"] = {},
            ["give one of"] = { api = "a", domains = true },
            ["`stage` belongs"] = { domains = true, stage = "dev" },
            ["`apis` is empty"] = { apis = {} },
            ["entry 1: unknown option `path`"] = { apis = { { api = "a", path = "/x" } } },
            ["entry 1: `api` is missing"] = { apis = { { host = "a.example.com" } } },
            ["the prefix `pets`"] = { apis = { { api = "a", prefix = "pets" } } },
            ["the prefix `/pets/`"] = { apis = { { api = "a", prefix = "/pets/" } } },
            ["the prefix `/a%2Fb`"] = { apis = { { api = "a", prefix = "/a%2Fb" } } },
            ["the prefix `/a/../b`"] = { apis = { { api = "a", prefix = "/a/../b" } } },
            ["the host `a b`"] = { apis = { { api = "a", host = "a b" } } },
            ["entry 2: `x.example.com/` leads to the API `a` already"] = {
                apis = { { api = "a", host = "x.example.com" },
                         { api = "b", host = "X.example.com" } },
            },
        }) do
            local mapping, err = mappings.new(given)
            assert.is_nil(mapping)
            assert.is_truthy(err:find(expected, 1, true), err)
        end
    end)

    it("takes no hosts where nobody knows them", function()
        for _, given in ipairs({ { domains = true }, APIS }) do
            local mapping, err = mappings.new(given, false)
            assert.is_nil(mapping)
            assert.is_truthy(err:find("proves nothing", 1, true), err)
        end
        assert.is_truthy(mappings.new({ apis = { { prefix = "/a", api = "a" } } }, false))
    end)
end)
