local config = require("postern.config")


local WORDS = {
    account = { value = { type = "account" }, once = true },
    proxies = { value = { type = "list" }, once = true },
    pack = { value = { type = "text" }, options = true },
    answer = { value = { members = { denied = { type = "refusal" }, fault = { type = "fault" } } },
               once = true },
    thing = { members = {
        name = { type = "text" }, size = { type = "count" }, on = { type = "flag" },
        names = { type = "list" }, tags = { type = "map" }, run = { type = "code" },
        color = { one_of = { RED = true, BLUE = true }, required = true },
        protocol = { type = "protocol" },
        parts = { records = { short = "id", members = {
            id = { type = "text", required = true },
        } } },
        hosts = { named = { short = "base", members = { base = { type = "text" } } } },
    } },
}
WORDS.thing.members.parts.records.members.parts = WORDS.thing.members.parts


-- Reads `main.lua` of some files.
local function read(files)
    if type(files) == "string" then
        files = { ["main.lua"] = files }
    end
    return config.read("main.lua", {
        words = WORDS,
        read = function(path)
            return files[path], "no such file"
        end,
    })
end


-- What is wrong, as one text.
local function problems(files)
    local _, found = read(files)
    return tostring(found)
end


local function entry(text)
    local entries, found = read(text)
    assert.equal("", tostring(found))
    return entries[1]
end


describe("postern.config", function()
    it("collects words with their places", function()
        local entries, found = read('account "123456789012"\n\nthing "t" { color = "RED" }\n'
            .. 'proxies { "a", "b" }\npack "p" { x = 1 }\npack "q"')
        assert.equal(0, #found)
        assert.same({
            { word = "account", id = "123456789012", value = "123456789012", file = "main.lua",
              line = 1 },
            { word = "thing", id = "t", members = { color = "RED" }, file = "main.lua", line = 3 },
            { word = "proxies", value = { "a", "b" }, file = "main.lua", line = 4 },
            { word = "pack", id = "p", value = "p", members = { x = 1 }, file = "main.lua",
              line = 5 },
            { word = "pack", id = "q", value = "q", members = {}, file = "main.lua", line = 6 },
        }, entries)
    end)

    it("takes members for a word that has no id", function()
        assert.same({ denied = 404, fault = 403 },
                    entry("answer { denied = 404, fault = 403 }").value)
        assert.equal("main.lua:1: `answer`: `denied` is 200: give a status, 400 to 499",
                     problems("answer { denied = 200 }"))
        assert.equal("main.lua:1: `answer`: `fault` is 500: give 403 or 503",
                     problems("answer { fault = 500 }"))
        assert.matches("`answer`: unknown member `faults`: did you mean `fault`?",
                       problems("answer { faults = 403 }"), 1, true)
        assert.equal("main.lua:1: `answer` is `x`: give its members in { }",
                     problems('answer "x"'))
    end)

    it("knows plain Lua, but no files, modules and processes", function()
        local entries = read('local function make(n) thing("t" .. n) { color = "RED" } end\n'
            .. 'for i, c in ipairs({ "a", "b" }) do make(c .. i .. string.upper("x")) end')
        assert.equal("ta1X", entries[1].id)
        assert.equal("tb2X", entries[2].id)
        assert.equal(1, entries[1].line)
        for _, name in ipairs({ "io", "os", "require", "load", "loadstring", "dofile", "debug",
                                "package", "ffi", "jit", "getfenv", "setmetatable", "rawset" }) do
            assert.matches("main.lua:1: unknown word `" .. name .. "`",
                           problems("local x = " .. name), 1, true)
        end
        assert.matches("attempt to call", problems("string.dump(function() end)"))
        assert.matches("attempt to load chunk with wrong mode", problems(string.dump(read)))
    end)

    it("takes the short forms of lists and records", function()
        local made = entry('thing "t" { color = "RED", names = "one", parts = { "a", { id = "b", '
            .. 'parts = { "c" } } }, hosts = { ["h"] = "base", ["i"] = { base = "b" } } }')
        assert.same({ "one" }, made.members.names)
        assert.same({ { id = "a" }, { id = "b", parts = { { id = "c" } } } }, made.members.parts)
        assert.same({ h = { base = "base" }, i = { base = "b" } }, made.members.hosts)
    end)

    it("reads included files, relative to the one that names them", function()
        local entries, found = read({
            ["main.lua"] = 'include "sub/one.lua"\nthing "m" { color = "RED" }',
            ["sub/one.lua"] = 'include "../two.lua"\nthing "one" { color = "RED" }',
            ["two.lua"] = '\nthing "two" { color = "RED" }',
        })
        assert.equal("", tostring(found))
        assert.same({ "two", "two.lua", 2 }, { entries[1].id, entries[1].file, entries[1].line })
        assert.same({ "one", "sub/one.lua", 2 },
                    { entries[2].id, entries[2].file, entries[2].line })
        assert.equal("m", entries[3].id)
    end)

    it("refuses files that include themselves", function()
        assert.matches("^main.lua:2: include `main.lua`: the file is being read already",
                       problems('\ninclude "main.lua"'))
        local found = problems({
            ["main.lua"] = 'include "sub/a.lua"',
            ["sub/a.lua"] = 'include "./b.lua"',
            ["sub/b.lua"] = 'include "../x/../main.lua"',
        })
        assert.matches("^sub/b.lua:1: include `../x/%.%./main.lua`: the file is being read", found)
        -- The same file twice is no circle; what it says twice is told by its ids.
        assert.equal("", problems({
            ["main.lua"] = 'include "a.lua" include "a.lua"', ["a.lua"] = "local x = 1",
        }))
        local deep = {}
        for i = 1, 40 do
            deep[("f%d.lua"):format(i)] = ('include "f%d.lua"'):format(i + 1)
        end
        deep["main.lua"] = 'include "f1.lua"'
        assert.matches("^f%d+.lua:1: include", problems(deep))
    end)

    it("reports every problem with its line, in one run", function()
        assert.equal(table.concat({
            "main.lua:1: unknown word `thng`: did you mean `thing`?",
            "main.lua:2: thing `a`: unknown member `colour`: did you mean `color`?",
            "main.lua:2: thing `a`: `color` is missing: add it",
            "main.lua:3: thing `b`: `color` is `GREEN`: there are `BLUE`, `RED`",
            "main.lua:3: thing `b`: `size` is 1.5: give a whole number",
            "main.lua:5: thing is 7: write thing \"id\" { ... }",
            "main.lua:7: `account` is `12`: give an account id of 12 digits",
            "main.lua:8: `x` is set for all files: write `local x`",
            "main.lua:6: thing `c` has no members: write thing \"c\" { ... }",
        }, "\n"), problems(table.concat({
            'thng "x" { color = "RED" }',
            'thing "a" { colour = "RED" }',
            'thing "b" { color = "GREEN", size = 1.5 }',
            '',
            'thing(7) { color = "RED" }',
            'thing "c"',
            'account "12"',
            'x = 1',
        }, "\n")))
    end)

    it("checks the type of every member", function()
        for _, row in ipairs({
            { 'name = ""', "`name` is ``: give a text that is not empty" },
            { 'name = {}', "`name` is a table: give a text" },
            { 'size = -1', "`size` is -1: give a whole number" },
            { 'on = "yes"', "`on` is `yes`: give true or false" },
            { 'names = { 1 }', "`names` is a table: give a list of texts" },
            { 'names = { a = "b" }', "`names` is a table: give a list of texts" },
            { 'tags = { "a" }', "`tags` is a table: give names with texts" },
            { 'run = "x"', "`run` is `x`: give a function" },
            { 'protocol = ""', "`protocol` is ``: give a protocol" },
            { 'parts = "x"', "`parts` is `x`: give a list" },
            { 'parts = { 1 }', "`parts` 1 is 1: give a table" },
            { 'parts = { a = {} }', "`parts` is a list: `a` has no place in it" },
            { 'parts = { { idd = "a" } }', "`parts` 1: unknown member `idd`: did you mean `id`?" },
            { 'hosts = "x"', "`hosts` is `x`: give a table" },
            { 'hosts = { "x" }', "`hosts`: `1` is a table: give names with tables" },
            { 'hosts = { x = { b = 1 } }', "`hosts`: `x`: unknown member `b`" },
            { '[1] = "x"', "unknown member `1`" },
        }) do
            local found = problems('thing "t" { color = "RED", ' .. row[1] .. " }")
            assert.is_truthy(found:find(row[2], 1, true), row[1] .. "\n" .. found)
        end
    end)

    it("ends records that hold themselves", function()
        assert.matches("nested too deep", problems('local t = { id = "a" } t.parts = { t }\n'
            .. 'thing "t" { color = "RED", parts = { t } }'))
    end)

    it("refuses ids and words that are given twice", function()
        assert.equal("main.lua:3: thing `a` is given again: it stands at main.lua:1 already\n"
            .. "main.lua:4: account is given again: it stands at main.lua:2 already",
            problems('thing "a" { color = "RED" }\naccount "123456789012"\n'
                .. 'thing "a" { color = "RED" }\naccount "123456789013"'))
    end)

    it("tells errors of Lua with their line", function()
        assert.matches("^main.lua:2: .*near", problems('account "123456789012"\nthing {{'))
        assert.matches("^main.lua:2: oops$", problems('local x = 1\nerror("oops")'))
        assert.matches("^main.lua:1: attempt to", problems("local x = nil; x.y = 1"))
        assert.equal("main.lua: cannot be read: no such file", problems({}))
        assert.equal("main.lua:1: include `x.lua`: cannot be read: no such file",
                     problems('include "x.lua"'))
        -- A long path is told in full.
        local path = ("folder/"):rep(30) .. "main.lua"
        local _, found = config.read(path, { words = WORDS, read = function() return "\nx(" end })
        assert.equal(path, found[1].file)
        assert.equal(2, found[1].line)
    end)

    it("takes what stands behind an unknown word or a bad id", function()
        assert.equal("main.lua:1: unknown word `foo`: there are `"
            .. table.concat({ "account", "answer", "assert", "error", "include", "ipairs",
                "math", "next", "pack", "pairs", "proxies", "select", "string", "table", "thing",
                "tonumber", "tostring", "type", "unpack" }, "`, `") .. "`",
            problems('foo "a" { b = 1 }'))
        assert.equal("main.lua:1: thing is a table: write thing \"id\" { ... }",
                     problems('thing {} {}'))
        assert.equal("main.lua:1: thing `t` is followed by 1: give its members in { }",
                     problems('thing "t" (1)'))
    end)

    it("tells one problem once", function()
        assert.equal("main.lua:1: unknown word `y`" .. problems("local x = y"):match("y`(.*)$"),
                     problems("for i = 1, 3 do local x = y end"))
    end)
end)
