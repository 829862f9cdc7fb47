--- What a pack may do with its host, done once: the same code for every host, and its answers.

local _M = {}


-- A call's results as one line, without nils at the end.
local function show(...)
    local parts, count = {}, select("#", ...)
    while count > 1 and select(count, ...) == nil do
        count = count - 1
    end
    for i = 1, count do
        parts[i] = tostring((select(i, ...)))
    end
    return table.concat(parts, " | ")
end


local function show_response(response, err)
    if not response then
        return show(response, err)
    end
    return show(response.status, response.body)
end


local function try_http(host, target, say)
    local function get(path, options)
        local request = { url = target.url .. path, timeout = 30 }
        for name, value in pairs(options or {}) do
            request[name] = value
        end
        local response, err = host:http(request)
        -- The address is another one each time.
        return response, err and err:gsub("^http://[%d.:]+", "")
    end
    say(show_response(get("/echo?a=b", { headers = { ["X-Y"] = "1" } })))
    say(show_response(get("/echo", { method = "POST", body = "body" })))
    say(show_response(get("/chunked")))
    say(show_response(get("/bytes")))
    say(show_response(get("/until-end")))
    say(show_response(get("/head", { method = "HEAD" })))
    say(table.concat(get("/status/404").headers["x-twice"], ","))
    say(show_response(get("/last")))
    say(show_response(get("/last")))
    say(show_response(get("/never?secret", { timeout = 0.05 })))
    say(show_response(get("/close")))
    say(show_response(get("/early")))
    say(show_response(get("/garbage")))
    say(show_response(get("/huge", { max_bytes = 1000 })))
    local huge = get("/huge", { max_bytes = 2 * 1024 * 1024 })
    say(#huge.body)
    say(show_response(get("/echo", { headers = { X = "a\r\nb" } })))
    say(show_response(host:http({ url = target.unix .. "/echo?unix" })))
    say(show_response(host:http({ url = "https://a/" })))
end


local function try_sockets(host, target, say)
    local socket = assert(host:connect({ host = "127.0.0.1", port = target.port, timeout = 30 }))
    say(show(socket:send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")))
    local text = ""
    while not text:find("[host]", 1, true) do
        local piece = assert(socket:receive(7))
        assert(#piece <= 7)
        text = text .. piece
    end
    say(text:match("^[^\r]*"))
    say(show(socket:receive(1, 0.02)))
    socket:close()
    say(show(socket:send("x")))
    say(show(socket:receive()))
    say(show(host:connect({ host = "127.0.0.1", port = target.closed_port })))
    say(show(host:connect({ path = "/no/such.sock" })))
    local ok, err = pcall(host.connect, host, { host = "a" })
    say(show(ok, err:match("`port`.*")))
end


local function try_time(host, say)
    local before = host:monotonic()
    say(show(host:sleep(0.02)))
    say(host:monotonic() - before >= 0.015)
    say(math.abs(host:now() - os.time()) < 5)
    say(show(host:timeout(30, function(...) return ... end, 1, nil, 3)))
    say(show(host:timeout(0.02, host.sleep, host, 30)))
    say(show(host:timeout(30, function() return host:timeout(0.02, host.sleep, host, 30) end)))
    say(show(host:timeout(30, function() error("oops", 0) end)))
    local cleaned = 0
    local function clean() cleaned = cleaned + 1 end
    say(show(host:ensure(clean, function() return 1, 2 end)))
    say(show(pcall(host.ensure, host, clean, error, "oops", 0)))
    host:timeout(0.02, function() host:ensure(clean, host.sleep, host, 30) end)
    say(cleaned)
end


local function try_guard(host, say)
    local guard = host:gate({ timeout = 0.05, failures = 2, pause = 30, concurrency = 1 })
    say(show(guard:call(function(...) return ... end, 1, nil, 3)))
    say(show(guard:call(host.sleep, host, 0.001)))
    say(show(guard:call(host.sleep, host, 30)))
    say(show(guard:call(function() return nil, "no" end)))
    say(show(guard:call(function() return 1 end)))
    say(guard:state())
end


local function try_tasks(host, say)
    local task = host:spawn(function(...)
        host:sleep(0.001)
        return ...
    end, 1, nil, 3)
    say(show(task:wait()))
    say(show(task:wait()))
    say(show(task:cancel()))
    task = host:spawn(function() host:sleep(30) end)
    host:sleep(0.01)
    say(show(task:cancel("enough")))
    say(show(task:wait()))
    local ticket = host:ticket()
    say(show(ticket:wait(0.01) or false))
    host:spawn(function() ticket:post() end)
    say(show(ticket:wait(30)))
end


local function try_work(host, say)
    say(show(host:work("local a, b = ... return a + b, 'x', true", 1, 2)))
    say(show(host:work("error('oops')")))
    say(show(host:work("return =")))
    say(show(host:work("return {}")))
end


local function try_names_and_files(host, target, say)
    say(show(unpack(host:resolve("127.0.0.1"))))
    say(show(unpack(host:resolve("2001:db8::1"))))
    say(type(host:resolve("localhost")[1]))
    say(show(host:resolve("a b")))
    say(show(host:resolve("no-such-host.invalid") == nil))
    say(show(host:read("/no/such/file")))
    say(show(host:read("/tmp")))
    local writer = assert(host:writer(target.log, { queue = 2 }))
    say(show(writer:write("one"), writer:write("two")))
    writer:close()
    say(show(writer:write("late"), writer.dropped))
    say(host:read(target.log))
    say(show(host:writer("/no/such/log")))
end


--- Runs everything.
-- @tparam Host host
-- @tparam table target `url`, `port`, `unix` (of test servers), `closed_port`, `log` (a file)
-- @treturn {string,...}
function _M.run(host, target)
    local said = {}
    local function say(value)
        said[#said + 1] = tostring(value)
    end
    try_http(host, target, say)
    try_sockets(host, target, say)
    try_time(host, say)
    try_guard(host, say)
    try_tasks(host, say)
    try_work(host, say)
    try_names_and_files(host, target, say)
    return said
end


--- What every host answers.
_M.EXPECTED = {
    -- HTTP
    "200 | GET /echo?a=b [host,x-y] ",
    "200 | POST /echo [content-length,host] body",
    "200 | abcde",
    "200 | byte by byte",
    "200 | until the end",
    "200 | ",
    "1,2",
    "200 | last",
    "200 | last",
    "nil | /never: timed out after 0.05 seconds",
    "nil | /close: closed without an answer",
    "nil | /early: bad response: the message ends early",
    "nil | /garbage: bad response: a status line that is none",
    "nil | /huge: bad response: the body is too large",
    "2097152",
    "nil | /echo: header `X`: a control character in its value",
    "200 | GET /echo?unix [host] ",
    "nil | URL `https://a/`: TLS is not spoken: put a proxy in between that does",
    -- sockets
    "true",
    "HTTP/1.1 200 OK",
    "nil | timed out after 0.02 seconds | timeout",
    "nil | closed",
    "nil | closed",
    "nil | connection refused",
    "nil | no such file or directory",
    "false | `port`: give a number from 1 to 65535",
    -- time
    "true",
    "true",
    "true",
    "1 | nil | 3",
    "nil | timed out after 0.02 seconds | timeout",
    "nil | timed out after 0.02 seconds | timeout",
    "nil | oops",
    "1 | 2",
    "false | oops",
    "3",
    -- guards
    "1 | nil | 3",
    "true",
    "nil | timed out after 0.05 seconds | timeout",
    "nil | no | failed",
    "nil | not called: 2 failures in a row, the next try follows | open",
    "open",
    -- tasks
    "1 | nil | 3",
    "1 | nil | 3",
    "false",
    "true",
    "nil | enough",
    "false",
    "true",
    -- work
    "3 | x | true",
    "nil | work:1: oops",
    "nil | work:1: unexpected symbol near '='",
    "nil | it answers a table: only strings, numbers and booleans can be handed over",
    -- names and files
    "127.0.0.1",
    "2001:db8::1",
    "string",
    "nil | not the name of a host",
    "true",
    "nil | no such file or directory: check the path",
    "nil | is a directory: give a file",
    "true | true",
    "false | 1",
    "one\ntwo\n",
    "nil | /no/such/log: no such file or directory",
}


return _M
