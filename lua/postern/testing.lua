--- Helpers for busted: policies as test subjects.
--
--     local policy = require("postern.testing").policy("dev-api.json", { api = "abcdef123" })
--     it("lets the office in", function()
--         assert.allows(policy, { method = "GET", path = "/dev/pets", ip = "10.0.3.4" })
--     end)
--
-- Loading this module adds `assert.allows`, `assert.denies` and `assert.explicitly_denies`. One
-- that fails shows the whole explanation.
--
-- *Dependencies*: postern.host.plain, postern.set, postern.rules, postern.flow, luassert
--
-- @module postern.testing
local assert = require("luassert")
local plain = require("postern.host.plain")
local sets = require("postern.set")
local rules = require("postern.rules")
local flow = require("postern.flow")


local _M = {}
local Policy = {}
Policy.__index = Policy


-- Stand-ins for what a test does not care about.
local ACCOUNT, REGION, ACTION = "123456789012", "us-east-1", "execute-api:Invoke"

local OPTIONS = { type = true, api = true, account = true, region = true, stage = true,
                  strictness = true }

-- The shorthand for condition keys that most tests of an API policy need.
local KEYS = { ip = "aws:SourceIp", vpce = "aws:SourceVpce", vpc = "aws:SourceVpc" }

local MEMBERS = { method = true, path = true, ip = true, vpce = true, vpc = true, user = true,
                  principal = true, action = true, resource = true, context = true,
                  resourceAccount = true }


local function check_names(given, known, what)
    for name in pairs(given) do
        if not known[name] then
            error(("unknown %s `%s`"):format(what, tostring(name)), 0)
        end
    end
end


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
    local account = options.account or ACCOUNT
    local api_arn = options.api and ("arn:aws:execute-api:%s:%s:%s")
        :format(options.region or REGION, account, options.api)
    local set
    set, err = sets.compile({ { name = path, text = text } }, {
        type = options.type, strictness = options.strictness, api_arn = api_arn,
    })
    if not set then
        error(tostring(err), 2)
    end
    local pack = assert(rules.load("flows", flow.DEFAULT, plain.read))
    local is_level = set.type == "scp" or set.type == "rcp"
    return setmetatable({
        set = set,
        api_arn = api_arn,
        account = account,
        stage = options.stage,
        flow = assert(flow.new(pack, { [set.type] = is_level and { set } or set })),
    }, Policy)
end


--- Decides a request written in short.
-- @tparam table given `method`, `path`, `ip`, `vpce`, `vpc`, `user`, or in full `principal`,
-- `action`, `resource`, `resourceAccount`, `context`
-- @treturn Decision
function Policy:decide(given)
    return self.flow:decide(request_of(self, given))
end


local function decide(state, arguments, wanted, holds)
    local policy, given = arguments[1], arguments[2]
    if getmetatable(policy) ~= Policy then
        error("the first argument is what testing.policy returned", 4)
    end
    local ok, decision = pcall(policy.decide, policy, given)
    if not ok then
        error(decision, 4)
    end
    if decision.reason == "error" then
        error(decision.error, 4)
    end
    state.failure_message = ("expected %s%s\n%s")
        :format(state.mod and "" or "not ", wanted, tostring(decision:explain()))
    return holds(decision)
end


assert:register("assertion", "allows", function(state, arguments)
    return decide(state, arguments, "Allowed", function(decision)
        return decision.allowed
    end)
end)

assert:register("assertion", "denies", function(state, arguments)
    return decide(state, arguments, "a deny", function(decision)
        return not decision.allowed
    end)
end)

assert:register("assertion", "explicitly_denies", function(state, arguments)
    return decide(state, arguments, "ExplicitlyDenied", function(decision)
        return decision.decision == "ExplicitlyDenied"
    end)
end)


return _M
