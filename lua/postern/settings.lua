--- How the decision server is set up: what may stand in the word `serve` of an estate, checked.
--
-- Everything unknown is refused, with what there is; nothing is guessed.
--
-- *Dependencies*: postern.cidr, postern.config, postern.connections
--
-- @module postern.settings
local cidrs = require("postern.cidr")
local config = require("postern.config")
local connections = require("postern.connections")


local _M = {}


--- Where it listens when nobody says so: nobody but this machine gets there.
_M.LISTEN = "127.0.0.1:8180"

--- Seconds that requests which have begun get when the server stops.
_M.DRAIN = 10

-- More processes than this are a slip of the pen.
local MOST_WORKERS = 256

local KNOWN = { listen = true, workers = true, drain = true, limits = true, endpoints = true,
    operators = true }

local LISTENER = { address = true, mode = true, backlog = true, endpoints = true }


-- ---- Telling -----------------------------------------------------------------------------------


local function describe(value)
    if type(value) == "string" then
        return ("`%s`"):format(value)
    elseif type(value) == "number" or type(value) == "boolean" then
        return tostring(value)
    end
    return "a " .. type(value)
end


local function fail(message, ...)
    error({ settings = message:format(...) }, 0)
end


local function check_names(what, value, known)
    for name in pairs(value) do
        if not known[name] then
            fail("%sunknown member `%s`%s", what, tostring(name),
                 config.suggestion(tostring(name), known))
        end
    end
end


local function whole(what, value, least, most)
    if type(value) ~= "number" or value % 1 ~= 0 or not (value >= least and value <= most) then
        fail("%s is %s: give a whole number from %d to %d", what, describe(value), least, most)
    end
    return value
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
        value = { protocol = value }
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


local function read_mode(what, mode)
    if mode == nil then
        return nil
    elseif type(mode) ~= "string" or not mode:find("^0?[0-7][0-7][0-7]$") then
        fail("%s: `mode` is %s: give it in octal, as in \"0660\"", what, describe(mode))
    end
    return tonumber(mode, 8)
end


local function read_address(what, address, parse)
    if type(address) ~= "string" then
        fail("%s: `address` is missing: add it", what)
    end
    local place, why = parse(address)
    if not place then
        fail("%s: `%s`: %s", what, address, why)
    end
    return address
end


local function read_listener(what, value, protocols, parse)
    if type(value) == "string" then
        value = { address = value }
    elseif type(value) ~= "table" then
        fail("%s is %s: give an address, or a table with `address`", what, describe(value))
    end
    check_names(what .. ": ", value, LISTENER)
    return {
        address = read_address(what, value.address, parse), mode = read_mode(what, value.mode),
        backlog = value.backlog and whole(what .. ": `backlog`", value.backlog, 1, 65535) or nil,
        endpoints = value.endpoints
            and read_endpoints(what .. ": `endpoints`", value.endpoints, protocols) or nil,
    }
end


local function read_listen(listen, protocols, parse)
    if type(listen) == "string" or (type(listen) == "table" and listen.address) then
        listen = { listen }
    elseif type(listen) ~= "table" or #listen == 0 then
        fail("`listen` is %s: give an address, or a list of them",
             type(listen) == "table" and "empty" or describe(listen))
    end
    local read = {}
    for i, value in ipairs(listen) do
        read[i] = read_listener(("listen %d"):format(i), value, protocols, parse)
    end
    for key in pairs(listen) do
        if type(key) ~= "number" or key < 1 or key > #listen then
            fail("`listen` is a list: `%s` has no place in it", tostring(key))
        end
    end
    return read
end


-- Addresses and ranges, and `unix:` for everybody who gets to the socket.
local function read_operators(operators)
    if type(operators) == "string" then
        operators = { operators }
    elseif type(operators) ~= "table" then
        fail("`operators` is %s: give a list of addresses, ranges and `unix:`",
             describe(operators))
    end
    local ranges, unix = {}, false
    for _, one in ipairs(operators) do
        if one == "unix:" then
            unix = true
        elseif type(one) ~= "string" then
            fail("operators: %s is no address", describe(one))
        else
            ranges[#ranges + 1] = one
        end
    end
    local matcher, err = cidrs.new(ranges)
    if not matcher then
        fail("operators: %s", err.message)
    end
    return function(peer)
        if peer == "unix:" then
            return unix
        end
        return matcher:match(peer) ~= nil
    end
end


-- ---- All ---------------------------------------------------------------------------------------


local function read_drain(drain)
    if type(drain) ~= "number" or not (drain >= 0 and drain <= 86400) then
        fail("`drain` is %s: give seconds, at most 86400", describe(drain))
    end
    return drain
end


local function read(given, protocols, parse)
    check_names("", given, KNOWN)
    return {
        listen = read_listen(given.listen == nil and _M.LISTEN or given.listen, protocols,
                             parse),
        workers = given.workers and whole("`workers`", given.workers, 0, MOST_WORKERS) or 1,
        drain = given.drain == nil and _M.DRAIN or read_drain(given.drain),
        limits = read_limits(given.limits == nil and {} or given.limits),
        endpoints = read_endpoints("`endpoints`", given.endpoints == nil and {} or given.endpoints,
                                   protocols),
        is_operator = read_operators(given.operators == nil
            and { "127.0.0.0/8", "::1", "unix:" } or given.operators),
    }
end


--- Checks and completes settings.
-- @tparam table given any of: `listen` (an address, or a list of addresses and of tables with
-- `address`, `mode`, `backlog` and `endpoints` of this listener alone), `workers` (processes; 0 is
-- one a core; 1), `drain` (seconds, 10), `limits` (see `postern.connections`), `endpoints` (prefix
-- to protocol, or to a table with `protocol` and its options, or to false for none), `operators`
-- (who may see metrics and status; this machine)
-- @tparam table protocols the names of those there are, to anything
-- @tparam function parse takes an address to listen on apart; nil and why for what is none
-- @treturn table|nil the same, complete; `operators` has become `is_operator(peer)`
-- @treturn string the first thing that is wrong
function _M.check(given, protocols, parse)
    local ok, result = pcall(read, given, protocols, parse)
    if ok then
        return result
    elseif type(result) == "table" and result.settings then
        return nil, result.settings
    end
    error(result, 0)
end


return _M
