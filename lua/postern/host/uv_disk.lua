--- Files of the libuv host that are changed durably, by the thread pool, and locks against other
-- processes.
--
-- Each operation is one call of the system (a write as many as it takes), so that who uses them can
-- say what is on the disk after each. They are called within a task of the host and wait there.
--
-- *Dependencies*: luv, lfs (lua-filesystem), postern.host.uv_file, postern.host.uv_loop
--
-- @module postern.host.uv_disk
local uv = require("luv")
local lfs = require("lfs")
local files = require("postern.host.uv_file")
local loops = require("postern.host.uv_loop")


local _M = {}
local Disk = {}
Disk.__index = Disk
local Lock = {}
Lock.__index = Lock


-- What is written may hold what only the service's own people should read.
local FILE_MODE, FOLDER_MODE = tonumber("640", 8), tonumber("750", 8)

-- Seconds between two tries for a lock.
local RETRY = 0.01

-- Locks that this process has, by device and inode: the system's are the process's, it does not
-- tell two holders in one process apart. Those that nobody has released stay here, so that the
-- collector does not undo them.
local locked = {}


--- Makes one.
-- @tparam Host host see `postern.host.uv`
-- @treturn Disk
function _M.new(host)
    return setmetatable({ host = host, loop = host.loop }, Disk)
end


local function pack(...)
    return { n = select("#", ...), ... }
end


--- Runs a function to its end, whatever becomes of the task that waits for it. An operation of a
-- task that is cancelled may still be under way in a thread, and whatever comes next would meet it.
-- @tparam function fn
-- @param ...
-- @return what `fn` returns; it raises what `fn` raises
function Disk:apart(fn, ...)
    local results = pack(false, "the host is closed")
    self.host:spawn(function(...)
        results = pack(pcall(fn, ...))
    end, ...):wait()
    if not results[1] then
        error(results[2], 0)
    end
    return unpack(results, 2, results.n)
end


--- Reads a whole file.
-- @tparam string path
-- @treturn string|nil
-- @treturn string why not
-- @treturn boolean whether it is because there is no such file
function Disk:read(path)
    local text, err = files.read(self.loop, path)
    return text, err, not text and uv.fs_stat(path) == nil
end


--- Lists a folder.
-- @tparam string path
-- @treturn {string,...}|nil names, sorted
-- @treturn string why not
function Disk:list(path)
    local scan, err = self.loop:request(function(done) return uv.fs_scandir(path, done) end)
    if not scan then
        return nil, err
    end
    local names = {}
    local name = uv.fs_scandir_next(scan)
    while name do
        names[#names + 1] = name
        name = uv.fs_scandir_next(scan)
    end
    table.sort(names)
    return names
end


--- Makes a folder. One that is there is fine.
-- @tparam string path
-- @treturn true|nil
-- @treturn string why not
function Disk:make_folder(path)
    local stat = uv.fs_stat(path)
    if stat and stat.type == "directory" then
        return true
    end
    return self.loop:request(function(done) return uv.fs_mkdir(path, FOLDER_MODE, done) end)
end


--- Opens a file to be written from its beginning; what was in it is gone.
-- @tparam string path
-- @treturn number|nil a handle for `write`, `sync` and `close`
-- @treturn string why not
function Disk:create(path)
    return self.loop:request(function(done)
        return uv.fs_open(path, "w", FILE_MODE, done)
    end, uv.fs_close)
end


--- Writes all of a text.
-- @tparam number handle
-- @tparam string text
-- @treturn true|nil
-- @treturn string why not
function Disk:write(handle, text)
    while #text > 0 do
        local size, err = self.loop:request(function(done)
            return uv.fs_write(handle, text, -1, done)
        end)
        if not size then
            return nil, err
        end
        text = text:sub(size + 1)
    end
    return true
end


--- Brings what was written to the disk.
-- @tparam number handle
-- @treturn true|nil
-- @treturn string why not
function Disk:sync(handle)
    return self.loop:request(function(done) return uv.fs_fsync(handle, done) end)
end


--- Closes a handle, at once.
-- @tparam number handle
function Disk.close(_, handle)
    uv.fs_close(handle)
end


--- Gives a file another name; a file that has that name is replaced, in one step.
-- @tparam string from
-- @tparam string to
-- @treturn true|nil
-- @treturn string why not
function Disk:rename(from, to)
    return self.loop:request(function(done) return uv.fs_rename(from, to, done) end)
end


--- Removes a file.
-- @tparam string path
-- @treturn true|nil
-- @treturn string why not
function Disk:remove(path)
    return self.loop:request(function(done) return uv.fs_unlink(path, done) end)
end


--- Brings the names of a folder to the disk: files created, renamed and removed in it.
-- @tparam string path
-- @treturn true|nil
-- @treturn string why not
function Disk:sync_folder(path)
    local handle, err = self.loop:request(function(done)
        return uv.fs_open(path, "r", 0, done)
    end, uv.fs_close)
    if not handle then
        return nil, err
    end
    local ok
    ok, err = self:sync(handle)
    uv.fs_close(handle)
    return ok, err
end


-- ---- Locks -------------------------------------------------------------------------------------


-- One try. The file stays, whoever has locked it: one that was removed and made anew would be two.
local function try(path)
    local file, err = io.open(path, "a+")
    if not file then
        return nil, loops.words(err)
    end
    local stat = assert(uv.fs_stat(path))
    local place = ("%d:%d"):format(stat.dev, stat.ino)
    if not lfs.lock(file, "w") then
        file:close()
        return false
    end
    locked[place] = setmetatable({ file = file, place = place }, Lock)
    return locked[place]
end


-- Asked before a handle is opened: closing a second one would undo the lock that this process has.
local function is_locked_here(path)
    local stat = uv.fs_stat(path)
    return stat and locked[("%d:%d"):format(stat.dev, stat.ino)] ~= nil
end


--- Locks a file against all others, in this process and in every other. The system undoes the lock
-- when the process ends, however it ends.
-- @tparam string path made when it is not there
-- @tparam number seconds how long to wait for it
-- @treturn Lock|nil `release()`
-- @treturn string why not
function Disk:lock(path, seconds)
    local over = self.host.monotonic() + seconds
    repeat
        if not is_locked_here(path) then
            local lock, err = try(path)
            if lock or err then
                return lock, err
            end
        end
        self.host:sleep(RETRY)
    until self.host.monotonic() >= over
    return nil, "somebody else is at work"
end


--- Undoes it, at once.
function Lock:release()
    if self.file then
        locked[self.place] = nil
        self.file:close()
        self.file = nil
    end
end


return _M
