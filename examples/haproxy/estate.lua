-- The API behind HAProxy, and how `postern serve` is asked about it: by this machine alone.
account "111122223333"
region "eu-central-1"

api "orders7a1b" {
    endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live" },
    policy = "orders.json",
}

serve {
    endpoints = {
        ["/auth"] = { protocol = "forward", profile = "forwarded", peers = { "127.0.0.1" },
                      api = "orders7a1b", stage = "live" },
    },
}
