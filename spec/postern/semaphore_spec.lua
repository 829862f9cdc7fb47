local fake_host = require("spec.support.fake_host")
local semaphore = require("postern.semaphore")


describe("a semaphore", function()
    local host, places, log

    before_each(function()
        host = fake_host.new()
        places = semaphore.new({ limit = 2, queue = 3 }, host)
        log = {}
    end)

    -- A task that holds a place for some time.
    local function use(name, seconds, limit)
        return host.tasks:spawn(function()
            local ok, why = places:acquire(limit)
            log[#log + 1] = name .. (ok and "" or " " .. why)
            if ok then
                host.sleep(seconds)
                places:release()
            end
        end)
    end

    it("lets so many in at once, and the others in their order", function()
        for i = 1, 5 do
            use(tostring(i), 1)
        end
        assert.same({ "1", "2" }, log)
        assert.equal(3, places.waiting)
        host.pass(1)
        assert.same({ "1", "2", "3", "4" }, log)
        host.pass(1)
        assert.same({ "1", "2", "3", "4", "5" }, log)
        host.pass(1)
        assert.equal(0, places.used)
        assert.equal(0, places.waiting)
    end)

    it("turns away those that find the queue full", function()
        for i = 1, 6 do
            use(tostring(i), 1)
        end
        assert.equal("6 busy", log[3])
    end)

    it("lets nobody wait longer than they want", function()
        use("1", 10)
        use("2", 5)
        use("3", 1, 2)
        use("4", 1, 9)
        host.pass(2)
        assert.same({ "1", "2", "3 timeout" }, log)
        host.pass(3)
        assert.same({ "1", "2", "3 timeout", "4" }, log)
        host.pass(10)
        assert.equal(0, places.used)
    end)

    it("forgets those that are cancelled, waiting or in", function()
        use("1", 2)
        use("2", 2)
        local third = use("3", 1)
        use("4", 1)
        third:cancel()
        assert.equal(1, places.waiting)
        host.pass(2)
        assert.same({ "1", "2", "4" }, log)
        host.pass(1)
        assert.equal(0, places.used)
    end)

    it("takes a place back that was given to one cancelled before it woke", function()
        use("1", 9)
        use("2", 9)
        local third = use("3", 1)
        use("4", 1)
        host.tasks:spawn(function()
            places:release() -- to the third, which runs only when this task waits
            third:cancel()
        end)
        assert.same({ "1", "2", "4" }, log)
        assert.equal(2, places.used)
    end)

    it("gives a place even when it comes with the end of the time", function()
        places = semaphore.new({ limit = 1, queue = 1 }, {
            ensure = host.ensure,
            ticket = function()
                return {
                    wait = function() places:release() return false end,
                    post = function() end,
                }
            end,
        })
        local got
        host.tasks:spawn(function()
            places:acquire()
            got = places:acquire(1)
        end)
        assert.is_true(got)
        assert.equal(1, places.used)
        assert.equal(0, places.waiting)
    end)
end)
