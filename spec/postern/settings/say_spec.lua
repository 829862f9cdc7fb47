local say = require("postern.settings.say")


local function words_of(fn, ...)
    local ok, err = pcall(fn, ...)
    assert.is_false(ok)
    return err.settings
end


describe("saying what is wrong with a setting", function()
    it("describes values", function()
        for _, row in ipairs({ { "a", "`a`" }, { 1, "1" }, { true, "true" }, { {}, "a table" },
            { nil, "a nil" } }) do
            assert.equal(row[2], say.describe(row[1]))
        end
    end)

    it("raises words that are told from other errors", function()
        assert.equal("a 1", words_of(say.fail, "%s %d", "a", 1))
    end)

    it("names what is unknown, and what comes near", function()
        say.check_names("", { a = 1 }, { a = true })
        assert.equal("x: unknown member `lisen`: did you mean `listen`?",
            words_of(say.check_names, "x: ", { lisen = 1 }, { listen = true }))
    end)

    it("takes whole numbers within bounds", function()
        assert.equal(1, say.whole("n", 1, 1, 2))
        assert.equal(2, say.whole("n", 2, 1, 2))
        for _, value in ipairs({ 0, 3, 1.5, 0 / 0, "1", {} }) do
            assert.matches("^n is .*: give a whole number from 1 to 2$",
                words_of(say.whole, "n", value, 1, 2))
        end
    end)

    it("takes paths as the file means them that says them", function()
        assert.equal("/etc/a/b", say.path("p", "b", "/etc/a/estate.lua"))
        assert.equal("b", say.path("p", "b", "estate.lua"))
        assert.equal("b", say.path("p", "b", nil))
        assert.equal("/b", say.path("p", "/b", "/etc/a/estate.lua"))
        for _, value in ipairs({ 1, "", "a\0b" }) do
            assert.matches("^p is .*: give the path of a file$", words_of(say.path, "p", value))
        end
    end)
end)
