--- Reloading: an estate that follows its files.
--
-- The files an estate was read from are watched. When one changes, the whole is read, checked and
-- compiled anew beside the one in use, in slices, so that a loop goes on serving in between. Only
-- when that has succeeded the new one takes its place, at once; requests that have begun see the
-- old one to their end, and then it is closed. When anything is wrong, what was in use stays, and
-- the operator is told why.
--
-- Where several processes have to use one revision, only one of them watches. The others are told
-- from outside: with `watch = false` nothing is watched, `reload` is called when there is something
-- new, and `read` says from where it is read.
--
-- *Dependencies*: postern.estate
--
-- @module postern.reload
local estates = require("postern.estate")


local _M = {}
local Reload = {}
Reload.__index = Reload


local OPTIONS = { host = true, slice = true, debounce = true, poll = true, grace = true,
                  watch = true, read = true }

-- Seconds of work between two breaths. What cannot be divided comes on top.
local SLICE = 0.001

-- A generation whose requests were cancelled never counts down to none. After so many seconds no
-- request can be left: whatever they waited for has a limit far below.
local GRACE = 60


-- ---- Opening ---------------------------------------------------------------


-- Called between any two pieces of work: lets others run when the slice is used up.
local function breather(host, slice)
    local began = host:monotonic()
    return function()
        if host:monotonic() - began >= slice then
            host:sleep(0)
            began = host:monotonic()
        end
    end
end


-- Reads by the host, and notes every file that was asked for, those that are not there as well.
local function recorder(read, texts)
    return function(path)
        local text, err = read(path)
        texts[path] = text or false
        return text, err
    end
end


-- Every file, shipped packs too: an update of them counts like any other change.
local function paths_of(texts)
    local paths = {}
    for path in pairs(texts) do
        paths[#paths + 1] = path
    end
    table.sort(paths)
    return paths
end


local function open(self, previous)
    local host, texts = self.host, {}
    local pause = previous and breather(host, self.slice) or nil
    local estate, problems = estates.open(self.path, {
        read = recorder(self.read, texts), now = function() return host:now() end,
        log = function(message) host:log(message) end,
        host = host, pause = pause, previous = previous,
    })
    return estate, problems, texts, pause
end


-- ---- Generations -----------------------------------------------------------


local function close_when_done(self, generation)
    if generation.retired and not generation.closed and generation.busy == 0 then
        generation.closed = true
        generation.estate:close()
        self.closed = self.closed + 1
        for i, retired in ipairs(self.retired) do
            if retired == generation then
                table.remove(self.retired, i)
                break
            end
        end
    end
end


-- Ends what is left of retired generations when their time is over. One task for all of them: there
-- may be a reload every moment, and hosts have only so many tasks.
local function sweep(self)
    while self.retired[1] do
        local ends = self.retired[1].ends
        self.host:sleep(math.max(0, ends - self.host:monotonic()))
        while self.retired[1] and self.retired[1].ends <= ends do
            self.retired[1].busy = 0
            close_when_done(self, self.retired[1])
        end
    end
end


local function retire(self, generation)
    generation.retired = true
    close_when_done(self, generation)
    if generation.closed then
        return
    end
    generation.ends = self.host:monotonic() + self.grace
    self.retired[#self.retired + 1] = generation
    if not self.sweeping then
        self.sweeping = true
        self.host:spawn(function()
            self.host:ensure(function() self.sweeping = false end, sweep, self)
        end)
    end
end


local function tell_warnings(self, estate)
    for _, warning in ipairs(estate.warnings) do
        self.host:log(("warning: %s:%s: %s"):format(warning.file, warning.line or "?",
                                                    warning.message))
    end
end


-- ---- Watching --------------------------------------------------------------


-- One watch for good: with a new one in its place, a change that came after a file was read and
-- before the new one looked at it would never be told.
local function watch(self, texts)
    local paths = paths_of(texts)
    if self.watching then
        self.watching:follow(paths)
        return
    end
    self.watching = self.host:watch(paths, function()
        self:reload()
    end, { debounce = self.debounce, poll = self.poll })
end


-- A file may have changed after it was read and before anybody watched it.
local function changed_since(self, texts, watched, pause)
    for path, text in pairs(texts) do
        if not watched[path] and (self.read(path) or false) ~= text then
            return true
        end
        if pause then
            pause()
        end
    end
    return false
end


-- Watches what was read, and reads again what was not watched meanwhile.
local function follow(self, texts, pause)
    if not self.watches then
        return
    end
    local watched = self.watched or {}
    watch(self, texts)
    self.watched = {}
    for path in pairs(texts) do
        self.watched[path] = true
    end
    if changed_since(self, texts, watched, pause) then
        self.again = true
    end
end


-- ---- Public ----------------------------------------------------------------


--- Opens an estate and follows its files. Called within a task of the host, or where it blocks.
-- @tparam string path
-- @tparam table options `host`, see `postern.host.uv`; optionally, all in seconds, `slice` (of work
-- between two breaths, 0.001), `debounce` and `poll` (see `watch` of the host), and `grace` (after
-- which an old generation ends even if some of its requests never did, 60); `watch`, false when
-- somebody else says when to reload, and `read`, a `function(path)` in place of the host's reader
-- @treturn Reload|nil `estate` is the one in use; `loads`, `failures` and `closed` count
-- generations that were taken into use, were refused and have ended, `running` while one is read;
-- `on_outcome`, where somebody sets it, is called after each reload with `success`, `unchanged` or
-- `failure`
-- @treturn Problems every problem of the estate; nothing is watched then
function _M.new(path, options)
    for name in pairs(options) do
        if not OPTIONS[name] then
            error(("unknown option `%s`"):format(tostring(name)), 2)
        end
    end
    local self = setmetatable({
        path = path, host = options.host, slice = options.slice or SLICE,
        debounce = options.debounce, poll = options.poll, grace = options.grace or GRACE,
        watches = options.watch ~= false,
        read = options.read or function(name) return options.host:read(name) end,
        loads = 1, failures = 0, closed = 0, retired = {},
    }, Reload)
    local estate, problems, texts = open(self)
    if not estate then
        return nil, problems
    end
    self.estate = estate
    self.generation = { estate = estate, busy = 0 }
    tell_warnings(self, estate)
    follow(self, texts)
    if self.again then
        self.again = false
        self:reload()
    end
    return self
end


-- Takes a new generation into use, or tells why not.
local function try_reload(self)
    local old = self.generation
    if self.watching then
        self.watching:note() -- it is about to be read, whoever said so
    end
    local estate, problems, texts, pause = open(self, old.estate)
    if not self.ended then
        follow(self, texts, pause)
    end
    if self.ended then -- meanwhile: both may wait
        if estate then
            estate:close()
        end
        return false, "failure"
    elseif not estate then
        self.failures, self.problems = self.failures + 1, problems
        self.host:log(("%s: not reloaded, revision %s stays in use:\n%s")
            :format(self.path, old.estate.revision, tostring(problems)))
        return false, "failure"
    elseif estate.revision == old.estate.revision then
        estate:close()
        self.problems = nil
        return true, "unchanged"
    end
    self.estate, self.generation = estate, { estate = estate, busy = 0 }
    self.loads, self.problems = self.loads + 1, nil
    self.host:log(("%s: revision %s is in use"):format(self.path, estate.revision))
    tell_warnings(self, estate)
    retire(self, old)
    -- What was compiled has the old generation's tables built in: it would never be used again nor
    -- leave, and after some dozen reloads nothing more would be compiled.
    jit.flush()
    return true, "success"
end


local function reload_once(self)
    local called, ok, outcome = pcall(try_reload, self)
    if self.ended then
        return false
    elseif not called then
        self.failures = self.failures + 1
        self.host:log(("%s: not reloaded: %s"):format(self.path, tostring(ok)))
        ok, outcome = false, "failure"
    end
    if self.on_outcome then
        self.on_outcome(outcome)
    end
    return ok
end


local function reload_all(self)
    local ok
    repeat
        self.again = false
        ok = reload_once(self)
    until self.ended or not self.again
    return ok
end


--- Reads everything anew, now. One that is called while another runs makes that one run once more
-- and does not wait.
-- @treturn boolean whether what is in use is what the files say; nil when another was running
function Reload:reload()
    if self.running then
        self.again = true
        return nil
    end
    self.running = true
    local ok
    -- Also when the task is cancelled half way, which would else be the last reload; what was noted
    -- as known and was not read is found again by the watch.
    return self.host:ensure(function()
        self.running = false
        if ok == nil and self.watching then
            self.watching:forget()
        end
    end, function()
        ok = reload_all(self)
        return ok
    end)
end


local function finish(self, generation, decision)
    generation.busy = generation.busy - 1
    if generation.retired then
        close_when_done(self, generation)
    end
    return decision
end


--- Decides a request with the generation that is in use now; a reload meanwhile does not touch it.
-- @tparam table request as for `authorize` of `postern.estate`
-- @treturn Decision
function Reload:authorize(request)
    local generation = self.generation
    generation.busy = generation.busy + 1
    return finish(self, generation, generation.estate:authorize(request))
end


--- The same at once, where that can be done; see `decide_plain` of `postern.estate`. It may raise.
-- @tparam table call as there
-- @treturn Decision|nil nil: ask `authorize`
-- @treturn boolean|nil true where such calls cannot be decided at once
function Reload:decide_plain(call)
    local decision, never = self.generation.estate:decide_plain(call)
    return decision, never -- no tail call, see there
end


--- Ends watching, and the estate. Nobody may ask it any more; a reload that runs comes to nothing.
function Reload:close()
    self.ended = true
    if self.watching then
        self.watching:close()
        self.watching = nil
    end
    self.generation.closed = true
    self.generation.estate:close()
end


return _M
