local http = require("postern.http")
local messages = require("postern.message")


describe("a message", function()
    local asked_peer, ids

    before_each(function()
        asked_peer, ids = 0, 0
    end)

    local function read(bytes, message)
        message = message or messages.new({
            reader = http.reader("request"), routes = "routes",
            peer_of = function()
                asked_peer = asked_peer + 1
                return "192.0.2.1"
            end,
            new_id = function()
                ids = ids + 1
                return "id-" .. ids
            end,
        })
        message.reader:reset()
        assert.is_true((message.reader:feed(bytes)))
        return message, message:take()
    end

    it("is a request in pieces", function()
        local message, keep_alive = read("POST /a/%62?c?d HTTP/1.1\r\nHost: h\r\nX: 1\r\nX: 2\r\n"
            .. "Content-Length: 2\r\n\r\nhi")
        assert.is_true(keep_alive)
        assert.equal("POST", message.method)
        assert.equal("/a/%62?c?d", message.target)
        assert.equal("/a/%62", message.path)
        assert.equal("c?d", message.query)
        assert.equal(1, message.minor)
        assert.equal("hi", message.body)
        assert.same({ host = { "h" }, x = { "1", "2" }, ["content-length"] = { "2" } },
            message.headers)
        assert.same({ "1", 2 }, { message:header("x") })
        assert.same({ nil, 0 }, { message:header("y") })
        assert.equal("routes", message.routes)
        assert.is_nil(message.tls)
        assert.is_nil(message.nothing)
    end)

    it("asks once, and only when it is asked", function()
        local message = read("GET / HTTP/1.0\r\n\r\n")
        assert.equal(0, asked_peer)
        assert.equal("192.0.2.1", message.peer)
        assert.equal("192.0.2.1", message.peer)
        assert.equal(1, asked_peer)
        assert.equal("id-1", message.id)
        assert.equal("id-1", message.id)
        assert.equal(0, message.minor)
    end)

    it("tells which process is at the other end, where that is known", function()
        local message = read("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert.is_nil(message.credentials)
        message = messages.new({ reader = http.reader("request"),
            credentials_of = function() return { uid = 7 } end })
        assert.same({ uid = 7 }, message.credentials)
        assert.equal(message.credentials, message.credentials)
    end)

    it("has nothing of the request before", function()
        local message = read("POST /1?q HTTP/1.1\r\nHost: h\r\nX: 1\r\nX-Request-Id: a\r\n"
            .. "Content-Length: 2\r\n\r\nhi")
        for _, name in ipairs({ "query", "headers", "body", "id" }) do
            assert.is_truthy(message[name])
        end
        message.endpoint = "/1"
        local _, keep_alive = read("GET /2 HTTP/1.1\r\nHost: i\r\nConnection: close\r\n\r\n",
            message)
        assert.is_false(keep_alive)
        assert.equal("GET", message.method)
        assert.equal("/2", message.path)
        assert.is_nil(message.query)
        assert.is_nil(message.endpoint)
        assert.equal("", message.body)
        assert.same({ host = { "i" }, connection = { "close" } }, message.headers)
        assert.equal("id-1", message.id)
        read("GET /3? HTTP/1.1\r\nHost: i\r\n\r\n", message)
        assert.equal("", message.query)
        assert.equal("/3", message.path)
    end)

    it("takes an id over that can stand in a log, once", function()
        local function id(headers)
            return read("GET / HTTP/1.1\r\nHost: h\r\n" .. headers .. "\r\n").id
        end
        assert.equal("a-B_1.~:/+=@", id("X-Request-Id: a-B_1.~:/+=@\r\n"))
        assert.equal(("x"):rep(128), id("X-Request-Id: " .. ("x"):rep(128) .. "\r\n"))
        for i, bad in ipairs({ "X-Request-Id: " .. ("x"):rep(129) .. "\r\n", "X-Request-Id: \r\n",
                               "X-Request-Id: a b\r\n", 'X-Request-Id: a"\r\n',
                               "X-Request-Id: a\228\r\n",
                               "X-Request-Id: a\r\nX-Request-Id: a\r\n" }) do
            assert.equal("id-" .. i, id(bad))
        end
    end)

    it("knows one path, whoever the target names", function()
        local message, keep_alive = read("GET http://h:1/p?q HTTP/1.1\r\nHost: H:1\r\n\r\n")
        assert.is_true(keep_alive)
        assert.equal("/p?q", message.target)
        assert.equal("/p", message.path)
        assert.equal("/?q", read("GET http://h?q HTTP/1.1\r\nHost: h\r\n\r\n").target)
        assert.equal("*", read("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").path)
    end)

    it("says what it has without strings, or nothing that is not as it has to be", function()
        local message = read("POST /a? HTTP/1.1\r\nHost: h\r\nX: 1\r\nX: 2\r\n"
            .. "Content-Length: 2\r\n\r\nhi")
        local bytes, length = message:span()
        assert.equal("hi", require("ffi").string(bytes, length))
        assert.is_true(message:has_query())
        assert.equal("h", message:single("host", 1))
        assert.is_nil(message:single("x", 10))
        assert.is_nil(message:single("y", 10))
        message = read("GET / HTTP/1.1\r\nHost: long\r\n\r\n", message)
        bytes, length = message:span()
        assert.is_true(bytes == nil)
        assert.equal(0, length)
        assert.is_false(message:has_query())
        assert.is_nil(message:single("host", 3))
    end)
end)
