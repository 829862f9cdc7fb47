--- Flows: the sets of every gate, asked and combined into one decision.
--
-- A flow pack says which gates bind a caller and what their outcomes mean together; this module
-- asks the sets. It is total: whatever goes wrong, the answer is a decision and never an allow.
--
-- **Views.** Gates may see one request differently. A pack's `principal_for(gate, request, caller)`
-- answers the principal for one gate, `sees(gate, key, caller)` whether the gate sees a condition
-- key of the request, `adds(gate, request, caller)` keys that it sees where the request has none,
-- and `resources_for(gate, request, caller)` a list of resources that all have to pass it. Keys are
-- in lower case. A pack without them shows every gate the request as it is.
--
-- **Resource policies.** A pack's `resource_policy(resource)` answers the ARN of the resource whose
-- policy speaks of a resource, which may be that one itself, and the most bytes of such a policy,
-- or nil. It is for whoever looks for the policy: an estate. Without it all speak for themselves.
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
--   2. `request.earlier`, the trace of a decision about the same call;
--   3. the cache: sets, never decisions, so that a cached policy is asked anew for every request;
--   4. the function `authorizer` of `new`.
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


local function entries_of(level_sets)
    local entries, first_policy = {}, 0
    for level, set in ipairs(level_sets) do
        entries[level] = { set = set, first_policy = first_policy }
        first_policy = first_policy + set:policy_count()
    end
    return entries
end


local function services_of(pack)
    local services = {}
    for _, name in ipairs(pack.services or {}) do
        services[name] = true
    end
    return pack.services and services
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
            entries[name], attached[name] = entries_of(level_sets), true
        end
    end
    return setmetatable({
        pack = pack, config = config or {}, attached = attached, entries = entries,
        services = services_of(pack),
        -- Used anew for every decision, between two points where it could yield.
        results = {}, lists = {}, view = {},
        authorizer = options.authorizer,
        authorizer_key = options.authorizer_key,
        fill_keys = options.fill_keys,
        cache = options.cache or options.authorizer_key and caches.new({ now = options.now }),
    }, Flow)
end


-- ---- Asking the gates ------------------------------------------------------


-- A run is one decision on its way: `request` (what is decided), `resource` (the set in the place
-- of the resource gate's), `context` (the keys, in lower case), `caller` (of the pack), and where
-- an authorizer has spoken `answer_gate` with `answer`, its entries, `answer_context`, its keys, or
-- `failed`. It stays with the decision, which asks it for what took part when it shall explain.
local Run = {}
Run.__index = Run


-- Everybody names the keys as they like; from here on they are in lower case.
local function folded(context)
    local same = true
    for name in pairs(context) do
        if type(name) ~= "string" then
            error(("context: a key is a string, not a %s"):format(type(name)), 0)
        end
        same = same and name:lower() == name
    end
    if same then
        return context
    end
    local lower = {}
    for name, value in pairs(context) do
        if lower[name:lower()] ~= nil then
            error(("context `%s`: the key is given twice in different letter case"):format(name), 0)
        end
        lower[name:lower()] = value
    end
    return lower
end


-- How a gate sees the request, but for the resource.
local function view_for(self, run, gate)
    local pack, view, request, caller = self.pack, self.view, run.request, run.caller
    view.principal = pack.principal_for and pack.principal_for(gate, request, caller)
        or request.principal or "*"
    view.action, view.bounded = request.action, caller.bounded
    view.context = gate == run.answer_gate and run.answer_context or run.context
    view.gate, view.caller, view.sees = gate, caller, pack.sees
    view.more = pack.adds and pack.adds(gate, request, caller) or nil
    return view
end


-- Asks one set and writes down the result.
local function ask(set, view, entry, result)
    local request, err = requests.shared(set)
    err = request and request:fill_view(view) or err
    if err then
        error(tostring(err), 0)
    end
    local outcome, match, statement, key, status = request:evaluate()
    if status ~= OK then
        error("the request cannot be used: " .. tostring(requests.statuses[status]), 0)
    elseif outcome == requests.UNDECIDED then
        error({ needs = set:key_name(key) }, 0)
    end
    result.outcome, result.match = requests.outcomes[outcome], requests.matches[match]
    result.entry, result.statement = entry, statement
end


local NOTHING = {}

-- The sets of a gate. An API brings its own resource policy where a flow serves many of them.
local function entries_for(self, run, gate)
    if gate == run.answer_gate then
        return run.answer
    elseif self.entries[gate] and run.caller.skips[gate] then
        return NOTHING
    end
    return self.entries[gate]
end


local function set_for(run, gate, entry)
    return gate == "resource" and run.resource or entry.set
end


-- The results of a gate, a list with one for each set and resource.
local function ask_gate(self, run, gate, entries)
    local results = self.lists[gate]
    if not results then
        results = {}
        self.lists[gate] = results
    end
    local view, resources, n = view_for(self, run, gate), nil, 0
    if self.pack.resources_for then
        resources = self.pack.resources_for(gate, run.request, run.caller)
    end
    for i = 1, #entries do
        local entry = entries[i]
        for k = 1, resources and #resources or 1 do
            view.resource = resources and resources[k] or run.request.resource
            n = n + 1
            results[n] = results[n] or {}
            ask(set_for(run, gate, entry), view, entry, results[n])
        end
    end
    for i = #results, n + 1, -1 do
        results[i] = nil
    end
    return results
end


-- Asks every gate that binds the caller, in the pack's order. The results are good until the next
-- decision of the flow.
local function ask_all(self, run)
    local results, gates = self.results, self.pack.gates
    for i = 1, #gates do
        local gate = gates[i]
        local entries = entries_for(self, run, gate)
        if entries then
            results[gate] = ask_gate(self, run, gate, entries)
        else
            results[gate] = gate == run.answer_gate and { failure = run.failed } or nil
        end
    end
    return results
end


-- ---- For explaining --------------------------------------------------------


-- What the gate sees of the request, as a table of its own.
local function shown(view, resource)
    local context = {}
    for name, value in pairs(view.more or NOTHING) do
        context[name] = value
    end
    for name, value in pairs(view.context) do
        if not view.sees or view.sees(view.gate, name, view.caller) then
            context[name] = value
        end
    end
    return {
        principal = view.principal, action = view.action, resource = resource, context = context,
    }
end


--- The statement that decided.
-- @treturn string|nil its gate; nil when none decided
-- @treturn Set
-- @treturn number the statement's index in the set
-- @treturn number the index of the set's first policy in the gate
function Run:deciding()
    if not self.by_gate then
        return nil
    end
    return self.by_gate, set_for(self, self.by_gate, self.by_entry), self.by_statement,
        self.by_entry.first_policy
end


--- The sets that were asked, in their order.
-- @treturn {table,...} `{type, set, first_policy, source, bounded}` each: `type` is the gate,
-- `first_policy` the index that the set's first policy has in it, `source` the request as it saw it
function Run:entries()
    local all = {}
    for _, gate in ipairs(self.flow.pack.gates) do
        for _, entry in ipairs(entries_for(self.flow, self, gate) or NOTHING) do
            local view = view_for(self.flow, self, gate)
            local resources = self.flow.pack.resources_for
                and self.flow.pack.resources_for(gate, self.request, self.caller)
            for _, resource in ipairs(resources or { self.request.resource }) do
                all[#all + 1] = {
                    type = gate, set = set_for(self, gate, entry),
                    first_policy = entry.first_policy, source = shown(view, resource),
                    bounded = self.caller.bounded,
                }
            end
        end
    end
    return all
end


-- ---- For asking again ------------------------------------------------------


--- What was asked, for whoever asks the same again with other values of the keys.
-- @treturn {table,...}|nil `{gate, level, entry, set, own, principal, bounded, names}` for each set
-- that was asked, in their order: `own` says that it is the set in the place of the resource
-- gate's, `names` has for each key of the set its name, or false where the gate does not see it;
-- nil when a gate is asked about other resources than the request's, or has keys of its own
function Run:asks()
    local flow, asks = self.flow, {}
    for _, gate in ipairs(flow.pack.gates) do
        local view = view_for(flow, self, gate)
        local entries = entries_for(flow, self, gate) or NOTHING
        local resources_for = flow.pack.resources_for
        if #entries > 0 and (view.more
            or resources_for and resources_for(gate, self.request, self.caller)) then
            return nil
        end
        for level, entry in ipairs(entries) do
            local set, names = set_for(self, gate, entry), {}
            for i, name in ipairs(set.names) do
                names[i] = (not view.sees or view.sees(gate, name, self.caller)) and name
            end
            asks[#asks + 1] = {
                gate = gate, level = level, entry = entry, set = set,
                own = gate == "resource" and set == self.resource, principal = view.principal,
                bounded = view.bounded, names = names,
            }
        end
    end
    return asks
end


--- What the pack makes of other answers to the same questions.
-- @tparam {table,...} asks of `asks`
-- @tparam {table,...} answers `{outcome, match}` for each, as results have them
-- @treturn table|nil the verdict; nil when the pack needs more
-- @treturn number|nil which of the asks decided
function Run:judge(asks, answers)
    local results = {}
    for _, gate in ipairs(self.flow.pack.gates) do
        results[gate] = entries_for(self.flow, self, gate) and {} or nil
    end
    for i, asked in ipairs(asks) do
        results[asked.gate][asked.level] = {
            outcome = answers[i].outcome, match = answers[i].match, entry = asked.entry, ask = i,
        }
    end
    local verdict = self.flow.pack.decide(results, self.caller, self.flow.config)
    if verdict.need then
        return nil
    end
    local result = verdict.gate and results[verdict.gate][verdict.level]
    return verdict, result and result.ask
end


--- The same way to another decision.
-- @tparam table request what was decided, its context in lower case
-- @tparam Set|nil resource as for `decide`
-- @tparam[opt] table by the ask whose statement decided
-- @tparam[opt] number statement
-- @treturn Run
function Run:again(request, resource, by, statement)
    local decided = by and statement >= 0 and by or NOTHING
    return setmetatable({
        flow = self.flow, request = request, resource = resource, context = request.context,
        caller = self.caller, by_gate = decided.gate, by_entry = decided.entry,
        by_statement = decided.gate and statement,
    }, Run)
end


-- ---- The authorizer --------------------------------------------------------


local function failure(status, err)
    return { status = status, error = tostring(err) }
end


local function compile_answer(text)
    if type(text) ~= "string" then
        return nil, failure(FAILED, "the authorizer answers no policy")
    end
    local set, err = sets.compile(text, {
        type = "identity", strictness = "structural", name = "authorizer policy",
    })
    if not set then
        return nil, failure(FAILED, err)
    end
    return { { set = set, first_policy = 0 } }
end


local function answer_of(text, err, status)
    if text == nil then
        return nil, failure(status == UNAUTHORIZED and UNAUTHORIZED or FAILED,
                            err or "the authorizer fails")
    end
    return compile_answer(text)
end


-- Asks the question before, the cache, then the authorizer: entries of a gate, or nil and the
-- failure. Failures are not cached.
local function call_authorizer(self, source, need)
    if source.earlier and source.earlier.answer then
        return source.earlier.answer
    elseif not self.authorizer then
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
    local answer, failed = answer_of(text, err, status)
    if answer and key ~= nil then
        self.cache:put(key, answer, need.ttl)
    end
    return answer, failed
end


-- The keys that a set mentions, beside those of the request. A copy: the other gates saw the
-- request without them.
local function with_keys(self, set, run)
    local values, err = self.fill_keys(set, run.request)
    if not values then
        error(tostring(err), 0)
    end
    local context = {}
    for name, value in pairs(values) do
        context[name:lower()] = value
    end
    for name, value in pairs(run.context) do
        context[name] = value
    end
    return context
end


-- Puts what the authorizer says in the place of a gate. That gate binds the caller from here on.
local function hand_over(self, run, gate, answer, failed)
    run.caller.skips[gate] = nil
    run.answer_gate, run.answer, run.failed = gate, answer, failed
    if answer and self.fill_keys then
        run.answer_context = with_keys(self, answer[1].set, run)
    end
end


-- What the request says the authorizer has answered, for packs that have a place for it.
local function take_given(self, run)
    local gate = run.caller.authorizer_gate
    local given = run.request.gateway and run.request.gateway.authorizer
    if gate and given ~= nil then
        if type(given) == "table" then
            hand_over(self, run, gate, answer_of(nil, given.error, given.status))
        else
            hand_over(self, run, gate, compile_answer(given))
        end
    end
end


-- ---- The decision ----------------------------------------------------------


-- The prefix of an action; its letter case means nothing.
local function service_of(action)
    local colon = action:find(":", 1, true)
    return (colon and action:sub(1, colon - 1) or action):lower()
end


-- A pack may list the action prefixes it knows about; what it says of others means nothing.
local function check_service(self, action)
    local service = service_of(action)
    if not self.services[service] then
        error(("the flow `%s` decides no actions of `%s`"):format(self.pack.name, service), 0)
    end
end


local function check_source(self, source)
    if type(source.action) ~= "string" then
        error("action: give a string", 0)
    elseif type(source.resource) ~= "string" then
        error("resource: give a string", 0)
    elseif self.services then
        check_service(self, source.action)
    end
end


-- The result that decided, kept where the next decision does not overwrite it.
local function note_deciding(run, verdict, results)
    local result = verdict.gate and results[verdict.gate][verdict.level]
    if result and result.statement >= 0 then
        run.by_gate, run.by_entry, run.by_statement = verdict.gate, result.entry, result.statement
    end
end


-- The caller as the pack sees it, or as it saw it before where the pack says that this is the same.
local function caller_of(self, source, kept)
    kept = self.pack.keeps_caller and kept or nil
    local caller = kept and kept.caller or self.pack.caller(source, self.attached, self.config)
    if kept and not kept.caller and not caller.authorizer_gate then
        kept.caller = caller
    end
    return caller
end


local function decide(self, source, resource, kept)
    local pack, config = self.pack, self.config
    check_source(self, source)
    local run = setmetatable({
        flow = self, request = source, resource = resource,
        context = source.folded and source.context or folded(source.context or NOTHING),
        caller = caller_of(self, source, kept),
        by_gate = nil, by_entry = nil, by_statement = nil,
    }, Run)
    take_given(self, run)
    local results = ask_all(self, run)
    local verdict = pack.decide(results, run.caller, config)
    if verdict.need == "authorizer" then
        -- This may yield, and others use the flow meanwhile: everything is asked again.
        hand_over(self, run, verdict.gate, call_authorizer(self, source, verdict))
        verdict = pack.decide(ask_all(self, run), run.caller, config)
    end
    if verdict.need then
        error(("the flow `%s` needs `%s`, which nobody gives"):format(pack.name, verdict.need), 0)
    end
    note_deciding(run, verdict, results)
    return decision.new(verdict, run)
end


--- Decides a request with every gate.
-- @tparam table source `{principal, action, resource, resourceAccount, context}`, see `fill` of
-- `postern.request`, and what the pack reads beyond that (`gateway` of the API Gateway flow);
-- `folded` says that the keys of the context are in lower case already; leave it unchanged as long
-- as the decision may be asked to explain
-- @tparam[opt] Set resource asked in the place of the resource gate's own set, of which there must
-- be one; so one flow serves every API whose other gates are the same
-- @tparam[opt] table kept in which the flow keeps what the pack says of the caller, if the pack has
-- `keeps_caller`. It is handed in again only for requests of the same principal, service, owner and
-- `gateway`
-- @treturn Decision with reason `error` when the request, a set or the pack failed; `needs` is then
-- the key, if it depends on one that is unresolved
function Flow:decide(source, resource, kept)
    local ok, decided = pcall(decide, self, source, resource, kept)
    if ok then
        return decided
    end
    local needs = type(decided) == "table" and decided.needs or nil
    return decision.failed(source, {
        error = needs and ("the value of `%s` is needed"):format(needs) or tostring(decided),
        needs = needs,
    })
end


return _M
