-- What hostile input costs, and that it grows no faster than the input.
--
--     luajit spec/bench/hostile.lua BUILD
--
-- Each input is made in three sizes, n, 2n and 4n, the last being the hostile one. Loading it (JSON
-- to set) and deciding with it (filling the request and evaluating) are timed apart; the verdict
-- compares 4n with n. Times are processor time, the best of some runs, so that a busy machine does
-- not make them worse. Exits with 1 when something grows faster than its input.
local build = assert(arg[1], "usage: luajit spec/bench/hostile.lua BUILD")
package.path = "./lua/?.lua;./lua/?/init.lua;" .. package.path
package.cpath = build .. "/?.so;" .. package.cpath

local postern = require("postern")

local SIZES = { 1, 2, 4 }
local RUNS = 5
local LEAST = 0.01 -- seconds a run takes: what is faster is repeated until the clock can see it

-- Four times the input may cost four times as much, the logarithm of n log n, and the caches that
-- the larger input no longer fits. Twice as much again is quadratic growth.
local LINEAR, WORSE = 4 * 1.75, 4 * 2.5

local ARN = "arn:aws:execute-api:us-east-1:111122223333:abc123/dev/GET/"


-- ---- Texts -------------------------------------------------------------------


local function policy(statements)
    return '{"Version":"2012-10-17","Statement":[' .. statements .. "]}"
end


local function statement(resource, condition)
    return ('{"Effect":"Allow","Action":"*","Resource":%s%s}')
        :format(resource, condition and ',"Condition":{' .. condition .. "}" or "")
end


local function quoted(text)
    return '"' .. text .. '"'
end


-- Items 1 to `count` in a row, each made by `make`, with commas between them.
local function listed(count, make)
    local items = {}
    for i = 1, count do
        items[i] = make(i)
    end
    return table.concat(items, ",")
end


local function condition_on_key(operator, values)
    return policy(statement('"*"', ('"%s":{"app:key":[%s]}'):format(operator, values)))
end


-- ---- Inputs ------------------------------------------------------------------
--
-- `text(n)` makes the policy; `source(n)` what the request has, so that no value matches before the
-- last one was tried.

local function request(resource, value)
    return { action = "execute-api:Invoke", resource = resource or ARN .. "pets",
             context = { ["app:key"] = value } }
end


local INPUTS = {
    { name = "stars in a Resource, text fixed", n = 1000, text = function(n)
        return policy(statement(quoted(ARN .. ("*"):rep(n) .. "b*")))
    end, source = function() return request(ARN .. ("a"):rep(1000)) end },

    { name = "stars in StringLike, text fixed", n = 1000, text = function(n)
        return condition_on_key("StringLike", quoted(("*"):rep(n) .. "b*"))
    end, source = function() return request(nil, ("a"):rep(1000)) end },

    { name = "a*a*...b*, pattern grows", n = 500, text = function(n)
        return condition_on_key("StringLike", quoted(("a*"):rep(n) .. "b*"))
    end, source = function() return request(nil, ("a"):rep(1000)) end },

    { name = "a*a*...b*, text grows", n = 16000, text = function()
        return condition_on_key("StringLike", quoted(("a*"):rep(1000) .. "b*"))
    end, source = function(n) return request(nil, ("a"):rep(n)) end },

    { name = "a*a*...b*a, both grow", n = 500, text = function(n)
        return condition_on_key("StringLike", quoted(("a*"):rep(n) .. "b*a"))
    end, source = function(n) return request(nil, ("a"):rep(2 * n)) end },

    { name = "*aaaa...ab*, text grows", n = 10000, text = function()
        return condition_on_key("StringLike", quoted("*" .. ("a"):rep(500) .. "b*"))
    end, source = function(n) return request(nil, ("a"):rep(n)) end },

    { name = "*?a?a...b*, text grows", n = 10000, text = function()
        return condition_on_key("StringLike", quoted("*" .. ("?a"):rep(250) .. "b*"))
    end, source = function(n) return request(nil, ("a"):rep(n)) end },

    -- Both at once cost their product, which is the bound that is promised: set times request.
    { name = "*aaaa...ab*, both grow", n = 1000, product = true, text = function(n)
        return condition_on_key("StringLike", quoted("*" .. ("a"):rep(n) .. "b*"))
    end, source = function(n) return request(nil, ("a"):rep(4 * n)) end },

    { name = "confined a*a*...b, pattern grows", n = 500, text = function(n)
        return policy(statement(quoted("arn:aws:" .. ("a*"):rep(n) .. "b:*:*:*")))
    end, source = function() return request("arn:aws:" .. ("a"):rep(1000) .. ":us:1:x") end },

    { name = "confined a*a*...b, text grows", n = 15000, text = function()
        return policy(statement(quoted("arn:aws:" .. ("a*"):rep(500) .. "b:*:*:*")))
    end, source = function(n) return request("arn:aws:" .. ("a"):rep(n) .. ":us:1:x") end },

    { name = "free, then confined, text grows", n = 5000, text = function()
        return policy(statement(quoted("*:a*a*b:*:a*a*b:*:a*a*b")))
    end, source = function(n) return request(("a:"):rep(n) .. ("a"):rep(n)) end },

    { name = "one long name, 64 KB", n = 16000, text = function(n)
        return policy(statement(quoted(ARN .. ("x"):rep(n))))
    end, source = function(n) return request(ARN .. ("x"):rep(n)) end },

    { name = "one long value, 64 KB", n = 16000, text = function(n)
        return condition_on_key("StringEqualsIgnoreCase", quoted(("x"):rep(n)))
    end, source = function(n) return request(nil, ("X"):rep(n)) end },

    { name = "one long number, 64 KB", n = 16000, text = function(n)
        return condition_on_key("NumericLessThan", quoted(("1"):rep(n) .. "2"))
    end, source = function(n) return request(nil, ("1"):rep(n) .. "1") end },

    { name = "escapes, 1 MB", n = 42500, text = function(n)
        return condition_on_key("StringLike", quoted(("\\u0041"):rep(n)))
    end, source = function() return request(nil, "A") end },

    { name = "variables never closed, 1 MB", n = 62500, text = function(n)
        return condition_on_key("StringLike", quoted(("${a "):rep(n)))
    end, source = function() return request(nil, "${a ") end },

    { name = "defaults never closed, 1 MB", n = 40000, text = function(n)
        return condition_on_key("StringLike", quoted(("${a, '"):rep(n)))
    end, source = function() return request(nil, "${a, '") end },

    { name = "white space, 1 MB", n = 250000, text = function(n)
        return policy((" "):rep(n) .. statement('"*"'))
    end, source = function() return request() end },

    { name = "lines before the last error, 1 MB", n = 250000, text = function(n)
        return policy(("\n"):rep(n) .. statement('"*",')) -- refused at its end
    end, refused = true },

    { name = "values in StringEquals", n = 25000, text = function(n)
        return condition_on_key("StringEquals", listed(n, function(i) return quoted("v" .. i) end))
    end, source = function() return request(nil, "none") end },

    { name = "the same value over and over", n = 25000, text = function(n)
        return condition_on_key("StringEquals", listed(n, function() return '"same"' end))
    end, source = function() return request(nil, "none") end },

    { name = "values in NumericEquals", n = 25000, text = function(n)
        return condition_on_key("NumericEquals", listed(n, tostring))
    end, source = function() return request(nil, "-1") end },

    { name = "values in the request", n = 25000, text = function()
        return condition_on_key("ForAnyValue:StringEquals", '"none","nothing"')
    end, source = function(n)
        local values = {}
        for i = 1, n do
            values[i] = "v" .. i
        end
        return request(nil, values)
    end },

    { name = "CIDRs apart", n = 25000, text = function(n)
        return condition_on_key("IpAddress", listed(n, function(i)
            return ('"%d.%d.%d.%d/32"'):format(i / 65536 % 200 + 1, i / 256 % 256, i % 256, i % 7)
        end))
    end, source = function() return request(nil, "250.0.0.1") end },

    { name = "CIDRs nested, IPv6", n = 25000, text = function(n)
        return condition_on_key("IpAddress", listed(n, function(i)
            return ('"2001:db8:%x:%x::/%d"'):format(i / 65536, i % 65536, 33 + i % 96)
        end))
    end, source = function() return request(nil, "2001:db9::1") end },

    { name = "the same CIDR over and over", n = 25000, text = function(n)
        return condition_on_key("IpAddress", listed(n, function() return '"10.0.0.0/8"' end))
    end, source = function() return request(nil, "250.0.0.1") end },

    { name = "statements", n = 2500, text = function(n)
        return policy(listed(n, function(i) return statement(quoted(ARN .. i)) end))
    end, source = function() return request() end },

    { name = "condition keys, a statement each", n = 2500, text = function(n)
        return policy(listed(n, function(i)
            return statement('"*"', ('"StringEquals":{"app:key%d":"v"}'):format(i))
        end))
    end, source = function() return request() end },

    { name = "condition keys in one operator", n = 2500, text = function(n)
        return policy(statement('"*"', '"StringNotEquals":{' .. listed(n, function(i)
            return ('"app:key%d":"v"'):format(i)
        end) .. "}"))
    end, source = function() return request() end },

    { name = "members of one object", n = 1250, text = function(n)
        return '{"Statement":[],"Version":"2012-10-17","Id":{' .. listed(n, function(i)
            return ('"member%d":0'):format(i)
        end) .. "}}"
    end, refused = true },

    { name = "condition keys in mixed letter case", n = 1250, text = function(n)
        return policy(statement('"*"', '"StringEquals":{' .. listed(n, function(i)
            return ('"app:%s%d":"v"'):format(i % 2 == 0 and "Key" or "KEY", i)
        end) .. "}"))
    end, source = function() return request() end },

    { name = "actions", n = 25000, text = function(n)
        return '{"Statement":{"Effect":"Allow","Resource":"*","Action":[' .. listed(n, function(i)
            return ('"s%d:*"'):format(i)
        end) .. "]}}"
    end, source = function() return request() end },

    { name = "principals", n = 25000, type = "resource", text = function(n)
        return '{"Statement":{"Effect":"Allow","Resource":"*","Action":"*","Principal":{"AWS":['
            .. listed(n, function(i)
                return ('"arn:aws:iam::111122223333:user/u%d"'):format(i)
            end) .. "]}}}"
    end, source = function()
        local source = request()
        source.principal = "arn:aws:iam::111122223333:user/none"
        return source
    end },

    { name = "stars beyond the limit", n = 2500, text = function(n)
        return condition_on_key("StringLike", quoted(("*"):rep(4096 + n) .. "b*"))
    end, refused = true },

    { name = "lists in lists", n = 25000, text = function(n)
        return ("["):rep(n) .. ("]"):rep(n)
    end, refused = true },

    { name = "objects in objects", n = 25000, text = function(n)
        return ('{"a":'):rep(n) .. "0" .. ("}"):rep(n)
    end, refused = true },
}


-- ---- Timing ------------------------------------------------------------------


local function once(work, count)
    local start = os.clock()
    for _ = 1, count do
        work()
    end
    return (os.clock() - start) / count
end


-- Seconds one call takes: the best of some runs, each long enough to be seen.
local function time(work)
    local count, best = 1, once(work, 1)
    if best < LEAST then
        count = math.ceil(LEAST / math.max(best, 1e-7))
    end
    for _ = 1, best > 1 and 1 or RUNS do
        best = math.min(best, once(work, count))
    end
    return best
end


-- Loads and decides one size of an input: both times, and the refusal when there was one.
local function measure(input, n)
    local text = input.text(n)
    local options = { type = input.type or "identity", strictness = "structural" }
    local set, err = postern.compile(text, options)
    local load = time(function()
        postern.compile(text, options)
        collectgarbage("step") -- frees what was loaded, so that memory does not add up
    end)
    if not set then
        return load, nil, tostring(err)
    end
    local source = input.source(n)
    local asked = assert(postern.request.new(set))
    assert(asked:fill(source))
    local key = set:find_key("app:key")
    local value = source.context["app:key"]
    return load, time(function()
        asked:reset()
        asked:principal(source.principal or "*")
        asked:action(source.action)
        asked:resource(source.resource)
        if key and type(value) == "table" then
            asked:list(key)
            for i = 1, #value do
                asked:append(key, value[i])
            end
        elseif key and value then
            asked:put(key, value)
        end
        asked:evaluate()
    end)
end


-- ---- The table ---------------------------------------------------------------

local ROW = "%-36s %-7s %9s %11s %11s %11s %7s  %s"
local worst = "linear"


local function time_text(seconds)
    if seconds < 1e-3 then
        return ("%.2f us"):format(seconds * 1e6)
    end
    return ("%.2f ms"):format(seconds * 1e3)
end


local function verdict_of(factor, product)
    if factor <= LINEAR then
        return "linear"
    elseif product and factor <= 4 * LINEAR then
        return "product"
    end
    worst = factor > WORSE and "worse" or worst
    return factor <= WORSE and "linear?" or "WORSE"
end


local function print_row(input, phase, times)
    -- A microsecond is not growth but the clock.
    local factor = times[3] / math.max(times[1], 1e-6)
    print(ROW:format(input.name, phase, input.n, time_text(times[1]), time_text(times[2]),
        time_text(times[3]), ("%.1f"):format(factor),
        verdict_of(factor, input.product)))
end


print(ROW:format("input", "phase", "n", "n", "2n", "4n", "4n/n", "growth"))
for _, input in ipairs(INPUTS) do
    local loads, decides, refusal = {}, {}, nil
    for i, size in ipairs(SIZES) do
        loads[i], decides[i], refusal = measure(input, input.n * size)
        collectgarbage()
    end
    print_row(input, refusal and "refuse" or "load", loads)
    if #decides == #SIZES then
        print_row(input, "decide", decides)
    end
    if refusal then
        print("    " .. refusal:sub(1, 90):gsub("%s+", " "))
    end
    if (refusal ~= nil) ~= (input.refused or false) then
        print("    UNEXPECTED: " .. (refusal and "refused" or "taken"))
        worst = "worse"
    end
end
print(("\nlinear: up to %g times the time for four times the input; WORSE: more than %g times")
    :format(LINEAR, WORSE))
os.exit(worst == "linear" and 0 or 1)
