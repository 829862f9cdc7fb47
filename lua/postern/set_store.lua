--- Sets of which there are very many, kept where the garbage collector does not look.
--
-- A collector that walks ten thousand sets and their handles for every few megabytes of garbage
-- makes each decision dearer, however few of the sets are asked. Here a set is a pointer in an
-- array and a small number for what it shares with others; an object is made when it is asked for.
--
-- *Dependencies*: postern.ffi, postern.set
--
-- @module postern.set_store
local ffi = require("ffi")
local core = require("postern.ffi")
local sets = require("postern.set")

local lib = core.lib


local _M = {}
local Store = {}
Store.__index = Store


-- How many there are stands with them, so that their finalizer needs nothing else: one that knew
-- the store would keep it for ever.
local Handles = ffi.typeof("struct { uint32_t count; postern_set *at[?]; }")

local function free_all(handles)
    for i = 0, handles.count - 1 do
        lib.postern_set_free(handles.at[i])
    end
end


--- Makes a store.
-- @tparam number room how many sets it holds at most
-- @treturn Store
function _M.new(room)
    return setmetatable({
        room = room, kinds = {}, kind_numbers = {},
        kind_of = ffi.new("uint32_t[?]", room),
        handles = ffi.gc(Handles(room), free_all),
    }, Store)
end


-- The number of what the set shares with others: type, names of keys, sources.
local function kind_number(self, set)
    local below = self.kind_numbers[set.names] or {}
    self.kind_numbers[set.names] = below
    local number = below[set.origins]
    if not number then
        number = #self.kinds + 1
        self.kinds[number] = { type = set.type, names = set.names, origins = set.origins }
        below[set.origins] = number
    end
    return number
end


--- Takes a set over. The object that was handed in may go on being used, as long as the store is
-- there.
-- @tparam Set set in no other store
-- @treturn number its place
function Store:add(set)
    local handles = self.handles
    local place = handles.count
    assert(place < self.room, "the store is full")
    self.kind_of[place] = kind_number(self, set)
    handles.at[place] = sets.release(set, self)
    handles.count = place + 1
    return place
end


--- A set of the store, as an object of its own.
-- @tparam number place
-- @treturn Set
function Store:get(place)
    local kind = self.kinds[self.kind_of[place]]
    return sets.adopt(self.handles.at[place], kind, self)
end


return _M
