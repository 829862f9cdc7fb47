--- Sets of IPv4 and IPv6 ranges.
--
-- *Dependencies*: postern.ffi
--
-- @module postern.cidr
local ffi = require("ffi")
local core = require("postern.ffi")

local lib = core.lib


local _M = {}
local Cidr = {}
Cidr.__index = Cidr

local err = ffi.new("postern_error")
local report = ffi.new("postern_cidr_report")

local function free(handle)
    lib.postern_cidr_free(handle)
end


--- Compiles ranges, `address` or `address/length`.
-- @tparam {string,...} ranges
-- @treturn Cidr|nil
-- @treturn table why not; the message names the range
-- @usage local office = cidr.new{ "10.0.0.0/8", "2001:db8::/32" }
function _M.new(ranges)
    local handle = core.own(
        lib.postern_cidr_new(core.spans(ranges), #ranges, nil, err), free)
    if not handle then
        return nil, core.failure("cidr", err)
    end
    return setmetatable({ handle = handle }, Cidr)
end


--- Finds the most specific range that holds an address.
-- @tparam string address
-- @treturn number|nil its place in the list, from 1; nil when no range holds the address
-- @treturn string|nil an error when the text is not one address
function Cidr:match(address)
    local index = lib.postern_cidr_match(self.handle, address, #address)
    if index >= 0 then
        return index + 1
    elseif index == lib.POSTERN_NOT_AN_ADDRESS then
        return nil, ("not an address: `%s`"):format(address)
    end
    return nil
end


--- Tells how this matcher looks up.
-- @treturn table `simd` (`avx512`, `avx2`, `scalar`: at most what the environment variable
-- `POSTERN_SIMD` named when it was made), `ipv4` and `ipv6` (`few`, `tree`, `directory`, `blocks`,
-- `buckets`), `bytes`
function Cidr:describe()
    lib.postern_cidr_describe(self.handle, report)
    return {
        simd = ffi.string(report.simd),
        ipv4 = ffi.string(report.ipv4), ipv6 = ffi.string(report.ipv6),
        bytes = tonumber(report.bytes),
    }
end


return _M
