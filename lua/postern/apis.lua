--- The APIs of an estate, by their ids, however many there are.
--
-- Few of them are tables. Where there are more, those that differ from others in nothing but id and
-- policy are kept packed, and made into tables when they are asked for; the ones in use stay for a
-- while. So what a decision costs does not depend on how many APIs there are beside the one asked.
--
-- Packed are also their ids, which would be ten thousand strings for the collector to visit:
--
--     slots   [ 0 | 3 | 0 | 1 | 2 ... ]   place + 1 of an id, at the hash of its text or behind
--     starts  [ 0, 8, 16, ... ]           of each id in the texts, by place; one more at the end
--     texts   "api00001api00002..."
--
-- *Dependencies*: postern.set_store
--
-- @module postern.apis
local ffi = require("ffi")
local bit = require("bit")
local stores = require("postern.set_store")


local _M = {}


--- More APIs than these are packed; about as many are kept as tables, twice as many at most.
_M.FEW = 256


local function is_plain(api)
    return api.shape.shared and api.policy ~= nil
end


-- ---- Ids -------------------------------------------------------------------


-- FNV-1a, as far as 32 bits go in LuaJIT's numbers. Who asks may choose an id, but not those that
-- are there, so no id makes the way along the slots longer than the estate's own ids do.
local function hash_of(text)
    local hash = -2128831035
    for i = 1, #text do
        hash = bit.bxor(hash, text:byte(i))
        hash = bit.tobit(bit.lshift(hash, 24) + bit.lshift(hash, 8) + hash * 147)
    end
    return hash
end


-- The slots are at least twice as many as the ids, so there is always an empty one.
local function new_ids(ids, pause)
    local slots = 1
    while slots < 2 * #ids do
        slots = slots * 2
    end
    local self = {
        mask = slots - 1, count = #ids, slots = ffi.new("uint32_t[?]", slots),
        starts = ffi.new("uint32_t[?]", #ids + 1),
    }
    local text = table.concat(ids)
    self.texts = ffi.new("uint8_t[?]", #text + 1)
    ffi.copy(self.texts, text)
    for i, id in ipairs(ids) do
        self.starts[i] = self.starts[i - 1] + #id
        local slot = bit.band(hash_of(id), self.mask)
        while self.slots[slot] ~= 0 do
            slot = bit.band(slot + 1, self.mask)
        end
        self.slots[slot] = i
        pause()
    end
    return self
end


local function is_at(self, place, id)
    local start = self.starts[place]
    if self.starts[place + 1] - start ~= #id then
        return false
    end
    for i = 1, #id do
        if self.texts[start + i - 1] ~= id:byte(i) then
            return false
        end
    end
    return true
end


-- The place of an id, or nil.
local function find(self, id)
    local slot = bit.band(hash_of(id), self.mask)
    while self.slots[slot] ~= 0 do
        local place = self.slots[slot] - 1
        if is_at(self, place, id) then
            return place
        end
        slot = bit.band(slot + 1, self.mask)
    end
    return nil
end


-- ---- APIs ------------------------------------------------------------------


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
        local place = find(packed.ids, id)
        if not place then
            return nil
        end
        api = setmetatable({ id = id, policy = packed.store:get(place) },
                           packed.metatables[packed.traits_of[place]])
    end
    return keep(packed, id, api)
end


local function count_all(members)
    local count = 0
    for _ in pairs(members) do
        count = count + 1
    end
    return count
end


--- Packs APIs, if there are many.
-- @tparam table apis id to API, as the estate builds them; taken over
-- @tparam function pause called between any two pieces of the work
-- @treturn table id to API; it cannot be walked when they are packed
function _M.pack(apis, pause)
    local count = count_all(apis)
    if count <= _M.FEW then
        return apis
    end
    local packed = {
        store = stores.new(count), traits_of = ffi.new("uint32_t[?]", count), metatables = {},
        young = {}, old = {}, young_count = 0,
    }
    local ids, numbers, rest = {}, {}, {}
    for id, api in pairs(apis) do
        if is_plain(api) then
            local metatable = getmetatable(api)
            if not numbers[metatable] then
                packed.metatables[#packed.metatables + 1] = metatable
                numbers[metatable] = #packed.metatables
            end
            ids[#ids + 1] = id
            packed.traits_of[packed.store:add(api.policy)] = numbers[metatable]
        else
            rest[id] = api
        end
        pause()
    end
    packed.ids = new_ids(ids, pause)
    return setmetatable(rest, {
        __index = function(_, id) return unpacked(packed, id) end, packed = packed,
    })
end


--- The ids of APIs, packed or not, in order.
-- @tparam table apis
-- @treturn {string,...}
function _M.ids(apis)
    local found = {}
    for id in pairs(apis) do
        found[#found + 1] = id
    end
    local meta = getmetatable(apis)
    local ids = meta and meta.packed.ids
    for place = 0, ids and ids.count - 1 or -1 do
        local start = ids.starts[place]
        found[#found + 1] = ffi.string(ids.texts + start, ids.starts[place + 1] - start)
    end
    table.sort(found)
    return found
end


return _M
