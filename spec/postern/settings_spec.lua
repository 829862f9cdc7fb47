local connections = require("postern.connections")
local settings = require("postern.settings")


local PROTOCOLS = { health = true, native = true }

local function check(given)
    return settings.check(given, { protocols = PROTOCOLS, file = "/etc/estate.lua",
        parse = function(address)
            return address ~= "bad" and address, "give another"
        end })
end


describe("settings", function()
    it("are complete without a word", function()
        local all = assert(check({}))
        assert.same({ { address = "127.0.0.1:8180", place = "127.0.0.1:8180" } },
            all.listen)
        assert.equal(1, all.workers)
        assert.equal(10, all.drain)
        assert.same(connections.LIMITS, all.limits)
        assert.same({}, all.endpoints)
        assert.equal(0, all.drain_delay)
        for _, name in ipairs({ "operators", "admin", "audit" }) do
            assert.is_nil(all[name])
        end
    end)

    it("say all there is to say", function()
        local all = assert(check({
            listen = { "*:1", { address = "unix:/s", mode = "0600", backlog = 5,
                endpoints = { ["/h"] = "health" } } },
            workers = 0, drain = 0.5, drain_delay = 0.25,
            limits = { headers = 5, idle_seconds = 0.25 },
            endpoints = { ["/d"] = { protocol = "native", a = 1 }, ["/x"] = false },
            operators = { "192.0.2.0/24" }, audit = { path = "log", form = "opa" },
        }))
        assert.same({ { address = "*:1", place = "*:1" },
            { address = "unix:/s", place = "unix:/s", mode = 384, backlog = 5,
            endpoints = { ["/h"] = { protocol = "health", options = {} } } } }, all.listen)
        assert.equal(0, all.workers)
        assert.equal(0.5, all.drain)
        assert.equal(0.25, all.drain_delay)
        assert.same({ path = "/etc/log", form = "opa" }, all.audit)
        assert.same({ path = "/log" }, check({ audit = "/log" }).audit)
        assert.same({ path = "-" }, check({ audit = "-" }).audit)
        assert.is_nil(check({ audit = false }).audit)
        assert.equal(5, all.limits.headers)
        assert.equal(0.25, all.limits.idle_seconds)
        assert.equal(connections.LIMITS.body_bytes, all.limits.body_bytes)
        assert.same({ ["/d"] = { protocol = "native", options = { a = 1 } }, ["/x"] = false },
            all.endpoints)
        local function admits(operators, peer)
            return operators:admits({ peer = peer, headers = {} })
        end
        assert.is_true(admits(all.operators, "192.0.2.9"))
        assert.is_false(admits(all.operators, "127.0.0.1"))
        assert.is_false(admits(all.operators, "unix:"))
        assert.same({ { address = "unix:/s", place = "unix:/s" } },
            check({ listen = "unix:/s" }).listen)
        assert.same({ { address = "unix:/s", place = "unix:/s" } },
            check({ listen = { address = "unix:/s" } }).listen)
        assert.is_true(admits(check({ operators = "unix:" }).operators, "unix:"))
        assert.is_nil(check({ operators = {} }).operators)
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
            { { drain_delay = "5" }, "`drain_delay` is `5`: give seconds, at most 86400" },
            { { operators = 1 },
                "`operators`: give a list of addresses, `unix:`, `tls:` or `bearer:`" },
            { { operators = { "office" } }, "`operators`: " },
            { { operators = { 1 } }, "`operators`: give a list of texts" },
            { { operators = { "0.0.0.0/0" } }, "`operators`: `0.0.0.0/0` is everybody" },
            { { audit = 1 }, "`audit` is 1: give a table with `path`" },
            { { audit = {} }, "audit: `path` is a nil: give the path of a file" },
            { { audit = { path = "x", sink = {} } }, "audit: unknown member `sink`: give `path`" },
            { { audit = { path = "x", host = {} } }, "audit: unknown member `host`: give `path`" },
            { { admin = { adress = "x" } },
                "admin: unknown member `adress`: did you mean `address`?" },
        }) do
            local all, why = check(row[1])
            assert.is_nil(all)
            assert.equal(row[2], why:sub(1, #row[2]))
        end
    end)
end)
