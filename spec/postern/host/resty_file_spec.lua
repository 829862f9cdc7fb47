local uv = require("luv")
local hosts_uv = require("postern.host.uv")
local loop = require("spec.support.loop")
local nginx = require("spec.support.nginx")

local HEAD = [[
package.loaded.WORKER = package.loaded.WORKER or require("postern.host.resty").new()
local host = package.loaded.WORKER
local function put(name, text)
    local file = assert(io.open(FOLDER .. "/" .. name, "wb"))
    file:write(text)
    file:close()
end
-- Waits for a condition that a timer brings about.
local function wait_for(condition)
    for _ = 1, 2000 do
        if condition() then
            return true
        end
        host:sleep(0.005)
    end
    error("it did not come about")
end
]]


describe("files in nginx", function()
    local driver, running, folder, before

    before_each(function()
        before = loop.open_handles()
        driver = hosts_uv.new()
        folder = os.tmpname()
        os.remove(folder)
        assert(uv.fs_mkdir(folder, tonumber("700", 8)))
    end)

    after_each(function()
        driver:close()
        running:stop()
        os.execute("rm -r " .. folder)
        assert.equal(before, loop.open_handles())
    end)

    local function answer_of(text)
        running = nginx.start({ locations = {
            ["/"] = ("FOLDER = %q\n"):format(folder) .. HEAD .. text,
        } }, driver)
        return running:get(driver, "/")
    end

    it("are written by a timer, and found again after they were moved", function()
        assert.equal("one\ntwo\n|three\n", answer_of([[
            local path = FOLDER .. "/log"
            local writer = assert(host:writer(path))
            writer:write("one")
            writer:write("two")
            wait_for(function() return host:read(path) == "one\ntwo\n" end)
            os.rename(path, FOLDER .. "/old")
            writer:reopen()
            writer:write("three")
            wait_for(function() return host:read(path) == "three\n" end)
            ngx.print(host:read(FOLDER .. "/old") .. "|" .. host:read(path))
        ]]))
    end)

    it("drop lines that find no place, and count them", function()
        assert.equal("true true false 1 true false 1 a\nb\n", answer_of([[
            local writer = assert(host:writer(FOLDER .. "/log", { queue = 2 }))
            local said = { writer:write("a"), writer:write("b"), writer:write("c"), writer.dropped }
            writer:close()
            local small = assert(host:writer(FOLDER .. "/other", { max_bytes = 3 }))
            said[5], said[6], said[7] = small:write("d"), small:write("long"), small.dropped
            said[8] = host:read(FOLDER .. "/log")
            for i, value in ipairs(said) do
                said[i] = tostring(value)
            end
            ngx.print(table.concat(said, " "))
        ]]))
    end)

    it("that cannot be written are told once", function()
        assert.equal("2", answer_of([[
            local writer = assert(host:writer("/dev/full"))
            for i = 1, 2 do
                writer:write("a")
                wait_for(function() return writer.dropped == i end)
            end
            ngx.print(writer.dropped)
        ]]))
        local _, count = running:log():gsub(
            "/dev/full: no space left on device: lines are dropped", "")
        assert.equal(1, count)
    end)

    it("are seen to change: written, replaced, created, removed", function()
        assert.equal("a a b b b c b c", answer_of([[
            local seen = {}
            put("a", "1")
            local watching = assert(host:watch({ FOLDER .. "/a", FOLDER .. "/b" }, function(paths)
                for _, path in ipairs(paths) do
                    seen[#seen + 1] = path:match("[^/]*$")
                end
                error("a watch goes on after this", 0)
            end, { poll = 0.01 }))
            for i, change in ipairs({
                function() put("a", "22") end,
                function()
                    put("a.new", "333")
                    os.rename(FOLDER .. "/a.new", FOLDER .. "/a")
                end,
                function() put("b", "") end,
                function() os.remove(FOLDER .. "/b") end,
            }) do
                change()
                wait_for(function() return #seen >= i end)
            end
            put("a", "known")
            put("c", "1")
            watching:note()
            put("b", "told")
            watching:follow({ FOLDER .. "/b", FOLDER .. "/c" })
            put("c", "22")
            wait_for(function() return #seen >= 6 end)
            watching:note()
            watching:forget()
            wait_for(function() return #seen >= 8 end)
            watching:close()
            put("a", "4444")
            host:sleep(0.05)
            ngx.print(table.concat(seen, " "))
        ]]))
        assert.matches("a watch's function raised: a watch goes on", running:log(), 1, true)
    end)
end)
