--- OPA's Data API, for what asks OPA whether a call may pass: the APISIX plugin `opa` and those
-- that send the same input.
--
--     POST /v1/data/PATH   {"input": INPUT}, answered {"result": RESULT}
--     GET  /v1/data/PATH?input=INPUT
--     POST /v0/data/PATH   INPUT, answered RESULT
--
-- PATH is one of those configured, each with the API it leads to; any other is undefined, which is
-- `{}`, and 404 in v0. Query flags such as `pretty` are passed over.
--
-- INPUT is `{"type": "http", "request": {"scheme", "method", "host", "port", "path", "headers",
-- "query"}, "var": {"remote_addr", ...}}`. `path` is the path as the gateway routed it, so the
-- policies decide on that. RESULT is `{"allow", "reason", "headers", "status_code"}`: `reason` and
-- `status_code` of a deny, for the client, which learns no more from the one than from the other.
--
-- *Dependencies*: postern.answer, postern.document, postern.json, postern.path,
-- postern.protocol.mapping, postern.protocol.message, postern.protocol.options,
-- postern.protocol.peers
--
-- @module postern.protocol.opa
local answers = require("postern.answer")
local document = require("postern.document")
local json = require("postern.json")
local paths = require("postern.path")
local mappings = require("postern.protocol.mapping")
local messages = require("postern.protocol.message")
local options = require("postern.protocol.options")
local peers = require("postern.protocol.peers")


local _M = {}
local Opa = {}
Opa.__index = Opa


--- The options, see `postern.protocol.options`.
_M.OPTIONS = {
    peers = { type = "texts", required = true }, data = { type = "table", required = true },
}

-- Lists of headers that are constant are never changed: a host may keep the lines it makes of them.
local JSON_HEADERS = {
    constant = true, { "Content-Type", "application/json" }, { "Cache-Control", "no-store" },
}
local CHALLENGE = {
    constant = true, JSON_HEADERS[1], JSON_HEADERS[2], { "WWW-Authenticate", "Bearer" },
}

local UNDEFINED = "{}"
local ALLOW = '{"allow":true}'
local FAILED = '{"code":"internal_error","message":"Internal Server Error"}'

-- The codes of OPA's errors, by status.
local CODES = {
    [400] = "invalid_parameter", [401] = "unauthorized", [403] = "unauthorized",
    [404] = "undefined_document", [405] = "invalid_operation", [500] = "internal_error",
}

-- A call that is for none of the APIs.
local UNMAPPED = { allowed = false, decision = "ImplicitlyDenied", reason = "error", status = 403 }

-- A gateway's client is told these as they are, and 403 for everything else.
local TOLD = { 400, 401, 404, 405, 409, 410, 413, 414, 429, 431, 451 }


-- ---- The input -------------------------------------------------------------


local function problem(doc, node, what, wanted)
    local line, column = doc:place(node)
    return nil, ("%d:%d: %s is %s: give %s"):format(line, column, what, doc:describe(node), wanted)
end


local function member_text(doc, object, what, name)
    local node = doc:get(object, name)
    if not node then
        local line, column = doc:place(object)
        return nil, ("%d:%d: `%s.%s` is missing"):format(line, column, what, name)
    end
    local text = doc:text(node)
    if not text then
        return problem(doc, node, ("`%s.%s`"):format(what, name), "a string")
    end
    return text
end


-- A list of the texts of a node that is one text or a list of them.
local function texts_of(doc, node, what)
    local text = doc:text(node)
    if text then
        return { text }
    elseif doc:kind(node) ~= "array" then
        return problem(doc, node, what, "a string or a list of strings")
    end
    local list = {}
    for i, item in doc:items(node) do
        list[i] = doc:text(item)
        if not list[i] then
            return problem(doc, item, what, "a string")
        end
    end
    return list
end


local function headers_of(doc, request)
    local node = doc:get(request, "headers")
    if not node then
        return nil
    elseif doc:kind(node) ~= "object" then
        return problem(doc, node, "`request.headers`", "an object")
    end
    local headers = {}
    for name, value in doc:members(node) do
        local err
        headers[name], err = texts_of(doc, value, ("the header `%s`"):format(name))
        if err then
            return nil, err
        end
    end
    return headers
end


-- Names to a text, true (a name without `=`) or a list of these.
local function query_of(doc, request)
    local node = doc:get(request, "query")
    if not node or doc:kind(node) == "array" and doc:length(node) == 0 then
        return nil -- a Lua table without members is written either way
    elseif doc:kind(node) ~= "object" then
        return problem(doc, node, "`request.query`", "an object")
    end
    local query = {}
    for name, value in doc:members(node) do
        if doc:kind(value) == "boolean" then
            query[#query + 1] = { name, "" }
        else
            local texts, err = texts_of(doc, value, ("the parameter `%s`"):format(name))
            if not texts then
                return nil, err
            end
            for _, text in ipairs(texts) do
                query[#query + 1] = { name, text }
            end
        end
    end
    return query
end


local function object_of(doc, input, name)
    local node = doc:get(input, name)
    if not node then
        return nil, ("`%s` is missing in the input"):format(name)
    elseif doc:kind(node) ~= "object" then
        return problem(doc, node, ("`%s`"):format(name), "an object")
    end
    return node
end


local NEEDED = { "scheme", "method", "host", "path" }

local function read_call(doc, call, var)
    local request = {}
    local err
    for _, name in ipairs(NEEDED) do
        request[name], err = member_text(doc, call, "request", name)
        if err then
            return nil, err
        end
    end
    request.peer, err = member_text(doc, var, "var", "remote_addr")
    if err then
        return nil, err
    end
    request.headers, err = headers_of(doc, call)
    if err then
        return nil, err
    end
    request.query, err = query_of(doc, call)
    if err then
        return nil, err
    end
    return request
end


-- The input as a request that names no API yet.
local function read_input(doc, input)
    if doc:kind(input) ~= "object" then
        return problem(doc, input, "the input", "an object")
    elseif doc:get(input, "type") and doc:text(doc:get(input, "type")) ~= "http" then
        return nil, "the input's `type` is not `http`"
    end
    local call, err = object_of(doc, input, "request")
    if not call then
        return nil, err
    end
    local var
    var, err = object_of(doc, input, "var")
    if not var then
        return nil, err
    end
    local request
    request, err = read_call(doc, call, var)
    if not request then
        return nil, err
    end
    request.host, err = paths.host(request.host)
    return request.host and request or nil, err
end


-- ---- The result ------------------------------------------------------------


local function write_headers(out, headers)
    local names = {}
    for _, header in ipairs(headers) do
        names[#names + 1] = header[1]
    end
    if #names == 0 then
        return
    end
    out:key("headers"):object()
    for _, header in ipairs(headers) do
        out:key(header[1]):string(header[2])
    end
    out:close()
end


-- The result of a decision; nil and why when it is our own fault.
local function result_of(self, decision)
    local status, headers, body, wrong = self.answer:of(decision)
    if status == 200 and #headers == 0 then
        return ALLOW
    elseif status == 503 then
        return nil, wrong or type(decision) == "table" and decision.error or "there is no decision"
    end
    local out = self.out:reset():object():key("allow"):boolean(status == 200)
    if status ~= 200 then
        out:key("reason"):string((body:gsub("\n$", ""))):key("status_code"):number(status)
    end
    write_headers(out, headers)
    return out:close():text()
end


-- ---- Answering -------------------------------------------------------------


local function refuse(self, status, message, headers)
    local out = self.out:reset():object()
    out:key("code"):string(CODES[status]):key("message"):string(message)
    return status, headers or JSON_HEADERS, out:close():text(), message
end


local function admit(self, message)
    if self.peers:admits(message) then
        return nil
    elseif self.peers:wants_token(message) then
        return refuse(self, 401, "Unauthorized", CHALLENGE)
    end
    return refuse(self, 403, "Forbidden")
end


-- The text of the document that holds the input; nil and why not.
local function body_of(message, version)
    if version == "v1" and message.method == "GET" then
        local text, err = messages.parameter(message.query, "input")
        return text or not err and "" or nil, err
    elseif messages.header(message, "content-encoding") then
        return nil, "the body is encoded: send it as it is"
    end
    return message.body or ""
end


-- The node of the input; nil when there is none, which is no error.
local function input_of(doc, message, version)
    local root = doc:root()
    if version == "v0" or message.method == "GET" then
        return root
    elseif doc:kind(root) ~= "object" then
        return problem(doc, root, "the body", "an object with `input`")
    end
    return doc:get(root, "input")
end


local function undefined(self, version)
    if version == "v0" then
        return refuse(self, 404, "the document is undefined")
    end
    return 200, JSON_HEADERS, UNDEFINED
end


local function wrapped(self, message, version, result)
    if version == "v0" then
        return result
    end
    local out, id = self.out:reset():object(), answers.id(message.id)
    if id then
        out:key("decision_id"):string(id)
    end
    return out:key("result"):raw(result):close():text()
end


-- The request that a message holds; nil without an error when there is no input.
local function read(message, version)
    local text, err = body_of(message, version)
    if not text then
        return nil, err
    elseif text == "" then
        return nil
    end
    local doc, failure = document.shared(text, "input")
    if not doc then
        return nil, tostring(failure)
    end
    local node
    node, err = input_of(doc, message, version)
    if not node then
        return nil, err
    end
    return read_input(doc, node)
end


local function decide(self, message, ask, version, mapping)
    local request, err = read(message, version)
    if err then
        return refuse(self, 400, err)
    elseif not request then
        return undefined(self, version)
    end
    local decision = UNMAPPED
    local ok
    ok, err = mapping:apply(request)
    if ok then
        decision = ask(request)
    end
    local result, why = result_of(self, decision)
    if not result then
        local status, headers, body = refuse(self, 500, "Internal Server Error")
        return status, headers, body, why
    end
    return 200, JSON_HEADERS, wrapped(self, message, version, result), err
end


local function answer(self, message, ask)
    local status, headers, body, why = admit(self, message)
    if status then
        return status, headers, body, why
    end
    local version, name = message.path:match("^/(v[01])/data/(.+)$")
    if not version then
        return refuse(self, 404, "there is `/v1/data/` and `/v0/data/`")
    elseif message.method ~= "POST" and not (version == "v1" and message.method == "GET") then
        return refuse(self, 405, "give a POST")
    end
    local mapping = self.data[name]
    if not mapping then
        return undefined(self, version)
    end
    return decide(self, message, ask, version, mapping)
end


-- ---- Public ----------------------------------------------------------------


local function read_data(data)
    local made = {}
    for name, given in pairs(data) do
        local fault = type(name) ~= "string" and "give names such as `httpapi/pets`"
            or options.fault(given, mappings.OPTIONS)
        local err
        if not fault then
            made[name], err = mappings.new(given)
        end
        if fault or err then
            return nil, ("`data`: `%s`: %s"):format(tostring(name), fault or err)
        end
    end
    if not next(made) then
        return nil, "`data` is empty: name at least one path"
    end
    return made
end


local function read_options(given)
    local self = {}
    local err
    self.peers, err = peers.new(given.peers)
    if not self.peers then
        return nil, "`peers`: " .. err
    end
    self.data, err = read_data(given.data)
    if not self.data then
        return nil, err
    end
    return self
end


local fault, open = options.reader("opa", _M.OPTIONS, read_options)

--- Says what is wrong with options.
-- @tparam table|nil given
-- @treturn string|nil nil when nothing is
_M.fault = fault


--- Makes the protocol; raises when an option is wrong.
-- @tparam table given `peers`, who may ask, see `postern.protocol.peers`; `data`, a table from path
-- (`httpapi/pets`) to where it leads: `api` and `stage`, `apis`, or `domains`, see
-- `postern.protocol.mapping`
-- @treturn Opa
function _M.new(given)
    local self = open(given)
    self.answer = answers.new({ fault = 503, format = "text", told = TOLD })
    self.out = json.writer()
    return setmetatable(self, Opa)
end


--- The answer for when a host has failed, or took too long. It has no result, which allows nothing.
-- @treturn number status 500
-- @treturn {table,...} headers
-- @treturn string body
function Opa.failed()
    return 500, JSON_HEADERS, FAILED
end


--- Answers a message.
-- @tparam table message see `postern.protocol.message`
-- @tparam function ask decides a request
-- @treturn number status: 200 with whatever was decided, 500 when nobody can say
-- @treturn {table,...} headers, shared: not to be changed
-- @treturn string body
-- @treturn string|nil why it is refused, for the operator, where no decision says so
function Opa:handle(message, ask)
    local ok, status, headers, body, why = pcall(answer, self, message, ask)
    if not ok then
        return 500, JSON_HEADERS, FAILED, tostring(status)
    end
    return status, headers, body, why
end


return _M
