-- One piece of code, unchanged on every host, with the same answers.
local uv = require("luv")
local hosts_uv = require("postern.host.uv")
local hosts_plain = require("postern.host.plain")
local http_server = require("spec.support.http_server")
local loop = require("spec.support.loop")
local nginx = require("spec.support.nginx")
local probe = require("spec.support.host_probe")


describe("every host", function()
    local server, unix, target, before

    local function closed_port()
        local tcp = uv.new_tcp()
        tcp:bind("127.0.0.1", 0)
        local port = tcp:getsockname().port
        tcp:close()
        return port
    end

    before_each(function()
        before = loop.open_handles()
        server = http_server.start()
        local path = os.tmpname()
        os.remove(path)
        unix = http_server.start(path)
        target = { url = server.url, port = server.port, unix = unix.url,
            closed_port = closed_port(), log = os.tmpname() }
    end)

    after_each(function()
        server:stop()
        unix:stop()
        os.remove(target.log)
        assert.equal(before, loop.open_handles())
    end)

    -- Line by line: the first that differs says more than both lists.
    local function check(said)
        for i, expected in ipairs(probe.EXPECTED) do
            assert.equal(expected, said[i])
        end
        assert.equal(#probe.EXPECTED, #said)
    end

    it("answers alike on libuv", function()
        local host = hosts_uv.new()
        check(host:block(probe.run, host, target))
        host:close()
    end)

    it("answers alike without a loop around it", function()
        local host = hosts_plain.new()
        check(probe.run(host, target))
        host:close()
    end)

    it("answers alike in a task of the plain host", function()
        local host = hosts_plain.new()
        check(host:block(probe.run, host, target))
        host:close()
    end)

    it("answers alike in nginx", function()
        local host = hosts_uv.new()
        local fields = {}
        for name, value in pairs(target) do
            fields[#fields + 1] = ("%s = %q"):format(name, value)
        end
        local running = nginx.start({ locations = { ["/"] = ([[
            local probe = require("spec.support.host_probe")
            local host = require("postern.host.resty").new()
            local target = { %s }
            target.port, target.closed_port = tonumber(target.port), tonumber(target.closed_port)
            ngx.print(table.concat(probe.run(host, target), "\30"))
        ]]):format(table.concat(fields, ", ")) } }, host)
        local response, err = host:block(host.http, host, { url = running.url .. "/",
            timeout = 60 })
        local log = running:log()
        running:stop()
        host:close()
        assert(response, err)
        assert(response.status == 200, log)
        local said = {}
        for line in (response.body .. "\30"):gmatch("([^\30]*)\30") do
            said[#said + 1] = line
        end
        check(said)
    end)
end)
