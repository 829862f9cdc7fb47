local svg = require("spec.bench.report.svg")


local function plot(series)
    return svg.plot({ title = "a < b & c", x = "policies", y = "time", unit = "ns",
                      series = series })
end


local function polyline(text, colour)
    local points = {}
    for x, y in text:match('<polyline points="([^"]+)" fill="none" stroke="' .. colour)
        :gmatch("([%d.]+),([%d.]+)") do
        points[#points + 1] = { tonumber(x), tonumber(y) }
    end
    return points
end


describe("a plot", function()
    local TWO = {
        { name = "flat", colour = "#111111",
          points = { { 10, 100 }, { 100, 100 }, { 1000, 100 } } },
        { name = "steep", colour = "#222222", dash = "7 4",
          points = { { 10, 100 }, { 100, 1000 }, { 1000, 10000 } } },
    }

    it("has both axes logarithmic", function()
        local text = plot(TWO)
        local flat, steep = polyline(text, "#111111"), polyline(text, "#222222")
        assert.equal(flat[1][2], flat[3][2])
        assert.near(flat[2][1] - flat[1][1], flat[3][1] - flat[2][1], 0.11)
        assert.near(steep[1][2] - steep[2][2], steep[2][2] - steep[3][2], 0.11)
        assert.is_true(steep[1][2] > steep[2][2]) -- more is higher up
        assert.equal(flat[1][2], steep[1][2])
    end)

    it("labels axes with units and lines with names", function()
        local text = plot(TWO)
        for _, words in ipairs({ ">10<", ">100<", ">1,000<", ">100 ns<", ">1 µs<", ">10 µs<",
                                 ">policies<", ">time<", ">flat<", ">steep<",
                                 ">a &lt; b &amp; c<", 'stroke-dasharray="7 4"' }) do
            assert.is_truthy(text:find(words, 1, true), words)
        end
        assert.is_nil(text:find("1,000,000", 1, true))
    end)

    it("is the same text for the same figures", function()
        assert.equal(plot(TWO), plot(TWO))
        assert.equal(1, select(2, plot(TWO):gsub("<svg ", "")))
        assert.matches("</svg>\n$", plot(TWO))
    end)

    it("is well-formed", function()
        local open = {}
        for close, name, rest in plot(TWO):gmatch("<(/?)(%w+)([^>]*)>") do
            if close == "/" then
                assert.equal(name, table.remove(open))
            elseif not rest:find("/$") then
                open[#open + 1] = name
            end
        end
        assert.equal(0, #open)
    end)

    it("does not put one label on another", function()
        local series = {}
        for i = 1, 9 do
            series[i] = { name = "n" .. i, colour = "#00000" .. i, points = { { 10, 100 + i },
                                                                            { 100, 500 + i } } }
        end
        local text, ys = plot(series), {}
        for i = 1, 9 do
            ys[i] = tonumber(text:match('y="([%d.]+)"[^>]*>n' .. i .. "<"))
        end
        table.sort(ys)
        for i = 2, 9 do
            assert.is_true(ys[i] - ys[i - 1] >= 15.9)
        end
    end)

    it("moves labels no farther than it has to", function()
        assert.same({ 10, 50, 30 }, svg.spread({ 10, 50, 30 }, 10, 100))
        assert.same({ 10, 20, 30 }, svg.spread({ 10, 10, 10 }, 10, 100))
        assert.same({ 80, 100, 90 }, svg.spread({ 99, 99.5, 99.2 }, 10, 100))
    end)

    it("writes powers of ten with their unit", function()
        assert.equal("1 ns", svg.tick(1, "ns"))
        assert.equal("100 µs", svg.tick(1e5, "ns"))
        assert.equal("1 s", svg.tick(1e9, "ns"))
        assert.equal("100,000", svg.tick(1e5, ""))
        assert.equal("1,000 MiB", svg.tick(1e3, "MiB"))
    end)

    it("has no place for nothing", function()
        assert.has_error(function()
            plot({ { name = "a", colour = "#111111", points = { { 10, 0 } } } })
        end)
    end)
end)
