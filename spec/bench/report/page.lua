--- The page on performance and its plots, made of results.
--
-- The template has the prose; a line `{{name}}` or `{{name argument}}` in it is replaced by what
-- the part of that name makes of the results. No figure stands in the prose.
local results = require("spec.bench.results")
local profile = require("spec.bench.report.profile")
local svg = require("spec.bench.report.svg")
local targets = require("spec.bench.report.targets")
local words = require("spec.bench.report.words")

local count, table_of = words.count, words.table_of

local _M = {}


--- Kinds of results, each a file `KIND.json`.
_M.KINDS = { "peers", "core", "structures", "entry", "loading", "profile" }

local ABSENT = "These figures have not been taken yet."

-- The row that others are compared with.
local BASE = { name = "Postern, from C", style = "document", form = "texts" }

-- Colours by engine, dashes by style.
local COLOURS = {
    ["Postern, from C"] = "#d9480f", ["Postern, from Lua"] = "#e0930a", Cedar = "#2f86d6",
    OPA = "#12a37f", MinIO = "#c05fa8", Casbin = "#8a6fe8", ["iam-simulate"] = "#a5703c",
}
local DASHES = { globs = "7 4" }


-- ---- Rows ------------------------------------------------------------------------


local function matches(row, like)
    for name, value in pairs(like) do
        if row[name] ~= value then
            return false
        end
    end
    return true
end


local function find(rows, like)
    for _, row in ipairs(rows) do
        if matches(row, like) then
            return row
        end
    end
    return nil
end


-- The contestants in the order of the results, those that were never reached last.
local function contestants(found, form)
    local list, seen = {}, {}
    for _, rows in ipairs({ found.rows, found.unreached or {} }) do
        for _, row in ipairs(rows) do
            local key = row.name .. "\0" .. (row.style or "")
            if not seen[key] and (not form or not row.form or row.form == form) then
                seen[key] = true
                list[#list + 1] = { name = row.name, style = row.style }
            end
        end
    end
    return list
end


local function sizes_of(rows, family)
    local seen, list = {}, {}
    for _, row in ipairs(rows) do
        if row.family == family and not seen[row.size] then
            seen[row.size] = true
            list[#list + 1] = row.size
        end
    end
    table.sort(list)
    return list
end


local function with(like, more)
    local made = {}
    for name, value in pairs(like) do
        made[name] = value
    end
    for name, value in pairs(more) do
        made[name] = value
    end
    return made
end


-- A cell of a table of times: the time, and how it compares.
local function cell(found, like)
    local row = find(found.rows, with(like, { unit = "ns" }))
    if not row then
        local engine = { name = like.name, style = like.style }
        local lacks_form = find(found.rows, engine)
            and not find(found.rows, with(engine, { form = like.form }))
        local lost = find(found.unreached or {}, with(engine, { workload = like.workload }))
        return lost and not lacks_form and "out of reach" or ""
    end
    local base = find(found.rows, with(BASE, { workload = like.workload, form = like.form }))
    if not base or base == row then
        return words.time(row.median)
    end
    return ("%s (%s)"):format(words.time(row.median), words.times(row.median / base.median))
end


local function times_table(found, columns, form)
    local head, rows = { "Engine", "Policies" }, {}
    for _, column in ipairs(columns) do
        head[#head + 1] = column.name
    end
    for _, each in ipairs(contestants(found, form)) do
        local row, any = { each.name, each.style }, false
        for _, column in ipairs(columns) do
            local text = cell(found, with(each, { form = form, workload = column.workload }))
            row[#row + 1], any = text, any or text ~= ""
        end
        rows[#rows + 1] = any and row or nil
    end
    return table_of(head, rows, 3)
end


-- ---- Parts -----------------------------------------------------------------------


local PARTS = {}

local FACTS = {
    { "Date", "date" }, { "Commit", "commit" }, { "Processor", "processor" }, { "Cores", "cores" },
    { "Memory", "memory" }, { "System", "system" }, { "Kernel", "kernel" },
    { "C compiler", "compiler" },
}


function PARTS.machine(found)
    local machine, rows = found.machine, {}
    for _, each in ipairs(FACTS) do
        rows[#rows + 1] = { each[1], tostring(machine[each[2]]) }
    end
    return table_of({ "", "" }, rows, 3)
end


function PARTS.engines(found)
    local rows = {}
    for _, engine in ipairs(found.engines) do
        rows[#rows + 1] = { engine.name, engine.version, engine.runtime }
    end
    return table_of({ "Engine", "Version", "Runs in" }, rows, 4)
end


function PARTS.differs(found)
    local lines = {}
    for i, engine in ipairs(found.engines) do
        lines[i] = ("- **%s.** %s"):format(engine.name, engine.differs)
    end
    return table.concat(lines, "\n")
end


function PARTS.missing(found)
    local lines = {}
    for i, each in ipairs(found.missing) do
        lines[i] = ("- **%s** is not here: %s."):format(each.name, each.reason)
    end
    for _, each in ipairs(found.unreached) do
        lines[#lines + 1] = ("- **%s**, %s, at `%s`: %s."):format(each.name, each.style,
            each.workload, each.reason)
    end
    return #lines > 0 and table.concat(lines, "\n") or "Every engine was built, and none left out."
end


-- The workloads of one size alone.
local function seeds(found)
    local columns, seen = {}, {}
    for _, row in ipairs(found.rows) do
        if row.size == 1 and not seen[row.workload] then
            seen[row.workload] = true
            columns[#columns + 1] = { name = "`" .. row.workload .. "`", workload = row.workload }
        end
    end
    return columns
end


function PARTS.seeds(found, form)
    return times_table(found, seeds(found), form)
end


function PARTS.sizes(found, argument)
    local family, form = argument:match("^(%S+) (%S+)$")
    local columns = {}
    for _, size in ipairs(sizes_of(found.rows, family)) do
        columns[#columns + 1] = { name = count(size), workload = family .. "-" .. size }
    end
    return times_table(found, columns, form)
end


function PARTS.spread(found)
    local rows = {}
    for _, row in ipairs(found.rows) do
        if row.unit == "ns" then
            rows[#rows + 1] = { "`" .. row.workload .. "`", row.name, row.style, row.form,
                                words.time(row.median), words.time(row.min), words.time(row.max),
                                words.time(row.wall), count(row.count) }
        end
    end
    return table_of({ "Workload", "Engine", "Policies", "Request", "Median", "Least", "Most",
                      "Wall clock", "Decisions a round" }, rows, 5)
end


function PARTS.rounds(found)
    return ("Figures are medians of %d rounds."):format(found.rounds)
end


function PARTS.growth(found, family)
    local rows = {}
    local sizes = sizes_of(found.rows, family)
    for _, each in ipairs(contestants(found, "texts")) do
        local like = with(each, { family = family, form = "texts", unit = "ns" })
        local first = find(found.rows, with(like, { size = sizes[1] }))
        local last = find(found.rows, with(like, { size = sizes[#sizes] }))
        if first and last then
            rows[#rows + 1] = { each.name, each.style, words.times(last.median / first.median) }
        end
    end
    return table_of({ "Engine", "Policies", ("%s policies beside %s"):format(
        count(sizes[#sizes]), count(sizes[1])) }, rows, 3)
end


function PARTS.core(found)
    local rows = {}
    for _, row in ipairs(found.rows) do
        if row.unit == "ns" then
            local instructions = find(found.rows, { name = row.name, form = row.form,
                workload = row.workload, unit = "instructions" })
            rows[#rows + 1] = { "`" .. row.workload .. "`", row.name, row.form,
                words.time(row.median), words.time(row.min), words.time(row.max),
                instructions and count(instructions.median) or "" }
        end
    end
    return table_of({ "Workload", "Through", "Request", "Median", "Least", "Most",
                      "Instructions" }, rows, 4)
end


function PARTS.structures(found)
    local rows = {}
    for _, row in ipairs(found.rows) do
        local figures = {}
        for i, name in ipairs({ "median", "min", "max" }) do
            figures[i] = row.unit == "ns" and words.time(row[name])
                or ("%.4g %s"):format(row[name], row.unit)
        end
        rows[#rows + 1] = { row.name, row.family or "", row.form or "", count(row.size),
                            figures[1], figures[2], figures[3] }
    end
    return table_of({ "Structure", "Input", "Form", "Size", "Median", "Least", "Most" }, rows, 4)
end


function PARTS.loading(found)
    local rows = {}
    for _, row in ipairs(found.rows) do
        local figures = {}
        for i, name in ipairs({ "median", "min", "max" }) do
            figures[i] = ("%.3g %s"):format(row[name], row.unit)
        end
        rows[#rows + 1] = { row.name, row.form, count(row.size), unpack(figures) }
    end
    return table_of({ "Policies", "Form", "Number", "Median", "Least", "Most" }, rows, 3)
end


-- What Lua adds is a difference of two measurements.
local function added_words(number)
    return number > 0 and words.time(number) or "none to be measured"
end


function PARTS.entry(found)
    local rows = {}
    for _, row in ipairs(found.rows) do
        local time = row.unit == "ns"
        local function cell_of(number)
            return time and words.time(number) or ("%.3f %s"):format(number, row.unit)
        end
        rows[#rows + 1] = { "`" .. row.name .. "`", row.form,
                            time and added_words(row.median) or cell_of(row.median),
                            cell_of(row.min), cell_of(row.max) }
    end
    return table_of({ "Policy", "From Lua", "On top of C", "Least", "Most" }, rows, 3)
end


PARTS.profile = profile.section


local function figure_words(number, unit)
    return unit == "ns" and words.time(number) or unit == "times" and words.times(number)
        or ("%.3g %s"):format(number, unit)
end


-- What became of a target; `reasons` are numbered as they come.
local function verdict_of(target, reasons, all)
    if target.met then
        return "met"
    elseif not target.figure then
        return "not measured"
    end
    local said = { "**missed** by " .. words.excess(target.excess) }
    if target.why then
        local number = reasons[target.why]
        if not number then
            number = #reasons + 1
            reasons[target.why], reasons[number] = number, target.why
        end
        said[#said + 1] = ("[%d]"):format(number)
    end
    local case = target.profile
    local anchor = case and profile.anchor(all.profile, case.name, case.form)
    said[#said + 1] = anchor and ("[profile](#%s)"):format(anchor) or "no profile taken"
    return table.concat(said, ", ")
end


function PARTS.targets(all)
    local rows, reasons = {}, {}
    for _, target in ipairs(targets.judge(all)) do
        local figure, bound = target.figure, target.least or target.most
        rows[#rows + 1] = { target.name,
                            (target.least and "at least " or "at most ")
                                .. figure_words(bound, target.unit),
                            not figure and "" or target.added and added_words(figure)
                                or figure_words(figure, target.unit),
                            verdict_of(target, reasons, all) }
    end
    for number, reason in ipairs(reasons) do
        reasons[number] = ("%d. %s"):format(number, reason)
    end
    return table_of({ "", "Target", "Here", "" }, rows, 5)
        .. (#reasons > 0 and "\n\n" .. table.concat(reasons, "\n") or "")
end


-- Which kind of results a part is made of, where it is not the peers'.
local KIND_OF = { core = "core", structures = "structures", entry = "entry", loading = "loading",
                  profile = "profile" }


-- ---- Plots -----------------------------------------------------------------------


local function series_of(found, family, form)
    local list = {}
    for _, each in ipairs(contestants(found, form)) do
        local points = {}
        for _, size in ipairs(sizes_of(found.rows, family)) do
            local row = find(found.rows, with(each, { family = family, size = size, form = form,
                                                      unit = "ns" }))
            points[#points + 1] = row and { size, row.median }
        end
        local styled = each.style ~= "document"
        list[#list + 1] = #points > 0 and {
            name = each.name .. (styled and ", " .. each.style or ""),
            colour = COLOURS[each.name] or "#7d8187", dash = DASHES[each.style],
            strong = each.name == BASE.name, points = points,
        } or nil
    end
    return list
end


-- Plots by name: of which results, and their words.
local PLOTS = {
    ["peers-exact"] = { kind = "peers", family = "exact",
                        title = "One decision, policies of one user and one resource each" },
    ["peers-globs"] = { kind = "peers", family = "globs",
                        title = "One decision, policies of a pattern and two networks each" },
    ["core-exact"] = { kind = "core", family = "exact",
                       title = "Postern alone, policies of one user and one resource each" },
    ["core-globs"] = { kind = "core", family = "globs",
                       title = "Postern alone, policies of a pattern and two networks each" },
}


local function plots_of(all)
    local made = {}
    for name, plot in pairs(PLOTS) do
        local found = all[plot.kind]
        local series = found and series_of(found, plot.family, "texts") or {}
        if #series > 0 then
            made[name] = svg.plot({ title = plot.title, unit = "ns", series = series,
                                    x = "policies", y = "processor time a decision" })
        end
    end
    return made
end


-- ---- The page --------------------------------------------------------------------


--- Fills a template.
-- @tparam string template
-- @tparam table all results by kind; a part without results says so
-- @treturn string the page
-- @treturn table plots by name
function _M.make(template, all)
    local plots = plots_of(all)
    local page = ("\n" .. template):gsub("\n{{(%w+) ?([^\n}]*)}}", function(name, argument)
        if name == "plot" then
            local plot, title = argument:match("^(%S+) (.+)$")
            return "\n" .. (plots[plot] and ("![%s](performance/%s.svg)"):format(title, plot)
                or ABSENT)
        end
        local part = PARTS[name] or error(("the template has `%s`, which is no part"):format(name))
        if name == "targets" then
            return "\n" .. part(all)
        end
        local kind = KIND_OF[name] or name == "machine" and argument or "peers"
        return "\n" .. (all[kind] and part(all[kind], argument) or ABSENT)
    end)
    return page:sub(2), plots
end


--- Reads the results of a folder.
-- @tparam string folder
-- @treturn table by kind
function _M.read(folder)
    local all = {}
    for _, kind in ipairs(_M.KINDS) do
        all[kind] = results.read(("%s/%s.json"):format(folder, kind))
    end
    return all
end


return _M
