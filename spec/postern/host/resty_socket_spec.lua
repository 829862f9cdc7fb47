local hosts_uv = require("postern.host.uv")
local http_server = require("spec.support.http_server")
local loop = require("spec.support.loop")
local nginx = require("spec.support.nginx")


-- What sockets of all hosts do is in spec/support/host_probe.lua.
describe("sockets in nginx", function()
    local driver, server, before

    before_each(function()
        before = loop.open_handles()
        driver = hosts_uv.new()
        server = http_server.start()
    end)

    after_each(function()
        driver:close()
        server:stop()
        assert.equal(before, loop.open_handles())
    end)

    it("are kept by pool, but not fresh ones and not those without a pool", function()
        local running = nginx.start({ locations = { ["/"] = ([[
            local sockets = require("postern.host.resty_socket")
            local function use(options)
                options.host, options.port = "localhost", %d
                local socket = assert(sockets.connect(options))
                assert(socket:send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"))
                assert(socket:receive())
                local reused = socket:reused()
                socket:keep()
                socket:keep()
                socket:close()
                return reused and "again" or "new"
            end
            ngx.print(table.concat({
                use({ pool = "a" }), use({ pool = "a" }), use({ pool = "b" }),
                use({ pool = "a", fresh = true }), use({ pool = "a" }), use({}), use({}),
            }, " "))
        ]]):format(server.port) } }, driver)
        local answer = running:get(driver, "/")
        driver:close()
        running:stop()
        assert.equal("new again new new again new new", answer)
        assert.equal(5, server.connections)
    end)
end)
