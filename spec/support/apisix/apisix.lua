--- A stand-in for APISIX's phases: routes by the beginning of their path, global rules first.
--
-- Facts from APISIX's own sources: global rules run rewrite and access before the plugins of the
-- route do, all of it in nginx's access phase; header filter and log run for both; all share one
-- context, in `ngx.ctx.api_ctx`.

local core = require("apisix.core")
local plugin = require("apisix.plugin")

local _M = {}


local function route_of(uri)
    for _, route in ipairs(core.read("apisix.json").routes) do
        if uri:sub(1, #route.uri:gsub("%*$", "")) == (route.uri:gsub("%*$", ""))
            and plugin.check(route.plugins) then -- one that is wrong is not taken over
            return route
        end
    end
    return nil
end


local function each_list(ctx, phase)
    plugin.run(phase, ctx.global_plugins, ctx)
    plugin.run(phase, ctx.plugins, ctx)
end


function _M.http_init_worker()
    plugin.load()
end


function _M.http_access_phase()
    local ctx = { plugins = {}, global_plugins = {} }
    ngx.ctx.api_ctx = ctx
    local route = route_of(ngx.var.uri)
    if not route then
        return core.response.exit(404, { error_msg = "404 Route Not Found" })
    end
    for _, rule in ipairs(core.read("apisix.json").global_rules or {}) do
        ctx.global_plugins = plugin.filter(rule.plugins)
    end
    plugin.run("rewrite", ctx.global_plugins, ctx)
    plugin.run("access", ctx.global_plugins, ctx)
    ctx.plugins = plugin.filter(route.plugins)
    plugin.run("rewrite", ctx.plugins, ctx)
    plugin.run("access", ctx.plugins, ctx)
end


function _M.http_header_filter_phase()
    if ngx.ctx.api_ctx then
        each_list(ngx.ctx.api_ctx, "header_filter")
    end
end


function _M.http_log_phase()
    if ngx.ctx.api_ctx then
        each_list(ngx.ctx.api_ctx, "log")
    end
end


function _M.http_exit_worker()
    plugin.exit_worker()
end


--- The control API.
function _M.http_control()
    for _, one in ipairs(plugin.loaded) do
        for _, route in ipairs(one.control_api and one.control_api() or {}) do
            if route.uris[1] == ngx.var.uri and route.methods[1] == ngx.req.get_method() then
                return core.response.exit(route.handler())
            end
        end
    end
    return ngx.exit(404)
end


return _M
