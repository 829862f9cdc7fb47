--- A decision in nginx with nothing around it: what the front adds is measured against this.
--
-- A request of the variables that the estates of the benchmarks need goes to `authorize`, and what
-- is not allowed is 403. No protection of a gateway is here: no reading of the raw path, of
-- duplicates or of proxies, no log. Never a front for anything but a measurement.
local _M = {}


local reload, host, estate, path


--- Opens the estate, in the master.
-- @tparam string file
function _M.init(file)
    path = file
    estate = assert(require("postern").open(file))
end


--- Follows the estate's files, in a worker.
-- @tparam table ngx
function _M.init_worker(ngx)
    host = require("postern.host.resty").new()
    assert(ngx.timer.at(0, function()
        reload = assert(require("postern.reload").new(path, { host = host, poll = 0.05 }))
    end))
end


--- Decides, in the access phase.
-- @tparam table ngx
function _M.access(ngx)
    local var = ngx.var
    local decision = (reload or estate):authorize({
        api = var.postern_api, stage = var.postern_stage, method = ngx.req.get_method(),
        path = var.uri, host = var.host, peer = var.remote_addr, client_ip = var.remote_addr,
        vpce = var.postern_vpce, headers = { ["x-caller"] = var.http_x_caller },
    })
    if not decision.allowed then
        return ngx.exit(403)
    end
end


return _M
