-- The least an HTTP server in Lua can do, with luv and llhttp: what `postern serve` is built of.
--
--     luajit spec/bench/luv_server.lua BUILD PORT fixed|cjson|204|decide [ESTATE]
--
-- `fixed` reads a request and gives a fixed answer; `cjson` also decodes its body and encodes the
-- answer, as a server would that keeps to tables; `204` answers without a body. `decide` does what
-- `cjson` does and asks an estate in between, whose files it follows: no limits, no protection.
local build, port, mode, path = arg[1], tonumber(arg[2]), arg[3], arg[4]
package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path
package.cpath = build .. "/?.so;" .. package.cpath

local uv = require("luv")
local json = require("cjson")
local http = require("postern.http")
local servers = require("spec.bench.servers")

local HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
local FIXED = HEAD:format(#servers.ANSWER, servers.ANSWER)
local DECODED = json.decode(servers.ANSWER)


local ANSWERS = {}

function ANSWERS.fixed()
    return FIXED
end

ANSWERS["204"] = function()
    return "HTTP/1.1 204 No Content\r\n\r\n"
end

function ANSWERS.cjson(reader)
    local request = json.decode(reader:message().body)
    assert(request.api)
    local text = json.encode(DECODED)
    return HEAD:format(#text, text)
end


local reload

function ANSWERS.decide(reader)
    local decision = reload:authorize(json.decode(reader:message().body))
    local text = json.encode({ decision = decision.decision, allowed = decision.allowed,
        reason = decision.reason, status = decision.status, revision = decision.revision })
    return HEAD:format(#text, text)
end


local answer = assert(ANSWERS[mode], "fixed, cjson, 204 or decide")

if mode == "decide" then
    local host = require("postern.host.uv").new()
    host:block(function()
        reload = assert(require("postern.reload").new(path, { host = host, poll = 0.05 }))
    end)
end

local server = uv.new_tcp()
assert(server:bind("127.0.0.1", port))
assert(server:listen(1024, function()
    local client = uv.new_tcp()
    server:accept(client)
    client:nodelay(true)
    local reader = http.reader("request", {})
    client:read_start(function(err, bytes)
        local at, out = 1, ""
        while not err and bytes and at <= #bytes do
            local whole
            whole, at = reader:feed(bytes, at)
            if whole == nil then
                return client:close()
            elseif whole then
                out = out .. answer(reader)
                reader:reset()
            end
        end
        if #out > 0 then
            local sent = client:try_write(out) or 0
            if sent < #out then
                client:write(out:sub(sent + 1))
            end
        elseif (err or not bytes) and not client:is_closing() then
            client:close()
        end
    end)
end))
uv.run()
