--- Servers for measurements: started, waited for, and stopped again.
local uv = require("luv")
local cpu = require("spec.bench.cpu")

local _M = {}
local Process = {}
Process.__index = Process


-- All that run, so that a measurement that breaks off leaves none behind.
local running = {}

-- Seconds that a server may take until it listens: an estate of 10,000 statements is compiled then.
local PATIENCE = 60


--- A folder of its own for one run.
-- @treturn string its path
function _M.folder()
    return assert(uv.fs_mkdtemp("/tmp/postern-bench-XXXXXX"))
end


--- Writes a file so that a reader sees the old text or the new one.
-- @tparam string path
-- @tparam string text
function _M.put(path, text)
    local file = assert(io.open(path .. ".new", "wb"))
    file:write(text)
    file:close()
    assert(os.rename(path .. ".new", path))
end


--- A port that nobody listens on now.
-- @treturn number
function _M.free_port()
    local tcp = uv.new_tcp()
    assert(tcp:bind("127.0.0.1", 0))
    local port = tcp:getsockname().port
    tcp:close()
    uv.run("nowait")
    return port
end


-- Whether somebody takes connections there.
local function listens(tcp, path)
    local socket, done, failed = path and uv.new_pipe(false) or uv.new_tcp(), false, nil
    local function connected(err)
        done, failed = true, err
    end
    if path then
        socket:connect(path, connected)
    else
        socket:connect(tcp:match("^[^:]+"), tonumber(tcp:match("%d+$")), connected)
    end
    while not done do
        uv.run("once")
    end
    socket:close()
    uv.run("nowait")
    return not failed
end


--- The connections that were made to a port of this machine in the last minute, open or not: with
-- keep-alive as many as there are clients, without it one a request.
-- @tparam number port
-- @treturn number
function _M.connections(port)
    local peers, count = {}, 0
    for line in io.lines("/proc/net/tcp") do
        local from, to = line:match("^%s*%d+: %x+:(%x+) %x+:(%x+)")
        from, to = tonumber(from or "", 16), tonumber(to or "", 16)
        local peer = from == port and to or to == port and from or 0
        if peer ~= 0 and not peers[peer] then
            peers[peer], count = true, count + 1
        end
    end
    return count
end


--- Starts a program and waits until it listens.
-- @tparam table options `command`, `args`, `tcp` (`127.0.0.1:8080`) or `unix` (a path), where it
-- listens, `log`, a file for what it says; optionally `env`, see `uv.spawn`
-- @treturn Process `tcp`, `unix`
function _M.start(options)
    local self = setmetatable({ tcp = options.tcp, unix = options.unix, log = options.log },
        Process)
    local log = assert(uv.fs_open(options.log, "a", 384))
    local pid
    self.handle, pid = uv.spawn(options.command, {
        args = options.args, env = options.env, stdio = { nil, log, log },
    }, function() self.ended = true end)
    uv.fs_close(log)
    if not self.handle then
        error(("%s: %s"):format(options.command, pid), 2)
    end
    self.pid = pid
    running[self] = true
    local since = uv.hrtime()
    while not listens(self.tcp, self.unix) do
        if self.ended or uv.hrtime() - since > PATIENCE * 1e9 then
            self:stop()
            error(("%s does not listen\n%s"):format(options.command, self:said()), 2)
        end
        uv.sleep(20)
        uv.run("nowait")
    end
    return self
end


--- The processes that do the work: all but the master, or the one there is.
-- @treturn {number,...}
function Process:workers()
    local pids = cpu.tree(self.pid)
    if #pids > 1 then
        table.remove(pids, 1)
    end
    return pids
end


--- What it has said in its log.
-- @treturn string
function Process:said()
    local file = assert(io.open(self.log, "rb"))
    local text = file:read("*a")
    file:close()
    return text
end


--- Where the load client finds it.
-- @treturn table `tcp` or `unix`, to which its other options may be added
function Process:target()
    return { tcp = self.tcp, unix = self.unix }
end


--- Ends it.
function Process:stop()
    running[self] = nil
    if not self.ended then
        self.handle:kill("sigterm")
        while not self.ended do
            uv.run("once")
        end
    end
    self.handle:close()
    uv.run("nowait")
end


--- Calls a function with a folder; whatever becomes of it, ends what it started and removes the
-- folder.
-- @tparam function use
function _M.with_folder(use)
    io.stdout:setvbuf("line") -- a run takes minutes
    local folder = _M.folder()
    local ok, err = xpcall(use, debug.traceback, folder)
    for process in pairs(running) do
        process:stop()
    end
    os.execute("rm -r " .. folder)
    if not ok then
        io.stderr:write(tostring(err), "\n")
        os.exit(1)
    end
end


-- ---- nginx -------------------------------------------------------------------


local NGINX = "/usr/sbin/nginx"
local MODULES = "/usr/lib/nginx/modules"

-- Connections are never renewed during a measurement.
local CONFIG = [[
load_module $modules/ndk_http_module.so;
load_module $modules/ngx_http_lua_module.so;
daemon off;
user $user;
worker_processes $workers;
pid $folder/nginx.pid;
error_log $folder/error.log $level;
events { worker_connections 1024; }
http {
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 600;
    client_body_temp_path $folder/body;
    proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
    lua_package_path "$here/lua/?.lua;$here/lua/?/init.lua;$here/?.lua;;";
    lua_package_cpath "$build/?.so;;";
    $http
    server {
        listen 127.0.0.1:$port;
        $server
    }
}
]]


--- Starts an nginx.
-- @tparam string build the folder that has the library
-- @tparam string folder of the run
-- @tparam table options `name`, `server` (directives of its server), optionally `http` (of the http
-- block), `workers` (1) and `level` of its log (warn)
-- @treturn Process also `port`
function _M.nginx(build, folder, options)
    local here, own, port = uv.cwd(), folder .. "/" .. options.name, _M.free_port()
    assert(uv.fs_mkdir(own, 448))
    local values = {
        modules = MODULES, user = uv.os_get_passwd().username, workers = options.workers or 1,
        folder = own, here = here, build = build:sub(1, 1) == "/" and build or here .. "/" .. build,
        port = port, level = options.level or "warn", http = options.http or "",
        server = options.server,
    }
    -- What nginx knows by a `$` stays as it is.
    _M.put(own .. "/nginx.conf", (CONFIG:gsub("%$(%l+)", values)))
    local self = _M.start({
        command = NGINX, tcp = "127.0.0.1:" .. port, log = own .. "/error.log",
        args = { "-p", own, "-e", own .. "/error.log", "-c", own .. "/nginx.conf" },
    })
    self.port = port
    return self
end


return _M
