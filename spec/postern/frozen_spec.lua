local frozen = require("postern.frozen")
local cidr = require("postern.cidr")


local function view(value)
    return frozen.view(value, "context")
end


describe("a read-only view", function()
    it("shows what the table has, also what it gets later", function()
        local context = { a = 1, no = false }
        local seen = view(context)
        assert.equal(1, seen.a)
        assert.is_false(seen.no)
        assert.is_nil(seen.http)
        context.http = { method = "GET" }
        assert.equal("GET", seen.http.method)
    end)

    it("refuses to be written", function()
        local context = { a = 1 }
        local seen = view(context)
        for _, name in ipairs({ "a", "b" }) do
            local ok, err = pcall(function() seen[name] = 2 end)
            assert.is_false(ok)
            assert.matches(("the context is read-only: `%s` cannot be set"):format(name), err, 1,
                           true)
        end
        assert.same({ a = 1 }, context)
        assert.is_false(getmetatable(seen))
        assert.is_false((pcall(setmetatable, seen, {})))
        assert.is_nil(next(seen))
    end)

    it("holds copies of tables, one for whoever looks", function()
        local context = { http = { headers = { host = { "a" } } } }
        local seen = view(context)
        seen.http.headers.host[1] = "b"
        seen.http.method = "DELETE"
        assert.equal("b", seen.http.headers.host[1])
        assert.same({ http = { headers = { host = { "a" } } } }, context)
        assert.equal("a", view(context).http.headers.host[1])
    end)

    it("shows of objects that they match, or what they say themselves", function()
        local seen = view({
            proxies = assert(cidr.new({ "10.0.0.0/8" })),
            estate = { trusted_proxies = assert(cidr.new({ "10.0.0.0/8" })) },
            object = setmetatable({ secret = 1 }, { __index = {} }),
            list = { setmetatable({ secret = 1 }, { __index = {} }) },
            shown = setmetatable({ secret = 1 }, { __view = function(object)
                return { number = object.secret + 1, nested = { 1 }, fn = print }
            end }),
        })
        assert.equal(1, seen.proxies:match("10.1.2.3"))
        assert.equal(1, seen.estate.trusted_proxies:match("10.1.2.3"))
        assert.is_nil(seen.proxies.handle)
        local count = 0
        for _ in pairs(seen.proxies) do
            count = count + 1
        end
        assert.equal(1, count)
        assert.is_nil(seen.object)
        assert.same({}, seen.list)
        assert.same({ number = 2, nested = { 1 } }, seen.shown)
    end)

    it("shows plain data only", function()
        local key = {}
        local seen = view({
            call = print, thread = coroutine.create(print), file = io.stdout,
            nested = { call = print, [key] = 1, [print] = 2, [1] = "a", yes = true },
        })
        assert.is_nil(seen.call)
        assert.is_nil(seen.thread)
        assert.is_nil(seen.file)
        assert.same({ "a", yes = true }, seen.nested)
    end)

    it("refuses what never ends", function()
        local circle = {}
        circle.circle = circle
        local twice = {}
        for _ = 1, 30 do
            twice = { twice, twice }
        end
        local seen = view({ circle = circle, twice = twice })
        local ok, err = pcall(function() return seen.circle end)
        assert.same({ false, "nested too deep" }, { ok, err })
        ok, err = pcall(function() return seen.twice end)
        assert.same({ false, "too large to be shown" }, { ok, err })
        assert.has_error(function() frozen.copy(circle) end, "nested too deep")
    end)
end)


describe("a frozen copy", function()
    it("is plain data of its own", function()
        local value = { a = { b = "c" }, fn = print, 1, 2 }
        local copy = frozen.copy(value)
        assert.same({ 1, 2, a = { b = "c" } }, copy)
        assert.not_equal(value.a, copy.a)
    end)
end)
