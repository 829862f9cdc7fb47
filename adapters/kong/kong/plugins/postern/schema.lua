--- What Kong accepts as a configuration of the plugin, see docs/adapters.md.
--
-- *Dependencies*: kong.db.schema.typedefs
--
-- @module kong.plugins.postern.schema
local typedefs = require("kong.db.schema.typedefs")


local function text(description)
    return { type = "string", len_min = 1, description = description }
end


local fields = {
    -- A consumer's would take the place of the route's.
    { consumer = typedefs.no_consumer },
    { protocols = typedefs.protocols_http },
    { config = {
        type = "record",
        fields = {
            { api = text("The id of an API of the estate.") },
            { stage = text("Its stage; without one, the first segment of the path.") },
            { vpce = text("The VPC endpoint that calls come through.") },
            { host = text("The host, in place of the request's.") },
            { mode = { type = "string", one_of = { "enforce", "dry_run" },
                       description = "In place of what the estate says." } },
        },
    } },
}

-- Versions before 3.4 know no groups of consumers.
if typedefs.no_consumer_group then
    table.insert(fields, 2, { consumer_group = typedefs.no_consumer_group })
end


return { name = "postern", fields = fields }
