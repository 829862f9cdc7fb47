local keys = require("postern.keys")
local sets = require("postern.set")
local requests = require("postern.request")
local rules = require("postern.rules")
local plain = require("postern.host.plain")
local cidr = require("postern.cidr")
local json = require("dkjson")


local API = "arn:aws:execute-api:us-east-1:123456789012:abc123"

-- A set that mentions those keys and no other, with the operator named last.
local function set_of(...)
    local conditions = {}
    for i, key in ipairs({ ... }) do
        conditions[i] = ('"%s":"x"'):format(key)
    end
    return assert(sets.compile(([[{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
        "Principal":"*","Action":"*","Resource":"*","Condition":{"StringEquals":{%s}}}]}]])
        :format(table.concat(conditions, ",")), { strictness = "structural" }))
end

local function allow_if(condition)
    return assert(sets.compile(([[{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
        "Principal":"*","Action":"*","Resource":"*","Condition":%s}]}]]):format(condition),
        { strictness = "structural" }))
end

local function pack(name, members)
    local made = { kind = "keys", name = name, api = 1, check = function() return true end,
                   keys = {} }
    for member, value in pairs(members) do
        made[member] = value
    end
    return made
end

local function constant(...)
    local values = { n = select("#", ...), ... }
    return function()
        return unpack(values, 1, values.n)
    end
end

-- What `postern.runner` makes of a pack, as far as providers see it.
local function runners_of(packs, configs)
    local runners = {}
    for i, one in ipairs(packs) do
        runners[i] = {
            pack = one, config = configs and configs[one.name] or {}, tools = {},
            wait = function(_, fn, ...) return fn(...) end,
        }
    end
    return runners
end

local function registry_of(...)
    return assert(keys.new(runners_of({ ... })))
end

local function values_of(registry, set, context)
    return registry:values(registry:plan({ set:keys() }), context or {})
end

-- The outcome of a request filled by a registry.
local function decide(registry, set, context)
    local values, err = values_of(registry, set, context)
    if not values then
        return nil, err
    end
    local request = assert(requests.new(set))
    local filled
    filled, err = request:fill({ action = "execute-api:Invoke", resource = API .. "/dev/GET/pets",
                                 context = values })
    if not filled then
        return nil, err
    end
    local outcome, _, _, key = request:evaluate()
    return requests.outcomes[outcome], nil, key
end


describe("the registry of keys", function()
    it("knows who provides a key, in any letter case", function()
        local registry = registry_of(
            pack("network", { keys = { ["aws:SourceIp"] = constant("10.0.0.1") } }),
            pack("identity", { prefixes = { ["aws:PrincipalTag/"] = constant("x") } }))
        for _, name in ipairs({ "aws:SourceIp", "AWS:sourceip", "aws:sourceip" }) do
            local provider = registry:provider(name)
            assert.same({ "aws:SourceIp", "network", false, false },
                        { provider.key, provider.pack, provider.lazy, provider.is_prefix })
        end
        local provider = registry:provider("aws:principaltag/Team")
        assert.same({ "aws:PrincipalTag/", "identity", true },
                    { provider.key, provider.pack, provider.is_prefix })
        assert.is_nil(registry:provider("aws:PrincipalTag/"))
        assert.is_nil(registry:provider("aws:PrincipalTag"))
        assert.is_nil(registry:provider("aws:SourceVpc"))
    end)

    it("refuses two packs that provide one key, and names both", function()
        local function refused(one, other)
            local none, err = keys.new(runners_of({ pack("one", one), pack("other", other) }))
            assert.is_nil(none)
            assert.matches("is provided twice", err, 1, true)
            assert.matches("`one`", err, 1, true)
            assert.matches("`other`", err, 1, true)
        end
        local f = constant("x")
        refused({ keys = { ["aws:SourceIp"] = f } }, { keys = { ["AWS:SourceIP"] = f } })
        refused({ prefixes = { ["acme:Tag/"] = f } }, { prefixes = { ["ACME:tag/"] = f } })
        -- A key under the other's prefix, and a prefix under the other's prefix.
        refused({ prefixes = { ["acme:Tag/"] = f } }, { keys = { ["acme:tag/team"] = f } })
        refused({ keys = { ["acme:Tag/team"] = f } }, { prefixes = { ["acme:tag/"] = f } })
        refused({ prefixes = { ["acme:"] = f } }, { prefixes = { ["acme:tag/"] = f } })
    end)

    it("refuses a pack that spells one key in two ways", function()
        assert.is_nil((keys.new(runners_of({ pack("one", { keys = {
            ["aws:SourceIp"] = constant("x"), ["aws:sourceip"] = constant("y") } }) }))))
    end)

    it("lets a pack have a key under its own prefix; the longest match answers", function()
        local registry = registry_of(pack("one", {
            keys = { ["acme:tag/team"] = constant("key") },
            prefixes = { ["acme:tag/"] = constant("long"), ["acme:"] = constant("short") },
        }))
        assert.equal("key", registry:resolve("acme:Tag/Team", {}))
        assert.equal("long", registry:resolve("acme:tag/teams", {}))
        assert.equal("short", registry:resolve("acme:other", {}))
        local nested = {}
        for length = 5, 20 do
            nested[("acme:" .. ("x"):rep(16)):sub(1, length)] = constant(length)
        end
        registry = registry_of(pack("one", { prefixes = nested }))
        for length = 5, 20 do
            assert.equal(length, registry:resolve("acme:" .. ("x"):rep(length - 5) .. "-", {}))
        end
    end)

    it("hands a pack its configuration and its tools", function()
        local one = pack("one", {
            keys = { ["acme:word"] = function(_, config, tools)
                return config.word .. tools.sign
            end },
            prefixes = { ["acme:x/"] = function(_, rest, config, tools)
                return config.word .. rest .. tools.sign
            end },
        })
        local runners = runners_of({ one }, { one = { word = "yes" } })
        runners[1].tools.sign = "!"
        local registry = assert(keys.new(runners))
        assert.equal("yes!", registry:resolve("acme:word", {}))
        assert.equal("yesteam!", registry:resolve("acme:X/Team", {}))
    end)

    it("names the keys of a set that nobody provides", function()
        local registry = registry_of(pack("one", {
            keys = { ["acme:a"] = constant(nil) }, prefixes = { ["acme:tag/"] = constant(nil) },
        }))
        assert.same({ "acme:c", "acme:tag" },
                    (function(list) table.sort(list) return list end)(
                        registry:unprovided(set_of("ACME:a", "acme:c", "acme:Tag/x", "acme:tag"))))
        assert.same({}, registry:unprovided(set_of("acme:A")))
    end)
end)


describe("filling a request", function()
    it("asks for what the set mentions, once, and for nothing else", function()
        local asked = {}
        local function ask(name)
            return function()
                asked[#asked + 1] = name
                return "x"
            end
        end
        local registry = registry_of(pack("one", {
            keys = { ["acme:a"] = ask("a"), ["acme:b"] = ask("b") },
            prefixes = { ["acme:tag/"] = function(_, rest) return ask("tag " .. rest)() end },
        }))
        assert.equal("Allowed", decide(registry, set_of("acme:A", "acme:Tag/Team")))
        table.sort(asked)
        assert.same({ "a", "tag team" }, asked)
        asked = {}
        assert.equal("Allowed", decide(registry, set_of("acme:b")))
        assert.same({ "b" }, asked)
    end)

    it("gives the context to the provider", function()
        local registry = registry_of(pack("one", {
            keys = { ["acme:a"] = function(context) return context.word end },
        }))
        local set = set_of("acme:a")
        assert.equal("Allowed", decide(registry, set, { word = "x" }))
        assert.equal("ImplicitlyDenied", decide(registry, set, { word = "y" }))
        assert.equal("ImplicitlyDenied", decide(registry, set, {}))
        -- One set after the other, each with its own plan.
        assert.equal("ImplicitlyDenied", decide(registry, set_of("acme:b"), { word = "x" }))
        assert.equal("Allowed", decide(registry, set, { word = "x" }))
    end)

    it("takes strings, numbers, booleans and lists", function()
        for _, row in ipairs({
            { "x", '{"StringEquals":{"acme:a":"x"}}' },
            { "", '{"StringEquals":{"acme:a":""}}' },
            { 1.5, '{"NumericEquals":{"acme:a":1.5}}' },
            { false, '{"Bool":{"acme:a":false}}' },
            { { "a", "b" }, '{"ForAnyValue:StringEquals":{"acme:a":"b"}}' },
            { { 1, true, "z" }, '{"ForAllValues:StringEquals":{"acme:a":["1","true","z"]}}' },
            { {}, '{"ForAllValues:StringEquals":{"acme:a":"b"}}' },
        }) do
            local registry = registry_of(pack("one", { keys = { ["acme:a"] = constant(row[1]) } }))
            assert.equal("Allowed", decide(registry, allow_if(row[2])))
        end
    end)

    it("leaves an absent key absent", function()
        local registry = registry_of(pack("one", { keys = { ["acme:a"] = constant(nil) } }))
        assert.equal("Allowed", decide(registry, allow_if('{"Null":{"acme:a":true}}')))
        assert.equal("ImplicitlyDenied", decide(registry, allow_if('{"Null":{"acme:a":false}}')))
        -- Nobody provides it: absent as well.
        assert.equal("Allowed", decide(registry, allow_if('{"Null":{"acme:none":true}}')))
    end)

    it("fails when a provider fails, naming key and pack", function()
        for _, row in ipairs({
            { constant(nil, "no database"), "no database" },
            { function() error("boom", 0) end, "boom" },
            { function() error(nil) end, "failed: nil" },
            { function() error({}) end, "failed: table" },
            { constant(function() end), "answered something else" },
            { constant({ a = "b" }), "answered something else" },
            { constant({ "a", nil, "c" }), "answered something else" },
            { constant({ "a", {} }), "answered something else" },
            { constant(0 / 0), "answered something else" },
            { constant(math.huge), "answered something else" },
        }) do
            local registry = registry_of(pack("one", { keys = { ["acme:a"] = row[1] } }))
            local set = set_of("acme:A")
            local outcome, err = decide(registry, set)
            assert.is_nil(outcome)
            assert.matches("the key `acme:a` of the keys pack `one` failed: ", err, 1, true)
            assert.matches(row[2], err, 1, true)
        end
    end)

    it("fails when a request cannot take a value", function()
        for _, value in ipairs({ "\xC0\xAE", { "a", "\xFF", "b" } }) do
            local registry = registry_of(pack("one", { keys = { ["acme:a"] = constant(value) } }))
            local outcome, err = decide(registry, set_of("acme:A"))
            assert.is_nil(outcome)
            assert.matches("cannot be taken: not valid UTF-8", err, 1, true)
        end
    end)

    it("compares what is answered with the declared type", function()
        local GOOD = {
            string = { "", "x" },
            arn = { "arn:aws:iam::123456789012:root" },
            ip = { "10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1" },
            bool = { true, false, "true", "false" },
            numeric = { 0, -1.5, "12", "1.5" },
            date = { 0, 1700000000, "1700000000", "2023-11-14T22:13:20Z",
                     "2023-11-14T22:13:20.5Z" },
        }
        local BAD = {
            string = { 1, true, { "x" } },
            arn = { "x", "", 1, "role/arn:" },
            ip = { "10.0.0.1/32", "10.0.0", "x", "", 1, "10.0.0.1:80", { "10.0.0.1" } },
            bool = { "yes", 1, 0, "True" },
            numeric = { "x", "", true, "1,5", 0 / 0 },
            date = { "today", "2023-11-14", "", true },
        }
        for name, values in pairs(GOOD) do
            for _, value in ipairs(values) do
                local registry = registry_of(pack("one", {
                    keys = { ["acme:a"] = constant(value), ["acme:b"] = constant({ value, value }),
                             ["acme:c"] = constant(nil) },
                    types = { ["acme:a"] = name, ["acme:b"] = name .. "[]", ["acme:c"] = name },
                }))
                assert.equal(value, (registry:resolve("acme:a", {})))
                assert.same({ value, value }, (registry:resolve("acme:b", {})))
                assert.is_nil((registry:resolve("acme:c", {})))
            end
        end
        for name, values in pairs(BAD) do
            for _, value in ipairs(values) do
                local registry = registry_of(pack("one", {
                    prefixes = { ["acme:"] = constant(value) }, types = { ["acme:"] = name },
                }))
                local answered, err = registry:resolve("acme:a", {})
                assert.is_nil(answered)
                assert.matches("the key `acme:a` of the keys pack `one` failed: answered something "
                    .. "else than " .. name, err, 1, true)
            end
        end
    end)

    it("knows its types", function()
        for text, message in pairs({
            text = "unknown type `text` of `acme:a`", ["ip[][]"] = "unknown type", any = "unknown",
            ["ip["] = "unknown type",
        }) do
            local none, err = keys.new(runners_of({ pack("one", {
                keys = { ["acme:a"] = constant("x") }, types = { ["acme:a"] = text } }) }))
            assert.is_nil(none)
            assert.matches(message, err, 1, true)
        end
        local none, err = keys.new(runners_of({ pack("one", { types = { ["acme:b"] = "ip" } }) }))
        assert.is_nil(none)
        assert.equal("the keys pack `one`: a type for `acme:b`, which it does not provide", err)
    end)

    it("leaves the keys of a lazy pack unresolved until they are needed", function()
        local asked = 0
        local registry = registry_of(pack("slow", {
            lazy = true,
            keys = { ["acme:slow"] = function()
                asked = asked + 1
                return "x"
            end },
        }), pack("fast", { keys = { ["acme:fast"] = constant("y") } }))
        local set = allow_if('{"StringEquals":{"acme:slow":"x"}}')
        local outcome, err, key = decide(registry, set)
        assert.equal("Undecided", outcome)
        assert.is_nil(err)
        assert.equal(0, asked)
        assert.equal("acme:slow", set:key_name(key))
        assert.equal("x", registry:resolve("ACME:slow", {}))
        assert.equal(1, asked)
        -- Not needed when the statement fails anyway.
        assert.equal("ImplicitlyDenied", (decide(registry, allow_if(
            '{"StringEquals":{"acme:fast":"x","acme:slow":"x"}}'))))
        assert.equal(1, asked)
    end)
end)


describe("the values of a set", function()
    local registry = registry_of(
        pack("one", { keys = { ["acme:A"] = constant({ "x" }), ["acme:B"] = constant(nil),
                               ["acme:C"] = constant(false) },
                      prefixes = { ["acme:bad/"] = constant(nil, "broken") } }),
        pack("slow", { lazy = true, keys = { ["acme:slow"] = constant("x") } }))

    it("are a table without what is absent, and the lazy keys", function()
        local values = values_of(registry,
            set_of("acme:a", "acme:b", "acme:c", "acme:slow", "acme:none"))
        assert.same({ ["acme:a"] = { "x" }, ["acme:c"] = false,
                      ["acme:slow"] = requests.UNRESOLVED }, values)
    end)

    it("are asked for once, however many sets mention a key", function()
        local asked = 0
        local counting = registry_of(pack("one", { keys = { ["acme:A"] = function()
            asked = asked + 1
            return nil
        end, ["acme:B"] = constant("x") } }))
        local plan = counting:plan({ set_of("acme:a"):keys(), set_of("acme:b", "acme:a"):keys() })
        assert.same({ ["acme:b"] = "x" }, counting:values(plan, {}))
        assert.equal(1, asked)
    end)

    it("are none at all when one fails", function()
        local values, err = values_of(registry, set_of("acme:a", "acme:bad/x"))
        assert.is_nil(values)
        assert.equal("the key `acme:bad/x` of the keys pack `one` failed: broken", err)
    end)
end)


describe("resolving one key", function()
    it("answers nothing for a key that nobody provides", function()
        local value, err = registry_of():resolve("acme:a", {})
        assert.is_nil(value)
        assert.is_nil(err)
    end)
end)


describe("the shipped keys packs", function()
    local registry

    setup(function()
        local packs = {}
        for i, name in ipairs({ "network", "time", "transport", "headers", "identity",
                                "resource" }) do
            packs[i] = assert(rules.load("keys", name, plain.read))
        end
        registry = assert(keys.new(runners_of(packs)))
    end)

    local function context(changes)
        local made = {
            peer = "192.0.2.1", now = 1700000000, api = { endpoint_type = "REGIONAL",
                authorization = "IAM", account = "123456789012" },
            http = { scheme = "https", method = "GET", path = "/dev/pets", headers = {} },
            principal = { kind = "user", arn = "arn:aws:iam::123456789012:user/alice",
                          account = "123456789012", name = "alice", userid = "AIDAEXAMPLE",
                          tags = { Team = "blue" } },
        }
        for name, value in pairs(changes or {}) do
            made[name] = value
        end
        return made
    end

    -- The catalogue of keys, where it is there.
    it("provide what API Gateway supplies and nothing else", function()
        local text = plain.read((os.getenv("POSTERN_SHARED") or "../shared")
            .. "/spec/condition-keys.json")
        if not text then
            pending("no catalogue of keys: set POSTERN_SHARED, or put it at ../shared")
            return
        end
        local count = 0
        for _, entry in ipairs((json.decode(text))) do
            local key = entry.key:gsub("%${TagKey}", "team")
            local provider = registry:provider(key)
            assert.equal(entry.api_gateway, provider ~= nil, key)
            if provider then
                assert.equal(entry.type .. (entry.multivalued and "[]" or ""), provider.type.text)
            end
            count = count + 1
        end
        assert.is_true(count > 50)
    end)

    it("fill the conditions of a policy", function()
        for condition, expected in pairs({
            ['{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}'] = "Allowed",
            ['{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}'] = "ImplicitlyDenied",
            ['{"Null":{"aws:SourceVpce":true,"aws:VpcSourceIp":true}}'] = "Allowed",
            ['{"DateLessThan":{"aws:CurrentTime":"2030-01-01T00:00:00Z"}}'] = "Allowed",
            ['{"DateGreaterThan":{"aws:CurrentTime":"2030-01-01T00:00:00Z"}}'] = "ImplicitlyDenied",
            ['{"DateEquals":{"aws:EpochTime":"2023-11-14T22:13:20Z"}}'] = "Allowed",
            ['{"NumericEquals":{"aws:EpochTime":1700000000}}'] = "Allowed",
            ['{"Bool":{"aws:SecureTransport":true}}'] = "Allowed",
            ['{"StringEquals":{"aws:PrincipalTag/Team":"blue"}}'] = "Allowed",
            ['{"StringEquals":{"AWS:principaltag/TEAM":"blue"}}'] = "Allowed",
            ['{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::123456789012:user/*"}}'] = "Allowed",
            ['{"StringEquals":{"aws:username":"${aws:username}"}}'] = "Allowed",
            ['{"Null":{"aws:UserAgent":true,"aws:Referer":true}}'] = "Allowed",
            ['{"Null":{"aws:MultiFactorAuthPresent":true,"aws:XfwdIp":true}}'] = "Allowed",
        }) do
            assert.equal(expected, (decide(registry, allow_if(condition), context())), condition)
        end
    end)

    it("take the issue time of a token as a date", function()
        local session = { kind = "session", role_arn = "arn:aws:iam::123456789012:role/r",
                          token_issue_time = 1700000000 }
        for condition, expected in pairs({
            ['{"DateEquals":{"aws:TokenIssueTime":"2023-11-14T22:13:20Z"}}'] = "Allowed",
            ['{"DateLessThan":{"aws:TokenIssueTime":"2023-11-14T22:13:20Z"}}'] = "ImplicitlyDenied",
            ['{"Bool":{"aws:MultiFactorAuthPresent":false}}'] = "Allowed",
        }) do
            assert.equal(expected, (decide(registry, allow_if(condition),
                                           context({ principal = session }))))
        end
    end)

    it("fail as a whole when one key fails", function()
        local set = allow_if('{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}')
        local outcome, err = decide(registry, set, context({ peer = "nonsense" }))
        assert.is_nil(outcome)
        assert.equal("the key `aws:sourceip` of the keys pack `network` failed: the peer is not an "
            .. "address", err)
        -- A key that the policy does not mention is not asked for, hence cannot fail.
        assert.equal("Allowed", (decide(registry, allow_if('{"Null":{"acme:x":true}}'),
                                        context({ peer = "nonsense", now = "never" }))))
    end)

    it("cost no more than the headers there are", function()
        local set = allow_if('{"IpAddress":{"aws:XfwdIp":"203.0.113.0/24"},'
            .. '"StringLike":{"aws:UserAgent":"*"},"Null":{"aws:Referer":true}}')
        local function seconds(count)
            local headers = { ["user-agent"] = { "x" } }
            for i = 1, count do
                headers["x-header-" .. i] = { "x" }
            end
            headers["x-forwarded-for"] = { "203.0.113.7" .. (", 10.0.0.2"):rep(count) }
            local given = context({ peer = "10.0.0.1", estate = {
                trusted_proxies = assert(cidr.new({ "10.0.0.0/8" })) } })
            given.http.headers = headers
            local start = os.clock()
            assert.equal("Allowed", (decide(registry, set, given)))
            return os.clock() - start
        end
        local small, large = seconds(10000), seconds(80000)
        assert.is_true(large < 30 * small + 0.2)
    end)
end)


describe("what a pack keeps", function()
    local runners = require("postern.runner")

    local function cached(how, answers, members)
        local calls = 0
        local one = pack("one", {
            keys = { ["acme:a"] = function()
                calls = calls + 1
                local answer = answers[calls]
                return answer[1], answer[2]
            end },
            cache = { ["acme:a"] = how },
        })
        for name, value in pairs(members or {}) do
            one[name] = value
        end
        local time = { now = 1000 }
        local registry = assert(keys.new(runners_of({ one }), function() return time.now end))
        return registry, time, function() return calls end
    end

    local function by_user(context)
        return context.user
    end

    it("for a time is kept by what it depends on", function()
        local registry, time, calls = cached({ seconds = 10, by = by_user },
            { { "1" }, { "2" }, { "3" }, { "4" } })
        assert.equal("1", registry:resolve("acme:a", { user = "ann" }))
        assert.equal("1", registry:resolve("ACME:A", { user = "ann" }))
        assert.equal("2", registry:resolve("acme:a", { user = "bob" }))
        time.now = 1009
        assert.equal("1", registry:resolve("acme:a", { user = "ann" }))
        time.now = 1010
        assert.equal("3", registry:resolve("acme:a", { user = "ann" }))
        -- A clock that was set back lengthens no life.
        time.now = 900
        assert.equal("4", registry:resolve("acme:a", { user = "ann" }))
        assert.equal(4, calls())
    end)

    it("is every kind of value, and absent", function()
        for _, value in ipairs({ "", false, true, 0, { "a", "b" } }) do
            local registry, _, calls = cached({ seconds = 10, by = by_user }, { { value } })
            for _ = 1, 3 do
                assert.same({ value }, { registry:resolve("acme:a", { user = "ann" }) })
            end
            assert.equal(1, calls())
        end
        for _, how in ipairs({ { seconds = 10, by = by_user }, { connection = true } }) do
            local registry, _, calls = cached(how, { {} })
            local context = { user = "ann", connection = {} }
            for _ = 1, 3 do
                assert.same({ nil, nil }, { registry:resolve("acme:a", context) })
            end
            assert.equal(1, calls())
        end
    end)

    it("is no failure", function()
        for _, how in ipairs({ { seconds = 10, by = by_user }, { connection = true } }) do
            local registry, _, calls = cached(how, { { nil, "down" }, { {}, nil }, { "x" } },
                                              { types = { ["acme:a"] = "string" } })
            local context = { user = "ann", connection = {} }
            assert.matches("down", select(2, registry:resolve("acme:a", context)), 1, true)
            assert.matches("answered something else",
                           select(2, registry:resolve("acme:a", context)), 1, true)
            assert.equal("x", registry:resolve("acme:a", context))
            assert.equal("x", registry:resolve("acme:a", context))
            assert.equal(3, calls())
        end
    end)

    it("leaves nothing of a generation in a connection that goes on", function()
        local connection, gone = {}, setmetatable({}, { __mode = "v" })
        do
            local registry = cached({ connection = true }, { { "x" } })
            assert.equal("x", registry:resolve("acme:a", { connection = connection }))
            gone[1] = registry:provider("acme:a")
            assert.is_table(gone[1])
        end
        for _ = 1, 3 do
            collectgarbage()
        end
        assert.is_nil(gone[1])
    end)

    it("lasts as long as the connection, and no shorter", function()
        local registry, time, calls = cached({ connection = true },
                                             { { "1" }, { "2" }, { "3" }, { "4" } })
        local connection = {}
        assert.equal("1", registry:resolve("acme:a", { connection = connection }))
        time.now = 1e9
        assert.equal("1", registry:resolve("acme:a", { connection = connection }))
        assert.equal("2", registry:resolve("acme:a", { connection = {} }))
        -- Without a connection nothing is kept.
        assert.equal("3", registry:resolve("acme:a", {}))
        assert.equal("4", registry:resolve("acme:a", {}))
        assert.equal(4, calls())
    end)

    it("is nothing where the pack says that it depends on more than can be told", function()
        local registry, _, calls = cached({ seconds = 10, by = by_user }, { { "1" }, { "2" } })
        assert.equal("1", registry:resolve("acme:a", {}))
        assert.equal("2", registry:resolve("acme:a", {}))
        assert.equal(2, calls())
    end)

    it("fails when what it depends on cannot be told", function()
        for message, by in pairs({
            ["`by` of its cache: boom"] = function() error("boom", 0) end,
            ["`by` of its cache: answered something that is no text"] = constant(5),
            ["answered something that is no text"] = constant({}),
            ["of its cache: answered something that is no text"] = constant(false),
        }) do
            local registry, _, calls = cached({ seconds = 10, by = by }, { { "1" } })
            local value, err = registry:resolve("acme:a", {})
            assert.is_nil(value)
            assert.matches("the key `acme:a` of the keys pack `one` failed: ", err, 1, true)
            assert.matches(message, err, 1, true)
            assert.equal(0, calls())
        end
    end)

    it("is kept for each key below a prefix", function()
        local asked = {}
        local one = pack("one", {
            prefixes = { ["acme:tag/"] = function(_, rest)
                asked[#asked + 1] = rest
                return rest .. #asked
            end },
            cache = { ["acme:tag/"] = { seconds = 10, by = function(context, rest, config)
                return context.user .. rest .. config.word
            end } },
        })
        local registry = assert(keys.new(runners_of({ one }, { one = { word = "w" } }),
                                         function() return 1 end))
        local context = { user = "ann" }
        for _ = 1, 2 do
            assert.equal("team1", registry:resolve("acme:Tag/Team", context))
            assert.equal("ring2", registry:resolve("acme:tag/ring", context))
        end
        -- Neither the key's name nor what it depends on can be taken for the other.
        assert.equal("a3", registry:resolve("acme:tag/a", { user = "b" }))
        assert.equal("ab4", registry:resolve("acme:tag/ab", { user = "" }))
    end)

    it("is asked through the gate of the host where the pack is lazy", function()
        local answer
        local host = { gate = function()
            return { call = function(_, fn, ...)
                if answer then
                    return unpack(answer, 1, 3)
                end
                return fn(...)
            end }
        end }
        for open, row in pairs({ absent = { nil, nil }, deny = { nil, "failed: not called" } }) do
            answer = nil
            local lazy = pack("slow", {
                lazy = true, limits = { open = open },
                keys = { ["acme:slow"] = constant("x"), ["acme:down"] = constant(nil, "down") },
            })
            local runner = runners.new({ pack = lazy, config = {} }, {}, host)
            local registry = assert(keys.new({ runner }))
            assert.equal("x", registry:resolve("acme:slow", {}))
            assert.matches("failed: down", select(2, registry:resolve("acme:down", {})), 1, true)
            answer = { nil, "not called", "open" }
            local value, err = registry:resolve("acme:slow", {})
            assert.is_nil(value)
            if row[2] then
                assert.matches(row[2], err, 1, true)
            else
                assert.is_nil(err)
            end
            answer = { nil, "timed out after 1 seconds", "timeout" }
            assert.matches("failed: timed out", select(2, registry:resolve("acme:slow", {})), 1,
                           true)
        end
    end)
end)
