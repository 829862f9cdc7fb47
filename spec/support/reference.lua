--- The reference evaluator: the policy language in plain Lua.
--
-- This is the executable form of the language rules, written to be read beside
-- them and to be compared with the core, never to be fast. It looks at every
-- statement, every pattern and every value in turn; it indexes nothing and
-- keeps nothing between two calls.
--
-- Documents are decoded JSON whose lists are marked as spec/support/json.lua
-- says. They are taken to be structurally sound (policy-language 9); what would
-- only be refused when a policy is attached is evaluated as the rules say.
--
-- Truth has three values, as numbers, so that Kleene's logic is arithmetic:
-- "and" is the minimum, "or" the maximum, "not" is one minus. A condition is
-- unknown when it asks for a context value that is `UNRESOLVED`.
--
-- Each comment that begins with "Choice:" marks a place where the rules can be
-- read in more than one way.
--
-- Limits: numbers are compared digit by digit and are exact, but exponents and
-- epoch seconds are doubles, exact below 2^53. Letter case is folded for ASCII.
--
-- Dependencies: spec.support.json.

local json = require "spec.support.json"

local _M = {}

local YES, NO, UNKNOWN = 1, 0, 0.5
local min, max = math.min, math.max

--- Stands in a context for a value that nobody has looked up yet.
local UNRESOLVED = setmetatable({}, { __tostring = function() return "unresolved" end })
_M.UNRESOLVED = UNRESOLVED

-- Choice: the strength of match kinds is the order of the table in
-- policy-language 4, where a wildcard stands above the caller's own name. It
-- only decides which kind is reported when several match.
local KIND_STRENGTH = { account = 1, role = 2, direct = 3, wild = 4, na = 5 }

-- policy-language 2: which policy types fill the missing parts of a Resource
-- with fewer than five colons, and which never match one.
local FILLS_INCOMPLETE_ARN = { identity = true, boundary = true, scp = true }
local REFUSES_INCOMPLETE_ARN = { session = true }

-- evaluation 2, the table's row on RCPs: the services they act on.
local RCP_SERVICES = {}
for service in ([[s3 sts kms sqs secretsmanager ecr aoss dynamodb logs events firehose
        cloudfront cognito-idp cognito-identity codebuild wafv2 xray]]):gmatch("%S+") do
    RCP_SERVICES[service] = true
end

-- evaluation 4: where the deciding Deny is looked for first.
local DENY_ORDER = { "scp", "rcp", "endpoint", "resource", "identity", "boundary", "session" }

-- Gates that bind the caller's own account; evaluation 2.
local CALLER_GATES = { identity = true, boundary = true, session = true, scp = true }


-- ---- Small things ---------------------------------------------------------

local function truth(value)
    return value and YES or NO
end


local function any(list, test)
    local result = NO
    for _, item in ipairs(list) do
        result = max(result, test(item))
    end
    return result
end


local function all(list, test)
    local result = YES
    for _, item in ipairs(list) do
        result = min(result, test(item))
    end
    return result
end


-- A single value may be written without the list brackets (policy-language 1).
local function list_of(value)
    return json.is_array(value) and value or { value }
end


-- One character is one code point (policy-language 2).
local function characters(text)
    local list = {}
    for char in text:gmatch("[%z\1-\127\192-\255][\128-\191]*") do
        list[#list + 1] = char
    end
    return list
end


-- policy-language 6.4: values become text first, then are parsed by operator.
local function as_text(value)
    return type(value) == "number" and json.number_text(value) or tostring(value)
end


-- The six parts of an ARN, cut at the first five colons; nil when there are
-- fewer.
local function split_arn(text)
    local partition, service, region, account, rest =
        text:match("^[^:]*:([^:]*):([^:]*):([^:]*):([^:]*):(.*)$")
    if not partition then
        return nil
    end
    return { partition = partition, service = service, region = region, account = account,
             rest = rest, prefix = text:match("^[^:]*") }
end


local function last_path_part(path)
    return path:match("([^/]*)$")
end


-- ---- Context --------------------------------------------------------------

-- One condition key of the request. A list, even of one value, is a
-- multivalued key; an empty list is an absent key (policy-language 6.1).
local function look_up(view, key)
    local name = key:lower()
    local value = view.context[name]
    if value == nil then
        return { absent = true, values = {} }
    elseif value == UNRESOLVED then
        view.asked[name] = true
        return { unresolved = true }
    elseif not json.is_array(value) then
        return { values = { as_text(value) } }
    end
    local cell = { many = true, absent = #value == 0, values = {} }
    for i, item in ipairs(value) do
        cell.values[i] = as_text(item)
    end
    return cell
end


-- ---- Patterns -------------------------------------------------------------

-- A pattern is a list of tokens: { text = "a" } for a character, with `wild`
-- for `*` and `?`; { variable = true, key, default, raw } for a variable;
-- { text, escaped = true, raw } for `${*}`, `${?}` and `${$}`.

local function text_tokens(text, wild)
    local tokens = characters(text)
    for i, char in ipairs(tokens) do
        tokens[i] = { text = char, wild = wild and (char == "*" or char == "?") and char or nil }
    end
    return tokens
end


local function append(list, more)
    for _, item in ipairs(more) do
        list[#list + 1] = item
    end
    return list
end


-- Choice: the name in `${name}` is a run of anything but white space, comma,
-- quote, dollar and braces; the default runs to the first quote, which must stand
-- before the closing brace, so `}` may be in it (policy-language 7 and 10).
local function variable_at(text, at)
    local raw, escape = text:match("^(%${([*?$])})", at)
    if raw then
        return { text = escape, escaped = true, raw = raw }
    end
    local key, default
    raw, key = text:match("^(%${([^%s,'${}]+)})", at)
    if not raw then
        raw, key, default = text:match("^(%${([^%s,'${}]+), '([^']*)'})", at)
    end
    return raw and { variable = true, key = key, default = default, raw = raw }
end


-- Choice: when `${` does not begin a well-formed variable, only these two
-- characters are plain text and reading goes on behind them; `*` and `?` that
-- follow are wildcards as ever, and colons count (policy-language 7, "evaluate
-- as literal text").
local function tokenize(text, live)
    local tokens, at = {}, 1
    while at <= #text do
        local variable = live and variable_at(text, at)
        local stop = variable and at + #variable.raw or text:find("$", at + 1, true) or #text + 1
        append(tokens, variable and { variable } or text_tokens(text:sub(at, stop - 1), true))
        at = stop
    end
    return tokens
end


-- The text of a variable; nil when it has none (policy-language 7).
local function variable_text(token, view)
    local cell = look_up(view, token.key)
    if cell.unresolved then
        return UNRESOLVED
    elseif cell.absent or cell.many or cell.values[1] == "" then
        return token.default
    end
    return cell.values[1]
end


-- Replaces variables. What is put in is literal, a default too: no wildcards,
-- no colons that count. Nil when a variable has no value, else UNRESOLVED when
-- one of them is.
local function substitute(tokens, view)
    local result, unresolved = {}, false
    for _, token in ipairs(tokens) do
        local text = token.variable and variable_text(token, view)
        if not token.variable then
            result[#result + 1] = token
        elseif text == nil then
            return nil
        elseif text == UNRESOLVED then
            unresolved = true
        else
            append(result, text_tokens(text, false))
        end
    end
    return unresolved and UNRESOLVED or result
end


-- The plain recursive matcher. `failed` keeps it from asking twice, which is
-- all it takes to make the time polynomial.
local function glob(pattern, text)
    local failed = {}

    local function accepts(token, char)
        if char == nil or (token.stays_inside and char == ":") then
            return false
        end
        return token.wild ~= nil or token.text == char
    end

    local function match(i, j)
        local token = pattern[i]
        if not token then
            return j == #text + 1
        end
        local place = i * (#text + 2) + j
        if failed[place] then
            return false
        end
        local found
        if token.wild == "*" then
            found = match(i + 1, j) or (accepts(token, text[j]) and match(i, j + 1))
        else
            found = accepts(token, text[j]) and match(i + 1, j + 1)
        end
        failed[place] = not found
        return found
    end

    return match(1, 1)
end


local function glob_text(tokens, text, view)
    local pattern = substitute(tokens, view)
    if pattern == UNRESOLVED then
        return UNKNOWN
    end
    return truth(pattern and glob(pattern, characters(text)))
end


-- ---- Action ---------------------------------------------------------------

-- policy-language 2: the whole string, any letter case, no variables.
local function action_matches(patterns, view)
    return any(list_of(patterns), function(pattern)
        return glob_text(tokenize(pattern:lower(), false), view.action:lower(), view)
    end)
end


-- ---- Resource -------------------------------------------------------------

local function is_colon(token)
    return token.text == ":" and not token.frozen
end


local function count_colons(tokens)
    local count = 0
    for _, token in ipairs(tokens) do
        count = count + (is_colon(token) and 1 or 0)
    end
    return count
end


-- Choice: a variable before the fifth colon is ordinary text, as in a policy
-- of 2008, so a `*` in it is a wildcard; an escape is a variable too. Colons
-- inside it still do not count (policy-language 2 and 10).
local function freeze_early_variables(tokens)
    local result, colons, late = {}, 0, count_colons(tokens) >= 5
    for _, token in ipairs(tokens) do
        colons = colons + (is_colon(token) and 1 or 0)
        if token.raw and not (late and colons >= 5) then
            for _, frozen in ipairs(text_tokens(token.raw, true)) do
                frozen.frozen = true
                result[#result + 1] = frozen
            end
        else
            result[#result + 1] = token
        end
    end
    return result
end


-- policy-language 2, "Colons in Resource": a `*` before a colon or the end is
-- free, and so is every wildcard behind the fifth colon; the others stay inside
-- their segment.
local function set_reach(tokens)
    local colons = 0
    for i, token in ipairs(tokens) do
        local following = tokens[i + 1]
        local ends_segment = token.wild == "*" and (not following or following.text == ":")
        token.stays_inside = token.wild ~= nil and colons < 5 and not ends_segment
        colons = colons + (is_colon(token) and 1 or 0)
    end
    return tokens
end


-- Choice: the API a short form stands for is the one of the request. A request
-- for anything but `{api-id}/...` of execute-api has no API, and the short form
-- does not match it (policy-language 3).
local function api_prefix(resource)
    local arn = split_arn(resource)
    local api = arn and arn.service == "execute-api" and arn.rest:match("^([^/]+)/")
    return api and resource:sub(1, #resource - #arn.rest) .. api .. "/"
end


-- Choice: `*` alone is complete in a session policy; every other text with
-- fewer than five colons is not (policy-language 2).
local function is_refused_as_incomplete(tokens, text, policy_type)
    return REFUSES_INCOMPLETE_ARN[policy_type] and count_colons(tokens) < 5 and text ~= "*"
end


local function resource_tokens(text, scope)
    local rest = scope.policy_type == "resource" and text:match("^execute%-api:/(.*)$")
    if not rest then
        return tokenize(text, scope.live)
    end
    local prefix = api_prefix(scope.view.resource)
    return prefix and append(text_tokens(prefix, false), tokenize(rest, scope.live))
end


local function resource_pattern_matches(text, scope)
    local tokens = resource_tokens(text, scope)
    if not tokens or is_refused_as_incomplete(tokens, text, scope.policy_type) then
        return NO
    end
    tokens = freeze_early_variables(tokens)
    local result = glob_text(set_reach(tokens), scope.view.resource, scope.view)
    local missing = 5 - count_colons(tokens)
    if missing > 0 and FILLS_INCOMPLETE_ARN[scope.policy_type] then
        append(tokens, text_tokens((":*"):rep(missing), true))
        result = max(result, glob_text(set_reach(tokens), scope.view.resource, scope.view))
    end
    return result
end


local function resource_matches(patterns, scope)
    return any(list_of(patterns), function(text)
        return resource_pattern_matches(text, scope)
    end)
end


-- ---- Callers --------------------------------------------------------------

local function arn_caller(text, arn)
    local kind = arn.rest:match("^[^/]*")
    local caller = { text = text, partition = arn.partition, account = arn.account, kind = "other" }
    if arn.service == "iam" and (kind == "saml-provider" or kind == "oidc-provider") then
        caller.account = nil
    elseif arn.service == "iam" and arn.rest == "root" then
        caller.kind = "root"
    elseif arn.service == "iam" and kind == "user" then
        caller.kind = "user"
    elseif arn.service == "sts" and kind == "assumed-role" then
        caller.kind, caller.name = "session", arn.rest:match("^[^/]*/([^/]*)")
    elseif arn.service == "sts" and kind == "federated-user" then
        caller.kind, caller.name = "federated-user", last_path_part(arn.rest)
    end
    return caller
end


-- policy-language 4, the table of caller kinds.
-- Choice: any other ARN with an account, a role's for one, is a caller of that
-- account and meets only its own ARN and the account.
-- Choice: whatever is neither `*` nor an ARN with an account has no account: a
-- service, an identity provider, and a canonical user too, whose account its
-- identifier does not tell.
local function read_caller(text)
    if text == "*" then
        return { text = text, kind = "anonymous" }
    end
    local arn = split_arn(text)
    if arn and arn.prefix == "arn" and arn.account ~= "" then
        return arn_caller(text, arn)
    end
    return { text = text, kind = text:match("^%x+$") and #text == 64 and "canonical" or "other" }
end


-- ---- Principal ------------------------------------------------------------

local function is_account_id(text)
    return text:match("^%d+$") and #text == 12
end


-- The account a Principal value names: twelve digits or a root ARN with them.
local function named_account(value)
    if is_account_id(value) then
        return value, nil
    end
    local arn = not value:find("[*?]") and split_arn(value)
    if arn and arn.prefix == "arn" and arn.service == "iam" and arn.rest == "root"
            and is_account_id(arn.account) then
        return arn.account, arn.partition
    end
end


-- policy-language 10: a full role ARN in the context is compared in full, else
-- account and last path part.
local function role_is_callers(role, value, view)
    local known = look_up(view, "aws:PrincipalArn")
    if known.unresolved then
        return UNKNOWN
    end
    local full = not known.many and not known.absent and split_arn(known.values[1])
    if full and full.service == "iam" and full.rest:match("^role/")
            and full.account == view.caller.account then
        return truth(known.values[1] == value)
    end
    return truth(last_path_part(role.rest) == view.caller.name)
end


-- Choice: the partition of an ARN in Principal must be the caller's; a bare
-- account id has none (policy-language 4 compares only account and name).
local function same_account(caller, account, partition)
    return caller.account == account and (partition == nil or partition == caller.partition)
end


-- The kind by which one AWS value meets an authenticated caller that has an
-- account, and how sure it is.
local function aws_kind(value, view)
    local caller, arn = view.caller, split_arn(value)
    local account, partition = named_account(value)
    if account then
        return "account", truth(same_account(caller, account, partition))
    elseif value == caller.text then
        return "direct", YES
    end
    local same = arn and arn.prefix == "arn" and arn.service == "iam"
        and same_account(caller, arn.account, arn.partition)
    if same and caller.kind == "session" and arn.rest:match("^role/") then
        return "role", role_is_callers(arn, value, view)
    elseif same and caller.kind == "federated-user" and arn.rest:match("^user/") then
        return "role", truth(last_path_part(arn.rest) == caller.name)
    end
    return nil, NO
end


-- Choice: the key of the principal map must fit the caller. AWS names callers
-- of an account; Service and Federated, which the text of an identifier does
-- not tell apart, the ones without; CanonicalUser a canonical id. A wildcard
-- but the whole AWS value `*` never matches (policy-language 2 and 4).
local function value_kind(map_key, value, view)
    local caller = view.caller
    if map_key == "AWS" and value == "*" then
        return "wild", YES
    elseif value:find("[*?]") or caller.kind == "anonymous" then
        return nil, NO
    elseif map_key == "AWS" and caller.account then
        return aws_kind(value, view)
    elseif map_key == "CanonicalUser" then
        return "direct", truth(caller.kind == "canonical" and caller.text == value)
    elseif map_key ~= "AWS" and not caller.account and caller.kind ~= "canonical" then
        return "direct", truth(caller.text == value)
    end
    return nil, NO
end


-- Calls visit(map_key, value) for each value; the bare "*" is {"AWS":"*"}.
local function each_principal(principal, visit)
    for map_key, values in pairs(type(principal) == "table" and principal or { AWS = principal }) do
        for _, value in ipairs(list_of(values)) do
            visit(map_key, value)
        end
    end
end


-- Choice: an unknown role match beside a certain but weaker one leaves the
-- statement unknown, since the kind may change what is granted.
local function principal_matches(principal, view)
    local best, unsure = nil, false
    each_principal(principal, function(map_key, value)
        local kind, sure = value_kind(map_key, value, view)
        unsure = unsure or sure == UNKNOWN
        if sure == YES and (not best or KIND_STRENGTH[kind] > KIND_STRENGTH[best]) then
            best = kind
        end
    end)
    if unsure and (best == nil or KIND_STRENGTH[best] < KIND_STRENGTH.role) then
        return UNKNOWN, "role"
    end
    return truth(best), best
end


-- policy-language 4, NotPrincipal: a listed account exempts its members only in
-- a list that holds nothing but accounts.
local function is_exempt(not_principal, view)
    local exempt, member, only_accounts = NO, NO, YES
    each_principal(not_principal, function(map_key, value)
        local kind, sure = value_kind(map_key, value, view)
        if kind == "account" then
            member = max(member, sure)
        elseif kind then
            exempt = max(exempt, sure)
        end
        only_accounts = min(only_accounts, truth(map_key == "AWS" and named_account(value)))
    end)
    return max(exempt, min(member, only_accounts))
end


-- How far a statement with NotPrincipal applies to the caller. One that allows
-- never does; against a bounded caller, in a resource policy, it always does.
local function not_principal_applies(statement, scope)
    if statement.Effect == "Allow" then
        return NO
    elseif scope.view.bounded and scope.policy_type == "resource" then
        return YES
    end
    return 1 - is_exempt(statement.NotPrincipal, scope.view)
end


-- ---- Condition values -----------------------------------------------------

-- A number as sign, digits without outer zeros, and the place of its point:
-- 0.digits * 10^point. Choice: the exponent letter may be upper case
-- (policy-language 6.4).
local function read_number(text)
    local sign, whole, tail = text:match("^([+-]?)(%d+)(.*)$")
    if not whole then
        return nil
    end
    local fraction, exponent = "", "0"
    if tail:sub(1, 1) == "." then
        fraction, tail = tail:match("^%.(%d+)(.*)$")
    end
    if tail and tail ~= "" then
        exponent = tail:match("^[eE]([+-]?%d+)$")
    end
    if not fraction or not exponent or not tail then
        return nil
    end
    local zeros, digits = (whole .. fraction):match("^(0*)(.-)0*$")
    if digits == "" then
        return { sign = 0, point = 0, digits = "" }
    end
    return { sign = sign == "-" and -1 or 1, digits = digits,
             point = #whole - #zeros + tonumber((exponent:gsub("^%+", ""))) }
end


local function compare(a, b)
    return a < b and -1 or a > b and 1 or 0
end


local function compare_numbers(a, b)
    if a.sign ~= b.sign then
        return compare(a.sign, b.sign)
    elseif a.point ~= b.point then
        return a.sign * compare(a.point, b.point)
    end
    -- Without outer zeros, digits compare like words in a dictionary.
    return a.sign * compare(a.digits, b.digits)
end


local MONTH_DAYS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }


local function is_leap(year)
    return year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
end


-- Days from 1970-01-01, counted year by year and month by month; nil when
-- there is no such day.
local function day_number(year, month, day)
    local length = MONTH_DAYS[month]
    if month == 2 and is_leap(year) then
        length = 29
    end
    if not length or day < 1 or day > length then
        return nil
    end
    local days = day - 1
    for m = 1, month - 1 do
        days = days + MONTH_DAYS[m] + (m == 2 and is_leap(year) and 1 or 0)
    end
    for y = min(year, 1970), max(year, 1970) - 1 do
        days = days + (year < 1970 and -1 or 1) * (is_leap(y) and 366 or 365)
    end
    return days
end


-- Choice: an offset is at most 23:59, a second at most 59 and an hour at most
-- 23; `T` and `Z` are upper case (policy-language 6.4).
local function read_offset(text)
    if text == "" or text == "Z" then
        return 0
    end
    local sign, hours, minutes = text:match("^([+-])(%d%d):(%d%d)$")
    if not sign or tonumber(hours) > 23 or tonumber(minutes) > 59 then
        return nil
    end
    return (sign == "-" and -1 or 1) * (hours * 3600 + minutes * 60)
end


-- Seconds into the UTC day, and the digits of a fraction.
local function read_time(text)
    if text == "" then
        return 0, ""
    end
    local hour, minute, tail = text:match("^T(%d%d):(%d%d)(.*)$")
    if not hour then
        return nil
    end
    local second, fraction = "0", ""
    if tail:match("^:%d%d%.%d") then
        second, fraction, tail = tail:match("^:(%d%d)%.(%d+)(.*)$")
    elseif tail:match("^:%d%d") then
        second, tail = tail:match("^:(%d%d)(.*)$")
    end
    local offset = read_offset(tail)
    if not offset or tonumber(hour) > 23 or tonumber(minute) > 59 or tonumber(second) > 59 then
        return nil
    end
    return hour * 3600 + minute * 60 + second - offset, (fraction:gsub("0+$", ""))
end


-- An instant: whole seconds since 1970 and the digits of a fraction. All digits
-- are epoch seconds, but four of them are a year (policy-language 6.4).
-- Choice: epoch seconds have neither sign nor fraction.
local function read_date(text)
    if text:match("^%d+$") and #text ~= 4 then
        return { seconds = tonumber(text), fraction = "" }
    end
    local year, month, day, time = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)(.*)$")
    if not year then
        year, month = text:match("^(%d%d%d%d)%-(%d%d)$")
        year, day, time = year or text:match("^%d%d%d%d$"), 1, ""
    end
    local days = year and day_number(tonumber(year), tonumber(month or 1), tonumber(day))
    local seconds, fraction = read_time(time)
    if not days or not seconds then
        return nil
    end
    return { seconds = days * 86400 + seconds, fraction = fraction }
end


local function compare_dates(a, b)
    if a.seconds ~= b.seconds then
        return compare(a.seconds, b.seconds)
    end
    return compare(a.fraction, b.fraction)
end


local function read_boolean(text)
    local word = text:lower()
    if word == "true" or word == "false" then
        return word
    end
end


local BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


-- Choice: bits of the last letter that no byte takes are ignored
-- (policy-language 10 asks only for padding and alphabet).
local function read_base64(text)
    local body, padding = text:match("^([%w+/]*)(=?=?)$")
    if not body or #text % 4 ~= 0 then
        return nil
    end
    local bits = body:gsub(".", function(char)
        local value, digits = BASE64:find(char, 1, true) - 1, ""
        for power = 5, 0, -1 do
            digits = digits .. math.floor(value / 2 ^ power) % 2
        end
        return digits
    end)
    bits = bits:sub(1, #bits - 2 * #padding)
    return (bits:gsub("%d%d%d%d%d%d%d%d", function(byte)
        return string.char(tonumber(byte, 2))
    end))
end


-- ---- Addresses ------------------------------------------------------------

-- An address is a list of bytes, 4 or 16 of them.

local function read_ipv4(text)
    local bytes = { text:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$") }
    if #bytes ~= 4 then
        return nil
    end
    for i, digits in ipairs(bytes) do
        if #digits > 3 or (#digits > 1 and digits:sub(1, 1) == "0") or tonumber(digits) > 255 then
            return nil
        end
        bytes[i] = tonumber(digits)
    end
    return bytes
end


-- The bytes of `a:b:c`, with a dotted quad allowed at the very end; the empty
-- text has none.
local function read_groups(text, quad_allowed)
    local bytes, groups = {}, {}
    if text == "" then
        return bytes
    end
    for group in (text .. ":"):gmatch("([^:]*):") do
        groups[#groups + 1] = group
    end
    for i, group in ipairs(groups) do
        local quad = quad_allowed and i == #groups and read_ipv4(group)
        if not quad and not (group:match("^%x+$") and #group <= 4) then
            return nil
        end
        local value = not quad and tonumber(group, 16)
        append(bytes, quad or { math.floor(value / 256), value % 256 })
    end
    return bytes
end


local function read_ipv6(text)
    local before, after = text:match("^(.-)::(.*)$")
    if not before then
        local bytes = read_groups(text, true)
        return bytes and #bytes == 16 and bytes or nil
    end
    local head, tail = read_groups(before, false), read_groups(after, true)
    -- `::` stands for at least one group (RFC 4291, 2.2).
    if not head or not tail or #head + #tail > 14 then
        return nil
    end
    while #head + #tail < 16 do
        head[#head + 1] = 0
    end
    return append(head, tail)
end


local function is_mapped(bytes)
    for i = 1, 10 do
        if bytes[i] ~= 0 then
            return false
        end
    end
    return #bytes == 16 and bytes[11] == 255 and bytes[12] == 255
end


local function last_four(bytes)
    return { bytes[13], bytes[14], bytes[15], bytes[16] }
end


-- Choice: the address of a request is an address, never a range.
local function read_address(text)
    local bytes = read_ipv4(text) or read_ipv6(text)
    return bytes and is_mapped(bytes) and last_four(bytes) or bytes
end


-- Choice: a prefix length has no leading zeros, like the parts of an address
-- (policy-language 6.5).
local function read_range(text)
    local address, length = text:match("^([^/]*)/(%d+)$")
    local bytes = read_ipv4(address or text) or read_ipv6(address or text)
    if not bytes or (length and #length > 1 and length:sub(1, 1) == "0") then
        return nil
    end
    length = tonumber(length or 8 * #bytes)
    if length > 8 * #bytes then
        return nil
    elseif is_mapped(bytes) and length >= 96 then
        return { bytes = last_four(bytes), length = length - 96 }
    end
    return { bytes = bytes, length = length }
end


local function bit_of(bytes, index)
    return math.floor(bytes[math.floor(index / 8) + 1] / 2 ^ (7 - index % 8)) % 2
end


local function in_range(address, range)
    if #address ~= #range.bytes then
        return false
    end
    for index = 0, range.length - 1 do
        if bit_of(address, index) ~= bit_of(range.bytes, index) then
            return false
        end
    end
    return true
end


-- ---- Operators ------------------------------------------------------------

-- A test is a function of policy value, request value and scope.

-- What does not parse does not match (policy-language 6.4).
local function parsed_test(read_policy, read_request, holds)
    return function(value, request_value)
        local operand, asked = read_policy(value), read_request(request_value)
        return truth(operand and asked and holds(asked, operand))
    end
end


local function ordering_test(read, order, accepted)
    return parsed_test(read, read, function(asked, operand)
        return accepted[order(asked, operand)] or false
    end)
end


local function is_equal(a, b)
    return a == b
end


local function unfolded(text)
    return text
end


local function text_test(fold)
    return function(value, request_value, scope)
        local pattern = substitute(tokenize(value, scope.live), scope.view)
        if pattern == UNRESOLVED then
            return UNKNOWN
        elseif not pattern then
            return NO
        end
        local literal = {}
        for i, token in ipairs(pattern) do
            literal[i] = token.text
        end
        return truth(fold(table.concat(literal)) == fold(request_value))
    end
end


local function like_test(value, request_value, scope)
    return glob_text(tokenize(value, scope.live), request_value, scope.view)
end


-- The tokens between the first five colons; a variable holds none.
local function split_tokens(tokens)
    local parts = { {} }
    for _, token in ipairs(tokens) do
        if is_colon(token) and #parts < 6 then
            parts[#parts + 1] = {}
        else
            table.insert(parts[#parts], token)
        end
    end
    return parts
end


local ARN_PARTS = { "prefix", "partition", "service", "region", "account", "rest" }


local function arn_test(value, request_value, scope)
    local pattern, arn = split_tokens(tokenize(value, scope.live)), split_arn(request_value)
    if #pattern < 6 or not arn then
        return NO
    end
    local result = YES
    for i, name in ipairs(ARN_PARTS) do
        result = min(result, glob_text(pattern[i], arn[name], scope.view))
    end
    return result
end


local LESS, EQUAL, MORE = { [-1] = true }, { [0] = true }, { [1] = true }
local UP_TO, FROM = { [-1] = true, [0] = true }, { [0] = true, [1] = true }

local numeric_equals = ordering_test(read_number, compare_numbers, EQUAL)
local date_equals = ordering_test(read_date, compare_dates, EQUAL)
local string_equals, string_equals_ignoring_case = text_test(unfolded), text_test(string.lower)
local ip_address = parsed_test(read_range, read_address, in_range)

-- policy-language 6.4, by lower-case name: operators match in any letter case.
local OPERATORS = {
    stringequals = { test = string_equals },
    stringnotequals = { test = string_equals, negated = true },
    stringequalsignorecase = { test = string_equals_ignoring_case },
    stringnotequalsignorecase = { test = string_equals_ignoring_case, negated = true },
    stringlike = { test = like_test },
    stringnotlike = { test = like_test, negated = true },
    numericequals = { test = numeric_equals },
    numericnotequals = { test = numeric_equals, negated = true },
    numericlessthan = { test = ordering_test(read_number, compare_numbers, LESS) },
    numericlessthanequals = { test = ordering_test(read_number, compare_numbers, UP_TO) },
    numericgreaterthan = { test = ordering_test(read_number, compare_numbers, MORE) },
    numericgreaterthanequals = { test = ordering_test(read_number, compare_numbers, FROM) },
    dateequals = { test = date_equals },
    datenotequals = { test = date_equals, negated = true },
    datelessthan = { test = ordering_test(read_date, compare_dates, LESS) },
    datelessthanequals = { test = ordering_test(read_date, compare_dates, UP_TO) },
    dategreaterthan = { test = ordering_test(read_date, compare_dates, MORE) },
    dategreaterthanequals = { test = ordering_test(read_date, compare_dates, FROM) },
    bool = { test = parsed_test(read_boolean, read_boolean, is_equal) },
    binaryequals = { test = parsed_test(read_base64, read_base64, is_equal) },
    ipaddress = { test = ip_address },
    notipaddress = { test = ip_address, negated = true },
    arnequals = { test = arn_test },
    arnlike = { test = arn_test },
    arnnotequals = { test = arn_test, negated = true },
    arnnotlike = { test = arn_test, negated = true },
    null = { null = true },
}


-- Nil for what is no operator; NullIfExists is none.
local function read_operator(name)
    local quantifier, rest = name:lower():match("^(for%l+):(.*)$")
    rest = rest or name:lower()
    local base = rest:match("^(.*)ifexists$") or rest
    local operator = OPERATORS[base]
    if not operator or (operator.null and base ~= rest)
            or (quantifier and quantifier ~= "forallvalues" and quantifier ~= "foranyvalue") then
        return nil
    end
    return { test = operator.test, negated = operator.negated, null = operator.null,
             quantifier = quantifier, if_exists = base ~= rest }
end


-- ---- Condition ------------------------------------------------------------

local function only_empty_strings(values)
    for _, value in ipairs(values) do
        if value ~= "" then
            return false
        end
    end
    return true
end


-- Null ignores a set operator; a key that holds empty text is present.
local function null_holds(values, cell)
    return any(values, function(value)
        return truth(read_boolean(value) == tostring(cell.absent or false))
    end)
end


-- policy-language 6.3, empty policy list, where values that are only empty
-- strings make the key missing (10).
-- Choice: IfExists is looked at first, then the set operator, so a negated
-- operator with either of them is true only when the key is missing; and a
-- plain operator against a multivalued key stays false, negated or not.
local function holds_without_values(operator, cell)
    local missing = only_empty_strings(cell.values)
    if operator.if_exists then
        return truth(missing)
    elseif operator.quantifier then
        return truth(operator.quantifier == "forallvalues" and missing)
    end
    return truth(operator.negated and (missing or not cell.many))
end


-- policy-language 6.2.
local function holds_without_key(operator)
    if operator.if_exists or operator.quantifier == "forallvalues" then
        return YES
    end
    return truth(operator.negated and not operator.quantifier)
end


-- policy-language 6.1, rule 2: values are alternatives, and a negated operator
-- is the negation of all of them together.
-- Choice: a variable without a value beside a value that does match leaves the
-- negated operator false.
local function value_holds(operator, values, request_value, scope)
    local result = any(values, function(value)
        return operator.test(value, request_value, scope)
    end)
    return operator.negated and 1 - result or result
end


local function condition_holds(operator_name, key, values, scope)
    local operator = read_operator(operator_name)
    if not operator then
        return NO
    end
    local cell = look_up(scope.view, key)
    if cell.unresolved then
        return UNKNOWN
    elseif operator.null then
        return null_holds(values, cell)
    elseif #values == 0 then
        return holds_without_values(operator, cell)
    elseif cell.absent then
        return holds_without_key(operator)
    end
    local function holds(request_value)
        return value_holds(operator, values, request_value, scope)
    end
    if operator.quantifier and only_empty_strings(cell.values) then
        return truth(operator.quantifier == "forallvalues")
    elseif operator.quantifier == "forallvalues" then
        return all(cell.values, holds)
    elseif operator.quantifier == "foranyvalue" then
        return any(cell.values, holds)
    elseif cell.many then
        return NO -- a multivalued key requires a set operator (6.3)
    end
    return holds(cell.values[1])
end


-- ---- Statement ------------------------------------------------------------

-- Runs one element's test and notes the keys it could not do without.
local function run(verdict, element, view, test)
    view.asked = {}
    local result, kind = test()
    if result == UNKNOWN then
        for key in pairs(view.asked) do
            verdict.keys[key] = true
        end
    elseif result == NO and not verdict.failed_at then
        verdict.failed_at = element
    end
    verdict.result = min(verdict.result, result)
    verdict.kind = kind or verdict.kind
end


local function test_conditions(verdict, statement, scope)
    for operator, keys in pairs(statement.Condition or {}) do
        for key, values in pairs(keys) do
            run(verdict, "condition", scope.view, function()
                local texts = {}
                for i, value in ipairs(list_of(values)) do
                    texts[i] = as_text(value)
                end
                return condition_holds(operator, key, texts, scope)
            end)
        end
    end
end


-- evaluation 1, statement_matches: every element is tried, none is skipped.
local function evaluate_statement(statement, scope)
    local view = scope.view
    local verdict = { result = YES, kind = "na", keys = {}, effect = statement.Effect,
                      sid = statement.Sid }
    run(verdict, "action", view, function()
        return statement.Action and action_matches(statement.Action, view)
            or 1 - action_matches(statement.NotAction, view)
    end)
    run(verdict, "resource", view, function()
        return statement.Resource and resource_matches(statement.Resource, scope)
            or statement.NotResource and 1 - resource_matches(statement.NotResource, scope)
            or YES
    end)
    run(verdict, "principal", view, function()
        if statement.Principal then
            return principal_matches(statement.Principal, view)
        elseif statement.NotPrincipal then
            return not_principal_applies(statement, scope), "wild"
        end
        return YES
    end)
    test_conditions(verdict, statement, scope)
    return verdict
end


-- ---- Policy ---------------------------------------------------------------

local function prepare(request)
    local context = {}
    for key, value in pairs(request.context or {}) do
        context[key:lower()] = value
    end
    local caller = read_caller(request.principal)
    return { action = request.action, resource = request.resource, context = context,
             caller = caller, bounded = request.bounded and caller.account ~= nil, asked = {} }
end


-- Sums up verdicts as architecture 3 says: a Deny that matches decides, an
-- unknown Deny, or an unknown Allow when nothing else allows, leaves the
-- outcome open. `keys` are those of the statements that leave it open.
local function sum_up(verdicts)
    local deny, allow, keys, kind = NO, NO, {}, nil
    for _, verdict in ipairs(verdicts) do
        if verdict.effect == "Deny" then
            deny = max(deny, verdict.result)
        else
            allow = max(allow, verdict.result)
            if verdict.result == YES
                    and (not kind or KIND_STRENGTH[verdict.kind] > KIND_STRENGTH[kind]) then
                kind = verdict.kind
            end
        end
    end
    if deny == YES then
        return { outcome = "ExplicitlyDenied", keys = keys }
    elseif deny == NO and allow ~= UNKNOWN then
        return { outcome = allow == YES and "Allowed" or "ImplicitlyDenied", match_kind = kind,
                 keys = keys }
    end
    for _, verdict in ipairs(verdicts) do
        if verdict.result == UNKNOWN and (verdict.effect == "Deny" or allow ~= YES) then
            for key in pairs(verdict.keys) do
                keys[key] = true
            end
        end
    end
    return { outcome = "Undecided", keys = keys }
end


local function statements_of(policy)
    return json.is_array(policy.Statement) and policy.Statement or { policy.Statement }
end


local function evaluate_document(policy, policy_type, view)
    local scope = { view = view, policy_type = policy_type, live = policy.Version == "2012-10-17" }
    local verdicts = {}
    for i, statement in ipairs(statements_of(policy)) do
        verdicts[i] = evaluate_statement(statement, scope)
        verdicts[i].index = i - 1
    end
    local result = sum_up(verdicts)
    result.statements = verdicts
    return result
end


--- Evaluates one policy document.
-- @param policy the decoded document
-- @param policy_type identity, boundary, session, scp, rcp, resource or endpoint
-- @param request action, resource, principal, context; `bounded` when the caller
--   has a permissions boundary. Context values may be `UNRESOLVED`.
-- @return a table: `outcome` (Allowed, ExplicitlyDenied, ImplicitlyDenied or
--   Undecided), `match_kind` of the strongest Allow when allowed, `keys` the set
--   of lower-case names it depends on when undecided, `statements` one verdict
--   each (`index` from 0, `result` 1, 0 or 0.5, `kind`, `failed_at`)
function _M.evaluate_policy(policy, policy_type, request)
    return evaluate_document(policy, policy_type, prepare(request))
end


--- The same in short.
-- @return outcome, match kind, keys
function _M.policy_result(policy, policy_type, request)
    local result = _M.evaluate_policy(policy, policy_type, request)
    return result.outcome, result.match_kind, result.keys
end


-- ---- Gates ----------------------------------------------------------------

-- The documents of one attached member as a list of levels, each a list of
-- documents. Only scp and rcp have levels; identity is one level of many.
-- Choice: a list without entries is not attached, for scp and rcp as for
-- identity; a level without documents allows nothing.
local function levels_of(gate, attached)
    if attached == nil or (json.is_array(attached) and #attached == 0) then
        return nil
    elseif gate ~= "scp" and gate ~= "rcp" then
        return { list_of(attached) }
    end
    local levels = {}
    for i, entry in ipairs(list_of(attached)) do
        levels[i] = list_of(entry)
    end
    return levels
end


-- Evaluates all documents of a gate into `results`, numbered through its
-- levels, and returns for each level whether something in it allows.
local function evaluate_levels(gate, levels, view, results)
    local level_allows = {}
    for i, documents in ipairs(levels) do
        level_allows[i] = false
        for _, document in ipairs(documents) do
            local result = evaluate_document(document, gate, view)
            for _, verdict in ipairs(result.statements) do
                verdict.policy_type, verdict.policy_index = gate, #results
                level_allows[i] = level_allows[i]
                    or (verdict.effect == "Allow" and verdict.result == YES)
            end
            results[#results + 1] = result
        end
    end
    return level_allows
end


local function gate_outcome(gate, results, level_allows)
    for _, result in ipairs(results) do
        if result.outcome == "ExplicitlyDenied" then
            return "ExplicitlyDenied"
        end
    end
    for _, allows in ipairs(level_allows) do
        if not allows and gate ~= "rcp" then -- the allow step of an rcp is always passed
            return "ImplicitlyDenied"
        end
    end
    return "Allowed"
end


-- Choice: the service of a request is the prefix of its action (evaluation 2,
-- RCPs, speaks of listed services only).
local function is_applicable(gate, view)
    if gate == "rcp" then
        return RCP_SERVICES[view.action:lower():match("^[^:]*")] or false
    end
    return view.caller.account ~= nil or not CALLER_GATES[gate]
end


-- One gate: its outcome, and the verdicts of all its statements in order.
-- Choice: what is attached but has no say is NotApplicable, what is not
-- attached is NotAttached, whoever calls.
local function evaluate_gate(gate, attached, view)
    local levels = levels_of(gate, attached)
    if not levels or not is_applicable(gate, view) then
        return { outcome = levels and "NotApplicable" or "NotAttached", verdicts = {} }
    end
    local results, verdicts = {}, {}
    local level_allows = evaluate_levels(gate, levels, view, results)
    for _, result in ipairs(results) do
        append(verdicts, result.statements)
    end
    return { outcome = gate_outcome(gate, results, level_allows), verdicts = verdicts }
end


-- ---- Whole request --------------------------------------------------------

-- evaluation 1: the account that owns the resource.
local function owner_account(request, view)
    local arn = split_arn(request.resource)
    local named = look_up(view, "aws:ResourceAccount")
    return request.resourceAccount
        or (arn and arn.account ~= "" and arn.account)
        or (not named.many and named.values[1])
        or view.caller.account
end


local function first_verdict(verdicts, effect, kind)
    for _, verdict in ipairs(verdicts) do
        if verdict.effect == effect and verdict.result == YES
                and (kind == nil or verdict.kind == kind) then
            return verdict
        end
    end
end


local function deciding(verdict)
    return verdict and { policy_type = verdict.policy_type, policy_index = verdict.policy_index,
                         statement_index = verdict.index, sid = verdict.sid,
                         effect = verdict.effect }
end


local function first_deny(gates)
    for _, name in ipairs(DENY_ORDER) do
        local verdict = first_verdict(gates[name].verdicts, "Deny")
        if verdict then
            return verdict
        end
    end
end


-- The strongest kind by which the resource policy allows.
local function strongest_kind(gate)
    for _, kind in ipairs { "wild", "direct", "role", "account" } do
        if first_verdict(gate.verdicts, "Allow", kind) then
            return kind
        end
    end
end


local function boundary_allows(gates)
    local outcome = gates.boundary.outcome
    return outcome == "Allowed" or outcome == "NotAttached"
end


-- Without a session policy every caller passes but a federated user's session.
local function session_allows(gates, caller)
    local outcome = gates.session.outcome
    return outcome == "Allowed" or (outcome == "NotAttached" and caller.kind ~= "federated-user")
end


-- The caller's own side: nil when it allows, else the reason why not.
local function caller_side_missing(gates, caller)
    if gates.identity.outcome ~= "Allowed" and caller.kind ~= "root" then
        return "no_allow_identity"
    elseif not boundary_allows(gates) then
        return "no_allow_boundary"
    elseif not session_allows(gates, caller) then
        return "no_allow_session"
    end
end


-- evaluation 2, step 3. Returns the granting gate, or nil and the reason.
-- Choice: of the gates without an allow the reason names, in one account, the
-- first on the caller's side; across accounts the resource policy before them.
local function grant(gates, view, same_owner)
    local kind = strongest_kind(gates.resource)
    if not view.caller.account then
        return kind and "resource", "no_allow_resource"
    end
    local missing = caller_side_missing(gates, view.caller)
    if not same_owner then
        return kind and not missing and "identity", kind and missing or "no_allow_resource"
    elseif not missing then
        return "identity"
    elseif kind == "direct" or kind == "wild" then
        return "resource"
    elseif kind == "role" and boundary_allows(gates) and session_allows(gates, view.caller) then
        return "resource"
    end
    return nil, missing
end


-- Everything but the explicit deny; returns decision, reason, deciding verdict.
local function decide(gates, view, same_owner)
    for _, name in ipairs { "scp", "endpoint" } do
        if gates[name].outcome == "ImplicitlyDenied" then
            return "ImplicitlyDenied", "no_allow_" .. name
        end
    end
    local gate, missing = grant(gates, view, same_owner)
    if not gate then
        return "ImplicitlyDenied", missing
    end
    local kind = strongest_kind(gates.resource)
    -- Choice: a root user needs no identity statement; then the resource
    -- statement decided, if there is one, else no statement did.
    return "Allowed", "allow",
        gate == "identity" and first_verdict(gates.identity.verdicts, "Allow")
        or kind and first_verdict(gates.resource.verdicts, "Allow", kind)
        or nil
end


local function all_statements(gates)
    local statements = {}
    for _, name in ipairs(DENY_ORDER) do
        for _, verdict in ipairs(gates[name].verdicts) do
            statements[#statements + 1] = {
                policy_type = name, policy_index = verdict.policy_index, index = verdict.index,
                sid = verdict.sid, effect = verdict.effect, matched = verdict.result == YES,
                failed_at = verdict.failed_at,
            }
        end
    end
    return statements
end


--- Decides a whole case: a request and all policies that are attached.
-- Choice: indices count from 0, and those of scp and rcp documents run through
-- all levels. `match_kind` is nil unless allowed; it is the strongest kind by
-- which the resource policy allows, or `na` when that does not allow.
-- @param case { request = ..., policies = ... }; nothing in it may be UNRESOLVED
-- @return { decision, reason, match_kind, same_account, gates, deciding, statements }
function _M.evaluate(case)
    local policies = case.policies or {}
    local view = prepare(case.request)
    for _, value in pairs(view.context) do
        if value == UNRESOLVED then
            error("a whole request must be resolved", 2)
        end
    end
    view.bounded = policies.boundary ~= nil and view.caller.account ~= nil
    local owner = owner_account(case.request, view)
    local gates, outcomes = {}, {}
    for _, name in ipairs(DENY_ORDER) do
        gates[name] = evaluate_gate(name, policies[name], view)
        outcomes[name] = gates[name].outcome
    end
    local same_owner = view.caller.account ~= nil and owner == view.caller.account
    local verdict = first_deny(gates)
    local decision, reason = "ExplicitlyDenied", "explicit_deny"
    if not verdict then
        decision, reason, verdict = decide(gates, view, same_owner)
    end
    return {
        decision = decision, reason = reason, same_account = same_owner, gates = outcomes,
        match_kind = decision == "Allowed" and (strongest_kind(gates.resource) or "na") or nil,
        deciding = deciding(verdict), statements = all_statements(gates),
    }
end


return _M
