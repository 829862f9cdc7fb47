--- Origins: the call that a proxy asks about, as a request to the estate.
--
-- What the proxy says of the call is checked here, whichever way it was said: scheme, host, target
-- and address. The headers of the call are those of the message without the proxy's own, and with
-- the host that was called.
--
-- *Dependencies*: postern.path, postern.protocol.message
--
-- @module postern.protocol.origin
local new_table = require("table.new")
local paths = require("postern.path")
local messages = require("postern.protocol.message")


local _M = {}


local SCHEMES = { http = true, https = true, ws = true, wss = true }

-- The members of a request made here, and those of a mapping.
local MEMBERS = 12


-- The estate takes lists of values by name. Those of the proxy are left out, so that nobody takes
-- them for the client's.
local function headers_of(message, host, own)
    local headers = {}
    for name, values in pairs(message.headers) do
        if not own[name] then
            headers[name] = values
        end
    end
    headers.host = { host }
    return headers
end


-- Most calls are for the host of the one before.
local last_text, last_host

local function host_of(text)
    if text ~= last_text then
        local host, err = paths.host(text)
        if not host then
            return nil, err
        end
        last_text, last_host = text, host
    end
    return last_host
end


-- Nothing here ends in a call, compiled code takes only so many of those.
local function put_call(request, call, host, options)
    request.method, request.raw_path, request.host = call.method, call.target, host
    request.scheme = call.scheme
    if options.vpce then
        request.vpce, request.client_ip = options.vpce, call.address
    else
        request.peer = call.address
    end
    local ok, err = options.mapping:apply(request)
    if not ok then
        return nil, err
    end
    return request
end


-- What was read already: a request may be looked at when the message is gone.
local function answering(value)
    return function() return value end
end


local function check(call)
    local path, query = messages.split(call.target)
    local host, err = host_of(call.host)
    if not path then
        return nil, "the target of the call does not begin with `/`"
    elseif not host then
        return nil, err
    elseif not SCHEMES[call.scheme] then
        return nil, "the scheme of the call is none of http, https, ws and wss"
    end
    return host, query
end


-- The one request that is asked about at once; whoever is asked keeps nothing of it.
local passing = new_table(0, MEMBERS)

--- Makes the request, for whoever decides at once.
-- @tparam table _ the message
-- @tparam table call as for `request`
-- @tparam table options
-- @treturn table|nil without headers and query, as for `decide_plain` of `postern.estate`;
-- good until the next one is made
-- @treturn string why there is none
function _M.passing(_, call, options)
    local host, err = check(call)
    if not host then
        return nil, err
    end
    passing.api, passing.stage, passing.peer = nil, nil, nil
    passing.vpce, passing.client_ip = nil, nil
    local request
    request, err = put_call(passing, call, host, options)
    return request, err
end


--- Makes the request.
-- @tparam table message
-- @tparam table call `method`, `target` (path and query as the client sent them), `host`, `scheme`
-- and `address` (nil where nobody knows it)
-- @tparam table options `mapping`, see `postern.protocol.mapping`; `own`, a set of the header names
-- that are the proxy's; `vpce`, the endpoint that all calls came through, if they did
-- @treturn table|nil
-- @treturn string why there is none
function _M.request(message, call, options)
    local host, query = check(call)
    if not host then
        return nil, query
    end
    local request = new_table(0, MEMBERS)
    if query and query ~= "" then
        request.query = answering(messages.pairs_of(query))
    end
    request.headers = answering(headers_of(message, call.host, options.own))
    return put_call(request, call, host, options)
end


return _M
