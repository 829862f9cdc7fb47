--- HTTP messages as a server hands them to a protocol, and estates in memory behind them.

local cjson = require("cjson.safe").new()
local luassert = require("luassert")
local estates = require("postern.estate")
local http = require("postern.http")
local messages = require("postern.message")
local plain = require("postern.host.plain")

local _M = {}

local NOW = 1700000000


--- A message. Headers may be given as texts or lists, in any letter case.
-- @tparam string method
-- @tparam string target
-- @tparam[opt] table members `headers`, `body` (a table is written as JSON), `peer`, `tls`, `id`
-- @treturn table
function _M.message(method, target, members)
    members = members or {}
    local headers = { host = { "pdp.example.com" } }
    for name, values in pairs(members.headers or {}) do
        headers[name:lower()] = type(values) == "table" and values or { values }
    end
    local mark = target:find("?", 1, true)
    local body = members.body
    if type(body) == "table" then
        body = assert(cjson.encode(body))
    end
    return {
        method = method, target = target, path = mark and target:sub(1, mark - 1) or target,
        query = mark and target:sub(mark + 1) or nil, headers = headers, body = body,
        peer = members.peer or "127.0.0.1", tls = members.tls, id = members.id,
    }
end


--- A request as it is when everything of it has been asked for.
-- @tparam table request its headers and query may be functions
-- @treturn table
function _M.told(request)
    local told = {}
    for name, value in pairs(request) do
        told[name] = type(value) == "function" and assert(value()) or value
    end
    return told
end


--- A POST of JSON.
function _M.post(target, body, members)
    members = members or {}
    local headers = { ["content-type"] = "application/json" }
    for name, values in pairs(members.headers or {}) do
        headers[name] = values
    end
    return _M.message("POST", target, {
        headers = headers, body = body, peer = members.peer, tls = members.tls, id = members.id,
    })
end


--- Opens an estate whose own files are given; everything else is read from the checkout.
-- @tparam string text of the estate's file
-- @tparam[opt] table files name to text
-- @treturn Estate raises with every problem
function _M.estate(text, files)
    local estate, problems = estates.open("estate.lua", {
        now = function() return NOW end,
        read = function(path)
            if path == "estate.lua" then
                return text
            end
            return files and files[path] or plain.read(path)
        end,
    })
    return estate or error(tostring(problems), 2)
end


-- What decides at once, by the function that decides.
local at_once_of = setmetatable({}, { __mode = "k" })


-- The message as a server has it; nil when no client can send it.
local function sent(message)
    local lines = { ("%s %s HTTP/1.1"):format(message.method, message.target) }
    for name, values in pairs(message.headers) do
        if name ~= "content-length" then
            for _, value in ipairs(values) do
                lines[#lines + 1] = name .. ": " .. value
            end
        end
    end
    lines[#lines + 1] = "content-length: " .. #(message.body or "")
    local made = messages.new({
        reader = http.reader("request"), peer_of = function() return message.peer end,
        new_id = function() return message.id end, tls = message.tls,
    })
    if not made.reader:feed(table.concat(lines, "\r\n") .. "\r\n\r\n" .. (message.body or "")) then
        return nil
    end
    made:take()
    return made
end


--- Answers a message at once, as a server would.
-- @param protocol
-- @tparam table message
-- @tparam function ask of `asker`
-- @return what `handle_at_once` answers; nil where it cannot
function _M.at_once(protocol, message, ask)
    local made = protocol.handle_at_once and at_once_of[ask] and sent(message)
    if not made then
        return nil
    end
    return protocol:handle_at_once(made, at_once_of[ask])
end


-- Whoever answers at once says what he says otherwise.
local function check_at_once(protocol, message, ask, ...)
    local status, headers, body, why = _M.at_once(protocol, message, ask)
    if status then
        luassert.same({ ... }, { status, headers, body, why })
    end
end


--- A function that decides on an estate and keeps what it was asked.
-- @tparam Estate estate
-- @treturn function ask
-- @treturn {table,...} the requests asked so far
function _M.asker(estate)
    local asked = {}
    local function ask(request)
        asked[#asked + 1] = request
        return estate:authorize(request)
    end
    at_once_of[ask] = function(request) return estate:decide_plain(request) end
    return ask, asked
end


--- Answers a message: `{status, headers (name in lower case to value), body, why, json}`.
-- @param protocol
-- @tparam table message
-- @tparam function ask
-- @treturn table
function _M.answer(protocol, message, ask)
    local status, headers, body, why = protocol:handle(message, ask)
    check_at_once(protocol, message, ask, status, headers, body, why)
    local named = {}
    for _, header in ipairs(headers) do
        assert(#header == 2 and not named[header[1]:lower()], "a header twice, or none")
        named[header[1]:lower()] = header[2]
    end
    return { status = status, headers = named, body = body, why = why,
             json = body and cjson.decode(body) }
end


return _M
