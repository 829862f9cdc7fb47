-- docs/testing.md: its commands, typed one after the other in an empty folder with the files it
-- shows, print what it says.
local documents = require("spec.support.documents")
local commands = require("spec.support.commands")

local PATH = "docs/testing.md"


-- A block named `json api.json` is that file.
local function file_of(block)
    return block.info:match("^%l+ ([%w_.-]+)$")
end


local function append(path, text, mode)
    local file = assert(io.open(path, mode))
    file:write(text)
    file:close()
end


describe(PATH, function()
    local blocks = documents.blocks(PATH)

    it("prints what it says, from top to bottom", function()
        local count = 0
        commands.with_files({}, function(folder)
            for i, block in ipairs(blocks) do
                local name = file_of(block)
                if name then
                    append(folder .. "/" .. name, block.text, "wb")
                elseif block.info == "sh" then
                    count = count + 1
                    local after = blocks[i + 1]
                    assert.equal("output", after and after.info, block.place)
                    assert.equal(after.text, (commands.sh(block.text, folder)), block.place)
                end
            end
        end)
        assert.is_true(count >= 6)
    end)

    it("has every option of the command and every assertion", function()
        local text = documents.read(PATH)
        for option in documents.read("lua/postern/cli/test.lua"):gmatch('"(%-%-[%l-]+)"') do
            assert.truthy(text:find("`" .. option, 1, true), "no " .. option)
        end
        for _, name in ipairs({ "allows", "denies", "denies_explicitly", "decided_by" }) do
            assert.truthy(text:find("`assert." .. name, 1, true), "no " .. name)
        end
    end)
end)
