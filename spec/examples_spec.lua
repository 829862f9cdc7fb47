-- Every example with a README runs as that says, in its own folder, and stays small.
local documents = require("spec.support.documents")
local commands = require("spec.support.commands")
local files = require("spec.support.files")


local MOST_LINES = 60

-- What an example has besides: its tests, and what plays the part of somebody else.
local BESIDES = { "_spec%.lua$", "/serve%.lua$" }


local function is_besides(path)
    for _, pattern in ipairs(BESIDES) do
        if path:find(pattern) then
            return true
        end
    end
    return false
end


-- Lines that are neither empty nor a comment, of the files that match.
local function code_lines(folder, pattern)
    local count = 0
    for _, path in ipairs(files.list(folder, pattern)) do
        for line in files.read(path):gmatch("[^\n]+") do
            local is_code = line:find("%S") and not line:find("^%s*%-%-")
                and not line:find("^%s*/?%*") and not line:find("^%s*#")
            count = count + (is_code and not is_besides(path) and 1 or 0)
        end
    end
    return count
end


-- Ids that nobody can foretell, nginx's and ours, in the order they come: the same one twice is the
-- same word twice.
local IDS = { "%f[%x]" .. ("%x"):rep(32) .. "%f[%X]", "%f[%x]" .. ("%x"):rep(16) .. "%-%x+" }

local function with_numbered_ids(text)
    local numbers, count = {}, 0
    for _, pattern in ipairs(IDS) do
        text = text:gsub(pattern, function(id)
            if not numbers[id] then
                count = count + 1
                numbers[id] = ("<id %d>"):format(count)
            end
            return numbers[id]
        end)
    end
    return text
end


local readmes = files.list("examples", "/[^/]+/README%.md$")

describe("the examples", function()
    it("are found, and are all in the table", function()
        assert.is_true(#readmes >= 5)
        local table_text = files.read("examples/README.md")
        for _, readme in ipairs(readmes) do
            local name = readme:match("([^/]+)/README")
            assert.truthy(table_text:find(("[%s](%s)"):format(name, name), 1, true), name)
        end
    end)
end)

for _, readme in ipairs(readmes) do
    local folder = readme:match("^(.*)/")

    describe(folder, function()
        for _, one in ipairs(documents.commands(documents.blocks(readme))) do
            it("prints what it says at " .. one.place, function()
                assert.truthy(one.output, "no output block behind it")
                local command = one.command:gsub("%.%./%.%./build%f[/%s]", commands.build())
                    -- The compiler is no part of what is sanitized.
                    :gsub("^cc ", "LD_PRELOAD= cc ")
                -- The linker has something to say about a sanitizer's own library.
                local output = commands.sh(command, folder):gsub("[^\n]*libasan[^\n]*\n", "")
                assert.equal(with_numbered_ids(one.output), with_numbered_ids(output))
            end)
        end

        it(("has less than %d lines of code"):format(MOST_LINES), function()
            -- All of Lua and C together; what starts and configures others each by itself.
            local count = code_lines(folder, "%.[lc]u?a?$")
            assert.is_true(count < MOST_LINES, count .. " lines")
            for _, name in ipairs({ "/run$", "%.conf$", "%.cfg$", "/Caddyfile$", "%.yml$" }) do
                count = code_lines(folder, name)
                assert.is_true(count < MOST_LINES, count .. " lines of " .. name)
            end
        end)
    end)
end
