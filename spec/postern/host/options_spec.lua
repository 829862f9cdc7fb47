local options = require("postern.host.options")


describe("options of hosts", function()
    it("are known, or refused", function()
        assert.has_no.errors(function() options.check({ log = print }, options.HOST) end)
        assert.error_matches(function() options.check({ lag = 1 }, options.HOST) end,
            "unknown option `lag`")
    end)

    it("are filled in, and numbers", function()
        assert.same({ queue = 1024, max_bytes = 64 * 1024 * 1024 },
            options.fill(nil, options.WRITER))
        assert.same({ debounce = 1, poll = 2 }, options.fill({ debounce = 1 }, options.WATCH))
        for _, bad in ipairs({ 0, -1, "1", 0 / 0, 1 / 0 }) do
            assert.error_matches(function() options.fill({ poll = bad }, options.WATCH) end,
                "`poll`: give a number above 0")
        end
        assert.error_matches(function() options.fill({ pole = 1 }, options.WATCH) end,
            "unknown option `pole`")
    end)

    it("of connecting say where to", function()
        for _, good in ipairs({
            { host = "a", port = 1 }, { host = "::1", port = 65535, timeout = 0, pool = "x" },
            { path = "/run/x.sock", fresh = true },
        }) do
            assert.has_no.errors(function() options.check_connect(good) end)
        end
        for _, row in ipairs({
            { {}, "`host`: give a name" },
            { { host = 1, port = 1 }, "`host`: give a name" },
            { { host = "a" }, "`port`: give a number" },
            { { host = "a", port = 0 }, "`port`" },
            { { host = "a", port = 65536 }, "`port`" },
            { { host = "a", port = 1.5 }, "`port`" },
            { { path = 1 }, "`path`: give the path" },
            { { path = "a\0" }, "`path`" },
            { { host = "a", port = 1, timeout = -1 }, "`timeout`: give a number of seconds" },
            { { host = "a", port = 1, tls = true }, "unknown option `tls`" },
        }) do
            assert.error_matches(function() options.check_connect(row[1]) end, row[2])
        end
    end)

    it("tell addresses from names", function()
        for name, expected in pairs({
            ["127.0.0.1"] = true, ["::1"] = true, ["2001:db8::192.0.2.1"] = true,
            ["localhost"] = false, ["1.2.3"] = false, ["1.2.3.4.example"] = false, ["beef"] = false,
        }) do
            assert.equal(expected, options.is_address(name))
        end
    end)

    it("know names of hosts", function()
        for _, name in ipairs({ "a", "a-b.c_d", "::1", "127.0.0.1" }) do
            assert.is_true(options.is_name(name))
        end
        for _, name in ipairs({ "", "a b", "a/b", "a\0", ("a"):rep(256), 1 }) do
            assert.is_false(options.is_name(name))
        end
    end)
end)
