--- The connections of a process: what they share, how many there may be, how long each may take.
--
-- One clock serves all: it is set at each sweep, and a sweep closes what is over its time. So a
-- limit is kept to about a sweep.
--
-- *Dependencies*: postern.http, postern.connection, postern.response, postern.tls_stream
--
-- @module postern.connections
local http = require("postern.http")
local connection = require("postern.connection")
local response = require("postern.response")
local tls_stream = require("postern.tls_stream")


local _M = {}
local Front = {}
Front.__index = Front


--- The limits, and what they are unless somebody says otherwise.
--
-- Sizes: `head_bytes` (start line and headers), `headers` (lines), `body_bytes`; `connections` at
-- once (others are told 503), `requests` of one connection, `pipelined` (of them, answered in one
-- go before others get their turn). Seconds: `head_seconds` from the first byte of a request, or
-- from connecting, a handshake of TLS included, to the end of its head; `body_seconds` from there
-- to the end of its body; `idle_seconds` between requests; `answer_seconds` for a handler;
-- `write_seconds` for taking our answer.
_M.LIMITS = {
    head_bytes = 32768, headers = 100, body_bytes = 256 * 1024,
    connections = 4096, requests = 100000, pipelined = 64,
    head_seconds = 10, body_seconds = 30, idle_seconds = 75, answer_seconds = 30,
    write_seconds = 30,
}

-- A sweep looks at every connection: not more often than this, nor less.
local LEAST_TICK, MOST_TICK = 0.01, 1


-- A quarter of the shortest limit.
local function tick_of(limits)
    local shortest = math.huge
    for name, value in pairs(limits) do
        if name:find("_seconds$") then
            shortest = math.min(shortest, value)
        end
    end
    return math.max(LEAST_TICK, math.min(MOST_TICK, shortest / 4))
end


-- An answer that ends its connection; without the date, which would stand still in it.
local function whole_answer(status)
    local writer = http.writer()
    writer:answer(status, assert(http.lines(response.JSON)), response.problem(status), http.CLOSE)
    return writer:take()
end


--- Makes a front.
-- @tparam table options `handle` (a function of a message that answers status, headers and body; it
-- may wait and raise), `fault` (a function of a message: what is answered when that failed),
-- `new_id`, `now` and `monotonic` (clocks, in seconds), `perform` (see `postern.task`),
-- `close_stream`, `later` (calls a function from the loop, soon and not at once), `log`, `note` (a
-- log of what peers can bring about as often as they like), `limits` (any of `LIMITS`); optionally
-- `handle_at_once` (a function of a message that answers as `handle` does, without waiting, or nil
-- where it cannot) and `watch_stream` (see `readiness` of `postern.host.uv_loop`; never asked for a
-- stream that speaks TLS)
-- @treturn Front with `open` (connections now), `accepted`, `requests`, `answers` (status to how
-- many), `counts`
function _M.new(options)
    local limits = {}
    for name, default in pairs(_M.LIMITS) do
        limits[name] = options.limits and options.limits[name] or default
    end
    local self = setmetatable({
        handle = options.handle, fault = options.fault, new_id = options.new_id,
        handle_at_once = options.handle_at_once, watch_stream = options.watch_stream,
        perform = options.perform, close_stream = options.close_stream, later = options.later,
        log = options.log, note = options.note,
        now = options.now, monotonic = options.monotonic, limits = limits,
        lines = response.lines(), tick = tick_of(limits),
        all = {}, open = 0, accepted = 0, requests = 0, answers = {},
        counts = { refused = {}, timed_out = {}, turned_away = 0, handshakes = 0 },
        draining = false,
    }, Front)
    self:set_clock()
    self.busy = whole_answer(503)
    return self
end


--- Sets the clock, and the second that answers are dated with.
function Front:set_clock()
    self.clock, self.second = self.monotonic(), math.floor(self.now())
end


--- Counts something that is not to happen.
-- @tparam string what `refused` or `timed_out`
-- @param which a status, or a state
function Front:count(what, which)
    local counts = self.counts[what]
    counts[which] = (counts[which] or 0) + 1
end


-- The stream of plain text over one that carries TLS; nil when there is no memory for it.
local function secured(self, stream, context)
    local tls, why = context:accept()
    if not tls then
        self.log(why)
        return nil
    end
    return tls_stream.new(stream, tls, self.later, self.close_stream)
end


--- Notes that a handshake of TLS has failed.
-- @tparam string peer
-- @tparam string why
function Front:fail_handshake(peer, why)
    self.counts.handshakes = self.counts.handshakes + 1
    self.note(("TLS with %s: %s"):format(peer, why))
end


--- Takes a stream that was accepted. One too many is told so, and closed.
-- @param stream
-- @tparam table peer what messages carry of where they come from: `peer_of`, `credentials_of`,
-- `routes`; see `postern.message`
-- @tparam[opt] Context context of `postern.tls`: TLS is spoken
-- @treturn Connection|nil
function Front:accept(stream, peer, context)
    if self.open >= self.limits.connections or self.draining then
        self.counts.turned_away = self.counts.turned_away + 1
        if not context then
            self.answers[503] = (self.answers[503] or 0) + 1
            stream:try_write(self.busy)
        end
        self.close_stream(stream)
        return nil
    end
    local secure = context and secured(self, stream, context)
    if context and not secure then
        self.close_stream(stream)
        return nil
    end
    self.open, self.accepted = self.open + 1, self.accepted + 1
    local new = connection.new(secure or stream, self, peer, secure and secure.tls)
    self.all[new] = true
    return new
end


--- Notes that a connection is closed.
-- @tparam Connection one
function Front:forget(one)
    if self.all[one] then
        self.all[one] = nil
        self.open = self.open - 1
        if self.open == 0 and self.when_empty then
            self.when_empty()
        end
    end
end


--- Sets the clock and ends what is over its time. To be called every `tick` seconds.
function Front:sweep()
    self:set_clock()
    local late
    for one in pairs(self.all) do
        if one.deadline <= self.clock then
            late = late or {}
            late[#late + 1] = one
        end
    end
    for _, one in ipairs(late or {}) do
        if not one.closed then
            one:expire()
        end
    end
end


local function each(self, method)
    local all = {}
    for one in pairs(self.all) do
        all[#all + 1] = one
    end
    for _, one in ipairs(all) do
        one[method](one)
    end
end


--- Ends every connection that does nothing; the others end with their next answer.
-- @tparam function when_empty called once when none is left
function Front:drain(when_empty)
    self.draining = true
    each(self, "drain")
    if self.open == 0 then
        when_empty()
    else
        self.when_empty = when_empty
    end
end


--- Closes every connection.
function Front:close()
    each(self, "close")
end


return _M
