local digest = require("openssl.digest")
local dkjson = require("dkjson")
local requests = require("postern.request")
local sets = require("postern.set")
local workload = require("spec.bench.peers.workload")


-- The workload's set, and a function that fills a request of it.
local function prepare(made)
    local policies = {}
    for i, rule in ipairs(made.rules) do
        policies[i] = { name = "policy" .. i, text = workload.policy(rule) }
    end
    local set = assert(sets.compile(policies, { type = "endpoint" }))
    local request = assert(requests.new(set))
    local key = set:find_key("aws:SourceIp")
    return set, request, function(asked)
        request:reset()
        request:principal(asked.principal)
        request:action(asked.action)
        request:resource(asked.resource)
        if key then
            request:put(key, asked.ip)
        end
    end
end


local function all()
    local list = { workload.exact(10), workload.exact(150), workload.globs(10),
                   workload.globs(150), workload.globs(1000) }
    for _, name in ipairs(workload.SEEDS) do
        list[#list + 1] = workload.seed(name)
    end
    return list
end


-- Of the file, the answers, and each policy on a line: results that were taken with other policies
-- or requests cannot be compared.
local DIGESTS = {
    { "seed", "two-apis", "17330c0c7b57c78f8dd4d1ed27a1c0fae9ded6d691d6ab73e465145faf162721" },
    { "seed", "get-only", "36def5f679e6b061b1f8cd5f6b3d191f0d5113b1420651c79759b17451b0daed" },
    { "seed", "one-user", "c23baf99a83f0cec1492d091b6e7342e0c658df8c45d75eed71cf7dffb3db9ca" },
    { "seed", "offices", "c4b096023da7193c5ec0860a59f07fec884a56db114ce927e3fa95120604d4ae" },
    { "exact", 10, "61e2d49a28d94c3171f2a1205070e8dc3fb717f43471fd890fe7dd2e6ab177f9" },
    { "exact", 10000, "62aeb28fe05f34a7580e09d4274c3a6837970cdcd02ec518c807b2d06f6ae45a" },
    { "globs", 10, "fdc305774d4d93aca453e861f9a62faef78be6adff9fd1c2ddcc4ad5d5c917ff" },
    { "globs", 10000, "b3922155187a7cb210a360b0d8922569b610e4e471f92e766eaa0bb98b6a2c41" },
}


local function digest_of(made)
    local sha256 = digest.new("sha256"):update(workload.json(made))
    sha256:update(workload.answers(made))
    for _, rule in ipairs(made.rules) do
        sha256:update(workload.policy(rule), "\n")
    end
    return (sha256:final():gsub(".", function(byte)
        return ("%02x"):format(byte:byte())
    end))
end


describe("workloads", function()
    it("say what Postern answers", function()
        for _, made in ipairs(all()) do
            local _, request, fill = prepare(made)
            local bits = {}
            for i, asked in ipairs(made.requests) do
                fill(asked)
                bits[i] = request:evaluate() == requests.ALLOWED and "1" or "0"
            end
            assert.equal(workload.answers(made), table.concat(bits), made.name)
        end
    end)

    it("have a statement for each request that is allowed, and one only", function()
        for _, made in ipairs(all()) do
            local set, request, fill = prepare(made)
            local used = {}
            for _, asked in ipairs(made.requests) do
                fill(asked)
                local matching = 0
                for statement = 0, set:statement_count() - 1 do
                    if request:explain_statement(statement).result then
                        matching, used[statement] = matching + 1, true
                    end
                end
                assert.equal(asked.allowed and 1 or 0, matching, made.name)
            end
            local count = 0
            for _ in pairs(used) do
                count = count + 1
            end
            -- The places that requests ask for are spread; those of a large set all differ.
            local most = 3 * workload.REQUESTS / 4
            assert.is_true(count >= math.min(0.7 * set:statement_count(), most), made.name)
        end
    end)

    it("deny by one thing that would have to be otherwise", function()
        for _, made in ipairs(all()) do
            local set, request, fill = prepare(made)
            for _, asked in ipairs(made.requests) do
                if not asked.allowed then
                    fill(asked)
                    local nearest = 3
                    for statement = 0, set:statement_count() - 1 do
                        local missed = 0
                        for _ in pairs(request:explain_statement(statement).failed) do
                            missed = missed + 1
                        end
                        nearest = math.min(nearest, missed)
                    end
                    assert.equal(1, nearest, made.name .. ": " .. asked.resource)
                end
            end
        end
    end)

    it("are files without the answers, the same each time", function()
        local made = workload.globs(10)
        local text = workload.json(made)
        local read = dkjson.decode(text)
        assert.equal(text, workload.json(workload.globs(10)))
        assert.equal(10, #read.policies)
        assert.equal(10, #read.rules)
        assert.equal(workload.REQUESTS, #read.requests)
        assert.is_nil(text:find("allowed", 1, true))
        assert.equal("globs-10", read.name)
        assert.same({ pattern = workload.PREFIX .. "a00003/live/GET/*", api = "a00003",
                      stage = "live", method = "GET" }, read.rules[4].resources[1])
        assert.same({ "10.3.0.0/24", "192.0.2.0/24" }, read.rules[4].ranges)
        local path = workload.write("/tmp", made)
        local file = assert(io.open(path))
        assert.equal(text, file:read("*a"))
        file:close()
        os.remove(path)
    end)

    it("ask for the parts that the resource is made of", function()
        for _, made in ipairs(all()) do
            for _, asked in ipairs(made.requests) do
                assert.equal(workload.PREFIX .. table.concat({ asked.api, asked.stage,
                    asked.method, asked.path }, "/"), asked.resource)
            end
        end
    end)

    it("are those that the results were taken with", function()
        for _, row in ipairs(DIGESTS) do
            local kind, which, expected = unpack(row)
            assert.equal(expected, digest_of(workload[kind](which)), which)
        end
    end)

    -- Minutes, where each new text is compared with all that there are.
    it("of 100,000 policies are made in seconds", function()
        for _, family in ipairs({ "exact", "globs" }) do
            local start = os.clock()
            local text = workload.json(workload[family](100000))
            assert.is_true(os.clock() - start < 20, family)
            assert.is_true(#text > 40e6)
        end
    end)
end)
