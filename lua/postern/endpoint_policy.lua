--- What a policy must be to be attached to a VPC endpoint.
--
-- Checks run in the order of their codes and the first that fails is told, so one document always
-- has one answer. The language itself is checked by the core; here its failures get their codes,
-- and the rules that hold for endpoints only are added.
--
-- Rules: AWS PrivateLink Guide, "Control access to VPC endpoints using endpoint policies".
--
-- *Dependencies*: postern.document, postern.glob, postern.set
--
-- @module postern.endpoint_policy
local document = require("postern.document")
local glob = require("postern.glob")
local sets = require("postern.set")


local _M = {}
local Checker = {}
Checker.__index = Checker


--- The policy of an endpoint that was given none: full access.
_M.DEFAULT = [[
{
  "Statement": [
    {
      "Effect": "Allow",
      "Principal": "*",
      "Action": "*",
      "Resource": "*"
    }
  ]
}]]

--- The most characters a policy may have, white space included.
_M.LIMIT = 20480

--- The policy type of the core for each type of endpoint.
_M.TYPES = { Interface = "endpoint", Gateway = "gateway_endpoint" }

-- Characters that must stand together on one side of a wildcard.
local RUN = 6

local CODE = "InvalidPolicyDocument."


-- ---- Findings ----------------------------------------------------------------


local Finding = {}

function Finding.__tostring(self)
    local place = self.name
    if self.line > 0 then
        place = ("%s:%d:%d"):format(place, self.line, self.column)
    end
    return ("%s: %s: %s"):format(place, self.code, self.message)
end


-- An error or a warning at a node; without a node it has no place.
local function finding(job, code, node, message, ...)
    local line, column = 0, 0
    if node then
        line, column = job.doc:place(node)
    end
    return setmetatable({
        name = job.name, code = code, line = line, column = column,
        message = select("#", ...) > 0 and message:format(...) or message,
    }, Finding)
end


-- A failure of the reader or of the core under one of our codes. A label that counts the statements
-- of a text we made up would mislead.
local function told(job, code, failure, made_up)
    return setmetatable({
        name = job.name, code = code, line = failure.line, column = failure.column,
        message = made_up and failure.message:gsub("^statement 1: ", "") or failure.message,
    }, Finding)
end


--- Counts the characters of a text as AWS does: code points, exactly as submitted. White space,
-- line ends and a byte order mark count.
-- @tparam string text
-- @treturn number
function _M.characters(text)
    local count, at = #text, text:find("[\128-\191]")
    while at do -- no copy of the text is made
        count, at = count - 1, text:find("[\128-\191]", at + 1)
    end
    return count
end


-- ---- Walking -----------------------------------------------------------------


-- The items of a value that may be written single or as a list.
local function each(doc, node)
    if node and doc:kind(node) == "array" then
        return doc:items(node)
    end
    local done = false
    return function()
        if node and not done then
            done = true
            return 1, node
        end
    end
end


local function each_statement(doc)
    return each(doc, doc:get(doc:root(), "Statement"))
end


local function principal_of(doc, statement)
    local node = doc:get(statement, "Principal")
    if node then
        return node, "Principal"
    end
    return doc:get(statement, "NotPrincipal"), "NotPrincipal"
end


local function nothing()
    return nil
end


-- The operators of a statement: name, the value's node, the name's node.
local function each_operator(doc, statement)
    local condition = doc:get(statement, "Condition")
    return condition and doc:members(condition) or nothing
end


-- The condition keys of a policy that has compiled: operator, key, the key's node, its value.
local function conditions_of(doc)
    local found = {}
    for _, statement in each_statement(doc) do
        for operator, block in each_operator(doc, statement) do
            for key, value, node in doc:members(block) do
                found[#found + 1] = { operator = operator, key = key, node = node, value = value }
            end
        end
    end
    return found
end


-- A value with every ${...} written as so many letters: nothing in one is a wildcard or a colon.
local function without_variables(job, text)
    if not job.variables then
        return text
    end
    local pieces, at = {}, 1
    local first, last = text:find("${", 1, true)
    while first do
        last = text:find("}", last + 1, true)
        if not last then
            break
        end
        pieces[#pieces + 1] = text:sub(at, first - 1)
        pieces[#pieces + 1] = ("x"):rep(_M.characters(text:sub(first, last)))
        at = last + 1
        first, last = text:find("${", at, true)
    end
    pieces[#pieces + 1] = text:sub(at)
    return table.concat(pieces)
end


-- ---- The language --------------------------------------------------------------


local function check_json(job)
    local err
    if job.text == "" then
        return finding(job, CODE .. "Size", nil, "the document is empty: leave the policy out to "
            .. "get the default, full access")
    end
    job.doc, err = document.new(job.text, job.name)
    if not job.doc then
        return told(job, CODE .. "Json", err)
    end
    local version = job.doc:get(job.doc:root(), "Version")
    job.variables = version and job.doc:text(version) == "2012-10-17"
end


local function check_size(job)
    local count = _M.characters(job.text)
    if count > _M.LIMIT then
        return finding(job, CODE .. "Size", job.doc:root(),
            "%d characters, where an endpoint policy may have %d", count, _M.LIMIT)
    end
end


-- Compiles a small policy made around a piece of the document; the places of its failures are those
-- of the document. Answers nil when it compiles.
local function probe(job, before, node, after, options)
    local line, column = job.doc:place(node)
    local text = before .. job.doc:raw(node) .. after
    local _, err = sets.compile({
        { name = job.name, text = text, line = line, column = column - #before },
    }, options)
    return err
end


local function probe_operator(job, node)
    return probe(job, '{"Statement":{"Effect":"Deny","Action":"*","Resource":"*","Condition":{',
        node, ":{}}}}", { type = "identity", strictness = "structural" })
end


local function probe_principal(job, node, element)
    return probe(job,
        ('{"Statement":{"Effect":"Deny","Action":"*","Resource":"*","%s":'):format(element),
        node, "}}", { type = job.policy_type })
end


local function is_version(doc, node)
    local version = doc:text(node)
    return version == "2012-10-17" or version == "2008-10-17"
end


-- Adds the spans of the members that `unwanted` picks, each with a comma that goes with it.
local function spans_of_members(doc, object, unwanted, spans)
    local members, kept = {}, nil
    for name, value, node in doc:members(object) do
        local first = doc:span(node)
        local _, last = doc:span(value)
        members[#members + 1] = {
            first = first, last = last, out = unwanted(name, value, node),
        }
    end
    for i, member in ipairs(members) do
        local following = members[i + 1]
        if not member.out then
            kept = member.last
        elseif following then
            spans[#spans + 1] = { member.first, following.first - 1 }
        else
            spans[#spans + 1] = { kept and kept + 1 or member.first, member.last }
        end
    end
end


-- The text with spans turned into spaces, one for each character, so that every place stays.
local function blanked(text, spans)
    table.sort(spans, function(a, b) return a[1] < b[1] end)
    local pieces, at = {}, 1
    for _, span in ipairs(spans) do
        local first = math.max(span[1], at)
        pieces[#pieces + 1] = text:sub(at, first - 1)
        pieces[#pieces + 1] = text:sub(first, span[2]):gsub("[\128-\191]", "")
            :gsub("[^\r\n]", " ")
        at = math.max(at, span[2] + 1)
    end
    pieces[#pieces + 1] = text:sub(at)
    return table.concat(pieces)
end


-- The grammar apart from what has codes of its own: the document without its principals, a wrong
-- Version and unknown operators has to be an identity policy.
local function check_structure(job)
    local doc, spans = job.doc, {}
    spans_of_members(doc, doc:root(), function(name, value)
        return name == "Version" and not is_version(doc, value)
    end, spans)
    for _, statement in each_statement(doc) do
        if doc:get(statement, "Principal") and doc:get(statement, "NotPrincipal") then
            return finding(job, CODE .. "Structure", statement,
                "both Principal and NotPrincipal: keep one of them")
        end
        spans_of_members(doc, statement, function(name)
            return name == "Principal" or name == "NotPrincipal"
        end, spans)
        local condition = doc:get(statement, "Condition")
        if condition then
            spans_of_members(doc, condition, function(_, _, node)
                return probe_operator(job, node) ~= nil
            end, spans)
        end
    end
    local _, err = sets.compile(blanked(job.text, spans), {
        type = "identity", strictness = "structural", name = job.name,
    })
    return err and told(job, CODE .. "Structure", err)
end


local function check_missing_principal(job)
    for _, statement in each_statement(job.doc) do
        if not principal_of(job.doc, statement) then
            return finding(job, CODE .. "MissingPrincipal", statement,
                'no Principal: an endpoint policy has to say who, such as "Principal": "*"')
        end
    end
end


local function check_version(job)
    local node = job.doc:get(job.doc:root(), "Version")
    if node and not is_version(job.doc, node) then
        return finding(job, CODE .. "Version", node, 'unknown Version %s: write "2012-10-17"',
            job.doc:raw(node))
    end
end


local function check_operators(job)
    for _, statement in each_statement(job.doc) do
        for _, _, node in each_operator(job.doc, statement) do
            local err = probe_operator(job, node)
            if err then
                return told(job, CODE .. "Operator", err, true)
            end
        end
    end
end


local function check_principals(job)
    for _, statement in each_statement(job.doc) do
        local node, element = principal_of(job.doc, statement)
        local err = probe_principal(job, node, element)
        if err then
            return told(job, CODE .. "PrincipalFormat", err, true)
        end
        local effect = job.doc:text(job.doc:get(statement, "Effect"))
        if element == "NotPrincipal" and effect == "Allow" then
            return finding(job, CODE .. "PrincipalFormat", node,
                "NotPrincipal with Allow matches nobody: use it with Deny")
        end
    end
end


local function is_within(doc, node, line, column)
    local first_line, first_column = doc:place(node)
    local last_line, last_column = doc:last_place(node)
    return (line > first_line or (line == first_line and column >= first_column))
        and (line < last_line or (line == last_line and column <= last_column))
end


-- What remains is in the wrong place (a variable, a short form) or a value that its operator cannot
-- take.
local function check_rest(job)
    for _, statement in each_statement(job.doc) do
        local condition = job.doc:get(statement, "Condition")
        if condition and is_within(job.doc, condition, job.failure.line, job.failure.column) then
            return told(job, CODE .. "Operator", job.failure)
        end
    end
    return told(job, CODE .. "Structure", job.failure)
end


local LANGUAGE = {
    check_structure, check_missing_principal, check_version, check_operators, check_principals,
    check_rest,
}


local function check_language(job)
    local compiled
    compiled, job.failure = sets.compile(job.text, { type = job.policy_type, name = job.name })
    if compiled then
        return nil
    end
    for _, check in ipairs(LANGUAGE) do
        local err = check(job)
        if err then
            return err
        end
    end
end


--- The code of what keeps a policy from compiling, also of one that is no endpoint's.
-- @tparam string text
-- @tparam string policy_type of the core: `resource`, `endpoint`, `gateway_endpoint`
-- @tparam table failure what the core said of it
-- @treturn string `InvalidPolicyDocument.Structure`
function _M.code_of(text, policy_type, failure)
    local job = { text = text, name = failure.name, policy_type = policy_type, failure = failure }
    local found = check_json(job)
    for _, check in ipairs(found and {} or LANGUAGE) do
        found = found or check(job)
    end
    return found.code
end


-- ---- The rules of endpoints ------------------------------------------------------


-- `StringLike` of `ForAnyValue:StringLikeIfExists`, in lower case.
local function base_of(operator)
    local base = operator:lower():gsub("^foranyvalue:", ""):gsub("^forallvalues:", "")
    return (base:gsub("ifexists$", ""))
end


-- The first wildcard, in characters from 1, that lacks a run of RUN characters on either side.
local function lonely_wildcard(text)
    text = text:gsub("[\128-\191]", "") -- one byte for each character
    local last, at = 0, text:find("[*?]")
    while at do
        local following = text:find("[*?]", at + 1)
        if at - last <= RUN and (following or #text + 1) - at <= RUN then
            return at
        end
        last, at = at, following
    end
    return nil
end


local LIKE = { stringlike = true, stringnotlike = true }

local function check_condition_wildcards(self, job, condition)
    local base = base_of(condition.operator)
    local system = self.system_keys[condition.key:lower()]
    if system and base:find("^numeric") then
        return finding(job, CODE .. "WildcardRule", condition.node,
            "`%s` holds ids that AWS makes: compare it with a String operator", condition.key)
    end
    for _, node in each(job.doc, condition.value) do
        local text = without_variables(job, job.doc:text(node) or "")
        if system and text:find("[*?]") then
            return finding(job, CODE .. "WildcardRule", node,
                "wildcard with `%s`, which holds ids that AWS makes: list the ids", condition.key)
        elseif LIKE[base] and lonely_wildcard(text) then
            return finding(job, CODE .. "WildcardRule", node,
                "wildcard number %d of the value's characters: at least %d others have to stand "
                .. "together before or after it", lonely_wildcard(text), RUN)
        end
    end
end


local function check_wildcards(job, self)
    for _, condition in ipairs(conditions_of(job.doc)) do
        local err = check_condition_wildcards(self, job, condition)
        if err then
            return err
        end
    end
end


-- Part five of an ARN that mixes digits and wildcards.
local function mixed_account(job, text)
    local account = without_variables(job, text):match("^arn:[^:]*:[^:]*:[^:]*:([^:]*)")
    if account and account:find("^[%d*?]+$") and account:find("%d") and account:find("[*?]") then
        return account
    end
    return nil
end


local function check_accounts_in(job, value)
    for _, node in each(job.doc, value) do
        local account = mixed_account(job, job.doc:text(node) or "")
        if account then
            return finding(job, CODE .. "ArnAccount", node,
                "account `%s` in an ARN: write all twelve digits, or a wildcard alone", account)
        end
    end
end


local function check_accounts(job)
    for _, statement in each_statement(job.doc) do
        local resource = job.doc:get(statement, "Resource")
            or job.doc:get(statement, "NotResource")
        local err = check_accounts_in(job, resource)
        if err then
            return err
        end
    end
    for _, condition in ipairs(conditions_of(job.doc)) do
        local err = check_accounts_in(job, condition.value)
        if err then
            return err
        end
    end
end


local function check_support(job)
    if job.service and not job.service.policy then
        return finding(job, CODE .. "NotSupported", nil,
            "endpoints of `%s` give full access and take no policy", job.service.suffix)
    end
end


-- ---- Warnings ---------------------------------------------------------------------


-- Whether a pattern of an Action can match an action of a service: every place in the pattern that
-- can be reached by reading `prefix:` is kept; from one of them a name must follow, which has at
-- least one character and no colon.
local function can_match(pattern, prefix)
    local places = {}
    places[1] = true
    for letter in (prefix .. ":"):gmatch(".") do
        local reached = {}
        for at = 1, #pattern do
            local code = pattern:sub(at, at)
            if places[at] and code == "*" then
                reached[at], places[at + 1] = true, true
            elseif places[at] and (code == "?" or code == letter) then
                reached[at + 1] = true
            end
        end
        places = reached
    end
    for at = 1, #pattern do
        if places[at] and not pattern:find(":", at, true) then
            return true
        end
    end
    return false
end


-- Whether a pattern takes in every action of a service; enough for the patterns people write.
local function covers(pattern, prefix)
    return pattern:sub(-1) == "*" and assert(glob.new{ pattern }):match(prefix .. ":") ~= nil
end


local function warn_of_actions(job, statement, warnings)
    local prefix = job.service and job.service.prefix
    local element = job.doc:get(statement, "Action") and "Action" or "NotAction"
    for _, node in each(job.doc, prefix and job.doc:get(statement, element)) do
        local pattern = job.doc:text(node):lower()
        if element == "Action" and not can_match(pattern, prefix) then
            warnings[#warnings + 1] = finding(job, "ENDPOINT_FOREIGN_ACTION", node,
                "`%s` can never apply: all that passes this endpoint are actions of `%s`",
                job.doc:text(node), prefix)
        elseif element == "NotAction" and covers(pattern, prefix) then
            warnings[#warnings + 1] = finding(job, "ENDPOINT_FOREIGN_ACTION", node,
                "NotAction `%s` leaves no action of `%s`: the statement can never apply",
                job.doc:text(node), prefix)
        end
    end
end


local function warn_of_principal(job, node, warnings)
    if job.doc:text(node) ~= "*" then
        warnings[#warnings + 1] = finding(job, "ENDPOINT_GATEWAY_PRINCIPAL", node,
            'a gateway endpoint wants Principal "*", with aws:PrincipalArn in Condition: here an '
            .. "account or its root ARN is the root user only")
    end
end


local function warn_of_principals(job, statement, warnings)
    if job.policy_type ~= "gateway_endpoint" then
        return
    end
    local principal, element = principal_of(job.doc, statement)
    if element == "NotPrincipal" or job.doc:kind(principal) == "string" then
        warn_of_principal(job, principal, warnings)
        return
    end
    for _, value in job.doc:members(principal) do
        for _, node in each(job.doc, value) do
            warn_of_principal(job, node, warnings)
        end
    end
end


local function warn_of_addresses(job, warnings)
    for _, condition in ipairs(conditions_of(job.doc)) do
        if condition.key:lower() == "aws:sourceip" then
            warnings[#warnings + 1] = finding(job, "ENDPOINT_SOURCEIP", condition.node,
                "`%s` is never present through an endpoint: use aws:VpcSourceIp", condition.key)
        end
    end
end


local function warnings_of(job)
    local warnings = {}
    for _, statement in each_statement(job.doc) do
        warn_of_principals(job, statement, warnings)
        warn_of_actions(job, statement, warnings)
    end
    warn_of_addresses(job, warnings)
    return warnings
end


-- ---- The checker ------------------------------------------------------------------


local CHECKS = {
    check_json, check_size, check_language, check_wildcards, check_accounts, check_support,
}


--- Makes a checker.
-- @tparam table tables `services` (a `postern.endpoint_services`), `system_keys` (the data of the
-- table pack of that name)
-- @treturn Checker
function _M.new(tables)
    local system_keys = {}
    for _, key in ipairs(tables.system_keys) do
        system_keys[key:lower()] = true
    end
    return setmetatable({ services = tables.services, system_keys = system_keys }, Checker)
end


local function validate_one(self, text, options)
    local job = {
        text = text,
        name = options.name or "policy",
        policy_type = _M.TYPES[options.type or "Interface"],
        service = options.service and self.services:find(options.service),
    }
    for _, check in ipairs(CHECKS) do
        local err = check(job, self)
        if err then
            return nil, err
        end
    end
    return true, warnings_of(job)
end


--- Checks a policy for an endpoint.
-- @tparam string|{string,...} policy its text; of a list each is checked, and more than one refused
-- @tparam[opt] table options `service` (a service name), `type` (`Interface`, the default, or
-- `Gateway`), `name` (what errors call the policy)
-- @treturn true|nil
-- @treturn {table,...}|table the warnings; or why not: `{code, message, line, column, name}`, the
-- first in the order of the codes; line and column are 0 where there is no place
function Checker:validate(policy, options)
    options = options or {}
    if not _M.TYPES[options.type or "Interface"] then
        error(("unknown type of endpoint: `%s`"):format(tostring(options.type)), 2)
    end
    local texts = type(policy) == "table" and policy or { policy }
    local warnings
    for _, text in ipairs(texts) do
        local ok, found = validate_one(self, text, options)
        if not ok then
            return nil, found
        end
        warnings = found
    end
    if #texts ~= 1 then
        return nil, finding({ name = options.name or "policy" }, CODE .. "TooManyPolicies", nil,
            "an endpoint has exactly one policy, here are %d: merge them", #texts)
    end
    return true, warnings
end


return _M
