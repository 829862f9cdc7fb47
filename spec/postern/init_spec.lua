local postern = require("postern")


local POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",'
    .. '"Action":"execute-api:Invoke","Resource":"execute-api:/*"}]}'
local METHOD = "arn:aws:execute-api:us-east-1:123456789012:abc123/dev/GET/pets"


describe("postern", function()
    it("takes a policy to a decision", function()
        local set = assert(postern.compile(POLICY))
        local flow = assert(postern.flow{ resource = set })
        assert.is_true(flow:decide{ action = "execute-api:Invoke", resource = METHOD }.allowed)
        assert.is_false(flow:decide{ action = "execute-api:Other", resource = METHOD }.allowed)
    end)

    it("hands an authorizer to the flow", function()
        local calls = 0
        local flow = assert(postern.flow({}, {
            flow = "api_gateway",
            authorizer = function()
                calls = calls + 1
                return '{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
            end,
            authorizer_key = function(request) return request.token end,
        }))
        for _ = 1, 2 do
            assert.is_true(flow:decide{
                action = "execute-api:Invoke", resource = METHOD, token = "t",
                gateway = { auth = "LAMBDA", endpoint_type = "REGIONAL" },
            }.allowed)
        end
        assert.equal(1, calls)
    end)

    it("opens an estate that decides", function()
        local estate = assert(postern.open("examples/private-api/estate.lua"))
        assert.is_false(estate:authorize{ api = "orders7a1b", path = "/live/orders" }.allowed)
        assert.is_true(estate:authorize{ api = "orders7a1b", path = "/live/orders",
            vpce = "vpce-0a11b22c33d44e55f", client_ip = "10.20.7.9" }.allowed)
        local none, problems = postern.open("nowhere.lua")
        assert.is_nil(none)
        assert.matches("^nowhere.lua: cannot be read: ", tostring(problems))
        none, problems = postern.open("e.lua", { read = function() return "apii 'x' {}" end })
        assert.is_nil(none)
        assert.matches("e.lua:1: unknown word `apii`: did you mean `api`?", tostring(problems), 1,
                       true)
    end)

    it("answers nil and an error for a bad policy or flow", function()
        local none, err = postern.compile("{")
        assert.is_nil(none)
        assert.matches("^policy:1:2: ", tostring(err))
        none, err = postern.flow({}, { flow = "none" })
        assert.is_nil(none)
        assert.matches("no flows pack `none`", err, 1, true)
        none, err = postern.flow({}, { config = { x = 1 } })
        assert.is_nil(none)
        assert.matches("unknown option `x`", err, 1, true)
    end)

    it("opens the matchers, the reader and requests", function()
        assert.equal(1, assert(postern.glob.new{ "a*" }):match("abc"))
        assert.equal(1, assert(postern.cidr.new{ "10.0.0.0/8" }):match("10.1.1.1"))
        assert.equal("array", assert(postern.document.new("[]")):kind(0))
        assert.truthy(postern.request.new(assert(postern.compile(POLICY))))
        assert.matches("^%d+%.%d+%.%d+$", postern.version)
    end)

    it("leaves no globals behind", function()
        local before = {}
        for name in pairs(_G) do
            before[name] = true
        end
        for name in pairs(package.loaded) do
            if name:find("^postern") then
                package.loaded[name] = nil
            end
        end
        require("postern.cli")
        for name in pairs(_G) do
            assert.is_true(before[name] or name == "_", "new global " .. tostring(name))
        end
    end)
end)
