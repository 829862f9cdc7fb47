-- What a decision costs, from C and from Lua: `make bench`.
--
--     luajit spec/bench/decide.lua BUILD
--
-- C: `bench_decide` in BUILD, timed, and its instructions counted by callgrind where valgrind is
-- installed: the difference of two runs, so that loading is not in it. Lua: the same policies and
-- requests through `postern.request`, compiled and with the JIT off, each in a fresh process.
local build = assert(arg[1], "usage: luajit spec/bench/decide.lua BUILD")
package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = build .. "/?.so;" .. package.cpath

local FOLDER = "examples/private-api"
local API = "arn:aws:execute-api:eu-central-1:111122223333:orders7a1b"
local ROUNDS, PER_ROUND = 15, 200000

-- The cases of bench_decide.c.
local CASES = {
    { name = "two-apis", file = "endpoint-two-apis.json", type = "endpoint",
      resource = API .. "/live/POST/orders" },
    { name = "get-only", file = "endpoint-get-only.json", type = "endpoint",
      resource = API .. "/live/GET/orders/42" },
    { name = "one-user", file = "endpoint-one-user.json", type = "endpoint",
      principal = "arn:aws:iam::111122223333:user/robots/billing",
      resource = API .. "/live/POST/invoices" },
    { name = "offices", file = "api-offices.json", type = "resource",
      resource = API .. "/live/GET/orders", key = "aws:VpcSourceIp", value = "10.31.7.255" },
}


local function read_command(command)
    local pipe = assert(io.popen(command))
    local text = pipe:read("*a")
    pipe:close()
    return text
end


-- ---- From Lua ----------------------------------------------------------------


local function prepare(case)
    local file = assert(io.open(FOLDER .. "/" .. case.file))
    local text = file:read("*a")
    file:close()
    local set = assert(require("postern.set").compile(text, {
        name = case.file,
        type = case.type,
        api_arn = case.type == "resource" and API or nil,
    }))
    return assert(require("postern.request").new(set)), case.key and set:find_key(case.key)
end


local function decide(request, case, key)
    request:reset()
    request:principal(case.principal or "*")
    request:action("execute-api:Invoke")
    request:resource(case.resource)
    if key then
        request:put(key, case.value)
    end
    return (request:evaluate())
end


local function round(request, case, key, allowed)
    local start = os.clock()
    for _ = 1, PER_ROUND do
        if decide(request, case, key) ~= allowed then
            error(case.name .. " is not allowed")
        end
    end
    return (os.clock() - start) * 1e9 / PER_ROUND
end


local function time_lua()
    local allowed = require("postern.request").ALLOWED
    for _, case in ipairs(CASES) do
        local request, key = prepare(case)
        local times = {}
        round(request, case, key, allowed)
        collectgarbage()
        for i = 1, ROUNDS do
            times[i] = round(request, case, key, allowed)
        end
        collectgarbage("stop")
        local before = collectgarbage("count")
        round(request, case, key, allowed)
        local garbage = (collectgarbage("count") - before) * 1024 / PER_ROUND
        collectgarbage("restart")
        table.sort(times)
        print(case.name, ("%.1f"):format(times[(ROUNDS + 1) / 2]), ("%.3f"):format(garbage))
    end
end


if arg[2] == "lua" then
    time_lua()
    return
end


-- ---- The table ---------------------------------------------------------------


local function times_of_c()
    local times = {}
    for name, form, median in read_command(build .. "/bench_decide " .. FOLDER)
        :gmatch("(%S+) (%S+) (%S+) %S+ %S+\n") do
        times[name .. form] = median
    end
    return times
end


local function times_of_lua(flags)
    local times, garbage = {}, {}
    local command = ("luajit %s spec/bench/decide.lua %s lua"):format(flags, build)
    for name, median, bytes in read_command(command):gmatch("(%S+)%s+(%S+)%s+(%S+)\n") do
        times[name], garbage[name] = median, bytes
    end
    return times, garbage
end


local has_valgrind = os.execute("command -v valgrind >/dev/null 2>&1") == 0

local function instructions_of_run(name, form, count)
    local text = read_command(("valgrind --tool=callgrind --callgrind-out-file=/dev/null "
        .. "%s/bench_decide %s %s %s %d 2>&1"):format(build, FOLDER, name, form, count))
    return tonumber(text:match("Collected : (%d+)"))
end


local function instructions(name, form)
    if not has_valgrind then
        return "-"
    end
    local few, many = 1000, 11000
    local low, high = instructions_of_run(name, form, few), instructions_of_run(name, form, many)
    return low and high and ("%.0f"):format((high - low) / (many - few)) or "-"
end


local c = times_of_c()
local compiled, garbage = times_of_lua("")
local interpreted = times_of_lua("-joff")
print("One decision: ns (median of " .. ROUNDS .. " rounds) and instructions.")
print("`evaluate`: the request is filled; `all`: reset, fill and evaluate; `ask`: this set and")
print("that of `offices` in one call.\n")
local row = "%-10s %9s %7s %9s %7s %9s %7s %9s %9s %9s"
print(row:format("", "C", "C", "C", "C", "C", "C", "Lua all", "Lua all", "Lua all"))
print(row:format("policy", "evaluate", "instr", "all", "instr", "ask", "instr", "compiled",
    "JIT off", "garbage B"))
for _, case in ipairs(CASES) do
    local name = case.name
    print(row:format(name, c[name .. "evaluate"], instructions(name, "evaluate"),
        c[name .. "all"], instructions(name, "all"), c[name .. "ask"], instructions(name, "ask"),
        compiled[name], interpreted[name], garbage[name]))
end

print("\nOne decision on a filled request by the size of the set, ns: one statement of it matches.")
print("Beside it, trying each statement in turn.\n")
row = "%-12s %10s %10s %20s %14s %12s"
print(row:format("differ in", "statements", "directory", "least to most", "in turn", "bytes"))
local sizes = read_command(build .. "/bench_decide sizes 100000")
local by_size = {} -- medians, by kind and statements
for name, count, median, least, most, linear, bytes in
    sizes:gmatch("(%S+) (%d+) (%S+) (%S+) (%S+) (%S+) (%d+)\n") do
    by_size[name] = by_size[name] or {}
    by_size[name][tonumber(count)] = tonumber(median)
    print(row:format(name, count, median, least .. " to " .. most, linear, bytes))
end


-- ---- Targets -----------------------------------------------------------------


row = "%-44s %10s %10s   %s"


local function judge(what, value, most, unit)
    print(row:format(what, ("%.1f%s"):format(value, unit), ("%g%s"):format(most, unit),
        value <= most and "met" or ("missed by %.0f %%"):format((value / most - 1) * 100)))
end


print("\nTargets. A machine that has other work misses those in ns that it would meet.\n")
print(row:format("", "measured", "at most", ""))
for _, case in ipairs(CASES) do
    judge(case.name .. ", a decision in C", tonumber(c[case.name .. "evaluate"]), 150, " ns")
end
for _, name in ipairs({ "apis", "any-region", "users" }) do
    local ns = by_size[name]
    judge(name .. ", 10,000 statements to 10", ns[10000] / ns[10], 3, "")
    judge(name .. ", 10,000 statements", ns[10000], 250, " ns")
    judge(name .. ", 100,000 statements", ns[100000], 500, " ns")
end
for _, case in ipairs(CASES) do
    local in_c = tonumber(c[case.name .. "all"])
    judge(case.name .. ", what Lua adds, compiled", tonumber(compiled[case.name]) - in_c, 60, " ns")
    judge(case.name .. ", what Lua adds, JIT off", tonumber(interpreted[case.name]) - in_c, 400,
        " ns")
end
if not has_valgrind then
    print("\nInstall valgrind for the instructions.")
end
