--- Answers: how a client is told what was decided.
--
-- A client learns whether it may, never why not: no reason, statement, file, ARN or revision stands
-- in an answer. What it gets is a status, a message that says no more than the status, and the id
-- by which the operator finds the decision in the log.
--
-- | decision                                             | status                             |
-- |------------------------------------------------------|------------------------------------|
-- | allowed                                              | 200, no body                       |
-- | none at all, or reason `error` with a status of 500s | `fault`                            |
-- | denied, with a status that is in `told`              | that one                           |
-- | denied otherwise                                     | `denied`                           |
--
-- *Dependencies*: postern.accept
--
-- @module postern.answer
local accept = require("postern.accept")


local _M = {}
local Answer = {}
Answer.__index = Answer


local OK, UNAUTHORIZED, FORBIDDEN, UNAVAILABLE = 200, 401, 403, 503

-- Statuses that a client can do something about.
local TOLD = { 400, 401, 404, 429 }

local MESSAGES = {
    [400] = "Bad Request", [401] = "Unauthorized", [403] = "Forbidden", [404] = "Not Found",
    [405] = "Method Not Allowed", [409] = "Conflict", [410] = "Gone",
    [413] = "Content Too Large", [429] = "Too Many Requests", [431] = "Request Header Fields Too "
    .. "Large", [451] = "Unavailable For Legal Reasons", [500] = "Internal Server Error",
    [503] = "Service Unavailable",
}
local NO_MESSAGE = "Request Refused"

-- The forms of a body, in the order they are offered, and how the id is put in.
local OFFERS = {
    { type = "application/json", parameters = { charset = "utf-8" } },
    { type = "text/plain", parameters = { charset = "utf-8" } },
}
local JSON, TEXT = 1, 2
local FORMATS = { auto = true, json = JSON, text = TEXT }

-- Longer ids are nobody's: a trace id has 32 characters, a UUID 36.
local LONGEST_ID = 128

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\" }

-- What the host says about the message, and what we say about our body.
local RESERVED = { ["content-length"] = true, ["transfer-encoding"] = true, connection = true,
                   ["keep-alive"] = true, upgrade = true, trailer = true }
local OURS = { ["content-type"] = true, ["cache-control"] = true, ["content-encoding"] = true }

local OPTIONS = { denied = true, fault = true, format = true, told = true, challenge = true }


-- ---- Making ----------------------------------------------------------------


local function is_status(value)
    return type(value) == "number" and value % 1 == 0 and value >= 400 and value <= 599
end


local function is_header_value(value)
    return type(value) == "string" and not value:find("[%z\1-\8\10-\31\127]")
end


local function is_header(name, value)
    return type(name) == "string" and name:find("^[%w!#$%%&'*+.^_`|~-]+$") ~= nil
        and not RESERVED[name:lower()] and is_header_value(value)
end


local function check_told(told)
    if type(told) ~= "table" then
        error("`told`: give a list of statuses", 4)
    end
    for _, status in ipairs(told) do
        if not is_status(status) then
            error(("`told`: `%s` is no status that denies: give 400 to 599")
                :format(tostring(status)), 4)
        end
    end
end


local function check_options(options)
    for name in pairs(options) do
        if not OPTIONS[name] then
            error(("unknown option `%s`: there are `challenge`, `denied`, `fault`, `format`, "
                .. "`told`"):format(tostring(name)), 3)
        end
    end
    if options.denied ~= nil and not (is_status(options.denied) and options.denied < 500) then
        error("`denied`: give a status from 400 to 499", 3)
    elseif options.fault ~= nil and options.fault ~= FORBIDDEN
        and options.fault ~= UNAVAILABLE then
        error("`fault`: give 403 or 503", 3)
    elseif options.format ~= nil and not FORMATS[options.format] then
        error("`format`: give `auto`, `json` or `text`", 3)
    elseif options.challenge ~= nil and not (is_header_value(options.challenge)
        and options.challenge ~= "") then
        error("`challenge`: give the value of a header WWW-Authenticate", 3)
    end
    if options.told ~= nil then
        check_told(options.told)
    end
end


-- The parts of a body round the id, and the headers of a status in one form.
local function prepare(status, format, challenge)
    local message = MESSAGES[status] or NO_MESSAGE
    local made = { headers = {
        { "Content-Type", format == JSON and "application/json" or "text/plain; charset=utf-8" },
        { "Cache-Control", "no-store" },
    } }
    if status == UNAUTHORIZED then
        made.challenge = { "WWW-Authenticate", challenge }
    end
    if format == JSON then
        made.plain = ('{"message":"%s"}'):format(message)
        made.before, made.after = ('{"message":"%s","request_id":"'):format(message), '"}'
    else
        made.plain = message .. "\n"
        made.before, made.after = message .. " (request ", ")\n"
    end
    return made
end


--- Makes the answers of a host.
-- @tparam[opt] table options `denied`, the status of a deny of the policies, 400 to 499 (403);
-- `fault`, that of our own failures, 403 or 503 (503); `format`: `json`, `text`, or `auto`, which
-- is JSON unless the client prefers plain text; `told`, a list of statuses of a decision that the
-- client is told as they are (400, 401, 404, 429); `challenge`, the value of WWW-Authenticate for
-- 401 (`Bearer`)
-- @treturn Answer
function _M.new(options)
    options = options or {}
    check_options(options)
    local self = setmetatable({
        denied = options.denied or FORBIDDEN, fault = options.fault or UNAVAILABLE,
        format = FORMATS[options.format or "auto"], told = {}, prepared = { {}, {} },
    }, Answer)
    for _, status in ipairs(options.told or TOLD) do
        self.told[status] = true
    end
    for _, format in ipairs({ JSON, TEXT }) do
        for status in pairs(self.told) do
            self.prepared[format][status] = prepare(status, format, options.challenge or "Bearer")
        end
        for _, status in ipairs({ self.denied, self.fault }) do
            self.prepared[format][status] = prepare(status, format, options.challenge or "Bearer")
        end
    end
    return self
end


-- ---- Answering -------------------------------------------------------------


--- A request id that may be told: 1 to 128 visible characters of ASCII and spaces.
-- @param id what a client or host gives
-- @treturn string|nil the id; nil when it may not stand in an answer
function _M.id(id)
    if type(id) == "string" and #id > 0 and #id <= LONGEST_ID and not id:find("[^ -~]") then
        return id
    end
    return nil
end


-- The headers of a decision behind those of `list`; `skip` has those that are ours. The second
-- result is what was left out because it is no header.
local function add_headers(list, headers, skip)
    local wrong
    for name, value in pairs(type(headers) == "table" and headers or {}) do
        if not is_header(name, value) then
            wrong = "a header of the decision is no header, or the host's to set"
        elseif not (skip and skip[name:lower()]) then
            list[#list + 1] = { name, value }
        end
    end
    return wrong
end


local function has_header(list, wanted)
    for _, header in ipairs(list) do
        if header[1]:lower() == wanted then
            return true
        end
    end
    return false
end


local function status_of(self, decision)
    local status = decision.status
    if decision.reason == "error" and not (is_status(status) and status < 500) then
        return self.fault
    elseif self.told[status] then
        return status
    end
    return self.denied
end


local function refusal(self, status, decision, wants, problem)
    local format = self.format
    if format == true then
        format = accept.choose(wants.accept, OFFERS)
    end
    local made = self.prepared[format][status]
    local headers = { made.headers[1], made.headers[2] }
    problem = add_headers(headers, decision and decision.headers, OURS) or problem
    if made.challenge and not has_header(headers, "www-authenticate") then
        headers[#headers + 1] = made.challenge
    end
    local id = _M.id(wants.id)
    if not id then
        return status, headers, made.plain, problem
    end
    if format == JSON then
        id = id:gsub('["\\]', ESCAPES)
    end
    return status, headers, made.before .. id .. made.after, problem
end


local NOTHING = {}

--- What a client is answered.
-- @tparam Decision|nil decision nil is a failure of ours
-- @tparam[opt] table wants `accept`, the value of the client's header Accept (or a list of its
-- lines), and `id`, that of the request, which is left out if it may not be told, see `id`
-- @treturn number status of HTTP
-- @treturn {table,...} headers, `{name, value}` each; the list is the caller's, what is in it is
-- shared
-- @treturn string|nil body; nil when it is allowed
-- @treturn string|nil for the operator: what was wrong with the decision. Headers of a deny that
-- are none are left out; a decision that allows with such a header is answered as a fault, since
-- nobody can say what depends on it
-- @usage local status, headers, body = answer:of(decision, { accept = "text/plain", id = "7f3a" })
function Answer:of(decision, wants)
    wants = wants or NOTHING
    if type(decision) ~= "table" then
        return refusal(self, self.fault, nil, wants, "there is no decision")
    elseif decision.allowed ~= true then
        return refusal(self, status_of(self, decision), decision, wants)
    elseif decision.decision ~= "Allowed" or decision.reason == "error" then
        return refusal(self, self.fault, nil, wants, "a decision contradicts itself")
    end
    local headers = {}
    local wrong = add_headers(headers, decision.headers)
    if wrong then
        return refusal(self, self.fault, nil, wants, wrong)
    end
    return OK, headers, nil
end


return _M
