--- Work: Lua text with values in and values out, sharing nothing, so that a thread can do it.
--
-- *Dependencies*: none
--
-- @module postern.work

local _M = {}


-- A thread is handed nine values: the text and these.
local MOST_VALUES = 8


local function is_plain(value)
    local kind = type(value)
    return kind == "string" or kind == "number" or kind == "boolean" or kind == "nil"
end


--- Raises, for the caller of the caller, unless it is work that can be handed over.
-- @param source
-- @param ...
function _M.check(source, ...)
    if type(source) ~= "string" or source:byte() == 27 then
        error("`source`: give Lua text", 3)
    elseif select("#", ...) > MOST_VALUES then
        error(("work takes at most %d values"):format(MOST_VALUES), 3)
    end
    for i = 1, select("#", ...) do
        local value = select(i, ...)
        if not is_plain(value) then
            error(("value %d is a %s: work takes strings, numbers and booleans")
                :format(i, type(value)), 3)
        end
    end
end


--- Does work, here or in a thread. It has no upvalues, so that it can be sent there, and never
-- raises: what raises in a thread ends on standard error, and nobody gets an answer.
-- @tparam string source the body of a function
-- @param ... what it is called with
-- @return true and at most 8 results; or false and an error
function _M.run(source, ...)
    local loaded, err = loadstring(source, "=work")
    if not loaded then
        return false, err
    end
    -- A thread is used again, and its globals would be the next one's.
    setfenv(loaded, setmetatable({}, { __index = _G }))
    local function collect(...)
        return { n = select("#", ...), ... }
    end
    local results = collect(pcall(loaded, ...))
    if not results[1] then
        return false, tostring(results[2])
    elseif results.n > 9 then
        return false, "it answers more than 8 values"
    end
    for i = 2, results.n do
        local kind = type(results[i])
        if kind ~= "string" and kind ~= "number" and kind ~= "boolean" and kind ~= "nil" then
            return false, ("it answers a %s: only strings, numbers and booleans can be handed over")
                :format(kind)
        end
    end
    return unpack(results, 1, results.n)
end


--- What `run` answered, in the way of everything else.
-- @tparam boolean ok
-- @param ...
-- @return the results; or nil and an error
function _M.unwrap(ok, ...)
    if ok then
        return ...
    end
    return nil, (...)
end


return _M
