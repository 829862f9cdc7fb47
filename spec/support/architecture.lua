--- Which file may use which, checked over source text.
--
-- Every check takes a name and a text and returns a list of complaints, empty when all is well, so
-- that it can be tried on bad samples as on the real files.

local _M = {}


--- The core, in dependency order: a file includes itself and what stands before it.
_M.CORE = {
    "alloc", "error", "span", "word", "known", "block", "utf8", "glob", "gram", "index", "places",
    "filing", "address", "simd", "lanes", "site", "packed", "interval", "blocks", "buckets", "cidr",
    "pages", "matcher", "scalar", "document", "reader", "arn", "symbol", "value", "template",
    "operators", "condition", "principal", "policy", "set", "sharing", "directory", "compile",
    "builder", "request", "evaluate", "question", "entry", "path", "explain",
}

--- The Lua modules, in dependency order.
_M.LUA = {
    "ffi", "document", "glob", "cidr", "crypto", "clock", "mmdb", "http", "json", "sockets",
    "tls", "tls_stream", "semaphore", "guard", "client", "task", "watch", "work",
    "host/options", "host/uv_loop", "host/uv_socket", "host/uv_file", "host/uv_disk", "host/uv",
    "host/uv_listener", "host/uv_worker", "host/uv_processes", "host/plain",
    "host/resty_socket", "host/resty_file", "host/resty", "config", "words", "context", "path",
    "cache", "network", "set", "set_store", "apis", "request", "entry", "decision",
    "endpoint_services",
    "endpoint_policy", "endpoint", "environment", "budget", "frozen", "rules", "packs", "tools",
    "runner", "keys", "hooks", "services", "identities", "scripts", "loader", "flow",
    "question", "plan", "engine", "store/record", "store/held", "estate", "reload",
    "store/failure", "store/view", "store/short_form", "store/durable", "store/trial",
    "store/sweep", "store", "protocol/operators", "protocol/admin", "cases", "accept", "answer",
    "metrics/exposition", "metrics/family", "metrics/merge", "metrics/store", "metrics",
    "traceparent", "audit/plain", "audit/mask", "audit/event", "audit/line", "audit/shipper",
    "audit", "response", "message", "connection", "connections", "telemetry", "routes",
    "protocol/operator", "protocol/options", "protocol/message", "protocol/peers",
    "settings/say", "settings/listener", "settings/admin", "settings", "protocol/mapping",
    "protocol/call", "protocol/plain", "protocol/native", "protocol/verdict", "protocol/origin",
    "protocol/forward", "protocol/ext_authz", "protocol/opa", "protocol/catalogue",
    "protocol/entities", "protocol/search", "protocol/authzen", "protocols", "endpoints",
    "server", "resty/options", "resty/lint", "resty/reports", "resty/board", "resty/master",
    "resty/call", "resty/reply", "resty/marks", "resty/tally", "resty/follower", "resty",
    "init", "parts", "coverage", "mutants", "testing/fakes", "testing", "testing/files",
    "testing/specs", "testing/mutation", "testing/suite", "testing/junit", "cli/test",
    "cli/store", "cli/serve", "cli",
}

-- The only ones that may know their host.
local HOSTS = { server = true, resty = true }

local function is_host(name)
    -- The parts of the front in nginx are of one noun too many for one file.
    return HOSTS[name] or name:find("^host/") ~= nil or name:find("^resty/") ~= nil
end


local function places(order)
    local place = {}
    for i, name in ipairs(order) do
        place[name] = i
    end
    return place
end

local CORE_PLACE, LUA_PLACE = places(_M.CORE), places(_M.LUA)


-- A rank check shared by both languages: `name` uses `used`.
local function check_order(name, used, place)
    if not place[name] then
        return ("%s is not in the dependency order: give it its place"):format(name)
    elseif not place[used] then
        return ("%s uses %s, which is not in the dependency order"):format(name, used)
    elseif place[used] > place[name] then
        return ("%s uses %s, which stands after it"):format(name, used)
    end
end


local function strip_c_comments(text)
    return (text:gsub("/%*.-%*/", " "):gsub("//[^\n]*", " "))
end


--- Checks the quoted includes of one core source.
-- @tparam string name `glob.c` or `glob.h`
-- @tparam string text
function _M.check_includes(name, text)
    local complaints = {}
    local noun = name:gsub("%.[ch]$", "")
    complaints[1] = check_order(noun, noun, CORE_PLACE)
    for included in strip_c_comments(text):gmatch('#%s*include%s*"([^"]+)"') do
        if included ~= "postern.h" then
            complaints[#complaints + 1] = check_order(noun, included:gsub("%.h$", ""), CORE_PLACE)
        end
    end
    return complaints
end


--- Removes comments from Lua source; strings stay.
-- @tparam string text
-- @treturn string
function _M.strip_lua_comments(text)
    local out, at = {}, 1
    while at <= #text do
        local from = text:find("[-\"'%[]", at)
        if not from then
            break
        end
        out[#out + 1] = text:sub(at, from - 1)
        local comment = text:match("^%-%-", from)
        local _, last = text:find("^%[(=*)%[.-%]%1%]", comment and from + 2 or from)
        if not last and comment then
            last = (text:find("\n", from, true) or #text + 1) - 1
        elseif not last then
            local quote = text:match("^[\"']", from)
            last = from
            while quote do
                last = text:find("[\\\n" .. quote .. "]", last + 1) or #text
                if text:sub(last, last) ~= "\\" then
                    break
                end
                last = last + 1
            end
        end
        if not comment then
            out[#out + 1] = text:sub(from, last)
        end
        at = last + 1
    end
    out[#out + 1] = text:sub(at)
    return table.concat(out)
end


local function has_word(text, word)
    return text:find("%f[%w_]" .. word .. "%f[^%w_]") ~= nil
end


-- The modules named by require("x"), require "x" and pcall(require, "x"), and whether there are
-- others whose name is not a plain string.
local function required_modules(text)
    local modules, count, named = {}, 0, 0
    for _ in text:gmatch("%f[%w_]require%f[^%w_]") do
        count = count + 1
    end
    for module, glue in text:gmatch("%f[%w_]require%s*[%(,]?%s*[\"']([^\"']+)[\"']%s*(%.?%.?)") do
        if glue ~= ".." then
            named = named + 1
            modules[#modules + 1] = module
        end
    end
    return modules, count > named
end


-- `postern.host.plain` as the list spells it; nil for a module that is not ours.
local function own_module(module)
    if module == "postern" then
        return "init"
    end
    local name = module:match("^postern%.(.+)$")
    return name and (name:gsub("%.", "/"))
end


-- The modules a header's line `*Dependencies*: postern.a, postern.b` or `none` lists. The line may
-- go on until the next empty comment line.
local function declared_modules(text)
    local line = text:match("%-%-%s*%*Dependencies%*:(.-)\n%-%-[ \t]*\n")
    if not line then
        return nil
    end
    local declared = {}
    for module in line:gmatch("postern%.[%w_.]*[%w_]") do
        declared[module] = true
    end
    return declared
end


local function check_declared(name, text, used)
    local complaints = {}
    local declared = declared_modules(text)
    if not declared then
        return { name .. " has no line `*Dependencies*:` in its header" }
    end
    for module in pairs(used) do
        if not declared[module] then
            complaints[#complaints + 1] = ("%s requires %s but its header does not list it")
                :format(name, module)
        end
    end
    for module in pairs(declared) do
        if not used[module] then
            complaints[#complaints + 1] = ("%s lists %s in its header but does not require it")
                :format(name, module)
        end
    end
    return complaints
end


--- Checks what one Lua module requires.
-- @tparam string name `set` or `host/plain`
-- @tparam string text
function _M.check_requires(name, text)
    local complaints, used = {}, {}
    complaints[1] = check_order(name, name, LUA_PLACE)
    local modules, computed = required_modules(_M.strip_lua_comments(text))
    if computed then
        complaints[#complaints + 1] = name .. " requires a module whose name nobody can read here"
    end
    for _, module in ipairs(modules) do
        local own = own_module(module)
        if own then
            used[module] = true
            complaints[#complaints + 1] = check_order(name, own, LUA_PLACE)
        end
    end
    for _, complaint in ipairs(check_declared(name, text, used)) do
        complaints[#complaints + 1] = complaint
    end
    return complaints
end


--- Checks that one Lua module stays behind the FFI door and away from the hosts.
-- @tparam string name
-- @tparam string text
function _M.check_doors(name, text)
    local complaints = {}
    local code = _M.strip_lua_comments(text)
    if name ~= "ffi" then
        if has_word(code, "cdef") then
            complaints[#complaints + 1] = name .. " declares C: only ffi may"
        end
        if code:find("%f[%w_]ffi%s*%.%s*load%f[^%w_]") then
            complaints[#complaints + 1] = name .. " loads a C library: only ffi may"
        end
    end
    for _, host in ipairs({ "ngx", "luv" }) do
        if not is_host(name) and has_word(code, host) then
            complaints[#complaints + 1] = ("%s mentions %s: only a host may"):format(name, host)
        end
    end
    return complaints
end


--- Checks that a rule pack needs nobody.
-- @tparam string name
-- @tparam string text
function _M.check_pack(name, text)
    local complaints = {}
    local code = _M.strip_lua_comments(text)
    for _, word in ipairs({ "require", "ffi", "ngx", "luv", "dofile", "loadfile" }) do
        if has_word(code, word) then
            complaints[#complaints + 1] = ("%s mentions %s: a pack is handed what it needs")
                :format(name, word)
        end
    end
    return complaints
end


-- Where the test of each kind of source stands.
local TWINS = {
    { "^core/src/(.+)%.c$", "core/tests/test_%s.c" },
    { "^http/src/(.+)%.c$", "http/tests/test_%s.c" },
    { "^tls/src/(.+)%.c$", "tls/tests/test_%s.c" },
    { "^bridge/src/(.+)%.c$", "spec/%s_spec.lua" },
    { "^lua/postern/(.+)%.lua$", "spec/postern/%s_spec.lua" },
    { "^rules/(.+)%.lua$", "spec/rules/%s_spec.lua" },
    { "^adapters/apisix/(.+)%.lua$", "spec/adapters/apisix/%s_spec.lua" },
    { "^adapters/kong/kong/plugins/postern/(.+)%.lua$", "spec/adapters/kong/%s_spec.lua" },
}

--- The path of the test a source must have.
-- @tparam string path
-- @treturn string|nil nil when it needs none
function _M.twin(path)
    for _, rule in ipairs(TWINS) do
        local noun = path:match(rule[1])
        if noun then
            return rule[2]:format(noun)
        end
    end
    return nil
end


--- The nouns that CMake builds and tests, in its order.
-- @tparam string text of CMakeLists.txt
function _M.cmake_nouns(text)
    local nouns = {}
    for noun in (text:match("set%(POSTERN_NOUNS([^)]*)%)") or ""):gmatch("%S+") do
        nouns[#nouns + 1] = noun
    end
    return nouns
end


return _M
