--- Masking: taking out of an event what must not be written.
--
-- What is masked is named by JSON Pointers (RFC 6901) into the event, below `/input` or `/result`;
-- a segment `*` stands for every member. What was there and was taken out is told in the event's
-- `erased`, what was replaced in `masked`, so that nobody takes it for absent.
--
-- Beyond what is configured, everything that is a credential by its name is erased: headers and
-- members of the query.
--
-- *Dependencies*: postern.crypto
--
-- @module postern.audit.mask
local crypto = require("postern.crypto")


local _M = {}
local Mask = {}
Mask.__index = Mask


-- Parts of names of headers and query members that hold credentials: Authorization, Cookie,
-- X-Amz-Security-Token, X-Amz-Signature, X-Amz-Credential, X-Api-Key, code, ...
local SENSITIVE = { "auth", "cookie", "token", "secret", "passw", "pwd", "key", "signature",
                    "credential", "session", "assertion", "jwt", "saml", "otp" }
local WHOLE = { sig = true, code = true, pin = true, state = true, nonce = true }

-- Names looked at are remembered: most requests have the same ones.
local MOST_KNOWN = 512

local MASKED, HASH_DIGITS = "***", 16


-- ---- Names -----------------------------------------------------------------


local known, known_count = {}, 0

local function look_at(name)
    if WHOLE[name] then
        return true
    end
    for i = 1, #SENSITIVE do
        if name:find(SENSITIVE[i], 1, true) then
            return true
        end
    end
    return false
end


--- Whether a header or a member of the query is a credential by its name.
-- @tparam string name in lower case
-- @treturn boolean
function _M.is_sensitive(name)
    local answer = known[name]
    if answer == nil then
        answer = look_at(name)
        if known_count >= MOST_KNOWN then
            known, known_count = {}, 0
        end
        known[name], known_count = answer, known_count + 1
    end
    return answer
end


--- A segment of a pointer.
-- @tparam string name of a member
-- @treturn string
function _M.segment(name)
    return (name:gsub("~", "~0"):gsub("/", "~1"))
end


-- ---- Pointers --------------------------------------------------------------


-- The names a pointer leads through. Headers are in lower case in an event.
local function parse(pointer, option)
    if type(pointer) ~= "string" or not (pointer:find("^/input/.") or pointer:find("^/result/."))
        or pointer:gsub("~[01]", ""):find("~", 1, true) then
        error(("`%s`: `%s` is no JSON Pointer below `/input/` or `/result/`")
            :format(option, tostring(pointer)), 5)
    end
    local names = {}
    for segment in pointer:gmatch("/([^/]*)") do
        names[#names + 1] = segment:gsub("~1", "/"):gsub("~0", "~")
    end
    if names[1] == "input" and names[2] == "headers" and names[3] then
        names[3] = names[3]:lower()
    end
    return names
end


local function parse_all(pointers, option)
    if type(pointers) ~= "table" then
        error(("`%s`: give a list of JSON Pointers"):format(option), 4)
    end
    local all = {}
    for i, pointer in ipairs(pointers) do
        all[i] = parse(pointer, option)
    end
    return all
end


--- Makes a mask.
-- @tparam table options `mask`, pointers to what is replaced: by `***`, or where there is a
-- `mask_key`, a secret, by a keyed hash that is the same for the same value; `erase`, pointers to
-- what is left out. Mistakes are blamed on the caller of the caller
-- @treturn Mask
function _M.new(options)
    return setmetatable({
        key = options.mask_key, masks = parse_all(options.mask or {}, "mask"),
        erasures = parse_all(options.erase or {}, "erase"),
    }, Mask)
end


-- ---- Masking ---------------------------------------------------------------


local function hidden(self, value)
    if not self.key then
        return MASKED
    elseif type(value) == "table" then
        return MASKED -- in what order its members would be hashed nobody can say
    end
    return "hmac-sha256:" .. crypto.hex(crypto.hmac_sha256(self.key, tostring(value)))
        :sub(1, HASH_DIGITS)
end


local replace


local function replace_member(self, node, name, names, at, pointer, told)
    local here = pointer .. "/" .. _M.segment(tostring(name))
    if at < #names then
        return replace(self, node[name], names, at + 1, here, told)
    end
    node[name] = told.hides and hidden(self, node[name]) or nil
    told[#told + 1] = here
end


-- A list counts from 0 in a pointer and from 1 in Lua. Nothing is taken out of the middle of one:
-- the others would move.
local function replace_elements(self, list, names, at, pointer, told)
    for i = 1, #list do
        if names[at] == "*" or names[at] == tostring(i - 1) then
            local here = pointer .. "/" .. (i - 1)
            if at < #names then
                replace(self, list[i], names, at + 1, here, told)
            else
                list[i] = told.hides and hidden(self, list[i]) or MASKED
                told[#told + 1] = here
            end
        end
    end
end


function replace(self, node, names, at, pointer, told)
    if type(node) ~= "table" then
        return
    elseif node[1] ~= nil then
        return replace_elements(self, node, names, at, pointer, told)
    elseif names[at] ~= "*" then
        if node[names[at]] ~= nil then
            replace_member(self, node, names[at], names, at, pointer, told)
        end
        return
    end
    local all = {}
    for name in pairs(node) do
        all[#all + 1] = name
    end
    for _, name in ipairs(all) do
        replace_member(self, node, name, names, at, pointer, told)
    end
end


--- Masks an event, in place. What it does is added to its lists `erased` and `masked`.
-- @tparam table event of plain data
function Mask:apply(event)
    event.erased.hides, event.masked.hides = nil, true
    for _, names in ipairs(self.erasures) do
        replace(self, event, names, 1, "", event.erased)
    end
    for _, names in ipairs(self.masks) do
        replace(self, event, names, 1, "", event.masked)
    end
    event.masked.hides = nil
end


return _M
