--- Files inside nginx: line writers and watching, by timers.
--
-- *Dependencies*: postern.watch, postern.host.uv_file (for looking at files)
--
-- @module postern.host.resty_file
local watch = require("postern.watch")


local _M = {}
local Writer = {}
Writer.__index = Writer
local Watch = {}
Watch.__index = Watch


-- Seconds lines wait to be written together.
local FLUSH = 0.2


-- ---- Writing -----------------------------------------------------------------------------------

local function append(path, text)
    if path == "-" then
        io.stderr:write(text)
        return true
    end
    local file, err = io.open(path, "ab")
    if not file then
        return nil, err:lower()
    end
    -- In one piece: other workers append to the same file.
    file:setvbuf("full", #text + 1)
    local written, why = file:write(text)
    local closed, failed = file:close()
    if not written or not closed then
        return nil, ("%s: %s"):format(path, (why or failed):lower())
    end
    return true
end


local function flush(self)
    self.due = false
    if #self.lines == 0 then
        return
    end
    local lines = self.lines
    self.lines, self.bytes = {}, 0
    local ok, err = append(self.path, table.concat(lines))
    if not ok then
        self.dropped = self.dropped + #lines
        if not self.failing then
            self.log(err .. ": lines are dropped")
        end
    end
    self.failing = not ok
end


--- Opens a line writer.
-- @tparam string path `-` for standard error
-- @tparam table limits `queue` (lines) and `max_bytes` (of them) that may wait
-- @tparam function log
-- @tparam table open where it notes itself until it is closed
-- @treturn Writer|nil
-- @treturn string why not
function _M.writer(path, limits, log, open)
    local ok, err = append(path, "")
    if not ok then
        return nil, err
    end
    local writer = setmetatable({
        path = path, log = log, open = open, lines = {}, bytes = 0, dropped = 0, due = false,
        most_lines = limits.queue, most_bytes = limits.max_bytes,
    }, Writer)
    open[writer] = true
    return writer
end


--- Queues one line. Never waits.
-- @tparam string line without its end
-- @treturn boolean false when the queue is full: the line is dropped, and counted in `dropped`
function Writer:write(line)
    if self.closed or #self.lines >= self.most_lines or self.bytes + #line > self.most_bytes then
        self.dropped = self.dropped + 1
        return false
    end
    self.lines[#self.lines + 1] = line .. "\n"
    self.bytes = self.bytes + #line + 1
    if not self.due then
        -- Where there are no timers, the next line that finds some takes these along.
        local ok, timer = pcall(ngx.timer.at, FLUSH, function() flush(self) end)
        self.due = ok and timer
    end
    return true
end


--- Nothing to do: the file is opened for each flush.
function Writer.reopen()
end


--- Writes what waits, and takes no more lines.
function Writer:close()
    flush(self)
    self.closed = true
    self.open[self] = nil
end


-- ---- Watching ----------------------------------------------------------------------------------

--- Watches files and folders. Raises where nginx allows no timers.
-- @tparam {string,...} paths
-- @tparam function on_change
-- @tparam number poll seconds between two looks
-- @tparam function log
-- @tparam table open where it notes itself until it is closed
-- @treturn Watch|nil `follow(paths)`, `note()`, `close()`
-- @treturn string why not
function _M.watch(paths, on_change, poll, log, open)
    local ok, files = pcall(require, "postern.host.uv_file")
    if not ok then
        return nil, "looking at files needs libuv: install lua-luv: " .. tostring(files)
    end
    local self = setmetatable({
        paths = paths, on_change = on_change, poll = poll, log = log, open = open,
        fs = files.sync, known = {}, closed = false,
    }, Watch)
    watch.changed(self.fs, paths, self.known)
    local started, err = self:look_later()
    if not started then
        return nil, err
    end
    open[self] = true
    return self
end


function Watch:look_later()
    return ngx.timer.at(self.poll, function(premature)
        if premature or self.closed then
            return
        end
        local changed = watch.changed(self.fs, self.paths, self.known)
        if #changed > 0 then
            local ok, err = pcall(self.on_change, changed)
            if not ok then
                self.log("a watch's function raised: " .. tostring(err))
            end
        end
        self:look_later()
    end)
end


--- Watches these paths from now on, without losing a change of those it has watched before.
-- @tparam {string,...} paths
function Watch:follow(paths)
    watch.follow(self.fs, paths, self.known)
    self.paths = paths
end


--- Takes what has changed until now as known, for who reads every file after it.
function Watch:note()
    watch.changed(self.fs, self.paths, self.known)
end


--- Takes nothing as known: the next look tells of every path. For who noted and then did not read.
function Watch:forget()
    self.known = {}
end


--- Ends it.
function Watch:close()
    self.closed = true
    self.open[self] = nil
end


return _M
