local engine = require("postern.engine")
local events = require("postern.audit.event")
local postern = require("postern")


describe("an event of the decision log", function()
    local DECISION = {
        allowed = false, decision = "ExplicitlyDenied", reason = "explicit_deny", status = 403,
        revision = "r1", gates = { resource = "ExplicitlyDenied" },
        deciding = { policy_type = "resource", sid = "NobodyDeletes", effect = "Deny",
                     file = "api.json", line = 16, column = 5 },
    }
    local DETAILS = { details = true, headers = true, claims = false }

    local function event(request, changes)
        changes = changes or {}
        return events.new(changes.decision or DECISION, request, changes.seconds,
                          changes.extra or {}, changes.shown or DETAILS)
    end

    local function sorted(list)
        table.sort(list)
        return list
    end

    it("says what was asked and what was decided", function()
        local made = event({
            api = "a1b2c3d4e5", stage = "dev", method = "GET", path = "/pets", peer = "10.0.0.9",
            client_ip = "192.0.2.1", headers = { Accept = "*/*", ["X-Two"] = { "1", "2" },
                                                 ["x-one"] = { "3" } },
            query = { page = "7" }, context = { ["acme:Plan"] = "gold" },
        }, { seconds = 0.0000015 })
        assert.same({
            input = {
                api = "a1b2c3d4e5", stage = "dev", method = "GET", path = "/pets",
                peer = "10.0.0.9", client_ip = "192.0.2.1",
                headers = { accept = "*/*", ["x-two"] = { "1", "2" }, ["x-one"] = "3" },
                query = { page = "7" }, context = { ["acme:Plan"] = "gold" },
            },
            result = {
                allowed = false, decision = "ExplicitlyDenied", reason = "explicit_deny",
                status = 403, revision = "r1", policy_type = "resource", effect = "Deny",
                sid = "NobodyDeletes", policy = "api.json:16",
            },
            bundles = { estate = { revision = "r1" } }, requested_by = "10.0.0.9",
            metrics = { timer_decision_ns = 1500 }, erased = {}, masked = {},
        }, made)
    end)

    it("has no credentials, and says that there were some", function()
        local secrets = { "Bearer s3cret", "s3cret-cookie", "s3cret-sts", "s3cret-signature",
                          "s3cret-claim", "s3cret-token", "s3cret-key", "s3cret-code" }
        local request = {
            headers = { Authorization = secrets[1], COOKIE = { secrets[2], secrets[2] },
                        ["Proxy-Authorization"] = secrets[1], ["x-amz-security-token"] = secrets[3],
                        ["X-Api-Key"] = secrets[7], accept = "*/*" },
            query = { ["X-Amz-Signature"] = secrets[4], ["X-Amz-Credential"] = secrets[4],
                      ["X-Amz-Security-Token"] = secrets[3], code = secrets[8],
                      ["X-Amz-Date"] = "20250101T000000Z" },
            raw_path = "/pets?X-Amz-Signature=" .. secrets[4] .. "?x",
            claims = { sub = secrets[5] }, token = secrets[6],
            connection = { secret = secrets[7] },
        }
        local made = event(request)
        assert.same({ headers = { accept = "*/*" }, raw_path = "/pets",
                      query = { ["X-Amz-Date"] = "20250101T000000Z" } }, made.input)
        assert.same({
            "/input/claims", "/input/headers/authorization", "/input/headers/cookie",
            "/input/headers/proxy-authorization", "/input/headers/x-amz-security-token",
            "/input/headers/x-api-key", "/input/query/X-Amz-Credential",
            "/input/query/X-Amz-Security-Token", "/input/query/X-Amz-Signature",
            "/input/query/code", "/input/token",
        }, sorted(made.erased))
        assert.same({ "/input/raw_path" }, made.masked)
        made = event(request, { shown = { details = true, headers = false, claims = true } })
        assert.is_nil(made.input.headers)
        assert.same({ sub = secrets[5] }, made.input.claims)
        for _, pointer in ipairs(made.erased) do
            assert.is_nil(pointer:find("headers") or pointer:find("claims"))
        end
        made = event(request, { shown = { details = false, headers = true, claims = true } })
        assert.same({ raw_path = "/pets" }, made.input)
        assert.same({}, made.erased)
    end)

    it("looks at every member that a request may have", function()
        local seen = {}
        for _, list in ipairs({ events.MEMBERS, events.ASKED, events.DETAILS, events.SPECIAL }) do
            for _, name in ipairs(list) do
                assert.is_nil(seen[name], name)
                seen[name] = true
                assert.is_truthy(engine.MEMBERS[name], name .. " is no member of a request")
            end
        end
        for name in pairs(engine.MEMBERS) do
            assert.is_true(seen[name], "no event shows `" .. name .. "`")
        end
    end)

    it("asks for headers and query once where they are functions", function()
        local asked = 0
        local function headers()
            asked = asked + 1
            return { accept = "*/*", traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-"
                .. "00f067aa0ba902b7-01" }
        end
        local made = event({ headers = headers, query = function() return { page = "1" } end })
        assert.equal(1, asked)
        assert.equal("*/*", made.input.headers.accept)
        assert.equal("1", made.input.query.page)
        assert.equal("00f067aa0ba902b7", made.span_id)
        event({ headers = headers }, { shown = { details = false, headers = true } })
        assert.equal(1, asked)
        made = event({ headers = function() error("x") end, query = function() return nil end })
        assert.same({}, made.input)
    end)

    it("knows the trace, by the header or as it is told", function()
        local TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
        local header = ("00-%s-%s-01"):format(TRACE, SPAN)
        for _, row in ipairs({
            { { headers = { traceparent = header } }, {} },
            { { headers = { Traceparent = { header } } }, {} },
            { {}, { traceparent = header } },
            { { headers = { traceparent = "00-1-2-3" } }, { traceparent = header } },
        }) do
            local made = event(row[1], { extra = row[2] })
            assert.equal(TRACE, made.trace_id)
            assert.equal(SPAN, made.span_id)
        end
        for _, row in ipairs({
            { {}, {} }, { { headers = { traceparent = { header, header } } }, {} },
            { { headers = { traceparent = header } }, { traceparent = "nonsense" } },
        }) do
            assert.is_nil(event(row[1], { extra = row[2] }).trace_id)
        end
    end)

    it("takes along what the host adds", function()
        local made = event({ peer = "10.0.0.9" }, { extra = {
            requested_by = "gateway", request_id = "r-1\255", enforced = false } })
        assert.equal("gateway", made.requested_by)
        assert.equal("r-1?", made.request_id)
        assert.is_false(made.result.enforced)
        assert.is_nil(event({}, { extra = { enforced = true } }).result.enforced)
    end)

    it("is one also without decision or request", function()
        local made = events.new(nil, nil, nil, {}, DETAILS)
        assert.same({ allowed = false, decision = "ImplicitlyDenied", reason = "error",
                      error = "there is no decision" }, made.result)
        assert.same({}, made.input)
        assert.is_nil(made.bundles)
        assert.is_nil(made.metrics)
        assert.same(made, events.new(true, "GET /", nil, {}, DETAILS))
        for _, seconds in ipairs({ -1, 0 / 0, 1 / 0 }) do
            assert.is_nil(event({}, { seconds = seconds }).metrics)
        end
        -- only true is allowed
        assert.is_false(event({}, { decision = { allowed = 1 } }).result.allowed)
    end)

    it("says what an estate found out", function()
        local estate = assert(postern.open("examples/private-api/estate.lua"))
        finally(function() estate:close() end)
        local request = { api = "orders7a1b", stage = "live", method = "GET",
                          path = "/orders/42", vpce = "vpce-0a11b22c33d44e55f",
                          client_ip = "10.31.4.9" }
        local decision = estate:authorize(request)
        local made = event(request, { decision = decision })
        assert.equal("execute-api:Invoke", made.input.action)
        assert.matches("^arn:aws:execute%-api:.*:orders7a1b/live/GET/orders/42$",
                       made.input.resource)
        assert.equal("*", made.input.principal)
        assert.equal(estate.revision, made.bundles.estate.revision)
        assert.is_string(made.result.policy_type)
        assert.matches("^.+%.json:%d+$", made.result.policy)
        assert.equal(decision.decision, made.result.decision)
        -- the principal is the one that was found, not how the request calls it
        request = { api = "gone", path = "/", principal = "alice" }
        assert.equal("alice",
            event(request, { decision = estate:authorize(request) }).input.principal)
    end)
end)
