--- Requests as people write them: a JSON object, checked member by member.
--
-- *Dependencies*: none (a document is handed in)
--
-- @module postern.context

local _M = {}


local MEMBERS = { "principal", "action", "resource", "resourceAccount", "context" }

local function is_member(name)
    for _, member in ipairs(MEMBERS) do
        if member == name then
            return true
        end
    end
    return false
end


local function problem(doc, node, message, ...)
    local line, column = doc:place(node)
    return { line = line, column = column, status = "request", message = message:format(...) }
end


-- A number keeps the digits it is written with: what a policy is compared with is text.
local function value_text(doc, node)
    local kind = doc:kind(node)
    if kind == "string" then
        return doc:text(node)
    elseif kind == "number" or kind == "boolean" then
        return doc:raw(node)
    end
    return nil
end


local function list_of(doc, node, name)
    local list = {}
    for i, item in doc:items(node) do
        list[i] = value_text(doc, item)
        if not list[i] then
            return nil, problem(doc, item, "a value of `%s` is %s: give a string, a number or a "
                .. "boolean", name, doc:describe(item))
        end
    end
    return list
end


local function read_context(doc, node)
    if doc:kind(node) ~= "object" then
        return nil, problem(doc, node, "`context` is %s: give an object of condition keys",
                            doc:describe(node))
    end
    local context, spelled = {}, {}
    for name, value, name_node in doc:members(node) do
        local lower = name:lower()
        if spelled[lower] then
            return nil, problem(doc, name_node, "the key `%s` is also given as `%s`: give it once",
                                name, spelled[lower])
        end
        spelled[lower] = name
        local found, err = value_text(doc, value), nil
        if doc:kind(value) == "array" then
            found, err = list_of(doc, value, name)
        end
        if not found then
            return nil, err or problem(doc, value, "`%s` is %s: give a string, a number, a boolean "
                .. "or a list of these", name, doc:describe(value))
        end
        context[name] = found
    end
    return context
end


local function check_names(doc, node)
    for name, _, name_node in doc:members(node) do
        if not is_member(name) then
            return nil, problem(doc, name_node, "unknown member `%s`: a request has `%s`", name,
                                table.concat(MEMBERS, "`, `"))
        end
    end
    return true
end


local NEEDED = { "action", "resource" }

local SHOWN = { "principal", "action", "resource", "resourceAccount" }

local function read_texts(doc, node, request)
    for _, name in ipairs(SHOWN) do
        local value = doc:get(node, name)
        if value then
            request[name] = doc:text(value)
            if not request[name] then
                return nil, problem(doc, value, "`%s` is %s: give a string", name,
                                    doc:describe(value))
            end
        end
    end
    for _, name in ipairs(NEEDED) do
        if not request[name] then
            return nil, problem(doc, node, "`%s` is missing: add it", name)
        end
    end
    return true
end


--- Reads a request from a document.
-- @tparam Document doc
-- @tparam number node the request's object
-- @tparam[opt] table options `lenient = true` passes over unknown members
-- @treturn table|nil `{principal, action, resource, resourceAccount, context}`; a request without
-- principal is anonymous
-- @treturn table `{line, column, message, status}`
function _M.read(doc, node, options)
    if doc:kind(node) ~= "object" then
        return nil, problem(doc, node, "the request is %s: give an object", doc:describe(node))
    end
    local request = { principal = "*", context = {} }
    local ok, err = true, nil
    if not (options and options.lenient) then
        ok, err = check_names(doc, node)
    end
    if ok then
        ok, err = read_texts(doc, node, request)
    end
    local context = doc:get(node, "context")
    if ok and context then
        request.context, err = read_context(doc, context)
        ok = request.context
    end
    if not ok then
        return nil, err
    end
    return request
end


return _M
