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
local LIBRARIES = { "string", "table", "math" }

-- What private packs get of `table`; the others can run long without an end in sight.
local TABLE = { "concat", "insert", "remove", "sort" }

--- The longest text a bounded library function makes, in bytes.
_M.MOST_BYTES = 1024 * 1024

-- Steps that matching may take at the worst, a fraction of a second. What is counted is an upper
-- bound: the length of the text to the power of the repetitions that may share it.
local MOST_STEPS = 1e8

-- More functions than this in one pattern are a mistake, and would be slow to count.
local MOST_PATTERN = 4096


local function copy(from)
    local to = {}
    for name, value in pairs(from) do
        to[name] = value
    end
    return to
end


-- ---- Bounded functions -----------------------------------------------------


-- How often the parts of a pattern may try again: `repeats` is the number of parts that share the
-- text in every way, `doubles` of those that are there or not.
local function count_parts(pattern)
    local repeats, doubles, at = 0, 0, 1
    while at <= #pattern do
        local char = pattern:sub(at, at)
        if char == "%" then
            if pattern:sub(at + 1, at + 1) == "b" then
                repeats = repeats + 1
            end
            at = at + 1
        elseif char == "[" then
            -- A set ends at the first bracket behind its first character.
            at = (pattern:find("]", at + (pattern:sub(at + 1, at + 1) == "^" and 3 or 2), true)
                or #pattern)
        elseif char == "*" or char == "+" or char == "-" then
            repeats = repeats + 1
        elseif char == "?" then
            doubles = doubles + 1
        end
        at = at + 1
    end
    return repeats, doubles
end


local function check_pattern(text, pattern)
    if type(text) ~= "string" or type(pattern) ~= "string" then
        return -- the function itself complains
    elseif #pattern > MOST_PATTERN then
        error(("a pattern of %d bytes: make it shorter"):format(#pattern), 3)
    end
    local repeats, doubles = count_parts(pattern)
    if pattern:sub(1, 1) ~= "^" then
        repeats = repeats + 1 -- it is tried at every place of the text
    end
    if (#text + 1) ^ repeats * 2 ^ doubles > MOST_STEPS then
        error(("the pattern `%s` could take too long on %d bytes: anchor it, or shorten the text")
            :format(pattern, #text), 3)
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


local function bounded_strings()
    local bounded = copy(string)
    bounded.dump = nil
    bounded.rep = function(text, times)
        check_bytes(length_of(text) * (tonumber(times) or 0))
        return string.rep(text, times)
    end
    bounded.find = function(text, pattern, init, plain)
        if not plain then
            check_pattern(text, pattern)
        end
        return string.find(text, pattern, init, plain)
    end
    for _, name in ipairs({ "match", "gmatch" }) do
        local real = string[name]
        bounded[name] = function(text, pattern, ...)
            check_pattern(text, pattern)
            return real(text, pattern, ...)
        end
    end
    bounded.gsub = function(text, pattern, replacement, ...)
        check_pattern(text, pattern)
        if type(replacement) == "string" then
            check_bytes((length_of(text) + 1) * math.max(1, #replacement))
        end
        return string.gsub(text, pattern, replacement, ...)
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


local function bounded_tables()
    local bounded = {}
    for _, name in ipairs(TABLE) do
        bounded[name] = table[name]
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
function _M.new(private)
    local env = {}
    for _, name in ipairs(PURE) do
        env[name] = _G[name]
    end
    if private then
        env.string, env.table, env.math = bounded_strings(), bounded_tables(), copy(math)
        return setmetatable(env, STRICT)
    end
    for _, name in ipairs(LIBRARIES) do
        env[name] = copy(_G[name])
    end
    env.string.dump = nil
    return env
end


return _M
