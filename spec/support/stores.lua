--- An estate with a store, in a folder of its own, for specs of the store.

local hosts = require("postern.host.uv")
local disks = require("postern.host.uv_disk")
local reloads = require("postern.reload")
local stores = require("postern.store")
local lfs = require("lfs")

local _M = {}
local Fixture = {}
Fixture.__index = Fixture


--- The ARN of the API `a1` of the estate.
_M.ARN = "arn:aws:execute-api:eu-central-1:111122223333:a1"

_M.ESTATE = [[
account "111122223333" region "eu-central-1"
store "policies"
vpc "vpc-1" { cidr = "10.0.0.0/16" }
endpoint "vpce-1" { service = "execute-api", vpc = "vpc-1", policy = "endpoint.json" }
endpoint "vpce-2" { service = "execute-api", vpc = "vpc-1" }
api "a1" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live" },
           policy = "api.json" }
api "p1" { endpoint_type = "PRIVATE", authorization = "NONE", stages = { "live" } }
]]


--- The policy of an API that lets everybody do one thing.
-- @tparam string sid
-- @tparam[opt] string resource
-- @treturn string
function _M.policy(sid, resource)
    return ([[{ "Version": "2012-10-17", "Statement": [
    { "Sid": "%s", "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
      "Resource": "%s" } ] }]]):format(sid, resource or "execute-api:/*")
end


--- The policy of an endpoint.
-- @tparam string sid
-- @tparam[opt] string effect
-- @treturn string
function _M.endpoint_policy(sid, effect)
    return ([[{ "Statement": [ { "Sid": "%s", "Effect": "%s", "Principal": "*",
    "Action": "execute-api:Invoke", "Resource": "*" } ] }]]):format(sid, effect or "Allow")
end


--- Makes the folder, the estate and an empty store; nothing is opened.
-- @tparam[opt] string estate its text
-- @treturn Fixture `folder`, `host`, `files`, `logged`
function _M.new(estate)
    local self = setmetatable({ logged = {} }, Fixture)
    self.folder = os.tmpname()
    os.remove(self.folder)
    assert(lfs.mkdir(self.folder))
    self.host = hosts.new({ log = function(line) self.logged[#self.logged + 1] = line end })
    self.files = disks.new(self.host)
    self:write("estate.lua", estate or _M.ESTATE)
    self:write("api.json", _M.policy("FromFile"))
    self:write("endpoint.json", _M.endpoint_policy("FromFile"))
    self:within(function()
        assert(stores.create(self.folder .. "/policies", self.files))
    end)
    return self
end


--- Writes a file of the estate.
function Fixture:write(name, text)
    local file = assert(io.open(self.folder .. "/" .. name, "wb"))
    file:write(text)
    file:close()
end


--- Reads one; nil when it is not there.
function Fixture:read(name)
    local file = io.open(self.folder .. "/" .. name, "rb")
    local text = file and file:read("*a")
    if file then
        file:close()
    end
    return text
end


--- The names in the store's folder, sorted, without the lock.
-- @treturn {string,...}
function Fixture:names()
    local found = {}
    for name in lfs.dir(self.folder .. "/policies") do
        if name ~= "." and name ~= ".." and name ~= ".lock" then
            found[#found + 1] = name
        end
    end
    table.sort(found)
    return found
end


--- Runs a function in a task of the host. A bug in it fails and does not hang.
-- @tparam function fn
-- @tparam[opt=30] number seconds
function Fixture:within(fn, seconds)
    local ok, err = self.host:block(function()
        return self.host:timeout(seconds or 30, function()
            fn()
            return true
        end)
    end)
    assert(ok, err)
end


--- Opens estate and store, in a task.
-- @tparam[opt] table options of the store
-- @treturn Store|nil
-- @return why not
function Fixture:open(options)
    local all = { host = self.host, files = self.files }
    for name, value in pairs(options or {}) do
        all[name] = value
    end
    local err
    self.reload, err = reloads.new(self.folder .. "/estate.lua", {
        host = self.host, debounce = 0.01, poll = 60,
    })
    if not self.reload then
        return nil, err
    end
    all.reload = self.reload
    return stores.open(all)
end


--- Ends all of it, and removes the folder.
function Fixture:close()
    if self.reload then
        self.reload:close()
    end
    self.host:close()
    assert(self.folder:find("^/tmp/"))
    for _, folder in ipairs({ self.folder .. "/policies", self.folder }) do
        for name in lfs.dir(folder) do
            os.remove(folder .. "/" .. name)
        end
        os.remove(folder)
    end
end


return _M
