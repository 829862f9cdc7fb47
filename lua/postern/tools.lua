--- What rule packs are handed to work with, since they can require nothing.
--
-- Everything here is a plain function of a table `tools`. What waits (`http`, `sleep`, ...) is the
-- host's: it yields where the host has a loop, and blocks where it has none. A budget is put aside
-- while a tool works, so a private pack pays for its own code only.
--
-- *Dependencies*: postern.glob, postern.cidr, postern.crypto, postern.clock, postern.mmdb,
-- postern.budget
--
-- @module postern.tools
local cjson = require("cjson.safe").new()
local globs = require("postern.glob")
local cidrs = require("postern.cidr")
local crypto = require("postern.crypto")
local clocks = require("postern.clock")
local mmdb = require("postern.mmdb")
local budgets = require("postern.budget")

-- JSON has no NaN, and what nests deeper than a context may is no attribute of anybody.
cjson.decode_invalid_numbers(false)
cjson.encode_invalid_numbers(false)
cjson.decode_max_depth(32)


local _M = {}


-- Operations of a host, by method. Those that wait are for lazy packs only: nobody limits how long a
-- hook or a cheap provider takes.
local WAITING = { "sleep", "http", "resolve", "connect", "work" }


local function missing(name)
    return function()
        return nil, ("this host has no `%s`"):format(name)
    end
end


-- An object's methods, each outside of the budget of the pack that calls it.
local function outside_methods(object, names)
    local shown = {}
    for _, name in ipairs(names) do
        shown[name] = function(_, ...)
            return budgets.outside(object[name], object, ...)
        end
    end
    return shown
end


local METHODS = {
    cidr = { "match" }, glob = { "match" }, mmdb = { "lookup" },
    connect = { "send", "receive", "close" }, open = { "authorize" },
    writer = { "write", "close" },
}


local function made(methods, object, ...)
    if object == nil then
        return nil, ...
    end
    return outside_methods(object, methods)
end


-- The tool as a pack calls it.
local function outside(name, fn)
    local methods = METHODS[name]
    if methods then
        return function(...)
            return made(methods, budgets.outside(fn, ...))
        end
    end
    return function(...)
        return budgets.outside(fn, ...)
    end
end


local function pure_tools(host)
    return {
        sha256 = crypto.sha256, hmac_sha256 = crypto.hmac_sha256, equal = crypto.equal,
        hex = crypto.hex, base64_decode = crypto.base64_decode,
        json_decode = cjson.decode, json_encode = cjson.encode,
        cidr = cidrs.new, glob = globs.new, mmdb = mmdb.open,
        local_time = clocks.new({ read = host.read }),
    }
end


--- Makes the tools that all packs of an estate share.
-- @tparam table host `read(path)` and `now()`, plain functions; `operations`, the host itself, whose
-- methods may wait (any of them may be missing); `log(message)`; `open(path)`, another estate, or
-- nil and why not; `principal(arn)`
-- @treturn table
-- @treturn {Writer,...} the line writers that packs open, as they do
function _M.new(host)
    local writers, all = {}, pure_tools(host)
    all.now, all.log, all.open, all.principal = host.now, host.log, host.open, host.principal
    local operations = host.operations or {}
    for _, name in ipairs(WAITING) do
        all[name] = operations[name] and function(...)
            return operations[name](operations, ...)
        end or missing(name)
    end
    all.writer = operations.writer and function(...)
        local opened, err = operations:writer(...)
        writers[#writers + 1] = opened
        return opened, err
    end or missing("writer")
    local tools = {}
    for name, fn in pairs(all) do
        tools[name] = outside(name, fn)
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
