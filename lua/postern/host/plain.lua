--- The host of the command line and of tests: clock, log and files of plain Lua.
--
-- *Dependencies*: none
--
-- @module postern.host.plain

local _M = {}


--- The largest file that is read. The core takes no larger document; the limit keeps a wrong path
-- (a disk image, `/dev/zero`) from filling the memory first.
_M.MAX_BYTES = 16 * 1024 * 1024

local CHUNK = 64 * 1024


--- Seconds since the epoch.
-- @treturn number
function _M.now()
    return os.time()
end


--- Writes one line for the operator.
-- @tparam string message
function _M.log(message)
    io.stderr:write(message, "\n")
end


-- Opening a folder succeeds on Linux; only reading it tells, so every opener reads at once.
local function open(path)
    if path == "-" then
        return io.stdin
    end
    local file, err = io.open(path, "rb")
    if file then
        return file
    end
    -- io.open says "path: reason"; the caller names the path itself.
    return nil, err:sub(#path + 3):lower() .. ": check the path"
end


local function close(file)
    if file ~= io.stdin then
        file:close()
    end
end


local function too_large(what)
    return ("%s is larger than %d MiB: give a smaller one")
        :format(what, _M.MAX_BYTES / (1024 * 1024))
end


local function read_chunk(file)
    local chunk, err = file:read(CHUNK)
    if not chunk and err then
        return nil, err:lower() .. ": give a file"
    end
    return chunk
end


--- Reads a whole file, or standard input for `-`.
-- @tparam string path
-- @treturn string|nil its bytes
-- @treturn string why not, without the path: missing, a directory, too large
function _M.read(path)
    local file, err = open(path)
    if not file then
        return nil, err
    end
    local parts, size = {}, 0
    local chunk
    chunk, err = read_chunk(file)
    while chunk and size <= _M.MAX_BYTES do
        parts[#parts + 1] = chunk
        size = size + #chunk
        chunk, err = read_chunk(file)
    end
    close(file)
    if err then
        return nil, err
    end
    if size > _M.MAX_BYTES then
        return nil, too_large("the file")
    end
    return table.concat(parts)
end


-- The text up to the next line end, taken from the pieces read so far.
local function take_line(pending, head)
    pending[#pending + 1] = head
    local line = table.concat(pending)
    return (line:gsub("\r$", ""))
end


-- Runs as a coroutine: yields every line, or nil and an error.
local function produce_lines(file)
    local pending, size = {}, 0
    local chunk, err = read_chunk(file)
    while chunk do
        local from = 1
        local line_end = chunk:find("\n", from, true)
        while line_end do
            coroutine.yield(take_line(pending, chunk:sub(from, line_end - 1)))
            pending, size, from = {}, 0, line_end + 1
            line_end = chunk:find("\n", from, true)
        end
        pending[#pending + 1] = chunk:sub(from)
        size = size + #chunk - from + 1
        if size > _M.MAX_BYTES then
            chunk, err = nil, too_large("a line")
        else
            chunk, err = read_chunk(file)
        end
    end
    close(file)
    if err then
        return nil, err
    end
    if size > 0 then
        coroutine.yield(take_line(pending, ""))
    end
end


--- Opens a file for reading line by line, or standard input for `-`.
-- @tparam string path
-- @treturn function|nil an iterator: a line without its end; nil at the end; nil and an error
-- @treturn string why the file cannot be opened
function _M.lines(path)
    local file, err = open(path)
    if not file then
        return nil, err
    end
    return coroutine.wrap(function()
        -- Once finished the iterator goes on answering nil instead of raising.
        local _, failure = produce_lines(file)
        coroutine.yield(nil, failure)
        while true do
            coroutine.yield(nil)
        end
    end)
end


return _M
