--- What the whole virtual machine shares, and code within a budget must leave as it was.

local _M = {}

local REAL_STRINGS = debug.getmetatable("").__index
assert(REAL_STRINGS == string)


--- Asserts that no hook is set and that strings have their own methods.
function _M.assert_untouched()
    assert(debug.gethook() == nil, "a hook is still set")
    assert(debug.getmetatable("").__index == REAL_STRINGS, "strings have other methods")
    assert(("x"):rep(2) == "xx")
end


--- Loads the text of a function body as a private pack is loaded: not compiled, in its environment.
-- @tparam string text
-- @tparam table env of `postern.environment`
-- @treturn function
function _M.body(text, env)
    local chunk = assert(load(text, "@pack.lua", "t", env))
    jit.off(chunk, true)
    return chunk
end


return _M
