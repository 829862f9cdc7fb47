-- What a server answers when it has failed itself, protocol by protocol: never an allow.
local hosts = require("postern.host.uv")
local protocols = require("postern.protocols")
local reloads = require("postern.reload")
local servers = require("postern.server")
local commands = require("spec.support.commands")
local loop = require("spec.support.loop")
local json = require("dkjson")


local POLICY = [[{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
"Action":"execute-api:Invoke","Resource":"execute-api:/dev/GET/*"}]}]]

local ESTATE = [[
account "111122223333"
region "eu-central-1"
api "a1b2c3d4e5" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
                   policy = "policy.json" }
]]

local QUESTION = { api = "a1b2c3d4e5", stage = "dev", method = "GET", path = "/pets" }

local JSON = { ["Content-Type"] = "application/json" }

local WHERE = { api = "a1b2c3d4e5", stage = "dev", peers = { "127.0.0.1" } }

local function with(more)
    local all = {}
    for _, list in ipairs({ WHERE, more }) do
        for name, value in pairs(list) do
            all[name] = value
        end
    end
    return all
end

-- Each protocol: its options, a call that the policies allow, whether an answer allows it, and what
-- is answered where it could not be decided: the status, and the body where there is one.
local ROWS = {
    { "/auth", with({ protocol = "forward", profile = "nginx" }), {
        path = "/auth", headers = { ["X-Original-Method"] = "GET", ["X-Original-URI"] = "/pets",
            ["X-Original-Host"] = "a", ["X-Original-Scheme"] = "https",
            ["X-Real-IP"] = "192.0.2.1" },
    }, function(got) return got.status >= 200 and got.status < 300 end, 403, "^$" },
    { "/forward", with({ protocol = "forward", profile = "forwarded" }), {
        path = "/forward", headers = { ["X-Forwarded-Method"] = "GET",
            ["X-Forwarded-Uri"] = "/pets", ["X-Forwarded-Host"] = "a",
            ["X-Forwarded-Proto"] = "https", ["X-Forwarded-For"] = "192.0.2.1" },
    }, function(got) return got.status >= 200 and got.status < 300 end, 403, "Forbidden" },
    -- Envoy may be told to let pass what is answered with 5xx.
    { "/envoy", with({ protocol = "ext_authz", address = "unknown", scheme = "http" }),
        { path = "/envoy/pets" },
        function(got) return got.status == 200 or got.status >= 500 end, 403, "Forbidden" },
    { "/v1/data", { protocol = "opa", peers = { "127.0.0.1" },
        data = { pets = { api = "a1b2c3d4e5", stage = "dev" } } }, {
        path = "/v1/data/pets", method = "POST", headers = JSON, body = json.encode({ input = {
            type = "http", request = { scheme = "http", path = "/pets", method = "GET", port = 80,
                host = "a", headers = { host = "a" } },
            var = { remote_addr = "192.0.2.1", server_addr = "192.0.2.2" },
        } }),
    }, function(got)
        local body = json.decode(got.body)
        return type(body) == "table" and body.result ~= nil and body.result.allow == true
    end, 500, "internal_error" },
    { "/v1/decide", { protocol = "native" }, {
        path = "/v1/decide", method = "POST", headers = JSON, body = json.encode(QUESTION),
    }, function(got) return json.decode(got.body).allowed == true end, 500,
        "Internal Server Error" },
    { "/access", { protocol = "authzen", profile = "gateway", api = "a1b2c3d4e5", stage = "dev" }, {
        path = "/access/v1/evaluation", method = "POST", headers = JSON, body = json.encode({
            subject = { type = "user", id = "a" }, action = { name = "GET" },
            resource = { type = "route", id = "/pets" },
        }),
    }, function(got)
        local body = json.decode(got.body)
        return type(body) == "table" and body.decision == true
    end, 500, "Internal Server Error" },
}


describe("a failure of the server's own", function()
    local host, before, server, raises

    before_each(function()
        before, raises = loop.open_handles(), false
        host = hosts.new({ log = function() end })
    end)

    after_each(function()
        if server then
            server:close()
            server = nil
        end
        host:close()
        assert.equal(before, loop.open_handles())
    end)

    -- The protocols themselves, which raise where the spec says so.
    local function fragile()
        local all = {}
        for name, protocol in pairs(protocols) do
            all[name] = { new = function(options)
                local made = protocol.new(options)
                local outer = setmetatable({}, { __index = made })
                function outer.handle(_, ...)
                    if raises then
                        error("oh")
                    end
                    return made:handle(...)
                end
                if made.handle_at_once then
                    function outer.handle_at_once(_, ...)
                        if raises then
                            error("oh")
                        end
                        return made:handle_at_once(...)
                    end
                end
                return outer
            end }
        end
        return all
    end

    local function each(limits, fn)
        commands.with_files({ ["estate.lua"] = ESTATE, ["policy.json"] = POLICY }, function(folder)
            host:block(function()
                local endpoints = {}
                for _, row in ipairs(ROWS) do
                    endpoints[row[1]] = row[2]
                end
                local reload = assert(reloads.new(folder .. "/estate.lua", { host = host }))
                local settings = assert(servers.check({ listen = "127.0.0.1:0", limits = limits,
                    endpoints = endpoints }))
                server = assert(servers.new({ host = host, reload = reload, settings = settings,
                    protocols = fragile() }))
                assert(server:bind())
                assert(server:listen())
                for _, row in ipairs(ROWS) do
                    fn(row, function()
                        local call = { method = "GET" }
                        for name, value in pairs(row[3]) do
                            call[name] = value
                        end
                        call.url, call.path = "http://" .. server:addresses()[1] .. call.path, nil
                        return assert(host:http(call))
                    end)
                end
            end)
        end)
    end

    local function check(row, got)
        assert.is_false(row[4](got), row[1])
        assert.equal(row[5], got.status, row[1])
        assert.matches(row[6], got.body)
        assert.not_matches("oh", got.body, 1, true)
        assert.not_matches("spec/", got.body, 1, true)
    end

    it("is what each protocol takes for a denial, when a handler raises", function()
        each({}, function(row, call)
            raises = false
            assert.is_true(row[4](call()), row[1])
            raises = true
            check(row, call())
        end)
    end)

    it("is so when deciding raises, or the estate is gone", function()
        each({}, function(row, call)
            local reload = server.reload
            assert.is_true(row[4](call()), row[1]) -- the next one can be decided at once
            reload.authorize = function() error("oh") end
            reload.decide_plain = reload.authorize
            check(row, call())
            reload.authorize = function() return nil end
            reload.decide_plain = reload.authorize
            check(row, call())
            reload.authorize, reload.decide_plain = nil, nil
            local generation = reload.generation
            reload.generation = nil
            check(row, call())
            reload.generation = generation
            assert.is_true(row[4](call()), row[1])
        end)
    end)

    it("is so when deciding takes too long", function()
        each({ answer_seconds = 0.1 }, function(row, call)
            server.reload.decide_plain = function() return nil, false end
            server.reload.authorize = function()
                host:sleep(5)
                return { allowed = true, decision = "Allowed", reason = "allow", status = 200 }
            end
            check(row, call())
        end)
    end)
end)
