local cases = require("postern.cases")
local rules = require("postern.rules")
local plain = require("postern.host.plain")


local METHOD = "arn:aws:execute-api:us-east-1:123456789012:abc123/dev/GET/pets"
local ALLOW = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",'
    .. '"Action":"execute-api:Invoke","Resource":"execute-api:/dev/*"}]}'
local FULL = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'
local NONE = '{"Version":"2012-10-17","Statement":[]}'

local function line_of(policies, more, request)
    return ('{"id":"a","request":%s,"policies":%s%s}'):format(
        request or ('{"action":"execute-api:Invoke","resource":"%s"}'):format(METHOD),
        policies, more or "")
end


describe("a case", function()
    local runner, files, reads

    before_each(function()
        files, reads = { ["dir/api.json"] = ALLOW }, 0
        runner = cases.new({
            name = "dir/cases.jsonl",
            pack = assert(rules.load("flows", "iam", plain.read)),
            read = function(path)
                reads = reads + 1
                return files[path], "no such file"
            end,
        })
    end)

    local function check(expected, text)
        local case = runner:decide(text, 7)
        assert.is_nil(case.error)
        assert.equal(expected, case.decision.decision)
        return case
    end

    -- `at` is the piece of the text that the error points at.
    local function check_error(code, at, message, text)
        local case = runner:decide(text, 7)
        assert.is_nil(case.decision)
        assert.equal(code, case.error.code)
        local column = text:find(at, 1, true)
        assert.equal(("dir/cases.jsonl:7:%d: %s"):format(column, message), case.error.message)
        return case
    end

    it("is decided with the policies it brings", function()
        local case = check("Allowed", line_of('{"resource":' .. ALLOW .. "}",
                                              ',"expect":"Allowed","why":"w","more":[1]'))
        assert.same({ "a", "w" }, { case.id, case.why })
        assert.is_true(cases.as_expected(case))
        assert.equal(7, case.decision.deciding.line)
        assert.equal("dir/cases.jsonl", case.decision.deciding.file)
    end)

    it("may be decided with other policies than it brings", function()
        local shown = {}
        local changed = cases.new({
            name = "dir/cases.jsonl", pack = assert(rules.load("flows", "iam", plain.read)),
            read = function(path) return files[path] end,
            swap = function(policy)
                shown[#shown + 1] = policy.name
                return policy.name == "dir/api.json" and NONE or nil
            end,
        })
        local text = line_of('{"resource":"api.json","boundary":' .. FULL .. "}")
        local case = changed:decide(text, 7)
        assert.equal("ImplicitlyDenied", case.decision.decision)
        assert.equal(0, case.gates.resource:statement_count())
        assert.equal(1, case.gates.boundary:statement_count())
        changed:decide(text, 8)
        table.sort(shown)
        assert.same({ "dir/api.json", "dir/cases.jsonl", "dir/cases.jsonl" }, shown)
    end)

    it("knows whether it went as expected, and whether anything was", function()
        local policies = '{"resource":' .. ALLOW .. "}"
        assert.is_false(cases.as_expected(check("Allowed",
            line_of(policies, ',"expect":"ImplicitlyDenied"'))))
        assert.is_nil(cases.as_expected(check("Allowed", line_of(policies))))
    end)

    it("binds the short form to the API of its request", function()
        check("ImplicitlyDenied", line_of('{"resource":' .. ALLOW:gsub("execute%-api:/dev/%*",
            "arn:aws:execute-api:us-east-1:123456789012:other/*") .. "}"))
        check("Allowed", line_of('{"resource":' .. ALLOW .. "}"))
    end)

    it("may be without policies", function()
        check("ImplicitlyDenied", line_of("{}"))
        check("ImplicitlyDenied", line_of('{"identity":[],"scp":[],"rcp":[]}'))
    end)

    it("gives SCPs level by level, one document or several at each", function()
        local alice = ('{"action":"a:b","resource":"%s","principal":'
            .. '"arn:aws:iam::123456789012:user/alice"}'):format(METHOD)
        local function decide(expected, scp)
            check(expected, line_of(('{"identity":[%s],"scp":%s}'):format(FULL, scp), nil, alice))
        end
        decide("Allowed", "[" .. FULL .. "]")
        decide("ImplicitlyDenied", ("[%s,%s]"):format(FULL, NONE))
        decide("Allowed", ("[%s,[%s,%s]]"):format(FULL, NONE, FULL))
        decide("ImplicitlyDenied", ("[%s,[]]"):format(FULL))
        decide("Allowed", FULL)
    end)

    it("may name policy files, which are read and compiled once", function()
        local text = line_of('{"resource":"api.json"}')
        local first, second = check("Allowed", text), check("Allowed", text)
        assert.equal(1, reads)
        assert.equal(first.decision.trace:entries()[1].set,
                     second.decision.trace:entries()[1].set)
        assert.equal("dir/api.json", first.decision.deciding.file)
        assert.equal(1, first.decision.deciding.line)
        check_error("file", '"none.json"', "policy file `dir/none.json`: no such file",
                    line_of('{"resource":"none.json"}'))
    end)

    it("that shares a file with another API does not share its set", function()
        check("Allowed", line_of('{"resource":"api.json"}'))
        local case = check("Allowed", (line_of('{"resource":"api.json"}'):gsub("abc123", "zzz999")))
        assert.equal("wild", case.decision.match_kind)
        assert.equal(1, reads)
    end)

    it("may span lines, and its places follow", function()
        local case = check("Allowed", (line_of('{"resource":\n' .. ALLOW .. "}")))
        assert.equal(8, case.decision.deciding.line)
    end)

    describe("that is bad", function()
        it("has its place in the case file", function()
            check_error("structure", '"Foo"', "statement 1: Effect is `Foo`: write "
                .. '"Allow" or "Deny", exactly so',
                line_of('{"resource":{"Statement":[{"Effect":"Foo"}]}}'))
            local case = runner:decide(line_of('{"resource":{\n"Statement":7}}'), 7)
            assert.matches("^dir/cases.jsonl:8:13: Statement is", case.error.message)
            case = runner:decide('{"request":\n{"action":7}}', 7)
            assert.matches("^dir/cases.jsonl:8:11: `action` is a number", case.error.message)
        end)

        it("keeps its id where it can be read, and its line's number where not", function()
            local case = runner:decide("{", 7)
            assert.same({ code = "syntax", message = "dir/cases.jsonl:7:2: document ends too "
                .. "early: close the `{` at 1:1" }, case.error)
            assert.equal("7", case.id)
            case = check_error("case", "{", "`request` is missing: add it", '{"id":"x"}')
            assert.equal("x", case.id)
        end)

        it("says what to do", function()
            check_error("case", "[]", "the case is a list: give an object", "[]")
            check_error("case", "7", "`id` is a number: give a string", '{"id":7}')
            check_error("case", '"Yes"', "`expect` is `Yes`: give Allowed, ExplicitlyDenied or "
                .. "ImplicitlyDenied", '{"expect":"Yes"}')
            check_error("case", "{", "`policies` is missing: add it",
                        '{"request":{"action":"a","resource":"b"}}')
            check_error("request", "[]", "the request is a list: give an object",
                        '{"request":[]}')
            check_error("case", "[]", "`policies` is a list: give an object of gates",
                        line_of("[]"))
            check_error("case", '"identiy"', "no such gate: `identiy`: there are scp, rcp, "
                .. "endpoint, resource, identity, boundary and session", line_of('{"identiy":[]}'))
            check_error("structure", "[]", "`resource` is a list: give one policy",
                        line_of('{"resource":[]}'))
            check_error("request", "{", "action: give a text that is not empty",
                        line_of('{"resource":' .. ALLOW .. "}", nil,
                                '{"action":"","resource":"b"}'))
        end)

        it("does not disturb the next one", function()
            runner:decide("{", 1)
            runner:decide(line_of('{"resource":7}'), 2)
            check("Allowed", line_of('{"resource":' .. ALLOW .. "}"))
        end)
    end)
end)
