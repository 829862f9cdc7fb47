local front = require("spec.support.front")
local lfs = require("lfs")
local master = require("postern.resty.master")


describe("the master's look at an estate", function()
    local folder, logged

    local function write(name, text)
        local file = assert(io.open(folder .. "/" .. name, "wb"))
        file:write(text)
        file:close()
    end

    before_each(function()
        folder, logged = os.tmpname(), {}
        os.remove(folder)
        assert(lfs.mkdir(folder))
        write("pets.json", front.PETS)
        write("notes.json", front.NOTES)
    end)

    after_each(function()
        os.execute("rm -r " .. folder)
    end)

    local function read(text)
        write("estate.lua", text)
        return master.read(folder .. "/estate.lua", function(line) logged[#logged + 1] = line end)
    end

    it("finds its revision, and every byte that the workers need for the same", function()
        local revision, texts = read(front.ESTATE)
        assert.equal(front.PETS, texts[folder .. "/pets.json"])
        local estate = assert(require("postern.estate").open(folder .. "/estate.lua", {
            now = os.time, read = function(path) return texts[path] or nil, "none" end,
        }))
        assert.equal(revision, estate.revision)
        assert.same({}, logged)
    end)

    it("tells problems and warnings", function()
        local revision, problems = read('apo "x" {}')
        assert.is_nil(revision)
        assert.matches("estate.lua:1: unknown word `apo`", problems, 1, true)
        assert.truthy(read(front.ESTATE .. 'mode "dry_run"'))
        assert.matches("dry run: nothing is denied", table.concat(logged), 1, true)
    end)

    it("starts packs, and tells what keeps one from it", function()
        write("bad.lua", [[return { kind = "hooks", name = "bad", api = 1,
            check = function() return true end, start = function() error("no service") end,
            log = function() end }]])
        local revision, problems = read(front.ESTATE .. 'rules "bad.lua"')
        assert.is_nil(revision)
        assert.matches("no service", problems, 1, true)
    end)

    it("makes no file that would be the master's", function()
        assert.truthy(read(front.ESTATE .. 'rules "hooks/audit" { path = "audit.log" }'))
        assert.is_nil(lfs.attributes(folder .. "/audit.log"))
    end)
end)
