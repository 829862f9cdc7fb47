--- Postern as a plugin of Apache APISIX: requests of a route are decided before they are proxied.
--
-- It is thin over `postern.resty`, see docs/adapters.md. APISIX leaves out a plugin that it could
-- not load, and lets requests pass without it. So this file loads and starts whatever is missing,
-- and refuses every request where something is.
--
-- *Dependencies*: apisix.core, apisix.plugin, postern.resty
--
-- @module apisix.plugins.postern
local core = require("apisix.core")
local plugin = require("apisix.plugin")

local loaded, resty = pcall(require, "postern.resty")


local NAME = "postern"

-- Seconds between two looks for metadata, which APISIX fetches some time after a worker has begun.
local PATIENCE = 1

local SETTINGS = { "api", "stage", "vpce", "host", "mode" }

local TEXT = { type = "string", minLength = 1 }

local _M = {
    version = 0.1,
    -- Behind the plugins that say who calls (2500 and above), before all that restrict or answer.
    priority = 2450,
    name = NAME,
    schema = {
        type = "object",
        properties = {
            api = TEXT, stage = TEXT, vpce = TEXT, host = TEXT,
            mode = { type = "string", enum = { "enforce", "dry_run" } },
        },
        additionalProperties = false,
    },
    metadata_schema = {
        type = "object",
        properties = { estate = TEXT },
        required = { "estate" },
    },
}


-- ---- Configuration -----------------------------------------------------------


--- Checks a configuration of the plugin.
-- @tparam table conf
-- @tparam[opt] number schema_type what it belongs to
-- @treturn boolean
-- @treturn string what is wrong with it
function _M.check_schema(conf, schema_type)
    -- A type that this APISIX does not have is nil, as that of a route is.
    if schema_type and schema_type == core.schema.TYPE_METADATA then
        return core.schema.check(_M.metadata_schema, conf)
    elseif schema_type and schema_type == core.schema.TYPE_CONSUMER then
        return false, "a consumer's would take the place of the route's: give it to routes, "
            .. "services or global rules"
    end
    return core.schema.check(_M.schema, conf)
end


-- ---- The estate ----------------------------------------------------------------


-- What config.yaml says of all routes: the estate's path, and options of `postern.resty`.
local function attributes()
    local path, options
    for name, value in pairs(plugin.plugin_attr(NAME) or {}) do
        if name == "estate" then
            path = value
        else
            options = options or {}
            options[name] = value
        end
    end
    return path, options
end


local function open(path, options)
    local ok, err = resty.open(path, options)
    if not ok then
        core.log.error("postern: ", err)
    end
end


local function metadata_path()
    local metadata = plugin.plugin_metadata(NAME)
    return metadata and metadata.value and metadata.value.estate
end


-- Waits for metadata that say where the estate is.
local function await(premature, options)
    if premature then
        return
    end
    local ok, path = pcall(metadata_path)
    if ok and path then
        return open(path, options)
    end
    ngx.timer.at(PATIENCE, await, options)
end


local function start()
    local path, options = attributes()
    path = path or os.getenv("POSTERN_ESTATE")
    if path then
        open(path, options)
    elseif ngx.worker.id() then
        core.log.error("postern: neither `plugin_attr.postern.estate` in config.yaml nor the "
            .. "variable POSTERN_ESTATE names an estate: every request is refused until the "
            .. "plugin's metadata do")
        ngx.timer.at(0, await, options)
    end
end


--- Opens the estate, when a worker has loaded the plugin. It never raises, which would keep other
-- plugins from being loaded.
function _M.init()
    local ok, err
    if loaded then
        ok, err = pcall(start)
    else
        err = resty
    end
    if not ok then
        core.log.error("postern: every request is refused: ", tostring(err))
    end
end


--- Writes what packs still hold, when a worker ends. A plugin that is only loaded anew goes on with
-- the estate it has.
function _M.destroy()
    if loaded and ngx.get_phase() == "exit_worker" then
        resty.exit_worker()
    end
end


-- ---- Requests ------------------------------------------------------------------


-- `conf` has members of APISIX's own as well.
local function settings_of(conf)
    local given = {}
    for i = 1, #SETTINGS do
        given[SETTINGS[i]] = conf[SETTINGS[i]]
    end
    return given
end


-- A global rule and a route may both decide: the headers of both are told.
local function keep(ctx, headers)
    local kept = ctx.postern_headers or {}
    for name, value in pairs(headers) do
        kept[name] = value
    end
    ctx.postern_headers = kept
end


--- Decides the request. What is returned APISIX hands to `core.response.exit`.
-- @tparam table conf the route's
-- @tparam table ctx
-- @treturn number|nil status; nil where the request may pass
-- @treturn string body
function _M.access(conf, ctx)
    if not loaded then
        return 503, "Request Refused\n"
    end
    local passes, reply = resty.decide(settings_of(conf))
    if not passes then
        for name, value in pairs(reply.headers) do
            core.response.set_header(name, value)
        end
        return reply.status, reply.body
    elseif reply then
        keep(ctx, reply)
    end
end


--- Sets the headers of the decision, in place of those of the same name that the upstream sent.
-- @tparam table _ the route's configuration
-- @tparam table ctx
function _M.header_filter(_, ctx)
    for name, value in pairs(ctx.postern_headers or {}) do
        core.response.set_header(name, value)
    end
end


--- Tells of a request that was let through where nobody decided it.
function _M.log()
    if loaded then
        resty.log()
    end
end


--- What APISIX's control API answers below /v1/plugin/postern.
-- @treturn {table,...}
function _M.control_api()
    return { {
        methods = { "GET" }, uris = { "/v1/plugin/postern/status" },
        handler = function()
            if not loaded then
                return 503, { problem = "postern.resty cannot be loaded" }
            end
            return 200, resty.state()
        end,
    } }
end


return _M
