local catalogues = require("postern.protocol.catalogue")


describe("a catalogue", function()
    local CATALOGUE = assert(catalogues.new({
        subjects = { { type = "user", id = "b", properties = { n = 1.5, on = true,
                                                               list = { "x", 2 } } },
                     { type = "user", id = "a" }, { type = "robot", id = "a" } },
        actions = { { name = "read", properties = { safe = true } } },
    }))

    it("lists its entities in their order, by type", function()
        local ids = {}
        for i, entity in ipairs(CATALOGUE:all("subject", "user")) do
            ids[i] = entity.id
        end
        assert.same({ "b", "a" }, ids)
        assert.same({}, CATALOGUE:all("subject", "planet"))
        assert.same({}, CATALOGUE:all("resource", "user"))
        assert.equal("read", CATALOGUE:all("action")[1].name)
    end)

    it("knows properties, as a message would give them", function()
        assert.same({ n = "1.5", on = "true", list = { "x", "2" } },
                    CATALOGUE:properties("subject", { type = "user", id = "b" }))
        assert.same({ safe = "true" }, CATALOGUE:properties("action", { name = "read" }))
        assert.is_nil(CATALOGUE:properties("subject", { type = "robot", id = "b" }))
        assert.is_nil(CATALOGUE:properties("resource", { type = "user", id = "b" }))
    end)

    it("does not take one entity for another", function()
        local made = assert(catalogues.new({ resources = {
            { type = "a", id = "bc", properties = { x = 1 } },
            { type = "ab", id = "c", properties = { x = 2 } },
        } }))
        assert.equal("1", made:properties("resource", { type = "a", id = "bc" }).x)
        assert.equal("2", made:properties("resource", { type = "ab", id = "c" }).x)
    end)

    it("is refused when it is malformed", function()
        for expected, given in pairs({
            ["unknown option `users`"] = { users = {} },
            ["`subjects`: give a list"] = { subjects = { a = 1 } },
            ["`subjects`: entry 1: `id` is missing"] = { subjects = { { type = "user" } } },
            ["`actions`: entry 1: unknown option `id`"] = {
                actions = { { name = "a", id = "b" } } },
            ["`subjects`: entry 2: is there twice"] = {
                subjects = { { type = "user", id = "a" }, { type = "user", id = "a" } } },
            ["`resources`: entry 1: property `x`: give"] = {
                resources = { { type = "r", id = "a", properties = { x = { { 1 } } } } } },
            ["`resources`: entry 1: property `y`"] = {
                resources = { { type = "r", id = "a", properties = { y = { a = 1 } } } } },
            ["`subjects`: entry 1: the options are a string"] = { subjects = { "alice" } },
        }) do
            local made, err = catalogues.new(given)
            assert.is_nil(made)
            assert.equal(expected, err:sub(1, #expected))
        end
    end)
end)
