-- `postern serve` in processes of its own, curl as the client.
local uv = require("luv")
local cli = require("postern.cli")
local listeners = require("postern.host.uv_listener")
local hosts = require("postern.host.uv")
local commands = require("spec.support.commands")
local datagrams = require("spec.support.datagrams")
local loop = require("spec.support.loop")
local served = require("spec.support.served")
local json = require("dkjson")


local POLICY = [[{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
"Action":"execute-api:Invoke","Resource":"execute-api:/dev/GET/*"}]}]]

local ESTATE = [[
account "111122223333"
region "eu-central-1"
api "a1b2c3d4e5" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
                   policy = "policy.json" }
]]


local function alive(pid)
    return uv.kill(pid, 0) == 0
end


-- A command that does not serve: what it says, and its exit status.
local function fails(folder, ...)
    local said = {}
    local argv = { "serve", ... }
    local status = cli.main(argv, { out = print,
        err = function(line) said[#said + 1] = line:gsub(folder .. "/", "") end })
    assert.equal(2, status)
    return table.concat(said, "\n")
end


describe("postern serve", function()
    local before, server

    before_each(function()
        before = loop.open_handles()
    end)

    after_each(function()
        if server then
            server:close()
            server = nil
        end
        assert.equal(before, loop.open_handles())
    end)

    local function with_estate(more, fn)
        commands.with_files({ ["estate.lua"] = ESTATE .. more, ["policy.json"] = POLICY }, fn)
    end

    local function start(line, options)
        server = served.start("exec " .. line .. " --operator 127.0.0.1", options)
        return server
    end

    local function write(path, text)
        local file = assert(io.open(path, "w"))
        file:write(text)
        file:close()
    end

    it("serves an estate until it is told to stop", function()
        with_estate("", function(folder)
            start("postern serve --listen 127.0.0.1:0", { folder = folder })
            local url = "http://" .. server:ready()
            assert.equal("ok\n", server:curl(url .. "/healthz"))
            assert.matches("^ready %x+\n$", server:curl(url .. "/readyz"))
            assert.matches("\npostern_build_info{", server:curl(url .. "/metrics"))
            assert.matches("# EOF\n$", server:curl("-H 'Accept: application/openmetrics-text' "
                .. url .. "/metrics"))
            assert.equal("HTTP/1.1 200 OK\r\n", server:curl("-I " .. url .. "/status")
                :match("^[^\n]+\n"))
            -- curl asks to be told to go on, since the body is large.
            assert.matches("404", server:curl("-w '%{http_code}' -H 'Expect: 100-continue' "
                .. "--data-binary @" .. folder .. "/policy.json " .. url .. "/nowhere"))
            assert.equal(0, server:stop())
            assert.matches("^postern: listening on 127.0.0.1:%d+, revision %x+\n$", server.said)
        end)
        server:close()
        with_estate("", function(folder)
            start("postern serve estate.lua --listen 127.0.0.1:0", { folder = folder })
            server:ready()
            assert.equal(0, server:stop("sigint"))
        end)
    end)

    it("reads its estate anew when it is told, and when its files change", function()
        with_estate("", function(folder)
            start("postern serve estate.lua --listen 127.0.0.1:0", { folder = folder })
            local url = "http://" .. server:ready()
            local first = server:curl(url .. "/readyz")
            write(folder .. "/policy.json", (POLICY:gsub("dev", "*")))
            local second = server:until_true(function()
                local now = server.said:match("revision (%x+) is in use")
                return now and "ready " .. now .. "\n"
            end)
            assert.not_equal(first, second)
            assert.equal(second, server:curl(url .. "/readyz"))
            uv.kill(server.pid, "sighup")
            assert.is_truthy(server:until_true(function()
                return server:curl(url .. "/metrics")
                    :find('postern_policy_reload_total{outcome="unchanged"} 1', 1, true)
            end))
            write(folder .. "/policy.json", "{")
            assert.is_truthy(server:until_true(function()
                return server.said:find("stays in use", 1, true)
            end))
            assert.equal(second, server:curl(url .. "/readyz"))
            assert.matches("policy.json:1:2", server.said, 1, true)
        end)
    end)

    it("serves with several processes, which end with it", function()
        with_estate("", function(folder)
            start("postern serve estate.lua --workers 2 --listen 127.0.0.1:0 --listen unix:"
                .. folder .. "/s.sock", { folder = folder })
            local url = "http://" .. server:ready()
            local pids = {}
            assert.is_truthy(server:until_true(function()
                local status = json.decode(server:curl(url .. "/status"))
                pids[status.worker] = status.pid
                return pids[1] and pids[2]
            end))
            assert.equal("ok\n", server:curl("--unix-socket " .. folder
                .. "/s.sock http://a/healthz"))
            uv.kill(pids[1], "sigkill")
            assert.is_truthy(server:until_true(function()
                assert.equal("ok\n", server:curl(url .. "/healthz"))
                local status = json.decode(server:curl(url .. "/status"))
                return status.worker == 1 and status.pid ~= pids[1]
            end))
            assert.matches("worker 1 (process " .. pids[1] .. ") has ended, by signal 9",
                server.said, 1, true)
            -- Both are in the metrics of either.
            assert.is_truthy(server:until_true(function()
                local text = server:curl(url .. "/metrics")
                return text:find('postern_http_connections{worker="1"}', 1, true)
                    and text:find('postern_http_connections{worker="2"}', 1, true)
                    and text:find('postern_policy_revision_info{source="estate",rev', 1, true)
            end))
            assert.equal(0, server:stop())
            assert.is_false(alive(pids[2]))
            assert.is_nil(uv.fs_stat(folder .. "/s.sock"))
        end)
    end)

    it("counts on when a process ends", function()
        with_estate("", function(folder)
            start("postern serve estate.lua --workers 2 --listen 127.0.0.1:0", { folder = folder })
            local url = "http://" .. server:ready()
            local function count()
                return tonumber(server:curl(url .. "/metrics")
                    :match('postern_http_responses_total{status="404"} (%d+)'))
            end
            for _ = 1, 10 do
                server:curl(url .. "/nowhere")
            end
            assert.is_truthy(server:until_true(function() return count() == 10 end))
            -- What both have told their parent meanwhile outlives them.
            server:until_true(function()
                server.host:sleep(1.2)
                return true
            end)
            local status = json.decode(server:curl(url .. "/status"))
            uv.kill(status.pid, "sigkill")
            assert.is_truthy(server:until_true(function()
                return server.said:find("is started again", 1, true)
            end))
            assert.equal(10, count())
        end)
    end)

    it("leaves no process behind, even when it is killed", function()
        with_estate("", function(folder)
            start("postern serve estate.lua --workers 2 --listen 127.0.0.1:0", { folder = folder })
            local status = json.decode(server:curl("http://" .. server:ready() .. "/status"))
            assert.equal(-9, server:stop("sigkill"))
            assert.is_truthy(server:until_true(function() return not alive(status.pid) end))
        end)
    end)

    it("takes the sockets that systemd hands over", function()
        with_estate("", function(folder)
            local host = hosts.new()
            local bound = host:block(listeners.bind, host, "127.0.0.1:0")
            for _, workers in ipairs({ 1, 2 }) do
                start("env LISTEN_FDS=1 LISTEN_PID=$$ postern serve estate.lua --workers "
                    .. workers, { folder = folder, sockets = { bound.handle } })
                assert.equal(bound:name(), server:ready())
                assert.equal("ok\n", server:curl("http://" .. bound:name() .. "/healthz"))
                assert.equal(0, server:stop())
                server:close()
            end
            server = nil
            host:close()
        end)
    end)

    it("tells systemd when it is ready, reads anew and stops", function()
        with_estate("", function(folder)
            for _, workers in ipairs({ 1, 2 }) do
                local manager = datagrams.bind(folder .. "/notify")
                start("env NOTIFY_SOCKET=" .. folder .. "/notify postern serve estate.lua "
                    .. "--listen 127.0.0.1:0 --workers " .. workers, { folder = folder })
                local function told(pattern)
                    local text
                    assert.is_truthy(server:until_true(function()
                        text = text or manager:next()
                        return text
                    end))
                    assert.matches(pattern, text)
                end
                told("^READY=1\nSTATUS=serving$")
                assert.matches("listening on", server.said)
                uv.kill(server.pid, "sighup")
                told("^RELOADING=1\nMONOTONIC_USEC=%d+$")
                told("^READY=1\nSTATUS=")
                assert.equal(0, server:stop())
                told("^STOPPING=1$")
                assert.is_nil(manager:next())
                server:close()
                manager:close()
                os.remove(folder .. "/notify")
            end
            start("env NOTIFY_SOCKET=" .. folder .. "/nobody postern serve estate.lua "
                .. "--listen 127.0.0.1:0", { folder = folder })
            server:ready()
            assert.is_truthy(server:until_true(function()
                return server.said:find("postern: NOTIFY_SOCKET: the service manager: ", 1, true)
            end))
        end)
    end)

    it("answers what has begun before it ends", function()
        with_estate("", function(folder)
            for _, workers in ipairs({ 1, 2 }) do
                start("postern serve estate.lua --listen 127.0.0.1:0 --workers " .. workers,
                    { folder = folder })
                local port = tonumber(server:ready():match("%d+$"))
                local host = server.host
                host:block(function()
                    local socket = assert(host:connect({ host = "127.0.0.1", port = port }))
                    socket:send("GET /healthz HTTP/1.1\r\nHost: a\r\n")
                    host:sleep(0.1)
                    uv.kill(server.pid, "sigterm")
                    host:sleep(0.1)
                    assert.is_nil(server.status)
                    socket:send("\r\n")
                    assert.matches("^HTTP/1.1 200 OK\r\n.*Connection: close\r\n.*ok\n$",
                        socket:receive())
                end)
                assert.is_truthy(server:until_true(function() return server.status end))
                assert.equal(0, server.status)
                server:close()
            end
            server = nil
        end)
    end)

    it("ends when the time for that is over, and at once when it is told twice", function()
        with_estate("", function(folder)
            for drain, signals in pairs({ ["0.1"] = 1, ["60"] = 2 }) do
                start("postern serve estate.lua --listen 127.0.0.1:0 --drain " .. drain,
                    { folder = folder })
                local port = tonumber(server:ready():match("%d+$"))
                local host = server.host
                host:block(function()
                    local socket = assert(host:connect({ host = "127.0.0.1", port = port }))
                    socket:send("GET /healthz HTTP/1.1\r\nHost: a\r\n")
                    host:sleep(0.1)
                    for _ = 1, signals do
                        uv.kill(server.pid, "sigterm")
                        host:sleep(0.05)
                    end
                end)
                assert.is_truthy(server:until_true(function() return server.status end))
                assert.equal(0, server.status)
                server:close()
            end
            server = nil
        end)
    end)

    it("is not ready for a while before it ends, and goes on", function()
        with_estate("", function(folder)
            for _, workers in ipairs({ 1, 2 }) do
                start("postern serve estate.lua --listen 127.0.0.1:0 --drain 0.5 --drain-delay 1 "
                    .. "--workers " .. workers, { folder = folder })
                local url = "http://" .. server:ready()
                uv.kill(server.pid, "sigterm")
                assert.is_truthy(server:until_true(function()
                    return server:curl(url .. "/readyz") == "draining\n"
                end))
                assert.equal("ok\n", server:curl(url .. "/healthz"))
                assert.is_nil(server.status)
                assert.is_truthy(server:until_true(function() return server.status end))
                assert.equal(0, server.status)
                server:close()
            end
            server = nil
        end)
    end)

    it("lives on when it is told to open files anew, without any", function()
        with_estate("", function(folder)
            start("postern serve estate.lua --listen 127.0.0.1:0", { folder = folder })
            local url = "http://" .. server:ready()
            uv.kill(server.pid, "sigusr1")
            assert.equal("ok\n", server:curl(url .. "/healthz"))
            assert.equal(0, server:stop())
        end)
    end)

    it("is set up by the estate; the command line goes before", function()
        with_estate('serve { listen = { { address = "unix:s.sock" } } }', function(folder)
            assert.matches("^estate.lua:5: serve: listen 1: `unix:s.sock`: give the path of a "
                .. "socket", (fails(folder, folder .. "/estate.lua")))
        end)
        with_estate('serve { listen = "127.0.0.1:1", endpoints = { ["/status"] = false } }',
            function(folder)
                start("postern serve estate.lua --listen 127.0.0.1:0", { folder = folder })
                local url = "http://" .. server:ready()
                assert.equal('{"message":"Not Found"}\n', server:curl(url .. "/status"))
            end)
    end)

    it("says what is wrong, and where", function()
        with_estate("serve { wrkers = 2 }", function(folder)
            assert.equal("estate.lua:5: serve: unknown member `wrkers`: did you mean `workers`?",
                fails(folder, folder .. "/estate.lua"))
        end)
        with_estate("serve { endpoints = { ['/x'] = { protocol = 'health', a = 1 } } }",
            function(folder)
                assert.matches("^estate.lua:5: serve: endpoint `/x`: .*unknown option `a`",
                    fails(folder, folder .. "/estate.lua"))
            end)
        with_estate("serv {}", function(folder)
            assert.matches("^estate.lua:5: unknown word `serv`: did you mean `serve`?",
                fails(folder, folder .. "/estate.lua"))
        end)
        with_estate("", function(folder)
            local path = folder .. "/estate.lua"
            assert.equal("--workers `many`: give a number",
                fails(folder, path, "--workers", "many"))
            assert.matches("`workers` is 1000: give a whole number from 0 to 256",
                fails(folder, path, "--workers", "1000"), 1, true)
            assert.matches("`8180`: give ADDRESS:PORT", fails(folder, path, "--listen", "8180"), 1,
                true)
            assert.matches("`192.0.2.1:80`: address not available",
                fails(folder, path, "--listen", "192.0.2.1:80"), 1, true)
            assert.matches("`192.0.2.1:80`: address not available",
                fails(folder, path, "--listen", "192.0.2.1:80", "--workers", "2"), 1, true)
            assert.matches("nowhere.lua: cannot be read: no such file or directory",
                fails(folder, folder .. "/nowhere.lua"), 1, true)
            assert.matches("`operators`: range 0: `office`: ",
                fails(folder, path, "--operator", "office"), 1, true)
            assert.matches("--drain-delay `x`: give a number",
                fails(folder, path, "--drain-delay", "x"), 1, true)
            write(folder .. "/policy.json", "{}")
            assert.matches("^policy.json:1:1: ", (fails(folder, path, "--workers", "2")))
        end)
    end)

    it("has help that teaches", function()
        local said = {}
        assert.equal(0, cli.main({ "serve", "--help" }, {
            out = function(line) said[#said + 1] = line end }))
        local help = table.concat(said, "\n")
        for _, text in ipairs({ "--listen", "--workers", "--drain", "--drain-delay", "--operator",
            "client_ca", "audit", "admin", "/readyz", "unix:/PATH",
            "operators", "limits", "Signals: TERM and INT", "Exit status" }) do
            assert.matches(text, help, 1, true)
        end
        for name in pairs(require("postern.connections").LIMITS) do
            assert.matches(name, help, 1, true)
        end
    end)
end)
