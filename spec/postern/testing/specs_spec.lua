-- busted in busted would be one busted too many: the specs run in a process of their own.
local commands = require("spec.support.commands")
local json = require("dkjson")


local POLICY = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*",'
    .. '"Action":"*","Resource":"*"}}'


-- Runs one spec: its tests, and all that was printed.
local function run(text, arguments, more)
    local tests, output, status
    local files = { ["x_spec.lua"] = text, ["api.json"] = POLICY }
    for name, content in pairs(more or {}) do
        files[name] = content
    end
    commands.with_files(files, function(folder)
        output, status = commands.sh("postern test --json " .. (arguments or "") .. " 2>noise",
                                     folder)
        local result = json.decode(output)
        tests = result and result.tests
        output = output .. commands.sh("cat noise", folder)
    end)
    return tests, status, output
end


local function summary(tests)
    local all = {}
    for i, test in ipairs(tests) do
        all[i] = ("%s:%s %s: %s"):format(test.file, tostring(test.line), test.name, test.result)
    end
    return all
end


describe("running specs", function()
    it("tells every test with its place and its result", function()
        local tests, status = run([[
describe("a thing", function()
    it("works", function() end)
    it("does not", function()
        assert.is_true(false)
    end)
    it("raises", function() error("oh") end)
    pending("comes later")
end)]])
        assert.same({ "x_spec.lua:2 a thing works: passed", "x_spec.lua:4 a thing does not: failed",
                      "x_spec.lua:6 a thing raises: failed",
                      "x_spec.lua:7 a thing comes later: pending" }, summary(tests))
        assert.matches("^Expected objects", tests[2].message)
        assert.equal("oh", tests[3].message)
        assert.equal(1, status)
    end)

    it("tells what goes wrong outside of tests as an error", function()
        local tests, status = run("describe('a', function() it('b', function() end)")
        assert.equal(2, status)
        assert.equal("error", tests[1].result)
        assert.matches("expected near '<eof>'", tests[1].message, 1, true)
        tests, status = run("error('no') it('b', function() end)")
        assert.equal(2, status)
        assert.same({ "error" }, { tests[1].result, tests[2] })
        tests, status = run([[describe("a", function()
            setup(function() error("no") end)
            it("b", function() end)
        end)]])
        assert.equal(2, status)
        assert.equal("error", tests[1].result)
    end)

    it("does not let a spec end the process", function()
        local tests, status = run("it('ends', function() os.exit(0) end)")
        assert.equal(1, status)
        assert.matches("a spec calls `os.exit`", tests[1].message, 1, true)
    end)

    it("filters by a text that may look like a pattern", function()
        local spec = "describe('a.b', function() it('c', function() end) end)\n"
            .. "it('axb c', function() end)"
        local tests = run(spec, "--filter 'a.b c'")
        assert.same({ "x_spec.lua:1 a.b c: passed" }, summary(tests))
        local none, status, output = run(spec, "--filter 'a%'")
        assert.is_nil(none)
        assert.equal(2, status)
        assert.equal("no test has `a%` in its name\n", output)
    end)

    it("lets specs print and require what lies beside them", function()
        local tests, status, output = run([[
print("loud", nil)
io.write("raw")
local helper = require("helper")
it("helps", function() assert.equal(4, helper.four) end)]], nil,
            { ["helper.lua"] = "return { four = 4 }" })
        assert.equal(0, status)
        assert.equal("passed", tests[1].result)
        assert.matches("loud\tnil", output, 1, true)
    end)

    it("places the rows of a table where the table stands", function()
        local tests = run([[
local testing = require("postern.testing")
local policy = testing.policy("api.json", { api = "a" })
testing.cases(policy, {
    { "yes", { path = "/a/b" }, "allow" },
    { "no", { path = "/a/b" }, "deny" },
})]])
        assert.same({ "x_spec.lua:3 yes: passed", "x_spec.lua:3 no: failed" }, summary(tests))
        assert.matches("^expected a deny\nAllowed: the resource policy allows it", tests[2].message)
    end)
end)
