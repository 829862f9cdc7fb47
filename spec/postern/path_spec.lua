local paths = require("postern.path")


local NAMES = {}
for name in pairs(paths.AMBIGUITIES) do
    NAMES[#NAMES + 1] = name
end
table.sort(NAMES)

local strict = assert(paths.new())
local lenient = assert(paths.new({ allow = NAMES }))

local function allowing(...)
    return assert(paths.new({ allow = { ... } }))
end

-- What a rule set answers: the path, or the code of the refusal.
local function answer(rules, target, routed)
    local path, reason, code = rules:resolve(target, routed)
    if path then
        assert.is_nil(reason)
        assert.is_nil(code)
        return path
    end
    assert.is_string(reason)
    return code
end

-- Target, the path or the code when it is read strictly.
local function try(rules, rows)
    for _, row in ipairs(rows) do
        local target, expected = row[1], row[2]
        assert.equal(expected, answer(rules, target, row[3]), ("%q"):format(tostring(target)))
    end
end


describe("a path", function()
    it("is decoded once, without the query", function()
        try(strict, {
            { "/", "/" },
            { "/pets", "/pets" },
            { "/pets/", "/pets/" },
            { "/pets?a=1", "/pets" },
            { "/pets?a=/../b//c;d%2F%00", "/pets" },
            { "/pets?a=%zz", "/pets" },
            { "/p%65ts", "/pets" },
            { "/%70%65%74%73", "/pets" },
            { "/a%20b", "/a b" },
            { "/a+b", "/a+b" },
            { "/caf%C3%A9", "/caf\xC3\xA9" },
            { "/caf\xC3\xA9", "/caf\xC3\xA9" },
            { "/100%25", "/100%" },
            { "/...", "/..." },
            { "/a..b/.c/d.", "/a..b/.c/d." },
            { "/PETS", "/PETS" },
            { "/a:b@c,d=e&f$g!h'i(j)*k~l", "/a:b@c,d=e&f$g!h'i(j)*k~l" },
        })
    end)

    it("is refused when two readers could see two paths", function()
        try(strict, {
            { "/a%2Fb", "encoded_slash" },
            { "/a%2fb", "encoded_slash" },
            { "/a\\b", "backslash" },
            { "/a%5Cb", "backslash" },
            { "/a%5cb", "backslash" },
            { "/a/../b", "dot_segment" },
            { "/a/./b", "dot_segment" },
            { "/..", "dot_segment" },
            { "/a/.", "dot_segment" },
            { "/a/%2e%2e/b", "encoded_dot_segment" },
            { "/a/%2E./b", "encoded_dot_segment" },
            { "/a/.%2e", "encoded_dot_segment" },
            { "/%2e", "encoded_dot_segment" },
            { "//", "double_slash" },
            { "//a", "double_slash" },
            { "/a//b", "double_slash" },
            { "/a//", "double_slash" },
            { "/a;b", "semicolon" },
            { "/a%3Bb", "semicolon" },
            { "/a#b", "fragment" },
            { "/a?b#c", "fragment" },
            { "/a%23b", "fragment" },
            { "/a%00b", "nul" },
            { "/a\0b", "nul" },
            { "/a%0d%0ab", "control" },
            { "/a%7Fb", "control" },
            { "/a\tb", "control" },
            { "/a%252eb", "double_encoding" },
            { "/a%252Fb", "double_encoding" },
            { "/a%2561b", "double_encoding" },
        })
    end)

    it("is refused when it is not valid UTF-8", function()
        for _, text in ipairs({
            "\xC0\xAE", "\xC1\xBF",             -- overlong, two bytes
            "\xE0\x80\xAF", "\xE0\x9F\xBF",     -- overlong, three
            "\xF0\x8F\xBF\xBF",                 -- overlong, four
            "\xED\xA0\x80", "\xED\xBF\xBF",     -- surrogates
            "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xFE", -- past the last character
            "\x80", "\xBF",                     -- continuation without a lead
            "\xC3", "\xE2\x82", "\xF0\x9F\x98", -- cut short
            "\xC3/", "\xE2\x82/", "\xE2/\x82",
        }) do
            assert.equal("invalid_utf8", answer(strict, "/a" .. text))
            local encoded = text:gsub("[\128-\255]", function(byte)
                return ("%%%02x"):format(byte:byte())
            end)
            assert.equal("invalid_utf8", answer(strict, "/a" .. encoded))
        end
        for _, text in ipairs({
            "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF",
            "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80",
        }) do
            assert.equal("/a" .. text, answer(strict, "/a" .. text))
        end
    end)

    it("is refused for good when the target is malformed", function()
        for _, rules in ipairs({ strict, lenient }) do
            try(rules, {
                { "", "bad_target" },
                { "pets", "bad_target" },
                { "*", "bad_target" },
                { "example.com:443", "bad_target" },
                { "http://example.com", "bad_target" },
                { "http://example.com?x", "bad_target" },
                { "http:///", "bad_target" },
                { "ftp://example.com/", "bad_target" },
                { "http:/a", "bad_target" },
                { "/a%zz", "bad_encoding" },
                { "/a%", "bad_encoding" },
                { "/a%2", "bad_encoding" },
                { "/a%%41", "bad_encoding" },
                { "http://user@example.com/a", "userinfo" },
                { "http://user:word@example.com/a", "userinfo" },
                { nil, "missing" },
            })
        end
    end)

    it("is that of a URL, too", function()
        try(strict, {
            { "http://other/admin/x", "/admin/x" },
            { "HTTPS://Other:8443/admin/x?q", "/admin/x" },
            { "http://other//admin", "double_slash" },
            { "http://other/a@b", "/a@b" },
            { "http://other/x/../admin", "dot_segment" },
        })
    end)

    it("is looked at as routed when the target is not known", function()
        for routed, expected in pairs({
            ["/pets"] = "/pets", ["/a b"] = "/a b", ["/100%"] = "/100%",
            ["/a//b"] = "double_slash", ["/a/../b"] = "dot_segment", ["/a;b"] = "semicolon",
            ["/a#b"] = "fragment", ["/a\\b"] = "backslash", ["/a\0"] = "nul",
            ["/a\xC0\xAE"] = "invalid_utf8", ["/admin/%2e"] = "double_encoding",
            ["pets"] = "bad_target", [""] = "bad_target",
        }) do
            assert.equal(expected, answer(strict, nil, routed), routed)
        end
    end)

    it("is refused when the host routed another one, whatever is let in", function()
        for _, rules in ipairs({ strict, lenient }) do
            try(rules, {
                { "/pets", "/pets", "/pets" },
                { "/p%65ts?x", "/pets", "/pets" },
                { "/pets", "route_mismatch", "/admin" },
                { "/pets", "route_mismatch", "/pets/" },
                { "/pets/", "route_mismatch", "/pets" },
                { "/pets", "route_mismatch", "/Pets" },
                { "/p%65ts", "route_mismatch", "/p%65ts" },
                { "/dev/pets", "route_mismatch", "/pets" },
                { "/pets", "route_mismatch", "" },
            })
        end
    end)
end)


describe("an ambiguity", function()
    -- Each name, a target it is about, and the path then.
    local ROWS = {
        { "encoded_slash", "/a%2Fb", "/a/b" },
        { "backslash", "/a%5Cb", "/a\\b" },
        { "dot_segment", "/a/../b", "/a/../b" },
        { "encoded_dot_segment", "/a/x.%2e", "/a/x.." },
        { "double_slash", "/a//b", "/a//b" },
        { "semicolon", "/a;v=1/b", "/a;v=1/b" },
        { "fragment", "/a#b", "/a#b" },
        { "nul", "/a%00b", "/a\0b" },
        { "control", "/a%0Ab", "/a\nb" },
        { "invalid_utf8", "/a%C0%AEb", "/a%C0%AEb" },
        { "double_encoding", "/a%252eb", "/a%2eb" },
    }

    it("is let in by its name, and the path is not tidied up", function()
        local seen = {}
        for _, row in ipairs(ROWS) do
            assert.equal(row[3], answer(allowing(row[1]), row[2]), row[1])
            seen[#seen + 1] = row[1]
        end
        table.sort(seen)
        assert.same(NAMES, seen)
    end)

    it("is let in by no other name", function()
        for _, row in ipairs(ROWS) do
            local others = {}
            for _, name in ipairs(NAMES) do
                if name ~= row[1] then
                    others[#others + 1] = name
                end
            end
            local expected = row[1] == "encoded_dot_segment" and row[3] or row[1]
            assert.equal(expected, answer(assert(paths.new({ allow = others })), row[2]), row[1])
        end
    end)

    it("does not let in a dot segment that hides behind it", function()
        assert.equal("dot_segment", answer(allowing("encoded_slash"), "/x/..%2fadmin"))
        assert.equal("encoded_dot_segment", answer(allowing("encoded_slash"), "/x/%2e%2e%2fadmin"))
        assert.equal("dot_segment", answer(allowing("backslash"), "/x/..\\admin"))
        assert.equal("dot_segment", answer(allowing("backslash"), "/x%5C..%5cadmin"))
        assert.equal("dot_segment", answer(allowing("semicolon"), "/x/..;/admin"))
        assert.equal("dot_segment", answer(allowing("semicolon"), "/x/..%3Ba=b/admin"))
        assert.equal("encoded_dot_segment", answer(allowing("semicolon"), "/x/%2e%2e;/admin"))
        assert.equal("double_slash", answer(allowing("encoded_slash"), "/x%2f/admin"))
        assert.equal("dot_segment", answer(allowing("encoded_dot_segment"), "/x/%2e%2e/../admin"))
    end)

    it("explains what the host made of the path, and nothing else does", function()
        try(allowing("double_slash"), {
            { "//admin", "/admin", "/admin" },
            { "//admin", "//admin", "//admin" },
            { "/a///b//", "/a/b/", "/a/b/" },
            { "/a//b", "route_mismatch", "/b" },
        })
        try(allowing("dot_segment"), {
            { "/x/../admin", "/admin", "/admin" },
            { "/x/./admin/.", "/x/admin/", "/x/admin/" },
            { "/x/y/..", "/x/", "/x/" },
            { "/..", "/", "/" },
            { "/x/../admin", "route_mismatch", "/x/admin" },
        })
        try(allowing("encoded_dot_segment"), { { "/x/%2e%2e/admin", "/admin", "/admin" } })
        try(allowing("encoded_slash", "dot_segment"), { { "/x/..%2fadmin", "/admin", "/admin" } })
        try(allowing("fragment"), {
            { "/admin#frag", "/admin", "/admin" },
            { "/admin#frag", "/admin#frag", "/admin#frag" },
            { "/admin%23frag", "/admin#frag", "/admin#frag" },
            { "/admin%23frag", "route_mismatch", "/admin" },
        })
    end)

    it("has a name that is known", function()
        local none, err = paths.new({ allow = { "double_slashes" } })
        assert.is_nil(none)
        assert.matches("unknown ambiguity `double_slashes`: there are `fragment`, `nul`", err, 1,
                       true)
        assert.matches("give a list", select(2, paths.new({ allow = { nul = true } })), 1, true)
        assert.equal("unknown option `allows`: a path has `allow`",
                     select(2, paths.new({ allows = {} })))
        -- What can never be let in has no such name.
        for _, code in ipairs({ "missing", "bad_target", "bad_encoding", "userinfo",
                                "route_mismatch" }) do
            assert.is_nil((paths.new({ allow = { code } })))
        end
    end)
end)


-- What OpenResty routes for a target, row by row: target, what it is refused for, the routed path.
describe("targets as nginx routes them", function()
    local ROWS = {
        { "/x/../admin/x", "dot_segment", "/admin/x" },
        { "/x/%2e%2e/admin/x", "encoded_dot_segment", "/admin/x" },
        { "/x/..%2fadmin/x", "encoded_slash", "/admin/x" },
        { "//admin/x", "double_slash", "/admin/x" },
        { "/admin//y///z", "double_slash", "/admin/y/z" },
        { "/%61dmin/x", "/admin/x", "/admin/x" },
        { "/admin%2Fx", "encoded_slash", "/admin/x" },
        { "/%2fadmin/x", "encoded_slash", "/admin/x" },
        { "/admin/x#frag", "fragment", "/admin/x" },
        { "http://other/admin/x", "/admin/x", "/admin/x" },
        { "/admin/%252e", "double_encoding", "/admin/%2e" },
        -- It looks like a query, but is part of the path.
        { "/admin/%3fq", "/admin/?q", "/admin/?q" },
        { "/admin/%3fq", "route_mismatch", "/admin/" },
        { "/admin/x;y", "semicolon", "/admin/x;y" },
        { "/ADMIN/x", "/ADMIN/x", "/ADMIN/x" },
        { "/admin\\x", "backslash", "/admin\\x" },
        { "/x/..;/admin/x", "semicolon", "/x/..;/admin/x" },
        { "/admin/x%C0%AE", "invalid_utf8", "/admin/x\xC0\xAE" },
        -- Those nginx answers 400 itself; another host may not.
        { "/../admin/x", "dot_segment", nil },
        { "/a%00", "nul", nil },
        { "/a%zz", "bad_encoding", nil },
    }
    for _, row in ipairs(ROWS) do
        it(("%s -> %s"):format(row[1], row[2]), function()
            assert.equal(row[2], answer(strict, row[1], row[3]))
        end)
    end

    it("decide the same with every ambiguity let in: as routed", function()
        for _, row in ipairs(ROWS) do
            if row[3] and row[2] ~= "route_mismatch" then
                local expected = row[2] == "invalid_utf8" and "/admin/x%C0%AE" or row[3]
                assert.equal(expected, answer(lenient, row[1], row[3]))
            end
        end
    end)
end)


-- Bypasses that others had, each as the request that got through.
describe("a known bypass", function()
    local ROWS = {
        { "CVE-2019-9901", "/info/../private", "dot_segment" },
        { "CVE-2021-29492", "/private%2Fkeys", "encoded_slash" },
        { "CVE-2021-29492", "/private%5Ckeys", "backslash" },
        { "CVE-2021-31920", "//private", "double_slash" },
        { "CVE-2021-39156", "/private#", "fragment" },
        { "GHSA-x732-6j76-qmhm", "//private/x", "double_slash" },
    }
    for _, row in ipairs(ROWS) do
        it(("%s: %s"):format(row[1], row[2]), function()
            assert.equal(row[3], answer(strict, row[2]))
        end)
    end

    it("CVE-2021-43557, CVE-2026-63177: raw and routed path differ", function()
        assert.equal("route_mismatch", answer(strict, "/public", "/private"))
        assert.equal("route_mismatch", answer(lenient, "/x/%2e%2e/private", "/other"))
    end)

    it("Kong PR 6821: nothing is tidied up, so an upgrade cannot start to", function()
        assert.equal("/a%2eb//../c;d", answer(lenient, "/a%252eb//../c;d"))
    end)

    it("oauth2-proxy 1970 and 2277: nothing known of the path is no path", function()
        assert.equal("missing", answer(strict))
    end)
end)


describe("a host", function()
    local function host(header, target)
        local name, reason, code = paths.host(header, target)
        if name then
            return name
        end
        assert.is_string(reason)
        return code
    end

    it("is in lower case, without port and last dot (CVE-2021-39155)", function()
        for written, expected in pairs({
            ["example.com"] = "example.com", ["EXAMPLE.Com"] = "example.com",
            ["example.com."] = "example.com", ["example.com:443"] = "example.com",
            ["Example.COM.:8443"] = "example.com", ["example.com:"] = "example.com",
            ["localhost"] = "localhost", ["192.0.2.1:80"] = "192.0.2.1",
            ["[2001:DB8::1]:443"] = "[2001:db8::1]", ["[::1]"] = "[::1]",
            ["a_b-c.example"] = "a_b-c.example", ["vpce-1-x.execute-api.example"] =
                "vpce-1-x.execute-api.example",
        }) do
            assert.equal(expected, host(written), written)
            assert.equal(expected, host({ written }), written)
        end
    end)

    it("is refused when it is none", function()
        for _, written in ipairs({
            "", ".", "..", ".example.com", "example..com", "example.com..", "exa mple.com",
            "example.com:http", "example.com:443:80", "example.com:123456", "example.com/x",
            "example.com,other", "exam%70le.com", "ex\xC3\xA4mple.com", "[::1", "::1", "[::1]x",
            "example.com\0", "example.com#", "example.com\\x",
        }) do
            assert.equal("bad_host", host(written), written)
        end
        assert.equal("userinfo", host("user@example.com"))
        assert.equal("userinfo", host("user:word@example.com:443"))
        assert.equal("missing", host(nil))
        assert.equal("missing", host({}))
        assert.equal("missing", host(nil, "/pets"))
        assert.equal("duplicate_host", host({ "example.com", "example.com" }))
    end)

    it("of a URL is that of the header", function()
        assert.equal("example.com", host("example.com", "http://EXAMPLE.com:80/x"))
        assert.equal("example.com", host(nil, "http://example.com/x"))
        assert.equal("example.com", host("example.com", "/x"))
        assert.equal("host_mismatch", host("example.com", "http://other/x"))
        assert.equal("bad_target", host("example.com", "http:///x"))
        assert.equal("bad_host", host("example.com", "http://a b/x"))
        assert.equal("bad_host", host("a b", "http://other/x"))
        assert.equal("userinfo", host("example.com", "http://example.com@other/x"))
        assert.equal("bad_target", host("example.com", "example.com:443"))
    end)
end)


-- The rules once more in plain words, segment by segment and byte by byte.
describe("the rules of paths", function()
    local ALPHABET = { "/", "/", ".", ".", "a", "%2e", "%2F", "%5c", "%25", "%41", "\\", ";", "#",
                       "%00", "%C3", "%A9", "41", "b_-Z9" }

    local function plain(target)
        if target:find("#", 1, true) then
            return false
        end
        local path = {}
        local at = 1
        while at <= #target do
            local char = target:sub(at, at)
            if char == "%" then
                char = string.char(tonumber(target:sub(at + 1, at + 2), 16))
                if char == "/" then
                    return false
                end
                at = at + 2
            end
            path[#path + 1] = char
            at = at + 1
        end
        local text = table.concat(path)
        for _, bad in ipairs({ "//", "\\", ";", "#", "\0" }) do
            if text:find(bad, 1, true) then
                return false
            end
        end
        for segment in (text .. "/"):gmatch("(.-)/") do
            if segment == "." or segment == ".." then
                return false
            end
        end
        -- The alphabet has one character of two bytes, so these are all the ways to be invalid.
        local rest = text:gsub("\xC3\xA9", "")
        if rest:find("[\128-\255]") or text:find("%%%x%x") then
            return false
        end
        return text
    end

    it("agree with their plain twin", function()
        math.randomseed(4)
        local accepted, refused = 0, 0
        for _ = 1, 20000 do
            local parts = { "/" }
            for i = 2, math.random(1, 7) do
                parts[i] = ALPHABET[math.random(#ALPHABET)]
            end
            local target = table.concat(parts)
            local expected = plain(target)
            local path = strict:resolve(target)
            assert.equal(expected or nil, path, target)
            accepted = accepted + (path and 1 or 0)
            refused = refused + (path and 0 or 1)
        end
        assert.is_true(accepted > 1000 and refused > 1000)
    end)

    it("take linear time", function()
        local function seconds(target)
            local start = os.clock()
            for _ = 1, 3 do
                lenient:resolve(target, nil)
                strict:resolve(target, "/x")
            end
            return os.clock() - start
        end
        for _, piece in ipairs({ "/", "/..", "%2f..", "a", "%25", "\xC3\xA9", ";", "%C0",
                                 "\\." }) do
            local small = seconds("/" .. piece:rep(20000))
            local large = seconds("/" .. piece:rep(160000))
            -- Eight times the text; sixty-four times the time would be quadratic.
            assert.is_true(large < 30 * small + 0.2, piece)
        end
    end)
end)
