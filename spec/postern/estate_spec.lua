local estates = require("postern.estate")
local plain = require("postern.host.plain")
local records = require("postern.store.record")


local HEAD = 'account "111122223333" region "eu-central-1"\nvpc "vpc-1" { cidr = "10.0.0.0/16" }\n'

local ALLOW = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",'
    .. '"Action":"execute-api:Invoke","Resource":"execute-api:/*"}]}'
local IDENTITY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*",'
    .. '"Resource":"*"}]}'
local FULL = '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'

local FILES = {
    ["gw/allow.json"] = ALLOW,
    ["gw/identity.json"] = IDENTITY,
    ["gw/full.json"] = FULL,
    ["gw/broken.json"] = '{\n  "Statement": [{ "Effect": "Permit" }]\n}',
    ["gw/notjson.json"] = "{",
    ["gw/large.json"] = ALLOW .. (" "):rep(8192 - #ALLOW + 1),
    ["gw/full size.json"] = ALLOW .. (" "):rep(8192 - #ALLOW),
    ["gw/deny.json"] = IDENTITY:gsub("Allow", "Deny"),
}


-- Opens an estate of files in memory; packs come from the disk. `reads` counts what is read.
local function open(text, more, reads)
    local files = { ["gw/estate.lua"] = text }
    for name, content in pairs(FILES) do
        files[name] = content
    end
    for name, content in pairs(more or {}) do
        files[name] = content
    end
    return estates.open("gw/estate.lua", {
        now = function() return 1700000000 end,
        read = function(path)
            if reads then
                reads[path] = (reads[path] or 0) + 1
            end
            if path:find("^gw/") then
                return files[path] or nil, "no such file or directory: check the path"
            end
            return plain.read(path)
        end,
    })
end


local function opened(text, more, reads)
    local estate, err = open(text, more, reads)
    assert.equal("", tostring(err or ""))
    return estate
end


local function problems(text, more)
    local estate, err = open(text, more)
    assert.is_nil(estate)
    return tostring(err)
end


local function api(members)
    return 'api "a1" { endpoint_type = "PRIVATE", authorization = "NONE", stages = { "dev" }, '
        .. (members or 'policy = "allow.json"') .. " }\n"
end


describe("an estate", function()
    it("opens and decides", function()
        local estate = opened(HEAD .. api()
            .. 'endpoint "vpce-1" { service = "execute-api", vpc = "vpc-1" }')
        local decision = estate:authorize({ api = "a1", stage = "dev", path = "/x",
                                            vpce = "vpce-1" })
        assert.equal("Allowed", decision.decision)
        assert.equal(estate.revision, decision.revision)
        assert.matches("^" .. ("%x"):rep(64) .. "$", estate.revision)
    end)

    it("tells fronts how denials look, and whether they count", function()
        local plainly = opened(HEAD .. api())
        assert.same({}, plainly.answers)
        assert.is_nil(plainly.mode)
        local estate = opened(HEAD .. api()
            .. 'answers { denied = 404, format = "text" }\nmode "dry_run"')
        assert.same({ denied = 404, format = "text" }, estate.answers)
        assert.equal("dry_run", estate.mode)
        assert.matches("gw/estate.lua:5: dry run: nothing is denied, only told",
                       tostring(estate.warnings), 1, true)
        assert.equal("gw/estate.lua:3: `mode` is `off`: there are `dry_run`, `enforce`",
                     problems(HEAD .. 'mode "off"'))
    end)

    it("needs no log, whatever its packs have to say", function()
        local estate = opened(HEAD .. api() .. 'rules "loud.lua"', { ["gw/loud.lua"] = [[
            local function loud(_, _, _, tools)
                tools.log("a line")
                error("and a failure")
            end
            return { kind = "hooks", name = "loud", api = 1, log = loud,
                     check = function() return true end }]] })
        assert.is_nil(estate:authorize({ api = "a1", stage = "dev", path = "/x" }).error)
    end)

    it("has a revision that changes with every file it is made of", function()
        local text = HEAD .. api() .. 'include "more.lua"\nrules "own.lua"'
        local more = {
            ["gw/more.lua"] = "-- one",
            ["gw/own.lua"] = 'return { kind = "keys", name = "own", api = 1, keys = {}, '
                .. "check = function() return true end }",
        }
        local first = opened(text, more).revision
        assert.equal(first, opened(text, more).revision)
        local seen = { [first] = true }
        for _, name in ipairs({ "gw/more.lua", "gw/own.lua" }) do
            local changed = { ["gw/more.lua"] = more["gw/more.lua"],
                              ["gw/own.lua"] = more["gw/own.lua"] }
            changed[name] = changed[name] .. " "
            seen[opened(text, changed).revision] = true
        end
        seen[opened(text .. " ", more).revision] = true
        more["gw/allow.json"] = ALLOW .. "\n"
        seen[opened(text, more).revision] = true
        local count = 0
        for _ in pairs(seen) do
            count = count + 1
        end
        assert.equal(5, count)
    end)

    it("reports the problems of everything together, and opens nothing", function()
        local found = problems(table.concat({
            'account "111122223333"',
            'region "eu-central-1"',
            'vpcc "vpc-1" { cidr = "10.0.0.0/16" }',
            'vpc "vpc-1" { cidr = "10.0.0.0/33" }',
            'api "a1" { endpoint_type = "PRIVATE", authorization = "NONE", stages = { "d/v" },',
            '    policy = "missing.json", vpc_endpoints = { "vpce-9", "vpce-s3" } }',
            'api "a1" { endpoint_type = "PRIVAT", authorization = "NONE", stages = {} }',
            'api "a2" { endpoint_type = "REGIONAL", authorization = "NONE",',
            '    stages = { "dev" }, policy = "broken.json", vpc_endpoints = { "vpce-s3" } }',
            'api "a3" { endpoint_type = "EDGE", authorization = "IAM", stages = { "dev" },',
            '    policy = "large.json", authorizer = function() end }',
            'endpoint "vpce-s3" { service = "s3", vpc = "vpc-2", type = "Gateway" }',
            'endpoint "vpce-2" { service = "execute-api", vpc = "vpc-1",',
            '    policy = { "full.json", "full.json" } }',
            'endpoint "v3" { service = "transfer.server", vpc = "vpc-1", policy = "full.json" }',
            'endpoint "v4" { service = "execute-api", vpc = "vpc-1", policy = "identity.json" }',
            'endpoint "vpce-5" { service = "sqs", type = "Gateway", vpc = "vpc-1" }',
            'include "estate.lua"',
            'rules "nothing.lua"',
            'rules "keys/nothing"',
            'rules "nothing"',
            'identity "nobody"',
            'identity "anonymous" { x = 1 }',
            'trusted_proxies { "10.0.0.0/8", "0.0.0.0/0", "x" }',
            'principal "p" { arn = "alice", groups = { "none" }, policies = "full.json" }',
            'group "g" { policies = { "notjson.json" } }',
            'security_group "sg-1" { vpc = "vpc-1", inbound = {',
            '    { protocol = "tcp", port = 443, cidr = "::/0", security_group = "sg-9" } } }',
            'prefix_list "pl-1" { cidr = { "x" } }',
            'subnet "sn-1" { vpc = "vpc-8", cidr = "10.0.1.0/24" }',
            'route_table "rtb-1" { vpc = "vpc-7", routes = { { destination = "pl-9" } } }',
            'route_table "rtb-2" { vpc = "vpc-1", routes = { { target = "local" } } }',
            'subnet "sn-2" { vpc = "vpc-1", cidr = "10.0.2.0/24", route_table = "rtb-9" }',
            'vpc "vpc-3" { cidr = "10.3.0.0/16", route_table = "rtb-2" }',
            'endpoint "v6" { service = "s3", vpc = "vpc-1", type = "Gateway",',
            '    route_tables = { "rtb-2", "rtb-8" } }',
        }, "\n"))
        for _, expected in ipairs({
            "gw/estate.lua:3: unknown word `vpcc`: did you mean `vpc`?",
            "gw/estate.lua:4: vpc `vpc-1`: `cidr`: ",
            "gw/estate.lua:5: api `a1`: stage `d/v`: ",
            "gw/estate.lua:5: api `a1`: `policy`: policy `gw/missing.json`: no such file",
            "gw/estate.lua:5: api `a1`: `vpc_endpoints`: there is no endpoint `vpce-9`",
            "gw/estate.lua:5: api `a1`: `vpc_endpoints`: endpoint `vpce-s3` is one of the service "
                .. "`s3`",
            "gw/estate.lua:7: api `a1`: `endpoint_type` is `PRIVAT`: did you mean `PRIVATE`?",
            "gw/estate.lua:7: api `a1` is given again: it stands at gw/estate.lua:5 already",
            "gw/estate.lua:7: api `a1`: `stages` is empty",
            "gw/estate.lua:8: api `a2`: `vpc_endpoints` belongs to a PRIVATE API",
            "gw/broken.json:2:",
            "gw/estate.lua:10: api `a3`: policy `gw/large.json` has 8193 characters, the limit is "
                .. "8192",
            "gw/estate.lua:10: api `a3`: `authorizer` belongs to an API whose authorization is "
                .. "LAMBDA",
            "gw/estate.lua:12: endpoint `vpce-s3`: `vpc`: there is no vpc `vpc-2`",
            "gw/estate.lua:13: endpoint `vpce-2`: InvalidPolicyDocument.TooManyPolicies: ",
            "gw/estate.lua:15: endpoint `v3`: InvalidPolicyDocument.NotSupported: ",
            "gw/identity.json:1:38: InvalidPolicyDocument.MissingPrincipal: ",
            "gw/estate.lua:17: endpoint `vpce-5`: there are no gateway endpoints for `sqs`",
            "gw/estate.lua:18: include `estate.lua`: the file is being read already",
            "gw/estate.lua:19: rules `nothing.lua`: gw/nothing.lua: no such file",
            "gw/estate.lua:20: rules `keys/nothing`: no keys pack `nothing`",
            "gw/estate.lua:21: rules `nothing`: give the path of a pack",
            "gw/estate.lua:22: identity `nobody`: no identities pack `nobody`",
            "gw/estate.lua:23: identity `anonymous`: ",
            "gw/estate.lua:24: trusted_proxies: `0.0.0.0/0` is everybody: name the proxies",
            "gw/estate.lua:24: trusted_proxies: ",
            "gw/estate.lua:25: principal `p`: `arn`: `alice` is not the ARN of a caller",
            "gw/estate.lua:25: principal `p`: `groups`: there is no group `none`",
            "gw/full.json:1:",
            "gw/notjson.json:1:2: ",
            "gw/estate.lua:27: security_group `sg-1`: `inbound`: there is no security_group `sg-9`",
            "gw/estate.lua:27: security_group `sg-1`: inbound rule 1: give one of `cidr`",
            "gw/estate.lua:29: prefix_list `pl-1`: ",
            "gw/estate.lua:30: subnet `sn-1`: `vpc`: there is no vpc `vpc-8`",
            "gw/estate.lua:31: route_table `rtb-1`: `vpc`: there is no vpc `vpc-7`",
            "gw/estate.lua:31: route_table `rtb-1`: route 1: ",
            "gw/estate.lua:32: route_table `rtb-2`: `routes` 1: `destination` is missing: add it",
            "gw/estate.lua:33: subnet `sn-2`: `route_table`: there is no route_table `rtb-9`",
            "gw/estate.lua:34: vpc `vpc-3`: `route_table`: the route_table `rtb-2` is one of "
                .. "`vpc-1`, not of `vpc-3`",
            "gw/estate.lua:35: endpoint `v6`: `route_tables`: there is no route_table `rtb-8`",
        }) do
            assert.is_truthy(("\n" .. found):find("\n" .. expected, 1, true),
                             "lacks: " .. expected .. "\nhas:\n" .. found)
        end
    end)

    it("asks for a cache's authorization of REST APIs only, by AWS's names", function()
        for _, way in ipairs({ "FAIL_WITH_403", "SUCCEED_WITH_RESPONSE_HEADER",
                               "SUCCEED_WITHOUT_RESPONSE_HEADER" }) do
            local estate = opened(HEAD .. api(('cache_invalidation = "%s"'):format(way))
                .. api(""):gsub('"a1"', '"a2"'))
            assert.equal(way, estate.apis.a1.cache_invalidation)
            assert.is_nil(estate.apis.a2.cache_invalidation)
        end
        assert.matches("`cache_invalidation` is `FAIL`", problems(HEAD
            .. api('cache_invalidation = "FAIL"')), 1, true)
        assert.matches("a WebSocket API has no cache", problems(HEAD
            .. api('cache_invalidation = "FAIL_WITH_403", websocket = true')), 1, true)
    end)

    it("wants account and region for all or for each", function()
        assert.equal("gw/estate.lua:1: api `a1`: `account` is missing: add it, or the word "
            .. "`account` for all\ngw/estate.lua:1: api `a1`: `region` is missing: add it, or the "
            .. "word `region` for all", problems(api()))
        local estate = opened('partition "aws-cn"\n'
            .. api('account = "444455556666", region = "cn-north-1", policy = "allow.json"'))
        assert.equal("arn:aws-cn:execute-api:cn-north-1:444455556666:a1", estate.apis.a1.arn)
    end)

    it("takes a policy up to its limit, which can be raised", function()
        opened(HEAD .. api('policy = "full size.json"'))
        opened(HEAD .. api('policy = "large.json", policy_limit = 10000'))
        assert.matches("has 8193 characters", problems(HEAD .. api('policy = "large.json"')))
    end)

    it("takes a resource's policy up to the limit of its service, in bytes", function()
        local function resource(arn, more)
            return HEAD .. ('resource "%s" { policy = "p.json"%s }'):format(arn, more or "")
        end
        local accented = FULL:gsub("^{", '{"Version":"2012-10-17","Id":"é",')
        local function sized(bytes)
            return { ["gw/p.json"] = accented .. (" "):rep(bytes - #accented) }
        end
        for _, row in ipairs({
            { "arn:aws:s3:::reports", 20480 },
            { "arn:aws:s3:eu-central-1:111122223333:accesspoint/mine", 20480 },
            { "arn:aws:dynamodb:eu-central-1:111122223333:table/pets", 20480 },
            { "arn:aws:kms:eu-central-1:111122223333:key/1234", 32768 },
            { "arn:aws:sqs:eu-central-1:111122223333:jobs", 8192 },
        }) do
            local arn, limit = row[1], row[2]
            opened(resource(arn), sized(limit))
            assert.equal(("gw/estate.lua:3: resource `%s`: policy `gw/p.json` has %d bytes, the "
                .. "limit is %d: shorten it, or raise `policy_limit` if AWS raised it for you")
                :format(arn, limit + 1, limit), problems(resource(arn), sized(limit + 1)))
            opened(resource(arn, ", policy_limit = 40000"), sized(limit + 1))
        end
        local topic = "arn:aws:sns:eu-central-1:111122223333:news"
        opened(resource(topic), sized(40000))
        assert.matches("limit is 30000", problems(resource(topic, ", policy_limit = 30000"),
                                                  sized(30001)), 1, true)
    end)

    it("knows the owner of a resource by its ARN, else by the word", function()
        local estate = opened(HEAD .. [[
            resource "arn:aws:s3:::reports" {}
            resource "arn:aws:s3:::guests" { account = "444455556666" }
            resource "arn:aws:sqs:eu-central-1:777788889999:jobs" { account = "777788889999" }
        ]])
        local owners = {}
        for arn, resource in pairs(estate.resources) do
            owners[arn] = resource.account
        end
        assert.same({ ["arn:aws:s3:::reports"] = "111122223333",
                      ["arn:aws:s3:::guests"] = "444455556666",
                      ["arn:aws:sqs:eu-central-1:777788889999:jobs"] = "777788889999" }, owners)
        assert.matches("`account` is missing", problems('resource "arn:aws:s3:::reports" {}'))
    end)

    it("refuses a resource that has no policy of its own", function()
        for id, expected in pairs({
            ["reports"] = "give the ARN of one resource",
            ["arn:aws:s3:::"] = "give the ARN of one resource",
            ["arn:aws:s3:::*"] = "give the ARN of one resource",
            ["arn:aws:s3:::report?"] = "give the ARN of one resource",
            ["arn:aws:s3:::reports/2026"] = "it has no policy of its own: give that of "
                .. "`arn:aws:s3:::reports`",
            ["arn:aws:dynamodb:eu-central-1:111122223333:table/pets/index/by-name"] =
                "it has no policy of its own: give that of "
                .. "`arn:aws:dynamodb:eu-central-1:111122223333:table/pets`",
            ["arn:aws:execute-api:eu-central-1:111122223333:a1"] =
                "the policy of an API belongs to the word `api`",
            ["arn:aws:sqs:eu-central-1:444455556666:jobs"] =
                "`account` is `111122223333`, the ARN says `444455556666`",
        }) do
            assert.equal(("gw/estate.lua:3: resource `%s`: %s"):format(id, expected), problems(HEAD
                .. ('resource "%s" { account = "111122223333" }'):format(id)))
        end
        assert.matches("gw/identity.json:1:", problems(HEAD
            .. 'resource "arn:aws:s3:::reports" { policy = "identity.json" }'))
        assert.matches("the flow `sqs` failed: ", problems(HEAD .. 'rules "own.lua"\n'
            .. 'resource "arn:aws:sqs:eu-central-1:111122223333:jobs" {}', { ["gw/own.lua"] =
            'return { kind = "flows", name = "sqs", api = 1, based_on = "generic", '
            .. 'resource_policy = function() error("boom") end }' }), 1, true)
    end)

    it("reads a file once and compiles it once for each API", function()
        local reads = {}
        local user = 'principal "%s" { arn = "arn:aws:iam::111122223333:user/%s", '
            .. 'policies = "identity.json", boundary = "identity.json" }\n'
        local estate = opened(HEAD .. api() .. api():gsub('"a1"', '"a2"') .. user:format("u", "u")
            .. user:format("v", "v"), nil, reads)
        assert.equal(1, reads["gw/allow.json"])
        assert.equal(1, reads["gw/identity.json"])
        assert.not_equal(estate.apis.a1.policy, estate.apis.a2.policy)
        assert.equal(estate.principals.u.identity, estate.principals.v.identity)
        assert.not_equal(estate.principals.u.identity, estate.principals.u.boundary)
    end)

    it("binds the short form of an API's policy to that API", function()
        local estate = opened(HEAD .. api() .. api():gsub('"a1"', '"a2"'))
        local set = estate.apis.a1.policy
        local request = assert(require("postern.request").new(set))
        for id, outcome in pairs({ a1 = "Allowed", a2 = "ImplicitlyDenied" }) do
            assert(request:fill({ action = "execute-api:Invoke", resource =
                "arn:aws:execute-api:eu-central-1:111122223333:" .. id .. "/dev/GET/x" }))
            assert.equal(outcome, require("postern.request").outcomes[request:evaluate()])
        end
    end)

    it("gives an endpoint without policy the default one", function()
        local estate = opened(HEAD .. 'endpoint "e" { service = "s3", type = "Gateway", '
            .. 'vpc = "vpc-1", route_tables = "rtb-1" }')
        assert.equal("gateway_endpoint", estate.endpoints.e.policy.type)
        assert.equal("s3", estate.endpoints.e.prefix)
    end)

    it("keeps the warnings of endpoint policies", function()
        local estate = opened(HEAD .. 'endpoint "e" { service = "execute-api", vpc = "vpc-1", '
            .. 'policy = "warned.json" }', { ["gw/warned.json"] =
            '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"ec2:*","Resource":"*"}]}' })
        assert.matches("^gw/warned.json:1:%d+: ENDPOINT_FOREIGN_ACTION: ",
                       tostring(estate.warnings))
    end)

    it("puts the policies of groups with those of their members", function()
        local estate = opened(HEAD .. 'group "g" { policies = "deny.json" }\n'
            .. 'principal "u" { arn = "arn:aws:iam::111122223333:user/u", groups = "g", '
            .. 'policies = "identity.json" }')
        assert.equal(2, estate.principals.u.identity:policy_count())
    end)

    it("reads the organization as levels, root first", function()
        local estate = opened(HEAD .. [[
            organization "o-1" { root = "r-1", management = "000000000000", scp = "identity.json",
                accounts = { "999999999999" },
                units = { { id = "ou-1", scp = { "identity.json", "deny.json" }, units = {
                    { id = "ou-2", accounts = {
                        { id = "111122223333", scp = "deny.json", rcp = "rcp.json" } } } } } } } ]],
            { ["gw/rcp.json"] = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny",'
                .. '"Principal":"*","Action":"s3:*","Resource":"*"}]}' })
        local account = estate.accounts["111122223333"]
        assert.equal("o-1/r-1/ou-1/ou-2/", account.path)
        assert.equal("o-1", account.org_id)
        assert.equal(3, #account.scp)
        assert.same({ 1, 2, 1 }, { account.scp[1]:policy_count(), account.scp[2]:policy_count(),
                                   account.scp[3]:policy_count() })
        assert.equal(1, #account.rcp)
        assert.equal(1, #estate.accounts["999999999999"].scp)
        assert.equal("o-1/r-1/", estate.accounts["999999999999"].path)
        assert.same({}, estate.accounts["000000000000"].scp)
    end)

    it("refuses an organization that cannot be", function()
        local found = problems(HEAD .. [[
            organization "o-1" { root = "r-1", scp = {}, accounts = { "111122223333", "1" },
                units = { { id = "ou-1", accounts = { "111122223333" } }, { scp = "none.json" } } }
            organization "o-2" { root = "r-2" } ]])
        for _, expected in ipairs({
            "`scp`: the list is empty: AWS keeps at least one attached",
            "account `111122223333` stands in two places",
            "`accounts` 2: `id` is `1`: give an account id of 12 digits",
            "`units` 2: `id` is missing: add it",
            "policy `gw/none.json`: no such file",
            "organization is given again",
        }) do
            assert.is_truthy(found:find(expected, 1, true), expected .. "\n" .. found)
        end
    end)

    it("opens or tells problems, however its file is cut off", function()
        local text = assert(plain.read("examples/private-api/estate.lua"))
        local opens = 0
        for last = 0, #text, 5 do
            local estate, err = estates.open("examples/private-api/estate.lua", {
                now = plain.now,
                read = function(path)
                    if path == "examples/private-api/estate.lua" then
                        return text:sub(1, last)
                    end
                    return plain.read(path)
                end,
            })
            opens = opens + (estate and 1 or 0)
            assert.is_true(estate ~= nil or #err > 0)
            for _, problem in ipairs(err or {}) do
                assert.equal("string", type(problem.message))
                assert.is_nil(problem.message:find("lua/postern/[%w_]+%.lua:%d"), problem.message)
            end
        end
        assert.is_true(opens > 5)
    end)

    it("names a file that is no Lua, or not there", function()
        assert.matches("^gw/estate.lua:2: ", problems("\napi {{"))
        local none, err = estates.open("nowhere.lua", { read = plain.read, now = plain.now })
        assert.is_nil(none)
        assert.matches("^nowhere.lua: cannot be read: ", tostring(err))
    end)

    it("refuses packs that break, or that nobody would ask", function()
        local pack = 'return { kind = "%s", name = "own", api = 1, %s, check = %s }'
        local fine = "function() return true end"
        for expected, text in pairs({
            ["rules `own.lua`: gw/own.lua:1: boom"] = pack:format("keys", "keys = {}",
                'function() error("boom") end'),
            ["rules `own.lua`: too old"] = pack:format("keys", "keys = {}",
                'function() return nil, "too old" end'),
            ["nothing asks for a services pack named `own`"] = pack:format("services",
                "resolve = function() end", fine),
            ["nothing asks for a tables pack named `own`"] = pack:format("tables", "data = {}",
                                                                         fine),
            ["an identity pack is named by the word `identity`"] = pack:format("identities",
                "identify = function() end", fine),
        }) do
            local found = problems(HEAD .. 'rules "own.lua"', { ["gw/own.lua"] = text })
            assert.is_truthy(found:find(expected, 1, true), expected .. "\n" .. found)
        end
        local twice = 'return { kind = "keys", name = "own", api = 1, keys = { ["aws:SourceIp"] = '
            .. "function() end }, check = function() return true end }"
        assert.matches("`aws:SourceIp` is provided twice",
                       problems(HEAD .. 'rules "own.lua"', { ["gw/own.lua"] = twice }), 1, true)
    end)

    it("refuses two APIs behind one base path", function()
        local mapped = 'policy = "allow.json", domains = { ["%s"] = "v1" }'
        local text = HEAD .. api(mapped:format("a.example.com"))
            .. api(mapped:format("A.example.com")):gsub('"a1"', '"a2"')
        assert.matches("`domains`: `a.example.com/v1` leads to the API `a1` already",
                       problems(text), 1, true)
    end)

    it("lets a private pack replace the shipped one of its name", function()
        local pack = 'return { kind = "flows", name = "api_gateway", api = 1, based_on = "iam", '
            .. 'decide = function() return { decision = "ImplicitlyDenied", reason = "closed", '
            .. 'because = "it is Sunday" } end }'
        local estate = opened(HEAD .. api() .. 'rules "sunday.lua"', { ["gw/sunday.lua"] = pack })
        local decision = estate:authorize({ api = "a1", path = "/dev/x" })
        assert.equal("closed", decision.reason)
    end)
end)


describe("the store of an estate", function()
    local STORE = HEAD .. 'store "held/"\n'
        .. 'api "a1" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live" }, '
        .. 'policy = "allow.json" }\n'
        .. 'endpoint "v1" { service = "execute-api", vpc = "vpc-1", policy = "full.json" }\n'

    -- Files of a store that holds for each key: a source, or the text of a policy.
    local function held(objects)
        local files, keys = {}, {}
        for key, what in pairs(objects) do
            local kind, id = records.parts_of_key(key)
            local policy = not what:match("^%l+$")
                and { revision = 1, sha256 = records.hash(what) } or nil
            local state = { source = policy and "policy" or what, policy = policy, revision = 1 }
            files["gw/held/" .. records.file_of(key)] = records.encode({
                kind = kind, id = id, revision = 1, active = state, history = {
                    { revision = 1, operation = "put", at = 1, who = "w", acts = true,
                      source = state.source, policy = policy },
                },
            })
            files["gw/held/" .. records.policy_file(key, 1)] = policy and what or nil
            keys[#keys + 1] = key
        end
        files["gw/held/store.json"] = records.encode_list(keys)
        return files
    end

    local function origin(set)
        return set and set.origins[1].name
    end

    it("stands in place of the files' policies", function()
        local deny = ALLOW:gsub("Allow", "Deny")
        for _, case in ipairs({
            { {}, "gw/allow.json", "gw/full.json" },
            { { ["api.a1"] = "file", ["endpoint.v1"] = "default" }, "gw/allow.json",
              "default endpoint policy" },
            { { ["api.a1"] = "none" }, nil, "gw/full.json" },
            { { ["api.a1"] = deny, ["endpoint.v1"] = FULL }, "gw/held/api.a1.1.json",
              "gw/held/endpoint.v1.1.json" },
        }) do
            local estate = opened(STORE, held(case[1]))
            assert.equal(case[2], origin(estate.apis.a1.policy))
            assert.equal(case[3], origin(estate.endpoints.v1.policy))
            assert.equal("gw/held", estate.store.folder)
        end
        local estate = opened(STORE, held({ ["api.a1"] = deny }))
        assert.equal("ExplicitlyDenied",
                     estate:authorize({ api = "a1", path = "/live/x" }).decision)
        assert.same({ ["api.a1"] = 1 }, estate.store.revisions)
        assert.is_nil(opened(HEAD).store)
    end)

    it("counts for an API of another folder, also when it is included", function()
        local files = held({ ["api.a1"] = ALLOW })
        files["gw/sub/apis.lua"] = 'api "a1" { endpoint_type = "REGIONAL", '
            .. 'authorization = "NONE", stages = { "live" } }\n'
        local estate = opened(HEAD .. 'store "held"\ninclude "sub/apis.lua"\n', files)
        assert.equal("gw/held/api.a1.1.json", origin(estate.apis.a1.policy))
    end)

    it("is covered by the revision", function()
        local one = opened(STORE, held({ ["api.a1"] = ALLOW })).revision
        assert.equal(one, opened(STORE, held({ ["api.a1"] = ALLOW })).revision)
        assert.not_equal(one, opened(STORE, held({ ["api.a1"] = ALLOW .. " " })).revision)
        assert.not_equal(one, opened(STORE, held({})).revision)
    end)

    it("is checked as files are, and damage is a problem", function()
        local large = ALLOW .. (" "):rep(8192)
        assert.matches("held/api.a1.1.json` has " .. #large .. " characters, the limit is 8192",
                       problems(STORE, held({ ["api.a1"] = large })), 1, true)
        assert.matches("gw/held/api.a1.1.json:1:1", problems(STORE, held({ ["api.a1"] = "{}" })),
                       1, true)
        assert.matches("gw/held/endpoint.v1.1.json:1:2: InvalidPolicyDocument.Json",
                       problems(STORE, held({ ["endpoint.v1"] = "[" })), 1, true)
        assert.matches("gw/held/store.json: there is no store", problems(STORE), 1, true)
        for _, name in ipairs({ "store.json", "api.a1.json", "api.a1.1.json" }) do
            for _, text in ipairs({ false, "", "{}" }) do
                local files = held({ ["api.a1"] = ALLOW })
                files["gw/held/" .. name] = text or nil
                assert.matches("gw/held/" .. name .. ": ", problems(STORE, files), 1, true)
            end
        end
    end)

    it("tells programs which policy is at fault, and by which code", function()
        local _, told = open(STORE, held({ ["api.a1"] = "{" }))
        assert.same({ "InvalidPolicyDocument.Json", "gw/held/api.a1.1.json" },
                    { told[1].code, told[1].policy })
        _, told = open(STORE, held({ ["endpoint.v1"] = "[]" }))
        assert.same({ "InvalidPolicyDocument.Structure", "gw/held/endpoint.v1.1.json" },
                    { told[1].code, told[1].policy })
    end)

    it("warns of what acts on nothing", function()
        local estate = opened(STORE, held({ ["api.zz"] = ALLOW }))
        assert.equal("gw/held/api.zz.json: there is no api `zz`: what the store holds for it acts "
            .. "on nothing", tostring(estate.warnings))
        assert.same({}, estate.store.revisions)
    end)
end)


describe("the packs of an estate", function()
    local fakes = require("postern.testing.fakes")

    local function pack(kind, name, members)
        return ([[return { kind = "%s", name = "%s", api = 1, check = function() return true end,
            %s }]]):format(kind, name, members)
    end

    -- Opens with a log. A path may go up and down again, as the file system has it.
    local function start(files, options)
        local lines = {}
        local given = {
            now = function() return 1700000000 end,
            log = function(line) table.insert(lines, line) end,
            read = function(name)
                if not name:find("^gw/") then
                    return plain.read(name)
                end
                local path = name:gsub("/%./", "/"):gsub("gw/%.%./", "")
                local known = files[path] or FILES[path]
                return known, not known and "no such file: check the path" or nil
            end,
        }
        for name, value in pairs(options or {}) do
            given[name] = value
        end
        local estate, err = estates.open("gw/estate.lua", given)
        return estate, lines, err and tostring(err)
    end

    local LIFE = [[start = function(config, tools)
            tools.log("start " .. config.word .. " after " .. tostring(tools.previous))
            if config.word == "bad" then return nil, "no database" end
            return config.word
        end, stop = function(state, tools)
            tools.log("stop " .. state)
            if state == "stuck" then error("boom", 0) end
        end, ]]

    local function keys_pack(name, members)
        return pack("keys", name, (members or "") .. ('keys = { ["acme:%s"] = function() end }')
            :format(name))
    end

    local function rules(name, word)
        return ('rules "%s.lua" { word = "%s" }\n'):format(name, word)
    end

    it("warn of condition keys that none of them provides, with the place", function()
        local policy = ALLOW:gsub('"Effect"', [[
            "Condition": { "StringEquals": { "aws:SourceVpc": "x",
                                             "acme:Ring": "y" } },
            "Effect"]])
        local files = { ["gw/estate.lua"] = HEAD .. api('policy = "ring.json"'),
                        ["gw/ring.json"] = policy }
        local estate = assert(start(files))
        assert.equal(1, #estate.warnings)
        assert.matches("^gw/ring.json:2:%d+: no pack provides the condition key `acme:ring`: it is "
            .. "absent unless a request brings it along$", tostring(estate.warnings))
        files["gw/estate.lua"] = files["gw/estate.lua"] .. 'rules "own.lua"'
        files["gw/own.lua"] = keys_pack("Ring")
        estate = assert(start(files))
        assert.equal("", tostring(estate.warnings))
    end)

    it("are each given once", function()
        local files = { ["gw/own.lua"] = keys_pack("x"), ["gw/estate.lua"] = HEAD
            .. 'rules "own.lua"\nrules "./own.lua"' }
        local _, _, err = start(files)
        assert.matches("estate.lua:4: `./own.lua`: the pack `keys/x` is given twice: give it once",
                       (err:gsub("rules ", "")), 1, true)
    end)

    it("have limits that are checked", function()
        for limits, message in pairs({
            ["{ second = 1 }"] = "`limits`: unknown limit `second`",
            ["{ seconds = -1 }"] = "`limits`: `seconds`: give a number above 0",
            ["{ open = 'maybe' }"] = "`limits`: `open` is `maybe`: give `deny` or `absent`",
            ["5"] = "`limits` is a number: give a table",
        }) do
            local _, _, err = start({ ["gw/own.lua"] = keys_pack("x"), ["gw/estate.lua"] = HEAD
                .. ('rules "own.lua" { limits = %s }'):format(limits) })
            assert.matches("gw/estate.lua:3:", err, 1, true)
            assert.matches(message, err, 1, true)
        end
        local _, _, err = start({ ["gw/estate.lua"] = HEAD
            .. 'identity "who.lua" { limits = 5 }', ["gw/who.lua"] = "return {}" })
        assert.matches("`limits` belongs to packs of keys and hooks", err, 1, true)
    end)

    it("find their files beside the estate", function()
        local files = { ["gw/own.lua"] = keys_pack("x", [[files = { "a", "b", "c" },
            start = function(config, tools)
                tools.log(config.a .. " " .. config.b .. " " .. config.c .. " " .. config.d)
            end, ]]), ["gw/estate.lua"] = HEAD
            .. 'rules "own.lua" { a = "x.db", b = "-", c = "/x.db", d = "x.db" }' }
        local estate, lines = start(files)
        assert.not_nil(estate)
        assert.same({ "gw/x.db - /x.db x.db" }, lines)
    end)

    it("hand their state to the next generation of the same configuration", function()
        local files = { ["gw/own.lua"] = keys_pack("x", LIFE),
                        ["gw/estate.lua"] = HEAD .. rules("own", "one") }
        local first = assert(start(files))
        local second, lines = start(files, { previous = first })
        assert.same({ "start one after one" }, lines)
        files["gw/estate.lua"] = HEAD .. rules("own", "two")
        local third
        third, lines = start(files, { previous = second })
        assert.same({ "start two after nil" }, lines)
        files["gw/own.lua"] = keys_pack("y", LIFE)
        lines = select(2, start(files, { previous = third }))
        assert.same({ "start two after nil" }, lines)
    end)

    it("are all stopped when it is closed, also those that fail", function()
        local files = { ["gw/a.lua"] = keys_pack("a", LIFE), ["gw/b.lua"] = keys_pack("b", LIFE),
                        ["gw/c.lua"] = pack("hooks", "c", LIFE .. "log = function() end"),
                        ["gw/estate.lua"] = HEAD .. rules("a", "one") .. rules("b", "stuck")
                            .. rules("c", "three") }
        local estate, lines = start(files)
        assert.equal(3, #lines)
        estate:close()
        table.sort(lines)
        assert.same({ "start one after nil", "start stuck after nil", "start three after nil",
                      "stop one", "stop stuck", "stop three",
                      "the keys pack `b` does not stop: boom" }, lines)
        estate:close()
        assert.equal(7, #lines)
    end)

    it("are all stopped when a later one does not start", function()
        local files = { ["gw/a.lua"] = keys_pack("a", LIFE), ["gw/b.lua"] = keys_pack("b", LIFE),
                        ["gw/c.lua"] = pack("hooks", "c", LIFE .. "log = function() end"),
                        ["gw/estate.lua"] = HEAD .. rules("a", "one") .. rules("b", "two")
                            .. rules("c", "bad") }
        local estate, lines, err = start(files)
        assert.is_nil(estate)
        assert.matches("gw/estate.lua: the hooks pack `c` does not start: no database", err, 1,
                       true)
        table.sort(lines)
        assert.same({ "start bad after nil", "start one after nil", "start two after nil",
                      "stop one", "stop two" }, lines)
        files["gw/b.lua"] = keys_pack("A", LIFE):gsub('"A"', '"b"')
        estate, lines, err = start(files)
        assert.is_nil(estate)
        assert.matches("is provided twice", err, 1, true)
        assert.equal("stop one", (table.concat(lines, ","):match("stop one")))
    end)

    it("may fail without anybody to tell", function()
        local files = { ["gw/own.lua"] = keys_pack("x", LIFE),
                        ["gw/log.lua"] = pack("hooks", "log", "log = function() error('x') end"),
                        ["gw/estate.lua"] = HEAD .. api() .. rules("own", "stuck")
                            .. 'rules "log.lua"' }
        local estate = assert(estates.open("gw/estate.lua", {
            now = os.time, read = function(path)
                return files[path] or FILES[path] or plain.read(path)
            end,
        }))
        assert.is_false(estate:authorize({ api = "a1", path = "/dev/x" }).allowed)
        estate:close()
    end)

    local SHADOW = [[start = function(config, tools)
        local other, err = tools.open(config.other)
        tools.log(other and "open" or err)
        return other
    end, files = { "other" }, ]]

    it("may open another estate, which ends with this one", function()
        local files = {
            ["gw/estate.lua"] = HEAD .. api() .. 'rules "shadow.lua" { other = "other.lua" }',
            ["gw/other.lua"] = HEAD .. api() .. rules("own", "inner"),
            ["gw/own.lua"] = keys_pack("x", LIFE),
            ["gw/shadow.lua"] = pack("hooks", "shadow", SHADOW
                .. [[log = function(context, decision, _, tools)
                    local other = tools.state:authorize(context.request)
                    tools.log(decision.reason .. " " .. other.reason .. tostring(other.trace))
                end]]),
        }
        local estate, lines = start(files)
        assert.same({ "start inner after nil", "open" }, lines)
        estate:authorize({ api = "a1", path = "/dev/x" })
        local reason = estate:authorize({ api = "a1", path = "/dev/x" }).reason
        assert.equal(reason .. " " .. reason .. "nil", lines[3])
        estate:close()
        assert.equal("stop inner", lines[#lines])
        -- Also when it does not open itself.
        files["gw/estate.lua"] = files["gw/estate.lua"] .. "\n" .. rules("late", "bad")
        files["gw/late.lua"] = pack("hooks", "zz", LIFE .. "log = function() end")
        estate, lines = start(files)
        assert.is_nil(estate)
        assert.equal("stop inner", lines[#lines])
    end)

    it("cannot open it again and again", function()
        local files = {
            ["gw/estate.lua"] = HEAD .. 'rules "shadow.lua" { other = "estate.lua" }',
            ["gw/shadow.lua"] = pack("hooks", "shadow", SHADOW .. "log = function() end"),
        }
        local estate, lines = start(files)
        assert.not_nil(estate)
        assert.same({ "the estate `gw/estate.lua` is being opened already" }, lines)
        files["gw/estate.lua"] = HEAD .. 'rules "shadow.lua" { other = "../gw/estate.lua" }'
        estate, lines = start(files)
        assert.not_nil(estate)
        assert.equal(5, #lines)
        assert.matches("more than 4 estates open each other", lines[1], 1, true)
    end)

    it("have their files opened anew", function()
        local faked = fakes.new({})
        local reopened, broken = 0, false
        faked.host.writer = function(_, path)
            return { write = function() return true end, close = function() end,
                     reopen = function()
                         reopened = reopened + 1
                         return not broken or nil, "no space in " .. path
                     end }
        end
        local writing = pack("hooks", "w", [[start = function(config, tools)
                return tools.writer("x.log")
            end, log = function(_, _, _, tools) tools.state:write("x") end]])
        local files = {
            ["gw/estate.lua"] = HEAD .. 'rules "w.lua"\nrules "shadow.lua" { other = "other.lua" }',
            ["gw/other.lua"] = HEAD .. 'rules "w.lua"', ["gw/w.lua"] = writing,
            ["gw/shadow.lua"] = pack("hooks", "shadow", SHADOW .. "log = function() end"),
        }
        local estate, lines = start(files, { host = faked.host })
        estate:reopen()
        assert.equal(2, reopened)
        assert.same({ "open" }, lines)
        broken = true
        estate:reopen()
        assert.equal("a file of a pack cannot be opened anew: no space in x.log", lines[2])
    end)

    -- What `api` may say: an API that says it, beside one that says what all say here. Nothing that
    -- can turn a decision may be shared with an API that says otherwise.
    it("shares what it makes only between APIs that say the same", function()
        local words = require("postern.words")
        local BASE = { endpoint_type = '"PRIVATE"', authorization = '"LAMBDA"',
                       stages = '{ "live" }' }
        local OTHER = {
            endpoint_type = '"REGIONAL"', authorization = '"NONE"', stages = '{ "live", "test" }',
            policy = '"traits.json"', account = '"444455556666"', region = '"eu-west-1"',
            websocket = "true", routes = '{ "send" }', authorizer = "function() end",
            domains = '{ ["api.example.com"] = { stage = "live" } }',
            identity_sources = '{ "authorization" }', authorizer_ttl = "60",
            cognito_requires_allow = "false", ambiguous_paths = '{ "semicolon" }',
            cache_invalidation = '"FAIL_WITH_403"',
        }
        -- These are checked when the estate opens, and nothing of them is left.
        local CHECKED = { policy_limit = true, vpc_endpoints = true }
        local function written(id, changes)
            local members = {}
            for name, value in pairs(BASE) do
                members[#members + 1] = name .. " = " .. (changes[name] or value)
            end
            for name, value in pairs(changes) do
                members[#members + 1] = not BASE[name] and name .. " = " .. value or nil
            end
            return ("api %q { %s }\n"):format(id, table.concat(members, ", "))
        end
        local text = { 'account "111122223333" region "eu-central-1"\n', written("a", {}),
                       written("b", {}) }
        for name in pairs(words.api.members) do
            assert.is_true(OTHER[name] ~= nil or CHECKED[name] == true, "no sample of " .. name)
            text[#text + 1] = OTHER[name] and written(name, { [name] = OTHER[name] })
        end
        -- One function for two APIs: what it answered for one is not kept for the other.
        text[#text + 1] = "local function same() end\n" .. written("s", { authorizer = "same" })
            .. written("t", { authorizer = "same" })
        local estate = opened(table.concat(text), { ["gw/traits.json"] =
            '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*",'
            .. '"Resource":"*"}}' })
        local seen = { [estate.apis.a.shape] = "a" }
        assert.equal(estate.apis.a.shape, estate.apis.b.shape)
        for name in pairs(OTHER) do
            local shape = estate.apis[name].shape
            assert.is_nil(seen[shape], name .. " shares with " .. tostring(seen[shape]))
            seen[shape] = name
        end
        assert.not_equal(estate.apis.s.shape, estate.apis.t.shape)
    end)
end)
