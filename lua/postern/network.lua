--- Whether a client's packets reach a VPC endpoint: routes, security groups, address families.
--
-- This is no policy decision: what is not reachable times out at the client, nobody answers 403.
-- Security groups are stateful, so only the first packet is checked, once on its way out of the
-- client and once on its way into the endpoint; replies pass.
--
-- Rules: VPC User Guide, "Security group rules", "Default security groups for your VPCs"; AWS
-- PrivateLink Guide, "Gateway endpoints", "Access an AWS service using an interface VPC endpoint".
--
-- *Dependencies*: postern.cidr
--
-- @module postern.network
local cidr = require("postern.cidr")


local _M = {}
local Network = {}
Network.__index = Network


local ALL = "all"

local PROTOCOLS = {
    [-1] = ALL, [6] = "tcp", [17] = "udp", [1] = "icmp", [58] = "icmpv6",
    ["-1"] = ALL, all = ALL, ["6"] = "tcp", tcp = "tcp", ["17"] = "udp", udp = "udp",
    ["1"] = "icmp", icmp = "icmp", ["58"] = "icmpv6", icmpv6 = "icmpv6",
}

local HAS_PORTS = { tcp = true, udp = true }

local RULE = {
    protocol = true, port = true, from = true, to = true,
    cidr = true, prefix_list = true, security_group = true,
}

local FULL = { v4 = "0.0.0.0/0", v6 = "::/0" }


-- ---- Ranges ------------------------------------------------------------------


local FAMILIES = { "v4", "v6" }
local everything = assert(cidr.new{ FULL.v4, FULL.v6 })

-- `v4` or `v6`; nil for what is no address. IPv4 in the clothes of IPv6 is IPv4.
local function family_of(address)
    return FAMILIES[everything:match(address)]
end


-- A range's address, its family and the length of its prefix within that family.
local function parts_of(range)
    local address, length = range:match("^(.-)/(%d+)$")
    address = address or range -- one address
    local family = family_of(address)
    length = tonumber(length) or (address:find(":", 1, true) and 128 or 32)
    if family == "v4" and address:find(":", 1, true) then
        length = length - 96
    end
    return address, family, length
end


local function compile_range(range)
    local compiled, err = cidr.new{ range }
    if not compiled then
        return nil, err.message
    end
    local address, family, length = parts_of(range)
    return {
        text = range, set = compiled, address = address, family = family, length = length,
    }
end


local function holds(range, address)
    return range.set:match(address) ~= nil
end


-- Whether all of `inner` is in `outer`.
local function covers(outer, inner)
    return outer.family == inner.family and outer.length <= inner.length
        and holds(outer, inner.address)
end


local FULL_RANGES = { v4 = compile_range(FULL.v4), v6 = compile_range(FULL.v6) }


-- ---- The model ---------------------------------------------------------------


local function fail(what, message, ...)
    return nil, ("%s: %s"):format(what, message:format(...))
end


local function compile_ranges(what, texts)
    local ranges = {}
    for i, text in ipairs(texts) do
        local range, err = compile_range(text)
        if not range then
            return fail(what, "%s", err)
        end
        ranges[i] = range
    end
    return ranges
end


local SOURCES = { "cidr", "prefix_list", "security_group" }

local function check_peer(self, what, rule)
    local count = 0
    for _, name in ipairs(SOURCES) do
        count = count + (rule[name] and 1 or 0)
    end
    if count ~= 1 then
        return fail(what, "give one of `cidr`, `prefix_list`, `security_group`")
    elseif rule.prefix_list and not self.prefix_lists[rule.prefix_list] then
        return fail(what, "there is no prefix list `%s`", rule.prefix_list)
    end
    return true
end


local function is_port(port)
    return type(port) == "number" and port >= 0 and port <= 65535 and port % 1 == 0
end


local function compile_rule(self, what, rule)
    for name in pairs(rule) do
        if not RULE[name] then
            return fail(what, "unknown member `%s`", tostring(name))
        end
    end
    local ok, err = check_peer(self, what, rule)
    if not ok then
        return nil, err
    end
    local protocol = PROTOCOLS[rule.protocol]
    if not protocol then
        return fail(what, "unknown protocol `%s`: there are tcp, udp, icmp, icmpv6 and all",
            tostring(rule.protocol))
    end
    local from, to = rule.from or rule.port, rule.to or rule.port
    if HAS_PORTS[protocol] and not (is_port(from) and is_port(to) and from <= to) then
        return fail(what, "give a `port`, or `from` and `to`, of 0 to 65535")
    end
    local range
    if rule.cidr then
        range, err = compile_range(rule.cidr)
        if not range then
            return fail(what, "%s", err)
        end
    end
    return {
        protocol = protocol, from = from, to = to, range = range,
        prefix_list = rule.prefix_list, security_group = rule.security_group,
    }
end


local function compile_rules(self, what, rules)
    local compiled = {}
    for i, rule in ipairs(rules) do
        local one, err = compile_rule(self, ("%s rule %d"):format(what, i), rule)
        if not one then
            return nil, err
        end
        compiled[i] = one
    end
    return compiled
end


local function has_ipv6(vpc)
    for _, range in ipairs(vpc and vpc.cidr or {}) do
        local _, family = parts_of(range)
        if family == "v6" then
            return true
        end
    end
    return false
end


-- What a group has before anybody changes it: nothing comes in, everything goes out; members of the
-- default group reach each other.
local function default_rules(self, id, group)
    local inbound, outbound = {}, { { protocol = ALL, cidr = FULL.v4 } }
    if group.name == "default" then
        inbound[1] = { protocol = ALL, security_group = id }
    end
    if has_ipv6(self.vpcs[group.vpc]) then
        outbound[2] = { protocol = ALL, cidr = FULL.v6 }
    end
    return inbound, outbound
end


local function add_group(self, id, group)
    local inbound, outbound = default_rules(self, id, group)
    local what = ("security group `%s`: "):format(id)
    local compiled = { vpc = group.vpc }
    local err
    compiled.inbound, err = compile_rules(self, what .. "inbound", group.inbound or inbound)
    if compiled.inbound then
        compiled.outbound, err = compile_rules(self, what .. "outbound",
            group.outbound or outbound)
    end
    if err then
        return nil, err
    end
    self.groups[id] = compiled
    if group.name == "default" then
        self.default_groups[group.vpc] = id
    end
    return true
end


local function sorted_ids(items)
    local ids = {}
    for id in pairs(items or {}) do
        ids[#ids + 1] = id
    end
    table.sort(ids)
    return ids
end


-- The ranges of a route's destination: a range or a prefix list.
local function add_route_table(self, id, route_table)
    local routes = {}
    for i, route in ipairs(route_table.routes or {}) do
        local ranges, err = self.prefix_lists[route.destination], nil
        if not ranges then
            ranges, err = compile_ranges(("route table `%s`: route %d"):format(id, i),
                { route.destination })
        end
        if not ranges then
            return nil, err
        end
        for _, range in ipairs(ranges) do
            routes[#routes + 1] = range
        end
    end
    self.route_tables[id] = routes
    return true
end


local function add_all(self, items, add)
    for _, id in ipairs(sorted_ids(items)) do
        local ok, err = add(self, id, items[id])
        if not ok then
            return nil, err
        end
    end
    return true
end


local function add_prefix_list(self, id, list)
    local ranges, err = compile_ranges(("prefix list `%s`"):format(id), list.cidr)
    if not ranges then
        return nil, err
    end
    self.prefix_lists[id] = ranges
    if list.service and ranges[1] then
        local of_service = self.service_lists[list.service] or {}
        self.service_lists[list.service] = of_service
        of_service[ranges[1].family] = id
    end
    return true
end


--- Makes a network from its description. Everything is by id:
--
--     vpcs             { cidr = {...}, peers = {VPC ids}, transit = {VPC ids joined by a transit
--                      gateway}, networks = {names of networks that come in by VPN or Direct
--                      Connect}, route_table = the main one }
--     subnets          { vpc, route_table }
--     route_tables     { routes = { { destination = CIDR or prefix list }, ... } }: own routes, not
--                      those of gateway endpoints
--     prefix_lists     { cidr = {...}, service = whose addresses they are, if a service's }
--     security_groups  { vpc, name, inbound = {rules}, outbound = {rules} }; rules left out are
--                      those of a new group, or of the default group if `name` is `default`
--
-- A rule: `protocol` (tcp, udp, icmp, icmpv6, all, or their numbers), `port` or `from` and `to`,
-- and one of `cidr`, `prefix_list`, `security_group`. It allows; there are no others.
-- @tparam table model
-- @treturn Network|nil
-- @treturn string why not
function _M.new(model)
    local self = setmetatable({
        vpcs = model.vpcs or {},
        subnets = model.subnets or {},
        prefix_lists = {}, service_lists = {},
        route_tables = {}, groups = {}, default_groups = {},
    }, Network)
    local ok, err = add_all(self, model.prefix_lists, add_prefix_list)
    if ok then
        ok, err = add_all(self, model.route_tables, add_route_table)
    end
    if ok then
        ok, err = add_all(self, model.security_groups, add_group)
    end
    if not ok then
        return nil, err
    end
    return self
end


-- ---- Ways --------------------------------------------------------------------


local function lists(items, wanted)
    for _, item in ipairs(items or {}) do
        if item == wanted then
            return true
        end
    end
    return false
end


-- A link that either side may tell of.
local function linked(self, kind, one, other)
    local a, b = self.vpcs[one], self.vpcs[other]
    return lists(a and a[kind], other) or lists(b and b[kind], one)
end


-- Links do not add up: a peer of a peer is no peer.
local function has_way(self, client, vpc)
    if client.vpc then
        return client.vpc == vpc or linked(self, "peers", client.vpc, vpc)
            or linked(self, "transit", client.vpc, vpc)
    end
    return client.network ~= nil and lists(self.vpcs[vpc] and self.vpcs[vpc].networks,
        client.network)
end


-- ---- Rules -------------------------------------------------------------------


local function fits(rule, probe)
    if rule.protocol == ALL then
        return true
    elseif rule.protocol ~= probe.protocol then
        return false
    end
    return not HAS_PORTS[rule.protocol] or (probe.port >= rule.from and probe.port <= rule.to)
end


-- Whether rules of a group may name another group: one of the same or a peered VPC, in inbound
-- rules also one of a VPC joined by a transit gateway.
local function may_name(self, group, other, inbound)
    if not other then
        return false
    end
    return group.vpc == other.vpc or linked(self, "peers", group.vpc, other.vpc)
        or (inbound and linked(self, "transit", group.vpc, other.vpc))
end


-- Whether a rule's peer is the address or an interface that carries one of the groups. An appliance
-- in between hides who carries what.
local function is_peer(self, group, rule, far, inbound)
    if rule.range then
        return holds(rule.range, far.address)
    elseif rule.prefix_list then
        for _, range in ipairs(self.prefix_lists[rule.prefix_list]) do
            if holds(range, far.address) then
                return true
            end
        end
        return false
    end
    return not far.middlebox and lists(far.groups, rule.security_group)
        and may_name(self, group, self.groups[rule.security_group], inbound)
end


-- Several groups on one interface: any rule of any of them.
local function any_rule(self, ids, direction, probe, accepts)
    for _, id in ipairs(ids) do
        local group = self.groups[id]
        for _, rule in ipairs(group and group[direction] or {}) do
            if fits(rule, probe) and accepts(group, rule) then
                return true
            end
        end
    end
    return false
end


-- An interface that names no group carries the default group of its VPC.
local function groups_of(self, interface)
    local ids = interface.security_groups
    if ids and #ids > 0 then
        return ids
    end
    return { self.default_groups[interface.vpc] }
end


-- ---- Interface endpoints -------------------------------------------------------


local function address_of(endpoint, family)
    for _, address in ipairs(endpoint.addresses or {}) do
        if family_of(address) == family then
            return address
        end
    end
    return nil
end


local function interface_reason(self, client, endpoint, probe)
    if not has_way(self, client, endpoint.vpc) then
        return "no_route"
    end
    local address = address_of(endpoint, probe.family)
    if not address then
        return "family"
    end
    local own, theirs = groups_of(self, client), groups_of(self, endpoint)
    -- A client on another network has no security groups to pass.
    if client.vpc then
        local far = { address = address, groups = theirs, middlebox = client.middlebox }
        if not any_rule(self, own, "outbound", probe, function(group, rule)
            return is_peer(self, group, rule, far, false)
        end) then
            return "client_egress"
        end
    end
    local far = { address = client.ip, groups = own, middlebox = client.middlebox }
    if not any_rule(self, theirs, "inbound", probe, function(group, rule)
        return is_peer(self, group, rule, far, true)
    end) then
        return "endpoint_ingress"
    end
    return nil
end


-- ---- Gateway endpoints ---------------------------------------------------------


local function route_table_of(self, client)
    local subnet, vpc = self.subnets[client.subnet], self.vpcs[client.vpc]
    return subnet and subnet.route_table or (vpc and vpc.route_table)
end


-- The part of the service that is asked about: the ranges of its prefix list that hold the wanted
-- address, or all of them; and the list's id. Where nobody said what is in the list, it may be any
-- address of the family.
local function wanted_ranges(self, endpoint, probe)
    local id = (endpoint.prefix_lists or self.service_lists[endpoint.service] or {})[probe.family]
    local ranges = {}
    for _, range in ipairs(self.prefix_lists[id] or { FULL_RANGES[probe.family] }) do
        if not probe.destination or holds(range, probe.destination) then
            ranges[#ranges + 1] = range
        end
    end
    return ranges, id
end


-- The longest prefix wins, and of equals the own route.
local function own_route_wins(self, route_table, ranges, list, destination)
    for _, range in ipairs(self.prefix_lists[list] and ranges or {}) do
        for _, route in ipairs(self.route_tables[route_table] or {}) do
            if covers(range, route) and (not destination or holds(route, destination)) then
                return true
            end
        end
    end
    return false
end


local function has_family(endpoint, family)
    local kind = endpoint.address_type or "ipv4"
    return kind == "dualstack" or kind == (family == "v4" and "ipv4" or "ipv6")
end


-- Whether a rule's peer takes in one range of the service.
local function takes_in(self, rule, range)
    if rule.range then
        return covers(rule.range, range)
    end
    for _, own in ipairs(rule.prefix_list and self.prefix_lists[rule.prefix_list] or {}) do
        if covers(own, range) then
            return true
        end
    end
    return false
end


-- One address has to be let out, or all of the service.
local function egress_allowed(self, client, ranges, probe)
    local groups = groups_of(self, client)
    if probe.destination then
        local far = { address = probe.destination }
        return any_rule(self, groups, "outbound", probe, function(group, rule)
            return is_peer(self, group, rule, far, false)
        end)
    end
    for _, range in ipairs(ranges) do
        if not any_rule(self, groups, "outbound", probe, function(_, rule)
            return takes_in(self, rule, range)
        end) then
            return false
        end
    end
    return true
end


local function gateway_reason(self, client, endpoint, probe)
    local route_table = route_table_of(self, client)
    if client.vpc ~= endpoint.vpc or not lists(endpoint.route_tables, route_table) then
        return "route"
    elseif not has_family(endpoint, probe.family) then
        return "family"
    end
    local ranges, list = wanted_ranges(self, endpoint, probe)
    if #ranges == 0
        or own_route_wins(self, route_table, ranges, list, probe.destination) then
        return "route"
    elseif not egress_allowed(self, client, ranges, probe) then
        return "client_egress"
    end
    return nil
end


-- ---- The answer ----------------------------------------------------------------


local SENTENCES = {
    endpoint_state = "the endpoint is %s, not available",
    no_route = "no peering, transit gateway, VPN or Direct Connect leads to the endpoint's VPC",
    route = "the client's route table does not send this traffic to the endpoint",
    family = "the endpoint has no address or route of the client's address family",
    client_egress = "no outbound rule of the client's security groups lets it out",
    endpoint_ingress = "no inbound rule of the endpoint's security groups lets it in",
}

local function answer(reason, endpoint)
    return false, reason, ("would time out, not 403: "
        .. SENTENCES[reason]):format(tostring(endpoint.state))
end


-- What the client sends, or nil when it has no address to send from.
local function probe_of(client, options)
    local protocol = PROTOCOLS[options.protocol or "tcp"]
    if not protocol or protocol == ALL then
        error(("unknown protocol `%s`"):format(tostring(options.protocol)), 3)
    end
    local family = type(client.ip) == "string" and family_of(client.ip)
    return family and {
        protocol = protocol, port = options.port or 443, family = family,
        destination = options.destination,
    }
end


--- Whether a client reaches an endpoint.
-- @tparam table client `ip`; `vpc` and `subnet`, or `network` when it comes in by VPN or Direct
-- Connect; `security_groups` (left out: the default group of the VPC); `middlebox`, true when an
-- appliance stands in between
-- @tparam table endpoint `state`, `type`, `vpc`; interface: `addresses`, `security_groups` (left
-- out: the default group); gateway: `route_tables`, `address_type` (`ipv4`, the default, `ipv6`,
-- `dualstack`), `prefix_lists` (`{v4 = id, v6 = id}`, the service's)
-- @tparam[opt] table options `port` (443), `protocol` (tcp), `destination` (gateway: one address of
-- the service; left out: all of the service has to be reachable)
-- @treturn boolean
-- @treturn string|nil why not: `endpoint_state`, `no_route`, `route`, `family`, `client_egress`,
-- `endpoint_ingress`
-- @treturn string|nil the same in a sentence
function Network:reachable(client, endpoint, options)
    local probe = probe_of(client, options or {})
    local reason
    if endpoint.state ~= "available" then
        reason = "endpoint_state"
    elseif not probe then
        reason = "family"
    elseif endpoint.type == "Gateway" then
        reason = gateway_reason(self, client, endpoint, probe)
    else
        reason = interface_reason(self, client, endpoint, probe)
    end
    if reason then
        return answer(reason, endpoint)
    end
    return true
end


return _M
