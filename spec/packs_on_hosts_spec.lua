-- One pack file, unchanged, in an estate on every host: a lazy key over HTTP, a cheap key, a hook.
local hosts_uv = require("postern.host.uv")
local hosts_plain = require("postern.host.plain")
local http_server = require("spec.support.http_server")
local loop = require("spec.support.loop")
local nginx = require("spec.support.nginx")
local lfs = require("lfs")


local FILES = {
    ["estate.lua"] = [[
account "111122223333" region "eu-central-1"
rules "pack.lua" { url = "%s" }
rules "hook.lua"
api "a1" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live" },
           policy = "p.json" }
]],
    ["p.json"] = [[{ "Version": "2012-10-17", "Statement": [
        { "Sid": "Asked", "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
          "Resource": "execute-api:/live/GET/ask/*",
          "Condition": { "StringLike": { "acme:Answer": "GET /echo *" } } },
        { "Sid": "Free", "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
          "Resource": "execute-api:/live/GET/free/*" } ] }]],
    ["pack.lua"] = [[
return {
    kind = "keys", name = "asking", api = 1, lazy = true,
    check = function(config) return config.url ~= nil, "`url` is missing" end,
    limits = { timeout = 0.3, failures = 100 },
    start = function(config, tools)
        tools.sleep(0.001) -- a lazy pack may wait while it starts, too
        return { started = true }
    end,
    keys = { ["acme:Answer"] = function(context, config, tools)
        assert(tools.state.started)
        local path = context.http.path:match("^/live/ask/(.*)$")
        local answer, err = tools.http({ url = config.url .. "/" .. path })
        return answer and answer.body, err
    end },
}]],
    ["hook.lua"] = [[
return {
    kind = "hooks", name = "header", api = 1, check = function() return true end,
    after = function(context, decision, config, tools)
        local slept, err = tools.sleep(1)
        return { headers = { ["x-reason"] = decision.reason, ["x-slept"] = tostring(err) } }
    end,
}]],
}

-- What the estate is asked, and what each host must answer: decision, statement, and a piece of the
-- error.
local ROWS = {
    { "/live/ask/echo", "Allowed", "Asked", nil },
    { "/live/free/x", "Allowed", "Free", nil },
    { "/live/ask/status/404", "ImplicitlyDenied", nil, nil },
    { "/live/ask/never", "ImplicitlyDenied", nil, "timed out after 0.3 seconds" },
    { "/live/ask/close", "ImplicitlyDenied", nil, "the key `acme:answer` of the keys pack `asking` "
        .. "failed: " },
}


-- The same text is run on each host; it answers one line a row.
local RUN = [[
local postern = require("postern")
local estate = assert(postern.open(folder .. "/estate.lua", { host = host, log = function() end }))
local lines = {}
for i, path in ipairs(paths) do
    local decision = estate:authorize({ api = "a1", path = path })
    lines[i] = table.concat({
        decision.decision, tostring(decision.deciding and decision.deciding.sid),
        tostring(decision.headers and decision.headers["x-reason"]),
        tostring(decision.headers and decision.headers["x-slept"]),
        tostring(decision.error),
    }, "\31")
end
estate:close()
return table.concat(lines, "\30")
]]


describe("a rule pack on every host", function()
    local server, folder, before

    before_each(function()
        before = loop.open_handles()
        server = http_server.start()
        folder = os.tmpname()
        os.remove(folder)
        assert(lfs.mkdir(folder))
        for name, text in pairs(FILES) do
            local file = assert(io.open(folder .. "/" .. name, "wb"))
            file:write(name == "estate.lua" and text:format(server.url) or text)
            file:close()
        end
    end)

    after_each(function()
        server:stop()
        for name in pairs(FILES) do
            os.remove(folder .. "/" .. name)
        end
        os.remove(folder)
        assert.equal(before, loop.open_handles())
    end)

    local function paths()
        local list = {}
        for i, row in ipairs(ROWS) do
            list[i] = row[1]
        end
        return list
    end

    local function run(host)
        local chunk = assert(load(RUN, "@run", "t", setmetatable({
            folder = folder, host = host, paths = paths(),
        }, { __index = _G })))
        return chunk()
    end

    local function check(said)
        local i = 0
        for line in (said .. "\30"):gmatch("([^\30]*)\30") do
            i = i + 1
            local row = ROWS[i]
            local decision, sid, reason, slept, err = line:match(("([^\31]*)\31"):rep(4) .. "(.*)")
            assert.equal(row[2], decision, row[1] .. ": " .. err)
            assert.equal(tostring(row[3]), sid)
            assert.equal(row[4] and "error" or (row[3] and "allow" or "no_allow_resource"), reason)
            assert.equal("`sleep` waits, which only a lazy keys pack may do", slept)
            if row[4] then
                assert.matches(row[4], err, 1, true)
            else
                assert.equal("nil", err)
            end
        end
        assert.equal(#ROWS, i)
    end

    it("decides alike on libuv, in a task and outside of one", function()
        local host = hosts_uv.new()
        check(host:block(run, host))
        check(run(host))
        host:close()
    end)

    it("decides alike on the plain host, where waiting blocks", function()
        local host = hosts_plain.new()
        check(run(host))
        host:close()
    end)

    it("decides alike in nginx", function()
        local host = hosts_uv.new()
        local list = {}
        for i, path in ipairs(paths()) do
            list[i] = ("%q"):format(path)
        end
        local running = nginx.start({ locations = { ["/"] = ([[
            local host = require("postern.host.resty").new()
            local folder, paths = %q, { %s }
            local function run() %s end
            ngx.print(run())
        ]]):format(folder, table.concat(list, ", "), RUN) } }, host)
        local response, err = host:block(host.http, host, { url = running.url .. "/",
            timeout = 60 })
        local log = running:log()
        running:stop()
        host:close()
        assert(response, err)
        assert(response.status == 200, log)
        check(response.body)
    end)
end)
