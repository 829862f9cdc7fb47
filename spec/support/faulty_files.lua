--- File operations that end or fail at a chosen one of them.

local _M = {}


-- What changes something, or could.
local CHANGING = { "make_folder", "create", "write", "sync", "close", "rename", "remove",
                   "sync_folder" }


--- Wraps operations.
-- @tparam table files see `postern.host.uv_disk`
-- @tparam table options `at` (the number of the operation, from 1), `fault` (called in place of it;
-- what it returns is answered), `half` (whether a write at it writes the first half before)
-- @treturn table the same operations; `count` of those that were called
function _M.new(files, options)
    local self = setmetatable({ count = 0 }, { __index = function(_, name)
        local fn = files[name]
        return fn and function(_, ...)
            return fn(files, ...)
        end
    end })
    for _, name in ipairs(CHANGING) do
        self[name] = function(_, ...)
            self.count = self.count + 1
            if self.count ~= options.at then
                return files[name](files, ...)
            end
            if options.half and name == "write" then
                local handle, text = ...
                files:write(handle, text:sub(1, math.floor(#text / 2)))
            end
            return options.fault(name)
        end
    end
    return self
end


return _M
