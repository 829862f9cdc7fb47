--- A stand-in for `apisix.plugin`: it loads plugins and runs their phases as APISIX does.
--
-- Facts from APISIX's own sources. Plugins are loaded in each worker, and again when the list is
-- loaded anew, after `destroy`. One that cannot be loaded is told in the log, and left out where a
-- route names it. `init` runs unprotected. A phase that returns a status or a body ends the
-- request; higher priorities run first. `_meta` is let into each schema.

local core = require("apisix.core")

local _M = { loaded = {}, by_name = {} }


--- What config.yaml says of a plugin.
function _M.plugin_attr(name)
    return (core.read("config.json").plugin_attr or {})[name]
end


--- What the Admin API was told of a plugin; nil until it has come.
function _M.plugin_metadata(name)
    local metadata = core.read("metadata.json") or {}
    return metadata[name] and { value = metadata[name] }
end


local function load_one(name)
    local ok, plugin = pcall(require, "apisix.plugins." .. name)
    if not ok then
        core.log.error("failed to load plugin [", name, "] err: ", plugin)
        return
    elseif not plugin.priority or not plugin.version or type(plugin.schema) ~= "table" then
        core.log.error("invalid plugin [", name, "]")
        return
    end
    plugin.schema.properties._meta = { type = "object", properties = {} }
    plugin.name = name
    _M.loaded[#_M.loaded + 1], _M.by_name[name] = plugin, plugin
    if plugin.init then
        plugin.init()
    end
end


local function unload()
    for name, plugin in pairs(_M.by_name) do
        if plugin.destroy then
            plugin.destroy()
        end
        package.loaded["apisix.plugins." .. name] = nil
    end
    _M.loaded, _M.by_name = {}, {}
end

_M.exit_worker = unload


--- Loads all plugins, anew if there are some.
function _M.load()
    unload()
    for _, name in ipairs(core.read("config.json").plugins) do
        load_one(name)
    end
    table.sort(_M.loaded, function(a, b) return a.priority > b.priority end)
end


--- Checks what a route, a consumer or metadata say of plugins; unknown ones are passed over, as a
-- data plane does.
function _M.check(configurations, schema_type)
    for name, conf in pairs(configurations or {}) do
        local plugin = _M.by_name[name]
        local ok, err = true, nil
        if plugin then
            ok, err = plugin.check_schema(conf, schema_type)
        end
        if not ok then
            return false, ("failed to check the configuration of plugin %s err: %s")
                :format(name, err)
        end
    end
    return true
end


--- The plugins that are configured, each with its configuration.
function _M.filter(configurations)
    local list = {}
    for _, plugin in ipairs(_M.loaded) do
        local conf = (configurations or {})[plugin.name]
        if conf then
            list[#list + 1] = { plugin, conf }
        end
    end
    return list
end


--- Runs one phase of plugins.
function _M.run(phase, list, ctx)
    for _, entry in ipairs(list) do
        local fn = entry[1][phase]
        if fn then
            local status, body = fn(entry[2], ctx)
            local answers = phase == "rewrite" or phase == "access"
            if answers and (status or body) then
                core.response.exit(status, body)
            end
        end
    end
end


return _M
