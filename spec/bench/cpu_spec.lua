local uv = require("luv")
local cpu = require("spec.bench.cpu")


describe("CPU time", function()
    it("is that of a process and what descends from it", function()
        local ended, pipe, text = false, uv.new_pipe(false), ""
        local handle, pid = uv.spawn("sh", {
            args = { "-c", "sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done;"
                .. " exec sleep 60' & wait" }, stdio = { nil, pipe, 2 },
        }, function() ended = true end)
        pipe:read_start(function(_, bytes) text = text .. (bytes or "") end)
        while not text:find("done") do
            uv.run("once")
        end
        local pids = cpu.tree(pid)
        local spent = cpu.spent(pids)
        assert.equal(2, #pids)
        assert.is_true(cpu.spent({ pid }) < spent)
        assert.is_true(spent > 1e6 and spent < 60e9) -- nanoseconds of a loop
        assert.is_true(cpu.resident(pids) > 0)
        uv.kill(pids[2], "sigkill")
        while not ended do
            uv.run("once")
        end
        handle:close()
        pipe:close()
        uv.run("nowait")
        assert.equal(0, cpu.spent({ pid }))
    end)

    it("is compared round by round", function()
        assert.equal(2, cpu.median({ 3, 1, 2 }))
        assert.equal(2.5, cpu.median({ 4, 1, 2, 3 }))
        -- A slow moment hits both; the ratio does not see it.
        assert.same({ 2, 2, 2.5 }, { cpu.ratio({ 2, 40, 5 }, { 1, 20, 2 }) })
    end)

    it("warms up before, and asks in turn", function()
        local asked = {}
        local rows = {}
        for i = 1, 2 do
            rows[i] = { pids = function() return { uv.os_getpid() } end,
                run = function()
                    asked[#asked + 1] = i
                    return 10
                end }
        end
        local times = cpu.compare(rows, 2)
        assert.equal("1112221212", table.concat(asked))
        assert.same({ 2, 2, nil }, { #times[1], #times[2], times[1][0] })
    end)

    it("takes processes that do the same in turn, after each has warmed up", function()
        local asked = {}
        local times = cpu.compare({ { turns = 2, pids = function() return { uv.os_getpid() } end,
            run = function(turn)
                asked[#asked + 1] = turn
                return 10
            end } }, 3)
        assert.equal("111222121", table.concat(asked))
        assert.equal(3, #times[1])
    end)
end)
