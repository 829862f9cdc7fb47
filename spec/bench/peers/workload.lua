--- Workloads that every engine is asked alike: policies, and requests whose answers are known.
--
-- A workload is written twice over from one list of rules: as policy documents, for the engines
-- that read them, and as the rules themselves, of which each other engine makes its own policies. A
-- rule names who may call what from where:
--
--     { principal = ARN or nil, resources = { { api =, stage =, method =, path = }, ... },
--       ranges = { CIDR, ... } }
--
-- A part that is nil may be anything, and so may all parts behind it.
local _M = {}


local ACCOUNT = "111122223333"
local APIS = ("arn:aws:execute-api:eu-central-1:%s:"):format(ACCOUNT)
local USERS = ("arn:aws:iam::%s:user/"):format(ACCOUNT)

--- Requests of a workload. Every fourth is denied, and misses its statement by one thing.
_M.REQUESTS = 64

-- Prime to their number: neighbours in time are not neighbours in the set.
local STRIDE = 37

_M.ACTION = "execute-api:Invoke"

--- What the ARN of every resource begins with.
_M.PREFIX = APIS


-- ---- Rules ---------------------------------------------------------------------


local function all_of(resource)
    return { resource.api, resource.stage, resource.method, resource.path }
end


--- The pattern that a resource is in a policy document.
-- @tparam table resource
-- @treturn string an ARN that ends in `*` unless every part is named
function _M.pattern(resource)
    local parts = all_of(resource)
    if #parts < 4 then
        parts[#parts + 1] = "*"
    end
    return APIS .. table.concat(parts, "/")
end


-- Texts are made of pieces, which are put together once, when all are there: LuaJIT finds a string
-- by a hash that, of 128 bytes and more, takes eight bytes here and there. Policies that differ in
-- a number elsewhere all have the same one, and each new string is compared with all of them.
local function put(pieces, ...)
    local count = #pieces
    for i = 1, select("#", ...) do
        pieces[count + i] = (select(i, ...))
    end
end


local function put_list(pieces, list, put_item)
    for i, item in ipairs(list) do
        put(pieces, i > 1 and "," or "")
        put_item(pieces, item)
    end
end


local function put_text(pieces, text)
    put(pieces, '"', text, '"')
end


local function put_pattern(pieces, resource)
    put_text(pieces, _M.pattern(resource))
end


local function put_policy(pieces, rule)
    put(pieces, '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":')
    if rule.principal then
        put(pieces, '{"AWS":"', rule.principal, '"}')
    else
        put(pieces, '"*"')
    end
    put(pieces, ',"Action":"', _M.ACTION, '","Resource":[')
    put_list(pieces, rule.resources, put_pattern)
    put(pieces, "]")
    if rule.ranges then
        put(pieces, ',"Condition":{"IpAddress":{"aws:SourceIp":[')
        put_list(pieces, rule.ranges, put_text)
        put(pieces, "]}}")
    end
    put(pieces, "}]}")
end


--- A rule as a policy document of its own.
-- @tparam table rule
-- @treturn string JSON
function _M.policy(rule)
    local pieces = {}
    put_policy(pieces, rule)
    return table.concat(pieces)
end


local PARTS = { "api", "stage", "method", "path" }

local function put_resource(pieces, resource)
    put(pieces, '{"pattern":')
    put_pattern(pieces, resource)
    for _, part in ipairs(PARTS) do
        if resource[part] then
            put(pieces, ',"', part, '":"', resource[part], '"')
        end
    end
    put(pieces, "}")
end


local function put_rule(pieces, rule)
    put(pieces, '{"principal":')
    if rule.principal then
        put_text(pieces, rule.principal)
    else
        put(pieces, "null")
    end
    put(pieces, ',"resources":[')
    put_list(pieces, rule.resources, put_resource)
    put(pieces, '],"ranges":[')
    put_list(pieces, rule.ranges or {}, put_text)
    put(pieces, "]}")
end


-- ---- Requests ------------------------------------------------------------------


local ORDER = { "principal", "action", "resource", "api", "stage", "method", "path", "ip" }

local function put_request(pieces, request)
    for i, name in ipairs(ORDER) do
        put(pieces, i == 1 and '{"' or ',"', name, '":"', request[name], '"')
    end
    put(pieces, "}")
end


-- `different` is what makes it miss, or nil.
local function request(base, different)
    local made = { action = _M.ACTION, allowed = not different }
    for _, from in ipairs({ base, different or {} }) do
        for name, value in pairs(from) do
            made[name] = value
        end
    end
    made.resource = APIS .. table.concat(all_of(made), "/")
    return made
end


-- The requests of a workload: `base(k)` is a request that is allowed, `misses` what spoils one.
local function requests(base, misses)
    local made, denied = {}, 0
    for n = 0, _M.REQUESTS - 1 do
        local k = n * STRIDE % _M.REQUESTS
        local different
        if n % 4 == 3 then
            denied = denied + 1
            different = misses[denied % #misses + 1]
        end
        made[n + 1] = request(base(k), different)
    end
    return made
end


-- ---- The four small policies -----------------------------------------------------


local METHODS = { "GET", "POST", "PUT", "DELETE" }
local PATHS = { "orders", "orders/42", "invoices/2026/11", "a/rather/long/path/to/one/thing" }

local function call(k, given)
    local made = { principal = USERS .. "robots/billing", api = "orders7a1b", stage = "live",
                   method = METHODS[k % 4 + 1], path = PATHS[math.floor(k / 4) % 4 + 1],
                   ip = "10.20.7." .. k + 1 }
    for name, value in pairs(given or {}) do
        made[name] = value
    end
    return made
end


--- The names of the four.
_M.SEEDS = { "two-apis", "get-only", "one-user", "offices" }

local SEEDS = {
    ["two-apis"] = {
        rule = { resources = { { api = "orders7a1b" }, { api = "stock9c2d" } } },
        base = function(k)
            return call(k, { api = k % 2 == 0 and "orders7a1b" or "stock9c2d" })
        end,
        misses = { { api = "ledger3e4f" }, { api = "orders7a1" }, { api = "stock9c2dd" } },
    },
    ["get-only"] = {
        rule = { resources = { { api = "orders7a1b", stage = "live", method = "GET" } } },
        base = function(k)
            return call(k, { method = "GET" })
        end,
        misses = { { method = "POST" }, { stage = "test" }, { api = "stock9c2d" } },
    },
    ["one-user"] = {
        rule = { principal = USERS .. "robots/billing", resources = { { api = "orders7a1b" } } },
        base = call,
        misses = { { principal = USERS .. "robots/shipping" }, { principal = USERS .. "billing" },
                   { api = "stock9c2d" } },
    },
    offices = {
        rule = { resources = { { api = "orders7a1b", stage = "live" } },
                 ranges = { "10.20.0.0/16", "192.0.2.0/24" } },
        base = function(k)
            return call(k, { ip = (k % 2 == 0 and "10.20.7.%d" or "192.0.2.%d"):format(k + 1) })
        end,
        misses = { { ip = "10.21.0.1" }, { ip = "192.0.3.1" }, { stage = "test" } },
    },
}


--- One of the four small policies.
-- @tparam string name of `SEEDS`
-- @treturn table `name`, `family`, `size` (policies), `rules`, and `requests`, each with `allowed`
function _M.seed(name)
    local seed = assert(SEEDS[name], "no such policy")
    return { name = name, family = name, size = 1, rules = { seed.rule },
             requests = requests(seed.base, seed.misses) }
end


-- ---- Many policies ---------------------------------------------------------------


-- The place in a set of the statement that request `k` asks for: spread over all of it.
local function place(k, size)
    return math.floor((k + 0.5) * size / _M.REQUESTS)
end


local function octets(i)
    return i % 256, math.floor(i / 256) % 256
end


--- Policies that name one user and one resource each, in full: nothing to match, all to look up.
-- @tparam number size
-- @treturn table as `seed`
function _M.exact(size)
    local rules = {}
    for i = 0, size - 1 do
        rules[i + 1] = { principal = ("%su%05d"):format(USERS, i), resources = {
            { api = ("a%05d"):format(i), stage = "live", method = "GET", path = "orders" } } }
    end
    local function base(k)
        local i = place(k, size)
        return { principal = ("%su%05d"):format(USERS, i), api = ("a%05d"):format(i),
                 stage = "live", method = "GET", path = "orders", ip = "10.0.0.1" }
    end
    local misses = { { principal = USERS .. "u99999x" }, { path = "invoice" }, { method = "PUT" },
                     { api = "z00042" } }
    return { name = "exact-" .. size, family = "exact", size = size, rules = rules,
             requests = requests(base, misses) }
end


--- Policies that each let everybody from two networks read below one API.
-- @tparam number size
-- @treturn table as `seed`
function _M.globs(size)
    local rules = {}
    for i = 0, size - 1 do
        rules[i + 1] = {
            resources = { { api = ("a%05d"):format(i), stage = "live", method = "GET" } },
            ranges = { ("10.%d.%d.0/24"):format(octets(i)), "192.0.2.0/24" } }
    end
    local function base(k)
        local i = place(k, size)
        local x, y = octets(i)
        return { principal = USERS .. "robots/billing", api = ("a%05d"):format(i), stage = "live",
                 method = "GET", path = PATHS[k % 4 + 1],
                 ip = k % 8 < 4 and ("10.%d.%d.%d"):format(x, y, k + 1) or "192.0.2." .. k + 1 }
    end
    local misses = { { method = "PUT" }, { ip = "172.16.5.9" }, { stage = "test" },
                     { api = "z00042" } }
    return { name = "globs-" .. size, family = "globs", size = size, rules = rules,
             requests = requests(base, misses) }
end


-- ---- Files -----------------------------------------------------------------------


--- A workload as the peers read it: a JSON text on one line per policy, rule and request. It does
-- not hold the answers.
-- @tparam table workload
-- @treturn string
function _M.json(workload)
    local pieces = { '{"name":"', workload.name, '","family":"', workload.family, '","size":',
                     workload.size, ',"prefix":"', APIS, '"' }
    local function put_lines(name, list, put_line)
        put(pieces, ',\n"', name, '":[\n')
        for i, item in ipairs(list) do
            put(pieces, i > 1 and ",\n" or "")
            put_line(pieces, item)
        end
        put(pieces, "]")
    end
    put_lines("policies", workload.rules, put_policy)
    put_lines("rules", workload.rules, put_rule)
    put_lines("requests", workload.requests, put_request)
    put(pieces, "}\n")
    return table.concat(pieces)
end


--- What an engine has to answer: `1` for allowed and `0` for denied, request by request.
-- @tparam table workload
-- @treturn string
function _M.answers(workload)
    local bits = {}
    for i, each in ipairs(workload.requests) do
        bits[i] = each.allowed and "1" or "0"
    end
    return table.concat(bits)
end


--- Writes a workload.
-- @tparam string folder
-- @tparam table workload
-- @treturn string the file's path
function _M.write(folder, workload)
    local path = ("%s/%s.json"):format(folder, workload.name)
    local file = assert(io.open(path, "wb"))
    assert(file:write(_M.json(workload)))
    file:close()
    return path
end


return _M
