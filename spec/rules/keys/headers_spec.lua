local rules = require("postern.rules")
local plain = require("postern.host.plain")


describe("the keys of headers", function()
    local pack

    setup(function()
        pack = assert(rules.load("keys", "headers", plain.read))
    end)

    local HEADERS = { ["aws:Referer"] = "referer", ["aws:UserAgent"] = "user-agent" }

    local function answer(key, headers, truncated)
        return pack.keys[key]({ http = { headers = headers, headers_truncated = truncated } })
    end

    for key, header in pairs(HEADERS) do
        describe(key, function()
            it("is the header, unchanged", function()
                for _, text in ipairs({ "https://example.com/a?b", " x ", "A, B", "${aws:username}",
                                        "caf\xC3\xA9", "\xFF\xFE" }) do
                    assert.equal(text, (answer(key, { [header] = { text } })))
                end
            end)

            it("is the first of several", function()
                assert.equal("one", (answer(key, { [header] = { "one", "two" } })))
            end)

            it("is there when it is empty, absent when it is missing", function()
                assert.equal("", (answer(key, { [header] = { "" } })))
                assert.same({}, { answer(key, {}) })
                assert.same({}, { answer(key, { [header] = {} }) })
                assert.same({}, { answer(key, nil) })
                assert.same({}, { pack.keys[key]({}) })
            end)

            it("comes from no other header", function()
                local others = {}
                for i = 1, 10000 do
                    others["x-header-" .. i] = { "x" }
                end
                for _, name in ipairs({ "referrer", "x-referer", "user_agent", "x-user-agent",
                                        "x-original-user-agent", "origin" }) do
                    others[name] = { "x" }
                end
                assert.same({}, { answer(key, others) })
            end)

            it("fails when the host dropped headers, unless it is among the rest", function()
                local value, err = answer(key, {}, true)
                assert.is_nil(value)
                assert.equal("not all headers of the request are known", err)
                assert.equal("x", (answer(key, { [header] = { "x" } }, true)))
            end)

            it("is there whatever the authorization and the endpoint", function()
                for _, authorization in ipairs({ "NONE", "IAM", "LAMBDA", "COGNITO" }) do
                    for _, endpoint_type in ipairs({ "REGIONAL", "EDGE", "PRIVATE" }) do
                        assert.equal("x", (pack.keys[key]({
                            http = { headers = { [header] = { "x" } } },
                            api = { authorization = authorization,
                                    endpoint_type = endpoint_type } })))
                    end
                end
            end)
        end)
    end

    it("are these two and no other", function()
        local names = {}
        for name in pairs(pack.keys) do
            names[name] = HEADERS[name]
        end
        assert.same(HEADERS, names)
        assert.same({ ["aws:Referer"] = "string", ["aws:UserAgent"] = "string" }, pack.types)
        assert.is_true(pack.check({}))
        assert.matches("unknown option `x`", select(2, pack.check({ x = 1 })), 1, true)
    end)
end)
