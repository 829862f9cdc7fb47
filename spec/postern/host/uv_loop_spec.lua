local uv = require("luv")
local loops = require("postern.host.uv_loop")
local support = require("spec.support.loop")


describe("the loop of the libuv host", function()
    local loop, logged, before

    before_each(function()
        before = support.open_handles()
        logged = {}
        loop = loops.new(function(line) logged[#logged + 1] = line end)
    end)

    after_each(function()
        loop:close()
        assert.equal(before, support.open_handles())
        assert.is_nil(next(loop.handles))
    end)

    it("has words for errors", function()
        assert.equal("connection refused", loops.words("ECONNREFUSED"))
        assert.equal("no such file or directory",
            loops.words("ENOENT: no such file or directory: /a"))
        assert.equal("unknown node or service", loops.words("EAI_NONAME"))
        assert.equal("is a directory", loops.words("EISDIR"))
        assert.equal("EWHATEVER", loops.words("EWHATEVER"))
        assert.equal("something else", loops.words("something else"))
    end)

    it("goes on after a callback that raises", function()
        local ticks = 0
        loop:timer(0, function() error("oops", 0) end)
        loop:timer(0.001, function() ticks = ticks + 1 end)
        assert.is_true(loop:run_until(function() return ticks == 1 end))
        assert.same({ "a callback raised: oops" }, logged)
    end)

    it("stops timers, also twice, and does not run on for weak ones", function()
        local rang = false
        local stop = loop:timer(0.001, function() rang = true end)
        stop()
        stop()
        loop:timer(60, print, true)
        assert.is_false(loop:run_until(function() return rang end))
    end)

    it("calls again and again, until it is stopped, and does not run on for that", function()
        local ticks, rang = 0, false
        local stop = loop:every(0.001, function() ticks = ticks + 1 end)
        assert.is_false(loop:run_until(function() return rang end))
        loop:timer(0.05, function() rang = true end)
        assert.is_true(loop:run_until(function() return ticks == 3 end))
        stop()
        stop()
        assert.is_true(loop:run_until(function() return rang end))
        assert.equal(3, ticks)
    end)

    it("counts a limit from now, however long Lua has run", function()
        local start = uv.hrtime()
        while uv.hrtime() - start < 30e6 do end
        local rang
        local set = uv.hrtime()
        loop:timer(0.03, function() rang = uv.hrtime() end)
        loop:run_until(function() return rang end)
        assert.is_true(rang - set >= 29e6)
    end)

    it("undoes what comes too late", function()
        local path = os.tmpname()
        local undone
        local task = loop.tasks:spawn(function()
            loop:request(function(done)
                return uv.fs_open(path, "r", 0, done)
            end, function(fd)
                undone = fd
                uv.fs_close(fd)
            end)
        end)
        -- Let it finish in its thread first: what is waiting still is cancelled instead.
        uv.sleep(20)
        task:cancel()
        uv.run()
        os.remove(path)
        assert.is_number(undone)
    end)

    it("answers a request that cannot begin", function()
        local result
        loop.tasks:spawn(function()
            result = { loop:request(function() return nil, "EINVAL: invalid argument" end) }
        end)
        assert.same({ nil, "invalid argument" }, result)
    end)

    it("tells when streams can be read, to whoever reads them", function()
        local fds = assert(uv.socketpair(nil, nil, { nonblock = true }, {}))
        local stream, other = loop:adopt(uv.new_pipe(false)), loop:adopt(uv.new_pipe(false))
        stream:open(fds[1])
        other:open(fds[2])
        local told = 0
        local readiness = assert(loop:readiness(stream, function() told = told + 1 end))
        assert.equal(fds[1], readiness.fd)
        local function turn()
            told = 0
            uv.run("nowait")
            return told
        end
        readiness:start()
        assert.equal(0, turn())
        other:try_write("x")
        assert.equal(1, turn())
        assert.equal(1, turn()) -- nobody has read it
        readiness:start() -- again: nothing changes
        readiness:stop()
        readiness:stop()
        assert.equal(0, turn())
        readiness:start()
        assert.equal(1, turn())
        local broken = setmetatable({ loop = loop, fd = -1, fn = print }, getmetatable(readiness))
        assert.same({ nil, "the descriptor cannot be watched: Bad file descriptor" },
                    { broken:start() })
        assert.is_nil(loop:readiness({}, print)) -- TLS over a stream, say
        readiness:stop()
    end)

    -- Each as a program of its own: what luv does not survive would end the specs.
    it("lets a program end at any time", function()
        for _, text in ipairs({
            "host:block(host.sleep, host, 0) host:close()",
            "host:spawn(host.sleep, host, 60)",
            "local w = host:watch({ '/tmp' }, print) w:close()",
            "local s = host:on_signal('sighup', print) s.close()",
            "local task = host:spawn(host.sleep, host, 60) task:cancel()",
            "host:spawn(host.work, host, 'return 1')",
            "local task = host:spawn(host.work, host, 'return 1') task:cancel()",
            "host:spawn(host.resolve, host, 'localhost')",
            "host:spawn(host.read, host, '/etc/passwd')",
            "host:block(function() host:connect({ host = '127.0.0.1', port = 1 }) end)",
            "host:block(function() host:timeout(0, host.sleep, host, 60) os.exit(0, true) end)",
        }) do
            local status = os.execute(([[LUA_PATH='%s' LUA_CPATH='%s' luajit -e "
                local host = require('postern.host.uv').new() %s os.exit(0, true)"]])
                :format(package.path, package.cpath, text))
            assert.equal(0, status, text)
        end
    end)
end)
