--- The estates that hosts are measured with, and requests whose answers are known.
local processes = require("spec.bench.processes")

local _M = {}


local EXAMPLE = "examples/private-api/"

-- The load client is an office.
local OFFICES, HERE = "10%.20%.0%.0/16", "127.0.0.0/8"

local HEAD = [[
account "111122223333" region "eu-central-1"
vpc "vpc-0c0ffee0123456789" { cidr = "127.0.0.0/8" }
]]

local ENDPOINT = [[
endpoint %q { service = "execute-api", vpc = "vpc-0c0ffee0123456789"%s }
]]

local API = [[
api %q { endpoint_type = "PRIVATE", authorization = "NONE", stages = { "live" }, policy = %q }
]]


-- Characters that the resource policy of an API may have.
local LIMIT = 8192


local function read(path)
    local file = assert(io.open(path))
    local text = file:read("*a")
    file:close()
    return text
end


-- ---- The four policies of the example ------------------------------------------


--- The endpoints, each in front of the same API with the policy for offices. `path` leads to its
-- location in nginx.
_M.SEED = {
    { name = "two APIs", path = "/two", vpce = "vpce-two", policy = "endpoint-two-apis.json" },
    { name = "GET only", path = "/get", vpce = "vpce-get", policy = "endpoint-get-only.json" },
    { name = "one user", path = "/user", vpce = "vpce-user", policy = "endpoint-one-user.json",
      caller = "arn:aws:iam::111122223333:user/robots/billing" },
    { name = "offices", path = "/full", vpce = "vpce-full" },
}

_M.SEED_API = "orders7a1b"


local CALLERS = [[
trusted_proxies { "127.0.0.1/32" }
identity "header" { header = "x-caller" }
]]

--- Writes the four.
-- @tparam string folder
-- @tparam[opt] boolean callers whether the load client is a trusted proxy, which names the caller
-- and has to say for whom it asks; without, nobody is the one user
-- @treturn string the estate's path
function _M.seed(folder, callers)
    local words = { HEAD, callers and CALLERS or "" }
    for _, each in ipairs(_M.SEED) do
        if each.policy then
            processes.put(folder .. "/" .. each.policy, read(EXAMPLE .. each.policy))
        end
        words[#words + 1] = ENDPOINT:format(each.vpce,
            each.policy and (", policy = %q"):format(each.policy) or "")
    end
    processes.put(folder .. "/offices.json",
        (read(EXAMPLE .. "api-offices.json"):gsub(OFFICES, HERE)))
    words[#words + 1] = API:format(_M.SEED_API, "offices.json")
    local path = ("%s/%s.lua"):format(folder, callers and "callers" or "seed")
    processes.put(path, table.concat(words))
    return path
end


--- A request for one of the four that all policies allow, in the words of `authorize`.
-- @tparam table each of `SEED`
-- @tparam[opt="GET"] string method the policy for offices denies DELETE
-- @treturn table
function _M.seed_request(each, method)
    return {
        api = each.api or _M.SEED_API, stage = "live",
        method = method or "GET", path = each.path .. "/42",
        vpce = each.vpce, peer = "127.0.0.1", client_ip = "127.0.0.1",
        headers = each.caller and { ["X-Caller"] = each.caller } or nil,
    }
end


--- The same, as nginx gets it.
-- @tparam table each of `SEED`
-- @tparam table how `status`, which its answer has; optionally `method`, and `callers`, whether a
-- trusted proxy sends it
-- @treturn table see `spec.bench.load`
function _M.seed_message(each, how)
    local headers = how.callers and { ["X-Forwarded-For"] = "127.0.0.9" } or {}
    headers["X-Caller"] = how.callers and each.caller or nil
    return { method = how.method, path = each.path .. "/42", status = how.status,
             headers = headers }
end


-- ---- Two versions ----------------------------------------------------------------


--- What one version allows and the other denies.
_M.SWITCH = { name = "switching", path = "/switch", api = "switch5e6f", vpce = "vpce-full" }

local SWITCHING = [[{ "Version": "2012-10-17", "Statement": [
    { "Sid": "Version%d", "Effect": "%s", "Principal": "*", "Action": "execute-api:Invoke",
      "Resource": "execute-api:/live/GET/*" } ] }]]


--- Writes the policies of a version: 0 denies what switches, 1 allows it. All else is decided alike
-- by both, by other statements.
-- @tparam string folder
-- @tparam number version
function _M.write_version(folder, version)
    local offices = read(EXAMPLE .. "api-offices.json"):gsub(OFFICES, HERE)
    processes.put(folder .. "/offices.json", (offices:gsub('Sid": "', "%0V" .. version)))
    processes.put(folder .. "/switch.json",
        SWITCHING:format(version, version == 0 and "Deny" or "Allow"))
end


--- Writes the four and the API that switches.
-- @tparam string folder
-- @treturn string the estate's path
function _M.switching(folder)
    local path = _M.seed(folder, true)
    _M.write_version(folder, 0)
    processes.put(path, read(path) .. API:format(_M.SWITCH.api, "switch.json"))
    return path
end


-- ---- Many statements -------------------------------------------------------------


local FOUR = [[{ "Version": "2012-10-17", "Statement": [
    { "Sid": "Read", "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
      "Resource": "execute-api:/live/GET/orders/*",
      "Condition": { "IpAddress": { "aws:VpcSourceIp": ["127.0.0.0/8", "10.%d.%d.0/24"] } } },
    { "Sid": "Write", "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
      "Resource": "execute-api:/live/POST/orders" },
    { "Sid": "Stock", "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
      "Resource": "execute-api:/live/GET/stock/%d/*" },
    { "Sid": "NobodyDeletes", "Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke",
      "Resource": "execute-api:/*/DELETE/*" } ] }]]

local STATEMENT = '{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke",'
    .. '"Resource":"execute-api:/live/GET/area%d/*"}'


_M.APIS = 2500
_M.PER_API = 4
_M.BIG_API = "biggest"
_M.MANY_VPCE = "vpce-many"


-- As many statements as the limit takes; the last is the one to be found.
local function biggest_policy()
    local parts, length, count = {}, #'{"Statement":[]}', 0
    while length + #STATEMENT + 4 <= LIMIT do
        count = count + 1
        parts[count] = STATEMENT:format(count)
        length = length + #parts[count] + 1
    end
    return '{"Statement":[' .. table.concat(parts, ",") .. "]}", count
end


--- Writes 10,000 statements, four an API, and one more API whose policy is as large as AWS takes.
-- @tparam string folder
-- @treturn string the estate's path
-- @treturn number statements of the largest policy
function _M.many(folder)
    local words = { HEAD, ENDPOINT:format(_M.MANY_VPCE, "") }
    for i = 1, _M.APIS do
        local name = ("api%04d.json"):format(i)
        processes.put(folder .. "/" .. name, FOUR:format(i % 256, math.floor(i / 256), i))
        words[#words + 1] = API:format(("api%04d"):format(i), name)
    end
    local text, count = biggest_policy()
    processes.put(folder .. "/biggest.json", text)
    words[#words + 1] = API:format(_M.BIG_API, "biggest.json")
    processes.put(folder .. "/many.lua", table.concat(words))
    return folder .. "/many.lua", count
end


return _M
