--- What `init` of the front in nginx takes, checked.
--
-- *Dependencies*: none
--
-- @module postern.resty.options

local _M = {}


-- Each option: what it is when it is not said, what to say to give, and whether a value is one.
local function choice(default, ...)
    local names = { ... }
    local known = {}
    for _, name in ipairs(names) do
        known[name] = true
    end
    return { default, "`" .. table.concat(names, "` or `") .. "`", function(value)
        return known[value] == true
    end }
end


local function is_seconds(value)
    return type(value) == "number" and value >= 0.01 and value <= 3600
end


local function is_name(value)
    return type(value) == "string" and value:find("^[%w_]+$") ~= nil
end


-- What may be told the program behind nginx, see `postern.resty.reply`.
_M.FACTS = { principal = true, request_id = true, decision = true, revision = true }


-- Header names with what they hold. Names that the message's framing rests on are nobody's to set.
local FRAMING = { host = true, connection = true, ["content-length"] = true,
                  ["transfer-encoding"] = true }

local function are_upstream(value)
    if type(value) ~= "table" then
        return false
    end
    for name, fact in pairs(value) do
        if type(name) ~= "string" or not name:find("^[%w-]+$") or FRAMING[name:lower()]
            or type(fact) ~= "string"
            or not (_M.FACTS[fact] or fact:find("^obligation:.")) then
            return false
        end
    end
    return true
end


local OPTIONS = {
    dict = { "postern", "the name of a `lua_shared_dict`", is_name },
    on_broken = choice("stop", "stop", "refuse"),
    mode = choice("enforce", "enforce", "dry_run"),
    fault = { 503, "403 or 503", function(value) return value == 403 or value == 503 end },
    poll = { 2, "seconds, 0.01 to 3600", is_seconds },
    follow = { 0.5, "seconds, 0.01 to 3600", is_seconds },
    report = { 10, "seconds, 0.01 to 3600", is_seconds },
    obligations = { "X-Obligation-", "the beginning of a header's name", function(value)
        return type(value) == "string" and value:find("^[%a][%w-]*%-$") ~= nil
    end },
    upstream = { {}, "header names with what they hold: `principal`, `request_id`, `decision`, "
        .. "`revision` or `obligation:NAME`", are_upstream },
}


local function names()
    local list = {}
    for name in pairs(OPTIONS) do
        list[#list + 1] = name
    end
    table.sort(list)
    return table.concat(list, "`, `")
end


--- Checks options and fills in what was not said.
-- @tparam[opt] table given
-- @treturn table|nil all options
-- @treturn string what is wrong, with what is accepted
function _M.fill(given)
    if given ~= nil and type(given) ~= "table" then
        return nil, ("the options are a %s: give a table"):format(type(given))
    end
    local filled = {}
    for name, value in pairs(given or {}) do
        local option = OPTIONS[name]
        if not option then
            return nil, ("unknown option `%s`: there are `%s`"):format(tostring(name), names())
        elseif not option[3](value) then
            return nil, ("`%s` is %s: give %s"):format(name, type(value) == "table"
                and "another table" or ("`%s`"):format(tostring(value)), option[2])
        end
        filled[name] = value
    end
    for name, option in pairs(OPTIONS) do
        if filled[name] == nil then
            filled[name] = option[1]
        end
    end
    return filled
end


return _M
