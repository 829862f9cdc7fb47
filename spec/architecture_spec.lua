local architecture = require("spec.support.architecture")
local files = require("spec.support.files")


-- Runs a check over every file of a folder; `strip` turns a path into the name the check wants.
local function complaints_of(check, folder, pattern, strip)
    local all = {}
    local found = files.list(folder, pattern)
    assert(#found > 0, "no files in " .. folder)
    for _, path in ipairs(found) do
        local name = path:match(strip)
        for _, complaint in ipairs(check(name, files.read(path))) do
            all[#all + 1] = complaint
        end
    end
    return all
end


-- One check on bad samples, each with the piece of text its complaint must hold, and on good ones,
-- which must pass: { name, text, complaint } and { name, text }.
local function try(check, samples)
    for _, sample in ipairs(samples) do
        local found = table.concat(check(sample[1], sample[2]), "\n")
        if sample[3] then
            assert.is_truthy(found:find(sample[3], 1, true),
                ("%s: %s: expected `%s`, got `%s`"):format(sample[1], sample[2], sample[3], found))
        else
            assert.are.equal("", found)
        end
    end
end


describe("the core's includes", function()
    it("follow the dependency order", function()
        assert.are.same({}, complaints_of(architecture.check_includes, "core/src", "%.[ch]$",
            "([^/]+)$"))
    end)

    it("are refused when they do not", function()
        try(architecture.check_includes, {
            { "glob.c", '#include "glob.h"\n#include "span.h"\n#include <string.h>\n' },
            { "glob.c", '/* #include "evaluate.h" */\n// #include "set.h"\n' },
            { "glob.h", '#include "postern.h"' },
            { "glob.c", '#include "evaluate.h"', "glob uses evaluate, which stands after it" },
            { "glob.h", '#  include  "cidr.h"', "glob uses cidr, which stands after it" },
            { "set.c", '#include "compile.h"', "set uses compile" },
            { "set.c", '#include "helpers.h"', "helpers, which is not in the dependency order" },
            { "helpers.c", "", "helpers is not in the dependency order" },
        })
    end)
end)


describe("the Lua modules", function()
    local HEADER = "--- A module.\n--\n-- *Dependencies*: %s\n--\n-- @module x\n"

    local function module(dependencies, code)
        return HEADER:format(dependencies) .. code
    end

    it("require what stands before them, and say so in their header", function()
        assert.are.same({}, complaints_of(architecture.check_requires, "lua/postern", "%.lua$",
            "^lua/postern/(.+)%.lua$"))
    end)

    it("are refused when they do not", function()
        try(architecture.check_requires, {
            { "set", module("postern.ffi", 'local core = require("postern.ffi")\n') },
            { "set", module("none", 'local bit = require "bit"\n') },
            { "cli", module("postern.set, postern.host.plain",
                'local a, b = require("postern.set"), require("postern.host.plain")') },
            { "cli", module("postern.set,\n-- postern.flow",
                'local a, b = require("postern.set"), require("postern.flow")') },
            { "set", module("none", '-- require("postern.cli")\n--[[ require "postern.cli" ]]') },
            { "set", module("postern.cli", 'require("postern.cli")'), "which stands after it" },
            { "set", module("postern.cli", "require 'postern.cli'"), "which stands after it" },
            { "set", module("postern.cli", 'pcall(require, "postern.cli")'), "stands after it" },
            { "flow", module("postern", 'require("postern")'), "flow uses init" },
            { "set", module("postern.extra", 'require("postern.extra")'), "uses extra, which is" },
            { "extra", module("none", ""), "extra is not in the dependency order" },
            { "set", module("none", 'require("postern." .. name)'), "whose name nobody can read" },
            { "set", module("none", "require(name)"), "whose name nobody can read" },
            { "set", module("none", 'require("postern.ffi")'), "its header does not list it" },
            { "set", module("postern.ffi", ""), "does not require it" },
            { "set", "local x = 1\n", "has no line `*Dependencies*:`" },
        })
    end)

    it("leave C to ffi and the hosts to themselves", function()
        assert.are.same({}, complaints_of(architecture.check_doors, "lua/postern", "%.lua$",
            "^lua/postern/(.+)%.lua$"))
    end)

    it("are refused when they do not", function()
        try(architecture.check_doors, {
            { "ffi", 'ffi.cdef("int x;") ffi.load("x")' },
            { "set", 'local err = ffi.new("postern_error") -- ngx, luv, ffi.cdef, ffi.load' },
            { "set", "local angx, luvs = 1, 2" },
            { "host/resty", "return ngx.now()" },
            { "server", 'local uv = require("luv")' },
            { "set", "ffi.cdef[[int x;]]", "set declares C" },
            { "set", "local cdef = ffi['cdef']", "set declares C" },
            { "set", 'ffi . load("x")', "set loads a C library" },
            { "engine", "local now = ngx.now()", "engine mentions ngx" },
            { "engine", "local n = '--' .. ngx.now()", "engine mentions ngx" },
            { "engine", 'local uv = require("luv")', "engine mentions luv" },
        })
    end)
end)


describe("rule packs", function()
    it("require nothing", function()
        assert.are.same({}, complaints_of(architecture.check_pack, "rules", "%.lua$", "^(.+)$"))
    end)

    it("are refused when they do", function()
        try(architecture.check_pack, {
            { "keys/aws", "-- requires nothing, no ngx\nreturn { kind = 'keys' }" },
            { "keys/aws", 'local ffi = require("ffi")', "mentions require" },
            { "keys/aws", "return ngx.var.x", "mentions ngx" },
            { "keys/aws", "local l = luv", "mentions luv" },
            { "keys/aws", "dofile('x')", "mentions dofile" },
        })
    end)
end)


describe("comments of Lua source", function()
    it("are told from strings", function()
        for _, row in ipairs({
            { "a -- b\nc", "a \nc" },
            { "a --[[ b\n ]] c", "a  c" },
            { "a --[==[ ]] b ]==] c", "a  c" },
            { "a --[ b ]]\nc", "a \nc" },
            { 's = "-- x" y', 's = "-- x" y' },
            { [[s = "\"-- x" -- y]], [[s = "\"-- x" ]] },
            { "s = '\\\\' -- y", "s = '\\\\' " },
            { "s = [[ -- x ]] -- y", "s = [[ -- x ]] " },
            { "t[1] = a - b -- y", "t[1] = a - b " },
            { "a --", "a " },
        }) do
            assert.are.equal(row[2], architecture.strip_lua_comments(row[1]))
        end
    end)
end)


describe("every source", function()
    it("has its test", function()
        local lacking = {}
        for _, folder in ipairs({ "core/src", "http/src", "tls/src", "bridge/src", "lua/postern",
                                     "rules", "adapters" }) do
            for _, path in ipairs(files.list(folder, "%.%w+$")) do
                local twin = architecture.twin(path)
                if twin and not files.exists(twin) then
                    lacking[#lacking + 1] = ("%s has no %s"):format(path, twin)
                end
            end
        end
        assert.are.same({}, lacking)
    end)

    it("has a known place for it", function()
        local twin = architecture.twin
        assert.are.equal("core/tests/test_glob.c", twin("core/src/glob.c"))
        assert.are.equal("http/tests/test_http.c", twin("http/src/http.c"))
        assert.are.equal("tls/tests/test_context.c", twin("tls/src/context.c"))
        assert.are.equal("spec/bridge_spec.lua", twin("bridge/src/bridge.c"))
        assert.are.equal("spec/postern/host/uv_spec.lua", twin("lua/postern/host/uv.lua"))
        assert.are.equal("spec/rules/keys/aws_spec.lua", twin("rules/keys/aws.lua"))
        assert.are.equal("spec/adapters/apisix/postern_spec.lua",
                         twin("adapters/apisix/postern.lua"))
        assert.are.equal("spec/adapters/kong/handler_spec.lua",
                         twin("adapters/kong/kong/plugins/postern/handler.lua"))
        assert.is_nil(twin("core/src/span.h"))
    end)

    -- A test that CMake does not name would never run.
    it("of the core is built and tested, in dependency order", function()
        local expected = {}
        for _, noun in ipairs(architecture.CORE) do
            if files.exists(("core/src/%s.c"):format(noun)) then
                expected[#expected + 1] = noun
            end
        end
        local nouns = architecture.cmake_nouns(files.read("CMakeLists.txt"))
        assert.are.same(expected, nouns)
        local tests = files.list("core/tests", "/test_.+%.c$")
        for i, path in ipairs(tests) do
            tests[i] = path:match("test_(.+)%.c$")
        end
        table.sort(nouns)
        assert.are.same(nouns, tests)
    end)

    it("list of CMake is read", function()
        assert.are.same({ "alloc", "error" },
            architecture.cmake_nouns("set(POSTERN_NOUNS\n    alloc error)\nset(X y)"))
        assert.are.same({}, architecture.cmake_nouns("set(X y)"))
    end)
end)
