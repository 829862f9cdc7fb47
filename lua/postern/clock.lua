--- Local time: what a clock on the wall shows, anywhere, by the tz database.
--
-- The C library reads the database, and only knows the zone of the process, the variable TZ. So TZ
-- is changed for the moment of one question and put back. A zone's offset is asked once a minute:
-- since 1973 offsets only ever changed at the start of one. (Not of a quarter of an hour: a station
-- in Antarctica changed at one minute past.)
--
-- *Dependencies*: postern.ffi (the reader is handed in)
--
-- @module postern.clock
local ffi = require("ffi")
require("postern.ffi")

local C = ffi.C
local floor = math.floor


local _M = {}

local FOLDER = "/usr/share/zoneinfo/"

-- What TZ means when it is not set. A variable that is added or removed moves the process's whole
-- environment, which another thread may be reading; one that only changes its value does not. So
-- TZ is there for good after the first question.
local UNSET = ":/etc/localtime"

local LAST = 253402300799 -- 9999-12-31T23:59:59Z, the last moment a year of four digits can say
local MINUTE = 60

local tm, time = ffi.new("postern_tm"), ffi.new("int64_t[1]")


-- The C library takes what it cannot read for UTC and says nothing, so everything is looked at
-- before it: the name, the file's beginning, and its end, which is a line of its own. Zones below
-- `right/` count leap seconds, which no clock on a wall does.
local function path_of(zone, read)
    if type(zone) ~= "string" or not (zone .. "/"):find("^%a[%w_+-]*/")
        or zone:find("[^%w_+/-]") or zone:find("//", 1, true) or zone:find("/$")
        or zone:find("^right/") then
        return nil, ("`%s` is not the name of a time zone: give one such as `Europe/Berlin`")
            :format(tostring(zone))
    end
    local text = read(FOLDER .. zone)
    if not text then
        return nil, ("no time zone `%s` below %s: check its spelling, or install Debian's `tzdata`")
            :format(zone, FOLDER)
    elseif text:sub(1, 4) ~= "TZif" or text:sub(-1) ~= "\n" then
        return nil, ("%s%s holds no time zone, or not all of it"):format(FOLDER, zone)
    end
    return FOLDER .. zone
end


local function ask_offset(path, at)
    local before = os.getenv("TZ") or UNSET
    time[0] = at
    local ok = C.postern_setenv("TZ", ":" .. path, 1) == 0
    C.postern_tzset()
    ok = ok and C.postern_localtime_r(time, tm) ~= nil
    C.postern_setenv("TZ", before, 1)
    C.postern_tzset()
    if not ok then
        return nil, "the C library cannot tell the local time"
    end
    return tonumber(tm.gmtoff)
end


local function fields(at, offset)
    local date = os.date("!*t", at + offset)
    return {
        year = date.year, month = date.month, day = date.day,
        hour = date.hour, minute = date.min, second = date.sec,
        weekday = (date.wday + 5) % 7 + 1, -- from Monday; the C library counts from Sunday
        yearday = date.yday, offset = offset,
    }
end


--- Makes a function that tells local time.
--
-- The function takes a zone's name, such as `Europe/Berlin`, and a moment in seconds since 1970. It
-- answers a table of its own for each call: `year`, `month`, `day`, `hour`, `minute`, `second`,
-- `weekday` (1 is Monday, 7 is Sunday), `yearday` (from 1) and `offset` (seconds east of UTC); or
-- nil and why not: a zone that is not in the tz database, a moment before 1970 or after 9999.
-- @tparam table options `read`, a host's reader: path to text, or nil and why not
-- @treturn function local_time(zone, at)
-- @usage local local_time = clock.new({ read = plain.read })
-- print(local_time("Europe/Berlin", 1700000000).hour)
function _M.new(options)
    local read = options.read
    if type(read) ~= "function" then
        error("`read`: give a function that reads a file", 2)
    end
    local known = {} -- zone to the minute last asked for, and its offset

    return function(zone, at)
        if type(at) ~= "number" or not (at >= 0 and at <= LAST) then
            return nil, "the time is not known, or not between 1970 and 9999"
        end
        at = floor(at)
        local minute = floor(at / MINUTE)
        local last = known[zone]
        if last and last.minute == minute then
            return fields(at, last.offset)
        end
        local path, offset, err
        path, err = path_of(zone, read)
        if path then
            offset, err = ask_offset(path, at)
        end
        if not offset then
            return nil, err
        end
        known[zone] = { minute = minute, offset = offset }
        return fields(at, offset)
    end
end


return _M
