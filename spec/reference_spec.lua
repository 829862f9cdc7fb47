--- The reference evaluator against answers worked out by hand from the rules,
-- and against the shared cases where they are at hand.

local json = require "spec.support.json"
local reference = require "spec.support.reference"

local A = json.array
local UNRESOLVED = reference.UNRESOLVED

local METHOD = "arn:aws:execute-api:us-east-1:111122223333:abc123/dev/GET/pets"
local ALICE = "arn:aws:iam::111122223333:user/alice"
local SESSION = "arn:aws:sts::111122223333:assumed-role/Deployer/run-7"
local FEDERATED = "arn:aws:sts::111122223333:federated-user/alice"
local BOB = "arn:aws:iam::444455556666:user/bob"
local ROOT = "arn:aws:iam::111122223333:root"

-- Stands in a row for a context without the key.
local MISSING = {}


local function request(changes)
    local result = { action = "execute-api:Invoke", resource = METHOD, principal = ALICE,
                     context = {} }
    for name, value in pairs(changes or {}) do
        result[name] = value
    end
    return result
end


local function policy(statement, version)
    statement.Effect = statement.Effect or "Allow"
    if not statement.NotAction then
        statement.Action = statement.Action or "*"
    end
    return { Version = version or "2012-10-17", Statement = A { statement } }
end


-- Whether one operator with one key holds; `more` is further context.
local function holds(operator, values, value, more, version)
    local context = { ["app:key"] = value ~= MISSING and value or nil }
    for key, other in pairs(more or {}) do
        context[key] = other
    end
    local document = policy({
        Resource = "*", Condition = { [operator] = { ["app:key"] = values } },
    }, version)
    local outcome = reference.policy_result(document, "identity", request { context = context })
    return outcome == "Allowed"
end


local function check_conditions(rows)
    for i, row in ipairs(rows) do
        local expected, operator, values, value, more, version = unpack(row, 1, 6)
        assert.equal(expected, holds(operator, values, value, more, version),
            ("row %d: %s %s against %s"):format(i, operator, json.encode(values),
                value == MISSING and "no key" or json.encode(value)))
    end
end


describe("missing key, empty list, multivalued key", function()
    local none, blank, one, two = A {}, A { "" }, A { "a" }, A { "a", "b" }

    it("without a set operator", function()
        check_conditions {
            { false, "StringEquals", "a", MISSING },
            { true, "StringNotEquals", "a", MISSING },
            { true, "StringEqualsIfExists", "a", MISSING },
            { true, "StringNotEqualsIfExists", "a", MISSING },
            { false, "StringEquals", "a", none }, -- an empty list is an absent key
            { true, "StringNotEquals", "a", none },
            { true, "StringEqualsIfExists", "a", none },
            { false, "StringEquals", "a", one }, -- a multivalued key, though of one value
            { false, "StringNotEquals", "z", one },
            { false, "StringEqualsIfExists", "a", one },
            { false, "StringNotEqualsIfExists", "z", two },
            { false, "StringEquals", "a", two },
            { false, "StringNotEquals", "", blank },
            { true, "StringEquals", "", "" },
            { false, "StringNotEquals", "", "" },
            { false, "StringEqualsIfExists", "b", "" }, -- empty text is present
            { false, "NumericLessThan", "5", MISSING },
            { true, "NumericNotEquals", "5", MISSING },
            { false, "DateGreaterThan", "2020", MISSING },
            { true, "DateNotEquals", "2020", MISSING },
            { false, "Bool", "false", MISSING },
            { false, "BinaryEquals", "QQ==", MISSING },
            { true, "NotIpAddress", "10.0.0.0/8", MISSING },
            { true, "ArnNotEquals", "arn:aws:s3:::b", MISSING },
            { true, "ArnNotLike", "arn:aws:s3:::b", MISSING },
            { true, "NumericLessThanIfExists", "5", MISSING },
        }
    end)

    it("with ForAllValues", function()
        check_conditions {
            { true, "ForAllValues:StringEquals", "a", MISSING },
            { true, "ForAllValues:StringNotEquals", "a", MISSING },
            { true, "ForAllValues:StringEqualsIfExists", "a", MISSING },
            { true, "ForAllValues:StringEquals", "a", none },
            { true, "ForAllValues:StringEquals", "a", blank }, -- only empty strings
            { true, "ForAllValues:StringEquals", "a", "" },
            { true, "ForAllValues:StringEquals", "a", one },
            { false, "ForAllValues:StringEquals", "a", two },
            { true, "ForAllValues:StringEquals", A { "a", "b" }, two },
            { false, "ForAllValues:StringEquals", "a", A { "", "a" } },
            { true, "ForAllValues:StringNotEquals", "c", two },
            { false, "ForAllValues:StringNotEquals", A { "c", "b" }, two },
            { true, "ForAllValues:StringEquals", "a", "a" }, -- R of one element
            { true, "ForAllValues:Bool", "true", A { true, "TRUE" } },
            { false, "ForAllValues:Bool", "true", A { true, false } },
            { true, "forallvalues:numericlessthan", "5", A { "1", "4.99" } },
            { true, "ForAllValues:NotIpAddress", "10.0.0.0/8", A { "11.0.0.1", "::1" } },
        }
    end)

    it("with ForAnyValue", function()
        check_conditions {
            { false, "ForAnyValue:StringEquals", "a", MISSING },
            { false, "ForAnyValue:StringNotEquals", "a", MISSING },
            { true, "ForAnyValue:StringEqualsIfExists", "a", MISSING },
            { true, "ForAnyValue:StringNotEqualsIfExists", "a", none },
            { false, "ForAnyValue:StringNotEquals", "a", none },
            { false, "ForAnyValue:StringNotEquals", "a", blank },
            { false, "ForAnyValue:StringEqualsIfExists", "", blank }, -- present, only empty
            { false, "ForAnyValue:StringEquals", "", "" },
            { true, "ForAnyValue:StringEquals", "", A { "", "a" } },
            { true, "ForAnyValue:StringEquals", A { "z", "b" }, two },
            { false, "ForAnyValue:StringEquals", "c", two },
            { true, "ForAnyValue:StringNotEquals", "a", two },
            { false, "ForAnyValue:StringNotEquals", A { "b", "a" }, two },
            { true, "ForAnyValue:StringLike", "?", A { "ab", "c" } },
        }
    end)

    it("with no values in the policy", function()
        check_conditions {
            { false, "StringEquals", none, "a" },
            { false, "StringEquals", none, MISSING },
            { true, "StringNotEquals", none, "a" },
            { true, "StringNotEquals", none, MISSING },
            { false, "StringNotEquals", none, two }, -- the multivalued rule
            { true, "StringEqualsIfExists", none, MISSING },
            { false, "StringEqualsIfExists", none, "a" },
            { true, "StringEqualsIfExists", none, "" }, -- as if the key were missing
            { true, "ForAllValues:StringEquals", none, MISSING },
            { false, "ForAllValues:StringEquals", none, one },
            { false, "ForAllValues:StringNotEquals", none, one },
            { true, "ForAllValues:StringEquals", none, blank },
            { false, "ForAnyValue:StringEquals", none, one },
            { false, "ForAnyValue:StringNotEquals", none, one },
            { false, "ForAnyValue:StringEquals", none, MISSING },
            { true, "ForAnyValue:StringEqualsIfExists", none, MISSING },
            { false, "Null", none, MISSING },
        }
    end)

    it("with Null", function()
        check_conditions {
            { true, "Null", "true", MISSING },
            { true, "Null", "TRUE", none },
            { false, "Null", true, "" },
            { true, "Null", false, "" },
            { true, "Null", "false", two }, -- the multivalued rule is not for Null
            { true, "ForAnyValue:Null", "true", MISSING }, -- the set operator is ignored
            { false, "ForAllValues:Null", "true", one },
            { true, "Null", A { "true", "false" }, "a" },
            { false, "Null", "yes", MISSING },
            { false, "NullIfExists", "true", MISSING }, -- no such operator
        }
    end)
end)


describe("operators", function()
    it("text", function()
        check_conditions {
            { true, "stringEQUALS", "a", "a" },
            { true, "StringEquals", 10, "10" },
            { true, "StringEquals", 1.5, "1.5" },
            { true, "StringEquals", true, "true" },
            { true, "StringEqualsIgnoreCase", "AbC", "aBc" },
            { false, "StringNotEqualsIgnoreCase", A { "x", "ABC" }, "abc" },
            { true, "StringLike", "?", "é" }, -- one code point
            { false, "StringLike", "?", "ab" },
            { true, "StringLike", "a*b*c", "abxbc" },
            { false, "StringLike", "a*b*c", "abxbcd" },
            { true, "StringLike", "*:*/*", "x:y/z" },
            { false, "StringLike", "A*", "abc" },
            { true, "StringNotLike", A { "x*", "y*" }, "z" },
            { false, "StringNotLike", A { "x*", "y*" }, "yz" },
            { false, "StringLikes", "a", "a" }, -- unknown: never true
            { false, "ForEachValue:StringLike", "a", "a" },
        }
    end)

    it("numbers", function()
        check_conditions {
            { true, "NumericEquals", "10.0", "1e1" },
            { true, "NumericEquals", "-0", "0" },
            { true, "NumericEquals", "+5", 5 },
            { true, "NumericEquals", "0.1", "1e-1" },
            { false, "NumericEquals", "9007199254740993", "9007199254740992" },
            { true, "NumericGreaterThan", "-2", "-1.5" },
            { true, "NumericLessThan", "0.30", "0.2999999999999999999999" },
            { true, "NumericLessThan", "1e3", "999" },
            { false, "NumericEquals", "0x10", "16" },
            { false, "NumericEquals", "1.", "1" },
            { false, "NumericEquals", ".5", "0.5" },
            { false, "NumericEquals", " 5", "5" },
            { false, "NumericEquals", "", "" },
            { true, "NumericNotEquals", "ten", "10" }, -- the exact negation
            { false, "NumericLessThanEquals", A { "3", "4" }, "5" },
            { true, "NumericLessThanEquals", A { "3", "5" }, "5" },
        }
    end)

    it("dates", function()
        check_conditions {
            { true, "DateEquals", "2020", "2020-01-01T00:00Z" },
            { true, "DateEquals", "2020-02", "2020-02-01" },
            { true, "DateEquals", "1577836800", "2020-01-01T00:00:00" },
            { true, "DateEquals", "2020-01-01T01:30:00+01:30", "1577836800" },
            { true, "DateLessThan", "2020-01-01T00:00:00.5Z", "2020-01-01T00:00:00.45Z" },
            { true, "DateEquals", "2020-01-01T00:00:00.50Z", "2020-01-01T00:00:00.5Z" },
            { true, "DateGreaterThan", "1969-12-31T23:59:59Z", "1970" },
            { true, "DateEquals", "00001970", "1970-01-01T00:32:50Z" }, -- eight digits: seconds
            { true, "DateEquals", "2000-02-29", "951782400" },
            { false, "DateLessThan", "1900-03-01", "1900-02-29" }, -- no such day
            { false, "DateLessThan", "2020-13-01", "2019" },
            { true, "DateNotEquals", "2020-02-30", "2020-03-01" },
            { false, "DateEquals", "2020-01-01 00:00:00Z", "2020" },
            { false, "DateEquals", "2020-01-01T24:00:00Z", "2020-01-02" },
            { true, "NumericGreaterThan", "1577836799", 1577836800 },
        }
    end)

    it("Booleans and bytes", function()
        check_conditions {
            { true, "Bool", "TRUE", "true" },
            { true, "Bool", A { "false", "true" }, true },
            { false, "Bool", "1", "true" },
            { false, "Bool", "yes", "yes" },
            { true, "BinaryEquals", "QUJD", "QUJD" },
            { true, "BinaryEquals", "", "" },
            { false, "BinaryEquals", "QQ", "QQ" }, -- without padding it does not parse
            { false, "BinaryEquals", "-_==", "-_==" },
            { true, "BinaryEquals", A { "QQ==", "QUI=" }, "QUI=" },
        }
    end)

    it("addresses", function()
        check_conditions {
            { true, "IpAddress", "10.0.0.0/9", "10.127.255.255" },
            { false, "IpAddress", "10.0.0.0/9", "10.128.0.0" },
            { false, "IpAddress", "010.0.0.0/8", "10.0.0.1" },
            { false, "IpAddress", "10.0.0.0/33", "10.0.0.0" },
            { false, "IpAddress", "10.0.0/8", "10.0.0.1" },
            { true, "IpAddress", "2001:DB8::/33", "2001:db8:7fff::1" },
            { false, "IpAddress", "2001:db8::/33", "2001:db8:8000::1" },
            { true, "IpAddress", "2001:db8::1", "2001:db8:0:0:0:0:0:1" },
            { false, "IpAddress", "2001:db8::1", "2001:db8::2" },
            { true, "IpAddress", "10.0.0.0/8", "::ffff:10.1.2.3" },
            { true, "IpAddress", "::ffff:10.0.0.0/104", "10.1.2.3" },
            { true, "IpAddress", "::ffff:a01:203", "10.1.2.3" },
            { false, "IpAddress", "::/0", "10.1.2.3" },
            { false, "IpAddress", "::/0", "::ffff:10.1.2.3" },
            { true, "IpAddress", "::/0", "fe80::1" },
            { false, "IpAddress", "fe80::/10", "fe80::1%eth0" },
            { true, "NotIpAddress", "0.0.0.0/0", "2001:db8::1" },
            { false, "NotIpAddress", "0.0.0.0/0", "255.255.255.255" },
            { true, "NotIpAddress", "everywhere", "10.0.0.1" },
            { false, "IpAddress", "1:2:3:4:5:6:7::8", "1:2:3:4:5:6:7:8" }, -- no group left
        }
    end)

    it("ARNs", function()
        check_conditions {
            { true, "ArnLike", "arn:aws:s3:::b*", "arn:aws:s3:::b/k:v" },
            { true, "ArnLike", "arn:aws:s3:::b/k:*", "arn:aws:s3:::b/k:v" },
            { false, "ArnLike", "arn:aws:s3:::b:c", "arn:aws:s3:::b" },
            { false, "ArnLike", "arn:*:b", "arn:aws:s3:::b" }, -- nothing crosses
            { false, "ArnLike", "*", "arn:aws:s3:::b" }, -- fewer than six parts
            { true, "ArnNotLike", "*", "arn:aws:s3:::b" },
            { true, "ArnEquals", "arn:aws:s3:::?", "arn:aws:s3:::b" },
            { false, "ArnEquals", "arn:aws:s3:?:::b", "arn:aws:s3:::b" },
            { false, "ArnEquals", "arn:aws:s3:::b", "b" },
            { true, "ArnNotEquals", "arn:aws:s3:::B", "arn:aws:s3:::b" },
            { true, "ArnEquals", "*:*:*:*:*:*", "arn:aws:s3:::b:c" },
        }
    end)
end)


describe("variables in conditions", function()
    local team = { ["app:Team"] = "red*" }

    it("are replaced by literal text", function()
        check_conditions {
            { true, "StringEquals", "${APP:team}", "red*", team },
            { false, "StringLike", "${app:team}", "redder", team },
            { true, "StringLike", "${app:team}*", "red*der", team },
            { true, "StringEqualsIgnoreCase", "x${app:team}", "XRED*", team },
            { false, "StringEquals", "${app:team}", "red*", team, "2008-10-17" },
            { true, "StringEquals", "${app:team}", "${app:team}", team, "2008-10-17" },
            { true, "StringLike", "${*}", "${anything}", team, "2008-10-17" },
            { false, "StringLike", "${*}", "x" },
            { true, "StringEquals", "${$}{app:team}", "${app:team}", team },
            { true, "StringLike", "${app:none, 'a*'}", "a*" },
            { false, "StringLike", "${app:none, 'a*'}", "ab" },
            { true, "StringEquals", "<${app:none, ''}>", "<>" },
            { true, "StringEquals", "${app:none,'a'}", "${app:none,'a'}" }, -- not well formed
            { true, "StringEquals", "${}", "${}" },
            { true, "StringEquals", "${app:team", "${app:team", team },
            { true, "ArnLike", "arn:aws:s3:::${app:part}", "arn:aws:s3:::a:b",
              { ["app:part"] = "a:b" } },
            { true, "ArnLike", "arn:aws:s3:${app:part}::b", "arn:aws:s3:eu::b",
              { ["app:part"] = "eu" } },
            { false, "ArnLike", "arn:aws:${app:part}:b", "arn:aws:s3:::b",
              { ["app:part"] = "s3::" } },
            { false, "NumericEquals", "${app:part}", "5", { ["app:part"] = "5" } },
            { false, "Bool", "${app:part}", "true", { ["app:part"] = "true" } },
        }
    end)

    it("without a value match nothing", function()
        check_conditions {
            { false, "StringLike", "*${app:none}", "a" },
            { true, "StringNotLike", "*${app:none}", "a" },
            { true, "StringEquals", A { "${app:none}", "a" }, "a" },
            { false, "StringNotEquals", A { "${app:none}", "a" }, "a" },
            { false, "StringEquals", "x${app:part}", "x", { ["app:part"] = "" } },
            { true, "StringEquals", "x${app:part, 'y'}", "xy", { ["app:part"] = "" } },
            { false, "StringEquals", "${app:part}", "a", { ["app:part"] = A { "a" } } },
            { true, "StringEquals", "${app:part, 'd'}", "d", { ["app:part"] = A { "a" } } },
            { true, "StringNotEqualsIfExists", "${app:none}", "a" },
            { true, "ForAllValues:StringNotLike", "${app:none}", A { "a", "b" } },
            { false, "ForAnyValue:StringLike", "${app:none}", A { "a", "b" } },
        }
    end)
end)


describe("resources", function()
    local DDB = "arn:aws:dynamodb:us-east-1:111122223333:table/prod-1"

    -- Expected, policy type, pattern, resource, context, version.
    local rows = {
        { true, "resource", "arn:aws:dynamodb:*:table/prod-*", DDB },
        { true, "scp", "arn:aws:*:table/prod-?", DDB },
        { true, "resource", "*prod-1", "prod-1" },
        { false, "resource", "*prod-1", DDB }, -- inner star: inside its segment
        { true, "resource", "*", "anything at all" },
        { true, "resource", "arn:aws:dynamodb:us-east-1:111122223333:*1", DDB },
        { false, "resource", "arn:aws:dynamodb:us-*4:111122223333:table/prod-1", DDB },
        { true, "resource", "arn:aws:dynamodb:us-*1:111122223333:table/prod-1", DDB },
        { false, "resource", "arn:aws:dynamodb:us-east-1?111122223333:table/prod-1", DDB },
        { false, "resource", "arn:aws:dynamodb", DDB },
        { true, "resource", "arn:aws:dynamodb*", DDB },
        { true, "identity", "arn:aws:dynamodb", DDB },
        { true, "boundary", "arn:aws:dynamodb:us-*", DDB },
        { true, "scp", "arn:aws:dynamodb", DDB },
        { false, "rcp", "arn:aws:dynamodb", DDB },
        { false, "endpoint", "arn:aws:dynamodb", DDB },
        { false, "session", "arn:aws:dynamodb", DDB },
        { false, "session", "arn:aws:dynamodb:*", DDB },
        { true, "session", "*", DDB },
        { true, "session", "arn:aws:dynamodb:*:*:*", DDB },
        { false, "identity", "arn:aws:dynamo", DDB },
        { true, "resource", "execute-api:/dev/GET/*", METHOD },
        { false, "resource", "execute-api:/dev/POST/*", METHOD },
        { false, "endpoint", "execute-api:/*", METHOD },
        { false, "identity", "execute-api:/*", METHOD },
        { true, "resource", "execute-api:/*",
          "arn:aws-cn:execute-api:cn-north-1:444455556666:zzz/a/GET/" },
        { false, "resource", "execute-api:/*", DDB },
        { true, "resource", "execute-api:/${app:stage}/*", METHOD, { ["app:stage"] = "dev" } },
        { true, "identity", "arn:aws:execute-api:us-east-1:111122223333:abc123/${app:stage}/*",
          METHOD, { ["app:stage"] = "dev" } },
        { false, "identity", "arn:aws:execute-api:us-east-1:111122223333:abc123/${app:stage}/*",
          METHOD, { ["app:stage"] = "*" } },
        { false, "identity", "arn:aws:execute-api:us-east-1:${app:account}:abc123/*",
          METHOD, { ["app:account"] = "111122223333" } }, -- stays text
        { false, "identity", "${app:all}", METHOD, { ["app:all"] = METHOD } },
        { true, "identity", "arn:aws:s3:::b/${app:none, 'x:y'}", "arn:aws:s3:::b/x:y" },
        { true, "identity", "arn:aws:s3:::b/${*}", "arn:aws:s3:::b/*" },
        { false, "identity", "arn:aws:s3:::b/${*}", "arn:aws:s3:::b/x" },
        { true, "identity", "arn:aws:s3:::b/${*}", "arn:aws:s3:::b/${x}", {}, "2008-10-17" },
        { true, "resource", "arn:aws:s3:${a:b}:x", "arn:aws:s3:${a:b}:x" },
        { true, "resource", "arn:aws:s3::::?", "arn:aws:s3:::::" },
    }

    it("match as the colon rule says", function()
        for i, row in ipairs(rows) do
            local expected, policy_type, pattern, resource, context, version = unpack(row, 1, 6)
            local outcome = reference.policy_result(
                policy({ Resource = pattern, Principal = policy_type == "resource" and "*" or nil },
                    version),
                policy_type, request { resource = resource, context = context })
            assert.equal(expected, outcome == "Allowed", ("row %d: %s"):format(i, pattern))
        end
    end)

    it("that match nothing exempt nothing", function()
        local deny = policy { Effect = "Deny", NotResource = A { "arn:aws:s3:::${app:none}" } }
        assert.equal("ExplicitlyDenied", reference.policy_result(deny, "identity", request()))
        deny.Statement[1].NotResource = A {}
        assert.equal("ExplicitlyDenied", reference.policy_result(deny, "identity", request()))
        deny.Statement[1].NotResource = A { "*" }
        assert.equal("ImplicitlyDenied", reference.policy_result(deny, "identity", request()))
    end)

    it("may be absent", function()
        assert.equal("Allowed", reference.policy_result(policy {}, "resource", request()))
    end)
end)


describe("actions", function()
    it("match without regard to case, variables being text", function()
        local rows = {
            { true, "EXECUTE-API:in*" }, { true, "*:Invoke" }, { false, "execute-api:Invok" },
            { true, "execute-api:Invok?" }, { false, "${app:verb}" }, { false, A {} },
            { true, A { "s3:*", "*" } },
        }
        for i, row in ipairs(rows) do
            local expected, action = row[1], row[2]
            local req = request { context = { ["app:verb"] = "execute-api:Invoke" } }
            local listed = policy { Action = action, Resource = "*" }
            local others = policy { NotAction = action, Resource = "*" }
            assert.equal(expected, reference.policy_result(listed, "scp", req) == "Allowed", i)
            assert.equal(not expected, reference.policy_result(others, "scp", req) == "Allowed", i)
        end
    end)
end)


describe("principals", function()
    local ROLE = "arn:aws:iam::111122223333:role/ci/Deployer"
    local CANONICAL = ("0123456789abcdef"):rep(4)

    -- Expected kind, Principal, caller, context.
    local rows = {
        { "wild", "*", "*" },
        { "wild", { AWS = A { ALICE, "*" } }, ALICE },
        { "wild", { AWS = "*" }, "sns.amazonaws.com" },
        { false, { Service = "*" }, "sns.amazonaws.com" },
        { "direct", { AWS = ALICE }, ALICE },
        { "direct", { AWS = A { "111122223333", ALICE } }, ALICE },
        { "direct", { Service = "sns.amazonaws.com", AWS = ALICE }, ALICE },
        { false, { Service = ALICE }, ALICE },
        { false, { AWS = "arn:aws:iam::111122223333:user/Alice" }, ALICE },
        { false, { AWS = "arn:aws:iam::111122223333:user/*" }, ALICE },
        { false, { AWS = "AIDAJQABLZS4A3QDU576Q" }, ALICE },
        { "account", { AWS = "111122223333" }, ALICE },
        { "account", { AWS = ROOT }, SESSION },
        { "account", { AWS = ROOT }, ROOT },
        { false, { AWS = "11112222333" }, ALICE },
        { false, { AWS = "444455556666" }, ALICE },
        { false, { AWS = "111122223333" }, "*" },
        { false, { AWS = "111122223333" }, "sns.amazonaws.com" },
        { "role", { AWS = ROLE }, SESSION }, -- a session shows no path
        { "role", { AWS = ROLE }, SESSION, { ["aws:PrincipalArn"] = ROLE } },
        { false, { AWS = ROLE }, SESSION,
          { ["aws:PrincipalArn"] = "arn:aws:iam::111122223333:role/other/Deployer" } },
        { "role", { AWS = ROLE }, SESSION, -- not a role of that account: not used
          { ["aws:PrincipalArn"] = "arn:aws:iam::444455556666:role/other/Deployer" } },
        { "role", { AWS = ROLE }, SESSION, { ["AWS:principalARN"] = ALICE } },
        { false, { AWS = "arn:aws:iam::111122223333:role/deployer" }, SESSION },
        { false, { AWS = "arn:aws:iam::444455556666:role/Deployer" }, SESSION },
        { "direct", { AWS = SESSION }, SESSION },
        { false, { AWS = "arn:aws:sts::111122223333:assumed-role/Deployer/run-8" }, SESSION },
        { "role", { AWS = "arn:aws:iam::111122223333:user/div/alice" }, FEDERATED },
        { "direct", { AWS = FEDERATED }, FEDERATED },
        { false, { AWS = "arn:aws:iam::111122223333:role/alice" }, FEDERATED },
        { false, { AWS = BOB }, FEDERATED },
        { "direct", { Service = A { "sqs.amazonaws.com", "sns.amazonaws.com" } },
          "sns.amazonaws.com" },
        { false, { Service = "sns.amazonaws.com" }, "sns.us-east-1.amazonaws.com" },
        { "direct", { Federated = "accounts.google.com" }, "accounts.google.com" },
        { "direct", { CanonicalUser = CANONICAL }, CANONICAL },
        { false, { CanonicalUser = CANONICAL }, (CANONICAL:gsub("^0", "1")) },
    }

    it("meet the caller with a kind", function()
        for i, row in ipairs(rows) do
            local expected, principal, caller, context = unpack(row, 1, 4)
            local outcome, kind = reference.policy_result(
                policy { Principal = principal, Resource = "*" }, "resource",
                request { principal = caller, context = context })
            assert.equal(expected, outcome == "Allowed" and kind, "row " .. i)
        end
    end)

    -- Whether the Deny applies, NotPrincipal, caller, policy type, bounded.
    local exempting = {
        { false, { AWS = ALICE }, ALICE, "resource" },
        { true, { AWS = ALICE }, BOB, "resource" },
        { true, { AWS = ALICE }, "*", "resource" },
        { false, "*", "*", "resource" },
        { true, { AWS = A { BOB, ROOT } }, ALICE, "resource" },
        { false, { AWS = A { "444455556666", ROOT } }, ALICE, "resource" }, -- only accounts
        { true, { AWS = ROOT, Service = "sns.amazonaws.com" }, ALICE, "resource" },
        { true, { AWS = ROOT, Service = "111122223333" }, ALICE, "resource" },
        { true, { AWS = A { ROOT, "AROAJQABLZS4A3QDU576Q" } }, ALICE, "resource" },
        { false, { AWS = ROLE }, SESSION, "resource" },
        { true, { AWS = ALICE }, ALICE, "resource", true },
        { true, "*", ALICE, "resource", true },
        { false, { AWS = ALICE }, ALICE, "endpoint", true },
        { false, "*", "*", "resource", true }, -- an anonymous caller has no boundary
        { true, { AWS = "arn:aws:iam::111122223333:user/*" }, ALICE, "endpoint" },
    }

    it("under NotPrincipal are exempt", function()
        for i, row in ipairs(exempting) do
            local applies, listed, caller, policy_type, bounded = unpack(row, 1, 5)
            local outcome = reference.policy_result(
                policy { Effect = "Deny", NotPrincipal = listed, Resource = "*" }, policy_type,
                request { principal = caller, bounded = bounded })
            assert.equal(applies, outcome == "ExplicitlyDenied", "row " .. i)
        end
    end)

    it("are never allowed by NotPrincipal", function()
        local document = policy { NotPrincipal = { AWS = BOB }, Resource = "*" }
        for _, caller in ipairs { ALICE, BOB, "*" } do
            assert.equal("ImplicitlyDenied",
                reference.policy_result(document, "endpoint", request { principal = caller }))
        end
    end)
end)


describe("whole requests", function()
    local function to(principal)
        return policy { Principal = principal, Resource = "*" }
    end

    local allow, silent = policy { Resource = "*" }, policy { Action = "s3:*", Resource = "*" }
    local deny = policy { Effect = "Deny", Resource = "*" }
    local deny_all = policy { Effect = "Deny", Principal = "*", Resource = "*" }
    local none = { Version = "2012-10-17", Statement = A {} }
    local S3 = { action = "s3:GetObject", resource = "arn:aws:s3:::bucket/key" }
    local yes, no, never = "Allowed", "ImplicitlyDenied", "ExplicitlyDenied"

    -- Decision, reason, caller, policies, other parts of the request.
    local rows = {
        { no, "no_allow_identity", ALICE, {} },
        { no, "no_allow_identity", ALICE, { identity = A { none } } },
        { yes, "allow", ALICE, { identity = A { silent, allow } } },
        { no, "no_allow_identity", ALICE, { resource = to { AWS = "111122223333" } } },
        { yes, "allow", ALICE, { resource = to { AWS = ALICE }, boundary = silent } },
        { yes, "allow", ALICE, { resource = to "*", boundary = silent, session = silent } },
        { no, "no_allow_identity", SESSION,
          { resource = to { AWS = "arn:aws:iam::111122223333:role/Deployer" },
            boundary = silent } },
        { yes, "allow", SESSION,
          { resource = to { AWS = "arn:aws:iam::111122223333:role/Deployer" }, session = allow } },
        { never, "explicit_deny", ALICE, { resource = to { AWS = ALICE }, boundary = deny } },
        { no, "no_allow_session", FEDERATED, { identity = A { allow } } },
        { yes, "allow", FEDERATED, { identity = A { allow }, session = allow } },
        { no, "no_allow_identity", FEDERATED, { resource = to { AWS = ALICE } } }, -- kind role
        { yes, "allow", FEDERATED, { resource = to { AWS = FEDERATED } } },
        { no, "no_allow_boundary", ALICE, { identity = A { allow }, boundary = silent } },
        { yes, "allow", ROOT, {} },
        { never, "explicit_deny", ROOT, { resource = deny_all } },
        { no, "no_allow_endpoint", ROOT, { endpoint = none } },
        { no, "no_allow_scp", ROOT, { scp = A { allow, silent } } },
        { no, "no_allow_scp", ALICE, { identity = A { allow }, scp = A { allow, A {} } } },
        { yes, "allow", ALICE, { identity = A { allow }, scp = A { A { silent, allow }, allow } } },
        { never, "explicit_deny", ALICE, { identity = A { allow },
          scp = A { A { allow, deny } } } },
        { yes, "allow", ALICE, { identity = A { allow }, scp = A {}, rcp = A {} } },
        { no, "no_allow_resource", BOB, { identity = A { allow } } },
        { no, "no_allow_identity", BOB, { resource = to "*" } },
        { yes, "allow", BOB, { identity = A { allow }, resource = to { AWS = "444455556666" } } },
        { no, "no_allow_session", BOB,
          { identity = A { allow }, resource = to { AWS = BOB }, session = silent } },
        { yes, "allow", "arn:aws:iam::444455556666:root", { resource = to "*" } },
        { no, "no_allow_resource", "arn:aws:iam::444455556666:root", {} },
        { yes, "allow", "*", { resource = to "*", identity = A { deny }, scp = A { deny } } },
        { no, "no_allow_resource", "*", { identity = A { allow } } },
        { yes, "allow", "sns.amazonaws.com",
          { resource = to { Service = "sns.amazonaws.com" }, boundary = deny, session = deny } },
        { no, "no_allow_endpoint", "sns.amazonaws.com",
          { resource = to { Service = "sns.amazonaws.com" }, endpoint = to { AWS = ALICE } } },
        { never, "explicit_deny", "*", { resource = to "*", rcp = A { deny_all } }, S3 },
        { yes, "allow", "*", { resource = to "*", rcp = A { deny_all } } }, -- not on the list
        { yes, "allow", ALICE, { identity = A { policy { Resource = "*" } }, rcp = A { none } },
          S3 },
        { yes, "allow", BOB, { identity = A { allow } }, S3 }, -- owner: the caller's account
        { no, "no_allow_resource", BOB, { identity = A { allow } },
          { action = S3.action, resource = S3.resource, resourceAccount = "111122223333" } },
        { no, "no_allow_resource", BOB, { identity = A { allow } },
          { action = S3.action, resource = S3.resource,
            context = { ["aws:resourceaccount"] = "111122223333" } } },
        { yes, "allow", BOB, { identity = A { allow } }, { resourceAccount = "444455556666" } },
        -- NotPrincipal bites a bounded caller, though it is listed.
        { never, "explicit_deny", ALICE,
          { identity = A { allow }, boundary = allow,
            resource = policy { Effect = "Deny", NotPrincipal = { AWS = ALICE },
                Resource = "*" } } },
    }

    it("are decided by all gates together", function()
        for i, row in ipairs(rows) do
            local decision, reason, caller, policies, changes = unpack(row, 1, 5)
            local req = request(changes)
            req.principal = caller
            local result = reference.evaluate { request = req, policies = policies }
            assert.equal(decision, result.decision, "row " .. i)
            assert.equal(reason, result.reason, "row " .. i)
        end
    end)

    it("name gates, match kind and deciding statement", function()
        local both = { Version = "2012-10-17", Statement = A {
            { Effect = "Allow", Principal = { AWS = "111122223333" }, Action = "*",
              Resource = "*" },
            { Sid = "Me", Effect = "Allow", Principal = { AWS = ALICE }, Action = "*",
              Resource = "*" },
        } }
        local result = reference.evaluate {
            request = request(),
            policies = { resource = both, boundary = silent, rcp = A { deny_all } },
        }
        assert.equal("direct", result.match_kind)
        assert.same({ policy_type = "resource", policy_index = 0, statement_index = 1, sid = "Me",
                      effect = "Allow" }, result.deciding)
        assert.same({ resource = "Allowed", boundary = "ImplicitlyDenied", rcp = "NotApplicable",
                      identity = "NotAttached", session = "NotAttached", scp = "NotAttached",
                      endpoint = "NotAttached" }, result.gates)
        assert.is_true(result.same_account)
    end)

    it("pass an RCP that holds no Allow", function()
        local req = request(S3)
        local result = reference.evaluate { request = req, policies = { rcp = A { none } } }
        assert.equal("Allowed", result.gates.rcp)
        assert.equal("no_allow_identity", result.reason)
    end)

    it("name the first Deny and what stopped the others", function()
        local result = reference.evaluate {
            request = request(),
            policies = { identity = A { allow, deny }, scp = A { allow, A { silent, deny } } },
        }
        assert.same({ policy_type = "scp", policy_index = 2, statement_index = 0, effect = "Deny" },
            result.deciding)
        assert.is_nil(result.match_kind)
        assert.equal("action", result.statements[2].failed_at)
        assert.is_true(result.statements[3].matched)
    end)

    it("must be resolved", function()
        assert.has_error(function()
            reference.evaluate { request = request { context = { a = UNRESOLVED } }, policies = {} }
        end, "a whole request must be resolved")
    end)
end)


describe("unresolved keys", function()
    local function open(effect, condition)
        return { Effect = effect, Action = "*", Resource = "*", Condition = condition }
    end

    local needs = { StringEquals = { ["app:Slow"] = "a" } }
    local false_here = { StringEquals = { ["app:fast"] = "no" } }
    local allow, deny = open("Allow"), open("Deny")

    -- Outcome, keys that matter, statements. The context holds app:fast = "yes"
    -- and, unresolved, app:slow and app:other.
    local rows = {
        { "Undecided", { "app:slow" }, { open("Allow", needs) } },
        { "Undecided", { "app:slow" }, { allow, open("Deny", needs) } },
        { "Allowed", {}, { allow, open("Allow", needs) } },
        { "ExplicitlyDenied", {}, { deny, open("Deny", needs), open("Allow", needs) } },
        { "ImplicitlyDenied", {}, {
            open("Allow", { StringEquals = { ["app:slow"] = "a", ["app:fast"] = "no" } }) } },
        { "ImplicitlyDenied", {}, { open("Deny", {
            StringEquals = needs.StringEquals, StringLike = false_here.StringEquals }) } },
        { "Undecided", { "app:other", "app:slow" }, {
            open("Allow", needs), open("Deny", { Null = { ["app:other"] = "true" } }) } },
        { "Undecided", { "app:other" }, {
            allow, open("Allow", needs), open("Deny", { Null = { ["app:other"] = "true" } }) } },
        { "Undecided", { "app:slow" }, {
            open("Allow", { StringEquals = { ["app:fast"] = "${app:slow}" } }) } },
        { "Allowed", {}, {
            open("Allow", { StringEquals = { ["app:fast"] = A { "${app:slow}", "yes" } } }) } },
        { "ImplicitlyDenied", {}, {
            open("Allow", { StringNotEquals = { ["app:fast"] = A { "${app:slow}", "yes" } } }) } },
        { "ImplicitlyDenied", {}, {
            open("Allow", { StringEquals = { ["app:missing"] = "${app:slow}" } }) } },
        { "ImplicitlyDenied", {}, { open("Allow", { StringLikes = { ["app:slow"] = "a" } }) } },
    }

    it("leave open only what depends on them", function()
        local context = { ["app:fast"] = "yes", ["APP:SLOW"] = UNRESOLVED,
            ["app:other"] = UNRESOLVED }
        for i, row in ipairs(rows) do
            local document = { Version = "2012-10-17", Statement = A(row[3]) }
            local result = reference.evaluate_policy(document, "scp", request { context = context })
            local keys = {}
            for key in pairs(result.keys) do
                keys[#keys + 1] = key
            end
            table.sort(keys)
            assert.equal(row[1], result.outcome, "row " .. i)
            assert.same(row[2], keys, "row " .. i)
        end
    end)

    it("may stand in a resource and behind a role", function()
        local context = { ["aws:PrincipalArn"] = UNRESOLVED }
        local pattern = "arn:aws:execute-api:us-east-1:111122223333:${aws:PrincipalArn}"
        local by_resource = policy { Resource = A { "arn:aws:s3:::b", pattern } }
        local outcome = reference.policy_result(by_resource, "scp", request { context = context })
        assert.equal("Undecided", outcome)

        local role = "arn:aws:iam::111122223333:role/Deployer"
        local req = request { principal = SESSION, context = context }
        local by_role = policy { Principal = { AWS = role }, Resource = "*" }
        local undecided, _, keys = reference.policy_result(by_role, "resource", req)
        assert.equal("Undecided", undecided)
        assert.same({ ["aws:principalarn"] = true }, keys)

        by_role.Statement[1].Principal = { AWS = A { role, SESSION } }
        assert.equal("Allowed", (reference.policy_result(by_role, "resource", req)))
    end)
end)


describe("JSON text", function()
    it("tells lists from objects", function()
        assert.equal('{"a":[],"b":{},"c":["x",1,true,0.5]}',
            json.encode { b = {}, a = A {}, c = A { "x", 1, true, 0.5 } })
        assert.equal('"\\u0001\\n\\"\\\\é"', json.encode "\1\n\"\\é")
        assert.has_error(function() json.encode { print } end)
    end)
end)


describe("the shared cases", function()
    local function shared_cases()
        local folder = os.getenv("POSTERN_SHARED") or "../shared"
        return io.open(folder .. "/spec/cases.jsonl")
    end

    it("are decided as they expect", function()
        local file = shared_cases()
        local dkjson = require("dkjson")
        if not file then
            return pending("no shared cases: POSTERN_SHARED or ../shared")
        end
        local count = 0
        for line in file:lines() do
            local case = assert(dkjson.decode(line))
            assert.equal(case.expect, reference.evaluate(case).decision, case.id)
            count = count + 1
        end
        file:close()
        assert.is_true(count > 0)
    end)
end)
