--- Running specs: busted as a library, in this process, so that decisions can be looked at.
--
-- busted is loaded when specs are run, and only then: case files need none. A spec runs as it does
-- by the command `busted`; a configuration file is not read.
--
-- *Dependencies*: busted (when called)
--
-- @module postern.testing.specs

local _M = {}


-- The results of busted, in our words.
local RESULTS = { success = "passed", failure = "failed", error = "failed", pending = "pending" }


local function full_name(busted, element)
    local names = { element.name or element.descriptor }
    local parent = busted.context.parent(element)
    while parent and parent.descriptor ~= "file" do
        table.insert(names, 1, parent.name or parent.descriptor)
        parent = busted.context.parent(parent)
    end
    return table.concat(names, " ")
end


local function file_of(busted, element)
    local at = element
    while at and at.descriptor ~= "file" do
        at = busted.context.parent(at)
    end
    return at and at.name
end


-- Whether a source as traces shorten it, `...its/end_spec.lua`, is the file.
local function is_source(shown, file)
    local tail = shown:match("^%.%.%.(.*)$")
    return shown == file or shown == "./" .. file or (tail ~= nil and file:sub(-#tail) == tail)
end


-- The line of the spec that a test begins on: for the row of a table, where the table stands.
local function line_of(trace, file)
    if trace and is_source(trace.short_src, file) then
        return trace.currentline
    end
    for source, line in (trace and trace.traceback or ""):gmatch("\n%s*([^\n:]+):(%d+):") do
        if is_source(source, file) then
            return tonumber(line)
        end
    end
    return nil
end


-- The message without the place in front: in the spec it is the line that failed, and else a place
-- in our own modules.
local function split_message(message, file)
    local source, line, rest = message:match("^([^\n:]+):(%d+): (.*)$")
    if source and is_source(source, file) then
        return rest, tonumber(line)
    elseif source and source:find("testing%.lua$") then
        return rest
    end
    return message
end


local function result_of(busted, element, status, message)
    local file = file_of(busted, element)
    local result = {
        kind = "spec", file = file, line = line_of(element.trace, file),
        name = full_name(busted, element), result = RESULTS[status] or "failed",
        seconds = element.duration,
    }
    if message then
        local line
        result.message, line = split_message(tostring(message), file)
        result.line = line or result.line
    end
    return result
end


local EVENTS = { "failure", "error", "pending" }
local AT_START, AT_END, LOADERS = { "test", "start" }, { "test", "end" }, { "lua" }

-- Tells every test when it has ended, and what fails outside of tests as an error.
local function subscribe(busted, take)
    local message
    busted.subscribe(AT_START, function()
        message = nil
        return nil, true
    end)
    for _, event in ipairs(EVENTS) do
        busted.subscribe({ event }, function(element, _, text)
            if element.descriptor == "it" or element.descriptor == "pending" then
                message = message or text
            else
                take({ kind = "spec", file = file_of(busted, element) or element.name,
                       name = full_name(busted, element), result = "error",
                       message = tostring(text) })
            end
            return nil, true
        end)
    end
    busted.subscribe(AT_END, function(element, _, status)
        take(result_of(busted, element, status, message))
        return nil, true
    end)
end


-- A name of a test holds the text; special characters of patterns mean nothing.
local function filter_by(busted, text)
    require("busted.modules.filter_loader")()(busted, {
        filter = { (text:gsub("%W", "%%%0")) }, filterOut = {}, tags = {}, excludeTags = {},
    })
end


-- What a spec may change for everybody: the search path it gets its helpers by, the end of the
-- process, which would pass for success, and, for output in JSON, where it prints.
local function with_globals(options, run)
    local path, exit, printer, output = package.path, os.exit, print, io.output()
    package.path = path .. ";./?.lua;./?/init.lua"
    os.exit = function() -- luacheck: ignore 122
        error("a spec calls `os.exit`: nothing after it would be tested", 2)
    end
    if options.quiet then
        io.output(io.stderr)
        _G.print = function(...) -- luacheck: ignore 122
            local texts = { ... }
            for i = 1, select("#", ...) do
                texts[i] = tostring(texts[i])
            end
            io.stderr:write(table.concat(texts, "\t"), "\n")
        end
    end
    local ok, err = pcall(run)
    package.path, os.exit, _G.print = path, exit, printer -- luacheck: ignore 122
    io.output(output)
    if not ok then
        error(err, 0)
    end
end


--- Runs specs.
-- @tparam {string,...} files
-- @tparam table options `filter` (a text in the names of the tests to run), `quiet` (what specs
-- print goes to standard error)
-- @tparam function take is called with every test: `{kind = "spec", file, line, name, result,
-- message, seconds}`, `result` being `passed`, `failed`, `pending`, or `error` for what went wrong
-- outside of a test
-- @treturn boolean|nil true
-- @treturn string why not: there is no busted
function _M.run(files, options, take)
    local ok, core = pcall(require, "busted.core")
    if not ok then
        return nil, "specs are run by busted, which is not installed: install the package "
            .. "lua-busted"
    end
    local busted = core()
    require("busted")(busted)
    require("busted.languages.en")
    require("busted.luajit")()
    subscribe(busted, take)
    if options.filter then
        filter_by(busted, options.filter)
    end
    with_globals(options, function()
        require("busted.modules.test_file_loader")(busted, LOADERS)(files, {}, {
            excludes = {}, recursive = false,
        })
        require("busted.execute")(busted)(1, {})
    end)
    return true
end


return _M
