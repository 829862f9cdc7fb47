-- The certification scenario of AuthZEN 1.0, level by level, against policies of our own.
--
-- Source: OpenID AuthZEN working group, "Authorization API 1.0 certification scenario".
local estates = require("postern.estate")
local messages = require("spec.support.messages")
local plain = require("postern.host.plain")
local authzen = require("postern.protocol.authzen")


local FOLDER = "spec/cases/authzen/"

local ESTATE = assert(estates.open(FOLDER .. "estate.lua", { now = plain.now, read = plain.read }))
local PDP = authzen.new(assert(loadfile(FOLDER .. "options.lua"))())

local EVALUATION, EVALUATIONS = "/access/v1/evaluation", "/access/v1/evaluations"
local SEARCH = "/access/v1/search/"

local counts = {} -- level to requests made


local function send(level, path, body, headers)
    counts[level] = (counts[level] or 0) + 1
    return messages.answer(PDP, messages.post(path, body, { headers = headers }),
                           messages.asker(ESTATE))
end


local function with(entity, properties, more)
    local copy = { properties = properties }
    for name, value in pairs(entity) do
        copy[name] = value
    end
    for name, value in pairs(more or {}) do
        copy[name] = value
    end
    return copy
end


local ALICE, BOB = { type = "user", id = "alice" }, { type = "user", id = "bob" }
local ONE, TWO = { type = "record", id = "record-1" }, { type = "record", id = "record-2" }
local READ, WRITE, DELETE = { name = "read" }, { name = "write" }, { name = "delete" }
local ADMIN, ARCHIVED = { role = "admin" }, { status = "archived" }

local CORE = {
    { "alice reads record-1", ALICE, READ, ONE, true },
    { "alice writes record-1", ALICE, WRITE, ONE, true },
    { "bob reads record-1", BOB, READ, ONE, true },
    { "bob writes record-1", BOB, WRITE, ONE, false },
}

local PROPERTIES = {
    { "alice writes what is archived", ALICE, WRITE, with(ONE, ARCHIVED), false },
    { "an admin writes what is archived", with(BOB, ADMIN), WRITE, with(TWO, ARCHIVED), true },
    { "alice as admin writes what is archived", with(ALICE, ADMIN), WRITE, with(ONE, ARCHIVED),
      true },
    { "alice deletes softly", ALICE, with(DELETE, { soft = true }), ONE, true },
    { "alice deletes for good", ALICE, with(DELETE, { soft = false }), ONE, false },
}


local function question(row, more)
    local body = { subject = row[2], action = row[3], resource = row[4] }
    for name, value in pairs(more or {}) do
        body[name] = value
    end
    return body
end


local function decides(level, row, body)
    local answer = send(level, EVALUATION, body)
    assert.equal(200, answer.status, answer.body)
    assert.equal("application/json", answer.headers["content-type"])
    assert.equal(row[5], answer.json.decision, row[1])
end


-- Every body that lacks something, or has something of another type, is 400.
local function refuses(level, path, bodies)
    for why, body in pairs(bodies) do
        local answer = send(level, path, body)
        assert.equal(400, answer.status, why)
        assert.equal("string", type(answer.json), why)
    end
end


describe("AuthZEN, basic core:", function()
    local LEVEL = "Basic Core"

    for _, row in ipairs(CORE) do
        it(row[1], function()
            decides(LEVEL, row, question(row))
            decides(LEVEL, row, question(row, { context = { time = "2026-01-01T00:00:00Z" } }))
            decides(LEVEL, row, question(row, { unknown = { a = { 1, 2 } }, more = "x" }))
            decides(LEVEL, row, question(row)) -- again, with the same answer
        end)
    end

    it("refuses what is incomplete or of another type", function()
        refuses(LEVEL, EVALUATION, {
            ["no subject"] = { action = READ, resource = ONE },
            ["no action"] = { subject = ALICE, resource = ONE },
            ["no resource"] = { subject = ALICE, action = READ },
            ["no subject.type"] = { subject = { id = "alice" }, action = READ, resource = ONE },
            ["no subject.id"] = { subject = { type = "user" }, action = READ, resource = ONE },
            ["no resource.type"] = { subject = ALICE, action = READ, resource = { id = "r" } },
            ["no resource.id"] = { subject = ALICE, action = READ, resource = { type = "record" } },
            ["no action.name"] = { subject = ALICE, action = { x = 1 }, resource = ONE },
            ["a subject that is a text"] = { subject = "alice", action = READ, resource = ONE },
            ["a name that is a number"] = { subject = ALICE, action = { name = 1 },
                                            resource = ONE },
            ["a context that is a list"] = { subject = ALICE, action = READ, resource = ONE,
                                             context = { 1 } },
            ["malformed"] = '{"subject":',
            ["empty"] = "",
            ["a list"] = "[]",
            ["a member twice"] = '{"subject":{"type":"user","id":"alice","id":"bob"},"action":'
                .. '{"name":"read"},"resource":{"type":"record","id":"record-1"}}',
        })
    end)

    it("wants application/json, with parameters or without", function()
        for content_type, status in pairs({
            ["application/json; charset=utf-8"] = 200, ["Application/JSON"] = 200,
            ["text/plain"] = 400, ["application/jsonp"] = 400, [""] = 400,
        }) do
            local answer = send(LEVEL, EVALUATION, question(CORE[1]),
                                { ["content-type"] = content_type })
            assert.equal(status, answer.status, content_type)
        end
    end)

    it("gives the request id back, also with errors", function()
        local answer = send(LEVEL, EVALUATION, question(CORE[1]), { ["x-request-id"] = "abc-1" })
        assert.equal("abc-1", answer.headers["x-request-id"])
        answer = send(LEVEL, EVALUATION, "{", { ["x-request-id"] = "abc-2" })
        assert.same({ 400, "abc-2" }, { answer.status, answer.headers["x-request-id"] })
    end)
end)


describe("AuthZEN, basic properties:", function()
    local LEVEL = "Basic Properties"

    for _, row in ipairs(PROPERTIES) do
        it(row[1], function()
            decides(LEVEL, row, question(row))
            local more = question(row, { context = { x = true } })
            more.subject = with(more.subject, with(more.subject.properties or {},
                                                   nil, { department = "x", nested = { a = 1 } }))
            decides(LEVEL, row, more)
        end)
    end
end)


describe("AuthZEN, batch core:", function()
    local LEVEL = "Batch Core"

    local function batch(items, more)
        local body = { evaluations = items }
        for name, value in pairs(more or {}) do
            body[name] = value
        end
        return send(LEVEL, EVALUATIONS, body)
    end

    local function decisions(answer)
        assert.equal(200, answer.status, answer.body)
        assert.is_nil(answer.json.decision)
        local list = {}
        for i, one in ipairs(answer.json.evaluations) do
            list[i] = one.decision
        end
        return list
    end

    it("answers in the order of the request", function()
        local items, expected = {}, {}
        for i, row in ipairs(CORE) do
            items[i], expected[i] = question(row), row[5]
        end
        assert.same(expected, decisions(batch(items)))
    end)

    it("takes what an item leaves out from the whole, entity by entity", function()
        local whole = { subject = ALICE, action = WRITE, resource = ONE }
        assert.same({ true, false, true, true }, decisions(batch({
            {}, { subject = BOB }, { subject = BOB, action = READ },
            { resource = { type = "record", id = "record-1" } },
        }, whole)))
        -- The item's entity stands for all of the default, properties too.
        assert.same({ true, false }, decisions(batch({
            { resource = ONE }, {},
        }, { subject = ALICE, action = WRITE, resource = with(ONE, ARCHIVED) })))
        local answer = batch({ { resource = { id = "record-1" } } }, whole)
        assert.equal(400, answer.json.evaluations[1].context.error.status)
    end)

    it("is a single evaluation without a list, or with an empty one", function()
        local answer = send(LEVEL, EVALUATIONS, question(CORE[1]))
        assert.same({ 200, { decision = true } }, { answer.status, answer.json })
        answer = send(LEVEL, EVALUATIONS, '{"subject":{"type":"user","id":"bob"},"action":'
            .. '{"name":"write"},"resource":{"type":"record","id":"record-1"},"evaluations":[]}')
        assert.same({ 200, { decision = false } }, { answer.status, answer.json })
        refuses(LEVEL, EVALUATIONS, { ["nothing"] = "{}", ["no list"] = '{"evaluations":1}' })
    end)

    it("ends early where it is asked to", function()
        local items = { { resource = ONE }, { subject = BOB, resource = ONE }, { resource = ONE } }
        local whole = { subject = ALICE, action = WRITE }
        for semantic, expected in pairs({
            execute_all = { true, false, true }, deny_on_first_deny = { true, false },
            permit_on_first_permit = { true },
        }) do
            whole.options = { evaluations_semantic = semantic }
            assert.same(expected, decisions(batch(items, whole)), semantic)
        end
        whole.subject, items[2].subject = BOB, ALICE
        whole.options.evaluations_semantic = "permit_on_first_permit"
        assert.same({ false, true }, decisions(batch(items, whole)))
        whole.options.evaluations_semantic = "deny_on_first_deny"
        assert.same({ false }, decisions(batch(items, whole)))
        whole.options.evaluations_semantic = "majority"
        assert.equal(400, batch(items, whole).status)
    end)

    it("lets items fail by themselves", function()
        local answer = batch({ question(CORE[1]), { subject = ALICE }, "x", question(CORE[2]) })
        assert.same({ true, false, false, true }, decisions(answer))
        for _, i in ipairs({ 2, 3 }) do
            local err = answer.json.evaluations[i].context.error
            assert.equal(400, err.status)
            assert.equal("string", type(err.message))
        end
        assert.is_nil(answer.json.evaluations[1].context)
    end)
end)


describe("AuthZEN, batch properties:", function()
    it("decides items by their properties", function()
        local items, expected = {}, {}
        for i, row in ipairs(PROPERTIES) do
            items[i], expected[i] = question(row), { decision = row[5] }
        end
        local answer = send("Batch Properties", EVALUATIONS, { evaluations = items })
        assert.same({ evaluations = expected }, answer.json)
    end)

    it("takes properties of the whole", function()
        local answer = send("Batch Properties", EVALUATIONS, {
            action = WRITE, resource = with(TWO, ARCHIVED),
            evaluations = { { subject = with(BOB, ADMIN) }, { subject = ALICE } },
        })
        assert.same({ evaluations = { { decision = true }, { decision = false } } }, answer.json)
    end)
end)


local function ids(answer, ...)
    assert.equal(200, answer.status, answer.body)
    local list = {}
    for i, entity in ipairs(answer.json.results) do
        list[i] = entity.id or entity.name
        for name in pairs(entity) do
            assert.is_truthy(({ type = true, id = true, name = true })[name], name)
        end
    end
    assert.same({ ... }, list)
    return answer
end


describe("AuthZEN, search core:", function()
    local LEVEL = "Search Core"

    it("finds subjects", function()
        ids(send(LEVEL, SEARCH .. "subject",
                 { subject = { type = "user" }, action = READ, resource = ONE }), "alice", "bob")
        -- An id of what is looked for does not count.
        ids(send(LEVEL, SEARCH .. "subject", { subject = { type = "user", id = "alice" },
                                               action = READ, resource = ONE }), "alice", "bob")
    end)

    it("finds resources", function()
        ids(send(LEVEL, SEARCH .. "resource",
                 { subject = ALICE, action = READ, resource = { type = "record" } }),
            "record-1", "record-2")
        ids(send(LEVEL, SEARCH .. "resource",
                 { subject = ALICE, action = WRITE, resource = { type = "record" } }), "record-1")
    end)

    it("finds actions", function()
        ids(send(LEVEL, SEARCH .. "action", { subject = ALICE, resource = ONE }), "read", "write")
    end)

    it("finds nothing where there is nothing, which is no error", function()
        ids(send(LEVEL, SEARCH .. "subject",
                 { subject = { type = "robot" }, action = READ, resource = ONE }))
        ids(send(LEVEL, SEARCH .. "subject",
                 { subject = { type = "user" }, action = { name = "fly" }, resource = ONE }))
        ids(send(LEVEL, SEARCH .. "resource",
                 { subject = { type = "user", id = "carol" }, action = READ,
                   resource = { type = "record" } }))
        ids(send(LEVEL, SEARCH .. "resource",
                 { subject = ALICE, action = READ, resource = { type = "planet" } }))
        ids(send(LEVEL, SEARCH .. "action", { subject = { type = "user", id = "carol" },
                                              resource = ONE }))
        ids(send(LEVEL, SEARCH .. "action", { subject = ALICE, resource = { type = "x",
                                                                            id = "y" } }))
    end)

    it("gives pages one after the other", function()
        local body = { subject = { type = "user" }, action = READ, resource = ONE,
                       page = { limit = 1 } }
        local answer = ids(send(LEVEL, SEARCH .. "subject", body), "alice")
        assert.not_equal("", answer.json.page.next_token)
        body.page = { limit = 1, token = answer.json.page.next_token }
        answer = ids(send(LEVEL, SEARCH .. "subject", body), "bob")
        assert.equal("", answer.json.page.next_token)
        -- The token is one of that search only.
        body.action = WRITE
        assert.equal(400, send(LEVEL, SEARCH .. "subject", body).status)
    end)

    it("refuses what is incomplete", function()
        refuses(LEVEL, SEARCH .. "subject", {
            ["no resource.id"] = { subject = { type = "user" }, action = READ,
                                   resource = { type = "record" } },
            ["no subject.type"] = { subject = { id = "x" }, action = READ, resource = ONE },
            ["no subject"] = { action = READ, resource = ONE },
            ["no action"] = { subject = { type = "user" }, resource = ONE },
        })
        refuses(LEVEL, SEARCH .. "resource", {
            ["no subject.id"] = { subject = { type = "user" }, action = READ,
                                  resource = { type = "record" } },
            ["no resource.type"] = { subject = ALICE, action = READ, resource = { id = "x" } },
            ["no resource"] = { subject = ALICE, action = READ },
        })
        refuses(LEVEL, SEARCH .. "action", {
            ["no subject"] = { resource = ONE }, ["no resource"] = { subject = ALICE },
            ["no subject.id"] = { subject = { type = "user" }, resource = ONE },
        })
    end)
end)


describe("AuthZEN, search properties:", function()
    local LEVEL = "Search Properties"

    it("knows the properties of the catalogue", function()
        ids(send(LEVEL, SEARCH .. "subject",
                 { subject = { type = "user" }, action = WRITE, resource = TWO }), "bob")
        ids(send(LEVEL, SEARCH .. "resource",
                 { subject = BOB, action = WRITE, resource = { type = "record" } }), "record-2")
        ids(send(LEVEL, SEARCH .. "action", { subject = BOB, resource = TWO }), "read", "write")
    end)

    it("takes those of the message", function()
        ids(send(LEVEL, SEARCH .. "subject", { subject = { type = "user" }, action = WRITE,
                                               resource = with(TWO, ARCHIVED) }), "bob")
        ids(send(LEVEL, SEARCH .. "resource", { subject = with(BOB, ADMIN), action = WRITE,
                                                resource = { type = "record" } }), "record-2")
        ids(send(LEVEL, SEARCH .. "action", { subject = with(BOB, ADMIN),
                                              resource = with(TWO, ARCHIVED) }), "read", "write")
        ids(send(LEVEL, SEARCH .. "action", { subject = ALICE,
                                              resource = with(ONE, ARCHIVED) }), "read")
    end)
end)


describe("AuthZEN, discovery:", function()
    it("tells the endpoints under the configured base", function()
        counts.Discovery = (counts.Discovery or 0) + 1
        local answer = messages.answer(PDP, messages.message("GET",
            "/.well-known/authzen-configuration", { headers = { host = "evil.example" } }))
        assert.equal(200, answer.status)
        assert.equal("application/json", answer.headers["content-type"])
        assert.is_truthy(answer.headers["cache-control"]:find("^max%-age="))
        assert.same({
            policy_decision_point = "https://pdp.example.com",
            access_evaluation_endpoint = "https://pdp.example.com/access/v1/evaluation",
            access_evaluations_endpoint = "https://pdp.example.com/access/v1/evaluations",
            search_subject_endpoint = "https://pdp.example.com/access/v1/search/subject",
            search_resource_endpoint = "https://pdp.example.com/access/v1/search/resource",
            search_action_endpoint = "https://pdp.example.com/access/v1/search/action",
        }, answer.json)
    end)

    it("answers at every path it tells", function()
        local bodies = { [EVALUATION] = question(CORE[1]), [EVALUATIONS] = question(CORE[1]) }
        for _, path in ipairs(PDP:paths()) do
            if path ~= "/.well-known/authzen-configuration" then
                local answer = send("Discovery", path, bodies[path] or {
                    subject = ALICE, action = READ, resource = ONE,
                })
                assert.equal(200, answer.status, path)
            end
        end
    end)
end)


-- Runs last: the requests have been counted.
describe("the table of docs/protocols.md", function()
    it("has the levels, and as many requests as were asked", function()
        local told = {}
        for level, requests in assert(plain.read("docs/protocols.md"))
            :gmatch("\n| ([%u][%a ]+) | (%d+) | pass |") do
            told[level] = tonumber(requests)
        end
        assert.same(told, counts)
    end)
end)
