--- The words of the page on performance: figures, and tables of them.
local svg = require("spec.bench.report.svg")

local _M = {}


local STEPS = { { 1e3, "µs" }, { 1e6, "ms" }, { 1e9, "s" } }

--- A time with three digits that count.
-- @tparam number ns
-- @treturn string
function _M.time(ns)
    local number, unit, size = ns, "ns", math.abs(ns)
    for _, step in ipairs(STEPS) do
        if size >= step[1] * 0.9995 then
            number, unit = ns / step[1], step[2]
        end
    end
    size = math.abs(number)
    local decimals = size < 9.995 and 2 or size < 99.95 and 1 or 0
    return ("%." .. decimals .. "f %s"):format(number, unit)
end


--- How many times as long something takes.
-- @tparam number ratio
-- @treturn string
function _M.times(ratio)
    local decimals = ratio < 9.95 and 1 or 0
    local digits = ("%." .. decimals .. "f"):format(ratio)
    local whole, rest = digits:match("^(%d+)(.*)$")
    whole = whole:reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", "")
    return whole .. rest .. "×"
end


--- By how much a target is missed, never told as nothing.
-- @tparam number ratio above 1
-- @treturn string
function _M.excess(ratio)
    return ratio < 1.1 and ("%.2f×"):format(math.max(ratio, 1.01)) or _M.times(ratio)
end


--- A number, with commas between its thousands.
-- @tparam number number
-- @treturn string
function _M.count(number)
    return svg.tick(number, "")
end


--- A table in Markdown.
-- @tparam {string,...} head
-- @tparam {table,...} rows of cells, which are strings
-- @tparam number numbers_from the first column whose cells stand to the right
-- @treturn string
function _M.table_of(head, rows, numbers_from)
    local rule = {}
    for i in ipairs(head) do
        rule[i] = i >= numbers_from and "--:" or "---"
    end
    local function line(cells)
        return "| " .. table.concat(cells, " | ") .. " |"
    end
    local lines = { line(head), "|" .. table.concat(rule, "|") .. "|" }
    for _, row in ipairs(rows) do
        lines[#lines + 1] = line(row)
    end
    return table.concat(lines, "\n")
end


return _M
