--- A stand-in for Kong: its phases, and of the plugin development kit what ours uses.
--
-- Facts from Kong's own sources. Handlers and schemas are loaded in the master; a plugin that
-- cannot be, that is not in the list `plugins`, or that is configured wrongly, keeps Kong from
-- starting. `init_worker` runs unprotected. In the access phase each handler runs as a coroutine;
-- there, `kong.response.exit` keeps the answer and yields, never to come back, and the answer is
-- sent after that; a handler that raises is answered by 500. Of one plugin the configuration of the
-- route goes before that of the service, and that before the global one.

local cjson = require("cjson.safe")
local schemas = require("kong.schemas")

local Kong = {}
local plugins, declared


local function read(name)
    local file = assert(io.open(ngx.config.prefix() .. name))
    local text = file:read("*a")
    file:close()
    return text
end


-- ---- The plugin development kit --------------------------------------------------


-- A file of `name = value`, with comments.
local function configuration_of(text)
    local found = {}
    for line in text:gmatch("[^\n]+") do
        local name, value = line:gsub("#.*$", ""):match("^%s*([%w_]+)%s*=%s*(.-)%s*$")
        if name and value ~= "" then
            found[name] = value
        end
    end
    return found
end


local function send(answer)
    ngx.status = answer.status
    for name, value in pairs(answer.headers or {}) do
        ngx.header[name] = value
    end
    local body = answer.body
    ngx.header["Content-Length"] = #(body or "")
    if body then
        ngx.print(body)
    end
    return ngx.exit(answer.status)
end


local function exit(status, body, headers)
    assert(type(status) == "number" and status >= 100 and status <= 599, "code must be a number")
    assert(body == nil or type(body) == "string", "body must be a nil, string or table")
    local answer = { status = status, body = body, headers = headers }
    if ngx.ctx.delay_response then
        ngx.ctx.delayed_response = answer
        coroutine.yield()
    end
    return send(answer)
end


local function set_header(name, value)
    assert(type(name) == "string" and type(value) == "string", "header must be a string")
    assert(not ngx.headers_sent, "headers have already been sent")
    ngx.header[name] = value
end


local function plugin_context()
    ngx.ctx.of_plugin = ngx.ctx.of_plugin or {}
    return ngx.ctx.of_plugin
end


local function kit()
    return {
        configuration = configuration_of(read("kong.conf")),
        log = { err = function(...) ngx.log(ngx.ERR, ...) end },
        response = { exit = exit, set_header = set_header },
        ctx = setmetatable({}, { __index = function(_, name)
            return name == "plugin" and plugin_context() or nil
        end }),
    }
end


-- ---- Starting ----------------------------------------------------------------------


local function load_plugins(list)
    plugins = {}
    for name in list:gmatch("[^,%s]+") do
        if name ~= "bundled" then
            plugins[name] = { handler = require("kong.plugins." .. name .. ".handler"),
                              schema = require("kong.plugins." .. name .. ".schema") }
        end
    end
end


local function check_all(list)
    for _, plugin in ipairs(list or {}) do
        local known = plugins[plugin.name]
        if not known then
            error(("plugin '%s' not enabled; add it to the 'plugins' configuration property")
                :format(plugin.name), 0)
        end
        local ok, err = schemas.check(known.schema, plugin)
        if not ok then
            error(("error parsing declarative config: %s: %s"):format(plugin.name, err), 0)
        end
    end
end


function Kong.init()
    _G.kong = kit()
    load_plugins(kong.configuration.plugins)
    declared = assert(cjson.decode(read("kong.json")))
    check_all(declared.plugins)
    for _, service in ipairs(declared.services) do
        check_all(service.plugins)
        for _, route in ipairs(service.routes) do
            check_all(route.plugins)
        end
    end
end


function Kong.init_worker()
    for _, plugin in pairs(plugins) do
        plugin.handler:init_worker()
    end
end


-- ---- Requests ------------------------------------------------------------------------


local function find_route(uri)
    for _, service in ipairs(declared.services) do
        for _, route in ipairs(service.routes) do
            for _, path in ipairs(route.paths) do
                if uri:sub(1, #path) == path then
                    return service, route
                end
            end
        end
    end
end


-- What is configured for a request, of the most special place.
local function configured(service, route)
    local found = {}
    for _, place in ipairs({ declared, service, route }) do
        for _, plugin in ipairs(place.plugins or {}) do
            found[plugin.name] = plugin.config or {}
        end
    end
    return found
end


local function by_priority(found)
    local list = {}
    for name, config in pairs(found) do
        list[#list + 1] = { plugins[name].handler, config }
    end
    table.sort(list, function(a, b) return a[1].PRIORITY > b[1].PRIORITY end)
    return list
end


function Kong.access()
    local ctx = ngx.ctx
    local service, route = find_route(ngx.var.uri)
    if not route then
        return exit(404, '{"message":"no Route matched with those values"}')
    end
    ctx.plugins, ctx.delay_response = by_priority(configured(service, route)), true
    for _, entry in ipairs(ctx.plugins) do
        if entry[1].access and not ctx.delayed_response then
            local ok, err = coroutine.resume(coroutine.create(entry[1].access), entry[1], entry[2])
            if not ok then
                kong.log.err(err)
                ctx.delayed_response = { status = 500, body = "An unexpected error occurred" }
            end
        end
    end
    ctx.delay_response = nil
    if ctx.delayed_response then
        return send(ctx.delayed_response)
    end
end


local function run(phase)
    for _, entry in ipairs(ngx.ctx.plugins or {}) do
        if entry[1][phase] then
            entry[1][phase](entry[1], entry[2])
        end
    end
end


function Kong.header_filter()
    run("header_filter")
end


function Kong.log()
    run("log")
end


return Kong
