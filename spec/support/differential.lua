--- The core against the reference, case by case.
--
-- The core is asked in the way of the command line: policies as JSON text, compiled as structural,
-- one set a gate, combined by the flow pack `iam`. Compared are the decision, every gate, and the
-- deciding statement of a deny; where they differ the case is shrunk to what still differs. It is
-- asked in every way the machine has: with each instruction set, through the index and without it.
--
-- *Dependencies*: luv, postern.{cidr,flow,rules,set}, spec.support.{generate,json,reference}
local luv = require("luv")
local cidr = require("postern.cidr")
local sets = require("postern.set")
local flow = require("postern.flow")
local rules = require("postern.rules")
local generate = require("spec.support.generate")
local json = require("spec.support.json")
local reference = require("spec.support.reference")

local _M = {}

local LEVELS = { scp = true, rcp = true }
local LIST = { identity = true }
local GATES = { "scp", "rcp", "endpoint", "resource", "identity", "boundary", "session" }

-- The API of a method: what `execute-api:/` stands for in its resource policy.
local API_ARN = "^(arn:[^:*?$]*:execute%-api:[^:*?$]*:[^:*?$]*:[^:/*?$]+)/"

--- The ways: what the environment says when a set is made.
_M.WAYS = {
    { name = "index, avx512", POSTERN_SIMD = "avx512", POSTERN_INDEX = "indexed" },
    { name = "index, avx2", POSTERN_SIMD = "avx2", POSTERN_INDEX = "indexed" },
    { name = "index, scalar", POSTERN_SIMD = "scalar", POSTERN_INDEX = "indexed" },
    { name = "linear", POSTERN_SIMD = "scalar", POSTERN_INDEX = "linear" },
}


local function set_environment(way)
    for _, name in ipairs({ "POSTERN_SIMD", "POSTERN_INDEX" }) do
        if way[name] then
            luv.os_setenv(name, way[name])
        else
            luv.os_unsetenv(name)
        end
    end
end


-- Runs a function under a way, and puts back what was there.
local function by(way, fn, ...)
    local before = {
        POSTERN_SIMD = os.getenv("POSTERN_SIMD"), POSTERN_INDEX = os.getenv("POSTERN_INDEX"),
    }
    set_environment(way)
    local ok, result = pcall(fn, ...)
    set_environment(before)
    return ok, result
end


--- Those of them that the machine can go.
function _M.ways()
    local found = {}
    for _, way in ipairs(_M.WAYS) do
        local _, used = by(way, function() return cidr.new({ "192.0.2.0/24" }):describe().simd end)
        if used == way.POSTERN_SIMD then
            found[#found + 1] = way
        end
    end
    return found
end


local pack = assert(rules.load("flows", "iam", require("postern.host.plain").read))


local function compile(documents, gate, api_arn)
    local policies = {}
    for i, document in ipairs(documents) do
        policies[i] = { name = gate .. i, text = json.encode(document) }
    end
    return assert(sets.compile(policies, {
        type = gate, strictness = "structural", api_arn = api_arn,
    }))
end


local function sets_of(gate, attached, api_arn)
    if LEVELS[gate] then
        local levels = {}
        for i, level in ipairs(attached) do
            levels[i] = compile(json.is_array(level) and level or { level }, gate)
        end
        return levels
    end
    local documents = LIST[gate] and attached or { attached }
    return #documents > 0 and compile(documents, gate, api_arn) or nil
end


--- The ARN of the API that a method ARN belongs to, or nil.
function _M.api_arn_of(resource)
    return resource:match(API_ARN)
end


--- What the core says of a case.
function _M.ask_core(case)
    local gates = {}
    for gate, attached in pairs(case.policies) do
        local api_arn = gate == "resource" and _M.api_arn_of(case.request.resource) or nil
        gates[gate] = sets_of(gate, attached, api_arn)
    end
    return assert(flow.new(pack, gates)):decide(case.request)
end


-- The first thing in which the answer of a way differs from what is expected, or nil.
local function difference_by(way, case, expected)
    local ok, core = by(way, _M.ask_core, case)
    if not ok then
        return "the core failed: " .. tostring(core)
    end
    if core.decision ~= expected.decision then
        return ("decision: core %s (%s%s), reference %s (%s)"):format(core.decision, core.reason,
            core.error and ": " .. core.error or "", expected.decision, expected.reason)
    end
    for _, gate in ipairs(GATES) do
        if core.gates[gate] ~= expected.gates[gate] then
            return ("gate %s: core %s, reference %s"):format(gate, tostring(core.gates[gate]),
                tostring(expected.gates[gate]))
        end
    end
    local mine, theirs = core.deciding, expected.deciding
    if expected.decision == "ExplicitlyDenied"
        and (not mine or not theirs or mine.policy_type ~= theirs.policy_type
            or mine.policy_index ~= theirs.policy_index
            or mine.statement_index ~= theirs.statement_index) then
        return "the deciding Deny differs"
    end
end


local available

--- The first thing in which the two answers differ, or nil; and what the reference says.
function _M.difference(case)
    available = available or _M.ways()
    local expected = reference.evaluate(case)
    for _, way in ipairs(available) do
        local why = difference_by(way, case, expected)
        if why then
            return way.name .. ": " .. why, expected
        end
    end
    return nil, expected
end


local function report(case, why, print)
    local small = generate.shrink(case, function(smaller)
        return _M.difference(smaller) ~= nil
    end)
    print(("%s: %s"):format(case.id, why))
    print("  shrunk: " .. (_M.difference(small) or why))
    print("  request  " .. json.encode(small.request))
    for gate, attached in pairs(small.policies) do
        print(("  %-8s %s"):format(gate, json.encode(attached)))
    end
end


--- Runs `count` cases of a seed, from index `first`.
-- @tparam table options `seed`, `count`, `first` (0), `print`, `most` differences to report (10),
-- `progress`: called with the number done, now and then
-- @treturn table `{differences, outcomes = {[decision] = n}, features = {[name] = n}}`
function _M.run(options)
    local result = { differences = 0, outcomes = {}, features = {} }
    local first = options.first or 0
    for i = 0, options.count - 1 do
        local case, features = generate.case(options.seed, first + i)
        for name in pairs(features) do
            result.features[name] = (result.features[name] or 0) + 1
        end
        local why, expected = _M.difference(case)
        if why then
            result.differences = result.differences + 1
            if result.differences <= (options.most or 10) then
                report(case, why, options.print)
            end
        else
            local outcome = expected.decision
            result.outcomes[outcome] = (result.outcomes[outcome] or 0) + 1
        end
        if options.progress and i % 1000 == 999 then
            options.progress(i + 1)
        end
    end
    return result
end


return _M
