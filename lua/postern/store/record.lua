--- The record of what a store holds for one API or endpoint, as a file has it, and the list of all.
--
-- In a store's folder are:
--
--     store.json                  the list: what the store holds anything for
--     api.ID.json                 one record: revision, what is active, what is staged, the history
--     api.ID.7.json               the policy of revision 7, as it acts; never changed
--     api.ID.7.submitted.json     the same as it was submitted, where that is another text
--
-- `endpoint` likewise. A record and the list begin with a checksum of all that follows it, and a
-- record has the hashes of the policies it names. So what was written in part, went bad or was
-- changed by hand is not taken for something else.
--
-- *Dependencies*: postern.crypto, postern.document, postern.json
--
-- @module postern.store.record
local crypto = require("postern.crypto")
local document = require("postern.document")
local json = require("postern.json")


local _M = {}


--- The name of the list of all.
_M.LIST = "store.json"

--- What the names of files begin with that are not complete.
_M.UNFINISHED = ".new-"

local FORMAT = 1

-- Ids become parts of file names. AWS's have letters, digits and hyphens.
local ID, LONGEST_ID = "^%w[%w_-]*$", 128

local KINDS = { api = true, endpoint = true }

local OPERATIONS = { put = true, delete = true, reset = true, deploy = true, rollback = true }

-- What may stand in place of a policy. `file`: the estate file's counts, until the first deploy.
local SOURCES = {
    api = { policy = true, none = true, file = true },
    endpoint = { policy = true, default = true },
}


-- ---- Names -----------------------------------------------------------------


--- Whether a store can hold anything for an id.
-- @tparam string kind `api` or `endpoint`
-- @tparam string id
-- @treturn boolean
function _M.can_hold(kind, id)
    return KINDS[kind] ~= nil and type(id) == "string" and #id <= LONGEST_ID
        and id:match(ID) ~= nil
end


--- How the list calls what a store holds something for: `api.ID`.
-- @tparam string kind
-- @tparam string id
-- @treturn string
function _M.key(kind, id)
    return kind .. "." .. id
end


--- The kind and id behind a key.
-- @tparam string key
-- @treturn string|nil nil when it is none
-- @treturn string
function _M.parts_of_key(key)
    local kind, id = key:match("^(%l+)%.(.*)$")
    if kind and _M.can_hold(kind, id) then
        return kind, id
    end
    return nil
end


--- The name of a record's file.
-- @tparam string key
-- @treturn string
function _M.file_of(key)
    return key .. ".json"
end


--- The name of a policy's file.
-- @tparam string key
-- @tparam number revision in which it was put
-- @tparam[opt] boolean submitted as it was submitted
-- @treturn string
function _M.policy_file(key, revision, submitted)
    return ("%s.%d%s.json"):format(key, revision, submitted and ".submitted" or "")
end


--- What a file's name says: the key, and of a policy the revision.
-- @tparam string name
-- @treturn string|nil nil when a store makes no such file
-- @treturn number|nil nil for a record
function _M.parts_of_file(name)
    local key, rest = name:match("^(%l+%.[%w_-]+)(.*)%.json$")
    if not key or not _M.parts_of_key(key) then
        return nil
    elseif rest == "" then
        return key
    end
    local revision = rest:match("^%.(%d+)$") or rest:match("^%.(%d+)%.submitted$")
    if not revision then
        return nil
    end
    return key, tonumber(revision)
end


--- The hash by which a record knows a policy.
-- @tparam string text
-- @treturn string
function _M.hash(text)
    return crypto.hex(crypto.sha256(text))
end


-- ---- Checksums -------------------------------------------------------------


local function sealed(members)
    local rest = json.encode(members):sub(2) .. "\n"
    return ('{"checksum":"%s",%s'):format(_M.hash(rest), rest)
end


-- The members behind a checksum that is right.
local function unsealed(text, name)
    local checksum, rest = text:match('^{"checksum":"(%x+)",(.*)$')
    if not checksum or checksum ~= _M.hash(rest) then
        return nil, "damaged: it is not what was written"
    end
    local doc, err = document.new(text, name)
    if not doc or doc:kind(doc:root()) ~= "object" then
        return nil, "damaged: " .. tostring(err)
    end
    local members = doc:value(doc:root())
    if members.format ~= FORMAT then
        return nil, ("written by another version of Postern: format %s, this one reads %d")
            :format(tostring(members.format), FORMAT)
    end
    members.checksum, members.format = nil, nil
    return members
end


-- ---- Shapes ----------------------------------------------------------------


local function is_revision(value)
    return type(value) == "number" and value >= 1 and value == math.floor(value)
end


local function is_hash(value)
    return type(value) == "string" and #value == 64 and value:match("^%x+$") ~= nil
end


-- `{revision, sha256, submitted}`: a policy by the revision it was put in and its hashes.
local function is_policy(value, newest)
    return type(value) == "table" and is_revision(value.revision) and value.revision <= newest
        and is_hash(value.sha256) and (value.submitted == nil or is_hash(value.submitted))
end


-- `{source, policy, revision}`: what is active or staged, and since which revision.
local function is_state(value, kind, newest)
    return type(value) == "table" and SOURCES[kind][value.source] ~= nil
        and type(value.revision) == "number" and value.revision <= newest
        and (value.source == "policy") == (value.policy ~= nil)
        and (value.policy == nil or is_policy(value.policy, newest))
end


local function is_history(list, kind, newest)
    local last = 0
    for _, entry in ipairs(type(list) == "table" and list or {}) do
        if not is_state(entry, kind, newest) or not OPERATIONS[entry.operation]
            or entry.revision <= last or type(entry.at) ~= "number"
            or type(entry.who) ~= "string" or type(entry.acts) ~= "boolean" then
            return false
        end
        last = entry.revision
    end
    return last == newest
end


local function is_record(members, key)
    local kind, id = _M.parts_of_key(key)
    return members.kind == kind and members.id == id and is_revision(members.revision)
        and is_state(members.active, kind, members.revision)
        and (members.staged == nil
            or (kind == "api" and is_state(members.staged, kind, members.revision)))
        and is_history(members.history, kind, members.revision)
end


--- The files of all policies that a record names, history and all.
-- @tparam table record
-- @treturn table name to true
function _M.policies_of(record)
    local names, key = {}, _M.key(record.kind, record.id)
    local function add(state)
        if state and state.policy then
            names[_M.policy_file(key, state.policy.revision)] = true
            if state.policy.submitted then
                names[_M.policy_file(key, state.policy.revision, true)] = true
            end
        end
    end
    add(record.active)
    add(record.staged)
    for _, entry in ipairs(record.history) do
        add(entry)
    end
    return names
end


--- The text of a record.
-- @tparam table record `kind`, `id`, `revision`, `active`, `staged` (or nil), `history`
-- @treturn string
function _M.encode(record)
    local history = json.list({})
    for i, entry in ipairs(record.history) do
        history[i] = entry
    end
    return sealed({
        format = FORMAT, kind = record.kind, id = record.id, revision = record.revision,
        active = record.active, staged = record.staged, history = history,
    })
end


--- The record that a text is.
-- @tparam string text
-- @tparam string key whose record it has to be
-- @treturn table|nil
-- @treturn string why not
function _M.decode(text, key)
    local members, err = unsealed(text, _M.file_of(key))
    if not members then
        return nil, err
    elseif not is_record(members, key) then
        return nil, "damaged: it is no record of " .. key
    end
    return members
end


--- Whether a list has a key.
-- @tparam {string,...} keys
-- @tparam string key
-- @treturn boolean
function _M.lists(keys, key)
    for _, other in ipairs(keys) do
        if other == key then
            return true
        end
    end
    return false
end


--- The text of the list.
-- @tparam {string,...} keys
-- @treturn string
function _M.encode_list(keys)
    local held = json.list({})
    for i, key in ipairs(keys) do
        held[i] = key
    end
    table.sort(held)
    return sealed({ format = FORMAT, held = held })
end


--- The keys that the text of a list has, in order.
-- @tparam string text
-- @treturn {string,...}|nil
-- @treturn string why not
function _M.decode_list(text)
    local members, err = unsealed(text, _M.LIST)
    if not members then
        return nil, err
    elseif type(members.held) ~= "table" then
        return nil, "damaged: it holds no list"
    end
    for _, key in ipairs(members.held) do
        if type(key) ~= "string" or not _M.parts_of_key(key) then
            return nil, "damaged: `" .. tostring(key) .. "` is no name of a record"
        end
    end
    return members.held
end


return _M
