-- No hook turns a deny into Allowed, whatever it answers, raises or changes.

local estates = require("postern.estate")
local hooks = require("postern.hooks")
local plain = require("postern.host.plain")
local machine = require("spec.support.machine")
local randoms = require("spec.support.random")


local ESTATE = [[
account "111122223333" region "eu-central-1"
api "open" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" } }
api "closed" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
               policy = "deny.json" }
api "iam" { endpoint_type = "REGIONAL", authorization = "IAM", stages = { "dev" } }
principal "admin" { arn = "arn:aws:iam::111122223333:user/admin", policies = "all.json" }
principal "guest" { arn = "arn:aws:iam::111122223333:user/guest" }
]]

local FILES = {
    ["deny.json"] = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*",'
        .. '"Action":"*","Resource":"*"}]}',
    ["all.json"] = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*",'
        .. '"Resource":"*"}]}',
}

local REQUESTS = {
    { api = "open", path = "/dev/x" },
    { api = "open", path = "/dev//x" },
    { api = "closed", path = "/dev/x" },
    { api = "iam", path = "/dev/x", principal = "admin" },
    { api = "iam", path = "/dev/x", principal = "guest" },
    { api = "iam", path = "/dev/x" },
    { api = "none", path = "/dev/x" },
    { action = "s3:GetObject", resource = "arn:aws:s3:::a/b", principal = "guest" },
    { action = "s3:GetObject", resource = "arn:aws:s3:::a/b", principal = "admin" },
    {}, "no request",
}


local function open(text)
    local estate, err = estates.open("estate.lua", {
        now = function() return 1700000000 end, log = function() end,
        read = function(path)
            if path == "estate.lua" then
                return ESTATE .. (text and 'rules "hook.lua"' or "")
            elseif path == "hook.lua" then
                return text
            end
            return FILES[path] or plain.read(path)
        end,
    })
    assert.equal("", tostring(err or ""))
    return estate
end

local WITHOUT = {}
do
    local estate = open()
    for i, request in ipairs(REQUESTS) do
        WITHOUT[i] = estate:authorize(request).allowed
    end
end


-- Asks everything; nothing is allowed that is not allowed without the hook.
local function assert_never_wider(estate, what)
    local allowed = 0
    for i, request in ipairs(REQUESTS) do
        local decision = estate:authorize(request)
        assert.equal("boolean", type(decision.allowed), what)
        assert.equal(decision.allowed, decision.decision == "Allowed", what)
        assert.equal(decision.allowed, decision.status < 400, what)
        assert.is_true(WITHOUT[i] or not decision.allowed, what)
        for name, value in pairs(decision.headers or {}) do
            assert.is_nil((name .. value):find("[\r\n%z]"), what)
        end
        allowed = allowed + (decision.allowed and 1 or 0)
    end
    return allowed
end

-- An estate whose hook is a plain function, as one that is shipped.
local function with(phase, fn)
    local estate = open()
    estate.hooks = hooks.new({ {
        pack = { kind = "hooks", name = "x", [phase] = fn }, config = {}, tools = {},
    } }, function() end)
    return estate
end

-- One of a private pack, from the text of its function's body.
local function private(phase, body)
    return open(([[return { kind = "hooks", name = "x", api = 1,
        check = function() return true end, limits = { seconds = 0.002, memory = 1 },
        %s = function(...)
            local context, decision, config, tools = ...
            if "%s" == "before" then context, config, tools = ... end
            %s
        end }]]):format(phase, phase, body))
end


describe("a hook", function()
    it("is tried against decisions of both kinds", function()
        assert.same({ true, false, false, true, false, false, false, false, true, false, false },
                    WITHOUT)
    end)

    it("cannot widen by what it does to the decision it sees", function()
        local function spoil(value, depth)
            for name, member in pairs(value) do
                if type(member) == "table" and depth < 5 then
                    spoil(member, depth + 1)
                elseif type(member) == "boolean" then
                    value[name] = true
                else
                    value[name] = "Allowed"
                end
            end
            value.allowed, value.decision, value.reason, value.status = true, "Allowed", "x", 200
            value.needs, value.error, value.deciding = nil, nil, nil
            setmetatable(value, { __index = function() return true end })
        end
        for _, phase in ipairs({ "after", "log" }) do
            assert.equal(3, assert_never_wider(with(phase, function(_, decision)
                spoil(decision, 1)
            end)))
            assert_never_wider(with(phase, function(_, decision)
                spoil(decision, 1)
                return decision
            end))
        end
        assert_never_wider(private("after", [[
            decision.allowed, decision.decision, decision.status = true, "Allowed", 200
            for name in pairs(decision.gates) do decision.gates[name] = "Allowed" end
            return decision]]))
    end)

    it("cannot widen by what it answers", function()
        local circle = {}
        circle.headers = circle
        for _, answer in ipairs({
            true, false, 0, 200, "Allowed", "allow", print, coroutine.create(print), io.stdout,
            { allowed = true }, { decision = "Allowed" }, { allow = true }, { Allowed = true },
            { deny = false }, { deny = false, allowed = true }, { deny = true },
            { deny = "x", status = 200 }, { deny = "x", status = 302 }, { status = 200 },
            { deny = "x", status = -1 }, { deny = "x", status = math.huge },
            { headers = { status = "200" } }, { headers = { [":status"] = "200" } },
            { headers = { allowed = "true" }, obligations = { allowed = "true" } },
            { obligations = { decision = "Allowed", allowed = "true" } },
            { headers = { ["X\r\n\r\nHTTP/1.1 200 OK"] = "x" } },
            { headers = { X = "x\r\n\r\nHTTP/1.1 200 OK" } }, { headers = { X = "\n" } },
            { headers = { X = true } }, { headers = { { "X", "x" } } }, { headers = "X: x" },
            { reason = "allowed" }, { error = "x" }, { needs = "x" }, { hook = "y" },
            { policy = "allow" }, { "Allowed" }, { [true] = true }, { [print] = 1 }, circle,
            setmetatable({}, { __index = { allowed = true, decision = "Allowed" } }),
            setmetatable({}, { __index = function() return "deny" end }),
            setmetatable({ deny = "x" }, { __newindex = error, __metatable = "none" }),
            setmetatable({}, { __metatable = false }), setmetatable({}, { __call = print }),
            { headers = setmetatable({}, { __index = function() return "x" end }) },
            { headers = setmetatable({}, { __pairs = error, __len = error }) },
            { [setmetatable({}, { __tostring = error })] = 1 },
        }) do
            for _, phase in ipairs({ "before", "after", "log" }) do
                assert_never_wider(with(phase, function() return answer end), phase)
                assert_never_wider(with(phase, function() return nil, answer end), phase)
                assert_never_wider(with(phase, function() return answer, answer end), phase)
            end
        end
    end)

    it("cannot widen by what it raises", function()
        local hostile = setmetatable({}, { __tostring = error, __index = error,
                                           __concat = error, __eq = error })
        for _, raised in ipairs({
            "Allowed", false, 5, { allowed = true }, { decision = "Allowed", reason = "x" },
            { needs = "aws:SourceIp" }, { reason = "allowed", status = 200 },
            setmetatable({}, { __index = { allowed = true, decision = "Allowed" } }),
            setmetatable({}, { __tostring = function() return "Allowed" end }), hostile, print,
        }) do
            for _, phase in ipairs({ "before", "after", "log" }) do
                assert_never_wider(with(phase, function() error(raised, 0) end), phase)
            end
        end
        assert_never_wider(with("after", function() error() end))
    end)

    it("cannot widen by what it does to the request", function()
        for _, body in ipairs({
            "context.principal = { kind = 'user', arn = 'arn:aws:iam::111122223333:user/admin' }",
            "context.principal.arn = 'arn:aws:iam::111122223333:user/admin'",
            "for name in pairs(context.principal or {}) do context.principal[name] = nil end",
            "context.request.principal = 'admin'", "context.request.api = 'open'",
            "context.request = { api = 'open', path = '/dev/x' }", "context.api = nil",
            "context.api.id, context.api.authorization = 'open', 'NONE'",
            "context.http.path = '/dev/x'", "context.http = nil", "context.endpoint = nil",
            "context.estate.trusted_proxies = nil", "context.now = 0", "context.stage = 'dev'",
            "config.allowed = true tools.allowed = true",
        }) do
            for _, phase in ipairs({ "before", "after", "log" }) do
                assert_never_wider(private(phase, body), body)
            end
        end
        -- What is copied is changed for the pack alone: all that was allowed still is.
        assert.equal(3, assert_never_wider(private("before",
            "if context.principal then context.principal.arn = 'x' end")))
    end)

    it("cannot widen by waiting, or by never ending", function()
        for _, body in ipairs({
            "while true do end", "local s = 'x' while true do s = s .. s end",
            "while true do tools.now() end", "return tools.sleep(1e9)",
            "return tools.http({ url = 'http://127.0.0.1/' })", "return tools.resolve('a.test')",
            "return tools.connect({ host = '127.0.0.1', port = 1 })",
            "return tools.work('return { allowed = true }')", "coroutine.yield()",
        }) do
            for _, phase in ipairs({ "before", "after" }) do
                assert.equal(0, assert_never_wider(private(phase, body), body))
            end
            assert.equal(3, assert_never_wider(private("log", body), body))
            machine.assert_untouched()
        end
    end)

    it("cannot widen by chance", function()
        local random = randoms.new(20240101)
        local NAMES = { "deny", "status", "headers", "obligations", "allowed", "decision",
                        "reason", "error", "hook", "needs", "gates", 1, true }
        local SCALARS = { "Allowed", "x", "", "a\r\nb", true, false, 0, 200, 403, 429, 0 / 0,
                          ("x"):rep(9000), print }
        local value_of

        local function table_of(depth)
            local made = {}
            for _ = 1, random(4) - 1 do
                made[NAMES[random(#NAMES)]] = value_of(depth + 1)
            end
            if random(8) == 1 then
                setmetatable(made, { __index = function() return "Allowed" end })
            end
            return made
        end

        function value_of(depth)
            if depth < 3 and random(3) == 1 then
                return table_of(depth)
            end
            return SCALARS[random(#SCALARS)]
        end

        local answer
        local function hook(_, decision)
            if type(decision) == "table" and random(3) == 1 then
                decision[NAMES[random(#NAMES)]] = answer
            elseif random(10) == 1 then
                error(answer, 0)
            end
            return answer
        end
        local estates_of = { before = with("before", hook), after = with("after", hook) }
        local narrowed = 0
        for _ = 1, 400 do
            answer = table_of(0)
            for _, estate in pairs(estates_of) do
                narrowed = narrowed + (3 - assert_never_wider(estate))
            end
        end
        assert.is_true(narrowed > 100)
    end)
end)
