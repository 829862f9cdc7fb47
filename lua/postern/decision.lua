--- Decisions: what was decided, and on demand why.
--
-- Nothing of the explanation is prepared while deciding; `explain` asks the core again, so it needs
-- the request table unchanged. Indexes of policies and statements count from 0, as in the policy's
-- JSON path.
--
-- *Dependencies*: postern.request
--
-- @module postern.decision
local requests = require("postern.request")


local _M = {}
local Decision = {}


local OUTCOMES = {
    ALLOWED = "Allowed",
    EXPLICITLY_DENIED = "ExplicitlyDenied",
    IMPLICITLY_DENIED = "ImplicitlyDenied",
}

--- The three outcomes; any other name is a mistake and raises.
_M.outcomes = setmetatable({}, {
    __index = function(_, name)
        return OUTCOMES[name] or error("no such outcome: " .. tostring(name), 2)
    end,
    __newindex = function()
        error("outcomes are read-only", 2)
    end,
})

local GATES = {
    scp = "SCP", rcp = "RCP", endpoint = "endpoint policy", resource = "resource policy",
    domain = "policy of the domain name",
    identity = "identity policy", boundary = "permissions boundary", session = "session policy",
}

-- The HTTP status of a decision whose flow names none.
local OK, FORBIDDEN, INTERNAL_ERROR = 200, 403, 500

local ELEMENTS = { "action", "resource", "principal" }
local MEMBERS = {
    action = { "Action", "NotAction" },
    resource = { "Resource", "NotResource" },
    principal = { "Principal", "NotPrincipal" },
}

-- Longer statements and lines are cut when quoted: an explanation is read on a screen.
local QUOTED_LINES, QUOTED_WIDTH = 24, 96


-- What decided, as far as a statement did.
local function deciding_of(trace)
    local gate, set, index, first_policy = trace:deciding()
    if not gate then
        return nil
    end
    local statement = set:statement(index)
    return {
        policy_type = gate,
        policy_index = first_policy + statement.policy,
        statement_index = statement.index,
        sid = statement.sid,
        effect = statement.effect,
        file = statement.name,
        line = statement.line,
        column = statement.column,
    }
end


-- The deciding statement is described when somebody asks for it: most decisions are only obeyed.
function Decision.__index(self, name)
    if name ~= "deciding" then
        return Decision[name]
    end
    local deciding = deciding_of(self.trace)
    rawset(self, "deciding", deciding)
    return deciding
end


local function status_of(verdict)
    if verdict.decision == OUTCOMES.ALLOWED then
        return OK
    end
    return verdict.reason == "error" and INTERNAL_ERROR or FORBIDDEN
end


--- Makes a decision of a flow's verdict.
-- @tparam table verdict `{decision, reason, gates, match_kind, status, error, because, code}`; it
-- becomes the decision: a table nobody else holds; `because` says why where no statement does, and
-- `code` is the name of the answer to a caller that is not authenticated
-- @tparam table trace `request`, the table that was decided; `caller` with its `same_account`; and
-- two methods: `entries` answers a list of the sets that were asked, `{type, set, source, bounded,
-- first_policy}` each, `source` being the request as that gate saw it; `deciding` answers gate,
-- set, index and first policy of the statement that decided, or nil
-- @treturn Decision `allowed` (a boolean), `decision` (an outcome), `reason`, `gates`,
-- `match_kind`, `same_account`, `status` (of HTTP), `because`, `code`, `error`, and `deciding`: nil
-- or the statement's `policy_type`, `policy_index`, `statement_index`, `sid`, `effect`, `file`,
-- `line`, `column`
function _M.new(verdict, trace)
    if getmetatable(verdict) then
        error("a verdict was given twice", 0)
    end
    verdict.allowed = verdict.decision == OUTCOMES.ALLOWED
    verdict.same_account = trace.caller and trace.caller.same_account
    verdict.status = verdict.status or status_of(verdict)
    verdict.trace = trace
    return setmetatable(verdict, Decision)
end


-- A decision that is made of little: a list whose first item is its seal.
local Sealed = {}

function Sealed.__index(self, name)
    local seal = rawget(self, 1)
    local value = seal.fields[name]
    if value == nil then
        value = Decision[name]
    end
    if value == nil and name == "trace" then
        value = seal.trace(self)
        rawset(self, name, value)
    elseif value == nil and name == "gates" then
        -- A table of its own, as every decision has.
        value = {}
        for gate, state in pairs(seal.gates) do
            value[gate] = state
        end
        rawset(self, name, value)
    elseif value == nil and name == "deciding" then
        value = deciding_of(self.trace)
        rawset(self, name, value)
    end
    return value
end


--- Makes what decisions have in common that share a verdict.
-- @tparam table verdict as for `new`
-- @tparam boolean same_account
-- @tparam string revision of the estate
-- @tparam table makers functions of a decision with this seal: `trace` makes its trace, see `new`;
-- `decider` answers the set and the index of the statement that decided, or nil
-- @treturn Seal for `sealed`
function _M.seal(verdict, same_account, revision, makers)
    local fields = {}
    for name, value in pairs(verdict) do
        fields[name] = value
    end
    fields.gates = nil
    fields.allowed = verdict.decision == OUTCOMES.ALLOWED
    fields.same_account = same_account
    fields.status = verdict.status or status_of(verdict)
    fields.revision = revision
    fields.kind = fields -- what all of them have in common: one table, whoever asks
    return { fields = fields, gates = verdict.gates, trace = makers.trace,
             decider = makers.decider }
end


--- Makes a decision of what is kept of it; whatever else it has is made when somebody asks.
-- @tparam table kept a list nobody else holds, of plain values: the seal first, then what the
-- seal's `trace` reads
-- @treturn Decision as of `new`
function _M.sealed(kept)
    return (setmetatable(kept, Sealed)) -- no tail call: compiled code takes only so many
end


--- What a decision shares with others: they differ from it in what is asked, and in nothing that is
-- answered, as long as nobody has added to them.
-- @tparam Decision decision
-- @treturn Seal|nil nil where it was not made by `sealed`
function _M.seal_of(decision)
    return getmetatable(decision) == Sealed and rawget(decision, 1) or nil
end


--- Which statement decided, for those who need no description of it, as `deciding` is.
-- @treturn Set|nil nil when none did
-- @treturn number its index in the set
function Decision:decider()
    local seal = rawget(self, 1)
    if seal then
        return seal.decider(self)
    end
    local _, set, index = self.trace:deciding()
    return set, index
end


local NOBODY = { entries = function() return {} end, deciding = function() return nil end }
NOBODY.__index = NOBODY

--- Makes the decision of a request that could not be decided: an implicit deny.
-- @tparam table request
-- @tparam table failure `error`, what went wrong; optionally `reason` (`error` if left out), in
-- which case the error is the explanation, `status` (of HTTP), `code`, and `needs`, the key without
-- which it cannot be decided
-- @treturn Decision
function _M.failed(request, failure)
    local reason = failure.reason or "error"
    local decision = _M.new({
        decision = OUTCOMES.IMPLICITLY_DENIED, reason = reason, status = failure.status,
        error = failure.error, because = reason ~= "error" and failure.error or nil,
        code = failure.code,
    }, setmetatable({ request = request }, NOBODY))
    decision.needs = failure.needs
    return decision
end


-- What a decision shows to rule packs.
local SHOWN = { "allowed", "decision", "reason", "status", "because", "error", "code", "revision",
                "reachability", "match_kind", "same_account", "hook" }

local function copied(members)
    local copy = {}
    for name, value in pairs(members or {}) do
        copy[name] = value
    end
    return copy
end


--- What a decision is, for rule packs: plain tables that nothing else refers to.
-- @tparam Decision decision
-- @treturn table its outcome and reasons, `deciding`, `gates`, `obligations` and `headers`
function _M.view(decision)
    local view = {}
    for _, name in ipairs(SHOWN) do
        view[name] = decision[name]
    end
    view.deciding = decision.deciding and copied(decision.deciding)
    view.gates = copied(decision.gates)
    view.obligations, view.headers = copied(decision.obligations), copied(decision.headers)
    return view
end


-- ---- The trace as a table --------------------------------------------------


-- Marks a list as one for JSON, also when it is empty.
local ARRAY = { __jsontype = "array" }

local function request_values(request, key)
    local values = setmetatable({}, ARRAY)
    for name, value in pairs(request.context or {}) do
        if type(name) == "string" and name:lower() == key then
            for i, one in ipairs(type(value) == "table" and value or { value }) do
                values[i] = one
            end
        end
    end
    return values
end


local function explain_condition(entry, request, statement, index)
    local condition = entry.set:condition(statement, index)
    local values = request_values(entry.source, condition.key)
    local resolved = setmetatable({}, ARRAY)
    for i = 1, #condition.values do
        resolved[i] = request:explain_value(statement, index, i - 1) or false
    end
    return {
        operator = condition.operator,
        key = condition.key,
        key_present = #values > 0,
        request_values = values,
        policy_values = setmetatable(condition.values, ARRAY),
        resolved_values = resolved, -- false: a variable had no value
        result = request:explain_condition(statement, index).result,
        line = condition.line,
        column = condition.column,
    }
end


local function explain_statement(entry, request, index)
    local statement = entry.set:statement(index)
    local verdict = request:explain_statement(index)
    local conditions = setmetatable({}, ARRAY)
    for i = 1, statement.condition_count do
        conditions[i] = explain_condition(entry, request, index, i - 1)
    end
    return {
        policy_type = entry.type,
        policy_index = entry.first_policy + statement.policy,
        index = statement.index,
        sid = statement.sid,
        effect = statement.effect,
        matched = verdict.result,
        failed_at = verdict.failed_at,
        failed = verdict.failed,
        condition = conditions,
        file = statement.name,
        line = statement.line,
        column = statement.column,
        entry = entry,
        statement = index,
    }
end


local function explain_statements(trace)
    local statements = setmetatable({}, ARRAY)
    for _, entry in ipairs(trace:entries()) do
        local request = requests.shared(entry.set)
        -- What cannot be filled was an error, and no statement was asked.
        if request and request:fill(entry.source, entry.bounded) then
            for index = 0, entry.set:statement_count() - 1 do
                statements[#statements + 1] = explain_statement(entry, request, index)
            end
        end
    end
    return statements
end


-- ---- The nearest miss ------------------------------------------------------


-- The elements and conditions that kept a statement from matching.
local function misses_of(statement)
    local misses = {}
    for _, element in ipairs(ELEMENTS) do
        if statement.failed[element] then
            misses[#misses + 1] = { element = element }
        end
    end
    for _, condition in ipairs(statement.condition) do
        if condition.result ~= true then
            misses[#misses + 1] = { element = "condition", condition = condition }
        end
    end
    return misses
end


-- The Allow that came closest in the gate whose allow is missing; the earlier one among equals.
local function nearest_miss(reason, statements)
    local gate = reason:match("^no_allow_(.+)$")
    local nearest
    for _, statement in ipairs(statements) do
        if statement.policy_type == gate and statement.effect == "Allow"
            and statement.matched ~= true then
            local misses = misses_of(statement)
            if not nearest or #misses < #nearest.misses then
                nearest = { statement = statement, misses = misses }
            end
        end
    end
    return nearest
end


-- ---- The trace as text -----------------------------------------------------


local function place_of(item)
    return ("%s:%d:%d"):format(item.file, item.line, item.column)
end


local function name_of(statement)
    local sid = statement.sid and ("`%s`"):format(statement.sid)
        or ("statement %d"):format((statement.statement_index or statement.index) + 1)
    return ("%s %s %s"):format(place_of(statement), sid, statement.effect)
end


local function list_text(values)
    if #values == 0 then
        return "nothing"
    end
    local quoted = {}
    for i, value in ipairs(values) do
        quoted[i] = value == false and "no value" or ("`%s`"):format(tostring(value))
    end
    return table.concat(quoted, ", ")
end


-- Cuts a text to a width in bytes, but not within a character.
local function cut(text, width)
    if #text <= width then
        return text
    end
    while text:find("^[\128-\191]", width + 1) do
        width = width - 1
    end
    return text:sub(1, width) .. "..."
end


local function quote(lines, statement)
    local quoted, begins = statement.entry.set:quote(statement.statement)
    for i = 1, math.min(#quoted, QUOTED_LINES) do
        local text = quoted[i].text
        if i == 1 and #text > QUOTED_WIDTH then
            -- A policy on one line: show it from where the statement begins.
            text = text:sub(begins)
        end
        lines[#lines + 1] = ("    %4d | %s"):format(quoted[i].number, cut(text, QUOTED_WIDTH))
    end
    if #quoted > QUOTED_LINES then
        lines[#lines + 1] = ("         ... (%d more lines)"):format(#quoted - QUOTED_LINES)
    end
end


local function principal_values(doc, node)
    local value = doc:value(node)
    if type(value) ~= "table" then
        return { value }
    end
    local values = {}
    for _, name_values in pairs(value) do
        if type(name_values) == "table" then
            for _, one in ipairs(name_values) do
                values[#values + 1] = one
            end
        else
            values[#values + 1] = name_values
        end
    end
    table.sort(values)
    return values
end


-- What an element of a statement says: its member's name and its values.
local function element_of(statement, element)
    local doc, node = statement.entry.set:source(statement.statement)
    for _, member in ipairs(MEMBERS[element]) do
        local found = doc:get(node, member)
        if found then
            return member, principal_values(doc, found)
        end
    end
    return MEMBERS[element][1], {}
end


local function condition_lines(lines, file, condition)
    lines[#lines + 1] = ("      %s:%d:%d %s %s: %s"):format(file, condition.line, condition.column,
        condition.operator, condition.key,
        condition.result == true and "holds" or condition.result or "fails")
    lines[#lines + 1] = "        request   " .. list_text(condition.request_values)
    lines[#lines + 1] = "        policy    " .. list_text(condition.policy_values)
    if list_text(condition.policy_values) ~= list_text(condition.resolved_values) then
        lines[#lines + 1] = "        resolved  " .. list_text(condition.resolved_values)
    end
end


local function element_line(statement, element)
    local member, values = element_of(statement, element)
    local line = statement.entry.set:statement(statement.statement)[element .. "_line"]
    return ("      %s:%d %s fails: %s"):format(statement.file, line or statement.line, member,
                                               list_text(values))
end


local function statement_lines(lines, statement)
    local result = "matches"
    if statement.matched == false then
        result = "does not match: " .. (statement.failed_at or "unknown")
    elseif statement.matched ~= true then
        result = "unknown"
    end
    lines[#lines + 1] = ("  %s: %s"):format(name_of(statement), result)
    for _, element in ipairs(ELEMENTS) do
        if statement.failed[element] then
            lines[#lines + 1] = element_line(statement, element)
        end
    end
    for _, condition in ipairs(statement.condition) do
        condition_lines(lines, statement.file, condition)
    end
end


local function need_text(statement, miss)
    if miss.condition then
        local condition = miss.condition
        return ("%s: %s %s; it has %s"):format(condition.key, condition.operator,
            list_text(condition.resolved_values), list_text(condition.request_values))
    end
    local member, values = element_of(statement, miss.element)
    return ("%s: %s %s; it has `%s`"):format(miss.element, member, list_text(values),
                                             statement.entry.source[miss.element] or "*")
end


local REQUESTED = { "principal", "action", "resource" }

local function request_lines(lines, request)
    lines[#lines + 1] = "request"
    for _, element in ipairs(REQUESTED) do
        lines[#lines + 1] = ("  %-9s  %s"):format(element, tostring(request[element] or "*"))
    end
    local names = {}
    for name in pairs(request.context or {}) do
        names[#names + 1] = tostring(name)
    end
    table.sort(names)
    for _, name in ipairs(names) do
        lines[#lines + 1] = ("  context    %s = %s")
            :format(name, list_text(request_values(request, name:lower())))
    end
end


local function gate_lines(lines, gates)
    local names = {}
    for name, state in pairs(gates) do
        if state ~= "NotAttached" then
            names[#names + 1] = name
        end
    end
    table.sort(names)
    lines[#lines + 1] = "gates"
    for _, name in ipairs(names) do
        lines[#lines + 1] = ("  %-9s  %s"):format(name, gates[name])
    end
end


local function nearest_lines(lines, nearest)
    local statement = nearest.statement
    lines[#lines + 1] = "nearest miss"
    lines[#lines + 1] = "  " .. name_of(statement)
    quote(lines, statement)
    lines[#lines + 1] = "  the request would have needed"
    for _, miss in ipairs(nearest.misses) do
        lines[#lines + 1] = "    " .. need_text(statement, miss)
    end
end


local function is_deciding(deciding, statement)
    return deciding and deciding.policy_type == statement.policy_type
        and deciding.policy_index == statement.policy_index
        and deciding.statement_index == statement.index
end


local Explanation = {}
Explanation.__index = Explanation

function Explanation:__tostring()
    local lines = { self.summary }
    request_lines(lines, self.request)
    gate_lines(lines, self.gates or {})
    for _, statement in ipairs(self.statements) do
        if is_deciding(self.deciding, statement) then
            lines[#lines + 1] = "decided by"
            lines[#lines + 1] = "  " .. name_of(statement)
            quote(lines, statement)
        end
    end
    if self.nearest then
        nearest_lines(lines, self.nearest)
    end
    lines[#lines + 1] = "statements"
    for _, statement in ipairs(self.statements) do
        statement_lines(lines, statement)
    end
    if #self.statements == 0 then
        lines[#lines + 1] = "  none"
    end
    return table.concat(lines, "\n")
end

function Explanation.__concat(left, right)
    return tostring(left) .. tostring(right)
end


-- ---- Public ----------------------------------------------------------------


local function why(self)
    if self.reason == "error" then
        return "the decision failed: " .. tostring(self.error)
    elseif self.deciding then
        return ("the %s %s it"):format(GATES[self.deciding.policy_type] or "policy",
                                       self.allowed and "allows" or "denies")
    elseif self.because then
        return self.because
    end
    local gate = self.reason:match("^no_allow_(.+)$")
    if self.gates and self.gates[gate] == "NotAttached" then
        return ("there is no %s to allow it"):format(GATES[gate] or gate)
    end
    return ("no statement of the %s allows it"):format(GATES[gate] or tostring(gate))
end


--- The decision in one line: outcome, why, and the reason's name.
-- @treturn string
function Decision:summary()
    return ("%s: %s (%s)"):format(self.decision, why(self), self.reason)
end


--- The place and name of the deciding statement.
-- @treturn string|nil nil when no statement decided
function Decision:by()
    return self.deciding and name_of(self.deciding)
end


--- Says why: every statement that was asked, what failed in it, and what the nearest Allow would
-- have needed. Asked for the first time it evaluates once more; later it answers the same table.
-- @treturn table `{decision, reason, deciding, gates, match_kind, same_account, statements,
-- nearest, request}`; `tostring` gives the form for people
function Decision:explain()
    if not self.explanation then
        local statements = explain_statements(self.trace)
        self.explanation = setmetatable({
            summary = self:summary(),
            decision = self.decision,
            reason = self.reason,
            deciding = self.deciding,
            gates = self.gates,
            match_kind = self.match_kind,
            same_account = self.same_account,
            request = self.trace.request,
            statements = statements,
            nearest = nearest_miss(self.reason, statements),
        }, Explanation)
    end
    return self.explanation
end


return _M
