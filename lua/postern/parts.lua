--- The parts of a policy document: statements, their elements and conditions, every value's node.
--
-- Values are listed in the order in which the core counts them, so that a place in a list here is
-- an index there. It is lenient: what is not written as a policy should be has no parts.
--
-- *Dependencies*: none (a document is handed in)
--
-- @module postern.parts

local _M = {}


local ELEMENTS = {
    { element = "principal", member = "Principal" },
    { element = "principal", member = "NotPrincipal", negated = true },
    { element = "action", member = "Action" },
    { element = "action", member = "NotAction", negated = true },
    { element = "resource", member = "Resource" },
    { element = "resource", member = "NotResource", negated = true },
}


-- What may be written single or as a list, as a list of nodes.
local function values_of(doc, node)
    if doc:kind(node) ~= "array" then
        return { node }
    end
    local nodes = {}
    for i, item in doc:items(node) do
        nodes[i] = item
    end
    return nodes
end


-- A Principal map is one list, member by member.
local function principals_of(doc, node)
    if doc:kind(node) ~= "object" then
        return values_of(doc, node)
    end
    local nodes = {}
    for _, value in doc:members(node) do
        for _, item in ipairs(values_of(doc, value)) do
            nodes[#nodes + 1] = item
        end
    end
    return nodes
end


-- Every negated operator has `Not` in its name, and no other has.
local function is_negated(operator)
    return operator:lower():find("not", 1, true) ~= nil
end


local function conditions_of(doc, node)
    local conditions = {}
    for operator, keys, operator_node in doc:members(node) do
        for key, value, key_node in doc:members(keys) do
            conditions[#conditions + 1] = {
                element = "condition", member = operator .. " " .. key,
                operator = operator, key = key, negated = is_negated(operator),
                block = node, operator_node = operator_node, keys = keys, key_node = key_node,
                node = value, values = values_of(doc, value),
            }
        end
    end
    return conditions
end


local function statement_of(doc, node, index)
    local sid, effect = doc:get(node, "Sid"), doc:get(node, "Effect")
    local statement = {
        node = node, index = index, effect_node = effect,
        sid = sid and doc:text(sid), effect = effect and doc:text(effect),
        elements = {},
    }
    for _, known in ipairs(ELEMENTS) do
        local value = doc:get(node, known.member)
        if value then
            statement.elements[#statement.elements + 1] = {
                element = known.element, member = known.member, negated = known.negated or false,
                node = value,
                values = (known.element == "principal" and principals_of or values_of)(doc, value),
            }
        end
    end
    local block = doc:get(node, "Condition")
    statement.conditions = block and conditions_of(doc, block) or {}
    return statement
end


--- Takes a policy apart.
-- @tparam Document doc
-- @treturn {table,...} a statement each: `node`, `index` (from 0), `sid`, `effect`, `effect_node`,
-- `elements` (`{element, member, negated, node, values}`) and `conditions` (the same, and
-- `operator`, `key`, and the nodes `block`, `operator_node`, `keys`, `key_node`); `values` are
-- nodes
function _M.statements(doc)
    local node = doc:get(doc:root(), "Statement")
    local statements = {}
    for i, item in ipairs(node and values_of(doc, node) or {}) do
        statements[i] = statement_of(doc, item, i - 1)
    end
    return statements
end


--- What people call a statement: its Sid, or its number.
-- @tparam table statement
-- @treturn string
function _M.name(statement)
    return statement.sid and ("`%s`"):format(statement.sid) or tostring(statement.index + 1)
end


return _M
