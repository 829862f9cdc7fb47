--- Counters, gauges and histograms, and their text for Prometheus.
--
-- What is counted are families with labels from closed sets: no path, caller, address or statement
-- ever names a series. An unknown family, label or value raises.
--
-- **Stores.** Numbers are kept in a store: `memory` makes one of a process, `shared` one of nginx's
-- shared dictionary, where all workers count together; see `postern.metrics.store`. Times are kept
-- in whole nanoseconds: adding them in any order gives one sum.
--
-- A key begins with the kind (`c` counter, `g` gauge, `h` histogram, `i` info), so that whoever
-- merges needs no families:
--
--     c|postern_decisions_total{policy_kind="resource",result="Allowed",reason="allow"}
--     h|postern_decision_duration_seconds|3       the third bucket alone, not cumulative
--     h|postern_decision_duration_seconds|sum     nanoseconds
--     i|postern_policy_revision_info{source="estate"}     its value is a label: the revision
--
-- **Several processes.** Each has a store of its own; `snapshot` and `merge` bring them together.
--
-- *Dependencies*: postern.ffi (for the version), postern.accept, postern.metrics.exposition,
-- postern.metrics.family, postern.metrics.merge, postern.metrics.store
--
-- @module postern.metrics
local core = require("postern.ffi")
local accept = require("postern.accept")
local exposition = require("postern.metrics.exposition")
local families = require("postern.metrics.family")
local merge = require("postern.metrics.merge")
local stores = require("postern.metrics.store")

local floor, sort = math.floor, table.sort


local _M = {
    --- A store of this process, see `postern.metrics.store`.
    memory = stores.memory,
    --- A store over nginx's shared dictionary, see `postern.metrics.store`.
    shared = stores.shared,
    --- Brings snapshots together, see `postern.metrics.merge`.
    merge = merge.merge,
}
local Metrics = {}
Metrics.__index = Metrics


local NANOSECONDS = 1e9

-- No decision takes a million seconds: somebody has set a clock.
local LONGEST = 1e6

local OTHER, NONE = families.OTHER, families.NONE

local NO_LABELS = {}

local OPTIONS = { families = true, batched = true, worker = true }

--- Makes metrics over a store.
-- @tparam table store
-- @tparam[opt] table options `families`, further ones: a list of `name`, `type`, `help` and
-- `labels`, pairs of name and list of values; `batched`, true when counts are kept in this process
-- until `flush` is called, which spares a shared store three visits a decision; `worker`, a name
-- that gauges shall carry in the label `worker`, for a store that several processes share
-- @treturn Metrics with `lost`, how many increments the store had no room for
function _M.new(store, options)
    options = options or {}
    for name in pairs(options) do
        if not OPTIONS[name] then
            error(("unknown option `%s`: there are `batched`, `families`, `worker`")
                :format(tostring(name)), 2)
        end
    end
    if type(store) ~= "table" or not store.incr then
        error("give a store: `metrics.memory()` or `metrics.shared(dict)`", 2)
    end
    local self = setmetatable({
        store = store, counts = options.batched and stores.memory() or store, families = {},
        worker = options.worker ~= nil and tostring(options.worker) or nil, decided = {}, lost = 0,
    }, Metrics)
    for _, list in ipairs({ families.ALL, options.families or {} }) do
        for _, declared in ipairs(list) do
            local family = families.new(declared, 3)
            if self.families[family.name] then
                error(("the family `%s` is there already"):format(family.name), 2)
            end
            self.families[#self.families + 1], self.families[family.name] = family, family
        end
    end
    self.durations = self:cell("postern_decision_duration_seconds")
    return self
end


local function family_of(self, name, level)
    return self.families[name]
        or error(("there is no family `%s`"):format(tostring(name)), level + 1)
end


--- Adds values to the closed set of a label: the packs or sources of an estate.
-- @tparam string name of the family
-- @tparam string label
-- @tparam {string,...} values 1000 in all
function Metrics:declare(name, label, values)
    family_of(self, name, 2):declare(label, values, 3)
end


--- Where a series is kept; for those who count one again and again, with `add` and `add_time`.
-- @tparam string name of the family
-- @tparam[opt] {[string]=string,...} labels
-- @return what these take
function Metrics:cell(name, labels)
    local cell = family_of(self, name, 2):cell(labels or NO_LABELS, self.worker, 3)
    return cell
end


local function cell_of(self, name, labels, kind)
    local family = family_of(self, name, 3)
    if family.type ~= kind then
        error(("the family `%s` is a %s, not a %s"):format(name, family.type, kind), 3)
    end
    local cell = family:cell(labels or NO_LABELS, self.worker, 4)
    return cell, family
end


--- Adds to a counter whose cell one has.
-- @tparam string cell
-- @tparam number by 0 or more
function Metrics:add(cell, by)
    if not self.counts:incr(cell, by, 0) then
        self.lost = self.lost + 1
    end
end


local function place_of(bounds, seconds)
    local place = 1
    while place <= #bounds and seconds > bounds[place] do
        place = place + 1
    end
    return place
end


--- Adds a time to a histogram whose cell one has.
-- @tparam table cell
-- @tparam number seconds a time that cannot be, of a clock that was set, counts as 0
-- @tparam[opt] number place which of the buckets it belongs to, from 1, where the caller knows
function Metrics:add_time(cell, seconds, place)
    if not (seconds >= 0 and seconds < LONGEST) then
        seconds, place = 0, 1
    end
    self:add(cell[place or place_of(cell.bounds, seconds)], 1)
    self:add(cell.sum, floor(seconds * NANOSECONDS + 0.5))
end


--- Begins a histogram whose cell one has, with nothing in any bucket: it is rendered from now on,
-- and a time that is the first of its bucket is counted as any other.
-- @tparam table cell
function Metrics:begin_times(cell)
    for place = 1, #cell do
        self:add(cell[place], 0)
    end
    self:add(cell.sum, 0)
end


local function check_count(name, count)
    if type(count) ~= "number" or not (count >= 0 and count < math.huge) then
        error(("`%s` counts up: give a number of 0 or more"):format(name), 3)
    end
end


--- Counts.
-- @tparam string name of a counter
-- @tparam[opt] {[string]=string,...} labels all of the family's
-- @tparam[opt=1] number by 0 or more
function Metrics:count(name, labels, by)
    local cell = cell_of(self, name, labels, "counter")
    by = by or 1
    check_count(name, by)
    self:add(cell, by)
end


--- Takes over the count of somebody who counts by himself, such as the `dropped` of a writer: what
-- came to it since the last call is added. A count that is smaller than before began anew.
-- @tparam string name of a counter
-- @tparam {[string]=string,...}|nil labels
-- @tparam number total
function Metrics:total(name, labels, total)
    local cell, family = cell_of(self, name, labels, "counter")
    check_count(name, total)
    local before = family.totals[cell] or 0
    family.totals[cell] = total
    self:add(cell, total >= before and total - before or total)
end


--- Adds a time to a histogram.
-- @tparam string name of a histogram
-- @tparam {[string]=string,...}|nil labels
-- @tparam number seconds
function Metrics:observe(name, labels, seconds)
    self:add_time(cell_of(self, name, labels, "histogram"), seconds)
end


--- Sets a gauge; or the text of an info, which has one series for its labels, whatever its text.
-- @tparam string name of a gauge or an info
-- @tparam {[string]=string,...}|nil labels
-- @tparam number|string value
function Metrics:set(name, labels, value)
    local family = family_of(self, name, 2)
    if family.value then
        family:check_text(value, 3)
    elseif family.type ~= "gauge" then
        error(("the family `%s` is no gauge"):format(name), 2)
    elseif type(value) ~= "number" then
        error(("`%s`: give a number"):format(name), 2)
    end
    if not self.store:set(family:cell(labels or NO_LABELS, self.worker, 3), value) then
        self.lost = self.lost + 1
    end
end


-- ---- Decisions -------------------------------------------------------------


-- Why a decision failed, by its HTTP status; see the engine.
local function error_kind(decision)
    if decision.hook then
        return "hook"
    elseif decision.status == 400 then
        return "request"
    end
    return decision.status == 403 and "unknown" or "fault"
end


local function below(tree, name)
    local found = tree[name]
    if not found then
        found = {}
        tree[name] = found
    end
    return found
end


-- Finds, or makes, the cell of a kind of decision. Only what is in the closed sets is kept: the
-- packs of others may say anything.
local function decided_cell(self, reason, outcome, gate)
    local labels = self.families.postern_decisions_total.labels
    local known_reason, kind = labels.reason.values[reason] and reason or OTHER, gate
    if gate == NONE and type(reason) == "string" then
        kind = reason:match("^no_allow_(.+)$") or NONE
    end
    local known_kind = labels.policy_kind.values[kind] and kind or OTHER
    local known_outcome = labels.result.values[outcome] and outcome or "ImplicitlyDenied"
    local cell = self:cell("postern_decisions_total", {
        policy_kind = known_kind, result = known_outcome, reason = known_reason,
    })
    if known_reason == reason and known_outcome == outcome and known_kind == kind then
        below(below(self.decided, reason), outcome)[gate] = cell
    end
    return cell
end


--- Counts a decision, and its time.
-- @tparam Decision|nil decision nil is a failure of the host's
-- @tparam[opt] number seconds it took
-- @tparam[opt=1] number by how many alike there were
-- @tparam[opt] number place as for `add_time`, of the cell `durations`
function Metrics:decision(decision, seconds, by, place)
    by = by or 1
    if not decision then
        self:count("postern_eval_errors_total", { kind = "host" }, by)
        decision = { reason = "error", decision = "ImplicitlyDenied", hook = nil }
    elseif decision.reason == "error" then
        self:count("postern_eval_errors_total", { kind = error_kind(decision) }, by)
    end
    local reason, outcome, gate = decision.reason, decision.decision, decision.gate or NONE
    local node = self.decided[reason]
    node = node and node[outcome]
    self:add(node and node[gate] or decided_cell(self, reason, outcome, gate), by)
    if seconds then
        self:add_time(self.durations, seconds, place)
    end
end


--- Brings what was counted since the last call to the store; of use when `batched`. What the store
-- has no room for is kept for the next time.
function Metrics:flush()
    if self.counts == self.store then
        return
    end
    local pending = self.counts.values
    for key, by in pairs(pending) do
        if by > 0 and self.store:incr(key, by, 0) then
            pending[key] = 0
        end
    end
end


-- ---- Rendering -------------------------------------------------------------


local function series_of(found, labels)
    if not found[labels] then
        found[#found + 1] = { labels = labels, counts = {}, sum = 0 }
        found[labels] = found[#found]
    end
    return found[labels]
end


-- An info's text is a label of its own.
local function with_text(family, labels, text)
    local label = ('%s="%s"'):format(family.value, exposition.escape(text))
    return labels == "" and label or labels .. "," .. label
end


local function add_series(family, found, labels, part, value)
    if family.value then
        labels, value = with_text(family, labels, value), 1
    end
    local series = series_of(found, labels)
    if part == "sum" then
        series.sum = value / NANOSECONDS
    elseif part ~= "" then
        series.counts[tonumber(part)] = value
    else
        series.value = value
    end
end


-- Series by family.
local function collect(self)
    local by_family = {}
    for _, key in ipairs(self.store:keys()) do
        local name, kind, labels, part = families.read_key(key)
        local family = name and self.families[name]
        local value = family and family:is(kind) and self.store:get(key)
        if value then
            by_family[name] = by_family[name] or {}
            add_series(family, by_family[name], labels, part, value)
        end
    end
    return by_family
end


local function by_labels(left, right)
    return left.labels < right.labels
end


-- A counter or histogram without labels is there from the start, with 0.
local function add_zeros(family, found)
    if #found == 0 and #family.labels == 0
        and (family.type == "counter" or family.type == "histogram") then
        found[1] = { labels = "", value = 0, counts = {}, sum = 0 }
    end
end


local FORMS = {
    { type = "text/plain", parameters = { version = "0.0.4", charset = "utf-8" } },
    { type = "application/openmetrics-text",
      parameters = { version = "1.0.0", charset = "utf-8", escaping = true } },
}

--- All series as text.
-- @tparam[opt] string accepted the header Accept of who asks
-- @treturn string text
-- @treturn string its content type
function Metrics:render(accepted)
    self:flush()
    local by_family, shown = collect(self), {}
    by_family.postern_build_info = { {
        labels = ('version="%s",lua="%s"'):format(exposition.escape(core.version),
                                                  exposition.escape(jit.version)), value = 1,
    } }
    for i, family in ipairs(self.families) do
        local found = by_family[family.name] or {}
        add_zeros(family, found)
        sort(found, by_labels)
        shown[i] = { name = family.name, type = family.type, help = family.help,
                     buckets = family.buckets, series = found }
    end
    local openmetrics = accept.choose(accepted, FORMS) == 2
    return exposition.render(shown, openmetrics),
        openmetrics and exposition.OPENMETRICS_TYPE or exposition.TEXT_TYPE
end


-- ---- Several processes -----------------------------------------------------


--- What the store holds, as plain data that may travel to another process.
-- @treturn table `values`, by key; `worker`, as in the options
function Metrics:snapshot()
    self:flush()
    local values = {}
    for _, key in ipairs(self.store:keys()) do
        if families.read_key(key) then
            values[key] = self.store:get(key)
        end
    end
    return { values = values, worker = self.worker }
end


return _M
