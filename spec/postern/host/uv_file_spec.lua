local uv = require("luv")
local hosts = require("postern.host.uv")
local loop = require("spec.support.loop")


describe("files of the libuv host", function()
    local host, logged, before

    before_each(function()
        before = loop.open_handles()
        logged = {}
        host = hosts.new({ log = function(line) logged[#logged + 1] = line end })
    end)

    after_each(function()
        host:close()
        assert.equal(before, loop.open_handles())
    end)

    local function block(method, ...)
        return host:block(host[method], host, ...)
    end

    local folder

    before_each(function()
        folder = os.tmpname()
        os.remove(folder)
        assert(uv.fs_mkdir(folder, tonumber("700", 8)))
    end)

    after_each(function()
        os.execute("rm -r " .. folder)
    end)

    local function put(name, text)
        local file = assert(io.open(folder .. "/" .. name, "wb"))
        file:write(text)
        file:close()
    end

    local function get(name)
        return host:block(host.read, host, folder .. "/" .. name)
    end

    it("are read", function()
        put("a", ("x\0"):rep(400000))
        assert.equal(("x\0"):rep(400000), get("a"))
        assert.same({ nil, "no such file or directory: check the path" },
            { block("read", "/no/such/file") })
        assert.same({ nil, "is a directory: give a file" }, { block("read", folder) })
        assert.same({ nil, "the file is larger than 16 MiB: give a smaller one" },
            { block("read", "/dev/zero") })
    end)

    -- Each read is a trip to another thread.
    it("are read in one go when their size is known", function()
        local real, reads = uv.fs_read, 0
        uv.fs_read = function(...)
            reads = reads + 1
            return real(...)
        end
        finally(function() uv.fs_read = real end)
        for _, row in ipairs({
            { "", 1 }, { "x", 1 }, { ("x"):rep(5000), 1 },
            { ("x"):rep(256 * 1024 - 1), 1 }, { ("xy"):rep(128 * 1024), 2 },
            { ("x"):rep(256 * 1024 + 1), 3 },
        }) do
            put("a", row[1])
            reads = 0
            assert.equal(row[1], get("a"))
            assert.equal(row[2], reads)
        end
        assert.truthy(host:block(host.read, host, "/proc/self/status"):find("VmRSS"))
    end)

    it("that grow while they are read are read to the end", function()
        put("a", "0123456789")
        local real = uv.fs_fstat
        uv.fs_fstat = function(fd)
            local stat = real(fd)
            put("a", "0123456789abcdef")
            return stat
        end
        finally(function() uv.fs_fstat = real end)
        assert.equal("0123456789abcdef", get("a"))
    end)

    it("are written line by line", function()
        local writer = assert(host:writer(folder .. "/log"))
        for i = 1, 1000 do
            assert.is_true(writer:write(tostring(i)))
        end
        host:block(writer.close, writer)
        assert.is_false(writer:write("late"))
        local lines = {}
        for line in io.lines(folder .. "/log") do
            lines[#lines + 1] = tonumber(line)
        end
        assert.equal(1000, #lines)
        for i, line in ipairs(lines) do
            assert.equal(i, line)
        end
    end)

    it("drop lines that find no place, and count them", function()
        local writer = assert(host:writer(folder .. "/log", { queue = 2 }))
        assert.same({ true, true, false, false }, { writer:write("1"), writer:write("2"),
            writer:write("3"), writer:write("4") })
        assert.equal(2, writer.dropped)
        assert.is_true(host:run())
        assert.is_true(writer:write("5"))
        host:block(writer.close, writer)
        assert.equal("1\n2\n5\n", get("log"))
        writer = assert(host:writer(folder .. "/log", { max_bytes = 3 }))
        assert.is_true(writer:write("6"))
        assert.is_false(writer:write("long"))
    end)

    it("are opened anew after they were moved, by hand and by signal", function()
        local writer = assert(host:writer(folder .. "/log"))
        writer:write("1")
        host:run()
        for i, reopen in ipairs({
            function() writer:reopen() end,
            function() uv.kill(uv.os_getpid(), "sigusr1") end,
        }) do
            local old = writer.fd
            os.rename(folder .. "/log", folder .. "/old" .. i)
            host:block(function()
                reopen()
                while writer.fd == old do
                    host:sleep(0.001)
                end
            end)
            writer:write("new" .. i)
            host:run()
        end
        writer:close()
        host:run()
        assert.equal("1\n", get("old1"))
        assert.equal("new1\n", get("old2"))
        assert.equal("new2\n", get("log"))
    end)

    it("that cannot be written say why, once", function()
        assert.same({ nil, "/no/such/log: no such file or directory" },
            { host:writer("/no/such/log") })
        local writer = assert(host:writer("/dev/full"))
        writer:write("a")
        host:run()
        writer:write("b")
        host:run()
        assert.equal(2, writer.dropped)
        assert.same({ "/dev/full: no space left on device: lines are dropped" }, logged)
    end)

    -- A FIFO that is full, with lines that wait behind.
    local function stalled(options)
        os.execute("mkfifo " .. folder .. "/log")
        local writer = assert(host:writer(folder .. "/log", options))
        host:block(function()
            for i = 1, 80 do
                writer:write(("%02d"):format(i) .. ("x"):rep(997))
            end
            while not writer.stalled do
                host:sleep(0.001)
            end
            writer:write("behind")
        end)
        return writer
    end

    it("that are FIFOs are written as somebody reads, whole lines and all of them", function()
        local writer = stalled()
        local reader = assert(uv.fs_open(folder .. "/log", 2048, 0)) -- O_NONBLOCK
        local text = ""
        host:block(function()
            repeat
                host:sleep(0.005)
                text = text .. (uv.fs_read(reader, 100000, -1) or "")
            until text:find("behind\n")
        end)
        uv.fs_close(reader)
        local count = 0
        for line in text:gmatch("([^\n]*)\n") do
            count = count + 1
            assert.equal(count <= 80 and ("%02d"):format(count) .. ("x"):rep(997) or "behind", line)
        end
        assert.equal(81, count)
        assert.equal(0, writer.dropped)
        writer:close()
    end)

    it("that are FIFOs make nobody wait at the end, and what was dropped is known", function()
        local writer = stalled()
        host:block(writer.close, writer)
        assert.is_true(writer.dropped > 1)
        assert.equal(1, #logged)
        assert.matches("log: resource temporarily unavailable: lines are dropped", logged[1], 1,
            true)
        assert.is_false(writer:write("late"))
    end)

    it("take the place of a FIFO that nobody reads", function()
        local writer = stalled()
        assert(os.rename(folder .. "/log", folder .. "/old"))
        host:block(function()
            writer:reopen()
            while writer.stalled or writer.busy do
                host:sleep(0.001)
            end
        end)
        writer:write("new")
        host:block(writer.close, writer)
        assert.equal("behind\nnew\n", get("log"))
        assert.is_true(writer.dropped > 1)
    end)

    -- Runs until the watch has told of as many paths.
    local function changes_of(paths, options, change)
        local changed = {}
        local watch = host:watch(paths, function(list)
            for _, path in ipairs(list) do
                changed[#changed + 1] = path:sub(#folder + 2)
            end
            host:stop()
        end, options)
        change()
        host:run()
        watch:close()
        table.sort(changed)
        return changed
    end

    it("are seen to change: written, replaced, created, removed", function()
        local path = folder .. "/a"
        for _, options in ipairs({
            { debounce = 0.01, poll = 1000 }, -- told by the system
            { debounce = 1000, poll = 0.02 }, -- looked for
        }) do
            put("a", "1")
            local function changes(change)
                return changes_of({ path, folder .. "/b" }, options, change)
            end
            assert.same({ "a" }, changes(function() put("a", "2") end))
            assert.same({ "a" }, changes(function()
                put("a.new", "3")
                os.rename(folder .. "/a.new", path)
            end))
            assert.same({ "b" }, changes(function() put("b", "") end))
            assert.same({ "b" }, changes(function() os.remove(folder .. "/b") end))
        end
    end)

    it("are watched by folder, too", function()
        put("a", "1")
        assert.same({ "" }, changes_of({ folder }, { debounce = 0.01, poll = 1000 },
            function() put("a", "22") end))
        assert.same({ "" }, changes_of({ folder }, { debounce = 0.01, poll = 1000 },
            function() put("b", "") end))
    end)

    it("are not told to have changed when they have not", function()
        put("a", "1")
        assert.same({ "a" }, changes_of({ folder .. "/a" }, { debounce = 0.01, poll = 1000 },
            function()
                put("other", "1")
                host:spawn(function()
                    host:sleep(0.05)
                    put("a", "2")
                end)
            end))
    end)

    it("are watched again when their folder was replaced", function()
        local sub = folder .. "/sub"
        uv.fs_mkdir(sub, 448)
        put("sub/a", "1")
        local seen = 0
        local watch = host:watch({ sub .. "/a" }, function()
            seen = seen + 1
            host:stop()
        end, { debounce = 0.01, poll = 0.05 })
        os.rename(sub, folder .. "/old")
        host:run()
        uv.fs_mkdir(sub, 448)
        put("sub/a", "2")
        host:run()
        put("sub/a", "33")
        host:run()
        assert.equal(uv.fs_stat(sub).ino, watch.folders[sub].ino)
        watch:close()
        assert.equal(3, seen)
    end)

    it("watched by a function that raises are watched on", function()
        put("a", "1")
        local seen = 0
        local watch = host:watch({ folder .. "/a" }, function()
            seen = seen + 1
            host:stop()
            error("oops")
        end, { debounce = 0.01 })
        put("a", "2")
        host:run()
        put("a", "3")
        host:run()
        watch:close()
        assert.equal(2, seen)
        assert.matches("oops", logged[1])
    end)
end)
