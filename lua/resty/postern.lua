--- The front in nginx by the name that users of OpenResty look for: `require("resty.postern")` is
-- `require("postern.resty")`.
--
-- *Dependencies*: postern.resty
--
-- @module resty.postern
return require("postern.resty")
