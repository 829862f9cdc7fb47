--- Sets: compiled, immutable policies.
--
-- Indexes of statements, conditions and keys are the core's and count from 0. Places are those of
-- the file a policy came from, also when the policy is only a part of that file.
--
-- *Dependencies*: postern.ffi, postern.document
--
-- @module postern.set
local ffi = require("ffi")
local core = require("postern.ffi")
local document = require("postern.document")

local lib = core.lib
local text_of = core.text


local _M = {}
local Set = {}
Set.__index = Set


local TYPES = {}
for number, name in pairs(core.names("policy_type")) do
    TYPES[name] = number
end

local STRICTNESS = {
    attachable = lib.POSTERN_ATTACHABLE,
    structural = lib.POSTERN_STRUCTURAL,
}

local OPTIONS = { type = true, strictness = true, api_arn = true, name = true }

local EFFECTS = { [lib.POSTERN_ALLOW] = "Allow", [lib.POSTERN_DENY] = "Deny" }

local err = ffi.new("postern_error")
local span = ffi.new("postern_span")
local statement_out = ffi.new("postern_statement")
local condition_out = ffi.new("postern_condition")

local function free(handle)
    lib.postern_set_free(handle)
end


--- The policy types there are, by name.
_M.types = TYPES


-- The place in the file of a place in a policy that begins somewhere inside that file.
local function file_place(origin, line, column)
    if line == 0 then
        return 0, 0
    elseif line == 1 then
        column = column + origin.column - 1
    end
    return line + origin.line - 1, column
end


local function failure(origin)
    local found = core.failure(origin.name, err)
    found.line, found.column = file_place(origin, found.line, found.column)
    return found
end


--- Whether a value is a set.
-- @param value
-- @treturn boolean
function _M.is(value)
    return getmetatable(value) == Set
end


-- The first statement of a policy document, or nil when there is none to be found.
local function first_statement(text)
    local doc = document.new(text)
    local node = doc and doc:get(doc:root(), "Statement")
    if node and doc:kind(node) == "array" then
        local _, first = doc:items(node)()
        return doc, first
    end
    return doc, node
end


--- Guesses the type of a policy: one whose first statement has Principal or NotPrincipal is a
-- resource policy, any other an identity policy.
-- @tparam string text
-- @treturn string `resource` or `identity`; `identity` also for text that is no policy at all
function _M.detect(text)
    local doc, statement = first_statement(text)
    if statement
        and (doc:get(statement, "Principal") or doc:get(statement, "NotPrincipal")) then
        return "resource"
    end
    return "identity"
end


local function check_options(options)
    for name in pairs(options) do
        if not OPTIONS[name] then
            error(("unknown option `%s`"):format(tostring(name)), 3)
        end
    end
    if options.type and not TYPES[options.type] then
        error(("unknown policy type `%s`"):format(tostring(options.type)), 3)
    end
    if options.strictness and not STRICTNESS[options.strictness] then
        error(("unknown strictness `%s`; there are `attachable` and `structural`")
            :format(tostring(options.strictness)), 3)
    end
end


local function list_of(source, name)
    if type(source) == "string" then
        source = { { name = name, text = source } }
    end
    local origins, complete = {}, true
    for i, policy in ipairs(source) do
        if type(policy.text) ~= "string" then
            error(("policy %d has no text"):format(i), 3)
        end
        complete = complete and policy.name and policy.line and policy.column
        origins[i] = {
            name = policy.name or name or "policy",
            text = policy.text,
            line = policy.line or 1,
            column = policy.column or 1,
        }
    end
    return complete and source or origins -- one list may so serve many sets
end


local function add_all(builder, origins)
    for _, origin in ipairs(origins) do
        local status = lib.postern_builder_add(builder, origin.name, #origin.name,
                                               origin.text, #origin.text, err)
        if status ~= lib.POSTERN_OK then
            return nil, failure(origin)
        end
    end
    local handle = lib.postern_builder_build(builder, err)
    if handle == nil then
        return nil, core.failure("set", err)
    end
    return core.own(handle, free)
end


-- Sets that mention the same keys in the same order share the list of their names: an estate of
-- thousands of APIs has few such lists, and what is worked out for one serves all its sets.
local layouts = setmetatable({}, { __mode = "v" })

local function names_of(handle)
    local names = {}
    for key = 0, lib.postern_set_key_count(handle) - 1 do
        lib.postern_set_key(handle, key, span)
        names[key + 1] = text_of(span) or ""
    end
    local layout = table.concat(names, "\0")
    layouts[layout] = layouts[layout] or names
    return layouts[layout]
end


--- Compiles policies into a set.
-- @tparam string|{table,...} source the text of one policy, or a list of `{name=, text=}`; an item
-- may say the `line` and `column` where it begins in the file it is a part of; a list whose items
-- say everything is kept: leave it unchanged
-- @tparam[opt] table options `type` (a policy type; by default detected from the first policy, see
-- `detect`), `strictness` (`attachable`, the default, or `structural`), `api_arn` (what
-- `execute-api:/` stands for), `name` (what errors call a policy without a name)
-- @treturn Set|nil
-- @treturn table `{name, line, column, message, status}`; as text `name:line:column: message`
function _M.compile(source, options)
    options = options or {}
    check_options(options)
    local origins = list_of(source, options.name)
    local policy_type = options.type or _M.detect(origins[1] and origins[1].text or "")
    local settings = ffi.new("postern_options")
    settings.policy_type = TYPES[policy_type]
    settings.strictness = STRICTNESS[options.strictness or "attachable"]
    if options.api_arn then
        settings.api_arn, settings.api_arn_length = options.api_arn, #options.api_arn
    end
    local builder = lib.postern_builder_new(settings, err)
    if builder == nil then
        return nil, core.failure(options.name or "set", err)
    end
    local handle, failed = add_all(builder, origins)
    lib.postern_builder_free(builder)
    if not handle then
        return nil, failed
    end
    return setmetatable({
        handle = handle,
        type = policy_type,
        --- The names of the condition keys, as `keys` answers them. Shared by sets that mention the
        -- same keys, and what requests are filled by: nobody may change it.
        names = names_of(handle),
        origins = origins, -- the sources, for the places and for quoting
    }, Set)
end


--- Gives the handle of a set away; the object holds on to the new owner instead.
-- @tparam Set set
-- @param owner who frees the handle from now on
-- @treturn cdata
function _M.release(set, owner)
    set.owner = owner
    return ffi.gc(set.handle, nil)
end


--- Makes a set object of a handle that somebody else frees.
-- @tparam cdata handle
-- @tparam table kind `type`, `names` and `origins` of the set that was released
-- @param owner who frees it; the object holds on to it
-- @treturn Set
function _M.adopt(handle, kind, owner)
    return setmetatable({
        handle = handle, type = kind.type, names = kind.names, origins = kind.origins,
        owner = owner,
    }, Set)
end


--- The size of the compiled set.
-- @treturn number bytes
function Set:size()
    return tonumber(lib.postern_set_size(self.handle))
end


--- The number of policies in the set.
-- @treturn number
function Set:policy_count()
    return lib.postern_set_policy_count(self.handle)
end


--- The number of statements in the set, of all its policies.
-- @treturn number
function Set:statement_count()
    return lib.postern_set_statement_count(self.handle)
end


--- The condition keys the set mentions, in lower case.
-- @treturn {string,...} key index + 1 to name, a new list
function Set:keys()
    local keys = {}
    for i, name in ipairs(self.names) do
        keys[i] = name
    end
    return keys
end


--- The name of a condition key.
-- @tparam number key
-- @treturn string|nil nil when there is no such key
function Set:key_name(key)
    return self.names[key + 1]
end


--- The index of a condition key.
-- @tparam string name in any letter case
-- @treturn number|nil nil when the set does not mention it
function Set:find_key(name)
    local key = lib.postern_set_find_key(self.handle, name, #name)
    if key < 0 then
        return nil
    end
    return key
end


local function line_in_file(origin, line)
    if line == 0 then
        return nil
    end
    return line + origin.line - 1
end


--- A statement as it stands in its policy.
-- @tparam number statement
-- @treturn table|nil `{policy, index, effect, sid, name, line, column, principal_line, action_line,
-- resource_line, condition_count}`; `name` is the policy's; nil when there is no such statement
function Set:statement(statement)
    local out = statement_out
    if lib.postern_set_statement(self.handle, statement, out) ~= lib.POSTERN_OK then
        return nil
    end
    local origin = self.origins[out.policy + 1]
    local line, column = file_place(origin, out.line, out.column)
    return {
        policy = out.policy,
        index = out.index,
        effect = EFFECTS[out.effect],
        sid = out.sid.length > 0 and text_of(out.sid) or nil,
        name = origin.name,
        line = line,
        column = column,
        principal_line = line_in_file(origin, out.principal_line),
        action_line = line_in_file(origin, out.action_line),
        resource_line = line_in_file(origin, out.resource_line),
        condition_count = out.condition_count,
    }
end


--- One operator and key of a statement's Condition.
-- @tparam number statement
-- @tparam number condition
-- @treturn table|nil `{operator, key, key_index, line, column, values}`; nil when there is no such
-- condition
function Set:condition(statement, condition)
    local out = condition_out
    if lib.postern_set_condition(self.handle, statement, condition, out) ~= lib.POSTERN_OK then
        return nil
    end
    local found = { operator = text_of(out.operator_name), key_index = out.key, values = {} }
    lib.postern_set_statement(self.handle, statement, statement_out)
    local origin = self.origins[statement_out.policy + 1]
    found.line, found.column = file_place(origin, out.line, out.column)
    for value = 0, out.value_count - 1 do
        lib.postern_set_condition_value(self.handle, statement, condition, value, span)
        found.values[value + 1] = text_of(span) or ""
    end
    found.key = self:key_name(found.key_index)
    return found
end


--- A statement in the document it was compiled from.
-- @tparam number statement
-- @treturn Document
-- @treturn number the statement's node
function Set:source(statement)
    local found = self:statement(statement)
    -- The sources as documents, read when first asked for.
    self.documents = self.documents or {}
    local doc = self.documents[found.policy]
    if not doc then
        -- It compiled once, so it reads again; nothing but lack of memory can refuse it now.
        doc = assert(document.new(self.origins[found.policy + 1].text))
        self.documents[found.policy] = doc
    end
    local node = doc:get(doc:root(), "Statement")
    for i, item in doc:items(node) do
        if i == found.index + 1 then
            return doc, item
        end
    end
    return doc, node
end


--- The lines of its policy that a statement stands on.
-- @tparam number statement
-- @treturn {table,...} `{number, text}` each, the number as in the file
-- @treturn number the byte of the first line where the statement begins, from 1
function Set:quote(statement)
    local doc, node = self:source(statement)
    local origin = self.origins[self:statement(statement).policy + 1]
    local first, last = doc:span(node)
    local before = origin.text:sub(1, first - 1):match("[^\n]*$")
    local after = origin.text:match("^[^\r\n]*", last + 1)
    local number = doc:place(node) + origin.line - 1
    local lines = {}
    for text in (before .. origin.text:sub(first, last) .. after .. "\n"):gmatch("(.-)\r?\n") do
        lines[#lines + 1] = { number = number + #lines, text = text }
    end
    return lines, #before + 1
end


return _M
