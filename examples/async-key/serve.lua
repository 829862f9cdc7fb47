-- A billing service: customers with an even number have the plan `gold`. It takes 0.2 seconds for
-- each answer and answers any number at once. It serves as long as the command runs that is given:
-- luajit serve.lua COMMAND ARGUMENT ...
local uv = require("luv")

local SOCKET = "billing.sock"


local function answer(client, request)
    local number = request:match("^GET /plans/%a+%-(%d+) ")
    local body = ('{"plan":"%s"}'):format(tonumber(number) % 2 == 0 and "gold" or "free")
    local timer = uv.new_timer()
    timer:start(200, 0, function()
        timer:close()
        client:write(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"):format(#body, body))
    end)
end


os.remove(SOCKET)
local server = uv.new_pipe()
assert(server:bind(SOCKET))
server:listen(128, function()
    local client = uv.new_pipe()
    server:accept(client)
    client:read_start(function(_, request) -- one request a piece: GETs are small
        if request then
            answer(client, request)
        else
            client:close()
        end
    end)
end)

local command = table.remove(arg, 1)
assert(uv.spawn(command, { args = arg, stdio = { 0, 1, 2 } }, function(status)
    os.remove(SOCKET)
    os.exit(status)
end))
uv.run()
