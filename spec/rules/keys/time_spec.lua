local rules = require("postern.rules")
local plain = require("postern.host.plain")


describe("the keys of time", function()
    local pack, current, epoch

    setup(function()
        pack = assert(rules.load("keys", "time", plain.read))
        current, epoch = pack.keys["aws:CurrentTime"], pack.keys["aws:EpochTime"]
    end)

    it("are the start of the request", function()
        assert.equal("2023-11-14T22:13:20Z", current({ now = 1700000000 }))
        assert.equal(1700000000, epoch({ now = 1700000000 }))
    end)

    it("are whole seconds in UTC", function()
        assert.equal("2023-11-14T22:13:20Z", current({ now = 1700000000.999 }))
        assert.equal(1700000000, epoch({ now = 1700000000.999 }))
        assert.equal(0, epoch({ now = 0 }))
    end)

    it("are there whatever the authorization and the endpoint", function()
        for _, authorization in ipairs({ "NONE", "IAM", "LAMBDA", "COGNITO" }) do
            for _, endpoint_type in ipairs({ "REGIONAL", "EDGE", "PRIVATE" }) do
                local context = { now = 1, api = { authorization = authorization,
                                                   endpoint_type = endpoint_type } }
                assert.equal("1970-01-01T00:00:01Z", current(context))
                assert.equal(1, epoch(context))
            end
        end
    end)

    it("know the calendar", function()
        for now, expected in pairs({
            [0] = "1970-01-01T00:00:00Z", [86399] = "1970-01-01T23:59:59Z",
            [951782399] = "2000-02-28T23:59:59Z", [951782400] = "2000-02-29T00:00:00Z",
            [951868800] = "2000-03-01T00:00:00Z", [1078012800] = "2004-02-29T00:00:00Z",
            [1709164800] = "2024-02-29T00:00:00Z", [1735689599] = "2024-12-31T23:59:59Z",
            [4107542399] = "2100-02-28T23:59:59Z", [4107542400] = "2100-03-01T00:00:00Z",
            [253402300799] = "9999-12-31T23:59:59Z",
        }) do
            assert.equal(expected, current({ now = now }))
        end
    end)

    it("agree with the C library's calendar", function()
        math.randomseed(6)
        for _ = 1, 20000 do
            local now = math.random(0, 2147483647) * 100 + math.random(0, 99)
            assert.equal(os.date("!%Y-%m-%dT%H:%M:%SZ", now), current({ now = now }))
        end
        for day = 0, 160000 do -- every day until the year 2408
            local now = day * 86400
            assert.equal(os.date("!%Y-%m-%dT%H:%M:%SZ", now), current({ now = now }))
        end
    end)

    it("fail without a clock: no date condition may be decided by chance", function()
        for _, now in ipairs({ "1700000000", -1, 0 / 0, math.huge, -math.huge, 253402300800,
                               false }) do
            for _, key in ipairs({ current, epoch }) do
                local value, err = key({ now = now })
                assert.is_nil(value)
                assert.equal("the time of the request is not known", err)
            end
        end
        assert.is_nil((current({})))
        assert.is_string(select(2, epoch({})))
    end)

    it("are dates, and have no options", function()
        assert.same({ ["aws:CurrentTime"] = "date", ["aws:EpochTime"] = "date" }, pack.types)
        assert.is_true(pack.check({}))
        assert.matches("unknown option `x`", select(2, pack.check({ x = 1 })), 1, true)
    end)
end)
