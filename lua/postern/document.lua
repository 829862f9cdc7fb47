--- JSON documents: strict reading with a place for everything.
--
-- Nodes are numbers, the root is 0 and document order is number order. Nothing here follows the
-- nesting of the input with calls of its own.
--
-- *Dependencies*: postern.ffi
--
-- @module postern.document
local ffi = require("ffi")
local core = require("postern.ffi")

local lib = core.lib
local string_of = ffi.string


local _M = {}
local Document = {}
Document.__index = Document


--- Stands for JSON's null in the tables of `value`.
_M.null = setmetatable({}, { __tostring = function() return "null" end })

-- Shared by every array that `value` makes, so that an empty list stays a list.
local ARRAY = { __jsontype = "array" }

local KINDS = {
    [lib.POSTERN_NULL] = "null",
    [lib.POSTERN_FALSE] = "boolean",
    [lib.POSTERN_TRUE] = "boolean",
    [lib.POSTERN_NUMBER] = "number",
    [lib.POSTERN_STRING] = "string",
    [lib.POSTERN_ARRAY] = "array",
    [lib.POSTERN_OBJECT] = "object",
}

local WORDS = {
    null = "null", boolean = "a boolean", number = "a number", string = "a string",
    array = "a list", object = "an object",
}

local err = ffi.new("postern_error")
local line_out, column_out = ffi.new("uint32_t[1]"), ffi.new("uint32_t[1]")

local function free(handle)
    lib.postern_document_free(handle)
end


--- Reads a JSON text.
-- @tparam string text
-- @tparam[opt="json"] string name what errors call it
-- @treturn Document|nil
-- @treturn table `{line, column, message, status}`; as text `name:line:column: message`
function _M.new(text, name)
    local handle = core.own(lib.postern_document_new(text, #text, nil, err), free)
    if not handle then
        return nil, core.failure(name or "json", err)
    end
    local count = ffi.new("uint32_t[1]")
    local nodes = lib.postern_document_nodes(handle, count)
    return setmetatable({
        handle = handle, -- nodes and texts live as long as this
        nodes = nodes,
        count = count[0],
        texts = lib.postern_document_texts(handle),
        source = text,
    }, Document)
end


local shared = setmetatable({ handle = nil, nodes = nil, count = 0, texts = nil, source = "" },
                             Document)
local shared_count = ffi.new("uint32_t[1]")

--- Reads a JSON text into the one document that is shared by all who read and are done with it in
-- one go, without yielding in between: about half the time and a fifth of the garbage of `new`.
-- @tparam string text
-- @tparam[opt="json"] string name what errors call it
-- @treturn Document|nil good until the next call of this function, also by somebody else
-- @treturn table as for `new`
function _M.shared(text, name)
    if shared.handle ~= nil then
        shared.count = 0
        free(shared.handle)
        shared.handle = nil
    end
    local handle = lib.postern_document_new(text, #text, nil, err)
    if handle == nil then
        return nil, core.failure(name or "json", err)
    end
    shared.handle, shared.source = handle, text
    shared.nodes = lib.postern_document_nodes(handle, shared_count)
    shared.texts = lib.postern_document_texts(handle)
    shared.count = shared_count[0]
    return shared
end


local function node_of(self, node)
    if node < 0 or node >= self.count then
        error("no such node: " .. tostring(node), 3)
    end
    return self.nodes[node]
end


--- The root node.
-- @treturn number
function Document.root()
    return 0
end


--- What a node is: `null`, `boolean`, `number`, `string`, `array` or `object`.
-- @tparam number node
-- @treturn string
function Document:kind(node)
    return KINDS[node_of(self, node).kind]
end


--- What a node is, in words for a message: `a list`, `null`.
-- @tparam number node
-- @treturn string
function Document:describe(node)
    return WORDS[self:kind(node)]
end


--- The items of an array or the members of an object, counted.
-- @tparam number node
-- @treturn number
function Document:length(node)
    return node_of(self, node).length
end


--- The node that stands behind a node and everything in it. With this, and the first member's name
-- or the first item standing right behind its container, a reader of many small documents walks
-- without an iterator:
--
--     local name, stop = node + 1, doc:after(node)
--     while name < stop do
--         local value = name + 1
--         ...
--         name = doc:after(value)
--     end
-- @tparam number node
-- @treturn number
function Document:after(node)
    return node_of(self, node).next
end


local function no_children()
    return nil
end


--- Iterates over the members of an object; anything else has none.
-- @tparam number node
-- @treturn function each call gives the name, the value's node and the name's node
function Document:members(node)
    local object = node_of(self, node)
    if object.kind ~= lib.POSTERN_OBJECT then
        return no_children
    end
    local at, stop = node + 1, object.next
    return function()
        if at < stop then
            local name = at
            local value = self.nodes[name].next
            at = self.nodes[value].next
            return self:text(name), value, name
        end
    end
end


--- Iterates over the items of an array; anything else has none.
-- @tparam number node
-- @treturn function each call gives the place in the array, from 1, and the item's node
function Document:items(node)
    local array = node_of(self, node)
    if array.kind ~= lib.POSTERN_ARRAY then
        return no_children
    end
    local at, stop, i = node + 1, array.next, 0
    return function()
        if at < stop then
            local item = at
            i, at = i + 1, self.nodes[item].next
            return i, item
        end
    end
end


--- Finds a member of an object.
-- @tparam number node
-- @tparam string name
-- @treturn number|nil the value's node; nil when there is none
function Document:get(node, name)
    local object, nodes = node_of(self, node), self.nodes
    local at, stop = node + 1, object.next
    if object.kind ~= lib.POSTERN_OBJECT then
        return nil
    end
    while at < stop do
        local member = nodes[at]
        local value = member.next
        -- Most members are told apart by their lengths, without a string of Lua being made.
        if member.length == #name
            and string_of(self.texts + member.text, member.length) == name then
            return value
        end
        at = nodes[value].next
    end
    return nil
end


--- The unescaped text of a string node.
-- @tparam number node
-- @treturn string|nil nil for any other kind
function Document:text(node)
    local string_node = node_of(self, node)
    if string_node.kind ~= lib.POSTERN_STRING then
        return nil
    end
    return string_of(self.texts + string_node.text, string_node.length)
end


--- A node's source, as written.
-- @tparam number node
-- @treturn string
function Document:raw(node)
    local at = node_of(self, node)
    return self.source:sub(at.start + 1, at["end"])
end


--- The bytes of the source a node stands on.
-- @tparam number node
-- @treturn number the first byte's place, from 1
-- @treturn number the last byte's
function Document:span(node)
    local at = node_of(self, node)
    return at.start + 1, at["end"]
end


local function place_of(self, offset)
    lib.postern_document_place(self.handle, offset, line_out, column_out)
    return line_out[0], column_out[0]
end


--- Where a node begins.
-- @tparam number node
-- @treturn number line, from 1
-- @treturn number column, from 1, in code points
function Document:place(node)
    return place_of(self, node_of(self, node).start)
end


--- Where a node's last character stands.
-- @tparam number node
-- @treturn number line, from 1
-- @treturn number column, from 1, in code points
function Document:last_place(node)
    return place_of(self, node_of(self, node)["end"] - 1)
end


--- Finds the first container that stands in too many others.
-- @tparam number most containers open at once, the node's own included
-- @treturn number|nil its node; nil when none does
function Document:deeper_than(most)
    local stops, depth = {}, 0
    for node = 0, self.count - 1 do
        while depth > 0 and node >= stops[depth] do
            depth = depth - 1
        end
        local at = self.nodes[node]
        if at.kind == lib.POSTERN_ARRAY or at.kind == lib.POSTERN_OBJECT then
            depth = depth + 1
            if depth > most then
                return node
            end
            stops[depth] = at.next
        end
    end
    return nil
end


local function scalar_of(self, node)
    local kind = self.nodes[node].kind
    if kind == lib.POSTERN_STRING then
        return self:text(node)
    elseif kind == lib.POSTERN_NUMBER then
        return tonumber(self:raw(node))
    elseif kind == lib.POSTERN_NULL then
        return _M.null
    end
    return kind == lib.POSTERN_TRUE
end


local function container_of(kind)
    if kind == lib.POSTERN_ARRAY then
        return setmetatable({}, ARRAY)
    elseif kind == lib.POSTERN_OBJECT then
        return {}
    end
    return nil
end


--- A node as a Lua value: tables, strings, numbers, booleans, and `null` of this module. Arrays
-- carry a metatable with `__jsontype = "array"`.
-- @tparam number node
-- @return the value
function Document:value(node)
    local first = node_of(self, node)
    local root = container_of(first.kind)
    if not root then
        return scalar_of(self, node)
    end
    -- The containers that are still open, innermost last, instead of a call for each level.
    local open = { { value = root, stop = first.next, list = first.kind == lib.POSTERN_ARRAY } }
    local at = node + 1
    while at < first.next do
        while at >= open[#open].stop do
            open[#open] = nil
        end
        local parent = open[#open]
        local key = #parent.value + 1
        if not parent.list then
            key, at = self:text(at), at + 1
        end
        local child = self.nodes[at]
        local container = container_of(child.kind)
        if container then
            parent.value[key] = container
            open[#open + 1] = { value = container, stop = child.next,
                                list = child.kind == lib.POSTERN_ARRAY }
        else
            parent.value[key] = scalar_of(self, at)
        end
        at = at + 1
    end
    return root
end


return _M
