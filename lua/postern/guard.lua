--- A guard round calls that may hang or fail: a limit on how many run at once, a time limit, and a
-- breaker that stops calling what keeps failing.
--
-- The breaker opens after so many failures in a row. While it is open nobody is called. After the
-- pause one call is let through as a probe: if it succeeds the breaker closes, else the pause
-- begins anew.
--
-- *Dependencies*: postern.semaphore
--
-- @module postern.guard
local semaphore = require("postern.semaphore")


local _M = {}
local Guard = {}
Guard.__index = Guard


-- What limits a call unless it is said otherwise: `timeout` and `pause` in seconds.
local DEFAULTS = { concurrency = 64, queue = 256, timeout = 0.5, failures = 5, pause = 10 }

local LEAST = { concurrency = 1, queue = 0, timeout = 0, failures = 1, pause = 0 }


--- Makes a guard.
-- @tparam table options `concurrency` (64), `queue` (how many may wait for their turn, 256),
-- `timeout` (seconds, waiting included, 0.5), `failures` (in a row, 5), `pause` (seconds, 10)
-- @tparam table host `monotonic()`, `timeout(seconds, fn, ...)`, `ticket()`, `ensure(cleanup, fn,
-- ...)`
-- @treturn Guard with `counts`: how many calls were `ok`, `failed`, `timeout`, `open`, `busy`
function _M.new(options, host)
    for name, value in pairs(options) do
        if not DEFAULTS[name] then
            error(("unknown option `%s`"):format(tostring(name)), 3)
        elseif type(value) ~= "number" or not (value >= LEAST[name] and value < 1e9) then
            error(("`%s`: give a number of at least %d"):format(name, LEAST[name]), 3)
        end
    end
    local self = setmetatable({
        host = host, streak = 0, open_until = nil, probing = false,
        counts = { ok = 0, failed = 0, timeout = 0, open = 0, busy = 0 },
    }, Guard)
    for name, default in pairs(DEFAULTS) do
        self[name] = options[name] or default
    end
    self.places = semaphore.new({ limit = self.concurrency, queue = self.queue }, host)
    return self
end


--- What the breaker does: `closed` lets calls through, `open` none, `probing` waits for one.
-- @treturn string
function Guard:state()
    if not self.open_until then
        return "closed"
    end
    return self.probing and "probing" or "open"
end


-- Whether a call may go on, and whether it is the probe.
local function admit(self)
    if not self.open_until then
        return true, false
    elseif self.probing or self.host.monotonic() < self.open_until then
        return false
    end
    self.probing = true
    return true, true
end


-- Only the probe closes an open breaker: what was called before says nothing about now.
local function note(self, probe, good)
    if good then
        if probe or not self.open_until then
            self.streak, self.open_until = 0, nil
        end
        return
    end
    self.streak = self.streak + 1
    if probe or (not self.open_until and self.streak >= self.failures) then
        self.open_until = self.host.monotonic() + self.pause
    end
end


local function refuse(self, kind, message)
    self.counts[kind] = self.counts[kind] + 1
    return nil, message, kind
end


local function pack(...)
    return { n = select("#", ...), ... }
end


local function run(self, probe, deadline, fn, ...)
    local outcome
    local left = math.max(0, deadline - self.host.monotonic())
    self.host.timeout(left, function(...)
        outcome = pack(pcall(fn, ...))
    end, ...)
    if not outcome then
        note(self, probe, false)
        return refuse(self, "timeout", ("timed out after %.14g seconds"):format(self.timeout))
    end
    local raised = not outcome[1]
    if raised or (outcome[2] == nil and outcome[3] ~= nil) then
        note(self, probe, false)
        return refuse(self, "failed", raised and tostring(outcome[2]) or outcome[3])
    end
    note(self, probe, true)
    self.counts.ok = self.counts.ok + 1
    return unpack(outcome, 2, outcome.n)
end


--- Calls a function.
-- @tparam function fn it failed when it raises, or answers nil and something else
-- @param ... what it is called with
-- @return what it answers; or nil, an error in words and why it has none: `timeout`, `open`, `busy`
-- or `failed`
function Guard:call(fn, ...)
    local admitted, probe = admit(self)
    if not admitted then
        return refuse(self, "open", ("not called: %d failures in a row, the next try follows")
            :format(self.streak))
    end
    local deadline = self.host.monotonic() + self.timeout
    local holds = false
    return self.host.ensure(function()
        if probe then
            self.probing = false
        end
        if holds then
            self.places:release()
        end
    end, function(...)
        holds = self.places:acquire(self.timeout)
        if not holds then
            return refuse(self, "busy", ("busy: no more than %d at once"):format(self.concurrency))
        end
        return run(self, probe, deadline, fn, ...)
    end, ...)
end


return _M
