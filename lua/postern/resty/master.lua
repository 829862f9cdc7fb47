--- What nginx's master does with an estate: it opens it to see whether that works, keeps the bytes
-- for the workers, and closes it again.
--
-- The master is often root, and what it holds open does not survive being forked. So it starts the
-- packs as the workers will, but opens no file to write: that would belong to root, and the workers
-- could not write to it.
--
-- *Dependencies*: postern.host.plain, postern.estate
--
-- @module postern.resty.master
local plain = require("postern.host.plain")
local estates = require("postern.estate")


local _M = {}


local function nothing()
    return true
end


-- A plain host, but for its writers.
local function checking_host(log)
    local host = plain.new({ log = log })
    local writer = { write = nothing, reopen = nothing, close = nothing, dropped = 0 }
    return setmetatable({ writer = function() return writer end }, {
        __index = function(_, name)
            local method = host[name]
            if type(method) ~= "function" then
                return method
            end
            return function(_, ...)
                return method(host, ...)
            end
        end,
    })
end


--- Opens an estate and closes it again.
-- @tparam string path
-- @tparam function log for the operator; is told the warnings as well
-- @treturn string|nil its revision
-- @treturn table|string path to the text of each file that was read, false for those not there; or
-- every problem
function _M.read(path, log)
    local host, texts = checking_host(log), {}
    local estate, problems = estates.open(path, {
        read = function(name)
            local text, err = host:read(name)
            texts[name] = text or false
            return text, err
        end,
        now = function() return host:now() end, log = log, host = host,
    })
    if not estate then
        return nil, tostring(problems)
    end
    for _, warning in ipairs(estate.warnings) do
        log(("warning: %s:%s: %s"):format(warning.file, warning.line or "?", warning.message))
    end
    estate:close()
    return estate.revision, texts
end


return _M
