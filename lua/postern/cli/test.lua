--- `postern test`: specs and case files together, with coverage and mutants of their policies.
--
-- Exit status: 0 all passed, 1 something failed or too little is covered, 2 error.
--
-- *Dependencies*: dkjson, postern.testing, postern.testing.files, postern.testing.suite,
-- postern.testing.junit
--
-- @module postern.cli.test
local json = require("dkjson")
local testing = require("postern.testing")
local files = require("postern.testing.files")
local suites = require("postern.testing.suite")
local junit = require("postern.testing.junit")


local _M = {}


local PASSED, FAILED, ERROR = 0, 1, 2

local KEY_ORDER = {
    "passed", "failed", "pending", "errors", "tests", "kind", "file", "line", "column", "name",
    "result", "seconds", "message", "coverage", "percent", "covered", "total", "statements",
    "policies", "uncovered", "what", "state", "mutation", "mutants", "noticed", "refused", "equal",
    "survivors",
}

local STATES = {
    statement = { never = "never matched", half = "matched, but decided nothing" },
    value = { never = "never mattered" },
}

local EPILOG = [[
Examples:
  postern test
  postern test spec/policies cases.jsonl --min-coverage 90
  postern test --mutate --filter office
  postern test --json --junit report.xml

A PATH is a folder, a busted spec (*_spec.lua) or a case file (*.jsonl); docs/testing.md has all of
it. --mutate changes the policies in small ways, in memory, and lists the changes no test notices.
Exit status: 0 all passed, 1 a test failed or too little is covered, 2 error.]]


local function fail(message, ...)
    error({ failure = message:format(...) }, 0)
end


--- Adds the command's options.
-- @param command its parser, of argparse
function _M.add(command)
    command:epilog(EPILOG)
    command:argument("path", "A folder, a spec or a case file; `.` when absent."):args("*")
    command:option("--filter", "Run only tests whose name holds this text."):argname("TEXT")
    command:option("--estate", "The estate that decides cases without policies."):argname("FILE")
    command:option("--min-coverage", "Fail when less than this is covered.")
        :argname("PERCENT")
    command:flag("--mutate", "List the changes of the policies that no test notices.")
    command:option("--junit", "Write the results as JUnit XML, too."):argname("FILE")
    command:flag("--json", "Answer in JSON.")
end


-- ---- For people --------------------------------------------------------------


local function indented(text, by)
    return (text:gsub("\n*$", ""):gsub("[^\n]+", by .. "%0"))
end


local function place_of(item)
    if not item.line then
        return item.file
    end
    return item.column and ("%s:%d:%d"):format(item.file, item.line, item.column)
        or ("%s:%d"):format(item.file, item.line)
end


local MARKS = { failed = "✗", error = "!" }

local function print_result(host, result)
    host.out(("%s %s %s"):format(MARKS[result.result], place_of(result), result.name))
    host.out(indented(result.message or "no message", "    "))
end


-- Never rounded up to what it is not.
local function percent_text(percent)
    return ("%.1f%%"):format(math.floor(percent * 10 + 1e-6) / 10)
end


-- An inline policy is named by its place.
local function policy_name(policy)
    return (policy.line > 1 or policy.column > 1) and place_of(policy) or policy.file
end


local function print_coverage(host, report)
    local width = #"total"
    for _, policy in ipairs(report.policies) do
        width = math.max(width, #policy_name(policy))
    end
    local shape = ("  %%-%ds  %%6s"):format(width)
    host.out("coverage")
    for _, policy in ipairs(report.policies) do
        host.out(shape:format(policy_name(policy), percent_text(policy.percent)))
        for _, item in ipairs(policy.uncovered) do
            local state = STATES[item.kind][item.state]
            host.out(("    %s %s: %s"):format(place_of(item), item.what, state))
        end
    end
    host.out(shape:format("total", percent_text(report.percent)))
end


local function print_mutation(host, report)
    local shape = "mutants: %d, %d noticed, %d not noticed, %d no policy any more, "
        .. "%d without effect"
    host.out(shape:format(report.mutants, report.noticed, #report.survivors, report.refused,
                          report.equal))
    for _, item in ipairs(report.survivors) do
        host.out(("    %s %s"):format(place_of(item), item.what))
    end
end


local function totals_of(counts)
    local texts = { ("%d passed"):format(counts.passed), ("%d failed"):format(counts.failed) }
    if counts.pending > 0 then
        texts[#texts + 1] = ("%d pending"):format(counts.pending)
    end
    if counts.error > 0 then
        texts[#texts + 1] = ("%d errors"):format(counts.error)
    end
    return table.concat(texts, ", ")
end


-- ---- For machines ------------------------------------------------------------


local function list(items)
    return setmetatable(items, { __jsontype = "array" })
end


local function json_of(suite, coverage, mutation)
    for _, policy in ipairs(coverage.policies) do
        list(policy.uncovered)
    end
    list(coverage.policies)
    if mutation then
        list(mutation.survivors)
    end
    return json.encode({
        passed = suite.counts.passed, failed = suite.counts.failed,
        pending = suite.counts.pending, errors = suite.counts.error,
        tests = list(suite.results), coverage = coverage, mutation = mutation,
    }, { keyorder = KEY_ORDER })
end


local function write_report(path, text)
    local file, why = io.open(path, "wb")
    if file then
        local written, failed = file:write(text)
        local closed, not_closed = file:close()
        why = not (written and closed) and (failed or not_closed) or nil
    else
        why = why:sub(#path + 3) -- behind "path: "
    end
    if why then
        fail("--junit: %s: %s: give a file that can be written", path, why:lower())
    end
end


-- ---- The run -----------------------------------------------------------------


local function minimum_of(options)
    if not options.min_coverage then
        return nil
    end
    local minimum = tonumber(options.min_coverage)
    if not minimum or not (minimum >= 0 and minimum <= 100) then
        error({ misuse = ("--min-coverage `%s`: give a number from 0 to 100")
            :format(options.min_coverage) }, 0)
    end
    return minimum
end


local HERE = { "." }

local function find_tests(options)
    local found, err = files.find(#options.path > 0 and options.path or HERE)
    if not found then
        fail("%s", err)
    elseif #found.specs + #found.cases == 0 then
        fail("no tests found: write specs `*_spec.lua` or case files `*.jsonl`, see "
            .. "docs/testing.md")
    end
    return found
end


local function open_estate(host, path)
    local estate, problems = testing.open_estate(path, { read = host.read, now = host.now })
    return estate or fail("%s", problems)
end


local function run_all(options, suite, found)
    if #found.specs > 0 then
        local ok, err = suite:run_specs(found.specs)
        if not ok then
            fail("%s", err)
        end
    end
    for _, path in ipairs(found.cases) do
        local ok, err = suite:run_cases(path)
        if not ok then
            fail("%s", err)
        end
    end
    if #suite.results == 0 then
        fail(options.filter and "no test has `%s` in its name" or "the specs hold no tests",
             options.filter)
    end
end


local function no_progress() end


local function progress_of(show)
    return function(what, done, all)
        show(all and ("%s: %d of %d"):format(what, done, all) or ("%s: %d"):format(what, done))
    end
end


local function new_suite(host, options, show)
    local suite, err = suites.new({
        read = host.read, lines = host.lines, filter = options.filter, quiet = options.json,
        estate = options.estate and open_estate(host, options.estate),
        progress = progress_of(show),
        take = function(result)
            if not options.json and MARKS[result.result] then
                show("") -- the line of progress goes first
                print_result(host, result)
            end
        end,
    })
    if not suite then
        fail("%s", err)
    elseif options.estate then
        suite:subject(suite.options.estate)
    end
    return suite
end


-- Mutants only say something about tests that pass.
local function mutate(options, suite)
    if options.mutate and suite.counts.failed + suite.counts.error == 0 then
        return suite:mutate()
    end
    return nil
end


local function answer(host, options, suite, coverage, mutation)
    if options.json then
        host.out(json_of(suite, coverage, mutation))
    else
        host.out(totals_of(suite.counts))
        print_coverage(host, coverage)
        if mutation then
            print_mutation(host, mutation)
        elseif options.mutate then
            host.out("mutants: none tried: mend the failing tests first")
        end
    end
    if options.junit then
        write_report(options.junit, junit.encode(suite.results))
    end
end


--- Runs the command.
-- @tparam table host as `postern.cli` has it; `progress`, if it is there, shows a line that the
-- next one takes the place of, and is used when `watched()` says that somebody sees it
-- @tparam table options as the parser of `add` gives them
-- @treturn number exit status
function _M.run(host, options)
    local minimum = minimum_of(options)
    local found = find_tests(options)
    local show = host.progress and host.watched() and host.progress or no_progress
    local suite = new_suite(host, options, show)
    run_all(options, suite, found)
    local coverage, mutation = suite.coverage:report(), mutate(options, suite)
    show("")
    answer(host, options, suite, coverage, mutation)
    if suite.counts.error > 0 then
        return ERROR
    elseif minimum and coverage.percent + 1e-9 < minimum then
        host.err(("%s covered, less than %s%%"):format(percent_text(coverage.percent),
                                                        options.min_coverage))
        return FAILED
    end
    return suite.counts.failed > 0 and FAILED or PASSED
end


return _M
