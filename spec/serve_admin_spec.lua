-- Administration of `postern serve`: two workers, curl as the operator, and processes that are
-- killed while policies are put.
local uv = require("luv")
local crypto = require("postern.crypto")
local authorities = require("spec.support.authority")
local commands = require("spec.support.commands")
local loop = require("spec.support.loop")
local served = require("spec.support.served")
local json = require("dkjson")


-- `make store-kills` does the many on the store itself; here it is the server.
local KILLS = 4

local ESTATE = [[
account "111122223333"
region "eu-central-1"
store "policies"
vpc "vpc-1" { cidr = "10.0.0.0/16" }
endpoint "vpce-1" { service = "execute-api", vpc = "vpc-1" }
api "a1" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "dev" },
           policy = "policy.json" }
serve {
    listen = "127.0.0.1:0", workers = %d, drain = 1,
    admin = { %s },
}
]]

local function policy(sid, effect)
    return ([[{"Version":"2012-10-17","Statement":[{"Sid":"%s","Effect":"%s","Principal":"*",
"Action":"execute-api:Invoke","Resource":"execute-api:/*"}]}]]):format(sid, effect or "Allow")
end


describe("administration of postern serve", function()
    local before, server, folder, url, admin

    before_each(function()
        before = loop.open_handles()
    end)

    after_each(function()
        if server then
            server:close()
            server = nil
        end
        assert.equal(before, loop.open_handles())
    end)

    local function start()
        if server then
            server:close()
        end
        server = served.start("exec postern serve " .. folder .. "/estate.lua", {})
        url = "http://" .. server:ready()
        admin = server.said:match(", (unix:[^,]+),") or server.said:match(", ([%d.:]+),")
    end

    local function with_estate(workers, more, fn)
        commands.with_files({ ["estate.lua"] = "", ["policy.json"] = policy("File") },
            function(where)
                folder = where
                local file = assert(io.open(folder .. "/estate.lua", "w"))
                file:write(ESTATE:format(workers, more:gsub("FOLDER", folder)))
                file:close()
                local _, status = commands.sh("postern store create " .. folder .. "/policies")
                assert.equal(0, status)
                fn()
            end)
    end

    local SOCKET = 'address = "unix:FOLDER/admin.sock", users = { %d }'

    local function own_socket()
        return SOCKET:format(uv.getuid())
    end

    -- What the operator is answered: the status, and the body.
    local function ask(path, more)
        local place = admin:match("^unix:(.*)$")
        local where = place and ("--unix-socket %s http://a"):format(place) or "http://" .. admin
        local text = server:curl(("-w '\n%%{http_code}' %s %s/%s"):format(more or "", where, path))
        local body, status = text:match("^(.*)\n(%d+)$")
        return tonumber(status), body
    end

    local function put(sid, if_match, effect)
        local file = assert(io.open(folder .. "/put", "w"))
        file:write(policy(sid, effect))
        file:close()
        return ask("admin/v1/apis/a1/policy", ("-X PUT --data-binary @%s/put %s"):format(folder,
            if_match and "-H 'If-Match: " .. if_match .. "'" or ""))
    end

    local function deploy()
        return ask("admin/v1/apis/a1/deploy", "-X POST -H 'If-Match: *'")
    end

    -- What each worker answers, by its revision. Connections go to either.
    local function allowed()
        local got = json.decode(server:curl(("-H 'Content-Type: application/json' -d '%s' "
            .. "%s/v1/decide"):format('{"api":"a1","stage":"dev","method":"GET","path":"/x"}',
            url)))
        return got.allowed, got.revision
    end

    -- Whether both workers answer so; who was asked is seen by the connection each has.
    local function all_answer(expected)
        return server:until_true(function()
            for _ = 1, 12 do
                if allowed() ~= expected then
                    return false
                end
            end
            return true
        end)
    end

    it("puts, deploys and rolls back what every worker answers by", function()
        with_estate(2, own_socket(), function()
            start()
            assert.is_true((allowed()))
            assert.equal(200, (put("Second", nil, "Deny")))
            assert.is_true((allowed()))
            local status, body = deploy()
            assert.equal(200, status, body)
            assert.is_truthy(all_answer(false))
            -- Both have it: each worker tells its revision.
            local wanted, seen = json.decode(body).estate_revision, {}
            assert.is_truthy(server:until_true(function()
                local _, revision = allowed()
                assert.equal(wanted, revision)
                local state = json.decode((select(2, ask("status"))))
                seen[state.worker] = state.revision
                return seen[1] == wanted
            end))
            assert.equal(200, (put("Third", '"2"', "Allow")))
            assert.equal(412, (put("Fourth", '"1"', "Allow")))
            assert.equal(200, (deploy()))
            assert.is_truthy(all_answer(true))
            assert.equal(200, (ask("admin/v1/apis/a1/rollback?revision=2",
                "-X POST -H 'If-Match: *'")))
            assert.is_truthy(all_answer(false))
            local _, history = ask("admin/v1/apis/a1/history")
            assert.matches("user " .. uv.getuid(), history, 1, true)
            local refused
            refused, body = ask("admin/v1/apis/a1/policy", "-X PUT -d '{' -H 'If-Match: *'")
            assert.equal(400, refused)
            assert.matches('"line":1', body, 1, true)
        end)
    end)

    it("is at a place of its own, with what operators may see", function()
        with_estate(1, own_socket(), function()
            start()
            assert.equal("600", server:shell("stat -c %a " .. folder .. "/admin.sock")
                :match("%d+"))
            assert.equal('{"message":"Not Found"}\n', server:curl(url .. "/admin/v1/apis"))
            assert.equal('{"message":"Forbidden"}\n', server:curl(url .. "/status"))
            assert.equal(404, (ask("v1/decide", "-d '{}'")))
            assert.equal(200, (ask("healthz")))
            assert.equal(200, (ask("status")))
            assert.equal(200, (ask("metrics")))
            assert.equal(200, (ask("admin/v1/apis")))
        end)
        with_estate(1, SOCKET:format(uv.getuid() + 1), function()
            start()
            assert.equal(401, (ask("admin/v1/apis")))
            assert.equal(403, (ask("status")))
            assert.matches("admin: refused: the user " .. uv.getuid(), server.said, 1, true)
        end)
    end)

    it("takes tokens, and certificates of clients", function()
        with_estate(1, 'address = "127.0.0.1:0", tokens = "tokens"', function()
            local file = assert(io.open(folder .. "/tokens", "w"))
            file:write("ops ", crypto.hex(crypto.sha256("secret")), "\n")
            file:close()
            start()
            assert.equal(401, (ask("admin/v1/apis")))
            assert.equal(401, (ask("status")))
            assert.equal(401, (ask("admin/v1/apis", "-H 'Authorization: Bearer other'")))
            assert.equal(200, (ask("admin/v1/apis", "-H 'Authorization: Bearer secret'")))
            assert.equal(200, (ask("metrics", "-H 'Authorization: Bearer secret'")))
        end)
        local ca = authorities.new()
        ca:issue("server", "DNS:localhost,IP:127.0.0.1")
        ca:issue("ops", "DNS:ops.example.com")
        ca:issue("other", "DNS:other.example.com")
        with_estate(2, ([[address = "127.0.0.1:0", certificate = "%s", key = "%s",
            client_ca = "%s", subjects = { "CN=ops,O=Example" }]]):format(ca:path("server.pem"),
            ca:path("server.key"), ca:path("ca.pem")), function()
            start()
            local function as(name, path)
                return server:curl(("-o /dev/null -w '%%{http_code}' --cacert %s --cert %s "
                    .. "--key %s https://%s/%s"):format(ca:path("ca.pem"), ca:path(name .. ".pem"),
                    ca:path(name .. ".key"), admin, path))
            end
            assert.equal("200", as("ops", "admin/v1/apis"))
            assert.equal("401", as("other", "admin/v1/apis"))
            assert.equal("403", as("other", "status"))
        end)
        ca:close()
    end)

    it("does not begin where it could not be done", function()
        with_estate(1, own_socket(), function()
            for text, why in pairs({
                ['store "policies"\n'] = "admin: ",
                ["users = { %d+ }"] = "admin: nobody may: ",
            }) do
                local file = assert(io.open(folder .. "/estate.lua"))
                local estate = file:read("*a")
                file:close()
                file = assert(io.open(folder .. "/estate.lua", "w"))
                file:write((estate:gsub(text, "")))
                file:close()
                if server then
                    server:close()
                end
                server = served.start("exec postern serve " .. folder .. "/estate.lua", {})
                assert.is_truthy(server:until_true(function() return server.status end))
                assert.equal(2, server.status)
                assert.matches(why, server.said, 1, true)
                file = assert(io.open(folder .. "/estate.lua", "w"))
                file:write(estate)
                file:close()
            end
        end)
    end)

    -- What is in the store, by who reads its files: the number of the policy, and its revision.
    local function held()
        local status, body = ask("admin/v1/endpoints/vpce-1/policy", "-i")
        assert.equal(200, status)
        return tonumber(body:match('"Sid":%s*"W(%d+)"') or 0),
            tonumber(body:match('ETag: "(%d+)"'))
    end

    -- Puts policies one after another until something is killed, and once more: one that is only
    -- sent then may be answered by the process that takes the place. Answers the last that was
    -- acknowledged, and the last that was sent.
    local function put_until(number, is_killed)
        local acknowledged, tried = number, number
        local over
        repeat
            over = is_killed()
            tried = tried + 1
            local file = assert(io.open(folder .. "/put", "w"))
            file:write((policy("W" .. tried):gsub('"execute%-api:/%*"', '"*"')))
            file:close()
            local status = ask("admin/v1/endpoints/vpce-1/policy", ("-X PUT --data-binary @%s/put "
                .. "%s"):format(folder, tried > 1 and "-H 'If-Match: *'" or ""))
            if status == 200 then
                acknowledged = tried
            end
        until over
        return acknowledged, tried
    end

    local function is_alive(pid)
        return uv.kill(pid, 0) == 0
    end

    it("loses nothing that was acknowledged when its processes are killed", function()
        with_estate(2, own_socket(), function()
            local number, puts = 0, 0
            for kill = 1, KILLS do
                start()
                local first = json.decode((select(2, ask("status")))).pid
                assert.equal(number, (held()))
                -- The parent by turns with the worker that administers.
                local parent, killed = kill % 2 == 1, false
                server.host:spawn(function()
                    server.host:sleep(0.1 + math.random() * 0.4)
                    uv.kill(parent and server.pid or first, "sigkill")
                    killed = true
                end)
                local acknowledged, tried = put_until(number, function() return killed end)
                puts = puts + acknowledged - number
                if parent then
                    -- Workers end with their parent; then the socket is nobody's.
                    assert.is_truthy(server:until_true(function() return not is_alive(first) end))
                    start()
                else
                    assert.is_truthy(server:until_true(function()
                        local status, body = ask("status")
                        return status == 200 and json.decode(body).pid ~= first
                    end))
                end
                local found, revision = held()
                assert.is_true(found >= acknowledged and found <= tried,
                    ("acknowledged %d, tried %d, found %d"):format(acknowledged, tried, found))
                -- One that was cut short has no revision.
                assert.is_true(revision <= found)
                -- It is what acts, too, and whoever goes on goes on from there.
                local _, state = ask("admin/v1/endpoints/vpce-1")
                assert.equal(revision, json.decode(state).active.policy_revision or 0)
                number = found
                assert.equal(0, server:stop())
            end
            assert.is_true(puts > 0)
        end)
    end)
end)
