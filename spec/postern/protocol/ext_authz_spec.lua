local messages = require("spec.support.messages")
local ext_authz = require("postern.protocol.ext_authz")


local ESTATE = messages.estate([[
account "111122223333" region "eu-central-1"
api "pets" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
             policy = "pets.json", domains = { ["pets.example.com"] = { stage = "dev" } } }
]], {
    ["pets.json"] = [[{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Principal":"*","Action":"*","Resource":"execute-api:/dev/*/pets/*"},
        {"Effect":"Deny","Principal":"*","Action":"*","Resource":"execute-api:/dev/DELETE/*"},
        {"Effect":"Allow","Principal":"*","Action":"*","Resource":"execute-api:/dev/GET/office",
         "Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}},
        {"Effect":"Allow","Principal":"*","Action":"*","Resource":"execute-api:/dev/GET/secure",
         "Condition":{"Bool":{"aws:SecureTransport":"true"}}}]}]],
})


local function options(changes)
    local made = { path_prefix = "/authz", peers = { "127.0.0.1" }, address = "x-forwarded-for",
                   scheme = "x-forwarded-proto", api = "pets", stage = "dev" }
    for name, value in pairs(changes or {}) do
        made[name] = value or nil
    end
    return made
end


local ENVOY = ext_authz.new(options())

local function ask(method, path, changes, protocol, members)
    local headers = { host = "api.example.com", ["x-forwarded-for"] = "198.51.100.9, 192.0.2.7",
                      ["x-forwarded-proto"] = "https", ["content-length"] = "0" }
    for name, value in pairs(changes or {}) do
        headers[name] = value or nil
    end
    members = members or {}
    members.headers = headers
    local message = messages.message(method, path, members)
    if changes and changes.host == false then
        message.headers.host = nil
    end
    local ask_estate, asked = messages.asker(ESTATE)
    local answer = messages.answer(protocol or ENVOY, message, ask_estate)
    answer.asked = asked[1]
    return answer
end


describe("Envoy's question", function()
    it("has the method and the path of the call", function()
        local answer = ask("PUT", "/authz/pets/7?a=1", nil, nil, { id = "id-7" })
        assert.same({ 200, nil, "allow", "id-7" }, { answer.status, answer.body,
            answer.headers["x-postern-decision"], answer.headers["x-postern-decision-id"] })
        assert.same({ "PUT", "/pets/7?a=1", "api.example.com", "192.0.2.7", "https" },
                    { answer.asked.method, answer.asked.raw_path, answer.asked.host,
                      answer.asked.peer, answer.asked.scheme })
        assert.is_nil(messages.told(answer.asked).headers["content-length"])
        answer = ask("DELETE", "/authz/pets/7")
        assert.same({ 403, "deny", { message = "Forbidden" } },
                    { answer.status, answer.headers["x-postern-decision"], answer.json })
        assert.equal(403, ask("GET", "/authz/admin").status)
        assert.equal(200, ask("GET", "/pets/7", nil, ext_authz.new(options({
            path_prefix = false,
        }))).status)
    end)

    it("begins with the prefix, as it is written", function()
        for _, target in ipairs({ "/pets/7", "/authz", "/authzpets/7", "/Authz/pets/7", "/",
                                  "/%61uthz/pets/7", "/x/../authz/pets/7", "//authz/pets/7",
                                  "*", "http://x/authz/pets/7" }) do
            local answer = ask("GET", target)
            assert.equal(403, answer.status, target)
            assert.is_nil(answer.asked)
        end
    end)

    it("takes the endpoint it was led by for the prefix", function()
        local envoy = ext_authz.new(options({ path_prefix = false }))
        local function at(endpoint, target)
            local message = messages.message("GET", target, { headers = {
                ["x-forwarded-for"] = "192.0.2.7", ["x-forwarded-proto"] = "https" } })
            message.endpoint = endpoint
            return (envoy:handle(message, messages.asker(ESTATE)))
        end
        assert.equal(200, at("/check", "/check/pets/7"))
        assert.equal(200, at("/", "/pets/7"))
        assert.equal(403, at("/check", "/pets/7"))
    end)

    it("is about what everybody reads alike", function()
        for _, target in ipairs({ "/authz/pets/../admin", "/authz/pets/%2e%2e/x",
                                  "/authz//pets/7", "/authz/pets%2F7", "/authz/pets/7;x",
                                  "/authz/pets/7#x" }) do
            assert.equal("deny", ask("GET", target).headers["x-postern-decision"], target)
        end
    end)

    it("comes from a listed peer", function()
        local answer = ask("GET", "/authz/pets/7", nil, nil, { peer = "192.0.2.1" })
        assert.equal(403, answer.status)
        assert.is_nil(answer.asked)
    end)

    it("tells the client's address where configuration says", function()
        assert.equal(200, ask("GET", "/authz/office").status)
        assert.equal(403, ask("GET", "/authz/office",
                              { ["x-forwarded-for"] = "192.0.2.7, 198.51.100.9" }).status)
        for _, wrong in ipairs({ false, "", "192.0.2.7,", { "192.0.2.7", "192.0.2.7" }, "x" }) do
            assert.equal("deny", ask("GET", "/authz/pets/7", { ["x-forwarded-for"] = wrong })
                .headers["x-postern-decision"])
        end
        local external = ext_authz.new(options({ address = "x-envoy-external-address" }))
        assert.equal(200, ask("GET", "/authz/office",
                              { ["x-envoy-external-address"] = "192.0.2.7" }, external).status)
        assert.equal("deny", ask("GET", "/authz/office",
            { ["x-envoy-external-address"] = "192.0.2.9, 192.0.2.7" }, external)
            .headers["x-postern-decision"])
        assert.equal(403, ask("GET", "/authz/office", nil, external).status)
        local unknown = ext_authz.new(options({ address = "unknown" }))
        assert.is_nil(ask("GET", "/authz/pets/7", nil, unknown).asked.peer)
        assert.equal(403, ask("GET", "/authz/office", nil, unknown).status)
    end)

    it("tells the scheme, or configuration does", function()
        assert.equal(200, ask("GET", "/authz/secure").status)
        assert.equal(403, ask("GET", "/authz/secure", { ["x-forwarded-proto"] = "http" }).status)
        assert.equal(403, ask("GET", "/authz/pets/7", { ["x-forwarded-proto"] = false }).status)
        assert.equal(403, ask("GET", "/authz/secure", nil, ext_authz.new(options({
            scheme = "http",
        }))).status)
        assert.equal(200, ask("GET", "/authz/secure", { ["x-forwarded-proto"] = "http" },
                              ext_authz.new(options({ scheme = "https" }))).status)
    end)

    it("has one host", function()
        for _, wrong in ipairs({ false, "", "a b", { "a.example.com", "b.example.com" } }) do
            assert.equal(403, ask("GET", "/authz/pets/7", { host = wrong }).status)
        end
        local domains = ext_authz.new(options({ api = false, stage = false, domains = true }))
        assert.equal(200, ask("GET", "/authz/pets/7", { host = "PETS.example.com:443" }, domains)
            .status)
        assert.equal(403, ask("GET", "/authz/pets/7", nil, domains).status)
    end)

    it("is never answered with a fault that Envoy may pass", function()
        local status, _, body = ENVOY:handle(messages.message("GET", "/authz/pets/7", {
            headers = { host = "a", ["x-forwarded-for"] = "192.0.2.7",
                        ["x-forwarded-proto"] = "https" },
        }), function() error("no") end)
        assert.equal(403, status)
        assert.is_nil(body:find("no", 1, true))
        assert.equal(403, (ENVOY:failed(messages.message("GET", "/authz/pets/7"))))
        assert.equal(403, (ENVOY:handle({}, function() return { allowed = true } end)))
    end)

    it("is configured with options that are checked", function()
        for expected, changes in pairs({
            ["`address` is missing"] = { address = false },
            ["`address` is `x-real-ip`: there are `unknown`"] = { address = "x-real-ip" },
            ["`scheme` is missing"] = { scheme = false },
            ["`scheme` is `ftp`"] = { scheme = "ftp" },
            ["`peers` is missing"] = { peers = false },
            ["`peers`: "] = { peers = { "everybody" } },
            ["`path_prefix`: give a path"] = { path_prefix = "/authz/" },
            ["give one of `api`"] = { api = false, stage = false },
            ["unknown option `prefix`"] = { prefix = "/x" },
        }) do
            local fault = ext_authz.fault(options(changes))
            assert.equal(expected, fault and fault:sub(1, #expected))
            assert.is_false(pcall(ext_authz.new, options(changes)))
        end
        assert.is_nil(ext_authz.fault(options()))
    end)
end)


describe("Envoy's question at once", function()
    it("is answered as otherwise", function()
        local decide, asked = messages.asker(messages.estate([[
account "111122223333" region "eu-central-1"
api "pets" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
             policy = "pets.json" }
]], {
            ["pets.json"] = [[{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
                "Principal":"*","Action":"*","Resource":"execute-api:/dev/*/pets/*"}]}]],
        }))
        local function at_once(path, peer, changes)
            local headers = { host = "api.example.com", ["x-forwarded-for"] = "192.0.2.7",
                              ["x-forwarded-proto"] = "https" }
            for name, value in pairs(changes or {}) do
                headers[name] = value or nil
            end
            local message = messages.message("GET", path, { headers = headers, peer = peer,
                                                            id = "id-1" })
            messages.answer(ENVOY, message, decide) -- and compares
            local count = #asked
            local status = messages.at_once(ENVOY, message, decide)
            assert.equal(count, #asked)
            return status
        end
        assert.equal(200, at_once("/authz/pets/7"))
        assert.equal(200, at_once("/authz/pets/7?a=b"))
        assert.equal(403, at_once("/authz/admin"))
        assert.is_nil(at_once("/authz/pets/../x"))
        assert.is_nil(at_once("/pets/7"))
        assert.is_nil(at_once("/authz/pets/7", "192.0.2.1"))
        assert.is_nil(at_once("/authz/pets/7", nil, { ["x-forwarded-for"] = false }))
        assert.is_nil(at_once("/authz/pets/7", nil, { ["x-forwarded-proto"] = { "a", "b" } }))
    end)
end)
