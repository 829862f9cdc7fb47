local families = require("postern.metrics.family")


describe("a family of metrics", function()
    local function made(changes)
        local declared = { name = "postern_x_total", type = "counter", help = "x",
                           labels = { { "kind", { "a", 'b"' } }, { "who", { "c" } } } }
        for name, value in pairs(changes or {}) do
            declared[name] = value
        end
        return families.new(declared, 2)
    end

    -- The message of an error that has to be blamed on this file.
    local function blamed(fn)
        local ok, err = pcall(fn)
        assert.is_false(ok)
        assert.matches("family_spec.lua:%d+: ", err)
        return err
    end

    it("makes the key of a series once, with the labels in their order", function()
        local family = made()
        local labels = { who = "c", kind = 'b"' }
        local key = family:cell(labels, nil, 2)
        assert.equal('c|postern_x_total{kind="b\\"",who="c"}', key)
        assert.equal(key, family:cell(labels, nil, 2))
        assert.equal("c|postern_x_total", made({ labels = {} }):cell({}, nil, 2))
        assert.equal('g|postern_x{worker="2"}',
                     made({ name = "postern_x", type = "gauge", labels = {} }):cell({}, "2", 2))
        assert.equal("c|postern_x_total", made({ labels = {} }):cell({}, "2", 2))
    end)

    it("gives a histogram a key for each bucket, one above, and one for the sum", function()
        local family = made({ name = "postern_x_seconds", type = "histogram", buckets = { 1, 2 },
                              labels = { { "kind", { "a" } } } })
        local cell = family:cell({ kind = "a" }, nil, 2)
        assert.equal(3, #cell)
        assert.equal('h|postern_x_seconds{kind="a"}|3', cell[3])
        assert.equal('h|postern_x_seconds{kind="a"}|sum', cell.sum)
        assert.same({ 1, 2 }, cell.bounds)
        assert.equal(cell, family:cell({ kind = "a" }, nil, 2))
    end)

    it("reads the keys it makes, and no others", function()
        for _, row in ipairs({
            { "c|postern_x_total", "postern_x_total", "c", "", "" },
            { 'c|postern_x_total{a="b|c}"}', "postern_x_total", "c", 'a="b|c}"', "" },
            { 'h|postern_x_seconds{a="b|1}"}|12', "postern_x_seconds", "h", 'a="b|1}"', "12" },
            { "h|postern_x_seconds|sum", "postern_x_seconds", "h", "", "sum" },
            { "x|postern_x_total" }, { "postern_x_total" }, { "c|other_total" }, { "lease" },
        }) do
            assert.same({ unpack(row, 2, 5) }, { families.read_key(row[1]) }, row[1])
        end
    end)

    it("refuses what is not in its closed sets", function()
        local family = made()
        for _, row in ipairs({
            { { kind = "a" }, "the family `postern_x_total`: the label `who` is missing" },
            { { kind = "z", who = "c" }, "the label `kind` has no value `z`" },
            { { kind = 1, who = "c" }, "the label `kind` has no value `1`" },
            { { kind = "a", who = "c", path = "/" }, "has no label `path`" },
        }) do
            local message = blamed(function() return (family:cell(row[1], nil, 2)) end)
            assert.is_truthy(message:find(row[2], 1, true), message)
        end
        -- also behind one that was good
        family:cell({ kind = "a", who = "c" }, nil, 2)
        blamed(function() return (family:cell({ kind = "a", who = "c", x = "y" }, nil, 2)) end)
    end)

    it("lets sets grow, to a bound", function()
        local family = made({ labels = { { "plugin", {} } } })
        local values = {}
        for i = 1, 1000 do
            values[i] = "hooks/" .. i
        end
        family:declare("plugin", values, 2)
        family:declare("plugin", values, 2) -- nothing new
        assert.equal('c|postern_x_total{plugin="hooks/1000"}',
                     family:cell({ plugin = "hooks/1000" }, nil, 2))
        assert.matches("more than 1000 values",
                       blamed(function() family:declare("plugin", { "one more" }, 2) end))
        assert.matches("has no label `path`",
                       blamed(function() family:declare("path", { "x" }, 2) end))
        for _, wrong in ipairs({ "", 7, ("x"):rep(257) }) do
            assert.matches("no text of 1 to 256 bytes",
                           blamed(function() made():declare("kind", { wrong }, 2) end))
        end
    end)

    it("refuses declarations that Prometheus would misread", function()
        for _, row in ipairs({
            { { name = "x_total" }, "does not begin with `postern_`" },
            { { name = "postern_X_total" }, "does not begin" }, { { name = "postern_" }, "begin" },
            { { name = "postern_x" }, "a counter ends in `_total`" },
            { { name = "postern_x_info" }, "a counter ends in `_total`" },
            { { type = "histogram" }, "a histogram in `_seconds`" },
            { { type = "info" }, "an info in `_info`" }, { { type = "summary" }, "gauge" },
            { { help = "" }, "has no `help`" }, { { help = false }, "has no `help`" },
            { { labels = { { "le", {} } } }, "a label is a name with a list of values" },
            { { labels = { { "worker", {} } } }, "a label is" },
            { { labels = { { "a-b", {} } } }, "a label is" }, { { labels = { { "a" } } }, "label" },
        }) do
            local message = blamed(function() return (made(row[1])) end)
            assert.is_truthy(message:find(row[2], 1, true), message)
        end
    end)

    it("declares those of every host", function()
        for _, declared in ipairs(families.ALL) do
            assert.equal(declared.name, families.new(declared, 2).name)
        end
    end)
end)
