local held = require("postern.store.held")
local records = require("postern.store.record")


describe("what a store holds", function()
    local texts, POLICY = {}, '{"a": 1}'

    local function read(path)
        return texts[path], not texts[path] and "no such file" or nil
    end

    before_each(function()
        local policy = { revision = 1, sha256 = records.hash(POLICY),
                         submitted = records.hash("submitted") }
        local state = { source = "policy", revision = 1, policy = policy }
        texts = {
            ["/f/store.json"] = records.encode_list({ "endpoint.v" }),
            ["/f/endpoint.v.json"] = records.encode({
                kind = "endpoint", id = "v", revision = 1, active = state,
                history = { { revision = 1, operation = "put", at = 1, who = "w", acts = true,
                              source = "policy", policy = policy } },
            }),
            ["/f/endpoint.v.1.json"] = POLICY,
            ["/f/endpoint.v.1.submitted.json"] = "submitted",
        }
    end)

    it("is read from list to policy", function()
        local keys = assert(held.keys("/f", read))
        assert.same({ "endpoint.v" }, { unpack(keys) })
        local record = assert(held.record("/f", keys[1], read))
        local text, err, path = held.policy("/f", keys[1], record.active.policy, read)
        assert.same({ POLICY, "/f/endpoint.v.1.json" }, { text, path })
        assert.is_nil(err)
        assert.equal("submitted", held.policy("/f", keys[1], record.active.policy, read, true))
    end)

    it("is an error where anything is missing or another, with the file", function()
        local record = assert(held.record("/f", "endpoint.v", read))
        local function all_of()
            local keys, err, path = held.keys("/f", read)
            if not keys then
                return nil, err, path
            end
            local found
            found, err, path = held.record("/f", "endpoint.v", read)
            if not found then
                return nil, err, path
            end
            return held.policy("/f", "endpoint.v", record.active.policy, read)
        end
        for _, path in ipairs({ "/f/store.json", "/f/endpoint.v.json", "/f/endpoint.v.1.json" }) do
            local text = texts[path]
            for _, bad in ipairs({ false, "", "{}", text .. " ", text:sub(1, -2) }) do
                texts[path] = bad or nil
                local found, err, at = all_of()
                assert.is_nil(found)
                assert.is_string(err)
                assert.equal(path, at)
            end
            texts[path] = text
            assert.is_string(all_of())
        end
    end)
end)
