local disks = require("spec.support.disk_model")
local durable = require("postern.store.durable")
local faulty = require("spec.support.faulty_files")


describe("replacing a file", function()
    -- Every operation, in order.
    local function recording(disk)
        local calls = {}
        return setmetatable({}, { __index = function(_, name)
            return function(_, ...)
                calls[#calls + 1] = name
                return disk[name](disk, ...)
            end
        end }), calls
    end

    it("brings contents to the disk before the name, and the name before it is said", function()
        local disk = disks.new()
        local files, calls = recording(disk)
        assert.is_true(durable.replace(files, "/f", "a", "text"))
        assert.same({ "create", "write", "sync", "close", "rename", "sync_folder" }, calls)
        for _, way in ipairs(disks.WAYS) do
            local left = disk:after(way)
            assert.same({ "a" }, left:list("/f"))
            assert.equal("text", left:read("/f/a"))
        end
    end)

    it("leaves the old one when an operation fails, and says where", function()
        for at = 1, 5 do
            local disk = disks.new()
            assert(durable.replace(disk, "/f", "a", "old"))
            local failed
            local ok, err, perhaps = durable.replace(faulty.new(disk, { at = at, fault = function(n)
                failed = n
                return nil, "no space left on device"
            end }), "/f", "a", "new")
            if failed == "close" then
                assert.is_true(ok)
            else
                assert.is_nil(ok)
                assert.equal("/f/a: no space left on device", err)
                assert.is_false(perhaps)
                assert.equal("old", disk:read("/f/a"))
                assert.same({ "a" }, disk:list("/f"))
            end
        end
    end)

    it("says so when the new one may or may not stay", function()
        local disk = disks.new()
        local _, _, perhaps = durable.replace(faulty.new(disk, { at = 6, fault = function()
            return nil, "input/output error"
        end }), "/f", "a", "new")
        assert.is_true(perhaps)
        assert.equal("new", disk:read("/f/a"))
        assert.is_nil(disk:after("safe safe"):read("/f/a"))
    end)
end)
