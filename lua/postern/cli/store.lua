--- `postern store`: makes the store of an estate, and goes over one.
--
-- *Dependencies*: postern.host.uv, postern.host.uv_disk, postern.reload, postern.store
--
-- @module postern.cli.store
local hosts = require("postern.host.uv")
local disks = require("postern.host.uv_disk")
local reloads = require("postern.reload")
local stores = require("postern.store")


local _M = {}


local DONE = 0

local EPILOG = [[
Examples:
  postern store create policies
  postern store check estate.lua

An estate says by `store "policies"` which folder holds the policies that are put while it is in
use; docs/store.md has all of it. create makes an empty one; one that is there stays as it is. check
opens an estate with its store, tells what is damaged, and removes what writers left that were
ended in their work.
Exit status: 0 done, 2 error.]]


local function fail(message, ...)
    error({ failure = message:format(...) }, 0)
end


local NAMES = { "create", "check" }

--- Adds the command's arguments.
-- @param command its parser, of argparse
function _M.add(command)
    command:epilog(EPILOG)
    command:argument("task", "What to do."):choices(NAMES)
    command:argument("path", "The folder to create, or the estate to check.")
end


local TASKS = {}


function TASKS.create(path, parts, out)
    local folder = #path > 1 and path:gsub("/+$", "") or path
    local ok, err = stores.create(folder, parts.files)
    if not ok then
        fail("%s", err.message)
    end
    out(("%s: a store"):format(folder))
end


local function count_held(store, kind)
    local count, most = 0, assert(store:list(kind))
    for _, state in ipairs(most) do
        count = count + (state.revision > 0 and 1 or 0)
    end
    return count
end


function TASKS.check(path, parts, out)
    local reload, problems = reloads.new(path, { host = parts.host })
    if not reload then
        fail("%s", tostring(problems))
    end
    local store, err = stores.open({ reload = reload, host = parts.host, files = parts.files })
    if store then
        out(("%s: policies of %d APIs and %d endpoints, revision %s"):format(store.folder,
            count_held(store, "api"), count_held(store, "endpoint"), reload.estate.revision))
    end
    reload:close()
    if not store then
        fail("%s", err.message)
    end
end


--- Runs the command.
-- @tparam table host `out` and `err`, see `main` of `postern.cli`
-- @tparam table options `task` and `path`
-- @treturn number exit status; what goes wrong raises `{failure = message}`
function _M.run(host, options)
    local loop = hosts.new({ log = host.err })
    local parts = { host = loop, files = disks.new(loop) }
    local ok, err = pcall(loop.block, loop, TASKS[options.task], options.path, parts, host.out)
    loop:close()
    if not ok then
        error(err, 0)
    end
    return DONE
end


return _M
