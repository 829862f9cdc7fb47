local core = require("postern.ffi")


-- Loads the module anew with another search path, and gives the error of its `require`.
local function load_error(cpath)
    local old_cpath, old_module = package.cpath, package.loaded["postern.ffi"]
    package.cpath, package.loaded["postern.ffi"] = cpath, nil
    local ok, err = pcall(require, "postern.ffi")
    package.cpath, package.loaded["postern.ffi"] = old_cpath, old_module
    assert(not ok, "it loaded")
    return err
end


-- Builds a library of our own in a folder of its own; nil where there is no compiler.
local function with_library(source, check)
    local folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder) == 0)
    local file = assert(io.open(folder .. "/lib.c", "w"))
    file:write(source)
    file:close()
    local built = os.execute(("cc -shared -fPIC -o %s/libpostern.so %s/lib.c 2>/dev/null")
        :format(folder, folder)) == 0
    if built then
        check(folder)
    end
    os.execute("rm -r " .. folder)
    assert.is_true(built, "the C compiler that built the core is gone")
end


describe("the door to the core", function()
    it("loads a library of its own ABI", function()
        assert.equal(core.lib.postern_abi(), core.abi)
        assert.matches("^%d+%.%d+%.%d+$", core.version)
    end)

    it("can be loaded twice", function()
        local again = assert(loadfile("lua/postern/ffi.lua"))()
        assert.equal(core.version, again.version)
    end)

    it("lists every path it tried", function()
        local err = load_error("/nowhere/?.so;/elsewhere/?/lib.so;/nowhere/?.so")
        if not err:find("cannot load libpostern", 1, true) then
            return -- the library is installed, and the system's loader found it
        end
        assert.matches("/nowhere/libpostern.so: no such file", err, 1, true)
        assert.matches("/elsewhere/libpostern/lib.so: no such file", err, 1, true)
        assert.matches("system loader: ", err, 1, true)
        local _, count = err:gsub("/nowhere/", "")
        assert.equal(1, count)
    end)

    it("names both numbers when the ABI is another", function()
        with_library("unsigned postern_abi(void) { return 4711; }", function(folder)
            local err = load_error(folder .. "/?.so")
            assert.matches(folder .. "/libpostern.so: its ABI is 4711, these Lua modules need ABI "
                .. core.abi, err, 1, true)
        end)
    end)

    it("says so when the library is another one", function()
        with_library("int something_else(void) { return 0; }", function(folder)
            assert.matches("not the postern library", load_error(folder .. "/?.so"), 1, true)
        end)
    end)

    it("says why a library that is there does not load", function()
        local path = os.tmpname()
        local err = load_error(path)
        os.remove(path)
        assert.matches(path .. ":", err, 1, true)
        assert.not_matches(path .. ": no such file", err, 1, true)
    end)

    it("opens the HTTP library when it is asked for", function()
        assert.equal(core.http().POSTERN_HTTP_ABI, core.http().postern_http_abi())
    end)

    it("says which library is missing, once it is needed", function()
        local folder = os.tmpname()
        os.remove(folder)
        assert(os.execute("mkdir " .. folder) == 0)
        local here = assert(io.popen("pwd")):read("*l")
        assert(os.execute(("ln -s %s/%s %s/libpostern.so")
            :format(here, core.path, folder)) == 0)
        local old = package.cpath
        package.cpath = folder .. "/?.so"
        local again = assert(loadfile("lua/postern/ffi.lua"))()
        local ok, err = pcall(again.http)
        package.cpath = old
        os.execute("rm -r " .. folder)
        local tried = folder .. "/libpostern_http.so: no such file"
        assert.is_true(ok or err:find(tried, 1, true) ~= nil)
    end)

    it("reads enum names", function()
        assert.equal("ok", core.names("status")[0])
        assert.equal("Allowed", core.names("outcome")[core.lib.POSTERN_ALLOWED])
        assert.equal("direct", core.names("match")[core.lib.POSTERN_MATCH_DIRECT])
        assert.equal("resource", core.names("policy_type")[core.lib.POSTERN_RESOURCE])
        assert.equal("principal", core.names("element")[core.lib.POSTERN_ELEMENT_PRINCIPAL])
    end)

    it("writes failures with a place only when there is one", function()
        assert.equal("p.json:3:4: no", tostring(core.failure("p.json",
            { line = 3, column = 4, message = "no", status = 2 })))
        local failure = core.failure("p.json", { message = "no", status = 2 })
        assert.equal("p.json: no", "" .. failure)
        assert.equal("syntax", failure.status)
    end)
end)
