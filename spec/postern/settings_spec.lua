local connections = require("postern.connections")
local settings = require("postern.settings")


local PROTOCOLS = { health = true, native = true }

local function check(given)
    return settings.check(given, PROTOCOLS, function(address)
        return address ~= "bad", "give another"
    end)
end


describe("settings", function()
    it("are complete without a word", function()
        local all = assert(check({}))
        assert.same({ { address = "127.0.0.1:8180" } }, all.listen)
        assert.equal(1, all.workers)
        assert.equal(10, all.drain)
        assert.same(connections.LIMITS, all.limits)
        assert.same({}, all.endpoints)
        for peer, expected in pairs({ ["127.0.0.1"] = true, ["127.9.9.9"] = true, ["::1"] = true,
            ["unix:"] = true, ["192.0.2.1"] = false, ["unknown:"] = false, ["::2"] = false }) do
            assert.equal(expected, all.is_operator(peer))
        end
    end)

    it("say all there is to say", function()
        local all = assert(check({
            listen = { "*:1", { address = "unix:/s", mode = "0600", backlog = 5,
                endpoints = { ["/h"] = "health" } } },
            workers = 0, drain = 0.5, limits = { headers = 5, idle_seconds = 0.25 },
            endpoints = { ["/d"] = { protocol = "native", a = 1 }, ["/x"] = false },
            operators = { "192.0.2.0/24" },
        }))
        assert.same({ { address = "*:1" }, { address = "unix:/s", mode = 384, backlog = 5,
            endpoints = { ["/h"] = { protocol = "health", options = {} } } } }, all.listen)
        assert.equal(0, all.workers)
        assert.equal(0.5, all.drain)
        assert.equal(5, all.limits.headers)
        assert.equal(0.25, all.limits.idle_seconds)
        assert.equal(connections.LIMITS.body_bytes, all.limits.body_bytes)
        assert.same({ ["/d"] = { protocol = "native", options = { a = 1 } }, ["/x"] = false },
            all.endpoints)
        assert.is_true(all.is_operator("192.0.2.9"))
        assert.is_false(all.is_operator("127.0.0.1"))
        assert.is_false(all.is_operator("unix:"))
        assert.same({ { address = "unix:/s" } }, check({ listen = "unix:/s" }).listen)
        assert.same({ { address = "unix:/s" } }, check({ listen = { address = "unix:/s" } }).listen)
        assert.is_true(check({ operators = "unix:" }).is_operator("unix:"))
        assert.is_false(check({ operators = {} }).is_operator("unix:"))
    end)

    it("are refused where they are none, with what there is", function()
        for _, row in ipairs({
            { { lisen = 1 }, "unknown member `lisen`: did you mean `listen`?" },
            { { listen = 1 }, "`listen` is 1: give an address, or a list of them" },
            { { listen = {} }, "`listen` is empty: give an address, or a list of them" },
            { { listen = { 1 } }, "listen 1 is 1: give an address, or a table with `address`" },
            { { listen = { { mode = "0600" } } }, "listen 1: `address` is missing: add it" },
            { { listen = "bad" }, "listen 1: `bad`: give another" },
            { { listen = { "a", x = "b" } }, "`listen` is a list: `x` has no place in it" },
            { { listen = { { address = "a", mode = 600 } } },
                "listen 1: `mode` is 600: give it in octal, as in \"0660\"" },
            { { listen = { { address = "a", mode = "0888" } } },
                "listen 1: `mode` is `0888`: give it in octal, as in \"0660\"" },
            { { listen = { { address = "a", backlog = 0 } } },
                "listen 1: `backlog` is 0: give a whole number from 1 to 65535" },
            { { listen = { { address = "a", tsl = true } } }, "listen 1: unknown member `tsl`: " },
            { { workers = -1 }, "`workers` is -1: give a whole number from 0 to 256" },
            { { workers = 1.5 }, "`workers` is 1.5: give a whole number from 0 to 256" },
            { { workers = "2" }, "`workers` is `2`: give a whole number from 0 to 256" },
            { { drain = -1 }, "`drain` is -1: give seconds, at most 86400" },
            { { drain = 0 / 0 }, "`drain` is " },
            { { limits = 1 }, "`limits` is 1: give a table" },
            { { limits = { header = 1 } },
                "limits: unknown member `header`: did you mean `headers`?" },
            { { limits = { headers = 0 } },
                "limits: `headers` is 0: give a whole number from 1 to 2147483647" },
            { { limits = { idle_seconds = 0 } },
                "limits: `idle_seconds` is 0: give seconds, above 0 and at most 86400" },
            { { endpoints = "x" }, "`endpoints` is `x`: give prefixes with protocols" },
            { { endpoints = { x = "native" } },
                "`endpoints`: `x` is no prefix of a path: it begins with `/`" },
            { { endpoints = { ["/x?y"] = "native" } }, "`endpoints`: `/x?y` is no prefix" },
            { { endpoints = { ["//x"] = "native" } }, "`endpoints`: `//x` is no prefix" },
            { { endpoints = { ["/x"] = true } },
                "`endpoints`: `/x` is true: give { protocol = \"...\" }, or false for none" },
            { { endpoints = { ["/x"] = {} } }, "`endpoints`: `/x`: `protocol` is missing: add it" },
            { { endpoints = { ["/x"] = "nativ" } },
                "`endpoints`: `/x`: unknown protocol `nativ`: did you mean `native`?" },
            { { operators = 1 }, "`operators` is 1: give a list of addresses, ranges and `unix:`" },
            { { operators = { "office" } }, "operators: " },
            { { operators = { 1 } }, "operators: 1 is no address" },
        }) do
            local all, why = check(row[1])
            assert.is_nil(all)
            assert.equal(row[2], why:sub(1, #row[2]))
        end
    end)
end)
