--- Finding the tests below a folder: specs and case files.
--
-- *Dependencies*: lfs
--
-- @module postern.testing.files
local lfs = require("lfs")


local _M = {}


local SPEC, CASES = "_spec%.lua$", "%.jsonl$"


local function plain(path)
    path = path:gsub("^%./+", ""):gsub("/+$", "")
    return path == "" and "." or path
end


local function join(folder, name)
    return folder == "." and name or folder .. "/" .. name
end


local function take(found, path)
    local list = path:find(SPEC) and found.specs or path:find(CASES) and found.cases
    if list and not found.seen[path] then
        found.seen[path] = true
        list[#list + 1] = path
    end
end


-- Folders that begin with a dot are somebody's tools. A link to a folder is not followed, so the
-- walk ends.
local function walk(found, folder)
    local todo = { folder }
    while #todo > 0 do
        local at = table.remove(todo)
        local ok, iterate, state = pcall(lfs.dir, at)
        if not ok then
            return nil, ("%s: cannot be listed: check its rights"):format(at)
        end
        for name in iterate, state do
            local path = join(at, name)
            local mode = lfs.symlinkattributes(path, "mode")
            if mode == "directory" and not name:find("^%.") then
                todo[#todo + 1] = path
            elseif mode ~= "directory" and lfs.attributes(path, "mode") == "file" then
                take(found, path)
            end
        end
    end
    return true
end


--- Finds specs (`*_spec.lua`) and case files (`*.jsonl`).
-- @tparam {string,...} paths files, which have to be one or the other, and folders
-- @treturn table|nil `{specs, cases}`: sorted lists of paths without doubles
-- @treturn string what is wrong with a path
function _M.find(paths)
    local found = { specs = {}, cases = {}, seen = {} }
    for _, given in ipairs(paths) do
        local path = plain(given)
        local mode = lfs.attributes(path, "mode")
        local ok, err = true, nil
        if not mode then
            return nil, path .. ": no such file or directory: check the path"
        elseif mode == "directory" then
            ok, err = walk(found, path)
        elseif path:find(SPEC) or path:find(CASES) then
            take(found, path)
        else
            ok, err = nil, path .. ": no test: give a folder, a spec `*_spec.lua`, or a case file "
                .. "`*.jsonl`"
        end
        if not ok then
            return nil, err
        end
    end
    table.sort(found.specs)
    table.sort(found.cases)
    return { specs = found.specs, cases = found.cases }
end


return _M
