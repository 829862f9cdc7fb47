--- The native protocol: requests to an estate as JSON, one or a list of them.
--
--     POST PREFIX          a request; docs/estate.md, "Requests", has its members
--     POST PREFIX/batch    a list of them; the answer is a list in the same order
--
-- An answer is `{"decision", "allowed", "reason", "status", "revision"}` and, where there are any,
-- `code`, `cache_invalidation`, `reachability`, `hook`, `headers` and `obligations`. It is always
-- answered with 200: what was decided stands in it. With `?explain=true`, which only listed peers
-- may ask for, there are also `error`, `because`, `deciding` and `explanation`.
--
-- In a batch what cannot be read is a deny of its own, with `error`. What keeps the whole from
-- being read is 400 with `message`, `line` and `column`.
--
-- Plain calls are decided at once where the host can do that: no document, hardly a table, and an
-- answer that was written before.
--
-- *Dependencies*: postern.decision, postern.document, postern.json, postern.protocol.call,
-- postern.protocol.message, postern.protocol.options, postern.protocol.peers,
-- postern.protocol.plain
--
-- @module postern.protocol.native
local new_table = require("table.new")
local decisions = require("postern.decision")
local document = require("postern.document")
local json = require("postern.json")
local calls = require("postern.protocol.call")
local messages = require("postern.protocol.message")
local options = require("postern.protocol.options")
local peers = require("postern.protocol.peers")
local plain = require("postern.protocol.plain")


local _M = {}
local Native = {}
Native.__index = Native


local PREFIX, BATCH = "/v1/decide", "/batch"
local MOST = 1000 -- requests of a batch

-- Whose certificate identities see: the one a request tells of, or that of who asks.
local CERTIFICATES = { request = true, peer = true }

--- The options, see `postern.protocol.options`.
_M.OPTIONS = {
    prefix = { type = "text" }, peers = { type = "texts" }, explain = { type = "texts" },
    most = { type = "count" }, client_certificate = { type = "text", one_of = CERTIFICATES },
}

-- Lists of headers that are constant are never changed: a host may keep the lines it makes of them.
local JSON_HEADERS = {
    constant = true, { "Content-Type", "application/json" }, { "Cache-Control", "no-store" },
}
local ONLY_POST = { constant = true, JSON_HEADERS[1], JSON_HEADERS[2], { "Allow", "POST" } }
local CHALLENGE = {
    constant = true, JSON_HEADERS[1], JSON_HEADERS[2], { "WWW-Authenticate", "Bearer" },
}

local FAILED = '{"message":"Internal Server Error"}'

-- Answers that are kept as text. Reasons and statuses are few, but packs may bring their own.
local MOST_KEPT = 256


-- ---- Making ----------------------------------------------------------------


local LISTS_OF_PEERS = { "peers", "explain" }

local function read_options(given)
    local self = {
        prefix = given.prefix, most = given.most or MOST, kept = {}, count = 0,
        by_peer = given.client_certificate == "peer",
        -- Texts of decisions by their seal, as long as that is in use.
        sealed = setmetatable({}, { __mode = "k" }),
    }
    for _, name in ipairs(LISTS_OF_PEERS) do
        if given[name] then
            local list, err = peers.new(given[name])
            if not list then
                return nil, ("`%s`: %s"):format(name, err)
            end
            self[name] = list
        end
    end
    if self.prefix and (self.prefix:sub(1, 1) ~= "/" or self.prefix:sub(-1) == "/") then
        return nil, "`prefix`: give a path that begins with `/` and does not end in one"
    end
    return self
end


local fault, open = options.reader("native", _M.OPTIONS, read_options)

--- Says what is wrong with options.
-- @tparam table|nil given
-- @treturn string|nil nil when nothing is
_M.fault = fault


--- Makes the protocol; raises when an option is wrong.
-- @tparam[opt] table given `prefix` (the endpoint of a message, else `/v1/decide`), `peers`, who
-- may ask (whoever reaches the server when absent), `explain`, who may ask for explanations (nobody
-- when absent), both as for `postern.protocol.peers`, and `most`, the most requests of a batch
-- (1000); and `client_certificate`: `peer` where clients ask for themselves, so that a request's
-- certificate is that of the TLS connection it came by (`request`: the one it tells of)
-- @treturn Native
function _M.new(given)
    local self = open(given)
    self.out = json.writer()
    return setmetatable(self, Native)
end


-- ---- Writing ---------------------------------------------------------------


-- Whether a decision has nothing but what the text of another like it has.
local function is_plain(decision)
    return decision.code == nil and decision.headers == nil and decision.obligations == nil
        and decision.hook == nil and decision.cache_invalidation == nil
        and decision.reachability == nil
end


local function write_texts(out, name, texts)
    if not texts then
        return
    end
    local names = {}
    for one in pairs(texts) do
        names[#names + 1] = one
    end
    table.sort(names)
    out:key(name):object()
    for _, one in ipairs(names) do
        out:key(one):string(tostring(texts[one]))
    end
    out:close()
end


local TEXTS = { "code", "cache_invalidation", "reachability", "hook" }
local EXPLAINED = { "error", "because" }
local DECIDING = { "policy_type", "policy_index", "statement_index", "sid", "effect", "file",
                   "line", "column" }

local function write_deciding(out, deciding)
    out:key("deciding"):object()
    for _, name in ipairs(DECIDING) do
        local value = deciding[name]
        if type(value) == "number" then
            out:key(name):number(value)
        elseif value ~= nil then
            out:key(name):string(tostring(value))
        end
    end
    out:close()
end


local function write_some(out, decision, names)
    for _, name in ipairs(names) do
        if decision[name] ~= nil then
            out:key(name):string(tostring(decision[name]))
        end
    end
end


local function write(out, decision, explained)
    out:reset():object()
    out:key("decision"):string(decision.decision)
    out:key("allowed"):boolean(decision.allowed)
    out:key("reason"):string(decision.reason)
    out:key("status"):number(decision.status)
    if decision.revision then
        out:key("revision"):string(decision.revision)
    end
    write_some(out, decision, TEXTS)
    write_texts(out, "headers", decision.headers)
    write_texts(out, "obligations", decision.obligations)
    if explained then
        write_some(out, decision, EXPLAINED)
        if decision.deciding then
            write_deciding(out, decision.deciding)
        end
        out:key("explanation"):string(tostring(decision:explain()))
    end
    return assert(out:close():text())
end


-- The text of a plain decision, which differ in very little.
local function kept_text(self, decision)
    if self.revision ~= decision.revision or self.count >= MOST_KEPT then
        self.revision, self.kept, self.count = decision.revision, {}, 0
    end
    local by_reason = self.kept[decision.decision]
    if not by_reason then
        by_reason = {}
        self.kept[decision.decision] = by_reason
    end
    local by_status = by_reason[decision.reason]
    if not by_status then
        by_status = {}
        by_reason[decision.reason] = by_status
    end
    local text = by_status[decision.status]
    if not text then
        text = write(self.out, decision, false)
        by_status[decision.status], self.count = text, self.count + 1
    end
    return text
end


local function text_of(self, decision, explained)
    if not explained and is_plain(decision) then
        return kept_text(self, decision)
    end
    return write(self.out, decision, explained)
end


-- The text of a decision that was made at once. They share it with all others of their seal.
local function sealed_text(self, decision)
    local seal = decisions.seal_of(decision)
    local text = self.sealed[seal]
    if not text then
        text = write(self.out, decision, false)
        self.sealed[seal] = text
    end
    return text
end


-- A request of a batch that cannot be read.
local function unread_text(self, err)
    return self.out:reset():object()
        :key("decision"):string("ImplicitlyDenied")
        :key("allowed"):boolean(false)
        :key("reason"):string("error")
        :key("status"):number(400)
        :key("error"):object()
        :key("message"):string(err.message)
        :key("line"):number(err.line)
        :key("column"):number(err.column)
        :close():close():text()
end


local function refuse(self, status, message, err, headers)
    local out = self.out:reset():object():key("message"):string(message)
    if err and err.line and err.line > 0 then
        out:key("line"):number(err.line):key("column"):number(err.column)
    end
    return status, headers or JSON_HEADERS, out:close():text(), message
end


-- ---- Answering -------------------------------------------------------------


local function read_document(self, body)
    local doc, err = document.shared(body, "body")
    if not doc then
        return nil, refuse(self, 400, err.message, err)
    end
    return doc
end


-- The certificate that the peer has shown, as a request has it; nil when it has shown none.
local function certificate_of(message)
    local known = message.tls
    return known and known.fingerprint and known or nil
end


-- A client that asks for itself has the certificate it has shown, and no other.
local function read_call(self, doc, node, message)
    local request, err = calls.read(doc, node)
    if request and self.by_peer then
        if request.client_certificate then
            local line, column = doc:place(node)
            return nil, { line = line, column = column, message = "`client_certificate` is that "
                .. "of the connection here, and none of the request" }
        end
        request.client_certificate = certificate_of(message)
    end
    return request, err
end


-- The headers of a plain call are read when somebody wants to know; where it is known that a
-- decision goes the long way, a document is the shorter one. A certificate is nothing plain.
local function decide(self, message, ask, explained)
    local body, request, err = message.body or "", nil, nil
    if not message.never_at_once and not self.by_peer then
        request = plain.read(body)
    end
    if not request then
        local doc, status, headers, text, why = read_document(self, body)
        if not doc then
            return status, headers, text, why
        end
        request, err = read_call(self, doc, doc:root(), message)
    end
    if not request then
        return refuse(self, 400, err.message, err)
    end
    return 200, JSON_HEADERS, text_of(self, ask(request), explained)
end


-- The requests of a batch, and in the place of one that cannot be read the text of its answer.
local function read_all(self, doc, node, message)
    local list, count = {}, 0
    local at, stop = node + 1, doc:after(node)
    while at < stop do
        local request, err = read_call(self, doc, at, message)
        count = count + 1
        list[count] = request or unread_text(self, err)
        at = doc:after(at)
    end
    return list, count
end


-- Waiting for one of them, others may be answered: all are read before, and nothing is left in the
-- writer meanwhile.
local function decide_any(self, message, ask, explained)
    local doc, status, headers, text, why = read_document(self, message.body or "")
    if not doc then
        return status, headers, text, why
    end
    local node = doc:root()
    if doc:kind(node) ~= "array" then
        return refuse(self, 400, ("the batch is %s: give a list of requests")
            :format(doc:describe(node)), { line = 1, column = 1 })
    elseif doc:length(node) > self.most then
        return refuse(self, 413, ("the batch has %d requests: at most %d are taken")
            :format(doc:length(node), self.most))
    end
    local list, count = read_all(self, doc, node, message)
    for i = 1, count do
        local request = list[i]
        if type(request) == "table" then
            list[i] = text_of(self, ask(request), explained)
        end
    end
    return 200, JSON_HEADERS, "[" .. table.concat(list, ",") .. "]"
end


-- A batch of plain calls, each at once where that can be done; nil where it is known that it
-- cannot. Whoever decides at once may raise: then all are asked the other way.
local function decide_plain(self, list, ask, at_once)
    local texts = new_table(list.count, 0)
    for i = 1, list.count do
        local decision, never = at_once(plain.passing_item(list, i))
        if decision then
            texts[i] = sealed_text(self, decision)
        elseif i == 1 and never then
            return nil
        else
            texts[i] = text_of(self, ask(plain.item(list, i)), false)
        end
    end
    plain.done(list)
    return "[" .. table.concat(texts, ",") .. "]"
end


local function decide_all(self, message, ask, explained, at_once)
    local list = at_once and not explained and not self.by_peer
        and plain.list(message.body or "", self.most)
    if not list then
        return decide_any(self, message, ask, explained)
    end
    local ok, text = pcall(decide_plain, self, list, ask, at_once)
    if ok and text then
        return 200, JSON_HEADERS, text
    end
    return decide_any(self, message, ask, explained)
end


-- Why a message is not read at all.
local function refusal(self, message)
    if self.peers and not self.peers:admits(message) then
        if self.peers:wants_token(message) then
            return refuse(self, 401, "Unauthorized", nil, CHALLENGE)
        end
        return refuse(self, 403, "Forbidden")
    elseif message.method ~= "POST" then
        return refuse(self, 405, "give a POST", nil, ONLY_POST)
    elseif not messages.is_json(message) then
        return refuse(self, 415, "the Content-Type is not application/json")
    elseif messages.header(message, "content-encoding") then
        return refuse(self, 415, "the body is encoded: send it as it is")
    end
end


local function wants_explanation(message)
    local value, err = messages.parameter(message.query, "explain")
    if err then
        return nil, err
    elseif value ~= nil and value ~= "true" and value ~= "false" then
        return nil, "`explain`: give `true` or `false`"
    end
    return value == "true"
end


-- What a path asks for: one decision, many, or nothing that there is.
local function decider_of(self, message)
    local prefix, path = self.prefix or message.endpoint or PREFIX, message.path
    if path == prefix then
        return decide
    elseif #path == #prefix + #BATCH and path:sub(1, #prefix) == prefix
        and path:sub(-#BATCH) == BATCH then
        return decide_all
    end
    return nil
end


local function answer(self, message, ask, at_once)
    local decider = decider_of(self, message)
    if not decider then
        return refuse(self, 404, "Not Found")
    end
    local status, headers, body, why = refusal(self, message)
    if status then
        return status, headers, body, why
    end
    local explained = false
    if message.query then
        explained, why = wants_explanation(message)
        if explained == nil then
            return refuse(self, 400, why)
        elseif explained and not (self.explain and self.explain:admits(message)) then
            return refuse(self, 403, "explanations are for listed peers")
        end
    end
    return decider(self, message, ask, explained, at_once)
end


--- The answer for when a host has failed, or took too long. It has no decision.
-- @treturn number status 500
-- @treturn {table,...} headers
-- @treturn string body
function Native.failed()
    return 500, JSON_HEADERS, FAILED
end


--- Answers a message.
-- @tparam table message see `postern.protocol.message`
-- @tparam function ask decides a request
-- @tparam[opt] function at_once decides a plain one without waiting, or answers nil; see
-- `decide_plain` of `postern.estate`
-- @treturn number status
-- @treturn {table,...} headers, shared: not to be changed
-- @treturn string body
-- @treturn string|nil why it is refused, for the operator
function Native:handle(message, ask, at_once)
    local ok, status, headers, body, why = pcall(answer, self, message, ask, at_once)
    if not ok then
        return 500, JSON_HEADERS, FAILED, tostring(status)
    end
    return status, headers, body, why
end


--- Answers a message at once, without waiting, where that can be done.
-- @tparam table message also with `span`, a method that answers where the body stands and how long
-- it is
-- @tparam function at_once as for `handle`
-- @treturn number|nil status; nil: ask `handle`, nothing was done
-- @treturn {table,...} headers, shared: not to be changed
-- @treturn string body
function Native:handle_at_once(message, at_once)
    if self.by_peer or message.path ~= (self.prefix or message.endpoint or PREFIX)
        or message:has_query() or refusal(self, message) then
        return nil
    end
    local request = plain.passing(message:span())
    if not request then
        return nil
    end
    local decision, never = at_once(request)
    if not decision then
        message.never_at_once = never
        return nil
    end
    return 200, JSON_HEADERS, sealed_text(self, decision)
end


return _M
