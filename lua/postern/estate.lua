--- The estate: the gateway as configured, from a Lua file of words and the policies it names.
--
-- Opening is atomic: everything is read, checked and compiled first, every problem is reported, and
-- only an estate without any is returned. An open estate is not changed any more.
--
-- *Dependencies*: postern.cidr, postern.crypto, postern.config, postern.words, postern.network,
-- postern.path, postern.set, postern.endpoint_services, postern.endpoint_policy, postern.packs,
-- postern.apis, postern.scripts, postern.engine, postern.store.record, postern.store.held
--
-- @module postern.estate
local cidrs = require("postern.cidr")
local config = require("postern.config")
local words = require("postern.words")
local network = require("postern.network")
local paths = require("postern.path")
local sets = require("postern.set")
local packs = require("postern.packs")
local crypto = require("postern.crypto")
local endpoint_policies = require("postern.endpoint_policy")
local endpoint_services = require("postern.endpoint_services")
local apis = require("postern.apis")
local scripts = require("postern.scripts")
local engine = require("postern.engine")
local records = require("postern.store.record")
local held = require("postern.store.held")


local _M = {}
local Estate = {}
Estate.__index = Estate


-- API Gateway Developer Guide, "Amazon API Gateway quotas": characters of a resource policy. AWS
-- raises it on request; so does `policy_limit`.
local API_POLICY_LIMIT = 8192

-- Estates that packs open for each other.
local MAX_CHAIN = 5

-- The flow of calls to an API, and that of services without a flow of their name.
local FLOWS = { gateway = "api_gateway", other = "generic" }


local NONE = {} -- an empty list that many share; nobody writes to it


-- ---- Opening ---------------------------------------------------------------


local function problem(self, entry, message, ...)
    local what = entry.id and ("%s `%s`: "):format(entry.word, entry.id) or entry.word .. ": "
    config.add(self.problems, entry, what .. message:format(...))
end


-- Reads a file once and keeps its bytes for the revision.
local function recorder(self, read)
    return function(path)
        if self.texts[path] == nil then
            local text, err = read(path)
            self.texts[path] = text or false
            self.failures[path] = err
            if text then
                self.read_order[#self.read_order + 1] = text
            end
        end
        return self.texts[path] or nil, self.failures[path]
    end
end


-- The same for the same bytes in the same order, whatever the folder is called. The hash is one of
-- hashes, so that it can be made in pieces.
local function revision_of(self)
    local parts = {}
    for i, text in ipairs(self.read_order) do
        parts[i] = crypto.sha256(text)
        self.pause()
    end
    return crypto.hex(crypto.sha256(table.concat(parts)))
end


local function entries_of(self, word)
    return self.by_word[word] or {}
end


-- The entry of a word that another one names, or a problem.
local function referred(self, entry, member, word, id)
    local found = self.ids[word] and self.ids[word][id]
    if not found then
        problem(self, entry, "`%s`: there is no %s `%s`", member, word, id)
    end
    return found
end


local function refer_all(self, entry, member, word)
    for _, id in ipairs(entry.members[member] or {}) do
        referred(self, entry, member, word, id)
    end
end


-- Route tables need no description: one without it has no own routes. Where some are described, a
-- name that is not is a slip, and they have to be of the VPC that uses them.
local function refer_route_tables(self, entry, member, ids, vpc)
    for _, id in ipairs(self.ids.route_table and ids or {}) do
        local found = referred(self, entry, member, "route_table", id)
        if found and vpc and found.members.vpc and found.members.vpc ~= vpc then
            problem(self, entry, "`%s`: the route_table `%s` is one of `%s`, not of `%s`", member,
                    id, found.members.vpc, vpc)
        end
    end
end


-- ---- Policies --------------------------------------------------------------


local function read_policy(self, entry, member, name)
    local stored = member == "policy" and entry.stored
    local path = stored or config.resolve(name, entry.file)
    local text, err = self.read(path)
    if not text then
        problem(self, entry, "`%s`: policy `%s`: %s", member, path, err)
        return nil
    end
    self.policies[path] = self.policies[path]
        or { name = path, text = text, line = 1, column = 1 }
    return self.policies[path]
end


-- Why the policy of an API is not taken, by the codes that endpoint policies have.
local function code_of(sources, policy_type, err)
    for _, source in ipairs(policy_type == "resource" and sources or NONE) do
        if source.name == err.name then
            return endpoint_policies.code_of(source.text, policy_type, err)
        end
    end
    return nil
end


-- Compiles policies into one set. The same files of one type for one API give the same set.
local function compile_sources(self, sources, policy_type, api_arn)
    local key = { policy_type, api_arn or "" }
    for i, source in ipairs(sources) do
        key[i + 2] = source.name
    end
    key = table.concat(key, "\0")
    if self.sets[key] == nil then
        local set, err = sets.compile(sources, {
            type = policy_type, strictness = "attachable", api_arn = api_arn,
        })
        if not set then
            local line = err.line > 0 and err.line or nil
            config.add(self.problems, {
                file = err.name, line = line, column = line and err.column, policy = err.name,
                code = code_of(sources, policy_type, err),
            }, err.message)
        end
        self.sets[key] = set or false
    end
    return self.sets[key] or nil
end


local function compile(self, entry, member, names, policy_type, api_arn)
    local sources = {}
    for i, name in ipairs(names) do
        -- Missing files are all told; `sources` ends before the first of them.
        sources[i] = read_policy(self, entry, member, name)
    end
    if #sources < #names then
        return nil
    end
    local key = table.concat(names, "\0") .. "\0" .. entry.file
    self.sources[key] = self.sources[key] or sources
    return compile_sources(self, self.sources[key], policy_type, api_arn)
end


local function compile_one(self, entry, member, policy_type, api_arn)
    local name = entry.members[member]
    return name and compile(self, entry, member, { name }, policy_type, api_arn)
end


-- The documents of one organisation level work as one; a level that names none is left at what AWS
-- attaches by itself, FullAWSAccess, which lets everything pass.
local function compile_level(self, entry, owner, member)
    local names = owner[member]
    if not names then
        return nil
    elseif #names == 0 then
        problem(self, entry, "`%s`: the list is empty: AWS keeps at least one attached", member)
        return nil
    end
    return compile(self, entry, member, names, member)
end


-- ---- What each word makes ---------------------------------------------------


local function check_size(self, entry)
    local name = entry.members.policy
    local source = name and read_policy(self, entry, "policy", name)
    local limit = entry.members.policy_limit or API_POLICY_LIMIT
    local count = source and endpoint_policies.characters(source.text) or 0
    if count > limit then
        config.add(self.problems, {
            file = entry.file, line = entry.line, policy = source.name,
            code = "InvalidPolicyDocument.Size",
        }, ("api `%s`: policy `%s` has %d characters, the limit is %d: shorten it, or raise "
            .. "`policy_limit` if AWS raised it for you")
            :format(entry.id, source.name, count, limit))
    end
end


local function setting(self, entry, word)
    local value = entry.members[word] or self.settings[word]
    if not value then
        problem(self, entry, "`%s` is missing: add it, or the word `%s` for all", word, word)
    end
    return value or ""
end


local function set_of_names(names)
    local found = {}
    for _, name in ipairs(names or {}) do
        found[name] = true
    end
    return found
end


local OF_AUTHORIZERS = { "authorizer", "identity_sources", "authorizer_ttl" }

local function check_kind(self, entry)
    local members = entry.members
    for _, name in ipairs(OF_AUTHORIZERS) do
        if members[name] and members.authorization ~= "LAMBDA" then
            problem(self, entry, "`%s` belongs to an API whose authorization is LAMBDA", name)
        end
    end
    if members.cache_invalidation and members.websocket then
        problem(self, entry, "`cache_invalidation` belongs to a REST API: a WebSocket API has no "
            .. "cache")
    end
end


local function check_stages(self, entry)
    for _, stage in ipairs(entry.members.stages or {}) do
        if not stage:match("^[%w_$-]+$") then
            problem(self, entry, "stage `%s`: a stage has letters, digits, `_` and `-` only", stage)
        end
    end
    if entry.members.stages and #entry.members.stages == 0 then
        problem(self, entry, "`stages` is empty: name at least one")
    end
end


local function check_vpc_endpoints(self, entry)
    local members = entry.members
    if members.vpc_endpoints and members.endpoint_type ~= "PRIVATE" then
        problem(self, entry, "`vpc_endpoints` belongs to a PRIVATE API")
    end
    for _, id in ipairs(members.vpc_endpoints or {}) do
        local found = referred(self, entry, "vpc_endpoints", "endpoint", id)
        local service = found and self.endpoint_services
            and self.endpoint_services:find(found.members.service).suffix
        if service and service ~= "execute-api" then
            problem(self, entry, "`vpc_endpoints`: endpoint `%s` is one of the service `%s`", id,
                    service)
        end
    end
end


-- Base paths, as the services pack wants them, with the policy of a private domain name.
local function domains_of(self, entry)
    if not entry.members.domains then
        return NONE
    end
    local domains = {}
    for name, members in pairs(entry.members.domains) do
        if (members.policy or members.vpc_endpoints) and not members.id then
            problem(self, entry, "domain `%s`: only a private one, which has an `id`, has `policy` "
                .. "and `vpc_endpoints`", name)
        end
        for _, id in ipairs(members.vpc_endpoints or {}) do
            referred(self, entry, "domains", "endpoint", id)
        end
        domains[name] = {
            base_path = members.base_path, stage = members.stage, id = members.id,
            account = members.account, region = members.region,
            associated = set_of_names(members.vpc_endpoints),
            policy = members.policy
                and compile(self, entry, "domains", { members.policy }, "resource") or nil,
        }
    end
    return domains
end


-- APIs with the same rules share them: there may be thousands.
local function path_rules(self, entry)
    local allow = entry.members.ambiguous_paths or NONE
    local key = table.concat(allow, "\0")
    if not self.path_rules[key] then
        local made, err = paths.new({ allow = allow })
        if not made then
            problem(self, entry, "`ambiguous_paths`: %s", err)
        end
        self.path_rules[key] = made
    end
    return self.path_rules[key]
end


-- A list of texts by what is in it; other tables are the same only when they are one.
local function trait_text(value)
    if type(value) == "table" and #value > 0 then
        return table.concat(value, "\1")
    end
    return tostring(value)
end


-- What APIs may have in common. There may be ten thousand APIs: those that differ in nothing but id
-- and policy share a table of traits, and so does whatever is made for them. Every trait is in the
-- key, whichever there are. Who has an authorizer shares nothing: its answers are kept by API.
local function traits_key(entry, traits)
    if traits.authorizer then
        return entry.id
    end
    local parts = { entry.members.policy and "policy" or "open" }
    for name, value in pairs(traits) do
        parts[#parts + 1] = name .. "=" .. trait_text(value)
    end
    return table.concat(parts, "\0")
end


local SHOWN_TRAITS = { "account", "region", "partition", "org_id", "org_paths", "endpoint_type",
                       "authorization", "stages", "routes", "websocket" }

-- An API shows its traits as if they were its own.
local function share_traits(traits)
    traits.shape = traits
    local prefix = ("arn:%s:execute-api:%s:%s:"):format(traits.partition, traits.region,
                                                        traits.account)
    traits.metatable = {
        __index = function(api, name)
            if name == "arn" then
                return prefix .. api.id
            end
            return traits[name]
        end,
        -- What private packs see of it.
        __view = function(api)
            local view = { id = api.id, arn = api.arn }
            for _, name in ipairs(SHOWN_TRAITS) do
                view[name] = traits[name]
            end
            return view
        end,
    }
    return traits
end


local BUILD = {}

function BUILD.api(self, entry)
    local members = entry.members
    check_kind(self, entry)
    check_stages(self, entry)
    check_vpc_endpoints(self, entry)
    check_size(self, entry)
    local account, region = setting(self, entry, "account"), setting(self, entry, "region")
    local arn = ("arn:%s:execute-api:%s:%s:%s"):format(self.settings.partition, region, account,
                                                       entry.id)
    local member = self.accounts[account]
    local traits = {
        org_id = member and member.org_id, org_paths = member and { member.path },
        account = account, region = region, partition = self.settings.partition,
        endpoint_type = members.endpoint_type, authorization = members.authorization,
        stages = members.stages, routes = members.routes, websocket = members.websocket or false,
        domains = domains_of(self, entry), path_rules = path_rules(self, entry),
        authorizer = members.authorizer, identity_sources = members.identity_sources,
        authorizer_ttl = members.authorizer_ttl,
        cognito_requires_allow = members.cognito_requires_allow,
        cache_invalidation = members.cache_invalidation,
        asks_renewal = members.cache_invalidation ~= nil,
    }
    local key = traits_key(entry, traits)
    traits.shared = traits.domains == NONE and not traits.authorizer
    self.traits[key] = self.traits[key] or share_traits(traits)
    return setmetatable({
        id = entry.id, policy = compile_one(self, entry, "policy", "resource", arn),
    }, self.traits[key].metatable)
end


local function check_ranges(self, entry)
    local matcher, err = cidrs.new(entry.members.cidr or {})
    if not matcher then
        problem(self, entry, "`cidr`: %s", err.message)
    end
    return matcher
end


function BUILD.vpc(self, entry)
    local members = entry.members
    refer_all(self, entry, "peers", "vpc")
    refer_all(self, entry, "transit", "vpc")
    refer_route_tables(self, entry, "route_table", { members.route_table }, entry.id)
    return {
        id = entry.id, cidr = members.cidr, ranges = check_ranges(self, entry),
        peers = members.peers or {}, transit = members.transit or {},
        networks = members.networks or {}, route_table = members.route_table,
    }
end


function BUILD.subnet(self, entry)
    local members = entry.members
    if members.vpc then
        referred(self, entry, "vpc", "vpc", members.vpc)
    end
    refer_route_tables(self, entry, "route_table", { members.route_table }, members.vpc)
    return { id = entry.id, vpc = members.vpc, cidr = members.cidr,
             ranges = check_ranges(self, entry), route_table = members.route_table }
end


-- Tries a part of the network alone, so that what is wrong with it gets the line of its word.
local function check_network(self, entry, model)
    local made, err = network.new(model)
    if not made then
        problem(self, entry, "%s", (err:gsub("^[%w ]+ `[^`]*`: ", "")))
    end
    return made ~= nil
end


function BUILD.prefix_list(self, entry)
    local list = { id = entry.id, cidr = entry.members.cidr or {} }
    return check_network(self, entry, { prefix_lists = { [entry.id] = list } }) and list or nil
end


function BUILD.route_table(self, entry)
    local members = entry.members
    if members.vpc then
        referred(self, entry, "vpc", "vpc", members.vpc)
    end
    local built = { id = entry.id, vpc = members.vpc, routes = {} }
    for _, route in ipairs(members.routes or {}) do
        if route.destination then -- one without it is told already
            table.insert(built.routes, route)
        end
    end
    check_network(self, entry, {
        prefix_lists = self.prefix_lists, route_tables = { [entry.id] = built },
    })
    return built
end


local DIRECTIONS = { "inbound", "outbound" }

function BUILD.security_group(self, entry)
    local members = entry.members
    if members.vpc then
        referred(self, entry, "vpc", "vpc", members.vpc)
    end
    for _, member in ipairs(DIRECTIONS) do
        for _, rule in ipairs(members[member] or {}) do
            if rule.security_group then
                referred(self, entry, member, "security_group", rule.security_group)
            end
        end
    end
    local group = { id = entry.id, vpc = members.vpc, name = members.name,
                    inbound = members.inbound, outbound = members.outbound }
    check_network(self, entry, {
        prefix_lists = self.prefix_lists, security_groups = { [entry.id] = group },
    })
    return group
end


-- The checker of endpoint policies, made of the table packs.
local function checker_of(self)
    local by_name = self.packs.by_name
    local tables = { by_name["tables/endpoint_services"], by_name["tables/system_keys"] }
    if #tables == 2 then
        self.endpoint_services = endpoint_services.new(tables[1].pack.data)
        self.checker = endpoint_policies.new({
            services = self.endpoint_services, system_keys = tables[2].pack.data,
        })
    end
end


local function add_finding(list, entry, finding)
    local place = { file = entry.file, line = entry.line }
    if finding.line > 0 then
        place = { file = finding.name, line = finding.line, column = finding.column }
    end
    place.code, place.policy = finding.code, finding.name
    local message = ("%s: %s"):format(finding.code, finding.message)
    if finding.line == 0 then
        message = ("endpoint `%s`: %s"):format(entry.id, message)
    end
    config.add(list, place, message)
end


-- The one policy of an endpoint; without one AWS attaches the default policy.
local function endpoint_policy(self, entry, kind)
    local names = entry.members.policy
    local sources, texts = {}, {}
    for _, name in ipairs(names or {}) do
        local source = read_policy(self, entry, "policy", name)
        sources[#sources + 1] = source
        texts[#texts + 1] = source and source.text
    end
    if names and #sources < #names then
        return nil
    elseif not names then
        sources[1] = { name = "default endpoint policy", text = endpoint_policies.DEFAULT }
    elseif self.checker then
        local ok, found = self.checker:validate(texts, {
            service = entry.members.service, type = kind, name = sources[1] and sources[1].name,
        })
        for _, finding in ipairs(ok and found or { found }) do
            add_finding(ok and self.warnings or self.problems, entry, finding)
        end
        if not ok then
            return nil
        end
    end
    return compile_sources(self, sources, endpoint_policies.TYPES[kind])
end


local function check_service(self, entry, kind)
    local service = self.endpoint_services and self.endpoint_services:find(entry.members.service)
    if service and kind == "Gateway" and not service.gateway then
        problem(self, entry, "there are no gateway endpoints for `%s`", service.suffix)
    end
    return service or {}
end


function BUILD.endpoint(self, entry)
    local members = entry.members
    local kind = endpoint_policies.TYPES[members.type or ""] and members.type or "Interface"
    if members.vpc then
        referred(self, entry, "vpc", "vpc", members.vpc)
    end
    refer_all(self, entry, "subnets", "subnet")
    refer_all(self, entry, "security_groups", "security_group")
    for _, id in pairs(members.prefix_lists or {}) do
        referred(self, entry, "prefix_lists", "prefix_list", id)
    end
    if kind == "Gateway" and (members.security_groups or members.subnets) then
        problem(self, entry, "`security_groups` and `subnets` belong to an interface endpoint")
    elseif kind == "Interface" and members.route_tables then
        problem(self, entry, "`route_tables` belongs to a gateway endpoint")
    end
    refer_route_tables(self, entry, "route_tables", members.route_tables, members.vpc)
    local service = check_service(self, entry, kind)
    return {
        id = entry.id, service = service.suffix, prefix = service.prefix or service.suffix,
        type = kind, vpc = members.vpc, account = members.account or self.settings.account,
        subnets = members.subnets, security_groups = members.security_groups,
        route_tables = members.route_tables, addresses = members.addresses,
        address_type = members.address_type, prefix_lists = members.prefix_lists,
        state = "available", policy = endpoint_policy(self, entry, kind),
    }
end


-- ---- Resources of other services -----------------------------------------------


-- Where the service says how long a policy may be, `policy_limit` says what AWS raised it to.
local function check_bytes(self, entry, limit)
    local name = entry.members.policy
    local source = name and read_policy(self, entry, "policy", name)
    limit = entry.members.policy_limit or limit
    if source and limit and #source.text > limit then
        problem(self, entry, "policy `%s` has %d bytes, the limit is %d: shorten it, or raise "
            .. "`policy_limit` if AWS raised it for you", source.name, #source.text, limit)
    end
end


-- Where the policy that speaks of a resource is attached, and its most bytes, if its flow knows.
local function holder_of(self, entry, service)
    local flows = self.packs.by_name
    local flow = flows["flows/" .. service] or flows["flows/" .. FLOWS.other]
    if not flow or not flow.pack.resource_policy then
        return entry.id
    end
    local called, holder, limit = pcall(flow.pack.resource_policy, entry.id)
    if not called then
        problem(self, entry, "the flow `%s` failed: %s", flow.pack.name, tostring(holder))
        return entry.id
    end
    return holder, limit
end


-- What has no policy of its own is a problem.
local function check_resource(self, entry, service, account)
    local holder, limit = holder_of(self, entry, service or "")
    check_bytes(self, entry, limit)
    if not service or entry.id:find("[*?]") then
        problem(self, entry, "give the ARN of one resource")
    elseif service == "execute-api" then
        problem(self, entry, "the policy of an API belongs to the word `api`")
    elseif holder ~= entry.id then
        problem(self, entry, "it has no policy of its own: give that of `%s`", holder)
    elseif account and entry.members.account and account ~= entry.members.account then
        problem(self, entry, "`account` is `%s`, the ARN says `%s`", entry.members.account, account)
    end
end


-- A role's policy is its trust policy, which names no resource.
function BUILD.resource(self, entry)
    local service, account, rest = entry.id:match("^arn:[%l%d-]+:([%l%d-]+):[%l%d-]*:(%d*):(.+)$")
    account = account ~= "" and account or nil
    check_resource(self, entry, service, account)
    local is_role = service == "iam" and rest:find("^role/") ~= nil
    return {
        id = entry.id, account = account or setting(self, entry, "account"),
        policy = compile_one(self, entry, "policy", is_role and "trust" or "resource") or nil,
    }
end


-- ---- Principals ------------------------------------------------------------


-- The policies of a principal and of its groups work as one set. A file that is missing is told
-- with the principal or group that names it.
local function identity_set(self, entry)
    local owners, count, sources = { entry }, 0, {}
    for _, id in ipairs(entry.members.groups or {}) do
        owners[#owners + 1] = referred(self, entry, "groups", "group", id)
    end
    for _, owner in ipairs(owners) do
        for _, name in ipairs(owner.members.policies or {}) do
            count = count + 1
            sources[#sources + 1] = read_policy(self, owner, "policies", name)
        end
    end
    return count > 0 and #sources == count and compile_sources(self, sources, "identity") or nil
end


-- A role is no caller itself: its sessions are. Everything else is one by its ARN.
local function identity_of(self, entry)
    local arn = entry.members.arn
    local account = arn and arn:match("^arn:[%l%d-]+:iam::(%d+):role/[!-~]+$")
    if account and #account == 12 then
        return { role_arn = arn, account = account }
    end
    local caller, err = engine.caller(arn or "")
    if arn and not caller then
        problem(self, entry, "`arn`: %s, or the name of a service", err)
    end
    return caller and { arn = arn, account = caller.account, caller = caller }
end


local OF_SESSIONS = { "tags", "mfa", "userid", "token_issue_time" }

function BUILD.principal(self, entry)
    local members = entry.members
    local principal = identity_of(self, entry) or {}
    principal.id, principal.attributes = entry.id, {}
    for _, name in ipairs(OF_SESSIONS) do
        principal.attributes[name] = members[name]
    end
    principal.identity = identity_set(self, entry)
    principal.boundary = compile_one(self, entry, "boundary", "boundary") or nil
    principal.session = compile_one(self, entry, "session", "session") or nil
    return principal
end


function BUILD.group(self, entry)
    -- Compiled by itself too, so that a group without members has its problems reported.
    compile(self, entry, "policies", entry.members.policies or {}, "identity")
    return { id = entry.id }
end


-- ---- The organization ------------------------------------------------------


local function extended(list, item)
    local longer = {}
    for i, one in ipairs(list) do
        longer[i] = one
    end
    longer[#longer + 1] = item
    return longer
end


local function level_of(self, entry, owner, above)
    return {
        scp = extended(above.scp, compile_level(self, entry, owner, "scp")),
        rcp = extended(above.rcp, compile_level(self, entry, owner, "rcp")),
        path = above.path .. (owner.root or owner.id or "") .. "/",
    }
end


local function add_accounts(self, entry, accounts, owner, level)
    for _, account in ipairs(owner.accounts or {}) do
        local id = account.id
        if id and accounts[id] then
            problem(self, entry, "account `%s` stands in two places", id)
        elseif id then
            local own = level_of(self, entry, account, level)
            own.path, own.org_id = level.path, entry.id
            accounts[id] = own
        end
    end
end


-- Walks the units with a list of what is left to do, so that depth costs no stack.
function BUILD.organization(self, entry)
    local accounts = {}
    local none = { scp = {}, rcp = {}, path = entry.id .. "/" }
    local left = { { owner = entry.members, above = none } }
    while #left > 0 do
        local item = table.remove(left)
        local level = level_of(self, entry, item.owner, item.above)
        add_accounts(self, entry, accounts, item.owner, level)
        for _, unit in ipairs(item.owner.units or {}) do
            left[#left + 1] = { owner = unit, above = level }
        end
    end
    local management = entry.members.management
    if management then
        -- AWS Organizations User Guide, "Service control policies": neither SCPs nor RCPs act on
        -- the management account.
        accounts[management] = { scp = {}, rcp = {}, path = entry.id .. "/"
            .. (entry.members.root or "") .. "/", org_id = entry.id }
    end
    return { id = entry.id, accounts = accounts }
end


-- ---- The store ---------------------------------------------------------------


-- What a store holds for an API or endpoint stands in place of its member `policy`.
local function put_in_place(self, folder, key, entry, record)
    local active = record.active
    if active.source == "policy" then
        local text, err, path = held.policy(folder, key, active.policy, self.read)
        if not text then
            config.add(self.problems, { file = path }, err)
        end
        entry.stored = path
        entry.members.policy = entry.word == "endpoint" and { path } or path
    elseif active.source ~= "file" then
        entry.members.policy = nil
    end
end


-- Reads the store, so that every file of it counts for the revision and is watched.
local function read_store(self)
    local word = entries_of(self, "store")[1]
    if not word then
        return nil
    end
    local folder, revisions = config.resolve(word.value, word.file):gsub("(.)/+$", "%1"), {}
    local keys, err, path = held.keys(folder, self.read)
    if not keys then
        config.add(self.problems, { file = path }, err)
    end
    for _, key in ipairs(keys or NONE) do
        local kind, id = records.parts_of_key(key)
        local entry = self.ids[kind] and self.ids[kind][id]
        local record
        record, err, path = held.record(folder, key, self.read)
        if not record then
            config.add(self.problems, { file = path }, err)
        elseif not entry then
            config.add(self.warnings, { file = path }, ("there is no %s `%s`: what the store holds "
                .. "for it acts on nothing"):format(kind, id))
        else
            put_in_place(self, folder, key, entry, record)
            revisions[key] = record.revision
        end
        self.pause()
    end
    return { folder = folder, revisions = revisions }
end


-- ---- Packs -----------------------------------------------------------------


local function load_packs(self)
    local ok, err = self.packs:load_shipped()
    if not ok then
        config.add(self.problems, { file = self.path }, err)
    end
    for _, entry in ipairs(entries_of(self, "rules")) do
        ok, err = self.packs:add(entry)
        if not ok then
            problem(self, entry, "%s", err)
        end
    end
end


local function load_identities(self)
    local identities = {}
    for i, entry in ipairs(entries_of(self, "identity")) do
        local pack, err = self.packs:load_identity(entry)
        local ok = pack
        if pack then
            ok, err = engine.check_identity(pack, entry.members)
        end
        if not ok then
            problem(self, entry, "%s", (err:gsub("^identity `[^`]*`: ", "")))
        end
        identities[i] = { pack = pack, config = entry.members }
    end
    return identities
end


-- ---- The whole -------------------------------------------------------------


local GLOBAL_WORDS = { "account", "region", "partition" }

local function read_settings(self)
    self.settings = { partition = "aws" }
    for _, word in ipairs(GLOBAL_WORDS) do
        local entry = entries_of(self, word)[1]
        self.settings[word] = entry and entry.value or self.settings[word]
    end
end


local function index_entries(self, entries)
    for _, entry in ipairs(entries) do
        local word = entry.word
        self.by_word[word] = self.by_word[word] or {}
        self.ids[word] = self.ids[word] or {}
        table.insert(self.by_word[word], entry)
        if entry.id then
            self.ids[word][entry.id] = entry
        end
        self.pause()
    end
end


local function build_all(self, word)
    local built = {}
    for _, entry in ipairs(entries_of(self, word)) do
        built[entry.id] = BUILD[word](self, entry)
        self.pause()
    end
    return built
end


local function trusted_proxies(self)
    local entry = entries_of(self, "trusted_proxies")[1]
    if not entry then
        return nil
    end
    for _, range in ipairs(entry.value) do
        if range:match("/0+$") then
            problem(self, entry, "`%s` is everybody: name the proxies", range)
        end
    end
    local matcher, err = cidrs.new(entry.value)
    if not matcher then
        problem(self, entry, "%s", tostring(err))
    end
    return matcher
end


-- What fronts are told: how denials look, and whether they count.
local function front_settings(self)
    local answers, mode = entries_of(self, "answers")[1], entries_of(self, "mode")[1]
    if mode and mode.value == "dry_run" then
        config.add(self.warnings, mode, "dry run: nothing is denied, only told")
    end
    return answers and answers.value or NONE, mode and mode.value
end


-- A domain name and base path lead to one API.
local function check_base_paths(self, entry, taken)
    for domain, mapping in pairs(entry.members.domains or {}) do
        local name = domain:lower() .. "/" .. (mapping.base_path or "")
        if taken[name] then
            problem(self, entry, "`domains`: `%s` leads to the API `%s` already", name, taken[name])
        end
        taken[name] = entry.id
    end
end


local function index_domains(self, by_id)
    local domains, taken = {}, {}
    for _, entry in ipairs(entries_of(self, "api")) do
        for domain in pairs(entry.members.domains or {}) do
            local name = domain:lower()
            domains[name] = domains[name] or {}
            table.insert(domains[name], by_id[entry.id])
        end
        check_base_paths(self, entry, taken)
        self.pause()
    end
    return domains
end


local function build_network(self, estate)
    estate.vpcs, estate.subnets = build_all(self, "vpc"), build_all(self, "subnet")
    self.prefix_lists = build_all(self, "prefix_list")
    estate.network = network.new({
        vpcs = estate.vpcs, subnets = estate.subnets, prefix_lists = self.prefix_lists,
        route_tables = build_all(self, "route_table"),
        security_groups = build_all(self, "security_group"),
    })
end


local function build(self)
    read_settings(self)
    load_packs(self)
    checker_of(self)
    local estate = { path = self.path, flow_names = FLOWS, identities = load_identities(self) }
    estate.store = read_store(self)
    build_network(self, estate)
    estate.endpoints = build_all(self, "endpoint")
    estate.resources = build_all(self, "resource")
    build_all(self, "group")
    estate.principals = build_all(self, "principal")
    local _, organization = next(build_all(self, "organization"))
    estate.accounts = organization and organization.accounts or {}
    estate.trusted_proxies = trusted_proxies(self)
    estate.answers, estate.mode = front_settings(self)
    -- Checked by the server, which alone knows what may stand there.
    local serve = entries_of(self, "serve")[1]
    estate.serve = serve and { value = serve.value, file = serve.file, line = serve.line }
    self.accounts = estate.accounts
    estate.apis = build_all(self, "api")
    estate.domains = index_domains(self, estate.apis)
    estate.packs, estate.pack_order = self.packs.by_name, self.packs.order
    estate.warnings = self.warnings
    return setmetatable(estate, Estate)
end


-- Where a set mentions a key first.
local function place_of_key(set, key)
    for statement = 0, set:statement_count() - 1 do
        local found = set:statement(statement)
        for condition = 0, found.condition_count - 1 do
            local at = set:condition(statement, condition)
            if at.key == key then
                return { file = found.name, line = at.line, column = at.column }
            end
        end
    end
    return { file = set.origins[1].name }
end


-- A key that nobody provides is no mistake, since a request may bring it along; else it is always
-- absent, which a Deny may not expect.
local function warn_of_keys(self, estate)
    for _, set in pairs(self.sets) do
        for _, key in ipairs(set and estate.keys:unprovided(set) or NONE) do
            config.add(self.warnings, place_of_key(set, key), ("no pack provides the condition key "
                .. "`%s`: it is absent unless a request brings it along"):format(key))
        end
        self.pause()
    end
    config.sort(self.warnings)
end


-- Another estate, for packs that compare. None of those in `chain` again: it would never end. A
-- path can be spelled in many ways, so there are only so many. What is made here lives as long as
-- the estate: it must not hold on to `options`, and by them to the estate before.
local function opener(estate_path, options, opened)
    local chain, depth = { [estate_path] = true }, 1
    for path in pairs(options.chain or NONE) do
        chain[path], depth = true, depth + 1
    end
    local alike = {
        read = options.read, now = options.now, log = options.log, host = options.host,
        chain = chain,
    }
    return function(path)
        if type(path) ~= "string" then
            return nil, ("the path of an estate is a %s: give a text"):format(type(path))
        elseif chain[path] then
            return nil, ("the estate `%s` is being opened already"):format(path)
        elseif depth >= MAX_CHAIN then
            return nil, ("more than %d estates open each other: `%s` is not opened")
                :format(MAX_CHAIN - 1, path)
        end
        local other, err = _M.open(path, alike)
        opened[#opened + 1] = other
        return other, not other and tostring(err) or nil
    end
end


local function nothing() end


local function prepare(self, estate, options)
    estate.opened = {}
    local ok, err = engine.prepare(estate, {
        read = options.read, now = options.now, log = options.log or nothing, host = options.host,
        previous = options.previous, open = opener(self.path, options, estate.opened),
    })
    if ok then
        warn_of_keys(self, estate)
        return
    end
    for _, other in ipairs(estate.opened) do
        other:close()
    end
    config.add(self.problems, { file = self.path }, err)
end


--- Opens an estate: reads its file, everything that names, and compiles every policy.
-- @tparam string path
-- @tparam table options `read` (a host's reader), `now` (a host's clock); optionally `log`
-- (`function(message)`, for the operator), `host` (what packs may wait with, see
-- `postern.host.uv`), `pause` (a function that is called between any two pieces of the work, so
-- that others get their turn), and `previous` (the estate in whose place this one comes: its packs
-- may take over the state of theirs)
-- @treturn Estate|nil `warnings`: problems that keep nothing from working; `store`: nil, or the
-- `folder` of its store and `revisions`, from key to what was read; `close` it when nobody asks it
-- any more
-- @treturn Problems every problem; as text one line each, `file:line: message`
function _M.open(path, options)
    local self = {
        path = path, pause = options.pause or nothing,
        texts = {}, failures = {}, read_order = {}, -- every file, by path
        by_word = {}, ids = {}, settings = {},
        policies = {}, sources = {}, sets = {}, traits = {}, path_rules = {},
        warnings = config.problems(),
    }
    self.read = recorder(self, options.read)
    self.packs = packs.new(self.read, self.pause)
    local entries
    entries, self.problems = config.read(path, {
        words = words, read = self.read, pause = self.pause,
    })
    index_entries(self, entries)
    local estate = build(self)
    if #self.problems == 0 then
        prepare(self, estate, options)
    end
    if #self.problems > 0 then
        config.sort(self.problems)
        return nil, self.problems
    end
    estate.revision = revision_of(self)
    estate.apis = apis.pack(estate.apis, self.pause)
    -- The JIT compiler keeps closures it has met for good, and with them this table: it must not
    -- keep what was built.
    for name in pairs(self) do
        self[name] = nil
    end
    return estate
end


--- Ends what runs for the estate: its packs are stopped, and those of estates they opened. To be
-- called once, when nobody asks it any more.
function Estate:close()
    scripts.close(self)
    for _, other in ipairs(self.opened) do
        other:close()
    end
end


--- Opens the files that packs write anew, after they have been moved away.
function Estate:reopen()
    scripts.reopen(self)
    for _, other in ipairs(self.opened) do
        other:reopen()
    end
end


--- Decides a request.
-- @tparam table request `api`, `stage`, `method`, `path` and what is known of the call, or `action`
-- and `resource`; see `decide` of `postern.engine`
-- @treturn Decision whatever happens; what went wrong is a deny with reason `error`
function Estate:authorize(request)
    return engine.decide(self, request)
end


--- Decides a call that is like others before it, at once, where that can be done: what `authorize`
-- says to a request of the same members, or nil. For hosts that read the rest of a request only
-- where it is needed. It may raise; then ask `authorize`, too.
-- @tparam table call see `decide_plain` of `postern.plan`; nothing of it is kept
-- @treturn Decision|nil nil: ask `authorize`
-- @treturn boolean|nil true where such calls cannot be decided at once
function Estate:decide_plain(call)
    local decision, never = engine.decide_plain(self, call)
    return decision, never -- no tail call: compiled code takes only so many
end


return _M
