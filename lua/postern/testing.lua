--- Tests of policies with busted, in the words of an API.
--
--     local testing = require("postern.testing")
--     local policy = testing.policy("dev-api.json", { api = "abcdef123" })
--     it("lets the office in", function()
--         assert.allows(policy, { method = "GET", path = "/dev/pets", ip = "10.0.3.4" })
--     end)
--
--     local gateway = testing.estate("estate.lua", { now = 1704067200 })
--     testing.cases(gateway, {
--         { "the office reads", { api = "abcdef123", path = "/dev/pets" }, "allow", "Office" },
--     })
--
-- Loading this module adds the assertions `allows`, `denies`, `denies_explicitly` and `decided_by`.
-- One that fails shows the whole explanation. What they decide, `postern test` counts for coverage
-- and decides again with mutants; see `observe`.
--
-- *Dependencies*: postern.host.plain, postern.set, postern.rules, postern.flow, postern.engine,
-- postern.estate, postern.testing.fakes, luassert
--
-- @module postern.testing
local assert = require("luassert")
local plain = require("postern.host.plain")
local sets = require("postern.set")
local rules = require("postern.rules")
local flow = require("postern.flow")
local engine = require("postern.engine")
local estates = require("postern.estate")
local fakes = require("postern.testing.fakes")


local _M = {}
local Policy, Estate = {}, {}
Policy.__index = Policy
Estate.__index = Estate


-- Stand-ins for what a test does not care about.
local ACCOUNT, REGION, ACTION = "123456789012", "us-east-1", "execute-api:Invoke"

local OPTIONS = { type = true, api = true, account = true, region = true, stage = true,
                  strictness = true }
local ESTATE_OPTIONS = { now = true, dns = true, http = true, read = true }

-- The shorthand for condition keys that most tests of an API policy need.
local KEYS = { ip = "aws:SourceIp", vpce = "aws:SourceVpce", vpc = "aws:SourceVpc" }

local MEMBERS = { method = true, path = true, ip = true, vpce = true, vpc = true, user = true,
                  principal = true, action = true, resource = true, context = true,
                  resourceAccount = true }

-- Told of every subject and decision; nobody, unless `postern test` runs.
local observer


local function check_names(given, known, what)
    for name in pairs(given) do
        if not known[name] then
            error(("unknown %s `%s`"):format(what, tostring(name)), 0)
        end
    end
end


local function told(decision)
    if observer then
        observer:decided(decision)
    end
    return decision
end


-- The text of a policy as it is, or as a mutant has it.
local function swapped(swap, name, text)
    return swap and swap({ name = name, text = text }) or text
end


-- ---- A policy alone ----------------------------------------------------------


-- `/dev/pets` is stage `dev` and path `pets`, unless the policy was given a stage of its own.
local function resource_of(self, given)
    if given.resource then
        return given.resource
    elseif not self.api_arn or not given.path then
        error("say `resource`, or `path` here and `api` with the policy", 0)
    end
    local stage, path = self.stage, given.path:gsub("^/", "")
    if not stage then
        stage, path = path:match("^([^/]+)/?(.*)$")
    end
    if not stage then
        error(("`%s` has no stage: write /stage/path"):format(given.path), 0)
    end
    return ("%s/%s/%s/%s"):format(self.api_arn, stage, given.method or "GET", path)
end


local function principal_of(self, given, context)
    if given.principal then
        return given.principal
    elseif given.user then
        local arn = ("arn:aws:iam::%s:user/%s"):format(self.account, given.user)
        context["aws:PrincipalArn"] = context["aws:PrincipalArn"] or arn
        return arn
    elseif self.set.type ~= "resource" and self.set.type ~= "endpoint" then
        error(("say who asks: a %s policy needs `user` or `principal`"):format(self.set.type), 0)
    end
    return "*"
end


local function request_of(self, given)
    check_names(given, MEMBERS, "member of a request")
    local context = {}
    for name, value in pairs(given.context or {}) do
        context[name] = value
    end
    for name, key in pairs(KEYS) do
        context[key] = given[name] or context[key]
    end
    return {
        principal = principal_of(self, given, context),
        action = given.action or ACTION,
        resource = resource_of(self, given),
        resourceAccount = given.resourceAccount,
        context = context,
    }
end


local function load_policy(path, text, options, policy_type)
    local account = options.account or ACCOUNT
    local api_arn = options.api and ("arn:aws:execute-api:%s:%s:%s")
        :format(options.region or REGION, account, options.api)
    local set, err = sets.compile({ { name = path, text = text } }, {
        type = policy_type, strictness = options.strictness, api_arn = api_arn,
    })
    if not set then
        return nil, tostring(err)
    end
    local pack = assert(rules.load("flows", flow.DEFAULT, plain.read))
    local is_level = set.type == "scp" or set.type == "rcp"
    return setmetatable({
        path = path, text = text, options = options,
        set = set,
        api_arn = api_arn,
        account = account,
        stage = options.stage,
        flow = assert(flow.new(pack, { [set.type] = is_level and { set } or set })),
    }, Policy)
end


--- Loads a policy to test.
-- @tparam string path
-- @tparam[opt] table options `type` (detected when absent), `api`, `account`, `region`, `stage`,
-- `strictness`
-- @treturn Policy raises when the file cannot be read or the policy is refused
function _M.policy(path, options)
    options = options or {}
    check_names(options, OPTIONS, "option")
    local text, err = plain.read(path)
    if not text then
        error(("%s: %s"):format(path, err), 2)
    end
    local self
    self, err = load_policy(path, text, options, options.type)
    if not self then
        error(err, 2)
    elseif observer then
        observer:subject(self)
    end
    return self
end


-- The subject interface that assertions, coverage and mutants need: `decide`, `sets`, `moment`,
-- `again`. What a mistake in the test is raises in `decide`; it must not pass for a deny.

--- Decides a request written in short.
-- @tparam table given `method`, `path`, `ip`, `vpce`, `vpc`, `user`, or in full `principal`,
-- `action`, `resource`, `resourceAccount`, `context`
-- @treturn Decision
function Policy:decide(given)
    local decision = self.flow:decide(request_of(self, given))
    if decision.reason == "error" then
        error(decision.error, 0)
    end
    return told(decision)
end


--- The sets that may be asked.
-- @treturn {Set,...}
function Policy:sets()
    return { self.set }
end


--- What else than the request a decision depends on.
-- @treturn nil a policy knows no time
function Policy.moment()
    return nil
end


--- The same subject with other policies.
-- @tparam function swap `swap({name, text})` answers the text to take instead, or nil
-- @treturn Policy|nil
-- @treturn string why the policy is refused
function Policy:again(swap)
    -- The type is not detected anew: a mutant is attached where the policy was.
    return load_policy(self.path, swapped(swap, self.path, self.text), self.options, self.set.type)
end


-- ---- A whole gateway ---------------------------------------------------------


-- An estate keeps its sets in many places: by API, endpoint, principal and level. Looking
-- everywhere misses none.
local function find_sets(value, found, seen)
    if sets.is(value) then
        if not seen[value] and value.origins[1].name ~= "default endpoint policy" then
            found[#found + 1] = value
        end
        seen[value] = true
    elseif type(value) == "table" and not seen[value] then
        seen[value] = true
        for _, inner in pairs(value) do
            find_sets(inner, found, seen)
        end
    end
end


local function by_origins(a, b)
    for i = 1, math.min(#a.origins, #b.origins) do
        if a.origins[i].name ~= b.origins[i].name then
            return a.origins[i].name < b.origins[i].name
        end
    end
    return #a.origins < #b.origins
end


--- Opens an estate to test, as `estate` does, but answers what is wrong with it.
-- @tparam string path
-- @tparam table options as for `estate`
-- @tparam[opt] function swap see `again`
-- @treturn Estate|nil
-- @treturn string every problem, a line each
function _M.open_estate(path, options, swap)
    local faked = fakes.new(options)
    local read = options.read or plain.read
    local estate, problems = estates.open(path, {
        read = function(name)
            local text, err = read(name)
            return text and swapped(swap, name, text), err
        end,
        now = faked.now, log = faked.log, host = faked.host,
    })
    if not estate then
        return nil, tostring(problems)
    end
    return setmetatable({ path = path, options = options, fakes = faked, estate = estate }, Estate)
end


--- Opens an estate to test, on a made-up host.
-- @tparam string path
-- @tparam[opt] table options `now` (seconds since the epoch or a function; by default
-- 2024-01-01 00:00 UTC, and it stands still), `dns`, `http` (see `new` of `postern.testing.fakes`),
-- `read` (a host's reader)
-- @treturn Estate raises with every problem when it does not open
function _M.estate(path, options)
    options = options or {}
    check_names(options, ESTATE_OPTIONS, "option")
    local self, err = _M.open_estate(path, options)
    if not self then
        error(err, 2)
    elseif observer then
        observer:subject(self)
    end
    return self
end


local function check_request(given)
    if type(given) ~= "table" then
        error(("the request is a %s: give a table"):format(type(given)), 0)
    end
    check_names(given, engine.MEMBERS, "member of a request")
    for name, value in pairs(given) do
        local wanted = engine.MEMBERS[name]
        if wanted ~= "any" and type(value) ~= wanted then
            error(("`%s` is a %s: give a %s"):format(name, type(value), wanted), 0)
        end
    end
end


--- Decides a request; see docs/estate.md for its members.
-- @tparam table given
-- @treturn Decision also for what the gateway refuses, with reason `error`
function Estate:decide(given)
    check_request(given)
    local decision = self.estate:authorize(given)
    local unexpected = self.fakes:take_unexpected()
    if unexpected then
        error(unexpected, 0)
    end
    return told(decision)
end

Estate.authorize = Estate.decide


function Estate:sets()
    local found = {}
    find_sets(self.estate, found, {})
    table.sort(found, by_origins)
    return found
end


--- Sets the clock.
-- @tparam number time seconds since the epoch
function Estate:set_time(time)
    self.fakes:set_time(time)
end


--- Lets time pass.
-- @tparam number seconds
function Estate:advance(seconds)
    self.fakes:advance(seconds)
end


--- What the packs and the estate told the operator so far.
-- @treturn {string,...} lines
function Estate:logged()
    return self.fakes.logged
end


function Estate:moment()
    return self.fakes:time()
end


function Estate:again(swap)
    return _M.open_estate(self.path, self.options, swap)
end


-- ---- Assertions --------------------------------------------------------------


--- Has somebody told of what is tested from here on.
-- @tparam table|nil who `who:subject(subject)` is called for every subject that is made,
-- `who:decided(decision)` for every decision, and `who:checked(subject, request, decision, passes)`
-- for every assertion; `passes(decision)` answers whether that assertion would pass
function _M.observe(who)
    observer = who
end


local function is_subject(value)
    local class = getmetatable(value)
    return class == Policy or class == Estate
end


-- `level` is that of the test, as seen from the function that calls.
local function decide(state, arguments, wanted, holds, level)
    local subject, given = arguments[1], arguments[2]
    if not is_subject(subject) then
        error("the first argument is what testing.policy or testing.estate returned", level + 1)
    end
    local ok, decision = pcall(subject.decide, subject, given)
    if not ok then
        error(decision, level + 1)
    end
    local negated = not state.mod
    if observer then
        observer:checked(subject, given, decision, function(again)
            return holds(again) ~= negated
        end)
    end
    state.failure_message = ("expected %s%s\n%s")
        :format(negated and "not " or "", wanted, tostring(decision:explain()))
    return holds(decision)
end


local HOLDS = {
    allow = function(decision) return decision.allowed end,
    deny = function(decision) return not decision.allowed end,
    ["explicit deny"] = function(decision) return decision.decision == "ExplicitlyDenied" end,
}
local WORDS = { allow = "Allowed", deny = "a deny", ["explicit deny"] = "ExplicitlyDenied" }


local function by_sid(sid)
    return function(decision)
        return decision.deciding ~= nil and decision.deciding.sid == sid
    end
end


for name, outcome in pairs({ allows = "allow", denies = "deny",
                             denies_explicitly = "explicit deny" }) do
    assert:register("assertion", name, function(state, arguments)
        return decide(state, arguments, WORDS[outcome], HOLDS[outcome], 4)
    end)
end

assert:register("assertion", "decided_by", function(state, arguments)
    local sid = arguments[3]
    if type(sid) ~= "string" then
        error("the third argument is the Sid of the statement", 4)
    end
    return decide(state, arguments, ("a decision by `%s`"):format(sid), by_sid(sid), 4)
end)


-- ---- Tables of cases ---------------------------------------------------------


local ASSERTIONS = { allow = "allows", deny = "denies", ["explicit deny"] = "denies_explicitly" }

local function check_row(i, row)
    if type(row) ~= "table" or type(row[1]) ~= "string" or type(row[2]) ~= "table" then
        error(('case %d: write {"why", request, outcome, sid}'):format(i), 3)
    elseif not ASSERTIONS[row[3]] then
        error(("case %d: the outcome is `%s`: give `allow`, `deny` or `explicit deny`")
            :format(i, tostring(row[3])), 3)
    elseif row[4] ~= nil and type(row[4]) ~= "string" then
        error(("case %d: the Sid is a %s: give a string"):format(i, type(row[4])), 3)
    end
end


--- Makes a busted test of every row.
-- @param subject of `policy` or `estate`, or a function that answers one, for a subject that is
-- made in a `setup`
-- @tparam {table,...} rows `{"why", request, "allow"|"deny"|"explicit deny", sid}`, the Sid of the
-- deciding statement if wanted
function _M.cases(subject, rows)
    local it = require("busted").it
    for i, row in ipairs(rows) do
        check_row(i, row)
        it(row[1], function()
            local tested = type(subject) == "function" and subject() or subject
            assert[ASSERTIONS[row[3]]](tested, row[2])
            if row[4] then
                assert.decided_by(tested, row[2], row[4])
            end
        end)
    end
end


return _M
