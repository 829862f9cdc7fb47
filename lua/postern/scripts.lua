--- The scripts of an estate: its keys and hooks, from start to end.
--
-- *Dependencies*: postern.tools, postern.runner, postern.keys, postern.hooks, postern.identities
--
-- @module postern.scripts
local tools = require("postern.tools")
local runners = require("postern.runner")
local keys = require("postern.keys")
local hooks = require("postern.hooks")
local identities = require("postern.identities")


local _M = {}


--- The packs of a kind, in the order of loading.
-- @tparam table estate
-- @tparam string kind
-- @treturn {table,...} `{pack, config, limits}` each
function _M.packs_of(estate, kind)
    local entries = {}
    for _, name in ipairs(estate.pack_order) do
        if estate.packs[name].pack.kind == kind then
            entries[#entries + 1] = estate.packs[name]
        end
    end
    return entries
end


local function pack_title(pack)
    return ("the %s pack `%s`"):format(pack.kind, pack.name)
end


-- Starts the packs of a kind; those that have a counterpart in the generation before may take over
-- its state.
local function start_packs(estate, kind, shared, options)
    local started = {}
    for _, entry in ipairs(_M.packs_of(estate, kind)) do
        local runner = runners.new(entry, shared, options.host)
        local name = kind .. "/" .. entry.pack.name
        local ok, err = runner:start(options.previous and options.previous.runners[name])
        if not ok then
            return nil, ("%s does not start: %s"):format(pack_title(entry.pack), err)
        end
        estate.runners[name] = runner
        started[#started + 1] = runner
    end
    return started
end


--- Starts the keys and hooks of an estate: sets its `keys`, `hooks`, `runners` and `writers`.
-- @tparam table estate
-- @tparam table options as for `prepare` of `postern.engine`
-- @treturn boolean|nil true
-- @treturn string why not; nothing of it is running then
function _M.start(estate, options)
    local shared
    shared, estate.writers = tools.new({
        read = options.read, now = options.now, log = options.log, open = options.open,
        principal = identities.principal, operations = options.host,
    })
    estate.runners = {}
    local started, err = start_packs(estate, "keys", shared, options)
    if started then
        estate.keys, err = keys.new(started, options.now)
        started = estate.keys
    end
    if started then
        started, err = start_packs(estate, "hooks", shared, options)
    end
    if not started then
        _M.close(estate)
        return nil, err
    end
    estate.hooks = hooks.new(started, options.log)
    return true
end


--- Ends what runs for an estate: its packs are stopped. Nobody may ask it any more.
-- @tparam table estate
function _M.close(estate)
    for _, runner in pairs(estate.runners) do
        local err = runner:stop()
        if err then
            estate.log(("%s does not stop: %s"):format(pack_title(runner.pack), err))
        end
    end
end


--- Opens the line writers of packs anew, after their files have been moved away.
-- @tparam table estate
function _M.reopen(estate)
    for _, writer in ipairs(estate.writers) do
        local ok, err = writer:reopen()
        if not ok then
            estate.log(("a file of a pack cannot be opened anew: %s"):format(tostring(err)))
        end
    end
end


return _M
