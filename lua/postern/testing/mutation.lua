--- Deciding again with mutants: which changes of a policy does no test notice?
--
-- Every assertion and case is decided again with the changed text in place of the policy's, in
-- process; no file is written. A mutant is noticed when one of them would then fail. One that no
-- subject takes, since it is no policy any more, and one that says the same as the policy are
-- counted, but they are nobody's fault.
--
-- *Dependencies*: postern.coverage, postern.mutants
--
-- @module postern.testing.mutation
local coverage = require("postern.coverage")
local mutants = require("postern.mutants")


local _M = {}


local function keys_of(sets)
    local keys = {}
    for _, set in ipairs(sets) do
        for _, origin in ipairs(set.origins) do
            keys[coverage.key(origin)] = true
        end
    end
    return keys
end


-- The checks of each subject together, so that a subject is made once for a mutant.
local function group_checks(checks)
    local groups, by_subject = {}, {}
    for _, check in ipairs(checks) do
        local group = by_subject[check.subject]
        if not group then
            group = { subject = check.subject, keys = keys_of(check.subject:sets()), checks = {} }
            by_subject[check.subject] = group
            groups[#groups + 1] = group
        end
        table.insert(group.checks, check)
    end
    return groups
end


-- Whether a check fails with the changed subject. What raises fails a test as well.
local function fails(subject, check)
    if check.moment then
        subject:set_time(check.moment)
    end
    local ok, passes = pcall(function()
        return check.passes(subject:decide(check.request))
    end)
    return not ok or not passes
end


-- `noticed`, `survived`, or `refused` when the policy is none any more.
local function try_group(group, swap)
    local subject = group.subject:again(swap)
    if not subject then
        return "refused"
    end
    for _, check in ipairs(group.checks) do
        if fails(subject, check) then
            return "noticed"
        end
    end
    return "survived"
end


local function try_cases(file, key, swap)
    local runner = file.runner(swap)
    local result
    for _, case in ipairs(file.cases) do
        if case.keys[key] then
            local again = runner:decide(case.text, case.line)
            if again.error then
                return "refused"
            elseif again.decision.decision ~= case.expect then
                return "noticed"
            end
            result = "survived"
        end
    end
    return result
end


-- Noticed by one is noticed. Refused counts only where nobody takes the mutant.
local function try(job, unit, mutant)
    local function swap(policy)
        return coverage.key(policy) == unit.key and mutant.text or nil
    end
    local refused, survived = false, false
    for _, list in ipairs({ job.groups, job.files }) do
        for _, one in ipairs(list) do
            local result
            if one.checks then
                result = one.keys[unit.key] and try_group(one, swap)
            else
                result = try_cases(one, unit.key, swap)
            end
            if result == "noticed" then
                return result
            end
            refused = refused or result == "refused"
            survived = survived or result == "survived"
        end
    end
    return refused and not survived and "refused" or "survived"
end


local function survivor(unit, mutant)
    local line, column = coverage.place(unit, mutant.node)
    return { file = unit.file, line = line, column = column, what = mutant.what }
end


local COUNTS = { "mutants", "noticed", "refused", "equal" }

--- Tries every mutant of some policies.
-- @tparam {table,...} units of `policies` of `postern.coverage`
-- @tparam {table,...} checks the assertions that passed: `{subject, request, moment, passes}`
-- @tparam {table,...} files the case files: `{runner = function(swap), cases = {{text, line,
-- expect, keys}, ...}}`, only cases that went as expected
-- @tparam function progress is called with how many mutants were tried and how many there are
-- @treturn table `{mutants, noticed, refused, equal, survivors}`, numbers but for `survivors`,
-- which are `{file, line, column, what}` in the order of the policies
function _M.run(units, checks, files, progress)
    local job = { groups = group_checks(checks), files = files }
    local report = { survivors = {} }
    for _, count in ipairs(COUNTS) do
        report[count] = 0
    end
    local todo = {}
    for _, unit in ipairs(units) do
        for _, mutant in ipairs(mutants.of(unit.doc, unit.text)) do
            todo[#todo + 1] = { unit = unit, mutant = mutant }
        end
    end
    for i, one in ipairs(todo) do
        progress(i, #todo)
        local result = one.mutant.equal and "equal" or try(job, one.unit, one.mutant)
        if result == "survived" then
            table.insert(report.survivors, survivor(one.unit, one.mutant))
        else
            report[result] = report[result] + 1
        end
    end
    report.mutants = #todo
    return report
end


_M.keys_of = keys_of

return _M
