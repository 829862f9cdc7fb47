local front = require("spec.support.front")

local HOOK = [[
return { kind = "hooks", name = "acme", api = 1, check = function() return true end,
    after = function(context, decision)
        local path = context.http and context.http.path or ""
        if not decision.allowed then
            return { headers = { ["X-Why"] = "ask for access" } }
        elseif path:find("/space") then
            return { obligations = { ["a b"] = "x" } }
        elseif path:find("/line") then
            return { obligations = { log = "x\r\nSet-Cookie: a=b" } }
        end
        return { obligations = { log = "all" } }
    end }
]]


describe("a reply of nginx's", function()
    local running

    after_each(function()
        running:stop()
    end)

    it("does not let pass what can be no header", function()
        running = front.start({ estate = front.ESTATE .. 'rules "acme.lua"',
                                files = { ["acme.lua"] = HOOK } })
        assert.equal("all", running:ask("/pets").headers["x-obligation-log"])
        for _, target in ipairs({ "/pets/space", "/pets/line" }) do
            local answer = running:ask(target)
            assert.equal(503, answer.status)
            assert.is_nil(answer.headers["set-cookie"])
            assert.is_nil(answer.headers["x-obligation-log"])
            require("luv").sleep(20) -- or the second line would be left out
        end
        assert.matches("the obligation `log` can be no header", running:log(), 1, true)
        assert.matches("the obligation `a b` can be no header", running:log(), 1, true)
    end)

    it("tells the headers of a deny with it", function()
        running = front.start({ estate = front.ESTATE .. 'rules "acme.lua"',
                                files = { ["acme.lua"] = HOOK } })
        assert.equal("ask for access", running:ask("/admin").headers["x-why"])
    end)

    it("goes on with the connection behind a refusal", function()
        running = front.start()
        local GET = "GET /admin HTTP/1.1\r\nHost: localhost\r\n"
        local raw = running:send(GET .. "\r\n" .. GET .. "Connection: close\r\n\r\n").raw
        local _, refused = raw:gsub("HTTP/1.1 403", "")
        assert.equal(2, refused)
    end)

    it("fills in only the variables that somebody logs", function()
        running = front.new({ server = front.location(
            "add_header X-Decision $postern_decision;") })
        front.write(running, "nginx.conf", (running:log("nginx.conf")
            :gsub("log_format postern .-;\n", "log_format postern '$uri <$postern_sid>';\n")))
        assert.is_true(running:run())
        assert.equal("Allowed", running:ask("/pets").headers["x-decision"])
        running:ask("/admin")
        assert.is_true(running:wait_for_log("/pets <Readers>", "access.log"))
        assert.is_true(running:wait_for_log("/admin <NoAdmin>", "access.log"))
    end)
end)
