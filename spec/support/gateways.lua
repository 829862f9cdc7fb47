--- Gateways for specs: a real nginx with a stand-in of APISIX or Kong in it, our plugin, and an
-- upstream. The stand-ins stand in spec/support/apisix and spec/support/kong.

local cjson = require("cjson")
local lfs = require("lfs")
local files = require("spec.support.files")
local front = require("spec.support.front")
local nginx = require("spec.support.nginx")

local _M = {}


-- What both put in front of: it tells the request that came.
local UPSTREAM = [[
    server {
        listen unix:$folder/upstream.sock;
        access_log off;
        location / { content_by_lua_block {
            local names = {}
            for name, value in pairs(ngx.req.get_headers()) do
                names[#names + 1] = name .. "=" .. tostring(value)
            end
            table.sort(names)
            ngx.header["X-Obligation-Database"] = "of the upstream"
            ngx.say("upstream ", ngx.var.request_uri, " ", table.concat(names, " "))
        } }
    }
]]

-- The stand-in and the plugin are found where a gateway finds them.
local INIT = [[
    init_by_lua_block {
        package.path = "$folder/lua/?.lua;$here/spec/support/%s/?.lua;" .. package.path
        %s
    }
]]

local APISIX = {
    plugins = { ["apisix/plugins/postern.lua"] = "adapters/apisix/postern.lua" },
    init = INIT:format("apisix", 'apisix = require("apisix")'),
    directives = [[
        init_worker_by_lua_block { apisix.http_init_worker() }
        exit_worker_by_lua_block { apisix.http_exit_worker() }
    ]],
    server = [[
        location / {
            access_by_lua_block { apisix.http_access_phase() }
            proxy_pass http://unix:$folder/upstream.sock;
            header_filter_by_lua_block { apisix.http_header_filter_phase() }
            log_by_lua_block { apisix.http_log_phase() }
        }
        location /v1/ { content_by_lua_block { apisix.http_control() } }
        location = /-/load { content_by_lua_block { require("apisix.plugin").load() ngx.say("") } }
    ]],
}

local KONG = {
    plugins = {
        ["kong/plugins/postern/handler.lua"] = "adapters/kong/kong/plugins/postern/handler.lua",
        ["kong/plugins/postern/schema.lua"] = "adapters/kong/kong/plugins/postern/schema.lua",
    },
    init = INIT:format("kong", 'Kong = require("kong") Kong.init()'),
    directives = [[
        init_worker_by_lua_block { Kong.init_worker() }
    ]],
    server = [[
        location / {
            access_by_lua_block { Kong.access() }
            proxy_pass http://unix:$folder/upstream.sock;
            header_filter_by_lua_block { Kong.header_filter() }
            log_by_lua_block { Kong.log() }
        }
    ]],
}


-- Keeps what a spec gives of its own, text or, for JSON, a table.
local function write(running, name, value)
    front.write(running, name, type(value) == "table" and cjson.encode(value) or value)
end


local function install(running, plugins)
    for name, path in pairs(plugins) do
        local at = running.folder .. "/lua"
        lfs.mkdir(at)
        for part in name:gmatch("([^/]+)/") do
            at = at .. "/" .. part
            lfs.mkdir(at)
        end
        front.write(running, "lua/" .. name, files.read(path))
    end
end


local function new(gateway, options)
    local running = nginx.new({
        workers = options.workers,
        directives = (options.dict == false and "" or "lua_shared_dict postern 2m;\n")
            .. (options.directives or "") .. gateway.init .. gateway.directives .. UPSTREAM,
        server = "default_type text/plain;\n" .. gateway.server .. (options.server or ""),
    })
    if options.environment then -- goes before the block `events`
        front.write(running, "nginx.conf", options.environment .. running:log("nginx.conf"))
    end
    install(running, gateway.plugins)
    for name, value in pairs({ ["estate.lua"] = front.ESTATE, ["pets.json"] = front.PETS,
                               ["notes.json"] = front.NOTES }) do
        write(running, name, (options.files or {})[name] or value)
    end
    for name, value in pairs(options.files or {}) do
        write(running, name, value)
    end
    return running
end


--- Makes a stand-in of APISIX, without starting it.
-- @tparam[opt] table options `attr` (of the plugin, in config.yaml; `estate` is the folder's when
-- not said, and false for none), `plugins` (the list), `routes`, `global_rules`, `metadata`,
-- `files` (name to text or table), `dict` (false for none), `directives` and `server` (of nginx's
-- language), `environment` (of its main block), `workers`
-- @treturn Nginx
function _M.apisix(options)
    options = options or {}
    local running = new(APISIX, options)
    local attr = { poll = 0.05, follow = 0.02, report = 0.01, estate = running.folder
                   .. "/estate.lua" }
    for name, value in pairs(options.attr or {}) do
        attr[name] = value or nil
    end
    write(running, "config.json", { plugins = options.plugins or { "postern" },
                                    plugin_attr = { postern = attr } })
    write(running, "apisix.json", {
        routes = options.routes or { { uri = "/*",
            plugins = { postern = { api = "pets", stage = "live" } } } },
        global_rules = options.global_rules,
    })
    if options.metadata then
        write(running, "metadata.json", options.metadata)
    end
    return running
end


--- Makes a stand-in of Kong, without starting it.
-- @tparam[opt] table options `conf` (text of kong.conf, in which `$folder` stands for its own),
-- `services`, `plugins` (global ones), `files`, `dict`, `directives`, `server`, `environment`,
-- `workers`
-- @treturn Nginx
function _M.kong(options)
    options = options or {}
    local running = new(KONG, options)
    local conf = options.conf or "plugins = bundled,postern\npostern_estate = $folder/estate.lua\n"
        .. "postern_poll = 0.05\npostern_follow = 0.02\npostern_report = 0.01\n"
    write(running, "kong.conf", (conf:gsub("%$folder", running.folder)))
    write(running, "kong.json", {
        plugins = options.plugins,
        services = options.services or { { name = "pets", routes = { { name = "pets",
            paths = { "/" }, plugins = { { name = "postern",
                                           config = { api = "pets", stage = "live" } } } } } } },
    })
    return running
end


--- Starts one.
-- @tparam Nginx running
-- @treturn Nginx
function _M.run(running)
    assert(running:run(), "nginx ended: " .. running:log())
    return running
end


_M.write = write


return _M
