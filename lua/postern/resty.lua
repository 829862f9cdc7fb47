--- The front in nginx: requests are decided where they come in.
--
--     init_by_lua_block {
--         postern = require("postern.resty")
--         postern.init("/etc/postern/estate.lua")
--         orders = postern.place { api = "a1b2c3d4e5", stage = "live" }
--     }
--     init_worker_by_lua_block { postern.init_worker() }
--     location / {
--         access_by_lua_block { postern.access(orders) }
--         log_by_lua_block    { postern.log() }
--     }
--
-- A place is checked once, when nginx starts, and costs a request nothing. Settings may also be
-- handed to `access` as a table, or set as variables.
--
-- The master opens the estate to find what is wrong with it, and leaves what it read to the
-- workers: files, timers and connections would not survive being forked. Each worker opens it for
-- itself; `postern.resty.follower` says how they come to use the same one.
--
-- A request passes only where a decision allows it, or in a dry run. Every other way through this
-- module ends in a refusal: a failure of ours is answered by the status that was configured.
--
-- *Dependencies*: postern.resty.options, postern.resty.reports, postern.resty.board, and, when they
-- are needed, so that a library that is missing can be told: postern.resty.lint,
-- postern.resty.master,
-- postern.answer, postern.metrics, postern.host.resty, postern.resty.call, postern.resty.reply,
-- postern.resty.marks, postern.resty.tally, postern.resty.follower
--
-- @module postern.resty
local ffi = require("ffi")
local settings = require("postern.resty.options")
local reporters = require("postern.resty.reports")
local boards = require("postern.resty.board")


-- The version of the whole, in the form in which `opm build` looks for it.
local _M = { _VERSION = "0.1.0" }


-- The one of this nginx: options, path, board, reports; in a worker also follower, host, reply and
-- what the estate needs.
local front

-- Why there is none, where somebody tried.
local unopened = "there was no `init`: every request is refused"

-- What only this front counts.
local FAMILIES = {
    { name = "postern_dry_run_total", type = "counter", labels = {},
      help = "Requests that a dry run let pass." },
    { name = "postern_undecided_total", type = "counter", labels = {},
      help = "Requests that nginx let through where nobody decided them." },
}

local NONE = {} -- settings of a location that hands none; nobody writes to it

local ALLOWED = "Allowed"
local FAULT, UNAVAILABLE = 500, 503
local REFUSED = "Request Refused\n"

-- A request that comes before the first turn of a worker waits for it so long, in seconds.
local START = 5


-- ---- In the master -----------------------------------------------------------------


local function board_of(options, path)
    local dict = ngx.shared[options.dict]
    if not dict then
        return nil, ("there is no shared dictionary `%s`: add `lua_shared_dict %s 10m;` to the "
            .. "http block"):format(options.dict, options.dict)
    end
    return boards.new(dict, path)
end


local function say_dry_run()
    ngx.log(ngx.ERR, "postern: DRY RUN: nothing is denied, only told")
end


-- Makes the front, with nothing opened yet.
local function make(path, options)
    if type(path) ~= "string" or path == "" then
        return nil, "give the path of an estate"
    end
    local filled, err = settings.fill(options)
    if not filled then
        return nil, err
    end
    local board
    board, err = board_of(filled, path)
    if not board then
        return nil, err
    end
    front = { path = path, options = filled, board = board }
    if filled.mode == "dry_run" then
        say_dry_run()
    end
    return true
end


-- Opens the estate, and leaves its bytes to the workers.
local function prepare()
    local called, revision, texts = pcall(function()
        return require("postern.resty.master").read(front.path, function(message)
            ngx.log(ngx.ERR, message)
        end)
    end)
    if not called or not revision then
        return nil, tostring(called and texts or revision)
    end
    local ok, err = front.board:publish(revision, texts)
    front.board:problem(nil)
    if not ok then
        ngx.log(ngx.ERR, ("postern: %s: make `lua_shared_dict %s` larger; until then each worker "
            .. "reads the files by itself"):format(err, front.options.dict))
    end
    collectgarbage()
    return true
end


--- Opens the estate, in `init_by_lua`. Raises what is wrong with it: nginx does not start then, and
-- told to reload it goes on with what it has.
-- @tparam string path the estate's file
-- @tparam[opt] table options `dict` (the name of the `lua_shared_dict`, `postern`); `on_broken`:
-- `stop`, or `refuse` to start all the same and refuse every request until the estate can be
-- opened; `mode`: `enforce`, or `dry_run`; `fault`, 403 or 503, what a failure of ours is answered
-- by where the estate does not say it (503); in seconds `poll`, between two looks at the files (2),
-- `follow`, between two looks at what the other workers use (0.5), and `report`, between two lines
-- of one kind in the log (10); `obligations`, how headers begin that tell the obligations of a
-- decision (`X-Obligation-`); `upstream`, headers that the program behind nginx is sent, name to
-- `principal`, `request_id`, `decision`, `revision` or `obligation:NAME`
function _M.init(path, options)
    if front then
        error("postern: init: it was called already: one nginx has one estate", 2)
    end
    local ok, err = make(path, options)
    if not ok then
        error("postern: init: " .. err, 2)
    end
    ok, err = prepare()
    if not ok and front.options.on_broken == "stop" then
        front = nil
        error(("postern: %s: cannot be opened:\n%s"):format(path, err), 0)
    elseif not ok then
        ngx.log(ngx.ERR, ("postern: %s: cannot be opened, so every request is refused: %s")
            :format(path, err))
    end
end


-- ---- In a worker -------------------------------------------------------------------


local function write_line(message)
    ngx.log(ngx.ERR, "postern: ", message)
end


local function reporter(interval)
    return reporters.new({ now = ngx.now, write = write_line }, interval)
end


-- What replies before there is an estate, or without one.
local function plain_reply()
    return require("postern.resty.reply").new(
        require("postern.answer").new({ fault = front.options.fault }), front.options)
end


-- What marks are by: where the request that nginx is at stands in the memory.
local function new_marks()
    local get_request = require("resty.core.base").get_request
    return require("postern.resty.marks").new({
        number = function() return tonumber(ffi.cast("uintptr_t", get_request())) end,
        began = ngx.req.start_time, now = ngx.now,
    })
end


local function start_worker()
    front.reports = reporter(front.options.report)
    front.reply = plain_reply()
    front.calls = require("postern.resty.call")
    front.marks = new_marks()
    front.replies = require("postern.resty.reply")
    front.host = require("postern.host.resty").new({ log = write_line })
    local metrics = require("postern.metrics")
    front.metrics = metrics.new(metrics.shared(ngx.shared[front.options.dict]), {
        batched = true, worker = ngx.worker.id(), families = FAMILIES,
    })
    front.tally = require("postern.resty.tally").new(front.metrics, front.board)
    front.follower = require("postern.resty.follower").new({
        path = front.path, host = front.host, board = front.board, options = front.options,
        reports = front.reports, metrics = front.metrics, pid = ngx.worker.pid(),
        id = ngx.worker.id(), tally = front.tally,
    })
    front.follower:start()
end


local function turn(premature)
    if not premature then
        front.follower:turn()
    end
end


local function begin_worker()
    local ok, err = pcall(start_worker)
    if not ok then
        ngx.log(ngx.ERR, "postern: this worker does not start, and refuses every request: ",
                tostring(err))
        front.follower = nil
        return
    end
    local every = math.min(front.options.follow, front.options.poll)
    local first, second = ngx.timer.at(0, turn), ngx.timer.every(every, turn)
    if not first or not second then
        ngx.log(ngx.ERR, "postern: no timers: this worker will not follow its files")
    end
end


--- Starts a worker, in `init_worker_by_lua`.
function _M.init_worker()
    if not front then
        ngx.log(ngx.ERR, "postern: init_worker: there was no `init`: every request is refused")
    elseif ngx.worker.id() then -- the cache manager and the like serve nobody
        begin_worker()
    end
end


-- What the first worker that comes reads stands for all, as what a master reads does.
local function open_here(path, options)
    if front then
        return front.path == path or nil,
            ("`%s` is open already, and one nginx has one estate: start it anew"):format(front.path)
    elseif type(options) == "table" and options.on_broken == "stop" then
        return nil, "`on_broken`: a worker cannot keep nginx from starting: leave it out"
    end
    local ok, err = make(path, options)
    if not ok then
        return nil, err
    elseif not front.board:wanted() then
        ok, err = prepare()
    end
    begin_worker()
    return ok, err
end


--- Opens the estate in a worker and starts that worker, in place of `init` and `init_worker`: in
-- `init_worker_by_lua` or a timer of a gateway that leaves its plugins no `init_by_lua`. A second
-- call for the same estate does nothing. It never raises.
-- @tparam string path the estate's file, which the workers' user must be able to read
-- @tparam[opt] table options those of `init` but for `on_broken`: nginx starts in any case
-- @treturn boolean|nil true, also in a process that serves nobody; nil when it cannot be opened:
-- every request is refused then, until, where its files were wrong, they are right
-- @treturn string why not
function _M.open(path, options)
    if not ngx.worker.id() then
        return true
    end
    local called, ok, err = pcall(open_here, path, options)
    if called and ok then
        return true
    end
    err = ("%s: cannot be opened, so every request is refused: %s"):format(tostring(path),
        tostring(called and err or ok))
    if not front then
        unopened = err
    end
    return nil, err
end


--- Ends a worker, in `exit_worker_by_lua`: lines that packs still hold are written.
function _M.exit_worker()
    if front and front.follower then
        pcall(front.follower.tell, front.follower)
        if front.follower.reload then
            pcall(front.follower.reload.close, front.follower.reload)
        end
    end
end


-- ---- Deciding ----------------------------------------------------------------------


-- A decision of ours, where the estate was not asked or did not answer.
local function failed(status, message)
    return {
        allowed = false, decision = "ImplicitlyDenied", reason = "error", status = status,
        error = message,
    }
end


-- Takes what an estate says of answers; at its first request.
local function settle(estate)
    local answers = estate.answers
    front.reply = front.replies.new(require("postern.answer").new({
        denied = answers.denied, fault = answers.fault or front.options.fault,
        format = answers.format,
    }), front.options)
    front.mode = estate.mode or front.options.mode
    front.needs = front.calls.needs(estate)
end


-- The estate in use; one that opens only now is waited for.
local function estate_in_use()
    local follower = front.follower
    if not follower then
        return nil
    end
    local ends = ngx.now() + START
    while not follower.reload and not follower.turned and ngx.now() < ends do
        ngx.sleep(0.01)
    end
    return follower.reload and follower.reload.estate
end


-- Whether decisions count; nil and why that is not known.
local function mode_of(given)
    local mode = front.calls.setting(given, "mode") or front.mode
    if mode ~= "enforce" and mode ~= "dry_run" then
        return nil, ("`$postern_mode` is `%s`: give `enforce` or `dry_run`"):format(mode)
    end
    return mode
end


local function judge(estate, given, subrequest)
    local call = front.calls.plain(front.needs, given, subrequest)
    if call then
        local ok, planned = pcall(estate.decide_plain, estate, call)
        if ok and planned then
            return planned
        end
    end
    local request, status, why = front.calls.read(front.needs, given, subrequest)
    if not request then
        return failed(status, why)
    end
    local decision = front.follower:authorize(request)
    if decision.reason == "error" then
        local fault = front.calls.fault_of(estate, request)
        return fault and failed(FAULT, fault) or decision
    end
    return decision
end


-- Decides, whatever happens. The second result are the headers of the answer.
local function decide(estate, given, subrequest)
    local ok, decision = pcall(judge, estate, given, subrequest)
    if not ok then
        return failed(FAULT, tostring(decision))
    elseif not decision.allowed then
        return decision
    elseif decision.decision ~= ALLOWED or decision.reason == "error" then
        return failed(FAULT, "a decision contradicts itself")
    elseif not decision.headers and not decision.obligations then
        return decision
    end
    local headers, why
    ok, headers, why = pcall(front.reply.headers, front.reply, decision)
    if not ok or why then
        return failed(FAULT, tostring(why or headers))
    end
    return decision, headers
end


-- ---- Telling the operator ----------------------------------------------------------


local function described()
    return ("%s %s"):format(ngx.req.get_method(), ngx.var.uri)
end


local function count(decision, mode, seconds)
    front.tally:add(decision, seconds)
    if mode == "dry_run" and not decision.allowed then
        front.board:incr("dry_run", 1)
        front.metrics:count("postern_dry_run_total")
    end
end


local function tell(decision, mode)
    if decision.reason == "error" then
        front.reports:tell(decision.status >= FAULT and "fault" or "refused",
            ("%s: %s: %s"):format(described(), mode == "dry_run" and "would be refused"
            or "refused", tostring(decision.error)))
    elseif mode == "dry_run" then
        local statement = decision.deciding
        front.reports:tell("dry_run", ("dry run: %s: would be denied: %s%s"):format(described(),
            tostring(decision.reason), statement and (" by %s:%d"):format(statement.file,
            statement.line) or ""))
    end
end


-- Tells while there is no front to do it.
local early

-- What went wrong where nothing may.
local function tell_failure(message)
    if front and front.reports then
        front.board:incr("errors", 1)
        front.reports:tell("failure", "refused: " .. tostring(message))
    else
        early = early or reporter()
        early:tell("failure", "refused: " .. tostring(message))
    end
end


-- Notes that a request was decided: for `log`, and, where there are guards, for `access`.
local function note(decision, seconds, subrequest)
    if subrequest then
        return -- its variables are those of the request, and so may be its ngx.ctx
    end
    front.marks:put()
    front.replies.fill(decision, seconds)
    if front.guards then
        ngx.ctx.postern = ngx.var.uri
    end
end


-- ---- Requests ----------------------------------------------------------------------


-- Notes that there is no estate to ask.
local function note_absence()
    if front.reports then
        front.reports:tell("no_estate", "there is no estate: every request is refused")
    end
    front.board:incr("errors", 1)
    if front.metrics then
        front.metrics:decision(nil)
        note(failed(FAULT), 0, ngx.is_subrequest)
    end
end


-- Decides one request, counts and tells it. Whether it may pass; the decision, nil where there is
-- no estate; the headers of the answer, if there are any.
local function weigh(given, subrequest)
    if not front then
        error(unopened, 0)
    end
    local estate = estate_in_use()
    if not estate then
        note_absence()
        return false
    elseif not front.needs or front.needs.estate ~= estate then
        settle(estate)
    end
    local began = front.host.monotonic()
    local mode, decision, headers
    local unknown = given ~= NONE and front.calls.check(given)
    if not unknown then
        mode, unknown = mode_of(given)
    end
    if mode then
        decision, headers = decide(estate, given, subrequest)
    else
        decision = failed(FAULT, unknown)
    end
    local seconds = front.host.monotonic() - began
    count(decision, mode, seconds)
    note(decision, seconds, subrequest)
    if decision.allowed then
        return true, decision, headers
    end
    tell(decision, mode)
    return mode == "dry_run", decision
end


-- Decides one request, and has nginx do it. True when it may pass, else the status it was refused
-- with.
local function run(given, subrequest)
    local passes, decision, headers = weigh(given, subrequest)
    if not passes then
        front.reply:refuse(decision)
        return ngx.status
    end
    front.reply:pass(decision, headers)
    if headers then
        ngx.ctx.postern_headers = headers -- for `header_filter`
    end
    return true
end


-- A refusal that needs nobody. It has a body of its own, or else a directive `error_page` could
-- make something else of it.
local function refuse_barely(status)
    ngx.req.discard_body()
    ngx.status = status
    ngx.header["Content-Type"] = "text/plain"
    ngx.print(REFUSED)
end


-- Whatever is not a clear yes ends the request. nginx ends it outside of `pcall`.
local function enforce(given)
    local ok, passed = pcall(run, given or NONE, ngx.is_subrequest)
    if ok and passed == true then
        return
    elseif ok and type(passed) == "number" then
        return ngx.exit(passed)
    end
    pcall(tell_failure, passed)
    local status = front and front.options.fault or UNAVAILABLE
    pcall(refuse_barely, status)
    return ngx.exit(status)
end


--- Decides the request, in `access_by_lua`. It returns where the request may pass; everywhere else
-- nginx ends it.
-- @tparam[opt] table given a place, see `place`, or a table of `api`, `stage`, `vpce`, `host` and
-- `mode`, in place of the variables, and of `claims`, a table: those of a token that the location
-- has verified, and `{}` for a token that it could not verify. They are for the packs
-- `identities/jwt` and `keys/jwt_claims`
function _M.access(given)
    if front and front.guards and ngx.ctx.postern == ngx.var.uri then
        return -- `guard` has decided it
    end
    return enforce(given)
end


--- Makes the settings of a location, once for all its requests: in `init_by_lua`, so that a mistake
-- keeps nginx from starting.
--
--     init_by_lua_block {
--         postern = require("postern.resty")
--         postern.init("/etc/postern/estate.lua")
--         orders = postern.place { api = "a1b2c3d4e5", stage = "live" }
--     }
--     location /orders/ { access_by_lua_block { postern.access(orders) } }
-- @tparam table given as for `access`
-- @treturn table for `access` and `guard`
function _M.place(given)
    local place, wrong = require("postern.resty.call").place(given)
    if not place then
        error("postern: place: " .. wrong, 2)
    end
    return place
end


--- Decides the request as well, in `rewrite_by_lua`: before `satisfy`, `allow` and `auth_request`
-- have a say, and also in subrequests, to which nginx's access phase, and `access` with it, does
-- not apply.
-- @tparam[opt] table given as for `access`
function _M.guard(given)
    if front then
        front.guards = true
    end
    return enforce(given)
end


local function decide_for_gateway(given)
    local passes, decision, headers = weigh(given, ngx.is_subrequest)
    if passes then
        front.reply:forward(decision)
        return true, headers
    end
    return false, front.reply:refusal(decision)
end


--- Decides the request for a gateway that answers clients itself, in its access phase. It never
-- raises, and writes nothing to the client. What the client may not say is stripped from the
-- request, and what is told upstream is set, as by `access`.
-- @tparam[opt] table given as for `access`
-- @treturn boolean whether the request may pass
-- @treturn table|nil where it may, the headers of the answer, name to text, for the gateway's
-- header filter; nil when there are none. Else what the client is to be told: `status`, `headers`
-- (name to text) and `body`
function _M.decide(given)
    local ok, passes, reply = pcall(decide_for_gateway, given or NONE)
    if ok and passes == true then
        return true, reply
    elseif ok and type(reply) == "table" then
        return false, reply
    end
    pcall(tell_failure, passes)
    return false, {
        status = front and front.options.fault or UNAVAILABLE,
        headers = { ["Content-Type"] = "text/plain" }, body = REFUSED,
    }
end


--- Sets the headers of the decision anew, in `header_filter_by_lua`: in place of those of the same
-- name that the program behind nginx sent.
function _M.header_filter()
    local headers = front and ngx.ctx.postern_headers
    for name, value in pairs(headers or {}) do
        ngx.header[name] = value
    end
end


--- Notes what became of the request, in `log_by_lua`: one that was let through where nobody decided
-- is told and counted. That is a hole in the configuration, such as `satisfy any`.
function _M.log()
    if not front or not front.metrics then
        return
    end
    local decided = front.marks:take()
    if not decided and ngx.status < 400 then
        front.board:incr("undecided", 1)
        front.metrics:count("postern_undecided_total")
        front.reports:tell("undecided", described() .. ": was let through, but nobody decided it: "
            .. "look for `satisfy any`, `return` and the like")
    end
end


-- ---- For the operator --------------------------------------------------------------


local COUNTS = { "allowed", "denied", "errors", "dry_run", "undecided" }

--- What the workers are at, as a table.
-- @treturn table `path`, `revision` (the one that is wanted), `workers`, `watcher` (the process
-- that looks at the files), `counts`, `mode`, and, where the files cannot be used, `problem` and
-- `problem_since`
function _M.state()
    if not front then
        return { problem = "there was no `init`" }
    end
    if front.tally then
        front.tally:flush()
    end
    local problem, since = front.board:last_problem()
    local state = {
        path = front.path, revision = front.board:wanted(),
        workers = front.board:workers(ngx.worker.count()),
        watcher = tonumber(front.board:watcher()), mode = front.mode or front.options.mode,
        problem = problem, problem_since = since, counts = {},
    }
    for _, name in ipairs(COUNTS) do
        state.counts[name] = front.board:get(name) or 0
    end
    return state
end


--- Answers what `state` says, as JSON. Who may ask is for the location to say.
function _M.status()
    if front and front.follower then
        front.follower:tell()
    end
    ngx.header["Content-Type"] = "application/json"
    ngx.header["Cache-Control"] = "no-store"
    ngx.say(require("cjson.safe").encode(_M.state()))
end


--- Looks for known ways round the front in a configuration of nginx. It needs no nginx to run in:
--
--     nginx -T | luajit -e 'for _, line in ipairs(require("postern.resty").check(io.read("*a"))) do
--         print(line)
--     end'
-- @tparam string text what `nginx -T` prints
-- @treturn {string,...} one line each, `file:line: message`; empty when none was found
function _M.check(text)
    return require("postern.resty.lint").check(text)
end


--- Answers the counters of all workers, as Prometheus reads them. Who may ask is for the location
-- to say.
function _M.metrics()
    if not front or not front.tally then
        return ngx.exit(UNAVAILABLE)
    end
    front.tally:flush()
    local text, content_type = front.metrics:render(ngx.var.http_accept)
    ngx.header["Content-Type"] = content_type
    ngx.print(text)
end


return _M
