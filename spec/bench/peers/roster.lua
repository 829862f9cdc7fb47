--- The engines that are compared, how each is built and run, and what each does not do.
--
-- What is told of an engine under `differs` stands in the report word by word: it is the one place
-- that says what was not comparable.
local _M = {}


local HERE = "spec/bench/peers/"


local function go(name)
    return {
        tool = "go",
        -- The module's own lock file decides; nothing is looked up anew.
        build = ("cd %s%s && go build -mod=readonly -trimpath -o %%s/%s .")
            :format(HERE, name, name),
        run = function(out, style)
            return { ("%s/%s"):format(out, name), style }
        end,
    }
end


local CEDAR = {
    tool = "cargo",
    build = ("cd %scedar && cargo build --quiet --release --locked --target-dir %%s/cedar")
        :format(HERE),
    run = function(out, style)
        return { out .. "/cedar/release/postern-peer-cedar", style }
    end,
}

local SIMULATE = {
    tool = "npm",
    build = ("mkdir -p %%s/iam-simulate && cp %siam-simulate/*.js* %%s/iam-simulate && "
        .. "cd %%s/iam-simulate && npm ci --silent --ignore-scripts --no-audit --no-fund")
        :format(HERE),
    run = function(out, style)
        return { "node", out .. "/iam-simulate/peer.js", style }
    end,
}

local FROM_C = {
    tool = "cmake",
    build = "cmake --build %s/../.. --target peer_postern",
    run = function(_, _, build)
        return { build .. "/peer_postern" }
    end,
}

local FROM_LUA = {
    tool = "luajit",
    run = function(_, _, build)
        return { "luajit", HERE .. "postern/peer.lua", build }
    end,
}


--- In the order of the report. `styles` are the ways its policies are written: `document` as AWS
-- writes them, `keys` with exact names that the engine can look up, `globs` with patterns.
_M.PEERS = {
    { name = "Postern, from C", folder = "postern", styles = { "document" }, how = FROM_C,
      differs = "The core through its C interface. A request is filled from texts, which are "
        .. "checked to be UTF-8 and copied." },
    { name = "Postern, from Lua", folder = "postern", styles = { "document" }, how = FROM_LUA,
      differs = "The same through `postern.set` and `postern.request` under LuaJIT. An estate "
        .. "does more for each request; `make bench` measures that." },
    { name = "Cedar", folder = "cedar", styles = { "keys", "globs" }, how = CEDAR,
      differs = "Another language: no ARNs, no Principal or Resource elements with patterns, no "
        .. "policy variables. `keys` has the principal and the resource in the scope of each "
        .. "policy (an API is the resource, its stage and method stand in the context); `globs` "
        .. "has `like` and `isInRange` in `when`. There are no entities to walk through and no "
        .. "schema. A decision comes with the policies that decided." },
    { name = "OPA", folder = "opa", styles = { "keys", "globs" }, how = go("opa"),
      differs = "A general language: what a policy document means is spelled out in Rego, a rule "
        .. "for each resource of a statement. `keys` compares with `==`, which the index of rules "
        .. "looks up; `globs` calls `glob.match` with `**`, which it does not. The query is "
        .. "prepared once, compiled patterns are kept, the input is given as terms and not as "
        .. "JSON." },
    { name = "MinIO", folder = "minio", styles = { "document" }, how = go("minio"),
      differs = "Bucket policies, the nearest relative: an API stands as a bucket and the rest of "
        .. "the path as an object, since it knows resources of its own service alone. Letter case "
        .. "of actions, the rules of principals (accounts, sessions, roles) and the colon rule of "
        .. "resources are not there. It stops at the first statement that allows, which on average "
        .. "is in the middle." },
    { name = "Casbin", folder = "casbin", styles = { "keys", "globs" }, how = go("casbin"),
      differs = "Rows and a matcher, a row for each resource and range of a rule: twice as many "
        .. "rows as policies in the family `globs`. `keys` compares with `==`, `globs` by "
        .. "`keyMatch`. It stops at the first row that allows. Its cache of whole requests is off, "
        .. "for it would only look up the answers of 64 requests." },
    { name = "iam-simulate", folder = "iam-simulate", styles = { "document" },
      how = SIMULATE,
      differs = "A simulator for people who debug policies: it takes the policies as objects with "
        .. "every call, validates them each time and explains every statement; there is nothing "
        .. "to prepare. All statements stand in one resource policy. Its entry without validation "
        .. "fails on resource policies in this version." },
}


--- Engines that somebody would look for here, and why they are not.
_M.MISSING = {
    { name = "lua-casbin", reason = "published only on LuaRocks and OPM, which the machine of "
        .. "these figures cannot reach; Casbin in Go stands for it" },
}


--- Which styles are asked a workload: patterns have nothing to say where all names are exact.
-- @tparam table workload
-- @tparam string style
-- @treturn boolean
function _M.takes(workload, style)
    return not (workload.family == "exact" and style == "globs")
end


return _M
