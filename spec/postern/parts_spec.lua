local document = require("postern.document")
local parts = require("postern.parts")


local function statements_of(text)
    local doc = assert(document.new(text))
    return parts.statements(doc), doc
end


-- Every part as `member: values`.
local function shown(text)
    local statements, doc = statements_of(text)
    local all = {}
    for _, statement in ipairs(statements) do
        for _, list in ipairs({ statement.elements, statement.conditions }) do
            for _, part in ipairs(list) do
                local values = {}
                for i, node in ipairs(part.values) do
                    values[i] = doc:text(node) or doc:raw(node)
                end
                all[#all + 1] = ("%s%s: %s"):format(part.member, part.negated and "!" or "",
                                                    table.concat(values, " "))
            end
        end
    end
    return all
end


describe("the parts of a policy", function()
    it("are its elements and conditions with their values, single or in lists", function()
        assert.same({
            "Principal: a b c", "Action: x:y", "Resource: r s",
            "StringEquals k: 1", "StringEquals l: 2 3", "NotIpAddress ip!: 10.0.0.0/8",
            "NotPrincipal!: p", "NotAction!: x", "NotResource!: r",
        }, shown([[{"Statement":[
            {"Principal":{"AWS":["a","b"],"Service":"c"},"Action":"x:y","Resource":["r","s"],
             "Condition":{"StringEquals":{"k":1,"l":["2",3]},"NotIpAddress":{"ip":"10.0.0.0/8"}}},
            {"NotPrincipal":{"AWS":"p"},"NotAction":["x"],"NotResource":"r"}]}]]))
        assert.same({ "Principal: *" }, shown('{"Statement":{"Principal":"*"}}'))
    end)

    it("know every negated operator", function()
        for operator in ("StringNotEquals StringNotEqualsIgnoreCase StringNotLike ArnNotLike "
            .. "NumericNotEquals DateNotEquals ForAnyValue:StringNotLike NotIpAddressIfExists")
            :gmatch("%S+") do
            assert.matches("!", shown(('{"Statement":{"Condition":{"%s":{"k":"v"}}}}')
                :format(operator))[1], 1, true)
        end
        for operator in ("StringEquals ForAllValues:StringLike Null Bool"):gmatch("%S+") do
            assert.not_matches("!", shown(('{"Statement":{"Condition":{"%s":{"k":"v"}}}}')
                :format(operator))[1], 1, true)
        end
    end)

    it("are none where there is no policy", function()
        assert.same({}, (statements_of("[]")))
        assert.same({}, (statements_of('{"Statement":[]}')))
        assert.same({}, shown('{"Statement":["x"]}'))
    end)

    it("have a name each", function()
        local statements = statements_of('{"Statement":[{"Sid":"A"},{"Effect":"Deny"}]}')
        assert.equal("`A`", parts.name(statements[1]))
        assert.equal("2", parts.name(statements[2]))
        assert.equal("Deny", statements[2].effect)
    end)
end)
