--- One worker's estate, and how all workers come to have the same one.
--
-- One of the workers, the one with the lease, looks at the files. When they have changed it opens
-- them beside what is in use, and only when that has succeeded it says on the board which revision
-- is wanted, with the bytes it read. The others open those bytes. So no worker ever uses what
-- another would not, and one that starts anew, after the files were broken perhaps, finds what the
-- others use. A worker with the lease that dies loses it soon after.
--
-- *Dependencies*: postern.watch, postern.reload, postern.host.uv_file (for looking at files)
--
-- @module postern.resty.follower
local watch = require("postern.watch")
local reloads = require("postern.reload")


local _M = {}
local Follower = {}
Follower.__index = Follower


-- The lease outlasts so many looks, and a moment at least: a worker may be busy.
local LEASE_LOOKS, LEASE_LEAST = 4, 0.5

-- A worker that has not been heard of for so long is not listed.
local FORGET = 60


--- Makes the follower of a worker.
-- @tparam table parts `path`, `host`, `board`, `options` (see `postern.resty.options`), `reports`,
-- `metrics`, `tally` (see `postern.resty.tally`), `pid` and `id`
-- @treturn Follower `reload` is nil while there is no estate
function _M.new(parts)
    local fs = require("postern.host.uv_file").sync
    return setmetatable({
        path = parts.path, host = parts.host, board = parts.board, options = parts.options,
        reports = parts.reports, metrics = parts.metrics, tally = parts.tally,
        pid = parts.pid, id = parts.id, fs = fs, known = {}, read_texts = {}, failures = 0,
        looked = -math.huge, tried = -math.huge,
    }, Follower)
end


-- ---- Reading ----------------------------------------------------------------------


-- A worker often may not read what the master could, as keys of certificates. Then what the master
-- read stays, and that is told.
local function is_forbidden(err)
    return type(err) == "string" and err:find("permission denied", 1, true) ~= nil
end


local function read_file(self, path)
    local text, err = self.host:read(path)
    local kept = self.used and self.used[path]
    if not text and kept and is_forbidden(err) then
        self.reports:tell("unreadable", ("%s: the workers may not read it, so a change is only "
            .. "seen when nginx is told to reload"):format(path))
        return kept
    end
    return text, err
end


-- Reads from the board where it has the bytes, else the files; notes what was read.
local function reader(self)
    return function(path)
        local text, err
        if self.source then
            text = self.source[path] or nil
            err = "no such file or directory: check the path"
        else
            text, err = read_file(self, path)
        end
        self.read_texts[path] = text or false
        return text, err
    end
end


-- Opens what the source says, beside what is in use. Whether that is in use now; and why not.
local function open(self, source)
    self.source, self.read_texts = source, {}
    local ok, err
    if self.reload then
        ok = self.reload:reload()
        err = self.reload.problems
    else
        local called, made, problems = pcall(reloads.new, self.path, {
            host = self.host, watch = false, read = reader(self),
        })
        ok, err = called and made, called and problems or made
        self.reload = ok or nil
    end
    self.source = nil
    if not ok then
        self.failures = self.failures + 1
        return false, tostring(err or "it was not read to the end")
    end
    self.used = self.read_texts
    return true
end


-- ---- Following --------------------------------------------------------------------


--- The revision in use.
-- @treturn string|nil
function Follower:revision()
    return self.reload and self.reload.estate.revision
end


-- Takes what the board wants. What did not work is tried again after a while, not at once.
local function follow(self)
    local wanted = self.board:wanted()
    if not wanted or wanted == self:revision() then
        return
    elseif self.failed == wanted and self.host:monotonic() - self.tried < self.options.poll then
        return
    end
    self.tried = self.host:monotonic()
    local texts = self.board:texts(wanted)
    local ok, err = open(self, texts)
    if ok and self:revision() ~= wanted then
        ok, err = false, texts and "its bytes give another revision"
            or "the files are of another revision"
    end
    self.failed = not ok and wanted or nil
    if not ok then
        self.reports:tell("follow", ("%s: revision %s is wanted, but this worker cannot use it: %s")
            :format(self.path, wanted, err))
    end
end


-- ---- Watching ---------------------------------------------------------------------


local function publish(self)
    local ok, err = self.board:publish(self:revision(), self.used)
    if not ok then
        self.reports:tell("board", ("%s: %s: make `lua_shared_dict %s` larger; until then each "
            .. "worker reads the files by itself"):format(self.path, err, self.options.dict))
    end
end


-- Whether the files say something else than what was read last.
local function differ(self)
    for path, text in pairs(self.seen or {}) do
        if (read_file(self, path) or false) ~= text then
            return true
        end
    end
    return self.seen == nil
end


local function paths_of(texts)
    local list = {}
    for path in pairs(texts or {}) do
        list[#list + 1] = path
    end
    table.sort(list)
    return list
end


local function count_reload(self, outcome)
    self.metrics:count("postern_policy_reload_total", { outcome = outcome })
    if outcome ~= "failure" then
        self.metrics:set("postern_policy_last_success_timestamp_seconds", nil, self.host:now())
    end
end


-- Reads the files, and has all use them if that is possible.
local function take(self)
    local before = self:revision()
    local ok, err = open(self, nil)
    self.seen = self.read_texts
    count_reload(self, not ok and "failure" or self:revision() == before and "unchanged"
        or "success")
    if ok then
        self.board:problem(nil)
        publish(self)
    else
        self.board:problem(err, self.host:now())
        if not self.reload then -- which tells it by itself
            self.reports:tell("open", ("%s: cannot be opened: %s"):format(self.path, err))
        end
    end
end


-- Looks at the files, when it is time to.
local function look(self)
    local now = self.host:monotonic()
    if now - self.looked < self.options.poll then
        return
    end
    self.looked = now
    local paths = paths_of(self.seen)
    local changed = #watch.changed(self.fs, paths, self.known) > 0
    -- Without an estate it is tried again each time: what it lacks may be no file.
    if not self.reload or changed and differ(self) or #paths == 0 then
        take(self)
        watch.changed(self.fs, paths_of(self.seen), self.known)
        -- What was written while it was read is found by the next look.
        if differ(self) then
            self.known, self.looked = {}, -math.huge
        end
    elseif changed and self.seen == self.used then
        self.board:problem(nil)
    end
end


-- ---- Running ----------------------------------------------------------------------


local function lease(self)
    local holds = self.board:lease(self.pid .. "", math.max(LEASE_LEAST,
        LEASE_LOOKS * math.max(self.options.poll, self.options.follow)))
    if holds and not self.holds then
        -- What was read last may have changed since: everything is looked at.
        self.known, self.seen, self.looked = {}, self.used, -math.huge
    end
    self.holds = holds
    return holds
end


--- Says on the board what this worker is at, and what it has counted.
function Follower:tell()
    local revision = self:revision()
    if revision and revision ~= self.told then
        self.told = revision
        self.metrics:set("postern_policy_revision_info", { source = "estate" }, revision)
    end
    if self.tally then
        self.tally:flush()
    end
    self.metrics:flush()
    self.board:worker(self.id, {
        pid = self.pid, revision = self:revision() or "",
        loads = self.reload and self.reload.loads or 0, failures = self.failures,
    }, FORGET)
    if not self.board:flush() then
        self.reports:tell("full", ("the shared dictionary `%s` is full: counters of this worker "
            .. "wait for room"):format(self.options.dict))
    end
end


local function step(self)
    follow(self)
    if lease(self) then
        look(self)
    end
    self:tell()
end


--- One turn: follows, watches where this worker has to, and tells. To be called now and then, in a
-- timer; a call while one is at work does nothing.
function Follower:turn()
    if self.busy then
        return
    end
    self.busy = true
    local ok, err = pcall(step, self)
    self.busy, self.turned = false, true
    if not ok then
        self.reports:tell("turn", ("following %s: %s"):format(self.path, tostring(err)))
    end
end


--- Opens the estate for the first time, where nothing may wait: what the master read, if it could.
-- Else, or where a pack has to wait while it starts, the first turn does it.
function Follower:start()
    local wanted = self.board:wanted()
    if wanted then
        open(self, self.board:texts(wanted))
    end
end


--- Decides a request.
-- @tparam table request
-- @treturn Decision
function Follower:authorize(request)
    return self.reload:authorize(request)
end


return _M
