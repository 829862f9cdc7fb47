local estates = require("postern.estate")
local packs = require("spec.support.packs")
local plain = require("postern.host.plain")


local ESTATE = [[
account "111122223333"  region "eu-central-1"
api "a1b2c3d4e5" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
                   policy = "POLICY" }
]]

local POLICIES = {
    ["open.json"] = [[{ "Version": "2012-10-17", "Statement": [
        { "Sid": "All", "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
          "Resource": "execute-api:/dev/*" } ] }]],
    ["get.json"] = [[{ "Version": "2012-10-17", "Statement": [
        { "Sid": "Read", "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
          "Resource": "execute-api:/dev/*" },
        { "Sid": "NoWrites", "Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke",
          "Resource": "execute-api:/dev/DELETE/*" } ] }]],
}


local function open(policy)
    local function read(path)
        if path == "estate.lua" then
            return (ESTATE:gsub("POLICY", policy))
        end
        return POLICIES[path] or plain.read(path)
    end
    return estates.open("estate.lua", { read = read, now = plain.now })
end


describe("the shadow hook", function()
    local pack = packs.load("hooks/shadow")
    local enforced = assert(open("open.json"))

    -- Decides as the engine does: the hook comes behind, and its answer means nothing.
    local function gateway(policy, changes, overrides)
        local config = { estate = "next.lua" }
        for name, value in pairs(changes or {}) do
            config[name] = value
        end
        local tools = packs.tools({ open = function(path)
            assert.equal("next.lua", path)
            return open(policy)
        end })
        for name, value in pairs(overrides or {}) do
            tools[name] = value
        end
        local log = packs.start(pack, config, tools)
        return function(request)
            local decision = enforced:authorize(request)
            local before = decision:summary()
            assert.is_nil(log({ request = request, api = { id = request.api }, http = request },
                              decision))
            assert.equal(before, decision:summary())
            return decision
        end, tools
    end

    local function request(method)
        return { api = "a1b2c3d4e5", stage = "dev", method = method, path = "/pets",
                 peer = "192.0.2.1" }
    end

    it("tells where the second estate decides otherwise, with both reasons", function()
        local decide, tools = gateway("get.json")
        assert.is_true(decide(request("DELETE")).allowed)
        assert.same({ "shadow: would_deny: a1b2c3d4e5 DELETE /pets: enforced Allowed (allow) by "
            .. "open.json:2 `All`; next.lua would be ExplicitlyDenied (explicit_deny) by "
            .. "get.json:4 `NoWrites`" }, tools.logged)
        assert.equal(1, tools.state.counts.would_deny)
    end)

    it("says nothing where they agree, and counts", function()
        local decide, tools = gateway("get.json")
        for _ = 1, 3 do
            assert.is_true(decide(request("GET")).allowed)
        end
        assert.same({}, tools.logged)
        assert.same({ same = 3, other_reason = 0, would_allow = 0, would_deny = 0, failed = 0 },
                    tools.state.counts)
    end)

    it("tells what would be let in", function()
        local answers = { authorize = function()
            return { allowed = true, decision = "Allowed", reason = "allow" }
        end }
        local log, tools = packs.start(pack, { estate = "next.lua" },
                                       packs.tools({ open = function() return answers end }))
        log({ request = {} }, { allowed = false, decision = "ImplicitlyDenied",
                                reason = "no_allow_resource" })
        assert.equal(1, tools.state.counts.would_allow)
        assert.matches("would_allow: ?: enforced ImplicitlyDenied (no_allow_resource); next.lua "
            .. "would be Allowed (allow)", tools.logged[1], 1, true)
        -- The same outcome for another reason is counted only.
        log({ request = {} }, { allowed = true, decision = "Allowed", reason = "other" })
        assert.equal(1, tools.state.counts.other_reason)
        assert.equal(1, #tools.logged)
    end)

    it("never changes a decision when the second estate cannot be opened", function()
        local decide, tools = gateway("nowhere.json")
        assert.is_true(decide(request("GET")).allowed)
        assert.equal(1, #tools.logged)
        assert.matches("shadow: next.lua: cannot be opened, so nothing is compared:",
                       tools.logged[1], 1, true)
        assert.equal(0, tools.state.counts.same)
    end)

    it("tells when the second estate fails to decide", function()
        local decide, tools = gateway(nil, nil, { open = function()
            return { authorize = function()
                return { allowed = false, decision = "ImplicitlyDenied", reason = "error",
                         error = "the key `ext:Plan` failed:\n\27[31m no" }
            end }
        end })
        assert.is_true(decide(request("GET")).allowed)
        assert.equal(1, tools.state.counts.failed)
        assert.matches("failed: a1b2c3d4e5 GET /pets: .* because the key `ext:Plan` failed:%?%?"
            .. "%[31m no$", tools.logged[1])
    end)

    it("fails the same way as the enforced one without a word", function()
        local decide, tools = gateway("get.json")
        assert.is_false(decide({ api = "gone" }).allowed)
        assert.equal(1, tools.state.counts.same)
        assert.same({}, tools.logged)
    end)

    it("is rate limited, and tells what it left out", function()
        local decide, tools = gateway("get.json", { reports = 2 })
        for _ = 1, 7 do
            decide(request("DELETE"))
        end
        assert.equal(2, #tools.logged)
        tools.at = tools.at + 60
        decide(request("DELETE"))
        assert.equal(3, #tools.logged)
        assert.matches(" (5 more since the last line)", tools.logged[3], 1, true)
        decide(request("DELETE"))
        decide(request("DELETE"))
        assert.equal(4, #tools.logged)
        tools.at = tools.at - 3600 -- a clock that was set back does not silence it
        decide(request("DELETE"))
        assert.equal(5, #tools.logged)
        assert.is_nil(tools.logged[4]:find("more since", 1, true))
        assert.is_truthy(tools.logged[5]:find(" (1 more since", 1, true))
        assert.equal(11, tools.state.counts.would_deny)
    end)

    it("may look at every n-th decision only", function()
        local decide, tools = gateway("get.json", { every = 3 })
        for _ = 1, 10 do
            decide(request("GET"))
        end
        assert.equal(10, tools.state.seen)
        assert.equal(3, tools.state.counts.same)
    end)

    it("keeps what a client wrote on one short line", function()
        local decide, tools = gateway("get.json")
        decide({ api = "a1b2c3d4e5", stage = "dev", method = "DELETE", peer = "192.0.2.1",
                 path = "/" .. ("x"):rep(900) })
        assert.is_true(#tools.logged[1] < 800)
        assert.is_nil(tools.logged[1]:find("%c"))
    end)

    it("needs the request that was decided", function()
        local _, tools = gateway("get.json")
        assert.is_nil(pack.log({}, {}, { estate = "next.lua" }, tools))
        assert.equal(0, tools.state.counts.same)
    end)

    it("refuses what it does not know", function()
        packs.assert_refused(pack, {
            { {}, "lacks `estate`" },
            { { estate = "" }, "lacks `estate`" },
            { { estate = 7 }, "`estate` is a number" },
            { { estate = "x", sample = 1 }, "unknown option `sample`" },
            { { estate = "x", every = 0 }, "`every`: give a whole number" },
            { { estate = "x", every = 1.5 }, "`every`: give a whole number" },
            { { estate = "x", reports = "3" }, "`reports` is a string" },
        })
        assert.same({ "estate" }, pack.files)
    end)
end)
