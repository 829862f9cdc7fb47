-- Calls of an API of API Gateway: action and resource from method, stage and path.
--
-- Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon API
-- Gateway"; API Gateway Developer Guide, "Control access to a REST API with IAM permissions" (ARNs
-- of methods), "Control access to WebSocket APIs with IAM authorization" (route keys,
-- @connections), "Cache settings for REST APIs" (InvalidateCache), "Custom domain names for private
-- APIs in API Gateway" (ARN of a domain), "Amazon API Gateway quotas" (length of a method ARN).
--
-- A method is `arn:PARTITION:execute-api:REGION:ACCOUNT:API/STAGE/VERB/PATH`; the root resource
-- ends in `/VERB/`. Slashes stay as they were routed, and the query is no part of it.
--
-- Besides what every services pack reads, `context.stage` says that the host has split the path
-- already: `http.path` is then what follows the stage. `context.route` is the route key of a
-- message on a WebSocket. `api.domains` maps the host names of custom domains to a base path, to a
-- table of `base_path`, `stage`, `id`, `account` and `region` (all optional), or to a list of such
-- tables.

local MAX_ARN = 1600 -- bytes, "Amazon API Gateway quotas"; a longer one is answered 414
local BAD_REQUEST, FORBIDDEN, TOO_LONG, FAULT = 400, 403, 414, 500

local CONNECTIONS = "/@connections"
local DEFAULT_STAGE = "$default" -- of HTTP APIs; it is not part of the path


local function contains(list, wanted)
    for _, name in ipairs(list) do
        if name == wanted then
            return true
        end
    end
    return false
end


-- ---- Custom domains --------------------------------------------------------


-- An API sees one host in one spelling: lower case, no port, no last dot.
local function canonical_host(host)
    return (host:lower():gsub(":%d*$", ""):gsub("%.$", ""))
end


local function mappings_of(api, host)
    for name, entry in pairs(api.domains or {}) do
        if host and canonical_host(name) == host then
            if type(entry) ~= "table" then
                return { { base_path = entry } }
            end
            return #entry > 0 and entry or { entry }
        end
    end
    return nil
end


-- The path behind a base path, or nil. Base paths are whole segments and compare with their case.
local function behind(path, base)
    if base == "" then
        return path
    elseif path:sub(1, #base + 1) ~= "/" .. base then
        return nil
    end
    local rest = path:sub(#base + 2)
    if rest == "" then
        return "/"
    end
    return rest:sub(1, 1) == "/" and rest or nil
end


-- The longest base path wins. `(none)` is how the service writes the empty one.
local function find_mapping(mappings, path)
    local found, rest, length = nil, nil, -1
    for _, mapping in ipairs(mappings) do
        local base = mapping.base_path or ""
        base = base == "(none)" and "" or base
        local candidate = behind(path, base)
        if candidate and #base > length then
            found, rest, length = mapping, candidate, #base
        end
    end
    return found, rest
end


-- Only private domains have an id, and only those are resources of their own.
local function describe_domain(api, host, mapping)
    local domain = { name = host }
    if mapping.id then
        domain.arn = ("arn:%s:execute-api:%s:%s:/domainnames/%s+%s"):format(
            api.partition or "aws", mapping.region or api.region, mapping.account or api.account,
            host, mapping.id)
    end
    return domain
end


-- ---- Stages and paths ------------------------------------------------------


local function check_stage(api, stage)
    if api.stages and contains(api.stages, stage) then
        return stage
    elseif type(stage) ~= "string" or not (stage == DEFAULT_STAGE or stage:find("^[%w_-]+$")) then
        return nil, "the path does not begin with a stage", FORBIDDEN
    elseif api.stages and #api.stages > 0 then
        return nil, ("the API has no stage `%s`"):format(stage), FORBIDDEN
    end
    return stage
end


local function split_stage(api, path)
    local stage, rest = path:match("^/([^/]*)(.*)$")
    local stages = api.stages or {}
    if contains(stages, DEFAULT_STAGE) and not contains(stages, stage) then
        return DEFAULT_STAGE, path
    end
    return stage, rest ~= "" and rest or "/"
end


-- Where the call goes: `{stage, path, domain}`, the path being what follows the stage. It becomes
-- the answer.
local function locate(context)
    local api, http = context.api, context.http or {}
    local place = {
        stage = context.stage, path = http.path or "/", domain = nil,
        -- Filled in when the question is known.
        action = nil, resource = nil, also = nil,
    }
    if place.path:sub(1, 1) ~= "/" then
        return nil, "the path does not begin with `/`", BAD_REQUEST
    end
    local host = http.host and canonical_host(http.host)
    local mappings = mappings_of(api, host)
    if mappings then
        local mapping, rest = find_mapping(mappings, place.path)
        if not mapping and not place.stage then
            return nil, ("no base path of `%s` leads to the API"):format(host), FORBIDDEN
        end
        place.domain = describe_domain(api, host, mapping or mappings[1])
        if not place.stage then
            place.stage, place.path = mapping.stage, rest
        end
    end
    if not place.stage then
        place.stage, place.path = split_stage(api, place.path)
    end
    local stage, reason, status = check_stage(api, place.stage)
    if not stage then
        return nil, reason, status
    end
    return place
end


-- ---- The question ----------------------------------------------------------


local USUAL = { GET = true, HEAD = true, POST = true, PUT = true, PATCH = true, DELETE = true,
                OPTIONS = true }

-- Methods are case-sensitive (RFC 9110) and policies name them in upper case. A backend that takes
-- `get` for GET would make a Deny on GET worthless, so there is no `get`.
local function check_method(method)
    if not USUAL[method] and (type(method) ~= "string" or not method:find("^%u[%u%d_-]*$")) then
        return nil, "the method is not in upper case", BAD_REQUEST
    end
    return method
end


-- The route of a WebSocket message, or of its handshake.
local function find_route(context, place)
    local route, routes = context.route, context.api.routes
    if route == nil then
        if place.path ~= "/" then
            return nil, "a WebSocket API has no paths", FORBIDDEN
        end
        return "$connect"
    elseif type(route) ~= "string" or route == "" or route:find("%c") then
        return nil, "the route key is not a text", BAD_REQUEST
    elseif not routes or #routes == 0 or contains(routes, route) then
        return route
    elseif contains(routes, "$default") then
        return "$default"
    end
    return nil, ("the API has no route `%s`"):format(route), FORBIDDEN
end


local function is_connections(path)
    return path == CONNECTIONS or path:sub(1, #CONNECTIONS + 1) == CONNECTIONS .. "/"
end


-- What is done, and the part of the ARN behind the stage.
local function ask(context, place)
    if context.api.websocket and (context.route ~= nil or not is_connections(place.path)) then
        local route, reason, status = find_route(context, place)
        return route and "execute-api:Invoke", route or reason, status
    end
    local method, reason, status = check_method(context.http and context.http.method)
    if not method then
        return nil, reason, status
    end
    local action = context.api.websocket and "ManageConnections" or "Invoke"
    return "execute-api:" .. action, method .. place.path
end


-- Whether the client wants the cache renewed. A host that dropped headers may have dropped that
-- one, and one question more can only narrow.
local function renews_cache(context)
    local http = context.http or {}
    if http.headers_truncated then
        return true
    end
    for _, value in ipairs(http.headers and http.headers["cache-control"] or {}) do
        for directive in value:lower():gmatch("[^,]+") do
            if directive:find("^%s*max%-age%s*=%s*\"?0+\"?%s*$") then
                return true
            end
        end
    end
    return false
end


local NEEDED = { "id", "account", "region" }

local function check_api(api)
    for _, member in ipairs(NEEDED) do
        if type(api) ~= "table" or type(api[member]) ~= "string" then
            return nil, ("the API has no `%s`"):format(member), FAULT
        end
    end
    return true
end


-- `also` holds further questions about the same call. The one about the cache counts where the
-- stage has a cache and demands authorization for renewing it; elsewhere the header has no effect,
-- or everybody may.
local function resolve(context)
    local ok, reason, status = check_api(context.api)
    if not ok then
        return nil, reason, status
    end
    local place
    place, reason, status = locate(context)
    if not place then
        return nil, reason, status
    end
    local action, rest
    action, rest, status = ask(context, place)
    if not action then
        return nil, rest, status
    end
    local api = context.api
    local resource = ("arn:%s:execute-api:%s:%s:%s/%s/%s"):format(
        api.partition or "aws", api.region, api.account, api.id, place.stage, rest)
    if #resource > MAX_ARN then
        return nil, ("the ARN of the method is longer than %d bytes"):format(MAX_ARN), TOO_LONG
    end
    place.action, place.resource = action, resource
    -- Of an API where nobody asks about it the headers need not be read.
    if not api.websocket and api.asks_renewal ~= false and renews_cache(context) then
        place.also = { { action = "execute-api:InvalidateCache", resource = resource } }
    end
    return place
end


-- What is known of a call before it comes, when everything else about it is method and path.
local function plan(api, stage)
    if api.websocket or api.cache_invalidation or next(api.domains or {}) ~= nil
        or not contains(api.stages or {}, stage) then
        return nil
    end
    return {
        action = "execute-api:Invoke",
        before = ("arn:%s:execute-api:%s:%s:"):format(api.partition or "aws", api.region,
                                                      api.account),
        after = "/" .. stage .. "/",
        methods = USUAL, longest = MAX_ARN,
    }
end


local function check(config)
    local name = next(config or {})
    if name ~= nil then
        return nil, ("unknown option `%s`: there are none"):format(tostring(name))
    end
    return true
end


return {
    kind = "services",
    name = "execute-api",
    api = 1,
    check = check,
    resolve = resolve,
    plan = plan,
    data = {
        max_arn = MAX_ARN,
        actions = { "execute-api:Invoke", "execute-api:InvalidateCache",
                    "execute-api:ManageConnections" },
    },
}
