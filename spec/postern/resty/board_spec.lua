local boards = require("postern.resty.board")


-- The part of nginx's shared dictionary that is used, with room for so many bytes.
local function fake_dict(room)
    local dict = { items = {}, now = 0 }
    local function used(but)
        local sum = 0
        for key, item in pairs(dict.items) do
            sum = sum + (key ~= but and #key + #tostring(item.value) or 0)
        end
        return sum
    end
    local function alive(key)
        local item = dict.items[key]
        if item and item.ends and item.ends <= dict.now then
            dict.items[key] = nil
            return nil
        end
        return item
    end
    function dict.get(_, key)
        local item = alive(key)
        return item and item.value
    end
    function dict.safe_set(_, key, value, seconds)
        if room and used(key) + #key + #tostring(value) > room then
            dict.items[key] = nil -- as nginx does
            return nil, "no memory"
        end
        dict.items[key] = { value = value, ends = seconds and dict.now + seconds }
        return true
    end
    function dict.safe_add(_, key, value, seconds)
        if alive(key) then
            return nil, "exists"
        end
        return dict:safe_set(key, value, seconds)
    end
    function dict.delete(_, key)
        dict.items[key] = nil
    end
    function dict.incr(_, key, by)
        local item = alive(key)
        if not item then
            return nil, "not found"
        end
        item.value = item.value + by
        return item.value
    end
    function dict.expire(_, key, seconds)
        local item = alive(key)
        if not item then
            return nil, "not found"
        end
        item.ends = dict.now + seconds
        return true
    end
    function dict.get_keys()
        local keys = {}
        for key in pairs(dict.items) do
            keys[#keys + 1] = key
        end
        return keys
    end
    return dict
end


describe("the board", function()
    local TEXTS = { ["/a/estate.lua"] = 'api "x" {}\n12 3\n', ["/a/none.json"] = false,
                    ["/a/empty.json"] = "", ["/a/b.json"] = "\0\255 5 5\n" }

    it("gives back the bytes of the revision that all are to use", function()
        local dict = fake_dict()
        local board = boards.new(dict, "/a/estate.lua")
        assert.is_nil(board:wanted())
        assert.is_true(board:publish("r1", TEXTS))
        assert.equal("r1", board:wanted())
        assert.same(TEXTS, board:texts("r1"))
        assert.is_true(board:publish("r2", { x = "y" }))
        assert.same({ x = "y" }, board:texts("r2"))
        assert.is_nil(board:texts("r1"))
        assert.is_true(board:publish("r2", { x = "y" }))
        assert.same({ x = "y" }, board:texts("r2"))
    end)

    it("makes room by the bytes of the revision before, and says when there is none", function()
        local board = boards.new(fake_dict(300), "p")
        assert.is_true(board:publish("r1", { x = ("y"):rep(150) }))
        assert.is_true(board:publish("r2", { x = ("z"):rep(150) }))
        assert.equal("r2", board:wanted())
        local ok, err = board:publish("r3", { x = ("z"):rep(400) })
        assert.is_nil(ok)
        assert.matches("found no room in the shared dictionary: no memory", err, 1, true)
        assert.equal("r3", board:wanted())
        assert.is_nil(board:texts("r3"))
    end)

    it("is another one for another estate", function()
        local dict = fake_dict()
        local one, other = boards.new(dict, "/a"), boards.new(dict, "/b")
        one:publish("r1", {})
        one:incr("x", 1)
        one:flush()
        assert.is_nil(other:wanted())
        assert.is_nil(other:get("x"))
        assert.same({}, other:keys())
    end)

    it("has one watcher, until its lease ends", function()
        local dict = fake_dict()
        local board = boards.new(dict, "p")
        assert.is_true(board:lease("1", 5))
        assert.is_false(board:lease("2", 5))
        dict.now = 4
        assert.is_true(board:lease("1", 5))
        dict.now = 8
        assert.is_false(board:lease("2", 5))
        assert.equal("1", board:watcher())
        dict.now = 9
        assert.is_nil(board:watcher())
        assert.is_true(board:lease("2", 5))
        assert.is_false(board:lease("1", 5))
    end)

    it("lists the workers that were heard of", function()
        local dict = fake_dict()
        local board = boards.new(dict, "p")
        board:worker(0, { pid = 10, revision = "r1", loads = 2, failures = 1 }, 60)
        board:worker(2, { pid = 12, revision = "", loads = 0, failures = 3 }, 30)
        assert.same({ { id = 0, pid = 10, revision = "r1", loads = 2, failures = 1 },
                      { id = 2, pid = 12, revision = nil, loads = 0, failures = 3 } },
                    board:workers(4))
        dict.now = 40
        assert.equal(1, #board:workers(4))
    end)

    it("keeps a problem until there is none", function()
        local board = boards.new(fake_dict(), "p")
        board:problem("a.json:1: oops\nand more" .. ("x"):rep(5000), 1234.5)
        local problem, at = board:last_problem()
        assert.matches("^a.json:1: oops\nand more", problem)
        assert.equal(4096, #problem)
        assert.equal(1234, at)
        board:problem(nil)
        assert.is_nil((board:last_problem()))
    end)

    it("adds up what workers count, and keeps what finds no room", function()
        local dict = fake_dict(60)
        local one, other = boards.new(dict, "p"), boards.new(dict, "p")
        one:incr("a", 2)
        assert.equal(3, one:incr("a", 1))
        assert.equal(3, one:get("a"))
        assert.is_nil(other:get("a"))
        assert.is_true(one:flush())
        assert.is_true(one:flush())
        other:incr("a", 4)
        other:flush()
        assert.equal(7, one:get("a"))
        one:incr(("b"):rep(100), 1)
        assert.is_false(one:flush())
        assert.equal(1, one:get(("b"):rep(100)))
        assert.equal(7, one:get("a"))
        assert.same({ "a", ("b"):rep(100) }, one:keys())
    end)
end)
