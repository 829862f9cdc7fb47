-- The store after a crash: at every operation on files, by the end of the process and by the loss
-- of power, with everything that a disk may then have kept or lost.
local disks = require("spec.support.disk_model")
local faulty = require("spec.support.faulty_files")
local fixtures = require("spec.support.stores")
local estates = require("postern.estate")
local plain = require("postern.host.plain")
local records = require("postern.store.record")
local stores = require("postern.store")


local PATH = "/model/estate.lua"
local FOLDER = "/model/policies"

local FILES = {
    [PATH] = fixtures.ESTATE,
    ["/model/api.json"] = fixtures.policy("FromFile"),
    ["/model/endpoint.json"] = fixtures.endpoint_policy("FromFile"),
}


-- A host whose store is a model; all else is real.
local function host_on(disk)
    local host = { log = function() end, now = os.time, monotonic = os.clock }
    function host.read(_, path)
        if path:sub(1, #FOLDER) == FOLDER then
            return disk:read(path)
        elseif FILES[path] then
            return FILES[path]
        end
        return plain.read(path)
    end
    host.inside = function() return false end
    return host
end


local function open_estate(host)
    return estates.open(PATH, {
        read = function(path) return host:read(path) end, now = os.time, host = host,
    })
end


-- What follows the files of the model when it is told to.
local function reload_on(host)
    local reload = { path = PATH, estate = assert(open_estate(host)) }
    function reload.reload(self)
        local estate, problems = open_estate(host)
        if estate then
            self.estate:close()
            self.estate = estate
        end
        self.problems = problems
        return estate ~= nil
    end
    return reload
end


local function open_store(disk, files)
    local host = host_on(disk)
    return stores.open({
        host = host, files = files or disk, reload = reload_on(host), keep = 10,
    })
end


local OBJECTS = { { "api", "a1" }, { "api", "p1" }, { "endpoint", "vpce-1" } }

-- All that can be seen: what is active and staged, the history, and which policy decides.
local function seen(store)
    local parts = {}
    for _, object in ipairs(OBJECTS) do
        local kind, id = object[1], object[2]
        local state = assert(store:get(kind, id))
        local in_use = store.reload.estate[kind == "api" and "apis" or "endpoints"][id].policy
        parts[#parts + 1] = table.concat({
            kind, id, state.revision, state.active.source, state.active.policy_revision or "-",
            state.staged and state.staged.source or "-",
            state.staged and state.staged.policy_revision or "-",
            tostring(store:text(kind, id)), tostring(store:text(kind, id, { staged = true })),
            in_use and in_use.origins[1].text or "none", #assert(store:history(kind, id)),
        }, " ")
    end
    return table.concat(parts, "\n")
end


local function put(kind, id, text)
    return function(store)
        return store:put(kind, id, text, { if_match = store:get(kind, id).revision })
    end
end


local function step(verb, kind, id, ...)
    local arguments = { ... }
    return function(store)
        arguments[#arguments + 1] = { if_match = store:get(kind, id).revision }
        local result, err = store[verb](store, kind, id, unpack(arguments))
        arguments[#arguments] = nil
        return result, err
    end
end


-- A life: firsts and later ones, with and without short forms, of every operation, and so many
-- that the oldest of the history go.
local STEPS = {
    put("api", "a1", fixtures.policy("One")),
    step("deploy", "api", "a1"),
    put("endpoint", "vpce-1", fixtures.endpoint_policy("Two")),
    put("api", "a1", fixtures.policy("Three", fixtures.ARN .. "/live/*")),
    step("deploy", "api", "a1"),
    step("rollback", "api", "a1", 2),
    put("api", "p1", fixtures.policy("Four")),
    step("delete", "endpoint", "vpce-1"),
    step("rollback", "endpoint", "vpce-1", 1),
    step("delete", "api", "a1"),
    step("deploy", "api", "a1"),
    put("api", "a1", fixtures.policy("Five")),
    step("rollback", "api", "a1", 5),
    step("deploy", "api", "a1"),
    put("api", "a1", fixtures.policy("Six")),
    put("api", "a1", fixtures.policy("Seven")), -- the entry of the first put goes with it
}

-- Those that `make test` takes, one of each sort; `make store-kills` takes all.
local SHORT = { [1] = true, [2] = true, [4] = true, [8] = true, [16] = true }
local ALL = os.getenv("POSTERN_KILLS") ~= nil

local DEAD = { "the process has ended" }


local function die()
    error(DEAD, 0)
end


-- The names of files that nobody needs.
local function leftovers(disk)
    local named = { [records.LIST] = true }
    for _, key in ipairs(assert(records.decode_list(disk:read(FOLDER .. "/" .. records.LIST)))) do
        named[records.file_of(key)] = true
        local record = assert(records.decode(disk:read(FOLDER .. "/" .. records.file_of(key)), key))
        for name in pairs(records.policies_of(record)) do
            named[name] = true
        end
    end
    local found = {}
    for _, name in ipairs(disk:list(FOLDER)) do
        found[#found + 1] = not named[name] and name or nil
    end
    return found
end


-- Opens what is left, and goes on with it.
local function check_disk(disk, step_taken, states, what)
    local store, err = open_store(disk)
    assert(store, ("%s: %s"):format(what, tostring(err)))
    local now = seen(store)
    local known
    for i, state in ipairs(states) do
        known = known or now == state and i
    end
    assert(known, ("%s: neither before nor after:\n%s"):format(what, now))
    assert.same({}, leftovers(disk), what)
    if known == 1 and #states == 2 then
        assert(step_taken(store))
        assert.equal(states[2], seen(store), what)
    end
    return known
end


-- One text for disks that hold the same.
local function contents(disk)
    local parts = {}
    for _, name in ipairs(disk:list(FOLDER)) do
        parts[#parts + 1] = name .. "\0" .. disk:read(FOLDER .. "/" .. name)
    end
    return table.concat(parts, "\0\0")
end


-- Opens what is left, and goes on with it. `states` are those that may be seen. What was found for
-- one disk holds for all that have the same on them.
local function check_after(disk, step_taken, states, what, checked)
    local key = contents(disk)
    if not checked[key] then
        checked[key] = check_disk(disk, step_taken, states, what)
    end
    return checked[key]
end


describe("a crash of the store", function()
    it("leaves what was or what comes, at every operation and whatever the disk keeps", function()
        local disk = disks.new()
        assert(stores.create(FOLDER, disk))
        local points, kinds = 0, {}
        for number, take in ipairs(STEPS) do
            local before = seen(assert(open_store(disk)))
            local whole = disk:after("kill")
            local counter = faulty.new(whole, {})
            local store = assert(open_store(whole, counter))
            local opening = counter.count
            assert(take(store))
            local states = { before, seen(store) }
            assert.not_equal(states[1], states[2])
            local checked = {}
            for at = opening + 1, (ALL or SHORT[number]) and counter.count or 0 do
                for _, half in ipairs({ false, true }) do
                    local dying = disk:after("kill")
                    local name
                    local files = faulty.new(dying, { at = at, half = half, fault = function(op)
                        name = op
                        die()
                    end })
                    local ok, err = pcall(take, assert(open_store(dying, files)))
                    assert.is_false(ok)
                    assert.equal(DEAD, err)
                    for _, way in ipairs((not half or name == "write") and disks.WAYS or {}) do
                        points = points + 1
                        local known = check_after(dying:after(way), take, states,
                            ("step %d, %s at operation %d, %s"):format(number, name, at - opening,
                                way), checked)
                        kinds[known] = (kinds[known] or 0) + 1
                    end
                end
            end
            -- What was answered survives everything.
            for _, way in ipairs(disks.WAYS) do
                assert.equal(1, check_after(whole:after(way), take, { states[2] },
                    ("step %d, answered, %s"):format(number, way), {}))
            end
            disk = whole
        end
        print(("%d disks after a crash: %d as before, %d as after"):format(points, kinds[1],
            kinds[2]))
        assert.is_true(points > 500)
        assert.is_true(kinds[1] > 100 and kinds[2] > 20)
    end)
end)
