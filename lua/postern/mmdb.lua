--- Databases of addresses in the MaxMind format: what is known of the network an address is in.
--
-- Debian's libmaxminddb reads them. It maps the file, and a file that is overwritten in place under
-- it would end the process with a bus error; so a copy in memory is what it maps. (lua-mmdb was
-- looked at and left alone: on a broken file it writes past a buffer.)
--
-- *Dependencies*: postern.ffi, postern.cidr
--
-- @module postern.mmdb
local ffi = require("ffi")
local core = require("postern.ffi")
local cidr = require("postern.cidr")

local C = ffi.C


local _M = {}
local Reader = {}
Reader.__index = Reader


local CHUNK = 1024 * 1024
local CLOSE_ON_EXEC = 1 -- of memfd_create

-- Larger than any database there is, and smaller than a disk image given by mistake.
local MAX_BYTES = 1024 * 1024 * 1024

-- Decoded records that are kept. A database of countries has some hundreds; with cities, so many
-- places are where most of the traffic comes from.
local MAX_KEPT = 1024

-- The library would take `127.1` and `010.0.0.1`; what an address is, is said in one place.
local IPV4, ADDRESSES = 1, assert(cidr.new({ "0.0.0.0/0", "::/0" }))

-- From maxminddb.h.
local IPV6_IN_IPV4_DATABASE = 11
local TYPES = {
    text = 2, double = 3, bytes = 4, uint16 = 5, uint32 = 6, map = 7, int32 = 8, uint64 = 9,
    uint128 = 10, array = 11, boolean = 14, single = 15,
}


-- ---- The copy ----------------------------------------------------------------


local function write_all(fd, chunk)
    local bytes, rest = ffi.cast("const char *", chunk), #chunk
    while rest > 0 do
        local written = tonumber(C.postern_write(fd, bytes, rest))
        if written <= 0 then
            return nil, "cannot copy it to memory: is there enough?"
        end
        bytes, rest = bytes + written, rest - written
    end
    return true
end


local function copy(file, fd)
    local size = 0
    while true do
        local chunk, err = file:read(CHUNK)
        if not chunk then
            return not err, err and err:lower() .. ": give a file"
        end
        size = size + #chunk
        if size > MAX_BYTES then
            return nil, ("the file is larger than %d MiB: give a smaller one")
                :format(MAX_BYTES / (1024 * 1024))
        end
        local ok
        ok, err = write_all(fd, chunk)
        if not ok then
            return nil, err
        end
    end
end


-- A file that only exists in memory, as its descriptor.
local function copy_to_memory(path)
    local file, err = io.open(path, "rb")
    if not file then
        return nil, err:sub(#path + 3):lower() .. ": check the path"
    end
    local fd = C.postern_memfd_create("postern-mmdb", CLOSE_ON_EXEC)
    if fd < 0 then
        file:close()
        return nil, "cannot copy it to memory: memfd_create failed"
    end
    local ok
    ok, err = copy(file, fd)
    file:close()
    if not ok then
        C.postern_close(fd)
        return nil, err
    end
    return fd
end


-- ---- Records -----------------------------------------------------------------


-- The bytes of a number too large for one of Lua's become text.
local function hex(bytes)
    local digits = {}
    for i = 15, 0, -1 do
        digits[#digits + 1] = ("%02x"):format(bytes[i])
    end
    return table.concat(digits)
end


local SCALARS = {
    [TYPES.text] = function(data) return ffi.string(data.text, data.data_size) end,
    [TYPES.bytes] = function(data) return ffi.string(data.text, data.data_size) end,
    [TYPES.double] = function(data) return data.number end,
    [TYPES.single] = function(data) return data.single end,
    [TYPES.uint16] = function(data) return data.uint16 end,
    [TYPES.uint32] = function(data) return data.uint32 end,
    [TYPES.int32] = function(data) return data.int32 end,
    [TYPES.uint64] = function(data) return tonumber(data.uint64) end,
    [TYPES.uint128] = function(data) return hex(data.uint128) end,
    [TYPES.boolean] = function(data) return data.boolean end,
}


-- The library gives a record as a list of its values in the order they are written, and refuses
-- records that nest too deeply. Answers the value and the item behind it; a broken list raises.
local function value_of(item)
    if item == nil then
        error("a record ends too early", 0)
    end
    local data = item.data
    local kind, count = tonumber(data.type), tonumber(data.data_size)
    local scalar = SCALARS[kind]
    if scalar then
        return scalar(data), item.next
    elseif kind ~= TYPES.map and kind ~= TYPES.array then
        error(("a record holds the unknown type %d"):format(kind), 0)
    end
    local value = {}
    item = item.next
    for i = 1, count do
        local name = i
        if kind == TYPES.map then
            name, item = value_of(item)
            if type(name) ~= "string" then
                error("a record has a member whose name is no text", 0)
            end
        end
        value[name], item = value_of(item)
    end
    return value, item
end


local function decode(lib, entry)
    local list = ffi.new("postern_mmdb_item *[1]")
    local code = lib.postern_mmdb_items(entry, list)
    local ok, value
    if code == 0 then
        ok, value = pcall(value_of, list[0])
    else
        value = ffi.string(lib.postern_mmdb_error(code))
    end
    -- There may be one also after an error: what was read before it.
    if list[0] ~= nil then
        lib.postern_mmdb_items_free(list[0])
    end
    return ok, value
end


-- ---- Lookups -----------------------------------------------------------------


-- The one spelling that the library looks up among IPv4 addresses, or nil and why not. Databases
-- need not have the IPv4-mapped ones.
local function spelled(address)
    local range, err = ADDRESSES:match(address)
    if not range then
        return nil, err
    elseif range ~= IPV4 or not address:find(":", 1, true) then
        return address
    end
    -- Every group before the first `ffff` is zero.
    local tail = address:match("[fF][fF][fF][fF]:(.*)$")
    local high, low = tail:match("^(%x*):+(%x*)$")
    if not high then
        return tail
    end
    high, low = tonumber(high, 16) or 0, tonumber(low, 16) or 0
    return ("%d.%d.%d.%d"):format(math.floor(high / 256), high % 256, math.floor(low / 256),
                                  low % 256)
end


local errors = ffi.new("int[2]") -- of the resolver, and of the library


-- What was found, nil when nothing was, or nil and an error of the library.
local function find(self, address)
    local found = self.lib.postern_mmdb_lookup(self.handle, address, errors, errors + 1)
    if errors[0] ~= 0 then
        return nil, ("not an address: `%s`"):format(address)
    elseif errors[1] ~= 0 and errors[1] ~= IPV6_IN_IPV4_DATABASE then
        return nil, ("%s: %s"):format(self.path,
                                      ffi.string(self.lib.postern_mmdb_error(errors[1])))
    end
    return errors[1] == 0 and found.found_entry and found or nil
end


-- ---- Public ------------------------------------------------------------------


--- Opens a database.
-- @tparam string path
-- @treturn Reader|nil it keeps a copy of the whole file in memory until it is collected
-- @treturn string why not, with the path: missing, no database, libmaxminddb not installed
function _M.open(path)
    local lib, err = core.load_maxminddb()
    if not lib then
        return nil, err
    end
    local fd
    fd, err = copy_to_memory(path)
    if not fd then
        return nil, ("%s: %s"):format(path, err)
    end
    local handle = ffi.new("postern_mmdb")
    local code = lib.postern_mmdb_open(("/proc/self/fd/%d"):format(fd), 0, handle)
    C.postern_close(fd)
    if code ~= 0 then
        return nil, ("%s: not a database that can be read: %s")
            :format(path, ffi.string(lib.postern_mmdb_error(code)))
    end
    -- A Lua function, which keeps the library loaded: see `own` in postern.ffi.
    handle = ffi.gc(handle, function(mmdb) lib.postern_mmdb_close(mmdb) end)
    return setmetatable({
        path = path, handle = handle, lib = lib, kept = {}, count = 0,
        type = ffi.string(handle.metadata.database_type),
    }, Reader)
end


--- The record of an address.
-- @tparam string address IPv4 or IPv6; an IPv4-mapped one counts as IPv4
-- @treturn table|nil the record, shared between calls and not to be written to: nested tables,
-- lists, texts, numbers, booleans; nil alone when the database does not have the address
-- @treturn string why it cannot be told: no address, a broken database
function Reader:lookup(address)
    local text, err = spelled(address)
    if not text then
        return nil, err
    end
    local found
    found, err = find(self, text)
    if not found then
        return nil, err
    end
    local offset = tonumber(found.entry.offset)
    if self.kept[offset] then
        return self.kept[offset]
    end
    local ok, record = decode(self.lib, found.entry)
    if not ok or type(record) ~= "table" then
        return nil, ("%s: %s"):format(self.path, ok and "a record is no map" or record)
    elseif self.count >= MAX_KEPT then
        self.kept, self.count = {}, 0
    end
    self.kept[offset], self.count = record, self.count + 1
    return record
end


return _M
