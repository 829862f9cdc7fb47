local files = require("spec.support.files")
local page = require("spec.bench.report.page")

local DOCS = "docs/performance"


local function row(name, style, workload, size, median, more)
    local made = { name = name, style = style, form = "texts", family = workload:match("^%a+"),
                   workload = workload, size = size, unit = "ns", median = median,
                   min = median - 1, max = median + 1, wall = median, count = 1000 }
    for key, value in pairs(more or {}) do
        made[key] = value
    end
    return made
end


local FOUND = {
    peers = {
        rounds = 9, machine = { date = "2026-01-02", commit = "abc", processor = "P", cores = 2,
                                memory = "1 GiB", system = "S", kernel = "K", compiler = "C" },
        engines = { { name = "Cedar", version = "4.1", runtime = "rustc", differs = "Other." } },
        missing = { { name = "OPA", reason = "`go` is not installed" } },
        unreached = { { name = "Cedar", style = "globs", family = "globs", workload = "globs-100",
                        size = 100, reason = "no answer within 60 s" } },
        rows = { row("Postern, from C", "document", "one", 1, 50),
                 row("Cedar", "keys", "one", 1, 5025),
                 row("Postern, from C", "document", "globs-10", 10, 100),
                 row("Cedar", "globs", "globs-10", 10, 2500),
                 row("Postern, from C", "document", "globs-100", 100, 150) },
    },
    core = { machine = {}, rows = {
        row("Postern, from C", "document", "globs-10", 10, 100),
        row("Postern, from C", "document", "globs-10", 10, 1234, { unit = "instructions" }) } },
}


describe("the page on performance", function()
    it("is what its results say, and so are its plots", function()
        local text, plots = page.make(files.read("spec/bench/report/performance.md.in"),
                                      page.read(DOCS .. "/results"))
        assert.equal(files.read(DOCS .. ".md"), text)
        local count = 0
        for name, plot in pairs(plots) do
            count = count + 1
            assert.equal(files.read(("%s/%s.svg"):format(DOCS, name)), plot)
            assert.is_truthy(text:find(("(performance/%s.svg)"):format(name), 1, true), name)
        end
        assert.is_true(count >= 2)
        assert.is_nil(text:find("{{", 1, true))
    end)

    it("has no figure in its template", function()
        for _, words in ipairs({ "%d[%d.,]* ?[nµm]?s%f[%W]", "%d×" }) do
            assert.is_nil(files.read("spec/bench/report/performance.md.in"):match(words))
        end
    end)

    it("compares with Postern from C, and tells what is missing", function()
        local text = page.make("a\n{{seeds texts}}\n\n{{sizes globs texts}}\n\n{{missing}}\n"
            .. "\n{{growth globs}}\n", FOUND)
        assert.equal([[
a
| Engine | Policies | `one` |
|---|---|--:|
| Postern, from C | document | 50.0 ns |
| Cedar | keys | 5.03 µs (101×) |

| Engine | Policies | 10 | 100 |
|---|---|--:|--:|
| Postern, from C | document | 100 ns | 150 ns |
| Cedar | globs | 2.50 µs (25×) | out of reach |

- **OPA** is not here: `go` is not installed.
- **Cedar**, globs, at `globs-100`: no answer within 60 s.

| Engine | Policies | 100 policies beside 10 |
|---|---|--:|
| Postern, from C | document | 1.5× |
]], text)
    end)

    it("does not miss a form that an engine has not", function()
        local text = page.make("{{sizes globs prepared}}\n", FOUND)
        assert.is_nil(text:find("Cedar", 1, true))
    end)

    it("puts instructions beside times", function()
        local text = page.make("{{core}}\n", FOUND)
        assert.is_truthy(text:find("| `globs-10` | Postern, from C | texts | 100 ns | 99.0 ns | "
            .. "101 ns | 1,234 |", 1, true), text)
    end)

    it("tells the machine, the versions and what differs", function()
        local text = page.make("{{machine peers}}\n{{engines}}\n{{differs}}\n{{rounds}}\n", FOUND)
        for _, words in ipairs({ "| Date | 2026-01-02 |", "| Kernel | K |",
                                 "| Cedar | 4.1 | rustc |", "- **Cedar.** Other.",
                                 "medians of 9 rounds" }) do
            assert.is_truthy(text:find(words, 1, true), words)
        end
    end)

    it("says where there are no results, and draws none", function()
        local text, plots = page.make("{{structures}}\n{{plot core-exact X}}\n{{machine other}}\n",
                                      FOUND)
        local _, absent = text:gsub("have not been taken", "")
        assert.equal(3, absent)
        assert.is_nil(plots["core-exact"])
        assert.is_truthy(plots["peers-globs"])
    end)

    it("refuses a part that is none", function()
        assert.has_error(function()
            page.make("{{nonsense}}\n", FOUND)
        end, "the template has `nonsense`, which is no part")
    end)

    it("says by how much a target is missed, why, and which profile shows it", function()
        local rows = {}
        for i, seed in ipairs({ "two-apis", "get-only", "one-user", "offices" }) do
            rows[i] = row("Postern, from C", "document", seed, 1, seed == "one-user" and 225 or 100)
        end
        local all = { core = { rows = rows } }
        local start = "| The slowest of the four small policies, from texts | at most 150 ns "
            .. "| 225 ns | **missed** by 1.5×, [1], "
        local text = page.make("{{targets}}\n", all)
        assert.is_truthy(text:find(start .. "no profile taken |", 1, true), text)
        assert.is_truthy(text:find("\n1. Most of it is filling", 1, true), text)
        all.profile = { rows = { { name = "one-user", form = "texts", family = "one-user" } } }
        text = page.make("{{targets}}\n", all)
        assert.is_truthy(text:find(start .. "[profile](#one-user-from-texts) |", 1, true), text)
    end)

    it("tells no time below nothing as one", function()
        local all = { entry = { rows = {
            { name = "a", form = "compiled", unit = "ns", median = -8.84, min = -30, max = 4.5 },
            { name = "a", form = "JIT off", unit = "ns", median = 159, min = 120, max = 161 },
            { name = "a", form = "garbage", unit = "B", median = 0.007, min = 0, max = 0.007 },
        } } }
        local text = page.make("{{entry}}\n\n{{targets}}\n", all)
        for _, line in ipairs({
            "| `a` | compiled | none to be measured | -30.0 ns | 4.50 ns |",
            "| `a` | JIT off | 159 ns | 120 ns | 161 ns |",
            "| `a` | garbage | 0.007 B | 0.000 B | 0.007 B |",
            "| From Lua, on top of C, compiled | at most 60.0 ns | none to be measured | met |",
            "| From Lua, on top of C, JIT off | at most 400 ns | 159 ns | met |",
        }) do
            assert.is_truthy(text:find(line, 1, true), text)
        end
    end)

    it("tells what loading costs, and judges it", function()
        local all = { loading = { rows = {
            { name = "compact", form = "each", size = 100000, unit = "MB/s", median = 86.9,
              min = 85.8, max = 88.2 },
            { name = "compact", form = "together", size = 100000, unit = "MB/s", median = 64,
              min = 50, max = 70 },
            { name = "published", form = "each", size = 398, unit = "B/B", median = 1.609,
              min = 1.609, max = 1.609 },
        } } }
        local text = page.make("{{loading}}\n\n{{targets}}\n", all)
        for _, line in ipairs({
            "| compact | each | 100,000 | 86.9 MB/s | 85.8 MB/s | 88.2 MB/s |",
            "| published | each | 398 | 1.61 B/B | 1.61 B/B | 1.61 B/B |",
            "| Loading, a set of each policy | at least 80 MB/s | 86.9 MB/s | met |",
            "| Loading, one set of 100,000 | at least 80 MB/s | 64 MB/s | **missed** by 1.3",
            "| Published policies, compiled, a byte | at most 3 B | 1.61 B | met |",
        }) do
            assert.is_truthy(text:find(line, 1, true), text)
        end
    end)
end)
