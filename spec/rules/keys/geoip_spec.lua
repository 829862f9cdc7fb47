local databases = require("spec.support.mmdb")
local packs = require("spec.support.packs")


describe("the keys of geography", function()
    local pack = packs.load("keys/geoip")
    local paths = {}

    local function file_of(bytes)
        paths[#paths + 1] = databases.write(bytes)
        return paths[#paths]
    end

    teardown(function()
        for _, path in ipairs(paths) do
            os.remove(path)
        end
    end)

    local ask

    setup(function()
        local countries = file_of(databases.build({
            { "1.0.0.0/8", { country = { iso_code = "AU", geoname_id = 1 },
                             continent = { code = "OC" } } },
            { "2.0.0.0/8", { registered_country = { iso_code = "FR" },
                             continent = { code = "EU" } } },
            { "2001:db8::/32", { country = { iso_code = "DE" }, continent = { code = "EU" } } },
            { "3.0.0.0/8", { country = "US", continent = 7 } },
        }, { ip_version = 6 }))
        local asns = file_of(databases.build({
            { "1.2.0.0/16", { autonomous_system_number = 64496,
                              autonomous_system_organization = "EXAMPLE" } },
        }))
        ask = packs.start(pack, { database = countries, asn_database = asns })
    end)

    local function all(context)
        local found = {}
        for key in pairs(pack.keys) do
            local value, err = ask(key, context)
            assert.is_nil(err)
            found[key] = value
        end
        return found
    end

    it("are those of the client's address", function()
        assert.same({ ["geo:Country"] = "AU", ["geo:Continent"] = "OC", ["geo:Asn"] = 64496 },
                    all({ client_ip = "1.2.3.4", peer = "2001:db8::1" }))
        assert.same({ ["geo:Country"] = "DE", ["geo:Continent"] = "EU" },
                    all({ client_ip = "2001:db8::7", peer = "1.2.3.4" }))
    end)

    it("are those of the peer when no other address is known", function()
        assert.same({ ["geo:Country"] = "AU", ["geo:Continent"] = "OC", ["geo:Asn"] = 64496 },
                    all({ peer = "1.2.3.4" }))
        assert.same({ ["geo:Country"] = "AU", ["geo:Continent"] = "OC" },
                    all({ peer = "::ffff:1.9.9.9" }))
    end)

    it("never come from a header", function()
        assert.same({}, all({ peer = "10.0.0.1", http = { headers = {
            ["x-forwarded-for"] = { "1.2.3.4" }, ["cf-ipcountry"] = { "AU" } } } }))
    end)

    it("are absent for private and unknown addresses, and without any", function()
        for _, address in ipairs({ "10.0.0.1", "192.168.1.1", "127.0.0.1", "::1", "fe80::1",
                                   "8.8.8.8", "2001:db9::1", "unix:/run/x" }) do
            assert.same({}, all({ client_ip = address }))
        end
        assert.same({}, all({}))
        assert.same({}, all({ peer = "unix:" }))
    end)

    it("are absent where the record does not have them", function()
        assert.same({ ["geo:Continent"] = "EU" }, all({ client_ip = "2.1.1.1" }))
        assert.same({}, all({ client_ip = "3.1.1.1" }))
    end)

    it("fail for what is no address", function()
        for key in pairs(pack.keys) do
            local value, err = ask(key, { client_ip = "not an address" })
            assert.is_nil(value)
            assert.matches("not an address", err, 1, true)
        end
    end)

    it("fail on a broken database, for the records that are", function()
        local bytes = databases.build({ { "1.0.0.0/8", { country = { iso_code = "AU" } } },
                                        { "2.0.0.0/8", { country = { iso_code = "FR" } } } })
        -- The country of the first record becomes a pointer far past the end.
        local at = bytes:find("\225\72iso_code", 1, true)
        local path = file_of(bytes:sub(1, at - 1) .. "\48\255\255\255" .. bytes:sub(at + 4))
        local broken = packs.start(pack, { database = path })
        local value, err = broken("geo:Country", { client_ip = "1.2.3.4" })
        assert.is_nil(value)
        assert.matches(path, err, 1, true)
    end)

    it("fail when their database is not configured: a Deny may count on them", function()
        local some = packs.start(pack, { database = paths[1] })
        local value, err = some("geo:Asn", { client_ip = "1.2.3.4" })
        assert.is_nil(value)
        assert.equal("the pack has no `asn_database`: name one in the estate", err)
    end)

    it("do not start without a database that can be read", function()
        for _, path in ipairs({ "/nowhere.mmdb", file_of("no database") }) do
            local state, err = pack.start({ asn_database = path }, packs.tools())
            assert.is_nil(state)
            assert.matches("`asn_database`: " .. path, err, 1, true)
        end
    end)

    it("have their options checked, and files among them", function()
        packs.assert_refused(pack, {
            { {}, "names no database" },
            { { databse = "x" }, "unknown option `databse`" },
            { { database = 7 }, "`database` is a number" },
            { { database = "x", asn_database = {} }, "`asn_database` is a table" },
        })
        assert.same({ "database", "asn_database" }, pack.files)
    end)
end)
