local rules = require("postern.rules")
local plain = require("postern.host.plain")


local DOMAIN = "arn:aws:execute-api:us-east-1:123456789012:/domainnames/api.example.com+abcd1234"


describe("the keys of the transport", function()
    local pack, secure, via_domain

    setup(function()
        pack = assert(rules.load("keys", "transport", plain.read))
        secure = pack.keys["aws:SecureTransport"]
        via_domain = pack.keys["execute-api:viaDomainArn"]
    end)

    it("say whether the client's connection is TLS", function()
        for scheme, expected in pairs({ https = true, http = false, HTTPS = true, wss = true,
                                        ws = false }) do
            assert.equal(expected, secure({ http = { scheme = scheme } }))
        end
    end)

    it("say so whatever the authorization and the endpoint", function()
        for _, authorization in ipairs({ "NONE", "IAM", "LAMBDA", "COGNITO" }) do
            for _, endpoint_type in ipairs({ "REGIONAL", "EDGE", "PRIVATE" }) do
                assert.is_true(secure({ http = { scheme = "https" }, api = {
                    authorization = authorization, endpoint_type = endpoint_type } }))
            end
        end
    end)

    it("take no header's word for it", function()
        assert.is_false(secure({ http = { scheme = "http", headers = {
            ["x-forwarded-proto"] = { "https" }, ["x-forwarded-ssl"] = { "on" },
            ["front-end-https"] = { "on" }, ["forwarded"] = { "proto=https" } } } }))
    end)

    it("are absent when nothing is known, and fail when it cannot be told", function()
        assert.same({}, { secure({}) })
        assert.same({}, { secure({ http = {} }) })
        for _, scheme in ipairs({ "", "ftp", "tls", 1 }) do
            local value, err = secure({ http = { scheme = scheme } })
            assert.is_nil(value)
            assert.matches("nobody knows whether the scheme", err, 1, true)
        end
    end)

    it("name the custom domain of a call to a private API", function()
        local domain = { name = "api.example.com", arn = DOMAIN }
        for endpoint_type, expected in pairs({ PRIVATE = DOMAIN, REGIONAL = false,
                                               EDGE = false }) do
            local value, err = via_domain({ api = { endpoint_type = endpoint_type },
                                            domain = domain })
            assert.equal(expected or nil, value)
            assert.is_nil(err)
        end
        assert.is_nil((via_domain({ api = { endpoint_type = "PRIVATE" } })))
        assert.is_nil((via_domain({ domain = domain })))
        -- A public domain has no ARN.
        assert.is_nil((via_domain({ api = { endpoint_type = "PRIVATE" },
                                    domain = { name = "api.example.com" } })))
    end)

    it("have types and no options", function()
        assert.same({ ["aws:SecureTransport"] = "bool", ["execute-api:viaDomainArn"] = "arn" },
                    pack.types)
        assert.is_true(pack.check({}))
        assert.matches("unknown option `x`", select(2, pack.check({ x = 1 })), 1, true)
    end)
end)
