--- Reading the checkout's own files, for specs about the sources.

local lfs = require("lfs")

local _M = {}


--- Reads a file of the checkout.
-- @tparam string path
-- @treturn string
function _M.read(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read("*a")
    file:close()
    return text
end


--- Whether there is a file or folder of that name.
function _M.exists(path)
    return lfs.attributes(path, "mode") ~= nil
end


--- Lists the files below a folder, sorted.
-- @tparam string folder
-- @tparam string pattern what the path must match
-- @treturn {string,...} paths, the folder's name included
function _M.list(folder, pattern)
    local found = {}
    local todo = { folder }
    while #todo > 0 do
        local at = table.remove(todo)
        for name in lfs.dir(at) do
            local path = at .. "/" .. name
            local mode = lfs.attributes(path, "mode")
            if mode == "directory" and not name:find("^%.") then
                todo[#todo + 1] = path
            elseif mode == "file" and path:find(pattern) then
                found[#found + 1] = path
            end
        end
    end
    table.sort(found)
    return found
end


return _M
