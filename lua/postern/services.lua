--- Services: the action and the resource that an HTTP request asks for.
--
-- A services pack knows one service. This module runs it, and is total: a pack that raises, or
-- answers something that is no question, refuses the request.
--
-- *Dependencies*: none (packs are handed in)
--
-- @module postern.services

local _M = {}
local Service = {}
Service.__index = Service


local FAULT = 500 -- the status when the pack itself fails
local REFUSED = 403 -- the status when a pack refuses and names none


--- Makes a runner of one services pack.
-- @tparam table pack see `postern.rules`
-- @tparam[opt] table config what the pack's `check` takes
-- @treturn Service|nil
-- @treturn string why not
function _M.new(pack, config)
    config = config or {}
    local ok, err = pack.check(config)
    if not ok then
        return nil, ("the services pack `%s`: %s"):format(pack.name, tostring(err))
    end
    return setmetatable({ pack = pack, config = config, name = pack.name }, Service)
end


local function is_text(value)
    return type(value) == "string" and value ~= ""
end


local function is_question(answer)
    return type(answer) == "table" and is_text(answer.action) and is_text(answer.resource)
end


local function are_questions(list)
    for _, answer in ipairs(list or {}) do
        if not is_question(answer) then
            return false
        end
    end
    return true
end


--- Finds what a request asks for.
-- @tparam table context
-- @treturn table|nil `{action, resource, stage, path, also, domain}`: `path` is what follows the
-- stage, `also` a list of `{action, resource}` asked by the same call, `domain` the custom domain
-- name as `{name, arn}`; only the first two are always there
-- @treturn string why the request is refused
-- @treturn number the HTTP status of the refusal
function Service:resolve(context)
    local ok, answer, reason, status = pcall(self.pack.resolve, context, self.config)
    if not ok then
        return nil, ("the services pack `%s` failed: %s"):format(self.name, tostring(answer)), FAULT
    elseif answer == nil and is_text(reason) then
        return nil, reason, status or REFUSED
    elseif not is_question(answer) or not are_questions(answer.also) then
        return nil, ("the services pack `%s` answers no action and resource"):format(self.name),
            FAULT
    end
    return answer
end


return _M
