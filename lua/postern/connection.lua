--- One connection of HTTP/1.1, from its first byte to its end.
--
--    bytes -> reader -> message -> handler (it may wait) -> answer -> bytes
--
-- Requests of one connection are answered one after another, in their order, as RFC 9112, section
-- 9.3.2 wants; while one waits, the bytes behind it wait as well, and other connections go on.
-- Answers to what came in one piece leave in one piece. A stream is one of the host's or does as
-- those do: `read_start`, `read_stop`, `try_write`, `write`, `shutdown`; so TLS is a stream over
-- one.
--
-- Where the front can tell when a stream's descriptor is readable, what comes is read from there
-- and answered at once, as long as nothing has to wait: neither becomes a string of Lua. Whatever
-- else happens is done as for any stream.
--
-- A connection is always in one of these; each but the first has its limit in seconds:
--
--    working   a handler runs                     idle      no request has begun
--    head      a request has begun                body      its head is there, its body is not
--    waiting   a handler waits                    writing   the peer does not take our answer
--    lingering we have said the last word, and let the peer finish
--    handshake of TLS, before all others; it has its part of the time for a head
--
-- *Dependencies*: postern.http, postern.message, postern.response
--
-- @module postern.connection
local http = require("postern.http")
local messages = require("postern.message")
local response = require("postern.response")


local _M = {}
local Connection = {}
Connection.__index = Connection


-- Bytes of requests that may wait behind one that is not answered; then nothing more is read.
local MOST_WAITING = 65536

-- Answers of so many bytes leave before the next request is looked at.
local MOST_QUEUED = 65536

-- What a peer may still send after our last word. Closed at once, it might never see that word.
local MOST_LINGERING, LINGER = 1024 * 1024, 2

local CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n"

local CLOSE, KEEP, NO_BODY = http.CLOSE, http.KEEP, http.NO_BODY


-- ---- Listening ---------------------------------------------------------------------------------


-- From now on the stream reads as any other does.
local function be_a_stream(self)
    if self.ready then
        self.ready:stop()
        self.ready = nil
    end
end


-- Either the front watches the descriptor or the stream does. The system may watch no more.
local function listen(self)
    if not self.ready or not self.ready:start() then
        be_a_stream(self)
        self.stream:read_start(self.on_bytes)
    end
end


local function stop_listening(self)
    if self.ready then
        self.ready:stop()
    else
        self.stream:read_stop()
    end
end


-- ---- Ending ------------------------------------------------------------------------------------


--- Closes it, whatever it does. A handler that waits is cancelled.
function Connection:close()
    if self.closed then
        return
    end
    self.closed = true
    self.input = nil
    be_a_stream(self)
    self.front:forget(self)
    local task = self.task
    self.task = nil
    if task then
        task:cancel("the connection is closed")
    end
    if self.tls then
        self.stream:close()
    else
        self.front.close_stream(self.stream)
    end
end


-- What the peer sends now is not read by anybody; but it should see what we said.
local function finish(self)
    if self.ended or not (self.dirty or self.input) then
        return self:close()
    end
    self.input = nil
    self.state, self.deadline = "lingering", self.front.clock + LINGER
    self.lingered = 0
    if self.ready then
        be_a_stream(self)
        self.stopped = true
    end
    self.stream:shutdown()
    if self.stopped then
        self.stopped = false
        listen(self)
    end
end


local function linger(self, chunk)
    self.lingered = self.lingered + #chunk
    if self.lingered > MOST_LINGERING then
        self:close()
    end
end


-- ---- Writing -----------------------------------------------------------------------------------


local advance

local function write_later(self, text)
    if self.ready then
        self.ready:stop()
    end
    self.writing = true
    self.state, self.deadline = "writing", self.front.clock + self.front.limits.write_seconds
    self.stream:write(text, self.on_written)
end


-- What is queued goes out; what the peer does not take at once has its time.
local function flush(self)
    local text = self.writer:take()
    self.queued = 0
    local sent, _, name = self.stream:try_write(text)
    if sent == #text then
        return
    elseif not sent and name ~= "EAGAIN" then
        return self:close()
    end
    write_later(self, sent and text:sub(sent + 1) or text)
end


local function on_written(self, err)
    self.writing = false
    if err then
        return self:close()
    elseif not self.closed then
        self.state = "working"
        if self.ready and not (self.ended or self.stopped) then
            listen(self)
        end
        advance(self)
    end
end


-- A peer that can have no more on this connection is told so, as is one of HTTP/1.0 that can.
local function flags_of(self)
    local flags = self.message.method == "HEAD" and NO_BODY or 0
    if self.last then
        return flags + CLOSE
    end
    return self.message.minor == 0 and flags + KEEP or flags
end


local function put(self, status, headers, body)
    local front, writer = self.front, self.writer
    local lines, why = front.lines:of(headers)
    if not lines or not response.is_status(status) then
        front.log(("an answer that cannot be sent: %s"):format(why or "a status that is none"))
        status, headers, body = front.fault(self.message)
        lines = assert(front.lines:of(headers))
    end
    front.answers[status] = (front.answers[status] or 0) + 1
    writer:time(front.second)
    writer:answer(status, lines, response.has_body(status) and body or nil, flags_of(self))
    self.queued = writer:size()
end


-- Our own answer to what is no request, or comes too slowly; the last one.
local function refuse(self, status)
    self.last, self.dirty, self.input = true, true, nil
    self.message.method = nil
    self.front:count("refused", status)
    put(self, status, response.JSON, response.problem(status))
end


-- ---- Answering ---------------------------------------------------------------------------------


local function answer(self)
    local front, message = self.front, self.message
    local keep_alive = message:take()
    self.requests, self.streak = self.requests + 1, self.streak + 1
    front.requests = front.requests + 1
    self.state = "working"
    local ok, status, headers, body = pcall(front.handle, message)
    if not ok then
        front.log(("%s %s: a handler raised: %s"):format(message.method, message.path,
            tostring(status)))
        status, headers, body = front.fault(message)
    end
    -- Looked at only now: the server may have begun to stop while the handler waited.
    self.last = not keep_alive or front.draining or self.requests >= front.limits.requests
    put(self, status, headers, body)
end


-- The client waits to be told that its body is wanted (RFC 9110, section 10.1.1).
local function expect(self)
    local expected, count = self.reader:header("expect")
    if count == 0 then
        return
    elseif count > 1 or expected:lower() ~= "100-continue" then
        refuse(self, 417)
    elseif select(3, self.reader:request()) == 1 then
        self.writer:put(CONTINUE)
        self.queued = self.writer:size()
    end
end


-- The message goes on: which part of it is awaited.
local function note_part(self)
    self.input = nil
    local part = self.reader:request() and "body" or "head"
    if part == "body" and self.part ~= "body" then
        expect(self)
    end
    self.part = part
end


-- One request, if there is a whole one.
local function step(self)
    if self.whole then
        self.whole, self.part = false, nil
        answer(self)
        self.reader:reset()
        return
    end
    local complete, rest = self.reader:feed(self.input, self.at)
    if complete then
        self.part = nil
        if rest > #self.input then
            self.input = nil
        else
            self.at = rest
        end
        answer(self)
        self.reader:reset()
    elseif complete == false then
        note_part(self)
    else
        refuse(self, self.reader:answer())
    end
end


local function has_input(self)
    return self.whole or self.input ~= nil
end


local function is_ready(self)
    return has_input(self) and self.streak < self.front.limits.pipelined
        and not (self.last or self.closed or self.writing) and self.queued < MOST_QUEUED
end


local function step_on(self)
    step(self)
    if not self.inside and self.queued > 0 and not (self.writing or self.closed) then
        flush(self)
    end
end


-- Answers what has come. It runs in a task, since a handler may wait; from then on it runs alone,
-- and not within `advance`. (The first step stands before the loop: one request at a time is the
-- common case, and a loop that runs once does not compile.)
local function pump(self)
    self.busy = true
    step_on(self)
    if is_ready(self) then
        repeat
            step_on(self)
        until not is_ready(self)
    end
    self.busy = false
    if not self.inside then
        self.task = nil
        advance(self)
    end
end


-- ---- States ------------------------------------------------------------------------------------


local function await(self, state, seconds)
    if self.state ~= state then
        self.state, self.deadline = state, self.front.clock + seconds
    end
end


-- Many requests came at once. Those of others are looked at before the rest of them.
local function step_aside(self)
    self.aside, self.state = true, "working"
    self.front.later(function()
        self.aside, self.streak = false, 0
        if not self.closed then
            advance(self)
        end
    end)
end


-- After a piece of work: hands over what there is to say, and finds out what is awaited now.
-- Answers whether there is more work.
local function settle(self)
    if self.queued > 0 and not (self.writing or self.closed) then
        flush(self)
    end
    if self.closed or self.writing then
        return false
    elseif self.busy then
        await(self, "waiting", self.front.limits.answer_seconds)
        return false
    elseif self.last then
        finish(self)
        return false
    elseif has_input(self) and self.streak >= self.front.limits.pipelined then
        step_aside(self)
        return false
    elseif has_input(self) then
        return true
    elseif self.ended or (self.front.draining and not self.part) then
        self:close()
        return false
    end
    self.streak = 0
    if self.part then
        await(self, self.part, self.front.limits[self.part .. "_seconds"])
    else
        await(self, "idle", self.front.limits.idle_seconds)
    end
    if self.stopped then
        self.stopped = false
        listen(self)
    end
    return false
end


-- Works until something has to be waited for.
function advance(self)
    if not self.busy and is_ready(self) then
        self.inside = true
        self.task = self.front.perform(pump, self)
        self.inside = false
    end
    if settle(self) then
        return advance(self)
    end
end


local function take_bytes(self, chunk)
    if self.state == "lingering" then
        return linger(self, chunk)
    elseif not self.input then
        self.input, self.at = chunk, 1
    else
        self.input, self.at = self.input:sub(self.at) .. chunk, 1
    end
    if not (self.busy or self.writing or self.aside) then
        advance(self)
    elseif #self.input >= MOST_WAITING and not self.stopped then
        self.stopped = true
        stop_listening(self)
    end
end


-- The peer says nothing more. It may still wait for answers.
local function take_end(self)
    self.ended = true
    if self.state == "lingering" then
        self:close()
    elseif not (self.busy or self.writing or self.aside) then
        advance(self)
    end
end


local function on_bytes(self, err, chunk)
    if self.closed then
        return
    elseif chunk then
        take_bytes(self, chunk)
    elseif err then
        self:close()
    else
        take_end(self)
    end
end


-- ---- At once -----------------------------------------------------------------------------------


-- Answers a request that is whole, unless it has to wait, or the connection is to do more than go
-- on. Answers whether it did. What is left of what came is behind it.
local function answer_at_once(self, came, left)
    local front, message = self.front, self.message
    local keep_alive = message:take()
    if not keep_alive or message.minor == 0 or message.method == "HEAD" or front.draining
        or self.requests + 1 >= front.limits.requests then
        return false
    end
    message.never_at_once = nil
    self.trying, self.came, self.left = true, came, left
    local status, headers, body = front.handle_at_once(message)
    self.trying = false
    if not status then
        return false
    end
    self.part, self.state = nil, "working"
    self.requests, self.streak = self.requests + 1, self.streak + 1
    front.requests = front.requests + 1
    put(self, status, headers, body)
    self.reader:reset()
    return true
end


-- Hands over what is to say, as `flush` does.
local function send_at_once(self)
    local left = self.writer:send(self.fd)
    self.queued, self.streak = 0, 0
    if left == 0 then
        self.state, self.deadline = "idle", self.front.clock + self.front.limits.idle_seconds
    elseif left then
        write_later(self, self.writer:take():sub(-left))
    else
        self:close()
    end
end


-- What has come was not a request, one that has to wait, or several.
local function take_rest(self, complete, came, left)
    if left > 0 then
        self.input, self.at = http.left(came, left), 1
    end
    if complete then
        self.whole = true
    elseif complete == false then
        note_part(self)
    else
        refuse(self, self.reader:answer())
    end
    advance(self)
end


-- What to do when a request was answered at once: true when there are more behind it, which
-- `take_next` is to be asked for, one at a time. A loop would not be compiled as one request is.
local function go_on(self)
    self.behind = self.left > 0
    if self.behind then
        return true
    end
    return send_at_once(self)
end


-- A request behind one that was answered at once.
local function take_next(self)
    local came, left = self.came, self.left
    self.behind = false
    if self.queued >= MOST_QUEUED or self.streak >= self.front.limits.pipelined then
        self.input, self.at = http.left(came, left), 1
        return advance(self)
    end
    local complete, rest = self.reader:feed_left(came, left)
    if complete and answer_at_once(self, came, rest) then
        return go_on(self)
    end
    return take_rest(self, complete, came, rest)
end


local function take_received(self)
    local complete, came, left = self.reader:receive(self.fd)
    if complete and self.front.handle_at_once and answer_at_once(self, came, left) then
        return go_on(self)
    elseif complete == false and came == http.LATER then
        return
    elseif complete == false and came == 0 then
        self.ready:stop()
        take_end(self)
    elseif complete == false and came == http.BROKEN then
        self:close()
    else
        take_rest(self, complete, came, left)
    end
end


-- The descriptor can be read. Answers true when it is to be called again, before anybody else is.
local function on_ready(self)
    if self.closed then
        return
    elseif self.behind then
        return take_next(self)
    elseif has_input(self) or self.busy or self.writing or self.last then
        -- Behind what is not answered yet.
        local chunk = http.receive(self.fd)
        if chunk == "" then
            self.ready:stop()
            take_end(self)
        elseif chunk then
            take_bytes(self, chunk)
        elseif chunk == nil then
            self:close()
        end
    else
        return take_received(self)
    end
end


-- What is wrong with a request that raised at once, the other way finds out, too.
local function try_the_other_way(self)
    self.trying, self.whole = false, true
    if self.left > 0 then
        self.input, self.at = http.left(self.came, self.left), 1
    end
    advance(self)
end


local function on_raised(self, why)
    local ok = false
    self.behind = false
    if self.trying then
        ok, why = pcall(try_the_other_way, self)
    end
    if not ok then
        self.front.log("a connection raised: " .. tostring(why))
        self.inside = false
        self:close()
    end
end


local function protected(self, fn)
    return function(...)
        local ok, why = pcall(fn, self, ...)
        if not ok then
            on_raised(self, why)
        end
    end
end


-- What is known of who made the handshake; nil and why when that cannot be read.
local function peer_of_tls(tls)
    local certificate, why = tls:peer()
    if why then
        return nil, why
    end
    certificate = certificate or { verified = false }
    certificate.version = tls:version()
    return certificate
end


local function on_handshake(self, err)
    if self.closed then
        return
    end
    local known
    if not err then
        known, err = peer_of_tls(self.tls)
    end
    if not known then
        self.front:fail_handshake(self.message.peer, err)
        return self:close()
    end
    self.message.tls, self.state = known, "head"
    listen(self)
end


--- Serves a stream.
-- @param stream connected; the connection closes it, by `close_stream` of the front
-- @tparam table front what connections share; see `postern.connections`
-- @tparam table peer what messages carry: `peer_of`, who is at the other end, and optionally
-- `credentials_of` and `routes`; see `postern.message`
-- @tparam[opt] Connection tls of `postern.tls`, which the stream speaks: then the handshake comes
-- first, and the stream is closed by its own `close`
-- @treturn Connection
function _M.new(stream, front, peer, tls)
    local limits = front.limits
    local reader = http.reader("request", {
        max_head = limits.head_bytes, max_headers = limits.headers, max_body = limits.body_bytes,
    })
    local self = setmetatable({
        stream = stream, front = front, reader = reader, tls = tls,
        message = messages.new({
            reader = reader, new_id = front.new_id, peer_of = peer.peer_of,
            credentials_of = peer.credentials_of, routes = peer.routes,
        }),
        input = nil, at = 1, part = nil,
        writer = http.writer(), queued = 0, streak = 0,
        whole = false, trying = false, came = 0, left = 0, behind = false,
        ready = nil, fd = nil,
        busy = false, inside = false, writing = false, stopped = false, task = nil,
        aside = false, last = false, dirty = false, ended = false, closed = false, requests = 0,
        state = tls and "handshake" or "head", deadline = front.clock + limits.head_seconds,
    }, Connection)
    -- Not when it is first wanted: the peer may have gone by then, and asking is nothing that is
    -- compiled.
    self.message.peer = peer.peer_of()
    self.on_bytes = protected(self, on_bytes)
    self.on_written = protected(self, on_written)
    if tls then
        stream:handshake(protected(self, on_handshake))
        return self
    elseif front.watch_stream then
        self.ready = front.watch_stream(stream, on_ready, self, on_raised)
        self.fd = self.ready and self.ready.fd
    end
    listen(self)
    return self
end


-- ---- From outside ------------------------------------------------------------------------------


local function stop_waiting(self)
    local front, task = self.front, self.task
    self.task, self.busy, self.input = nil, false, nil
    if task then
        task:cancel("it took too long")
    end
    front.log(("%s %s: no answer within %.14g seconds"):format(self.message.method,
        self.message.path, front.limits.answer_seconds))
    self.last, self.dirty = true, true
    put(self, front.fault(self.message))
    settle(self)
end


--- To be called when its deadline has passed.
function Connection:expire()
    local state = self.state
    if state == "working" then
        -- A handler that began to wait while nobody looked.
        await(self, "waiting", self.front.limits.answer_seconds)
        return
    end
    self.front:count("timed_out", state)
    if state == "waiting" then
        stop_waiting(self)
    elseif (state == "head" or state == "body") and self.part then
        refuse(self, 408)
        settle(self)
    else
        self:close()
    end
end


--- Ends it when it does nothing; else its next answer is its last. To be called when the front is
-- draining.
function Connection:drain()
    if self.state == "idle" or self.state == "handshake"
        or (self.state == "head" and not self.part) then
        self:close()
    end
end


return _M
