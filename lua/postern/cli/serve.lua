--- `postern serve`: the decision server as a process, or as one process a core.
--
-- Exit status: 0 stopped as told, 2 error.
--
-- *Dependencies*: postern.sockets, postern.reload, postern.server, postern.telemetry,
-- postern.host.uv, postern.host.uv_listener, postern.host.uv_processes, postern.host.uv_worker
--
-- @module postern.cli.serve
local sockets = require("postern.sockets")
local reloads = require("postern.reload")
local servers = require("postern.server")
local hosts = require("postern.host.uv")
local listeners = require("postern.host.uv_listener")
local processes = require("postern.host.uv_processes")
local telemetry = require("postern.telemetry")
local workers = require("postern.host.uv_worker")


local _M = {}


local STOPPED = 0

-- The way from a request to its answer is compiled as one piece, which is longer than LuaJIT takes
-- unless it is told.
local COMPILER = { "maxtrace=8000", "maxrecord=16000", "maxirconst=4000", "maxsnap=2000",
                   "maxmcode=16384" }

-- Seconds between two tellings: so old are the counts of other workers at most.
local TELL = 1

local EPILOG = [[
Examples:
  postern serve estate.lua
  postern serve estate.lua --listen 127.0.0.1:8180 --listen unix:/run/postern/postern.sock
  postern serve estate.lua --listen '*:8180' --workers 0
  curl http://127.0.0.1:8180/readyz
  curl --json '{"api":"a1b2c3d4e5","stage":"dev","method":"GET","path":"/pets"}' \
      http://127.0.0.1:8180/v1/decide

An ADDRESS is 192.0.2.1:8180, [2001:db8::1]:8180, *:8180 (every address of this machine, IPv4 and
IPv6), localhost:8180, unix:/PATH or fd:NUMBER (an inherited socket). Sockets that systemd hands
over are taken when no address is given.

Endpoints: /v1/decide takes a request in JSON, /v1/decide/batch a list of them (docs/estate.md has
the members); /healthz (it lives), /readyz (200 while it decides, else 503); /status and /metrics,
for operators. Protocols for other endpoints: native, authzen, forward, ext_authz, opa; health,
ready, status, metrics. The estate can say all of this, too:

  serve {
      listen = {
          "127.0.0.1:8180",
          { address = "unix:/run/postern/postern.sock", mode = "0660" },
          { address = "*:8443", certificate = "server.pem", key = "server.key",  -- TLS 1.2, 1.3
            client_ca = "clients.pem", client_certificate = "required" },  -- or "optional"
      },
      workers = 0,                        -- one process a core
      drain = 10,                         -- seconds for requests that have begun
      drain_delay = 5,                    -- seconds it is not ready before it stops listening
      operators = { "192.0.2.7", "tls:CN=monitor", "bearer:SHA256" },
      endpoints = {
          ["/access"] = { protocol = "authzen", ... },  -- options of the protocol
          ["/metrics"] = false,                          -- not here
      },
      limits = { body_bytes = 65536, idle_seconds = 30 },
      audit = { path = "decisions.log", form = "json" },  -- or "opa"; mask, erase, labels, queue
      admin = { address = "unix:/run/postern/admin.sock", users = { 0 } },
  }

Paths begin in the folder of the file that says them.
Operators: who may see /status and /metrics. Nobody, unless it is said: 127.0.0.1 and unix: would
let in whatever a proxy on this machine passes on. An address, a range, unix:, tls: or tls:NAME (a
client certificate that was verified), bearer:SHA256 (of a token). /healthz and /readyz are for all.
Administration: policies of APIs and endpoints are put, deployed and rolled back (docs/store.md) at
a listener of its own, by tokens (a file), subjects or fingerprints of client certificates, or users
of a Unix socket, who also see /status and /metrics there. The first worker answers, when a change
is on the disk and in use in it; the others follow within a second, or, where the file system tells
nothing of changes, within three.
The decision log has an event of each decision. Events that nobody takes are dropped and counted.
Limits: head_bytes, headers, body_bytes, connections (at once, each process), requests (of one
connection), pipelined (answered before others get their turn), head_seconds (with the handshake of
TLS), body_seconds, idle_seconds, answer_seconds, write_seconds.
Signals: TERM and INT stop it: nothing new is accepted, what has begun is answered; a second one
ends it at once. HUP reads the estate and the files of TLS anew; a change of the estate's files does
by itself. USR1 opens log files anew.
A policy that does not compile never takes the place of one that does: the log says what is wrong.
Exit status: 0 stopped as told, 2 error.]]


local function fail(message, ...)
    error({ failure = message:format(...) }, 0)
end


--- Adds the command's options.
-- @param command its parser, of argparse
function _M.add(command)
    command:epilog(EPILOG)
    command:argument("estate", "The estate to decide with; estate.lua when absent."):args("?")
    command:option("--listen", "Where to listen; may be repeated. 127.0.0.1:8180 when nothing "
        .. "else is said."):argname("ADDRESS"):count("*")
    command:option("--workers", "How many processes; 0 is one a core. 1 when absent.")
        :argname("N")
    command:option("--drain", "Seconds that what has begun gets when it stops; 10 when absent.")
        :argname("SECONDS")
    command:option("--drain-delay", "Seconds it says that it is not ready before it stops "
        .. "listening; 0 when absent."):argname("SECONDS")
    command:option("--operator", "Who may see /status and /metrics; may be repeated. Nobody when "
        .. "nothing else is said."):argname("PEER"):count("*")
end


-- ---- Settings ----------------------------------------------------------------------------------


local function number_of(options, name)
    local text = options[name:gsub("-", "_")]
    if not text then
        return nil
    end
    local number = text:find("^%d+%.?%d*$") and tonumber(text)
    if not number then
        fail("--%s `%s`: give a number", name, text)
    end
    return number
end


-- The sockets that systemd has bound. A worker has them from its parent.
local function inherited_by(role)
    if not role then
        return listeners.inherited(processes.environment(), processes.pid())
    end
    local addresses = {}
    for _, socket in ipairs(role.sockets) do
        if socket.address:find("^fd:") then
            addresses[#addresses + 1] = socket.address
        end
    end
    return addresses
end


-- What the command line says goes before what the estate says.
local function settings_of(estate, options, inherited)
    local said, place = {}, "serve"
    if estate.serve then
        for name, value in pairs(estate.serve.value) do
            said[name] = value
        end
        place = ("%s:%d: serve"):format(estate.serve.file, estate.serve.line)
    end
    if #options.listen > 0 then
        said.listen = options.listen
    elseif #inherited > 0 then
        said.listen = inherited
    end
    said.workers = number_of(options, "workers") or said.workers
    said.drain = number_of(options, "drain") or said.drain
    said.drain_delay = number_of(options, "drain-delay") or said.drain_delay
    if #options.operator > 0 then
        said.operators = options.operator
    end
    local settings, why = servers.check(said, nil, estate.serve and estate.serve.file)
    if not settings then
        fail("%s: %s", place, why)
    elseif settings.workers == 0 then
        settings.workers = processes.cores()
    end
    settings.place = place
    return settings
end


local function open_estate(host, path)
    local reload, problems = reloads.new(path, { host = host })
    if not reload then
        fail("%s", tostring(problems))
    end
    return reload
end


-- Tells systemd how this process is, where that is what started it (sd_notify(3)). A worker is not
-- asked.
local function notifier(host)
    local path = processes.environment().NOTIFY_SOCKET
    return function(message)
        if path then
            local ok, why = sockets.notify(path, message)
            if not ok then
                host:log(("postern: NOTIFY_SOCKET: %s"):format(why))
            end
        end
    end
end


-- ---- One process -------------------------------------------------------------------------------


-- Says what systemd wants to be told round a reload (systemd.service(5), Type=notify-reload).
local function reloading(host, notify, reload)
    return function()
        notify("RELOADING=1\nMONOTONIC_USEC=" .. ("%.0f"):format(host.monotonic() * 1e6))
        reload()
        notify("READY=1\nSTATUS=serving")
    end
end


local function on_signals(host, stop, reload)
    host:on_signal("sigterm", stop)
    host:on_signal("sigint", stop)
    host:on_signal("sighup", reload)
    -- Writers listen to it by themselves; without one it is not to end the process.
    host:on_signal("sigusr1", function() end)
end


local function tell_ready(host, notify, names, revision)
    host:log(("postern: listening on %s, revision %s"):format(table.concat(names, ", "), revision))
    notify("READY=1\nSTATUS=serving")
end


local function must(ok, why)
    if not ok then
        fail("%s", why)
    end
    return ok
end


-- Sockets that the parent, or nobody, has bound.
local function fds_of(role)
    if not role then
        return nil
    end
    local fds = {}
    for _, socket in ipairs(role.sockets) do
        local list = fds[socket.address] or {}
        fds[socket.address] = list
        list[#list + 1] = socket.fd
    end
    return fds
end


-- The parent keeps what this worker has counted, for the others and for when it ends.
local function tell_counts(host, worker, server)
    local stop = host.loop:every(TELL, function() worker:tell(server.telemetry:snapshot()) end)
    return function()
        stop()
        worker:tell(server.telemetry:snapshot())
    end
end


local function run_server(host, reload, settings, role)
    local worker
    local notify = notifier(host)
    jit.opt.start(unpack(COMPILER))
    local server, why = servers.new({ host = host, reload = reload, settings = settings,
        worker = role and role.number, pid = processes.pid(),
        gather = role and function() return worker:gather() end })
    if not server then
        fail("%s: %s", settings.place, why)
    end
    local stopping = false
    local function stop()
        -- The parent and the terminal may both tell a worker.
        if not (role and stopping) then
            stopping = true
            notify("STOPPING=1")
            server:stop()
        end
    end
    must(server:bind(fds_of(role)))
    on_signals(host, stop, reloading(host, notify, function() server:reload_now() end))
    must(server:listen())
    local stop_telling
    if role then
        worker = workers.attend(host, role, stop)
        stop_telling = tell_counts(host, worker, server)
        worker:ready()
    else
        tell_ready(host, notify, server:addresses(), reload.estate.revision)
    end
    if not server:wait() then
        host:log("postern: some requests had no answer yet when the time was over")
    end
    if stop_telling then
        stop_telling()
    end
    server:close()
end


-- ---- Several -----------------------------------------------------------------------------------


-- What started this process starts its workers: interpreter, its options, script, arguments.
local function own_command()
    local command, first = {}, 0
    while arg[first - 1] do
        first = first - 1
    end
    command[1] = processes.executable()
    for i = first + 1, #arg do
        command[#command + 1] = arg[i]
    end
    return command
end


local function bind_all(host, settings)
    local bound, names = {}, {}
    for i, wanted in ipairs(servers.listened(settings)) do
        bound[i] = must(listeners.bind(host, wanted.address, { mode = wanted.mode }))
        names[i] = bound[i]:name()
    end
    return bound, names
end


local function run_parent(host, revision, settings)
    local bound, names = bind_all(host, settings)
    local notify = notifier(host)
    local parent = processes.start(host, {
        count = settings.workers, command = own_command(), sockets = bound,
        drain = settings.drain_delay + settings.drain, fold = telemetry.fold,
        on_ready = function() tell_ready(host, notify, names, revision) end,
    })
    on_signals(host, function()
        notify("STOPPING=1")
        parent:stop()
    end, reloading(host, notify, function() parent:signal("sighup") end))
    host:on_signal("sigusr1", function() parent:signal("sigusr1") end)
    must(parent:wait())
end


local function serve(host, options)
    local role = workers.role()
    local reload = open_estate(host, options.estate or "estate.lua")
    local settings = settings_of(reload.estate, options, inherited_by(role))
    if role or settings.workers == 1 then
        return run_server(host, reload, settings, role)
    end
    local revision = reload.estate.revision
    reload:close()
    run_parent(host, revision, settings)
end


--- Runs the command until it is told to stop.
-- @tparam table cli the command line's host
-- @tparam table options what argparse has read
-- @treturn number exit status
function _M.run(cli, options)
    local host = hosts.new({ log = cli.err })
    local ok, why = pcall(host.block, host, serve, host, options)
    host:close()
    if not ok then
        error(why, 0)
    end
    return STOPPED
end


return _M
