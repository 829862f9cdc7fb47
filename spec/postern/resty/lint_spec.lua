local lint = require("postern.resty.lint")
local front = require("spec.support.front")

local ACCESS = 'access_by_lua_block { require("postern.resty").access() }'
local GUARD = 'rewrite_by_lua_block { require("resty.postern").guard{ api = "a" } }'


local function check(server)
    return table.concat(lint.check("# configuration file /etc/nginx/nginx.conf:\nhttp {\nserver {\n"
        .. server .. "\n}\n}\n"), "\n")
end


describe("the linter of nginx's configuration", function()
    it("finds nothing in what is as it should be", function()
        assert.equal("", check("location / { " .. ACCESS .. " proxy_pass http://a; }"))
        assert.equal("", check(ACCESS .. " location /a { proxy_pass http://a; }"))
        assert.equal("", check("location / { " .. GUARD .. " satisfy any; allow all; }"))
        assert.equal("", check("location / { proxy_pass http://b; return 200; satisfy any; }"))
        assert.equal("", check("location /a/ { alias /srv/a/; } location = /b { alias /srv/; }"))
    end)

    it("finds `satisfy any`, also of a block around", function()
        assert.equal("/etc/nginx/nginx.conf:3: location /: `satisfy any` lets pass whom `allow` or "
            .. "a password lets pass, and nobody is asked: call `guard` in rewrite_by_lua",
            check("satisfy any;\nlocation / { " .. ACCESS .. " }"))
        assert.matches("location /a: `satisfy any`", check("location /a {\n satisfy any; "
            .. ACCESS .. " }"), 1, true)
    end)

    it("finds `return` in what is guarded", function()
        assert.equal("/etc/nginx/nginx.conf:4: location /: `return` answers before anybody is "
            .. "asked", check("location / { " .. ACCESS .. "\nreturn 200;\n}"))
    end)

    it("finds a location whose own Lua takes the place of the guard", function()
        assert.matches("location /b: its own access_by_lua takes the place of the guard",
            check(ACCESS .. " location /b { access_by_lua_block { ngx.log(1) } }"), 1, true)
        assert.matches("location /b: sets `$postern_api`, but nobody is asked here",
            check("location /b { set $postern_api x; }"), 1, true)
    end)

    it("finds what leads to the same program unasked", function()
        assert.matches("location /open: nobody is asked, and it leads to what location / guards",
            check("location / { " .. ACCESS .. " proxy_pass http://a; } "
                .. "location /open { proxy_pass http://a; }"), 1, true)
    end)

    it("finds subrequests that come to what the access phase guards", function()
        local guarded = "location / { " .. ACCESS .. " } "
        for _, maker in ipairs({
            "location /x { content_by_lua_block { ngx.location.capture('/') } }",
            "location /x { auth_request /; }", "location /x { ssi on; }",
            "location /x { mirror /; }", "location /x { add_after_body /; }",
        }) do
            assert.matches("location /: subrequests come here unasked", check(guarded .. maker), 1,
                           true)
        end
        assert.equal("", check("location / { " .. GUARD .. " } location /x { ssi on; }"))
        assert.equal("", check(guarded .. "location /x { ssi off; auth_request off; }"))
    end)

    it("finds an alias that leads out of its folder, and whom realip believes", function()
        assert.matches("location /a: without a slash at its end it leads out of `/srv/a/` by "
            .. "`/a../`", check("location /a { alias /srv/a/; }"), 1, true)
        assert.matches("`set_real_ip_from 0.0.0.0/0` believes everybody",
            check("set_real_ip_from 0.0.0.0/0;"), 1, true)
        assert.matches("`set $postern_api` in a server block", check("set $postern_api x;"), 1,
                       true)
    end)

    it("reads Lua, quotes, comments and files as nginx does", function()
        assert.equal("", check([==[
            # location / { satisfy any; }
            location / {
                content_by_lua_block {
                    local a = "}" .. '{' .. [[ } satisfy any; ]] -- } {
                    --[[ } ]]
                    if a then ngx.say({ 1 }) end
                }
                set $a "${b}; return {";
                add_header X ${b}c;
            }
        ]==]))
        local root = lint.read("# configuration file /a:\nx 1;\n# configuration file /b:\n\n"
            .. "y 'a b' ${c}d { z; }\n")
        assert.equal("/a", root.inner[1].file)
        assert.equal(1, root.inner[1].line)
        assert.equal("/b", root.inner[2].file)
        assert.equal(2, root.inner[2].line)
        assert.same({ "a b", "${c}d" }, root.inner[2].args)
        assert.equal("z", root.inner[2].inner[1].name)
    end)

    it("reads what `nginx -T` prints", function()
        local running = front.new({ server = front.location("satisfy any; allow all;") })
        local pipe = io.popen(("/usr/sbin/nginx -T -p %s -e %s/error.log -c %s/nginx.conf 2>&1")
            :format(running.folder, running.folder, running.folder))
        local printed = pipe:read("*a")
        pipe:close()
        running:stop()
        local found = lint.check(printed)
        assert.equal(1, #found, printed)
        assert.matches("^" .. running.folder .. "/nginx.conf:%d+: location /: `satisfy any`",
                       found[1])
    end)

    it("is a word of the front, outside nginx too", function()
        local lines = require("postern.resty").check("location /a { alias /srv/a/; }")
        assert.equal(1, #lines)
    end)
end)
