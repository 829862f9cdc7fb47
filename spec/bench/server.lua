-- What the decision server costs: `make bench-server`.
--
--     luajit spec/bench/server.lua BUILD [ROUNDS [COUNT]]
--
-- CPU time of the servers a request, by the scheduler, each with one process. A decision of half a
-- kilobyte is posted to `postern serve` and to servers that only answer; nginx asks it, and others,
-- by auth_request, and then its worker counts too. Every answer is checked. Of each server some
-- take turns, a round each: where its memory lies, and what its JIT began with, differs.
local build = assert(arg[1], "usage: luajit spec/bench/server.lua BUILD [ROUNDS [COUNT]]")
package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path
package.cpath = build .. "/?.so;" .. package.cpath

local cpu = require("spec.bench.cpu")
local estates = require("spec.bench.estates")
local load = require("spec.bench.load")
local processes = require("spec.bench.processes")
local report = require("spec.bench.report")
local servers = require("spec.bench.servers")

local ROUNDS, COUNT = tonumber(arg[2] or 21), tonumber(arg[3] or 6000)
local BATCH, PROCESSES = 100, 3

local EMPTY, AUTH_NGINX = "empty server in C, libuv + llhttp",
    "auth_request to a second nginx, `return 204`"


-- ---- Servers -------------------------------------------------------------------


local AUTH = [[
location / { auth_request /auth; empty_gif; }
location = /auth {
    internal;
    proxy_pass http://asked%s;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_pass_request_body off;
    proxy_set_header Content-Length "";
    proxy_set_header X-Original-URI $request_uri;
    proxy_set_header X-Original-Method $request_method;
    proxy_set_header X-Original-Host $host;
    proxy_set_header X-Original-Scheme $scheme;
    proxy_set_header X-Real-IP $remote_addr;
}]]

local function asking(name, asked, path)
    return { name = name, server = AUTH:format(path or ""), http = ([[
        upstream asked { server %s; keepalive 64; keepalive_requests 1000000000; }]])
        :format(asked.tcp) }
end


-- Those that nginx asks by auth_request.
local ASKED = { "nginx_204", "empty_204", "luv_204", "postern_auth" }

local function several(start)
    local list = {}
    for i = 1, PROCESSES do
        list[i] = start(i)
    end
    return list
end


local function start_asking(folder, name, list)
    return several(function(i)
        local ask = processes.nginx(build, folder, asking(("asks-%s-%d"):format(name, i), list[i],
            name == "postern_auth" and servers.AUTH_PATH))
        ask.asked = list[i]
        return ask
    end)
end


local function start_all(folder)
    local function postern(identified)
        return function()
            return servers.postern(build, folder, estates.seed(folder, identified), 1)
        end
    end
    local list = {
        empty = several(function() return servers.empty(build, folder, servers.ANSWER) end),
        fixed = several(function() return servers.luv(build, folder, "fixed") end),
        cjson = several(function() return servers.luv(build, folder, "cjson") end),
        decide = several(function()
            return servers.luv(build, folder, "decide", estates.seed(folder))
        end),
        empty_204 = several(function() return servers.empty(build, folder) end),
        luv_204 = several(function() return servers.luv(build, folder, "204") end),
        nginx_204 = several(function(i)
            return processes.nginx(build, folder,
                { name = "answers-" .. i, server = "location / { return 204; }" })
        end),
    }
    if servers.available() then
        list.postern = several(postern())
        -- One that nginx alone asks: its connections are counted.
        list.postern_auth = several(postern())
        list.general = several(postern(true))
    end
    for _, name in ipairs(ASKED) do
        if list[name] then
            list["auth_" .. name] = start_asking(folder, name, list[name])
        end
    end
    return list
end


-- ---- Requests ------------------------------------------------------------------


-- Half a kilobyte, as a gateway would tell it that knows the caller; or that has a header for the
-- estate to find out.
local function decision(each, method, unknown)
    local request = estates.seed_request(each, method)
    request.headers = unknown and request.headers or {}
    request.principal = not unknown and each.caller or nil
    request.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101"
    request.headers["Accept"] = "application/json, text/plain;q=0.5"
    request.headers["X-Request-Id"] = "0f8b1e52a6c94d7788a0c4c8e1d2b3a4"
    local bytes = #servers.decide(request).body
    request.headers["X-Padding"] = ("x"):rep(math.max(0, 500 - bytes - 15))
    return request
end


local function request_files(folder)
    local files, single, batch, unknown = {}, {}, {}, {}
    for i, each in ipairs(estates.SEED) do
        single[i] = servers.decide(decision(each), servers.ALLOWED)
        unknown[i] = servers.decide(decision(each, nil, true), servers.ALLOWED)
    end
    for i = 1, BATCH do
        batch[i] = decision(estates.SEED[i % #estates.SEED + 1])
    end
    local function write(name, requests)
        files[name] = load.write(folder .. "/" .. name .. ".requests", requests)
    end
    write("single", single)
    write("unknown", unknown)
    write("batch", { servers.decide_batch(batch, servers.ALLOWED) })
    write("denied", { servers.decide(decision(estates.SEED[4], "DELETE"), servers.DENIED) })
    write("health", { { path = "/healthz", status = "200" } })
    write("auth", { { path = "/full/42", status = "200" } })
    print(("A posted decision has %d bytes with its headers, its body %d.")
        :format(#load.bytes(single[1]), #single[1].body))
    return files
end


-- Name, which server, which requests, the row it is compared with, and more.
local function row_list()
    return {
        { EMPTY, "empty", "single", EMPTY },
        { "luv + llhttp, a fixed answer", "fixed", "single", EMPTY },
        { "luv + llhttp + lua-cjson", "cjson", "single", EMPTY },
        { "luv + llhttp + lua-cjson + authorize", "decide", "single", EMPTY },
        { "postern serve, /healthz", "postern", "health", EMPTY },
        { "postern serve, decide", "postern", "single", EMPTY },
        { "postern serve, decide, denied", "postern", "denied", EMPTY },
        { "postern serve, decide, caller in a header", "general", "unknown", EMPTY },
        { "postern serve, batch of 100, a decision", "postern", "batch", EMPTY,
          count = COUNT / BATCH, per = BATCH },
        { "empty server, 16 pipelined", "empty", "single", EMPTY, pipeline = 16 },
        { "postern serve, decide, 16 pipelined", "postern", "single", EMPTY, pipeline = 16 },
        { AUTH_NGINX, "auth_nginx_204", "auth", AUTH_NGINX },
        { "auth_request to the empty server, 204", "auth_empty_204", "auth", AUTH_NGINX },
        { "auth_request to luv + llhttp, 204", "auth_luv_204", "auth", AUTH_NGINX },
        { "auth_request to postern serve", "auth_postern_auth", "auth", AUTH_NGINX },
    }
end


local function rows_to_run(list, files)
    local rows = {}
    for _, each in ipairs(row_list()) do
        local turns = {}
        for i, server in ipairs(list[each[2]] or {}) do
            turns[i] = { server, server.asked }
        end
        rows[#rows + 1] = turns[1] and report.row(build, {
            name = each[1], base = each[4], turns = turns, requests = files[each[3]],
            count = each.count or COUNT, per = each.per, pipeline = each.pipeline,
        }) or nil
    end
    return rows
end


local function print_connections(list)
    print("\nConnections that nginx made to whom it asks, in the last minute:")
    for _, name in ipairs(ASKED) do
        local count = 0
        for _, server in ipairs(list[name] or {}) do
            count = count + processes.connections(tonumber(server.tcp:match("%d+$")))
        end
        print(("    %-14s %d"):format(name, count))
    end
end


processes.with_folder(function(folder)
    local list = start_all(folder)
    local rows = rows_to_run(list, request_files(folder))
    if not list.postern then
        print("This checkout has no `postern serve`: its rows are left out.")
    end
    print(("CPU time of the servers a request, ns: medians of %d rounds of %d requests, over %d "
        .. "processes in turn; ratios within a round."):format(ROUNDS, COUNT, PROCESSES))
    report.print(rows, cpu.compare(rows, ROUNDS))
    print_connections(list)
end)
