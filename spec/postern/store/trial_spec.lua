local fixtures = require("spec.support.stores")
local records = require("postern.store.record")
local trials = require("postern.store.trial")


describe("trying a change", function()
    local fixture

    before_each(function()
        fixture = fixtures.new()
    end)

    after_each(function()
        fixture:close()
    end)

    local function change(id, text, acts)
        local policy = { revision = 1, sha256 = records.hash(text) }
        local state = { source = "policy", policy = policy, revision = 1 }
        local record = {
            kind = "api", id = id, revision = 1, active = state,
            history = { { revision = 1, operation = "put", at = 1, who = "w", acts = acts,
                          source = "policy", policy = policy } },
        }
        return {
            key = "api." .. id, record = record, trial = record, acts = acts, text = text,
            path = fixture.folder .. "/policies/api." .. id .. ".1.json",
        }
    end

    it("opens the estate with it, and writes nothing", function()
        fixture:within(function()
            local store = assert(fixture:open())
            local tried, keys = change("a1", fixtures.policy("T"), true), {}
            assert.same({}, trials.run(store, keys, tried))
            assert.is_true(tried.first)
            assert.same({ "api.a1" }, keys)
            assert.same({ "store.json" }, fixture:names())
            assert.equal(1, fixture.reload.loads)
        end)
    end)

    it("tells the place in the policy, as it was submitted", function()
        fixture:within(function()
            local store = assert(fixture:open())
            local _, err = trials.run(store, {}, change("a1", '{"Statement":\n 7}', true))
            assert.same({ "InvalidPolicyDocument.Structure", 2, 2 },
                        { err.code, err.line, err.column })
            local submitted = '{"Statement": {"Effect": "Allow", "Principal": "*", '
                .. '"Resource": "execute-api:/*", "Action": 7}}'
            local tried = change("a1", submitted:gsub("execute%-api:", fixtures.ARN), true)
            tried.submitted = submitted
            _, err = trials.run(store, {}, tried)
            assert.equal(submitted:find("7}", 1, true), err.column)
        end)
    end)

    it("notices that the estate is another one by now", function()
        fixture:within(function()
            local store = assert(fixture:open())
            fixture:write("estate.lua", (fixtures.ESTATE:gsub('api "a1"', 'api "b1"')))
            local _, err = trials.run(store, {}, change("a1", fixtures.policy("T"), true))
            assert.equal("NoSuchApi", err.code)
            fixture:write("estate.lua", (fixtures.ESTATE:gsub("store [^\n]*\n", "")))
            _, err = trials.run(store, {}, change("a1", fixtures.policy("T"), true))
            assert.equal("EstateNotValid", err.code)
        end)
    end)

    it("ends the estate it has opened", function()
        fixture:write("count.lua", [[
            return { kind = "keys", name = "count", api = 1,
                     check = function() return true end,
                     start = function(_, tools) tools.log("started") return {} end,
                     stop = function(_, tools) tools.log("stopped") end,
                     keys = { ["acme:Count"] = function() return "1" end } }
        ]])
        fixture:write("estate.lua", fixtures.ESTATE .. 'rules "count.lua" { }\n')
        fixture:within(function()
            local store = assert(fixture:open())
            local function count(word)
                local _, found = table.concat(fixture.logged, "\n"):gsub(word, "")
                return found
            end
            local started = count("started")
            assert(trials.run(store, {}, change("a1", fixtures.policy("T"), true)))
            assert.equal(count("started") - started, count("stopped"))
        end)
    end)
end)
