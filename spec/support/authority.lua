--- Certificates for specs, made by `openssl` in a folder that goes with them.

local _M = {}
local Authority = {}
Authority.__index = Authority


local function run(command, ...)
    -- A preloaded sanitizer is meant for the core, not for programs.
    command = "LD_PRELOAD= " .. command:format(...)
    local pipe = io.popen(command .. " 2>&1; echo status $?")
    local output = pipe:read("*a")
    pipe:close()
    assert(output:find("status 0\n$"), command .. ": " .. output)
end


local KEY = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"

--- A folder with an authority, `ca.pem`.
-- @treturn Authority `folder`; `close` removes it
function _M.new()
    local folder = os.tmpname()
    os.remove(folder)
    run("mkdir %s", folder)
    local self = setmetatable({ folder = folder, serial = 16 }, Authority)
    run("openssl req -x509 %s -days 2 -subj /O=Example/CN=ca -keyout %s/ca.key -out %s/ca.pem", KEY,
        folder, folder)
    return self
end


--- The path of a file.
-- @tparam string name
-- @treturn string
function Authority:path(name)
    return self.folder .. "/" .. name
end


--- Issues `<name>.pem` with `<name>.key`.
-- @tparam string name
-- @tparam string san as in openssl.cnf
function Authority:issue(name, san)
    local folder = self.folder
    self.serial = self.serial + 1
    run("openssl req %s -subj /O=Example/CN=%s -keyout %s/%s.key -out %s/%s.csr", KEY, name, folder,
        name, folder, name)
    run("echo 'subjectAltName=%s' > %s/%s.ext", san, folder, name)
    run("openssl x509 -req -in %s/%s.csr -CA %s/ca.pem -CAkey %s/ca.key -set_serial %d -days 1 "
        .. "-extfile %s/%s.ext -out %s/%s.pem", folder, name, folder, folder, self.serial, folder,
        name, folder, name)
end


--- Removes the folder.
function Authority:close()
    run("rm -r %s", self.folder)
end


return _M
