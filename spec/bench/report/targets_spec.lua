local targets = require("spec.bench.report.targets")


local OURS, SEEDS = "Postern, from C", { "two-apis", "get-only", "one-user", "offices" }


-- Results in which every decision takes so long, and each engine so many times as long.
local function results(ns, times)
    local core, peers = {}, {}
    local function add(list, name, workload, median)
        for _, form in ipairs({ "texts", "prepared" }) do
            list[#list + 1] = { name = name, form = form, workload = workload, unit = "ns",
                                median = median }
        end
    end
    for _, seed in ipairs(SEEDS) do
        add(core, OURS, seed, ns)
        add(peers, OURS, seed, ns)
        for name, factor in pairs(times) do
            add(peers, name, seed, 3 * factor * ns)
            add(peers, name, seed, factor * ns) -- the better of two ways to write the policies
        end
    end
    return { core = { rows = core }, peers = { rows = peers } }
end


local function verdicts(all)
    local by_name = {}
    for _, target in ipairs(targets.judge(all)) do
        assert.is_nil(by_name[target.name], target.name)
        by_name[target.name] = target
    end
    return by_name
end


describe("the targets of performance", function()
    it("are met or missed at their bounds", function()
        local slow = "The slowest of the four small policies, from texts"
        local cedar = "Cedar beside Postern, the least of the four"
        local found = verdicts(results(150, { Cedar = 20 }))
        assert.is_true(found[slow].met)
        assert.is_true(found[cedar].met)
        assert.equal(20, found[cedar].figure)
        assert.is_nil(found[slow].why)
        found = verdicts(results(151, { Cedar = 19.9 }))
        assert.is_false(found[slow].met)
        assert.is_false(found[cedar].met)
        assert.is_string(found[slow].why)
    end)

    it("say by how much they are missed, and whose profile shows it", function()
        local all = results(100, { Cedar = 16 })
        all.core.rows[5].median = 225 -- one-user, from texts
        local found = verdicts(all)
        local slow = found["The slowest of the four small policies, from texts"]
        assert.equal(1.5, slow.excess)
        assert.same({ name = "one-user", form = "texts" }, slow.profile)
        assert.equal(1.25, found["Cedar beside Postern, the least of the four"].excess)
        local met = found["The slowest of the four small policies, request prepared"]
        assert.is_nil(met.excess)
        assert.is_nil(met.profile)
    end)

    it("of many policies are judged by the worse family", function()
        local rows = {}
        for family, ns in pairs({ exact = 510, globs = 600 }) do
            for _, form in ipairs({ "texts", "prepared" }) do
                rows[#rows + 1] = { name = OURS, form = form, workload = family .. "-100000",
                                    unit = "ns", median = ns }
            end
        end
        for _, form in ipairs({ "from texts", "request prepared" }) do
            local target = verdicts({ core = { rows = rows } })["100,000 policies, " .. form]
            assert.equal(600, target.figure)
            assert.equal(1.2, target.excess)
            assert.equal("globs-10000", target.profile.name)
        end
        table.remove(rows)
        assert.is_nil(verdicts({ core = { rows = rows } })["100,000 policies, from texts"].figure
            and verdicts({ core = { rows = rows } })["100,000 policies, request prepared"].figure)
    end)

    it("take the worst of their cases", function()
        local all = results(100, {})
        all.core.rows[3].median = 170
        local found = verdicts(all)
        assert.equal(170, found["The slowest of the four small policies, from texts"].figure)
    end)

    it("are not met by what was not measured", function()
        for _, target in ipairs(targets.judge({})) do
            assert.is_nil(target.figure, target.name)
            assert.is_false(target.met, target.name)
            assert.is_nil(target.why, target.name)
        end
    end)

    it("compare with each structure by what is the same in both", function()
        local rows = {}
        local function add(name, family, form, unit, median)
            rows[#rows + 1] = { name = name, family = family, form = form, unit = unit,
                                size = 1000000, median = median }
        end
        for _, stream in ipairs({ "uni", "hit" }) do
            add("members, avx2", "net4 " .. stream, "dependent", "ns", 10)
            add("longest, avx2", "net4 " .. stream, "dependent", "ns", 20)
            add("rte_lpm", "net4 " .. stream, "dependent", "ns", stream == "uni" and 50 or 40)
        end
        add("members, avx2", "net4", nil, "MiB", 7.5)
        local found = verdicts({ structures = { rows = rows } })
        local start = "IPv4, a million prefixes, "
        assert.equal(4, found[start .. "membership: one after another, beside rte_lpm"].figure)
        assert.equal(2, found[start .. "values: one after another, beside rte_lpm"].figure)
        local values = found[start .. "values: one after another, beside rte_lpm"]
        assert.is_false(values.met)
        assert.same({ name = "net4-1000000", form = "values" }, values.profile)
        assert.is_true(found[start .. "membership: memory"].met)
        assert.is_nil(found[start .. "values: memory"].figure)
    end)
end)
