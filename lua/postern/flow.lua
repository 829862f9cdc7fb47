--- Flows: the sets of every gate, asked and combined into one decision.
--
-- A flow pack says which gates bind a caller and what their outcomes mean together; this module
-- asks the sets. It is total: whatever goes wrong, the answer is a decision and never an allow.
--
-- **Views.** Gates may see one request differently. A pack's `principal_for(gate, request, caller)`
-- and `context_for(gate, request, caller)` answer the principal and the context for one gate,
-- `resources_for(gate, request, caller)` a list of resources that all have to pass it. A pack
-- without them shows every gate the request as it is.
--
-- **The authorizer.** A pack may stop half way: `decide` answers
-- `{ need = "authorizer", gate = NAME, ttl = SECONDS }` when the gates asked so far leave the
-- outcome to an authorizer that nobody has called yet. The flow then obtains the authorizer's
-- policy, compiles it as a set of type `identity`, asks that set, puts its result where the results
-- of the gate belong, and asks `decide` again. An authorizer that fails leaves
-- `{ failure = { status =, error = } }` there instead. The policy comes from the first of
--
--   1. `request.gateway.authorizer`, for whoever knows the answer beforehand: the text of a policy,
--      or `{ error =, status = }`; it is taken before the first `decide`;
--   2. the cache: sets, never decisions, so that a cached policy is asked anew for every request;
--   3. the function `authorizer` of `new`.
--
-- That policy may mention condition keys that no attached policy mentions; the function `fill_keys`
-- of `new` is asked for them.
--
-- *Dependencies*: postern.cache, postern.decision, postern.request, postern.set
--
-- @module postern.flow
local caches = require("postern.cache")
local decision = require("postern.decision")
local requests = require("postern.request")
local sets = require("postern.set")


local _M = {}
local Flow = {}
Flow.__index = Flow


--- The flow pack that is used when the configuration names none.
_M.DEFAULT = "iam"


local LEVELS = { scp = true, rcp = true } -- one set for each organisation level
local OPTIONS = { authorizer = "function", authorizer_key = "function", cache = "table",
                  now = "function", fill_keys = "function" }
local OK = 0
local UNAUTHORIZED, FAILED = 401, 500 -- what an authorizer that gives no policy is answered with


local function known_gate(pack, name)
    for _, gate in ipairs(pack.gates) do
        if gate == name then
            return true
        end
    end
    return false
end


local function entry_of(name, set, first_policy)
    local request, err = requests.shared(set)
    if not request then
        return nil, err
    end
    return { type = name, set = set, request = request, first_policy = first_policy }
end


local function entries_of(name, level_sets)
    local entries, first_policy = {}, 0
    for level, set in ipairs(level_sets) do
        local err
        entries[level], err = entry_of(name, set, first_policy)
        if not entries[level] then
            return nil, err
        end
        first_policy = first_policy + set:policy_count()
    end
    return entries
end


local function check_options(options)
    for name, value in pairs(options) do
        if not OPTIONS[name] then
            error(("unknown option `%s`"):format(tostring(name)), 3)
        elseif type(value) ~= OPTIONS[name] then
            error(("`%s` is a %s: give a %s"):format(name, type(value), OPTIONS[name]), 3)
        end
    end
    if options.authorizer_key and not (options.cache or options.now) then
        error("`authorizer_key` makes a cache: give it a clock in `now`", 3)
    end
end


--- Makes a flow for the sets of some gates.
-- @tparam table pack a flow pack, see `postern.rules`
-- @tparam table gates gate to set; for `scp` and `rcp` a list of sets, one for each organisation
-- level, root first; a gate that is absent is not attached
-- @tparam[opt] table config what the pack's `check` takes
-- @tparam[opt] table options `authorizer`: `function(request)` answering the text of a policy, or
-- nil, why not, and 401 when it refuses the caller; it is called without a lock and may yield.
-- `authorizer_key`: `function(request)` answering the identity sources of the request (and the
-- stage) as one text, under which the policy is cached, or nil when the request lacks one, which
-- refuses it without a call; without this function nothing is cached. `now`: the clock of the
-- cache, in seconds; or `cache`: one's own, see `postern.cache`. `fill_keys`:
-- `function(set, request)` answering the keys that the authorizer's set mentions with their values,
-- all of them resolved, or nil and why not; what the request's context already has is kept
-- @treturn Flow|nil
-- @treturn string why not
function _M.new(pack, gates, config, options)
    options = options or {}
    check_options(options)
    local ok, err = pack.check(config or {})
    if not ok then
        return nil, err
    end
    local attached, entries = {}, {}
    for name, level_sets in pairs(gates) do
        if not known_gate(pack, name) then
            error(("the flow `%s` has no gate `%s`"):format(pack.name, tostring(name)), 2)
        end
        if not LEVELS[name] then
            level_sets = { level_sets }
        end
        if #level_sets > 0 then
            entries[name], err = entries_of(name, level_sets)
            if not entries[name] then
                return nil, tostring(err)
            end
            attached[name] = true
        end
    end
    return setmetatable({
        pack = pack, config = config or {}, attached = attached, entries = entries,
        authorizer = options.authorizer,
        authorizer_key = options.authorizer_key,
        fill_keys = options.fill_keys,
        cache = options.cache or options.authorizer_key and caches.new({ now = options.now }),
    }, Flow)
end


-- ---- Asking the gates ------------------------------------------------------


-- Asks one set: its result for the pack and the entry for the trace.
local function ask(entry, view, bounded)
    local ok, err = entry.request:fill(view, bounded)
    if not ok then
        error(err, 0)
    end
    local outcome, match, statement, key, status = entry.request:evaluate()
    if status ~= OK then
        error("the request cannot be used: " .. tostring(requests.statuses[status]), 0)
    elseif outcome == requests.UNDECIDED then
        error({ needs = entry.set:key_name(key) }, 0)
    end
    return { outcome = requests.outcomes[outcome], match = requests.matches[match] }, {
        type = entry.type,
        set = entry.set,
        request = entry.request,
        first_policy = entry.first_policy,
        source = view,
        bounded = bounded,
        statement = statement,
    }
end


-- The request as a gate sees it, once for each resource it is asked about.
local function views_of(pack, gate, source, caller)
    if not pack.principal_for and not pack.context_for and not pack.resources_for then
        return { source }
    end
    local principal, context, views = source.principal, source.context, {}
    if pack.principal_for then
        principal = pack.principal_for(gate, source, caller)
    end
    if pack.context_for then
        context = pack.context_for(gate, source, caller)
    end
    local resources = pack.resources_for and pack.resources_for(gate, source, caller)
    for i, resource in ipairs(resources or { source.resource }) do
        views[i] = {
            principal = principal, action = source.action, resource = resource, context = context,
        }
    end
    return views
end


-- Asks the sets of one gate. Its results and the entries asked are lists of the same order.
local function ask_gate(self, name, entries, run)
    local results, asked = {}, {}
    local views = views_of(self.pack, name, run.source, run.caller)
    for _, entry in ipairs(entries) do
        for _, view in ipairs(views) do
            local n = #results + 1
            results[n], asked[n] = ask(entry, view, run.caller.bounded)
            run.trace[#run.trace + 1] = asked[n]
        end
    end
    run.results[name], run.asked[name] = results, asked
end


local NOTHING = {}

-- Asks every gate that binds the caller, in the pack's order.
local function ask_all(self, run)
    for _, name in ipairs(self.pack.gates) do
        local entries = self.entries[name]
        if entries then
            ask_gate(self, name, run.caller.skips[name] and NOTHING or entries, run)
        end
    end
end


-- ---- The authorizer --------------------------------------------------------


local function failure(status, err)
    return { status = status, error = tostring(err) }
end


local function compile_answer(gate, text)
    if type(text) ~= "string" then
        return nil, failure(FAILED, "the authorizer answers no policy")
    end
    local set, err = sets.compile(text, {
        type = "identity", strictness = "structural", name = "authorizer policy",
    })
    if not set then
        return nil, failure(FAILED, err)
    end
    local entry
    entry, err = entry_of(gate, set, 0)
    return entry, not entry and failure(FAILED, err) or nil
end


local function entry_of_answer(gate, text, err, status)
    if text == nil then
        return nil, failure(status == UNAUTHORIZED and UNAUTHORIZED or FAILED,
                            err or "the authorizer fails")
    end
    return compile_answer(gate, text)
end


-- Asks the cache, then the authorizer: an entry, or nil and the failure. Failures are not cached.
local function call_authorizer(self, source, need)
    if not self.authorizer then
        return nil, failure(FAILED, "the API has no authorizer")
    end
    local key
    if self.authorizer_key then
        key = self.authorizer_key(source)
        if key == nil then
            return nil, failure(UNAUTHORIZED, "the request lacks the authorizer's identity source")
        end
        local cached = self.cache:get(key)
        if cached then
            return cached
        end
    end
    local ok, text, err, status = pcall(self.authorizer, source)
    if not ok then
        return nil, failure(FAILED, text)
    end
    local entry, failed = entry_of_answer(need.gate, text, err, status)
    if entry and key ~= nil then
        self.cache:put(key, entry, need.ttl)
    end
    return entry, failed
end


-- The request with the keys that a set mentions. A copy: the other gates saw it without them.
local function with_keys(self, set, source)
    local values, err = self.fill_keys(set, source)
    if not values then
        error(tostring(err), 0)
    end
    local copy, context, known = {}, {}, {}
    for name, value in pairs(source) do
        copy[name] = value
    end
    for name, value in pairs(source.context or {}) do
        context[name], known[tostring(name):lower()] = value, true
    end
    for name, value in pairs(values) do
        if not known[name:lower()] then
            context[name] = value
        end
    end
    copy.context = context
    return copy
end


-- Puts what the authorizer says in the place of a gate. That gate binds the caller from here on.
local function hand_over(self, run, gate, entry, failed)
    run.caller.skips[gate] = nil
    if entry then
        if self.fill_keys then
            run.source = with_keys(self, entry.set, run.source)
        end
        ask_gate(self, gate, { entry }, run)
    else
        run.results[gate] = { failure = failed }
    end
end


-- What the request says the authorizer has answered, for packs that have a place for it.
local function take_given(self, run)
    local gate = run.caller.authorizer_gate
    local given = run.source.gateway and run.source.gateway.authorizer
    if gate and given ~= nil then
        if type(given) == "table" then
            hand_over(self, run, gate, entry_of_answer(gate, nil, given.error, given.status))
        else
            hand_over(self, run, gate, compile_answer(gate, given))
        end
    end
end


-- ---- The decision ----------------------------------------------------------


-- A pack may list the action prefixes it knows about; what it says of others means nothing.
local function check_service(pack, action)
    local service = (action:match("^([^:]*):") or action):lower()
    for _, name in ipairs(pack.services) do
        if name == service then
            return
        end
    end
    error(("the flow `%s` decides no actions of `%s`"):format(pack.name, service), 0)
end


local function check_source(pack, source)
    for _, element in ipairs({ "action", "resource" }) do
        if type(source[element]) ~= "string" then
            error(("%s: give a string"):format(element), 0)
        end
    end
    if pack.services then
        check_service(pack, source.action)
    end
end


local function decide(self, source)
    local pack, config = self.pack, self.config
    check_source(pack, source)
    local run = {
        source = source,
        caller = pack.caller(source, self.attached, config),
        results = {}, -- gate to its results, for the pack
        asked = {},   -- gate to the entries behind them
        trace = {},   -- all entries, in the order they were asked
    }
    ask_all(self, run)
    take_given(self, run)
    local verdict = pack.decide(run.results, run.caller, config)
    if verdict.need == "authorizer" then
        -- This may yield. Nothing that others could change in between is read afterwards.
        hand_over(self, run, verdict.gate, call_authorizer(self, source, verdict))
        verdict = pack.decide(run.results, run.caller, config)
    end
    if verdict.need then
        error(("the flow `%s` needs `%s`, which nobody gives"):format(pack.name, verdict.need), 0)
    end
    local deciding = verdict.gate and run.asked[verdict.gate][verdict.level]
    return decision.new(verdict, { request = source, entries = run.trace }, deciding)
end


--- Decides a request with every gate.
-- @tparam table source `{principal, action, resource, resourceAccount, context}`, see `fill` of
-- `postern.request`, and what the pack reads beyond that (`gateway` of the API Gateway flow); leave
-- it unchanged as long as the decision may be asked to explain
-- @treturn Decision with reason `error` when the request, a set or the pack failed; `needs` is then
-- the key, if it depends on one that is unresolved
function Flow:decide(source)
    local ok, decided = pcall(decide, self, source)
    if ok then
        return decided
    end
    local needs = type(decided) == "table" and decided.needs or nil
    local failed = decision.new({
        decision = decision.outcomes.IMPLICITLY_DENIED,
        reason = "error",
        error = needs and ("the value of `%s` is needed"):format(needs) or tostring(decided),
    }, { request = source, entries = {} })
    failed.needs = needs
    return failed
end


return _M
