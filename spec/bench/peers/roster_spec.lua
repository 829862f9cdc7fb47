local files = require("spec.support.files")
local roster = require("spec.bench.peers.roster")
local workload = require("spec.bench.peers.workload")

local HERE = "spec/bench/peers/"


describe("the peers", function()
    it("say how they are built and run, and what is not comparable", function()
        local names = {}
        for _, peer in ipairs(roster.PEERS) do
            assert.is_nil(names[peer.name])
            names[peer.name] = true
            assert.is_true(files.exists(HERE .. peer.folder), peer.folder)
            assert.is_true(#peer.differs > 80, peer.name)
            assert.is_true(#peer.styles > 0)
            local command = peer.how.run("OUT", peer.styles[1], "BUILD")
            assert.equal("string", type(command[1]))
        end
        for _, each in ipairs(roster.MISSING) do
            assert.is_nil(names[each.name])
            assert.is_true(#each.reason > 20)
        end
    end)

    it("are pinned, crates and packages to one version each", function()
        for version in files.read(HERE .. "cedar/Cargo.toml"):match("%[dependencies%]\n(.*)")
            :gmatch('= "([^"]*)"') do
            assert.matches("^=%d", version)
        end
        for version in files.read(HERE .. "iam-simulate/package.json")
            :match('"dependencies": (%b{})'):gmatch(': "([^"]*)"') do
            assert.matches("^%d", version)
        end
    end)

    it("have lock files that name public registries only", function()
        local sources = 0
        for source in files.read(HERE .. "cedar/Cargo.lock"):gmatch('source = "([^"]+)"') do
            sources = sources + 1
            assert.equal("registry+https://github.com/rust-lang/crates.io-index", source)
        end
        assert.is_true(sources > 10)
        local lock = files.read(HERE .. "iam-simulate/package-lock.json")
        for url in lock:gmatch('"resolved": "([^"]*)"') do
            assert.matches("^https://registry%.npmjs%.org/", url)
        end
        assert.matches('"integrity": "sha512%-', lock)
        for _, name in ipairs({ "opa", "minio", "casbin" }) do
            assert.matches(" h1:", files.read(HERE .. name .. "/go.sum"))
            assert.matches("replace postern/peers/protocol => %.%./protocol",
                           files.read(HERE .. name .. "/go.mod"))
        end
    end)

    it("are not asked for patterns where there are none", function()
        assert.is_false(roster.takes(workload.exact(10), "globs"))
        assert.is_true(roster.takes(workload.exact(10), "keys"))
        assert.is_true(roster.takes(workload.globs(10), "globs"))
    end)
end)
