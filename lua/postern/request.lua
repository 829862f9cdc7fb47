--- Requests: what is known of one call, as the cells of one set.
--
-- `principal` to `unresolved` and `evaluate` are the hot path: they make no garbage and compile.
-- They answer a status; 0 is good, and the core never allows a request a call has failed on, so a
-- caller may look at the statuses or only at the outcome. `fill` is the comfortable way. Indexes of
-- keys and statements are the core's and count from 0.
--
-- *Dependencies*: postern.ffi
--
-- @module postern.request
local ffi = require("ffi")
local bit = require("bit")
local core = require("postern.ffi")

local lib = core.lib
local text_of = core.text


local _M = {}
local Request = {}
Request.__index = Request


local BOUNDED = lib.POSTERN_BOUNDED
local VALUE = lib.POSTERN_VALUE

local err = ffi.new("postern_error")
local span = ffi.new("postern_span")
local verdict = ffi.new("postern_verdict")

local STATUSES = core.names("status")
local ELEMENTS = core.names("element")
local ELEMENT_NUMBERS = {}
for number, name in pairs(ELEMENTS) do
    ELEMENT_NUMBERS[name] = number
end
local TRUTHS = {
    [lib.POSTERN_NO] = false,
    [lib.POSTERN_YES] = true,
    [lib.POSTERN_UNKNOWN] = "unknown",
}


-- What a refused text is told; the core's status alone says little to a person.
local REFUSALS = {
    [lib.POSTERN_NO_MEMORY] = "out of memory",
    [lib.POSTERN_LIMIT] = "too long",
    [lib.POSTERN_VALUE] = "not valid UTF-8",
}


--- Outcomes by number, as `evaluate` answers them.
_M.outcomes = core.names("outcome")

--- Principal matches by number.
_M.matches = core.names("match")

--- Statuses by number.
_M.statuses = STATUSES

--- The outcome that is an allow; every other one is not.
_M.ALLOWED = lib.POSTERN_ALLOWED

--- The outcome that asks for the value of an unresolved key.
_M.UNDECIDED = lib.POSTERN_UNDECIDED

--- The value, in the context of `fill`, of a key that nobody has looked up yet.
_M.UNRESOLVED = setmetatable({}, {
    __newindex = function()
        error("UNRESOLVED is read-only", 2)
    end,
})


local function free(handle)
    lib.postern_request_free(handle)
end


--- Makes a request for one set. It serves any number of calls, one after the other.
-- @tparam Set set
-- @treturn Request|nil
-- @treturn table why not
function _M.new(set)
    local handle = core.own(lib.postern_request_new(set.handle, nil, err), free)
    if not handle then
        return nil, core.failure("request", err)
    end
    return setmetatable({
        handle = handle,
        set = set, -- must outlive the handle
        result = ffi.new("postern_decision"),
        filled = {}, -- key to the turn that filled it; see put_context
        turn = 0,
        refused = false,
    }, Request)
end


local shared -- made for the first set that is asked for

--- The one request that is shared by all who fill and evaluate it in one go, without yielding in
-- between; it is like new and bound to the set. However many sets there are, its memory stays in
-- the processor's caches.
-- @tparam Set set
-- @treturn Request|nil good until the next call
-- @treturn table why not
function _M.shared(set)
    if not shared then
        local failed
        shared, failed = _M.new(set)
        return shared, failed
    end
    if lib.postern_request_bind(shared.handle, set.handle) ~= 0 then
        return nil, "out of memory"
    end
    shared.set = set
    shared.turn = shared.turn + 1
    shared.refused = false
    return shared
end


--- Makes the request like new, but keeps its memory.
function Request:reset()
    self.turn = self.turn + 1
    self.refused = false
    lib.postern_request_reset(self.handle)
end


--- Says who asks.
-- @tparam string text `*`, an ARN, a service or a canonical user id
-- @tparam[opt=false] boolean bounded the caller has a permissions boundary
-- @treturn number status
function Request:principal(text, bounded)
    return lib.postern_request_principal(self.handle, text, #text, bounded and BOUNDED or 0)
end


--- Says what is asked for.
-- @tparam string text `service:Name`
-- @treturn number status
function Request:action(text)
    return lib.postern_request_action(self.handle, text, #text)
end


--- Says on what.
-- @tparam string text an ARN
-- @treturn number status
function Request:resource(text)
    return lib.postern_request_resource(self.handle, text, #text)
end


--- Gives a key one value.
-- @tparam number key
-- @tparam string text
-- @treturn number status
function Request:put(key, text)
    return lib.postern_request_put(self.handle, key, text, #text)
end


--- Gives a key an empty list of values.
-- @tparam number key
-- @treturn number status
function Request:list(key)
    return lib.postern_request_list(self.handle, key)
end


--- Gives the list of a key one value more, before another key is touched.
-- @tparam number key
-- @tparam string text
-- @treturn number status
function Request:append(key, text)
    return lib.postern_request_append(self.handle, key, text, #text)
end


--- Says that nobody has looked for a key's value yet.
-- @tparam number key
-- @treturn number status
function Request:unresolved(key)
    return lib.postern_request_unresolved(self.handle, key)
end


--- Decides the request with its set.
-- @treturn number outcome, a key of `outcomes`
-- @treturn number how the principal was matched, a key of `matches`
-- @treturn number the deciding statement, or -1
-- @treturn number undecided: the key that is needed, else -1
-- @treturn number status; not 0: the request was unusable, hence denied
function Request:evaluate()
    local result = self.result
    if self.refused then
        return lib.POSTERN_IMPLICITLY_DENIED, 0, -1, -1, VALUE
    end
    local outcome = lib.postern_evaluate(self.set.handle, self.handle, result)
    return outcome, result.match, result.statement, result.key, result.status
end


-- ---- The comfortable way ---------------------------------------------------


local function refusal(status)
    return REFUSALS[status] or STATUSES[status]
end


-- The shortest decimal that reads back as the same number.
local function number_text(number)
    for precision = 14, 16 do
        local text = ("%%.%dg"):format(precision):format(number)
        if tonumber(text) == number then
            return text
        end
    end
    return ("%.17g"):format(number)
end


--- A context value as the text a policy is compared with.
-- @tparam string|number|boolean value
-- @treturn string|nil nil when the value is of another type, or not a finite number
function _M.value_text(value)
    local kind = type(value)
    if kind == "string" then
        return value
    elseif kind == "number" and value == value and math.abs(value) ~= math.huge then
        return number_text(value)
    elseif kind == "boolean" then
        return tostring(value)
    end
    return nil
end


local function bad_value(name)
    return ("context `%s`: give a string, a number, a boolean, or a list of these"):format(name)
end


-- The functions below call the core without the methods above: LuaJIT gives up on small functions
-- that are called from several short loops, and then on everything around them.


local function put_list(self, key, name, list)
    lib.postern_request_list(self.handle, key)
    local count = 0
    for _ in pairs(list) do
        count = count + 1
    end
    if count ~= #list then
        return bad_value(name)
    end
    for i = 1, count do
        local text = list[i]
        if type(text) ~= "string" then
            text = _M.value_text(text)
        end
        if not text then
            return bad_value(name)
        end
        local status = lib.postern_request_append(self.handle, key, text, #text)
        if status ~= 0 then
            return ("context `%s`: value %d cannot be taken: %s"):format(name, i, refusal(status))
        end
    end
end


local function put_value(self, key, name, value)
    local text = value
    if type(text) ~= "string" then
        text = _M.value_text(text)
    end
    if not text then
        return bad_value(name)
    end
    local status = lib.postern_request_put(self.handle, key, text, #text)
    if status ~= 0 then
        return ("context `%s`: the value cannot be taken: %s"):format(name, refusal(status))
    end
end


-- Gives a key what a context holds for it; why not, when that cannot be taken.
local function put_any(self, key, name, value)
    if value == _M.UNRESOLVED then
        lib.postern_request_unresolved(self.handle, key)
        return nil
    elseif type(value) == "table" then
        return put_list(self, key, name, value)
    end
    return put_value(self, key, name, value)
end


local function put_context(self, context)
    local set, filled, turn = self.set.handle, self.filled, self.turn
    for name, value in pairs(context) do
        if type(name) ~= "string" then
            return ("context: a key is a string, not a %s"):format(type(name))
        end
        local key = lib.postern_set_find_key(set, name, #name)
        if key >= 0 then
            -- Two spellings of one key would let the order of a Lua table decide.
            if filled[key] == turn then
                return ("context `%s`: the key is given twice in different letter case")
                    :format(name)
            end
            filled[key] = turn
            local failed = put_any(self, key, name, value)
            if failed then
                return failed
            end
        end
    end
end


local function check_text(element, text)
    if type(text) ~= "string" or text == "" then
        return ("%s: give a text that is not empty"):format(element)
    end
end


local function check_status(element, status)
    if status ~= 0 then
        return ("%s: the text cannot be taken: %s"):format(element, refusal(status))
    end
end


local function fill_question(self, principal, action, resource, bounded)
    local failed = check_text("principal", principal) or check_text("action", action)
        or check_text("resource", resource)
    if failed then
        return failed
    end
    local handle, flags = self.handle, bounded and BOUNDED or 0
    return check_status("principal",
                        lib.postern_request_principal(handle, principal, #principal, flags))
        or check_status("action", lib.postern_request_action(handle, action, #action))
        or check_status("resource", lib.postern_request_resource(handle, resource, #resource))
end


local function fill_all(self, source, bounded)
    return fill_question(self, source.principal or "*", source.action, source.resource, bounded)
        or source.context and put_context(self, source.context) or nil
end


-- The other way round than `put_context`: the set's few keys are looked up in what is known.
local function put_named(self, view)
    local names, context, more, sees = self.set.names, view.context, view.more, view.sees
    for i = 1, #names do
        local name = names[i]
        local value = context[name]
        if value ~= nil and sees and not sees(view.gate, name, view.caller) then
            value = nil
        end
        if value == nil and more then
            value = more[name]
        end
        if value ~= nil then
            local failed = put_any(self, i - 1, name, value)
            if failed then
                return failed
            end
        end
    end
end


--- Fills a request that is like new with what one gate sees of a call.
-- @tparam table view `principal`, `action`, `resource`, `bounded` and `context` as for `fill`, the
-- keys in lower case; optionally `sees`, a `function(gate, key, caller)` that hides keys of the
-- context, with its `gate` and `caller`, and `more`, keys that are seen where the context has none
-- @treturn string|nil what cannot be taken; the request is then denied until the next reset
function Request:fill_view(view)
    local failed = fill_question(self, view.principal, view.action, view.resource, view.bounded)
        or put_named(self, view)
    if failed then
        self.refused = true
    end
    return failed
end


--- Resets the request and fills it. Keys that the set does not mention are passed over.
-- @tparam table source `principal` (absent: anonymous), `action`, `resource`, `context` (key to a
-- string, number, boolean, a list of these, or `UNRESOLVED`)
-- @tparam[opt=false] boolean bounded the caller has a permissions boundary
-- @treturn boolean|nil true
-- @treturn string what cannot be taken; the request is then denied until the next reset
function Request:fill(source, bounded)
    self:reset()
    local failed = fill_all(self, source, bounded)
    if failed then
        self.refused = true
        return nil, failed
    end
    return true
end


-- ---- Explaining ------------------------------------------------------------


local function verdict_table()
    local failed = {}
    for number, name in pairs(ELEMENTS) do
        if bit.band(verdict.failed, bit.lshift(1, number)) ~= 0 then
            failed[name] = true
        end
    end
    return {
        result = TRUTHS[verdict.result],
        match = _M.matches[verdict.match],
        failed_at = verdict.failed_at ~= lib.POSTERN_ELEMENT_NONE
            and ELEMENTS[verdict.failed_at] or nil,
        failed = failed,
        key = verdict.key,
    }
end


--- Why a statement matches the request or not.
-- @tparam number statement
-- @treturn table|nil `{result, match, failed_at, failed, key}`: `result` is true, false or
-- `"unknown"`; `failed` holds the names of the elements that failed, `failed_at` the first of them;
-- nil when there is no such statement
function Request:explain_statement(statement)
    if lib.postern_explain_statement(self.set.handle, self.handle, statement, verdict) ~= 0 then
        return nil
    end
    return verdict_table()
end


--- Whether a condition holds.
-- @tparam number statement
-- @tparam number condition
-- @treturn table|nil as `explain_statement`
function Request:explain_condition(statement, condition)
    local status = lib.postern_explain_condition(self.set.handle, self.handle, statement,
                                                 condition, verdict)
    if status ~= 0 then
        return nil
    end
    return verdict_table()
end


--- A policy value with its variables replaced, as it was compared.
-- @tparam number statement
-- @tparam number condition
-- @tparam number value
-- @treturn string|nil nil when a variable has no value
function Request:explain_value(statement, condition, value)
    local status = lib.postern_explain_value(self.set.handle, self.handle, statement, condition,
                                             value, span)
    if status ~= 0 then
        return nil
    end
    return text_of(span)
end


--- Whether one value of a statement meets the request on its own, before any negation.
-- @tparam number statement
-- @tparam string element `action`, `resource`, `principal` or `condition`
-- @tparam number value its place among the element's or the condition's values, from 0
-- @tparam[opt] number condition which condition, for that element
-- @treturn boolean|string|nil true, false, `"unknown"`; nil when there is no such value
function Request:explain_match(statement, element, value, condition)
    local number = ELEMENT_NUMBERS[element] or error("no such element: " .. tostring(element), 2)
    local status = lib.postern_explain_match(self.set.handle, self.handle, statement, number,
                                             condition or 0, value, verdict)
    if status ~= 0 then
        return nil
    end
    return TRUTHS[verdict.result]
end


return _M
