local document = require("postern.document")
local catalogues = require("postern.protocol.catalogue")
local entities = require("postern.protocol.entities")


local IAM = {
    profile = "iam", peers = { "127.0.0.1" },
    subjects = { user = "arn:aws:iam::111122223333:user/{id}", named = "{id}" },
    actions = { read = "records:Read" }, action_prefix = "records:",
    resources = { record = "arn:aws:records:eu-central-1:111122223333:record/{id}",
                  part = "arn:aws:records:eu-central-1:111122223333:record/{id}/part" },
    trusted_keys = { "aws:SourceIp" },
}
local GATEWAY = { profile = "gateway", api = "pets", stage = "dev" }


local function changed(given, changes)
    local made = {}
    for _, source in ipairs({ given, changes }) do
        for name, value in pairs(source) do
            made[name] = value or nil
        end
    end
    return made
end


local function read(text, given, catalogue)
    local doc = assert(document.new(text, "body"))
    local made = assert(entities.new(given or IAM, catalogue))
    local read_entities = {}
    for _, kind in ipairs({ "subject", "action", "resource" }) do
        local err
        read_entities[kind], err = made:read(doc, doc:get(0, kind), kind)
        if not read_entities[kind] then
            return nil, err
        end
    end
    local context, err = made:read_context(doc, doc:get(0, "context"))
    if not context then
        return nil, err
    end
    return made:request(read_entities.subject, read_entities.action, read_entities.resource,
                        context)
end


local BODY = '{"subject":{"type":"%s","id":"%s"%s},"action":{"name":"%s"},'
    .. '"resource":{"type":"%s","id":"%s"}%s}'

local function body(changes)
    local made = changed({ subject_type = "user", subject = "alice", properties = "",
                           action = "read", resource_type = "record", resource = "7",
                           more = "" }, changes)
    return BODY:format(made.subject_type, made.subject, made.properties, made.action,
                       made.resource_type, made.resource, made.more)
end


describe("entities with the profile iam", function()
    it("become principal, action and resource", function()
        assert.same({
            principal = "arn:aws:iam::111122223333:user/alice", action = "records:Read",
            resource = "arn:aws:records:eu-central-1:111122223333:record/7", context = {},
        }, (read(body({}))))
        assert.equal("records:archive", read(body({ action = "archive" })).action)
        assert.equal("arn:aws:iam::111122223333:root",
                     read(body({ subject_type = "named",
                                 subject = "arn:aws:iam::111122223333:root" })).principal)
    end)

    it("ask nothing when they are not configured, or could be somebody else", function()
        for _, changes in ipairs({
            { subject_type = "robot" }, { resource_type = "planet" }, { action = "re:ad" },
            { action = "*" }, { action = "r?ad" }, { action = "re ad" },
            { subject = "*" }, { subject = "a/b" }, { subject = "a:b" }, { subject = "a b" },
            { subject_type = "named", subject = "*" }, { resource_type = "part",
                                                         resource = "7/other" },
            { resource_type = "part", resource = "a:b" }, { resource = "a\\u0000b" },
            { resource = ("x"):rep(1025) }, { subject = "\\n" },
        }) do
            local request, err = read(body(changes))
            assert.is_nil(request)
            assert.equal("string", type(err))
        end
        local without = changed(IAM, { action_prefix = false })
        assert.is_nil((read(body({ action = "archive" }), without)))
        assert.is_truthy((read(body({}), without)))
    end)

    it("have their properties as condition keys", function()
        local request, opaque = read(body({
            properties = [[,"properties":{"role":"admin","level":1.50,"on":true,"no":null,
                "list":["a",2,false],"empty":[]}]],
            more = [[,"context":{"aws:SourceIp":"192.0.2.1","AWS:sourceip2":"x","time":"now",
                "aws:PrincipalArn":"arn:x"}]],
        }))
        assert.is_false(opaque)
        assert.same({
            ["subject:role"] = "admin", ["subject:level"] = "1.50", ["subject:on"] = "true",
            ["subject:list"] = { "a", "2", "false" }, ["subject:empty"] = {},
            ["aws:SourceIp"] = "192.0.2.1", ["context:AWS:sourceip2"] = "x",
            ["context:time"] = "now", ["context:aws:PrincipalArn"] = "arn:x",
        }, request.context)
    end)

    it("say when a value is one that no policy can compare", function()
        for _, value in ipairs({ "{}", "[{}]", '["a",null]', "[[]]" }) do
            local request, opaque = read(body({ properties = (',"properties":{"x":%s}')
                :format(value) }))
            assert.is_true(opaque)
            assert.same({ {} }, request.context["subject:x"])
            request, opaque = read(body({ more = (',"context":{"x":%s}'):format(value) }))
            assert.is_true(opaque)
            assert.same({ {} }, request.context["context:x"])
        end
    end)

    it("are completed from the catalogue", function()
        local catalogue = assert(catalogues.new({
            subjects = { { type = "user", id = "alice", properties = { role = "admin",
                                                                       team = "blue" } } },
            resources = { { type = "record", id = "7", properties = { status = "active" } } },
        }))
        local request = read(body({ properties = ',"properties":{"role":"guest"}' }), IAM,
                             catalogue)
        assert.same({ ["subject:role"] = "guest", ["subject:team"] = "blue",
                      ["resource:status"] = "active" }, request.context)
        assert.same({}, read(body({ subject = "bob", resource = "8" }), IAM, catalogue).context)
    end)

    it("are refused when they are malformed, with the place", function()
        for expected, text in pairs({
            ["`subject` is missing"] = "{}",
            ["1:12: `subject` is a list: give an object"] = '{"subject":[]}',
            ["1:12: `subject.id` is missing"] = '{"subject":{"type":"user"}}',
            ["1:20: `subject.type` is no string"] = '{"subject":{"type":1,"id":"a"}}',
            ["1:32: `subject.id` is no string, or an empty"] =
                '{"subject":{"type":"user","id":""}}',
            ["1:49: `subject.properties` is a list: give an object"] =
                '{"subject":{"type":"user","id":"a","properties":[]}}',
        }) do
            local request, err = read(text)
            assert.is_nil(request)
            assert.equal(expected, err:sub(1, #expected))
        end
        local _, err = read(body({ more = ',"context":7' }))
        assert.is_truthy(err:find("`context` is a number", 1, true))
        assert.is_truthy((read(body({ more = ',"context":null' }))))
    end)
end)


describe("entities with the profile gateway", function()
    local function route(path, changes)
        return body(changed({ subject_type = "identity", action = "GET", resource_type = "route",
                              resource = path }, changes or {}))
    end

    it("become a call of an API", function()
        assert.same({ api = "pets", stage = "dev", method = "GET", raw_path = "/todos/{todoId}",
                      context = {} }, (read(route("/todos/{todoId}"), GATEWAY)))
        local named = changed(GATEWAY, { subjects = { identity = "{id}" } })
        assert.equal("alice", read(route("/x"), named).principal)
        assert.is_nil((read(route("/x", { subject_type = "robot" }), named)))
    end)

    it("ask nothing about what is no route", function()
        assert.is_nil((read(route("/x", { resource_type = "record" }), GATEWAY)))
        local mapped = { profile = "gateway", apis = { { prefix = "/pets", api = "pets" } } }
        assert.equal("pets", read(route("/pets/7"), mapped).api)
        assert.is_nil((read(route("/other"), mapped)))
    end)
end)


describe("the options of entities", function()
    it("are checked", function()
        for expected, given in pairs({
            ["`resources` belongs to the profile `iam`"] = changed(GATEWAY, { resources = {} }),
            ["`api` belongs to the profile `gateway`"] = changed(IAM, { api = "a" }),
            ["`subjects` is missing"] = changed(IAM, { subjects = false }),
            ["`resources` is missing"] = changed(IAM, { resources = false }),
            ["give `actions` or `action_prefix`"] = changed(IAM, { actions = false,
                                                                   action_prefix = false }),
            ["`action_prefix`: give"] = changed(IAM, { action_prefix = "records" }),
            ["`actions`: `read`: give an action"] = changed(IAM, { actions = { read = "Read" } }),
            ["`subjects`: `user`: give a text with `{id}`"] = changed(IAM, {
                subjects = { user = "arn:x" } }),
            ["`resources`: `r`: give a text"] = changed(IAM, { resources = { r = "{id}{id}" } }),
            ["`trusted_keys`: `x` is no"] = changed(IAM, { trusted_keys = { "x" } }),
            ["`trusted_keys`: say in `peers`"] = changed(IAM, { peers = false }),
            ["give one of `api`"] = { profile = "gateway" },
            ["`domains`: what this"] = { profile = "gateway", domains = true },
        }) do
            local made, err = entities.new(given)
            assert.is_nil(made)
            assert.equal(expected, err:sub(1, #expected))
        end
    end)
end)
