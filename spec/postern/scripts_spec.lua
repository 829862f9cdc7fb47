local scripts = require("postern.scripts")
local plain = require("postern.host.plain")


describe("the scripts of an estate", function()
    local said, logged

    before_each(function()
        said, logged = {}, {}
    end)

    local function pack(kind, name, members)
        local made = {
            kind = kind, name = name, api = 1, check = function() return true end,
            start = function()
                said[#said + 1] = "start " .. name
                return { name = name }
            end,
            stop = function(state) said[#said + 1] = "stop " .. state.name end,
        }
        if kind == "keys" then
            made.keys = { ["acme:" .. name] = function(_, _, tools) return tools.state.name end }
        else
            made.log = function() end
        end
        for member, value in pairs(members or {}) do
            made[member] = value
        end
        return made
    end

    local function estate_of(...)
        local estate = { packs = {}, pack_order = {}, log = function(line)
            logged[#logged + 1] = line
        end }
        for i, one in ipairs({ ... }) do
            estate.pack_order[i] = one.kind .. "/" .. one.name
            estate.packs[estate.pack_order[i]] = { pack = one, config = {} }
        end
        return estate
    end

    local function start(estate, options)
        options = options or {}
        options.read, options.now, options.log = plain.read, os.time, estate.log
        return scripts.start(estate, options)
    end

    it("start keys before hooks, each in its order, and stop", function()
        local estate = estate_of(pack("hooks", "h"), pack("keys", "a"), pack("keys", "b"))
        assert(start(estate))
        assert.same({ "start a", "start b", "start h" }, said)
        assert.equal("b", estate.keys:resolve("acme:b", {}))
        assert.is_table(estate.hooks)
        said = {}
        scripts.close(estate)
        table.sort(said)
        assert.same({ "stop a", "stop b", "stop h" }, said)
        scripts.close(estate)
        assert.equal(3, #said)
    end)

    it("have no hooks where no pack is one", function()
        local estate = estate_of(pack("keys", "a"))
        assert(start(estate))
        assert.is_nil(estate.hooks)
    end)

    it("are all stopped when one does not start", function()
        for _, bad in ipairs({
            pack("hooks", "bad", { start = function() return nil, "no disk" end }),
            pack("hooks", "bad", { start = function() error("no disk", 0) end }),
        }) do
            said = {}
            local ok, err = start(estate_of(pack("keys", "a"), bad))
            assert.is_nil(ok)
            assert.equal("the hooks pack `bad` does not start: no disk", err)
            assert.same({ "start a", "stop a" }, said)
        end
        said = {}
        local twice = pack("keys", "b", { keys = { ["ACME:a"] = function() end } })
        assert.is_nil((start(estate_of(pack("keys", "a"), twice))))
        table.sort(said)
        assert.same({ "start a", "start b", "stop a", "stop b" }, said)
    end)

    it("take over the state of their counterparts", function()
        local first = estate_of(pack("keys", "a"))
        assert(start(first))
        local previous
        local second = estate_of(pack("keys", "a", { start = function(_, tools)
            previous = tools.previous
            return { name = "second" }
        end }))
        assert(start(second, { previous = first }))
        assert.equal(first.runners["keys/a"].tools.state, previous)
    end)

    it("tell the operator what cannot be stopped or opened anew, and go on", function()
        local estate = estate_of(pack("keys", "a", { stop = function() error("stuck", 0) end }),
                                 pack("keys", "b"))
        assert(start(estate))
        estate.writers = {
            { reopen = function() return nil, "gone" end }, { reopen = function() return true end },
        }
        scripts.reopen(estate)
        scripts.close(estate)
        assert.same({ "a file of a pack cannot be opened anew: gone",
                      "the keys pack `a` does not stop: stuck" }, logged)
        assert.same({ "start a", "start b", "stop b" }, said)
    end)
end)
