-- What Postern costs in nginx: `make bench-nginx`.
--
--     luajit spec/bench/nginx.lua BUILD [ROUNDS [COUNT]]
--
-- CPU time of the servers a request, by the scheduler. Each configuration is an nginx of its own
-- with one worker; 32 connections stay open. Behind a proxy the worker of the upstream counts too.
-- Every answer is checked; a wrong one ends the run.
local build = assert(arg[1], "usage: luajit spec/bench/nginx.lua BUILD [ROUNDS [COUNT]]")
package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path
package.cpath = build .. "/?.so;" .. package.cpath

local cpu = require("spec.bench.cpu")
local estates = require("spec.bench.estates")
local fronts = require("spec.bench.fronts")
local load = require("spec.bench.load")
local processes = require("spec.bench.processes")
local report = require("spec.bench.report")

local ROUNDS, COUNT = tonumber(arg[2] or 21), tonumber(arg[3] or 6000)

local NOOP, NOOP_PROXIED, NOOP_DENIED = "no-op access_by_lua", "no-op access_by_lua, proxied",
    "no-op access_by_lua, ngx.exit(403)"
local NOOP_LOGGED = "no-op access_by_lua, logged"


-- ---- Configurations ----------------------------------------------------------


-- `return` would answer before the access phase; empty_gif answers after it.
local CONTENT = "empty_gif;"

local UPSTREAM = [[
upstream behind { server 127.0.0.1:%d; keepalive 64; keepalive_requests 1000000000; }
]]
local PROXY = [[proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection "";]]

local AUTH_REQUEST = [[
location / { auth_request /auth; %s }
location = /auth { internal; return 204; }]]


-- `paths`: the estates.
local function configurations(paths, upstream)
    local behind = UPSTREAM:format(upstream)
    local list = {
        { name = "plain", server = "location / { " .. CONTENT .. " }" },
        { name = "noop", server = [[
            location / { access_by_lua_block { return } empty_gif; }
            location /denied { access_by_lua_block { return ngx.exit(403) } empty_gif; }]] },
        { name = "noop-log", server = "location / { access_by_lua_block { return } "
            .. "log_by_lua_block { return } empty_gif; }" },
        { name = "noop-logged", http = fronts.LOGGED,
          server = fronts.LOG .. "location / { access_by_lua_block { return } empty_gif; }" },
        { name = "auth", server = AUTH_REQUEST:format(CONTENT) },
        { name = "plain-proxied", http = behind, server = "location / { " .. PROXY .. " }" },
        { name = "noop-proxied", http = behind,
          server = "location / { access_by_lua_block { return } " .. PROXY .. " }" },
        { name = "auth-proxied", http = behind, server = AUTH_REQUEST:format(PROXY) },
    }
    for _, name in ipairs(fronts.names()) do
        for _, place in ipairs({ { "", CONTENT, "" }, { "-proxied", PROXY, behind } }) do
            for estate, path in pairs(paths) do
                -- A place is of one API, not of any that a header names.
                list[#list + 1] = not (name == "place" and estate == "many") and {
                    name = name .. "-" .. estate .. place[1],
                    http = place[3] .. fronts.http(name, path),
                    server = estate == "many" and fronts.location(name, place[2])
                        or fronts.locations(name, estates.SEED, place[2]),
                } or nil
            end
        end
        list[#list + 1] = name ~= "direct" and {
            name = name .. "-logged", http = fronts.LOGGED .. fronts.http(name, paths.seed),
            server = fronts.LOG .. fronts.locations(name, estates.SEED, CONTENT),
        } or nil
    end
    return list
end


-- ---- Requests ------------------------------------------------------------------


local function request_files(folder)
    local files = {}
    local function write(name, requests)
        files[name] = load.write(folder .. "/" .. name .. ".requests", requests)
    end
    local all, apis = {}, {}
    for i, each in ipairs(estates.SEED) do
        all[i] = estates.seed_message(each, { status = "200", callers = true })
        write(each.vpce, { each.caller and all[i]
            or estates.seed_message(each, { status = "200" }) })
    end
    for i = 1, 1000 do -- spread over the APIs
        apis[i] = { path = "/orders/42", status = "200",
                    headers = { ["X-Api"] = ("api%04d"):format(i * 7 % estates.APIS + 1) } }
    end
    write("any", { { path = "/orders/42", status = "200" } })
    write("four", all)
    write("apis", apis)
    write("refused", { { path = "/denied", status = "403" } })
    write("denied", { estates.seed_message(estates.SEED[4],
        { method = "DELETE", status = "403" }) })
    return files
end


-- Name, which nginx, which requests, and the row it is compared with.
local function row_list(largest)
    local rows = {
        { "plain, empty_gif", "plain", "any", NOOP },
        { NOOP, "noop", "any", NOOP },
        { "auth_request to `return 204`", "auth", "any", NOOP },
    }
    local function add(...)
        rows[#rows + 1] = { ... }
    end
    add("authorize alone, four seed policies", "direct-callers", "four", NOOP)
    add("authorize alone, 10,000 statements", "direct-many", "apis", NOOP)
    add("no-op access_by_lua and log_by_lua", "noop-log", "any", NOOP)
    for _, each in ipairs(estates.SEED) do
        add("Postern, " .. each.name, each.caller and "place-callers" or "place-seed",
            each.vpce, NOOP)
    end
    add("Postern, offices, by variables", "postern-seed", estates.SEED[4].vpce, NOOP)
    add("Postern, four, by a trusted proxy", "place-callers", "four", NOOP)
    add("Postern, 10,000 statements", "postern-many", "apis", NOOP)
    add(("Postern, one API with %d statements"):format(largest), "postern-many", "largest", NOOP)
    add(NOOP_LOGGED, "noop-logged", "any", NOOP_LOGGED)
    add("Postern, offices, logged", "place-logged", estates.SEED[4].vpce, NOOP_LOGGED)
    add("Postern, offices, by variables, logged", "postern-logged", estates.SEED[4].vpce,
        NOOP_LOGGED)
    add(NOOP_DENIED, "noop", "refused", NOOP_DENIED)
    add("Postern, denied", "place-seed", "denied", NOOP_DENIED)
    add("plain, proxied", "plain-proxied", "any", NOOP_PROXIED)
    add(NOOP_PROXIED, "noop-proxied", "any", NOOP_PROXIED)
    add("auth_request to `return 204`, proxied", "auth-proxied", "any", NOOP_PROXIED)
    add("authorize alone, four, proxied", "direct-callers-proxied", "four", NOOP_PROXIED)
    add("Postern, offices, proxied", "place-seed-proxied", estates.SEED[4].vpce, NOOP_PROXIED)
    add("Postern, offices, by variables, proxied", "postern-seed-proxied", estates.SEED[4].vpce,
        NOOP_PROXIED)
    add("Postern, four by a trusted proxy, proxied", "place-callers-proxied", "four",
        NOOP_PROXIED)
    add("Postern, 10,000 statements, proxied", "postern-many-proxied", "apis", NOOP_PROXIED)
    return rows
end


local function rows_to_run(servers, files, upstream, list)
    local rows = {}
    for _, each in ipairs(list) do
        local server = servers[each[2]]
        rows[#rows + 1] = server and report.row(build, {
            name = each[1], base = each[4], requests = files[each[3]], count = COUNT,
            turns = { { server, each[2]:find("proxied", 1, true) and upstream or nil } },
        }) or nil
    end
    return rows
end


processes.with_folder(function(folder)
    local many, largest = estates.many(folder)
    local paths = { seed = estates.seed(folder), callers = estates.seed(folder, true),
                    many = many }
    local files = request_files(folder)
    files.largest = load.write(folder .. "/largest.requests", { {
        path = ("/area%d/42"):format(largest), status = "200",
        headers = { ["X-Api"] = estates.BIG_API } } })
    local upstream = processes.nginx(build, folder,
        { name = "upstream", server = "location / { " .. CONTENT .. " }" })
    local servers = {}
    for _, each in ipairs(configurations(paths, upstream.port)) do
        servers[each.name] = processes.nginx(build, folder, each)
    end
    print(("CPU time of nginx a request, ns: medians of %d rounds of %d requests; ratios within a "
        .. "round."):format(ROUNDS, COUNT))
    local rows = rows_to_run(servers, files, upstream, row_list(largest))
    report.print(rows, cpu.compare(rows, ROUNDS))
end)
