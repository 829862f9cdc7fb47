local glob = require("postern.glob")


describe("glob", function()
    it("answers the place of the first pattern that matches", function()
        local globs = assert(glob.new{ "/health", "/pets/*", "/pets/?", "*" })
        assert.equal(1, globs:match("/health"))
        assert.equal(2, globs:match("/pets/7"))
        assert.equal(4, globs:match("/"))
    end)

    it("answers nil when none does", function()
        assert.is_nil(assert(glob.new{ "/pets/?" }):match("/pets/77"))
        assert.is_nil(assert(glob.new{}):match(""))
    end)

    it("takes code points as characters", function()
        assert.equal(1, assert(glob.new{ "caf?" }):match("café"))
    end)

    it("keeps to the colon rule for resources", function()
        local pattern = "arn:aws:execute-api:us-*2:1:abc/*"
        local text = "arn:aws:execute-api:us-east-1:2:1:abc/x"
        assert.equal(1, assert(glob.new{ pattern }):match(text))
        assert.is_nil(assert(glob.new{ pattern, kind = "resource" }):match(text))
    end)

    it("raises for a kind there is not, at the caller's line", function()
        local _, err = pcall(function() glob.new{ "a", kind = "regex" } end)
        assert.matches("glob_spec%.lua:%d+: no such kind of glob: `regex`", err)
    end)
end)
