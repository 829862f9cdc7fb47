local cache = require("postern.cache")


describe("a cache", function()
    local time

    local function new(limit)
        time = 1000
        return cache.new({ now = function() return time end, limit = limit })
    end

    it("keeps a value for its time and not a second longer", function()
        local kept = new()
        kept:put("a", 1, 300)
        time = 1299
        assert.equal(1, kept:get("a"))
        time = 1300
        assert.is_nil(kept:get("a"))
        time = 1299
        assert.is_nil(kept:get("a"))
    end)

    it("keeps nothing for no time", function()
        local kept = new()
        kept:put("a", 1, 0)
        assert.is_nil(kept:get("a"))
    end)

    it("does not outlive a clock that is set back", function()
        local kept = new()
        kept:put("a", 1, 300)
        time = 999
        assert.is_nil(kept:get("a"))
    end)

    it("replaces a value and its time", function()
        local kept = new()
        kept:put("a", 1, 300)
        time = 1200
        kept:put("a", 2, 300)
        time = 1400
        assert.equal(2, kept:get("a"))
    end)

    it("holds no more than its limit, and drops what nobody asks for first", function()
        local kept = new(8)
        for i = 1, 1000 do
            kept:put("k" .. i, i, 300)
            kept:put("used", "u", 300)
            local held = 0
            for _, generation in ipairs({ kept.young, kept.old }) do
                for _ in pairs(generation) do
                    held = held + 1
                end
            end
            assert.is_true(held <= 8)
        end
        assert.equal(1000, kept:get("k1000"))
        assert.is_nil(kept:get("k1"))
    end)

    -- A plain twin that remembers every put, against random use.
    it("never answers what was not put or is over", function()
        local kept, twin = new(16), {}
        local state = 7
        local function random(n)
            state = (state * 1103515245 + 12345) % 2147483648
            return math.floor(state / 65536) % n
        end
        local hits = 0
        for i = 1, 20000 do
            time = time + random(3)
            local key = "k" .. random(20)
            if random(2) == 0 then
                local ttl = random(20)
                kept:put(key, i, ttl)
                if ttl > 0 then
                    twin[key] = { value = i, expires = time + ttl }
                end
            else
                local found, known = kept:get(key), twin[key]
                if found ~= nil then
                    hits = hits + 1
                    assert.equal(known.value, found)
                    assert.is_true(time < known.expires)
                end
            end
        end
        assert.is_true(hits > 1000)
    end)

    it("keeps what is asked for again and again", function()
        local kept = new(8)
        kept:put("used", "u", 300)
        for i = 1, 100 do
            kept:put("k" .. i, i, 300)
            assert.equal("u", kept:get("used"))
        end
    end)

    it("wants a clock and known options", function()
        assert.error_matches(function() cache.new({}) end, "`now`: give a function")
        assert.error_matches(function() cache.new({ ttl = 1 }) end, "unknown option `ttl`")
    end)
end)
