local crypto = require("postern.crypto")
local operators = require("postern.protocol.operators")


local function hash(text)
    return crypto.hex(crypto.sha256(text))
end


describe("operators", function()
    local text, subject

    local FINGERPRINT = ("ab"):rep(32)

    before_each(function()
        text = ("# who may\n\nalice %s\nbob.b@example.com  %s \r\n")
            :format(hash("secret-of-alice"), hash("secret-of-bob"):upper())
        subject = operators.new({
            tokens = "/tokens", subjects = { "CN=ops,O=Example" }, fingerprints = { FINGERPRINT },
            users = { 0, 1000 },
        }, function(path)
            assert.equal("/tokens", path)
            return text, not text and "no such file" or nil
        end)
    end)

    local function identify(message)
        message.headers = message.headers or {}
        return subject:identify(message)
    end

    local function bearer(...)
        return { headers = { authorization = { ... } } }
    end

    it("are known by their token", function()
        assert.equal("alice", identify(bearer("Bearer secret-of-alice")))
        assert.equal("bob.b@example.com", identify(bearer("bearer  secret-of-bob")))
    end)

    it("are not known by anything like it", function()
        for _, value in ipairs({
            "Bearer secret-of-alic", "Bearer secret-of-alice2", "Bearer ", "Bearer", "",
            "Basic eA==",
            "Bearer " .. hash("secret-of-alice"), "Bearer secret-of-alice secret-of-bob",
            "secret-of-alice", "Bearer x, Bearer secret-of-alice",
        }) do
            local who, err = identify(bearer(value))
            assert.is_nil(who)
            assert.is_string(err)
            assert.is_nil(err:find("secret", 1, true))
        end
        assert.is_nil(identify(bearer("Bearer secret-of-alice", "Bearer secret-of-alice")))
    end)

    it("are unknown from the moment their token is taken out", function()
        text = "bob " .. hash("secret-of-bob") .. "\n"
        assert.is_nil(identify(bearer("Bearer secret-of-alice")))
        assert.equal("bob", identify(bearer("Bearer secret-of-bob")))
    end)

    it("are unknown, all of them, when the file is wrong or gone", function()
        for _, line in ipairs({ "carol", "carol 123", "carol " .. hash("x") .. "0", hash("x"),
                                "carol " .. hash("x") .. " extra", "ca rol " .. hash("x") }) do
            text = "alice " .. hash("secret-of-alice") .. "\n" .. line .. "\n"
            local who, err = identify(bearer("Bearer secret-of-alice"))
            assert.is_nil(who)
            assert.matches("/tokens:2: ", err, 1, true)
        end
        text = nil
        assert.is_nil(identify(bearer("Bearer secret-of-alice")))
    end)

    it("are known by a client certificate that is verified", function()
        local function tls(members)
            return identify({ tls = members })
        end
        assert.equal("CN=ops,O=Example", tls({ verified = true, subject = "CN=ops,O=Example" }))
        assert.equal("CN=x", tls({ verified = true, subject = "CN=x",
                                   fingerprint = ("AB:"):rep(31) .. "AB" }))
        for _, members in ipairs({
            { subject = "CN=ops,O=Example" },
            { verified = 1, subject = "CN=ops,O=Example" },
            { verified = false, subject = "CN=ops,O=Example", fingerprint = FINGERPRINT },
            { verified = true, subject = "CN=ops,O=Example2" },
            { verified = true, subject = "cn=ops,O=Example" },
            { verified = true, fingerprint = FINGERPRINT:sub(2) },
            {}, { verified = true },
        }) do
            assert.is_nil(tls(members))
        end
    end)

    it("are known by the user at the other end of a Unix socket", function()
        assert.equal("user 1000", identify({ peer = "unix:", credentials = { uid = 1000 } }))
        assert.equal("user 0", identify({ peer = "unix:", credentials = { uid = 0 } }))
        assert.is_nil(identify({ peer = "unix:", credentials = { uid = 1001 } }))
        assert.is_nil(identify({ peer = "unix:" }))
        assert.is_nil(identify({ peer = "127.0.0.1", credentials = { uid = 0 } }))
        assert.is_nil(identify({ peer = "127.0.0.1" }))
    end)

    it("that show one proof that is wrong are not asked for another", function()
        local message = bearer("Bearer wrong")
        message.peer, message.credentials = "unix:", { uid = 0 }
        assert.is_nil(identify(message))
        assert.is_nil(identify({ tls = { verified = true, subject = "CN=x" }, peer = "unix:",
                                 credentials = { uid = 0 } }))
    end)

    it("are nobody where nobody is named", function()
        for options, err in pairs({
            [{}] = "nobody may administer",
            [{ token = "x" }] = "unknown option `token`",
            [{ tokens = "" }] = "give the path of a file",
            [{ users = {} }] = "a list that is not empty",
            [{ users = { "root" } }] = "`root` is no number",
            [{ subjects = "CN=x" }] = "a list that is not empty",
            [{ fingerprints = { "ab" } }] = "is no SHA-256",
        }) do
            local ok, told = pcall(operators.new, options, function() end)
            assert.is_false(ok)
            assert.matches(err, told, 1, true)
        end
        subject = operators.new({ users = { 0 } }, function() end)
        assert.is_nil(identify(bearer("Bearer secret-of-alice")))
        assert.is_nil(identify({ tls = { verified = true, subject = "CN=ops,O=Example" } }))
    end)
end)
