-- `make run`, as a person at a terminal runs it: a table, a server, a call to try, and Ctrl-C.
local uv = require("luv")
local commands = require("spec.support.commands")
local loop = require("spec.support.loop")
local ports = require("spec.support.ports")
local served = require("spec.support.served")


describe("make run", function()
    local before, running

    before_each(function()
        before = loop.open_handles()
    end)

    after_each(function()
        uv.kill(-running.pid, "sigkill") -- when all has ended there is nobody to get it
        running:close()
        assert.equal(before, loop.open_handles())
    end)

    it("decides, serves what can be tried, and ends by Ctrl-C", function()
        local port = ports.free()
        -- A process group of its own, which is what a terminal signals. What make was told when it
        -- started the suite is not for this one.
        running = served.start(("exec env -u MAKEFLAGS -u MAKELEVEL setsid make run BUILD=%s "
            .. "JOBS=1 LISTEN=127.0.0.1:%d"):format(commands.build(), port))
        local address = running:ready()
        assert.equal("127.0.0.1:" .. port, address)
        assert.matches("\n✓ orders%-office ", running.said)
        assert.matches("\n23 of 23 cases as expected\n", running.said)

        local try = running.said:match("\n  curl (.-)\n\n")
        assert.matches('"decision":"Allowed","allowed":true', running:curl(try), 1, true)
        assert.matches('"decision":"ExplicitlyDenied"', running:curl((try:gsub("GET", "DELETE"))),
            1, true)

        assert.equal(0, uv.kill(-running.pid, "sigint"))
        assert.is_truthy(running:until_true(function() return running.status end))
        -- Of make, the signal that ended it as well: that is what a shell wants to know.
        assert.is_true(running.status == -2 or running.status == 130 or running.status == 0)
        assert.is_nil(running.said:find("***", 1, true), running.said)
        assert.equal("", running:curl("http://" .. address .. "/healthz"))
    end)
end)
