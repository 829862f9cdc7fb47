local packs = require("spec.support.packs")


describe("the keys of business hours", function()
    local pack = packs.load("keys/business_hours")

    local UTC = { zone = "UTC", hours = "08:00-18:00" }

    local function with(changes)
        local config = { zone = UTC.zone, hours = UTC.hours }
        for name, value in pairs(changes) do
            config[name] = value
        end
        return config
    end

    -- 2026-11-02 is a Monday.
    local MONDAY = 1793577600

    local function at(day, hour, minute)
        return { now = MONDAY + day * 86400 + hour * 3600 + (minute or 0) * 60 }
    end

    local function asker(config)
        local ask = packs.start(pack, config)
        return function(...)
            return (ask("time:BusinessHours", at(...)))
        end
    end

    it("begin with the first minute and end before the last", function()
        local open = asker(UTC)
        for day = 0, 6 do
            local expected = day < 5
            assert.is_false(open(day, 7, 59))
            assert.equal(expected, open(day, 8, 0))
            assert.equal(expected, open(day, 12))
            assert.equal(expected, open(day, 17, 59))
            assert.is_false(open(day, 18, 0))
            assert.is_false(open(day, 0))
        end
    end)

    it("may have a break", function()
        local open = asker(with({ hours = { "08:00-12:00", "13:30-17:00" } }))
        for minute, expected in pairs({ [479] = false, [480] = true, [719] = true, [720] = false,
                                        [809] = false, [810] = true, [1019] = true,
                                        [1020] = false }) do
            assert.equal(expected, open(0, 0, minute))
        end
    end)

    it("may be whole days, and any days", function()
        local open = asker(with({ hours = "00:00-24:00", days = { "sat-mon", "wed" } }))
        for day, expected in pairs({ [0] = true, false, true, false, false, true, true }) do
            assert.equal(expected, open(day, 0, 0))
            assert.equal(expected, open(day, 23, 59))
        end
    end)

    it("that go past midnight belong to the day they begin on", function()
        local open = asker(with({ hours = "22:00-06:00", days = { "fri" },
                                  holidays = { "2026-11-13" } }))
        assert.is_false(open(4, 5, 59)) -- Friday morning: Thursday's
        assert.is_false(open(4, 21, 59))
        assert.is_true(open(4, 22))
        assert.is_true(open(4, 23, 59))
        assert.is_true(open(5, 0))
        assert.is_true(open(5, 5, 59))
        assert.is_false(open(5, 6))
        assert.is_false(open(5, 22))
        -- The next Friday is a holiday: its night does not begin, and does not go on.
        assert.is_false(open(11, 22))
        assert.is_false(open(12, 5))
    end)

    it("of the night before a holiday go on in it", function()
        local open = asker(with({ hours = "22:00-06:00", days = { "mon-sun" },
                                  holidays = { "2026-11-03" } }))
        assert.is_true(open(0, 23))
        assert.is_true(open(1, 5))
        assert.is_false(open(1, 23))
        assert.is_false(open(2, 5))
        assert.is_true(open(2, 22))
    end)

    it("know the day before the first of a month, of a year, and of March", function()
        for text, row in pairs({
            ["2026-10-31"] = { 1793491200 + 3600, "sat" },  -- now: 2026-11-01 01:00
            ["2025-12-31"] = { 1767229200, "wed" },         -- 2026-01-01 01:00
            ["2024-02-29"] = { 1709254800, "thu" },         -- 2024-03-01 01:00
            ["2026-02-28"] = { 1772326800, "sat" },         -- 2026-03-01 01:00
        }) do
            local context = { now = row[1] }
            local ask = packs.start(pack, with({ hours = "22:00-06:00", days = { row[2] } }))
            assert.is_true(ask("time:BusinessHours", context))
            ask = packs.start(pack, with({ hours = "22:00-06:00", days = { row[2] },
                                           holidays = { text } }))
            assert.is_false(ask("time:BusinessHours", context))
        end
    end)

    it("are none on holidays, of one year or of every year", function()
        local ask = packs.start(pack, with({ holidays = { "2026-11-03", "11-05" } }))
        for day, expected in pairs({ [0] = false, true, false, true, false }) do
            assert.equal(expected, (ask("time:Holiday", at(day, 12))))
            assert.equal(not expected, (ask("time:BusinessHours", at(day, 12))))
        end
        assert.is_false(ask("time:Holiday", { now = MONDAY + 366 * 86400 }))  -- 2027-11-03
        assert.is_true(ask("time:Holiday", { now = MONDAY + 368 * 86400 }))   -- 2027-11-05
    end)

    it("are those of the zone, through daylight saving", function()
        local ask = packs.start(pack, { zone = "Europe/Berlin", hours = "08:00-18:00" })
        for now, expected in pairs({
            [1774594799] = false, -- Friday 2026-03-27 06:59:59 UTC, 07:59:59 in Berlin
            [1774594800] = true,  -- 08:00 in winter
            [1774850399] = false, -- Monday 2026-03-30 05:59:59 UTC, 07:59:59
            [1774850400] = true,  -- 08:00 in summer, an hour earlier
        }) do
            assert.equal(expected, (ask("time:BusinessHours", { now = now })))
        end
    end)

    it("have the parts of local time beside them", function()
        local ask = packs.start(pack, { zone = "Asia/Kolkata", hours = "09:00-17:00" })
        local context = { now = MONDAY + 18.5 * 3600 } -- Tuesday 00:00 there
        assert.equal("tue", (ask("time:Weekday", context)))
        assert.equal(0, (ask("time:LocalHour", context)))
        assert.equal("2026-11-03", (ask("time:LocalDate", context)))
        local seen = {}
        for day = 0, 6 do
            seen[#seen + 1] = ask("time:Weekday", at(day, 12))
        end
        assert.same({ "mon", "tue", "wed", "thu", "fri", "sat", "sun" }, seen)
    end)

    it("fail without a clock: a condition on time may not be decided by chance", function()
        local ask = packs.start(pack, UTC)
        for key in pairs(pack.keys) do
            for _, context in ipairs({ {}, { now = -1 }, { now = "12" } }) do
                local value, err = ask(key, context)
                assert.is_nil(value)
                assert.matches("the time is not known", err, 1, true)
            end
        end
    end)

    it("do not start in a zone that is not there", function()
        local state, err = pack.start(with({ zone = "Europe/Berlim" }), packs.tools())
        assert.is_nil(state)
        assert.matches("no time zone `Europe/Berlim`", err, 1, true)
    end)

    it("have a type for each", function()
        for key in pairs(pack.keys) do
            assert.is_string(pack.types[key])
        end
    end)

    it("refuse what they cannot read", function()
        packs.assert_refused(pack, {
            { {}, "lacks `zone`" },
            { { zone = "UTC" }, "lacks `hours`" },
            { with({ hour = "x" }), "unknown option `hour`" },
            { with({ zone = 1 }), "`zone` is a number: make it a string" },
            { with({ hours = 8 }), "`hours` is a number" },
            { with({ hours = {} }), "`hours` is empty" },
            { with({ hours = "8:00-18:00" }), "`8:00-18:00` is no span" },
            { with({ hours = "08:00-08:00" }), "is no span" },
            { with({ hours = "08:60-10:00" }), "is no span" },
            { with({ hours = "24:00-06:00" }), "is no span" },
            { with({ hours = "08:00-24:01" }), "is no span" },
            { with({ hours = { "08:00-12:00", 7 } }), "`7` is no span" },
            { with({ days = "mon" }), "`days` is a string: make it a list" },
            { with({ days = {} }), "`days` is empty" },
            { with({ days = { "Mon" } }), "`Mon` is no day" },
            { with({ days = { "mon-day" } }), "`mon-day` is no day" },
            { with({ holidays = { "2026-02-29" } }), "`2026-02-29` is no date" },
            { with({ holidays = { "2100-02-29" } }), "is no date" },
            { with({ holidays = { "2026-13-01" } }), "is no date" },
            { with({ holidays = { "26-12-25" } }), "is no date" },
            { with({ holidays = { "12-32" } }), "is no date" },
            { with({ holidays = { 1225 } }), "`1225` is no date" },
        })
        assert.is_true(pack.check(with({ holidays = { "2024-02-29", "02-29", "2000-02-29" } })))
        assert.is_true(pack.check(with({ holidays = {} })))
    end)
end)
