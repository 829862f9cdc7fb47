--- The options of a protocol, checked before anybody is served.
--
-- What a server is configured with comes from a person: every name, type and choice is checked, and
-- what is wrong is said with what there is instead.
--
-- *Dependencies*: none
--
-- @module postern.protocol.options

local _M = {}


local function names_of(spec)
    local names = {}
    for name in pairs(spec) do
        names[#names + 1] = name
    end
    table.sort(names)
    return table.concat(names, "`, `")
end


local function is_list(value)
    local count = 0
    for _ in pairs(value) do
        count = count + 1
    end
    return count == #value
end


local function are_texts(value)
    for _, text in ipairs(value) do
        if type(text) ~= "string" or text == "" then
            return false
        end
    end
    return #value > 0
end


-- Whether a value has a type, and what to give when it has not.
local TYPES = {
    text = { "a text", function(value) return type(value) == "string" and value ~= "" end },
    flag = { "true or false", function(value) return type(value) == "boolean" end },
    count = { "a whole number, at least 1", function(value)
        return type(value) == "number" and value >= 1 and value % 1 == 0 and value < 2 ^ 53
    end },
    table = { "a table", function(value) return type(value) == "table" end },
    list = { "a list", function(value) return type(value) == "table" and is_list(value) end },
    texts = { "a list of texts that is not empty", function(value)
        return type(value) == "table" and is_list(value) and are_texts(value)
    end },
    any = { "something", function() return true end },
}


local function fault_of(name, value, rule)
    local wanted, holds = TYPES[rule.type or "any"][1], TYPES[rule.type or "any"][2]
    if not holds(value) then
        return ("`%s`: give %s"):format(name, wanted)
    elseif rule.one_of and not rule.one_of[value] then
        return ("`%s` is `%s`: there are `%s`"):format(name, tostring(value), names_of(rule.one_of))
    end
end


--- Checks options.
-- @tparam table|nil options
-- @tparam table spec name to `{type, required, one_of}`; a type is `text`, `flag`, `count`,
-- `table`, `list`, `texts` or `any`, and `one_of` a table whose names are the choices
-- @treturn string|nil what is wrong; nil when nothing is
function _M.fault(options, spec)
    if options ~= nil and type(options) ~= "table" then
        return ("the options are a %s: give a table"):format(type(options))
    end
    options = options or {}
    for name, value in pairs(options) do
        local rule = spec[name]
        local fault = not rule and ("unknown option `%s`: there are `%s`")
            :format(tostring(name), names_of(spec)) or rule and fault_of(name, value, rule)
        if fault then
            return fault
        end
    end
    for name, rule in pairs(spec) do
        if rule.required and options[name] == nil then
            return ("`%s` is missing: add it"):format(name)
        end
    end
    return nil
end


--- Makes what reads the options of a protocol.
-- @tparam string name of the protocol
-- @tparam table spec as for `fault`
-- @tparam function read `read(given)` answers what is kept of options that are as in `spec`, or nil
-- and what is wrong with them
-- @treturn function `fault(given)` answers what is wrong with options, nil when nothing is
-- @treturn function `open(given)` answers what is kept; raises when an option is wrong, where
-- whoever calls it was called
function _M.reader(name, spec, read)
    local function checked(given)
        given = given or {}
        local fault = _M.fault(given, spec)
        if fault then
            return nil, fault
        end
        return read(given)
    end
    local function fault(given)
        local _, why = checked(given)
        return why
    end
    local function open(given)
        local kept, why = checked(given)
        if not kept then
            error(("%s: %s"):format(name, why), 3)
        end
        return kept
    end
    return fault, open
end


return _M
