local cli = require("postern.cli")
local fixtures = require("spec.support.stores")
local lfs = require("lfs")


describe("postern store", function()
    local fixture, out, err

    before_each(function()
        fixture, out, err = fixtures.new(), {}, {}
    end)

    after_each(function()
        fixture:close()
    end)

    local function run(...)
        return cli.main({ "store", ... }, {
            out = function(line) out[#out + 1] = line end,
            err = function(line) err[#err + 1] = line end,
        })
    end

    it("makes a store, once", function()
        os.remove(fixture.folder .. "/policies/store.json")
        os.remove(fixture.folder .. "/policies/.lock")
        assert(lfs.rmdir(fixture.folder .. "/policies"))
        assert.equal(0, run("create", fixture.folder .. "/policies/"))
        assert.same({ fixture.folder .. "/policies: a store" }, out)
        local made = fixture:read("policies/store.json")
        assert.equal(0, run("create", fixture.folder .. "/policies"))
        assert.equal(made, fixture:read("policies/store.json"))
        fixture:within(function() assert(fixture:open()) end)
    end)

    it("cannot make one below a folder that is not there", function()
        assert.equal(2, run("create", fixture.folder .. "/no/policies"))
        assert.matches("no/policies: no such file or directory", err[1], 1, true)
    end)

    it("goes over one", function()
        fixture:within(function()
            local store = assert(fixture:open())
            assert(store:put("endpoint", "vpce-1", fixtures.endpoint_policy("E")))
        end)
        assert.equal(0, run("check", fixture.folder .. "/estate.lua"))
        assert.matches("policies: policies of 0 APIs and 1 endpoints, revision %x+", out[1])
    end)

    it("tells what is damaged", function()
        fixture:write("policies/api.a1.7.json", "{}")
        assert.equal(2, run("check", fixture.folder .. "/estate.lua"))
        assert.matches("api.a1.7.json: its record is not there", err[1], 1, true)
        fixture:write("policies/store.json", "{}")
        assert.equal(2, run("check", fixture.folder .. "/estate.lua"))
        assert.matches("store.json: damaged", err[2], 1, true)
    end)

    it("teaches", function()
        assert.equal(0, run("--help"))
        assert.matches("postern store check estate.lua", out[1], 1, true)
        assert.equal(2, run("destroy", "x"))
    end)
end)
