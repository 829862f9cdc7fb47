--- Databases of addresses in the MaxMind format, for tests.
--
-- The search tree (24, 28 or 32 bits a record), sixteen zero bytes, the records, a marker and the
-- metadata, as https://maxmind.github.io/MaxMind-DB/ describes them. Records are not shared and
-- have no pointers.

local _M = {}

local MARKER = "\171\205\239MaxMind.com"
local SEPARATOR = ("\0"):rep(16)

local KINDS = {
    text = 2, double = 3, bytes = 4, uint16 = 5, uint32 = 6, map = 7, int32 = 8, uint64 = 9,
    uint128 = 10, array = 11, boolean = 14, float = 15,
}


local function big_endian(value, size)
    local bytes = {}
    for i = size, 1, -1 do
        bytes[i] = string.char(value % 256)
        value = math.floor(value / 256)
    end
    return table.concat(bytes)
end


-- The bytes before a value: its kind and its size.
local function control(kind, size)
    local extra = ""
    if size >= 285 then
        size, extra = 30, big_endian(size - 285, 2)
    elseif size >= 29 then
        size, extra = 29, big_endian(size - 29, 1)
    end
    local number = KINDS[kind]
    if number > 7 then
        return string.char(size, number - 7) .. extra
    end
    return string.char(number * 32 + size) .. extra
end


local Typed = {}

--- A value of a kind that Lua has no own type for.
-- @tparam string kind `bytes`, `uint16`, `int32`, `uint64`, `uint128`, `double` or `float`
-- @tparam string bytes as they stand in the file
function _M.typed(kind, bytes)
    return setmetatable({ kind = kind, bytes = bytes }, Typed)
end


local encode

local function encode_table(value)
    local parts = {}
    if #value > 0 then
        for i, item in ipairs(value) do
            parts[i] = encode(item)
        end
        return control("array", #value) .. table.concat(parts)
    end
    local count = 0
    for name, item in pairs(value) do
        count = count + 1
        parts[count] = encode(name) .. encode(item)
    end
    return control("map", count) .. table.concat(parts)
end


function encode(value)
    local kind = type(value)
    if getmetatable(value) == Typed then
        return control(value.kind, #value.bytes) .. value.bytes
    elseif kind == "string" then
        return control("text", #value) .. value
    elseif kind == "number" then
        return control("uint32", 4) .. big_endian(value, 4)
    elseif kind == "boolean" then
        return control("boolean", value and 1 or 0)
    end
    return encode_table(value)
end


-- The bits of a network as `0` and `1`; an IPv4 one in an IPv6 tree stands below ::/96.
local function bits_of(network, ip_version)
    local address, length = network:match("^(.+)/(%d+)$")
    local bits, zeros = {}, 0
    local function add(number, size)
        for place = size - 1, 0, -1 do
            bits[#bits + 1] = math.floor(number / 2 ^ place) % 2
        end
    end
    if address:find(".", 1, true) then
        zeros = ip_version == 6 and 96 or 0
        for number in address:gmatch("%d+") do
            add(tonumber(number), 8)
        end
    else
        local head, tail = address:match("^(.*)::(.*)$")
        local _, before = (head or address):gsub("%x+", "")
        local _, after = (tail or ""):gsub("%x+", "")
        local full = (head or address) .. (":0"):rep(8 - before - after) .. ":" .. (tail or "")
        for group in full:gmatch("%x+") do
            add(tonumber(group, 16), 16)
        end
    end
    return ("0"):rep(zeros) .. table.concat(bits):sub(1, tonumber(length))
end


-- Nodes are lists of two: the number of a node, `{ offset }` of a record, or false.
local function add_network(nodes, bits, offset)
    local at = nodes[1]
    for i = 1, #bits - 1 do
        local side = bits:byte(i) - 47
        if not at[side] then
            nodes[#nodes + 1] = { false, false }
            at[side] = #nodes
        end
        at = nodes[at[side]]
    end
    at[bits:byte(-1) - 47] = { offset }
end


local function node_text(left, right, size)
    if size == 28 then
        return big_endian(left % 2 ^ 24, 3)
            .. string.char(math.floor(left / 2 ^ 24) * 16 + math.floor(right / 2 ^ 24))
            .. big_endian(right % 2 ^ 24, 3)
    end
    return big_endian(left, size / 8) .. big_endian(right, size / 8)
end


local function tree_text(nodes, size)
    local parts = {}
    local function record(entry)
        if type(entry) == "table" then
            return #nodes + #SEPARATOR + entry[1]
        end
        return entry and entry - 1 or #nodes
    end
    for i, node in ipairs(nodes) do
        parts[i] = node_text(record(node[1]), record(node[2]), size)
    end
    return table.concat(parts)
end


--- The bytes of a database.
-- @tparam {{string,value},...} networks a network and its record: nested tables, lists, texts,
-- numbers (uint32), booleans and typed values
-- @tparam[opt] table options `ip_version` (4 or 6), `record_size` (24, 28 or 32), `type`
-- @treturn string
function _M.build(networks, options)
    options = options or {}
    local ip_version, size = options.ip_version or 4, options.record_size or 24
    local nodes, data, at = { { false, false } }, {}, 0
    for i, entry in ipairs(networks) do
        add_network(nodes, bits_of(entry[1], ip_version), at)
        data[i] = encode(entry[2])
        at = at + #data[i]
    end
    return tree_text(nodes, size) .. SEPARATOR .. table.concat(data) .. MARKER .. encode({
        node_count = #nodes, record_size = _M.typed("uint16", big_endian(size, 2)),
        ip_version = _M.typed("uint16", big_endian(ip_version, 2)),
        database_type = options.type or "Test-Country", languages = { "en" },
        binary_format_major_version = _M.typed("uint16", "\0\2"),
        binary_format_minor_version = _M.typed("uint16", "\0\0"),
        build_epoch = _M.typed("uint64", big_endian(1700000000, 8)),
        description = { en = "made by a test" },
    })
end


--- Writes bytes to a new temporary file.
-- @tparam string bytes
-- @treturn string its path; the caller removes it
function _M.write(bytes)
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write(bytes)
    file:close()
    return path
end


return _M
