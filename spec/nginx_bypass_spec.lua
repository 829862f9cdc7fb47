-- Ways round a decision in nginx: what a client can send, and what a configuration can do. Each is
-- tried on a running nginx, with the bytes as they would come.
local front = require("spec.support.front")


describe("a way round the front in nginx:", function()
    local running

    after_each(function()
        if running then
            running:stop()
            running = nil
        end
    end)

    local function start(server, more)
        local options = { server = server }
        for name, value in pairs(more or {}) do
            options[name] = value
        end
        running = front.start(options)
        return running
    end

    -- Twice decided before anybody looks, so that a plan is there if there can be one.
    local function start_with(server, pets)
        start(server, { pets = pets })
        for _ = 1, 2 do
            running:ask("/pets")
        end
        return running
    end

    local function status(target, options)
        return running:ask(target, options).status
    end

    local function logged(text)
        return assert.is_true(running:wait_for_log(text), running:log())
    end


    -- By a plan, but for the first; and in general, since a policy reads a header.
    for how, pets in pairs({ ["by a plan"] = front.PLAIN, ["in general"] = front.PETS }) do
        describe("the path, decided " .. how .. ",", function()
            local function begin(server)
                return start_with(server, pets)
            end

            -- Each speaks of /admin, which a Deny names, in other words.
            local REFUSED = {
                -- CVE-2019-9901: dot segments.
                ["/pets/../admin"] = 400, ["/pets/%2e%2e/admin"] = 400, ["/pets/..%2fadmin"] = 400,
                ["/pets/.%2e/admin"] = 400, ["/./admin"] = 400, ["/pets/%2E%2E/admin"] = 400,
                -- CVE-2021-29492, CVE-2021-31920, GHSA-x732-6j76-qmhm: escaped and repeated
                -- slashes.
                ["//admin"] = 400, ["/admin//x"] = 400, ["/admin%2Fx"] = 400, ["/%2fadmin"] = 400,
                ["/pets%5C..%5Cadmin"] = 400, ["/admin\\x"] = 400, ["///admin"] = 400,
                -- CVE-2021-39156: a fragment, which nginx keeps in what it calls the request's URI.
                ["/pets#/../admin"] = 400, ["/admin#pets"] = 400, ["/pets%23x"] = 400,
                -- Encoded twice; decoded once it is `%2e`.
                ["/pets/%252e%252e/admin"] = 400, ["/%2561dmin"] = 400,
                ["/pets;x=/admin"] = 400, ["/pets/..;/admin"] = 400, ["/admin;y"] = 400,
                ["/pets/%C0%AE%C0%AE/admin"] = 400, ["/admin\xC0\xAE"] = 400, ["/admin%00"] = 400,
                ["/pets/%0d%0a"] = 400,
                -- Another spelling of the same path is that path: the Deny applies.
                ["/%61dmin"] = 403, ["/admin?x=/pets"] = 403, ["/admin/"] = 403,
                ["/adm%69n/x"] = 403,
                -- Another path than any the policy allows.
                ["/ADMIN"] = 403, ["/"] = 403, ["/pets%3fq"] = 403, ["/pet"] = 403,
                -- nginx's own refusals.
                ["/../admin"] = 400, ["/admin%zz"] = 400, ["/pets /admin"] = 400, ["admin"] = 400,
                ["*"] = 400,
            }

            it("in other words is refused or is that path, and never passes", function()
                begin(front.location())
                assert.equal(200, status("/pets"))
                assert.equal(200, status("/pets/x?y=/../admin"))
                for target, expected in pairs(REFUSED) do
                    local answer = running:ask(target)
                    assert.equal(expected, answer.status, target)
                    assert.not_matches("content", answer.body, 1, true)
                end
            end)

            it("of a URL is the one that routes, and so is its host", function()
                begin(front.location())
                assert.equal(403, status("http://localhost/admin"))
                assert.equal(200, status("http://localhost/pets"))
                assert.equal(400, status("http://other.example.com/pets"))
                assert.equal(400, status("http://user@localhost/pets"))
            end)

            it("that nginx does not merge is refused as well", function()
                begin("merge_slashes off;" .. front.location())
                assert.equal(400, status("//admin"))
                assert.equal(400, status("/pets//x"))
            end)

            it("with odd methods is decided like any other", function()
                begin(front.location())
                for _, method in ipairs({ "FOO-BAR", "POST", "HEAD", "OPTIONS", "PROPFIND" }) do
                    assert.equal(403, status("/admin", { method = method }), method)
                end
                assert.equal(200, status("/pets", { method = "FOO-BAR" })) -- `*` stands for it, too
                assert.equal(400, status("/pets", { method = "get" }))
            end)

            it("rewritten is the one that it became, where the client's own is plain", function()
                begin(front.location("rewrite ^/v1/(.*)$ /$1 break;", "/v1/")
                    .. front.location("rewrite_by_lua_block { ngx.req.set_uri('/admin') }", "/v2/"))
                assert.equal(200, status("/v1/pets"))
                assert.equal(403, status("/v1/admin"))
                assert.equal(400, status("/v1/pets//x"))
                assert.equal(400, status("/v1/pets/..%2fadmin"))
                assert.equal(403, status("/v2/pets"))
            end)

            it("of an alias is the one that was asked for", function()
                -- The known slip: without the slash, /pets../ leads out of the folder.
                begin([[ location /pets {
                    set $postern_api pets; set $postern_stage live;
                    access_by_lua_block { require("postern.resty").access() }
                    alias $folder/files/;
                } ]])
                os.execute("mkdir " .. running.folder .. "/files")
                front.write(running, "files/x", "file x")
                front.write(running, "secret", "secret")
                assert.equal("file x", running:ask("/pets/x").body)
                for _, target in ipairs({ "/pets../secret", "/pets/../secret",
                                          "/pets..%2fsecret" }) do
                    local answer = running:ask(target)
                    assert.is_true(answer.status >= 400, target)
                    assert.not_matches("secret", answer.body, 1, true)
                end
            end)
        end)
    end


    describe("headers", function()
        local READING = { pets = front.PETS }

        local function many(count, last)
            local lines = {}
            for i = 1, count do
                lines[i] = ("X-%d: x"):format(i)
            end
            lines[#lines + 1] = last
            return lines
        end

        it("behind a hundred others are not seen, so the request is refused", function()
            start(front.location(), READING)
            -- Host and Connection are two of the hundred.
            assert.equal(200, status("/pets", { headers = many(98) }))
            assert.equal(403, status("/pets", { headers = many(97, "Referer: evil") }))
            assert.equal(400, status("/pets", { headers = many(99) }))
            assert.equal(400, status("/pets", { headers = many(98, "Referer: evil") }))
            assert.equal(400, status("/pets", { headers = many(150, "Referer: evil") }))
            logged("more than 100 headers")
        end)

        it("there twice are refused where there is one of them", function()
            start(front.location(), READING)
            for _, name in ipairs({ "Authorization", "Content-Type", "X-Forwarded-For",
                                    "X-Amz-Date", "X-Amz-Security-Token", "Forwarded",
                                    "X-Real-IP" }) do
                assert.equal(400, status("/pets", { headers = { name .. ": a", name .. ": a" } }),
                             name)
                assert.equal(200, status("/pets", { headers = { name .. ": a" } }), name)
            end
            assert.equal(200, status("/pets", { headers = { "X-Tag: a", "X-Tag: b" } }))
        end)

        it("mean nothing where nobody reads them", function()
            start(front.location(), { pets = front.PLAIN })
            for _ = 1, 3 do
                assert.equal(200, status("/pets", { headers = many(150) }))
                assert.equal(403, status("/admin", { headers = many(150) }))
                assert.equal(200, status("/pets", { headers = { "X-Amz-Date: a",
                                                                "X-Amz-Date: b" } }))
            end
        end)

        it("that nginx refuses by itself never come here", function()
            start(front.location(), READING)
            local function raw(lines)
                return running:send(lines .. "\r\n\r\n").status
            end
            assert.equal(400, raw("GET /pets HTTP/1.1\r\nHost: a\r\nHost: b"))
            assert.equal(400, raw("GET /pets HTTP/1.1"))
            assert.equal(400, raw("GET /pets HTTP/1.1\r\nHost : a"))
            assert.equal(400, raw("POST /pets HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                .. "Transfer-Encoding: chunked"))
            assert.equal(400, raw("POST /pets HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                .. "Content-Length: 4"))
            assert.equal(403, raw("GET /admin HTTP/1.0"))
        end)

        it("that speak of another path, method or address mean nothing", function()
            start(front.location(), READING)
            assert.equal(403, status("/admin", { headers = { "X-Original-URL: /pets",
                "X-Rewrite-URL: /pets", "X-Forwarded-Uri: /pets", "X-HTTP-Method-Override: GET",
                "X-Forwarded-Host: pets.example.com" } }))
            -- CVE-2022-24112: an address that a header forges.
            assert.equal(403, status("/pets", { from = "127.0.0.9", headers = {
                "X-Real-IP: 127.0.0.1", "X-Forwarded-For: 127.0.0.1" } }))
        end)
    end)


    describe("what follows on the connection", function()
        local NEXT = "GET /pets HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

        local function answers(bytes)
            local raw = running:send(bytes).raw
            local list = {}
            for code in raw:gmatch("HTTP/1%.1 (%d%d%d)") do
                list[#list + 1] = code
            end
            return table.concat(list, " "), raw
        end

        it("a body that was refused is the next request", function()
            start(front.location())
            local smuggled = "GET /pets/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
            for _, method in ipairs({ "POST", "HEAD", "GET" }) do
                local codes, raw = answers(("%s /admin HTTP/1.1\r\nHost: localhost\r\n"
                    .. "Content-Length: %d\r\n\r\n%s%s"):format(method, #smuggled, smuggled, NEXT))
                assert.equal("403 200", codes, method)
                assert.not_matches("smuggled", raw, 1, true)
                codes, raw = answers(("%s /admin HTTP/1.1\r\nHost: localhost\r\n"
                    .. "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n%s")
                    :format(method, #smuggled, smuggled, NEXT))
                assert.equal("403 200", codes, method .. " chunked")
                assert.not_matches("smuggled", raw, 1, true)
            end
        end)

        it("each request is decided for itself", function()
            start(front.location())
            local first = "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"
            assert.equal("200 403 400 200", (answers(first:format("/pets") .. first:format("/admin")
                .. first:format("/pets//x") .. NEXT)))
        end)
    end)


    describe("subrequests", function()
        local GUARDED = [[
            location /admin {
                set $postern_api pets; set $postern_stage live;
                %s
                access_by_lua_block { require("postern.resty").access() }
                log_by_lua_block { require("postern.resty").log() }
                content_by_lua_block { ngx.say("secret") }
            }
            location /pets {
                set $postern_api pets; set $postern_stage live;
                %s
                access_by_lua_block { require("postern.resty").access() }
                content_by_lua_block { ngx.say("content") }
            }
            location /capture {
                content_by_lua_block {
                    local answer = ngx.location.capture(ngx.var.arg_of)
                    ngx.say(answer.status, " ", answer.body)
                }
            }
            location /auth { auth_request /admin; content_by_lua_block { ngx.say("let in") } }
        ]]
        local GUARD = [[rewrite_by_lua_block { require("postern.resty").guard() }]]

        it("pass where only the access phase asks: nginx does not run it for them", function()
            start(GUARDED:format("", ""))
            assert.equal(403, status("/admin"))
            -- This is the hole that docs tell of, and `guard` closes.
            assert.matches("200 secret", running:ask("/capture?of=/admin").body, 1, true)
        end)

        it("are decided where `guard` asks, by their own path", function()
            start(GUARDED:format(GUARD, GUARD))
            local inner = running:ask("/capture?of=/admin")
            assert.matches("^403 {", inner.body)
            assert.not_matches("secret", inner.body, 1, true)
            assert.matches("200 content", running:ask("/capture?of=/pets").body, 1, true)
            assert.equal(403, status("/auth"))
            assert.equal(403, status("/admin"))
            assert.equal(200, status("/pets"))
            -- Once for a request, though both phases ask: 2 of /pets, 3 of /admin.
            local counts = front.state(running).counts
            assert.equal(2, counts.allowed)
            assert.equal(3, counts.denied)
        end)

        it("that share their ngx.ctx do not decide for the request that makes them", function()
            start([[
                location /pets {
                    set $postern_api pets; set $postern_stage live;
                    rewrite_by_lua_block {
                        if ngx.is_subrequest then
                            require("postern.resty").guard()
                        else
                            ngx.location.capture(ngx.var.uri, { ctx = ngx.ctx,
                                method = ngx.HTTP_GET })
                        end
                    }
                    access_by_lua_block { require("postern.resty").access() }
                    content_by_lua_block { ngx.say("content") }
                }
            ]], { pets = front.PETS:gsub("live/%*/pets", "live/GET/pets") })
            assert.equal(200, status("/pets"))
            assert.equal(403, status("/pets", { method = "DELETE" }))
        end)

        it("do not forge the peer", function()
            start(GUARDED:format(GUARD, GUARD))
            assert.matches("^403", running:ask("/capture?of=/pets", { from = "127.0.0.9",
                headers = { "X-Real-IP: 127.0.0.1" } }).body)
        end)
    end)


    describe("the configuration", function()
        it("`satisfy any` lets pass without asking, which is told; `guard` asks first", function()
            start(front.location("satisfy any; allow all;")
                .. front.location("satisfy any; allow all; rewrite_by_lua_block { "
                    .. "require('postern.resty').guard() }", "/admin/guarded")
                .. front.location("satisfy any; deny all;", "/admin/both"))
            assert.equal(200, status("/admin"))
            logged("GET /admin: was let through, but nobody decided it: look for `satisfy any`")
            assert.equal(1, front.state(running).counts.undecided)
            assert.equal(403, status("/admin/guarded"))
            assert.equal(403, status("/admin/both"))
            assert.equal(1, front.state(running).counts.undecided)
        end)

        it("`satisfy all` wants both", function()
            start(front.location("deny all;") .. front.location("allow all;", "/admin"))
            assert.equal(403, status("/pets"))
            assert.equal(403, status("/admin"))
        end)

        it("`return` answers before anybody decides, which is told", function()
            start(front.location("return 200 returned;", "/admin") .. front.location())
            assert.equal(200, status("/admin"))
            logged("GET /admin: was let through, but nobody decided it")
            assert.equal(200, status("/pets"))
            assert.equal(1, front.state(running).counts.undecided)
        end)

        it("`error_page` makes nothing else of a refusal", function()
            start("error_page 400 403 503 =200 /open;"
                .. front.location() .. front.location("set $postern_api none;", "/fault")
                .. [[ location = /open { content_by_lua_block { ngx.say("open") } } ]])
            assert.equal(403, status("/admin"))
            assert.equal(400, status("/pets//x"))
            assert.equal(503, status("/fault"))
        end)

        it("`error_page` of others leads to a location that is asked again", function()
            start([[
                location /pets {
                    set $postern_api pets; set $postern_stage live;
                    access_by_lua_block { require("postern.resty").access() }
                    error_page 404 = /admin/page;
                    error_page 410 = /pets-page;
                    content_by_lua_block {
                        ngx.exit(ngx.var.uri == "/pets/gone" and 410 or 404) }
                }
            ]] .. front.location("", "/admin") .. [[
                location /pets-page { content_by_lua_block { ngx.say("page") } }
            ]])
            assert.equal(403, status("/pets/x"))
            assert.equal("page\n", running:ask("/pets/gone").body)
        end)

        it("`try_files`, `rewrite` and redirects of the program behind are asked again", function()
            start(front.location() .. [[
                location /try { root $folder; try_files /none /admin/x; }
                location /last { rewrite ^ /admin/x last; }
                location /ok { root $folder; try_files /none /pets/x; }
                location /accel {
                    proxy_pass http://unix:$folder/behind.sock;
                }
                location /exec { content_by_lua_block { ngx.exec("/admin/x") } }
            ]], { servers = [[ server { listen unix:$folder/behind.sock; location / {
                add_header X-Accel-Redirect /admin/x; return 200; } } ]] })
            assert.equal(403, status("/try"))
            assert.equal(403, status("/last"))
            assert.equal(200, status("/ok"))
            assert.equal(400, status("/ok/..%2fx"))
            assert.equal(403, status("/accel"))
            assert.equal(403, status("/exec"))
        end)

        it("`auth_request` beside it refuses as well, and neither replaces the other", function()
            start(front.location("auth_request /yes;") .. front.location("auth_request /no;",
                "/pets/locked") .. [[
                location = /yes { return 204; }
                location = /no { return 403; }
            ]])
            assert.equal(200, status("/pets"))
            assert.equal(403, status("/admin"))
            assert.equal(403, status("/pets/locked"))
        end)

        it("a location that `auth_request` asks changes variables, but not what is handed over",
            function()
            local ASKED = [[
                location = /yes { set $postern_mode dry_run; set $postern_api notes;
                                  return 204; }
                location / {
                    auth_request /yes;
                    access_by_lua_block { require("postern.resty").access{
                        api = "pets", stage = "live", mode = "enforce" } }
                    content_by_lua_block { ngx.say("content") }
                }
            ]]
            start(ASKED)
            assert.equal(200, status("/pets"))
            assert.equal(403, status("/admin"))
        end)

        it("another location without a guard is open, as it says", function()
            start(front.location() .. [[ location /free { content_by_lua_block {
                ngx.say("free") } } ]])
            assert.equal(200, status("/free"))
            -- But no spelling of a guarded path leads there.
            for _, target in ipairs({ "/free/../admin", "/free/..%2fadmin", "/free%2f../admin" }) do
                assert.equal(400, status(target), target)
            end
        end)

        it("two locations with settings of their own share none", function()
            start(front.location() .. front.location("set $postern_api notes; "
                .. "set $postern_vpce vpce-1;", "/notes"))
            for _ = 1, 3 do
                assert.equal(200, status("/pets"))
                assert.equal(403, status("/notes"))
            end
        end)
    end)
end)
