--- Searches of AuthZEN: which subjects, resources or actions of the catalogue would be allowed.
--
-- Each candidate is decided like a request of its own, so a result is what an evaluation of it
-- would allow. Results come in pages where the client asks for them, or where there are more
-- candidates than are looked at in one answer. A token names the place to go on from and the search
-- it belongs to; with another search it is refused.
--
-- Source: OpenID AuthZEN Authorization API 1.0, "Search APIs".
--
-- *Dependencies*: postern.crypto, postern.json
--
-- @module postern.protocol.search
local crypto = require("postern.crypto")
local json = require("postern.json")


local _M = {}
local Search = {}
Search.__index = Search


-- What each search is told; the kind that is looked for gives its type only.
local GIVEN = {
    subject = { "subject", "action", "resource" },
    resource = { "subject", "action", "resource" },
    action = { "subject", "resource" },
}

local DIGITS = 32 -- of a digest in a token: 128 bits, more than nobody meets twice


--- Makes the searches of a protocol.
-- @tparam table options `entities` (see `postern.protocol.entities`), `catalogue`, and `most`, the
-- most candidates that are decided for one answer
-- @treturn Search
function _M.new(options)
    return setmetatable({
        entities = options.entities, catalogue = options.catalogue, most = options.most,
        out = json.writer(),
    }, Search)
end


-- ---- Pages -----------------------------------------------------------------


local function problem(doc, node, message)
    local line, column = doc:place(node)
    return nil, ("%d:%d: %s"):format(line, column, message)
end


local MEMBERS = { "subject", "action", "resource", "context" }

-- What a search is, but for its page: equal searches have equal digests, however they are written.
local function digest_of(doc, kind)
    local parts = { kind = kind }
    for _, name in ipairs(MEMBERS) do
        local node = doc:get(doc:root(), name)
        parts[name] = node and doc:value(node)
    end
    -- A number too large to be written again: then the text counts as it is.
    return crypto.hex(crypto.sha256(json.encode(parts) or doc.source)):sub(1, DIGITS)
end


local function limit_of(doc, page)
    local node = doc:get(page, "limit")
    if not node or doc:kind(node) == "null" then
        return nil
    end
    local limit = doc:kind(node) == "number" and tonumber(doc:raw(node))
    if not limit or limit < 0 or limit % 1 ~= 0 or limit > 2 ^ 53 then
        return problem(doc, node, "`page.limit` is no whole number from 0")
    end
    return limit
end


local function start_of(doc, page, kind)
    local node = doc:get(page, "token")
    if not node or doc:kind(node) == "null" or doc:text(node) == "" then
        return 1
    end
    local start, digest = (doc:text(node) or ""):match("^(%d+)%.(%x+)$")
    start = tonumber(start)
    if not start or start > 2 ^ 31 or digest ~= digest_of(doc, kind) then
        return problem(doc, node, "`page.token` is none of this search")
    end
    return start
end


-- Where to begin and how many to find: `{start, limit, asked}`.
local function page_of(doc, kind)
    local node = doc:get(doc:root(), "page")
    if not node or doc:kind(node) == "null" then
        return { start = 1, limit = math.huge, asked = false }
    elseif doc:kind(node) ~= "object" then
        return problem(doc, node, "`page` is no object")
    end
    local limit, err = limit_of(doc, node)
    if err then
        return nil, err
    end
    local start
    start, err = start_of(doc, node, kind)
    if not start then
        return nil, err
    end
    return { start = start, limit = limit or math.huge, asked = true }
end


-- ---- Searching -------------------------------------------------------------


local function read(self, doc, kind)
    local found, root = {}, doc:root()
    local err
    for _, name in ipairs(GIVEN[kind]) do
        found[name], err = self.entities:read(doc, doc:get(root, name), name, name == kind)
        if not found[name] then
            return nil, err
        end
    end
    found.context, err = self.entities:read_context(doc, doc:get(root, "context"))
    return found.context and found, err
end


local function is_allowed(self, given, kind, candidate, ask)
    local of = { subject = given.subject, action = given.action, resource = given.resource }
    of[kind] = candidate
    local request, opaque = self.entities:request(of.subject, of.action, of.resource,
                                                  given.context)
    if not request then
        return false
    end
    local decision = ask(request)
    if decision.reason == "error" and decision.status >= 500 and opaque ~= true then
        return nil, decision.error or "the decision failed"
    end
    return decision.allowed == true
end


-- The allowed ones of a page, and the place after it: nil at the end.
local function find(self, given, kind, page, ask)
    local candidates = self.catalogue:all(kind, kind ~= "action" and given[kind].type or nil)
    local results, at = {}, page.start
    local stop = math.min(#candidates, page.start + self.most - 1)
    while at <= stop and #results < page.limit do
        local allowed, err = is_allowed(self, given, kind, candidates[at], ask)
        if allowed == nil then
            return nil, err
        end
        results[#results + 1] = allowed and candidates[at] or nil
        at = at + 1
    end
    return results, at <= #candidates and at or nil
end


local function write(out, results, page, token)
    out:reset():object()
    if page.asked or token ~= "" then
        out:key("page"):object():key("next_token"):string(token)
            :key("count"):number(#results):close()
    end
    out:key("results"):array()
    for _, entity in ipairs(results) do
        out:object()
        if entity.name then
            out:key("name"):string(entity.name)
        else
            out:key("type"):string(entity.type):key("id"):string(entity.id)
        end
        out:close()
    end
    return out:close():close():text()
end


--- Answers a search. The document is read before anybody is asked.
-- @tparam Document doc its root is an object
-- @tparam string kind what is looked for: `subject`, `resource` or `action`
-- @tparam function ask decides a request
-- @treturn string|nil the body of the answer
-- @treturn string what is wrong with the message, or what failed
-- @treturn number the status that goes with it, 400 or 500
function Search:answer(doc, kind, ask)
    local given, err = read(self, doc, kind)
    if not given then
        return nil, err, 400
    end
    local page
    page, err = page_of(doc, kind)
    if not page then
        return nil, err, 400
    end
    local digest = digest_of(doc, kind)
    local results, following = find(self, given, kind, page, ask)
    if not results then
        return nil, following, 500
    end
    local token = following and ("%d.%s"):format(following, digest) or ""
    return write(self.out, results, page, token)
end


return _M
