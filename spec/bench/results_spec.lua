local commands = require("spec.support.commands")
local results = require("spec.bench.results")


describe("results", function()
    local folder

    before_each(function()
        folder = os.tmpname()
        os.remove(folder)
        assert(os.execute("mkdir " .. folder) == 0)
    end)

    after_each(function()
        os.execute("rm -r " .. folder)
    end)

    it("have the middle, the least and the most of the rounds", function()
        assert.same({ 3, 1, 9.1 }, { results.spread({ 9.12, 1, 3, 2, 4 }) })
        assert.same({ 2.5, 1, 4 }, { results.spread({ 4, 1, 3, 2 }) })
        assert.same({ 0.1, 0.1, 0.1 }, { results.spread({ 0.06 }) })
    end)

    it("are read as they were written, a row a line", function()
        local written = { kind = "peers", machine = { date = "2026-01-02", cores = 2 },
                          rows = { { name = "a", size = 10, unit = "ns", median = 1.5, min = 1,
                                     max = 2 },
                                   { name = "b", size = 10, unit = "ns", median = 7, min = 7,
                                     max = 7 } } }
        results.write(folder .. "/r.json", written)
        assert.same(written, results.read(folder .. "/r.json"))
        local text = results.encode(written)
        assert.equal('{"name":"b","size":10,"unit":"ns","median":7,"min":7,"max":7}',
                     text:match("\n({.name.:.b.[^\n]*)\n"))
        assert.equal(text, results.encode(results.read(folder .. "/r.json")))
        assert.is_nil(results.read(folder .. "/none.json"))
    end)

    it("tell the machine", function()
        local machine = results.machine()
        assert.matches("^%d%d%d%d%-%d%d%-%d%d$", machine.date)
        assert.is_true(machine.cores > 0)
        assert.matches("^Linux ", machine.kernel)
        for _, name in ipairs({ "commit", "processor", "memory", "system", "compiler" }) do
            assert.is_true(#machine[name] > 0, name)
        end
    end)

    it("are collected from programs in C", function()
        local file = assert(io.open(folder .. "/rows.c", "w"))
        file:write([[
            #include "result.h"
            int main(void) {
                double times[] = {5, 1, 3}, one[] = {0.25, 0.75};
                bench_result_append(&(bench_result){.name = "a \"b\" \\", .family = "net",
                    .form = "bulk", .size = 100000, .unit = "ns"}, times, 3);
                bench_result_append(&(bench_result){.name = "c", .size = 1, .unit = "MiB"}, one, 2);
                return 0;
            }
        ]])
        file:close()
        local output, status = commands.sh(("cc -std=c11 -Wall -Wextra -Werror -Wpedantic "
            .. "-Ispec/bench -o %s/rows %s/rows.c && %s/rows && POSTERN_BENCH_RESULTS=%s/lines "
            .. "%s/rows"):format(folder, folder, folder, folder, folder))
        assert.equal(0, status, output)
        assert.equal(2, results.collect("structures", folder .. "/lines", folder .. "/s.json"))
        local read = results.read(folder .. "/s.json")
        assert.equal("structures", read.kind)
        assert.same({
            { name = 'a "b" \\', family = "net", form = "bulk", size = 100000, unit = "ns",
              median = 3, min = 1, max = 5 },
            { name = "c", size = 1, unit = "MiB", median = 0.5, min = 0.25, max = 0.75 },
        }, read.rows)
        output, status = commands.sh(("POSTERN_BENCH_RESULTS=%s/no/lines %s/rows")
            :format(folder, folder))
        assert.equal(2, status)
        assert.matches("No such file", output)
    end)
end)
