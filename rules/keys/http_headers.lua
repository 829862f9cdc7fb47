-- The request as HTTP: `http:Method`, `http:Host`, `http:Path`, and `http:Header/NAME`, a list of
-- all values of a header, of those that the options name.
--
-- Options: `headers`, the names that policies may read; `set_by_gateway`, names that the gateway
-- itself sets for the backend: what a client sends under them is a forgery, and no policy reads
-- it.
--
-- A header is whatever the client chose to send. It can narrow (deny what lacks it), and it proves
-- something only where a proxy in front sets it and removes the client's. A header that a policy
-- asks for and the options do not name fails the decision, so that no typo makes it absent.

local OPTIONS = { headers = true, set_by_gateway = true }

-- RFC 9110, section 7.6.1, and RFC 2616, section 13.5.1: these speak of one connection, and the
-- next hop sees others. And what proxies say of the client is for who knows the proxies: the pack
-- `network` reads X-Forwarded-For, of listed ones.
local NEVER = {}
for _, name in ipairs({
    "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization",
    "te", "trailer", "transfer-encoding", "upgrade", "content-length", "host", "forwarded",
    "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-real-ip",
}) do
    NEVER[name] = true
end


local function names_of(list)
    local names = {}
    for _, name in ipairs(list or {}) do
        names[name:lower()] = true
    end
    return names
end


local function check(config)
    for option, list in pairs(config) do
        if not OPTIONS[option] then
            return nil, ("unknown option `%s`: there are `headers`, `set_by_gateway`")
                :format(tostring(option))
        elseif type(list) ~= "table" then
            return nil, ("`%s` is a %s: give a list of names"):format(option, type(list))
        end
        for _, name in ipairs(list) do
            if type(name) ~= "string" or not name:find("^[%w!#$%%&'*+.^_`|~-]+$") then
                return nil, ("`%s`: `%s` is not the name of a header"):format(option,
                                                                             tostring(name))
            end
        end
    end
    local forged = names_of(config.set_by_gateway)
    for name in pairs(names_of(config.headers)) do
        if NEVER[name] then
            return nil, ("`headers`: `%s` says something of one connection or is set by proxies: "
                .. "leave it out"):format(name)
        elseif forged[name] then
            return nil, ("`headers`: `%s` is also in `set_by_gateway`: leave one out"):format(name)
        end
    end
    return true
end


local function start(config)
    return { readable = names_of(config.headers) }
end


-- A client that names a header in Connection tells the next proxy to remove it: what the policy
-- saw, the backend would not.
local function is_of_connection(headers, name)
    for _, value in ipairs(headers.connection or {}) do
        for listed in value:lower():gmatch("[^, \t]+") do
            if listed == name then
                return true
            end
        end
    end
    return false
end


local function header(context, name, _, tools)
    local http = context.http
    local headers = http and http.headers or {}
    if not tools.state.readable[name] then
        return nil, ("the header `%s` is not in `headers`: name it in the estate"):format(name)
    elseif http and http.headers_truncated then
        -- A host that stops counting headers may have dropped one of these (OpenResty: after 100).
        return nil, "not all headers of the request are known"
    end
    local values = headers[name]
    if not values or #values == 0 then
        return nil
    elseif is_of_connection(headers, name) then
        return nil, ("the header Connection names `%s`, so the backend would not see it")
            :format(name)
    end
    local list = {}
    for i, value in ipairs(values) do
        list[i] = value
    end
    return list
end


local function member(name)
    return function(context)
        return context.http and context.http[name]
    end
end


-- One spelling of a host: in lower case, without port and final dot, as the gateway compares them.
local function host(context)
    local text = context.http and context.http.host
    return text and (text:lower():gsub(":%d+$", ""):gsub("%.$", ""))
end


return {
    kind = "keys",
    name = "http_headers",
    api = 1,
    check = check,
    start = start,
    types = {
        ["http:Method"] = "string",
        ["http:Host"] = "string",
        ["http:Path"] = "string",
        ["http:Header/"] = "string[]",
    },
    keys = {
        ["http:Method"] = member("method"),
        ["http:Host"] = host,
        ["http:Path"] = member("path"),
    },
    prefixes = { ["http:Header/"] = header },
}
