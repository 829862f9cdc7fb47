--- Saying what is wrong with a setting: every check of `postern.settings` ends here.
--
-- What is wrong is raised as a table with `settings`, the words for whoever has written them.
--
-- *Dependencies*: postern.config
--
-- @module postern.settings.say
local config = require("postern.config")


local _M = {}


--- A value in words, short.
-- @param value
-- @treturn string
function _M.describe(value)
    if type(value) == "string" then
        return ("`%s`"):format(value)
    elseif type(value) == "number" or type(value) == "boolean" then
        return tostring(value)
    end
    return "a " .. type(value)
end


--- Raises what is wrong.
-- @tparam string message a format
-- @param ... what goes into it
function _M.fail(message, ...)
    error({ settings = message:format(...) }, 0)
end


--- Checks that a table has no member that nobody knows.
-- @tparam string what where it stands, to go before the message
-- @tparam table value
-- @tparam table known the names there are, to anything
function _M.check_names(what, value, known)
    for name in pairs(value) do
        if not known[name] then
            _M.fail("%sunknown member `%s`%s", what, tostring(name),
                    config.suggestion(tostring(name), known))
        end
    end
end


--- Checks a whole number.
-- @tparam string what its name
-- @param value
-- @tparam number least
-- @tparam number most
-- @treturn number
function _M.whole(what, value, least, most)
    if type(value) ~= "number" or value % 1 ~= 0 or not (value >= least and value <= most) then
        _M.fail("%s is %s: give a whole number from %d to %d", what, _M.describe(value), least,
                most)
    end
    return value
end


--- Checks a path.
-- @tparam string what its name
-- @param value
-- @tparam string|nil from the file that says it: the path begins in its folder
-- @treturn string as seen from where this process runs
function _M.path(what, value, from)
    if type(value) ~= "string" or value == "" or value:find("%z") then
        _M.fail("%s is %s: give the path of a file", what, _M.describe(value))
    end
    return from and config.resolve(value, from) or value
end


return _M
