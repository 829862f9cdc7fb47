local clocks = require("postern.clock")
local plain = require("postern.host.plain")


-- The C library's own view, from a process whose zone is the one asked for.
local function by_date_command(zone, at)
    local pipe = io.popen(("TZ=:/usr/share/zoneinfo/%s "
        .. "date -d @%d '+%%Y-%%m-%%d %%H:%%M:%%S %%u %%j'"):format(zone, at))
    local line = pipe:read("*l")
    pipe:close()
    return line
end


local function text_of(time)
    return ("%04d-%02d-%02d %02d:%02d:%02d %d %03d"):format(time.year, time.month, time.day,
        time.hour, time.minute, time.second, time.weekday, time.yearday)
end


local function at_utc(text)
    local year, month, day, hour, minute, second =
        text:match("^(%d+)-(%d+)-(%d+) (%d+):(%d+):(%d+)$")
    local pipe = io.popen(("date -u -d '%s-%s-%s %s:%s:%s' +%%s")
        :format(year, month, day, hour, minute, second))
    local at = tonumber(pipe:read("*l"))
    pipe:close()
    return at
end


describe("local time", function()
    local local_time

    before_each(function()
        local_time = clocks.new({ read = plain.read })
    end)

    it("follows daylight saving, both ways", function()
        for _, row in ipairs({
            -- Zone, UTC, what the wall shows, seconds east.
            { "Europe/Berlin", "2026-03-29 00:59:59", "2026-03-29 01:59:59 7 088", 3600 },
            { "Europe/Berlin", "2026-03-29 01:00:00", "2026-03-29 03:00:00 7 088", 7200 },
            { "Europe/Berlin", "2026-10-25 00:59:59", "2026-10-25 02:59:59 7 298", 7200 },
            { "Europe/Berlin", "2026-10-25 01:00:00", "2026-10-25 02:00:00 7 298", 3600 },
            { "America/New_York", "2026-03-08 06:59:59", "2026-03-08 01:59:59 7 067", -18000 },
            { "America/New_York", "2026-03-08 07:00:00", "2026-03-08 03:00:00 7 067", -14400 },
            { "America/New_York", "2026-11-01 06:00:00", "2026-11-01 01:00:00 7 305", -18000 },
            -- South of the equator summer is around New Year.
            { "Australia/Sydney", "2026-04-04 15:59:59", "2026-04-05 02:59:59 7 095", 39600 },
            { "Australia/Sydney", "2026-04-04 16:00:00", "2026-04-05 02:00:00 7 095", 36000 },
            -- By half an hour only.
            { "Australia/Lord_Howe", "2026-10-03 15:30:00", "2026-10-04 02:30:00 7 277", 39600 },
            -- Past what the tables of the database spell out.
            { "Europe/Berlin", "2099-07-01 12:00:00", "2099-07-01 14:00:00 3 182", 7200 },
        }) do
            local time = assert(local_time(row[1], at_utc(row[2])))
            assert.equal(row[3], text_of(time))
            assert.equal(row[4], time.offset)
        end
    end)

    it("knows zones of half and quarter hours, and the ends of years", function()
        for _, row in ipairs({
            { "Asia/Kolkata", "2026-12-31 18:29:59", "2026-12-31 23:59:59 4 365" },
            { "Asia/Kolkata", "2026-12-31 18:30:00", "2027-01-01 00:00:00 5 001" },
            { "Asia/Kathmandu", "2023-12-31 18:15:00", "2024-01-01 00:00:00 1 001" },
            { "Pacific/Chatham", "2026-06-30 11:15:00", "2026-07-01 00:00:00 3 182" },
            { "America/St_Johns", "2027-01-01 03:29:59", "2026-12-31 23:59:59 4 365" },
            { "Pacific/Kiritimati", "2024-12-30 10:00:00", "2024-12-31 00:00:00 2 366" },
            { "Pacific/Pago_Pago", "2024-03-01 10:59:59", "2024-02-29 23:59:59 4 060" },
            { "Etc/GMT+12", "2025-01-01 11:59:59", "2024-12-31 23:59:59 2 366" },
            { "UTC", "1970-01-01 00:00:00", "1970-01-01 00:00:00 4 001" },
            { "America/Argentina/Salta", "2026-01-01 03:00:00", "2026-01-01 00:00:00 4 001" },
        }) do
            assert.equal(row[3], text_of(assert(local_time(row[1], at_utc(row[2])))))
        end
    end)

    it("agrees with the date command", function()
        math.randomseed(3)
        local zones = { "Europe/London", "America/Sao_Paulo", "Africa/Casablanca", "Asia/Tehran",
                        "Australia/Adelaide", "Antarctica/Troll" }
        for _ = 1, 60 do
            local zone = zones[math.random(#zones)]
            local at = math.random(100000000, 2100000000)
            assert.equal(by_date_command(zone, at), text_of(local_time(zone, at)))
        end
    end)

    it("takes a part of a second, and keeps it out", function()
        assert.equal(20, local_time("UTC", 1700000000.999).second)
    end)

    it("gives a table of its own each time", function()
        local one = local_time("UTC", 1700000000)
        one.hour = 99
        assert.equal(22, local_time("UTC", 1700000000).hour)
    end)


    describe("asks the C library", function()
        local reads

        before_each(function()
            reads = 0
            local_time = clocks.new({ read = function(path)
                reads = reads + 1
                return plain.read(path)
            end })
        end)

        it("once a minute and zone", function()
            for second = 0, 59 do
                local_time("Europe/Berlin", 1700000040 + second)
                local_time("Asia/Kolkata", 1700000040 + second)
            end
            assert.equal(2, reads)
            local_time("Europe/Berlin", 1700000100)
            assert.equal(3, reads)
            local_time("Europe/Berlin", 1700000040) -- a clock that was set back
            assert.equal(4, reads)
        end)

        -- The second of two changes of this zone that are no quarter of an hour.
        it("in time for every change since 1973", function()
            local change = 1664640060
            assert.equal(by_date_command("Antarctica/Casey", change - 1),
                         text_of(local_time("Antarctica/Casey", change - 1)))
            assert.equal(by_date_command("Antarctica/Casey", change),
                         text_of(local_time("Antarctica/Casey", change)))
            assert.not_equal(local_time("Antarctica/Casey", change - 1).offset,
                             local_time("Antarctica/Casey", change).offset)
        end)

        it("and leaves the zone of the process as it was", function()
            for _, zone in ipairs({ "Asia/Tokyo", "America/Lima" }) do
                local script = os.tmpname()
                local file = io.open(script, "w")
                file:write([[
                    local clocks = require("postern.clock")
                    local plain = require("postern.host.plain")
                    local local_time = clocks.new({ read = plain.read })
                    local before = os.date("%c", 1700000000)
                    assert(local_time("Europe/Berlin", 1700000000).hour == 23)
                    assert(local_time("No/Where", 1700000000) == nil)
                    assert(os.date("%c", 1700000000) == before)
                    io.write(before, " ", os.getenv("TZ"))]])
                file:close()
                local build = os.getenv("POSTERN_BUILD") or "build"
                local command = ("luajit -e 'package.path = \"./lua/?.lua;\" .. package.path; "
                    .. "package.cpath = \"./%s/?.so;\" .. package.cpath' %s 2>&1")
                    :format(build, script)
                local pipe = io.popen("TZ=" .. zone .. " " .. command)
                local output = pipe:read("*a")
                pipe:close()
                assert.matches((zone == "Asia/Tokyo" and "07:13:20" or "17:13:20"), output, 1, true)
                assert.matches(" " .. zone .. "$", output)
                -- Without TZ the zone is that of the machine, before and after.
                pipe = io.popen("env -u TZ " .. command)
                output = pipe:read("*a")
                pipe:close()
                assert.matches(" :/etc/localtime$", output)
                os.remove(script)
            end
        end)
    end)


    describe("is never UTC by accident", function()
        local function refused(zone, text)
            local time, err = local_time(zone, 1700000000)
            assert.is_nil(time)
            assert.matches(text, err, 1, true)
        end

        it("for names that are none", function()
            for _, zone in ipairs({ "", "/", "/etc/localtime", ":Europe/Berlin", "../Europe/Berlin",
                                    "Europe/../Europe/Berlin", "Europe//Berlin", "Europe/Berlin/",
                                    "Europe/Berlin\0x", "Europe/Berlin\n", "CET-1CEST,M3.5.0",
                                    "zone.tab", "right/Europe/Berlin", "<+03>-3", "Europe Berlin",
                                    "./UTC", "-UTC" }) do
                refused(zone, "is not the name of a time zone")
            end
            for _, zone in ipairs({ 1, true, {} }) do
                refused(zone, "is not the name of a time zone")
            end
            refused(nil, "is not the name of a time zone")
        end)

        it("for zones that are not there", function()
            for _, zone in ipairs({ "Europe/Berlim", "Europe", "europe/berlin", "XYZ", "ABC3" }) do
                refused(zone, "no time zone `" .. zone .. "`")
                refused(zone, "tzdata")
            end
        end)

        it("for files that are no zone, or not all of one", function()
            local whole = plain.read("/usr/share/zoneinfo/Europe/Berlin")
            for _, text in ipairs({ "", "TZif", "no zone\n", whole:sub(1, -2),
                                    whole:sub(1, 200) }) do
                local_time = clocks.new({ read = function() return text end })
                refused("Europe/Berlin", "holds no time zone")
            end
        end)
    end)

    it("fails for moments that no clock shows", function()
        for _, at in ipairs({ -1, 0 / 0, math.huge, -math.huge, 253402300800, "1700000000" }) do
            local time, err = local_time("UTC", at)
            assert.is_nil(time)
            assert.matches("the time is not known", err, 1, true)
        end
        assert.is_nil((local_time("UTC")))
        assert.equal("9999-12-31 23:59:59 5 365", text_of(local_time("UTC", 253402300799)))
    end)

    it("needs a reader", function()
        assert.has_error(function() clocks.new({}) end,
                         "`read`: give a function that reads a file")
    end)
end)
