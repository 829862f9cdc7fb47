--- Why something is not done: a code for programs, and a message for people.
--
-- *Dependencies*: none
--
-- @module postern.store.failure

local _M = {}
local Failure = {}


function Failure.__tostring(self)
    return ("%s: %s"):format(self.code, self.message)
end


--- Makes one.
-- @tparam table members `code`, `message`; optionally `file`, `line`, `column` in the policy
-- @treturn Failure
function _M.new(members)
    return setmetatable(members, Failure)
end


--- Answers one as functions do.
-- @tparam string code
-- @tparam string message a format when something follows
-- @param ...
-- @treturn nil
-- @treturn Failure
function _M.fail(code, message, ...)
    return nil, _M.new({
        code = code, message = select("#", ...) > 0 and message:format(...) or message,
    })
end


--- Answers that a file is not what was written.
-- @tparam string err
-- @tparam string path
-- @treturn nil
-- @treturn Failure
function _M.damaged(err, path)
    return _M.fail("StoreDamaged", "%s: %s", path, err)
end


return _M
