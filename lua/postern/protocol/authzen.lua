--- OpenID AuthZEN Authorization API 1.0: evaluation, evaluations, searches and metadata.
--
-- A deny is 200 with `false`; what cannot be read is 400, our own failure 500. In a batch the items
-- answer for themselves. Searches and their part of the metadata are there where a catalogue is
-- configured, the metadata where `url` is: it is never taken from a header.
--
-- Source: OpenID AuthZEN Authorization API 1.0; docs/server.md has the mapping to requests.
--
-- *Dependencies*: postern.answer, postern.document, postern.json, postern.protocol.catalogue,
-- postern.protocol.entities, postern.protocol.message, postern.protocol.options,
-- postern.protocol.peers, postern.protocol.search
--
-- @module postern.protocol.authzen
local answers = require("postern.answer")
local document = require("postern.document")
local json = require("postern.json")
local catalogues = require("postern.protocol.catalogue")
local entities = require("postern.protocol.entities")
local messages = require("postern.protocol.message")
local options = require("postern.protocol.options")
local peers = require("postern.protocol.peers")
local searches = require("postern.protocol.search")


local _M = {}
local AuthZen = {}
AuthZen.__index = AuthZen


local EVALUATION, EVALUATIONS = "/access/v1/evaluation", "/access/v1/evaluations"
local SEARCH = "/access/v1/search/"
local METADATA = "/.well-known/authzen-configuration"

local MOST = 1000 -- items of a batch; candidates of a search

--- The options, see `postern.protocol.options`.
_M.OPTIONS = {
    url = { type = "text" }, peers = { type = "texts" }, catalogue = { type = "table" },
    most = { type = "count" },
}
for name, rule in pairs(entities.OPTIONS) do
    _M.OPTIONS[name] = rule
end

-- Lists of headers that are constant are never changed: a host may keep the lines it makes of them.
local JSON_HEADERS = {
    constant = true, { "Content-Type", "application/json" }, { "Cache-Control", "no-store" },
}
local METADATA_HEADERS = {
    constant = true, JSON_HEADERS[1], { "Cache-Control", "max-age=3600" },
}

local TRUE, FALSE = '{"decision":true}', '{"decision":false}'

local FAILED = '"Internal Server Error"'

local MESSAGES = { [400] = "Bad Request", [500] = "Internal Server Error" }


-- ---- Writing ---------------------------------------------------------------


-- A decision that could not be made, in the place of one.
local function failed(self, status, message)
    return self.out:reset():object():key("decision"):boolean(false)
        :key("context"):object():key("error"):object()
        :key("status"):number(status):key("message"):string(message or MESSAGES[status])
        :close():close():close():text()
end


local function refuse(self, status, message, why)
    return status, JSON_HEADERS, self.out:reset():string(message):text(), why or message
end


-- The client's own id goes back as it came; without one there is the host's.
local function with_id(message, headers)
    local value, count = messages.header(message, "x-request-id")
    local id = answers.id(count == 1 and value or count == 0 and message.id or nil)
    if not id then
        return headers
    end
    local list = { { "X-Request-ID", id } }
    for i = 1, #headers do
        list[i + 1] = headers[i]
    end
    return list
end


-- ---- Evaluations -----------------------------------------------------------


-- Entities are read once: the items of a batch share those of the whole.
local function entity_of(self, batch, node, kind)
    local made = node and batch.read[node]
    if made then
        return made
    end
    local entity, err = self.entities:read(batch.doc, node, kind)
    if node and entity then
        batch.read[node] = entity
    end
    return entity, err
end


local function context_of(self, batch, node)
    local made = node and batch.read[node]
    if made then
        return made
    end
    local context, err = self.entities:read_context(batch.doc, node)
    if node and context then
        batch.read[node] = context
    end
    return context, err
end


local function member(batch, item, name)
    return item and batch.doc:get(item, name) or batch.doc:get(batch.root, name)
end


-- The request of one item, nil and what is wrong with it, or false when the answer is a plain no.
local function request_of(self, batch, item)
    local subject, action, resource, context, err
    subject, err = entity_of(self, batch, member(batch, item, "subject"), "subject")
    if not subject then
        return nil, err
    end
    action, err = entity_of(self, batch, member(batch, item, "action"), "action")
    if not action then
        return nil, err
    end
    resource, err = entity_of(self, batch, member(batch, item, "resource"), "resource")
    if not resource then
        return nil, err
    end
    context, err = context_of(self, batch, member(batch, item, "context"))
    if not context then
        return nil, err
    end
    local request, opaque = self.entities:request(subject, action, resource, context)
    return request or false, opaque
end


-- What was decided: whether it is allowed, and the status of what kept it from being decided.
local function evaluate(request, opaque, ask)
    local decision = ask(request)
    if decision.allowed == true then
        return true
    elseif decision.reason ~= "error" then
        return false
    elseif decision.status >= 500 then
        -- A value that no policy can compare is the client's.
        return false, opaque and 400 or 500, not opaque and decision.error or nil
    end
    return false, decision.status == 400 and 400 or nil
end


local function answer_one(self, batch, ask)
    local request, err = request_of(self, batch, nil)
    if request == nil then
        return refuse(self, 400, err)
    elseif not request then
        return 200, JSON_HEADERS, FALSE
    end
    local allowed, status, why = evaluate(request, err, ask)
    if status == 500 then
        return refuse(self, 500, MESSAGES[500], why)
    elseif status then
        return 200, JSON_HEADERS, failed(self, status)
    end
    return 200, JSON_HEADERS, allowed and TRUE or FALSE
end


-- The request of one item of a batch, or the text of its answer where there is nothing to ask.
local function read_item(self, batch, item)
    if batch.doc:kind(item) ~= "object" then
        return failed(self, 400, "the evaluation is no object")
    end
    local request, err = request_of(self, batch, item)
    if request == nil then
        return failed(self, 400, err)
    end
    return request or FALSE, err
end


-- The requests of a batch, or texts in their places, and of each whether it has a value that no
-- policy can compare. All are read before anybody is asked, who may wait.
local function read_items(self, batch, list)
    local doc, items, opaque, count = batch.doc, {}, {}, 0
    local at, stop = list + 1, doc:after(list)
    while at < stop do
        count = count + 1
        items[count], opaque[count] = read_item(self, batch, at)
        at = doc:after(at)
    end
    return items, opaque, count
end


-- The text of an item's decision, and whether it is allowed.
local function answer_item(self, item, opaque, ask)
    if type(item) ~= "table" then
        return item, false
    end
    local allowed, status = evaluate(item, opaque, ask)
    if status then
        return failed(self, status), false
    end
    return allowed and TRUE or FALSE, allowed
end


-- Which decision ends a batch: `deny_on_first_deny` ends with false; nil when none does.
local ENDS = { execute_all = "none", deny_on_first_deny = false, permit_on_first_permit = true }

local function semantic_of(batch)
    local doc = batch.doc
    local node = doc:get(batch.root, "options")
    if not node or doc:kind(node) == "null" then
        return ENDS.execute_all
    elseif doc:kind(node) ~= "object" then
        return nil, "`options` is no object"
    end
    node = doc:get(node, "evaluations_semantic")
    if not node or doc:kind(node) == "null" then
        return ENDS.execute_all
    end
    local ends = ENDS[doc:text(node) or ""]
    if ends == nil then
        return nil, "`options.evaluations_semantic` is none of `execute_all`, "
            .. "`deny_on_first_deny` and `permit_on_first_permit`"
    end
    return ends
end


local MEMBERS_ASKED = { "subject", "action", "resource", "context" }

-- What all items fall back to has to be an object, whether or not one of them does.
local function check_defaults(batch)
    for _, name in ipairs(MEMBERS_ASKED) do
        local node = batch.doc:get(batch.root, name)
        if node and batch.doc:kind(node) ~= "object" then
            return ("`%s` is %s: give an object"):format(name, batch.doc:describe(node))
        end
    end
end


local function answer_many(self, batch, ask)
    local doc = batch.doc
    local list = doc:get(batch.root, "evaluations")
    if not list or doc:kind(list) == "null" or doc:kind(list) == "array" and doc:length(list) == 0
    then
        return answer_one(self, batch, ask)
    elseif doc:kind(list) ~= "array" then
        return refuse(self, 400, ("`evaluations` is %s: give a list"):format(doc:describe(list)))
    elseif doc:length(list) > self.most then
        return refuse(self, 400, ("%d evaluations: at most %d are taken")
            :format(doc:length(list), self.most))
    end
    local ends, err = semantic_of(batch)
    err = err or check_defaults(batch)
    if err then
        return refuse(self, 400, err)
    end
    local items, opaque, count = read_items(self, batch, list)
    local texts = {}
    for i = 1, count do
        local allowed
        texts[i], allowed = answer_item(self, items[i], opaque[i], ask)
        if allowed == ends then
            break
        end
    end
    return 200, JSON_HEADERS, '{"evaluations":[' .. table.concat(texts, ",") .. "]}"
end


local function answer_search(self, batch, ask, kind)
    local body, err, status = self.search:answer(batch.doc, kind, ask)
    if not body then
        return refuse(self, status, status == 400 and err or MESSAGES[status], err)
    end
    return 200, JSON_HEADERS, body
end


-- ---- Messages --------------------------------------------------------------


local KINDS = { "subject", "resource", "action" }

-- `{decider, argument}` by path.
local function routes_of(self, base)
    local routes = {
        [base .. EVALUATION] = { answer_one }, [base .. EVALUATIONS] = { answer_many },
    }
    if self.catalogue then
        for _, kind in ipairs(KINDS) do
            routes[base .. SEARCH .. kind] = { answer_search, kind }
        end
    end
    return routes
end


-- The configuration document, and its path: the path of the base goes behind.
local function metadata_of(self, url, base)
    local document_of = {
        policy_decision_point = url,
        access_evaluation_endpoint = url .. EVALUATION,
        access_evaluations_endpoint = url .. EVALUATIONS,
    }
    if self.catalogue then
        for _, kind in ipairs(KINDS) do
            document_of["search_" .. kind .. "_endpoint"] = url .. SEARCH .. kind
        end
    end
    return assert(json.encode(document_of)), METADATA .. base
end


local function admit(self, message)
    if not self.peers or self.peers:admits(message) then
        return nil
    elseif not self.peers:wants_token(message) then
        return refuse(self, 403, "Forbidden", ("`%s` is none of the peers that may ask")
            :format(tostring(message.peer)))
    end
    return 401, { JSON_HEADERS[1], JSON_HEADERS[2], { "WWW-Authenticate", "Bearer" } },
        '"Unauthorized"', "no token"
end


-- The body, an object.
local function read(message)
    if not messages.is_json(message) then
        return nil, "the Content-Type is not application/json"
    elseif messages.header(message, "content-encoding") then
        return nil, "the body is encoded: send it as it is"
    end
    local doc, err = document.shared(message.body or "", "body")
    if not doc then
        return nil, tostring(err)
    elseif doc:kind(doc:root()) ~= "object" then
        return nil, ("the body is %s: give an object"):format(doc:describe(doc:root()))
    end
    return { doc = doc, root = doc:root(), read = {} }
end


local function only(method)
    return 405, { JSON_HEADERS[1], JSON_HEADERS[2], { "Allow", method } },
        ('"give a %s"'):format(method), "the method"
end


local function answer(self, message, ask)
    if self.metadata and message.path == self.metadata_path then
        if message.method ~= "GET" and message.method ~= "HEAD" then
            return only("GET")
        end
        return 200, METADATA_HEADERS, self.metadata
    end
    local route = self.routes[message.path]
    if not route then
        return refuse(self, 404, "Not Found")
    end
    local status, headers, body, why = admit(self, message)
    if status then
        return status, headers, body, why
    elseif message.method ~= "POST" then
        return only("POST")
    end
    local batch, err = read(message)
    if not batch then
        return refuse(self, 400, err)
    end
    return route[1](self, batch, ask, route[2])
end


-- ---- Public ----------------------------------------------------------------


-- The path of a base URL; nil when it is none.
local function base_of(url)
    local host, path = url:match("^https://([^/?#@%s]+)(.*)$")
    if not host or path:find("[?#%s]") or path:sub(-1) == "/" then
        return nil
    end
    return path
end


local function read_options(given)
    local self = { most = given.most or MOST }
    local err
    if given.url and not base_of(given.url) then
        return nil, "`url`: give the base as clients write it, `https://pdp.example.com`, without "
            .. "query, fragment and a slash at the end"
    end
    if given.peers then
        self.peers, err = peers.new(given.peers)
        if not self.peers then
            return nil, "`peers`: " .. err
        end
    end
    if given.catalogue then
        self.catalogue, err = catalogues.new(given.catalogue)
        if not self.catalogue then
            return nil, "`catalogue`: " .. err
        end
    end
    self.entities, err = entities.new(given, self.catalogue)
    if not self.entities then
        return nil, err
    end
    return self
end


local fault, open = options.reader("authzen", _M.OPTIONS, read_options)

--- Says what is wrong with options.
-- @tparam table|nil given
-- @treturn string|nil nil when nothing is
_M.fault = fault


--- Makes the protocol; raises when an option is wrong.
-- @tparam table given `profile` and what belongs to it, see `postern.protocol.entities`; `url`, the
-- base URL that clients use, for the metadata; its path stands before all others; `peers`, who may
-- ask (whoever reaches the server when absent), see `postern.protocol.peers`; `catalogue`, for
-- searches, see `postern.protocol.catalogue`; `most`, the most items of a batch, and candidates of
-- a search that are decided for one answer (1000)
-- @treturn AuthZen
function _M.new(given)
    local self = open(given)
    local base = given.url and base_of(given.url) or ""
    self.out, self.routes = json.writer(), routes_of(self, base)
    if given.url then
        self.metadata, self.metadata_path = metadata_of(self, given.url, base)
    end
    if self.catalogue then
        self.search = searches.new({
            entities = self.entities, catalogue = self.catalogue, most = self.most,
        })
    end
    return setmetatable(self, AuthZen)
end


--- The paths it answers, for whoever leads messages to it.
-- @treturn {string,...}
function AuthZen:paths()
    local list = { self.metadata_path }
    for path in pairs(self.routes) do
        list[#list + 1] = path
    end
    table.sort(list)
    return list
end


--- The answer for when a host has failed, or took too long. It allows nothing.
-- @tparam table message
-- @treturn number status 500
-- @treturn {table,...} headers
-- @treturn string body
function AuthZen.failed(_, message)
    return 500, with_id(message, JSON_HEADERS), FAILED
end


--- Answers a message.
-- @tparam table message see `postern.protocol.message`
-- @tparam function ask decides a request
-- @treturn number status
-- @treturn {table,...} headers, shared: not to be changed
-- @treturn string body
-- @treturn string|nil why it is refused, for the operator, where no decision says so
function AuthZen:handle(message, ask)
    local ok, status, headers, body, why = pcall(answer, self, message, ask)
    if not ok then
        status, headers, body, why = 500, JSON_HEADERS, FAILED, tostring(status)
    end
    return status, with_id(message, headers), body, why
end


return _M
