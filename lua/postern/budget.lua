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
-- put aside while code of ours runs for the pack, whether that counts (`charged`) or not
-- (`outside`), and other coroutines never run within it.
--
-- *Dependencies*: none
--
-- @module postern.budget

local _M = {}
local Budget = {}
Budget.__index = Budget


--- What a call gets unless it is said otherwise: seconds of processor time, and MiB of memory.
_M.SECONDS, _M.MEMORY = 0.05, 16

-- Instructions between two looks. A string can quadruple every five of them, so 64 would let a
-- limit of 16 MiB be passed by gigabytes; with 8 it is some hundred megabytes.
local STEP = 8

-- The clock is a system call, asked at every so many looks only.
local CLOCK_EVERY = 16

local strings = debug.getmetatable("")
local real_strings = strings.__index

-- The folder of our modules, as sources name it.
local HERE = debug.getinfo(1, "S").source:match("^(.*[/\\])") or "@"

local active -- the call that runs now
local run    -- what calls it


-- Where the code that was called is, or what it called: not in a function of ours. `run` is the
-- first of its callers.
local function place_of(level)
    local info = debug.getinfo(level, "Slf")
    while info and info.func ~= run
        and (info.currentline < 1 or info.source:sub(1, #HERE) == HERE) do
        level = level + 1
        info = debug.getinfo(level, "Slf")
    end
    return info and info.func ~= run and ("%s:%d: "):format(info.short_src, info.currentline) or ""
end


-- What is used up, or nil.
local function excess(call, ask_clock)
    if collectgarbage("count") - call.base > call.kilobytes_left then
        return ("the budget of %g MiB of memory is used up"):format(call.kilobytes / 1024)
    elseif ask_clock and os.clock() - call.entered > call.seconds_left then
        return ("the budget of %g s of processor time is used up"):format(call.seconds)
    end
    return nil
end


-- The hook comes off first: it must not fire again in what follows.
local function put_aside()
    debug.sethook()
    local call = active
    strings.__index = real_strings
    active = nil
    return call
end


local function charge(call)
    call.seconds_left = call.seconds_left - (os.clock() - call.entered)
    -- A collection on the way gives back at most what the call had.
    call.kilobytes_left = math.min(call.kilobytes,
        call.kilobytes_left - (collectgarbage("count") - call.base))
end


local function leave()
    local call = put_aside()
    charge(call)
    return call
end


local function look()
    local call = active
    if not call then
        return
    end
    call.looks = call.looks + 1
    local why = excess(call, call.looks % CLOCK_EVERY == 0)
    if why then
        local place = place_of(3)
        put_aside()
        error(place .. why, 0)
    end
end


local function take_up(call)
    active = call
    strings.__index = call.strings
    debug.sethook(look, "", STEP)
end


local function enter(call)
    call.entered, call.base = os.clock(), collectgarbage("count")
    take_up(call)
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


local function ended(...)
    if active then
        put_aside()
    end
    return ...
end


function run(call, fn, ...)
    enter(call)
    return ended(pcall(fn, ...))
end


local function finish(outer, ran, ok, ...)
    if outer then
        enter(outer)
    end
    if not ran then
        return false, ok
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
    -- Two calls protect: the hook may still fire between the end of `fn` and the moment when it is
    -- taken off.
    return finish(outer, pcall(run, {
        seconds = self.seconds, seconds_left = self.seconds,
        kilobytes = self.kilobytes, kilobytes_left = self.kilobytes,
        strings = self.strings, looks = 0,
    }, fn, ...))
end


local function resumed(resume, call, ok, ...)
    if call then
        resume(call)
    end
    if not ok then
        error((...), 0)
    end
    return ...
end


-- Few instructions between two calls of ours may never be enough for a look, so these look as well.
local function need_some_left(call)
    local why = excess(call, true)
    if why then
        error(why, 0)
    end
end


local function come_back(call)
    need_some_left(call)
    take_up(call)
end


--- Calls a function of ours for code within a budget: what it takes is not counted, and it may
-- yield.
-- @tparam function fn
-- @param ... its arguments
-- @return what it returns; what it raises is raised
function _M.outside(fn, ...)
    local call = active and put_aside()
    if call then
        need_some_left(call)
        charge(call)
    end
    return resumed(enter, call, pcall(fn, ...))
end


--- Calls a function of ours for code within a budget that pays for it: the hook is off and methods
-- of strings are the real ones, but time and memory count. It does not yield.
-- @tparam function fn
-- @param ... its arguments
-- @return what it returns; what it raises is raised
function _M.charged(fn, ...)
    return resumed(come_back, active and put_aside(), pcall(fn, ...))
end


return _M
