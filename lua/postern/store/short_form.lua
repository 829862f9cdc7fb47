--- The short form of resources in the policy of an API, written out as API Gateway does on saving.
--
-- Rule: API Gateway Developer Guide, "Access policy language overview for Amazon API Gateway":
-- `execute-api:/stage/method/path` becomes the ARN of the API followed by what stands behind the
-- first slash, when the policy is saved.
--
-- *Dependencies*: postern.document, postern.json
--
-- @module postern.store.short_form
local document = require("postern.document")
local json = require("postern.json")


local _M = {}


local SHORT = "execute-api:/"


-- The texts of a value that may be single or a list.
local function each_text(doc, node, visit)
    if doc:kind(node) == "string" then
        return visit(node, doc:text(node))
    end
    for _, item in doc:items(node) do
        if doc:kind(item) == "string" then
            visit(item, doc:text(item))
        end
    end
end


local function each_resource(doc, statement, visit)
    for name, value in doc:members(statement) do
        if name == "Resource" or name == "NotResource" then
            each_text(doc, value, visit)
        end
    end
end


--- Writes short forms out. Everything else stays as it is, byte for byte.
-- @tparam string text of a policy
-- @tparam string arn of the API
-- @treturn string the same text when there are none, or when it is no policy
function _M.written_out(text, arn)
    local doc = document.new(text)
    local statements = doc and doc:get(doc:root(), "Statement")
    if not statements then
        return text
    end
    local pieces, at = {}, 1
    local function visit(node, resource)
        if resource:sub(1, #SHORT) == SHORT then
            local first, last = doc:span(node)
            pieces[#pieces + 1] = text:sub(at, first - 1)
            pieces[#pieces + 1] = json.encode(arn .. resource:sub(#SHORT))
            at = last + 1
        end
    end
    each_resource(doc, statements, visit) -- a statement that is no list
    for _, statement in doc:items(statements) do
        each_resource(doc, statement, visit)
    end
    pieces[#pieces + 1] = text:sub(at)
    return table.concat(pieces)
end


return _M
