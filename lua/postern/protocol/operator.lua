--- What a server tells of itself: whether it lives, is ready, how it is, and its metrics.
--
-- `health` and `ready` answer everybody, and no more than yes or no. `status` and `metrics` answer
-- operators alone, since they tell revisions and numbers. Coming from this machine makes nobody
-- one: what a proxy here passes on comes from it, too.
--
-- *Dependencies*: postern.response
--
-- @module postern.protocol.operator
local response = require("postern.response")


local _M = {}
local Operator = {}
Operator.__index = Operator


local ALLOW = { constant = true, { "Allow", "GET, HEAD" }, response.JSON[1], response.JSON[2] }


local CHALLENGE = { constant = true, { "WWW-Authenticate", "Bearer" }, response.JSON[1],
    response.JSON[2] }


local ANSWERS = {}

function ANSWERS.health()
    return 200, response.TEXT, "ok\n"
end

function ANSWERS.ready(server, message)
    local state = server.state()
    if state ~= "ready" then
        return 503, response.TEXT, state .. "\n"
    elseif server.is_operator(message) then
        return 200, response.TEXT, ("ready %s\n"):format(server.revision())
    end
    return 200, response.TEXT, "ready\n"
end

function ANSWERS.status(server)
    return 200, response.JSON, server.status()
end

function ANSWERS.metrics(server, message)
    local accept, count = message:header("accept")
    local text, content_type = server.metrics(count == 1 and accept or nil)
    return 200, { { "Content-Type", content_type }, { "Cache-Control", "no-store" } }, text
end


local FOR_OPERATORS = { status = true, metrics = true }


--- Makes one of the four.
-- @tparam string kind `health`, `ready`, `status` or `metrics`
-- @tparam table options none: each is unknown
-- @tparam table server `state()` (`ready`, or why not), `revision()`, `is_operator(message)`,
-- `wants_token(message)` (whether a token would make somebody one), `status()` (JSON),
-- `metrics(accept)` (a text and its type)
-- @treturn Operator
function _M.new(kind, options, server)
    local name = next(options)
    if name ~= nil then
        error(("unknown option `%s`: there are none"):format(tostring(name)), 2)
    end
    return setmetatable({ kind = kind, answer = ANSWERS[kind], server = server }, Operator)
end


--- Answers a request, as every protocol does.
-- @tparam Message message
-- @treturn number status
-- @treturn table headers
-- @treturn string body
function Operator:handle(message)
    if message.method ~= "GET" and message.method ~= "HEAD" then
        return 405, ALLOW, response.problem(405)
    elseif message.path ~= message.endpoint then
        return 404, response.JSON, response.problem(404)
    elseif FOR_OPERATORS[self.kind] and not self.server.is_operator(message) then
        if self.server.wants_token(message) then
            return 401, CHALLENGE, response.problem(401)
        end
        return 403, response.JSON, response.problem(403)
    end
    return self.answer(self.server, message)
end


return _M
