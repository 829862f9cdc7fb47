--- Plans: calls of an API whose way to the decision is known before they come.
--
-- The engine decides every request in general. Most requests differ from others before them in
-- little: method, path, address, time. When one has been decided in general, and nothing that
-- depends on the call alone took part, a plan keeps what all such calls have in common. The next
-- one is asked by its plan: every set in one call of the core, and a verdict that the flow pack
-- gave for the same answers of the sets before.
--
-- A plan only ever answers what the engine would have answered. Whatever is not as plain as it
-- expects (another member, a path or an address of another spelling, an answer that is none) is
-- left to the engine, which decides as if there were no plans. What keeps a call general for good
-- is in `OBSTACLES`, by name.
--
-- *Dependencies*: postern.ffi, postern.decision, postern.request, postern.question
--
-- @module postern.plan
local core = require("postern.ffi")
local decisions = require("postern.decision")
local requests = require("postern.request")
local questions = require("postern.question")

local lib = core.lib
local floor = math.floor
local SOURCES = questions.SOURCES


local _M = {}
local Plans = {}
Plans.__index = Plans
local Plan = {}
Plan.__index = Plan


-- Plans made so far are kept. One takes some kilobytes.
local MAX_PLANS = 4096

-- A plan for a caller pays when that one comes again, and there may be no end of sessions.
local MAX_ONCE = 4096

local NONE = {} -- the keys of an API without a policy; nobody writes to it
local UNIX = "unix:" -- the peer of a UNIX socket, which has no address

-- The members of a request that a plan can do with, and their types. The others say more about the
-- call than a plan knows.
local MEMBERS = {
    api = "string", stage = "string", method = "string", path = "string", raw_path = "string",
    host = "string", scheme = "string", headers = "function", query = "function",
    body_sha256 = "string", peer = "string", client_ip = "string", vpce = "string",
    principal = "string", claims = "table", client_certificate = "table", now = "number",
    client = "table", route = "string", connection = "table",
}


-- ---- What keeps a call general ---------------------------------------------


-- How a key gets its value: a name of SOURCES, `constant`, or nil where only its pack can say.
local function source_of(entry, context)
    local provider = entry.provider
    local plan = provider.runner.pack.plan
    local how = plan and plan[provider.key]
    if provider.lazy or provider.cache then
        return nil
    elseif type(how) == "function" then
        how = how(context, provider.runner.config)
    end
    return (how == "constant" or SOURCES[how]) and how or nil
end


local function has_other_keys(case)
    for _, entry in ipairs(case.keys) do
        local how = source_of(entry, case.context)
        local value = case.source.context[entry.key]
        if not how or type(value) == "table" or value == requests.UNRESOLVED then
            return true
        end
    end
    return #case.keys > questions.VALUES - questions.FIRST_CONSTANT
end


local function has_other_asks(case)
    local asks = case.decision.trace.asks and case.decision.trace:asks()
    for _, asked in ipairs(asks or NONE) do
        if #asked.names > questions.KEYS then
            return true
        end
    end
    return not asks or #asks > questions.ASKS
end


--- What keeps calls general, in the order in which it is looked for: a name, and a function that
-- tells whether it stands in the way of a case, see `learn`.
_M.OBSTACLES = {
    -- Credentials are checked anew for each call.
    { "credentials", function(case) return case.estate.identify ~= nil and not case.principal end },
    -- Packs that promise nothing of their answers.
    { "flow pack", function(case) return not case.pack.keeps_verdict end },
    { "services pack", function(case) return not case.service end },
    -- Their answers are of one call, or of a while.
    { "authorizer", function(case)
        return case.api.authorizer ~= nil or case.decision.trace.caller == nil
            or case.decision.trace.caller.authorizer_gate ~= nil
    end },
    { "domain name", function(case) return next(case.api.domains) ~= nil end },
    { "reachability", function(case)
        local endpoint = case.context.endpoint
        return endpoint ~= nil and (endpoint.addresses or endpoint.route_tables) ~= nil
    end },
    { "keys", has_other_keys },
    { "sets", has_other_asks },
}


local function obstacle_of(case)
    for _, obstacle in ipairs(_M.OBSTACLES) do
        if obstacle[2](case) then
            return obstacle[1]
        end
    end
    return nil
end


-- ---- Making a plan -----------------------------------------------------------


-- The keys, each with where its value comes from; those that stay get a place for it.
local function keys_of(case)
    local keys, values = {}, {}
    for _, entry in ipairs(case.keys) do
        local how = source_of(entry, case.context)
        local key = { key = entry.key, how = how, place = SOURCES[how] }
        local value = case.source.context[entry.key]
        if how == "constant" and value ~= nil then
            key.value, key.place = value, questions.FIRST_CONSTANT + #values
            values[#values + 1] = { place = key.place, text = requests.value_text(value) }
        elseif how == "time" or how == "epoch" then
            key.entry = entry
        end
        keys[#keys + 1] = key
    end
    return keys, values
end


local function asks_of(asks, keys)
    local place_of, list = {}, {}
    for _, key in ipairs(keys) do
        place_of[key.key] = key.place
    end
    for i, asked in ipairs(asks) do
        local places = {}
        for k, name in ipairs(asked.names) do
            places[k] = name and place_of[name] or false
        end
        list[i] = { set = asked.set, own = asked.own, principal = asked.principal,
                    bounded = asked.bounded, places = places }
    end
    return list
end


local function uses(keys, how)
    for _, key in ipairs(keys) do
        if key.how == how then
            return key
        end
    end
    return nil
end


local function new_plan(case)
    local keys, values = keys_of(case)
    local run = case.decision.trace
    local asks, service = run:asks(), case.service
    local self = setmetatable({
        keys = keys, asks = asks, question = nil,
        methods = service.methods,
        room = service.longest - #service.before - #service.after,
        secure = uses(keys, "secure") ~= nil,
        time = uses(keys, "time") or uses(keys, "epoch"),
        second = -1, time_text = "", epoch_text = "",
        seals = {},  -- by what the sets answer
        revision = case.estate.revision,
        service = service, principal = case.source.principal, gateway = case.source.gateway,
        run = run:again(NONE),
    }, Plan)
    if #asks > 0 then
        local failed
        self.question, failed = questions.new({
            action = service.action, before = service.before, after = service.after,
            values = values, asks = asks_of(asks, keys),
        })
        if not self.question then
            error(tostring(failed), 0)
        end
    end
    return self
end


-- ---- Deciding by a plan ------------------------------------------------------


-- What is kept of a decision, behind its seal.
local API, METHOD, PATH, SKIP = 2, 3, 4, 5
local PEER, CLIENT_IP, SCHEME, SECOND, STATEMENT = 6, 7, 8, 9, 10


-- The values of the keys, as their packs gave them.
local function context_of(plan, kept)
    local context = {}
    for _, key in ipairs(plan.keys) do
        local value = key.value
        if key.how == "peer" then
            value = kept[PEER]
        elseif key.how == "client_ip" then
            value = kept[CLIENT_IP]
        elseif key.how == "secure" then
            value = kept[SCHEME] ~= "http"
        elseif key.entry then
            value = plan:told(key, kept[SECOND])
        end
        context[key.key] = value
    end
    return context
end


local function trace_of(seal, kept)
    local plan, service, api = seal.plan, seal.plan.service, kept[API]
    local request = {
        principal = plan.principal, action = service.action,
        resource = service.before .. api.id .. service.after .. kept[METHOD]
            .. kept[PATH]:sub(kept[SKIP] + 1),
        resourceAccount = api.account, context = context_of(plan, kept), folded = true,
        gateway = plan.gateway,
    }
    return plan.run:again(request, api.policy, seal.by and plan.asks[seal.by], kept[STATEMENT])
end


-- The statement that decided: its set and its index there.
local function decider_of(seal, kept)
    local asked, statement = seal.by and seal.plan.asks[seal.by], kept[STATEMENT]
    if not asked or statement < 0 then
        return nil
    end
    return asked.own and kept[API].policy or asked.set, statement
end


-- What the pack of a key of the time says at a second.
function Plan.told(_, key, second)
    local runner = key.entry.provider.runner
    return (key.entry.provider.provide({ now = second }, runner.config, runner.tools))
end


-- Writes down the second, where it is another than before.
function Plan:set_time(second)
    local said = self:told(self.time, second)
    if said == nil then
        return false
    end
    for _, key in ipairs(self.keys) do
        if key.how == "time" then
            self.time_text = self:told(key, second)
        elseif key.how == "epoch" then
            self.epoch_text = requests.value_text(self:told(key, second))
        end
    end
    self.second = second
    return true
end


-- What the flow pack says to such answers of the sets; false where it wants to know more.
function Plan:judge(answers)
    local list = questions.answers(answers, #self.asks)
    local verdict, by = self.run:judge(self.asks, list)
    local seal = false
    if verdict then
        seal = decisions.seal(verdict, self.run.caller.same_account, self.revision, {
            trace = function(kept) return trace_of(kept[1], kept) end,
            decider = function(kept) return decider_of(kept[1], kept) end,
        })
        seal.plan, seal.by = self, by
    end
    self.seals[answers] = seal
    return seal
end


-- Puts what differs into the question: nil where the engine has to look at it. The second of the
-- call, and its scheme where that counts.
local function fill(self, plan, request, peer)
    local secure, scheme
    if plan.secure then
        scheme = request.scheme
        if type(scheme) == "function" then
            scheme = scheme()
        end
        if scheme == nil or scheme == "https" then
            secure = "true"
        elseif scheme == "http" then
            secure = "false"
        else
            return nil
        end
    end
    local second = -1
    if plan.time then
        local now = request.now or self.now()
        if type(now) ~= "number" or now < 0 or now ~= now then
            return nil
        end
        second = floor(now)
        if second ~= plan.second and not plan:set_time(second) then
            return nil
        end
    end
    local question = plan.question
    if question then
        question:from(peer, request.client_ip, secure)
        if plan.time then
            question:at(plan.time_text, plan.epoch_text)
        end
    end
    return second, scheme
end


-- One member more of the request: its name, false behind the last one; nil when it is no plain one.
local function member(request, name)
    if not name then
        return name
    end
    local value
    name, value = next(request, name)
    if name == nil then
        return false
    end
    return MEMBERS[name] == type(value) and name or nil
end


local function first(request)
    local name, value = next(request)
    if name == nil then
        return false
    end
    return MEMBERS[name] == type(value) and name or nil
end


-- Whether there are only plain members. A loop would end the compiled way to the decision, and a
-- request has a dozen members at most, or is not plain.
local function is_plain(request)
    local name = first(request)
    name = member(request, member(request, member(request, member(request, name))))
    name = member(request, member(request, member(request, member(request, name))))
    name = member(request, member(request, member(request, member(request, name))))
    name = member(request, member(request, member(request, member(request, name))))
    return name == false
end


-- The path that decides, nil where it has to be looked at.
local function path_of(target, routed)
    if target == nil then
        if routed == nil or lib.postern_path_plain(routed, #routed, nil, 0) ~= #routed then
            return nil
        end
        return routed
    elseif routed ~= nil then
        return lib.postern_path_plain(target, #target, routed, #routed) >= 0 and routed or nil
    end
    local length = lib.postern_path_plain(target, #target, nil, 0)
    if length < 0 then
        return nil
    end
    return length == #target and target or target:sub(1, length)
end


-- The stage that a path begins with, and how many bytes of it that is; nil where nothing follows.
local function split_stage(path)
    local slash = path:find("/", 2, true)
    if not slash then
        return nil
    end
    return path:sub(2, slash - 1), slash - 1
end


-- Whether both are addresses in their usual spelling, or absent. Clients come again.
local function are_addresses(self, peer, client_ip)
    if peer ~= nil and peer ~= self.peer then
        if lib.postern_address_plain(peer, #peer) ~= 1 then
            return false
        end
        self.peer = peer
    end
    if client_ip ~= nil and client_ip ~= peer and client_ip ~= self.client_ip then
        if lib.postern_address_plain(client_ip, #client_ip) ~= 1 then
            return false
        end
        self.client_ip = client_ip
    end
    return true
end


-- The plan of a call, false where it is known that there is none. By what a plan is made for.
local function find(self, api, stage, request)
    local found = self.by_shape[api.shape]
    found = found and found[stage]
    found = found and found[request.vpce or false]
    found = found and found[request.principal or false]
    if not found then
        return nil
    end
    local policy = api.policy
    return found[policy and policy.names or NONE]
end


-- What the call is about and where it comes from: API, path and peer; nil where any of it has to be
-- looked at.
local function call_of(self, request)
    local api = request.api and self.estate.apis[request.api]
    local path = path_of(request.raw_path, request.path)
    local peer = request.peer
    if peer == UNIX then
        peer = nil
    end
    if not api or not path or not are_addresses(self, peer, request.client_ip) then
        return nil
    end
    return api, path, peer
end


-- The decision by a plan, nil where the engine has to look at the call.
local function decide_by(self, plan, request, api, path, skip, peer)
    local method = request.method or "GET"
    if not plan.methods[method] or #api.id + #method + #path - skip > plan.room then
        return nil
    end
    local second, scheme = fill(self, plan, request, peer)
    if not second then
        return nil
    end
    local question, answers = plan.question, 0
    if question then
        answers = question:ask(api.policy, api.id, method, path, skip)
        if answers < 0 then
            return nil
        end
    end
    local seal = plan.seals[answers]
    if seal == nil then
        seal = plan:judge(answers)
    end
    if not seal then
        return nil
    end
    return (decisions.sealed({ seal, api, method, path, skip, peer, request.client_ip,
                               scheme, second,
                               seal.by and question:statement(seal.by) or -1 }))
end


-- The decision by the plan of a call, or nil; and the stage when only the plan is missing, false
-- where it is known that there is none.
local function decide(self, request)
    local api, path, peer = call_of(self, request)
    if not api then
        return nil
    end
    local stage, skip = request.stage, 0
    if stage == nil then
        stage, skip = split_stage(path)
        if not stage then
            return nil
        end
    end
    local plan = find(self, api, stage, request)
    if plan then
        -- No tail call: compiled code takes only so many.
        return (decide_by(self, plan, request, api, path, skip, peer))
    elseif plan == nil then
        return nil, stage
    end
    return nil, false
end


--- Decides a request by its plan. It may raise, and so can what it calls; that is no decision.
-- @tparam table request of `estate:authorize`
-- @treturn Decision|nil nil: the engine has to decide. `wanted` is then the request when it lacks
-- nothing but a plan
function Plans:decide(request)
    self.wanted = nil
    if type(request) ~= "table" or getmetatable(request) ~= nil or not is_plain(request) then
        return nil
    end
    local decision, stage = decide(self, request)
    if stage then
        self.wanted, self.stage = request, stage
    end
    return decision
end


--- Decides a call by its plan: for hosts that know which members there are, and read the rest of a
-- request only where the engine has to decide. It may raise; that is no decision.
-- @tparam table call without a metatable: `api`, `stage`, `method`, `path`, `raw_path`, `host`,
-- `peer`, `client_ip`, `vpce` and `principal` as in a request, and `scheme`, which may be a
-- function as well, and nothing else; `headers` and `query` are left out, no plan has to do with
-- them. It stays the caller's, who may use it again
-- @treturn Decision|nil nil: the engine has to decide
-- @treturn boolean true where it is known that there is no plan for such calls
function Plans:decide_plain(call)
    local decision, stage = decide(self, call)
    return decision, stage == false
end


-- ---- Learning ----------------------------------------------------------------


local function below(tree, key)
    local found = tree[key]
    if not found then
        found = {}
        tree[key] = found
    end
    return found
end


-- Whether the case is of the call that the plan is looked for by.
local function is_wanted(self, case)
    local request, context = case.request, case.context
    return request == self.wanted and context.stage == self.stage
        and (context.endpoint and context.endpoint.id) == request.vpce
        and case.api.id == request.api
end


-- Whether a caller came before; the first time that is noted.
local function came_before(self, principal)
    if principal == nil or self.once[principal] then
        return true
    elseif self.once_count >= MAX_ONCE then
        self.once, self.once_count = {}, 0
    end
    self.once[principal] = true
    self.once_count = self.once_count + 1
    return false
end


--- Keeps what calls have in common with one that the engine has just decided, or that they have
-- nothing. To be called for the request that is `wanted`.
-- @tparam table case `request`, `api`, `context`, `source`, `decision`; `pack`, the flow pack;
-- `keys`, what the key packs were asked
-- @treturn string|nil what keeps such calls general: a name of `OBSTACLES`
function Plans:learn(case)
    local estate, request = self.estate, case.request
    local is_known = is_wanted(self, case) and case.decision.reason ~= "error"
    self.wanted = nil
    if not is_known or not came_before(self, request.principal) then
        return nil
    end
    case.estate, case.principal = estate, request.principal
    local service = estate.service
    case.service = service.pack.plan and service.pack.plan(case.api, self.stage, service.config)
    local obstacle = obstacle_of(case)
    local plan = not obstacle and new_plan(case)
    if self.count >= MAX_PLANS then
        self.by_shape, self.count = {}, 0
    end
    local policy = case.api.policy
    local tree = below(self.by_shape, case.api.shape)
    tree = below(below(below(tree, self.stage), request.vpce or false), request.principal or false)
    tree[policy and policy.names or NONE] = plan
    self.count = self.count + 1
    return obstacle
end


-- A call by its plan is one long way through the code, from a host's first line to the last. It
-- has more constants than the compiler takes by default, and what is too long for it is not
-- compiled at all. The limit is one of memory.
local function let_compile()
    require("jit.opt").start("maxirconst=1000")
end


--- Makes the plans of an estate, none so far.
-- @tparam table estate ready to decide
-- @treturn Plans
function _M.new(estate)
    pcall(let_compile)
    return setmetatable({
        estate = estate, now = estate.now, by_shape = {}, count = 0, once = {}, once_count = 0,
        wanted = nil, stage = nil,
        peer = nil, client_ip = nil, -- the last that were addresses
    }, Plans)
end


return _M
