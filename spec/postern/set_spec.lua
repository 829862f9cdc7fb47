local sets = require("postern.set")


local POLICY = [[
{
  "Version": "2012-10-17",
  "Statement": [
    { "Sid": "Read", "Effect": "Allow",
      "Principal": "*",
      "Action": ["execute-api:Invoke"],
      "Resource": "execute-api:/*" },
    { "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*",
      "Condition": {
        "StringNotEquals": { "aws:SourceVpce": ["vpce-1", "${aws:SourceVpc}"] },
        "Bool": { "aws:SecureTransport": false } } }
  ]
}]]

local IDENTITY = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*",'
    .. '"Resource":"*"}}'


describe("a set", function()
    it("tells what is in it", function()
        local set = assert(sets.compile({ { name = "api.json", text = POLICY } }))
        assert.equal("resource", set.type)
        assert.equal(1, set:policy_count())
        assert.equal(2, set:statement_count())
        assert.is_true(set:size() > 100)
        local keys = set:keys()
        table.sort(keys)
        assert.same({ "aws:securetransport", "aws:sourcevpc", "aws:sourcevpce" }, keys)
        for _, key in ipairs(keys) do
            assert.equal(key, set:key_name(set:find_key(key:upper())))
        end
        assert.is_nil(set:find_key("aws:other"))
        assert.is_nil(set:key_name(3))
    end)

    it("tells its statements with their places", function()
        local set = assert(sets.compile({ { name = "api.json", text = POLICY } }))
        assert.same({
            policy = 0, index = 0, effect = "Allow", sid = "Read", name = "api.json", line = 4,
            column = 5, principal_line = 5, action_line = 6, resource_line = 7,
            condition_count = 0,
        }, set:statement(0))
        local deny = set:statement(1)
        assert.equal("Deny", deny.effect)
        assert.is_nil(deny.sid)
        assert.equal(8, deny.line)
        assert.is_nil(set:statement(2))
    end)

    it("tells its conditions", function()
        local set = assert(sets.compile({ { name = "api.json", text = POLICY } }))
        local found = {}
        for i = 0, set:statement(1).condition_count - 1 do
            local condition = set:condition(1, i)
            found[condition.key] = condition
        end
        local vpce = found["aws:sourcevpce"]
        assert.equal("StringNotEquals", vpce.operator)
        assert.same({ "vpce-1", "${aws:SourceVpc}" }, vpce.values)
        assert.equal(10, vpce.line)
        assert.equal(set:find_key("aws:sourcevpce"), vpce.key_index)
        assert.same({ "false" }, found["aws:securetransport"].values)
        assert.is_nil(set:condition(1, 2))
        assert.is_nil(set:condition(9, 0))
    end)

    it("keeps the places of the file a policy is a part of", function()
        local policy = { name = "cases.jsonl", text = POLICY, line = 100, column = 40 }
        local set = assert(sets.compile({ policy }))
        local statement = set:statement(0)
        assert.same({ 103, 5, 105 }, { statement.line, statement.column, statement.action_line })
        assert.equal(109, set:condition(1, 0).line)
        assert.equal(103, set:quote(0)[1].number)

        policy.text = '{"Statement":7}'
        local none, err = sets.compile({ policy })
        assert.is_nil(none)
        assert.equal(100, err.line)
        assert.is_true(err.column > 40)
    end)

    it("quotes statements and gives their source", function()
        local set = assert(sets.compile({ { name = "api.json", text = POLICY } }))
        local quoted = set:quote(0)
        assert.equal(4, #quoted)
        assert.equal(4, quoted[1].number)
        assert.equal('      "Resource": "execute-api:/*" },', quoted[4].text)
        local doc, node = set:source(1)
        assert.equal("Deny", doc:text(doc:get(node, "Effect")))
        set = assert(sets.compile(IDENTITY))
        doc, node = set:source(0)
        assert.equal("Allow", doc:text(doc:get(node, "Effect")))
        assert.equal(1, #set:quote(0))
    end)

    it("holds several policies, and says which a statement is from", function()
        local set = assert(sets.compile({ { name = "a", text = IDENTITY },
                                          { name = "b", text = IDENTITY } }))
        assert.same({ 1, 0, "b" }, { set:statement(1).policy, set:statement(1).index,
                                     set:statement(1).name })
        assert.equal(0, assert(sets.compile({}, { type = "scp" })):statement_count())
    end)

    describe("detects its type", function()
        local function statement(principal)
            return '{"Statement":[{"Effect":"Deny"' .. principal .. "}]}"
        end

        it("by the first statement's principal", function()
            assert.equal("resource", sets.detect(POLICY))
            assert.equal("resource", sets.detect(statement(',"NotPrincipal":"*"')))
            assert.equal("resource", sets.detect('{"Statement":{"Principal":"*"}}'))
            assert.equal("identity", sets.detect(IDENTITY))
        end)

        it("and takes anything odd for an identity policy", function()
            for _, text in ipairs({ "", "[]", "{}", '{"Statement":[]}', '{"Statement":1}',
                                    '{"Statement":[1]}', "\0" }) do
                assert.equal("identity", sets.detect(text))
            end
        end)
    end)

    describe("refuses", function()
        it("a bad policy, with a place", function()
            local none, err = sets.compile({ { name = "p.json", text = '{"Statement":[\n7]}' } })
            assert.is_nil(none)
            assert.equal("structure", err.status)
            assert.matches("^p%.json:2:1: ", tostring(err))
        end)

        it("what may not be attached, unless that is asked for", function()
            local text = '{"Version":"2012-10-17","Statement":{"Effect":"Allow",'
                .. '"NotPrincipal":{"AWS":"123456789012"},"Action":"*","Resource":"*"}}'
            local none, err = sets.compile(text, { name = "x" })
            assert.is_nil(none)
            assert.equal("attach", err.status)
            assert.equal("x", err.name)
            assert.truthy(sets.compile(text, { strictness = "structural" }))
        end)

        it("an ARN of no API", function()
            local method = "arn:aws:execute-api:us-east-1:123456789012:abc123/dev"
            for _, arn in ipairs({ "abc123", "", method }) do
                local none, err = sets.compile(POLICY, { api_arn = arn })
                assert.is_nil(none)
                assert.matches("`" .. arn .. "` is not the ARN", tostring(err), 1, true)
            end
        end)

        it("wrong use, at the caller's line", function()
            for message, call in pairs({
                ["unknown option `typ`"] = function() sets.compile("", { typ = "scp" }) end,
                ["unknown policy type `user`"] = function()
                    sets.compile("", { type = "user" })
                end,
                ["unknown strictness `lax`"] = function()
                    sets.compile("", { strictness = "lax" })
                end,
                ["policy 2 has no text"] = function() sets.compile({ { text = "" }, {} }) end,
            }) do
                local ok, err = pcall(call)
                assert.is_false(ok)
                assert.matches("set_spec%.lua:%d+: " .. message, err)
            end
        end)
    end)
end)
