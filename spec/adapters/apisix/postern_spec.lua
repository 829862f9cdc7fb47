-- The plugin of APISIX, in a real nginx with a stand-in of APISIX: spec/support/apisix.
local cjson = require("cjson")
local front = require("spec.support.front")
local gateways = require("spec.support.gateways")
local nginx = require("spec.support.nginx")


local HOOK = [[
return { kind = "hooks", name = "acme", api = 1, check = function() return true end,
    after = function(context, decision)
        return decision.allowed and { headers = { ["X-Acme"] = context.http.path },
                                      obligations = { Database = "replica" } }
            or { headers = { ["X-Why"] = "ask for access" } }
    end }
]]

local WITH_HOOK = { ["estate.lua"] = front.ESTATE .. 'rules "acme.lua"', ["acme.lua"] = HOOK }


local function route(conf, uri)
    return { uri = uri or "/*", plugins = { postern = conf } }
end


describe("the plugin of APISIX", function()
    local running

    after_each(function()
        if running then
            running:stop()
            running = nil
        end
    end)

    local function start(options)
        running = gateways.run(gateways.apisix(options))
        return running
    end

    local function status(target, options)
        return running:ask(target, options).status
    end


    it("lets pass what a policy allows, and refuses the rest by APISIX's own answer", function()
        start()
        local allowed = running:ask("/pets")
        assert.equal(200, allowed.status)
        assert.matches("upstream /pets", allowed.body, 1, true)
        local denied = running:ask("/admin")
        assert.equal(403, denied.status)
        assert.equal("application/json", denied.headers["content-type"])
        assert.matches('^{"message":"Forbidden","request_id":"%x+"}$', denied.body)
        assert.matches("^Forbidden %(request %x+%)\n$",
                       running:ask("/admin", { headers = { "Accept: text/plain" } }).body)
        for _, word in ipairs({ "NoAdmin", "pets.json", "explicit", "arn:", "upstream" }) do
            assert.not_matches(word, denied.raw, 1, true)
        end
        assert.equal(400, status("/pets//x"))
        assert.equal(403, status("/pets", { from = "127.0.0.9" }))
    end)

    it("ends a refused request with its body, so that no part of it is the next one", function()
        start()
        local inner = "GET /pets HTTP/1.1\r\nHost: localhost\r\n\r\n"
        local raw = running:send("POST /admin HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
            .. #inner .. "\r\n\r\n" .. inner
            .. "GET /other HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").raw
        local _, refused = raw:gsub("HTTP/1.1 403", "")
        assert.equal(2, refused)
        assert.not_matches("HTTP/1.1 200", raw, 1, true)
    end)

    it("takes API, stage, endpoint, host and mode from the route", function()
        start({ routes = {
            route({ api = "notes", stage = "live", vpce = "vpce-1" }, "/notes*"),
            route({ api = "pets", stage = "live", mode = "dry_run" }, "/admin/dry*"),
            route({ api = "none", stage = "live" }, "/wrong/api*"),
            route({ api = "pets", stage = "none" }, "/wrong/stage*"),
            route({ host = "pets.example.com" }, "/pets/host*"),
            route({ api = "pets", stage = "live" }),
        }, files = {
            ["notes.json"] = front.NOTES:gsub("10.0.0.0/8", "127.0.0.5/32"),
            ["estate.lua"] = front.ESTATE:gsub('policy = "pets.json"', '%0, domains = { '
                .. '["pets.example.com"] = { stage = "live" } }'),
        } })
        assert.equal(200, status("/notes", { from = "127.0.0.5" }))
        assert.equal(403, status("/notes"))
        assert.equal(200, status("/admin/dry"))
        assert.is_true(running:wait_for_log("dry run: GET /admin/dry: would be denied"))
        assert.equal(403, status("/admin"))
        assert.equal(503, status("/wrong/api"))
        assert.equal(503, status("/wrong/stage"))
        assert.equal(200, status("/pets/host"))
    end)

    it("is checked by its schema", function()
        local samples = {
            { {}, true }, { { api = "pets", stage = "live", mode = "enforce", vpce = "v",
                              host = "h", _meta = {} }, true },
            { { api = 1 }, "wrong type" }, { { api = "" }, "too short" },
            { { mode = "off" }, "enum" }, { { apy = "pets" }, "additional properties forbidden" },
        }
        local routes = {}
        for i, sample in ipairs(samples) do
            routes[i] = route(sample[1], ("/%d/*"):format(i))
        end
        start({ routes = routes, server = [[
            location = /-/check { content_by_lua_block {
                local core, plugin = require("apisix.core"), require("apisix.plugin")
                local conf = require("cjson").decode(ngx.var.arg_conf)
                local _, err = plugin.check({ postern = conf }, core.schema[ngx.var.arg_type])
                ngx.say(tostring(err))
            } }
        ]] })
        local function check(conf, kind)
            return running:ask("/-/check?type=" .. (kind or "") .. "&conf=" .. conf).body
        end
        for i, sample in ipairs(samples) do
            local text = check(cjson.encode(sample[1]))
            assert.matches(sample[2] == true and "^nil" or sample[2], text)
            -- A route that is not taken over is no route.
            assert.equal(sample[2] ~= true, status("/" .. i .. "/x") == 404)
        end
        assert.matches("^nil", check('{"estate":"/e.lua"}', "TYPE_METADATA"))
        assert.matches("is required", check("{}", "TYPE_METADATA"), 1, true)
        assert.matches("place of the route's", check('{"api":"pets"}', "TYPE_CONSUMER"), 1, true)
    end)

    it("decides for a global rule and for the route, and both have to allow", function()
        start({
            global_rules = { { plugins = { postern = { api = "pets", stage = "live" } } } },
            routes = { { uri = "/pets/plain*" },
                       route({ api = "notes", stage = "live", vpce = "vpce-1" }, "/pets/notes*"),
                       { uri = "/*" } },
        })
        assert.equal(200, status("/pets/plain"))
        assert.equal(403, status("/pets/notes"))
        assert.equal(403, status("/admin"))
    end)

    it("sets headers of the decision in place of the upstream's, and no client's", function()
        start({ files = WITH_HOOK, attr = { upstream = { ["X-Caller"] = "decision" } } })
        local allowed = running:ask("/pets", { headers = {
            "X-Caller: forged", "X-Acme: forged", "X-Obligation-Database: forged",
        } })
        assert.equal("/pets", allowed.headers["x-acme"])
        assert.equal("replica", allowed.headers["x-obligation-database"])
        assert.matches("x-caller=Allowed", allowed.body, 1, true)
        assert.not_matches("forged", allowed.raw, 1, true)
        local denied = running:ask("/admin")
        assert.equal("ask for access", denied.headers["x-why"])
        assert.is_nil(denied.headers["x-obligation-database"])
    end)

    it("shows what the workers are at by the control API", function()
        start()
        local state = cjson.decode(running:ask("/v1/plugin/postern/status").body)
        assert.equal(running.folder .. "/estate.lua", state.path)
        assert.matches("^%x+$", state.revision)
    end)

    it("tells of a request that another plugin answered before anybody decided", function()
        start({ plugins = { "postern", "mocking" }, files = { ["mocking.lua"] = "" },
                routes = { { uri = "/*", plugins = { mocking = {}, postern = { api = "pets" } } } },
                directives = "" })
        gateways.write(running, "lua/apisix/plugins/mocking.lua", [[
            return { version = 1, priority = 10900, schema = { type = "object", properties = {} },
                     check_schema = function() return true end,
                     access = function() return 200, "mock" end }
        ]])
        running:ask("/-/load")
        assert.equal("mock", running:ask("/admin").body)
        assert.is_true(running:wait_for_log("GET /admin: was let through, but nobody decided it"))
    end)


    describe("finds the estate", function()
        it("by config.yaml, by the environment, by metadata, in this order", function()
            start({ attr = { estate = false }, metadata = { postern = { estate = "/nowhere" } },
                    environment = "env POSTERN_ESTATE=/nowhere/else.lua;\n" })
            assert.equal(503, status("/pets"))
            assert.matches("/nowhere/else.lua: cannot be opened", running:log(), 1, true)
            running:stop()
            start({ environment = "env POSTERN_ESTATE=/nowhere/else.lua;\n" })
            assert.equal(200, status("/pets"))
            running:stop()
            running = gateways.apisix({ attr = { estate = false } })
            front.write(running, "nginx.conf", "env POSTERN_ESTATE=" .. running.folder
                .. "/estate.lua;\n" .. running:log("nginx.conf"))
            gateways.run(running)
            assert.equal(200, status("/pets"))
        end)

        it("by metadata as soon as they have come, and refuses until then", function()
            start({ attr = { estate = false } })
            assert.equal(503, status("/pets"))
            assert.matches("names an estate: every request is refused", running:log(), 1, true)
            gateways.write(running, "metadata.json", {
                postern = { estate = running.folder .. "/estate.lua" } })
            assert.is_true(nginx.run_until(function() return status("/pets") == 200 end))
            assert.equal(403, status("/admin"))
        end)

        it("once: another one, or the same one again, changes nothing", function()
            start()
            running:ask("/-/load")
            assert.equal(200, status("/pets"))
            assert.equal(403, status("/admin"))
            assert.not_matches("cannot be opened", running:log(), 1, true)
            gateways.write(running, "config.json", { plugins = { "postern" },
                plugin_attr = { postern = { estate = "/other.lua" } } })
            running:ask("/-/load")
            assert.equal(200, status("/pets"))
            assert.equal(403, status("/admin"))
            assert.matches("one nginx has one estate", running:log(), 1, true)
        end)
    end)


    describe("never lets pass", function()
        local function refuses(fault)
            local answer = running:ask("/pets")
            assert.equal(fault or 503, answer.status)
            assert.not_matches("upstream", answer.body, 1, true)
            assert.equal(fault or 503, status("/admin"))
        end

        it("without the library, which APISIX would pass over", function()
            running = gateways.apisix()
            front.write(running, "nginx.conf", (running:log("nginx.conf"):gsub(
                "package.path = ", "package.preload['postern.resty'] = function() "
                .. "error('no such library') end %0")))
            gateways.run(running)
            refuses()
            assert.matches("every request is refused: ", running:log(), 1, true)
            assert.matches("no such library", running:log(), 1, true)
            assert.equal(503, status("/v1/plugin/postern/status"))
        end)

        it("without the core", function()
            running = gateways.apisix()
            front.write(running, "nginx.conf", (running:log("nginx.conf"):gsub(
                "lua_package_cpath [^\n]*", 'lua_package_cpath "/nowhere/?.so;;";')))
            gateways.run(running)
            refuses()
            assert.matches("libpostern", running:log(), 1, true)
        end)

        it("without the shared dictionary, with a wrong option, without an estate", function()
            for message, options in pairs({
                ["lua_shared_dict postern 10m"] = { dict = false },
                ["unknown option `pol`"] = { attr = { pol = 1 } },
                ["leave it out"] = { attr = { on_broken = "stop" } },
                ["give the path of an estate"] = { attr = { estate = 5 } },
                ["no such file"] = { attr = { estate = "/nowhere.lua" } },
                ["names an estate"] = { attr = { estate = false } },
            }) do
                start(options)
                refuses()
                assert.matches(message, running:log(), 1, true)
                running:stop()
            end
            running = nil
        end)

        it("with an estate that is wrong, until it is right, by the status configured", function()
            start({ attr = { fault = 403 }, files = { ["estate.lua"] = "acount '1'" } })
            refuses(403)
            assert.matches("unknown word", running:log(), 1, true)
            front.write(running, "estate.lua", front.ESTATE)
            assert.is_true(nginx.run_until(function() return status("/pets") == 200 end))
            -- One that gets worse is not taken over.
            front.write(running, "estate.lua", "acount '1'")
            assert.is_true(nginx.run_until(function()
                local _, count = running:log():gsub("unknown word", "")
                return count > 1
            end))
            assert.equal(200, status("/pets"))
        end)

        it("where the library fails while it decides", function()
            for part, name in pairs({ call = "read", reply = "fill" }) do
                running = gateways.apisix()
                front.write(running, "nginx.conf", (running:log("nginx.conf"):gsub(
                    "init_worker_by_lua_block {", ([[%%0 require("postern.resty.%s").%s = function()
                        error("broken") end ]]):format(part, name))))
                gateways.run(running)
                local answer = running:ask("/pets")
                assert.equal(503, answer.status, part)
                assert.not_matches("upstream", answer.body, 1, true)
                assert.not_matches("broken", answer.body, 1, true)
                assert.matches("broken", running:log(), 1, true)
                running:stop()
            end
            running = nil
        end)

    end)


    it("tells of requests that it refuses without an estate once in a while, not each", function()
        start({ attr = { estate = false } })
        for _ = 1, 20 do
            status("/pets")
        end
        local _, lines = running:log():gsub("postern: refused:", "")
        assert.equal(1, lines)
    end)


    it("has all workers use one revision, also after a change", function()
        start({ workers = 2 })
        local function state()
            return cjson.decode(running:ask("/v1/plugin/postern/status").body)
        end
        local function agree(before)
            return nginx.run_until(function()
                local now = state()
                for _, worker in ipairs(now.workers) do
                    if worker.revision ~= now.revision then
                        return false
                    end
                end
                return #now.workers == 2 and now.revision ~= before
            end)
        end
        assert.is_true(agree(nil))
        local before = state().revision
        front.write(running, "pets.json", front.PETS:gsub('"execute%-api:/live/%*/admin%*"%]',
                                                          '"execute-api:/live/*/new"]'))
        assert.is_true(agree(before))
        for _ = 1, 10 do
            assert.equal(200, status("/new"))
        end
    end)
end)
