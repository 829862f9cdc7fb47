--- A disk that loses power: files and folders as a program sees them, and what of it is safe.
--
-- Contents are safe when the file was synced, names when their folder was. What survives of the
-- rest is anybody's guess; `after` takes each of several, also what no kind file system would do:
-- names without contents, contents without names, one name of a rename.

local _M = {}
local Disk = {}
Disk.__index = Disk


--- Makes an empty one, with the operations of `postern.host.uv_disk`.
-- @treturn Disk
function _M.new()
    return setmetatable({ names = {}, safe = {}, handles = {}, locks = {} }, Disk)
end


function Disk.apart(_, fn, ...)
    return fn(...)
end


function Disk:read(path)
    local file = self.names[path]
    if not file then
        return nil, "no such file or directory", true
    end
    return file.text
end


function Disk:list(folder)
    local found = {}
    for path in pairs(self.names) do
        found[#found + 1] = path:match("^" .. folder:gsub("%p", "%%%0") .. "/([^/]+)$")
    end
    table.sort(found)
    return found
end


function Disk.make_folder()
    return true
end


function Disk:create(path)
    local file = self.names[path] or {}
    file.text = ""
    self.names[path] = file
    self.handles[#self.handles + 1] = file
    return #self.handles
end


function Disk:write(handle, text)
    local file = assert(self.handles[handle], "not open")
    file.text = file.text .. text
    return true
end


function Disk:sync(handle)
    local file = assert(self.handles[handle], "not open")
    file.safe = file.text
    return true
end


function Disk:close(handle)
    assert(self.handles[handle], "not open")
    self.handles[handle] = false
end


function Disk:rename(from, to)
    self.names[to], self.names[from] = assert(self.names[from], "no such file"), nil
    return true
end


function Disk:remove(path)
    if not self.names[path] then
        return nil, "no such file or directory"
    end
    self.names[path] = nil
    return true
end


function Disk:sync_folder(folder)
    for _, names in ipairs({ self.names, self.safe }) do
        for path in pairs(names) do
            if path:match("^(.*)/[^/]+$") == folder then
                self.safe[path] = self.names[path]
            end
        end
    end
    return true
end


function Disk:lock(path)
    if self.locks[path] then
        return nil, "somebody else is at work"
    end
    self.locks[path] = true
    return { release = function() self.locks[path] = nil end }
end


-- ---- Power -----------------------------------------------------------------


-- Half of a text that had begun to be written.
local function torn(text)
    return text:sub(1, math.floor(#text / 2))
end


local CONTENTS = {
    safe = function(file) return file.safe or "" end,
    all = function(file) return file.text end,
    torn = function(file)
        return file.safe == file.text and file.text or torn(file.text)
    end,
    zeros = function(file)
        return file.safe == file.text and file.text or ("\0"):rep(#file.text)
    end,
}

local NAMES = {
    safe = function(disk, path) return disk.safe[path] end,
    all = function(disk, path) return disk.names[path] end,
}

--- The ways in which power may be lost; `kill` is the process alone, which loses nothing. Those of
-- chance are by number.
_M.WAYS = { "kill", "safe safe", "all safe", "safe all", "all torn", "all zeros", 1, 2, 3, 4 }


local function chance(seed, text)
    local hash = seed * 7919
    for i = 1, #text do
        hash = (hash * 31 + text:byte(i)) % 1000003
    end
    return hash
end


local WORDS = { "safe", "all", "torn", "zeros" }

-- By chance for each name and each file.
local function pick(way, path)
    if type(way) == "number" then
        local hash = chance(way, path)
        return hash % 2 == 0 and "safe" or "all", WORDS[math.floor(hash / 2) % 4 + 1]
    elseif way == "kill" then
        return "all", "all"
    end
    return way:match("^(%l+) (%l+)$")
end


--- The disk after the end of a process or of power.
-- @param way one of `WAYS`
-- @treturn Disk a new one
function Disk:after(way)
    local other, all = _M.new(), {}
    for _, names in ipairs({ self.names, self.safe }) do
        for path in pairs(names) do
            all[path] = true
        end
    end
    for path in pairs(all) do
        local of_names, of_contents = pick(way, path)
        local file = NAMES[of_names](self, path)
        if file then
            local text = CONTENTS[of_contents](file)
            other.names[path] = { text = text, safe = text }
            other.safe[path] = other.names[path]
        end
    end
    return other
end


return _M
