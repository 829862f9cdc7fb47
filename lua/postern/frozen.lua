--- Read-only views of what private packs are handed.
--
-- The view refuses to be written. The tables in it are copies, made when they are first looked at:
-- a pack may change its copy, and nobody else sees it. An object that can be matched against shows
-- that method only; other objects are left out. A metatable may say by `__view(object)` which plain
-- table stands for its objects.
--
-- *Dependencies*: none
--
-- @module postern.frozen

local _M = {}


-- Contexts nest a few levels (claims are JSON); what is deeper is a cycle or a mistake.
local MAX_DEPTH = 32


local copy -- copies hold copies


function copy(value, depth)
    if type(value) ~= "table" then
        return value
    elseif depth > MAX_DEPTH then
        error("nested too deep", 0)
    end
    local metatable = getmetatable(value)
    if metatable and metatable.__view then
        value = metatable.__view(value)
    elseif metatable then
        return value.match and { match = function(_, text) return value:match(text) end } or nil
    end
    local copied = {}
    for name, member in pairs(value) do
        copied[name] = copy(member, depth + 1)
    end
    return copied
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
                seen[name] = copy(value[name], 1)
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
