--- Operators: who may administer, by a token, a client certificate or the user behind a Unix
-- socket.
--
-- Nobody may, unless it is said who. Whoever shows one proof that is wrong is refused, and is not
-- asked for another.
--
-- *Dependencies*: postern.crypto
--
-- @module postern.protocol.operators
local crypto = require("postern.crypto")


local _M = {}
local Operators = {}
Operators.__index = Operators


local OPTIONS = { tokens = true, subjects = true, fingerprints = true, users = true }


local function check_list(name, list, wanted)
    if type(list) ~= "table" or #list == 0 then
        error(("`%s`: give a list that is not empty"):format(name), 4)
    end
    for _, item in ipairs(list) do
        if type(item) ~= wanted or item == "" then
            error(("`%s`: `%s` is no %s"):format(name, tostring(item), wanted), 4)
        end
    end
end


local function set_of(list, change)
    local found = {}
    for _, item in ipairs(list or {}) do
        found[change and change(item) or item] = true
    end
    return found
end


-- OpenSSL shows fingerprints with colons and in upper case.
local function plain_fingerprint(text)
    return (text:gsub(":", ""):lower())
end


local function check(options)
    for name, value in pairs(options) do
        if not OPTIONS[name] then
            error(("unknown option `%s`"):format(tostring(name)), 4)
        elseif name == "tokens" and (type(value) ~= "string" or value == "") then
            error("`tokens`: give the path of a file", 4)
        elseif name ~= "tokens" then
            check_list(name, value, name == "users" and "number" or "string")
        end
    end
    for _, fingerprint in ipairs(options.fingerprints or {}) do
        if not plain_fingerprint(fingerprint):match("^" .. ("%x"):rep(64) .. "$") then
            error(("`fingerprints`: `%s` is no SHA-256"):format(fingerprint), 4)
        end
    end
    if not next(options) then
        error("nobody may administer: give `tokens`, `subjects`, `fingerprints` or `users`", 4)
    end
end


--- Makes them.
-- @tparam table options at least one of `tokens` (a file, with lines `NAME SHA256` of tokens),
-- `subjects` (of client certificates, spelled exactly so), `fingerprints` (of client certificates,
-- SHA-256) and `users` (numbers of the users at the other end of a Unix socket)
-- @tparam function read a host's reader; the file is read each time, so that a token that is taken
-- out of it is worth nothing from then on
-- @treturn Operators
function _M.new(options, read)
    check(options)
    return setmetatable({
        tokens = options.tokens, read = read, subjects = set_of(options.subjects),
        fingerprints = set_of(options.fingerprints, plain_fingerprint),
        users = set_of(options.users),
    }, Operators)
end


-- The lines of a file of tokens: name and hash. One wrong line is an error: half a list of who may
-- is not taken.
local function read_tokens(self)
    local text, err = self.read(self.tokens)
    if not text then
        return nil, ("%s: %s"):format(self.tokens, err)
    end
    local found, number = {}, 0
    for line in (text .. "\n"):gmatch("(.-)\r?\n") do
        number = number + 1
        local name, hash = line:match("^([%w_.@-]+)%s+(%x+)%s*$")
        if name and #hash == 64 then
            found[#found + 1] = { name = name, hash = hash:lower() }
        elseif line:match("%S") and not line:match("^%s*#") then
            return nil, ("%s:%d: write the name of an operator and the SHA-256 of the token")
                :format(self.tokens, number)
        end
    end
    return found
end


-- Every line is compared, whichever fits, each in constant time.
local function by_token(self, values)
    local token = #values == 1 and values[1]:match("^[Bb][Ee][Aa][Rr][Ee][Rr] +([!-~]+)$")
    if not token then
        return nil, "an Authorization that is no bearer token"
    elseif not self.tokens then
        return nil, "a token, where none is taken"
    end
    local lines, err = read_tokens(self)
    if not lines then
        return nil, err
    end
    local hash, name = crypto.hex(crypto.sha256(token)), nil
    for _, line in ipairs(lines) do
        if crypto.equal(line.hash, hash) then
            name = line.name
        end
    end
    return name, not name and "an unknown token" or nil
end


local function by_certificate(self, tls)
    if tls.verified ~= true then
        return nil, "a client certificate that is not verified"
    elseif tls.subject and self.subjects[tls.subject]
        or tls.fingerprint and self.fingerprints[plain_fingerprint(tls.fingerprint)] then
        return tls.subject or plain_fingerprint(tls.fingerprint)
    end
    return nil, ("the client certificate of `%s`"):format(tostring(tls.subject))
end


--- Says who sends a message.
-- @tparam table message `headers`, `peer` (`unix:` for a Unix socket), `tls` (nil, or what is known
-- of the client's certificate: `verified`, `subject`, `fingerprint`), `credentials` (nil, or of the
-- process at the other end of a Unix socket, as the system says: `uid`)
-- @treturn string|nil the operator's name
-- @treturn string why nobody may, for the log
function Operators:identify(message)
    if message.headers.authorization then
        return by_token(self, message.headers.authorization)
    elseif message.tls and (message.tls.subject or message.tls.fingerprint) then
        return by_certificate(self, message.tls)
    end
    local uid = message.peer == "unix:" and message.credentials and message.credentials.uid
    if uid and self.users[uid] then
        return ("user %d"):format(uid)
    end
    return nil, uid and ("the user %d"):format(uid) or "nobody has said who he is"
end


return _M
