--- `postern serve` as a process of its own, for specs of what an operator types.

local uv = require("luv")
local hosts = require("postern.host.uv")
local commands = require("spec.support.commands")

local _M = {}
local Served = {}
Served.__index = Served


-- Seconds after which something that should happen has not.
local LONG = 10


--- Starts a command; it is stopped, by force if need be, when the host is closed.
-- @tparam string line what a person types; `postern` in it stands for the one that was built
-- @tparam[opt] table options `folder`, `sockets` (handles to inherit, from 3 on)
-- @treturn Served `host`, `said` (all it has written)
function _M.start(line, options)
    options = options or {}
    local self = setmetatable({ said = "", host = options.host or hosts.new() }, Served)
    local output = uv.new_pipe(false)
    local stdio = { 0, output, 2 }
    for i, socket in ipairs(options.sockets or {}) do
        stdio[3 + i] = socket
    end
    line = line:gsub("postern serve", commands.build() .. "/postern serve", 1) .. " 2>&1"
    local loop = self.host.loop
    self.process, self.pid = uv.spawn("/bin/sh", {
        args = { "-c", line }, stdio = stdio, cwd = options.folder,
    }, function(code, signal)
        self.status = signal ~= 0 and -signal or code
        loop:close_handle(self.process)
    end)
    assert(self.process, self.pid)
    loop:adopt(self.process)
    loop:adopt(output)
    output:read_start(function(_, text)
        self.said = self.said .. (text or "")
    end)
    return self
end


--- Waits until something holds.
-- @tparam function fn
-- @return what it answers, false when the time is over
function Served:until_true(fn)
    if not self.host:inside() then
        return self.host:block(self.until_true, self, fn)
    end
    for _ = 1, LONG * 100 do
        local result = fn()
        if result then
            return result
        end
        self.host:sleep(0.01)
    end
    return false
end


--- Waits until it listens.
-- @treturn string the first address
function Served:ready()
    self:until_true(function() return self.said:find("listening on") or self.status end)
    return self.said:match("listening on ([^,\n]+)") or error("it does not serve: " .. self.said)
end


--- Runs a shell command, while what is served goes on.
-- @tparam string line
-- @treturn string what it printed
function Served:shell(line)
    local text, done = "", false
    local output = self.host.loop:adopt(uv.new_pipe(false))
    local process
    -- A preloaded sanitizer is meant for the core, not for programs.
    line = "unset LD_PRELOAD; " .. line
    process = uv.spawn("/bin/sh", { args = { "-c", line }, stdio = { 0, output, 2 } }, function()
        self.host.loop:close_handle(process)
    end)
    self.host.loop:adopt(process)
    output:read_start(function(_, piece)
        if piece then
            text = text .. piece
        else
            done = true
            self.host.loop:close_handle(output)
        end
    end)
    self:until_true(function() return done end)
    return text
end


--- Runs curl.
-- @tparam string arguments
-- @treturn string what it printed
function Served:curl(arguments)
    return self:shell("curl -s --max-time 30 " .. arguments)
end


--- Sends a signal, and answers the exit status when that ends it.
-- @tparam string name
-- @treturn number|boolean negative: the signal that ended it; false: it lives
function Served:stop(name)
    uv.kill(self.pid, name or "sigterm")
    self:until_true(function() return self.status end)
    return self.status
end


function Served:close()
    if not self.status then
        uv.kill(self.pid, "sigkill")
        self:until_true(function() return self.status end)
    end
    self.host:close()
end


return _M
