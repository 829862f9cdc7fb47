--- The options of the operations every host has, checked in one way.
--
-- *Dependencies*: postern.task
--
-- @module postern.host.options
local tasks = require("postern.task")


local _M = {}


--- Options of a host.
_M.HOST = { log = true, concurrency = true, queue = true }

--- Defaults of a line writer: lines and bytes that may wait.
_M.WRITER = { queue = 1024, max_bytes = 64 * 1024 * 1024 }

--- Defaults of watching, in seconds: a change is looked at so long after it was told, when an
-- editor has done with it, and looked for so often where the file system tells nothing.
_M.WATCH = { debounce = 0.1, poll = 2 }

--- Seconds for connecting, and for each send and receive, where nobody says another.
_M.SOCKET_TIMEOUT = 60

--- Seconds a kept connection waits for its next use: less than the 60 and more after which servers
-- commonly close it, so that it is seldom them.
_M.IDLE = 30

--- Kept connections of one origin: what is opened beyond these is closed after use.
_M.MOST_IDLE = 32

--- What a receive without a size gives at most.
_M.CHUNK = 64 * 1024


--- Raises, for the caller of the caller, at an option nobody knows.
-- @tparam table options
-- @tparam table known
function _M.check(options, known)
    for name in pairs(options) do
        if known[name] == nil then
            error(("unknown option `%s`"):format(tostring(name)), 3)
        end
    end
end


--- Fills in numbers, and raises likewise at one that is none.
-- @tparam table|nil options
-- @tparam table defaults
-- @treturn table
function _M.fill(options, defaults)
    options = options or {}
    local all = {}
    for name in pairs(options) do
        if not defaults[name] then
            error(("unknown option `%s`"):format(tostring(name)), 3)
        end
    end
    for name, default in pairs(defaults) do
        local value = options[name] or default
        if type(value) ~= "number" or not (value > 0 and value < 1e9) then
            error(("`%s`: give a number above 0"):format(name), 3)
        end
        all[name] = value
    end
    return all
end


local CONNECT = { host = true, port = true, path = true, timeout = true, pool = true, fresh = true }

local function is_port(port)
    return type(port) == "number" and port % 1 == 0 and port >= 1 and port <= 65535
end


--- Raises likewise at what is no place to connect to.
-- @tparam table options
function _M.check_connect(options)
    for name in pairs(options) do
        if not CONNECT[name] then
            error(("unknown option `%s`"):format(tostring(name)), 3)
        end
    end
    if options.timeout ~= nil and not tasks.is_seconds(options.timeout) then
        error("`timeout`: give a number of seconds", 3)
    elseif options.path then
        if type(options.path) ~= "string" or options.path:find("%z") then
            error("`path`: give the path of a socket", 3)
        end
    elseif type(options.host) ~= "string" then
        error("`host`: give a name or an address, or `path` of a socket", 3)
    elseif not is_port(options.port) then
        error("`port`: give a number from 1 to 65535", 3)
    end
end


--- Whether a text is meant as an address, which nobody needs to look up.
-- @tparam string name
-- @treturn boolean
function _M.is_address(name)
    return name:find("^%d+%.%d+%.%d+%.%d+$") ~= nil
        or (name:find(":", 1, true) ~= nil and name:find("^[%x:.]+$") ~= nil)
end


--- Whether a text may be the name of a host.
-- @param name
-- @treturn boolean
function _M.is_name(name)
    return type(name) == "string" and #name <= 255 and name:find("^[%w%-._:]+$") ~= nil
end


return _M
