--- The services VPC endpoints lead to, found by service name or by action prefix.
--
-- What is known of each service is data, a table pack; this module reads names.
--
-- *Dependencies*: none
--
-- @module postern.endpoint_services

local _M = {}
local Services = {}
Services.__index = Services


-- As in `us-east-1` and `us-gov-west-1`; no suffix of a service name looks like that.
local REGION = "(%%l+%%-[%%l%%-]+%%-%%d+)"


-- A form such as `com.amazonaws.{region}.{suffix}` as a Lua pattern.
local function pattern_of(form)
    local pattern = form:gsub("[%.%-]", "%%%0"):gsub("{region}", REGION):gsub("{suffix}", "(.+)")
    return "^" .. pattern .. "$"
end


local function patterns_of(forms)
    local patterns = {}
    for i, form in ipairs(forms) do
        patterns[i] = pattern_of(form)
    end
    return patterns
end


local function set_of(names)
    local set = {}
    for _, name in ipairs(names) do
        set[name] = true
    end
    return set
end


local function index(services)
    local by_suffix, by_prefix = {}, {}
    for _, service in ipairs(services) do
        by_prefix[service.prefix] = by_prefix[service.prefix] or {}
        table.insert(by_prefix[service.prefix], service)
        for _, suffix in ipairs(service.suffixes) do
            by_suffix[suffix] = service
        end
    end
    return by_suffix, by_prefix
end


--- Makes the lookup for a table of services.
-- @tparam table data the data of the table pack `endpoint_services`
-- @tparam[opt] table policy_support service name or suffix to true or false, where the
-- configuration knows better than the table
-- @treturn Services
function _M.new(data, policy_support)
    local by_suffix, by_prefix = index(data.services)
    return setmetatable({
        by_suffix = by_suffix,
        prefixes = by_prefix,
        forms = patterns_of(data.forms),
        foreign_forms = patterns_of(data.foreign_forms),
        without_policy = set_of(data.without_policy),
        gateway = set_of(data.gateway),
        cross_region = set_of(data.cross_region),
        policy_support = policy_support or {},
    }, Services)
end


-- The suffix and, if the name has one, the Region; nil when no pattern fits.
local function split(name, patterns)
    for _, pattern in ipairs(patterns) do
        local first, second = name:match(pattern)
        if second then
            return second, first
        elseif first then
            return first
        end
    end
    return nil
end


local function supports_policies(self, name, suffix, foreign)
    if foreign then
        return false
    end
    local told = self.policy_support[name]
    if told == nil then
        told = self.policy_support[suffix]
    end
    if told == nil then
        told = not self.without_policy[suffix]
    end
    return told
end


--- Reads a service name.
-- @tparam string name `com.amazonaws.us-east-1.execute-api` or just the suffix `execute-api`
-- @treturn table|nil `{suffix, region, foreign, policy, gateway, cross_region, prefix, title}`:
-- `policy` says whether endpoints of it can have one, `gateway` and `cross_region` whether gateway
-- endpoints and endpoints in other Regions can lead there; `prefix` and `title` are nil where the
-- table does not have the service; nil for a name that is empty or no text
function Services:find(name)
    if type(name) ~= "string" or name == "" then
        return nil
    end
    local suffix, region = split(name, self.foreign_forms)
    local foreign = suffix ~= nil
    if not foreign then
        suffix, region = split(name, self.forms)
        suffix = suffix or name
    end
    local row = not foreign and self.by_suffix[suffix] or nil
    return {
        suffix = suffix,
        region = region,
        foreign = foreign,
        policy = supports_policies(self, name, suffix, foreign),
        gateway = not foreign and self.gateway[suffix] == true,
        cross_region = not foreign and self.cross_region[suffix] == true,
        prefix = row and row.prefix,
        title = row and row.name,
    }
end


--- The services whose actions have a prefix.
-- @tparam string prefix `s3`
-- @treturn {table,...} `{name, prefix, suffixes}` each; empty when the table has none
function Services:by_prefix(prefix)
    return self.prefixes[prefix] or {}
end


return _M
