--- Files that are there whole or not at all, whenever the power goes.
--
--     create .new-NAME, write, sync      nobody reads it under this name
--     rename .new-NAME to NAME           from here on the new one is read
--     sync the folder                    from here on it stays
--
-- A file system may bring the steps between two syncs to the disk in any order. So each rename
-- comes after the sync of what it makes visible, and what the next file relies on is brought to the
-- disk by the sync of the folder before that file is renamed.
--
-- *Dependencies*: postern.store.record
--
-- @module postern.store.durable
local records = require("postern.store.record")


local _M = {}


local function write_and_sync(files, path, text)
    local handle, err = files:create(path)
    if not handle then
        return nil, err
    end
    local ok
    ok, err = files:write(handle, text)
    if ok then
        ok, err = files:sync(handle)
    end
    files:close(handle)
    return ok, err
end


--- Replaces one file, and waits until it is on the disk.
-- @tparam table files see `postern.host.uv_disk`
-- @tparam string folder
-- @tparam string name
-- @tparam string text
-- @treturn true|nil
-- @treturn string why not, with the file
-- @treturn boolean whether the new one may be there nevertheless
function _M.replace(files, folder, name, text)
    local unfinished, path = folder .. "/" .. records.UNFINISHED .. name, folder .. "/" .. name
    local ok, err = write_and_sync(files, unfinished, text)
    if ok then
        ok, err = files:rename(unfinished, path)
    end
    if not ok then
        files:remove(unfinished)
        return nil, ("%s: %s"):format(path, err), false
    end
    ok, err = files:sync_folder(folder)
    if not ok then
        return nil, ("%s: %s"):format(path, err), true
    end
    return true
end


return _M
