--- Looking into a store: what it holds, as it is shown.
--
-- Nobody has to wait for this: what is read is replaced in one step and never changed.
--
-- *Dependencies*: postern.apis, postern.endpoint_policy, postern.store.record,
-- postern.store.held, postern.store.failure
--
-- @module postern.store.view
local apis = require("postern.apis")
local endpoint_policies = require("postern.endpoint_policy")
local records = require("postern.store.record")
local held = require("postern.store.held")
local failures = require("postern.store.failure")

local fail, damaged = failures.fail, failures.damaged


local _M = {}


local UNKNOWN = { api = "NoSuchApi", endpoint = "NoSuchEndpoint" }

-- Where the estate has those of a kind.
local PLACES = { api = "apis", endpoint = "endpoints" }


--- The reader of a store's files.
-- @tparam table self with `files`
-- @treturn function
function _M.reader(self)
    return function(path)
        return self.files:read(path)
    end
end


--- The list, and the record of a key.
-- @tparam table self with `folder` and `files`
-- @tparam string key
-- @treturn {string,...}|nil the keys of the list
-- @treturn table|nil|Failure the record, nil when nothing is held; or why not
function _M.load(self, key)
    local keys, err, path = held.keys(self.folder, _M.reader(self))
    if not keys then
        return damaged(err, path)
    elseif not records.lists(keys, key) then
        return keys, nil
    end
    local record
    record, err, path = held.record(self.folder, key, _M.reader(self))
    if not record then
        return damaged(err, path)
    end
    return keys, record
end


--- What the estate in use has by an id, and the key in the store.
-- @tparam table self with `reload`
-- @tparam string kind raises, for the caller of the caller, when there is no such kind
-- @tparam string id
-- @treturn API|Endpoint|nil
-- @treturn string|Failure the key; or why not
function _M.find(self, kind, id)
    if not PLACES[kind] then
        error(("unknown kind `%s`: there are `api` and `endpoint`"):format(tostring(kind)), 3)
    end
    local found = type(id) == "string" and self.reload.estate[PLACES[kind]][id]
    if not found then
        return fail(UNKNOWN[kind], "there is no %s `%s`", kind, tostring(id))
    elseif not records.can_hold(kind, id) then
        return fail("InvalidId", "%s `%s`: a store takes ids of letters, digits, `-` and `_`", kind,
            id)
    end
    return found, records.key(kind, id)
end


local function shown_state(state)
    return state and {
        source = state.source, revision = state.revision,
        policy_revision = state.policy and state.policy.revision,
    }
end


-- What stands in the estate's file alone.
local function source_of(kind, object)
    local set = object.policy
    if not set or set.origins[1].text == endpoint_policies.DEFAULT then
        return kind == "endpoint" and "default" or "none"
    end
    return "file"
end


--- What is shown of an API or endpoint.
-- @tparam string kind
-- @tparam string id
-- @tparam API|Endpoint object of the estate
-- @tparam table|nil record
-- @treturn table see `get`
function _M.shown(kind, id, object, record)
    if not record then
        return {
            kind = kind, id = id, revision = 0,
            active = { source = source_of(kind, object), revision = 0 },
        }
    end
    return {
        kind = kind, id = id, revision = record.revision,
        active = shown_state(record.active), staged = shown_state(record.staged),
    }
end


--- What the store holds for one API or endpoint.
-- @tparam string kind `api` or `endpoint`
-- @tparam string id
-- @treturn table|nil `kind`, `id`, `revision` (0 when it holds nothing), `active` and `staged` (nil
-- when nothing is), each `{source, revision, policy_revision}`: `source` is `policy` (of the store,
-- put in `policy_revision`), `file` (the estate file's), `none` (an API without) or `default`
-- @treturn table why not: `{code, message}`
function _M.get(self, kind, id)
    local object, key = _M.find(self, kind, id)
    if not object then
        return nil, key
    end
    local keys, record = _M.load(self, key)
    if not keys then
        return nil, record
    end
    return _M.shown(kind, id, object, record)
end


-- The records of all that are held, by key.
local function load_all(self)
    local keys, err, path = held.keys(self.folder, _M.reader(self))
    if not keys then
        return damaged(err, path)
    end
    local found = {}
    for _, key in ipairs(keys) do
        found[key], err, path = held.record(self.folder, key, _M.reader(self))
        if not found[key] then
            return damaged(err, path)
        end
    end
    return found
end


--- All of one kind that the estate has.
-- @tparam table self the store
-- @tparam string kind
-- @treturn {table,...}|nil as `get` answers each, in the order of their ids
-- @treturn Failure why not
function _M.list(self, kind)
    local all, err = load_all(self)
    if not all then
        return nil, err
    end
    local objects, found = self.reload.estate[PLACES[kind]], {}
    for i, id in ipairs(apis.ids(objects)) do
        found[i] = _M.shown(kind, id, objects[id], all[records.key(kind, id)])
    end
    return found
end


--- The entry of a revision in the history.
-- @tparam table|nil record
-- @tparam number revision
-- @treturn table|nil
function _M.entry_of(record, revision)
    for _, entry in ipairs(record and record.history or {}) do
        if entry.revision == revision then
            return entry
        end
    end
    return nil
end


-- The state that `which` asks for, or nil and why there is none.
local function state_of(record, which)
    local state
    if which.revision then
        state = _M.entry_of(record, which.revision)
        if not state then
            return fail("NoSuchRevision", "there is no revision %s in the history",
                tostring(which.revision))
        end
        return state
    end
    state = record and (which.staged and record.staged or not which.staged and record.active)
    if which.staged and not state then
        return fail("NoPolicy", "nothing is staged")
    end
    return state or { source = "file" }
end


--- The text of a policy.
-- @tparam string kind
-- @tparam string id
-- @tparam[opt] table which `staged` (instead of the active one), `revision` (of the history),
-- `submitted` (as it was submitted, before short forms were written out)
-- @treturn string|nil
-- @treturn table|number why not, or the revision of the record that was read
function _M.text(self, kind, id, which)
    which = which or {}
    local object, key = _M.find(self, kind, id)
    if not object then
        return nil, key
    end
    local keys, record = _M.load(self, key)
    if not keys then
        return nil, record
    end
    local state, err = state_of(record, which)
    if not state then
        return nil, err
    end
    local revision = record and record.revision or 0
    if state.source == "policy" then
        local text, why, path = held.policy(self.folder, key, state.policy, _M.reader(self),
            which.submitted)
        if not text then
            return damaged(why, path)
        end
        return text, revision
    elseif state.source == "default" then
        return endpoint_policies.DEFAULT, revision
    elseif state.source == "file" and object.policy then
        return object.policy.origins[1].text, revision
    end
    return fail("NoPolicy", "%s `%s` has no policy", kind, id)
end


--- What became of the policy of an API or endpoint.
-- @tparam string kind
-- @tparam string id
-- @treturn {table,...}|nil newest first: `revision`, `operation`, `at` (seconds since 1970), `who`,
-- `source`, `policy_revision`, `acts` (whether it acted from then on), `of` (of a rollback, the
-- revision that it went back to)
-- @treturn table why not
function _M.history(self, kind, id)
    local object, key = _M.find(self, kind, id)
    if not object then
        return nil, key
    end
    local keys, record = _M.load(self, key)
    if not keys then
        return nil, record
    end
    local found = {}
    for _, entry in ipairs(record and record.history or {}) do
        table.insert(found, 1, {
            revision = entry.revision, operation = entry.operation, at = entry.at, who = entry.who,
            source = entry.source, policy_revision = entry.policy and entry.policy.revision,
            acts = entry.acts, of = entry.of,
        })
    end
    return found
end


return _M
