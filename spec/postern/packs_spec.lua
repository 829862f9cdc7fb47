local packs = require("postern.packs")
local plain = require("postern.host.plain")


local KEYS = [[return { kind = "keys", name = "mine", api = 1, files = { "database", "lists" },
    check = function(config) return config.bad == nil, "no `bad`, please" end,
    keys = { ["acme:Ring"] = function() return "x" end } }]]

local FILES = {
    ["gw/mine.lua"] = KEYS,
    ["gw/own.lua"] = (KEYS:gsub('"mine"', '"own"')),
    ["gw/raises.lua"] = (KEYS:gsub("return config.bad", "error('boom') return config.bad")),
    ["gw/service.lua"] = [[return { kind = "services", name = "execute-api", api = 1,
        check = function() return true end, resolve = function() end }]],
    ["gw/unasked.lua"] = [[return { kind = "services", name = "other", api = 1,
        check = function() return true end, resolve = function() end }]],
    ["gw/who.lua"] = [[return { kind = "identities", name = "who", api = 1,
        check = function() return true end, identify = function() end }]],
}

local function read(path)
    if path:find("^gw/") then
        return FILES[path], "no such file: check the path"
    end
    return plain.read(path)
end

local function loaded()
    local all = packs.new(read)
    assert(all:load_shipped())
    return all
end

local function entry(value, members)
    return { value = value, members = members or {}, file = "gw/estate.lua" }
end

local function refused(value, members, all)
    local ok, err = (all or loaded()):add(entry(value, members))
    assert.is_nil(ok)
    return err
end


describe("the packs of an estate", function()
    it("are shipped ones, in the order of loading", function()
        local all = loaded()
        assert.equal("keys/network", all.order[1])
        for _, name in ipairs(all.order) do
            assert.not_nil(all.by_name[name])
        end
        for _, name in ipairs({ "services/execute-api", "flows/api_gateway", "flows/generic",
                                "tables/endpoint_services" }) do
            assert.equal(name, all.by_name[name].pack.kind .. "/" .. all.by_name[name].pack.name)
            assert.same({}, all.by_name[name].config)
        end
        assert.is_nil(all.by_name["hooks/audit"])
    end)

    it("say which shipped one cannot be read", function()
        local ok, err = packs.new(function() return nil, "gone" end):load_shipped()
        assert.is_nil(ok)
        assert.matches("no keys pack `network`", err, 1, true)
    end)

    it("are private ones by their path, shipped ones by kind and name", function()
        local all = loaded()
        assert(all:add(entry("mine.lua", { word = "yes" })))
        assert.same({ word = "yes" }, all.by_name["keys/mine"].config)
        assert(all:add(entry("hooks/audit", { path = "-" })))
        assert.same({ "keys/mine", "hooks/audit" }, { unpack(all.order, #all.order - 1) })
        assert.equal("give the path of a pack, ending in .lua, or `kind/name` of a shipped one",
                     refused("mine"))
        assert.matches("^give the path of a pack", refused("identities/sigv4"))
        assert.matches("^give the path of a pack", refused("colors/x"))
        assert.matches("no hooks pack `none`", refused("hooks/none"))
        assert.equal("gw/none.lua: no such file: check the path", refused("none.lua"))
    end)

    it("replace a shipped one of their kind and name, in its place", function()
        local all = loaded()
        local before = #all.order
        local shipped = all.by_name["services/execute-api"].pack
        assert(all:add(entry("service.lua")))
        assert.equal(before, #all.order)
        assert.not_equal(shipped, all.by_name["services/execute-api"].pack)
        assert.equal("nothing asks for a services pack named `other`", refused("unasked.lua"))
    end)

    it("are given once", function()
        local all = loaded()
        assert(all:add(entry("mine.lua")))
        assert.equal("the pack `keys/mine` is given twice: give it once",
                     refused("mine.lua", {}, all))
        assert(all:add(entry("own.lua")))
    end)

    it("have their configuration checked", function()
        assert.equal("no `bad`, please", refused("mine.lua", { bad = 1 }))
        assert.matches("boom", refused("raises.lua"), 1, true)
    end)

    it("have limits that are no part of it", function()
        local all = loaded()
        assert(all:add(entry("mine.lua", { a = 1, limits = { seconds = 1, timeout = 2 } })))
        assert.same({ a = 1 }, all.by_name["keys/mine"].config)
        assert.same({ seconds = 1, timeout = 2 }, all.by_name["keys/mine"].limits)
        assert.equal("`limits` is a number: give a table", refused("mine.lua", { limits = 1 }))
        assert.matches("unknown limit `second`", refused("mine.lua", { limits = { second = 1 } }))
        assert.equal("`limits` belongs to packs of keys and hooks",
                     refused("service.lua", { limits = { seconds = 1 } }))
    end)

    it("get the files that they name as seen from the estate", function()
        local all = loaded()
        assert(all:add(entry("mine.lua", { database = "x.mmdb", lists = "-", other = "x.mmdb" })))
        assert.same({ database = "gw/x.mmdb", lists = "-", other = "x.mmdb" },
                    all.by_name["keys/mine"].config)
        all = loaded()
        local members = { database = "/var/x.mmdb", lists = 5 }
        assert(all:add(entry("mine.lua", members)))
        assert.same({ database = "/var/x.mmdb", lists = 5 }, all.by_name["keys/mine"].config)
        assert.not_equal(members, all.by_name["keys/mine"].config)
    end)

    it("that say who calls are named by a word of their own", function()
        assert.equal("an identity pack is named by the word `identity`", refused("who.lua"))
        local all = loaded()
        assert.equal("who", assert(all:load_identity(entry("who.lua"))).name)
        assert.equal("sigv4", assert(all:load_identity(entry("sigv4"))).name)
        for _, limits in ipairs({ 5, { seconds = 1 } }) do
            local pack, err = all:load_identity(entry("who.lua", { limits = limits }))
            assert.is_nil(pack)
            assert.equal("`limits` belongs to packs of keys and hooks", err)
        end
        local pack, err = all:load_identity(entry("mine.lua"))
        assert.is_nil(pack)
        assert.matches("its kind is `keys`, wanted is `identities`", err, 1, true)
    end)
end)
