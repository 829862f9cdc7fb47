--- Coverage of policies: which statements and which of their values requests ever made matter.
--
-- What counts:
--
-- * A statement **matches** a request when its elements and conditions all hold. It **decides** one
--   when the outcome rests on it: it is the deciding statement, or the request is allowed and it is
--   the Allow by which its gate was passed. A statement is **covered** when it decided a request,
--   and **half covered** when it matched requests but decided none.
-- * A value of Principal, Action, Resource or a condition is covered when it met a request that its
--   statement matched.
-- * A value of NotPrincipal, NotAction, NotResource or a negated operator (`StringNotEquals`) works
--   by keeping the statement from matching, so it is covered when it met a request for which
--   nothing else in the statement failed.
--
-- The percentage is of statements and values together, each of them one, a half covered statement a
-- half. The values of a statement that never matched count, but are not listed beside it.
--
-- Decisions are looked at after they were made, through the explain interface.
--
-- *Dependencies*: postern.document, postern.request, postern.parts
--
-- @module postern.coverage
local document = require("postern.document")
local requests = require("postern.request")
local parts = require("postern.parts")


local _M = {}
local Coverage = {}
Coverage.__index = Coverage


--- Starts to collect.
-- @treturn Coverage
function _M.new()
    return setmetatable({ units = {}, order = {} }, Coverage)
end


-- One file by one name: `./a//b/../c.json` is `a/c.json`.
local function plain_path(path)
    local kept = {}
    for segment in path:gmatch("[^/]+") do
        local last = kept[#kept]
        if segment == ".." and last and last ~= ".." then
            kept[#kept] = nil
        elseif segment ~= "." then
            kept[#kept + 1] = segment
        end
    end
    return (path:sub(1, 1) == "/" and "/" or "") .. table.concat(kept, "/")
end


--- What stands for a policy: its file and its text, so that a policy which several cases carry
-- inline is one policy.
-- @tparam table origin `{name, text}`
-- @treturn string
function _M.key(origin)
    return plain_path(origin.name) .. "\0" .. origin.text
end


local function counters_of(statement)
    local counters = { matched = 0, decided = 0, parts = {} }
    for _, list in ipairs({ statement.elements, statement.conditions }) do
        for i, part in ipairs(list) do
            counters.parts[#counters.parts + 1] = {
                part = part, met = {},
                condition = part.element == "condition" and i - 1 or nil,
            }
        end
    end
    return counters
end


local function make_unit(key, origin)
    local doc = assert(document.new(origin.text))
    local unit = {
        key = key, file = plain_path(origin.name), text = origin.text, doc = doc,
        line = origin.line, column = origin.column,
        statements = parts.statements(doc), counters = {},
    }
    for i, statement in ipairs(unit.statements) do
        unit.counters[i] = counters_of(statement)
    end
    return unit
end


--- Takes the policies of a set among those that are to be covered. Those of sets that were never
-- added are not looked at.
-- @tparam Set set
function Coverage:add(set)
    for _, origin in ipairs(set.origins) do
        local key = _M.key(origin)
        if not self.units[key] then
            self.units[key] = make_unit(key, origin)
            self.order[#self.order + 1] = self.units[key]
        end
    end
end


local function is_deciding(decision, entry, found)
    local deciding = decision.deciding
    return deciding and deciding.policy_type == entry.type
        and deciding.policy_index == entry.first_policy + found.policy
        and deciding.statement_index == found.index
end


-- Whether nothing but this part keeps the statement from matching.
local function fails_alone(request, index, verdict, counter, conditions)
    local element = counter.part.element
    for failed in pairs(verdict.failed) do
        if failed ~= element then
            return false
        end
    end
    for condition = 0, element == "condition" and conditions - 1 or -1 do
        if condition ~= counter.condition
            and request:explain_condition(index, condition).result ~= true then
            return false
        end
    end
    return verdict.result == false
end


local function count_values(request, index, counter)
    for i = 1, #counter.part.values do
        if request:explain_match(index, counter.part.element, i - 1, counter.condition) == true then
            counter.met[i] = (counter.met[i] or 0) + 1
        end
    end
end


local function count_statement(request, index, counters, conditions)
    local verdict = request:explain_statement(index)
    if verdict.result == true then
        counters.matched = counters.matched + 1
    end
    for _, counter in ipairs(counters.parts) do
        local matters = verdict.result == true
        if counter.part.negated then
            matters = fails_alone(request, index, verdict, counter, conditions)
        end
        if matters then
            count_values(request, index, counter)
        end
    end
end


local function count_entry(self, decision, entry)
    -- What cannot be filled was an error, and no statement was asked.
    local request = requests.shared(entry.set)
    if not request or not request:fill(entry.source, entry.bounded) then
        return
    end
    local _, _, chosen = request:evaluate()
    for index = 0, entry.set:statement_count() - 1 do
        local found = entry.set:statement(index)
        local unit = self.units[_M.key(entry.set.origins[found.policy + 1])]
        if unit then
            local counters = unit.counters[found.index + 1]
            count_statement(request, index, counters, found.condition_count)
            if is_deciding(decision, entry, found) or (decision.allowed and index == chosen) then
                counters.decided = counters.decided + 1
            end
        end
    end
end


--- Counts what a decision rested on. It asks the core again, so the request must be unchanged.
-- @tparam Decision decision
function Coverage:count(decision)
    local seen = {}
    for _, statement in ipairs(decision:explain().statements) do
        if not seen[statement.entry] then
            seen[statement.entry] = true
            count_entry(self, decision, statement.entry)
        end
    end
end


-- ---- The report --------------------------------------------------------------


--- Where a node of a policy stands in the file that the policy is, or is a part of.
-- @tparam table unit `{doc, line, column}`, the place where the policy begins
-- @tparam number node
-- @treturn number line
-- @treturn number column
function _M.place(unit, node)
    local line, column = unit.doc:place(node)
    if line == 1 then
        column = column + unit.column - 1
    end
    return line + unit.line - 1, column
end


local function missing(unit, node, kind, what, state)
    local line, column = _M.place(unit, node)
    return { file = unit.file, line = line, column = column, kind = kind, what = what,
             state = state }
end


local function value_text(doc, node)
    return doc:text(node) or doc:raw(node)
end


local function add_values(report, unit, counter, quiet)
    for i, node in ipairs(counter.part.values) do
        report.total = report.total + 1
        if counter.met[i] then
            report.covered = report.covered + 1
        elseif not quiet or counter.part.negated then
            table.insert(report.uncovered, missing(unit, node, "value", ("%s `%s`")
                :format(counter.part.member, value_text(unit.doc, node)), "never"))
        end
    end
end


local function add_statement(report, unit, statement, counters)
    local name = "statement " .. parts.name(statement)
    report.total = report.total + 1
    if counters.decided > 0 then
        report.covered = report.covered + 1
    elseif counters.matched > 0 then
        report.covered = report.covered + 0.5
        table.insert(report.uncovered, missing(unit, statement.node, "statement", name, "half"))
    else
        table.insert(report.uncovered, missing(unit, statement.node, "statement", name, "never"))
    end
    for _, counter in ipairs(counters.parts) do
        add_values(report, unit, counter, counters.matched == 0)
    end
end


local function percent(report)
    return report.total == 0 and 100 or 100 * report.covered / report.total
end


local function by_place(a, b)
    if a.file ~= b.file then
        return a.file < b.file
    elseif a.line ~= b.line then
        return a.line < b.line
    elseif a.column ~= b.column then
        return a.column < b.column
    end
    return (a.text or "") < (b.text or "")
end


local function report_of(unit)
    local report = { file = unit.file, line = unit.line, column = unit.column,
                     covered = 0, total = 0, statements = #unit.statements, uncovered = {} }
    for i, statement in ipairs(unit.statements) do
        add_statement(report, unit, statement, unit.counters[i])
    end
    report.percent = percent(report)
    table.sort(report.uncovered, by_place)
    return report
end


--- The policies that are to be covered, in order of their place.
-- @treturn {table,...} `{key, file, text, doc, line, column, statements}`
function Coverage:policies()
    local units = {}
    for i, unit in ipairs(self.order) do
        units[i] = unit
    end
    table.sort(units, by_place)
    return units
end


--- What was covered.
-- @treturn table `{percent, covered, total, policies}`; a policy is `{file, line, column, percent,
-- covered, total, statements, uncovered}`, and `uncovered` lists, in the order of the file,
-- `{file, line, column, kind, what, state}`, `kind` being `statement` or `value`, `state` `never`
-- or `half`
function Coverage:report()
    local report = { covered = 0, total = 0, policies = {} }
    for i, unit in ipairs(self:policies()) do
        report.policies[i] = report_of(unit)
        report.covered = report.covered + report.policies[i].covered
        report.total = report.total + report.policies[i].total
    end
    report.percent = percent(report)
    return report
end


return _M
