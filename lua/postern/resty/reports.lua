--- Lines for the operator, but not one a request: of each kind one an interval, and how many more
-- there were. A client that is refused a thousand times a second must not fill the disk.
--
-- *Dependencies*: none (clock and log are handed in)
--
-- @module postern.resty.reports

local _M = {}
local Reports = {}
Reports.__index = Reports


-- Seconds between two lines of one kind.
local INTERVAL = 10

-- A line holds what a client sent; so many bytes of it are enough to find the cause.
local LONGEST = 1024


--- Makes a reporter.
-- @tparam table parts `now()`, in seconds, and `write(message)`
-- @tparam[opt=10] number interval seconds between two lines of one kind
-- @treturn Reports
function _M.new(parts, interval)
    return setmetatable({
        now = parts.now, write = parts.write, interval = interval or INTERVAL, kinds = {},
    }, Reports)
end


-- What a client may have a hand in stays on its line.
local function on_line(text)
    return (text:sub(1, LONGEST):gsub("%c", "?"))
end


--- Tells, unless that was told a moment ago. A clock that was set back tells at once.
-- @tparam string kind a word out of a small closed set, never of a request
-- @tparam string message
-- @treturn boolean whether it was written
function Reports:tell(kind, message)
    local now, of_kind = self.now(), self.kinds[kind]
    if not of_kind then
        of_kind = { left_out = 0 }
        self.kinds[kind] = of_kind
    elseif now - of_kind.at < self.interval and now >= of_kind.at then
        of_kind.left_out = of_kind.left_out + 1
        return false
    end
    local more = of_kind.left_out > 0
        and (" (%d more like this since the last line)"):format(of_kind.left_out) or ""
    of_kind.at, of_kind.left_out = now, 0
    self.write(on_line(message) .. more)
    return true
end


return _M
