local plain = require("postern.host.plain")
local rules = require("postern.rules")
local sets = require("postern.set")
local requests = require("postern.request")
local endpoint_services = require("postern.endpoint_services")
local endpoint_policy = require("postern.endpoint_policy")


local BOM = "\239\187\191"
local EXECUTE = "com.amazonaws.us-east-1.execute-api"

local function table_pack(name)
    return assert(rules.load("tables", name, plain.read)).data
end


local checker = endpoint_policy.new{
    services = endpoint_services.new(table_pack("endpoint_services")),
    system_keys = table_pack("system_keys"),
}


-- Policies are written with ' for ". A @ marks the place of the error and is taken out.
local function read(marked)
    local json = marked:gsub("'", '"')
    local before = json:match("^(.-)@")
    local line, column = 0, 0
    if before then
        line = select(2, before:gsub("\n", "")) + 1
        column = endpoint_policy.characters(before:match("[^\n]*$")) + 1
        json = json:gsub("@", "", 1)
    end
    return json, line, column
end


-- A statement that lets everybody do everything, with more members.
local function allow(members)
    return "{'Effect':'Allow','Principal':'*','Action':'*','Resource':'*'" .. members .. "}"
end


local function policy(statement, version)
    return "{" .. (version and "'Version':'" .. version .. "'," or "")
        .. "'Statement':[" .. statement .. "]}"
end


local function with_condition(condition, version)
    return policy(allow(",'Condition':{" .. condition .. "}"), version)
end


-- Rows are { marked text, code or nil, part of the message, options }.
local function try(rows)
    for _, row in ipairs(rows) do
        local text, line, column = read(row[1])
        local ok, found = checker:validate(text, row[4])
        if not row[2] then
            assert.is_true(ok, row[1] .. ": " .. tostring(found))
        else
            assert.is_nil(ok, row[1])
            assert.equal("InvalidPolicyDocument." .. row[2], found.code, row[1])
            assert.same({ line, column }, { found.line, found.column }, row[1])
            assert.is_truthy(found.message:find(row[3] or "", 1, true), found.message)
        end
    end
end


describe("an endpoint policy", function()
    it("is by default one that lets everybody do everything, without a Version", function()
        local ok, warnings = checker:validate(endpoint_policy.DEFAULT, { service = EXECUTE })
        assert.is_true(ok)
        assert.same({}, warnings)
        local set = assert(sets.compile(endpoint_policy.DEFAULT, { type = "endpoint" }))
        assert.equal(1, set:statement_count())
        assert.is_nil(endpoint_policy.DEFAULT:find("Version"))
        for _, caller in ipairs({ "*", "arn:aws:iam::123456789012:user/alice" }) do
            local request = assert(requests.new(set))
            assert(request:fill({ principal = caller, action = "execute-api:Invoke",
                resource = "arn:aws:execute-api:us-east-1:123456789012:abc/dev/GET/" }))
            assert.equal("Allowed", requests.outcomes[(request:evaluate())])
        end
    end)

    it("is JSON", function()
        try({
            { "", "Size", "the document is empty" },
            { " @", "Json" },
            { "@nonsense", "Json" },
            { "{'Statement':[@", "Json" },
            { "{'Statement':[],@'Statement':[]}", "Json", "Statement" },
            { policy("{'Effect':'Allow',@'Effect':'Deny'}"), "Json" },
            { "@" .. BOM .. policy(allow("")), "Json", "byte order mark" },
            { "@\255", "Json" },
        })
    end)

    it("keeps to the grammar", function()
        try({
            { "@[]", "Structure" },
            { "@'2012-10-17'", "Structure" },
            { "@{}", "Structure", "no Statement" },
            { "{'Statement':@7}", "Structure" },
            { "{'Statement':[@7]}", "Structure" },
            { "{'Statement':[],@'Extra':1}", "Structure" },
            { policy(allow(",@'Extra':1")), "Structure" },
            { policy(allow(",@'NotAction':'x'")), "Structure", "both Action and NotAction" },
            { policy("@" .. allow(",'NotPrincipal':'*'")), "Structure", "both Principal" },
            { policy("{'Effect':@'allow','Principal':'*','Action':'*','Resource':'*'}"),
              "Structure" },
            { policy("@{'Principal':'*','Action':'*','Resource':'*'}"), "Structure", "no Effect" },
            { policy("@{'Effect':'Allow','Principal':'*','Resource':'*'}"), "Structure", "Action" },
            { policy("@{'Effect':'Allow','Principal':'*','Action':'*'}"), "Structure",
              "Resource" },
            { policy(allow(",'Condition':@[]")), "Structure" },
            { with_condition("'Bool':@1"), "Structure" },
            { with_condition("'Bool':{'a:b':@null}"), "Structure" },
            { with_condition("'Bool':{'a:b':true,@'A:B':true}"), "Structure" },
            { policy(allow(",'Sid':@1")), "Structure" },
            -- attachable is more than grammatical
            { policy("{'Effect':'Allow','Principal':'*','Action':'*',"
                .. "'Resource':@'execute-api:/dev/*'}"), "Structure", "short form" },
            { policy("{'Effect':'Allow','Principal':'*','Action':'*',"
                .. "'Resource':@'arn:aws:s3:::${aws:username}:x:y'}", "2012-10-17"), nil },
            { policy("{'Effect':'Allow','Principal':'*','Action':'*',"
                .. "'Resource':@'arn:aws:s3:${aws:username}::x'}", "2012-10-17"),
              "Structure", "variable" },
        })
    end)

    it("says who in every statement", function()
        try({
            { policy("@{'Effect':'Allow','Action':'*','Resource':'*'}"), "MissingPrincipal" },
            { policy(allow("") .. ",\n @{'Effect':'Deny','Action':'*','Resource':'*'}"),
              "MissingPrincipal", "endpoint policy has to say who" },
            { "{'Statement':@{'Effect':'Allow','Action':'*','Resource':'*'}}",
              "MissingPrincipal" },
            { policy("{'Effect':'Deny','NotPrincipal':{'AWS':'123456789012'},'Action':'*',"
                .. "'Resource':'*'}") },
        })
    end)

    it("has a known Version or none", function()
        try({
            { policy(allow("")) },
            { policy(allow(""), "2012-10-17") },
            { policy(allow(""), "2008-10-17") },
            { "{'Version':@'2012-10-18','Statement':[]}", "Version", "2012-10-18" },
            { "{'Statement':[],'Version':@2012}", "Version" },
            { "{'Version':@null,'Id':'x','Statement':" .. allow("") .. "}", "Version" },
        })
    end)

    it("uses operators that exist, with values they can take", function()
        try({
            { with_condition("@'StringLikes':{'a:b':'c'}"), "Operator", "StringLike" },
            { with_condition("'Bool':{'a:b':true},@'NullIfExists':{'a:b':true}"), "Operator" },
            { with_condition("@'X':{'a:b':'c'},'Bool':{'a:b':true}"), "Operator" },
            { with_condition("'Bool':{'a:b':true},@'X':{'a:b':'c'},'Y':{'a:b':'c'}"), "Operator" },
            { with_condition("'ForAnyValue:StringLikeIfExists':{'a:b':'abcdef*'}") },
            { with_condition("'IpAddress':{'aws:VpcSourceIp':@'10.0.0.0/33'}"), "Operator" },
            { with_condition("'NumericLessThan':{'a:b':['1',@'many']}"), "Operator" },
            { with_condition("'DateLessThan':{'aws:CurrentTime':@'soon'}"), "Operator" },
        })
    end)

    it("names principals as principals are named", function()
        local function naming(principal)
            return policy("{'Effect':'Deny','Action':'*','Resource':'*'," .. principal .. "}")
        end
        try({
            { naming("'Principal':{'AWS':['123456789012','arn:aws:iam::123456789012:root']}") },
            { naming("'Principal':{'Service':'sns.amazonaws.com'}") },
            { naming("'Principal':@'123456789012'"), "PrincipalFormat" },
            { naming("'Principal':@[]"), "PrincipalFormat" },
            { naming("'Principal':@{}"), "PrincipalFormat" },
            { naming("'Principal':{@'Aws':'*'}"), "PrincipalFormat", "AWS" },
            { naming("'Principal':{'AWS':@7}"), "PrincipalFormat" },
            { naming("'Principal':{'AWS':@[]}"), "PrincipalFormat" },
            { naming("'Principal':{\n 'AWS':['*',\n  @'arn:aws:iam::123456789012:role/*']}"),
              "PrincipalFormat", "wildcard" },
            { naming("'NotPrincipal':{'AWS':@'arn:aws:iam::123456789012:user/a?'}"),
              "PrincipalFormat" },
            { naming("'NotPrincipal':{'AWS':'arn:aws:iam::123456789012:user/a'}") },
            { policy("{'Effect':'Allow','NotPrincipal':@{'AWS':'123456789012'},'Action':'*',"
                .. "'Resource':'*'}"), "PrincipalFormat", "matches nobody" },
        })
    end)

    it("uses neither wildcards nor Numeric operators with ids that AWS makes", function()
        for _, key in ipairs(table_pack("system_keys")) do
            try({
                { with_condition("'StringEquals':{'" .. key .. "':'123456789012'}") },
                { with_condition("'StringLike':{'" .. key .. "':'123456789012'}") },
                { with_condition("'StringLike':{'" .. key .. "':['x',@'1234567890*']}"),
                  "WildcardRule", key },
                { with_condition("'StringNotEqualsIfExists':{'" .. key:upper()
                    .. "':@'1234567890?'}"), "WildcardRule" },
                { with_condition("'NumericEquals':{@'" .. key .. "':1}"), "WildcardRule", key },
                { with_condition("'ForAnyValue:NumericLessThanIfExists':{@'" .. key:lower()
                    .. "':'1'}"), "WildcardRule" },
            })
        end
        try({
            { with_condition("'NumericLessThan':{'aws:MultiFactorAuthAge':1}") },
            { with_condition("'StringEquals':{'aws:SourceVpc':'${aws:SourceVpce}${*}'}",
                "2012-10-17") },
            { with_condition("'StringEquals':{'aws:SourceVpc':@'vpc-${*}'}", "2008-10-17"),
              "WildcardRule" },
        })
    end)

    it("has six characters beside every wildcard of a string", function()
        -- value, whether it may stand, Version
        for _, row in ipairs({
            { "abcdef*", true }, { "*abcdef", true }, { "abcde*", false }, { "*abcde", false },
            { "*", false }, { "?", false }, { "", true }, { "abc", true },
            { "abcdef?", true }, { "abc?def", false }, { "abcdef*ghi", true },
            { "abc*defghi", true }, { "abcdef*g*hijklm", true }, { "abcdef*ghijk*", false },
            { "abcdef*ghijkl*", true }, { "abcdef**", false }, { "abcdef*?ghijkl", true },
            { "*abcdef*", true }, { "*abcde*", false },
            { "éàüöèç*", true }, { "éàüöè*", false }, -- characters, not bytes
            { "${a:b}*", true, "2012-10-17" }, { "${a:b}*", true, "2008-10-17" },
            { "ab${*}cd*", true, "2012-10-17" }, { "ab${*}cd*", false, "2008-10-17" },
            { "ab${*}", true, "2012-10-17" }, { "ab${*}", false, "2008-10-17" },
            { "ab${?}c${*}", true, "2012-10-17" }, { "ab${x*", false, "2008-10-17" },
        }) do
            local good = row[2] and {} or { "WildcardRule", "at least 6" }
            for _, operator in ipairs({ "StringLike", "StringNotLike", "StringLikeIfExists",
                                        "ForAllValues:StringNotLike" }) do
                local mark = row[2] and "" or "@"
                try({ { with_condition(("'%s':{'aws:UserAgent':['abcdef',%s'%s']}")
                    :format(operator, mark, row[1]), row[3]), good[1], good[2] } })
            end
            -- In other operators * and ? are no wildcards, or follow the parts of an ARN.
            try({ { with_condition(("'StringEquals':{'aws:UserAgent':'%s'}"):format(row[1]),
                row[3]) } })
        end
        try({ { with_condition("'ArnLike':{'aws:PrincipalArn':'arn:aws:iam::*:role/*'}") } })
    end)

    it("has a whole account or a wildcard in an ARN", function()
        -- ARN, whether it may stand
        for _, row in ipairs({
            { "arn:aws:sqs:us-east-1:123456789012:q", true },
            { "arn:aws:sqs:us-east-1:*:q", true },
            { "arn:aws:sqs:us-east-1:????????????:q", true },
            { "arn:aws:s3:::bucket/12345*", true },
            { "arn:aws:sqs:us-east-1:12345*:q", false },
            { "arn:aws:sqs:us-east-1:*12345:q", false },
            { "arn:aws:sqs:us-east-1:12345678901?:q", false },
            { "arn:aws:sqs:us-east-1:12345*", false },
            { "arn:aws:execute-api:*:abc123/*", true }, -- part five is no account here
            { "arn:aws:iam::aws:policy/x", true },
        }) do
            local code = not row[2] and "ArnAccount" or nil
            local mark = row[2] and "" or "@"
            for _, element in ipairs({ "Resource", "NotResource" }) do
                try({ { policy(("{'Effect':'Deny','Principal':'*','Action':'*','%s':['*',%s'%s']}")
                    :format(element, mark, row[1])), code, "account" } })
            end
            try({ { with_condition(("'StringEquals':{'aws:PrincipalArn':['x',%s'%s']}")
                :format(mark, row[1])), code } })
        end
        try({
            { with_condition("'ArnLike':{'aws:PrincipalArn':@'arn:aws:iam::12*:role/x'}"),
              "ArnAccount" },
            { with_condition("'ArnLike':{'aws:PrincipalArn':'arn:aws:iam::*:role/12*'}") },
            { with_condition("'StringEquals':{'aws:UserAgent':'urn:a:b:c:12*:x'}") },
            -- a variable is neither digits nor a wildcard
            { with_condition("'ArnLike':{'aws:PrincipalArn':"
                .. "'arn:aws:iam::${aws:PrincipalAccount}:role/x'}", "2012-10-17") },
        })
    end)

    it("is not for a service without policies", function()
        for _, service in ipairs({ "transfer.server", "com.amazonaws.eu-west-1.appstream.api",
                                   "com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0" }) do
            try({ { policy(allow("")), "NotSupported", "full access", { service = service } } })
        end
        for _, service in ipairs({ EXECUTE, "com.amazonaws.us-east-1.unheard-of" }) do
            try({ { policy(allow("")), nil, nil, { service = service } } })
        end
    end)

    it("is one policy", function()
        local text = read(policy(allow("")))
        assert.is_true(checker:validate({ text }))
        for _, list in ipairs({ {}, { text, text }, { text, text, text } }) do
            local ok, err = checker:validate(list)
            assert.is_nil(ok)
            assert.equal("InvalidPolicyDocument.TooManyPolicies", err.code)
            assert.equal(0, err.line)
        end
        -- The worse of two faults comes first.
        local _, err = checker:validate({ text, "{" })
        assert.equal("InvalidPolicyDocument.Json", err.code)
    end)
end)


describe("the size of an endpoint policy", function()
    -- A policy of exactly so many characters, filled up in its Sid with pieces, and with
    -- white space at the end.
    local function sized(count, filler, spaces)
        local text = read(policy(allow(",'Sid':'@'"), "2012-10-17"))
        local at = text:find(',"Sid":""', 1, true) + #',"Sid":"'
        local room = count - endpoint_policy.characters(text) - #spaces
        local width = endpoint_policy.characters(filler)
        local fill = filler:rep(math.floor(room / width)) .. ("x"):rep(room % width)
        return text:sub(1, at - 1) .. fill .. text:sub(at) .. spaces
    end

    it("is 20,480 characters at most, white space included", function()
        for _, filler in ipairs({ "x", "é", "€", "\240\159\152\128", "a b", "\\u00e9" }) do
            for _, spaces in ipairs({ "", " ", "\r\n\t " }) do
                local good, bad = sized(20480, filler, spaces), sized(20481, filler, spaces)
                assert.equal(20480, endpoint_policy.characters(good))
                assert.equal(20481, endpoint_policy.characters(bad))
                assert.is_true(checker:validate(good))
                local ok, err = checker:validate(bad)
                assert.is_nil(ok)
                assert.equal("InvalidPolicyDocument.Size", err.code)
                assert.is_truthy(err.message:find("20481 characters", 1, true))
            end
        end
    end)

    it("is that of the text as submitted", function()
        for _, row in ipairs({
            { "", 0 }, { "a", 1 }, { "é", 1 }, { "\240\159\152\128", 1 }, { "e\204\129", 2 },
            { BOM .. "{}", 3 }, { " {}\r\n", 5 }, { "\\u00e9", 6 }, { "\0", 1 },
        }) do
            assert.equal(row[2], endpoint_policy.characters(row[1]))
        end
    end)

    it("is checked before the grammar", function()
        local _, err = checker:validate("[" .. (" "):rep(20480) .. "]")
        assert.equal("InvalidPolicyDocument.Size", err.code)
    end)
end)


describe("of several faults in one endpoint policy", function()
    -- One fault of each code, in the order of the codes, as changes to a good policy.
    local FAULTS = {
        { "Structure", function(p) p.statement = p.statement .. ",'Extra':1" end },
        { "MissingPrincipal", function(p) p.principal = nil end },
        { "Version", function(p) p.version = "1" end },
        { "Operator", function(p) p.condition[#p.condition + 1] = "'Likes':{'a:b':'c'}" end },
        { "PrincipalFormat", function(p)
            p.principal = p.principal and "{'AWS':'arn:aws:iam::123456789012:role/*'}"
        end },
        { "WildcardRule", function(p)
            p.condition[#p.condition + 1] = "'StringLike':{'aws:UserAgent':'*'}"
        end },
        { "ArnAccount", function(p) p.resource = "arn:aws:sqs:us-east-1:12*:q" end },
        { "NotSupported", function(p) p.service = "transfer.server" end },
        { "TooManyPolicies", function(p) p.count = 2 end },
    }

    local function write(p)
        local parts = { "'Effect':'Allow','Action':'*','Resource':'" .. p.resource .. "'" }
        parts[2] = p.principal and "'Principal':" .. p.principal or nil
        parts[#parts + 1] = "'Condition':{" .. table.concat(p.condition, ",") .. "}"
        return (read("{'Version':'" .. p.version .. "','Statement':[{" .. table.concat(parts, ",")
            .. p.statement .. "}]}"))
    end

    it("the first in the order of the codes is told", function()
        -- Every subset of the faults, as a number whose bits choose them.
        for subset = 0, 2 ^ #FAULTS - 1 do
            local p = {
                version = "2012-10-17", principal = "'*'", resource = "*", condition = {},
                statement = "", service = EXECUTE, count = 1,
            }
            local first
            for i, fault in ipairs(FAULTS) do
                if math.floor(subset / 2 ^ (i - 1)) % 2 == 1 then
                    fault[2](p)
                    first = first or fault[1]
                end
            end
            local text = write(p)
            local ok, err = checker:validate(p.count == 2 and { text, text } or text,
                { service = p.service })
            if first then
                assert.is_nil(ok)
                assert.equal("InvalidPolicyDocument." .. first, err.code, text)
            else
                assert.is_true(ok)
            end
        end
    end)

    it("the place is right wherever the others stand", function()
        try({
            { "{'Version':\n\n'ü', 'Statement':[{'Principal':\n{'AWZ':'é€'},'Condition':"
                .. "{'Likes':{'ö':'ö'}, 'Bool':@1},'Effect':'Allow','Action':'*','Resource':'*'}]}",
              "Structure", "`Bool`" },
            { "{'Statement':[{'Condition':{'A':{},'B':{},'Bool':{}},'Effect':'Deny','Action':'*',"
                .. "'Resource':@7,'Principal':9}],'Version':'x'}", "Structure" },
            { "{'Statement':[{'Condition':{'Bool':{},'A':{},'B':{}},'Effect':'Deny','Action':'*',"
                .. "'Resource':'*','Principal':9,@'More':7}],'Version':'x'}", "Structure" },
        })
    end)

    it("an error reads as a place, a code and what to do", function()
        local text = read(policy("{'Effect':'Allow','Action':'*','Resource':'*'}"))
        local _, err = checker:validate(text, { name = "endpoint.json" })
        assert.equal("endpoint.json:1:15: InvalidPolicyDocument.MissingPrincipal: no Principal: "
            .. 'an endpoint policy has to say who, such as "Principal": "*"', tostring(err))
        _, err = checker:validate("")
        assert.matches("^policy: InvalidPolicyDocument.Size: ", tostring(err))
    end)

    it("an unknown type of endpoint is a mistake of the caller", function()
        assert.has_error(function() checker:validate("", { type = "gateway" }) end,
            "unknown type of endpoint: `gateway`")
    end)
end)


describe("a warning about an endpoint policy", function()
    -- Rows are { marked text, code or nil, options }.
    local function try_warnings(rows)
        for _, row in ipairs(rows) do
            local text, line, column = read(row[1])
            local ok, warnings = checker:validate(text, row[3])
            assert.is_true(ok, tostring(warnings))
            if row[2] then
                assert.equal(1, #warnings, row[1])
                assert.equal(row[2], warnings[1].code)
                assert.same({ line, column }, { warnings[1].line, warnings[1].column }, row[1])
            else
                assert.same({}, warnings, row[1])
            end
        end
    end

    local function acting(element, actions, effect)
        return policy(("{'Effect':'%s','Principal':'*','%s':%s,'Resource':'*'}")
            :format(effect or "Allow", element, actions))
    end

    it("tells of actions that can never apply", function()
        local s3 = { service = "com.amazonaws.us-east-1.s3" }
        try_warnings({
            { acting("Action", "'*'"), nil, s3 },
            { acting("Action", "'s3:GetObject'"), nil, s3 },
            { acting("Action", "'S3:get*'"), nil, s3 },
            { acting("Action", "'s*'"), nil, s3 },
            { acting("Action", "'s?:*'"), nil, s3 },
            { acting("Action", "'*:GetObject'"), nil, s3 },
            { acting("Action", "'*Object'"), nil, s3 },
            { acting("Action", "@'s*x:*'"), "ENDPOINT_FOREIGN_ACTION", s3 },
            { acting("Action", "['s3:GetObject',@'ec2:*']"), "ENDPOINT_FOREIGN_ACTION", s3 },
            { acting("Action", "@'ec2:DescribeVpcs'", "Deny"), "ENDPOINT_FOREIGN_ACTION", s3 },
            { acting("Action", "@'s3x:*'"), "ENDPOINT_FOREIGN_ACTION", s3 },
            { acting("Action", "@'s:*'"), "ENDPOINT_FOREIGN_ACTION", s3 },
            { acting("Action", "@'s3:'"), "ENDPOINT_FOREIGN_ACTION", s3 },
            { acting("Action", "@'s3'"), "ENDPOINT_FOREIGN_ACTION", s3 },
            { acting("Action", "@'?:*'"), "ENDPOINT_FOREIGN_ACTION", s3 },
            { acting("Action", "@''"), "ENDPOINT_FOREIGN_ACTION", s3 },
            { acting("NotAction", "'ec2:*'"), nil, s3 },
            { acting("NotAction", "'s3:Get*'"), nil, s3 },
            { acting("NotAction", "['s3?','*:','s3:']"), nil, s3 },
            { acting("NotAction", "['ec2:*',@'s3:*']"), "ENDPOINT_FOREIGN_ACTION", s3 },
            { acting("NotAction", "@'*'"), "ENDPOINT_FOREIGN_ACTION", s3 },
            -- Nothing is known of the service, or there is none.
            { acting("Action", "'ec2:*'"), nil, { service = "unheard-of" } },
            { acting("Action", "'ec2:*'"), nil, nil },
            { acting("Action", "'execute-api:Invoke'"), nil, { service = EXECUTE } },
            { acting("Action", "@'apigateway:GET'"), "ENDPOINT_FOREIGN_ACTION",
              { service = EXECUTE } },
        })
    end)

    it("about actions agrees with trying every action there could be", function()
        local glob = require("postern.glob")
        local LETTERS = { "a", "b", ":", "*", "?" }
        local SIZE = #LETTERS
        local texts = { "" }
        for _ = 1, 3 do -- names of up to three letters after the prefix
            for i = 1, #texts do
                for _, letter in ipairs({ "a", "b" }) do
                    texts[#texts + 1] = texts[i] .. letter
                end
            end
        end
        local data = {
            services = { { name = "x", prefix = "a", suffixes = { "x" } } },
            forms = {}, foreign_forms = {}, without_policy = {}, gateway = {}, cross_region = {},
        }
        local small = endpoint_policy.new{
            services = endpoint_services.new(data), system_keys = {},
        }
        -- Every pattern of four letters: with so few, three letters more are enough to match.
        for number = 0, SIZE ^ 4 - 1 do
            local pattern = ""
            for place = 0, 3 do
                pattern = pattern .. LETTERS[math.floor(number / SIZE ^ place) % SIZE + 1]
            end
            local globs, applies = assert(glob.new{ pattern }), false
            for _, text in ipairs(texts) do
                applies = applies or (text ~= "" and globs:match("a:" .. text) ~= nil)
            end
            local _, warnings = small:validate((read(acting("Action", "'" .. pattern .. "'"))),
                { service = "x" })
            assert.equal(applies and 0 or 1, #warnings, pattern)
        end
    end)

    it("tells of principals of a gateway endpoint", function()
        local function naming(principal)
            return policy("{'Effect':'Deny','Action':'*','Resource':'*'," .. principal .. "}")
        end
        local CODE = "ENDPOINT_GATEWAY_PRINCIPAL"
        for _, row in ipairs({
            { "'Principal':'*'" },
            { "'Principal':{'AWS':'*'}" },
            { "'Principal':{'AWS':['*']}" },
            { "'Principal':{'AWS':@'123456789012'}", CODE },
            { "'Principal':{'AWS':['*',@'arn:aws:iam::123456789012:root']}", CODE },
            { "'Principal':{'AWS':@'arn:aws:iam::123456789012:user/alice'}", CODE },
            { "'Principal':{'Service':@'sns.amazonaws.com'}", CODE },
            { "'NotPrincipal':@{'AWS':'123456789012'}", CODE },
        }) do
            local plain_text = row[1]:gsub("@", "")
            try_warnings({
                { naming(row[1]), row[2], { type = "Gateway", service = "s3" } },
                { naming(plain_text), nil, { type = "Interface", service = "s3" } },
                { naming(plain_text), nil, { service = "s3" } },
            })
        end
    end)

    it("tells of addresses that are never there", function()
        local CODE = "ENDPOINT_SOURCEIP"
        try_warnings({
            { with_condition("'IpAddress':{@'aws:SourceIp':'10.0.0.0/8'}"), CODE },
            { with_condition("'NotIpAddressIfExists':{@'AWS:sourceip':'10.0.0.0/8'}"), CODE },
            { with_condition("'Null':{@'aws:SourceIp':true}"), CODE },
            { with_condition("'IpAddress':{'aws:VpcSourceIp':'10.0.0.0/8'}"), nil },
        })
    end)

    it("does not stop another", function()
        local text = read(policy(
            "{'Effect':'Allow','Principal':{'AWS':'123456789012'},'Action':'ec2:*','Resource':'*',"
            .. "'Condition':{'IpAddress':{'aws:SourceIp':'10.0.0.0/8'}}}"))
        local ok, warnings = checker:validate(text, { type = "Gateway", service = "s3" })
        assert.is_true(ok)
        local codes = {}
        for i, warning in ipairs(warnings) do
            codes[i] = warning.code
            assert.matches("^policy:1:%d+: ENDPOINT_", tostring(warning))
        end
        assert.same({ "ENDPOINT_GATEWAY_PRINCIPAL", "ENDPOINT_FOREIGN_ACTION",
                      "ENDPOINT_SOURCEIP" }, codes)
    end)
end)


-- AWS PrivateLink Guide, "Control access to VPC endpoints using endpoint policies".
describe("the principals of endpoint policies", function()
    local ACCOUNT, ROOT = "123456789012", "arn:aws:iam::123456789012:root"
    local ALICE = "arn:aws:iam::123456789012:user/alice"
    local ROLE, SESSION = "arn:aws:iam::123456789012:role/R",
        "arn:aws:sts::123456789012:assumed-role/R/s"
    local EVE = "arn:aws:iam::999999999999:user/eve"

    it("are who they are at each type of endpoint", function()
        -- principal, caller, at a gateway endpoint, at an interface endpoint
        for _, row in ipairs({
            { "*", ALICE, true, true }, { "*", "*", true, true }, { "*", EVE, true, true },
            { ACCOUNT, ALICE, false, true }, { ACCOUNT, SESSION, false, true },
            { ACCOUNT, ROOT, true, true }, { ACCOUNT, "*", false, false },
            { ACCOUNT, EVE, false, false },
            { ROOT, ALICE, false, true }, { ROOT, SESSION, false, true },
            { ROOT, ROOT, true, true }, { ROOT, "*", false, false },
            { ALICE, ALICE, true, true }, { ALICE, EVE, false, false },
            { ALICE, "*", false, false },
            { ROLE, SESSION, true, true }, { ROLE, ALICE, false, false },
            { ROLE, "*", false, false },
        }) do
            for i, endpoint_type in ipairs({ "Gateway", "Interface" }) do
                local text = read(policy(("{'Effect':'Allow','Principal':{'AWS':'%s'},"
                    .. "'Action':'s3:*','Resource':'*'}"):format(row[1])))
                local set = assert(sets.compile(text, {
                    type = endpoint_policy.TYPES[endpoint_type],
                }))
                local request = assert(requests.new(set))
                assert(request:fill({
                    principal = row[2], action = "s3:GetObject", resource = "arn:aws:s3:::b/k",
                }))
                assert.equal(row[2 + i], requests.outcomes[(request:evaluate())] == "Allowed",
                    ("%s, %s, %s"):format(endpoint_type, row[1], row[2]))
            end
        end
    end)

    it("do nothing for actions of another service", function()
        local set = assert(sets.compile((read(policy("{'Effect':'Allow','Principal':'*',"
            .. "'Action':'ec2:*','Resource':'*'}"))), { type = "endpoint" }))
        local request = assert(requests.new(set))
        assert(request:fill({ action = "s3:GetObject", resource = "arn:aws:s3:::b/k" }))
        assert.equal("ImplicitlyDenied", requests.outcomes[(request:evaluate())])
    end)

    it("may be told apart by variables", function()
        local set = assert(sets.compile((read(policy("{'Effect':'Allow','Principal':'*',"
            .. "'Action':'s3:*','Resource':'arn:aws:s3:::b/${aws:username}/*'}", "2012-10-17"))),
            { type = "gateway_endpoint" }))
        local request = assert(requests.new(set))
        assert(request:fill({ action = "s3:GetObject", resource = "arn:aws:s3:::b/alice/k",
            context = { ["aws:username"] = "alice" } }))
        assert.equal("Allowed", requests.outcomes[(request:evaluate())])
    end)
end)


describe("the codes of other policies", function()
    local function code(text)
        local set, err = sets.compile(text, { type = "resource", name = "p" })
        assert.is_nil(set, text)
        return endpoint_policy.code_of(text, "resource", err)
    end

    local STATEMENT = '{"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", '
        .. '"Resource": "execute-api:/*"}'

    for wanted, texts in pairs({
        Json = { "{", '{"Statement": ' .. STATEMENT .. ', "Statement": []}', '"\255"' },
        Size = { "" },
        Structure = {
            "{}", "[]", "7", '{"Statement": 7}', '{"Statement": ' .. STATEMENT .. ', "X": 1}',
            (('{"Statement": ' .. STATEMENT .. "}"):gsub("Allow", "Permit")),
            (('{"Statement": ' .. STATEMENT .. "}"):gsub('"Action": [^,]*,', "")),
        },
        MissingPrincipal = {
            (('{"Statement": ' .. STATEMENT .. "}"):gsub('"Principal": "%*",', "")),
        },
        Version = { '{"Version": "2013-01-01", "Statement": ' .. STATEMENT .. "}" },
        Operator = {
            (('{"Statement": ' .. STATEMENT .. "}"):gsub('"Effect"',
                '"Condition": {"Sounds": {"a": "b"}}, "Effect"')),
            (('{"Statement": ' .. STATEMENT .. "}"):gsub('"Effect"',
                '"Condition": {"IpAddress": {"aws:SourceIp": "b"}}, "Effect"')),
        },
        PrincipalFormat = {
            (('{"Statement": ' .. STATEMENT .. "}"):gsub('"%*"', '{"AWS": "12*"}', 1)),
            (('{"Statement": ' .. STATEMENT .. "}"):gsub('"Principal"', '"NotPrincipal"', 1)),
        },
    }) do
        for _, text in ipairs(texts) do
            it(("are those of endpoint policies: %s: %s"):format(wanted, text), function()
                assert.equal("InvalidPolicyDocument." .. wanted, code(text))
            end)
        end
    end
end)
