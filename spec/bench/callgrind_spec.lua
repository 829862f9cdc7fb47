local callgrind = require("spec.bench.callgrind")


-- Line by line: a name is introduced once; `fi` and `fe` go into another file and back, where a
-- function was inlined; what stands behind `calls` was spent elsewhere.
local PROFILE = [[
# callgrind format
version: 1
creator: callgrind-3.19.0
cmd:  ./program
part: 1

desc: Trigger: --dump-after=round_of

positions: line
events: Ir Dr
summary: 100 21

ob=(1) /home/x/build/libpostern.so.0
fl=(1) /home/x/core/src/a.c
fn=(1) outer
4 10 1
+1 20
fi=(2) /home/x/core/src/b.h
3 5 5
* 5
fe=(1)
-1 1
cob=(2) /usr/lib/libc.so.6
cfi=(3) ./string/memchr.S
cfn=(2) memchr
calls=3 77
5 40 9
7 4
fi=(4) /usr/lib/gcc/immintrin.h
900 6

fn=(3) outer.part.0
fe=(1)
5 2

ob=(2)
fl=(3)
fn=(2)
77 40 9

fl=(5) ???
fn=(4) 0x0000000000001234
0 7

totals: 100 15
]]

local SOURCES = {
    ["core/src/a.c"] = [[
#include "b.h"

static int
outer(int x,
      int y) {
    return inlined(x) + y;
}
]],
    ["core/src/b.h"] = [[
typedef struct pair { int a; } pair;

static inline int inlined(int x) { return x; }
]],
}


local function functions()
    return callgrind.functions(callgrind.read(PROFILE), "/home/x", function(path)
        return SOURCES[path]
    end)
end


describe("profiles of callgrind", function()
    it("are read with their names, lines and counts", function()
        local read = callgrind.read(PROFILE)
        assert.same({ "Ir", "Dr" }, read.events)
        assert.same({ Ir = 100, Dr = 15 }, read.total)
        local third = read.costs[3]
        assert.same({ object = "/home/x/build/libpostern.so.0", file = "/home/x/core/src/b.h",
                      name = "outer", line = 3, counts = { Ir = 5, Dr = 5 } }, third)
        local sum = 0
        for _, cost in ipairs(read.costs) do
            sum = sum + cost.counts.Ir
        end
        assert.equal(100, sum) -- nothing twice
    end)

    it("are added up by who wrote the line, and else by library", function()
        assert.same({
            { name = "outer", file = "core/src/a.c", counts = { Ir = 43, Dr = 1 } },
            { name = "memchr", file = "libc.so.6", counts = { Ir = 40, Dr = 9 } },
            { name = "inlined", file = "core/src/b.h", counts = { Ir = 10, Dr = 5 } },
            { name = "no name", file = "libc.so.6", counts = { Ir = 7 } },
        }, functions())
    end)

    it("say what a folder calls of the sources, with all that is done there", function()
        local profile = callgrind.read([[
events: Ir
fl=(1) /home/x/spec/bench/bench.c
fn=(1) round_of
1 2
cfi=(2) /home/x/core/src/a.c
cfn=(2) decide
calls=1 9
1 50
cfn=(3) fill
calls=1 9
1 30
cob=(9) /usr/lib/libc.so.6
cfi=(3) ./time.c
cfn=(4) clock
calls=2 9
2 7

fn=(3)
9 5
cfi=(2)
cfn=(2)
calls=4 9
9 25

fl=(2)
fn=(2)
9 75
cfn=(5) inner
calls=1 9
9 11
totals: 95
]])
        assert.same({ { name = "decide", counts = { Ir = 75 } } },
                    callgrind.calls_from(profile, "/home/x", "spec/bench"))
    end)

    it("know the functions of a source", function()
        local by_line = callgrind.functions_of([[
enum { A = 1 };
int declared(int x);
MAKES(functions, int,
      of(x))
static const struct it items[] = {
    {1, of(2)},
};

__attribute__((noinline)) static int marked(void) {
    return 1;
}

PREFIX_MARK static long taken(const char *text,
                              long length) {
    if (length) {
        return call(text);
    }
    return 0;
}
#define MACRO(x) \\
    both(x)
int one_line(void) { return 2; }]])
        local expected = { [9] = "marked", [10] = "marked", [11] = "marked", [20] = nil }
        for line = 13, 19 do
            expected[line] = "taken"
        end
        expected[22] = "one_line"
        assert.same(expected, by_line)
    end)

    it("refuse a name that was not introduced", function()
        assert.has_error(function()
            callgrind.read("events: Ir\nfn=(9)\n")
        end, "callgrind names no (9)")
    end)
end)
