--- A sink for the decision log that posts events to a service, as OPA does to `/logs`.
--
-- Events wait in a bounded queue and are posted as JSON arrays, in their order. What is not
-- answered with 2xx is kept and tried again, after a pause that doubles up to a minute; meanwhile
-- what the queue has no room for is dropped and counted. An event may arrive twice, when an answer
-- was lost. Nothing is compressed.
--
--     local sink = shipper.new({ host = host, url = "http://127.0.0.1:8282/logs" })
--     local log = audit.new({ host = host, form = "opa", sink = sink })
--
-- *Dependencies*: none (a host is handed in)
--
-- @module postern.audit.shipper

local _M = {}
local Shipper = {}
Shipper.__index = Shipper


-- Numbers and what they are unless it is said otherwise: events that may wait, and bytes of them;
-- bytes of an array; seconds events wait for others; seconds for a call; the first pause after a
-- failure and the longest.
local DEFAULTS = { queue = 10000, max_bytes = 16 * 1024 * 1024, chunk = 32768, delay = 1,
                   timeout = 10, pause = 0.5, longest_pause = 60 }
local OTHERS = { host = "table", url = "string", headers = "table" }


local function check_options(options)
    for name, value in pairs(options) do
        local wanted = DEFAULTS[name] and "number" or OTHERS[name]
        if not wanted then
            error(("unknown option `%s`"):format(tostring(name)), 3)
        elseif type(value) ~= wanted then
            error(("`%s` is a %s: give a %s"):format(name, type(value), wanted), 3)
        elseif wanted == "number" and not (value > 0 and value < 1e9) then
            error(("`%s`: give a number above 0"):format(name), 3)
        end
    end
    if not options.host then
        error("`host` is missing: give a host", 3)
    elseif not (options.url or ""):find("^http") then
        error("`url`: give one that begins with `http://` or `http+unix://`", 3)
    end
end


--- Makes a sink.
-- @tparam table options `host`; `url`; optionally `headers` of the calls (name to value), `queue`
-- (events that may wait, 10000), `max_bytes` (of them, 16 MiB), `chunk` (bytes of a call, 32768),
-- and in seconds `delay` (how long an event waits for others, 1), `timeout` (of a call, 10),
-- `pause` (after the first failure, 0.5) and `longest_pause` (60)
-- @treturn Shipper with `dropped` and `sent`, counts of events
function _M.new(options)
    check_options(options)
    local self = setmetatable({
        host = options.host, url = options.url, headers = { ["Content-Type"] = "application/json" },
        lines = {}, first = 1, last = 0, bytes = 0, dropped = 0, sent = 0, failures = 0,
    }, Shipper)
    for name, value in pairs(options.headers or {}) do
        self.headers[name] = value
    end
    for name, default in pairs(DEFAULTS) do
        self[name] = options[name] or default
    end
    return self
end


-- ---- Sending ---------------------------------------------------------------


-- The events of the next call: one at least, and no more than fit.
local function next_chunk(self)
    local size, last = 2, self.first
    while last <= self.last do
        size = size + #self.lines[last] + 1
        if size > self.chunk and last > self.first then
            break
        end
        last = last + 1
    end
    return last - 1
end


-- Takes events off the queue.
local function forget(self, last)
    for i = self.first, last do
        self.bytes = self.bytes - #self.lines[i]
        self.lines[i] = nil
    end
    self.first = last + 1
end


-- Posts one chunk. What has arrived is taken off the queue.
local function send(self)
    local last = next_chunk(self)
    local response, err = self.host:http({
        url = self.url, method = "POST", headers = self.headers, timeout = self.timeout,
        body = "[" .. table.concat(self.lines, ",", self.first, last) .. "]",
    })
    if response and response.status >= 200 and response.status <= 299 then
        self.sent = self.sent + last - self.first + 1
        forget(self, last)
        return true
    end
    return nil, response and "it answers " .. response.status or err
end


-- Somewhere between half of a pause and all of it: many that failed together come back apart.
local function pause_after(self)
    local pause = math.min(self.longest_pause, self.pause * 2 ^ (self.failures - 1))
    return pause * (0.5 + math.random() / 2)
end


local function wait(self, seconds)
    if not self.closed then
        self.alarm = self.host:ticket()
        self.alarm:wait(seconds)
        self.alarm = nil
    end
end


local function note_failure(self, err)
    self.failures = self.failures + 1
    if self.failures == 1 then
        self.host:log(("decision log %s: %s: events wait"):format(self.url, tostring(err)))
    end
end


local function note_success(self)
    if self.failures > 0 then
        self.host:log(("decision log %s: events arrive again"):format(self.url))
    end
    self.failures = 0
end


-- Until nothing waits; when closed until something fails.
local function run(self)
    local pause = self.delay
    while self.first <= self.last do
        wait(self, pause)
        local ok, err = send(self)
        if ok then
            note_success(self)
            -- What does not fill a call waits for more.
            pause = self.bytes >= self.chunk and 0 or self.delay
        elseif self.closed then
            self.dropped = self.dropped + self.last - self.first + 1
            forget(self, self.last)
        else
            note_failure(self, err)
            pause = pause_after(self)
        end
    end
end


-- Also false when the task was cancelled, or could not begin.
local function is_running(self)
    return self.task ~= nil and not self.task.finished
end


-- ---- Public ----------------------------------------------------------------


--- Queues one event. Never waits.
-- @tparam string line
-- @treturn boolean false when there is no room: it is dropped and counted
function Shipper:write(line)
    if self.closed or self.last - self.first + 1 >= self.queue
        or self.bytes + #line > self.max_bytes then
        self.dropped = self.dropped + 1
        return false
    end
    self.last = self.last + 1
    self.lines[self.last] = line
    self.bytes = self.bytes + #line
    if not is_running(self) then
        self.task = self.host:spawn(run, self)
    end
    return true
end


--- Takes no more events, and posts those that wait, each once. In a task it waits for that.
function Shipper:close()
    self.closed = true
    if self.alarm then
        self.alarm.post()
    end
    if is_running(self) and self.host:inside() then
        self.task:wait()
    end
end


return _M
