--- What rule packs are handed to work with, since they can require nothing.
--
-- Everything here is a plain function of a table `tools`. What waits (`http`, `sleep`, ...) is the
-- host's: it yields where the host has a loop, and blocks where it has none. A budget is put aside
-- while a tool works. What waits or opens something is not counted, what only computes is: asked in
-- a circle it would hold the worker as well.
--
-- *Dependencies*: postern.glob, postern.cidr, postern.decision, postern.crypto, postern.clock,
-- postern.mmdb, postern.budget
--
-- @module postern.tools
local cjson = require("cjson.safe").new()
local globs = require("postern.glob")
local cidrs = require("postern.cidr")
local decisions = require("postern.decision")
local crypto = require("postern.crypto")
local clocks = require("postern.clock")
local mmdb = require("postern.mmdb")
local budgets = require("postern.budget")

-- What nests deeper than a context may is no attribute of anybody.
local MOST_DEEP = 32

-- What may be written as JSON: so many values, and a long text counts like more of them. That is
-- about a MiB.
local MOST_VALUES, BYTES_A_VALUE = 65536, 16

-- Bytes of a line for the operator.
local LONGEST_LINE = 4096

-- JSON has no NaN.
cjson.decode_invalid_numbers(false)
cjson.encode_invalid_numbers(false)
cjson.decode_max_depth(MOST_DEEP)


local _M = {}


-- Operations of a host, by method. Those that wait are for lazy packs only: nobody limits how long
-- a hook or a cheap provider takes.
local WAITING = { "sleep", "http", "resolve", "connect", "work" }


local function missing(name)
    return function()
        return nil, ("this host has no `%s`"):format(name)
    end
end


-- What only computes, and what methods its objects show.
local CHARGED = { "sha256", "hmac_sha256", "equal", "hex", "base64_decode", "json_decode",
                  "json_encode", "principal", "now", "log", "local_time", "cidr", "glob" }
local METHODS = {
    cidr = { "match" }, glob = { "match" }, mmdb = { "lookup" },
    connect = { "send", "receive", "close" }, open = { "authorize" },
    writer = { "write", "close" },
}

local is_charged = {}
for _, name in ipairs(CHARGED) do
    is_charged[name] = true
end


-- An object's methods, called as the tool itself is.
local function shown_methods(object, names, call)
    local shown = {}
    for _, name in ipairs(names) do
        shown[name] = function(_, ...)
            return call(object[name], object, ...)
        end
    end
    return shown
end


local function made(methods, call, object, ...)
    if object == nil then
        return nil, ...
    end
    return shown_methods(object, methods, call)
end


-- The tool as a pack calls it.
local function as_tool(name, fn)
    local call = is_charged[name] and budgets.charged or budgets.outside
    local methods = METHODS[name]
    if methods then
        return function(...)
            return made(methods, call, call(fn, ...))
        end
    end
    return function(...)
        return call(fn, ...)
    end
end


-- ---- What packs hand in ------------------------------------------------------


-- A text that a pack puts together from what a client sent stays on its line.
local function one_line(message)
    message = tostring(message)
    if #message > LONGEST_LINE then
        message = message:sub(1, LONGEST_LINE) .. "..."
    end
    return (message:gsub("%c", "?"))
end


-- What is left of MOST_VALUES when a value has been counted, nil when it is too much. A table that
-- is there twice is written twice, so this is no matter of memory.
local function count_values(value, left, depth)
    left = left - (type(value) == "string" and 1 + #value / BYTES_A_VALUE or 1)
    if left < 0 or depth > MOST_DEEP then
        return nil
    elseif type(value) == "table" then
        for name, member in next, value do
            left = left and count_values(name, left, depth)
            left = left and count_values(member, left, depth + 1)
            if not left then
                return nil
            end
        end
    end
    return left
end


local function json_encode(value)
    if not count_values(value, MOST_VALUES, 1) then
        return nil, "too large or nested too deep"
    end
    return cjson.encode(value)
end


local function text_principal(principal)
    return function(arn)
        if type(arn) ~= "string" then
            return nil, ("the principal is a %s: give an ARN"):format(type(arn))
        end
        return principal(arn)
    end
end


-- Another estate as packs see it: what it decides, and nothing of its policies.
local function opener(open)
    return function(path)
        local estate, err = open(path)
        if not estate then
            return nil, err
        end
        return { authorize = function(_, request)
            return decisions.view(estate:authorize(request))
        end }
    end
end


-- Bytecode is not verified when it is loaded.
local function text_only(work)
    return function(source, ...)
        if type(source) ~= "string" or source:sub(1, 1) == "\27" then
            return nil, "give the text of a function"
        end
        return work(source, ...)
    end
end


local function pure_tools(host)
    return {
        sha256 = crypto.sha256, hmac_sha256 = crypto.hmac_sha256, equal = crypto.equal,
        hex = crypto.hex, base64_decode = crypto.base64_decode,
        json_decode = cjson.decode, json_encode = json_encode,
        cidr = cidrs.new, glob = globs.new, mmdb = mmdb.open,
        local_time = clocks.new({ read = host.read }),
    }
end


--- Makes the tools that all packs of an estate share.
-- @tparam table host `read(path)` and `now()`, plain functions; `operations`, the host itself,
-- whose methods may wait (any of them may be missing); `log(message)`; `open(path)`, another
-- estate, or nil and why not; `principal(arn)`
-- @treturn table
-- @treturn {Writer,...} the line writers that packs open, as they do
function _M.new(host)
    local writers, all = {}, pure_tools(host)
    all.now, all.open = host.now, host.open and opener(host.open)
    all.log = function(message)
        host.log(one_line(message))
    end
    all.principal = text_principal(host.principal)
    local operations = host.operations or {}
    for _, name in ipairs(WAITING) do
        all[name] = operations[name] and function(...)
            return operations[name](operations, ...)
        end or missing(name)
    end
    all.work = text_only(all.work)
    all.writer = operations.writer and function(...)
        local opened, err = operations:writer(...)
        writers[#writers + 1] = opened
        return opened, err
    end or missing("writer")
    local tools = {}
    for name, fn in pairs(all) do
        tools[name] = as_tool(name, fn)
    end
    return tools, writers
end


--- Makes the tools of one pack: a table of its own.
-- @tparam table shared of `new`
-- @tparam table members `limits`, and later `state` and `previous`
-- @tparam boolean waits the pack may wait
-- @treturn table
function _M.of_pack(shared, members, waits)
    local tools = {}
    for name, tool in pairs(shared) do
        tools[name] = tool
    end
    for _, name in ipairs(waits and {} or WAITING) do
        tools[name] = function()
            return nil, ("`%s` waits, which only a lazy keys pack may do"):format(name)
        end
    end
    for name, value in pairs(members) do
        tools[name] = value
    end
    return tools
end


return _M
