--- A client of HTTP/1.1, on the sockets of whatever host it is given.
--
-- Connections are kept and shared by origin. Each origin is called by so many at once; others wait
-- their turn in a bounded queue. A call ends within its timeout, waiting and connecting included.
-- Redirects are not followed: the one who calls knows whether the other place may be asked.
--
-- *Dependencies*: postern.http, postern.semaphore
--
-- @module postern.client
local http = require("postern.http")
local semaphore = require("postern.semaphore")


local _M = {}
local Client = {}
Client.__index = Client


local OPTIONS = { concurrency = true, queue = true }
local REQUEST = { url = true, method = true, headers = true, body = true, timeout = true,
    connect_timeout = true, max_bytes = true }

-- A service that takes more at once from one of its callers is rare, and each has a connection.
local CONCURRENCY = 64

-- Those behind the 64: at 10 ms a call the last of them waits 160 ms.
local QUEUE = 1024

-- Seconds for a call that names none. Whoever decides meanwhile has a client waiting, too.
local TIMEOUT = 5

-- Read at once; a body arrives in pieces of this size at most.
local CHUNK = 64 * 1024

-- RFC 9110, section 9.2.2: these may be sent again when a kept connection turns out to be closed.
local IDEMPOTENT = { GET = true, HEAD = true, OPTIONS = true, PUT = true, DELETE = true,
    TRACE = true }


--- Makes a client.
-- @tparam table options `concurrency` (calls at once to one origin, 64), `queue` (how many may
-- wait, 1024)
-- @tparam table host `connect(options)`, `monotonic()`, `ticket()`, `ensure(cleanup, fn, ...)`
-- @treturn Client
function _M.new(options, host)
    for name in pairs(options) do
        if not OPTIONS[name] then
            error(("unknown option `%s`"):format(tostring(name)), 2)
        end
    end
    return setmetatable({
        host = host,
        concurrency = options.concurrency or CONCURRENCY,
        queue = options.queue or QUEUE,
        places = {}, -- by origin, while it is called
    }, Client)
end


local NUMBERS = { "timeout", "connect_timeout", "max_bytes" }

local function check(request)
    for name in pairs(request) do
        if not REQUEST[name] then
            error(("unknown option `%s`"):format(tostring(name)), 3)
        end
    end
    for _, name in ipairs(NUMBERS) do
        local value = request[name]
        if value ~= nil and (type(value) ~= "number" or not (value > 0 and value < 2 ^ 31)) then
            error(("`%s`: give a number above 0"):format(name), 3)
        end
    end
end


-- ---- One exchange ------------------------------------------------------------------------------

local function left(self, call)
    return math.max(0, call.deadline - self.host.monotonic())
end


local function timed_out(call)
    return ("timed out after %.14g seconds"):format(call.timeout)
end


-- What a socket answered, in the words of the call: its own limit is the rest of the call's.
local function reason(call, err, kind)
    return kind == "timeout" and timed_out(call) or err
end


local function receive(self, call, socket, reader)
    while true do
        local bytes, err, kind = socket:receive(CHUNK, left(self, call))
        local state, rest
        if bytes then
            call.answered = true
            state, rest = reader:feed(bytes)
        elseif err == "closed" and call.answered then
            state, rest = reader:finish()
        else
            return nil, err == "closed" and "closed without an answer" or reason(call, err, kind)
        end
        if state == nil then
            return nil, "bad response: " .. rest
        elseif state then
            -- Bytes behind the response belong to nothing we asked.
            return reader:message(), bytes and rest > #bytes
        end
    end
end


local function exchange(self, call, socket)
    local reader = http.reader("response", { max_body = call.max_bytes })
    reader:reset(call.method == "HEAD")
    local ok, err, kind = socket:send(call.text, left(self, call))
    if not ok then
        return nil, reason(call, err, kind)
    end
    local message, clean = receive(self, call, socket, reader)
    if not message then
        return nil, clean
    end
    if message.keep_alive and clean then
        socket:keep()
    else
        socket:close()
    end
    return { status = message.status, headers = message.headers, body = message.body }
end


local function connect(self, call, fresh)
    local target = call.parts
    local limit = left(self, call)
    local own_limit = call.connect_timeout and call.connect_timeout < limit
    local socket, err, kind = self.host.connect({
        host = target.name, port = target.port, path = target.path,
        timeout = own_limit and call.connect_timeout or limit,
        pool = target.origin, fresh = fresh,
    })
    if not socket then
        return nil, own_limit and err or reason(call, err, kind)
    end
    return socket
end


-- Once more when a kept connection was closed before it answered anything.
local function attempt(self, call)
    local fresh = false
    while true do
        local socket, err = connect(self, call, fresh)
        if not socket then
            return nil, err
        end
        local reused = socket:reused()
        local response
        response, err = exchange(self, call, socket)
        if response then
            return response
        end
        socket:close()
        if not reused or call.answered or not IDEMPOTENT[call.method] or left(self, call) == 0 then
            return nil, err
        end
        fresh = true
    end
end


-- ---- Calls -------------------------------------------------------------------------------------

local function places_of(self, origin)
    local places = self.places[origin]
    if not places then
        places = semaphore.new({ limit = self.concurrency, queue = self.queue }, self.host)
        self.places[origin] = places
    end
    return places
end


local function take_turn(self, call)
    local origin = call.parts.origin
    local places = places_of(self, origin)
    local held, why = places:acquire(call.timeout)
    if not held then
        return nil, why == "busy" and "too many calls wait for their turn" or timed_out(call)
    end
    return self.host.ensure(function()
        places:release()
        if places.used == 0 then
            self.places[origin] = nil
        end
    end, attempt, self, call)
end


--- Calls a URL.
-- @tparam table request `url` (`http://` or `http+unix://`), `method` (GET), `headers` (name to a
-- value or a list of values), `body`, `timeout` (seconds for all of it, 5), `connect_timeout`
-- (seconds), `max_bytes` (of the response's body, 1 MiB)
-- @treturn table|nil `status`, `headers` (lower-case name to a list of values), `body`
-- @treturn string why there is none, with the URL but its query, which may hold secrets
function Client:call(request)
    check(request)
    local available, missing = http.available()
    if not available then
        return nil, missing
    end
    local parts, err = http.parse_url(request.url)
    if not parts then
        return nil, err
    end
    local text
    text, err = http.request({
        method = request.method, target = parts.target, host = parts.host,
        headers = request.headers, body = request.body,
    })
    local timeout = request.timeout or TIMEOUT
    local response
    if text then
        response, err = take_turn(self, {
            parts = parts, text = text, method = request.method or "GET", timeout = timeout,
            connect_timeout = request.connect_timeout, max_bytes = request.max_bytes,
            deadline = self.host.monotonic() + timeout,
        })
    end
    if not response then
        return nil, ("%s: %s"):format((request.url:gsub("%?.*$", "")), err)
    end
    return response
end


return _M
