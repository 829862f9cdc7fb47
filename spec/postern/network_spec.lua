local network = require("postern.network")


-- Rules in short: R(protocol, port or {from, to}, peer), where a peer with a slash is a range, one
-- that begins with pl- a prefix list, and one that begins with sg- a group.
local function R(protocol, port, peer)
    local rule = { protocol = protocol }
    if type(port) == "table" then
        rule.from, rule.to = port[1], port[2]
    else
        rule.port = port
    end
    local kind = peer:find("/", 1, true) and "cidr"
        or (peer:find("^pl%-") and "prefix_list" or "security_group")
    rule[kind] = peer
    return rule
end


local ANY4, ANY6 = R("all", nil, "0.0.0.0/0"), R("-1", nil, "::/0")
local HTTPS = R("tcp", 443, "10.0.0.0/8")


-- The network of most cases: vpc-1 has the endpoint; vpc-2 is its peer, vpc-3 hangs on a transit
-- gateway, vpc-4 is a peer of the peer; the office comes in by VPN.
local function model(groups)
    return {
        vpcs = {
            ["vpc-1"] = { cidr = { "10.1.0.0/16" }, peers = { "vpc-2" }, transit = { "vpc-3" },
                          networks = { "office" }, route_table = "rtb-main" },
            ["vpc-2"] = { cidr = { "10.2.0.0/16", "2001:db8:2::/56" } },
            ["vpc-3"] = { cidr = { "10.3.0.0/16" } },
            ["vpc-4"] = { cidr = { "10.4.0.0/16" }, peers = { "vpc-2" } },
        },
        subnets = {
            ["subnet-1"] = { vpc = "vpc-1", route_table = "rtb-1" },
            ["subnet-own"] = { vpc = "vpc-1", route_table = "rtb-own" },
            ["subnet-main"] = { vpc = "vpc-1" },
        },
        route_tables = {
            ["rtb-1"] = { routes = { { destination = "0.0.0.0/0" }, { destination = "10.1.0.0/16" },
                                     { destination = "52.216.0.0/14" } } },
            ["rtb-own"] = { routes = { { destination = "52.218.128.0/24" } } },
        },
        prefix_lists = {
            ["pl-s3"] = { cidr = { "52.218.0.0/17", "52.218.128.0/17" }, service = "s3" },
            ["pl-s3v6"] = { cidr = { "2600:1fa0::/40" }, service = "s3" },
            ["pl-clients"] = { cidr = { "10.1.0.0/16", "10.2.7.0/24" } },
            ["pl-endpoints"] = { cidr = { "10.1.9.0/24" } },
        },
        security_groups = groups,
    }
end


local function groups_of(client, endpoint)
    local function group(vpc, rules)
        return { vpc = vpc, inbound = rules.inbound, outbound = rules.outbound }
    end
    return {
        ["sg-client"] = group(client.vpc or "vpc-1", client),
        ["sg-endpoint"] = group("vpc-1", endpoint),
    }
end


local CLIENT = { ip = "10.1.2.3", vpc = "vpc-1", subnet = "subnet-1",
                 security_groups = { "sg-client" } }
local ENDPOINT = { state = "available", type = "Interface", vpc = "vpc-1",
                   addresses = { "10.1.9.9", "2001:db8:1::9" },
                   security_groups = { "sg-endpoint" } }
local GATEWAY = { state = "available", type = "Gateway", vpc = "vpc-1", service = "s3",
                  route_tables = { "rtb-1", "rtb-own", "rtb-main" } }


local function with(base, changes)
    local copy = {}
    for name, value in pairs(base) do
        copy[name] = value
    end
    for name, value in pairs(changes or {}) do
        copy[name] = value
    end
    return copy
end


-- Rows are { what is asked, reason or nil, client, endpoint, outbound rules of the client, inbound
-- rules of the endpoint, options }; rules that are nil let everything pass.
local function try(rows, base)
    for _, row in ipairs(rows) do
        local what, reason = row[1], row[2]
        local client, endpoint = with(CLIENT, row[3]), with(base, row[4])
        local net = assert(network.new(model(groups_of(
            { vpc = client.vpc, outbound = row[5] or { ANY4, ANY6 } },
            { inbound = row[6] or { ANY4, ANY6 } }))))
        local ok, why, sentence = net:reachable(client, endpoint, row[7])
        assert.equal(reason == nil, ok, what .. ": " .. tostring(why))
        assert.equal(reason, why, what)
        if reason then
            assert.matches("^would time out, not 403: %l", sentence)
        else
            assert.is_nil(sentence)
        end
    end
end


describe("an interface endpoint", function()
    it("is reached when it is available", function()
        try({ { "available" } }, ENDPOINT)
        for _, state in ipairs({ "pending", "pendingAcceptance", "deleting", "deleted",
                                 "rejected" }) do
            try({ { state, "endpoint_state", nil, { state = state } } }, ENDPOINT)
        end
        local net = assert(network.new({}))
        local _, reason, sentence = net:reachable(CLIENT, { type = "Interface" })
        assert.equal("endpoint_state", reason)
        assert.is_truthy(sentence:find("the endpoint is nil, not available", 1, true))
    end)

    it("is reached from its VPC and from where a way leads to it", function()
        try({
            { "same VPC" },
            { "peer", nil, { vpc = "vpc-2", ip = "10.2.0.1" } },
            { "transit gateway", nil, { vpc = "vpc-3", ip = "10.3.0.1" } },
            { "peer of the peer", "no_route", { vpc = "vpc-4", ip = "10.4.0.1" } },
            { "stranger", "no_route", { vpc = "vpc-5" } },
            { "endpoint elsewhere", "no_route", nil, { vpc = "vpc-4" } },
            { "endpoint of an unknown VPC", "no_route", nil, { vpc = "vpc-9" } },
        }, ENDPOINT)
        local net = assert(network.new(model(groups_of({}, { inbound = { HTTPS } }))))
        local ok, reason = net:reachable({ ip = "10.99.0.1", network = "office" }, ENDPOINT)
        assert.is_true(ok, reason)
        for _, client in ipairs({ { ip = "10.99.0.1", network = "home" }, { ip = "10.99.0.1" } }) do
            ok, reason = net:reachable(client, ENDPOINT)
            assert.is_false(ok)
            assert.equal("no_route", reason)
        end
        -- Whoever comes in by VPN has no security group, the endpoint has.
        ok, reason = net:reachable({ ip = "192.0.2.1", network = "office" }, ENDPOINT)
        assert.is_false(ok)
        assert.equal("endpoint_ingress", reason)
    end)

    it("is reached at its address of the client's family", function()
        local only4, only6 = { addresses = { "10.1.9.9" } }, { addresses = { "2001:db8:1::9" } }
        try({
            { "IPv6", nil, { ip = "2001:db8:1::1" } },
            { "IPv6 to IPv4", "family", { ip = "2001:db8:1::1" }, only4 },
            { "IPv4 to IPv6", "family", nil, only6 },
            { "no address", "family", nil, { addresses = {} } },
            { "IPv4 as IPv6", nil, { ip = "::ffff:10.1.2.3" }, only4 },
            { "IPv4 as IPv6 in hexadecimal", nil, { ip = "::ffff:a01:203" }, only4 },
            { "no address of the client's", "family", { ip = "10.1.2.300" } },
            { "a name", "family", { ip = "localhost" } },
            { "empty", "family", { ip = "" } },
            { "no text", "family", { ip = 7 } },
        }, ENDPOINT)
    end)

    it("is let out to", function()
        try({
            { "no rule", "client_egress", nil, nil, {} },
            { "port", nil, nil, nil, { R("tcp", 443, "0.0.0.0/0") } },
            { "by number", nil, nil, nil, { R(6, 443, "0.0.0.0/0") } },
            { "by text of a number", nil, nil, nil, { R("6", 443, "0.0.0.0/0") } },
            { "all by number", nil, nil, nil, { R(-1, nil, "0.0.0.0/0") } },
            { "all with a port, which says nothing", nil, nil, nil, { R("all", 1, "0.0.0.0/0") } },
            { "ports", nil, nil, nil, { R("tcp", { 1, 1024 }, "0.0.0.0/0") } },
            { "ports from", nil, nil, nil, { R("tcp", { 443, 500 }, "0.0.0.0/0") } },
            { "ports to", nil, nil, nil, { R("tcp", { 0, 443 }, "0.0.0.0/0") } },
            { "ports above", "client_egress", nil, nil, { R("tcp", { 444, 65535 }, "0.0.0.0/0") } },
            { "ports below", "client_egress", nil, nil, { R("tcp", { 0, 442 }, "0.0.0.0/0") } },
            { "another port", "client_egress", nil, nil, { R("tcp", 80, "0.0.0.0/0") } },
            { "another protocol", "client_egress", nil, nil, { R("udp", 443, "0.0.0.0/0") } },
            { "ping", "client_egress", nil, nil, { R("icmp", nil, "0.0.0.0/0") } },
            { "another family", "client_egress", nil, nil, { R("tcp", 443, "::/0") } },
            { "one address", nil, nil, nil, { R("tcp", 443, "10.1.9.9/32") } },
            { "another address", "client_egress", nil, nil, { R("tcp", 443, "10.1.9.8/32") } },
            { "one IPv6 address", nil, { ip = "2001:db8:1::1" }, nil,
              { R("tcp", 443, "2001:db8:1::9/128") } },
            { "host bits", nil, nil, nil, { R("tcp", 443, "10.1.9.77/24") } },
            { "host bits elsewhere", "client_egress", nil, nil, { R("tcp", 443, "10.1.8.9/24") } },
            { "prefix list", nil, nil, nil, { R("tcp", 443, "pl-endpoints") } },
            { "another prefix list", "client_egress", nil, nil, { R("tcp", 443, "pl-s3") } },
            { "group", nil, nil, nil, { R("tcp", 443, "sg-endpoint") } },
            { "another group", "client_egress", nil, nil, { R("tcp", 443, "sg-client") } },
            { "unknown group", "client_egress", nil, nil, { R("tcp", 443, "sg-9") } },
            { "one of several rules", nil, nil, nil,
              { R("tcp", 80, "0.0.0.0/0"), R("tcp", 443, "10.1.9.9/32") } },
        }, ENDPOINT)
    end)

    it("lets in", function()
        try({
            { "no rule", "endpoint_ingress", nil, nil, nil, {} },
            { "port", nil, nil, nil, nil, { HTTPS } },
            { "another port", "endpoint_ingress", nil, nil, nil, { R("tcp", 80, "0.0.0.0/0") } },
            { "another protocol", "endpoint_ingress", nil, nil, nil,
              { R("udp", 443, "0.0.0.0/0") } },
            { "one address", nil, nil, nil, nil, { R("tcp", 443, "10.1.2.3/32") } },
            { "another address", "endpoint_ingress", nil, nil, nil,
              { R("tcp", 443, "10.1.2.4/32") } },
            { "prefix list", nil, nil, nil, nil, { R("tcp", 443, "pl-clients") } },
            { "another prefix list", "endpoint_ingress", nil, nil, nil,
              { R("tcp", 443, "pl-endpoints") } },
            { "group", nil, nil, nil, nil, { R("tcp", 443, "sg-client") } },
            { "another group", "endpoint_ingress", nil, nil, nil,
              { R("tcp", 443, "sg-endpoint") } },
            { "unknown group", "endpoint_ingress", nil, nil, nil, { R("tcp", 443, "sg-9") } },
        }, ENDPOINT)
    end)

    it("is asked for other ports and protocols", function()
        local udp = { protocol = "udp", port = 53 }
        try({
            { "udp", nil, nil, nil, nil, { R(17, 53, "0.0.0.0/0") }, udp },
            { "udp, not tcp", "endpoint_ingress", nil, nil, nil, { R(6, 53, "0.0.0.0/0") }, udp },
            { "ping", nil, nil, nil, nil, { R(1, nil, "0.0.0.0/0") }, { protocol = "icmp" } },
            { "ping with a port", nil, nil, nil, nil, { R(1, 8, "0.0.0.0/0") },
              { protocol = "icmp" } },
            { "ping refused", "endpoint_ingress", nil, nil, nil, { HTTPS },
              { protocol = "icmp" } },
            { "ping of IPv6", nil, { ip = "2001:db8:1::1" }, nil, nil, { R(58, nil, "::/0") },
              { protocol = "icmpv6" } },
            { "another port", nil, nil, nil, nil, { R("tcp", 8443, "0.0.0.0/0") },
              { port = 8443 } },
        }, ENDPOINT)
        local net = assert(network.new(model({})))
        for _, protocol in ipairs({ "all", "sctp" }) do
            assert.has_error(function()
                net:reachable(CLIENT, ENDPOINT, { protocol = protocol })
            end, "unknown protocol `" .. protocol .. "`")
        end
    end)

    it("knows groups of other VPCs", function()
        local peer = { vpc = "vpc-2", ip = "10.2.0.1" }
        local transit = { vpc = "vpc-3", ip = "10.3.0.1" }
        local to, from = { R("tcp", 443, "sg-endpoint") }, { R("tcp", 443, "sg-client") }
        try({
            { "out to a peer's group", nil, peer, nil, to },
            { "in from a peer's group", nil, peer, nil, nil, from },
            { "in from a group behind a transit gateway", nil, transit, nil, nil, from },
            { "out to a group behind a transit gateway", "client_egress", transit, nil, to },
        }, ENDPOINT)
    end)

    it("does not see groups through an appliance", function()
        local hidden = { middlebox = true }
        try({
            { "out", "client_egress", hidden, nil, { R("tcp", 443, "sg-endpoint") } },
            { "in", "endpoint_ingress", hidden, nil, nil, { R("tcp", 443, "sg-client") } },
            { "ranges", nil, hidden, nil, { R("tcp", 443, "0.0.0.0/0") }, { HTTPS } },
        }, ENDPOINT)
    end)

    it("takes the rules of all groups together", function()
        local net = assert(network.new(model({
            ["sg-a"] = { vpc = "vpc-1", outbound = {} },
            ["sg-b"] = { vpc = "vpc-1", outbound = { R("tcp", 443, "sg-d") } },
            ["sg-c"] = { vpc = "vpc-1" },
            ["sg-d"] = { vpc = "vpc-1", inbound = { R("tcp", 443, "sg-a") } },
        })))
        local function ask(own, theirs)
            local _, reason = net:reachable(with(CLIENT, { security_groups = own }),
                with(ENDPOINT, { security_groups = theirs }))
            return reason
        end
        assert.is_nil(ask({ "sg-a", "sg-b" }, { "sg-c", "sg-d" }))
        assert.is_nil(ask({ "sg-b", "sg-a" }, { "sg-d", "sg-c" }))
        assert.equal("client_egress", ask({ "sg-a" }, { "sg-c", "sg-d" }))
        assert.equal("client_egress", ask({ "sg-a", "sg-b" }, { "sg-c" }))
        -- The rules of a group that is named are not those of the group that names it.
        assert.equal("endpoint_ingress", ask({ "sg-b" }, { "sg-c", "sg-d" }))
        assert.equal("client_egress", ask({ "sg-unknown" }, { "sg-d" }))
        assert.equal("endpoint_ingress", ask({ "sg-c" }, { "sg-unknown" }))
    end)

    it("is stateful: replies pass", function()
        local net = assert(network.new(model({
            ["sg-client"] = { vpc = "vpc-1", inbound = {}, outbound = { ANY4 } },
            ["sg-endpoint"] = { vpc = "vpc-1", inbound = { ANY4 }, outbound = {} },
        })))
        assert.is_true(net:reachable(CLIENT, ENDPOINT))
    end)
end)


describe("a security group that nobody changed", function()
    local function network_of(groups)
        return assert(network.new(model(groups)))
    end

    it("lets nothing in and everything out", function()
        local net = network_of({
            ["sg-client"] = { vpc = "vpc-1" }, ["sg-endpoint"] = { vpc = "vpc-1" },
            ["sg-open"] = { vpc = "vpc-1", inbound = { ANY4, ANY6 } },
        })
        local open = with(ENDPOINT, { security_groups = { "sg-open" } })
        assert.is_true(net:reachable(CLIENT, open))
        assert.equal("endpoint_ingress", select(2, net:reachable(CLIENT, ENDPOINT)))
    end)

    it("lets IPv6 out where the VPC has it", function()
        for vpc, reason in pairs({ ["vpc-1"] = "client_egress", ["vpc-2"] = false }) do
            local net = network_of({
                ["sg-client"] = { vpc = vpc },
                ["sg-endpoint"] = { vpc = "vpc-1", inbound = { ANY4, ANY6 } },
            })
            local client = with(CLIENT, { vpc = vpc, ip = "2001:db8:2::1" })
            assert.equal(reason, select(2, net:reachable(client, ENDPOINT)) or false)
        end
    end)

    it("lets its members reach each other if it is the default group", function()
        local net = network_of({
            ["sg-default"] = { vpc = "vpc-1", name = "default" },
            ["sg-other"] = { vpc = "vpc-1", name = "other" },
            ["sg-default2"] = { vpc = "vpc-2", name = "default" },
        })
        local function ask(own, theirs, vpc)
            local client = with(CLIENT, { vpc = vpc or "vpc-1" })
            client.security_groups = own
            local endpoint = with(ENDPOINT)
            endpoint.security_groups = theirs
            return select(2, net:reachable(client, endpoint))
        end
        -- A client or an endpoint without groups has the default group.
        assert.is_nil(ask(nil, nil))
        assert.is_nil(ask({ "sg-default" }, nil))
        assert.is_nil(ask({}, {}))
        assert.is_nil(ask({ "sg-other", "sg-default" }, { "sg-default" }))
        assert.equal("endpoint_ingress", ask({ "sg-other" }, nil))
        assert.equal("endpoint_ingress", ask(nil, { "sg-other" }))
        assert.equal("endpoint_ingress", ask(nil, nil, "vpc-2"))
    end)

    it("is not there where the VPC has no default group", function()
        local net = network_of({})
        local client = with(CLIENT)
        client.security_groups = nil
        assert.equal("client_egress", select(2, net:reachable(client, ENDPOINT)))
    end)

    it("can have its rules changed if it is the default group", function()
        local net = network_of({
            ["sg-default"] = { vpc = "vpc-1", name = "default", inbound = {} },
        })
        local client, endpoint = with(CLIENT), with(ENDPOINT)
        client.security_groups, endpoint.security_groups = nil, nil
        assert.equal("endpoint_ingress", select(2, net:reachable(client, endpoint)))
    end)

    it("blocks all that the host starts when its outbound rules are gone", function()
        local net = network_of({
            ["sg-client"] = { vpc = "vpc-1", outbound = {} },
            ["sg-endpoint"] = { vpc = "vpc-1", inbound = { ANY4 } },
        })
        assert.equal("client_egress", select(2, net:reachable(CLIENT, ENDPOINT)))
    end)
end)


describe("a gateway endpoint", function()
    it("is reached from subnets whose route table leads to it", function()
        try({
            { "route table" },
            { "main route table", nil, { subnet = "subnet-main" } },
            { "main route table of an unknown subnet", nil, { subnet = "subnet-9" } },
            { "no such route", "route", nil, { route_tables = { "rtb-2" } } },
            { "no route at all", "route", nil, { route_tables = {} } },
            { "another VPC", "route", { vpc = "vpc-2", subnet = "subnet-1" } },
            { "another VPC without route tables", "route", { vpc = "vpc-2", subnet = "subnet-9" } },
            { "not available", "endpoint_state", nil, { state = "pending" } },
            { "no address of the client's", "family", { ip = "x" } },
        }, GATEWAY)
    end)

    it("loses to an own route that is as specific or more", function()
        local function ask(destination, options)
            local described = model({ ["sg-client"] = { vpc = "vpc-1" } })
            described.route_tables["rtb-1"].routes = { { destination = destination } }
            return select(2, assert(network.new(described)):reachable(CLIENT, GATEWAY, options))
        end
        -- own route, reason for all of the service, reason for 52.218.1.1
        for _, row in ipairs({
            { "0.0.0.0/0", nil, nil },
            { "52.218.0.0/16", nil, nil },          -- less specific
            { "52.218.0.0/17", "route", "route" },  -- equal
            { "52.218.1.0/24", "route", "route" },  -- more specific
            { "52.218.1.1", "route", "route" },     -- one address
            { "52.218.2.0/24", "route", nil },      -- elsewhere in the list
            { "52.218.128.0/17", "route", nil },    -- the other range
            { "10.0.0.0/8", nil, nil },
            { "2600:1fa0::/40", nil, nil },         -- the other family
            { "pl-s3", "route", "route" },          -- a list of one's own with the same ranges
            { "pl-clients", nil, nil },
            { "::ffff:52.218.1.0/120", "route", "route" },
            { "::ffff:52.218.0.0/113", "route", "route" },
            { "::ffff:52.218.0.0/112", nil, nil },
        }) do
            assert.equal(row[2], ask(row[1]), row[1])
            assert.equal(row[3], ask(row[1], { destination = "52.218.1.1" }), row[1])
        end
        assert.equal("route", ask("0.0.0.0/0", { destination = "192.0.2.1" })) -- not of the service
    end)

    it("is routed in its address families", function()
        local six = { ip = "2001:db8:1::1" }
        try({
            { "IPv4 is the default" },
            { "IPv4", nil, nil, { address_type = "ipv4" } },
            { "both", nil, nil, { address_type = "dualstack" } },
            { "IPv4 to IPv6", "family", nil, { address_type = "ipv6" } },
            { "IPv6 to IPv4", "family", six },
            { "IPv6", nil, six, { address_type = "ipv6" } },
            { "IPv6 to both", nil, six, { address_type = "dualstack" } },
        }, GATEWAY)
    end)

    it("is let out to", function()
        local six = { ip = "2001:db8:1::1" }
        local both = { address_type = "dualstack" }
        local at = { destination = "52.218.1.1" }
        try({
            { "no rule", "client_egress", nil, nil, {} },
            { "no rule, one address", "client_egress", nil, nil, {}, nil, at },
            { "prefix list", nil, nil, nil, { R("tcp", 443, "pl-s3") } },
            { "prefix list, one address", nil, nil, nil, { R("tcp", 443, "pl-s3") }, nil, at },
            { "prefix list, another port", "client_egress", nil, nil, { R("tcp", 80, "pl-s3") } },
            { "prefix list of the other family", "client_egress", nil, nil,
              { R("tcp", 443, "pl-s3v6") } },
            { "another prefix list", "client_egress", nil, nil, { R("tcp", 443, "pl-clients") } },
            { "everything", nil, nil, nil, { R("tcp", 443, "0.0.0.0/0") } },
            { "everything of the other family", "client_egress", nil, nil,
              { R("tcp", 443, "::/0") } },
            { "covering range", nil, nil, nil, { R("tcp", 443, "52.218.0.0/16") } },
            { "two ranges that cover", nil, nil, nil,
              { R("tcp", 443, "52.218.0.0/17"), R("tcp", 443, "52.218.128.0/17") } },
            { "half of it", "client_egress", nil, nil, { R("tcp", 443, "52.218.0.0/17") } },
            { "the right half", nil, nil, nil, { R("tcp", 443, "52.218.0.0/17") }, nil, at },
            { "the wrong half", "client_egress", nil, nil, { R("tcp", 443, "52.218.128.0/17") },
              nil, at },
            { "one address", nil, nil, nil, { R("tcp", 443, "52.218.1.1/32") }, nil, at },
            { "one address of all", "client_egress", nil, nil, { R("tcp", 443, "52.218.1.1/32") } },
            { "group", "client_egress", nil, nil, { R("tcp", 443, "sg-client") } },
            { "group, one address", "client_egress", nil, nil, { R("tcp", 443, "sg-client") }, nil,
              at },
            { "IPv6 list", nil, six, both, { R("tcp", 443, "pl-s3v6") } },
            { "IPv6 range", nil, six, both, { R("tcp", 443, "2600::/12") } },
            { "IPv4 list", "client_egress", six, both, { R("tcp", 443, "pl-s3") } },
        }, GATEWAY)
    end)

    it("needs no inbound rule and asks for none of the endpoint's groups", function()
        try({ { "nothing let in", nil, nil, nil, nil, {} } }, GATEWAY)
    end)

    it("may name its prefix lists, or have some that nobody described", function()
        local named = with(GATEWAY, { service = "x", prefix_lists = { v4 = "pl-s3" } })
        local unknown = with(GATEWAY, { service = "x", prefix_lists = { v4 = "pl-9" } })
        local nameless = with(GATEWAY, { service = "x" })
        try({
            { "named", nil, nil, nil, { R("tcp", 443, "pl-s3") } },
            { "named, own route", "route", { subnet = "subnet-own" } },
        }, named)
        for _, endpoint in ipairs({ unknown, nameless }) do
            try({
                { "everything", nil, nil, nil, { R("tcp", 443, "0.0.0.0/0") } },
                { "something", "client_egress", nil, nil, { R("tcp", 443, "52.218.0.0/16") } },
                { "one address", nil, nil, nil, { R("tcp", 443, "52.218.0.0/16") }, nil,
                  { destination = "52.218.1.1" } },
                { "own route", nil, { subnet = "subnet-own" } },
            }, endpoint)
        end
    end)

    it("whose list has nothing of a family has no route there", function()
        local described = model({ ["sg-client"] = { vpc = "vpc-1" } })
        described.prefix_lists["pl-empty"] = { cidr = {} }
        local net = assert(network.new(described))
        assert.equal("route", select(2, net:reachable(CLIENT,
            with(GATEWAY, { prefix_lists = { v4 = "pl-empty" } }))))
    end)
end)


describe("a network's description", function()
    it("is refused where it makes no sense", function()
        local function groups(rule)
            return { security_groups = { ["sg-1"] = { vpc = "vpc-1", inbound = { rule } } } }
        end
        local function outbound(rule)
            return { security_groups = { ["sg-1"] = { vpc = "vpc-1",
                                                      outbound = { ANY4, rule } } } }
        end
        for _, row in ipairs({
            { groups({ protocol = "tcp", port = 443 }),
              "security group `sg-1`: inbound rule 1: give one of `cidr`" },
            { groups({ protocol = "tcp", port = 443, cidr = "::/0", security_group = "sg-1" }),
              "give one of" },
            { groups({ protocol = "tcp", port = 443, prefix_list = "pl-9" }),
              "there is no prefix list `pl-9`" },
            { groups({ port = 443, cidr = "::/0" }), "unknown protocol `nil`" },
            { groups({ protocol = "sctp", port = 443, cidr = "::/0" }), "unknown protocol `sctp`" },
            { groups({ protocol = "tcp", cidr = "::/0" }), "give a `port`" },
            { groups({ protocol = "udp", from = 1, cidr = "::/0" }), "give a `port`" },
            { groups({ protocol = "tcp", from = 2, to = 1, cidr = "::/0" }), "give a `port`" },
            { groups({ protocol = "tcp", from = 0, to = 65536, cidr = "::/0" }), "give a `port`" },
            { groups({ protocol = "tcp", port = -1, cidr = "::/0" }), "give a `port`" },
            { groups({ protocol = "tcp", port = 1.5, cidr = "::/0" }), "give a `port`" },
            { groups({ protocol = "tcp", port = "443", cidr = "::/0" }), "give a `port`" },
            { groups({ protocol = "tcp", port = 443, cidr = "10.0.0.0/33" }), "10.0.0.0/33" },
            { groups({ protocol = "tcp", port = 443, cidr = "::/0", peer = "x" }),
              "unknown member `peer`" },
            { outbound({ protocol = "tcp", port = 443, cidr = "x" }),
              "security group `sg-1`: outbound rule 2: " },
            { { prefix_lists = { ["pl-1"] = { cidr = { "10.0.0.0/8", "y" } } } },
              "prefix list `pl-1`: " },
            { { route_tables = { ["rtb-1"] = { routes = { { destination = "pl-9" } } } } },
              "route table `rtb-1`: route 1: " },
        }) do
            local net, err = network.new(row[1])
            assert.is_nil(net)
            assert.is_truthy(err:find(row[2], 1, true), err)
        end
    end)

    it("may be empty", function()
        local net = assert(network.new({}))
        assert.equal("client_egress", select(2, net:reachable(CLIENT, ENDPOINT)))
        assert.equal("route", select(2, net:reachable(CLIENT, GATEWAY)))
    end)
end)
