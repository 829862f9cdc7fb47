local cjson = require("cjson")
local plain = require("postern.audit.plain")


describe("plain data for a log", function()
    local function copy(value)
        return plain.copy(value, plain.budget())
    end

    it("is copied", function()
        local from = { a = "x", b = 2.5, c = true, d = false, e = { "1", { f = "g" } }, [7] = "h" }
        local copied = copy(from)
        assert.same({ a = "x", b = 2.5, c = true, d = false, e = { "1", { f = "g" } },
                      ["7"] = "h" }, copied)
        from.e[1] = "2"
        assert.equal("1", copied.e[1])
    end)

    it("is what JSON can say", function()
        assert.same({ a = "inf", b = "-inf" }, copy({ a = 1 / 0, b = -1 / 0 }))
        assert.matches("nan", copy(0 / 0))
        for _, none in ipairs({ print, {}, { {} }, { print }, { a = {} }, io.stdout,
                                coroutine.create(print) }) do
            assert.is_nil(copy(none))
        end
        assert.same({ b = 1 }, copy({ a = print, b = 1, c = {}, [true] = 2, [print] = 3 }))
        assert.same({ 1, 3 }, copy({ 1, print, 3 }))
    end)

    it("is bounded", function()
        assert.equal(("x"):rep(1024), copy(("x"):rep(1024)))
        assert.equal(("x"):rep(1024) .. "...", copy(("x"):rep(1025)))
        local cycle = { a = 1 }
        cycle.b = cycle
        assert.is_string(cjson.encode(copy(cycle)))
        local many = {}
        for i = 1, 5000 do
            many[i] = i
        end
        local budget = plain.budget()
        assert.equal(999, #plain.copy(many, budget))
        assert.is_nil(plain.copy("one more", budget))
        local wide = {}
        for i = 1, 5000 do
            wide["k" .. i] = "v"
        end
        local count = 0
        for _ in pairs(copy(wide)) do
            count = count + 1
        end
        assert.equal(999, count)
    end)

    it("is UTF-8", function()
        for _, good in ipairs({ "", "abc", "\195\164", "\226\130\172", "\240\159\152\128",
                                "\237\159\191", "\238\128\128", "\244\143\191\191" }) do
            assert.equal(good, plain.text(good))
        end
        for _, row in ipairs({
            { "\128", "?" }, { "a\195", "a?" }, { "\195\195\164", "?\195\164" },
            { "\192\128", "??" }, { "\193\191", "??" }, { "\224\159\191", "???" },
            { "\237\160\128", "???" }, { "\240\143\191\191", "????" },
            { "\244\144\128\128", "????" }, { "\245\128\128\128", "????" }, { "\255\254", "??" },
            { "\226\130x", "??x" }, { "\226\130\172\255", "\226\130\172?" },
        }) do
            assert.equal(row[2], plain.text(row[1]))
        end
        assert.same({ ["a?"] = "?" }, copy({ ["a\255"] = "\255" }))
        -- cut within a character
        assert.equal(("x"):rep(1023) .. "?...", plain.text(("x"):rep(1023) .. "\195\164"))
    end)
end)
