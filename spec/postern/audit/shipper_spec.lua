local cjson = require("cjson")
local audit = require("postern.audit")
local fakes = require("spec.support.fake_host")
local hosts = require("postern.host.uv")
local http_server = require("spec.support.http_server")
local nginx = require("spec.support.nginx")
local shippers = require("postern.audit.shipper")


describe("a shipper of events", function()
    local URL = "http://127.0.0.1:8282/logs"

    -- A host whose service answers with `host.answer`, a status, an error, or a function.
    local function fake()
        local inner = fakes.new()
        local host = { calls = {}, logged = {}, answer = 200, pass = inner.pass }
        function host.http(_, call)
            host.calls[#host.calls + 1] = { at = inner.time, call = call,
                                            events = cjson.decode(call.body) }
            local answer = host.answer
            if type(answer) == "function" then
                answer = answer(inner)
            end
            if type(answer) == "number" then
                return { status = answer, headers = {}, body = "" }
            end
            return nil, answer
        end
        function host.log(_, line)
            host.logged[#host.logged + 1] = line
        end
        function host.spawn(_, ...)
            return inner.tasks:spawn(...)
        end
        function host.inside()
            return inner.tasks:inside()
        end
        host.ticket = function() return inner.ticket() end
        return host, inner
    end

    local function made(changes)
        local host, inner = fake()
        local options = { host = host, url = URL }
        for name, value in pairs(changes or {}) do
            options[name] = value
        end
        return shippers.new(options), host, inner
    end

    local function write(sink, from, to)
        for i = from, to do
            assert.is_true(sink:write(('{"n":%d}'):format(i)))
        end
    end

    -- The numbers of all events that were posted, by call.
    local function posted(host)
        local calls = {}
        for i, call in ipairs(host.calls) do
            calls[i] = {}
            for k, event in ipairs(call.events) do
                calls[i][k] = event.n
            end
        end
        return calls
    end

    it("posts what has come together within a second", function()
        local sink, host = made({ headers = { Authorization = "Bearer x" } })
        write(sink, 1, 2)
        host.pass(0.5)
        write(sink, 3, 3)
        assert.same({}, posted(host))
        host.pass(0.6)
        assert.same({ { 1, 2, 3 } }, posted(host))
        local call = host.calls[1].call
        assert.equal("POST", call.method)
        assert.equal(URL, call.url)
        assert.same({ ["Content-Type"] = "application/json", Authorization = "Bearer x" },
                    call.headers)
        host.pass(100)
        assert.equal(1, #host.calls)
        write(sink, 4, 4)
        host.pass(1)
        assert.same({ { 1, 2, 3 }, { 4 } }, posted(host))
        assert.equal(4, sink.sent)
        assert.equal(0, sink.bytes)
        assert.same({}, sink.lines)
        assert.same({}, host.logged)
    end)

    it("posts no more than a chunk at once, and an event that is larger alone", function()
        local sink, host = made({ chunk = 30 })
        write(sink, 1, 5) -- seven bytes each
        sink:write('{"n":6,"x":"' .. ("y"):rep(100) .. '"}')
        write(sink, 7, 7)
        host.pass(10)
        assert.same({ { 1, 2, 3 }, { 4, 5 }, { 6 }, { 7 } }, posted(host))
        for i = 1, 2 do
            assert.is_true(#host.calls[i].call.body <= 30)
        end
    end)

    it("keeps what did not arrive, and pauses ever longer", function()
        for _, answer in ipairs({ "connection refused", 500, 404, 302, 199 }) do
            local sink, host = made()
            host.answer = answer
            write(sink, 1, 2)
            host.pass(1)
            write(sink, 3, 3)
            host.pass(200)
            local calls = posted(host)
            assert.same({ 1, 2 }, calls[1])
            assert.same({ 1, 2, 3 }, calls[2])
            for i = 2, #host.calls do
                local pause = host.calls[i].at - host.calls[i - 1].at
                local most = math.min(60, 0.5 * 2 ^ (i - 2))
                assert.is_true(pause >= most / 2 and pause <= most, i .. ": " .. pause)
            end
            assert.is_true(#host.calls >= 9 and #host.calls < 15)
            assert.equal(1, #host.logged)
            host.answer = 204
            host.pass(60)
            assert.equal(3, sink.sent)
            assert.equal("decision log " .. URL .. ": events arrive again", host.logged[2])
            assert.equal(0, sink.dropped)
            -- the next failure begins with a short pause
            assert.equal(0, sink.failures)
        end
    end)

    it("takes no more than it has room for", function()
        local sink, host = made({ queue = 3 })
        host.answer = "down"
        write(sink, 1, 3)
        assert.is_false(sink:write("{}"))
        assert.equal(1, sink.dropped)
        host.answer = 200
        host.pass(2)
        assert.same({ { 1, 2, 3 } }, posted(host))
        write(sink, 4, 4)
        sink = made({ max_bytes = 10 })
        assert.is_true(sink:write("{}"))
        assert.is_false(sink:write('{"n":1000}'))
        assert.equal(1, sink.dropped)
    end)

    it("takes events while a call is under way, without losing or doubling one", function()
        local sink, host
        sink, host = made()
        host.answer = function(inner)
            if #host.calls == 1 then
                write(sink, 3, 4)
            end
            inner.sleep(0.1)
            return 200
        end
        write(sink, 1, 2)
        host.pass(10)
        assert.same({ { 1, 2 }, { 3, 4 } }, posted(host))
        assert.equal(4, sink.sent)
    end)

    it("posts what waits when it is closed, once", function()
        local sink, host, inner = made()
        write(sink, 1, 2)
        local closed = false
        inner.tasks:spawn(function()
            sink:close()
            closed = true
        end)
        host.pass(0)
        assert.is_true(closed)
        assert.same({ { 1, 2 } }, posted(host))
        assert.is_false(sink:write("{}"))
        assert.equal(1, sink.dropped)
        sink, host = made()
        host.answer = "down"
        write(sink, 1, 2)
        host.pass(1)
        sink:close() -- no task: nobody waits
        host.pass(100)
        assert.equal(2, #host.calls)
        assert.equal(2, sink.dropped)
        assert.same({}, sink.lines)
        made():close()
    end)

    it("goes on after its task was cancelled", function()
        local sink, host = made()
        write(sink, 1, 1)
        sink.task:cancel()
        host.pass(10)
        assert.same({}, posted(host))
        write(sink, 2, 2)
        host.pass(1)
        assert.same({ { 1, 2 } }, posted(host))
    end)

    it("refuses options that mean nothing", function()
        local host = fake()
        for _, row in ipairs({
            { { host = host, url = URL, gzip = true }, "unknown option `gzip`" },
            { { url = URL }, "`host` is missing" }, { { host = host }, "`url`" },
            { { host = host, url = "ftp://x" }, "`url`" },
            { { host = host, url = URL, queue = 0 }, "`queue`: give a number above 0" },
            { { host = host, url = URL, delay = "1" }, "`delay` is a string: give a number" },
            { { host = host, url = URL, chunk = 0 / 0 }, "`chunk`" },
        }) do
            local ok, err = pcall(function() return (shippers.new(row[1])) end)
            assert.is_false(ok)
            assert.is_truthy(err:find(row[2], 1, true), err)
            assert.matches("^[^:]*shipper_spec.lua:", err)
        end
    end)

    it("is a sink of the decision log, on libuv", function()
        local host = hosts.new()
        local server = http_server.start()
        finally(function()
            host:close()
            server:stop()
        end)
        local sink = shippers.new({ host = host, url = server.url .. "/echo", delay = 0.01 })
        local log = assert(audit.new({ host = host, form = "opa", sink = sink }))
        log:write({ decision = "Allowed", allowed = true, reason = "allow" }, { path = "/pets" })
        log:write(nil, { path = "/pets" })
        host:block(log.close, log)
        assert.equal(2, sink.sent)
        assert.equal(0, log.dropped)
    end)

    it("ships from nginx", function()
        local host = hosts.new()
        local server = nginx.start({ locations = {
            ["/logs"] = [[
                ngx.req.read_body()
                ngx.exit(#require("cjson").decode(ngx.req.get_body_data()) == 2 and 204 or 400)
            ]],
            ["/ship"] = [[
                local host = require("postern.host.resty").new()
                local sink = require("postern.audit.shipper").new({
                    host = host, delay = 0.01,
                    url = "http+unix://" .. ngx.config.prefix() .. "nginx.sock:/logs" })
                sink:write('{"n":1}')
                sink:write('{"n":2}')
                sink:close()
                ngx.print(sink.sent, " ", sink.dropped)
            ]],
        } }, host)
        finally(function()
            server:stop()
            host:close()
        end)
        assert.equal("2 0", server:get(host, "/ship"))
    end)
end)
