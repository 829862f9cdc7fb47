--- Rounds of decisions of engines that are asked in turn.
local results = require("spec.bench.results")

local _M = {}


-- Nanoseconds a round aims at, and decisions it has at least: three that are allowed and one that
-- is not.
local AIM, LEAST = 100e6, 4

-- Rounds before those that count; slow engines have had their warm-up with the answers.
local WARM_UP, SLOW = 3, 1e9

--- Seconds that loading a workload, or all of its answers, may take.
_M.PATIENCE = 60

--- Seconds that one round may take.
_M.BUDGET = 20

--- How a request may come: its texts, filled into a request within the time; or prepared before.
_M.FORMS = { "texts", "prepared" }


-- How many of that many decisions are allowed; requests begin anew after the last.
local function count_allowed(answers, count)
    local _, whole = answers:gsub("1", "")
    local _, rest = answers:sub(1, count % #answers):gsub("1", "")
    return math.floor(count / #answers) * whole + rest
end


local function run_round(process, form, count, answers)
    local said, failed = process:ask(("round %s %d"):format(form, count), _M.BUDGET)
    if not said then
        return nil, failed
    end
    local spent, wall, allowed = said:match("^round (%d+) (%d+) (%d+)$")
    if tonumber(allowed) ~= count_allowed(answers, count) then
        return nil, "answered otherwise while it was timed: " .. said
    end
    return tonumber(spent), tonumber(wall)
end


-- How many decisions a round has. The engine is warm afterwards.
local function calibrate(process, form, answers)
    local count = LEAST
    local spent, failed = run_round(process, form, count, answers)
    while spent and spent < AIM / 2 do
        count = math.ceil(count * math.max(1.5, math.min(16, AIM / math.max(spent, 1))))
        spent, failed = run_round(process, form, count, answers)
    end
    for _ = 2, WARM_UP do
        if spent and spent < SLOW then
            spent, failed = run_round(process, form, count, answers)
        end
    end
    return spent and count, failed
end


--- Lets an engine read a workload, compares all its answers, and warms it up.
-- @tparam Child process
-- @tparam table workload
-- @tparam string path of the workload's file
-- @treturn {table,...}|nil a row for each form the engine has, to be handed to `rounds`
-- @treturn string why it cannot be timed
-- @treturn boolean whether that is because it answers otherwise
function _M.meet(process, workload, path)
    local answers = require("spec.bench.peers.workload").answers(workload)
    local said, failed = process:ask("load " .. path, _M.PATIENCE)
    if not said then
        return nil, failed
    end
    local rows = {}
    for _, form in ipairs(_M.FORMS) do
        said, failed = process:ask("answers " .. form, _M.PATIENCE)
        if not said then
            return nil, failed
        elseif said ~= "none" then
            if said ~= "answers " .. answers then
                return nil, ("%s, but right are %s"):format(said, answers), true
            end
            local count
            count, failed = calibrate(process, form, answers)
            if not count then
                return nil, failed
            end
            rows[#rows + 1] = { process = process, form = form, count = count, answers = answers,
                                workload = workload, times = {}, walls = {} }
        end
    end
    return rows
end


--- Times rows, one round of each in turn. Raises when an engine ends or answers otherwise.
-- @tparam {table,...} rows of `meet`
-- @tparam number rounds
function _M.rounds(rows, rounds)
    for round = 1, rounds do
        for _, row in ipairs(rows) do
            local spent, wall = run_round(row.process, row.form, row.count, row.answers)
            if not spent then
                error(("%s: %s"):format(row.workload.name, wall))
            end
            row.times[round], row.walls[round] = spent / row.count, wall / row.count
        end
    end
end


--- A row as results have it.
-- @tparam table row
-- @tparam string name of the engine
-- @tparam string style of its policies
-- @treturn table
function _M.result(row, name, style)
    local median, least, most = results.spread(row.times)
    local workload = row.workload
    return {
        name = name, style = style, form = row.form, family = workload.family,
        workload = workload.name, size = workload.size, unit = "ns", median = median, min = least,
        max = most, wall = (results.spread(row.walls)), count = row.count,
    }
end


return _M
