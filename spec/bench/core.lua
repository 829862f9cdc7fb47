-- What a decision costs in Postern alone, by the number of policies: a part of `make bench`.
--
--     luajit spec/bench/core.lua BUILD [--sizes 10,100] [--rounds 9]
--
-- The peers of Postern with the workloads of `make bench-peers`: nanoseconds from C and from Lua,
-- and instructions where valgrind is installed, counted by callgrind over the decisions alone and
-- without SIMD, which it does not know all of. Results: BUILD/bench/core.json.
package.path = "./?.lua;./lua/?.lua;./lua/?/init.lua;" .. package.path

local argparse = require("argparse")
local child = require("spec.bench.peers.child")
local results = require("spec.bench.results")
local roster = require("spec.bench.peers.roster")
local timing = require("spec.bench.peers.timing")
local workloads = require("spec.bench.peers.workload")

local SIZES = "10,100,1000,10000,100000"

-- Whole turns through all requests. Reading a large workload takes its time under callgrind: the
-- largest are not counted.
local COUNTED, PATIENCE, MOST_COUNTED = 10 * workloads.REQUESTS, 600, 10000

local parser = argparse("core", "Time decisions of Postern.")
parser:argument("build")
parser:option("--sizes", "how many policies", SIZES)
parser:option("--rounds", "rounds that count", "9"):convert(tonumber)
local options = parser:parse()

io.stdout:setvbuf("line")
local has_valgrind = os.execute("command -v valgrind >/dev/null 2>&1") == 0


local function ask(process, line)
    return assert(process:ask(line, PATIENCE))
end


-- Instructions of one decision, by form.
local function instructions(path, folder)
    local counts = {}
    for _, form in ipairs(timing.FORMS) do
        local log = folder .. "/callgrind.log"
        local process = assert(child.start({ "env", "POSTERN_SIMD=scalar", "valgrind",
            "--tool=callgrind", "--toggle-collect=round_of", "--callgrind-out-file=/dev/null",
            "--log-file=" .. log, options.build .. "/peer_postern" }, nil, PATIENCE))
        ask(process, "load " .. path)
        ask(process, ("round %s %d"):format(form, COUNTED))
        process:finish(PATIENCE)
        for line in io.lines(log) do
            counts[form] = tonumber(line:match("Collected : (%d+)")) or counts[form]
        end
        counts[form] = assert(counts[form], "callgrind collected nothing") / COUNTED
    end
    return counts
end


-- The engines of one workload, each a process; the rows of all.
local function meet(workload, path, out)
    local all, processes = {}, {}
    for i = 1, 2 do
        local peer = roster.PEERS[i]
        local process = assert(child.start(peer.how.run(out, "document", options.build), nil,
            timing.PATIENCE))
        processes[i] = process
        for _, row in ipairs(assert(timing.meet(process, workload, path))) do
            all[#all + 1] = row
            row.name = peer.name
        end
    end
    return all, processes
end


local LINE = "%-14s %-18s %-9s %10.1f ns (%.1f-%.1f)  %s"

local function run(workload, out, found)
    local path = workloads.write(out, workload)
    local all, processes = meet(workload, path, out)
    timing.rounds(all, options.rounds)
    for _, process in ipairs(processes) do
        process:stop()
    end
    local counted = has_valgrind and workload.size <= MOST_COUNTED
    local counts = counted and instructions(path, out) or {}
    for _, row in ipairs(all) do
        local result = timing.result(row, row.name, "document")
        found.rows[#found.rows + 1] = result
        local count = row.name == roster.PEERS[1].name and counts[row.form]
        print(LINE:format(workload.name, row.name, row.form, result.median, result.min, result.max,
            count and ("%.0f instructions"):format(count) or ""))
        if count then
            local median = results.spread({ count })
            found.rows[#found.rows + 1] = {
                name = row.name, style = "document", form = row.form, family = workload.family,
                workload = workload.name, size = workload.size, unit = "instructions",
                median = median, min = median, max = median }
        end
    end
    os.remove(path)
    results.write(out .. "/core.json", found) -- each time: the largest take long
end


local out = options.build .. "/bench"
assert(os.execute("mkdir -p " .. out) == 0)
local found = { kind = "core", machine = results.machine(), rounds = options.rounds, rows = {} }
for _, name in ipairs(workloads.SEEDS) do
    run(workloads.seed(name), out, found)
end
for _, family in ipairs({ "exact", "globs" }) do
    for size in options.sizes:gmatch("%d+") do
        run(workloads[family](tonumber(size)), out, found)
    end
end
if not has_valgrind then
    print("Install valgrind for the instructions.")
end
