local mappings = require("postern.protocol.mapping")
local messages = require("spec.support.messages")
local origins = require("postern.protocol.origin")


local MAPPING = assert(mappings.new({ api = "a1", stage = "dev" }))
local MESSAGE = messages.message("GET", "/auth", {
    headers = { host = "auth.internal", cookie = { "a=1", "b=2" }, ["x-original-uri"] = "/x" },
})


local function call(changes)
    local made = { method = "POST", target = "/pets?a=1", host = "API.example.com:8443",
                   scheme = "https", address = "192.0.2.7" }
    for name, value in pairs(changes or {}) do
        made[name] = value
    end
    return made
end


local function request(changes, more)
    local options = { mapping = MAPPING, own = { ["x-original-uri"] = true } }
    for name, value in pairs(more or {}) do
        options[name] = value
    end
    return origins.request(MESSAGE, call(changes), options)
end


describe("the origin of a question", function()
    it("becomes a request", function()
        assert.same({
            api = "a1", stage = "dev", method = "POST", raw_path = "/pets?a=1",
            host = "api.example.com", scheme = "https", peer = "192.0.2.7",
            query = { { "a", "1" } },
            headers = { host = { "API.example.com:8443" }, cookie = { "a=1", "b=2" } },
        }, messages.told(request()))
    end)

    it("leaves the message as it is", function()
        request()
        assert.same({ "auth.internal" }, MESSAGE.headers.host)
        assert.same({ "/x" }, MESSAGE.headers["x-original-uri"])
    end)

    it("came through an endpoint where all do", function()
        local made = request(nil, { vpce = "vpce-1" })
        assert.same({ "vpce-1", "192.0.2.7" }, { made.vpce, made.client_ip })
        assert.is_nil(made.peer)
    end)

    it("may have an address that nobody knows", function()
        local made = origins.request(MESSAGE, { method = "GET", target = "/", host = "a",
            scheme = "http" }, { mapping = MAPPING, own = {} })
        assert.is_nil(made.peer)
        assert.is_nil(made.query)
    end)

    it("does not take one host for another", function()
        for _ = 1, 2 do
            for text, host in pairs({ ["A.example.com"] = "a.example.com",
                                      ["b.example.com:1"] = "b.example.com" }) do
                assert.equal(host, request({ host = text }).host)
                assert.is_nil((request({ host = "a b" })))
            end
        end
    end)

    it("is none when it is malformed", function()
        for expected, changes in pairs({
            ["does not begin with `/`"] = { target = "http://x/a" },
            ["begin with"] = { target = "*" }, ["host is not a name"] = { host = "a b" },
            ["user name"] = { host = "a@b" }, ["scheme"] = { scheme = "ftp" },
            ["none of http"] = { scheme = "HTTPS" },
        }) do
            local made, err = request(changes)
            assert.is_nil(made)
            assert.is_truthy(err:find(expected, 1, true), err)
        end
        local made, err = request(nil, { mapping = assert(mappings.new({
            apis = { { api = "a", prefix = "/other" } },
        })) })
        assert.is_nil(made)
        assert.is_truthy(err:find("no API is configured", 1, true))
    end)
end)
