--- How administration is set up: a listener of its own, and who may.
--
-- A socket of the file system knows its users; over TCP there are tokens and client certificates. A
-- token is nothing to be sent in the clear: without TLS only this machine's own addresses are
-- listened on.
--
-- *Dependencies*: postern.settings.say, postern.settings.listener
--
-- @module postern.settings.admin
local say = require("postern.settings.say")
local listeners = require("postern.settings.listener")


local _M = {}


-- Members that say who may; `postern.protocol.operators` checks what stands in them.
local OPERATORS = { tokens = true, subjects = true, fingerprints = true, users = true }

local MEMBERS = { keep = true }
for _, names in ipairs({ listeners.MEMBERS, OPERATORS }) do
    for name in pairs(names) do
        MEMBERS[name] = true
    end
end

-- Who can open the socket of administration: nobody but its owner.
local MODE = tonumber("600", 8)

-- Revisions of the history; the store keeps at least so few.
local LEAST_KEPT, MOST_KEPT = 10, 10000


local function is_own_address(place)
    return place.host:find("^127%.") ~= nil or place.host == "::1"
end


local function check_proofs(admin, operators)
    local place = admin.place
    if place.kind == "fd" then
        say.fail("admin: `%s`: give an address: a socket that was handed over is not taken",
                 admin.address)
    elseif operators.users and place.kind ~= "unix" then
        say.fail("admin: `users` are known at a Unix socket only: give another `address`, or "
            .. "`tokens`")
    elseif (operators.subjects or operators.fingerprints)
        and not (admin.tls and admin.tls.authorities) then
        say.fail("admin: certificates of clients are not asked for: add `client_ca`")
    elseif place.kind == "tcp" and not admin.tls and not is_own_address(place) then
        say.fail("admin: `%s` is reached from other machines: add `certificate` and `key`, or "
            .. "listen on 127.0.0.1 or a Unix socket", admin.address)
    end
end


--- Reads the word `admin`.
-- @param value nil, false: there is none
-- @tparam table context see `postern.settings.listener`
-- @treturn table|nil as a listener, with `operators` (options of `postern.protocol.operators`) and
-- `keep`
function _M.read(value, context)
    if not value then
        return nil
    elseif type(value) ~= "table" then
        say.fail("`admin` is %s: give a table with `address` and who may: `tokens`, `subjects`, "
            .. "`fingerprints` or `users`", say.describe(value))
    end
    say.check_names("admin: ", value, MEMBERS)
    local admin, operators = listeners.read("admin", value, context), {}
    for name in pairs(OPERATORS) do
        operators[name] = value[name]
    end
    if not next(operators) then
        say.fail("admin: nobody may: give `tokens`, `subjects`, `fingerprints` or `users`")
    elseif operators.tokens ~= nil then
        operators.tokens = say.path("admin: `tokens`", operators.tokens, context.file)
    end
    check_proofs(admin, operators)
    admin.operators, admin.mode = operators, admin.mode or MODE
    admin.keep = value.keep and say.whole("admin: `keep`", value.keep, LEAST_KEPT, MOST_KEPT)
        or nil
    return admin
end


return _M
