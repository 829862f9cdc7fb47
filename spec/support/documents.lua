--- The code blocks of documents, and running them.

local _M = {}


--- Reads a file.
-- @tparam string path
-- @treturn string
function _M.read(path)
    local file = assert(io.open(path))
    local text = file:read("*a")
    file:close()
    return text
end


--- The code blocks of a document.
-- @tparam string path
-- @treturn {table,...} `{info, text, lines, place}` each, `info` being what stands behind the marks
function _M.blocks(path)
    local blocks, block, number = {}, nil, 0
    for line in _M.read(path):gmatch("([^\n]*)\n") do
        number = number + 1
        local info = line:match("^```(.*)$")
        if info and not block then
            block = { info = info, lines = {}, place = ("%s:%d"):format(path, number) }
        elseif info then
            block.text = table.concat(block.lines, "\n") .. "\n"
            blocks[#blocks + 1], block = block, nil
        elseif block then
            block.lines[#block.lines + 1] = line
        end
    end
    return blocks
end


--- The blocks of commands, each with the block of output that has to stand behind it.
-- @tparam {table,...} blocks
-- @treturn {table,...} `{command, output, place}` each; `output` is nil where there is none
function _M.commands(blocks)
    local commands = {}
    for i, block in ipairs(blocks) do
        if block.info == "sh" then
            local after = blocks[i + 1]
            commands[#commands + 1] = {
                command = block.text, place = block.place, at = i,
                output = after and after.info == "output" and after.text or nil,
            }
        end
    end
    return commands
end


return _M
