--- The decision server as benchmarks start and ask it.
local json = require("cjson")
local estates = require("spec.bench.estates")
local processes = require("spec.bench.processes")

local _M = {}


--- What the answer to a decision has in it.
_M.ALLOWED, _M.DENIED = '"allowed":true', '"allowed":false'


--- An answer as long as that of a decision.
_M.ANSWER = '{"decision":"Allowed","allowed":true,"reason":"allow","status":200,"revision":"'
    .. ("0"):rep(64) .. '"}'

--- Where `postern serve` is asked by nginx.
_M.AUTH_PATH = "/auth"


--- Whether this checkout has a decision server.
-- @treturn boolean
function _M.available()
    return package.searchpath("postern.server", package.path) ~= nil
end


local function start(folder, name, command, args_of)
    local port = processes.free_port()
    return processes.start({
        command = command, tcp = "127.0.0.1:" .. port, args = args_of(tostring(port)),
        log = ("%s/%s-%d.log"):format(folder, name, port),
    })
end


--- Starts a server in C that only answers.
-- @tparam string build
-- @tparam string folder of the run
-- @tparam[opt] string body of its answers; none: 204
-- @treturn Process
function _M.empty(build, folder, body)
    return start(folder, "empty", build .. "/empty_server", function(port)
        return { port, body }
    end)
end


--- Starts a server in Lua that only answers.
-- @tparam string build
-- @tparam string folder of the run
-- @tparam string mode see luv_server.lua
-- @tparam[opt] string estate the path of one that is asked
-- @treturn Process
function _M.luv(build, folder, mode, estate)
    return start(folder, "luv", "luajit", function(port)
        return { "spec/bench/luv_server.lua", build, port, mode, estate }
    end)
end


-- What the estate says of the server that is measured. nginx asks for the offices' endpoint.
local SERVE = [[
serve { endpoints = {
    ["/v1/decide"] = { protocol = "native", peers = { "127.0.0.1" } },
    ["/auth"] = { protocol = "forward", profile = "nginx", peers = { "127.0.0.1" },
                  api = %q, stage = "live", vpce = "vpce-full" },
} }
]]

--- Starts `postern serve`. The estate is given a word that says how it is asked.
-- @tparam string build
-- @tparam string folder of the run
-- @tparam string estate its path
-- @tparam number workers
-- @treturn Process
function _M.postern(build, folder, estate, workers)
    local file = assert(io.open(estate, "a"))
    file:write(SERVE:format(estates.SEED_API))
    file:close()
    return start(folder, "postern", build .. "/postern", function(port)
        return { "serve", estate, "--listen", "127.0.0.1:" .. port, "--workers",
                 tostring(workers) }
    end)
end


--- A request for one decision.
-- @tparam table request in the words of `authorize`
-- @tparam[opt] string contains what the answer has in it
-- @treturn table see `spec.bench.load`
function _M.decide(request, contains)
    return { method = "POST", path = "/v1/decide", status = "200", contains = contains,
             headers = { ["Content-Type"] = "application/json" }, body = json.encode(request) }
end


--- A request for many decisions.
-- @tparam {table,...} requests
-- @tparam[opt] string contains
-- @treturn table
function _M.decide_batch(requests, contains)
    return { method = "POST", path = "/v1/decide/batch", status = "200", contains = contains,
             headers = { ["Content-Type"] = "application/json" }, body = json.encode(requests) }
end


return _M
