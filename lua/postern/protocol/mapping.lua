--- Mappings: to which API a call goes that was made to somebody else.
--
-- Exactly one of three ways, by configuration:
--
--     api = "a1b2c3d4e5", stage = "dev"             one API
--     apis = { { host = "api.example.com", prefix = "/pets", api = "a1b2c3d4e5", stage = "dev" } }
--     domains = true                                the custom domain names of the estate
--
-- Of `apis` those count that name the host, else those that name none; among them the longest
-- prefix of whole segments. A prefix chooses only and stays in the path. Where no stage is given it
-- is the path's first segment.
--
-- *Dependencies*: postern.path, postern.protocol.options
--
-- @module postern.protocol.mapping
local paths = require("postern.path")
local options = require("postern.protocol.options")


local _M = {}
local Mapping = {}
Mapping.__index = Mapping


local TEXT = { type = "text" }

--- The options of a mapping, to be merged with those of a protocol.
_M.OPTIONS = { api = TEXT, stage = TEXT, apis = { type = "list" }, domains = { type = "flag" } }

local ENTRY = { api = { type = "text", required = true }, stage = TEXT, host = TEXT, prefix = TEXT }

local ANY_HOST = "" -- no host is spelled like that

-- Which API a path leads to is only asked of paths that everybody reads in one way.
local STRICT = assert(paths.new())


local function prefix_of(entry)
    local prefix = entry.prefix or "/"
    local path = STRICT:resolve(nil, prefix)
    if path ~= prefix or prefix:find("[?%%]") or (prefix ~= "/" and prefix:sub(-1) == "/") then
        return nil, ("the prefix `%s` is no path: give whole segments, as `/pets`"):format(prefix)
    end
    return prefix
end


local function host_of(entry)
    if not entry.host then
        return ANY_HOST
    end
    local host, err = paths.host(entry.host)
    if not host then
        return nil, ("the host `%s`: %s"):format(entry.host, err)
    end
    return host
end


local function by_length(a, b)
    return #a.prefix > #b.prefix
end


local function add_entry(self, entry, with_host)
    local fault = options.fault(entry, ENTRY)
    if fault then
        return fault
    elseif entry.host and not with_host then
        return "`host`: what this protocol is told of the host proves nothing: give prefixes only"
    end
    local host, prefix, err
    host, err = host_of(entry)
    if host then
        prefix, err = prefix_of(entry)
    end
    if not prefix then
        return err
    end
    local list = self.hosts[host] or {}
    self.hosts[host] = list
    for _, other in ipairs(list) do
        if other.prefix == prefix then
            return ("`%s%s` leads to the API `%s` already"):format(host, prefix, other.api)
        end
    end
    list[#list + 1] = { prefix = prefix, api = entry.api, stage = entry.stage }
    list.prefixes = list.prefixes or prefix ~= "/"
    table.sort(list, by_length)
end


local function add_entries(self, entries, with_host)
    if #entries == 0 then
        return "`apis` is empty: name at least one"
    end
    self.hosts = {}
    for i, entry in ipairs(entries) do
        local fault = add_entry(self, entry, with_host)
        if fault then
            return ("`apis`: entry %d: %s"):format(i, fault)
        end
    end
end


local WAYS = { "api", "apis", "domains" }

--- Reads a mapping.
-- @tparam table given `api` and `stage`, `apis`, or `domains`; other members are passed over
-- @tparam[opt=true] boolean with_host false where the host of a call is not known for sure
-- @treturn Mapping|nil
-- @treturn string what is wrong with it
function _M.new(given, with_host)
    local ways = 0
    for _, name in ipairs(WAYS) do
        ways = ways + (given[name] and 1 or 0)
    end
    if ways ~= 1 then
        return nil, "give one of `api`, `apis` and `domains = true`"
    elseif given.stage and not given.api then
        return nil, "`stage` belongs to `api`"
    elseif given.domains and with_host == false then
        return nil, "`domains`: what this protocol is told of the host proves nothing: give `api`"
    end
    local self = setmetatable({
        api = given.api, stage = given.stage, domains = given.domains or false, hosts = nil,
    }, Mapping)
    if given.apis then
        local fault = add_entries(self, given.apis, with_host ~= false)
        if fault then
            return nil, fault
        end
    end
    return self
end


local function begins_with(path, prefix)
    return prefix == "/" or path == prefix
        or path:sub(1, #prefix) == prefix and path:byte(#prefix + 1) == 0x2F
end


local function find(self, request)
    local host = request.host
    if host then
        local err
        host, err = paths.host(host)
        if not host then
            return nil, err
        end
    end
    local list = host and self.hosts[host] or self.hosts[ANY_HOST]
    if not list then
        return nil, "no API is configured for the host"
    elseif not list.prefixes then
        return list[1] -- the API's own rules say what becomes of the path
    end
    local path, err = STRICT:resolve(request.raw_path, request.path)
    if not path then
        return nil, err
    end
    for i = 1, #list do
        if begins_with(path, list[i].prefix) then
            return list[i]
        end
    end
    return nil, "no API is configured for the path"
end


--- Says in a request which API it is for.
-- @tparam table request `raw_path` or `path`, and `host` where it is known; gets `api` and `stage`
-- @treturn boolean|nil true
-- @treturn string why it is for none
function Mapping:apply(request)
    if self.api then
        request.api, request.stage = self.api, self.stage
        return true
    elseif self.domains then
        return true -- the estate looks at the host
    end
    local entry, err = find(self, request)
    if not entry then
        return nil, err
    end
    request.api, request.stage = entry.api, entry.stage
    return true
end


return _M
