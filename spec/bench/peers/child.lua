--- A peer: a program that is asked line by line, each line within a time.
local uv = require("luv")

local _M = {}
local Child = {}
Child.__index = Child


--- Starts a program that begins with a line `hello` and a JSON text.
-- @tparam {string,...} command the program and its arguments
-- @tparam[opt] string folder where it runs
-- @tparam number seconds in which it has to say hello
-- @treturn Child|nil
-- @treturn string what it said instead
function _M.start(command, folder, seconds)
    local self = setmetatable({ input = uv.new_pipe(false), output = uv.new_pipe(false),
                                said = "", lines = {} }, Child)
    local handle, pid = uv.spawn(command[1], {
        args = { unpack(command, 2) }, cwd = folder, stdio = { self.input, self.output, 2 },
    }, function(code, signal)
        self.ended = ("ended with status %d, signal %d"):format(code, signal)
    end)
    if not handle then
        self.input:close()
        self.output:close()
        return nil, ("cannot be started: %s"):format(pid)
    end
    self.handle = handle
    self.output:read_start(function(_, bytes)
        self:hear(bytes)
    end)
    local line, failed = self:next_line(seconds)
    self.hello = line and line:match("^hello (.*)$")
    if not self.hello then
        self:stop()
        return nil, line and "says " .. line or failed
    end
    return self
end


function Child:hear(bytes)
    self.said = self.said .. (bytes or "")
    for line in self.said:gmatch("([^\n]*)\n") do
        self.lines[#self.lines + 1] = line
    end
    self.said = self.said:match("[^\n]*$")
end


function Child:next_line(seconds)
    local late = false
    local timer = uv.new_timer()
    uv.update_time() -- of the loop, which may have stood still for long
    timer:start(math.ceil(seconds * 1000), 0, function()
        late = true
    end)
    while not self.lines[1] and not late and not self.ended do
        uv.run("once")
    end
    timer:close()
    if self.lines[1] then
        return table.remove(self.lines, 1)
    end
    return nil, self.ended or ("no answer within %g s"):format(seconds)
end


--- Asks one thing.
-- @tparam string line
-- @tparam number seconds in which the answer has to come; a program that is late is stopped
-- @treturn string|nil the answer
-- @treturn string why there is none: it was late, ended, or answered `error`
function Child:ask(line, seconds)
    if self.ended then
        return nil, self.ended
    end
    self.input:write(line .. "\n")
    local answer, failed = self:next_line(seconds)
    if not answer then
        self:stop()
        return nil, failed
    end
    local complaint = answer:match("^error (.*)$")
    return not complaint and answer or nil, complaint
end


--- Lets the program end by itself: it finds no line more.
-- @tparam number seconds in which it has to; it is stopped then
function Child:finish(seconds)
    self.input:shutdown()
    while self.handle and not self.ended do
        local line = self:next_line(seconds)
        if not line and not self.ended then
            break
        end
    end
    self:stop()
end


--- Ends the program, at once.
function Child:stop()
    if not self.handle then
        return
    end
    if not self.ended then
        self.handle:kill("sigkill")
    end
    while not self.ended do
        uv.run("once")
    end
    self.handle:close()
    self.input:close()
    self.output:close()
    self.handle = nil
    uv.run("nowait")
end


return _M
