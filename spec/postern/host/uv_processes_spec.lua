-- The workers are real processes: spec/support/worker.lua.
local uv = require("luv")
local hosts = require("postern.host.uv")
local listeners = require("postern.host.uv_listener")
local processes = require("postern.host.uv_processes")
local loop = require("spec.support.loop")


local function alive(pid)
    return uv.kill(pid, 0) == 0
end


describe("worker processes", function()
    local host, before, logged, sockets, path

    before_each(function()
        before, logged, path = loop.open_handles(), {}, os.tmpname()
        os.remove(path)
        path = path .. ";a%b" -- a path may be anything
        host = hosts.new({ log = function(line) logged[#logged + 1] = line end })
        host:block(function()
            sockets = { assert(listeners.bind(host, "127.0.0.1:0")),
                        assert(listeners.bind(host, "unix:" .. path)) }
        end)
    end)

    after_each(function()
        host:close()
        os.remove(path)
        assert.equal(before, loop.open_handles())
    end)

    local function start(options)
        local ready = host:ticket()
        local workers = processes.start(host, {
            count = options.count or 2, sockets = sockets, drain = options.drain or 5,
            pause = 0.01, fold = options.fold, on_ready = function() ready:post() end,
            command = { processes.executable(), "-e", ("package.path = %q package.cpath = %q")
                :format(package.path, package.cpath), "spec/support/worker.lua", options.mode },
        })
        return workers, ready
    end

    -- Who answers, by number, until a function says it is enough.
    local function ask(place, enough)
        local answers = {}
        for _ = 1, 500 do
            local socket = assert(host:connect(place))
            local text = socket:receive(nil, 1)
            socket:close()
            local number, pid, address = (text or ""):match("^(%d+) (%d+) ([^\n]+)\n")
            if number then
                answers[tonumber(number)] = tonumber(pid)
                answers.address = address
            end
            if enough(answers) then
                return answers
            end
            host:sleep(0.005)
        end
        return answers
    end

    local function tcp()
        return { host = "127.0.0.1", port = tonumber(sockets[1]:name():match(":(%d+)$")) }
    end

    it("share the sockets, and end when they are told", function()
        host:block(function()
            local workers, ready = start({})
            assert.is_true(ready:wait(5))
            local pids = workers:pids()
            assert.equal(2, #pids)
            local answers = ask(tcp(), function(seen) return seen[1] and seen[2] end)
            assert.same({ pids[1], pids[2] }, { answers[1], answers[2] })
            assert.equal("127.0.0.1:0", answers.address)
            answers = ask({ path = path }, function(seen) return seen[1] and seen[2] end)
            assert.same({ pids[1], pids[2] }, { answers[1], answers[2] })
            assert.equal("unix:" .. path, answers.address)
            workers:stop()
            assert.is_true(workers:wait())
            assert.is_false(alive(pids[1]))
            assert.is_false(alive(pids[2]))
            assert.same({}, workers:pids())
            assert.same({}, logged)
        end)
    end)

    it("are started again when they die, and the others go on", function()
        host:block(function()
            local workers, ready = start({})
            assert.is_true(ready:wait(5))
            local pids = workers:pids()
            uv.kill(pids[1], "sigkill")
            local answers = ask(tcp(), function(seen) return seen[1] and seen[1] ~= pids[1] end)
            assert.not_equal(pids[1], answers[1])
            assert.equal(pids[2], workers:pids()[2])
            assert.equal(1, workers.restarts)
            assert.matches("worker 1 %(process " .. pids[1] .. "%) has ended, by signal 9: it is "
                .. "started again in 0.01 seconds", logged[1])
            workers:stop()
            assert.is_true(workers:wait())
        end)
    end)

    it("are given up when they cannot even begin", function()
        host:block(function()
            local workers, ready = start({ mode = "broken" })
            local ok, why = workers:wait()
            assert.is_nil(ok)
            assert.matches("worker %d has ended before it was ready, status 3", why)
            assert.is_false(ready:wait(0))
        end)
        sockets = {}
        host:block(function()
            local workers = processes.start(host, { count = 1, sockets = sockets, drain = 1,
                command = { "/nowhere/at/all" }, on_ready = function() end })
            assert.same({ nil, "worker 1 does not start: no such file or directory" },
                { workers:wait() })
        end)
    end)

    it("are killed when they do not end in time, or are told twice", function()
        host:block(function()
            local workers, ready = start({ mode = "stubborn", count = 1, drain = 60 })
            assert.is_true(ready:wait(5))
            local pid = workers:pids()[1]
            workers:stop()
            host:sleep(0.1)
            assert.is_true(alive(pid))
            workers:stop()
            assert.is_true(workers:wait())
            assert.is_false(alive(pid))
            workers, ready = start({ mode = "stubborn", count = 1, drain = -1.9 })
            assert.is_true(ready:wait(5))
            workers:stop()
            assert.is_true(workers:wait())
        end)
    end)

    it("tell what they have counted, and ask for what the others have", function()
        host:block(function()
            local folded = {}
            local workers, ready = start({ count = 3, fold = function(ended, text)
                folded[#folded + 1] = tostring(ended) .. " " .. text
                return '"ended"'
            end })
            assert.is_true(ready:wait(5))
            local told
            -- What a worker would be answered.
            local asking = workers.workers[2]
            local real = asking.control
            asking.control = { write = function(_, text) told = text end }
            workers:take_line(asking, "gather")
            assert.equal("snapshots [10,30]\n", told)
            uv.kill(workers:pids()[1], "sigkill")
            ask(tcp(), function() return workers.restarts == 1 and #workers:pids() == 3 end)
            assert.same({ "nil 10" }, folded)
            host:sleep(0.2)
            workers:take_line(asking, "gather")
            assert.equal('snapshots ["ended",10,30]\n', told)
            asking.control = real
            workers:stop()
            assert.is_true(workers:wait())
        end)
    end)

    it("end when their parent is gone", function()
        host:block(function()
            local workers, ready = start({ count = 1 })
            assert.is_true(ready:wait(5))
            local pid = workers:pids()[1]
            workers.stopping = true
            host.loop:close_handle(workers.workers[1].control)
            for _ = 1, 200 do
                if not alive(pid) then
                    break
                end
                host:sleep(0.01)
            end
            assert.is_false(alive(pid))
            workers:stop()
        end)
    end)
end)


describe("this process", function()
    it("knows itself", function()
        assert.is_true(processes.cores() >= 1)
        assert.equal(uv.os_getpid(), processes.pid())
        assert.matches("luajit", processes.executable())
        assert.is_string(processes.environment().PATH)
    end)
end)
