local crypto = require("postern.crypto")
local masks = require("postern.audit.mask")


describe("a mask", function()
    local function event()
        return {
            erased = {}, masked = {}, decision_id = "1",
            input = { path = "/pets", headers = { ["x-a"] = "1", ["x-b"] = { "2", "3" } },
                      context = { ["a/b"] = "4", ["c~d"] = "5" },
                      client = { { name = "6" }, { name = "7" } } },
            result = { sid = "S", status = 403, allowed = false },
        }
    end

    local function masked(options)
        local made = event()
        masks.new(options):apply(made)
        return made
    end

    it("replaces, and tells what", function()
        local made = masked({ mask = { "/input/path", "/result/sid", "/input/none",
                                       "/input/path/x" } })
        assert.equal("***", made.input.path)
        assert.equal("***", made.result.sid)
        assert.is_nil(made.input.none)
        assert.same({ "/input/path", "/result/sid" }, made.masked)
        assert.same({}, made.erased)
        assert.equal(403, made.result.status)
    end)

    it("erases, and tells what", function()
        local made = masked({ erase = { "/input/headers", "/result/allowed", "/input/none" } })
        assert.is_nil(made.input.headers)
        assert.is_nil(made.result.allowed)
        assert.same({ "/input/headers", "/result/allowed" }, made.erased)
        assert.same({}, made.masked)
    end)

    it("knows pointers: escapes, lists, every member, headers in any case", function()
        for _, row in ipairs({
            { "/input/context/a~1b", { "/input/context/a~1b" } },
            { "/input/context/c~0d", { "/input/context/c~0d" } },
            { "/input/context/*", { "/input/context/a~1b", "/input/context/c~0d" } },
            { "/input/headers/X-A", { "/input/headers/x-a" } },
            { "/input/headers/x-b/1", { "/input/headers/x-b/1" } },
            { "/input/headers/x-b/2", {} }, { "/input/headers/x-b/x", {} },
            { "/input/client/*/name", { "/input/client/0/name", "/input/client/1/name" } },
            { "/input/client/1/name", { "/input/client/1/name" } },
            { "/input/path/x", {} }, { "/input/Path", {} },
        }) do
            for _, kind in ipairs({ "mask", "erase" }) do
                local made = masked({ [kind] = { row[1] } })
                local told = made[kind == "mask" and "masked" or "erased"]
                table.sort(told)
                assert.same(row[2], told)
            end
        end
        assert.same({ "2", "***" },
                    masked({ erase = { "/input/headers/x-b/1" } }).input.headers["x-b"])
        assert.equal("***", masked({ mask = { "/input/headers/*" } }).input.headers["x-b"])
    end)

    it("hashes with a key", function()
        local made = masked({ mask = { "/input/path", "/result/status", "/input/headers/x-b",
                                       "/result/allowed" }, mask_key = "k" })
        local function hash(text)
            return "hmac-sha256:" .. crypto.hex(crypto.hmac_sha256("k", text)):sub(1, 16)
        end
        assert.equal(hash("/pets"), made.input.path)
        assert.equal(hash("403"), made.result.status)
        assert.equal(hash("false"), made.result.allowed)
        assert.equal("***", made.input.headers["x-b"])
        made = masked({ erase = { "/input/headers/x-b/0" }, mask_key = "k" })
        assert.same({ "***", "3" }, made.input.headers["x-b"])
    end)

    it("leaves everything else as it is", function()
        local before, after = event(), masked({ mask = { "/input/none" } })
        assert.same(before, after)
    end)

    it("refuses what is no pointer into input or result", function()
        local function new(options)
            -- as `postern.audit` calls it
            local function log()
                local made = masks.new(options)
                return made
            end
            local made = log()
            return made
        end
        for _, wrong in ipairs({ "input/path", "/labels/x", "/decision_id", "", "/", "/input",
                                 "/input/", "/result", "/inputs/x", "/input/a~2b", "/input/a~",
                                 7, false }) do
            local ok, err = pcall(new, { mask = { wrong } })
            assert.is_false(ok, tostring(wrong))
            assert.matches("mask_spec.lua:%d+: `mask`: `.*` is no JSON Pointer below", err)
        end
        for _, options in ipairs({ { mask = "/input/path" }, { erase = 7 } }) do
            local ok, err = pcall(new, options)
            assert.is_false(ok)
            assert.matches("mask_spec.lua:%d+: .*give a list of JSON Pointers", err)
        end
    end)

    it("knows credentials by their names", function()
        for _, name in ipairs({
            "authorization", "proxy-authorization", "cookie", "set-cookie", "x-amz-security-token",
            "x-api-key", "apikey", "x-amz-signature", "x-amz-credential", "sig", "access_token",
            "id_token", "client_secret", "password", "passwd", "x-auth-request-email", "session_id",
            "code", "state", "client_assertion", "samlresponse", "x-jwt", "otp", "x-xsrf-token",
            "x-goog-iap-jwt-assertion", "x-amzn-oidc-data-token",
        }) do
            assert.is_true(masks.is_sensitive(name), name)
            assert.is_true(masks.is_sensitive(name), name) -- as remembered
        end
        for _, name in ipairs({ "accept", "user-agent", "host", "x-forwarded-for", "traceparent",
                                "content-type", "x-request-id", "design", "encode", "status",
                                "id", "page", "x-amz-date", "x-amz-algorithm" }) do
            assert.is_false(masks.is_sensitive(name), name)
        end
    end)

    it("remembers no more names than there are", function()
        collectgarbage()
        local before = collectgarbage("count")
        for i = 1, 20000 do
            masks.is_sensitive("x-" .. i .. ("y"):rep(100))
        end
        collectgarbage()
        assert.is_true(collectgarbage("count") - before < 300)
    end)

    it("escapes names in pointers", function()
        assert.equal("a~1b~0c", masks.segment("a/b~c"))
    end)
end)
