--- Families of metrics: which there are, and the closed sets of their labels.
--
-- *Dependencies*: postern.metrics.exposition
--
-- @module postern.metrics.family
local exposition = require("postern.metrics.exposition")


local _M = {}
local Family = {}
Family.__index = Family


--- What stands for a name that no closed set has, and for a decision that no policy made.
_M.OTHER, _M.NONE = "other", "none"
local OTHER, NONE = _M.OTHER, _M.NONE

-- Upper bounds in seconds: a decision takes a microsecond, one that waits for a key some
-- milliseconds up to its timeout.
local BUCKETS = {
    1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4,
    1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
}

-- Of one label. A set that grows beyond is not closed.
local MOST_VALUES, LONGEST_VALUE = 1000, 256

local GATES = { "resource", "identity", "endpoint", "domain", "scp", "rcp", "boundary", "session" }

local function kinds()
    local all = { NONE, OTHER }
    for _, gate in ipairs(GATES) do
        all[#all + 1] = gate
    end
    return all
end

local function reasons()
    local all = { "allow", "explicit_deny", "private_api_without_policy", "authentication", "hook",
                  "error", OTHER }
    for _, gate in ipairs(GATES) do
        all[#all + 1] = "no_allow_" .. gate
    end
    return all
end

local OUTCOMES = { "Allowed", "ExplicitlyDenied", "ImplicitlyDenied" }

local OPEN = {} -- a label whose values `declare` names

--- The families of every host, as `new` takes them.
_M.ALL = {
    { name = "postern_build_info", type = "info", help = "The version that runs." },
    { name = "postern_decisions_total", type = "counter",
      help = "Decisions, by the kind of policy that made them, their result and their reason.",
      labels = { { "policy_kind", kinds() }, { "result", OUTCOMES }, { "reason", reasons() } } },
    { name = "postern_decision_duration_seconds", type = "histogram", buckets = BUCKETS,
      help = "How long decisions took, with what they waited for." },
    { name = "postern_eval_errors_total", type = "counter",
      help = "Decisions that failed: a wrong request, something unknown, a hook, a fault of the "
          .. "engine or of its host.",
      labels = { { "kind", { "request", "unknown", "hook", "fault", "host" } } } },
    { name = "postern_policy_revision_info", type = "info",
      help = "The revision of the policies in use.", value = "revision",
      labels = { { "source", { "estate" } } } },
    { name = "postern_policy_last_success_timestamp_seconds", type = "gauge",
      help = "When policies were last read without a problem, in seconds since 1970." },
    { name = "postern_policy_reload_total", type = "counter",
      help = "Reloads of the policies, by what became of them.",
      labels = { { "outcome", { "success", "unchanged", "failure" } } } },
    { name = "postern_source_connected", type = "gauge",
      help = "Whether a source of policies is connected.", labels = { { "source", OPEN } } },
    { name = "postern_plugin_calls_total", type = "counter",
      help = "Calls of rule packs, by what became of them.",
      labels = { { "plugin", OPEN },
                 { "outcome", { "ok", "failed", "timeout", "open", "busy" } } } },
    { name = "postern_plugin_duration_seconds", type = "histogram", buckets = BUCKETS,
      help = "How long calls of rule packs took.", labels = { { "plugin", OPEN } } },
    { name = "postern_decision_log_dropped_total", type = "counter",
      help = "Events of the decision log that there was no room for." },
}

local PREFIXES = { counter = "c", gauge = "g", histogram = "h", info = "i" }
local SUFFIXES = { counter = "_total$", gauge = "", histogram = "_seconds$", info = "_info$" }


-- Raises for the function so many levels up, 1 being the one that calls this.
local function fail(level, message, ...)
    error(message:format(...), level + 1)
end


-- ---- Making ----------------------------------------------------------------


local function check_value(family, label, value, level)
    if type(value) ~= "string" or value == "" or #value > LONGEST_VALUE then
        fail(level + 1, "`%s`: a value of `%s` is no text of 1 to %d bytes", family.name, label,
             LONGEST_VALUE)
    end
end


local function add_values(family, label, values, level)
    for _, value in ipairs(values) do
        check_value(family, label.name, value, level + 1)
        if not label.values[value] then
            if label.count >= MOST_VALUES then
                fail(level + 1, "`%s`: the label `%s` would have more than %d values", family.name,
                     label.name, MOST_VALUES)
            end
            label.values[value], label.count = true, label.count + 1
        end
    end
end


local function check_declared(declared, level)
    local name, kind = tostring(declared.name), declared.type
    if not name:find("^postern_[%l%d_]*[%l%d]$") then
        fail(level + 1, "the family `%s` does not begin with `postern_`", name)
    elseif not SUFFIXES[kind] or not name:find(SUFFIXES[kind]) then
        fail(level + 1, "the family `%s`: a counter ends in `_total`, a histogram in `_seconds`, "
            .. "an info in `_info`; anything else is a gauge", name)
    elseif type(declared.help) ~= "string" or declared.help == "" then
        fail(level + 1, "the family `%s` has no `help`", name)
    end
    for _, pair in ipairs(declared.labels or {}) do
        if type(pair[1]) ~= "string" or not pair[1]:find("^%l[%l%d_]*$") or pair[1] == "le"
            or pair[1] == "worker" or type(pair[2]) ~= "table" then
            fail(level + 1, "the family `%s`: a label is a name with a list of values", name)
        end
    end
end


--- Makes a family.
-- @tparam table declared `name`; `type`: `counter`, `gauge`, `histogram` (of seconds) or `info`;
-- `help`; `labels`, a list of pairs of name and list of values; `buckets` of a histogram, upper
-- bounds in seconds; `value` of an info, the label that says what is set
-- @tparam number level of who is to blame for mistakes, 2 being the caller
-- @treturn Family
function _M.new(declared, level)
    check_declared(declared, level)
    local family = setmetatable({
        name = declared.name, type = declared.type, help = declared.help,
        buckets = declared.type == "histogram" and (declared.buckets or BUCKETS) or nil,
        value = declared.value, labels = {}, cells = {}, totals = {},
    }, Family)
    for i, pair in ipairs(declared.labels or {}) do
        local label = { name = pair[1], values = {}, count = 0 }
        family.labels[i], family.labels[label.name] = label, label
        add_values(family, label, pair[2], level)
    end
    return family
end


--- Adds values to the closed set of a label.
-- @tparam string name of the label
-- @tparam {string,...} values
-- @tparam number level as of `new`
function Family:declare(name, values, level)
    if not self.labels[name] then
        fail(level, "the family `%s` has no label `%s`", self.name, tostring(name))
    end
    add_values(self, self.labels[name], values, level)
end


--- Raises when a text cannot be what an info says.
-- @param value
-- @tparam number level as of `new`
function Family:check_text(value, level)
    check_value(self, self.value, value, level)
end


-- ---- Cells -----------------------------------------------------------------


local function label_text(self, labels, worker)
    local parts = {}
    for i, label in ipairs(self.labels) do
        parts[i] = ('%s="%s"'):format(label.name, exposition.escape(labels[label.name]))
    end
    if worker and self.type == "gauge" then
        parts[#parts + 1] = ('worker="%s"'):format(exposition.escape(worker))
    end
    return #parts > 0 and "{" .. table.concat(parts, ",") .. "}" or ""
end


local function make_cell(self, labels, worker)
    local key = ("%s|%s%s"):format(PREFIXES[self.type], self.name,
                                   label_text(self, labels, worker))
    if self.type ~= "histogram" then
        return key
    end
    local cell = { bounds = self.buckets, sum = key .. "|sum" }
    for i = 1, #self.buckets + 1 do
        cell[i] = key .. "|" .. i
    end
    return cell
end


local function check_labels(self, labels, level)
    for name in pairs(labels) do
        if not self.labels[name] then
            fail(level + 1, "the family `%s` has no label `%s`", self.name, tostring(name))
        end
    end
    for _, label in ipairs(self.labels) do
        local value = labels[label.name]
        if value == nil then
            fail(level + 1, "the family `%s`: the label `%s` is missing", self.name, label.name)
        elseif not label.values[value] then
            fail(level + 1, "the family `%s`: the label `%s` has no value `%s`", self.name,
                 label.name, tostring(value))
        end
    end
end


--- Where a series is kept. It is made once.
-- @tparam {[string]=string,...} labels all of the family's
-- @tparam string|nil worker that gauges name
-- @tparam number level as of `new`
-- @treturn string|table a key of a store; for a histogram a list of the keys of its buckets, with
-- the key of its `sum` and its `bounds`
function Family:cell(labels, worker, level)
    check_labels(self, labels, level)
    if #self.labels == 0 then
        self.only = self.only or make_cell(self, labels, worker)
        return self.only
    end
    local node = self.cells
    for i, label in ipairs(self.labels) do
        local below = node[labels[label.name]]
        if not below then
            below = i < #self.labels and {} or make_cell(self, labels, worker)
            node[labels[label.name]] = below
        end
        node = below
    end
    return node
end


--- Reads a key of a store.
-- @tparam string key
-- @treturn string|nil the family's name; nil for keys of others
-- @treturn string its kind: `c`, `g`, `h` or `i`
-- @treturn string its labels, as between braces
-- @treturn string of a histogram `sum` or the number of a bucket, else empty
function _M.read_key(key)
    local kind, name, rest = key:match("^([cghi])|(postern_[%l%d_]+)(.*)$")
    if not kind then
        return nil
    end
    local labels, part = rest:match("^(.-)|?([^|}]*)$")
    return name, kind, labels:match("^{(.*)}$") or "", part
end


--- Whether a key that is read has the kind of the family.
-- @tparam string kind
-- @treturn boolean
function Family:is(kind)
    return PREFIXES[self.type] == kind
end


return _M
