local hosts_uv = require("postern.host.uv")
local http_server = require("spec.support.http_server")
local loop = require("spec.support.loop")
local nginx = require("spec.support.nginx")

-- Put before the text of every location: a host of the worker, and one way to answer.
local HEAD = [[
local resty = require("postern.host.resty")
package.loaded.WORKER = package.loaded.WORKER or resty.new()
local host = package.loaded.WORKER
local function say(...)
    local parts = {}
    for i = 1, select("#", ...) do
        parts[i] = tostring((select(i, ...)))
    end
    ngx.say(table.concat(parts, " | "))
end
]]


-- What spec/hosts_spec.lua shares with the other hosts is tested there.
describe("the host in nginx", function()
    local driver, running, server, before

    before_each(function()
        before = loop.open_handles()
        driver = hosts_uv.new()
        server = http_server.start()
    end)

    after_each(function()
        driver:close()
        if running then
            running:stop()
            running = nil
        end
        server:stop()
        assert.equal(before, loop.open_handles())
    end)

    local function start(locations, directives)
        for path, text in pairs(locations) do
            locations[path] = HEAD .. text
        end
        running = nginx.start({ locations = locations, directives = directives }, driver)
    end

    local function answer_of(text, directives)
        start({ ["/"] = text }, directives)
        return running:get(driver, "/")
    end

    it("uses connections again, across requests", function()
        start({ ["/"] = ([[
            say(host:http({ url = "%s/echo" }).status)
        ]]):format(server.url) })
        for _ = 1, 5 do
            assert.equal("200\n", running:get(driver, "/"))
        end
        assert.equal(1, server.connections)
    end)

    it("guards calls across requests", function()
        start({ ["/"] = [[
            package.loaded.GUARD = package.loaded.GUARD
                or host:gate({ concurrency = 1, queue = 0, timeout = 30 })
            say(package.loaded.GUARD:call(function()
                return host:http({ url = "]] .. server.url .. [[/slow" }).body
            end))
        ]] })
        local answers = {}
        for _ = 1, 2 do
            driver:spawn(function()
                local response = assert(driver:http({ url = running.url .. "/" }))
                answers[#answers + 1] = response.body
            end)
        end
        driver:run()
        table.sort(answers)
        assert.same({ "nil | busy: no more than 1 at once | busy\n", "slow\n" }, answers)
    end)

    it("gives others their turn without a complaint of nginx's", function()
        assert.equal("true\n", answer_of("say(host:sleep(0))"))
        assert.not_matches("delayed events patch", running:log(), 1, true)
    end)

    it("says where it cannot wait", function()
        assert.equal([[
nil | nginx cannot wait in init_worker_by_lua: do it in a request or a timer
nil | nginx cannot wait in init_worker_by_lua: do it in a request or a timer
nil | nginx cannot wait in init_worker_by_lua: do it in a request or a timer
true
]], answer_of([[
            local results = require("postern.host.options").RESULTS
            for i = 1, 3 do
                say(nil, results[i])
            end
            say(results.task:wait())
        ]], [[
            init_worker_by_lua_block {
                local host = require("postern.host.resty").new()
                local results = {}
                require("postern.host.options").RESULTS = results
                results[1] = select(2, host:sleep(1))
                results[2] = select(2, host:connect({ host = "127.0.0.1", port = 1 }))
                results[3] = select(2, host:timeout(1, print))
                results.task = host:spawn(function() return host:sleep(0.001) end)
            }
        ]]))
    end)

    it("needs a resolver to connect to a name, and tells no addresses", function()
        assert.equal("nil | nginx has no resolver: name one by the directive `resolver`\n"
            .. "nil | `no-such-host.invalid`: nginx does not tell addresses: connect to the name "
            .. "itself\n", answer_of([[
            say(nil, (select(2, host:connect({ host = "no-such-host.invalid", port = 1 }))))
            say(host:resolve("no-such-host.invalid"))
        ]]))
    end)

    it("leaves the loop and the signals to nginx", function()
        assert.equal("nil | nginx runs its own loop\nnil | nginx runs its own loop\n"
            .. "nil | nginx handles signals itself\ntrue\n1 | 2\n", answer_of([[
            say(host:run())
            say(host:stop())
            say(host:on_signal("sighup", print))
            say(host:inside())
            say(host:block(function(...) return ... end, 1, 2))
        ]]))
    end)

    it("tells the operator by nginx's log", function()
        assert.equal("nil | oops\n", answer_of([[
            host:log("a line for the operator")
            host:spawn(function() error("nobody waits", 0) end)
            say(host:spawn(function()
                host:sleep(0.01)
                error("oops", 0)
            end):wait())
        ]]))
        local log = running:log()
        assert.matches("[error]", log, 1, true)
        assert.matches("a line for the operator", log, 1, true)
        assert.matches("a task raised: nobody waits", log, 1, true)
        assert.not_matches("a task raised: oops", log, 1, true)
    end)

    it("cleans up after a task that is cancelled, and after a limited call", function()
        local began = driver:monotonic()
        assert.equal("false\ncancelled\nlimit\n2\ntrue | 1\n", answer_of([[
            local function noting(what) return function() say(what) end end
            local log = {}
            local task = host:spawn(function()
                host:ensure(function() log[#log + 1] = "cancelled" end, host.sleep, host, 30)
            end)
            host:sleep(0.01)
            say(#log > 0)
            task:cancel()
            host:sleep(0.01)
            say(log[1])
            host:timeout(0.01, function()
                host:ensure(noting("limit"), host.sleep, host, 30)
            end)
            -- A place taken in what is killed is free again.
            local guard = host:gate({ concurrency = 1, queue = 0, timeout = 30 })
            host:timeout(0.01, function() guard:call(host.sleep, host, 30) end)
            host:timeout(0.01, function() guard:call(host.sleep, host, 30) end)
            say(guard.counts.busy == 0 and 2)
            say(pcall(guard.call, guard, function() return 1 end))
        ]]))
        -- A request ends with its last thread: none of them sleeps on.
        assert.is_true(driver:monotonic() - began < 20)
    end)

    it("ends what is going on when it is closed", function()
        assert.equal("nil | the host is closed\n", answer_of([[
            local own = resty.new()
            local task = own:spawn(function() own:sleep(30) end)
            host:sleep(0.01)
            own:close()
            say(task:wait())
        ]]))
    end)

    it("raises at misuse", function()
        assert.equal("false | unknown option `x`\nfalse | give a number of seconds\n"
            .. "false | unknown option `uri`\n", answer_of([[
            local function try(...)
                local ok, err = pcall(...)
                say(ok, (err:match("unknown option `%a+`") or err:match("give a .*")))
            end
            try(resty.new, { x = 1 })
            try(host.sleep, host, -1)
            try(host.http, host, { uri = "x" })
        ]]))
    end)
end)
