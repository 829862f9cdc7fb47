-- Verifies JSON web tokens of one issuer, signed by HS256, for `access{ claims = ... }`.

local base64 = require("ngx.base64")
local crypto = require("postern.crypto")
local json = require("cjson.safe")

local ISSUER, KEY = "https://login.example.com", "an example's key" -- yours is no text in a file

local _M = {}


local function verified(header)
    local signed, payload, signature = header:match("^Bearer ([%w_-]+%.([%w_-]+))%.([%w_-]+)$")
    if not signed or not crypto.equal(signature,
        base64.encode_base64url(crypto.hmac_sha256(KEY, signed))) then
        return nil
    end
    local claims = json.decode(base64.decode_base64url(payload) or "")
    return type(claims) == "table" and claims.iss == ISSUER and type(claims.exp) == "number"
        and claims.exp > ngx.time() and claims
end


--- The claims of the request's token: nil without one, and none of one that is not verified.
function _M.claims()
    local header = ngx.var.http_authorization
    local claims = header and (verified(header) or {})
    ngx.var.tenant = claims and claims.tenant or ""
    return claims
end


return _M
