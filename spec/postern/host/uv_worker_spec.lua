local uv = require("luv")
local hosts = require("postern.host.uv")
local workers = require("postern.host.uv_worker")
local loop = require("spec.support.loop")


describe("the role of a process", function()
    it("is none", function()
        assert.is_nil(workers.role())
    end)

    it("is a worker's when its parent says so, and its own children have none", function()
        uv.os_setenv("POSTERN_WORKER", "2;3=127.0.0.1:1;4=unix:/a%3bb%25;control=5")
        assert.same({ number = 2, control = 5, sockets = {
            { fd = 3, address = "127.0.0.1:1" }, { fd = 4, address = "unix:/a;b%" } } },
            workers.role())
        assert.is_nil(workers.role())
    end)
end)


describe("lines", function()
    it("are found however they are cut", function()
        local lines, ended = {}, 0
        local read = workers.lines(function(line) lines[#lines + 1] = line end,
            function() ended = ended + 1 end)
        for _, piece in ipairs({ "a", "b\nc", "\n\nd\ne" }) do
            read(nil, piece)
        end
        assert.same({ "ab", "c", "", "d" }, lines)
        read(nil, nil)
        assert.equal(1, ended)
        workers.lines(print)(nil, nil)
    end)
end)


describe("a worker", function()
    it("talks to its parent, and notices when there is none any more", function()
        local before = loop.open_handles()
        local host = hosts.new()
        local pair = uv.socketpair("stream", nil, { nonblock = true }, { nonblock = true })
        local parent = uv.new_pipe(false)
        parent:open(pair[1])
        local said, orphaned = {}, 0
        parent:read_start(workers.lines(function(line)
            said[#said + 1] = line
            if line == "gather" then
                parent:write("nonsense\nsnapshots [1,2]\n")
            end
        end))
        host:block(function()
            local worker = workers.attend(host, { control = pair[2] }, function()
                orphaned = orphaned + 1
            end)
            worker:ready()
            worker:tell("{}")
            assert.equal("[1,2]", worker:gather())
            assert.equal("[1,2]", worker:gather())
            assert.same({ "ready", "snapshot {}", "gather", "gather" }, said)
            parent:close()
            host:sleep(0.01)
            assert.equal(1, orphaned)
            worker:ready()
        end)
        host:close()
        assert.equal(before, loop.open_handles())
    end)
end)
