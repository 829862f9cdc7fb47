--- Read-only views of what private packs are handed.
--
-- The view refuses to be written. The tables in it are copies, made when they are first looked at:
-- a pack may change its copy, and nobody else sees it. What is copied is plain data. An object that
-- can be matched against shows that method only; other objects and functions are left out. A
-- metatable may say by `__view(object)` which plain table stands for its objects.
--
-- *Dependencies*: none
--
-- @module postern.frozen

local _M = {}


-- Contexts nest a few levels (claims are JSON); what is deeper is a cycle or a mistake.
local MAX_DEPTH = 32

-- More tables than any request has. What holds one table twice could double at every level.
local MAX_TABLES = 10000

local PLAIN = { boolean = true, number = true, string = true }

local copy -- copies hold copies


local function copy_members(members, depth, count)
    count.left = count.left - 1
    if depth > MAX_DEPTH then
        error("nested too deep", 0)
    elseif count.left < 0 then
        error("too large to be shown", 0)
    end
    local copied = {}
    for name, member in pairs(members) do
        if PLAIN[type(name)] then
            copied[name] = copy(member, depth + 1, count)
        end
    end
    return copied
end


function copy(value, depth, count)
    if PLAIN[type(value)] then
        return value
    elseif type(value) ~= "table" then
        return nil
    end
    local metatable = getmetatable(value)
    if metatable and metatable.__view then
        value = metatable.__view(value)
    elseif metatable then
        return value.match and { match = function(_, text) return value:match(text) end } or nil
    end
    return copy_members(value, depth, count)
end


--- Copies plain data out of a table, however deep: texts, numbers and booleans.
-- @tparam table value without a metatable
-- @treturn table; raises when it is nested too deep or too large
function _M.copy(value)
    return copy_members(value, 1, { left = MAX_TABLES })
end


--- Makes a view of a table.
-- @tparam table value
-- @tparam string what it is called when somebody writes to it
-- @treturn table
function _M.view(value, what)
    local seen = {}
    return setmetatable({}, {
        __index = function(_, name)
            if seen[name] == nil then
                seen[name] = copy(value[name], 1, { left = MAX_TABLES })
            end
            return seen[name]
        end,
        __newindex = function(_, name)
            error(("the %s is read-only: `%s` cannot be set"):format(what, tostring(name)), 2)
        end,
        __metatable = false,
    })
end


return _M
