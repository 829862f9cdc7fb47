local messages = require("spec.support.messages")
local crypto = require("postern.crypto")
local native = require("postern.protocol.native")


local ESTATE = messages.estate([[
account "111122223333" region "eu-central-1"
api "open" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
             policy = "pets.json" }
api "cached" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
               policy = "pets.json", cache_invalidation = "FAIL_WITH_403" }
api "iam" { endpoint_type = "REGIONAL", authorization = "IAM", stages = { "dev" } }
rules "shape.lua"
]], {
    ["pets.json"] = [[{"Version":"2012-10-17","Statement":[
        {"Sid":"Pets","Effect":"Allow","Principal":"*","Action":"*",
         "Resource":"execute-api:/dev/GET/pets*"},
        {"Sid":"Late","Effect":"Allow","Principal":"*","Action":"*","Resource":"*",
         "Condition":{"NumericLessThan":{"acme:Hour":"9"}}}]}]],
    ["shape.lua"] = [[return { kind = "hooks", name = "shape", api = 1,
        check = function() return true end,
        after = function(context, decision)
            if context.http and context.http.path == "/dev/pets/tagged" then
                return { headers = { ["x-tag"] = "a\"b" }, obligations = { mask = "email" } }
            end
        end }]],
})

local PETS = { api = "open", method = "GET", path = "/dev/pets" }
local OTHER = { api = "open", method = "GET", path = "/dev/other" }

local PLAIN = native.new()
local DIGEST = crypto.hex(crypto.sha256("secret"))
local GUARDED = native.new({ peers = { "127.0.0.1", "bearer:" .. DIGEST },
                             explain = { "127.0.0.1" }, most = 2 })


local function answer(protocol, message)
    return messages.answer(protocol, message, messages.asker(ESTATE))
end

local function decide(body, protocol, target, members)
    return answer(protocol or PLAIN, messages.post(target or "/v1/decide", body, members))
end


describe("a decision asked for", function()
    it("is told in full, always with 200", function()
        local allowed = decide(PETS)
        assert.same({ 200, "application/json", "no-store" }, { allowed.status,
            allowed.headers["content-type"], allowed.headers["cache-control"] })
        assert.same({ decision = "Allowed", allowed = true, reason = "allow", status = 200,
                      revision = ESTATE.revision }, allowed.json)
        local denied = decide(OTHER)
        assert.same({ 200, { decision = "ImplicitlyDenied", allowed = false, status = 403,
                             reason = "no_allow_resource", revision = ESTATE.revision } },
                    { denied.status, denied.json })
    end)

    it("does not mix up what is kept", function()
        for _ = 1, 2 do
            assert.is_true(decide(PETS).json.allowed)
            assert.is_false(decide(OTHER).json.allowed)
            assert.equal("error", decide({ api = "nope", path = "/x" }).json.reason)
            assert.equal(400, decide({ api = "open", path = "/dev//x" }).json.status)
            assert.equal(403, decide({ api = "nope", path = "/x" }).json.status)
        end
    end)

    it("tells another revision when there is one", function()
        local told = {}
        for i, revision in ipairs({ "a", "b", "a" }) do
            local body = select(3, PLAIN:handle(messages.post("/v1/decide", PETS), function()
                return { allowed = true, decision = "Allowed", reason = "x", status = 200,
                         revision = revision }
            end))
            told[i] = body
        end
        assert.is_truthy(told[1]:find('"revision":"a"', 1, true))
        assert.is_truthy(told[2]:find('"revision":"b"', 1, true))
        assert.equal(told[1], told[3])
    end)

    it("keeps answers apart by outcome, reason and status, and not too many", function()
        local base = { allowed = true, decision = "Allowed", reason = "x", status = 200,
                       revision = "r" }
        for i = 1, 600 do
            local name = ({ "decision", "reason", "status" })[i % 3 + 1]
            local decision = setmetatable({ allowed = i % 2 == 0, decision = i % 2 == 0
                and "Allowed" or "ImplicitlyDenied" }, { __index = base })
            decision[name] = name == "status" and i or name == "reason" and "x" .. i
                or decision.decision
            local told = messages.answer(PLAIN, messages.post("/v1/decide", PETS), function()
                return decision
            end).json
            assert.same({ decision.allowed, decision.decision, decision.reason, decision.status },
                        { told.allowed, told.decision, told.reason, told.status })
        end
        assert.is_true(PLAIN.count <= 256)
    end)

    it("keeps no answer that has more than others like it", function()
        for _, more in ipairs({ { headers = { a = "1" } }, { obligations = { a = "1" } },
                                { hook = "h" }, { code = "c" }, { reachability = "route" },
                                { cache_invalidation = "AUTHORIZED" } }) do
            local name, value = next(more)
            for _ = 1, 2 do
                for _, plain in ipairs({ true, false }) do
                    local told = messages.answer(PLAIN, messages.post("/v1/decide", PETS),
                        function()
                            return { allowed = true, decision = "Allowed", reason = "allow",
                                     status = 200, revision = "r", [name] = plain and value or nil }
                        end).json
                    assert.same(plain and value or nil, told[name])
                end
            end
        end
    end)

    it("has the decision's headers, obligations and codes", function()
        local tagged = decide({ api = "open", method = "GET", path = "/dev/pets/tagged" }).json
        assert.same({ { ["x-tag"] = 'a"b' }, { mask = "email" } },
                    { tagged.headers, tagged.obligations })
        assert.is_nil(decide(PETS).json.headers)
        local code = decide({ api = "iam", method = "GET", path = "/dev/x" }).json
        assert.same({ "authentication", "MISSING_AUTHENTICATION_TOKEN" },
                    { code.reason, code.code })
        local cache = decide({ api = "cached", method = "GET", path = "/dev/pets",
                               headers = { ["cache-control"] = "max-age=0" } }).json
        assert.equal("AUTHORIZED", cache.cache_invalidation)
    end)

    it("compares numbers with the digits they are written with", function()
        local function hour(text)
            return decide(('{"api":"open","path":"/dev/x","context":{"acme:Hour":%s}}')
                :format(text)).json.allowed
        end
        assert.is_true(hour("8.999999999999999999999"))
        assert.is_false(hour("9.000000000000000000001"))
    end)

    it("is not told why, unless a listed peer asks", function()
        local body = decide(OTHER, GUARDED).body
        for _, word in ipairs({ "Pets", "pets.json", "arn:", "explanation", "deciding" }) do
            assert.is_nil(body:find(word, 1, true), word)
        end
        local explained = decide(PETS, GUARDED, "/v1/decide?explain=true").json
        assert.same({ "Pets", "pets.json", 2, "Allow" }, { explained.deciding.sid,
            explained.deciding.file, explained.deciding.line, explained.deciding.effect })
        assert.is_truthy(explained.explanation:find("decided by", 1, true))
        explained = decide({ api = "nope", path = "/x" }, GUARDED, "/v1/decide?explain=true").json
        assert.equal("there is no API `nope`", explained.error)
        assert.is_nil(decide(OTHER, GUARDED, "/v1/decide?explain=false").json.explanation)
        local holder = { peer = "192.0.2.1", headers = { authorization = "Bearer secret" } }
        assert.equal(403, decide(PETS, GUARDED, "/v1/decide?explain=true", holder).status)
        assert.equal(200, decide(PETS, GUARDED, "/v1/decide", holder).status)
        assert.equal(403, decide(PETS, PLAIN, "/v1/decide?explain=true").status)
        for _, query in ipairs({ "explain=1", "explain", "explain=true&explain=true" }) do
            assert.equal(400, decide(PETS, GUARDED, "/v1/decide?" .. query).status, query)
        end
    end)
end)


describe("a batch", function()
    local function batch(body, protocol, query)
        return decide(body, protocol, "/v1/decide/batch" .. (query or ""))
    end

    it("is decided in order", function()
        local reasons = {}
        for i, one in ipairs(batch({ PETS, OTHER, PETS }).json) do
            reasons[i] = one.reason
        end
        assert.same({ "allow", "no_allow_resource", "allow" }, reasons)
        assert.equal("[]", batch("[]").body)
    end)

    it("denies what it cannot read, and goes on", function()
        local list = batch('[{"api":"open",\n"pth":"/dev/pets"},7,'
            .. '{"api":"open","path":"/dev/pets"}]').json
        assert.equal(3, #list)
        assert.same({ decision = "ImplicitlyDenied", allowed = false, reason = "error",
                      status = 400 },
                    { decision = list[1].decision, allowed = list[1].allowed,
                      reason = list[1].reason, status = list[1].status })
        assert.same({ 2, 1 }, { list[1].error.line, list[1].error.column })
        assert.is_truthy(list[1].error.message:find("unknown member `pth`", 1, true))
        assert.is_false(list[2].allowed)
        assert.is_true(list[3].allowed)
    end)

    it("may be explained", function()
        local list = batch({ PETS, OTHER }, GUARDED, "?explain=true").json
        assert.equal("Pets", list[1].deciding.sid)
        assert.is_truthy(list[2].explanation)
    end)

    it("is refused as a whole when it is none, or too long", function()
        assert.equal(400, batch(PETS).status)
        assert.equal(413, batch({ PETS, PETS, PETS }, GUARDED).status)
        assert.equal(200, batch({ PETS, PETS }, GUARDED).status)
    end)
end)


describe("a message of the native protocol", function()
    it("is refused when it is malformed, with the place", function()
        local refused = decide('{"api":"open",\n "api":"open"}')
        assert.same({ 400, 2 }, { refused.status, refused.json.line })
        refused = decide('{"api":"open",\n  "x":1}')
        assert.same({ 400, 2, 3 }, { refused.status, refused.json.line, refused.json.column })
        for _, body in ipairs({ "", "{", "[]", "null", '{"api":"\\ud800"}', "{} x", "\255" }) do
            assert.equal(400, decide(body).status, body)
        end
        assert.equal(400, answer(PLAIN, messages.post("/v1/decide", nil)).status)
    end)

    it("is a POST of JSON as it is", function()
        local got = answer(PLAIN, messages.message("GET", "/v1/decide"))
        assert.same({ 405, "POST" }, { got.status, got.headers.allow })
        for name, value in pairs({ ["content-type"] = "text/plain", ["content-encoding"] = "gzip" })
        do
            assert.equal(415, decide(PETS, PLAIN, nil, { headers = { [name] = value } }).status)
        end
        assert.equal(404, decide(PETS, PLAIN, "/v1/decide/other").status)
        assert.equal(200, decide(PETS, native.new({ prefix = "/ask" }), "/ask").status)
        assert.equal(404, decide(PETS, native.new({ prefix = "/ask" })).status)
        local led = messages.post("/a/batch", { PETS })
        led.endpoint = "/a"
        assert.equal(200, answer(PLAIN, led).status)
        led.path = "/a/batches"
        assert.equal(404, answer(PLAIN, led).status)
    end)

    it("comes from a listed peer where they are listed", function()
        assert.equal(200, decide(PETS, GUARDED).status)
        local refused = decide(PETS, GUARDED, nil, { peer = "192.0.2.1" })
        assert.same({ 401, "Bearer" }, { refused.status, refused.headers["www-authenticate"] })
        refused = decide(PETS, GUARDED, nil, { peer = "192.0.2.1",
                                               headers = { authorization = "Bearer x" } })
        assert.equal(403, refused.status)
    end)

    it("is 500 when deciding raises, and never an allow", function()
        local raised = messages.answer(PLAIN, messages.post("/v1/decide", PETS), function()
            error("secret")
        end)
        assert.same({ 500, { message = "Internal Server Error" } }, { raised.status, raised.json })
        assert.is_truthy(raised.why:find("secret", 1, true))
        assert.is_true(decide(PETS).json.allowed) -- and the next is not disturbed
    end)

    it("is 500 when its host has failed", function()
        local status, _, body = PLAIN:failed(messages.post("/v1/decide", PETS))
        assert.same({ 500, '{"message":"Internal Server Error"}' }, { status, body })
    end)

    it("has the certificate of its connection where clients ask for themselves", function()
        local certificate = { verified = true, subject = "CN=a", fingerprint = "ab" }
        local own = native.new({ client_certificate = "peer" })
        local function asked_with(protocol, target, body, tls)
            local ask, asked = messages.asker(ESTATE)
            local got = messages.answer(protocol, messages.post(target, body, { tls = tls }), ask)
            return asked, got
        end
        for target, body in pairs({ ["/v1/decide"] = PETS, ["/v1/decide/batch"] = { PETS } }) do
            assert.equal(certificate,
                asked_with(own, target, body, certificate)[1].client_certificate)
            assert.is_nil(asked_with(own, target, body, { verified = false })[1].client_certificate)
            assert.is_nil(asked_with(own, target, body, nil)[1].client_certificate)
            assert.is_nil(asked_with(PLAIN, target, body, certificate)[1].client_certificate)
        end
        local forged = { api = "open", method = "GET", path = "/dev/pets",
                         client_certificate = { verified = true, subject = "CN=b" } }
        local asked, got = asked_with(own, "/v1/decide", forged, certificate)
        assert.same({ {}, 400 }, { asked, got.status })
        assert.matches("`client_certificate` is that of the connection", got.json.message, 1, true)
        asked, got = asked_with(own, "/v1/decide/batch", { forged, PETS }, certificate)
        assert.equal(1, #asked)
        assert.same({ false, true }, { got.json[1].allowed, got.json[2].allowed })
        asked = asked_with(PLAIN, "/v1/decide", forged, certificate)
        assert.equal("CN=b", asked[1].client_certificate.subject)
    end)

    it("may wait for one decision while another is answered", function()
        local first = coroutine.wrap(function()
            return select(3, PLAIN:handle(messages.post("/v1/decide/batch", { PETS, PETS }),
                function(request)
                    coroutine.yield()
                    return ESTATE:authorize(request)
                end))
        end)
        first()
        local other = decide({ api = "open", method = "GET", path = "/dev/pets/tagged" }).body
        assert.is_nil(first())
        assert.equal(other, decide({ api = "open", method = "GET",
                                     path = "/dev/pets/tagged" }).body)
        local text = decide(PETS).body
        assert.equal("[" .. text .. "," .. text .. "]", first())
    end)

    it("is configured with options that are checked", function()
        for expected, given in pairs({
            ["unknown option `peer`"] = { peer = {} },
            ["`client_certificate` is `none`: there are `peer`, `request`"] = {
                client_certificate = "none" },
            ["`peers`: `0.0.0.0/0` is everybody"] = { peers = { "0.0.0.0/0" } },
            ["`explain`: "] = { explain = { "x" } },
            ["`prefix`: give a path"] = { prefix = "v1/" },
            ["`most`: give"] = { most = 0 },
        }) do
            assert.equal(expected, native.fault(given):sub(1, #expected))
            local ok, err = pcall(native.new, given)
            assert.is_false(ok)
            assert.is_truthy(err:find("native: " .. expected, 1, true), err)
        end
        assert.is_nil(native.fault({ prefix = "/x" }))
    end)
end)


describe("a decision at once", function()
    local estate = messages.estate([[
account "111122223333" region "eu-central-1"
api "open" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
             policy = "pets.json" }
]], {
        ["pets.json"] = [[{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Principal":"*","Action":"*",
             "Resource":"execute-api:/dev/GET/pets*"}]}]],
    })
    local ask, asked = messages.asker(estate)

    local function at_once(body, protocol, target, members)
        return messages.at_once(protocol or PLAIN, messages.post(target or "/v1/decide", body,
                                                                 members), ask)
    end

    before_each(function()
        messages.answer(PLAIN, messages.post("/v1/decide", PETS), ask) -- its plan is made
    end)

    it("is the one that is made otherwise, of what the client says", function()
        for _, request in ipairs({ PETS, OTHER }) do
            local general = messages.answer(PLAIN, messages.post("/v1/decide", request), ask)
            local count = #asked
            local status, headers, body = at_once(request)
            assert.same({ 200, general.body }, { status, body })
            assert.is_true(headers.constant)
            assert.equal(count, #asked)
        end
    end)

    it("does not look at headers", function()
        local with = { api = "open", method = "GET", path = "/dev/pets", headers = { A = "1" } }
        assert.equal(200, (at_once(with)))
        messages.answer(PLAIN, messages.post("/v1/decide", with), ask)
        assert.same({ A = { "1" } }, messages.told(asked[#asked]).headers)
    end)

    it("is not for what has to be looked at", function()
        for _, body in ipairs({ "", "{}", "[]", '{"api":1}', '{"api":"open","path":"/dev/pets"}x',
                                '{"api":"open","path":"/dev/pets","context":{}}',
                                '{"api":"open","path":"/dev//pets"}',
                                '{"api":"open","path":"/dev/pets","headers":{"A":"","a":""}}' }) do
            assert.is_nil((at_once(body)), body)
        end
        assert.is_nil((at_once(PETS, nil, "/v1/decide/batch")))
        assert.is_nil((at_once(PETS, nil, "/v1/decide?explain=true")))
        assert.is_nil((at_once(PETS, nil, "/v1/decide?")))
        assert.is_nil((at_once(PETS, nil, nil, { headers = { ["content-type"] = "text/plain" } })))
        assert.is_nil((at_once(PETS, nil, nil, { headers = { ["content-encoding"] = "gzip" } })))
        assert.is_nil((messages.at_once(PLAIN, messages.message("PUT", "/v1/decide", {
            body = PETS, headers = { ["content-type"] = "application/json" } }), ask)))
    end)

    it("is for those who may ask", function()
        for _ = 1, 2 do
            assert.equal(200, (at_once(PETS, GUARDED)))
            assert.is_nil((at_once(PETS, GUARDED, nil, { peer = "192.0.2.1" })))
        end
    end)

    it("is not for clients that are known by their certificate", function()
        local own = native.new({ client_certificate = "peer" })
        local tls = { verified = true, subject = "CN=a", fingerprint = "f" }
        assert.is_nil((at_once(PETS, own, nil, { tls = tls })))
        local passed = 0
        local function passing(call)
            passed = passed + 1
            return estate:decide_plain(call)
        end
        for _, row in ipairs({ { "/v1/decide", PETS }, { "/v1/decide/batch", { PETS, OTHER } } }) do
            local before = #asked
            local status = own:handle(messages.post(row[1], row[2], { tls = tls }), ask, passing)
            assert.equal(200, status)
            for i = before + 1, #asked do
                assert.equal(tls, asked[i].client_certificate)
            end
            assert.is_true(#asked > before)
            assert.equal(0, passed)
        end
    end)

    it("is made of each in a batch, and the others are asked", function()
        local batch = { PETS, OTHER, { api = "open", method = "GET", path = "/dev/pets",
                                       headers = { A = "1" } } }
        local general = messages.answer(PLAIN, messages.post("/v1/decide/batch", batch), ask)
        local calls, refuse_second = 0, false
        local function some(request)
            calls = calls + 1
            if refuse_second and calls == 2 then
                return nil, true
            end
            return estate:decide_plain(request)
        end
        local count = #asked
        for _, refused in ipairs({ false, true }) do
            calls, refuse_second = 0, refused
            local status, _, body = PLAIN:handle(messages.post("/v1/decide/batch", batch), ask,
                                                 some)
            assert.same({ 200, general.body }, { status, body })
            assert.equal(3, calls)
        end
        assert.equal(count + 1, #asked)
        local _, _, other = PLAIN:handle(messages.post("/v1/decide/batch", batch), ask, function()
            error("nobody should see this")
        end)
        assert.equal(general.body, other)
        -- Where no decision is made at once, nobody goes on asking.
        calls = 0
        local _, _, body = PLAIN:handle(messages.post("/v1/decide/batch", batch), ask, function()
            calls = calls + 1
            return nil, true
        end)
        assert.same({ general.body, 1 }, { body, calls })
    end)
end)
