-- Two APIs behind a reverse proxy, by host, and how `postern serve` is asked about them: by the
-- proxy alone, over a socket that nobody else may open.
account "111122223333"
region "eu-central-1"

api "orders7a1b" {
    endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live" },
    policy = "orders.json",
}
api "stock9c2d" {
    endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live" },
    policy = "stock.json",
}

serve {
    endpoints = {
        ["/auth"] = {
            protocol = "forward", profile = "forwarded", peers = { "unix:" },
            apis = {
                { host = "orders.example.com", api = "orders7a1b", stage = "live" },
                { host = "stock.example.com", api = "stock9c2d", stage = "live" },
            },
        },
    },
}
