local fixtures = require("spec.support.stores")
local faulty = require("spec.support.faulty_files")
local reloads = require("postern.reload")
local records = require("postern.store.record")
local stores = require("postern.store")


describe("the store", function()
    local fixture, subject

    before_each(function()
        fixture = fixtures.new()
    end)

    after_each(function()
        fixture:close()
    end)

    local function within(fn, options)
        fixture:within(function()
            subject = assert(fixture:open(options))
            fn()
        end)
    end

    local function sid(request)
        local decision = fixture.reload:authorize(request)
        return decision.deciding and decision.deciding.sid or decision.reason
    end

    local function api_sid()
        return sid({ api = "a1", path = "/live/x" })
    end

    local function endpoint_set()
        return fixture.reload.estate.endpoints["vpce-1"].policy
    end

    local function refused(code, result, err)
        assert.is_nil(result)
        assert.equal(code, err.code)
        return err
    end

    describe("of an API", function()
        it("stages what is put, and lets it act when it is deployed", function()
            within(function()
                assert.same({
                    kind = "api", id = "a1", revision = 0,
                    active = { source = "file", revision = 0 },
                }, subject:get("api", "a1"))
                local put = assert(subject:put("api", "a1", fixtures.policy("New")))
                assert.equal(1, put.revision)
                assert.same({ source = "file", revision = 0 }, put.active)
                assert.same({ source = "policy", revision = 1, policy_revision = 1 }, put.staged)
                assert.equal("FromFile", api_sid())
                local deployed = assert(subject:deploy("api", "a1", { if_match = 1 }))
                assert.equal(2, deployed.revision)
                assert.same({ source = "policy", revision = 2, policy_revision = 1 },
                            deployed.active)
                assert.is_nil(deployed.staged)
                assert.equal("New", api_sid())
                assert.equal(fixture.reload.estate.revision, deployed.estate_revision)
            end)
        end)

        it("writes short forms out, and keeps what was submitted", function()
            within(function()
                local text = fixtures.policy("Short")
                assert(subject:put("api", "a1", text))
                assert.equal(fixtures.policy("Short", fixtures.ARN .. "/*"),
                             subject:text("api", "a1", { staged = true }))
                assert.equal(text, subject:text("api", "a1", { staged = true, submitted = true }))
                assert.equal(text, subject:text("api", "a1", { revision = 1, submitted = true }))
                local long = fixtures.policy("Long", fixtures.ARN .. "/live/*")
                assert(subject:put("api", "a1", long, { if_match = 1 }))
                assert.equal(long, subject:text("api", "a1", { staged = true, submitted = true }))
                assert.is_nil(fixture:read("policies/api.a1.2.submitted.json"))
            end)
        end)

        it("refuses to deploy nothing", function()
            within(function()
                refused("NothingStaged", subject:deploy("api", "a1"))
                refused("NothingStaged", subject:deploy("endpoint", "vpce-1"))
                assert.same({ "store.json" }, fixture:names())
            end)
        end)

        it("does not deploy a private one without a policy", function()
            within(function()
                refused("PrivateApiWithoutPolicy", subject:deploy("api", "p1"))
                assert(subject:put("api", "p1", fixtures.policy("P")))
                assert(subject:deploy("api", "p1", { if_match = 1 }))
                assert(subject:delete("api", "p1", { if_match = 2 }))
                refused("PrivateApiWithoutPolicy", subject:deploy("api", "p1", { if_match = 3 }))
                local state = subject:get("api", "p1")
                assert.equal(3, state.revision)
                assert.equal("policy", state.active.source)
            end)
        end)

        it("deploys a public one without", function()
            within(function()
                assert(subject:delete("api", "a1"))
                assert.equal("FromFile", api_sid())
                assert(subject:deploy("api", "a1", { if_match = 1 }))
                assert.is_nil(fixture.reload.estate.apis.a1.policy)
                refused("NoPolicy", subject:text("api", "a1"))
            end)
        end)
    end)

    it("goes back at once to what acted, and leaves what is staged", function()
        within(function()
            assert(subject:put("api", "a1", fixtures.policy("One")))
            assert(subject:deploy("api", "a1", { if_match = 1 }))
            assert(subject:put("api", "a1", fixtures.policy("Two"), { if_match = 2 }))
            assert(subject:deploy("api", "a1", { if_match = 3 }))
            assert(subject:put("api", "a1", fixtures.policy("Three"), { if_match = 4 }))
            assert.equal("Two", api_sid())
            local back = assert(subject:rollback("api", "a1", 2, { if_match = 5, who = "ops" }))
            assert.equal("One", api_sid())
            assert.equal(5, back.staged.revision)
            refused("NeverActive", subject:rollback("api", "a1", 5, { if_match = 6 }))
            refused("NoSuchRevision", subject:rollback("api", "a1", 99, { if_match = 6 }))
            assert(subject:deploy("api", "a1", { if_match = 6 }))
            assert.equal("Three", api_sid())
        end)
    end)

    it("lets the policy of an endpoint act at once, and puts the default one back", function()
        within(function()
            assert(subject:put("endpoint", "vpce-1", fixtures.endpoint_policy("E", "Deny")))
            assert.equal("E", endpoint_set():statement(0).sid)
            local reset = assert(subject:reset("endpoint", "vpce-1", { if_match = 1 }))
            assert.same({ source = "default", revision = 2 }, reset.active)
            assert.equal("default endpoint policy", endpoint_set().origins[1].name)
            assert(subject:rollback("endpoint", "vpce-1", 1, { if_match = 2 }))
            assert.equal("E", endpoint_set():statement(0).sid)
        end)
    end)

    it("tells what became of a policy, newest first", function()
        within(function()
            assert.same({}, subject:history("api", "a1"))
            assert(subject:put("api", "a1", fixtures.policy("One"), { who = "alice\n" }))
            assert(subject:deploy("api", "a1", { if_match = 1, who = "bob" }))
            assert(subject:rollback("api", "a1", 2, { if_match = 2 }))
            local told = subject:history("api", "a1")
            for _, entry in ipairs(told) do
                assert.is_true(math.abs(entry.at - os.time()) < 60)
                entry.at = nil
            end
            assert.same({
                { revision = 3, operation = "rollback", who = "unknown", source = "policy",
                  policy_revision = 1, acts = true, of = 2 },
                { revision = 2, operation = "deploy", who = "bob", source = "policy",
                  policy_revision = 1, acts = true },
                { revision = 1, operation = "put", who = "alice?", source = "policy",
                  policy_revision = 1, acts = false },
            }, told)
        end)
    end)

    it("keeps so much of the history, and every policy that it names", function()
        within(function()
            assert(subject:put("api", "a1", fixtures.policy("First")))
            assert(subject:deploy("api", "a1", { if_match = 1 }))
            for revision = 2, 14 do
                assert(subject:put("api", "a1", fixtures.policy("Later"), { if_match = revision }))
            end
            local told = subject:history("api", "a1")
            assert.equal(10, #told)
            assert.equal(15, told[1].revision)
            -- The active one is older than all of them.
            assert.equal("First", api_sid())
            assert.is_string(fixture:read("policies/api.a1.1.json"))
            assert.is_nil(fixture:read("policies/api.a1.4.json"))
            assert.is_nil(fixture:read("policies/api.a1.4.submitted.json"))
            assert.is_string(fixture:read("policies/api.a1.6.json"))
        end, { keep = 1 })
    end)

    it("has all of a kind that the estate has", function()
        within(function()
            assert(subject:put("endpoint", "vpce-2", fixtures.endpoint_policy("E")))
            local ids = {}
            for i, state in ipairs(assert(subject:list("endpoint"))) do
                ids[i] = ("%s %d %s"):format(state.id, state.revision, state.active.source)
            end
            assert.same({ "vpce-1 0 file", "vpce-2 1 policy" }, ids)
            assert.equal("none", subject:list("api")[2].active.source)
        end)
    end)

    describe("with several writers", function()
        it("wants to know which revision is changed", function()
            within(function()
                refused("PreconditionFailed",
                    subject:put("api", "a1", fixtures.policy("X"), { if_match = 1 }))
                refused("PreconditionFailed",
                    subject:put("api", "a1", fixtures.policy("X"), { if_match = "*" }))
                assert(subject:put("api", "a1", fixtures.policy("X"), { if_match = 0 }))
                refused("PreconditionRequired", subject:put("api", "a1", fixtures.policy("X")))
                refused("PreconditionRequired", subject:deploy("api", "a1"))
                refused("PreconditionRequired", subject:delete("api", "a1"))
                refused("PreconditionRequired", subject:rollback("api", "a1", 1))
                refused("PreconditionFailed", subject:deploy("api", "a1", { if_match = 2 }))
                refused("PreconditionFailed",
                    subject:put("api", "a1", fixtures.policy("X"), { if_none_match = true }))
                assert(subject:put("api", "a1", fixtures.policy("X"), { if_match = { 7, 1 } }))
                assert(subject:put("api", "a1", fixtures.policy("X"), { if_match = "*" }))
                assert.equal(3, subject:get("api", "a1").revision)
            end)
        end)

        it("takes one of those that come at once", function()
            within(function()
                local tasks, taken = {}, 0
                for i = 1, 6 do
                    tasks[i] = fixture.host:spawn(function()
                        return subject:put("endpoint", "vpce-1", fixtures.endpoint_policy("W" .. i))
                    end)
                end
                for i, task in ipairs(tasks) do
                    local result, err = task:wait()
                    if result then
                        taken = taken + 1
                        assert.equal("W" .. i, endpoint_set():statement(0).sid)
                    else
                        assert.equal("PreconditionRequired", err.code)
                    end
                end
                assert.equal(1, taken)
                assert.equal(1, subject:get("endpoint", "vpce-1").revision)
            end)
        end)

        it("ends what it has begun, also when nobody waits for it any more", function()
            within(function()
                assert(subject:put("api", "a1", fixtures.policy("One")))
                -- A thread is slow, and does not stop because a task does.
                local slow = setmetatable({}, { __index = fixture.files })
                function slow.rename(_, from, to)
                    return fixture.host:spawn(function()
                        fixture.host:sleep(0.03)
                        return fixture.files:rename(from, to)
                    end):wait()
                end
                for round = 1, 3 do
                    subject.files = slow
                    local waiting = fixture.host:spawn(subject.put, subject, "api", "a1",
                        fixtures.policy("Lost" .. round), { if_match = "*" })
                    repeat
                        fixture.host:sleep(0.002)
                    until table.concat(fixture:names(), " "):find(".new-", 1, true)
                    fixture.host:sleep(0.03 * (round - 1))
                    waiting:cancel()
                    subject.files = fixture.files
                    assert(subject:put("api", "a1", fixtures.policy("Next" .. round),
                                       { if_match = "*" }))
                    fixture.host:sleep(0.1)
                    assert.equal(1 + 2 * round, subject:get("api", "a1").revision)
                    assert.equal(fixtures.policy("Next" .. round),
                                 subject:text("api", "a1", { staged = true, submitted = true }))
                end
            end)
        end)

        it("waits for another, and no longer than it may", function()
            within(function()
                local lock = assert(fixture.files:lock(subject.folder .. "/.lock", 0))
                refused("StoreBusy", subject:put("api", "a1", fixtures.policy("X")))
                fixture.host:spawn(function()
                    fixture.host:sleep(0.05)
                    lock:release()
                end)
                subject.wait = 10
                assert(subject:put("api", "a1", fixtures.policy("X")))
            end, { wait = 0.05 })
        end)
    end)

    describe("refuses", function()
        local function policy_with(members)
            return ('{"Statement": [{"Effect": "Allow", "Principal": "*",\n "Action": '
                .. '"execute-api:Invoke", "Resource": "execute-api:/*", %s}]}'):format(members)
        end

        -- A policy, the code, and the place in it as its author has written it.
        local CASES = {
            { "api", "a1", "{", "InvalidPolicyDocument.Json", 1, 2 },
            { "api", "a1", "", "InvalidPolicyDocument.Size" },
            { "api", "a1", '{"Statement": [], "Statement": []}', "InvalidPolicyDocument.Json", 1 },
            { "api", "a1", policy_with('"Sid": 7'), "InvalidPolicyDocument.Structure", 2 },
            { "api", "a1", policy_with('"Condition": {"StringEqualz": {"a": "b"}}'),
              "InvalidPolicyDocument.Operator", 2, 78 },
            { "api", "a1", fixtures.policy("X"):gsub('"%*"', '{"AWS": "12*"}'),
              "InvalidPolicyDocument.PrincipalFormat", 2 },
            { "api", "a1", fixtures.policy("X"):gsub('"Principal": "%*",', ""),
              "InvalidPolicyDocument.MissingPrincipal", 2 },
            { "api", "a1", fixtures.policy("X") .. (" "):rep(8192), "InvalidPolicyDocument.Size" },
            { "api", "a1", ("x"):rep(1024 * 1024 + 1), "InvalidPolicyDocument.Size" },
            { "endpoint", "vpce-1", "[", "InvalidPolicyDocument.Json", 1, 2 },
            { "endpoint", "vpce-1", "", "InvalidPolicyDocument.Size" },
            { "endpoint", "vpce-1", fixtures.endpoint_policy("X") .. (" "):rep(20480),
              "InvalidPolicyDocument.Size" },
            { "endpoint", "vpce-1", fixtures.endpoint_policy("X"):gsub('"%*"', '"1"', 1),
              "InvalidPolicyDocument.PrincipalFormat", 1 },
            { "endpoint", "vpce-1",
              fixtures.endpoint_policy("X"):gsub('"Resource": "%*"',
                  '"Resource": "arn:aws:s3:::b", "Condition": {"StringLike": {"aws:ResourceTag/a": '
                  .. '"ab*"}}'), "InvalidPolicyDocument.WildcardRule", 2 },
        }

        for i, case in ipairs(CASES) do
            it(("what the estate would refuse: %d, %s"):format(i, case[4]), function()
                within(function()
                    local err = refused(case[4], subject:put(case[1], case[2], case[3]))
                    assert.is_false(err.message:find("InvalidPolicyDocument", 1, true) ~= nil)
                    if case[5] then
                        assert.equal(case[5], err.line)
                        assert.equal("policy", err.file)
                    end
                    if case[6] then
                        assert.equal(case[6], err.column)
                    end
                    assert.same({ "store.json" }, fixture:names())
                    assert.equal("FromFile", api_sid())
                end)
            end)
        end

        it("a policy where none can be", function()
            fixture:write("estate.lua", fixtures.ESTATE
                .. 'endpoint "vpce-3" { service = "com.amazonaws.vpce.eu-central-1.vpce-svc-1", '
                .. 'vpc = "vpc-1" }\n')
            within(function()
                local err = refused("InvalidPolicyDocument.NotSupported",
                    subject:put("endpoint", "vpce-3", fixtures.endpoint_policy("X")))
                assert.is_nil(err.line)
                assert.same({ "store.json" }, fixture:names())
            end)
        end)

        it("a policy that grows too long when short forms are written out", function()
            within(function()
                local many = {}
                for i = 1, 150 do
                    many[i] = ('"execute-api:/live/GET/%d"'):format(i)
                end
                local text = fixtures.policy("X", "@"):gsub('"@"',
                    "[" .. table.concat(many, ",") .. "]")
                assert.is_true(#text < 8192)
                local err = refused("InvalidPolicyDocument.Size", subject:put("api", "a1", text))
                assert.matches("the limit is 8192", err.message, 1, true)
            end)
        end)

        it("a change while the estate has another problem, and says which", function()
            within(function()
                fixture:write("api.json", "oops")
                local err = refused("EstateNotValid",
                    subject:put("endpoint", "vpce-1", fixtures.endpoint_policy("X")))
                assert.matches("api.json:1:1", err.message, 1, true)
                assert.same({ "store.json" }, fixture:names())
            end)
        end)

        it("what the estate does not have", function()
            within(function()
                refused("NoSuchApi", subject:get("api", "zz"))
                refused("NoSuchApi", subject:put("api", "../a1", fixtures.policy("X")))
                refused("NoSuchEndpoint", subject:delete("endpoint", "vpce-9"))
                assert.has_error(function() subject:get("bucket", "b") end)
                assert.has_error(function()
                    subject:put("api", "a1", fixtures.policy("X"), { ifmatch = 1 })
                end, "unknown option `ifmatch`")
            end)
        end)

        it("to say that it is done when it is not in use", function()
            within(function()
                fixture.reload.reload = function() return false end
                local err = refused("NotInUse", subject:put("api", "a1", fixtures.policy("X")))
                assert.equal(1, err.revision)
                assert.equal(1, subject:get("api", "a1").revision)
            end)
        end)
    end)

    it("tells warnings with their place in the policy", function()
        within(function()
            local text = fixtures.endpoint_policy("X"):gsub('"Resource": "%*"',
                '"Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}')
            local put = assert(subject:put("endpoint", "vpce-1", text))
            assert.equal(1, #put.warnings)
            assert.equal(2, put.warnings[1].line)
            assert.equal("policy", put.warnings[1].file)
            assert.matches("never present through an endpoint", put.warnings[1].message, 1, true)
        end)
    end)

    it("fails as a whole when any operation on files does, and goes on when they work again",
       function()
        within(function()
            assert(subject:put("api", "a1", fixtures.policy("W0")))
            local count = faulty.new(fixture.files, {})
            subject.files = count
            assert(subject:put("api", "a1", fixtures.policy("W1"), { if_match = 1 }))
            assert.is_true(count.count >= 18, count.count)
            local revision, unsure = 2, 0
            for at = 1, count.count do
                subject.files = faulty.new(fixture.files, { at = at, fault = function(name)
                    if name ~= "close" then
                        return nil, "no space left on device"
                    end
                end })
                local result, err = subject:put("api", "a1", fixtures.policy("F" .. at), {
                    if_match = revision,
                })
                subject.files = fixture.files
                local state = assert(subject:get("api", "a1"))
                if result then
                    revision = revision + 1
                    assert.equal(revision, result.revision)
                else
                    assert.equal("StorageFailed", err.code)
                    assert.matches("no space left on device", err.message, 1, true)
                    if err.unsure then
                        unsure, revision = unsure + 1, revision + 1
                    end
                end
                assert.equal(revision, state.revision)
                assert(subject:text("api", "a1", { staged = true }))
            end
            assert.equal(1, unsure)
            assert(subject:put("api", "a1", fixtures.policy("Last"), { if_match = revision }))
        end)
    end)

    describe("that is damaged", function()
        local function damage(name, change)
            fixture:write("policies/" .. name, change(fixture:read("policies/" .. name)))
        end

        local function flip(text)
            return text:sub(1, 200) .. string.char((text:byte(201) + 1) % 128) .. text:sub(202)
        end

        local function fill()
            within(function()
                assert(subject:put("api", "a1", fixtures.policy("One")))
                assert(subject:deploy("api", "a1", { if_match = 1 }))
                assert(subject:put("api", "a1", fixtures.policy("Two"), { if_match = 2 }))
            end)
            fixture.reload:close()
            fixture.reload = nil
        end

        local function refuses(name)
            fixture:within(function()
                local store, err = fixture:open()
                assert.is_nil(store)
                assert.matches(name, tostring(err), 1, true)
            end)
        end

        for _, name in ipairs({ "api.a1.json", "api.a1.1.json" }) do
            it("does not let the estate open: " .. name, function()
                fill()
                damage(name, flip)
                refuses(name .. ": damaged")
                assert.is_nil(fixture.reload)
            end)

            it("does not let the estate open, cut short: " .. name, function()
                fill()
                damage(name, function(text) return text:sub(1, -40) end)
                refuses(name .. ": damaged")
            end)

            it("does not let the estate open, gone: " .. name, function()
                fill()
                os.remove(fixture.folder .. "/policies/" .. name)
                refuses(name)
            end)
        end

        it("does not let the estate open without its list", function()
            fill()
            os.remove(fixture.folder .. "/policies/store.json")
            refuses("store.json: there is no store")
            fixture:within(function()
                local made, err = stores.create(fixture.folder .. "/policies", fixture.files)
                assert.is_nil(made)
                assert.equal("StoreDamaged", err.code)
            end)
        end)

        it("is not opened for changes: what is staged, what the list has lost", function()
            fill()
            local whole = fixture:read("policies/api.a1.3.json")
            damage("api.a1.3.json", flip)
            refuses("api.a1.3.json: damaged")
            fixture.reload:close()
            fixture:write("policies/api.a1.3.json", whole)
            damage("store.json", function() return records.encode_list({}) end)
            refuses("api.a1.json: it is not in `store.json`")
            -- Nothing was removed.
            assert.equal(6, #fixture:names())
        end)

        it("keeps what is in use", function()
            within(function()
                assert(subject:put("endpoint", "vpce-1", fixtures.endpoint_policy("E", "Deny")))
                damage("endpoint.vpce-1.json", flip)
                assert.is_falsy(fixture.reload:reload())
                assert.equal("E", endpoint_set():statement(0).sid)
                assert.matches("endpoint.vpce-1.json: damaged", tostring(fixture.reload.problems),
                               1, true)
            end)
        end)

        it("does not go back to a policy that went bad", function()
            within(function()
                assert(subject:put("endpoint", "vpce-1", fixtures.endpoint_policy("E1")))
                assert(subject:put("endpoint", "vpce-1", fixtures.endpoint_policy("E2"),
                    { if_match = 1 }))
                damage("endpoint.vpce-1.1.json", function(text) return text .. " " end)
                local err = refused("StoreDamaged",
                    subject:rollback("endpoint", "vpce-1", 1, { if_match = 2 }))
                assert.matches("endpoint.vpce-1.1.json", err.message, 1, true)
                assert.equal("E2", endpoint_set():statement(0).sid)
            end)
        end)
    end)

    it("removes what a writer left, and nothing else", function()
        within(function()
            assert(subject:put("api", "a1", fixtures.policy("One")))
        end)
        fixture.reload:close()
        for _, name in ipairs({ ".new-api.a1.json", "api.a1.2.json", "api.p1.1.json",
                                "api.p1.1.submitted.json", "notes.txt" }) do
            fixture:write("policies/" .. name, "{")
        end
        within(function()
            assert.same({ "api.a1.1.json", "api.a1.1.submitted.json", "api.a1.json", "notes.txt",
                          "store.json" }, fixture:names())
        end)
    end)

    it("is followed by every process that reloads, also before it holds anything", function()
        within(function()
            local other = assert(reloads.new(fixture.folder .. "/estate.lua", {
                host = fixture.host, debounce = 0.01, poll = 60,
            }))
            for revision = 1, 3 do
                local put = assert(subject:put("endpoint", "vpce-1",
                    fixtures.endpoint_policy("E" .. revision), { if_match = revision - 1 }))
                while other.estate.revision ~= put.estate_revision do
                    fixture.host:sleep(0.005)
                end
                assert.equal("E" .. revision,
                             other.estate.endpoints["vpce-1"].policy:statement(0).sid)
            end
            assert.equal(0, other.failures)
            other:close()
        end)
    end)

    it("is there only when the estate says so", function()
        fixture:write("estate.lua", (fixtures.ESTATE:gsub("store [^\n]*\n", "")))
        fixture:within(function()
            refused("NoStore", fixture:open())
        end)
    end)

    it("is made once", function()
        within(function()
            assert(subject:put("api", "a1", fixtures.policy("One")))
            assert(stores.create(fixture.folder .. "/policies", fixture.files))
            assert.equal(1, subject:get("api", "a1").revision)
        end)
    end)
end)
