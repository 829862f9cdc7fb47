--- Where metrics are kept: a table of this process, or nginx's shared dictionary.
--
-- A store has `incr(key, by, init)`, which answers the new number, or nil and why not; `set(key,
-- value)`; `get(key)`; and `keys()`, a list, in which others' keys may stand.
--
-- *Dependencies*: none
--
-- @module postern.metrics.store

local _M = {}
local Memory = {}
Memory.__index = Memory
local Shared = {}
Shared.__index = Shared


--- A store of this process.
-- @tparam[opt] {[string]=number,...} values to begin with: those of a snapshot
-- @treturn table store
function _M.memory(values)
    local copy = {}
    for key, value in pairs(values or {}) do
        copy[key] = value
    end
    return setmetatable({ values = copy }, Memory)
end


function Memory:incr(key, by, init)
    local value = (self.values[key] or init or 0) + by
    self.values[key] = value
    return value
end


function Memory:get(key)
    return self.values[key]
end


function Memory:set(key, value)
    self.values[key] = value
    return true
end


function Memory:keys()
    local keys = {}
    for key in pairs(self.values) do
        keys[#keys + 1] = key
    end
    return keys
end


--- A store over a shared dictionary of nginx, in which others may keep things, too. Nothing is ever
-- pushed out to make room: when the dictionary is full, new series are not counted.
-- @tparam table dict `incr`, `safe_add`, `safe_set`, `get` and `get_keys`
-- @treturn table store
function _M.shared(dict)
    return setmetatable({ dict = dict }, Shared)
end


function Shared:incr(key, by, init)
    local value, err = self.dict:incr(key, by)
    if value then
        return value
    elseif err ~= "not found" then
        return nil, err
    end
    -- Another worker may be faster: then its number is there, and ours is added.
    local ok, why = self.dict:safe_add(key, init or 0)
    if not ok and why ~= "exists" then
        return nil, why
    end
    return self.dict:incr(key, by)
end


function Shared:get(key)
    return (self.dict:get(key))
end


function Shared:set(key, value)
    return self.dict:safe_set(key, value)
end


function Shared:keys()
    return self.dict:get_keys(0)
end


return _M
