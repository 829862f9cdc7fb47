--- Rule packs as a host hands them what they need, for their specs.
--
-- A stand-in for the engine: the environment of a pack, its `tools` from real modules with fakes
-- for everything that would reach out, and `start` before the first question.

local cjson = require("cjson.safe").new()
local cidrs = require("postern.cidr")
local clocks = require("postern.clock")
local crypto = require("postern.crypto")
local globs = require("postern.glob")
local identities = require("postern.identities")
local mmdb = require("postern.mmdb")
local plain = require("postern.host.plain")

cjson.decode_invalid_numbers(false)

local _M = {}


-- What a pack may have; anything else is a mistake.
local MEMBERS = {
    kind = true, name = true, api = true, check = true, start = true, stop = true, lazy = true,
    types = true, cache = true, limits = true, keys = true, prefixes = true, files = true,
    plan = true, priority = true, before = true, after = true, log = true,
}

local NAMES = { "assert", "error", "ipairs", "next", "pairs", "select", "tonumber", "tostring",
                "type", "unpack", "string", "table", "math" }


--- Loads a shipped pack.
-- @tparam string name `keys/geoip`
-- @treturn table
function _M.load(name)
    local env = {}
    for _, word in ipairs(NAMES) do
        env[word] = _G[word]
    end
    local path = ("rules/%s.lua"):format(name)
    local pack = assert(load(assert(plain.read(path)), "@" .. path, "t", env))()
    for member in pairs(pack) do
        assert(MEMBERS[member], "unknown member " .. tostring(member))
    end
    assert(name == pack.kind .. "/" .. pack.name, "its name is not that of its file")
    return pack
end


local local_time = clocks.new({ read = plain.read })


--- The tools of a pack. `logged` holds what it told the operator; `at` is the time it is.
-- @tparam[opt] table overrides members in place of the real or fake ones
-- @treturn table
function _M.tools(overrides)
    local tools = {
        at = 1700000000, logged = {},
        sha256 = crypto.sha256, hmac_sha256 = crypto.hmac_sha256, equal = crypto.equal,
        hex = crypto.hex, base64_decode = crypto.base64_decode, principal = identities.principal,
        json_decode = cjson.decode, json_encode = cjson.encode,
        cidr = cidrs.new, glob = globs.new, local_time = local_time, mmdb = mmdb.open,
    }
    function tools.now()
        return tools.at
    end
    function tools.log(message)
        tools.logged[#tools.logged + 1] = message
    end
    for name, value in pairs(overrides or {}) do
        tools[name] = value
    end
    return tools
end


--- Checks a configuration and starts a pack with it.
-- @tparam table pack
-- @tparam table config
-- @tparam[opt] table tools of `tools`
-- @treturn function for a keys pack `ask(key, context)`; for a hooks pack `log(context, decision)`
-- @treturn table tools, with `state`
function _M.start(pack, config, tools)
    tools = tools or _M.tools()
    assert(pack.check(config))
    if pack.start then
        tools.state = assert(pack.start(config, tools))
    end
    if pack.kind == "hooks" then
        return function(context, decision)
            return pack.log(context, decision, config, tools)
        end, tools
    end
    return function(key, context)
        if pack.keys[key] then
            return pack.keys[key](context, config, tools)
        end
        for prefix, provide in pairs(pack.prefixes or {}) do
            if key:sub(1, #prefix) == prefix then
                return provide(context, key:sub(#prefix + 1):lower(), config, tools)
            end
        end
        error("no such key: " .. key)
    end, tools
end


--- Asserts that configurations are refused, each with a piece of the message.
-- @tparam table pack
-- @tparam {{config,string},...} rows
function _M.assert_refused(pack, rows)
    for i, row in ipairs(rows) do
        local ok, err = pack.check(row[1])
        assert(ok == nil, ("row %d is taken"):format(i))
        assert(tostring(err):find(row[2], 1, true),
               ("row %d: expected `%s`, got `%s`"):format(i, row[2], tostring(err)))
    end
end


return _M
