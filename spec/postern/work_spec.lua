local work = require("postern.work")


describe("work", function()
    local function run(source, ...)
        return work.unwrap(work.run(source, ...))
    end

    it("answers what its text returns", function()
        assert.same({ 3, "x" }, { run("local a, b = ... return a + b, 'x'", 1, 2) })
        assert.equal(0, select("#", run("return")))
        assert.equal(3, select("#", run("return nil, nil, nil")))
        assert.equal(8, select("#", run("return ...", 1, 2, 3, 4, 5, 6, 7, 8)))
    end)

    it("never raises", function()
        assert.same({ nil, "work:1: oops" }, { run("error('oops')") })
        assert.same({ nil, "work:1: unexpected symbol near '='" }, { run("return =") })
        assert.same({ nil, "oops" }, { run("error(setmetatable({}, "
            .. "{ __tostring = function() return 'oops' end }))") })
        assert.matches("it answers a function: only strings",
            select(2, run("return 1, print")), 1, true)
        assert.matches("more than 8 values", select(2, run("return 1, 2, 3, 4, 5, 6, 7, 8, 9")))
    end)

    it("leaves no globals behind", function()
        assert.equal(1, run("left_behind = 1 return left_behind"))
        assert.is_nil(rawget(_G, "left_behind"))
    end)

    it("has no upvalues, or a thread could not have it", function()
        assert.is_nil(debug.getupvalue(work.run, 1))
    end)

    it("that cannot be handed over is refused", function()
        for _, row in ipairs({
            { "give Lua text", print }, { "give Lua text", string.dump(print and function() end) },
            { "value 2 is a table", "return", 1, {} },
            { "at most 8 values", "return", 1, 2, 3, 4, 5, 6, 7, 8, 9 },
        }) do
            assert.error_matches(function() work.check(unpack(row, 2)) end, row[1])
        end
        assert.has_no.errors(function() work.check("return", nil, true, 1, "x") end)
    end)
end)
