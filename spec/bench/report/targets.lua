--- What was promised, and what the results say of it.
--
-- A target is a figure that is made of results, and a bound. Where it is missed, the reason that
-- profiles gave stands beside it, and which profile shows it; these words have no figures, which
-- change with every run.
--
-- *Dependencies*: none (the results are handed in)
local _M = {}


local OURS = "Postern, from C"
local SEEDS = { "two-apis", "get-only", "one-user", "offices" }


-- ---- Figures ---------------------------------------------------------------------


local function row_of(found, like)
    for _, row in ipairs(found and found.rows or {}) do
        local same = true
        for name, value in pairs(like) do
            same = same and row[name] == value
        end
        if same then
            return row
        end
    end
    return nil
end


local function median(found, like)
    local row = row_of(found, like)
    return row and row.median
end


-- A member of a set whose name begins so: names go on with the instructions that were used.
local function starting(found, start, like)
    for _, row in ipairs(found and found.rows or {}) do
        if row.name:sub(1, #start) == start then
            local more = { name = row.name }
            for name, value in pairs(like) do
                more[name] = value
            end
            local value = median(found, more)
            if value then
                return value
            end
        end
    end
    return nil
end


-- The least, or the most, of what a function makes of each of a list, and the item it is of; nil
-- when one is missing.
local function extreme(better, list, fn)
    local found, of
    for _, item in ipairs(list) do
        local value = fn(item)
        if not value then
            return nil
        elseif not found or better(found, value) ~= found then
            found, of = value, item
        end
    end
    return found, of
end


local function ratio(a, b)
    return a and b and a / b
end


-- Of rte_lpm and the like to ours, for one set of addresses.
local function addresses(all, ours, peer, like)
    like.unit = like.unit or "ns"
    local other = { name = peer }
    for name, value in pairs(like) do
        other[name] = value
    end
    return ratio(median(all.structures, other), starting(all.structures, ours, like))
end


local function lookups(form, peer, family)
    return function(all, ours)
        return extreme(math.min, { "uni", "hit" }, function(stream)
            return addresses(all, ours, peer, { family = family .. " " .. stream, form = form,
                                                size = 1000000 })
        end)
    end
end


local function glob(all, engine, shape, size)
    return median(all.structures, { name = engine, family = shape, size = size or 1, unit = "ns" })
end


local EDGES = { "prefix, matches", "prefix, last byte differs", "method, matches", "method, POST",
                "suffix, matches", "suffix, differs" }
local INNER = { "four stars, matches", "stars and ?, matches", "stars and ?, misses at end",
                "stars and ?, misses inside" }
local HOSTILE = { "hostile", "hostile, open end" }

local function shapes(lists)
    local names = {}
    for _, list in ipairs(lists) do
        for _, name in ipairs(list) do
            names[#names + 1] = "glob: " .. name
        end
    end
    return names
end


local function beside_glob(engine, lists)
    return function(all)
        return extreme(math.min, shapes(lists), function(shape)
            return ratio(glob(all, engine, shape), glob(all, "Postern", shape))
        end)
    end
end


local function many(engine)
    return function(all)
        return ratio(glob(all, engine, "globs", 10000), glob(all, "Postern", "globs", 10000))
    end
end


local function decision(found, name, form, workload)
    return median(found, { name = name, form = form, workload = workload, unit = "ns" })
end


local function seeds(form)
    return function(all)
        return extreme(math.max, SEEDS, function(seed)
            return decision(all.core, OURS, form, seed)
        end)
    end
end


-- The least of what an engine takes as many times as long for, by its best policies.
local function peer(name)
    return function(all)
        return extreme(math.min, SEEDS, function(seed)
            local best
            for _, row in ipairs(all.peers and all.peers.rows or {}) do
                if row.name == name and row.workload == seed and row.form == "texts"
                    and row.unit == "ns" then
                    best = math.min(best or math.huge, row.median)
                end
            end
            return ratio(best, decision(all.peers, OURS, "texts", seed))
        end)
    end
end


local function growth(form)
    return function(all)
        return extreme(math.max, { "exact", "globs" }, function(family)
            return ratio(decision(all.core, OURS, form, family .. "-10000"),
                         decision(all.core, OURS, form, family .. "-10"))
        end)
    end
end


local function at_size(form, size)
    return function(all)
        return extreme(math.max, { "exact", "globs" }, function(family)
            return decision(all.core, OURS, form, family .. "-" .. size)
        end)
    end
end


local function entry(form, unit)
    return function(all)
        local most
        for _, row in ipairs(all.entry and all.entry.rows or {}) do
            if row.form == form and row.unit == unit then
                most = math.max(most or row.median, row.median)
            end
        end
        return most
    end
end


-- ---- Targets ---------------------------------------------------------------------


local FILL = "Most of it is filling the request: each text is read, checked and folded once, " ..
    "and the caller and the address are taken apart. With a request prepared the rest is small."
local PREPARED = "It is the search for the statement, and its conditions; a large set is not in " ..
    "the first cache."
local SIMPLE = "The bucket policies of MinIO know no letter case of actions and no rules of " ..
    "accounts, sessions and roles, and stop at the first Allow. " .. FILL
local WINDOW = "The other makes one load of a large table, inlined into the loop, so that many " ..
    "lookups overlap. Ours are a search in two steps, of many more instructions, so that " ..
    "fewer fit into the processor's window, and where tables do not fit the caches the number " ..
    "of overlapping misses is what counts."
local VALUES = "A million different answers do not fit the second cache: behind a directory " ..
    "that does, a lookup waits once for what lies further off, as the other's single load " ..
    "does. Conditions ask for membership."

-- Which profile shows why: of the case that a figure is of. One of 100,000 policies is not taken.
local function of_decisions(form)
    return function(case)
        local family = case == "exact" or case == "globs"
        return { name = family and case .. "-10000" or case, form = form }
    end
end


local MEMORY = "Much of the time is the first touch of fresh memory: the tables of the " ..
    "builder, which stay usable, and the set, which is copied out of them."


local function loading(name, form, unit)
    return function(all)
        return median(all.loading, { name = name, form = form, unit = unit })
    end
end


local SIZES = { { words = "10,000", policies = 10000, most = 250 },
                { words = "100,000", policies = 100000, most = 500 } }
local ANSWERS = { "membership", "values" }

-- `least` or `most`: the bound. `members`: conditions ask it of a set; `longest`: with a value.
local function both(list, name, bound, figure, why, why_longest)
    for _, answer in ipairs(ANSWERS) do
        local ours = answer == "values" and "longest" or "members"
        local target = { name = name:format(answer),
                         figure = function(all) return figure(all, ours) end,
                         why = ours == "longest" and why_longest or why,
                         profile = function()
                             return { name = (name:find("^IPv4") and "net4" or "net6")
                                          .. "-1000000", form = answer }
                         end }
        for key, value in pairs(bound) do
            target[key] = value
        end
        list[#list + 1] = target
    end
end


local function all_targets()
    local list = {}
    local function add(name, bound, figure, why, profile)
        bound.name, bound.figure, bound.why, bound.profile = name, figure, why, profile
        list[#list + 1] = bound
    end
    for _, other in ipairs({ "rte_lpm", "rte_fib" }) do
        both(list, "IPv4, a million prefixes, %s: one after another, beside " .. other,
             { least = 3, unit = "times" }, lookups("dependent", other, "net4"), WINDOW, VALUES)
    end
    both(list, "IPv4, a million prefixes, %s: throughput, beside rte_lpm",
         { least = 1, unit = "times" }, lookups("throughput", "rte_lpm", "net4"), WINDOW, WINDOW)
    both(list, "IPv4, a million prefixes, %s: memory", { most = 8, unit = "MiB" },
         function(all, ours)
             return starting(all.structures, ours,
                             { family = "net4", size = 1000000, unit = "MiB" })
         end)
    both(list, "IPv4, a million prefixes, %s: building", { most = 0.5, unit = "s" },
         function(all, ours)
             return starting(all.structures, ours,
                             { family = "net4", size = 1000000, unit = "s" })
         end)
    both(list, "IPv6, a million prefixes, %s: hits, beside rte_fib6", { least = 2, unit = "times" },
         function(all, ours)
             return addresses(all, ours, "rte_fib6", { family = "net6 hit", form = "throughput",
                                                       size = 1000000 })
         end, WINDOW, VALUES)
    both(list, "IPv6, a million prefixes, %s: memory of rte_fib6 beside ours",
         { least = 100, unit = "times" }, function(all, ours)
             return addresses(all, ours, "rte_fib6", { family = "net6", size = 1000000,
                                                       unit = "MiB" })
         end)
    add("One glob, prefixes and suffixes: beside PCRE2 with its JIT", { least = 2, unit = "times" },
        beside_glob("PCRE2 JIT", { EDGES }), "The worst of six shapes; a call into the library, " ..
        "with its look at how many patterns there are, is a good part of so short a time.")
    add("One glob: beside one-star backtracking, the worst of all shapes",
        { least = 1, unit = "times" }, beside_glob("one star", { EDGES, INNER, HOSTILE }))
    add("One glob, hostile", { most = 200, unit = "ns" }, function(all)
        return extreme(math.max, shapes({ HOSTILE }), function(shape)
            return glob(all, "Postern", shape)
        end)
    end, "The time grows with pattern and text and not with each star, which is what is bounded.")
    add("10,000 globs, all that match: beside RE2::Set", { least = 3, unit = "times" }, many("RE2"))
    add("10,000 globs, all that match: beside Hyperscan", { least = 10, unit = "times" },
        many("Hyperscan"), "The text of an ARN is short, and a fixed cost is what both have; " ..
        "our own share is the floating grams, looked for at each delimiter.")
    add("100,000 globs beside 10,000", { most = 4, unit = "times" }, function(all)
        return ratio(glob(all, "Postern", "globs", 100000), glob(all, "Postern", "globs", 10000))
    end, "The index of so many does not fit the second cache.")
    add("The slowest of the four small policies, request prepared", { most = 150, unit = "ns" },
        seeds("prepared"), PREPARED, of_decisions("prepared"))
    add("The slowest of the four small policies, from texts", { most = 150, unit = "ns" },
        seeds("texts"), FILL, of_decisions("texts"))
    add("Cedar beside Postern, the least of the four", { least = 20, unit = "times" },
        peer("Cedar"), FILL, of_decisions("texts"))
    add("OPA beside Postern, the least of the four", { least = 100, unit = "times" },
        peer("OPA"), FILL, of_decisions("texts"))
    add("MinIO beside Postern, the least of the four", { least = 5, unit = "times" },
        peer("MinIO"), SIMPLE, of_decisions("texts"))
    add("iam-simulate beside Postern, the least of the four", { least = 1000, unit = "times" },
        peer("iam-simulate"), nil, of_decisions("texts"))
    for _, form in ipairs({ "prepared", "texts" }) do
        local with = form == "prepared" and "request prepared" or "from texts"
        add("10,000 policies beside 10, " .. with, { most = 3, unit = "times" }, growth(form),
            "Larger sets do not fit the caches: the growth is that of waiting for memory.",
            of_decisions(form))
        for _, size in ipairs(SIZES) do
            add(size.words .. " policies, " .. with, { most = size.most, unit = "ns" },
                at_size(form, size.policies), form == "texts" and FILL or PREPARED,
                of_decisions(form))
        end
    end
    for _, how in ipairs({ "each", "together" }) do
        add(how == "each" and "Loading, a set of each policy" or "Loading, one set of 100,000",
            { least = 80, unit = "MB/s" }, loading("compact", how, "MB/s"), how == "together"
            and MEMORY or nil, function() return { name = "loading", form = how } end)
    end
    add("Published policies, compiled, a byte", { most = 3, unit = "B" },
        loading("published", "each", "B/B"))
    add("From Lua, on top of C, compiled", { most = 60, unit = "ns", added = true },
        entry("compiled", "ns"))
    add("From Lua, on top of C, JIT off", { most = 400, unit = "ns", added = true },
        entry("JIT off", "ns"))
    add("From Lua, garbage a decision", { most = 0.01, unit = "B" }, entry("garbage", "B"))
    return list
end


--- Judges results.
-- @tparam table all results by kind
-- @treturn {table,...} `name`, `figure` (nil: not measured), `least` or `most`, `unit`, `met`,
-- `added` (whether the figure is what something takes more than something else, which may be
-- nothing); and where it is missed `excess` (how many times it would have to be better), `why`,
-- when the reason is known, and `profile`, the `name` and the `form` of the case that shows it,
-- when there is one
function _M.judge(all)
    local judged = {}
    for i, target in ipairs(all_targets()) do
        local figure, of = target.figure(all)
        local made = { name = target.name, figure = figure, unit = target.unit,
                       least = target.least, most = target.most, added = target.added }
        local excess = figure and (target.least and target.least / figure or figure / target.most)
        made.met = excess ~= nil and excess <= 1
        if excess and not made.met then
            made.excess, made.why = excess, target.why
            made.profile = target.profile and target.profile(of) or nil
        end
        judged[i] = made
    end
    return judged
end


return _M
