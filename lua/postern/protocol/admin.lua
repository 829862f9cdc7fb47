--- Administration over HTTP: the policies of APIs and endpoints, put while the estate is in use.
--
--     GET     /admin/v1/apis                  all of them, with what is active and staged
--     GET     /admin/v1/apis/ID               one
--     GET     /admin/v1/apis/ID/policy        its policy; ?staged, ?revision=5, ?submitted
--     PUT     /admin/v1/apis/ID/policy        the body is the policy; staged until it is deployed
--     DELETE  /admin/v1/apis/ID/policy        no policy, likewise
--     POST    /admin/v1/apis/ID/deploy
--     POST    /admin/v1/apis/ID/rollback      ?revision=5
--     GET     /admin/v1/apis/ID/history
--
-- and the same for `endpoints`, whose policies act at once. The revision is the ETag; to change
-- what the store holds takes `If-Match`. A change is answered when it is on the disk and in use
-- here.
--
-- The path is compared as text: ids that a store takes need no escapes.
--
-- *Dependencies*: postern.json, postern.protocol.operators
--
-- @module postern.protocol.admin
local json = require("postern.json")
local operators = require("postern.protocol.operators")


local _M = {}
local Admin = {}
Admin.__index = Admin


local OPTIONS = { store = true, host = true, operators = true, prefix = true }

local KINDS = { apis = "api", endpoints = "endpoint" }

local PREFIX = "/admin/v1"

-- Seconds after which somebody who found the store busy may try again.
local RETRY_AFTER = "1"

--- The status of each code; every `InvalidPolicyDocument.` is 400.
_M.STATUS = {
    NotFound = 404, NoSuchApi = 404, NoSuchEndpoint = 404, NoSuchRevision = 404, NoPolicy = 404,
    MethodNotAllowed = 405, Unauthorized = 401, InvalidId = 400, InvalidParameter = 400,
    PreconditionFailed = 412, PreconditionRequired = 428,
    NothingStaged = 409, NeverActive = 409, PrivateApiWithoutPolicy = 409, EstateNotValid = 409,
    StoreBusy = 503, NotInUse = 503, NoStore = 503, StoreDamaged = 500, StorageFailed = 500,
}


-- ---- Answers ---------------------------------------------------------------


local function headers_of(revision, more)
    local headers = {
        { "Content-Type", "application/json" }, { "Cache-Control", "no-store" },
        { "X-Content-Type-Options", "nosniff" },
    }
    if revision then
        headers[#headers + 1] = { "ETag", ('"%d"'):format(revision) }
    end
    if more then
        headers[#headers + 1] = more
    end
    return headers
end


local function answer(value, revision)
    return 200, headers_of(revision), assert(json.encode(value)) .. "\n"
end


local function header(name, value)
    return { name, value }
end


local function refuse(err, more)
    local status = _M.STATUS[err.code]
        or (err.code:find("^InvalidPolicyDocument%.") and 400) or 500
    if err.code == "StoreBusy" then
        more = header("Retry-After", RETRY_AFTER)
    end
    local body = {
        code = err.code, message = err.message, file = err.file, line = err.line,
        column = err.column, revision = err.revision, unsure = err.unsure,
    }
    return status, headers_of(nil, more), assert(json.encode(body)) .. "\n"
end


local function not_found(message)
    return refuse({
        code = "NotFound", message = ("there is nothing at `%s`"):format(message.path),
    })
end


local function wrong_method(allowed)
    return refuse({
        code = "MethodNotAllowed", message = ("the methods here are %s"):format(allowed),
    }, header("Allow", allowed))
end


local function wrong(message, ...)
    return nil, { code = "InvalidParameter", message = message:format(...) }
end


-- ---- What is asked ---------------------------------------------------------


-- The revisions of an entity tag or a list of them (RFC 9110, section 13.1): numbers, or `*`. One
-- that is no number is nobody's, so it stands for no revision; so does a weak one where it has to
-- be the very same.
local function read_tags(name, values, takes_weak)
    if not values then
        return nil
    end
    local text = table.concat(values, ",")
    if text:match("^%s*%*%s*$") then
        return "*"
    end
    local found = {}
    for tag in (text .. ","):gmatch("%s*(.-)%s*,") do
        local weak, inner = tag:match('^(W?/?)"([!#-~]*)"$')
        if not inner or weak ~= "" and weak ~= "W/" then
            return wrong("%s: give entity tags, such as \"7\"", name)
        end
        local counts = (takes_weak or weak == "") and inner:match("^%d+$")
        found[#found + 1] = counts and tonumber(inner) or -1
    end
    return found
end


local function preconditions(message, who)
    local if_match, err = read_tags("If-Match", message.headers["if-match"])
    if err then
        return nil, err
    end
    local none_match = message.headers["if-none-match"]
    if none_match and read_tags("If-None-Match", none_match) ~= "*" then
        return wrong("If-None-Match: a change takes `*` only")
    end
    return { who = who, if_match = if_match, if_none_match = none_match ~= nil or nil }
end


local FLAGS = { staged = true, submitted = true }

-- `staged&revision=5`; names that nobody knows are refused.
local function read_query(message, known)
    local found = {}
    for part in (message.query or ""):gmatch("[^&]+") do
        local name, value = part:match("^([%a_]+)=?(.*)$")
        if not name or not known[name] or found[name] ~= nil then
            return wrong("`%s`: not known here, or given twice", part)
        elseif FLAGS[name] then
            if value ~= "" and value ~= "true" then
                return wrong("`%s`: give it without a value", name)
            end
            found[name] = true
        else
            found[name] = value:match("^%d%d?%d?%d?%d?%d?%d?%d?%d?$") and tonumber(value)
            if not found[name] then
                return wrong("`%s`: give a number", name)
            end
        end
    end
    return found
end


-- Whether the client has it as it is. What the store does not hold changes without a revision.
local function is_known(message, revision)
    local tags = read_tags("If-None-Match", message.headers["if-none-match"], true)
    for _, tag in ipairs(type(tags) == "table" and revision > 0 and tags or {}) do
        if tag == revision then
            return true
        end
    end
    return tags == "*" and revision > 0
end


-- ---- What is done ----------------------------------------------------------


-- What comes from a path or a certificate may hold anything; it stays on its line.
local function tell(self, message, ...)
    self.host:log("admin: " .. message:format(...):gsub("%c", "?"))
end


local function changed(self, job, result, err)
    if not result then
        tell(self, "%s: %s %s `%s`: %s", job.who, job.verb, job.kind, job.id, tostring(err))
        return refuse(err)
    end
    tell(self, "%s: %s %s `%s`: revision %d", job.who, job.verb, job.kind, job.id,
        result.revision)
    result.warnings = json.list(result.warnings)
    return answer(result, result.revision)
end


local function change(self, job, ...)
    local options, err = preconditions(job.message, job.who)
    if not options then
        return refuse(err)
    end
    local arguments = { ... }
    arguments[#arguments + 1] = options
    return changed(self, job, self.store[job.verb](self.store, job.kind, job.id,
        unpack(arguments)))
end


local function get_state(self, job)
    local state, err = self.store:get(job.kind, job.id)
    if not state then
        return refuse(err)
    elseif is_known(job.message, state.revision) then
        return 304, headers_of(state.revision)
    end
    return answer(state, state.revision)
end


local WHICH = { staged = true, submitted = true, revision = true }

local function get_policy(self, job)
    local which, err = read_query(job.message, WHICH)
    if not which then
        return refuse(err)
    end
    local text, revision = self.store:text(job.kind, job.id, which)
    if not text then
        return refuse(revision)
    elseif is_known(job.message, revision) then
        return 304, headers_of(revision)
    end
    return 200, headers_of(revision), text
end


local function put_policy(self, job)
    job.verb = "put"
    return change(self, job, job.message.body or "")
end


local function delete_policy(self, job)
    job.verb = "delete"
    return change(self, job)
end


local function deploy(self, job)
    job.verb = "deploy"
    return change(self, job)
end


local function rollback(self, job)
    job.verb = "rollback"
    local query, err = read_query(job.message, { revision = true })
    if query and not query.revision then
        query, err = wrong("say to which revision: ?revision=5")
    end
    if not query then
        return refuse(err)
    end
    return change(self, job, query.revision)
end


local function get_history(self, job)
    local history, err = self.store:history(job.kind, job.id)
    if not history then
        return refuse(err)
    end
    return answer({ history = json.list(history) })
end


--- What can be asked of one API or endpoint: place to method to what is done.
_M.PLACES = {
    [""] = { GET = get_state, allowed = "GET, HEAD" },
    ["/policy"] = {
        GET = get_policy, PUT = put_policy, DELETE = delete_policy,
        allowed = "GET, HEAD, PUT, DELETE",
    },
    ["/deploy"] = { POST = deploy, allowed = "POST" },
    ["/rollback"] = { POST = rollback, allowed = "POST" },
    ["/history"] = { GET = get_history, allowed = "GET, HEAD" },
}


local function list(self, message, kind, name)
    if message.method ~= "GET" and message.method ~= "HEAD" then
        return wrong_method("GET, HEAD")
    end
    local found, err = self.store:list(kind)
    if not found then
        return refuse(err)
    end
    return answer({ [name] = json.list(found) })
end


local function serve(self, message, who)
    local rest = message.path:sub(1, #self.prefix) == self.prefix
        and message.path:sub(#self.prefix + 1) or ""
    local name, id, place = rest:match("^/(%l+)/([^/]+)(/?%l*)$")
    local kind = KINDS[name or rest:match("^/(%l+)$") or ""]
    if not kind then
        return not_found(message)
    elseif not id then
        return list(self, message, kind, rest:sub(2))
    end
    local actions = _M.PLACES[place]
    if not actions then
        return not_found(message)
    end
    local action = actions[message.method == "HEAD" and "GET" or message.method]
    if not action then
        return wrong_method(actions.allowed)
    end
    return action(self, { message = message, who = who, kind = kind, id = id })
end


--- Makes the interface.
-- @tparam table options `store` (a `postern.store`), `host` (its `log` and `read` are used),
-- `operators` (see `new` of `postern.protocol.operators`), optionally `prefix` (`/admin/v1`)
-- @treturn Admin raises for wrong options, and when nobody may administer
function _M.new(options)
    for name in pairs(options) do
        if not OPTIONS[name] then
            error(("unknown option `%s`"):format(tostring(name)), 2)
        end
    end
    local host = options.host
    return setmetatable({
        store = options.store, host = host, prefix = options.prefix or PREFIX,
        operators = operators.new(options.operators or {}, function(path)
            return host:read(path)
        end),
    }, Admin)
end


--- The answer for when a host has failed, or took too long: nobody knows here whether what was
-- asked for was done.
-- @tparam table message
-- @treturn number status
-- @treturn {table,...} headers
-- @treturn string the body
function Admin:failed(message)
    tell(self, "%s %s: no answer in time", message.method, message.path)
    return refuse({
        code = "InternalError", message = "there was no answer in time: look what is there",
        unsure = true,
    })
end


--- Who a message comes from; see `identify` of `postern.protocol.operators`.
-- @tparam table message
-- @treturn string|nil
-- @treturn string why nobody may
function Admin:identify(message)
    return self.operators:identify(message)
end


--- Answers a message, in a task of the host. It may wait: for the disk, for other writers, and
-- until a change is in use.
-- @tparam table message `method`, `path`, `query`, `headers`, `body`, `peer`, `tls`, `credentials`
-- @treturn number status
-- @treturn {table,...} headers: `{name, value}`
-- @treturn string|nil the body
function Admin:handle(message)
    local who, err = self.operators:identify(message)
    if not who then
        tell(self, "refused: %s", err)
        return refuse({ code = "Unauthorized", message = "say who you are" },
            header("WWW-Authenticate", 'Bearer realm="postern"'))
    end
    local called, status, headers, body = pcall(serve, self, message, who)
    if not called then
        tell(self, "%s", tostring(status))
        return refuse({ code = "InternalError", message = "the log says more" })
    end
    return status, headers, body
end


return _M
