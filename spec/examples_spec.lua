-- Every example with a README runs as that says, in its own folder, and stays small.
local documents = require("spec.support.documents")
local commands = require("spec.support.commands")
local files = require("spec.support.files")


local MOST_LINES = 60


local function lua_lines(folder)
    local count = 0
    for _, path in ipairs(files.list(folder, "%.lua$")) do
        local _, lines = files.read(path):gsub("\n", "\n")
        count = count + lines
    end
    return count
end


local readmes = files.list("examples", "/README%.md$")

describe("the examples", function()
    it("are found", function()
        assert.is_true(#readmes > 0)
    end)
end)

for _, readme in ipairs(readmes) do
    local folder = readme:match("^(.*)/")

    describe(folder, function()
        for _, one in ipairs(documents.commands(documents.blocks(readme))) do
            it("prints what it says at " .. one.place, function()
                assert.truthy(one.output, "no output block behind it")
                assert.equal(one.output, (commands.sh(one.command, folder)))
            end)
        end

        it(("has less than %d lines of Lua"):format(MOST_LINES), function()
            assert.is_true(lua_lines(folder) < MOST_LINES)
        end)
    end)
end
