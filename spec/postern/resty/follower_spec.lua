local front = require("spec.support.front")
local nginx = require("spec.support.nginx")

local DENYING = front.PETS:gsub('"Effect": "Allow"', '"Effect": "Deny"', 1)
local BROKEN = '{"Version": "2012-10-17", "Statement": oops}'


-- Workers of a running nginx: they read, follow, die and begin again.
describe("the workers", function()
    local running

    after_each(function()
        if running then
            running:stop()
            running = nil
        end
    end)

    local function start(options)
        running = front.start(options)
        return running
    end

    local function status(target)
        return running:ask(target or "/pets").status
    end

    -- What a number of requests are answered, each status once, in their order.
    local function statuses(count)
        local seen = {}
        for _ = 1, count do
            seen[status()] = true
        end
        local list = {}
        for code in pairs(seen) do
            list[#list + 1] = code
        end
        table.sort(list)
        return table.concat(list, " ")
    end

    local function revision()
        return front.state(running).revision
    end

    local function is_gone(pid)
        return nginx.run_until(function()
            for _, other in ipairs(running:worker_pids()) do
                if other == pid then
                    return false
                end
            end
            return true
        end)
    end

    local function kill(pid)
        os.execute("kill -9 " .. pid)
        assert.is_true(is_gone(pid))
    end


    it("all take a change into use, and of one revision", function()
        start({ workers = 2 })
        local before = front.wait_for_revision(running, 2)
        assert.equal("200", statuses(10))
        front.write(running, "pets.json", DENYING)
        local after = front.wait_for_revision(running, 2, before)
        assert.equal("403", statuses(20))
        local state = front.state(running)
        assert.equal(after, state.workers[1].revision)
        assert.equal(after, state.workers[2].revision)
        assert.equal(2, state.workers[1].loads)
        front.write(running, "pets.json", front.PETS)
        assert.equal(before, front.wait_for_revision(running, 2, after))
        assert.equal("200", statuses(20))
    end)

    it("answer while it changes by the old policy or the new one, and by none else", function()
        start({ workers = 2 })
        local before = front.wait_for_revision(running, 2)
        local allowed, denied = 0, 0
        for turn = 1, 6 do
            front.write(running, "pets.json", turn % 2 == 1 and DENYING or front.PETS)
            local state
            repeat
                for _ = 1, 5 do
                    local answer = running:ask("/pets")
                    if answer.status == 200 then
                        assert.matches("content /pets", answer.body, 1, true)
                        allowed = allowed + 1
                    else
                        assert.equal(403, answer.status)
                        assert.matches("Forbidden", answer.body, 1, true)
                        denied = denied + 1
                    end
                    assert.equal(403, status("/admin"))
                end
                state = front.state(running)
                local settled = state.revision ~= before
                for _, worker in ipairs(state.workers) do
                    settled = settled and worker.revision == state.revision
                end
            until settled
            before = state.revision
            assert.equal(turn % 2 == 1 and "403" or "200", statuses(10))
        end
        assert.is_true(allowed > 0 and denied > 0)
        assert.not_matches("[crit]", running:log(), 1, true)
        assert.not_matches("delayed events patch", running:log(), 1, true)
    end)

    it("keep what is in use while the files are broken, and say so", function()
        start({ workers = 2 })
        local before = front.wait_for_revision(running, 2)
        front.write(running, "pets.json", BROKEN)
        local state
        assert.is_true(nginx.run_until(function()
            state = front.state(running)
            return state.problem
        end))
        assert.matches("pets.json:1:%d+: ", state.problem)
        assert.is_true(running:wait_for_log("not reloaded, revision " .. before .. " stays in use"))
        assert.equal(before, state.revision)
        assert.equal("200", statuses(10))
        front.write(running, "pets.json", DENYING)
        front.wait_for_revision(running, 2, before)
        assert.is_nil(front.state(running).problem)
        assert.equal("403", statuses(10))
        -- Back to what was in use before is no problem either.
        os.remove(running.folder .. "/pets.json")
        assert.is_true(nginx.run_until(function() return front.state(running).problem end))
        front.write(running, "pets.json", DENYING)
        assert.is_true(nginx.run_until(function() return not front.state(running).problem end))
        assert.equal("403", statuses(10))
    end)

    it("that begin anew use what the others use, also when the files are broken", function()
        start({ workers = 2 })
        local before = front.wait_for_revision(running, 2)
        front.write(running, "pets.json", DENYING)
        local after = front.wait_for_revision(running, 2, before)
        front.write(running, "pets.json", BROKEN)
        assert.is_true(nginx.run_until(function() return front.state(running).problem end))
        for _, pid in ipairs(running:worker_pids()) do
            kill(pid)
        end
        assert.equal(after, front.wait_for_revision(running, 2))
        assert.equal("403", statuses(20))
        assert.not_matches("there is no estate", running:log(), 1, true)
    end)

    it("hand the lease on when the one that has it dies", function()
        start({ workers = 2 })
        local before = front.wait_for_revision(running, 2)
        local watcher = front.state(running).watcher
        kill(watcher)
        assert.is_true(nginx.run_until(function()
            local now = front.state(running).watcher
            return now and now ~= watcher
        end))
        front.write(running, "pets.json", DENYING)
        front.wait_for_revision(running, 2, before)
        assert.equal("403", statuses(20))
    end)

    it("see what changed while nobody watched", function()
        start()
        local before = front.wait_for_revision(running, 1)
        front.write(running, "pets.json", DENYING)
        kill(running:worker_pids()[1])
        front.wait_for_revision(running, 1, before)
        assert.equal("403", statuses(5))
    end)

    it("are told anew by HUP, with other options as well", function()
        start({ workers = 2 })
        local before = front.wait_for_revision(running, 2)
        local old = running:worker_pids()
        front.write(running, "pets.json", DENYING)
        front.write(running, "nginx.conf", (running:log("nginx.conf")
            :gsub("fault = %d+", ""):gsub("report = 0.01", "report = 0.01, fault = 403")))
        running:signal("sighup")
        for _, pid in ipairs(old) do
            assert.is_true(is_gone(pid))
        end
        front.wait_for_revision(running, 2, before)
        assert.equal("403", statuses(20))
        assert.equal(2, #running:worker_pids())
    end)

    it("stay as they are when HUP finds a broken estate", function()
        start({ workers = 2 })
        local before = front.wait_for_revision(running, 2)
        local old = table.concat(running:worker_pids(), " ")
        front.write(running, "estate.lua", 'apo "x" {}')
        running:signal("sighup")
        assert.is_true(running:wait_for_log("unknown word `apo`"))
        assert.is_true(running:wait_for_log("init_by_lua error"))
        assert.equal(before, revision())
        assert.equal("200", statuses(10))
        assert.equal(old, table.concat(running:worker_pids(), " "))
    end)

    it("do not start with a broken estate, which `nginx -t` does not look at", function()
        running = front.new({ estate = 'apo "x" {}' })
        local right, said = running:test()
        assert.is_true(right, said)
        assert.matches("syntax is ok", said, 1, true)
        assert.not_matches("warn", said, 1, true)
        assert.is_false(running:run())
        assert.matches("estate.lua:1: unknown word `apo`: did you mean `api`", running:log(), 1,
                       true)
        front.write(running, "estate.lua", front.ESTATE)
        assert.is_true(running:run())
        assert.equal("200", statuses(3))
    end)

    it("refuse everything with a broken estate where `init` says so, until it is mended", function()
        running = front.new({ pets = BROKEN, workers = 2, init = 'on_broken = "refuse"' })
        assert.is_true(running:run())
        assert.equal("503", statuses(5))
        assert.equal(503, status("/admin"))
        assert.matches("pets.json:1:", running:log(), 1, true)
        assert.is_true(nginx.run_until(function() return front.state(running).problem end))
        front.write(running, "pets.json", front.PETS)
        front.wait_for_revision(running, 2)
        assert.equal("200", statuses(10))
        assert.equal(403, status("/admin"))
    end)

    it("read the files by themselves when the dictionary has no room for the bytes", function()
        local estate = front.ESTATE .. "-- " .. ("x"):rep(200000)
        running = front.new({ estate = estate, workers = 2 })
        front.write(running, "nginx.conf", (running:log("nginx.conf")
            :gsub("lua_shared_dict postern 2m", "lua_shared_dict postern 64k")))
        assert.is_true(running:run())
        assert.matches("make `lua_shared_dict postern` larger", running:log(), 1, true)
        local before = front.wait_for_revision(running, 2)
        assert.equal("200", statuses(10))
        front.write(running, "pets.json", DENYING)
        front.wait_for_revision(running, 2, before)
        assert.equal("403", statuses(10))
    end)

    it("let a pack wait that has to when it starts, and requests wait for it", function()
        start({ estate = front.ESTATE .. 'rules "slow.lua"', files = { ["slow.lua"] = [[
            return { kind = "keys", name = "slow", api = 1, lazy = true,
                check = function() return true end,
                start = function(config, tools)
                    local ok, err = tools.sleep(0.05)
                    if not ok then
                        error(err)
                    end
                    return {}
                end,
                types = { ["acme:Slow"] = "string" },
                keys = { ["acme:Slow"] = function() return "slow" end } }
        ]] }, pets = front.PETS:gsub('"aws:Referer": "%*evil%*"', '"acme:Slow": "fast"') })
        assert.equal("200", statuses(3))
    end)

    it("follow what only the master may read until somebody tells nginx", function()
        if require("luv").os_get_passwd().uid ~= 0 then
            pending("only root can have workers that may not read")
            return
        end
        running = front.new()
        local conf = running:log("nginx.conf"):gsub("user %w+;", "user nobody nogroup;")
        front.write(running, "nginx.conf", conf)
        os.execute(("chmod 711 %s; chmod 600 %s/*.json"):format(running.folder, running.folder))
        assert.is_true(running:run())
        assert.equal("200", statuses(3))
        local before = revision()
        assert.is_true(running:wait_for_log("the workers may not read it"))
        front.write(running, "estate.lua", front.ESTATE .. 'mode "enforce"')
        front.wait_for_revision(running, 1, before)
        assert.equal("200", statuses(3))
        assert.is_nil(front.state(running).problem)
    end)
end)
