-- docs/estate.md: no word, no member and no reason is missing from it, and its examples run.
local commands = require("spec.support.commands")
local documents = require("spec.support.documents")
local engine = require("postern.engine")
local estates = require("postern.estate")
local words = require("postern.words")
local paths = require("postern.path")
local plain = require("postern.host.plain")
local reload = require("postern.reload")


local TEXT = assert(plain.read("docs/estate.md"))

-- The section of a word, for words that have one of their own; other words stand in rows.
local SECTIONS = {
    api = "api", endpoint = "endpoint", resource = "resource", principal = "principal and group",
    group = "principal and group", organization = "organization",
    vpc = "The network", subnet = "The network", security_group = "The network",
    prefix_list = "The network", route_table = "The network",
}


local function section(title)
    local _, from = TEXT:find("\n## " .. title .. "\n", 1, true)
    assert(from, "no section " .. title)
    return TEXT:sub(from, (TEXT:find("\n## ", from, true) or #TEXT + 1) - 1)
end


local function names(text, name)
    return text:find("[`{,] ?" .. name .. "[` ]") ~= nil
end


-- Every member of a schema, also of the records in it.
local function each_member(members, visit, seen)
    seen = seen or {}
    if seen[members] then
        return
    end
    seen[members] = true
    for name, spec in pairs(members) do
        visit(name)
        local inner = spec.records or spec.named
        if inner then
            each_member(inner.members, visit, seen)
        end
    end
end


local function blocks()
    local found = {}
    for block in TEXT:gmatch("```lua\n(.-)```") do
        found[#found + 1] = block
    end
    return found
end


local function read_example(path)
    if path == "estate.lua" then
        return blocks()[1]
    elseif path == "dev-api.json" then
        return '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",'
            .. '"Action":"execute-api:Invoke","Resource":"execute-api:/dev/*"}]}'
    end
    return plain.read(path)
end


describe("docs/estate.md", function()
    it("has every word", function()
        for word in pairs(words) do
            assert.is_true(names(TEXT, word) or TEXT:find("## " .. word, 1, true) ~= nil,
                           "no word " .. word)
        end
    end)

    it("has every member of every word", function()
        local count = 0
        for word, spec in pairs(words) do
            if spec.members then
                local text = section(assert(SECTIONS[word], "no section for " .. word))
                each_member(spec.members, function(name)
                    count = count + 1
                    assert.is_true(names(text, name), word .. " lacks " .. name)
                end)
            end
        end
        assert.is_true(count > 60)
        assert.is_false(names(TEXT, "polcy"))
    end)

    it("has every member of a request, and every ambiguity of a path", function()
        local text = section("Requests")
        for name in pairs(engine.MEMBERS) do
            assert.is_true(names(text, name), "no member " .. name)
        end
        for name in pairs(paths.AMBIGUITIES) do
            assert.is_true(names(section("api"), name), "no ambiguity " .. name)
        end
    end)

    it("has no row for what is not there", function()
        for name in section("Requests"):gmatch("\n| ([^|]+) |") do
            for member in name:gmatch("`([^`]+)`") do
                assert.truthy(engine.MEMBERS[member], "no such member: " .. member)
            end
        end
        for _, word in ipairs({ "api", "endpoint", "resource", "organization" }) do
            for name in section(word):gmatch("\n| ([^|]+) |") do
                for member in name:gmatch("`([^`]+)`") do
                    assert.truthy(words[word].members[member],
                                  ("no such member of %s: %s"):format(word, member))
                end
            end
        end
    end)

    it("has examples that run", function()
        local estate, problems = estates.open("estate.lua", { read = read_example,
                                                              now = plain.now })
        assert.equal("", tostring(problems or ""))
        assert.truthy(estate.apis.a1b2c3d4e5)
        local postern = { open = function() return estate end }
        local printed
        local run = assert(loadstring(blocks()[2]))
        setfenv(run, {
            require = function() return postern end, assert = assert,
            print = function(...) printed = { ... } end,
        })
        run()
        assert.is_nil(printed)
    end)
end)


describe("the section on reloading", function()
    it("shows what it prints", function()
        local shown = documents.blocks("docs/estate.md")
        commands.with_files({ ["estate.lua"] = blocks()[1],
                              ["dev-api.json"] = read_example("dev-api.json") }, function(folder)
            local count = 0
            for i, block in ipairs(shown) do
                local name = block.info:match("^lua (.+)$")
                if name then
                    local file = assert(io.open(folder .. "/" .. name, "wb"))
                    file:write(block.text)
                    file:close()
                elseif block.info == "sh" then
                    count = count + 1
                    assert.equal(shown[i + 1].text, (commands.sh(block.text, folder)))
                end
            end
            assert.equal(1, count)
        end)
    end)

    it("has every option", function()
        local text = section("Reloading")
        local _, err = pcall(reload.new, "x", { nothing_such = 1 })
        assert.matches("unknown option `nothing_such`", err, 1, true)
        for _, option in ipairs({ "slice", "debounce", "poll", "grace" }) do
            assert.is_true(names(text, option), option)
        end
    end)
end)


describe("the section on rules", function()
    local PLAN = [[return { kind = "keys", name = "plan", api = 1, lazy = true,
        check = function(config) return config.limits == nil and config.url ~= nil end,
        keys = { ["shop:Plan"] = function() return "gold" end } }]]

    it("shows what an estate takes", function()
        local second = assert(blocks()[3]:match("\n(rules \"plan.lua\".*)$"))
        local estate, problems = estates.open("estate.lua", { now = plain.now, read = function(path)
            return path == "plan.lua" and PLAN or path == "estate.lua" and second
                or plain.read(path)
        end })
        assert.equal("", tostring(problems or ""))
        local limits = estate.runners["keys/plan"].limits
        assert.same({ 0.2, "absent" }, { limits.timeout, limits.open })
    end)

    it("says what is a warning", function()
        local estate = assert(estates.open("estate.lua", { now = plain.now, read = function(path)
            if path == "dev-api.json" then
                return '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*",'
                    .. '"Action":"execute-api:Invoke","Resource":"execute-api:/*",'
                    .. '"Condition":{"StringEquals":{"shop:Plam":"free"}}}}'
            end
            return read_example(path)
        end }))
        assert.matches("no pack provides the condition key `shop:plam`",
                       tostring(estate.warnings), 1, true)
    end)
end)


describe("examples/private-api/estate.lua", function()
    it("fits on a screen or two, and decides as its requests say", function()
        local text = assert(plain.read("examples/private-api/estate.lua"))
        local _, lines = text:gsub("\n", "\n")
        assert.is_true(lines <= 60, lines .. " lines")
        local out = {}
        local status = require("postern.cli").main({
            "eval", "--estate", "examples/private-api/estate.lua",
            "--cases", "examples/private-api/estate-requests.jsonl", "--check",
        }, {
            read = plain.read, lines = plain.lines, now = plain.now,
            out = function(line) out[#out + 1] = line end, err = error,
        })
        assert.equal("18 of 18 cases as expected", table.concat(out, "\n"))
        assert.equal(0, status)
    end)
end)
