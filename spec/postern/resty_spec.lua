local cjson = require("cjson")
local front = require("spec.support.front")

-- A plain estate is enough for most; this one reads headers as an identity does.
local IDENTITY = front.ESTATE .. [[
identity "header" { header = "x-caller" }
identity "anonymous" {}
trusted_proxies { "127.0.0.5" }
]]

local HOOK = [[
return { kind = "hooks", name = "acme", api = 1, check = function() return true end,
    after = function(context, decision)
        if context.http and context.http.path:find("/raise") then
            error("acme raised")
        end
        return decision.allowed and { headers = { ["X-Acme"] = "from hook" },
                                      obligations = { Database = "replica" } } or nil
    end }
]]


local WITH_HOOK = { estate = front.ESTATE .. 'rules "acme.lua"', files = { ["acme.lua"] = HOOK } }


describe("the front in nginx", function()
    local running

    after_each(function()
        if running then
            running:stop()
            running = nil
        end
    end)

    local function start(options)
        running = front.start(options)
        return running
    end

    local function ask(target, options)
        return running:ask(target, options)
    end

    -- nginx writes it after it has answered.
    local function line_of(text)
        assert.is_true(running:wait_for_log(text, "access.log"))
        for line in running:log("access.log"):gmatch("[^\n]+") do
            if line:find(text, 1, true) then
                return line
            end
        end
    end


    describe("tells the client", function()
        it("nothing that it does not have to know", function()
            start()
            local allowed = ask("/pets")
            assert.equal(200, allowed.status)
            assert.matches("content /pets", allowed.body, 1, true)
            local denied = ask("/admin")
            assert.equal(403, denied.status)
            assert.equal("application/json", denied.headers["content-type"])
            local body = cjson.decode(denied.body)
            assert.equal("Forbidden", body.message)
            assert.matches("^%x+$", body.request_id)
            assert.equal(body.request_id, line_of("/admin"):match("%[(%x+)%]$"))
            for _, word in ipairs({ "NoAdmin", "pets.json", "explicit", "arn:", "revision" }) do
                assert.not_matches(word, denied.raw, 1, true)
            end
        end)

        it("in plain text where it prefers that, and without a body for HEAD", function()
            start()
            local text = ask("/admin", { headers = { "Accept: text/plain" } })
            assert.matches("^Forbidden %(request %x+%)\n$", text.body)
            local head = ask("/admin", { method = "HEAD" })
            assert.equal(403, head.status)
            assert.equal("", head.body)
        end)

        it("by the statuses and the form that the estate says", function()
            start({ estate = front.ESTATE .. 'answers { denied = 404, fault = 403, '
                .. 'format = "text" }', server = front.location() .. front.location(
                "set $postern_api none;", "/fault") })
            local denied = ask("/admin")
            assert.equal(404, denied.status)
            assert.matches("^Not Found", denied.body)
            assert.equal(403, ask("/fault").status)
        end)

        it("a request that is malformed as such, without saying how", function()
            start()
            local answer = ask("/pets/%2e%2e/pets")
            assert.equal(400, answer.status)
            assert.matches('^{"message":"Bad Request","request_id":"%x+"}$', answer.body)
        end)
    end)


    describe("tells the operator", function()
        it("by variables what was decided, by which statement and in how many microseconds",
            function()
            start()
            ask("/admin")
            local revision = front.state(running).revision
            local line = line_of("/admin")
            assert.matches("403 /admin [ExplicitlyDenied] [explicit_deny] [NoAdmin] ["
                .. running.folder .. "/pets.json:5] [" .. revision .. "] [", line, 1, true)
            assert.is_true(tonumber(line:match("%[(%d+)%] %[%x+%]$")) < 1e6)
            ask("/pets")
            assert.matches("200 /pets [Allowed] [allow] [Readers]", line_of("200 /pets"), 1, true)
            ask("/other")
            assert.matches("[ImplicitlyDenied] [no_allow_resource] [] [] [" .. revision,
                           line_of("/other"), 1, true)
        end)

        it("with none of the variables declared", function()
            running = front.new({ server = "" })
            local text = running:log("nginx.conf")
                :gsub("include [^\n]*postern.conf;", ""):gsub("log_format.-;\n", "")
                :gsub("access_log [^\n]* postern;", "")
                :gsub("location = /%-/status",
                    "location / { access_by_lua_block { require('postern.resty').access() } "
                    .. "log_by_lua_block { require('postern.resty').log() } "
                    .. "content_by_lua_block { ngx.say('content') } } %0")
            front.write(running, "nginx.conf", text)
            assert.is_true(running:run())
            -- By host name, since no variable names an API.
            assert.equal(403, ask("/live/pets").status)
            assert.matches("no API has the domain name `localhost`", running:log(), 1, true)
        end)

        it("once in a while what went wrong, and how often it did", function()
            start({ init = "report = 0.3" })
            for _ = 1, 5 do
                ask("/pets//x")
            end
            local _, lines = running:log():gsub("an empty segment", "")
            assert.equal(1, lines)
            require("luv").sleep(350)
            ask("/pets//x")
            assert.matches("(4 more like this since the last line)", running:log(), 1, true)
        end)

        it("counters of all workers, for Prometheus", function()
            start({ workers = 2, server = front.location() .. front.location(
                "set $postern_mode dry_run;", "/dry") .. front.location("return 200;", "/hole")
                .. [[ location = /-/metrics { content_by_lua_block {
                    require("postern.resty").metrics() } } ]] })
            for _ = 1, 6 do
                ask("/pets")
                ask("/admin")
                ask("/dry")
                ask("/hole")
                ask("/pets//x")
            end
            local text
            local complete = require("spec.support.nginx").run_until(function()
                text = ask("/-/metrics").body
                return text:find('result="ExplicitlyDenied",reason="explicit_deny"} 6', 1, true)
                    and text:find('postern_decision_duration_seconds_count 24', 1, true)
                    and text:find('postern_undecided_total 6', 1, true)
            end, 3000)
            assert.truthy(complete, text)
            local answer = ask("/-/metrics")
            assert.matches("text/plain; version=0.0.4", answer.headers["content-type"], 1, true)
            for _, line in ipairs({
                'result="Allowed",reason="allow"} 6', 'postern_eval_errors_total{kind="request"} 6',
                "postern_dry_run_total 6", 'revision="' .. front.state(running).revision .. '"',
            }) do
                assert.matches(line, answer.body, 1, true)
            end
        end)

        it("what the workers are at", function()
            start()
            ask("/pets")
            ask("/admin")
            ask("/pets//x")
            local state = front.state(running)
            assert.same({ allowed = 1, denied = 1, errors = 1, dry_run = 0, undecided = 0 },
                        state.counts)
            assert.equal(1, #state.workers)
            assert.equal(state.revision, state.workers[1].revision)
            assert.equal(running:worker_pids()[1], state.watcher)
            assert.equal("enforce", state.mode)
            assert.is_nil(state.problem)
        end)
    end)


    describe("takes its settings", function()
        it("from variables, and refuses values that it does not know", function()
            start({ server = front.location("set $postern_api none;", "/api")
                .. front.location("set $postern_stage none;", "/stage")
                .. front.location("set $postern_vpce none;", "/vpce")
                .. front.location("set $postern_mode off;", "/mode")
                .. front.location("set $postern_host 'a b';", "/host") })
            for path, message in pairs({
                ["/api"] = "`$postern_api`: there is no API `none`",
                ["/stage"] = "`$postern_stage`: the API `pets` has no stage `none`",
                ["/vpce"] = "`$postern_vpce`: there is no endpoint `none`",
                ["/mode"] = "`$postern_mode` is `off`: give `enforce` or `dry_run`",
            }) do
                local answer = ask(path)
                assert.equal(503, answer.status, path)
                assert.not_matches("content", answer.body)
                assert.matches(message, running:log(), 1, true)
                require("luv").sleep(15)
            end
        end)

        it("from what is handed to `access`, which counts more", function()
            local function handed(path, given)
                return ([[
                    location %s {
                        set $postern_api none; set $postern_mode off;
                        access_by_lua_block { require("postern.resty").access%s }
                        content_by_lua_block { ngx.say("content ", ngx.var.uri) }
                    }
                ]]):format(path, given)
            end
            start({ server = handed("/", '{ api = "pets", stage = "live", mode = "enforce" }')
                .. handed("/pets/a", '{ api = "pets", colour = "red" }')
                .. handed("/pets/b", '{ api = "" }')
                .. handed("/pets/c", '("pets")') })
            assert.equal(200, ask("/pets").status)
            assert.equal(403, ask("/admin").status)
            for _, name in ipairs({ "a", "b", "c" }) do
                assert.equal(503, ask("/pets/" .. name).status, name)
            end
            assert.matches("`access` is handed `colour`: there are `api`", running:log(), 1, true)
        end)

        it("from places that are made when nginx starts", function()
            local PLACED = [[ location %s {
                set $postern_api none;
                access_by_lua_block { require("postern.resty").access(%s) }
                log_by_lua_block { require("postern.resty").log() }
                content_by_lua_block { ngx.say("content") }
            } ]]
            local function started(place, pets)
                running = front.new({ pets = pets, server = PLACED:format("/", "pets")
                    .. PLACED:format("/wrong", "nowhere and {} or { colour = 1 }") })
                local text = running:log("nginx.conf"):gsub("init_by_lua_block {.-}%) }",
                    function(block)
                        return block:sub(1, -2) .. "pets = require('postern.resty').place(" .. place
                            .. ") }"
                    end)
                front.write(running, "nginx.conf", text)
                return running:run()
            end
            for _, pets in ipairs({ front.PETS, front.PLAIN }) do
                assert.is_true(started('{ api = "pets", stage = "live" }', pets), running:log())
                for _ = 1, 3 do
                    assert.equal(200, ask("/pets").status)
                    assert.equal(403, ask("/admin").status)
                    assert.equal(503, ask("/wrong").status)
                end
                running:stop()
            end
            for place, message in pairs({
                ['{ api = "pets", colour = "red" }'] = "place: `access` is handed `colour`",
                ['{ api = "" }'] = "place: `access` is handed a `api` that is no text",
                ['"pets"'] = "place: `access` is handed something else than a table",
            }) do
                assert.is_false(started(place), place)
                assert.matches(message, running:log(), 1, true)
                running:stop()
            end
            running = nil
        end)

        it("by the host, when the configuration names no API", function()
            start({ estate = front.ESTATE:gsub('policy = "pets.json"',
                '%0, domains = { ["pets.example.com"] = { stage = "live" } }'),
                server = front.location("set $postern_api ''; set $postern_stage '';")
                .. front.location("set $postern_api ''; set $postern_stage ''; "
                    .. "set $postern_host pets.example.com;", "/pets/x") })
            -- CVE-2021-39155: a host name is one in any letter case, with its port and final dot.
            for _, host in ipairs({ "pets.example.com", "PETS.example.COM", "pets.example.com.",
                                    "pets.example.com:8443" }) do
                assert.equal(200, ask("/pets", { host = host }).status, host)
                assert.equal(403, ask("/admin", { host = host }).status, host)
            end
            assert.equal(403, ask("/pets", { host = "other.example.com" }).status)
            assert.equal(200, ask("/pets/x", { host = "other.example.com" }).status)
        end)

        it("and the stage from the path, when nothing says it", function()
            start({ server = front.location("set $postern_stage '';") })
            assert.equal(200, ask("/live/pets").status)
            assert.equal(403, ask("/pets").status)
        end)

        it("and raises in `init` for what it does not know, so nginx does not start", function()
            for init, message in pairs({
                ["colour = 1"] = "unknown option `colour`: there are `dict`",
                ['mode = "off"'] = "`mode` is `off`: give `enforce` or `dry_run`",
                ["fault = 500"] = "`fault` is `500`: give 403 or 503",
                ['dict = "none"'] = "there is no shared dictionary `none`: add `lua_shared_dict "
                    .. "none 10m;` to the http block",
                ['upstream = { Host = "principal" }'] = "`upstream`",
            }) do
                running = front.new({ init = init })
                assert.is_false(running:run(), init)
                assert.matches(message, running:log(), 1, true)
                running:stop()
            end
            running = nil
        end)
    end)


    it("reads the whole of a request only where a plan does not do", function()
        local SERVER = front.location() .. front.location("rewrite ^/v1/(.*)$ /$1 break;", "/v1/")
            .. front.location("set $postern_api notes; set $postern_vpce vpce-1;", "/notes")
        running = front.new({ pets = front.PLAIN, server = SERVER,
                              estate = front.ESTATE .. 'trusted_proxies { "127.0.0.5" }' })
        front.write(running, "nginx.conf", (running:log("nginx.conf")
            :gsub("init_worker_by_lua_block {", [[%0
                local calls, count = require("postern.resty.call"), 0
                local read = calls.read
                calls.read = function(...)
                    count = count + 1
                    if count > 2 then
                        error("read again")
                    end
                    return read(...)
                end
            ]])))
        assert.is_true(running:run())
        local from = { from = "127.0.0.5", headers = { "X-Forwarded-For: 10.1.2.3" } }
        assert.equal(200, ask("/pets").status)
        assert.equal(200, ask("/notes", from).status) -- these two are read
        for _ = 1, 3 do
            assert.equal(200, ask("/pets").status)
            assert.equal(200, ask("/p%65ts/x?y=/admin", { host = "LOCALHOST:80" }).status)
            assert.equal(403, ask("/admin", { method = "POST" }).status)
            assert.equal(403, ask("/pets", { from = "127.0.0.9" }).status)
            assert.equal(200, ask("/v1/pets").status)
            assert.equal(403, ask("/v1/admin").status)
            assert.equal(200, ask("/notes", from).status)
            assert.equal(403, ask("/notes").status)
            for _, target in ipairs({ "/pets//x", "/pets;x", "http://localhost/pets",
                                      "/v1/pets%2fx" }) do
                assert.equal(503, ask(target).status, target)
            end
        end
        assert.matches("[ExplicitlyDenied] [explicit_deny] [NoAdmin]", line_of("403 /admin"), 1,
                       true)
        assert.matches("read again", running:log(), 1, true)
    end)

    it("reads the whole of it, too, where a plan raises", function()
        running = front.new({ pets = front.PLAIN })
        front.write(running, "nginx.conf", (running:log("nginx.conf")
            :gsub("init_worker_by_lua_block {", [[%0
                getmetatable(require("postern.plan").new({})).__index.decide_plain = function()
                    error("no plan")
                end
            ]])))
        assert.is_true(running:run())
        for _ = 1, 4 do
            assert.equal(200, ask("/pets").status)
            assert.equal(403, ask("/admin").status)
        end
        assert.not_matches("no plan", running:log(), 1, true)
    end)

    it("is one for one nginx: `init` is called once", function()
        running = front.new()
        front.write(running, "nginx.conf", (running:log("nginx.conf")
            :gsub("init_by_lua_block {(.-)}\n", "init_by_lua_block {%1 %1 }\n", 1)))
        assert.is_false(running:run())
        assert.matches("init: it was called already: one nginx has one estate", running:log(), 1,
                       true)
    end)


    describe("in a dry run", function()
        local DRY = "set $postern_mode dry_run;"

        it("decides, tells and counts, and lets everything pass", function()
            start({ server = front.location(DRY) })
            local answer = ask("/admin")
            assert.equal(200, answer.status)
            assert.matches("content /admin", answer.body, 1, true)
            assert.matches("[ExplicitlyDenied] [explicit_deny] [NoAdmin]", line_of("/admin"), 1,
                           true)
            assert.matches("dry run: GET /admin: would be denied: explicit_deny by "
                .. running.folder .. "/pets.json:5", running:log(), 1, true)
            assert.equal(200, ask("/pets//x").status)
            assert.same({ allowed = 0, denied = 1, errors = 1, dry_run = 2, undecided = 0 },
                        front.state(running).counts)
        end)

        it("for all by the estate or by `init`, which is said loudly at start", function()
            start({ estate = front.ESTATE .. 'mode "dry_run"' })
            assert.matches("warning: " .. running.folder .. "/estate.lua:%d+: dry run",
                           running:log())
            assert.equal(200, ask("/admin").status)
            running:stop()
            start({ init = 'mode = "dry_run"' })
            assert.matches("DRY RUN: nothing is denied, only told", running:log(), 1, true)
            assert.equal(200, ask("/admin").status)
            running:stop()
            -- What the estate says counts more, and what a location says most.
            start({ init = 'mode = "dry_run"', estate = front.ESTATE .. 'mode "enforce"',
                    server = front.location() .. front.location(DRY, "/other") })
            assert.equal(403, ask("/admin").status)
            assert.equal(200, ask("/other").status)
        end)
    end)


    describe("asks packs", function()
        it("and has their headers and obligations stand in the answer of what is allowed",
            function()
            start(WITH_HOOK)
            local allowed = ask("/pets")
            assert.equal("from hook", allowed.headers["x-acme"])
            assert.equal("replica", allowed.headers["x-obligation-database"])
            local denied = ask("/admin")
            assert.is_nil(denied.headers["x-acme"])
            assert.is_nil(denied.headers["x-obligation-database"])
        end)

        it("and `header_filter` puts them in place of what comes from behind", function()
            local PROXY = [[
                location /pets {
                    set $postern_api pets; set $postern_stage live;
                    access_by_lua_block { require("postern.resty").access() }
                    header_filter_by_lua_block { %s }
                    proxy_pass http://unix:$folder/behind.sock;
                }
            ]]
            local BEHIND = [[ server { listen unix:$folder/behind.sock; location / {
                add_header X-Acme behind; return 200; } } ]]
            for filter, expected in pairs({ ["require('postern.resty').header_filter()"]
                = "from hook", [""] = "from hook, behind" }) do
                start({ estate = front.ESTATE .. 'rules "acme.lua"',
                        files = { ["acme.lua"] = HOOK }, server = PROXY:format(filter),
                        servers = BEHIND })
                assert.equal(expected, ask("/pets").headers["x-acme"])
                running:stop()
            end
            running = nil
        end)

        it("and refuses when one of them raises", function()
            start(WITH_HOOK)
            assert.equal(503, ask("/pets/raise").status)
        end)

        it("and a second estate, without any weight in the answer", function()
            start({ estate = front.ESTATE
                .. 'rules "hooks/shadow" { estate = "next/estate.lua" }' })
            os.execute("mkdir " .. running.folder .. "/next")
            front.write(running, "next/estate.lua", front.ESTATE)
            front.write(running, "next/notes.json", front.NOTES)
            front.write(running, "next/pets.json", (front.PETS:gsub('"Allow"', '"Deny"', 1)))
            local before = front.state(running).revision
            front.write(running, "pets.json", front.PETS .. " ") -- the estate opens it now
            front.wait_for_revision(running, 1, before)
            assert.equal(200, ask("/pets").status)
            assert.is_true(running:wait_for_log("shadow: would_deny: pets GET"))
            assert.equal(403, ask("/other").status)
        end)

        it("and writes the last of their lines when the worker ends", function()
            start({ estate = front.ESTATE .. 'rules "hooks/audit" { path = "audit.log" }' })
            assert.equal(200, ask("/pets").status)
            running:signal("sigquit")
            assert.is_true(require("spec.support.nginx").run_until(function()
                return running.ended
            end))
            assert.matches('"Allowed"', running:log("audit.log"), 1, true)
        end)
    end)


    describe("tells the program behind", function()
        local function upstream(more)
            return ([[
                location / {
                    set $postern_api pets; set $postern_stage live; %s
                    access_by_lua_block { require("postern.resty").access() }
                    proxy_pass http://unix:$folder/upstream.sock;
                }
            ]]):format(more or "")
        end
        local INIT = [[upstream = { ["X-Caller-Arn"] = "principal", ["X-Trace"] = "request_id",
            ["X-Database"] = "obligation:Database" }]]
        local FORGED = { "X-Caller-Arn: root", "x-database: primary", "X-Acme: forged",
                         "X-Obligation-Database: forged" }

        it("what it is to know, and never what a client said of it", function()
            start({ init = INIT, server = upstream(), estate = front.ESTATE .. 'rules "acme.lua"',
                    files = { ["acme.lua"] = HOOK } })
            local answer = ask("/pets", { headers = FORGED })
            assert.matches("upstream /pets", answer.body, 1, true)
            assert.matches("x-caller-arn=*", answer.body, 1, true)
            assert.matches("x-database=replica", answer.body, 1, true)
            assert.matches("x-trace=%x+", answer.body)
            assert.not_matches("root", answer.body, 1, true)
            assert.not_matches("primary", answer.body, 1, true)
            assert.not_matches("forged", answer.body, 1, true)
        end)

        it("nothing of a client's in a dry run either", function()
            start({ init = INIT, server = upstream("set $postern_mode dry_run;") })
            local answer = ask("/admin", { headers = FORGED })
            assert.equal(200, answer.status)
            assert.matches("x-caller-arn=*", answer.body, 1, true)
            assert.not_matches("root", answer.body, 1, true)
            assert.not_matches("primary", answer.body, 1, true)
        end)

        it("nor is it logged behind a deny", function()
            start({ init = INIT, server = upstream() .. [[
                access_log $folder/forged.log forged;
            ]], directives = "log_format forged '<$http_x_caller_arn>';" })
            assert.equal(403, ask("/admin", { headers = FORGED }).status)
            assert.is_true(running:wait_for_log(">", "forged.log"))
            assert.equal("<->\n", running:log("forged.log"))
        end)
    end)


    describe("where it fails itself", function()
        local BREAK = [[ require("postern.resty.%s").%s = function() error("broken") end ]]

        it("answers by the status that was configured, and never goes on", function()
            for _, status in ipairs({ 403, 503 }) do
                for part, name in pairs({ call = "read", reply = "fill" }) do
                    running = front.new({ init = "fault = " .. status })
                    local text = running:log("nginx.conf"):gsub("init_worker_by_lua_block {",
                        "%0 " .. BREAK:format(part, name))
                    front.write(running, "nginx.conf", text)
                    assert.is_true(running:run())
                    local answer = ask("/pets")
                    assert.equal(status, answer.status, part)
                    assert.not_matches("content", answer.body, 1, true)
                    assert.not_matches("broken", answer.body, 1, true)
                    assert.matches("broken", running:log(), 1, true)
                    running:stop()
                end
            end
            running = nil
        end)

        it("answers so when it cannot even tell the client", function()
            running = front.new()
            local text = running:log("nginx.conf"):gsub("init_worker_by_lua_block { ",
                "%0 package.loaded['postern.answer'] = { new = function() return { of = "
                .. "function() error('broken') end } end } ")
            front.write(running, "nginx.conf", text)
            assert.is_true(running:run())
            assert.equal(200, ask("/pets").status)
            assert.equal(503, ask("/admin").status)
        end)

        it("refuses where there was no `init`", function()
            running = front.new()
            local text = running:log("nginx.conf"):gsub("init_by_lua_block [^\n]*\n", "")
            front.write(running, "nginx.conf", text)
            assert.is_true(running:run())
            assert.equal(503, ask("/pets").status)
            assert.matches("there was no `init`", running:log(), 1, true)
        end)

        it("refuses where each request has a Lua of its own, which has no estate", function()
            start({ directives = "lua_code_cache off;" })
            assert.equal(503, ask("/pets").status)
            assert.equal(503, ask("/admin").status)
        end)

        it("refuses without the library, or does not start", function()
            for init, starts in pairs({ ['on_broken = "refuse"'] = true,
                                        ['on_broken = "stop"'] = false }) do
                running = front.new({ init = init })
                local text = running:log("nginx.conf"):gsub("lua_package_cpath [^\n]*",
                    'lua_package_cpath "/nowhere/?.so";')
                front.write(running, "nginx.conf", text)
                assert.equal(starts, running:run())
                if starts then
                    assert.equal(503, ask("/pets").status)
                    assert.equal(503, ask("/admin").status)
                end
                assert.matches("libpostern", running:log(), 1, true)
                running:stop()
            end
            running = nil
        end)

        it("decides alike without the compiler", function()
            start({ directives = "" })
            running:stop()
            running = front.new()
            local text = running:log("nginx.conf"):gsub("init_by_lua_block { ", "%0 jit.off() ")
            front.write(running, "nginx.conf", text)
            assert.is_true(running:run())
            for _ = 1, 20 do
                assert.equal(200, ask("/pets").status)
                assert.equal(403, ask("/admin").status)
                assert.equal(400, ask("/pets//x").status)
            end
        end)
    end)


    describe("behind listed proxies", function()
        it("believes the identity that one of them names, and nobody else", function()
            start({ estate = IDENTITY:gsub('authorization = "NONE"', 'authorization = "IAM"', 1),
                    pets = front.PETS:gsub('"Principal": "%*"',
                        '"Principal": {"AWS": "arn:aws:iam::111122223333:user/ann"}', 1) })
            local header = "X-Caller: arn:aws:iam::111122223333:user/ann"
            assert.equal(200, ask("/pets", { from = "127.0.0.5", headers = { header } }).status)
            assert.not_equal(200, ask("/pets", { headers = { header } }).status)
            assert.not_equal(200, ask("/pets", { from = "127.0.0.5" }).status)
            assert.equal(400, ask("/pets", { from = "127.0.0.5",
                                             headers = { header, header } }).status)
        end)

        local PRIVATE = front.location("set $postern_api notes; set $postern_vpce vpce-1;")

        it("takes the client of a private API from them alone", function()
            start({ estate = front.ESTATE .. 'trusted_proxies { "127.0.0.5", "127.0.0.6" }',
                    server = PRIVATE })
            local function via(from, ...)
                return ask("/x", { from = from, headers = { ... } }).status
            end
            assert.equal(200, via("127.0.0.5", "X-Forwarded-For: 10.1.2.3"))
            assert.equal(403, via("127.0.0.5", "X-Forwarded-For: 192.0.2.1"))
            -- The rightmost that is none of a proxy: what stands before is the client's own word.
            assert.equal(403, via("127.0.0.5", "X-Forwarded-For: 10.1.2.3, 192.0.2.1"))
            assert.equal(200, via("127.0.0.5", "X-Forwarded-For: 192.0.2.1, 10.1.2.3, 127.0.0.6"))
            assert.equal(200, via("127.0.0.5", "X-Forwarded-For: 10.1.2.3:4711"))
            -- Lists that are malformed, there twice, missing, or of proxies alone.
            assert.equal(400, via("127.0.0.5", "X-Forwarded-For: 10.1.2.3, ,"))
            assert.equal(400, via("127.0.0.5", "X-Forwarded-For: unknown"))
            assert.equal(400, via("127.0.0.5", "X-Forwarded-For: 10.1.2.3",
                                  "X-Forwarded-For: 10.1.2.3"))
            assert.equal(400, via("127.0.0.5"))
            assert.equal(400, via("127.0.0.5", "X-Forwarded-For: 127.0.0.6"))
            -- A private peer is no listed one: it is the client itself.
            assert.equal(403, via("127.0.0.1", "X-Forwarded-For: 10.1.2.3"))
        end)

        it("takes the peer of the socket, whatever the realip module makes of it", function()
            start({ server = "set_real_ip_from 0.0.0.0/0; real_ip_header X-Forwarded-For; "
                .. front.location() })
            -- 127.0.0.9 is denied; it cannot pass by calling itself another.
            assert.equal(403, ask("/pets", { from = "127.0.0.9",
                                             headers = { "X-Forwarded-For: 10.1.2.3" } }).status)
            assert.equal(200, ask("/pets", { headers = { "X-Forwarded-For: 127.0.0.9" } }).status)
        end)
    end)


    describe("in a gateway that has its plugins open the estate", function()
        local DECIDE = [[
            location / {
                access_by_lua_block {
                    local given = %s
                    local passes, reply = require("postern.resty").decide(given)
                    if not passes then
                        ngx.status = reply.status
                        for name, value in pairs(reply.headers) do
                            ngx.header[name] = value
                        end
                        ngx.print(reply.body)
                        return ngx.exit(reply.status)
                    end
                    ngx.header["X-Headers"] = type(reply)
                }
                content_by_lua_block { ngx.say("content ", ngx.var.uri) }
            }
            location = /-/open { content_by_lua_block {
                local _, err = require("postern.resty").open(ngx.var.arg_path)
                ngx.say(tostring(err))
            } }
        ]]

        -- Without `init_by_lua`; `path` is Lua text.
        local function open(path, options, given)
            options = options or {}
            options.server = DECIDE:format(given or '{ api = "pets", stage = "live" }')
            running = front.new(options)
            local text = running:log("nginx.conf"):gsub("init_by_lua_block { [^\n]*\n", "")
                :gsub("init_worker_by_lua_block {[^\n]*\n", ([[init_worker_by_lua_block {
                    opened = { require("postern.resty").open(%s, { poll = 0.05, follow = 0.02 }) }
                    ngx.log(ngx.ERR, "opened: ", tostring(opened[1]), " ", tostring(opened[2]))
                }
            ]]):format(path or ('"' .. running.folder .. '/estate.lua"')))
            front.write(running, "nginx.conf", text)
            assert.is_true(running:run())
        end

        it("decides for it, and leaves the answer to it", function()
            open()
            assert.is_true(running:wait_for_log("opened: true nil"))
            local allowed = ask("/pets")
            assert.equal(200, allowed.status)
            assert.equal("nil", allowed.headers["x-headers"])
            local denied = ask("/admin")
            assert.equal(403, denied.status)
            assert.matches('^{"message":"Forbidden","request_id":"%x+"}$', denied.body)
            assert.equal("no-store", denied.headers["cache-control"])
            running:stop()
            open(nil, { estate = WITH_HOOK.estate, files = WITH_HOOK.files })
            local answer = ask("/pets")
            assert.equal("table", answer.headers["x-headers"])
            assert.is_nil(answer.headers["x-acme"])
        end)

        it("opens one estate", function()
            open()
            assert.equal("nil\n", ask("/-/open?path=" .. running.folder .. "/estate.lua").body)
            assert.matches("one nginx has one estate", ask("/-/open?path=/other.lua").body, 1, true)
            assert.equal(200, ask("/pets").status)
            assert.equal(403, ask("/admin").status)
        end)

        it("says why it cannot, and refuses", function()
            for path, why in pairs({ ["nil"] = "give the path", ['"/none.lua"'] = "/none.lua",
                                     ["{}"] = "give the path" }) do
                open(path)
                assert.is_true(running:wait_for_log("opened: nil "))
                assert.matches(why, running:log(), 1, true)
                local answer = ask("/pets")
                assert.equal(503, answer.status)
                assert.not_matches("content", answer.body, 1, true)
                running:stop()
            end
            running = nil
        end)

        it("refuses what it is handed wrongly", function()
            for _, given in ipairs({ "5", "{ apy = 'pets' }", "{ api = 'pets', mode = 'off' }",
                                     "{ api = 'none' }", "{ api = 5 }" }) do
                open(nil, nil, given)
                local answer = ask("/pets")
                assert.equal(503, answer.status, given)
                assert.not_matches("content", answer.body, 1, true)
                running:stop()
            end
            running = nil
        end)
    end)
end)
