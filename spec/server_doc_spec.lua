-- docs/server.md, followed from its empty folder to its end; its tables have what the code has.
local audit = require("postern.audit")
local connections = require("postern.connections")
local family = require("postern.metrics.family")
local files = require("spec.support.files")
local listeners = require("postern.settings.listener")
local loop = require("spec.support.loop")
local protocols = require("postern.protocols")
local server = require("postern.server")
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

    -- The members in the first table behind a heading.
    local function members(heading)
        local found = {}
        local _, from = TEXT:find("\n#+ " .. heading .. "\n")
        local rows = TEXT:match("\n| Member | Meaning |\n|%-%-%-|%-%-%-|\n(.-)\n\n", from)
        for row in (rows .. "\n"):gmatch("| (.-) | .-\n") do
            for name in row:gmatch("`([%l_]+)`") do
                found[name] = true
            end
        end
        return found
    end

    it("has every member of a listener", function()
        local expected = { endpoints = true }
        for name in pairs(listeners.MEMBERS) do
            expected[name] = true
        end
        assert.same(expected, members("Listeners"))
    end)

    it("has members of settings and of the decision log that there are", function()
        assert.is_truthy(members("Settings").drain_delay)
        for name in pairs(members("Settings")) do
            local _, why = server.check({ [name] = "?" })
            assert.not_matches("unknown member", why or "", 1, true)
        end
        for name in pairs(members("The decision log")) do
            local _, why = pcall(audit.new, { [name] = {} })
            assert.not_matches("unknown option", tostring(why), 1, true)
        end
        assert.matches("unknown member", select(2, server.check({ nothing = 1 })), 1, true)
        assert.matches("unknown option", select(2, pcall(audit.new, { nothing = 1 })), 1, true)
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
