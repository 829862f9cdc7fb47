-- What is answered at once is what would have been answered otherwise, byte for byte: the same
-- random bytes are sent to two servers, of which one does nothing at once, watches no descriptor,
-- reads every body as a document and decides without plans.
local hosts = require("postern.host.uv")
local reloads = require("postern.reload")
local servers = require("postern.server")
local commands = require("spec.support.commands")
local loop = require("spec.support.loop")
local traffic = require("spec.support.traffic")


local FILES = {
    ["open.json"] = [[{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Principal":"*","Action":"*","Resource":"execute-api:/*"},
        {"Effect":"Deny","Principal":"*","Action":"*","Resource":"execute-api:/dev/*/admin*"},
        {"Effect":"Deny","Principal":"*","Action":"*","Resource":"*",
         "Condition":{"Bool":{"aws:SecureTransport":"false"}}},
        {"Effect":"Deny","Principal":"*","Action":"*","Resource":"execute-api:/dev/DELETE/*",
         "Condition":{"NotIpAddress":{"aws:SourceIp":["192.0.2.0/24","2001:db8::/32"]}}},
        {"Effect":"Deny","Principal":"*","Action":"*","Resource":"*",
         "Condition":{"DateLessThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}}]}]],
    ["named.json"] = [[{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"execute-api:Invoke",
         "Resource":"arn:*:execute-api:*:*:*/dev/GET/*"}]}]],
    ["cached.json"] = [[{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"*"}]}]],
    ["inside.json"] = [[{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*",
         "Condition":{"StringEquals":{"aws:SourceVpce":"vpce-1"}}},
        {"Effect":"Deny","Principal":"*","Action":"*","Resource":"*",
         "Condition":{"IpAddress":{"aws:VpcSourceIp":"10.0.9.0/24"}}}]}]],
    ["header.json"] = [[{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"},
        {"Effect":"Deny","Principal":"*","Action":"*","Resource":"*",
         "Condition":{"StringEquals":{"http:Header/x-a":"1"}}}]}]],
    ["hook.lua"] = [[return { kind = "hooks", name = "some", api = 1,
        check = function() return true end,
        after = function(context, decision, config, tools)
            local path = context.http and context.http.path or ""
            if path:find("z") then
                return { reason = "hook", error = "no z", status = 429,
                         headers = { ["X-Z"] = "1" } }
            end
        end }]],
}

local ESTATE = [[
account "111122223333" region "eu-central-1"
vpc "vpc-1" { cidr = "10.0.0.0/16" }
api "open" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev", "live" },
             policy = "open.json" }
api "bare" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" } }
api "named" { endpoint_type = "REGIONAL", authorization = "IAM", stages = { "dev" } }
api "cached" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
               policy = "cached.json", cache_invalidation = "FAIL_WITH_403" }
api "inside" { endpoint_type = "PRIVATE", authorization = "NONE", stages = { "dev" },
               policy = "inside.json" }
endpoint "vpce-1" { service = "execute-api", vpc = "vpc-1" }
endpoint "vpce-2" { service = "execute-api", vpc = "vpc-1" }
principal "ann" { arn = "arn:aws:iam::111122223333:user/ann", policies = "named.json" }
principal "bob" { arn = "arn:aws:iam::111122223333:user/bob" }
]]

local MORE = {
    plain = "",
    ["a hook"] = 'rules "hook.lua" {}\n',
    ["a key of the headers"] = 'rules "keys/http_headers" { headers = { "x-a" } }\n'
        .. 'api "header" { endpoint_type = "REGIONAL", authorization = "NONE", '
        .. 'stages = { "dev" }, policy = "header.json" }\n',
}

local OPEN = { api = "open", stage = "dev" }
local function with(base, more)
    for name, value in pairs(OPEN) do
        base[name] = value
    end
    for name, value in pairs(more or {}) do
        base[name] = value
    end
    return base
end

local PEERS = { "127.0.0.1", "unix:" }
local ENDPOINTS = {
    ["/v1/decide"] = "native",
    ["/guarded"] = { protocol = "native", peers = { "192.0.2.1" } },
    ["/nginx"] = with({ protocol = "forward", profile = "nginx", peers = PEERS }),
    ["/ingress"] = with({ protocol = "forward", profile = "ingress-nginx", peers = PEERS }),
    ["/forward"] = { protocol = "forward", profile = "forwarded", peers = PEERS, apis = {
        { host = "a.example.com", api = "open", stage = "dev" },
        { host = "b.example.com", prefix = "/pets", api = "bare", stage = "dev" } } },
    ["/vpce"] = { protocol = "forward", profile = "forwarded", peers = PEERS, api = "inside",
                  stage = "dev", vpce = "vpce-1" },
    ["/strangers"] = with({ protocol = "forward", profile = "nginx", peers = { "192.0.2.1" } }),
    ["/envoy"] = with({ protocol = "ext_authz", peers = PEERS, address = "x-forwarded-for",
                        scheme = "x-forwarded-proto" }),
    ["/envoy2"] = with({ protocol = "ext_authz", peers = PEERS, address = "unknown",
                         scheme = "https" }),
}


-- ---- The two servers -----------------------------------------------------------------------


local LIMITS = { body_bytes = 20000, requests = 20, pipelined = 8 }

local function new_server(folder, host, socket, more)
    local given = { listen = { "127.0.0.1:0", ("unix:%s/%s.sock"):format(folder, socket) },
                    endpoints = ENDPOINTS, operators = "127.0.0.1", limits = LIMITS }
    for name, value in pairs(more or {}) do
        given[name] = value
    end
    local file = folder .. "/estate.lua"
    local reload = assert(reloads.new(file, { host = host, debounce = 0.01 }))
    local server = assert(servers.new({ host = host, reload = reload, pid = 7, worker = 1,
        settings = assert(servers.check(given, {}, file)) }))
    assert(server:bind())
    assert(server:listen())
    return server, reload
end


-- As if nobody had thought of doing anything at once.
local function do_nothing_at_once(server, reload)
    function reload.decide_plain()
        return nil, true
    end
    reload.generation.estate.plans = nil
    server.front.watch_stream, server.front.handle_at_once = nil, nil
end


-- Sends pieces on a connection of their own, and answers all that comes back; what differs from one
-- second to the next, or by chance, is taken out.
local function exchange(host, server, pieces, by_path)
    local addresses = server:addresses()
    local socket = assert(host:connect(by_path and { path = addresses[2]:match("^unix:(.*)$") }
        or { host = "127.0.0.1", port = tonumber(addresses[1]:match(":(%d+)$")) }))
    for i, piece in ipairs(pieces) do
        if piece ~= "" and not socket:send(piece) then
            break
        end
        if i < #pieces then
            host:sleep(0.001)
        end
    end
    socket.handle:shutdown()
    local parts = {}
    while true do
        local piece, _, kind = socket:receive(nil, 5)
        if not piece then
            assert(kind ~= "timeout", "no end of the answers")
            break
        end
        parts[#parts + 1] = piece
    end
    socket:close()
    return (table.concat(parts):gsub("(\r\n[Dd]ate: )[^\r]*", "%1")
        :gsub("(\r\nX%-Postern%-Decision%-Id: )[^\r]*", "%1")
        :gsub('("request_id":")[^"]*', "%1"))
end


-- What it counted, but for times.
local function counted(server)
    local lines = {}
    for _, family in ipairs({ "postern_decisions_total", "postern_eval_errors_total" }) do
        for line in server.telemetry:render(nil, nil):gmatch("[^\n]+") do
            if line:find(family, 1, true) == 1 then
                lines[#lines + 1] = line
            end
        end
    end
    table.sort(lines)
    return { lines, server.front.answers, server.front.requests, server.front.accepted,
             server.front.counts }
end


-- Cuts bytes at some places.
local function cut(bytes, pick)
    local pieces, at = {}, 1
    while at <= #bytes do
        local size = pick(3) > 1 and #bytes or pick(#bytes)
        pieces[#pieces + 1] = bytes:sub(at, at + size - 1)
        at = at + size
    end
    return pieces
end


describe("answering at once", function()
    local host, other, logged, other_logged, before, servers_now, told

    before_each(function()
        before, logged, other_logged, servers_now = loop.open_handles(), {}, {}, {}
        host = hosts.new({ log = function(line) logged[#logged + 1] = line end })
        other = hosts.new({ log = function(line) other_logged[#other_logged + 1] = line end })
    end)

    after_each(function()
        for _, server in ipairs(servers_now) do
            server:close()
        end
        host:close()
        other:close()
        assert.equal(before, loop.open_handles())
    end)

    local function with_both(more, given, fn)
        local files = { ["estate.lua"] = ESTATE .. more }
        for name, text in pairs(FILES) do
            files[name] = text
        end
        commands.with_files(files, function(folder)
            local general = other:block(function()
                local made, reload = new_server(folder, other, "other", given)
                servers_now[1] = made
                do_nothing_at_once(made, reload)
                return made
            end)
            host:block(function()
                local server = new_server(folder, host, "host", given)
                servers_now[2] = server
                told = 0
                local at_once = server.front.handle_at_once
                server.front.handle_at_once = at_once and function(message)
                    local status, headers, body = at_once(message)
                    told = told + (status and 1 or 0)
                    return status, headers, body
                end
                fn(server, general)
            end)
        end)
    end

    local function compare(server, general, pieces, by_path)
        local expected = exchange(host, general, pieces, by_path)
        local got = exchange(host, server, pieces, by_path)
        if expected ~= got then
            assert.same({ expected, table.concat(pieces, "|CUT|") },
                        { got, table.concat(pieces, "|CUT|") })
        end
        return got
    end

    for name, more in pairs(MORE) do
        it("is answering as otherwise, whatever is asked: " .. name, function()
            with_both(more, nil, function(server, general)
                local pick = traffic.begin(#name)
                for _ = 1, 300 do
                    local bytes = traffic.messages(pick({ 1, 1, 1, 2, 3, 8, 25 }), pick(2) == 1)
                    compare(server, general, cut(bytes, pick), pick(4) == 1)
                end
                assert.same(counted(general), counted(server))
                assert.is_true(name == "a hook" and told == 0 or told > 100, told)
            end)
        end)
    end

    it("is not for a server with a decision log", function()
        with_both("", { audit = { path = "/dev/null" } }, function(server, general)
            traffic.begin(3)
            for _ = 1, 50 do
                compare(server, general, { traffic.messages(1) })
            end
            assert.equal(0, told)
        end)
    end)

    -- Few, so that none is left out of what is told in a second.
    it("tells the operator the same", function()
        with_both("", nil, function(server, general)
            traffic.begin(9)
            for i = 1, 12 do
                compare(server, general, { traffic.forwarded() })
                if i % 4 == 0 then
                    host:sleep(1.1)
                end
            end
            assert.same(other_logged, logged)
            assert.is_true(#logged > 2)
        end)
    end)

    local CALL = '{"api":"open","stage":"dev","method":"GET","path":"%s","scheme":"https"}'

    local function post(path)
        local body = CALL:format(path)
        return ("POST /v1/decide HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            .. "Content-Length: %d\r\n\r\n%s"):format(#body, body)
    end

    it("is the same wherever bytes are cut", function()
        with_both("", nil, function(server, general)
            local bytes = post("/pets") .. "GET /nginx HTTP/1.1\r\nHost: a\r\n"
                .. "X-Original-Method: GET\r\nX-Original-URI: /admin\r\nX-Original-Host: a\r\n"
                .. "X-Original-Scheme: https\r\nX-Real-IP: 192.0.2.7\r\n\r\n" .. post("/admin")
            local expected = exchange(host, general, { bytes })
            local single = {}
            for at = 1, #bytes do
                single[at] = bytes:sub(at, at)
                local got = exchange(host, server, { bytes:sub(1, at), bytes:sub(at + 1) })
                assert.equal(expected, got)
            end
            assert.equal(expected, exchange(host, server, single))
            assert.is_true(told > #bytes)
            local _, answers = expected:gsub("HTTP/1%.1 ", "")
            assert.equal(3, answers)
        end)
    end)

    it("is the same up to where a message is refused", function()
        with_both("", nil, function(server, general)
            for _, bad in ipairs({ "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "\0\0\0\r\n\r\n",
                "POST /v1/decide HTTP/1.1\r\nHost: a\r\nContent-Length: 20001\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a\r\nX: " .. ("y"):rep(70000) .. "\r\n\r\n" }) do
                local got = compare(server, general, { post("/pets"):rep(3) .. bad .. post("/x") })
                local _, answers = got:gsub("HTTP/1%.1 200", "")
                assert.equal(3, answers)
                assert.matches("HTTP/1%.1 4%d%d", got)
            end
            assert.is_true(told >= 8)
        end)
    end)
end)
