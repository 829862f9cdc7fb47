--- Files of the libuv host: reading, line writers and watching, all beside the loop's own thread.
--
-- *Dependencies*: luv, postern.watch, postern.host.uv_loop
--
-- @module postern.host.uv_file
local uv = require("luv")
local watch = require("postern.watch")
local loops = require("postern.host.uv_loop")

local words = loops.words


local _M = {}
local Writer = {}
Writer.__index = Writer
local Watch = {}
Watch.__index = Watch


--- The largest file that is read, as on every host.
_M.MAX_BYTES = 16 * 1024 * 1024

local CHUNK = 256 * 1024

-- Seconds between two tries to write to somebody who does not read.
local STALL = 0.05

-- What is written may hold what only the service's own people should read.
local WRITER_MODE = tonumber("640", 8)


-- ---- Reading -----------------------------------------------------------------------------------

-- What the system says a file's size is. It has just opened it, so it does not have to look. Some
-- files have a size only once they are read; of those it says 0.
local function size_of(fd)
    local stat = uv.fs_fstat(fd)
    return stat and stat.type == "file" and stat.size or 0
end


-- Each read is a trip to another thread. The first asks for a byte more than there is, so that it
-- also sees the end.
local function read_all(loop, fd)
    local parts, size, known = {}, 0, size_of(fd)
    local most = known > 0 and known < CHUNK and known + 1 or CHUNK
    while true do
        local chunk, err = loop:request(function(done)
            return uv.fs_read(fd, most, -1, done)
        end)
        if not chunk then
            return nil, err .. ": give a file"
        elseif chunk == "" then
            return table.concat(parts)
        elseif #parts == 0 and #chunk == known and known < most then
            return chunk
        end
        most, size = CHUNK, size + #chunk
        if size > _M.MAX_BYTES then
            return nil, ("the file is larger than %d MiB: give a smaller one")
                :format(_M.MAX_BYTES / (1024 * 1024))
        end
        parts[#parts + 1] = chunk
    end
end


--- Reads a whole file, in a task.
-- @tparam Loop loop
-- @tparam string path
-- @treturn string|nil its bytes
-- @treturn string why not, without the path
function _M.read(loop, path)
    local fd, err = loop:request(function(done)
        return uv.fs_open(path, "r", 0, done)
    end, uv.fs_close)
    if not fd then
        return nil, err .. ": check the path"
    end
    return loop.tasks:ensure(function() uv.fs_close(fd) end, read_all, loop, fd)
end


-- ---- Writing -----------------------------------------------------------------------------------

-- What is there may be a FIFO. Opened for writing alone it would wait for somebody who reads, and
-- so would every write to one that is full.
local function flags_of(path)
    local stat = uv.fs_stat(path)
    if stat and stat.type == "fifo" then
        return uv.constants.O_RDWR + uv.constants.O_NONBLOCK
    end
    return "a"
end


--- Opens a line writer. Lines wait in a bounded queue and are written by the thread pool, many at
-- once when they come fast.
-- @tparam Loop loop
-- @tparam string path `-` for standard error
-- @tparam table options `queue` (lines) and `max_bytes` (of them) that may wait
-- @treturn Writer|nil
-- @treturn string why not
function _M.writer(loop, path, options)
    local fd = 2
    if path ~= "-" then
        local err
        fd, err = uv.fs_open(path, flags_of(path), WRITER_MODE)
        if not fd then
            return nil, ("%s: %s"):format(path, words(err))
        end
    end
    return setmetatable({
        loop = loop, path = path, fd = fd, lines = {}, count = 0, bytes = 0, dropped = 0,
        most_lines = options.queue, most_bytes = options.max_bytes,
    }, Writer)
end


local function close_file(self)
    if self.fd and self.path ~= "-" then
        uv.fs_close(self.fd, function() end)
    end
    self.fd = nil
end


local pump


-- Told once, not for every line of a full disk.
local function note_failure(self, err)
    if not self.failing then
        self.loop.log(("%s: %s: lines are dropped"):format(self.path, words(err)))
    end
    self.failing = true
end


local function written(self, lines)
    self.busy = false
    self.loop.busy = self.loop.busy - 1
    self.count = self.count - #lines
    if self.next_fd then
        close_file(self)
        self.fd, self.next_fd = self.next_fd, nil
    end
    if self.count > 0 then
        pump(self)
    elseif self.closed then
        close_file(self)
        for _, wake in ipairs(self.closed) do
            wake(true)
        end
    end
end


local write

-- A reader that is slower than we are: the rest is tried again, so that no line is left in half.
local function wait_for_reader(self, lines, text)
    self.stalled = { lines = lines, stop = self.loop:timer(STALL, function()
        self.stalled = nil
        write(self, lines, text)
    end, true) }
end


local function drop(self, lines, err)
    note_failure(self, err)
    self.dropped = self.dropped + #lines
    return written(self, lines)
end


function write(self, lines, text)
    local function done(err, size)
        if err and err:find("^EAGAIN") and not self.closed then
            return wait_for_reader(self, lines, text)
        elseif err then
            return drop(self, lines, err)
        elseif size < #text then
            return write(self, lines, text:sub(size + 1))
        end
        self.failing = false
        return written(self, lines)
    end
    local request, err = uv.fs_write(self.fd, text, -1, self.loop:callback(done))
    if not request then
        done(err)
    end
end


function pump(self)
    if self.busy or #self.lines == 0 then
        return
    end
    local lines = self.lines
    self.lines, self.bytes, self.busy = {}, 0, true
    self.loop.busy = self.loop.busy + 1
    write(self, lines, table.concat(lines))
end


--- Queues one line. Never waits.
-- @tparam string line without its end
-- @treturn boolean false when the queue is full: the line is dropped, and counted in `dropped`
function Writer:write(line)
    if self.closed or self.count >= self.most_lines or self.bytes + #line > self.most_bytes then
        self.dropped = self.dropped + 1
        return false
    end
    self.lines[#self.lines + 1] = line .. "\n"
    self.count = self.count + 1
    self.bytes = self.bytes + #line + 1
    pump(self)
    return true
end


--- Opens the path anew, after somebody has moved the file away. Lines go to the old one until then.
function Writer:reopen()
    if self.path == "-" or self.closed then
        return
    end
    uv.fs_open(self.path, flags_of(self.path), WRITER_MODE, self.loop:callback(function(err, fd)
        if err then
            return note_failure(self, err)
        elseif not self.fd then
            return uv.fs_close(fd, function() end) -- closed meanwhile
        elseif self.next_fd then
            uv.fs_close(self.next_fd, function() end)
        end
        local stalled = self.stalled
        if stalled then
            self.stalled, self.next_fd = nil, fd
            stalled.stop()
            drop(self, stalled.lines, "EAGAIN")
        elseif self.busy then
            self.next_fd = fd
        else
            close_file(self)
            self.fd = fd
        end
    end))
end


--- Takes no more lines, and closes the file when the last is written. In a task it waits for that.
function Writer:close()
    local waits = self.loop.tasks:inside() and self.busy
    if not self.closed then
        self.closed = {}
        local stalled = self.stalled
        if stalled then
            self.stalled = nil
            stalled.stop()
            -- What waits behind it would meet the same.
            for _, line in ipairs(self.lines) do
                stalled.lines[#stalled.lines + 1] = line
            end
            self.lines = {}
            drop(self, stalled.lines, "EAGAIN")
            waits = false
        elseif not self.busy then
            close_file(self)
        end
    end
    if waits then
        self.loop:await(nil, function(wake)
            table.insert(self.closed, wake)
        end)
    end
end


-- ---- Watching ----------------------------------------------------------------------------------

local sync = {
    stat = function(path) return (uv.fs_stat(path)) end,
}

function sync.list(path)
    local scan = uv.fs_scandir(path)
    if not scan then
        return nil
    end
    local names = {}
    local name = uv.fs_scandir_next(scan)
    while name do
        names[#names + 1] = name
        name = uv.fs_scandir_next(scan)
    end
    return names
end


--- The file system for `postern.watch`, asked at once: for a start, and where there is no loop.
_M.sync = sync


-- The same by the thread pool, in a task: a file system that hangs must not stop the loop.
local function background(loop)
    return {
        stat = function(path)
            return (loop:request(function(done) return uv.fs_stat(path, done) end))
        end,
        list = function(path)
            local scan = loop:request(function(done) return uv.fs_scandir(path, done) end)
            if not scan then
                return nil
            end
            local names = {}
            local name = uv.fs_scandir_next(scan)
            while name do
                names[#names + 1] = name
                name = uv.fs_scandir_next(scan)
            end
            return names
        end,
    }
end


--- Watches files and folders. The system is asked to tell of changes in the folders concerned; a
-- look at every path now and then finds what it does not tell.
-- @tparam Loop loop
-- @tparam {string,...} paths
-- @tparam function on_change called in a task, with the list of the paths that have changed
-- @tparam table options `debounce` and `poll`, seconds
-- @treturn Watch `follow(paths)`, `note()`, `close()`
function _M.watch(loop, paths, on_change, options)
    local self = setmetatable({
        loop = loop, paths = paths, on_change = on_change, fs = background(loop), known = {},
        debounce = options.debounce, poll = options.poll, folders = {}, closed = false,
    }, Watch)
    watch.changed(sync, paths, self.known)
    loop.busy = loop.busy + 1
    self:arm(sync)
    self:look_later()
    return self
end


--- Watches these paths from now on. Of those that it has watched before no change is lost, which
-- ending it and watching anew would do.
-- @tparam {string,...} paths
function Watch:follow(paths)
    watch.follow(sync, paths, self.known)
    self.paths = paths
    self:arm(sync)
end


-- A look that runs would tell of what is being noted.
local function note_in_task(self)
    if self.looking and not self.looking.finished then
        self.looking:cancel()
        self.again = true
    end
    self.noting = true
    self.loop.tasks:ensure(function() self.noting = false end,
                           watch.changed, self.fs, self.paths, self.known)
    if self.again then
        self:look()
    end
end


--- Takes what has changed until now as known, for who reads every file after it.
function Watch:note()
    if self.loop.tasks:inside() then
        note_in_task(self)
    else
        watch.changed(sync, self.paths, self.known)
    end
end


--- Takes nothing as known: the next look tells of every path. For who noted and then did not read.
function Watch:forget()
    self.known = {}
end


-- Ends events of folders that no path is in any more.
local function disarm(self, folders)
    for folder, armed in pairs(self.folders) do
        if not folders[folder] then
            self.loop:close_handle(armed.handle)
            self.folders[folder] = nil
        end
    end
end


-- Asks for events of each folder. One that was replaced is another folder of the same name.
function Watch:arm(fs)
    local folders, paths = {}, self.paths
    for _, path in ipairs(paths) do
        local stat = fs.stat(path)
        local folder = stat and stat.type == "directory" and path or watch.folder_of(path)
        local now = fs.stat(folder)
        if self.closed then
            return -- while the file system was asked
        end
        local armed = self.folders[folder]
        folders[folder] = true
        if armed and (not now or armed.ino ~= now.ino) then
            self.loop:close_handle(armed.handle)
            self.folders[folder], armed = nil, nil
        end
        if now and not armed then
            local handle = self.loop:adopt(uv.new_fs_event())
            local begun = handle:start(folder, {}, self.loop:callback(function()
                self:look_soon()
            end))
            if begun then
                self.folders[folder] = { handle = handle, ino = now.ino }
            else
                self.loop:close_handle(handle) -- no more watches to be had: looking finds it
            end
        end
    end
    if paths == self.paths then
        disarm(self, folders)
    end
end


-- The first event sets the time. More do not put it off: a busy folder has to be looked at, too.
function Watch:look_soon()
    if not self.soon and not self.closed then
        self.soon = self.loop:timer(self.debounce, function()
            self.soon = nil
            self:look()
        end)
    end
end


function Watch:look_later()
    self.later = self.loop:timer(self.poll, function()
        self:look()
        self:look_later()
    end)
end


function Watch:look()
    if self.noting or (self.looking and not self.looking.finished) then
        self.again = true
        return
    end
    self.again = false
    self.looking = self.loop.tasks:spawn(function()
        local changed = watch.changed(self.fs, self.paths, self.known)
        self:arm(self.fs)
        self.looking = nil -- who is told now may note
        if #changed > 0 and not self.closed then
            self.loop.tasks:spawn(self.on_change, changed)
        end
        if self.again and not self.closed then
            self:look()
        end
    end)
end


--- Ends it.
function Watch:close()
    if self.closed then
        return
    end
    self.closed = true
    self.loop.busy = self.loop.busy - 1
    if self.soon then
        self.soon()
    end
    self.later()
    if self.looking then
        self.looking:cancel()
    end
    for _, armed in pairs(self.folders) do
        self.loop:close_handle(armed.handle)
    end
    self.folders = {}
end


return _M
