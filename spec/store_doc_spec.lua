-- docs/store.md: its example runs, and its tables have what the code has.
local admin = require("postern.protocol.admin")
local commands = require("spec.support.commands")
local plain = require("postern.host.plain")


local TEXT = assert(plain.read("docs/store.md"))
local ESTATE = assert(plain.read("docs/estate.md"))


describe("docs/store.md", function()
    it("has every code with its status", function()
        local told = {}
        for codes, status in TEXT:gmatch("\n| (`[^|]+`) | (%d%d%d) |") do
            for code in codes:gmatch("`(%u%a+)`") do
                told[code] = tonumber(status)
            end
        end
        assert.same(admin.STATUS, told)
    end)

    it("has every path", function()
        for place, actions in pairs(admin.PLACES) do
            for method in pairs(actions) do
                local line = ("`%s /apis/ID%s`"):format(method, place)
                assert(method == "allowed" or TEXT:find(line, 1, true), line)
            end
        end
    end)

    it("has an example that runs", function()
        local folder = os.tmpname()
        os.remove(folder)
        assert.equal(0, os.execute("mkdir " .. folder))
        local function write(name, text)
            local file = assert(io.open(folder .. "/" .. name, "wb"))
            file:write(text)
            file:close()
        end
        write("estate.lua", 'store "policies"\n' .. ESTATE:match("```lua\n(.-)```"))
        write("dev-api.json", '{"Version":"2012-10-17","Statement":[{"Effect":"Allow",'
            .. '"Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/dev/*"}]}')
        write("put.lua", TEXT:match("```lua put.lua\n(.-)```"))
        local out, status = commands.sh("postern store create policies", folder)
        assert.equal(0, status, out)
        out, status = commands.sh(TEXT:match("```sh\n(luajit.-)\n```"), folder)
        assert.equal(TEXT:match("```output\n(.-)```"), out)
        assert.equal(0, status)
        out = commands.sh("postern store check estate.lua", folder)
        assert.matches("policies of 1 APIs and 0 endpoints", out, 1, true)
        assert.equal(0, os.execute("rm -r " .. folder))
    end)
end)
