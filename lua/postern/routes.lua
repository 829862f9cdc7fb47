--- Which endpoint answers a path: the longest configured prefix that the path begins with.
--
-- A prefix ends where a segment does: `/v1/decide` leads `/v1/decide` and `/v1/decide/batch`, not
-- `/v1/decided`. Paths are compared as they were sent, without decoding: what is written otherwise
-- leads nowhere.
--
-- *Dependencies*: none
--
-- @module postern.routes

local _M = {}
local Routes = {}
Routes.__index = Routes


--- Makes a table of routes.
-- @tparam table endpoints prefix, which begins with `/`, to anything
-- @treturn Routes
function _M.new(endpoints)
    local self = setmetatable({ exact = {}, prefixes = {} }, Routes)
    for prefix, endpoint in pairs(endpoints) do
        if prefix ~= "/" then
            prefix = prefix:gsub("/+$", "")
        end
        self.exact[prefix] = { prefix = prefix, endpoint = endpoint }
        self.prefixes[#self.prefixes + 1] = prefix
    end
    table.sort(self.prefixes, function(left, right)
        if #left ~= #right then
            return #left > #right
        end
        return left < right
    end)
    return self
end


local function leads(prefix, path)
    if prefix == "/" then
        return path:byte(1) == 47
    end
    return path:byte(#prefix + 1) == 47 and path:sub(1, #prefix) == prefix
end


--- Finds the endpoint of a path.
-- @tparam string path without the query
-- @return nil when no prefix leads there
-- @treturn string the prefix
function Routes:find(path)
    local found = self.exact[path]
    if found then
        return found.endpoint, found.prefix
    end
    for _, prefix in ipairs(self.prefixes) do
        if leads(prefix, path) then
            return self.exact[prefix].endpoint, prefix
        end
    end
    return nil
end


return _M
