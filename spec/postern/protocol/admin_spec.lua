local admins = require("postern.protocol.admin")
local crypto = require("postern.crypto")
local fixtures = require("spec.support.stores")
local json = require("postern.json")


describe("administration", function()
    local fixture, subject

    before_each(function()
        fixture = fixtures.new()
        fixture:write("tokens", "ops " .. crypto.hex(crypto.sha256("token")) .. "\n")
    end)

    after_each(function()
        fixture:close()
    end)

    local function within(fn)
        fixture:within(function()
            subject = admins.new({
                store = assert(fixture:open()), host = fixture.host,
                operators = { tokens = fixture.folder .. "/tokens" },
            })
            fn()
        end)
    end

    -- `GET /apis/a1?x`, headers by name, and a body.
    local function ask(line, headers, body)
        local method, path, query = line:match("^(%u+) ([^?]*)%??(.*)$")
        local all = { authorization = { "Bearer token" } }
        for name, value in pairs(headers or {}) do
            all[name] = value and { value } or nil
        end
        local status, list, text = subject:handle({
            method = method, path = "/admin/v1" .. path, query = query ~= "" and query or nil,
            headers = all, body = body, peer = "127.0.0.1",
        })
        local by_name = {}
        for _, header in ipairs(list) do
            assert.is_nil(by_name[header[1]])
            by_name[header[1]] = header[2]
        end
        return status, by_name, text
    end

    local function ask_json(...)
        local status, headers, text = ask(...)
        assert.equal("application/json", headers["Content-Type"])
        return status, assert(json.read(text)), headers
    end

    it("puts, deploys, shows and goes back", function()
        within(function()
            local status, state, headers = ask_json("PUT /apis/a1/policy", nil,
                                                    fixtures.policy("One"))
            assert.equal(200, status)
            assert.equal('"1"', headers.ETag)
            assert.equal("no-store", headers["Cache-Control"])
            assert.equal("file", state.active.source)
            assert.equal(1, state.staged.policy_revision)
            assert.equal(fixture.reload.estate.revision, state.estate_revision)
            assert.equal(200, (ask("POST /apis/a1/deploy", { ["if-match"] = '"1"' })))
            assert.equal(200, (ask("PUT /apis/a1/policy", { ["if-match"] = '"2"' },
                                   fixtures.policy("Two"))))
            assert.equal(200, (ask("POST /apis/a1/deploy", { ["if-match"] = "*" })))
            local _, tags, text = ask("GET /apis/a1/policy")
            assert.equal('"4"', tags.ETag)
            assert.matches('"Two"', text, 1, true)
            assert.matches(fixtures.ARN, text, 1, true)
            assert.equal(fixtures.policy("One"),
                         (select(3, ask("GET /apis/a1/policy?revision=1&submitted"))))
            status, state = ask_json("POST /apis/a1/rollback?revision=2",
                                     { ["if-match"] = '"9", "4"' })
            assert.equal(200, status)
            assert.equal(1, state.active.policy_revision)
            local decision = fixture.reload:authorize({ api = "a1", path = "/live/x" })
            assert.equal("One", decision.deciding.sid)
            local _, told = ask_json("GET /apis/a1/history")
            assert.equal(5, #told.history)
            assert.equal("rollback", told.history[1].operation)
            assert.equal("ops", told.history[1].who)
            assert.matches("admin: ops: rollback api `a1`: revision 5",
                           table.concat(fixture.logged, "\n"), 1, true)
        end)
    end)

    it("lists what the estate has", function()
        within(function()
            assert(subject.store:put("endpoint", "vpce-2", fixtures.endpoint_policy("E")))
            local _, told = ask_json("GET /endpoints")
            assert.equal("vpce-2", told.endpoints[2].id)
            assert.equal(1, told.endpoints[2].revision)
            _, told = ask_json("GET /apis")
            assert.equal("p1", told.apis[2].id)
            assert.equal("none", told.apis[2].active.source)
            local status, state = ask_json("GET /endpoints/vpce-2")
            assert.equal(200, status)
            assert.equal("policy", state.active.source)
        end)
    end)

    it("takes the policy of an endpoint away", function()
        within(function()
            assert.equal(200, (ask("PUT /endpoints/vpce-1/policy", { ["if-none-match"] = "*" },
                                   fixtures.endpoint_policy("E"))))
            local status, state = ask_json("DELETE /endpoints/vpce-1/policy",
                                           { ["if-match"] = '"1"' })
            assert.equal(200, status)
            assert.equal("default", state.active.source)
            assert.is_true(json.is_list(state.warnings))
        end)
    end)

    it("tells clients what they have already", function()
        within(function()
            assert(subject.store:put("endpoint", "vpce-1", fixtures.endpoint_policy("E")))
            for _, path in ipairs({ "/endpoints/vpce-1", "/endpoints/vpce-1/policy" }) do
                for _, tag in ipairs({ '"1"', 'W/"1"', '"7", "1"', "*" }) do
                    local status, headers, text = ask("GET " .. path, { ["if-none-match"] = tag })
                    assert.equal(304, status)
                    assert.equal('"1"', headers.ETag)
                    assert.is_nil(text)
                end
                assert.equal(200, (ask("HEAD " .. path, { ["if-none-match"] = '"0"' })))
            end
            -- What stands in the estate's file alone changes without a revision.
            assert.equal(200, (ask("GET /apis/a1", { ["if-none-match"] = '"0"' })))
        end)
    end)

    it("tells where a policy is wrong", function()
        within(function()
            local status, told, headers = ask_json("PUT /apis/a1/policy", nil, '{"Statement":\n [}')
            assert.equal(400, status)
            assert.is_nil(headers.ETag)
            assert.same({ "InvalidPolicyDocument.Json", "policy", 2, 3 },
                        { told.code, told.file, told.line, told.column })
            assert.equal(400, (ask("PUT /apis/a1/policy")))
        end)
    end)

    -- What is asked, with which headers, and how it ends.
    local REFUSED = {
        { "GET /", 404, "NotFound" },
        { "GET ", 404, "NotFound" },
        { "GET /buckets", 404, "NotFound" },
        { "GET /apis/", 404, "NotFound" },
        { "GET /apis/a1/", 404, "NotFound" },
        { "GET /apis/a1/policies", 404, "NotFound" },
        { "GET /apis/a1/policy/x", 404, "NotFound" },
        { "GET /apis/zz", 404, "NoSuchApi" },
        { "GET /apis/%61%31", 404, "NoSuchApi" },
        { "PUT /endpoints/zz/policy", 404, "NoSuchEndpoint" },
        { "GET /apis/p1/policy", 404, "NoPolicy" },
        { "GET /apis/a1/policy?staged", 404, "NoPolicy" },
        { "GET /apis/a1/policy?revision=9", 404, "NoSuchRevision" },
        { "GET /apis/a1/policy?revision=x", 400, "InvalidParameter" },
        { "GET /apis/a1/policy?staged=no", 400, "InvalidParameter" },
        { "GET /apis/a1/policy?stagd", 400, "InvalidParameter" },
        { "GET /apis/a1/policy?staged&staged", 400, "InvalidParameter" },
        { "POST /apis/a1/rollback", 400, "InvalidParameter" },
        { "POST /apis/a1/rollback?revision=7", 404, "NoSuchRevision" },
        { "POST /apis/a1/deploy", 409, "NothingStaged" },
        { "POST /apis/p1/deploy", 409, "PrivateApiWithoutPolicy" },
        { "POST /apis/a1/policy", 405, "MethodNotAllowed" },
        { "DELETE /apis/a1", 405, "MethodNotAllowed" },
        { "GET /apis/a1/deploy", 405, "MethodNotAllowed" },
        { "DELETE /apis", 405, "MethodNotAllowed" },
        { "DELETE /apis/a1/policy", 412, "PreconditionFailed", { ["if-match"] = '"3"' } },
        { "DELETE /apis/a1/policy", 412, "PreconditionFailed", { ["if-match"] = '"x"' } },
        { "DELETE /apis/a1/policy", 412, "PreconditionFailed", { ["if-match"] = 'W/"0"' } },
        { "DELETE /apis/a1/policy", 400, "InvalidParameter", { ["if-match"] = "0" } },
        { "DELETE /apis/a1/policy", 400, "InvalidParameter", { ["if-match"] = "" } },
        { "DELETE /apis/a1/policy", 400, "InvalidParameter", { ["if-none-match"] = '"0"' } },
        { "DELETE /apis/a1/policy", 400, "InvalidParameter",
          { ["if-none-match"] = "*", ["if-match"] = '"0"' } },
    }

    it("refuses what is asked wrongly, and changes nothing", function()
        within(function()
            for _, case in ipairs(REFUSED) do
                local status, told, headers = ask_json(case[1], case[4])
                assert.same({ case[1], case[2], case[3] }, { case[1], status, told.code })
                assert.equal(status == 405, headers.Allow ~= nil)
            end
            assert.same({ "store.json" }, fixture:names())
        end)
    end)

    it("wants to know which revision is changed", function()
        within(function()
            assert.equal(200, (ask("PUT /apis/a1/policy", nil, fixtures.policy("One"))))
            for _, line in ipairs({
                "PUT /apis/a1/policy", "DELETE /apis/a1/policy", "POST /apis/a1/deploy",
                "POST /apis/a1/rollback?revision=1",
            }) do
                local status, told = ask_json(line, nil, fixtures.policy("Two"))
                assert.same({ 428, "PreconditionRequired" }, { status, told.code })
                assert.equal(412, (ask(line, { ["if-match"] = '"0"' }, fixtures.policy("Two"))))
            end
            assert.equal(409, (ask("POST /apis/a1/rollback?revision=1", { ["if-match"] = '"1"' })))
        end)
    end)

    it("is for operators alone", function()
        within(function()
            for _, authorization in ipairs({ false, "Bearer wrong", "Basic b3BzOnRva2Vu" }) do
                for _, line in ipairs({ "GET /apis", "PUT /apis/a1/policy", "GET /nothing" }) do
                    local status, headers, text = ask(line, { authorization = authorization },
                                                      fixtures.policy("One"))
                    assert.equal(401, status)
                    assert.equal('Bearer realm="postern"', headers["WWW-Authenticate"])
                    assert.equal("Unauthorized", json.read(text).code)
                end
            end
            assert.same({ "store.json" }, fixture:names())
            assert.matches("admin: refused: an unknown token", table.concat(fixture.logged, "\n"),
                           1, true)
        end)
        assert.has_error(function()
            admins.new({ store = {}, host = fixture.host })
        end)
        assert.has_error(function()
            admins.new({ store = {}, host = fixture.host, operator = {} })
        end)
    end)

    it("answers when something breaks, and tells the log alone", function()
        within(function()
            subject.store = { get = function() error("inner workings\nof it") end }
            local status, told = ask_json("GET /apis/a1")
            assert.same({ 500, "InternalError" }, { status, told.code })
            assert.is_nil(told.message:find("inner", 1, true))
            assert.matches("inner workings?of it", table.concat(fixture.logged, "\n"), 1, true)
        end)
    end)

    it("says that it does not know what was done when there was no answer in time", function()
        within(function()
            local status, _, text = subject:failed({ method = "PUT", path = "/admin/v1/apis/a1" })
            assert.same({ 500, "InternalError", true },
                        { status, json.read(text).code, json.read(text).unsure })
            assert.matches("admin: PUT /admin/v1/apis/a1: no answer in time",
                           table.concat(fixture.logged, "\n"), 1, true)
        end)
    end)

    it("says who a message comes from", function()
        within(function()
            assert.equal("ops", (subject:identify({ peer = "192.0.2.1",
                headers = { authorization = { "Bearer token" } } })))
            assert.is_nil((subject:identify({ peer = "192.0.2.1", headers = {} })))
        end)
    end)

    it("says when the store is busy, damaged, or the change not in use", function()
        within(function()
            local lock = assert(fixture.files:lock(subject.store.folder .. "/.lock", 0))
            subject.store.wait = 0
            local status, told, headers = ask_json("PUT /apis/a1/policy", nil, fixtures.policy("O"))
            assert.same({ 503, "StoreBusy", "1" }, { status, told.code, headers["Retry-After"] })
            lock:release()
            fixture.reload.reload = function() return false end
            status, told = ask_json("PUT /apis/a1/policy", nil, fixtures.policy("O"))
            assert.same({ 503, "NotInUse", 1 }, { status, told.code, told.revision })
            fixture:write("policies/api.a1.json", "{}")
            status, told = ask_json("GET /apis/a1")
            assert.same({ 500, "StoreDamaged" }, { status, told.code })
        end)
    end)
end)
