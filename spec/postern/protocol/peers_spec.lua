local crypto = require("postern.crypto")
local peers = require("postern.protocol.peers")


local DIGEST = crypto.hex(crypto.sha256("secret"))


local function admits(list, peer, members)
    members = members or {}
    local headers = members.authorization
        and { authorization = type(members.authorization) == "table" and members.authorization
            or { members.authorization } } or {}
    return assert(peers.new(list)):admits({ peer = peer, tls = members.tls, headers = headers })
end


describe("peers", function()
    it("are addresses", function()
        local list = { "192.0.2.0/24", "2001:db8::1" }
        assert.is_true(admits(list, "192.0.2.200"))
        assert.is_true(admits(list, "2001:db8:0::1"))
        assert.is_false(admits(list, "192.0.3.1"))
        assert.is_false(admits(list, "2001:db8::2"))
        assert.is_false(admits(list, "unix:"))
        assert.is_false(admits(list, "nonsense"))
        assert.is_false(admits(list, nil))
        assert.is_false(admits({ "192.0.2.0/24" }, "127.0.0.1"))
    end)

    it("are not taken for the one before", function()
        local list = assert(peers.new({ "192.0.2.0/24" }))
        for _, peer in ipairs({ "192.0.2.1", "192.0.2.1", "198.51.100.1", "198.51.100.1" }) do
            for _ = 1, 2 do
                assert.equal(peer == "192.0.2.1", list:admits({ peer = peer, headers = {} }))
            end
        end
        assert.is_false(list:admits({ peer = "unix:", headers = {} }))
        assert.is_false(list:admits({ headers = {} }))
    end)

    it("are whoever opens the Unix socket", function()
        assert.is_true(admits({ "unix:" }, "unix:"))
        assert.is_true(admits({ "unix:" }, "unix:/run/x"))
        assert.is_false(admits({ "unix:" }, "127.0.0.1"))
    end)

    it("are certificates that were verified", function()
        local tls = { verified = true, subject = "CN=envoy", sans = { "DNS:envoy.example.com" } }
        for name, expected in pairs({
            ["tls:"] = true, ["tls:CN=envoy"] = true, ["tls:DNS:envoy.example.com"] = true,
            ["tls:CN=other"] = false, ["tls:CN=envo"] = false,
        }) do
            assert.equal(expected, admits({ name }, "192.0.2.1", { tls = tls }), name)
            tls.verified = false
            assert.is_false(admits({ name }, "192.0.2.1", { tls = tls }), name)
            tls.verified = true
        end
        assert.is_false(admits({ "tls:" }, "192.0.2.1"))
        assert.is_false(admits({ "tls:" }, "192.0.2.1", { tls = { verified = "yes" } }))
        assert.is_false(admits({ "192.0.2.9" }, "192.0.2.1", { tls = tls }))
    end)

    it("are holders of a token", function()
        local list = { "bearer:" .. DIGEST:upper(), "bearer:" .. ("0"):rep(64) }
        assert.is_true(admits(list, "192.0.2.1", { authorization = "Bearer secret" }))
        assert.is_true(admits(list, "192.0.2.1", { authorization = "bearer  secret " }))
        for _, value in ipairs({ "Bearer Secret", "Bearer", "Basic secret", "secret",
                                 "Bearer secret x", "Bearer " .. ("x"):rep(5000) }) do
            assert.is_false(admits(list, "192.0.2.1", { authorization = value }), value)
        end
        assert.is_false(admits(list, "192.0.2.1",
                               { authorization = { "Bearer secret", "Bearer secret" } }))
        assert.is_false(admits({ "unix:" }, "192.0.2.1", { authorization = "Bearer secret" }))
    end)

    it("say whether a token would help", function()
        local none = { headers = {} }
        assert.is_true(assert(peers.new({ "bearer:" .. DIGEST })):wants_token(none))
        assert.is_false(assert(peers.new({ "unix:" })):wants_token(none))
        assert.is_false(assert(peers.new({ "bearer:" .. DIGEST }))
            :wants_token({ headers = { authorization = { "x" } } }))
    end)

    it("are refused when they are none, or everybody", function()
        for expected, list in pairs({
            ["give a list of addresses"] = {}, ["give a list of texts"] = { 1 },
            ["is everybody"] = { "0.0.0.0/0" }, ["`::/0`"] = { "::/0" },
            ["192.0.2"] = { "192.0.2" }, ["64 hexadecimal"] = { "bearer:abc" },
            ["unix:/run"] = { "unix:/run/postern.sock" }, ["example"] = { "proxy.example.com" },
        }) do
            local made, err = peers.new(list)
            assert.is_nil(made)
            assert.is_truthy(err:find(expected, 1, true), err)
        end
        assert.is_nil((peers.new("192.0.2.1")))
    end)
end)
