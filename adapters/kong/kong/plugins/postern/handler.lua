--- Postern as a plugin of Kong: requests are decided before they are proxied.
--
-- It is thin over `postern.resty`, see docs/adapters.md. Kong does not start where it cannot load a
-- plugin, so what is missing here is found then.
--
-- *Dependencies*: postern.resty
--
-- @module kong.plugins.postern.handler
local resty = require("postern.resty")


local Handler = {
    VERSION = "0.1.0",
    -- Behind the plugins that say who calls (1000 and above), before those that count or answer.
    PRIORITY = 945,
}


local SETTINGS = { "api", "stage", "vpce", "host", "mode" }

-- Options of `postern.resty` that kong.conf may have, as `postern_...`, and which are numbers.
local OPTIONS = {
    dict = false, mode = false, fault = true, poll = true, follow = true, report = true,
    obligations = false,
}


-- ---- The estate ----------------------------------------------------------------


-- What kong.conf says of all routes. A number that is none is left for the library to refuse.
local function configured()
    local options
    for name, is_number in pairs(OPTIONS) do
        local value = kong.configuration["postern_" .. name]
        if value ~= nil then
            options = options or {}
            options[name] = is_number and tonumber(value) or value
        end
    end
    return kong.configuration.postern_estate or os.getenv("POSTERN_ESTATE"), options
end


local function start()
    if kong.configuration.role == "control_plane" then
        return true -- it proxies nothing
    end
    local path, options = configured()
    if not path then
        return nil, "neither `postern_estate` in kong.conf nor the variable POSTERN_ESTATE names "
            .. "an estate: every request is refused"
    end
    return resty.open(path, options)
end


--- Opens the estate, in a worker. It never raises, which would break off the worker's start.
function Handler:init_worker() -- luacheck: ignore self
    local called, ok, err = pcall(start)
    if not called or not ok then
        kong.log.err("postern: ", tostring(called and err or ok))
    end
end


-- ---- Requests ------------------------------------------------------------------


-- What is not said Kong may tell as null.
local function settings_of(conf)
    local given = {}
    for i = 1, #SETTINGS do
        local value = conf[SETTINGS[i]]
        if value ~= ngx.null then
            given[SETTINGS[i]] = value
        end
    end
    return given
end


--- Decides the request.
-- @tparam table conf the plugin's configuration for it
function Handler:access(conf) -- luacheck: ignore self
    local passes, reply = resty.decide(settings_of(conf))
    if not passes then
        return kong.response.exit(reply.status, reply.body, reply.headers)
    end
    kong.ctx.plugin.headers = reply
end


--- Sets the headers of the decision, in place of those of the same name that the service sent.
function Handler:header_filter() -- luacheck: ignore self
    for name, value in pairs(kong.ctx.plugin.headers or {}) do
        kong.response.set_header(name, value)
    end
end


--- Tells of a request that was let through where nobody decided it.
function Handler:log() -- luacheck: ignore self
    resty.log()
end


return Handler
