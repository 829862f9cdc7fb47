local identities = require("postern.identities")
local plain = require("postern.host.plain")
local rules = require("postern.rules")

local ALICE = "arn:aws:iam::111122223333:user/alice"
local BOB = "arn:aws:iam::111122223333:user/bob"

local pack = assert(rules.load("identities", "mtls", plain.read))
local tools = identities.tools(os.time)

local CONFIG = {
    subjects = { ["CN=alice,O=Example"] = ALICE, ["CN=bob,O=Example"] = BOB },
    sans = { ["URI:spiffe://example.com/alice"] = { arn = ALICE, tags = { team = "blue" } },
             ["DNS:bob.example.com"] = BOB },
}

local function identify(certificate, config)
    assert(pack.check(config or CONFIG, tools))
    return pack.identify({ client_certificate = certificate }, config or CONFIG, tools)
end

local function assert_refuses(message, certificate, config)
    local principal, err, code = identify(certificate, config)
    assert.is_nil(principal)
    assert.equal(message, err)
    assert.equal("ACCESS_DENIED", code)
end


describe("the mtls identity", function()
    it("knows a caller by the subject", function()
        assert.same({ kind = "user", arn = ALICE, account = "111122223333", name = "alice" },
                    identify({ verified = true, subject = "CN=alice,O=Example" }))
    end)

    it("knows a caller by an alternative name, among others", function()
        local principal = identify({ verified = true, subject = "CN=x", sans = {
            "DNS:unknown.example.com", "URI:spiffe://example.com/alice" } })
        assert.equal(ALICE, principal.arn)
        assert.same({ team = "blue" }, principal.tags)
        assert.equal(BOB, identify({ verified = true, sans = { "DNS:bob.example.com" } },
                                   { sans = CONFIG.sans }).arn)
    end)

    it("may find one caller by several names", function()
        assert.equal(ALICE, identify({ verified = true, subject = "CN=alice,O=Example",
                                       sans = { "URI:spiffe://example.com/alice" } }).arn)
    end)

    it("refuses a certificate of two callers", function()
        assert_refuses(("the client certificate stands for two principals, `%s` and `%s`")
            :format(ALICE, BOB), { verified = true, subject = "CN=alice,O=Example",
                                   sans = { "DNS:bob.example.com" } })
    end)

    it("refuses what the host has not verified", function()
        for _, verified in ipairs({ false, "true", 1, "FAILED:expired" }) do
            assert_refuses("the client certificate is not verified",
                           { verified = verified, subject = "CN=alice,O=Example" })
        end
        assert_refuses("the client certificate is not verified", { subject = "CN=alice,O=Example" })
    end)

    it("refuses a certificate of nobody, and does not guess", function()
        for _, subject in ipairs({ "CN=carol,O=Example", "cn=alice,O=Example", "CN=alice",
                                   "CN=alice,O=Example ", "O=Example,CN=alice", "", "*" }) do
            assert_refuses(("no principal for the client certificate of `%s`"):format(subject),
                           { verified = true, subject = subject })
        end
        assert_refuses("no principal for the client certificate of `nil`", { verified = true })
        -- A subject is no alternative name, nor the other way round.
        assert_refuses("no principal for the client certificate of `DNS:bob.example.com`",
                       { verified = true, subject = "DNS:bob.example.com",
                         sans = { "CN=alice,O=Example" } })
    end)

    it("finds nothing where there is no certificate", function()
        local principal, err = identify(nil)
        assert.is_nil(principal)
        assert.is_nil(err)
    end)

    it("checks its configuration", function()
        local function why(config)
            local ok, err = pack.check(config, tools)
            assert.is_nil(ok)
            return err
        end
        assert.equal("lacks a principal: give `subjects` or `sans`", why({}))
        assert.equal("lacks a principal: give `subjects` or `sans`", why({ sans = {} }))
        assert.equal("unknown option `subject`: the mtls identity has `subjects` and `sans`",
                     why({ subject = {} }))
        assert.equal("`sans`: give a table from name to principal", why({ sans = "x" }))
        assert.equal("`sans`: give a table from name to principal", why({ sans = { ALICE } }))
        assert.matches("`subjects`: `CN=x`: `x` is not the ARN", why({ subjects = {
            ["CN=x"] = "x" } }))
    end)
end)
