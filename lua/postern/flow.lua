--- Flows: the sets of every gate, asked and combined into one decision.
--
-- A flow pack says which gates bind a caller and what their outcomes mean together; this module
-- asks the sets. It is total: whatever goes wrong, the answer is a decision and never an allow.
--
-- *Dependencies*: postern.decision, postern.request
--
-- @module postern.flow
local decision = require("postern.decision")
local requests = require("postern.request")


local _M = {}
local Flow = {}
Flow.__index = Flow


--- The flow pack that is used when the configuration names none.
_M.DEFAULT = "iam"


local LEVELS = { scp = true, rcp = true } -- one set for each organisation level
local OK = 0


local function known_gate(pack, name)
    for _, gate in ipairs(pack.gates) do
        if gate == name then
            return true
        end
    end
    return false
end


local function entries_of(name, sets)
    local entries, first_policy = {}, 0
    for level, set in ipairs(sets) do
        local request, err = requests.new(set)
        if not request then
            return nil, err
        end
        entries[level] = {
            type = name, set = set, request = request, first_policy = first_policy,
        }
        first_policy = first_policy + set:policy_count()
    end
    return entries
end


--- Makes a flow for the sets of some gates.
-- @tparam table pack a flow pack, see `postern.rules`
-- @tparam table gates gate to set; for `scp` and `rcp` a list of sets, one for each organisation
-- level, root first; a gate that is absent is not attached
-- @tparam[opt] table config what the pack's `check` takes
-- @treturn Flow|nil
-- @treturn string why not
function _M.new(pack, gates, config)
    local ok, err = pack.check(config or {})
    if not ok then
        return nil, err
    end
    local attached, entries = {}, {}
    for name, sets in pairs(gates) do
        if not known_gate(pack, name) then
            error(("the flow `%s` has no gate `%s`"):format(pack.name, tostring(name)), 2)
        end
        if not LEVELS[name] then
            sets = { sets }
        end
        if #sets > 0 then
            entries[name], err = entries_of(name, sets)
            if not entries[name] then
                return nil, tostring(err)
            end
            attached[name] = true
        end
    end
    return setmetatable({
        pack = pack, config = config or {}, attached = attached, entries = entries,
    }, Flow)
end


-- Asks one set: its result for the pack and the entry for the trace, or nil and an error.
local function ask(entry, source, bounded)
    local ok, err = entry.request:fill(source, bounded)
    if not ok then
        return nil, err
    end
    local outcome, match, statement, key, status = entry.request:evaluate()
    if status ~= OK then
        return nil, "the request cannot be used: " .. tostring(requests.statuses[status])
    elseif outcome == requests.UNDECIDED then
        return nil, ("the value of `%s` is needed"):format(entry.set:key_name(key) or "?")
    end
    return { outcome = requests.outcomes[outcome], match = requests.matches[match] }, {
        type = entry.type,
        set = entry.set,
        request = entry.request,
        first_policy = entry.first_policy,
        bounded = bounded,
        statement = statement,
    }
end


-- Asks every gate that binds the caller, in the pack's order.
local function ask_all(self, caller, source)
    local results, asked = {}, {}
    for _, name in ipairs(self.pack.gates) do
        local entries = self.entries[name]
        if entries then
            results[name] = {}
            for level, entry in ipairs(caller.skips[name] and {} or entries) do
                local bounded = name == "resource" and caller.bounded
                local result, entry_asked = ask(entry, source, bounded)
                if not result then
                    error(entry_asked, 0)
                end
                results[name][level] = result
                asked[#asked + 1] = entry_asked
                asked[name .. level] = entry_asked
            end
        end
    end
    return results, asked
end


local function decide(self, source)
    for _, element in ipairs({ "action", "resource" }) do
        if type(source[element]) ~= "string" then
            error(("%s: give a string"):format(element), 0)
        end
    end
    local caller = self.pack.caller(source, self.attached, self.config)
    local results, asked = ask_all(self, caller, source)
    local verdict = self.pack.decide(results, caller, self.config)
    local deciding = verdict.gate and asked[verdict.gate .. verdict.level]
    return decision.new(verdict, { request = source, entries = asked }, deciding)
end


--- Decides a request with every gate.
-- @tparam table source `{principal, action, resource, resourceAccount, context}`, see `fill` of
-- `postern.request`; leave it unchanged as long as the decision may be asked to explain
-- @treturn Decision with reason `error` when the request, a set or the pack failed
function Flow:decide(source)
    local ok, decided = pcall(decide, self, source)
    if ok then
        return decided
    end
    return decision.new({
        decision = decision.outcomes.IMPLICITLY_DENIED,
        reason = "error",
        error = tostring(decided),
    }, { request = source, entries = {} })
end


return _M
