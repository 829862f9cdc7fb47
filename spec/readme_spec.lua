-- Every command and every piece of Lua in the documents runs, and prints what they say.
--
-- A block marked `sh` (but for `make`, which would start this very suite) or `lua` is run; an
-- `output` block behind it is compared to the letter. A block marked `lua busted` is run by busted.
-- The lines of a `text` block have to stand in what `make run` prints.
local documents = require("spec.support.documents")

local BUILD = os.getenv("POSTERN_BUILD") or "build"
local LUA = ("luajit -e 'package.path = \"./lua/?.lua;./lua/?/init.lua;\" .. package.path; "
    .. "package.cpath = \"%s/?.so;\" .. package.cpath' "):format(BUILD)
-- A configuration of its own, since the project's would add this very file; and not by the command
-- line, since busted starts itself again without quoting its arguments.
local BUSTED_CONFIG = ([[return { default = {
    lpath = "./lua/?.lua;./lua/?/init.lua", cpath = "%s/?.so", pattern = ".",
} }]]):format(BUILD)
local BUSTED = "luajit $(command -v busted) --ignore-lua -o plainTerminal -f %s %%s"
local DOCUMENTS = { "README.md" }


local function run(command)
    local pipe = assert(io.popen(command .. " 2>&1"))
    local output = pipe:read("*a")
    pipe:close()
    return output
end


local function temporary(text)
    local path = os.tmpname()
    os.remove(path)
    path = path .. ".lua" -- busted knows its files by that
    local file = assert(io.open(path, "w"))
    file:write(text)
    file:close()
    return path
end


local function run_text(text, command)
    local path = temporary(text)
    local output = run(command:format(path))
    os.remove(path)
    return output
end


local function run_block(block)
    if block.info == "sh" then
        return run_text((block.text:gsub("build/postern", BUILD .. "/postern")), "sh %s")
    elseif block.info == "lua" then
        return run_text(block.text, LUA .. "%s")
    end
end


local function runs(block)
    return block.info == "lua" or (block.info == "sh" and not block.text:find("^make "))
end


for _, path in ipairs(DOCUMENTS) do
    describe(path, function()
        local blocks = documents.blocks(path)

        for i, block in ipairs(blocks) do
            local after = blocks[i + 1]
            if runs(block) then
                it("prints what it says at " .. block.place, function()
                    assert.equal("output", after and after.info, "no output block behind it")
                    assert.equal(after.text, run_block(block))
                end)
            elseif block.info == "lua busted" then
                it("passes at " .. block.place, function()
                    local config = temporary(BUSTED_CONFIG)
                    local output = run_text(block.text, BUSTED:format(config))
                    os.remove(config)
                    assert.truthy(output:find("%f[%d]2 successes / 0 failures / 0 errors"), output)
                end)
            elseif block.info == "text" then
                it("is printed by `make run` at " .. block.place, function()
                    local output = run(BUILD .. "/postern eval --table "
                        .. "--cases examples/private-api/requests.jsonl")
                    for _, line in ipairs(block.lines) do
                        assert.truthy(output:find(line, 1, true), line .. "\n" .. output)
                    end
                end)
            end
        end

        it("names targets that the Makefile has", function()
            local makefile, count = documents.read("Makefile"), 0
            for target in documents.read(path):gmatch("make ([a-z][a-z-]+)") do
                count = count + 1
                assert.truthy(makefile:find("\n" .. target:gsub("%-", "%%-") .. ":"),
                    "no target " .. target)
            end
            assert.is_true(count > 5)
        end)
    end)
end
