local child = require("spec.bench.peers.child")
local timing = require("spec.bench.peers.timing")
local workload = require("spec.bench.peers.workload")


local function sh(script)
    return child.start({ "sh", "-c", script }, nil, 5)
end


describe("a peer", function()
    it("is asked line by line", function()
        local peer = assert(sh([[echo 'hello {"engine":"x"}'; while read line; do
            case $line in bad*) echo "error a $line";; *) echo "said $line";; esac; done]]))
        assert.equal('{"engine":"x"}', peer.hello)
        assert.equal("said a b", peer:ask("a b", 5))
        assert.same({ nil, "a bad one" }, { peer:ask("bad one", 5) })
        assert.equal("said c", peer:ask("c", 5))
        peer:stop()
        peer:stop()
        assert.same({ nil, "ended with status 0, signal 9" }, { peer:ask("d", 5) })
    end)

    it("may be late, or end", function()
        local peer = assert(sh("echo hello x; read line; sleep 60"))
        assert.same({ nil, "no answer within 0.2 s" }, { peer:ask("a", 0.2) })
        assert.is_nil(peer.handle)
        peer = assert(sh("echo hello x; read line; exit 3"))
        assert.same({ nil, "ended with status 3, signal 0" }, { peer:ask("a", 5) })
    end)

    it("may end by itself", function()
        local path = os.tmpname()
        local peer = assert(sh("echo hello x; while read line; do :; done; echo bye >" .. path))
        peer:finish(5)
        local file = assert(io.open(path))
        assert.equal("bye\n", file:read("*a"))
        file:close()
        os.remove(path)
        peer = assert(sh("echo hello x; while read line; do :; done; sleep 60"))
        peer:finish(0.2)
        assert.equal("ended with status 0, signal 9", peer.ended)
    end)

    it("may not start, or not say hello", function()
        local peer, failed = child.start({ "/no/such/program" }, nil, 5)
        assert.is_nil(peer)
        assert.matches("^cannot be started: ENOENT", failed)
        assert.same({ nil, "says good day" }, { sh("echo good day; sleep 60") })
        assert.same({ nil, "ended with status 4, signal 0" }, { sh("exit 4") })
    end)
end)


-- A peer that answers what it is told to, and whose decisions take 1 µs.
local function fake(answers, allowed)
    return assert(sh(([[echo hello x; while read act form count; do case $act in
        load) echo ok;; answers) if [ $form = texts ]; then echo answers %s; else echo none; fi;;
        round) echo round ${count}000 $((count * 2000)) $((%s));; esac; done]])
        :format(answers, allowed)))
end


describe("timing", function()
    local made, right

    before_each(function()
        made = workload.seed("offices")
        right = workload.answers(made) -- three of four are allowed
    end)

    it("takes rounds of engines whose answers are right", function()
        local peer = fake(right, "count - count / 4")
        local rows = assert(timing.meet(peer, made, "path"))
        assert.equal(1, #rows)
        timing.rounds(rows, 3)
        local row = timing.result(rows[1], "x", "keys")
        peer:stop()
        assert.is_true(row.count >= 50000)
        row.count = nil
        assert.same({ name = "x", style = "keys", form = "texts", family = "offices",
                      workload = "offices", size = 1, unit = "ns", median = 1000, min = 1000,
                      max = 1000, wall = 2000 }, row)
    end)

    it("takes none of an engine that answers otherwise", function()
        local peer = fake(right:gsub("^1", "0"), "count - count / 4")
        local rows, failed, wrong = timing.meet(peer, made, "path")
        peer:stop()
        assert.is_nil(rows)
        assert.matches("^answers 0110.*, but right are 1110", failed)
        assert.is_true(wrong)
    end)

    it("takes none of an engine that answers otherwise while it is timed", function()
        local peer = fake(right, "count")
        local rows, failed = timing.meet(peer, made, "path")
        peer:stop()
        assert.is_nil(rows)
        assert.matches("otherwise while it was timed", failed)
    end)
end)
