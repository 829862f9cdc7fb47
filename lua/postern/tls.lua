--- TLS: bytes in, bytes out, for servers and clients.
--
-- Nothing here opens a connection; `postern.tls_stream` puts it on a host's stream. The rules are
-- in `tls/include/postern_tls.h`: TLS 1.2 or 1.3, no sessions, no renegotiation, `http/1.1` alone.
--
-- *Dependencies*: postern.ffi
--
-- @module postern.tls
local ffi = require("ffi")
local core = require("postern.ffi")

-- Loaded here and not when first used: a call through a value that can change does not compile.
local available, lib = pcall(core.tls)


local _M = {}
local Context = {}
Context.__index = Context
local Connection = {}
Connection.__index = Connection

local err = ffi.new("postern_error")
local count = ffi.new("size_t[1]")
local span = ffi.new("postern_span")


--- Whether TLS can be spoken: the library may be missing where OpenSSL was.
-- @treturn boolean|nil
-- @treturn string why not
function _M.available()
    if not available then
        return nil, lib
    end
    return true
end


-- ---- Contexts ----------------------------------------------------------------------------------

-- Members of options and what each is; numbers are the C side's.
local FILES = { certificate = true, key = true, authorities = true, revoked = true }
local WORDS = {
    min_version = { ["1.2"] = 0, ["1.3"] = 1 },
    peer = { none = 0, optional = 1, required = 2 },
}
local FIELDS = { min_version = "min_version", peer = "demand" }

local function set_option(options, name, value)
    if FILES[name] then
        if type(value) ~= "string" or value == "" or value:find("%z") then
            error(("`%s`: give the path of a PEM file"):format(name), 4)
        end
        options[name] = value
    elseif WORDS[name] then
        local number = WORDS[name][value]
        if not number then
            local words = {}
            for word in pairs(WORDS[name]) do
                words[#words + 1] = ("`%s`"):format(word)
            end
            table.sort(words)
            error(("`%s`: give one of %s"):format(name, table.concat(words, ", ")), 4)
        end
        options[FIELDS[name]] = number
    elseif name == "max_buffered" then
        if type(value) ~= "number" or value ~= value or value < 1 or value >= 2 ^ 31 then
            error("`max_buffered`: give a number of at least 1", 4)
        end
        options.max_buffered = value
    else
        error(("unknown option `%s`"):format(tostring(name)), 4)
    end
end


local function free_context(handle)
    lib.postern_tls_context_free(handle)
end


local function new_context(role, given)
    if not available then
        error(lib, 3)
    end
    local options = ffi.new("postern_tls_options")
    options.role = role
    for name, value in pairs(given) do
        set_option(options, name, value)
    end
    local handle = core.own(lib.postern_tls_context_new(options, err), free_context)
    if handle then
        return setmetatable({ handle = handle, client = role == lib.POSTERN_TLS_CLIENT }, Context)
    elseif err.status == lib.POSTERN_MISUSE then
        error(ffi.string(err.message), 3)
    end
    return nil, ffi.string(err.message)
end


--- Reads what a server needs. Raises for options that contradict each other, and when the TLS
-- library is not there. New keys are a new context, for the connections that begin from then on.
-- @tparam table options paths of PEM files: `certificate` (with those between it and the
-- authority), `key`, `authorities` (whose certificates of clients are good) and `revoked` (a list
-- of each authority); `peer` (`none`, `optional` or `required`: whether clients are asked for a
-- certificate), `min_version` (`1.2` or `1.3`), `max_buffered` (bytes each way, 65536)
-- @treturn Context|nil
-- @treturn string which file is wrong, and why
function _M.server(options)
    local context, why = new_context(lib.POSTERN_TLS_SERVER, options)
    return context, why -- no tail call, which would hide our caller from errors
end


--- Reads what a client needs. It always verifies whom it reaches.
-- @tparam[opt] table options as for `server`, without `peer`; `authorities` are those of the system
-- unless given, `certificate` and `key` are for servers that ask
-- @treturn Context|nil
-- @treturn string which file is wrong, and why
function _M.client(options)
    options = options or {}
    if options.peer ~= nil then
        error("unknown option `peer`: a client always verifies", 2)
    end
    local context, why = new_context(lib.POSTERN_TLS_CLIENT, options)
    return context, why
end


-- ---- Connections -------------------------------------------------------------------------------

local function free(handle)
    lib.postern_tls_free(handle)
end


local function new_connection(context, name)
    local handle = core.own(lib.postern_tls_new(context.handle, name, name and #name or 0, err),
        free)
    if handle then
        return setmetatable({ handle = handle }, Connection)
    elseif err.status == lib.POSTERN_MISUSE then
        error(ffi.string(err.message), 3)
    end
    return nil, ffi.string(err.message)
end


--- Begins the server's end of a connection.
-- @treturn Connection|nil
-- @treturn string why not: no memory
function Context:accept()
    local connection, why = new_connection(self, nil)
    return connection, why
end


--- Begins the client's end of a connection; there is something to be sent at once.
-- @tparam string name whom to reach, a host name or an address without brackets: it is told to the
-- server, whose certificate has to be for it
-- @treturn Connection|nil
-- @treturn string why not
function Context:connect(name)
    if type(name) ~= "string" then
        error("give the name of the server", 2)
    end
    local connection, why = new_connection(self, name)
    return connection, why
end


local STATES = { [0] = "handshake", "open", "closed" }

--- Takes bytes from the peer. What they bring is read with `read`; what they call for is to be
-- sent, see `take`, also after a failure.
-- @tparam string bytes
-- @tparam[opt=1] number from where in them to begin
-- @treturn string|nil `handshake`, `open`, `closed` (the peer sends nothing more); nil: it failed
-- @treturn number|string where the bytes begin that were not taken, since too much waits to be
-- read; or why it failed
function Connection:feed(bytes, from)
    from = from or 1
    local state = lib.postern_tls_feed(self.handle, ffi.cast("const char *", bytes) + (from - 1),
        #bytes - from + 1, count, err)
    if state == lib.POSTERN_TLS_FAILED then
        return nil, ffi.string(err.message)
    end
    return STATES[state], from + tonumber(count[0])
end


--- The state, as `feed` tells it.
-- @treturn string|nil nil when it has failed
function Connection:state()
    return STATES[lib.postern_tls_state_of(self.handle)]
end


--- Takes the plain text that has come.
-- @treturn string empty when there is none
function Connection:read()
    lib.postern_tls_plain(self.handle, span)
    if span.length == 0 then
        return ""
    end
    local text = ffi.string(span.text, span.length)
    lib.postern_tls_plain_taken(self.handle)
    -- What had to wait is opened now; a failure is told by the next feed.
    lib.postern_tls_feed(self.handle, nil, 0, count, nil)
    return text
end


--- Seals plain text for the peer. Raises before the handshake has ended and after `close`.
-- @tparam string text
-- @tparam[opt=1] number from where in it to begin
-- @treturn number|nil where the text begins that was not sealed, since too much waits to be sent
-- @treturn string why it failed
function Connection:write(text, from)
    from = from or 1
    local status = lib.postern_tls_write(self.handle, ffi.cast("const char *", text) + (from - 1),
        #text - from + 1, count, err)
    if status == lib.POSTERN_MISUSE then
        error(ffi.string(err.message), 2)
    elseif status ~= 0 then
        return nil, ffi.string(err.message)
    end
    return from + tonumber(count[0])
end


--- Takes the bytes that are to be sent to the peer.
-- @treturn string empty when there are none
function Connection:take()
    lib.postern_tls_sealed(self.handle, span)
    if span.length == 0 then
        return ""
    end
    local bytes = ffi.string(span.text, span.length)
    lib.postern_tls_sealed_taken(self.handle)
    return bytes
end


--- Tells the peer that we send nothing more; that is to be sent, see `take`.
function Connection:close()
    lib.postern_tls_close(self.handle)
end


--- The version that is spoken.
-- @treturn string|nil `TLSv1.2` or `TLSv1.3`; nil until the handshake has ended
function Connection:version()
    local version = lib.postern_tls_version_of(self.handle)
    return version ~= nil and ffi.string(version) or nil
end


--- The peer's certificate, as a request's `client_certificate` has it.
-- @treturn table|nil `verified`, `subject`, `issuer`, `serial`, `sans` (a list), `fingerprint`
-- (SHA-256), `not_before`, `not_after` (seconds since 1970), `pem`; nil: it gave none, or the
-- handshake has not ended
-- @treturn string why it cannot be read
function Connection:peer()
    local peer = lib.postern_tls_peer(self.handle, err)
    if peer == nil then
        return nil, err.status ~= 0 and ffi.string(err.message) or nil
    end
    local sans = {}
    for i = 0, peer.san_count - 1 do
        sans[i + 1] = core.text(peer.sans[i])
    end
    return {
        verified = peer.verified ~= 0,
        subject = core.text(peer.subject), issuer = core.text(peer.issuer),
        serial = core.text(peer.serial), sans = sans,
        fingerprint = core.text(peer.fingerprint), pem = core.text(peer.pem),
        not_before = tonumber(peer.not_before), not_after = tonumber(peer.not_after),
    }
end


return _M
