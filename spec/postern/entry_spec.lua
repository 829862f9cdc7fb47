local sets = require("postern.set")
local requests = require("postern.request")
local entries = require("postern.entry")


local POLICY = [[{ "Version": "2012-10-17", "Statement": [
    { "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
      "Resource": "arn:aws:execute-api:eu-central-1:111122223333:a1/live/GET/*",
      "Condition": { "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } } },
    { "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::111122223333:user/billing" },
      "Action": "execute-api:ManageConnections",
      "Resource": "arn:aws:execute-api:eu-central-1:111122223333:a1" },
    { "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*",
      "Condition": { "Bool": { "aws:SecureTransport": "false" } } } ] }]]

local FRONT = "arn:aws:execute-api:eu-central-1:111122223333:"
local BILLING = "arn:aws:iam::111122223333:user/billing"
local INVOKE, MANAGE = "execute-api:Invoke", "execute-api:ManageConnections"


local set = assert(sets.compile(POLICY, { type = "resource" }))

local function options(changes)
    local all = {
        resource = { FRONT, "/", "/", "" }, keys = { "aws:SourceIp" },
        keep = { ["aws:SecureTransport"] = "true" },
    }
    for name, value in pairs(changes or {}) do
        all[name] = value or nil
    end
    return all
end

local function new(changes)
    return assert(entries.new(set, options(changes)))
end

local function name_of(outcome)
    return requests.outcomes[outcome]
end


describe("an entry", function()
    it("decides calls", function()
        local entry = new()
        for _, row in ipairs({
            { "Allowed", nil, INVOKE, "a1", "live", "GET", "/pets", "10.1.2.3" },
            { "Allowed", "*", INVOKE, "a1", "live", "GET", "/pets", "10.1.2.3" },
            { "ImplicitlyDenied", nil, INVOKE, "a1", "live", "GET", "/pets", "192.0.2.1" },
            { "ImplicitlyDenied", nil, INVOKE, "a1", "live", "GET", "/pets" },
            { "ImplicitlyDenied", nil, INVOKE, "a1", "live", "PUT", "/pets", "10.1.2.3" },
            { "ImplicitlyDenied", nil, MANAGE, "a1", "live", "GET", "/pets", "10.1.2.3" },
            { "ImplicitlyDenied", nil, MANAGE, "a1" },
            { "Allowed", BILLING, MANAGE, "a1" },
            { "ImplicitlyDenied", BILLING, MANAGE, "a2" },
        }) do
            assert.equal(row[1], name_of(entry:decide(unpack(row, 2, 9))))
        end
        assert.equal(requests.ALLOWED, entry.ALLOWED)
    end)

    it("says what was decided by what", function()
        local entry = new()
        entry:decide(BILLING, MANAGE, "a1")
        assert.same({ "direct", 1, -1, 0 }, (function(match, ...)
            return { requests.matches[match], ... }
        end)(entry:last()))
        entry:decide(nil, INVOKE, "a1", "live", "GET", "/\255", "10.1.2.3")
        assert.equal("value", requests.statuses[select(4, entry:last())])
    end)

    it("keeps values", function()
        local entry = new()
        local function outcome(ip)
            return name_of(entry:decide(nil, INVOKE, "a1", "live", "GET", "/", ip))
        end
        assert.equal("Allowed", outcome("10.1.2.3"))
        assert.is_true(entry:keep("AWS:securetransport", "false"))
        assert.equal("ExplicitlyDenied", outcome("10.1.2.3"))
        assert.is_true(entry:keep("aws:SecureTransport", nil))
        assert.equal("Allowed", outcome("10.1.2.3"))
        assert.is_true(entry:keep("aws:SourceIp", "10.1.2.3"))
        assert.equal("Allowed", outcome())
        assert.equal("ImplicitlyDenied", outcome("192.0.2.1"))
        assert.is_true(entry:keep("aws:Other", "x"))
        local ok, why = entry:keep("aws:SourceIp", "\255")
        assert.is_nil(ok)
        assert.equal("`aws:SourceIp`: the value cannot be taken: not valid UTF-8", why)
        assert.equal("Allowed", outcome())
    end)

    it("accounts for every key of the set", function()
        for _, row in ipairs({
            { { keep = false },
              "the set asks for `aws:securetransport`: name it in `keys`, `keep` or `absent`" },
            { { keys = false },
              "the set asks for `aws:sourceip`: name it in `keys`, `keep` or `absent`" },
            { { absent = { "AWS:SourceIp" } }, "the key `AWS:SourceIp` is named twice" },
            { { keys = { "aws:SourceIp", "aws:sourceip" } },
              "the key `aws:sourceip` is named twice" },
            { { resource = { "\255" } },
              "`resource`: item 1 cannot be taken: not valid UTF-8" },
            { { keep = { ["aws:SecureTransport"] = ("x"):rep(65537) } },
              "`aws:SecureTransport`: the value cannot be taken: too long" },
        }) do
            local entry, why = entries.new(set, options(row[1]))
            assert.is_nil(entry)
            assert.equal(row[2], why)
        end
        local entry = new({ keys = { "aws:Other", "aws:SourceIp", "aws:Another" } })
        assert.equal("Allowed", name_of(
            entry:decide(nil, INVOKE, "a1", "live", "GET", "/", "x", "10.1.2.3", "y")))
        entry = new({ keep = false, keys = false,
                      absent = { "aws:SourceIp", "aws:SecureTransport", "aws:Other" } })
        assert.equal("ImplicitlyDenied",
            name_of(entry:decide(nil, INVOKE, "a1", "live", "GET", "/")))
    end)

    it("raises at the line of whoever uses it wrongly", function()
        for _, row in ipairs({
            { { reosurce = {} }, "unknown option `reosurce`" },
            { { keys = { 1 } }, "`keys`: item 1 is a number: give a text" },
            { { keys = { "a", "b", "c", "d", "e" } }, "`keys` has 5 items: there may be 4" },
            { { resource = { "", "", "", "", "" } }, "`resource` has 5 items: there may be 4" },
            { { keep = { "x" } }, "`keep`: give texts by the names of keys" },
            { { absent = { true } }, "`absent`: item 1 is a boolean: give a text" },
        }) do
            local ok, err = pcall(function() entries.new(set, options(row[1])) end)
            assert.is_false(ok)
            assert.equal(row[2], err:match("^spec/postern/entry_spec%.lua:%d+: (.*)$"))
        end
        local entry = new()
        assert.has_error(function() entry:decide(nil, nil, "a1") end)
        assert.has_error(function() entry:decide(nil, INVOKE, nil) end)
        assert.has_error(function() entry:decide(nil, INVOKE, "a1", {}) end)
        assert.has_error(function() entry:decide(nil, INVOKE, "a1", "live", "GET", "/", 10) end)
    end)

    -- Both ways of running Lua: what compiles makes no garbage, nor what does not.
    for _, mode in ipairs({ "on", "off" }) do
        it("makes no garbage with the compiler " .. mode, function()
            local entry, ips = new(), { "10.1.2.3", "192.0.2.1" }
            local function many()
                local allowed = 0
                for i = 1, 100000 do
                    if entry:decide(nil, INVOKE, "a1", "live", "GET", "/pets", ips[i % 2 + 1])
                        == entry.ALLOWED then
                        allowed = allowed + 1
                    end
                end
                return allowed
            end
            jit[mode]()
            jit[mode](many, true)
            finally(function()
                collectgarbage("restart")
                jit.on()
            end)
            many()
            collectgarbage()
            collectgarbage("stop")
            local before = collectgarbage("count")
            local allowed = many()
            local garbage = collectgarbage("count") - before
            assert.equal(50000, allowed)
            -- Less than a hundredth of a byte a decision: what a trace may take once.
            assert.is_true(garbage < 1, garbage .. " KiB")
        end)
    end

    it("keeps its set", function()
        local entry = entries.new(assert(sets.compile(POLICY, { type = "resource" })), options())
        collectgarbage()
        collectgarbage()
        assert.equal("Allowed", name_of(
            entry:decide(nil, INVOKE, "a1", "live", "GET", "/", "10.1.2.3")))
    end)
end)
