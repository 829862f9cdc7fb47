--- Entries: the shortest way from Lua to the decision of one set.
--
-- For plugins that ask one set about calls of one kind. What stays the same is said once; of each
-- call the texts that differ are handed in as they are, and the core joins them:
--
--     local entry = assert(postern.entry.new(set, {
--         resource = { "arn:aws:execute-api:eu-central-1:111122223333:", "/", "/", "" },
--         keys = { "aws:SourceIp", "aws:SourceVpce" },
--     }))
--     if entry:decide(nil, "execute-api:Invoke", api, stage, method, path, ip, vpce)
--         == entry.ALLOWED then ... end
--
-- A decision is one call of the core and makes no garbage, with the compiler and without. An entry
-- that is made while the compiler is off calls the core by Lua's own C interface.
--
-- *Dependencies*: postern.ffi
--
-- @module postern.entry
local ffi = require("ffi")
local core = require("postern.ffi")

local lib = core.lib


local _M = {}
local Entry = {}
Entry.__index = Entry


--- How many pieces a resource has at most, and how many values a call.
_M.PIECES = lib.POSTERN_ENTRY_PIECES
_M.VALUES = lib.POSTERN_ENTRY_VALUES

--- The outcome that is an allow; every other one is not.
_M.ALLOWED = lib.POSTERN_ALLOWED
Entry.ALLOWED = lib.POSTERN_ALLOWED


local OPTIONS = { resource = true, keys = true, keep = true, absent = true }

local OK = lib.POSTERN_OK

-- What a refused text is told; the core's status alone says little to a person.
local REFUSALS = {
    [lib.POSTERN_NO_MEMORY] = "out of memory",
    [lib.POSTERN_LIMIT] = "too long",
    [lib.POSTERN_VALUE] = "not valid UTF-8",
}

local err = ffi.new("postern_error")

local function free(handle)
    lib.postern_entry_free(handle)
end


local function check_list(options, name, most)
    local list = options[name] or {}
    for i, text in ipairs(list) do
        if type(text) ~= "string" then
            error(("`%s`: item %d is a %s: give a text"):format(name, i, type(text)), 4)
        end
    end
    if most and #list > most then
        error(("`%s` has %d items: there may be %d"):format(name, #list, most), 4)
    end
    return list
end


local function check_options(options)
    for name in pairs(options) do
        if not OPTIONS[name] then
            error(("unknown option `%s`"):format(tostring(name)), 3)
        end
    end
    for key, value in pairs(options.keep or {}) do
        if type(key) ~= "string" or type(value) ~= "string" then
            error("`keep`: give texts by the names of keys", 3)
        end
    end
    check_list(options, "resource", _M.PIECES)
    check_list(options, "keys", _M.VALUES)
    check_list(options, "absent")
end


-- Every key of the set has to be accounted for: one that is forgotten would be absent, which a Deny
-- may not expect.
local function forgotten_key(set, options)
    local named = {}
    local function name_it(name)
        local key = set:find_key(name)
        if key and named[key] then
            return name
        end
        named[key or -1] = key and true
    end
    local twice
    for _, name in ipairs(options.keys or {}) do
        twice = twice or name_it(name)
    end
    for name in pairs(options.keep or {}) do
        twice = twice or name_it(name)
    end
    for _, name in ipairs(options.absent or {}) do
        twice = twice or name_it(name)
    end
    if twice then
        return ("the key `%s` is named twice"):format(twice)
    end
    for i, name in ipairs(set:keys()) do
        if not named[i - 1] then
            return ("the set asks for `%s`: name it in `keys`, `keep` or `absent`"):format(name)
        end
    end
    return nil
end


local function refused(what, status)
    return nil, ("%s: %s"):format(what, REFUSALS[status])
end


--- Makes an entry of a set.
-- @tparam Set set
-- @tparam[opt] table options `resource` (what stands in front of each piece of the resource, a list
-- of at most four texts), `keys` (the condition keys that values of each call come for, in their
-- order, at most four), `keep` (key to value: what stays the same until it is kept anew), `absent`
-- (keys that no call has). Each key that the set mentions has to be in one of them; others may be
-- @treturn Entry|nil
-- @treturn string why not: a key of the set that is in none, or twice; a text that cannot be taken;
-- out of memory
function _M.new(set, options)
    options = options or {}
    check_options(options)
    local wrong = forgotten_key(set, options)
    if wrong then
        return nil, wrong
    end
    local handle = core.own(lib.postern_entry_new(set.handle, nil, err), free)
    if not handle then
        return nil, tostring(core.failure("entry", err))
    end
    local self = setmetatable({
        handle = handle,
        set = set, -- must outlive the handle
        result = lib.postern_entry_decision(handle),
        -- Where nothing is compiled, a call by FFI is dear.
        decide = not jit.status() and core.bridge(handle) or nil,
    }, Entry)
    for i, text in ipairs(options.resource or {}) do
        local status = lib.postern_entry_between(handle, i - 1, text, #text)
        if status ~= OK then
            return refused(("`resource`: item %d cannot be taken"):format(i), status)
        end
    end
    for i, name in ipairs(options.keys or {}) do
        lib.postern_entry_key(handle, i - 1, set:find_key(name) or -1)
    end
    for name, text in pairs(options.keep or {}) do
        local ok, why = self:keep(name, text)
        if not ok then
            return nil, why
        end
    end
    return self
end


--- Keeps a value for a key, for every call from now on.
-- @tparam string name of a key, in any letter case; one that the set does not mention changes
-- nothing
-- @tparam string|nil text nil: the key is absent
-- @treturn true|nil
-- @treturn string why not: the text is too long or not UTF-8; what was kept before stays
function Entry:keep(name, text)
    local key = self.set:find_key(name)
    if not key then
        return true
    end
    local status = lib.postern_entry_keep(self.handle, key, text, text and #text or 0)
    if status ~= OK then
        return refused(("`%s`: the value cannot be taken"):format(name), status)
    end
    return true
end


--- Decides a call.
-- @tparam string|nil principal who asks; nil is `*`
-- @tparam string action
-- @tparam string a first piece of the resource
-- @tparam string|nil b
-- @tparam string|nil c
-- @tparam string|nil d
-- @tparam string|nil v the value of the first of `keys`; nil: what is kept for it, or absent
-- @tparam string|nil w
-- @tparam string|nil x
-- @tparam string|nil y
-- @treturn number outcome, a key of `outcomes` of `postern.request`; nothing but `ALLOWED` lets
-- pass. What cannot be taken is denied, and `last` has the status
function Entry:decide(principal, action, a, b, c, d, v, w, x, y)
    return lib.postern_entry_decide(self.handle, principal, principal and #principal or 0,
        action, #action, a, #a, b, b and #b or 0, c, c and #c or 0, d, d and #d or 0,
        v, v and #v or 0, w, w and #w or 0, x, x and #x or 0, y, y and #y or 0)
end


--- The rest of the last decision.
-- @treturn number how the principal was matched, a key of `matches` of `postern.request`
-- @treturn number the deciding statement, or -1
-- @treturn number undecided: the key that is needed, else -1
-- @treturn number status; not 0: the call could not be asked about, hence it was denied
function Entry:last()
    local result = self.result
    return result.match, result.statement, result.key, result.status
end


return _M
