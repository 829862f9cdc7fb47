--- The loop of the state specs run in: what is left on it.

local uv = require("luv")

local _M = {}


--- How many handles are open, and not about to be closed.
-- @treturn number
function _M.open_handles()
    local count = 0
    uv.walk(function(handle)
        if not handle:is_closing() then
            count = count + 1
        end
    end)
    return count
end


return _M
