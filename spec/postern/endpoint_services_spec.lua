local plain = require("postern.host.plain")
local rules = require("postern.rules")
local endpoint_services = require("postern.endpoint_services")


local DATA = assert(rules.load("tables", "endpoint_services", plain.read)).data


describe("endpoint services", function()
    local services = endpoint_services.new(DATA)

    it("are found by every form of name", function()
        for _, row in ipairs({
            -- name, suffix, Region, prefix
            { "com.amazonaws.us-east-1.execute-api", "execute-api", "us-east-1", "execute-api" },
            { "com.amazonaws.us-gov-west-1.s3", "s3", "us-gov-west-1", "s3" },
            { "com.amazonaws.eu-west-1.ecr.dkr", "ecr.dkr", "eu-west-1", "ecr" },
            { "com.amazonaws.eu-west-1.monitoring", "monitoring", "eu-west-1", "cloudwatch" },
            { "com.amazonaws.eu-west-1.git-codecommit", "git-codecommit", "eu-west-1",
              "codecommit" },
            { "aws.api.us-east-1.kendra", "kendra", "us-east-1", "kendra" },
            { "aws.sagemaker.us-east-1.notebook", "notebook", "us-east-1", "sagemaker" },
            { "com.amazonaws.iam", "iam", nil, nil },
            { "com.amazonaws.route53", "route53", nil, nil },
            { "com.amazonaws.sts", "sts", nil, "sts" },
            { "com.amazonaws.ecr.api", "ecr.api", nil, "ecr" }, -- no Region: `ecr` is none
            -- just the suffix
            { "execute-api", "execute-api", nil, "execute-api" },
            { "ecr.api", "ecr.api", nil, "ecr" },
            -- not in the table
            { "com.amazonaws.us-east-1.glue", "glue", "us-east-1", nil },
            { "something", "something", nil, nil },
            { "comxamazonaws.us-east-1.s3", "comxamazonaws.us-east-1.s3", nil, nil },
            { "org.example.us-east-1.s3", "org.example.us-east-1.s3", nil, nil },
        }) do
            local found = services:find(row[1])
            assert.same({ row[2], row[3], row[4] }, { found.suffix, found.region, found.prefix },
                row[1])
            assert.is_false(found.foreign)
            assert.is_true(found.policy)
        end
    end)

    it("are nobody without a name", function()
        assert.is_nil(services:find(""))
        assert.is_nil(services:find(nil))
        assert.is_nil(services:find(7))
    end)

    it("of other accounts give full access and take no policy", function()
        local name = "com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0"
        for _, row in ipairs({
            { name, {} }, { name, { [name] = true } }, { "com.amazonaws.vpce.us-east-1.s3", {} },
        }) do
            local found = endpoint_services.new(DATA, row[2]):find(row[1])
            assert.is_true(found.foreign)
            assert.is_false(found.policy)
            assert.is_false(found.gateway)
            assert.is_false(found.cross_region)
            assert.equal("us-east-1", found.region)
            assert.is_nil(found.prefix)
        end
    end)

    it("of AWS take policies but for those that are listed", function()
        for _, suffix in ipairs(DATA.without_policy) do
            assert.is_false(services:find(suffix).policy)
            assert.is_false(services:find("com.amazonaws.us-east-1." .. suffix).policy)
        end
        assert.is_true(services:find("com.amazonaws.us-east-1.unheard-of").policy)
    end)

    it("take policies or not as the configuration says", function()
        local told = endpoint_services.new(DATA, {
            glue = false, ["transfer.server"] = true, ["com.amazonaws.eu-west-1.sqs"] = false,
        })
        assert.is_false(told:find("com.amazonaws.us-east-1.glue").policy)
        assert.is_true(told:find("com.amazonaws.us-east-1.transfer.server").policy)
        assert.is_false(told:find("com.amazonaws.eu-west-1.sqs").policy)
        assert.is_true(told:find("com.amazonaws.us-east-1.sqs").policy)
    end)

    it("have gateways for S3 and DynamoDB only, and some cross Regions", function()
        local gateways, crossing = {}, {}
        for _, service in ipairs(DATA.services) do
            for _, suffix in ipairs(service.suffixes) do
                local found = services:find("com.amazonaws.us-east-1." .. suffix)
                gateways[#gateways + 1] = found.gateway and suffix or nil
                crossing[#crossing + 1] = found.cross_region and suffix or nil
            end
        end
        assert.same({ "s3", "dynamodb" }, gateways)
        assert.same({ "ecr.api", "ecr.dkr", "kinesis-firehose", "s3", "ecs", "kms", "lambda" },
            crossing)
    end)

    it("are found by prefix", function()
        assert.equal("API Gateway, invocation", services:by_prefix("execute-api")[1].name)
        assert.equal(2, #services:by_prefix("sagemaker"))
        assert.same({}, services:by_prefix("unheard-of"))
    end)

    it("of the whole table lead back to their prefix", function()
        for _, service in ipairs(DATA.services) do
            for _, suffix in ipairs(service.suffixes) do
                local found = services:find("com.amazonaws.ap-southeast-2." .. suffix)
                assert.equal(service.prefix, found.prefix)
                assert.equal(service.name, found.title)
            end
        end
    end)
end)
