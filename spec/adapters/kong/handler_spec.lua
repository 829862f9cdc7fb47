-- The plugin of Kong, in a real nginx with a stand-in of Kong: spec/support/kong.
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

local LAZY = [[
return { kind = "keys", name = "plan", api = 1, lazy = true,
    check = function() return true end, types = { ["acme:Plan"] = "string" },
    keys = { ["acme:Plan"] = function(context, config, tools)
        tools.sleep(0.02)
        return context.http.path:find("gold", 1, true) and "gold" or "free"
    end } }
]]

local STATUS = 'location = /-/status { content_by_lua_block { require("postern.resty").status() } }'


local function service(routes, plugins)
    return { { name = "pets", routes = routes, plugins = plugins } }
end


local function route(config, path)
    return { name = path or "all", paths = { path or "/" },
             plugins = config and { { name = "postern", config = config } } }
end


describe("the plugin of Kong", function()
    local running

    after_each(function()
        if running then
            running:stop()
            running = nil
        end
    end)

    local function start(options)
        running = gateways.run(gateways.kong(options))
        return running
    end

    local function status(target, options)
        return running:ask(target, options).status
    end


    it("lets pass what a policy allows, and refuses the rest by Kong's own answer", function()
        start()
        local allowed = running:ask("/pets")
        assert.equal(200, allowed.status)
        assert.matches("upstream /pets", allowed.body, 1, true)
        local denied = running:ask("/admin")
        assert.equal(403, denied.status)
        assert.equal("application/json", denied.headers["content-type"])
        assert.equal(tostring(#denied.body), denied.headers["content-length"])
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
        start({
            services = service({
                route({ api = "notes", stage = "live", vpce = "vpce-1" }, "/notes"),
                route({ api = "pets", stage = "live", mode = "dry_run" }, "/admin/dry"),
                route({ api = "none", stage = "live" }, "/wrong/api"),
                route({ api = "pets", stage = "none" }, "/wrong/stage"),
                route({ host = "pets.example.com" }, "/pets/host"),
                route(nil, "/pets/service"), route(nil, "/admin"),
            }, { { name = "postern", config = { api = "pets", stage = "live" } } }),
            files = {
                ["notes.json"] = front.NOTES:gsub("10.0.0.0/8", "127.0.0.5/32"),
                ["estate.lua"] = front.ESTATE:gsub('policy = "pets.json"', '%0, domains = { '
                    .. '["pets.example.com"] = { stage = "live" } }'),
            },
        })
        assert.equal(200, status("/notes", { from = "127.0.0.5" }))
        assert.equal(403, status("/notes"))
        assert.equal(200, status("/admin/dry"))
        assert.is_true(running:wait_for_log("dry run: GET /admin/dry: would be denied"))
        assert.equal(503, status("/wrong/api"))
        assert.equal(503, status("/wrong/stage"))
        assert.equal(200, status("/pets/host"))
        assert.equal(200, status("/pets/service"))
        assert.equal(403, status("/admin"))
    end)

    it("takes null for what is not said", function()
        start({ services = service({ route({ api = "pets", stage = "live" }) }) })
        running:stop()
        running = gateways.kong()
        front.write(running, "nginx.conf", (running:log("nginx.conf"):gsub("Kong.init%(%)", [[%0
            local handler = require("kong.plugins.postern.handler")
            local access = handler.access
            handler.access = function(self, conf)
                conf.vpce, conf.host, conf.mode = ngx.null, ngx.null, ngx.null
                return access(self, conf)
            end]])))
        gateways.run(running)
        assert.equal(200, status("/pets"))
        assert.equal(403, status("/admin"))
    end)

    it("sets headers of the decision in place of the service's, and no client's", function()
        start({ files = WITH_HOOK })
        local allowed = running:ask("/pets", { headers = {
            "X-Acme: forged", "X-Obligation-Database: forged",
        } })
        assert.equal("/pets", allowed.headers["x-acme"])
        assert.equal("replica", allowed.headers["x-obligation-database"])
        assert.not_matches("forged", allowed.raw, 1, true)
        local denied = running:ask("/admin")
        assert.equal("ask for access", denied.headers["x-why"])
        assert.is_nil(denied.headers["x-obligation-database"])
    end)

    it("waits for a key in the coroutine that Kong runs it in", function()
        start({ files = {
            ["estate.lua"] = front.ESTATE .. 'rules "plan.lua"', ["plan.lua"] = LAZY,
            ["pets.json"] = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*",'
                .. '"Action":"execute-api:Invoke","Resource":"*",'
                .. '"Condition":{"StringEquals":{"acme:Plan":"gold"}}}}',
        } })
        assert.equal(200, status("/gold"))
        assert.equal(403, status("/free"))
    end)

    it("has all workers use one revision, also after a change", function()
        start({ workers = 2, server = STATUS })
        local before = front.wait_for_revision(running, 2)
        front.write(running, "pets.json", front.PETS:gsub('"execute%-api:/live/%*/admin%*"%]',
                                                          '"execute-api:/live/*/new"]'))
        front.wait_for_revision(running, 2, before)
        for _ = 1, 10 do
            assert.equal(200, status("/new"))
        end
    end)

    it("goes on with what the workers use when it is told to reload broken files", function()
        start({ server = STATUS })
        local revision = front.wait_for_revision(running, 1)
        front.write(running, "estate.lua", "acount '1'")
        local pids = running:worker_pids()
        running:signal("sighup")
        assert.is_true(nginx.run_until(function()
            local now = running:worker_pids()
            return #now == 1 and now[1] ~= pids[1]
        end))
        assert.equal(200, status("/pets"))
        assert.equal(403, status("/admin"))
        assert.equal(revision, front.state(running).revision)
        assert.is_true(running:wait_for_log("unknown word"))
    end)


    describe("reads kong.conf", function()
        local CONF = "plugins = bundled, postern # ours\npostern_estate = $folder/estate.lua\n"

        it("for its options", function()
            start({ conf = CONF .. "postern_fault = 403\npostern_mode = dry_run\n",
                    services = service({ route({ api = "none" }, "/none"),
                                         route({ api = "pets", stage = "live" }) }) })
            assert.equal(200, status("/admin"))
            assert.is_true(running:wait_for_log("DRY RUN"))
            running:stop()
            start({ conf = CONF .. "postern_fault = 403\n",
                    services = service({ route({ api = "none", stage = "x" }) }) })
            assert.equal(403, status("/pets"))
            running:stop()
            start({ conf = CONF .. "postern_obligations = X-Todo-\n", files = WITH_HOOK })
            assert.equal("replica", running:ask("/pets").headers["x-todo-database"])
            running:stop()
            start({ conf = CONF .. "postern_dict = mine\n",
                    directives = "lua_shared_dict mine 1m;\n", dict = false })
            assert.equal(200, status("/pets"))
        end)

        it("or else the environment, for the estate", function()
            running = gateways.kong({ conf = "plugins = postern\n" })
            front.write(running, "nginx.conf", "env POSTERN_ESTATE=" .. running.folder
                .. "/estate.lua;\n" .. running:log("nginx.conf"))
            gateways.run(running)
            assert.equal(200, status("/pets"))
            assert.equal(403, status("/admin"))
        end)

        it("and opens nothing on a control plane", function()
            start({ conf = CONF .. "role = control_plane\n" })
            assert.equal(503, status("/pets"))
            assert.matches("there was no `init`", running:log(), 1, true)
        end)
    end)


    describe("never lets pass", function()
        local function refuses(fault)
            local answer = running:ask("/pets")
            assert.equal(fault or 503, answer.status)
            assert.not_matches("upstream", answer.body, 1, true)
            assert.equal(fault or 503, status("/admin"))
        end

        it("without the library: Kong does not start", function()
            running = gateways.kong()
            front.write(running, "nginx.conf", (running:log("nginx.conf"):gsub(
                "package.path = ", "package.preload['postern.resty'] = function() "
                .. "error('no such library') end %0")))
            assert.is_false(running:run())
            assert.matches("no such library", running:log(), 1, true)
        end)

        it("without the core", function()
            running = gateways.kong()
            front.write(running, "nginx.conf", (running:log("nginx.conf"):gsub(
                "lua_package_cpath [^\n]*", 'lua_package_cpath "/nowhere/?.so;;";')))
            gateways.run(running)
            refuses()
            assert.matches("libpostern", running:log(), 1, true)
        end)

        it("without the shared dictionary, with a wrong option, without an estate", function()
            local conf = "plugins = postern\npostern_estate = $folder/estate.lua\n"
            for message, options in pairs({
                ["lua_shared_dict postern 10m"] = { dict = false },
                ["`poll` is `soon`"] = { conf = conf .. "postern_poll = soon\n" },
                ["no such file"] = { conf = "plugins = postern\npostern_estate = /nowhere.lua\n" },
                ["names an estate"] = { conf = "plugins = postern\n" },
            }) do
                start(options)
                refuses()
                assert.matches(message, (running:log():gsub("names\n", "names ")), 1, true)
                running:stop()
            end
            running = nil
        end)

        it("with an estate that is wrong, until it is right, by the status configured", function()
            start({ conf = "plugins = postern\npostern_estate = $folder/estate.lua\n"
                        .. "postern_poll = 0.05\npostern_follow = 0.02\npostern_fault = 403\n",
                    files = { ["estate.lua"] = "acount '1'" } })
            refuses(403)
            assert.matches("unknown word", running:log(), 1, true)
            front.write(running, "estate.lua", front.ESTATE)
            assert.is_true(nginx.run_until(function() return status("/pets") == 200 end))
        end)

        it("where the library fails while it decides", function()
            for part, name in pairs({ call = "read", reply = "fill" }) do
                running = gateways.kong()
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
end)
