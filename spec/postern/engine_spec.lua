local engine = require("postern.engine")
local estates = require("postern.estate")
local plain = require("postern.host.plain")


local API = "arn:aws:execute-api:eu-central-1:111122223333:%s/%s"
local NOW = 1700000000

local function policy(...)
    return ('{"Version":"2012-10-17","Statement":[%s]}'):format(table.concat({ ... }, ","))
end


local function statement(effect, more, principal)
    return ('{"Effect":"%s",%s"Action":"%s"%s}'):format(effect, principal == false and ""
        or '"Principal":"*",', "execute-api:Invoke", more or ',"Resource":"*"')
end


local function when(operator, key, value, principal)
    return statement("Allow", (',"Resource":"*","Condition":{"%s":{"%s":"%s"}}')
        :format(operator, key, value), principal)
end


local ESTATE = [[
account "111122223333" region "eu-central-1"
vpc "vpc-1" { cidr = "10.0.0.0/16", peers = "vpc-2" }
vpc "vpc-2" { cidr = "10.1.0.0/16" }
subnet "sn-1" { vpc = "vpc-1", cidr = "10.0.1.0/24", route_table = "rtb-1" }
prefix_list "pl-s3" { cidr = "198.51.100.0/24" }
security_group "sg-1" { vpc = "vpc-1", name = "default" }
security_group "sg-2" { vpc = "vpc-1", inbound = { { protocol = "tcp", port = 443,
                        cidr = "10.1.0.0/16" } } }
security_group "sg-3" { vpc = "vpc-2", name = "default" }
endpoint "vpce-1" { service = "com.amazonaws.eu-central-1.execute-api", vpc = "vpc-1",
                    addresses = { "10.0.1.5" }, security_groups = "sg-2" }
endpoint "vpce-2" { service = "execute-api", vpc = "vpc-1" }
endpoint "vpce-s3" { service = "s3", type = "Gateway", vpc = "vpc-1", route_tables = "rtb-1",
                     prefix_lists = { v4 = "pl-s3" }, policy = "s3-endpoint.json" }
trusted_proxies { "192.0.2.0/24" }
api "open" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" } }
api "private" { endpoint_type = "PRIVATE", authorization = "NONE", stages = { "dev" },
                policy = "vpce.json" }
api "iam" { endpoint_type = "REGIONAL", authorization = "IAM", stages = { "dev" } }
api "keyed" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
              policy = "keyed.json", ambiguous_paths = { "double_slash" } }
api "mapped" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
               domains = { ["api.Example.com"] = { base_path = "v1", stage = "dev" } } }
api "mapped2" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
                domains = { ["api.example.com"] = { stage = "dev" } } }
api "domain" { endpoint_type = "PRIVATE", authorization = "NONE", stages = { "dev" },
    policy = "open.json", domains = { ["private.example.com"] = { id = "d1", stage = "dev",
    policy = "open.json", vpc_endpoints = "vpce-1" } } }
api "lambda" { endpoint_type = "REGIONAL", authorization = "LAMBDA", stages = { "dev" },
    identity_sources = "X-Token", authorizer = function(request)
        if request.http.headers["x-token"][1] == "boom" then error("no database") end
        return '{"Version":"2012-10-17","Statement":[{"Effect":"'
            .. request.http.headers["x-token"][1] .. '","Action":"*","Resource":"*"}]}'
    end }
api "cognito" { endpoint_type = "REGIONAL", authorization = "COGNITO", stages = { "dev" } }
api "socket" { endpoint_type = "REGIONAL", authorization = "NONE", websocket = true,
               stages = { "dev" }, routes = { "send" } }
principal "alice" { arn = "arn:aws:iam::111122223333:user/team/alice", policies = "tagged.json",
                    tags = { team = "blue" }, userid = "AIDA" }
principal "reader" { arn = "arn:aws:iam::111122223333:role/x/Reader", policies = "all.json",
                     tags = { team = "blue" } }
principal "events" { arn = "events.amazonaws.com" }
organization "o-1" { root = "r-1", accounts = { "111122223333",
                     { id = "444455556666", scp = "none.json" } } }
]]

local FILES = {
    ["vpce.json"] = policy(when("StringEquals", "aws:SourceVpce", "vpce-1")),
    ["open.json"] = policy(statement("Allow")),
    ["tagged.json"] = policy(when("StringEquals", "aws:PrincipalTag/team", "blue", false)),
    ["all.json"] = policy(statement("Allow", nil, false)),
    ["none.json"] = policy(statement("Allow", ',"Resource":"arn:aws:s3:::x"', false)),
    ["s3-endpoint.json"] = '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:Get*",'
        .. '"Resource":"*"}]}',
    ["s3.json"] = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*",'
        .. '"Resource":"*"}]}',
    ["keyed.json"] = policy(when("StringEquals", "acme:Ring", "inner"),
                            when("StringEquals", "acme:Slow", "yes")),
}


-- Opens the estate above with some words more and files of its own.
local function open(more, files)
    return estates.open("estate.lua", {
        now = function() return NOW end,
        read = function(path)
            if path == "estate.lua" then
                return ESTATE .. (more or "")
            end
            return files and files[path] or FILES[path] or plain.read(path)
        end,
    })
end


local function opened(more, files)
    local estate, err = open(more, files)
    assert.equal("", tostring(err or ""))
    return estate
end


local ORDINARY = opened()

local function decide(request, estate)
    return engine.decide(estate or ORDINARY, request)
end


-- A deny with reason `error` whose text holds `expected`.
local function refused(expected, request, status, estate)
    local decision = decide(request, estate)
    assert.same({ false, "ImplicitlyDenied", "error" },
                { decision.allowed, decision.decision, decision.reason })
    assert.is_truthy(tostring(decision.error):find(expected, 1, true), decision.error)
    assert.equal(status or 500, decision.status)
    assert.equal((estate or ORDINARY).revision, decision.revision)
    assert.equal("string", type(decision:summary()))
    assert.equal("string", type(tostring(decision:explain())))
end


describe("a call to an API", function()
    it("is decided by the flow of the gateway", function()
        local decision = decide({ api = "open", path = "/dev/x", peer = "198.51.100.1" })
        assert.same({ true, "allow" }, { decision.allowed, decision.reason })
        assert.equal(ORDINARY.revision, decision.revision)
        decision = decide({ api = "private", path = "/dev/x", peer = "198.51.100.1" })
        assert.equal("no_allow_endpoint", decision.reason)
        assert.is_true(decide({ api = "private", path = "/dev/x", vpce = "vpce-1" }).allowed)
        assert.equal("no_allow_resource",
                     decide({ api = "private", path = "/dev/x", vpce = "vpce-2" }).reason)
    end)

    it("takes the stage from the request or from the path", function()
        for _, request in ipairs({
            { api = "open", stage = "dev", path = "/x" },
            { api = "open", path = "/dev/x" },
            { api = "open", raw_path = "/dev/x?q=1" },
            { api = "open", raw_path = "/dev/%78", path = "/dev/x" },
        }) do
            local decision = decide(request)
            assert.is_true(decision.allowed)
            assert.equal(API:format("open", "dev/GET/x"), decision.trace.request.resource)
        end
    end)

    it("is refused when it speaks of what is not there", function()
        refused("there is no API `nope`", { api = "nope", path = "/dev/x" }, 403)
        refused("the API has no stage `prod`", { api = "open", path = "/prod/x" }, 403)
        refused("the API has no stage `prod`", { api = "open", stage = "prod", path = "/x" }, 403)
        refused("there is no endpoint `vpce-9`", { api = "open", path = "/dev/x",
                                                   vpce = "vpce-9" }, 403)
        refused("the endpoint `vpce-s3` is one of the service `s3`",
                { api = "private", path = "/dev/x", vpce = "vpce-s3" }, 403)
        refused("no principal `bob` in the estate", { api = "iam", path = "/dev/x",
                                                      principal = "bob" }, 403)
        refused("the principal `reader` is a role", { api = "iam", path = "/dev/x",
                                                      principal = "reader" }, 403)
        refused("the request names no API", { path = "/dev/x" }, 400)
    end)

    it("is refused when it is malformed", function()
        local many = {}
        for i = 1, 10000 do
            many["x-" .. i] = "v"
        end
        refused("more than 100 headers", { api = "open", path = "/dev/x", headers = many }, 400)
        local values = {}
        for i = 1, 101 do
            values[i] = "v"
        end
        refused("more than 100 headers", { api = "open", path = "/dev/x",
                                           headers = { a = values } }, 400)
        refused("the header `", { api = "open", path = "/dev/x",
                                  headers = { Host = "a", host = "b" } }, 400)
        refused("no text", { api = "open", path = "/dev/x", headers = { a = { 1 } } }, 400)
        refused("`peer` is not an address", { api = "open", path = "/dev/x", peer = "1.2.3" }, 400)
        refused("`client_ip` is not an address", { api = "open", path = "/dev/x",
                                                   client_ip = "10.0.0.1:80" }, 400)
        for _, path in ipairs({ "/dev/a/../b", "/dev//x", "/dev/x;y", "/dev/x\\y", "/dev/x\0",
                                "/dev/\255", "/dev/%2e", "dev" }) do
            assert.equal("error", decide({ api = "open", path = path }).reason, path)
        end
        for _, path in ipairs({ "/dev/a%2Fb", "/dev/%2e%2e/b", "/dev/%252e", "/dev/%zz",
                                "/dev/x#y" }) do
            assert.equal("error", decide({ api = "open", raw_path = path }).reason, path)
        end
        refused("another path", { api = "open", raw_path = "/dev/x", path = "/dev/y" }, 400)
        refused("unknown member `methd`", { api = "open", path = "/dev/x", methd = "GET" })
        refused("`path` is a number", { api = "open", path = 1 })
        refused("the request is a nil", nil)
        refused("the request is a string", "x")
        refused("the key is given twice", { api = "keyed", path = "/dev/x",
                                            context = { ["acme:Ring"] = "a",
                                                        ["ACME:ring"] = "b" } }, 400)
    end)

    it("lets an ambiguity in that the API names", function()
        local ring = { ["acme:Ring"] = "inner" }
        assert.is_true(decide({ api = "keyed", path = "/dev//x", context = ring }).allowed)
        refused("a segment", { api = "keyed", path = "/dev/../x", context = ring }, 400)
    end)

    it("finds the API by a custom domain name", function()
        local function resource(host, path)
            local decision = decide({ host = host, path = path })
            assert.is_true(decision.allowed, tostring(decision.error))
            return decision.trace.request.resource
        end
        assert.equal(API:format("mapped", "dev/GET/x"), resource("API.example.com:443", "/v1/x"))
        assert.equal(API:format("mapped", "dev/GET/"), resource("api.example.com.", "/v1"))
        assert.equal(API:format("mapped2", "dev/GET/v10/x"), resource("api.example.com", "/v10/x"))
        for _, raw in ipairs({ "/v1?x=1", "/%761/x", "http://api.example.com/v1/x" }) do
            local decision = decide({ host = "api.example.com", raw_path = raw })
            assert.matches(":mapped/dev/GET/", decision.trace.request.resource, 1, true)
        end
        refused("", { host = "api.example.com", path = "/v1//x" }, 400)
        refused("no API has the domain name `other.example.com`",
                { host = "other.example.com", path = "/x" }, 403)
        refused("", { host = "a b", path = "/x" }, 400)
    end)

    it("passes the gate of a private domain name", function()
        local request = { host = "private.example.com", path = "/x", vpce = "vpce-1" }
        local decision = decide(request)
        assert.is_true(decision.allowed, decision:summary())
        assert.equal("Allowed", decision.gates.domain)
        request.vpce = "vpce-2"
        assert.equal("no_allow_domain", decide(request).reason)
    end)

    it("knows the routes of a WebSocket", function()
        local decision = decide({ api = "socket", stage = "dev", path = "/", route = "send" })
        assert.equal(API:format("socket", "dev/send"), decision.trace.request.resource)
        refused("the API has no route `x`", { api = "socket", stage = "dev", path = "/",
                                              route = "x" }, 403)
    end)
end)


describe("the caller", function()
    it("is what the request says: an id, an ARN, a session of a role, everybody", function()
        local function reason(principal)
            return decide({ api = "iam", path = "/dev/x", principal = principal }).reason
        end
        assert.equal("allow", reason("alice"))
        assert.equal("allow", reason("arn:aws:iam::111122223333:user/team/alice"))
        assert.equal("allow", reason("arn:aws:sts::111122223333:assumed-role/Reader/s"))
        assert.equal("no_allow_identity", reason("arn:aws:sts::111122223333:assumed-role/Other/s"))
        assert.equal("no_allow_identity", reason("arn:aws:iam::111122223333:user/alice"))
        assert.equal("authentication", reason("*"))
        assert.equal("no_allow_resource", reason("events"))
        assert.equal("no_allow_resource", reason("sns.amazonaws.com"))
    end)

    it("is bound by the SCPs of its account", function()
        assert.equal("no_allow_scp", decide({ api = "iam", path = "/dev/x",
            principal = "arn:aws:iam::444455556666:user/x" }).reason)
    end)

    it("has the keys the estate knows of it", function()
        local files = { ["tagged.json"] = policy(statement("Allow", ',"Resource":"*","Condition":{'
            .. '"StringEquals":{"aws:PrincipalTag/team":"blue","aws:userid":"AIDA",'
            .. '"aws:PrincipalOrgID":"o-1","aws:username":"alice"},'
            .. '"ForAnyValue:StringEquals":{"aws:PrincipalOrgPaths":"o-1/r-1/"}}', false)) }
        local decision = decide({ api = "iam", path = "/dev/x", principal = "alice" },
                                opened("", files))
        assert.is_true(decision.allowed, tostring(decision:explain()))
    end)

    it("is found by the identity packs, in order", function()
        local estate = opened([[
            identity "header" { header = "x-arn" }
            identity "anonymous"
        ]])
        local request = { api = "iam", path = "/dev/x", peer = "192.0.2.1",
                          headers = { ["X-Arn"] = "arn:aws:iam::111122223333:user/team/alice" } }
        assert.is_true(decide(request, estate).allowed)
        request.peer = "198.51.100.1"
        assert.equal("authentication", decide(request, estate).reason)
        request.peer = "192.0.2.1"
        request.headers["X-Arn"] = { "a", "b" }
        local decision = decide(request, estate)
        assert.same({ "authentication", 403 }, { decision.reason, decision.status })
    end)

    it("stays unknown where no pack finds credentials, and the flow says what that is worth",
        function()
            local estate = opened('identity "header" { header = "x-arn" }')
            assert.is_true(decide({ api = "open", path = "/dev/x" }, estate).allowed)
            local decision = decide({ api = "iam", path = "/dev/x" }, estate)
            assert.same({ "authentication", 403 }, { decision.reason, decision.status })
        end)

    it("is refused with the name that the pack gives, also where the flow decides", function()
        local pack = [[return { kind = "identities", name = "strict", api = 1,
            check = function() return true end, identify = function(context)
                local code = context.http.headers["x-code"]
                if code then return nil, "no", code[1] end
            end }]]
        local estate = opened('identity "strict.lua"', { ["strict.lua"] = pack })
        local function code(request, header)
            request.path = request.api and "/dev/x"
            request.headers = { ["x-code"] = header }
            local decision = decide(request, estate)
            return decision.code, decision.reason, decision.status
        end
        for _, name in ipairs({ "INVALID_SIGNATURE", "IncompleteSignature", "EXPIRED_TOKEN",
                                "MISSING_AUTHENTICATION_TOKEN" }) do
            assert.same({ name, "authentication", 403 }, { code({ api = "iam" }, name) })
            assert.same({ name, "authentication", 403 },
                        { code({ action = "s3:GetObject", resource = "arn:aws:s3:::b" }, name) })
            assert.same({ nil, "allow", 200 }, { code({ api = "open" }, name) })
            -- What is refused is the token, whatever the pack has found.
            assert.same({ "UNAUTHORIZED", "authentication", 401 },
                        { code({ api = "cognito" }, name) })
        end
        assert.same({ "MISSING_AUTHENTICATION_TOKEN", "authentication", 403 },
                    { code({ api = "iam" }, nil) })
        assert.same({ "UNAUTHORIZED", "authentication", 401 },
                    { code({ api = "iam" }, "UNAUTHORIZED") })
        assert.same({ "IDENTITY_FAILURE", "error", 500 }, { code({ api = "iam" }, "NOISE") })
        assert.is_nil(decide({ api = "iam", path = "/dev/x", principal = "bob" }, estate).code)
    end)

    it("is never found by a pack that fails", function()
        local estate = opened('identity "bad.lua"', { ["bad.lua"] = 'return { kind = "identities", '
            .. 'name = "bad", api = 1, check = function() return true end, '
            .. 'identify = function() error("no database") end }' })
        refused("no database", { api = "open", path = "/dev/x" }, 500, estate)
    end)
end)


describe("an action that is a call of an API", function()
    it("is refused, since the API's own policies would be passed by", function()
        local root = "arn:aws:iam::111122223333:root"
        local resource = API:format("private", "dev/GET/x")
        for _, request in ipairs({
            { action = "execute-api:Invoke", resource = resource },
            { action = "Execute-API:ManageConnections", resource = resource },
            { api = "private", action = "s3:GetObject", resource = "arn:aws:s3:::b/k" },
            { host = "api.example.com", action = "s3:GetObject", resource = "arn:aws:s3:::b/k" },
        }) do
            request.principal = root
            local decision = decide(request)
            assert.is_false(decision.allowed)
            assert.same({ "error", 400 }, { decision.reason, decision.status })
            assert.truthy(decision.error:find("give no `action`", 1, true))
        end
        assert.is_true(decide({ action = "s3:GetObject", principal = root, resourceAccount =
            "111122223333", resource = "arn:aws:s3:::b/k" }).allowed)
    end)
end)


describe("a call that renews the cache", function()
    local WAYS = { "FAIL_WITH_403", "SUCCEED_WITH_RESPONSE_HEADER",
                   "SUCCEED_WITHOUT_RESPONSE_HEADER" }
    local INVALIDATE = '{"Effect":"%s","Principal":"*","Action":"execute-api:InvalidateCache",'
        .. '"Resource":"*"}'

    -- An API `c` that handles what is not authorized in one way. `statements` make its policy.
    local function estate_of(way, authorization, statements, more)
        return opened(([[api "c" { endpoint_type = "REGIONAL", authorization = "%s",
            stages = { "dev" }, %s %s %s }]]):format(authorization,
            way and ('cache_invalidation = "%s",'):format(way) or "",
            statements and 'policy = "cached.json",' or "", more or ""), {
            ["cached.json"] = statements and policy(unpack(statements)),
            ["tagged.json"] = policy('{"Effect":"Allow","Action":"execute-api:*","Resource":"*"}'),
            ["all.json"] = policy(statement("Allow", nil, false)),
        })
    end

    local function call(estate, more, header)
        local request = { api = "c", path = "/dev/x",
                          headers = { ["Cache-Control"] = header or "max-age=0" } }
        for name, value in pairs(more or {}) do
            request[name] = value
        end
        return decide(request, estate)
    end

    local function same(expected, decision)
        assert.same(expected, { decision.reason, decision.status, decision.cache_invalidation })
    end

    it("is one question where there is no cache, or no such header", function()
        same({ "allow", 200 }, call(estate_of(nil, "NONE", { statement("Allow") })))
        same({ "allow", 200 }, call(estate_of(nil, "NONE")))
        for _, way in ipairs(WAYS) do
            same({ "allow", 200 }, call(estate_of(way, "NONE", { statement("Allow") }), nil,
                                        "max-age=60"))
        end
    end)

    it("needs an allow for that, too", function()
        local both = { statement("Allow"), INVALIDATE:format("Allow") }
        for _, way in ipairs(WAYS) do
            same({ "allow", 200, "AUTHORIZED" }, call(estate_of(way, "NONE", both)))
        end
    end)

    it("without it fails, or goes on without renewing, as the API says", function()
        for i, way in ipairs(WAYS) do
            local estate = estate_of(way, "NONE", { statement("Allow") })
            local decision = call(estate)
            same({ i == 1 and "no_allow_resource" or "allow", i == 1 and 403 or 200, way },
                 decision)
            assert.equal(i > 1, decision.allowed)
            assert.equal(i == 1 and "execute-api:InvalidateCache" or "execute-api:Invoke",
                         decision:explain().request.action)
            assert.equal(estate.revision, decision.revision)
            estate = estate_of(way, "NONE", { statement("Allow"), INVALIDATE:format("Deny") })
            decision = call(estate)
            same({ i == 1 and "explicit_deny" or "allow", i == 1 and 403 or 200, way }, decision)
            assert.equal(i == 1 and "Deny" or "Allow", decision.deciding.effect)
        end
    end)

    it("is not asked about it when the call itself is denied", function()
        same({ "no_allow_resource", 403 },
             call(estate_of("FAIL_WITH_403", "NONE", { INVALIDATE:format("Allow") })))
    end)

    it("is not let in by an API's being open", function()
        same({ "no_allow_resource", 403, "FAIL_WITH_403" }, call(estate_of("FAIL_WITH_403",
                                                                           "NONE")))
        same({ "no_allow_resource", 403, "FAIL_WITH_403" },
             call(estate_of("FAIL_WITH_403", "COGNITO"), { token = "valid" }))
        -- What is kept of the anonymous caller is that of the usual question.
        local estate = estate_of("FAIL_WITH_403", "NONE")
        for _ = 1, 2 do
            same({ "allow", 200 }, call(estate, nil, "no-cache"))
            same({ "no_allow_resource", 403, "FAIL_WITH_403" }, call(estate))
        end
    end)

    it("needs it of the caller's own policies, where those grant", function()
        local estate = estate_of("FAIL_WITH_403", "IAM")
        same({ "allow", 200, "AUTHORIZED" }, call(estate, { principal = "alice" }))
        same({ "no_allow_identity", 403, "FAIL_WITH_403" }, call(estate, {
            principal = "arn:aws:sts::111122223333:assumed-role/Reader/s" }))
        same({ "allow", 200, "AUTHORIZED" }, call(estate, {
            principal = "arn:aws:iam::111122223333:root" }))
    end)

    it("has its authorizer called once", function()
        local estate = estate_of("FAIL_WITH_403", "LAMBDA", nil, [[authorizer = function(request)
            return request.http.headers["x-answer"][1] end]])
        local calls = 0
        local original = estate.apis.c.authorizer
        estate.apis.c.shape.authorizer = function(request)
            calls = calls + 1
            return original(request)
        end
        local function ask(actions)
            local answer = policy(('{"Effect":"Allow","Action":%s,"Resource":"*"}'):format(actions))
            return call(estate, { headers = { ["Cache-Control"] = "max-age=0",
                                              ["X-Answer"] = answer } })
        end
        same({ "allow", 200, "AUTHORIZED" }, ask('"execute-api:*"'))
        same({ "no_allow_identity", 403, "FAIL_WITH_403" }, ask('"execute-api:Invoke"'))
        assert.equal(2, calls)
    end)

    it("is denied when that question fails, whatever the API says", function()
        local keyed = '{"Effect":"Allow","Principal":"*","Action":"execute-api:InvalidateCache",'
            .. '"Resource":"*","Condition":{"StringEquals":{"acme:Slow":"yes"}}}'
        local estate = opened(([[rules "acme.lua"
            api "c" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
                      policy = "cached.json", cache_invalidation = "%s" }]]):format(WAYS[3]), {
            ["cached.json"] = policy(statement("Allow"), keyed),
            ["acme.lua"] = 'return { kind = "keys", name = "acme", api = 1, lazy = true, '
                .. 'check = function() return true end, keys = { ["acme:Slow"] = function() '
                .. 'return nil, "no database" end } }',
        })
        assert.equal("error", call(estate).reason)
        assert.equal("allow", call(estate, nil, "no-cache").reason)
        estate = opened(([[rules "flow.lua"
            api "c" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
                      cache_invalidation = "%s" }]]):format(WAYS[3]), {
            ["flow.lua"] = [[local pack = { kind = "flows", name = "api_gateway", api = 1,
                based_on = "api_gateway" }
            function pack.decide(results, caller, config)
                if caller.wants_allow then error("boom") end
                return pack.base.decide(results, caller, config)
            end
            return pack]],
        })
        same({ "error", 500, WAYS[3] }, call(estate))
        assert.equal("allow", call(estate, nil, "no-cache").reason)
    end)

    it("asks a private flow for the caller of each request", function()
        local estate = opened([[rules "flow.lua"
            api "c" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" } }]], {
            ["flow.lua"] = [[local pack = { kind = "flows", name = "api_gateway", api = 1,
                based_on = "api_gateway" }
            function pack.caller(request, attached, config)
                local caller = pack.base.caller(request, attached, config)
                caller.path = request.resource
                return caller
            end
            function pack.decide(results, caller, config)
                local verdict = pack.base.decide(results, caller, config)
                if caller.path:find("/secret$") then
                    verdict.decision, verdict.reason = "ImplicitlyDenied", "authentication"
                end
                return verdict
            end
            return pack]],
        })
        for _ = 1, 2 do
            assert.is_true(decide({ api = "c", path = "/dev/x" }, estate).allowed)
            assert.is_false(decide({ api = "c", path = "/dev/secret" }, estate).allowed)
        end
    end)

    it("keeps its questions though the services pack uses its answer again", function()
        local estate = estate_of("FAIL_WITH_403", "NONE", {
            statement("Allow", ',"Resource":"execute-api:/dev/GET/x"') })
        local pack = estate.service.pack
        local answer, resolve = {}, pack.resolve
        pack.resolve = function(context, config)
            for name in pairs(answer) do
                answer[name] = nil
            end
            for name, value in pairs(resolve(context, config)) do
                answer[name] = value
            end
            return answer
        end
        local identify = estate.identify
        estate.identify = { identify = function() -- here somebody else is decided
            estate.service:resolve({ api = estate.apis.open, stage = "dev", http = {
                method = "PUT", path = "/other" } })
            return { kind = "anonymous" }
        end }
        local decision = call(estate)
        estate.identify, pack.resolve = identify, resolve
        same({ "no_allow_resource", 403, "FAIL_WITH_403" }, decision)
        assert.equal(API:format("c", "dev/GET/x"), decision.trace.request.resource)
    end)
end)


describe("authorizers and tokens", function()
    it("call the API's function, and keep what it answers", function()
        local function reason(token)
            local decision = decide({ api = "lambda", path = "/dev/x",
                                      headers = { ["x-token"] = token } })
            return decision.reason, decision.status
        end
        assert.equal("allow", reason("Allow"))
        assert.equal("explicit_deny", reason("Deny"))
        assert.same({ "authentication", 401 }, { reason(nil) })
        assert.same({ "error", 500 }, { reason("boom") })
        assert.same({ "error", 500 }, { reason("nonsense") })
    end)

    it("let the answer ask for any key", function()
        local given = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*",'
            .. '"Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"198.51.100.0/24"}}}]}'
        local function reason(peer)
            return decide({ api = "lambda", path = "/dev/x", peer = peer,
                            authorizer = given }).reason
        end
        assert.equal("allow", reason("198.51.100.7"))
        assert.equal("no_allow_identity", reason("203.0.113.7"))
    end)

    it("call it once for the same identity", function()
        local calls = 0
        local estate = opened()
        local original = estate.apis.lambda.authorizer
        estate.apis.lambda.authorizer = function(request)
            calls = calls + 1
            return original(request)
        end
        for _, token in ipairs({ "Allow", "Allow", "Deny", "Allow" }) do
            decide({ api = "lambda", path = "/dev/x", headers = { ["x-token"] = token } }, estate)
        end
        assert.equal(2, calls)
    end)

    it("take an answer that the request brings", function()
        local given = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*",'
            .. '"Resource":"*"}]}'
        assert.equal("explicit_deny", decide({ api = "lambda", path = "/dev/x",
                                               authorizer = given }).reason)
        assert.equal("allow", decide({ api = "cognito", path = "/dev/x", token = "valid" }).reason)
        local decision = decide({ api = "cognito", path = "/dev/x", token = "invalid" })
        assert.same({ "authentication", 401 }, { decision.reason, decision.status })
    end)
end)


describe("condition keys", function()
    local PACK = 'return { kind = "keys", name = "acme", api = 1, %s '
        .. 'check = function() return true end, keys = { %s } }'

    it("come from the packs, unless the request brings them", function()
        local estate = opened('rules "acme.lua"', { ["acme.lua"] = PACK:format("",
            '["acme:Ring"] = function(context) return context.http.headers["x-ring"] '
            .. 'and "inner" or nil end') })
        local request = { api = "keyed", path = "/dev/x" }
        assert.is_false(decide(request, estate).allowed)
        request.headers = { ["X-Ring"] = "1" }
        assert.is_true(decide(request, estate).allowed)
        request.context = { ["ACME:RING"] = "outer" }
        assert.is_false(decide(request, estate).allowed)
    end)

    it("deny when their provider fails, and say which", function()
        for _, body in ipairs({ 'return nil, "no database"', 'error("no database")',
                                "return function() end" }) do
            local estate = opened('rules "acme.lua"', { ["acme.lua"] = PACK:format("",
                '["acme:Ring"] = function() ' .. body .. " end") })
            refused("the key `acme:ring` of the keys pack `acme` failed",
                    { api = "keyed", path = "/dev/x" }, 500, estate)
        end
    end)

    it("are asked for a gate, since not every gate has every key", function()
        local files = { ["keyed.json"] = policy(when("StringEquals", "aws:ResourceAccount",
                                                     "111122223333")),
                        ["endpoint.json"] = policy(when("StringEquals", "aws:ResourceAccount",
                                                        "111122223333")) }
        local request = { api = "keyed", path = "/dev/x" }
        assert.equal("no_allow_resource", decide(request, opened("", files)).reason)
        files["vpce.json"] = FILES["open.json"]
        local estate = opened('endpoint "vpce-e" { service = "execute-api", vpc = "vpc-1", '
            .. 'policy = "endpoint.json" }', files)
        assert.is_true(decide({ api = "private", path = "/dev/x", vpce = "vpce-e" },
                              estate).allowed)
    end)

    local LAZY = PACK:format("lazy = true,", [[
        ["acme:Ring"] = function(context)
            return context.http.headers["x-ring"] and context.http.headers["x-ring"][1] end,
        ["acme:Slow"] = function(context)
            if context.http.headers["x-ring"] and context.http.headers["x-ring"][1] == "inner" then
                error("nobody needs it")
            elseif context.http.headers["x-fail"] then return nil, "too slow" end
            return "yes" end]])

    it("of lazy packs are looked up only when the decision depends on them", function()
        local estate = opened('rules "acme.lua"', { ["acme.lua"] = LAZY })
        local function ask(headers)
            return decide({ api = "keyed", path = "/dev/x", headers = headers }, estate)
        end
        assert.is_true(ask({ ["x-ring"] = "inner" }).allowed)
        local decision = ask({})
        assert.is_true(decision.allowed)
        assert.equal("string", type(tostring(decision:explain())))
        refused("too slow", { api = "keyed", path = "/dev/x", headers = { ["x-fail"] = "1" } }, 500,
                estate)
    end)
end)


describe("a call to another service", function()
    it("is decided by the flow of that service", function()
        local estate = opened('principal "bob" { arn = "arn:aws:iam::111122223333:user/bob", '
            .. 'policies = "s3.json" }')
        local request = { action = "s3:GetObject", resource = "arn:aws:s3:::b/x",
                          principal = "bob", vpce = "vpce-s3" }
        local decision = decide(request, estate)
        assert.is_true(decision.allowed, decision:summary())
        request.action = "S3:getobject"
        assert.is_true(decide(request, estate).allowed)
        request.action = "s3:PutObject"
        assert.equal("no_allow_endpoint", decide(request, estate).reason)
        request.vpce = nil
        assert.is_true(decide(request, estate).allowed)
        request.resourceAccount = "444455556666"
        assert.equal("no_allow_resource", decide(request, estate).reason)
        request.action, request.resource = "sqs:SendMessage", "arn:aws:sqs:eu-central-1:1:q"
        assert.is_false(decide(request, estate).allowed)
    end)

    it("goes through an endpoint of its service only", function()
        refused("the endpoint `vpce-s3` is one of the service `s3`, not of `dynamodb`",
                { action = "dynamodb:GetItem", resource = "arn:aws:dynamodb:eu-central-1:1:table/t",
                  vpce = "vpce-s3" }, 403)
        refused("`resource` is missing", { action = "s3:GetObject" })
    end)
end)


describe("a resource with a policy", function()
    local function speaks(effect, principal, more)
        return ('{"Effect":"%s","Principal":%s,"Action":"*","Resource":"*"%s}')
            :format(effect, principal, more or "")
    end

    local EVERYBODY, MINE = '"*"', '{"AWS":"111122223333"}'
    local WORDS = [[
        principal "bob" { arn = "arn:aws:iam::111122223333:user/bob", policies = "any.json" }
        principal "guest" { arn = "arn:aws:iam::444455556666:user/guest", policies = "any.json" }
        principal "idle" { arn = "arn:aws:iam::111122223333:user/idle" }
        endpoint "vpce-ddb" { service = "dynamodb", type = "Gateway", vpc = "vpc-1" }
        resource "%s" { policy = "resource.json"%s }
    ]]

    -- Decides with one resource policy; `more` are further members of the resource.
    local function ask(arn, statements, request, more)
        local any = policy('{"Effect":"Allow","Action":"*","Resource":"*"}')
        request.resource = request.resource or arn
        return decide(request, opened(WORDS:format(arn, more or ""), {
            ["resource.json"] = policy(unpack(statements)),
            ["any.json"] = any, ["none.json"] = any, -- the latter is the SCP of the guest's account
        }))
    end

    local BUCKET = "arn:aws:s3:::reports"

    it("lets callers of its account in by either side", function()
        local function reason(principal, statements)
            return ask(BUCKET, statements, { action = "s3:GetObject", principal = principal,
                                             resource = BUCKET .. "/2026/a" }).reason
        end
        assert.equal("allow", reason("bob", { speaks("Allow", MINE) }))
        assert.equal("allow", reason("idle", { speaks("Allow", EVERYBODY) }))
        assert.equal("no_allow_identity", reason("idle", { speaks("Allow", MINE) }))
    end)

    it("lets callers of other accounts in by both sides", function()
        local function reason(principal, named)
            return ask(BUCKET, { speaks("Allow", ('{"AWS":"%s"}'):format(named)) },
                       { action = "s3:GetObject", principal = principal,
                         resource = BUCKET .. "/2026/a" }).reason
        end
        assert.equal("allow", reason("guest", "444455556666"))
        assert.equal("no_allow_resource", reason("guest", "111122223333"))
        assert.equal("no_allow_identity", reason("arn:aws:iam::444455556666:user/other",
                                                 "444455556666"))
    end)

    it("lets anonymous callers into a public bucket, not into a table", function()
        local decision = ask(BUCKET, { speaks("Allow", EVERYBODY) },
                             { action = "s3:GetObject", resource = BUCKET .. "/a" })
        assert.same({ true, "resource" }, { decision.allowed, decision.deciding.policy_type })
        assert.equal("no_allow_resource", ask(BUCKET, { speaks("Allow", MINE) },
            { action = "s3:GetObject", resource = BUCKET .. "/a" }).reason)
        assert.equal("authentication", ask("arn:aws:dynamodb:eu-central-1:111122223333:table/pets",
            { speaks("Allow", EVERYBODY) }, { action = "dynamodb:GetItem" }).reason)
    end)

    it("denies past what identity policies allow", function()
        local decision = ask(BUCKET, { speaks("Deny", EVERYBODY) },
                             { action = "s3:GetObject", principal = "bob",
                               resource = BUCKET .. "/a" })
        assert.same({ "explicit_deny", "resource", "resource.json" }, {
            decision.reason, decision.deciding.policy_type, decision.deciding.file })
        assert.equal("explicit_deny", ask(BUCKET, { speaks("Deny", EVERYBODY) }, {
            action = "s3:ListBucket", principal = "arn:aws:iam::111122223333:root" }).reason)
        -- No other bucket, however its name begins.
        assert.is_true(ask(BUCKET, { speaks("Deny", EVERYBODY) }, { action = "s3:GetObject",
            principal = "bob", resource = BUCKET .. "2/a" }).allowed)
    end)

    it("is reached through a gateway endpoint only if both policies let it", function()
        local function reason(request, ...)
            request.principal, request.vpce = "bob", request.vpce or "vpce-s3"
            return ask(BUCKET, { ... }, request).reason
        end
        local object = BUCKET .. "/a"
        local through = ',"Condition":{"StringNotEquals":{"aws:SourceVpce":"%s"}}'
        local gated = speaks("Deny", EVERYBODY, through:format("vpce-s3"))
        assert.equal("allow", reason({ action = "s3:GetObject", resource = object }, gated))
        assert.equal("no_allow_endpoint",
                     reason({ action = "s3:PutObject", resource = object }, gated))
        assert.equal("explicit_deny", reason({ action = "s3:GetObject", resource = object },
            speaks("Deny", EVERYBODY, through:format("vpce-9"))))
        -- The keys that only the resource policy mentions are asked for, too.
        local decision = ask(BUCKET, { gated }, { action = "s3:GetObject", principal = "bob",
                                                  resource = object })
        assert.equal("explicit_deny", decision.reason)
    end)

    it("is found as the container of what is asked for", function()
        local tab = "arn:aws:dynamodb:eu-central-1:111122223333:table/pets"
        local function reason(resource)
            return ask(tab, { speaks("Deny", EVERYBODY) }, { action = "dynamodb:Query",
                principal = "bob", vpce = "vpce-ddb", resource = resource }).reason
        end
        assert.equal("explicit_deny", reason(tab))
        assert.equal("explicit_deny", reason(tab .. "/index/by-name"))
        assert.equal("allow", reason(tab .. "/stream/2026-01-01T00:00:00.000"))
        assert.equal("allow", reason(tab .. "2"))
    end)

    it("may be a queue, a key or a role of another service", function()
        local queue = "arn:aws:sqs:eu-central-1:111122223333:jobs"
        local rule = speaks("Allow", '{"Service":"events.amazonaws.com"}')
        assert.equal("allow", ask(queue, { rule }, { action = "sqs:SendMessage",
                                                     principal = "events" }).reason)
        assert.equal("no_allow_resource", ask(queue, { rule }, { action = "sqs:SendMessage",
            principal = "sns.amazonaws.com" }).reason)
        local key = "arn:aws:kms:eu-central-1:111122223333:key/1234"
        assert.equal("allow", ask(key, { speaks("Allow", MINE) },
                                  { action = "kms:Decrypt", principal = "bob" }).reason)
        assert.equal("no_allow_resource", ask(key, { speaks("Allow", MINE) },
            { action = "kms:Decrypt", principal = "bob", resource = key .. "5" }).reason)
        local role = "arn:aws:iam::111122223333:role/x/Reader"
        local trust = '{"Effect":"Allow","Principal":{"AWS":"444455556666"},'
            .. '"Action":"sts:AssumeRole"}'
        assert.equal("allow", ask(role, { trust }, { action = "sts:AssumeRole",
                                                     principal = "guest" }).reason)
        assert.equal("no_allow_resource", ask(role, { trust }, { action = "sts:AssumeRole",
                                                                 principal = "bob" }).reason)
    end)

    it("has one owner, whom a request cannot change", function()
        local function of(account, more)
            return ask(BUCKET, { speaks("Allow", '{"AWS":"444455556666"}') }, {
                action = "s3:GetObject", principal = "bob", resource = BUCKET .. "/a",
                resourceAccount = account }, more)
        end
        assert.is_true(of("111122223333").allowed)
        assert.equal("no_allow_resource", of("444455556666", ', account = "444455556666"').reason)
        assert.equal("no_allow_resource", of(nil, ', account = "444455556666"').reason)
        local decision = of("444455556666")
        assert.same({ "error", 400 }, { decision.reason, decision.status })
        assert.equal("`resourceAccount` is `444455556666`, the owner of `arn:aws:s3:::reports` is "
            .. "`111122223333`", decision.error)
    end)

    it("is one of several whose flows are kept apart", function()
        local words = WORDS:format(BUCKET, "")
            .. 'resource "arn:aws:s3:::open" { policy = "open-bucket.json" }'
        local estate = opened(words, {
            ["resource.json"] = policy(speaks("Deny", EVERYBODY)),
            ["open-bucket.json"] = policy(speaks("Allow", EVERYBODY)),
            ["any.json"] = policy('{"Effect":"Allow","Action":"s3:*","Resource":"*"}'),
        })
        local expected = { ["reports"] = "explicit_deny", ["open"] = "allow",
                           ["other"] = "no_allow_identity" }
        for _ = 1, 3 do
            for bucket, reason in pairs(expected) do
                for _, action in ipairs({ "s3:GetObject", "S3:PutObject" }) do
                    assert.equal(reason, decide({ action = action, principal = "idle",
                        resource = "arn:aws:s3:::" .. bucket .. "/x" }, estate).reason)
                end
            end
        end
    end)
end)


describe("the network", function()
    local function reached(vpce, ip, more)
        local request = { api = "private", path = "/dev/x", vpce = vpce, client_ip = ip }
        for name, value in pairs(more or {}) do
            request[name] = value
        end
        local decision = decide(request)
        return decision.reachability, decision.unreachable
    end

    it("tells whether the call could have been made", function()
        assert.equal("reachable", (reached("vpce-1", "10.1.0.4")))
        local reason, sentence = reached("vpce-1", "10.0.1.9")
        assert.equal("endpoint_ingress", reason)
        assert.matches("^would time out, not 403: ", sentence)
        assert.equal("no_route", (reached("vpce-1", "10.2.0.4")))
        assert.equal("no_route", (reached("vpce-1", "10.1.0.4", { client = { vpc = "vpc-9" } })))
    end)

    it("is silent where it does not know", function()
        assert.is_nil((reached("vpce-2", "10.0.1.9")))
        assert.is_nil((reached("vpce-1", nil)))
        assert.is_nil((reached(nil, "10.0.1.9")))
    end)

    it("knows the subnet's way to a gateway endpoint", function()
        local request = { action = "s3:GetObject", resource = "arn:aws:s3:::b/x",
                          vpce = "vpce-s3", client_ip = "10.0.1.9" }
        assert.equal("reachable", decide(request).reachability)
        request.client_ip = "10.0.2.9"
        assert.equal("route", decide(request).reachability)
    end)

    it("knows the own routes of the subnet's route table", function()
        local request = { action = "s3:GetObject", resource = "arn:aws:s3:::b/x",
                          vpce = "vpce-s3", client_ip = "10.0.1.9" }
        -- The service's addresses are 198.51.100.0/24.
        for _, row in ipairs({
            { '{ destination = "10.0.0.0/16", target = "local" }', "reachable" },
            { '{ destination = "0.0.0.0/0", target = "nat-1" }', "reachable" },
            { '{ destination = "198.51.100.0/23" }', "reachable" },    -- less specific
            { '{ destination = "198.51.100.0/24" }', "route" },        -- identical
            { '{ destination = "198.51.100.7/32" }', "route" },        -- more specific
            { '{ destination = "pl-s3", target = "eni-1" }', "route" },
            { '{ destination = "10.0.0.0/16" }, { destination = "198.51.100.0/25" }', "route" },
            { "", "reachable" },
        }) do
            local estate = opened(('route_table "rtb-1" { vpc = "vpc-1", routes = { %s } }')
                :format(row[1]))
            assert.equal(row[2], decide(request, estate).reachability, row[1])
        end
    end)
end)


describe("headers and query that are functions", function()
    local AGENT = { ["agent.json"] = policy(when("StringEquals", "aws:UserAgent", "curl")) }
    local WORDS = [[
        api "agent" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
                      policy = "agent.json" }]]

    -- What is decided, and how often the function was called.
    local function asked(estate, answer, err, members)
        local count = 0
        local request = { api = "agent", path = "/dev/x", headers = function()
            count = count + 1
            return answer, err
        end }
        for name, value in pairs(members or {}) do
            request[name] = value
        end
        local decision = estate:authorize(request)
        return decision, count
    end

    it("are called once when a key wants them, and seen in any letter case", function()
        local decision, count = asked(opened(WORDS, AGENT), { ["User-Agent"] = "curl",
                                                              X = { "y" } })
        assert.is_true(decision.allowed)
        assert.equal(1, count)
        decision = asked(opened(WORDS, AGENT), { ["User-Agent"] = "wget" })
        assert.equal("no_allow_resource", decision.reason)
    end)

    it("are not called when nobody does", function()
        local estate = opened(WORDS, AGENT)
        for _ = 1, 3 do
            local decision, count = asked(estate, nil, "never", { api = "open" })
            assert.is_true(decision.allowed)
            assert.equal(0, count)
        end
        local _, count = asked(estate, nil, "never", { api = "nope" })
        assert.equal(0, count)
        _, count = asked(estate, nil, "never", {
            api = "private", vpce = "vpce-1", client_ip = "10.0.1.9" })
        assert.equal(0, count)
    end)

    it("refuse the call when they fail, are too many, or are no table", function()
        local many = {}
        for i = 1, 101 do
            many["x" .. i] = "y"
        end
        local estate = opened(WORDS, AGENT)
        for _, row in ipairs({
            { nil, "the buffer is gone", 500, "`headers`: the buffer is gone" },
            { many, nil, 400, "more than 100 headers" },
            { "text", nil, 500, "`headers`: the function answers a string: give a table" },
            { { A = "1", a = "2" }, nil, 400, "twice in different letter case" },
        }) do
            local decision, count = asked(estate, row[1], row[2])
            assert.equal("error", decision.reason)
            assert.equal(row[3], decision.status)
            assert.matches(row[4], decision.error, 1, true)
            assert.equal(1, count)
        end
        local decision = estate:authorize({ api = "agent", path = "/dev/x",
                                            headers = function() error("boom", 0) end })
        assert.equal("`headers`: boom", decision.error)
    end)

    it("say whether the client is at fault, and nothing else by that", function()
        local estate = opened(WORDS, AGENT)
        for given, wanted in pairs({ [400] = 400, [200] = 500, [403] = 500, ["400"] = 500 }) do
            local decision = estate:authorize({ api = "agent", path = "/dev/x",
                headers = function() return nil, "two hosts", given end })
            assert.equal("error", decision.reason)
            assert.equal(wanted, decision.status)
            assert.equal("`headers`: two hosts", decision.error)
        end
    end)

    it("refuse the call though a pack caught it", function()
        -- Audience and anonymous: the header pack would go on without the header.
        local key = 'return { kind = "keys", name = "acme", api = 1, '
            .. 'check = function() return true end, keys = { ["acme:Odd"] = function(context) '
            .. 'local http = context.http return http.headers.x and http.headers.x[1] end } }'
        local estate = opened('rules "key.lua" {} api "odd" { endpoint_type = "REGIONAL", '
            .. 'authorization = "NONE", stages = "dev", policy = "odd.json" }', {
            ["key.lua"] = key, ["odd.json"] = policy(when("StringEquals", "acme:Odd", "1"),
                                                     when("StringEquals", "aws:Referer", "1")) })
        local decision, count = asked(estate, nil, "gone", { api = "odd" })
        assert.equal("`headers`: gone", decision.error)
        assert.equal(1, count)
        decision, count = asked(estate, { X = "1" }, nil, { api = "odd" })
        assert.is_true(decision.allowed)
        assert.equal(1, count)
    end)

    it("are what hooks and identity packs see", function()
        local hook = 'return { kind = "hooks", name = "no", api = 1, '
            .. 'check = function() return true end, before = function(context) '
            .. 'if context.http.headers["x-no"] then return { deny = "no" } end end }'
        local estate = opened('rules "hook.lua" {}', { ["hook.lua"] = hook })
        assert.equal("hook", asked(estate, { ["X-No"] = "1" }, nil, { api = "open" }).reason)
        assert.is_true(asked(estate, {}, nil, { api = "open" }).allowed)
        local decision, count = asked(estate, nil, "gone", { api = "open" })
        assert.equal("`headers`: gone", decision.error)
        assert.equal(1, count)

        estate = opened('identity "header" { header = "x-caller" }')
        local caller = "arn:aws:iam::111122223333:user/team/alice"
        decision, count = asked(estate, { ["X-Caller"] = caller }, nil,
                                { api = "iam", peer = "192.0.2.1" })
        assert.is_true(decision.allowed)
        assert.equal(caller, decision.trace.request.principal)
        assert.equal(1, count)
    end)

    it("serve signatures, the query too", function()
        local called = 0
        local estate = opened()
        estate.identify = { identify = function(_, context)
            assert.same({ a = "b" }, context.http.query)
            assert.same({ a = "b" }, context.http.query)
            return { kind = "anonymous" }
        end }
        local decision = estate:authorize({ api = "open", path = "/dev/x", query = function()
            called = called + 1
            return { a = "b" }
        end })
        assert.is_true(decision.allowed)
        assert.equal(1, called)
    end)

    it("are a call's of another service as well", function()
        local estate = opened()
        estate.hooks = nil
        local called = 0
        local decision = estate:authorize({ action = "s3:GetObject", resource = "arn:aws:s3:::b/k",
            headers = function() called = called + 1 return {} end })
        assert.is_false(decision.allowed)
        assert.not_equal("error", decision.reason)
        assert.equal(0, called)
    end)
end)


describe("an engine", function()
    it("answers with a decision whatever a member holds", function()
        local base = { api = "private", stage = "dev", method = "GET", path = "/x",
                       vpce = "vpce-1", client_ip = "10.0.1.9" }
        local odd = { false, true, 0, -1, 0 / 0, math.huge, "", " ", "\0", "\255", "*", "arn:", "%",
                      ("a"):rep(100000), {}, { {} }, { "" }, { [false] = 1 }, { [1] = 0 / 0 },
                      setmetatable({}, { __index = error }), function() end,
                      coroutine.create(print), io.stdout }
        for name in pairs(engine.MEMBERS) do
            for _, value in ipairs(odd) do
                local request = { [name] = value }
                for _, start in ipairs({ base, {} }) do
                    for other, usual in pairs(start) do
                        request[other] = request[other] == nil and usual or request[other]
                    end
                    local decision = decide(request)
                    assert.equal("boolean", type(decision.allowed))
                    assert.equal("string", type(decision:summary()))
                    -- Nothing but the base request, its harmless variations, and what somebody may
                    -- say of the caller's address or time, is let in.
                    if decision.reason == "error" then
                        assert.is_false(decision.allowed)
                        assert.equal("string", type(decision.error), name)
                    end
                end
            end
        end
    end)

    it("does not ask an object that was raised what it is", function()
        local hostile = setmetatable({ allowed = true }, { __tostring = error, __index = error })
        local estate = opened()
        estate.service = { resolve = function() error(hostile, 0) end }
        assert.same("an error that is an object", decide({ api = "open", path = "/dev/x" },
                                                         estate).error)
    end)

    it("does not carry anything from one request to the next", function()
        local requests = {
            { api = "private", path = "/dev/x", vpce = "vpce-1" },
            { api = "private", path = "/dev/x", vpce = "vpce-2" },
            { api = "iam", path = "/dev/x", principal = "alice" },
            { api = "iam", path = "/dev/x", principal = "arn:aws:iam::111122223333:user/x" },
            { api = "nope" },
        }
        local alone = {}
        for i, request in ipairs(requests) do
            alone[i] = decide(request, opened()):summary()
        end
        for round = 1, 60 do
            local i = (round * 7) % #requests + 1
            assert.equal(alone[i], decide(requests[i]):summary())
        end
    end)

    it("starts its store of flows anew when it is full", function()
        local estate = opened()
        estate.flow_count = 1e9
        assert.is_true(decide({ api = "open", path = "/dev/x" }, estate).allowed)
        assert.equal(1, estate.flow_count)
    end)
end)


describe("hooks", function()
    local function hook(name, members)
        return ([[return { kind = "hooks", name = "%s", api = 1,
            check = function() return true end, %s }]]):format(name, members)
    end

    -- An estate with private hooks, by name, in the order in which they are written down.
    local function with(list)
        local lines, words, files = {}, {}, {}
        for _, row in ipairs(list) do
            words[#words + 1] = ('rules "%s.lua" { word = "%s" }'):format(row[1], row[1])
            files[row[1] .. ".lua"] = hook(row[1], row[2])
        end
        local estate, err = estates.open("estate.lua", {
            now = function() return NOW end, log = function(line) lines[#lines + 1] = line end,
            read = function(path)
                if path == "estate.lua" then
                    return ESTATE .. table.concat(words, "\n")
                end
                return files[path] or FILES[path] or plain.read(path)
            end,
        })
        assert.equal("", tostring(err or ""))
        return estate, lines
    end

    local OPEN = { api = "open", path = "/dev/x" }
    local CLOSED = { api = "private", stage = "dev", path = "/x" }
    local NOTE = "function(_, ...) local config, tools = select(select('#', ...) - 1, ...) "
        .. "tools.log(config.word .. ' %s') end"

    it("are asked before, after and at the end, each in order", function()
        local all = ("before = %s, after = %s, log = %s"):format(NOTE:format("before"),
            NOTE:format("after"), NOTE:format("log"))
        local estate, lines = with({ { "b", all }, { "c", "priority = 1, " .. all }, { "a", all } })
        assert.is_true(decide(OPEN, estate).allowed)
        local EXPECTED = { "c before", "a before", "b before", "c after", "a after", "b after",
                           "c log", "a log", "b log" }
        assert.same(EXPECTED, lines)
    end)

    it("deny before any policy is asked", function()
        local estate, lines = with({ { "limit", [[before = function(context)
            if context.http.method == "PUT" then
                return { deny = "too many", status = 429, headers = { ["Retry-After"] = "7" } }
            end
        end, log = function(_, decision, _, tools)
            tools.log(decision.reason .. " " .. tostring(decision.allowed))
        end]] } })
        local decision = decide({ api = "open", path = "/dev/x", method = "PUT" }, estate)
        assert.same({ false, "ImplicitlyDenied", "hook", 429, "hooks/limit", "7" },
                    { decision.allowed, decision.decision, decision.reason, decision.status,
                      decision.hook, decision.headers["Retry-After"] })
        assert.equal("ImplicitlyDenied: too many (hook)", decision:summary())
        assert.equal(estate.revision, decision.revision)
        assert.is_true(decide(OPEN, estate).allowed)
        assert.same({ "hook false", "true" }, { lines[1], lines[2]:match("true$") })
    end)

    it("deny after what the policies allowed, and add to what stays", function()
        local estate = with({
            { "add", [[after = function(_, decision)
                return { obligations = { mask = decision.decision },
                         headers = { ["X-Reason"] = decision.reason } }
            end]] },
            { "late", [[priority = 200, after = function(context, decision)
                if context.http.path == "/late" and decision.obligations.mask then
                    return { deny = "closed" }
                end
            end]] },
        })
        local decision = decide(OPEN, estate)
        assert.is_true(decision.allowed)
        assert.same({ mask = "Allowed" }, decision.obligations)
        assert.equal(decision.reason, decision.headers["X-Reason"])
        -- Nothing of it is kept for the next request.
        local before = decide(OPEN).headers
        assert.is_nil(before)
        decision = decide({ api = "open", stage = "dev", path = "/late" }, estate)
        assert.same({ false, "hook", 403, "hooks/late" },
                    { decision.allowed, decision.reason, decision.status, decision.hook })
        assert.same({ mask = "Allowed" }, decision.obligations)
        decision = decide(CLOSED, estate)
        assert.is_false(decision.allowed)
        assert.same({ mask = "ImplicitlyDenied" }, decision.obligations)
    end)

    it("that fail deny, or are told where it is too late", function()
        for phase, request in pairs({ before = OPEN, after = OPEN }) do
            local estate = with({ { "broken", phase .. " = function() error('boom') end" } })
            local decision = decide(request, estate)
            assert.same({ false, "error", 500, "hooks/broken" },
                        { decision.allowed, decision.reason, decision.status, decision.hook })
            assert.matches("the hook `hooks/broken` failed: broken.lua:2: boom", decision.error, 1,
                           true)
        end
        local estate, lines = with({ { "broken", "log = function() error('boom') end" } })
        assert.is_true(decide(OPEN, estate).allowed)
        assert.matches("the hook `hooks/broken` failed: broken.lua:2: boom", lines[1], 1, true)
    end)

    it("see requests that could not be decided, whatever they are", function()
        local estate, lines = with({
            { "see", [[after = function(context, decision, _, tools)
                tools.log(tostring(context.api and context.api.id) .. " " .. decision.reason)
            end]] },
            { "fails", [[priority = 1, after = function(context)
                if context.request == 5 then error("boom") end
            end]] },
        })
        for _, request in ipairs({ 5, "x", false, {}, { api = "nope" }, { api = 1 },
                                   { api = "open", path = "//x" } }) do
            local decision = decide(request, estate)
            assert.same({ false, "error" }, { decision.allowed, decision.reason })
            assert.is_string(decision:summary())
            assert.is_string(tostring(decision:explain()))
        end
        assert.same({ "nil error", "nil error", "nil error", "nil error", "nil error",
                      "open error" }, lines)
        assert.is_true(decide(OPEN, estate).allowed)
    end)

    it("are asked about calls to other services, too", function()
        local estate = with({ { "x", [[before = function(context)
            return context.request.action == "s3:GetObject" and { deny = "no" } or nil
        end]] } })
        local decision = decide({ action = "s3:GetObject", resource = "arn:aws:s3:::a/b",
                                  principal = "reader" }, estate)
        assert.equal("error", decision.reason) -- a role is no caller
        decision = decide({ action = "s3:GetObject", resource = "arn:aws:s3:::a/b",
                            principal = "alice" }, estate)
        assert.same({ "hook", "hooks/x" }, { decision.reason, decision.hook })
    end)
end)
