local uv = require("luv")
local ffi = require("ffi")
local core = require("postern.ffi")
local mmdb = require("postern.mmdb")
local databases = require("spec.support.mmdb")


-- One record of every type.
local ALL = {
    text = "\195\164", long = ("x"):rep(300), medium = ("y"):rep(100), number = 4294967295,
    yes = true, no = false, list = { "a", { deep = "b" } }, empty = "",
    bytes = databases.typed("bytes", "\0\255"), small = databases.typed("uint16", "\1\2"),
    negative = databases.typed("int32", "\255\255\255\254"),
    large = databases.typed("uint64", "\0\0\1\0\0\0\0\0"),
    huge = databases.typed("uint128", "\1"),
    double = databases.typed("double", "\63\248\0\0\0\0\0\0"),
    float = databases.typed("float", "\191\192\0\0"),
}

local NETWORKS = {
    { "1.0.0.0/8", { country = { iso_code = "AU" } } },
    { "2.16.0.0/13", { country = { iso_code = "FR" } } },
    { "2.24.5.6/32", { country = { iso_code = "GB" } } },
    { "9.0.0.0/8", ALL },
}

local IPV6 = {
    { "1.0.0.0/8", { country = { iso_code = "AU" } } },
    { "2001:db8::/32", { country = { iso_code = "DE" } } },
    { "2a00:1450:4001::/48", { country = { iso_code = "IE" } } },
}


describe("a database of addresses", function()
    local paths = {}

    local function file_of(bytes)
        paths[#paths + 1] = databases.write(bytes)
        return paths[#paths]
    end

    local function database(networks, options)
        return assert(mmdb.open(file_of(databases.build(networks, options))))
    end

    local function country(reader, address)
        local record, err = reader:lookup(address)
        assert.is_nil(err)
        return record and record.country.iso_code
    end

    teardown(function()
        for _, path in ipairs(paths) do
            os.remove(path)
        end
    end)

    it("answers by the network an address is in, whatever the size of its records", function()
        for _, size in ipairs({ 24, 28, 32 }) do
            local reader = database(NETWORKS, { record_size = size, type = "Any" })
            for address, expected in pairs({
                ["1.0.0.0"] = "AU", ["1.255.255.255"] = "AU", ["0.255.255.255"] = false,
                ["2.0.0.0"] = false, ["2.16.0.0"] = "FR", ["2.23.255.255"] = "FR",
                ["2.24.0.0"] = false, ["2.24.5.5"] = false, ["2.24.5.6"] = "GB",
                ["2.24.5.7"] = false, ["192.0.2.1"] = false, ["2001:db8::1"] = false,
            }) do
                assert.equal(expected, country(reader, address) or false)
            end
            assert.equal("Any", reader.type)
        end
    end)

    it("has IPv6, and IPv4 in every spelling", function()
        for _, size in ipairs({ 24, 28, 32 }) do
            local reader = database(IPV6, { ip_version = 6, record_size = size })
            for address, expected in pairs({
                ["1.2.3.4"] = "AU", ["::ffff:1.2.3.4"] = "AU", ["::FFFF:102:304"] = "AU",
                ["0:0:0:0:0:ffff:0102:0304"] = "AU", ["::ffff:100:0"] = "AU",
                ["8.8.8.8"] = false, ["0:0:0:0:0:ffff:100::"] = "AU",
                ["::ffff:ffff:ffff"] = false, ["::ffff:1.0.0.0"] = "AU",
                ["0:0:0:0:0:FFFF::5"] = false, ["0:0:0:0:0:ffff::"] = false,
                ["2001:db8::"] = "DE", ["2001:DB8:ffff:ffff:ffff:ffff:ffff:ffff"] = "DE",
                ["2001:db7:ffff::"] = false, ["2001:db9::"] = false,
                ["2a00:1450:4001:1::5"] = "IE",
            }) do
                assert.equal(expected, country(reader, address) or false)
            end
        end
    end)

    -- The writer of these files and the reader are of one hand; mmdblookup is of another.
    it("agrees with mmdblookup", function()
        for ip_version, networks in pairs({ [4] = NETWORKS, [6] = IPV6 }) do
            local path = file_of(databases.build(networks, { ip_version = ip_version }))
            local reader = assert(mmdb.open(path))
            for _, address in ipairs({ "1.9.8.7", "2.16.1.1", "2.24.5.6", "7.7.7.7",
                                       ip_version == 6 and "2001:db8:5::1" or "0.0.0.0" }) do
                local pipe = io.popen(("LD_PRELOAD= mmdblookup --file %s --ip %s country iso_code "
                    .. "2>&1"):format(path, address))
                local output = pipe:read("*a")
                pipe:close()
                local expected = output:match('"(%u%u)" <utf8_string>')
                assert.truthy(expected or output:find("Could not find an entry", 1, true), output)
                assert.equal(expected, country(reader, address))
            end
        end
    end)

    it("gives values of every type", function()
        local record = database(NETWORKS):lookup("9.9.9.9")
        assert.same({
            text = "\195\164", long = ("x"):rep(300), medium = ("y"):rep(100), number = 4294967295,
            yes = true, no = false, list = { "a", { deep = "b" } }, empty = "",
            bytes = "\0\255", small = 258, negative = -2, large = 2 ^ 40,
            huge = ("0"):rep(31) .. "1", double = 1.5, float = -1.5,
        }, record)
    end)

    it("keeps the records it has decoded, and not too many of them", function()
        local networks = {}
        for i = 0, 1499 do
            networks[#networks + 1] = { ("10.%d.%d.0/24"):format(math.floor(i / 256), i % 256),
                                        { number = i } }
        end
        local reader = database(networks)
        assert.equal(reader:lookup("10.0.7.1"), reader:lookup("10.0.7.2"))
        for _ = 1, 2 do
            for i = 0, 1499 do
                local address = ("10.%d.%d.9"):format(math.floor(i / 256), i % 256)
                assert.equal(i, reader:lookup(address).number)
            end
        end
        local count = 0
        for _ in pairs(reader.kept) do
            count = count + 1
        end
        assert.is_true(count <= 1024)
    end)

    it("refuses what is no address", function()
        local reader = database(NETWORKS)
        for _, text in ipairs({ "", "x", "1.2.3", "1.2.3.4.5", "127.1", "01.2.3.4", "1.2.3.4/8",
                                "1.2.3.256", "2001:db8", "fe80::1%eth0", "1.2.3.4\0", "localhost",
                                ("1"):rep(10000) }) do
            local record, err = reader:lookup(text)
            assert.is_nil(record)
            assert.matches("not an address", err, 1, true)
        end
    end)

    it("stays as it is when its file is cut off, overwritten or removed", function()
        local path = file_of(databases.build(NETWORKS))
        local reader = assert(mmdb.open(path))
        for _, mode in ipairs({ "wb", "ab", "wb" }) do
            local file = assert(io.open(path, mode))
            file:write(mode == "ab" and "garbage" or "")
            file:close()
            assert.equal("AU", country(reader, "1.2.3.4"))
        end
        os.remove(path)
        assert.equal("FR", country(reader, "2.16.0.1"))
        assert.is_nil((mmdb.open(path)))
    end)

    it("is closed by the collector, its descriptor at once", function()
        -- Not by a program: on a busy machine it may look before the pipe to it is whole.
        local function descriptors()
            local count, entries = 0, assert(uv.fs_scandir("/proc/self/fd"))
            while uv.fs_scandir_next(entries) do
                count = count + 1
            end
            return count
        end
        local path = file_of(databases.build(NETWORKS))
        local bad = file_of("no database")
        -- What other specs left is closed now, and what the first use opens is open.
        assert(mmdb.open(path))
        collectgarbage()
        collectgarbage()
        local before = descriptors()
        local readers = {}
        for i = 1, 20 do
            readers[i] = assert(mmdb.open(path))
            assert.is_nil((mmdb.open(bad)))
        end
        assert.equal(before, descriptors())
        for i = 1, 20 do
            assert.equal("AU", country(readers[i], "1.2.3.4"))
        end
        local maps = io.open("/proc/self/maps"):read("*a")
        assert.matches("postern-mmdb", maps, 1, true)
        local _, mapped = maps:gsub("postern%-mmdb", "")
        readers = nil -- luacheck: ignore
        collectgarbage()
        collectgarbage()
        local _, left = io.open("/proc/self/maps"):read("*a"):gsub("postern%-mmdb", "")
        assert.is_true(left <= mapped - 20, ("%d of %d left"):format(left, mapped))
    end)


    describe("that is broken", function()
        it("is told when it is opened", function()
            local good = databases.build(NETWORKS)
            local marker = good:find("MaxMind.com", 1, true)
            for _, bytes in ipairs({
                "", "x", ("x"):rep(200000), good:sub(1, marker - 1), good:sub(1, marker + 30),
                good:sub(marker - 3), (good:gsub("node_count", "node_kount")),
            }) do
                local path = file_of(bytes)
                local reader, err = mmdb.open(path)
                assert.is_nil(reader)
                assert.matches(path .. ": not a database that can be read: ", err, 1, true)
            end
        end)

        it("fails in words: what is missing, a folder", function()
            assert.same({ nil, "/nowhere.mmdb: no such file or directory: check the path" },
                        { mmdb.open("/nowhere.mmdb") })
            assert.same({ nil, "/: is a directory: give a file" }, { mmdb.open("/") })
        end)

        it("answers an error, never a record of something else: pointers that go round", function()
            -- A pointer is no value of the writer: a text of the same length becomes one.
            local bytes = databases.build({ { "1.0.0.0/8", { a = "xy" } } })
            local at = bytes:find("\66xy", 1, true)
            -- To itself, to the map that holds it, and past the end.
            for _, pointer in ipairs({ "\32\3", "\32\0", "\39\255" }) do
                local broken = bytes:sub(1, at - 1) .. pointer .. "\64" .. bytes:sub(at + 3)
                local record, err = assert(mmdb.open(file_of(broken))):lookup("1.2.3.4")
                assert.is_nil(record)
                assert.is_string(err)
            end
        end)

        it("is told when a record is no map", function()
            local reader = database({ { "1.0.0.0/8", "AU" } })
            local record, err = reader:lookup("1.2.3.4")
            assert.is_nil(record)
            assert.matches("a record is no map", err, 1, true)
        end)

        -- In a process of its own, so that a crash would be a failure and not the end of the suite.
        it("never crashes, whatever bytes are wrong", function()
            local path = file_of(databases.build(NETWORKS, { record_size = 28 }))
            local script = file_of([[
                local mmdb = require("postern.mmdb")
                local path, scratch = arg[1], arg[2]
                local file = io.open(path, "rb")
                local good = file:read("*a")
                file:close()
                math.randomseed(7)
                local answers, errors = 0, 0
                for _ = 1, 3000 do
                    local bytes = good
                    for _ = 1, math.random(3) do
                        local at = math.random(#bytes)
                        bytes = bytes:sub(1, at - 1) .. string.char(math.random(0, 255))
                            .. bytes:sub(at + 1)
                    end
                    if math.random(10) == 1 then
                        bytes = bytes:sub(1, math.random(#bytes))
                    end
                    file = io.open(scratch, "wb")
                    file:write(bytes)
                    file:close()
                    local reader = mmdb.open(scratch)
                    for _, address in ipairs({ "1.2.3.4", "2.24.5.6", "9.9.9.9", "200.1.1.1" }) do
                        local record, err = nil, "not opened"
                        if reader then
                            record, err = reader:lookup(address)
                        end
                        assert(record == nil or type(record) == "table")
                        answers = answers + (record and 1 or 0)
                        errors = errors + (err and 1 or 0)
                    end
                end
                assert(answers > 100 and errors > 100)
                print("done")
            ]])
            local build = os.getenv("POSTERN_BUILD") or "build"
            local pipe = io.popen(("luajit -e 'package.path = \"./lua/?.lua;\" .. package.path; "
                .. "package.cpath = \"./%s/?.so;\" .. package.cpath' %s %s %s 2>&1")
                :format(build, script, path, file_of("")))
            local output = pipe:read("*a")
            pipe:close()
            assert.equal("done\n", output)
        end)
    end)


    it("needs a library, and says which package has it", function()
        local load = core.load_maxminddb
        core.load_maxminddb = function() -- luacheck: ignore
            return nil, "cannot load libmaxminddb.so.0: install Debian's `libmaxminddb0`: x"
        end
        local reader, err = mmdb.open("/nowhere")
        core.load_maxminddb = load -- luacheck: ignore
        assert.is_nil(reader)
        assert.matches("libmaxminddb0", err, 1, true)
    end)

    -- The library fills structs whose layout only its header knows.
    it("has the library's layout", function()
        for name, size in pairs({ postern_mmdb = 136, postern_mmdb_data = 48,
                                  postern_mmdb_item = 64, postern_mmdb_found = 32 }) do
            assert.equal(size, ffi.sizeof(name), name)
        end
    end)
end)
