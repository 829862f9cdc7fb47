--- The front in nginx, for specs: an estate in a folder, and an nginx that asks it.

local nginx = require("spec.support.nginx")

local _M = {}


--- An estate of two APIs. `pets` is regional: anybody may read below /live/pets, nobody
-- /live/admin, and addresses of 127.0.0.9 nothing. `notes` is private, behind the endpoint
-- `vpce-1`: addresses of 10.0.0.0/8 may call it.
_M.ESTATE = [[
account "111122223333" region "eu-central-1"
vpc "vpc-1" { cidr = { "10.0.0.0/8", "127.0.0.0/8" } }
endpoint "vpce-1" { service = "execute-api", vpc = "vpc-1" }
api "pets" {
    endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live" },
    policy = "pets.json",
}
api "notes" {
    endpoint_type = "PRIVATE", authorization = "NONE", stages = { "live" },
    policy = "notes.json",
}
]]

_M.PETS = [[
{"Version": "2012-10-17", "Statement": [
 {"Sid": "Readers", "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
  "Resource": ["execute-api:/live/*/pets", "execute-api:/live/*/pets/*",
               "execute-api:/live/*/admin*"]},
 {"Sid": "NoAdmin", "Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke",
  "Resource": "execute-api:/live/*/admin*"},
 {"Sid": "NoBots", "Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke",
  "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.9"}}},
 {"Sid": "NoReferer", "Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke",
  "Resource": "*", "Condition": {"StringLike": {"aws:Referer": "*evil*"}}}
]}
]]

--- The same without the one that reads a header: calls are decided by a plan, but for the first.
_M.PLAIN = _M.PETS:gsub(',\n {"Sid": "NoReferer".-"%*evil%*"}}}', "")

_M.NOTES = [[
{"Version": "2012-10-17", "Statement": [
 {"Sid": "Office", "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
  "Resource": "*", "Condition": {"IpAddress": {"aws:VpcSourceIp": "10.0.0.0/8"}}}
]}
]]

-- What stands in every server block: the variables, and what is behind.
local SERVER = [[
    default_type text/plain;
    access_log $folder/access.log postern;
]]

local DIRECTIVES = [[
    lua_shared_dict postern 2m;
    include $here/nginx/postern.conf;
    log_format postern escape=json '$status $request_uri [$postern_decision] [$postern_reason] '
        '[$postern_sid] [$postern_policy] [$postern_revision] [$postern_us] [$postern_request_id]';
    init_by_lua_block { require("postern.resty").init("$folder/estate.lua", { %s }) }
    init_worker_by_lua_block { require("postern.resty").init_worker() }
    exit_worker_by_lua_block { require("postern.resty").exit_worker() }
    server {
        listen unix:$folder/upstream.sock;
        access_log off;
        location / { content_by_lua_block {
            local names = {}
            for name, value in pairs(ngx.req.get_headers()) do
                names[#names + 1] = name .. "=" .. tostring(value)
            end
            table.sort(names)
            ngx.say("upstream ", ngx.var.request_uri, " ", table.concat(names, " "))
        } }
    }
]]

--- A location that is guarded, for the API `pets` and the stage `live`.
-- @tparam[opt] string more directives of the location
-- @tparam[opt="/"] string path
-- @treturn string
function _M.location(more, path)
    return ([[
    location %s {
        set $postern_api pets;
        set $postern_stage live;
        %s
        access_by_lua_block { require("postern.resty").access() }
        log_by_lua_block { require("postern.resty").log() }
        content_by_lua_block { ngx.say("content ", ngx.var.uri) }
    }
]]):format(path or "/", more or "")
end


--- Writes a file into the folder of an nginx; its old text is never seen half changed.
function _M.write(running, name, text)
    local path = running.folder .. "/" .. name
    local file = assert(io.open(path .. ".new", "wb"))
    file:write(text)
    file:close()
    assert(os.rename(path .. ".new", path))
end


--- Makes one, without starting it.
-- @tparam[opt] table options `estate`, `pets`, `notes` (texts of these files), `files` (name to
-- text), `init` (options of `init`, as Lua text), `server` and `directives` (text of nginx's
-- language; without `server`, one guarded location), and those of `nginx.new`
-- @treturn Nginx
function _M.new(options)
    options = options or {}
    local made = {}
    for name, value in pairs(options) do
        made[name] = value
    end
    made.server = SERVER .. (options.server or _M.location()) .. [[
    location = /-/status { content_by_lua_block { require("postern.resty").status() } }
]]
    made.directives = DIRECTIVES:format("poll = 0.05, follow = 0.02, report = 0.01, "
        .. (options.init or "")) .. (options.directives or "")
    local running = nginx.new(made)
    _M.write(running, "estate.lua", options.estate or _M.ESTATE)
    _M.write(running, "pets.json", options.pets or _M.PETS)
    _M.write(running, "notes.json", options.notes or _M.NOTES)
    for name, text in pairs(options.files or {}) do
        _M.write(running, name, text)
    end
    return running
end


--- Makes one and starts it.
-- @tparam[opt] table options as for `new`
-- @treturn Nginx
function _M.start(options)
    local running = _M.new(options)
    assert(running:run(), "nginx ended: " .. running:log())
    return running
end


--- What `status` says.
-- @tparam Nginx running
-- @treturn table
function _M.state(running)
    return require("cjson").decode(running:ask("/-/status").body)
end


--- Waits until all workers are at one revision that is not the one given.
-- @tparam Nginx running
-- @tparam number workers how many there are
-- @tparam[opt] string revision
-- @treturn string the revision
function _M.wait_for_revision(running, workers, revision)
    local last
    local all = nginx.run_until(function()
        local state = _M.state(running)
        last = state.revision
        local count = 0
        for _, worker in ipairs(state.workers) do
            count = count + (worker.revision == last and 1 or 0)
        end
        return last and last ~= revision and count == workers
    end)
    assert(all, "not all workers came to use it: " .. running:log())
    return last
end


return _M
