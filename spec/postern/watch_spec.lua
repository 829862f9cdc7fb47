local watch = require("postern.watch")


describe("signatures", function()
    local entries, fs

    before_each(function()
        entries = {}
        fs = {
            stat = function(path) return entries[path] end,
            list = function(path) return entries[path] and entries[path].names end,
        }
    end)

    local function file(ino, size, time)
        return { type = "file", dev = 1, ino = ino, size = size, mtime = { sec = time, nsec = 5 },
            ctime = { sec = time, nsec = 6 } }
    end

    it("tell which of the paths have changed", function()
        local known = {}
        local paths = { "/a", "/b" }
        entries["/a"] = file(1, 10, 100)
        assert.same({ "/a", "/b" }, watch.changed(fs, paths, known))
        assert.same({}, watch.changed(fs, paths, known))
        for _, change in ipairs({
            { "/a", file(2, 10, 100) }, -- replaced
            { "/a", file(2, 11, 100) }, -- longer
            { "/a", file(2, 11, 101) }, -- written
            { "/a", nil },              -- removed
            { "/b", file(3, 0, 0) },    -- created
        }) do
            entries[change[1]] = change[2]
            assert.same({ change[1] }, watch.changed(fs, paths, known))
            assert.same({}, watch.changed(fs, paths, known))
        end
    end)

    it("of a time within the same second differ", function()
        entries["/a"] = file(1, 1, 1)
        local before = watch.signature(fs, "/a")
        entries["/a"].mtime.nsec = 7
        assert.not_equal(before, watch.signature(fs, "/a"))
    end)

    it("of a folder tell of its files, in any order, and not of folders in it", function()
        entries["/d"] = { type = "directory", names = { "b", "a", "sub" } }
        entries["/d/a"], entries["/d/b"] = file(1, 1, 1), file(2, 2, 2)
        entries["/d/sub"] = { type = "directory", ino = 9, mtime = { sec = 1, nsec = 1 } }
        local before = watch.signature(fs, "/d")
        entries["/d"].names = { "a", "sub", "b" }
        entries["/d/sub"].mtime.sec = 2
        assert.equal(before, watch.signature(fs, "/d"))
        entries["/d/b"] = file(2, 3, 2)
        assert.not_equal(before, watch.signature(fs, "/d"))
        entries["/d/b"] = file(2, 2, 2)
        entries["/d"].names = { "a", "b", "sub", "c" }
        assert.not_equal(before, watch.signature(fs, "/d"))
    end)

    it("of a folder that is too large, or cannot be read, are its own", function()
        local names = {}
        for i = 1, 5000 do
            names[i] = "f" .. i
        end
        for _, list in ipairs({ names, false }) do
            entries["/d"] = { type = "directory", ino = 1, size = 2, names = list }
            assert.equal("directory 0 1 2 - -", watch.signature(fs, "/d"))
        end
    end)

    it("of other paths begin with what they are, of the same stay what was known", function()
        entries["/a"], entries["/b"], entries["/c"] = file(1, 1, 1), file(2, 1, 1), file(3, 1, 1)
        local known = {}
        watch.follow(fs, { "/a", "/b" }, known)
        assert.same({}, watch.changed(fs, { "/a", "/b" }, known))
        entries["/b"] = file(2, 2, 1)
        watch.follow(fs, { "/b", "/c" }, known)
        assert.is_nil(known["/a"])
        assert.same({ "/b" }, watch.changed(fs, { "/b", "/c" }, known))
    end)

    it("know the folder of a file", function()
        for path, folder in pairs({
            ["/a/b/c"] = "/a/b", ["/a"] = "/", ["a"] = ".", ["a/b"] = "a", ["/a/b/"] = "/a",
        }) do
            assert.equal(folder, watch.folder_of(path))
        end
    end)
end)
