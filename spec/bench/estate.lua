-- What an estate costs: opening 10,000 APIs, and one authorize on ten APIs and on 10,000.
--
--     luajit spec/bench/estate.lua BUILD
--
-- Every API has its own account's ARN, stages and one of a few policy files, bound to it. The share
-- outside the core is what is left of an authorize when the same sets are asked, with the same
-- cells, directly through `postern.request`. Each estate is measured in a fresh process.
local build = assert(arg[1], "usage: luajit spec/bench/estate.lua BUILD")
package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = build .. "/?.so;" .. package.cpath

local FEW, MANY = 10, 10000

-- APIs of the estate, and how many of them are asked. Asking them all in turn finds none of them in
-- the processor's caches; what that costs beyond the second row is the price of memory.
local RUNS = { { FEW, FEW }, { MANY, FEW }, { MANY, MANY } }
local ROUNDS, PER_ROUND = 7, 20000
local PROCESSES = 5
local WARM_UP = 3 * MANY -- so that the flow of every API that is asked has been made

local POLICY = [[{ "Version": "2012-10-17", "Statement": [
    { "Sid": "Endpoint%d", "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
      "Resource": "execute-api:/live/*",
      "Condition": { "StringEquals": { "aws:SourceVpce": "vpce-1" },
                     "IpAddress": { "aws:VpcSourceIp": ["10.0.0.0/8", "2001:db8::/32"] } } },
    { "Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke",
      "Resource": "execute-api:/*/DELETE/*" } ] }]]

local ESTATE = [[
account "111122223333" region "eu-central-1"
vpc "vpc-1" { cidr = "10.0.0.0/8" }
endpoint "vpce-1" { service = "execute-api", vpc = "vpc-1" }
for i = 1, %d do
    api(("api%%05d"):format(i)) {
        endpoint_type = "PRIVATE", authorization = "NONE", stages = { "live", "test" },
        policy = ("policy%%d.json"):format(i %% 10),
    }
end
]]


local function read_of(count)
    local plain = require("postern.host.plain")
    return function(path)
        local number = path:match("^policy(%d)%.json$")
        if path == "estate.lua" then
            return ESTATE:format(count)
        end
        return number and POLICY:format(number) or plain.read(path)
    end
end


-- Kilobytes the process occupies, the core's included.
local function resident()
    local file = io.open("/proc/self/status")
    local text = file and file:read("*a") or ""
    if file then
        file:close()
    end
    return tonumber(text:match("VmRSS:%s*(%d+)")) or 0
end


local function median(times)
    table.sort(times)
    return times[(#times + 1) / 2]
end


-- Nanoseconds of one call of `act`, the median of some rounds.
local function time(act)
    local times = {}
    for i = 1, ROUNDS do
        local start = os.clock()
        for n = 1, PER_ROUND do
            act(n)
        end
        times[i] = (os.clock() - start) * 1e9 / PER_ROUND
    end
    return median(times)
end


-- The requests, spread over the APIs; a stride that is prime to their number visits each. There are
-- as many for few APIs as for many, so that reading them costs the same.
local function requests_of(asked)
    local requests = {}
    for n = 1, MANY do
        requests[n] = {
            api = ("api%05d"):format((n * 7919) % asked + 1), stage = "live", method = "GET",
            path = "/orders/42", vpce = "vpce-1", client_ip = "10.1.2.3",
        }
    end
    return requests
end


-- The core's part: the two sets of one API, with the keys they mention.
local function core_time(estate)
    local new = require("postern.request").new
    local api = estate.apis.api00001
    local asked = {}
    for _, set in ipairs({ api.policy, estate.endpoints["vpce-1"].policy }) do
        asked[#asked + 1] = {
            request = assert(new(set)),
            vpce = set:find_key("aws:SourceVpce"), ip = set:find_key("aws:VpcSourceIp"),
        }
    end
    local resource = api.arn .. "/live/GET/orders/42"
    return time(function()
        for _, one in ipairs(asked) do
            local request = one.request
            request:reset()
            request:principal("*")
            request:action("execute-api:Invoke")
            request:resource(resource)
            if one.vpce then
                request:put(one.vpce, "vpce-1")
                request:put(one.ip, "10.1.2.3")
            end
            request:evaluate()
        end
    end)
end


local function measure(count, asked)
    local postern = require("postern")
    local before = resident()
    local start = os.clock()
    local estate = assert(postern.open("estate.lua", { read = read_of(count) }))
    local seconds = os.clock() - start
    collectgarbage()
    local kilobytes = resident() - before
    local requests = requests_of(asked)
    local function authorize(n)
        if not estate:authorize(requests[n % #requests + 1]).allowed then
            error("not allowed")
        end
    end
    for n = 1, WARM_UP do
        authorize(n)
    end
    print(seconds, kilobytes, time(authorize), core_time(estate))
end


if arg[2] then
    measure(tonumber(arg[2]), tonumber(arg[3]))
    return
end


-- One measurement in a fresh process: its numbers.
local function run_once(run)
    local pipe = assert(io.popen(("luajit spec/bench/estate.lua %s %d %d")
        :format(build, run[1], run[2])))
    local numbers = {}
    for number in pipe:read("*a"):gmatch("%S+") do
        numbers[#numbers + 1] = tonumber(number)
    end
    pipe:close()
    assert(#numbers == 4, "no measurement")
    return numbers
end


-- The medians of several processes, taken in turn: what the machine does meanwhile and which traces
-- the compiler happens to find differ from one to the next.
local function medians()
    local all = {}
    for _ = 1, PROCESSES do
        for i, run in ipairs(RUNS) do
            all[i] = all[i] or { {}, {}, {}, {} }
            for column, number in ipairs(run_once(run)) do
                table.insert(all[i][column], number)
            end
        end
    end
    for i in ipairs(RUNS) do
        for column = 1, 4 do
            all[i][column] = median(all[i][column])
        end
    end
    return all
end


print(("An estate of private APIs behind one endpoint; medians of %d processes of %d rounds.\n")
    :format(PROCESSES, ROUNDS))
local row = "%8s %8s %9s %10s %12s %8s %12s %9s %12s"
print(row:format("APIs", "asked", "open s", "open MiB", "authorize ns", "of first", "decisions/s",
                 "core ns", "outside core"))
local first
for i, numbers in ipairs(medians()) do
    local seconds, kilobytes, total, core = unpack(numbers)
    first = first or total
    print(row:format(RUNS[i][1], RUNS[i][2], ("%.2f"):format(seconds),
        ("%.1f"):format(kilobytes / 1024), ("%.0f"):format(total), ("%.2f"):format(total / first),
        ("%.0f"):format(1e9 / total), ("%.0f"):format(core),
        ("%.0f %%"):format(100 * (total - core) / total)))
end
