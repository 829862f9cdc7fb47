local rules = require("postern.rules")
local plain = require("postern.host.plain")
local cidr = require("postern.cidr")


describe("the keys of the network", function()
    local pack

    setup(function()
        pack = assert(rules.load("keys", "network", plain.read))
    end)

    local KEYS = { "aws:SourceIp", "aws:SourceVpc", "aws:SourceVpce", "aws:VpcSourceIp",
                   "aws:XfwdIp" }

    -- All keys of a context; a key that fails is `{ error }`.
    local function keys_of(context)
        local found = {}
        for _, name in ipairs(KEYS) do
            local value, err = pack.keys[name](context, {})
            if value == nil and err then
                value = { err }
            end
            found[name] = value
        end
        return found
    end

    local ENDPOINT = { id = "vpce-1", vpc = "vpc-1", service = "execute-api", type = "Interface" }

    local function public(changes)
        local made = { peer = "192.0.2.1", api = { endpoint_type = "REGIONAL" } }
        for name, value in pairs(changes or {}) do
            made[name] = value
        end
        return made
    end

    local function private(changes)
        local made = { peer = "10.0.9.9", client_ip = "10.0.1.2", endpoint = ENDPOINT,
                       api = { endpoint_type = "PRIVATE" } }
        for name, value in pairs(changes or {}) do
            made[name] = value
        end
        return made
    end

    it("are those that are listed, with their types", function()
        local names = {}
        for name in pairs(pack.keys) do
            names[#names + 1] = name
            assert.is_string(pack.types[name])
        end
        table.sort(names)
        assert.same(KEYS, names)
    end)

    it("have one group on each path, never both", function()
        local PUBLIC = { ["aws:SourceIp"] = "192.0.2.1" }
        local PRIVATE = { ["aws:SourceVpc"] = "vpc-1", ["aws:SourceVpce"] = "vpce-1",
                          ["aws:VpcSourceIp"] = "10.0.1.2" }
        for _, row in ipairs({
            -- The endpoint type, the keys on the public path, those through an endpoint.
            { "REGIONAL", PUBLIC, {} },
            { "EDGE", PUBLIC, {} },
            { "PRIVATE", {}, PRIVATE },
        }) do
            local api = { endpoint_type = row[1] }
            assert.same(row[2], keys_of(public({ api = api })))
            assert.same(row[3], keys_of(private({ api = api })))
            -- The authorization type makes no difference.
            for _, authorization in ipairs({ "NONE", "IAM", "LAMBDA", "COGNITO" }) do
                api.authorization = authorization
                assert.same(row[2], keys_of(public({ api = api })))
                assert.same(row[3], keys_of(private({ api = api })))
            end
        end
        -- Another service: the path alone counts.
        local other = private()
        other.api = nil
        assert.same(PRIVATE, keys_of(other))
        other = public()
        other.api = nil
        assert.same(PUBLIC, keys_of(other))
    end)

    it("are absent when the host does not know them", function()
        local nobody = public()
        nobody.peer = nil
        assert.same({}, keys_of(nobody))
        assert.same({}, keys_of({}))
        local unknown = private({ endpoint = { id = "vpce-1" } })
        unknown.client_ip = nil
        assert.same({ ["aws:SourceVpce"] = "vpce-1" }, keys_of(unknown))
        -- A private address without an endpoint says nothing.
        assert.same({ ["aws:SourceIp"] = "192.0.2.1" }, keys_of(public({ client_ip = "10.0.1.2" })))
    end)

    it("are absent for a peer on a UNIX socket", function()
        assert.same({}, keys_of(public({ peer = "unix:" })))
        assert.same({}, keys_of(public({ peer = "unix:/run/x" })))
    end)

    it("fail when an address is none", function()
        for _, text in ipairs({ "", "x", "192.0.2", "192.0.2.256", "192.0.2.01", "192.0.2.1/32",
                                "192.0.2.1, 10.0.0.1", "fe80::1%eth0", 7, ("1"):rep(1000),
                                "192.0.2.1:", "192.0.2.1:x", "[192.0.2.1", " 192.0.2.1" }) do
            assert.same({ ["aws:SourceIp"] = { "the peer is not an address" } },
                        keys_of(public({ peer = text })), text)
            assert.same({ "the client's private address is not an address" },
                        keys_of(private({ client_ip = text }))["aws:VpcSourceIp"])
        end
    end)

    it("believe no header", function()
        local headers = {}
        for _, name in ipairs({ "x-forwarded-for", "x-real-ip", "forwarded", "true-client-ip",
                                "cf-connecting-ip", "x-client-ip", "x-original-forwarded-for",
                                "x-envoy-external-address", "x-forwarded-host", "via" }) do
            headers[name] = { "203.0.113.7" }
        end
        -- CVE-2022-24112 (X-Real-IP) and seaweedfs PR 11231 (a private peer is no trusted peer).
        for _, peer in ipairs({ "192.0.2.1", "10.0.0.1", "127.0.0.1" }) do
            assert.same({ ["aws:SourceIp"] = peer },
                        keys_of(public({ peer = peer, http = { headers = headers } })))
        end
        assert.equal("10.0.1.2", keys_of(private({ http = { headers = headers } }))
            ["aws:VpcSourceIp"])
        -- Nor do trusted proxies change any key but their own.
        local trusting = public({ http = { headers = headers },
                                  estate = { trusted_proxies = cidr.new({ "192.0.2.0/24" }) } })
        assert.same({ ["aws:SourceIp"] = "192.0.2.1", ["aws:XfwdIp"] = "203.0.113.7" },
                    keys_of(trusting))
    end)


    describe("write an address in one way", function()
        local function source_ip(text)
            return (pack.keys["aws:SourceIp"](public({ peer = text })))
        end

        for written, expected in pairs({
            ["192.0.2.1"] = "192.0.2.1", ["0.0.0.0"] = "0.0.0.0",
            ["255.255.255.255"] = "255.255.255.255",
            -- Ports.
            ["192.0.2.1:443"] = "192.0.2.1", ["[2001:db8::1]:443"] = "2001:db8::1",
            ["[2001:db8::1]"] = "2001:db8::1", ["[::ffff:192.0.2.1]:80"] = "192.0.2.1",
            -- IPv4 in IPv6.
            ["::ffff:192.0.2.1"] = "192.0.2.1", ["::FFFF:C000:0201"] = "192.0.2.1",
            ["0:0:0:0:0:ffff:c000:201"] = "192.0.2.1", ["::ffff:0:0"] = "0.0.0.0",
            -- RFC 5952.
            ["2001:DB8::1"] = "2001:db8::1", ["2001:0db8:0:0:0:0:0:0001"] = "2001:db8::1",
            ["2001:db8:0:0:1:0:0:1"] = "2001:db8::1:0:0:1", ["0:0:0:0:0:0:0:0"] = "::",
            ["::1"] = "::1", ["1::"] = "1::", ["2001:db8:0:1:1:1:1:1"] = "2001:db8:0:1:1:1:1:1",
            ["2001:0:0:1:0:0:0:1"] = "2001:0:0:1::1", ["1:2:3:4:5:6:7::"] = "1:2:3:4:5:6:7:0",
            ["64:ff9b::192.0.2.33"] = "64:ff9b::c000:221", ["::192.0.2.1"] = "::c000:201",
            ["1:2:3:4:5:6:192.0.2.1"] = "1:2:3:4:5:6:c000:201", ["::fffe:1.2.3.4"] =
                "::fffe:102:304",
        }) do
            it(written, function()
                assert.equal(expected, source_ip(written))
            end)
        end

        it("and refuse what only looks like one", function()
            for _, text in ipairs({ ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3",
                                    "::12345", "::g", "1:2:3:4:5:6:7:8::", "::1:", ":1::",
                                    "1.2.3.4::", "::1.2.3.4:1", "1:2:3:4:5:6:7:1.2.3.4",
                                    "::1.2.3", "[]", "[::1", "::1]", "2001:db8::1:443:" }) do
                assert.is_nil(source_ip(text), text)
            end
        end)

        -- The core's own reader is the plain twin: what is accepted, and which address it is.
        it("as the core reads it", function()
            math.randomseed(5)
            local all = cidr.new({ "0.0.0.0/0", "::/0" })
            local PIECES = { "0", "0", "1", "ffff", "db8", ":", ":", ":", "::", "::", ".", "255",
                             "192.0.2.1", "256", "00ff" }
            local accepted = 0
            for _ = 1, 20000 do
                local parts = {}
                for i = 1, math.random(1, 15) do
                    parts[i] = i % 2 == 0 and math.random(3) > 1 and ":"
                        or PIECES[math.random(#PIECES)]
                end
                local text = table.concat(parts)
                local address = source_ip(text)
                if all:match(text) then
                    accepted = accepted + 1
                    -- 128 bits say which one; a canonical text is its own canonical form.
                    local one = assert(cidr.new({ text }))
                    assert.is_string(address, text)
                    assert.equal(1, one:match(address), text)
                    assert.equal(address, source_ip(address))
                elseif not text:find("^[%d.]+:%d+$") then -- those have a port
                    assert.is_nil(address, text)
                end
            end
            assert.is_true(accepted > 500)
        end)
    end)


    describe("find the forwarded address", function()
        local proxies

        setup(function()
            proxies = assert(cidr.new({ "10.0.0.0/8", "2001:db8:1::/48" }))
        end)

        local function xfwd(lines, peer, changes)
            local context = { peer = peer or "10.0.0.1", estate = { trusted_proxies = proxies },
                              api = { endpoint_type = "REGIONAL" },
                              http = { headers = { ["x-forwarded-for"] = lines } } }
            for name, value in pairs(changes or {}) do
                context[name] = value
            end
            return pack.keys["aws:XfwdIp"](context)
        end

        it("rightmost of those that are no listed proxy", function()
            for written, expected in pairs({
                ["203.0.113.7"] = "203.0.113.7",
                ["203.0.113.7, 10.0.0.2"] = "203.0.113.7",
                ["203.0.113.7,10.0.0.2,10.0.0.3"] = "203.0.113.7",
                -- What stands left of it is the client's own word.
                ["198.51.100.1, 203.0.113.7"] = "203.0.113.7",
                ["10.0.0.9, 203.0.113.7, 10.0.0.2"] = "203.0.113.7",
                ["127.0.0.1, 198.51.100.1, 203.0.113.7"] = "203.0.113.7",
                [" 203.0.113.7\t,\t10.0.0.2 "] = "203.0.113.7",
                ["203.0.113.7:4711"] = "203.0.113.7",
                ["[2001:db8::7]:4711, [2001:db8:1::5]"] = "2001:db8::7",
                ["::ffff:203.0.113.7, ::ffff:10.0.0.2"] = "203.0.113.7",
                -- A private address that nobody listed is a client like any other.
                ["203.0.113.7, 192.168.1.1"] = "192.168.1.1",
            }) do
                assert.equal(expected, (xfwd({ written })), written)
            end
        end)

        it("and none when all of them are listed", function()
            assert.same({}, { xfwd({ "10.0.0.2, 10.0.0.3" }) })
        end)

        it("only from a listed peer", function()
            for _, peer in ipairs({ "192.168.0.1", "203.0.113.7", "127.0.0.1", "2001:db8::1" }) do
                assert.same({}, { xfwd({ "198.51.100.1" }, peer) })
                -- Such a header is not even read.
                assert.same({}, { xfwd({ "garbage" }, peer) })
                assert.same({}, { xfwd({ "198.51.100.1", "198.51.100.2" }, peer) })
            end
            for _, peer in ipairs({ "10.0.0.1", "10.0.0.1:443", "::ffff:10.0.0.1",
                                    "[2001:db8:1::1]:443" }) do
                assert.equal("198.51.100.1", (xfwd({ "198.51.100.1" }, peer)))
            end
            assert.same({}, { xfwd({ "198.51.100.1" }, "unix:") })
            assert.same({}, { xfwd({ "198.51.100.1" }, "garbage") })
        end)

        it("only when proxies are listed at all", function()
            assert.same({}, { xfwd({ "198.51.100.1" }, nil, { estate = {} }) })
            assert.same({}, { pack.keys["aws:XfwdIp"]({ peer = "10.0.0.1", http = {
                headers = { ["x-forwarded-for"] = { "198.51.100.1" } } } }) })
        end)

        it("on either path", function()
            assert.equal("198.51.100.1", (xfwd({ "198.51.100.1" }, nil, {
                endpoint = ENDPOINT, api = { endpoint_type = "PRIVATE" } })))
        end)

        it("not without the header", function()
            assert.same({}, { xfwd(nil) })
            assert.same({}, { xfwd({}) })
            assert.same({}, { pack.keys["aws:XfwdIp"]({ peer = "10.0.0.1",
                                                        estate = { trusted_proxies = proxies } }) })
        end)

        it("and refuses lists that are malformed, anywhere", function()
            for _, written in ipairs({
                "", " ", ",", "203.0.113.7,", ",203.0.113.7", "203.0.113.7,,10.0.0.2", "unknown",
                "_hidden, 10.0.0.2", "garbage, 203.0.113.7", "203.0.113.7 10.0.0.2",
                "203.0.113.7; 10.0.0.2", "for=203.0.113.7", '"203.0.113.7"', "203.0.113.07",
                "203.0.113.7/32", "example.com", "203.0.113.7\0", ("1"):rep(100000),
            }) do
                local value, err = xfwd({ written })
                assert.is_nil(value)
                assert.equal("the header X-Forwarded-For is not a list of addresses", err)
            end
        end)

        it("and refuses a header that is there twice", function()
            local value, err = xfwd({ "203.0.113.7", "203.0.113.7" })
            assert.is_nil(value)
            assert.equal("the header X-Forwarded-For is there more than once", err)
        end)

        it("and refuses when headers were dropped", function()
            local value, err = xfwd(nil, nil, { http = { headers = {}, headers_truncated = true } })
            assert.is_nil(value)
            assert.equal("not all headers of the request are known", err)
        end)

        it("in linear time", function()
            local function seconds(text)
                local start = os.clock()
                xfwd({ text })
                return os.clock() - start
            end
            for _, piece in ipairs({ "10.0.0.1,", "10.0.0.1, ", ",", " ", "x", "2001:db8:1::1,",
                                     ":", "::", "10.0.0.1:1," }) do
                local small = seconds(piece:rep(10000) .. "203.0.113.7")
                local large = seconds(piece:rep(80000) .. "203.0.113.7")
                assert.is_true(large < 30 * small + 0.2, piece)
            end
            assert.equal("203.0.113.7", (xfwd({ "203.0.113.7" .. (", 10.0.0.1"):rep(50000) })))
        end)
    end)

    it("have no options", function()
        assert.is_true(pack.check({}))
        assert.matches("unknown option `x`", select(2, pack.check({ x = 1 })), 1, true)
    end)
end)
