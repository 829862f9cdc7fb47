--- The store of an estate: policies that are put while it is in use, kept durably in a folder.
--
-- The life cycle is AWS's. The policy of an endpoint acts at once. That of an API is staged, with
-- its short forms written out, and acts when it is deployed; a private API is not deployed without
-- one. Everything that is to act is tried first: a whole new generation of the estate has to open
-- with it. Then it is written, and only what is on the disk is taken into use and answered.
--
-- A crash, at whatever step: the list says what is held, the record of each says all about it, and
-- both are replaced in one step (`postern.store.durable`). A policy is on the disk before the
-- record that names it, a first record before the list that names it; no policy is touched
-- afterwards. So who reads finds what was before or what comes after. What a writer left that got
-- no further is removed by `open`, and nobody has read it.
--
-- Writers exclude each other by a lock of the system, which ends with the process. Readers need
-- none.
--
-- Rules: API Gateway Developer Guide, "Create and attach an API Gateway resource policy to an API";
-- AWS PrivateLink Guide, "Control access to VPC endpoints using endpoint policies". That a rollback
-- acts at once, as the choice of an earlier deployment does, is ours.
--
-- *Dependencies*: postern.store.record, postern.store.held, postern.store.failure,
-- postern.store.view, postern.store.short_form, postern.store.durable, postern.store.trial,
-- postern.store.sweep
--
-- @module postern.store
local records = require("postern.store.record")
local held = require("postern.store.held")
local failures = require("postern.store.failure")
local views = require("postern.store.view")
local short_form = require("postern.store.short_form")
local durable = require("postern.store.durable")
local trials = require("postern.store.trial")
local sweep = require("postern.store.sweep")

local fail, damaged = failures.fail, failures.damaged


local _M = {}
local Store = {}
Store.__index = Store


local OPTIONS = { host = true, files = true, reload = true, keep = true, wait = true }

-- Revisions of the history that are kept, and the fewest of them: a reader that has begun with one
-- record must find its policy, whoever writes meanwhile.
local KEEP, LEAST_KEPT = 50, 10

-- Seconds to wait for another writer. The longest part of its work is opening the estate.
local WAIT = 30

-- Seconds between two looks whether a reload that others have begun is done.
local LOOK = 0.005

-- Bytes that are looked at at all; every policy's own limit is far below.
local LARGEST = 1024 * 1024

local LONGEST_WHO = 200

local LOCK = ".lock"


-- ---- Writing ---------------------------------------------------------------


-- `last`: the file that makes the change. When that has its name but nobody knows for how long, the
-- change may be there or not.
local function write(self, name, text, last)
    local ok, err, perhaps = durable.replace(self.files, self.folder, name, text)
    if ok then
        return true
    end
    local _, failure = fail("StorageFailed", "%s", err)
    failure.unsure = last and perhaps or nil
    return nil, failure
end


-- What nobody names any more goes, when it is certain that nobody does. A file that stays because
-- this fails does no harm: `open` tries again.
local function remove_unnamed(self, before, after)
    local named = records.policies_of(after)
    for name in pairs(before and records.policies_of(before) or {}) do
        if not named[name] then
            self.files:remove(self.folder .. "/" .. name)
        end
    end
end


local function commit(self, keys, change)
    local key, record = change.key, change.record
    local ok, err = true, nil
    if change.submitted then
        ok, err = write(self, records.policy_file(key, record.revision, true), change.submitted)
    end
    if ok and change.text then
        ok, err = write(self, records.policy_file(key, record.revision), change.text)
    end
    if ok then
        ok, err = write(self, records.file_of(key), records.encode(record), not change.first)
    end
    if ok and change.first then
        ok, err = write(self, records.LIST, records.encode_list(keys), true)
    end
    if not ok then
        return nil, err
    end
    remove_unnamed(self, change.before, record)
    return true
end


-- ---- Changing --------------------------------------------------------------


local function matches(if_match, revision, is_held)
    if if_match == "*" then
        return is_held
    elseif type(if_match) == "table" then
        for _, one in ipairs(if_match) do
            if one == revision then
                return true
            end
        end
        return false
    end
    return if_match == revision
end


local function check_precondition(record, options)
    local revision = record and record.revision or 0
    if options.if_match == nil then
        if record and options.if_none_match then
            return fail("PreconditionFailed", "there is something already: revision %d", revision)
        elseif record then
            return fail("PreconditionRequired", "say by If-Match which revision you change; it is "
                .. "revision %d", revision)
        end
        return true
    elseif options.if_none_match then
        return fail("InvalidParameter", "give If-Match or If-None-Match")
    elseif not matches(options.if_match, revision, record ~= nil) then
        return fail("PreconditionFailed", "it is revision %d", revision)
    end
    return true
end


local function copy(from)
    local to = {}
    for name, value in pairs(from) do
        to[name] = value
    end
    return to
end


-- The next record, still with nothing changed but its revision.
local function next_record(kind, id, before)
    local record = before and copy(before) or {
        kind = kind, id = id, revision = 0, history = {},
        active = kind == "api" and { source = "file", revision = 0 }
            or { source = "default", revision = 0 },
    }
    record.revision = record.revision + 1
    record.history = copy(record.history)
    return record
end


-- Puts the entry of the change behind the others; the oldest go.
local function note(self, change, entry, options)
    local record = change.record
    entry.revision = record.revision
    entry.at = math.floor(self.host.now())
    -- What comes from a certificate or a file of tokens may hold anything.
    entry.who = (options.who or "unknown"):gsub("[^%w%p ]", "?"):sub(1, LONGEST_WHO)
    entry.acts = change.acts
    table.insert(record.history, entry)
    while #record.history > self.keep do
        table.remove(record.history, 1)
    end
end


local function state_by(entry)
    return { source = entry.source, policy = entry.policy, revision = entry.revision }
end


-- A change that is made under the lock. `make(change, entry)` fills the entry of the history, or
-- answers nil and why not.
local function change_locked(self, kind, id, key, options, make)
    local keys, before = views.load(self, key)
    if not keys then
        return nil, before
    end
    local ok, err = check_precondition(before, options)
    if not ok then
        return nil, err
    end
    local change = {
        key = key, before = before, record = next_record(kind, id, before), acts = kind ~= "api",
    }
    local entry = {}
    ok, err = make(change, entry)
    if not ok then
        return nil, err
    end
    note(self, change, entry, options)
    local record = change.record
    local state = state_by(entry)
    if change.acts then
        record.active, change.trial = state, record
        if entry.operation == "deploy" then
            record.staged = nil
        end
    else
        record.staged = state
        change.trial = copy(record)
        change.trial.active = state
    end
    local warnings
    warnings, err = trials.run(self, keys, change)
    if not warnings then
        return nil, err
    end
    ok, err = commit(self, keys, change)
    if not ok then
        return nil, err
    end
    return record, warnings
end


-- Runs a function while nobody else may write, and to its end. The lock is given back by who has
-- done what he wanted, never because somebody lost interest.
local function locked(self, fn, ...)
    local lock, err = self.files:lock(self.folder .. "/" .. LOCK, self.wait)
    if not lock then
        return fail("StoreBusy", "%s: %s", self.folder, err)
    end
    return self.files:apart(function(...)
        local called, result, more = pcall(fn, ...)
        lock:release()
        if not called then
            error(result, 0)
        end
        return result, more
    end, ...)
end


-- Until the estate in use is one that has read the change.
local function take_into_use(self, key, revision)
    local reload = self.reload
    repeat
        local done = reload:reload()
        while done == nil and reload.running do
            self.host:sleep(LOOK)
        end
        local store = reload.estate.store
        if store and (store.revisions[key] or 0) >= revision then
            return true
        end
    until done ~= nil
    return false
end


local function check_options(options)
    for name in pairs(options) do
        if name ~= "if_match" and name ~= "if_none_match" and name ~= "who" then
            error(("unknown option `%s`"):format(tostring(name)), 4)
        end
    end
end


local function change(self, kind, id, options, make)
    options = options or {}
    check_options(options)
    local object, key = views.find(self, kind, id)
    if not object then
        return nil, key
    end
    local record, warnings = locked(self, change_locked, self, kind, id, key, options, make)
    if not record then
        return nil, warnings
    end
    local result = views.shown(kind, id, object, record)
    result.warnings = warnings
    if not take_into_use(self, key, record.revision) then
        local _, failure = fail("NotInUse", "revision %d is kept but not in use: %s",
            record.revision, tostring(self.reload.problems))
        failure.revision = record.revision
        return nil, failure
    end
    result.estate_revision = self.reload.estate.revision
    return result
end


--- Puts a policy: of an endpoint it acts at once, of an API it is staged.
-- @tparam string kind
-- @tparam string id
-- @tparam string text
-- @tparam[opt] table options `if_match`: the revision that is changed, a list of them, or `*` for
-- any (required when the store holds something); `if_none_match = true`: only if it holds nothing;
-- `who`: for the history
-- @treturn table|nil as `get`, and `warnings` (`{message, line, column}`) and `estate_revision`: it
-- is on the disk and in use in this process
-- @treturn table why not: `{code, message, line, column, file}`. Nothing has changed, but for the
-- codes `NotInUse` (it is on the disk, as `revision`) and, when `unsure`, `StorageFailed`
function Store:put(kind, id, text, options)
    if type(text) ~= "string" then
        error("`text`: give the text of a policy", 2)
    elseif #text > LARGEST then
        return fail("InvalidPolicyDocument.Size", "%d bytes: no policy may be that long", #text)
    end
    return change(self, kind, id, options, function(job, entry)
        job.text = text
        if kind == "api" then
            job.text = short_form.written_out(text, self.reload.estate.apis[id].arn)
        end
        job.submitted = job.text ~= text and text or nil
        job.path = self.folder .. "/" .. records.policy_file(job.key, job.record.revision)
        entry.operation, entry.source = "put", "policy"
        entry.policy = {
            revision = job.record.revision, sha256 = records.hash(job.text),
            submitted = job.submitted and records.hash(job.submitted),
        }
        return true
    end)
end


--- Takes the policy away: an endpoint has the default policy again, at once; of an API it is staged
-- that it has none.
-- @tparam string kind
-- @tparam string id
-- @tparam[opt] table options as for `put`
-- @treturn table|nil as `put`
-- @treturn table why not
function Store:delete(kind, id, options)
    return change(self, kind, id, options, function(_, entry)
        entry.operation = kind == "api" and "delete" or "reset"
        entry.source = kind == "api" and "none" or "default"
        return true
    end)
end


--- The same, as endpoints call it.
Store.reset = Store.delete


--- Deploys an API: what is staged acts.
-- @tparam string kind `api`; an endpoint has nothing to deploy
-- @tparam string id
-- @tparam[opt] table options as for `put`
-- @treturn table|nil as `put`
-- @treturn table why not
function Store:deploy(kind, id, options)
    return change(self, kind, id, options, function(job, entry)
        local staged = job.record.staged
        local api = kind == "api" and self.reload.estate.apis[id]
        if not staged and api and api.endpoint_type == "PRIVATE" and not api.policy then
            return fail("PrivateApiWithoutPolicy",
                "a private API cannot be deployed without a policy")
        elseif not staged then
            return fail("NothingStaged", kind == "api" and "nothing is staged"
                or "the policy of an endpoint acts at once: there is nothing to deploy")
        end
        job.acts = true
        entry.operation, entry.source, entry.policy = "deploy", staged.source, staged.policy
        return true
    end)
end


--- Goes back to what acted from an earlier revision on; it acts at once. What is staged stays so.
-- @tparam string kind
-- @tparam string id
-- @tparam number revision
-- @tparam[opt] table options as for `put`
-- @treturn table|nil as `put`
-- @treturn table why not
function Store:rollback(kind, id, revision, options)
    return change(self, kind, id, options, function(job, entry)
        local found = views.entry_of(job.before, revision)
        if not found then
            return fail("NoSuchRevision", "there is no revision %s in the history",
                tostring(revision))
        elseif not found.acts then
            return fail("NeverActive", "revision %d never acted: put and deploy it", revision)
        elseif found.policy then
            local text, err, path = held.policy(self.folder, job.key, found.policy,
                views.reader(self))
            if not text then
                return damaged(err, path)
            end
            job.path = path
        end
        job.acts = true
        entry.operation, entry.source, entry.policy = "rollback", found.source, found.policy
        entry.of = revision
        return true
    end)
end


-- ---- Looking ---------------------------------------------------------------


--- Looking into it: `get(kind, id)`, `list(kind)`, `text(kind, id, which)` and `history(kind, id)`;
-- see `postern.store.view`.
Store.get, Store.list, Store.text, Store.history = views.get, views.list, views.text, views.history


-- ---- Opening ---------------------------------------------------------------


--- Makes an empty store. One that is there stays as it is.
-- @tparam string folder made when it is not there
-- @tparam table files see `postern.host.uv_disk`
-- @treturn true|nil
-- @treturn table why not
function _M.create(folder, files)
    local ok, err = files:make_folder(folder)
    if not ok then
        return fail("StorageFailed", "%s: %s", folder, err)
    end
    local _, _, absent = files:read(folder .. "/" .. records.LIST)
    if not absent then
        return true
    end
    local names
    names, err = files:list(folder)
    for _, name in ipairs(names or {}) do
        if records.parts_of_file(name) then
            return damaged("it is not there, but what it listed is",
                folder .. "/" .. records.LIST)
        end
    end
    if names then
        ok, err = durable.replace(files, folder, records.LIST, records.encode_list({}))
    end
    if not names or not ok then
        return fail("StorageFailed", "%s", err)
    end
    local above = folder:match("^(.*)/[^/]+$") or "."
    ok, err = files:sync_folder(above == "" and "/" or above)
    if not ok then
        return fail("StorageFailed", "%s: %s", above, err)
    end
    return true
end


--- Opens the store of an estate for changes: checks all it holds, and removes what writers left
-- that were ended in their work. Called, as all that follows, within a task of the host.
-- @tparam table options `reload` (a `postern.reload`), `host` (of it), `files` (see
-- `postern.host.uv_disk`); optionally `keep` (revisions of each history, 50, at least 10) and
-- `wait` (seconds for other writers, 30)
-- @treturn Store|nil
-- @treturn table why not: `{code, message}`; the message names the file
function _M.open(options)
    for name in pairs(options) do
        if not OPTIONS[name] then
            error(("unknown option `%s`"):format(tostring(name)), 2)
        end
    end
    local self = setmetatable({
        reload = options.reload, host = options.host, files = options.files,
        keep = math.max(options.keep or KEEP, LEAST_KEPT), wait = options.wait or WAIT,
    }, Store)
    if not self.reload.estate.store then
        return fail("NoStore", "%s has no store: add the word `store \"policies\"`",
            self.reload.path)
    end
    self.folder = self.reload.estate.store.folder
    local ok, failure = locked(self, sweep.run, self)
    if not ok then
        return nil, failure
    end
    return self
end


return _M
