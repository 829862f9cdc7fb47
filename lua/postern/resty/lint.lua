--- Ways round the front that a configuration of nginx leaves open, found by reading it.
--
-- What is read is what `nginx -T` prints, all files in one. This finds known slips; that it finds
-- none proves nothing. Whoever configures nginx decides what is guarded.
--
-- *Dependencies*: none
--
-- @module postern.resty.lint

local _M = {}


-- ---- Reading -------------------------------------------------------------------


-- The place behind a block of Lua that begins behind `{` at `at`: braces count where they stand
-- neither in a string nor in a comment.
local function end_of_lua(text, at)
    local depth = 1
    while depth > 0 do
        local from = text:find("[{}\"'%-%[]", at)
        if not from then
            return #text + 1
        end
        local char = text:sub(from, from)
        local _, long = text:find("^%-?%-?%[(=*)%[.-%]%1%]", from)
        if char == "{" or char == "}" then
            depth, at = depth + (char == "{" and 1 or -1), from + 1
        elseif long then
            at = long + 1
        elseif text:find("^%-%-", from) then
            at = text:find("\n", from, true) or #text + 1
        elseif char == '"' or char == "'" then
            at = from + 1
            while at <= #text and text:sub(at, at) ~= char do
                at = at + (text:sub(at, at) == "\\" and 2 or 1)
            end
            at = at + 1
        else
            at = from + 1
        end
    end
    return at
end


-- The next word at `at`, and the place behind it.
local function word_at(text, at)
    local quote = text:match("^[\"']", at)
    if not quote then
        local word = text:match("^[^%s;{}]+", at)
        -- `${name}` is a part of a word.
        while word and text:find("^{[%w_]+}", at + #word) and word:sub(-1) == "$" do
            word = word .. text:match("^{[%w_]+}[^%s;{}]*", at + #word)
        end
        return word, at + #(word or " ")
    end
    local last = at + 1
    while last <= #text and text:sub(last, last) ~= quote do
        last = last + (text:sub(last, last) == "\\" and 2 or 1)
    end
    return text:sub(at + 1, last - 1), last + 1
end


local function count_lines(text, from, to)
    local _, count = text:sub(from, to):gsub("\n", "")
    return count
end


-- A comment; that of `nginx -T` tells which file follows.
local function skip_comment(reader, at)
    local last = reader.text:find("\n", at, true) or #reader.text + 1
    local file = reader.text:sub(at, last - 1):match("^# configuration file (.+):$")
    if file then
        reader.file, reader.begins = file, last + 1
    end
    return last
end


local function place_of(reader, at)
    return reader.file, 1 + count_lines(reader.text, reader.begins, at - 1)
end


-- What stands between braces: directives, each with `name`, `args`, `file`, `line`, and `inner`
-- (its own directives) or `lua`.
local function read_block(reader, at, parent)
    local text, current = reader.text, nil
    while at <= #text do
        at = text:find("%S", at)
        local char = at and text:sub(at, at)
        if not at then
            return #text + 1
        elseif char == "#" then
            at = skip_comment(reader, at)
        elseif char == "}" then
            return at + 1
        elseif char == ";" then
            current, at = nil, at + 1
        elseif char == "{" and current and current.name:find("_by_lua_block$") then
            local last = end_of_lua(text, at + 1)
            current.lua, at = text:sub(at + 1, last - 2), last
            current = nil
        elseif char == "{" then
            current = current or { name = "", args = {} }
            current.inner = {}
            at = read_block(reader, at + 1, current)
            current = nil
        else
            local word, after = word_at(text, at)
            if current then
                current.args[#current.args + 1] = word
            else
                current = { name = word, args = {}, parent = parent }
                current.file, current.line = place_of(reader, at)
                parent.inner[#parent.inner + 1] = current
            end
            at = after
        end
    end
    return at
end


--- Reads a configuration.
-- @tparam string text
-- @treturn table a directive that holds all others, in `inner`
function _M.read(text)
    local root = { name = "", args = {}, inner = {} }
    read_block({ text = text, file = "nginx.conf", begins = 1 }, 1, root)
    return root
end


-- ---- What is so somewhere --------------------------------------------------------


-- The directive of a name that counts in a block: its own, or that of a block around it.
local function effective(block, name)
    while block do
        for _, directive in ipairs(block.inner) do
            if directive.name:gsub("_block$", "") == name then
                return directive, block
            end
        end
        block = block.parent
    end
    return nil
end


local function calls(directive, method)
    local lua = directive and (directive.lua or directive.args[1])
    return lua ~= nil and lua:find("postern", 1, true) ~= nil
        and lua:find("%f[%w_]" .. method .. "%f[^%w_]") ~= nil
end


-- How a block is guarded: `guard`, `access`, or not at all.
local function guard_of(block)
    if calls(effective(block, "rewrite_by_lua"), "guard") then
        return "guard"
    elseif calls(effective(block, "access_by_lua"), "access") then
        return "access"
    end
    return nil
end


local function own(block, name)
    for _, directive in ipairs(block.inner) do
        if directive.name:gsub("_block$", "") == name then
            return directive
        end
    end
    return nil
end


local function each(block, visit)
    for _, directive in ipairs(block.inner or {}) do
        visit(directive)
        each(directive, visit)
    end
end


-- What a location hands requests on to; nil for one that does not.
local function behind(block)
    for _, directive in ipairs(block.inner) do
        if directive.name:find("_pass$") then
            return directive.name .. " " .. (directive.args[1] or "")
        end
    end
    return nil
end


-- ---- The checks --------------------------------------------------------------------


local CHECKS = {}

local function title(location)
    return "location " .. table.concat(location.args, " ")
end


function CHECKS.satisfy(location, guard, complain)
    local satisfy = effective(location, "satisfy")
    if guard == "access" and satisfy and satisfy.args[1] == "any" then
        complain(satisfy, "%s: `satisfy any` lets pass whom `allow` or a password lets pass, and "
            .. "nobody is asked: call `guard` in rewrite_by_lua", title(location))
    end
end


function CHECKS.returns(location, guard, complain)
    local found = own(location, "return")
    if guard == "access" and found then
        complain(found, "%s: `return` answers before anybody is asked", title(location))
    end
end


-- A directive in a location takes the place of that of the server, it does not add to it.
function CHECKS.replaced(location, guard, complain)
    local mine = own(location, "access_by_lua")
    if not guard and mine and location.parent and guard_of(location.parent) then
        complain(mine, "%s: its own access_by_lua takes the place of the guard around it",
                 title(location))
    end
end


function CHECKS.settings(location, guard, complain)
    for _, directive in ipairs(guard and {} or location.inner) do
        if directive.name == "set" and (directive.args[1] or ""):find("^%$postern_") then
            complain(directive, "%s: sets `%s`, but nobody is asked here", title(location),
                     directive.args[1])
            return
        end
    end
end


-- nginx's manual wants both with a slash at their end, or none.
function CHECKS.alias(location, _, complain)
    local alias, path = own(location, "alias"), location.args[#location.args] or ""
    if alias and (alias.args[1] or ""):sub(-1) == "/" and path:sub(1, 1) == "/"
        and path:sub(-1) ~= "/" and location.args[1] ~= "=" then
        complain(alias, "%s: without a slash at its end it leads out of `%s` by `%s../`",
                 title(location), alias.args[1], path)
    end
end


-- Who is asked for what stands behind, where a location hands on to the same program unasked.
local function check_same_program(locations, complain)
    local guarded = {}
    for _, location in ipairs(locations) do
        local program = behind(location)
        if program and guard_of(location) then
            guarded[program] = guarded[program] or location
        end
    end
    for _, location in ipairs(locations) do
        local other = guarded[behind(location) or ""]
        if other and not guard_of(location) then
            complain(location, "%s: nobody is asked, and it leads to what %s guards",
                     title(location), title(other))
        end
    end
end


local function makes_subrequests(directive)
    local name, first = directive.name, directive.args[1]
    return directive.lua and directive.lua:find("location%.capture") ~= nil
        or (name == "ssi" and first == "on") or name == "mirror" and first ~= "off"
        or name == "auth_request" and first ~= "off"
        or name == "add_before_body" or name == "add_after_body"
end


-- Only the access phase passes subrequests by.
local function check_subrequests(root, locations, complain)
    local maker
    each(root, function(directive)
        maker = maker or makes_subrequests(directive) and directive
    end)
    for _, location in ipairs(maker and locations or {}) do
        if guard_of(location) == "access" and not own(location, "internal") then
            complain(location, "%s: subrequests come here unasked, and %s:%d (`%s`) makes some: "
                .. "call `guard` in rewrite_by_lua", title(location), maker.file, maker.line,
                maker.name)
        end
    end
end


local function check_others(root, complain)
    each(root, function(directive)
        local first = directive.args[1] or ""
        if directive.name == "set_real_ip_from" and first:find("/0+$") then
            complain(directive, "`set_real_ip_from %s` believes everybody", first)
        elseif directive.name == "set" and first:find("^%$postern_") and directive.parent
            and directive.parent.name == "server" then
            complain(directive, "`set %s` in a server block runs again for each subrequest, also "
                .. "of what a location has set: set it in locations", first)
        end
    end)
end


local INHERITED = { "satisfy", "returns", "replaced", "settings", "alias" }

--- Looks for known slips.
-- @tparam string text what `nginx -T` prints
-- @treturn {string,...} one line each, `file:line: message`; empty when none was found
function _M.check(text)
    local root, locations, lines, told = _M.read(text), {}, {}, {}
    local function complain(directive, message, ...)
        local line = ("%s:%d: %s"):format(directive.file, directive.line, message:format(...))
        if not told[line] then
            told[line] = true
            lines[#lines + 1] = line
        end
    end
    each(root, function(directive)
        if directive.name == "location" and directive.inner then
            locations[#locations + 1] = directive
        end
    end)
    for _, location in ipairs(locations) do
        local guard = guard_of(location)
        for _, name in ipairs(INHERITED) do
            CHECKS[name](location, guard, complain)
        end
    end
    check_same_program(locations, complain)
    check_subrequests(root, locations, complain)
    check_others(root, complain)
    return lines
end


return _M
