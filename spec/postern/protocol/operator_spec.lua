local operator = require("postern.protocol.operator")


describe("what a server tells of itself", function()
    local state, server

    before_each(function()
        state = "ready"
        server = {
            state = function() return state end,
            revision = function() return "r1" end,
            is_operator = function(message) return message.peer == "127.0.0.1" end,
            wants_token = function(message) return message.peer == "192.0.2.2" end,
            status = function() return '{"a":1}\n' end,
            metrics = function(accept) return "metrics " .. tostring(accept), "text/x" end,
        }
    end)

    local function ask(kind, given)
        local message = { method = "GET", path = "/e", endpoint = "/e", peer = "192.0.2.1",
            header = function(self) return self.accept, self.accept and 1 or 0 end }
        for name, value in pairs(given or {}) do
            message[name] = value
        end
        return operator.new(kind, {}, server):handle(message)
    end

    it("is that it lives", function()
        state = "draining"
        assert.equal("ok\n", select(3, ask("health")))
        assert.equal(200, (ask("health", { method = "HEAD" })))
    end)

    it("is whether it is ready; the revision is for operators", function()
        assert.equal(200, (ask("ready")))
        assert.equal("ready\n", select(3, ask("ready")))
        assert.equal("ready r1\n", select(3, ask("ready", { peer = "127.0.0.1" })))
        for _, not_ready in ipairs({ "starting", "draining" }) do
            state = not_ready
            local status, _, body = ask("ready", { peer = "127.0.0.1" })
            assert.equal(503, status)
            assert.equal(not_ready .. "\n", body)
        end
    end)

    it("is how it is, to operators alone", function()
        for _, kind in ipairs({ "status", "metrics" }) do
            local status, _, body = ask(kind)
            assert.equal(403, status)
            assert.equal('{"message":"Forbidden"}\n', body)
            assert.equal(403, (ask(kind, { peer = "unix:" })))
            local challenge
            status, challenge = ask(kind, { peer = "192.0.2.2" })
            assert.equal(401, status)
            assert.same({ "WWW-Authenticate", "Bearer" }, challenge[1])
            assert.equal(200, (ask(kind, { peer = "127.0.0.1" })))
        end
        assert.equal('{"a":1}\n', select(3, ask("status", { peer = "127.0.0.1" })))
        local _, headers, body = ask("metrics", { peer = "127.0.0.1", accept = "text/plain" })
        assert.equal("metrics text/plain", body)
        assert.same({ "Content-Type", "text/x" }, headers[1])
    end)

    it("is asked for with GET, at its own path", function()
        for _, kind in ipairs({ "health", "ready", "status", "metrics" }) do
            local status, headers = ask(kind, { method = "POST", peer = "127.0.0.1" })
            assert.equal(405, status)
            assert.same({ "Allow", "GET, HEAD" }, headers[1])
            assert.equal(404, (ask(kind, { path = "/e/more", peer = "127.0.0.1" })))
        end
        assert.error_matches(function() operator.new("health", { a = 1 }, server) end,
            "unknown option `a`: there are none")
    end)
end)
