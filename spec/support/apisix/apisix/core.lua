--- A stand-in for `apisix.core`: what a plugin is promised of it, as far as ours uses it.
--
-- Facts from APISIX's "Plugin Develop" and its own sources: `schema.check` answers true, or false
-- and an error; `response.exit(status, body)` ends the request, a table being JSON;
-- `response.set_header` takes name and value.

local cjson = require("cjson.safe")

local _M = { log = {}, response = {}, schema = { TYPE_CONSUMER = 1, TYPE_METADATA = 2 } }


local function logger(level)
    return function(...) ngx.log(level, ...) end
end

_M.log.error, _M.log.warn, _M.log.info = logger(ngx.ERR), logger(ngx.WARN), logger(ngx.INFO)


-- ---- Answers -----------------------------------------------------------------

--- Ends the request.
function _M.response.exit(status, body)
    ngx.status = status
    if body ~= nil then
        ngx.print(type(body) == "table" and cjson.encode(body) .. "\n" or body)
    end
    return ngx.exit(status)
end


--- Sets a header of the answer.
function _M.response.set_header(name, value)
    if ngx.headers_sent then
        error("headers have already been sent", 2)
    end
    ngx.header[name] = value
end


-- ---- JSON Schema -------------------------------------------------------------

local check


local function check_object(schema, value, at)
    for _, name in ipairs(schema.required or {}) do
        if value[name] == nil then
            return false, ("property %q is required"):format(name)
        end
    end
    for name, member in pairs(value) do
        local wanted = schema.properties[name]
        if wanted then
            local ok, err = check(wanted, member, name)
            if not ok then
                return false, ("property %q validation failed: %s"):format(name, err)
            end
        elseif schema.additionalProperties == false then
            return false, ("additional properties forbidden, found %s%s"):format(at, name)
        end
    end
    return true
end


local function is_in(list, value)
    for _, one in ipairs(list) do
        if one == value then
            return true
        end
    end
    return false
end


function check(schema, value, at)
    local kind = type(value) == "table" and "object" or type(value)
    if kind ~= schema.type then
        return false, ("wrong type: expected %s, got %s"):format(schema.type, kind)
    elseif kind == "object" then
        return check_object(schema, value, at)
    elseif schema.minLength and #value < schema.minLength then
        return false, ("string too short, expected at least %d"):format(schema.minLength)
    elseif schema.enum and not is_in(schema.enum, value) then
        return false, "matches none of the enum values"
    end
    return true
end


--- Checks a value by a schema, of which it knows what ours use.
function _M.schema.check(schema, value)
    return check(schema, value, "")
end


-- ---- Configuration -----------------------------------------------------------

--- Reads JSON out of the folder that APISIX runs in.
function _M.read(name)
    local file = io.open(ngx.config.prefix() .. name)
    local text = file and file:read("*a")
    if file then
        file:close()
    end
    return text and assert(cjson.decode(text))
end


return _M
