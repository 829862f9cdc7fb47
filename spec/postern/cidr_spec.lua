local cidr = require("postern.cidr")


describe("cidr", function()
    it("answers the most specific range", function()
        local ranges = assert(cidr.new{ "10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32" })
        assert.equal(1, ranges:match("10.2.3.4"))
        assert.equal(2, ranges:match("10.1.3.4"))
        assert.equal(3, ranges:match("2001:db8::1"))
        assert.equal(1, ranges:match("::ffff:10.2.3.4"))
    end)

    it("answers nil and no error for an address outside", function()
        local place, err = assert(cidr.new{ "10.0.0.0/8" }):match("11.0.0.1")
        assert.is_nil(place)
        assert.is_nil(err)
    end)

    it("answers nil and an error for what is no address", function()
        local place, err = assert(cidr.new{ "10.0.0.0/8" }):match("10.0.0.256")
        assert.is_nil(place)
        assert.equal("not an address: `10.0.0.256`", err)
    end)

    it("refuses a range that does not parse, and names it", function()
        local none, err = cidr.new{ "10.0.0.0/8", "10.0.0.0/33" }
        assert.is_nil(none)
        assert.matches("10.0.0.0/33", tostring(err), 1, true)
        assert.equal("value", err.status)
    end)

    it("agrees with itself however many ranges there are", function()
        local many = {}
        for i = 0, 255 do
            many[i + 1] = ("10.%d.0.0/16"):format(i)
        end
        local ranges = assert(cidr.new(many))
        for i = 0, 255 do
            assert.equal(i + 1, ranges:match(("10.%d.200.9"):format(i)))
        end
        assert.is_nil(ranges:match("11.0.0.0"))
    end)

    it("tells how it looks up", function()
        local many = {}
        for i = 0, 1999 do
            many[i + 1] = ("10.%d.%d.0/24"):format(math.floor(i / 100), i % 100 * 2)
        end
        local few, large = assert(cidr.new{ "10.0.0.0/8" }), assert(cidr.new(many))
        local report = few:describe()
        assert.equal("few", report.ipv4)
        assert.equal("few", report.ipv6)
        assert.equal("directory", large:describe().ipv4)
        assert.is_true(large:describe().bytes > report.bytes)
        assert.is_true(({ scalar = true, avx2 = true, avx512 = true })[report.simd])
    end)
end)
