account "111122223333"
region "eu-central-1"

rules "sunset.lua" { stage = "v1", at = 1782864000, date = "Wed, 01 Jul 2026 00:00:00 GMT" }

api "orders7a1b" {
    endpoint_type = "REGIONAL", authorization = "NONE", stages = { "v1", "v2" },
    policy = "api.json",
}
