--- Budgets: calling code that may never end, or want all the memory there is.
--
-- What is called gets so much processor time and so much memory. A count hook looks at both every
-- few instructions and raises when one is used up. That needs functions that the JIT compiler
-- leaves alone, since compiled code runs no hooks, and whose library functions are bounded
-- themselves, since a hook cannot interrupt one: see `postern.environment`. It is a guard rail
-- around one's own mistakes and no wall: one statement that doubles a string may pass both limits
-- before the next look.
--
-- LuaJIT has one hook and one metatable of strings for the whole virtual machine. So a budget is
-- put aside while code of ours runs for the pack (`outside`), and other coroutines never run
-- within it.
--
-- *Dependencies*: none
--
-- @module postern.budget

local _M = {}
local Budget = {}
Budget.__index = Budget


--- What a call gets unless it is said otherwise: seconds of processor time, and MiB of memory.
_M.SECONDS, _M.MEMORY = 0.05, 16

-- Instructions between two looks. A string can double every few of them, so 64 would let a limit of
-- 16 MiB be passed by gigabytes; with 16 it is some hundred megabytes.
local STEP = 16

-- The clock is a system call, asked at every so many looks only.
local CLOCK_EVERY = 16

local strings = debug.getmetatable("")
local real_strings = strings.__index

local active -- the call that runs now


local function place_of(level)
    local info = debug.getinfo(level, "Sl")
    return info and info.currentline > 0 and ("%s:%d: "):format(info.short_src, info.currentline)
        or ""
end


local function look()
    local call = active
    if not call then
        return
    end
    call.looks = call.looks + 1
    if collectgarbage("count") - call.base > call.kilobytes then
        error(("%sthe budget of %g MiB of memory is used up")
            :format(place_of(3), call.kilobytes / 1024), 0)
    elseif call.looks % CLOCK_EVERY == 0 and os.clock() - call.entered > call.left then
        error(("%sthe budget of %g s of processor time is used up")
            :format(place_of(3), call.seconds), 0)
    end
end


local function enter(call)
    active = call
    call.entered, call.base = os.clock(), collectgarbage("count")
    strings.__index = call.strings
    debug.sethook(look, "", STEP)
end


local function leave()
    local call = active
    debug.sethook()
    strings.__index = real_strings
    call.left = call.left - (os.clock() - call.entered)
    active = nil
    return call
end


--- Makes a budget that any number of calls get, each for itself.
-- @tparam[opt] table limits `seconds` (of processor time) and `memory` (MiB)
-- @tparam table string_library what methods of strings are while it runs, see
-- `postern.environment`
-- @treturn Budget
function _M.new(limits, string_library)
    limits = limits or {}
    return setmetatable({
        seconds = limits.seconds or _M.SECONDS,
        kilobytes = (limits.memory or _M.MEMORY) * 1024,
        strings = string_library,
    }, Budget)
end


local function finish(outer, ok, ...)
    -- A call that was stopped while it was outside has put itself aside already.
    if active then
        leave()
    end
    if outer then
        enter(outer)
    end
    return ok, ...
end


--- Calls a function within the budget. It may wait, in what it calls by `outside`.
-- @tparam function fn
-- @param ... its arguments
-- @treturn boolean whether it returned
-- @return what it returned, or what it raised
function Budget:call(fn, ...)
    local outer = active and leave()
    enter({
        seconds = self.seconds, left = self.seconds, kilobytes = self.kilobytes,
        strings = self.strings, looks = 0,
    })
    return finish(outer, pcall(fn, ...))
end


local function come_back(call, ok, ...)
    if call then
        enter(call)
    end
    if not ok then
        error((...), 0)
    end
    return ...
end


--- Calls a function of ours for code within a budget: what it takes is not counted, and it may
-- yield.
-- @tparam function fn
-- @param ... its arguments
-- @return what it returns; what it raises is raised
function _M.outside(fn, ...)
    local call = active and leave()
    return come_back(call, pcall(fn, ...))
end


return _M
