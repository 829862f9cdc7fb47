local plain = require("postern.host.plain")
local rules = require("postern.rules")
local endpoint = require("postern.endpoint")


local EXECUTE = "com.amazonaws.us-east-1.execute-api"
local S3 = "com.amazonaws.us-east-1.s3"
local FOREIGN = "com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0"

local POLICY = '{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}'
local OTHER = '{"Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}'
local BAD = '{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'

local function table_pack(name)
    return assert(rules.load("tables", name, plain.read)).data
end


-- A collection with ids that count and a clock that stands still.
local function collection(options)
    local count = 0
    local endpoints = {
        services = table_pack("endpoint_services"),
        system_keys = table_pack("system_keys"),
        id = function(endpoint_type)
            count = count + 1
            return ("vpce-%s%d"):format(endpoint_type:sub(1, 1):lower(), count)
        end,
        now = function() return 1700000000 end,
        default_group = function(vpc) return vpc == "vpc-1" and "sg-default" or nil end,
    }
    for name, value in pairs(options or {}) do
        endpoints[name] = value
    end
    return endpoint.new(endpoints)
end


local function refused(code, result, err)
    assert.is_nil(result)
    assert.equal(code, err.code)
    assert.is_truthy(tostring(err):find(code .. ": ", 1, true))
end


describe("creating an endpoint", function()
    it("gives it the default policy and the default group", function()
        local endpoints = collection()
        local created, warnings = endpoints:create{ vpc = "vpc-1", service = EXECUTE }
        assert.same({
            id = "vpce-i1", vpc = "vpc-1", service = EXECUTE, type = "Interface",
            state = "pending", policy = endpoint.DEFAULT_POLICY, created = 1700000000,
            subnets = {}, security_groups = { "sg-default" },
        }, created)
        assert.same({}, warnings)
    end)

    it("gives it what was asked for", function()
        local endpoints = collection()
        local created, warnings = endpoints:create{
            id = "vpce-own", vpc = "vpc-2", service = EXECUTE, type = "Interface",
            policy = OTHER, subnets = { "subnet-1" }, security_groups = { "sg-1", "sg-2" },
        }
        assert.equal("vpce-own", created.id)
        assert.equal(OTHER, created.policy)
        assert.same({ "subnet-1" }, created.subnets)
        assert.same({ "sg-1", "sg-2" }, created.security_groups)
        assert.same({}, warnings)
    end)

    it("gives a gateway endpoint routes and no groups", function()
        local endpoints = collection()
        local created = endpoints:create{
            vpc = "vpc-1", service = S3, type = "Gateway", route_tables = { "rtb-1", "rtb-2" },
            policy = { POLICY },
        }
        assert.equal(POLICY, created.policy)
        assert.is_nil(created.security_groups)
        assert.is_nil(created.subnets)
        assert.same({ { endpoint = created.id, service = S3 } }, endpoints:routes("rtb-2"))
        assert.same({}, endpoints:routes("rtb-3"))
    end)

    it("hands on the warnings", function()
        local _, warnings = collection():create{
            vpc = "vpc-1", service = S3, type = "Gateway",
            policy = '{"Statement":{"Effect":"Allow","Principal":{"AWS":"123456789012"},'
                .. '"Action":"*","Resource":"*"}}',
        }
        assert.equal("ENDPOINT_GATEWAY_PRINCIPAL", warnings[1].code)
    end)

    it("takes a service without policies, which has full access", function()
        local created = collection():create{ vpc = "vpc-1", service = "transfer.server" }
        assert.equal(endpoint.DEFAULT_POLICY, created.policy)
    end)

    it("is refused, and nothing is created, when something is wrong", function()
        -- code, what is asked for, options of the collection
        for _, row in ipairs({
            { "MissingParameter", { service = EXECUTE } },
            { "MissingParameter", { vpc = "vpc-1" } },
            { "MissingParameter", { vpc = "", service = EXECUTE } },
            { "InvalidParameter", { vpc = "vpc-1", service = EXECUTE, polcy = POLICY } },
            { "InvalidParameter", { vpc = "vpc-1", service = EXECUTE, type = "interface" } },
            { "InvalidParameter", { vpc = "vpc-1", service = EXECUTE, type = "Gateway" } },
            { "InvalidParameter", { vpc = "vpc-1", service = FOREIGN, type = "Gateway" } },
            { "InvalidParameter", { vpc = "vpc-9", service = EXECUTE } }, -- no default group
            { "InvalidParameterCombination",
              { vpc = "vpc-1", service = S3, type = "Gateway", security_groups = { "sg-1" } } },
            { "InvalidParameterCombination",
              { vpc = "vpc-1", service = S3, type = "Gateway", subnets = { "subnet-1" } } },
            { "InvalidParameterCombination",
              { vpc = "vpc-1", service = EXECUTE, route_tables = { "rtb-1" } } },
            { "InvalidServiceName", { vpc = "vpc-1", service = EXECUTE },
              { region = "eu-west-1" } },
            { "InvalidServiceName", { vpc = "vpc-1", service = S3, type = "Gateway" },
              { region = "eu-west-1" } },
            { "InvalidPolicyDocument.MissingPrincipal",
              { vpc = "vpc-1", service = EXECUTE, policy = BAD } },
            { "InvalidPolicyDocument.NotSupported",
              { vpc = "vpc-1", service = "transfer.server", policy = POLICY } },
            { "InvalidPolicyDocument.NotSupported",
              { vpc = "vpc-1", service = FOREIGN, policy = POLICY } },
            { "InvalidPolicyDocument.NotSupported",
              { vpc = "vpc-1", service = "glue", policy = POLICY },
              { policy_support = { glue = false } } },
            { "InvalidPolicyDocument.TooManyPolicies",
              { vpc = "vpc-1", service = EXECUTE, policy = { POLICY, OTHER } } },
        }) do
            local endpoints = collection(row[3])
            row[2].id = "vpce-x"
            refused(row[1], endpoints:create(row[2]))
            refused("InvalidVpcEndpointId.NotFound", endpoints:get("vpce-x"))
        end
    end)

    it("is refused under an id that there is", function()
        local endpoints = collection()
        assert(endpoints:create{ id = "vpce-x", vpc = "vpc-1", service = EXECUTE })
        refused("InvalidParameter",
            endpoints:create{ id = "vpce-x", vpc = "vpc-1", service = EXECUTE })
    end)

    it("reaches other Regions where the service allows it", function()
        local endpoints = collection({ region = "eu-west-1" })
        assert(endpoints:create{ vpc = "vpc-1", service = S3 })
        assert(endpoints:create{ vpc = "vpc-1", service = "com.amazonaws.eu-west-1.execute-api" })
        assert(endpoints:create{ vpc = "vpc-1", service = "execute-api" })
        assert(endpoints:create{ vpc = "vpc-1", service = "com.amazonaws.iam" })
    end)

    it("makes one route for each service and route table", function()
        local endpoints = collection()
        local function gateway(service, ...)
            return endpoints:create{
                vpc = "vpc-1", service = service, type = "Gateway", route_tables = { ... },
            }
        end
        assert(gateway(S3, "rtb-1"))
        assert(gateway("dynamodb", "rtb-1"))
        local second = assert(gateway("s3", "rtb-2"))
        refused("RouteAlreadyExists", gateway("s3", "rtb-3", "rtb-1"))
        refused("RouteAlreadyExists",
            endpoints:modify(second.id, { add_route_tables = { "rtb-1" } }))
        assert.same({ "rtb-2" }, endpoints:get(second.id).route_tables)
        assert.equal(2, #endpoints:routes("rtb-1"))
    end)
end)


describe("an endpoint's states", function()
    it("go from pending to available", function()
        local endpoints = collection()
        local id = endpoints:create{ vpc = "vpc-1", service = EXECUTE }.id
        endpoints:settle()
        assert.equal("available", endpoints:get(id).state)
        refused("IncorrectState", endpoints:accept(id, true))
    end)

    it("wait for the owner of the service where that is somebody else", function()
        local endpoints = collection()
        local id = endpoints:create{ vpc = "vpc-1", service = FOREIGN }.id
        endpoints:settle()
        assert.equal("pendingAcceptance", endpoints:get(id).state)
        assert.equal("pending", endpoints:accept(id, true).state)
        endpoints:settle()
        assert.equal("available", endpoints:get(id).state)
    end)

    it("end with the owner's refusal", function()
        local endpoints = collection()
        local id = endpoints:create{ vpc = "vpc-1", service = FOREIGN }.id
        assert.equal("rejected", endpoints:accept(id, false).state)
        endpoints:settle()
        assert.equal("rejected", endpoints:get(id).state)
        refused("IncorrectState", endpoints:modify(id, { add_subnets = { "subnet-1" } }))
        assert.equal("deleting", endpoints:delete(id).state)
    end)

    it("end with deletion, and the routes vanish", function()
        local endpoints = collection()
        local id = endpoints:create{
            vpc = "vpc-1", service = S3, type = "Gateway", route_tables = { "rtb-1" },
        }.id
        endpoints:settle()
        assert.equal("deleting", endpoints:delete(id).state)
        assert.same({}, endpoints:routes("rtb-1"))
        for _, state in ipairs({ "deleting", "deleted", "deleted" }) do
            assert.equal(state, endpoints:get(id).state)
            refused("IncorrectState", endpoints:modify(id, {}))
            refused("IncorrectState", endpoints:reset(id))
            refused("IncorrectState", endpoints:delete(id))
            refused("IncorrectState", endpoints:accept(id, true))
            endpoints:settle()
        end
        -- The route table is free for another one.
        assert(endpoints:create{
            vpc = "vpc-1", service = S3, type = "Gateway", route_tables = { "rtb-1" },
        })
    end)

    it("are nobody's without an endpoint", function()
        local endpoints = collection()
        for _, operation in ipairs({ "get", "reset", "delete" }) do
            refused("InvalidVpcEndpointId.NotFound", endpoints[operation](endpoints, "vpce-x"))
        end
        refused("InvalidVpcEndpointId.NotFound", endpoints:modify("vpce-x", {}))
        refused("InvalidVpcEndpointId.NotFound", endpoints:accept("vpce-x", true))
        refused("InvalidVpcEndpointId.NotFound", endpoints:get(nil))
    end)
end)


describe("modifying an endpoint", function()
    local endpoints, id

    before_each(function()
        endpoints = collection()
        id = endpoints:create{
            vpc = "vpc-1", service = EXECUTE, policy = POLICY, subnets = { "subnet-1" },
            security_groups = { "sg-1" },
        }.id
        endpoints:settle()
    end)

    it("replaces the policy, which acts from the next snapshot on", function()
        local changed, warnings = endpoints:modify(id, { policy = OTHER })
        assert.same({}, warnings)
        assert.equal(POLICY, changed.policy)
        assert.equal(OTHER, changed.staged_policy)
        endpoints:settle()
        assert.equal(OTHER, endpoints:get(id).policy)
        assert.is_nil(endpoints:get(id).staged_policy)
    end)

    it("leaves the last of several policies", function()
        endpoints:modify(id, { policy = OTHER })
        endpoints:reset(id)
        endpoints:settle()
        assert.equal(endpoint.DEFAULT_POLICY, endpoints:get(id).policy)
    end)

    it("puts the default policy back", function()
        assert(endpoints:modify(id, { reset_policy = true }))
        assert.equal(POLICY, endpoints:get(id).policy)
        endpoints:settle()
        assert.equal(endpoint.DEFAULT_POLICY, endpoints:get(id).policy)
    end)

    it("adds and takes out subnets and groups", function()
        local changed = endpoints:modify(id, {
            add_subnets = { "subnet-2", "subnet-1" }, add_security_groups = { "sg-2" },
            remove_security_groups = { "sg-1" },
        })
        assert.same({ "subnet-1", "subnet-2" }, changed.subnets)
        assert.same({ "sg-2" }, changed.security_groups)
        changed = endpoints:modify(id, { remove_subnets = { "subnet-1", "subnet-2" } })
        assert.same({}, changed.subnets)
    end)

    it("adds and takes out route tables", function()
        local gateway = endpoints:create{
            vpc = "vpc-1", service = S3, type = "Gateway", route_tables = { "rtb-1" },
        }.id
        local changed = endpoints:modify(gateway, {
            add_route_tables = { "rtb-2" }, remove_route_tables = { "rtb-1" },
        })
        assert.same({ "rtb-2" }, changed.route_tables)
        -- What it has already does not stand in its own way.
        changed = endpoints:modify(gateway, { add_route_tables = { "rtb-2", "rtb-3" } })
        assert.same({ "rtb-2", "rtb-3" }, changed.route_tables)
        for _, change in ipairs({ { add_security_groups = { "sg-1" } },
                                  { remove_subnets = { "subnet-1" } } }) do
            refused("InvalidParameterCombination", endpoints:modify(gateway, change))
        end
    end)

    it("changes nothing when something is wrong", function()
        local before = endpoints:get(id)
        for _, row in ipairs({
            { "InvalidParameterCombination", { policy = OTHER, reset_policy = true } },
            { "InvalidParameterCombination", { policy = OTHER, add_route_tables = { "rtb-1" } } },
            { "InvalidParameterCombination",
              { policy = OTHER, remove_route_tables = { "rtb-1" } } },
            { "InvalidParameter", { policy = OTHER, add_groups = { "sg-2" } } },
            { "InvalidParameter",
              { policy = OTHER, add_subnets = { "subnet-2" }, remove_subnets = { "subnet-9" } } },
            { "InvalidParameter", { policy = OTHER, remove_security_groups = { "sg-1" } } },
            { "InvalidPolicyDocument.MissingPrincipal",
              { policy = BAD, add_subnets = { "subnet-2" }, add_security_groups = { "sg-2" } } },
            { "InvalidPolicyDocument.Json", { policy = "{", remove_subnets = { "subnet-1" } } },
            { "InvalidPolicyDocument.TooManyPolicies", { policy = { POLICY, OTHER } } },
        }) do
            refused(row[1], endpoints:modify(id, row[2]))
            assert.same(before, endpoints:get(id))
            endpoints:settle()
            assert.same(before, endpoints:get(id))
        end
    end)

    it("keeps a change that is on its way when the next one fails", function()
        endpoints:modify(id, { policy = OTHER })
        refused("InvalidPolicyDocument.Json", endpoints:modify(id, { policy = "{" }))
        assert(endpoints:modify(id, { add_subnets = { "subnet-2" } }))
        endpoints:settle()
        assert.equal(OTHER, endpoints:get(id).policy)
    end)

    it("sets no policy where there can be none", function()
        local other = endpoints:create{ vpc = "vpc-1", service = "awsconnector" }.id
        refused("InvalidPolicyDocument.NotSupported", endpoints:modify(other, { policy = POLICY }))
        assert.equal(endpoint.DEFAULT_POLICY, endpoints:get(other).policy)
    end)

    it("is the only way to change one", function()
        local seen = endpoints:get(id)
        seen.policy = OTHER
        seen.security_groups[1] = "sg-9"
        local groups, subnets = { "sg-1" }, { "subnet-1" }
        local other = endpoints:create{
            vpc = "vpc-1", service = S3, security_groups = groups, subnets = subnets,
        }
        groups[1], subnets[1] = "sg-9", "subnet-9"
        assert.equal(POLICY, endpoints:get(id).policy)
        assert.same({ "sg-1" }, endpoints:get(id).security_groups)
        assert.same({ "sg-1" }, endpoints:get(other.id).security_groups)
        assert.same({ "subnet-1" }, endpoints:get(other.id).subnets)
    end)
end)


describe("validating a policy", function()
    it("attaches nothing", function()
        local endpoints = collection()
        local ok, warnings = endpoints:validate(POLICY, { service = EXECUTE, type = "Interface" })
        assert.is_true(ok)
        assert.same({}, warnings)
        local _, err = endpoints:validate(BAD, { service = EXECUTE })
        assert.equal("InvalidPolicyDocument.MissingPrincipal", err.code)
        assert.same({ 1, 14 }, { err.line, err.column })
    end)
end)
