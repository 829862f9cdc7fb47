--- The life cycle of VPC endpoints: created, modified, deleted, and the policy each has.
--
-- What is asked for happens in two steps, as at AWS, where a change takes some minutes: the
-- operation checks and records it, `settle` makes it take effect. An operation is done whole or not
-- at all; one that fails changes nothing.
--
-- Rules: AWS PrivateLink Guide, "Control access to VPC endpoints using endpoint policies", "Access
-- an AWS service using an interface VPC endpoint", "Gateway endpoints".
--
-- *Dependencies*: postern.endpoint_policy, postern.endpoint_services
--
-- @module postern.endpoint
local policies = require("postern.endpoint_policy")
local endpoint_services = require("postern.endpoint_services")


local _M = {}
local Endpoints = {}
Endpoints.__index = Endpoints


--- The policy of an endpoint that was given none.
_M.DEFAULT_POLICY = policies.DEFAULT

-- The lists an endpoint of each type has; the other type's are refused.
local LISTS = {
    Interface = { "subnets", "security_groups" },
    Gateway = { "route_tables" },
}

local ALL_LISTS = { "subnets", "security_groups", "route_tables" }

local CREATE = {
    id = true, vpc = true, service = true, type = true, policy = true,
    subnets = true, security_groups = true, route_tables = true,
}

local MODIFY = {
    policy = true, reset_policy = true,
    add_subnets = true, add_security_groups = true, add_route_tables = true,
    remove_subnets = true, remove_security_groups = true, remove_route_tables = true,
}

-- The states in which an endpoint can be changed.
local LIVE = { pending = true, available = true, pendingAcceptance = true }


-- ---- Errors ------------------------------------------------------------------


local Failure = {}

function Failure.__tostring(self)
    return ("%s: %s"):format(self.code, self.message)
end


local function fail(code, message, ...)
    return nil, setmetatable({ code = code, message = message:format(...) }, Failure)
end


-- ---- Lists -------------------------------------------------------------------


local function copy_list(list)
    local copy = {}
    for i, item in ipairs(list) do
        copy[i] = item
    end
    return copy
end


local function place_in(list, item)
    for i, other in ipairs(list) do
        if other == item then
            return i
        end
    end
    return nil
end


-- The list with items added and taken out, or nil and the item that was not there to take.
local function changed(list, add, remove)
    local result = copy_list(list)
    for _, item in ipairs(remove or {}) do
        local place = place_in(result, item)
        if not place then
            return nil, item
        end
        table.remove(result, place)
    end
    for _, item in ipairs(add or {}) do
        if not place_in(result, item) then
            result[#result + 1] = item
        end
    end
    return result
end


-- What callers see of an endpoint: a copy, so that nothing changes but by an operation.
local function view(record)
    local copy = {}
    for name, value in pairs(record) do
        copy[name] = type(value) == "table" and copy_list(value) or value
    end
    return copy
end


-- ---- Checks ------------------------------------------------------------------


local function check_known(given, known)
    for name in pairs(given) do
        if not known[name] then
            return fail("InvalidParameter", "unknown parameter `%s`", tostring(name))
        end
    end
    return true
end


local function check_service(self, endpoint_type, service)
    if endpoint_type == "Gateway" and not service.gateway then
        return fail("InvalidParameter", "there are no gateway endpoints for `%s`: use the type "
            .. "Interface", service.suffix)
    end
    local abroad = self.region and service.region and service.region ~= self.region
    if abroad and (endpoint_type == "Gateway" or not service.cross_region) then
        return fail("InvalidServiceName", "`%s` in %s cannot be reached from an endpoint in %s",
            service.suffix, service.region, self.region)
    end
    return true
end


local function check_lists_fit(endpoint_type, given, prefix)
    for _, name in ipairs(ALL_LISTS) do
        if given[prefix .. name] and not place_in(LISTS[endpoint_type], name) then
            return fail("InvalidParameterCombination", "`%s%s` with an endpoint of type %s",
                prefix, name, endpoint_type)
        end
    end
    return true
end


-- A route table leads to a service through one gateway endpoint at most.
local function check_routes(self, route_tables, service, own_id)
    for id, record in pairs(self.records) do
        for _, route_table in ipairs(id ~= own_id and record.route_tables or {}) do
            local same = self.services:find(record.service).suffix == service.suffix
            if same and place_in(route_tables, route_table) then
                return fail("RouteAlreadyExists", "route table `%s` has a route to `%s` already, "
                    .. "of endpoint `%s`", route_table, service.suffix, id)
            end
        end
    end
    return true
end


-- ---- The collection --------------------------------------------------------------


--- Makes a collection of endpoints.
-- @tparam table options `services` and `system_keys` (the data of the table packs
-- `endpoint_services` and `system_keys`), `id` (a function: type to a new endpoint id), `now`
-- (seconds since 1970), `default_group` (a function: VPC id to its default security group, or nil);
-- optional: `region` (where the endpoints are), `policy_support` (see `postern.endpoint_services`)
-- @treturn Endpoints
function _M.new(options)
    local services = endpoint_services.new(options.services, options.policy_support)
    return setmetatable({
        services = services,
        checker = policies.new{ services = services, system_keys = options.system_keys },
        id = options.id,
        now = options.now,
        default_group = options.default_group,
        region = options.region,
        records = {},
    }, Endpoints)
end


--- Checks a policy without attaching it; see `validate` of `postern.endpoint_policy`.
-- @tparam string|{string,...} policy
-- @tparam[opt] table options `service`, `type`, `name`
-- @treturn true|nil
-- @treturn {table,...}|table the warnings, or why not: `{code, message, line, column}`
function Endpoints:validate(policy, options)
    return self.checker:validate(policy, options)
end


-- The text of a policy that may be given as a list of one.
local function checked_policy(self, policy, service, endpoint_type)
    local ok, found = self.checker:validate(policy, { service = service, type = endpoint_type })
    if not ok then
        return nil, found
    end
    return type(policy) == "table" and policy[1] or policy, found
end


local REQUIRED = { "vpc", "service" }

local function check_creation(self, request, endpoint_type)
    local ok, err = check_known(request, CREATE)
    if not ok then
        return nil, err
    end
    for _, name in ipairs(REQUIRED) do
        if type(request[name]) ~= "string" or request[name] == "" then
            return fail("MissingParameter", "`%s` is missing", name)
        end
    end
    if not LISTS[endpoint_type] then
        return fail("InvalidParameter", "unknown type of endpoint `%s`: there are Interface and "
            .. "Gateway", tostring(endpoint_type))
    end
    local service = self.services:find(request.service)
    ok, err = check_service(self, endpoint_type, service)
    if ok then
        ok, err = check_lists_fit(endpoint_type, request, "")
    end
    if ok then
        ok, err = check_routes(self, request.route_tables or {}, service)
    end
    if not ok then
        return nil, err
    end
    return service
end


-- The security groups of a new interface endpoint; the default group of the VPC if none are given.
local function groups_for(self, request)
    if #(request.security_groups or {}) > 0 then
        return copy_list(request.security_groups)
    end
    local group = self.default_group(request.vpc)
    if not group then
        return fail("InvalidParameter", "`%s` has no default security group: name one",
            request.vpc)
    end
    return { group }
end


--- Creates an endpoint.
-- @tparam table request `vpc`, `service`; optional: `type` (`Interface` or `Gateway`), `policy`,
-- `subnets` and `security_groups` (interface), `route_tables` (gateway), `id`
-- @treturn table|nil `{id, vpc, service, type, state, policy, created, ...}`, a copy; its state is
-- `pending`, or `pendingAcceptance` for a service of another account
-- @treturn {table,...}|table the policy's warnings, or why not: `{code, message}`
function Endpoints:create(request)
    local endpoint_type = request.type or "Interface"
    local service, err = check_creation(self, request, endpoint_type)
    if not service then
        return nil, err
    end
    local record = {
        id = request.id or self.id(endpoint_type),
        vpc = request.vpc, service = request.service, type = endpoint_type,
        state = service.foreign and "pendingAcceptance" or "pending",
        policy = policies.DEFAULT,
        created = self.now(),
    }
    if self.records[record.id] then
        return fail("InvalidParameter", "there is an endpoint `%s` already", record.id)
    end
    for _, name in ipairs(LISTS[endpoint_type]) do
        record[name] = copy_list(request[name] or {})
    end
    if endpoint_type == "Interface" then
        record.security_groups, err = groups_for(self, request)
        if not record.security_groups then
            return nil, err
        end
    end
    local warnings = {}
    if request.policy then
        record.policy, warnings = checked_policy(self, request.policy, request.service,
            endpoint_type)
        if not record.policy then
            return nil, warnings
        end
    end
    self.records[record.id] = record
    return view(record), warnings
end


--- An endpoint as it is now.
-- @tparam string id
-- @treturn table|nil a copy; `staged_policy` is a policy that takes effect with `settle`
-- @treturn table why not
function Endpoints:get(id)
    local record = self.records[id]
    if not record then
        return fail("InvalidVpcEndpointId.NotFound", "there is no endpoint `%s`", tostring(id))
    end
    return view(record)
end


-- A record that is live, or in one more state.
local function live_record(self, id, state)
    local record = self.records[id]
    if not record then
        return fail("InvalidVpcEndpointId.NotFound", "there is no endpoint `%s`", tostring(id))
    elseif not LIVE[record.state] and record.state ~= state then
        return fail("IncorrectState", "endpoint `%s` is %s", id, record.state)
    end
    return record
end


-- The endpoint's lists after a change, or nil and why not.
local function changed_lists(self, record, change)
    local lists = {}
    for _, name in ipairs(LISTS[record.type]) do
        local list, missing = changed(record[name], change["add_" .. name],
            change["remove_" .. name])
        if not list then
            return fail("InvalidParameter", "`remove_%s`: endpoint `%s` has no `%s`", name,
                record.id, tostring(missing))
        end
        lists[name] = list
    end
    if lists.security_groups and #lists.security_groups == 0 then
        return fail("InvalidParameter", "an interface endpoint keeps one security group at least")
    end
    local ok, err = check_routes(self, lists.route_tables or {},
        self.services:find(record.service), record.id)
    if not ok then
        return nil, err
    end
    return lists
end


local function check_change(record, change)
    local ok, err = check_known(change, MODIFY)
    if ok and change.policy and change.reset_policy then
        return fail("InvalidParameterCombination",
            "`policy` together with `reset_policy`: give one of them")
    end
    for _, prefix in ipairs(ok and { "add_", "remove_" } or {}) do
        ok, err = check_lists_fit(record.type, change, prefix)
        if not ok then
            break
        end
    end
    return ok, err
end


--- Changes an endpoint. A new policy replaces the whole old one, which stays active until `settle`.
-- @tparam string id
-- @tparam table change `policy` or `reset_policy = true`; `add_` and `remove_` followed by
-- `subnets`, `security_groups` or `route_tables`, as fits the endpoint's type
-- @treturn table|nil the endpoint, a copy
-- @treturn {table,...}|table the policy's warnings, or why not: `{code, message}`
function Endpoints:modify(id, change)
    local record, err = live_record(self, id)
    if not record then
        return nil, err
    end
    local ok
    ok, err = check_change(record, change)
    if not ok then
        return nil, err
    end
    local lists
    lists, err = changed_lists(self, record, change)
    if not lists then
        return nil, err
    end
    local policy, warnings = change.reset_policy and policies.DEFAULT or nil, {}
    if change.policy then
        policy, warnings = checked_policy(self, change.policy, record.service, record.type)
        if not policy then
            return nil, warnings
        end
    end
    -- Nothing can fail from here on.
    record.staged_policy = policy or record.staged_policy
    for name, list in pairs(lists) do
        record[name] = list
    end
    return view(record), warnings
end


--- Puts the default policy back.
-- @tparam string id
-- @treturn table|nil the endpoint, a copy
-- @treturn table why not
function Endpoints:reset(id)
    return self:modify(id, { reset_policy = true })
end


--- Takes or refuses an endpoint to a service of another account, as the owner of that service.
-- @tparam string id
-- @tparam boolean accepted
-- @treturn table|nil the endpoint, a copy
-- @treturn table why not
function Endpoints:accept(id, accepted)
    local record, err = live_record(self, id)
    if not record then
        return nil, err
    elseif record.state ~= "pendingAcceptance" then
        return fail("IncorrectState", "endpoint `%s` is %s: nobody has to accept it", id,
            record.state)
    end
    record.state = accepted and "pending" or "rejected"
    return view(record)
end


--- Deletes an endpoint. The routes of a gateway endpoint go with it.
-- @tparam string id
-- @treturn table|nil the endpoint, a copy; its state is `deleting` until `settle`
-- @treturn table why not
function Endpoints:delete(id)
    local record, err = live_record(self, id, "rejected")
    if not record then
        return nil, err
    end
    record.state = "deleting"
    record.route_tables = record.route_tables and {}
    return view(record)
end


--- Makes everything that was asked for take effect: the next snapshot. Pending endpoints become
-- available, staged policies replace the old ones, deleted endpoints are gone.
function Endpoints:settle()
    for _, record in pairs(self.records) do
        if record.state == "pending" then
            record.state = "available"
        elseif record.state == "deleting" then
            record.state = "deleted"
        end
        record.policy = record.staged_policy or record.policy
        record.staged_policy = nil
    end
end


--- The routes that gateway endpoints put into a route table.
-- @tparam string route_table
-- @treturn {table,...} `{endpoint, service}` each, by endpoint id
function Endpoints:routes(route_table)
    local routes = {}
    for id, record in pairs(self.records) do
        if place_in(record.route_tables or {}, route_table) then
            routes[#routes + 1] = { endpoint = id, service = record.service }
        end
    end
    table.sort(routes, function(a, b) return a.endpoint < b.endpoint end)
    return routes
end


return _M
