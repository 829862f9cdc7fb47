account "111122223333"
region "eu-central-1"

rules "rollout.lua" { salt = "orders v2" }

api "orders7a1b" {
    endpoint_type = "REGIONAL", authorization = "NONE", stages = { "v1", "v2" },
    policy = "api.json",
}
