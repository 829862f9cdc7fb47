-- docs/server.md, followed from its empty folder to its end; its tables have what the code has.
local connections = require("postern.connections")
local family = require("postern.metrics.family")
local files = require("spec.support.files")
local loop = require("spec.support.loop")
local protocols = require("postern.protocols")
local telemetry = require("postern.telemetry")
local walkthrough = require("spec.support.walkthrough")


local PATH = "docs/server.md"
local TEXT = files.read(PATH)
local PORTS = { 8180, 8181, 8443 }


describe(PATH, function()
    local before, walk = loop.open_handles(), walkthrough.new(PATH, PORTS)

    teardown(function()
        walk:close()
        assert.equal(before, loop.open_handles())
    end)

    for i, block in ipairs(walk.steps) do
        local kind = walkthrough.kind(block)
        local after = walk.steps[i + 1]
        local expected = after and after.info == "output" and after.text or ""

        if kind == "run" then
            it("prints what it says at " .. block.place, function()
                local output, status = walk:follow(block)
                -- Commands end their last line, curl does not.
                output = output:gsub("([^\n])$", "%1\n")
                assert.equal(walkthrough.plain(expected), walkthrough.plain(output))
                assert.equal(0, status)
            end)
        elseif kind == "log" then
            it("makes the server write what it says at " .. block.place, function()
                assert.is_nil(walk:follow(block), walk.server.said)
            end)
        elseif kind then
            it("goes on at " .. block.place, function()
                walk:follow(block)
            end)
        end
    end

    it("has every limit, and what it is", function()
        local told = {}
        for name, value in TEXT:gmatch("\n| `([%l_]+)` | (%d+) |") do
            told[name] = tonumber(value)
        end
        assert.same(connections.LIMITS, told)
    end)

    it("has every family of metrics", function()
        local expected, told = {}, {}
        for _, list in ipairs({ family.ALL, telemetry.FAMILIES }) do
            for _, one in ipairs(list) do
                expected[one.name] = one.help
            end
        end
        for name, help in TEXT:gmatch("\n| `(postern_[%l_]+)` | ([^|]+) |") do
            told[name] = help
        end
        assert.same(expected, told)
    end)

    it("shows an endpoint of every protocol", function()
        for name in pairs(protocols) do
            assert.matches(('protocol = "%s"'):format(name), TEXT, 1, true)
        end
    end)

    it("knows how many requests the certification scenario has", function()
        local count, levels = 0, 0
        for requests in files.read("docs/protocols.md"):gmatch("\n| %u[%a ]+ | (%d+) | pass |") do
            count, levels = count + tonumber(requests), levels + 1
        end
        assert.equal(7, levels)
        assert.equal(count, tonumber(TEXT:match("pass, (%d+) requests")))
    end)
end)
