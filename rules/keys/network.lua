-- Where a call comes from: the condition keys of the network.
--
-- Source: IAM User Guide, "AWS global condition context keys" (aws:SourceIp, aws:SourceVpc,
-- aws:SourceVpce, aws:VpcSourceIp); API Gateway Developer Guide, "AWS condition keys that can be
-- used in API Gateway resource policies". A call comes over the public network or through a VPC
-- endpoint, and has the keys of one of the two paths, never of both. API Gateway supplies the
-- public ones to regional and edge-optimized APIs, those of the endpoint to private ones.
-- aws:SourceVpcArn and the aws:Vpce* keys are not supplied for execute-api, hence not provided
-- here.
--
-- aws:XfwdIp is not an AWS key. It is the client address that listed proxies report, and absent
-- unless `context.estate.trusted_proxies` is set: an object whose `match(self, address)` answers
-- something when the address is that of a listed proxy.


-- ---- Addresses -------------------------------------------------------------
--
-- One address has many spellings. Values are in one: dotted IPv4, also for IPv4-mapped IPv6, and
-- IPv6 as RFC 5952 writes it. That keeps `${aws:SourceIp}` and the log readable; the address
-- operators would take any spelling.

local LONGEST = 64 -- more than any address with brackets and port has


local function read_quad(text)
    local numbers = { text:match("^(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)$") }
    if #numbers ~= 4 then
        return nil
    end
    for i, digits in ipairs(numbers) do
        -- A leading zero is octal to some readers.
        if tonumber(digits) > 255 or digits:find("^0%d") then
            return nil
        end
        numbers[i] = tonumber(digits)
    end
    return numbers
end


local DOT, ZERO, NINE = ("."):byte(), ("0"):byte(), ("9"):byte()

-- Whether a text is a dotted quad, as most addresses are. Byte by byte, since a pattern with
-- captures costs more than everything else about the address.
local function is_quad(text)
    local dots, digits, value = 0, 0, 0
    for i = 1, #text do
        local byte = text:byte(i)
        if byte == DOT and digits > 0 then
            dots, digits, value = dots + 1, 0, 0
        elseif byte >= ZERO and byte <= NINE and value < 26 and (value > 0 or digits == 0) then
            digits, value = digits + 1, value * 10 + byte - ZERO
        else
            return false
        end
        if value > 255 then
            return false
        end
    end
    return dots == 3 and digits > 0
end


-- The groups of one side of `::`, or nil; a dotted quad may only be the last of all.
local function read_groups(text, may_end_dotted)
    local groups = {}
    local last = text:match("[^:]*$")
    local quad = may_end_dotted and read_quad(last)
    if quad then
        text = text:sub(1, -#last - 1) .. ("%x:%x")
            :format(quad[1] * 256 + quad[2], quad[3] * 256 + quad[4])
    end
    for part in (text == "" and "" or text .. ":"):gmatch("([^:]*):") do
        if not part:find("^%x%x?%x?%x?$") then
            return nil
        end
        groups[#groups + 1] = tonumber(part, 16)
    end
    return groups
end


-- The eight groups of an IPv6 address, or nil.
local function read_ipv6(text)
    local before, after = text:match("^(.-)::(.*)$")
    local head = read_groups(before or text, not before)
    local tail = read_groups(after or "", true)
    if not head or not tail then
        return nil
    end
    -- `::` stands for at least one group.
    local missing = 8 - #head - #tail
    if before and missing < 1 or not before and missing ~= 0 then
        return nil
    end
    local groups = {}
    for _, group in ipairs(head) do
        groups[#groups + 1] = group
    end
    for _ = 1, missing do
        groups[#groups + 1] = 0
    end
    for _, group in ipairs(tail) do
        groups[#groups + 1] = group
    end
    return groups
end


local function is_mapped(groups)
    for i = 1, 5 do
        if groups[i] ~= 0 then
            return false
        end
    end
    return groups[6] == 0xFFFF
end


-- The first of the longest runs of two or more zero groups: where it begins and ends.
local function longest_zeros(groups)
    local from, to, start = 0, -1, nil
    for i = 1, 9 do
        if groups[i] == 0 then
            start = start or i
        elseif start then
            if i - start >= 2 and i - 1 - start > to - from then
                from, to = start, i - 1
            end
            start = nil
        end
    end
    return from, to
end


local function write_ipv6(groups)
    local from, to = longest_zeros(groups)
    local parts = {}
    for i, group in ipairs(groups) do
        parts[i] = ("%x"):format(group)
    end
    if to < from then
        return table.concat(parts, ":")
    end
    return table.concat(parts, ":", 1, from - 1) .. "::" .. table.concat(parts, ":", to + 1, 8)
end


-- An address without its port, in the one spelling; nil when the text is no address.
local function canonical(text)
    if type(text) ~= "string" or #text > LONGEST then
        return nil
    elseif is_quad(text) then
        return text
    end
    -- A port can only be told from an address in brackets or behind a dotted quad.
    text = text:match("^%[([%x:.]+)%]$") or text:match("^%[([%x:.]+)%]:%d+$")
        or text:match("^(%d+%.%d+%.%d+%.%d+):%d+$") or text
    if read_quad(text) then
        return text
    end
    local groups = read_ipv6(text)
    if not groups then
        return nil
    elseif is_mapped(groups) then
        local high, low = groups[7], groups[8]
        return ("%d.%d.%d.%d"):format(math.floor(high / 256), high % 256,
                                      math.floor(low / 256), low % 256)
    end
    return write_ipv6(groups)
end


local function address_of(text, what)
    local address = canonical(text)
    if not address then
        return nil, ("%s is not an address"):format(what)
    end
    return address
end


-- ---- The two paths ---------------------------------------------------------


-- A call without an API is one to another service; its path alone counts.
local function is_private(context, otherwise)
    if context.api then
        return context.api.endpoint_type == "PRIVATE"
    end
    return otherwise
end


local function is_public_call(context)
    return context.endpoint == nil and not is_private(context, false)
end


local function is_endpoint_call(context)
    return context.endpoint ~= nil and is_private(context, true)
end


-- The peer of a UNIX socket, as hosts spell it, has no address.
local function peer_of(context)
    local peer = context.peer
    if peer == nil or (type(peer) == "string" and peer:sub(1, 5) == "unix:") then
        return nil
    end
    return peer
end


local function source_ip(context)
    local peer = peer_of(context)
    if not peer or not is_public_call(context) then
        return nil
    end
    return address_of(peer, "the peer")
end


local function vpc_source_ip(context)
    if context.client_ip == nil or not is_endpoint_call(context) then
        return nil
    end
    return address_of(context.client_ip, "the client's private address")
end


local function source_vpc(context)
    return is_endpoint_call(context) and context.endpoint.vpc or nil
end


local function source_vpce(context)
    return is_endpoint_call(context) and context.endpoint.id or nil
end


-- ---- Forwarded addresses ---------------------------------------------------


-- Every address of the list in the one spelling, or nil. One pass: the list may be enormous.
local function read_list(text)
    local list = {}
    for part in (text .. ","):gmatch("([^,]*),") do
        local address = #part <= LONGEST and canonical(part:match("^[ \t]*([^ \t]*)[ \t]*$"))
        if not address then
            return nil
        end
        list[#list + 1] = address
    end
    return list
end


-- The header is only believed when the peer itself is a listed proxy; being private is not enough.
-- Each proxy appends the address it was called from, so the list is read from the right, past
-- listed proxies, and what stands further left is the client's own word.
local function xfwd_ip(context)
    local proxies = context.estate and context.estate.trusted_proxies
    local peer = peer_of(context) and canonical(context.peer)
    if not proxies or not peer or not proxies:match(peer) then
        return nil
    end
    local headers = context.http and context.http.headers or {}
    local lines = headers["x-forwarded-for"]
    if context.http and context.http.headers_truncated then
        return nil, "not all headers of the request are known"
    elseif lines == nil or #lines == 0 then
        return nil
    elseif #lines > 1 then
        return nil, "the header X-Forwarded-For is there more than once"
    end
    local list = read_list(lines[1])
    if not list then
        return nil, "the header X-Forwarded-For is not a list of addresses"
    end
    for i = #list, 1, -1 do
        if not proxies:match(list[i]) then
            return list[i]
        end
    end
    return nil
end


-- ---- Known before --------------------------------------------------------------------


local function plan_source_ip(context)
    return is_public_call(context) and "peer" or "constant"
end


local function plan_vpc_source_ip(context)
    return is_endpoint_call(context) and "client_ip" or "constant"
end


local function plan_xfwd_ip(context)
    return not (context.estate and context.estate.trusted_proxies) and "constant" or nil
end


local function check(config)
    local name = next(config or {})
    if name ~= nil then
        return nil, ("unknown option `%s`: there are none"):format(tostring(name))
    end
    return true
end


return {
    kind = "keys",
    name = "network",
    api = 1,
    check = check,
    types = {
        ["aws:SourceIp"] = "ip",
        ["aws:SourceVpc"] = "string",
        ["aws:SourceVpce"] = "string",
        ["aws:VpcSourceIp"] = "ip",
        ["aws:XfwdIp"] = "ip",
    },
    plan = {
        ["aws:SourceIp"] = plan_source_ip,
        ["aws:SourceVpc"] = "constant",
        ["aws:SourceVpce"] = "constant",
        ["aws:VpcSourceIp"] = plan_vpc_source_ip,
        ["aws:XfwdIp"] = plan_xfwd_ip,
    },
    keys = {
        ["aws:SourceIp"] = source_ip,
        ["aws:SourceVpc"] = source_vpc,
        ["aws:SourceVpce"] = source_vpce,
        ["aws:VpcSourceIp"] = vpc_source_ip,
        ["aws:XfwdIp"] = xfwd_ip,
    },
}
