--- Bytes sent to a port of this machine, and all that comes back.

local uv = require("luv")

local _M = {}


-- Milliseconds after which nothing more is waited for.
local PATIENCE = 5000


--- Sends bytes, and reads until the other end closes or the time is over.
-- @tparam number port
-- @tparam string bytes
-- @tparam[opt] table options `from` (a loopback address), `patience` (milliseconds)
-- @treturn string
-- @treturn boolean whether the other end closed
function _M.send(port, bytes, options)
    options = options or {}
    local socket, parts, over = uv.new_tcp(), {}, false
    assert(socket:bind(options.from or "127.0.0.1", 0))
    socket:connect("127.0.0.1", port, function(failed)
        if failed then
            over = true
            return
        end
        socket:read_start(function(_, piece)
            parts[#parts + 1] = piece
            over = over or not piece
        end)
        socket:write(bytes)
    end)
    local late, timer = false, uv.new_timer()
    timer:start(options.patience or PATIENCE, 0, function() late = true end)
    while not over and not late do
        uv.run("once")
    end
    timer:close()
    socket:close()
    uv.run("nowait")
    return table.concat(parts), over
end


--- Sends one request, on a connection of its own.
-- @tparam number port
-- @tparam string target as it stands in the request line
-- @tparam[opt] table options `method`, `host`, `headers` (lines), `body`, and those of `send`
-- @treturn number status, 0 where there is none
-- @treturn string the whole answer
function _M.ask(port, target, options)
    options = options or {}
    local lines = { ("%s %s HTTP/1.1"):format(options.method or "GET", target),
                    "Host: " .. (options.host or "localhost") }
    for _, line in ipairs(options.headers or {}) do
        lines[#lines + 1] = line
    end
    if options.body then
        lines[#lines + 1] = "Content-Length: " .. #options.body
    end
    lines[#lines + 1] = "Connection: close\r\n\r\n" .. (options.body or "")
    local text = _M.send(port, table.concat(lines, "\r\n"), options)
    return tonumber(text:match("^HTTP/1%.[01] (%d%d%d)")) or 0, text
end


return _M
