--- Rule packs: finding, loading and checking them.
--
-- A pack is a file that returns a plain table. It sees pure functions only, does no I/O and
-- requires nothing; what it needs it gets as arguments. That keeps packs simple and is no sandbox:
-- a pack is code one trusts.
--
-- *Dependencies*: none (the reader is handed in)
--
-- @module postern.rules

local _M = {}


--- The version of the contract between packs and this release.
_M.API = 1


-- What each kind of pack has, with the type of each member. Anything else in a pack is a mistake.
local CONTRACTS = {
    flows = {
        kind = "string", name = "string", api = "number", check = "function",
        gates = "table", caller = "function", decide = "function",
    },
}

local PURE = { "assert", "error", "ipairs", "next", "pairs", "select", "tonumber", "tostring",
               "type", "unpack" }
local LIBRARIES = { "string", "table", "math" }


local function copy(from)
    local to = {}
    for name, value in pairs(from) do
        to[name] = value
    end
    return to
end


-- A fresh one for each pack, so that no pack can change what another sees.
local function environment()
    local env = {}
    for _, name in ipairs(PURE) do
        env[name] = _G[name]
    end
    for _, name in ipairs(LIBRARIES) do
        env[name] = copy(_G[name])
    end
    env.string.dump = nil
    return env
end


local function sorted_names(contract)
    local names = {}
    for name in pairs(contract) do
        names[#names + 1] = name
    end
    table.sort(names)
    return names
end


local function check_pack(pack, kind)
    local contract = CONTRACTS[kind]
    if type(pack) ~= "table" or getmetatable(pack) then
        return nil, "a pack returns a plain table"
    end
    for _, name in ipairs(sorted_names(contract)) do
        if pack[name] == nil then
            return nil, ("lacks `%s`: a %s pack has `%s`")
                :format(name, kind, table.concat(sorted_names(contract), "`, `"))
        elseif type(pack[name]) ~= contract[name] then
            return nil, ("`%s` is a %s: make it a %s")
                :format(name, type(pack[name]), contract[name])
        end
    end
    for name in pairs(pack) do
        if not contract[name] then
            return nil, ("unknown member `%s`: a %s pack has `%s`")
                :format(tostring(name), kind, table.concat(sorted_names(contract), "`, `"))
        end
    end
    if pack.kind ~= kind then
        return nil, ("its kind is `%s`, wanted is `%s`"):format(pack.kind, kind)
    elseif pack.api ~= _M.API then
        return nil, ("its api is %s, this release has %d"):format(pack.api, _M.API)
    end
    return pack
end


--- Loads a pack from its source text.
-- @tparam string text
-- @tparam string name what errors call it
-- @tparam string kind `flows`
-- @treturn table|nil the pack
-- @treturn string why not
function _M.read(text, name, kind)
    if not CONTRACTS[kind] then
        error(("no such kind of pack: `%s`"):format(tostring(kind)), 2)
    end
    -- Text only: bytecode is not verified when it is loaded.
    local chunk, err = load(text, "@" .. name, "t", environment())
    if not chunk then
        return nil, err
    end
    local ok, pack = pcall(chunk)
    if not ok then
        return nil, ("%s: fails while loading: %s"):format(name, tostring(pack))
    end
    pack, err = check_pack(pack, kind)
    if not pack then
        return nil, ("%s: %s"):format(name, err)
    end
    return pack
end


-- Packs stand beside the modules when installed, in the checkout's `rules` folder otherwise.
local function shipped_paths(kind, name)
    local here = debug.getinfo(1, "S").source:match("^@(.*[/\\])") or "./"
    return {
        ("%srules/%s/%s.lua"):format(here, kind, name),
        ("%s../../rules/%s/%s.lua"):format(here, kind, name),
    }
end


--- Loads a shipped pack.
-- @tparam string kind `flows`
-- @tparam string name
-- @tparam function read a host's reader: path to text, or nil and why not
-- @treturn table|nil the pack
-- @treturn string why not, with every path tried
function _M.load(kind, name, read)
    if not name:match("^[%w_]+$") then
        return nil, ("`%s` is not the name of a pack"):format(name)
    end
    local tried = {}
    for _, path in ipairs(shipped_paths(kind, name)) do
        local text, err = read(path)
        if text then
            return _M.read(text, path, kind)
        end
        tried[#tried + 1] = ("%s: %s"):format(path, err)
    end
    return nil, ("no %s pack `%s`. Tried:\n    %s")
        :format(kind, name, table.concat(tried, "\n    "))
end


return _M
