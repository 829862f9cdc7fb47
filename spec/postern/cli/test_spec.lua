-- In processes of its own where specs are run, since busted is started inside; case files are
-- tested here.
local cli = require("postern.cli")
local plain = require("postern.host.plain")
local commands = require("spec.support.commands")
local json = require("dkjson")


local POLICY = [[{"Version":"2012-10-17","Statement":[
 {"Sid":"Office","Effect":"Allow","Principal":"*","Action":"execute-api:Invoke",
  "Resource":"execute-api:/dev/*",
  "Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","192.0.2.0/24"]}}},
 {"Sid":"Never","Effect":"Deny","Principal":"*","Action":"*","Resource":"*",
  "Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}
]]

local SPEC = [[
local policy = require("postern.testing").policy("api.json", { api = "a" })
it("lets the office in", function()
    assert.allows(policy, { path = "/dev/x", ip = "10.1.2.3" })
end)
it("keeps others out", function()
    assert.denies(policy, { path = "/dev/x", ip = "8.8.8.8" })
end)
]]

local FAILING = SPEC .. [[
it("is wrong", function()
    assert.allows(policy, { path = "/dev/x" })
end)
]]


local function case(id, expect)
    return ('{"id":"%s","request":{"action":"execute-api:Invoke","resource":"arn:aws:execute-api:'
        .. 'us-east-1:123456789012:a/dev/GET/x","context":{"aws:SourceIp":"192.0.2.1"}},'
        .. '"policies":{"resource":"api.json"},"expect":"%s"}\n'):format(id, expect)
end


-- Runs `postern test` here, on case files alone.
local function run(folder, host, ...)
    local out, err, argv = {}, {}, { "test", ... }
    for i = 2, #argv do
        argv[i] = argv[i]:gsub("FOLDER", folder)
    end
    local status = cli.main(argv, {
        read = plain.read, lines = plain.lines, now = plain.now,
        out = function(line) out[#out + 1] = line end,
        err = function(line) err[#err + 1] = line end,
        progress = host.progress, watched = host.watched,
    })
    return status, table.concat(out, "\n"), table.concat(err, "\n")
end


describe("postern test", function()
    it("runs specs and case files, and tells what they cover", function()
        commands.with_files({ ["api.json"] = POLICY, ["a_spec.lua"] = SPEC,
                              ["c.jsonl"] = case("lab", "Allowed") }, function(folder)
            local output, status = commands.sh("postern test", folder)
            assert.equal([[
3 passed, 0 failed
coverage
  api.json   54.5%
    api.json:5:2 statement `Never`: never matched
  total      54.5%
]], output)
            assert.equal(0, status)
            assert.equal(output, (commands.sh("postern test . c.jsonl a_spec.lua", folder)))
            output, status = commands.sh("postern test a_spec.lua --min-coverage 54.5", folder)
            assert.matches("\n    api.json:4:58 IpAddress aws:SourceIp `192.0.2.0/24`: never "
                .. "mattered\n", output, 1, true)
            assert.matches("45.4% covered, less than 54.5%\n", output, 1, true)
            assert.equal(1, status)
        end)
    end)

    it("shows the explanation of what fails, and fails", function()
        commands.with_files({ ["api.json"] = POLICY, ["a_spec.lua"] = FAILING,
                              ["c.jsonl"] = case("lab", "ExplicitlyDenied") }, function(folder)
            local output, status = commands.sh("postern test --mutate", folder)
            assert.equal(1, status)
            assert.matches("^✗ a_spec.lua:9 is wrong\n    expected Allowed\n    ImplicitlyDenied: ",
                           output)
            assert.matches("\n    nearest miss\n", output, 1, true)
            assert.matches("\n✗ c.jsonl:1 lab\n    expected ExplicitlyDenied, got Allowed: ",
                           output)
            assert.matches("\n2 passed, 2 failed\n", output, 1, true)
            assert.matches("mutants: none tried: mend the failing tests first\n$", output)
        end)
    end)

    it("lists the mutants that no test notices, and writes to no file", function()
        local files = { ["api.json"] = POLICY, ["a_spec.lua"] = SPEC }
        commands.with_files(files, function(folder)
            local output, status = commands.sh("chmod a-w . *; postern test --mutate", folder)
            commands.sh("chmod u+w . *", folder)
            assert.equal(0, status)
            assert.matches("\nmutants: 12, 6 noticed, 6 not noticed, 0 no policy any more, "
                .. "0 without effect\n", output, 1, true)
            assert.matches("\n    api.json:4:58 widened `192.0.2.0/24` to `192.0.2.0/20`\n", output,
                           1, true)
            assert.equal(output, (commands.sh("postern test --mutate", folder)))
            for name, text in pairs(files) do
                assert.equal(text, plain.read(folder .. "/" .. name))
            end
        end)
    end)

    it("answers in JSON, and in JUnit's XML beside it", function()
        commands.with_files({ ["api.json"] = POLICY, ["c.jsonl"] = case("lab", "Allowed")
                              .. case("bad", "ImplicitlyDenied") }, function(folder)
            local status, out = run(folder, {}, "FOLDER", "--json", "--junit", "FOLDER/r.xml")
            assert.equal(1, status)
            local result = assert(json.decode(out))
            assert.same({ 1, 1, 0, 0, 2 }, { result.passed, result.failed, result.pending,
                                             result.errors, #result.tests })
            assert.near(100 * 5 / 11, result.coverage.percent, 1e-9)
            assert.same({ file = folder .. "/api.json", line = 5, column = 2, kind = "statement",
                          what = "statement `Never`", state = "never" },
                        result.coverage.policies[1].uncovered[2])
            assert.is_nil(result.mutation)
            local xml = assert(plain.read(folder .. "/r.xml"))
            assert.matches('tests="2" failures="1" errors="0"', xml, 1, true)
            status, out = run(folder, {}, "FOLDER", "--json", "--mutate", "--filter", "lab")
            assert.equal(0, status)
            result = assert(json.decode(out))
            assert.equal(result.mutation.mutants - result.mutation.noticed,
                         #result.mutation.survivors)
        end)
    end)

    it("shows how far it is where somebody watches", function()
        commands.with_files({ ["api.json"] = POLICY, ["c.jsonl"] = case("lab", "Allowed") },
                            function(folder)
            local shown = {}
            local function progress(line) shown[#shown + 1] = line end
            run(folder, { progress = progress, watched = function() return false end }, "FOLDER")
            assert.same({}, shown)
            run(folder, { progress = progress, watched = function() return true end }, "FOLDER",
                "--mutate")
            assert.equal("testing: 1", shown[1])
            assert.equal("mutants: 12 of 12", shown[#shown - 1])
            assert.equal("", shown[#shown])
        end)
    end)

    it("is an error when there is nothing to test or something cannot be read", function()
        commands.with_files({ ["x.txt"] = "", ["e/estate.lua"] = 'accont "1"\n',
                              ["c.jsonl"] = "{\n", ["d/d.jsonl"] = "\n" }, function(folder)
            for message, arguments in pairs({
                ["no tests found: write specs `*_spec.lua` or case"] = { "FOLDER/e" },
                ["/none: no such file or directory: check the path"] = { "FOLDER/none" },
                ["--min-coverage `all`: give a number from 0 to 100"] = { "--min-coverage", "all" },
                ["--min-coverage `101`: give a number from 0 to 100"] = { "--min-coverage", "101" },
                ["d.jsonl:1:1: no case in the file"] = { "FOLDER/d" },
                ["estate.lua:1: "] = { "FOLDER/c.jsonl", "--estate", "FOLDER/e/estate.lua" },
                ["no test has `x` in its name"] = { "FOLDER/c.jsonl", "--filter", "x" },
                ["--junit: "] = { "FOLDER/c.jsonl", "--junit", "FOLDER/no/r.xml" },
                ["--junit: /dev/full: no space"] = { "FOLDER/c.jsonl", "--junit", "/dev/full" },
            }) do
                local status, _, err = run(folder, {}, unpack(arguments))
                assert.equal(2, status)
                assert.matches(message, err, 1, true)
                assert.not_matches("internal error", err)
            end
            local status, out = run(folder, {}, "FOLDER/c.jsonl")
            assert.equal(2, status)
            assert.matches("c.jsonl:1:2: ", out, 1, true)
        end)
    end)

    it("says what is missing where there is no busted", function()
        commands.with_files({ ["a_spec.lua"] = "" }, function(folder)
            local output, status = commands.sh(([[luajit -e '
                package.path = "%s/lua/?.lua;" .. package.path
                package.cpath = "%s/?.so;" .. package.cpath
                package.preload["busted.core"] = function() error("gone") end
                os.exit(require("postern.cli").main({ "test" }))' ]])
                :format(commands.here(), commands.build()), folder)
            assert.equal("specs are run by busted, which is not installed: install the package "
                .. "lua-busted\n", output)
            assert.equal(2, status)
        end)
    end)
end)
