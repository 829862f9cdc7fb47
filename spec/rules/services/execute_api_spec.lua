local rules = require("postern.rules")
local plain = require("postern.host.plain")


local ARN = "arn:aws:execute-api:us-east-1:123456789012:abc123/"
local INVOKE = "execute-api:Invoke"


describe("the service execute-api", function()
    local pack

    setup(function()
        pack = assert(rules.load("services", "execute_api", plain.read))
    end)

    -- An API and a call, with changes.
    local function api(changes)
        local made = { id = "abc123", account = "123456789012", region = "us-east-1",
                       stages = { "dev", "prod" } }
        for name, value in pairs(changes or {}) do
            made[name] = value
        end
        return made
    end

    local function context(method, path, changes)
        local made = { api = api(), http = { method = method, path = path } }
        for name, value in pairs(changes or {}) do
            made[name] = value
        end
        return made
    end

    local function resource(given)
        local question, reason, status = pack.resolve(given, {})
        if not question then
            assert.is_string(reason)
            return status
        end
        return question.resource, question
    end

    it("builds the ARN of a method", function()
        for _, row in ipairs({
            { "GET", "/dev/pets", "dev/GET/pets" },
            { "POST", "/prod/pets", "prod/POST/pets" },
            { "GET", "/dev/a/b/c", "dev/GET/a/b/c" },
            -- The root resource ends in /VERB/.
            { "GET", "/dev", "dev/GET/" },
            { "GET", "/dev/", "dev/GET/" },
            -- Slashes stay.
            { "GET", "/dev/pets/", "dev/GET/pets/" },
            { "GET", "/dev//pets", "dev/GET//pets" },
            { "GET", "/dev/a//", "dev/GET/a//" },
            -- The path is decoded already: nothing in it is special any more.
            { "GET", "/dev/a b", "dev/GET/a b" },
            { "GET", "/dev/a?b", "dev/GET/a?b" },
            { "GET", "/dev/*:x", "dev/GET/*:x" },
            { "GET", "/dev/${aws:username}", "dev/GET/${aws:username}" },
            { "OPTIONS", "/dev/x", "dev/OPTIONS/x" },
            { "FOO-BAR", "/dev/x", "dev/FOO-BAR/x" },
            { "M2_X", "/dev/x", "dev/M2_X/x" },
        }) do
            local arn, question = resource(context(row[1], row[2]))
            assert.equal(ARN .. row[3], arn)
            assert.equal(INVOKE, question.action)
            assert.is_nil(question.also)
            assert.is_nil(question.domain)
        end
    end)

    it("says stage and path", function()
        local _, question = resource(context("GET", "/dev/a/b/"))
        assert.same({ "dev", "/a/b/" }, { question.stage, question.path })
        _, question = resource(context("GET", "/dev"))
        assert.same({ "dev", "/" }, { question.stage, question.path })
    end)

    it("never makes the query a part of it", function()
        local given = context("GET", "/dev/pets")
        given.http.raw_path, given.http.query = "/dev/pets?a=1", { { "a", "1" } }
        assert.equal(ARN .. "dev/GET/pets", (resource(given)))
    end)

    it("takes the whole path when the host has split the stage off", function()
        for path, expected in pairs({ ["/pets"] = "dev/GET/pets", ["/"] = "dev/GET/",
                                      ["/dev/pets"] = "dev/GET/dev/pets", ["//"] = "dev/GET//" }) do
            assert.equal(ARN .. expected, (resource(context("GET", path, { stage = "dev" }))))
        end
        assert.equal(403, (resource(context("GET", "/pets", { stage = "test" }))))
    end)

    it("names partition, region and account of the API", function()
        local given = context("GET", "/dev/pets", { api = api({
            partition = "aws-cn", region = "cn-north-1", account = "111122223333", id = "x" }) })
        assert.equal("arn:aws-cn:execute-api:cn-north-1:111122223333:x/dev/GET/pets",
                     (resource(given)))
    end)

    it("refuses a stage that the API does not have", function()
        assert.equal(403, (resource(context("GET", "/test/pets"))))
        assert.equal(403, (resource(context("GET", "/"))))
        assert.equal(403, (resource(context("GET", "//dev/pets"))))
        assert.equal(403, (resource(context("GET", "/DEV/pets"))))
        -- An API whose stages are not known takes any that can be one.
        for path, expected in pairs({
            ["/test/pets"] = ARN .. "test/GET/pets", ["/a-b_C9"] = ARN .. "a-b_C9/GET/",
            ["/a:b/pets"] = 403, ["/*/pets"] = 403, ["/a b/pets"] = 403, ["/"] = 403,
        }) do
            local given = context("GET", path)
            given.api.stages = nil
            assert.equal(expected, (resource(given)), path)
        end
    end)

    it("knows the default stage of an HTTP API, which is not in the path", function()
        local given = context("GET", "/pets", { api = api({ stages = { "$default", "dev" } }) })
        assert.equal(ARN .. "$default/GET/pets", (resource(given)))
        given.http.path = "/dev/pets"
        assert.equal(ARN .. "dev/GET/pets", (resource(given)))
        given.http.path = "/"
        assert.equal(ARN .. "$default/GET/", (resource(given)))
        -- It has to be declared.
        assert.equal(403, (resource(context("GET", "/$default/pets"))))
    end)

    it("refuses methods that are not in upper case", function()
        for _, method in ipairs({ "get", "Get", "", " GET", "GET ", "GE T", "*", "G*", "GET/x",
                                  "-GET", "1GET", "GET\n", "G\xC3\x89T" }) do
            assert.equal(400, (resource(context(method, "/dev/pets"))), method)
        end
        assert.equal(400, (resource(context(nil, "/dev/pets"))))
        assert.equal(400, (resource({ api = api(), stage = "dev" })))
    end)

    it("refuses paths that do not begin with a slash", function()
        assert.equal(400, (resource(context("GET", "dev/pets"))))
        assert.equal(400, (resource(context("GET", ""))))
    end)

    it("answers 414 when the ARN is longer than 1600 bytes", function()
        local fixed = #(ARN .. "dev/GET/")
        assert.equal(ARN .. "dev/GET/" .. ("x"):rep(1600 - fixed),
                     (resource(context("GET", "/dev/" .. ("x"):rep(1600 - fixed)))))
        assert.equal(414, (resource(context("GET", "/dev/" .. ("x"):rep(1601 - fixed)))))
        -- Bytes, not characters.
        assert.equal(414, (resource(context("GET", "/dev/" .. ("\xC3\xA9"):rep(800)))))
        assert.equal(1600, pack.data.max_arn)
    end)

    it("fails when the API is not described", function()
        for _, member in ipairs({ "id", "account", "region" }) do
            local given = context("GET", "/dev/pets")
            given.api[member] = nil
            local question, reason, status = pack.resolve(given, {})
            assert.same({ nil, ("the API has no `%s`"):format(member), 500 },
                        { question, reason, status })
        end
        assert.equal(500, (resource({ http = { method = "GET", path = "/dev" } })))
    end)

    it("does not change what it is given", function()
        local given = context("GET", "/dev/pets")
        pack.resolve(given, {})
        assert.same(context("GET", "/dev/pets"), given)
    end)

    it("has no options", function()
        assert.is_true(pack.check({}))
        assert.matches("unknown option `x`", select(2, pack.check({ x = 1 })), 1, true)
    end)


    describe("asks about the cache", function()
        local function also(values, changes)
            local given = context("GET", "/dev/pets", changes)
            given.http.headers = { ["cache-control"] = values }
            local question = assert(pack.resolve(given, {}))
            return question.also
        end

        it("when the client wants it renewed", function()
            for _, values in ipairs({
                { "max-age=0" }, { "Max-Age=0" }, { "no-cache, max-age=0" },
                { "max-age=0,no-store" }, { " max-age = 0 " }, { "max-age=00" },
                { 'max-age="0"' }, { "no-cache", "max-age=0" },
            }) do
                assert.same({ { action = "execute-api:InvalidateCache",
                                resource = ARN .. "dev/GET/pets" } }, also(values), values[1])
            end
        end)

        it("and not otherwise", function()
            for _, values in ipairs({
                {}, { "" }, { "no-cache" }, { "max-age=10" }, { "max-age=0.5" }, { "s-maxage=0" },
                { "x-max-age=0" }, { "max-age" }, { "max-age=" }, { "max-age=0 1" },
            }) do
                assert.is_nil(also(values), values[1])
            end
            assert.is_nil(also(nil))
        end)

        it("when the header may have been dropped", function()
            local given = context("GET", "/dev/pets")
            given.http.headers, given.http.headers_truncated = {}, true
            assert.equal(1, #assert(pack.resolve(given, {})).also)
        end)

        it("in linear time", function()
            local start = os.clock()
            also({ (" "):rep(1000000) .. "x" })
            also({ ("max-age=0x,"):rep(100000) })
            also({ "max-age=" .. ("0"):rep(1000000) .. (" "):rep(1000000) .. "x" })
            assert.is_true(os.clock() - start < 2)
        end)
    end)


    describe("of a WebSocket API", function()
        local function websocket(changes)
            local made = context("GET", "/dev", {
                api = api({ websocket = true, routes = { "$connect", "$default", "send" } }) })
            for name, value in pairs(changes or {}) do
                made[name] = value
            end
            return made
        end

        it("names route keys", function()
            for _, row in ipairs({
                { nil, "dev/$connect" },
                { "$connect", "dev/$connect" },
                { "$disconnect", "dev/$default" }, -- not among the routes
                { "$default", "dev/$default" },
                { "send", "dev/send" },
                { "other", "dev/$default" },
            }) do
                local arn, question = resource(websocket({ route = row[1] }))
                assert.equal(ARN .. row[2], arn)
                assert.equal(INVOKE, question.action)
            end
        end)

        it("takes any route when none are listed", function()
            local given = websocket({ route = "other" })
            given.api.routes = nil
            assert.equal(ARN .. "dev/other", (resource(given)))
        end)

        it("refuses a route that there is not", function()
            local given = websocket({ route = "other" })
            given.api.routes = { "send" }
            assert.equal(403, (resource(given)))
            for _, route in ipairs({ "", "a\nb", 7 }) do
                assert.equal(400, (resource(websocket({ route = route }))))
            end
        end)

        it("has no paths", function()
            local given = websocket()
            given.http.path = "/dev/pets"
            assert.equal(403, (resource(given)))
        end)

        it("asks nothing about the cache", function()
            local given = websocket()
            given.http.headers = { ["cache-control"] = { "max-age=0" } }
            assert.is_nil(assert(pack.resolve(given, {})).also)
        end)

        it("manages connections as methods", function()
            for _, row in ipairs({
                { "POST", "/dev/@connections/L0SM9cOFvHc=", "POST/@connections/L0SM9cOFvHc=" },
                { "GET", "/dev/@connections/id", "GET/@connections/id" },
                { "DELETE", "/dev/@connections/id", "DELETE/@connections/id" },
                { "POST", "/dev/@connections", "POST/@connections" },
            }) do
                local given = websocket()
                given.http.method, given.http.path = row[1], row[2]
                local arn, question = resource(given)
                assert.equal(ARN .. "dev/" .. row[3], arn)
                assert.equal("execute-api:ManageConnections", question.action)
            end
            local given = websocket()
            given.http.path = "/dev/@connectionsx"
            assert.equal(403, (resource(given)))
        end)

        it("has messages whose path is not the client's to choose", function()
            local given = websocket({ route = "send" })
            given.http.path = "/dev/@connections/id"
            assert.equal(ARN .. "dev/send", (resource(given)))
        end)

        it("is the only one that manages connections", function()
            local _, question = resource(context("POST", "/dev/@connections/id"))
            assert.equal(INVOKE, question.action)
        end)
    end)


    describe("behind a custom domain", function()
        local function call(path, domains, changes)
            local given = context("GET", path, { api = api({ domains = domains }) })
            given.http.host = "api.example.com"
            for name, value in pairs(changes or {}) do
                given[name] = value
            end
            return given
        end

        it("takes the base path off, and the stage from the mapping", function()
            local domains = { ["api.example.com"] = { base_path = "v1", stage = "dev" } }
            for path, expected in pairs({
                ["/v1/pets"] = ARN .. "dev/GET/pets", ["/v1"] = ARN .. "dev/GET/",
                ["/v1/"] = ARN .. "dev/GET/", ["/v1/pets/"] = ARN .. "dev/GET/pets/",
                ["/v1/dev/pets"] = ARN .. "dev/GET/dev/pets",
                -- Whole segments, and their case.
                ["/v1pets"] = 403, ["/V1/pets"] = 403, ["/pets"] = 403, ["/"] = 403,
            }) do
                assert.equal(expected, (resource(call(path, domains))), path)
            end
        end)

        it("takes the stage from the path when the mapping has none", function()
            assert.equal(ARN .. "dev/GET/pets",
                         (resource(call("/v1/dev/pets", { ["api.example.com"] = "v1" }))))
            assert.equal(ARN .. "dev/GET/pets",
                         (resource(call("/dev/pets", { ["api.example.com"] = "(none)" }))))
            assert.equal(403, (resource(call("/v1/pets", { ["api.example.com"] = "v1" }))))
        end)

        it("takes the longest base path", function()
            local domains = { ["api.example.com"] = {
                { base_path = "v1", stage = "dev" },
                { base_path = "v1/new", stage = "prod" },
                { base_path = "", stage = "prod" },
            } }
            for path, expected in pairs({
                ["/v1/new/pets"] = "prod/GET/pets", ["/v1/newer"] = "dev/GET/newer",
                ["/v1/pets"] = "dev/GET/pets", ["/v2/pets"] = "prod/GET/v2/pets",
                ["/"] = "prod/GET/",
            }) do
                assert.equal(ARN .. expected, (resource(call(path, domains))), path)
            end
        end)

        it("knows the host in any spelling (CVE-2021-39155)", function()
            local domains = { ["API.example.com"] = { base_path = "v1", stage = "dev" } }
            for _, host in ipairs({ "api.example.com", "API.EXAMPLE.COM", "api.example.com.",
                                    "api.example.com:443", "Api.Example.Com.:8443" }) do
                local given = call("/v1/pets", domains)
                given.http.host = host
                assert.equal(ARN .. "dev/GET/pets", (resource(given)), host)
            end
            -- Any other host is the default endpoint, with the stage in its path.
            for _, host in ipairs({ "other.example.com", "api.example.com.evil.example" }) do
                local given = call("/v1/pets", domains)
                given.http.host = host
                assert.equal(403, (resource(given)))
                given.http.path = "/prod/pets"
                assert.equal(ARN .. "prod/GET/pets", (resource(given)))
            end
        end)

        it("names the ARN of a private domain", function()
            local _, question = resource(call("/v1/pets", { ["api.example.com"] = {
                base_path = "v1", stage = "dev", id = "abcd1234" } }))
            assert.same({ name = "api.example.com", arn = "arn:aws:execute-api:us-east-1:"
                .. "123456789012:/domainnames/api.example.com+abcd1234" }, question.domain)
            _, question = resource(call("/v1/pets", { ["api.example.com"] = {
                base_path = "v1", stage = "dev", id = "abcd1234", account = "111122223333",
                region = "eu-west-1" } }))
            assert.equal("arn:aws:execute-api:eu-west-1:111122223333:/domainnames/"
                .. "api.example.com+abcd1234", question.domain.arn)
            -- A public domain is no resource.
            _, question = resource(call("/v1/dev/x", { ["api.example.com"] = "v1" }))
            assert.same({ name = "api.example.com" }, question.domain)
        end)

        it("keeps the path whole when the host has split it", function()
            local arn, question = resource(call("/pets", { ["api.example.com"] = {
                base_path = "v1", stage = "dev", id = "abcd1234" } }, { stage = "prod" }))
            assert.equal(ARN .. "prod/GET/pets", arn)
            assert.matches("api.example.com+abcd1234", question.domain.arn, 1, true)
        end)
    end)
end)
