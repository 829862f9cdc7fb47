--- What Lua was compiled to: tables of constants that are read where they are made.
--
-- The LuaJIT that we run on miscompiles loops in which a table of constants is made and then read
-- by a key that changes: when it unrolls the loop it takes the value that the table has, whatever
-- type was recorded, and leaves the test of it out. A loop over three names ends after the first.
-- Its own assertion ("mismatched type in constant table", `lj_opt_mem.c`) is off in releases. Such
-- tables are made once, outside of functions.
--
-- *Dependencies*: jit.util, jit.vmdef
local bit = require("bit")
local util = require("jit.util")
local vmdef = require("jit.vmdef")

local _M = {}

local MOST_FOLLOWED = 60 -- instructions after the table is made


local function decode(ins)
    local number = bit.band(ins, 0xff)
    local name = vmdef.bcnames:sub(6 * number + 1, 6 * number + 6):gsub(" ", "")
    return name, bit.band(bit.rshift(ins, 8), 0xff), bit.rshift(ins, 24),
        bit.band(bit.rshift(ins, 16), 0xff), bit.rshift(ins, 16)
end


local CALLS = { CALL = true, CALLM = true, CALLT = true, CALLMT = true }
local ITERATORS = { pairs = true, ipairs = true, next = true, unpack = true }


-- The name of the global, or of the member, that is called from a register.
local function callee(proto, pc, base)
    for at = pc - 1, math.max(1, pc - MOST_FOLLOWED), -1 do
        local name, a, _, c, d = decode(util.funcbc(proto, at))
        if a == base and name == "GGET" then
            return util.funck(proto, -d - 1)
        elseif a == base and name == "TGETS" then
            return util.funck(proto, -c - 1)
        elseif a == base and name == "UGET" then
            return util.funcuvname and util.funcuvname(proto, d) or "?"
        end
    end
    return "?"
end


-- How the table in a register is read by a changing key, or nil.
local function reading(proto, from, register, template)
    local held = { [register] = true }
    for pc = from + 1, from + MOST_FOLLOWED do
        local ins = util.funcbc(proto, pc)
        if not ins then
            return nil
        end
        local name, a, b, c, d = decode(ins)
        if name == "TGETV" and held[b] then
            return "is indexed by a key that may change"
        elseif CALLS[name] then
            local last = (name == "CALL" or name == "CALLT") and a + (name == "CALL" and c or d) - 1
                or a + 1
            for slot in pairs(held) do
                local passed = slot > a + 1 and slot <= last + 1
                if passed then
                    local what = callee(proto, pc, a)
                    if ITERATORS[what] or template[1] ~= nil then
                        return ("is passed to `%s`"):format(tostring(what))
                    end
                end
            end
            for slot in pairs(held) do
                if slot >= a then
                    held[slot] = nil
                end
            end
        elseif name == "MOV" then
            held[a] = held[d] or nil
        elseif not name:find("^TSET") and not name:find("^IS") and not name:find("^J") then
            held[a] = nil
        end
        if not next(held) then
            return nil
        end
    end
    return nil
end


local function look(proto, found, is_function)
    local info = util.funcinfo(proto)
    for pc = 1, info.bytecodes - 1 do
        local name, a, _, _, d = decode(util.funcbc(proto, pc))
        if name == "TDUP" then
            local how = reading(proto, pc, a, util.funck(proto, -d - 1))
            if how and is_function then
                found[#found + 1] = ("%s: a table of constants %s")
                    :format(util.funcinfo(proto, pc).loc, how)
            end
        end
    end
    if info.children then
        for n = -1, -1000000000, -1 do
            local constant = util.funck(proto, n)
            if constant == nil then
                break
            elseif type(constant) == "proto" then
                look(constant, found, true)
            end
        end
    end
end


--- Tables of constants that functions of a file read by keys that may change.
-- @tparam string path
-- @treturn {string,...} `file:line: how`, none when all is well
function _M.constants_read(path)
    local found = {}
    look(assert(loadfile(path)), found, false)
    return found
end


return _M
