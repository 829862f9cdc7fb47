-- What users of OpenResty and LuaRocks install.
local commands = require("spec.support.commands")
local files = require("spec.support.files")


describe("packaging", function()
    it("has the front under the name that users of OpenResty look for", function()
        assert.equal(require("postern.resty"), require("resty.postern"))
    end)

    it("names in dist.ini what is there", function()
        local dist = {}
        for name, value in files.read("dist.ini"):gmatch("\n([%w_]+) = ([^\n]+)") do
            dist[name] = value
        end
        for _, name in ipairs({ "name", "abstract", "author", "license", "is_original" }) do
            assert.truthy(dist[name], name)
        end
        assert.is_true(files.exists(dist.main_module))
        assert.is_true(files.exists(dist.lib_dir))
        assert.is_true(files.exists(dist.doc_dir))
        -- opm takes the version from the main module.
        local version = files.read(dist.main_module):match('_VERSION = "([%d.]+)"')
        assert.equal(require("postern").version, version)
        assert.equal(version, require("resty.postern")._VERSION)
    end)

    it("copies with the rockspec all that the library reads", function()
        local spec = setmetatable({}, { __index = function(_, name)
            error("the rockspec uses `" .. name .. "`")
        end })
        local chunk = assert(loadstring(files.read("postern-scm-1.rockspec")))
        setfenv(chunk, spec)()
        assert.equal("postern", spec.package)
        assert.equal("scm-1", spec.version)
        assert.equal("command", spec.build.type)
        for _, folder in ipairs({ "lua/postern", "lua/resty", "rules", "nginx",
                                  "adapters/apisix/postern.lua", "adapters/kong/kong" }) do
            assert.matches("%f[%w]" .. folder .. "%f[^%w/]", spec.build.install_command)
            assert.is_true(files.exists(folder))
        end
    end)

    it("puts the plugins of gateways where these look for them", function()
        local prefix = os.tmpname()
        os.remove(prefix)
        local output, status = commands.sh(("cmake --install %s --prefix %s")
            :format(commands.build(), prefix))
        assert.equal(0, status, output)
        for _, name in ipairs({ "apisix/plugins/postern.lua", "kong/plugins/postern/handler.lua",
                                "kong/plugins/postern/schema.lua", "postern/resty.lua" }) do
            assert.is_true(files.exists(prefix .. "/share/lua/5.1/" .. name), name)
        end
        assert.is_true(files.exists(prefix .. "/lib/lua/5.1/libpostern.so"))
        assert.is_true(files.exists(prefix .. "/lib/lua/5.1/postern_bridge.so"))
        assert.is_true(files.exists(prefix .. "/share/postern/nginx/postern.conf"))
        os.execute("rm -r " .. prefix)
    end)
end)
