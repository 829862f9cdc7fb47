--- Catalogues: the subjects, actions and resources that searches look through.
--
--     { subjects = { { type = "user", id = "alice" },
--                    { type = "user", id = "bob", properties = { role = "admin" } } },
--       resources = { { type = "record", id = "record-1", properties = { status = "active" } } },
--       actions = { { name = "read" }, { name = "write" } } }
--
-- Policies say who may do what, not who and what there is: that is declared here. Results come in
-- the order of the declaration.
--
-- *Dependencies*: postern.request, postern.protocol.options
--
-- @module postern.protocol.catalogue
local requests = require("postern.request")
local options = require("postern.protocol.options")


local _M = {}
local Catalogue = {}
Catalogue.__index = Catalogue


local LISTS = { subject = "subjects", resource = "resources", action = "actions" }

local LIST = { type = "list" }
local OPTIONS = { subjects = LIST, resources = LIST, actions = LIST }

local TEXT, TABLE = { type = "text", required = true }, { type = "table" }
local ENTITY = { type = TEXT, id = TEXT, properties = TABLE }
local ACTION = { name = TEXT, properties = TABLE }

local NONE = {}


-- A value as one of a message becomes: text, or a list of texts.
local function value_of(value)
    if type(value) ~= "table" then
        return requests.value_text(value)
    end
    local list, count = {}, 0
    for _ in pairs(value) do
        count = count + 1
        list[count] = type(value[count]) ~= "table" and requests.value_text(value[count]) or nil
        if not list[count] then
            return nil
        end
    end
    return list
end


local function properties_of(given)
    local properties = {}
    for name, value in pairs(given or NONE) do
        properties[name] = type(name) == "string" and value_of(value) or nil
        if not properties[name] then
            return nil, ("property `%s`: give a string, a number, a boolean or a list of these")
                :format(tostring(name))
        end
    end
    return properties
end


local function key_of(entity)
    return entity.name or #entity.type .. ":" .. entity.type .. entity.id
end


local function add(self, kind, given)
    local fault = options.fault(given, kind == "action" and ACTION or ENTITY)
    if fault then
        return fault
    end
    local properties, err = properties_of(given.properties)
    if not properties then
        return err
    end
    local entity = { type = given.type, id = given.id, name = given.name, properties = properties }
    if self.known[kind][key_of(entity)] then
        return "is there twice"
    end
    self.known[kind][key_of(entity)] = entity
    table.insert(self.lists[kind], entity)
end


--- Reads a catalogue.
-- @tparam table given
-- @treturn Catalogue|nil
-- @treturn string what is wrong with it
function _M.new(given)
    local fault = options.fault(given, OPTIONS)
    if fault then
        return nil, fault
    end
    local self = setmetatable({ known = {}, lists = {} }, Catalogue)
    for kind, name in pairs(LISTS) do
        self.known[kind], self.lists[kind] = {}, {}
        for i, entity in ipairs(given[name] or NONE) do
            fault = add(self, kind, entity)
            if fault then
                return nil, ("`%s`: entry %d: %s"):format(name, i, fault)
            end
        end
    end
    return self
end


--- The properties that are known of an entity.
-- @tparam string kind `subject`, `resource` or `action`
-- @tparam table entity `{type, id}` or `{name}`
-- @treturn table|nil nil when it is not in the catalogue
function Catalogue:properties(kind, entity)
    local found = self.known[kind][key_of(entity)]
    return found and found.properties
end


--- All entities of a kind, and of a type where they have one.
-- @tparam string kind
-- @tparam string|nil entity_type
-- @treturn {table,...} `{type, id, name, properties}`, shared
function Catalogue:all(kind, entity_type)
    if not entity_type then
        return self.lists[kind]
    end
    local found = {}
    for _, entity in ipairs(self.lists[kind]) do
        if entity.type == entity_type then
            found[#found + 1] = entity
        end
    end
    return found
end


return _M
