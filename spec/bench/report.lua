--- Rows of a benchmark of servers: how one is run, and the table of all.
local cpu = require("spec.bench.cpu")
local load = require("spec.bench.load")

local _M = {}


--- A row for `compare` of `spec.bench.cpu`.
-- @tparam string build
-- @tparam table options `name`, `base` (the name of the row it is compared with), `turns` (lists of
-- servers that take turns; the CPU time of a list counts, and its first is asked), `requests` (a
-- file), `count`, optionally `pipeline` and `per`, how many of what is counted an answer holds
-- @treturn table
function _M.row(build, options)
    local targets = {}
    for i, asked in ipairs(options.turns) do
        targets[i] = asked[1]:target()
        targets[i].requests, targets[i].count = assert(options.requests), options.count
        targets[i].pipeline = options.pipeline
    end
    return {
        name = options.name, base = options.base, turns = #options.turns,
        pids = function(turn)
            local pids = {}
            for _, server in ipairs(options.turns[turn]) do
                for _, pid in ipairs(server:workers()) do
                    pids[#pids + 1] = pid
                end
            end
            return pids
        end,
        -- While others were measured, a process has lost its caches, and pages it has not used.
        prepare = function(turn)
            local target = {}
            for name, value in pairs(targets[turn]) do
                target[name] = value
            end
            target.count = math.ceil((target.count or 1000) / 4)
            load.run_right(build, target)
        end,
        run = function(turn)
            local ok, result = pcall(load.run_right, build, targets[turn])
            if not ok then
                error(("%s: %s\n%s"):format(options.name, result,
                    options.turns[turn][1]:said():sub(-2000)), 0)
            end
            return result.answered * (options.per or 1)
        end,
    }
end


local LINE = "%-44s %8s %15s %7s %13s"

--- Prints the table.
-- @tparam {table,...} rows
-- @tparam {table,...} times as `compare` answers them
function _M.print(rows, times)
    local place, base = {}, nil
    for i, row in ipairs(rows) do
        place[row.name] = i
    end
    print(LINE:format("", "ns", "least-most", "ratio", "least-most"))
    for i, row in ipairs(rows) do
        if row.base ~= base then
            base = row.base
            print(("\n-- against: %s"):format(base))
        end
        local ratio, least, most = cpu.ratio(times[i], times[place[base]])
        print(LINE:format(row.name, ("%.0f"):format(cpu.median(times[i])),
            ("%.0f-%.0f"):format(math.min(unpack(times[i])), math.max(unpack(times[i]))),
            ("%.3f"):format(ratio), ("%.2f-%.2f"):format(least, most)))
    end
end


return _M
