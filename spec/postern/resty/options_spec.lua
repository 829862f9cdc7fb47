local options = require("postern.resty.options")


describe("the options of the front in nginx", function()
    it("have values when nothing is said", function()
        local filled = assert(options.fill())
        assert.equal("postern", filled.dict)
        assert.equal("stop", filled.on_broken)
        assert.equal("enforce", filled.mode)
        assert.equal(503, filled.fault)
        assert.same({}, filled.upstream)
    end)

    it("are taken as they are said", function()
        local said = { dict = "other", on_broken = "refuse", mode = "dry_run", fault = 403,
                       poll = 1, follow = 0.1, report = 5, obligations = "X-Duty-",
                       upstream = { ["X-Caller"] = "principal", ["X-Db"] = "obligation:db" } }
        assert.same(said, options.fill(said))
    end)

    it("are refused where they mean nothing, with what is accepted", function()
        for _, case in ipairs({
            { { colour = 1 }, "unknown option `colour`: there are `dict`, `fault`, `follow`" },
            { { on_broken = "ignore" }, "`on_broken` is `ignore`: give `stop` or `refuse`" },
            { { mode = "Enforce" }, "`mode` is `Enforce`: give `enforce` or `dry_run`" },
            { { fault = 500 }, "`fault` is `500`: give 403 or 503" },
            { { fault = "403" }, "`fault` is `403`: give 403 or 503" },
            { { poll = 0 }, "`poll` is `0`: give seconds" },
            { { poll = 0 / 0 }, "`poll` is" },
            { { follow = math.huge }, "`follow` is" },
            { { dict = "a b" }, "`dict` is `a b`" },
            { { obligations = "X Y" }, "`obligations` is `X Y`" },
            { { upstream = { ["X-A"] = "password" } }, "`upstream` is another table: give header" },
            { { upstream = { Host = "principal" } }, "`upstream`" },
            { { upstream = { ["X-A: b"] = "principal" } }, "`upstream`" },
            { { upstream = { "principal" } }, "`upstream`" },
        }) do
            local filled, err = options.fill(case[1])
            assert.is_nil(filled)
            assert.matches(case[2], err, 1, true)
        end
        assert.is_nil((options.fill("x")))
    end)
end)
