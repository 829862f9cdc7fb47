local marks = require("postern.resty.marks")


describe("marks of requests", function()
    local at, made

    -- What nginx is at: the number of a request, and when it began.
    local function is_at(number, began)
        at.number, at.began = number, began
        return made
    end

    before_each(function()
        at = { now = 100 }
        made = marks.new({
            number = function() return at.number end, began = function() return at.began end,
            now = function() return at.now end,
        }, 3)
    end)


    it("are there once", function()
        is_at(1, 99):put()
        is_at(2, 99)
        assert.is_false(made:take())
        is_at(1, 99)
        assert.is_true(made:take())
        assert.is_false(made:take())
    end)

    it("are not those of a request that had the number before", function()
        is_at(1, 99):put()
        assert.is_false(is_at(1, 99.001):take())
    end)

    it("may have been there where they were forgotten, and only there", function()
        for number = 1, 3 do
            is_at(number, 50):put()
        end
        is_at(4, 99):put() -- the first half is full
        assert.is_true(is_at(2, 50):take())
        at.now = 200
        for number = 5, 7 do
            is_at(number, 150):put() -- and again: the oldest are gone
        end
        assert.is_true(is_at(1, 50):take())
        assert.is_true(is_at(7, 150):take())
        assert.is_false(is_at(8, 201):take())
    end)

    it("that are taken make room", function()
        for number = 1, 100 do
            is_at(number, 150):put()
            assert.is_true(made:take())
        end
        assert.is_false(is_at(101, 150):take())
    end)
end)
