--- Going over a store before it is used: what is damaged is told, what is left over is removed.
--
-- Left over is what a writer made that was ended before its change was complete: unfinished files,
-- policies that no record names, a first record that the list does not have. Nobody has read them.
--
-- *Dependencies*: postern.store.record, postern.store.held, postern.store.failure
--
-- @module postern.store.sweep
local records = require("postern.store.record")
local held = require("postern.store.held")
local failures = require("postern.store.failure")

local fail, damaged = failures.fail, failures.damaged


local _M = {}


local function reader(self)
    return function(path)
        return self.files:read(path)
    end
end


-- What acts or is staged has to be there and be what was written, as it acts and as submitted.
local function check_state(self, key, state)
    local policy = state and state.policy
    for _, submitted in ipairs(policy and { false, policy.submitted and true } or {}) do
        local text, err, path = held.policy(self.folder, key, policy, reader(self), submitted)
        if not text then
            return damaged(err, path)
        end
    end
    return true
end


local function check_record(self, record)
    local key = records.key(record.kind, record.id)
    local ok, err = check_state(self, key, record.active)
    if ok then
        ok, err = check_state(self, key, record.staged)
    end
    return ok, err
end


-- A record that the list lacks is that of a first put which got no further; another one was listed
-- once, so it is the list that lost something.
local function check_unlisted(self, key)
    local record, err, path = held.record(self.folder, key, reader(self))
    if record and record.revision > 1 then
        return damaged(("it is not in `%s`, which it was once"):format(records.LIST), path)
    elseif not record and select(3, self.files:read(path)) ~= true then
        return damaged(err, path)
    end
    return true
end


-- What a file of the folder is for: nil for what has nothing to do with the store.
local function is_leftover(name, by_key)
    if name:sub(1, #records.UNFINISHED) == records.UNFINISHED then
        return true
    end
    local key, revision = records.parts_of_file(name)
    local record = key and by_key[key]
    if not key then
        return false
    elseif not record then
        return true
    end
    return revision ~= nil and not records.policies_of(record)[name]
end


local function sweep(self, by_key)
    local names, err = self.files:list(self.folder)
    if not names then
        return fail("StoreDamaged", "%s: %s", self.folder, err)
    end
    for _, name in ipairs(names) do
        local key, revision = records.parts_of_file(name)
        if key and not by_key[key] then
            local ok, failure = check_unlisted(self, key)
            if not ok then
                return nil, failure
            elseif (revision or 1) > 1 then
                return damaged("its record is not there", self.folder .. "/" .. name)
            end
        end
    end
    for _, name in ipairs(names) do
        if is_leftover(name, by_key) then
            self.files:remove(self.folder .. "/" .. name)
        end
    end
    return true
end


--- Checks everything that acts or may be made to act by one step, and removes leftovers. Nobody may
-- write meanwhile.
-- @tparam table self `folder` and `files`
-- @treturn true|nil
-- @treturn Failure the first file that is not what was written
function _M.run(self)
    local keys, err, path = held.keys(self.folder, reader(self))
    if not keys then
        return damaged(err, path)
    end
    local by_key = {}
    for _, key in ipairs(keys) do
        by_key[key], err, path = held.record(self.folder, key, reader(self))
        if not by_key[key] then
            return damaged(err, path)
        end
        local ok, failure = check_record(self, by_key[key])
        if not ok then
            return nil, failure
        end
    end
    return sweep(self, by_key)
end


return _M
