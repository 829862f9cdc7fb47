--- Worker processes of the libuv host: started with sockets to inherit, told signals, started anew
-- when they die.
--
-- Each has a control socket, of lines. A worker says `ready` once it serves, and from time to time
-- `snapshot TEXT`: what it has counted. It asks `gather`, and is answered `snapshots` and the texts
-- of all others, as a list in JSON. The other end of it is `postern.host.uv_worker`.
--
-- *Dependencies*: luv, postern.host.uv_loop, postern.host.uv_worker
--
-- @module postern.host.uv_processes
local uv = require("luv")
local loops = require("postern.host.uv_loop")

local workers = require("postern.host.uv_worker")

local words = loops.words


local _M = {}
local Processes = {}
Processes.__index = Processes


-- A worker that dies is started again after so many seconds, twice as many each time; one that has
-- lived for `SETTLED` begins anew.
local FIRST_PAUSE, MOST_PAUSE, SETTLED = 0.5, 30, 10

-- What a worker gets beyond its time for draining before it is killed.
local MERCY = 2

-- The first inherited socket is this one, after standard input, output and error.
local FIRST_FD = 3

local ROLE = workers.ROLE

local OPTIONS = { count = true, command = true, sockets = true, drain = true, on_ready = true,
    pause = true, fold = true }


-- ---- The parent --------------------------------------------------------------------------------


local function environment(value)
    local list = {}
    for name, text in pairs(uv.os_environ()) do
        if name ~= ROLE and not name:find("^LISTEN_") and name ~= "NOTIFY_SOCKET" then
            list[#list + 1] = name .. "=" .. text
        end
    end
    list[#list + 1] = ROLE .. "=" .. value
    return list
end


-- An address may be a path, and that may be anything.
local function escape(text)
    return (text:gsub("[;%%]", function(c) return ("%%%02x"):format(c:byte()) end))
end

-- `2;3=127.0.0.1:8080;4=unix:/run/p.sock;control=5`
local function role_of(self, number)
    local parts = { tostring(number) }
    for i, socket in ipairs(self.sockets) do
        parts[#parts + 1] = ("%d=%s"):format(FIRST_FD + i - 1, escape(socket.address))
    end
    parts[#parts + 1] = "control=" .. FIRST_FD + #self.sockets
    return table.concat(parts, ";")
end


local start

local function finish_if_none_left(self)
    if self.stopping and self.living == 0 then
        self.done:post()
    end
end


local function start_again(self, worker)
    if self.monotonic() - worker.started >= SETTLED then
        worker.pause = self.pause
    end
    self.loop.log(("worker %d (process %d) has ended, %s: it is started again in %.14g seconds")
        :format(worker.number, worker.pid, worker.how, worker.pause))
    self.restarts = self.restarts + 1
    worker.stop_pause = self.loop:timer(worker.pause, function()
        worker.stop_pause = nil
        start(self, worker)
    end)
    worker.pause = math.min(worker.pause * 2, MOST_PAUSE)
end


local function on_exit(self, worker, code, signal)
    self.living = self.living - 1
    self.loop:close_handle(worker.process)
    self.loop:close_handle(worker.control)
    worker.process = nil
    if worker.snapshot then
        self.ended = self.fold(self.ended, worker.snapshot)
        worker.snapshot = nil
    end
    worker.how = signal ~= 0 and ("by signal %d"):format(signal) or ("status %d"):format(code)
    if self.stopping then
        finish_if_none_left(self)
    elseif not self.was_ready then
        -- What cannot even begin will not the next time either.
        self.failure = ("worker %d has ended before it was ready, %s"):format(worker.number,
            worker.how)
        self:stop()
    else
        start_again(self, worker)
    end
end


local function note_ready(self, worker)
    worker.ready = true
    for _, other in ipairs(self.workers) do
        if not other.ready then
            return
        end
    end
    if not self.was_ready then
        self.was_ready = true
        self.on_ready()
    end
end


-- What all others have counted, and those that have ended.
local function gather(self, asking)
    local texts = { self.ended }
    for _, worker in ipairs(self.workers) do
        if worker ~= asking then
            texts[#texts + 1] = worker.snapshot
        end
    end
    asking.control:write(("snapshots [%s]\n"):format(table.concat(texts, ",")))
end


--- Takes a line that a worker has said.
-- @tparam table worker
-- @tparam string line
function Processes:take_line(worker, line)
    local word, rest = line:match("^(%l+) ?(.*)$")
    if word == "ready" then
        note_ready(self, worker)
    elseif word == "snapshot" then
        worker.snapshot = rest
    elseif word == "gather" then
        gather(self, worker)
    end
end


function start(self, worker)
    local loop = self.loop
    worker.ready, worker.started = false, self.monotonic()
    worker.control = loop:adopt(uv.new_pipe(false))
    local stdio = { 0, 1, 2 }
    for _, socket in ipairs(self.sockets) do
        stdio[#stdio + 1] = socket.handle
    end
    stdio[#stdio + 1] = worker.control
    local process, pid = uv.spawn(self.command[1], {
        args = { unpack(self.command, 2) }, stdio = stdio,
        env = environment(role_of(self, worker.number)),
    }, loop:callback(function(code, signal)
        on_exit(self, worker, code, signal)
    end))
    self.living = self.living + 1
    if not process then
        worker.pid = 0
        worker.process = nil
        self.living = self.living - 1
        self.failure = ("worker %d does not start: %s"):format(worker.number, words(pid))
        loop:close_handle(worker.control)
        self:stop()
        return
    end
    worker.process, worker.pid = loop:adopt(process), pid
    worker.control:read_start(loop:callback(workers.lines(function(line)
        self:take_line(worker, line)
    end)))
end


--- Starts workers.
-- @tparam Host host of libuv
-- @tparam table options `count`; `command` (path and arguments); `sockets` (listeners of
-- `postern.host.uv_listener`, bound); `drain` (seconds a worker has to end); `on_ready` (called
-- once all are ready); optionally `pause` (seconds before a dead one is started again, 0.5) and
-- `fold` (a function that makes one text of what those counted that have ended, nil at first, and
-- what another one has)
-- @treturn Processes `restarts`, `failure` (why there are none, nil when all went well)
function _M.start(host, options)
    for name in pairs(options) do
        if not OPTIONS[name] then
            error(("unknown option `%s`"):format(tostring(name)), 2)
        end
    end
    local self = setmetatable({
        loop = host.loop, monotonic = host.monotonic,
        command = options.command, sockets = options.sockets, drain = options.drain,
        on_ready = options.on_ready, pause = options.pause or FIRST_PAUSE,
        fold = options.fold or function(ended) return ended end,
        workers = {}, living = 0, restarts = 0, was_ready = false, stopping = false,
        done = host:ticket(),
    }, Processes)
    for number = 1, options.count do
        self.workers[number] = { number = number, pause = self.pause }
    end
    for _, worker in ipairs(self.workers) do
        if not self.stopping then
            start(self, worker)
        end
    end
    return self
end


--- Sends a signal to every worker.
-- @tparam string name `sighup`
function Processes:signal(name)
    for _, worker in ipairs(self.workers) do
        if worker.process then
            worker.process:kill(name)
        end
    end
end


--- The processes that live.
-- @treturn {number,...} their ids
function Processes:pids()
    local pids = {}
    for _, worker in ipairs(self.workers) do
        if worker.process then
            pids[#pids + 1] = worker.pid
        end
    end
    return pids
end


--- Tells the workers to end; those that do not in time are killed. Called twice, at once.
function Processes:stop()
    if self.stopping then
        return self:signal("sigkill")
    end
    self.stopping = true
    for _, worker in ipairs(self.workers) do
        if worker.stop_pause then
            worker.stop_pause()
        end
    end
    self:signal("sigterm")
    self.stop_mercy = self.loop:timer(self.drain + MERCY, function() self:signal("sigkill") end)
    finish_if_none_left(self)
end


--- Waits, in a task, until all have ended after `stop`.
-- @treturn boolean|nil true
-- @treturn string why there are none, when they ended by themselves
function Processes:wait()
    self.done:wait()
    self.stop_mercy()
    if self.failure then
        return nil, self.failure
    end
    return true
end


-- ---- This process ------------------------------------------------------------------------------


--- How many processes can run at once.
-- @treturn number
function _M.cores()
    return uv.available_parallelism()
end


--- The id of this process.
-- @treturn number
function _M.pid()
    return uv.os_getpid()
end


--- The program that runs here.
-- @treturn string path
function _M.executable()
    return uv.exepath()
end


--- The environment of this process.
-- @treturn table name to value
function _M.environment()
    return uv.os_environ()
end


return _M
