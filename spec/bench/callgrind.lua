--- Profiles of callgrind, by the functions of the sources.
--
-- A line of a profile says what a line of a source cost, and which function of the program it was
-- in: of what the compiler put into another function, the latter. The source says whose line it
-- is, so that what is inlined counts for the function that somebody wrote. Outside of the sources
-- at hand there are the program's functions, by library.
--
-- *Dependencies*: none (sources are read by a function that is handed in)
local _M = {}


-- ---- Reading -----------------------------------------------------------------------


-- Names come as `(3) name` once, and as `(3)` after that.
local function name_of(names, text)
    local number, name = text:match("^%((%d+)%) ?(.*)$")
    if not number then
        return text
    elseif name ~= "" then
        names[number] = name
    end
    return names[number] or error(("callgrind names no (%s)"):format(number), 0)
end


-- Which table of names a word has, and which member of the place it changes. Those that begin with
-- `c` say what is called, and hold for one call.
local PLACES = {
    ob = { "objects", "object" }, fl = { "files", "file" }, fi = { "files", "file" },
    fe = { "files", "file" }, fn = { "functions", "name" },
    cob = { "objects", "callee_object" }, cfi = { "files", "callee_file" },
    cfl = { "files", "callee_file" }, cfn = { "functions", "callee" },
}


local function counts_of(text, events)
    local counts, i = {}, 0
    for number in text:gmatch("%d+") do
        i = i + 1
        counts[assert(events[i], "callgrind has more counts than events")] = tonumber(number)
    end
    return counts
end


-- A line number, which may be told by the one before.
local function line_of(text, before)
    local sign, number = text:match("^([+-]?)(%d+)$")
    if sign == "+" then
        return before + number
    elseif sign == "-" then
        return before - number
    end
    return tonumber(number) or before -- `*`
end


-- A line of counts: of the place itself, or of what it called.
local function note(profile, place, line, counts, called)
    if called then
        table.insert(profile.calls, { file = place.file, name = place.name, callee = place.callee,
                                      callee_file = place.callee_file or place.file,
                                      counts = counts })
        place.callee, place.callee_file, place.callee_object = nil, nil, nil
    else
        table.insert(profile.costs, { object = place.object, file = place.file, name = place.name,
                                      line = line, counts = counts })
    end
end


--- Reads a profile whose positions are lines.
-- @tparam string text of a file that callgrind wrote
-- @treturn table `events` (names); `total` (by event); `costs`, each with `object`, `file`, `name`
-- (of the function), `line` and `counts` by event, which have what is spent there and not what is
-- called; and `calls`, each with `file` and `name` of the caller, `callee`, `callee_file` and the
-- `counts` of all that the callee did
function _M.read(text)
    local names = { objects = {}, files = {}, functions = {} }
    local place, line, called = {}, 0, false
    local profile = { events = {}, total = {}, costs = {}, calls = {} }
    for each in text:gmatch("[^\n]+") do
        local word, rest = each:match("^(%l+)=(.*)$")
        local field, value = each:match("^(%l+): (.*)$")
        local at, counts = each:match("^([%d+*-]%d*) ?([%d ]*)$")
        if word == "calls" then
            called = true -- the next line has what they cost
        elseif word and PLACES[word] then
            local kind, member = unpack(PLACES[word])
            place[member] = name_of(names[kind], rest)
        elseif field == "events" then
            for event in value:gmatch("%S+") do
                table.insert(profile.events, event)
            end
        elseif field == "totals" then
            profile.total = counts_of(value, profile.events)
        elseif at then
            line = line_of(at, line)
            note(profile, place, line, counts_of(counts, profile.events), called)
            called = false
        end
    end
    return profile
end


-- ---- Functions ---------------------------------------------------------------------


--- The functions of a source in C, of which each begins and ends at the margin.
-- @tparam string text
-- @treturn {string,...} by line; lines outside of functions have none
function _M.functions_of(text)
    local by_line, number = {}, 0
    local from, name -- of the one that is open, or may be
    for line in (text .. "\n"):gmatch("([^\n]*)\n") do
        number = number + 1
        -- What begins with a name in capitals and a parenthesis is a macro's.
        if line:find("^[%a_]") and not line:find("^typedef%f[%W]")
            and not line:find("^[%u%d_]+%(") then
            local plain = line:gsub("__attribute__%(%(.-%)%)", ""):gsub("^%s+", "")
            from, name = from or number, plain:match("%f[%a_]([%l_][%w_]*)%(") or name
        end
        local ended = line:find("^}") or line:find("^[%a_].*}%s*$")
        if name and ended then
            for i = from, number do
                by_line[i] = name
            end
        end
        if ended or line:find(";%s*$") and not line:find("^%s") or line == "" and not name then
            from, name = nil, nil
        end
    end
    return by_line
end


-- Names of the program, without what a compiler adds to those of parts and copies.
local function plain_name(name)
    if not name or name:find("^0x") or name == "???" then
        return "no name"
    end
    return (name:gsub("%.%l+%.?%d*$", ""):gsub("@@.*$", ""):gsub("'%d+$", ""))
end


local function below(file, start)
    return file and file:sub(1, #start) == start and file:sub(#start + 1) or nil
end


local function add(sum, counts)
    for event, count in pairs(counts) do
        sum[event] = (sum[event] or 0) + count
    end
end


-- By instructions, the most first.
local function sorted(list)
    table.sort(list, function(a, b)
        local x, y = a.counts.Ir or 0, b.counts.Ir or 0
        if x ~= y then
            return x > y
        end
        return a.name .. (a.file or "") < b.name .. (b.file or "")
    end)
    return list
end


--- Adds a profile up by function.
-- @tparam table profile of `read`
-- @tparam string root of the sources, before their paths in the profile
-- @tparam function source of a path below it: its text, or nil
-- @treturn {table,...} `name`, `file` (below the root, or the library's name) and `counts` by
-- event; those with the most instructions first
function _M.functions(profile, root, source)
    local by_file, home, by_key, list = {}, {}, {}, {}
    local start = root .. "/"
    for _, cost in ipairs(profile.costs) do
        local ours = below(cost.file, start)
        if ours and not by_file[ours] then
            by_file[ours] = _M.functions_of(source(ours) or "")
            for _, name in pairs(by_file[ours]) do
                home[name] = ours
            end
        end
        if ours and not by_file[ours][cost.line] then
            home[plain_name(cost.name)] = ours -- of a function that a macro makes
        end
    end
    for _, cost in ipairs(profile.costs) do
        local ours = below(cost.file, start)
        local name = ours and by_file[ours][cost.line] or plain_name(cost.name)
        -- A line of the compiler's own headers counts for the function it is in.
        local file = ours or home[name] or (cost.object or "?"):match("[^/]*$")
        local key = file .. "\0" .. name
        local all = by_key[key]
        if not all then
            all = { name = name, file = file, counts = {} }
            by_key[key], list[#list + 1] = all, all
        end
        add(all.counts, cost.counts)
    end
    return sorted(list)
end


--- What the functions of a folder call of the sources outside of it, with all that is done there.
-- @tparam table profile of `read`
-- @tparam string root of the sources
-- @tparam string folder below it
-- @treturn {table,...} `name` and `counts` by event, as `functions` sorts them
function _M.calls_from(profile, root, folder)
    local all, start, by_name, list = root .. "/", ("%s/%s/"):format(root, folder), {}, {}
    for _, call in ipairs(profile.calls) do
        if below(call.file, start) and below(call.callee_file, all)
            and not below(call.callee_file, start) then
            local name = plain_name(call.callee)
            if not by_name[name] then
                by_name[name] = { name = name, counts = {} }
                list[#list + 1] = by_name[name]
            end
            add(by_name[name].counts, call.counts)
        end
    end
    return sorted(list)
end


return _M
