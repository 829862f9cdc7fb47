--- Trying a change of a store: nothing is written that the estate would refuse.
--
-- What would be written is laid over the files that are there, and the estate is opened from that,
-- whole, as every process will open it.
--
-- *Dependencies*: postern.store.record, postern.estate, postern.store.failure
--
-- @module postern.store.trial
local records = require("postern.store.record")
local estates = require("postern.estate")
local failures = require("postern.store.failure")

local fail = failures.fail


local _M = {}


local UNKNOWN = { api = "NoSuchApi", endpoint = "NoSuchEndpoint" }

-- Seconds of work between two breaths.
local SLICE = 0.001


-- Opening an estate of thousands of policies takes a while: others get their turn.
local function breather(host)
    local began = host.monotonic()
    return host:inside() and function()
        if host.monotonic() - began >= SLICE then
            host:sleep(0)
            began = host.monotonic()
        end
    end or nil
end


local function open_with(self, overlay)
    local host = self.host
    return estates.open(self.reload.path, {
        read = function(path)
            if overlay[path] then
                return overlay[path]
            end
            return host:read(path)
        end,
        now = function() return host:now() end, host = host, pause = breather(host),
    })
end


local function is_about(told, path)
    return told.policy == path or told.file == path
end


-- The first problem that is about a policy, as an error of ours.
local function failure_of(problems, path)
    for _, problem in ipairs(problems) do
        if path and is_about(problem, path) then
            local inside = problem.file == path
            return failures.new({
                code = problem.code or "InvalidPolicyDocument.Structure",
                message = (problem.message:gsub("InvalidPolicyDocument%.%a+: ", "", 1)),
                file = "policy",
                line = inside and problem.line or nil, column = inside and problem.column or nil,
            })
        end
    end
    return nil
end


local function warnings_of(estate, path)
    local found = {}
    for _, warning in ipairs(estate.warnings) do
        if path and is_about(warning, path) then
            local inside = warning.file == path
            found[#found + 1] = {
                message = warning.message, file = "policy",
                line = inside and warning.line or nil, column = inside and warning.column or nil,
            }
        end
    end
    return found
end


-- Whether the estate that has opened is the one that was meant.
local function check_estate(self, estate, change)
    local kind, id = change.record.kind, change.record.id
    if not estate.store or estate.store.folder ~= self.folder then
        return fail("EstateNotValid", "the estate's store is no longer `%s`", self.folder)
    elseif not estate.store.revisions[change.key] then
        return fail(UNKNOWN[kind], "there is no %s `%s` any more", kind, id)
    elseif kind == "api" and change.acts and estate.apis[id].endpoint_type == "PRIVATE"
        and not estate.apis[id].policy then
        return fail("PrivateApiWithoutPolicy", "a private API cannot be deployed without a policy")
    end
    return true
end


-- The places in a policy whose short forms were written out are not those its author knows.
local function failure_in_submitted(self, change, overlay)
    if not change.submitted then
        return nil
    end
    overlay[change.path] = change.submitted
    local policy = change.record.history[#change.record.history].policy
    local written = policy.sha256
    policy.sha256 = records.hash(change.submitted)
    overlay[self.folder .. "/" .. records.file_of(change.key)] = records.encode(change.trial)
    policy.sha256 = written
    local estate, problems = open_with(self, overlay)
    if estate then
        estate:close()
        return nil
    end
    return failure_of(problems, change.path)
end


--- Opens the whole estate with a change, and ends it again.
-- @tparam table self `folder`, `host`, and `reload`, of which the `path` counts
-- @tparam {string,...} keys of the list; `change.key` is added when it is not among them
-- @tparam table change `key`, `record` (as it is to be written), `trial` (the record as if what is
-- staged acted), `acts` (whether it is to act), `path` (of the policy that it is about) with its
-- `text`, when it is to be written, and `submitted`, when that is another text. `first` is set when
-- the list has to be written as well
-- @treturn {table,...}|nil warnings: `{message, file, line, column}`
-- @treturn Failure why not
function _M.run(self, keys, change)
    local overlay = {
        [self.folder .. "/" .. records.file_of(change.key)] = records.encode(change.trial),
    }
    if not records.lists(keys, change.key) then
        keys[#keys + 1] = change.key
        overlay[self.folder .. "/" .. records.LIST] = records.encode_list(keys)
        change.first = true
    end
    if change.text then
        overlay[change.path] = change.text
    end
    local estate, problems = open_with(self, overlay)
    if not estate then
        local failure = failure_in_submitted(self, change, overlay)
            or failure_of(problems, change.path)
        if failure then
            return nil, failure
        end
        return fail("EstateNotValid", "the estate does not open with it: %s", tostring(problems))
    end
    local ok, err = check_estate(self, estate, change)
    local warnings = warnings_of(estate, change.path)
    estate:close()
    if not ok then
        return nil, err
    end
    return warnings
end


return _M
