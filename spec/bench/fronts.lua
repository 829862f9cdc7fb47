--- How nginx is told to ask Postern, and how it is asked at once: for the benchmarks of nginx.
local estates = require("spec.bench.estates")

local _M = {}


-- What stands in http and in a location, for each way. `following`: the estate's files will change,
-- and soon; else nobody looks at them while times are taken.
local FRONTS = {
    direct = {
        http = [[
            init_by_lua_block { require("spec.bench.direct").init("%s") }]],
        following = [[
            init_by_lua_block { require("spec.bench.direct").init("%s") }
            init_worker_by_lua_block { require("spec.bench.direct").init_worker(ngx) }]],
        location = 'access_by_lua_block { require("spec.bench.direct").access(ngx) }',
    },
    postern = {
        http = [[
            lua_shared_dict postern 10m;
            init_by_lua_block { require("postern.resty").init("%s") }
            init_worker_by_lua_block { require("postern.resty").init_worker() }]],
        following = [[
            lua_shared_dict postern 10m;
            init_by_lua_block {
                require("postern.resty").init("%s", { poll = 0.02, follow = 0.02 })
            }
            init_worker_by_lua_block { require("postern.resty").init_worker() }]],
        location = [[
            access_by_lua_block { require("postern.resty").access() }
            log_by_lua_block { require("postern.resty").log() }]],
    },
}


if not package.searchpath("postern.resty", package.path) then
    FRONTS.postern = nil -- this checkout has no front: what can be measured is
end


--- The ways there are: `postern`, the front, and `direct`, nothing but `authorize`.
-- @treturn {string,...}
function _M.names()
    local names = {}
    for name in pairs(FRONTS) do
        names[#names + 1] = name
    end
    table.sort(names)
    return names
end


--- What stands in the http block.
-- @tparam string name
-- @tparam string estate its path
-- @tparam[opt] boolean following whether the estate's files will change
-- @treturn string
function _M.http(name, estate, following)
    return (FRONTS[name][following and "following" or "http"]:format(estate))
end


--- A location for each of the seed's endpoints, and whatever else is in the list.
-- @tparam string name
-- @tparam {table,...} list see `SEED` of `spec.bench.estates`
-- @tparam string content what answers
-- @treturn string
function _M.locations(name, list, content)
    local locations = {}
    for _, each in ipairs(list) do
        locations[#locations + 1] = ([[location %s { set $postern_api %s; set $postern_stage live;
            set $postern_vpce %s; %s %s }]]):format(each.path, each.api or estates.SEED_API,
            each.vpce, FRONTS[name].location, content)
    end
    return table.concat(locations, "\n")
end


--- One location for many APIs. The API of a request is told in a header, for 2,500 locations would
-- measure how nginx finds one.
-- @tparam string name
-- @tparam string content
-- @treturn string
function _M.location(name, content)
    return _M.locations(name, { { path = "/", api = "$http_x_api", vpce = estates.MANY_VPCE } },
        content)
end


return _M
