-- What somebody else knows of a request: condition keys from the JSON answer of an HTTP service.
--
-- Keys: `ext:NAME` for each NAME in the option `keys`. The pack is lazy: the service is only asked
-- when a decision depends on one of them, and one answer serves them all.
--
-- Options: `url` (`http://` or `http+unix://`); `keys`, a table from NAME to a member of the
-- answer, `plan` or, inside an object, `account.plan`; `send`, the members of the JSON object that
-- the service gets, a list of `principal`, `account`, `api`, `stage`, `method`, `path`,
-- `client_ip` and `header NAME`, the first seven of them when not said; `method`, `POST` or `PUT`;
-- `headers`, sent along, such as a token for the service; `cache_seconds`, how long an answer is
-- kept for requests that send the same, 0 when not said; `max_bytes` of an answer, 65536 when not
-- said.
--
-- A member of the answer that is missing or null is an absent key. Everything else that is no
-- answer fails: no connection, no time, another status than 200, no JSON, a member that is an
-- object. How long to wait, how many at once and when to stop asking is in `limits`.

local OPTIONS = {
    url = "string", keys = "table", send = "table", method = "string", headers = "table",
    cache_seconds = "number", max_bytes = "number",
}

local METHODS = { POST = true, PUT = true }
local SEND = { "principal", "account", "api", "stage", "method", "path", "client_ip" }
local MAX_BYTES = 64 * 1024

local TIMEOUT = 0.5

-- Answers that are kept, twice as many at most: when so many are new, the older ones go.
local KEPT = 1024

-- Integers up to here are the number that was written.
local LARGEST = 2 ^ 53


-- ---- What is sent ------------------------------------------------------------


local SOURCES = {
    principal = function(context) return context.principal and context.principal.arn end,
    account = function(context) return context.principal and context.principal.account end,
    api = function(context) return context.api and context.api.id end,
    stage = function(context) return context.stage end,
    method = function(context) return context.http and context.http.method end,
    path = function(context) return context.http and context.http.path end,
    client_ip = function(context) return context.client_ip or context.peer end,
}


local function header_name(text)
    local name = tostring(text):match("^header ([!-~]+)$")
    return name and name:lower()
end


local function source_of(text)
    local header = header_name(text)
    if not header then
        return SOURCES[text]
    end
    return function(context)
        local headers = context.http and context.http.headers
        local values = headers and headers[header]
        return values and values[1] and table.concat(values, ", ")
    end
end


-- The members in the order of `send`, so that the same request is the same text. What is not known
-- is left out.
local function body_of(state, context, tools)
    local members = {}
    for _, entry in ipairs(state.send) do
        local value = entry.source(context)
        if value ~= nil then
            local text, err = tools.json_encode(tostring(value))
            if not text then
                return nil, ("`%s` cannot be sent: %s"):format(entry.name, err)
            end
            members[#members + 1] = ('"%s":%s'):format(entry.name, text)
        end
    end
    return "{" .. table.concat(members, ",") .. "}"
end


-- ---- The answer --------------------------------------------------------------


local function ask(state, body, config, tools)
    local limits = tools.limits or {}
    local answer, err = tools.http({
        url = config.url, method = config.method or "POST", headers = state.headers, body = body,
        timeout = limits.timeout or TIMEOUT, max_bytes = state.max_bytes,
    })
    if not answer then
        return nil, err or "no answer"
    elseif answer.status ~= 200 then
        return nil, ("the status is %s"):format(tostring(answer.status))
    elseif #(answer.body or "") > state.max_bytes then
        return nil, ("the answer has more than %d bytes"):format(state.max_bytes)
    end
    local value = tools.json_decode(answer.body or "")
    if type(value) ~= "table" or value[1] ~= nil then
        return nil, "the answer is no JSON object"
    end
    return value
end


-- Two generations: what is asked for stays, and what is not goes when it is old.
local function keep(state, body, answer, now, seconds)
    if state.count >= KEPT then
        state.old, state.young, state.count = state.young, {}, 0
    end
    if not state.young[body] then
        state.count = state.count + 1
    end
    state.young[body] = { answer = answer, since = now, expires = now + seconds }
end


-- A clock that was set back must not lengthen a life.
local function kept(state, body, now)
    local entry = state.young[body] or state.old[body]
    if entry and now < entry.expires and now >= entry.since then
        return entry.answer
    end
    return nil
end


-- The answer for a request: of this decision, of an earlier one, or from the service.
local function answer_for(context, config, tools)
    local state = tools.state
    -- The keys of a decision are asked one after the other, so the last answer is enough. Each
    -- decision has a context of its own, whereas a caller may use its request again for another.
    if state.last_context == context then
        return state.last_answer
    end
    local body, answer, err
    body, err = body_of(state, context, tools)
    if not body then
        return nil, err
    end
    answer = kept(state, body, tools.now())
    if not answer then
        answer, err = ask(state, body, config, tools)
        if not answer then
            return nil, err
        elseif (config.cache_seconds or 0) > 0 then
            keep(state, body, answer, tools.now(), config.cache_seconds)
        end
    end
    state.last_context, state.last_answer = context, answer
    return answer
end


local function is_scalar(value)
    if type(value) == "number" then
        return value % 1 ~= 0 or math.abs(value) <= LARGEST
    end
    return type(value) == "string" or type(value) == "boolean"
end


-- A value, nil when there is none, or nil and what is wrong with it.
local function checked(value)
    if type(value) == "userdata" or value == nil then
        return nil -- null
    elseif is_scalar(value) then
        return value
    elseif type(value) ~= "table" then
        return nil, "is no value"
    end
    local count = 0
    for _, item in pairs(value) do
        count = count + 1
        if value[count] == nil or not is_scalar(item) then
            return nil, "is neither a text, a number, a boolean nor a list of them"
        end
    end
    return count > 0 and value or nil
end


local function member_at(answer, path)
    local value = answer
    for _, name in ipairs(path) do
        if type(value) ~= "table" then
            return nil
        end
        value = value[name]
    end
    return value
end


local function external(context, name, config, tools)
    local path = tools.state.paths[name]
    if not path then
        return nil, ("`%s` is not in `keys`: name it in the estate"):format(name)
    end
    local answer, err = answer_for(context, config, tools)
    if not answer then
        return nil, ("%s: %s"):format(config.url, err)
    end
    local value, wrong = checked(member_at(answer, path))
    if wrong then
        return nil, ("%s: the member `%s` %s"):format(config.url, table.concat(path, "."), wrong)
    end
    return value
end


-- ---- The configuration -----------------------------------------------------


local function check_options(config)
    for name, value in pairs(config) do
        if not OPTIONS[name] then
            return nil, ("unknown option `%s`: there are `cache_seconds`, `headers`, `keys`, "
                .. "`max_bytes`, `method`, `send`, `url`"):format(tostring(name))
        elseif type(value) ~= OPTIONS[name] then
            return nil, ("`%s` is a %s: make it a %s"):format(name, type(value), OPTIONS[name])
        end
    end
    if not (config.url or ""):find("^http://[^%s]+$")
        and not (config.url or ""):find("^http%+unix:///[^%s]+$") then
        return nil, "`url`: give one such as `http://127.0.0.1:8181/plan` or "
            .. "`http+unix:///run/plan.sock:/plan`"
    elseif config.method and not METHODS[config.method] then
        return nil, ("`method`: `%s` sends nothing: give `POST` or `PUT`"):format(config.method)
    elseif not ((config.cache_seconds or 0) >= 0 and (config.cache_seconds or 0) < math.huge) then
        return nil, "`cache_seconds`: give 0 or more"
    elseif not ((config.max_bytes or 1) >= 1 and (config.max_bytes or 1) < math.huge) then
        return nil, "`max_bytes`: give 1 or more"
    end
    return true
end


local function read_keys(keys)
    local paths = {}
    for name, member in pairs(keys or {}) do
        if type(name) ~= "string" or not name:find("^[%w_./-]+$") or type(member) ~= "string"
            or not member:find("^[^.]") or member:find("..", 1, true) or member:find("%.$") then
            return nil, ("`keys`: `%s`: give a table from names to members, such as "
                .. "`Plan = \"account.plan\"`"):format(tostring(name))
        elseif paths[name:lower()] then
            return nil, ("`keys`: `%s` is there twice in different letter case"):format(name)
        end
        local path = {}
        for part in member:gmatch("[^.]+") do
            path[#path + 1] = part
        end
        paths[name:lower()] = path
    end
    if not next(paths) then
        return nil, "`keys`: give a table from names to members of the answer"
    end
    return paths
end


local function read_send(list)
    local send, seen = {}, {}
    for i, text in ipairs(list or SEND) do
        local source = source_of(text)
        local name = tostring(text):lower()
        if not source then
            return nil, ("`send`: unknown `%s`: there are `%s`, `header NAME`")
                :format(tostring(text), table.concat(SEND, "`, `"))
        elseif seen[name] then
            return nil, ("`send`: `%s` is there twice: leave one out"):format(name)
        end
        send[i], seen[name] = { name = name, source = source }, true
    end
    return send
end


local function read_headers(list)
    local headers = { ["content-type"] = "application/json" }
    for name, value in pairs(list or {}) do
        if type(name) ~= "string" or not name:find("^[%w_-]+$") or type(value) ~= "string"
            or value:find("%c") then
            return nil, ("`headers`: `%s`: give a table from names to texts"):format(tostring(name))
        end
        headers[name:lower()] = value
    end
    return headers
end


local function read(config)
    local ok, err = check_options(config)
    local paths, send, headers
    if ok then
        paths, err = read_keys(config.keys)
    end
    if paths then
        send, err = read_send(config.send)
    end
    if send then
        headers, err = read_headers(config.headers)
    end
    if not headers then
        return nil, err
    end
    return {
        paths = paths, send = send, headers = headers, max_bytes = config.max_bytes or MAX_BYTES,
        young = {}, old = {}, count = 0,
    }
end


local function check(config)
    local state, err = read(config)
    return state and true, err
end


return {
    kind = "keys",
    name = "external",
    api = 1,
    lazy = true,
    check = check,
    start = read,
    limits = { timeout = 0.5, concurrency = 64, failures = 5, pause = 10, open = "deny" },
    keys = {},
    prefixes = { ["ext:"] = external },
}
