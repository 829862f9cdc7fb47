--- A cache of a limited size whose values are forgotten after their time.
--
-- Two generations: new values go to the young one; when that is full it becomes the old one, and
-- what was old is dropped. What is asked for in the old one moves to the young one. So values in
-- use stay, and neither a get nor a put ever takes longer than a few table accesses.
--
-- *Dependencies*: none (the clock is handed in)
--
-- @module postern.cache

local _M = {}
local Cache = {}
Cache.__index = Cache


local OPTIONS = { now = true, limit = true }

-- Enough for the callers of a busy API within five minutes, and a bound on what a flood of made-up
-- tokens can occupy.
local LIMIT = 2048


--- Makes a cache.
-- @tparam table options `now` (a function: seconds since some fixed time), `limit` (the most values
-- that are kept)
-- @treturn Cache
function _M.new(options)
    for name in pairs(options) do
        if not OPTIONS[name] then
            error(("unknown option `%s`"):format(tostring(name)), 2)
        end
    end
    if type(options.now) ~= "function" then
        error("`now`: give a function that tells the time", 2)
    end
    return setmetatable({
        now = options.now,
        half = math.max(1, math.floor((options.limit or LIMIT) / 2)),
        young = {},
        old = {},
        count = 0, -- of the young
    }, Cache)
end


local function keep(self, key, item)
    if self.young[key] == nil then
        if self.count >= self.half then
            self.old, self.young, self.count = self.young, {}, 0
        end
        self.count = self.count + 1
    end
    self.young[key] = item
    self.old[key] = nil
end


--- The value of a key.
-- @param key
-- @return the value, or nil when there is none or its time is over
function Cache:get(key)
    local item = self.young[key] or self.old[key]
    if not item then
        return nil
    end
    local now = self.now()
    -- A clock that was set back must not lengthen a life.
    if now >= item.expires or now < item.since then
        self.old[key] = nil
        if self.young[key] then
            self.young[key] = nil
            self.count = self.count - 1
        end
        return nil
    end
    if not self.young[key] then
        keep(self, key, item)
    end
    return item.value
end


--- Gives a key a value.
-- @param key
-- @param value
-- @tparam number ttl seconds; 0 keeps nothing
function Cache:put(key, value, ttl)
    if ttl <= 0 then
        return
    end
    local now = self.now()
    keep(self, key, { value = value, since = now, expires = now + ttl })
end


return _M
