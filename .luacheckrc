std = "luajit"
max_line_length = 100
exclude_files = { "build", "build-*" }

-- Only these may know a host; everything else is handed what it needs.
files["lua/postern/host/resty*.lua"] = { read_globals = { "ngx" } }
files["lua/postern/resty/*.lua"] = { globals = { "ngx" } }
files["lua/postern/resty.lua"] = { globals = { "ngx" } }

-- Plugins of gateways, which give them globals of their own.
files["adapters/apisix"] = { read_globals = { "ngx" } }
files["adapters/kong"] = { globals = { "kong", "ngx" } }
files["examples/nginx/*.lua"] = { globals = { "ngx" } }
files["examples/haproxy/*.lua"] = { read_globals = { "core" } }

files["spec"] = { std = "+busted" }
files["spec/support/apisix"] = { globals = { "ngx" } }
files["spec/support/kong"] = { globals = { "kong", "ngx" } }
files["examples/**/*_spec.lua"] = { std = "+busted" }

-- Estates are made of words that only exist while one is read.
files["examples/**/estate.lua"] = { ignore = { "113" } }
files["spec/cases/**/estate.lua"] = { ignore = { "113" } }
