--- Entities: the subject, action, resource and context of AuthZEN, read and made a request.
--
-- An entity is `{type, id, properties}`, an action `{name, properties}`; members that nobody knows
-- are passed over. A property becomes a condition key, `subject:X`, `action:X`, `resource:X`, and a
-- member of the context `context:X`: a string as it is, a number with the digits it is written
-- with, a boolean as `true` or `false`, a list of these as several values, null as an absent key.
-- What a policy cannot compare, an object or a list that holds something else, makes the decision
-- fail where a policy asks for it, and matters nowhere else.
--
-- What the catalogue knows of an entity fills in the properties that a message leaves out.
--
-- Source: OpenID AuthZEN Authorization API 1.0, "Information Model". The keys are ours.
--
-- *Dependencies*: postern.protocol.mapping
--
-- @module postern.protocol.entities
local mappings = require("postern.protocol.mapping")


local _M = {}
local Entities = {}
Entities.__index = Entities


--- The members that say which one an entity is.
_M.IDENTIFIED_BY = {
    subject = { "type", "id" }, resource = { "type", "id" }, action = { "name" },
}

local NONE = {}   -- an entity without properties; nobody writes to it
local OPAQUE = { {} } -- a list of something that is no text: no policy can compare it


local function problem(doc, node, message, ...)
    local line, column = doc:place(node)
    return nil, ("%d:%d: %s"):format(line, column, message:format(...))
end


-- ---- Reading ---------------------------------------------------------------


local function scalar_of(doc, node, kind)
    if kind == "string" then
        return doc:text(node)
    elseif kind == "number" or kind == "boolean" then
        return doc:raw(node)
    end
    return nil
end


local function list_of(doc, node)
    local list, count = {}, 0
    local at, stop = node + 1, doc:after(node)
    while at < stop do
        count = count + 1
        list[count] = scalar_of(doc, at, doc:kind(at))
        if not list[count] then
            return OPAQUE
        end
        at = doc:after(at)
    end
    return list
end


local function value_of(doc, node)
    local kind = doc:kind(node)
    if kind == "null" then
        return nil
    elseif kind == "array" then
        return list_of(doc, node)
    end
    return scalar_of(doc, node, kind) or OPAQUE
end


-- Names to values of an object; nil when there is none.
local function values_of(doc, node, what)
    if not node or doc:kind(node) == "null" then
        return NONE
    elseif doc:kind(node) ~= "object" then
        return problem(doc, node, "`%s` is %s: give an object", what, doc:describe(node))
    end
    local values = {}
    local at, stop = node + 1, doc:after(node)
    while at < stop do
        values[doc:text(at)] = value_of(doc, at + 1)
        at = doc:after(at + 1)
    end
    return values
end


local function identify(doc, node, kind, wanted, entity)
    for i = 1, #wanted do
        local name = wanted[i]
        local value = doc:get(node, name)
        if not value then
            return problem(doc, node, "`%s.%s` is missing", kind, name)
        end
        local text = doc:text(value)
        if not text or text == "" then
            return problem(doc, value, "`%s.%s` is no string, or an empty one", kind, name)
        end
        entity[name] = text
    end
    return entity
end


-- Properties of the catalogue where the message has none of that name.
local function completed(known, properties)
    if not known then
        return properties
    end
    local all = {}
    for name, value in pairs(known) do
        all[name] = value
    end
    for name, value in pairs(properties) do
        all[name] = value
    end
    return all
end


--- Reads a subject, a resource or an action.
-- @tparam Document doc
-- @tparam number|nil node
-- @tparam string kind `subject`, `resource` or `action`
-- @tparam[opt] boolean type_only only its type is asked for, as of what a search looks for
-- @treturn table|nil `{type, id, name, properties}`
-- @treturn string what is wrong, with its place
function Entities:read(doc, node, kind, type_only)
    if not node then
        return nil, ("`%s` is missing"):format(kind)
    elseif doc:kind(node) ~= "object" then
        return problem(doc, node, "`%s` is %s: give an object", kind, doc:describe(node))
    end
    local entity, err = identify(doc, node, kind, type_only and { "type" }
        or _M.IDENTIFIED_BY[kind], { type = nil, id = nil, name = nil, properties = nil })
    if not entity then
        return nil, err
    end
    entity.properties, err = values_of(doc, doc:get(node, "properties"), kind .. ".properties")
    if not entity.properties then
        return nil, err
    end
    if self.catalogue and not type_only then
        entity.properties = completed(self.catalogue:properties(kind, entity), entity.properties)
    end
    return entity
end


--- Reads a context.
-- @tparam Document doc
-- @tparam number|nil node
-- @treturn table|nil names to values
-- @treturn string what is wrong, with its place
function Entities.read_context(_, doc, node)
    return values_of(doc, node, "context")
end


-- ---- Making a request ------------------------------------------------------


-- What IAM takes in the name of a user or role; anything else could be another ARN.
local NAME = "^[%w+=,.@_-]+$"
local LONGEST_ID = 1024


-- The text that a template makes of an id. An id at the end may have anything printable; one with
-- something behind it must not take that part over.
local function expand(template, id)
    if not template or #id > LONGEST_ID or id:find("%c") then
        return nil
    elseif not template.last and id:find("[/:]") then
        return nil
    end
    return template.before .. id .. template.after
end


-- `*` would be anonymous, and a name with a slash or a colon somebody else.
local function principal_of(template, id)
    if not template or (template.bare and id == "*") or not template.bare and not id:find(NAME) then
        return nil
    end
    return expand(template, id)
end


local function add_keys(request, prefix, values)
    for name, value in pairs(values) do
        if value == OPAQUE then
            request.opaque = true
        end
        request.context[prefix .. name] = value
    end
end


local function add_context(self, request, values)
    for name, value in pairs(values) do
        local key = self.trusted[name:lower()] and name or "context:" .. name
        if value == OPAQUE then
            request.opaque = true
        end
        request.context[key] = value
    end
end


local MAKE = {}

function MAKE.iam(self, request, action, resource)
    request.action = self.actions[action.name]
        or self.action_prefix and self.action_prefix .. action.name or nil
    request.resource = expand(self.resources[resource.type], resource.id)
    if not request.action or action.name:find("[%c%s:*?]") then
        return nil, "no action of that name is configured"
    elseif not request.resource then
        return nil, "no resource of that type and id is configured"
    end
    return request
end


function MAKE.gateway(self, request, action, resource)
    if resource.type ~= "route" then
        return nil, "the resource is no `route`"
    end
    request.method, request.raw_path = action.name, resource.id
    local ok, err = self.mapping:apply(request)
    return ok and request or nil, err
end


--- Makes the request that four entities ask.
-- @tparam table subject
-- @tparam table action
-- @tparam table resource
-- @tparam table context
-- @treturn table|nil a request for `estate:authorize`
-- @treturn string|boolean why there is none; else whether it has a value that no policy can compare
function Entities:request(subject, action, resource, context)
    local request = { context = {}, opaque = nil }
    if self.subjects then
        request.principal = principal_of(self.subjects[subject.type], subject.id)
        if not request.principal then
            return nil, "no subject of that type and id is configured"
        end
    end
    local made, err = MAKE[self.profile](self, request, action, resource)
    if not made then
        return nil, err
    end
    add_keys(request, "subject:", subject.properties)
    add_keys(request, "action:", action.properties)
    add_keys(request, "resource:", resource.properties)
    add_context(self, request, context)
    local opaque = request.opaque == true
    request.opaque = nil
    return request, opaque
end


-- ---- Options ---------------------------------------------------------------


local TABLE, TEXT = { type = "table" }, { type = "text" }

--- The options of both profiles, to be merged with those of a protocol.
_M.OPTIONS = {
    profile = { type = "text", required = true, one_of = { gateway = true, iam = true } },
    subjects = TABLE, actions = TABLE, action_prefix = TEXT, resources = TABLE,
    trusted_keys = { type = "texts" },
}
for name, rule in pairs(mappings.OPTIONS) do
    _M.OPTIONS[name] = rule
end


-- `arn:aws:iam::111122223333:user/{id}`, with `{id}` once.
local function read_template(text)
    local before, after = tostring(text):match("^(.-){id}(.*)$")
    if type(text) ~= "string" or not before or after:find("{id}", 1, true) then
        return nil
    end
    return { before = before, after = after, last = after == "", bare = before == "" and
             after == "" }
end


local function read_templates(given, name)
    local templates = {}
    for kind, text in pairs(given) do
        templates[kind] = type(kind) == "string" and read_template(text) or nil
        if not templates[kind] then
            return nil, ("`%s`: `%s`: give a text with `{id}` once, by the type of an entity")
                :format(name, tostring(kind))
        end
    end
    return templates
end


local function check_actions(given)
    for name, action in pairs(given) do
        if type(name) ~= "string" or type(action) ~= "string"
            or not action:find("^[%w-]+:[%w]+$") then
            return ("`actions`: `%s`: give an action, as `records:Read`"):format(tostring(name))
        end
    end
end


local ENTITIES = { "subjects", "resources" }

local OF_ACTIONS = { "actions", "action_prefix", "resources" }

-- What each profile needs, and what belongs to the other.
local function fault_of(given)
    if given.profile == "gateway" then
        for _, name in ipairs(OF_ACTIONS) do
            if given[name] then
                return ("`%s` belongs to the profile `iam`"):format(name)
            end
        end
        return nil
    end
    for name in pairs(mappings.OPTIONS) do
        if given[name] ~= nil then
            return ("`%s` belongs to the profile `gateway`"):format(name)
        end
    end
    for _, name in ipairs(ENTITIES) do
        if not given[name] then
            return ("`%s` is missing: the profile `iam` needs it"):format(name)
        end
    end
    if not given.actions and not given.action_prefix then
        return "give `actions` or `action_prefix`"
    elseif given.action_prefix and not given.action_prefix:find("^[%w-]+:$") then
        return "`action_prefix`: give a prefix with its colon, as `records:`"
    end
    return check_actions(given.actions or NONE)
end


local function read_trusted(given)
    local trusted = {}
    for _, name in ipairs(given.trusted_keys or NONE) do
        if not name:find("^[%w-]+:[!-~]+$") then
            return nil, ("`trusted_keys`: `%s` is no condition key"):format(name)
        end
        trusted[name:lower()] = true
    end
    if given.trusted_keys and not given.peers then
        return nil, "`trusted_keys`: say in `peers` whose word they are"
    end
    return trusted
end


--- Reads the options of a profile; their types have been checked.
-- @tparam table given `profile`: `iam`, with `subjects` and `resources` (tables from the type of an
-- entity to a template with `{id}`: of the subject's principal, an ARN or a name of the estate, and
-- of the resource's ARN) and `actions` (from name to action) or `action_prefix`; or `gateway`, with
-- a mapping and perhaps `subjects`, where an action is a method and a resource a `route`. And
-- `trusted_keys`, members of the context that are condition keys by their own name
-- @tparam Catalogue|nil catalogue see `postern.protocol.catalogue`
-- @treturn Entities|nil
-- @treturn string what is wrong
function _M.new(given, catalogue)
    local fault = fault_of(given)
    if fault then
        return nil, fault
    end
    local self = setmetatable({
        profile = given.profile, catalogue = catalogue, actions = given.actions or NONE,
        action_prefix = given.action_prefix,
    }, Entities)
    local err
    self.trusted, err = read_trusted(given)
    if not self.trusted then
        return nil, err
    end
    for _, name in ipairs(ENTITIES) do
        if given[name] then
            self[name], err = read_templates(given[name], name)
            if not self[name] then
                return nil, err
            end
        end
    end
    if given.profile == "gateway" then
        self.mapping, err = mappings.new(given, false)
        if not self.mapping then
            return nil, err
        end
    end
    return self
end


return _M
