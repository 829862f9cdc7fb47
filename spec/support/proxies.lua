--- Proxies before or beside `postern serve`, each a process of its own, for specs of how they work
-- together: nginx, Caddy, HAProxy. What is behind them answers `upstream METHOD TARGET`.

local commands = require("spec.support.commands")
local files = require("spec.support.files")
local nginx = require("spec.support.nginx")
local ports = require("spec.support.ports")
local raw = require("spec.support.raw")
local served = require("spec.support.served")

local _M = {}
local Proxy = {}
Proxy.__index = Proxy


-- A preloaded sanitizer is meant for the core, not for programs.
local function spawn(folder, port, line)
    local process = served.start("exec env LD_PRELOAD= HOME=" .. folder .. " " .. line,
                                 { folder = folder })
    local self = setmetatable({ process = process, port = port }, Proxy)
    local up = process:until_true(function()
        return process.status or raw.send(port, "GET / HTTP/1.0\r\n\r\n") ~= ""
    end)
    assert(up and not process.status, "it does not listen: " .. process.said)
    return self
end


--- Asks it.
-- @tparam string target
-- @tparam[opt] table options of `ask` of `spec.support.raw`
-- @treturn number status
-- @treturn string
function Proxy:ask(target, options)
    return raw.ask(self.port, target, options)
end


function Proxy:stop()
    if self.nginx then
        return self.nginx:stop()
    end
    self.process:close()
end


local function write(path, text)
    local file = assert(io.open(path, "w"))
    file:write(text)
    file:close()
end


local NGINX = [[
upstream postern { server unix:%s; keepalive 8; }
server { listen unix:$folder/upstream.sock; return 200 "upstream $request_method $request_uri\n"; }
]]

local NGINX_SERVER = [[
large_client_header_buffers 4 16k;
location / {
    auth_request /_postern;
    proxy_pass http://unix:$folder/upstream.sock;
}
location = /_postern {
    internal;
    proxy_pass http://postern/auth/nginx;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_pass_request_body off;
    proxy_set_header Content-Length "";
    proxy_set_header X-Original-Method $request_method;
    proxy_set_header X-Original-URI $request_uri;
    proxy_set_header X-Original-Host $host;
    proxy_set_header X-Original-Scheme $scheme;
    proxy_set_header X-Real-IP $remote_addr;
}
]]


--- nginx with auth_request.
-- @tparam string socket of `postern serve`
-- @tparam[opt] string without a directive that is left out, as `X-Real-IP`
-- @treturn Proxy
function _M.nginx(socket, without)
    local server = NGINX_SERVER
    if without then
        server = server:gsub("[^\n]*" .. without:gsub("%-", "%%-") .. "[^\n]*\n", "")
    end
    local running = nginx.start({ directives = NGINX:format(socket), server = server })
    return setmetatable({ nginx = running, port = running.port }, Proxy)
end


local CADDY = [[
{
	admin off
	auto_https off
}
:%d {
	bind 127.0.0.1
	forward_auth unix/%s {
		uri /auth/forwarded
	}
	respond "upstream {method} {uri}
"
}
]]

--- Caddy with forward_auth.
-- @tparam string socket of `postern serve`
-- @tparam string folder for its files
-- @treturn Proxy
function _M.caddy(socket, folder)
    local port = ports.free()
    write(folder .. "/Caddyfile", CADDY:format(port, socket))
    return spawn(folder, port, "caddy run --config Caddyfile --adapter caddyfile")
end


--- HAProxy with the script of examples/haproxy.
-- @tparam number server the port of `postern serve`, where `/auth` is a forward endpoint
-- @tparam string folder for its files
-- @treturn Proxy
function _M.haproxy(server, folder)
    local port = ports.free()
    local example = commands.here() .. "/examples/haproxy/"
    for _, name in ipairs({ "postern.lua", "haproxy.cfg" }) do
        local text = files.read(example .. name)
        write(folder .. "/" .. name, (text:gsub(":8180", ":" .. server):gsub(":8080", ":" .. port)
            :gsub("orders: ", "upstream ")))
    end
    return spawn(folder, port, "haproxy -db -f haproxy.cfg")
end


local HAPROXY = [[
defaults
    mode http
    timeout connect 1s
    timeout client 2s
    timeout server 2s
    http-reuse always
listen gateway
    bind 127.0.0.1:%d
    server postern 127.0.0.1:%d
]]

--- HAProxy before `postern serve`: all that is asked of it is asked of that.
-- @tparam number server the port of `postern serve`
-- @tparam string folder for its files
-- @treturn Proxy
function _M.before(server, folder)
    local port = ports.free()
    write(folder .. "/before.cfg", HAPROXY:format(port, server))
    return spawn(folder, port, "haproxy -db -f before.cfg")
end


return _M
