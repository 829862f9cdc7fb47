local options = require("postern.protocol.options")


local SPEC = {
    name = { type = "text", required = true }, on = { type = "flag" }, most = { type = "count" },
    list = { type = "list" }, texts = { type = "texts" }, map = { type = "table" },
    kind = { type = "text", one_of = { a = true, b = true } }, what = {},
}


local function fault(given)
    given.name = given.name == nil and "x" or given.name
    return options.fault(given, SPEC)
end


describe("options of a protocol", function()
    it("are taken when they are right", function()
        assert.is_nil(fault({ on = false, most = 1, list = {}, texts = { "a" }, map = { x = 1 },
                              kind = "b", what = 7 }))
        assert.is_nil(options.fault(nil, { on = { type = "flag" } }))
    end)

    it("are refused by name, type and choice", function()
        for expected, given in pairs({
            ["unknown option `nam`: there are `kind`, `list`, `map`"] = { nam = "x" },
            ["`name`: give a text"] = { name = 1 },
            ["`on`: give true or false"] = { on = "true" },
            ["`most`: give a whole number, at least 1"] = { most = 0 },
            ["`most`: give a whole"] = { most = 1.5 },
            ["`list`: give a list"] = { list = { x = 1 } },
            ["`texts`: give a list of texts that is not empty"] = { texts = {} },
            ["`texts`: give a list of texts"] = { texts = { 1 } },
            ["`map`: give a table"] = { map = "x" },
            ["`kind` is `c`: there are `a`, `b`"] = { kind = "c" },
        }) do
            local message = fault(given)
            assert.equal(expected, message and message:sub(1, #expected))
        end
        assert.equal("`name` is missing: add it", options.fault({}, SPEC))
        assert.equal("`name`: give a text", options.fault({ name = "" }, SPEC))
        assert.equal("the options are a string: give a table", options.fault("x", SPEC))
    end)

    it("are read and kept, or refused where they were given", function()
        local its_fault, open = options.reader("some", { most = { type = "count" } },
            function(given)
                if given.most == 7 then
                    return nil, "`most`: not seven"
                end
                return { kept = given.most or 1 }
            end)
        local function new(given)
            local self = open(given)
            return self.kept
        end
        assert.same({ 1, 2 }, { new(), new({ most = 2 }) })
        assert.is_nil(its_fault())
        assert.is_nil(its_fault({ most = 2 }))
        for why, given in pairs({ ["`most`: not seven"] = { most = 7 },
                                  ["`most`: give a whole number, at least 1"] = { most = "x" } }) do
            assert.equal(why, its_fault(given))
            local line = debug.getinfo(1, "l").currentline + 1
            local ok, raised = pcall(function() local made = new(given) return made end)
            assert.is_false(ok)
            assert.equal(("spec/postern/protocol/options_spec.lua:%d: some: %s"):format(line, why),
                         (raised:gsub("^%./", "")))
        end
    end)
end)
