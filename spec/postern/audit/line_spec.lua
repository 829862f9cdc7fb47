local cjson = require("cjson")
local files = require("spec.support.files")
local lines = require("postern.audit.line")


describe("a line of the decision log", function()
    local function event()
        return {
            timestamp = "2023-11-14T22:13:20.250000Z", decision_id = "d-1", request_id = "r-1",
            trace_id = "t", span_id = "s", req_id = 7, path = "postern/authorize",
            labels = { app = "postern" }, requested_by = "10.0.0.9",
            input = { api = "a1", stage = "dev", method = "GET", path = "/pets", host = "h",
                      action = "a", resource = "arn", principal = "p", client_ip = "192.0.2.1",
                      peer = "10.0.0.9", vpce = "vpce-1", headers = { accept = "*/*" } },
            result = { allowed = false, decision = "ExplicitlyDenied", reason = "explicit_deny",
                       status = 403, revision = "r1", policy_type = "resource",
                       policy = "api.json:16", sid = "S", effect = "Deny", hook = "hooks/x",
                       because = "b", error = "e", enforced = false },
            metrics = { timer_decision_ns = 1500 }, erased = {}, masked = {},
            bundles = { estate = { revision = "r1" } },
        }
    end

    it("is flat, its members in a fixed order", function()
        assert.equal('{"time":"2023-11-14T22:13:20.250000Z","decision_id":"d-1","request_id":"r-1",'
            .. '"trace_id":"t","span_id":"s","revision":"r1","decision":"ExplicitlyDenied",'
            .. '"reason":"explicit_deny","status":403,"enforced":false,"policy_type":"resource",'
            .. '"policy":"api.json:16","sid":"S","hook":"hooks/x","api":"a1","stage":"dev",'
            .. '"method":"GET","path":"/pets","host":"h","action":"a","resource":"arn",'
            .. '"principal":"p","client_ip":"192.0.2.1","vpce":"vpce-1","because":"b","error":"e",'
            .. '"duration_ns":1500,"labels":{"app":"postern"}}', lines.of(event(), "json", 4096))
    end)

    it("leaves out what is not known, and falls back to what is", function()
        local bare = { input = { raw_path = "/p", peer = "10.0.0.9" },
                       result = { decision = "ImplicitlyDenied" },
                       erased = { "/input/claims" }, masked = { "/input/raw_path" } }
        assert.equal('{"decision":"ImplicitlyDenied","path":"/p","client_ip":"10.0.0.9",'
            .. '"erased":["/input/claims"],"masked":["/input/raw_path"]}',
            lines.of(bare, "json", 4096))
    end)

    it("is an event of OPA's decision log", function()
        local written = cjson.decode(lines.of(event(), "opa", 4096))
        local wanted = event()
        wanted.request_id, wanted.erased, wanted.masked = nil, nil, nil
        assert.same(wanted, written)
        local masked = event()
        masked.erased, masked.masked = { "/input/token" }, { "/input/path" }
        written = cjson.decode(lines.of(masked, "opa", 4096))
        assert.same({ "/input/token" }, written.erased)
        assert.same({ "/input/path" }, written.masked)
    end)

    it("stays one line whatever stands in it", function()
        local odd = event()
        odd.input.path = 'a"b\\c/d\\/e\nf\0g\r\127\195\164'
        for _, form in ipairs({ "json", "opa" }) do
            local line = lines.of(odd, form, 4096)
            assert.is_nil(line:find("[%z\1-\31]"))
            local written = cjson.decode(line)
            assert.equal(odd.input.path, (written.input or written).path)
            assert.is_truthy(line:find("/d", 1, true))
            assert.is_nil(line:find([[c\/d]], 1, true))
        end
    end)

    it("leaves out what there is no room for, the most dispensable first", function()
        local long = event()
        for _, name in ipairs({ "context", "query", "headers", "client" }) do
            long.input[name] = { x = ("y"):rep(1000) }
        end
        local written = cjson.decode(lines.of(long, "opa", 3800))
        assert.same({ "/input/context" }, written.erased)
        assert.is_nil(written.input.context)
        assert.equal(1000, #written.input.query.x)
        long.input.path = ("p"):rep(3000)
        local line = lines.of(long, "opa", 2048)
        assert.is_true(#line <= 2048)
        written = cjson.decode(line)
        assert.same({ "/input" }, written.erased)
        assert.is_nil(written.input)
        assert.equal("explicit_deny", written.result.reason)
        local flat = event()
        flat.input.path = ("p"):rep(3000)
        written = cjson.decode(lines.of(flat, "json", 2048))
        assert.is_nil(written.path)
        assert.equal("explicit_deny", written.reason)
        assert.same({ "/input" }, written.erased)
    end)

    it("raises when even the least is too long", function()
        local long = event()
        long.result.error = ("e"):rep(3000)
        assert.has_error(function() lines.of(long, "json", 2048) end, "an event that is too long")
    end)

    it("has the members that the documentation of the log lists", function()
        local said = files.read("lua/postern/audit.lua"):match("`json` is flat, (.-)%.\n%-%-\n")
        local names, listed = {}, {}
        for _, member in ipairs(lines.FLAT) do
            names[#names + 1] = member[1]
        end
        for name in said:gmatch("`([%l_]+)`") do
            listed[#listed + 1] = name
        end
        assert.same(names, listed)
    end)
end)
