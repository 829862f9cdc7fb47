local routes = require("postern.routes")


describe("routes", function()
    it("lead to the longest prefix that ends with a segment", function()
        local table = routes.new({ ["/a"] = "A", ["/a/b"] = "B", ["/ab"] = "AB", ["/c/"] = "C" })
        for path, expected in pairs({
            ["/a"] = "A/a", ["/a/"] = "A/a", ["/a/x"] = "A/a", ["/a/bc"] = "A/a",
            ["/a/b"] = "B/a/b", ["/a/b/c/d"] = "B/a/b", ["/ab"] = "AB/ab", ["/ab/x"] = "AB/ab",
            ["/c"] = "C/c",
            ["/c/x"] = "C/c", ["/c/"] = "C/c",
        }) do
            local endpoint, prefix = table:find(path)
            assert.equal(expected, endpoint .. prefix, path)
        end
        for _, path in ipairs({ "/", "/abc", "/A", "/b", "//a", "/%61", "*", "a", "", "/a;x" }) do
            assert.is_nil(table:find(path), path)
        end
    end)

    it("lead everything to the root, where there is one", function()
        local table = routes.new({ ["/"] = "root", ["/a"] = "A" })
        assert.equal("root", (table:find("/")))
        assert.equal("root", (table:find("//a")))
        assert.equal("root", (table:find("/b/c")))
        assert.equal("A", (table:find("/a/c")))
        assert.is_nil(table:find("*"))
    end)
end)
