-- What it costs to load policies: `make bench`.
--
--     luajit spec/bench/loading.lua BUILD [COUNT]
--
-- COUNT policies of about 1 KB (100,000) by `bench_loading`, and its instructions a byte, counted
-- by callgrind where valgrind is installed; the bytes that the published policies in
-- ../shared/corpus have once they are compiled, where that is there; and the time to open estates,
-- each API of which has a policy of its own. The figures go to BUILD/bench/loading.json as well.
local build = assert(arg[1], "usage: luajit spec/bench/loading.lua BUILD [COUNT]")
package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path
package.cpath = build .. "/?.so;" .. package.cpath

local COUNT = tonumber(arg[2]) or 100000
local CORPUS = "../shared/corpus"
local ESTATES = { 1000, 10000 }
local PROCESSES = 5
local LEAST_SPEED, MOST_BYTES = 80, 3 -- the targets

local ESTATE = [[
account "111122223333" region "eu-central-1"
vpc "vpc-1" { cidr = "10.0.0.0/8" }
endpoint "vpce-1" { service = "execute-api", vpc = "vpc-1" }
for i = 1, %d do
    api(("api%%05d"):format(i)) {
        endpoint_type = "PRIVATE", authorization = "NONE", stages = { "live", "test" },
        policy = ("policy%%d.json"):format(i),
    }
end
]]

local POLICY = [[{ "Version": "2012-10-17", "Statement": [
    { "Sid": "Team%d", "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
      "Resource": "execute-api:/live/GET/team-%d/*",
      "Condition": { "StringEquals": { "aws:SourceVpce": "vpce-1" },
                     "IpAddress": { "aws:VpcSourceIp": ["10.%d.0.0/16", "2001:db8::/32"] } } },
    { "Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke",
      "Resource": "execute-api:/*/DELETE/*" } ] }]]


-- ---- An estate, in a process of its own ----------------------------------------


local function read_of(count)
    local plain = require("postern.host.plain")
    return function(path)
        local number = tonumber(path:match("^policy(%d+)%.json$"))
        if path == "estate.lua" then
            return ESTATE:format(count)
        end
        return number and POLICY:format(number, number, number % 256) or plain.read(path)
    end
end


if arg[3] then
    local postern = require("postern")
    local start = os.clock()
    assert(postern.open("estate.lua", { read = read_of(tonumber(arg[3])) }))
    print(os.clock() - start)
    return
end


-- ---- The tables ----------------------------------------------------------------


local results = require("spec.bench.results")
local found = { kind = "loading", machine = results.machine(), rows = {} }

local function note(name, form, size, unit, median, least, most)
    found.rows[#found.rows + 1] = { name = name, form = form, size = size, unit = unit,
        median = tonumber(median), min = tonumber(least or median),
        max = tonumber(most or median) }
end


local function read_command(command)
    local pipe = assert(io.popen(command))
    local text = pipe:read("*a")
    pipe:close()
    return text
end


local function verdict(met)
    return met and "met" or "missed"
end


local has_valgrind = os.execute("command -v valgrind >/dev/null 2>&1") == 0

-- The difference of two runs, less that of two which only write the texts.
local function instructions(form, how)
    if not has_valgrind then
        return "-"
    end
    local function run(what, count)
        local text = read_command(("valgrind --tool=callgrind --callgrind-out-file=/dev/null "
            .. "%s/bench_loading %s %s %d 2>&1"):format(build, form, what, count))
        return tonumber(text:match("Collected : (%d+)")), tonumber(text:match("\n(%d+)\n"))
    end
    local few, many = 500, 2500
    local low, small = run(how, few)
    local high, large = run(how, many)
    local writing = run("write", many) - run("write", few)
    return ("%.0f"):format((high - low - writing) / (large - small))
end


local function print_speeds()
    print(("%d policies: MB of their text a second of one core; medians of 5 rounds.")
        :format(COUNT))
    print("`read`: the reader alone; `each`: a set of each; `together`: one set, with its "
        .. "directory.\n")
    print("A policy's allocations, pages touched for the first time, and bytes of its set, which "
        .. "for\n`together` are bytes of memory that a policy takes up.\n")
    local row = "%-9s %-9s %7s %8s %16s %8s %12s %7s %8s %8s"
    print(row:format("policies", "", "bytes", "MB/s", "least to most", "instr/B", "allocations",
                     "pages", "set B", "set B/B"))
    local speeds = {}
    for form, how, bytes, median, least, most, allocations, pages, compiled in
        read_command(("%s/bench_loading %d"):format(build, COUNT))
            :gmatch("(%S+) (%S+) %d+ (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)\n") do
        local is_read = how == "read"
        print(row:format(form, how, bytes, median, least .. " to " .. most, instructions(form, how),
            allocations, pages, is_read and "-" or ("%.0f"):format(bytes * compiled),
            is_read and "-" or compiled))
        speeds[form .. how] = tonumber(median)
        note(form, how, COUNT, "MB/s", median, least, most)
        if not is_read then
            note(form, how, COUNT, "B/B", compiled)
        end
    end
    for _, how in ipairs({ "each", "together" }) do
        print(("\nAt least %d MB/s, compact, %s: %s."):format(LEAST_SPEED, how,
            verdict(speeds["compact" .. how] >= LEAST_SPEED)))
    end
end


local function print_corpus()
    local paths = read_command(("find %s/apigateway %s/iam %s/seeds %s/vpc -name '*.json' "
        .. "2>/dev/null"):format(CORPUS, CORPUS, CORPUS, CORPUS))
    if paths == "" then
        print(("\n%s is not there: the published policies are not measured."):format(CORPUS))
        return
    end
    local list = os.tmpname()
    local file = assert(io.open(list, "w"))
    file:write(paths)
    file:close()
    local policies, skipped, bytes, each, together =
        read_command(("%s/bench_loading files < %s"):format(build, list))
            :match("(%d+) (%d+) (%d+) (%d+) (%d+)")
    os.remove(list)
    note("published", "each", tonumber(policies), "B/B", ("%.3f"):format(each / bytes))
    note("published", "together", tonumber(policies), "B/B", ("%.3f"):format(together / bytes))
    print(("\n%s published policies (%s files that are none are left out), %s bytes: compiled, "
        .. "each a set, %.2f bytes a byte;\ntogether, a set for each type, %.2f. At most %d: %s.")
        :format(policies, skipped, bytes, each / bytes, together / bytes, MOST_BYTES,
            verdict(each / bytes <= MOST_BYTES)))
end


local function print_estates()
assert(os.execute(("mkdir -p %s/bench"):format(build)) == 0)
results.write(build .. "/bench/loading.json", found)
    print(("\nSeconds of CPU time to open an estate; of %d processes the median, least and most.\n")
        :format(PROCESSES))
    for _, count in ipairs(ESTATES) do
        local times = {}
        for i = 1, PROCESSES do
            times[i] = tonumber(read_command(("luajit spec/bench/loading.lua %s 0 %d")
                :format(build, count)))
        end
        table.sort(times)
        local median = times[(PROCESSES + 1) / 2]
        print(("%6d policies %6.2f %6.2f %6.2f"):format(count, median, times[1], times[PROCESSES]))
        note("estate", "open", count, "s", median, times[1], times[PROCESSES])
    end
end


print_speeds()
print_corpus()
print_estates()
assert(os.execute(("mkdir -p %s/bench"):format(build)) == 0)
results.write(build .. "/bench/loading.json", found)
