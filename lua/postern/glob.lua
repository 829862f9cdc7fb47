--- Lists of patterns with `*` and `?`, matched in bounded time.
--
-- *Dependencies*: postern.ffi
--
-- @module postern.glob
local ffi = require("ffi")
local core = require("postern.ffi")

local lib = core.lib


local _M = {}
local Glob = {}
Glob.__index = Glob

local KINDS = { text = lib.POSTERN_GLOB_TEXT, resource = lib.POSTERN_GLOB_RESOURCE }

local err = ffi.new("postern_error")

local function free(handle)
    lib.postern_glob_free(handle)
end


--- Compiles patterns.
-- @tparam {string,...} patterns `kind = "resource"` among them asks for the colon rule of
-- Resource elements; the default is `"text"`, where a wildcard matches any character
-- @treturn Glob|nil
-- @treturn table why not
-- @usage local globs = glob.new{ "/pets/*", "/health" }
function _M.new(patterns)
    local kind = KINDS[patterns.kind or "text"]
    if not kind then
        error(("no such kind of glob: `%s`; there are `text` and `resource`")
            :format(tostring(patterns.kind)), 2)
    end
    local handle = core.own(
        lib.postern_glob_new(core.spans(patterns), #patterns, kind, nil, err), free)
    if not handle then
        return nil, core.failure("glob", err)
    end
    return setmetatable({ handle = handle }, Glob)
end


--- Finds the first pattern that matches the whole text.
-- @tparam string text
-- @treturn number|nil its place in the list, from 1; nil when none matches
function Glob:match(text)
    local index = lib.postern_glob_match(self.handle, text, #text)
    if index < 0 then
        return nil
    end
    return index + 1
end


return _M
