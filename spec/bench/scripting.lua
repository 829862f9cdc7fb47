-- What scripting costs: a lazy key that nobody needs, hooks, budgets; and 10,000 decisions that
-- wait for an HTTP key at once, while an estate of 10,000 APIs is reloaded.
--
--     luajit spec/bench/scripting.lua BUILD
--
-- The HTTP server is a process of its own, which answers 20 ms after it was asked. A stall is the
-- longest time in which the loop did not come round.
local build = assert(arg[1], "usage: luajit spec/bench/scripting.lua BUILD")
package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path
package.cpath = build .. "/?.so;" .. package.cpath

local uv = require("luv")
local postern = require("postern")
local http = require("postern.http")
local plain = require("postern.host.plain")
local hosts = require("postern.host.uv")
local reloads = require("postern.reload")

local CONCURRENT, APIS = 10000, 10000
local ROUNDS, PER_ROUND, PROCESSES = 9, 20000, 5
local DELAY = 20 -- milliseconds


-- ---- The server --------------------------------------------------------------


local ANSWER = '{"plan":"gold"}'
local RESPONSE = ("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"):format(#ANSWER, ANSWER)

local function serve_client(client)
    local reader = http.reader("request", {})
    client:read_start(function(err, bytes)
        local at = 1
        while not err and bytes and at <= #bytes do
            local whole
            whole, at = reader:feed(bytes, at)
            if whole == nil then
                return client:close()
            elseif whole then
                reader:reset()
                local timer = uv.new_timer()
                timer:start(DELAY, 0, function()
                    timer:close()
                    client:write(RESPONSE)
                end)
            end
        end
        if (err or not bytes) and not client:is_closing() then
            client:close()
        end
    end)
end


local function serve(port_file)
    local server = uv.new_tcp()
    server:bind("127.0.0.1", 0)
    server:listen(4096, function()
        local client = uv.new_tcp()
        server:accept(client)
        serve_client(client)
    end)
    local file = assert(io.open(port_file .. ".new", "w"))
    file:write(tostring(server:getsockname().port))
    file:close()
    os.rename(port_file .. ".new", port_file)
    -- A parent that is gone ends its server.
    local parent, watch = uv.os_getppid(), uv.new_timer()
    watch:start(500, 500, function()
        if uv.os_getppid() ~= parent then
            os.exit(0)
        end
    end)
    uv.run()
end


-- ---- The cost of what is not needed --------------------------------------------


local POLICY = [[{ "Version": "2012-10-17", "Statement": [
    { "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
      "Resource": "execute-api:/live/*",
      "Condition": { "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } } }%s ] }]]

-- Never needed: the call is a GET.
local UNNEEDED = [[,
    { "Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke",
      "Resource": "execute-api:/live/DELETE/*",
      "Condition": { "StringEquals": { "%s": "no" } } }]]

local ESTATE = [[
account "111122223333" region "eu-central-1"
%s
api "a1" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live" },
           policy = "p.json" }
]]

local PACKS = {
    ["lazy.lua"] = [[return { kind = "keys", name = "lazy", api = 1, lazy = true,
        check = function() return true end,
        keys = { ["acme:Slow"] = function() error("nobody needs it") end } }]],
    ["cheap.lua"] = [[return { kind = "keys", name = "cheap", api = 1,
        check = function() return true end,
        keys = { ["acme:Cheap"] = function(context) return context.stage end } }]],
    ["hook.lua"] = [[return { kind = "hooks", name = "hook", api = 1,
        check = function() return true end,
        after = function() return nil end }]],
}

-- What is configured, and the key that a statement mentions which does not match anyway.
local CASES = {
    { "no script", "", nil },
    { "a lazy pack, its key not mentioned", 'rules "lazy.lua"', nil },
    { "a statement more, with a key of AWS", "", "aws:Referer" },
    { "a statement more, with a lazy key not needed", 'rules "lazy.lua"', "acme:Slow" },
    { "a statement more, with a private cheap key", 'rules "cheap.lua"', "acme:Cheap" },
    { "a private hook", 'rules "hook.lua"', nil },
}


local function open_case(case)
    local files = {
        ["estate.lua"] = ESTATE:format(case[2]),
        ["p.json"] = POLICY:format(case[3] and UNNEEDED:format(case[3]) or ""),
    }
    return assert(postern.open("estate.lua", { read = function(path)
        local text = files[path] or PACKS[path]
        if text then
            return text
        end
        return plain.read(path)
    end }))
end


local REQUEST = { api = "a1", path = "/live/orders/42", peer = "10.1.2.3" }

local function measure_case(number)
    local estate, times = open_case(CASES[number]), {}
    for round = 0, ROUNDS do
        local start = os.clock()
        for _ = 1, PER_ROUND do
            if not estate:authorize(REQUEST).allowed then
                error("not allowed")
            end
        end
        times[round] = (os.clock() - start) * 1e9 / PER_ROUND -- the first warms up
    end
    table.sort(times)
    print(times[(ROUNDS + 1) / 2])
end


-- Each in a process of its own, since traces of one would serve or hinder the next.
local function compare_cases()
    print(("One authorize, ns (median of %d rounds, best of %d processes), and what it is of the "
        .. "first row.\n"):format(ROUNDS, PROCESSES))
    local best = {}
    for _ = 1, PROCESSES do
        for number in ipairs(CASES) do
            local pipe = assert(io.popen(("luajit spec/bench/scripting.lua %s case %d")
                :format(build, number)))
            local time = assert(tonumber(pipe:read("*a")), "no measurement")
            pipe:close()
            best[number] = math.min(best[number] or time, time)
        end
    end
    for number, case in ipairs(CASES) do
        print(("%-48s %8.0f %6.2f"):format(case[1], best[number], best[number] / best[1]))
    end
end


-- ---- 10,000 at once --------------------------------------------------------------


local BIG = [[
account "111122223333" region "eu-central-1"
rules "plan.lua" { url = "http://127.0.0.1:%d/plan",
                   limits = { timeout = 60, queue = 10000 } }
for i = 1, %d do
    api(("api%%05d"):format(i)) {
        endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live" },
        policy = ("p%%d.json"):format(i %% 10),
    }
end
-- %s
]]

local PLAN = [[
return { kind = "keys", name = "plan", api = 1, lazy = true,
    check = function(config) return config.url ~= nil, "`url` is missing" end,
    keys = { ["acme:Plan"] = function(_, config, tools)
        local answer, err = tools.http({ url = config.url, timeout = 60 })
        if not answer then
            return nil, err
        end
        return tools.json_decode(answer.body).plan
    end } }
]]

local LAZY_POLICY = [[{ "Version": "2012-10-17", "Statement": [
    { "Sid": "P%d", "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
      "Resource": "execute-api:/live/*",
      "Condition": { "StringEquals": { "acme:Plan": "gold" } } } ] }]]


local function write(path, text)
    local file = assert(io.open(path .. ".new", "w"))
    file:write(text)
    file:close()
    assert(os.rename(path .. ".new", path))
end


local function resident()
    for line in io.lines("/proc/self/status") do
        local kilobytes = line:match("^VmRSS:%s*(%d+)")
        if kilobytes then
            return tonumber(kilobytes) / 1024
        end
    end
end


-- Notes the longest time in which the loop did not come round, until it is told to stop.
local function watch_stalls(host)
    local seen = { worst = 0, on = true }
    host:spawn(function()
        local last = host:monotonic()
        while seen.on do
            host:sleep(0)
            local now = host:monotonic()
            seen.worst = math.max(seen.worst, now - last)
            last = now
        end
    end)
    return seen
end


local function all_at_once(host, subject)
    local counts, tasks = { allowed = 0, failed = 0 }, {}
    for i = 1, CONCURRENT do
        tasks[i] = host:spawn(function()
            local decision = subject:authorize({
                api = ("api%05d"):format(i % APIS + 1), path = "/live/orders/" .. i,
            })
            counts[decision.allowed and "allowed" or "failed"] =
                counts[decision.allowed and "allowed" or "failed"] + 1
            counts.error = counts.error or decision.error
        end)
        if i % 10 == 0 then
            host:sleep(0) -- as requests arrive: not all in one turn
        end
    end
    return counts, tasks
end


local function wait_all(tasks)
    for _, task in ipairs(tasks) do
        task:wait()
    end
end


local function run_big(folder, port)
    local host = hosts.new({ log = function(line) print(line) end })
    for i = 0, 9 do
        write(("%s/p%d.json"):format(folder, i), LAZY_POLICY:format(i))
    end
    write(folder .. "/plan.lua", PLAN)
    write(folder .. "/estate.lua", BIG:format(port, APIS, "first"))
    host:block(function()
        local subject = assert(reloads.new(folder .. "/estate.lua", { host = host, poll = 60 }))
        collectgarbage()
        for _, reloading in ipairs({ false, true }) do
            local before, began = resident(), host:monotonic()
            local stalls = watch_stalls(host)
            local counts, tasks = all_at_once(host, subject)
            local most, loads = resident(), subject.loads
            if reloading then
                write(folder .. "/estate.lua", BIG:format(port, APIS, "second"))
                while subject.loads == loads do
                    host:sleep(0.01)
                end
            end
            wait_all(tasks)
            stalls.on = false
            print(("%-34s %6d allowed, %d failed (%s)  %.2f s  +%.0f MiB  longest stall %.1f ms")
                :format(reloading and "10,000 at once, with a reload" or "10,000 at once",
                        counts.allowed, counts.failed, tostring(counts.error),
                        host:monotonic() - began, most - before, stalls.worst * 1e3))
        end
        subject:close()
    end)
    host:close()
end


-- ---- The whole ---------------------------------------------------------------------


if arg[2] == "serve" then
    serve(arg[3])
    return
elseif arg[2] == "case" then
    measure_case(tonumber(arg[3]))
    return
end

compare_cases()
print()
local folder = os.tmpname()
os.remove(folder)
os.execute(("mkdir -p '%s'"):format(folder))
local server = uv.spawn("luajit", {
    args = { "spec/bench/scripting.lua", build, "serve", folder .. "/port" }, stdio = { nil, 1, 2 },
}, function() end)
local port
while not port do
    uv.sleep(10)
    local file = io.open(folder .. "/port")
    port = file and file:read("*n")
    if file then
        file:close()
    end
end
local ok, err = pcall(run_big, folder, port)
server:kill("sigkill")
os.execute(("rm -r '%s'"):format(folder))
assert(ok, err)
