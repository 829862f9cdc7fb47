-- Where a client is, by a database of addresses in the MaxMind format.
--
-- Keys: `geo:Country` (ISO 3166-1, `DE`), `geo:Continent` (`EU`), `geo:Asn` (the number of the
-- network's operator). Of the client's address, `client_ip`, else of the peer of the socket. An
-- address that the database does not have, as every private one, has none of them. A database that
-- is broken fails the decision.
--
-- Options: `database`, for country and continent; `asn_database`, for the operator; at least one.
-- GeoLite2, GeoIP2 and the DB-IP databases of countries, cities and ASNs have what is read here.
--
-- Where an address is, is a guess, and whoever wants to be elsewhere rents an address there: use
-- these keys to deny what nobody has a reason to ask for, not to let somebody in.

local OPTIONS = { database = true, asn_database = true }


local function check(config)
    for name, value in pairs(config) do
        if not OPTIONS[name] then
            return nil, ("unknown option `%s`: there are `asn_database`, `database`")
                :format(tostring(name))
        elseif type(value) ~= "string" then
            return nil, ("`%s` is a %s: give the path of a file"):format(name, type(value))
        end
    end
    if not next(config) then
        return nil, "names no database: give `database`, `asn_database` or both"
    end
    return true
end


local function start(config, tools)
    local readers = {}
    for name, path in pairs(config) do
        local reader, err = tools.mmdb(path)
        if not reader then
            return nil, ("`%s`: %s"):format(name, err)
        end
        readers[name] = reader
    end
    return readers
end


-- The address to look up; nil when there is none, as behind a UNIX socket.
local function address_of(context)
    local address = context.client_ip or context.peer
    if type(address) == "string" and address:find("^unix:") then
        return nil
    end
    return address
end


-- The value at a path through a record; nil when the record ends before it.
local function value_at(record, first, second)
    local value = record[first]
    if second and type(value) == "table" then
        return value[second]
    end
    return not second and value or nil
end


local function of_record(database, first, second)
    return function(context, _, tools)
        local reader = tools.state[database]
        local address = address_of(context)
        if not reader then
            -- The policy counts on this key; silence would let its Deny pass.
            return nil, ("the pack has no `%s`: name one in the estate"):format(database)
        elseif not address then
            return nil
        end
        local record, err = reader:lookup(address)
        if not record then
            return nil, err
        end
        return value_at(record, first, second)
    end
end


return {
    kind = "keys",
    name = "geoip",
    api = 1,
    check = check,
    start = start,
    files = { "database", "asn_database" },
    types = { ["geo:Country"] = "string", ["geo:Continent"] = "string", ["geo:Asn"] = "numeric" },
    keys = {
        ["geo:Country"] = of_record("database", "country", "iso_code"),
        ["geo:Continent"] = of_record("database", "continent", "code"),
        ["geo:Asn"] = of_record("asn_database", "autonomous_system_number"),
    },
}
