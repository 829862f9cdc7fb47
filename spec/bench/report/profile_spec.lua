local profile = require("spec.bench.report.profile")


local function fn(name, file, median, share)
    return { name = name, file = file, median = median, share = share }
end


local function row(simd, median, functions, more)
    local made = { name = "offices", form = "texts", simd = simd, family = "offices", size = 1,
                   unit = "instructions", of = "decision", median = median, loads = 400.4,
                   misses = 1.25, far_misses = 0, functions = functions,
                   calls = { fn("postern_evaluate", nil, 780, 780 / median) } }
    for key, value in pairs(more or {}) do
        made[key] = value
    end
    return made
end


local function many(count)
    local list = {}
    for i = 1, count do
        list[i] = fn("f" .. i, "core/src/a.c", 100 - i, 0.1)
    end
    return list
end


describe("the profiles of the page", function()
    local found

    before_each(function()
        found = { profiler = "valgrind-3.19.0", caches = "small ones", missing = {}, rows = {
            row("scalar", 1600, { fn("find", "core/src/cidr.c", 800, 0.5),
                                  fn("memchr", "libc.so.6", 400, 0.25) }),
            row("avx2", 1200, { fn("memchr", "libc.so.6", 400, 0.333),
                                fn("find_avx2", "core/src/cidr.c", 300, 0.25) }),
        } }
    end)

    it("are a table of all, and one each by path, the best path's functions first", function()
        assert.equal([[
Counted by valgrind-3.19.0. The caches it simulates: small ones.

| Case |  | Path | Instructions | Loads | Miss the first cache | Miss both |
|---|---|---|--:|--:|--:|--:|
| [offices, from texts](#offices-from-texts) | a decision | no SIMD | 1,600 | 400 | 1.25 | 0.00 |
| [offices, from texts](#offices-from-texts) | a decision | AVX2 | 1,200 | 400 | 1.25 | 0.00 |

### offices, from texts

| Call | no SIMD | Share | AVX2 | Share |
|---|--:|--:|--:|--:|
| `postern_evaluate` | 780 | 49 % | 780 | 65 % |
| others | 820 | 51 % | 420 | 35 % |
| all | 1,600 |  | 1,200 |  |

| Function | In | no SIMD | Share | AVX2 | Share |
|---|---|--:|--:|--:|--:|
| `memchr` | libc.so.6 | 400 | 25 % | 400 | 33 % |
| `find_avx2` | core/src/cidr.c |  |  | 300 | 25 % |
| others |  | 1,200 | 75 % | 500 | 42 % |
| all |  | 1,600 |  | 1,200 |  |]], profile.section(found))
    end)

    it("show eight functions, and the others as one", function()
        found.rows = { row("avx2", 1000, many(12)) }
        local text = profile.section(found)
        assert.is_truthy(text:find("| `f8` |", 1, true))
        assert.is_nil(text:find("| `f9` |", 1, true))
        assert.is_truthy(text:find("| others |  | 236 | 24 % |", 1, true), text)
    end)

    it("say what each case is", function()
        found.rows = {
            row("avx2", 90, many(1), { name = "net6-1000000", form = "values", family = "net6",
                                       size = 1000000, of = "lookup" }),
            row("avx2", 90000, many(1), { name = "loading", form = "each", family = "loading",
                                          size = 100000, of = "policy" }) }
        found.rows[2].loads, found.rows[2].misses, found.rows[2].far_misses = nil, nil, nil
        local text = profile.section(found)
        for _, words in ipairs({
            "| [1,000,000 IPv6 prefixes, values](#1000000-ipv6-prefixes-values) | a lookup |",
            "\n### 1,000,000 IPv6 prefixes, values\n",
            "(#loading-100000-policies-a-set-each) | a policy | AVX2 | 90,000 |  |  |  |",
        }) do
            assert.is_truthy(text:find(words, 1, true), text)
        end
    end)

    it("tell which path was not taken", function()
        found.missing = { { name = "avx2", reason = "the processor has none" } }
        assert.is_truthy(profile.section(found):find(
            "\n- **AVX2** is not here: the processor has none.\n", 1, true))
    end)

    it("are found by name and form", function()
        assert.equal("offices-from-texts", profile.anchor(found, "offices", "texts"))
        assert.is_nil(profile.anchor(found, "offices", "prepared"))
        assert.is_nil(profile.anchor(found, "other", "texts"))
        assert.is_nil(profile.anchor(nil, "offices", "texts"))
    end)
end)
