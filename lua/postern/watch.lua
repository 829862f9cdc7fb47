--- What has changed in the file system: signatures of files and folders, compared.
--
-- A signature says which file a path names and when it was last written, so a file that was
-- replaced by renaming, written in place, created or removed has another one. A folder's holds
-- those of all files in it, not of folders below.
--
-- *Dependencies*: none (the file system is handed in)
--
-- @module postern.watch

local _M = {}


-- Files of a folder that are looked at; a larger one counts as changed when its own entry does.
local MOST_FILES = 4096


local function time_of(time)
    return time and ("%d.%d"):format(time.sec, time.nsec) or "-"
end


local function signature_of_stat(stat)
    return table.concat({ stat.type or "?", stat.dev or 0, stat.ino or 0, stat.size or 0,
        time_of(stat.mtime), time_of(stat.ctime) }, " ")
end


-- A folder's own times tell of files that came and went, not of files written in place.
local function signature_of_folder(fs, path, stat)
    local names = fs.list(path)
    if not names or #names > MOST_FILES then
        return signature_of_stat(stat)
    end
    table.sort(names)
    local parts = {}
    for i, name in ipairs(names) do
        local entry = fs.stat(path .. "/" .. name)
        parts[i] = ("%s %s"):format(name, entry and entry.type ~= "directory"
            and signature_of_stat(entry) or "-")
    end
    return "directory " .. table.concat(parts, "\n")
end


--- The signature of a path.
-- @tparam table fs `stat(path)` (nil, or a table as luv's `fs_stat` gives) and `list(path)` (nil,
-- or the names in a folder)
-- @tparam string path
-- @treturn string
function _M.signature(fs, path)
    local stat = fs.stat(path)
    if not stat then
        return "absent"
    elseif stat.type == "directory" then
        return signature_of_folder(fs, path, stat)
    end
    return signature_of_stat(stat)
end


--- Compares paths with what is known of them, and notes what they are now.
-- @tparam table fs as for `signature`
-- @tparam {string,...} paths
-- @tparam table known path to signature; it is updated
-- @treturn {string,...} the paths that have changed, in the order given
function _M.changed(fs, paths, known)
    local changed = {}
    for _, path in ipairs(paths) do
        local signature = _M.signature(fs, path)
        if known[path] ~= signature then
            changed[#changed + 1] = path
            known[path] = signature
        end
    end
    return changed
end


--- Makes what is known that of other paths. Of one that was known before stays known what it was:
-- a change that nobody has been told of yet is still one.
-- @tparam table fs as for `signature`
-- @tparam {string,...} paths
-- @tparam table known path to signature; it is updated
function _M.follow(fs, paths, known)
    local wanted = {}
    for _, path in ipairs(paths) do
        wanted[path] = true
        known[path] = known[path] or _M.signature(fs, path)
    end
    for path in pairs(known) do
        if not wanted[path] then
            known[path] = nil
        end
    end
end


--- The folder a file is in.
-- @tparam string path
-- @treturn string
function _M.folder_of(path)
    local folder = path:gsub("/+$", ""):match("^(.*)/[^/]*$")
    if not folder then
        return "."
    end
    return folder == "" and "/" or folder
end


return _M
