local plain = require("postern.host.plain")


describe("the plain host", function()
    local path

    before_each(function()
        path = os.tmpname()
    end)

    after_each(function()
        os.remove(path)
    end)

    local function write(text)
        local file = assert(io.open(path, "wb"))
        file:write(text)
        file:close()
    end

    local function lines_of(text)
        write(text)
        local lines, iterate = {}, assert(plain.lines(path))
        local line = iterate()
        while line do
            lines[#lines + 1] = line
            line = iterate()
        end
        assert.is_nil((iterate()))
        return lines
    end

    it("reads bytes as they are", function()
        local text = "\0\r\n\255" .. ("x"):rep(200000)
        write(text)
        assert.equal(text, plain.read(path))
    end)

    it("says what is wrong without repeating the path", function()
        assert.same({ nil, "no such file or directory: check the path" },
                    { plain.read("/no/such/file") })
        assert.same({ nil, "is a directory: give a file" }, { plain.read("/tmp") })
    end)

    it("stops reading what is too large", function()
        assert.same({ nil, "the file is larger than 16 MiB: give a smaller one" },
                    { plain.read("/dev/zero") })
    end)

    it("reads the largest file it takes", function()
        write(("x"):rep(plain.MAX_BYTES))
        assert.equal(plain.MAX_BYTES, #plain.read(path))
    end)

    it("gives lines with either line end, the last one with or without", function()
        assert.same({ "a", "", "b" }, lines_of("a\n\r\nb"))
        assert.same({ "a", "b" }, lines_of("a\r\nb\r\n"))
        assert.same({}, lines_of(""))
        assert.same({ "" }, lines_of("\n"))
    end)

    it("gives lines that cross its chunks", function()
        local long = ("x"):rep(3 * 64 * 1024 + 17)
        assert.same({ long, "y", long }, lines_of(long .. "\ny\n" .. long))
    end)

    it("says what is wrong with lines", function()
        assert.is_nil((plain.lines("/no/such/file")))
        assert.same({ nil, "is a directory: give a file" }, { assert(plain.lines("/tmp"))() })
        assert.same({ nil, "a line is larger than 16 MiB: give a smaller one" },
                    { assert(plain.lines("/dev/zero"))() })
    end)

    it("knows the time", function()
        assert.is_true(plain.now() > 1.7e9)
    end)
end)


-- What spec/hosts_spec.lua shares with the other hosts is tested there.
describe("a plain host with operations", function()
    local loop = require("spec.support.loop")
    local host, before, logged

    before_each(function()
        before = loop.open_handles()
        logged = {}
        host = plain.new({ log = function(line) logged[#logged + 1] = line end })
    end)

    after_each(function()
        host:close()
        assert.equal(before, loop.open_handles())
    end)

    it("makes its loop only when something waits", function()
        assert.equal(3, host:work("return 1 + 2"))
        host:log("line")
        assert.is_nil((host:read("/no/such/file")))
        assert.is_nil(host.inner)
        assert.is_false(host:inside())
        assert.is_true(host:sleep(0))
        assert.is_not_nil(host.inner)
        assert.same({ "line" }, logged)
    end)

    it("says what is missing without libuv", function()
        local modules, loaders = package.loaded, package.preload
        local saved = { modules["luv"], modules["postern.host.uv"] }
        for name in pairs(modules) do
            if name:find("^postern%.host%.uv") then
                modules[name] = nil
            end
        end
        modules["luv"] = nil
        loaders["luv"] = function() error("not installed", 0) end
        local ok, err = pcall(host.sleep, host, 0)
        local now = host:now()
        loaders["luv"] = nil
        modules["luv"], modules["postern.host.uv"] = saved[1], saved[2]
        assert.is_false(ok)
        assert.matches("what waits needs libuv: install lua-luv: ", err, 1, true)
        assert.equal(now, math.floor(now))
    end)

    it("waits where it is in a task, and blocks elsewhere", function()
        local order = {}
        local slow = host:spawn(function()
            assert.is_true(host:inside())
            host:sleep(0.01)
            order[#order + 1] = "slow"
            return "done"
        end)
        host:spawn(function()
            host:sleep(0)
            order[#order + 1] = "quick"
        end)
        assert.same({}, order)
        assert.equal("done", slow:wait())
        assert.same({ "quick", "slow" }, order)
        assert.is_false(slow:cancel())
    end)

    it("runs what is left to run, and watches meanwhile", function()
        local path = os.tmpname()
        local seen
        local watching = host:watch({ path }, function(paths)
            seen = paths[1]
            host:stop()
        end, { debounce = 0.01 })
        local file = assert(io.open(path, "w"))
        file:write("x")
        file:close()
        host:run()
        watching:close()
        os.remove(path)
        assert.equal(path, seen)
        assert(host:on_signal("sigusr2", print)).close()
    end)

    it("raises what a blocked function raises", function()
        assert.error_matches(function() host:sleep(-1) end, "give a number of seconds")
        assert.error_matches(function() host:block(error, "oops") end, "oops")
        assert.error_matches(function() plain.new({ x = 1 }) end, "unknown option `x`")
        assert.error_matches(function() host:writer("/tmp/x", { y = 1 }) end, "unknown option `y`")
    end)

    it("writes lines at once, and opens files anew", function()
        local path = os.tmpname()
        local writer = assert(host:writer(path))
        assert.is_true(writer:write("one"))
        assert.equal("one\n", host:read(path))
        os.rename(path, path .. ".old")
        assert.is_true(writer:reopen())
        assert.is_true(writer:write("two"))
        assert.equal("one\n", host:read(path .. ".old"))
        assert.equal("two\n", host:read(path))
        writer:close()
        assert.is_false(writer:write("late"))
        assert.equal(1, writer.dropped)
        os.remove(path)
        os.remove(path .. ".old")
    end)

    it("says once that lines cannot be written", function()
        local writer = assert(host:writer("/dev/full"))
        assert.is_false(writer:write("a"))
        assert.is_false(writer:write("b"))
        writer:close()
        assert.equal(2, writer.dropped)
        assert.same({ "/dev/full: no space left on device: lines are dropped" }, logged)
        assert.is_true(assert(host:writer("-")):reopen())
    end)

    it("sees that a line cannot be written in a loop that is compiled, too", function()
        local good, full = assert(host:writer("/dev/null")), assert(host:writer("/dev/full"))
        local answers = {}
        for i = 1, 400 do
            answers[i] = (i % 200 == 199 and full or good):write("a")
        end
        assert.same({ true, false, false }, { answers[198], answers[199], answers[399] })
        assert.equal(2, full.dropped)
        good:close()
        full:close()
    end)
end)
