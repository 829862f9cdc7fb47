local words = require("spec.bench.report.words")


describe("the words of the page on performance", function()
    it("write times with three digits that count", function()
        local wanted = { [3.14159] = "3.14 ns", [99.96] = "100 ns", [461.3] = "461 ns",
                         [999.6] = "1.00 µs", [18240] = "18.2 µs", [3.5e6] = "3.50 ms",
                         [2e9] = "2.00 s", [-8.84] = "-8.84 ns", [-1500] = "-1.50 µs" }
        for ns, text in pairs(wanted) do
            assert.equal(text, words.time(ns))
        end
    end)

    it("write ratios, and what is too much as more than nothing", function()
        assert.equal("1.5×", words.times(1.5))
        assert.equal("12,346×", words.times(12345.6))
        assert.equal("1.01×", words.excess(1.0001))
        assert.equal("1.04×", words.excess(1.04))
        assert.equal("1.5×", words.excess(1.52))
        assert.equal("12×", words.excess(12.2))
    end)

    it("make tables", function()
        assert.equal("| a | b |\n|---|--:|\n| x | 1 |\n| y | 2,000 |",
                     words.table_of({ "a", "b" }, { { "x", "1" }, { "y", words.count(2000) } }, 2))
    end)
end)
