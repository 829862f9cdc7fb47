-- Real sockets, raw bytes. What the reader of HTTP refuses by itself is in http/tests/test_http.c;
-- here it is that nobody is asked then, and that the connection ends.
local serving = require("spec.support.serving")
local loop = require("spec.support.loop")


local PLAIN = { constant = true, { "Content-Type", "text/plain" } }

local function get(path, more)
    return ("GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n"):format(path, more or "")
end

local function post(path, body, more)
    return ("POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%s\r\n%s"):format(path, #body,
        more or "", body)
end


local function specs_of(watched, at_once)
    local server, asked, before

    -- What a path does when it is asked for; others are echoed.
    local ROUTES = {
        ["/wait"] = function(message)
            server.host:sleep(0.05)
            return 200, PLAIN, "waited " .. message.target
        end,
        ["/for-ever"] = function()
            server.waiting = true
            server.host:ensure(function() server.cancelled = true end, server.host.sleep,
                server.host, 100)
        end,
        ["/raise"] = function() error("secret") end,
        ["/split"] = function() return 200, { { "X", "a\r\nSet-Cookie: b" } }, "" end,
        ["/length"] = function() return 200, { { "Content-Length", "3" } }, "" end,
        ["/no-content"] = function() return 204, PLAIN, "" end,
        ["/large"] = function() return 200, PLAIN, ("x"):rep(4 * 1024 * 1024) end,
    }

    local function handle(message)
        asked[#asked + 1] = message.method .. " " .. message.target
        local route = ROUTES[message.path]
        if route then
            return route(message)
        end
        return 200, PLAIN, message.method .. " " .. message.target .. " " .. message.body
    end

    local function handle_at_once(message)
        if not (message.path == "/wait" or message.path == "/for-ever"
            or message.path == "/raise") then
            return handle(message)
        end
        return nil
    end

    local function start(limits)
        server = serving.start(handle, limits, nil,
            { watched = watched, at_once = at_once and handle_at_once })
        return server
    end

    before_each(function()
        before, asked = loop.open_handles(), {}
    end)

    after_each(function()
        server:close()
        assert.equal(0, server.front.open)
        assert.equal(before, loop.open_handles())
    end)


    describe("answers", function()
        it("one request after another", function()
            start():client(function(client)
                for i = 1, 3 do
                    client:send(post("/" .. i, "body" .. i))
                    local got = client:response()
                    assert.equal(200, got.status)
                    assert.equal("POST /" .. i .. " body" .. i, got.body)
                    assert.same({ "text/plain" }, got.headers["content-type"])
                    assert.matches("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$",
                        got.headers.date[1])
                    assert.is_nil(got.headers.connection)
                end
            end)
            assert.equal(1, server.front.accepted)
            assert.equal(3, server.front.requests)
        end)

        it("requests of one piece in one piece, in their order", function()
            local requests, expected = {}, {}
            for i = 1, 20 do
                requests[i] = i % 2 == 0 and get("/" .. i) or post("/" .. i, "b")
                expected[i] = i % 2 == 0 and "GET /" .. i .. " " or "POST /" .. i .. " b"
            end
            start():client(function(client)
                client:send(table.concat(requests))
                local piece = client.socket:receive()
                client.rest = piece
                for i = 1, 20 do
                    assert.equal(expected[i], client:response().body)
                end
                assert.equal("", client.rest)
                local _, count = piece:gsub("HTTP/1.1 200", "")
                assert.equal(20, count)
            end)
        end)

        it("so many of one piece, then others, then the rest", function()
            start({ pipelined = 3 }):client(function(client)
                local other = server:connect()
                server.host:sleep(0.02)
                client:send(get("/1"):rep(3) .. get("/2"):rep(3) .. get("/3"))
                other:send(get("/other"))
                for _, expected in ipairs({ "/1", "/1", "/1", "/2", "/2", "/2", "/3" }) do
                    assert.equal("GET " .. expected .. " ", client:response().body)
                end
                assert.equal("GET /other ", other:response().body)
                assert.same({ "GET /1", "GET /1", "GET /1", "GET /other", "GET /2", "GET /2",
                    "GET /2", "GET /3" }, asked)
                client:send(get("/4"):rep(100))
                client:finish()
                for _ = 1, 100 do
                    assert.equal("GET /4 ", client:response().body)
                end
                assert.is_true(client:ended())
            end)
        end)

        it("more than fits, in their order, to a client that reads late", function()
            local requests = {}
            for i = 1, 5000 do
                requests[i] = get("/" .. i .. "-" .. ("y"):rep(200))
            end
            start():client(function(client)
                server.host:spawn(function() client:send(table.concat(requests)) end)
                server.host:sleep(0.1)
                for i = 1, 5000 do
                    local got = assert(client:response())
                    assert.equal(tostring(i), got.body:match("^GET /(%d+)%-"))
                end
            end)
        end)

        it("in order while one waits, and others meanwhile", function()
            start():client(function(client)
                client:send(get("/1") .. get("/wait?2") .. get("/3") .. get("/wait?4"))
                assert.equal("GET /1 ", client:response().body) -- at once
                local other = server:connect()
                other:send(get("/other"))
                assert.equal("GET /other ", other:response().body)
                assert.same({ "GET /1", "GET /wait?2", "GET /other" }, asked)
                client:send(get("/5"))
                assert.equal("waited /wait?2", client:response().body)
                assert.equal("GET /3 ", client:response().body)
                assert.equal("waited /wait?4", client:response().body)
                assert.equal("GET /5 ", client:response().body)
            end)
        end)

        it("what waits behind one that waits, however much it is", function()
            local requests = { get("/wait") }
            for i = 2, 3000 do
                requests[i] = get("/" .. i .. "-" .. ("y"):rep(100))
            end
            start():client(function(client)
                server.host:spawn(function() client:send(table.concat(requests)) end)
                for i = 1, 3000 do
                    local got = assert(client:response())
                    assert.equal(i == 1 and "waited /wait" or "GET /" .. i,
                        (got.body:match("^[^-]+")))
                end
            end)
        end)

        it("bytes that come one by one", function()
            start():client(function(client)
                local bytes = post("/slow", "body") .. get("/2", "Connection: close\r\n")
                for i = 1, #bytes do
                    client:send(bytes:sub(i, i))
                end
                assert.equal("POST /slow body", client:response().body)
                assert.equal("GET /2 ", client:response().body)
                assert.is_true(client:ended())
            end)
        end)

        it("HEAD without the body, with its length", function()
            start():client(function(client)
                client:send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n" .. get("/y"))
                local got = client:response(true)
                assert.same({ "8" }, got.headers["content-length"])
                assert.equal("GET /y ", client:response().body)
            end)
        end)

        it("204 without a length", function()
            start():client(function(client)
                client:send(get("/no-content") .. get("/y"))
                local got = client:response()
                assert.equal(204, got.status)
                assert.is_nil(got.headers["content-length"])
                assert.equal("GET /y ", client:response().body)
            end)
        end)

        it("a body in chunks", function()
            local text = start():talk("POST /c HTTP/1.1\r\nHost: a\r\n"
                .. "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                .. "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
            assert.matches("\r\n\r\nPOST /c abc$", text)
        end)

        it("the target that proxies are asked with, when it says what Host says", function()
            local text = start():talk("GET http://A.example:1/p?q HTTP/1.1\r\n"
                .. "Host: a.example:1\r\nConnection: close\r\n\r\n")
            assert.matches("\r\n\r\nGET /p%?q $", text)
            text = server:talk("GET http://a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert.matches("\r\n\r\nGET / $", text)
        end)
    end)


    describe("goes on or ends", function()
        it("as HTTP/1.1 says", function()
            start():client(function(client)
                client:send(get("/", "Connection: close\r\n") .. get("/never"))
                local got = client:response()
                assert.same({ "close" }, got.headers.connection)
                assert.is_true(client:ended())
            end)
            assert.same({ "GET /" }, asked)
        end)

        it("as HTTP/1.0 says", function()
            start():client(function(client)
                client:send("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                assert.same({ "keep-alive" }, client:response().headers.connection)
                client:send("GET /2 HTTP/1.0\r\n\r\n")
                assert.same({ "close" }, client:response().headers.connection)
                assert.is_true(client:ended())
            end)
        end)

        it("after so many requests", function()
            start({ requests = 3 }):client(function(client)
                client:send(get("/1") .. get("/2") .. get("/3") .. get("/4"))
                assert.is_nil(client:response().headers.connection)
                assert.is_nil(client:response().headers.connection)
                assert.same({ "close" }, client:response().headers.connection)
                assert.is_true(client:ended())
            end)
            assert.same({ "GET /1", "GET /2", "GET /3" }, asked)
        end)

        it("after the answers to a client that has said all", function()
            start():client(function(client)
                client:send(get("/wait") .. get("/2"))
                client:finish()
                assert.equal("waited /wait", client:response().body)
                assert.equal("GET /2 ", client:response().body)
                assert.is_true(client:ended())
                for _, part in ipairs({ "", "GET / HT", post("/", "123"):sub(1, -2) }) do
                    local other = server:connect()
                    other:send(part)
                    other:finish()
                    assert.is_true(other:ended())
                end
            end)
            assert.same({ "GET /wait", "GET /2" }, asked)
        end)

        it("when the client is gone, and so does what it waited for", function()
            start():client(function(client)
                client:send(get("/for-ever"))
                server.host:sleep(0.02)
                assert.is_true(server.waiting)
                client:reset()
                server.host:sleep(0.02)
                assert.is_true(server.cancelled)
                assert.equal(0, server.front.open)
            end)
        end)

        it("when the client is gone before it was answered", function()
            start():client(function(client)
                for _ = 1, 20 do
                    local other = server:connect()
                    other:send(get("/wait") .. get("/large"))
                    other:reset()
                end
                server.host:sleep(0.1)
                client:send(get("/alive"))
                assert.equal("GET /alive ", client:response().body)
            end)
        end)
    end)


    describe("is told that its body is wanted", function()
        it("when it asks", function()
            start():client(function(client)
                client:send("POST /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                    .. "Content-Length: 2\r\n\r\n")
                assert.equal("HTTP/1.1 100 Continue\r\n\r\n", client.socket:receive())
                client:send("h")
                client:send("i")
                assert.equal("POST /e hi", client:response().body)
            end)
        end)

        it("never when it is not, or has sent it already", function()
            start({ body_bytes = 3 })
            assert.matches("^HTTP/1.1 413 ", server:talk("POST / HTTP/1.1\r\nHost: a\r\n"
                .. "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n"))
            assert.matches("^HTTP/1.1 417 ", server:talk("POST / HTTP/1.1\r\nHost: a\r\n"
                .. "Expect: the-worst\r\nContent-Length: 2\r\n\r\n"))
            assert.matches("^HTTP/1.1 200 ", server:talk(post("/", "abc",
                "Expect: 100-continue\r\nConnection: close\r\n")))
            assert.same({ "POST /" }, asked)
        end)
    end)


    describe("is refused", function()
        local function refused(bytes, status)
            asked = {}
            local text = assert(server:talk(bytes), "it was not closed: " .. bytes)
            assert.equal(status, tonumber(text:match("^HTTP/1.1 (%d+) ")), bytes)
            assert.matches("\r\nConnection: close\r\n", text, 1, true)
            assert.matches('\r\n\r\n{"message":"[%a ]+"}\n$', text)
            assert.same({}, asked, bytes)
        end

        it("where two could read it differently", function()
            start()
            local smuggled = get("/smuggled")
            for _, head in ipairs({
                "Host: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n",
                "Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n",
                "Host: a\r\nContent-Length: 0\r\nContent-Length: 4\r\n",
                "Host: a\r\nContent-Length: 4\r\nContent-Length: 4\r\n",
                "Host: a\r\nContent-Length: 0, 4\r\n",
                "Host: a\r\nContent-Length: +4\r\n",
                "Host: a\r\nContent-Length: 0x4\r\n",
                "Host: a\r\nContent-Length: -1\r\n",
                "Host: a\r\nContent-Length: 99999999999999999999999\r\n",
                "Host: a\r\nContent-Length: \r\n",
                "Host: a\r\nContent-Length : 4\r\n",
                "Host: a\r\nTransfer-Encoding : chunked\r\n",
                "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
                "Host: a\r\nX: b\r\n folded: c\r\n",
                "Host: a\r\nX: b\r\n\tfolded\r\n",
                "Host: a\r\nHost: b\r\n",
                "Host: a, b\r\n",
                "Host: a/b\r\n",
                "Host: u@a\r\n",
                "Host : a\r\n",
                "X: no host\r\n",
                "Host: a\r\n: no name\r\n",
                "Host: a\r\nno colon\r\n",
                "Host: a\r\nX: \0\r\n",
                "Host: a\r\nX: b\rY: c\r\n",
                "Host: a\nX: b\r\n",
                "Host: a\r\nX\0Y: b\r\n",
            }) do
                refused("POST /x HTTP/1.1\r\n" .. head .. "\r\n" .. smuggled, 400)
            end
            for _, coding in ipairs({ "xchunked", "chunked, identity", "gzip, chunked", "identity",
                                      "\"chunked\"", "chunked;q=1", "chunked chunked" }) do
                asked = {}
                local text = server:talk("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                    .. coding .. "\r\n\r\n" .. smuggled)
                assert.matches("^HTTP/1.1 [45]0[01] ", text)
                assert.same({}, asked)
            end
        end)

        it("where a body in chunks is none", function()
            start()
            for _, chunks in ipairs({ "x\r\n", "-1\r\n", "0x1\r\na\r\n0\r\n\r\n",
                                      "1\r\nab\r\n0\r\n\r\n", "1\na\n0\n\n",
                                      "ffffffffffffffffff\r\n", "1 ;\na\r\n" }) do
                refused("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    .. chunks, 400)
            end
        end)

        it("where its first line is none", function()
            start()
            for line, status in pairs({
                ["GET /x"] = 400, ["GET  /x HTTP/1.1"] = 400, ["GET /x  HTTP/1.1"] = 400,
                ["GET /x y HTTP/1.1"] = 400, [" GET /x HTTP/1.1"] = 400, ["GET x HTTP/1.1"] = 400,
                ["GET /x HTTP/1.2"] = 505, ["GET /x HTTP/2.0"] = 505, ["GET /x HTTP/1.1 "] = 400,
                ["GET /x http/1.1"] = 400, [""] = 400, ["get /x HTTP/1.1"] = 501,
                ["G\0T /x HTTP/1.1"] = 400, ["FROB /x HTTP/1.1"] = 501,
                ["CONNECT a:1 HTTP/1.1"] = 501,
                ["GET /a#b HTTP/1.1"] = 400, ["GET /a?b#c HTTP/1.1"] = 400,
                ["GET http://b/x HTTP/1.1"] = 400, ["GET http://a@b/x HTTP/1.1"] = 400,
                ["GET http:///x HTTP/1.1"] = 400, ["GET ftp://a/x HTTP/1.1"] = 400,
            }) do
                refused(line .. "\r\nHost: a\r\n\r\n", status)
            end
            refused("GET /x HTTP/1.1\nHost: a\n\n", 400)
            refused("\22\3\1\2\0\1\0\1\252\3\3", 400) -- the beginning of TLS
            refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400)
        end)

        it("when it is too large", function()
            start({ head_bytes = 1000, headers = 10, body_bytes = 100 })
            refused(get("/" .. ("x"):rep(2000)), 431)
            refused(get("/", "X: " .. ("x"):rep(2000) .. "\r\n"), 431)
            refused(get("/", ("X: y\r\n"):rep(10)), 431)
            refused(post("/", ("x"):rep(101)), 413)
            refused("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                .. ("10\r\n0123456789abcdef\r\n"):rep(7), 413)
            assert.matches("^HTTP/1.1 200 ", server:talk(post("/", ("x"):rep(100),
                "Connection: close\r\n")))
            assert.matches("^HTTP/1.1 200 ", server:talk(get("/", ("X: y\r\n"):rep(8)
                .. "Connection: close\r\n")))
            assert.equal(5, server.front.counts.refused[431] + server.front.counts.refused[413])
        end)

        it("and sees why, though it goes on sending", function()
            start({ body_bytes = 100 }):client(function(client)
                client:send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n")
                client:send(("x"):rep(500000))
                local got = client:response()
                assert.equal(413, got.status)
                assert.is_true(client:ended())
            end)
        end)

        it("after what was good before it was answered", function()
            local text = start():talk(get("/good") .. "BAD\r\n\r\n" .. get("/after"))
            assert.matches("GET /good HTTP/1.1 400 ", text)
            assert.same({ "GET /good" }, asked)
        end)
    end)


    describe("has its time", function()
        local function timed_out(what)
            return server.front.counts.timed_out[what]
        end

        it("for saying something at all", function()
            start({ head_seconds = 0.05 }):client(function(client)
                assert.equal("", client:all())
            end)
            assert.equal(1, timed_out("head"))
        end)

        it("for its head, however it is dripped", function()
            start({ head_seconds = 0.05 }):client(function(client)
                server.host:spawn(function()
                    local bytes = get("/", ("X: y\r\n"):rep(100))
                    for i = 1, #bytes do
                        if not client:send(bytes:sub(i, i)) then
                            return
                        end
                        server.host:sleep(0.005)
                    end
                end)
                assert.equal(408, client:response().status)
                assert.is_true(client:ended())
            end)
            assert.equal(1, timed_out("head"))
            assert.same({}, asked)
        end)

        it("for its body", function()
            start({ body_seconds = 0.05 }):client(function(client)
                client:send(post("/", "12345"):sub(1, -2))
                assert.equal(408, client:response().status)
                assert.is_true(client:ended())
            end)
            assert.equal(1, timed_out("body"))
            assert.same({}, asked)
        end)

        it("between requests", function()
            start({ idle_seconds = 0.05 }):client(function(client)
                client:send(get("/1"))
                assert.equal("GET /1 ", client:response().body)
                assert.equal("", client:all())
            end)
            assert.equal(1, timed_out("idle"))
        end)

        it("for being answered; then its handler ends", function()
            start({ answer_seconds = 0.05 }):client(function(client)
                client:send(get("/1") .. get("/for-ever") .. get("/3"))
                assert.equal("GET /1 ", client:response().body)
                local got = client:response()
                assert.equal(500, got.status)
                assert.same({ "close" }, got.headers.connection)
                assert.is_true(client:ended())
            end)
            assert.is_true(server.cancelled)
            assert.equal(1, timed_out("waiting"))
            assert.same({ "GET /1", "GET /for-ever" }, asked)
            assert.matches("GET /for%-ever: no answer within 0.05 seconds", server.logged[1])
        end)

        it("anew for each request that waits", function()
            start({ answer_seconds = 0.25 }):client(function(client)
                client:send(get("/wait"):rep(6))
                for _ = 1, 6 do
                    assert.equal(200, client:response().status)
                end
            end)
        end)

        it("for taking our answer", function()
            start({ write_seconds = 0.1 }):client(function(client)
                client:send(get("/large"):rep(4))
                server.host:sleep(0.5)
                assert.equal(0, server.front.open)
            end)
            assert.equal(1, timed_out("writing"))
        end)
    end)


    describe("never tells what went wrong with us", function()
        it("when a handler raises", function()
            start():client(function(client)
                client:send(get("/raise") .. get("/2"))
                local got = client:response()
                assert.equal(500, got.status)
                assert.equal("fault\n", got.body)
                assert.equal("GET /2 ", client:response().body)
            end)
            assert.matches("GET /raise: a handler raised: .*secret", server.logged[1])
        end)

        it("when an answer would be two, or break the framing", function()
            start():client(function(client)
                for _, path in ipairs({ "/split", "/length" }) do
                    client:send(get(path))
                    local got = client:response()
                    assert.equal(500, got.status)
                    assert.equal("fault\n", got.body)
                    assert.is_nil(got.headers["set-cookie"])
                end
            end)
            assert.matches("an answer that cannot be sent: header `X`", server.logged[1])
        end)
    end)
end


-- What arrives by the host's stream, and what is read where the host only says when.
describe("a connection", function() specs_of(false, false) end)
describe("a connection that is watched", function() specs_of(true, false) end)
describe("a connection that answers at once", function() specs_of(true, true) end)


describe("answering at once", function()
    local LARGE = ("0123456789abcde\n"):rep(65536)
    local server, asked, before

    local function handle(message)
        asked[#asked + 1] = message.target
        if message.path == "/raise" then
            return 200, PLAIN, "the other way"
        elseif message.path == "/now-large" then
            return 200, PLAIN, LARGE -- behind another one
        elseif message.path == "/wait" then
            server.host:sleep(0.02)
        end
        return 200, PLAIN, "later " .. message.target
    end

    local function at_once(message)
        if message.path == "/raise" then
            error("secret")
        elseif message.path == "/split" then
            return 200, { { "X", "a\r\nSet-Cookie: b" } }, ""
        elseif message.path == "/now-large" then
            return 200, PLAIN, LARGE
        elseif message.path:find("^/now") then
            local bytes, length = message:span()
            return 200, PLAIN, ("now %s %d%s"):format(message.target, length,
                bytes ~= nil and " body" or "")
        end
        return nil
    end

    local function start(limits)
        server = serving.start(handle, limits, nil, { watched = true, at_once = at_once })
        return server
    end

    before_each(function()
        before, asked = loop.open_handles(), {}
    end)

    after_each(function()
        server:close()
        assert.equal(0, server.front.open)
        assert.equal(before, loop.open_handles())
    end)

    local function bodies(client, count)
        local list = {}
        for i = 1, count do
            list[i] = assert(client:response()).body
        end
        return list
    end

    it("asks nobody else, and counts", function()
        start():client(function(client)
            for i = 1, 3 do
                client:send(post("/now/" .. i, "x"))
                assert.same({ ("now /now/%d 1 body"):format(i) }, bodies(client, 1))
            end
        end)
        assert.same({}, asked)
        assert.same({ 3, 3, 1 }, { server.front.requests, server.front.answers[200],
                                   server.front.accepted })
    end)

    it("keeps the order with what is answered later", function()
        start():client(function(client)
            client:send(get("/now/1") .. get("/wait?2") .. get("/now/3") .. get("/4")
                .. post("/now/5", "body"))
            assert.same({ "now /now/1 0", "later /wait?2", "later /now/3", "later /4",
                          "later /now/5" }, bodies(client, 5))
            client:send(get("/now/6") .. get("/now/7"))
            assert.same({ "now /now/6 0", "now /now/7 0" }, bodies(client, 2))
        end)
        assert.equal(7, server.front.requests)
    end)

    it("takes requests in any pieces", function()
        local text = get("/now/1") .. post("/now/2", "body") .. get("/3")
        for cut = 1, #text - 1, 7 do
            asked = {}
            if server then
                server:close()
            end
            start():client(function(client)
                client:send(text:sub(1, cut))
                server.host:sleep(0.002)
                client:send(text:sub(cut + 1))
                local got = bodies(client, 3)
                assert.matches("/now/1 0$", got[1])
                assert.matches("/now/2", got[2])
                assert.equal("later /3", got[3])
            end)
        end
    end)

    it("goes the other way when it raises, and says nothing of it", function()
        start():client(function(client)
            client:send(get("/raise"))
            assert.same({ "the other way" }, bodies(client, 1))
            client:send(get("/now/1"))
            assert.same({ "now /now/1 0" }, bodies(client, 1))
        end)
        assert.same({ "/raise" }, asked)
        assert.same({}, server.logged)
    end)

    it("loses nothing of what came behind one that raises", function()
        start():client(function(client)
            client:send(get("/raise") .. get("/now/1") .. "GET /now/2 HTTP/1.1\r\n")
            assert.same({ "the other way", "later /now/1" }, bodies(client, 2))
            client:send("Host: a\r\n\r\n" .. get("/now/3") .. get("/raise") .. get("/now/4"))
            local got = bodies(client, 4)
            assert.matches("/now/2", got[1])
            assert.same({ "now /now/3 0", "the other way", "later /now/4" }, { unpack(got, 2) })
        end)
        assert.same({}, server.logged)
    end)

    it("is for so many of one piece, then others, then the rest", function()
        local order = {}
        local function noting(message)
            order[#order + 1] = message.target
            return 200, PLAIN, message.target
        end
        server = serving.start(noting, { pipelined = 3 }, nil,
            { watched = true, at_once = noting })
        server:client(function(client)
            local other = server:connect()
            server.host:sleep(0.02)
            client:send(get("/1"):rep(3) .. get("/2"):rep(3) .. get("/3"))
            other:send(get("/other"))
            assert.same({ "/1", "/1", "/1", "/2", "/2", "/2", "/3" }, bodies(client, 7))
            assert.same({ "/other" }, bodies(other, 1))
            assert.same({ "/1", "/1", "/1", "/other", "/2", "/2", "/2", "/3" }, order)
            -- One at a time is never too many.
            for i = 1, 10 do
                client:send(get("/" .. i))
                assert.same({ "/" .. i }, bodies(client, 1))
            end
            client:send(get("/a") .. get("/b"))
            other:send(get("/other"))
            assert.same({ "/a", "/b" }, bodies(client, 2))
            assert.same({ "/other" }, bodies(other, 1))
            assert.same({ "/a", "/b", "/other" }, { unpack(order, #order - 2) })
            -- What comes while it stands aside is behind the rest.
            client:send(get("/4"):rep(100))
            client:send(get("/5"))
            client:finish()
            local got = bodies(client, 101)
            assert.same({ "/4", "/4", "/5" }, { got[1], got[100], got[101] })
            assert.is_true(client:ended())
        end)
        assert.equal(122, server.front.requests)
    end)

    it("gives the request behind it the time of any other", function()
        start({ head_seconds = 1 }):client(function(client)
            server.host:sleep(0.6)
            client:send(get("/now/1") .. "GET /now/2 HTTP/1.1\r\n")
            assert.matches("now /now/1", client:response().body)
            server.host:sleep(0.6)
            client:send("Host: a\r\n\r\n")
            assert.matches("now /now/2", client:response().body)
        end)
    end)

    it("is not for streams where the system watches no more", function()
        start().front.watch_stream = function(stream)
            return { fd = stream:fileno(), stop = function() end,
                     start = function() return nil, "no space" end }
        end
        server:client(function(client)
            client:send(get("/now/1") .. get("/2"))
            assert.same({ "later /now/1", "later /2" }, bodies(client, 2))
        end)
        assert.same({}, server.logged)
    end)

    it("tells whoever answers later what was found out at once", function()
        local said = {}
        server = serving.start(function(message)
            said[#said + 1] = message.never_at_once or false
            return 200, PLAIN, ""
        end, nil, nil, { watched = true, at_once = function(message)
            message.never_at_once = message.path == "/never" or message.never_at_once
        end })
        server:client(function(client)
            for _, path in ipairs({ "/never", "/now", "/never" }) do
                client:send(get(path))
                client:response()
            end
        end)
        assert.same({ true, false, true }, said)
    end)

    it("tells no answer that would be two", function()
        start():client(function(client)
            client:send(get("/split"))
            local got = client:response()
            assert.same({ 500, "fault\n" }, { got.status, got.body })
            assert.is_nil(got.headers["set-cookie"])
        end)
    end)

    it("is not for what ends a connection, or is of its own kind", function()
        for _, request in ipairs({
            get("/now", "Connection: close\r\n"), "GET /now HTTP/1.0\r\n\r\n",
            "HEAD /now HTTP/1.1\r\nHost: a\r\n\r\n",
        }) do
            asked = {}
            if server then
                server:close()
            end
            start():client(function(client)
                client:send(request)
                local got = client:response(request:find("^HEAD") ~= nil)
                assert.equal(200, got.status)
            end)
            assert.same({ "/now" }, asked, request)
        end
    end)

    it("ends with the last request of a connection", function()
        start({ requests = 2 }):client(function(client)
            client:send(get("/now/1") .. get("/now/2") .. get("/now/3"))
            assert.matches("now /now/1", client:response().body)
            local last = client:response()
            assert.same({ "later /now/2", { "close" } }, { last.body, last.headers.connection })
            assert.is_true(client:ended())
        end)
    end)

    it("sends what the peer does not take at once later", function()
        local long = ("y"):rep(200)
        start():client(function(client)
            local requests = {}
            for i = 1, 5000 do
                requests[i] = get("/now/" .. i .. "-" .. long)
            end
            server.host:spawn(function() client:send(table.concat(requests)) end)
            server.host:sleep(0.1)
            for i = 1, 5000 do
                assert.equal(tostring(i), assert(client:response()).body:match("/now/(%d+)%-"))
            end
        end)
    end)

    it("sends the rest of what the peer takes in part", function()
        start():client(function(client)
            for i = 1, 12 do
                client:send(get(i % 3 == 0 and "/now/" .. i or "/now-large"))
                server.host:sleep(0.01)
            end
            for i = 1, 12 do
                local body = assert(client:response()).body
                if i % 3 == 0 then
                    assert.matches("/now/" .. i, body)
                else
                    assert.is_true(body == LARGE, "not the whole body")
                end
            end
        end)
        assert.same({}, server.logged)
    end)

    it("answers a peer that says nothing more, and one that is gone", function()
        start():client(function(client)
            client:send(get("/now/1") .. get("/wait"))
            client:finish()
            assert.matches("now /now/1", client:response().body)
            assert.matches("later /wait", client:response().body)
            assert.is_true(client:ended())
            local other = server:connect()
            other:send(get("/now/2"))
            assert.matches("now /now/2", other:response().body)
            other:reset()
            server.host:sleep(0.05)
            assert.equal(0, server.front.open)
        end)
    end)

    it("is idle in between, for as long as it may be", function()
        start({ idle_seconds = 0.15 }):client(function(client)
            for i = 1, 4 do
                client:send(get("/now/" .. i))
                assert.matches("now /now/" .. i, client:response().body)
                server.host:sleep(0.08)
            end
            assert.is_true(client:ended(1))
        end)
        assert.equal(1, server.front.counts.timed_out.idle)
    end)

    it("does not begin when the server stops", function()
        start():client(function(client)
            client:send(get("/wait"))
            server.host:sleep(0.005)
            server.front:drain(function() end)
            client:send(get("/now"))
            assert.equal("later /wait", client:response().body)
            assert.is_true(client:ended())
        end)
    end)
end)
