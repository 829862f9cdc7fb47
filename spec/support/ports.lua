--- Ports of this machine that nobody has.

local uv = require("luv")

local _M = {}


--- A free port of the loopback interface. Somebody else may take it before it is used.
-- @treturn number
function _M.free()
    local socket = uv.new_tcp()
    assert(socket:bind("127.0.0.1", 0))
    local port = socket:getsockname().port
    socket:close()
    uv.run("nowait")
    return port
end


return _M
