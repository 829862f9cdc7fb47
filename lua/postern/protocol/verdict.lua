--- Verdicts: how a proxy is told that obeys the status of an answer.
--
-- 200 and nothing but 200 lets a call through, and only what the policies allow gets it. Our own
-- faults are 403: a proxy may take a 5xx for no answer, and let the call through (Envoy with
-- `failure_mode_allow`, APISIX with `allow_degradation`), or answer 500 itself (nginx).
--
-- *Dependencies*: postern.answer
--
-- @module postern.protocol.verdict
local answers = require("postern.answer")


local _M = {}
local Verdict = {}
Verdict.__index = Verdict


local ALLOW, DENY = { "X-Postern-Decision", "allow" }, { "X-Postern-Decision", "deny" }
local ID = "X-Postern-Decision-Id"

-- nginx drops the headers of an answer that nothing in its configuration asks for, so it gets one
-- list for all. It is never changed: a host may keep the lines it makes of it.
local PLAIN = { constant = true, ALLOW }

-- What a client can do something about; nginx takes no other status than these and 403.
local TOLD = { 400, 401, 404, 405, 409, 410, 413, 414, 429, 431, 451 }
local TOLD_BY_NGINX = { 401 }


--- Makes the verdicts of a protocol.
-- @tparam[opt] table given `bare`: no other denial than 401 and 403, none has a body, and a plain
-- allow has no id, which is all that nginx's auth_request takes
-- @treturn Verdict
function _M.new(given)
    local bare = given ~= nil and given.bare == true
    return setmetatable({
        bare = bare,
        answer = answers.new({ fault = 403, format = "json", told = bare and TOLD_BY_NGINX
                               or TOLD }),
    }, Verdict)
end


local function add_id(headers, message)
    local id = answers.id(message.id)
    if id then
        headers[#headers + 1] = { ID, id }
    end
end


--- What the proxy is answered.
-- @tparam Decision|nil decision nil when there is none, which denies
-- @tparam table message its `id` is told
-- @treturn number status, 200 or 400 to 499
-- @treturn {table,...} headers
-- @treturn string|nil body, of a denial that is not bare
-- @treturn string|nil for the operator: what was wrong with the decision
function Verdict:of(decision, message)
    local allowed = type(decision) == "table" and decision.allowed == true
    if self.bare and allowed and decision.headers == nil and decision.decision == "Allowed"
        and decision.reason ~= "error" then
        return 200, PLAIN, nil
    end
    local wants = not allowed and { id = message.id } or nil
    local status, headers, body, why = self.answer:of(decision, wants)
    if status == 200 then
        headers[#headers + 1] = ALLOW
        add_id(headers, message)
        return 200, headers, nil
    end
    headers[#headers + 1] = DENY
    add_id(headers, message)
    return status, headers, not self.bare and body or nil, why
end


--- Asks and answers; whatever goes wrong on the way denies.
-- @tparam function read `read(owner, message)` answers a request, or nil and why there is none
-- @param owner
-- @tparam table message
-- @tparam function ask
-- @treturn number status
-- @treturn {table,...} headers
-- @treturn string|nil body
-- @treturn string|nil for the operator: why it was denied, where no decision says so
function Verdict:give(read, owner, message, ask)
    local ok, request, why = pcall(read, owner, message)
    if not ok then
        why, request = tostring(request), nil
    end
    local decision
    if request then
        ok, decision = pcall(ask, request)
        if not ok then
            why, decision = tostring(decision), nil
        end
    end
    local status, headers, body, wrong = self:of(decision, message)
    return status, headers, body, why or wrong
end


return _M
