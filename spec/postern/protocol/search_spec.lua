local document = require("postern.document")
local catalogues = require("postern.protocol.catalogue")
local entities = require("postern.protocol.entities")
local searches = require("postern.protocol.search")


local USERS = {}
for i = 1, 9 do
    USERS[i] = { type = "user", id = "u" .. i }
end
local CATALOGUE = assert(catalogues.new({
    subjects = USERS, actions = { { name = "read" }, { name = "write" } },
}))
local OPTIONS = {
    profile = "iam", subjects = { user = "arn:aws:iam::111122223333:user/{id}" },
    action_prefix = "records:", resources = { record = "arn:aws:records:::record/{id}" },
}
local ENTITIES = assert(entities.new(OPTIONS, CATALOGUE))

local BODY = '{"subject":{"type":"user"},"action":{"name":"read"},'
    .. '"resource":{"type":"record","id":"1"%s}%s}'


local function search(most)
    return searches.new({ entities = ENTITIES, catalogue = CATALOGUE, most = most or 1000 })
end


-- Users with an even number may.
local function even(request)
    local number = tonumber(request.principal:match("%d+$"))
    return { allowed = number % 2 == 0, decision = "x", reason = "x", status = 200 }
end


local function ask(page, made, properties)
    local doc = assert(document.new(BODY:format(properties or "", page and (',"page":' .. page)
        or ""), "body"))
    local text, err, status = (made or search()):answer(doc, "subject", even)
    if not text then
        return nil, err, status
    end
    local ids = {}
    for id in text:gmatch('"id":"(u%d)"') do
        ids[#ids + 1] = id
    end
    return table.concat(ids, " "), text:match('"next_token":"([^"]*)"'), text
end


describe("a search", function()
    it("finds what would be allowed, in the order of the catalogue", function()
        local ids, token, text = ask()
        assert.equal("u2 u4 u6 u8", ids)
        assert.is_nil(token)
        assert.equal('{"results":[{"type":"user","id":"u2"},', text:sub(1, 38))
    end)

    it("goes through pages without leaving out or repeating any", function()
        for limit = 1, 5 do
            local all, token, turns = {}, "", 0
            repeat
                local ids
                ids, token = ask(('{"limit":%d,"token":"%s"}'):format(limit, token))
                all[#all + 1] = ids ~= "" and ids or nil
                turns = turns + 1
            until token == "" or turns > 20
            assert.equal("u2 u4 u6 u8", table.concat(all, " "))
        end
    end)

    it("looks at so many candidates at most in one answer", function()
        local ids, token = ask(nil, search(3))
        assert.equal("u2", ids)
        assert.is_truthy(token)
        ids, token = ask(('{"token":"%s"}'):format(token), search(3))
        assert.equal("u4 u6", ids)
        ids, token = ask(('{"token":"%s"}'):format(token), search(3))
        assert.equal("u8", ids)
        assert.equal("", token)
    end)

    it("takes a token for its own search only, however that is written", function()
        local _, token = ask('{"limit":1}', nil, ',"properties":{"a":1,"b":2}')
        local page = ('{"limit":1,"token":"%s"}'):format(token)
        assert.equal("u4", (ask(page, nil, ', "properties": {"b":2,"a":1}')))
        for _, properties in ipairs({ "", ',"properties":{"a":1,"b":3}' }) do
            local ids, err, status = ask(page, nil, properties)
            assert.is_nil(ids)
            assert.equal(400, status)
            assert.is_truthy(err:find("`page.token`", 1, true))
        end
    end)

    it("refuses pages that are none", function()
        for _, page in ipairs({ "7", "[]", '{"limit":-1}', '{"limit":1.5}', '{"limit":"1"}',
                                '{"token":"x"}', '{"token":7}', '{"token":"3.abc"}' }) do
            local ids, _, status = ask(page)
            assert.is_nil(ids, page)
            assert.equal(400, status)
        end
        for _, page in ipairs({ "null", "{}", '{"limit":null,"token":null}', '{"token":""}' }) do
            assert.equal("u2 u4 u6 u8", (ask(page)), page)
        end
        assert.equal("", (ask('{"limit":0}')))
    end)

    it("makes tokens of what cannot be written again, too", function()
        local huge = ',"properties":{"n":1e999}'
        local ids, token = ask('{"limit":1}', nil, huge)
        assert.equal("u2", ids)
        -- The text counts as it is, and the page is part of it.
        assert.is_nil((ask(('{"limit":1,"token":"%s"}'):format(token), nil, huge)))
    end)

    it("fails as a whole when a decision fails, and tells no half of it", function()
        local doc = assert(document.new(BODY:format("", ""), "body"))
        local text, err, status = search():answer(doc, "subject", function(request)
            if request.principal:find("u4", 1, true) then
                return { allowed = false, reason = "error", status = 500, error = "no database" }
            end
            return even(request)
        end)
        assert.is_nil(text)
        assert.same({ "no database", 500 }, { err, status })
    end)

    it("finds nothing where a value cannot be compared", function()
        local doc = assert(document.new(BODY:format(',"properties":{"x":{}}', ""), "body"))
        local text = search():answer(doc, "subject", function()
            return { allowed = false, reason = "error", status = 500, error = "x" }
        end)
        assert.equal('{"results":[]}', text)
    end)
end)
