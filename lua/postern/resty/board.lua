--- What the workers of one nginx tell each other, in a shared dictionary: the revision that all are
-- to use, with the bytes it was read from; who watches the files; the revision of each; counters.
--
-- A worker that starts, or starts again, opens the bytes that stand here, so it decides as the
-- others do, whatever has become of the files. Nothing is ever stored at the expense of something
-- else: where there is no room, the caller is told.
--
-- *Dependencies*: none (the dictionary is handed in)
--
-- @module postern.resty.board

local _M = {}
local Board = {}
Board.__index = Board


-- Longer texts of problems are for the log.
local LONGEST_PROBLEM = 4096


--- Makes a board.
-- @tparam table dict a shared dictionary of nginx
-- @tparam string path of the estate: another estate has another board in the same dictionary
-- @treturn Board
function _M.new(dict, path)
    return setmetatable({ dict = dict, prefix = path .. "\0", pending = {} }, Board)
end


local function key_of(self, name)
    return self.prefix .. name
end


-- ---- Bytes -------------------------------------------------------------------


-- Texts by path, in one text: `path length, text length (- for a file that is not there)` and then
-- both, for each file.
local function packed(texts)
    local paths, parts = {}, {}
    for path in pairs(texts) do
        paths[#paths + 1] = path
    end
    table.sort(paths)
    for _, path in ipairs(paths) do
        local text = texts[path]
        parts[#parts + 1] = ("%d %s\n"):format(#path, text and #text or "-")
        parts[#parts + 1] = path
        parts[#parts + 1] = text or ""
    end
    return table.concat(parts)
end


local function unpacked(blob)
    local texts, at = {}, 1
    while at <= #blob do
        local _, last, path_length, length = blob:find("^(%d+) ([%d-]+)\n", at)
        if not last then
            return nil
        end
        local path = blob:sub(last + 1, last + path_length)
        at = last + 1 + path_length
        texts[path] = length ~= "-" and blob:sub(at, at + tonumber(length) - 1)
        at = at + (tonumber(length) or 0)
    end
    return texts
end


--- Says which revision all are to use.
-- @tparam string revision
-- @tparam table texts path to the text of each file it was read from, false for those not there
-- @treturn boolean|nil true; nil when the bytes found no room: the workers then read the files
-- @treturn string why not
function Board:publish(revision, texts)
    local dict, earlier = self.dict, self:wanted()
    local blob = packed(texts)
    local stored, err = dict:safe_set(key_of(self, "texts " .. revision), blob)
    if not stored and earlier and earlier ~= revision then
        dict:delete(key_of(self, "texts " .. earlier))
        stored, err = dict:safe_set(key_of(self, "texts " .. revision), blob)
    end
    local said, failed = dict:safe_set(key_of(self, "wanted"), revision)
    if not said then
        return nil, failed
    elseif earlier and earlier ~= revision then
        dict:delete(key_of(self, "texts " .. earlier))
    end
    if not stored then
        return nil, ("%d bytes found no room in the shared dictionary: %s"):format(#blob, err)
    end
    return true
end


--- The revision that all are to use.
-- @treturn string|nil
function Board:wanted()
    return (self.dict:get(key_of(self, "wanted")))
end


--- The bytes of a revision.
-- @tparam string revision
-- @treturn table|nil path to text; nil when they found no room
function Board:texts(revision)
    local blob = self.dict:get(key_of(self, "texts " .. revision))
    return blob and unpacked(blob)
end


-- ---- Who watches -------------------------------------------------------------


--- Takes the lease to watch the files, or renews it.
-- @tparam string holder who asks
-- @tparam number seconds after which it ends by itself
-- @treturn boolean whether it is the holder's now
function Board:lease(holder, seconds)
    local key = key_of(self, "watcher")
    if self.dict:get(key) == holder then
        return self.dict:expire(key, seconds) == true
    end
    return self.dict:safe_add(key, holder, seconds) == true
end


--- Who watches the files.
-- @treturn string|nil
function Board:watcher()
    return (self.dict:get(key_of(self, "watcher")))
end


-- ---- The workers ---------------------------------------------------------------


--- Says what a worker is at.
-- @tparam number id
-- @tparam table state `pid`, `revision` (empty without an estate), `loads`, `failures`
-- @tparam number seconds after which it is forgotten unless it is said again
function Board:worker(id, state, seconds)
    return self.dict:safe_set(key_of(self, "worker " .. id), ("%d %s %d %d"):format(state.pid,
        state.revision == "" and "-" or state.revision, state.loads, state.failures), seconds)
end


--- What the workers are at.
-- @tparam number count how many there are
-- @treturn {table,...} `id`, `pid`, `revision` (nil without an estate), `loads`, `failures`
function Board:workers(count)
    local list = {}
    for id = 0, count - 1 do
        local text = self.dict:get(key_of(self, "worker " .. id)) or ""
        local pid, revision, loads, failures = text:match("^(%d+) (%S+) (%d+) (%d+)$")
        if pid then
            list[#list + 1] = {
                id = id, pid = tonumber(pid), revision = revision ~= "-" and revision or nil,
                loads = tonumber(loads), failures = tonumber(failures),
            }
        end
    end
    return list
end


--- Notes what keeps the files from being taken into use.
-- @tparam string|nil message nil when nothing does
-- @tparam[opt] number now seconds since the epoch
function Board:problem(message, now)
    local key = key_of(self, "problem")
    if not message then
        self.dict:delete(key)
        return
    end
    self.dict:safe_set(key, ("%d %s"):format(now, message:sub(1, LONGEST_PROBLEM)))
end


--- What keeps the files from being taken into use.
-- @treturn string|nil
-- @treturn number when that was noted, in seconds since the epoch
function Board:last_problem()
    local at, message = (self.dict:get(key_of(self, "problem")) or ""):match("^(%d+) (.*)$")
    return message, tonumber(at)
end


-- ---- Counters ------------------------------------------------------------------


--- Counts, in this worker. What was counted is seen by the others after `flush`.
-- @tparam string name
-- @tparam number by
-- @treturn number what is not flushed yet
function Board:incr(name, by)
    local count = (self.pending[name] or 0) + by
    self.pending[name] = count
    return count
end


--- Adds what this worker has counted to what all have. What finds no room is kept for later.
-- @treturn boolean whether there was room
function Board:flush()
    local complete = true
    for name, by in pairs(self.pending) do
        local key = key_of(self, "count " .. name)
        local sum = self.dict:incr(key, by)
        if not sum and self.dict:safe_add(key, 0) ~= nil then
            sum = self.dict:incr(key, by)
        end
        if sum then
            self.pending[name] = nil
        else
            complete = false
        end
    end
    return complete
end


--- What was counted under a name, by all workers as of their last flush and by this one.
-- @tparam string name
-- @treturn number|nil nil when nothing was
function Board:get(name)
    local flushed, own = self.dict:get(key_of(self, "count " .. name)), self.pending[name]
    if not flushed and not own then
        return nil
    end
    return (flushed or 0) + (own or 0)
end


--- The names under which something was counted.
-- @treturn {string,...}
function Board:keys()
    local prefix, seen, list = key_of(self, "count "), {}, {}
    local function add(name)
        if not seen[name] then
            seen[name] = true
            list[#list + 1] = name
        end
    end
    for _, key in ipairs(self.dict:get_keys(0)) do
        if key:sub(1, #prefix) == prefix then
            add(key:sub(#prefix + 1))
        end
    end
    for name in pairs(self.pending) do
        add(name)
    end
    table.sort(list)
    return list
end


return _M
