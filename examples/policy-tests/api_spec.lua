local testing = require("postern.testing")

describe("the policy of the API", function()
    local api = testing.policy("api.json", {
        api = "bills7a1b", region = "eu-central-1", account = "111122223333",
    })
    local OURS = "vpce-0a11b22c33d44e55f"

    local function get(address, endpoint)
        return { method = "GET", path = "/live/invoices", vpce = endpoint or OURS,
                 context = { ["aws:VpcSourceIp"] = address } }
    end

    testing.cases(api, {
        { "an office reads", get("10.20.7.9"), "allow", "OfficesRead" },
        { "nobody else reads", get("192.168.1.1"), "deny" },
        { "other endpoints are shut", get("10.20.7.9", "vpce-1"), "explicit deny",
          "OnlyThroughOurEndpoint" },
    })

    it("lets nobody in an office write", function()
        local request = get("10.20.7.9")
        request.method = "POST"
        assert.denies(api, request)
        assert.not_denies_explicitly(api, request)
    end)
end)
