-- No shipped function reads a table of constants in a way that the JIT gets wrong; see
-- spec/support/bytecode.lua.
local bytecode = require("spec.support.bytecode")
local commands = require("spec.support.commands")


local function found_in(text)
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(text)
    file:close()
    local found = bytecode.constants_read(path)
    os.remove(path)
    return #found, found[1]
end


describe("tables of constants", function()
    it("are not read by changing keys where they are made", function()
        local files = commands.sh("find lua rules adapters examples -name '*.lua'", ".")
        local count = 0
        for path in files:gmatch("[^\n]+") do
            count = count + 1
            assert.same({}, bytecode.constants_read(path), path)
        end
        assert.is_true(count > 150)
    end)

    it("are found when they are", function()
        for _, text in ipairs({
            "return function(t) for _, k in ipairs({ 'a', 'b' }) do t[k] = 1 end end",
            "return function(t) for k, v in pairs({ a = 1, b = 'x' }) do t[k] = v end end",
            "return function(k) local t = { a = true } return t[k] end",
            "return function(k, v) local t = { a = v, b = 1 } t.c = 2 return t[k] end",
            "return function(f) return f({ 'a', 'b' }) end",
            "return function(f, x) f(x, { 1, 2 }) end",
            "return function() return function(k) return ({ 'a', 'b' })[k] end end",
        }) do
            local count, first = found_in(text)
            assert.equal(1, count, text)
            assert.matches(":1: a table of constants is ", first)
        end
    end)

    it("are let be where nothing can go wrong", function()
        for _, text in ipairs({
            "local T = { 'a', 'b' } return function(k) return T[k] end",
            "local T = { 'a' } return function(t) for _, k in ipairs(T) do t[k] = 1 end end",
            "return function() return { a = 1, b = 2 } end",
            "return function() local t = { a = 1 } return t.a end",
            "return function(f) return f({ timeout = 1 }) end",
            "return function(a, b) for _, v in ipairs({ a, b }) do print(v) end end",
        }) do
            local count, first = found_in(text)
            assert.equal(0, count, tostring(first) .. ": " .. text)
        end
    end)
end)
