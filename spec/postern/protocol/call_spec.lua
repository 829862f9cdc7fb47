local document = require("postern.document")
local engine = require("postern.engine")
local calls = require("postern.protocol.call")


local function read(text)
    local doc = assert(document.new(text, "body"))
    return calls.read(doc, doc:root())
end


-- What is refused, with its place.
local function refused(text)
    local request, err = read(text)
    assert.is_nil(request, text)
    return ("%d:%d: %s"):format(err.line, err.column, err.message)
end


describe("a call as JSON", function()
    it("has the members of a request, but for the host's own", function()
        local expected = {}
        for name in pairs(engine.MEMBERS) do
            if name ~= "connection" then
                expected[#expected + 1] = name
            end
        end
        table.sort(expected)
        assert.same(expected, calls.MEMBERS)
    end)

    it("is read member by member", function()
        assert.same({
            api = "a1", stage = "dev", method = "GET", path = "/pets", now = 1.5,
            headers = { ["X-A"] = { "1" }, ["X-B"] = { "2", "3" }, ["X-C"] = {} },
            query = { { "a", "b" }, { "c", "" } },
            context = { ["acme:N"] = "1.50", ["acme:B"] = "true", ["acme:S"] = "é",
                        ["acme:L"] = { "x", "2", "false" }, ["acme:E"] = {} },
            claims = { sub = "x", groups = { "a" }, n = 1, deep = {} },
            client = { vpc = "vpc-1", security_groups = { "sg-1" } },
        }, read([==[{
            "api": "a1", "stage": "dev", "method": "GET", "path": "/pets", "now": 1.5,
            "headers": { "X-A": "1", "X-B": ["2", "3"], "X-C": [] },
            "query": [["a", "b"], ["c", ""]],
            "context": { "acme:N": 1.50, "acme:B": true, "acme:L": ["x", 2, false],
                         "acme:S": "\u00e9", "acme:E": [] },
            "claims": { "sub": "x", "groups": ["a"], "n": 1, "no": null, "deep": { "no": null } },
            "client": { "vpc": "vpc-1", "security_groups": ["sg-1"] }
        }]==]))
        assert.same({}, read("{}"))
    end)

    it("is refused with the place of what is wrong", function()
        for text, expected in pairs({
            ['[]'] = "1:1: the request is a list: give an object",
            ['{"api": "a",\n "clientip": "x"}'] = "2:2: unknown member `clientip`: a request has `",
            ['{"connection": {}}'] = "1:2: unknown member `connection`",
            ['{"api": 1}'] = "1:9: `api` is a number: give a string",
            ['{"api": null}'] = "1:9: `api` is null: give a string",
            ['{"now": "1"}'] = "1:9: `now` is a string: give a number",
            ['{"now": 1e999}'] = "1:9: `now` is a number: give a number",
            ['{"headers": []}'] = "1:13: `headers` is a list: give an object",
            ['{"headers": {"a": 1}}'] = "1:19: `a` is a number: give a string or a list of strings",
            ['{"headers": {"a": ["x", 1]}}'] = "1:25: `a` is a number: give a string",
            ['{"query": {"a": "b"}}'] = "1:11: `query` is an object: give a list of pairs",
            ['{"query": [["a"]]}'] = "1:12: `query` is a list: give a list of pairs",
            ['{"query": [["a", "b", "c"]]}'] = "1:12: `query`",
            ['{"query": [["a", 1]]}'] = "1:12: `query`",
            ['{"query": [[]]}'] = "1:12: `query`",
            ['{"query": ["ab"]}'] = "1:12: `query`",
            ['{"claims": "x"}'] = "1:12: `claims` is a string: give an object",
            ['{"context": []}'] = "1:13: `context` is a list: give an object of condition keys",
            ['{"context": {"a:b": null}}'] = "1:21: `a:b` is null: give a string, a number",
            ['{"context": {"a:b": {}}}'] = "1:21: `a:b` is an object",
            ['{"context": {"a:b": ["x", []]}}'] = "1:27: `a:b` is a list",
            ['{"authorizer": {}}'] = "1:16: `authorizer` is an object: give a string",
        }) do
            assert.equal(expected, refused(text):sub(1, #expected))
        end
    end)
end)
