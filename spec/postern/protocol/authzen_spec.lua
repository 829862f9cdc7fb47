-- What the certification scenario does not ask; that is spec/authzen_scenario_spec.lua.
local messages = require("spec.support.messages")
local authzen = require("postern.protocol.authzen")


local ESTATE = messages.estate([[
account "111122223333" region "eu-central-1"
principal "alice" { arn = "arn:aws:iam::111122223333:user/alice", policies = "records.json" }
api "todos" { endpoint_type = "REGIONAL", authorization = "IAM", stages = { "dev" } }
]], {
    ["records.json"] = [[{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"records:*","Resource":"*"},
        {"Effect":"Deny","Action":"records:Write","Resource":"*",
         "Condition":{"StringEquals":{"subject:team":"red"}}},
        {"Effect":"Deny","Action":"records:Read","Resource":"*",
         "Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}},
        {"Effect":"Allow","Action":"execute-api:Invoke",
         "Resource":"arn:aws:execute-api:eu-central-1:111122223333:todos/dev/GET/todos/*"}]}]],
})

local function options(changes)
    local made = {
        profile = "iam", subjects = { user = "arn:aws:iam::111122223333:user/{id}" },
        action_prefix = "records:", resources = { record = "arn:aws:records:::record/{id}" },
    }
    for name, value in pairs(changes or {}) do
        made[name] = value or nil
    end
    return made
end

local PDP = authzen.new(options())

local RECORD = { type = "record", id = "1" }


local function send(path, body, protocol, members, ask)
    return messages.answer(protocol or PDP, messages.post("/access/v1/" .. path, body, members),
                           ask or messages.asker(ESTATE))
end

local function evaluate(body, protocol, members, ask)
    return send("evaluation", body, protocol, members, ask)
end

local function question(action, properties, context)
    return { subject = { type = "user", id = "alice", properties = properties },
             action = { name = action }, resource = RECORD, context = context }
end


describe("an evaluation", function()
    it("is no for entities that nobody configured", function()
        for _, changes in ipairs({ { subject = { type = "robot", id = "a" } },
                                   { resource = { type = "planet", id = "a" } },
                                   { subject = { type = "user", id = "*" } },
                                   { action = { name = "*" } } }) do
            local body = question("write")
            for name, value in pairs(changes) do
                body[name] = value
            end
            local answer = evaluate(body)
            assert.same({ 200, { decision = false } }, { answer.status, answer.json })
        end
    end)

    it("is no, not a fault, where a policy asks for a value it cannot compare", function()
        assert.is_true(evaluate(question("write")).json.decision)
        local answer = evaluate(question("write", { team = { colour = "red" } }))
        assert.same({ 200, false, 400 }, { answer.status, answer.json.decision,
                                           answer.json.context.error.status })
        -- Where no policy asks for it, it does not matter.
        assert.is_true(evaluate(question("write", { other = { colour = "red" } })).json.decision)
    end)

    it("takes no condition key of AWS from the context, unless it is trusted", function()
        local context = { ["aws:SourceIp"] = "192.0.2.1" }
        assert.is_true(evaluate(question("read", nil, context)).json.decision)
        local trusting = authzen.new(options({ trusted_keys = { "aws:SourceIp" },
                                               peers = { "127.0.0.1" } }))
        assert.is_false(evaluate(question("read", nil, context), trusting).json.decision)
        assert.is_true(evaluate(question("read", nil, { ["aws:SourceIp"] = "198.51.100.1" }),
                                trusting).json.decision)
    end)

    it("is 500 when deciding fails, and an item of a batch false", function()
        for _, fails in ipairs({
            function() error("secret") end,
            function()
                return { allowed = false, decision = "ImplicitlyDenied", reason = "error",
                         status = 500, error = "secret" }
            end,
        }) do
            local answer = evaluate(question("write"), nil, nil, fails)
            assert.same({ 500, "Internal Server Error" }, { answer.status, answer.json or
                answer.body:match('"(.*)"') })
            assert.is_truthy(answer.why:find("secret", 1, true))
        end
        local items = { question("write"), question("read") }
        local answer = send("evaluations", { evaluations = items }, nil, nil, function(request)
            if request.action == "records:write" then
                return { allowed = false, decision = "ImplicitlyDenied", reason = "error",
                         status = 500, error = "secret" }
            end
            return ESTATE:authorize(request)
        end)
        assert.same({ 200, false, 500, true }, { answer.status,
            answer.json.evaluations[1].decision, answer.json.evaluations[1].context.error.status,
            answer.json.evaluations[2].decision })
        assert.is_nil(answer.body:find("secret", 1, true))
    end)

    it("is yes only for what is allowed", function()
        for _, allowed in ipairs({ "true", 1, false }) do
            assert.is_false(evaluate(question("write"), nil, nil, function()
                return { allowed = allowed, decision = "Allowed", reason = "allow", status = 200 }
            end).json.decision)
        end
        assert.is_false(evaluate(question("write"), nil, nil, function()
            return { reason = "x" }
        end).json.decision)
    end)

    it("tells nothing of the policies", function()
        for _, body in ipairs({ question("write", { team = "red" }), question("write"),
                                question("fly", { team = { 1, {} } }) }) do
            local text = evaluate(body).body
            for _, word in ipairs({ "deny", "arn:", "records.json", ESTATE.revision, "Sid" }) do
                assert.is_nil(text:find(word, 1, true), word)
            end
        end
    end)
end)


describe("an evaluation of the profile gateway", function()
    local GATEWAY = authzen.new({
        profile = "gateway", subjects = { identity = "{id}" }, api = "todos", stage = "dev",
    })

    local function call(method, path, id)
        return evaluate({ subject = { type = "identity", id = id or "alice" },
                          action = { name = method }, resource = { type = "route", id = path } },
                        GATEWAY)
    end

    it("is a call of an API", function()
        assert.is_true(call("GET", "/todos/{todoId}").json.decision)
        assert.is_false(call("DELETE", "/todos/{todoId}").json.decision)
        assert.is_false(call("GET", "/users/{userId}").json.decision)
        assert.is_false(call("GET", "/todos/{todoId}", "nobody").json.decision)
    end)

    it("is no where a path can be read in two ways", function()
        for _, path in ipairs({ "/todos/../users", "/todos/%2e%2e/users", "/todos//x",
                                "/todos/a%2Fb", "todos/x" }) do
            local answer = call("GET", path)
            assert.same({ 200, false }, { answer.status, answer.json.decision }, path)
        end
        assert.equal(400, call("GET", "/todos//x").json.context.error.status)
        assert.is_false(call("get", "/todos/x").json.decision)
    end)
end)


describe("evaluations", function()
    it("are refused as a whole when the whole is malformed", function()
        for _, body in ipairs({
            { evaluations = { question("read") }, subject = "alice" },
            { evaluations = { question("read") }, context = 7 },
            { evaluations = { question("read") }, options = "x" },
            { evaluations = { question("read") }, options = { evaluations_semantic = 1 } },
            { evaluations = "x" },
        }) do
            assert.equal(400, send("evaluations", body).status)
        end
        local few = authzen.new(options({ most = 2 }))
        local items = { question("read"), question("read"), question("read") }
        assert.equal(400, send("evaluations", { evaluations = items }, few).status)
        items[3] = nil
        assert.equal(200, send("evaluations", { evaluations = items }, few).status)
    end)

    it("ask nothing more once one has ended them", function()
        local ask, asked = messages.asker(ESTATE)
        send("evaluations", { evaluations = { question("read"), question("read") },
                              options = { evaluations_semantic = "permit_on_first_permit" } },
             nil, nil, ask)
        assert.equal(1, #asked)
    end)
end)


describe("a message of AuthZEN", function()
    it("comes from a listed peer where they are listed", function()
        local listed = authzen.new(options({ peers = { "127.0.0.1",
                                                       "bearer:" .. ("0"):rep(64) } }))
        assert.equal(200, evaluate(question("read"), listed).status)
        local refused = evaluate(question("read"), listed, { peer = "192.0.2.1",
            headers = { ["x-request-id"] = "abc" } })
        assert.same({ 401, "Bearer", "abc" }, { refused.status,
            refused.headers["www-authenticate"], refused.headers["x-request-id"] })
        refused = evaluate(question("read"), listed, { peer = "192.0.2.1",
            headers = { authorization = "Bearer x" } })
        assert.equal(403, refused.status)
    end)

    it("gets its id back if that is one, else the host's", function()
        local function id(values, own)
            return evaluate(question("read"), nil, {
                headers = { ["x-request-id"] = values }, id = own,
            }).headers["x-request-id"]
        end
        assert.equal("a-1", id("a-1", "own"))
        assert.equal("own", id(nil, "own"))
        assert.is_nil(id(nil, nil))
        for _, wrong in ipairs({ "a\tb", ("x"):rep(129), { "a", "b" }, "" }) do
            assert.is_nil(id(wrong, "own"))
        end
    end)

    it("is a POST to a path that there is", function()
        local answer = messages.answer(PDP, messages.message("GET", "/access/v1/evaluation"),
                                       error)
        assert.same({ 405, "POST" }, { answer.status, answer.headers.allow })
        assert.equal(404, send("evaluatio", question("read")).status)
        assert.equal(400, evaluate(question("read"), nil,
                                   { headers = { ["content-encoding"] = "gzip" } }).status)
    end)

    it("is no search where there is no catalogue, and no discovery without a base", function()
        assert.equal(404, send("search/subject", {}).status)
        assert.equal(404, messages.answer(PDP, messages.message("GET",
            "/.well-known/authzen-configuration"), error).status)
        assert.same({ "/access/v1/evaluation", "/access/v1/evaluations" }, PDP:paths())
        local based = authzen.new(options({ url = "https://pdp.example.com/tenant" }))
        local answer = messages.answer(based, messages.message("GET",
            "/.well-known/authzen-configuration/tenant"), error)
        assert.equal("https://pdp.example.com/tenant/access/v1/evaluation",
                     answer.json.access_evaluation_endpoint)
        assert.is_nil(answer.json.search_subject_endpoint)
        assert.equal(200, messages.answer(based, messages.post("/tenant/access/v1/evaluation",
            question("read")), messages.asker(ESTATE)).status)
        answer = messages.answer(based, messages.post("/.well-known/authzen-configuration/tenant",
                                                      {}), error)
        assert.same({ 405, "GET" }, { answer.status, answer.headers.allow })
    end)

    it("is configured with options that are checked", function()
        for expected, changes in pairs({
            ["`profile` is missing"] = { profile = false },
            ["`profile` is `x`"] = { profile = "x" },
            ["`url`: give the base"] = { url = "http://pdp.example.com" },
            ["`url`: "] = { url = "https://pdp.example.com/" },
            ["`url`: give"] = { url = "https://pdp.example.com?x" },
            ["`peers`: "] = { peers = { "x" } },
            ["`catalogue`: unknown option `users`"] = { catalogue = { users = {} } },
            ["unknown option `path`"] = { path = "/x" },
            ["`subjects` is missing"] = { subjects = false },
        }) do
            local fault = authzen.fault(options(changes))
            assert.equal(expected, fault and fault:sub(1, #expected))
            assert.is_false(pcall(authzen.new, options(changes)))
        end
        assert.is_nil(authzen.fault(options()))
    end)
end)
