local short_form = require("postern.store.short_form")
local sets = require("postern.set")


local ARN = "arn:aws:execute-api:eu-central-1:111122223333:a1"


describe("short forms", function()
    for text, wanted in pairs({
        ['{"Statement": {"Resource": "execute-api:/*"}}'] =
            '{"Statement": {"Resource": "' .. ARN .. '/*"}}',
        ['{"Statement": [{"Resource": [ "execute-api:/a", "arn:x", "execute-api:/b/GET/c" ]}]}'] =
            '{"Statement": [{"Resource": [ "' .. ARN .. '/a", "arn:x", "' .. ARN
            .. '/b/GET/c" ]}]}',
        ['{"Statement": [{"NotResource": "execute-api:/a"}, {"Resource": "execute-api:/b"}]}'] =
            '{"Statement": [{"NotResource": "' .. ARN .. '/a"}, {"Resource": "' .. ARN .. '/b"}]}',
        -- Escapes are written anew only where something is written out.
        ['{"Statement": [{"Resource": "execute-api:\\/a\\"\\u00e4"}], "Id": "\\u00e4"}'] =
            '{"Statement": [{"Resource": "' .. ARN .. '/a\\"ä"}], "Id": "\\u00e4"}',
    }) do
        it("are written out: " .. text, function()
            assert.equal(wanted, short_form.written_out(text, ARN))
            assert.equal(wanted, short_form.written_out(wanted, ARN))
        end)
    end

    for _, text in ipairs({
        "", "oops", "[]", "7", '{"Statement": 7}', '{"Statement": [7]}',
        '{"Statement": [{"Resource": 7}]}', '{"Statement": [{"Resource": [7]}]}',
        '{"Statement": [{"Resource": "execute-api:*"}]}',
        '{"Statement": [{"Resource": "Execute-Api:/*"}]}',
        '{"Statement": [{"Action": "execute-api:/*", "Sid": "execute-api:/*"}]}',
        '{"Resource": "execute-api:/*"}',
        '{ "Statement" : [ { "Resource" : "arn:aws:s3:::b" } ] } ',
    }) do
        it("are nowhere else: " .. text, function()
            assert.equal(text, short_form.written_out(text, ARN))
        end)
    end

    it("written out are what the core takes the short ones for", function()
        local text = '{"Statement": [{"Sid": "S", "Effect": "Allow", "Principal": "*", '
            .. '"Action": "execute-api:Invoke", "Resource": "execute-api:/live/GET/*"}]}'
        local options = { type = "resource", api_arn = ARN }
        assert(sets.compile(text, options))
        assert(sets.compile(short_form.written_out(text, ARN), { type = "resource" }))
        assert.is_nil(sets.compile(text, { type = "identity" }))
    end)
end)
