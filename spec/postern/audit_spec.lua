local audit = require("postern.audit")
local cjson = require("cjson")
local hosts = require("postern.host.uv")
local nginx = require("spec.support.nginx")
local files = require("spec.support.files")
local postern = require("postern")


describe("the decision log", function()
    -- A host whose writers keep their lines, with room for so many.
    local function fake(room)
        local host = { time = 1700000000.25, lines = {}, logged = {} }
        function host:now()
            return self.time
        end
        function host:log(line)
            self.logged[#self.logged + 1] = line
        end
        function host.writer(_, path, options)
            host.path, host.options = path, options
            local writer = { dropped = 0, reopened = 0, closed = 0 }
            function writer:write(line)
                if #host.lines >= (room or math.huge) then
                    self.dropped = self.dropped + 1
                    return false
                end
                host.lines[#host.lines + 1] = line
                return true
            end
            function writer:reopen()
                self.reopened = self.reopened + 1
            end
            function writer:close()
                self.closed = self.closed + 1
            end
            host.made = writer
            return writer
        end
        return host
    end

    local function open(changes, room)
        local host = fake(room)
        local options = { host = host, path = "/var/log/decisions.jsonl" }
        for name, value in pairs(changes or {}) do
            options[name] = value
        end
        return assert(audit.new(options)), host
    end

    local DECISION = { allowed = false, decision = "ImplicitlyDenied", reason = "no_allow_resource",
                       status = 403, revision = "r1" }
    local REQUEST = { api = "a1b2c3d4e5", method = "GET", path = "/pets", peer = "10.0.0.9",
                      headers = { authorization = "Bearer s3cret", accept = "*/*" } }

    it("writes a line a decision", function()
        local log, host = open({ labels = { zone = "a" }, queue = 7, max_bytes = 99 })
        assert.equal("/var/log/decisions.jsonl", host.path)
        assert.same({ queue = 7, max_bytes = 99 }, host.options)
        assert.is_true(log:write(DECISION, REQUEST, 0.001, { id = "d-1", request_id = "r-1" }))
        local written = cjson.decode(host.lines[1])
        assert.is_truthy(written.labels.id:find("^%x+$"))
        written.labels.id = nil
        assert.same({
            time = "2023-11-14T22:13:20.250000Z", decision_id = "d-1", request_id = "r-1",
            revision = "r1", decision = "ImplicitlyDenied", reason = "no_allow_resource",
            status = 403, api = "a1b2c3d4e5", method = "GET", path = "/pets",
            client_ip = "10.0.0.9", duration_ns = 1000000,
            labels = { app = "postern", version = postern.version, zone = "a" },
        }, written)
        assert.equal(0, log.dropped)
    end)

    it("writes events of OPA's form", function()
        local log, host = open({ form = "opa", name = "gateway/allow" })
        log:write(DECISION, REQUEST, 0.001, { requested_by = "edge" })
        log:write(DECISION, REQUEST)
        local written = cjson.decode(host.lines[1])
        assert.equal("gateway/allow", written.path)
        assert.equal("edge", written.requested_by)
        assert.equal("2023-11-14T22:13:20.250000Z", written.timestamp)
        assert.equal(1, written.req_id)
        assert.equal(2, cjson.decode(host.lines[2]).req_id)
        assert.same({ accept = "*/*" }, written.input.headers)
        assert.same({ "/input/headers/authorization" }, written.erased)
        assert.same({ estate = { revision = "r1" } }, written.bundles)
        assert.equal("postern/authorize", open({ form = "opa" }):event(DECISION, REQUEST).path)
    end)

    it("masks before anything is queued", function()
        for _, form in ipairs({ "json", "opa" }) do
            local log, host = open({ form = form, mask = { "/input/path", "/result/reason" },
                                     erase = { "/input/peer", "/input/headers/accept" } })
            log:write(DECISION, REQUEST)
            local line = host.lines[1]
            for _, secret in ipairs({ "pets", "no_allow", "10.0.0.9\",\"api", "s3cret", "*/*" }) do
                assert.is_nil(line:find(secret, 1, true), secret)
            end
            local written = cjson.decode(line)
            assert.equal("***", (written.input or written).path)
            assert.same({ "/input/path", "/result/reason" }, written.masked)
        end
        local log = open({ mask = { "/input/path" }, mask_key = "k" })
        assert.matches("^hmac%-sha256:%x+$", log:event(DECISION, REQUEST).input.path)
        assert.equal("/pets", REQUEST.path)
    end)

    it("gives every decision an id of its own", function()
        local log, host = open()
        local seen = {}
        for _ = 1, 1000 do -- more than are drawn at once
            local id = log:id()
            assert.matches("^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-"
                .. "%x%x%x%x%x%x%x%x%x%x%x%x$", id)
            assert.is_nil(seen[id])
            seen[id] = true
        end
        log:write(DECISION, REQUEST)
        local id = cjson.decode(host.lines[1]).decision_id
        assert.equal(36, #id)
        assert.is_nil(seen[id])
        assert.not_equal((open()):id(), (open()):id())
    end)

    it("draws no random bytes for ids before it needs them: a process may fork", function()
        local log = open()
        assert.is_nil(rawget(log, "pool"))
        log:id()
        assert.equal(4096, #rawget(log, "pool"))
    end)

    it("writes times as RFC 3339 has them", function()
        local log, host = open()
        for _, row in ipairs({
            { 0, "1970-01-01T00:00:00.000000Z" }, { 0.000001, "1970-01-01T00:00:00.000001Z" },
            { 1700000000.9999996, "2023-11-14T22:13:21.000000Z" },
            { 1700000000, "2023-11-14T22:13:20.000000Z" },
            { 1709208000.5, "2024-02-29T12:00:00.500000Z" },
        }) do
            host.time = row[1]
            assert.equal(row[2], log:event(DECISION, REQUEST).timestamp)
        end
    end)

    it("drops what there is no room for, counts it, and tells once a minute", function()
        local log, host = open({}, 2)
        for i = 1, 5 do
            assert.equal(i <= 2, log:write(DECISION, REQUEST))
        end
        assert.equal(3, log.dropped)
        assert.same({ "decision log /var/log/decisions.jsonl: 1 events dropped" }, host.logged)
        host.time = host.time + 60
        log:write(DECISION, REQUEST)
        assert.equal(4, log.dropped)
        assert.equal("decision log /var/log/decisions.jsonl: 3 events dropped", host.logged[2])
        host.time = host.time - 3600 -- set back: told all the same
        log:write(DECISION, REQUEST)
        assert.equal(3, #host.logged)
        host.made.dropped = 100 -- by the writer, later
        assert.equal(100, log.dropped)
    end)

    it("raises at nothing that a decision or a request holds", function()
        local log, host = open({ form = "opa" })
        local bad = setmetatable({}, { __index = function() error("x") end })
        assert.is_false(log:write(bad, REQUEST))
        assert.is_false(log:write(DECISION, bad))
        assert.equal(2, log.dropped)
        assert.equal(1, #host.logged)
        assert.matches("1 events dropped: .*x$", host.logged[1])
        for _, odd in ipairs({ { false, false }, { DECISION, "text" }, { 7, {} },
                               { DECISION, { path = "\255\0\n", headers = { [7] = { {} } } } },
                               { DECISION, { now = 0 / 0, query = { x = print } } } }) do
            assert.is_true(log:write(odd[1] or nil, odd[2] or nil, 0 / 0))
        end
        for _, line in ipairs(host.lines) do
            assert.is_table(cjson.decode(line))
        end
        assert.equal(2, log.dropped)
    end)

    it("keeps a line within its bound", function()
        local headers = {}
        for i = 1, 100 do
            headers["x-" .. i] = ("y"):rep(5000)
        end
        local log, host = open({ form = "opa", longest = 4096 })
        log:write(DECISION, { path = "/pets", headers = headers })
        assert.is_true(#host.lines[1] <= 4096)
        local written = cjson.decode(host.lines[1])
        assert.same({ "/input/headers" }, written.erased)
        assert.equal("/pets", written.input.path)
    end)

    it("passes on to its writer, or to a sink", function()
        local log, host = open()
        log:reopen()
        log:close()
        assert.equal(1, host.made.reopened)
        assert.equal(1, host.made.closed)
        local sink = { lines = {} }
        function sink:write(line)
            self.lines[#self.lines + 1] = line
            return #self.lines < 2
        end
        log = assert(audit.new({ host = fake(), sink = sink }))
        assert.is_true(log:write(DECISION, REQUEST))
        assert.is_false(log:write(DECISION, REQUEST))
        assert.equal(0, log.dropped) -- it does not count
        log:reopen()
        log:close()
    end)

    it("says why it cannot be opened", function()
        local host = fake()
        host.writer = function() return nil, "/nowhere: no such file or directory" end
        assert.same({ nil, "/nowhere: no such file or directory" },
                    { audit.new({ host = host, path = "/nowhere" }) })
    end)

    it("refuses options that mean nothing", function()
        local host = fake()
        for _, row in ipairs({
            { { host = host, path = "x", file = "y" }, "unknown option `file`" },
            { { path = "x" }, "`host` is missing" },
            { { host = host }, "give one of `path` and `sink`" },
            { { host = host, path = "x", sink = {} }, "give one of `path` and `sink`" },
            { { host = host, path = "x", form = "xml" }, "`form`: give `json` or `opa`" },
            { { host = host, path = 7 }, "`path` is a number: give a string" },
            { { host = host, path = "x", claims = "yes" }, "`claims` is a string" },
            { { host = host, path = "x", longest = 100 }, "`longest`: give 2048 to" },
            { { host = host, path = "x", longest = 0 / 0 }, "`longest`" },
            { { host = host, path = "x", labels = { a = 1 } }, "`labels`" },
            { { host = host, path = "x", labels = { "a" } }, "`labels`" },
            { { host = host, path = "x", labels = { a = ("b"):rep(256) } }, "`labels`" },
            { { host = host, path = "x", mask = { "/x" } }, "is no JSON Pointer" },
            { { host = host, path = "x", erase = { "x" } }, "is no JSON Pointer" },
        }) do
            local ok, err = pcall(function() return (audit.new(row[1])) end)
            assert.is_false(ok)
            assert.is_truthy(err:find(row[2], 1, true), err)
            assert.matches("^[^:]*audit_spec.lua:", err)
        end
        for _, extra in ipairs({ { user = "x" }, { id = 7 }, { enforced = "no" } }) do
            for _, method in ipairs({ "write", "event" }) do
                local log = open()
                local ok, err = pcall(function()
                    local result = log[method](log, DECISION, REQUEST, 1, extra)
                    return result
                end)
                assert.is_false(ok)
                assert.matches("audit_spec.lua:%d+: .*no further member", err)
            end
        end
    end)

    it("writes what an estate decides, on libuv", function()
        local host = hosts.new()
        local estate = assert(postern.open("examples/private-api/estate.lua"))
        local path = os.tmpname()
        finally(function()
            host:close()
            estate:close()
            os.remove(path)
        end)
        local log = assert(audit.new({ host = host, path = path }))
        local wanted = {}
        for line in io.lines("examples/private-api/estate-requests.jsonl") do
            local request = cjson.decode(line).request
            local decision = estate:authorize(request)
            wanted[#wanted + 1] = decision
            assert.is_true(log:write(decision, request, 0.001))
        end
        host:block(log.close, log)
        local count = 0
        for line in io.lines(path) do
            count = count + 1
            local written = cjson.decode(line)
            assert.equal(wanted[count].decision, written.decision)
            assert.equal(wanted[count].reason, written.reason)
            assert.equal(estate.revision, written.revision)
        end
        assert.equal(#wanted, count)
        assert.equal(0, log.dropped)
    end)

    it("writes in nginx", function()
        local host = hosts.new()
        local server = nginx.start({
            directives = "",
            locations = { ["/log"] = [[
                local host = require("postern.host.resty").new()
                local log = assert(require("postern.audit").new({
                    host = host, path = ngx.config.prefix() .. "decisions.jsonl" }))
                log:write({ decision = "Allowed", allowed = true, reason = "allow", status = 200 },
                          { path = "/pets" }, 0.001)
                log:close()
                ngx.print(log.dropped)
            ]] },
        }, host)
        finally(function()
            server:stop()
            host:close()
        end)
        assert.equal("0", server:get(host, "/log"))
        local written = cjson.decode(files.read(server.folder .. "/decisions.jsonl"))
        assert.equal("Allowed", written.decision)
        assert.equal("/pets", written.path)
        assert.matches("^%d+%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d+Z$", written.time)
    end)
end)
