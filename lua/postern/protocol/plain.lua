--- Plain calls: requests to an estate as JSON, in the form most of them have, read without a
-- document.
--
-- A plain call has no members but texts and headers, in ASCII and with hardly an escape;
-- `http/include/postern_http.h` has the rule. It is read in C, in one pass. What is not plain may
-- be right or wrong: `postern.protocol.call` reads everything.
--
-- *Dependencies*: postern.ffi, postern.document, postern.protocol.call
--
-- @module postern.protocol.plain
local ffi = require("ffi")
local core = require("postern.ffi")
local document = require("postern.document")
local calls = require("postern.protocol.call")

-- Loaded here and not when first used: a call through a value that can change does not compile.
local available, lib = pcall(core.http)
local string_of = ffi.string


local _M = {}


local one = available and ffi.new("postern_http_call") or nil
local list_type = available and ffi.typeof("postern_http_call[?]") or nil
local bytes_type = ffi.typeof("char[?]")


-- Bytes of a call in a list: hardly one has less, and none: `{"api":""},`.
local USUAL, SHORTEST = 120, 11

-- A list of a longer text is not kept.
local MOST_SPARE = 262144

-- What is unescaped goes there; a longer call is read by others.
local ROOM = 65536
local room = ffi.new("char[?]", ROOM)


local function read_one(text, length)
    return available and length <= ROOM
        and lib.postern_http_read_call(text, length, room, one) ~= 0
end


-- Calls at the end of functions are in brackets here: compiled code takes only so many tail calls.
local function text_of(span)
    if span.text == nil then
        return nil
    end
    return (string_of(span.text, span.length))
end


local function fill(request, call)
    request.api, request.stage = text_of(call.api), text_of(call.stage)
    request.method, request.path = text_of(call.method), text_of(call.path)
    request.raw_path, request.host = text_of(call.raw_path), text_of(call.host)
    request.scheme, request.peer = text_of(call.scheme), text_of(call.peer)
    request.client_ip, request.vpce = text_of(call.client_ip), text_of(call.vpce)
    request.principal = text_of(call.principal)
    return request
end


-- They are read when somebody wants to know them, as `call` would have read them.
local function headers_of(call)
    local text = text_of(call.headers)
    if not text then
        return nil
    end
    return function()
        local doc, err = document.new(text, "headers")
        if not doc then
            return nil, tostring(err)
        end
        return calls.headers(doc, doc:root())
    end
end


-- The one request that is asked about at once; whoever is asked keeps nothing of it.
local passing = {}

--- Reads a call, for whoever decides at once.
-- @tparam cdata text
-- @tparam number length
-- @treturn table|nil a request without headers, as for `decide_plain` of `postern.estate`;
-- good until the next one is read. nil: it is not plain
function _M.passing(text, length)
    if not read_one(text, length) then
        return nil
    end
    return (fill(passing, one))
end


--- Reads a call.
-- @tparam string text
-- @treturn table|nil a request for `estate:authorize`, its headers being a function
function _M.read(text)
    if not read_one(text, #text) then
        return nil
    end
    local request = fill({}, one)
    request.headers = headers_of(one)
    return request
end


-- A list that nobody uses at the moment. While one waits for a decision, another makes a new one.
local spare

local function new_list(places, size)
    return { calls = list_type(places), places = places, unescaped = bytes_type(size), size = size,
             count = 0, text = nil }
end


local function take_list(places, size)
    local list = spare
    spare = nil
    if list and list.places >= places and list.size >= size then
        return list
    end
    return new_list(places, size)
end


--- Gives a list back, which is not used any more.
-- @tparam List list
function _M.done(list)
    list.text = nil
    if list.size <= MOST_SPARE then
        spare = list
    end
end


--- Reads a list of calls.
-- @tparam string text
-- @tparam number most
-- @treturn List|nil with `count`, for `item` and `passing_item`; nil: not all of them are plain
function _M.list(text, most)
    if not available then
        return nil
    end
    local list = take_list(math.min(most, math.floor(#text / USUAL) + 8), #text)
    list.count = lib.postern_http_read_calls(text, #text, list.unescaped, list.calls,
                                             math.min(most, list.places))
    if list.count < 0 and list.places < most then
        list = new_list(math.min(most, math.floor(#text / SHORTEST) + 1), #text)
        list.count = lib.postern_http_read_calls(text, #text, list.unescaped, list.calls,
                                                 list.places)
    end
    if list.count < 0 then
        return nil
    end
    list.text = text -- the calls point into it
    return list
end


--- A call of a list, for whoever decides at once.
-- @tparam List list
-- @tparam number i from 1
-- @treturn table as `passing`
function _M.passing_item(list, i)
    return (fill(passing, list.calls[i - 1]))
end


--- A call of a list.
-- @tparam List list
-- @tparam number i from 1
-- @treturn table as `read`
function _M.item(list, i)
    local request = fill({}, list.calls[i - 1])
    request.headers = headers_of(list.calls[i - 1])
    return request
end


return _M
