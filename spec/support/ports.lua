--- Ports of this machine that nobody has.

local uv = require("luv")

local _M = {}


-- Below those that Linux gives to whoever asks for any port: else somebody who does, or who
-- connects, may have it before who is to listen there does.
local FIRST, LAST = 16384, 32767

local TRIES = 100


local function random_port()
    local high, low = assert(uv.random(2)):byte(1, 2)
    return FIRST + (high * 256 + low) % (LAST - FIRST + 1)
end


local function is_free(port)
    local socket = uv.new_tcp()
    local free = socket:bind("127.0.0.1", port) and socket:listen(1, function() end)
    socket:close()
    uv.run("nowait")
    return free ~= nil and free ~= false
end


--- A free port of the loopback interface. Somebody else may take it before it is used, but only by
-- picking that very number.
-- @treturn number
function _M.free()
    for _ = 1, TRIES do
        local port = random_port()
        if is_free(port) then
            return port
        end
    end
    error("no free port")
end


return _M
