--- Bringing together what several processes counted.
--
-- *Dependencies*: postern.metrics.exposition
--
-- @module postern.metrics.merge
local exposition = require("postern.metrics.exposition")


local _M = {}


local function with_worker(key, worker)
    if key:find('[{,]worker="') then
        return key
    end
    local label = ('worker="%s"}'):format(exposition.escape(worker))
    if key:sub(-1) == "}" then
        return key:sub(1, -2) .. "," .. label
    end
    return key .. "{" .. label
end


-- Infos that all processes agree on are one series; else each has its own.
local function merge_infos(values, snapshots, names)
    local agreed = {}
    for i, snapshot in ipairs(snapshots) do
        for key, value in pairs(snapshot.ended and {} or snapshot.values) do
            if key:sub(1, 1) == "i" then
                agreed[key] = (agreed[key] == nil or agreed[key] == value) and value
                values[with_worker(key, names[i])] = value
            end
        end
    end
    for key, value in pairs(agreed) do
        if value then
            for _, name in ipairs(names) do
                values[with_worker(key, name)] = nil
            end
            values[key] = value
        end
    end
end


--- Brings the snapshots of several processes together: counters and histograms add up, gauges get a
-- label `worker`, and so do infos that differ.
--
-- A process that ends takes its counts with it, which looks as if counters had gone back. So keep
-- its last snapshot, with `ended = true`: it counts on, without gauges. Those of many that ended
-- merge to one.
-- @tparam {table,...} snapshots `values`; `worker`, a name for the label, by default the place in
-- the list; `ended`
-- @treturn table a snapshot: `metrics.new(metrics.memory(merged.values)):render()`
function _M.merge(snapshots)
    local values, names, all_ended = {}, {}, true
    for i, snapshot in ipairs(snapshots) do
        names[i] = tostring(snapshot.worker or i)
        all_ended = all_ended and snapshot.ended == true
        for key, value in pairs(snapshot.values) do
            local kind = key:sub(1, 1)
            if kind == "c" or kind == "h" then
                values[key] = (values[key] or 0) + value
            elseif kind == "g" and not snapshot.ended then
                values[with_worker(key, names[i])] = value
            end
        end
    end
    merge_infos(values, snapshots, names)
    return { values = values, ended = all_ended or nil }
end


return _M
