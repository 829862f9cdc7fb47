-- Bad packs, each in an estate with a good one: what must happen, and that the next request is
-- decided all the same.

local environments = require("postern.environment")
local estates = require("postern.estate")
local budgets = require("postern.budget")
local plain = require("postern.host.plain")
local machine = require("spec.support.machine")


local HEAD = [[
account "111122223333" region "eu-central-1"
api "good" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
             policy = "good.json" }
api "bad" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
            policy = "bad.json" }
rules "good.lua"
rules "bad.lua"
]]

local function policy(key)
    return ([[{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
        "Action":"execute-api:Invoke","Resource":"*",
        "Condition":{"StringEquals":{"%s":"yes"}}}]}]]):format(key)
end

local FILES = {
    ["estate.lua"] = HEAD, ["good.json"] = policy("acme:Good"), ["bad.json"] = policy("acme:Bad"),
    ["good.lua"] = [[return { kind = "keys", name = "good", api = 1,
        check = function() return true end,
        keys = { ["acme:Good"] = function() return "yes" end } }]],
}


-- An estate with a bad pack.
local function open(text, log)
    local estate, err = estates.open("estate.lua", {
        now = os.time, log = log, read = function(path)
            if path == "bad.lua" then
                return text
            end
            return FILES[path] or plain.read(path)
        end,
    })
    machine.assert_untouched()
    return estate, tostring(err)
end

local function keys_pack(members)
    return ('return { kind = "keys", name = "bad", api = 1,\ncheck = function() return true end,\n'
        .. "%s }"):format(members)
end

local function provider(body)
    return keys_pack(('keys = { ["acme:Bad"] = function(context, config, tools) %s end }')
        :format(body))
end

local function ask(estate, api)
    local decision = estate:authorize({ api = api, path = "/dev/x" })
    machine.assert_untouched()
    return decision
end

-- The pack is taken, its key fails, and other requests are decided.
local function assert_fails(text, message)
    local estate, err = open(text)
    assert.not_nil(estate, err)
    for _ = 1, 2 do
        local decision = ask(estate, "bad")
        assert.same({ false, "ImplicitlyDenied", "error" },
                    { decision.allowed, decision.decision, decision.reason })
        assert.matches("the keys pack `bad` failed: ", decision.error, 1, true)
        assert.matches(message, decision.error, 1, true)
        assert.is_true(ask(estate, "good").allowed)
    end
end

local function assert_refused(text, message)
    local estate, err = open(text)
    assert.is_nil(estate)
    assert.matches("bad.lua", err, 1, true)
    assert.matches(message, err, 1, true)
end


describe("what was measured of this LuaJIT", function()
    -- Whether a text that takes long is stopped by a hook.
    local function is_stopped(prepare)
        local fn = assert(loadstring("local n = 0 for i = 1, 2e8 do n = n + i end return n"))
        prepare(fn)
        local looks = 0
        debug.sethook(function()
            looks = looks + 1
            if looks > 100 then
                error("stopped", 0)
            end
        end, "", 1000)
        local ok = pcall(fn)
        debug.sethook()
        return not ok
    end

    it("is still so: no hook fires in compiled code, hence packs are not compiled", function()
        if jit.status() then
            assert.is_false(is_stopped(function() end))
        end
        assert.is_true(is_stopped(function(fn) jit.off(fn, true) end))
        assert_fails(provider("local n = 0 for i = 1, 2e9 do n = n + i end"),
                     "of processor time is used up")
    end)

    it("is no way round: three `.-`, as a function and as a method", function()
        for _, call in ipairs({ "string.find(text, '.-.-.-b')", "text:find('.-.-.-b')",
                                "text.find(text, '.-.-.-b')", "('').find(text, '.-.-.-b')",
                                "text:match('.-.-.-b')", "text:gmatch('.-.-.-b')()",
                                "text:gsub('.-.-.-b', '')" }) do
            assert_fails(provider("local text = ('a'):rep(400) return " .. call),
                         "the pattern `.-.-.-b` could take too long on 400 bytes")
        end
    end)

    it("is no way round: `string.rep`", function()
        for _, call in ipairs({ "string.rep('x', 2 ^ 30)", "('x'):rep(2 ^ 30)",
                                "('').rep('x', '1073741824')" }) do
            assert_fails(provider("return " .. call), "a text of more than 1048576 bytes")
        end
    end)

    it("is no way round: `pcall` and coroutines are not there", function()
        for name, body in pairs({
            pcall = "while true do pcall(function() while true do end end) end",
            xpcall = "xpcall(function() while true do end end, function() end)",
            coroutine = "coroutine.wrap(function() while true do end end)()",
            getfenv = "getfenv(0).os.exit(1)",
            setfenv = "setfenv(1, {})",
            getmetatable = "getmetatable('').__index = nil",
            setmetatable = "return setmetatable({}, { __index = function() end })",
            load = "return load('x')", loadstring = "return loadstring('\27LJ')",
            require = "return require('os')", debug = "debug.sethook()", jit = "jit.on()",
            io = "io.open('/etc/passwd')", os = "os.exit(1)", collectgarbage = "collectgarbage()",
            newproxy = "newproxy(true)", package = "return package.loaded", print = "print(1)",
        }) do
            assert_fails(provider(body), "unknown name `" .. name .. "`")
        end
        assert_fails(provider("return string.dump(tostring)"), "attempt to call field 'dump'")
    end)

    it("is no way round: bytecode is not loaded", function()
        local code = string.dump(assert(loadstring(provider("return 'yes'"))))
        assert_refused(code, "attempt to load")
        assert_refused("\27", "attempt to load")
    end)

    it("is no way round: methods of strings are bounded and cannot be replaced", function()
        assert_fails(provider("string.rep = nil return ('x'):rep(2 ^ 30)"),
                     "a text of more than 1048576 bytes")
        assert_fails(provider("return ('x').dump(tostring)"), "attempt to call field 'dump'")
        assert_fails(provider("('x').rep = 1"), "attempt to index a string value")
    end)
end)


describe("a bad pack", function()
    it("is refused where it is wrong, by name and line", function()
        for message, text in pairs({
            ["bad.lua:2: unexpected symbol near '='"] = "return {\n= }",
            ["bad.lua:1: '=' expected near 'pack'"] = "this pack is prose",
            ["bad.lua: unknown kind `color`"] =
                "return { kind = 'color', name = 'bad', api = 1 }",
            ["bad.lua: lacks `kind`"] = "return { name = 'bad', api = 1 }",
            ["bad.lua: lacks `check`"] =
                "return { kind = 'keys', name = 'bad', api = 1, keys = {} }",
            ["bad.lua: lacks `keys` or `prefixes`"] = keys_pack(""),
            ["bad.lua: a pack returns a plain table"] = "return 'pack'",
            ["bad.lua: unknown member `key`"] = keys_pack("key = {}"),
            ["bad.lua:2: `helper` would be a global: write `local helper`"] =
                "local x\nfunction helper() end",
            ["bad.lua:1: the budget of 0.05 s of processor time is used up"] =
                "while true do end",
            ["bad.lua:2: the budget of 16 MiB of memory is used up"] =
                "local s = 'x'\nwhile true do s = s .. s end",
            ["bad.lua: fails while loading: an error that is a table"] = "error({})",
            ["the budget of 0.05 s"] = "return { kind = 'keys', name = 'bad', api = 1, keys = {},\n"
                .. "check = function() while true do end end }",
            ["bad.lua:3: boom"] = keys_pack("start = function() error('boom') end, keys = {}"),
            ["the keys pack `bad` does not start: bad.lua:3: the budget of 0.05 s"] =
                keys_pack("start = function() while true do end end, keys = {}"),
        }) do
            assert_refused(text, message)
        end
    end)

    it("that writes a global when it is asked fails", function()
        assert_fails(provider("counter = 1"), "bad.lua:3: `counter` would be a global")
    end)

    it("that never ends is stopped", function()
        for _, body in ipairs({
            "while true do end", "repeat until false", "for i = 1, math.huge do end",
            "local function f() return f() end f()", "::again:: goto again",
            "local t = { 1 } while true do table.sort(t) end",
            "local t = { 3, 2, 1 } table.sort(t, function() while true do end end)",
            "('x'):gsub('x', function() while true do end end)",
            "while true do tools.now() end", "while true do tools.sha256('x') end",
            "while true do local x = context.http end",
        }) do
            assert_fails(provider(body), "of processor time is used up")
        end
    end)

    it("that calls itself for ever is stopped", function()
        for _, body in ipairs({
            "local function f() return 1 + f() end f()",
            "local function f() return (('x'):gsub('.', f)) end f()",
            "local function f() table.sort({ 3, 2, 1 }, f) return true end f()",
        }) do
            local estate = assert(open(provider(body)))
            local decision = ask(estate, "bad")
            assert.same({ false, "error" }, { decision.allowed, decision.reason })
            assert.is_true(ask(estate, "good").allowed)
        end
    end)

    it("that wants all the memory is stopped", function()
        for _, body in ipairs({
            "local s = 'x' while true do s = s .. s end",
            "local s = 'x' while true do s = s .. s .. s .. s end",
            "local s = ('x'):rep(2 ^ 20) local t = {} for i = 1, 1e9 do t[i] = s .. i end",
            "local t = {} for i = 1, 1e9 do t[i] = i end",
            "local t = {} for i = 1, 1e9 do t = { t } end",
            "local t = {} for i = 1, 1e9 do t[i] = {} tools.now() end",
        }) do
            assert_fails((provider(body):gsub("keys =", "limits = { seconds = 20 }, keys =", 1)),
                         "16 MiB of memory is used up")
            collectgarbage()
        end
    end)

    it("cannot make an error that runs code when it is told", function()
        assert_fails(provider("error(setmetatable({}, { __tostring = error }))"),
                     "unknown name `setmetatable`")
        for _, value in ipairs({ "{}", "{ __tostring = error }", "context", "tools" }) do
            assert_fails(provider(("error(%s)"):format(value)), "an error that is a table")
        end
        assert_fails(provider("error(tools.now)"), "an error that is a function")
        assert_fails(provider("return nil, {}"), "table: ")
    end)

    it("that answers what is no value fails", function()
        for _, body in ipairs({
            "return {{}}", "return function() end", "return tools", "return { a = 'b' }",
            "return 0 / 0", "local t = {} t[1] = t return t", "local t = {} t.t = t return t",
            "return { 'yes', nil, 'yes' }", "return context", "return context.http",
        }) do
            assert_fails(provider(body), "answered something else than ")
        end
        local estate = assert(open((provider("return true"):gsub("keys =",
            'types = { ["acme:Bad"] = "string" }, keys =', 1))))
        assert.matches("answered something else than string", ask(estate, "bad").error, 1, true)
    end)

    it("that answers ten megabytes fails", function()
        local estate = assert(open((provider("local s = ('x'):rep(2 ^ 20) "
            .. "return s .. s .. s .. s .. s .. s .. s .. s .. s .. s")
            :gsub("keys =", "limits = { memory = 100 }, keys =", 1))))
        local decision = ask(estate, "bad")
        assert.same({ false, "error" }, { decision.allowed, decision.reason })
        assert.matches("acme:bad", decision.error, 1, true)
        assert.is_true(#decision.error < 1000)
        assert.is_true(ask(estate, "good").allowed)
    end)

    it("cannot change the request", function()
        for _, body in ipairs({
            "context.request = nil", "context.request = {}", "context.http = { method = 'PUT' }",
            "context.principal = { arn = 'admin' }", "context.now = 0", "context.new = 1",
        }) do
            assert_fails(provider(body .. " return 'yes'"), "the context is read-only: `")
        end
        -- What is in it are copies.
        local lines = {}
        local estate = assert(open([[
            local function spoil(context)
                for _, name in ipairs({ "request", "http", "api", "principal", "estate" }) do
                    local member = context[name]
                    for key in pairs(member or {}) do member[key] = nil end
                    if member then member.arn, member.path = "admin", "/admin" end
                end
            end
            return { kind = "hooks", name = "bad", api = 1, priority = 1,
                check = function() return true end, before = spoil, after = spoil, log =
                function(context, decision, _, tools)
                    spoil(decision) spoil(context)
                    decision.allowed = not decision.allowed
                end }]], function(line) lines[#lines + 1] = line end))
        local request = { api = "good", path = "/dev/x", headers = { a = "b" } }
        local decision = estate:authorize(request)
        assert.is_true(decision.allowed)
        assert.same({ api = "good", path = "/dev/x", headers = { a = "b" } }, request)
        assert.is_nil(ask(estate, "bad").hook)
        assert.is_false(ask(estate, "bad").allowed)
        assert.same({}, lines)
    end)
end)


describe("what a private pack sees", function()
    -- Whatever can be reached from what the pack is handed, as `path = type`.
    local SEEK = [[
        local found, seen = {}, {}
        local function seek(value, path, depth)
            local kind = type(value)
            found[#found + 1] = path .. "=" .. kind
            if kind == "table" and not seen[value] and depth < 12 then
                seen[value] = true
                for name, member in pairs(value) do
                    seek(name, path .. ".key", depth + 1)
                    seek(member, path .. "." .. tostring(name), depth + 1)
                end
            end
        end
        for _, name in ipairs({ "api", "endpoint", "stage", "domain", "gate", "http", "peer",
                                "client_ip", "claims", "client_certificate", "principal", "now",
                                "route", "connection", "request", "estate" }) do
            seek(context[name], name, 1)
        end
        return table.concat(found, " ")]]

    it("is plain data, no set, no policy, no function but `match`", function()
        local seek = provider(SEEK)
        local estate = assert(estates.open("estate.lua", {
            now = os.time, read = function(path)
                if path == "estate.lua" then
                    return HEAD .. [[
                        vpc "vpc-1" { cidr = "10.0.0.0/16" }
                        endpoint "vpce-1" { service = "execute-api", vpc = "vpc-1",
                                            policy = "good.json" }
                        trusted_proxies { "192.0.2.0/24" }
                        api "lambda" { endpoint_type = "PRIVATE", stages = { "dev" },
                            authorization = "LAMBDA", policy = "bad.json",
                            authorizer = function() end,
                            domains = { ["d.example.com"] = { id = "d1", stage = "dev",
                                        policy = "bad.json", vpc_endpoints = "vpce-1" } } }
                        principal "ann" { arn = "arn:aws:iam::111122223333:user/ann",
                            policies = "identity.json", tags = { team = "blue" } }]]
                elseif path == "identity.json" then
                    return '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*",'
                        .. '"Resource":"*"}]}'
                elseif path == "bad.lua" then
                    return seek
                end
                return FILES[path] or plain.read(path)
            end,
        }))
        local other = {} -- as another pack keeps things for the connection
        local request = { api = "lambda", host = "d.example.com", path = "/x", vpce = "vpce-1",
                          principal = "ann", claims = { sub = "x" }, headers = { a = "b" },
                          client_certificate = { subject = "x" }, client_ip = "10.0.0.1",
                          connection = { [other] = { "secret" }, mine = "1" },
                          authorizer = { error = "x" } }
        local context = { request = request, api = estate.apis.lambda, now = 1,
                          endpoint = estate.endpoints["vpce-1"], estate = estate.visible,
                          principal = { arn = "x", tags = { team = "blue" } },
                          connection = request.connection,
                          domain = estate.apis.lambda.domains["d.example.com"] }
        local texts = assert(estate.keys:resolve("acme:Bad", context))
        machine.assert_untouched()
        assert.matches("api.id=string", texts, 1, true)
        assert.matches("endpoint.id=string", texts, 1, true)
        assert.matches("connection.mine=string", texts, 1, true)
        for path, kind in texts:gmatch("(%S+)=(%S+)") do
            assert.is_true(kind == "string" or kind == "number" or kind == "boolean"
                or kind == "table" or kind == "nil" or path:find("%.match$") ~= nil,
                path .. " is a " .. kind)
            assert.is_nil(path:find("policy"), path)
        end
        assert.is_nil(texts:find("secret", 1, true))
    end)

    it("is its own state and tools", function()
        local estate = assert(open([[return { kind = "keys", name = "bad", api = 1,
            check = function() return true end,
            start = function(config, tools)
                tools.hex = function() return "mine" end
                tools.limits.open = "absent"
                config.word = "mine"
                return { secret = 1 }
            end,
            keys = { ["acme:Bad"] = function(_, config, tools)
                return tools.state.secret == 1 and tools.hex("x") == "mine" and "yes"
            end } }]]))
        assert.is_true(ask(estate, "bad").allowed)
        assert.equal("78", estate.runners["keys/good"].tools.hex("x"))
        assert.is_nil(estate.runners["keys/good"].tools.state)
        assert.equal("deny", estate.runners["keys/bad"].limits.open)
    end)
end)


describe("the guard rails", function()
    it("hold while one task waits and others run", function()
        local env, methods = environments.new(true)
        rawset(env, "wait", function() return budgets.outside(coroutine.yield) end)
        local body = machine.body("wait() local s = 'x' while true do s = s .. s end", env)
        local budget = budgets.new({ seconds = 10 }, methods)
        local tasks = {}
        for i = 1, 5 do
            tasks[i] = coroutine.create(function() return budget:call(body) end)
            assert.is_true(coroutine.resume(tasks[i]))
            machine.assert_untouched()
        end
        local estate = assert(open(provider("while true do end")))
        for i = 1, 5 do
            assert.equal("error", ask(estate, "bad").reason)
            assert.is_true(ask(estate, "good").allowed)
            local _, ok, err = coroutine.resume(tasks[i])
            machine.assert_untouched()
            assert.is_false(ok)
            assert.matches("16 MiB of memory", err, 1, true)
        end
    end)
end)
