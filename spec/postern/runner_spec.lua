local runners = require("postern.runner")


local function pack_of(members)
    local pack = { kind = "keys", name = "x", api = 1, check = function() return true end }
    for name, value in pairs(members or {}) do
        pack[name] = value
    end
    return pack
end

local function new(members, config, limits, operations)
    return runners.new({ pack = pack_of(members), config = config or {}, limits = limits }, {},
                       operations)
end


describe("a pack that runs", function()
    it("starts with its configuration and its tools", function()
        local got
        local runner = new({ start = function(config, tools)
            got = { config.word, tools.limits.open, tools.state, tools.previous }
            return "state"
        end }, { word = "yes" })
        assert.is_true(runner:start())
        assert.same({ "yes", "deny" }, got)
        assert.equal("state", runner.tools.state)
    end)

    it("may have nothing to start or stop", function()
        local runner = new()
        assert.is_true(runner:start())
        assert.is_nil(runner:stop())
        runner = new({ start = function() end })
        assert.is_true(runner:start())
        assert.is_nil(runner:stop())
    end)

    it("says why it does not start", function()
        assert.same({ nil, "no database" }, { new({
            start = function() return nil, "no database" end }):start() })
        assert.same({ nil, "boom" }, { new({ start = function() error("boom", 0) end }):start() })
        local stopped = false
        local runner = new({ start = function() return nil, "no" end,
                             stop = function() stopped = true end })
        assert.is_nil((runner:start()))
        assert.is_nil(runner:stop())
        assert.is_false(stopped)
    end)

    it("is stopped once, with its state", function()
        local stops = {}
        local runner = new({ start = function() return "state" end,
                             stop = function(state) stops[#stops + 1] = state end })
        assert(runner:start())
        assert.is_nil(runner:stop())
        assert.is_nil(runner:stop())
        assert.same({ "state" }, stops)
        runner = new({ start = function() end, stop = function() error("boom", 0) end })
        assert(runner:start())
        assert.equal("boom", runner:stop())
    end)

    it("ends a state that was taken over when the last that holds it ends", function()
        for _, first_to_go in ipairs({ "old", "new" }) do
            local stops = 0
            local members = {
                start = function(_, tools) return tools.previous or { open = true } end,
                stop = function(state)
                    state.open, stops = false, stops + 1
                end,
            }
            local old, fresh = new(members), new(members)
            assert(old:start())
            assert(fresh:start(old))
            assert.equal(old.tools.state, fresh.tools.state)
            local first, last = old, fresh
            if first_to_go == "new" then
                first, last = fresh, old -- another pack of its generation did not start
            end
            first:stop()
            first:stop()
            assert.equal(0, stops)
            assert.is_true(last.tools.state.open)
            last:stop()
            assert.equal(1, stops)
        end
    end)

    it("ends a state of its own, however alike", function()
        local stops = 0
        local members = {
            start = function() return true end, stop = function() stops = stops + 1 end,
        }
        local old, fresh = new(members), new(members)
        assert(old:start())
        assert(fresh:start(old))
        old:stop()
        fresh:stop()
        assert.equal(2, stops)
    end)

    it("takes over the state of the same configuration only", function()
        local function next_of(config, before)
            local got
            local runner = new({ start = function(_, tools)
                got = tools.previous
                return "new"
            end }, config)
            assert(runner:start(before))
            assert.is_nil(runner.tools.previous)
            return got
        end
        local old = new({ start = function() return "old" end },
                        { path = "x", list = { 1, { a = true } } })
        assert(old:start())
        assert.equal("old", next_of({ path = "x", list = { 1, { a = true } } }, old))
        for _, config in ipairs({ {}, { path = "y", list = { 1, { a = true } } },
                                  { path = "x", list = { 1, { a = false } } },
                                  { path = "x", list = { 1 } },
                                  { path = "x", list = { 1, { a = true } }, more = 1 } }) do
            assert.is_nil(next_of(config, old))
        end
        assert.is_nil(next_of({}, nil))
        -- A table that holds itself is never the same.
        local circle = {}
        circle.circle = circle
        local other = {}
        other.circle = other
        local round = new({ start = function() return "old" end }, circle)
        assert(round:start())
        assert.is_nil(next_of(other, round))
    end)

    it("has its own limits, those of the estate in their place, and shows a copy", function()
        local runner = new({ limits = { timeout = 1, failures = 3 } }, {}, { timeout = 2 })
        assert.same({ timeout = 2, failures = 3, open = "deny" }, runner.limits)
        runner.tools.limits.open = "absent"
        assert.equal("deny", runner.limits.open)
    end)
end)


describe("what a pack waits for", function()
    local function gated(answer, limits, more)
        local host = { made = {}, gate = function(self, options)
            self.made[#self.made + 1] = options
            return { call = function(_, fn, ...)
                if answer then
                    return unpack(answer, 1, 3)
                end
                return fn(...)
            end }
        end }
        for name, value in pairs(more or {}) do
            host[name] = value
        end
        return new({ lazy = true }, {}, limits, host), host
    end

    local function add(a, b)
        return a + b
    end

    it("is called as it is where the host has no gate", function()
        assert.equal(3, new({ lazy = true }):wait(add, 1, 2))
        assert.same({ nil, "no" }, { new():wait(function() return nil, "no" end) })
    end)

    it("goes through one gate, made with the limits that are its own", function()
        local runner, host = gated(nil, { timeout = 2, concurrency = 3, queue = 4, failures = 5,
                                          pause = 6, seconds = 1, memory = 2, open = "deny" })
        assert.equal(3, runner:wait(add, 1, 2))
        assert.equal(5, runner:wait(add, 2, 3))
        assert.same({ { timeout = 2, concurrency = 3, queue = 4, failures = 5, pause = 6 } },
                    host.made)
    end)

    it("fails when the gate is closed, or is absent if the pack says so", function()
        local closed = { nil, "not called", "open" }
        assert.same({ nil, "not called" }, { gated(closed):wait(add, 1, 2) })
        assert.same({ nil, "not called" }, { gated(closed, { open = "deny" }):wait(add, 1, 2) })
        assert.same({ nil, nil }, { gated(closed, { open = "absent" }):wait(add, 1, 2) })
        for _, kind in ipairs({ "timeout", "busy", "failed" }) do
            assert.same({ nil, "not called" },
                { gated({ nil, "not called", kind }, { open = "absent" }):wait(add, 1, 2) })
        end
        -- A value is one, whatever stands behind it.
        assert.same({ false }, { gated({ false, nil, "open" }, { open = "absent" }):wait(add) })
    end)

    it("runs the loop where the caller is no task of it", function()
        local blocked = 0
        local function block(_, fn, ...)
            blocked = blocked + 1
            return fn(...)
        end
        local function inside(answer)
            return function() return answer end
        end
        assert.equal(3, gated(nil, nil, { block = block, inside = inside(false) }):wait(add, 1, 2))
        assert.equal(1, blocked)
        assert.equal(3, gated(nil, nil, { block = block, inside = inside(true) }):wait(add, 1, 2))
        assert.equal(3, gated(nil, nil, { block = block }):wait(add, 1, 2))
        assert.equal(1, blocked)
        assert.same({ nil, nil }, { gated({ nil, "x", "open" }, { open = "absent" },
            { block = block, inside = inside(false) }):wait(add, 1, 2) })
    end)
end)
