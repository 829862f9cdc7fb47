local cjson = require("cjson")
local answers = require("postern.answer")
local decisions = require("postern.decision")
local files = require("spec.support.files")


describe("an answer", function()
    local function named(headers)
        local by_name = {}
        for _, header in ipairs(headers) do
            assert.equal(2, #header)
            local name = header[1]:lower()
            assert.is_nil(by_name[name], name .. " stands there twice")
            by_name[name] = header[2]
        end
        return by_name
    end

    local function decided(members)
        local decision = { allowed = false, decision = "ImplicitlyDenied",
                           reason = "no_allow_resource", status = 403 }
        for name, value in pairs(members or {}) do
            decision[name] = value
        end
        return decision
    end

    local ALLOWED = { allowed = true, decision = "Allowed", reason = "allow", status = 200 }

    it("lets what is allowed go on, with the headers of the decision", function()
        local status, headers, body, problem = answers.new():of(ALLOWED)
        assert.equal(200, status)
        assert.same({}, headers)
        assert.is_nil(body)
        assert.is_nil(problem)
        status, headers, body = answers.new():of(decided({
            allowed = true, decision = "Allowed", reason = "allow",
            headers = { ["X-Plan"] = "gold", ["Cache-Control"] = "max-age=5" },
        }))
        assert.equal(200, status)
        assert.same({ ["x-plan"] = "gold", ["cache-control"] = "max-age=5" }, named(headers))
        assert.is_nil(body)
    end)

    it("tells a denial and no more", function()
        local status, headers, body = answers.new():of(decided(), { id = "7f3a-1" })
        assert.equal(403, status)
        assert.same({ ["content-type"] = "application/json", ["cache-control"] = "no-store" },
                    named(headers))
        assert.equal('{"message":"Forbidden","request_id":"7f3a-1"}', body)
        status, headers, body = answers.new({ denied = 404 }):of(decided(),
            { id = "7f3a-1", accept = "text/plain" })
        assert.equal(404, status)
        assert.equal("text/plain; charset=utf-8", named(headers)["content-type"])
        assert.equal("Not Found (request 7f3a-1)\n", body)
    end)

    it("has the form that is configured, else the one the client prefers", function()
        for _, row in ipairs({
            { "auto", nil, "application/json" }, { "auto", "text/plain", "text/plain" },
            { "auto", "text/plain;", "application/json" }, { nil, "text/plain", "text/plain" },
            { "json", "text/plain", "application/json" }, { "text", nil, "text/plain" },
            { "text", "application/json", "text/plain" },
        }) do
            local answer = answers.new({ format = row[1] })
            local _, headers, body = answer:of(decided(), { accept = row[2] })
            assert.equal(row[3], named(headers)["content-type"]:match("^[^;]*"))
            assert.equal(row[3] == "text/plain" and "Forbidden\n" or '{"message":"Forbidden"}',
                         body)
        end
    end)

    it("has the status of the table", function()
        -- what the decision is, the options, the status
        for i, row in ipairs({
            { {}, {}, 403 },
            { { reason = "explicit_deny", decision = "ExplicitlyDenied" }, {}, 403 },
            { {}, { denied = 404 }, 404 },
            { { reason = "authentication", status = 401 }, {}, 401 },
            { { reason = "authentication", status = 401 }, { told = {} }, 403 },
            { { reason = "authentication", status = 403 }, { denied = 404 }, 404 },
            { { reason = "hook", status = 429 }, {}, 429 },
            { { reason = "hook", status = 429 }, { told = { 401 } }, 403 },
            { { reason = "hook", status = 404 }, {}, 404 },
            { { reason = "hook", status = 451 }, {}, 403 },
            { { reason = "hook", status = 451 }, { told = { 451 } }, 451 },
            -- a hook that denies with 503 denies: nothing of ours has failed
            { { reason = "hook", status = 503 }, {}, 403 },
            { { reason = "hook", status = 503 }, { told = { 503 } }, 503 },
            { { reason = "error", status = 400 }, {}, 400 },
            { { reason = "error", status = 400 }, { told = { 401 } }, 403 },
            { { reason = "error", status = 403 }, {}, 403 },
            { { reason = "error", status = 500 }, {}, 503 },
            { { reason = "error", status = 500 }, { fault = 403 }, 403 },
            -- nothing makes a fault of ours anything but `fault`
            { { reason = "error", status = 500 }, { fault = 403, told = { 500 } }, 403 },
            { { reason = "error", status = 503 }, { fault = 403, told = { 503 } }, 403 },
            { { reason = "error", status = 200 }, {}, 503 },
            { { reason = "error", status = "400" }, {}, 503 },
            { { reason = "error", status = 400.5 }, {}, 503 },
            { { status = 200 }, {}, 403 }, -- a deny that says 200 is a deny
            { { status = false }, {}, 403 },
        }) do
            local status, _, body = answers.new(row[2]):of(decided(row[1]))
            assert.equal(row[3], status, "row " .. i)
            assert.is_string(body, "row " .. i)
        end
        local unknown = decided({ reason = "error" })
        unknown.status = nil
        assert.equal(503, (answers.new():of(unknown)))
    end)

    it("is a fault when there is no decision, or one that contradicts itself", function()
        for _, fault in ipairs({ 403, 503 }) do
            local answer = answers.new({ fault = fault })
            for _, nothing in ipairs({ false, true, "Allowed", 200 }) do
                local status, _, body, problem = answer:of(nothing)
                assert.equal(fault, status)
                assert.is_string(body)
                assert.equal("there is no decision", problem)
            end
            assert.equal(fault, (answer:of(nil)))
            for _, wrong in ipairs({
                { allowed = true }, { allowed = true, decision = "ImplicitlyDenied" },
                { allowed = true, decision = "Allowed", reason = "error" },
                { allowed = true, decision = "allowed" },
            }) do
                wrong.headers = { ["X-Plan"] = "gold" }
                local status, headers, body, problem = answer:of(wrong)
                assert.equal(fault, status)
                assert.is_nil(named(headers)["x-plan"])
                assert.is_string(body)
                assert.equal("a decision contradicts itself", problem)
            end
            for _, truthy in ipairs({ 1, "true", {} }) do
                assert.equal(403, (answers.new({ fault = fault }):of({
                    allowed = truthy, decision = "Allowed", reason = "allow", status = 200 })))
            end
        end
    end)

    it("asks for credentials with 401", function()
        local denied = decided({ reason = "authentication", status = 401, code = "UNAUTHORIZED",
                                 error = "the token of alice has expired" })
        local function challenge(options, headers)
            denied.headers = headers
            local status, found = answers.new(options):of(denied)
            return status == 401 and named(found)["www-authenticate"] or status
        end
        assert.equal("Bearer", challenge())
        assert.equal('Basic realm="pets"', challenge({ challenge = 'Basic realm="pets"' }))
        assert.equal("Bearer", challenge({ denied = 401, told = {} }))
        -- a hook knows better
        assert.equal("DPoP", challenge({}, { ["www-authenticate"] = "DPoP" }))
        assert.equal(403, challenge({ told = {} }))
        local _, headers = answers.new():of(decided())
        assert.is_nil(named(headers)["www-authenticate"])
    end)

    it("takes along a hook's headers but those that speak of the body", function()
        local _, headers = answers.new():of(decided({ reason = "hook", status = 429, headers = {
            ["Retry-After"] = "7", ["content-type"] = "text/html", ["CACHE-CONTROL"] = "public",
        } }))
        assert.same({ ["retry-after"] = "7", ["content-type"] = "application/json",
                      ["cache-control"] = "no-store" }, named(headers))
    end)

    local WRONG = {
        ["X-Plan"] = { "a\rb", "a\nb", "a\0b", "a\r\nSet-Cookie: x", "a\127", "\27", 7, true },
        ["X Plan"] = { "a" }, ["X-Plan\n"] = { "a" }, ["X-Plan:"] = { "a" }, [""] = { "a" },
        ["X-Pl\195\164n"] = { "a" }, ["Content-Length"] = { "0" }, [1] = { "a" },
        ["transfer-ENCODING"] = { "chunked" }, ["Connection"] = { "close" },
    }

    it("never takes a header that is none: a deny goes without, an allow is a fault", function()
        for name, values in pairs(WRONG) do
            for _, value in ipairs(values) do
                local headers = { [name] = value, ["X-Good"] = "b\tc" }
                local status, list, _, problem = answers.new():of(decided({ headers = headers }))
                assert.equal(403, status)
                assert.same({ ["x-good"] = "b\tc", ["content-type"] = "application/json",
                              ["cache-control"] = "no-store" }, named(list))
                assert.matches("no header", problem)
                local allowed = decided({ allowed = true, decision = "Allowed", reason = "allow",
                                          headers = headers })
                status, list, _, problem = answers.new():of(allowed)
                assert.equal(503, status)
                assert.is_nil(named(list)["x-good"])
                assert.matches("no header", problem)
            end
        end
    end)

    it("tells the id only if that is safe", function()
        local function told(id, accepted)
            local _, _, body = answers.new():of(decided(), { id = id, accept = accepted })
            return body
        end
        for _, id in ipairs({ "a", ("x"):rep(128), 'a"b\\c', "</script>", "a b", "%1 %0" }) do
            assert.equal(id, answers.id(id))
            assert.same({ message = "Forbidden", request_id = id }, cjson.decode(told(id)))
            assert.equal(("Forbidden (request %s)\n"):format(id), told(id, "text/plain"))
        end
        for _, id in ipairs({ "", ("x"):rep(129), "a\nb", "a\0", "\127", "a\tb", "\195\164",
                              "\255" }) do
            assert.is_nil(answers.id(id))
            assert.equal('{"message":"Forbidden"}', told(id))
            assert.equal("Forbidden\n", told(id, "text/plain"))
        end
        for _, id in ipairs({ 17, true, {} }) do
            assert.is_nil(answers.id(id))
            assert.equal('{"message":"Forbidden"}', told(id))
        end
    end)

    it("gives a list of its own each time", function()
        local answer = answers.new()
        for _, decision in ipairs({ ALLOWED, decided(), decided({ status = 401 }) }) do
            local _, headers = answer:of(decision)
            local before = #headers
            headers[#headers + 1] = { "X-Mine", "1" }
            _, headers = answer:of(decision)
            assert.equal(before, #headers)
        end
    end)

    it("refuses options it does not know, or that would be no denial", function()
        for _, row in ipairs({
            { { deny = 403 }, "unknown option `deny`: there are `challenge`, `denied`" },
            { { denied = 200 }, "`denied`: give a status from 400 to 499" },
            { { denied = 500 }, "`denied`" }, { { denied = "403" }, "`denied`" },
            { { denied = 403.5 }, "`denied`" }, { { denied = false }, "`denied`" },
            { { fault = 200 }, "`fault`: give 403 or 503" }, { { fault = 500 }, "`fault`" },
            { { fault = false }, "`fault`" },
            { { format = "html" }, "`format`: give `auto`, `json` or `text`" },
            { { format = false }, "`format`" },
            { { told = 401 }, "`told`: give a list of statuses" },
            { { told = { 200 } }, "`told`: `200` is no status that denies: give 400 to 599" },
            { { told = { "401" } }, "`told`" },
            { { challenge = "" }, "`challenge`" }, { { challenge = "a\nb" }, "`challenge`" },
        }) do
            local ok, err = pcall(function() return (answers.new(row[1])) end)
            assert.is_false(ok)
            assert.is_truthy(tostring(err):find(row[2], 1, true), tostring(err))
            assert.matches("answer_spec.lua", tostring(err):match("^[^:]*") or "")
        end
    end)

    -- Every reason that the documentation of the gateway lists, and so the flows know, and `hook`.
    local function reasons()
        local section = files.read("docs/gateway.md"):match("\n## Reasons\n(.-)\n## ")
        local found = { hook = true }
        for reason in section:gmatch("\n| `([%l_]+)` |") do
            found[reason] = true
        end
        return found
    end

    it("tells nothing of what is inside, whatever the reason", function()
        local secrets = {
            "NobodyDeletes", "secret-api.json", "/etc/postern", "arn:aws:iam::111122223333:role/r",
            "execute-api:Invoke", "5e55ec4e7f", "token of alice", "a hook's words", "hooks/inside",
            "EXPIRED_TOKEN", "acme:Plan", "vpce-1a2b3c4d", "not_associated", "gold obligation",
        }
        local count = 0
        for reason in pairs(reasons()) do
            for _, status in ipairs({ 200, 400, 401, 403, 404, 429, 500, 503 }) do
                for _, accepted in ipairs({ "*/*", "text/plain" }) do
                    local decision = decisions.failed({
                        action = secrets[5], resource = secrets[4], context = { [secrets[11]] = 1 },
                    }, { reason = reason, status = status, error = secrets[7],
                         code = secrets[10] })
                    decision.because, decision.hook = secrets[8], secrets[9]
                    decision.revision, decision.unreachable = secrets[6], secrets[12]
                    decision.match_kind, decision.needs = secrets[13], secrets[11]
                    decision.obligations = { plan = secrets[14] }
                    decision.deciding = { policy_type = "resource", sid = secrets[1],
                        file = secrets[3] .. "/" .. secrets[2], line = 16, column = 5 }
                    local _, headers, body, problem = answers.new({ denied = 403 }):of(decision,
                        { accept = accepted, id = "id-1" })
                    local all = body
                    for _, header in ipairs(headers) do
                        all = all .. "\n" .. header[1] .. ": " .. header[2]
                    end
                    for _, secret in ipairs({ reason, unpack(secrets) }) do
                        assert.is_nil(all:find(secret, 1, true), secret .. " stands in " .. all)
                    end
                    assert.is_nil(problem)
                    count = count + 1
                end
            end
        end
        assert.is_true(count >= 13 * 16, "reasons are missing: " .. count)
    end)
end)
