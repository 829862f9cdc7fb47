--- Calls: a request to an estate as JSON, read straight from the document.
--
-- The members are those of docs/estate.md, "Requests". Numbers among the condition keys keep the
-- digits they are written with, since policies compare text. Everything that is not a member, or of
-- another type, is refused with its place: a caller that misspells `client_ip` must not get a
-- decision without it.
--
-- *Dependencies*: postern.document
--
-- @module postern.protocol.call
local new_table = require("table.new")
local document = require("postern.document")


local _M = {}


local function problem(doc, node, message, ...)
    local line, column = doc:place(node)
    return { line = line, column = column, message = message:format(...) }
end


local function wrong_type(doc, node, name, wanted)
    return nil, problem(doc, node, "`%s` is %s: give %s", name, doc:describe(node), wanted)
end


-- ---- Values ----------------------------------------------------------------


local function text_of(doc, node, name)
    local text = doc:text(node)
    if not text then
        return wrong_type(doc, node, name, "a string")
    end
    return text
end


local function number_of(doc, node, name)
    local number = doc:kind(node) == "number" and tonumber(doc:raw(node))
    -- 1e999 is infinite, and no moment.
    if not number or math.abs(number) == math.huge then
        return wrong_type(doc, node, name, "a number")
    end
    return number
end


-- Strings one by one, or as a list of them.
local function texts_of(doc, node, name)
    local text = doc:text(node)
    if text then
        return { text }
    elseif doc:kind(node) ~= "array" then
        return wrong_type(doc, node, name, "a string or a list of strings")
    end
    local list, count = {}, 0
    local at, stop = node + 1, doc:after(node)
    while at < stop do
        count = count + 1
        list[count] = doc:text(at)
        if not list[count] then
            return wrong_type(doc, at, name, "a string")
        end
        at = doc:after(at)
    end
    return list
end


-- Names and values of headers; one name in two letter cases is refused by the estate.
local function headers_of(doc, node, name)
    if doc:kind(node) ~= "object" then
        return wrong_type(doc, node, name, "an object of names and values")
    end
    local headers = {}
    local at, stop = node + 1, doc:after(node)
    while at < stop do
        local header, value = doc:text(at), at + 1
        local values, err = texts_of(doc, value, header)
        if not values then
            return nil, err
        end
        headers[header], at = values, doc:after(value)
    end
    return headers
end


-- Pairs of decoded names and values, in order, as signatures need them.
local function query_of(doc, node, name)
    local wanted = "a list of pairs, `[[\"name\", \"value\"]]`"
    if doc:kind(node) ~= "array" then
        return wrong_type(doc, node, name, wanted)
    end
    local query = {}
    for i, pair in doc:items(node) do
        local first = pair + 1
        local second = doc:kind(pair) == "array" and doc:length(pair) == 2 and doc:after(first)
        query[i] = second and { doc:text(first), doc:text(second) }
        if not second or #query[i] ~= 2 then
            return wrong_type(doc, pair, name, wanted)
        end
    end
    return query
end


-- What packs read as they like. A null is a member that is not there.
local function without_nulls(root)
    local open = { root }
    while #open > 0 do
        local value = table.remove(open)
        for name, inner in pairs(value) do
            if inner == document.null then
                value[name] = nil
            elseif type(inner) == "table" then
                open[#open + 1] = inner
            end
        end
    end
    return root
end


local function object_of(doc, node, name)
    if doc:kind(node) ~= "object" then
        return wrong_type(doc, node, name, "an object")
    end
    return without_nulls(doc:value(node))
end


-- A number keeps the digits it is written with.
local function key_value(doc, node, kind)
    if kind == "string" then
        return doc:text(node)
    elseif kind == "number" or kind == "boolean" then
        return doc:raw(node)
    end
    return nil
end


local function key_values(doc, node, name)
    local list, count = {}, 0
    local at, stop = node + 1, doc:after(node)
    while at < stop do
        count = count + 1
        list[count] = key_value(doc, at, doc:kind(at))
        if not list[count] then
            return wrong_type(doc, at, name, "a string, a number or a boolean")
        end
        at = doc:after(at)
    end
    return list
end


-- Condition keys; one key in two letter cases is refused by the estate.
local function context_of(doc, node, name)
    if doc:kind(node) ~= "object" then
        return wrong_type(doc, node, name, "an object of condition keys")
    end
    local context = {}
    local at, stop = node + 1, doc:after(node)
    while at < stop do
        local key, value, err = doc:text(at), at + 1, nil
        local kind = doc:kind(value)
        if kind == "array" then
            context[key], err = key_values(doc, value, key)
        else
            context[key] = key_value(doc, value, kind)
        end
        if context[key] == nil then
            return nil, err or problem(doc, value, "`%s` is %s: give a string, a number, a boolean "
                .. "or a list of these", key, doc:describe(value))
        end
        at = doc:after(value)
    end
    return context
end


-- ---- Members ---------------------------------------------------------------


-- How each member is read. `connection` is not among them: it is a table of the host's own.
local READ = {
    api = text_of, stage = text_of, method = text_of, path = text_of, raw_path = text_of,
    host = text_of, scheme = text_of, headers = headers_of, query = query_of,
    body_sha256 = text_of, peer = text_of, client_ip = text_of, vpce = text_of,
    principal = text_of, claims = object_of, client_certificate = object_of, token = text_of,
    authorizer = text_of, context = context_of, now = number_of, client = object_of,
    route = text_of, action = text_of, resource = text_of, resourceAccount = text_of,
}

--- The members a call may have.
_M.MEMBERS = {}
for name in pairs(READ) do
    _M.MEMBERS[#_M.MEMBERS + 1] = name
end
table.sort(_M.MEMBERS)

--- Reads headers.
-- @tparam Document doc
-- @tparam number node
-- @treturn table|nil names to lists of values
-- @treturn table as for `read`
function _M.headers(doc, node)
    return headers_of(doc, node, "headers")
end


-- A plain call of an API has about so many.
local USUAL = 8


--- Reads one call.
-- @tparam Document doc
-- @tparam number node
-- @treturn table|nil a request for `estate:authorize`
-- @treturn table `{line, column, message}` of what is refused
function _M.read(doc, node)
    if doc:kind(node) ~= "object" then
        return nil, problem(doc, node, "the request is %s: give an object", doc:describe(node))
    end
    local request = new_table(0, USUAL)
    local at, stop = node + 1, doc:after(node)
    while at < stop do
        local name, value = doc:text(at), at + 1
        local read = READ[name]
        if not read then
            return nil, problem(doc, at, "unknown member `%s`: a request has `%s`", name,
                                table.concat(_M.MEMBERS, "`, `"))
        end
        local found, err = read(doc, value, name)
        if found == nil then
            return nil, err
        end
        request[name], at = found, doc:after(value)
    end
    return request
end


return _M
