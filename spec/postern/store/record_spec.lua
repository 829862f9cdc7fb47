local records = require("postern.store.record")


local HASH = ("a"):rep(64)


local function record(change)
    local made = {
        kind = "api", id = "a1", revision = 2,
        active = { source = "policy", policy = { revision = 1, sha256 = HASH }, revision = 2 },
        history = {
            { revision = 1, operation = "put", at = 1, who = "w", acts = false, source = "policy",
              policy = { revision = 1, sha256 = HASH } },
            { revision = 2, operation = "deploy", at = 2, who = "w", acts = true,
              source = "policy", policy = { revision = 1, sha256 = HASH, submitted = HASH } },
        },
    }
    if change then
        change(made)
    end
    return made
end


describe("records", function()
    it("are read as they were written", function()
        local made = record()
        local read = assert(records.decode(records.encode(made), "api.a1"))
        read.history = { unpack(read.history) }
        assert.same(made, read)
        assert.equal(records.encode(made), records.encode(record()))
    end)

    it("are refused when any byte is another, or lacks", function()
        local text = records.encode(record())
        for at = 1, #text do
            local other = text:sub(1, at - 1) .. string.char((text:byte(at) + 1) % 128)
                .. text:sub(at + 1)
            assert.is_nil(records.decode(other, "api.a1"))
            assert.is_nil(records.decode(text:sub(1, at - 1), "api.a1"))
        end
        assert.is_nil(records.decode(text .. " ", "api.a1"))
        assert.is_nil(records.decode("", "api.a1"))
    end)

    it("are those of their key", function()
        local _, err = records.decode(records.encode(record()), "api.a2")
        assert.equal("damaged: it is no record of api.a2", err)
        assert.is_nil(records.decode(records.encode(record()), "endpoint.a1"))
    end)

    for i, change in ipairs({
        function(made) made.revision = 3 end,
        function(made) made.revision = 0 end,
        function(made) made.revision = 1.5 end,
        function(made) made.active.source = "default" end,
        function(made) made.active.source = "none" end,
        function(made) made.active.policy = nil end,
        function(made) made.active.policy.sha256 = "x" end,
        function(made) made.active.policy.revision = 9 end,
        function(made) made.active.policy.submitted = "x" end,
        function(made) made.active.revision = 9 end,
        function(made) made.active = {} end,
        function(made) made.staged = { source = "what", revision = 1 } end,
        function(made) made.history = {} end,
        function(made) made.history[2].revision = 1 end,
        function(made) made.history[2].operation = "steal" end,
        function(made) made.history[1].who = 7 end,
        function(made) made.history[1].acts = "yes" end,
        function(made) made.history[1].at = "now" end,
        function(made) made.history[1].policy = nil end,
    }) do
        it("are refused when they make no sense: " .. i, function()
            assert.is_nil(records.decode(records.encode(record(change)), "api.a1"))
        end)
    end

    it("of endpoints stage nothing", function()
        local made = {
            kind = "endpoint", id = "v", revision = 1,
            active = { source = "default", revision = 1 },
            history = { { revision = 1, operation = "reset", at = 1, who = "w", acts = true,
                          source = "default" } },
        }
        assert.is_table(records.decode(records.encode(made), "endpoint.v"))
        made.staged = { source = "default", revision = 1 }
        assert.is_nil(records.decode(records.encode(made), "endpoint.v"))
    end)

    it("of another format are told apart from damaged ones", function()
        local text = records.encode(record()):gsub('"format":1', '"format":2')
        local rest = text:match('^{"checksum":"%x+",(.*)$')
        local _, err = records.decode(('{"checksum":"%s",%s'):format(records.hash(rest), rest),
                                      "api.a1")
        assert.equal("written by another version of Postern: format 2, this one reads 1", err)
    end)

    it("name policies", function()
        assert.same({ ["api.a1.1.json"] = true, ["api.a1.1.submitted.json"] = true },
                    records.policies_of(record()))
    end)
end)


describe("the list of a store", function()
    it("is read as it was written, in order", function()
        local keys = records.decode_list(records.encode_list({ "endpoint.v", "api.b", "api.a" }))
        assert.same({ "api.a", "api.b", "endpoint.v" }, { unpack(keys) })
        assert.equal(0, #records.decode_list(records.encode_list({})))
        assert.is_true(records.lists(keys, "api.b"))
        assert.is_false(records.lists(keys, "api.c"))
    end)

    it("is refused when it is damaged or names what is none", function()
        assert.is_nil(records.decode_list((records.encode_list({ "api.a" }):gsub("api", "apj"))))
        for _, key in ipairs({ "api.", "bucket.b", "api.a/b", "api.a.b", "../x" }) do
            assert.is_nil(records.decode_list(records.encode_list({ key })), key)
        end
    end)
end)


describe("names in a store", function()
    it("say what they are of", function()
        for name, parts in pairs({
            ["api.a1.json"] = { "api.a1" },
            ["endpoint.vpce-1.json"] = { "endpoint.vpce-1" },
            ["api.a1.7.json"] = { "api.a1", 7 },
            ["api.a1.7.submitted.json"] = { "api.a1", 7 },
            ["api.7.json"] = { "api.7" },
            ["store.json"] = {}, ["notes.json"] = {}, ["api.a1.x.json"] = {}, [".lock"] = {},
            ["bucket.b.json"] = {}, ["api.a1.json.bak"] = {},
        }) do
            assert.same(parts, { records.parts_of_file(name) }, name)
        end
        assert.equal("api.a1.7.submitted.json", records.policy_file("api.a1", 7, true))
    end)

    it("are made of few characters", function()
        assert.is_true(records.can_hold("api", "a1_b-C"))
        for _, id in ipairs({ "", "-a", ".", "a.b", "a/b", "a b", "ä", ("a"):rep(129) }) do
            assert.is_false(records.can_hold("api", id), id)
        end
        assert.is_false(records.can_hold("bucket", "a"))
        assert.is_false(records.can_hold("api", nil))
    end)
end)
