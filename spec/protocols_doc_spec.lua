-- docs/protocols.md: every protocol and option is in it, and its examples are taken.
local plain = require("postern.host.plain")


local TEXT = assert(plain.read("docs/protocols.md"))
local PROTOCOLS = { "native", "authzen", "forward", "ext_authz", "opa" }


local function section(title)
    local _, from = TEXT:find("\n## " .. title .. "\n", 1, true)
    assert(from, "no section " .. title)
    return TEXT:sub(from, (TEXT:find("\n## ", from, true) or #TEXT + 1) - 1)
end


-- The names in the first column of the tables of options.
local function options_in(text)
    local found = {}
    for rows in text:gmatch("\n| Option | Meaning |\n|%-%-%-|%-%-%-|\n(.-)\n\n") do
        for row in (rows .. "\n"):gmatch("| (.-) | .-\n") do
            for name in row:gmatch("`([%w_]+)[^`]*`") do
                found[#found + 1] = name
            end
        end
    end
    table.sort(found)
    return found
end


for _, name in ipairs(PROTOCOLS) do
    local protocol = require("postern.protocol." .. name)

    describe("docs/protocols.md, " .. name, function()
        it("has its options, and no others", function()
            local expected = {}
            for option in pairs(protocol.OPTIONS) do
                -- The host of a call of AuthZEN is not known.
                if not (name == "authzen" and option == "domains") then
                    expected[#expected + 1] = option
                end
            end
            table.sort(expected)
            assert.same(expected, options_in(section(name) .. "\n\n"))
        end)

        it("has an example that is taken", function()
            local count = 0
            for block in section(name):gmatch("```lua\n(.-)```") do
                assert.is_nil(protocol.fault(assert(loadstring("return " .. block))()))
                count = count + 1
            end
            assert.is_true(count > 0)
        end)
    end)
end


it("docs/protocols.md lists every protocol", function()
    for _, name in ipairs(PROTOCOLS) do
        assert.is_truthy(TEXT:find(("| [`%s`](#%s) |"):format(name, name), 1, true), name)
    end
end)
