--- Hooks: looking at decisions, and narrowing them.
--
-- A hook may deny a request before any policy is asked, deny what the policies allowed, and add
-- obligations and response headers. No hook can turn a deny into Allowed: what a hook sees of the
-- decision is a copy, what it answers is read member by member, and the only outcome that can be
-- asked for is a deny. A hook that fails denies, with reason `error`; one of `log` comes too late
-- for that, so it is told to the operator.
--
-- *Dependencies*: postern.decision (runners are handed in)
--
-- @module postern.hooks
local bit = require("bit")
local decisions = require("postern.decision")


local _M = {}
local Hooks = {}
Hooks.__index = Hooks


local FORBIDDEN = 403

-- Of a pack that says nothing else.
local PRIORITY = 100

local ANSWERS = {
    before = { deny = "string", status = "number", headers = "table" },
    after = { deny = "string", status = "number", headers = "table", obligations = "table" },
}


local PHASES = { "before", "after", "log" }

--- Makes the hooks of an estate.
-- @tparam {Runner,...} runners of hooks packs
-- @tparam function log `function(message)`, for the operator
-- @treturn Hooks|nil nil when there are none
function _M.new(runners, log)
    if #runners == 0 then
        return nil
    end
    local self = setmetatable({ before_hooks = {}, after_hooks = {}, log_hooks = {}, tell = log,
                                failures = 0 }, Hooks)
    local ordered = { unpack(runners) }
    table.sort(ordered, function(left, right)
        local first, second = left.pack.priority or PRIORITY, right.pack.priority or PRIORITY
        if first ~= second then
            return first < second
        end
        return left.pack.name < right.pack.name
    end)
    for _, runner in ipairs(ordered) do
        for _, phase in ipairs(PHASES) do
            if runner.pack[phase] then
                table.insert(self[phase .. "_hooks"], runner)
            end
        end
    end
    return self
end


local function copied(members)
    local copy = {}
    for name, value in pairs(members or {}) do
        copy[name] = value
    end
    return copy
end


-- ---- Answers ---------------------------------------------------------------


-- Longer texts are no reason, obligation or header: a client would have to take them.
local LONGEST_TEXT = 8192

-- Headers by which the host tells where an answer ends.
local FRAMING = { ["content-length"] = true, ["transfer-encoding"] = true, connection = true }


local function is_text(value)
    return type(value) == "string" and #value <= LONGEST_TEXT
end


local function are_texts(members)
    for name, value in pairs(members) do
        if not is_text(name) or not is_text(value) then
            return false
        end
    end
    return true
end


-- Header names, and values that cannot end the line they stand on.
local function are_headers(members)
    for name, value in pairs(members) do
        if not name:find("^[%w!#$%%&'*+.^_`|~-]+$") or FRAMING[name:lower()]
            or value:gsub("\t", ""):find("%c") then
            return false
        end
    end
    return true
end


-- What somebody raised or answered, as text. A table is not asked: it may have a `__tostring`.
local function told(value)
    local kind = type(value)
    if kind == "string" or kind == "number" or kind == "boolean" then
        return tostring(value)
    end
    return "an error that is a " .. kind
end


local function check_member(name, value, wanted)
    if not wanted then
        return ("answered the unknown member `%s`")
            :format(type(name) == "table" and "a table" or tostring(name))
    elseif type(value) ~= wanted then
        return ("answered a `%s` that is a %s: make it a %s"):format(name, type(value), wanted)
    elseif wanted == "table" and not are_texts(value) then
        return ("answered `%s` that are not names with texts of %d bytes at most")
            :format(name, LONGEST_TEXT)
    elseif wanted == "string" and not is_text(value) then
        return ("answered a `%s` of more than %d bytes"):format(name, LONGEST_TEXT)
    end
    return nil
end


local function check_answer(answer, phase)
    if type(answer) ~= "table" or getmetatable(answer) ~= nil then
        return "answered something that is no plain table"
    end
    for name, value in next, answer do
        local wrong = check_member(name, value, ANSWERS[phase][name])
        if wrong then
            return wrong
        end
    end
    if answer.headers and not are_headers(answer.headers) then
        return "answered `headers` that are none, or that are the host's to set"
    elseif answer.status and not (answer.status >= 400 and answer.status <= 599
        and answer.status % 1 == 0) then
        return "answered a `status` that denies nothing: give 400 to 599"
    elseif not answer.deny and (answer.status or phase == "before") then
        return "answered without a `deny`: say why"
    end
    return nil
end


local function name_of(runner)
    return "hooks/" .. runner.pack.name
end


-- What a hook answers, checked: a table or nil, or nil and what went wrong.
local function ask(runner, phase, ...)
    local ok, answer, err = pcall(runner.pack[phase], ...)
    if not ok then
        err = told(answer)
    elseif answer ~= nil then
        err = check_answer(answer, phase)
    end
    if err ~= nil then
        return nil, ("the hook `%s` failed: %s"):format(name_of(runner), told(err))
    end
    return answer
end


-- ---- The three phases ------------------------------------------------------


--- Asks the hooks that may deny before any policy is asked.
-- @tparam table context
-- @treturn table|nil the deny of the first that denies or fails: `reason`, `error`, `status`,
-- `hook`, `headers`
function Hooks:before(context)
    for _, runner in ipairs(self.before_hooks) do
        local answer, err = ask(runner, "before", context, runner.config, runner.tools)
        if err then
            return { reason = "error", error = err, hook = name_of(runner) }
        elseif answer and answer.deny then
            return { reason = "hook", error = answer.deny, status = answer.status or FORBIDDEN,
                     hook = name_of(runner), headers = copied(answer.headers) }
        end
    end
    return nil
end


local function add_all(decision, member, added)
    for name, value in pairs(added or {}) do
        decision[member] = decision[member] or {}
        decision[member][name] = value
    end
end


--- Shows a decision to the hooks that may narrow it, and adds what they want added.
-- @tparam table context
-- @tparam Decision decision its `obligations` and `headers` are set, tables from name to text
-- @treturn table|nil a deny to put in its place, as of `before`
function Hooks:after(context, decision)
    for _, runner in ipairs(self.after_hooks) do
        local answer, err = ask(runner, "after", context, decisions.view(decision), runner.config,
                                runner.tools)
        if err then
            return { reason = "error", error = err, hook = name_of(runner) }
        elseif answer then
            add_all(decision, "headers", answer.headers)
            add_all(decision, "obligations", answer.obligations)
            if answer.deny and decision.allowed then
                return { reason = "hook", error = answer.deny, hook = name_of(runner),
                         status = answer.status or FORBIDDEN, headers = decision.headers,
                         obligations = decision.obligations }
            end
        end
    end
    return nil
end


--- Shows a decision to those who only want to know.
-- @tparam table context
-- @tparam Decision decision
function Hooks:log(context, decision)
    for _, runner in ipairs(self.log_hooks) do
        local ok, err = pcall(runner.pack.log, context, decisions.view(decision), runner.config,
                              runner.tools)
        if not ok then
            self.failures = self.failures + 1
            -- Each decision may fail alike: the first is told, the second, fourth, eighth ...
            if bit.band(self.failures, self.failures - 1) == 0 then
                self.tell(("the hook `%s` failed: %s (%d failures of hooks so far)")
                    :format(name_of(runner), told(err), self.failures))
            end
        end
    end
end


return _M
