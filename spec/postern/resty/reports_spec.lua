local reporters = require("postern.resty.reports")


describe("reports", function()
    local now, lines, reports

    before_each(function()
        now, lines = 1000, {}
        reports = reporters.new({
            now = function() return now end,
            write = function(line) lines[#lines + 1] = line end,
        }, 10)
    end)

    it("write one line of a kind an interval, with the count of those left out", function()
        assert.is_true(reports:tell("a", "one"))
        assert.is_false(reports:tell("a", "two"))
        assert.is_false(reports:tell("a", "three"))
        assert.is_true(reports:tell("b", "other"))
        now = 1010
        assert.is_true(reports:tell("a", "four"))
        now = 1020
        assert.is_true(reports:tell("a", "five"))
        assert.same({ "one", "other", "four (2 more like this since the last line)", "five" },
                    lines)
    end)

    it("are not silent for long when the clock is set back", function()
        reports:tell("a", "one")
        now = 10
        assert.is_true(reports:tell("a", "two"))
    end)

    it("stay on their line, and short, whatever a client sent", function()
        reports:tell("a", "x\r\nforged \27[31m" .. ("y"):rep(5000))
        assert.equal(1024, #lines[1])
        assert.not_matches("%c", lines[1])
        assert.matches("x??forged ?[31m", lines[1], 1, true)
    end)
end)
