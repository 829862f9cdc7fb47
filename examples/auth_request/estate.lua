-- The API behind nginx, and how `postern serve` is asked about it: by nginx alone, over a socket
-- that nobody else may open.
account "111122223333"
region "eu-central-1"

api "orders7a1b" {
    endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live" },
    policy = "orders.json",
}

serve {
    audit = { path = "decisions.log" },
    endpoints = {
        ["/auth"] = { protocol = "forward", profile = "nginx", peers = { "unix:" },
                      api = "orders7a1b", stage = "live" },
    },
}
