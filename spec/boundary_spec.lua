local ffi = require("ffi")
local core = require("postern.ffi")
local declarations = require("spec.support.declarations")
local files = require("spec.support.files")

local HEADER = "core/include/postern.h"
local HTTP_HEADER = "http/include/postern_http.h"
local TLS_HEADER = "tls/include/postern_tls.h"


-- What the C compiler has to find true for both sides to mean the same bytes.
local function layout_assertions(structs, constant, number)
    local lines = { '#include "postern_http.h"', '#include "postern_tls.h"' }
    local function expect(expression, value)
        lines[#lines + 1] = ('_Static_assert(%s == %d, "Lua has %d");')
            :format(expression, value, value)
    end
    for _, struct in ipairs(structs) do
        expect(("sizeof(%s)"):format(struct.name), ffi.sizeof(struct.name))
        for _, field in ipairs(struct.fields) do
            expect(("offsetof(%s, %s)"):format(struct.name, field),
                ffi.offsetof(struct.name, field))
        end
    end
    if constant then
        expect(constant, number)
    end
    return table.concat(lines, "\n") .. "\n"
end


-- Compiles a text without keeping anything; the compiler's complaints, or nothing.
local function compile(source)
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write(source)
    file:close()
    -- A preloaded sanitizer is meant for the core, not for the compiler.
    local pipe = io.popen(("LD_PRELOAD= cc -std=c11 -Icore/include -Ihttp/include -Itls/include "
        .. "-fsyntax-only -x c %s 2>&1; echo status $?"):format(path))
    local output = pipe:read("*a")
    pipe:close()
    os.remove(path)
    return (output:gsub("status 0\n$", ""))
end


-- Each library: its header, what Lua declares, what is loaded, its names and how many it has.
local LIBRARIES = {
    {
        name = "postern", header = HEADER, declarations = core.declarations, lib = core.lib,
        structs = 8, functions = 44,
    },
    {
        name = "postern_http", header = HTTP_HEADER, declarations = core.http_declarations,
        lib = core.http(), structs = 5, functions = 34,
    },
    {
        name = "postern_tls", header = TLS_HEADER, declarations = core.tls_declarations,
        lib = core.tls(), structs = 2, functions = 15,
    },
}

for _, library in ipairs(LIBRARIES) do
    describe("the C interface of " .. library.name .. " as Lua declares it", function()
        local header = declarations.plain_part(files.read(library.header))
        local structs = declarations.structs(header)
        local abi = library.name:upper() .. "_ABI"

        it("is the header's plain part", function()
            local ours = declarations.pieces(library.declarations)
            for i, piece in ipairs(declarations.pieces(header)) do
                assert.are.equal(piece, ours[i])
            end
            assert.are.equal(declarations.normalise(header),
                declarations.normalise(library.declarations))
        end)

        it("has the same sizes, offsets and ABI number on both sides", function()
            assert.is_true(#structs >= library.structs)
            assert.are.equal("", compile(layout_assertions(structs, abi, library.lib[abi])))
        end)

        it("is what the loaded library answers to", function()
            assert.are.equal(library.lib[abi], library.lib[library.name .. "_abi"]())
        end)

        it("is defined whole", function()
            local functions = declarations.functions(header)
            assert.is_true(#functions >= library.functions)
            for _, name in ipairs(functions) do
                assert.has_no.errors(function() return library.lib[name] end)
            end
        end)
    end)
end


describe("the loaded libraries", function()
    it("are of the header's version", function()
        local version = files.read(HEADER):match('#define POSTERN_VERSION "([^"]+)"')
        assert.are.equal(version, ffi.string(core.lib.postern_version()))
    end)

    it("have nothing open that is meant for inside", function()
        ffi.cdef("void postern__free(void); void llhttp_init(void);")
        assert.has_error(function() return core.lib.postern__free end)
        assert.has_error(function() return core.http().postern__free end)
        assert.has_error(function() return core.http().llhttp_init end)
        assert.has_error(function() return core.tls().postern__free end)
        assert.has_error(function() return core.tls().postern_status_name end)
        assert.has_error(function() return core.http().postern_status_name end)
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
