-- Whether it is business hours where the business is.
--
-- Keys: `time:BusinessHours` (true or false), `time:Holiday` (true or false), `time:Weekday`
-- (`mon` to `sun`), `time:LocalHour` (0 to 23), `time:LocalDate` (`2026-12-24`).
--
-- Options: `zone`, a name of the tz database; `hours`, a text `08:00-18:00` or a list of them;
-- `days`, a list of `mon` to `sun` and spans such as `mon-fri`, which is the default; `holidays`,
-- a list of dates, `2026-12-25` or, for every year, `12-25`.
--
-- Hours that go past midnight, such as `22:00-06:00`, belong to the day they begin on: those of a
-- Friday last until Saturday morning, and those of a holiday do not begin. The clock is the
-- wall's: in the night that daylight saving ends, `01:00-03:00` lasts three hours.

local OPTIONS = { zone = "string", hours = "string or list", days = "list", holidays = "list" }

local DAYS = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" }
local NUMBER_OF = {}
for number, name in ipairs(DAYS) do
    NUMBER_OF[name] = number
end

local MONTH_DAYS = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }


-- ---- Dates -----------------------------------------------------------------


local function is_leap(year)
    return year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
end


local function days_in(year, month)
    return month == 2 and not is_leap(year) and 28 or MONTH_DAYS[month]
end


-- Without a year the day may be 29 February.
local function is_date(year, month, day)
    return month >= 1 and month <= 12 and day >= 1
        and day <= (year and days_in(year, month) or MONTH_DAYS[month])
end


local function day_before(date)
    local year, month, day = date.year, date.month, date.day - 1
    if day == 0 then
        month = month - 1
        if month == 0 then
            year, month = year - 1, 12
        end
        day = days_in(year, month)
    end
    return { year = year, month = month, day = day, weekday = (date.weekday + 5) % 7 + 1 }
end


-- ---- The configuration -----------------------------------------------------


local WEEKDAYS = { "mon-fri" }

local function read_days(list)
    local days = {}
    for _, text in ipairs(list or WEEKDAYS) do
        local from, to = tostring(text):match("^(%l+)%-(%l+)$")
        from, to = NUMBER_OF[from or text], NUMBER_OF[to or text]
        if not from or not to then
            return nil, ("`days`: `%s` is no day: give `mon` to `sun`, or a span such as `mon-fri`")
                :format(tostring(text))
        end
        for step = 0, (to - from) % 7 do
            days[(from + step - 1) % 7 + 1] = true
        end
    end
    return days
end


-- Minutes since midnight; nil for what is no time. Only an end may be 24:00.
local function minutes(hour, minute, is_end)
    local total = tonumber(hour) * 60 + tonumber(minute)
    local last = is_end and 24 * 60 or 24 * 60 - 1
    return tonumber(minute) < 60 and total <= last and total or nil
end


local function read_hours(hours)
    local spans = {}
    for i, text in ipairs(type(hours) == "table" and hours or { hours }) do
        local h1, m1, h2, m2 = tostring(text):match("^(%d%d):(%d%d)%-(%d%d):(%d%d)$")
        local from = h1 and minutes(h1, m1, false)
        local to = h1 and minutes(h2, m2, true)
        if not from or not to or from == to then
            return nil, ("`hours`: `%s` is no span of a day: give one such as `08:00-18:00`")
                :format(tostring(text))
        end
        spans[i] = { from = from, to = to }
    end
    return spans
end


local function read_holidays(list)
    local holidays = {}
    for _, text in ipairs(list or {}) do
        local year, rest = tostring(text):match("^(%d%d%d%d)%-(.*)$")
        local month, day = (rest or tostring(text)):match("^(%d%d)%-(%d%d)$")
        if not month or not is_date(tonumber(year), tonumber(month), tonumber(day)) then
            return nil, ("`holidays`: `%s` is no date: give one such as `2026-12-25`, or `12-25`")
                :format(tostring(text))
        end
        holidays[text] = true
    end
    return holidays
end


local function read(config)
    for name, value in pairs(config) do
        local wanted = OPTIONS[name]
        if not wanted then
            return nil, ("unknown option `%s`: there are `days`, `holidays`, `hours`, `zone`")
                :format(tostring(name))
        elseif not wanted:find(type(value) == "table" and "list" or type(value), 1, true) then
            return nil, ("`%s` is a %s: make it a %s"):format(name, type(value), wanted)
        elseif type(value) == "table" and #value == 0 and name ~= "holidays" then
            return nil, ("`%s` is empty: leave it out, or name some"):format(name)
        end
    end
    if not config.zone or not config.hours then
        return nil, ("lacks `%s`"):format(config.zone and "hours" or "zone")
    end
    local days, spans, holidays, err
    days, err = read_days(config.days)
    if days then
        spans, err = read_hours(config.hours)
    end
    if spans then
        holidays, err = read_holidays(config.holidays)
    end
    if not holidays then
        return nil, err
    end
    return { zone = config.zone, days = days, spans = spans, holidays = holidays }
end


local function check(config)
    local state, err = read(config)
    return state and true, err
end


-- Only here is there a tz database to ask whether it has the zone.
local function start(config, tools)
    local state, err = read(config)
    local now
    if state then
        now, err = tools.local_time(config.zone, tools.now())
    end
    if not now then
        return nil, err
    end
    return state
end


-- ---- The keys --------------------------------------------------------------


local function date_text(date)
    return ("%04d-%02d-%02d"):format(date.year, date.month, date.day)
end


local function is_holiday(state, date)
    local text = date_text(date)
    return state.holidays[text] or state.holidays[text:sub(6)] or false
end


local function is_business_day(state, date)
    return state.days[date.weekday] and not is_holiday(state, date) or false
end


local function is_business_time(state, time)
    local minute = time.hour * 60 + time.minute
    for _, span in ipairs(state.spans) do
        if span.from < span.to then
            if minute >= span.from and minute < span.to and is_business_day(state, time) then
                return true
            end
        elseif minute >= span.from and is_business_day(state, time)
            or minute < span.to and is_business_day(state, day_before(time)) then
            return true
        end
    end
    return false
end


-- A provider that is handed the local time of the request.
local function of_time(answer)
    return function(context, _, tools)
        local time, err = tools.local_time(tools.state.zone, context.now)
        if not time then
            return nil, err
        end
        return answer(tools.state, time)
    end
end


return {
    kind = "keys",
    name = "business_hours",
    api = 1,
    check = check,
    start = start,
    types = {
        ["time:BusinessHours"] = "bool",
        ["time:Holiday"] = "bool",
        ["time:Weekday"] = "string",
        ["time:LocalHour"] = "numeric",
        ["time:LocalDate"] = "string",
    },
    keys = {
        ["time:BusinessHours"] = of_time(is_business_time),
        ["time:Holiday"] = of_time(is_holiday),
        ["time:Weekday"] = of_time(function(_, time) return DAYS[time.weekday] end),
        ["time:LocalHour"] = of_time(function(_, time) return time.hour end),
        ["time:LocalDate"] = of_time(function(_, time) return date_text(time) end),
    },
}
