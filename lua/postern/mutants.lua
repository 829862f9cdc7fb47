--- Mutants: a policy changed in one small way at a time.
--
-- A good test notices each of them. The changes are edits of the text by the spans of the document,
-- so that everything else stays as it is written:
--
-- * a statement is dropped, or its Effect flipped;
-- * an operator and key of its Condition are dropped;
-- * one value of several is dropped;
-- * an Action or a Resource (or a Not element's value) becomes `*`;
-- * a Principal becomes `*`, everybody;
-- * a range of addresses becomes four bits wider, a single address a range of four bits.
--
-- Some changes change nothing: a value that another one of its list includes may go. Such a mutant
-- is marked as equal.
--
-- *Dependencies*: postern.document, postern.glob, postern.cidr, postern.parts
--
-- @module postern.mutants
local document = require("postern.document")
local globs = require("postern.glob")
local cidrs = require("postern.cidr")
local parts = require("postern.parts")


local _M = {}


-- How much wider a range becomes: enough to take in the neighbours that a person thinks of.
local BITS = 4

local ANY = '"*"'


-- ---- Edits -------------------------------------------------------------------


local function raw_text(doc, node)
    return doc:text(node) or doc:raw(node)
end


-- The children of a list or an object as spans; those of an object begin at the member's name.
local function children_of(doc, node)
    local children = {}
    for _, item in doc:items(node) do
        local first, last = doc:span(item)
        children[#children + 1] = { node = item, first = first, last = last }
    end
    for _, value, name_node in doc:members(node) do
        local _, last = doc:span(value)
        children[#children + 1] = { node = value, first = (doc:span(name_node)), last = last }
    end
    return children
end


-- The bytes of a child, and with them the comma that goes too.
local function removal(doc, parent, child)
    local children = children_of(doc, parent)
    for i, one in ipairs(children) do
        if one.node == child then
            if i > 1 then
                return children[i - 1].last + 1, one.last
            elseif children[2] then
                return one.first, children[2].first - 1
            end
            return one.first, one.last
        end
    end
end


local function add(job, node, what, first, last, replacement, equal)
    local doc = job.doc
    local line, column = doc:place(node)
    table.insert(job.mutants, {
        node = node, line = line, column = column, what = what, equal = equal or false,
        text = job.text:sub(1, first - 1) .. replacement .. job.text:sub(last + 1),
        order = #job.mutants,
    })
end


local function replace(job, node, what, replacement, equal)
    local first, last = job.doc:span(node)
    add(job, node, what, first, last, replacement, equal)
end


local function drop(job, node, parent, child, what, equal)
    local first, last = removal(job.doc, parent, child)
    add(job, node, what, first, last, "", equal)
end


-- ---- Equality ----------------------------------------------------------------


-- `address`, and the bits of its prefix.
local function split_range(text)
    local address, bits = text:match("^([^/]+)/(%d+)$")
    address = address or text
    local limit = address:find(":", 1, true) and 128 or 32
    return address, tonumber(bits or limit), limit
end


local function range_includes(broad, narrow)
    local matcher = cidrs.new({ broad })
    local address, bits, limit = split_range(narrow)
    local _, broad_bits, broad_limit = split_range(broad)
    return matcher ~= nil and limit == broad_limit and broad_bits <= bits
        and matcher:match(address) ~= nil
end


-- Whether a pattern is part of another: read as a text, it matches. A `?` would take the `*` of the
-- narrow one for a character, and a variable is known only later.
local function pattern_includes(broad, narrow, kind)
    if (broad .. narrow):find("${", 1, true) or broad:find("?", 1, true) then
        return broad == narrow
    elseif kind == "text" then
        broad, narrow = broad:lower(), narrow:lower()
    elseif broad == "*" then
        return true
    end
    local matcher = globs.new({ broad, kind = kind })
    return matcher ~= nil and matcher:match(narrow) ~= nil
end


local function includes(part, broad, narrow)
    if broad == narrow then
        return true
    elseif part.element == "action" then
        return pattern_includes(broad, narrow, "text")
    elseif part.element == "resource" then
        return pattern_includes(broad, narrow, "resource")
    elseif part.element == "principal" then
        return false
    elseif part.operator:lower():find("ipaddress", 1, true) then
        return range_includes(broad, narrow)
    end
    return false
end


-- Whether the list says the same without its value number `i`, or with it changed to `text`.
local function is_equal(job, part, i, text)
    local value = raw_text(job.doc, part.values[i])
    for j, node in ipairs(part.values) do
        local other = raw_text(job.doc, node)
        if j ~= i and includes(part, other, text or value) then
            return true
        end
    end
    return text == value
end


-- ---- The changes -------------------------------------------------------------


local FLIPPED = { Allow = "Deny", Deny = "Allow" }

local function mutate_statement(job, statement)
    local doc = job.doc
    local name = "statement " .. parts.name(statement)
    local list = doc:get(doc:root(), "Statement")
    if doc:kind(list) == "array" then
        drop(job, statement.node, list, statement.node, "dropped " .. name)
    else
        replace(job, statement.node, "dropped " .. name, "[]")
    end
    local flipped = FLIPPED[statement.effect]
    if flipped then
        replace(job, statement.effect_node, ("flipped Effect of %s to %s")
            :format(name, flipped), '"' .. flipped .. '"')
    end
end


-- The container a value goes from: its list or, when it stands alone in a Principal map, the map.
local function home_of(doc, part, node)
    if doc:kind(part.node) ~= "object" then
        return part.node, node
    end
    for _, value in doc:members(part.node) do
        if value == node or (doc:kind(value) == "array" and doc:length(value) == 1
                             and value == node - 1) then
            return part.node, value
        end
        for _, item in doc:items(value) do
            if item == node then
                return value, node
            end
        end
    end
end


local function drop_values(job, part)
    if #part.values < 2 then
        return
    end
    for i, node in ipairs(part.values) do
        local home, child = home_of(job.doc, part, node)
        drop(job, node, home, child, ("dropped `%s` from %s")
            :format(raw_text(job.doc, node), part.member), is_equal(job, part, i))
    end
end


local function widen_patterns(job, part)
    for i, node in ipairs(part.values) do
        local text = raw_text(job.doc, node)
        if text ~= "*" then
            replace(job, node, ("widened %s `%s` to `*`"):format(part.member, text), ANY,
                    is_equal(job, part, i, "*"))
        end
    end
end


local function widen_principal(job, part)
    local values = part.values
    if not (values[1] and raw_text(job.doc, values[1]) == "*" and #values == 1) then
        replace(job, part.node, ("replaced %s by `*`"):format(part.member), ANY)
    end
end


local function widen_ranges(job, part)
    for i, node in ipairs(part.values) do
        local text = raw_text(job.doc, node)
        local address, bits = split_range(text)
        if bits > 0 then
            local wider = ("%s/%d"):format(address, math.max(0, bits - BITS))
            replace(job, node, ("widened `%s` to `%s`"):format(text, wider), '"' .. wider .. '"',
                    is_equal(job, part, i, wider))
        end
    end
end


local function mutate_element(job, part)
    if part.element == "principal" then
        widen_principal(job, part)
    else
        widen_patterns(job, part)
    end
    drop_values(job, part)
end


-- An operator without keys goes, and a Condition without operators.
local function drop_condition(job, statement, part)
    local doc = job.doc
    local parent, child = part.keys, part.node
    if doc:length(part.keys) == 1 then
        parent, child = part.block, part.keys
    end
    if parent == part.block and doc:length(part.block) == 1 then
        parent, child = statement.node, part.block
    end
    drop(job, part.key_node, parent, child, ("dropped condition %s"):format(part.member))
end


local function mutate_condition(job, statement, part)
    drop_condition(job, statement, part)
    if part.operator:lower():find("ipaddress", 1, true) then
        widen_ranges(job, part)
    end
    drop_values(job, part)
end


--- Makes every mutant of a policy.
-- @tparam Document doc the policy
-- @tparam string text its source
-- @treturn {table,...} `{line, column, node, what, text, equal}` in the order of the document: the
-- place and node of what was changed, what was done, and the whole policy as it then reads
function _M.of(doc, text)
    local job = { doc = doc, text = text, mutants = {} }
    for _, statement in ipairs(parts.statements(doc)) do
        mutate_statement(job, statement)
        for _, part in ipairs(statement.elements) do
            mutate_element(job, part)
        end
        for _, part in ipairs(statement.conditions) do
            mutate_condition(job, statement, part)
        end
    end
    table.sort(job.mutants, function(a, b)
        if a.node ~= b.node then
            return a.node < b.node
        end
        return a.order < b.order
    end)
    return job.mutants
end


--- Makes every mutant of a policy's text.
-- @tparam string text
-- @treturn {table,...}|nil as `of`
-- @treturn table why the text cannot be read
function _M.of_text(text)
    local doc, err = document.new(text)
    if not doc then
        return nil, err
    end
    return _M.of(doc, text)
end


return _M
