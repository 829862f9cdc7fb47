--- The part of the page that says where the instructions go: a table of all cases, and one each.
local words = require("spec.bench.report.words")

local _M = {}


-- Functions that a case shows.
local MOST = 8

local FORMS = { texts = "from texts", prepared = "request prepared", together = "one set of all",
                each = "a set each" }
local PREFIXES = { net4 = "IPv4", net6 = "IPv6" }
local PATHS = { scalar = "no SIMD", avx2 = "AVX2" }


local function title_of(row)
    local form = FORMS[row.form] or row.form
    if PREFIXES[row.family] then
        return ("%s %s prefixes, %s"):format(words.count(row.size), PREFIXES[row.family], form)
    elseif row.family == "loading" then
        return ("Loading %s policies, %s"):format(words.count(row.size), form)
    end
    return ("%s, %s"):format(row.name, form)
end


-- As pages of Markdown make it of a heading.
local function anchor_of(title)
    return (title:lower():gsub("[^%w_ -]", ""):gsub(" ", "-"))
end


--- Where on the page a case is.
-- @tparam table|nil found results of kind `profile`
-- @tparam string name of the case
-- @tparam string form
-- @treturn string|nil the anchor, without its `#`; nil when the case was not taken
function _M.anchor(found, name, form)
    for _, row in ipairs(found and found.rows or {}) do
        if row.name == name and row.form == form then
            return anchor_of(title_of(row))
        end
    end
    return nil
end


-- Cases in their order; each has its rows, one by path.
local function cases_of(found)
    local list, by_title = {}, {}
    for _, row in ipairs(found.rows) do
        local title = title_of(row)
        local case = by_title[title]
        if not case then
            case = { title = title }
            by_title[title], list[#list + 1] = case, case
        end
        table.insert(case, row)
    end
    return list
end


-- Three digits that count, and all of a large number.
local function number_of(number)
    if number >= 999.5 then
        return words.count(math.floor(number + 0.5))
    end
    return (number < 9.995 and "%.2f" or number < 99.95 and "%.1f" or "%.0f"):format(number)
end


local function overview(cases)
    local rows = {}
    for _, case in ipairs(cases) do
        for _, row in ipairs(case) do
            local cells = { ("[%s](#%s)"):format(case.title, anchor_of(case.title)),
                            "a " .. row.of, PATHS[row.simd] or row.simd, number_of(row.median) }
            for i, name in ipairs({ "loads", "misses", "far_misses" }) do
                cells[4 + i] = row[name] and number_of(row[name]) or ""
            end
            rows[#rows + 1] = cells
        end
    end
    return words.table_of({ "Case", "", "Path", "Instructions", "Loads", "Miss the first cache",
                            "Miss both" }, rows, 4)
end


local function find(list, like)
    for _, each in ipairs(list) do
        if each.name == like.name and each.file == like.file then
            return each
        end
    end
    return nil
end


local function share_of(number)
    return ("%.0f %%"):format(number * 100)
end


-- Those of a list of each row that have the most on the best path, which is the last, and what they
-- have on the others. `labels` makes the first cells of one.
local function table_of(case, list, head, labels)
    local rows, best = {}, case[#case][list]
    local shown, width = math.min(MOST, #best), #head
    local others, all = { "others" }, { "all" }
    for i = 1, shown do
        rows[i] = labels(best[i])
    end
    rows[shown + 1], rows[shown + 2] = others, all
    for i = 2, width do
        others[i], all[i] = "", ""
    end
    local function put(cells, number, share)
        cells[#cells + 1] = number and number_of(number) or ""
        cells[#cells + 1] = share and share_of(share) or ""
    end
    for _, row in ipairs(case) do
        local path, left = PATHS[row.simd] or row.simd, row.median
        head[#head + 1], head[#head + 2] = path, "Share"
        for i = 1, shown do
            local each = find(row[list], best[i]) or {}
            left = left - (each.median or 0)
            put(rows[i], each.median, each.share)
        end
        left = math.max(left, 0)
        put(others, left, left / row.median)
        put(all, row.median)
    end
    return words.table_of(head, rows, width + 1)
end


local function functions_of(case)
    return table_of(case, "functions", { "Function", "In" }, function(each)
        return { "`" .. each.name .. "`", each.file }
    end)
end


local function calls_of(case)
    return table_of(case, "calls", { "Call" }, function(each)
        return { "`" .. each.name .. "`" }
    end)
end


--- The part.
-- @tparam table found results of kind `profile`
-- @treturn string
function _M.section(found)
    local cases = cases_of(found)
    local parts = { ("Counted by %s. The caches it simulates: %s."):format(found.profiler,
        found.caches) }
    for _, each in ipairs(found.missing) do
        parts[#parts + 1] = ("- **%s** is not here: %s."):format(PATHS[each.name] or each.name,
            each.reason)
    end
    parts[#parts + 1] = overview(cases)
    for _, case in ipairs(cases) do
        parts[#parts + 1] = "### " .. case.title
        parts[#parts + 1] = calls_of(case)
        parts[#parts + 1] = functions_of(case)
    end
    return table.concat(parts, "\n\n")
end


return _M
