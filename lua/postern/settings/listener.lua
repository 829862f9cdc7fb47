--- How a listener of the server is set up: its address, its socket, and TLS.
--
-- `certificate` and `key` make it one of TLS. With `client_ca` clients are asked for a certificate,
-- and have to have one unless `client_certificate` is `optional`. What the members mean together is
-- said here, so that reading the files is all that can fail later.
--
-- *Dependencies*: postern.settings.say
--
-- @module postern.settings.listener
local say = require("postern.settings.say")


local _M = {}


--- The members of one.
_M.MEMBERS = { address = true, mode = true, backlog = true, certificate = true, key = true,
    client_ca = true, client_certificate = true, revoked = true, min_version = true }

-- The words of the settings, to those of `postern.tls`.
local DEMANDS = { required = "required", optional = "optional" }
local VERSIONS = { ["1.2"] = "1.2", ["1.3"] = "1.3" }

-- What says nothing without another.
local NEEDS = {
    { "key", "certificate" }, { "certificate", "key" }, { "client_ca", "certificate" },
    { "client_certificate", "client_ca" }, { "revoked", "client_ca" },
    { "min_version", "certificate" },
}


local function read_mode(what, mode)
    if mode == nil then
        return nil
    elseif type(mode) ~= "string" or not mode:find("^0?[0-7][0-7][0-7]$") then
        say.fail("%s: `mode` is %s: give it in octal, as in \"0660\"", what, say.describe(mode))
    end
    return tonumber(mode, 8)
end


local function choice(what, name, value, words, default)
    if value == nil then
        return default
    elseif not words[value] then
        local all = {}
        for word in pairs(words) do
            all[#all + 1] = ("\"%s\""):format(word)
        end
        table.sort(all)
        say.fail("%s: `%s` is %s: give %s", what, name, say.describe(value),
                 table.concat(all, " or "))
    end
    return words[value]
end


local function read_tls(what, value, from)
    for _, pair in ipairs(NEEDS) do
        if value[pair[1]] ~= nil and value[pair[2]] == nil then
            say.fail("%s: `%s` without `%s`: add it", what, pair[1], pair[2])
        end
    end
    if not value.certificate then
        return nil
    end
    local function file(name)
        local path = value[name]
        return path ~= nil and say.path(("%s: `%s`"):format(what, name), path, from) or nil
    end
    return {
        certificate = file("certificate"), key = file("key"), authorities = file("client_ca"),
        revoked = file("revoked"),
        peer = choice(what, "client_certificate", value.client_certificate, DEMANDS,
                      value.client_ca and "required" or "none"),
        min_version = choice(what, "min_version", value.min_version, VERSIONS, "1.2"),
    }
end


--- Reads one.
-- @tparam string what where it stands
-- @param value an address, or a table with `address` and other `MEMBERS`; others are the caller's
-- to check
-- @tparam table context `parse` (takes an address apart; nil and why for what is none) and `file`
-- (which says it: paths begin in its folder)
-- @treturn table `address`, `place` (as `parse` answered), `mode` (a number), `backlog`, `tls`
-- (options of a server of `postern.tls`; nil: none is spoken)
function _M.read(what, value, context)
    if type(value.address) ~= "string" then
        say.fail("%s: `address` is missing: add it", what)
    end
    local place, why = context.parse(value.address)
    if not place then
        say.fail("%s: `%s`: %s", what, value.address, why)
    end
    return {
        address = value.address, place = place, mode = read_mode(what, value.mode),
        backlog = value.backlog
            and say.whole(what .. ": `backlog`", value.backlog, 1, 65535) or nil,
        tls = read_tls(what, value, context.file),
    }
end


return _M
