-- The units for systemd: it takes them, and what it hands over is served.
local uv = require("luv")
local commands = require("spec.support.commands")
local files = require("spec.support.files")
local loop = require("spec.support.loop")
local ports = require("spec.support.ports")
local served = require("spec.support.served")


local ESTATE = 'account "111122223333" region "eu-central-1" api "pets" { '
    .. 'endpoint_type = "REGIONAL", authorization = "NONE", stages = "live" }'


local function has(program)
    return select(2, commands.sh("command -v " .. program)) == 0
end


describe("systemd", function()
    local before

    before_each(function()
        before = loop.open_handles()
    end)

    after_each(function()
        assert.equal(before, loop.open_handles())
    end)

    it("takes the units", function()
        if not has("systemd-analyze") then
            pending("systemd-analyze is not there")
            return
        end
        local service = files.read("systemd/postern.service")
            :gsub("ExecStart=postern", "ExecStart=" .. commands.build() .. "/postern")
        commands.with_files({
            ["postern.service"] = service,
            ["postern.socket"] = files.read("systemd/postern.socket"),
        }, function(folder)
            local said, status = commands.sh("LD_PRELOAD= systemd-analyze verify --man=no "
                .. "./postern.service ./postern.socket", folder)
            assert.equal("", said)
            assert.equal(0, status)
        end)
    end)

    it("starts a server with the sockets it has", function()
        if not has("systemd-socket-activate") then
            pending("systemd-socket-activate is not there")
            return
        end
        commands.with_files({ ["estate.lua"] = ESTATE }, function(folder)
            local port = ports.free()
            local line = files.read("systemd/postern.service"):match("\nExecStart=postern (.-)\n")
            -- It hands on next to nothing of the environment; a sanitized core needs its library.
            local sanitized = (os.getenv("LD_PRELOAD") or "") ~= ""
                and "-E LD_PRELOAD -E ASAN_OPTIONS " or ""
            local server = served.start(("exec systemd-socket-activate %s-l 127.0.0.1:%d "
                .. "-l %s/postern.sock postern %s"):format(sanitized, port, folder,
                (line:gsub("/etc/postern/", ""))), { folder = folder })
            local ok, err = pcall(function()
                assert.is_truthy(server:until_true(function()
                    return server.said:find("Listening on 127", 1, true)
                end))
                local decide = " --json '{\"api\":\"pets\",\"path\":\"/live/x\"}' "
                assert.matches('"decision":"Allowed"', server:curl(decide .. "http://127.0.0.1:"
                    .. port .. "/v1/decide"), 1, true)
                assert.matches('"decision":"Allowed"', server:curl(decide .. "--unix-socket "
                    .. folder .. "/postern.sock http://postern/v1/decide"), 1, true)
                assert.equal(0, server:stop())
            end)
            server:close()
            assert(ok, err)
            assert.is_truthy(uv.fs_stat(folder .. "/postern.sock")) -- systemd's, not ours
        end)
    end)

    it("gets units that are installed", function()
        assert.matches("install%(DIRECTORY systemd DESTINATION share/postern%)",
            files.read("CMakeLists.txt"))
    end)
end)
