-- Address sets and globs beside the structures that others would take: `make bench-structures`.
--
--     luajit spec/bench/structures.lua BUILD
--
-- Runs bench_cidr and bench_glob; what they measure is left in BUILD/bench/structures.json.
package.path = "./?.lua;" .. package.path

local results = require("spec.bench.results")

local build = assert(arg[1], "usage: luajit spec/bench/structures.lua BUILD")
local lines = build .. "/bench/structures.lines"

assert(os.execute(("mkdir -p %s/bench"):format(build)) == 0)
os.remove(lines)
for _, program in ipairs({ "bench_cidr", "bench_glob" }) do
    local status = os.execute(("POSTERN_BENCH_RESULTS=%s %s/%s"):format(lines, build, program))
    if status ~= 0 then
        io.stderr:write(program, " failed\n")
        os.exit(1)
    end
end
results.collect("structures", lines, build .. "/bench/structures.json")
os.remove(lines)
