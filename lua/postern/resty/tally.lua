--- What a worker has decided since it last told the others.
--
-- Between two tellings a decision costs two entries in tables here. Bringing them to the counters
-- takes loops, which would end the compiled way of a request, so that is done for many at once.
--
-- *Dependencies*: none (counters are handed in)
--
-- @module postern.resty.tally

local _M = {}
local Tally = {}
Tally.__index = Tally


-- So many times are kept, unless it is flushed before.
local MOST_TIMES = 1024


--- Makes an empty tally.
-- @tparam table metrics see `postern.metrics`
-- @tparam table board see `postern.resty.board`
-- @treturn Tally
function _M.new(metrics, board)
    return setmetatable({
        metrics = metrics, board = board, durations = metrics:cell(
            "postern_decision_duration_seconds"),
        kinds = {}, times = {}, count = 0,
    }, Tally)
end


local function add(self, decision, by)
    self.metrics:decision(decision, nil, by)
    self.board:incr(decision.allowed and "allowed" or decision.reason == "error" and "errors"
        or "denied", by)
end


local function flush_times(self)
    local metrics, durations, times = self.metrics, self.durations, self.times
    for i = 1, self.count do
        metrics:add_time(durations, times[i])
    end
    self.count = 0
end


--- Counts a decision.
-- @tparam Decision decision
-- @tparam number seconds it took
function Tally:add(decision, seconds)
    local kind, count = decision.kind, self.count + 1
    if kind then
        self.kinds[kind] = (self.kinds[kind] or 0) + 1
    else
        add(self, decision, 1)
    end
    self.times[count], self.count = seconds, count
    if count >= MOST_TIMES then
        flush_times(self)
    end
end


--- Brings everything to the counters.
function Tally:flush()
    local kinds = self.kinds
    self.kinds = {}
    for kind, by in pairs(kinds) do
        add(self, kind, by)
    end
    flush_times(self)
end


return _M
