local child = require("spec.bench.peers.child")
local commands = require("spec.support.commands")
local workload = require("spec.bench.peers.workload")


-- What a peer says to a workload, in each form.
local function ask(command, made)
    local path = workload.write("/tmp", made)
    local peer = assert(child.start(command, nil, 60))
    local loaded, failed = peer:ask("load " .. path, 60)
    os.remove(path)
    assert.equal("ok", loaded, failed)
    local said = {}
    for i, form in ipairs({ "texts", "prepared" }) do
        said[i] = peer:ask("answers " .. form, 60)
    end
    local nanoseconds, allowed = peer:ask("round texts 128", 60):match("^round (%d+) %d+ (%d+)$")
    peer:stop()
    assert.is_true(tonumber(nanoseconds) > 0)
    assert.equal("96", allowed) -- three of four
    return said
end


describe("Postern as a peer", function()
    local from_c = { commands.build() .. "/peer_postern" }

    it("answers from C", function()
        for _, made in ipairs({ workload.seed("offices"), workload.globs(10) }) do
            local right = "answers " .. workload.answers(made)
            assert.same({ right, right }, ask(from_c, made))
        end
    end)

    it("answers from C with more policies than one document may hold", function()
        local made = workload.exact(40000)
        local right = "answers " .. workload.answers(made)
        assert.is_true(#workload.json(made) > 16 * 2 ^ 20)
        assert.same({ right, right }, ask(from_c, made))
    end)

    it("answers from Lua, of few policies and of many", function()
        for _, made in ipairs({ workload.seed("offices"), workload.globs(10),
                                workload.globs(40000) }) do
            assert.same({ "answers " .. workload.answers(made), "none" },
                ask({ "luajit", "spec/bench/peers/postern/peer.lua", commands.build() }, made))
        end
    end)

    it("says what it cannot do", function()
        local peer = assert(child.start(from_c, nil, 60))
        local said, failed = peer:ask("dance", 60)
        assert.is_nil(said)
        assert.equal("cannot do dance", failed)
        said, failed = peer:ask("load /no/such/file", 60)
        assert.is_nil(said)
        assert.matches("cannot read /no/such/file", failed)
        peer:stop()
    end)
end)
