local ffi = require("ffi")
local uv = require("luv")
local sockets = require("postern.sockets")

ffi.cdef([[
typedef struct { uint16_t family; char path[108]; } postern_spec_unix;
int postern_spec_socket(int family, int kind, int protocol) __asm__("socket");
int postern_spec_bind(int fd, const postern_spec_unix *address, unsigned size) __asm__("bind");
intptr_t postern_spec_recv(int fd, void *bytes, size_t size, int flags) __asm__("recv");
int postern_spec_close(int fd) __asm__("close");
]])

local UNIX, DATAGRAMS, NO_WAIT = 1, 2, 0x40


describe("sockets", function()
    local path, handles

    before_each(function()
        path, handles = os.tmpname(), {}
        os.remove(path)
    end)

    after_each(function()
        for _, handle in ipairs(handles) do
            handle:close()
        end
        uv.run()
        os.remove(path)
    end)

    local function add(handle)
        handles[#handles + 1] = handle
        return handle
    end

    local function fd_of(handle)
        return (assert(handle:fileno()))
    end

    it("notify a service manager", function()
        local fd = ffi.C.postern_spec_socket(UNIX, DATAGRAMS, 0)
        assert.equal(0, ffi.C.postern_spec_bind(fd, ffi.new("postern_spec_unix", UNIX, path), 110))
        assert.is_true(sockets.notify(path, "READY=1\nSTATUS=2 estates"))
        local bytes = ffi.new("char[64]")
        local length = tonumber(ffi.C.postern_spec_recv(fd, bytes, 64, NO_WAIT))
        assert.equal("READY=1\nSTATUS=2 estates", ffi.string(bytes, length))
        ffi.C.postern_spec_close(fd)
        assert.same({ nil, "the service manager: Connection refused" },
            { sockets.notify(path, "READY=1") })
        local ok, why = sockets.notify("vsock:2:1", "READY=1")
        assert.is_nil(ok)
        assert.matches("`vsock:2:1` is no socket that can be notified", why, 1, true)
    end)

    it("are described", function()
        local tcp = add(uv.new_tcp())
        assert(tcp:bind("127.0.0.1", 0))
        local found = assert(sockets.describe(fd_of(tcp)))
        assert.same({ family = "inet", stream = true, listening = false, address = "127.0.0.1",
            port = tcp:getsockname().port }, found)
        assert(tcp:listen(1, function() end))
        assert.is_true(sockets.describe(fd_of(tcp)).listening)
        local pipe = add(uv.new_pipe(false))
        assert(pipe:bind(path))
        assert.same({ family = "unix", stream = true, listening = false, address = path, port = 0 },
            (sockets.describe(fd_of(pipe))))
    end)

    it("are told from other descriptors", function()
        local fd = assert(uv.fs_open("/dev/null", "r", 0))
        assert.same({ nil, "no socket: Socket operation on non-socket" }, { sockets.describe(fd) })
        assert.is_true(sockets.close_on_exec(fd))
        uv.fs_close(fd)
        assert.same({ nil, "no socket: Bad file descriptor" }, { sockets.describe(fd) })
        assert.same({ nil, "no descriptor: Bad file descriptor" }, { sockets.close_on_exec(fd) })
        for _, nonsense in ipairs({ -1, 0.5, 0 / 0, 2 ^ 31, "3", false }) do
            for _, name in ipairs({ "describe", "peer", "reuse_port", "close_on_exec" }) do
                local ok, why = pcall(function() sockets[name](nonsense) end)
                assert.is_false(ok)
                assert.matches("sockets_spec.lua:%d+: .* is no descriptor", why)
            end
        end
    end)

    it("know their peer", function()
        local pair = assert(uv.socketpair("stream"))
        local peer = assert(sockets.peer(pair[1]))
        assert.equal(uv.os_getpid(), peer.pid)
        assert.equal(uv.getuid(), peer.uid)
        assert.equal(uv.getgid(), peer.gid)
        uv.fs_close(pair[1])
        uv.fs_close(pair[2])
        local tcp = add(uv.new_tcp())
        assert(tcp:bind("127.0.0.1", 0))
        assert.same({ nil, "only a Unix socket knows its peer" }, { sockets.peer(fd_of(tcp)) })
    end)

    it("share a port", function()
        local first = add(uv.new_tcp("inet"))
        assert.is_true(sockets.reuse_port(fd_of(first)))
        assert(first:bind("127.0.0.1", 0))
        local port = first:getsockname().port
        assert(first:listen(1, function() end))
        local second = add(uv.new_tcp("inet"))
        assert.is_true(sockets.reuse_port(fd_of(second)))
        assert(second:bind("127.0.0.1", port))
        assert(second:listen(1, function() end))
        local third = add(uv.new_tcp("inet"))
        third:bind("127.0.0.1", port)
        assert.is_nil((third:listen(1, function() end)))
    end)

    describe("that are watched", function()
        local watch, told, fds


        -- Two that can be read.
        before_each(function()
            watch, told, fds = assert(sockets.watch()), {}, {}
            for i = 1, 2 do
                local pair = assert(uv.socketpair(nil, nil, {}, {}))
                local other = add(uv.new_pipe(false))
                assert(other:open(pair[2]))
                fds[i] = pair[1]
                other:try_write("x")
            end
        end)


        after_each(function()
            watch:close()
            for _, fd in ipairs(fds) do
                uv.fs_close(fd)
            end
        end)


        local function note(owner)
            told[#told + 1] = owner.name
            return owner.more and owner.more(#told)
        end


        it("are told again, before others, as long as they say so", function()
            assert(watch:add(fds[1], note, { name = "a", more = function(count)
                return count % 3 ~= 0
            end }))
            assert(watch:add(fds[2], note, { name = "b" }))
            watch:tell()
            table.sort(told)
            assert.equal("b", told[#told])
            assert.is_true(#told >= 3 and #told <= 4)
            assert.is_nil(table.concat(told):match("ab+a"))
        end)


        it("and raise keep no other from being told", function()
            local raised = {}
            for i, name in ipairs({ "a", "b" }) do
                assert(watch:add(fds[i], function(owner)
                    note(owner)
                    error("no " .. owner.name, 0)
                end, { name = name }, function(owner, why)
                    raised[#raised + 1] = owner.name .. ": " .. why
                end))
            end
            watch:tell()
            table.sort(raised)
            assert.same({ "a: no a", "b: no b" }, raised)
            watch:tell()
            assert.equal(4, #told)
        end)


        it("raise where nobody takes it, and are told the next time", function()
            assert(watch:add(fds[1], function() error("no", 0) end))
            for _ = 1, 2 do
                assert.error_matches(function() watch:tell() end, "^no$")
            end
        end)
    end)


    it("are watched together", function()
        local watch = assert(sockets.watch())
        local pairs_of, told = {}, {}
        for i = 1, 2 do
            local fds = assert(uv.socketpair(nil, nil, {}, {}))
            pairs_of[i] = { fd = fds[1], other = add(uv.new_pipe(false)) }
            assert(pairs_of[i].other:open(fds[2]))
            pairs_of[i].number = assert(watch:add(fds[1], function()
                told[#told + 1] = i
                if pairs_of[i].takes then
                    pairs_of[i].takes()
                end
            end))
        end
        assert.equal(2, watch.count)
        watch:tell()
        assert.same({}, told)
        pairs_of[2].other:try_write("x")
        watch:tell()
        assert.same({ 2 }, told)
        -- One that is left out by another, in the same breath, is not told.
        pairs_of[1].other:try_write("x")
        for i = 1, 2 do
            pairs_of[i].takes = function()
                local left = pairs_of[3 - i]
                if left.number then
                    watch:remove(left.fd, left.number)
                    left.number = nil
                end
            end
        end
        told = {}
        watch:tell()
        watch:tell()
        assert.equal(2, #told)
        assert.equal(told[1], told[2])
        assert.equal(1, watch.count)
        assert.same({ nil, "the descriptor cannot be watched: Bad file descriptor" },
                    { watch:add(-1, function() end) })
        -- Numbers begin anew, but not those of what is still watched.
        local _, last = next({ pairs_of[1].number, pairs_of[2].number })
        local fds = assert(uv.socketpair(nil, nil, {}, {}))
        watch.last = last - 1
        local number = assert(watch:add(fds[1], function() end))
        assert.equal(last + 1, number)
        assert.equal(2, watch.count)
        watch:remove(fds[1], number)
        watch.last = 2 ^ 32 - 2
        assert.equal(2 ^ 32 - 1, watch:add(fds[1], function() end))
        assert.equal(0, watch.last)
        uv.fs_close(fds[1])
        uv.fs_close(fds[2])
        watch:close()
        for _, each in ipairs(pairs_of) do
            uv.fs_close(each.fd)
        end
    end)

    it("come with a clock, and with places among bounds", function()
        local before = sockets.seconds()
        assert.is_true(math.abs(before - uv.hrtime() / 1e9) < 5)
        assert.is_true(sockets.seconds() >= before)
        local bounds = sockets.bounds({ 1, 2.5, 4 })
        local places = {}
        for i, value in ipairs({ 0, 1, 1.5, 4, 5 }) do
            places[i] = sockets.place(bounds, value)
        end
        assert.same({ 1, 1, 2, 3, 4 }, places)
    end)
end)
