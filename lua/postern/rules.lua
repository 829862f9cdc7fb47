--- Rule packs: finding, loading and checking them.
--
-- A pack is a file that returns a plain table. It sees pure functions only, does no I/O and
-- requires nothing; what it needs it gets as arguments. That keeps packs simple and is no sandbox:
-- a pack is code one trusts.
--
-- Shipped packs run as they are. The functions of private ones, those loaded by a path, run in
-- bounded libraries and within a budget of processor time and memory, and what they are told of a
-- call is read-only; see `postern.environment`, `postern.budget` and `postern.frozen`.
--
-- *Dependencies*: postern.environment, postern.budget, postern.frozen (the reader is handed in)
--
-- @module postern.rules
local environments = require("postern.environment")
local budgets = require("postern.budget")
local frozen = require("postern.frozen")


local _M = {}


--- The version of the contract between packs and this release.
_M.API = 1


-- What each kind of pack has, with the type of each member; `may` names what it can do without.
-- Anything else in a pack is a mistake.
local COMMON = { kind = "string", name = "string", api = "number", check = "function" }
local RUNNING = { start = "function", stop = "function", limits = "table", files = "table" }

local KINDS = {
    keys = {
        must = {},
        may = { keys = "table", prefixes = "table", types = "table", lazy = "boolean",
                cache = "table", plan = "table" },
        functions = { "keys", "prefixes" },
        running = true,
        need = { "keys", "prefixes" },
    },
    hooks = {
        must = {},
        may = { priority = "number", before = "function", after = "function", log = "function" },
        running = true,
        need = { "before", "after", "log" },
    },
    services = {
        must = { resolve = "function" },
        may = { data = "table", plan = "function" },
    },
    identities = {
        must = { identify = "function" },
        may = {},
    },
    flows = {
        must = { gates = "table", caller = "function", decide = "function" },
        may = { based_on = "string", principal_for = "function", sees = "function",
                adds = "function", resources_for = "function", services = "table",
                resource_policy = "function", keeps_caller = "boolean",
                keeps_verdict = "boolean" },
    },
    tables = {
        must = { data = "table" },
        may = {},
    },
}

for _, members in pairs(KINDS) do
    for name, wanted in pairs(COMMON) do
        members.must[name] = wanted
    end
    for name, wanted in pairs(members.running and RUNNING or {}) do
        members.may[name] = wanted
    end
end

--- What `limits` of a pack that runs may say, each a number but `open`. `seconds` (of processor
-- time) and `memory` (MiB) bound each call of a private pack; the others what lazy keys wait for,
-- see `postern.guard`: `timeout` and `pause` in seconds; `open` says what an open breaker means, a
-- failed key (`deny`) or one that is `absent`.
_M.LIMITS = { seconds = true, memory = true, timeout = true, concurrency = true, queue = true,
              failures = true, pause = true, open = true }

local OPEN = { deny = true, absent = true }


local function sorted_names(members)
    local names = {}
    for name in pairs(members) do
        names[#names + 1] = name
    end
    table.sort(names)
    return names
end


local function quoted(members)
    return "`" .. table.concat(sorted_names(members), "`, `") .. "`"
end


-- What `a keys pack has` continues with in messages.
local function described(kind)
    local members = KINDS[kind]
    local text = ("a %s pack has %s"):format(kind, quoted(members.must))
    if next(members.may) then
        text = text .. ", and may have " .. quoted(members.may)
    end
    return text
end


-- Every member is known and of its type.
local function check_members(pack, kind)
    local members = KINDS[kind]
    local present = {}
    for name in pairs(pack) do
        present[tostring(name)] = name
    end
    for _, text in ipairs(sorted_names(present)) do
        local name = present[text]
        local wanted = members.must[name] or members.may[name]
        if not wanted then
            return nil, ("unknown member `%s`: %s"):format(text, described(kind))
        elseif type(pack[name]) ~= wanted then
            return nil, ("`%s` is a %s: make it a %s"):format(text, type(pack[name]), wanted)
        end
    end
    for _, name in ipairs(members.functions or {}) do
        for key, value in pairs(pack[name] or {}) do
            if type(key) ~= "string" or type(value) ~= "function" then
                return nil, ("`%s`: `%s` is a %s: give names and functions")
                    :format(name, tostring(key), type(value))
            end
        end
    end
    return true
end


--- Checks limits.
-- @tparam table limits
-- @treturn boolean|nil true
-- @treturn string what is wrong
function _M.check_limits(limits)
    for name, value in pairs(limits) do
        if not _M.LIMITS[name] then
            return nil, ("`limits`: unknown limit `%s`: there are %s"):format(tostring(name),
                quoted(_M.LIMITS))
        elseif name == "open" and not OPEN[value] then
            return nil, ("`limits`: `open` is `%s`: give `deny` or `absent`")
                :format(tostring(value))
        elseif name ~= "open" and not (type(value) == "number" and value > 0 and value < 1e9) then
            return nil, ("`limits`: `%s`: give a number above 0"):format(name)
        end
    end
    return true
end


local function check_cache(pack)
    for key, how in pairs(pack.cache or {}) do
        local timed = type(how) == "table" and type(how.by) == "function"
            and type(how.seconds) == "number" and how.seconds > 0 and how.seconds < 1e9
        if not timed and not (type(how) == "table" and how.connection == true) then
            return nil, ("`cache`: `%s`: give `{ seconds =, by = function }` or "
                .. "`{ connection = true }`"):format(tostring(key))
        elseif not (pack.keys or {})[key] and not (pack.prefixes or {})[key] then
            return nil, ("`cache`: `%s` is no key of the pack"):format(tostring(key))
        end
    end
    return true
end


local function check_one_of(pack, names)
    for _, name in ipairs(names) do
        if pack[name] ~= nil then
            return true
        end
    end
    return nil, ("lacks `%s`: %s"):format(table.concat(names, "` or `"), described(pack.kind))
end


-- No member is missing; asked when what a base gives has been filled in.
local function check_complete(pack)
    for _, name in ipairs(sorted_names(KINDS[pack.kind].must)) do
        if pack[name] == nil then
            return nil, ("lacks `%s`: %s"):format(name, described(pack.kind))
        end
    end
    local ok, err = true, nil
    if KINDS[pack.kind].need then
        ok, err = check_one_of(pack, KINDS[pack.kind].need)
    end
    if ok then
        ok, err = _M.check_limits(pack.limits or {})
    end
    if ok then
        ok, err = check_cache(pack)
    end
    if ok and pack.priority ~= pack.priority then
        ok, err = nil, "`priority` is no number that others can be compared with"
    end
    return ok, err
end


local REQUIRED = { "kind", "name", "api" }

local function check_header(pack, kind)
    if type(pack) ~= "table" then
        return nil, "a pack returns a plain table"
    end
    for _, name in ipairs(REQUIRED) do
        if pack[name] == nil then
            return nil, ("lacks `%s`: a pack has %s"):format(name, quoted(COMMON))
        end
    end
    if kind and pack.kind ~= kind then
        return nil, ("its kind is `%s`, wanted is `%s`"):format(tostring(pack.kind), kind)
    elseif not KINDS[pack.kind] then
        return nil, ("unknown kind `%s`: there are %s"):format(tostring(pack.kind), quoted(KINDS))
    elseif pack.api ~= _M.API then
        return nil, ("its api is %s, this release has %d"):format(tostring(pack.api), _M.API)
    end
    return check_members(pack, pack.kind)
end


-- An error that says more than this says nothing.
local LONGEST_ERROR = 1000

local function message_of(err)
    if type(err) ~= "string" then
        return ("an error that is a %s"):format(type(err))
    end
    return #err > LONGEST_ERROR and err:sub(1, LONGEST_ERROR) .. "..." or err
end


-- Runs the text of one pack; what it is based on is left for later. `guard` runs private ones.
local function read_alone(text, name, kind, guard)
    -- Text only: bytecode is not verified when it is loaded.
    local chunk, err = load(text, "@" .. name, "t", guard and guard.environment
        or environments.new())
    if not chunk then
        return nil, err
    end
    local ok, pack
    if guard then
        -- The hook of a budget does not fire in compiled code.
        jit.off(chunk, true)
        ok, pack = guard.budget:call(chunk)
    else
        ok, pack = pcall(chunk)
    end
    if not ok then
        return nil, ("%s: fails while loading: %s"):format(name, message_of(pack))
    end
    ok, err = check_header(pack, kind)
    if not ok then
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


-- The text of a shipped pack and its path, or nil and every path tried.
local function find_shipped(kind, name, read)
    if not name:match("^[%w_]+$") then
        return nil, ("`%s` is not the name of a pack"):format(name)
    end
    local tried = {}
    for _, path in ipairs(shipped_paths(kind, name)) do
        local text, err = read(path)
        if text then
            return text, path
        end
        tried[#tried + 1] = ("%s: %s"):format(path, err)
    end
    return nil, ("no %s pack `%s`. Tried:\n    %s")
        :format(kind, name, table.concat(tried, "\n    "))
end


-- The pack that `pack` is based on and that one's own bases, nearest first. Shipped packs could be
-- based on each other in a circle, hence `seen`.
local function read_bases(pack, read)
    local bases, seen = {}, {}
    local at = pack
    while at.based_on do
        local name = at.based_on
        if seen[name] then
            return nil, ("is based on `%s`, which is based on itself"):format(name)
        end
        seen[name] = true
        local text, path = find_shipped(pack.kind, name, read)
        if not text then
            return nil, ("is based on `%s`: %s"):format(name, path)
        end
        local base, err = read_alone(text, path, pack.kind)
        if not base then
            return nil, ("is based on `%s`: %s"):format(name, err)
        end
        bases[#bases + 1], at = base, base
    end
    return bases
end


-- Fills the members that a pack does not define from its base, farthest base first. `base` is the
-- filled base, so that a pack's own function can go on to the one that it replaces.
local function fill_from_bases(pack, read)
    local bases, err = read_bases(pack, read)
    if not bases then
        return nil, err
    end
    table.insert(bases, 1, pack)
    for i = #bases - 1, 1, -1 do
        local derived, base = bases[i], bases[i + 1]
        -- What a base promises of its `caller` it does not promise of another's, and what it
        -- promises of them all not of any other.
        local own_caller = derived.caller ~= nil
        for name, value in pairs(base) do
            if derived[name] == nil and name ~= "keeps_verdict"
                and not (name == "keeps_caller" and own_caller) then
                derived[name] = value
            end
        end
        derived.base = base
    end
    return true
end


-- ---- Private packs ---------------------------------------------------------


-- Which argument is what the pack is told of the call: the first of these functions.
local TOLD = { identify = true, resolve = true, before = true, after = true, log = true }


-- A private pack can make plain tables only: another one is a view of ours, which looks empty.
local function returned(ok, value, ...)
    if not ok then
        error(message_of(value), 0)
    elseif type(value) == "table" and getmetatable(value) ~= nil then
        error("answered something else than its own: give plain values", 0)
    end
    return value, ...
end


-- Within the budget. What the pack is told of the call comes as a view it cannot write.
local function guarded(budget, fn, told)
    return function(context, ...)
        if told and type(context) == "table" then
            context = frozen.view(context, "context")
        end
        return returned(budget:call(fn, context, ...))
    end
end


local function guard_all(budget, functions, told)
    local all = {}
    for name, fn in pairs(functions or {}) do
        all[name] = guarded(budget, fn, told)
    end
    return functions and all
end


-- A pack may ask for more in its own file: it is the file that is trusted.
local function budget_of(pack, guard, limits)
    local own = pack.limits or {}
    return budgets.new({
        seconds = limits.seconds or own.seconds, memory = limits.memory or own.memory,
    }, guard.methods)
end


-- What a pack has from a shipped one runs as that does.
local function is_of_base(pack, name)
    return pack.base ~= nil and pack.base[name] == pack[name]
end


-- The pack itself calls functions of its bases by these: real strings for them, and it pays.
local function charge_bases(pack)
    local base = pack.base
    while base do
        for name, member in pairs(base) do
            if type(member) == "function" then
                base[name] = function(...)
                    return budgets.charged(member, ...)
                end
            end
        end
        base = base.base
    end
end


-- The pack as others call it. It is a table of its own: the file keeps the one it returned, and
-- could put functions without a budget there when nobody looks any more.
local function guarded_pack(pack, guard, limits)
    local budget = budget_of(pack, guard, limits)
    local made = frozen.copy(pack)
    for name, member in pairs(pack) do
        if type(member) == "function" then
            made[name] = is_of_base(pack, name) and member
                or guarded(budget, member, TOLD[name])
        end
    end
    charge_bases(pack)
    -- Private packs are asked each time: nobody can promise for them.
    made.plan, made.keeps_verdict = nil, nil
    made.keys = guard_all(budget, pack.keys, true)
    made.prefixes = guard_all(budget, pack.prefixes, true)
    for name, how in pairs(pack.cache or {}) do
        made.cache[name].by = how.by and guarded(budget, how.by, true)
    end
    return made
end


local function new_guard()
    local env, methods = environments.new(true)
    return { environment = env, methods = methods, budget = budgets.new(nil, methods) }
end


-- The whole way from a pack's text to a pack that can be used.
local function read_pack(text, name, kind, read, private, limits)
    local guard = private and new_guard() or nil
    local pack, err = read_alone(text, name, kind, guard)
    if not pack then
        return nil, err
    end
    local ok = true
    if pack.based_on and not read then
        ok, err = nil, ("is based on `%s`: that needs a reader"):format(pack.based_on)
    elseif pack.based_on then
        ok, err = fill_from_bases(pack, read)
    end
    if ok then
        ok, err = check_complete(pack)
    end
    if not ok then
        return nil, ("%s: %s"):format(name, err)
    end
    if not guard then
        return pack
    end
    ok, pack = pcall(guarded_pack, pack, guard, limits or {})
    if not ok then
        return nil, ("%s: %s"):format(name, pack)
    end
    return pack
end


local function need_kind(kind)
    if not KINDS[kind] then
        error(("no such kind of pack: `%s`"):format(tostring(kind)), 3)
    end
end


--- Loads a pack from its source text.
--
-- A pack may name a shipped pack of its kind in `based_on`: the members it does not define are that
-- one's, and it finds that one as its member `base` (set once it is loaded).
-- @tparam string text
-- @tparam string name what errors call it
-- @tparam[opt] string kind `keys`, `hooks`, `services`, `identities`, `flows` or `tables`; any if
-- left out
-- @tparam[opt] function read a host's reader, for what the pack is based on
-- @treturn table|nil the pack
-- @treturn string why not
function _M.read(text, name, kind, read)
    if kind ~= nil then
        need_kind(kind)
    end
    return read_pack(text, name, kind, read)
end


--- Loads a private pack from its file.
-- @tparam string path
-- @tparam function read a host's reader: path to text, or nil and why not
-- @tparam[opt] string kind as for `read`
-- @tparam[opt] table limits `seconds` and `memory` in place of the pack's own
-- @treturn table|nil the pack, its functions within their budget
-- @treturn string why not; names the path
function _M.load_file(path, read, kind, limits)
    if kind ~= nil then
        need_kind(kind)
    end
    local text, err = read(path)
    if not text then
        return nil, ("%s: %s"):format(path, err)
    end
    return read_pack(text, path, kind, read, true, limits)
end


--- Loads a shipped pack.
-- @tparam string kind as for `read`
-- @tparam string name
-- @tparam function read a host's reader: path to text, or nil and why not
-- @treturn table|nil the pack
-- @treturn string why not, with every path tried
function _M.load(kind, name, read)
    need_kind(kind)
    local text, path = find_shipped(kind, name, read)
    if not text then
        return nil, path
    end
    return read_pack(text, path, kind, read)
end


return _M
