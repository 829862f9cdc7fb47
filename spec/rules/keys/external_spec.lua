local cjson = require("cjson")
local packs = require("spec.support.packs")


describe("the keys of an external service", function()
    local pack = packs.load("keys/external")

    local CONFIG = { url = "http://127.0.0.1:8181/plan",
                     keys = { Plan = "plan", Scopes = "scopes", Tier = "account.tier" } }

    local CONTEXT = {
        api = { id = "a1" }, stage = "dev", client_ip = "192.0.2.1", peer = "10.0.0.1",
        principal = { arn = "arn:aws:iam::123456789012:user/alice", account = "123456789012" },
        http = { method = "GET", path = "/pets",
                 headers = { ["x-tenant"] = { "t1", "t2" }, authorization = { "secret" } } },
    }

    local function with(changes)
        local config = {}
        for _, source in ipairs({ CONFIG, changes }) do
            for name, value in pairs(source) do
                config[name] = value
            end
        end
        return config
    end

    -- A pack whose service answers what it is told; `calls` are the questions.
    local function service(answer, changes, overrides)
        local calls = {}
        local tools = packs.tools(overrides)
        tools.http = function(call)
            calls[#calls + 1] = call
            if type(answer) == "function" then
                return answer(call)
            end
            return { status = 200, headers = {}, body = answer }
        end
        local ask = packs.start(pack, with(changes or {}), tools)
        return ask, calls, tools
    end

    it("are members of its answer", function()
        local ask = service('{"plan":"gold","scopes":["a","b"],"account":{"tier":3}}')
        assert.equal("gold", (ask("ext:Plan", CONTEXT)))
        assert.same({ "a", "b" }, (ask("ext:Scopes", CONTEXT)))
        assert.equal(3, (ask("ext:Tier", CONTEXT)))
        for text, expected in pairs({ ["true"] = true, ["false"] = false, ["1.5"] = 1.5,
                                      ['""'] = "", ["9007199254740992"] = 2 ^ 53 }) do
            ask = service(('{"plan":%s}'):format(text))
            assert.equal(expected, (ask("ext:Plan", CONTEXT)))
        end
    end)

    it("are absent when the member is", function()
        for _, answer in ipairs({ "{}", '{"plan":null}', '{"plan":[]}', '{"Plan":"x"}' }) do
            local ask = service(answer)
            assert.same({}, { ask("ext:Plan", CONTEXT) })
        end
        for _, answer in ipairs({ "{}", '{"account":null}', '{"account":3}', '{"account":{}}' }) do
            local ask = service(answer)
            assert.same({}, { ask("ext:Tier", CONTEXT) })
        end
    end)

    it("fail when there is no answer to rely on", function()
        for _, row in ipairs({
            { function() return nil, "connection refused" end, "connection refused" },
            { function() return nil, "timeout" end, "timeout" },
            { function() return nil end, "no answer" },
            { function() return { status = 404, body = "{}" } end, "the status is 404" },
            { function() return { status = 500, body = '{"plan":"gold"}' } end, "status is 500" },
            { function() return { status = 204 } end, "the status is 204" },
            { function() return { status = 302, body = "" } end, "the status is 302" },
            { function() return { status = 200 } end, "no JSON object" },
            { function() return { body = "{}" } end, "the status is nil" },
            { "", "no JSON object" }, { "gold", "no JSON object" }, { '"gold"', "no JSON object" },
            { "[1]", "no JSON object" }, { '{"plan":"gold"', "no JSON object" },
            { '{"plan":NaN}', "no JSON object" },
            { '{"plan":{"a":1}}', "the member `plan` is neither" },
            { '{"plan":["a",{}]}', "the member `plan` is neither" },
            { '{"plan":["a",null]}', "the member `plan` is neither" },
            { '{"plan":9007199254740994}', "the member `plan` is no value" },
            { '{"plan":"' .. ("x"):rep(70000) .. '"}', "more than 65536 bytes" },
        }) do
            local ask = service(row[1])
            local value, err = ask("ext:Plan", CONTEXT)
            assert.is_nil(value)
            assert.matches(row[2], tostring(err), 1, true)
            assert.matches(CONFIG.url, err, 1, true)
        end
    end)

    it("fail when nobody configured them", function()
        local ask, calls = service("{}")
        local value, err = ask("ext:Plam", CONTEXT)
        assert.is_nil(value)
        assert.equal("`plam` is not in `keys`: name it in the estate", err)
        assert.equal(0, #calls)
    end)

    it("are asked for with what is known of the request", function()
        local ask, calls = service("{}")
        ask("ext:Plan", CONTEXT)
        local call = calls[1]
        assert.equal("POST", call.method)
        assert.equal(CONFIG.url, call.url)
        assert.equal(0.5, call.timeout)
        assert.equal(65536, call.max_bytes)
        assert.same({ ["content-type"] = "application/json" }, call.headers)
        assert.same({
            principal = "arn:aws:iam::123456789012:user/alice", account = "123456789012",
            api = "a1", stage = "dev", method = "GET", path = "/pets", client_ip = "192.0.2.1",
        }, cjson.decode(call.body))
        ask("ext:Plan", {})
        assert.equal("{}", calls[2].body)
        ask("ext:Plan", { peer = "10.0.0.1", principal = { kind = "anonymous" } })
        assert.equal('{"client_ip":"10.0.0.1"}', calls[3].body)
    end)

    it("are asked for as configured", function()
        local ask, calls = service("{}", {
            send = { "path", "header X-Tenant", "header x-gone" }, method = "PUT", max_bytes = 10,
            headers = { Authorization = "Bearer x" },
        }, { limits = { timeout = 2 } })
        ask("ext:Plan", CONTEXT)
        assert.equal('{"path":"\\/pets","header x-tenant":"t1, t2"}', calls[1].body)
        assert.equal("PUT", calls[1].method)
        assert.equal(2, calls[1].timeout)
        assert.equal(10, calls[1].max_bytes)
        assert.same({ ["content-type"] = "application/json", authorization = "Bearer x" },
                    calls[1].headers)
    end)

    it("cannot be made to send something else", function()
        local ask, calls = service("{}", { send = { "path", "stage" } })
        local path = '/x","stage":"prod"\\\n\0'
        ask("ext:Plan", { http = { path = path }, stage = "dev" })
        assert.same({ path = path, stage = "dev" }, cjson.decode(calls[1].body))
    end)


    describe("are asked for", function()
        local GOLD = '{"plan":"gold","scopes":["a"]}'

        it("once a decision, however many there are", function()
            local ask, calls = service(GOLD)
            local context = { request = {}, stage = "a" }
            ask("ext:Plan", context)
            ask("ext:Scopes", context)
            assert.equal("gold", (ask("ext:Plan", context)))
            assert.equal(1, #calls)
            ask("ext:Plan", { request = {}, stage = "a" })
            assert.equal(2, #calls)
        end)

        it("again for another decision, also of a request table that is used again", function()
            local ask, calls = service(GOLD)
            local request = { stage = "a" }
            ask("ext:Plan", { request = request, stage = "a" })
            request.stage = "b"
            ask("ext:Plan", { request = request, stage = "b" })
            assert.equal(2, #calls)
        end)

        it("once in a while for the same request", function()
            local ask, calls, tools = service(GOLD, { cache_seconds = 60 })
            local function call(stage)
                assert.equal("gold", (ask("ext:Plan", { request = {}, stage = stage })))
            end
            for _ = 1, 5 do
                call("a")
                call("b")
            end
            assert.equal(2, #calls)
            tools.at = tools.at + 59
            call("a")
            assert.equal(2, #calls)
            tools.at = tools.at + 1
            call("a")
            assert.equal(3, #calls)
            tools.at = tools.at - 3600 -- set back: nobody knows how old it is
            call("a")
            assert.equal(4, #calls)
        end)

        it("again after a failure", function()
            local fails = true
            local ask, calls = service(function()
                if fails then
                    return nil, "timeout"
                end
                return { status = 200, body = GOLD }
            end, { cache_seconds = 60 })
            local context = { request = {}, stage = "a" }
            assert.is_nil((ask("ext:Plan", context)))
            fails = false
            assert.equal("gold", (ask("ext:Plan", context)))
            assert.equal(2, #calls)
        end)

        it("with a bounded memory", function()
            local ask, _, tools = service(GOLD, { cache_seconds = 60 })
            for i = 1, 5000 do
                ask("ext:Plan", { request = {}, stage = "s" .. i })
            end
            local count = 0
            for _, generation in ipairs({ tools.state.young, tools.state.old }) do
                for _ in pairs(generation) do
                    count = count + 1
                end
            end
            assert.is_true(count <= 2048, tostring(count))
        end)
    end)

    it("are lazy and limited", function()
        assert.is_true(pack.lazy)
        assert.same({ timeout = 0.5, concurrency = 64, failures = 5, pause = 10, open = "deny" },
                    pack.limits)
    end)

    it("refuse what they cannot use", function()
        packs.assert_refused(pack, {
            { { keys = CONFIG.keys }, "`url`: give one" },
            { with({ uri = "x" }), "unknown option `uri`" },
            { with({ url = 7 }), "`url` is a number" },
            { with({ url = "https://example.com/" }), "`url`: give one" },
            { with({ url = "http://a b/" }), "`url`: give one" },
            { with({ url = "http+unix://relative" }), "`url`: give one" },
            { with({ method = "GET" }), "`method`: `GET` sends nothing" },
            { with({ cache_seconds = -1 }), "`cache_seconds`: give 0 or more" },
            { with({ cache_seconds = 0 / 0 }), "`cache_seconds`: give 0 or more" },
            { with({ max_bytes = 0 }), "`max_bytes`: give 1 or more" },
            { { url = CONFIG.url }, "`keys`: give a table" },
            { with({ keys = {} }), "`keys`: give a table" },
            { with({ keys = { "plan" } }), "`keys`: `1`: give" },
            { with({ keys = { Plan = 7 } }), "`keys`: `Plan`: give" },
            { with({ keys = { Plan = "a..b" } }), "`keys`: `Plan`: give" },
            { with({ keys = { Plan = "" } }), "`keys`: `Plan`: give" },
            { with({ keys = { Plan = "a." } }), "`keys`: `Plan`: give" },
            { with({ keys = { Plan = "a", plan = "b" } }), "twice in different letter case" },
            { with({ send = "path" }), "`send` is a string" },
            { with({ send = { "body" } }), "`send`: unknown `body`" },
            { with({ send = { "header" } }), "`send`: unknown `header`" },
            { with({ send = { "path", "path" } }), "`path` is there twice" },
            { with({ headers = { ["x y"] = "z" } }), "`headers`: `x y`" },
            { with({ headers = { x = "a\r\nb: c" } }), "`headers`: `x`" },
            { with({ headers = { x = 1 } }), "`headers`: `x`" },
        })
        assert.is_true(pack.check(with({ url = "http+unix:///run/plan.sock:/plan" })))
    end)
end)
