local identities = require("postern.identities")
local plain = require("postern.host.plain")
local rules = require("postern.rules")

local ALICE = "arn:aws:iam::111122223333:user/alice"
local PROXY, STRANGER = "10.0.0.7", "192.0.2.1"

local pack = assert(rules.load("identities", "header", plain.read))
local tools = identities.tools(os.time)
local proxies = { match = function(_, address) return address == PROXY and 1 or nil end }


local function identify(values, peer, config, estate)
    config = config or { header = "x-caller" }
    assert(pack.check(config, tools))
    return pack.identify({
        http = { headers = { ["x-caller"] = values } },
        peer = peer,
        estate = estate or { trusted_proxies = proxies },
    }, config, tools)
end


describe("the header identity", function()
    it("believes a trusted proxy", function()
        assert.same({ kind = "user", arn = ALICE, account = "111122223333", name = "alice" },
                    identify({ ALICE }, PROXY))
        assert.equal(ALICE, identify({ " \t" .. ALICE .. " " }, PROXY).arn)
    end)

    it("believes nobody else", function()
        local rows = {
            { { ALICE }, STRANGER },
            { { ALICE }, nil },
            { { ALICE, ALICE }, STRANGER },
            { { ALICE }, PROXY, nil, {} }, -- no trusted proxies in the estate
        }
        for i = 1, #rows do
            local principal, err = identify(rows[i][1], rows[i][2], rows[i][3], rows[i][4])
            assert.is_nil(principal)
            assert.is_nil(err)
        end
        local config = { header = "x-caller" }
        assert.is_nil(pack.identify({ http = { headers = { ["x-caller"] = { ALICE } } },
                                      peer = PROXY }, config, tools))
    end)

    it("finds nothing where there is no such header", function()
        for _, values in ipairs({ false, {} }) do
            local principal, err = identify(values or nil, PROXY)
            assert.is_nil(principal)
            assert.is_nil(err)
        end
    end)

    it("refuses a header that is there twice, be it with one value", function()
        for _, values in ipairs({ { ALICE, ALICE }, { ALICE, "x" }, { "", ALICE, "" } }) do
            local principal, err, code = identify(values, PROXY)
            assert.is_nil(principal)
            assert.equal(("the header `x-caller` is there %d times"):format(#values), err)
            assert.equal("ACCESS_DENIED", code)
        end
    end)

    it("takes no longer for many spaces than for many letters", function()
        local started = os.clock()
        for _, value in ipairs({ "x" .. (" "):rep(200000) .. "x", (" "):rep(200000),
                                 ("\t"):rep(200000) .. ALICE .. (" "):rep(200000) }) do
            identify({ value }, PROXY)
        end
        assert.is_true(os.clock() - started < 2) -- squared, it would be minutes
    end)

    it("refuses a header that may be two joined", function()
        for _, value in ipairs({ ALICE .. "," .. ALICE, ALICE .. ", x", "," .. ALICE, "," }) do
            local principal, err, code = identify({ value }, PROXY)
            assert.is_nil(principal)
            assert.equal("the header `x-caller` has a comma", err)
            assert.equal("ACCESS_DENIED", code)
        end
    end)

    it("refuses what is not the ARN of a caller", function()
        for _, value in ipairs({ "", " ", "*", "alice", ALICE .. "\n", ALICE .. "*",
                                 "arn:aws:iam::111122223333:role/Ops" }) do
            local principal, err, code = identify({ value }, PROXY)
            assert.is_nil(principal)
            assert.matches("^the header `x%-caller`: `.*` is not the ARN of a caller", err)
            assert.equal("ACCESS_DENIED", code)
        end
    end)

    it("knows only the configured principals, where there are some", function()
        local config = { header = "x-caller", principals = {
            [ALICE] = { arn = ALICE, tags = { team = "blue" } },
        } }
        assert.same({ team = "blue" }, identify({ ALICE }, PROXY, config).tags)
        local principal, err, code =
            identify({ "arn:aws:iam::111122223333:user/bob" }, PROXY, config)
        assert.is_nil(principal)
        assert.matches("user/bob`, which is not among `principals`", err, 1, true)
        assert.equal("ACCESS_DENIED", code)
    end)

    it("checks its configuration", function()
        local function why(config)
            local ok, err = pack.check(config, tools)
            assert.is_nil(ok)
            return err
        end
        for _, config in ipairs({ {}, { header = "X-Caller" }, { header = "" } }) do
            assert.equal("`header`: give the header's name, in lower case", why(config))
        end
        assert.equal("`header` is a number: make it a string", why({ header = 1 }))
        assert.matches("unknown option `name`: the header identity has `header`",
                       why({ name = "x" }))
        assert.matches("`principals`: `bob` is not the ARN",
                       why({ header = "x", principals = { bob = "bob" } }))
        assert.matches("`principals`: `x` stands for another ARN",
                       why({ header = "x", principals = { x = ALICE } }))
    end)
end)
