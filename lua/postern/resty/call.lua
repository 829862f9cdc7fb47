--- A request as nginx has it, as a request of the estate.
--
-- The path that decides is the one nginx routed, `$uri`; what the client sent, `$request_uri`, has
-- to say the same, or nobody knows what the program behind nginx will read. The peer is that of the
-- socket, whatever the realip module made of it. What a client sends twice, and somebody could read
-- in two ways, is refused. Settings come from variables that the configuration sets.
--
-- *Dependencies*: postern.cidr, postern.path
--
-- @module postern.resty.call
local cidrs = require("postern.cidr")
local paths = require("postern.path")


local _M = {}


-- OpenResty hands out no more, unless asked for all of them; the estate takes no more either.
local MAX_HEADERS = 100

-- Headers of which there is one: two of them are read differently by different programs.
local SINGLE = {
    "host", "authorization", "content-length", "content-type", "transfer-encoding", "forwarded",
    "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port",
    "x-forwarded-uri", "x-original-url", "x-rewrite-url", "x-real-ip", "x-http-method-override",
}

-- Connections whose keys are kept, in each half of the memory.
local MOST_CONNECTIONS = 4096

-- The SHA-256 of nothing.
local EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

local BAD, FAULT = 400, 500

local knows_realip -- found out by the first request

local ANY_ADDRESS = assert(cidrs.new({ "0.0.0.0/0", "::/0" }))
local STRICT = assert(paths.new())


-- ---- Settings ----------------------------------------------------------------


-- What a location says, and by which variable. What it hands to `access` itself counts more: a
-- variable is one for the request and its subrequests, so a location that is asked by
-- `auth_request` could change it.
local SETTINGS = {
    api = "postern_api", stage = "postern_stage", vpce = "postern_vpce", host = "postern_host",
    mode = "postern_mode",
}

-- The metatable of what `place` answers.
local Place = {}

-- Which variables the configuration declares: known after the first request. nginx warns of one
-- that has no value, and raises where one is written that is not declared.
local declared = {}

local function assign(name, value)
    ngx.var[name] = value
end


--- Whether nginx knows a variable that Lua may write.
-- @tparam string name
-- @treturn boolean
function _M.declares(name)
    if declared[name] == nil then
        local value = ngx.var[name]
        declared[name] = pcall(assign, name, value or "")
    end
    return declared[name]
end


-- One member more: its name, false behind the last; nil when it is none that may be there. A loop
-- would end the compiled way to the decision.
local function member(given, name)
    if not name then
        return name
    end
    local value
    name, value = next(given, name)
    if name == nil then
        return false
    end
    return SETTINGS[name] and type(value) == "string" and value ~= "" and name or nil
end


local function first(given)
    local name, value = next(given)
    if name == nil then
        return false
    end
    return SETTINGS[name] and type(value) == "string" and value ~= "" and name or nil
end


-- There are five.
local function is_right(given)
    local name = member(given, member(given, first(given)))
    return member(given, member(given, member(given, name))) == false
end


--- Checks what a location hands to `access`.
-- @tparam table given name to text, and `claims`, a table
-- @treturn string|nil what is wrong
function _M.check(given)
    if type(given) ~= "table" then
        return "`access` is handed something else than a table"
    elseif getmetatable(given) == Place or is_right(given) then
        return nil
    end
    for name, value in pairs(given) do
        if name == "claims" then
            if type(value) ~= "table" then
                return "`access` is handed `claims` that are no table"
            end
        elseif not SETTINGS[name] then
            return ("`access` is handed `%s`: there are `api`, `stage`, `vpce`, `host`, `mode` and "
                .. "`claims`"):format(tostring(name))
        elseif type(value) ~= "string" or value == "" then
            return ("`access` is handed a `%s` that is no text"):format(name)
        end
    end
    return nil
end


--- Makes settings that are checked, once for all requests.
-- @tparam table given as for `check`
-- @treturn table|nil nil when it is wrong
-- @treturn string what is wrong
function _M.place(given)
    local wrong = _M.check(given)
    if wrong then
        return nil, wrong
    elseif given.claims then
        return nil, "`claims` are of one request: hand them to `access`"
    end
    local place = {}
    for name in pairs(SETTINGS) do
        place[name] = given[name]
    end
    return setmetatable(place, Place)
end


--- What a location says.
-- @tparam table given what it hands to `access`
-- @tparam string name
-- @treturn string|nil nil when it says nothing
function _M.setting(given, name)
    local variable = SETTINGS[name]
    if given[name] or not _M.declares(variable) then
        return given[name]
    end
    local value = ngx.var[variable]
    return value ~= "" and value or nil
end


-- ---- Headers and query -----------------------------------------------------------


local function headers_of(single)
    local headers, err = ngx.req.get_headers(MAX_HEADERS)
    if err then
        return nil, ("more than %d headers: nobody can say what the others would change")
            :format(MAX_HEADERS)
    end
    for name, values in pairs(headers) do
        if type(values) == "table" and (single[name] or name:find("^x%-amz%-")) then
            return nil, ("the header `%s` is there %d times"):format(name, #values)
        end
    end
    return headers
end


local function from_hex(digits)
    return string.char(tonumber(digits, 16))
end


local function decode(text)
    return (text:gsub("%%(%x%x)", from_hex))
end


-- The query as decoded names and values, in their order. One in which a name is spoken of twice
-- that decides who calls is refused, and one that two programs may decode differently.
local function query_of(args)
    local query, seen = {}, {}
    for piece in args:gmatch("[^&]+") do
        if piece:gsub("%%%x%x", ""):find("%", 1, true) then
            return nil, "a `%` in the query without two hexadecimal digits"
        end
        local name, value = piece:match("^([^=]*)=?(.*)$")
        name = decode(name)
        local lower = name:lower()
        if lower:find("^x%-amz%-") then
            if seen[lower] then
                return nil, ("the query holds `%s` twice"):format(name)
            elseif value:find("+", 1, true) then
                return nil, ("`%s` in the query holds a `+`: send `%%20` or `%%2B`"):format(name)
            end
            seen[lower] = true
        end
        query[#query + 1] = { name, decode(value) }
    end
    return query
end


-- ---- What an estate needs ------------------------------------------------------


local function asks_per_connection(estate)
    for _, entry in pairs(estate.packs) do
        for _, how in pairs(entry.pack.cache or {}) do
            if type(how) == "table" and how.connection then
                return true
            end
        end
    end
    return false
end


--- What requests to an estate need; made once for each.
-- @tparam Estate estate
-- @treturn table
function _M.needs(estate)
    local single = {}
    for _, name in ipairs(SINGLE) do
        single[name] = true
    end
    for _, identity in ipairs(estate.identities) do
        if identity.config and type(identity.config.header) == "string" then
            single[identity.config.header:lower()] = true
        end
    end
    return {
        estate = estate, single = single, identifies = estate.identify ~= nil,
        connection = asks_per_connection(estate),
        -- Where the estate may do without more, it is handed no more: nginx knows which request
        -- it is at when somebody asks for its headers.
        plain = estate.identify == nil and estate.hooks == nil,
        headers = function()
            local headers, why = headers_of(single)
            return headers, why, BAD
        end,
    }
end


-- ---- Where it comes from -----------------------------------------------------------


-- An address of a list, without its port; nil when it is none.
local function address_in(part)
    local text = part:match("^[ \t]*([^ \t]*)[ \t]*$")
    if not text then
        return nil
    end
    text = text:match("^%[([%x:.]+)%]$") or text:match("^%[([%x:.]+)%]:%d+$")
        or text:match("^(%d+%.%d+%.%d+%.%d+):%d+$") or text
    return ANY_ADDRESS:match(text) and text or nil
end


-- The address that a private endpoint saw: that of the peer, or, behind a listed proxy, the last in
-- X-Forwarded-For that is none of a listed proxy.
local function client_of(estate, peer, headers)
    local proxies = estate.trusted_proxies
    if not proxies or not peer or peer:sub(1, 5) == "unix:" or not proxies:match(peer) then
        return peer
    end
    if type(headers) == "function" then
        local why
        headers, why = headers()
        if not headers then
            return nil, why
        end
    end
    local client
    for part in ((headers["x-forwarded-for"] or "") .. ","):gmatch("([^,]*),") do
        local address = address_in(part)
        if not address then
            return nil, "X-Forwarded-For of a listed proxy is not a list of addresses"
        elseif not proxies:match(address) then
            client = address
        end
    end
    if not client then
        return nil, "X-Forwarded-For of a listed proxy does not say for whom it asks"
    end
    return client
end


-- The address of the socket's peer. Where nginx has the realip module, that knows it.
local function peer_of(var)
    local peer = knows_realip ~= false and var.realip_remote_addr or nil
    if knows_realip == nil then
        knows_realip = peer ~= nil
    end
    return peer or var.remote_addr
end


local young, old, count = {}, {}, 0

-- A table that lives as long as the client's connection. nginx does not say when one ends: those
-- that were not used for some thousands of others are forgotten.
local function connection_of(number)
    local kept = young[number]
    if not kept then
        kept = old[number] or {}
        if count >= MOST_CONNECTIONS then
            young, old, count = {}, young, 0
        end
        young[number], count = kept, count + 1
    end
    return kept
end


-- What nginx verified of the client's certificate. One that did not pass is told as such: a caller
-- who shows a bad one must not become anonymous.
local function certificate_of(var)
    local verify = var.https == "on" and var.ssl_client_verify
    if not verify or verify == "" or verify == "NONE" then
        return nil
    end
    return { verified = verify == "SUCCESS", subject = var.ssl_client_s_dn, sans = {} }
end


-- The hash of the body, for signatures: known where there is none, since bodies are not read. In
-- HTTP/2 one may come that no header announces.
local function body_hash(headers)
    local length = headers["content-length"]
    if (not length or length == "0") and not headers["transfer-encoding"]
        and (ngx.req.http_version() or 2) < 2 then
        return EMPTY
    end
    return nil
end


-- ---- Path and host -----------------------------------------------------------------


-- The raw path and the routed one. After `rewrite` and internal redirects, which both make nginx
-- call the request internal, the routed one alone names what is asked for; the raw one must be
-- unambiguous by itself all the same. A subrequest has no raw path of its own.
local function paths_of(var, api, subrequest)
    local raw, routed = var.request_uri, var.uri
    if subrequest then
        return nil, routed
    elseif raw ~= routed and ngx.req.is_internal() then
        local _, why = (api and api.path_rules or STRICT):resolve(raw)
        return nil, routed, why
    end
    return raw, routed
end


-- The host nginx routed by. A URL in the request line may name another than the header does.
local function host_of(var)
    local sent = var.http_host
    if not sent then
        return nil
    end
    local routed = var.host
    if sent ~= routed then
        local named, why = paths.host(sent)
        if not named then
            return nil, why
        elseif named ~= paths.host(routed) then
            return nil, "the host of the target and the header Host differ"
        end
    end
    return routed
end


local SLASH = ("/"):byte()

-- Whether the request line names no host: then nginx has routed by the header, and there is no
-- other that could differ.
local function is_host_right(var)
    local line = var.request
    local space = line and line:find(" ", 1, true)
    return space ~= nil and line:byte(space + 1) == SLASH
end


-- ---- The whole ------------------------------------------------------------------------


-- What decides, but for path and host.
local function describe(needs, given, headers)
    local var = ngx.var
    return {
        api = _M.setting(given, "api"), stage = _M.setting(given, "stage"),
        vpce = _M.setting(given, "vpce"), method = ngx.req.get_method(), headers = headers,
        peer = peer_of(var), scheme = var.scheme,
        connection = needs.connection and connection_of(var.connection) or nil,
        claims = given.claims,
        client_certificate = needs.identifies and certificate_of(var) or nil,
        -- What follows later, so that the table need not grow for it.
        path = nil, raw_path = nil, host = nil, query = nil, client_ip = nil,
        body_sha256 = nil,
    }
end


-- What the configuration says that the estate does not know.
local function unknown_setting(estate, request)
    if request.api and not estate.apis[request.api] then
        return ("`$postern_api`: there is no API `%s`"):format(request.api)
    elseif request.vpce and not estate.endpoints[request.vpce] then
        return ("`$postern_vpce`: there is no endpoint `%s`"):format(request.vpce)
    end
    return nil
end


-- Path, host, client and query; why one of them cannot be taken.
local function complete(needs, given, request, subrequest)
    local var, estate = ngx.var, needs.estate
    local raw, routed, why = paths_of(var, request.api and estate.apis[request.api], subrequest)
    request.raw_path, request.path = raw, routed
    request.host = _M.setting(given, "host")
    if not why and not request.host then
        request.host, why = host_of(var)
    end
    if not why and request.vpce then
        request.client_ip, why = client_of(estate, request.peer, request.headers)
    end
    if needs.identifies then
        request.body_sha256 = body_hash(request.headers)
    end
    if not why and needs.identifies and var.args then
        request.query, why = query_of(var.args)
    end
    return why
end


--- Reads the request that nginx is at.
-- @tparam table needs of the estate, see `needs`
-- @tparam table given what the location hands to `access`
-- @tparam boolean subrequest
-- @treturn table|nil a request, see docs/estate.md
-- @treturn number 400 when the client, 500 when the configuration is at fault
-- @treturn string why, for the operator
function _M.read(needs, given, subrequest)
    local headers = needs.headers
    if not needs.plain then
        local wrong
        headers, wrong = headers_of(needs.single)
        if not headers then
            return nil, BAD, wrong
        end
    end
    local request = describe(needs, given, headers)
    local unknown = unknown_setting(needs.estate, request)
    if unknown then
        return nil, FAULT, unknown
    end
    local why = complete(needs, given, request, subrequest)
    if why then
        return nil, BAD, why
    end
    return request
end


local function scheme_now()
    return ngx.var.scheme
end


-- Whether the raw path may be left out, as after a rewrite: where it says nothing else than the
-- routed one it need not be, and where it is not plain by itself nobody can say here.
local function is_replaced(raw, routed)
    return not paths.plainly(raw, routed) and ngx.req.is_internal()
end


-- What `plain` answers, each time. Who takes it does not keep it, and nothing waits meanwhile.
local call = {
    api = nil, stage = nil, vpce = nil, method = nil, path = nil, raw_path = nil, peer = nil,
    client_ip = nil, scheme = scheme_now,
}

--- Reads as much of the request that nginx is at as a plan takes, see `decide_plain` of
-- `postern.estate`.
-- @tparam table needs of the estate, see `needs`
-- @tparam table given what the location hands to `access`
-- @tparam boolean subrequest
-- @treturn table|nil a call, to be asked at once; nil when one has to look closer, by `read`
function _M.plain(needs, given, subrequest)
    local var = ngx.var
    if not needs.plain or not _M.setting(given, "host") and not is_host_right(var) then
        return nil
    end
    local raw, routed = var.request_uri, var.uri
    if subrequest then
        raw = nil
    elseif raw ~= routed and is_replaced(raw, routed) then
        if not paths.plainly(raw) then
            return nil
        end
        raw = nil
    end
    call.raw_path, call.path, call.method = raw, routed, ngx.req.get_method()
    call.api, call.stage = _M.setting(given, "api"), _M.setting(given, "stage")
    call.vpce = _M.setting(given, "vpce")
    call.peer, call.client_ip = peer_of(var), nil
    if call.vpce then
        local why
        call.client_ip, why = client_of(needs.estate, call.peer, needs.headers)
        if why then
            return nil
        end
    end
    return call
end


--- Whether a setting of the configuration, not the client, is why the estate could not decide.
-- @tparam Estate estate
-- @tparam table request
-- @treturn string|nil what is wrong with it
function _M.fault_of(estate, request)
    local api = request.api and estate.apis[request.api]
    if not api or not request.stage then
        return nil
    end
    for _, stage in ipairs(api.stages) do
        if stage == request.stage then
            return nil
        end
    end
    return ("`$postern_stage`: the API `%s` has no stage `%s`"):format(request.api, request.stage)
end


return _M
