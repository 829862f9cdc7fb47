local merge = require("postern.metrics.merge").merge


describe("the counts of several processes", function()
    it("add up; gauges are told apart", function()
        local merged = merge({
            { worker = "a", values = {
                ["c|postern_x_total"] = 2, ["h|postern_y_seconds|3"] = 1,
                ["h|postern_y_seconds|sum"] = 500, ["g|postern_z"] = 7,
                ['g|postern_w{s="t"}'] = 1,
            } },
            { values = {
                ["c|postern_x_total"] = 3, ['c|postern_x_total{a="b"}'] = 1,
                ["h|postern_y_seconds|sum"] = 250, ["g|postern_z"] = 8,
                ['g|postern_w{worker="own"}'] = 2,
            } },
        })
        assert.same({
            ["c|postern_x_total"] = 5, ['c|postern_x_total{a="b"}'] = 1,
            ["h|postern_y_seconds|3"] = 1, ["h|postern_y_seconds|sum"] = 750,
            ['g|postern_z{worker="a"}'] = 7, ['g|postern_z{worker="2"}'] = 8,
            ['g|postern_w{s="t",worker="a"}'] = 1, ['g|postern_w{worker="own"}'] = 2,
        }, merged.values)
        assert.is_nil(merged.ended)
    end)

    it("have one info where all agree, else one each", function()
        local KEY = 'i|postern_r_info{source="estate"}'
        local function infos(...)
            local snapshots = {}
            for i, value in ipairs({ ... }) do
                snapshots[i] = { values = { [KEY] = value } }
            end
            return merge(snapshots).values
        end
        assert.same({ [KEY] = "1" }, infos("1"))
        assert.same({ [KEY] = "1" }, infos("1", "1", "1"))
        assert.same({ ['i|postern_r_info{source="estate",worker="1"}'] = "1",
                      ['i|postern_r_info{source="estate",worker="2"}'] = "2",
                      ['i|postern_r_info{source="estate",worker="3"}'] = "1" },
                    infos("1", "2", "1"))
    end)

    it("stay when a process ends, without its gauges", function()
        local ended = { ended = true, values = { ["c|postern_x_total"] = 5, ["g|postern_z"] = 1,
                                                 ["i|postern_r_info"] = "old" } }
        assert.same({ values = { ["c|postern_x_total"] = 5 }, ended = true }, merge({ ended }))
        local all = merge({ ended, ended })
        assert.same({ values = { ["c|postern_x_total"] = 10 }, ended = true }, all)
        local now = { values = { ["c|postern_x_total"] = 1, ["i|postern_r_info"] = "new" } }
        assert.same({ values = { ["c|postern_x_total"] = 11, ["i|postern_r_info"] = "new" } },
                    merge({ now, all }))
    end)

    it("are none of none, and change no snapshot", function()
        assert.same({ values = {}, ended = true }, merge({}))
        local one = { values = { ["c|postern_x_total"] = 1 } }
        merge({ one, one })
        assert.same({ values = { ["c|postern_x_total"] = 1 } }, one)
    end)
end)
