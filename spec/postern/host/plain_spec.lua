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
