--- Postern: decides requests with AWS policy documents.
--
--     local postern = require("postern")
--     local set = assert(postern.compile(policy_text))
--     local flow = assert(postern.flow{ resource = set })
--     local decision = flow:decide{ action = "execute-api:Invoke", resource = arn }
--     if not decision.allowed then print(decision:explain()) end
--
--     local estate = assert(postern.open("estate.lua"))
--     local decision = estate:authorize{ api = "a1b2c3d4e5", path = "/dev/pets", vpce = "vpce-1" }
--
-- *Dependencies*: postern.ffi, postern.host.plain, postern.document, postern.glob, postern.cidr,
-- postern.set, postern.request, postern.entry, postern.rules, postern.flow, postern.estate
--
-- @module postern
local core = require("postern.ffi")
local plain = require("postern.host.plain")
local document = require("postern.document")
local glob = require("postern.glob")
local cidr = require("postern.cidr")
local set = require("postern.set")
local request = require("postern.request")
local entry = require("postern.entry")
local rules = require("postern.rules")
local flow = require("postern.flow")
local estate = require("postern.estate")


local _M = {
    --- The version of the core.
    version = core.version,
    --- The strict JSON reader, see `postern.document`.
    document = document,
    --- The pattern matcher, see `postern.glob`.
    glob = glob,
    --- The address matcher, see `postern.cidr`.
    cidr = cidr,
    --- Requests for the hot path, see `postern.request`.
    request = request,
    --- One set and the calls of one kind, see `postern.entry`.
    entry = entry,
}


--- Opens an estate, the gateway as configured; see `postern.estate` and docs/estate.md.
-- @tparam string path the estate's file
-- @tparam[opt] table options `read` (a reader), `now` (a clock), `log` (`function(message)`) and
-- `host` (what rule packs may wait with); by default all are plain Lua's, where waiting blocks
-- @treturn Estate|nil `estate:authorize(request)` answers a decision; `estate:close()` ends it
-- @treturn Problems every problem; as text one line each
function _M.open(path, options)
    options = options or {}
    return estate.open(path, {
        read = options.read or plain.read, now = options.now or plain.now,
        log = options.log or plain.log, host = options.host or plain.new(),
    })
end


--- Compiles policies into a set; see `compile` of `postern.set`.
-- @tparam string|{table,...} source
-- @tparam[opt] table options
-- @treturn Set|nil
-- @treturn table why not; as text `name:line:column: message`
_M.compile = set.compile


--- Combines the sets of several gates, so that requests can be decided.
-- @tparam table gates gate to set; see `new` of `postern.flow`
-- @tparam[opt] table options `flow` (the name of a shipped flow pack), `config` (what it takes),
-- `read` (a reader) and `now` (a clock; by default both are plain Lua's), and `authorizer`,
-- `authorizer_key`, `fill_keys` of `postern.flow`
-- @treturn Flow|nil
-- @treturn string why not
function _M.flow(gates, options)
    options = options or {}
    local pack, err = rules.load("flows", options.flow or flow.DEFAULT, options.read or plain.read)
    if not pack then
        return nil, err
    end
    return flow.new(pack, gates, options.config, {
        authorizer = options.authorizer, authorizer_key = options.authorizer_key,
        fill_keys = options.fill_keys, now = options.now or plain.now,
    })
end


return _M
