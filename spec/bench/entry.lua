-- What a decision from Lua costs on top of the core's: `make bench`.
--
--     luajit spec/bench/entry.lua BUILD
--
-- The policies of examples/private-api through `postern.entry`, compiled and with the JIT off, each
-- in a fresh process, beside the same decisions by the same function of the core in a loop of C,
-- in turns. Garbage is what `collectgarbage("count")` grows by.
local build = assert(arg[1], "usage: luajit spec/bench/entry.lua BUILD")
package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path
package.cpath = build .. "/?.so;" .. package.cpath

local FOLDER = "examples/private-api"
local FRONT = "arn:aws:execute-api:eu-central-1:111122223333:"
local ROUNDS, PER_ROUND, PROCESSES = 9, 100000, 5
local TARGETS = { compiled = 60, ["JIT off"] = 400 } -- ns on top of the core

local CASES = {
    { name = "two-apis", file = "endpoint-two-apis.json", type = "endpoint",
      method = "POST", path = "/orders" },
    { name = "get-only", file = "endpoint-get-only.json", type = "endpoint",
      method = "GET", path = "/orders/42" },
    { name = "one-user", file = "endpoint-one-user.json", type = "endpoint",
      principal = "arn:aws:iam::111122223333:user/robots/billing",
      method = "POST", path = "/invoices" },
    { name = "offices", file = "api-offices.json", type = "resource", key = "aws:VpcSourceIp",
      value = "10.31.7.255", method = "GET", path = "/orders" },
}


local function read_command(command)
    local pipe = assert(io.popen(command))
    local text = pipe:read("*a")
    pipe:close()
    return text
end


-- ---- One measurement, in a process of its own -----------------------------------


local function prepare(case)
    local file = assert(io.open(FOLDER .. "/" .. case.file))
    local text = file:read("*a")
    file:close()
    local set = assert(require("postern.set").compile(text, {
        name = case.file, type = case.type,
        api_arn = case.type == "resource" and FRONT .. "orders7a1b" or nil,
    }))
    return assert(require("postern.entry").new(set, {
        resource = { FRONT, "/", "/", "" }, keys = { case.key },
    }))
end


local function round(entry, case)
    local principal, method, path, value = case.principal, case.method, case.path, case.value
    local start = os.clock()
    for _ = 1, PER_ROUND do
        if entry:decide(principal, "execute-api:Invoke", "orders7a1b", "live", method, path, value)
            ~= entry.ALLOWED then
            error(case.name .. " is not allowed")
        end
    end
    return (os.clock() - start) * 1e9 / PER_ROUND
end


local function median(times)
    table.sort(times)
    return times[math.floor((#times + 1) / 2)]
end


if arg[2] then
    for _, case in ipairs(CASES) do
        local entry, times = prepare(case), {}
        round(entry, case)
        for i = 1, ROUNDS do
            times[i] = round(entry, case)
        end
        collectgarbage()
        collectgarbage("stop")
        local before = collectgarbage("count")
        round(entry, case)
        local garbage = (collectgarbage("count") - before) * 1024 / PER_ROUND
        collectgarbage("restart")
        print(case.name, median(times), garbage)
    end
    return
end


-- ---- The table -----------------------------------------------------------------


local function run_lua(flags, into)
    local command = ("luajit %s spec/bench/entry.lua %s run"):format(flags, build)
    for name, time, bytes in read_command(command):gmatch("(%S+)%s+(%S+)%s+(%S+)\n") do
        into[name] = into[name] or { times = {}, garbage = 0 }
        table.insert(into[name].times, tonumber(time))
        into[name].garbage = math.max(into[name].garbage, tonumber(bytes))
    end
end


local function run_c(into)
    for name, time in read_command(build .. "/bench_decide " .. FOLDER .. " entry")
        :gmatch("(%S+) entry (%S+) %S+ %S+\n") do
        into[name] = into[name] or {}
        table.insert(into[name], tonumber(time))
    end
end


local core, compiled, interpreted = {}, {}, {}
for _ = 1, PROCESSES do
    run_c(core)
    run_lua("", compiled)
    run_lua("-joff", interpreted)
end
print(("One decision by `postern.entry`, ns; medians of %d processes of %d rounds, in turns.\n")
    :format(PROCESSES, ROUNDS))
local row = "%-10s %8s %10s %8s %10s %8s %10s"
print(row:format("policy", "C", "compiled", "on top", "JIT off", "on top", "garbage B"))
local results = require("spec.bench.results")
local found = { kind = "entry", machine = results.machine(), rounds = ROUNDS, rows = {} }

local function rounded(number)
    return math.floor(number * 1000 + 0.5) / 1000
end


local function note(name, form, unit, figure, least, most)
    found.rows[#found.rows + 1] = { name = name, form = form, unit = unit, size = 1,
                                    median = rounded(figure), min = rounded(least or figure),
                                    max = rounded(most or figure) }
end


-- The least and the most that processes which stood beside each other differ by.
local function differences(times, base)
    local least, most = math.huge, -math.huge
    for i, time in ipairs(times) do
        least, most = math.min(least, time - base[i]), math.max(most, time - base[i])
    end
    return least, most
end


local worst, garbage = { compiled = 0, ["JIT off"] = 0 }, 0
for _, case in ipairs(CASES) do
    local name = case.name
    local spread = { differences(compiled[name].times, core[name]) }
    local spread_off = { differences(interpreted[name].times, core[name]) }
    local in_c, jit_on = median(core[name]), median(compiled[name].times)
    local jit_off = median(interpreted[name].times)
    worst.compiled = math.max(worst.compiled, jit_on - in_c)
    worst["JIT off"] = math.max(worst["JIT off"], jit_off - in_c)
    local bytes = math.max(compiled[name].garbage, interpreted[name].garbage)
    garbage = math.max(garbage, bytes)
    note(name, "compiled", "ns", jit_on - in_c, unpack(spread))
    note(name, "JIT off", "ns", jit_off - in_c, unpack(spread_off))
    note(name, "garbage", "B", bytes)
    print(row:format(name, ("%.0f"):format(in_c), ("%.0f"):format(jit_on),
        ("%.0f"):format(jit_on - in_c), ("%.0f"):format(jit_off), ("%.0f"):format(jit_off - in_c),
        ("%.3f"):format(bytes)))
end
print()
for _, way in ipairs({ "compiled", "JIT off" }) do
    print(("At most %d ns on top, %s: %s (%.0f)."):format(TARGETS[way], way,
        worst[way] <= TARGETS[way] and "met" or "missed", worst[way]))
end
print(("No garbage: %s."):format(garbage < 0.01 and "met" or "missed"))
assert(os.execute(("mkdir -p %s/bench"):format(build)) == 0)
results.write(build .. "/bench/entry.json", found)
