local apis = require("postern.apis")
local postern = require("postern")
local plain = require("postern.host.plain")


local ESTATE = [[
account "111122223333" region "eu-central-1"
for i = 1, %d do
    api(("a%%d"):format(i)) {
        endpoint_type = "REGIONAL", authorization = i %% 2 == 0 and "NONE" or "IAM",
        stages = { "live" }, policy = ("p%%d.json"):format(i %% 3),
    }
end
api "mapped" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live" },
               policy = "p0.json", domains = { ["api.example.com"] = { stage = "live" } } }
api "open" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live" } }
]]

local POLICY = [[{ "Version": "2012-10-17", "Statement": [ { "Sid": "P%d", "Effect": "Allow",
    "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/live/*" } ] }]]


describe("the APIs of an estate", function()
    local function open(count)
        return assert(postern.open("estate.lua", { read = function(path)
            local number = path:match("^p(%d)%.json$")
            if path == "estate.lua" then
                return ESTATE:format(count)
            end
            return number and POLICY:format(number) or plain.read(path)
        end }))
    end

    local function check(estate, i)
        local api = estate.apis["a" .. i]
        assert.equal("a" .. i, api.id)
        assert.equal("arn:aws:execute-api:eu-central-1:111122223333:a" .. i, api.arn)
        assert.equal(i % 2 == 0 and "NONE" or "IAM", api.authorization)
        local decision = estate:authorize({ api = "a" .. i, path = "/live/x" })
        if i % 2 == 0 then
            assert.is_true(decision.allowed)
            assert.equal("P" .. i % 3, decision.deciding.sid)
            -- Its own ARN stands for the short form: another API's resource does not match.
            assert.is_true(decision:explain().statements[1].matched)
        else
            assert.equal("authentication", decision.reason)
        end
        return decision
    end

    for _, count in ipairs({ 10, 3 * apis.FEW }) do
        it(("are what they are, %d of them"):format(count), function()
            local estate = open(count)
            for _ = 1, 2 do
                for i = 1, count do
                    check(estate, i)
                end
            end
            assert.is_nil(estate.apis["a" .. count + 1])
            assert.is_true(estate:authorize({ host = "api.example.com", path = "/x" }).allowed)
            assert.is_true(estate:authorize({ api = "open", path = "/live/x" }).allowed)
            assert.is_false(estate:authorize({ api = "a0", path = "/live/x" }).allowed)
        end)
    end

    it("are found by their ids and by nothing else", function()
        local estate = open(3 * apis.FEW)
        for _, id in ipairs({ "", "a", "a0", "a01", "A1", "a1 ", "a1\0", "1", "a2a3", "p",
                              ("a"):rep(5000), "a" .. 3 * apis.FEW + 1 }) do
            assert.is_nil(estate.apis[id])
            local decision = estate:authorize({ api = id, path = "/live/x" })
            assert.matches("there is no API", decision.error, 1, true)
        end
    end)

    it("are listed by their ids, packed or not", function()
        for _, count in ipairs({ 3, 3 * apis.FEW }) do
            local wanted = { "mapped", "open" }
            for i = 1, count do
                wanted[i + 2] = "a" .. i
            end
            table.sort(wanted)
            assert.same(wanted, apis.ids(open(count).apis))
        end
        assert.same({ "x" }, apis.ids({ x = {} }))
    end)

    it("stay tables while they are in use", function()
        local estate = open(3 * apis.FEW)
        local api = estate.apis.a7
        assert.equal(api, estate.apis.a7)
        for i = 1, apis.FEW - 2 do
            check(estate, i)
            assert.equal(api, estate.apis.a7)
        end
    end)

    it("leave their decisions whole when the estate is gone", function()
        local estate = open(3 * apis.FEW)
        local decision = estate:authorize({ api = "a2", path = "/live/x" })
        estate = nil -- luacheck: ignore
        for _ = 1, 3 do
            collectgarbage()
        end
        assert.equal("P2", decision.deciding.sid)
        assert.is_true(decision:explain().statements[1].matched)
    end)
end)
