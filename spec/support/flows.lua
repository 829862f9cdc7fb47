--- Tables of flow cases: rows of words, turned into real policies and decided with the core.
--
-- A case file holds tables: `name`, `columns`, `rows`, and `given`, what all rows share; `given`
-- may be a list, then every row is decided with each of its items. A cell is a word; a policy is
-- written as what it says about the call: `Allow`, `silent`, `Deny`, or `none` for no policy.

local json = require("dkjson")
local sets = require("postern.set")
local rules = require("postern.rules")
local flow = require("postern.flow")
local plain = require("postern.host.plain")
local files = require("spec.support.files")

local _M = {}


_M.METHOD = "arn:aws:execute-api:us-east-1:123456789012:abc123/dev/GET/pets"
_M.DOMAIN = "arn:aws:execute-api:us-east-1:123456789012:/domainnames/private.example.com+abcd1234"
_M.ALICE = "arn:aws:iam::123456789012:user/alice"
_M.BOB = "arn:aws:iam::210987654321:user/bob"

local OTHER = "arn:aws:execute-api:us-east-1:123456789012:zzz999/*"
local HAS_PRINCIPAL = { resource = true, endpoint = true, domain = true }


--- The tables of a case file, in its order.
function _M.tables(path)
    local decoded, _, err = json.decode(files.read(path))
    return assert(decoded, err).tables
end


--- The JSON lines of the code block below a heading of a shared document.
-- @treturn {string,...}|nil nil where there is no such document
function _M.shared_rows(name, heading)
    local folder = os.getenv("POSTERN_SHARED") or "../shared"
    local text = plain.read(folder .. "/spec/" .. name)
    if not text then
        return nil
    end
    local _, from = text:find("\n" .. heading, 1, true)
    local block = text:match("```jsonl\n(.-)```", from)
    local rows = {}
    for line in block:gmatch("[^\n]+") do
        rows[#rows + 1] = line
    end
    return rows
end


--- The text of a policy that says one word about every call.
-- @tparam string word `Allow`, `silent` or `Deny`
-- @tparam[opt] string principal as JSON
function _M.policy_text(word, principal, resource)
    return ('{"Version":"2012-10-17","Statement":[{"Effect":"%s"%s,"Action":"*","Resource":"%s"}]}')
        :format(word == "silent" and "Allow" or word,
                principal and ',"Principal":' .. principal or "",
                word == "silent" and OTHER or resource or "*")
end


--- Compiles a gate's policy; `domain` is one more resource policy.
function _M.compile(gate, text)
    return assert(sets.compile(text, {
        type = gate == "domain" and "resource" or gate, strictness = "structural", name = gate,
    }))
end


local function gate_sets(case)
    local gates = {}
    for _, gate in ipairs({ "endpoint", "domain", "resource", "identity", "boundary", "session",
                            "scp", "rcp" }) do
        local word = case[gate]
        if word and word ~= "none" then
            local set = _M.compile(gate, case[gate .. "_text"]
                or _M.policy_text(word, HAS_PRINCIPAL[gate] and '"*"' or nil))
            gates[gate] = (gate == "scp" or gate == "rcp") and { set } or set
        end
    end
    return gates
end


-- What an authorizer function answers, by the word for it.
local ANSWERS = {
    Allow = { _M.policy_text("Allow") },
    silent = { _M.policy_text("silent") },
    Deny = { _M.policy_text("Deny") },
    error = { nil, "the function failed", 500 },
    timeout = { nil, "the function took too long" },
    unauthorized = { nil, "Unauthorized", 401 },
    ["not JSON"] = { "{" },
    ["no policy"] = { 7 },
    ["a resource policy"] = { _M.policy_text("Allow", '"*"') },
    ["not-called"] = {},
}


local function options_of(case, info)
    local answer = case.authorizer
    if not answer or answer == "none" then
        return {}
    end
    return {
        authorizer = function()
            info.called = info.called + 1
            if answer == "raises" then
                error("boom")
            end
            return unpack(ANSWERS[answer], 1, 3)
        end,
        authorizer_key = answer == "no identity source" and function() return nil end or nil,
        now = answer == "no identity source" and os.time or nil,
    }
end


local BOOLEANS = { yes = true, no = false }

local function gateway_of(case)
    local domain = case.domain and case.domain ~= "n/a" and _M.DOMAIN or nil
    return {
        auth = case.auth,
        endpoint_type = case.endpoint_type or "REGIONAL",
        token = case.token ~= "none" and case.token or nil,
        signature = case.signature,
        through_endpoint = BOOLEANS[case.through_endpoint],
        cognito_requires_allow = case.cognito_requires_allow,
        domain = domain,
        domain_associated = domain and case.associated ~= "no" or nil,
    }
end


--- Decides one case of the API Gateway flow.
-- @tparam table case `auth`, `endpoint_type`, a word for each gate, `authorizer`, `token`,
-- `signature`, `same_account`, `through_endpoint`, `associated`, `principal`, `context`
-- @treturn Decision
-- @treturn table `called`: how often the authorizer was
function _M.decide(case)
    local info = { called = 0 }
    local pack = assert(rules.load("flows", "api_gateway", plain.read))
    local combined = assert(flow.new(pack, gate_sets(case), {}, options_of(case, info)))
    local principal = case.principal
    if not principal and case.auth == "IAM" then
        principal = case.same_account == false and _M.BOB or _M.ALICE
    end
    return combined:decide({
        principal = principal or "*", action = "execute-api:Invoke", resource = _M.METHOD,
        context = case.context, gateway = gateway_of(case),
    }), info
end


-- The callers and principals of the tables of other services, by their names there.
local CALLERS = {
    anonymous = "*", ["user alice"] = _M.ALICE, ["other account"] = _M.BOB,
    root = "arn:aws:iam::123456789012:root",
    ["session R/s"] = "arn:aws:sts::123456789012:assumed-role/R/s",
}

local PRINCIPALS = {
    ["*"] = '"*"', account = '{"AWS":"123456789012"}',
    ["root ARN"] = '{"AWS":"arn:aws:iam::123456789012:root"}',
    ["user alice"] = ('{"AWS":"%s"}'):format(_M.ALICE),
    ["role R"] = '{"AWS":"arn:aws:iam::123456789012:role/R"}',
}


--- Asks one endpoint policy: the outcome of its gate.
-- @tparam string endpoint_type `Interface` or `Gateway`
-- @tparam string principal of the policy: a name of the tables, or JSON
-- @tparam string caller a name of the tables, an ARN, or `*`
function _M.endpoint_outcome(endpoint_type, principal, caller)
    local set = _M.compile(endpoint_type == "Gateway" and "gateway_endpoint" or "endpoint",
                           _M.policy_text("Allow", PRINCIPALS[principal] or principal))
    local combined = assert(flow.new(assert(rules.load("flows", "iam", plain.read)),
                                     { endpoint = set }))
    return combined:decide({
        principal = CALLERS[caller] or caller, action = "s3:GetObject",
        resource = "arn:aws:s3:::pictures/cat",
    }).gates.endpoint
end


--- Decides one case of another flow, through a gateway endpoint.
-- @tparam table case `flow`, `action`, `resource_arn`, `caller`, `owner`, a word for each of
-- `identity`, `resource` and `endpoint`: as elsewhere, or `account`, an Allow for the account
-- @tparam[opt] table config of the flow
-- @treturn Decision
function _M.decide_service(case, config)
    local gates = {}
    for gate, policy_type in pairs({ identity = "identity", resource = "resource",
                                     endpoint = "gateway_endpoint" }) do
        local word = case[gate]
        if word and word ~= "none" then
            local principal = gate ~= "identity" and PRINCIPALS[word == "account" and word or "*"]
            gates[gate] = _M.compile(policy_type,
                _M.policy_text(word == "account" and "Allow" or word, principal or nil))
        end
    end
    local pack = assert(rules.load("flows", case.flow, plain.read))
    return assert(flow.new(pack, gates, config)):decide({
        principal = CALLERS[case.caller], action = case.action, resource = case.resource_arn,
        resourceAccount = case.owner ~= "unknown" and case.owner or nil,
    })
end


--- One case from a row of a table: its cells by column, over what is given.
function _M.case_of(columns, row, given)
    local case = {}
    for name, value in pairs(given or {}) do
        case[name] = value
    end
    for i, name in ipairs(columns) do
        case[name] = row[i]
    end
    return case
end


--- What all rows of a table share, as a list.
function _M.givens(tab)
    if not tab.given then
        return { {} }
    end
    return tab.given[1] and tab.given or { tab.given }
end


return _M
