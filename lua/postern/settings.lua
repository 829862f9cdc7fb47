--- How the decision server is set up: what may stand in the word `serve` of an estate, checked.
--
-- Everything unknown is refused, with what there is; nothing is guessed.
--
-- *Dependencies*: postern.config, postern.connections, postern.protocol.peers,
-- postern.settings.say, postern.settings.listener, postern.settings.admin
--
-- @module postern.settings
local config = require("postern.config")
local connections = require("postern.connections")
local peers = require("postern.protocol.peers")
local say = require("postern.settings.say")
local listeners = require("postern.settings.listener")
local admins = require("postern.settings.admin")

local describe, fail, check_names, whole = say.describe, say.fail, say.check_names, say.whole


local _M = {}


--- Where it listens when nobody says so: nobody but this machine gets there.
_M.LISTEN = "127.0.0.1:8180"

--- Seconds that requests which have begun get when the server stops.
_M.DRAIN = 10

-- More processes than this are a slip of the pen.
local MOST_WORKERS = 256

local KNOWN = { listen = true, workers = true, drain = true, drain_delay = true, limits = true,
    endpoints = true, operators = true, admin = true, audit = true }

local LISTENER = { endpoints = true }
for name in pairs(listeners.MEMBERS) do
    LISTENER[name] = true
end


-- ---- Members -----------------------------------------------------------------------------------


local function read_limits(limits)
    if type(limits) ~= "table" then
        fail("`limits` is %s: give a table", describe(limits))
    end
    check_names("limits: ", limits, connections.LIMITS)
    local all = {}
    for name, default in pairs(connections.LIMITS) do
        local value = limits[name]
        if value == nil then
            value = default
        elseif name:find("_seconds$") then
            if type(value) ~= "number" or not (value > 0 and value <= 86400) then
                fail("limits: `%s` is %s: give seconds, above 0 and at most 86400", name,
                     describe(value))
            end
        else
            whole(("limits: `%s`"):format(name), value, 1, 2 ^ 31 - 1)
        end
        all[name] = value
    end
    return all
end


-- A name of a protocol, or a table with it and its options; false takes an endpoint away.
local function read_endpoint(what, value, protocols)
    if value == false then
        return false
    elseif type(value) == "string" then
        local name = value
        value = {}
        value.protocol = name
    elseif type(value) ~= "table" then
        fail("%s is %s: give { protocol = \"...\" }, or false for none", what, describe(value))
    end
    if type(value.protocol) ~= "string" then
        fail("%s: `protocol` is missing: add it", what)
    elseif not protocols[value.protocol] then
        fail("%s: unknown protocol `%s`%s", what, value.protocol,
             config.suggestion(value.protocol, protocols))
    end
    local options = {}
    for name, option in pairs(value) do
        if name ~= "protocol" then
            options[name] = option
        end
    end
    return { protocol = value.protocol, options = options }
end


local function read_endpoints(what, endpoints, protocols)
    if type(endpoints) ~= "table" then
        fail("%s is %s: give prefixes with protocols", what, describe(endpoints))
    end
    local read = {}
    for prefix, value in pairs(endpoints) do
        if type(prefix) ~= "string" or not prefix:find("^/[!-~]*$") or prefix:find("[?#]")
            or prefix:find("//", 1, true) then
            fail("%s: `%s` is no prefix of a path: it begins with `/`", what, tostring(prefix))
        end
        read[prefix] = read_endpoint(("%s: `%s`"):format(what, prefix), value, protocols)
    end
    return read
end


local function read_listener(what, value, context)
    if type(value) == "string" then
        value = { address = value }
    elseif type(value) ~= "table" then
        fail("%s is %s: give an address, or a table with `address`", what, describe(value))
    end
    check_names(what .. ": ", value, LISTENER)
    local listener = listeners.read(what, value, context)
    listener.endpoints = value.endpoints
        and read_endpoints(what .. ": `endpoints`", value.endpoints, context.protocols) or nil
    return listener
end


local function read_listen(listen, context)
    if type(listen) == "string" or (type(listen) == "table" and listen.address) then
        listen = { listen }
    elseif type(listen) ~= "table" or #listen == 0 then
        fail("`listen` is %s: give an address, or a list of them",
             type(listen) == "table" and "empty" or describe(listen))
    end
    local read = {}
    for i, value in ipairs(listen) do
        read[i] = read_listener(("listen %d"):format(i), value, context)
    end
    for key in pairs(listen) do
        if type(key) ~= "number" or key < 1 or key > #listen then
            fail("`listen` is a list: `%s` has no place in it", tostring(key))
        end
    end
    return read
end


-- Nobody, unless it is said who: what a proxy on this machine passes on comes from this machine.
local function read_operators(operators)
    if type(operators) == "string" then
        operators = { operators }
    end
    if operators == nil or type(operators) == "table" and next(operators) == nil then
        return nil
    end
    local list, why = peers.new(operators)
    if not list then
        fail("`operators`: %s", why)
    end
    return list
end


-- What stands in it is for `postern.audit` to check; the file belongs where the estate is.
local function read_audit(audit, context)
    if not audit then
        return nil
    elseif type(audit) == "string" then
        local path = audit
        audit = {}
        audit.path = path
    elseif type(audit) ~= "table" then
        fail("`audit` is %s: give a table with `path`", describe(audit))
    end
    local options = {}
    for name, value in pairs(audit) do
        options[name] = value
    end
    if options.host ~= nil or options.sink ~= nil then
        fail("audit: unknown member `%s`: give `path`", options.host ~= nil and "host" or "sink")
    elseif options.path ~= "-" then
        options.path = say.path("audit: `path`", options.path, context.file)
    end
    return options
end


-- ---- All ---------------------------------------------------------------------------------------


local function read_seconds(name, value, default)
    if value == nil then
        return default
    elseif type(value) ~= "number" or not (value >= 0 and value <= 86400) then
        fail("`%s` is %s: give seconds, at most 86400", name, describe(value))
    end
    return value
end


local function read(given, context)
    check_names("", given, KNOWN)
    return {
        listen = read_listen(given.listen == nil and _M.LISTEN or given.listen, context),
        workers = given.workers and whole("`workers`", given.workers, 0, MOST_WORKERS) or 1,
        drain = read_seconds("drain", given.drain, _M.DRAIN),
        drain_delay = read_seconds("drain_delay", given.drain_delay, 0),
        limits = read_limits(given.limits == nil and {} or given.limits),
        endpoints = read_endpoints("`endpoints`", given.endpoints == nil and {} or given.endpoints,
                                   context.protocols),
        operators = read_operators(given.operators),
        admin = admins.read(given.admin, context), audit = read_audit(given.audit, context),
    }
end


--- Checks and completes settings.
-- @tparam table given any of: `listen` (an address, or a list of addresses and of tables with the
-- members of `postern.settings.listener` and `endpoints` of this listener alone), `workers`
-- (processes; 0 is one a core; 1), `drain` (seconds, 10), `drain_delay` (seconds that it says it is
-- not ready before it stops listening, 0), `limits` (see `postern.connections`), `endpoints`
-- (prefix to protocol, or to a table with `protocol` and its options, or to false for none),
-- `operators` (who may see metrics and status, see `postern.protocol.peers`; nobody), `admin` (see
-- `postern.settings.admin`; none) and `audit` (options of `postern.audit`, or the path alone; none)
-- @tparam table context `protocols` (the names of those there are, to anything), `parse` (takes an
-- address to listen on apart; nil and why for what is none) and `file`, which says them: paths
-- begin in its folder
-- @treturn table|nil the same, complete; `operators` has become a list of `postern.protocol.peers`,
-- nil for nobody
-- @treturn string the first thing that is wrong
function _M.check(given, context)
    local ok, result = pcall(read, given, context)
    if ok then
        return result
    elseif type(result) == "table" and result.settings then
        return nil, result.settings
    end
    error(result, 0)
end


return _M
