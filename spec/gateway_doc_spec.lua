-- docs/gateway.md: its tables are those that the specs run, and every proof it names exists.
local flows = require("spec.support.flows")
local files = require("spec.support.files")

local FILES = { "spec/cases/flows/api_gateway.json", "spec/cases/flows/endpoints.json" }


-- The cells of a table's line, without the marks of code.
local function cells_of(line)
    local cells = {}
    for cell in line:gsub("^|%s*", ""):gmatch("(.-)%s*|%s*") do
        cells[#cells + 1] = (cell:gsub("`", ""))
    end
    return cells
end


-- The tables of the document: their rows of cells, and the line below that names rows and proof.
local function tables_of(text)
    local tables, rows = {}, nil
    for line in (text .. "\n"):gmatch("(.-)\n") do
        if line:find("^|%-") then
            rows = {}
        elseif rows and line:find("^|") then
            rows[#rows + 1] = cells_of(line)
        elseif rows and line ~= "" then
            tables[#tables + 1] = { rows = rows, below = line }
            rows = nil
        end
    end
    return tables, rows
end


-- Whether a spec has a test of that name, or one of its case files a table of that name.
local function has_test(path, name)
    local text = files.read(path)
    return text:find('it("' .. name .. '"', 1, true) ~= nil
        or text:find('describe("' .. name .. '"', 1, true) ~= nil
        or text:find('{ name = "' .. name .. '"', 1, true) ~= nil
end


describe("docs/gateway.md", function()
    local tables, open = tables_of(files.read("docs/gateway.md"))
    local known = {}
    for _, path in ipairs(FILES) do
        for _, tab in ipairs(flows.tables(path)) do
            known[path:match("^spec/(.+)$") .. ": " .. tab.name] = tab
        end
    end

    it("names the rows or the proofs of every table", function()
        assert.is_nil(open)
        assert.is_true(#tables >= 19)
        for _, tab in ipairs(tables) do
            assert.truthy(tab.below:find("^Rows: ") or tab.below:find("^Proof: "), tab.below)
        end
    end)

    it("shows every table of cases, row by row", function()
        local shown = {}
        for _, tab in ipairs(tables) do
            local name = tab.below:match("^Rows: `([^`]+)`")
            if name then
                local cases = assert(known[name], "no such table: " .. name)
                shown[name] = true
                local expected = {}
                for i, row in ipairs(cases.rows) do
                    expected[i] = {}
                    for j, cell in ipairs(row) do
                        expected[i][j] = tostring(cell)
                    end
                end
                assert.same(expected, tab.rows, name)
            end
        end
        for name in pairs(known) do
            assert.is_true(shown[name] or false, "not shown: " .. name)
        end
    end)

    it("names specs that run those tables", function()
        for _, tab in ipairs(tables) do
            local file = tab.below:match("^Rows: `(%S+):")
            if file then
                local proof = assert(tab.below:match("proof: `([^`]+)`$"), tab.below)
                local text = files.read("spec/" .. proof)
                assert.truthy(text:find('"spec/' .. file .. '"', 1, true), proof)
                local name = tab.below:match("^Rows: `%S+: ([^`]+)`")
                -- A spec runs all tables of its file, or picks its own by name.
                local picks = text:find("if tab.name == ", 1, true)
                assert.truthy(not picks
                    or text:find('if tab.name == "' .. name .. '"', 1, true), proof)
            end
        end
    end)

    it("names proofs that exist", function()
        local count = 0
        for _, tab in ipairs(tables) do
            for file, name in tab.below:gmatch("`(%S+_spec%.lua): ([^`]+)`") do
                count = count + 1
                assert.is_true(has_test("spec/" .. file, name), file .. ": " .. name)
            end
        end
        assert.is_true(count > 0)
    end)

    it("lists the reasons that are tested, with their status", function()
        local spec = files.read("spec/rules/flows/api_gateway_spec.lua")
        local tested, listed = {}, {}
        for reason, status in spec:gmatch('\n +{ "([%l_]+)", (%d%d%d), ') do
            tested[#tested + 1] = { reason, status }
        end
        for _, tab in ipairs(tables) do
            if tab.below:find("gives every reason with its status", 1, true) then
                for i, row in ipairs(tab.rows) do
                    listed[i] = { row[1], row[3] }
                end
            end
        end
        assert.same(tested, listed)
    end)

    it("would miss a row, a table and a test that are not there", function()
        local changed = tables_of("| A | B |\n|---|---|\n| `a` | b c |\n| d | |\n\nProof: `x`")
        assert.same({ { "a", "b c" }, { "d", "" } }, changed[1].rows)
        assert.is_false(has_test("spec/gateway_doc_spec.lua", "would miss a row"))
        assert.truthy(select(2, tables_of("|---|\n| a |\n")))
    end)
end)
