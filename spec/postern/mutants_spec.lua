local mutants = require("postern.mutants")
local document = require("postern.document")


local function of(text)
    return assert(mutants.of_text(text))
end


-- The mutant whose description holds a text; there must be one.
local function mutant(text, what)
    local found
    for _, one in ipairs(of(text)) do
        if one.what:find(what, 1, true) then
            assert.is_nil(found, "two of " .. what)
            found = one
        end
    end
    return assert(found, "none of " .. what)
end


local function statement(rest)
    return '{"Statement":[{"Sid":"S","Effect":"Deny",' .. rest .. "}]}"
end


describe("mutants", function()
    it("are small edits that leave everything else as it is written", function()
        for _, row in ipairs({
            -- before, what was done, after
            { '"Action":"a:b"', "flipped",
              '{"Statement":[{"Sid":"S","Effect":"Allow","Action":"a:b"}]}' },
            { '"Action":"a:b"', "dropped statement `S`", '{"Statement":[]}' },
            { '"Action":"a:b"', "widened Action `a:b` to `*`", statement('"Action":"*"') },
            { '"NotAction":["a:b", "c:d"]', "widened NotAction `c:d`",
              statement('"NotAction":["a:b", "*"]') },
            { '"Action":["a:b",\r\n "c:d" , "e:f"]', "dropped `a:b`",
              statement('"Action":["c:d" , "e:f"]') },
            { '"Action":["a:b",\r\n "c:d" , "e:f"]', "dropped `c:d`",
              statement('"Action":["a:b" , "e:f"]') },
            { '"Action":["a:b",\r\n "c:d" , "e:f"]', "dropped `e:f`",
              statement('"Action":["a:b",\r\n "c:d"]') },
            { '"Resource":"é"', "widened Resource `é` to `*`", statement('"Resource":"*"') },
            { '"Principal":{"AWS":["1","2"]}', "replaced Principal by `*`",
              statement('"Principal":"*"') },
            { '"NotPrincipal":{"AWS":"1"}', "replaced NotPrincipal by `*`",
              statement('"NotPrincipal":"*"') },
            { '"Principal":{"AWS":["1","2"]}', "dropped `1`",
              statement('"Principal":{"AWS":["2"]}') },
            { '"Principal":{"AWS":["1"],"Service":"s"}', "dropped `1`",
              statement('"Principal":{"Service":"s"}') },
            { '"Principal":{"AWS":["1"],"Service":"s"}', "dropped `s`",
              statement('"Principal":{"AWS":["1"]}') },
            { '"Condition":{"A":{"k":"v","l":"w"},"B":{"m":"x"}}', "dropped condition A k",
              statement('"Condition":{"A":{"l":"w"},"B":{"m":"x"}}') },
            { '"Condition":{"A":{"k":"v","l":"w"},"B":{"m":"x"}}', "dropped condition B m",
              statement('"Condition":{"A":{"k":"v","l":"w"}}') },
            { '"Action":"*","Condition":{"A":{"k":"v"}}', "dropped condition A k",
              statement('"Action":"*"') },
            { '"Condition":{"A":{"k":["v",true]}}', "dropped `true` from A k",
              statement('"Condition":{"A":{"k":["v"]}}') },
            { '"Condition":{"NotIpAddress":{"k":"10.0.0.0/8"}}', "widened `10.0.0.0/8`",
              statement('"Condition":{"NotIpAddress":{"k":"10.0.0.0/4"}}') },
            { '"Condition":{"IpAddressIfExists":{"k":["192.0.2.1","::1"]}}', "widened `::1`",
              statement('"Condition":{"IpAddressIfExists":{"k":["192.0.2.1","::1/124"]}}') },
            { '"Condition":{"IpAddress":{"k":"128.0.0.0/2"}}', "widened",
              statement('"Condition":{"IpAddress":{"k":"128.0.0.0/0"}}') },
        }) do
            assert.equal(row[3], mutant(statement(row[1]), row[2]).text)
        end
    end)

    it("take a single statement as they take a list", function()
        local text = '{"Statement":{"Effect":"Allow","Action":"a:b"}}'
        assert.equal('{"Statement":[]}', mutant(text, "dropped statement 1").text)
        assert.equal('{"Statement":{"Effect":"Deny","Action":"a:b"}}', mutant(text, "flipped").text)
        assert.equal('{"Statement":[{"Effect":"Allow"}]}',
            mutant('{"Statement":[{"Sid":"A"},{"Effect":"Allow"}]}', "statement `A`").text)
    end)

    it("are not made where there is nothing to change", function()
        local whats = {}
        for i, one in ipairs(of(statement('"Principal":"*","Action":"*","Resource":["*"],'
            .. '"Condition":{"IpAddress":{"k":"0.0.0.0/0"}}'))) do
            whats[i] = one.what
        end
        assert.same({ "dropped statement `S`", "flipped Effect of statement `S` to Allow",
                      "dropped condition IpAddress k" }, whats)
        assert.same({}, of("[]"))
        local none, err = mutants.of_text("{")
        assert.is_nil(none)
        assert.equal("syntax", err.status)
    end)

    it("are readable documents, in document order, with the place of the change", function()
        local text = '{"Statement":[{"Effect":"Allow","Principal":{"AWS":["1","2"]},\r\n'
            .. '"Action":["é:b","c:d"],"Resource":["r","s"],\r\n"Condition":{"IpAddress":'
            .. '{"k":["10.0.0.0/8","11.0.0.0/8"]},"Null":{"l":true}}},{"Effect":"Deny"}]}'
        local line, column, count = 0, 0, 0
        for _, one in ipairs(of(text)) do
            count = count + 1
            assert(document.new(one.text), one.what)
            assert.is_true(one.line > line or (one.line == line and one.column >= column), one.what)
            line, column = one.line, one.column
        end
        assert.equal(21, count)
        local widened = mutant(text, "widened Action `c:d`")
        assert.same({ 2, 17 }, { widened.line, widened.column })
    end)

    it("that say the same as the policy are equal", function()
        for rest, whats in pairs({
            ['"Action":["s3:*","S3:Get*","x:y"]'] = { "dropped `S3:Get*`" },
            ['"Action":["*","x:y"]'] = { "dropped `x:y`", "widened Action `x:y`" },
            ['"Action":["x:y","x:y"]'] = {},
            ['"Resource":["arn:aws:s3:::b/*","arn:aws:s3:::b/c/*"]'] =
                { "dropped `arn:aws:s3:::b/c/*`" },
            ['"Condition":{"IpAddress":{"k":["10.0.0.0/8","10.1.0.0/16"]}}'] =
                { "dropped `10.1.0.0/16`", "widened `10.1.0.0/16`" },
        }) do
            local equal = {}
            for _, one in ipairs(of(statement(rest))) do
                equal[#equal + 1] = one.equal and one.what or nil
            end
            for _, what in ipairs(whats) do
                assert.is_true(mutant(statement(rest), what).equal, what)
            end
            assert.equal(#whats == 0 and 2 or #whats, #equal, rest)
        end
        for rest, what in pairs({
            ['"Action":["s3:?","s3:*"]'] = "dropped `s3:*`",
            ['"Action":["s3:Get","s3:*"]'] = "dropped `s3:*`",
            ['"Resource":["arn:aws:s3:::${k}*","arn:aws:s3:::x"]'] = "dropped `arn:aws:s3:::x`",
            ['"Condition":{"IpAddress":{"k":["10.1.0.0/16","10.0.0.0/8"]}}'] =
                "dropped `10.0.0.0/8`",
            ['"Condition":{"IpAddress":{"k":["0.0.0.0/0","::1/8"]}}'] = "dropped `::1/8`",
            ['"Condition":{"StringLike":{"k":["a*","ab"]}}'] = "dropped `ab`",
        }) do
            assert.is_false(mutant(statement(rest), what).equal, what)
        end
    end)
end)
