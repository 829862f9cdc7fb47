local testing = require("postern.testing")


local POLICY = [[{"Version":"2012-10-17","Statement":[
  {"Sid":"Office","Effect":"Allow","Principal":"*","Action":"execute-api:Invoke",
   "Resource":"execute-api:/dev/GET/*",
   "Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}},
  {"Sid":"Endpoint","Effect":"Allow","Principal":"*","Action":"execute-api:Invoke",
   "Resource":"execute-api:/dev/POST/orders",
   "Condition":{"StringEquals":{"aws:SourceVpce":"vpce-1","aws:SourceVpc":"vpc-1"}}},
  {"Sid":"Alice","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/alice"},
   "Action":"*","Resource":"*",
   "Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/alice"}}},
  {"Sid":"Root","Effect":"Allow","Principal":"*","Action":"execute-api:Invoke",
   "Resource":"execute-api:/dev/GET/"},
  {"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke",
   "Resource":"execute-api:/*/DELETE/*"}]}]]

local IDENTITY = '{"Version":"2012-10-17","Statement":{"Effect":"Allow",'
    .. '"Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:eu-west-1:*:abc/prod/*"}}'


-- A file that is gone when the spec has read it.
local function with_file(text, use)
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
    local ok, result = pcall(use, path)
    os.remove(path)
    assert(ok, result)
    return result
end

local function error_of(call)
    local ok, err = pcall(call)
    assert.is_false(ok)
    return tostring(type(err) == "table" and err.message or err)
end


describe("testing a policy", function()
    local policy

    setup(function()
        policy = with_file(POLICY, function(path)
            return testing.policy(path, { api = "abcdef123" })
        end)
    end)

    it("has words for allowed and denied", function()
        assert.allows(policy, { method = "GET", path = "/dev/pets", ip = "10.0.3.4" })
        assert.denies(policy, { method = "GET", path = "/dev/pets", ip = "8.8.8.8" })
        assert.denies_explicitly(policy, { method = "DELETE", path = "/dev/pets" })
        assert.denies(policy, { method = "DELETE", path = "/dev/pets" })
        assert.not_allows(policy, { method = "DELETE", path = "/dev/pets" })
        assert.not_denies_explicitly(policy, { path = "/dev/pets" })
    end)

    it("takes every shorthand", function()
        assert.allows(policy, { path = "/dev/pets", context = { ["aws:SourceIp"] = "10.0.3.4" } })
        assert.allows(policy, { method = "POST", path = "/dev/orders", vpce = "vpce-1",
                                vpc = "vpc-1" })
        assert.allows(policy, { method = "PUT", path = "/dev/x", user = "alice" })
        assert.denies(policy, { method = "PUT", path = "/dev/x", user = "bob" })
        assert.denies(policy, { method = "PUT", path = "/dev/x",
                                principal = "arn:aws:iam::123456789012:user/alice" })
        assert.denies(policy, { path = "/dev/pets", ip = "10.0.3.4",
                                action = "execute-api:InvalidateCache" })
        assert.denies(policy, { ip = "10.0.3.4", resource = "arn:aws:s3:::b" })
    end)

    it("splits the stage from the path", function()
        assert.allows(policy, { path = "/dev" })
        assert.allows(policy, { path = "/dev/" })
        assert.denies(policy, { path = "/prod/" })
        local staged = with_file(POLICY, function(path)
            return testing.policy(path, { api = "abcdef123", stage = "dev" })
        end)
        assert.allows(staged, { path = "/pets", ip = "10.0.3.4" })
        assert.allows(staged, { path = "/" })
    end)

    it("serves identity policies too", function()
        local identity = with_file(IDENTITY, function(path)
            return testing.policy(path, { api = "abc", region = "eu-west-1",
                                          account = "210987654321" })
        end)
        assert.allows(identity, { path = "/prod/x", user = "bob" })
        assert.denies(identity, { path = "/dev/x", user = "bob" })
        assert.matches("say who asks", error_of(function()
            assert.allows(identity, { path = "/prod/x" })
        end), 1, true)
    end)

    it("shows the explanation when it fails", function()
        local message = error_of(function()
            assert.allows(policy, { path = "/dev/pets", ip = "8.8.8.8" })
        end)
        assert.matches("expected Allowed\nImplicitlyDenied: no statement", message, 1, true)
        assert.matches("nearest miss\n.*`Office`", message)
        message = error_of(function()
            assert.denies(policy, { path = "/dev/pets", ip = "10.0.0.1" })
        end)
        assert.matches("expected a deny\nAllowed: the resource policy allows it", message, 1, true)
        message = error_of(function()
            assert.not_allows(policy, { path = "/dev/pets", ip = "10.0.0.1" })
        end)
        assert.matches("expected not Allowed", message, 1, true)
    end)

    it("does not take a mistake in the test for a deny", function()
        for message, call in pairs({
            ["unknown member of a request `pth`"] = function()
                assert.denies(policy, { pth = "/dev/pets" })
            end,
            ["say `resource`, or `path`"] = function() assert.denies(policy, {}) end,
            ["`/` has no stage"] = function() assert.denies(policy, { path = "/" }) end,
            ["the first argument is what testing.policy or testing.estate returned"] = function()
                assert.denies({}, { path = "/dev/" })
            end,
            ["context `aws:sourceip`: "] = function()
                assert.denies(policy, { path = "/dev/", ip = {{}} })
            end,
        }) do
            assert.matches(message, error_of(call), 1, true)
        end
    end)

    it("says which statement decided", function()
        local request = { method = "GET", path = "/dev/pets", ip = "10.0.3.4" }
        assert.decided_by(policy, request, "Office")
        assert.not_decided_by(policy, request, "Alice")
        assert.not_decided_by(policy, { path = "/x/y" }, "Office")
        assert.matches("expected a decision by `Alice`\nAllowed: the resource", error_of(function()
            assert.decided_by(policy, request, "Alice")
        end), 1, true)
        assert.matches("the third argument is the Sid", error_of(function()
            assert.decided_by(policy, request)
        end), 1, true)
    end)

    it("refuses files and options that are wrong", function()
        assert.matches("/no/such.json: no such file", error_of(function()
            testing.policy("/no/such.json")
        end), 1, true)
        assert.matches("unknown option `stge`", error_of(function()
            testing.policy("x", { stge = "dev" })
        end), 1, true)
        assert.matches(":1:2: ", error_of(function()
            with_file("{", testing.policy)
        end), 1, true)
    end)
end)


describe("a table of cases", function()
    local policy = with_file(POLICY, function(path)
        return testing.policy(path, { api = "abcdef123" })
    end)

    testing.cases(policy, {
        { "the office reads", { path = "/dev/pets", ip = "10.0.3.4" }, "allow", "Office" },
        { "nobody deletes", { method = "DELETE", path = "/dev/pets" }, "explicit deny" },
        { "others do nothing", { path = "/dev/pets" }, "deny" },
    })
    testing.cases(function() return policy end, {
        { "a subject may come later", { path = "/dev/" }, "allow", "Root" },
    })

    it("is checked before a test is made of it", function()
        for message, row in pairs({
            ['case 1: write {"why", request, outcome, sid}'] = { "why" },
            ["case 1: the outcome is `yes`: give `allow`, `deny` or"] = { "why", {}, "yes" },
            ["case 1: the Sid is a number: give a string"] = { "why", {}, "deny", 3 },
        }) do
            assert.matches(message, error_of(function()
                testing.cases(policy, { row })
            end), 1, true)
        end
    end)
end)


describe("testing an estate", function()
    local ESTATE = 'account "123456789012" region "us-east-1"\n'
        .. 'api "abc" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },\n'
        .. '    policy = "api.json" }\n'
    local TIMED = [[{"Version":"2012-10-17","Statement":{"Sid":"Day","Effect":"Allow",
        "Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/dev/GET/*",
        "Condition":{"DateLessThan":{"aws:CurrentTime":"2024-01-02T00:00:00Z"}}}}]]

    local function open(options, files)
        files = files or {}
        options = options or {}
        options.read = function(path)
            local text = files[path] or ({ ["estate.lua"] = ESTATE, ["api.json"] = TIMED })[path]
            if text then
                return text
            end
            return require("postern.host.plain").read(path)
        end
        return testing.estate("estate.lua", options)
    end

    local GET = { api = "abc", stage = "dev", method = "GET", path = "/pets" }

    it("has a clock that stands still until it is moved", function()
        local estate = open()
        assert.allows(estate, GET)
        assert.decided_by(estate, GET, "Day")
        estate:advance(24 * 3600 + 1)
        assert.denies(estate, GET)
        estate:set_time(0)
        assert.allows(estate, GET)
        assert.allows(open({ now = 5 }), GET)
        assert.denies(open({ now = function() return 2e9 end }), GET)
        assert.has_error(function() estate:set_time("noon") end)
    end)

    it("takes what the gateway refuses for a deny, and a mistake in the test for one", function()
        local estate = open()
        assert.denies(estate, { api = "abc", stage = "dev", method = "GET", path = "//pets" })
        assert.equal("ImplicitlyDenied", estate:authorize({ api = "none" }).decision)
        for message, request in pairs({
            ["unknown member of a request `pth`"] = { api = "abc", pth = "/" },
            ["`path` is a number: give a string"] = { api = "abc", path = 3 },
            ["the request is a string: give a table"] = "GET /",
        }) do
            assert.matches(message, error_of(function()
                assert.denies(estate, request)
            end), 1, true)
        end
    end)

    it("fails a test whose rule packs call what it did not foresee", function()
        local estate = open()
        estate.estate = { authorize = function()
            local ok = pcall(estate.fakes.host.http, estate.fakes.host, { url = "http://a.test/" })
            assert(not ok)
            return open():decide({ api = "none" })
        end }
        assert.matches("unexpected HTTP call `GET http://a.test/`", error_of(function()
            assert.denies(estate, GET)
        end), 1, true)
    end)

    it("hands the made-up host to the estate", function()
        local estates = require("postern.estate")
        local given, real = nil, estates.open
        estates.open = function(path, options)
            given = options
            return real(path, options)
        end
        local ok, err = pcall(open, { dns = { ["a.test"] = { "192.0.2.1" } }, now = 7 })
        estates.open = real
        assert(ok, err)
        assert.same({ "192.0.2.1" }, given.host:resolve("a.test"))
        assert.equal(7, given.now())
    end)

    it("keeps what packs tell the operator", function()
        local estate = open(nil, { ["estate.lua"] = ESTATE .. 'rules "hook.lua"',
            ["hook.lua"] = [[return { kind = "hooks", name = "h", api = 1,
                check = function() return true end,
                log = function(_, decision, _, tools) tools.log("it is " .. decision.decision) end,
            }]] })
        assert.allows(estate, GET)
        assert.same({ "it is Allowed" }, estate:logged())
    end)

    it("tells every problem of an estate", function()
        assert.matches("`policy`: policy `none.json`", error_of(function()
            open(nil, { ["estate.lua"] = ESTATE:gsub("api.json", "none.json") })
        end), 1, true)
        assert.matches("unknown option `time`", error_of(function()
            open({ time = 1 })
        end), 1, true)
    end)

    it("knows every policy that is attached anywhere, and opens again with others", function()
        local estate = open()
        local found = {}
        for i, set in ipairs(estate:sets()) do
            found[i] = set.origins[1].name
        end
        assert.same({ "api.json" }, found)
        local again = assert(estate:again(function(policy)
            return policy.name == "api.json" and TIMED:gsub("Allow", "Deny") or nil
        end))
        assert.denies_explicitly(again, GET)
        assert.allows(estate, GET)
        local none, err = estate:again(function(policy)
            return policy.name == "api.json" and "{" or nil
        end)
        assert.is_nil(none)
        assert.matches("api.json:1:2: ", err, 1, true)
    end)
end)


describe("an observer", function()
    it("is told of subjects and assertions, and how to judge another decision", function()
        local told = {}
        testing.observe({
            subject = function(_, subject) told.subject = subject end,
            decided = function(_, decision) told.last = decision end,
            checked = function(_, subject, request, decision, passes)
                table.insert(told, { subject, request, decision.decision, passes(decision),
                                     passes({ allowed = not decision.allowed }) })
            end,
        })
        local ok, err = pcall(function()
            local policy = with_file(POLICY, function(path)
                return testing.policy(path, { api = "abcdef123" })
            end)
            assert.equal(policy, told.subject)
            local request = { path = "/dev/" }
            assert.allows(policy, request)
            assert.not_allows(policy, { path = "/prod/" })
            assert.same({ { policy, request, "Allowed", true, false },
                          { policy, { path = "/prod/" }, "ImplicitlyDenied", true, false } },
                        { told[1], told[2] })
            local decision = policy:decide({ path = "/dev/" })
            assert.equal(decision, told.last)
            assert.is_nil(told[3])
        end)
        testing.observe(nil)
        assert(ok, err)
    end)
end)
