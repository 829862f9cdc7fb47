local hosts = require("postern.host.uv")
local reloads = require("postern.reload")
local lfs = require("lfs")


local ESTATE = [[
account "111122223333" region "eu-central-1"
rules "slow.lua" { word = "%s" }
api "a1" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live" },
           policy = "p.json" }
]]

local POLICY = [[{ "Version": "2012-10-17", "Statement": [
    { "Sid": "%s", "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
      "Resource": "execute-api:/live/GET/%s",
      "Condition": { "StringEquals": { "acme:Slow": "yes" } } } ] }]]

-- Counts its generations in its state, and tells when one ends.
local SLOW = [[
return {
    kind = "keys", name = "slow", api = 1, lazy = true,
    check = function() return true end,
    start = function(config, tools)
        return { word = config.word, number = (tools.previous and tools.previous.number or 0) + 1 }
    end,
    stop = function(state, tools) tools.log(("stopped %s %d"):format(state.word, state.number)) end,
    limits = { timeout = 5 },
    keys = { ["acme:Slow"] = function(context, config, tools)
        if context.http.path == "/live/wait" then
            tools.sleep(1)
        end
        return "yes"
    end },
}
]]


describe("reloading", function()
    local folder, host, logged, subject

    local function write(name, text)
        -- As editors and deployments do: beside it, and then in its place.
        local path = folder .. "/" .. name
        local file = assert(io.open(path .. ".new", "wb"))
        file:write(text)
        file:close()
        assert(os.rename(path .. ".new", path))
    end

    before_each(function()
        folder, logged, subject = os.tmpname(), {}, nil
        os.remove(folder)
        assert(lfs.mkdir(folder))
        host = hosts.new({ log = function(line) logged[#logged + 1] = line end })
        write("estate.lua", ESTATE:format("one"))
        write("slow.lua", SLOW)
        write("p.json", POLICY:format("First", "*"))
    end)

    after_each(function()
        host:close()
        for name in lfs.dir(folder) do
            os.remove(folder .. "/" .. name)
        end
        os.remove(folder)
    end)

    local function open(options)
        options = options or {}
        options.host, options.debounce, options.poll = host, 0.01, options.poll or 60
        local err
        subject, err = reloads.new(folder .. "/estate.lua", options)
        return assert(subject, tostring(err))
    end

    -- Runs as a task; what is waited for is bounded, so that a bug fails and does not hang.
    local function within(fn)
        local ok, err = host:block(function()
            return host:timeout(20, function()
                fn()
                return true
            end)
        end)
        assert(ok, err)
        if subject then
            subject:close()
        end
    end

    local function wait_for(condition)
        while not condition() do
            host:sleep(0.005)
        end
    end

    local function decide(path)
        return subject:authorize({ api = "a1", path = path })
    end

    local function log()
        return table.concat(logged, "\n")
    end

    it("takes a changed policy into use", function()
        within(function()
            open()
            local before = decide("/live/x")
            assert.equal("First", before.deciding.sid)
            write("p.json", POLICY:format("Second", "*"))
            wait_for(function() return subject.loads == 2 end)
            local after = decide("/live/x")
            assert.equal("Second", after.deciding.sid)
            assert.not_equal(before.revision, after.revision)
            assert.matches("estate.lua: revision " .. after.revision .. " is in use", log(), 1,
                           true)
            assert.equal("First", before.deciding.sid)
        end)
    end)

    it("decides at once with what is in use", function()
        within(function()
            write("estate.lua", [[
account "111122223333" region "eu-central-1"
api "a1" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live" },
           policy = "p.json" }
]])
            local text = POLICY:gsub(',%s*"Condition".-} }', "")
            write("p.json", text:format("First", "x"))
            open()
            local request = { api = "a1", path = "/live/x" }
            assert.is_nil((subject:decide_plain(request)))
            decide("/live/x")
            local before = subject:decide_plain(request)
            assert.same({ true, "First" }, { before.allowed, before.deciding.sid })
            assert.equal(subject.estate.revision, before.revision)
            write("p.json", text:format("Second", "y"))
            wait_for(function() return subject.loads == 2 end)
            assert.is_nil((subject:decide_plain(request)))
            decide("/live/x")
            local after = subject:decide_plain(request)
            assert.is_false(after.allowed)
            assert.not_equal(before.revision, after.revision)
            assert.is_nil((subject:decide_plain({ api = "none", path = "/live/x" })))
        end)
    end)

    it("tells where nothing is decided at once", function()
        within(function()
            open()
            local request = { api = "a1", path = "/live/x" }
            assert.same({ nil, false }, { subject:decide_plain(request) })
            decide("/live/x") -- a private pack takes part
            assert.same({ nil, true }, { subject:decide_plain(request) })
        end)
    end)

    it("keeps what is in use when the new is wrong, tells why, and takes the next that is right",
       function()
        within(function()
            open()
            local revision = subject.estate.revision
            write("p.json", '{ "Statement": [ { "Efect": "Allow" } ] }')
            wait_for(function() return subject.failures == 1 end)
            assert.is_true(decide("/live/x").allowed)
            assert.equal(revision, decide("/live/x").revision)
            assert.matches(("not reloaded, revision %s stays in use:\n%s/p.json:1:20: ")
                :format(revision, folder), log(), 1, true)
            assert.matches("unknown member `Efect`", tostring(subject.problems), 1, true)
            write("p.json", POLICY:format("Third", "*"))
            wait_for(function() return subject.loads == 2 end)
            assert.equal("Third", decide("/live/x").deciding.sid)
            assert.is_nil(subject.problems)
        end)
    end)

    it("follows a file that is missing until it comes", function()
        within(function()
            open()
            os.remove(folder .. "/p.json")
            wait_for(function() return subject.failures == 1 end)
            assert.is_true(decide("/live/x").allowed)
            write("p.json", POLICY:format("Back", "*"))
            wait_for(function() return subject.loads == 2 end)
            assert.equal("Back", decide("/live/x").deciding.sid)
        end)
    end)

    it("follows files that a change brings in", function()
        within(function()
            open()
            write("q.json", POLICY:format("Q", "*"))
            write("estate.lua", (ESTATE:format("one"):gsub("p.json", "q.json")))
            wait_for(function() return subject.loads == 2 end)
            assert.equal("Q", decide("/live/x").deciding.sid)
            write("q.json", POLICY:format("R", "*"))
            wait_for(function() return subject.loads == 3 end)
            assert.equal("R", decide("/live/x").deciding.sid)
        end)
    end)

    it("lets a request that has begun see one generation to its end, and ends that then", function()
        within(function()
            open()
            local waiting = host:spawn(function() return decide("/live/wait") end)
            host:sleep(0.01) -- it waits for its lazy key now
            local old = subject.estate.revision
            -- The new policy would deny it. It is nobody's until the estate names it, so that there
            -- is one change.
            write("q.json", POLICY:format("Second", "never"))
            write("estate.lua", (ESTATE:format("two"):gsub("p%.json", "q.json")))
            wait_for(function() return subject.loads >= 2 and not subject.running end)
            assert.is_false(decide("/live/wait").allowed)
            assert.equal(0, subject.closed)
            assert.not_matches("stopped", log(), 1, true)
            local decision = waiting:wait()
            assert.is_true(decision.allowed)
            assert.equal(old, decision.revision)
            assert.equal("First", decision.deciding.sid)
            assert.equal(1, subject.closed)
            assert.same({}, subject.retired)
            assert.matches("stopped one 1", log(), 1, true)
        end)
    end)

    it("ends a generation whose request was cancelled", function()
        within(function()
            open({ grace = 0.05 })
            local waiting = host:spawn(function() return decide("/live/wait") end)
            host:sleep(0.01)
            write("p.json", POLICY:format("Second", "*"))
            wait_for(function() return subject.loads == 2 end)
            waiting:cancel("gone")
            wait_for(function() return subject.closed == 1 end)
            assert.matches("stopped one 1", log(), 1, true)
        end)
    end)

    it("hands the state of packs over where their configuration is the same", function()
        within(function()
            open()
            write("p.json", POLICY:format("Second", "*"))
            wait_for(function() return subject.loads == 2 end)
            assert.equal(2, subject.estate.runners["keys/slow"].tools.state.number)
            write("estate.lua", ESTATE:format("other"))
            wait_for(function() return subject.loads == 3 end)
            assert.equal(1, subject.estate.runners["keys/slow"].tools.state.number)
        end)
    end)

    it("keeps nothing of generations that have ended, however many there were", function()
        within(function()
            open()
            local seen = setmetatable({}, { __mode = "k" })
            for i = 1, 8 do
                seen[subject.estate] = true
                assert.is_true(decide("/live/x").allowed)
                write("p.json", POLICY:format("P" .. i, "*"))
                subject:reload()
            end
            assert.equal(9, subject.loads)
            for _ = 1, 3 do
                collectgarbage()
            end
            local left = 0
            for _ in pairs(seen) do
                left = left + 1
            end
            -- The compiler, and tasks that have just ended, may hold on to the latest.
            assert.is_true(left <= 2, left .. " of 8 are still there")
        end)
    end)

    it("goes on after a reload that was cancelled", function()
        within(function()
            open({ slice = 0 })
            local first = host:spawn(function() return subject:reload() end)
            host:sleep(0)
            assert.is_true(subject.running)
            first:cancel("gone")
            write("p.json", POLICY:format("Second", "*"))
            assert.is_true(subject:reload())
            assert.equal("Second", decide("/live/x").deciding.sid)
        end)
    end)

    it("makes no generation of what is the same", function()
        within(function()
            open()
            assert.is_true(subject:reload())
            assert.equal(1, subject.loads)
            assert.equal(0, subject.closed)
            assert.equal("First", decide("/live/x").deciding.sid)
        end)
    end)

    it("runs once more when asked while it runs", function()
        within(function()
            open({ slice = 0 })
            local first = host:spawn(function() return subject:reload() end)
            host:sleep(0)
            assert.is_true(subject.running)
            write("p.json", POLICY:format("Second", "*"))
            assert.is_nil(subject:reload())
            assert.is_true(first:wait())
            assert.equal("Second", decide("/live/x").deciding.sid)
        end)
    end)

    -- Such as a rollback that comes while a worker still reads what was deployed before it.
    it("finds what is changed between its reading a file and its being done", function()
        within(function()
            local then_write
            open({ debounce = 0.01, poll = 0.05, read = function(path)
                local text = host:read(path)
                if then_write and path == folder .. "/p.json" then
                    write("p.json", POLICY:format(then_write, "*"))
                    then_write = nil
                end
                return text
            end })
            for _, by in ipairs({ "watching", "asking" }) do
                then_write = "After" .. by
                write("p.json", POLICY:format("Before" .. by, "*"))
                if by == "asking" then
                    subject:reload()
                end
                local ends = host:monotonic() + 10
                repeat
                    host:sleep(0.02)
                    local sid = decide("/live/x").deciding.sid
                until sid == "After" .. by or host:monotonic() > ends
                assert.equal("After" .. by, decide("/live/x").deciding.sid)
            end
        end)
    end)

    -- Such as a client of the server that puts a policy and goes away.
    it("finds what a reload was about to read that was cancelled", function()
        within(function()
            open({ slice = 0, debounce = 60, poll = 0.05 })
            write("p.json", POLICY:format("Second", "*"))
            local reading = host:spawn(function() return subject:reload() end)
            while not (subject.watching.noting == false and subject.running) do
                host:sleep(0)
            end
            reading:cancel()
            local ends = host:monotonic() + 10
            repeat
                host:sleep(0.02)
            until subject.loads == 2 or host:monotonic() > ends
            assert.equal("Second", decide("/live/x").deciding.sid)
        end)
    end)

    it("follows where it blocks, outside any task", function()
        local plain = require("postern.host.plain").new({ log = function() end })
        local reload = assert(reloads.new(folder .. "/estate.lua",
                                          { host = plain, debounce = 0.01, poll = 0.05 }))
        write("p.json", POLICY:format("Second", "*"))
        assert.is_true(reload:reload())
        assert.equal("Second", reload:authorize({ api = "a1", path = "/live/x" }).deciding.sid)
        reload:close()
        plain:close()
    end)

    it("reads once what it was asked to read, though the watch sees it, too", function()
        within(function()
            local reads = 0
            open({ debounce = 0.01, poll = 0.02, read = function(path)
                reads = reads + (path == folder .. "/p.json" and 1 or 0)
                return host:read(path)
            end })
            reads = 0
            write("p.json", POLICY:format("Second", "*"))
            assert.is_true(subject:reload())
            host:sleep(0.2)
            assert.equal(1, reads)
        end)
    end)

    it("watches nothing where somebody else says when to reload, and from where", function()
        within(function()
            local bytes = {}
            open({ watch = false, poll = 0.01, read = function(path)
                return bytes[path] or host:read(path)
            end })
            write("p.json", POLICY:format("Second", "*"))
            host:sleep(0.1)
            assert.equal(1, subject.loads)
            bytes[folder .. "/p.json"] = POLICY:format("Third", "*")
            assert.is_true(subject:reload())
            assert.equal(2, subject.loads)
            assert.equal("Third", decide("/live/x").deciding.sid)
        end)
    end)

    it("waits for all old generations in one task: hosts have only so many", function()
        within(function()
            write("slow.lua", (SLOW:gsub("sleep%(0.4%)", "sleep(4)")))
            open({ watch = false })
            local spawned, spawn, waiting = 0, host.spawn, {}
            for i = 1, 3 do
                waiting[i] = spawn(host, function() return decide("/live/wait") end)
                host:sleep(0.005)
                host.spawn = function(...)
                    spawned = spawned + 1
                    return spawn(...)
                end
                write("estate.lua", ESTATE:format("turn" .. i))
                assert.is_true(subject:reload())
                host.spawn = nil
            end
            assert.equal(3, #subject.retired)
            assert.equal(1, spawned)
            for i = 1, 3 do
                waiting[i]:cancel("enough")
            end
        end)
    end)

    it("is closed while it reads, and leaves nothing open", function()
        within(function()
            open({ slice = 0 })
            write("p.json", POLICY:format("Second", "*"))
            local reading = host:spawn(function() return subject:reload() end)
            host:sleep(0)
            assert.is_true(subject.running)
            subject:close()
            assert.is_false(reading:wait())
            assert.same({ "stopped one 1", "stopped one 2" }, logged)
            assert.same({}, host.watches)
            subject = nil
        end)
    end)

    it("takes breath between the pieces of its work", function()
        within(function()
            open({ slice = 0 })
            local turns, done = 0, false
            host:spawn(function()
                while not done do
                    turns = turns + 1
                    host:sleep(0)
                end
            end)
            write("p.json", POLICY:format("Second", "*"))
            subject:reload()
            done = true
            -- A word, a pack or a policy each is a piece: far more than reading the files takes.
            assert.is_true(turns > 40, turns)
        end)
    end)

    it("tells every problem of an estate it cannot open, and watches nothing", function()
        within(function()
            write("estate.lua", 'apo "x" {}')
            local none, problems = reloads.new(folder .. "/estate.lua", { host = host })
            assert.is_nil(none)
            assert.matches("unknown word `apo`", tostring(problems), 1, true)
        end)
        assert.has_error(function() reloads.new("x", { hst = host }) end, "unknown option `hst`")
    end)

    it("tells the warnings of what it takes into use", function()
        within(function()
            write("p.json", (POLICY:format("First", "*"):gsub("acme:Slow", "acme:None")))
            open()
            assert.matches("warning: " .. folder .. "/p.json:4: no pack provides the condition key "
                .. "`acme:none`", log(), 1, true)
        end)
    end)

    -- Compiled code is made for one generation: it would stay, and the code of the next be worse.
    it("leaves no compiled code of generations that ended", function()
        local traceinfo = require("jit.util").traceinfo
        local function traces()
            local count = 0
            for number = 1, 10000 do
                count = count + (traceinfo(number) and 1 or 0)
            end
            return count
        end
        local function work()
            for _ = 1, 400 do
                assert.is_true(decide("/live/x").allowed)
            end
            return traces()
        end
        within(function()
            open({ watch = false })
            jit.flush()
            local first, most = work(), 0
            for round = 1, 8 do
                write("p.json", POLICY:format("Round" .. round, "*"))
                assert.is_true(subject:reload())
                most = math.max(most, work())
            end
            assert.equal(9, subject.loads)
            assert.is_true(first > 0)
            assert.is_true(most < 2 * first + 20, ("%d traces, then %d"):format(first, most))
        end)
    end)
end)
