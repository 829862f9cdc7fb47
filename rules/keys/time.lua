-- When a call is made: aws:CurrentTime and aws:EpochTime.
--
-- Source: IAM User Guide, "AWS global condition context keys": both are always there, the first as
-- an ISO 8601 date, the second as a date or as seconds since 1970. API Gateway supplies both
-- whatever the authorization (API Gateway Developer Guide, "AWS condition keys that can be used in
-- API Gateway resource policies"). `context.now` is the start of the request, in seconds since
-- 1970.

local DAY = 24 * 60 * 60
local LAST = 253402300799 -- 9999-12-31T23:59:59Z, the last moment a year of four digits can say


-- Year, month and day of a day since 1970, by counting from 1 March of year 0: the leap day is then
-- the last of its year, and 400 years always have 146097 days.
local function civil(days)
    days = days + 719468
    local era = math.floor(days / 146097)
    local day = days - era * 146097
    local year = math.floor((day - math.floor(day / 1460) + math.floor(day / 36524)
        - math.floor(day / 146096)) / 365)
    day = day - (365 * year + math.floor(year / 4) - math.floor(year / 100))
    local month = math.floor((5 * day + 2) / 153)
    local day_of_month = day - math.floor((153 * month + 2) / 5) + 1
    month = month < 10 and month + 3 or month - 9
    return era * 400 + year + (month <= 2 and 1 or 0), month, day_of_month
end


-- Whole seconds, or nil and why not. Without a clock no date condition can be decided.
local function seconds(context)
    local now = context.now
    if type(now) ~= "number" or not (now >= 0 and now <= LAST) then
        return nil, "the time of the request is not known"
    end
    return math.floor(now)
end


local function current_time(context)
    local now, err = seconds(context)
    if not now then
        return nil, err
    end
    local year, month, day = civil(math.floor(now / DAY))
    local rest = now % DAY
    return ("%04d-%02d-%02dT%02d:%02d:%02dZ"):format(year, month, day, math.floor(rest / 3600),
                                                      math.floor(rest / 60) % 60, rest % 60)
end


local function check(config)
    local name = next(config or {})
    if name ~= nil then
        return nil, ("unknown option `%s`: there are none"):format(tostring(name))
    end
    return true
end


return {
    kind = "keys",
    name = "time",
    api = 1,
    check = check,
    types = { ["aws:CurrentTime"] = "date", ["aws:EpochTime"] = "date" },
    plan = { ["aws:CurrentTime"] = "time", ["aws:EpochTime"] = "epoch" },
    keys = { ["aws:CurrentTime"] = current_time, ["aws:EpochTime"] = seconds },
}
