--- The decision log: one event for each decision, as a line of JSON.
--
-- An event says what was asked, what was decided, by which statement and revision, and how long it
-- took. Credentials are taken out before anything waits anywhere, see `postern.audit.mask`. Writing
-- never waits: an event that there is no room for is dropped, counted, and told once a minute.
--
-- There are two forms. `opa` is the event of OPA's decision log, for tools that read it: `labels`,
-- `decision_id`, `trace_id`, `span_id`, `bundles`, `path`, `input`, `result`, `requested_by`,
-- `timestamp`, `metrics`, `erased`, `masked`, `req_id`. `json` is flat, with these members in this
-- order, each where it is known: `time`, `decision_id`, `request_id`, `trace_id`, `span_id`,
-- `revision`, `decision`, `reason`, `status`, `enforced`, `policy_type`, `policy` (file:line),
-- `sid`, `hook`, `api`, `stage`, `method`, `path`, `host`, `action`, `resource`, `principal`,
-- `client_ip`, `vpce`, `because`, `error`, `duration_ns`, `labels`, `erased`, `masked`.
--
-- The shipped pack `hooks/audit` is another log, of fewer members. A pack requires nothing, so the
-- two share no code.
--
-- *Dependencies*: postern.ffi (for the version), postern.crypto, postern.audit.plain,
-- postern.audit.mask, postern.audit.event, postern.audit.line
--
-- @module postern.audit
local core = require("postern.ffi")
local crypto = require("postern.crypto")
local plain = require("postern.audit.plain")
local masks = require("postern.audit.mask")
local events = require("postern.audit.event")
local lines = require("postern.audit.line")

local floor = math.floor


local _M = {}
local Audit = {}


local OPTIONS = {
    host = "table", path = "string", sink = "table", form = "string", mask = "table",
    erase = "table", mask_key = "string", queue = "number", max_bytes = "number",
    labels = "table", claims = "boolean", headers = "boolean", longest = "number",
    name = "string",
}
local EXTRA = { id = "string", request_id = "string", traceparent = "any", requested_by = "string",
                enforced = "boolean" }
local FORMS = { json = true, opa = true }

-- Bytes of a line, unless it is said otherwise, and the least that a deny with its reason takes.
local LONGEST, LEAST = 16384, 2048

local TELL_EVERY = 60 -- seconds

local BYTES_OF_LABEL = 8


-- ---- Making ----------------------------------------------------------------


local function check_options(options)
    for name, value in pairs(options) do
        if not OPTIONS[name] then
            error(("unknown option `%s`"):format(tostring(name)), 3)
        elseif type(value) ~= OPTIONS[name] then
            error(("`%s` is a %s: give a %s"):format(name, type(value), OPTIONS[name]), 3)
        end
    end
    if not options.host then
        error("`host` is missing: give a host", 3)
    elseif (options.path ~= nil) == (options.sink ~= nil) then
        error("give one of `path` and `sink`", 3)
    elseif options.form and not FORMS[options.form] then
        error("`form`: give `json` or `opa`", 3)
    elseif options.longest and not (options.longest >= LEAST and options.longest <= 2 ^ 20) then
        error(("`longest`: give %d to %d bytes"):format(LEAST, 2 ^ 20), 3)
    end
    for name, value in pairs(options.labels or {}) do
        if type(name) ~= "string" or type(value) ~= "string" or #name + #value > 256 then
            error("`labels`: give names with texts, together 256 bytes at most", 3)
        end
    end
end


-- `id` tells instances apart; those that a process forks into share it.
local function labels_of(options)
    local labels = { app = "postern", version = core.version,
                     id = crypto.hex(crypto.random(BYTES_OF_LABEL)) }
    for name, value in pairs(options.labels or {}) do
        labels[plain.text(name)] = plain.text(value)
    end
    return labels
end


--- Opens a decision log.
-- @tparam table options `host`, for `now`, `log` and `writer`; `path`, the file, or `-` for
-- standard error; or `sink` in its place, with `write(line)`, which answers whether it has taken
-- it, and `dropped`; `form`: `json` or `opa` (`json`); `mask`, `erase` and `mask_key`, see
-- `postern.audit.mask`; `labels`, that stand in every event, names with texts; `longest`, bytes of
-- a line (16384); `queue` and `max_bytes` of the writer; and for the form `opa`: `headers`, false
-- to leave them out (true); `claims`, true to show those of the caller (false); `name`, the event's
-- `path` (`postern/authorize`)
-- @treturn Audit|nil with `dropped`, how many events were lost
-- @treturn string why not: the file cannot be opened
function _M.new(options)
    check_options(options)
    local mask = masks.new(options)
    local sink = options.sink
    if not sink then
        local err
        sink, err = options.host:writer(options.path, { queue = options.queue,
                                                        max_bytes = options.max_bytes })
        if not sink then
            return nil, err
        end
    end
    return setmetatable({
        host = options.host, sink = sink, target = options.path or "sink", mask = mask,
        form = options.form or "json", name = options.name or "postern/authorize",
        labels = labels_of(options), longest = options.longest or LONGEST,
        shown = { details = options.form == "opa", claims = options.claims == true,
                  headers = options.headers ~= false },
        failed = 0, told = 0, told_at = -math.huge, count = 0, pool_at = 0,
    }, Audit)
end


-- `dropped` counts what went wrong here, and what the writer dropped, perhaps later.
function Audit.__index(self, name)
    if name == "dropped" then
        return self.failed + (self.sink.dropped or 0)
    end
    return Audit[name]
end


-- ---- Ids and times ---------------------------------------------------------


local HEX = {}
for byte = 0, 255 do
    HEX[byte] = ("%02x"):format(byte)
end

local BYTES_OF_ID, POOL = 16, 4096

--- Makes the id of a decision, a random UUID (RFC 9562, version 4). Random bytes are drawn when the
-- first is made, many at once, so a process forks before that.
-- @treturn string
function Audit:id()
    local at = self.pool_at
    if not self.pool or at >= POOL then
        self.pool, at = crypto.random(POOL), 0
    end
    self.pool_at = at + BYTES_OF_ID
    local a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p = self.pool:byte(at + 1, at + BYTES_OF_ID)
    return HEX[a] .. HEX[b] .. HEX[c] .. HEX[d] .. "-" .. HEX[e] .. HEX[f] .. "-"
        .. HEX[64 + g % 16] .. HEX[h] .. "-" .. HEX[128 + i % 64] .. HEX[j] .. "-"
        .. HEX[k] .. HEX[l] .. HEX[m] .. HEX[n] .. HEX[o] .. HEX[p]
end


-- RFC 3339 in UTC, with microseconds. The date is made once a second.
local function timestamp(self, now)
    local micros = floor(now * 1e6 + 0.5)
    local second = floor(micros / 1e6)
    if second ~= self.second then
        self.second, self.second_text = second, os.date("!%Y-%m-%dT%H:%M:%S", second)
    end
    return ("%s.%06dZ"):format(self.second_text, micros - second * 1e6)
end


-- ---- The event -------------------------------------------------------------


local NOTHING = {}

local function check_extra(extra)
    for name, value in pairs(extra) do
        local wanted = EXTRA[name]
        if not wanted or (wanted ~= "any" and type(value) ~= wanted) then
            error(("`%s` is no further member of an event, or not a %s")
                :format(tostring(name), wanted or "text"), 3)
        end
    end
end


local function build(self, decision, request, seconds, extra)
    local event = events.new(decision, request, seconds, extra, self.shown)
    event.decision_id = extra.id or self:id()
    event.timestamp = timestamp(self, self.host:now())
    event.labels, event.path = self.labels, self.name
    self.count = self.count + 1
    event.req_id = self.count
    self.mask:apply(event)
    return event
end


--- The event of a decision, masked.
-- @tparam Decision|nil decision nil is a failure of the host's
-- @tparam table request that was decided
-- @tparam[opt] number seconds it took
-- @tparam[opt] table extra `id` of the decision, if it has one (see the method `id`), `request_id`,
-- `traceparent`, the header, if it is not among those of the request; `requested_by`, who asked, if
-- not the request's peer; `enforced`, false where the host lets pass all the same
-- @treturn table of plain data, as of the form `opa`; `request_id` is ours
function Audit:event(decision, request, seconds, extra)
    extra = extra or NOTHING
    check_extra(extra)
    return build(self, decision, request, seconds, extra)
end


-- ---- Writing ---------------------------------------------------------------


local function tell(self)
    local dropped, now = self.dropped, self.host:now()
    if dropped > self.told and (now - self.told_at >= TELL_EVERY or now < self.told_at) then
        self.host:log(("decision log %s: %d events dropped%s"):format(self.target,
            dropped - self.told, self.problem and ": " .. self.problem or ""))
        self.told, self.told_at, self.problem = dropped, now, nil
    end
end


local function make_line(self, decision, request, seconds, extra)
    return lines.of(build(self, decision, request, seconds, extra), self.form, self.longest)
end


--- Logs a decision. Never waits; raises only when `extra` is wrong, whatever the rest is.
-- @tparam Decision|nil decision
-- @tparam table request
-- @tparam[opt] number seconds
-- @tparam[opt] table extra as for `event`
-- @treturn boolean false when the event was dropped
function Audit:write(decision, request, seconds, extra)
    extra = extra or NOTHING
    check_extra(extra)
    local ok, line = pcall(make_line, self, decision, request, seconds, extra)
    local taken = false
    if ok then
        taken = self.sink:write(line) and true or false
    else
        self.failed, self.problem = self.failed + 1, tostring(line)
    end
    if not taken then
        tell(self)
    end
    return taken
end


--- Opens the file anew, after it was moved away.
function Audit:reopen()
    if self.sink.reopen then
        self.sink:reopen()
    end
end


--- Writes what waits, and takes no more.
function Audit:close()
    if self.sink.close then
        self.sink:close()
    end
end


return _M
