-- Asks `postern serve` about a call, for HAProxy 2.6: `txn.postern` becomes `allow` or stays
-- `deny`, `txn.postern_id` the id of the decision.
local URL = "http://127.0.0.1:8180/auth"
local MILLISECONDS = 1000


core.register_action("postern", { "http-req" }, function(txn)
    txn:set_var("txn.postern", "deny")
    local headers = {
        ["x-forwarded-method"] = { txn.f:method() }, ["x-forwarded-uri"] = { txn.f:pathq() },
        ["x-forwarded-host"] = { txn.f:req_fhdr("host") },
        ["x-forwarded-proto"] = { txn.f:ssl_fc() == 1 and "https" or "http" },
        ["x-forwarded-for"] = { txn.f:src() },
    }
    local answer = core.httpclient():get({ url = URL, headers = headers, timeout = MILLISECONDS })
    local told = answer.headers or {}
    if answer.status == 200 and told["x-postern-decision"]
        and told["x-postern-decision"][0] == "allow" then
        txn:set_var("txn.postern", "allow")
    end
    if told["x-postern-decision-id"] then
        txn:set_var("txn.postern_id", told["x-postern-decision-id"][0])
    end
end)
