--- How nginx is told to ask Postern, and how it is asked at once: for the benchmarks of nginx.
local estates = require("spec.bench.estates")

local _M = {}


-- What is done for each of the seed's endpoints in `init_by_lua`.
local function places()
    local lines = {}
    for i, each in ipairs(estates.SEED) do
        lines[i] = ("place_%d = postern.place { api = %q, stage = 'live', vpce = %q }"):format(i,
            estates.SEED_API, each.vpce)
    end
    return table.concat(lines, "\n")
end


-- What stands in http and in a location, for each way: `postern` has its settings from variables,
-- `place` from a place, which is the form that is recommended. `following`: the estate's files will
-- change, and soon; else nobody looks at them while times are taken.
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
    place = {
        http = [[
            lua_shared_dict postern 10m;
            init_by_lua_block {
                postern = require("postern.resty")
                postern.init("%s")
                ]] .. places() .. [[ }
            init_worker_by_lua_block { postern.init_worker() }]],
        location = [[
            access_by_lua_block { postern.access(place_$place) }
            log_by_lua_block { postern.log() }]],
    },
}

--- What stands in the http block where requests are logged; it names variables of the front, and is
-- the same in every nginx that is compared.
_M.LOGGED = ([[
    include %s/nginx/postern.conf;
    log_format told '$remote_addr [$time_local] $status $postern_decision $postern_reason '
        '$postern_sid $postern_policy $postern_revision $postern_us';
]]):format(require("luv").cwd())


--- What stands in the server block for it: in the http block nothing is logged for good.
_M.LOG = "access_log /dev/null told buffer=64k;"


if not package.searchpath("postern.resty", package.path) then
    FRONTS.postern, FRONTS.place = nil, nil -- without a front what can be measured is
end


--- The ways there are: `postern` and `place`, the front, and `direct`, nothing but `authorize`.
-- @tparam[opt] boolean following only those for an estate whose files will change
-- @treturn {string,...}
function _M.names(following)
    local names = {}
    for name, front in pairs(FRONTS) do
        names[#names + 1] = (front.following or not following) and name or nil
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
    for i, each in ipairs(list) do
        local set = name == "place" and "" or ([[set $postern_api %s; set $postern_stage live;
            set $postern_vpce %s;]]):format(each.api or estates.SEED_API, each.vpce)
        locations[i] = ("location %s { %s %s %s }"):format(each.path, set,
            (FRONTS[name].location:gsub("%$place", i)), content)
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
