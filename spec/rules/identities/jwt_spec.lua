local identities = require("postern.identities")
local plain = require("postern.host.plain")
local rules = require("postern.rules")

local NOW = 1700000000

local pack = assert(rules.load("identities", "jwt", plain.read))
local tools = identities.tools(function() return NOW end)


local function config_of(more)
    local config = {
        issuer = "https://login.example.com", audience = "orders",
        principal = "arn:aws:sts::111122223333:assumed-role/Web/{sub}",
        tags = { team = "team", level = "level", staff = "staff" },
    }
    for name, value in pairs(more or {}) do
        config[name] = value or nil
    end
    return config
end

local function claims_of(more)
    local claims = {
        iss = "https://login.example.com", aud = "orders", sub = "alice",
        exp = NOW + 60, nbf = NOW, team = "blue",
    }
    for name, value in pairs(more or {}) do
        claims[name] = value
        if value == "absent" then
            claims[name] = nil
        end
    end
    return claims
end

local function identify(claims, config)
    config = config or config_of()
    assert(pack.check(config, tools))
    return pack.identify({ claims = claims, now = NOW }, config, tools)
end

local function assert_refuses(code, message, claims, config)
    local principal, err, why = identify(claims_of(claims), config)
    assert.is_nil(principal)
    assert.equal(message, err)
    assert.equal(code, why)
end


describe("the jwt identity", function()
    it("makes a principal of claims", function()
        assert.same({
            kind = "session", account = "111122223333",
            arn = "arn:aws:sts::111122223333:assumed-role/Web/alice",
            role_arn = "arn:aws:iam::111122223333:role/Web",
            tags = { team = "blue", level = "3", staff = "false" },
        }, identify(claims_of({ level = 3, staff = false })))
    end)

    it("may use several claims, or none", function()
        local config = config_of({ principal =
            "arn:aws:sts::111122223333:assumed-role/{role}/{team}.{sub}", tags = false })
        local principal = identify(claims_of({ role = "Web" }), config)
        assert.equal("arn:aws:sts::111122223333:assumed-role/Web/blue.alice", principal.arn)
        assert.is_nil(principal.tags)
        local all = config_of({ principal = "arn:aws:iam::111122223333:user/web" })
        assert.equal("web", identify(claims_of({ sub = "absent" }), all).name)
    end)

    it("finds nothing where there are no claims", function()
        local principal, err = identify(nil)
        assert.is_nil(principal)
        assert.is_nil(err)
    end)

    it("lets no claim spell another ARN", function()
        for _, sub in ipairs({ "alice/../bob", "a/b", "*", "a*", "?", "", "a b", "alice\n", "a:b",
                               "{team}", "${aws:username}", "\195\169", 7, true, { "alice" },
                               "absent" }) do
            assert_refuses("UNAUTHORIZED", "the claim `sub` cannot be part of a principal",
                           { sub = sub })
        end
        -- As it stands, whatever it means to a pattern's replacement.
        local principal = identify(claims_of({ sub = "a.b-c+d" }))
        assert.equal("arn:aws:sts::111122223333:assumed-role/Web/a.b-c+d", principal.arn)
    end)

    it("takes tokens of its issuer and audience", function()
        assert_refuses("UNAUTHORIZED", "the token is of the issuer `https://evil.example.com`",
                       { iss = "https://evil.example.com" })
        assert_refuses("UNAUTHORIZED", "the token is of the issuer `nil`", { iss = "absent" })
        for _, aud in ipairs({ "billing", "absent", 7, {}, { "billing" }, { aud = "orders" } }) do
            assert_refuses("UNAUTHORIZED", "the token is for another audience", { aud = aud })
        end
        assert.truthy(identify(claims_of({ aud = { "billing", "orders" } })))
        assert.truthy(identify(claims_of({ aud = "billing" }), config_of({ audience = false })))
    end)

    it("takes tokens in their time", function()
        for _, exp in ipairs({ NOW, NOW - 1, 0, "tomorrow", tostring(NOW + 60) }) do
            assert_refuses("EXPIRED_TOKEN", "the token has expired", { exp = exp })
        end
        for _, nbf in ipairs({ NOW + 1, "yesterday" }) do
            assert_refuses("UNAUTHORIZED", "the token is not valid yet", { nbf = nbf })
        end
        assert.truthy(identify(claims_of({ exp = NOW + 1, nbf = NOW })))
        assert.truthy(identify(claims_of({ exp = "absent", nbf = "absent" })))
        -- By the tools' clock where the context has no time.
        assert.is_nil((pack.identify({ claims = claims_of({ exp = NOW }) }, config_of(), tools)))
    end)

    it("tags from claims, and never with half of one", function()
        assert.same({ team = "blue" }, identify(claims_of()).tags)
        assert.same({}, identify(claims_of({ team = "absent" })).tags)
        assert.same({ team = ("x"):rep(256) }, identify(claims_of({ team = ("x"):rep(256) })).tags)
        assert.same({ team = "-12" }, identify(claims_of({ team = -12 })).tags)
        for _, team in ipairs({ ("x"):rep(257), { "blue" }, {}, 1.5, 1e300, "a\nb", "a\0" }) do
            assert_refuses("UNAUTHORIZED", "the claim `team` cannot be a tag", { team = team })
        end
    end)

    it("checks its configuration", function()
        local function why(config)
            local ok, err = pack.check(config, tools)
            assert.is_nil(ok)
            return err
        end
        assert.equal("lacks `issuer`", why({ principal = "x" }))
        assert.equal("lacks `principal`", why({ issuer = "x" }))
        assert.matches("unknown option `issuers`", why(config_of({ issuers = {} })))
        assert.equal("`audience` is a table: make it a string", why(config_of({ audience = {} })))
        assert.equal("`tags`: give a table from tag to claim",
                     why(config_of({ tags = { "team" } })))
        assert.matches("`principal`: `{sub` is not", why(config_of({ principal = "{sub" })))
        assert.matches("`principal`: `claim` is not", why(config_of({ principal = "{sub}" })))
        assert.matches("is not the ARN of a caller", why(config_of({
            principal = "arn:aws:iam::111122223333:role/{sub}" })))
    end)
end)
