-- What the guard rails of private packs cost, and how far a bad pack gets: `luajit
-- spec/bench/guards.lua`, from the project's folder. Nothing is asserted.

package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path

local budgets = require("postern.budget")
local environments = require("postern.environment")
local machine = require("spec.support.machine")


local function peak()
    for line in io.lines("/proc/self/status") do
        local kilobytes = line:match("^VmHWM:%s+(%d+)")
        if kilobytes then
            return tonumber(kilobytes) / 1024
        end
    end
end

local function made(text, limits)
    local env, methods = environments.new(true)
    return budgets.new(limits, methods), machine.body(text, env)
end


-- One bad pack, in a process of its own: its peak of memory, and how long it held it.
if arg[1] then
    local budget, fn = made(arg[1], { seconds = tonumber(arg[2]), memory = 16 })
    local before, at = peak(), os.clock()
    local _, err = budget:call(fn)
    print(("%8.0f MiB %8.3f s  %s"):format(peak() - before, os.clock() - at, tostring(err)))
    return
end

print("held and stopped, with a budget of 16 MiB and 0.05 s")
for _, row in ipairs({
    { "while true do end" },
    { "local s = 'x' while true do s = s .. s end" },
    { "local s = ('x'):rep(2 ^ 20) while true do s = s .. s .. s end" },
    { "local s = ('x'):rep(2 ^ 20) while true do s = s .. s .. s .. s end" },
    { "local s = ('x'):rep(2 ^ 20) while true do s = s .. s .. s .. s .. s .. s end" },
    { "local s = ('x'):rep(2 ^ 20) local s = s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s "
        .. "s = s .. s .. s .. s s = s .. s .. s .. s s = s .. s .. s .. s" },
    { "local t = {} for i = 1, 1e9 do t[i] = i end" },
    { "local t = {} for i = 1, 1e6 do t[i] = i end while true do table.insert(t, 1, 0) end", 9 },
    { "local t = {} for i = 1, 1e6 do t[i] = -i end table.sort(t)", 0.05 },
    { "local s = ('a'):rep(500) while true do s:find('.-.-b') end" },
    { "local s = ('a'):rep(150) while true do s:find('.-.-.-b') end" },
    { "local s = ('a'):rep(9000) while true do s:find('%a+1') end" },
    { "local s = ('a'):rep(2 ^ 20) while true do s:find(s:sub(1, 1000) .. 'b', 1, true) end" },
    { "local s = ('a'):rep(2 ^ 20) while true do s:upper() end" },
}) do
    io.write(row[1], "\n")
    io.flush()
    os.execute(("luajit spec/bench/guards.lua %q %g"):format(row[1], row[2] or 0.05))
end

print("\na call of a private pack's function, in microseconds")
for _, row in ipairs({ { "return 'x'" }, { "local n = 0 for i = 1, 100 do n = n + i end" },
                       { "return (('10.0.0.1'):match('^(%d+)%.'))" } }) do
    local budget, fn = made(row[1])
    local at = os.clock()
    for _ = 1, 1e5 do
        budget:call(fn)
    end
    local within = os.clock() - at
    at = os.clock()
    for _ = 1, 1e5 do
        pcall(fn)
    end
    print(("%8.2f within, %8.2f without: %s"):format(within * 10, (os.clock() - at) * 10, row[1]))
end
