-- Policies that change ten times a second under load: `make soak-nginx` and `make soak-server`.
--
--     luajit spec/bench/reload_under_load.lua BUILD [--front NAME | --server NAME]
--         [--seconds 60] [--every 0.1] [--rate 2000] [--workers 2] [--soak SECONDS]
--
-- NAME of a front: `postern`, or `direct`, which only asks `authorize`; of a server: `postern`, or
-- `luv`, which does the same.
--
-- The estate's policy files are written over and over in two versions. The answers to the control
-- requests are the same in both; the switching request is allowed by one and denied by the other,
-- so that either answer is right while files change, and after the last change only one is.
--
-- Phases: quiet, reloading for --seconds, quiet again, each at --rate requests a second whose
-- latency counts from when they were due; and with --soak, as much as the server takes.
local build = assert(arg[1], "usage: luajit spec/bench/reload_under_load.lua BUILD [OPTION]...")
package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path
package.cpath = build .. "/?.so;" .. package.cpath

local uv = require("luv")
local cpu = require("spec.bench.cpu")
local estates = require("spec.bench.estates")
local fronts = require("spec.bench.fronts")
local load = require("spec.bench.load")
local processes = require("spec.bench.processes")
local servers = require("spec.bench.servers")

-- Seconds of a quiet phase, and until the last change has to be in use.
local QUIET, SETTLE = 10, 10


local function read_options()
    local options = { seconds = 60, every = 0.1, rate = 2000, workers = 2, soak = 0 }
    local at = 2
    while arg[at] do
        local name = arg[at]:match("^%-%-(%l+)$")
        if name == "server" or name == "front" then
            options[name], at = assert(arg[at + 1], "a name"), at + 2
        else
            assert(options[name or ""], "unknown option " .. arg[at])
            options[name], at = assert(tonumber(arg[at + 1]), arg[at] .. ": a number"), at + 2
        end
    end
    return options
end


-- ---- The subject -----------------------------------------------------------------


local function start_nginx(folder, estate, options)
    local names = fronts.names(true)
    local name = options.front or names[#names]
    local list = { unpack(estates.SEED) }
    list[#list + 1] = estates.SWITCH
    local process = processes.nginx(build, folder, {
        name = "nginx", workers = options.workers, level = "info",
        http = fronts.http(name, estate, true),
        server = fronts.locations(name, list, "empty_gif;"),
    })
    local function request(each, status, method)
        return estates.seed_message(each, { status = status, method = method, callers = true })
    end
    return process, {
        allowed = function(each) return request(each, "200") end,
        denied = function(each, method) return request(each, "403", method) end,
        either = function(each) return request(each, "200,403") end,
    }
end


local function start_server(folder, estate, options)
    local process = options.server == "luv" and servers.luv(build, folder, "decide", estate)
        or servers.postern(build, folder, estate, options.workers)
    local function request(each, method, contains)
        return servers.decide(estates.seed_request(each, method), contains)
    end
    return process, {
        allowed = function(each) return request(each, "GET", servers.ALLOWED) end,
        denied = function(each, method) return request(each, method, servers.DENIED) end,
        either = function(each) return request(each, "GET") end,
    }
end


local function write_requests(folder, make)
    local list = {}
    for i, each in ipairs(estates.SEED) do
        list[i] = make.allowed(each)
    end
    list[#list + 1] = make.denied(estates.SEED[4], "DELETE")
    list[#list + 1] = make.either(estates.SWITCH)
    return {
        all = load.write(folder .. "/all.requests", list),
        opened = load.write(folder .. "/opened.requests", { make.allowed(estates.SWITCH) }),
        closed = load.write(folder .. "/closed.requests", { make.denied(estates.SWITCH, "GET") }),
    }
end


-- ---- Phases ------------------------------------------------------------------------


local function start_writing(folder, every)
    local timer, state = uv.new_timer(), { count = 0 }
    timer:start(0, math.floor(every * 1000), function()
        state.count = state.count + 1
        estates.write_version(folder, state.count % 2)
    end)
    function state.stop()
        timer:close()
    end
    return state
end


local function start_sampling(process)
    local timer, samples = uv.new_timer(), {}
    timer:start(0, 1000, function()
        samples[#samples + 1] = cpu.resident(process:workers())
    end)
    function samples.stop()
        timer:close()
    end
    return samples
end


local LINE = "%-14s %10s %7s %7s %9s %9s %9s %9s %9s %7s"

local function print_phase(name, result, samples, writes)
    local latency, share = result.latency_us, {}
    for i = 1, 5 do -- memory at the start, the quarters and the end
        local sample = samples[math.max(1, math.ceil((#samples - 1) * (i - 1) / 4) + 1)]
        share[i] = ("%.1f"):format(sample)
    end
    print(LINE:format(name, ("%.0f"):format(result.answered), ("%.0f"):format(result.wrong),
        ("%.0f"):format(result.failed), ("%.0f/s"):format(result.rate),
        ("%.0f"):format(latency.median), ("%.0f"):format(latency.p99),
        ("%.0f"):format(latency.p999), ("%.0f"):format(latency.max), writes))
    print(("%14s MiB of the workers, at quarters: %s"):format("", table.concat(share, "  ")))
end


local function phase(name, subject, options, folder, every)
    local writing = every and start_writing(folder, every)
    local samples = start_sampling(subject.process)
    for key, value in pairs(subject.process:target()) do
        options[key] = value
    end
    options.requests = subject.files.all
    local result, status = load.run(build, options)
    samples.stop()
    if writing then
        writing.stop()
    end
    print_phase(name, result, samples, writing and writing.count or 0)
    local switched = result.answers[#result.answers]
    if status ~= 0 then
        print("               " .. result.problem)
    end
    return result, status == 0, switched
end


-- So many times in a row the answers have to be right: the connections of one may all lead to the
-- same worker.
local IN_A_ROW = 5

-- Whether the last version is in use, at all workers, before long; and after how many seconds.
local function settles(subject, folder, version, file)
    estates.write_version(folder, version)
    local since, right, settled = uv.hrtime(), 0, nil
    while right < IN_A_ROW do
        local now = uv.hrtime()
        local options = subject.process:target()
        options.requests, options.count, options.connections = file, 300, 16
        if select(2, load.run(build, options)) == 0 then
            settled = settled or now
            right = right + 1
        elseif now - since > SETTLE * 1e9 then
            return false
        else
            right, settled = 0, nil
        end
    end
    return true, (settled - since) / 1e9
end


local function run_phases(subject, folder, options)
    local quiet = math.min(QUIET, options.seconds)
    print(LINE:format("", "answered", "wrong", "failed", "", "median us", "p99", "p99.9", "max",
        "writes"))
    local right = true
    local function note(ok)
        right = right and ok
    end
    local _, ok = phase("quiet", subject, { rate = options.rate, seconds = quiet }, folder)
    note(ok)
    local switched
    _, ok, switched = phase("reloading", subject,
        { rate = options.rate, seconds = options.seconds }, folder, options.every)
    note(ok)
    _, ok = phase("quiet again", subject, { rate = options.rate, seconds = quiet }, folder)
    note(ok)
    if options.soak > 0 then
        _, ok = phase("full load", subject, { seconds = options.soak }, folder)
        note(ok)
    end
    local answers = {}
    for status, count in pairs(switched) do
        answers[#answers + 1] = ("%s: %d"):format(status, count)
    end
    table.sort(answers)
    print("\nThe switching request while reloading, by status: " .. table.concat(answers, ", "))
    local _, loads = subject.process:said():gsub("revision %x+ is in use", "")
    print(("Generations taken into use, over all workers: %d"):format(loads))
    note(loads >= options.seconds) -- else nothing was reloaded, and nothing is proved
    note(options.server or switched["200"] and switched["403"])
    for _, last in ipairs({ { 0, "closed" }, { 1, "opened" }, { 0, "closed" } }) do
        local settled, seconds = settles(subject, folder, last[1], subject.files[last[2]])
        note(settled)
        print(("The last change (%s): %s"):format(last[2], settled
            and ("in use at all workers within %.2f s"):format(seconds) or "NOT IN USE"))
    end
    return right
end


local options = read_options()
processes.with_folder(function(folder)
    local estate = estates.switching(folder)
    local start = options.server and start_server or start_nginx
    local process, make = start(folder, estate, options)
    local subject = { process = process, files = write_requests(folder, make) }
    local warm = process:target()
    warm.requests, warm.count = subject.files.all, 20000
    load.run_right(build, warm)
    if not run_phases(subject, folder, options) then
        io.stderr:write("The end of its log:\n", process:said():sub(-1000), "\n")
        error("an answer was wrong or missing, see above", 0)
    end
end)
