--- The rule packs of an estate: shipped ones, and those it names, each with its configuration.
--
-- *Dependencies*: postern.config, postern.rules
--
-- @module postern.packs
local configs = require("postern.config")
local rules = require("postern.rules")


local _M = {}
local Packs = {}
Packs.__index = Packs


-- What an estate has without naming it. A pack of one's own of the same kind and name replaces a
-- shipped one.
local SHIPPED = {
    { "keys", "network" }, { "keys", "time" }, { "keys", "transport" }, { "keys", "headers" },
    { "keys", "identity" }, { "keys", "resource" }, { "services", "execute_api" },
    { "flows", "api_gateway" }, { "flows", "s3" }, { "flows", "dynamodb" }, { "flows", "generic" },
    { "flows", "iam" }, { "tables", "endpoint_services" }, { "tables", "system_keys" },
}

-- Identities are named by a word of their own, in the order in which they are asked.
local BY_RULES = { keys = true, hooks = true, services = true, flows = true, tables = true }

-- Of these kinds one's own packs can only replace shipped ones.
local SINGULAR = { services = true, tables = true }


--- Makes the collection.
-- @tparam function read a host's reader
-- @tparam[opt] function pause called between two packs
-- @treturn Packs `by_name`: `kind/name` to `{pack, config, limits}`; `order`: the names, in the
-- order of loading
function _M.new(read, pause)
    return setmetatable({
        read = read, pause = pause or function() end, by_name = {}, order = {}, named = {},
    }, Packs)
end


-- A path names a private pack, `kind/name` a shipped one, `name` one of the kind that is wanted.
local function load_pack(self, entry, kind)
    local name = entry.value
    if name:match("%.lua$") then
        return rules.load_file(configs.resolve(name, entry.file), self.read, kind,
                               entry.members.limits)
    elseif kind then
        return rules.load(kind, name, self.read)
    end
    local shipped_kind, shipped = name:match("^([%w_]+)/([%w_]+)$")
    if not BY_RULES[shipped_kind or ""] then
        return nil, "give the path of a pack, ending in .lua, or `kind/name` of a shipped one"
    end
    return rules.load(shipped_kind, shipped, self.read)
end


-- The members that are the pack's own. Those that name files name them as seen from the estate.
local function config_of(entry, pack)
    local config = {}
    for name, value in pairs(entry.members) do
        if name ~= "limits" then
            config[name] = value
        end
    end
    for _, name in ipairs(pack.files or {}) do
        if type(config[name]) == "string" and config[name] ~= "-" then
            config[name] = configs.resolve(config[name], entry.file)
        end
    end
    return config
end


local function check_config(pack, config)
    local called, ok, err = pcall(pack.check, config)
    if not called or not ok then
        return nil, tostring(called and err or ok)
    end
    return true
end


local function put(self, pack, config, limits)
    local name = pack.kind .. "/" .. pack.name
    if not self.by_name[name] then
        self.order[#self.order + 1] = name
    end
    self.by_name[name] = { pack = pack, config = config, limits = limits }
end


--- Loads the shipped packs that every estate has.
-- @treturn boolean|nil true
-- @treturn string why not
function Packs:load_shipped()
    for _, shipped in ipairs(SHIPPED) do
        local pack, err = rules.load(shipped[1], shipped[2], self.read)
        local ok = pack
        if pack then
            ok, err = check_config(pack, {})
        end
        if not ok then
            return nil, err
        end
        put(self, pack, {})
        self.pause()
    end
    return true
end


local function check_place(self, pack)
    local name = pack.kind .. "/" .. pack.name
    if pack.kind == "identities" then
        return nil, "an identity pack is named by the word `identity`"
    elseif SINGULAR[pack.kind] and not self.by_name[name] then
        return nil, ("nothing asks for a %s pack named `%s`"):format(pack.kind, pack.name)
    elseif self.named[name] then
        return nil, ("the pack `%s` is given twice: give it once"):format(name)
    end
    self.named[name] = true
    return true
end


local function check_limits(entry, pack)
    local limits = entry.members.limits
    if limits == nil then
        return true
    elseif type(limits) ~= "table" then
        return nil, ("`limits` is a %s: give a table"):format(type(limits))
    elseif pack and pack.kind ~= "keys" and pack.kind ~= "hooks" then
        return nil, "`limits` belongs to packs of keys and hooks"
    end
    return rules.check_limits(limits)
end


--- Adds a pack that the word `rules` names.
-- @tparam table entry `value`, `members` and `file` of the word
-- @treturn boolean|nil true
-- @treturn string why not
function Packs:add(entry)
    local ok, err = check_limits(entry)
    local pack = nil
    if ok then
        pack, err = load_pack(self, entry)
        ok = pack
    end
    if ok then
        ok, err = check_place(self, pack)
    end
    if ok then
        ok, err = check_limits(entry, pack)
    end
    if not ok then
        return nil, err
    end
    local config = config_of(entry, pack)
    ok, err = check_config(pack, config)
    if not ok then
        return nil, err
    end
    put(self, pack, config, entry.members.limits)
    return true
end


--- Loads a pack that the word `identity` names. Its configuration is checked by whoever runs it.
-- @tparam table entry as for `add`
-- @treturn table|nil the pack
-- @treturn string why not
function Packs:load_identity(entry)
    if entry.members.limits ~= nil then
        return nil, "`limits` belongs to packs of keys and hooks"
    end
    return load_pack(self, entry, "identities")
end


return _M
