--- What nginx does with a decision: it tells the client, sets headers, and fills in the variables
-- that `log_format` shows.
--
-- *Dependencies*: postern.resty.call
--
-- @module postern.resty.reply
local calls = require("postern.resty.call")


local _M = {}
local Reply = {}
Reply.__index = Reply


-- ---- Variables -----------------------------------------------------------------


-- Where statements stand, by set and statement: their description is dear, and they repeat.
local places = setmetatable({}, { __mode = "k" })

local NOWHERE = { sid = "", place = "" }

local function place_of(decision)
    local decider = decision.decider
    if not decider then
        return NOWHERE -- ours
    end
    local set, index = decider(decision)
    if not set then
        return NOWHERE
    end
    local of_set = places[set]
    if not of_set then
        of_set = {}
        places[set] = of_set
    end
    local place = of_set[index]
    if not place then
        local statement = set:statement(index)
        place = {
            sid = statement.sid or "", place = ("%s:%d"):format(statement.name, statement.line),
        }
        of_set[index] = place
    end
    return place
end


-- What each variable tells.
local VARIABLES = {
    decision = function(decision) return decision.decision end,
    reason = function(decision) return decision.reason end,
    sid = function(decision) return place_of(decision).sid end,
    policy = function(decision) return place_of(decision).place end,
    revision = function(decision) return decision.revision or "" end,
    us = function(_, seconds) return ("%d"):format(seconds * 1e6) end,
}


-- The request's id, made only when somebody wants it. nginx makes another one each time it is
-- asked, unless its configuration uses the variable; so it is kept in one that it declares.
local function id_of()
    local var = ngx.var
    if not calls.declares("postern_request_id") then
        return var.request_id
    end
    local id = var.postern_request_id
    if id == "" then
        id = var.request_id
        var.postern_request_id = id
    end
    return id
end

-- Those that the configuration declares, `{ variable, function }` each.
local told

local function find_told()
    told = {}
    for name, fn in pairs(VARIABLES) do
        if calls.declares("postern_" .. name) then
            told[#told + 1] = { "postern_" .. name, fn }
        end
    end
end


--- Fills in the variables for `log_format`. Those that the configuration does not declare are left
-- out; which these are is found out once.
-- @tparam Decision decision
-- @tparam number seconds it took
function _M.fill(decision, seconds)
    if not told then
        find_told()
    end
    local var = ngx.var
    for i = 1, #told do
        var[told[i][1]] = told[i][2](decision, seconds)
    end
end


-- ---- Headers ---------------------------------------------------------------------


--- Makes what replies to requests.
-- @tparam Answer answer see `postern.answer`
-- @tparam table options `upstream` and `obligations`, see `postern.resty.options`
-- @treturn Reply
function _M.new(answer, options)
    local upstream = {}
    for name, fact in pairs(options.upstream) do
        upstream[#upstream + 1] = { name, fact }
    end
    return setmetatable({
        answer = answer, upstream = upstream, prefix = options.obligations,
    }, Reply)
end


-- What is told the program behind nginx.
local function fact_of(decision, fact)
    if fact == "principal" then
        local request = decision.trace and decision.trace.request
        return request and request.principal
    elseif fact == "request_id" then
        return id_of()
    elseif fact == "decision" or fact == "revision" then
        return decision[fact]
    end
    return decision.obligations and decision.obligations[fact:match("^obligation:(.*)$")]
end


local function is_line(value)
    return type(value) == "string" and not value:find("%c")
end


-- What a client sent under names that are ours is taken away, whatever was decided: it would be
-- believed behind us, and shown in the log.
local function strip(self, decision)
    for i = 1, #self.upstream do
        ngx.req.clear_header(self.upstream[i][1])
    end
    local headers, obligations = decision and decision.headers, decision and decision.obligations
    if headers then
        for name in pairs(headers) do
            ngx.req.clear_header(name)
        end
    end
    if obligations then
        for name in pairs(obligations) do
            ngx.req.clear_header(self.prefix .. name)
        end
    end
end


--- The headers of the answer to a request that is allowed: those of the decision, and its
-- obligations.
-- @tparam Decision decision
-- @treturn table|nil name to text; nil when there are none
-- @treturn string why it cannot be allowed: one of them can be no header
function Reply:headers(decision)
    if not decision.headers and not decision.obligations then
        return nil
    end
    local status, list, _, problem = self.answer:of(decision)
    if status ~= 200 then
        return nil, problem or "it is not allowed"
    end
    local headers = {}
    for _, header in ipairs(list) do
        headers[header[1]] = header[2]
    end
    for name, value in pairs(decision.obligations or {}) do
        if not name:find("^[%w!#$%%&'*+.^_`|~-]+$") or not is_line(value) then
            return nil, ("the obligation `%s` can be no header"):format(name)
        end
        headers[self.prefix .. name] = value
    end
    return headers
end


--- Prepares a request that passes for the program behind nginx: strips what the client may not say,
-- and says what nginx has to.
-- @tparam Decision|nil decision nil where there is none (dry run)
function Reply:forward(decision)
    strip(self, decision)
    for i = 1, decision and #self.upstream or 0 do
        local value = fact_of(decision, self.upstream[i][2])
        if is_line(value) then
            ngx.req.set_header(self.upstream[i][1], value)
        end
    end
end


--- Lets a request pass, with headers for its answer.
-- @tparam Decision|nil decision nil where there is none (dry run)
-- @tparam table|nil headers of the answer
function Reply:pass(decision, headers)
    self:forward(decision)
    if headers then
        for name, value in pairs(headers) do
            ngx.header[name] = value
        end
    end
end


-- What the client is told that it may not.
local function tell(self, decision)
    strip(self, decision)
    return self.answer:of(decision, { accept = ngx.var.http_accept, id = id_of() })
end


--- What a gateway is to tell the client that it may not.
-- @tparam Decision|nil decision nil for a failure of ours
-- @treturn table `status`, `headers` (name to text) and `body`
function Reply:refusal(decision)
    local status, list, body = tell(self, decision)
    local headers = {}
    for i = 1, #list do
        headers[list[i][1]] = list[i][2]
    end
    return { status = status, headers = headers, body = body }
end


--- Tells the client that it may not. The body of its request is thrown away: what follows it on the
-- connection is the next request, not a part of this one.
-- @tparam Decision|nil decision nil for a failure of ours
-- @treturn string|nil for the operator: what was wrong with the decision
function Reply:refuse(decision)
    local status, headers, body, problem = tell(self, decision)
    ngx.req.discard_body()
    ngx.status = status
    for i = 1, #headers do
        ngx.header[headers[i][1]] = headers[i][2]
    end
    ngx.header["Content-Length"] = #body
    ngx.print(body)
    return problem
end


return _M
