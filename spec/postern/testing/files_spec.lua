local files = require("postern.testing.files")
local commands = require("spec.support.commands")


local TREE = {
    ["b_spec.lua"] = "", ["a/c_spec.lua"] = "", ["a/x.jsonl"] = "", ["x.lua"] = "",
    [".hidden/d_spec.lua"] = "", ["a/notes.json"] = "", ["a/z_spec.luac"] = "",
}


describe("finding tests", function()
    it("takes specs and case files of folders, sorted, each once", function()
        commands.with_files(TREE, function(folder)
            local found = assert(files.find({ folder, folder .. "/", folder .. "/a/x.jsonl" }))
            assert.same({ folder .. "/a/c_spec.lua", folder .. "/b_spec.lua" }, found.specs)
            assert.same({ folder .. "/a/x.jsonl" }, found.cases)
        end)
    end)

    it("does not follow links to folders, but takes links to files", function()
        commands.with_files(TREE, function(folder)
            os.execute(("ln -s . %s/loop; ln -s x.lua %s/l_spec.lua"):format(folder, folder))
            assert.equal(3, #assert(files.find({ folder })).specs)
        end)
    end)

    it("calls files of the working folder by their name alone", function()
        local found = assert(files.find({ "./spec/postern/testing/" }))
        assert.equal("spec/postern/testing/fakes_spec.lua", found.specs[1])
        for _, path in ipairs(assert(files.find({ "." })).specs) do
            assert.not_matches("^%./", path)
        end
    end)

    it("refuses what is no test", function()
        for path, message in pairs({
            ["README.md"] = "README.md: no test: give a folder, a spec `*_spec.lua`, or a case "
                .. "file `*.jsonl`",
            ["no/such"] = "no/such: no such file or directory: check the path",
        }) do
            assert.same({ nil, message }, { files.find({ path }) })
        end
        assert.same({ specs = {}, cases = {} }, files.find({ "lua" }))
    end)
end)
