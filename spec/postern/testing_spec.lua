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
        assert.explicitly_denies(policy, { method = "DELETE", path = "/dev/pets" })
        assert.denies(policy, { method = "DELETE", path = "/dev/pets" })
        assert.not_allows(policy, { method = "DELETE", path = "/dev/pets" })
        assert.not_explicitly_denies(policy, { path = "/dev/pets" })
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
            ["the first argument is what testing.policy returned"] = function()
                assert.denies({}, { path = "/dev/" })
            end,
            ["context `aws:sourceip`: "] = function()
                assert.denies(policy, { path = "/dev/", ip = {{}} })
            end,
        }) do
            assert.matches(message, error_of(call), 1, true)
        end
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
