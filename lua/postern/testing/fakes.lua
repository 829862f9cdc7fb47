--- A host that is made up: clock, DNS and HTTP for tests, and no network at all.
--
-- A call that the test did not foresee raises, and is remembered in `unexpected`, since a rule pack
-- or the engine may catch what is raised and make a deny of it: a test must not pass by that.
--
-- *Dependencies*: none
--
-- @module postern.testing.fakes

local _M = {}
local Fakes = {}
Fakes.__index = Fakes


--- The time when a test says nothing else: 2024-01-01 00:00:00 UTC, the same in every run.
_M.START = 1704067200


--- Makes the fakes of one test subject.
-- @tparam table options `now` (seconds since the epoch, or a function that answers them), `dns`
-- (name to a list of addresses, or to false for a name that cannot be resolved), `http` (`"METHOD
-- URL"` to `{status, body, headers}`, to false for a server that does not answer, or to a function
-- of the request; or one function for all requests)
-- @treturn Fakes `now`; `log`, whose messages go to `logged`; and `host`: the operations that rule
-- packs may be handed
function _M.new(options)
    local self = setmetatable({
        clock = options.now or _M.START,
        dns = options.dns or {},
        answers = options.http or {},
        unexpected = {}, lines = {}, logged = {},
    }, Fakes)
    self.log = function(message) table.insert(self.logged, message) end
    self.now = function() return self:time() end
    self.host = {
        sleep = function(_, seconds) self:advance(seconds) end,
        http = function(_, request) return self:request(request) end,
        resolve = function(_, name) return self:resolve(name) end,
        connect = function(_, where) return self:connect(where) end,
        work = function(_, source, ...) return assert(load(source, "work", "t"))(...) end,
        writer = function() return self:writer() end,
    }
    return self
end


--- What time it is.
-- @treturn number
function Fakes:time()
    return type(self.clock) == "function" and self.clock() or self.clock
end


--- Sets the clock.
-- @tparam number time seconds since the epoch
function Fakes:set_time(time)
    if type(time) ~= "number" then
        error(("the time is a %s: give seconds since the epoch"):format(type(time)), 3)
    end
    self.clock = time
end


--- Lets time pass.
-- @tparam number seconds
function Fakes:advance(seconds)
    self.clock = self:time() + seconds
end


local function refuse(self, message)
    table.insert(self.unexpected, message)
    error(message, 0)
end


-- Headers as a host gives them: lower-case name to a list of values.
local function headers_of(given)
    local headers = {}
    for name, value in pairs(given or {}) do
        headers[name:lower()] = type(value) == "table" and value or { tostring(value) }
    end
    return headers
end


function Fakes:request(request)
    local call = ("%s %s"):format(request.method or "GET", tostring(request.url))
    local answer = self.answers
    if type(answer) == "table" then
        answer = answer[call]
    end
    if type(answer) == "function" then
        local err
        answer, err = answer(request)
        if answer == nil and err then
            return nil, err
        end
    end
    if answer == nil then
        refuse(self, ("unexpected HTTP call `%s`: give its answer in `http`"):format(call))
    elseif answer == false then
        return nil, "connection refused"
    end
    return { status = answer.status or 200, headers = headers_of(answer.headers),
             body = answer.body or "" }
end


function Fakes:resolve(name)
    local addresses = self.dns[name]
    if addresses == nil then
        refuse(self, ("unexpected DNS query for `%s`: give its addresses in `dns`")
            :format(tostring(name)))
    elseif addresses == false then
        return nil, "no such name"
    end
    return addresses
end


-- Lines that a pack writes go to `lines`, whatever the file.
function Fakes:writer()
    return {
        write = function(_, line)
            table.insert(self.lines, line)
            return true
        end,
        reopen = function() return true end,
        close = function() end,
    }
end


function Fakes:connect(where)
    refuse(self, ("unexpected connection to `%s`: a test has no network")
        :format(where.path or ("%s:%s"):format(tostring(where.host), tostring(where.port))))
end


--- Takes note of the calls nobody foresaw since it was last asked.
-- @treturn string|nil the first of them
function Fakes:take_unexpected()
    local first = self.unexpected[1]
    self.unexpected = {}
    return first
end


return _M
