--- Condition keys: which provider answers a key, and asking all that some sets mention.
--
-- A provider answers a value or a list, nil when the key is absent, or nil and an error when it
-- failed. Absent is a fact the language has rules for; failed means that nothing is known, and the
-- caller must deny. Only the keys that a set mentions are ever asked for.
--
-- A pack may keep its answers: for a time, by a text that says what the answer depends on, or as
-- long as the client's connection lasts. Absent is kept like a value; a failure is not.
--
-- *Dependencies*: postern.cidr, postern.cache, postern.request
--
-- @module postern.keys
local new_table = require("table.new")
local cidr = require("postern.cidr")
local caches = require("postern.cache")
local requests = require("postern.request")


local _M = {}
local Registry = {}
Registry.__index = Registry


-- ---- Declared types --------------------------------------------------------


-- Matches every address, so that only what is no address is told from the rest.
local ADDRESSES = assert(cidr.new({ "0.0.0.0/0", "::/0" }))


local function is_text(value)
    return type(value) == "string"
end


local function is_number(value)
    if type(value) == "string" then
        return value:find("^-?%d+%.?%d*$") ~= nil
    end
    return type(value) == "number" and requests.value_text(value) ~= nil
end


local TYPES = {
    string = is_text,
    arn = function(value) return is_text(value) and value:sub(1, 4) == "arn:" end,
    ip = function(value) return is_text(value) and ADDRESSES:match(value) ~= nil end,
    bool = function(value)
        return type(value) == "boolean" or value == "true" or value == "false"
    end,
    numeric = is_number,
    date = function(value)
        return is_number(value)
            or is_text(value) and value:find("^%d%d%d%d%-%d%d%-%d%dT[%d:.]+Z$") ~= nil
    end,
    any = function(value) return requests.value_text(value) ~= nil end,
}


-- A type is a name of TYPES, with `[]` behind it where the key may have several values.
local function read_type(text)
    local name, list = tostring(text):match("^(%l+)(%[?%]?)$")
    if not TYPES[name] or name == "any" or (list ~= "" and list ~= "[]") then
        return nil
    end
    return { holds = TYPES[name], list = list ~= "", text = text }
end


local UNDECLARED = { holds = TYPES.any, list = true, text = "string, number, boolean or a list" }


local function is_list_of(value, holds)
    local count = 0
    for _ in pairs(value) do
        count = count + 1
        if not holds(value[count]) then
            return false
        end
    end
    return true
end


local function has_type(value, wanted)
    if type(value) == "table" then
        return wanted.list and is_list_of(value, wanted.holds)
    end
    return wanted.holds(value)
end


-- ---- The registry ----------------------------------------------------------


-- Types are looked up in any letter case; a prefix ends in a slash.
local function types_of(pack)
    local types = {}
    for name, text in pairs(pack.types or {}) do
        local read = read_type(text)
        if not read then
            return nil, ("the keys pack `%s`: unknown type `%s` of `%s`: there are `string`, "
                .. "`arn`, `ip`, `bool`, `numeric`, `date`, each also with `[]`")
                :format(pack.name, tostring(text), tostring(name))
        elseif not ((pack.keys or {})[name] or (pack.prefixes or {})[name]) then
            return nil, ("the keys pack `%s`: a type for `%s`, which it does not provide")
                :format(pack.name, tostring(name))
        end
        types[name] = read
    end
    return types
end


local function twice(name, one, other)
    return nil, ("the key `%s` is provided twice: by the keys pack `%s` and by `%s`")
        :format(name, one.pack, other.pack)
end


-- Adds one exact key or prefix. Two spellings of one name are one name.
local function add(providers, provider)
    local lower = provider.key:lower()
    if providers[lower] then
        return twice(provider.key, providers[lower], provider)
    end
    providers[lower] = provider
    return true
end


local function cache_of(pack, name, now)
    local how = pack.cache and pack.cache[name]
    if not how then
        return nil
    elseif how.connection then
        return { connection = true }
    end
    return { seconds = how.seconds, by = how.by, kept = caches.new({ now = now }) }
end


local TABLES = { "keys", "prefixes" }

local function add_pack(self, runner, now)
    local pack = runner.pack
    local types, err = types_of(pack)
    if not types then
        return nil, err
    end
    for _, kind in ipairs(TABLES) do
        for name, provide in pairs(pack[kind] or {}) do
            local ok
            ok, err = add(self[kind], {
                key = name, pack = pack.name, lazy = pack.lazy == true, provide = provide,
                runner = runner, type = types[name] or UNDECLARED, is_prefix = kind == "prefixes",
                cache = cache_of(pack, name, now),
            })
            if not ok then
                return nil, err
            end
        end
    end
    return true
end


-- The longest prefix that a key (in lower case) begins with, and goes on after.
local function find_prefix(self, key)
    local found
    for prefix, provider in pairs(self.prefixes) do
        if #prefix < #key and key:sub(1, #prefix) == prefix
            and not (found and #found.key > #prefix) then
            found = provider
        end
    end
    return found
end


-- A key of one pack below a prefix of another would be answered by either, as the reader sees it.
local function check_overlap(self)
    for _, kind in ipairs(TABLES) do
        for name, provider in pairs(self[kind]) do
            local other = find_prefix(self, name)
            if other and other.pack ~= provider.pack then
                return twice(provider.key, provider, other)
            end
        end
    end
    return true
end


--- Makes a registry of the providers of some packs.
-- @tparam {Runner,...} runners of keys packs, see `postern.runner` and `postern.rules`; a pack may
-- have `types` (name to `string`, `arn`, `ip`, `bool`, `numeric` or `date`, with `[]` behind it
-- when the key may have several values), `lazy` (true: its keys are only resolved when a decision
-- needs them, and may then wait) and `cache`
-- @tparam[opt] function now the clock of what is kept for a time; needed where a pack has `cache`
-- @treturn Registry|nil
-- @treturn string why not; two packs that provide one key are named both
function _M.new(runners, now)
    local self = setmetatable({
        keys = {},     -- name in lower case to provider
        prefixes = {}, -- the same
    }, Registry)
    for _, runner in ipairs(runners) do
        local ok, err = add_pack(self, runner, now)
        if not ok then
            return nil, err
        end
    end
    local ok, err = check_overlap(self)
    if not ok then
        return nil, err
    end
    return self
end


--- Finds who answers a key.
-- @tparam string key in any letter case
-- @treturn table|nil `{key, pack, lazy, is_prefix}`, the key or prefix as its pack spells it
function Registry:provider(key)
    local lower = key:lower()
    return self.keys[lower] or find_prefix(self, lower)
end


--- The keys of a set that nobody provides. They are always absent, which a Deny may not expect.
-- @tparam Set set
-- @treturn {string,...} in lower case
function Registry:unprovided(set)
    local missing = {}
    for _, key in ipairs(set:keys()) do
        if not self:provider(key) then
            missing[#missing + 1] = key
        end
    end
    return missing
end


local function call(provider, rest, context)
    local runner = provider.runner
    if provider.is_prefix then
        return provider.provide(context, rest, runner.config, runner.tools)
    end
    return provider.provide(context, runner.config, runner.tools)
end


local function call_lazy(provider, rest, context)
    return provider.runner:wait(call, provider, rest, context)
end


-- The value of a key, nil when it is absent, or nil and an error.
local function ask_provider(provider, key, rest, context)
    local ok, value, err = pcall(provider.lazy and call_lazy or call, provider, rest, context)
    if not ok then
        err, value = value, nil
    elseif value == nil and not err then
        return nil
    elseif value ~= nil and not has_type(value, provider.type) then
        err, value = ("answered something else than %s"):format(provider.type.text), nil
    end
    if value == nil then
        return nil, ("the key `%s` of the keys pack `%s` failed: %s")
            :format(key, provider.pack, tostring(err))
    end
    return value
end


local ABSENT = {} -- what is kept where there is no value

-- Where answers for this context are kept and under what; nil when this one is not.
local function place_of(provider, key, rest, context)
    local cache = provider.cache
    if cache.connection then
        local connection = context.connection
        if not connection then
            return nil
        end
        -- By provider, since every generation asks anew; weakly, since connections outlive them.
        local kept = connection.keys or setmetatable({}, { __mode = "k" })
        connection.keys = kept
        kept[provider] = kept[provider] or {}
        return kept[provider], key:lower()
    end
    local runner = provider.runner
    local ok, by = pcall(cache.by, context, rest, runner.config)
    if not ok or (by ~= nil and type(by) ~= "string") then
        return nil, nil, ("the key `%s` of the keys pack `%s` failed: `by` of its cache: %s")
            :format(key, provider.pack, ok and "answered something that is no text" or tostring(by))
    end
    return by and cache.kept, by and key:lower() .. "\0" .. by
end


local function kept_at(provider, place, name)
    if provider.cache.connection then
        return place[name]
    end
    return place:get(name)
end


local function keep(provider, place, name, value)
    if provider.cache.connection then
        place[name] = value
    else
        place:put(name, value, provider.cache.seconds)
    end
end


local function ask(provider, key, rest, context)
    if not provider.cache then
        return ask_provider(provider, key, rest, context)
    end
    local place, name, failed = place_of(provider, key, rest, context)
    if failed then
        return nil, failed
    elseif not place then
        return ask_provider(provider, key, rest, context)
    end
    local value = kept_at(provider, place, name)
    if value == nil then
        local err
        value, err = ask_provider(provider, key, rest, context)
        if err then
            return nil, err
        end
        keep(provider, place, name, value == nil and ABSENT or value)
    end
    if value == ABSENT then
        return nil
    end
    return value
end


--- Works out once what some sets need, for `values`.
-- @tparam {{string,...},...} lists the keys of each set, in lower case
-- @treturn Plan
function Registry:plan(lists)
    local plan, planned = {}, {}
    for _, names in ipairs(lists) do
        for _, key in ipairs(names) do
            local provider = not planned[key] and self:provider(key)
            planned[key] = true
            if provider then
                plan[#plan + 1] = {
                    key = key, provider = provider,
                    -- In lower case, as the key is.
                    rest = provider.is_prefix and key:sub(#provider.key + 1) or nil,
                }
            end
        end
    end
    return plan
end


--- The values of the keys of a plan, as a table for `fill` of `postern.request`. Each provider is
-- asked once for a key, however many sets mention it.
-- @tparam Plan plan
-- @tparam table context
-- @treturn table|nil key in lower case to value or list, `UNRESOLVED` of `postern.request` for keys
-- of lazy packs; absent keys are not in it
-- @treturn string which key of which pack failed, and why; the request must then be denied
function Registry.values(_, plan, context)
    local values = new_table(0, #plan)
    for i = 1, #plan do
        local entry = plan[i]
        if entry.provider.lazy then
            values[entry.key] = requests.UNRESOLVED
        else
            local value, err = ask(entry.provider, entry.key, entry.rest, context)
            if err then
                return nil, err
            end
            values[entry.key] = value
        end
    end
    return values
end


--- Resolves one key, also of a lazy pack.
-- @tparam string key in any letter case
-- @tparam table context
-- @treturn string|number|boolean|table|nil the value; nil alone when the key is absent, also
-- because nobody provides it
-- @treturn string why it failed
function Registry:resolve(key, context)
    local provider = self:provider(key)
    if not provider then
        return nil
    end
    local rest = provider.is_prefix and key:sub(#provider.key + 1):lower() or nil
    return ask(provider, key, rest, context)
end


return _M
