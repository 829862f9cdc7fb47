--- Puts policies until it is killed, as a process of its own.
--
-- `luajit spec/support/store_writer.lua FOLDER KIND ID FIRST [AT HALF]`: numbered policies from
-- FIRST on; for an API each is deployed as well. Before each it prints `try N`, and `ack N` when it
-- was answered. AT: it kills itself at that operation on files, HALF: in the middle of a write.

local folder, kind, id, first, at, half = unpack(arg)

package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path
package.cpath = ("./%s/?.so;"):format(os.getenv("POSTERN_BUILD") or "build") .. package.cpath

local uv = require("luv")
local hosts = require("postern.host.uv")
local disks = require("postern.host.uv_disk")
local reloads = require("postern.reload")
local stores = require("postern.store")
local faulty = require("spec.support.faulty_files")
local fixtures = require("spec.support.stores")


local host = hosts.new({ log = function() end })

local files = faulty.new(disks.new(host), {
    at = tonumber(at), half = half == "half",
    fault = function() uv.kill(uv.os_getpid(), "sigkill") end,
})


local function say(...)
    io.stdout:write(table.concat({ ... }, " "), "\n")
    io.stdout:flush()
end


local function put(store, number)
    local text = kind == "api" and fixtures.policy("W" .. number)
        or fixtures.endpoint_policy("W" .. number)
    assert(store:put(kind, id, text, { if_match = store:get(kind, id).revision }))
    if kind == "api" then
        assert(store:deploy(kind, id, { if_match = "*" }))
    end
end


host:block(function()
    local reload = assert(reloads.new(folder .. "/estate.lua", { host = host }))
    local store = assert(stores.open({ reload = reload, host = host, files = files, keep = 10 }))
    say("open")
    local number = tonumber(first)
    while true do
        say("try", number)
        put(store, number)
        say("ack", number, files.count)
        number = number + 1
    end
end)
