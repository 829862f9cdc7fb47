--- The words of an estate, and what may stand behind each. docs/estate.md explains them.
--
-- *Dependencies*: none
--
-- @module postern.words

local TEXT, LIST, FLAG, COUNT = { type = "text" }, { type = "list" }, { type = "flag" },
    { type = "count" }
local ACCOUNT, MAP, TABLE = { type = "account" }, { type = "map" }, { type = "table" }


local function required(spec)
    return { type = spec.type, records = spec.records, one_of = spec.one_of, required = true }
end


local function one_of(...)
    local names = {}
    for _, name in ipairs({ ... }) do
        names[name] = true
    end
    return { one_of = names }
end


-- A custom domain name that leads to the API; one with an `id` is private and has its own policy.
local DOMAINS = { named = { short = "base_path", members = {
    base_path = TEXT, stage = TEXT, id = TEXT, account = ACCOUNT, region = TEXT, policy = TEXT,
    vpc_endpoints = LIST,
} } }

local RULES = { records = { members = {
    protocol = { type = "protocol" }, from = COUNT, to = COUNT, port = COUNT,
    cidr = TEXT, prefix_list = TEXT, security_group = TEXT,
} } }

-- Where a route leads is for the reader: it wins or loses by its destination alone.
local ROUTES = { records = { members = { destination = required(TEXT), target = TEXT } } }

local ACCOUNTS = { records = { short = "id", members = {
    id = required(ACCOUNT), scp = LIST, rcp = LIST,
} } }

local UNIT = { id = required(TEXT), scp = LIST, rcp = LIST, accounts = ACCOUNTS }
UNIT.units = { records = { members = UNIT } }

-- How a front tells clients what was decided; see `postern.answer`.
local ANSWERS = { members = {
    denied = { type = "refusal" }, fault = { type = "fault" },
    format = one_of("auto", "json", "text"),
} }

--- The words of an estate: `value` is the type of what follows the word, or `members` those of the
-- table behind its id; see `postern.config`.
return {
    account = { value = ACCOUNT, once = true },
    region = { value = TEXT, once = true },
    partition = { value = TEXT, once = true },
    answers = { value = ANSWERS, once = true },
    mode = { value = one_of("enforce", "dry_run"), once = true },
    trusted_proxies = { value = LIST, once = true },
    serve = { value = TABLE, once = true },
    store = { value = TEXT, once = true },
    rules = { value = TEXT, options = true },
    identity = { value = TEXT, options = true },
    vpc = { members = { cidr = required(LIST), peers = LIST, transit = LIST, networks = LIST,
                        route_table = TEXT } },
    subnet = { members = { vpc = required(TEXT), cidr = required(LIST), route_table = TEXT } },
    security_group = { members = { vpc = required(TEXT), name = TEXT, inbound = RULES,
                                   outbound = RULES } },
    prefix_list = { members = { cidr = required(LIST) } },
    route_table = { members = { vpc = required(TEXT), routes = ROUTES } },
    api = { members = {
        endpoint_type = required(one_of("REGIONAL", "EDGE", "PRIVATE")),
        authorization = required(one_of("NONE", "IAM", "LAMBDA", "COGNITO")),
        stages = required(LIST), policy = TEXT, policy_limit = COUNT, account = ACCOUNT,
        region = TEXT, websocket = FLAG, routes = LIST, domains = DOMAINS, vpc_endpoints = LIST,
        authorizer = { type = "code" }, identity_sources = LIST, authorizer_ttl = COUNT,
        cognito_requires_allow = FLAG, ambiguous_paths = LIST,
        cache_invalidation = one_of("FAIL_WITH_403", "SUCCEED_WITH_RESPONSE_HEADER",
                                    "SUCCEED_WITHOUT_RESPONSE_HEADER"),
    } },
    resource = { members = { policy = TEXT, policy_limit = COUNT, account = ACCOUNT } },
    endpoint = { members = {
        service = required(TEXT), type = one_of("Interface", "Gateway"), vpc = required(TEXT),
        policy = LIST, security_groups = LIST, subnets = LIST, route_tables = LIST,
        account = ACCOUNT, addresses = LIST, prefix_lists = MAP,
        address_type = one_of("ipv4", "ipv6", "dualstack"),
    } },
    group = { members = { policies = LIST } },
    principal = { members = {
        arn = required(TEXT), policies = LIST, groups = LIST, boundary = TEXT, session = TEXT,
        tags = MAP, mfa = TABLE, userid = TEXT, token_issue_time = COUNT,
    } },
    organization = { once = true, members = {
        root = required(TEXT), management = ACCOUNT, scp = LIST, rcp = LIST, accounts = ACCOUNTS,
        units = UNIT.units,
    } },
}
