local sets = require("postern.set")
local entries = require("postern.entry")
local core = require("postern.ffi")


local POLICY = [[{ "Version": "2012-10-17", "Statement": [
    { "Effect": "Allow", "Principal": "*", "Action": "a:*",
      "Resource": ["arn:aws:a:::one", "arn:aws:a:::one-two-three-four"],
      "Condition": { "StringEquals": { "k:1": ["v1", "v\u0000"] } } },
    { "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::111122223333:user/alice" },
      "Action": "a:*", "Resource": "*",
      "Condition": { "StringEquals": { "k:2": "v2", "k:3": "v3", "k:4": "v4" } } } ] }]]

local KEYS = { "k:1", "k:2", "k:3", "k:4" }
local ALICE = "arn:aws:iam::111122223333:user/alice"


describe("the bridge", function()
    local set = assert(sets.compile(POLICY, { type = "resource" }))

    local function new()
        return assert(entries.new(set, {
            resource = { "arn:aws:a:::", "-", "-", "-" }, keys = KEYS,
        }))
    end

    -- The methods of an entry that was made while the compiler was off.
    local function new_without_jit()
        jit.off()
        local made, entry = pcall(new)
        jit.on()
        assert(made, entry)
        return entry
    end

    it("is taken where the compiler is off, and there alone", function()
        assert.is_function(rawget(new_without_jit(), "decide"))
        assert.is_nil(rawget(new(), "decide"))
    end)

    it("decides as calls by FFI do", function()
        local bridged, plain = new_without_jit(), new()
        local texts = { "one", "two", "three", "four" }
        local allowed = 0
        for _, principal in ipairs({ "*", ALICE, "nil" }) do
            for pieces = 1, 4 do
                for _, values in ipairs({
                    {}, { "v1" }, { "v\0" }, { "v" }, { "", "v2", "v3", "v4" },
                    { nil, "v2", "v3", "v4" }, { nil, "v4", "v3", "v2" },
                    { "v1", nil, nil, "\255" },
                }) do
                    local call = {
                        principal ~= "nil" and principal or nil, "a:B", unpack(texts, 1, pieces),
                    }
                    for i = 1, 4 do
                        call[6 + i] = values[i]
                    end
                    local outcome = bridged:decide(unpack(call, 1, 10))
                    assert.equal(plain:decide(unpack(call, 1, 10)), outcome)
                    assert.same({ plain:last() }, { bridged:last() })
                    allowed = allowed + (outcome == plain.ALLOWED and 1 or 0)
                end
            end
        end
        -- `one` and all four with v1 and v\0: anybody; Alice with her values: any.
        assert.equal(3 * 2 * 2 + 4 * 2, allowed)
    end)

    it("raises where no text is given, as FFI does", function()
        local entry = new_without_jit()
        for _, row in ipairs({
            { "argument 2 is nil: give a text", nil, nil, "one" },
            { "argument 3 is nil: give a text", nil, "a:B", nil },
            { "argument 1 is a number: give a text", 1, "a:B", "one" },
            { "argument 10 is a table: give a text", nil, "a:B", "one", nil, nil, nil, nil, nil,
              nil, {} },
        }) do
            local ok, err = pcall(function()
                return (entry:decide(unpack(row, 2, 11)))
            end)
            assert.is_false(ok)
            assert.equal(row[1], err:match("^spec/bridge_spec%.lua:%d+: (.*)$") or err)
        end
    end)

    it("keeps the entry as long as its function", function()
        local decide = rawget(new_without_jit(), "decide")
        collectgarbage()
        collectgarbage()
        assert.equal(entries.ALLOWED,
            decide(nil, nil, "a:B", "one", nil, nil, nil, "v1"))
    end)

    it("makes no garbage", function()
        local entry = new_without_jit()
        local function many()
            for _ = 1, 100000 do
                entry:decide(ALICE, "a:B", "one", "two", "three", "four", "v1", "v2", "v3", "v4")
            end
        end
        jit.off(many, true)
        many()
        collectgarbage()
        collectgarbage("stop")
        finally(function() collectgarbage("restart") end)
        local before = collectgarbage("count")
        many()
        assert.is_true(collectgarbage("count") - before < 1)
    end)

    it("is not needed", function()
        local loaded = package.loaded.postern_bridge
        package.loaded.postern_bridge, package.preload.postern_bridge = nil, function()
            error("not installed")
        end
        finally(function()
            package.loaded.postern_bridge, package.preload.postern_bridge = loaded, nil
        end)
        local entry = new_without_jit()
        assert.is_nil(rawget(entry, "decide"))
        assert.is_nil(core.bridge(entry.handle))
        assert.equal(entry.ALLOWED, entry:decide(nil, "a:B", "one", nil, nil, nil, "v1"))
    end)
end)
