--- Which requests were decided: for whoever looks at them when they end.
--
-- A mark must outlast what ends `ngx.ctx`, an internal redirect, and cost next to nothing. So it is
-- no part of the request: it stands here by the request's number, with when the request began, for
-- a number is given again when its request has ended. Not every request that is marked is looked at
-- again, so only so many marks are kept.
--
-- *Dependencies*: none (what is known of requests is handed in)
--
-- @module postern.resty.marks

local _M = {}
local Marks = {}
Marks.__index = Marks


-- In each half of the memory.
local MOST = 16384


--- Makes an empty memory.
-- @tparam table parts functions of the request that nginx is at: `number`, which no other has as
-- long as it lasts, and `began`, when it did, in seconds; and `now`, the time now
-- @tparam[opt=16384] number most marks in each half of the memory
-- @treturn Marks
function _M.new(parts, most)
    return setmetatable({
        number = parts.number, began = parts.began, now = parts.now, most = most or MOST,
        young = {}, old = {}, count = 0, forgotten = -math.huge,
    }, Marks)
end


-- What began before this moment may have been marked.
local function forget(self)
    self.forgotten = self.now()
    self.young, self.old, self.count = {}, self.young, 0
end


--- Marks the request.
function Marks:put()
    if self.count >= self.most then
        forget(self)
    end
    self.young[self.number()] = self.began()
    self.count = self.count + 1
end


--- Takes the mark from the request.
-- @treturn boolean whether it had one, or may have had one that was forgotten
function Marks:take()
    local number, began, young = self.number(), self.began(), self.young
    if young[number] == began then
        young[number] = nil
        self.count = self.count - 1
        return true
    end
    return self.old[number] == began or began <= self.forgotten
end


return _M
