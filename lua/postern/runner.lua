--- A rule pack at work: its configuration, its tools and its state, from start to stop.
--
-- What a pack waits for (lazy keys) goes through a gate of its host: so many at once, for so long,
-- and not at all while it keeps failing; see `postern.guard`.
--
-- *Dependencies*: postern.tools
--
-- @module postern.runner
local tools = require("postern.tools")


local _M = {}
local Runner = {}
Runner.__index = Runner


-- Limits that are the gate's.
local GATE = { "timeout", "concurrency", "queue", "failures", "pause" }


local function limits_of(pack, own)
    local limits = { open = "deny" }
    for _, source in ipairs({ pack.limits or {}, own or {} }) do
        for name, value in pairs(source) do
            limits[name] = value
        end
    end
    return limits
end


local function copied(members)
    local copy = {}
    for name, value in pairs(members) do
        copy[name] = value
    end
    return copy
end


--- Makes a runner. The configuration has been checked.
-- @tparam table entry `pack`; `config`, what the pack's `check` took; `limits` in place of the
-- pack's own
-- @tparam table shared tools, see `new` of `postern.tools`
-- @tparam[opt] table operations the host: `gate`, `inside` and `block`, as far as it has them
-- @treturn Runner with `pack`, `config`, `limits` and `tools`
function _M.new(entry, shared, operations)
    local limits = limits_of(entry.pack, entry.limits)
    return setmetatable({
        pack = entry.pack, config = entry.config, limits = limits,
        tools = tools.of_pack(shared, { limits = copied(limits) }, entry.pack.lazy == true),
        operations = operations or {},
    }, Runner)
end


local function same(left, right, depth)
    if type(left) ~= "table" or type(right) ~= "table" or depth > 16 then
        return left == right
    end
    for name, value in pairs(left) do
        if not same(value, right[name], depth + 1) then
            return false
        end
    end
    for name in pairs(right) do
        if left[name] == nil then
            return false
        end
    end
    return true
end


-- Where the host has a loop and the caller is no task of it, the loop runs until `fn` has ended.
local function in_task(self, fn, ...)
    local operations = self.operations
    if operations.block and operations.inside and not operations:inside() then
        return operations:block(fn, ...)
    end
    return fn(...)
end


-- A state that was taken over as it is has two holders, and ends with the last of them: the other
-- generation may go on, or end first.
local function hold(self, state, previous)
    local shared = type(state) == "table" and previous ~= nil and state == previous.tools.state
    self.holders = shared and previous.holders or { count = 0 }
    self.holders.count = self.holders.count + 1
end


--- Starts the pack. A lazy one may wait while it starts.
-- @tparam[opt] Runner previous the runner of the pack of this name in the generation before
-- @treturn boolean|nil true
-- @treturn string why not
function Runner:start(previous)
    local start = self.pack.start
    if not start then
        return true
    end
    if previous and same(previous.config, self.config, 1) then
        self.tools.previous = previous.tools.state
    end
    local ok, state, err
    if self.pack.lazy then
        ok, state, err = in_task(self, pcall, start, self.config, self.tools)
    else
        ok, state, err = pcall(start, self.config, self.tools)
    end
    self.tools.previous = nil
    if not ok then
        return nil, tostring(state)
    elseif state == nil and err ~= nil then
        return nil, tostring(err)
    end
    self.tools.state, self.started = state, true
    hold(self, state, previous)
    return true
end


--- Ends the pack: nothing of it is called any more. Its state ends with it, unless the pack of
-- another generation has taken it over.
-- @treturn string|nil what went wrong
function Runner:stop()
    if not self.started or not self.pack.stop then
        return nil
    end
    self.started = false
    self.holders.count = self.holders.count - 1
    if self.holders.count > 0 then
        return nil
    end
    local ok, err = pcall(self.pack.stop, self.tools.state, self.tools)
    return not ok and tostring(err) or nil
end


local function gate_of(self)
    if not self.gate and self.operations.gate then
        local options = {}
        for _, name in ipairs(GATE) do
            options[name] = self.limits[name]
        end
        self.gate = self.operations:gate(options)
    end
    return self.gate
end


-- What a closed gate means, where that is not a failure.
local function passed(self, value, err, kind)
    if value == nil and kind == "open" and self.limits.open == "absent" then
        return nil
    end
    return value, err
end


--- Calls a function of the pack that may wait, through the gate. Where the host has a loop and the
-- caller is no task of it, the loop runs until it has ended.
-- @tparam function fn answers a value, nil, or nil and why not
-- @param ... its arguments
-- @return what it answers; nil and an error when it raised, took too long or was not called
function Runner:wait(fn, ...)
    local gate = gate_of(self)
    if not gate then
        return fn(...)
    end
    return passed(self, in_task(self, gate.call, gate, fn, ...))
end


return _M
