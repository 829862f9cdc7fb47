--- Files of results: what was measured, on which machine, as JSON.
--
--     { "kind": "peers", "machine": { ... }, "rows": [ { "name", "size", "unit", "median", "min",
--       "max", ... }, ... ], ... }
--
-- C programs append rows to a file of lines, see `result.h`; `collect` makes a file of results of
-- it.
local dkjson = require("dkjson")

local _M = {}


-- The order of members, so that a file that is written again differs only where the figures do.
local ORDER = {
    "kind", "machine", "date", "commit", "processor", "cores", "memory", "system", "kernel",
    "compiler", "profiler", "caches", "rounds", "engines", "missing", "unreached", "rows",
    "name", "file", "style", "form", "simd", "family", "workload", "size", "unit", "of", "median",
    "min", "max", "wall", "count", "version", "runtime", "differs", "reason", "loads", "misses",
    "far_misses", "share", "calls", "functions",
}


--- The text of a file.
-- @tparam string path
-- @treturn string|nil nil when it cannot be read
function _M.text(path)
    local file = io.open(path, "rb")
    if not file then
        return nil
    end
    local text = file:read("*a")
    file:close()
    return text
end


local function first_line(command)
    local pipe = assert(io.popen(command .. " 2>/dev/null"))
    local line = pipe:read("*l")
    pipe:close()
    return line or "unknown"
end


--- The machine this runs on.
-- @treturn table `date`, `commit`, `processor`, `cores`, `memory`, `system`, `kernel`, `compiler`
function _M.machine()
    local cpuinfo, meminfo = _M.text("/proc/cpuinfo") or "", _M.text("/proc/meminfo") or ""
    local _, cores = cpuinfo:gsub("processor%s*:", "")
    local kilobytes = tonumber(meminfo:match("MemTotal:%s*(%d+)")) or 0
    return {
        date = os.date("!%Y-%m-%d"),
        commit = first_line("git describe --always --dirty --exclude='*'"),
        processor = cpuinfo:match("model name%s*:%s*([^\n]+)") or "unknown",
        cores = cores,
        memory = ("%.0f GiB"):format(kilobytes / 1048576),
        system = (_M.text("/etc/os-release") or ""):match('PRETTY_NAME="([^"]+)"') or "unknown",
        kernel = first_line("uname -sr"),
        compiler = first_line("cc --version"),
    }
end


--- The middle, the least and the most of numbers, rounded to a tenth.
-- @tparam {number,...} numbers not empty
-- @treturn number
-- @treturn number
-- @treturn number
function _M.spread(numbers)
    local sorted = { unpack(numbers) }
    table.sort(sorted)
    local half = math.floor(#sorted / 2)
    local median = #sorted % 2 == 1 and sorted[half + 1] or (sorted[half] + sorted[half + 1]) / 2
    local function tenth(number)
        return math.floor(number * 10 + 0.5) / 10
    end
    return tenth(median), tenth(sorted[1]), tenth(sorted[#sorted])
end


--- Writes a file of results.
-- @tparam string path
-- @tparam table results
function _M.write(path, results)
    local file = assert(io.open(path .. ".new", "wb"))
    assert(file:write(_M.encode(results)))
    file:close()
    assert(os.rename(path .. ".new", path))
end


--- The text of a file of results: a row a line, so that differences can be read.
-- @tparam table results
-- @treturn string
function _M.encode(results)
    local members = {}
    for name in pairs(results) do
        members[#members + 1] = name
    end
    local place = {}
    for i, name in ipairs(ORDER) do
        place[name] = i
    end
    table.sort(members, function(a, b)
        return assert(place[a], a) < assert(place[b], b)
    end)
    for i, name in ipairs(members) do
        local value = results[name]
        local text = dkjson.encode(value, { keyorder = ORDER })
        if type(value) == "table" and value[1] then
            local lines = {}
            for n, item in ipairs(value) do
                lines[n] = dkjson.encode(item, { keyorder = ORDER })
            end
            text = "[\n" .. table.concat(lines, ",\n") .. "\n]"
        end
        members[i] = ('"%s":%s'):format(name, text)
    end
    return "{" .. table.concat(members, ",\n") .. "}\n"
end


--- Reads a file of results.
-- @tparam string path
-- @treturn table|nil nil when there is no such file
function _M.read(path)
    local text = _M.text(path)
    if not text then
        return nil
    end
    local results, _, failed = dkjson.decode(text)
    return assert(results, ("%s: %s"):format(path, failed))
end


--- Makes a file of results of the lines that C programs appended.
-- @tparam string kind
-- @tparam string lines their path
-- @tparam string path of the results
-- @treturn number rows
function _M.collect(kind, lines, path)
    local rows = {}
    for line in io.lines(lines) do
        local row, _, failed = dkjson.decode(line)
        rows[#rows + 1] = assert(row, ("%s:%d: %s"):format(lines, #rows + 1, failed))
    end
    _M.write(path, { kind = kind, machine = _M.machine(), rows = rows })
    return #rows
end


return _M
