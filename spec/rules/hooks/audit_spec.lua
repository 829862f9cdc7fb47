local cjson = require("cjson")
local crypto = require("postern.crypto")
local packs = require("spec.support.packs")


describe("the audit hook", function()
    local pack = packs.load("hooks/audit")

    -- A writer that keeps its lines, with room for so many.
    local function writer(room)
        local made = { lines = {}, dropped = 0, closed = 0 }
        function made:write(line)
            if #self.lines >= (room or math.huge) then
                self.dropped = self.dropped + 1
                return false
            end
            self.lines[#self.lines + 1] = line
            return true
        end
        function made:close()
            self.closed = self.closed + 1
        end
        return made
    end

    local function auditor(changes, room)
        local config = { path = "/var/log/audit.jsonl" }
        for name, value in pairs(changes or {}) do
            config[name] = value
        end
        local made = writer(room)
        local tools = packs.tools({ writer = function(path, options)
            made.path, made.options = path, options
            return made
        end })
        return packs.start(pack, config, tools), made, tools
    end

    local CONTEXT = {
        now = 1700000000.25, api = { id = "a1b2c3d4e5" }, stage = "dev", peer = "10.0.0.9",
        client_ip = "192.0.2.1", principal = { arn = "arn:aws:iam::123456789012:user/alice" },
        http = { method = "GET", path = "/pets", query = { token = "secret" },
                 headers = { authorization = { "Bearer secret" }, cookie = { "secret" } } },
        claims = { sub = "secret" },
        request = { api = "a1b2c3d4e5", token = "secret", path = "/dev/pets" },
    }

    local DECISION = {
        allowed = false, decision = "ExplicitlyDenied", reason = "explicit_deny", status = 403,
        revision = 7, deciding = { policy_type = "resource", sid = "NobodyDeletes", effect = "Deny",
                                   file = "api.json", line = 16, column = 5 },
    }

    local function line_of(context, decision, changes)
        local log, made = auditor(changes)
        log(context, decision)
        assert.equal(1, #made.lines)
        return made.lines[1]
    end

    it("writes one line a decision, its members in a fixed order", function()
        assert.equal('{"time":"2023-11-14T22:13:20.250Z","revision":7,'
            .. '"decision":"ExplicitlyDenied","reason":"explicit_deny","status":403,'
            .. '"policy_type":"resource","policy":"api.json:16","sid":"NobodyDeletes",'
            .. '"api":"a1b2c3d4e5","stage":"dev","method":"GET","path":"/pets",'
            .. '"client_ip":"192.0.2.1","principal":"arn:aws:iam::123456789012:user/alice"}',
            line_of(CONTEXT, DECISION))
    end)

    it("leaves out what is not known", function()
        local record = cjson.decode(line_of({ now = 0 }, { decision = "ImplicitlyDenied",
                                                           reason = "error", error = "why" }))
        assert.same({ time = "1970-01-01T00:00:00.000Z", decision = "ImplicitlyDenied",
                      reason = "error", error = "why" }, record)
    end)

    it("takes from the request what there is no context for", function()
        local record = cjson.decode(line_of({ request = {
            api = "gone", stage = "s", method = "PUT", path = "/p", peer = "10.0.0.1",
            principal = "bob", action = "s3:GetObject", resource = "arn:aws:s3:::b/k" } },
            { decision = "ImplicitlyDenied", reason = "error" }))
        assert.same({
            time = "2023-11-14T22:13:20.000Z", decision = "ImplicitlyDenied", reason = "error",
            api = "gone", stage = "s", method = "PUT", path = "/p", client_ip = "10.0.0.1",
            principal = "bob", action = "s3:GetObject", resource = "arn:aws:s3:::b/k",
        }, record)
    end)

    it("never writes headers, queries, tokens or claims", function()
        assert.is_nil(line_of(CONTEXT, DECISION):find("secret", 1, true))
    end)

    it("names the hook that denied, and an anonymous caller", function()
        local record = cjson.decode(line_of({ principal = { kind = "anonymous" } },
            { decision = "ImplicitlyDenied", reason = "hook", hook = "quota", status = 429 }))
        assert.equal("quota", record.hook)
        assert.equal("anonymous", record.principal)
    end)

    it("tells the time as the calendar does", function()
        math.randomseed(5)
        for _ = 1, 2000 do
            local at = math.random(0, 2 ^ 31)
            local record = cjson.decode(line_of({ now = at + 0.0004 }, { decision = "Allowed" }))
            assert.equal(os.date("!%Y-%m-%dT%H:%M:%S.000Z", at), record.time)
        end
        assert.matches('"time":"2023%-11%-14T22:13:21.000Z"',
                       line_of({ now = 1700000000.9996 }, { decision = "Allowed" }))
    end)


    describe("masks", function()
        it("members by a hash that is the same for the same value", function()
            local one = cjson.decode(line_of(CONTEXT, DECISION, { mask = { "principal" } }))
            assert.equal("sha256:" .. crypto.hex(crypto.sha256(CONTEXT.principal.arn)):sub(1, 16),
                         one.principal)
            assert.equal("192.0.2.1", one.client_ip)
            local keyed = cjson.decode(line_of(CONTEXT, DECISION, {
                mask = { "principal", "client_ip", "status" }, mask_key = "k" }))
            assert.equal("sha256:" .. crypto.hex(crypto.hmac_sha256("k", CONTEXT.principal.arn))
                             :sub(1, 16), keyed.principal)
            assert.matches("^sha256:%x+$", keyed.client_ip)
            assert.matches("^sha256:%x+$", keyed.status)
            assert.not_equal(one.principal, keyed.principal)
        end)

        it("long values whole", function()
            local function hash(path)
                return cjson.decode(line_of({ http = { path = path } }, DECISION,
                                            { mask = { "path" } })).path
            end
            assert.not_equal(hash(("x"):rep(5000) .. "a"), hash(("x"):rep(5000) .. "b"))
        end)
    end)


    describe("keeps a line a line", function()
        it("with whatever bytes", function()
            local path = "/\n{\"decision\":\"Allowed\"}\r\0\t\"\\\127\195\164"
            local line = line_of({ http = { path = path } }, DECISION)
            assert.is_nil(line:find("[%c]"))
            assert.equal(path, cjson.decode(line).path)
        end)

        it("of valid UTF-8", function()
            for given, expected in pairs({
                ["\195\164\226\130\172\240\159\152\128"] = "\195\164\226\130\172\240\159\152\128",
                ["\255"] = "?", ["a\195"] = "a?", ["\192\128"] = "??", ["\237\160\128"] = "???",
                ["\244\144\128\128"] = "????", ["\128\195\164"] = "?\195\164",
                ["\224\159\191"] = "???", ["\240\143\191\191"] = "????",
            }) do
                assert.equal(expected, cjson.decode(line_of({ stage = given }, DECISION)).stage)
            end
        end)

        it("of at most 4096 bytes", function()
            local long = ("\1"):rep(9000) -- six bytes each when written
            local line = line_of({
                api = { id = long }, stage = long, client_ip = long, principal = { arn = long },
                http = { method = long, path = long },
            }, { decision = "Allowed", reason = "allow", error = "short" })
            assert.is_true(#line <= 4096, tostring(#line))
            local record = cjson.decode(line)
            assert.is_true(record.truncated)
            assert.equal("Allowed", record.decision)
            assert.equal("short", record.error)
            assert.is_nil(record.path)
        end)

        it("and cuts long values", function()
            local record = cjson.decode(line_of({ http = { path = ("x"):rep(3000) } }, DECISION))
            assert.equal(("x"):rep(1024) .. "...", record.path)
            assert.is_nil(record.truncated)
        end)
    end)


    it("counts the lines that are dropped, and tells once a minute", function()
        local log, made, tools = auditor(nil, 2)
        for _ = 1, 10 do
            log(CONTEXT, DECISION)
        end
        assert.equal(2, #made.lines)
        assert.equal(8, tools.state.dropped)
        assert.same({ "audit: /var/log/audit.jsonl: 1 lines dropped: the disk is slower than the "
                      .. "decisions" }, tools.logged)
        tools.at = tools.at + 60
        log(CONTEXT, DECISION)
        assert.matches("8 lines dropped", tools.logged[2], 1, true)
    end)

    it("opens its writer with the options, and closes it", function()
        local _, made, tools = auditor({ queue = 5, max_bytes = 1000 })
        assert.equal("/var/log/audit.jsonl", made.path)
        assert.same({ queue = 5, max_bytes = 1000 }, made.options)
        pack.stop(tools.state, tools)
        assert.equal(1, made.closed)
        assert.same({ nil, "no such folder" }, { pack.start({ path = "/x" }, packs.tools({
            writer = function() return nil, "no such folder" end })) })
        assert.same({ "path" }, pack.files)
    end)

    it("refuses what it does not know", function()
        packs.assert_refused(pack, {
            { {}, "lacks `path`" },
            { { path = 7 }, "`path` is a number" },
            { { path = "" }, "`path` is empty" },
            { { file = "x" }, "unknown option `file`" },
            { { path = "x", mask = "principal" }, "`mask` is a string" },
            { { path = "x", mask = { "principle" } }, "no member `principle`" },
            { { path = "x", mask_key = "k" }, "`mask_key` without `mask`" },
            { { path = "x", mask = { "path" }, mask_key = "" }, "`mask_key` is empty" },
            { { path = "x", queue = 0 }, "`queue`: give 1 or more" },
            { { path = "x", max_bytes = 0 / 0 }, "`max_bytes`: give 1 or more" },
        })
    end)
end)
