--- JSON: writing it value by value in C, reading it strictly, and whole tables for where time
-- does not matter.
--
-- The rules of writing are in `http/include/postern_http.h`, those of reading in
-- `core/include/postern.h`.
--
-- *Dependencies*: postern.ffi, postern.document
--
-- @module postern.json
local ffi = require("ffi")
local core = require("postern.ffi")
local document = require("postern.document")

-- Loaded here and not when first used: a call through a value that can change does not compile.
local available, lib = pcall(core.http)


local _M = {}
local Writer = {}
Writer.__index = Writer


--- Stands for JSON's null, in tables that are read and in those that are written.
_M.null = document.null

local LIST = { __jsontype = "array" }

local err = ffi.new("postern_error")
local span = ffi.new("postern_span")


-- ---- Writing -----------------------------------------------------------------------------------

local function free(handle)
    lib.postern_json_free(handle)
end


--- Makes a writer, to be used again and again: `reset` begins the next text. Raises when the HTTP
-- library, which it is part of, is not there.
-- @treturn Writer
function _M.writer()
    if not available then
        error(lib, 2)
    end
    local handle = core.own(lib.postern_json_new(nil, err), free)
    if not handle then
        error(ffi.string(err.message), 2)
    end
    return setmetatable({ handle = handle }, Writer)
end


-- Apart from the calls that are compiled. A call in the wrong place is a mistake in the code that
-- made it and raises there; every other failure waits for `text`.
local function check_misuse(self)
    if lib.postern_json_text(self.handle, span, err) == lib.POSTERN_MISUSE then
        error("json: " .. ffi.string(err.message), 3)
    end
end


local function wrong_type(call, wanted, value)
    error(("json: %s: give a %s, not a %s"):format(call, wanted, type(value)), 3)
end


--- Begins a new text; what was written, and a failure, are forgotten.
-- @treturn Writer itself, as every call that writes
function Writer:reset()
    lib.postern_json_reset(self.handle)
    return self
end


--- Opens an object. Its members are a key and a value each.
-- @treturn Writer
function Writer:object()
    if lib.postern_json_object(self.handle) ~= 0 then
        check_misuse(self)
    end
    return self
end


--- Opens a list.
-- @treturn Writer
function Writer:array()
    if lib.postern_json_array(self.handle) ~= 0 then
        check_misuse(self)
    end
    return self
end


--- Closes the innermost object or list.
-- @treturn Writer
function Writer:close()
    if lib.postern_json_close(self.handle) ~= 0 then
        check_misuse(self)
    end
    return self
end


--- Writes the name of a member. That it stands once in its object is for the caller to see to.
-- @tparam string name
-- @treturn Writer
function Writer:key(name)
    if type(name) ~= "string" then
        wrong_type("key", "string", name)
    end
    if lib.postern_json_key(self.handle, name, #name) ~= 0 then
        check_misuse(self)
    end
    return self
end


--- Writes a string. Bytes that are no UTF-8 become U+FFFD.
-- @tparam string text
-- @treturn Writer
function Writer:string(text)
    if type(text) ~= "string" then
        wrong_type("string", "string", text)
    end
    if lib.postern_json_string(self.handle, text, #text) ~= 0 then
        check_misuse(self)
    end
    return self
end


--- Writes a number, as few digits as read back as the same. NaN and infinities are refused: `text`
-- then answers nil.
-- @tparam number number
-- @treturn Writer
function Writer:number(number)
    if type(number) ~= "number" then
        wrong_type("number", "number", number)
    end
    if lib.postern_json_number(self.handle, number) ~= 0 then
        check_misuse(self)
    end
    return self
end


--- Writes true or false.
-- @tparam boolean truth
-- @treturn Writer
function Writer:boolean(truth)
    if type(truth) ~= "boolean" then
        wrong_type("boolean", "boolean", truth)
    end
    if lib.postern_json_boolean(self.handle, truth and 1 or 0) ~= 0 then
        check_misuse(self)
    end
    return self
end


--- Writes null.
-- @treturn Writer
function Writer:null()
    if lib.postern_json_null(self.handle) ~= 0 then
        check_misuse(self)
    end
    return self
end


--- Writes one value that is JSON already, as it is.
-- @tparam string json
-- @treturn Writer
function Writer:raw(json)
    if type(json) ~= "string" then
        wrong_type("raw", "string", json)
    end
    if lib.postern_json_raw(self.handle, json, #json) ~= 0 then
        check_misuse(self)
    end
    return self
end


--- The text. Raises while something is open or nothing is written.
-- @treturn string|nil
-- @treturn string why there is none: a number that JSON has not, nesting too deep, no memory
function Writer:text()
    if lib.postern_json_text(self.handle, span, err) ~= 0 then
        check_misuse(self)
        return nil, ffi.string(err.message)
    end
    return ffi.string(span.text, span.length)
end


-- ---- Tables ------------------------------------------------------------------------------------

--- Marks a table as a list, so that an empty one is written `[]`.
-- @tparam table items from 1 on
-- @treturn table the same
function _M.list(items)
    return setmetatable(items, LIST)
end


--- Whether a table is a list: it was read as one, marked as one, or has an item 1.
-- @tparam table value
-- @treturn boolean
function _M.is_list(value)
    local meta = getmetatable(value)
    return type(meta) == "table" and meta.__jsontype == "array" or value[1] ~= nil
end


local function check_list(items)
    local count = 0
    for key in pairs(items) do
        if type(key) ~= "number" then
            error(("json: a list with a member `%s`"):format(tostring(key)), 0)
        end
        count = count + 1
    end
    if count ~= #items then
        error("json: a list with gaps", 0)
    end
end


local function sorted_names(object)
    local names = {}
    for name in pairs(object) do
        if type(name) ~= "string" then
            error(("json: an object with a member that is no string: %s"):format(tostring(name)), 0)
        end
        names[#names + 1] = name
    end
    table.sort(names)
    return names
end


local SCALARS = { string = Writer.string, number = Writer.number, boolean = Writer.boolean }

local write

local function write_table(out, value, depth)
    if depth == lib.POSTERN_JSON_DEPTH then
        error("json: nested too deep, or in itself", 0)
    end
    if _M.is_list(value) then
        check_list(value)
        out:array()
        for i = 1, #value do
            write(out, value[i], depth + 1)
        end
    else
        out:object()
        for _, name in ipairs(sorted_names(value)) do
            out:key(name)
            write(out, value[name], depth + 1)
        end
    end
    out:close()
end


function write(out, value, depth)
    local scalar = SCALARS[type(value)]
    if scalar then
        scalar(out, value)
    elseif value == _M.null then
        out:null()
    elseif type(value) == "table" then
        write_table(out, value, depth)
    else
        error(("json: a %s is not written"):format(type(value)), 0)
    end
end


--- Writes a Lua value: tables, strings, numbers, booleans, `null`. Members are sorted by name, so
-- that equal values make equal texts. Raises for what JSON does not have: functions, other keys
-- than strings, lists with gaps, a table in itself. Not for the hot path: that has no tables.
-- @param value
-- @treturn string|nil
-- @treturn string why not: a number that is NaN or infinite
function _M.encode(value)
    local out = _M.writer()
    local ok, why = pcall(write, out, value, 0)
    if not ok then
        error(why, 2)
    end
    return out:text()
end


-- ---- Reading -----------------------------------------------------------------------------------

-- 1 MiB is the body a reader of HTTP takes; the others are the core's own.
local LIMITS = { bytes = 1048576, depth = 64, values = 2097152 }

local function limits_of(given)
    local limits = {}
    for name, most in pairs(given or {}) do
        if not LIMITS[name] then
            error(("unknown limit `%s`: there are `bytes`, `depth` and `values`")
                :format(tostring(name)), 3)
        elseif type(most) ~= "number" or most ~= most or most < 1 then
            error(("limit `%s`: give a number of at least 1"):format(name), 3)
        end
        limits[name] = most
    end
    return setmetatable(limits, { __index = LIMITS })
end


local function refuse_text(message, ...)
    return nil, core.failure("json", { status = "limit", message = message:format(...) })
end


local function refuse(doc, node, status, message)
    local line, column = doc:place(node)
    return nil, core.failure("json", { status = status, line = line, column = column,
        message = message })
end


-- Above it neighbours read as the same double (RFC 7493, section 2.2): two numbers would be one,
-- and an identifier would name somebody else.
local MOST_EXACT = 2 ^ 53 - 1

local function check_number(doc, node)
    local text = doc:raw(node)
    local number = tonumber(text)
    if number == math.huge or number == -math.huge then
        return refuse(doc, node, "value", "a number too large to be read")
    elseif math.abs(number) > MOST_EXACT and not text:find("[.eE]") then
        return refuse(doc, node, "value", "an integer too large to be exact: write it as a string")
    end
    return true
end


local function check_nodes(doc, depth)
    for node = 0, doc.count - 1 do
        if doc:kind(node) == "number" then
            local ok, why = check_number(doc, node)
            if not ok then
                return nil, why
            end
        end
    end
    local deep = doc:deeper_than(depth)
    if deep then
        return refuse(doc, deep, "limit", ("nested deeper than %d"):format(depth))
    end
    return true
end


--- Reads a JSON text as I-JSON (RFC 7493): a member given twice, a lone surrogate, bytes that are
-- no UTF-8 and integers beyond 2^53 - 1 are refused.
-- @tparam string text
-- @tparam[opt] table limits `bytes` of the text (1 MiB), `depth` of open containers (64, at most),
-- `values` with the names of members (2097152, at most)
-- @return the value: tables, strings, numbers, booleans, `null`; lists are marked. nil: refused
-- @treturn failure `{line, column, message, status}`, as text `json:line:column: message`
function _M.read(text, limits)
    if type(text) ~= "string" then
        error("json.read: give a string, not a " .. type(text), 2)
    end
    limits = limits_of(limits)
    if #text > limits.bytes then
        return refuse_text("a text of %d bytes: at most %d are taken", #text, limits.bytes)
    end
    local doc, why = document.new(text, "json")
    if not doc then
        return nil, why
    end
    if doc.count > limits.values then
        return refuse_text("%d values and names: at most %d are taken", doc.count, limits.values)
    end
    local ok
    ok, why = check_nodes(doc, limits.depth)
    if not ok then
        return nil, why
    end
    return doc:value(0)
end


return _M
