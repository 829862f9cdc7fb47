-- Callers who sign their requests: AWS Signature Version 4, verified against configured keys.
--
-- Options: `keys`, a table from access key id to `{ secret =, principal = }` and for temporary
-- credentials `session_token =` and `expires =` (seconds since 1970); `service`, `execute-api` if
-- left out; `region`, that of the API if left out; and where a service differs from the others:
-- `normalize` (the path is signed without dot segments and doubled slashes; false for S3),
-- `unsigned_payload` (the body need not be signed; true for S3), `unsigned_token` (the session
-- token is added after signing).
--
-- Sources: IAM User Guide, "Create a signed AWS API request" (the steps, the rules of encoding),
-- "Elements of an AWS API request signature" (both forms), "Troubleshoot AWS API request signing"
-- (scope, 15 minutes, session tokens); Amazon S3 API Reference, "Authenticating Requests: Using
-- Query Parameters" (X-Amz-Expires, UNSIGNED-PAYLOAD, what S3 does otherwise).
--
-- Stricter than AWS, where leniency helps only an attacker: a request is signed in one way, once; a
-- `+` in a query has to be encoded, since it is a space to some readers and a plus to others; the
-- date is that of X-Amz-Date, never of Date; without a hash of the body from the host nothing
-- counts as verified. SigV4a (AWS4-ECDSA-P256-SHA256) is refused.

local ALGORITHM = "AWS4-HMAC-SHA256"
local TERMINATOR = "aws4_request"
local UNSIGNED = "UNSIGNED-PAYLOAD"

local MAX_SKEW = 15 * 60
local MAX_EXPIRES = 7 * 24 * 60 * 60

-- What this pack answers when it refuses.
local MALFORMED, INVALID, EXPIRED = "IncompleteSignature", "INVALID_SIGNATURE", "EXPIRED_TOKEN"

-- They encode the path once, leave it as it is, and let the body unsigned.
local LIKE_S3 = {
    s3 = true, s3express = true, ["s3-object-lambda"] = true, ["s3-outposts"] = true,
}

local OPTIONS = {
    keys = "table", service = "string", region = "string",
    normalize = "boolean", unsigned_payload = "boolean", unsigned_token = "boolean",
}
local KEY_OPTIONS = {
    secret = "string", principal = true, session_token = "string", expires = "number",
}

-- Of the query form; the name in the header form's words.
local PARAMETERS = {
    ["X-Amz-Algorithm"] = "algorithm", ["X-Amz-Credential"] = "credential",
    ["X-Amz-Date"] = "date", ["X-Amz-Expires"] = "expires",
    ["X-Amz-SignedHeaders"] = "signed_headers", ["X-Amz-Signature"] = "signature",
    ["X-Amz-Security-Token"] = "token",
}

local MEMBERS = {
    Credential = "credential", SignedHeaders = "signed_headers", Signature = "signature",
}


-- Configuration

local function check_key(id, key, tools)
    if type(id) ~= "string" or not id:match("^%w+$") or type(key) ~= "table" then
        return nil, "give a table from access key id to key"
    end
    for name, value in pairs(key) do
        local wanted = KEY_OPTIONS[name]
        if not wanted then
            return nil, ("unknown member `%s`: a key has `secret`, `principal`, `session_token`, "
                .. "`expires`"):format(tostring(name))
        elseif wanted ~= true and type(value) ~= wanted then
            return nil, ("`%s` is a %s: make it a %s"):format(name, type(value), wanted)
        end
    end
    if not key.secret or key.secret == "" then
        return nil, "lacks `secret`"
    end
    local principal, err = tools.principal(key.principal)
    if not principal then
        return nil, err
    end
    return true
end


local function check(config, tools)
    for name, value in pairs(config) do
        if not OPTIONS[name] then
            return nil, ("unknown option `%s`: the sigv4 identity has `keys`, `service`, `region`, "
                .. "`normalize`, `unsigned_payload`, `unsigned_token`"):format(tostring(name))
        elseif type(value) ~= OPTIONS[name] then
            return nil, ("`%s` is a %s: make it a %s"):format(name, type(value), OPTIONS[name])
        end
    end
    if not config.keys then
        return nil, "lacks `keys`"
    end
    for id, key in pairs(config.keys) do
        local ok, err = check_key(id, key, tools)
        if not ok then
            return nil, ("`keys`: `%s`: %s"):format(tostring(id), err)
        end
    end
    return true
end


local function option(config, name)
    if config[name] ~= nil then
        return config[name]
    end
    local like_s3 = LIKE_S3[config.service] == true
    if name == "normalize" then
        return not like_s3
    end
    return name == "unsigned_payload" and like_s3
end


-- Encoding

-- UriEncode of the guide: every byte but the unreserved ones, in upper case.
local function encode(text, also_kept)
    return (text:gsub("[^%w%-._~" .. (also_kept or "") .. "]", function(byte)
        return ("%%%02X"):format(byte:byte())
    end))
end


local function decode(text)
    return (text:gsub("%%(%x%x)", function(digits)
        return string.char(tonumber(digits, 16))
    end))
end


-- Dot segments and empty ones removed; a final slash stays (RFC 3986, section 5.2.4, and what the
-- signers of all services but S3 do to doubled slashes).
local function normalize(path)
    local kept, last = {}, ""
    for segment in path:gmatch("[^/]+") do
        last = segment
        if segment == ".." then
            kept[#kept] = nil
        elseif segment ~= "." then
            kept[#kept + 1] = segment
        end
    end
    local ends = path:sub(-1) == "/" or last == "." or last == ".."
    return "/" .. table.concat(kept, "/") .. (ends and #kept > 0 and "/" or "")
end


-- S3 signs the decoded path, encoded once; the others sign what was sent, encoded once more.
local function canonical_path(http, config)
    local sent = http.raw_path or encode(http.path, "/")
    if sent == "" then
        sent = "/"
    end
    if option(config, "normalize") then
        sent = normalize(sent)
    end
    if LIKE_S3[config.service] then
        sent = decode(sent)
    end
    return encode(sent, "/")
end


-- The query as decoded names and values, and a fault that matters if the request is signed.
local function split_query(http)
    if not http.raw_query then
        return http.query or {}
    end
    local pairs_of, fault = {}, nil
    for piece in http.raw_query:gmatch("[^&]+") do
        if piece:find("+", 1, true) then
            fault = "a `+` in the query: send `%20` or `%2B`"
        elseif piece:gsub("%%%x%x", ""):find("%", 1, true) then
            fault = "a `%` in the query without two hexadecimal digits"
        end
        local name, value = piece:match("^([^=]*)=?(.*)$")
        pairs_of[#pairs_of + 1] = { decode(name), decode(value) }
    end
    return pairs_of, fault
end


local function canonical_query(query, left_out)
    local encoded = {}
    for _, pair in ipairs(query) do
        if not left_out[pair[1]] then
            encoded[#encoded + 1] = { encode(pair[1]), encode(pair[2] or "") }
        end
    end
    table.sort(encoded, function(a, b)
        if a[1] ~= b[1] then
            return a[1] < b[1]
        end
        return a[2] < b[2]
    end)
    for i, pair in ipairs(encoded) do
        encoded[i] = pair[1] .. "=" .. pair[2]
    end
    return table.concat(encoded, "&")
end


local function header_values(http, name)
    local values = http.headers[name]
    if not values and name == "host" and http.host then
        return { http.host }
    end
    return values or {}
end


-- Folded lines, tabs and repeated spaces become one space, also within quotes.
local function trim(value)
    return (value:gsub("[ \t\r\n]+", " "):gsub("^ ", ""):gsub(" $", ""))
end


-- Finding the signature

-- Days from 1970-01-01 in the Gregorian calendar; years that start in March put the leap day last.
local function days_of(year, month, day)
    if month <= 2 then
        year, month = year - 1, month + 12
    end
    return 365 * year + math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
        + math.floor((153 * (month - 3) + 2) / 5) + day - 719469
end


local function parse_time(text)
    local fields = { text:match("^(%d%d%d%d)(%d%d)(%d%d)T(%d%d)(%d%d)(%d%d)Z$") }
    for i = 1, 6 do
        fields[i] = tonumber(fields[i])
    end
    local year, month, day, hour, minute, second = unpack(fields)
    if not year or month < 1 or month > 12 or day < 1 or day > 31
        or hour > 23 or minute > 59 or second > 59 then
        return nil
    end
    return ((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second
end


-- The AWS value of the Authorization header; nil when there is none, with a fault when there is one
-- beside others.
local function find_authorization(http)
    local values = http.headers.authorization or {}
    for _, value in ipairs(values) do
        local text = trim(value)
        if text:match("^AWS4%-") then
            return text, #values > 1 and "more than one Authorization header" or nil
        end
    end
    return nil
end


local function is_presigned(query)
    for _, pair in ipairs(query) do
        if PARAMETERS[pair[1]] and pair[1] ~= "X-Amz-Date"
            and pair[1] ~= "X-Amz-Security-Token" then
            return true
        end
    end
    return false
end


-- `Credential=..., SignedHeaders=..., Signature=...` in any order, each once.
local function parse_authorization(text)
    local algorithm, rest = text:match("^(%S+) (.+)$")
    if not algorithm then
        return nil, "the Authorization header has nothing but an algorithm", MALFORMED
    end
    local claim = {}
    claim.algorithm = algorithm
    for piece in (rest .. ","):gmatch("([^,]*),") do
        local name, value = piece:match("^ ?(%w+)=(%S+) ?$")
        local member = MEMBERS[name]
        if not member or claim[member] then
            return nil, "the Authorization header has not one each of Credential, SignedHeaders "
                .. "and Signature", MALFORMED
        end
        claim[member] = value
    end
    return claim
end


-- A header that must not be there twice.
local function single(http, name)
    local values = header_values(http, name)
    if #values > 1 then
        return nil, ("the header `%s` is there %d times"):format(name, #values), MALFORMED
    end
    return values[1] and trim(values[1])
end


local HEADER_OF = { date = "x-amz-date", token = "x-amz-security-token" }

local function claim_of_header(http, text)
    local claim, err, code = parse_authorization(text)
    if not claim then
        return nil, err, code
    end
    for member, name in pairs(HEADER_OF) do
        claim[member], err, code = single(http, name)
        if err then
            return nil, err, code
        end
    end
    return claim
end


local function claim_of_query(query)
    local claim = {}
    claim.presigned = true
    for _, pair in ipairs(query) do
        local member = PARAMETERS[pair[1]]
        if member and claim[member] then
            return nil, ("the parameter `%s` is there twice"):format(pair[1]), MALFORMED
        elseif member then
            claim[member] = pair[2]
        end
    end
    if not (claim.expires or ""):match("^%d+$") then
        return nil, "X-Amz-Expires is not a number of seconds", MALFORMED
    end
    claim.expires = tonumber(claim.expires)
    if claim.expires < 1 or claim.expires > MAX_EXPIRES then
        return nil, ("X-Amz-Expires is not between 1 and %d"):format(MAX_EXPIRES), MALFORMED
    end
    return claim
end


-- Lower case, in order, none twice: as every signer has to write them.
local function parse_signed_headers(text)
    local names, listed = {}, {}
    for name in (text .. ";"):gmatch("([^;]*);") do
        if not name:match("^[%l%d!#$%%&'*+.^_`|~-]+$") or (names[#names] or "") >= name then
            return nil
        end
        names[#names + 1] = name
        listed[name] = true
    end
    return names, listed
end


local NEEDED = { "algorithm", "credential", "date", "signed_headers", "signature" }

-- Takes a claim apart: nil and why where that cannot be done.
local function parse_claim(claim)
    for _, member in ipairs(NEEDED) do
        if not claim[member] then
            return nil, ("the signature lacks its %s"):format((member:gsub("_", " "))), MALFORMED
        end
    end
    if claim.algorithm ~= ALGORITHM then
        return nil, ("the algorithm is `%s`, not %s"):format(claim.algorithm, ALGORITHM), MALFORMED
    end
    claim.key_id, claim.scope = claim.credential:match("^([^/]+)/(.+)$")
    if claim.scope then
        claim.day, claim.region, claim.service, claim.terminator =
            claim.scope:match("^(%d+)/([^/]+)/([^/]+)/([^/]+)$")
    end
    if not claim.day then
        return nil, "the credential is not KEY/DATE/REGION/SERVICE/aws4_request", MALFORMED
    end
    claim.time = parse_time(claim.date)
    if not claim.time then
        return nil, "the date is not YYYYMMDDTHHMMSSZ", MALFORMED
    end
    claim.names, claim.listed = parse_signed_headers(claim.signed_headers)
    if not claim.names then
        return nil, "the signed headers are not in lower case and in order, each once", MALFORMED
    end
    return claim
end


-- The claim of a request, in whichever form: nil alone when it is not signed at all.
local function read_claim(http)
    local query, fault = split_query(http)
    local authorization, second = find_authorization(http)
    local presigned = is_presigned(query)
    if not authorization and not presigned then
        return nil
    elseif authorization and presigned then
        return nil, "signed twice: in the Authorization header and in the query", MALFORMED
    elseif fault or second then
        return nil, fault or second, MALFORMED
    end
    local claim, err, code
    if presigned then
        claim, err, code = claim_of_query(query)
    else
        claim, err, code = claim_of_header(http, authorization)
    end
    if not claim then
        return nil, err, code
    end
    claim.query = query
    return parse_claim(claim)
end


-- Verifying it

local function check_scope(claim, context, config)
    local region = config.region or (context.api and context.api.region)
    local service = config.service or "execute-api"
    if claim.terminator ~= TERMINATOR then
        return nil, ("the scope ends in `%s`, not in %s")
            :format(claim.terminator, TERMINATOR), INVALID
    elseif claim.region ~= region then
        return nil, ("signed for the region `%s`, not for `%s`")
            :format(claim.region, tostring(region)), INVALID
    elseif claim.service ~= service then
        return nil, ("signed for the service `%s`, not for `%s`")
            :format(claim.service, service), INVALID
    elseif claim.day ~= claim.date:sub(1, 8) then
        return nil, ("the scope is of `%s`, the date is `%s`")
            :format(claim.day, claim.date), INVALID
    end
    return true
end


local function check_time(claim, now)
    if claim.time > now + MAX_SKEW then
        return nil, ("signed at `%s`, which is still to come"):format(claim.date), INVALID
    elseif claim.presigned and now > claim.time + claim.expires then
        return nil, ("signed at `%s` for %d seconds"):format(claim.date, claim.expires), EXPIRED
    elseif not claim.presigned and now > claim.time + MAX_SKEW then
        return nil, ("signed at `%s`, more than %d minutes ago")
            :format(claim.date, MAX_SKEW / 60), INVALID
    end
    return true
end


-- The session token has to be the one that was given out with the key.
local function check_token(claim, key, config, tools)
    local token = key.session_token
    if not token and claim.token then
        return nil, ("a session token with `%s`, which has none"):format(claim.key_id), INVALID
    elseif token and not claim.token then
        return nil, ("`%s` without its session token"):format(claim.key_id), INVALID
    elseif token and not tools.equal(token, claim.token) then
        return nil, ("`%s` with another session token"):format(claim.key_id), INVALID
    elseif token and not claim.presigned and not claim.listed["x-amz-security-token"]
        and not option(config, "unsigned_token") then
        return nil, "the header `x-amz-security-token` is not signed", INVALID
    end
    return true
end


local function check_headers(claim, http)
    if http.method:find("[^%w-]") then
        -- A line end in it would move the lines of the canonical request.
        return nil, "the method is not a word", MALFORMED
    elseif not claim.listed.host then
        return nil, "the header `host` is not signed", INVALID
    elseif not claim.presigned and not claim.listed["x-amz-date"] then
        return nil, "the header `x-amz-date` is not signed", INVALID
    end
    local _, err, code = single(http, "host")
    if err then
        return nil, err, code
    end
    for _, name in ipairs(claim.names) do
        if #header_values(http, name) == 0 then
            return nil, ("the signed header `%s` is not there"):format(name), INVALID
        end
    end
    return true
end


-- The last line of the canonical request: the hash of the body as it came, or the word that says it
-- was not signed.
local function payload_of(claim, http, config)
    local declared, err, code = single(http, "x-amz-content-sha256")
    if err then
        return nil, err, code
    elseif not declared and claim.presigned and LIKE_S3[config.service] then
        declared = UNSIGNED
    end
    if declared == UNSIGNED then
        if option(config, "unsigned_payload") then
            return UNSIGNED
        end
        return nil, "the body is not signed", INVALID
    elseif not http.body_sha256 then
        return nil, "the host gives no hash of the body", INVALID
    elseif declared and declared ~= http.body_sha256 then
        return nil, "the body is not the one whose hash `x-amz-content-sha256` gives", INVALID
    end
    return http.body_sha256
end


local function canonical_request(claim, http, config, payload)
    local lines = {}
    for _, name in ipairs(claim.names) do
        local values = {}
        for i, value in ipairs(header_values(http, name)) do
            values[i] = trim(value)
        end
        lines[#lines + 1] = name .. ":" .. table.concat(values, ",") .. "\n"
    end
    local left_out = {}
    if claim.presigned then
        left_out["X-Amz-Signature"] = true
        left_out["X-Amz-Security-Token"] = option(config, "unsigned_token")
    end
    return table.concat({
        http.method,
        canonical_path(http, config),
        canonical_query(claim.query, left_out),
        table.concat(lines),
        claim.signed_headers,
        payload,
    }, "\n")
end


local function sign(claim, secret, request, tools)
    local text = table.concat({
        ALGORITHM, claim.date, claim.scope, tools.hex(tools.sha256(request)),
    }, "\n")
    local key = "AWS4" .. secret
    for _, part in ipairs({ claim.day, claim.region, claim.service, TERMINATOR, text }) do
        key = tools.hmac_sha256(key, part)
    end
    return tools.hex(key)
end


local function verify(claim, key, context, config, tools)
    local now = context.now or tools.now()
    local ok, err, code = check_scope(claim, context, config)
    if ok then
        ok, err, code = check_time(claim, now)
    end
    if ok then
        ok, err, code = check_token(claim, key, config, tools)
    end
    if ok then
        ok, err, code = check_headers(claim, context.http)
    end
    if not ok then
        return nil, err, code
    end
    local payload
    payload, err, code = payload_of(claim, context.http, config)
    if not payload then
        return nil, err, code
    end
    local request = canonical_request(claim, context.http, config, payload)
    if not tools.equal(sign(claim, key.secret, request, tools), claim.signature) then
        return nil, ("the signature of `%s` is not right"):format(claim.key_id), INVALID
    elseif key.expires and now >= key.expires then
        return nil, ("the credentials of `%s` have expired"):format(claim.key_id), EXPIRED
    end
    return true
end


local function identify(context, config, tools)
    local claim, err, code = read_claim(context.http)
    if not claim then
        return nil, err, code
    end
    local key = config.keys[claim.key_id]
    if not key then
        return nil, ("unknown access key `%s`"):format(claim.key_id), INVALID
    end
    local ok
    ok, err, code = verify(claim, key, context, config, tools)
    if not ok then
        return nil, err, code
    end
    local principal
    principal, err = tools.principal(key.principal)
    if not principal then
        return nil, err, INVALID
    end
    principal.access_key = claim.key_id
    return principal
end


return {
    kind = "identities",
    name = "sigv4",
    api = 1,
    check = check,
    identify = identify,
}
