local fakes = require("postern.testing.fakes")


describe("a made-up host", function()
    it("has a clock that moves when it is told to", function()
        local faked = fakes.new({})
        assert.equal(fakes.START, faked.now())
        faked:set_time(1000)
        faked:advance(0.5)
        faked.host:sleep(2)
        assert.equal(1002.5, faked.now())
        assert.has_error(function() faked:set_time("noon") end)
        local time = 7
        faked = fakes.new({ now = function() return time end })
        time = 8
        assert.equal(8, faked.now())
        faked:advance(1)
        time = 100
        assert.equal(9, faked.now())
        assert.equal(5, fakes.new({ now = 5 }).now())
    end)

    it("resolves the names it was given", function()
        local dns = { ["a.test"] = { "192.0.2.1" }, ["gone.test"] = false }
        local host = fakes.new({ dns = dns }).host
        assert.same({ "192.0.2.1" }, host:resolve("a.test"))
        assert.same({ nil, "no such name" }, { host:resolve("gone.test") })
    end)

    it("answers the requests it was given", function()
        local host = fakes.new({ http = {
            ["GET http://a.test/"] = { body = "x", headers = { ["X-A"] = "1", B = { "2", "3" } } },
            ["POST http://a.test/"] = function(request)
                return { status = 201, body = request.body }
            end,
            ["GET http://down.test/"] = false,
            ["GET http://slow.test/"] = function() return nil, "timeout" end,
        } }).host
        assert.same({ status = 200, body = "x", headers = { ["x-a"] = { "1" }, b = { "2", "3" } } },
                    host:http({ url = "http://a.test/" }))
        assert.same({ status = 201, body = "y", headers = {} },
                    host:http({ url = "http://a.test/", method = "POST", body = "y" }))
        assert.same({ nil, "connection refused" }, { host:http({ url = "http://down.test/" }) })
        assert.same({ nil, "timeout" }, { host:http({ url = "http://slow.test/" }) })
        local all = fakes.new({ http = function(request) return { body = request.url } end }).host
        assert.equal("http://b.test/", all:http({ url = "http://b.test/" }).body)
    end)

    it("refuses and remembers what nobody foresaw", function()
        local faked = fakes.new({ http = function() return nil end })
        for message, call in pairs({
            ["unexpected HTTP call `PUT http://a.test/x`: give its answer in `http`"] = function()
                faked.host:http({ url = "http://a.test/x", method = "PUT" })
            end,
            ["unexpected DNS query for `a.test`: give its addresses in `dns`"] = function()
                faked.host:resolve("a.test")
            end,
            ["unexpected connection to `a.test:80`: a test has no network"] = function()
                faked.host:connect({ host = "a.test", port = 80 })
            end,
            ["unexpected connection to `/run/x`: a test has no network"] = function()
                faked.host:connect({ path = "/run/x" })
            end,
        }) do
            assert.has_error(call, message)
            assert.equal(message, faked:take_unexpected())
            assert.is_nil(faked:take_unexpected())
        end
    end)

    it("does work in place", function()
        assert.equal(3, fakes.new({}).host:work("local a, b = ... return a + b", 1, 2))
    end)
end)
