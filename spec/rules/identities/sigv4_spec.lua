local crypto = require("postern.crypto")
local identities = require("postern.identities")
local json = require("dkjson")
local plain = require("postern.host.plain")
local randoms = require("spec.support.random")
local rules = require("postern.rules")

local SHARED = os.getenv("POSTERN_SHARED") or "../shared"

local ARN = "arn:aws:iam::111122223333:user/robots/shipping"
local SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
local EMPTY = crypto.hex(crypto.sha256(""))
local DAY = 1440892800 -- 2015-08-30T00:00:00Z, from `date`
local NOON36 = DAY + (12 * 60 + 36) * 60

local pack = assert(rules.load("identities", "sigv4", plain.read))
local tools = identities.tools(function() return NOON36 end)


local function config_of(more)
    local config = {
        keys = { AKIDEXAMPLE = { secret = SECRET, principal = ARN } },
        service = "service", region = "us-east-1",
    }
    for name, value in pairs(more or {}) do
        config[name] = value
    end
    return config
end


local function identify(http, config, now)
    config = config or config_of()
    assert(pack.check(config, tools))
    return pack.identify({ http = http, now = now or NOON36 }, config, tools)
end


local function assert_accepts(http, config, now)
    local principal, err, code = identify(http, config, now)
    assert.is_nil(err)
    assert.is_nil(code)
    assert.equal(ARN, principal.arn)
    return principal
end


local function assert_refuses(code, message, http, config, now)
    local principal, err, why = identify(http, config, now)
    assert.is_nil(principal)
    assert.matches(message, err, 1, true)
    assert.equal(code, why)
end


-- The text of an HTTP/1.1 request as a context's `http`. A line that starts with a space goes on
-- with the header before it, as old clients folded them.
local function parse_http(text)
    local head, body = text:match("^(.-)\n\n(.*)$")
    if not head then
        head, body = text, ""
    end
    local first, rest = head:match("^([^\n]*)\n?(.*)$")
    -- The suite has paths with spaces, hence no split at the first one.
    local method, target = first:match("^(%S+) (.*) HTTP/1%.1$")
    local path, query = target:match("^([^?]*)%??(.*)$")
    local headers = {}
    for name, value in (rest .. "\n"):gsub("\n([ \t])", "\0%1"):gmatch("([^:\n]+):([^\n]*)\n") do
        name = name:lower()
        headers[name] = headers[name] or {}
        table.insert(headers[name], (value:gsub("%z", "\n")))
    end
    return {
        method = method, path = path, raw_path = path, raw_query = query, headers = headers,
        body_sha256 = crypto.hex(crypto.sha256(body)), scheme = "https",
    }
end


describe("the public test suite", function()
    local file = io.open(SHARED .. "/corpus/sigv4/vectors.jsonl", "rb")
    if not file then
        pending("is not there: set POSTERN_SHARED, or put it at ../shared")
        return
    end
    local vectors = {}
    for line in file:lines() do
        vectors[#vectors + 1] = assert(json.decode(line))
    end
    file:close()

    local function config_for(vector)
        local asked = vector.context
        return config_of({
            keys = { [asked.credentials.access_key_id] = {
                secret = SECRET, principal = ARN, session_token = asked.credentials.token,
            } },
            service = asked.service, region = asked.region, normalize = asked.normalize,
            unsigned_token = asked.omit_session_token,
        })
    end

    it("is there as a whole", function()
        assert.equal(38, #vectors)
    end)

    for _, vector in ipairs(vectors) do
        for _, form in ipairs({ "header", "query" }) do
            it(("verifies: %s, %s form"):format(vector.name, form), function()
                assert.equal("2015-08-30T12:36:00Z", vector.context.timestamp)
                local http = parse_http(vector[form .. "-signed-request"])
                local principal = assert_accepts(http, config_for(vector))
                assert.equal("AKIDEXAMPLE", principal.access_key)
            end)

            it(("does not verify with another digit: %s, %s form")
                :format(vector.name, form), function()
                local signature = vector[form .. "-signature"]
                local digit = signature:sub(-1) == "0" and "1" or "0"
                local text, count = vector[form .. "-signed-request"]
                    :gsub(signature, signature:sub(1, -2) .. digit)
                assert.equal(1, count)
                assert_refuses("INVALID_SIGNATURE", "is not right", parse_http(text),
                               config_for(vector))
            end)
        end

        it("is not signed before: " .. vector.name, function()
            local principal, err = identify(parse_http(vector.request), config_for(vector))
            assert.is_nil(principal)
            assert.is_nil(err)
        end)
    end
end)


describe("the examples of the guides", function()
    -- IAM User Guide (older editions), "Examples of the complete Version 4 signing process".
    it("of IAM, verify", function()
        local http = parse_http("GET /?Action=ListUsers&Version=2010-05-08 HTTP/1.1\n"
            .. "Host: iam.amazonaws.com\n"
            .. "Content-Type: application/x-www-form-urlencoded; charset=utf-8\n"
            .. "X-Amz-Date: 20150830T123600Z\n"
            .. "Authorization: AWS4-HMAC-SHA256 "
            .. "Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
            .. "SignedHeaders=content-type;host;x-amz-date, "
            .. "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7\n\n")
        assert_accepts(http, config_of({ service = "iam" }))
    end)

    -- Amazon S3 API Reference, "Signature Calculations for the Authorization Header" and
    -- "Authenticating Requests: Using Query Parameters", their examples.
    local S3 = {
        keys = { AKIAIOSFODNN7EXAMPLE = {
            secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", principal = ARN,
        } },
        service = "s3", region = "us-east-1",
    }
    local MAY_24 = 1369353600 -- 2013-05-24T00:00:00Z

    it("of S3, verify", function()
        local http = parse_http("GET /test.txt HTTP/1.1\n"
            .. "Host: examplebucket.s3.amazonaws.com\n"
            .. "Range: bytes=0-9\n"
            .. "x-amz-content-sha256: " .. EMPTY .. "\n"
            .. "x-amz-date: 20130524T000000Z\n"
            .. "Authorization: AWS4-HMAC-SHA256 "
            .. "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            .. "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            .. "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41\n\n")
        assert_accepts(http, S3, MAY_24)
    end)

    it("of S3, verify when they are presigned, whatever the body", function()
        local http = parse_http("GET /test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
            .. "AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&"
            .. "X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&"
            .. "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
            .. " HTTP/1.1\nHost: examplebucket.s3.amazonaws.com\n\n")
        http.body_sha256 = nil
        assert_accepts(http, S3, MAY_24)
        assert_accepts(http, S3, MAY_24 + 86400)
        assert_refuses("EXPIRED_TOKEN", "signed at `20130524T000000Z` for 86400 seconds", http, S3,
                       MAY_24 + 86401)
    end)
end)


-- A plain signer, for requests of our own: it takes the canonical parts as given and shares no code
-- with the pack.
local function signature_of(canonical, date, scope, secret)
    local key = "AWS4" .. secret
    for part in (scope .. "/"):gmatch("([^/]*)/") do
        key = crypto.hmac_sha256(key, part)
    end
    return crypto.hex(crypto.hmac_sha256(key, table.concat({
        "AWS4-HMAC-SHA256", date, scope, crypto.hex(crypto.sha256(canonical)) }, "\n")))
end


local TOKEN = "TheTokenOfTheSession"
local BODY = crypto.hex(crypto.sha256("two pairs of boots"))

-- A POST with everything that can be signed, in the header form. `with` replaces parts before
-- signing.
local function signed(with)
    with = with or {}
    local date = with.date or "20150830T123600Z"
    local scope = with.scope or "20150830/us-east-1/service/aws4_request"
    local names = with.names or "content-type;host;x-amz-date;x-amz-security-token;x-tenant"
    local lines = {
        ["content-type"] = "content-type:text/plain\n",
        host = "host:orders.example.com\n",
        ["x-amz-date"] = "x-amz-date:" .. date .. "\n",
        ["x-amz-security-token"] = "x-amz-security-token:" .. TOKEN .. "\n",
        ["x-tenant"] = "x-tenant:blue\n",
    }
    local headers = {}
    for name in names:gmatch("[^;]+") do
        headers[#headers + 1] = lines[name]
    end
    local canonical = table.concat({
        "POST", with.path or "/live/orders", "limit=10&sort=name", table.concat(headers), names,
        with.payload or BODY,
    }, "\n")
    return {
        method = "POST", path = "/live/orders", raw_path = "/live/orders",
        raw_query = "sort=name&limit=10", body_sha256 = BODY,
        headers = {
            ["content-type"] = { "text/plain" }, host = { "orders.example.com" },
            ["x-amz-date"] = { date }, ["x-amz-security-token"] = { TOKEN },
            ["x-tenant"] = { "blue" },
            authorization = {
                ("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/%s, SignedHeaders=%s, Signature=%s")
                    :format(scope, names, signature_of(canonical, date, scope, SECRET)),
            },
        },
    }
end


local function session_config(more)
    local config = config_of(more)
    config.keys.AKIDEXAMPLE.session_token = TOKEN
    return config
end


-- Changes one part of a request: `headers.host` is the first value of that header.
local function change(http, part, value)
    local header = part:match("^headers%.(.+)$")
    if header then
        http.headers[header] = value and { value } or nil
    else
        http[part] = value
    end
    return http
end


-- One character of a text replaced by another that is as good there.
local function alter(text, at)
    local byte = text:sub(at, at)
    local other = byte == "a" and "b" or byte:match("%d") and tostring((byte + 1) % 10) or "a"
    return text:sub(1, at - 1) .. other .. text:sub(at + 1)
end


local function authorization(http, from, to)
    local text, count = http.headers.authorization[1]:gsub(from, to)
    assert(count == 1, from)
    http.headers.authorization[1] = text
    return http
end


describe("a signed request", function()
    it("tells who signed it", function()
        local principal = assert_accepts(signed(), session_config())
        assert.same({ kind = "user", arn = ARN, account = "111122223333", name = "shipping",
                      access_key = "AKIDEXAMPLE" }, principal)
    end)

    it("is everything as it was signed: no part differs by one character", function()
        local count = 0
        for _, part in ipairs({ "method", "raw_path", "raw_query", "body_sha256",
                                "headers.content-type", "headers.host", "headers.x-amz-date",
                                "headers.x-amz-security-token", "headers.x-tenant" }) do
            local http = signed()
            local text = http[part] or http.headers[part:match("^headers%.(.+)$") or ""][1]
            -- A slash is left: two of them are one to most services, see below.
            for at = part == "raw_path" and 2 or 1, #text do
                local altered = change(signed(), part, alter(text, at))
                local principal, err, code = identify(altered, session_config())
                assert.is_nil(principal)
                assert.is_string(err)
                assert.is_true(code == "INVALID_SIGNATURE" or code == "IncompleteSignature")
                count = count + 1
            end
        end
        assert.equal(4 + 11 + 18 + 64 + 10 + 18 + 16 + 20 + 4, count)
    end)

    it("has its signature as it was made: no character of the header differs", function()
        local text = signed().headers.authorization[1]
        local first = text:find("Credential=", 1, true)
        for at = first, #text do
            if text:sub(at, at) ~= " " then
                local http = change(signed(), "headers.authorization", alter(text, at))
                local principal, err = identify(http, session_config())
                assert.is_nil(principal)
                assert.is_string(err)
            end
        end
    end)

    it("may say the same in another way", function()
        for _, row in ipairs({
            { "headers.x-tenant", " \tblue " },
            { "headers.content-type", "text/plain\r\n " },
            { "raw_query", "limit=10&sort=name" },
            { "raw_query", "&sort=n%61me&&limit=1%30" },
            { "headers.x-other", "not signed" },
        }) do
            assert_accepts(change(signed(), row[1], row[2]), session_config())
        end
        local listed = change(signed(), "raw_query", nil)
        listed.query = { { "sort", "name" }, { "limit", "10" } }
        assert_accepts(listed, session_config())
        local routed = change(signed(), "raw_path", nil)
        assert_accepts(routed, session_config())
        local by_host = change(signed(), "headers.host", nil)
        by_host.host = "orders.example.com"
        assert_accepts(by_host, session_config())
        local shuffled = authorization(signed(), "^(%S+) (.-), (.-), (.*)$", "%1 %4,%3 , %2")
        assert_accepts(shuffled, session_config())
    end)

    it("has no more and no fewer parameters than were signed", function()
        for _, query in ipairs({
            "sort=name&limit=10&admin=1", "sort=name&limit=10&sort=name", "sort=name", "",
            "sort=name&limit=10&=", "sort=name&limit=10&x", "sort=name%26limit=10",
            "sort=name&limit=10&X-Amz-Date=20150830T123600Z",
        }) do
            assert_refuses("INVALID_SIGNATURE", "the signature of `AKIDEXAMPLE` is not right",
                           change(signed(), "raw_query", query), session_config())
        end
    end)

    it("has no more values of a signed header than were signed", function()
        local http = signed()
        http.headers["x-tenant"] = { "blue", "red" }
        assert_refuses("INVALID_SIGNATURE", "is not right", http, session_config())
    end)

    it("shows whose path was signed where two slashes are one", function()
        local double = change(signed(), "raw_path", "/live//orders")
        assert_accepts(double, session_config())
        assert_refuses("INVALID_SIGNATURE", "is not right", double,
                       session_config({ normalize = false }))
    end)
end)


describe("paths and queries", function()
    local function vector(raw_path, canonical_path, config)
        local http = signed({ path = canonical_path })
        http.raw_path = raw_path
        return http, session_config(config)
    end

    it("are encoded a second time, but for S3", function()
        assert_accepts(vector("/a%20b", "/a%2520b"))
        assert_accepts(vector("/a%2Fb", "/a%252Fb"))
        assert_accepts(vector("/a:b@c", "/a%3Ab%40c"))
        assert_refuses("INVALID_SIGNATURE", "is not right", vector("/a%20b", "/a%20b"))

        local s3_scope = "20150830/us-east-1/s3/aws4_request"
        local function s3(raw_path, canonical_path)
            local http = signed({ path = canonical_path, scope = s3_scope })
            http.raw_path = raw_path
            return http, session_config({ service = "s3" })
        end
        assert_accepts(s3("/a%20b", "/a%20b"))
        assert_accepts(s3("/a//b/./c", "/a//b/./c"))
        assert_accepts(s3("", "/"))
        assert_accepts(s3("/a%3ab", "/a%3Ab"))
        assert_refuses("INVALID_SIGNATURE", "is not right", s3("/a%20b", "/a%2520b"))
    end)

    it("are encoded as a client would where the host has not kept what was sent", function()
        local http, config = vector(nil, "/a%2520b/%25C3%25A9")
        http.path = "/a b/\195\169"
        assert_accepts(http, config)
    end)

    it("lose dot segments and doubled slashes", function()
        for raw, normal in pairs({
            [""] = "/", ["/"] = "/", ["//"] = "/", ["/."] = "/", ["/.."] = "/", ["/../.."] = "/",
            ["/a/.."] = "/", ["/a/b/.."] = "/a/", ["/a/."] = "/a/", ["/a/./b"] = "/a/b",
            ["/a/../b"] = "/b", ["//a//b//"] = "/a/b/", ["/a/b"] = "/a/b", ["/a/b/"] = "/a/b/",
            ["/a/..."] = "/a/...", ["/a/.b"] = "/a/.b",
        }) do
            assert_accepts(vector(raw, normal))
        end
    end)

    local function query_vector(raw, canonical)
        local names = "host;x-amz-date"
        local scope = "20150830/us-east-1/service/aws4_request"
        local text = table.concat({ "GET", "/", canonical, "host:h",
            "x-amz-date:20150830T123600Z", "", names, EMPTY }, "\n")
        return {
            method = "GET", path = "/", raw_query = raw, body_sha256 = EMPTY,
            headers = { host = { "h" }, ["x-amz-date"] = { "20150830T123600Z" }, authorization = {
                ("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/%s,SignedHeaders=%s,Signature=%s")
                    :format(scope, names, signature_of(text, "20150830T123600Z", scope, SECRET)),
            } },
        }
    end

    it("are sorted by the bytes of names, then values, once encoded", function()
        for raw, canonical in pairs({
            ["b=1&a=2&a=1"] = "a=1&a=2&b=1",
            ["a=1&a=2&a=3&a=4&a=5"] = "a=1&a=2&a=3&a=4&a=5",
            ["a=5&a=3&a=4&a=1&a=2"] = "a=1&a=2&a=3&a=4&a=5",
            ["a-b=1&a=2"] = "a=2&a-b=1", -- whole pairs would sort the other way round
            ["a&b=&=c"] = "=c&a=&b=",
            ["a=b=c"] = "a=b%3Dc",
            ["B=1&a=1&_=1&~=1&-=1"] = "-=1&B=1&_=1&a=1&~=1",
            ["%C3%A9=1&z=1"] = "%C3%A9=1&z=1",
            ["a=%2b%2F%20"] = "a=%2B%2F%20",
            ["a=:/?@"] = "a=%3A%2F%3F%40",
        }) do
            assert_accepts(query_vector(raw, canonical))
        end
    end)

    it("with a bare `+` or `%` could be read in two ways", function()
        for _, raw in ipairs({ "a=1+2", "a+b=1", "a=1&b=+" }) do
            assert_refuses("IncompleteSignature", "a `+` in the query",
                           query_vector(raw, "a=1%202"))
        end
        for _, raw in ipairs({ "a=%", "a=%2", "a=%zz", "%=1", "a=%%41" }) do
            assert_refuses("IncompleteSignature", "a `%` in the query", query_vector(raw, ""))
        end
        -- Where nothing is signed, that is nobody's business here.
        assert.is_nil((select(2, identify({ method = "GET", path = "/", raw_query = "a=1+%",
                                            headers = {} }))))
    end)
end)


-- A signer that knows what is meant (segments, names and values) against the pack, which sees only
-- how it was written.
describe("whatever is signed", function()
    local BYTES = "aZ09-_.~ /+%&=?#:@!$'()*,;\"<>[]\\^`{|}\0\1\127\195\169\255"

    local function escape(text)
        local out = {}
        for i = 1, #text do
            local byte = text:sub(i, i)
            out[i] = byte:match("[A-Za-z0-9]") or ("-._~"):find(byte, 1, true) and byte
                or ("%%%02X"):format(byte:byte())
        end
        return table.concat(out)
    end

    local function word(random, least)
        local out = {}
        for i = 1, random(7 - least) + least - 1 do
            local at = random(#BYTES)
            out[i] = BYTES:sub(at, at)
        end
        return table.concat(out)
    end

    local function request_of(random)
        local path, twice = "", ""
        for _ = 1, random(4) - 1 do
            -- A letter in front, so that no segment is a dot segment or empty.
            local segment = "s" .. word(random, 0)
            path = path .. "/" .. escape(segment)
            twice = twice .. "/" .. escape(escape(segment))
        end
        local query, sorted = {}, {}
        for i = 1, random(6) - 1 do
            query[i] = escape(word(random, 1)) .. "=" .. escape(word(random, 0))
            sorted[i] = query[i]
        end
        -- `=` sorts after `%`, `-`, `.` and digits; the name has to come first.
        table.sort(sorted, function(a, b) return a:gsub("=", "\0") < b:gsub("=", "\0") end)
        local canonical = table.concat({ "GET", twice == "" and "/" or twice,
            table.concat(sorted, "&"), "host:h", "x-amz-date:20150830T123600Z", "",
            "host;x-amz-date", EMPTY }, "\n")
        local scope = "20150830/us-east-1/service/aws4_request"
        return {
            method = "GET", path = "/", raw_path = path, raw_query = table.concat(query, "&"),
            body_sha256 = EMPTY, headers = {
                host = { "h" }, ["x-amz-date"] = { "20150830T123600Z" }, authorization = {
                    ("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/%s,SignedHeaders=host;x-amz-date,"
                        .. "Signature=%s"):format(scope,
                        signature_of(canonical, "20150830T123600Z", scope, SECRET)),
                },
            },
        }
    end

    it("verifies as it is and not with one more parameter or segment", function()
        local random = randoms.new(4)
        for _ = 1, 500 do
            local http = request_of(random)
            assert_accepts(http)
            assert_refuses("INVALID_SIGNATURE", "is not right",
                           change(http, "raw_path", http.raw_path .. "/x"))
            http.raw_path = http.raw_path:sub(1, -3)
            assert_accepts(http)
            assert_refuses("INVALID_SIGNATURE", "is not right",
                           change(http, "raw_query", http.raw_query .. "&x=1"))
        end
    end)
end)


describe("a body", function()
    it("is the one that was signed", function()
        assert_refuses("INVALID_SIGNATURE", "is not right",
                       change(signed(), "body_sha256", EMPTY), session_config())
        local http = change(signed(), "headers.x-amz-content-sha256", EMPTY)
        assert_refuses("INVALID_SIGNATURE", "the body is not the one", http, session_config())
        assert_accepts(change(signed(), "headers.x-amz-content-sha256", BODY), session_config())
    end)

    it("is not taken for signed when the host has not read it", function()
        assert_refuses("INVALID_SIGNATURE", "the host gives no hash of the body",
                       change(signed(), "body_sha256", nil), session_config())
        local http = change(signed(), "headers.x-amz-content-sha256", BODY)
        assert_refuses("INVALID_SIGNATURE", "the host gives no hash of the body",
                       change(http, "body_sha256", nil), session_config())
    end)

    it("may be unsigned only where that is allowed", function()
        local function unsigned()
            return change(signed({ payload = "UNSIGNED-PAYLOAD" }),
                          "headers.x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        end
        assert_refuses("INVALID_SIGNATURE", "the body is not signed", unsigned(), session_config())
        assert_accepts(unsigned(), session_config({ unsigned_payload = true }))
        assert_accepts(change(unsigned(), "body_sha256", nil),
                       session_config({ unsigned_payload = true }))
        assert_refuses("INVALID_SIGNATURE", "is not right",
                       change(signed(), "headers.x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
                       session_config({ unsigned_payload = true }))
        assert_refuses("INVALID_SIGNATURE", "the body is not the one", change(signed(),
            "headers.x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
            session_config({ unsigned_payload = true }))
    end)

    it("is given one hash", function()
        local http = signed()
        http.headers["x-amz-content-sha256"] = { BODY, "UNSIGNED-PAYLOAD" }
        assert_refuses("IncompleteSignature", "`x-amz-content-sha256` is there 2 times", http,
                       session_config({ unsigned_payload = true }))
    end)
end)


describe("headers", function()
    it("that have to be signed are", function()
        assert_refuses("INVALID_SIGNATURE", "the header `host` is not signed",
                       signed({ names = "x-amz-date;x-amz-security-token" }), session_config())
        assert_refuses("INVALID_SIGNATURE", "the header `x-amz-date` is not signed",
                       signed({ names = "host;x-amz-security-token" }), session_config())
        assert_refuses("INVALID_SIGNATURE", "the header `x-amz-security-token` is not signed",
                       signed({ names = "host;x-amz-date" }), session_config())
        assert_accepts(signed({ names = "host;x-amz-date" }),
                       session_config({ unsigned_token = true }))
    end)

    it("that are signed are there", function()
        assert_refuses("INVALID_SIGNATURE", "the signed header `x-tenant` is not there",
                       change(signed(), "headers.x-tenant", nil), session_config())
        assert_refuses("INVALID_SIGNATURE", "the signed header `host` is not there",
                       change(signed(), "headers.host", nil), session_config())
        assert_refuses("IncompleteSignature", "the signature lacks its date",
                       change(signed(), "headers.x-amz-date", nil), session_config())
    end)

    it("that decide are there once", function()
        for name, value in pairs({ host = "orders.example.com", ["x-amz-security-token"] = TOKEN,
                                   ["x-amz-date"] = "20150830T123600Z" }) do
            local http = signed()
            http.headers[name] = { value, value }
            assert_refuses("IncompleteSignature", ("the header `%s` is there 2 times"):format(name),
                           http, session_config())
        end
        local http = signed()
        table.insert(http.headers.authorization, "Bearer abc")
        assert_refuses("IncompleteSignature", "more than one Authorization header", http,
                       session_config())
    end)

    it("cannot move the lines of what is signed", function()
        assert_refuses("IncompleteSignature", "the method is not a word",
                       change(signed(), "method", "POST\n/live"), session_config())
        assert_refuses("INVALID_SIGNATURE", "is not right",
                       change(signed(), "headers.content-type",
                              "text/plain\nhost:orders.example.com"), session_config())
    end)
end)


describe("a scope", function()
    it("is of this region, service and day", function()
        for scope, message in pairs({
            ["20150830/eu-west-1/service/aws4_request"] =
                "signed for the region `eu-west-1`, not for `us-east-1`",
            ["20150830/us-east-1/s3/aws4_request"] =
                "signed for the service `s3`, not for `service`",
            ["20150829/us-east-1/service/aws4_request"] =
                "the scope is of `20150829`, the date is `20150830T123600Z`",
            ["20150830/us-east-1/service/aws5_request"] =
                "the scope ends in `aws5_request`, not in aws4_request",
        }) do
            assert_refuses("INVALID_SIGNATURE", message, signed({ scope = scope }),
                           session_config())
        end
    end)

    it("is by default that of the API", function()
        local http = signed({ scope = "20150830/eu-central-1/execute-api/aws4_request" })
        local config = { keys = session_config().keys }
        assert(pack.check(config, tools))
        local context = { http = http, now = NOON36, api = { region = "eu-central-1" } }
        assert.equal(ARN, pack.identify(context, config, tools).arn)
        context.api.region = "us-east-1"
        assert.matches("signed for the region `eu-central-1`, not for `us-east-1`",
                       select(2, pack.identify(context, config, tools)), 1, true)
        context.api = nil
        assert.matches("not for `nil`", select(2, pack.identify(context, config, tools)), 1, true)
    end)
end)


describe("time", function()
    it("is at most 15 minutes away", function()
        local FAR = 15 * 60
        assert_accepts(signed(), session_config(), NOON36 + FAR)
        assert_accepts(signed(), session_config(), NOON36 - FAR)
        assert_refuses("INVALID_SIGNATURE", "more than 15 minutes ago", signed(), session_config(),
                       NOON36 + FAR + 1)
        assert_refuses("INVALID_SIGNATURE", "which is still to come", signed(), session_config(),
                       NOON36 - FAR - 1)
    end)

    it("is the host's, or the tools' clock", function()
        local config = session_config()
        assert.equal(ARN, pack.identify({ http = signed() }, config, tools).arn)
        local late = identities.tools(function() return NOON36 + 3600 end)
        assert.is_nil((pack.identify({ http = signed() }, config, late)))
    end)

    -- Seconds from `date -u -d DATE +%s`.
    it("is read as the calendar has it", function()
        for date, seconds in pairs({
            ["19700101T000000Z"] = 0, ["20000229T235959Z"] = 951868799,
            ["20000301T000000Z"] = 951868800, ["20160229T120000Z"] = 1456747200,
            ["20240101T000000Z"] = 1704067200, ["20261231T235959Z"] = 1798761599,
            ["21000301T000000Z"] = 4107542400,
        }) do
            local scope = date:sub(1, 8) .. "/us-east-1/service/aws4_request"
            local http = signed({ date = date, scope = scope })
            assert_accepts(http, session_config(), seconds + 900)
            assert_accepts(http, session_config(), seconds - 900)
            assert_refuses("INVALID_SIGNATURE", "ago", http, session_config(), seconds + 901)
        end
    end)

    it("has one way to be written", function()
        for _, date in ipairs({ "2015-08-30T12:36:00Z", "20150830T123600", "20150830", "now",
                                "20150830 123600Z", "20151330T123600Z", "20150800T123600Z",
                                "20150830T243600Z", "20150830T126000Z", "20150830T123660Z",
                                "1440938160" }) do
            assert_refuses("IncompleteSignature", "the date is not YYYYMMDDTHHMMSSZ",
                           signed({ date = date }), session_config())
        end
    end)
end)


describe("keys", function()
    it("are known", function()
        assert_refuses("INVALID_SIGNATURE", "unknown access key `AKIDEXAMPLE`", signed(),
                       config_of({ keys = {} }))
    end)

    it("have the secret that signed", function()
        local config = session_config()
        config.keys.AKIDEXAMPLE.secret = SECRET .. "x"
        assert_refuses("INVALID_SIGNATURE", "is not right", signed(), config)
    end)

    it("come with their own session token", function()
        local function has(token)
            local config = config_of()
            config.keys.AKIDEXAMPLE.session_token = token
            return config
        end
        assert_refuses("INVALID_SIGNATURE", "`AKIDEXAMPLE` with another session token", signed(),
                       has("AnotherToken"))
        assert_refuses("INVALID_SIGNATURE", "a session token with `AKIDEXAMPLE`, which has none",
                       signed(), has(nil))
        assert_refuses("INVALID_SIGNATURE", "`AKIDEXAMPLE` without its session token",
                       change(signed({ names = "host;x-amz-date" }),
                              "headers.x-amz-security-token", nil), has(TOKEN))
        assert_refuses("INVALID_SIGNATURE", "another session token",
                       change(signed({ names = "host;x-amz-date" }),
                              "headers.x-amz-security-token", "replaced"),
                       session_config({ unsigned_token = true }))
    end)

    it("expire", function()
        local config = session_config()
        config.keys.AKIDEXAMPLE.expires = NOON36
        assert_accepts(signed(), config, NOON36 - 1)
        assert_refuses("EXPIRED_TOKEN", "the credentials of `AKIDEXAMPLE` have expired", signed(),
                       config)
    end)

    it("stand for what is known of a principal", function()
        local config = session_config()
        config.keys.AKIDEXAMPLE.principal = {
            arn = "arn:aws:sts::111122223333:assumed-role/Shipping/night",
            role_arn = "arn:aws:iam::111122223333:role/robots/Shipping",
            tags = { team = "blue" }, mfa = { present = false },
        }
        local principal = identify(signed(), config)
        assert.same({
            kind = "session", account = "111122223333", access_key = "AKIDEXAMPLE",
            arn = "arn:aws:sts::111122223333:assumed-role/Shipping/night",
            role_arn = "arn:aws:iam::111122223333:role/robots/Shipping",
            tags = { team = "blue" }, mfa = { present = false },
        }, principal)
        principal.tags.team = "red"
        assert.equal("blue", identify(signed(), config).tags.team)
    end)

    it("are compared by nothing that stops early", function()
        local compared = {}
        local watching = identities.tools(tools.now)
        watching.equal = function(a, b)
            compared[#compared + 1] = { a, b }
            return a == b
        end
        local http = signed()
        local signature = http.headers.authorization[1]:match("Signature=(%x+)")
        assert(pack.identify({ http = http, now = NOON36 }, session_config(), watching))
        assert.same({ { TOKEN, TOKEN }, { signature, signature } }, compared)
    end)
end)


describe("an Authorization header", function()
    it("of another kind is none of ours", function()
        for _, value in ipairs({ "Bearer abc", "Basic YTpi", "", "aws4", "AWS AKID:signature" }) do
            local principal, err = identify({ method = "GET", path = "/", body_sha256 = EMPTY,
                                              headers = { authorization = { value } } })
            assert.is_nil(principal)
            assert.is_nil(err)
        end
    end)

    it("is malformed when a part is missing, doubled, unknown or not a part", function()
        for from, to in pairs({
            ["Signature=%x+"] = "", [", Signature=%x+"] = "", ["SignedHeaders=[^,]+, "] = "",
            ["Credential=[^,]+, "] = "", ["Signature=(%x+)"] = "Signature=%1, Signature=%1",
            ["Signature="] = "Signatur=", ["Credential="] = "credential=",
            ["Signature=%x+$"] = "Signature=", ["$"] = ", Extra=1", [" .*$"] = "",
            [", Signature"] = "; Signature",
        }) do
            local http = authorization(signed(), from, to)
            local principal, err, code = identify(http, session_config())
            assert.is_nil(principal)
            assert.is_string(err)
            assert.equal("IncompleteSignature", code)
        end
    end)

    it("has a credential of five parts", function()
        for _, credential in ipairs({ "AKIDEXAMPLE", "AKIDEXAMPLE/20150830",
            "AKIDEXAMPLE/20150830/us-east-1/service", "/20150830/us-east-1/service/aws4_request",
            "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request/x",
            "AKIDEXAMPLE/20150830//service/aws4_request" }) do
            assert_refuses("IncompleteSignature", "the credential is not",
                authorization(signed(), "Credential=[^,]+", "Credential=" .. credential),
                session_config())
        end
    end)

    it("names headers in lower case and in order, each once", function()
        for _, names in ipairs({ "Host;x-amz-date", "x-amz-date;host", "host;host;x-amz-date",
                                 "host;;x-amz-date", ";host", "host;", "host,x", "h:st" }) do
            local http = authorization(signed(), "SignedHeaders=[^,]+", "SignedHeaders=" .. names)
            local principal, _, code = identify(http, session_config())
            assert.is_nil(principal)
            assert.equal("IncompleteSignature", code)
        end
    end)

    it("has a signature of the right length", function()
        for _, cut in ipairs({ 1, 2, 32, 63 }) do
            assert_refuses("INVALID_SIGNATURE", "is not right",
                           authorization(signed(), ("%x"):rep(cut) .. "$", ""), session_config())
        end
        assert_refuses("INVALID_SIGNATURE", "is not right", authorization(signed(), "$", "0"),
                       session_config())
        local upper = signed()
        upper.headers.authorization[1] = upper.headers.authorization[1]:gsub("Signature=.*$",
            string.upper):gsub("SIGNATURE", "Signature")
        assert_refuses("INVALID_SIGNATURE", "is not right", upper, session_config())
    end)

    it("of Signature Version 4a is refused", function()
        assert_refuses("IncompleteSignature", "the algorithm is `AWS4-ECDSA-P256-SHA256`",
            authorization(signed(), "AWS4%-HMAC%-SHA256", "AWS4-ECDSA-P256-SHA256"),
            session_config())
    end)
end)


describe("a presigned request", function()
    -- The parameters in canonical order, with what `with` replaces or, by `false`, leaves out;
    -- signed and then sent with `extra` after them.
    local function presigned(with, extra)
        local parameters = {
            { "X-Amz-Algorithm", "AWS4-HMAC-SHA256" },
            { "X-Amz-Credential", "AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice%2Faws4_request" },
            { "X-Amz-Date", "20150830T123600Z" }, { "X-Amz-Expires", "3600" },
            { "X-Amz-Security-Token", TOKEN }, { "X-Amz-SignedHeaders", "host" },
            { "color", "blue" },
        }
        local written = {}
        for _, pair in ipairs(parameters) do
            local value = pair[2]
            if with and with[pair[1]] ~= nil then
                value = with[pair[1]]
            end
            written[#written + 1] = value and pair[1] .. "=" .. value or nil
        end
        local query = table.concat(written, "&")
        local canonical = table.concat({ "GET", "/", query, "host:h", "", "host", EMPTY }, "\n")
        local signature = signature_of(canonical, "20150830T123600Z",
            "20150830/us-east-1/service/aws4_request", SECRET)
        return {
            method = "GET", path = "/", body_sha256 = EMPTY, headers = { host = { "h" } },
            raw_query = query .. "&X-Amz-Signature=" .. signature .. (extra or ""),
        }
    end

    it("tells who signed it", function()
        assert_accepts(presigned(), session_config())
    end)

    it("has no other query than was signed", function()
        assert_refuses("INVALID_SIGNATURE", "is not right", presigned(nil, "&admin=1"),
                       session_config())
        assert_refuses("INVALID_SIGNATURE", "is not right", presigned(nil, "&color=blue"),
                       session_config())
        local http = presigned()
        http.raw_query = http.raw_query:gsub("color=blue", "color=blud")
        assert_refuses("INVALID_SIGNATURE", "is not right", http, session_config())
        http = presigned()
        http.raw_query = http.raw_query:gsub("Expires=3600", "Expires=36000")
        assert_refuses("INVALID_SIGNATURE", "is not right", http, session_config())
    end)

    it("has each of its parameters once", function()
        for _, name in ipairs({ "Algorithm", "Credential", "Date", "SignedHeaders" }) do
            assert_refuses("IncompleteSignature", "the signature lacks its",
                           presigned({ ["X-Amz-" .. name] = false }), session_config())
        end
        local http = presigned()
        http.raw_query = http.raw_query:gsub("&X%-Amz%-Signature=%x+", "")
        assert_refuses("IncompleteSignature", "the signature lacks its signature", http,
                       session_config())
        for _, name in ipairs({ "Algorithm", "Credential", "Date", "Expires", "SignedHeaders",
                                "Signature", "Security-Token" }) do
            assert_refuses("IncompleteSignature", ("`X-Amz-%s` is there twice"):format(name),
                           presigned(nil, "&X-Amz-" .. name .. "=x"), session_config())
        end
    end)

    it("is not signed in a header as well", function()
        local http = presigned()
        http.headers.authorization = signed().headers.authorization
        assert_refuses("IncompleteSignature", "signed twice", http, session_config())
    end)

    it("is valid for the time it says", function()
        assert_accepts(presigned(), session_config(), NOON36 + 3600)
        assert_refuses("EXPIRED_TOKEN", "for 3600 seconds", presigned(), session_config(),
                       NOON36 + 3601)
        assert_accepts(presigned(), session_config(), NOON36 - 900)
        assert_refuses("INVALID_SIGNATURE", "still to come", presigned(), session_config(),
                       NOON36 - 901)
    end)

    it("says a time of at most a week", function()
        assert_accepts(presigned({ ["X-Amz-Expires"] = "604800" }), session_config(),
                       NOON36 + 604800)
        for _, expires in ipairs({ "604801", "0", "99999999999999999999" }) do
            assert_refuses("IncompleteSignature", "X-Amz-Expires is not between 1 and 604800",
                           presigned({ ["X-Amz-Expires"] = expires }), session_config())
        end
        for _, expires in ipairs({ false, "", "-1", "1e3", "0x10", "3600.0", "%203600", "soon" }) do
            assert_refuses("IncompleteSignature", "X-Amz-Expires is not a number of seconds",
                           presigned({ ["X-Amz-Expires"] = expires }), session_config())
        end
    end)

    it("comes with the token of its key", function()
        assert_refuses("INVALID_SIGNATURE", "another session token",
                       presigned({ ["X-Amz-Security-Token"] = "other" }), session_config())
        assert_refuses("INVALID_SIGNATURE", "without its session token",
                       presigned({ ["X-Amz-Security-Token"] = false }), session_config())
        assert_refuses("INVALID_SIGNATURE", "which has none", presigned(), config_of())
        local added = presigned({ ["X-Amz-Security-Token"] = false },
                                "&X-Amz-Security-Token=" .. TOKEN)
        assert_refuses("INVALID_SIGNATURE", "is not right", added, session_config())
        assert_accepts(added, session_config({ unsigned_token = true }))
    end)

    it("is found by each of its own parameters", function()
        for _, query in ipairs({ "X-Amz-Signature=x", "X-Amz-Algorithm=AWS4-HMAC-SHA256",
                                 "X-Amz-Credential=x", "X-Amz-SignedHeaders=host",
                                 "X-Amz-Expires=1" }) do
            local principal, err, code = identify({ method = "GET", path = "/", raw_query = query,
                                                    headers = {}, body_sha256 = EMPTY })
            assert.is_nil(principal)
            assert.is_string(err)
            assert.equal("IncompleteSignature", code)
        end
        for _, query in ipairs({ "", "X-Amz-Date=1", "X-Amz-Security-Token=x",
                                 "x-amz-signature=x", "a=X-Amz-Signature" }) do
            assert.is_nil((select(2, identify({ method = "GET", path = "/", raw_query = query,
                                                headers = {}, body_sha256 = EMPTY }))))
        end
    end)
end)


describe("the configuration", function()
    it("is checked", function()
        local function why(config)
            local ok, err = pack.check(config, tools)
            assert.is_nil(ok)
            return err
        end
        local function key(member, value)
            local config = config_of()
            config.keys.AKIDEXAMPLE[member] = value
            return config
        end
        assert.equal("lacks `keys`", why({}))
        assert.matches("unknown option `key`: the sigv4 identity has `keys`", why({ key = {} }))
        assert.equal("`keys` is a string: make it a table", why({ keys = "x" }))
        assert.equal("`region` is a number: make it a string", why(config_of({ region = 1 })))
        assert.equal("`normalize` is a string: make it a boolean",
                     why(config_of({ normalize = "no" })))
        assert.equal("`keys`: `1`: give a table from access key id to key",
                     why({ keys = { {} } }))
        assert.equal("`keys`: `A/B`: give a table from access key id to key",
                     why({ keys = { ["A/B"] = {} } }))
        assert.equal("`keys`: `AKIDEXAMPLE`: lacks `secret`",
                     why({ keys = { AKIDEXAMPLE = { principal = ARN } } }))
        assert.matches("`keys`: `AKIDEXAMPLE`: lacks `secret`", why(key("secret", "")))
        assert.matches("`keys`: `AKIDEXAMPLE`: unknown member `password`",
                       why(key("password", "x")))
        assert.matches("`expires` is a string: make it a number", why(key("expires", "soon")))
        assert.matches("`bob` is not the ARN of a caller", why(key("principal", "bob")))
        assert.matches("a principal is an ARN or", why({ keys = { AKID = { secret = "x" } } }))
    end)
end)
