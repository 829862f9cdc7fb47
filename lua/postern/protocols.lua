--- The protocols that an endpoint of the server may speak, by name.
--
-- Each has `new(options)`, which raises at a wrong option and answers an object with
-- `handle(message, ask)`.
--
-- *Dependencies*: postern.protocol.authzen, postern.protocol.ext_authz, postern.protocol.forward,
-- postern.protocol.native, postern.protocol.opa
--
-- @module postern.protocols

return {
    authzen = require("postern.protocol.authzen"),
    ext_authz = require("postern.protocol.ext_authz"),
    forward = require("postern.protocol.forward"),
    native = require("postern.protocol.native"),
    opa = require("postern.protocol.opa"),
}
