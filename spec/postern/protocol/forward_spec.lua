local messages = require("spec.support.messages")
local forward = require("postern.protocol.forward")


local ESTATE = messages.estate([[
account "111122223333" region "eu-central-1"
trusted_proxies { "198.51.100.0/24" }
vpc "vpc-1" { cidr = "10.0.0.0/16" }
endpoint "vpce-1" { service = "execute-api", vpc = "vpc-1" }
api "pets" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
             policy = "pets.json", domains = { ["pets.example.com"] = { stage = "dev" } } }
api "inner" { endpoint_type = "PRIVATE", authorization = "NONE", stages = { "dev" },
              policy = "inner.json" }
rules "tag.lua"
]], {
    ["pets.json"] = [[{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Principal":"*","Action":"*","Resource":"execute-api:/dev/GET/pets/*"},
        {"Effect":"Allow","Principal":"*","Action":"*","Resource":"execute-api:/dev/GET/office",
         "Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}},
        {"Effect":"Allow","Principal":"*","Action":"*","Resource":"execute-api:/dev/GET/far",
         "Condition":{"IpAddress":{"aws:XfwdIp":"203.0.113.0/24"}}},
        {"Effect":"Allow","Principal":"*","Action":"*","Resource":"execute-api:/dev/GET/secure",
         "Condition":{"Bool":{"aws:SecureTransport":"true"}}},
        {"Effect":"Allow","Principal":"*","Action":"*","Resource":"execute-api:/dev/GET/agent",
         "Condition":{"StringEquals":{"aws:UserAgent":"robot"}}}]}]],
    ["inner.json"] = [[{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{
         "StringEquals":{"aws:SourceVpce":"vpce-1"},
         "IpAddress":{"aws:VpcSourceIp":"10.0.0.0/16"}}}]}]],
    ["tag.lua"] = [[return { kind = "hooks", name = "tag", api = 1,
        check = function() return true end,
        before = function(context)
            if context.http and context.http.path == "/pets/busy" then
                return { deny = "busy", status = 429, headers = { ["retry-after"] = "7" } }
            end
        end }]],
})


-- What each profile's proxy sends for one call.
local SENT = {
    nginx = function(call)
        return { ["x-original-method"] = call.method, ["x-original-uri"] = call.target,
                 ["x-original-host"] = call.host, ["x-original-scheme"] = call.scheme,
                 ["x-real-ip"] = call.address, ["x-forwarded-for"] = call.forwarded }
    end,
    ["ingress-nginx"] = function(call)
        return { ["x-original-method"] = call.method,
                 ["x-original-url"] = call.scheme .. "://" .. call.host .. call.target,
                 ["x-real-ip"] = call.address, ["x-forwarded-for"] = call.forwarded,
                 ["x-sent-from"] = "nginx-ingress-controller" }
    end,
    forwarded = function(call)
        return { ["x-forwarded-method"] = call.method, ["x-forwarded-uri"] = call.target,
                 ["x-forwarded-host"] = call.host, ["x-forwarded-proto"] = call.scheme,
                 ["x-forwarded-for"] = call.forwarded
                     and call.forwarded .. ", " .. call.address or call.address }
    end,
}

local PROTOCOLS = {}
for profile in pairs(SENT) do
    PROTOCOLS[profile] = forward.new({ profile = profile, peers = { "127.0.0.1", "unix:" },
                                       api = "pets", stage = "dev" })
end


local function headers_of(profile, call)
    local full = { method = "GET", target = "/pets/7", host = "api.example.com",
                   scheme = "https", address = "192.0.2.7" }
    for name, value in pairs(call or {}) do
        full[name] = value
    end
    local headers = SENT[profile](full)
    for name, value in pairs(call and call.headers or {}) do
        headers[name] = value or nil
    end
    return headers
end


local function ask(profile, call, protocol, members)
    members = members or {}
    members.headers = headers_of(profile, call)
    return messages.answer(protocol or PROTOCOLS[profile],
                           messages.message("GET", "/auth", members), messages.asker(ESTATE))
end


for profile in pairs(SENT) do
    describe("forwarded authorization with the profile " .. profile, function()
        it("lets through what the policies allow, and nothing else", function()
            local answer = ask(profile, nil, nil, { id = "id-7" })
            assert.same({ 200, nil, "allow" }, { answer.status, answer.body,
                answer.headers["x-postern-decision"] })
            assert.equal(403, ask(profile, { method = "POST" }).status)
            assert.equal(403, ask(profile, { target = "/admin" }).status)
            assert.equal(200, ask(profile, nil, nil, { peer = "unix:" }).status)
        end)

        it("decides on the target as nginx reads it, and on nothing ambiguous", function()
            assert.equal(200, ask(profile, { target = "/p%65ts/7?x=/admin" }).status)
            for _, target in ipairs({ "/pets/../admin", "/pets/%2e%2e/admin", "/pets/..%2fadmin",
                                      "//pets/7", "/pets//7", "/pets/7#x", "/pets/7;x",
                                      "/pets\\7", "/pets/%00", "/pets/%zz", "/pets/%252e",
                                      "/pets/\192\174" }) do
                local answer = ask(profile, { target = target })
                assert.is_true(answer.status == 400 or answer.status == 403, target)
                assert.equal("deny", answer.headers["x-postern-decision"])
            end
            assert.equal(403, ask(profile, { target = "/ADMIN" }).status)
        end)

        it("believes nobody who is not listed", function()
            for _, peer in ipairs({ "192.0.2.1", "127.0.0.2", "::1" }) do
                local answer = ask(profile, nil, nil, { peer = peer })
                assert.equal(403, answer.status)
                assert.is_truthy(answer.why:find(peer, 1, true))
            end
        end)

        it("denies when a header is missing, doubled, empty or malformed", function()
            for name, value in pairs(headers_of(profile)) do
                if name ~= "x-sent-from" then
                    for _, wrong in ipairs({ false, { value, value }, "", "a\tb",
                                             ("x"):rep(9000) }) do
                        local answer = ask(profile, { headers = { [name] = wrong } })
                        assert.is_true(answer.status == 403 or answer.status == 400, name)
                        assert.equal("deny", answer.headers["x-postern-decision"], name)
                    end
                end
            end
            for _, wrong in ipairs({ { scheme = "ftp" }, { host = "a b" }, { host = "u@h" },
                                     { target = "http://x/pets/7" }, { method = "get" },
                                     { address = "192.0.2" } }) do
                assert.equal("deny", ask(profile, wrong).headers["x-postern-decision"])
            end
        end)

        it("decides by the client's address, scheme and headers", function()
            assert.equal(200, ask(profile, { target = "/office" }).status)
            assert.equal(403, ask(profile, { target = "/office", address = "203.0.113.1" }).status)
            assert.equal(200, ask(profile, { target = "/secure" }).status)
            assert.equal(403, ask(profile, { target = "/secure", scheme = "http" }).status)
            assert.equal(200, ask(profile, { target = "/agent",
                                             headers = { ["user-agent"] = "robot" } }).status)
            assert.equal(403, ask(profile, { target = "/agent" }).status)
        end)

        it("does not take the client's word for where it is", function()
            -- What stands left of the last address was there before the proxy that asks.
            assert.equal(403, ask(profile, { target = "/office", forwarded = "192.0.2.7",
                                             address = "203.0.113.1" }).status)
            assert.equal(403, ask(profile, { target = "/far", forwarded = "203.0.113.9",
                                             address = "192.0.2.7" }).status)
            assert.equal(200, ask(profile, { target = "/far", forwarded = "203.0.113.9",
                                             address = "198.51.100.7" }).status)
        end)

        it("hands on the client's headers, with its host, and none of the proxy's", function()
            local ask_estate, asked = messages.asker(ESTATE)
            messages.answer(PROTOCOLS[profile], messages.message("GET", "/auth", {
                headers = headers_of(profile, { headers = { cookie = "a=1" } }),
            }), ask_estate)
            local headers = messages.told(asked[1]).headers
            assert.same({ { "a=1" }, { "api.example.com" } }, { headers.cookie, headers.host })
            for name in pairs(headers_of(profile)) do
                local kept = name == "x-sent-from" or name == "x-forwarded-for"
                assert.equal(kept, headers[name] ~= nil, name)
            end
        end)

        it("ignores the headers of the other profiles", function()
            local extra = {}
            for other in pairs(SENT) do
                for name, value in pairs(headers_of(other, { target = "/pets/8" })) do
                    extra[name] = headers_of(profile)[name] == nil and value or nil
                end
            end
            assert.equal(403, ask(profile, { target = "/admin", headers = extra }).status)
        end)

        it("denies when deciding fails", function()
            local status = PROTOCOLS[profile]:handle(messages.message("GET", "/auth", {
                headers = headers_of(profile),
            }), function() error("no") end)
            assert.equal(403, status)
            assert.equal(403, (PROTOCOLS[profile]:failed(messages.message("GET", "/auth"))))
        end)

        it("may stand for a VPC endpoint", function()
            local protocol = forward.new({ profile = profile, peers = { "127.0.0.1" },
                                           api = "inner", stage = "dev", vpce = "vpce-1" })
            assert.equal(200, ask(profile, { address = "10.0.3.4" }, protocol).status)
            assert.equal(403, ask(profile, { address = "192.0.2.7" }, protocol).status)
            local without = forward.new({ profile = profile, peers = { "127.0.0.1" },
                                          api = "inner", stage = "dev" })
            assert.equal(403, ask(profile, { address = "10.0.3.4" }, without).status)
        end)
    end)
end


describe("forwarded authorization", function()
    it("answers nginx with 401 and 403 only, without a body", function()
        for _, profile in ipairs({ "nginx", "ingress-nginx" }) do
            local answer = ask(profile, { target = "/pets/busy" })
            assert.same({ 403, nil }, { answer.status, answer.body })
            answer = ask(profile, { target = "/pets//x" })
            assert.same({ 403, nil }, { answer.status, answer.body })
        end
    end)

    it("tells others what the client can do about it", function()
        local answer = ask("forwarded", { target = "/pets/busy" })
        assert.same({ 429, "7", { message = "Too Many Requests" } },
                    { answer.status, answer.headers["retry-after"], answer.json })
        answer = ask("forwarded", { target = "/admin" })
        assert.same({ message = "Forbidden" }, answer.json)
    end)

    it("chooses the API by host and path, or by the estate's domain names", function()
        local protocol = forward.new({ profile = "nginx", peers = { "127.0.0.1" }, apis = {
            { host = "api.example.com", prefix = "/pets", api = "pets", stage = "dev" },
        } })
        assert.equal(200, ask("nginx", nil, protocol).status)
        assert.equal(403, ask("nginx", { host = "x.example.com" }, protocol).status)
        assert.equal(403, ask("nginx", { target = "/office" }, protocol).status)
        protocol = forward.new({ profile = "nginx", peers = { "127.0.0.1" }, domains = true })
        assert.equal(200, ask("nginx", { host = "Pets.example.com:443" }, protocol).status)
        assert.equal(403, ask("nginx", { host = "api.example.com" }, protocol).status)
    end)

    it("is configured with options that are checked", function()
        local function given(changes)
            local made = { profile = "nginx", peers = { "127.0.0.1" }, api = "pets" }
            for name, value in pairs(changes) do
                made[name] = value or nil
            end
            return made
        end
        for expected, changes in pairs({
            ["`profile` is missing"] = { profile = false },
            ["`profile` is `auto`: there are `forwarded`, `ingress-nginx`, `nginx`"] = {
                profile = "auto" },
            ["`peers` is missing"] = { peers = false },
            ["`peers`: `::/0` is everybody"] = { peers = { "::/0" } },
            ["give one of `api`"] = { api = false },
            ["`domains`: what this protocol is told of the host proves nothing"] = {
                profile = "ingress-nginx", api = false, domains = true },
            ["`apis`: entry 1: `host`"] = { profile = "ingress-nginx", api = false,
                apis = { { host = "a.example.com", api = "a" } } },
            ["unknown option `address`"] = { address = "x-real-ip" },
        }) do
            local fault = forward.fault(given(changes))
            assert.equal(expected, fault and fault:sub(1, #expected))
            assert.is_false(pcall(forward.new, given(changes)))
        end
        assert.is_nil(forward.fault(given({})))
    end)
end)


describe("forwarded authorization at once", function()
    local estate = messages.estate([[
account "111122223333" region "eu-central-1"
api "pets" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
             policy = "pets.json" }
]], {
        ["pets.json"] = [[{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Principal":"*","Action":"*","Resource":"execute-api:/dev/GET/pets/*",
             "Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}]}]],
    })
    local decide, asked = messages.asker(estate)

    for profile in pairs(SENT) do
        it("says what it says otherwise, of the profile " .. profile, function()
            local told = 0
            for _, call in ipairs({ {}, {}, { target = "/pets/8?a=b" }, { target = "/admin" },
                                    { address = "198.51.100.7" }, { method = "POST" },
                                    { target = "/pets/../admin" }, { host = "a b" },
                                    { scheme = "ftp" }, { address = "nobody" } }) do
                local message = messages.message("GET", "/auth", {
                    headers = headers_of(profile, call), id = "id-1" })
                -- What is answered at once is compared there.
                local general = messages.answer(PROTOCOLS[profile], message, decide)
                local count = #asked
                local status = messages.at_once(PROTOCOLS[profile], message, decide)
                assert.equal(count, #asked)
                assert.is_true(status == nil or status == general.status)
                told = told + (status and 1 or 0)
            end
            assert.equal(6, told)
        end)
    end

    it("is for listed peers, with each header once", function()
        local function at_once(call, members)
            members = members or {}
            members.headers = headers_of("nginx", call)
            return (messages.at_once(PROTOCOLS.nginx, messages.message("GET", "/auth", members),
                                     decide))
        end
        assert.equal(200, at_once())
        assert.is_nil(at_once(nil, { peer = "192.0.2.1" }))
        for name in pairs(headers_of("nginx")) do
            assert.is_nil(at_once({ headers = { [name] = false } }), name)
            assert.is_nil(at_once({ headers = { [name] = { "a", "b" } } }), name)
        end
    end)
end)
