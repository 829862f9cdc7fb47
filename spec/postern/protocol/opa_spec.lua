local messages = require("spec.support.messages")
local opa = require("postern.protocol.opa")


local ESTATE = messages.estate([[
account "111122223333" region "eu-central-1"
api "pets" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
             policy = "pets.json", domains = { ["pets.example.com"] = { stage = "dev" } } }
api "iam" { endpoint_type = "REGIONAL", authorization = "IAM", stages = { "dev" } }
rules "tag.lua"
]], {
    ["pets.json"] = [[{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Principal":"*","Action":"*","Resource":"execute-api:/dev/GET/pets/*"},
        {"Effect":"Allow","Principal":"*","Action":"*","Resource":"execute-api:/dev/GET/office",
         "Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}},
        {"Effect":"Allow","Principal":"*","Action":"*","Resource":"execute-api:/dev/GET/agent",
         "Condition":{"StringEquals":{"aws:UserAgent":"robot"}}}]}]],
    ["tag.lua"] = [[return { kind = "hooks", name = "tag", api = 1,
        check = function() return true end,
        before = function(context)
            if context.http and context.http.path == "/pets/busy" then
                return { deny = "busy", status = 429, headers = { ["retry-after"] = "7" } }
            end
        end,
        after = function(context, decision)
            if context.http and context.http.path == "/pets/tagged" then
                return { headers = { ["x-tag"] = "1" } }
            end
        end }]],
})


local OPA = opa.new({ peers = { "127.0.0.1" }, data = {
    ["httpapi/pets"] = { api = "pets", stage = "dev" }, iam = { api = "iam", stage = "dev" },
    domains = { domains = true },
} })

-- As the APISIX plugin sends it.
local function input(changes, more)
    local request = {
        scheme = "https", method = "GET", host = "api.example.com", port = 443, path = "/pets/7",
        headers = { host = "api.example.com", ["user-agent"] = "robot" },
        query = { a = "1", b = { "2", "3" }, c = true },
    }
    for name, value in pairs(changes or {}) do
        request[name] = value
        if value == false then
            request[name] = nil
        end
    end
    local made = { type = "http", request = request, var = {
        server_addr = "127.0.0.1", server_port = "443", remote_addr = "192.0.2.7",
        remote_port = "4000", timestamp = 1700000000,
    } }
    for name, value in pairs(more or {}) do
        made[name] = value or nil
    end
    return made
end


local function send(body, path, members)
    local ask, asked = messages.asker(ESTATE)
    local answer = messages.answer(OPA, messages.post(path or "/v1/data/httpapi/pets", body,
                                                      members), ask)
    answer.asked = asked[1]
    return answer
end

local function ask(changes, more, path)
    return send({ input = input(changes, more) }, path)
end


describe("OPA's data API", function()
    it("answers what the plugin of APISIX takes", function()
        local answer = ask()
        assert.same({ 200, { result = { allow = true } } }, { answer.status, answer.json })
        assert.equal("application/json", answer.headers["content-type"])
        answer = ask({ method = "POST" })
        assert.same({ allow = false, reason = "Forbidden", status_code = 403 },
                    { allow = answer.json.result.allow, reason = answer.json.result.reason,
                      status_code = answer.json.result.status_code })
        assert.equal(200, answer.status)
    end)

    it("asks about the routed call", function()
        local asked = ask().asked
        table.sort(asked.query, function(a, b) return a[1] .. a[2] < b[1] .. b[2] end)
        assert.same({
            api = "pets", stage = "dev", scheme = "https", method = "GET",
            host = "api.example.com", path = "/pets/7", peer = "192.0.2.7",
            headers = { host = { "api.example.com" }, ["user-agent"] = { "robot" } },
            query = { { "a", "1" }, { "b", "2" }, { "b", "3" }, { "c", "" } },
        }, asked)
        assert.is_true(ask({ path = "/agent" }).json.result.allow)
        assert.is_true(ask({ path = "/office" }).json.result.allow)
        assert.is_false(ask({ path = "/office" }, { var = { remote_addr = "198.51.100.1" } })
            .json.result.allow)
        for _, path in ipairs({ "/pets//7", "/pets/../x", "/pets/7;x", "pets", "/pets/%2e" }) do
            assert.is_false(ask({ path = path }).json.result.allow, path)
        end
        assert.equal(200, ask({ query = {} }).status)
        assert.equal(200, ask({ query = false, headers = false }).status)
        assert.equal(200, send('{"input":{"request":{"scheme":"https","method":"GET","host":"a",'
            .. '"path":"/pets/7","query":[]},"var":{"remote_addr":"192.0.2.7"}}}').status)
    end)

    it("hands on headers and statuses", function()
        local result = ask({ path = "/pets/busy" }).json.result
        assert.same({ false, 429, "7" }, { result.allow, result.status_code,
                                           result.headers["retry-after"] })
        assert.same({ allow = true, headers = { ["x-tag"] = "1" } },
                    ask({ path = "/pets/tagged" }).json.result)
    end)

    it("says no more to the client than the status", function()
        for _, answer in ipairs({ ask({ path = "/x" }), ask({ path = "/x" }, nil, "/v1/data/iam"),
                                  ask({ path = "/pets//x" }) }) do
            assert.is_false(answer.json.result.allow)
            for _, word in ipairs({ "no_allow", "authentication", "arn:", "pets.json",
                                    ESTATE.revision, "segment" }) do
                assert.is_nil(answer.body:find(word, 1, true), word)
            end
        end
    end)

    it("finds the API by the estate's domain names", function()
        assert.is_true(ask({ host = "pets.example.com" }, nil, "/v1/data/domains")
            .json.result.allow)
        assert.is_false(ask(nil, nil, "/v1/data/domains").json.result.allow)
    end)

    it("is undefined where nothing is configured, and without an input", function()
        for _, path in ipairs({ "/v1/data/other", "/v1/data/httpapi", "/v1/data/httpapi/pets/x" })
        do
            local answer = ask(nil, nil, path)
            assert.same({ 200, "{}" }, { answer.status, answer.body })
            assert.is_nil(answer.asked)
        end
        assert.equal("{}", send("{}").body)
        assert.equal("{}", send("").body)
        assert.equal(404, ask(nil, nil, "/v2/data/httpapi/pets").status)
        assert.equal(404, ask(nil, nil, "/v1/data/").status)
    end)

    it("takes GET, and the raw input of v0", function()
        local cjson = require("cjson.safe")
        local text = cjson.encode(input()):gsub("[^%w]", function(char)
            return ("%%%02X"):format(char:byte())
        end)
        local function get(target)
            return messages.answer(OPA, messages.message("GET", target), messages.asker(ESTATE))
        end
        assert.same({ result = { allow = true } },
                    get("/v1/data/httpapi/pets?pretty=true&input=" .. text).json)
        assert.equal("{}", get("/v1/data/httpapi/pets").body)
        assert.equal(400, get("/v1/data/httpapi/pets?input=" .. text .. "&input=" .. text).status)
        assert.equal(400, get("/v1/data/httpapi/pets?input={").status)
        assert.same({ allow = true }, send(input(), "/v0/data/httpapi/pets").json)
        assert.equal(404, send(input(), "/v0/data/other").status)
        assert.equal(405, get("/v0/data/httpapi/pets").status)
    end)

    it("tells the id of the decision", function()
        local answer = send({ input = input() }, nil, { id = 'a"b' })
        assert.same({ decision_id = 'a"b', result = { allow = true } }, answer.json)
    end)

    it("refuses what it cannot read, as OPA does", function()
        for why, body in pairs({
            malformed = "{", ["a list"] = "[]", ["a text"] = { input = "x" },
            ["no request"] = { input = { var = { remote_addr = "192.0.2.7" } } },
            ["no var"] = { input = { request = input().request } },
            ["another type"] = { input = input(nil, { type = "rpc" }) },
            ["no method"] = { input = input({ method = false }) },
            ["no path"] = { input = input({ path = false }) },
            ["no host"] = { input = input({ host = false }) },
            ["a bad host"] = { input = input({ host = "a b" }) },
            ["no scheme"] = { input = input({ scheme = false }) },
            ["no address"] = { input = input(nil, { var = { x = 1 } }) },
            ["a number"] = { input = input({ method = 1 }) },
            ["a header that is a number"] = { input = input({ headers = { a = 1 } }) },
            ["headers that are a text"] = { input = input({ headers = "x" }) },
            ["a parameter that is a number"] = { input = input({ query = { a = 1 } }) },
            ["a query that is a text"] = { input = input({ query = "x" }) },
        }) do
            local answer = send(body)
            assert.same({ 400, "invalid_parameter", "string" },
                        { answer.status, answer.json.code, type(answer.json.message) }, why)
            assert.is_nil(answer.asked)
        end
        assert.equal(400, send({ input = input() }, nil,
                               { headers = { ["content-encoding"] = "gzip" } }).status)
    end)

    it("is asked by listed peers only", function()
        local answer = send({ input = input() }, nil, { peer = "192.0.2.1" })
        assert.same({ 403, "unauthorized" }, { answer.status, answer.json.code })
        local tokens = opa.new({ peers = { "bearer:" .. ("0"):rep(64) },
                                 data = { x = { api = "pets" } } })
        answer = messages.answer(tokens, messages.post("/v1/data/x", {}), error)
        assert.same({ 401, "Bearer" }, { answer.status, answer.headers["www-authenticate"] })
    end)

    it("answers 500 when deciding fails, which no gateway takes for an allow", function()
        for _, fails in ipairs({
            function() error("secret") end,
            function() return nil end,
            function()
                return { allowed = false, decision = "ImplicitlyDenied", reason = "error",
                         status = 500, error = "secret" }
            end,
        }) do
            local answer = messages.answer(OPA, messages.post("/v1/data/httpapi/pets",
                                                              { input = input() }), fails)
            assert.same({ 500, "internal_error" }, { answer.status, answer.json.code })
            assert.is_nil(answer.json.result)
            assert.is_nil(answer.body:find("secret", 1, true))
        end
    end)

    it("is configured with options that are checked", function()
        for expected, given in pairs({
            ["`data` is missing"] = { peers = { "unix:" } },
            ["`peers` is missing"] = { data = { x = { api = "a" } } },
            ["`peers`: "] = { peers = { "x" }, data = { x = { api = "a" } } },
            ["`data` is empty"] = { peers = { "unix:" }, data = {} },
            ["`data`: `x`: give one of"] = { peers = { "unix:" }, data = { x = {} } },
            ["`data`: `x`: unknown option `ap`"] = { peers = { "unix:" },
                                                     data = { x = { ap = "a" } } },
            ["`data`: `1`: give names"] = { peers = { "unix:" }, data = { { api = "a" } } },
        }) do
            local fault = opa.fault(given)
            assert.equal(expected, fault and fault:sub(1, #expected))
            assert.is_false(pcall(opa.new, given))
        end
    end)
end)
