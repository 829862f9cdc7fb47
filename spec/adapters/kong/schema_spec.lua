-- The schema of Kong's plugin, by a stand-in of Kong's check: spec/support/kong/kong/schemas.lua.
local schemas = require("spec.support.kong.kong.schemas")

local TYPEDEFS = "kong.db.schema.typedefs"


-- The schema as one version of Kong reads it.
local function schema_with(typedefs)
    package.loaded[TYPEDEFS] = typedefs
    local schema = dofile("adapters/kong/kong/plugins/postern/schema.lua")
    package.loaded[TYPEDEFS] = nil
    return schema
end


local function names(schema)
    local list = {}
    for _, field in ipairs(schema.fields) do
        list[#list + 1] = next(field)
    end
    return list
end


describe("the schema of Kong's plugin", function()
    local typedefs = dofile("spec/support/kong/kong/db/schema/typedefs.lua")
    local schema = schema_with(typedefs)

    it("accepts what it documents", function()
        assert.equal("postern", schema.name)
        assert.is_true(schemas.check(schema, { config = {} }))
        assert.is_true(schemas.check(schema, { config = {
            api = "pets", stage = "live", vpce = "vpce-1", host = "example.com", mode = "dry_run",
        } }))
    end)

    it("refuses everything else", function()
        for message, plugin in pairs({
            ["config.apy: unknown field"] = { config = { apy = "pets" } },
            ["config.api: length must be at least 1"] = { config = { api = "" } },
            ["config.stage: expected a string"] = { config = { stage = 1 } },
            ["config.mode: expected one of: enforce, dry_run"] = { config = { mode = "off" } },
            ["consumer: value must be null"] = { consumer = "ann", config = {} },
            ["consumer_group: value must be null"] = { consumer_group = "staff", config = {} },
        }) do
            local ok, err = schemas.check(schema, plugin)
            assert.is_nil(ok)
            assert.equal(message, err)
        end
    end)

    it("is for versions that know groups of consumers and for those that do not", function()
        assert.same({ "consumer", "consumer_group", "protocols", "config" }, names(schema))
        assert.same({ "consumer", "protocols", "config" }, names(schema_with({
            no_consumer = typedefs.no_consumer, protocols_http = typedefs.protocols_http })))
    end)
end)
