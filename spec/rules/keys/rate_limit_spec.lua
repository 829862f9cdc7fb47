local packs = require("spec.support.packs")


describe("the key of rates", function()
    local pack = packs.load("keys/rate_limit")

    local function bucket(changes)
        local spec = { by = { "client_ip" }, rate = 1, burst = 3 }
        for name, value in pairs(changes or {}) do
            spec[name] = value
        end
        return { buckets = { api = spec } }
    end

    -- How many of so many calls are let through.
    local function passed(ask, context, count)
        local number = 0
        for _ = 1, count do
            local value, err = ask("rate:Exceeded/api", context)
            assert.is_nil(err)
            number = number + (value == false and 1 or 0)
        end
        return number
    end

    local ONE, OTHER = { client_ip = "192.0.2.1" }, { client_ip = "192.0.2.2" }

    it("is false for a burst, then true until there is a token again", function()
        local ask, tools = packs.start(pack, bucket())
        assert.equal(3, passed(ask, ONE, 10))
        tools.at = tools.at + 0.5
        assert.equal(0, passed(ask, ONE, 10))
        tools.at = tools.at + 0.5
        assert.equal(1, passed(ask, ONE, 10))
        tools.at = tools.at + 2
        assert.equal(2, passed(ask, ONE, 10))
        tools.at = tools.at + 1e6
        assert.equal(3, passed(ask, ONE, 10))
    end)

    it("lets through what the rate says, over any time", function()
        for _, rate in ipairs({ 0.1, 1 / 3, 7, 250 }) do
            local ask, tools = packs.start(pack, bucket({ rate = rate, burst = 5 }))
            local count, steps = 0, 5000
            for _ = 1, steps do
                tools.at = tools.at + 0.1 / rate
                count = count + passed(ask, ONE, 1)
            end
            -- A tenth of a token a step, and the burst at the start.
            assert.is_true(math.abs(count - (steps / 10 + 5)) <= 2, ("%g: %d"):format(rate, count))
        end
    end)

    it("counts each caller by itself", function()
        local ask = packs.start(pack, bucket())
        assert.equal(3, passed(ask, ONE, 10))
        assert.equal(3, passed(ask, OTHER, 10))
        assert.equal(0, passed(ask, ONE, 10))
    end)

    it("keeps its buckets apart", function()
        local ask = packs.start(pack, { buckets = {
            api = { by = {}, rate = 1, burst = 2 }, other = { by = {}, rate = 1, burst = 1 } } })
        assert.is_false(ask("rate:Exceeded/other", ONE))
        assert.is_true(ask("rate:Exceeded/other", ONE))
        assert.equal(2, passed(ask, ONE, 5))
        assert.is_true((ask("rate:Exceeded/Other", ONE)))
    end)

    it("fails for a bucket that is not there", function()
        local ask = packs.start(pack, bucket())
        local value, err = ask("rate:Exceeded/apis", ONE)
        assert.is_nil(value)
        assert.equal("there is no bucket `apis`", err)
    end)


    describe("knows a caller", function()
        local function same_caller(by, one, other)
            local ask = packs.start(pack, bucket({ by = by, burst = 1 }))
            assert.is_false((ask("rate:Exceeded/api", one)))
            return (ask("rate:Exceeded/api", other))
        end

        local function header(...)
            return { http = { headers = { ["x-key"] = { ... } } } }
        end

        it("by each of the words, and by several", function()
            for _, row in ipairs({
                { { "client_ip" }, ONE, ONE, true },
                { { "client_ip" }, ONE, OTHER, false },
                { { "client_ip" }, { client_ip = "192.0.2.1", peer = "10.0.0.1" },
                  { client_ip = "192.0.2.1", peer = "10.0.0.2" }, true },
                { { "client_ip" }, { peer = "10.0.0.1" }, { peer = "10.0.0.1" }, true },
                { { "client_ip" }, { peer = "10.0.0.1" }, { peer = "10.0.0.2" }, false },
                { { "principal" }, { principal = { arn = "a" } }, { principal = { arn = "a" } },
                  true },
                { { "principal" }, { principal = { arn = "a" } }, { principal = { arn = "b" } },
                  false },
                { { "principal" }, { principal = { kind = "anonymous" } }, {}, true },
                { { "account" }, { principal = { account = "1" } },
                  { principal = { account = "1" } }, true },
                { { "account" }, { principal = { account = "1" } },
                  { principal = { account = "2" } }, false },
                { { "api" }, { api = { id = "a" } }, { api = { id = "a" } }, true },
                { { "api" }, { api = { id = "a" } }, { api = { id = "b" } }, false },
                { { "stage" }, { stage = "a" }, { stage = "a" }, true },
                { { "stage" }, { stage = "a" }, { stage = "b" }, false },
                { { "header x-key" }, header("k"), header("k"), true },
                { { "header X-Key" }, header("k"), header("K"), false },
                { { "header x-key" }, header("k"), header("k", "l"), false },
                { { "header x-key" }, header(("k"):rep(5000)), header(("k"):rep(5000)), true },
                { { "header x-key" }, header(("k"):rep(5000)), header(("k"):rep(5001)), false },
                { { "api", "stage" }, { api = { id = "a" }, stage = "b" },
                  { api = { id = "a" }, stage = "c" }, false },
                -- No header can spell another caller, nor a missing one.
                { { "header x-key", "stage" }, { http = header("a 1:b").http, stage = "c" },
                  { http = header("a").http, stage = "b 1:c" }, false },
                { { "header x-key" }, header("-"), {}, false },
                { {}, ONE, OTHER, true },
            }) do
                assert.equal(row[4], same_caller(row[1], row[2], row[3]))
            end
        end)

        it("of IPv6 by the network that a customer has", function()
            for _, row in ipairs({
                { "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true },
                { "2001:DB8:0001:2:3:4:5:6", "2001:db8:1:2::", true },
                { "2001:db8:1:2::1", "2001:db8:1:3::1", false },
                { "2001:db8::1", "2001:db8:0:0:1:2:3:4", true },
                { "::1", "::2", true },
                { "::1:2:3:4:5", "0:0:0:1::", true },
                { "64:ff9b::192.0.2.1", "64:ff9b::192.0.2.2", true },
                { "::ffff:192.0.2.1", "192.0.2.1", true },
                { "::ffff:192.0.2.1", "::ffff:192.0.2.2", false },
            }) do
                assert.equal(row[3], same_caller({ "client_ip" }, { client_ip = row[1] },
                                                 { client_ip = row[2] }), row[1])
            end
        end)
    end)


    describe("is bounded", function()
        local function address(i)
            return { client_ip = ("10.%d.%d.1"):format(math.floor(i / 256), i % 256) }
        end

        local function count_of(state)
            local count = 0
            for _ in pairs(state.buckets.api.entries) do
                count = count + 1
            end
            return count
        end

        it("in callers: who was seen least recently starts anew", function()
            local ask, tools = packs.start(pack, bucket({ callers = 10, burst = 1, rate = 0.001 }))
            for i = 1, 10 do
                assert.equal(1, passed(ask, address(i), 2))
            end
            assert.equal(0, passed(ask, address(1), 1)) -- seen again, so 2 is the oldest
            assert.equal(1, passed(ask, address(11), 2))
            assert.equal(10, count_of(tools.state))
            assert.equal(0, passed(ask, address(1), 1))
            assert.equal(0, passed(ask, address(3), 1))
            assert.equal(1, passed(ask, address(2), 2)) -- forgotten: that errs towards letting in
            for i = 1, 5000 do
                passed(ask, address(i), 1)
            end
            assert.equal(10, count_of(tools.state))
            assert.equal(10, tools.state.buckets.api.count)
        end)

        it("and works with room for one", function()
            local ask, tools = packs.start(pack, bucket({ callers = 1, burst = 1 }))
            assert.equal(1, passed(ask, ONE, 2))
            assert.equal(1, passed(ask, OTHER, 2))
            assert.equal(1, passed(ask, ONE, 2))
            assert.equal(1, count_of(tools.state))
        end)

        it("and tells, once a minute, that it forgets", function()
            local ask, tools = packs.start(pack, bucket({ callers = 2, burst = 2, rate = 0.01 }))
            for i = 1, 50 do
                passed(ask, address(i), 1)
            end
            assert.equal(1, #tools.logged)
            assert.matches("the bucket `api` forgot 1 callers", tools.logged[1], 1, true)
            tools.at = tools.at + 60
            passed(ask, address(99), 1)
            assert.matches("forgot 48 callers", tools.logged[2], 1, true)
            tools.at = tools.at - 3600 -- a clock that was set back does not silence it
            passed(ask, address(100), 1)
            assert.matches("forgot 1 callers", tools.logged[3], 1, true)
        end)

        it("and says nothing of callers that had their burst back", function()
            local ask, tools = packs.start(pack, bucket({ callers = 2 }))
            for i = 1, 50 do
                tools.at = tools.at + 10
                passed(ask, address(i), 1)
            end
            assert.same({}, tools.logged)
        end)

        it("in memory, also with the longest names", function()
            local ask, tools = packs.start(pack, bucket({ by = { "header x" }, callers = 100 }))
            local function flood()
                for i = 1, 2000 do
                    local value = i .. ("x"):rep(8000)
                    ask("rate:Exceeded/api", { http = { headers = { x = { value } } } })
                end
                collectgarbage()
                collectgarbage()
                return collectgarbage("count")
            end
            local before = flood()
            assert.is_true(flood() - before < 200)
            for name in pairs(tools.state.buckets.api.entries) do
                assert.is_true(#name <= 64)
            end
        end)
    end)


    it("survives a clock that goes backwards", function()
        local ask, tools = packs.start(pack, bucket())
        assert.equal(3, passed(ask, ONE, 5))
        tools.at = tools.at - 3600
        assert.equal(0, passed(ask, ONE, 5))
        tools.at = tools.at + 1
        assert.equal(1, passed(ask, ONE, 5))
        tools.at = tools.at + 3600
        assert.equal(3, passed(ask, ONE, 5)) -- never more than a burst
    end)

    it("keeps its counts over a reload", function()
        local ask, tools = packs.start(pack, bucket())
        assert.equal(3, passed(ask, ONE, 5))
        local after = packs.start(pack, bucket(), packs.tools({ previous = tools.state }))
        assert.equal(0, passed(after, ONE, 5))
        assert.equal(3, passed(packs.start(pack, bucket()), ONE, 5))
    end)

    it("is lazy, so that a settled decision takes no token", function()
        assert.is_true(pack.lazy)
        assert.same({ ["rate:Exceeded/"] = "bool" }, pack.types)
    end)

    it("refuses what it cannot count", function()
        local function one(name, value)
            return bucket({ [name] = value })
        end
        packs.assert_refused(pack, {
            { {}, "`buckets`: give a table" },
            { { buckets = {} }, "`buckets`: give a table" },
            { { buckets = 3 }, "`buckets`: give a table" },
            { { bucket = {} }, "unknown option `bucket`" },
            { { buckets = { api = 3 } }, "the bucket `api` is a number" },
            { { buckets = { Api = bucket().buckets.api } }, "the bucket `Api`: name it in" },
            { { buckets = { bucket().buckets.api } }, "the bucket `1`: name it in" },
            { one("burts", 3), "unknown option `burts`" },
            { one("rate", "3"), "`rate` is a string" },
            { one("rate", 0), "`rate`: give a number above 0" },
            { one("rate", -1), "`rate`: give a number above 0" },
            { one("rate", 0 / 0), "`rate`: give a number above 0" },
            { one("rate", math.huge), "`rate`: give a number above 0" },
            { one("burst", 0.5), "`burst`: give a number of 1 or more" },
            { one("callers", 0), "`callers`: give a number between" },
            { one("callers", 1.5), "`callers`: give a number between" },
            { one("callers", 1e7), "`callers`: give a number between" },
            { one("by", "client_ip"), "`by` is a string" },
            { one("by", { "ip" }), "unknown `ip`" },
            { one("by", { "header" }), "unknown `header`" },
            { one("by", { 1 }), "unknown `1`" },
            { { buckets = { api = { rate = 1, burst = 1 } } }, "lacks `by`" },
            { { buckets = { api = { by = {}, burst = 1 } } }, "`rate`: give" },
            { { buckets = { api = { by = {}, rate = 1 } } }, "`burst`: give" },
        })
    end)
end)
