local coverage = require("postern.coverage")
local rules = require("postern.rules")
local flow = require("postern.flow")
local sets = require("postern.set")
local plain = require("postern.host.plain")


local METHOD = "arn:aws:execute-api:us-east-1:123456789012:abc123/dev/GET/pets"
local ALICE = "arn:aws:iam::123456789012:user/alice"


local function set_of(text, name, options)
    options = options or { type = "resource" }
    return assert(sets.compile({ { name = name or "api.json", text = text } }, options))
end


local function flow_of(gates)
    return assert(flow.new(assert(rules.load("flows", "iam", plain.read)), gates))
end


-- The report on some requests against one resource policy.
local function report_of(text, ...)
    local collected, set = coverage.new(), set_of(text)
    collected:add(set)
    for _, request in ipairs({ ... }) do
        request.action = request.action or "execute-api:Invoke"
        request.resource = request.resource or METHOD
        collected:count(flow_of({ resource = set }):decide(request))
    end
    return collected:report()
end


local function uncovered(report)
    local all = {}
    for _, policy in ipairs(report.policies) do
        for _, item in ipairs(policy.uncovered) do
            all[#all + 1] = ("%d:%d %s %s"):format(item.line, item.column, item.what, item.state)
        end
    end
    return all
end


local ALLOW = [[{"Version":"2012-10-17","Statement":[
 {"Sid":"A","Effect":"Allow","Principal":"*","Action":["execute-api:Invoke","s3:*"],
  "Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","192.0.2.0/24"]}}},
 {"Sid":"B","Effect":"Allow","Principal":{"AWS":["]] .. ALICE .. [[","444455556666"]},
  "Action":"*","Resource":"*"}]}]]


describe("coverage", function()
    it("is nothing before a request", function()
        local report = report_of(ALLOW)
        assert.equal(0, report.percent)
        assert.equal(12, report.total)
        assert.same({ "2:2 statement `A` never", "4:2 statement `B` never" }, uncovered(report))
    end)

    it("counts statements that decided, and values of statements that matched", function()
        local report = report_of(ALLOW, { context = { ["aws:SourceIp"] = "10.1.2.3" } })
        assert.same({
            "2:77 Action `s3:*` never",
            '3:73 IpAddress aws:SourceIp `192.0.2.0/24` never',
            "4:2 statement `B` never",
        }, uncovered(report))
        assert.equal(5, report.covered)
        assert.equal(100 * 5 / 12, report.percent)
    end)

    it("counts a statement that matched but decided nothing by half", function()
        local wide = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",'
            .. '"Action":"*","Resource":"*"},{"Effect":"Allow","Principal":"*","Action":"*",'
            .. '"Resource":"' .. METHOD .. '"}]}'
        local report = report_of(wide, {})
        assert.same({ "1:101 statement 2 half" }, uncovered(report))
        assert.equal(7.5, report.covered)
    end)

    it("counts what negates when it alone kept the statement from matching", function()
        local text = [[{"Version":"2012-10-17","Statement":[
 {"Sid":"D","Effect":"Deny","Principal":"*","NotAction":["execute-api:Invoke","s3:*"],
  "Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":["10.0.0.0/8","192.0.2.0/24"]}}}]}]]
        -- The action and the address both exempt: neither alone.
        assert.same(5, #uncovered(report_of(text, { context = { ["aws:SourceIp"] = "10.0.0.1" } })))
        assert.same({
            "2:2 statement `D` never", "2:79 NotAction `s3:*` never",
            "3:76 NotIpAddress aws:SourceIp `192.0.2.0/24` never",
        }, uncovered(report_of(text, { context = { ["aws:SourceIp"] = "8.8.8.8" } },
                               { action = "x:y", context = { ["aws:SourceIp"] = "10.0.0.1" } })))
        assert.same({}, uncovered(report_of(text,
            { action = "x:y", context = { ["aws:SourceIp"] = "8.8.8.8" } },
            { action = "x:y", context = { ["aws:SourceIp"] = "10.0.0.1" } },
            { action = "x:y", context = { ["aws:SourceIp"] = "192.0.2.1" } },
            { context = { ["aws:SourceIp"] = "8.8.8.8" } },
            { action = "s3:x", context = { ["aws:SourceIp"] = "8.8.8.8" } })))
    end)

    it("tells two conditions that exempt together from one that does alone", function()
        local text = [[{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*",
 "Action":"*","Resource":"*","Condition":{"StringNotEquals":{"a":"1","b":"1"}}}}]]
        assert.equal(3, #uncovered(report_of(text, { context = { a = "1", b = "1" } })))
        assert.equal(2, #uncovered(report_of(text, { context = { a = "1", b = "2" } })))
    end)

    it("counts the Allow of every gate of an allowed request, and none of a denied one", function()
        local endpoint = set_of(ALLOW, "endpoint.json", { type = "endpoint" })
        local resource = set_of(ALLOW, "api.json")
        local collected = coverage.new()
        collected:add(endpoint)
        collected:add(resource)
        local flows = flow_of({ endpoint = endpoint, resource = resource })
        local request = { action = "execute-api:Invoke", resource = METHOD,
                          context = { ["aws:SourceIp"] = "10.1.2.3" } }
        collected:count(flows:decide(request))
        for _, policy in ipairs(collected:report().policies) do
            assert.equal(5, policy.covered, policy.file)
        end
        local nothing = set_of('{"Version":"2012-10-17","Statement":[]}', "none.json")
        collected = coverage.new()
        collected:add(endpoint)
        collected:count(flow_of({ endpoint = endpoint, resource = nothing }):decide(request))
        assert.equal(4.5, collected:report().covered)
    end)

    it("takes a policy that is carried inline twice for one, and a file for one by any name",
       function()
        local collected = coverage.new()
        for line = 3, 4 do
            collected:add(assert(sets.compile({ { name = "cases.jsonl", text = ALLOW, line = line,
                                                  column = 40 } }, { type = "resource" })))
        end
        collected:add(set_of(ALLOW, "./a//b/../c.json"))
        collected:add(set_of(ALLOW, "a/c.json"))
        collected:add(set_of(ALLOW, "../c.json"))
        local names = {}
        for i, policy in ipairs(collected:report().policies) do
            names[i] = ("%s:%d:%d"):format(policy.file, policy.line, policy.column)
        end
        assert.same({ "../c.json:1:1", "a/c.json:1:1", "cases.jsonl:3:40" }, names)
        local inline = collected:report().policies[3]
        assert.same({ 4, 2 }, { inline.uncovered[1].line, inline.uncovered[1].column })
    end)

    it("does not look at policies that nobody added", function()
        local collected, set = coverage.new(), set_of(ALLOW)
        collected:count(flow_of({ resource = set }):decide({ action = "a:b", resource = METHOD }))
        assert.same({}, collected:report().policies)
        assert.equal(100, collected:report().percent)
    end)

    it("places things after line ends of two bytes and wide characters", function()
        local text = '{"Version":"2012-10-17",\r\n"Statement":{"Sid":"A","Effect":"Allow",'
            .. '"Principal":"*",\r\n"Action":"*","Resource":["arn:aws:s3:::é", "*"]}}'
        assert.same({ "3:26 Resource `arn:aws:s3:::é` never" }, uncovered(report_of(text, {})))
    end)

    it("survives a request that cannot be used", function()
        assert.equal(0, report_of(ALLOW, { action = "" }).covered)
    end)
end)
