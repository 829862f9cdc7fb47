--- The APIs of an estate, by their ids, however many there are.
--
-- Few of them are tables. Where there are more, those that differ from others in nothing but id and
-- policy are kept packed, and made into tables when they are asked for; the ones in use stay for a
-- while. So what a decision costs does not depend on how many APIs there are beside the one asked.
--
-- *Dependencies*: postern.set_store
--
-- @module postern.apis
local stores = require("postern.set_store")


local _M = {}


--- More APIs than these are packed; about as many are kept as tables, twice as many at most.
_M.FEW = 256


local function is_plain(api)
    return api.shape.shared and api.policy ~= nil
end


-- Two generations: what is asked for moves to the young one; when that is full the old one goes.
local function keep(packed, id, api)
    if packed.young_count >= _M.FEW then
        packed.old, packed.young, packed.young_count = packed.young, {}, 0
    end
    packed.young[id] = api
    packed.young_count = packed.young_count + 1
    return api
end


local function unpacked(packed, id)
    local api = packed.young[id]
    if api then
        return api
    end
    api = packed.old[id]
    if not api then
        local place = packed.places[id]
        if not place then
            return nil
        end
        api = setmetatable({ id = id, policy = packed.store:get(place) },
                           packed.metatables[packed.traits_of[place + 1]])
    end
    return keep(packed, id, api)
end


--- Packs APIs, if there are many.
-- @tparam table apis id to API, as the estate builds them; taken over
-- @treturn table id to API; it cannot be walked when they are packed
function _M.pack(apis)
    local count = 0
    for _ in pairs(apis) do
        count = count + 1
    end
    if count <= _M.FEW then
        return apis
    end
    local packed = {
        store = stores.new(count), places = {}, traits_of = {}, metatables = {},
        young = {}, old = {}, young_count = 0,
    }
    local numbers, rest = {}, {}
    for id, api in pairs(apis) do
        if is_plain(api) then
            local metatable = getmetatable(api)
            if not numbers[metatable] then
                packed.metatables[#packed.metatables + 1] = metatable
                numbers[metatable] = #packed.metatables
            end
            local place = packed.store:add(api.policy)
            packed.places[id], packed.traits_of[place + 1] = place, numbers[metatable]
        else
            rest[id] = api
        end
    end
    return setmetatable(rest, { __index = function(_, id) return unpacked(packed, id) end })
end


return _M
