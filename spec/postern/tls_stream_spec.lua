local uv = require("luv")
local tls = require("postern.tls")
local tls_stream = require("postern.tls_stream")
local authorities = require("spec.support.authority")


describe("tls_stream", function()
    local ca, server_context, client_context, handles

    setup(function()
        ca = authorities.new()
        ca:issue("server", "DNS:localhost,IP:127.0.0.1")
        ca:issue("client", "URI:spiffe://example.com/a")
        server_context = assert(tls.server({ certificate = ca:path("server.pem"),
            key = ca:path("server.key"), authorities = ca:path("ca.pem"), peer = "optional" }))
        client_context = assert(tls.client({ authorities = ca:path("ca.pem"),
            certificate = ca:path("client.pem"), key = ca:path("client.key") }))
    end)

    teardown(function()
        ca:close()
    end)

    before_each(function()
        handles = {}
    end)

    after_each(function()
        for _, handle in ipairs(handles) do
            if not handle:is_closing() then
                handle:close()
            end
        end
        uv.run()
    end)

    local function later(call)
        local timer = uv.new_timer()
        timer:start(0, 0, function()
            timer:close()
            call()
        end)
    end

    local function add(handle)
        handles[#handles + 1] = handle
        return handle
    end

    local function run_until(done)
        local watchdog = add(uv.new_timer())
        watchdog:start(60000, 0, function() error("nothing happened for a minute") end)
        while not done() do
            uv.run("once")
        end
        watchdog:close()
    end

    -- A port on which `serve` is called with each stream, before its handshake.
    local function listen(serve, context)
        local listener = add(uv.new_tcp())
        assert(listener:bind("127.0.0.1", 0))
        assert(listener:listen(16, function()
            local raw = add(uv.new_tcp())
            listener:accept(raw)
            serve(tls_stream.new(raw, (context or server_context):accept(), later), raw)
        end))
        return listener:getsockname().port
    end

    local function connect(port, call)
        local raw = add(uv.new_tcp())
        raw:connect("127.0.0.1", port, function(err)
            assert(not err, err)
            call(tls_stream.new(raw, client_context:connect("localhost"), later), raw)
        end)
    end

    -- Runs openssl in the background with an input; call the result for its output, nil before.
    local function openssl(arguments, input)
        local stdin, stdout, output = uv.new_pipe(false), uv.new_pipe(false), {}
        local ended = false
        add(stdin)
        add(stdout)
        -- A preloaded sanitizer is meant for the core, not for programs.
        local process = assert(uv.spawn("sh", { args = { "-c", "LD_PRELOAD= exec openssl "
            .. arguments .. " 2>&1" }, stdio = { stdin, stdout, nil } }, function() end))
        add(process)
        stdout:read_start(function(_, bytes)
            output[#output + 1] = bytes
            ended = ended or not bytes
        end)
        if input then
            stdin:write(input)
        end
        return function()
            return ended and table.concat(output) or nil
        end, process
    end

    local S_CLIENT = "s_client -connect 127.0.0.1:%d -CAfile %s -servername localhost -quiet "
        .. "-verify_return_error "

    local function s_client(port, more, input)
        return openssl(S_CLIENT:format(port, ca:path("ca.pem")) .. more, input)
    end

    it("serves openssl s_client, which sends before it is answered", function()
        local got, ended, peer, version = "", false, nil, nil
        local port = listen(function(stream)
            stream:handshake(function(err)
                assert.is_nil(err)
                peer, version = stream.tls:peer(), stream.tls:version()
                stream:read_start(function(failure, bytes)
                    assert.is_nil(failure)
                    got, ended = got .. (bytes or ""), not bytes
                    if got == "ping\n" and bytes then
                        assert.equal(5, stream:try_write("pong\n"))
                        stream:shutdown(function() stream:close() end)
                    end
                end)
            end)
        end)
        local output = s_client(port, ("-cert %s -key %s"):format(ca:path("client.pem"),
            ca:path("client.key")), "ping\n")
        run_until(function() return output() end)
        assert.equal("ping\n", got)
        assert.matches("pong\n", output(), 1, true)
        assert.equal("CN=client,O=Example", peer.subject)
        assert.equal("TLSv1.3", version)
        assert.is_false(ended)
    end)

    it("speaks TLS 1.2 with who has nothing newer, unless told not to", function()
        local versions = {}
        local function serve(stream)
            stream:handshake(function(err)
                versions[#versions + 1] = err or stream.tls:version()
                stream:close()
            end)
        end
        local output = s_client(listen(serve), "-tls1_2", "")
        run_until(output)
        local strict = assert(tls.server({ certificate = ca:path("server.pem"),
            key = ca:path("server.key"), min_version = "1.3" }))
        output = s_client(listen(serve, strict), "-tls1_2", "")
        run_until(output)
        assert.matches("protocol version", output(), 1, true)
        output = s_client(listen(serve), "-tls1_1 -cipher DEFAULT@SECLEVEL=0", "")
        run_until(output)
        assert.equal("TLSv1.2", versions[1])
        assert.equal("TLS: unsupported protocol", versions[2])
        assert.equal("TLS: unsupported protocol", versions[3])
    end)

    it("takes http/1.1 or nothing by ALPN, and no renegotiation", function()
        local function serve(stream)
            stream:handshake(function(err)
                if err then
                    return stream:close()
                end
                stream:read_start(function(failure, bytes)
                    if failure or not bytes then
                        stream:close()
                    end
                end)
            end)
        end
        local port = listen(serve)
        local output = openssl(("s_client -connect 127.0.0.1:%d -alpn h2,http/1.1 </dev/null")
            :format(port))
        run_until(output)
        assert.matches("ALPN protocol: http/1.1", output(), 1, true)
        output = openssl(("s_client -connect 127.0.0.1:%d -alpn h2 </dev/null"):format(port))
        run_until(output)
        assert.matches("no application protocol", output(), 1, true)
        output = openssl(("s_client -connect 127.0.0.1:%d -tls1_2 </dev/null"):format(port))
        run_until(output)
        assert.not_matches("TLS session ticket:", output(), 1, true)
        assert.matches("\n    Session%-ID: \n", output())
        output = openssl(("s_client -connect 127.0.0.1:%d -tls1_2"):format(port), "R\n")
        run_until(output)
        assert.matches("no renegotiation", output(), 1, true)
    end)

    it("reaches openssl s_server, and verifies it", function()
        local probe = uv.new_tcp()
        assert(probe:bind("127.0.0.1", 0))
        local port = probe:getsockname().port
        probe:close()
        local _, server = openssl(("s_server -accept 127.0.0.1:%d -cert %s -key %s -rev -quiet")
            :format(port, ca:path("server.pem"), ca:path("server.key")))
        local got, wrong
        local function try()
            local raw = add(uv.new_tcp())
            raw:connect("127.0.0.1", port, function(refused)
                if refused then
                    raw:close()
                    return later(try)
                end
                local stream = tls_stream.new(raw, client_context:connect("localhost"), later)
                stream:handshake(function(err)
                    assert.is_nil(err)
                    stream:write("abc\n")
                    stream:read_start(function(_, bytes)
                        got = bytes
                        stream:close()
                    end)
                end)
            end)
        end
        try()
        run_until(function() return got end)
        assert.equal("cba\n", got)
        local raw = add(uv.new_tcp())
        raw:connect("127.0.0.1", port, function()
            local stream = tls_stream.new(raw, client_context:connect("example.org"), later)
            stream:handshake(function(err)
                wrong = err
                stream:close()
            end)
        end)
        run_until(function() return wrong end)
        server:kill("sigkill")
        assert.equal("the peer's certificate: hostname mismatch", wrong)
    end)

    it("carries much both ways, with a reader that pauses", function()
        local text = ("0123456789abcdef"):rep(131072)
        local got, echoed, done, server_done = {}, {}, false, false
        local port = listen(function(stream)
            stream:handshake(function(err)
                assert.is_nil(err)
                local waits = 0
                stream:read_start(function(failure, bytes)
                    assert.is_nil(failure)
                    if not bytes then
                        server_done = true
                        return stream:shutdown()
                    end
                    got[#got + 1] = bytes
                    waits = waits + 1
                    stream:write(bytes, function(why)
                        assert.is_nil(why)
                        waits = waits - 1
                    end)
                    if #got % 7 == 0 then
                        stream:read_stop()
                        later(function() stream:read_start(stream.on_bytes) end)
                    end
                end)
            end)
        end)
        connect(port, function(stream)
            stream:handshake(function(err)
                assert.is_nil(err)
                stream:write(text, function(why)
                    assert.is_nil(why)
                    stream:shutdown()
                end)
                stream:read_start(function(failure, bytes)
                    assert.is_nil(failure)
                    echoed[#echoed + 1] = bytes
                    done = not bytes
                end)
            end)
        end)
        run_until(function() return done and server_done end)
        assert.is_true(table.concat(got) == text)
        assert.is_true(table.concat(echoed) == text)
    end)

    it("tells a writer to wait, and loses and repeats nothing", function()
        local text, got, written, waited = ("x"):rep(40000), 0, 0, 0
        local finished, ended = false, false
        local port = listen(function(stream)
            stream:handshake(function()
                local function go_on()
                    while written < 200 do
                        local sent, _, name = stream:try_write(text)
                        written = written + 1
                        if not sent then
                            assert.equal("EAGAIN", name)
                            waited = waited + 1
                            return stream:write(text, function(err)
                                assert.is_nil(err)
                                go_on()
                            end)
                        end
                    end
                    finished = true
                    stream:shutdown()
                end
                go_on()
            end)
        end)
        connect(port, function(stream)
            stream:handshake(function()
                local timer = add(uv.new_timer()) -- a slow reader
                timer:start(20, 0, function()
                    stream:read_start(function(err, bytes)
                        assert.is_nil(err)
                        got = got + (bytes and #bytes or 0)
                        ended = not bytes
                    end)
                end)
            end)
        end)
        run_until(function() return ended end)
        assert.is_true(finished)
        assert.is_true(waited > 0)
        assert.equal(200 * #text, got)
    end)

    it("tells an end from a cut", function()
        for _, orderly in ipairs({ true, false }) do
            local result
            local port = listen(function(stream)
                stream:handshake(function()
                    stream:read_start(function(err, bytes)
                        result = result or { err, bytes }
                    end)
                end)
            end)
            connect(port, function(stream, raw)
                stream:handshake(function()
                    if orderly then
                        stream:close()
                    else
                        raw:shutdown()
                    end
                end)
            end)
            run_until(function() return result end)
            assert.same({ not orderly and "ECONNABORTED: the connection ended without a word of TLS"
                or nil }, result)
        end
    end)

    it("fails the handshake of who does not speak TLS, or says nothing more", function()
        local failures = {}
        local port = listen(function(stream)
            stream:handshake(function(err)
                failures[#failures + 1] = err
                stream:close()
            end)
        end)
        local raw = add(uv.new_tcp())
        raw:connect("127.0.0.1", port, function() raw:write("GET / HTTP/1.1\r\n\r\n") end)
        run_until(function() return failures[1] end)
        local silent = add(uv.new_tcp())
        silent:connect("127.0.0.1", port, function() silent:close() end)
        run_until(function() return failures[2] end)
        assert.equal("TLS: http request", failures[1])
        assert.matches("ended without a word of TLS", failures[2])
    end)

    it("is closed as its host closes streams, where that is said", function()
        local closed, done
        local raw = add(uv.new_tcp())
        local stream = tls_stream.new(raw, server_context:accept(), later,
            function(handle, callback)
                closed = handle
                handle:close(callback)
            end)
        stream:close(function() done = true end)
        assert.equal(raw, closed)
        run_until(function() return done end)
        assert.is_true(stream:is_closing())
    end)
end)
