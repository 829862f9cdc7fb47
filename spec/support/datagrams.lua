--- A Unix socket that gets datagrams, as a service manager has one for what services tell it.

local ffi = require("ffi")

ffi.cdef([[
typedef struct { uint16_t family; char path[108]; } postern_datagrams_address;
int postern_datagrams_socket(int family, int kind, int protocol) __asm__("socket");
int postern_datagrams_bind(int fd, const postern_datagrams_address *address, unsigned size)
    __asm__("bind");
intptr_t postern_datagrams_recv(int fd, void *bytes, size_t size, int flags) __asm__("recv");
int postern_datagrams_close(int fd) __asm__("close");
]])

local UNIX, DATAGRAMS, NO_WAIT, MOST = 1, 2, 0x40, 4096

local _M = {}
local Datagrams = {}
Datagrams.__index = Datagrams


--- Binds one.
-- @tparam string path
-- @treturn Datagrams `close()` it
function _M.bind(path)
    local fd = ffi.C.postern_datagrams_socket(UNIX, DATAGRAMS, 0)
    local address = ffi.new("postern_datagrams_address", UNIX, path)
    assert(ffi.C.postern_datagrams_bind(fd, address, 110) == 0, "it cannot be bound")
    return setmetatable({ fd = fd, bytes = ffi.new("char[?]", MOST) }, Datagrams)
end


--- The next one that has come, without waiting.
-- @treturn string|nil
function Datagrams:next()
    local length = tonumber(ffi.C.postern_datagrams_recv(self.fd, self.bytes, MOST, NO_WAIT))
    return length >= 0 and ffi.string(self.bytes, length) or nil
end


function Datagrams:close()
    ffi.C.postern_datagrams_close(self.fd)
end


return _M
