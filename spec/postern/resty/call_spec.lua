local front = require("spec.support.front")

local CURL = "spec/support/bin/curl "

local CHECK = "check = function() return true end,"

-- Answers everything by what it was handed, through a header of the answer.
local MIRROR = [[
return { kind = "hooks", name = "mirror", api = 1, check = function() return true end,
    after = function(context)
        local request, parts = context.request, {}
        for _, name in ipairs({ "api", "stage", "method", "path", "raw_path", "host", "scheme",
                                "peer", "vpce", "client_ip" }) do
            parts[#parts + 1] = name .. "=" .. tostring(request[name])
        end
        for _, pair in ipairs(request.query or {}) do
            parts[#parts + 1] = "query:" .. pair[1] .. "=" .. pair[2]
        end
        local certificate = request.client_certificate
        if certificate then
            parts[#parts + 1] = "certificate=" .. tostring(certificate.verified) .. "/"
                .. tostring(certificate.subject)
        end
        return { headers = { ["X-Mirror"] = table.concat(parts, " ") } }
    end }
]]

local OPEN = [[{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*",
    "Action": "execute-api:Invoke", "Resource": "*"}]}]]


-- A certificate that signs itself, or that another signs; with its key, as PEM.
local function certificate(name, issuer)
    local x509, names = require("openssl.x509"), require("openssl.x509.name")
    local pkey = require("openssl.pkey")
    local made = { key = pkey.new({ type = "EC", curve = "prime256v1" }),
                   name = names.new():add("CN", name):add("O", "Acme") }
    issuer = issuer or made
    local cert = x509.new()
    cert:setVersion(3)
    cert:setSerial(require("openssl.bignum").new(issuer == made and 1 or 2))
    cert:setSubject(made.name)
    cert:setIssuer(issuer.name)
    cert:setLifetime(os.time() - 3600, os.time() + 3600)
    cert:setPublicKey(made.key)
    if issuer == made then
        cert:setBasicConstraints({ CA = true })
    end
    cert:sign(issuer.key)
    made.pem = tostring(cert) .. made.key:toPEM("private")
    return made
end


describe("a request of nginx's", function()
    local running

    after_each(function()
        if running then
            running:stop()
            running = nil
        end
    end)

    local function start(options)
        options.files = options.files or {}
        options.files["mirror.lua"] = MIRROR
        options.estate = (options.estate or front.ESTATE) .. '\nrules "mirror.lua"\n'
        options.pets = options.pets or OPEN
        running = front.start(options)
    end

    local function mirrored(target, options)
        local answer = running:ask(target, options)
        return answer.headers["x-mirror"], answer
    end

    it("has what nginx routed, and what the client sent", function()
        start({})
        assert.equal("api=pets stage=live method=GET path=/pets/a b raw_path=/pets/a%20b?x=%31 "
            .. "host=localhost scheme=http peer=127.0.0.1 vpce=nil client_ip=nil",
            mirrored("/pets/a%20b?x=%31"))
        assert.matches("method=FOO-BAR", (mirrored("/", { method = "FOO-BAR" })), 1, true)
        assert.matches("peer=127.0.0.7", (mirrored("/", { from = "127.0.0.7" })), 1, true)
        assert.matches("peer=unix:", (mirrored("/", { unix = true })), 1, true)
        assert.matches("host=a.example.com ", (mirrored("/", { host = "A.Example.com:80" })), 1,
                       true)
    end)

    it("has no path of its own where nginx was told to rewrite it", function()
        start({ server = front.location("rewrite ^/v1/(.*)$ /$1 break;") })
        assert.matches("path=/pets raw_path=nil", (mirrored("/v1/pets")), 1, true)
    end)

    it("has the endpoint and the client that the location says", function()
        start({ server = front.location("set $postern_api notes; set $postern_vpce vpce-1;"),
                notes = OPEN })
        assert.matches("api=notes", (mirrored("/")), 1, true)
        assert.matches("vpce=vpce-1 client_ip=127.0.0.1", (mirrored("/")), 1, true)
    end)

    it("has a query only where somebody may ask who calls, and in order", function()
        start({})
        assert.not_matches("query", (mirrored("/?a=1")), 1, true)
        running:stop()
        start({ estate = front.ESTATE .. ' identity "anonymous" {}' })
        assert.matches("query:b=2 query:a=1 query:a=x y query:c=",
                       (mirrored("/?b=2&a=1&a=x%20y&c")), 1, true)
        local SIGNED = "/?X-Amz-Date=1&X-Amz-Credential=a"
        assert.equal(200, running:ask(SIGNED).status)
        assert.equal(400, running:ask(SIGNED .. "&X-Amz-Date=2").status)
        assert.equal(400, running:ask(SIGNED .. "&x-amz-date=2").status)
        assert.equal(400, running:ask(SIGNED .. "&X-Amz-Signature=a+b").status)
        assert.equal(400, running:ask("/?a=%4").status)
    end)

    it("keeps what is asked once a connection as long as that lasts", function()
        start({ estate = front.ESTATE .. ' rules "count.lua"',
            files = { ["count.lua"] = ([[
                local count = 0
                return { kind = "keys", name = "count", api = 1, %s
                    cache = { ["acme:Count"] = { connection = true } },
                    types = { ["acme:Count"] = "string" },
                    keys = { ["acme:Count"] = function()
                        count = count + 1
                        return tostring(count)
                    end } }
            ]]):format(CHECK) },
            pets = OPEN:gsub('"Resource": "%*"', '%0, "Condition": {"StringEquals": '
                .. '{"acme:Count": "1"}}') })
        local GET = "GET /pets HTTP/1.1\r\nHost: localhost\r\n"
        local raw = running:send(GET .. "\r\n" .. GET .. "\r\n" .. GET
            .. "Connection: close\r\n\r\n").raw
        local _, passed = raw:gsub("HTTP/1.1 200", "")
        assert.equal(3, passed)
        assert.equal(403, running:ask("/pets").status)
    end)

    it("has the claims that the location hands over, and no others", function()
        local function handed(path, claims)
            return ([[
                location %s {
                    set $postern_api pets; set $postern_stage live; set $postern_vpce "%s";
                    access_by_lua_block { require("postern.resty").access{ claims = %s } }
                    content_by_lua_block { ngx.say("content") }
                }
            ]]):format(path, path == "/notes" and "vpce-1\"; set $postern_api \"notes" or "",
                claims)
        end
        local TENANT = OPEN:gsub('"Resource": "%*"', '%0, "Condition": {"StringEquals": '
            .. '{"jwt:Claim/tenant": "acme"}}')
        start({
            estate = front.ESTATE .. 'rules "keys/jwt_claims" {} identity "jwt" { '
                .. 'issuer = "https://login.example.com", '
                .. 'principal = "arn:aws:iam::111122223333:user/{sub}" }',
            pets = TENANT, notes = OPEN,
            server = handed("/", 'ngx.req.get_headers()["x-tenant"] and { sub = "ann", '
                    .. 'iss = "https://login.example.com", '
                    .. 'tenant = ngx.req.get_headers()["x-tenant"] } or nil')
                .. handed("/notes", "{}") .. handed("/text", '"acme"'),
        })
        assert.equal(403, running:ask("/pets").status)
        assert.equal(200, running:ask("/pets", { headers = { "X-Tenant: acme" } }).status)
        assert.equal(403, running:ask("/pets", { headers = { "X-Tenant: other" } }).status)
        assert.equal(401, running:ask("/notes").status) -- a token that was not verified
        assert.equal(503, running:ask("/text").status)
        assert.matches("handed `claims` that are no table", running:log(), 1, true)
    end)

    it("has the hash of its body where it has none, for signatures", function()
        local ANN = "arn:aws:iam::111122223333:user/ann"
        start({
            estate = front.ESTATE:gsub('authorization = "NONE"', 'authorization = "IAM"', 1)
                .. ('identity "sigv4" { service = "execute-api", region = "eu-central-1", '
                .. 'keys = { AKIDEXAMPLE = { secret = "a secret", principal = %q } } }')
                :format(ANN),
            pets = OPEN:gsub('"Principal": "%*"', ('"Principal": {"AWS": %q}'):format(ANN)),
        })
        local function call(secret, more)
            local pipe = io.popen((CURL .. "-s --max-time 10 -o %s/answer -w '%%{http_code}' "
                .. "--aws-sigv4 aws:amz:eu-central-1:execute-api --user 'AKIDEXAMPLE:%s' %s "
                .. "http://127.0.0.1:%d/pets"):format(running.folder, secret, more or "",
                running.port))
            local status = pipe:read("*a")
            pipe:close()
            return status
        end
        assert.equal("200", call("a secret"))
        assert.equal("403", call("another secret"))
        assert.equal("403", call("a secret", "-d pet=rex")) -- which nobody has read
    end)

    it("has a client certificate only as nginx has verified it", function()
        local authority, stranger = certificate("authority"), certificate("stranger")
        local ann = certificate("ann", authority)
        start({
            estate = front.ESTATE .. 'identity "mtls" { subjects = { ["O=Acme,CN=ann"] = '
                .. '"arn:aws:iam::111122223333:user/ann" } } identity "anonymous" {}',
            files = { ["ca.pem"] = authority.pem, ["ann.pem"] = ann.pem,
                      ["stranger.pem"] = stranger.pem },
            servers = [[ server {
                listen unix:$folder/tls.sock ssl;
                ssl_certificate $folder/ca.pem;
                ssl_certificate_key $folder/ca.pem;
                ssl_client_certificate $folder/ca.pem;
                ssl_verify_client optional_no_ca;
            ]] .. front.location() .. "}",
        })
        local function call(name)
            local offered = name and ("--cert %s/%s.pem"):format(running.folder, name) or ""
            local pipe = io.popen((CURL .. "-sk --max-time 10 "
                .. "--unix-socket %s/tls.sock %s -D - https://localhost/pets")
                :format(running.folder, offered))
            local text = pipe:read("*a")
            pipe:close()
            return text:match("HTTP/1.1 (%d+)"), text:match("[Xx]%-[Mm]irror: ([^\r\n]*)")
        end
        local status, mirror = call("ann")
        assert.equal("200", status)
        assert.matches("certificate=true/O=Acme,CN=ann", mirror, 1, true)
        assert.matches("scheme=https", mirror, 1, true)
        status, mirror = call()
        assert.equal("200", status) -- nobody in particular
        assert.not_matches("certificate", mirror, 1, true)
        -- A certificate that does not verify is no way to become anonymous.
        status = call("stranger")
        assert.equal("403", status)
    end)
end)
