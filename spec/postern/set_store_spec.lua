local sets = require("postern.set")
local stores = require("postern.set_store")
local requests = require("postern.request")


local function policy(sid, key)
    return ([[{ "Version": "2012-10-17", "Statement": [ { "Sid": "%s", "Effect": "Allow",
        "Principal": "*", "Action": "a:%s", "Resource": "*",
        "Condition": { "StringEquals": { "%s": "x" } } } ] }]]):format(sid, sid, key)
end

local function compile(sid, key)
    return assert(sets.compile({ { name = sid .. ".json", text = policy(sid, key), line = 1,
                                   column = 1 } }, { type = "resource" }))
end

local function outcome(set, action, key)
    local request = assert(requests.shared(set))
    assert(request:fill({ action = action, resource = "arn:aws:s3:::b",
                          context = { [key] = "x" } }))
    return requests.outcomes[(request:evaluate())]
end


describe("a store of sets", function()
    it("gives each set back as it was", function()
        local store = stores.new(3)
        for i, row in ipairs({ { "One", "k:a" }, { "Two", "k:a" }, { "Three", "k:b" } }) do
            local set = compile(row[1], row[2])
            local keys = set:keys()
            assert.equal(i - 1, store:add(set))
            local got = store:get(i - 1)
            assert.same(keys, got:keys())
            assert.equal("resource", got.type)
            assert.equal(row[1], got:statement(0).sid)
            assert.equal(row[1] .. ".json", got:statement(0).name)
            assert.equal("Allowed", outcome(got, "a:" .. row[1], row[2]))
            assert.equal("ImplicitlyDenied", outcome(got, "a:Other", row[2]))
            assert.is_true(#got:quote(0) > 0)
            -- The object that was handed in is good as well.
            assert.equal("Allowed", outcome(set, "a:" .. row[1], row[2]))
        end
        assert.has_error(function() store:add(compile("Four", "k:a")) end, "the store is full")
    end)

    it("lives as long as any of its sets", function()
        local store = stores.new(1)
        store:add(compile("One", "k:a"))
        local set, gone = store:get(0), setmetatable({ store }, { __mode = "v" })
        store = nil -- luacheck: ignore
        collectgarbage()
        collectgarbage()
        assert.is_table(gone[1])
        assert.equal("Allowed", outcome(set, "a:One", "k:a"))
    end)

    it("goes, with everything in it, when nobody has any", function()
        local gone = setmetatable({}, { __mode = "v" })
        do
            local store = stores.new(2)
            store:add(compile("One", "k:a"))
            gone[1] = store
        end
        requests.shared(compile("Other", "k:a")) -- the shared request holds on to the last set
        for _ = 1, 3 do
            collectgarbage()
        end
        assert.is_nil(gone[1])
    end)
end)
