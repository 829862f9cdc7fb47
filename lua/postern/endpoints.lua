--- The endpoints of a server: which protocols there are, and what answers at which path.
--
-- *Dependencies*: postern.protocols, postern.routes, postern.protocol.operator
--
-- @module postern.endpoints
local protocols = require("postern.protocols")
local routes = require("postern.routes")
local operator = require("postern.protocol.operator")


local _M = {}


-- What the server tells of itself, where everybody looks for it.
local OWN = {
    ["/healthz"] = "health", ["/readyz"] = "ready", ["/status"] = "status",
    ["/metrics"] = "metrics",
}

-- Where it decides unless the settings say otherwise.
local DECIDE, NATIVE = "/v1/decide", "native"


--- The protocols that endpoints may speak: those that come with the server, those it tells of
-- itself by, and those whoever puts it together has.
-- @tparam[opt] table more name to module
-- @treturn table name to module: `new(options, services)` makes what answers, or raises
function _M.known(more)
    local known = {}
    for _, list in ipairs({ protocols, more or {} }) do
        for name, protocol in pairs(list) do
            known[name] = protocol
        end
    end
    for _, name in pairs(OWN) do
        known[name] = { new = function(options, services)
            return operator.new(name, options, services)
        end }
    end
    return known
end


--- The server's own endpoints.
-- @treturn table prefix to `{protocol, options}`
function _M.own()
    local wanted = {}
    for prefix, name in pairs(OWN) do
        wanted[prefix] = { protocol = name, options = {} }
    end
    return wanted
end


--- What a listener answers that has no endpoints of its own.
-- @tparam table given those of the settings, false for one that is not to be there
-- @treturn table as `own`
function _M.common(given)
    local wanted = _M.own()
    wanted[DECIDE] = { protocol = NATIVE, options = {} }
    for prefix, endpoint in pairs(given) do
        wanted[prefix] = endpoint
    end
    return wanted
end


--- Makes what answers.
-- @tparam table wanted prefix to `{protocol, options}`, or to false
-- @tparam table known of `known`
-- @tparam table services what the protocols are handed; see `postern.protocol.operator`
-- @tparam[opt] table more prefix to what is made already
-- @treturn Routes|nil see `postern.routes`
-- @treturn string what is wrong with one of them
function _M.routes(wanted, known, services, more)
    local made = {}
    for prefix, endpoint in pairs(wanted) do
        if endpoint then
            local ok, protocol = pcall(known[endpoint.protocol].new, endpoint.options, services)
            if not ok then
                return nil, ("endpoint `%s`: %s"):format(prefix, tostring(protocol))
            end
            made[prefix] = protocol
        end
    end
    for prefix, protocol in pairs(more or {}) do
        made[prefix] = protocol
    end
    return routes.new(made)
end


return _M
