account "111122223333"
region "eu-central-1"

-- The socket that serve.lua makes in the folder it is called in. Yours is `http://host:port/`.
rules "plan.lua" {
    url = "http+unix:///proc/self/cwd/billing.sock:/plans/",
    limits = { timeout = 20, concurrency = 100 },
}

api "orders7a1b" {
    endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live" },
    policy = "api.json",
}
