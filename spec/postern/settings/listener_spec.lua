local listeners = require("postern.settings.listener")


local CONTEXT = {
    file = "/etc/estate.lua",
    parse = function(address)
        return address ~= "bad" and { kind = "tcp" } or nil, "give another"
    end,
}


local function read(value)
    return listeners.read("it", value, CONTEXT)
end


describe("a listener's settings", function()
    it("are an address, and how its socket is", function()
        local one = read({ address = "a", mode = "0600", backlog = 5 })
        assert.same({ address = "a", place = { kind = "tcp" }, mode = 384, backlog = 5 }, one)
        assert.same({ address = "a", place = { kind = "tcp" } }, read({ address = "a" }))
    end)

    it("are options of TLS", function()
        assert.same({ certificate = "/etc/c", key = "/k", peer = "none", min_version = "1.2" },
            read({ address = "a", certificate = "c", key = "/k" }).tls)
        assert.same({ certificate = "/etc/c", key = "/etc/k", authorities = "/etc/ca",
            peer = "required", min_version = "1.2" },
            read({ address = "a", certificate = "c", key = "k", client_ca = "ca" }).tls)
        assert.same({ certificate = "/etc/c", key = "/etc/k", authorities = "/etc/ca",
            revoked = "/etc/crl", peer = "optional", min_version = "1.3" },
            read({ address = "a", certificate = "c", key = "k", client_ca = "ca", revoked = "crl",
                client_certificate = "optional", min_version = "1.3" }).tls)
    end)

    it("are refused where they are none, or say nothing without another", function()
        for _, row in ipairs({
            { {}, "it: `address` is missing: add it" },
            { { address = "bad" }, "it: `bad`: give another" },
            { { address = "a", mode = 600 },
                "it: `mode` is 600: give it in octal, as in \"0660\"" },
            { { address = "a", certificate = "c" }, "it: `certificate` without `key`: add it" },
            { { address = "a", key = "c" }, "it: `key` without `certificate`: add it" },
            { { address = "a", client_ca = "c" },
                "it: `client_ca` without `certificate`: add it" },
            { { address = "a", certificate = "c", key = "k", client_certificate = "required" },
                "it: `client_certificate` without `client_ca`: add it" },
            { { address = "a", certificate = "c", key = "k", revoked = "r" },
                "it: `revoked` without `client_ca`: add it" },
            { { address = "a", min_version = "1.3" },
                "it: `min_version` without `certificate`: add it" },
            { { address = "a", certificate = 1, key = "k" },
                "it: `certificate` is 1: give the path of a file" },
            { { address = "a", certificate = "c", key = "k", min_version = "1.1" },
                "it: `min_version` is `1.1`: give \"1.2\" or \"1.3\"" },
            { { address = "a", certificate = "c", key = "k", min_version = 1.3 },
                "it: `min_version` is 1.3: give \"1.2\" or \"1.3\"" },
            { { address = "a", certificate = "c", key = "k", client_ca = "ca",
                client_certificate = "none" },
                "it: `client_certificate` is `none`: give \"optional\" or \"required\"" },
            { { address = "a", certificate = "c", key = "k", client_ca = false },
                "it: `client_ca` is false: give the path of a file" },
        }) do
            local ok, err = pcall(read, row[1])
            assert.is_false(ok)
            assert.equal(row[2], err.settings)
        end
    end)
end)
