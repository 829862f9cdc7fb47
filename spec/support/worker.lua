-- A worker process for the spec of `postern.host.uv_processes`: it answers each connection with its
-- number and its process id, and does what its argument says.
local hosts = require("postern.host.uv")
local listeners = require("postern.host.uv_listener")
local processes = require("postern.host.uv_processes")
local workers = require("postern.host.uv_worker")

local host = hosts.new()
local role = workers.role()
local stopped = host:ticket()

if arg[1] == "broken" then
    os.exit(3)
end
host:block(function()
    for _, socket in ipairs(role.sockets) do
        local listener = assert(listeners.bind(host, "fd:" .. socket.fd))
        assert(listener:listen(function(stream)
            stream:try_write(("%d %d %s\n"):format(role.number, processes.pid(), socket.address))
            host.loop:close_handle(stream)
        end))
    end
    if arg[1] ~= "stubborn" then
        host:on_signal("sigterm", function() stopped:post() end)
    else
        host:on_signal("sigterm", function() end)
    end
    local worker = workers.attend(host, role, function() stopped:post() end)
    worker:tell(("%d"):format(role.number * 10))
    worker:ready()
    stopped:wait()
end)
host:close()
os.exit(0, true)
