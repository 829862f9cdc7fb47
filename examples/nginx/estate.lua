-- Two private APIs behind one VPC endpoint, and the load balancer in front of nginx.
account "111122223333" region "eu-central-1"
trusted_proxies { "127.0.0.1" } -- whose X-Forwarded-For is believed

vpc "vpc-0c0ffee0" { cidr = { "10.20.0.0/16", "127.0.0.0/8" } }
endpoint "vpce-0a11b22c" { service = "execute-api", vpc = "vpc-0c0ffee0" }

rules "keys/jwt_claims" {}
rules "app.lua" {}

api "orders7a1b" { endpoint_type = "PRIVATE", authorization = "NONE", stages = { "live" },
                   policy = "orders.json" }
api "tenants2c8d" { endpoint_type = "PRIVATE", authorization = "NONE", stages = { "live" },
                    policy = "tenants.json" }

answers { format = "json" }
