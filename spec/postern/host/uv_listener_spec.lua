local uv = require("luv")
local hosts = require("postern.host.uv")
local listeners = require("postern.host.uv_listener")
local loop = require("spec.support.loop")


describe("an address to listen on", function()
    it("is TCP, a socket of the file system, or inherited", function()
        for text, expected in pairs({
            ["127.0.0.1:8080"] = { kind = "tcp", host = "127.0.0.1", port = 8080 },
            ["[::1]:0"] = { kind = "tcp", host = "::1", port = 0 },
            ["*:80"] = { kind = "tcp", host = "::", port = 80 },
            ["localhost:80"] = { kind = "tcp", host = "127.0.0.1", port = 80 },
            ["unix:/run/a b.sock"] = { kind = "unix", path = "/run/a b.sock" },
            ["fd:3"] = { kind = "fd", fd = 3 },
        }) do
            assert.same(expected, listeners.parse(text))
        end
    end)

    it("is refused where it is none", function()
        for text, expected in pairs({
            [""] = "give ADDRESS:PORT", ["8080"] = "give ADDRESS:PORT",
            [":8080"] = "is no address", ["example.com:80"] = "`example.com` is no address",
            ["127:80"] = "is no address", ["[::1]"] = "is no address", ["::1:80"] = "is no address",
            ["127.0.0.1:65536"] = "a port is a number", ["127.0.0.1:"] = "a port is a number",
            ["127.0.0.1:http"] = "a port is a number", ["unix:run.sock"] = "the path of a socket",
            ["unix:/"] = "the path of a socket", ["unix:/a\0b"] = "the path of a socket",
            ["unix:/" .. ("x"):rep(107)] = "at most 107 bytes",
            ["fd:2"] = "an inherited socket", ["fd:x"] = "an inherited socket",
        }) do
            local place, why = listeners.parse(text)
            assert.is_nil(place, text)
            assert.matches(expected, why, 1, true)
        end
    end)

    it("is what systemd hands to this process", function()
        assert.same({ "fd:3", "fd:4" },
            listeners.inherited({ LISTEN_PID = "7", LISTEN_FDS = "2" }, 7))
        assert.same({}, listeners.inherited({ LISTEN_PID = "7", LISTEN_FDS = "2" }, 8))
        assert.same({}, listeners.inherited({ LISTEN_FDS = "2" }, 8))
        assert.same({}, listeners.inherited({ LISTEN_PID = "7" }, 7))
    end)
end)


describe("a listener", function()
    local host, before, path

    before_each(function()
        before, path = loop.open_handles(), os.tmpname()
        os.remove(path)
        host = hosts.new()
    end)

    after_each(function()
        host:close()
        os.remove(path)
        assert.equal(before, loop.open_handles())
    end)

    local function bind(address, options)
        return host:block(listeners.bind, host, address, options)
    end

    -- Connects, and answers what the listener told of the peer.
    local function peer_at(listener, place)
        return host:block(function()
            local seen = host:ticket()
            local peer, credentials
            if not listener.taken then
                listener.taken = true
                assert(listener:listen(function(stream, peer_of, credentials_of)
                    listener.seen(peer_of(), credentials_of and credentials_of())
                    host.loop:close_handle(stream)
                end))
            end
            listener.seen = function(told, also)
                peer, credentials = told, also
                seen:post()
            end
            place.timeout = 1
            local socket = assert(host:connect(place))
            assert.is_true(seen:wait(1))
            socket:close()
            return peer, credentials
        end)
    end

    it("takes connections of TCP, IPv4 and IPv6", function()
        local four, all = assert(bind("127.0.0.1:0")), assert(bind("*:0"))
        local port = tonumber(four:name():match("^127%.0%.0%.1:(%d+)$"))
        assert.same({ "127.0.0.1" }, { peer_at(four, { host = "127.0.0.1", port = port }) })
        port = tonumber(all:name():match("^%[::%]:(%d+)$"))
        assert.equal("127.0.0.1", peer_at(all, { host = "127.0.0.1", port = port }))
        assert.equal("::1", peer_at(all, { host = "::1", port = port }))
    end)

    it("takes connections of the file system, from those who may", function()
        local listener = assert(bind("unix:" .. path, { mode = tonumber("0600", 8) }))
        assert.equal("socket", uv.fs_stat(path).type)
        assert.equal("600", ("%o"):format(uv.fs_stat(path).mode % 512))
        assert.equal("unix:" .. path, listener:name())
        local peer, credentials = peer_at(listener, { path = path })
        assert.equal("unix:", peer)
        assert.same({ pid = uv.os_getpid(), uid = uv.getuid(), gid = uv.getgid() }, credentials)
        listener:close()
        uv.run("nowait")
        assert.is_nil(uv.fs_stat(path))
        assert(bind("unix:" .. path))
        assert.equal("660", ("%o"):format(uv.fs_stat(path).mode % 512))
    end)

    it("takes the place of a dead one, and of no other", function()
        -- A link to the socket stays when it is closed, as the socket of one that was killed does.
        local dead = assert(bind("unix:" .. path .. ".dead"))
        assert(uv.fs_link(path .. ".dead", path))
        dead:close()
        uv.run("nowait")
        assert.equal("socket", uv.fs_stat(path).type)
        local listener = assert(bind("unix:" .. path))
        assert.equal("unix:", peer_at(listener, { path = path }))
        local second, why = bind("unix:" .. path)
        assert.is_nil(second)
        assert.equal(("`unix:%s`: somebody listens there already"):format(path), why)
        assert.equal("unix:", peer_at(listener, { path = path }))
    end)

    it("leaves alone what is no socket", function()
        local file = assert(io.open(path, "w"))
        file:write("precious")
        file:close()
        local listener, why = bind("unix:" .. path)
        assert.is_nil(listener)
        assert.matches("something that is no socket", why, 1, true)
        assert.equal("precious", io.open(path):read("*a"))
    end)

    it("says why it cannot be", function()
        local first = assert(bind("127.0.0.1:0"))
        assert(first:listen(function() end))
        local second, why = bind(first:name())
        if second then -- the system tells only when it listens
            local ok
            ok, why = second:listen(function() end)
            assert.is_nil(ok)
        end
        assert.equal(("`%s`: address already in use"):format(first:name()), why)
        assert.same({ nil, "`192.0.2.1:8080`: address not available" },
            { bind("192.0.2.1:8080") })
        assert.same({ nil, "`unix:/nowhere/x`: no such file or directory" },
            { bind("unix:/nowhere/x") })
        assert.matches("^`127:80`: `127` is no address", select(2, bind("127:80")))
        assert.matches("^`fd:900`: no socket", select(2, bind("fd:900")))
        assert.error_matches(function() bind("*:0", { mod = 1 }) end, "unknown option `mod`")
    end)

    it("tells an address as IPv4 where it is one", function()
        assert.equal("192.0.2.1", listeners.plain_address("::ffff:192.0.2.1"))
        assert.equal("192.0.2.1", listeners.plain_address("192.0.2.1"))
        assert.equal("2001:db8::1", listeners.plain_address("2001:db8::1"))
    end)
end)
