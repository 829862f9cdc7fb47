--- An nginx of its own for a spec: started in a temporary folder, on a Unix socket and on a free
-- port of the loopback interface, and stopped.

local lfs = require("lfs")
local uv = require("luv")
local ports = require("spec.support.ports")

local _M = {}
local Nginx = {}
Nginx.__index = Nginx


local MODULES = "/usr/lib/nginx/modules/"

local CONFIG = [[
load_module $modules/ndk_http_module.so;
load_module $modules/ngx_http_lua_module.so;
daemon off;
user $user;
worker_processes $workers;
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
        listen 127.0.0.1:$port;
        $server
        $locations
    }
    $servers
}
]]

-- Milliseconds an answer may take.
local PATIENCE = 10000


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


local function arguments(self, ...)
    return { "-p", self.folder, "-e", self.folder .. "/error.log", "-c",
             self.folder .. "/nginx.conf", ... }
end


local function spawn(self)
    local failed
    self.ended = false
    self.process, failed = uv.spawn("/usr/sbin/nginx", {
        args = arguments(self), -- what it says stands in its log as well
    }, function()
        self.ended = true
        self.process:close()
    end)
    assert(self.process, failed)
end


-- Runs the loop until something is so; false when it takes too long.
local function run_until(is_so, milliseconds)
    local timer, late = uv.new_timer(), false
    local ends = uv.now() + (milliseconds or PATIENCE)
    timer:start(0, 2, function() late = uv.now() >= ends end)
    while not is_so() and not late do
        uv.run("once")
    end
    timer:close()
    uv.run("nowait")
    return is_so() and true or false
end


--- Waits until something is so.
-- @tparam function is_so
-- @tparam[opt=10000] number milliseconds
-- @treturn boolean
_M.run_until = run_until


local function takes_connections(socket, ...)
    local connected
    local to = { ... }
    to[#to + 1] = function(err) connected = not err end
    socket:connect(unpack(to))
    run_until(function() return connected ~= nil end)
    socket:close()
    return connected
end


-- It listens as soon as both its sockets take connections: it opens one after the other.
local function wait_until_it_listens(self)
    for _ = 1, 2000 do
        if self.ended then
            return false
        elseif takes_connections(uv.new_pipe(false), self.folder .. "/nginx.sock")
            and takes_connections(uv.new_tcp(), "127.0.0.1", self.port) then
            return true
        end
        uv.sleep(5)
        uv.run("nowait")
    end
    error("nginx does not listen: " .. self:log())
end


--- Makes the folder and the configuration of one, without starting it.
-- @tparam table options `locations` (path to Lua text that answers it); texts of nginx's language:
-- `directives` (of the http block), `server` (of the server block), `servers` (further ones), in
-- which `$folder` and `$port` stand for its own; `workers`, how many
-- @treturn Nginx `url`, `folder`, `port`
function _M.new(options)
    local folder = os.tmpname()
    os.remove(folder)
    assert(lfs.mkdir(folder))
    local self = setmetatable({
        folder = folder, url = "http+unix://" .. folder .. "/nginx.sock:", port = ports.free(),
        ended = true,
    }, Nginx)
    self:configure(options)
    return self
end


--- Writes the configuration anew; HUP takes it into use.
-- @tparam table options as for `new`
function Nginx:configure(options)
    local folder = self.folder
    local locations = {}
    for path, text in pairs(options.locations or {}) do
        local name = folder .. path:gsub("/", "_") .. ".lua"
        put(name, text)
        locations[#locations + 1] = ("location = %s { content_by_lua_file %s; }")
            :format(path, name)
    end
    local values = {
        folder = folder, here = lfs.currentdir(), build = build_folder(), modules = MODULES,
        user = uv.os_get_passwd().username, port = self.port, workers = options.workers or 1,
    }
    local function filled(text)
        return (text:gsub("%$(%l+)%f[^%w_]", values))
    end
    for _, name in ipairs({ "directives", "server", "servers" }) do
        values[name] = filled(options[name] or "")
    end
    values.locations = table.concat(locations, "\n")
    put(folder .. "/nginx.conf", filled(CONFIG))
end


--- Starts one.
-- @tparam table options as for `new`
-- @treturn Nginx
function _M.start(options)
    local self = _M.new(options)
    spawn(self)
    assert(wait_until_it_listens(self), "nginx ended: " .. self:log())
    return self
end


--- Starts one whose folder is there already.
-- @treturn boolean false when it ended at once
function Nginx:run()
    spawn(self)
    return wait_until_it_listens(self)
end


--- What `nginx -t` says of the configuration.
-- @treturn boolean whether it is right
-- @treturn string what it says
function Nginx:test()
    local pipe, said, status = uv.new_pipe(false), {}, nil
    local process
    process = uv.spawn("/usr/sbin/nginx", {
        args = arguments(self, "-t"), stdio = { nil, nil, pipe },
    }, function(code)
        status = code
        process:close()
    end)
    local over = false
    pipe:read_start(function(_, chunk)
        said[#said + 1] = chunk
        over = over or not chunk
    end)
    assert(run_until(function() return status and over end))
    pipe:close()
    uv.run("nowait")
    return status == 0, table.concat(said)
end


--- Signals the master, as `sighup`.
function Nginx:signal(name)
    self.process:kill(name)
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


-- ---- Raw bytes -----------------------------------------------------------------


-- The bytes of chunks, as far as they go.
local function joined(body)
    local parts, at = {}, 1
    while true do
        local size, last = body:match("^(%x+)\r\n()", at)
        if not size or size == "0" then
            return table.concat(parts)
        end
        parts[#parts + 1] = body:sub(last, last + tonumber(size, 16) - 1)
        at = last + tonumber(size, 16) + 2
    end
end


local function parse(text)
    local head, body = text:match("^(.-)\r\n\r\n(.*)$")
    if not head then
        return { status = 0, headers = {}, body = "", raw = text }
    end
    local headers = {}
    for name, value in head:gmatch("\r\n([^:\r\n]+): ?([^\r\n]*)") do
        name = name:lower()
        headers[name] = headers[name] and headers[name] .. ", " .. value or value
    end
    if headers["transfer-encoding"] == "chunked" then
        body = joined(body)
    end
    return { status = tonumber(head:match("^HTTP/1%.%d (%d+)")) or 0, headers = headers,
             body = body, raw = text }
end


--- Sends bytes, and reads until nginx closes.
-- @tparam string bytes
-- @tparam[opt] table options `from` (the loopback address to call from, 127.0.0.1), `unix` (by the
-- Unix socket), `port`
-- @treturn table `status`, `headers` (lower case; those given twice joined by a comma), `body`,
-- `raw`
function Nginx:send(bytes, options)
    options = options or {}
    local socket = options.unix and uv.new_pipe(false) or uv.new_tcp()
    local parts, over = {}, false
    local function connected(err)
        if err then
            parts[1], over = err, true
            return
        end
        socket:read_start(function(failed, chunk)
            parts[#parts + 1] = chunk or failed
            over = over or not chunk
        end)
        socket:write(bytes)
    end
    if options.unix then
        socket:connect(self.folder .. "/nginx.sock", connected)
    else
        assert(socket:bind(options.from or "127.0.0.1", 0))
        socket:connect("127.0.0.1", options.port or self.port, connected)
    end
    local ended = run_until(function() return over end)
    socket:close()
    uv.run("nowait")
    assert(ended, "no end of the answer: " .. table.concat(parts) .. self:log())
    return parse(table.concat(parts))
end


--- Sends one request, and reads its answer.
-- @tparam string target as it stands in the request line
-- @tparam[opt] table options `method`, `host`, `headers` (lines), `body`, and those of `send`
-- @treturn table as `send`
function Nginx:ask(target, options)
    options = options or {}
    local lines = { ("%s %s HTTP/1.1"):format(options.method or "GET", target),
                    "Host: " .. (options.host or "localhost") }
    for _, line in ipairs(options.headers or {}) do
        lines[#lines + 1] = line
    end
    if options.body then
        lines[#lines + 1] = "Content-Length: " .. #options.body
    end
    lines[#lines + 1] = "Connection: close"
    return self:send(table.concat(lines, "\r\n") .. "\r\n\r\n" .. (options.body or ""), options)
end


-- ---- What it wrote -------------------------------------------------------------


local function read(path)
    local file = io.open(path, "rb")
    if not file then
        return nil
    end
    local text = file:read("*a")
    file:close()
    return text
end


--- What it has logged.
-- @tparam[opt="error.log"] string name of a file in its folder
-- @treturn string
function Nginx:log(name)
    return read(self.folder .. "/" .. (name or "error.log")) or "(no log)"
end


--- Waits until a text stands in its log.
-- @tparam string text
-- @tparam[opt] string name of a file in its folder
-- @treturn boolean
function Nginx:wait_for_log(text, name)
    return run_until(function() return self:log(name):find(text, 1, true) end)
end


--- The processes of its workers.
-- @treturn {number,...}
function Nginx:worker_pids()
    local master = self.process:get_pid()
    local text = read(("/proc/%d/task/%d/children"):format(master, master)) or ""
    local pids = {}
    for pid in text:gmatch("%d+") do
        pids[#pids + 1] = tonumber(pid)
    end
    return pids
end


--- Stops it, and removes its folder.
function Nginx:stop()
    if not self.ended then
        self.process:kill("sigterm")
    end
    while not self.ended do
        uv.run("once")
    end
    uv.run("nowait")
    os.execute("rm -r " .. self.folder)
end


return _M
