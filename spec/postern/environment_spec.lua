local environments = require("postern.environment")
local randoms = require("spec.support.random")


local function run(text, ...)
    return pcall(assert(load(text, "@pack.lua", "t", (environments.new(true)))), ...)
end


-- What the environment's own `string` functions answer, and the library's.
local function both(name, ...)
    local env = environments.new(true)
    return { pcall(env.string[name], ...) }, { pcall(string[name], ...) }
end


describe("the environment of packs", function()
    it("has pure functions and nothing else", function()
        local PURE = { "assert", "error", "ipairs", "next", "pairs", "select", "tonumber",
                       "tostring", "type", "unpack", "string", "table", "math" }
        local allowed = {}
        for _, name in ipairs(PURE) do
            allowed[name] = true
        end
        for _, private in ipairs({ true, false }) do
            local env = environments.new(private)
            for name in pairs(env) do
                assert.is_true(allowed[name] == true, name)
            end
            for _, name in ipairs(PURE) do
                assert.not_nil(env[name])
            end
            assert.is_nil(env.string.dump)
            assert.is_nil(env.math.randomseed)
        end
    end)

    it("is one of its own for each pack", function()
        for _, private in ipairs({ true, false }) do
            local one, other = environments.new(private), environments.new(private)
            for _, name in ipairs({ "string", "table", "math" }) do
                assert.not_equal(one[name], other[name])
                assert.not_equal(_G[name], one[name])
            end
        end
    end)

    it("refuses globals of private packs, with the line", function()
        for text, message in pairs({
            ["\nx = 1"] = "pack.lua:2: `x` would be a global: write `local x`",
            ["\n\nreturn pritn"] = "pack.lua:3: unknown name `pritn`: a pack sees `assert`,",
            ["return _G"] = "unknown name `_G`",
            ["return getfenv(0)"] = "unknown name `getfenv`",
            ["return pcall(error)"] = "unknown name `pcall`",
            ["return coroutine.wrap"] = "unknown name `coroutine`",
            ["return setmetatable({}, {})"] = "unknown name `setmetatable`",
            ["return debug.sethook()"] = "unknown name `debug`",
        }) do
            local ok, err = run(text)
            assert.is_false(ok)
            assert.matches(message, err, 1, true)
        end
        assert.is_false(getmetatable(environments.new(true)))
    end)

    it("gives methods of strings that a pack cannot write to", function()
        local env, methods = environments.new(true)
        for name in pairs(env.string) do
            assert.is_function(methods[name])
        end
        env.string.sub = function() return "" end
        assert.not_equal(env.string.sub, methods.sub)
        assert.equal("b", methods.sub("abc", 2, 2))
        assert.is_nil(select(2, environments.new(false)))
    end)
end)


describe("bounded functions of private packs", function()
    it("answer what the library's do", function()
        for _, case in ipairs({
            { "rep", "ab", 3 }, { "rep", "ab", -1 }, { "rep", 5, "3" }, { "rep", "x" },
            { "find", "a.b", ".", 1, true }, { "find", "abc", "b()c" }, { "find", "abc" },
            { "find", "abc", "c", -1 }, { "find", "a-b", "-", 2, true }, { "find", 1234, 23 },
            { "match", "key=value", "^(%w+)=(%w*)$" }, { "match", "abc", "b", 3 },
            { "match", "[]]", "[]]+" }, { "match", "f(a(b)c)", "%b()" }, { "match", {}, "x" },
            { "match", "THE (quick) fox", "%f[%a]%a+%f[%A]" }, { "match", "abab", "(ab)%1" },
            { "format", "%s-%d-%q", "x", 3, "y" }, { "format", "%d", "x" }, { "format" },
            { "gsub", "hello", "l", "L" }, { "gsub", "hello", "l", "L", 1 },
            { "gsub", "hello", "(l)(.)", "%2%1" }, { "gsub", "hello", "l" },
            { "gsub", {}, "l", "x" }, { "gsub", "abc", "%", "x" },
        }) do
            local ours, theirs = both(unpack(case))
            assert.equal(theirs[1], ours[1], case[1])
            if ours[1] then
                assert.same(theirs, ours)
            end
        end
        local words = {}
        for word in environments.new(true).string.gmatch("a bc d", "%w+") do
            words[#words + 1] = word
        end
        assert.same({ "a", "bc", "d" }, words)
    end)

    it("replace by tables and functions as the library does", function()
        local PATTERNS = { "a", "a*", "a-", "", "^a*", "^b", "(a)(b?)", "()", "%f[b]", ".", "b$",
                           "[^a]", "%w%w", "(a*)()" }
        local REPLACEMENTS = {
            { a = "x", b = 2, ["1"] = "one", [""] = "e", [1] = "first", aa = false },
            function(first, second) return first and second and first .. second end,
            function(...) return select("#", ...) > 1 and "two" or nil end,
            function() return false end,
            function() end,
        }
        local random = randoms.new(7)
        local function pick(list)
            return list[random(#list)]
        end
        for _ = 1, 400 do
            local text = {}
            for i = 1, random(7) - 1 do
                text[i] = pick({ "a", "b", " ", "1" })
            end
            text = table.concat(text)
            local pattern, replacement = pick(PATTERNS), pick(REPLACEMENTS)
            local most = pick({ false, 0, 1, 2, 1.9 }) or nil
            local ours, theirs = both("gsub", text, pattern, replacement, most)
            assert.same(theirs, ours, ("`%s` `%s`"):format(text, pattern))
        end
        for _, replacement in ipairs({ { a = true }, { a = {} },
                                       function() return {} end, function() return true end }) do
            local ours, theirs = both("gsub", "a", "a", replacement)
            assert.is_false(ours[1])
            assert.is_false(theirs[1])
            assert.matches("invalid replacement value (a ", ours[2], 1, true)
        end
    end)

    it("refuse patterns that could take long", function()
        local text = ("a"):rep(400)
        for _, case in ipairs({
            { text, ".-.-.-b" }, { text, ".*.*.*b" }, { text, "a+a+a+b" },
            -- What hides repetitions from whoever does not read a pattern exactly as the library.
            { text, "[%][]?.-.-.-.-b" }, { text, "%b[].-.-.-.-b" }, { text, "[^]].-.-.-.-b" },
            { text, "[%]]?[[]?.-.-.-.-b" }, { text, "%f[%]][[]?.-.-.-.-b" },
            { text, "(.-)(.-)(.-)b" }, { text, "%a*%a*%a*1" }, { text, ".-a?.-a*.-a-b" },
            { text, "[^b]-[^b]-[^b]-b" }, { text, "a+(a+(a+))%d" }, { text, ".-a.-a.-ab" },
            { text, "[^a1]*a*a*a*1" }, { text, "a-a-(a-)()^" }, { text, "%%.-.-.-.-b" },
            { text, "[a-].-.-.-.-b" },
            { ("a"):rep(5000), "(.*)%1b" }, { ("a"):rep(60), ("a?"):rep(60) .. ("a"):rep(60) },
            { ("a"):rep(100000), ("a"):rep(4000) .. "." }, { ("a"):rep(100000), "%b()%b()" },
            { 12345678901234, (".-"):rep(30) .. "x" },
            { "x", ("a"):rep(5000) },
        }) do
            for _, name in ipairs({ "find", "match", "gmatch", "gsub" }) do
                local ok, err = pcall(environments.new(true).string[name], case[1], case[2], "")
                assert.is_false(ok, name .. " " .. case[2]:sub(1, 40))
                assert.matches("could take too long on %d+ bytes", err:gsub("make it shorter",
                    "could take too long on 1 bytes"))
            end
        end
        -- `gmatch` knows no anchor.
        local ok = pcall(environments.new(true).string.gmatch, ("^"):rep(3000), "^.-.-x")
        assert.is_false(ok)
        local plain = environments.new(true).string.find
        local err
        ok, err = pcall(plain, ("a"):rep(2 ^ 20), ("a"):rep(2 ^ 19) .. "b", 1, true)
        assert.is_false(ok)
        assert.matches("looking for 524289 bytes in 1048576 could take too long", err, 1, true)
    end)

    it("take what packs ordinarily ask", function()
        local env = environments.new(true)
        local header = ("x"):rep(8192)
        for _, pattern in ipairs({ "^(%w+)%s(.*)$", "^Bearer ([%w._-]+)$", "[^,]+",
                                   "^[%w!#$%%&'*+.^_`|~-]+$" }) do
            assert.is_true((pcall(env.string.find, header, pattern)), pattern)
        end
        for _, pattern in ipairs({ "[^,]+", "%s*,%s*", "(%w+)=(%w*)", "%S+" }) do
            assert.is_true((pcall(env.string.gmatch, ("x"):rep(8192), pattern)), pattern)
        end
        assert.is_nil(env.string.match(("1"):rep(8192), "^%d+%.%d+%.%d+%.%d+$"))
        assert.equal("111122223333", env.string.match("arn:aws:s3:eu:111122223333:"
            .. ("x"):rep(8192), "^arn:[^:]*:[^:]*:[^:]*:(%d+):"))
        assert.equal(8192, #env.string.match(("x"):rep(8192) .. "=b", "(%w+)="))
        assert.equal("b", select(2, env.string.match(("x"):rep(8192) .. "=b", "^(%w*)=([^=]-)$")))
        assert.equal("x y", env.string.match((" "):rep(200) .. "x y" .. (" "):rep(200),
                                             "^%s*(.-)%s*$"))
    end)

    it("refuse to make texts of many megabytes", function()
        local big = ("x"):rep(2 ^ 19)
        for name, call in pairs({
            rep = function(s) return s.rep("x", 2 ^ 30) end,
            ["rep of an empty text"] = function(s) return s.rep("xy", 2 ^ 31) end,
            format = function(s) return s.format("%s%s%s", big, big, big) end,
            gsub = function(s) return s.gsub(big, ".", "yyy") end,
            ["gsub by a table"] = function(s) return s.gsub(big, "x", { x = big }) end,
            ["gsub by a function"] = function(s)
                return s.gsub(big, "x", function() return big end)
            end,
            concat = function(_, t) return t.concat({ big, big, big }) end,
            ["concat with a separator"] = function(_, t) return t.concat({ "", "", "" }, big) end,
            ["concat of nothing"] = function(_, t) return t.concat({}, "", 1, 2 ^ 31 - 2) end,
        }) do
            local env = environments.new(true)
            local ok, err = pcall(call, env.string, env.table)
            assert.is_false(ok, name)
            assert.matches("a text of more than 1048576 bytes", err, 1, true)
        end
        local env = environments.new(true)
        assert.equal(2 ^ 20, #env.string.rep("x", 2 ^ 20))
        assert.equal("a,b", env.table.concat({ "a", "b" }, ","))
        assert.equal("b", env.table.concat({ "a", "b" }, ",", 2))
    end)

    it("sort as the library does, where a hook fires", function()
        local env = environments.new(true)
        local list = { 3, 1, 2 }
        env.table.sort(list)
        assert.same({ 1, 2, 3 }, list)
        env.table.sort(list, function(left, right) return left > right end)
        assert.same({ 3, 2, 1 }, list)
        local many = {}
        for i = 1, 1000 do
            many[i] = i * 7919 % 1000
        end
        local fired = 0
        debug.sethook(function() fired = fired + 1 end, "", 100)
        env.table.sort(many)
        debug.sethook()
        assert.is_true(fired > 50)
    end)

    it("run functions that call themselves through them to an error, not to a crash", function()
        for _, text in ipairs({
            "local function f() return (('x'):gsub('.', f)) end f()",
            "local function f(a, b) table.sort({ 3, 2, 1 }, f) return a < b end f(1, 2)",
        }) do
            local env, methods = environments.new(true)
            local strings = debug.getmetatable("")
            strings.__index = methods
            local ok, err = pcall(assert(load(text, "@pack.lua", "t", env)))
            strings.__index = string
            assert.is_false(ok)
            assert.matches("stack overflow", err, 1, true)
        end
    end)
end)
