--- Running the command and shell lines, for specs of what a person types.

local _M = {}


local BUILD = os.getenv("POSTERN_BUILD") or "build"


--- The checkout's folder.
-- @treturn string
function _M.here()
    local pipe = io.popen("pwd")
    local here = pipe:read("*l")
    pipe:close()
    return here
end


--- The folder that the command and the library were built in.
-- @treturn string
function _M.build()
    return BUILD:sub(1, 1) == "/" and BUILD or _M.here() .. "/" .. BUILD
end


-- What an installed Postern gives without: the command, the modules and the library are found.
local function environment()
    local lua = _M.here() .. "/lua"
    return ('export PATH="%s/spec/support/bin:%s:$PATH" LUA_PATH="%s/?.lua;%s/?/init.lua;;" '
        .. 'LUA_CPATH="%s/?.so;;"\n'):format(_M.here(), _M.build(), lua, lua, _M.build())
end


--- Runs a shell command in a folder.
-- @tparam string command `postern` in it stands for the one that was built, and programs of Lua
-- find the modules
-- @tparam[opt="."] string folder
-- @treturn string all it printed
-- @treturn number exit status
function _M.sh(command, folder)
    -- A preloaded sanitizer is meant for the core and goes on to the command.
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(environment(), ('cd "%s" || exit 99\n'):format(folder or "."), command, "\n")
    file:close()
    local pipe = assert(io.popen("sh " .. path .. " 2>&1; echo \"status $?\""))
    local output = pipe:read("*a")
    pipe:close()
    os.remove(path)
    local status = output:match("status (%d+)\n$")
    return output:gsub("status %d+\n$", ""), tonumber(status)
end


--- Makes a folder with files, calls a function with its path, and removes it again.
-- @tparam table files name to text; a name may have folders in it
-- @tparam function use
function _M.with_files(files, use)
    local folder = os.tmpname()
    os.remove(folder)
    os.execute("mkdir -p " .. folder)
    for name, text in pairs(files) do
        local parent = name:match("^(.*)/")
        if parent then
            os.execute(("mkdir -p %s/%s"):format(folder, parent))
        end
        local file = assert(io.open(folder .. "/" .. name, "wb"))
        file:write(text)
        file:close()
    end
    local ok, err = pcall(use, folder)
    os.execute("rm -r " .. folder)
    if not ok then
        error(err, 0)
    end
end


return _M
