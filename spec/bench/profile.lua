-- Where the instructions of a decision, a lookup and of loading go: `make bench-profile`.
--
--     luajit spec/bench/profile.lua BUILD [--policies 100000] [--only TEXT]
--
-- The programs of the other benchmarks under callgrind, which counts while their rounds run and
-- nothing else; on the path without SIMD, and on that with AVX2, the most that valgrind knows.
-- Counts are the same in every run and on every machine, but for the C library, which chooses its
-- functions by the processor. Results: BUILD/bench/profile.json; what callgrind wrote stays in
-- BUILD/bench/profile, for callgrind_annotate or kcachegrind. `--only` takes the cases that have
-- TEXT in their names, and keeps the others' results as they are.
package.path = "./?.lua;" .. package.path

local argparse = require("argparse")
local callgrind = require("spec.bench.callgrind")
local results = require("spec.bench.results")
local workloads = require("spec.bench.peers.workload")

local parser = argparse("profile", "Where the instructions go.")
parser:argument("build")
parser:option("--policies", "how many are loaded", "100000"):convert(tonumber)
parser:option("--only", "cases that have this text in their names"):default("")
local options = parser:parse()

-- Turns through a workload: what the round itself costs is little beside.
local TURNS = 50
local LOOKUPS = 262144 -- the stream of bench_cidr
local LEAST_SHARE = 0.002 -- what has less is not told by name

-- The same on every machine: valgrind would take this processor's, or what it makes of it.
local CACHES = { flags = "--D1=32768,8,64 --LL=1048576,16,64",
                 words = "32 KiB of 8 ways, and behind it 1 MiB of 16, lines of 64 bytes" }


-- ---- What there is ---------------------------------------------------------------


local function line_of(command)
    local pipe = assert(io.popen(command))
    local line = pipe:read("*l")
    pipe:close()
    return line
end


local VALGRIND = line_of("valgrind --version 2>/dev/null")
if not VALGRIND then
    io.stderr:write("valgrind is not installed: there is no profile without it\n")
    os.exit(1)
end
local HERE = line_of("pwd")
local OUT = options.build .. "/bench/profile"

local missing = {}

-- Paths that are taken, those that are not told in `missing`.
local function paths()
    if (results.text("/proc/cpuinfo") or ""):find("%f[%w]avx2%f[%W]") then
        return { "scalar", "avx2" }
    end
    missing[#missing + 1] = { name = "avx2", reason = "the processor has none" }
    return { "scalar" }
end


-- ---- One run ---------------------------------------------------------------------


-- Runs a program on a path. Functions in `toggles` are counted; after each end of the first, where
-- `parts` says so, a profile begins anew. Answers the profiles.
local function run(name, path, toggles, parts, caches, command)
    local out = ("%s/%s-%s.out"):format(OUT, name, path)
    os.execute(("rm -f '%s' '%s'.*"):format(out, out))
    local flags = { "--dump-line=yes", "--callgrind-out-file=" .. out,
                    caches and "--cache-sim=yes " .. CACHES.flags or "" }
    for _, each in ipairs(toggles) do
        flags[#flags + 1] = "--toggle-collect=" .. each
    end
    if parts then
        flags[#flags + 1] = "--dump-after=" .. toggles[1]
    end
    local log = out .. ".log"
    local line = command:format(("env POSTERN_SIMD=%s valgrind --tool=callgrind %s %s/"):format(
        path, table.concat(flags, " "), options.build))
    if os.execute(("{ %s; } >'%s' 2>&1"):format(line, log)) ~= 0 then
        error(("%s\n%s"):format(line, (results.text(log) or ""):sub(-2000)), 0)
    end
    local profiles = {}
    for i = 1, parts or 1 do
        local file = parts and ("%s.%d"):format(out, i) or out
        profiles[i] = callgrind.read(assert(results.text(file), file .. " was not written"))
    end
    return profiles
end


local function rounded(number)
    return math.floor(number * 100 + 0.5) / 100
end


-- Those of a list that have a share worth telling.
local function shares_of(list, total, units)
    local made = {}
    for _, each in ipairs(list) do
        local count = each.counts.Ir or 0
        if count >= total * LEAST_SHARE then
            made[#made + 1] = { name = each.name, file = each.file,
                                median = rounded(count / units),
                                share = math.floor(count / total * 1000 + 0.5) / 1000 }
        end
    end
    return made
end


-- A profile as a row of results; `units` is how many decisions, lookups or policies it is of.
local function row_of(profile, of, units)
    local total = assert(profile.total.Ir, "callgrind collected nothing")
    local each = rounded(total / units)
    local row = {
        unit = "instructions", of = of, count = units, median = each, min = each, max = each,
        calls = shares_of(callgrind.calls_from(profile, HERE, "spec/bench"), total, units),
        functions = shares_of(callgrind.functions(profile, HERE, results.text), total, units),
    }
    if profile.total.Dr then
        row.loads = rounded(profile.total.Dr / units)
        row.misses = rounded((profile.total.D1mr or 0) / units)
        row.far_misses = rounded((profile.total.DLmr or 0) / units)
    end
    return row
end


-- ---- Cases -----------------------------------------------------------------------


local FORMS = { "texts", "prepared" }

-- Decisions of one workload, from texts and prepared.
local function decisions(workload)
    local path = workloads.write(OUT, workload)
    local count = TURNS * workloads.REQUESTS
    return {
        name = workload.name, forms = FORMS, family = workload.family, size = workload.size,
        of = "decision", units = count, parts = true, caches = true, toggles = { "round_of" },
        command = ("printf 'load %s\\nround texts %d\\nround prepared %d\\n' | %%speer_postern")
            :format(path, count, count),
    }
end


-- Lookups of hits among a million prefixes.
local function lookups(family)
    return {
        name = family .. "-1000000", forms = { "values", "membership" }, family = family,
        size = 1000000, of = "lookup", units = LOOKUPS, parts = true, caches = true,
        toggles = { "round_of" }, command = ("%%sprofile_cidr %s 1000000 1"):format(family),
    }
end


local function loading(how)
    return {
        name = "loading", forms = { how }, family = "loading", size = options.policies,
        of = "policy", units = options.policies, best = true, toggles = { "load_one", "finish" },
        command = ("%%sbench_loading compact %s %d"):format(how, options.policies),
    }
end


local function cases()
    local list = {}
    for _, name in ipairs(workloads.SEEDS) do
        list[#list + 1] = function() return decisions(workloads.seed(name)) end
    end
    for _, family in ipairs({ "exact", "globs" }) do
        list[#list + 1] = function() return decisions(workloads[family](10000)) end
    end
    for _, family in ipairs({ "net4", "net6" }) do
        list[#list + 1] = function() return lookups(family) end
    end
    for _, how in ipairs({ "together", "each" }) do
        list[#list + 1] = function() return loading(how) end
    end
    return list
end


local LINE = "%-16s %-11s %-7s %10.1f instructions a %s, most in %s"

-- Loading has nothing of its own by path: it is run on the best alone.
local function measure(case, all_paths, rows)
    local by_form = {}
    for _, path in ipairs(case.best and { all_paths[#all_paths] } or all_paths) do
        local name = #case.forms > 1 and case.name or case.name .. "-" .. case.forms[1]
        local profiles = run(name, path, case.toggles, case.parts and #case.forms, case.caches,
            case.command)
        for i, form in ipairs(case.forms) do
            local row = row_of(profiles[i], case.of, case.units)
            row.name, row.form, row.simd = case.name, form, path
            row.family, row.size = case.family, case.size
            by_form[i] = by_form[i] or {}
            table.insert(by_form[i], row)
            print(LINE:format(row.name, form, path, row.median, row.of, row.functions[1].name))
        end
    end
    for _, list in ipairs(by_form) do
        for _, row in ipairs(list) do
            rows[#rows + 1] = row
        end
    end
end


io.stdout:setvbuf("line")
assert(os.execute("mkdir -p " .. OUT) == 0)
local all_paths = paths()
local before = options.only ~= "" and results.read(options.build .. "/bench/profile.json")
local found = { kind = "profile", machine = results.machine(), profiler = VALGRIND,
                caches = CACHES.words, missing = missing, rows = {} }
for _, make in ipairs(cases()) do
    local case = make()
    local name = ("%s %s"):format(case.name, table.concat(case.forms, " "))
    if name:find(options.only, 1, true) then
        measure(case, all_paths, found.rows)
    else
        for _, row in ipairs(before and before.rows or {}) do
            local same = false
            for _, form in ipairs(case.forms) do
                same = same or row.name == case.name and row.form == form
            end
            found.rows[#found.rows + 1] = same and row or nil
        end
    end
    os.remove(("%s/%s.json"):format(OUT, case.name))
end
results.write(options.build .. "/bench/profile.json", found)
for _, each in ipairs(missing) do
    print(("%s was not taken: %s."):format(each.name, each.reason))
end
