local ffi = require("ffi")
local core = require("postern.ffi")
local declarations = require("spec.support.declarations")
local files = require("spec.support.files")

local HEADER = "core/include/postern.h"


-- What the C compiler has to find true for both sides to mean the same bytes.
local function layout_assertions(structs)
    local lines = { '#include "postern.h"' }
    local function expect(expression, number)
        lines[#lines + 1] = ('_Static_assert(%s == %d, "Lua has %d");')
            :format(expression, number, number)
    end
    for _, struct in ipairs(structs) do
        expect(("sizeof(%s)"):format(struct.name), ffi.sizeof(struct.name))
        for _, field in ipairs(struct.fields) do
            expect(("offsetof(%s, %s)"):format(struct.name, field),
                ffi.offsetof(struct.name, field))
        end
    end
    expect("POSTERN_ABI", core.lib.POSTERN_ABI)
    return table.concat(lines, "\n") .. "\n"
end


-- Compiles a text without keeping anything; the compiler's complaints, or nothing.
local function compile(source)
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write(source)
    file:close()
    -- A preloaded sanitizer is meant for the core, not for the compiler.
    local pipe = io.popen(("LD_PRELOAD= cc -std=c11 -Icore/include -fsyntax-only -x c %s 2>&1; "
        .. "echo status $?"):format(path))
    local output = pipe:read("*a")
    pipe:close()
    os.remove(path)
    return (output:gsub("status 0\n$", ""))
end


describe("the C interface as Lua declares it", function()
    local header = declarations.plain_part(files.read(HEADER))
    local structs = declarations.structs(header)

    it("is the header's plain part", function()
        local ours = declarations.pieces(core.declarations)
        for i, piece in ipairs(declarations.pieces(header)) do
            assert.are.equal(piece, ours[i])
        end
        assert.are.equal(declarations.normalise(header),
            declarations.normalise(core.declarations))
    end)

    it("has the same sizes, offsets and ABI number on both sides", function()
        assert.is_true(#structs > 5)
        assert.are.equal("", compile(layout_assertions(structs)))
    end)

    it("is what the loaded library answers to", function()
        assert.are.equal(core.lib.POSTERN_ABI, core.lib.postern_abi())
        local version = files.read(HEADER):match('#define POSTERN_VERSION "([^"]+)"')
        assert.are.equal(version, ffi.string(core.lib.postern_version()))
    end)

    it("is defined whole, and nothing inside is open", function()
        local functions = declarations.functions(header)
        assert.is_true(#functions > 40)
        for _, name in ipairs(functions) do
            assert.has_no.errors(function() return core.lib[name] end)
        end
        ffi.cdef("void postern__free(void);")
        assert.has_error(function() return core.lib.postern__free end)
    end)
end)


describe("the comparison itself", function()
    it("knows the plain part by its marks", function()
        assert.are.equal("\nint x;\n",
            declarations.plain_part("a\n/* ffi:begin (so) */\nint x;\n/* ffi:end */\nb"))
        assert.is_nil(declarations.plain_part("int x;"))
    end)

    it("sees every difference but comments and white space", function()
        local same = declarations.normalise("int f(int a, char *b); /* why */\n")
        assert.are.equal(same, declarations.normalise("int\nf( int a ,char * b );"))
        assert.are_not.equal(same, declarations.normalise("int f(int a, const char *b);"))
        assert.are_not.equal(same, declarations.normalise("intf(int a, char *b);"))
        assert.are_not.equal(same, declarations.normalise("int f(inta, char *b);"))
    end)

    it("finds structs, fields and functions", function()
        local text = [[
            typedef struct x x;
            typedef struct y { /* a; b */ int a, *b; char c[4]; const char *d;
                void *(*e)(void *user, int more); uint32_t f; } y;
            enum { Z = 1 };
            int postern_one(void); const char *postern_two(const y *y);]]
        assert.are.same({ { name = "y", fields = { "a", "b", "c", "d", "e", "f" } } },
            declarations.structs(text))
        assert.are.same({ "postern_one", "postern_two" }, declarations.functions(text))
    end)

    it("fails on a wrong size or offset", function()
        local good = layout_assertions({ { name = "postern_span", fields = { "length" } } })
        assert.are.equal("", compile(good))
        assert.is_truthy(compile((good:gsub("== 16", "== 24"))):find("Lua has", 1, true))
        assert.is_truthy(compile((good:gsub("== 8", "== 4"))):find("Lua has", 1, true))
        assert.is_truthy(compile("int x = ;"):find("status 1", 1, true))
    end)
end)
