local testing = require("postern.testing")

describe("orders", function()
    local plans = { ["c-2"] = '{"plan":"gold"}', ["c-3"] = '{"plan":"free"}' }
    local gateway = testing.estate("estate.lua", {
        http = function(request)
            local body = plans[request.url:match("/plans/(.*)$")]
            return { status = body and 200 or 500, body = body }
        end,
    })

    local function call(method, customer)
        return { api = "orders7a1b", stage = "live", method = method, path = "/orders",
                 claims = { sub = customer } }
    end

    testing.cases(gateway, {
        { "are placed by those who pay", call("POST", "c-2"), "allow", "PayersWrite" },
        { "are not placed by others", call("POST", "c-3"), "deny" },
        { "are read by all, and nobody asks for a plan", call("GET", "c-9"), "allow" },
        { "are not placed while the service fails", call("POST", "c-9"), "deny" },
    })
end)
