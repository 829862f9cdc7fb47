--- A limit on how many do something at once, with a bounded queue of those that wait their turn.
--
-- *Dependencies*: none (waiting is handed in)
--
-- @module postern.semaphore

local _M = {}
local Semaphore = {}
Semaphore.__index = Semaphore


--- Makes a semaphore.
-- @tparam table options `limit` (how many at once), `queue` (how many may wait)
-- @tparam table host what waiting is made of: `ticket()` (an object with `wait(seconds)`, true when
-- it was posted in time, and `post()`) and `ensure(cleanup, fn, ...)`
-- @treturn Semaphore
function _M.new(options, host)
    -- Those that wait form a ring through `head`, oldest at `head.next`: one that gives up leaves
    -- from the middle, and a queue of such must not grow.
    local head = {}
    head.next, head.previous = head, head
    return setmetatable({
        limit = options.limit, queue = options.queue, host = host,
        used = 0, waiting = 0, head = head,
    }, Semaphore)
end


local function join(self, entry)
    local head = self.head
    entry.previous, entry.next = head.previous, head
    head.previous.next, head.previous = entry, entry
    self.waiting = self.waiting + 1
end


local function leave(self, entry)
    entry.previous.next, entry.next.previous = entry.next, entry.previous
    self.waiting = self.waiting - 1
end


--- Takes a place, or waits for one.
-- @tparam number|nil seconds how long at most; nil: as long as it takes
-- @treturn boolean|nil true: give it back by `release`
-- @treturn string `busy`: the queue is full; `timeout`
function Semaphore:acquire(seconds)
    if self.used < self.limit then
        self.used = self.used + 1
        return true
    elseif self.waiting >= self.queue then
        return nil, "busy"
    end
    local entry = { ticket = self.host.ticket(), granted = false }
    local over = false
    join(self, entry)
    self.host.ensure(function()
        if over then
            return
        elseif entry.granted then
            self:release() -- cancelled with the place already given
        else
            leave(self, entry)
        end
    end, function()
        entry.ticket:wait(seconds)
        over = true
    end)
    -- Not what `wait` says: a place may have been given while it gave up.
    if entry.granted then
        return true
    end
    leave(self, entry)
    return nil, "timeout"
end


--- Gives a place back; the one that has waited longest gets it.
function Semaphore:release()
    local entry = self.head.next
    if entry == self.head then
        self.used = self.used - 1
        return
    end
    leave(self, entry)
    entry.granted = true
    entry.ticket:post()
end


return _M
