local crypto = require("postern.crypto")
local identities = require("postern.identities")


local function clock()
    return 1700000000
end

-- A pack that answers what it is given.
local function pack_of(name, ...)
    local count, answers = select("#", ...), { ... }
    return {
        kind = "identities", name = name, api = 1,
        check = function() return true end,
        identify = function() return unpack(answers, 1, count) end,
    }
end

local function runner(...)
    local entries = {}
    for i, pack in ipairs({ ... }) do
        entries[i] = { pack = pack }
    end
    return assert(identities.new(entries, identities.tools(clock)))
end

local ALICE = { kind = "user", arn = "arn:aws:iam::111122223333:user/alice" }


describe("identity packs", function()
    it("are asked in order: the first that answers wins", function()
        local bob = { kind = "user", arn = "arn:aws:iam::111122223333:user/bob" }
        local asked = runner(pack_of("none"), pack_of("alice", ALICE), pack_of("bob", bob))
        assert.equal(ALICE, asked:identify({}))
        assert.equal(bob, runner(pack_of("bob", bob), pack_of("alice", ALICE)):identify({}))
    end)

    it("refuse for all that come after", function()
        local asked = runner(pack_of("none"),
                             pack_of("keys", nil, "bad signature", "INVALID_SIGNATURE"),
                             pack_of("alice", ALICE))
        local principal, refusal = asked:identify({})
        assert.is_nil(principal)
        assert.same({ code = "INVALID_SIGNATURE", status = 403, message = "bad signature",
                      pack = "keys" }, refusal)
    end)

    -- evaluation: a missing, a bad, an expired signature; a token that authenticates nobody.
    it("refuse with the status of their code", function()
        for code, status in pairs({
            MISSING_AUTHENTICATION_TOKEN = 403, INVALID_SIGNATURE = 403, EXPIRED_TOKEN = 403,
            IncompleteSignature = 403, ACCESS_DENIED = 403, UNAUTHORIZED = 401,
        }) do
            local _, refusal = runner(pack_of("x", nil, "why", code)):identify({})
            assert.same({ code = code, status = status, message = "why", pack = "x" }, refusal)
        end
    end)

    it("that find no credentials, all of them, leave the caller without", function()
        for _, asked in ipairs({ runner(), runner(pack_of("a"), pack_of("b", nil)) }) do
            local principal, refusal = asked:identify({})
            assert.is_nil(principal)
            assert.equal("MISSING_AUTHENTICATION_TOKEN", refusal.code)
            assert.equal(403, refusal.status)
            assert.is_nil(refusal.pack)
        end
    end)

    it("that break refuse", function()
        local broken = pack_of("broken")
        broken.identify = function() error("boom", 0) end
        for message, pack in pairs({
            boom = broken,
            ["why (with the unknown code `teapot`)"] = pack_of("x", nil, "why", "teapot"),
            ["why (with the unknown code `nil`)"] = pack_of("x", nil, "why"),
            ["the pack answers something that is no principal"] = pack_of("x", "alice"),
        }) do
            local principal, refusal = runner(pack, pack_of("alice", ALICE)):identify({})
            assert.is_nil(principal)
            assert.same({ code = "IDENTITY_FAILURE", status = 500, message = message,
                          pack = pack.name }, refusal)
        end
        for _, answer in ipairs({ {}, { kind = "role" }, { arn = ALICE.arn } }) do
            local principal, refusal = runner(pack_of("x", answer)):identify({})
            assert.is_nil(principal)
            assert.equal("IDENTITY_FAILURE", refusal.code)
        end
        local _, refusal = runner(pack_of("x", false)):identify({})
        assert.equal("IDENTITY_FAILURE", refusal.code)
    end)

    it("get the context, their configuration and the tools", function()
        local got
        local pack = pack_of("x")
        pack.identify = function(...)
            got = { ... }
            return ALICE
        end
        local tools, config, context = identities.tools(clock), { a = 1 }, { now = 1 }
        assert(assert(identities.new({ { pack = pack, config = config } }, tools))
            :identify(context))
        assert.equal(context, got[1])
        assert.equal(config, got[2])
        for name in pairs(tools) do
            assert.is_function(got[3][name])
        end
        assert.equal(clock(), got[3].now())
        assert.equal("616263", got[3].hex("abc"))
    end)

    it("cannot change what other packs work with", function()
        local first, second = pack_of("first", nil), pack_of("second", nil)
        first.identify = function(_, _, tools)
            tools.equal = function() return true end
        end
        second.identify = function(_, _, tools)
            return tools.equal("a", "b") and ALICE or nil
        end
        local principal, refusal = runner(first, second):identify({})
        assert.is_nil(principal)
        assert.equal("MISSING_AUTHENTICATION_TOKEN", refusal.code)
    end)

    it("may hand in a table that holds one table many times", function()
        local deep = {}
        for _ = 1, 60 do
            deep = { deep, deep }
        end
        local principal = assert(identities.principal({ arn = ALICE.arn, deep = deep }))
        assert.equal(principal.deep[1], principal.deep[2])
        assert.not_equal(deep, principal.deep)
    end)

    it("check their configuration before anything is asked", function()
        local pack = pack_of("picky")
        pack.check = function(config, tools)
            return config.good and tools.now() == clock() or nil, "lacks `good`"
        end
        local tools = identities.tools(clock)
        assert(identities.new({ { pack = pack, config = { good = true } } }, tools))
        local asked, err = identities.new({ { pack = pack } }, tools)
        assert.is_nil(asked)
        assert.equal("identity `picky`: lacks `good`", err)
        pack.check = function() error("boom", 0) end
        asked, err = identities.new({ { pack = pack } }, tools)
        assert.is_nil(asked)
        assert.equal("identity `picky`: boom", err)
    end)
end)


describe("tools", function()
    it("are those of the contract", function()
        local tools = identities.tools(clock)
        assert.equal(1700000000, tools.now())
        assert.equal(crypto.sha256("x"), tools.sha256("x"))
        assert.equal(crypto.hmac_sha256("k", "x"), tools.hmac_sha256("k", "x"))
        assert.is_true(tools.equal("x", "x"))
        assert.is_false(tools.equal("x", "y"))
        assert.equal("78", tools.hex("x"))
        assert.equal("x", tools.base64_decode("eA=="))
        assert.equal("root", tools.principal("arn:aws:iam::111122223333:root").kind)
    end)
end)


describe("a principal", function()
    it("is what its ARN says", function()
        for arn, more in pairs({
            ["arn:aws:iam::111122223333:root"] = { kind = "root" },
            ["arn:aws:iam::111122223333:user/alice"] = { kind = "user", name = "alice" },
            ["arn:aws:iam::111122223333:user/a/b/al.i+c=e,@_-"] =
                { kind = "user", name = "al.i+c=e,@_-" },
            ["arn:aws-us-gov:sts::111122223333:assumed-role/Ops/me@example.com"] =
                { kind = "session", role_arn = "arn:aws-us-gov:iam::111122223333:role/Ops" },
            ["arn:aws-cn:sts::111122223333:federated-user/bob"] = { kind = "federated" },
        }) do
            more.arn, more.account = arn, "111122223333"
            assert.same(more, identities.principal(arn))
        end
    end)

    it("is nobody for any other ARN", function()
        for _, arn in ipairs({
            "", "*", "alice", "111122223333", "arn:aws:iam::111122223333:role/Ops",
            "arn:aws:iam::11112222333:root", "arn:aws:iam::1111222233334:root",
            "arn:aws:iam:us-east-1:111122223333:root", "arn:aws:sts::111122223333:root",
            "arn:aws:iam::111122223333:user/", "arn:aws:iam::111122223333:user/a/",
            "arn:aws:iam::111122223333:user/*", "arn:aws:iam::111122223333:user//a",
            "arn:aws:iam::111122223333:user/a b", "arn:aws:iam::111122223333:user/a\n",
            "arn:aws:iam::111122223333:assumed-role/Ops/me",
            "arn:aws:sts::111122223333:assumed-role/Ops",
            "arn:aws:sts::111122223333:assumed-role/Ops/me/too",
            "arn:aws:sts::111122223333:user/alice", "arn:aws:iam::111122223333:group/all",
            "ARN:aws:iam::111122223333:root", " arn:aws:iam::111122223333:root",
        }) do
            local principal, err = identities.principal(arn)
            assert.is_nil(principal)
            assert.matches("is not the ARN of a caller", err, 1, true)
        end
        for _, value in ipairs({ 7, {}, { arn = 7 }, { kind = "user" } }) do
            local principal, err = identities.principal(value)
            assert.is_nil(principal)
            assert.equal("a principal is an ARN or a table with `arn`", err)
        end
    end)

    it("has what else is known of it, as a copy", function()
        local known = { arn = ALICE.arn, tags = { team = "blue" }, mfa = { present = true } }
        local principal = identities.principal(known)
        assert.same({ arn = ALICE.arn, kind = "user", account = "111122223333", name = "alice",
                      tags = { team = "blue" }, mfa = { present = true } }, principal)
        principal.tags.team = "red"
        assert.equal("blue", known.tags.team)
        assert.is_nil(known.kind)
    end)

    it("may name its role with a path", function()
        local session = "arn:aws:sts::111122223333:assumed-role/Ops/me"
        local function role_of(role_arn)
            local principal, err = identities.principal({ arn = session, role_arn = role_arn })
            return principal and principal.role_arn, err
        end
        for _, role in ipairs({ "arn:aws:iam::111122223333:role/Ops",
                                "arn:aws:iam::111122223333:role/a/b/Ops" }) do
            assert.equal(role, role_of(role))
        end
        for _, role in ipairs({ "arn:aws:iam::111122223333:role/Dev", "Ops",
                                "arn:aws:iam::444455556666:role/Ops",
                                "arn:aws:iam::111122223333:role/Ops/x",
                                "arn:aws:iam::111122223333:roles/Ops" }) do
            local found, err = role_of(role)
            assert.is_nil(found)
            assert.matches("its ARN says `role_arn` is", err, 1, true)
        end
    end)

    it("does not contradict its ARN", function()
        for name, value in pairs({ kind = "root", account = "444455556666", name = "bob" }) do
            local principal, err = identities.principal({ arn = ALICE.arn, [name] = value })
            assert.is_nil(principal)
            assert.matches(("its ARN says `%s` is `%%w+`, not `%s`"):format(name, value), err)
        end
    end)
end)
