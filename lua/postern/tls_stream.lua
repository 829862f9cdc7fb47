--- A stream that speaks TLS over a stream of the host's.
--
-- It has the same functions: `read_start`, `read_stop`, `try_write`, `write`, `shutdown`, `close`;
-- whoever uses one need not know which it is. `handshake` comes first.
--
-- A peer that ends the connection without saying so in TLS (close_notify) is an error and no end:
-- somebody else may have cut it.
--
-- *Dependencies*: none
--
-- @module postern.tls_stream

local _M = {}
local Stream = {}
Stream.__index = Stream


local CUT = "ECONNABORTED: the connection ended without a word of TLS"


--- Puts TLS over a stream.
-- @param stream connected, of the host's; it is closed with this one
-- @tparam Connection tls of `postern.tls`
-- @tparam function later calls a function from the loop, soon and not at once
-- @tparam[opt] function close closes the stream below, where its host has a way of its own to; it
-- is called with the stream and the callback of `close`
-- @treturn Stream
function _M.new(stream, tls, later, close)
    return setmetatable({
        stream = stream, tls = tls, later = later, close_stream = close or stream.close,
        on_open = nil, -- while the handshake goes on
        on_bytes = nil, -- of read_start
        reading = false, inside = false,
        rest = nil, rest_at = 1, -- bytes of the peer that wait to be opened
        over = nil, -- how it ended for the reader: `end` or an error
        sealed = 0, -- bytes of the next write that are sealed already
        writes = {}, first = 1, -- text, where to go on and callback each
        ending = nil, -- the callback of a shutdown that waits for them
    }, Stream)
end


-- ---- Reading -----------------------------------------------------------------------------------

-- Bytes that TLS itself wants to say. The host keeps their order.
local function send_sealed(self)
    local bytes = self.tls:take()
    if bytes ~= "" and not self.stream:is_closing() then
        self.stream:write(bytes)
    end
end


-- Tells the reader once how it ended.
local function tell_over(self)
    local over, on_open = self.over, self.on_open
    if on_open then
        self.on_open = nil
        on_open(over == "end" and CUT or over)
    elseif self.reading then
        self.reading = false
        self.on_bytes(over ~= "end" and over or nil, nil)
    end
end


-- Opens some of what there is. False: nothing more is to be had of it now.
local function open_some(self)
    local text = self.tls:read()
    if text ~= "" then
        self.on_bytes(nil, text)
        return true
    elseif not self.rest then
        if self.tls:state() == "closed" then
            self.over = "end"
        end
        return false
    end
    local state, next_at = self.tls:feed(self.rest, self.rest_at)
    send_sealed(self)
    if not state then
        self.rest, self.over = nil, next_at
        return false
    end
    self.rest_at = next_at
    if next_at > #self.rest then
        self.rest = nil
    end
    if state ~= "handshake" and self.on_open then
        local on_open = self.on_open
        self.on_open = nil
        on_open(nil)
    end
    return true
end


-- Until the reader wants no more. One that stops and starts again meanwhile is still served here.
local function open_all(self)
    if self.inside then
        return
    end
    self.inside = true
    while (self.on_open or self.reading) and not self.over and open_some(self) do end
    self.inside = false
    if self.over then
        self.stream:read_stop()
        tell_over(self)
    end
end


local function on_raw(self, err, bytes)
    if bytes then
        self.rest = self.rest and self.rest:sub(self.rest_at) .. bytes or bytes
        self.rest_at = 1
    elseif not self.over then
        self.over = err or (self.tls:state() == "closed" and "end" or CUT)
    end
    open_all(self)
end


local function read_raw(self)
    self.stream:read_start(function(err, bytes) on_raw(self, err, bytes) end)
end


--- Makes the handshake.
-- @tparam function callback called with nil when it has ended well, with an error else; then the
-- stream is to be closed
function Stream:handshake(callback)
    self.on_open = callback
    send_sealed(self)
    read_raw(self)
end


--- Begins to read, as luv's `read_start`.
-- @tparam function callback called with an error, or nil and plain text, or nil and nil at the end
function Stream:read_start(callback)
    self.on_bytes, self.reading = callback, true
    if self.over then
        return self.later(function() tell_over(self) end)
    end
    read_raw(self)
    -- What came before may wait in here, and the host tells nobody of that.
    if not self.inside then
        self.later(function() open_all(self) end)
    end
end


--- Stops reading.
function Stream:read_stop()
    self.reading = false
    self.stream:read_stop()
end


-- ---- Writing -----------------------------------------------------------------------------------

--- Writes what can be written at once. After `EAGAIN` the same text is to be given to `write`: some
-- of it may be sealed already.
-- @tparam string text
-- @treturn number|nil its length
-- @treturn string why nothing was written
-- @treturn string the error's name: `EAGAIN`, or another
function Stream:try_write(text)
    if self.writes[self.first] or self.sealed > 0 then
        return nil, "EAGAIN: writes wait", "EAGAIN"
    end
    local next_at, why = self.tls:write(text)
    if not next_at then
        return nil, why, "EPROTO"
    end
    local bytes = self.tls:take()
    local sent, err, name = self.stream:try_write(bytes)
    if sent == #bytes and next_at > #text then
        return #text
    elseif not sent and name ~= "EAGAIN" then
        return nil, err, name
    end
    self.sealed = next_at - 1
    if (sent or 0) < #bytes then
        self.stream:write(bytes:sub((sent or 0) + 1))
    end
    return nil, "EAGAIN: the peer is slower", "EAGAIN"
end


local write_next, on_written

local function shut_down(self)
    self.tls:close()
    send_sealed(self)
    self.stream:shutdown(self.ending)
    self.ending = nil
end


-- One failure is the failure of all that wait.
function on_written(self, err)
    local write = self.writes[self.first]
    if not err and write.at <= #write.text then
        return write_next(self)
    end
    self.writes[self.first], self.first = nil, self.first + 1
    local more, callback = self.writes[self.first] ~= nil, write.callback
    if more and not err then
        write_next(self)
    elseif self.ending and not err then
        shut_down(self)
    end
    if callback then
        callback(err)
    end
    if more and err then
        on_written(self, err)
    end
end


function write_next(self)
    local write = self.writes[self.first]
    local next_at, why = self.tls:write(write.text, write.at)
    if not next_at then
        return self.later(function() on_written(self, why) end)
    end
    write.at = next_at
    self.stream:write(self.tls:take(), function(err) on_written(self, err) end)
end


--- Writes all of a text.
-- @tparam string text
-- @tparam[opt] function callback called with nil when the host has taken it, or with an error
function Stream:write(text, callback)
    local last = self.first
    while self.writes[last] do
        last = last + 1
    end
    self.writes[last] = { text = text, at = 1 + self.sealed, callback = callback }
    self.sealed = 0
    if last == self.first then
        write_next(self)
    end
end


--- Tells the peer that nothing more is sent, after what was written.
-- @tparam[opt] function callback as luv's
function Stream:shutdown(callback)
    self.ending = callback or function() end
    if not self.writes[self.first] then
        shut_down(self)
    end
end


--- Closes it and the stream below; what the host has not sent yet is lost, as there.
-- @tparam[opt] function callback as luv's
function Stream:close(callback)
    self.reading, self.on_open = false, nil
    self.tls:close()
    local bytes = self.tls:take()
    if bytes ~= "" then
        self.stream:try_write(bytes)
    end
    self.close_stream(self.stream, callback)
end


--- Whether it is closed or about to be.
-- @treturn boolean
function Stream:is_closing()
    return self.stream:is_closing()
end


return _M
