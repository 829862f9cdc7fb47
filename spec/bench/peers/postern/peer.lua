-- Postern, from Lua: `postern.set` and `postern.request`. Lines on standard input ask; see
-- ../README.md.
--
--     luajit spec/bench/peers/postern/peer.lua BUILD
local build = assert(arg[1], "usage: luajit peer.lua BUILD")
package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = build .. "/?.so;" .. package.cpath

local cjson = require("cjson")
local requests = require("postern.request")
local sets = require("postern.set")

local ALLOWED = requests.ALLOWED


local function read(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read("*a")
    file:close()
    return text
end


-- White space that says a number modulo 6561, in the eight bytes that LuaJIT's hash of a long
-- string never leaves out. Policies that differ in a few bytes alone would else share one hash.
local BLANKS = { [0] = " ", "\t", "\r" }

local function mark(number)
    local blanks = {}
    for i = 1, 8 do
        blanks[i] = BLANKS[number % 3]
        number = math.floor(number / 3)
    end
    return table.concat(blanks)
end


-- The policies as they stand in the file, a line each.
local function policies(text)
    local count, list = 0, {}
    local lines = text:match('"policies":%[\n(.-)%],\n"rules"') .. "\n"
    local marked = lines:gsub("},?\n", function()
        count = count + 1
        return "}" .. mark(count) .. "\n"
    end)
    for policy in marked:gmatch("[^\n]+") do
        list[#list + 1] = { name = "policy", text = policy }
    end
    return list
end


local function load_workload(path)
    local text = read(path)
    local set = assert(sets.compile(policies(text), { type = "endpoint" }))
    local asked = cjson.decode('{"requests":' .. text:match('"requests":(.*)$')).requests
    return { request = assert(requests.new(set)), key = set:find_key("aws:SourceIp"),
             asked = asked }
end


local function decide(workload, n)
    local request, asked, key = workload.request, workload.asked[n], workload.key
    request:reset()
    request:principal(asked.principal)
    request:action(asked.action)
    request:resource(asked.resource)
    if key then
        request:put(key, asked.ip)
    end
    return (request:evaluate()) == ALLOWED
end


local function answers(workload, form)
    if form ~= "texts" then
        return "none"
    end
    local bits = {}
    for n = 1, #workload.asked do
        bits[n] = decide(workload, n) and "1" or "0"
    end
    return "answers " .. table.concat(bits)
end


local function round(workload, count)
    local allowed, all = 0, #workload.asked
    local start = os.clock()
    for n = 0, count - 1 do
        if decide(workload, n % all + 1) then
            allowed = allowed + 1
        end
    end
    local spent = (os.clock() - start) * 1e9
    return ("round %.0f %.0f %d"):format(spent, spent, allowed)
end


local workload

local ACTS = {
    load = function(path)
        workload = nil
        collectgarbage()
        workload = load_workload(path)
        return "ok"
    end,
    answers = function(form)
        return answers(workload, form)
    end,
    round = function(_, count)
        return round(workload, tonumber(count))
    end,
}


io.stdout:setvbuf("line")
print("hello " .. cjson.encode({ engine = "Postern, from Lua",
    version = require("postern").version, runtime = jit.version }))
for line in io.lines() do
    local act, first, second = line:match("^(%S+) ?(%S*) ?(%S*)$")
    local ok, said = pcall(ACTS[act], first, second)
    print(ok and said or "error " .. tostring(said):gsub("\n", " "))
end
