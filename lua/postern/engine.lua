--- The engine: one request on an estate in, one decision out.
--
-- A request goes through fixed steps: its shape is checked; API, endpoint and stage are looked up;
-- the identity packs say who calls; the services pack names action and resource; the keys that the
-- attached policies mention are filled in; a flow combines the policies. Whatever goes wrong on the
-- way ends in a deny with a reason, here and nowhere else.
--
-- *Dependencies*: postern.cidr, postern.cache, postern.decision, postern.request, postern.path,
-- postern.services, postern.identities, postern.scripts, postern.flow, postern.plan
--
-- @module postern.engine
local cidrs = require("postern.cidr")
local caches = require("postern.cache")
local decisions = require("postern.decision")
local requests = require("postern.request")
local paths = require("postern.path")
local scripts = require("postern.scripts")
local services = require("postern.services")
local identities = require("postern.identities")
local flows = require("postern.flow")
local plans = require("postern.plan")


local _M = {}


-- More headers than a browser or SDK ever sends; OpenResty's own limit, past which it drops some.
local MAX_HEADERS = 100

-- Flows made so far are kept, since requests repeat. This many fit in some tens of megabytes.
local MAX_FLOWS = 32768

--- What a request may say, with the type of each member; any other name is a mistake.
_M.MEMBERS = {
    api = "string", stage = "string", method = "string", path = "string", raw_path = "string",
    host = "string", scheme = "string", headers = "table", query = "table",
    body_sha256 = "string", peer = "string", client_ip = "string", vpce = "string",
    principal = "string", claims = "table", client_certificate = "table", token = "string",
    authorizer = "any", context = "table", now = "number", client = "table",
    route = "string", action = "string", resource = "string", resourceAccount = "string",
    connection = "table",
}

-- Members that may also be a function, which is called when somebody first wants to know.
local LATER = { headers = true, query = true }

-- The service whose calls are decided by an API's own policies.
local API_SERVICE = "execute-api"

-- What becomes of the wish to renew the cache: granted, or else as the API says; of the ways there
-- are one denies the call.
local AUTHORIZED, FAIL_WITH_403 = "AUTHORIZED", "FAIL_WITH_403"

local NONE = {} -- shared by all requests without headers or keys; nobody writes to it

local ANY_ADDRESS = assert(cidrs.new({ "0.0.0.0/0", "::/0" }))


-- What the client is answered: it asked wrongly, for something that is not there, or we failed it.
local BAD, UNKNOWN, FAULT = 400, 403, 500


-- Ends the decision.
local function refuse(status, message, ...)
    error({ reason = "error", status = status, error = message:format(...) }, 0)
end


-- ---- The request -----------------------------------------------------------


local function check_members(request)
    if type(request) ~= "table" then
        refuse(FAULT, "the request is a %s: give a table", type(request))
    end
    for name, value in pairs(request) do
        local wanted = _M.MEMBERS[name]
        if not wanted then
            refuse(FAULT, "unknown member `%s` of the request", tostring(name))
        elseif wanted ~= "any" and type(value) ~= wanted
            and not (LATER[name] and type(value) == "function") then
            refuse(FAULT, "`%s` is a %s: give a %s", name, type(value), wanted)
        end
    end
end


local function check_address(name, text)
    if text and text:sub(1, 5) ~= "unix:" and not ANY_ADDRESS:match(text) then
        refuse(BAD, "`%s` is not an address: `%s`", name, text)
    end
    return text
end


-- Header names in lower case, each with a list of its values.
local function headers_of(given)
    if not given then
        return NONE
    end
    local headers, count = {}, 0
    for name, values in pairs(given) do
        if type(name) ~= "string" or headers[name:lower()] then
            refuse(BAD, "the header `%s` is given twice in different letter case, or has no name",
                   tostring(name))
        end
        values = type(values) == "table" and values or { values }
        for i = 1, #values do
            if type(values[i]) ~= "string" then
                refuse(BAD, "the header `%s` has a value that is no text", name)
            end
        end
        count = count + #values
        if count > MAX_HEADERS then
            refuse(BAD, "more than %d headers: nobody can say what the others would change",
                   MAX_HEADERS)
        end
        headers[name:lower()] = values
    end
    return headers
end


-- What a member that is a function answers, a table. Where it says so, that there is none is the
-- client's doing.
local function later(name, make)
    local ok, value, err, status = pcall(make)
    if not ok then
        value, err, status = nil, value, nil
    end
    if type(value) ~= "table" then
        refuse(status == BAD and BAD or FAULT, "`%s`: %s", name, value == nil and tostring(err)
            or ("the function answers a %s: give a table"):format(type(value)))
    end
    return name == "headers" and headers_of(value) or value
end


-- `http` of a context, where headers or query are functions. Each is called once at most. A refusal
-- is kept: whoever asked may have caught it, and the request is refused all the same.
local function with_later(http, request)
    local behind = { refusal = nil }
    function behind.__index(self, name)
        local make = LATER[name] and request[name]
        if type(make) ~= "function" then
            return nil
        elseif behind.refusal then
            error(behind.refusal.error, 0)
        end
        local ok, value = pcall(later, name, make)
        if not ok then
            behind.refusal = type(value) == "table" and value
                or { reason = "error", status = FAULT, error = tostring(value) }
            error(behind.refusal.error, 0)
        end
        rawset(self, name, value)
        return value
    end
    -- What private packs see of it.
    function behind.__view(self)
        local view = { headers = self.headers, query = self.query }
        for name, value in pairs(self) do
            view[name] = value
        end
        return view
    end
    return setmetatable(http, behind)
end


local function completed_http(http, request)
    local headers, query = request.headers, request.query
    if type(headers) ~= "function" then
        http.headers = headers_of(headers)
    end
    if type(query) ~= "function" then
        http.query = query
    end
    if http.headers and type(query) ~= "function" then
        return http
    end
    return with_later(http, request)
end


-- The keys that the request brings along, by their name in lower case.
local function given_keys(request)
    if not request.context then
        return NONE
    end
    local given = {}
    for name, value in pairs(request.context) do
        local lower = type(name) == "string" and name:lower()
        if not lower or given[lower] ~= nil then
            refuse(BAD, "context `%s`: the key is given twice in different letter case, or has no "
                .. "name", tostring(name))
        end
        given[lower] = value
    end
    return given
end


-- ---- What the request speaks of ----------------------------------------------


-- The prefix of an action; its letter case means nothing.
local function service_of(action)
    local colon = action:find(":", 1, true)
    return (colon and action:sub(1, colon - 1) or action):lower()
end


local function endpoint_of(estate, request, service)
    if not request.vpce then
        return nil
    end
    local endpoint = estate.endpoints[request.vpce]
    if not endpoint then
        refuse(UNKNOWN, "there is no endpoint `%s`", request.vpce)
    elseif endpoint.prefix ~= service then
        refuse(UNKNOWN, "the endpoint `%s` is one of the service `%s`, not of `%s`", endpoint.id,
               endpoint.service, service)
    end
    return endpoint
end


local function http_of(api, request)
    local path, why = api.path_rules:resolve(request.raw_path, request.path)
    if not path then
        refuse(BAD, "%s", why)
    end
    return completed_http({
        method = request.method or "GET", path = path, raw_path = request.raw_path,
        host = request.host, scheme = request.scheme or "https", headers = nil,
        query = nil, body_sha256 = request.body_sha256,
    }, request)
end


local function context_of(estate, request, api)
    return {
        api = api,
        endpoint = endpoint_of(estate, request, api and API_SERVICE
            or service_of(request.action)),
        stage = request.stage,
        peer = check_address("peer", request.peer),
        client_ip = check_address("client_ip", request.client_ip),
        claims = request.claims,
        client_certificate = request.client_certificate,
        route = request.route,
        now = request.now or estate.now(),
        estate = estate.visible,
        request = request, connection = request.connection,
        -- What follows later, so that the table need not grow for it.
        http = nil, domain = nil, principal = nil,
    }
end


-- ---- Who calls ---------------------------------------------------------------


local ANONYMOUS = { kind = "anonymous" }

-- Refusals of the identity packs that the gateway's flow has a say in.
local SIGNATURES = {
    MISSING_AUTHENTICATION_TOKEN = "missing", INVALID_SIGNATURE = "invalid",
    IncompleteSignature = "invalid", EXPIRED_TOKEN = "expired",
}

-- A session has the policies of its role; the ARN of a session holds the role's name, not its path.
local function role_key(account, role_arn)
    return account .. "/" .. role_arn:match("([^/]+)$")
end


-- What the estate knows of a caller: the principal with its ARN, else the role of the session.
local function known_principal(estate, caller)
    local known = estate.callers[caller.arn]
    if not known and caller.kind == "session" and caller.role_arn then
        known = estate.roles[role_key(caller.account, caller.role_arn)]
    end
    return known
end


-- The caller with what the estate adds. What the credentials say goes first, tag by tag; a session
-- tag overrides the role's (IAM User Guide, "Pass session tags in AWS STS").
local function completed(estate, caller, known)
    local full = {}
    for name, value in pairs(known and known.attributes or {}) do
        full[name] = value
    end
    local tags = {}
    for _, source in ipairs({ full.tags or {}, caller.tags or {} }) do
        for name, value in pairs(source) do
            tags[name] = value
        end
    end
    for name, value in pairs(caller) do
        full[name] = value
    end
    full.tags = tags
    if known and known.role_arn then
        full.role_arn = known.role_arn
    end
    local member = estate.accounts[caller.account or ""]
    if member then
        full.org_id, full.org_paths = member.org_id, { member.path }
    end
    return full
end


local function named_caller(estate, text)
    if text == "*" then
        return ANONYMOUS
    end
    local known = estate.principals[text]
    if known and not known.caller then
        refuse(UNKNOWN, "the principal `%s` is a role: name a session of it, "
            .. "arn:...:sts::ACCOUNT:assumed-role/ROLE/SESSION", text)
    elseif known then
        return known.caller
    end
    local caller, why = _M.caller(text)
    if not caller then
        refuse(UNKNOWN, "no principal `%s` in the estate, and %s", text, why)
    end
    return caller
end


local function identified_caller(estate, context)
    if not estate.identify then
        return ANONYMOUS
    end
    local caller, refusal = estate.identify:identify(context)
    if caller then
        return caller
    elseif context.api and SIGNATURES[refusal.code] then
        -- What that is worth depends on how the API authorizes: the flow decides.
        return ANONYMOUS, SIGNATURES[refusal.code], refusal.code
    end
    error({ reason = refusal.status < 500 and "authentication" or "error",
            error = refusal.message, status = refusal.status, code = refusal.code }, 0)
end


local function principal_of(estate, request, context)
    local caller, signature, code
    if request.principal then
        caller = named_caller(estate, request.principal)
    else
        caller, signature, code = identified_caller(estate, context)
    end
    if caller.kind == "anonymous" then
        return caller, nil, signature, code
    end
    local known = known_principal(estate, caller)
    return completed(estate, caller, known), known
end


--- A caller by its ARN or service name.
-- @tparam string text
-- @treturn table|nil as `principal` in a context
-- @treturn string why not
function _M.caller(text)
    if text:match("^[%w.-]+%.amazonaws%.com$") or text:match("^[%w.-]+%.amazonaws%.com%.cn$") then
        return { kind = "service", arn = text }
    end
    return identities.principal(text)
end


--- Checks the configuration of one identity pack.
-- @tparam table pack
-- @tparam table config
-- @treturn boolean|nil true
-- @treturn string why not
function _M.check_identity(pack, config)
    -- The clock only serves to identify, which is not done here.
    local ok, err = identities.new({ { pack = pack, config = config } },
                                   identities.tools(function() return 0 end))
    return ok and true or nil, err
end


-- ---- The flow ----------------------------------------------------------------


local OWN_GATES = { "identity", "boundary", "session" }

-- Which policies take part: those of the API or of the resource, of the endpoint, of the principal,
-- and of the organisation of caller and owner.
local function gates_of(estate, subject)
    local gates = {}
    gates.resource = (subject.api or subject.resource or NONE).policy
    gates.endpoint = subject.endpoint and subject.endpoint.policy or nil
    gates.domain = subject.domain and subject.domain.policy or nil
    for _, gate in ipairs(OWN_GATES) do
        gates[gate] = subject.known and subject.known[gate] or nil
    end
    local caller, owner = estate.accounts[subject.account], estate.accounts[subject.owner]
    gates.scp = caller and #caller.scp > 0 and caller.scp or nil
    gates.rcp = owner and #owner.rcp > 0 and owner.rcp or nil
    return gates
end


local function pack_named(estate, name)
    return estate.packs["flows/" .. name]
end


-- An API's flow is that of the gateway; another service's has its name, or is the general one.
local function pack_of(estate, subject)
    if subject.api then
        return pack_named(estate, estate.flow_names.gateway)
    end
    return pack_named(estate, subject.service) or pack_named(estate, estate.flow_names.other)
end


-- Under what the answer of an authorizer is kept: the stage and the headers that are its identity
-- sources, each with its length, since any text may stand in a header. Without one of them the
-- caller is refused.
local function authorizer_key(api)
    return function(source)
        local parts = { source.stage }
        for _, name in ipairs(api.identity_sources) do
            local value = (source.http.headers[name:lower()] or {})[1]
            if not value or value == "" then
                return nil
            end
            parts[#parts + 1] = #value .. ":" .. value
        end
        return table.concat(parts, "\n")
    end
end


-- The keys that an authorizer's policy mentions. It may be there for one decision only, so the lazy
-- ones are looked up at once.
local function authorizer_keys(estate)
    return function(set, source)
        local values, err = estate.keys:values(estate.keys:plan({ set.names }), source.call)
        for key, value in pairs(values or NONE) do
            if value == requests.UNRESOLVED then
                value, err = estate.keys:resolve(key, source.call)
                if err then
                    return nil, err
                end
                values[key] = value
            end
        end
        return values, err
    end
end


local function authorizer_of(estate, api)
    if not api then
        return nil
    elseif not api.authorizer then
        return { fill_keys = authorizer_keys(estate) }
    end
    api.cache = api.cache or caches.new({ now = estate.now })
    return {
        fill_keys = authorizer_keys(estate),
        authorizer = api.authorizer, now = estate.now, cache = api.cache,
        authorizer_key = api.identity_sources and authorizer_key(api),
    }
end


-- The key lists of all sets but the API's own.
local function key_lists(gates, api)
    local lists = {}
    for gate, value in pairs(gates) do
        local all = value.handle and { value } or value
        for _, set in ipairs(api and gate == "resource" and NONE or all) do
            lists[#lists + 1] = set.names
        end
    end
    return lists
end


local function make_flow(estate, subject)
    local gates = gates_of(estate, subject)
    local entry = pack_of(estate, subject)
    local flow, err = flows.new(entry.pack, gates, entry.config,
                                authorizer_of(estate, subject.api))
    if not flow then
        refuse(FAULT, "%s", tostring(err))
    end
    return {
        flow = flow, key_lists = key_lists(gates, subject.api),
        plans = {},    -- what the providers are asked, by the keys of the API's own policy
        gateways = {}, -- what the flow is told of the API, by the state of the signature
    }
end


-- What the providers are asked for a decision. APIs whose policies mention the same keys share it.
local function plan_of(estate, made, api)
    local names = api and api.policy and api.policy.names or NONE
    local plan = made.plans[names]
    if not plan then
        local lists = { names }
        for _, list in ipairs(made.key_lists) do
            lists[#lists + 1] = list
        end
        plan = estate.keys:plan(lists)
        made.plans[names] = plan
    end
    return plan
end


local function below(tree, key)
    local found = tree[key]
    if not found then
        found = {}
        tree[key] = found
    end
    return found
end


-- The flow for one shape of API, or service, with an endpoint, a principal and a pair of accounts.
-- APIs of one shape differ in their own policy only, which the flow is handed with each request.
-- `behind` is the domain name that leads to the API, or the resource that the service is asked for.
local function flow_of(estate, api, service, endpoint, behind, known, account, owner)
    local tree = below(estate.flows, endpoint or "")
    tree = below(tree, behind or "")
    tree = below(tree, known or "")
    tree = below(tree, account)
    tree = below(tree, owner)
    local what = api and api.shape or service
    local made = tree[what]
    if not made then
        if estate.flow_count >= MAX_FLOWS then
            estate.flows, estate.flow_count = {}, 0
            return flow_of(estate, api, service, endpoint, behind, known, account, owner)
        end
        made = make_flow(estate, {
            api = api, service = service, endpoint = endpoint, known = known,
            domain = api and behind, resource = not api and behind or nil,
            account = account, owner = owner,
        })
        tree[what] = made
        estate.flow_count = estate.flow_count + 1
    end
    return made
end


-- ---- Keys --------------------------------------------------------------------


-- The keys that the sets mention: what the request gives, else what the packs answer. Keys of lazy
-- packs stay unresolved until the decision asks for one.
local function fill_keys(estate, plan, context, given)
    local filled, err = estate.keys:values(plan, context)
    if not filled then
        refuse(FAULT, "%s", err)
    end
    for key, value in pairs(given) do
        filled[key] = value
    end
    return filled
end


-- Evaluates, and again with every lazy key the answer turns out to depend on. Each turn resolves
-- one more key, so there are at most as many turns as keys.
local function decide_flow(estate, made, source, context, kept)
    local policy = context.api and context.api.policy
    local decision = made.flow:decide(source, policy, kept)
    while decision.needs do
        local key = decision.needs
        if source.context[key] ~= requests.UNRESOLVED then
            refuse(FAULT, "the key `%s` is asked for although it is known", key)
        end
        local value, err = estate.keys:resolve(key, context)
        if err then
            refuse(FAULT, "%s", err)
        end
        source.context[key] = value
        decision = made.flow:decide(source, policy, kept)
    end
    return decision
end


-- ---- The network -------------------------------------------------------------


-- The subnet of a VPC that holds the address.
local function subnet_of(estate, vpc, address)
    for id, subnet in pairs(estate.subnets) do
        if subnet.vpc == vpc and subnet.ranges:match(address) then
            return id
        end
    end
    return nil
end


local NETWORK_MEMBERS = { "peers", "transit" }

-- Where an address is, as seen from a VPC: there, or in one that is joined to it.
local function locate(estate, home, address)
    local near = { home }
    for _, member in ipairs(NETWORK_MEMBERS) do
        for _, id in ipairs(estate.vpcs[home][member]) do
            near[#near + 1] = id
        end
    end
    for _, id in ipairs(near) do
        if estate.vpcs[id].ranges:match(address) then
            return id, subnet_of(estate, id, address)
        end
    end
    return nil
end


-- Whether the call could have been made at all. Known only when the request says where it comes
-- from and the estate where the endpoint is.
local function reachability(estate, request, endpoint)
    if not endpoint or not request.client_ip
        or not (endpoint.addresses or endpoint.route_tables) then
        return nil
    end
    local client = { ip = request.client_ip }
    client.vpc, client.subnet = locate(estate, endpoint.vpc, request.client_ip)
    for name, value in pairs(request.client or {}) do
        client[name] = value
    end
    local reached, reason, sentence = estate.network:reachable(client, endpoint)
    return reached and "reachable" or reason, sentence
end


-- ---- The two kinds of request ------------------------------------------------


local function domain_of(api, host)
    for name, domain in pairs(api.domains) do
        if name:lower() == host then
            return domain
        end
    end
    return nil
end


local function begins_with(path, base)
    return base == "" or base == "(none)"
        or (path .. "/"):sub(1, #base + 2) == "/" .. base .. "/"
end


-- Several APIs may share a domain name; the longest base path that the path begins with decides. A
-- path that only one of them refuses is refused, since nobody knows which one it is for.
local function find_mapped(estate, host, request)
    local found, length = nil, -1
    for _, api in ipairs(estate.domains[host] or {}) do
        local path, why = api.path_rules:resolve(request.raw_path, request.path)
        if not path then
            refuse(BAD, "%s", why)
        end
        local base = domain_of(api, host).base_path or ""
        if begins_with(path, base) and #base > length then
            found, length = api, #base
        end
    end
    return found
end


-- The API by its id; without one, by the host name of a custom domain. Host names compare in lower
-- case, without port and final dot.
local function api_of(estate, request)
    local api = estate.apis[request.api or ""]
    if request.api and not api then
        refuse(UNKNOWN, "there is no API `%s`", request.api)
    elseif api then
        return api
    elseif not request.host then
        refuse(BAD, "the request names no API: give `api`, or `host` with a custom domain name")
    end
    local host, why = paths.host(request.host)
    if not host then
        refuse(BAD, "%s", why)
    end
    return find_mapped(estate, host, request)
        or refuse(UNKNOWN, "no API has the domain name `%s`", host)
end


local function make_gateway(api, request, context, domain, signature)
    local endpoint = context.endpoint
    return {
        auth = api.authorization, endpoint_type = api.endpoint_type,
        endpoint_attached = endpoint ~= nil, through_endpoint = endpoint ~= nil,
        domain = domain and context.domain.arn,
        domain_associated = domain and endpoint ~= nil and domain.associated[endpoint.id] or nil,
        signature = signature, token = request.token, authorizer = request.authorizer,
        authorizer_ttl = api.authorizer_ttl, cognito_requires_allow = api.cognito_requires_allow,
    }
end


-- What the flow is told of the API, and for anonymous callers what it keeps of them. Both are made
-- once for a state of the signature, unless the request says more about the API.
local function gateway_of(made, api, request, context, domain, signature)
    if request.token ~= nil or request.authorizer ~= nil then
        return make_gateway(api, request, context, domain, signature)
    end
    local state = signature or "as the principal tells"
    local shared = made.gateways[state]
    if not shared then
        shared = { gateway = make_gateway(api, request, context, domain, signature), kept = {} }
        made.gateways[state] = shared
    end
    return shared.gateway, context.principal.kind == "anonymous" and shared.kept or nil
end


-- Hooks may end it before any policy is asked.
local function ask_before(estate, context)
    local deny = estate.hooks:before(context)
    if deny then
        error(deny, 0)
    end
end


-- The further questions of a call, copied: while one is decided the pack may answer others.
local function further(api, call)
    if not api.cache_invalidation or not call.also then
        return NONE
    end
    local questions = {}
    for i, question in ipairs(call.also) do
        questions[i] = { action = question.action, resource = question.resource }
    end
    return questions
end


-- Decides the further questions of a call that is allowed, with the keys and the authorizer's
-- answer of the first. One that is denied tells what becomes of them, and of the call where the API
-- says so; a failure denies the call in any case.
local function decide_further(estate, made, api, decision, context, questions)
    local source, earlier = decision.trace.request, decision.trace
    decision.cache_invalidation = AUTHORIZED
    for _, question in ipairs(questions) do
        for name, value in pairs(source) do
            question[name] = question[name] or value
        end
        question.earlier = earlier
        local answer = decide_flow(estate, made, question, context)
        if not answer.allowed then
            local fails = api.cache_invalidation == FAIL_WITH_403 or answer.reason == "error"
            decision = fails and answer or decision
            decision.cache_invalidation = api.cache_invalidation
            break
        end
    end
    return decision
end


local function decide_api(estate, request, seen)
    local api = api_of(estate, request)
    local context = context_of(estate, request, api)
    if seen then
        seen.context = context
    end
    context.http = http_of(api, request)
    local call, why, status = estate.service:resolve(context)
    if not call then
        refuse(status, "%s", why)
    end
    context.stage, context.domain = call.stage, call.domain
    local action, resource, questions = call.action, call.resource, further(api, call)
    local caller, known, signature, code = principal_of(estate, request, context)
    context.principal = caller
    if estate.hooks then
        ask_before(estate, context)
    end
    local domain = context.domain and context.domain.arn and domain_of(api, context.domain.name)
    local made = flow_of(estate, api, API_SERVICE, context.endpoint, domain, known,
                         caller.account or "", api.account)
    local gateway, kept = gateway_of(made, api, request, context, domain, signature)
    local keys = plan_of(estate, made, api)
    local source = {
        principal = caller.arn or "*", action = action, resource = resource,
        resourceAccount = api.account,
        context = fill_keys(estate, keys, context, given_keys(request)),
        folded = true, gateway = gateway, call = context,
    }
    if api.authorizer then
        source.http, source.stage = context.http, context.stage
    end
    local decision = decide_flow(estate, made, source, context, kept)
    -- The pack's own name for what the flow refuses is the more exact one.
    if signature and SIGNATURES[decision.code] == signature then
        decision.code = code
    end
    if estate.plans and estate.plans.wanted == request then
        pcall(estate.plans.learn, estate.plans, {
            request = request, api = api, context = context, source = source, decision = decision,
            pack = made.flow.pack, keys = keys,
        })
    end
    if decision.allowed and #questions > 0 then
        return decide_further(estate, made, api, decision, context, questions)
    end
    return decision
end


-- The resource whose policy speaks of what is asked for, as the service in its ARN has it.
local function resource_of(estate, arn)
    local pack = pack_of(estate, { service = arn:match("^arn:[^:]*:([^:]*):") or "" }).pack
    return estate.resources[pack.resource_policy and pack.resource_policy(arn) or arn]
end


-- The account that owns what is asked for, as far as estate or request say so.
local function owner_of(resource, request)
    local said = request.resourceAccount
    if resource and said and said ~= resource.account then
        refuse(BAD, "`resourceAccount` is `%s`, the owner of `%s` is `%s`", said, resource.id,
               resource.account)
    end
    return said or resource and resource.account
end


local NEEDED = { "action", "resource" }

local function decide_action(estate, request, seen)
    for _, name in ipairs(NEEDED) do
        if not request[name] then
            refuse(FAULT, "`%s` is missing: give `api`, or `action` and `resource`", name)
        end
    end
    -- An API has policies of its own, and an endpoint perhaps; asked this way they would be passed
    -- by, and a Deny in them with them.
    if request.api or request.host or service_of(request.action) == API_SERVICE then
        refuse(BAD, "a call of an API is decided by `api` or `host`, `stage`, `method` and "
            .. "`path`: give no `action`")
    end
    local context = context_of(estate, request, nil)
    if seen then
        seen.context = context
    end
    context.http = completed_http({ headers = nil, scheme = request.scheme or "https" }, request)
    local caller, known = principal_of(estate, request, context)
    context.principal = caller
    if estate.hooks then
        ask_before(estate, context)
    end
    local resource = resource_of(estate, request.resource)
    local owner = owner_of(resource, request)
    local made = flow_of(estate, nil, service_of(request.action), context.endpoint, resource, known,
                         caller.account or "", owner
                         or request.resource:match("^arn:[^:]*:[^:]*:[^:]*:(%d+):")
                         or caller.account or "")
    return decide_flow(estate, made, {
        principal = caller.arn or "*", action = request.action, resource = request.resource,
        resourceAccount = owner,
        context = fill_keys(estate, plan_of(estate, made), context, given_keys(request)),
    }, context)
end


-- ---- Public ------------------------------------------------------------------


local function index_principals(estate)
    estate.callers, estate.roles = {}, {}
    for _, principal in pairs(estate.principals) do
        if principal.role_arn then
            estate.roles[role_key(principal.account, principal.role_arn)] = principal
        else
            estate.callers[principal.arn] = principal
        end
    end
end


--- Makes an estate ready to decide; a part of opening it.
-- @tparam table estate as `postern.estate` builds it
-- @tparam table options `now` and `read`, a host's clock and reader, `log(message)`; optionally
-- `host`, the operations of one (see `postern.host.uv`), `open(path)`, another estate for packs,
-- and `previous`, the estate in whose place this one comes
-- @treturn boolean|nil true
-- @treturn string why not; nothing of it is running then
function _M.prepare(estate, options)
    local err
    estate.now, estate.log = options.now, options.log
    estate.visible = { trusted_proxies = estate.trusted_proxies } -- what packs may see
    estate.flows, estate.flow_count = {}, 0
    local service = scripts.packs_of(estate, "services")[1]
    estate.service, err = services.new(service.pack, service.config)
    if not estate.service then
        return nil, err
    end
    if #estate.identities > 0 then
        estate.identify, err = identities.new(estate.identities, identities.tools(options.now))
        if not estate.identify then
            return nil, err
        end
    end
    index_principals(estate)
    estate.plans = plans.new(estate)
    return scripts.start(estate, options)
end


-- What is raised here is a plain table. An object is not asked what it is: that could raise again.
local function denied(failure, request)
    if type(failure) ~= "table" then
        failure = { error = tostring(failure) }
    elseif getmetatable(failure) ~= nil then
        failure = { error = "an error that is an object" }
    end
    return decisions.failed(type(request) == "table" and request or {}, failure)
end


-- `seen`, where hooks want it, gets the context, also of a request that fails later.
local function decide_checked(estate, request, seen)
    local decision = (request.action and decide_action or decide_api)(estate, request, seen)
    decision.reachability, decision.unreachable =
        reachability(estate, request, estate.endpoints[request.vpce])
    return decision
end


-- The same where headers or query may be refused on the way, by whatever wanted to know them.
local function decide_later(estate, request, seen)
    local ok, decision = pcall(decide_checked, estate, request, seen)
    local behind = seen.context and seen.context.http and getmetatable(seen.context.http)
    if behind and behind.refusal then
        error(behind.refusal, 0)
    elseif not ok then
        error(decision, 0)
    end
    return decision
end


local function decide(estate, request, seen)
    check_members(request)
    if type(request.headers) == "function" or type(request.query) == "function" then
        return decide_later(estate, request, seen or {})
    end
    return decide_checked(estate, request, seen)
end


-- What hooks want done with a decision. One that fails denies.
local function ask_after(estate, decision, context)
    local called, deny = pcall(estate.hooks.after, estate.hooks, context, decision)
    if not called then
        deny = { reason = "error", error = "a hook failed" }
    elseif not deny then
        return decision
    end
    local denying = denied(deny, context.request)
    denying.obligations, denying.headers, denying.hook = deny.obligations, deny.headers, deny.hook
    denying.reachability, denying.unreachable = decision.reachability, decision.unreachable
    return denying
end


local function decide_with_hooks(estate, request)
    local seen = {}
    local ok, decision = pcall(decide, estate, request, seen)
    local context = seen.context or { request = request }
    if not ok then
        local failure = decision
        decision = denied(failure, request)
        if type(failure) == "table" and getmetatable(failure) == nil then
            decision.hook, decision.headers = failure.hook, failure.headers
        end
    end
    decision = ask_after(estate, decision, context)
    decision.revision = estate.revision
    estate.hooks:log(context, decision)
    return decision
end


--- Decides a call by what is known of others like it, without waiting; see `decide_plain` of
-- `postern.plan`. It may raise; then there is no decision, and `decide` has to be asked. A pcall
-- here would end the compiled way.
-- @tparam table estate
-- @tparam table call
-- @treturn Decision|nil as of `decide`, sealed; nil: it takes that
-- @treturn boolean|nil true where such calls cannot be decided at once
function _M.decide_plain(estate, call)
    local known = estate.plans
    if estate.hooks or not known then
        return nil, true
    end
    local decision, never = known:decide_plain(call)
    return decision, never
end


--- Decides a request. Total: whatever goes wrong is a deny, and nothing is raised.
-- @tparam table estate
-- @tparam table request see docs/estate.md
-- @treturn Decision with `revision`, that of the estate; where the network is known `reachability`
-- (`reachable`, or why not) and `unreachable` (the same in a sentence); where the client wants a
-- cache renewed that demands authorization `cache_invalidation`, see docs/gateway.md; and where
-- hooks said so `hook`, the one that denied, `headers` for the answer and `obligations`, tables
-- from name to text
function _M.decide(estate, request)
    if estate.hooks then
        return decide_with_hooks(estate, request)
    end
    local ok, decision
    if estate.plans then
        ok, decision = pcall(estate.plans.decide, estate.plans, request)
        if ok and decision then
            return decision
        end
    end
    ok, decision = pcall(decide, estate, request)
    if not ok then
        decision = denied(decision, request)
    end
    decision.revision = estate.revision
    return decision
end


return _M
