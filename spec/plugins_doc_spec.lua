-- docs/plugins.md: its commands, typed one after the other in an empty folder with the files it
-- shows, print what it says; and its reference has what the code has, no more and no less.
local budgets = require("postern.budget")
local commands = require("spec.support.commands")
local documents = require("spec.support.documents")
local estates = require("postern.estate")
local guards = require("postern.guard")
local hooks = require("postern.hooks")
local plain = require("postern.host.plain")
local rules = require("postern.rules")
local runners = require("postern.runner")
local tools = require("postern.tools")

local PATH = "docs/plugins.md"
local TEXT = documents.read(PATH)


-- The names in the first cells of the table with such a heading, with the rest of their rows.
local function rows(heading)
    local _, from = TEXT:find("\n| " .. heading .. " |[^\n]*\n|[-|]+\n")
    assert(from, "no table " .. heading)
    local found = {}
    for line in TEXT:sub(from + 1):gmatch("([^\n]*)\n") do
        local cell, rest = line:match("^| (.-) | (.*) |$")
        if not cell then
            break
        end
        for name in cell:gmatch("`([%w_]+)[^`]*`") do
            assert.is_nil(found[name], name .. " is there twice")
            found[name] = rest
        end
    end
    return found
end


local function same_names(code, page)
    for name in pairs(code) do
        assert.truthy(page[name], "the page lacks " .. name)
    end
    for name in pairs(page) do
        assert.truthy(code[name], "the code has no " .. name)
    end
end


local function backticked(text)
    local names = {}
    for name in text:gmatch("`([%w_]+)`") do
        names[name] = true
    end
    return names
end


local function all_tools(host)
    host.read = plain.read
    return (tools.new(host))
end


describe(PATH, function()
    it("prints what it says, from top to bottom", function()
        local blocks, count = documents.blocks(PATH), 0
        commands.with_files({}, function(folder)
            for i, block in ipairs(blocks) do
                local name = block.info:match("^%l+ ([%w_-]+%.%l+)$")
                if name then
                    local file = assert(io.open(folder .. "/" .. name, "wb"))
                    file:write(block.text)
                    file:close()
                elseif block.info == "sh" then
                    count = count + 1
                    local after = blocks[i + 1]
                    assert.equal("output", after and after.info, block.place)
                    assert.equal(after.text, (commands.sh(block.text, folder)), block.place)
                end
            end
        end)
        assert.is_true(count >= 9)
    end)

    it("shows a pack that takes over its state", function()
        local text = TEXT:match("\n```lua pack\n(.-)\n```\n")
        local pack = assert(rules.read(text, "counting"))
        local told = {}
        local shared = all_tools({ log = function(line) told[#told + 1] = line end })
        local first = runners.new({ pack = pack, config = {} }, shared)
        assert(first:start())
        pack.log({}, { allowed = false }, {}, first.tools)
        local second = runners.new({ pack = pack, config = {} }, shared)
        assert(second:start(first))
        pack.log({}, { allowed = false }, {}, second.tools)
        first:stop()
        assert.same({}, told)
        second:stop()
        assert.same({ "2 denied so far" }, told)
    end)
end)


describe("the reference of " .. PATH, function()
    local function told_members(kind)
        local _, err = rules.read(('return { kind = %q, name = "x", api = 1, zzz = 1 }')
            :format(kind), "x")
        return backticked(assert(err:match("pack has (.*)$"), err))
    end

    it("has every member of every kind of pack, and no other", function()
        local _, err = rules.read('return { kind = "none", name = "x", api = 1 }', "x")
        local kinds, common = backticked(err:match("there are (.*)$")), { kind = true, name = true,
            api = true, check = true }
        for kind in pairs(kinds) do
            local page = rows("Member of `" .. kind .. "`")
            for name in pairs(common) do
                page[name] = "common to all"
            end
            same_names(told_members(kind), page)
        end
        assert.is_true(kinds.keys and kinds.hooks and kinds.flows)
    end)

    it("has every tool, and no other", function()
        local all = tools.of_pack(all_tools({ now = print, log = print, open = print,
            principal = print }), { limits = {}, state = {}, previous = {} })
        same_names(all, rows("Tool"))
    end)

    it("says which tools wait", function()
        local page = rows("Tool")
        local hasty = tools.of_pack(all_tools({}), {}, false)
        for name, tool in pairs(hasty) do
            local ok, _, err = pcall(tool, "x")
            local waits = ok and type(err) == "string" and err:find("waits", 1, true) ~= nil
            assert.equal(waits, page[name]:find("^lazy") ~= nil, name)
        end
    end)

    it("has every limit with its default, and no other", function()
        local page = rows("Limit")
        same_names(rules.LIMITS, page)
        local guard = guards.new({}, { monotonic = os.clock })
        local defaults = {
            seconds = budgets.SECONDS, memory = budgets.MEMORY,
            open = runners.new({ pack = {} }, {}).limits.open,
        }
        for name in pairs(rules.LIMITS) do
            local default = defaults[name] or guard[name]
            assert.equal(tostring(default), page[name]:match("^(%S+) |"), name)
        end
    end)

    -- Hooks that are none of our own get what others get a view of, and tell us its names.
    local SPY = [[return { kind = "hooks", name = "audit", api = 1,
        check = function() return true end,
        log = function(context, _, _, tools)
            for name in pairs(context) do tools.log(name) end
        end }]]

    local ESTATE = [[account "111122223333" region "eu-central-1"
        rules "hooks/audit"
        vpc "vpc-1" { cidr = "10.0.0.0/16" }
        endpoint "vpce-1" { service = "execute-api", vpc = "vpc-1" }
        api "a1" { endpoint_type = "PRIVATE", authorization = "NONE", stages = { "dev" },
            domains = { ["a.example.com"] = { id = "d1", stage = "dev", policy = "api.json" } } }]]

    it("has every member of the context, and no other", function()
        local seen = {}
        local estate = assert(estates.open("estate.lua", {
            now = os.time, log = function(name) seen[name] = true end,
            read = function(path)
                if path:find("rules/hooks/audit.lua$") then
                    return SPY
                elseif path == "api.json" then
                    return '{"Statement":{"Effect":"Allow","Principal":"*","Action":"*",'
                        .. '"Resource":"*"}}'
                end
                return path == "estate.lua" and ESTATE or plain.read(path)
            end,
        }))
        estate:authorize({ host = "a.example.com", path = "/x", vpce = "vpce-1",
            peer = "10.0.0.1", client_ip = "10.0.0.1", claims = {}, client_certificate = {},
            route = "r", connection = {} })
        same_names(seen, rows("Member of the context"))
    end)

    it("has every member of a decision that hooks see, and no other", function()
        local asked = {}
        local decision = setmetatable({}, { __index = function(_, name) asked[name] = true end })
        local runner = { pack = { name = "x", log = function() end } }
        hooks.new({ runner }, error):log({}, decision)
        same_names(asked, rows("Member of the decision"))
    end)
end)
