-- A plan has to answer what the engine answers without plans. Estates are opened twice; one of the
-- two has its plans taken away, which makes it the reference.
local core = require("postern.ffi")
local engine = require("postern.engine")
local estates = require("postern.estate")
local paths = require("postern.path")
local plain = require("postern.host.plain")
local plans = require("postern.plan")
local random = require("spec.support.random")
local packs = require("spec.support.packs")


local NOW = 1700000000

local function read_of(text, files)
    return function(path)
        if path == "estate.lua" then
            return text
        end
        return files[path] or plain.read(path)
    end
end


local function open(text, files, options)
    local estate, err = estates.open("estate.lua", {
        read = read_of(text, files or {}), now = options and options.now
            or function() return NOW end,
    })
    assert(estate, tostring(err))
    return estate
end


local function is_planned(decision)
    return rawget(decision, 1) ~= nil
end


-- ---- Everything about a decision ---------------------------------------------


local FIELDS = { "allowed", "decision", "reason", "status", "because", "error", "code", "needs",
                 "match_kind", "same_account", "revision", "gate", "level", "reachability",
                 "unreachable", "cache_invalidation", "hook", "obligations", "headers" }
local ASKED = { "principal", "action", "resource", "resourceAccount", "context", "gateway" }

-- `shallow` leaves out what takes another evaluation.
local function told(decision, shallow)
    local all = { gates = decision.gates or false, deciding = decision.deciding or false,
                  summary = decision:summary(), by = decision:by() or false, asked = {} }
    for _, name in ipairs(FIELDS) do
        all[name] = decision[name]
    end
    if decision.reason ~= "error" and not shallow then
        for _, name in ipairs(ASKED) do
            all.asked[name] = decision.trace.request[name]
        end
        local explanation = decision:explain()
        all.text, all.nearest = tostring(explanation), explanation.nearest ~= nil
        all.caller = decision.trace.caller
    end
    return all
end


-- ---- Random estates ------------------------------------------------------------


local CONDITIONS = {
    { "IpAddress", "aws:SourceIp", { "10.0.0.0/8", "2001:db8::/32", "192.0.2.1" } },
    { "NotIpAddress", "aws:SourceIp", { "10.1.0.0/16" } },
    { "IpAddress", "aws:VpcSourceIp", { "10.0.0.0/8" } },
    { "StringEquals", "aws:SourceVpce", { "vpce-1", "vpce-2" } },
    { "StringNotEquals", "aws:SourceVpc", { "vpc-1" } },
    { "Bool", "aws:SecureTransport", { "true" } },
    { "Bool", "aws:SecureTransport", { "false" } },
    { "DateGreaterThan", "aws:CurrentTime", { "2023-11-14T22:13:20Z" } },
    { "NumericLessThanEquals", "aws:EpochTime", { "1700000000" } },
    { "StringLike", "aws:PrincipalArn", { "arn:aws:iam::111122223333:*" } },
    { "StringEquals", "aws:PrincipalTag/team", { "blue", "red" } },
    { "StringEquals", "aws:username", { "alice" } },
    { "BoolIfExists", "aws:MultiFactorAuthPresent", { "true" } },
    { "StringEquals", "aws:ResourceAccount", { "111122223333" } },
    { "StringEquals", "aws:PrincipalOrgID", { "o-1" } },
    { "Null", "aws:XfwdIp", { "true" } },
    { "StringEquals", "acme:Ring", { "inner" } },
    { "StringEquals", "aws:SourceVpce", { "${aws:PrincipalTag/team}" } },
    -- Rarely, since these have no plan.
    { "StringLike", "aws:UserAgent", { "curl/8.1*" } },
    { "ForAnyValue:StringLike", "aws:PrincipalOrgPaths", { "o-1/r-1/*" } },
}
local RARE = 2
local RESOURCES = { "execute-api:/*", "execute-api:/dev/GET/*", "execute-api:/*/POST/a/*",
                    "execute-api:/dev/*/\195\188*" }
local ANY_RESOURCES = { "*", "arn:aws:execute-api:*:*:*/dev/*", "arn:aws:execute-api:*:*:a1/*" }
local PRINCIPALS = { '"*"', '"*"', '{"AWS":"111122223333"}',
                     '{"AWS":"arn:aws:iam::111122223333:user/alice"}',
                     '{"AWS":"arn:aws:iam::111122223333:role/Reader"}' }


local function pick(rng, list)
    return list[rng(#list)]
end


local function quoted(list)
    return '["' .. table.concat(list, '","') .. '"]'
end


local function statement_of(rng, resources, named)
    local parts = {
        ('"Effect":"%s"'):format(rng(3) == 1 and "Deny" or "Allow"),
        ('"Action":"%s"'):format(pick(rng, { "execute-api:Invoke", "execute-api:*", "*" })),
        ('"Resource":"%s"'):format(pick(rng, resources)),
    }
    if named then
        parts[#parts + 1] = '"Principal":' .. pick(rng, PRINCIPALS)
    end
    local blocks = {}
    for _ = 1, rng(3) - 1 do
        local row = CONDITIONS[rng(#CONDITIONS - (rng(12) > 1 and RARE or 0))]
        blocks[row[1]] = ('"%s":{"%s":%s}'):format(row[1], row[2], quoted(row[3]))
    end
    local list = {}
    for _, block in pairs(blocks) do
        list[#list + 1] = block
    end
    table.sort(list)
    if #list > 0 then
        parts[#parts + 1] = '"Condition":{' .. table.concat(list, ",") .. "}"
    end
    return "{" .. table.concat(parts, ",") .. "}"
end


local function policy_of(rng, resources, named)
    local list = {}
    for i = 1, rng(3) do
        list[i] = statement_of(rng, resources, named)
    end
    return ('{"Version":"2012-10-17","Statement":[%s]}'):format(table.concat(list, ","))
end


local function maybe(rng, text)
    return rng(2) == 1 and text or ""
end


local function estate_of(rng)
    local files = {
        ["endpoint.json"] = policy_of(rng, ANY_RESOURCES, true),
        ["id.json"] = policy_of(rng, ANY_RESOURCES), ["scp.json"] = policy_of(rng, { "*" }),
        ["boundary.json"] = policy_of(rng, ANY_RESOURCES),
        ["session.json"] = policy_of(rng, ANY_RESOURCES),
        ["deep.json"] = policy_of(rng, { "*" }),
    }
    local parts = { [[
        account "111122223333" region "eu-central-1"
        vpc "vpc-1" { cidr = "10.0.0.0/8" }
        endpoint "vpce-1" { service = "execute-api", vpc = "vpc-1", policy = "endpoint.json" }
        endpoint "vpce-2" { service = "execute-api", vpc = "vpc-1" ]]
            .. maybe(rng, ', addresses = { "10.0.0.7" }') .. " }",
        maybe(rng, 'trusted_proxies { "192.0.2.0/24" }'),
        maybe(rng, [[organization "o-1" { root = "r-1", scp = "scp.json", accounts = {
            "444455556666", { id = "111122223333", scp = "deep.json" } } }]]),
        rng(8) == 1 and 'identity "anonymous" {}' or "",
        [[principal "alice" { arn = "arn:aws:iam::111122223333:user/alice", policies = "id.json",
            tags = { team = "blue" } ]] .. maybe(rng, ', boundary = "boundary.json"') .. " }",
        [[principal "reader" { arn = "arn:aws:iam::111122223333:role/Reader",
            policies = "id.json" ]] .. maybe(rng, ', session = "session.json"') .. " }",
    }
    for i = 1, 4 do
        files["api" .. i .. ".json"] = policy_of(rng, RESOURCES, true)
        parts[#parts + 1] = ([[api "a%d" { endpoint_type = "%s", authorization = "%s",
            stages = { "dev", "live"%s }, %s %s }]]):format(i,
            pick(rng, { "REGIONAL", "PRIVATE", "EDGE", "PRIVATE", "REGIONAL" }),
            pick(rng, { "NONE", "NONE", "IAM", "IAM", "COGNITO", "LAMBDA" }),
            maybe(rng, ', "$default"'),
            rng(4) > 1 and ('policy = "api%d.json",'):format(i) or "",
            rng(8) == 1 and 'domains = { ["x.example.com"] = { base_path = "v' .. i
                .. '", stage = "dev" } },'
                or rng(8) == 1 and 'cache_invalidation = "FAIL_WITH_403",'
                or rng(8) == 1 and 'ambiguous_paths = { "double_slash", "dot_segment" },' or "")
    end
    return table.concat(parts, "\n"), files
end


local VALUES = {
    api = { "a1", "a2", "a3", "a4", "a1", "a2", "a3", "a4", "a5" },
    stage = { "dev", "live", "dev", "live", "prod", "" },
    method = { "GET", "POST", "DELETE", "get", "PROPFIND" },
    host = { "x.example.com", "other.example.com", "@" },
    scheme = { "https", "http", "HTTPS", "wss", "gopher" },
    peer = { "10.1.2.3", "10.1.2.3", "192.0.2.1", "2001:db8::1", "2001:DB8::1", "unix:", "unix:/x",
             "::ffff:10.1.2.3", "10.1.2.3:80", "x", "" },
    client_ip = { "10.0.0.9", "10.0.0.9", "2001:db8::9", "unix:", "10.0.0.09" },
    vpce = { "vpce-1", "vpce-1", "vpce-2", "vpce-2", "vpce-3", "" },
    principal = { "alice", "alice", "*", "arn:aws:iam::111122223333:user/alice",
                  "arn:aws:sts::111122223333:assumed-role/Reader/one",
                  "arn:aws:iam::444455556666:user/bob", "reader", "events.amazonaws.com", "" },
    now = { NOW, NOW + 1.5, NOW - 1, -1, 0 / 0, 1e300 },
    token = { "valid", "invalid" },
    context = { {}, { ["aws:SourceIp"] = "10.9.9.9" } },
    claims = { { sub = "x" } }, route = { "x" }, query = { { a = "b" } },
    headers = { { ["User-Agent"] = "curl/8.1.2" }, {} },
    connection = { {} }, body_sha256 = { "00" },
}
-- How often a member is there, of a hundred.
local SHARES = { api = 99, stage = 80, method = 90, host = 30, scheme = 50, peer = 70,
                 client_ip = 50, vpce = 50, principal = 40, now = 20, token = 3, context = 2,
                 claims = 10, route = 5, query = 3, headers = 3, connection = 10, body_sha256 = 10 }
local SEGMENTS = { "a", "b1", "x.y", "...", "\195\188", "a b", "", ".", "..", "a;b", "%41", "%2f",
                   "a%", "%25", "a#b", "\255", "a", "pets", "42", "a", "b", "c" }

-- How many of the values, from the first, are what ordinary calls have.
local ORDINARY = { api = 4, stage = 2, method = 3, host = 1, scheme = 2, peer = 4, client_ip = 3,
                   vpce = 4, principal = 5, now = 3 }

local NAMES = {}
for name in pairs(SHARES) do
    NAMES[#NAMES + 1] = name
end
table.sort(NAMES)


local function value_of(rng, name)
    local list = VALUES[name]
    return list[rng(rng(25) > 1 and ORDINARY[name] or #list)]
end


local function path_of(rng)
    local parts = { "" }
    if rng(3) == 1 then
        parts[2] = value_of(rng, "stage")
    end
    for _ = 1, rng(4) - 1 do
        parts[#parts + 1] = pick(rng, rng(12) == 1 and SEGMENTS or { "a", "pets", "42" })
    end
    return rng(30) == 1 and "" or #parts == 1 and "/" or table.concat(parts, "/")
end


local function encoded(path)
    return (path:gsub("[^%w/._~-]", function(char) return ("%%%02X"):format(char:byte()) end))
end


local function request_of(rng)
    local request = {}
    for _, name in ipairs(NAMES) do
        if rng(100) <= SHARES[name] then
            request[name] = value_of(rng, name)
        end
    end
    local path, form = path_of(rng), rng(6)
    request.path = form ~= 1 and path or nil
    if form <= 3 then
        request.raw_path = (rng(2) == 1 and encoded(path) or path)
            .. pick(rng, { "", "", "?a=b", "?x=//;..", "", "?a", rng(9) == 1 and "?#" or "" })
    elseif rng(40) == 1 then
        request.raw_path = path_of(rng)
    end
    if rng(6) == 1 then
        request.headers = function() return { ["User-Agent"] = "curl/8.1.2" } end
    end
    if rng(200) == 1 then
        request.other = "x"
    end
    return request
end


local PLAIN = { "api", "stage", "method", "path", "raw_path", "host", "scheme", "peer",
                "client_ip", "vpce", "principal" }

-- What may be decided at once: nil where something else than texts and headers is said.
local function plain_of(request)
    local left, texts = {}, {}
    for name, value in pairs(request) do
        left[name] = type(value) ~= "function" and value or nil
    end
    for _, name in ipairs(PLAIN) do
        if type(left[name]) == "string" then
            texts[name], left[name] = left[name], nil
        end
    end
    return next(left) == nil and texts or nil
end


describe("a plan", function()
    local ESTATES, CALLS = 30, 400

    it("answers what the engine answers without it, of random estates and requests", function()
        local rng = random.new(20240)
        local planned, passed, total, outcomes, obstacles = 0, 0, 0, {}, {}
        for n = 1, ESTATES do
            local text, files = estate_of(rng)
            local fast, general = open(text, files), open(text, files)
            general.plans = nil
            local learn = fast.plans.learn
            fast.plans.learn = function(...)
                local obstacle = learn(...)
                obstacles[obstacle or "none"] = true
                return obstacle
            end
            local requests = {}
            for i = 1, CALLS do
                -- Most calls resemble one before, as they do in life.
                local request = request_of(rng)
                local model = requests[rng(math.min(#requests + 1, 8))]
                if model and rng(5) > 1 then
                    local like = {}
                    for name, value in pairs(model) do
                        like[name] = value
                    end
                    local name = pick(rng, NAMES)
                    like[name] = request[name]
                    if rng(2) == 1 then
                        like.path, like.raw_path = request.path, request.raw_path
                    end
                    request = like
                end
                requests[i] = request
                local decision = fast:authorize(request)
                local is_fast = is_planned(decision)
                local wanted = told(general:authorize(request), not is_fast)
                assert.same(wanted, told(decision, not is_fast),
                            ("estate %d, call %d"):format(n, i))
                local plain_one = plain_of(request)
                local at_once = plain_one and fast:decide_plain(plain_one)
                if at_once then
                    assert.same(wanted, told(at_once, not is_fast), "at once")
                    passed = passed + 1
                end
                total = total + 1
                if is_fast then
                    planned = planned + 1
                    outcomes[decision.reason] = true
                end
            end
        end
        assert.is_true(planned > total / 6, planned .. " of " .. total)
        assert.is_true(passed > total / 8, passed .. " of " .. total)
        -- It is no comparison of one kind of decision only.
        for _, reason in ipairs({ "allow", "explicit_deny", "no_allow_resource",
                                  "no_allow_endpoint", "no_allow_identity", "authentication" }) do
            assert.is_true(outcomes[reason], reason)
        end
        for _, obstacle in ipairs(plans.OBSTACLES) do
            -- The others have cases of their own.
            local name = obstacle[1]
            assert.is_true(obstacles[name] or name == "flow pack" or name == "domain name"
                           or name == "sets", name)
        end
    end)
end)


-- ---- What is plain -------------------------------------------------------------


local ESTATE = [[
account "111122223333" region "eu-central-1"
vpc "vpc-1" { cidr = "10.0.0.0/8" }
endpoint "vpce-1" { service = "execute-api", vpc = "vpc-1" }
endpoint "vpce-2" { service = "execute-api", vpc = "vpc-1", addresses = { "10.0.0.7" } }
api "pub" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live", "test" },
            policy = "pub.json" }
api "twin" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live", "test" },
             policy = "twin.json" }
api "iam" { endpoint_type = "REGIONAL", authorization = "IAM", stages = { "live" } }
api "open" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live" } }
api "agent" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live" },
              policy = "agent.json" }
api "lambda" { endpoint_type = "REGIONAL", authorization = "LAMBDA", stages = { "live" },
               authorizer = function()
                   return '{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'
               end }
api "named" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live" },
              domains = { ["x.example.com"] = "v1" } }
api "cached" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live" },
               cache_invalidation = "FAIL_WITH_403" }
api "socket" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live" },
               websocket = true }
principal "alice" { arn = "arn:aws:iam::111122223333:user/alice", policies = "id.json" }
]]

local PUB = [[{"Version":"2012-10-17","Statement":[
    {"Sid":"Known","Effect":"Allow","Principal":"*","Action":"execute-api:Invoke",
     "Resource":"execute-api:/live/GET/*","Condition":{
        "IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"Bool":{"aws:SecureTransport":"true"},
        "DateGreaterThan":{"aws:CurrentTime":"2023-11-14T22:13:19Z"}}},
    {"Sid":"Never","Effect":"Deny","Principal":"*","Action":"*",
     "Resource":"execute-api:/*/GET/x/*"}]}]]

local FILES = {
    ["pub.json"] = PUB, ["twin.json"] = (PUB:gsub("x/%*", "y/*")),
    ["agent.json"] = [[{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
        "Action":"*","Resource":"*","Condition":{"StringLike":{"aws:UserAgent":"curl*"}}}]}]],
    ["id.json"] = [[{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*",
        "Resource":"*"}]}]],
}

local function opened(more, files, options)
    local all = {}
    for _, one in ipairs({ FILES, files or {} }) do
        for name, text in pairs(one) do
            all[name] = text
        end
    end
    return open(ESTATE .. (more or ""), all, options)
end


local function call(members)
    local request = { api = "pub", stage = "live", method = "GET", path = "/pets",
                      peer = "10.1.2.3" }
    for name, value in pairs(members or {}) do
        request[name] = value ~= "none" and value or nil
    end
    return request
end


-- An organization of so many levels that there are more sets than a question has.
local DEEP = [[organization "o-1" { root = "r-1", scp = "id.json", units = { { id = "ou-1",
    scp = "id.json", units = { { id = "ou-2", scp = "id.json", units = { { id = "ou-3",
    scp = "id.json", accounts = { { id = "111122223333", scp = "id.json" } } } } } } } } }]]


-- Decides often enough for a plan, if there is to be one.
local function warmed(estate, request)
    for _ = 1, 3 do
        estate:authorize(request)
    end
    return estate:authorize(request)
end


describe("a plan", function()
    it("decides the calls that are plain", function()
        local estate = opened()
        for _, members in ipairs({
            {}, { stage = "none", path = "/live/pets" }, { raw_path = "/pets?a=b" },
            { raw_path = "/p%65ts" }, { path = "none", raw_path = "/pets" },
            { path = "none", raw_path = "/pets?a" }, { method = "none" }, { peer = "unix:" },
            { peer = "2001:db8::1" }, { scheme = "http" }, { scheme = "https" }, { now = NOW + 7 },
            { api = "open" }, { api = "iam", principal = "alice" }, { api = "iam" },
            { headers = error, query = error }, { host = "x.example.com", claims = { sub = "x" } },
            { vpce = "vpce-1", client_ip = "10.0.0.1" }, { principal = "*" },
        }) do
            local request = call(members)
            assert.is_true(is_planned(warmed(estate, request)), request.path or request.raw_path)
        end
    end)

    it("leaves the others to the engine", function()
        local estate = opened()
        warmed(estate, call())
        warmed(estate, call({ stage = "none", path = "/live/pets" }))
        local long = "/" .. ("a"):rep(1600)
        for i, members in ipairs({
            { context = { ["aws:SourceIp"] = "10.0.0.1" } }, { token = "valid" },
            { authorizer = "x" }, { headers = {} }, { query = {} }, { other = "x" },
            { method = "get" },
            { method = "PROPFIND" }, { path = "/a//b" }, { raw_path = "/other" }, { path = "pets" },
            { path = "none" }, { peer = "10.1.2.3:80" }, { peer = "unix:/x" },
            { client_ip = "unix:" },
            { scheme = "HTTPS" }, { now = -1 }, { now = 1e300 }, { now = 0 / 0 }, { api = "none" },
            { api = "nope" }, { stage = "prod" }, { stage = "none" }, { vpce = "vpce-2" },
            { vpce = "" }, { principal = "" }, { path = long }, { peer = 7 }, { headers = 7 },
        }) do
            local request = call(members)
            assert.is_false(is_planned(warmed(estate, request)), tostring(i))
        end
        assert.is_true(is_planned(estate:authorize(call())))
        local view = setmetatable({}, { __index = call() })
        assert.is_false(is_planned(warmed(estate, view)))
        local many = call()
        for i = 1, 20 do
            many["x" .. i] = "x"
        end
        assert.is_false(is_planned(estate:authorize(many)))
        assert.is_false(is_planned(estate:authorize("x")))
    end)

    it("does not take the absence of a member for one", function()
        local estate = opened()
        assert.is_true(warmed(estate, call()).allowed)
        assert.is_false(estate:authorize(call({ principal = "" })).allowed)
        assert.is_false(estate:authorize(call({ vpce = "" })).allowed)
        assert.is_false(estate:authorize(call({ peer = "none" })).allowed)
        assert.is_true(is_planned(estate:authorize(call({ peer = "none" }))))
    end)

    for name, row in pairs({
        credentials = { more = 'identity "anonymous" {}' },
        authorizer = { api = "lambda" },
        ["domain name"] = { api = "named", service = true },
        reachability = { vpce = "vpce-2", client_ip = "10.0.0.1" },
        keys = { api = "agent" },
        ["services pack"] = { api = "cached" },
        sets = { api = "iam", vpce = "vpce-1", principal = "alice", more = DEEP },
    }) do
        it("is not made for calls that depend on: " .. name, function()
            local estate = opened(row.more)
            local service = estate.service.pack
            if row.service then
                -- The services pack would say so first.
                service.plan = function() return {} end
            end
            local learned
            local learn = estate.plans.learn
            estate.plans.learn = function(...)
                learned = learn(...) or learned
                return learned
            end
            local request = call({ api = row.api, vpce = row.vpce, client_ip = row.client_ip,
                                   principal = row.principal })
            assert.is_false(is_planned(warmed(estate, request)))
            assert.equal(name, learned)
        end)
    end

    it("is not made of what private packs answer", function()
        local flow = 'return { kind = "flows", name = "api_gateway", api = 1, '
            .. 'based_on = "api_gateway", keeps_verdict = true, '
            .. 'check = function() return true end, decide = function() '
            .. 'return { decision = "ImplicitlyDenied", reason = "x" } end }'
        local estate = opened('rules "flow.lua" {}', { ["flow.lua"] = flow })
        assert.equal("x", warmed(estate, call()).reason)
        assert.is_false(is_planned(warmed(estate, call())))

        local key = 'local n = 0 return { kind = "keys", name = "acme", api = 1, '
            .. 'check = function() return true end, plan = { ["acme:Odd"] = "constant" }, '
            .. 'keys = { ["acme:Odd"] = function() n = n + 1 return n % 2 == 1 end } }'
        estate = opened('rules "key.lua" {} api "odd" { endpoint_type = "REGIONAL", '
            .. 'authorization = "NONE", stages = "live", policy = "odd.json" }', {
            ["key.lua"] = key, ["odd.json"] = [[{"Version":"2012-10-17","Statement":[
                {"Effect":"Allow","Principal":"*","Action":"*","Resource":"*",
                 "Condition":{"Bool":{"acme:Odd":"true"}}}]}]] })
        local answers = {}
        for i = 1, 6 do
            answers[i] = estate:authorize(call({ api = "odd" })).allowed
        end
        assert.same({ true, false, true, false, true, false }, answers)

        local service = 'return { kind = "services", name = "execute-api", api = 1, '
            .. 'check = function() return true end, plan = function() return {} end, '
            .. 'resolve = function(context) return { action = "execute-api:Invoke", '
            .. 'resource = "arn:aws:execute-api:eu-central-1:111122223333:pub/live/GET/x/1" } end }'
        estate = opened('rules "service.lua" {}', { ["service.lua"] = service })
        assert.equal("explicit_deny", warmed(estate, call()).reason)
        assert.is_false(is_planned(warmed(estate, call())))
    end)

    it("is not asked where there are hooks", function()
        local hook = 'return { kind = "hooks", name = "no", api = 1, '
            .. 'check = function() return true end, before = function(context) '
            .. 'if context.http.path == "/no" then return { deny = "no" } end end }'
        local estate = opened('rules "hook.lua" {}', { ["hook.lua"] = hook })
        assert.is_true(warmed(estate, call()).allowed)
        assert.equal("hook", estate:authorize(call({ path = "/no" })).reason)
        assert.is_false(is_planned(estate:authorize(call())))
    end)

    it("is shared by APIs that differ in id and policy only, and takes none for another", function()
        local estate = opened()
        warmed(estate, call())
        local count = estate.plans.count
        local pub, twin = call({ path = "/x/1" }), call({ path = "/x/1", api = "twin" })
        assert.equal("explicit_deny", estate:authorize(pub).reason)
        assert.equal("allow", estate:authorize(twin).reason)
        assert.is_true(is_planned(estate:authorize(twin)))
        assert.equal(count, estate.plans.count)
        pub.path, twin.path = "/y/1", "/y/1"
        assert.equal("allow", estate:authorize(pub).reason)
        assert.equal("explicit_deny", estate:authorize(twin).reason)
        assert.matches("twin.json", estate:authorize(twin):by(), 1, true)
        assert.matches(":twin/live/GET/y/1", estate:authorize(twin).trace.request.resource, 1, true)
    end)

    it("follows the clock", function()
        local now = NOW
        local estate = opened(nil, nil, { now = function() return now end })
        assert.is_true(warmed(estate, call()).allowed)
        for _, row in ipairs({ { -1, false }, { 0, true }, { 0.5, true }, { -0.5, false },
                               { 9, true } }) do
            now = NOW + row[1]
            local decision = estate:authorize(call())
            assert.is_true(is_planned(decision))
            assert.equal(row[2], decision.allowed, tostring(row[1]))
        end
        now = "late"
        assert.equal("error", estate:authorize(call()).reason)
        now = nil
        assert.equal("error", estate:authorize(call()).reason)
    end)

    it("answers a call without the rest of a request, alike, and keeps nothing of it", function()
        local estate, kept, one = opened(), {}, {}
        local function ask(members)
            local request = call(members)
            for name in pairs(one) do
                one[name] = nil
            end
            for _, name in ipairs({ "api", "stage", "method", "path", "raw_path", "peer",
                                    "client_ip", "vpce", "scheme" }) do
                one[name] = request[name]
            end
            return estate:decide_plain(one), request
        end
        assert.is_nil((ask())) -- nobody has decided such a call
        assert.is_nil(estate.plans.wanted)
        warmed(estate, call())
        for i = 1, 60 do
            local scheme = i % 5 == 0 and "http" or "https"
            local decision, request = ask({
                path = (i % 3 == 0 and "/x/" or "/p/") .. i, peer = "10.0.0." .. i % 7,
                scheme = i % 2 == 0 and scheme or function() return scheme end, now = NOW,
            })
            assert.is_true(is_planned(decision))
            request.scheme = scheme
            kept[i] = { request, decision }
        end
        for _, members in ipairs({ { path = "/p//1" }, { peer = "10.0.0.01" }, { peer = "x" },
                                   { client_ip = "10.0.0.256" }, { api = "none" },
                                   { vpce = "vpce-none" },
                                   { scheme = function() return "ws" end } }) do
            assert.is_nil((ask(members)), next(members))
        end
        -- Whoever is asked says whether it pays to ask again, and lets through what raises.
        local function raising() error("gone") end
        assert.error_matches(function() ask({ scheme = raising }) end, "gone")
        assert.same({ nil, false }, { estate:decide_plain({ api = "none", path = "/live/p" }) })
        estate.plans = nil
        assert.same({ nil, true }, { ask(), select(2, estate:decide_plain(one)) })
        for i, pair in ipairs(kept) do
            assert.same(told(estate:authorize(pair[1])), told(pair[2]), tostring(i))
        end
    end)

    it("says which statement decided as the engine does", function()
        local estate = opened()
        local planned = warmed(estate, call())
        local missed = warmed(estate, call({ path = "/none/1" }))
        estate.plans = nil
        for _, pair in ipairs({ { planned, call() }, { missed, call({ path = "/none/1" }) } }) do
            assert.is_true(is_planned(pair[1]))
            local set, index = pair[1]:decider()
            local wanted, at = estate:authorize(pair[2]):decider()
            assert.equal(wanted, set)
            assert.equal(at, index)
        end
        assert.is_not_nil((planned:decider()))
    end)

    it("makes decisions that later ones leave alone", function()
        local estate, kept = opened(), {}
        for i = 1, 300 do
            local request = call({
                path = (i % 3 == 0 and "/x/" or "/p/") .. i, peer = "10.0.0." .. i % 250,
                scheme = i % 5 == 0 and "http" or "https", now = NOW + i % 7 - 3,
                api = i % 2 == 0 and "twin" or "pub",
            })
            kept[i] = { request, estate:authorize(request) }
        end
        estate.plans = nil
        for i, pair in ipairs(kept) do
            local wanted = told(estate:authorize(pair[1]))
            pair[1].path, pair[1].peer = "/changed", "10.255.255.255"
            assert.same(wanted, told(pair[2]), tostring(i))
        end
        assert.is_true(is_planned(kept[300][2]))
        -- Gates are a table of its own: nobody else sees what is written to it.
        kept[300][2].gates.resource = "changed"
        assert.not_equal("changed", kept[298][2].gates.resource)
    end)

    it("is not made for each of endless sessions", function()
        local estate = opened()
        for i = 1, 10000 do
            local arn = "arn:aws:sts::111122223333:assumed-role/Reader/s" .. i
            estate:authorize(call({ api = "iam", principal = arn }))
        end
        assert.equal(0, estate.plans.count)
        assert.is_true(estate.plans.once_count <= 4096)
        local request = call({ api = "iam",
                               principal = "arn:aws:sts::111122223333:assumed-role/R/x" })
        assert.is_false(is_planned(estate:authorize(request)))
        assert.is_false(is_planned(estate:authorize(request)))
        assert.is_true(is_planned(estate:authorize(request)))
    end)

    it("is one of so many", function()
        local estate = opened()
        for i = 1, 5000 do
            local request = call({ api = "iam",
                principal = "arn:aws:sts::111122223333:assumed-role/R/s" .. i })
            estate:authorize(request)
            estate:authorize(request)
            assert.is_true(estate.plans.count <= 4096)
        end
        assert.is_true(estate.plans.count > 0 and estate.plans.count < 1000)
        assert.is_true(is_planned(warmed(estate, call())))
    end)

    it("is not learned from a call whose request was used again meanwhile", function()
        local estate = opened()
        local request = call()
        estate.plans.wanted, estate.plans.stage = request, "test"
        local case = { request = request, api = estate.apis.pub, decision = { reason = "allow" },
                       context = { stage = "live" } }
        assert.is_nil(estate.plans:learn(case))
        assert.equal(0, estate.plans.count)
    end)
end)


-- ---- The core's checks against their plain twins -----------------------------------


describe("the core", function()
    local lib = core.lib

    -- Without the cost of an assertion, a hundred thousand times.
    local function same(wanted, got, text)
        if wanted ~= got then
            error(("%q: %s, not %s"):format(text, tostring(got), tostring(wanted)))
        end
    end

    it("takes no path for plain that the rules of paths refuse or read in another way", function()
        local rng = random.new(7)
        local rules, lax = assert(paths.new()), {}
        for name in pairs(paths.AMBIGUITIES) do
            lax[#lax + 1] = name
        end
        lax = assert(paths.new({ allow = lax }))
        local pieces = { "/", "/", "/", "a", "b", ".", "..", "%2e", "%2E", "%2f", "%5c", "%41",
                         "%25", "%", "%4", "?", "#", ";", "%3b", "\\", "\0", "\31", "\127",
                         "\195\188",
                         "\255", "%C3%BC", "%ff", " ", "~", "+", "@", ":", "pets", "*" }
        local plain_count = 0
        for _ = 1, 50000 do
            local parts = { rng(10) > 1 and "/" or "" }
            for i = 1, rng(6) do
                parts[i + 1] = pieces[rng(#pieces)]
            end
            local target = table.concat(parts)
            local routed = target:match("^[^?]*"):gsub("%%(%x%x)", function(digits)
                return string.char(tonumber(digits, 16))
            end)
            local mode = rng(3)
            local length = lib.postern_path_plain(target, #target, mode > 1 and routed or nil,
                                                  mode > 1 and #routed or 0)
            if length >= 0 then
                plain_count = plain_count + 1
                local wanted = mode > 1 and routed or target:sub(1, length)
                same(wanted, (rules:resolve(target, mode > 1 and routed or nil)), target)
                same(wanted, (lax:resolve(target, mode > 1 and routed or nil)), target)
                if mode == 1 and length == #target then
                    same(wanted, (rules:resolve(nil, target)), target)
                end
            elseif mode > 1 and not target:find("%%25") and not target:find("%%3[fF]") then
                -- What is not plain is what the rules refuse, apart from a percent sign.
                same(nil, (rules:resolve(target, routed)), target)
            end
        end
        assert.is_true(plain_count > 5000, tostring(plain_count))
    end)

    it("takes no address for plain that the pack `network` spells in another way", function()
        local rng = random.new(8)
        local source_ip = packs.load("keys/network").keys["aws:SourceIp"]
        local pieces = { "0", "1", "10", "255", "256", "01", ".", ".", ".", ":", ":", "::", "ffff",
                         "db8", "2001", "A", "[", "]", "%1", " ", "/8", "10.1.2.3", "::ffff:" }
        local plain_count = 0
        for _ = 1, 50000 do
            local parts = {}
            for i = 1, rng(15) do
                parts[i] = pieces[rng(rng(4) == 1 and #pieces or 16)]
            end
            local text = table.concat(parts)
            if lib.postern_address_plain(text, #text) == 1 then
                plain_count = plain_count + 1
                same(text, source_ip({ peer = text }), text)
            end
        end
        for _ = 1, 20000 do
            local groups = {}
            for i = 1, 8 do
                local value = rng(3) == 1 and rng(65535) or rng(9)
                groups[i] = rng(2) == 1 and "0" or ("%x"):format(value)
            end
            local written = source_ip({ peer = table.concat(groups, ":") })
            same(1, lib.postern_address_plain(written, #written), written)
        end
        assert.is_true(plain_count > 300, tostring(plain_count))
    end)
end)


-- ---- What it costs ------------------------------------------------------------------


describe("a decision by a plan", function()
    local ROUNDS = 100000

    local function grown(fn)
        fn(5000)
        collectgarbage()
        collectgarbage("stop")
        local before = collectgarbage("count")
        fn(ROUNDS)
        local after = collectgarbage("count") - before
        collectgarbage("restart")
        return after * 1024 / ROUNDS
    end

    it("leaves little garbage", function()
        local estate, requests = opened(), {}
        for i = 1, 100 do
            requests[i] = call({ path = "/pets/" .. i, peer = "10.0.0." .. i })
        end
        local last
        local bytes = grown(function(rounds)
            for i = 1, rounds do
                last = estate:authorize(requests[i % 100 + 1])
                if not last.allowed or last.status ~= 200 then
                    error("not allowed")
                end
            end
        end)
        assert.is_true(is_planned(last))
        -- A decision that is kept: one table.
        assert.is_true(bytes <= 200, bytes .. " bytes a decision")
    end)
end)


describe("an estate", function()
    it("has no plans that the engine does not ask", function()
        local estate = opened()
        assert.is_table(estate.plans)
        estate.plans.decide = function() error("broken") end
        assert.is_true(engine.decide(estate, call()).allowed)
    end)

    -- Each has a text of its own: the date of one, taken for the number of the other, is no match.
    it("tells the two keys of the time apart", function()
        local policy = [[{ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "*",
              "Condition": { "DateGreaterThan": { "aws:CurrentTime": "2020-01-01T00:00:00Z" } } },
            { "Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "*",
              "Condition": { "NumericGreaterThan": { "aws:EpochTime": "1600000000" } } } ] }]]
        local estate = open([[
            account "111122223333" region "eu-central-1"
            api "a1" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live" },
                       policy = "p.json" }
        ]], { ["p.json"] = policy })
        for turn = 1, 3 do
            local decision = estate:authorize({ api = "a1", path = "/live/x" })
            assert.equal("ExplicitlyDenied", decision.decision)
            assert.equal(turn > 1, is_planned(decision))
        end
    end)

end)
