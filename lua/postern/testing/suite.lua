--- A run of specs and case files: results, coverage, and on demand mutants.
--
-- *Dependencies*: postern.document, postern.set, postern.coverage, postern.rules, postern.flow,
-- postern.cases, postern.testing, postern.testing.specs, postern.testing.mutation
--
-- @module postern.testing.suite
local document = require("postern.document")
local sets = require("postern.set")
local coverage = require("postern.coverage")
local rules = require("postern.rules")
local flow = require("postern.flow")
local cases = require("postern.cases")
local testing = require("postern.testing")
local specs = require("postern.testing.specs")
local mutation = require("postern.testing.mutation")


local _M = {}
local Suite = {}
Suite.__index = Suite


--- Makes a run.
-- @tparam table options `read` and `lines` (of a host), `filter` (a text in the names of the tests
-- to run), `estate` (what decides cases that bring no policies), `quiet` (see
-- `postern.testing.specs`), `take` (called with every result), `progress` (called with what is done
-- and how far it is)
-- @treturn Suite|nil
-- @treturn string why not
function _M.new(options)
    local pack, err = rules.load("flows", flow.DEFAULT, options.read)
    if not pack then
        return nil, err
    end
    return setmetatable({
        options = options, pack = pack,
        results = {}, counts = { passed = 0, failed = 0, pending = 0, error = 0 },
        coverage = coverage.new(),
        checks = {}, -- the assertions that passed, for mutants
        files = {},  -- the case files with the cases that went as expected
    }, Suite)
end


local function take(self, result)
    self.results[#self.results + 1] = result
    self.counts[result.result] = self.counts[result.result] + 1
    self.options.progress("testing", #self.results)
    self.options.take(result)
end


-- ---- What specs decide -------------------------------------------------------


-- A spec may change its request table for the next assertion.
local function copy(value)
    if type(value) ~= "table" then
        return value
    end
    local copied = setmetatable({}, getmetatable(value))
    for name, inner in pairs(value) do
        copied[name] = copy(inner)
    end
    return copied
end


-- The observer of `postern.testing`.

function Suite:subject(subject)
    for _, set in ipairs(subject:sets()) do
        self.coverage:add(set)
    end
end


function Suite:decided(decision)
    self.coverage:count(decision)
end


function Suite:checked(subject, request, decision, passes)
    if passes(decision) then
        table.insert(self.checks, { subject = subject, request = copy(request),
                                    moment = subject:moment(), passes = passes })
    end
end


--- Runs specs.
-- @tparam {string,...} files
-- @treturn boolean|nil true
-- @treturn string why not
function Suite:run_specs(files)
    testing.observe(self)
    local ran, ok, err = pcall(specs.run, files, self.options, function(result)
        take(self, result)
    end)
    testing.observe(nil)
    if not ran then
        error(ok, 0)
    end
    return ok, err
end


-- ---- Case files --------------------------------------------------------------


local function case_message(case)
    local message = ("expected %s, got %s"):format(case.expect, tostring(case.decision:explain()))
    return case.why and ("%s\n%s"):format(case.why, message) or message
end


local function result_of(file, number, case)
    local result = { kind = "case", file = file, line = number, name = case.id }
    local as_expected = cases.as_expected(case)
    if case.error then
        result.result, result.message = "error", case.error.message
    elseif as_expected == nil then
        result.result, result.message = "pending", "the case has no `expect`"
    elseif as_expected then
        result.result = "passed"
    else
        result.result, result.message = "failed", case_message(case)
    end
    return result
end


local function sets_of(gates)
    local names, found = {}, {}
    for name in pairs(gates) do
        names[#names + 1] = name
    end
    table.sort(names)
    for _, name in ipairs(names) do
        for _, set in ipairs(sets.is(gates[name]) and { gates[name] } or gates[name]) do
            found[#found + 1] = set
        end
    end
    return found
end


local function look_at_case(self, file, case, text, number)
    local used = sets_of(case.gates)
    for _, set in ipairs(used) do
        self.coverage:add(set)
    end
    self.coverage:count(case.decision)
    if cases.as_expected(case) then
        table.insert(file.cases, { text = text, line = number, expect = case.expect,
                                   keys = mutation.keys_of(used) })
    end
end


local TEXTS = { "id", "why", "expect" }

-- A case without policies is decided by the estate, if there is one.
local function decide_on_estate(self, name, text, number)
    local doc = document.new(text, name)
    local record = doc and doc:kind(doc:root()) == "object" and not doc:get(doc:root(), "policies")
        and doc:value(doc:root())
    if not record or type(record.request) ~= "table" then
        return nil
    end
    local case = {}
    case.id = tostring(number)
    for _, member in ipairs(TEXTS) do
        case[member] = type(record[member]) == "string" and record[member] or case[member]
    end
    local estate = self.options.estate
    local ok, decision = false, "the case brings no `policies`: add them, or give --estate"
    if estate then
        ok, decision = pcall(estate.decide, estate, record.request)
    end
    if ok then
        case.decision, case.request = decision, record.request
    else
        case.error = { code = "case", message = ("%s:%d:1: %s"):format(name, number, decision) }
    end
    return case
end


local function has_filtered(self, case)
    local filter = self.options.filter
    return filter and not (case.id .. " " .. (case.why or "")):find(filter, 1, true)
end


local function run_case(self, name, file, runner, text, number)
    local case = decide_on_estate(self, name, text, number) or runner:decide(text, number)
    if has_filtered(self, case) then
        return
    end
    if case.request then
        -- It is a check like any assertion.
        self:decided(case.decision)
        self:checked(self.options.estate, case.request, case.decision, function(again)
            return again.decision == case.expect
        end)
    elseif case.decision then
        look_at_case(self, file, case, text, number)
    end
    take(self, result_of(name, number, case))
end


--- Runs a case file.
-- @tparam string name
-- @treturn boolean|nil true
-- @treturn string why the file cannot be read
function Suite:run_cases(name)
    local function runner_with(swap)
        return cases.new({ name = name, pack = self.pack, read = self.options.read, swap = swap })
    end
    local file = { runner = runner_with, cases = {} }
    local runner, number, count = runner_with(), 0, 0
    local lines, err = self.options.lines(name)
    if not lines then
        return nil, ("%s: %s"):format(name, err)
    end
    self.files[#self.files + 1] = file
    local text
    text, err = lines()
    while text do
        number = number + 1
        if text:find("%S") then
            count = count + 1
            run_case(self, name, file, runner, text, number)
        end
        text, err = lines()
    end
    if err then
        return nil, ("%s:%d: %s"):format(name, number + 1, err)
    elseif count == 0 then
        return nil, name .. ":1:1: no case in the file: write one JSON object a line"
    end
    return true
end


--- Tries mutants of every policy; see `postern.testing.mutation`.
-- @treturn table
function Suite:mutate()
    return mutation.run(self.coverage:policies(), self.checks, self.files, function(done, all)
        self.options.progress("mutants", done, all)
    end)
end


return _M
