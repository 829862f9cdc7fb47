--- A stand-in for Kong's check of what is configured for a plugin: of a schema it knows what ours
-- uses.
--
-- Facts from Kong's "schema.lua" and its own sources: fields are a list of tables with one member
-- each; what a schema does not name is an error; a field `no_consumer` has to be null.

local _M = {}


local function by_name(fields)
    local named = {}
    for _, field in ipairs(fields) do
        local name, spec = next(field)
        named[name] = spec
    end
    return named
end


local function is_in(list, value)
    for _, one in ipairs(list) do
        if one == value then
            return true
        end
    end
    return false
end


local function check_text(spec, value)
    if type(value) ~= "string" then
        return "expected a string"
    elseif spec.len_min and #value < spec.len_min then
        return "length must be at least " .. spec.len_min
    elseif spec.one_of and not is_in(spec.one_of, value) then
        return "expected one of: " .. table.concat(spec.one_of, ", ")
    end
end


--- Checks a plugin as it is configured, `name`, `config` and what it is for.
-- @treturn boolean|nil
-- @treturn string what is wrong
function _M.check(schema, plugin)
    local fields = by_name(schema.fields)
    for _, name in ipairs({ "consumer", "consumer_group" }) do
        if plugin[name] and fields[name] then
            return nil, name .. ": value must be null"
        end
    end
    local members = by_name(fields.config.fields)
    for name, value in pairs(plugin.config or {}) do
        local err = members[name] == nil and "unknown field" or check_text(members[name], value)
        if err then
            return nil, ("config.%s: %s"):format(name, err)
        end
    end
    return true
end


return _M
