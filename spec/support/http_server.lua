--- A little HTTP server for tests, on the loop of the state it runs in.
--
-- It answers each request by what its path says: `/echo`, `/slow`, `/never`, `/close`, `/early`,
-- `/garbage`, `/huge`, `/bytes`, `/chunked`, `/until-end`, `/last`, `/status/404`, `/head`.

local uv = require("luv")
local http = require("postern.http")

local _M = {}
local Server = {}
Server.__index = Server


local function response(body, headers)
    return ("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s"):format(#body, headers or "", body)
end


-- Each byte by itself, when the loop comes round again.
local function send_bytes(self, client, text)
    local at = 1
    local timer = self:adopt(uv.new_timer())
    timer:start(0, 1, function()
        if at > #text or client:is_closing() then
            return self:close_handle(timer)
        end
        client:write(text:sub(at, at))
        at = at + 1
    end)
end


local ROUTES = {}

function ROUTES.echo(_, client, message)
    local names = {}
    for name in pairs(message.headers) do
        names[#names + 1] = name
    end
    table.sort(names)
    client:write(response(("%s %s [%s] %s"):format(message.method, message.target,
        table.concat(names, ","), message.body)))
end

function ROUTES.slow(self, client)
    self:after(50, function()
        if not client:is_closing() then
            client:write(response("slow"))
        end
    end)
end

function ROUTES.never() end

function ROUTES.close(self, client)
    self:close_handle(client)
end

function ROUTES.early(self, client)
    client:write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", function()
        self:close_handle(client)
    end)
end

function ROUTES.garbage(_, client)
    client:write("SSH-2.0-OpenSSH_9.2\r\n\r\n")
end

function ROUTES.huge(_, client)
    client:write(response(("x"):rep(2 * 1024 * 1024)))
end

function ROUTES.bytes(self, client)
    send_bytes(self, client, response("byte by byte"))
end

function ROUTES.chunked(_, client)
    client:write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n"
        .. "0\r\nTrailer: 1\r\n\r\n")
end

ROUTES["until-end"] = function(self, client)
    client:write("HTTP/1.1 200 OK\r\n\r\nuntil the end", function()
        self:close_handle(client)
    end)
end

-- Says nothing of closing, and does.
function ROUTES.last(self, client)
    client:write(response("last"), function()
        self:close_handle(client)
    end)
end

function ROUTES.status(_, client, message)
    client:write(("HTTP/1.1 %s Whatever\r\nContent-Length: 0\r\nX-Twice: 1\r\nX-Twice: 2\r\n\r\n")
        :format(message.target:match("%d+")))
end

function ROUTES.head(_, client)
    client:write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
end


-- Somebody who looks for another server, on a port that was that one's before.
local function nowhere(_, client)
    client:write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
end


function Server:adopt(handle)
    self.handles[handle] = true
    return handle
end


function Server:close_handle(handle)
    if self.handles[handle] then
        self.handles[handle] = nil
        if not handle:is_closing() then
            handle:close()
        end
    end
end


function Server:after(milliseconds, fn)
    local timer = self:adopt(uv.new_timer())
    timer:start(milliseconds, 0, function()
        self:close_handle(timer)
        fn()
    end)
end


local function serve(self, client)
    local reader = http.reader("request", { max_body = 4 * 1024 * 1024 })
    self.connections = self.connections + 1
    self.open = self.open + 1
    self.most = math.max(self.most, self.open)
    client:read_start(function(err, bytes)
        if err or not bytes then
            self.open = self.open - 1
            return self:close_handle(client)
        end
        local from = 1
        repeat
            local state
            state, from = reader:feed(bytes, from)
            if state == nil then
                return self:close_handle(client)
            elseif state then
                local message = reader:message()
                reader:reset()
                self.requests = self.requests + 1
                self.last = message
                local route = ROUTES[message.target:match("^/([%w-]*)")] or nowhere
                route(self, client, message)
            end
        until not state or from > #bytes
    end)
end


--- Starts a server.
-- @tparam[opt] string path of a Unix socket; else a free port of 127.0.0.1
-- @treturn Server with `url`, `port`, and counts: `connections`, `requests`
function _M.start(path)
    local self = setmetatable({ handles = {}, connections = 0, requests = 0, open = 0, most = 0 },
        Server)
    local listener = self:adopt(path and uv.new_pipe(false) or uv.new_tcp())
    if path then
        assert(listener:bind(path))
        self.url = "http+unix://" .. path .. ":"
    else
        assert(listener:bind("127.0.0.1", 0))
        self.port = listener:getsockname().port
        self.url = "http://127.0.0.1:" .. self.port
    end
    assert(listener:listen(1024, function()
        local client = self:adopt(path and uv.new_pipe(false) or uv.new_tcp())
        listener:accept(client)
        serve(self, client)
    end))
    return self
end


--- Stops it; its handles are closed when the loop has run on.
function Server:stop()
    for handle in pairs(self.handles) do
        self:close_handle(handle)
    end
    uv.run("nowait")
end


return _M
