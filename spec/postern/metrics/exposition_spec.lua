local exposition = require("postern.metrics.exposition")


describe("metrics as text", function()
    local FAMILIES = {
        { name = "postern_x_total", type = "counter", help = 'a "b" \\ c\nd', series = {
            { labels = "", value = 3 }, { labels = 'a="b"', value = 2 ^ 40 },
        } },
        { name = "postern_empty_total", type = "counter", help = "none", series = {} },
        { name = "postern_y_info", type = "info", help = "y", series = {
            { labels = 'r="1"', value = 1 },
        } },
        { name = "postern_z_seconds", type = "histogram", help = "z", buckets = { 1e-6, 0.5, 1 },
          series = { { labels = "", counts = { 2, nil, 3, 1 }, sum = 4.25 },
                     { labels = 'p="q"', counts = {}, sum = 0 } } },
    }

    it("is Prometheus's", function()
        assert.equal([[
# HELP postern_x_total a "b" \\ c\nd
# TYPE postern_x_total counter
postern_x_total 3
postern_x_total{a="b"} 1099511627776
# HELP postern_y_info y
# TYPE postern_y_info gauge
postern_y_info{r="1"} 1
# HELP postern_z_seconds z
# TYPE postern_z_seconds histogram
postern_z_seconds_bucket{le="1e-06"} 2
postern_z_seconds_bucket{le="0.5"} 2
postern_z_seconds_bucket{le="1.0"} 5
postern_z_seconds_bucket{le="+Inf"} 6
postern_z_seconds_sum 4.25
postern_z_seconds_count 6
postern_z_seconds_bucket{p="q",le="1e-06"} 0
postern_z_seconds_bucket{p="q",le="0.5"} 0
postern_z_seconds_bucket{p="q",le="1.0"} 0
postern_z_seconds_bucket{p="q",le="+Inf"} 0
postern_z_seconds_sum{p="q"} 0
postern_z_seconds_count{p="q"} 0
]], exposition.render(FAMILIES, false))
    end)

    it("is OpenMetrics, where that differs", function()
        local text = exposition.render(FAMILIES, true)
        for _, line in ipairs({
            '# HELP postern_x a \\"b\\" \\\\ c\\nd', "# TYPE postern_x counter",
            "postern_x_total 3", "# TYPE postern_y info", 'postern_y_info{r="1"} 1',
            "# TYPE postern_z_seconds histogram", 'postern_z_seconds_bucket{le="1.0"} 5',
        }) do
            assert.is_truthy(("\n" .. text):find("\n" .. line .. "\n", 1, true), line)
        end
        assert.equal("# EOF\n", text:sub(-6))
        assert.equal("# EOF\n", exposition.render({}, true))
        assert.equal("", exposition.render({}, false))
    end)

    it("writes numbers that everybody reads", function()
        for _, row in ipairs({
            { 0, "0" }, { 7, "7" }, { -7, "-7" }, { 2 ^ 53 - 1, "9007199254740991" },
            { 2 ^ 60, "1.15292150460685e+18" }, { 0.1, "0.1" }, { 1e-9, "1e-09" },
            { 1700000000.25, "1700000000.25" }, { 0 / 0, "NaN" }, { 1 / 0, "+Inf" },
            { -1 / 0, "-Inf" },
        }) do
            assert.equal(row[2], exposition.number(row[1]))
        end
        for _, row in ipairs({ { 1e-6, "1e-06" }, { 2.5e-5, "2.5e-05" }, { 0.0001, "0.0001" },
                               { 0.25, "0.25" }, { 1, "1.0" }, { 10, "10.0" } }) do
            assert.equal(row[2], exposition.bound(row[1]))
        end
    end)

    it("escapes what would end a label", function()
        assert.equal('a\\"b\\\\c\\nd{}', exposition.escape('a"b\\c\nd{}'))
    end)
end)
