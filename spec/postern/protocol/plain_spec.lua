-- Whatever is read here, `postern.protocol.call` reads alike. What is plain is in
-- http/tests/test_call.c.
local cjson = require("cjson")
local ffi = require("ffi")
local document = require("postern.document")
local messages = require("spec.support.messages")
local calls = require("postern.protocol.call")
local plain = require("postern.protocol.plain")


local CALL = {
    api = "a1", stage = "dev", method = "GET", path = "/dev/pets", raw_path = "/dev/pets?a=b",
    host = "api.example.com", scheme = "https", peer = "192.0.2.1", client_ip = "2001:db8::1",
    vpce = "vpce-1", principal = "*", headers = { Accept = "text/plain", ["X-A"] = { "1", "2" } },
}


local function by_document(text)
    local doc = document.new(text)
    return doc and calls.read(doc, doc:root())
end


describe("a plain call", function()
    it("is read as others are, and its headers when they are asked for", function()
        local text = cjson.encode(CALL)
        local request = plain.read(text)
        assert.equal("function", type(request.headers))
        assert.same(by_document(text), messages.told(request))
        assert.same(request.headers(), request.headers())
        assert.same({ api = "a" }, plain.read('{"api":"a"}'))
    end)

    it("is what a document says it is, whatever is done to its text", function()
        math.randomseed(7)
        local read, text = 0, cjson.encode(CALL)
        local bytes = { '"', "\\", "/", ",", ":", "{", "}", "[", "]", " ", "a", "\n", "\195", "1" }
        for _ = 1, 20000 do
            local at, kind = math.random(#text), math.random(3)
            local byte = bytes[math.random(#bytes)]
            local changed = text:sub(1, at - 1) .. (kind ~= 1 and byte or "")
                .. text:sub(kind == 2 and at or at + 1)
            local request = plain.read(changed)
            if request then
                read = read + 1
                assert.same(by_document(changed), messages.told(request))
            end
        end
        assert.is_true(read > 1000)
    end)

    it("is nothing else", function()
        for _, text in ipairs({ "", "{}", "[]", '{"api":1}', '{"context":{}}', '{"api":"a"}x',
                                '{"api":"\\u0041"}', '{"headers":{"A":"1","a":"2"}}' }) do
            assert.is_nil(plain.read(text))
            assert.is_nil(plain.passing(text, #text))
        end
        assert.is_nil(plain.passing(nil, 0)) -- a message without a body
    end)

    it("is left to others when it is long", function()
        local path = "/" .. ("x"):rep(70000)
        assert.is_nil(plain.read(cjson.encode({ api = "a", path = path })))
    end)
end)


describe("a call that passes", function()
    it("has no headers, and nothing of the one before", function()
        local text = cjson.encode(CALL)
        local bytes = ffi.new("char[?]", #text, text)
        local expected = {}
        for name, value in pairs(CALL) do
            expected[name] = name ~= "headers" and value or nil
        end
        assert.same(expected, plain.passing(bytes, #text))
        assert.same({ api = "b", path = "/" }, plain.passing('{"api":"b","path":"/"}', 22))
    end)
end)


describe("a list of plain calls", function()
    it("is read one by one", function()
        local other = { api = "b", path = "/x" }
        local list = plain.list(cjson.encode({ CALL, other, CALL }), 10)
        collectgarbage()
        assert.equal(3, list.count)
        assert.same(CALL.api, plain.passing_item(list, 1).api)
        assert.same(other, plain.passing_item(list, 2))
        assert.same(other, plain.item(list, 2))
        assert.same(by_document(cjson.encode(CALL)), messages.told(plain.item(list, 3)))
    end)

    it("may be of the shortest ones", function()
        local text = "[" .. ('{"api":""},'):rep(999) .. '{"api":""}]'
        assert.equal(1000, plain.list(text, 1000).count)
        assert.is_nil(plain.list(text, 999))
    end)

    it("takes none for another, also when they are used again", function()
        local first = plain.list('[{"api":"a\\/1"},{"api":"a2"}]', 10)
        local second = plain.list('[{"api":"b\\/1","stage":"s"}]', 10)
        assert.same({ api = "a/1" }, plain.item(first, 1))
        assert.same({ api = "b/1", stage = "s" }, plain.item(second, 1))
        plain.done(first)
        local third = plain.list('[{"api":"c\\/1"}]', 10)
        assert.same({ { api = "c/1" }, 1 }, { plain.item(third, 1), third.count })
        assert.same({ api = "b/1", stage = "s" }, plain.item(second, 1))
        plain.done(third)
        local text = "[" .. ('{"api":"x\\/"},'):rep(99) .. '{"api":"last"}]'
        local fourth = plain.list(text, 100)
        assert.same({ { api = "last" }, 100 }, { plain.item(fourth, 100), fourth.count })
        plain.done(fourth)
        assert.is_nil(plain.list(text, 99)) -- there is room, but so many are not taken
    end)

    it("is none when one of them is not plain, or there is none", function()
        assert.is_nil(plain.list('[{"api":"a"},{"api":1}]', 10))
        assert.is_nil(plain.list("[]", 10))
        assert.is_nil(plain.list("", 10))
        assert.is_nil(plain.list('{"api":"a"}', 10))
    end)
end)
