--- The configuration language: a Lua file that says words, collected and checked.
--
-- `word "value"`, `word { list }` or `word "id" { members }`. Nothing raises on the way: what is
-- wrong becomes a problem with its file and line, and reading goes on, so that one run tells all.
-- What the words mean is decided elsewhere; this module only knows their shape.
--
-- A configuration is code one trusts. It sees the words and plain Lua without files, processes and
-- modules; that keeps it declarative and is no sandbox.
--
-- *Dependencies*: none (the reader is handed in)
--
-- @module postern.config

local _M = {}


-- Includes and records that nest deeper are a mistake; the limits end a runaway one.
local MAX_INCLUDES, MAX_NESTING = 32, 8

local PURE = { "assert", "error", "ipairs", "next", "pairs", "select", "tonumber", "tostring",
               "type", "unpack" }
local LIBRARIES = { "string", "table", "math" }


-- ---- Problems --------------------------------------------------------------


local Problems = {}
Problems.__index = Problems

function Problems:__tostring()
    local lines = {}
    for i, problem in ipairs(self) do
        local place = problem.file
        if problem.column then
            place = ("%s:%d:%d"):format(place, problem.line, problem.column)
        elseif problem.line then
            place = ("%s:%d"):format(place, problem.line)
        end
        lines[i] = place .. ": " .. problem.message
    end
    return table.concat(lines, "\n")
end


--- A list of problems; as text one line each.
-- @treturn Problems
function _M.problems()
    return setmetatable({ told = {} }, Problems)
end


--- Adds a problem. The same one told twice stays one.
-- @tparam Problems problems
-- @tparam table place `{file, line, column}`; without a line it concerns the whole file; optionally
-- `policy`, the name of the policy that is at fault, and `code`
-- @tparam string message
function _M.add(problems, place, message)
    message = message:gsub("%s*\n%s*", " ")
    local key = ("%s\0%s\0%s\0%s"):format(place.file, place.line, place.column, message)
    if problems.told[key] then
        return
    end
    problems.told[key] = true
    problems[#problems + 1] = {
        file = place.file, line = place.line, column = place.column, message = message,
        policy = place.policy, code = place.code,
    }
end


--- Puts problems in the order of their places; files in the order they were first told.
-- @tparam Problems problems
function _M.sort(problems)
    local files, order = {}, {}
    for i, problem in ipairs(problems) do
        files[problem.file] = files[problem.file] or i
        order[problem] = i
    end
    table.sort(problems, function(left, right)
        if left.file ~= right.file then
            return files[left.file] < files[right.file]
        elseif left.line ~= right.line then
            return (left.line or 0) < (right.line or 0)
        end
        return order[left] < order[right]
    end)
end


-- ---- Did you mean ----------------------------------------------------------


local function distance(left, right)
    local row = {}
    for j = 0, #right do
        row[j] = j
    end
    for i = 1, #left do
        local diagonal = row[0]
        row[0] = i
        for j = 1, #right do
            local cost = left:byte(i) == right:byte(j) and 0 or 1
            local best = math.min(diagonal + cost, row[j] + 1, row[j - 1] + 1)
            diagonal, row[j] = row[j], best
        end
    end
    return row[#right]
end


--- The known name that is spelled most alike, as the end of a message.
-- @tparam string name
-- @tparam table known a table whose keys are names
-- @treturn string `: did you mean ...` or the names there are
function _M.suggestion(name, known)
    local names = {}
    for candidate in pairs(known) do
        names[#names + 1] = candidate
    end
    table.sort(names)
    local nearest, least = nil, math.max(1, math.floor(#name / 3)) + 1
    for _, candidate in ipairs(#name <= 64 and names or {}) do
        local far = distance(name:lower(), candidate:lower())
        if far < least then
            nearest, least = candidate, far
        end
    end
    if nearest then
        return (": did you mean `%s`?"):format(nearest)
    end
    return (": there are `%s`"):format(table.concat(names, "`, `"))
end


-- ---- Types of members ------------------------------------------------------


local function is_list_of_strings(value)
    if type(value) ~= "table" then
        return false
    end
    local count = 0
    for _ in pairs(value) do
        count = count + 1
    end
    for i = 1, count do
        if type(value[i]) ~= "string" then
            return false
        end
    end
    return true
end


local function is_map_of_strings(value)
    if type(value) ~= "table" then
        return false
    end
    for name, one in pairs(value) do
        if type(name) ~= "string" or type(one) ~= "string" then
            return false
        end
    end
    return true
end


local function is_whole(value)
    return type(value) == "number" and value >= 0 and value == math.floor(value)
end


-- By number or by name, `-1` being all of them.
local function is_protocol(value)
    return value == -1 or is_whole(value) or (type(value) == "string" and value ~= "")
end


-- Each type: what to say to give, and whether a value is one.
local TYPES = {
    text = { "a text that is not empty", function(value)
        return type(value) == "string" and value ~= ""
    end },
    account = { "an account id of 12 digits", function(value)
        return type(value) == "string" and value:match("^%d+$") ~= nil and #value == 12
    end },
    flag = { "true or false", function(value) return type(value) == "boolean" end },
    count = { "a whole number", is_whole },
    protocol = { "a protocol such as `tcp`, or its number", is_protocol },
    list = { "a list of texts", is_list_of_strings },
    map = { "names with texts", is_map_of_strings },
    refusal = { "a status, 400 to 499", function(value)
        return is_whole(value) and value >= 400 and value <= 499
    end },
    fault = { "403 or 503", function(value) return value == 403 or value == 503 end },
    table = { "a table", function(value) return type(value) == "table" end },
    code = { "a function", function(value) return type(value) == "function" end },
}


local function describe(value)
    if type(value) == "string" then
        return ("`%s`"):format(value)
    elseif type(value) == "number" or type(value) == "boolean" then
        return tostring(value)
    end
    return "a " .. type(value)
end


local check_members -- records hold records


-- Names with records; a text stands for the record whose first member it is.
local function check_named(problems, place, name, value, schema, depth)
    local named = {}
    if type(value) ~= "table" then
        _M.add(problems, place, ("%s is %s: give a table"):format(name, describe(value)))
        return named
    end
    for key, item in pairs(value) do
        if type(item) == "string" then
            item = { [schema.short] = item }
        end
        if type(key) ~= "string" or type(item) ~= "table" then
            _M.add(problems, place, ("%s: `%s` is %s: give names with tables")
                :format(name, tostring(key), describe(item)))
        else
            named[key] = check_members(problems, place, ("%s: `%s`"):format(name, key), item,
                                       schema.members, depth + 1)
        end
    end
    return named
end


-- A list of records; a text stands for the record whose first member it is.
local function check_records(problems, place, name, value, schema, depth)
    if type(value) ~= "table" or depth > MAX_NESTING then
        _M.add(problems, place, name .. (type(value) == "table" and ": nested too deep"
            or (" is %s: give a list"):format(describe(value))))
        return {}
    end
    local records = {}
    for i, item in ipairs(value) do
        if type(item) == "string" and schema.short then
            item = { [schema.short] = item }
        end
        if type(item) == "table" then
            records[#records + 1] = check_members(problems, place, ("%s %d"):format(name, i),
                                                  item, schema.members, depth + 1)
        else
            _M.add(problems, place, ("%s %d is %s: give a table"):format(name, i, describe(item)))
        end
    end
    for key in pairs(value) do
        if type(key) ~= "number" or key < 1 or key > #value then
            _M.add(problems, place, ("%s is a list: `%s` has no place in it")
                :format(name, tostring(key)))
        end
    end
    return records
end


-- A text where a list is wanted is a list of one.
local function check_value(problems, place, name, value, spec, depth)
    if spec.records then
        return check_records(problems, place, name, value, spec.records, depth)
    elseif spec.named then
        return check_named(problems, place, name, value, spec.named, depth)
    elseif spec.members then
        if type(value) ~= "table" then
            _M.add(problems, place, ("%s is %s: give its members in { }")
                :format(name, describe(value)))
            return nil
        end
        return check_members(problems, place, name, value, spec.members, depth + 1)
    elseif spec.one_of then
        if type(value) ~= "string" or not spec.one_of[value] then
            _M.add(problems, place, ("%s is %s%s"):format(name, describe(value),
                _M.suggestion(type(value) == "string" and value or "", spec.one_of)))
        end
        return value
    end
    local kind = TYPES[spec.type]
    if spec.type == "list" and type(value) == "string" then
        value = { value }
    end
    if not kind[2](value) then
        _M.add(problems, place, ("%s is %s: give %s"):format(name, describe(value), kind[1]))
        return nil
    end
    return value
end


function check_members(problems, place, what, members, known, depth)
    local checked = {}
    local names = {}
    for name in pairs(members) do
        names[#names + 1] = name
    end
    table.sort(names, function(left, right) return tostring(left) < tostring(right) end)
    for _, name in ipairs(names) do
        if not known[name] then
            _M.add(problems, place, ("%s: unknown member `%s`%s")
                :format(what, tostring(name), _M.suggestion(tostring(name), known)))
        else
            checked[name] = check_value(problems, place, ("%s: `%s`"):format(what, name),
                                        members[name], known[name], depth)
        end
    end
    for name, spec in pairs(known) do
        if spec.required and members[name] == nil then
            _M.add(problems, place, ("%s: `%s` is missing: add it"):format(what, name))
        end
    end
    return checked
end


-- ---- Words -----------------------------------------------------------------


local Reader = {}
Reader.__index = Reader


-- The line of the configuration that is being run: the innermost frame that is in one of its files.
local function place_of(self)
    local level = 3
    local info = debug.getinfo(level, "Sl")
    while info do
        local file = self.names[info.source]
        if file then
            return { file = file, line = info.currentline }
        end
        level = level + 1
        info = debug.getinfo(level, "Sl")
    end
    return { file = self.path }
end


local function complain(self, place, message, ...)
    _M.add(self.problems, place, message:format(...))
end


-- Takes whatever follows an unknown word, so that what stands behind it is read as well.
local ANYTHING = setmetatable({}, {
    __call = function(self) return self end,
    __index = function(self) return self end,
})


local function take_value(self, word, spec, place, value)
    local entry = { word = word, file = place.file, line = place.line }
    entry.value = check_value(self.problems, place, ("`%s`"):format(word), value, spec.value, 1)
    if entry.value == nil then
        return ANYTHING
    end
    entry.id = type(entry.value) == "string" and entry.value or nil
    self.entries[#self.entries + 1] = entry
    if not spec.options then
        return ANYTHING
    end
    entry.members = {}
    return function(members)
        entry.members = check_value(self.problems, place, ("%s `%s`"):format(word, value), members,
                                    { type = "table" }, 1) or {}
    end
end


local function take_entry(self, word, spec, place, id)
    local entry = { word = word, id = id, file = place.file, line = place.line, members = {} }
    if type(id) ~= "string" or id == "" then
        complain(self, place, "%s is %s: write %s \"id\" { ... }", word, describe(id), word)
        return ANYTHING
    end
    local what = ("%s `%s`"):format(word, id)
    self.entries[#self.entries + 1] = entry
    self.open[entry] = what
    return function(members)
        self.open[entry] = nil
        if type(members) ~= "table" then
            complain(self, place, "%s is followed by %s: give its members in { }", what,
                     describe(members))
            return
        end
        entry.members = check_members(self.problems, place, what, members, spec.members, 1)
    end
end


local function word_function(self, word, spec)
    local take = spec.value and take_value or take_entry
    return function(value)
        self.pause()
        return take(self, word, spec, place_of(self), value)
    end
end


-- ---- Files -----------------------------------------------------------------


--- A path as seen from the folder of a file.
-- @tparam string path
-- @tparam string from the file that names it
-- @treturn string
function _M.resolve(path, from)
    if path:sub(1, 1) ~= "/" then
        path = (from:match("^(.*/)") or "") .. path
    end
    return path
end


-- The same file by one name, however it is written, as far as the text of the path tells.
local function canonical(path)
    local parts = {}
    for part in path:gmatch("[^/]+") do
        if part == ".." and #parts > 0 and parts[#parts] ~= ".." then
            parts[#parts] = nil
        elseif part ~= "." then
            parts[#parts + 1] = part
        end
    end
    return (path:sub(1, 1) == "/" and "/" or "") .. table.concat(parts, "/")
end


-- Splits what Lua says of a failing file into line and message.
local function place_in_error(path, err)
    local line, message = tostring(err):match(":(%d+): (.*)$")
    return { file = path, line = tonumber(line) }, message or tostring(err)
end


local function run_file(self, path)
    local text, err = self.read(path)
    if not text then
        return ("cannot be read: %s"):format(err)
    end
    self.names["@" .. path] = path
    -- Text only: bytecode is not verified when it is loaded.
    local chunk
    chunk, err = load(text, "@" .. path, "t", self.environment)
    if not chunk then
        _M.add(self.problems, place_in_error(path, err))
        return nil
    end
    local ok
    ok, err = pcall(chunk)
    if not ok then
        _M.add(self.problems, place_in_error(path, err))
    end
    return nil
end


local function include(self, name)
    local place = place_of(self)
    if type(name) ~= "string" or name == "" then
        return complain(self, place, "include is %s: give the name of a file", describe(name))
    end
    local path = canonical(_M.resolve(name, place.file))
    if self.running[path] or #self.stack >= MAX_INCLUDES then
        return complain(self, place, "include `%s`: the file is being read already: a file cannot "
            .. "include itself, not even through others", name)
    end
    self.running[path] = true
    self.stack[#self.stack + 1] = path
    local failed = run_file(self, path)
    self.stack[#self.stack] = nil
    self.running[path] = nil
    if failed then
        complain(self, place, "include `%s`: %s", name, failed)
    end
end


local function copy(from)
    local to = {}
    for name, value in pairs(from) do
        to[name] = value
    end
    return to
end


local function environment(self, words)
    local env = { include = function(name) return include(self, name) end }
    for _, name in ipairs(PURE) do
        env[name] = _G[name]
    end
    for _, name in ipairs(LIBRARIES) do
        env[name] = copy(_G[name])
    end
    env.string.dump = nil
    for word, spec in pairs(words) do
        env[word] = word_function(self, word, spec)
    end
    return setmetatable(env, {
        __index = function(_, name)
            complain(self, place_of(self), "unknown word `%s`%s", tostring(name),
                     _M.suggestion(tostring(name), env))
            return ANYTHING
        end,
        __newindex = function(_, name)
            complain(self, place_of(self), "`%s` is set for all files: write `local %s`",
                     tostring(name), tostring(name))
        end,
    })
end


local function check_repeated(self, words)
    local first = {}
    for _, entry in ipairs(self.entries) do
        local once = words[entry.word].once
        local key = entry.word .. "\0" .. (once and "" or entry.id or "")
        if not words[entry.word].many then
            if first[key] then
                complain(self, entry, "%s%s is given again: it stands at %s:%d already",
                         entry.word, once and "" or (" `%s`"):format(entry.id), first[key].file,
                         first[key].line)
            end
            first[key] = first[key] or entry
        end
        self.pause()
    end
end


--- Reads a configuration and all it includes.
-- @tparam string path
-- @tparam table options `words` (word to `{value=}` or `{members=}`, with `once` or `many`; see
-- `postern.estate`), `read` (a host's reader), and optionally `pause`, which is called at each word
-- @treturn {table,...} the entries `{word, id, value, members, file, line}` in their order; what is
-- wrong is left out of them
-- @treturn Problems empty when all is well
function _M.read(path, options)
    local self = setmetatable({
        path = path,
        read = options.read,
        pause = options.pause or function() end,
        problems = _M.problems(),
        entries = {},
        names = {},   -- chunk name to path, of every file read
        running = {}, -- the files whose includes are being read
        stack = {},
        open = {},    -- entries still without members
    }, Reader)
    self.environment = environment(self, options.words)
    self.running[canonical(path)] = true
    local failed = run_file(self, path)
    if failed then
        _M.add(self.problems, { file = path }, failed)
    end
    for _, entry in ipairs(self.entries) do
        if self.open[entry] then
            complain(self, entry, "%s has no members: write %s \"%s\" { ... }",
                     self.open[entry], entry.word, entry.id)
        end
        self.pause()
    end
    check_repeated(self, options.words)
    local entries = self.entries
    -- The JIT compiler keeps closures it has met for good, and with them this reader: it must not
    -- keep what was read.
    self.entries, self.open = {}, {}
    return entries, self.problems
end


return _M
