-- The claims of a JSON web token as condition keys: `jwt:Claim/NAME`.
--
-- The host verifies the token (signature, issuer, times) and hands over its claims as a table,
-- `context.claims`; the identity pack `jwt` says who the caller is, this pack what else the token
-- says. A slash goes into an object: `jwt:Claim/realm_access/roles`. A claim whose own name has
-- slashes, such as `https://example.com/tenant`, is found by it all the same.
--
-- A text, a number or a boolean is a value, a list of them several. A claim that is missing, null,
-- an empty list or an object is absent.
--
-- The names of condition keys have no letter case, those of claims do: where two claims answer to
-- one key, or two ways through the objects, the key fails. So it does for lists that hold
-- something else. There are no options.


local SCALARS = { string = true, number = true, boolean = true }


-- Every value that a name stands for: of the member with that name, and of the members below
-- members whose name begins it. Only as deep as the policy's name has slashes.
local function collect(value, name, found)
    for member, inner in pairs(value) do
        local lower = type(member) == "string" and member:lower()
        if lower == name then
            found[#found + 1] = { inner }
        elseif lower and type(inner) == "table" and name:sub(1, #lower + 1) == lower .. "/" then
            collect(inner, name:sub(#lower + 2), found)
        end
    end
    return found
end


-- The values of a list; nil for an object or nothing; nil and why for a list of something else.
local function values_of(list)
    if list[1] == nil then
        return nil
    end
    local values = {}
    for member, value in pairs(list) do
        if type(member) ~= "number" or not SCALARS[type(value)] then
            return nil, "is a list that holds something else than texts, numbers and booleans"
        end
        values[member] = value
    end
    return values
end


local function claim(context, name)
    local found = type(context.claims) == "table" and collect(context.claims, name, {}) or {}
    if #found > 1 then
        return nil, ("the token has more than one claim `%s`"):format(name)
    end
    local value = found[1] and found[1][1]
    if SCALARS[type(value)] then
        return value
    elseif type(value) ~= "table" then
        return nil
    end
    local values, err = values_of(value)
    return values, err and ("the claim `%s` %s"):format(name, err)
end


local function check(config)
    local name = next(config or {})
    if name ~= nil then
        return nil, ("unknown option `%s`: there are none"):format(tostring(name))
    end
    return true
end


return {
    kind = "keys",
    name = "jwt_claims",
    api = 1,
    check = check,
    keys = {},
    prefixes = { ["jwt:Claim/"] = claim },
}
