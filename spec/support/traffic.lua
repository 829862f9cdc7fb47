--- Random messages to a server, as clients and proxies send them, and as nobody should.
--
-- They are for the endpoints that `spec/at_once_spec.lua` has, and its estate.
--
-- Dependencies: cjson, spec.support.random.

local cjson = require("cjson")
local random = require("spec.support.random")

local _M = {}


local pick -- one of a list, or a number up to one
local calm = false -- whether messages are mostly those that can be answered at once

--- Begins anew.
-- @tparam number seed
-- @treturn function `pick`: one of a list, or a number from 1 to one
function _M.begin(seed)
    local number = random.new(seed)
    pick = function(list)
        if type(list) == "number" then
            return number(list)
        end
        return list[number(#list)]
    end
    return pick
end


-- One of so many, where not all is calm.
local function odd(count)
    return pick(count) == 1 and not calm
end


local PATHS = { "/pets", "/pets/7", "/admin", "/admin/x", "/", "/pets//7", "/pets/../admin",
                "/pets/%2e%2e/admin", "/p%65ts", "/zoo", "/pets;x", "/caf\195\169", "/a b", "pets",
                "", "*", "/pets#x", "/\\x", "/%zz" }
local METHODS = { "GET", "GET", "GET", "POST", "DELETE", "get", "HEAD", "PATCH", "FETCH", "",
                  "G T" }
local ADDRESSES = { "192.0.2.7", "192.0.2.7", "2001:db8::7", "2001:DB8::7", "198.51.100.1",
                    "10.0.3.4", "10.0.9.1", "192.0.2.07", "::ffff:192.0.2.7", "nobody", "",
                    "unix:", "192.0.2.7 " }

local MEMBERS = {
    api = { "open", "open", "open", "bare", "named", "cached", "inside", "header", "nobody", "" },
    stage = { "dev", "dev", "dev", "live", "prod", "" },
    method = METHODS, path = PATHS, raw_path = PATHS,
    host = { "a.example.com", "A.Example.COM:443", "a b", "", "b.example.com" },
    scheme = { "https", "https", "http", "ws", "HTTPS", "" },
    peer = ADDRESSES, client_ip = ADDRESSES, vpce = { "vpce-1", "vpce-1", "vpce-2", "vpce-9" },
    principal = { "*", "ann", "ann", "bob", "carl", "arn:aws:iam::111122223333:user/ann" },
}
local NAMES = { "api", "stage", "method", "path", "raw_path", "host", "scheme", "peer",
                "client_ip", "vpce", "principal" }
local VALUES = { "null", "1", "true", "{}", "[]", '["dev"]', '"\\u0064ev"', '"d\\u0000"',
                 '"\255"', '"\\x"', '"\\ud800"', '"a\nb"', '"\127"', "1e999", "-", '"' }
local OTHERS = { '"context":{"aws:SourceIp":"192.0.2.1"}', '"context":{}', '"now":1700000000',
                 '"query":[["a","b"]]', '"query":[]', '"token":"t"', '"claims":{"sub":"x"}',
                 '"body_sha256":"x"', '"API":"open"', '"":""', '"api":"open"', '"stage":"dev"',
                 '"action":"s3:GetObject"', '"client":{}', '"ap\\u0069":"open"', '"authorizer":"x"',
                 '"headers":{}', '"connection":{}', '"x":' .. ("["):rep(40) .. ("]"):rep(40) }
local HEADERS = { '{}', '{"X-A":"1"}', '{"x-a":["1","2"]}', '{"X-A":"1","x-a":"2"}', '{"X-A":[]}',
                  '{"X-A":1}', '{"X-A":null}', '{"X-A":["1",2]}', '[]', '{"":"1"}', '{" ":"\\/"}',
                  '{"Cache-Control":"max-age=0"}', '{"X-A":"\\u0031"}', '{"X-A":"1","X-A":"1"}',
                  '{"Authorization":"AWS4-HMAC-SHA256 Credential=x"}', '{"Host":"b.example.com"}',
                  '{"X-A":["1"' .. (',"1"'):rep(98) .. ']}', '{"X-A":["1"' .. (',"1"'):rep(120)
                  .. ']}', '{"X-A":"\1"}', '{"X-A":"\\t"}', '{"X-A":"\255"}' }


local function text_of(value)
    local text = cjson.encode(value)
    if pick(3) > 1 then
        text = text:gsub("\\/", "/")
    end
    return text
end


local function member_of(name, usual)
    local value = odd(40) and pick(VALUES)
        or text_of(usual and MEMBERS[name][1] or pick(MEMBERS[name]))
    return '"' .. name .. '"' .. pick({ ":", ":", " : ", ":\t" }) .. value
end


-- One call as JSON: mostly usual, sometimes with anything.
local function call_text()
    local usual = calm or pick(3) > 1
    local parts = { member_of("api", usual and pick(4) > 1) }
    for _, name in ipairs(NAMES) do
        local wanted = name == "path" or name == "method" or name == "stage"
        if name ~= "api" and pick(10) > (wanted and 1 or 7) then
            parts[#parts + 1] = member_of(name, usual and (calm or not wanted) and pick(6) > 1)
        end
    end
    if odd(4) then
        parts[#parts + 1] = '"headers":' .. pick(HEADERS)
    end
    if odd(12) then
        parts[#parts + 1] = pick(OTHERS)
    end
    for i = #parts, 2, -1 do
        local j = pick(i)
        parts[i], parts[j] = parts[j], parts[i]
    end
    return "{" .. table.concat(parts, pick({ ",", ",", " , ", ",\r\n" })) .. "}"
end


local BYTES = { '"', "\\", "/", ",", ":", "{", "}", "[", "]", " ", "a", "\n", "\195", "1", "\0" }

local function mutated(text)
    if not odd(8) or text == "" then
        return text
    end
    local at, kind = pick(#text), pick(3)
    return text:sub(1, at - 1) .. (kind ~= 1 and pick(BYTES) or "")
        .. text:sub(kind == 2 and at or at + 1)
end


local function batch_text()
    local calls = {}
    for i = 1, pick(5) - 1 do
        calls[i] = call_text()
    end
    return "[" .. table.concat(calls, ",") .. "]"
end


local function cased(name)
    local kind = pick(3)
    return kind == 1 and name or kind == 2 and name:upper()
        or (name:gsub("%f[%w]%l", string.upper))
end


local function chunked(body)
    local parts, at = {}, 1
    while at <= #body do
        local piece = body:sub(at, at + pick(40) - 1)
        parts[#parts + 1] = ("%x%s\r\n%s\r\n"):format(#piece, pick({ "", "", ";x=y" }), piece)
        at = at + #piece
    end
    return table.concat(parts) .. "0\r\n" .. pick({ "", "", "X-A: 1\r\n" }) .. "\r\n"
end


-- A message of lines in any order and letter case, some twice, some missing.
local function message_of(method, target, headers, body)
    local lines = {}
    for name, value in pairs(headers) do
        lines[#lines + 1] = { name, value }
    end
    table.sort(lines, function(a, b) return a[1] < b[1] end)
    if odd(12) then
        lines[#lines + 1] = pick(lines)
    elseif odd(12) then
        table.remove(lines, pick(#lines))
    end
    if odd(8) then
        lines[#lines + 1] = { pick({ "x-a", "x-request-id", "traceparent", "expect", "connection",
            "cache-control", "authorization", "x-forwarded-for", "content-encoding" }),
            pick({ "1", "100-continue", "close", "keep-alive", "max-age=0", "Bearer x", "",
                   "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" }) }
    end
    if not odd(30) then
        lines[#lines + 1] = { "host", "a.example.com" }
    end
    if body and pick(5) == 1 then
        lines[#lines + 1] = { "transfer-encoding", "chunked" }
        body = chunked(body)
    elseif body then
        lines[#lines + 1] = { "content-length", odd(60) and "1x" or tostring(#body) }
    end
    for i = #lines, 2, -1 do
        local j = pick(i)
        lines[i], lines[j] = lines[j], lines[i]
    end
    local out = { ("%s %s HTTP/1.%d"):format(method, target, odd(40) and 0 or 1) }
    for _, line in ipairs(lines) do
        out[#out + 1] = cased(line[1]) .. pick({ ": ", ": ", ":", ":\t" }) .. line[2]
    end
    return table.concat(out, "\r\n") .. "\r\n\r\n" .. (body or "")
end


local function target_of(path)
    return path .. pick({ "", "", "", "", "", "?", "?a=b", "?explain=true" })
end


local function native_message()
    local batch = pick(4) == 1
    local path = (odd(20) and "/guarded" or "/v1/decide") .. (batch and "/batch" or "")
    local types = { "application/json", "application/json", "application/json",
                    "application/json; charset=utf-8", "text/plain", "APPLICATION/JSON", "" }
    local body = mutated(batch and batch_text() or call_text())
    return message_of(odd(30) and pick({ "GET", "PUT", "HEAD" }) or "POST",
        odd(20) and target_of(path) or path,
        { ["content-type"] = odd(10) and pick(types) or types[1] }, body)
end


local function part(usual, others)
    return pick(calm and 12 or 4) > 1 and usual or pick(others)
end


local function forward_message()
    local method = part("GET", METHODS)
    local target = part(pick({ "/pets/7", "/admin" }), PATHS) .. pick({ "", "", "?a=b" })
    local host = part("a.example.com", { "b.example.com", "A.example.com", "a b", "" })
    local scheme, address = part("https", MEMBERS.scheme), part("192.0.2.7", ADDRESSES)
    local endpoint = pick({ "/nginx", "/nginx", "/ingress", "/forward", "/vpce", "/strangers" })
    local headers
    if endpoint == "/ingress" then
        headers = { ["x-original-method"] = method, ["x-real-ip"] = address,
                    ["x-original-url"] = scheme .. "://" .. host .. target }
    elseif endpoint == "/nginx" or endpoint == "/strangers" then
        headers = { ["x-original-method"] = method, ["x-original-uri"] = target,
                    ["x-original-host"] = host, ["x-original-scheme"] = scheme,
                    ["x-real-ip"] = address }
    else
        if endpoint == "/vpce" and pick(2) == 1 then
            address = pick({ "10.0.3.4", "10.0.9.1" })
        end
        headers = { ["x-forwarded-method"] = method, ["x-forwarded-uri"] = target,
                    ["x-forwarded-host"] = host, ["x-forwarded-proto"] = scheme,
                    ["x-forwarded-for"] = pick({ "", "198.51.100.1, ", "x," }) .. address }
    end
    return message_of(odd(20) and "HEAD" or "GET", target_of(endpoint), headers)
end


local function envoy_message()
    local path = part("/pets/7", { "/pets", "/admin", "/zoo", "/pets/%2e%2e/admin", "//x", "" })
    return message_of(part("GET", { "GET", "POST", "DELETE", "HEAD", "PATCH" }),
        target_of(pick({ "/envoy", "/envoy2" }) .. path),
        { ["x-forwarded-for"] = part("192.0.2.7", ADDRESSES),
          ["x-forwarded-proto"] = part("https", MEMBERS.scheme) }, odd(10) and "abc" or nil)
end


local function other_message()
    return pick({ "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
                  "GET /none HTTP/1.1\r\nHost: a\r\n\r\n",
                  "GET / HTTP/2.0\r\n\r\n", "\r\n", "GET /nginx HTTP/1.1\r\n\r\n",
                  "POST /v1/decide HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
                      .. "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                  "POST /v1/decide HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n",
                  "GET /nginx HTTP/1.1\r\nHost : a\r\n\r\n" })
end


local function any_message()
    local kind = calm and pick(19) or pick(20)
    return kind <= 9 and native_message() or kind <= 16 and forward_message()
        or kind <= 19 and envoy_message() or other_message()
end


--- Messages behind one another.
-- @tparam number count
-- @tparam[opt] boolean is_calm whether they are mostly such as can be answered at once
-- @treturn string
function _M.messages(count, is_calm)
    calm = is_calm or false
    local messages = {}
    for i = 1, count do
        messages[i] = any_message()
    end
    return table.concat(messages)
end


--- A question of a proxy that speaks to nginx's and its like's endpoints.
-- @treturn string
function _M.forwarded()
    calm = false
    return forward_message()
end


return _M
