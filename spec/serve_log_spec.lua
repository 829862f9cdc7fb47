-- The decision log of `postern serve`: an event of each decision, whatever becomes of the file.
local uv = require("luv")
local commands = require("spec.support.commands")
local loop = require("spec.support.loop")
local served = require("spec.support.served")
local json = require("dkjson")


local POLICY = [[{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
"Action":"execute-api:Invoke","Resource":"execute-api:/dev/GET/*"}]}]]

local ESTATE = [[
account "111122223333"
region "eu-central-1"
api "a1b2c3d4e5" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
                   policy = "policy.json" }
serve {
    listen = "127.0.0.1:0", operators = "127.0.0.1", workers = %d, drain = 1,
    audit = { %s },
    endpoints = {
        ["/auth"] = { protocol = "forward", profile = "forwarded", peers = { "127.0.0.1" },
                      api = "a1b2c3d4e5", stage = "dev" },
        ["/envoy"] = { protocol = "ext_authz", peers = { "127.0.0.1" }, address = "unknown",
                       scheme = "http", api = "a1b2c3d4e5", stage = "dev" },
        ["/v1/data"] = { protocol = "opa", peers = { "127.0.0.1" },
                         data = { pets = { api = "a1b2c3d4e5", stage = "dev" } } },
        ["/access"] = { protocol = "authzen", profile = "gateway", api = "a1b2c3d4e5",
                        stage = "dev" },
    },
}
]]

local QUESTION = '{"api":"a1b2c3d4e5","stage":"dev","method":"%s","path":"/pets"}'


describe("the decision log of postern serve", function()
    local before, server, folder, url

    before_each(function()
        before = loop.open_handles()
    end)

    after_each(function()
        if server then
            server:close()
            server = nil
        end
        assert.equal(before, loop.open_handles())
    end)

    local function with_server(given, fn)
        commands.with_files({ ["estate.lua"] = ESTATE:format(given.workers or 1, given.audit),
            ["policy.json"] = POLICY }, function(where)
            folder = where
            if given.prepare then
                given.prepare()
            end
            if server then
                server:close()
            end
            server = served.start("exec postern serve " .. folder .. "/estate.lua", {})
            url = "http://" .. server:ready()
            fn()
        end)
    end

    local function post(path, body, more)
        return server:curl(("-H 'Content-Type: application/json' %s -d '%s' %s%s"):format(
            more or "", body, url, path))
    end

    -- The events that are in a file, when there are so many.
    local function events(count, name)
        local list
        server:until_true(function()
            list = {}
            local file = io.open(folder .. "/" .. (name or "log"))
            for line in file and file:lines() or function() end do
                list[#list + 1] = assert(json.decode(line))
            end
            if file then
                file:close()
            end
            return #list >= count
        end)
        assert.equal(count, #list)
        return list
    end

    local function dropped()
        return tonumber(server:curl(url .. "/metrics")
            :match("\npostern_decision_log_dropped_total (%d+)")) or 0
    end

    it("has an event of each decision, of each protocol", function()
        with_server({ audit = 'path = "log", mask = { "/input/headers/x-secret" }' }, function()
            post("/v1/decide", QUESTION:format("GET"), "-H 'X-Request-ID: one' -H "
                .. "'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'")
            post("/v1/decide", QUESTION:format("PUT"))
            local list = events(2)
            assert.equal("Allowed", list[1].decision)
            assert.equal("one", list[1].request_id)
            assert.equal("0af7651916cd43dd8448eb211c80319c", list[1].trace_id)
            assert.equal("ImplicitlyDenied", list[2].decision)
            assert.equal("PUT", list[2].method)
            assert.not_equal(list[1].decision_id, list[2].decision_id)
            assert.not_equal(list[1].request_id, list[2].request_id)
            post("/v1/decide/batch", "[" .. QUESTION:format("GET") .. "," .. QUESTION:format("PUT")
                .. "," .. QUESTION:format("GET") .. "]")
            assert.equal(200, tonumber(server:curl("-o /dev/null -w '%{http_code}' "
                .. "-H 'X-Forwarded-Method: GET' -H 'X-Forwarded-Uri: /pets' "
                .. "-H 'X-Forwarded-Host: a' -H 'X-Forwarded-Proto: https' "
                .. "-H 'X-Forwarded-For: 192.0.2.1' " .. url .. "/auth")))
            assert.equal(200, tonumber(server:curl("-o /dev/null -w '%{http_code}' " .. url
                .. "/envoy/pets")))
            post("/v1/data/pets", '{"input":{"type":"http","request":{"scheme":"http",'
                .. '"path":"/pets","headers":{"host":"a"},"method":"GET","port":80,"host":"a"},'
                .. '"var":{"remote_addr":"192.0.2.1","server_addr":"192.0.2.2"}}}')
            local evaluation = '{"subject":{"type":"user","id":"a"},"action":{"name":"GET"},'
                .. '"resource":{"type":"route","id":"/pets"}'
            post("/access/v1/evaluation", evaluation .. "}")
            post("/access/v1/evaluations", evaluation .. ',"evaluations":[{},{}]}')
            for _, event in ipairs(events(11)) do
                assert.is_true(event.decision == "Allowed" or event.method == "PUT")
            end
            -- What no decision was asked about is no event.
            server:curl(url .. "/auth")
            post("/v1/decide", "{")
            post("/v1/decide", QUESTION:format("GET"))
            events(12)
            -- Nor does any go past the log since others like it came before.
            for _ = 1, 3 do
                post("/v1/decide", QUESTION:format("GET"))
                server:curl(url .. "/envoy/pets")
            end
            post("/v1/decide/batch", "[" .. QUESTION:format("GET") .. "," .. QUESTION:format("GET")
                .. "]")
            events(20)
            assert.equal(0, dropped())
        end)
    end)

    it("has OPA's form where that is wanted", function()
        with_server({ audit = 'path = "log", form = "opa", labels = { zone = "a" }' }, function()
            post("/v1/decide", QUESTION:format("GET"))
            local event = events(1)[1]
            assert.equal("a", event.labels.zone)
            assert.equal("127.0.0.1", event.requested_by)
            assert.equal("/pets", event.input.path)
        end)
    end)

    it("is written by every worker, and opened anew when it is told", function()
        with_server({ audit = 'path = "log"', workers = 2 }, function()
            for _ = 1, 6 do
                post("/v1/decide", QUESTION:format("GET"))
            end
            events(6)
            assert(os.rename(folder .. "/log", folder .. "/old"))
            uv.kill(server.pid, "sigusr1")
            assert.is_truthy(server:until_true(function()
                return uv.fs_stat(folder .. "/log")
            end))
            server:until_true(function()
                server.host:sleep(0.3) -- until the other worker has opened it, too
                return true
            end)
            for _ = 1, 4 do
                post("/v1/decide", QUESTION:format("GET"))
            end
            events(4)
            events(6, "old")
            -- What was decided is in it before the server has ended.
            post("/v1/decide", QUESTION:format("GET"))
            assert.equal(0, server:stop())
            events(5)
        end)
    end)

    it("makes nobody wait: on a full disk, or a FIFO that nobody reads", function()
        with_server({ audit = 'path = "/dev/full"' }, function()
            for _ = 1, 5 do
                assert.is_true(json.decode(post("/v1/decide", QUESTION:format("GET"))).allowed)
            end
            assert.is_truthy(server:until_true(function() return dropped() == 5 end))
            assert.matches("no space left on device: lines are dropped", server.said, 1, true)
            assert.equal(0, server:stop())
        end)
        with_server({ audit = 'path = "log", queue = 100', prepare = function()
            os.execute("mkfifo " .. folder .. "/log")
        end }, function()
            local batch = "[" .. (QUESTION:format("GET") .. ","):rep(499) .. QUESTION:format("PUT")
                .. "]"
            for _ = 1, 4 do
                local got = json.decode(post("/v1/decide/batch", batch))
                assert.is_true(got[499].allowed)
                assert.is_false(got[500].allowed)
            end
            assert.is_true(dropped() > 1000)
            assert.equal("ok\n", server:curl(url .. "/healthz"))
            assert.equal(0, server:stop())
        end)
    end)

    it("says what is wrong with it before anybody is served", function()
        for audit, why in pairs({
            ['path = "nowhere/log"'] = "audit: .*nowhere/log: no such file or directory",
            ['path = "log", form = "xml"'] = "audit: `form`: give `json` or `opa`",
            ['path = "log", quue = 1'] = "audit: unknown option `quue`",
        }) do
            commands.with_files({ ["estate.lua"] = ESTATE:format(1, audit),
                ["policy.json"] = POLICY }, function(where)
                if server then
                    server:close()
                end
                server = served.start("exec postern serve " .. where .. "/estate.lua", {})
                assert.is_truthy(server:until_true(function() return server.status end))
                assert.equal(2, server.status)
                assert.matches(why, server.said)
            end)
        end
    end)
end)
