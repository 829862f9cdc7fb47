-- What a decision costs in Postern and in its peers: `make bench-peers`.
--
--     luajit spec/bench/peers.lua BUILD [--rounds 9] [--sizes 10,100] [--only Cedar,OPA]
--
-- Every engine is a process of its own that holds one workload at a time. It first answers all
-- requests; only an engine whose answers are right is timed. Then rounds take turns, engine by
-- engine, so that a slow moment hits all alike. A figure is processor time of the whole process,
-- with the garbage collector and compiler threads of those that have them, divided by decisions.
--
-- Results: BUILD/bench/peers.json. A peer that cannot be built is told there, and a size that takes
-- too long.
package.path = "./?.lua;./lua/?.lua;./lua/?/init.lua;" .. package.path

local argparse = require("argparse")
local dkjson = require("dkjson")
local child = require("spec.bench.peers.child")
local results = require("spec.bench.results")
local roster = require("spec.bench.peers.roster")
local timing = require("spec.bench.peers.timing")
local workloads = require("spec.bench.peers.workload")

local SIZES = "10,100,1000,10000"

local parser = argparse("peers", "Time decisions of Postern and its peers.")
parser:argument("build")
parser:option("--rounds", "rounds that count", "9"):convert(tonumber)
parser:option("--sizes", "how many policies", SIZES)
parser:option("--only", "names of peers; Postern from C is always there")
local options = parser:parse()


local function say(format, ...)
    io.stderr:write(format:format(...), "\n")
end


local function sh(command)
    return os.execute(command) == 0
end


-- ---- Building --------------------------------------------------------------------


local function wanted(peer)
    local only = options.only and "," .. options.only .. ","
    return not only or peer == roster.PEERS[1]
        or only:find("," .. peer.name .. ",", 1, true) ~= nil
end


-- Whether a peer is there to be run, or why it is not.
local function build_peer(peer, out)
    local how = peer.how
    if not sh("command -v " .. how.tool .. " >/dev/null 2>&1") then
        return nil, ("`%s` is not installed"):format(how.tool)
    elseif how.build then
        local log = ("%s/%s.log"):format(out, peer.folder)
        say("building %s", peer.name)
        if not sh(("{ %s; } >%s 2>&1"):format((how.build:gsub("%%s", out)), log)) then
            local last = "nothing"
            for line in io.lines(log) do
                last = line ~= "" and line or last
            end
            return nil, ("it does not build: %s"):format(last)
        end
    end
    return true
end


-- ---- Contestants -----------------------------------------------------------------


local function start(contestant)
    local peer = contestant.peer
    local process, failed = child.start(peer.how.run(contestant.out, contestant.style,
        options.build), nil, timing.PATIENCE)
    contestant.process = process
    if process then
        contestant.hello = dkjson.decode(process.hello)
    end
    return process, failed
end


-- The contestants, and the peers that are none.
local function gather(out)
    local list, engines, missing = {}, {}, {}
    for _, peer in ipairs(roster.PEERS) do
        local ok, failed = nil, "left out by --only"
        if wanted(peer) then
            ok, failed = build_peer(peer, out)
        end
        for _, style in ipairs(ok and peer.styles or {}) do
            local contestant = { peer = peer, style = style, out = out, lost = {} }
            ok, failed = start(contestant)
            if not ok then
                break
            end
            list[#list + 1] = contestant
        end
        if ok then
            local hello = list[#list].hello
            engines[#engines + 1] = { name = peer.name, version = hello.version,
                                      runtime = hello.runtime, differs = peer.differs }
        else
            missing[#missing + 1] = { name = peer.name, reason = failed }
            say("%s: %s", peer.name, failed)
        end
    end
    for _, each in ipairs(roster.MISSING) do
        missing[#missing + 1] = each
    end
    return list, engines, missing
end


-- ---- One workload ----------------------------------------------------------------


-- What one contestant can do with a workload: its rows, or why there are none.
local function meet(contestant, workload, path)
    local lost = contestant.lost[workload.family]
    if lost then
        return nil, ("not tried after %d"):format(lost)
    elseif not roster.takes(workload, contestant.style) then
        return {}
    elseif not contestant.process.handle then
        start(contestant) -- it was stopped when it took too long
    end
    local rows, failed, wrong = timing.meet(contestant.process, workload, path)
    if not rows then
        contestant.lost[workload.family] = workload.size
    end
    return rows, failed, wrong
end


local function run_workload(contestants, workload, folder, found)
    local path = workloads.write(folder, workload)
    local all, owners = {}, {}
    for _, contestant in ipairs(contestants) do
        local rows, failed, wrong = meet(contestant, workload, path)
        for _, row in ipairs(rows or {}) do
            all[#all + 1], owners[row] = row, contestant
        end
        if not rows then
            say("%s: %s, %s: %s", workload.name, contestant.peer.name, contestant.style, failed)
            found.unreached[#found.unreached + 1] = {
                name = contestant.peer.name, style = contestant.style, family = workload.family,
                workload = workload.name, size = workload.size, reason = failed }
            found.wrong = found.wrong or wrong
        end
    end
    timing.rounds(all, options.rounds)
    for _, each in ipairs(all) do
        local row = timing.result(each, owners[each].peer.name, owners[each].style)
        found.rows[#found.rows + 1] = row
        say("%-12s %-18s %-10s %-9s %12.1f ns (%.1f-%.1f)", workload.name, row.name, row.style,
            row.form, row.median, row.min, row.max)
    end
end


-- ---- All -------------------------------------------------------------------------


local function all_workloads()
    local list = {}
    for _, name in ipairs(workloads.SEEDS) do
        list[#list + 1] = workloads.seed(name)
    end
    for _, family in ipairs({ "exact", "globs" }) do
        for size in options.sizes:gmatch("%d+") do
            list[#list + 1] = workloads[family](tonumber(size))
        end
    end
    return list
end


local folder = io.popen("cd " .. options.build .. " && pwd"):read("*l") .. "/bench"
local out = folder .. "/peers"
assert(sh(("mkdir -p %s/workloads"):format(out)))
local found = { kind = "peers", machine = results.machine(), rounds = options.rounds, rows = {},
                unreached = {} }
local contestants
contestants, found.engines, found.missing = gather(out)
for _, workload in ipairs(all_workloads()) do
    run_workload(contestants, workload, out .. "/workloads", found)
end
for _, contestant in ipairs(contestants) do
    contestant.process:stop()
end
local wrong = found.wrong
found.wrong = nil
results.write(folder .. "/peers.json", found)
say("%d rows: %s/peers.json", #found.rows, folder)
if wrong then
    say("an engine answers otherwise: its figures are missing")
    os.exit(1)
end
