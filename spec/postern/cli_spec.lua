local cli = require("postern.cli")
local plain = require("postern.host.plain")
local json = require("dkjson")


local METHOD = "arn:aws:execute-api:us-east-1:123456789012:abc123/dev/GET/pets"
local CALL = { "--action", "execute-api:Invoke", "--resource", METHOD }

local POLICY = [[
{
  "Version": "2012-10-17",
  "Statement": [
    { "Sid": "Office", "Effect": "Allow", "Principal": "*",
      "Action": "execute-api:Invoke", "Resource": "execute-api:/dev/*",
      "Condition": { "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } } },
    { "Sid": "Tags", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*",
      "Condition": { "ForAnyValue:StringEquals": { "aws:TagKeys": ["x", "y"] } } }
  ]
}
]]

local IDENTITY = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"%s",'
    .. '"Resource":"*"}}'

local FILES = {
    ["api.json"] = POLICY,
    ["alice.json"] = IDENTITY:format("*"),
    ["none.json"] = IDENTITY:format("s3:*"),
    ["invoke.json"] = '{"action":"execute-api:Invoke","resource":"' .. METHOD .. '",'
        .. '"context":{"aws:SourceIp":"10.1.1.1","aws:TagKeys":["z"]}}',
    ["empty.json"] = "",
    ["attach.json"] = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":'
        .. '{"AWS":"arn:aws:iam::123456789012:role/*"},"Action":"*","Resource":"*"}}',
}


-- Runs a command with files of our own: its status, what it wrote, what it complained about.
local function run(...)
    local out, err = {}, {}
    local argv = {}
    for _, argument in ipairs({ ... }) do
        for _, one in ipairs(type(argument) == "table" and argument or { argument }) do
            argv[#argv + 1] = one
        end
    end
    local function read(path)
        if FILES[path] then
            return FILES[path]
        end
        return plain.read(path)
    end
    local status = cli.main(argv, {
        read = read,
        lines = function(path)
            if not FILES[path] then
                return plain.lines(path)
            end
            return FILES[path]:gmatch("([^\n]*)\n?")
        end,
        out = function(line) out[#out + 1] = line end,
        err = function(line) err[#err + 1] = line end,
    })
    return status, table.concat(out, "\n"), table.concat(err, "\n")
end


-- Wrong input: exit 2, one line on stderr, nothing on stdout.
local function check_error(expected, ...)
    local status, out, err = run(...)
    assert.equal(2, status)
    assert.equal("", out)
    assert.not_matches("\n", err)
    assert.not_matches("internal error", err)
    assert.matches(expected, err)
    return err
end


local function with_file(text, use)
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
    local ok, err = pcall(use, path)
    os.remove(path)
    assert(ok, err)
end


describe("postern eval", function()
    it("answers with outcome, reason and statement", function()
        local status, out = run("eval", "--policy", "api.json", CALL,
                                "--context", "aws:SourceIp=10.1.2.3")
        assert.equal(0, status)
        assert.equal("Allowed: the resource policy allows it (allow)\n"
            .. "  by api.json:4:5 `Office` Allow", out)
        status, out = run("eval", "--policy", "api.json", CALL)
        assert.equal(1, status)
        assert.equal("ImplicitlyDenied: no statement of the resource policy allows it "
            .. "(no_allow_resource)\n  nearest api.json:4 Office, but condition", out)
    end)

    it("makes a list of a key that is given twice, in any letter case", function()
        local status, out = run("eval", "--policy", "api.json", CALL, "--context", "aws:TagKeys=a",
                                "--context", "AWS:tagkeys=b", "--context", "aws:tagkeys=x")
        assert.equal(1, status)
        assert.matches("^ExplicitlyDenied", out)
    end)

    it("takes the request from a file or standard input", function()
        assert.equal(0, (run("eval", "--policy", "api.json", "--request", "invoke.json")))
        FILES["-"] = FILES["invoke.json"]
        local status = run("eval", "--policy", "api.json", "--request", "-")
        FILES["-"] = nil
        assert.equal(0, status)
    end)

    it("combines policies of several types", function()
        local alice = { "--principal", "arn:aws:iam::123456789012:user/alice" }
        assert.equal(0, (run("eval", CALL, alice, "--policy", "alice.json")))
        assert.equal(0, (run("eval", CALL, alice, "--policy", "none.json",
                             "--policy", "identity=alice.json")))
        assert.equal(1, (run("eval", CALL, alice, "--policy", "alice.json",
                             "--policy", "boundary=none.json")))
        assert.equal(0, (run("eval", CALL, alice, "--policy", "alice.json",
                             "--policy", "scp=alice.json")))
        assert.equal(1, (run("eval", CALL, alice, "--policy", "alice.json",
                             "--policy", "scp=alice.json", "--policy", "scp=none.json")))
        assert.equal(1, (run("eval", CALL, alice, "--policy", "alice.json",
                             "--resource-account", "210987654321")))
    end)

    it("binds the short form to an API when told which", function()
        local office = { "--context", "aws:SourceIp=10.1.2.3" }
        local api = "arn:aws:execute-api:us-east-1:123456789012:"
        assert.equal(0, (run("eval", "--policy", "api.json", CALL, office,
                             "--api-arn", api .. "abc123")))
        assert.equal(1, (run("eval", "--policy", "api.json", CALL, office,
                             "--api-arn", api .. "other")))
    end)

    it("refuses what may not be attached unless told otherwise", function()
        check_error("^attach%.json:1:%d+: .*--strictness structural$", "eval", "--policy",
                    "attach.json", CALL)
        assert.equal(1, (run("eval", "--policy", "attach.json", CALL, "--strictness",
                             "structural")))
    end)

    it("answers in JSON with a stable order", function()
        local _, out = run("eval", "--policy", "api.json", "--request", "invoke.json", "--json")
        assert.equal('{"decision":"Allowed","reason":"allow","deciding":{"policy_type":"resource",'
            .. '"policy_index":0,"statement_index":0,"sid":"Office","effect":"Allow",'
            .. '"file":"api.json","line":4,"column":5},"gates":{"scp":"NotAttached",'
            .. '"rcp":"NotAttached","endpoint":"NotAttached","resource":"Allowed",'
            .. '"identity":"NotAttached","boundary":"NotAttached","session":"NotAttached"},'
            .. '"match_kind":"wild","same_account":false}', out)
        _, out = run("eval", "--policy", "api.json", CALL, "--json")
        assert.matches('"deciding":null', out, 1, true)
        assert.matches('"match_kind":null', out, 1, true)
    end)

    it("teaches in its help", function()
        for _, argv in ipairs({ { "eval", "--help" }, { "help", "eval" }, { "eval", "-h" } }) do
            local status, out, err = run(argv)
            assert.equal(0, status)
            assert.equal("", err)
            assert.matches("Examples:\n  postern eval --policy api.json", out, 1, true)
            assert.matches("Exit status: 0 allowed, 1 denied, 2 error.", out, 1, true)
        end
        assert.matches("Usage: postern", select(2, run("--help")), 1, true)
        assert.matches("Usage: postern", select(2, run("help")), 1, true)
        assert.matches("Usage: postern explain", select(2, run("help", "explain")), 1, true)
    end)
end)


describe("postern explain", function()
    it("shows the trace", function()
        local status, out = run("explain", "--policy", "api.json", CALL)
        assert.equal(1, status)
        assert.matches("nearest miss\n  api.json:4:5 `Office` Allow\n       4 |     { \"Sid\"", out,
                       1, true)
    end)

    it("answers in JSON with every statement", function()
        local status, out = run("explain", "--policy", "api.json", "--request", "invoke.json",
                                "--json")
        assert.equal(0, status)
        local answer = assert(json.decode(out))
        assert.equal("Allowed", answer.decision)
        assert.equal(2, #answer.statements)
        assert.same({
            operator = "IpAddress", key = "aws:sourceip", key_present = true,
            request_values = { "10.1.1.1" }, policy_values = { "10.0.0.0/8" },
            resolved_values = { "10.0.0.0/8" }, result = true, line = 6, column = 37,
        }, answer.statements[1].condition[1])
        assert.is_true(answer.statements[1].matched)
        assert.equal("condition", answer.statements[2].failed_at)
    end)
end)


describe("postern eval --cases", function()
    local function case(id, ip, expect)
        return ('{"id":"%s","why":"w","request":{"action":"execute-api:Invoke","resource":"%s",'
            .. '"context":{"aws:SourceIp":"%s"}},"policies":{"resource":%s}%s}')
            :format(id, METHOD, ip, (POLICY:gsub("\n", "")), expect and ',"expect":"' .. expect
                .. '"' or "")
    end

    after_each(function()
        FILES["cases.jsonl"] = nil
    end)

    it("answers one JSON line a case", function()
        FILES["cases.jsonl"] = case("a", "10.1.1.1") .. "\n\n" .. case("b", "8.8.8.8") .. "\n"
        local status, out = run("eval", "--cases", "cases.jsonl")
        assert.equal(0, status)
        local answers = {}
        for line in out:gmatch("[^\n]+") do
            answers[#answers + 1] = assert(json.decode(line))
        end
        assert.equal(2, #answers)
        assert.same({ "a", "Allowed", "allow" },
                    { answers[1].id, answers[1].decision, answers[1].reason })
        assert.same({ "Office", "cases.jsonl", 1 }, { answers[1].deciding.sid,
            answers[1].deciding.file, answers[1].deciding.line })
        assert.same({ "b", "ImplicitlyDenied", "no_allow_resource" },
                    { answers[2].id, answers[2].decision, answers[2].reason })
    end)

    it("decides the others when a line is bad, and ends in 2", function()
        FILES["cases.jsonl"] = case("a", "10.1.1.1") .. '\n{"id":"b"\n' .. case("c", "8.8.8.8")
        local status, out = run("eval", "--cases", "cases.jsonl")
        assert.equal(2, status)
        local bad = json.decode(out:match("\n([^\n]+)\n"))
        assert.equal("syntax", bad.error.code)
        assert.matches("^cases%.jsonl:2:10: ", bad.error.message)
        assert.equal("2", bad.id)
        assert.equal("c", json.decode(out:match("[^\n]+$")).id)
    end)

    it("checks what is expected and tells what differs", function()
        FILES["cases.jsonl"] = table.concat({
            case("x-one-a", "10.1.1.1", "Allowed"), case("x-one-b", "10.1.1.1", "ExplicitlyDenied"),
            case("x-two-a", "8.8.8.8", "ImplicitlyDenied"), case("y", "8.8.8.8"),
        }, "\n")
        local status, out = run("eval", "--cases", "cases.jsonl", "--check")
        assert.equal(1, status)
        assert.equal("x-one-b: expected ExplicitlyDenied, got Allowed: the resource policy allows "
            .. "it (allow)\n  by cases.jsonl:2:" .. out:match("jsonl:2:(%d+)")
            .. " `Office` Allow\n  case: w\nx-one: 1 of 2 not as expected\n"
            .. "2 of 3 cases as expected", out)

        FILES["cases.jsonl"] = case("x-one-a", "10.1.1.1", "Allowed")
        status, out = run("eval", "--cases", "cases.jsonl", "--check")
        assert.equal(0, status)
        assert.equal("1 of 1 cases as expected", out)

        FILES["cases.jsonl"] = FILES["cases.jsonl"] .. "\n{"
        status, out = run("eval", "--cases", "cases.jsonl", "--check")
        assert.equal(2, status)
        assert.matches("2: error: cases.jsonl:2:2: ", out, 1, true)
        assert.matches("1 of 2 cases as expected", out, 1, true)
    end)

    it("answers as a table", function()
        FILES["cases.jsonl"] = case("a", "10.1.1.1", "Allowed") .. "\n"
            .. case("bb", "8.8.8.8", "Allowed") .. "\n" .. case("c", "8.8.8.8")
        local status, out = run("eval", "--cases", "cases.jsonl", "--table")
        assert.equal(0, status)
        assert.equal(table.concat({
            "✓ a   Allowed           cases.jsonl:1 Office                 allow",
            "✗ bb  ImplicitlyDenied  cases.jsonl:2 Office, but condition  no_allow_resource",
            "  c   ImplicitlyDenied  cases.jsonl:3 Office, but condition  no_allow_resource",
            "bb: 1 of 1 not as expected",
            "1 of 2 cases as expected",
        }, "\n"), out)
        assert.equal(1, (run("eval", "--cases", "cases.jsonl", "--table", "--check")))
    end)
end)


describe("the command line, used wrongly,", function()
    it("answers in one line and ends in 2", function()
        for expected, argv in pairs({
            ["give a command"] = {},
            ["unknown command 'evl'"] = { "evl" },
            ["unknown option '%-%-polcy'"] = { "eval", "--polcy", "x" },
            ["give at least one %-%-policy"] = { "eval", CALL },
            ["%-%-action is missing"] = { "eval", "--policy", "api.json" },
            ["%-%-resource is missing"] = { "eval", "--policy", "api.json", "--action", "a:b" },
            ["either %-%-request or %-%-action"] = { "eval", "--policy", "api.json", CALL,
                                                     "--request", "invoke.json" },
            ["either %-%-request or %-%-context"] = { "eval", "--policy", "api.json", "--request",
                                                      "invoke.json", "--context", "a=b" },
            ["%-%-context `a`: write KEY=VALUE"] = { "eval", "--policy", "api.json", CALL,
                                                     "--context", "a" },
            ["no such policy type: `user`"] = { "eval", "--policy", "user=api.json", CALL },
            ["a second resource policy: `api.json`"] = { "eval", "--policy", "api.json",
                                                         "--policy", "api.json", CALL },
            ["%-%-strictness"] = { "eval", "--strictness", "lax" },
            ["go with %-%-cases"] = { "eval", "--check", "--policy", "api.json", CALL },
            ["brings its own"] = { "eval", "--cases", "x", "--policy", "api.json" },
            ["%-%-json goes with neither"] = { "eval", "--cases", "x", "--json", "--check" },
            ["no help for `x`"] = { "help", "x" },
        }) do
            check_error("^postern: .*" .. expected .. ".*: see `postern %-%-help`$", unpack(argv))
        end
    end)

    it("refuses a request it cannot take", function()
        check_error("^request: context `aws:sourceip`: the value cannot be taken: not valid UTF%-8",
                    "eval", "--policy", "api.json", CALL, "--context", "aws:SourceIp=\255")
        check_error("^request: action: give a text", "eval", "--policy", "api.json", "--action", "",
                    "--resource", METHOD)
    end)
end)


describe("bad input", function()
    -- Every argument that takes a file.
    local WAYS = {
        policy = function(path) return "eval", "--policy", path, CALL end,
        request = function(path) return "eval", "--policy", "api.json", "--request", path end,
        explain = function(path) return "explain", "--policy", path, CALL end,
    }

    local function check_all(expected, text)
        with_file(text, function(path)
            for _, way in pairs(WAYS) do
                local err = check_error(expected, way(path))
                assert.equal(path, err:sub(1, #path))
            end
        end)
    end

    it("a missing file", function()
        for _, way in pairs(WAYS) do
            check_error("^/no/such: no such file or directory: check the path$", way("/no/such"))
        end
        check_error("^/no/such: no such file", "eval", "--cases", "/no/such")
    end)

    it("a folder", function()
        for _, way in pairs(WAYS) do
            check_error("^/tmp: is a directory: give a file$", way("/tmp"))
        end
        check_error("^/tmp: is a directory", "eval", "--cases", "/tmp")
    end)

    it("an empty file", function()
        check_all(":1:1: the file is empty: ", "")
        with_file("", function(path)
            check_error(":1:1: no case in the file: ", "eval", "--cases", path)
        end)
    end)

    it("a binary file", function()
        check_all(":1:1: .+: .+", "\127ELF\2\1\1\0\0\0\255")
        check_all(":1:1: .+: .+", "\255\254{\0}\0")
    end)

    it("100 MB", function()
        local huge = (" "):rep(100 * 1024 * 1024)
        check_all(": the file is larger than 16 MiB: ", huge)
        with_file(huge, function(path)
            check_error(": a line is larger than 16 MiB: ", "eval", "--cases", path)
        end)
    end)

    it("10,000-deep nesting", function()
        check_all(":1:%d+: nested deeper than %d+ levels: ", ("["):rep(10000))
        check_all(":1:%d+: nested deeper than %d+ levels: ",
                  ('{"Statement":'):rep(10000) .. "1" .. ("}"):rep(10000))
    end)

    it("a policy or a request truncated at every byte", function()
        local request = FILES["invoke.json"]
        for length = 1, #POLICY - 3 do
            FILES["cut.json"] = POLICY:sub(1, length)
            check_error("^cut%.json:%d+:%d+: .+: .+", "eval", "--policy", "cut.json", CALL)
        end
        for length = 1, #request - 1 do
            FILES["cut.json"] = request:sub(1, length)
            check_error("^cut%.json:%d+:%d+: .+: .+", "eval", "--policy", "api.json", "--request",
                        "cut.json")
        end
        FILES["cut.json"] = nil
    end)

    it("a case truncated at every byte", function()
        local line = '{"id":"x","request":' .. FILES["invoke.json"] .. ',"policies":{"resource":'
            .. POLICY:gsub("\n", "") .. '},"expect":"Allowed"}'
        for length = 1, #line - 1 do
            FILES["cut.jsonl"] = line:sub(1, length)
            local status, out, err = run("eval", "--cases", "cut.jsonl")
            assert.equal(2, status)
            assert.equal("", err)
            assert.matches("^cut%.jsonl:1:%d+: .+: .+", json.decode(out).error.message)
        end
        FILES["cut.jsonl"] = line
        assert.equal(0, (run("eval", "--cases", "cut.jsonl", "--check")))
        FILES["cut.jsonl"] = nil
    end)

    it("wrong types in every element of a policy", function()
        local policy = assert(json.decode(POLICY))
        local wrong = { json.null, 7, true, setmetatable({}, { __jsontype = "object" }),
                        setmetatable({ setmetatable({}, { __jsontype = "array" }) },
                                     { __jsontype = "array" }) }
        local holders = { { policy, "Version" }, { policy, "Statement" } }
        for _, name in ipairs({ "Sid", "Effect", "Principal", "Action", "Resource",
                                "Condition" }) do
            holders[#holders + 1] = { policy.Statement[1], name }
        end
        local condition = policy.Statement[1].Condition
        holders[#holders + 1] = { condition, "IpAddress" }
        holders[#holders + 1] = { condition.IpAddress, "aws:SourceIp" }
        local count = 0
        for _, holder in ipairs(holders) do
            local right = holder[1][holder[2]]
            for i, value in ipairs(wrong) do
                local is_object = i == 4
                -- An empty object is a fine Condition, and a fine operator block.
                local fine = is_object and (holder[2] == "Condition" or holder[2] == "IpAddress")
                if not fine then
                    holder[1][holder[2]] = value
                    FILES["wrong.json"] = json.encode(policy)
                    check_error("^wrong%.json:1:%d+: .+: .+", "eval", "--policy",
                                "resource=wrong.json", CALL)
                    count = count + 1
                end
            end
            holder[1][holder[2]] = right
        end
        FILES["wrong.json"] = nil
        assert.equal(48, count)
    end)

    it("wrong types in every element of a request", function()
        local request = assert(json.decode(FILES["invoke.json"]))
        request.principal, request.resourceAccount = "*", "123456789012"
        for name, right in pairs(request) do
            for _, value in ipairs({ json.null, 7, true, {}, { {} } }) do
                request[name] = value
                FILES["wrong.json"] = json.encode(request)
                check_error("^wrong%.json:1:%d+: .+: .+", "eval", "--policy", "api.json",
                            "--request", "wrong.json")
            end
            request[name] = right
        end
        FILES["wrong.json"] = '{"action":"a:b","resource":"r","acount":"1"}'
        check_error("^wrong%.json:1:%d+: unknown member `acount`: a request has `principal`, ",
                    "eval", "--policy", "api.json", "--request", "wrong.json")
        FILES["wrong.json"] = nil
    end)
end)


describe("postern version", function()
    it("names the release and the ABI", function()
        local status, out = run("version")
        assert.equal(0, status)
        assert.matches("^postern %d+%.%d+%.%d+ %(ABI %d+%)$", out)
    end)
end)


describe("postern eval --estate", function()
    local CALL_OF_API = '{"api":"a1","stage":"dev","path":"/pets","peer":"%s"}'

    before_each(function()
        FILES["estate.lua"] = 'account "123456789012" region "us-east-1"\n'
            .. 'api "a1" { endpoint_type = "REGIONAL", authorization = "NONE", '
            .. 'stages = { "dev" }, policy = "api.json" }'
        FILES["inside.json"] = CALL_OF_API:format("10.1.2.3")
        FILES["outside.json"] = CALL_OF_API:format("192.0.2.1")
        FILES["unknown.json"] = '{"api":"a2"}'
    end)

    after_each(function()
        for _, name in ipairs({ "estate.lua", "inside.json", "outside.json", "unknown.json",
                                "calls.jsonl", "hook.lua" }) do
            FILES[name] = nil
        end
    end)

    local function ask(...)
        return run("eval", "--estate", "estate.lua", ...)
    end

    it("answers one request", function()
        local status, out = ask("--request", "inside.json")
        assert.equal(0, status)
        assert.equal("Allowed: the resource policy allows it (allow)\n"
            .. "  by api.json:4:5 `Office` Allow", out)
        status, out = ask("--request", "outside.json")
        assert.equal(1, status)
        assert.matches("nearest api.json:4 Office, but condition", out, 1, true)
    end)

    it("denies what goes wrong, with the reason", function()
        local status, out = ask("--request", "unknown.json")
        assert.equal(1, status)
        assert.matches("there is no API `a2`", out, 1, true)
    end)

    it("answers in JSON with status and revision", function()
        local _, out = ask("--request", "inside.json", "--json")
        local answer = assert(json.decode(out))
        assert.same({ "Allowed", 200 }, { answer.decision, answer.status })
        assert.equal(64, #answer.revision)
        _, out = ask("--request", "unknown.json", "--json")
        answer = assert(json.decode(out))
        assert.same({ "error", 403, "there is no API `a2`" },
                    { answer.reason, answer.status, answer.error })
        assert.is_nil(answer.code)
        FILES["estate.lua"] = FILES["estate.lua"]:gsub("NONE", "IAM")
        _, out = ask("--request", "inside.json", "--json")
        answer = assert(json.decode(out))
        assert.same({ "the request is not signed", "MISSING_AUTHENTICATION_TOKEN" },
                    { answer.because, answer.code })
    end)

    it("tells what hooks say and add", function()
        FILES["estate.lua"] = FILES["estate.lua"] .. '\nrules "hook.lua"'
        FILES["hook.lua"] = [[return { kind = "hooks", name = "h", api = 1,
            check = function() return true end,
            before = function(context)
                if context.request.peer ~= "10.1.2.3" then
                    return { deny = "no", status = 410 }
                end
            end,
            after = function()
                return { headers = { b = "2", a = "1" }, obligations = { bill = "x" } }
            end,
        }]]
        local _, out = ask("--request", "inside.json")
        assert.matches("Allow\n  header a: 1\n  header b: 2\n  obligation bill: x$", out)
        _, out = ask("--request", "inside.json", "--json")
        local answer = assert(json.decode(out))
        assert.same({ { a = "1", b = "2" }, { bill = "x" } },
                    { answer.headers, answer.obligations })
        _, out = ask("--request", "outside.json")
        assert.matches("^ImplicitlyDenied: no %(hook%)\n  by the hook hooks/h\n", out)
        _, out = ask("--request", "outside.json", "--json")
        answer = assert(json.decode(out))
        assert.same({ "hooks/h", 410 }, { answer.hook, answer.status })
    end)

    it("explains", function()
        local status, out = run("explain", "--estate", "estate.lua", "--request", "outside.json")
        assert.equal(1, status)
        assert.matches("IpAddress aws:sourceip: fails", out, 1, true)
        assert.matches("request   `192.0.2.1`", out, 1, true)
        out = select(2, run("explain", "--estate", "estate.lua", "--request", "outside.json",
                            "--json"))
        local answer = assert(json.decode(out))
        assert.same({ principal = "*", action = "execute-api:Invoke", resourceAccount =
            "123456789012", context = { ["aws:sourceip"] = "192.0.2.1" }, resource =
            "arn:aws:execute-api:us-east-1:123456789012:a1/dev/GET/pets" }, answer.request)
        assert.equal("Office", answer.statements[1].sid)
    end)

    it("decides a file of cases", function()
        FILES["calls.jsonl"] = ('{"id":"in","request":%s,"expect":"Allowed"}\n')
            :format(FILES["inside.json"]) .. ('{"id":"out","request":%s,"expect":"Allowed"}\n')
            :format(FILES["outside.json"])
        local status, out = ask("--cases", "calls.jsonl", "--check")
        assert.equal(1, status)
        assert.matches("out: expected Allowed, got ImplicitlyDenied", out, 1, true)
        assert.matches("1 of 2 cases as expected", out, 1, true)
        status, out = ask("--cases", "calls.jsonl", "--table")
        assert.equal(0, status)
        assert.matches("in   Allowed           api.json:4 Office ", out, 1, true)
        FILES["calls.jsonl"] = '{"id":"x"}\n{\n[]'
        status, out = ask("--cases", "calls.jsonl")
        assert.equal(2, status)
        assert.matches("calls.jsonl:1:1: not a case", out, 1, true)
        assert.matches("calls.jsonl:2:", out, 1, true)
        assert.matches("calls.jsonl:3:1: not a case", out, 1, true)
    end)

    it("warns of condition keys that nobody provides", function()
        FILES["warned.json"] = [[{ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "*",
              "Condition": { "Null": { "acme:Key": "true" } } } ] }]]
        FILES["warned.lua"] = 'account "123456789012" region "us-east-1"\n'
            .. 'api "a1" { endpoint_type = "REGIONAL", authorization = "NONE", '
            .. 'stages = { "dev" }, policy = "warned.json" }'
        local status, out, err = run("eval", "--estate", "warned.lua", "--request", "inside.json")
        FILES["warned.json"], FILES["warned.lua"] = nil, nil
        assert.equal(0, status)
        assert.matches("^Allowed", out)
        assert.equal("warning: warned.json:3:40: no pack provides the condition key `acme:key`: "
            .. "it is absent unless a request brings it along", err)
    end)

    it("tells every problem of the estate, and wrong use", function()
        FILES["estate.lua"] = 'apii "x" {}\nvpc "v" {}'
        local status, out, err = ask("--request", "inside.json")
        assert.same({ 2, "" }, { status, out })
        assert.equal("estate.lua:1: unknown word `apii`: did you mean `api`?\n"
            .. "estate.lua:2: vpc `v`: `cidr` is missing: add it", err)
        check_error("%-%-estate wants %-%-request or %-%-cases", "eval", "--estate", "x")
        check_error("give no %-%-policy", "eval", "--estate", "x", "--policy", "api.json",
                    "--request", "inside.json")
        check_error("give no %-%-action", "eval", "--estate", "x", "--action", "a:b",
                    "--request", "inside.json")
        FILES["outside.json"] = "[]"
        FILES["estate.lua"] = ""
        check_error("^outside.json:1:1: the request is a", "eval", "--estate", "estate.lua",
                    "--request", "outside.json")
    end)
end)
