-- docs/packs.md: no pack, no option and no key is missing from it, and what it shows works.
local crypto = require("postern.crypto")
local files = require("spec.support.files")
local packs = require("spec.support.packs")
local postern = require("postern")


local TEXT = files.read("docs/packs.md")

-- The packs that an estate has to name; the others share a section.
local NAMED = {
    "keys/business_hours", "keys/geoip", "keys/rate_limit", "keys/jwt_claims", "keys/http_headers",
    "keys/external", "hooks/audit", "hooks/shadow",
}


local function section(title)
    local _, from = TEXT:find("\n## " .. title .. "\n", 1, true)
    assert(from, "no section " .. title)
    return TEXT:sub(from, (TEXT:find("\n## ", from, true) or #TEXT + 1) - 1)
end


local function pattern(title)
    local _, from = TEXT:find("\n### " .. title .. "\n", 1, true)
    assert(from, "no pattern " .. title)
    return TEXT:sub(from, (TEXT:find("\n##", from) or #TEXT + 1) - 1)
end


local function blocks(text, info)
    local found = {}
    for block in text:gmatch("\n```" .. info .. "\n(.-)\n```") do
        found[#found + 1] = block
    end
    return found
end


-- The names of a pack's options, as it tells them to whoever misspells one.
local function options_of(pack)
    local _, err = pack.check({ no_such_option = true })
    local options = {}
    for name in assert(err:match("unknown option `no_such_option`: there [ai][rs]e? (.*)$"), err)
            :gmatch("`([^`]+)`") do
        options[name] = true
    end
    return options
end


-- The first cells of the tables with such a heading.
local function rows(text, heading)
    local found = {}
    for tbl in text:gmatch("\n| " .. heading .. " |.-\n\n") do
        for name in tbl:gmatch("\n| `([^`]+)`") do
            found[name] = true
        end
    end
    return found
end


-- What `rules "name" { ... }` says in a piece of an estate.
local function rules_in(block)
    local found = {}
    local chunk = assert(load(block, "snippet", "t", { rules = function(name)
        return function(config)
            found[#found + 1] = { name = name, config = config }
        end
    end }))
    chunk()
    return found
end


-- Decides with a policy of the page; the other keys are as given.
local function decide(title, context, resource)
    local flow = assert(postern.flow({
        resource = assert(postern.compile(blocks(pattern(title), "json")[1])) }))
    return flow:decide({
        action = "execute-api:Invoke", context = context,
        resource = "arn:aws:execute-api:eu-central-1:111122223333:a1/" .. resource,
    }).allowed
end


describe("docs/packs.md", function()
    it("has a section for each pack that an estate has to name", function()
        for _, name in ipairs(NAMED) do
            section(name)
            assert.is_truthy(TEXT:find(("[%s](#%s)"):format(name, (name:gsub("/", ""))), 1, true),
                             name .. " is not in the list")
        end
    end)

    it("names every shipped pack", function()
        local shared = section("The packs every estate has")
        local named = {}
        for _, name in ipairs(NAMED) do
            named[name] = true
        end
        local found = files.list("rules", "%.lua$")
        assert.is_true(#found > 20)
        for _, path in ipairs(found) do
            local name = path:match("^rules/(.*)%.lua$")
            assert.is_truthy(named[name] or shared:find(("`%s`"):format(name), 1, true),
                             "no " .. name)
        end
    end)

    it("has every option, and no other", function()
        for _, name in ipairs(NAMED) do
            local pack = packs.load(name)
            local text = section(name)
            local _, err = pack.check({ no_such_option = true })
            local told = rows(text, "Option")
            -- Every pack may be given limits; they are no option of its own.
            told.limits = nil
            if err:find("there are none", 1, true) then
                assert.is_truthy(text:find("There are no options", 1, true))
                assert.is_nil(next(told))
            else
                assert.same(options_of(pack), told)
            end
        end
        assert.same({ by = true, rate = true, burst = true, callers = true },
                    rows(section("keys/rate_limit"), "Of a bucket"))
    end)

    it("has every key with its type, and no other", function()
        for _, name in ipairs(NAMED) do
            local pack = packs.load(name)
            local told = rows(section(name), "Key")
            for _, kind in ipairs({ "keys", "prefixes" }) do
                for key in pairs(pack[kind] or {}) do
                    local row = kind == "keys" and key or key .. "NAME"
                    assert.is_true(told[row], "no row for " .. row)
                    told[row] = nil
                    local wanted = pack.types and pack.types[key]
                    assert.is_truthy(not wanted or section(name):find(
                        ("| `%s` | %s |"):format(row, wanted), 1, true), row)
                end
            end
            assert.is_nil(next(told))
        end
    end)

    it("has the keys of the packs that are always there", function()
        local shared = section("The packs every estate has")
        for _, name in ipairs({ "network", "time", "transport", "headers", "identity",
                                "resource" }) do
            local row = assert(shared:match("\n| `keys/" .. name .. "` |([^\n]+)"))
            local pack = packs.load("keys/" .. name)
            for _, kind in ipairs({ "keys", "prefixes" }) do
                for key in pairs(pack[kind] or {}) do
                    assert.is_truthy(row:find(("`%s`"):format(key), 1, true), key)
                end
            end
        end
    end)

    it("shows estates whose packs take their options", function()
        local count = 0
        for _, block in ipairs(blocks(TEXT, "lua")) do
            for _, entry in ipairs(rules_in(block)) do
                count = count + 1
                entry.config.limits = nil
                assert(packs.load(entry.name).check(entry.config))
            end
        end
        assert.equal(13, count)
        for _, name in ipairs(NAMED) do
            assert.equal(name, rules_in(blocks(section(name), "lua")[1])[1].name)
        end
    end)

    it("shows policies that compile, and that ask for keys there are", function()
        local provided, prefixes = { ["acme:signed"] = true }, {}
        for _, path in ipairs(files.list("rules/keys", "%.lua$")) do
            local pack = packs.load(path:match("^rules/(.*)%.lua$"))
            for key in pairs(pack.keys) do
                provided[key:lower()] = true
            end
            for prefix in pairs(pack.prefixes or {}) do
                prefixes[#prefixes + 1] = prefix:lower()
            end
        end
        local found = blocks(TEXT, "json")
        assert.equal(11, #found)
        for _, policy in ipairs(found) do
            for _, key in ipairs(assert(postern.compile(policy)):keys()) do
                local known = provided[key]
                for _, prefix in ipairs(prefixes) do
                    known = known or key:sub(1, #prefix) == prefix
                end
                assert.is_truthy(known, "nobody provides " .. key)
            end
        end
    end)
end)


describe("the patterns of docs/packs.md", function()
    it("business hours", function()
        for _, row in ipairs({ { true, "GET", true }, { true, "PUT", true },
                               { false, "GET", true }, { false, "PUT", false } }) do
            assert.equal(row[3], decide("Business hours", { ["time:BusinessHours"] = row[1] },
                                        "live/" .. row[2] .. "/pets"))
        end
    end)

    it("countries", function()
        for _, row in ipairs({ { "DE", "192.0.2.1", true }, { "US", "192.0.2.1", false },
                               { nil, "192.0.2.1", false }, { nil, "10.1.2.3", true } }) do
            assert.equal(row[3], decide("Countries", { ["geo:Country"] = row[1],
                                                       ["aws:SourceIp"] = row[2] }, "live/GET/x"))
        end
    end)

    it("rates", function()
        for _, row in ipairs({ { false, false, true }, { true, false, false },
                               { false, true, false } }) do
            assert.equal(row[3], decide("Rates", { ["rate:Exceeded/api"] = row[1],
                                                   ["rate:Exceeded/logins"] = row[2] },
                                        "live/POST/login"))
        end
        assert.is_true(decide("Rates", { ["rate:Exceeded/api"] = false,
                                         ["rate:Exceeded/logins"] = true }, "live/POST/pets"))
    end)

    it("the tenant of a token", function()
        local title = "The tenant of a token"
        for _, row in ipairs({
            { { ["jwt:Claim/tenant"] = "t1" }, "GET/tenants/t1/x", true },
            { { ["jwt:Claim/tenant"] = "t1" }, "GET/tenants/t2/x", false },
            { { ["jwt:Claim/tenant"] = "*" }, "GET/tenants/t2/x", false },
            { {}, "GET/tenants/t2/x", false },
            { {}, "GET/tenants//x", false },
            { { ["jwt:Claim/tenant"] = "t1" }, "DELETE/tenants/t1/x", false },
            { { ["jwt:Claim/tenant"] = "t1", ["jwt:Claim/realm_access/roles"] = { "reader" } },
              "DELETE/tenants/t1/x", false },
            { { ["jwt:Claim/tenant"] = "t1",
                ["jwt:Claim/realm_access/roles"] = { "reader", "admin" } },
              "DELETE/tenants/t1/x", true },
        }) do
            assert.equal(row[3], decide(title, row[1], "live/" .. row[2]))
        end
    end)

    it("signed requests", function()
        local pack = assert(load(blocks(pattern("Signed requests"), "lua pack")[1], "signed", "t", {
            math = math, table = table, tonumber = tonumber, type = type }))()
        local secret = ("s"):rep(32)
        assert.is_nil((pack.check({ secret = "short" })))
        local ask = packs.start(pack, { secret = secret })

        local function signed(changes, signature)
            local http = { method = "POST", path = "/partner/x", body_sha256 = ("0"):rep(64) }
            local at = changes.at or 1700000000
            local text = ("POST\n/partner/x\n%d\n%s"):format(at, ("0"):rep(64))
            http.headers = {
                ["x-signed-at"] = { tostring(at) },
                ["x-signature"] = { signature or crypto.hex(crypto.hmac_sha256(secret, text)) },
            }
            for name, value in pairs(changes.http or {}) do
                http[name] = value
            end
            return (ask("acme:Signed", { now = 1700000000, http = http }))
        end
        assert.is_true(signed({}))
        assert.is_true(signed({ at = 1700000300 }))
        assert.is_false(signed({ at = 1700000301 }))
        assert.is_false(signed({ at = 1699999699 }))
        assert.is_false(signed({}, ("0"):rep(64)))
        assert.is_false(signed({ http = { path = "/partner/y" } }))
        assert.is_false(signed({ http = { method = "PUT" } }))
        assert.is_false(signed({ http = { headers = {} } }))
        assert.is_false(signed({ http = { headers = { ["x-signed-at"] = { "nan" },
                                                      ["x-signature"] = { "x" } } } }))
        assert.is_true(decide("Signed requests", { ["acme:Signed"] = true },
                              "live/GET/partner/x"))
        assert.is_false(decide("Signed requests", {}, "live/GET/partner/x"))
    end)
end)
