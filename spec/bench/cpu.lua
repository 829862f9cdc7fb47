--- CPU time of server processes, and what a request costs by it.
--
-- Requests a second depend on how often the machine has to wake a core, and differ threefold from
-- run to run for one program. The time the scheduler gave to the server's threads repeats far
-- better. A server is asked in turn with the others, round by round, so that a slow moment hits all
-- alike, and a ratio is taken within a round before the median over rounds is.
local uv = require("luv")

local _M = {}


local function lines_of(path)
    local file = io.open(path)
    if not file then
        return nil
    end
    local text = file:read("*a")
    file:close()
    return text
end


local function threads(pid)
    local names = {}
    local scan = uv.fs_scandir(("/proc/%d/task"):format(pid))
    while scan do
        local name = uv.fs_scandir_next(scan)
        if not name then
            break
        end
        names[#names + 1] = name
    end
    return names
end


--- A process and all that descend from it.
-- @tparam number pid
-- @treturn {number,...}
function _M.tree(pid)
    local pids = { pid }
    for _, thread in ipairs(threads(pid)) do
        local children = lines_of(("/proc/%d/task/%s/children"):format(pid, thread)) or ""
        for child in children:gmatch("%d+") do
            for _, each in ipairs(_M.tree(tonumber(child))) do
                pids[#pids + 1] = each
            end
        end
    end
    return pids
end


--- The CPU time that processes have had.
-- @tparam {number,...} pids
-- @treturn number nanoseconds, over all threads
function _M.spent(pids)
    local sum = 0
    for _, pid in ipairs(pids) do
        for _, thread in ipairs(threads(pid)) do
            local text = lines_of(("/proc/%d/task/%s/schedstat"):format(pid, thread))
            sum = sum + (text and assert(tonumber(text:match("^(%d+)")), "no schedstat") or 0)
        end
    end
    return sum
end


--- The memory that processes hold.
-- @tparam {number,...} pids
-- @treturn number MiB that are resident, and of no file
function _M.resident(pids)
    local sum = 0
    for _, pid in ipairs(pids) do
        local text = lines_of(("/proc/%d/status"):format(pid)) or ""
        sum = sum + (tonumber(text:match("RssAnon:%s*(%d+)")) or 0)
    end
    return sum / 1024
end


--- The middle of numbers.
-- @tparam {number,...} numbers not empty
-- @treturn number
function _M.median(numbers)
    local sorted = { unpack(numbers) }
    table.sort(sorted)
    local half = math.floor(#sorted / 2)
    return #sorted % 2 == 1 and sorted[half + 1] or (sorted[half] + sorted[half + 1]) / 2
end


-- A JIT compiles what is seldom taken after what is taken often.
local WARM_UP = 3

-- Nanoseconds a request.
local function run(row, turn)
    if row.prepare then
        row.prepare(turn)
    end
    local pids = row.pids(turn)
    local before = _M.spent(pids)
    local answered = row.run(turn)
    return (_M.spent(pids) - before) / answered
end


--- Measures servers in turn.
-- @tparam {table,...} rows each `pids` (a function to a list) and `run`, a function that puts load
-- on the server and answers how many requests it answered; it raises when an answer was wrong.
-- Both are called with a number: where `turns` processes do the same, which of them it is. They
-- take turns, so that what one process has by chance is not in every round. Optionally `prepare`,
-- which does in front of each round what does not count
-- @tparam number rounds that count, behind some that warm up
-- @tparam[opt] function tell called with the number of each round
-- @treturn {table,...} for each row its nanoseconds a request, round by round
function _M.compare(rows, rounds, tell)
    local times = {}
    for i, row in ipairs(rows) do
        times[i] = {}
        for turn = 1, row.turns or 1 do
            for _ = 1, WARM_UP do
                run(row, turn)
            end
        end
    end
    for round = 1, rounds do
        for i, row in ipairs(rows) do
            times[i][round] = run(row, (round - 1) % (row.turns or 1) + 1)
        end
        if tell then
            tell(round)
        end
    end
    return times
end


--- The ratio of two rows, round by round.
-- @tparam {number,...} times
-- @tparam {number,...} base
-- @treturn number its median
-- @treturn number the least
-- @treturn number the most
function _M.ratio(times, base)
    local ratios = {}
    for i, time in ipairs(times) do
        ratios[i] = time / base[i]
    end
    return _M.median(ratios), math.min(unpack(ratios)), math.max(unpack(ratios))
end


return _M
