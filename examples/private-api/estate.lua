-- Three private APIs behind two VPC endpoints, offices on Direct Connect, a partner's role, an
-- authorizer, and a bucket behind a gateway endpoint. docs/estate.md explains every word.
account "111122223333" region "eu-central-1"

vpc "vpc-0c0ffee0123456789" { cidr = "10.20.0.0/16", networks = { "offices" } }
subnet "subnet-0a" { vpc = "vpc-0c0ffee0123456789", cidr = "10.20.7.0/24" }

security_group "sg-endpoints" { vpc = "vpc-0c0ffee0123456789", inbound = {
    { protocol = "tcp", port = 443, cidr = "10.20.0.0/16" },
    { protocol = "tcp", port = 443, cidr = "10.31.4.0/22" },
} }
security_group "sg-clients" { vpc = "vpc-0c0ffee0123456789", name = "default" }

endpoint "vpce-0a11b22c33d44e55f" {
    service = "execute-api", vpc = "vpc-0c0ffee0123456789", policy = "endpoint-two-apis.json",
    subnets = "subnet-0a", security_groups = "sg-endpoints", addresses = "10.20.7.5",
}
endpoint "vpce-0b22c33d44e55f660" { -- without a policy: full access
    service = "execute-api", vpc = "vpc-0c0ffee0123456789",
    subnets = "subnet-0a", security_groups = "sg-endpoints", addresses = "10.20.7.6",
}

endpoint "vpce-0c33d44e55f660771" { service = "s3", type = "Gateway",
                                   vpc = "vpc-0c0ffee0123456789" }
resource "arn:aws:s3:::stock-reports-4e5f" { policy = "bucket-reports.json" }

api "orders7a1b" {
    endpoint_type = "PRIVATE", authorization = "NONE", stages = { "live", "test" },
    policy = "api-offices.json",
}

api "stock9c2d" {
    endpoint_type = "PRIVATE", authorization = "IAM", stages = { "live" },
    policy = "api-partner.json",
}

api "ledger3e4f" {
    endpoint_type = "PRIVATE", authorization = "LAMBDA", stages = { "live" },
    policy = "api-open.json", identity_sources = { "authorization" },
    -- Stands for a Lambda function: who has the word may read.
    authorizer = function(request)
        if request.http.headers.authorization[1] ~= "Bearer open sesame" then
            return nil, "a wrong word", 401
        end
        return '{"Version":"2012-10-17","Statement":[{"Sid":"Readers","Effect":"Allow",'
            .. '"Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:*/live/GET/*"}]}'
    end,
}

principal "partner" { arn = "arn:aws:iam::444455556666:role/StockReader",
                      policies = { "identity-partner.json" } }

organization "o-example0001" { root = "r-ex01", accounts = { "111122223333", "444455556666" },
                               scp = { "scp-no-audit.json" } }
