--- What a store holds, read as an estate reads everything: by a reader, and checked.
--
-- Nothing is guessed here: a list, a record or a policy that is missing or is not what was written
-- is a problem, and an estate with a problem does not open.
--
-- *Dependencies*: postern.store.record
--
-- @module postern.store.held
local records = require("postern.store.record")


local _M = {}


--- The keys of all that a store holds something for.
-- @tparam string folder
-- @tparam function read a host's reader
-- @treturn {string,...}|nil
-- @treturn string why not
-- @treturn string the file that is at fault
function _M.keys(folder, read)
    local path = folder .. "/" .. records.LIST
    local text, err = read(path)
    if not text then
        return nil, ("there is no store (%s): make one by `postern store create`"):format(err), path
    end
    local keys
    keys, err = records.decode_list(text)
    return keys, err, path
end


--- The record of a key that the list has.
-- @tparam string folder
-- @tparam string key
-- @tparam function read
-- @treturn table|nil
-- @treturn string why not
-- @treturn string the file that is at fault
function _M.record(folder, key, read)
    local path = folder .. "/" .. records.file_of(key)
    local text, err = read(path)
    if not text then
        return nil, ("a record that `%s` lists cannot be read: %s"):format(records.LIST, err), path
    end
    local record
    record, err = records.decode(text, key)
    return record, err, path
end


--- The text of a policy that a record names.
-- @tparam string folder
-- @tparam string key
-- @tparam table policy `{revision, sha256, submitted}`, as records have it
-- @tparam function read
-- @tparam[opt] boolean submitted as it was submitted
-- @treturn string|nil
-- @treturn string why not; else nil
-- @treturn string its file
function _M.policy(folder, key, policy, read, submitted)
    submitted = submitted and policy.submitted ~= nil
    local path = folder .. "/" .. records.policy_file(key, policy.revision, submitted)
    local text, err = read(path)
    if not text then
        return nil, ("a policy that its record names cannot be read: %s"):format(err), path
    elseif records.hash(text) ~= (submitted and policy.submitted or policy.sha256) then
        return nil, "damaged: it is not what was written", path
    end
    return text, nil, path
end


return _M
