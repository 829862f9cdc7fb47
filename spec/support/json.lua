--- JSON text for policy tables.
--
-- A list and an object are both tables in Lua, and a policy means different
-- things by `[]` and `{}`. A list therefore carries a metatable with
-- `__jsontype = "array"`; every other table is an object. dkjson marks what it
-- decodes in the same way, so its tables may be passed in as they are.
--
-- Dependencies: none.

local _M = {}

local ARRAY = { __jsontype = "array" }

local ESCAPES = {
    ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f",
    ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
}


--- Marks a table as a list.
-- @return the same table, or a new empty list
function _M.array(list)
    return setmetatable(list or {}, ARRAY)
end


--- @return whether the value is a table marked as a list
function _M.is_array(value)
    local meta = type(value) == "table" and getmetatable(value)
    return meta and meta.__jsontype == "array" or false
end


--- A number with as few digits as bring it back unchanged.
function _M.number_text(number)
    assert(number == number and math.abs(number) ~= math.huge, "not a JSON number")
    if number % 1 == 0 and math.abs(number) < 1e15 then
        return ("%.0f"):format(number == 0 and 0 or number)
    end
    for digits = 15, 17 do
        local text = ("%%.%dg"):format(digits):format(number)
        if tonumber(text) == number then
            return text
        end
    end
end


local function string_text(text)
    local escaped = text:gsub('[%c"\\]', function(char)
        return ESCAPES[char] or ("\\u%04x"):format(char:byte())
    end)
    return '"' .. escaped .. '"'
end


local encode


local function list_text(list)
    local items = {}
    for i, item in ipairs(list) do
        items[i] = encode(item)
    end
    return "[" .. table.concat(items, ",") .. "]"
end


-- Members are sorted by name, so that one table has one text.
local function object_text(object)
    local names = {}
    for name in pairs(object) do
        names[#names + 1] = name
    end
    table.sort(names)
    for i, name in ipairs(names) do
        names[i] = string_text(name) .. ":" .. encode(object[name])
    end
    return "{" .. table.concat(names, ",") .. "}"
end


function encode(value)
    local kind = type(value)
    if kind == "table" then
        return _M.is_array(value) and list_text(value) or object_text(value)
    elseif kind == "string" then
        return string_text(value)
    elseif kind == "number" then
        return _M.number_text(value)
    elseif kind == "boolean" then
        return tostring(value)
    end
    error("no JSON text for a " .. kind)
end


--- Encodes tables, strings, numbers and booleans; anything else raises.
_M.encode = encode


return _M
