local admins = require("postern.settings.admin")
local uv_listener = require("postern.host.uv_listener")


local CONTEXT = { file = "/etc/estate.lua", parse = uv_listener.parse }


local function read(value)
    return admins.read(value, CONTEXT)
end


local function with(more)
    local value = { address = "127.0.0.1:1", tokens = "tokens" }
    for name, one in pairs(more) do
        value[name] = one ~= "" and one or nil
    end
    return value
end


describe("settings of administration", function()
    it("are none unless somebody says so", function()
        assert.is_nil(read(nil))
        assert.is_nil(read(false))
    end)

    it("are a listener and who may", function()
        local admin = read({ address = "unix:/s", users = { 0 }, keep = 20 })
        assert.equal("unix", admin.place.kind)
        assert.equal(384, admin.mode)
        assert.equal(20, admin.keep)
        assert.same({ users = { 0 } }, admin.operators)
        assert.equal(432, read({ address = "unix:/s", mode = "0660", tokens = "t" }).mode)
        admin = read({ address = "*:1", certificate = "c", key = "k", client_ca = "ca",
            tokens = "t", subjects = { "CN=a" }, fingerprints = { "ab" } })
        assert.same({ tokens = "/etc/t", subjects = { "CN=a" }, fingerprints = { "ab" } },
            admin.operators)
        assert.equal("required", admin.tls.peer)
        for _, address in ipairs({ "127.0.0.1:1", "[::1]:1", "127.9.9.9:1", "localhost:1" }) do
            assert.equal(address, read(with({ address = address })).address)
        end
    end)

    it("are refused where somebody could get in, or nobody", function()
        for _, row in ipairs({
            { 1, "`admin` is 1: give a table with `address` and who may: " },
            { with({ endpoints = {} }), "admin: unknown member `endpoints`" },
            { with({ address = "" }), "admin: `address` is missing: add it" },
            { with({ tokens = "" }), "admin: nobody may: give `tokens`, `subjects`, " },
            { with({ tokens = 1 }), "admin: `tokens` is 1: give the path of a file" },
            { with({ keep = 9 }), "admin: `keep` is 9: give a whole number from 10 to 10000" },
            { with({ address = "fd:3" }), "admin: `fd:3`: give an address: " },
            { with({ users = { 0 } }), "admin: `users` are known at a Unix socket only: " },
            { with({ subjects = { "CN=a" } }),
                "admin: certificates of clients are not asked for: add `client_ca`" },
            { with({ fingerprints = { "ab" }, certificate = "c", key = "k" }),
                "admin: certificates of clients are not asked for: add `client_ca`" },
            { with({ address = "*:1" }), "admin: `*:1` is reached from other machines: add " },
            { with({ address = "192.0.2.1:1" }), "admin: `192.0.2.1:1` is reached from other " },
            { with({ address = "[::]:1" }), "admin: `[::]:1` is reached from other machines: " },
            { with({ address = "[::ffff:127.0.0.1]:1" }), "admin: `[::ffff:127.0.0.1]:1` is " },
        }) do
            local ok, err = pcall(read, row[1])
            assert.is_false(ok)
            assert.equal(row[2], err.settings:sub(1, #row[2]))
        end
    end)
end)
