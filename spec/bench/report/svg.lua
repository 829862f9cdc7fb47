--- Plots of time against size, both logarithmic, as SVG.
--
-- The text of a plot depends on its figures alone. Colours are of middling lightness and the ground
-- is transparent, so that a plot can stand on white and on black.
local _M = {}


local WIDTH, HEIGHT = 860, 540
local LEFT, RIGHT, TOP, BOTTOM = 78, 214, 44, 56

local INK, GRID = "#7d8187", "#8b8f96"

-- Between the baselines of two labels.
local LABEL = 16

local UNITS = {
    ns = { { 1, "ns" }, { 1e3, "µs" }, { 1e6, "ms" }, { 1e9, "s" } },
}


-- ---- Numbers ---------------------------------------------------------------------


local function log10(number)
    return math.log(number) / math.log(10)
end


local function coordinate(number)
    return (("%.1f"):format(number):gsub("%.0$", ""))
end


--- A power of ten as people write it.
-- @tparam number number not below 1
-- @tparam string unit `ns` counts up to seconds; others are written as they are, and "" is none
-- @treturn string
function _M.tick(number, unit)
    local scaled, name = number, unit
    for _, step in ipairs(UNITS[unit] or {}) do
        if number >= step[1] then
            scaled, name = number / step[1], step[2]
        end
    end
    local digits = ("%.0f"):format(scaled):reverse():gsub("(%d%d%d)", "%1,"):reverse()
    return (digits:gsub("^,", "") .. (name ~= "" and " " .. name or ""))
end


-- The decades that hold all of the numbers: the exponents of the lowest and the highest.
local function decades(numbers)
    local least, most = math.huge, -math.huge
    for _, number in ipairs(numbers) do
        assert(number > 0, "a logarithmic axis has no place for it")
        least, most = math.min(least, number), math.max(most, number)
    end
    -- A thousandth keeps what is a power of ten on its line.
    local from, to = math.floor(log10(least) + 0.001), math.ceil(log10(most) - 0.001)
    return from, math.max(to, from + 1)
end


-- ---- Labels ----------------------------------------------------------------------


--- Baselines for labels, so that none covers another: in the order of where they would be, each as
-- near to it as the others let it.
-- @tparam {number,...} wanted
-- @tparam number gap
-- @tparam number lowest the largest that is allowed
-- @treturn {number,...}
function _M.spread(wanted, gap, lowest)
    local order, placed = {}, {}
    for i in ipairs(wanted) do
        order[i] = i
    end
    table.sort(order, function(a, b)
        return wanted[a] == wanted[b] and a < b or wanted[a] < wanted[b]
    end)
    local at = -math.huge
    for _, i in ipairs(order) do
        at = math.max(wanted[i], at + gap)
        placed[i] = at
    end
    at = lowest + gap
    for n = #order, 1, -1 do
        placed[order[n]] = math.min(placed[order[n]], at - gap)
        at = placed[order[n]]
    end
    return placed
end


-- ---- Parts -----------------------------------------------------------------------


local function escape(text)
    return (text:gsub("[&<>\"]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;",
                                   ['"'] = "&quot;" }))
end


local function text(x, y, words, more)
    return ('<text x="%s" y="%s"%s>%s</text>'):format(coordinate(x), coordinate(y),
        more and " " .. more or "", escape(words))
end


local function line(x1, y1, x2, y2, more)
    return ('<line x1="%s" y1="%s" x2="%s" y2="%s" %s/>'):format(coordinate(x1), coordinate(y1),
        coordinate(x2), coordinate(y2), more)
end


-- Where a size and a figure stand.
local function scales(plot)
    local xs, ys = {}, {}
    for _, series in ipairs(plot.series) do
        for _, point in ipairs(series.points) do
            xs[#xs + 1], ys[#ys + 1] = point[1], point[2]
        end
    end
    local x_from, x_to = decades(xs)
    local y_from, y_to = decades(ys)
    local wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    return {
        x_from = x_from, x_to = x_to, y_from = y_from, y_to = y_to,
        x = function(size)
            return LEFT + (log10(size) - x_from) / (x_to - x_from) * wide
        end,
        y = function(figure)
            return TOP + high - (log10(figure) - y_from) / (y_to - y_from) * high
        end,
    }
end


local function axes(out, plot, scale)
    local bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    local grid = ('stroke="%s" stroke-opacity="0.35" stroke-width="1"'):format(GRID)
    for exponent = scale.x_from, scale.x_to do
        local x = scale.x(10 ^ exponent)
        out[#out + 1] = line(x, TOP, x, bottom, grid)
        out[#out + 1] = text(x, bottom + 20, _M.tick(10 ^ exponent, ""), 'text-anchor="middle"')
    end
    for exponent = scale.y_from, scale.y_to do
        local y = scale.y(10 ^ exponent)
        out[#out + 1] = line(LEFT, y, right, y, grid)
        out[#out + 1] = text(LEFT - 9, y + 4, _M.tick(10 ^ exponent, plot.unit),
            'text-anchor="end"')
    end
    out[#out + 1] = text((LEFT + right) / 2, HEIGHT - 14, plot.x, 'text-anchor="middle"')
    out[#out + 1] = text(LEFT, TOP - 12, plot.y)
    out[#out + 1] = text(LEFT, 16, plot.title, 'font-weight="bold" font-size="15"')
end


local function curve(out, series, scale)
    local places, width = {}, series.strong and 3.5 or 1.8
    for i, point in ipairs(series.points) do
        places[i] = coordinate(scale.x(point[1])) .. "," .. coordinate(scale.y(point[2]))
    end
    out[#out + 1] = ('<polyline points="%s" fill="none" stroke="%s" stroke-width="%s" '
        .. 'stroke-linejoin="round"%s/>'):format(table.concat(places, " "), series.colour,
        coordinate(width), series.dash and (' stroke-dasharray="%s"'):format(series.dash) or "")
    for _, place in ipairs(places) do
        out[#out + 1] = ('<circle cx="%s" cy="%s" r="%s" fill="%s"/>'):format(
            place:match("^[^,]+"), place:match("[^,]+$"), series.strong and "4" or "3",
            series.colour)
    end
end


-- The names stand at the ends of their lines.
local function labels(out, plot, scale)
    local wanted = {}
    for i, series in ipairs(plot.series) do
        wanted[i] = scale.y(series.points[#series.points][2]) + 4
    end
    local placed = _M.spread(wanted, LABEL, HEIGHT - BOTTOM + 4)
    for i, series in ipairs(plot.series) do
        local last = series.points[#series.points]
        local from, to = scale.x(last[1]) + 5, WIDTH - RIGHT + 24
        out[#out + 1] = line(from, scale.y(last[2]), to - 4, placed[i] - 4,
            ('stroke="%s" stroke-width="0.8" stroke-opacity="0.7"'):format(series.colour))
        out[#out + 1] = text(to, placed[i], series.name, ('style="fill:%s"%s'):format(
            series.colour, series.strong and ' font-weight="bold"' or ""))
    end
end


--- A plot.
-- @tparam table plot `title`, `x` and `y` (what the axes are of), `unit` of y, and `series`: each
-- `name`, `colour`, `points` ({ size, figure }, sizes rising, none of them below or at 0), and
-- optionally `dash` (as SVG has it) and `strong`
-- @treturn string SVG
function _M.plot(plot)
    local scale = scales(plot)
    local out = { ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" '
        .. 'height="%d" font-family="DejaVu Sans, Verdana, sans-serif" font-size="12.5" '
        .. 'fill="%s" role="img">'):format(WIDTH, HEIGHT, WIDTH, HEIGHT, INK) }
    out[#out + 1] = ("<title>%s</title>"):format(escape(plot.title))
    axes(out, plot, scale)
    for _, strong in ipairs({ false, true }) do -- the strong ones above the others
        for _, series in ipairs(plot.series) do
            if (series.strong or false) == strong then
                curve(out, series, scale)
            end
        end
    end
    labels(out, plot, scale)
    out[#out + 1] = "</svg>"
    return table.concat(out, "\n") .. "\n"
end


return _M
