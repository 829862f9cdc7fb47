--- A stand-in for Kong's `kong.db.schema.typedefs`: the fields that plugins take from it.

return {
    no_consumer = { type = "foreign", reference = "consumers", eq = ngx and ngx.null },
    no_consumer_group = { type = "foreign", reference = "consumer_groups", eq = ngx and ngx.null },
    protocols_http = { type = "set", default = { "grpc", "grpcs", "http", "https" } },
}
