local disks = require("spec.support.disk_model")
local records = require("postern.store.record")
local sweep = require("postern.store.sweep")


describe("going over a store", function()
    local disk, subject

    local function write(name, text)
        disk.names["/f/" .. name] = { text = text, safe = text }
    end

    local function record(id, revision, staged)
        local function policy(of, text)
            return { revision = of, sha256 = records.hash(text) }
        end
        local history = {}
        for i = 1, revision do
            history[i] = { revision = i, operation = "put", at = 1, who = "w", acts = false,
                           source = "policy", policy = policy(i, id .. i) }
        end
        return records.encode({
            kind = "api", id = id, revision = revision, active = { source = "file", revision = 0 },
            staged = { source = "policy", revision = revision,
                       policy = policy(revision, staged or id .. revision) },
            history = history,
        })
    end

    before_each(function()
        disk = disks.new()
        subject = { folder = "/f", files = disk }
        write("store.json", records.encode_list({ "api.a" }))
        write("api.a.json", record("a", 2))
        write("api.a.1.json", "a1")
        write("api.a.2.json", "a2")
    end)

    it("leaves everything that is named, and what is not its own", function()
        write("readme.md", "mine")
        local before = disk:list("/f")
        assert.is_true(sweep.run(subject))
        assert.same(before, disk:list("/f"))
    end)

    it("removes what nobody has read", function()
        local before = disk:list("/f")
        write(".new-api.a.json", "{")
        write("api.a.3.json", "later")
        write("api.a.1.submitted.json", "other")
        write("api.b.1.json", "b1")
        write("api.c.json", record("c", 1))
        write("api.c.1.json", "c1")
        assert.is_true(sweep.run(subject))
        assert.same(before, disk:list("/f"))
    end)

    for what, case in pairs({
        ["a record that is not whole"] = { "api.a.json", "{" },
        ["a staged policy that is another one"] = { "api.a.2.json", "A2" },
        ["a record that the list had once"] = { "api.c.json", record("c", 2) },
        ["an unlisted record that nobody can read"] = { "api.c.json", "{" },
        ["a policy whose record is gone"] = { "api.c.2.json", "c2" },
        ["a list that is not whole"] = { "store.json", "{" },
    }) do
        it("tells and touches nothing: " .. what, function()
            write(".new-x", "leftover")
            write(case[1], case[2])
            local before = disk:list("/f")
            local ok, err = sweep.run(subject)
            assert.is_nil(ok)
            assert.equal("StoreDamaged", err.code)
            assert.equal("/f/" .. case[1] .. ":", err.message:match("^%S+"))
            assert.same(before, disk:list("/f"))
        end)
    end

    it("checks what was submitted as well", function()
        local function staged(submitted)
            local text = record("a", 2)
            return (text:gsub('"staged":{"policy":{', '%0"submitted":"' .. submitted .. '",'))
        end
        -- The checksum is another one then.
        local function sealed(text)
            local rest = text:match('^{"checksum":"%x+",(.*)$')
            return ('{"checksum":"%s",%s'):format(records.hash(rest), rest)
        end
        write("api.a.json", sealed(staged(records.hash("as submitted"))))
        write("api.a.2.submitted.json", "as submitted")
        assert.is_true(sweep.run(subject))
        assert.equal("as submitted", disk:read("/f/api.a.2.submitted.json"))
        write("api.a.2.submitted.json", "as submitted?")
        local ok, err = sweep.run(subject)
        assert.is_nil(ok)
        assert.matches("/f/api.a.2.submitted.json", err.message, 1, true)
    end)

    it("tells of a policy that is not there", function()
        disk.names["/f/api.a.2.json"] = nil
        local ok, err = sweep.run(subject)
        assert.is_nil(ok)
        assert.matches("/f/api.a.2.json", err.message, 1, true)
    end)
end)
