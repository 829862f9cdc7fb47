--- A worker process of the libuv host, as it sees itself: its number, the sockets it has inherited,
-- and its parent at the other end of a control socket; see `postern.host.uv_processes`.
--
-- When that socket ends the parent is gone, and the worker is to end too: no process is left
-- behind.
--
-- *Dependencies*: luv
--
-- @module postern.host.uv_worker
local uv = require("luv")


local _M = {}
local Worker = {}
Worker.__index = Worker


--- The variable of the environment that makes a process a worker.
_M.ROLE = "POSTERN_WORKER"

-- Seconds until a parent has answered; it does nothing that takes long.
local PATIENCE = 2


local function unescape(text)
    return (text:gsub("%%(%x%x)", function(code) return string.char(tonumber(code, 16)) end))
end


--- What this process is.
-- @treturn table|nil of a worker: `number`, `sockets` (list of `fd` and `address`), `control` (the
-- number of a descriptor); nil in any other process
function _M.role()
    local value = uv.os_getenv(_M.ROLE)
    if not value then
        return nil
    end
    -- Processes that packs may start are no workers.
    uv.os_unsetenv(_M.ROLE)
    local role = { sockets = {} }
    role.number = tonumber(value:match("^%d+"))
    for fd, address in value:gmatch(";(%d+)=([^;]+)") do
        table.insert(role.sockets, { fd = tonumber(fd), address = unescape(address) })
    end
    role.control = tonumber(value:match(";control=(%d+)$"))
    return role
end


--- Makes of a function of lines a callback of reading.
-- @tparam function take called with each line, without its end
-- @tparam[opt] function on_end called when no more comes
-- @treturn function
function _M.lines(take, on_end)
    local rest = ""
    return function(_, bytes)
        if not bytes then
            return on_end and on_end()
        end
        rest = rest .. bytes
        for line in rest:gmatch("([^\n]*)\n") do
            take(line)
        end
        rest = rest:match("[^\n]*$")
    end
end


--- Takes up the control socket.
-- @tparam Host host
-- @tparam table role
-- @tparam function on_orphaned called when the parent is gone
-- @treturn Worker
function _M.attend(host, role, on_orphaned)
    local loop = host.loop
    local self = setmetatable({ host = host, asked = {} }, Worker)
    self.control = loop:adopt(uv.new_pipe(false))
    assert(self.control:open(role.control))
    self.control:read_start(loop:callback(_M.lines(function(line)
        local text = line:match("^snapshots (.*)$")
        local first = text and table.remove(self.asked, 1)
        if first then
            first.text = text
            first.ticket:post()
        end
    end, function()
        self.gone = true
        loop:close_handle(self.control)
        on_orphaned()
    end)))
    self.control:unref()
    return self
end


local function say(self, line)
    if not self.gone then
        self.control:write(line .. "\n")
    end
end


--- Tells the parent that this worker serves.
function Worker:ready()
    say(self, "ready")
end


--- Tells the parent what was counted here.
-- @tparam string text of one line, JSON
function Worker:tell(text)
    say(self, "snapshot " .. text)
end


--- Asks, in a task, what all others have told.
-- @treturn string|nil a list in JSON
-- @treturn string why there is none
function Worker:gather()
    local asked = { ticket = self.host:ticket() }
    self.asked[#self.asked + 1] = asked
    say(self, "gather")
    asked.ticket:wait(PATIENCE)
    if not asked.text then
        return nil, "the parent does not answer"
    end
    return asked.text
end


return _M
