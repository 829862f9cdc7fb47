--- What a rule pack sees of Lua.
--
-- Pure functions and nothing else: no files, no processes, no modules, no way to load code, no
-- `pcall` and no coroutines, which could outlive a budget. Every pack gets tables of its own, so
-- that none can change what another sees.
--
-- A private pack sees library functions that are bounded as well: a pattern that could take minutes
-- on its text is refused, and so is a result of many megabytes. And it learns at once of a global
-- that it misspells.
--
-- *Dependencies*: none
--
-- @module postern.environment

local _M = {}


local PURE = { "assert", "error", "ipairs", "next", "pairs", "select", "tonumber", "tostring",
               "type", "unpack" }

-- What private packs get of `table`; the others can run long without an end in sight.
local TABLE = { "concat", "insert", "remove", "sort" }

--- The longest text a bounded library function makes, in bytes.
_M.MOST_BYTES = 1024 * 1024

-- Steps that matching may take at the worst, a fraction of a second. Half as many would refuse
-- ordinary patterns on a header of 8 KiB.
local MOST_STEPS = 5e7

-- A longer pattern is a mistake, and would be slow to count.
local MOST_PATTERN = 4096

-- A plain search compares so many bytes in the time of one step of a pattern.
local BYTES_A_STEP = 16

local REPEATS = { ["*"] = true, ["+"] = true, ["-"] = true }


local function copy(from)
    local to = {}
    for name, value in pairs(from) do
        to[name] = value
    end
    return to
end


-- ---- Bounded functions -----------------------------------------------------


-- Not as methods: those are bounded themselves while a private pack runs.
local find, sub = string.find, string.sub


-- The last place of the set that begins at `at`: the first bracket behind its first character that
-- no percent sign stands before.
local function end_of_set(pattern, at)
    at = at + (sub(pattern, at + 1, at + 1) == "^" and 2 or 1)
    repeat
        at = at + (sub(pattern, at, at) == "%" and 2 or 1)
    until at >= #pattern or sub(pattern, at, at) == "]"
    return at
end


-- The last place of the item that begins at `at`, the steps that one try of it takes on so many
-- bytes of text, and whether it can be repeated.
local function item_at(pattern, at, bytes)
    local char, class = sub(pattern, at, at), sub(pattern, at + 1, at + 1)
    if char == "[" then
        local last = end_of_set(pattern, at)
        return last, last - at - 1, true
    elseif char == "(" or char == ")" then
        return at, 0, false
    elseif char ~= "%" then
        return at, 1, true
    elseif class == "b" then
        return at + 3, bytes, false
    elseif class == "f" then
        local last = end_of_set(pattern, at + 2)
        return last, last - at - 1, false
    end
    return at + 1, find(class, "%d") and bytes or 1, true
end


-- The character that has to stand where the pattern goes on at `at`, an empty text for the end of
-- the text; nil where that is open.
local function wanted_at(pattern, at)
    at = find(pattern, "[^()]", at) or #pattern + 1
    local char = sub(pattern, at, at)
    if char == "$" and at == #pattern then
        return ""
    elseif char == "%" then
        at = at + 1
        char = sub(pattern, at, at)
        if char == "" or find(char, "%w") then
            return nil
        end
    elseif char == "" or find(char, "[%^%$%.%[%*%+%-%?]") then
        return nil
    end
    return not find(pattern, "^[*?-]", at + 1) and char or nil
end


-- Whether a repeated item can end at one place only: where what it cannot be has to follow.
local function is_settled(pattern, item, at)
    local wanted = wanted_at(pattern, at)
    return wanted == "" or (wanted and not find(item, "^%%%d")
        and not find(wanted, "^" .. item .. "$"))
end


-- An upper bound of the steps that matching takes. `ways` is how many ways there are to reach an
-- item: `k` repetitions share a text of `n` bytes in (n + k over k) ways, and trying at each place
-- of the text is one more.
local function steps_of(pattern, bytes, anchored)
    local steps, ways, repeats = 0, 1, 0
    local at = anchored and 2 or 1
    local function again()
        repeats = repeats + 1
        ways = ways * (bytes + repeats) / repeats
    end
    if not anchored then
        again()
    end
    while at <= #pattern and steps <= MOST_STEPS do
        local last, cost, may_repeat = item_at(pattern, at, bytes)
        local item, how = sub(pattern, at, last), may_repeat and sub(pattern, last + 1, last + 1)
        at = last + ((REPEATS[how] or how == "?") and 2 or 1)
        if how == "?" then
            ways = ways * 2
        elseif REPEATS[how] and find(pattern, "^%)*$", at) then
            steps = steps + cost * bytes -- behind it nothing fails, hence nothing is tried again
        elseif REPEATS[how] and is_settled(pattern, item, at) then
            steps = steps + ways * cost * bytes / 2
        elseif REPEATS[how] then
            again()
        end
        steps = steps + ways * cost
    end
    return steps
end


-- Numbers are matched as their text. What is neither, the function itself complains about.
local function text_of(value)
    return type(value) == "number" and tostring(value) or value
end


local function check_pattern(text, pattern, anchors)
    text, pattern = text_of(text), text_of(pattern)
    if type(text) ~= "string" or type(pattern) ~= "string" then
        return
    elseif #pattern > MOST_PATTERN then
        error(("a pattern of %d bytes: make it shorter"):format(#pattern), 3)
    end
    local anchored = anchors and sub(pattern, 1, 1) == "^"
    if steps_of(pattern, #text, anchored) > MOST_STEPS then
        error(("the pattern `%s` could take too long on %d bytes: anchor it, or shorten the text")
            :format(pattern, #text), 3)
    end
end


local function check_plain(text, part)
    text, part = text_of(text), text_of(part)
    if type(text) == "string" and type(part) == "string"
        and #text * (#part / BYTES_A_STEP + 1) > MOST_STEPS then
        error(("looking for %d bytes in %d could take too long: shorten one of them")
            :format(#part, #text), 3)
    end
end


local function check_bytes(bytes)
    if bytes > _M.MOST_BYTES then
        error(("a text of more than %d bytes"):format(_M.MOST_BYTES), 3)
    end
end


local function length_of(value)
    return type(value) == "string" and #value or 32
end


-- What replaces a match: what the table or function says of its captures, or the match itself.
local function replaced(replacement, whole, ...)
    local value
    if type(replacement) == "table" then
        value = replacement[... or whole]
    elseif select("#", ...) == 0 then
        value = replacement(whole)
    else
        value = replacement(...)
    end
    if value and type(value) ~= "string" and type(value) ~= "number" then
        error(("invalid replacement value (a %s)"):format(type(value)), 0)
    end
    return value or whole
end


-- `gsub` with a table or a function, by `find`. The library's own calls the function from C: nested
-- deep enough that overflows the stack of the process.
local function replace_each(text, pattern, replacement, most)
    local parts, bytes, at, count = {}, 0, 1, 0
    local function add(part)
        parts[#parts + 1], bytes = part, bytes + length_of(part)
        check_bytes(bytes)
    end
    local function take(first, last, ...)
        if not first then
            return false
        end
        add(sub(text, at, first - 1))
        add(replaced(replacement, sub(text, first, last), ...))
        count, at = count + 1, last + 1
        if last < first then -- nothing was matched: one character goes by
            add(sub(text, at, at))
            at = at + 1
        end
        return at <= #text + 1 and sub(pattern, 1, 1) ~= "^"
    end
    while count < most and take(find(text, pattern, at)) do end
    add(sub(text, at))
    return table.concat(parts), count
end


local function bounded_gsub(text, pattern, replacement, most)
    check_pattern(text, pattern, true)
    local asked = type(replacement) == "table" or type(replacement) == "function"
    local from, by = text_of(text), text_of(pattern)
    if asked and type(from) == "string" and type(by) == "string" then
        return replace_each(from, by, replacement, math.floor(tonumber(most) or math.huge))
    end
    check_bytes((length_of(text) + 1) * math.max(1, length_of(replacement)))
    return string.gsub(text, pattern, replacement, most)
end


local function bounded_strings()
    local bounded = copy(string)
    bounded.dump = nil
    bounded.gsub, bounded.gfind = bounded_gsub, nil
    bounded.rep = function(text, times)
        check_bytes(length_of(text) * (tonumber(times) or 0))
        return string.rep(text, times)
    end
    bounded.find = function(text, pattern, init, plain)
        if plain then
            check_plain(text, pattern)
        else
            check_pattern(text, pattern, true)
        end
        return string.find(text, pattern, init, plain)
    end
    bounded.match = function(text, pattern, init)
        check_pattern(text, pattern, true)
        return string.match(text, pattern, init)
    end
    bounded.gmatch = function(text, pattern)
        check_pattern(text, pattern, false) -- `^` is a character to it
        return string.gmatch(text, pattern)
    end
    bounded.format = function(form, ...)
        local bytes = length_of(form)
        for i = 1, select("#", ...) do
            bytes = bytes + length_of((select(i, ...)))
        end
        check_bytes(bytes)
        return string.format(form, ...)
    end
    return bounded
end


-- Run by the interpreter, where the hook of a budget fires; the library's own comparison cannot be
-- interrupted.
local function is_less(left, right)
    return left < right
end

jit.off(is_less)


local function bounded_tables()
    local bounded = {}
    for _, name in ipairs(TABLE) do
        bounded[name] = table[name]
    end
    bounded.sort = function(list, before)
        return table.sort(list, before or is_less)
    end
    bounded.concat = function(list, separator, from, to)
        local bytes = 0
        for i = from or 1, to or #list do
            bytes = bytes + length_of(list[i]) + length_of(separator or "")
            check_bytes(bytes)
        end
        return table.concat(list, separator, from, to)
    end
    return bounded
end


-- ---- Environments ----------------------------------------------------------


-- Random numbers come from one generator for the whole virtual machine: none may seed it.
local function pure_math()
    local pure = copy(math)
    pure.randomseed = nil
    return pure
end


local STRICT = {
    __index = function(_, name)
        error(("unknown name `%s`: a pack sees `%s`, `string`, `table`, `math` and what it is "
            .. "handed"):format(tostring(name), table.concat(PURE, "`, `")), 2)
    end,
    __newindex = function(_, name)
        error(("`%s` would be a global: write `local %s`"):format(tostring(name), tostring(name)),
              2)
    end,
    __metatable = false,
}


--- Makes the environment of one pack.
-- @tparam[opt=false] boolean private bounded library functions, and no globals
-- @treturn table
-- @treturn table of a private one: what methods of strings are to be, bounded as well; the pack
-- cannot write to it
function _M.new(private)
    local env = {}
    for _, name in ipairs(PURE) do
        env[name] = _G[name]
    end
    if private then
        env.string, env.table, env.math = bounded_strings(), bounded_tables(), pure_math()
        return setmetatable(env, STRICT), bounded_strings()
    end
    env.string, env.table, env.math = copy(string), copy(table), pure_math()
    env.string.dump = nil
    return env
end


return _M
