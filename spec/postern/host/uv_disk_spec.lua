local hosts = require("postern.host.uv")
local disks = require("postern.host.uv_disk")
local uv = require("luv")
local lfs = require("lfs")


describe("files that are changed durably", function()
    local folder, host, subject

    before_each(function()
        folder = os.tmpname()
        os.remove(folder)
        assert(lfs.mkdir(folder))
        host = hosts.new({ log = function() end })
        subject = disks.new(host)
    end)

    after_each(function()
        host:close()
        for name in lfs.dir(folder) do
            os.remove(folder .. "/" .. name)
        end
        lfs.rmdir(folder .. "/sub")
        os.remove(folder)
    end)

    local function within(fn)
        local ok, err = host:block(function()
            return host:timeout(20, function()
                fn()
                return true
            end)
        end)
        assert(ok, err)
    end

    it("are made, renamed, read, listed and removed", function()
        within(function()
            local handle = assert(subject:create(folder .. "/new"))
            local text = ("x"):rep(300000)
            assert.is_true(subject:write(handle, text))
            assert.is_true(subject:write(handle, "y"))
            assert.is_true(subject:sync(handle))
            subject:close(handle)
            assert.is_true(subject:rename(folder .. "/new", folder .. "/b"))
            assert.is_true(subject:sync_folder(folder))
            subject:close(assert(subject:create(folder .. "/a")))
            assert.equal(text .. "y", subject:read(folder .. "/b"))
            assert.same({ "a", "b" }, subject:list(folder))
            -- What was in a file is gone.
            subject:close(assert(subject:create(folder .. "/b")))
            assert.equal("", subject:read(folder .. "/b"))
            assert.is_true(subject:remove(folder .. "/b"))
            assert.same({ "a" }, subject:list(folder))
            assert.is_true(subject:make_folder(folder .. "/sub"))
            assert.is_true(subject:make_folder(folder .. "/sub"))
            assert.equal("750", ("%o"):format(uv.fs_stat(folder .. "/sub").mode % 512))
            assert.equal("640", ("%o"):format(uv.fs_stat(folder .. "/a").mode % 512))
        end)
    end)

    it("tell what went wrong in words", function()
        within(function()
            local none = folder .. "/no/x"
            for name, arguments in pairs({
                create = { none }, rename = { none, folder .. "/x" }, remove = { none },
                sync_folder = { none }, list = { none }, make_folder = { none },
            }) do
                local result, err = subject[name](subject, unpack(arguments))
                assert.is_nil(result)
                assert.equal("no such file or directory", err, name)
            end
            local text, err, absent = subject:read(none)
            assert.is_nil(text)
            assert.matches("no such file", err, 1, true)
            assert.is_true(absent)
            assert.same({ false }, { (select(3, subject:read(folder))) })
            local handle = assert(subject:create("/dev/full"))
            local ok
            ok, err = subject:write(handle, "x")
            subject:close(handle)
            assert.is_nil(ok)
            assert.equal("no space left on device", err)
        end)
    end)

    it("are left in peace when nobody waits for them any more", function()
        within(function()
            local ended = false
            local waiting = host:spawn(function()
                subject:apart(function(seconds)
                    host:sleep(seconds)
                    ended = true
                end, 0.02)
            end)
            host:sleep(0.005) -- so that it has begun
            waiting:cancel()
            host:sleep(0.06)
            assert.is_true(ended)
            assert.same({ 1, nil, 3 }, { subject:apart(function(...) return ... end, 1, nil, 3) })
            local ok, err = pcall(subject.apart, subject, error, { "it" })
            assert.is_false(ok)
            assert.same({ "it" }, err)
        end)
    end)

    it("exclude others in the same process", function()
        within(function()
            local lock = assert(subject:lock(folder .. "/l", 0))
            local other, err = disks.new(host):lock(folder .. "/l", 0.03)
            assert.is_nil(other)
            assert.equal("somebody else is at work", err)
            local waited = host:spawn(function() return subject:lock(folder .. "/l", 5) end)
            host:sleep(0.03)
            lock:release()
            lock:release() -- once more does nothing, also not to the next holder
            local next_lock = assert(waited:wait())
            assert.is_nil(subject:lock(folder .. "/l", 0))
            next_lock:release()
            assert(subject:lock(folder .. "/l", 0)):release()
            assert.is_nil(subject:lock(folder .. "/no/l", 0))
        end)
    end)

    it("exclude other processes, until they end, however they end", function()
        local script = ([[
            local lfs, uv = require("lfs"), require("luv")
            local file = io.open("%s/l", "a+")
            assert(lfs.lock(file, "w"))
            print("locked")
            io.stdout:flush()
            uv.sleep(60000)
        ]]):format(folder)
        within(function()
            local out, told, ended = uv.new_pipe(false), false, false
            local process
            process = uv.spawn("luajit", { args = { "-e", script }, stdio = { nil, out, 2 } },
                function()
                    ended = true
                    process:close()
                end)
            out:read_start(function(_, chunk)
                told = told or chunk ~= nil
                if not chunk then
                    out:close()
                end
            end)
            while not told do
                host:sleep(0.005)
            end
            assert.is_nil(subject:lock(folder .. "/l", 0.03))
            process:kill("sigkill")
            local lock = assert(subject:lock(folder .. "/l", 10))
            while not ended do
                host:sleep(0.005)
            end
            lock:release()
        end)
    end)
end)
