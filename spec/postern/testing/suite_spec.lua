local suites = require("postern.testing.suite")
local testing = require("postern.testing")
local plain = require("postern.host.plain")
local commands = require("spec.support.commands")


local METHOD = "arn:aws:execute-api:us-east-1:123456789012:abc/dev/GET/pets"
local POLICY = '{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Principal":"*",'
    .. '"Action":"execute-api:Invoke","Resource":"execute-api:/dev/*"}]}'
local ESTATE = 'account "123456789012" region "us-east-1"\n'
    .. 'api "abc" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },\n'
    .. '    policy = "api.json" }\n'


local function case(id, policies, expect, resource)
    return ('{"id":"%s","why":"because %s","request":{"action":"execute-api:Invoke",'
        .. '"resource":"%s"},"policies":%s%s}\n'):format(id, id, resource or METHOD, policies,
                                                         expect and ',"expect":"' .. expect .. '"'
                                                         or "")
end


-- Runs a case file, and gives the suite.
local function run(lines, options)
    options = options or {}
    local suite
    local files = { ["c.jsonl"] = lines, ["api.json"] = POLICY, ["estate.lua"] = ESTATE }
    commands.with_files(files, function(folder)
        suite = assert(suites.new({
            read = plain.read, lines = plain.lines, filter = options.filter,
            take = function() end, progress = function() end,
            estate = options.estate and assert(testing.open_estate(folder .. "/estate.lua", {})),
        }))
        suite.ran, suite.failed = suite:run_cases(folder .. "/c.jsonl")
        suite.report = suite.coverage:report()
        suite.mutation = suite:mutate()
        suite.folder = folder
    end)
    return suite
end


local function results(suite)
    local all = {}
    for i, result in ipairs(suite.results) do
        all[i] = ("%d %s %s"):format(result.line, result.name, result.result)
    end
    return all
end


describe("a suite", function()
    it("tells every case, good, bad, broken or without an answer", function()
        local suite = run(case("a", '{"resource":"api.json"}', "Allowed")
            .. "\n" .. case("b", '{"resource":"api.json"}', "ExplicitlyDenied")
            .. case("c", '{"resource":"none.json"}', "Allowed") .. "{nonsense\n"
            .. case("d", '{"resource":"api.json"}'))
        assert.is_true(suite.ran)
        assert.same({ "1 a passed", "3 b failed", "4 c error", "5 5 error", "6 d pending" },
                    results(suite))
        assert.same({ passed = 1, failed = 1, error = 2, pending = 1 }, suite.counts)
        assert.matches("^because b\nexpected ExplicitlyDenied, got Allowed: ",
                       suite.results[2].message)
        assert.matches("c.jsonl:5:2: ", suite.results[4].message, 1, true)
    end)

    it("covers what the cases bring, inline or by name, on any gate", function()
        local identity = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*",'
            .. '"Resource":"*"}}'
        local both = '{"resource":"api.json","identity":[' .. identity .. '],"scp":[],"boundary":'
            .. identity .. "}"
        local suite = run(case("a", both, "Allowed") .. case("b", both, "Allowed"))
        assert.equal(2, #suite.report.policies)
        assert.equal("a passed", results(suite)[1]:sub(3))
        local inline = suite.report.policies[2]
        assert.same({ 1, 3 }, { inline.line, inline.total })
        assert.is_true(suite.mutation.noticed > 0)
    end)

    it("changes a policy that cases share inline in all of them", function()
        local shared = '{"resource":' .. POLICY .. "}"
        local suite = run(case("a", shared, "Allowed")
            .. case("b", shared, "ImplicitlyDenied", (METHOD:gsub("/dev/", "/prod/"))))
        assert.equal(1, #suite.report.policies)
        assert.equal(100, suite.report.percent)
        assert.same({ "widened Action `execute-api:Invoke` to `*`" },
                    { suite.mutation.survivors[1].what, suite.mutation.survivors[2] })
        assert.equal(suite.folder .. "/c.jsonl", suite.mutation.survivors[1].file)
    end)

    it("filters cases by id and reason, and what they cover with them", function()
        local lines = case("a", '{"resource":"api.json"}', "Allowed")
            .. case("b", '{"resource":' .. POLICY .. "}", "Allowed")
        assert.same({ "2 b passed" }, results(run(lines, { filter = "cause b" })))
        assert.equal(1, #run(lines, { filter = "cause b" }).report.policies)
        assert.same({}, results(run(lines, { filter = "z" })))
    end)

    it("lets an estate decide cases without policies", function()
        local line = '{"id":"%s","request":{"api":"abc","stage":"dev","method":"GET",'
            .. '"path":"%s"%s},'
            .. '"expect":"%s"}\n'
        local lines = line:format("in", "/pets", "", "Allowed")
            .. line:format("typo", "/pets", ',"pth":"/"', "ImplicitlyDenied")
        local suite = run(lines, { estate = true })
        assert.same({ "1 in passed", "2 typo error" }, results(suite))
        assert.matches("c.jsonl:2:1: unknown member of a request `pth`$", suite.results[2].message)
        suite = run(lines)
        assert.matches("c.jsonl:1:1: the case brings no `policies`: add them, or give --estate",
                       suite.results[1].message, 1, true)
    end)

    it("tries mutants on an estate's cases", function()
        local suite
        commands.with_files({ ["c.jsonl"] = '{"id":"in","request":{"api":"abc","stage":"dev",'
            .. '"method":"GET","path":"/pets"},"expect":"Allowed"}', ["api.json"] = POLICY,
            ["estate.lua"] = ESTATE }, function(folder)
            local estate = assert(testing.open_estate(folder .. "/estate.lua", {}))
            suite = assert(suites.new({ read = plain.read, lines = plain.lines, estate = estate,
                                        take = function() end, progress = function() end }))
            suite:subject(estate)
            assert(suite:run_cases(folder .. "/c.jsonl"))
            local mutation = suite:mutate()
            assert.same({ 4, 2, 2 }, { mutation.mutants, mutation.noticed, #mutation.survivors })
            assert.equal(POLICY, plain.read(folder .. "/api.json"))
        end)
    end)

    it("says why a file cannot be run", function()
        assert.matches("c.jsonl:1:1: no case in the file", run("\n\n").failed, 1, true)
        local suite = run(case("a", '{"resource":"api.json"}', "Allowed"))
        assert.same({ nil, "none.jsonl: no such file or directory: check the path" },
                    { suite:run_cases("none.jsonl") })
    end)

    it("keeps a copy of what an assertion asked", function()
        local suite = run(case("a", '{"resource":"api.json"}', "Allowed"))
        local request = { path = "/dev/x", context = { a = "1" } }
        commands.with_files({ ["api.json"] = POLICY }, function(folder)
            local policy = testing.policy(folder .. "/api.json", { api = "abc" })
            testing.observe(suite)
            local ok, err = pcall(function()
                assert.allows(policy, request)
                request.context.a, request.path = "2", "/prod/x"
                assert.denies(policy, request)
                assert.has_error(function() assert.allows(policy, request) end)
            end)
            testing.observe(nil)
            assert(ok, err)
        end)
        assert.equal(2, #suite.checks)
        assert.same({ path = "/dev/x", context = { a = "1" } }, suite.checks[1].request)
    end)
end)
