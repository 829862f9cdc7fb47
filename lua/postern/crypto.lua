--- Hashes and message authentication: the one door to OpenSSL's libcrypto.
--
-- Nothing of cryptography is written here. Debian's `lua-luaossl` binds OpenSSL; this module keeps
-- to the few functions that Postern needs and gives them one shape: text in, bytes out.
--
-- *Dependencies*: openssl (lua-luaossl)
--
-- @module postern.crypto
local digest = require("openssl.digest")
local hmac = require("openssl.hmac")
local rand = require("openssl.rand")

local floor = math.floor


local _M = {}

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local HEX = {}
for byte = 0, 255 do
    HEX[string.char(byte)] = ("%02x"):format(byte)
end

local BYTES_OF_KEY = 32 -- as many as SHA-256 gives: more adds nothing
local COMPARING_KEY = rand.bytes(BYTES_OF_KEY)


--- The SHA-256 hash of a text.
-- @tparam string text
-- @treturn string 32 bytes
function _M.sha256(text)
    return digest.new("sha256"):final(text)
end


--- The HMAC-SHA-256 of a text.
-- @tparam string key
-- @tparam string text
-- @treturn string 32 bytes
function _M.hmac_sha256(key, text)
    return hmac.new(key, "sha256"):final(text)
end


--- Whether two texts are equal, in a time that tells nothing about where they differ.
--
-- What is compared are their HMACs under a key that only this process knows. Lua's comparison may
-- stop at the first byte that differs, but nobody outside can tell which bytes of an HMAC a guess
-- changes, so the time it takes helps nobody to a better guess. The HMAC itself takes a time that
-- depends on the lengths alone, and those are no secret.
-- @tparam string a
-- @tparam string b
-- @treturn boolean
function _M.equal(a, b)
    return _M.hmac_sha256(COMPARING_KEY, a) == _M.hmac_sha256(COMPARING_KEY, b)
end


--- Bytes that nobody can guess. After a fork each process gets others.
-- @tparam number count
-- @treturn string
function _M.random(count)
    return rand.bytes(count)
end


--- Bytes in lower-case hexadecimal.
-- @tparam string bytes
-- @treturn string
function _M.hex(bytes)
    return (bytes:gsub(".", HEX))
end


--- Bytes in base64 with padding (RFC 4648, section 4).
-- @tparam string bytes
-- @treturn string
function _M.base64(bytes)
    local out = {}
    for at = 1, #bytes, 3 do
        local a, b, c = bytes:byte(at, at + 2)
        local group = a * 65536 + (b or 0) * 256 + (c or 0)
        for place = 18, b and (c and 0 or 6) or 12, -6 do
            local index = floor(group / 2 ^ place) % 64
            out[#out + 1] = ALPHABET:sub(index + 1, index + 1)
        end
    end
    return table.concat(out) .. ("="):rep(-#bytes % 3)
end


--- The bytes behind base64 with padding; strict, so that no two texts mean the same bytes.
-- @tparam string text
-- @treturn string|nil
-- @treturn string why not
function _M.base64_decode(text)
    local digits = text:match("^([%w+/]*)=*$")
    if not digits then
        return nil, "not base64"
    end
    local out = {}
    for at = 1, #digits, 4 do
        local group, count = 0, 0
        for digit in digits:sub(at, at + 3):gmatch(".") do
            group = group * 64 + ALPHABET:find(digit, 1, true) - 1
            count = count + 1
        end
        group = group * 64 ^ (4 - count)
        local bytes = string.char(floor(group / 65536), floor(group / 256) % 256, group % 256)
        out[#out + 1] = bytes:sub(1, count - 1)
    end
    local bytes = table.concat(out)
    -- Too little or too much padding, or bits set that belong to no byte.
    if _M.base64(bytes) ~= text then
        return nil, "not base64"
    end
    return bytes
end


return _M
