--- An nginx of its own for a spec: started in a temporary folder, on a Unix socket, and stopped.

local lfs = require("lfs")
local uv = require("luv")

local _M = {}
local Nginx = {}
Nginx.__index = Nginx


local MODULES = "/usr/lib/nginx/modules/"

local CONFIG = [[
load_module $modules/ndk_http_module.so;
load_module $modules/ngx_http_lua_module.so;
daemon off;
user $user;
worker_processes 1;
pid $folder/nginx.pid;
error_log $folder/error.log info;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path $folder/body;
    proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
    lua_package_path "$here/lua/?.lua;$here/lua/?/init.lua;$here/?.lua;;";
    lua_package_cpath "$build/?.so;;";
    lua_socket_log_errors off;
    $directives
    server {
        listen unix:$folder/nginx.sock;
        $locations
    }
}
]]


local function put(path, text)
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
end


-- The folder of the library that this Lua has loaded, in full.
local function build_folder()
    local folder = require("postern.ffi").path:match("^(.*)/[^/]*$")
    return folder:sub(1, 1) == "/" and folder or lfs.currentdir() .. "/" .. folder
end


local function spawn(self)
    local failed
    self.process, failed = uv.spawn("/usr/sbin/nginx", {
        args = { "-p", self.folder, "-e", self.folder .. "/error.log", "-c",
            self.folder .. "/nginx.conf" },
        stdio = { nil, nil, 2 },
    }, function()
        self.ended = true
        self.process:close()
    end)
    assert(self.process, failed)
end


-- It listens as soon as its socket takes connections.
local function wait_until_it_listens(self, host)
    local socket, err
    for _ = 1, 2000 do
        assert(not self.ended, "nginx ended: " .. self:log())
        socket, err = host:block(host.connect, host, { path = self.folder .. "/nginx.sock" })
        if socket then
            socket:close()
            return
        end
        host:block(host.sleep, host, 0.005)
    end
    error("nginx does not listen: " .. err .. self:log())
end


--- Starts one.
-- @tparam table options `locations` (path to Lua text that answers it), `directives` (of the http
-- block)
-- @tparam Host host a libuv host, to wait with
-- @treturn Nginx `url`, `folder`
function _M.start(options, host)
    local folder = os.tmpname()
    os.remove(folder)
    assert(lfs.mkdir(folder))
    local self = setmetatable({ folder = folder, url = "http+unix://" .. folder .. "/nginx.sock:" },
        Nginx)
    local locations = {}
    for path, text in pairs(options.locations) do
        local name = folder .. path:gsub("/", "_") .. ".lua"
        put(name, text)
        locations[#locations + 1] = ("location = %s { content_by_lua_file %s; }")
            :format(path, name)
    end
    local values = {
        folder = folder, here = lfs.currentdir(), build = build_folder(), modules = MODULES,
        user = uv.os_get_passwd().username, directives = options.directives or "",
        locations = table.concat(locations, "\n"),
    }
    put(folder .. "/nginx.conf", (CONFIG:gsub("%$(%l+)", values)))
    spawn(self)
    wait_until_it_listens(self, host)
    return self
end


--- Asks for a location.
-- @tparam Host host
-- @tparam string path
-- @treturn string what it answers
function Nginx:get(host, path)
    local response, err = host:block(host.http, host, { url = self.url .. path, timeout = 60 })
    assert(response, err)
    assert(response.status == 200, response.body .. self:log())
    return response.body
end


--- What it has logged.
-- @treturn string
function Nginx:log()
    local file = io.open(self.folder .. "/error.log", "rb")
    if not file then
        return "(no log)"
    end
    local text = file:read("*a")
    file:close()
    return text
end


--- Stops it, and removes its folder.
function Nginx:stop()
    self.process:kill("sigterm")
    while not self.ended do
        uv.run("once")
    end
    uv.run("nowait")
    os.execute("rm -r " .. self.folder)
end


return _M
