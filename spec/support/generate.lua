--- Makes cases that nearly match.
--
-- A case is built forwards: a caller, an action and a resource first, then
-- statements derived from them so that they match, and then one or two changes
-- (a character, an account, an operator, a missing key) that may or may not
-- break the match. Two evaluators that differ anywhere are likely to differ on
-- such a case. What is made is always structurally sound, though much of it
-- would be refused when attached.
--
-- The same seed and index give the same case on every machine: the generator
-- brings its own random numbers and never asks for an order of pairs().
--
-- How it walks: the index counts through every combination of operator, set
-- operator, IfExists and state of the context key (COMBINATIONS), one of which
-- is the focus of the case; everything else is drawn at random. FEATURES names
-- all that can be drawn.
--
-- Dependencies: bit, spec.support.json.

local bit = require "bit"
local json = require "spec.support.json"

local _M = {}

local A = json.array

local HOME, AWAY = "111122223333", "444455556666"


-- ---- Chance ---------------------------------------------------------------

-- A multiplicative generator and a shift register, added: each hides the
-- pattern of the other. All products stay below 2^53.
local MODULUS = 2147483647


local function new_random(seed, index)
    local a = (seed * 48271 + index * 16807 + 1) % (MODULUS - 1) + 1
    local b = bit.bxor(bit.tobit(index * 40503 + 362436069), bit.rol(bit.tobit(seed + 1), 13))
    b = b ~= 0 and b or 1

    local function next_number()
        a = a * 16807 % MODULUS
        b = bit.bxor(b, bit.lshift(b, 13))
        b = bit.bxor(b, bit.rshift(b, 17))
        b = bit.bxor(b, bit.lshift(b, 5))
        return (a + b) % 4294967296
    end

    for _ = 1, 8 do
        next_number()
    end
    return function(count)
        return math.floor(next_number() / 4294967296 * count) + 1
    end
end


local function pick(g, list)
    return list[g.random(#list)]
end


local function chance(g, percent)
    return g.random(100) <= percent
end


local function note(g, feature)
    g.features[feature] = true
end


-- Draws one of the forms that can be used here, notes it, and builds it. Plain
-- forms surely match: a plain case draws only those, if there are any, so that
-- the focus decides; the others draw them half the time.
local function choose(g, group, forms, ...)
    local usable, plain = {}, {}
    for _, form in ipairs(forms) do
        if not form.when or form.when(g, ...) then
            usable[#usable + 1] = form
            plain[#plain + 1] = form.plain and form or nil
        end
    end
    local only_plain = #plain > 0 and (g.plain or chance(g, 50))
    local form = pick(g, only_plain and plain or usable)
    note(g, group .. ":" .. form.name)
    return form.build(g, ...)
end


-- ---- Text -----------------------------------------------------------------

-- A random place of an ASCII character of a class; nil when there is none.
local function place_of(g, text, class)
    local places = {}
    for place in text:gmatch("()" .. class) do
        places[#places + 1] = place
    end
    return #places > 0 and pick(g, places) or nil
end


local function splice(text, first, last, with)
    return text:sub(1, first - 1) .. with .. text:sub(last + 1)
end


local function flip_case(char)
    return char:lower() == char and char:upper() or char:lower()
end


local function random_case(g, text)
    return (text:gsub("%a", function(char)
        return chance(g, 30) and flip_case(char) or nil
    end))
end


-- Replaces a random stretch by `*`, or one character by `?`.
local function with_wildcard(g, text)
    local first = place_of(g, text, "[%w/:.-]")
    if not first or chance(g, 15) then
        return text .. "*"
    elseif chance(g, 35) then
        return splice(text, first, first, "?")
    end
    local stretch = text:match("^[%w/:.-]*", first)
    return splice(text, first, first + g.random(#stretch) - 1, "*")
end


-- Changes of a text; each returns nil when the text has nothing to change.
local TEXT_CHANGES = {
    { name = "char", change = function(g, text)
        local at = place_of(g, text, "%w")
        return at and splice(text, at, at, text:sub(at, at) == "x" and "y" or "x")
    end },
    { name = "case", change = function(g, text)
        local at = place_of(g, text, "%a")
        return at and splice(text, at, at, flip_case(text:sub(at, at)))
    end },
    { name = "drop", change = function(g, text)
        local at = place_of(g, text, "[%w/:*?]")
        return at and splice(text, at, at, "")
    end },
    { name = "segment", change = function(g, text)
        local at = place_of(g, text, "[%w*-]+")
        return at and splice(text, at, at + #text:match("^[%w*-]+", at) - 1, "other")
    end },
    { name = "account", change = function(_, text)
        local changed, count = text:gsub(HOME, AWAY, 1)
        if count == 0 then
            changed, count = text:gsub(AWAY, HOME, 1)
        end
        return count > 0 and changed or nil
    end },
    { name = "wildcard", change = function(g, text)
        return text ~= "" and with_wildcard(g, text) or nil
    end },
    { name = "no-star", change = function(g, text)
        local at = place_of(g, text, "%*")
        return at and splice(text, at, at, pick(g, { "", "x", "?" }))
    end },
    { name = "colon", change = function(g, text)
        local at = place_of(g, text, ":")
        if not at then
            return nil
        end
        return splice(text, at, at, pick(g, { "", "::", "?", "*", "*:" }))
    end },
}


local function changed_text(g, text)
    for _ = 1, 6 do
        local change = pick(g, TEXT_CHANGES)
        local changed = change.change(g, text)
        if changed and changed ~= text then
            return changed, change.name
        end
    end
    return text .. "x", "char"
end


-- ---- Context --------------------------------------------------------------

-- A fresh key. Names are unique without regard to letter case.
local function new_key(g, name)
    g.key_count = g.key_count + 1
    return ("app:%s%d"):format(name, g.key_count)
end


-- Variables: what stands for `text` in a policy. Only the first two mean it.
local VARIABLES = {
    { name = "value", build = function(g, text)
        local key = new_key(g, "Var")
        g.context[key] = text
        return "${" .. random_case(g, key) .. "}"
    end },
    { name = "default", build = function(g, text)
        return "${" .. new_key(g, "none") .. ", '" .. text .. "'}"
    end },
    { name = "default-unused", build = function(g, text)
        local key = new_key(g, "var")
        g.context[key] = text
        return "${" .. key .. ", 'unused'}"
    end },
    { name = "default-empty", build = function(g)
        return "${" .. new_key(g, "none") .. ", ''}"
    end },
    { name = "missing", build = function(g)
        return "${" .. new_key(g, "none") .. "}"
    end },
    { name = "blank", build = function(g)
        local key = new_key(g, "blank")
        g.context[key] = ""
        return "${" .. key .. "}"
    end },
    { name = "blank-default", build = function(g, text)
        local key = new_key(g, "blank")
        g.context[key] = ""
        return "${" .. key .. ", '" .. text .. "'}"
    end },
    { name = "many", build = function(g, text)
        local key = new_key(g, "many")
        g.context[key] = A { text }
        return "${" .. key .. pick(g, { "}", ", '" .. text .. "'}" })
    end },
    { name = "wild-value", build = function(g, text)
        local key = new_key(g, "var")
        g.context[key] = pick(g, { "*", text .. "*", "?" })
        return "${" .. key .. "}"
    end },
    { name = "escape", build = function(g, text)
        return pick(g, { "${*}", "${?}", "${$}" }) .. text
    end },
    { name = "malformed", build = function(g, text)
        local key = new_key(g, "var")
        g.context[key] = text
        return pick(g, { "${%s,'%s'}", "${ %s}", "${%s", "$%s}", "${%s, '%s}", "${%s , '%s'}" })
            :format(key, text)
    end },
}


-- Replaces a stretch of the text by a variable.
local function with_variable(g, text)
    local first = place_of(g, text, "%w")
    if not first then
        return text .. choose(g, "variable", VARIABLES, "")
    end
    local last = first + g.random(#text:match("^%w+", first)) - 1
    local before, after = text:sub(1, first - 1), text:sub(last + 1)
    if chance(g, 20) then
        after = with_wildcard(g, after)
    end
    return before .. choose(g, "variable", VARIABLES, text:sub(first, last)) .. after
end


-- `${*}` and its like in place of the characters they stand for.
local function with_escapes(text)
    return (text:gsub("[*?$]", "${%0}"))
end


-- ---- Condition values -----------------------------------------------------

-- A value type makes an item for the request (`sample`, its text and whatever
-- it needs to remember), a policy text that the item should meet (`hit`) and
-- one that it should just not meet (`miss`). `odd` lists texts that do not
-- parse, or only just do.

local TEXTS = { "red", "Red", "team-a", "a*b", "x?y", "é-1", "50$", "${x}", "a:b/c", "Zz9", "*" }

local text_type = { odd = { "", " red", "red ", "*", "${", "$", "red\n" } }


function text_type.sample(g)
    return { text = pick(g, TEXTS) }
end


function text_type.hit(g, item, base)
    local text = item.text
    if base:find("IgnoreCase") and chance(g, 60) then
        text = random_case(g, text)
    elseif chance(g, 25) then
        return with_variable(g, text)
    elseif chance(g, 25) then
        return with_escapes(text)
    elseif base:find("Like") and chance(g, 70) then
        return with_wildcard(g, text)
    end
    return text
end


function text_type.miss(g, item)
    return (changed_text(g, item.text))
end


local ARNS = {
    "arn:aws:sns:us-east-1:111122223333:topic", "arn:aws:s3:::bucket/a:b",
    "arn:aws:iam::111122223333:role/ci/Deployer", "arn:aws:iam::444455556666:user/bob",
    "arn:aws:lambda:eu-west-1:444455556666:function:f",
}

local arn_type = { odd = { "", "*", "arn:aws:s3", "topic", "arn:aws:s3:::", "*:*:*:*:*:*" } }


function arn_type.sample(g)
    return { text = pick(g, ARNS) }
end


function arn_type.hit(g, item)
    if chance(g, 25) then
        return with_variable(g, item.text)
    end
    return chance(g, 60) and with_wildcard(g, item.text) or item.text
end


arn_type.miss = text_type.miss


local number_type = {
    odd = { "0x10", "1.", ".5", " 5", "5 ", "1e", "--1", "", "1e400", "-1e-400", "five", "1,000" },
}


-- A number is `count` units of 10^-scale, so that its neighbours are near.
local function number_text(count, scale)
    local sign, digits = count < 0 and "-" or "", ("%.0f"):format(math.abs(count))
    digits = ("0"):rep(scale + 1 - #digits) .. digits
    local whole, fraction = digits:sub(1, #digits - scale), digits:sub(#digits - scale + 1)
    return sign .. whole .. (scale > 0 and "." .. fraction or "")
end


function number_type.sample(g)
    local count = chance(g, 10) and 9007199254740900 + g.random(90) or g.random(41) - 21
    local scale = chance(g, 30) and g.random(3) or 0
    return { text = number_text(count, scale), count = count, scale = scale }
end


function number_type.hit(g, item)
    local text = number_text(item.count, item.scale)
    local dot = text:find(".", 1, true)
    return pick(g, {
        text, text .. (dot and "00" or ".0"), text .. "e0", text .. "E+00",
        number_text(item.count, item.scale + 1) .. "e1", (text:gsub("^(-?)", "%1000")),
        item.count >= 0 and "+" .. text or text,
    })
end


function number_type.miss(g, item)
    return number_text(item.count + pick(g, { -1, 1 }), item.scale)
end


local INSTANTS = { 0, 946684800, 951782400, 1577836800, 1582934400, 1600000000, 1700000000,
                   4102444800 }

local ZONES = { { "", 0 }, { "Z", 0 }, { "+00:00", 0 }, { "+05:30", 19800 },
                { "-08:00", -28800 } }

local date_type = {
    odd = { "2020-02-30", "2020-13-01", "2020-1-1", "2020-01-01T24:00:00Z", "2020-01-01T00:00:60Z",
            "2020-01-01T00:00:00+24:00", "2020-01-01t00:00:00z", "2020-01-01 00:00:00Z", "-1",
            "2020-01-01Z", "2020-01-01T00:00:00.Z", "1e9", "1600000000.5", "", "1900-02-29", "*" },
}


-- One of the spellings of an instant.
local function date_text(g, instant)
    if chance(g, 15) then
        return ("%d"):format(instant)
    end
    local zone, shift = unpack(pick(g, ZONES))
    if instant + shift < 0 then
        zone, shift = "Z", 0 -- not every machine's os.date goes back behind 1970
    end
    local text = os.date("!%Y-%m-%dT%H:%M:%S", instant + shift)
    if zone == "" and text:find("T00:00:00", 1, true) and chance(g, 60) then
        text = text:match("^(.*)T")
        text = chance(g, 50) and text:match("^(.*)%-01$") or text
        return chance(g, 50) and text:match("^(%d%d%d%d)%-01$") or text
    end
    if text:find(":00$") and chance(g, 20) then
        text = text:match("^(.*):00$")
    elseif chance(g, 20) then
        text = text .. pick(g, { ".0", ".000000" })
    end
    return text .. zone
end


function date_type.sample(g)
    local instant = pick(g, INSTANTS) + (chance(g, 30) and g.random(3) - 1 or 0)
    instant = math.max(instant, 0)
    return { text = date_text(g, instant), instant = instant }
end


function date_type.hit(g, item)
    return date_text(g, item.instant)
end


function date_type.miss(g, item)
    if chance(g, 20) then
        return os.date("!%Y-%m-%dT%H:%M:%S", item.instant) .. pick(g, { ".1Z", ".000000001Z" })
    end
    return date_text(g, math.max(item.instant + pick(g, { -1, 1, 60, -3600 }), 0))
end


local boolean_type = { odd = { "1", "yes", "", "tru", " true", "${aws:SecureTransport}" } }


function boolean_type.sample(g)
    local word = pick(g, { "true", "false" })
    return { text = random_case(g, word), word = word }
end


function boolean_type.hit(g, item)
    return chance(g, 50) and item.word == "true" and true or random_case(g, item.word)
end


function boolean_type.miss(g, item)
    return random_case(g, item.word == "true" and "false" or "true")
end


local BINARY = { "QUJD", "QQ==", "QUI=", "/+8A", "" }

local binary_type = { odd = { "QQ", "QQ=", "-_==", "Q===", "QU JD", "=QUJ", "QUJDQ", "${a}" } }


function binary_type.sample(g)
    return { text = pick(g, BINARY) }
end


function binary_type.hit(_, item)
    return item.text
end


function binary_type.miss(g)
    return pick(g, BINARY)
end


local address_type = {
    odd = { "010.0.0.1", "10.0.0", "10.0.0.256", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/",
            "::1%eth0", "1:2:3:4:5:6:7::8", ":::", "2001:db8::/129", "1::2::3", "10.0.0.*",
            "::ffff:1.2.3", "${aws:SourceIp}", "12345::", "", "0.0.0.0/0", "::/0",
            "::ffff:0.0.0.0/95" },
}


local function ipv4_text(bytes)
    return table.concat(bytes, ".")
end


local function ipv6_text(g, bytes)
    local groups = {}
    for i = 1, 8 do
        groups[i] = ("%x"):format(bytes[2 * i - 1] * 256 + bytes[2 * i])
    end
    local text = table.concat(groups, ":")
    if chance(g, 60) then
        local first, last = text:find(":0[:0]*:")
        if first then
            text = splice(text, first, last, "::")
        end
    end
    return random_case(g, text)
end


-- An IPv4 address is now and then written as the IPv6 address it maps to.
local function address_text(g, bytes, length)
    local suffix = length and "/" .. length or ""
    if #bytes == 16 then
        return ipv6_text(g, bytes) .. suffix
    elseif chance(g, 80) then
        return ipv4_text(bytes) .. suffix
    end
    local mapped = chance(g, 50) and ipv4_text(bytes)
        or ("%x:%x"):format(bytes[1] * 256 + bytes[2], bytes[3] * 256 + bytes[4])
    return "::ffff:" .. mapped .. (length and "/" .. length + 96 or "")
end


function address_type.sample(g)
    local bytes = chance(g, 60) and { 10, 0, 0, 0 }
        or { 32, 1, 13, 184, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 }
    for i = #bytes == 4 and 2 or 12, #bytes do
        bytes[i] = chance(g, 50) and g.random(256) - 1 or bytes[i]
    end
    return { text = address_text(g, bytes), bytes = bytes }
end


local function flipped(bytes, index)
    local copy = {}
    for i, byte in ipairs(bytes) do
        copy[i] = byte
    end
    local at = math.floor(index / 8) + 1
    copy[at] = bit.bxor(copy[at], 2 ^ (7 - index % 8))
    return copy
end


-- Inside: the bit just behind the prefix may differ.
function address_type.hit(g, item)
    local bits = 8 * #item.bytes
    local length = chance(g, 30) and bits or g.random(bits)
    local bytes = length < bits and chance(g, 50) and flipped(item.bytes, length) or item.bytes
    return address_text(g, bytes, (length < bits or chance(g, 50)) and length or nil)
end


-- Outside: the last bit of the prefix differs.
function address_type.miss(g, item)
    local length = g.random(8 * #item.bytes)
    return address_text(g, flipped(item.bytes, length - 1), length)
end


local presence_type = { odd = { "yes", "", "${app:none}", "1" } }


function presence_type.sample(g)
    return text_type.sample(g)
end


function presence_type.hit(g)
    return pick(g, { "true", "false", "TRUE", "False", true, false })
end


presence_type.miss = presence_type.hit


-- ---- Conditions -----------------------------------------------------------

local BASES = {
    { "StringEquals", text_type }, { "StringNotEquals", text_type },
    { "StringEqualsIgnoreCase", text_type }, { "StringNotEqualsIgnoreCase", text_type },
    { "StringLike", text_type }, { "StringNotLike", text_type },
    { "NumericEquals", number_type }, { "NumericNotEquals", number_type },
    { "NumericLessThan", number_type }, { "NumericLessThanEquals", number_type },
    { "NumericGreaterThan", number_type }, { "NumericGreaterThanEquals", number_type },
    { "DateEquals", date_type }, { "DateNotEquals", date_type },
    { "DateLessThan", date_type }, { "DateLessThanEquals", date_type },
    { "DateGreaterThan", date_type }, { "DateGreaterThanEquals", date_type },
    { "Bool", boolean_type }, { "BinaryEquals", binary_type },
    { "IpAddress", address_type }, { "NotIpAddress", address_type },
    { "ArnEquals", arn_type }, { "ArnNotEquals", arn_type },
    { "ArnLike", arn_type }, { "ArnNotLike", arn_type },
    { "Null", presence_type },
}

local TYPE_OF = {}
for _, base in ipairs(BASES) do
    TYPE_OF[base[1]] = base[2]
end

local QUANTIFIERS = { "", "ForAllValues:", "ForAnyValue:" }
local CELLS = { "missing", "empty", "one", "blank", "list-of-one", "list", "list-of-blank" }


local function combinations()
    local list = {}
    for _, base in ipairs(BASES) do
        for _, quantifier in ipairs(QUANTIFIERS) do
            for _, suffix in ipairs(base[1] == "Null" and { "" } or { "", "IfExists" }) do
                for _, cell in ipairs(CELLS) do
                    list[#list + 1] = {
                        base = base[1], quantifier = quantifier, suffix = suffix, cell = cell,
                        feature = quantifier .. base[1] .. suffix .. "/" .. cell,
                    }
                end
            end
        end
    end
    return list
end


local COMBINATIONS = combinations()


-- A text that looks like a plain number may stand as a number, or a Boolean.
local function as_json(g, text)
    if type(text) ~= "string" or not chance(g, 30) then
        return text
    elseif text == "true" or text == "false" then
        return text == "true"
    elseif text:match("^-?[1-9]%d?%d?$") or text:match("^-?%d%.[1-9]$") then
        return tonumber(text)
    end
    return text
end


local function new_item(g, value_type)
    if chance(g, 6) then
        note(g, "odd:request")
        local item = value_type.sample(g)
        item.text = pick(g, value_type.odd)
        return item
    end
    return value_type.sample(g)
end


-- Fills a fresh context key as `cell` says; returns key and items.
local function fill_cell(g, value_type, cell)
    local key = pick(g, { new_key(g, "Key"), "aws:PrincipalTag/" .. new_key(g, "Tag"):sub(5) })
    local items = {}
    if cell == "one" or cell == "list-of-one" then
        items[1] = new_item(g, value_type)
    elseif cell == "list" then
        for i = 1, 1 + g.random(2) do
            items[i] = new_item(g, value_type)
        end
    end
    if cell == "one" then
        g.context[key] = as_json(g, items[1].text)
    elseif cell == "blank" then
        g.context[key] = ""
    elseif cell == "list-of-blank" then
        g.context[key] = chance(g, 70) and A { "" } or A { "", "" }
    elseif cell ~= "missing" then
        g.context[key] = A {}
        for i, item in ipairs(items) do
            g.context[key][i] = as_json(g, item.text)
        end
    end
    return key, items
end


local function policy_value(g, value_type, base, items)
    local item = #items > 0 and pick(g, items) or value_type.sample(g)
    if chance(g, 6) then
        note(g, "odd:policy")
        return pick(g, value_type.odd)
    elseif chance(g, 60) then
        return as_json(g, value_type.hit(g, item, base))
    end
    return as_json(g, value_type.miss(g, item, base))
end


local VALUE_FORMS = {
    { name = "single", plain = true, build = function(_, make)
        return make()
    end },
    { name = "list-of-one", build = function(_, make)
        return A { make() }
    end },
    { name = "list", plain = true, build = function(g, make)
        local list = A {}
        for i = 1, 1 + g.random(3) do
            list[i] = make()
        end
        return list
    end },
}


-- Adds a key with values to the keys of one operator.
local function add_key(g, keys, base, cell)
    local value_type = TYPE_OF[base]
    local key, items = fill_cell(g, value_type, cell)
    local function make()
        return policy_value(g, value_type, base, items)
    end
    key = chance(g, 30) and random_case(g, key) or key
    if chance(g, 7) then
        note(g, "values:empty")
        keys[key] = A {}
    else
        keys[key] = choose(g, "values", VALUE_FORMS, make)
    end
end


-- Adds a condition; false when the block already has that operator.
local function add_condition(g, statement, combination)
    local operator = combination.quantifier .. combination.base .. combination.suffix
    operator = chance(g, 10) and random_case(g, operator) or operator
    local block = statement.Condition or {}
    for name in pairs(block) do
        if name:lower() == operator:lower() then
            return false
        end
    end
    note(g, combination.feature)
    block[operator] = {}
    add_key(g, block[operator], combination.base, combination.cell)
    if chance(g, 8) then
        note(g, "condition:two-keys")
        add_key(g, block[operator], combination.base, pick(g, CELLS))
    end
    statement.Condition = block
    return true
end


-- ---- Requests -------------------------------------------------------------

local METHODS = { "abc123/dev/GET/pets", "abc123/dev/GET/", "abc123/prod/POST/pets/42",
                  "abc123/dev/GET/pets:42", "abc123/dev/GET/a*b", "abc123/dev/GET/café",
                  "abc123/$default/GET/x" }

local SERVICES = {
    { name = "execute-api", build = function(g)
        local action = pick(g, { "Invoke", "InvalidateCache", "ManageConnections" })
        return "execute-api:" .. action,
            "arn:aws:execute-api:us-east-1:" .. HOME .. ":" .. pick(g, METHODS)
    end },
    { name = "s3", build = function(g)
        g.context["aws:ResourceAccount"] = chance(g, 70) and HOME or nil
        return "s3:" .. pick(g, { "GetObject", "PutObject" }),
            "arn:aws:s3:::" .. pick(g, { "bucket", "bucket/key", "bucket/a:b/c" })
    end },
    { name = "sqs", build = function()
        return "sqs:SendMessage", "arn:aws:sqs:us-east-1:" .. HOME .. ":orders"
    end },
    { name = "dynamodb", build = function()
        return "dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:" .. HOME .. ":table/prod-1"
    end },
    { name = "sns", build = function()
        return "sns:Publish", "arn:aws:sns:us-east-1:" .. HOME .. ":topic"
    end },
}


local function iam(account, rest)
    return "arn:aws:iam::" .. account .. ":" .. rest
end


local function sts(account, rest)
    return "arn:aws:sts::" .. account .. ":" .. rest
end


local CANONICAL = ("0123456789abcdef"):rep(4)

-- Callers: the identifier, the account, and the values of Principal that name
-- the caller itself, weakest last.
local CALLERS = {
    { name = "anonymous", id = "*" },
    { name = "user", id = iam(HOME, "user/alice"), account = HOME },
    { name = "user-path", id = iam(HOME, "user/div/alice"), account = HOME },
    { name = "session", id = sts(HOME, "assumed-role/Deployer/run-7"), account = HOME,
      role = iam(HOME, "role/ci/Deployer") },
    { name = "federated-user", id = sts(HOME, "federated-user/alice"), account = HOME,
      role = iam(HOME, "user/div/alice") },
    { name = "root", id = iam(HOME, "root"), account = HOME },
    { name = "foreign-user", id = iam(AWAY, "user/bob"), account = AWAY },
    { name = "foreign-session", id = sts(AWAY, "assumed-role/Deployer/run-7"), account = AWAY,
      role = iam(AWAY, "role/Deployer") },
    { name = "foreign-root", id = iam(AWAY, "root"), account = AWAY },
    { name = "service", id = "sns.amazonaws.com", map_key = "Service" },
    { name = "provider", id = "accounts.google.com", map_key = "Federated" },
    { name = "saml", id = iam(HOME, "saml-provider/idp"), map_key = "Federated" },
    { name = "canonical", id = CANONICAL, map_key = "CanonicalUser" },
}


-- ---- Elements that match --------------------------------------------------

local function set_action(name, form, plain)
    return { name = name, plain = plain, build = function(g, statement)
        statement.Action = form(g, g.action)
    end }
end


local ACTIONS = {
    set_action("exact", function(_, action) return action end, true),
    set_action("star", function() return "*" end, true),
    set_action("letter-case", random_case),
    set_action("service", function(_, action) return action:match("^.-:") .. "*" end, true),
    set_action("wildcard", with_wildcard),
    set_action("question", function(_, action) return (action:gsub(".$", "?")) end),
    set_action("list", function(_, action) return A { "ec2:*", action } end),
    set_action("text-variable", function(_, action) return A { "${app:x}", action } end),
    { name = "not", build = function(g, statement)
        statement.NotAction = pick(g, { "ec2:*", A { "iam:*", g.action .. "x" }, A {} })
    end },
}


local function is_api(g, gate)
    return gate == "resource" and g.action:find("^execute%-api:")
end


local function sixth_part(resource)
    return resource:match("^([^:]*:[^:]*:[^:]*:[^:]*:[^:]*:)(.*)$")
end


local function cut(resource, parts)
    local text = resource:match("^[^:]*")
    for part in resource:sub(#text + 1):gmatch(":[^:]*") do
        parts = parts - 1
        text = parts > 0 and text .. part or text
    end
    return text
end


-- Each returns a pattern for the request's resource.
local RESOURCES = {
    { name = "star", plain = true, build = function() return "*" end },
    { name = "exact", plain = true, build = function(g) return g.resource end },
    { name = "tail-star", plain = true, build = function(g)
        local head, rest = sixth_part(g.resource)
        return head .. rest:sub(1, g.random(#rest) - 1):gsub("[\192-\255]$", "") .. "*"
    end },
    { name = "segments", build = function(g)
        local head, rest = sixth_part(g.resource)
        return (head:gsub("us%-east%-1", "*")):gsub(HOME, pick(g, { "*", HOME, "?" }))
            .. with_wildcard(g, rest)
    end },
    { name = "spill", build = function(g)
        return (g.resource:gsub("us%-east%-1:" .. HOME, "*"))
    end },
    { name = "inner-star", build = function(g)
        return (g.resource:gsub("us%-east%-1:%d+", pick(g, {
            "us-*1:" .. HOME, "us-*3:*", "us-*3", "*1:" .. HOME, "us-e*:" .. HOME })))
    end },
    { name = "question-colon", build = function(g)
        local at = place_of(g, g.resource, ":")
        return splice(g.resource, at, at, "?")
    end },
    { name = "wildcard", build = function(g) return with_wildcard(g, g.resource) end },
    { name = "incomplete", build = function(g)
        return cut(g.resource, 2 + g.random(3)) .. pick(g, { "", "", "*", ":", ":*" })
    end },
    { name = "short", plain = true, when = is_api, build = function(g)
        local rest = g.resource:match("abc123/(.*)$")
        return "execute-api:/" .. pick(g, { "*", rest, with_wildcard(g, rest) })
    end },
    { name = "short-variable", when = is_api, build = function(g)
        return "execute-api:/" .. with_variable(g, g.resource:match("abc123/(.*)$"))
    end },
    { name = "short-elsewhere", build = function() return A { "execute-api:/*", "*x" } end },
    { name = "variable", build = function(g)
        local head, rest = sixth_part(g.resource)
        return head .. with_variable(g, rest)
    end },
    { name = "variable-early", build = function(g)
        local head, rest = sixth_part(g.resource)
        return with_variable(g, head) .. rest
    end },
    { name = "variable-text", build = function(g)
        return "arn:aws:${a:b}:" .. pick(g, { "*", "*:*:" .. g.resource:match("[^:]*$") })
    end },
    { name = "escapes", build = function(g) return with_escapes(g.resource) end },
}

local function set_resource(g, statement, gate)
    local pattern = choose(g, "resource", RESOURCES, gate)
    if g.plain or chance(g, 70) then
        statement.Resource = pattern
    elseif chance(g, 60) then
        note(g, "resource:list")
        statement.Resource = json.is_array(pattern) and pattern
            or A { "arn:aws:ec2:*:*:vpc/*", pattern }
    else
        note(g, "resource:not")
        statement.NotResource = pick(g, { g.resource .. "x", A {}, A { "arn:aws:ec2:*:*:*" },
                                          (changed_text(g, g.resource)) })
    end
end


local function has_role(g)
    return g.caller.role ~= nil
end


local function has_account(g)
    return g.caller.account ~= nil
end


local function is_named(g)
    return g.caller.name ~= "anonymous"
end


local function map(g, value)
    return { [g.caller.map_key or "AWS"] = value }
end


local PRINCIPALS = {
    { name = "star", plain = true, build = function() return "*" end },
    { name = "aws-star", plain = true, build = function() return { AWS = "*" } end },
    { name = "direct", plain = true, when = is_named, build = function(g)
        return map(g, g.caller.id)
    end },
    { name = "role", plain = true, when = has_role, build = function(g)
        return map(g, g.caller.role)
    end },
    { name = "account", plain = true, when = has_account, build = function(g)
        return { AWS = g.caller.account }
    end },
    { name = "root-arn", when = has_account, build = function(g)
        return { AWS = iam(g.caller.account, "root") }
    end },
    { name = "list", build = function(g)
        return map(g, A { iam(AWAY, "user/eve"), g.caller.id, iam(AWAY, "role/*") })
    end },
    { name = "two-keys", build = function(g)
        return { AWS = g.caller.account or AWAY, Service = "sns.amazonaws.com",
                 Federated = "accounts.google.com" }
    end },
    { name = "wrong-key", when = is_named, build = function(g)
        return { [g.caller.map_key and "AWS" or "Service"] = g.caller.id }
    end },
    { name = "other", build = function(g)
        return { AWS = pick(g, { iam(HOME, "user/eve"), AWAY, iam(AWAY, "root"),
                                 "AIDAJQABLZS4A3QDU576Q" }) }
    end },
    { name = "partial", build = function(g)
        return { AWS = iam(g.caller.account or HOME, pick(g, { "user/*", "role/*", "*" })) }
    end },
}

local NOT_PRINCIPALS = {
    { name = "other", build = function() return { AWS = iam(HOME, "user/eve") } end },
    { name = "caller", build = function(g)
        return map(g, A { g.caller.id, iam(g.caller.account or HOME, "root") })
    end },
    { name = "role", when = has_role, build = function(g)
        return { AWS = A { g.caller.role, g.caller.account } }
    end },
    { name = "accounts", build = function(g)
        return { AWS = A { g.caller.account or HOME, iam(AWAY, "root") } }
    end },
    { name = "account-and-service", build = function(g)
        return { AWS = g.caller.account or HOME, Service = "s3.amazonaws.com" }
    end },
    { name = "account-and-user", build = function(g)
        return { AWS = A { iam(g.caller.account or HOME, "root"), iam(HOME, "user/eve") } }
    end },
    { name = "star", build = function() return "*" end },
}


-- ---- Statements and documents ---------------------------------------------

local NAMES_PRINCIPAL = { resource = true, endpoint = true, rcp = true }


local function set_principal(g, statement, gate)
    if gate == "rcp" then
        statement.Principal = "*"
    elseif NAMES_PRINCIPAL[gate] and statement.Effect == "Deny" and chance(g, 35) then
        statement.NotPrincipal = choose(g, "notprincipal", NOT_PRINCIPALS)
    elseif NAMES_PRINCIPAL[gate] and chance(g, 1) then
        note(g, "notprincipal:allow")
        statement.NotPrincipal = { AWS = iam(HOME, "user/eve") }
    elseif NAMES_PRINCIPAL[gate] then
        statement.Principal = choose(g, "principal", PRINCIPALS)
    end
end


-- A statement meant to match. It is remembered as something to change.
local function add_statement(g, document, gate, effect)
    local statement = { Effect = effect, Sid = "S" .. #document.Statement + 1 }
    if gate == "rcp" then
        statement.Action = g.action:match("^.-:") .. "*" -- must name a service, NotAction may not
    else
        choose(g, "action", ACTIONS, statement)
    end
    set_resource(g, statement, gate)
    set_principal(g, statement, gate)
    table.insert(document.Statement, statement)
    local target = { statement = statement, document = document, gate = gate }
    table.insert(g.targets, target)
    return target
end


local function new_document(g, gate)
    local version = "2012-10-17"
    if gate ~= "rcp" and chance(g, g.plain and 8 or 20) then
        version = pick(g, { "2008-10-17", false })
        note(g, "version:" .. (version or "none"))
    end
    return { Version = version or nil, Statement = A {} }
end


-- ---- Changes --------------------------------------------------------------

-- All texts of a statement that may be changed, each as the table and the key
-- that hold it.
local function text_places(statement)
    local places = {}

    local function visit(holder, key)
        local value = holder[key]
        if json.is_array(value) then
            for i = 1, #value do
                visit(value, i)
            end
        elseif type(value) == "string" then
            places[#places + 1] = { holder, key }
        end
    end

    local function visit_sorted(object)
        local names = {}
        for name in pairs(object) do
            names[#names + 1] = name
        end
        table.sort(names)
        for _, name in ipairs(names) do
            if json.is_array(object[name]) or type(object[name]) ~= "table" then
                visit(object, name)
            else
                visit_sorted(object[name])
            end
        end
    end

    for _, name in ipairs { "Action", "NotAction", "Resource", "NotResource" } do
        visit(statement, name)
    end
    for _, name in ipairs { "Principal", "NotPrincipal", "Condition" } do
        if type(statement[name]) == "table" then
            visit_sorted(statement[name])
        end
    end
    return places
end


local function sorted_names(object)
    local names = {}
    for name in pairs(object) do
        names[#names + 1] = name
    end
    table.sort(names)
    return names
end


-- Gives one operator of the statement another name, unless the block has it.
local function rename_operator(g, statement, new_name)
    local names = sorted_names(statement.Condition or {})
    if #names == 0 then
        return false
    end
    local old = pick(g, names)
    local new = new_name(old)
    for _, name in ipairs(names) do
        if not new or name:lower() == new:lower() then
            return false
        end
    end
    statement.Condition[new] = statement.Condition[old]
    statement.Condition[old] = nil
    return true
end


local function base_of(operator)
    local plain = operator:gsub("^.*:", ""):gsub("[Ii][Ff][Ee]%w+$", ""):lower()
    for _, base in ipairs(BASES) do
        if base[1]:lower() == plain then
            return base[1]
        end
    end
end


-- Each returns whether it changed something.
local CHANGES = {
    { name = "operator", change = function(g, target)
        return rename_operator(g, target.statement, function(old)
            local base, same_type = base_of(old), {}
            for _, other in ipairs(BASES) do
                if other[2] == TYPE_OF[base] and other[1] ~= base then
                    same_type[#same_type + 1] = other[1]
                end
            end
            local prefix = old:match("^.*:") or ""
            local suffix = old:lower():find("ifexists$") and "IfExists" or ""
            return #same_type > 0 and prefix .. pick(g, same_type) .. suffix
        end)
    end },
    { name = "quantifier", change = function(g, target)
        return rename_operator(g, target.statement, function(old)
            return pick(g, QUANTIFIERS) .. old:gsub("^.*:", "")
        end)
    end },
    { name = "if-exists", change = function(g, target)
        return rename_operator(g, target.statement, function(old)
            if base_of(old) == "Null" then
                return nil
            end
            local bare = old:gsub("[Ii][Ff][Ee]%w+$", "")
            return bare ~= old and bare or old .. "IfExists"
        end)
    end },
    { name = "key", change = function(g)
        local names = sorted_names(g.context)
        if #names == 0 then
            return false
        end
        local name = pick(g, names)
        local value = g.context[name]
        if json.is_array(value) then
            g.context[name] = pick(g, { false, value[1] or "", A {} }) or nil
        else
            g.context[name] = pick(g, { false, A { value }, "", A { value, "more" } }) or nil
        end
        return true
    end },
    { name = "version", change = function(g, target)
        if target.gate == "rcp" then
            return false
        end
        target.document.Version = pick(g, { "2012-10-17", "2008-10-17", false }) or nil
        return true
    end },
    { name = "list", change = function(g, target)
        local places = text_places(target.statement)
        local place = #places > 0 and pick(g, places)
        if not place or json.is_array(place[1]) then
            return false
        end
        place[1][place[2]] = A { place[1][place[2]] }
        return true
    end },
    { name = "invert", change = function(g, target)
        local statement, name = target.statement, pick(g, { "Action", "Resource" })
        if target.gate == "rcp" and name == "Action" then
            return false
        end
        statement[name], statement["Not" .. name] = statement["Not" .. name], statement[name]
        return true
    end },
    { name = "effect", change = function(_, target)
        if target.gate == "rcp" then
            return false
        end
        target.statement.Effect = target.statement.Effect == "Allow" and "Deny" or "Allow"
        return true
    end },
}


local function change_text(g, target)
    local places = text_places(target.statement)
    if #places == 0 then
        return false
    end
    local holder, key = unpack(pick(g, places))
    local text, name = changed_text(g, holder[key])
    note(g, "change:" .. name)
    holder[key] = text
    return true
end


local function change(g, target)
    if chance(g, 60) and change_text(g, target) then
        return
    end
    for _ = 1, 6 do
        local drawn = pick(g, CHANGES)
        if drawn.change(g, target) then
            note(g, "change:" .. drawn.name)
            return
        end
    end
    change_text(g, target)
end


-- ---- Gates ----------------------------------------------------------------

local GATES = { "identity", "resource", "endpoint", "boundary", "session", "scp", "rcp" }


-- Which gates are attached, in percent. A plain case has few.
local function plan_gates(g)
    local caller = g.caller
    local percent = { identity = 60, resource = 60, endpoint = 30, boundary = 30, session = 30,
                      scp = 30, rcp = 30 }
    if g.plain then
        percent = { identity = 50, resource = 60, endpoint = 12, boundary = 12, session = 12,
                    scp = 12, rcp = 12 }
    end
    if caller.account == AWAY then
        percent.identity, percent.resource = 97, 97
    elseif not caller.account then
        percent.resource, percent.identity = 97, 20
    end
    if caller.name == "federated-user" then
        percent.session = 75
    end
    local attached = {}
    for _, gate in ipairs(GATES) do
        if chance(g, percent[gate]) then
            attached[#attached + 1] = gate
            note(g, "gate:" .. gate)
            note(g, "caller:" .. caller.name .. "/gate:" .. gate)
        end
    end
    return attached
end


-- A Deny that just does not match, mostly.
local function add_near_deny(g, document, gate)
    note(g, "deny:near/" .. gate)
    change(g, add_statement(g, document, gate, "Deny"))
end


local function allowing_document(g, gate)
    local document = new_document(g, gate)
    if gate == "rcp" then
        note(g, "rcp:full-access")
        document.Statement[1] = { Effect = "Allow", Principal = "*", Action = "*", Resource = "*" }
        return document
    end
    local target = add_statement(g, document, gate, "Allow")
    table.insert(g.allows, target)
    if not g.plain and chance(g, 20) then
        add_condition(g, target.statement, pick(g, COMBINATIONS))
    end
    if not g.plain and chance(g, 30) then
        add_near_deny(g, document, gate)
    end
    return document
end


local function denying_document(g, gate)
    local document = new_document(g, gate)
    add_near_deny(g, document, gate)
    return document
end


-- A level of an organisation: one document, or a list of several.
local function new_level(g, gate)
    if chance(g, 70) then
        return allowing_document(g, gate)
    end
    note(g, gate .. ":level-of-many")
    return A { allowing_document(g, gate), denying_document(g, gate) }
end


local function attach(g, gate)
    if gate == "identity" then
        local documents = A { allowing_document(g, gate) }
        if chance(g, 30) then
            note(g, "identity:several")
            documents[2] = denying_document(g, gate)
        end
        return documents
    elseif gate ~= "scp" and gate ~= "rcp" then
        return allowing_document(g, gate)
    end
    local levels = A {}
    for i = 1, g.random(3) do
        levels[i] = new_level(g, gate)
    end
    note(g, gate .. ":levels-" .. #levels)
    if gate == "scp" and chance(g, 6) then
        note(g, "scp:empty-level")
        levels[#levels + 1] = A {}
    elseif gate == "rcp" then
        levels[#levels + 1] = denying_document(g, gate)
    end
    return levels
end


-- ---- Case -----------------------------------------------------------------

-- The document a focus Deny goes into: the first of its gate.
local function first_document(attached)
    while json.is_array(attached) do
        attached = attached[1]
    end
    return attached
end


-- Puts the condition the index asks for where it matters: on an Allow, or on a
-- Deny that otherwise matches.
local function add_focus(g, gates, policies, combination)
    if #g.allows > 0 and chance(g, 60) then
        note(g, "focus:allow")
        return add_condition(g, pick(g, g.allows).statement, combination)
    end
    local gate = #gates > 0 and pick(g, gates) or "resource"
    policies[gate] = policies[gate] or new_document(g, gate)
    note(g, "focus:deny")
    local action = gate == "rcp" and g.action:match("^.-:") .. "*" or "*"
    local statement = { Effect = "Deny", Action = action, Resource = "*",
                        Principal = NAMES_PRINCIPAL[gate] and "*" or nil }
    add_condition(g, statement, combination)
    local document = first_document(policies[gate])
    table.insert(document.Statement, statement)
    table.insert(g.targets, { statement = statement, document = document, gate = gate })
end


-- Facts of the caller that rules look up in the context.
local function add_caller_context(g)
    local caller = g.caller
    if caller.role and caller.name:find("session") and chance(g, 40) then
        note(g, "caller:known-role")
        g.context["aws:PrincipalArn"] = pick(g, {
            caller.role, caller.role:gsub("role/.*/", "role/"), iam(AWAY, "role/x/Deployer") })
    elseif caller.account and chance(g, 30) then
        g.context["aws:PrincipalArn"] = caller.role or caller.id
    end
end


-- A statement may stand alone instead of in a list.
local function unwrap_statements(g)
    for _, target in ipairs(g.targets) do
        local statements = target.document.Statement
        if json.is_array(statements) and #statements == 1 and chance(g, 15) then
            note(g, "statement:single")
            target.document.Statement = statements[1]
        elseif json.is_array(statements) and chance(g, 1) then
            note(g, "statement:none")
            target.document.Statement = A {}
        end
    end
end


--- Makes one case.
-- @param seed any whole number from 0 to 2^31
-- @param index any whole number from 0 to 2^31; it also chooses the focus
-- @return the case { id, request, policies } and the set of its features
function _M.case(seed, index)
    local g = { random = new_random(seed, index), features = {}, context = {}, targets = {},
                allows = {}, key_count = 0 }
    g.plain = chance(g, 50)
    note(g, g.plain and "style:plain" or "style:rich")
    g.caller = pick(g, CALLERS)
    g.action, g.resource = choose(g, "service", SERVICES)
    add_caller_context(g)

    local gates, policies = plan_gates(g), {}
    for _, gate in ipairs(gates) do
        policies[gate] = attach(g, gate)
    end
    add_focus(g, gates, policies, COMBINATIONS[index % #COMBINATIONS + 1])
    for _ = 1, pick(g, { 0, 0, 0, 1, 1, 2 }) do
        if #g.targets > 0 then
            change(g, pick(g, g.targets))
        end
    end
    unwrap_statements(g)

    local owner = chance(g, 8) and pick(g, { HOME, AWAY }) or nil
    if owner then
        note(g, "request:resource-account")
    end
    local request = { action = g.action, resource = g.resource, principal = g.caller.id,
                      context = g.context, resourceAccount = owner }
    return { id = ("generated-%d-%d"):format(seed, index), request = request,
             policies = policies }, g.features
end


-- ---- Features -------------------------------------------------------------

local function list_features()
    local features = {}

    local function add(format, ...)
        features[#features + 1] = format:format(...)
    end

    for _, combination in ipairs(COMBINATIONS) do
        add("%s", combination.feature)
    end
    for group, forms in pairs {
        action = ACTIONS, resource = RESOURCES, principal = PRINCIPALS, variable = VARIABLES,
        notprincipal = NOT_PRINCIPALS, values = VALUE_FORMS, service = SERVICES,
        change = TEXT_CHANGES,
    } do
        for _, form in ipairs(forms) do
            add("%s:%s", group, form.name)
        end
    end
    for _, form in ipairs(CHANGES) do
        add("change:%s", form.name)
    end
    for _, gate in ipairs(GATES) do
        add("gate:%s", gate)
        add("deny:near/%s", gate)
        for _, caller in ipairs(CALLERS) do
            add("caller:%s/gate:%s", caller.name, gate)
        end
    end
    for name in ([[style:plain style:rich focus:allow focus:deny values:empty odd:request odd:policy
            resource:list resource:not notprincipal:allow version:none version:2008-10-17
            identity:several scp:level-of-many rcp:level-of-many scp:levels-1 scp:levels-2
            scp:levels-3 rcp:levels-1 rcp:levels-2 rcp:levels-3 scp:empty-level rcp:full-access
            caller:known-role statement:single statement:none condition:two-keys
            request:resource-account]]):gmatch("%S+") do
        add("%s", name)
    end
    table.sort(features)
    return features
end


--- The names of everything a case may exercise, sorted.
_M.FEATURES = list_features()

--- After so many consecutive indices every operator has met every set operator,
-- IfExists and state of the key.
_M.PERIOD = #COMBINATIONS


-- ---- Shrink ---------------------------------------------------------------

local function copy(value)
    if type(value) ~= "table" then
        return value
    end
    local result = setmetatable({}, getmetatable(value))
    for key, item in pairs(value) do
        result[key] = copy(item)
    end
    return result
end


local function extended(path, ...)
    local result = { unpack(path) }
    for _, step in ipairs { ... } do
        result[#result + 1] = step
    end
    return result
end


-- Paths of the items of a list, the last first; none when it must keep one.
local function add_items(paths, path, list, least)
    if json.is_array(list) and #list > least then
        for i = #list, 1, -1 do
            paths[#paths + 1] = extended(path, i)
        end
    end
end


local function add_condition_paths(paths, path, block)
    for _, operator in ipairs(sorted_names(block)) do
        paths[#paths + 1] = extended(path, operator)
        for _, key in ipairs(sorted_names(block[operator])) do
            paths[#paths + 1] = extended(path, operator, key)
            add_items(paths, extended(path, operator, key), block[operator][key], 0)
        end
    end
end


local function add_statement_paths(paths, path, statement)
    for _, name in ipairs { "Action", "NotAction", "Resource", "NotResource" } do
        add_items(paths, extended(path, name), statement[name], 1)
    end
    for _, name in ipairs { "Principal", "NotPrincipal" } do
        local principal = statement[name]
        local keys = type(principal) == "table" and sorted_names(principal) or {}
        for _, key in ipairs(keys) do
            paths[#paths + 1] = #keys > 1 and extended(path, name, key) or nil
            add_items(paths, extended(path, name, key), principal[key], 1)
        end
    end
    if statement.Sid then
        paths[#paths + 1] = extended(path, "Sid")
    end
    if statement.Condition then
        paths[#paths + 1] = extended(path, "Condition")
        add_condition_paths(paths, extended(path, "Condition"), statement.Condition)
    end
end


-- Documents may be nested in lists, two deep.
local function add_document_paths(paths, path, attached)
    paths[#paths + 1] = path
    if json.is_array(attached) then
        for i = #attached, 1, -1 do
            add_document_paths(paths, extended(path, i), attached[i])
        end
    elseif json.is_array(attached.Statement) then
        add_items(paths, extended(path, "Statement"), attached.Statement, 0)
        for i, statement in ipairs(attached.Statement) do
            add_statement_paths(paths, extended(path, "Statement", i), statement)
        end
    else
        add_statement_paths(paths, extended(path, "Statement"), attached.Statement)
    end
end


-- Everything that may be left out of a case, large parts first.
local function removable_paths(case)
    local paths = {}
    for _, gate in ipairs(GATES) do
        if case.policies[gate] then
            add_document_paths(paths, { "policies", gate }, case.policies[gate])
        end
    end
    for _, key in ipairs(sorted_names(case.request.context)) do
        local path = { "request", "context", key }
        paths[#paths + 1] = path
        add_items(paths, path, case.request.context[key], 0)
    end
    if case.request.resourceAccount then
        paths[#paths + 1] = { "request", "resourceAccount" }
    end
    return paths
end


local function without(case, path)
    local smaller = copy(case)
    local holder = smaller
    for i = 1, #path - 1 do
        holder = holder[path[i]]
    end
    local last = path[#path]
    if json.is_array(holder) then
        table.remove(holder, last)
    else
        holder[last] = nil
    end
    return smaller
end


local function shrink_once(case, still_fails)
    for _, path in ipairs(removable_paths(case)) do
        local smaller = without(case, path)
        if still_fails(smaller) then
            return smaller
        end
    end
end


--- Leaves out of a case whatever is not needed for it to fail: policies,
-- statements, conditions, values, list items, context keys.
-- @param case a case; it is not changed
-- @param still_fails called with smaller cases, returns whether one fails still
-- @return a case that fails and of which no single part can be left out
function _M.shrink(case, still_fails)
    local smallest = case
    repeat
        local smaller = shrink_once(smallest, still_fails)
        smallest = smaller or smallest
    until not smaller
    return smallest
end


return _M
