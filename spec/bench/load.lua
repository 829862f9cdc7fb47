--- Putting load on a server with `http_load`, and what it says.
local json = require("cjson")
local uv = require("luv")

local _M = {}


--- The bytes of a request.
-- @tparam table request `method` (GET), `path` (/), `headers` (name to value), `body`
-- @treturn string
function _M.bytes(request)
    local lines = { ("%s %s HTTP/1.1"):format(request.method or "GET", request.path or "/"),
                    "Host: bench.example.com" }
    for name, value in pairs(request.headers or {}) do
        lines[#lines + 1] = name .. ": " .. value
    end
    if request.body then
        lines[#lines + 1] = "Content-Length: " .. #request.body
    end
    return table.concat(lines, "\r\n") .. "\r\n\r\n" .. (request.body or "")
end


--- Writes a file of requests, which are sent in turn.
-- @tparam string path
-- @tparam {table,...} requests see `bytes`; each also `status`, as `200` or `200,403`, and
-- optionally `contains`, which the body of its answer has
-- @treturn string path
function _M.write(path, requests)
    local file = assert(io.open(path, "wb"))
    for _, request in ipairs(requests) do
        local bytes, contains = request.bytes or _M.bytes(request), request.contains or ""
        file:write(("request %s %d %d\n"):format(request.status, #bytes, #contains), bytes,
                   contains, "\n")
    end
    file:close()
    return path
end


--- Runs the client to its end. What else is on the loop goes on meanwhile.
-- @tparam string build the folder that has `http_load`
-- @tparam table options as the client has them, without the dashes: `tcp` or `unix`, `requests`,
-- `count` or `seconds`, `connections`, `pipeline`, `rate`, `timeout`
-- @treturn table what the client printed
-- @treturn number its exit status, 1 when an answer was wrong or missing
function _M.run(build, options)
    local args = {}
    for name, value in pairs(options) do
        args[#args + 1] = "--" .. name
        args[#args + 1] = type(value) == "number" and ("%.14g"):format(value) or value
    end
    local pipe, text, status, ended = uv.new_pipe(false), "", nil, false
    local process = assert(uv.spawn(build .. "/http_load",
        { args = args, stdio = { nil, pipe, 2 } }, function(code) status = code end))
    pipe:read_start(function(_, bytes)
        text, ended = text .. (bytes or ""), not bytes
    end)
    while not (status and ended) do
        uv.run("once")
    end
    process:close()
    pipe:close()
    uv.run("nowait")
    if status > 1 then
        error("http_load could not run", 2)
    end
    return json.decode(text), status
end


--- Runs the client, and raises when an answer was wrong or missing: nothing is timed then.
-- @tparam string build
-- @tparam table options see `run`
-- @treturn table
function _M.run_right(build, options)
    local result, status = _M.run(build, options)
    if status ~= 0 then
        error(("%d answers were wrong, %d failed: %s")
            :format(result.wrong, result.failed, result.problem), 2)
    end
    return result
end


return _M
