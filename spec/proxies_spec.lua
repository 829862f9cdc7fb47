-- `postern serve` with the programs it is made for: nginx, Caddy and HAProxy that ask it about each
-- call, HAProxy in front of it, curl, wrk and promtool as clients.
local commands = require("spec.support.commands")
local front = require("spec.support.front")
local json = require("dkjson")
local loop = require("spec.support.loop")
local ports = require("spec.support.ports")
local proxies = require("spec.support.proxies")
local raw = require("spec.support.raw")
local served = require("spec.support.served")


local SERVE = [[
serve {
    operators = { "127.0.0.1", "unix:" },
    endpoints = {
        ["/auth"] = { protocol = "forward", profile = "forwarded",
                      peers = { "127.0.0.1", "unix:" }, api = "pets", stage = "live" },
        ["/auth/forwarded"] = { protocol = "forward", profile = "forwarded", peers = { "unix:" },
                                api = "pets", stage = "live" },
        ["/auth/nginx"] = { protocol = "forward", profile = "nginx", peers = { "unix:" },
                            api = "pets", stage = "live" },
    },
}
]]

local DECIDE = '{"api":"pets","stage":"live","method":"GET","path":"/pets","peer":"192.0.2.1"}'

-- Each speaks of /admin, which a Deny names, or of no path at all.
local ODD_TARGETS = {
    "/admin", "/%61dmin", "/admin?x=/pets", "/admin/", "/pets/../admin", "/pets/%2e%2e/admin",
    "/pets/..%2fadmin", "/pets/.%2e/admin", "//admin", "/%2fadmin", "/./admin", "/admin%2Fx",
    "/pets%5C..%5Cadmin", "/pets/%252e%252e/admin", "/pets;x=/admin", "/pets/..;/admin",
    "/pets/%C0%AE%C0%AE/admin", "/admin%00", "/pets/%0d%0a", "/pets#/../admin", "/ADMIN", "/",
    "/../admin", "http://localhost/admin", "http://localhost:80/pets/../admin", "*", "admin",
}

-- Ways to make two programs see two different requests.
local SMUGGLING = {
    "POST /pets HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n"
        .. "0\r\n\r\nG",
    "POST /pets HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n",
    "POST /pets HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "POST /pets HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "POST /pets HTTP/1.1\r\nHost: a\r\nX: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST /pets HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "POST /pets HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n",
    "POST /pets HTTP/1.1\r\nHost: a\r\nContent-Length: 0x0\r\n\r\n",
    "POST /pets HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0 ;x\r\n\r\n",
    "GET /pets HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "GET /pets HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    "GET /pets HTTP/1.1\nHost: a\n\n",
    "GET /pets\r\n",
    "GET /pets HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        .. "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\0\1\2\3\r\n\r\n",
}

local LAST = "GET /admin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


-- Starts the server, hands a function its socket, its port and its folder, and stops it.
local function with_server(fn, flags)
    commands.with_files({
        ["estate.lua"] = front.ESTATE .. SERVE, ["pets.json"] = front.PETS,
        ["notes.json"] = front.NOTES,
    }, function(folder)
        local port, socket = ports.free(), folder .. "/postern.sock"
        local at = { port = port, socket = socket, folder = folder }
        function at.start()
            at.server = served.start(("exec postern serve estate.lua --listen 127.0.0.1:%d "
                .. "--listen unix:%s %s"):format(port, socket, flags or ""), { folder = folder })
            at.server:ready()
        end
        local ok, err = pcall(function()
            at.start()
            fn(at)
            -- Whatever it was sent, it is there, and ends as it should.
            assert.equal("ok\n", at.server:curl(("http://127.0.0.1:%d/healthz"):format(port)))
            assert.equal(0, at.server:stop())
        end)
        at.server:close()
        if not ok then
            error(err, 0)
        end
    end)
end


local function with_proxy(make, fn, flags)
    with_server(function(at)
        local proxy = make(at)
        local ok, err = pcall(fn, proxy, at)
        proxy:stop()
        if not ok then
            error(err, 0)
        end
    end, flags)
end


local PROXIES = {
    { name = "nginx with auth_request", down = 500, tells_headers = true,
      make = function(at) return proxies.nginx(at.socket) end,
      spoofed = { "X-Original-URI: /pets", "X-Original-Method: GET", "X-Original-Host: localhost",
                  "X-Original-Scheme: https", "X-Real-IP: 192.0.2.7" } },
    { name = "Caddy with forward_auth", down = 502, tells_headers = true,
      make = function(at) return proxies.caddy(at.socket, at.folder) end,
      spoofed = { "X-Forwarded-Uri: /pets", "X-Forwarded-Method: GET", "X-Forwarded-Proto: https",
                  "X-Forwarded-Host: localhost", "X-Forwarded-For: 192.0.2.7" } },
    { name = "HAProxy with examples/haproxy", down = 403, tells_headers = false,
      make = function(at) return proxies.haproxy(at.port, at.folder) end,
      spoofed = { "X-Forwarded-Uri: /pets", "X-Forwarded-Method: GET", "X-Forwarded-Proto: https",
                  "X-Forwarded-Host: localhost", "X-Forwarded-For: 192.0.2.7" } },
}


describe("postern serve, asked by", function()
    local before

    before_each(function()
        before = loop.open_handles()
    end)

    after_each(function()
        assert.equal(before, loop.open_handles())
    end)

    for _, kind in ipairs(PROXIES) do
        describe(kind.name .. ",", function()
            it("decides on the call that was made, by whom it was made", function()
                with_proxy(kind.make, function(proxy)
                    local status, text = proxy:ask("/pets/7?x=1")
                    assert.equal(200, status)
                    assert.matches("upstream GET /pets/7?x=1\n", text, 1, true)
                    status, text = proxy:ask("/pets", { method = "POST", body = ("x"):rep(70000) })
                    assert.equal(200, status)
                    assert.matches("upstream POST /pets\n", text, 1, true)

                    status, text = proxy:ask("/admin")
                    assert.equal(403, status)
                    assert.not_matches("NoAdmin", text)
                    assert.equal(403, proxy:ask("/pets", { from = "127.0.0.9" }))
                    assert.equal(403, proxy:ask("/admin", { headers = kind.spoofed }))
                    assert.equal(403, proxy:ask("/pets", { from = "127.0.0.9",
                                                           headers = kind.spoofed }))
                    if kind.tells_headers then
                        assert.equal(403, proxy:ask("/pets", {
                            headers = { "Referer: http://evil.example.com/" } }))
                    end
                end)
            end)

            it("lets nothing through by another spelling", function()
                with_proxy(kind.make, function(proxy)
                    for _, target in ipairs(ODD_TARGETS) do
                        local status, text = proxy:ask(target)
                        assert.is_true(status == 0 or status >= 300, target .. ": " .. text)
                        assert.not_matches("upstream", text, 1, true)
                    end
                end)
            end)

            it("lets no second request through behind a malformed one", function()
                with_proxy(kind.make, function(proxy)
                    local answered = 0
                    for _, bytes in ipairs(SMUGGLING) do
                        local text = raw.send(proxy.port, bytes .. LAST, { patience = 500 })
                        assert.not_matches("upstream %S+ /admin", text)
                        answered = answered + (text:find("^HTTP/1") and 1 or 0)
                    end
                    assert.is_true(answered >= 12, answered .. " answers")
                    assert.equal(200, (proxy:ask("/pets")))
                end)
            end)

            it("lets nothing through while it does not answer, and again when it does", function()
                with_proxy(kind.make, function(proxy, at)
                    assert.equal(200, (proxy:ask("/pets")))
                    assert.equal(0, at.server:stop())
                    assert.equal(kind.down, (proxy:ask("/pets")))
                    at.server:close()
                    at.start()
                    -- nginx takes it for broken for a while.
                    assert.is_truthy(at.server:until_true(function()
                        return proxy:ask("/pets") == 200
                    end))
                end)
            end)
        end)
    end

    it("nginx that tells too little, lets nothing through", function()
        with_server(function(at)
            for _, header in ipairs({ "X-Original-Method", "X-Original-URI", "X-Original-Host",
                                      "X-Original-Scheme", "X-Real-IP" }) do
                local proxy = proxies.nginx(at.socket, header)
                local status = proxy:ask("/pets")
                proxy:stop()
                assert.equal(403, status, header)
            end
        end)
    end)

    it("nginx a hundred times, is asked over few connections", function()
        with_proxy(PROXIES[1].make, function(proxy, at)
            for i = 1, 100 do
                assert.equal(i % 2 == 0 and 200 or 403, (proxy:ask(i % 2 == 0 and "/pets"
                    or "/admin")))
            end
            local status = json.decode(at.server:curl("--unix-socket " .. at.socket
                .. " http://postern/status"))
            assert.is_true(status.requests >= 100)
            assert.is_true(status.connections.accepted <= 5, status.connections.accepted)
        end)
    end)
end)


describe("postern serve", function()
    it("behind HAProxy answers what is well-formed, and nothing else", function()
        with_proxy(function(at) return proxies.before(at.port, at.folder) end, function(proxy)
            local json_lines = { "Content-Type: application/json" }
            local status, text = proxy:ask("/v1/decide", { method = "POST", headers = json_lines,
                                                           body = DECIDE })
            assert.equal(200, status)
            assert.matches('"decision":"Allowed"', text, 1, true)
            local post = ("POST /v1/decide HTTP/1.1\r\nHost: a\r\nContent-Type: application/json"
                .. "\r\nContent-Length: %d\r\n\r\n%s"):format(#DECIDE, DECIDE)
            for _, bytes in ipairs(SMUGGLING) do
                text = raw.send(proxy.port, bytes:gsub("/pets", "/v1/decide") .. post,
                                { patience = 500 })
                local _, answers = text:gsub("HTTP/1%.1 %d%d%d ", "")
                assert.is_true(answers <= 2, text)
            end
            -- The next one on the connection that HAProxy kept gets its own answer.
            for _ = 1, 20 do
                status, text = proxy:ask("/v1/decide", { method = "POST", headers = json_lines,
                                                         body = DECIDE:gsub("/pets", "/admin") })
                assert.equal(200, status)
                assert.matches('"decision":"ExplicitlyDenied"', text, 1, true)
            end
        end)
    end)

    it("answers wrk on many connections, with several processes", function()
        with_server(function(at)
            local script = at.folder .. "/decide.lua"
            local file = assert(io.open(script, "w"))
            file:write(('wrk.method, wrk.body = "POST", [[%s]]\n'):format(DECIDE),
                'wrk.headers["Content-Type"] = "application/json"\n',
                "function response(status, _, body)\n",
                [[    if status ~= 200 or not body:find('"allowed":true') then print("wrong") end]],
                "\nend\n")
            file:close()
            local said = commands.sh(("LD_PRELOAD= wrk -t 1 -c 64 -d 1s -s %s "
                .. "http://127.0.0.1:%d/v1/decide"):format(script, at.port))
            assert.is_true(tonumber(said:match("(%d+) requests in")) > 100, said)
            for _, wrong in ipairs({ "wrong", "Non%-2xx", "Socket errors" }) do
                assert.not_matches(wrong, said)
            end
        end, "--workers 2")
    end)

    it("has metrics that promtool takes", function()
        local _, absent = commands.sh("command -v promtool")
        if absent ~= 0 then
            pending("promtool is not there: Debian's package prometheus has it")
            return
        end
        with_server(function(at)
            for _, path in ipairs({ "/pets", "/admin", "/pets/../x" }) do
                at.server:curl(("--json '%s' http://127.0.0.1:%d/v1/decide"):format(
                    DECIDE:gsub("/pets", path), at.port))
            end
            local said, status = commands.sh(("curl -s http://127.0.0.1:%d/metrics | "
                .. "LD_PRELOAD= promtool check metrics"):format(at.port))
            assert.equal("", said)
            assert.equal(0, status)
        end)
    end)
end)
