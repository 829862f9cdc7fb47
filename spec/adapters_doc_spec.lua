-- docs/adapters.md: its files configure the stand-ins of both gateways, and its commands print what
-- it says. Paths and ports are those of the spec's nginx.
local lyaml = require("lyaml")
local cjson = require("cjson")
local commands = require("spec.support.commands")
local documents = require("spec.support.documents")
local files = require("spec.support.files")
local gateways = require("spec.support.gateways")
local options = require("postern.resty.options")

local PATH = "docs/adapters.md"
local BLOCKS = documents.blocks(PATH)
local TEXT = documents.read(PATH)

-- Where `make install` puts things.
local LUA, LIBRARY = "/usr/local/share/lua/5.1/?.lua", "/usr/local/lib/lua/5.1/?.so"


-- The text of a file that the document shows.
local function shown(name)
    for _, block in ipairs(BLOCKS) do
        if block.info:match(" (%S+)$") == name then
            return block.text
        end
    end
    error("the document shows no " .. name)
end


local function placed(text, folder)
    return (text:gsub("/etc/postern/", folder .. "/"))
end


-- nginx's language, with a socket in place of a port that may be taken.
local function http_conf()
    local text, count = shown("http.conf"):gsub("/usr/local/share/postern/nginx/postern.conf",
                                                commands.here() .. "/nginx/postern.conf")
    assert.equal(1, count)
    return (text:gsub("127.0.0.1:9145", "unix:status.sock"))
end


local FILES = { ["estate.lua"] = shown("estate.lua"), ["pets.json"] = shown("pets.json") }


-- The file that both include; its sockets are in the folder.
local function include(running, directive)
    assert.equal("include /etc/postern/http.conf", (directive:gsub(";%s*$", "")))
    gateways.write(running, "http.conf", (http_conf():gsub("unix:", "unix:" .. running.folder
                                                           .. "/")))
end


local function run_commands(running, wanted, address)
    local count = 0
    for i, block in ipairs(BLOCKS) do
        local whose = block.info:match("^sh (%S+)$")
        if whose == wanted or whose == "both" then
            count = count + 1
            local here = "http://127.0.0.1:" .. running.port
            local command = block.text:gsub(address, here):gsub("http://127.0.0.1:9090", here)
                :gsub("http://127.0.0.1:9145", "--unix-socket " .. running.folder
                      .. "/status.sock http://localhost")
            local output = commands.sh(command)
            local function plain(text)
                return (text:gsub("%x+", function(word)
                    return #word == 32 and "(an id)" or nil
                end))
            end
            local escaped = running.folder:gsub("/", "\\/")
            assert.equal("output", BLOCKS[i + 1].info, block.place)
            assert.equal(plain(BLOCKS[i + 1].text),
                         plain((output:gsub(escaped:gsub("%p", "%%%0"), "\\/etc\\/postern"))))
        end
    end
    return count
end


describe(PATH, function()
    local running

    after_each(function()
        if running then
            running:stop()
            running = nil
        end
    end)

    it("shows how APISIX is configured", function()
        local config = lyaml.load(shown("config.yaml"))
        assert.equal(LUA, config.apisix.extra_lua_path)
        assert.equal(LIBRARY, config.apisix.extra_lua_cpath)
        assert.equal("postern", config.plugins[2])
        local directives = {}
        for name, size in pairs(config.nginx_config.http.custom_lua_shared_dict) do
            directives[#directives + 1] = ("lua_shared_dict %s %s;"):format(name, size)
        end
        assert.equal(1, #directives)
        running = gateways.apisix({
            dict = false, directives = directives[1] .. " include $folder/http.conf;\n",
            files = FILES, routes = { cjson.decode(shown("route.json")) }, plugins = { "postern" },
        })
        include(running, config.nginx_config.http_configuration_snippet)
        gateways.write(running, "config.json", placed(cjson.encode({
            plugins = config.plugins, plugin_attr = config.plugin_attr,
        }):gsub("\\/", "/"), running.folder))
        gateways.write(running, "lua/apisix/plugins/key-auth.lua", [[
            return { version = 1, priority = 2500, schema = { type = "object", properties = {} } }
        ]])
        gateways.run(running)
        assert.equal(3, run_commands(running, "apisix", "http://127.0.0.1:9080"))
    end)

    it("shows how Kong is configured", function()
        local conf, directives = shown("kong.conf"), ""
        for name, value in conf:gmatch("\nnginx_http_([%w_]+) = ([^\n]+)") do
            if name == "include" then
                directives = directives .. "include $folder/http.conf;\n"
            else
                directives = directives .. name .. " " .. value .. ";\n"
            end
        end
        assert.matches("lua_shared_dict postern 10m;\ninclude", directives, 1, true)
        assert.matches("\nlua_package_path = " .. LUA .. ";;\n", conf, 1, true)
        assert.matches("\nlua_package_cpath = " .. LIBRARY .. ";;\n", conf, 1, true)
        local declared = lyaml.load(shown("kong.yml"))
        assert.equal("3.0", declared._format_version)
        running = gateways.kong({ dict = false, directives = directives, files = FILES,
                                  services = declared.services,
                                  conf = placed(conf, "$folder") })
        include(running, "include " .. conf:match("\nnginx_http_include = ([^\n]+)"))
        gateways.run(running)
        assert.equal(2, run_commands(running, "kong", "http://127.0.0.1:8000"))
    end)

    it("marks every command that is not run", function()
        local kinds = { apisix = 0, kong = 0, both = 0, ["not-run"] = 0 }
        for _, block in ipairs(BLOCKS) do
            if block.info:find("^sh") then
                local whose = block.info:match("^sh (%S+)$")
                assert.truthy(kinds[whose], block.place)
                kinds[whose] = kinds[whose] + 1
            end
        end
        assert.same({ apisix = 2, kong = 1, both = 1, ["not-run"] = 1 }, kinds)
    end)

    it("has every setting and every option", function()
        local settings = TEXT:match("\n## For each route\n(.-)\n## ")
        local kong = files.read("adapters/kong/kong/plugins/postern/handler.lua")
        local schema = files.read("adapters/kong/kong/plugins/postern/schema.lua")
        local apisix = files.read("adapters/apisix/postern.lua")
        local count = 0
        for name in settings:gmatch("\n| `(%w+)` |") do
            count = count + 1
            assert.matches('"' .. name .. '"', kong, 1, true)
            assert.matches("{ " .. name .. " = ", schema, 1, true)
            assert.matches(name .. " = TEXT", apisix:gsub("mode = {", "mode = TEXT"), 1, true)
        end
        assert.equal(5, count)
        local of_apisix = TEXT:match("\n## APISIX\n(.-)\n## ")
        local of_kong = TEXT:match("\n## Kong\n(.-)\n## ")
        for name in pairs(options.fill()) do
            assert.matches("`" .. name .. "`", of_apisix, 1, true)
            local taken = kong:find("\n    [%w_ =,]*%f[%w]" .. name .. " = %l+,") ~= nil
            assert.equal(taken, of_kong:find("`postern_" .. name .. "`", 1, true) ~= nil, name)
        end
    end)

    it("quotes messages as they are", function()
        local sources = files.read("adapters/apisix/postern.lua")
            .. files.read("lua/postern/resty.lua")
        sources = sources:gsub('"%s*%.%. "', "")
        local count = 0
        for message in TEXT:match("\n| The error log says (.-)\n## "):gmatch("\n| `([^`]+)` |") do
            count = count + 1
            assert.matches(message, sources, 1, true)
        end
        assert.is_true(count == 6)
    end)
end)
